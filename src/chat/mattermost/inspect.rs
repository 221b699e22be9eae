//! How a Mattermost is set up, for `check`.

use super::Mattermost;
use super::wire::User;
use crate::domain::chat::{Channel, ChannelId, ChatUser};
use crate::ports::failure::{Failure, Refusal};
use crate::ports::inspect::{ChannelSeen, ChatCredential, InspectChat};
use async_trait::async_trait;
use serde::de::IgnoredAny;

#[async_trait]
impl InspectChat for Mattermost {
    async fn credential(&self) -> Result<ChatCredential, Failure> {
        let (me, answered_at): (User, _) = self.client.get_dated(&["users", "me"]).await?;
        Ok(ChatCredential { account: me.username, bot: me.is_bot, team: None, scopes: None, answered_at })
    }

    async fn channel_seen(&self, channel: &Channel) -> Result<ChannelSeen, Failure> {
        let seen = match self.look_up(channel, true).await {
            // Public channels of a team that we aren't in are refused, private ones are not there.
            Err(Failure::Refused(Refusal::NoPermission)) => return Err(Failure::NotFound),
            other => other?,
        };
        let path = ["channels", seen.id.as_str(), "members", self.me().await?];
        let member = match self.client.find::<IgnoredAny>(&path).await {
            Err(Failure::Refused(Refusal::NoPermission)) => false,
            found => found?.is_some(),
        };
        Ok(ChannelSeen {
            name: if seen.display_name.is_empty() { seen.name } else { seen.display_name },
            archived: seen.delete_at != 0,
            shared: seen.shared.unwrap_or_default(),
            id: ChannelId::new(seen.id),
            member,
        })
    }

    async fn account_named(&self, name: &str) -> Result<Option<ChatUser>, Failure> {
        let found: Option<User> = self.client.find(&["users", "username", name]).await?;
        Ok(found.map(|user| ChatUser { id: user.id, team: None }))
    }
}
