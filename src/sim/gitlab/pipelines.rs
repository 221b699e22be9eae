//! Pipelines, jobs and deployments: what they are, and what people do with them.

use jiff::{SignedDuration, Timestamp};

use super::approvals::Approval;
use super::state::Refused;
use super::{DeploymentId, GitLab, JobId, PipelineId, ProjectId, UserId};

/// A job of a pipeline to be run.
#[derive(Clone, Debug)]
pub struct JobSpec {
    pub(super) name: String,
    pub(super) stage: String,
    pub(super) environment: Option<(String, String)>,
    pub(super) manual: bool,
    pub(super) allow_failure: bool,
    pub(super) held: bool,
}

impl JobSpec {
    /// A job in the stage `deploy` that starts at once and needs no environment.
    pub fn new(name: impl Into<String>) -> Self {
        let (stage, environment) = ("deploy".into(), None);
        Self { name: name.into(), stage, environment, manual: false, allow_failure: false, held: false }
    }

    /// One job per variant, as `parallel:matrix` names them: `deploy: [eu]`, `deploy: [us]`.
    pub fn matrix(&self, variants: &[&str]) -> Vec<Self> {
        let named = |variant: &&str| Self { name: format!("{}: [{variant}]", self.name), ..self.clone() };
        variants.iter().map(named).collect()
    }

    /// Another stage.
    pub fn stage(mut self, stage: impl Into<String>) -> Self {
        self.stage = stage.into();
        self
    }

    /// Deploys to this environment.
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some((name.into(), "start".into()));
        self
    }

    /// What it does to its environment: `start`, `stop`, `prepare`, `verify`, `access`. Only `start` deploys.
    pub fn action(mut self, action: impl Into<String>) -> Self {
        if let Some(environment) = &mut self.environment {
            environment.1 = action.into();
        }
        self
    }

    /// Waits for somebody to play it.
    pub fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    /// Doesn't fail its pipeline.
    pub fn allow_failure(mut self) -> Self {
        self.allow_failure = true;
        self
    }

    /// Isn't reached yet: stays `created` until [`GitLab::reach_job`].
    pub fn held(mut self) -> Self {
        self.held = true;
        self
    }
}

/// A pipeline to be run.
#[derive(Clone, Debug)]
pub struct NewPipeline {
    pub(super) git_ref: String,
    pub(super) sha: String,
    pub(super) user: UserId,
    pub(super) source: String,
    pub(super) jobs: Vec<JobSpec>,
}

impl NewPipeline {
    /// One for a push. A merge-request pipeline's ref is `refs/merge-requests/IID/head`.
    pub fn new(git_ref: impl Into<String>, sha: impl Into<String>, user: UserId) -> Self {
        Self { git_ref: git_ref.into(), sha: sha.into(), user, source: "push".into(), jobs: Vec::new() }
    }

    /// Another source: `schedule`, `pipeline` (downstream), `merge_request_event`, …
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// With this job.
    pub fn job(mut self, job: JobSpec) -> Self {
        self.jobs.push(job);
        self
    }

    /// With these jobs.
    pub fn jobs(mut self, jobs: impl IntoIterator<Item = JobSpec>) -> Self {
        self.jobs.extend(jobs);
        self
    }
}

/// Many blocked deployments from long ago, each of its own pipeline. No hooks are sent for them.
#[derive(Clone, Debug)]
pub struct OldDeployments {
    /// How many.
    pub count: u32,
    /// Where.
    pub environment: String,
    /// Who started them.
    pub user: UserId,
    /// When the oldest was.
    pub since: Timestamp,
    /// The time between two of them.
    pub every: SignedDuration,
}

pub(super) struct Pipeline {
    pub(super) id: PipelineId,
    pub(super) iid: u64,
    pub(super) project: ProjectId,
    pub(super) git_ref: String,
    pub(super) sha: String,
    pub(super) user: UserId,
    pub(super) source: String,
    pub(super) status: &'static str,
    pub(super) jobs: Vec<JobId>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl Pipeline {
    /// The merge request that its ref names, for `refs/merge-requests/N/(head|merge|train)`.
    pub(super) fn merge_request(&self) -> Option<u64> {
        self.git_ref.strip_prefix("refs/merge-requests/")?.split('/').next()?.parse().ok()
    }
}

pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) project: ProjectId,
    pub(super) pipeline: PipelineId,
    pub(super) spec: JobSpec,
    pub(super) user: UserId,
    pub(super) status: &'static str,
    pub(super) failure_reason: Option<&'static str>,
    pub(super) retried: bool,
    pub(super) plays: u32,
    pub(super) deployment: Option<DeploymentId>,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) transitions: Vec<(Timestamp, &'static str)>,
}

pub(super) struct Environment {
    pub(super) id: u64,
    pub(super) project: ProjectId,
    pub(super) name: String,
}

pub(super) struct Deployment {
    pub(super) id: DeploymentId,
    pub(super) iid: u64,
    pub(super) project: ProjectId,
    pub(super) environment: u64,
    pub(super) git_ref: String,
    pub(super) sha: String,
    pub(super) user: UserId,
    pub(super) job: Option<JobId>,
    pub(super) status: &'static str,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) approvals: Vec<Approval>,
}

impl GitLab {
    /// Runs a pipeline: jobs that aren't held start, or wait when they are manual or need approvals.
    pub fn run_pipeline(&self, project: ProjectId, new: NewPipeline) -> PipelineId {
        self.with(|state| state.run_pipeline(project, new))
    }

    /// The pipeline reaches a held job: it starts, or waits.
    pub fn reach_job(&self, job: JobId) {
        self.with(|state| state.reach(job));
    }

    /// Presses play in the pages. Returns the job that then runs: another one when this had already left `manual`.
    pub fn play_job(&self, job: JobId, by: UserId) -> Result<JobId, Refused> {
        self.with(|state| state.play(job, by))
    }

    /// Presses retry in the pages. Returns the new job.
    pub fn retry_job(&self, job: JobId, by: UserId) -> Result<JobId, Refused> {
        self.with(|state| state.retry(job, by))
    }

    /// Cancels a job in the pages.
    pub fn cancel_job(&self, job: JobId, by: UserId) -> Result<(), Refused> {
        self.with(|state| state.cancel(job, by))
    }

    /// A running job ends: `success` or failure.
    pub fn finish_job(&self, job: JobId, success: bool) {
        self.with(|state| state.move_job(job, if success { "success" } else { "failed" }));
    }

    /// Makes many old blocked deployments at once; returns their ids, the oldest first.
    pub fn add_old_blocked_deployments(&self, project: ProjectId, old: &OldDeployments) -> Vec<DeploymentId> {
        self.with(|state| state.add_old(project, old))
    }

    /// Deletes an environment and with it its deployments.
    pub fn delete_environment(&self, project: ProjectId, name: &str) {
        self.with(|state| {
            let named = |known: &Environment| known.project == project && known.name == name;
            let gone: Vec<u64> =
                state.environments.values().filter(|known| named(known)).map(|known| known.id).collect();
            state.environments.retain(|id, _| !gone.contains(id));
            state.deployments.retain(|_, deployment| !gone.contains(&deployment.environment));
        });
    }

    /// Deletes one deployment.
    pub fn delete_deployment(&self, deployment: DeploymentId) {
        self.with(|state| state.deployments.remove(&deployment));
    }
}
