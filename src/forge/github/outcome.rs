//! How a deployment went that waits no more. GitHub's deployment records tell, by the addresses of the jobs that
//! wrote their statuses; where there is none (`deployment: false`) only the attempt as a whole does.

use super::GitHub;
use super::decimal::positive;
use super::native::Spot;
use super::sighting::{attempt, began_at, ended, seen};
use super::wire::{Deployment, DeploymentState, DeploymentStatus, Job, ReviewState, Run, RunStatus};
use crate::domain::id::ProjectId;
use crate::ports::failure::Failure;
use crate::ports::forge::{JobSeen, Progress, Sighting};

/// Deployments of an environment that are looked through, newest first, and how many of them in full.
const RECENT: &str = "10";
const READ_IN_FULL: usize = 4;

/// A deployment record, and the job of the attempt that wrote its statuses.
pub(super) struct Record {
    pub(super) deployment: Deployment,
    job: Job,
    /// The job began to deploy: its own times don't tell, a job that waits has a beginning too.
    began: bool,
}

impl GitHub {
    /// How a deployment of an attempt went on.
    pub(super) async fn look_back(
        &self,
        project: ProjectId,
        spot: &Spot,
        (newest, jobs): (Run, &[Job]),
    ) -> Result<Sighting, Failure> {
        let is_over = attempt(&newest) > spot.attempt;
        let run = if is_over { self.attempt(project, spot).await? } else { newest };
        let records = self.records(project, spot, (&run, jobs)).await?;
        let mut sighting = seen(&run, &spot.environment, Progress::Running);
        sighting.native = spot.native();
        let Some(record) = records.iter().max_by_key(|record| weight(&record.job)) else {
            sighting.state = self.by_the_run(project, spot, &run, is_over).await?;
            return Ok(sighting);
        };
        sighting.state = match record.job.status {
            RunStatus::Completed => ended(record.job.conclusion),
            _ if is_over => Progress::Cancelled,
            RunStatus::Waiting => return Err(between()),
            RunStatus::Requested
            | RunStatus::Queued
            | RunStatus::Pending
            | RunStatus::InProgress
            | RunStatus::Other => Progress::Running,
        };
        let Job { id, ref name, .. } = record.job;
        let started = record.began;
        sighting.job = Some(JobSeen { id, name: name.clone(), manual: false, started, user: None });
        Ok(sighting)
    }

    /// The records of an environment that jobs of this attempt wrote, newest first.
    pub(super) async fn records(
        &self,
        project: ProjectId,
        spot: &Spot,
        (run, jobs): (&Run, &[Job]),
    ) -> Result<Vec<Record>, Failure> {
        let query = [("environment", spot.environment.as_str()), ("per_page", RECENT)];
        let mut recent: Vec<Deployment> = self.read(project, &["deployments"], &query).await?;
        recent.retain(|deployment| deployment.created_at >= began_at(run));
        // A pull request's deployment has the merge commit and not the head: others are tried as well.
        recent.sort_by_key(|deployment| deployment.sha != run.head_sha);
        let mut records = Vec::new();
        for deployment in recent.into_iter().take(READ_IN_FULL) {
            let id = deployment.id.to_string();
            let statuses: Option<Vec<DeploymentStatus>> =
                self.find(project, &["deployments", &id, "statuses"]).await?;
            let statuses = statuses.unwrap_or_default();
            if let Some(job) = job_of(spot, jobs, &statuses) {
                let (job, began) = (job.clone(), statuses.iter().any(tells_of_a_beginning));
                records.push(Record { deployment, job, began });
            }
        }
        records.sort_by_key(|record| std::cmp::Reverse(record.deployment.id));
        Ok(records)
    }

    /// Nothing tells of this deployment alone. Nobody is said to have gone past the gate where it may have been
    /// rejected.
    async fn by_the_run(
        &self,
        project: ProjectId,
        spot: &Spot,
        run: &Run,
        is_over: bool,
    ) -> Result<Progress, Failure> {
        if run.status == Some(RunStatus::Completed) {
            return Ok(ended(run.conclusion));
        }
        if is_over {
            return Ok(Progress::Cancelled);
        }
        let reviews = self.reviews(project, spot).await?;
        let rejected = reviews.iter().any(|review| review.state == ReviewState::Rejected);
        Ok(if rejected { Progress::Failed } else { Progress::Running })
    }
}

/// Of several jobs on one environment, the one whose end is worst tells; one that still runs before all.
fn weight(job: &Job) -> u8 {
    match (job.status, ended(job.conclusion)) {
        (RunStatus::Completed, Progress::Failed) => 2,
        (RunStatus::Completed, Progress::Cancelled) => 1,
        (RunStatus::Completed, Progress::Succeeded | Progress::Running | Progress::Waiting) => 0,
        (RunStatus::Waiting, _) => 3,
        (
            RunStatus::Requested
            | RunStatus::Queued
            | RunStatus::Pending
            | RunStatus::InProgress
            | RunStatus::Other,
            _,
        ) => 4,
    }
}

/// The job of the attempt that wrote one of these statuses.
fn job_of<'a>(spot: &Spot, jobs: &'a [Job], statuses: &[DeploymentStatus]) -> Option<&'a Job> {
    let of_attempt = |job: &&Job| job.run_attempt.is_none_or(|of| of == spot.attempt);
    let pages = statuses.iter().filter_map(|status| status.log_url.as_deref());
    let mut ids = pages.filter_map(|page| job_on_page(spot.run, page));
    ids.find_map(|id| jobs.iter().filter(of_attempt).find(|job| job.id == id))
}

/// `…/actions/runs/{run}/job/{job}`. The repository may have had another name then.
fn job_on_page(run: i64, page: &str) -> Option<i64> {
    let (_, job) = page.split_once(&format!("/actions/runs/{run}/job/"))?;
    positive(job)
}

fn tells_of_a_beginning(status: &DeploymentStatus) -> bool {
    matches!(status.state, DeploymentState::InProgress | DeploymentState::Success)
}

/// Its gate has just opened, or is about to be shown: neither is known yet.
fn between() -> Failure {
    let what = "GitHub shows that the job waits, and not yet for what".to_owned();
    Failure::Unavailable { what, retry_after: None }
}
