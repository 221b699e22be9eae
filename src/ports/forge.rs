//! What the use cases ask of a forge: to look things up, to act at the gate, to talk in conversations.

use super::failure::Failure;
use crate::domain::actor::Account;
use crate::domain::deployment::Description;
use crate::domain::facts::Person;
use crate::domain::id::{CommentRef, Conversation, ForgeName, Native, Project, ProjectId, UserId};
use crate::domain::ledger::Word;
use crate::domain::policy::Rule;
use crate::domain::wording::Prose;
use async_trait::async_trait;
use jiff::Timestamp;

/// A deployment as the forge shows it right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What the forge knows it by.
    pub native: Native,
    /// The number people use on the forge; `None` where it has none, and ours is used.
    pub number: Option<i64>,
    /// Which of two deployments of an environment is the newer one: the higher.
    pub order: i64,
    /// Environment name.
    pub environment: String,
    /// Full SHA.
    pub sha: String,
    /// Branch, tag or the forge's merge-request ref.
    pub ref_name: String,
    /// The merge request that the ref itself names (`refs/merge-requests/7/head`), if it does.
    pub merge_request: Option<i64>,
    /// Commit title: foreign text.
    pub title: Option<String>,
    /// The run (pipeline) it belongs to, 0 where there is none.
    pub run: i64,
    /// Its job; `None` for deployments made through the API.
    pub job: Option<JobSeen>,
    /// Address for people.
    pub url: Option<String>,
    /// Who started it, as far as this look shows (GitLab: `deployment.user`; GitHub: actor and triggering
    /// actor of the run).
    pub started_by: Vec<Account>,
    /// Made.
    pub created_at: Timestamp,
    /// Last changed.
    pub updated_at: Timestamp,
    /// Where it stands.
    pub state: Progress,
    /// Something besides our gate holds it as well (reviewers, a wait timer).
    pub held_by_others: bool,
    /// Votes and rules on the forge; `None` in lists and where the forge has no approvals.
    pub approvals: Option<Approvals>,
}

/// The job of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSeen {
    /// The forge's number.
    pub id: i64,
    /// Its name: foreign text.
    pub name: String,
    /// It waits to be played (`manual`).
    pub manual: bool,
    /// A runner has taken it up at some time.
    pub started: bool,
    /// The account it runs for: who played it, if it was played.
    pub user: Option<Account>,
}

/// Where a deployment stands on the forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits, for approvals or to be played.
    Waiting,
    /// It was started.
    Running,
    /// It finished well.
    Succeeded,
    /// It failed (a rejected one fails too: see its votes).
    Failed,
    /// It was cancelled or skipped.
    Cancelled,
}

/// The forge's own approvals of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvals {
    /// Approvals that the forge still wants.
    pub pending: u32,
    /// The forge's rules, as a policy's rules.
    pub rules: Vec<Rule>,
    /// Votes recorded on the forge.
    pub votes: Vec<ForgeVote>,
}

/// A vote recorded on the forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgeVote {
    /// Who; whether it is a bot is not known from here.
    pub by: UserId,
    /// Login name.
    pub username: String,
    /// Approved or rejected.
    pub word: Word,
    /// When.
    pub at: Timestamp,
    /// Foreign text.
    pub comment: Option<String>,
}

/// A comment, read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Which one.
    pub at: CommentRef,
    /// Who wrote it.
    pub author: UserId,
    /// Their login name.
    pub username: String,
    /// Whole text.
    pub text: String,
    /// Written.
    pub created_at: Timestamp,
    /// Last touched; a reaction touches it too on GitLab.
    pub updated_at: Timestamp,
    /// Made by the forge itself, not by a person.
    pub system: bool,
    /// The commit that it was written about, where the forge keeps that (a review).
    pub about: Option<String>,
}

/// A merge or pull request, as far as cards and creators need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeRequest {
    /// Its number in the project.
    pub number: i64,
    /// Head SHA now.
    pub head_sha: String,
    /// Branch it goes into.
    pub target_branch: String,
    /// SHA it was merged or squashed as, if it was.
    pub merged_as: Vec<String>,
    /// Still open.
    pub open: bool,
    /// Who opened it.
    pub author: Option<UserId>,
    /// Who merged it.
    pub merged_by: Option<UserId>,
}

/// A project that saw activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveProject {
    /// Which.
    pub project: Project,
    /// When it last did; coarse (GitLab moves it at most once an hour).
    pub active_at: Timestamp,
}

/// A group or team as a policy means it: by its path, pinned to the number that had that path first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupRef<'a> {
    /// Full path, where it is known.
    pub path: &'a str,
    /// The forge's number.
    pub id: i64,
}

/// A person within a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The account, and whether it is active.
    pub person: Person,
    /// Effective access level, inherited ones and invited groups included; 0 for none, or expired.
    pub level: i32,
}

/// Reading. Nothing here changes the forge; everything is read live unless said otherwise.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The configured name.
    fn name(&self) -> &ForgeName;
    /// The bot's own account (kept after the first success).
    async fn me(&self) -> Result<Account, Failure>;
    /// What we may see and do has changed: whatever is kept of that is read anew.
    fn reach_changed(&self);
    /// A project by number (its path may have changed).
    async fn project(&self, id: ProjectId) -> Result<Project, Failure>;
    /// A project by full path.
    async fn project_at(&self, path: &str) -> Result<Project, Failure>;
    /// Projects that the token's account belongs to and that were active since, newest first.
    async fn active_projects(&self, since: Timestamp) -> Result<Vec<ActiveProject>, Failure>;
    /// Deployments that wait in a project, newest first, without their approvals.
    async fn waiting(&self, project: ProjectId) -> Result<Vec<Sighting>, Failure>;
    /// Deployments that wait for one environment, newest first, without their approvals: a look, so at most
    /// 100. Those of runs older than `since` may be left out.
    async fn waiting_in(
        &self,
        project: ProjectId,
        environment: &str,
        since: Option<Timestamp>,
    ) -> Result<Vec<Sighting>, Failure>;
    /// Deployments that wait in one run, without their approvals.
    async fn waiting_in_run(&self, project: ProjectId, run: i64) -> Result<Vec<Sighting>, Failure>;
    /// The newest deployment of an environment that runs or has succeeded, without approvals; `None` also
    /// where the forge doesn't tell.
    async fn newest_started(
        &self,
        project: ProjectId,
        environment: &str,
    ) -> Result<Option<Sighting>, Failure>;
    /// One deployment, with its approvals.
    async fn deployment(&self, project: ProjectId, native: &Native) -> Result<Sighting, Failure>;
    /// What the forge knows a number by that people use; `None` where such numbers are ours.
    fn numbered(&self, number: i64) -> Option<Native>;
    /// Accounts that started a deployment and that a look at it doesn't show. Asked once for each: who
    /// started it never changes.
    async fn other_starters(&self, project: ProjectId, native: &Native) -> Result<Vec<Account>, Failure>;
    /// The merge request that a deployment belongs to, where its ref doesn't name one: the one whose merge made
    /// its commit, else the newest one that it is the head of.
    async fn carrier(&self, project: ProjectId, sighting: &Sighting) -> Result<Option<i64>, Failure>;
    /// One merge request.
    async fn merge_request(&self, project: ProjectId, number: i64) -> Result<MergeRequest, Failure>;
    /// An account as a member of a project. Whether it is a bot may be kept, the rest is read anew.
    async fn member(&self, project: ProjectId, user: UserId) -> Result<Member, Failure>;
    /// An account by number: name and whether it is a bot, which may be kept.
    async fn account(&self, user: UserId) -> Result<Account, Failure>;
    /// The account with this exact login name (without case).
    async fn user_named(&self, username: &str) -> Result<Option<Account>, Failure>;
    /// The number of the group (team) that has this full path now.
    async fn group_id(&self, path: &str) -> Result<i64, Failure>;
    /// Whether somebody is an active member of a group. One that has its path now but another number isn't it.
    async fn is_group_member(
        &self,
        group: GroupRef<'_>,
        inherited: bool,
        user: UserId,
    ) -> Result<bool, Failure>;
    /// Active members of a project with at least this level; at most 100, `None` when there are more.
    async fn members_from(&self, project: ProjectId, level: i32) -> Result<Option<Vec<Account>>, Failure>;
    /// Active members of a group; at most 100, `None` when there are more.
    async fn group_members(&self, group: &str, inherited: bool) -> Result<Option<Vec<Account>>, Failure>;
}

/// Acting at the gate. Each call is one write; the caller has read the world right before.
#[async_trait]
pub trait Gatekeeper: Send + Sync {
    /// Casts the bot's own vote: in the forge's approvals, or as its protection rule.
    async fn vote(&self, deployment: &Description, vote: &OwnVote) -> Result<Landed, Failure>;
    /// Tells in the forge's own pages how a deployment stands that waits for us; where the forge has no
    /// place for it, or no more of it, nothing happens.
    async fn report(&self, deployment: &Description, text: &str) -> Result<(), Failure>;
    /// Casts a person's vote with the separate administrator token.
    async fn vote_as(&self, deployment: &Description, vote: &PersonsVote) -> Result<(), Failure>;
    /// Starts a job that is still manual.
    async fn play(&self, project: ProjectId, job: i64) -> Result<(), Failure>;
    /// Cancels a job that waits.
    async fn cancel(&self, project: ProjectId, job: i64) -> Result<(), Failure>;
}

/// A vote of the bot's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnVote {
    /// Approved or rejected.
    pub word: Word,
    /// Comment shown on the forge, cut to the forge's limit by the adapter.
    pub comment: String,
    /// An earlier attempt may have cast it: the forge is asked first.
    pub again: bool,
}

/// Where a vote of ours went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landed {
    /// To the deployment that was meant.
    Here,
    /// Its run was started again in the meantime: perhaps to the new attempt.
    Astray,
}

/// A vote to be cast in a person's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonsVote {
    /// In whose name.
    pub voter: UserId,
    /// Approved or rejected.
    pub word: Word,
    /// Comment shown on the forge: foreign text, cut to the forge's limit by the adapter.
    pub comment: Option<String>,
    /// The rule it is meant for, by the forge's label.
    pub represented_as: Option<String>,
}

/// A comment of ours, as the forge took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The forge's number of the comment.
    pub comment: i64,
    /// When it was written, by the forge's clock.
    pub at: Timestamp,
}

/// Talking. Texts are finished and escaped: see [`Talk::render`].
#[async_trait]
pub trait Talk: Send + Sync {
    /// A comment as it is now, or `None` when it is gone.
    async fn comment(&self, at: &CommentRef) -> Result<Option<Comment>, Failure>;
    /// Comments of a conversation written after `since`, oldest first, without the forge's own.
    async fn comments_since(&self, at: &Conversation, since: Timestamp) -> Result<Vec<Comment>, Failure>;
    /// Our own account's comments in the conversation that carry this marker, newest first; one unless a
    /// frozen process doubled it.
    async fn find_own(&self, at: &Conversation, marker: &str) -> Result<Vec<i64>, Failure>;
    /// Answers in the comment's discussion; where there are no discussions, whoever is answered is named.
    async fn reply(&self, to: &CommentRef, whom: &Account, text: &str) -> Result<Posted, Failure>;
    /// Writes a comment of its own.
    async fn post(&self, at: &Conversation, text: &str) -> Result<Posted, Failure>;
    /// Replaces the text of a comment of ours; `NotFound` when somebody deleted it.
    async fn edit(&self, at: &Conversation, comment: i64, text: &str) -> Result<Posted, Failure>;
    /// Prose in this forge's markup, foreign text escaped, with a hidden marker behind it.
    fn render(&self, prose: &Prose, marker: &str) -> String;
    /// Deletes a comment of ours (a duplicate found later).
    async fn delete(&self, at: &Conversation, comment: i64) -> Result<(), Failure>;
    /// Puts 👀 on a comment; already there is success, and so is a place without reactions.
    async fn react(&self, to: &CommentRef) -> Result<(), Failure>;
    /// Shows the buttons of a deployment in its conversation, or takes them away; a forge without buttons
    /// does nothing.
    async fn sync_buttons(&self, at: &Conversation, buttons: &Buttons) -> Result<(), Failure>;
}

/// The buttons of one deployment. Texts are finished and escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buttons {
    /// The environment that they are named after.
    pub environment: String,
    /// The number of the deployment.
    pub number: i64,
    /// Its version: a press on older buttons can be told from a later one.
    pub version: i64,
    /// One line: how it stands.
    pub title: String,
    /// The details, in the forge's markup.
    pub summary: String,
    /// It still takes votes.
    pub active: bool,
    /// Where the details are.
    pub url: Option<String>,
}

/// The forge's own log of its deliveries to us.
#[async_trait]
pub trait HookLog: Send + Sync {
    /// Deliveries since then that never arrived well, oldest first; one that arrived later isn't among them.
    async fn failed(&self, since: Timestamp) -> Result<Vec<MissedDelivery>, Failure>;
    /// Asks for one again.
    async fn redeliver(&self, delivery: &MissedDelivery) -> Result<(), Failure>;
}

/// A delivery that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedDelivery {
    /// Stable over its retries.
    pub id: String,
    /// The number of the attempt in the forge's log.
    pub attempt: i64,
}

/// A whole forge.
pub trait Forge: Lookup + Gatekeeper + Talk {}

impl<T: Lookup + Gatekeeper + Talk> Forge for T {}
