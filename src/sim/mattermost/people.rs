//! Teams, people, channels.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::state::{Refused, State};
use super::{ChannelId, Mattermost, TeamId, UserId};

pub(super) struct User {
    pub(super) id: UserId,
    pub(super) name: String,
    pub(super) bot: bool,
    pub(super) admin: bool,
    pub(super) guest: bool,
    /// The other server that the account belongs to, where channels are shared.
    pub(super) remote: Option<String>,
    pub(super) deleted_at: Option<Timestamp>,
}

pub(super) struct Channel {
    pub(super) id: ChannelId,
    pub(super) team: TeamId,
    pub(super) name: String,
    pub(super) private: bool,
    /// Between two people, in no team.
    pub(super) direct: bool,
    /// With another server.
    pub(super) shared: bool,
    pub(super) archived_at: Option<Timestamp>,
    pub(super) members: BTreeSet<UserId>,
}

impl User {
    pub(super) fn new(id: &str, name: &str, bot: bool) -> Self {
        let (id, name) = (id.to_owned(), name.to_owned());
        Self { id, name, bot, admin: false, guest: false, remote: None, deleted_at: None }
    }
}

impl Channel {
    fn new(id: ChannelId, place: (TeamId, String), private: bool, members: BTreeSet<UserId>) -> Self {
        let (team, name) = place;
        Self { id, team, name, private, direct: false, shared: false, archived_at: None, members }
    }
}

impl Mattermost {
    /// The bot's account.
    pub fn bot_user(&self) -> UserId {
        self.with(|state| state.bot.clone())
    }

    /// The bot's token, until it is revoked.
    pub fn bot_token(&self) -> String {
        let bot = self.bot_user();
        let find = |state: &mut State| {
            state.tokens.iter().find(|(_, user)| **user == bot).map(|(token, _)| token.clone())
        };
        self.with(find).unwrap_or_default()
    }

    /// Revokes every token of a person or bot.
    pub fn revoke_tokens(&self, user: &str) {
        self.with(|state| state.tokens.retain(|_, owner| owner != user));
    }

    /// Adds a team, of which everybody is a member.
    pub fn add_team(&self, name: &str) -> TeamId {
        self.with(|state| {
            let id = state.ids.hex(26);
            state.teams.insert(id.clone(), name.to_owned());
            id
        })
    }

    /// Adds a person by their user name.
    pub fn add_user(&self, name: &str) -> UserId {
        self.with(|state| state.add_user(name, false))
    }

    /// Adds somebody else's bot.
    pub fn add_bot(&self, name: &str) -> UserId {
        self.with(|state| state.add_user(name, true))
    }

    /// Makes a person or bot a system administrator.
    pub fn make_admin(&self, user: &str) {
        self.with(|state| {
            if let Some(user) = state.users.get_mut(user) {
                user.admin = true;
            }
        });
    }

    /// Makes a person a guest.
    pub fn make_guest(&self, user: &str) {
        self.with(|state| {
            if let Some(user) = state.users.get_mut(user) {
                user.guest = true;
            }
        });
    }

    /// Adds a person of another server, who is known here because a channel is shared with that.
    pub fn add_remote_user(&self, name: &str) -> UserId {
        self.with(|state| {
            let id = state.add_user(name, false);
            let remote = state.ids.hex(26);
            if let Some(user) = state.users.get_mut(&id) {
                user.remote = Some(remote);
            }
            id
        })
    }

    /// Shares a channel with another server.
    pub fn share(&self, channel: &str) {
        self.with(|state| {
            if let Some(channel) = state.channels.get_mut(channel) {
                channel.shared = true;
            }
        });
    }

    /// Deactivates an account: it can still be read, with `delete_at`.
    pub fn deactivate(&self, user: &str) {
        self.with(|state| {
            let now = state.time();
            if let Some(user) = state.users.get_mut(user) {
                user.deleted_at = Some(now);
            }
        });
    }

    /// Adds a public channel with these people and the bot.
    pub fn add_channel(&self, team: &str, name: &str, members: &[&str]) -> ChannelId {
        self.with(|state| state.add_channel((team, name), members, false))
    }

    /// Adds a private channel with these people and the bot.
    pub fn add_private_channel(&self, team: &str, name: &str, members: &[&str]) -> ChannelId {
        self.with(|state| state.add_channel((team, name), members, true))
    }

    /// The channel between two accounts, which everybody has with everybody.
    pub fn direct_channel(&self, one: &str, other: &str) -> ChannelId {
        self.with(|state| state.direct_channel([one, other]))
    }

    /// Lets a person, or the bot, into a channel.
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
            let now = state.time();
            if let Some(channel) = state.channels.get_mut(channel) {
                channel.archived_at = Some(now);
            }
        });
    }
}

impl State {
    fn add_user(&mut self, name: &str, bot: bool) -> UserId {
        let id = self.ids.hex(26);
        let user = User::new(&id, name, bot);
        self.users.insert(id.clone(), user);
        id
    }

    fn add_channel(&mut self, place: (&str, &str), members: &[&str], private: bool) -> ChannelId {
        let (team, name) = place;
        let id = self.ids.hex(26);
        let mut members: BTreeSet<UserId> = members.iter().map(|user| (*user).to_owned()).collect();
        members.insert(self.bot.clone());
        let (team, name) = (team.to_owned(), name.to_owned());
        let channel = Channel::new(id.clone(), (team, name), private, members);
        self.channels.insert(id.clone(), channel);
        id
    }

    /// The channel between two accounts, which is made when it is first asked for.
    pub(super) fn direct_channel(&mut self, both: [&str; 2]) -> ChannelId {
        let members: BTreeSet<UserId> = both.map(str::to_owned).into();
        let known = self.channels.values().find(|known| known.direct && known.members == members);
        if let Some(known) = known {
            return known.id.clone();
        }
        let id = self.ids.hex(26);
        let name = members.iter().cloned().collect::<Vec<_>>().join("__");
        let mut channel = Channel::new(id.clone(), (TeamId::new(), name), true, members);
        channel.direct = true;
        self.channels.insert(id.clone(), channel);
        id
    }

    /// This person, if they can log in. Bots can't.
    pub(super) fn person(&self, user: &str) -> Result<&User, Refused> {
        let known = self.users.get(user).filter(|user| user.deleted_at.is_none() && !user.bot);
        known.ok_or(Refused::NoPerson)
    }

    /// This channel, if this account is in it and can still write there.
    pub(super) fn writable(&self, user: &str, channel: &str) -> Result<&Channel, Refused> {
        let known = self.channels.get(channel).filter(|known| known.archived_at.is_none());
        known.filter(|known| known.members.contains(user)).ok_or(Refused::NoChannel)
    }

    /// Whether this account may read a channel: as a member, or because it is public.
    pub(super) fn may_read(&self, user: &str, channel: &str) -> bool {
        let admin = self.users.get(user).is_some_and(|user| user.admin);
        let known = self.channels.get(channel);
        known.is_some_and(|known| admin || !known.private || known.members.contains(user))
    }

    pub(super) fn name_of(&self, user: &str) -> String {
        self.users.get(user).map(|user| user.name.clone()).unwrap_or_default()
    }
}
