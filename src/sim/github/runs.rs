//! Workflow runs, their jobs and deployments: what they are and how they are started.

use jiff::Timestamp;

use super::{DeploymentId, GitHub, JobId, Number, Refused, RepositoryId, RunId, UserId};

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// `success`
    Success,
    /// `failure`
    Failure,
    /// `cancelled`
    Cancelled,
    /// `skipped`: a job that it needs didn't succeed.
    Skipped,
}

/// A job of a workflow.
#[derive(Clone, Debug)]
pub struct JobSpec {
    pub(super) name: String,
    pub(super) environment: Option<String>,
    pub(super) deployment: bool,
    pub(super) needs: Vec<String>,
}

impl JobSpec {
    /// A job without an environment that begins at once.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), environment: None, deployment: true, needs: Vec::new() }
    }

    /// With this environment, and so with a deployment.
    pub fn environment(mut self, name: &str) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// `deployment: false`: the environment without a deployment.
    pub fn without_deployment(mut self) -> Self {
        self.deployment = false;
        self
    }

    /// Only after this job has succeeded.
    pub fn needs(mut self, job: &str) -> Self {
        self.needs.push(job.into());
        self
    }
}

/// A workflow run to be started.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub(super) event: String,
    pub(super) branch: String,
    pub(super) sha: String,
    pub(super) actor: UserId,
    pub(super) triggering_actor: Option<UserId>,
    pub(super) creator: Option<Option<UserId>>,
    pub(super) pull_request: Option<Number>,
    pub(super) title: Option<String>,
    pub(super) jobs: Vec<JobSpec>,
}

impl NewRun {
    /// A run by this event (`push`, `schedule`, `workflow_dispatch`, `merge_group`, …) of a branch and its head.
    pub fn new(event: &str, branch: &str, sha: &str, actor: UserId) -> Self {
        Self {
            event: event.into(),
            branch: branch.into(),
            sha: sha.into(),
            actor,
            triggering_actor: None,
            creator: None,
            pull_request: None,
            title: None,
            jobs: Vec::new(),
        }
    }

    /// A run by a push.
    pub fn push(branch: &str, sha: &str, actor: UserId) -> Self {
        Self::new("push", branch, sha, actor)
    }

    /// A run of a pull request: its head is the request's, but what is deployed is `refs/pull/N/merge`.
    pub fn pull_request(number: Number, actor: UserId) -> Self {
        Self { pull_request: Some(number), ..Self::new("pull_request", "", "", actor) }
    }

    /// Started by somebody else than its actor.
    pub fn triggered_by(mut self, user: UserId) -> Self {
        self.triggering_actor = Some(user);
        self
    }

    /// Deployments created by this account, or by none; by who triggered the run when not said.
    pub fn created_by(mut self, creator: Option<UserId>) -> Self {
        self.creator = Some(creator);
        self
    }

    /// With this `display_title`.
    pub fn title(mut self, title: &str) -> Self {
        self.title = Some(title.into());
        self
    }

    /// With this job too.
    pub fn job(mut self, job: JobSpec) -> Self {
        self.jobs.push(job);
        self
    }
}

/// A run, as its newest attempt stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunView {
    /// Id, the same for every attempt.
    pub id: RunId,
    /// The newest attempt, from 1.
    pub attempt: u64,
    /// `queued`, `in_progress`, `waiting`, `completed`.
    pub status: String,
    /// How it ended.
    pub conclusion: Option<String>,
    /// Commit.
    pub head_sha: String,
    /// Login of who started the newest attempt.
    pub triggering_actor: String,
}

/// A job of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    /// Id.
    pub id: JobId,
    /// Name.
    pub name: String,
    /// The attempt that it belongs to.
    pub attempt: u64,
    /// `waiting`, `queued`, `in_progress`, `completed`.
    pub status: String,
    /// How it ended.
    pub conclusion: Option<String>,
    /// Environment.
    pub environment: Option<String>,
    /// Its deployment.
    pub deployment: Option<DeploymentId>,
    /// Every status that it had, oldest first.
    pub transitions: Vec<(Timestamp, String)>,
}

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentView {
    /// Id.
    pub id: DeploymentId,
    /// Environment.
    pub environment: String,
    /// Commit.
    pub sha: String,
    /// Login of its creator.
    pub creator: Option<String>,
    /// Every state that it had, oldest first: `waiting`, `queued`, `in_progress`, `success`, `failure`, `inactive`.
    pub states: Vec<String>,
}

impl GitHub {
    /// Starts a run. Its jobs are created when they are reached, as GitHub does it.
    pub fn start_run(&self, repository: RepositoryId, new: NewRun) -> RunId {
        todo!()
    }

    /// Runs all jobs of a completed run again: the same run, a new attempt, new jobs, rules from zero.
    pub fn rerun(&self, run: RunId, by: UserId) -> Result<(), Refused> {
        todo!()
    }

    /// Cancels a run that isn't completed.
    pub fn cancel_run(&self, run: RunId, by: UserId) -> Result<(), Refused> {
        todo!()
    }

    /// Lets the thirty days pass for which jobs may wait: those that do fail.
    pub fn time_out(&self, run: RunId) {
        todo!()
    }

    /// Ends a running job.
    pub fn finish_job(&self, job: JobId, conclusion: Conclusion) {
        todo!()
    }

    /// One run.
    pub fn run(&self, run: RunId) -> Option<RunView> {
        todo!()
    }

    /// One job.
    pub fn job(&self, job: JobId) -> Option<JobView> {
        todo!()
    }

    /// A run's jobs, oldest first, those of former attempts included.
    pub fn jobs(&self, run: RunId) -> Vec<JobView> {
        todo!()
    }

    /// The newest job of this name in a run; none before it is reached.
    pub fn job_named(&self, run: RunId, name: &str) -> Option<JobId> {
        todo!()
    }

    /// The deployment of a job.
    pub fn deployment_of(&self, job: JobId) -> Option<DeploymentId> {
        todo!()
    }

    /// One deployment.
    pub fn deployment(&self, deployment: DeploymentId) -> Option<DeploymentView> {
        todo!()
    }
}
