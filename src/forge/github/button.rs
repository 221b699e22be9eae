//! Buttons of ours: check runs with actions. What a check run stands for is written into its `external_id`, and
//! comes back with every press.

use super::decimal::{natural, positive};
use crate::domain::ledger::Word;
use std::fmt;

/// Identifier of the action that approves (GitHub takes at most 20 characters).
pub(super) const APPROVE: &str = "approve";
/// Identifier of the action that rejects.
pub(super) const REJECT: &str = "reject";

/// What the buttons of a check run are about. As text `d{number}.{version}.{pull_request}`: `d4711.3.7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Button {
    /// The number of the deployment, at least 1.
    pub(super) number: i64,
    /// The version of the deployment that they show, at least 0.
    pub(super) version: i64,
    /// The pull request that they were made for, at least 1.
    pub(super) pull_request: i64,
}

impl Button {
    /// Reads an `external_id`; `None` if it isn't one of ours to the letter.
    pub(super) fn parse(external_id: &str) -> Option<Self> {
        let mut parts = external_id.strip_prefix('d')?.split('.');
        let button = Self {
            number: positive(parts.next()?)?,
            version: natural(parts.next()?)?,
            pull_request: positive(parts.next()?)?,
        };
        parts.next().is_none().then_some(button)
    }
}

impl fmt::Display for Button {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "d{}.{}.{}", self.number, self.version, self.pull_request)
    }
}

/// What a pressed action says.
pub(super) fn word(identifier: &str) -> Option<Word> {
    match identifier {
        APPROVE => Some(Word::Approved),
        REJECT => Some(Word::Rejected),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Button { number: 4711, version: 3, pull_request: 7 }, "d4711.3.7")]
    #[case(Button { number: 1, version: 0, pull_request: 1 }, "d1.0.1")]
    #[case(Button { number: i64::MAX, version: i64::MAX, pull_request: i64::MAX },
        "d9223372036854775807.9223372036854775807.9223372036854775807")]
    fn what_was_written_is_read_back(#[case] button: Button, #[case] text: &str) {
        assert_eq!(button.to_string(), text);
        assert_eq!(Button::parse(text), Some(button));
    }

    #[rstest]
    #[case("")]
    #[case("d")]
    #[case("4711.3.7")]
    #[case("D4711.3.7")]
    #[case("d4711")]
    #[case("d4711.3")]
    #[case("d4711.3.7.")]
    #[case("d4711.3.7.1")]
    #[case("d4711.3.7 ")]
    #[case("d4711.3.")]
    #[case("d0.3.7")]
    #[case("d4711.3.0")]
    #[case("d4711.-1.7")]
    #[case("d04711.3.7")]
    #[case("d9223372036854775808.3.7")]
    #[case("dd4711.3.7")]
    fn what_others_wrote_is_not_ours(#[case] text: &str) {
        assert_eq!(Button::parse(text), None);
    }

    #[test]
    fn an_action_says_one_of_two_words() {
        let said = ["approve", "reject", "Approve", "revoke", ""].map(word);
        assert_eq!(said, [Some(Word::Approved), Some(Word::Rejected), None, None, None]);
    }
}
