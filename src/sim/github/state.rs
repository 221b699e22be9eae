//! What the twin remembers: plain data, and the few words that it is made of.

use serde_json::Value;

/// What GitHub answers when it doesn't do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {body}")]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// The JSON body of the answer.
    pub body: Value,
}

pub(super) struct State;
