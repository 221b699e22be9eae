//! People and bots, as a forge knows them.

use super::id::UserId;
use serde::{Deserialize, Serialize};

/// An account on a forge, as read from its API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Account {
    /// The number accounts are compared by.
    pub id: UserId,
    /// Login name; may change, may be taken over by another account.
    pub username: String,
    /// A bot, service account or token user: such an account never votes.
    pub bot: bool,
}

/// A fact that may not have been readable. Unknown is never taken for the answer that approves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known<T> {
    /// The forge said so.
    Fact(T),
    /// It could not be read; the sentence says why.
    Unknown(String),
}

impl<T> Known<T> {
    /// The fact, if there is one.
    pub fn fact(&self) -> Option<&T> {
        match self {
            Self::Fact(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}
