//! The shapes of Mattermost's answers, as far as they are read. Times are milliseconds, 0 for never.

use crate::domain::chat::NoVoice;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A user, or a bot.
#[derive(Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) username: String,
    #[serde(default)]
    pub(super) delete_at: i64,
    #[serde(default)]
    pub(super) is_bot: bool,
    /// Names of roles, divided by blanks.
    #[serde(default)]
    pub(super) roles: String,
    /// The other server that the account belongs to, where channels are shared.
    #[serde(default)]
    pub(super) remote_id: Option<String>,
}

impl User {
    /// Why the account has no say on the whole server.
    pub(super) fn no_voice(&self) -> Option<NoVoice> {
        if self.delete_at != 0 {
            Some(NoVoice::Deactivated)
        } else if self.is_bot {
            Some(NoVoice::Bot)
        } else if self.remote_id.as_ref().is_some_and(|remote| !remote.is_empty()) {
            Some(NoVoice::Foreigner)
        } else if self.roles.split_whitespace().any(|role| role == "system_guest") {
            Some(NoVoice::Guest)
        } else {
            None
        }
    }
}

/// A channel.
#[derive(Deserialize)]
pub(super) struct ChannelShape {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) display_name: String,
    #[serde(default)]
    pub(super) delete_at: i64,
    #[serde(default)]
    pub(super) shared: Option<bool>,
}

/// A post.
#[derive(Deserialize)]
pub(super) struct Post {
    pub(super) id: String,
    #[serde(default)]
    pub(super) user_id: String,
    #[serde(default)]
    pub(super) create_at: i64,
    #[serde(default)]
    pub(super) delete_at: i64,
    #[serde(default)]
    pub(super) props: Value,
}

/// Posts of a channel or a thread.
#[derive(Deserialize)]
pub(super) struct PostList {
    /// Ids of the posts that were asked for; `posts` may hold others beside them.
    #[serde(default)]
    pub(super) order: Vec<String>,
    #[serde(default)]
    pub(super) posts: BTreeMap<String, Post>,
}

/// What an error says of itself.
#[derive(Default, Deserialize)]
pub(super) struct Said {
    /// Stable; tells one error from another.
    #[serde(default)]
    pub(super) id: String,
    /// In the words of some language.
    #[serde(default)]
    pub(super) message: String,
}
