//! Globs over names that are paths: project paths, environment names.
//!
//! `*` stands for any run of characters within a segment, `**` for any run at all, slashes included; both may
//! be empty. Every other character stands for itself: there are no classes, no `?` and no escapes.

use std::fmt;

/// A pattern. Matching takes at most (length of the pattern) × (length of the text) steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    pattern: String,
    folded: bool,
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Just(char),
    /// `*`
    WithinSegment,
    /// `**`
    Across,
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGlob {
    /// Nothing is in it, so that it could match nothing.
    #[error("a pattern can't be empty")]
    Empty,
    /// Three stars or more in a row.
    #[error("only `*` (within a path segment) and `**` (across segments) have a meaning, not `***`")]
    TooManyStars,
    /// More than [`LONGEST`] characters.
    #[error("a pattern can't be longer than {LONGEST} characters")]
    TooLong,
}

/// Patterns are no longer than this, in characters: no path of a forge is.
pub const LONGEST: usize = 500;

impl Glob {
    /// Reads a pattern. A text without a star matches itself alone.
    pub fn new(pattern: &str) -> Result<Self, BadGlob> {
        if pattern.is_empty() {
            return Err(BadGlob::Empty);
        }
        if pattern.contains("***") {
            return Err(BadGlob::TooManyStars);
        }
        if pattern.chars().nth(LONGEST).is_some() {
            return Err(BadGlob::TooLong);
        }
        Ok(Self { pattern: pattern.to_owned(), folded: false, pieces: pieces(pattern) })
    }

    /// The same pattern for names that are the same whatever their case.
    pub fn without_case(self) -> Self {
        let pattern = self.pattern.to_lowercase();
        Self { pieces: pieces(&pattern), folded: true, pattern }
    }

    /// Whether the whole text matches. Case counts, unless [`Glob::without_case`] said otherwise.
    pub fn matches(&self, text: &str) -> bool {
        if self.folded { self.covers(&text.to_lowercase()) } else { self.covers(text) }
    }

    fn covers(&self, text: &str) -> bool {
        // `reached[i]`: the first i pieces can stand for what was read so far.
        let mut reached = vec![false; self.pieces.len() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        self.skip_empty_runs(&mut reached);
        for next in text.chars() {
            reached = self.step(&reached, next);
            self.skip_empty_runs(&mut reached);
        }
        reached.last().copied().unwrap_or(false)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// The one text that it matches, when it has no star.
    pub fn literal(&self) -> Option<&str> {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Just(_))).then_some(self.pattern.as_str())
    }

    /// Where the pieces can stand after one more character.
    fn step(&self, reached: &[bool], next: char) -> Vec<bool> {
        let mut after = vec![false; reached.len()];
        for (index, (piece, _)) in self.pieces.iter().zip(reached).enumerate().filter(|(_, (_, r))| **r) {
            let target = match piece {
                Piece::Just(wanted) => (*wanted == next).then_some(index + 1),
                Piece::WithinSegment => (next != '/').then_some(index),
                Piece::Across => Some(index),
            };
            if let Some(place) = target.and_then(|target| after.get_mut(target)) {
                *place = true;
            }
        }
        after
    }

    /// A star may stand for nothing: what is reached before it is reached behind it.
    fn skip_empty_runs(&self, reached: &mut [bool]) {
        let mut before = false;
        for (index, place) in reached.iter_mut().enumerate() {
            let behind_star = index
                .checked_sub(1)
                .and_then(|previous| self.pieces.get(previous))
                .is_some_and(|piece| matches!(piece, Piece::WithinSegment | Piece::Across));
            *place = *place || (before && behind_star);
            before = *place;
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        pieces.push(match c {
            '*' if rest.next_if_eq(&'*').is_some() => Piece::Across,
            '*' => Piece::WithinSegment,
            other => Piece::Just(other),
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case::itself("production", "production", true)]
    #[case::nothing_else("production", "production2", false)]
    #[case::case_counts("production", "Production", false)]
    #[case::star_in_a_segment("production/*", "production/eu", true)]
    #[case::star_may_be_empty("prod*", "prod", true)]
    #[case::star_stops_at_the_slash("production/*", "production/eu/west", false)]
    #[case::star_asks_for_its_slash("production/*", "production", false)]
    #[case::stars_in_the_middle("review/*/web-*", "review/42/web-7", true)]
    #[case::star_gives_way("*a*b", "xaab", true)]
    #[case::two_stars_cross("acme/**", "acme/web/shop", true)]
    #[case::two_stars_stay_below("acme/**", "acmeshop/web", false)]
    #[case::two_stars_in_front("**/web", "acme/shop/web", true)]
    #[case::star_behind_two("**/*-eu", "a/b/c-eu", true)]
    #[case::star_behind_two_fails("**/*-eu/x", "a/b/c-eu/y", false)]
    #[case::everything("**", "a/b/c", true)]
    #[case::one_star_is_one_segment("*", "a/b", false)]
    #[case::other_signs_mean_themselves("a?[b]", "axb", false)]
    #[case::not_only_ascii("größe/*", "größe/ü", true)]
    fn a_glob_matches(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(Glob::new(pattern).unwrap().matches(text), expected);
    }

    #[rstest]
    #[case("", BadGlob::Empty)]
    #[case("a/***", BadGlob::TooManyStars)]
    #[case(&"a".repeat(LONGEST + 1), BadGlob::TooLong)]
    fn what_is_no_glob_says_why(#[case] pattern: &str, #[case] expected: BadGlob) {
        assert_eq!(Glob::new(pattern), Err(expected));
    }

    #[test]
    fn a_malicious_pattern_costs_its_length_times_the_texts() {
        let pattern = "*a".repeat(LONGEST / 2 - 1) + "b";
        assert!(!Glob::new(&pattern).unwrap().matches(&"a".repeat(2_000)));
    }

    proptest! {
        #[test]
        fn a_text_without_stars_matches_itself_alone(text in "[a-z/]{1,8}", other in "[a-z/]{1,8}") {
            prop_assert_eq!(Glob::new(&text).unwrap().matches(&other), text == other);
        }

        #[test]
        fn a_star_takes_any_run_without_slash(a in "[a-z/]{0,5}", run in "[a-z]{0,5}", b in "[a-z/]{0,5}") {
            let glob = Glob::new(&format!("{a}*{b}")).unwrap();
            let text = format!("{a}{run}{b}");
            prop_assert!(glob.matches(&text));
        }

        #[test]
        fn two_stars_take_any_run(a in "[a-z/]{0,5}", run in "[a-z/]{0,8}", b in "[a-z/]{0,5}") {
            let glob = Glob::new(&format!("{a}**{b}")).unwrap();
            let text = format!("{a}{run}{b}");
            prop_assert!(glob.matches(&text));
        }
    }
}
