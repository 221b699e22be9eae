//! What the webhooks of all forges have in common: how a header is read, and how a comment is heard.

use crate::domain::event::{Event, Heard};
use crate::domain::id::UserId;
use crate::ports::inbound::Rejected;
use sha2::{Digest as _, Sha256};

/// A longer delivery id is not taken for one.
const LONGEST_ID: usize = 128;

/// What a delivery comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A reason to look.
    Happened(Event),
    /// None of our business; says why.
    Nothing(&'static str),
}

/// A header's value, if it is text.
pub(super) fn text(value: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(value?).ok()
}

/// Nothing shows that the delivery came from whom it should.
pub(super) fn refused(why: &'static str) -> Rejected {
    Rejected::Unauthenticated(why)
}

/// Whether a text can be the id of a delivery: printable, without blanks, of a bounded length.
pub(super) fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a hook tells of a new comment's text.
pub(super) fn heard(text: &str, author: i64) -> Heard {
    Heard::Hook { digest: hex::encode(Sha256::digest(text.as_bytes())), author: UserId(author) }
}

/// Whether some line of a comment could begin with a command. Cheap, and never stricter than the parser:
/// in front of a mention, slash or exclamation mark anything may stand that is neither letter nor digit
/// (blanks, list markers, emphasis), and behind a tag or task box everything is left to the parser.
pub(super) fn may_be_addressed(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        let unnumbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let line = if unnumbered.starts_with(['.', ')']) { unnumbered } else { line };
        line.chars().take_while(|c| !c.is_alphanumeric()).any(|c| matches!(c, '@' | '/' | '!' | '<' | '['))
    })
}

/// A commit has one name: a branch's or a shortened one would make a second conversation of the same comments.
pub(super) fn is_full_sha(name: &str) -> bool {
    matches!(name.len(), 40 | 64) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
