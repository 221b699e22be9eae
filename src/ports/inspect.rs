//! What `check` asks of a forge: how it is set up, as far as our tokens may see that. Nothing is changed.
//!
//! [`Inspect`] is for a forge that we enter with a person's or a bot's token, [`InspectApp`] for one that knows us
//! as an App, [`InspectChat`] for a chat.

use super::failure::Failure;
use crate::domain::actor::Account;
use crate::domain::chat::{Channel, ChannelId, ChatUser};
use crate::domain::id::{Project, ProjectId};
use crate::domain::policy::{Grantee, Rule};
use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

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

/// How far a permission goes; the later includes the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// To look.
    Read,
    /// To change.
    Write,
    /// To change who may change.
    Admin,
}

/// What an App may do, by the forge's own names (`deployments`).
pub type Permissions = BTreeMap<String, Extent>;

/// An App, as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSeen {
    /// Its number.
    pub id: i64,
    /// Its name in addresses and mentions.
    pub slug: String,
    /// What it asks for.
    pub permissions: Permissions,
    /// What its webhook tells of, by the forge's own names (`issue_comment`).
    pub events: BTreeSet<String>,
}

/// The one webhook of an App.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppHook {
    /// Where it goes; `None` while it goes nowhere.
    pub url: Option<String>,
    /// Bodies are JSON.
    pub json: bool,
    /// Deliveries are signed.
    pub signed: bool,
    /// The receiver's certificate isn't looked at.
    pub insecure: bool,
}

/// An App, where somebody has installed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Login name of the organisation or person; `None` where the forge tells of none.
    pub account: Option<String>,
    /// It is switched off.
    pub suspended: bool,
    /// What the owner has consented to.
    pub permissions: Permissions,
}

/// A repository that an App reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositorySeen {
    /// Which.
    pub project: Project,
    /// Not everybody can read it.
    pub private: bool,
    /// It is read-only.
    pub archived: bool,
}

/// An environment of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentSeen {
    /// Its name, as it was made.
    pub name: String,
    /// Administrators can start jobs past every rule; `None` where the forge doesn't tell.
    pub admins_may_bypass: Option<bool>,
    /// Reviewers must agree as well.
    pub has_reviewers: bool,
    /// Jobs wait as well, so many minutes.
    pub wait_minutes: u32,
}

/// Looks at how an App is set up.
#[async_trait]
pub trait InspectApp: Send + Sync {
    /// The forge's clock, to the second; told even by an answer that refuses us, as one of a wrong clock does.
    async fn their_time(&self) -> Result<Option<Timestamp>, Failure>;
    /// The App that we are.
    async fn app(&self) -> Result<AppSeen, Failure>;
    /// Its webhook.
    async fn app_hook(&self) -> Result<AppHook, Failure>;
    /// Where it is installed.
    async fn installations(&self) -> Result<Vec<Installation>, Failure>;
    /// A repository by `owner/name`; `NotFound` where no installation reaches it.
    async fn repository(&self, path: &str) -> Result<RepositorySeen, Failure>;
    /// Environments of a repository.
    async fn environments(&self, project: ProjectId) -> Result<Vec<EnvironmentSeen>, Failure>;
    /// Whether the App's own protection rule is enabled on an environment.
    async fn asks_us(&self, project: ProjectId, environment: &str) -> Result<bool, Failure>;
}

/// A chat's token, as the chat knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatCredential {
    /// The name of its account.
    pub account: String,
    /// It is a bot's.
    pub bot: bool,
    /// The workspace that it belongs to, where the chat has such.
    pub team: Option<String>,
    /// What it is good for; `None` where the chat doesn't tell.
    pub scopes: Option<Vec<String>>,
    /// The chat's clock when it answered, to the second.
    pub answered_at: Option<Timestamp>,
}

/// A channel, as far as messages depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSeen {
    /// The chat's id of it.
    pub id: ChannelId,
    /// What people call it.
    pub name: String,
    /// It is read-only.
    pub archived: bool,
    /// Our account is a member.
    pub member: bool,
    /// People of other workspaces are in it.
    pub shared: bool,
}

/// Looks at how a chat is set up.
#[async_trait]
pub trait InspectChat: Send + Sync {
    /// The token that is looked with.
    async fn credential(&self) -> Result<ChatCredential, Failure>;
    /// A channel of `notify`; `NotFound` where we see none of that name.
    async fn channel_seen(&self, channel: &Channel) -> Result<ChannelSeen, Failure>;
    /// The account that a `[[person]]` names; `None` where there is none.
    async fn account_named(&self, name: &str) -> Result<Option<ChatUser>, Failure>;
}
