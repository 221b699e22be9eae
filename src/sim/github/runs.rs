//! Workflow runs, their jobs and deployments: what they are and how they are started.

use jiff::Timestamp;

use super::state::State;
use super::{
    DeploymentId, EnvironmentId, GitHub, JobId, Number, PostedReview, Refused, RepositoryId, RunId, UserId,
};

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

/// Whose the deployments of a run are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Creator {
    /// Who triggered the attempt.
    Trigger,
    Account(UserId),
    Nobody,
}

/// A workflow run to be started.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub(super) event: String,
    pub(super) branch: String,
    pub(super) sha: String,
    pub(super) actor: UserId,
    pub(super) triggering_actor: Option<UserId>,
    pub(super) creator: Creator,
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
            creator: Creator::Trigger,
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
        self.creator = creator.map_or(Creator::Nobody, Creator::Account);
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

impl Conclusion {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) repository: RepositoryId,
    pub(super) number: u64,
    pub(super) event: String,
    pub(super) branch: String,
    pub(super) sha: String,
    /// What is checked out, and so deployed: for pull requests not the head.
    pub(super) deploy_ref: String,
    pub(super) deploy_sha: String,
    pub(super) actor: UserId,
    pub(super) creator: Creator,
    pub(super) title: String,
    pub(super) specs: Vec<JobSpec>,
    /// Oldest first; never empty.
    pub(super) attempts: Vec<Attempt>,
    pub(super) approvals: Vec<Approval>,
    pub(super) posted: Vec<PostedReview>,
    pub(super) created_at: Timestamp,
}

impl Run {
    /// Number of the newest attempt.
    pub(super) fn attempt(&self) -> u64 {
        self.attempts.len() as u64
    }

    pub(super) fn is_completed(&self) -> bool {
        self.attempts.last().is_none_or(|attempt| attempt.status == "completed")
    }

    pub(super) fn triggering_actor(&self) -> UserId {
        self.attempts.last().map_or(self.actor, |attempt| attempt.by)
    }
}

pub(super) struct Attempt {
    pub(super) by: UserId,
    pub(super) jobs: Vec<JobId>,
    pub(super) status: &'static str,
    pub(super) conclusion: Option<Conclusion>,
    pub(super) cancelled: bool,
    pub(super) started_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// An entry of a run's review history.
pub(super) struct Approval {
    pub(super) environment: EnvironmentId,
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) comment: String,
    pub(super) user: UserId,
}

pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) run: RunId,
    pub(super) attempt: u64,
    pub(super) spec: JobSpec,
    pub(super) status: &'static str,
    pub(super) conclusion: Option<Conclusion>,
    pub(super) deployment: Option<DeploymentId>,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) transitions: Vec<(Timestamp, &'static str)>,
}

impl Job {
    fn view(&self) -> JobView {
        JobView {
            id: self.id,
            name: self.spec.name.clone(),
            attempt: self.attempt,
            status: self.status.into(),
            conclusion: self.conclusion.map(|end| end.word().into()),
            environment: self.spec.environment.clone(),
            deployment: self.deployment,
            transitions: self.transitions.iter().map(|(at, status)| (*at, (*status).into())).collect(),
        }
    }
}

pub(super) struct Deployment {
    pub(super) id: DeploymentId,
    pub(super) repository: RepositoryId,
    pub(super) run: RunId,
    pub(super) job: JobId,
    pub(super) environment: String,
    pub(super) sha: String,
    pub(super) git_ref: String,
    pub(super) creator: Option<UserId>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    /// Oldest first.
    pub(super) statuses: Vec<DeploymentStatus>,
}

pub(super) struct DeploymentStatus {
    pub(super) id: u64,
    pub(super) state: &'static str,
    pub(super) at: Timestamp,
}

impl GitHub {
    /// Starts a run. Its jobs are created when they are reached, as GitHub does it.
    pub fn start_run(&self, repository: RepositoryId, new: NewRun) -> RunId {
        self.with(|state| state.start_run(repository, new))
    }

    /// Runs all jobs of a completed run again: the same run, a new attempt, new jobs, rules from zero.
    pub fn rerun(&self, run: RunId, by: UserId) -> Result<(), Refused> {
        self.with(|state| state.rerun(run, by))
    }

    /// Cancels a run that isn't completed.
    pub fn cancel_run(&self, run: RunId, by: UserId) -> Result<(), Refused> {
        self.with(|state| state.cancel_run(run, by))
    }

    /// Lets the thirty days pass for which jobs may wait: those that do fail.
    pub fn time_out(&self, run: RunId) {
        self.with(|state| state.fail_waiting(|gate| gate.run == run));
    }

    /// Ends a running job.
    pub fn finish_job(&self, job: JobId, conclusion: Conclusion) {
        self.with(|state| state.finish_job(job, conclusion));
    }

    /// One run.
    pub fn run(&self, run: RunId) -> Option<RunView> {
        self.with(|state| state.run_view(run))
    }

    /// One job.
    pub fn job(&self, job: JobId) -> Option<JobView> {
        self.with(|state| state.jobs.get(&job).map(Job::view))
    }

    /// A run's jobs, oldest first, those of former attempts included.
    pub fn jobs(&self, run: RunId) -> Vec<JobView> {
        self.with(|state| state.jobs.values().filter(|known| known.run == run).map(Job::view).collect())
    }

    /// The newest job of this name in a run; none before it is reached.
    pub fn job_named(&self, run: RunId, name: &str) -> Option<JobId> {
        self.with(|state| {
            let newest = state.jobs.values().rfind(|known| known.run == run && known.spec.name == name);
            newest.map(|known| known.id)
        })
    }

    /// The deployment of a job.
    pub fn deployment_of(&self, job: JobId) -> Option<DeploymentId> {
        self.with(|state| state.jobs.get(&job).and_then(|known| known.deployment))
    }

    /// One deployment.
    pub fn deployment(&self, deployment: DeploymentId) -> Option<DeploymentView> {
        self.with(|state| state.deployment_view(deployment))
    }
}

impl State {
    fn run_view(&self, run: RunId) -> Option<RunView> {
        let known = self.runs.get(&run)?;
        let attempt = known.attempts.last()?;
        Some(RunView {
            id: run,
            attempt: known.attempt(),
            status: attempt.status.into(),
            conclusion: attempt.conclusion.map(|end| end.word().into()),
            head_sha: known.sha.clone(),
            triggering_actor: self.login_of(attempt.by),
        })
    }

    fn deployment_view(&self, deployment: DeploymentId) -> Option<DeploymentView> {
        let known = self.deployments.get(&deployment)?;
        Some(DeploymentView {
            id: known.id,
            environment: known.environment.clone(),
            sha: known.sha.clone(),
            creator: known.creator.map(|user| self.login_of(user)),
            states: known.statuses.iter().map(|status| status.state.into()).collect(),
        })
    }
}
