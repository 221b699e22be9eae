//! The channels that are told.

use super::slack::{CHANNELS, PRIVATE_CHANNELS, WRITE_ANYWHERE, has};
use super::{Doctor, Kind};
use crate::domain::chat::{Channel, ChannelId};
use crate::ports::failure::{Failure, Refusal};
use crate::ports::inspect::{ChannelSeen, ChatCredential};
use std::collections::BTreeSet;

impl Doctor<'_> {
    /// Looks at each channel; the ids of those that are there.
    pub(super) async fn channels(&mut self, token: &ChatCredential) -> Vec<ChannelId> {
        let entries = self.config.policies.all().iter();
        let named = entries.flat_map(|entry| &entry.notify).filter(|channel| channel.chat == *self.name());
        let named: BTreeSet<&Channel> = named.collect();
        let mut rooms = Vec::new();
        for channel in named {
            match self.chat.channel_seen(channel).await {
                Ok(seen) => {
                    self.channel(channel, &seen, token);
                    rooms.push(seen.id);
                }
                Err(Failure::NotFound) => {
                    let text = format!(
                        "{channel}: there is no such channel, or it is private and the bot isn't in it"
                    );
                    self.report.find(text, format!("{}, or correct `notify`", self.kind.invitation(token)));
                }
                // Spoken of already.
                Err(Failure::Refused(Refusal::NoPermission)) if self.cannot_look(token) => {}
                answer @ Err(_) => {
                    self.read(&channel.to_string(), answer);
                }
            }
        }
        rooms
    }

    fn channel(&mut self, channel: &Channel, seen: &ChannelSeen, token: &ChatCredential) {
        let called = format!("{channel} ({})", seen.name);
        if seen.archived {
            let text = format!("{called} is archived: nothing can be told there");
            self.report.find(text, "bring the channel back, or name another one in `notify`");
            return;
        }
        if seen.member {
            self.report.fine(format!("{called}: the bot is in it"));
        } else if self.kind.writes_anywhere(token) {
            let text = format!(
                "{called}: the bot isn't in it, so a message whose answer was lost may be posted twice"
            );
            self.report.warn(text, self.kind.invitation(token));
        } else {
            let text = format!("{called}: the bot isn't in it, so nothing is told there");
            self.report.find(text, self.kind.invitation(token));
        }
        if seen.shared {
            let text =
                format!("{called} is shared with others: they read along, and what they say is refused");
            self.report.note(text);
        }
    }

    fn cannot_look(&self, token: &ChatCredential) -> bool {
        match self.kind {
            Kind::Slack(_) => !has(token, CHANNELS) || !has(token, PRIVATE_CHANNELS),
            Kind::Mattermost(_) => false,
        }
    }
}

impl Kind<'_> {
    /// How the bot comes into a channel.
    fn invitation(self, token: &ChatCredential) -> String {
        let bot = &token.account;
        match self {
            Self::Slack(_) => format!("type `/invite @{bot}` there"),
            Self::Mattermost(_) => {
                format!("add the bot to the team, then type `/invite @{bot}` in the channel")
            }
        }
    }

    fn writes_anywhere(self, token: &ChatCredential) -> bool {
        match self {
            Self::Slack(_) => token.scopes.is_some() && has(token, WRITE_ANYWHERE),
            Self::Mattermost(_) => false,
        }
    }
}
