//! "Did you mean": the candidate that a misspelt word resembles.

/// Words longer than this, in characters, resemble nothing: it bounds the work.
const LONGEST: usize = 255;

/// The candidate nearest to the word, case aside, if it is near enough to be meant: a slip for every three
/// characters. Of equally near ones the first.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = letters(word)?;
    candidates
        .into_iter()
        .filter_map(|candidate| Some((candidate, letters(candidate)?)))
        .filter(|(_, letters)| letters.len().abs_diff(word.len()) <= slips(&word, letters))
        .map(|(candidate, letters)| (distance(&word, &letters), slips(&word, &letters), candidate))
        .filter(|(distance, slips, _)| distance <= slips)
        .min_by_key(|(distance, _, _)| *distance)
        .map(|(_, _, candidate)| candidate)
}

/// The lower-case characters; none where there are too many.
fn letters(word: &str) -> Option<Vec<char>> {
    let letters: Vec<char> = word.chars().flat_map(char::to_lowercase).take(LONGEST + 1).collect();
    (letters.len() <= LONGEST).then_some(letters)
}

fn slips(a: &[char], b: &[char]) -> usize {
    a.len().max(b.len()).div_ceil(3).min(3)
}

/// Edit distance in which two neighbours that changed places are one slip (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (row, &in_a) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut previous_b = None;
        for (column, &in_b) in b.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut best = at(&last, column) + usize::from(in_a != in_b);
            best = best.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            if previous_a == Some(in_b) && previous_b == Some(in_a) {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
            previous_b = Some(in_b);
        }
        before_last = std::mem::replace(&mut last, current);
        previous_a = Some(in_a);
    }
    last.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::one_letter_missing("prodution", Some("production"))]
    #[case::neighbours_swapped("prodcution", Some("production"))]
    #[case::only_the_case("Production", Some("production"))]
    #[case::one_letter_more("stagingg", Some("staging"))]
    #[case::punctuation("staging.", Some("staging"))]
    #[case::something_else("thanks", None)]
    #[case::short_words_are_strict("qat", Some("qa"))]
    #[case::short_words_do_not_turn_round("xy", None)]
    fn a_slip_finds_what_was_meant(#[case] word: &str, #[case] expected: Option<&str>) {
        assert_eq!(nearest(word, ["staging", "production", "qa"]), expected);
    }

    #[rstest]
    #[case("", "abc", 3)]
    #[case("abc", "", 3)]
    #[case("abcd", "abdc", 1)]
    #[case("kitten", "sitting", 3)]
    fn distance_counts_slips(#[case] a: &str, #[case] b: &str, #[case] expected: usize) {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars(a), &chars(b)), expected);
    }

    #[test]
    fn an_endless_word_resembles_nothing() {
        assert_eq!(nearest(&"a".repeat(1_000_000), ["a"]), None);
    }
}
