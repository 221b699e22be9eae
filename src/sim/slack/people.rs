//! Workspaces, people, channels.

use std::collections::BTreeSet;

use super::state::{Refused, State};
use super::{ChannelId, Slack, TeamId, UserId};

/// A person to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    name: String,
    team: Option<TeamId>,
    guest: Guest,
    bot: bool,
}

impl NewUser {
    /// A full member of the app's workspace.
    pub fn member(name: &str) -> Self {
        Self { name: name.into(), team: None, guest: Guest::No, bot: false }
    }

    /// A guest of several channels: `is_restricted`.
    pub fn guest(name: &str) -> Self {
        Self { guest: Guest::OfSeveralChannels, ..Self::member(name) }
    }

    /// A guest of one channel: `is_restricted` and `is_ultra_restricted`.
    pub fn single_channel_guest(name: &str) -> Self {
        Self { guest: Guest::OfOneChannel, ..Self::member(name) }
    }

    /// Somebody else's bot.
    pub fn bot(name: &str) -> Self {
        Self { bot: true, ..Self::member(name) }
    }

    /// A member of another workspace, met in shared channels (Slack Connect).
    pub fn of_team(name: &str, team: &str) -> Self {
        Self { team: Some(team.into()), ..Self::member(name) }
    }
}

/// Whether somebody is a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guest {
    No,
    OfSeveralChannels,
    OfOneChannel,
}

pub(super) struct User {
    pub(super) id: UserId,
    pub(super) name: String,
    pub(super) team: TeamId,
    pub(super) guest: Guest,
    pub(super) bot: bool,
    pub(super) deleted: bool,
}

impl User {
    pub(super) fn bot(id: &str, name: &str, team: &str) -> Self {
        let (id, name, team) = (id.to_owned(), name.to_owned(), team.to_owned());
        Self { id, name, team, guest: Guest::No, bot: true, deleted: false }
    }
}

pub(super) struct Channel {
    pub(super) id: ChannelId,
    pub(super) name: String,
    pub(super) private: bool,
    pub(super) archived: bool,
    pub(super) members: BTreeSet<UserId>,
}

impl Slack {
    /// The workspace that the app is installed in.
    pub fn team(&self) -> TeamId {
        self.with(|state| state.home.clone())
    }

    /// Adds another workspace, whose people can be met in shared channels.
    pub fn add_team(&self, domain: &str) -> TeamId {
        self.with(|state| {
            let id = state.next_id('T', "team", 102);
            state.teams.insert(id.clone(), domain.to_owned());
            id
        })
    }

    /// Adds a person.
    pub fn add_user(&self, new: NewUser) -> UserId {
        self.with(|state| {
            let id = state.next_id('U', "user", 301);
            let NewUser { name, team, guest, bot } = new;
            let team = team.unwrap_or_else(|| state.home.clone());
            let user = User { id: id.clone(), name, team, guest, bot, deleted: false };
            state.users.insert(id.clone(), user);
            id
        })
    }

    /// Deactivates an account.
    pub fn deactivate(&self, user: &str) {
        self.with(|state| {
            if let Some(user) = state.users.get_mut(user) {
                user.deleted = true;
            }
        });
    }

    /// Adds a public channel with these people and the bot. It is shared with every workspace that they are of.
    pub fn add_channel(&self, name: &str, members: &[&str]) -> ChannelId {
        self.with(|state| state.add_channel(name, members, false))
    }

    /// Adds a private channel with these people and the bot.
    pub fn add_private_channel(&self, name: &str, members: &[&str]) -> ChannelId {
        self.with(|state| state.add_channel(name, members, true))
    }

    /// Lets a person, or the bot ([`Slack::bot_user`]), into a channel.
    pub fn invite(&self, channel: &str, user: &str) {
        self.with(|state| {
            if let Some(channel) = state.channels.get_mut(channel) {
                channel.members.insert(user.to_owned());
            }
        });
    }

    /// Takes a person, or the bot, out of a channel.
    pub fn kick(&self, channel: &str, user: &str) {
        self.with(|state| {
            if let Some(channel) = state.channels.get_mut(channel) {
                channel.members.remove(user);
            }
        });
    }

    /// Archives a channel.
    pub fn archive(&self, channel: &str) {
        self.with(|state| {
            if let Some(channel) = state.channels.get_mut(channel) {
                channel.archived = true;
            }
        });
    }
}

impl State {
    fn add_channel(&mut self, name: &str, members: &[&str], private: bool) -> ChannelId {
        let id = self.next_id('C', "channel", 501);
        let mut members: BTreeSet<UserId> = members.iter().map(|user| (*user).to_owned()).collect();
        members.insert(self.app.bot_user.clone());
        let channel = Channel { id: id.clone(), name: name.to_owned(), private, archived: false, members };
        self.channels.insert(id.clone(), channel);
        id
    }

    /// This person, if they can log in.
    pub(super) fn person(&self, user: &str) -> Result<&User, Refused> {
        self.users.get(user).filter(|user| !user.deleted && !user.bot).ok_or(Refused::NoPerson)
    }

    /// This channel, if the person is in it and can still speak there.
    pub(super) fn open_channel(&self, user: &str, channel: &str) -> Result<&Channel, Refused> {
        let known = self.channels.get(channel).filter(|known| !known.archived);
        known.filter(|known| known.members.contains(user)).ok_or(Refused::NoChannel)
    }

    pub(super) fn name_of(&self, user: &str) -> String {
        self.users.get(user).map_or_else(|| user.to_owned(), |user| user.name.clone())
    }

    pub(super) fn domain_of(&self, team: &str) -> String {
        self.teams.get(team).cloned().unwrap_or_default()
    }

    pub(super) fn bot_is_in(&self, channel: &str) -> bool {
        self.members(channel).contains(&self.app.bot_user)
    }
}
