//! How Slack is set up, for `check`.

use super::Slack;
use super::client::read;
use super::wire::{ChannelAnswer, Me};
use crate::domain::chat::{Channel, ChatUser};
use crate::ports::failure::Failure;
use crate::ports::inspect::{ChannelSeen, ChatCredential, InspectChat};
use async_trait::async_trait;

#[async_trait]
impl InspectChat for Slack {
    async fn credential(&self) -> Result<ChatCredential, Failure> {
        let answer = self.client.ask_whole("auth.test", &[]).await?;
        let me: Me = read(&answer)?;
        let scopes = answer.header("x-oauth-scopes").map(|scopes| {
            scopes.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        });
        Ok(ChatCredential {
            account: me.user,
            bot: me.bot_id.is_some(),
            team: me.team_id,
            scopes,
            answered_at: answer.date(),
        })
    }

    async fn channel_seen(&self, channel: &Channel) -> Result<ChannelSeen, Failure> {
        let query = [("channel", channel.name.as_str())];
        let ChannelAnswer { channel } = self.client.ask("conversations.info", &query).await?;
        Ok(ChannelSeen {
            id: channel.id,
            name: channel.name,
            archived: channel.is_archived,
            member: channel.is_member,
            shared: channel.is_ext_shared,
        })
    }

    async fn account_named(&self, name: &str) -> Result<Option<ChatUser>, Failure> {
        match self.user(name).await {
            Ok(user) => Ok(Some(ChatUser { id: user.id, team: user.team_id })),
            Err(Failure::NotFound) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}
