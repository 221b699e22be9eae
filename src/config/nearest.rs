//! "Did you mean": the known word that a misspelt one resembles.

/// Longer words, in characters, resemble nothing: it bounds the work.
const LONGEST: usize = 60;

/// The candidate nearest to the word, if no more than a third of it would have to change.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.chars().count() > LONGEST {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| distance * 3 <= candidate.len().max(word.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be put in, left out or changed (Levenshtein), case aside.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (start, in_a) in (1..).zip(a.to_lowercase().chars()) {
        let mut left = start;
        let mut next = vec![left];
        for (in_b, above) in b.iter().zip(row.windows(2)) {
            let [diagonal, above] = *above else { continue };
            left = (diagonal + usize::from(in_a != *in_b)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}
