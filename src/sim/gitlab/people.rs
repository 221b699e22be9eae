//! Set-up of people: users, groups, memberships, tokens.

use jiff::Timestamp;

use super::state::{Group, State, Token, User};
use super::{GitLab, GroupId, Level, Membership, ProjectId, UserId};

/// Whether an account may do anything at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// May.
    Active,
    /// Blocked by an administrator: no rights, and its tokens are refused.
    Blocked,
}

/// An access token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// `api`, `read_api`, `sudo`, …
    pub scopes: Vec<String>,
    /// From then on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Calls per minute until 429; unlimited when absent.
    pub per_minute: Option<u32>,
}

impl NewToken {
    /// One without end or limit.
    pub fn new(scopes: &[&str]) -> Self {
        Self { scopes: scopes.iter().map(ToString::to_string).collect(), expires_at: None, per_minute: None }
    }
}

impl GitLab {
    /// Adds a person.
    pub fn add_user(&self, username: &str, name: &str) -> UserId {
        self.with(|state| state.add_user(username, name))
    }

    /// Adds an instance administrator.
    pub fn add_admin(&self, username: &str, name: &str) -> UserId {
        let user = self.add_user(username, name);
        self.with(|state| state.edit_user(user, |user| user.admin = true));
        user
    }

    /// Adds a bot account, as project and group access tokens have.
    pub fn add_bot(&self, username: &str, name: &str) -> UserId {
        let user = self.add_user(username, name);
        self.with(|state| state.edit_user(user, |user| user.bot = true));
        user
    }

    /// Blocks or unblocks an account.
    pub fn set_user_state(&self, user: UserId, to: UserState) {
        self.with(|state| state.edit_user(user, |user| user.state = to));
    }

    /// Gives an account another user name; its id stays.
    pub fn rename_user(&self, user: UserId, username: &str) {
        self.with(|state| state.edit_user(user, |user| user.username = username.into()));
    }

    /// Adds a group under its parent; `path` is its own last segment.
    pub fn add_group(&self, path: &str, parent: Option<GroupId>) -> GroupId {
        self.with(|state| {
            let above = parent.and_then(|parent| state.groups.get(&parent)).map(|group| group.path.clone());
            state.group_at(&above.map_or_else(|| path.into(), |above| format!("{above}/{path}")))
        })
    }

    /// Makes a person a member of a group.
    pub fn add_group_member(&self, group: GroupId, user: UserId, level: Level) {
        self.set_group_member(group, Membership::new(user, level));
    }

    /// Sets a person's membership in a group, with its state and end.
    pub fn set_group_member(&self, group: GroupId, member: Membership) {
        self.with(|state| {
            if let Some(group) = state.groups.get_mut(&group) {
                put(&mut group.members, member);
            }
        });
    }

    /// Ends a person's direct membership in a group.
    pub fn remove_group_member(&self, group: GroupId, user: UserId) {
        self.with(|state| {
            if let Some(group) = state.groups.get_mut(&group) {
                group.members.retain(|member| member.user != user);
            }
        });
    }

    /// Makes a person a direct member of a project.
    pub fn add_member(&self, project: ProjectId, user: UserId, level: Level) {
        self.set_member(project, Membership::new(user, level));
    }

    /// Sets a person's direct membership in a project, with its state and end.
    pub fn set_member(&self, project: ProjectId, member: Membership) {
        self.with(|state| {
            if let Some(project) = state.projects.get_mut(&project) {
                put(&mut project.members, member);
            }
        });
    }

    /// Ends a person's direct membership in a project.
    pub fn remove_member(&self, project: ProjectId, user: UserId) {
        self.with(|state| {
            if let Some(project) = state.projects.get_mut(&project) {
                project.members.retain(|member| member.user != user);
            }
        });
    }

    /// Invites a group to a project; its members get at most this level.
    pub fn share_with_group(&self, project: ProjectId, group: GroupId, most: Level) {
        self.with(|state| {
            if let Some(project) = state.projects.get_mut(&project) {
                project.shares.push((group, most));
            }
        });
    }

    /// Makes an access token with these scopes and returns it (`glpat-…`).
    pub fn add_token(&self, user: UserId, scopes: &[&str]) -> String {
        self.add_token_with(user, NewToken::new(scopes))
    }

    /// Makes an access token with an end or a limit.
    pub fn add_token_with(&self, user: UserId, new: NewToken) -> String {
        self.with(|state| {
            let value = format!("glpat-{}", state.ids.hex(20));
            let NewToken { scopes, expires_at, per_minute } = new;
            let (id, window) = (state.ids.next("token", 1), (state.time(), 0));
            state.tokens.push(Token {
                id,
                value: value.clone(),
                user,
                scopes,
                expires_at,
                per_minute,
                window,
            });
            value
        })
    }

    /// Revokes a token: from now on it is refused.
    pub fn revoke_token(&self, token: &str) {
        self.with(|state| state.tokens.retain(|known| known.value != token));
    }

    /// Sets a token's calls per minute; none means unlimited.
    pub fn limit_token(&self, token: &str, per_minute: Option<u32>) {
        self.with(|state| {
            for known in state.tokens.iter_mut().filter(|known| known.value == token) {
                known.per_minute = per_minute;
            }
        });
    }
}

impl State {
    fn add_user(&mut self, username: &str, name: &str) -> UserId {
        let id = self.ids.next("user", 11);
        let user = User {
            id,
            username: username.into(),
            name: name.into(),
            admin: false,
            bot: false,
            state: UserState::Active,
        };
        self.users.insert(id, user);
        id
    }

    fn edit_user(&mut self, user: UserId, edit: impl FnOnce(&mut User)) {
        if let Some(user) = self.users.get_mut(&user) {
            edit(user);
        }
    }

    /// The group at this full path; made, parents too, when there is none.
    pub(super) fn group_at(&mut self, path: &str) -> GroupId {
        if let Some(group) = self.groups.values().find(|group| group.path == path) {
            return group.id;
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.group_at(parent);
        }
        let id = self.ids.next("group", 131);
        self.groups.insert(id, Group { id, path: path.into(), members: Vec::new(), protected: Vec::new() });
        id
    }
}

fn put(members: &mut Vec<Membership>, member: Membership) {
    members.retain(|known| known.user != member.user);
    members.push(member);
}
