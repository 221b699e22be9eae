//! Repositories and their environments.

use super::{AppId, EnvironmentId, GitHub, Refused, RepositoryId, TeamId, UserId};

/// What an account pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Free, Pro or Team: no custom rules, reviewers or timers in private repositories.
    Team,
    /// Enterprise: everything.
    Enterprise,
}

/// A required reviewer of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reviewer {
    /// A person.
    User(UserId),
    /// A team's active members.
    Team(TeamId),
}

impl GitHub {
    /// Adds a public repository, `acme/shop`; an owner that isn't there yet becomes an organisation.
    pub fn add_repository(&self, full_name: &str) -> RepositoryId {
        todo!()
    }

    /// Private or public.
    pub fn set_private(&self, repository: RepositoryId, private: bool) {
        todo!()
    }

    /// What an account pays for; [`Plan::Team`] at first.
    pub fn set_plan(&self, account: UserId, plan: Plan) {
        todo!()
    }

    /// Another full name. The old one answers 301 until somebody else takes it.
    pub fn rename_repository(&self, repository: RepositoryId, full_name: &str) {
        todo!()
    }

    /// Deletes a repository with all that is in it.
    pub fn delete_repository(&self, repository: RepositoryId) {
        todo!()
    }

    /// Makes a repository read-only, or takes that back.
    pub fn archive(&self, repository: RepositoryId, on: bool) {
        todo!()
    }

    /// Full name of a repository.
    pub fn full_name(&self, repository: RepositoryId) -> Option<String> {
        todo!()
    }

    /// Adds an environment without rules; its name may hold `/` and spaces. Letters' case doesn't tell names apart.
    pub fn add_environment(&self, repository: RepositoryId, name: &str) -> EnvironmentId {
        todo!()
    }

    /// Deletes an environment; jobs that wait for it fail.
    pub fn delete_environment(&self, repository: RepositoryId, name: &str) {
        todo!()
    }

    /// Enables an App's custom deployment protection rule: six at most, the App installed, and no private
    /// repository without [`Plan::Enterprise`].
    pub fn enable_rule(&self, repository: RepositoryId, environment: &str, app: AppId) -> Result<(), Refused> {
        todo!()
    }

    /// Disables an App's rule. Jobs that wait already go on waiting (Assumed).
    pub fn disable_rule(&self, repository: RepositoryId, environment: &str, app: AppId) {
        todo!()
    }

    /// Required reviewers, of whom one is enough; none when empty.
    pub fn set_required_reviewers(&self, repository: RepositoryId, environment: &str, reviewers: &[Reviewer]) {
        todo!()
    }

    /// Whether who triggered a run may not review it.
    pub fn set_prevent_self_review(&self, repository: RepositoryId, environment: &str, on: bool) {
        todo!()
    }

    /// Minutes that jobs wait; [`GitHub::end_wait_timers`] looks at the clock.
    pub fn set_wait_timer(&self, repository: RepositoryId, environment: &str, minutes: u32) {
        todo!()
    }

    /// Whether administrators may start waiting jobs past all rules; they may, at first.
    pub fn set_can_admins_bypass(&self, repository: RepositoryId, environment: &str, on: bool) {
        todo!()
    }
}
