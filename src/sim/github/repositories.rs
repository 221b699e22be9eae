//! Repositories and their environments.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::people::Role;
use super::state::State;
use super::{AppId, EnvironmentId, GitHub, Refused, RepositoryId, TeamId, UserId};
use crate::sim::history::History;

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

/// An App's custom rule, enabled in an environment.
pub(super) struct Rule {
    pub(super) id: u64,
    pub(super) app: AppId,
}

pub(super) struct Environment {
    pub(super) id: EnvironmentId,
    pub(super) name: String,
    pub(super) rules: Vec<Rule>,
    pub(super) reviewers: Vec<Reviewer>,
    pub(super) prevent_self_review: bool,
    pub(super) wait_timer: u32,
    pub(super) can_admins_bypass: bool,
    pub(super) created_at: Timestamp,
}

pub(super) struct Commit {
    pub(super) author: UserId,
    pub(super) message: String,
}

pub(super) struct Repository {
    pub(super) id: RepositoryId,
    pub(super) owner: UserId,
    pub(super) name: String,
    pub(super) private: bool,
    pub(super) archived: bool,
    pub(super) collaborators: BTreeMap<UserId, Role>,
    pub(super) environments: Vec<Environment>,
    pub(super) commits: BTreeMap<String, Commit>,
    pub(super) history: History,
    pub(super) last_number: u64,
    pub(super) last_run: u64,
    pub(super) created_at: Timestamp,
    pub(super) pushed_at: Timestamp,
}

impl Repository {
    pub(super) fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.iter().find(|known| known.name.eq_ignore_ascii_case(name))
    }
}

impl GitHub {
    /// Adds a public repository, `acme/shop`; an owner that isn't there yet becomes an organisation.
    pub fn add_repository(&self, full_name: &str) -> RepositoryId {
        self.with(|state| state.add_repository(full_name))
    }

    /// Private or public.
    pub fn set_private(&self, repository: RepositoryId, private: bool) {
        self.with(|state| state.edit_repository(repository, |home| home.private = private));
    }

    /// What an account pays for; [`Plan::Team`] at first.
    pub fn set_plan(&self, account: UserId, plan: Plan) {
        self.with(|state| {
            if let Some(account) = state.accounts.get_mut(&account) {
                account.plan = plan;
            }
        });
    }

    /// Another full name. The old one answers 301 until somebody else takes it.
    pub fn rename_repository(&self, repository: RepositoryId, full_name: &str) {
        self.with(|state| state.rename_repository(repository, full_name));
    }

    /// Deletes a repository with all that is in it.
    pub fn delete_repository(&self, repository: RepositoryId) {
        self.with(|state| state.delete_repository(repository));
    }

    /// Makes a repository read-only, or takes that back.
    pub fn archive(&self, repository: RepositoryId, on: bool) {
        self.with(|state| state.edit_repository(repository, |home| home.archived = on));
    }

    /// Adds a commit with a message of its own. Others come to be when a run or pull request names them.
    pub fn add_commit(&self, repository: RepositoryId, sha: &str, message: &str, author: UserId) {
        self.with(|state| {
            state.know_commit(repository, sha, author);
            let commit = Commit { author, message: message.into() };
            state.edit_repository(repository, |home| drop(home.commits.insert(sha.into(), commit)));
        });
    }

    /// Says what a commit stands on that isn't known yet: another one, or nothing. Without this each new commit
    /// stands on the one before.
    pub fn place_commit(&self, repository: RepositoryId, sha: &str, parent: Option<&str>) {
        self.with(|state| state.place_commit(repository, sha, parent));
    }

    /// A commit that was rewritten away and is no longer kept.
    pub fn forget_commit(&self, repository: RepositoryId, sha: &str) {
        self.with(|state| {
            state.edit_repository(repository, |home| {
                home.commits.remove(sha);
                home.history.forget(sha);
            });
        });
    }

    /// Full name of a repository.
    pub fn full_name(&self, repository: RepositoryId) -> Option<String> {
        self.with(|state| state.full_name(repository))
    }

    /// Adds an environment without rules; its name may hold `/` and spaces. Letters' case doesn't tell names apart.
    pub fn add_environment(&self, repository: RepositoryId, name: &str) -> EnvironmentId {
        self.with(|state| state.environment_at(repository, name))
    }

    /// Deletes an environment; jobs that wait for it fail.
    pub fn delete_environment(&self, repository: RepositoryId, name: &str) {
        self.with(|state| state.delete_environment(repository, name));
    }

    /// Enables an App's custom deployment protection rule: six at most, the App installed, and no private
    /// repository without [`Plan::Enterprise`].
    pub fn enable_rule(
        &self,
        repository: RepositoryId,
        environment: &str,
        app: AppId,
    ) -> Result<(), Refused> {
        self.with(|state| state.enable_rule(repository, environment, app))
    }

    /// Disables an App's rule. Jobs that wait already go on waiting (Assumed).
    pub fn disable_rule(&self, repository: RepositoryId, environment: &str, app: AppId) {
        self.with(|state| {
            state.edit_environment(repository, environment, |known| {
                known.rules.retain(|rule| rule.app != app);
            });
        });
    }

    /// Required reviewers, of whom one is enough; none when empty.
    pub fn set_required_reviewers(
        &self,
        repository: RepositoryId,
        environment: &str,
        reviewers: &[Reviewer],
    ) {
        self.with(|state| {
            state.edit_environment(repository, environment, |known| known.reviewers = reviewers.to_vec());
        });
    }

    /// Whether who triggered a run may not review it.
    pub fn set_prevent_self_review(&self, repository: RepositoryId, environment: &str, on: bool) {
        self.with(|state| {
            state.edit_environment(repository, environment, |known| known.prevent_self_review = on);
        });
    }

    /// Minutes that jobs wait; [`GitHub::end_wait_timers`] looks at the clock.
    pub fn set_wait_timer(&self, repository: RepositoryId, environment: &str, minutes: u32) {
        self.with(|state| {
            state.edit_environment(repository, environment, |known| known.wait_timer = minutes);
        });
    }

    /// Whether administrators may start waiting jobs past all rules; they may, at first.
    pub fn set_can_admins_bypass(&self, repository: RepositoryId, environment: &str, on: bool) {
        self.with(|state| {
            state.edit_environment(repository, environment, |known| known.can_admins_bypass = on);
        });
    }
}

impl State {
    fn add_repository(&mut self, full_name: &str) -> RepositoryId {
        let (owner, name) = full_name.split_once('/').unwrap_or(("acme", full_name));
        let (owner, name, now) = (self.org_at(owner), name.to_owned(), self.time());
        let id = self.ids.next("repository", 10_001);
        let home = Repository {
            id,
            owner,
            name,
            private: false,
            archived: false,
            collaborators: BTreeMap::new(),
            environments: Vec::new(),
            commits: BTreeMap::new(),
            history: History::default(),
            last_number: 0,
            last_run: 0,
            created_at: now,
            pushed_at: now,
        };
        self.repositories.insert(id, home);
        id
    }

    fn edit_repository(&mut self, repository: RepositoryId, edit: impl FnOnce(&mut Repository)) {
        if let Some(home) = self.repositories.get_mut(&repository) {
            edit(home);
        }
    }

    fn rename_repository(&mut self, repository: RepositoryId, full_name: &str) {
        let Some(former) = self.full_name(repository) else { return };
        let (owner, name) = full_name.split_once('/').unwrap_or(("acme", full_name));
        let owner = self.org_at(owner);
        self.moved.insert(former.to_lowercase(), repository);
        self.edit_repository(repository, |home| (home.owner, home.name) = (owner, name.into()));
    }

    fn delete_repository(&mut self, repository: RepositoryId) {
        self.repositories.remove(&repository);
        self.moved.retain(|_, id| *id != repository);
        self.issues.retain(|(home, _), _| *home != repository);
        self.comments.retain(|_, known| known.repository != repository);
        self.reviews.retain(|_, known| known.repository != repository);
        self.check_runs.retain(|_, known| known.repository != repository);
        self.runs.retain(|_, known| known.repository != repository);
        self.deployments.retain(|_, known| known.repository != repository);
        let runs = &self.runs;
        self.jobs.retain(|_, known| runs.contains_key(&known.run));
        self.gates.retain(|known| runs.contains_key(&known.run));
    }

    pub(super) fn repository(&self, repository: RepositoryId) -> Result<&Repository, Refused> {
        self.repositories.get(&repository).ok_or_else(Refused::not_found)
    }

    pub(super) fn full_name(&self, repository: RepositoryId) -> Option<String> {
        let home = self.repositories.get(&repository)?;
        Some(format!("{}/{}", self.login_of(home.owner), home.name))
    }

    pub(super) fn repository_named(&self, full_name: &str) -> Option<RepositoryId> {
        let is_it = |id: &RepositoryId| {
            self.full_name(*id).is_some_and(|known| known.eq_ignore_ascii_case(full_name))
        };
        self.repositories.keys().copied().find(is_it)
    }

    pub(super) fn know_commit(&mut self, repository: RepositoryId, sha: &str, author: UserId) {
        let now = self.time();
        self.edit_repository(repository, |home| {
            home.history.grow(sha);
            let commit = || Commit { author, message: "Sell more".into() };
            home.commits.entry(sha.to_owned()).or_insert_with(commit);
            home.pushed_at = now;
        });
    }

    pub(super) fn place_commit(&mut self, repository: RepositoryId, sha: &str, parent: Option<&str>) {
        self.edit_repository(repository, |home| home.history.branch(sha, parent));
    }

    pub(super) fn is_private(&self, repository: RepositoryId) -> bool {
        self.repositories.get(&repository).is_none_or(|home| home.private)
    }

    /// Custom rules, reviewers and timers exist in public repositories, and in private ones with Enterprise.
    pub(super) fn has_gates(&self, repository: RepositoryId) -> bool {
        let Some(home) = self.repositories.get(&repository) else { return false };
        !home.private || self.accounts.get(&home.owner).is_some_and(|owner| owner.plan == Plan::Enterprise)
    }

    pub(super) fn environment_at(&mut self, repository: RepositoryId, name: &str) -> EnvironmentId {
        let known = self.repositories.get(&repository).and_then(|home| home.environment(name));
        if let Some(known) = known {
            return known.id;
        }
        let (id, created_at) = (self.ids.next("environment", 9001), self.time());
        let environment = Environment {
            id,
            name: name.into(),
            rules: Vec::new(),
            reviewers: Vec::new(),
            prevent_self_review: false,
            wait_timer: 0,
            can_admins_bypass: true,
            created_at,
        };
        self.edit_repository(repository, |home| home.environments.push(environment));
        id
    }

    fn edit_environment(
        &mut self,
        repository: RepositoryId,
        name: &str,
        edit: impl FnOnce(&mut Environment),
    ) {
        let home = self.repositories.get_mut(&repository);
        let mut environments = home.into_iter().flat_map(|home| home.environments.iter_mut());
        if let Some(known) = environments.find(|known| known.name.eq_ignore_ascii_case(name)) {
            edit(known);
        }
    }

    fn enable_rule(
        &mut self,
        repository: RepositoryId,
        environment: &str,
        app: AppId,
    ) -> Result<(), Refused> {
        let known = self.repository(repository)?.environment(environment).ok_or_else(Refused::not_found)?;
        if !self.has_gates(repository) {
            return Err(Refused::new(403, "Custom deployment protection rules need GitHub Enterprise"));
        }
        if self.installation_on(app, repository).is_none() {
            return Err(Refused::invalid("integration_id", "The App isn't installed on this repository"));
        }
        if known.rules.len() >= 6 {
            return Err(Refused::invalid("integration_id", "At most 6 rules can be enabled"));
        }
        if known.rules.iter().all(|rule| rule.app != app) {
            let id = self.ids.next("rule", 301);
            self.edit_environment(repository, environment, |known| known.rules.push(Rule { id, app }));
        }
        Ok(())
    }

    fn delete_environment(&mut self, repository: RepositoryId, name: &str) {
        let known = self.repositories.get(&repository).and_then(|home| home.environment(name));
        let Some(id) = known.map(|known| known.id) else { return };
        self.edit_repository(repository, |home| home.environments.retain(|known| known.id != id));
        self.fail_waiting(|gate| gate.environment == id);
    }
}
