//! Projects: their protections, settings and commits.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::state::State;
use super::{GitLab, Grantee, GroupId, Level, Membership, ProjectId, UserId};
use crate::sim::history::History;

/// Who sees a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Its members.
    Private,
    /// Everybody with a token.
    Public,
}

/// Whom a protected environment lets deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployAccess {
    /// Given out by GitLab; 0 until then.
    pub id: u64,
    /// Whom.
    pub grantee: Grantee,
    /// With the members of a group's parents (`group_inheritance_type` 1).
    pub inherited: bool,
}

/// Whose approvals a protected environment needs, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRule {
    /// Given out by GitLab; 0 until then.
    pub id: u64,
    /// Whose.
    pub grantee: Grantee,
    /// How many.
    pub required_approvals: u32,
    /// With the members of a group's parents (`group_inheritance_type` 1).
    pub inherited: bool,
}

impl ApprovalRule {
    /// So many people of at least this level.
    pub fn level(level: Level, required_approvals: u32) -> Self {
        Self { id: 0, grantee: Grantee::Level(level), required_approvals, inherited: false }
    }

    /// So many direct members of this group.
    pub fn group(group: GroupId, required_approvals: u32) -> Self {
        Self { id: 0, grantee: Grantee::Group(group), required_approvals, inherited: false }
    }

    /// This one person.
    pub fn user(user: UserId) -> Self {
        Self { id: 0, grantee: Grantee::User(user), required_approvals: 1, inherited: false }
    }

    /// Inherited members of the group count as well.
    pub fn inherited(mut self) -> Self {
        self.inherited = true;
        self
    }
}

/// An environment's protection, in a project (by name) or a group (by tier).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedEnvironment {
    /// Environment name; in a group the tier: `production`, `staging`, …
    pub name: String,
    /// Who may run jobs into it.
    pub deploy_access_levels: Vec<DeployAccess>,
    /// Who must approve.
    pub approval_rules: Vec<ApprovalRule>,
    /// The old single count, filled by people who may deploy; only without rules.
    pub required_approval_count: u32,
}

impl ProtectedEnvironment {
    /// One that lets nobody deploy yet and needs no approval.
    pub fn new(name: impl Into<String>) -> Self {
        let (deploy_access_levels, approval_rules) = (Vec::new(), Vec::new());
        Self { name: name.into(), deploy_access_levels, approval_rules, required_approval_count: 0 }
    }

    /// Lets everybody of at least this level deploy.
    pub fn deployers(self, level: Level) -> Self {
        self.deployer(Grantee::Level(level))
    }

    /// Lets these deploy as well.
    pub fn deployer(mut self, grantee: Grantee) -> Self {
        self.deploy_access_levels.push(DeployAccess { id: 0, grantee, inherited: false });
        self
    }

    /// Adds an approval rule.
    pub fn rule(mut self, rule: ApprovalRule) -> Self {
        self.approval_rules.push(rule);
        self
    }

    /// Asks for so many approvals of people who may deploy: the count from before there were rules.
    pub fn legacy_count(mut self, count: u32) -> Self {
        self.required_approval_count = count;
        self
    }
}

/// A protected branch: the least levels that may push to it and merge into it (60: administrators only).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedBranch {
    /// Its name.
    pub name: String,
    /// Who may push.
    pub push: Level,
    /// Who may merge.
    pub merge: Level,
}

#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) sha: String,
    pub(super) title: String,
    pub(super) author: String,
    pub(super) created_at: Timestamp,
}

pub(super) struct Project {
    pub(super) id: ProjectId,
    pub(super) path: String,
    pub(super) visibility: Visibility,
    pub(super) members: Vec<Membership>,
    pub(super) shares: Vec<(GroupId, Level)>,
    pub(super) archived: bool,
    pub(super) default_branch: String,
    pub(super) protected_branches: Vec<ProtectedBranch>,
    pub(super) protected: Vec<ProtectedEnvironment>,
    pub(super) trigger_may_approve: bool,
    pub(super) merge_request_approvals: u32,
    pub(super) commits: BTreeMap<String, Commit>,
    pub(super) history: History,
    pub(super) last_activity_at: Timestamp,
}

impl Project {
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

impl GitLab {
    /// Adds a private project at this full path, with the groups that the path names. Its default branch `main`
    /// is protected: Maintainers push, Developers merge.
    pub fn add_project(&self, path: &str) -> ProjectId {
        self.with(|state| state.add_project(path))
    }

    /// Who sees the project.
    pub fn set_visibility(&self, project: ProjectId, visibility: Visibility) {
        self.edit_project(project, |project| project.visibility = visibility);
    }

    /// Protects an environment of a project, or changes its protection.
    pub fn protect_environment(&self, project: ProjectId, mut protection: ProtectedEnvironment) {
        self.with(|state| {
            state.number(&mut protection);
            if let Some(project) = state.projects.get_mut(&project) {
                project.protected.retain(|known| known.name != protection.name);
                project.protected.push(protection);
            }
        });
    }

    /// Protects every environment of a tier in all of a group's projects.
    pub fn protect_group_environment(&self, group: GroupId, mut protection: ProtectedEnvironment) {
        self.with(|state| {
            state.number(&mut protection);
            if let Some(group) = state.groups.get_mut(&group) {
                group.protected.retain(|known| known.name != protection.name);
                group.protected.push(protection);
            }
        });
    }

    /// Lifts an environment's protection in its project.
    pub fn unprotect_environment(&self, project: ProjectId, name: &str) {
        self.edit_project(project, |project| project.protected.retain(|known| known.name != name));
    }

    /// Protects a branch, or changes its protection.
    pub fn protect_branch(&self, project: ProjectId, branch: ProtectedBranch) {
        self.edit_project(project, |project| {
            project.protected_branches.retain(|known| known.name != branch.name);
            project.protected_branches.push(branch);
        });
    }

    /// "Allow pipeline triggerer to approve deployment".
    pub fn set_allow_pipeline_trigger_approve_deployment(&self, project: ProjectId, allow: bool) {
        self.edit_project(project, |project| project.trigger_may_approve = allow);
    }

    /// How many approvals a merge request of this project needs; 0 at first.
    pub fn set_merge_request_approvals(&self, project: ProjectId, required: u32) {
        self.edit_project(project, |project| project.merge_request_approvals = required);
    }

    /// Archives a project: it can be read, and nothing else.
    pub fn archive_project(&self, project: ProjectId) {
        self.edit_project(project, |project| project.archived = true);
    }

    /// Moves a project to another full path; its id stays.
    pub fn rename_project(&self, project: ProjectId, path: &str) {
        self.edit_project(project, |project| project.path = path.into());
    }

    /// Deletes a project and what belongs to it.
    pub fn delete_project(&self, project: ProjectId) {
        self.with(|state| {
            state.projects.remove(&project);
            state.deployments.retain(|_, deployment| deployment.project != project);
            state.environments.retain(|_, environment| environment.project != project);
            state.jobs.retain(|_, job| job.project != project);
            state.pipelines.retain(|_, pipeline| pipeline.project != project);
            state.notes.retain(|_, note| note.project != project);
            state.hooks.retain(|_, hook| hook.project != project);
            state.merge_requests.retain(|request| request.project != project);
        });
    }

    /// Adds a commit with a title of its own. Others come to be when a pipeline or push names them.
    pub fn add_commit(&self, project: ProjectId, sha: &str, title: &str, author: &str) {
        self.with(|state| {
            let created_at = state.time();
            let commit = Commit { sha: sha.into(), title: title.into(), author: author.into(), created_at };
            if let Some(project) = state.projects.get_mut(&project) {
                project.commits.insert(sha.into(), commit);
                project.history.grow(sha);
            }
        });
    }

    /// Says what a commit stands on that isn't known yet: another one, or nothing. Without this each new commit
    /// stands on the one before.
    pub fn place_commit(&self, project: ProjectId, sha: &str, parent: Option<&str>) {
        self.edit_project(project, |project| project.history.branch(sha, parent));
    }

    /// A commit that was rewritten away and is no longer kept.
    pub fn forget_commit(&self, project: ProjectId, sha: &str) {
        self.edit_project(project, |project| {
            project.commits.remove(sha);
            project.history.forget(sha);
        });
    }

    fn edit_project(&self, project: ProjectId, edit: impl FnOnce(&mut Project)) {
        self.with(|state| {
            if let Some(project) = state.projects.get_mut(&project) {
                edit(project);
            }
        });
    }
}

impl State {
    fn add_project(&mut self, path: &str) -> ProjectId {
        if let Some((namespace, _)) = path.rsplit_once('/') {
            self.group_at(namespace);
        }
        let id = self.ids.next("project", 30);
        let main = ProtectedBranch { name: "main".into(), push: Level::MAINTAINER, merge: Level::DEVELOPER };
        let project = Project {
            id,
            path: path.into(),
            visibility: Visibility::Private,
            members: Vec::new(),
            shares: Vec::new(),
            archived: false,
            default_branch: "main".into(),
            protected_branches: vec![main],
            protected: Vec::new(),
            trigger_may_approve: false,
            merge_request_approvals: 0,
            commits: BTreeMap::new(),
            history: History::default(),
            last_activity_at: self.time(),
        };
        self.projects.insert(id, project);
        id
    }

    fn number(&mut self, protection: &mut ProtectedEnvironment) {
        for rule in protection.approval_rules.iter_mut().filter(|rule| rule.id == 0) {
            rule.id = self.ids.next("rule", 38);
        }
        for access in protection.deploy_access_levels.iter_mut().filter(|access| access.id == 0) {
            access.id = self.ids.next("access", 12);
        }
    }

    /// Everything that protects this environment: the project's own entry and its groups' by tier. Nothing
    /// without a licence.
    pub(super) fn protections(&self, project: &Project, environment: &str) -> Vec<ProtectedEnvironment> {
        if !self.settings.licensed {
            return Vec::new();
        }
        let own = project.protected.iter().filter(|known| known.name == environment);
        let above = self.ancestors(&project.path).flat_map(|group| &group.protected);
        own.chain(above.filter(|known| known.name == tier(environment))).cloned().collect()
    }

    pub(super) fn know_commit(&mut self, project: ProjectId, sha: &str, author: UserId) {
        let author = self.users.get(&author).map_or("Somebody", |user| &user.name).to_owned();
        let created_at = self.time();
        if let Some(project) = self.projects.get_mut(&project) {
            project.history.grow(sha);
            project.commits.entry(sha.into()).or_insert_with(|| {
                let title = format!("Change {}", short(sha));
                Commit { sha: sha.into(), title, author, created_at }
            });
        }
    }

    pub(super) fn touch_project(&mut self, project: ProjectId) {
        let now = self.time();
        if let Some(project) = self.projects.get_mut(&project) {
            project.last_activity_at = now;
        }
    }
}

/// The first eight digits of a SHA.
pub(super) fn short(sha: &str) -> String {
    sha.chars().take(8).collect()
}

/// The tier that GitLab guesses from an environment's name.
pub(super) fn tier(environment: &str) -> &'static str {
    let name = environment.to_ascii_lowercase();
    let is = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if is(&["prod", "live"]) {
        "production"
    } else if is(&["stag", "pre", "demo"]) {
        "staging"
    } else if is(&["test", "qa", "tst", "accept"]) {
        "testing"
    } else if is(&["dev", "review", "trunk"]) {
        "development"
    } else {
        "other"
    }
}
