//! People, organisations, teams, and what they may do where.

use std::collections::BTreeMap;

use super::state::State;
use super::{GitHub, Plan, RepositoryId, TeamId, UserId};

/// GitHub's own levels, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `read`
    Read,
    /// `triage`
    Triage,
    /// `write`
    Write,
    /// `maintain`
    Maintain,
    /// `admin`
    Admin,
}

/// A role in a repository: one of GitHub's, or an organisation's own on top of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub(super) base: Level,
    pub(super) custom: Option<String>,
}

impl Role {
    /// An organisation's own role.
    pub fn custom(name: &str, base: Level) -> Self {
        Self { base, custom: Some(name.into()) }
    }

    /// What the API calls it.
    pub(super) fn name(&self) -> &str {
        self.custom.as_deref().unwrap_or(match self.base {
            Level::Read => "read",
            Level::Triage => "triage",
            Level::Write => "write",
            Level::Maintain => "maintain",
            Level::Admin => "admin",
        })
    }
}

impl From<Level> for Role {
    fn from(base: Level) -> Self {
        Self { base, custom: None }
    }
}

/// State of a membership in a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamState {
    /// Takes part.
    Active,
    /// Invited, hasn't accepted yet.
    Pending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Bot,
    Organization,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Bot => "Bot",
            Self::Organization => "Organization",
        }
    }
}

pub(super) struct Account {
    pub(super) id: UserId,
    pub(super) login: String,
    pub(super) kind: Kind,
    pub(super) plan: Plan,
    /// An organisation's members, and whether they own it.
    pub(super) members: BTreeMap<UserId, bool>,
}

pub(super) struct Team {
    pub(super) id: TeamId,
    pub(super) org: UserId,
    pub(super) slug: String,
    pub(super) parent: Option<TeamId>,
    pub(super) members: BTreeMap<UserId, TeamState>,
    pub(super) grants: BTreeMap<RepositoryId, Role>,
}

impl GitHub {
    /// Adds a person.
    pub fn add_user(&self, login: &str) -> UserId {
        self.with(|state| state.add_account(login, Kind::User))
    }

    /// Adds a bot account, such as `dependabot[bot]`.
    pub fn add_bot(&self, login: &str) -> UserId {
        self.with(|state| state.add_account(login, Kind::Bot))
    }

    /// Adds an organisation, or finds it.
    pub fn add_org(&self, login: &str) -> UserId {
        self.with(|state| state.org_at(login))
    }

    /// Makes a person a member of an organisation; an owner administers all of its repositories.
    pub fn add_org_member(&self, org: UserId, user: UserId, owner: bool) {
        self.with(|state| {
            if let Some(org) = state.accounts.get_mut(&org) {
                org.members.insert(user, owner);
            }
        });
    }

    /// Adds a team; members of child teams are members of their parents.
    pub fn add_team(&self, org: UserId, slug: &str, parent: Option<TeamId>) -> TeamId {
        self.with(|state| {
            let id = state.ids.next("team", 4001);
            let (members, grants) = (BTreeMap::new(), BTreeMap::new());
            state.teams.insert(id, Team { id, org, slug: slug.into(), parent, members, grants });
            id
        })
    }

    /// Makes a person a member of a team, and so of its organisation.
    pub fn add_team_member(&self, team: TeamId, user: UserId, membership: TeamState) {
        self.with(|state| state.join_team(team, user, membership));
    }

    /// Ends a person's membership in a team.
    pub fn remove_team_member(&self, team: TeamId, user: UserId) {
        self.with(|state| {
            if let Some(team) = state.teams.get_mut(&team) {
                team.members.remove(&user);
            }
        });
    }

    /// Gives a team a role in a repository.
    pub fn grant_team(&self, team: TeamId, repository: RepositoryId, role: impl Into<Role>) {
        let role = role.into();
        self.with(|state| {
            if let Some(team) = state.teams.get_mut(&team) {
                team.grants.insert(repository, role);
            }
        });
    }

    /// Gives a person a role in a repository, in place of the one that they have.
    pub fn add_collaborator(&self, repository: RepositoryId, user: UserId, role: impl Into<Role>) {
        let role = role.into();
        self.with(|state| {
            if let Some(home) = state.repositories.get_mut(&repository) {
                home.collaborators.insert(user, role);
            }
        });
    }

    /// Takes a person's own role in a repository away.
    pub fn remove_collaborator(&self, repository: RepositoryId, user: UserId) {
        self.with(|state| {
            if let Some(home) = state.repositories.get_mut(&repository) {
                home.collaborators.remove(&user);
            }
        });
    }

    /// Gives an account another login; its id stays.
    pub fn rename_user(&self, user: UserId, login: &str) {
        self.with(|state| {
            if let Some(account) = state.accounts.get_mut(&user) {
                account.login = login.into();
            }
        });
    }

    /// Deletes an account: what it wrote stays, with no author.
    pub fn delete_user(&self, user: UserId) {
        self.with(|state| state.accounts.remove(&user));
    }

    /// An account's login.
    pub fn login(&self, user: UserId) -> Option<String> {
        self.with(|state| state.accounts.get(&user).map(|account| account.login.clone()))
    }
}

impl State {
    pub(super) fn add_account(&mut self, login: &str, kind: Kind) -> UserId {
        let id = self.ids.next("account", 5001);
        let (login, plan, members) = (login.to_owned(), Plan::Team, BTreeMap::new());
        self.accounts.insert(id, Account { id, login, kind, plan, members });
        id
    }

    /// The account of this login, whatever the case of its letters.
    pub(super) fn account_named(&self, login: &str) -> Option<&Account> {
        self.accounts.values().find(|known| known.login.eq_ignore_ascii_case(login))
    }

    pub(super) fn org_at(&mut self, login: &str) -> UserId {
        let known = self.account_named(login).map(|known| known.id);
        known.unwrap_or_else(|| self.add_account(login, Kind::Organization))
    }

    pub(super) fn login_of(&self, user: UserId) -> String {
        self.accounts.get(&user).map_or_else(|| "ghost".into(), |account| account.login.clone())
    }

    fn join_team(&mut self, team: TeamId, user: UserId, membership: TeamState) {
        let Some(team) = self.teams.get_mut(&team) else { return };
        team.members.insert(user, membership);
        if let Some(org) = self.accounts.get_mut(&team.org).filter(|_| membership == TeamState::Active) {
            org.members.entry(user).or_insert(false);
        }
    }

    pub(super) fn team_named(&self, org: UserId, slug: &str) -> Option<&Team> {
        self.teams.values().find(|team| team.org == org && team.slug.eq_ignore_ascii_case(slug))
    }

    /// Members of a team and of its child teams. Who is in several is active if one of them says so.
    pub(super) fn members_of(&self, team: TeamId) -> BTreeMap<UserId, TeamState> {
        let mut all = self.teams.get(&team).map(|team| team.members.clone()).unwrap_or_default();
        for child in self.teams.values().filter(|child| child.parent == Some(team)) {
            for (user, membership) in self.members_of(child.id) {
                if membership == TeamState::Active {
                    all.insert(user, membership);
                } else {
                    all.entry(user).or_insert(membership);
                }
            }
        }
        all
    }

    pub(super) fn is_in_team(&self, user: UserId, team: TeamId) -> bool {
        self.members_of(team).get(&user) == Some(&TeamState::Active)
    }

    /// The highest role that a person has by ownership, by name or by a team; what everybody may is not counted.
    pub(super) fn role_of(&self, user: UserId, repository: RepositoryId) -> Option<Role> {
        let home = self.repositories.get(&repository)?;
        let owner = self.accounts.get(&home.owner)?;
        if owner.id == user || owner.members.get(&user) == Some(&true) {
            return Some(Level::Admin.into());
        }
        let by_name = home.collaborators.get(&user);
        let teams = self.teams.values().filter(|team| self.is_in_team(user, team.id));
        let by_team = teams.filter_map(|team| team.grants.get(&repository));
        by_name.into_iter().chain(by_team).max_by_key(|role| role.base).cloned()
    }

    /// What a person may do here, counting what everybody may in a public repository.
    pub(super) fn level_of(&self, user: UserId, repository: RepositoryId) -> Option<Level> {
        let public = self.repositories.get(&repository).is_some_and(|home| !home.private);
        let everybody = public.then_some(Level::Read);
        self.role_of(user, repository).map(|role| role.base).max(everybody)
    }

    pub(super) fn may_write(&self, user: UserId, repository: RepositoryId) -> bool {
        self.level_of(user, repository) >= Some(Level::Write)
    }
}
