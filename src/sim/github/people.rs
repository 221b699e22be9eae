//! People, organisations, teams, and what they may do where.

use super::{GitHub, RepositoryId, TeamId, UserId};

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

impl GitHub {
    /// Adds a person.
    pub fn add_user(&self, login: &str) -> UserId {
        todo!()
    }

    /// Adds a bot account, such as `dependabot[bot]`.
    pub fn add_bot(&self, login: &str) -> UserId {
        todo!()
    }

    /// Adds an organisation, or finds it.
    pub fn add_org(&self, login: &str) -> UserId {
        todo!()
    }

    /// Makes a person a member of an organisation; an owner administers all of its repositories.
    pub fn add_org_member(&self, org: UserId, user: UserId, owner: bool) {
        todo!()
    }

    /// Adds a team; members of child teams are members of their parents.
    pub fn add_team(&self, org: UserId, slug: &str, parent: Option<TeamId>) -> TeamId {
        todo!()
    }

    /// Makes a person a member of a team, and so of its organisation.
    pub fn add_team_member(&self, team: TeamId, user: UserId, state: TeamState) {
        todo!()
    }

    /// Ends a person's membership in a team.
    pub fn remove_team_member(&self, team: TeamId, user: UserId) {
        todo!()
    }

    /// Gives a team a role in a repository.
    pub fn grant_team(&self, team: TeamId, repository: RepositoryId, role: impl Into<Role>) {
        todo!()
    }

    /// Gives a person a role in a repository, in place of the one that they have.
    pub fn add_collaborator(&self, repository: RepositoryId, user: UserId, role: impl Into<Role>) {
        todo!()
    }

    /// Takes a person's own role in a repository away.
    pub fn remove_collaborator(&self, repository: RepositoryId, user: UserId) {
        todo!()
    }

    /// Gives an account another login; its id stays.
    pub fn rename_user(&self, user: UserId, login: &str) {
        todo!()
    }

    /// Deletes an account: what it wrote stays, with no author.
    pub fn delete_user(&self, user: UserId) {
        todo!()
    }

    /// An account's login.
    pub fn login(&self, user: UserId) -> Option<String> {
        todo!()
    }
}
