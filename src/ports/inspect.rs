//! What `check` asks of a forge: how it is set up, as far as our tokens may see that. Nothing is changed.

use super::failure::Failure;
use crate::domain::actor::Account;
use crate::domain::id::{Project, ProjectId};
use crate::domain::policy::{Grantee, Rule};
use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeSet;

/// A token, as the forge knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Whose it is.
    pub account: Account,
    /// The account is an administrator.
    pub admin: bool,
    /// What it is good for; `None` where the forge doesn't tell (OAuth tokens).
    pub scopes: Option<Vec<String>>,
    /// Its last day, in the forge's zone.
    pub expires: Option<Date>,
    /// The forge's clock when it answered, to the second.
    pub answered_at: Option<Timestamp>,
}

/// A project, as far as deployments depend on its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Which.
    pub project: Project,
    /// Its default branch; `None` for an empty repository.
    pub default_branch: Option<String>,
    /// The forge lets people approve deployments that they started; `None` where it doesn't tell.
    pub creators_may_approve: Option<bool>,
}

/// What a webhook may tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Comments.
    Comments,
    /// Changes of deployments.
    Deployments,
    /// Changes of jobs.
    Jobs,
    /// Changes of merge requests.
    MergeRequests,
}

/// A webhook of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Where it goes.
    pub url: String,
    /// What it tells of.
    pub tells: BTreeSet<Topic>,
    /// A plain token is sent along; `None` where the forge doesn't tell.
    pub token: Option<bool>,
    /// Deliveries are signed; `None` where the forge doesn't tell or can't.
    pub signed: Option<bool>,
    /// The forge has stopped sending.
    pub disabled: bool,
}

/// Protection of an environment (of a tier, where a group has it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// Its name.
    pub environment: String,
    /// Who may deploy.
    pub deployers: Vec<Grantee>,
    /// Who must approve.
    pub rules: Vec<Rule>,
    /// Approvals by deployers, the older way; counts where there are no rules.
    pub count: u32,
}

/// Protection of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Who may push or merge to it, and so start its jobs.
    pub writers: Vec<Grantee>,
}

/// Looks at how a forge is set up.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// The token that is looked with.
    async fn credential(&self) -> Result<Credential, Failure>;
    /// A project by full path.
    async fn surroundings(&self, path: &str) -> Result<Surroundings, Failure>;
    /// Webhooks of a project; those of its groups can't be seen.
    async fn hooks(&self, project: ProjectId) -> Result<Vec<Hook>, Failure>;
    /// Protected environments of a project; `NotFound` where the forge has none to offer.
    async fn protections(&self, project: ProjectId) -> Result<Vec<Protection>, Failure>;
    /// Tiers that a group protects for all projects below it.
    async fn group_protections(&self, group: &str) -> Result<Vec<Protection>, Failure>;
    /// The protection of a branch, `None` where it has none.
    async fn branch(&self, project: ProjectId, name: &str) -> Result<Option<Branch>, Failure>;
}
