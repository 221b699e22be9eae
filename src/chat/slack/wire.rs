//! The shapes of Slack's answers. Fields that Slack may leave out are optional: what isn't told is never guessed.

use crate::domain::chat::ChannelId;
use serde::Deserialize;

/// `auth.test`: our own account.
#[derive(Deserialize)]
pub(super) struct Me {
    pub(super) user: String,
    pub(super) user_id: String,
    pub(super) bot_id: Option<String>,
    pub(super) team_id: Option<String>,
}

/// Nothing but success matters.
#[derive(Deserialize)]
pub(super) struct Done {}

/// `chat.postMessage`. The channel is told by its id, whatever was asked for.
#[derive(Deserialize)]
pub(super) struct Posted {
    pub(super) channel: ChannelId,
    pub(super) ts: String,
}

/// One page of `conversations.history` or `conversations.replies`.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) messages: Vec<MessageSeen>,
    #[serde(default)]
    response_metadata: Option<Cursor>,
}

impl Page {
    /// Where the next page begins.
    pub(super) fn next(&mut self) -> Option<String> {
        let cursor = self.response_metadata.take()?.next_cursor;
        (!cursor.is_empty()).then_some(cursor)
    }
}

#[derive(Deserialize)]
struct Cursor {
    #[serde(default)]
    next_cursor: String,
}

/// A message, as far as we look for our own.
#[derive(Deserialize)]
pub(super) struct MessageSeen {
    pub(super) ts: String,
    user: Option<String>,
    bot_id: Option<String>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    event_type: String,
    event_payload: Option<Payload>,
}

#[derive(Deserialize)]
struct Payload {
    marker: Option<String>,
}

impl MessageSeen {
    /// Whether we wrote it under this marker. Anybody may write metadata like ours.
    pub(super) fn is_ours(&self, me: &Me, event_type: &str, marker: &str) -> bool {
        let by_us =
            self.user.as_ref() == Some(&me.user_id) || (me.bot_id.is_some() && self.bot_id == me.bot_id);
        let so_marked = self.metadata.as_ref().is_some_and(|metadata| {
            let payload = metadata.event_payload.as_ref();
            metadata.event_type == event_type
                && payload.and_then(|payload| payload.marker.as_deref()) == Some(marker)
        });
        by_us && so_marked
    }
}

/// `users.info`.
#[derive(Deserialize)]
pub(super) struct UserAnswer {
    pub(super) user: UserSeen,
}

/// An account.
#[derive(Deserialize)]
pub(super) struct UserSeen {
    pub(super) id: String,
    pub(super) team_id: Option<String>,
    pub(super) deleted: Option<bool>,
    pub(super) is_bot: Option<bool>,
    pub(super) is_restricted: Option<bool>,
    pub(super) is_ultra_restricted: Option<bool>,
    /// No channel is shared with them; told of other workspaces' people alone.
    pub(super) is_stranger: Option<bool>,
    pub(super) enterprise_user: Option<EnterpriseUser>,
}

/// The same account within an organisation of several workspaces.
#[derive(Default, Deserialize)]
pub(super) struct EnterpriseUser {
    pub(super) enterprise_id: Option<String>,
    #[serde(default)]
    pub(super) teams: Vec<String>,
}

/// `conversations.info`.
#[derive(Deserialize)]
pub(super) struct ChannelAnswer {
    pub(super) channel: ChannelShape,
}

/// A channel.
#[derive(Deserialize)]
pub(super) struct ChannelShape {
    pub(super) id: ChannelId,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) is_archived: bool,
    #[serde(default)]
    pub(super) is_member: bool,
    #[serde(default)]
    pub(super) is_ext_shared: bool,
}
