//! What GitLab shows beside the merge request: its environments page.

use super::super::stage::Stage;
use super::super::world::Forge;
use super::view::clock;
use crate::domain::id::short_sha;
use crate::sim::gitlab::{DeploymentId, DeploymentView};

/// A row of the environments page.
pub(crate) struct Environment {
    /// Its name.
    pub(crate) name: &'static str,
    /// Approvals that Countersign's policy asks for.
    pub(crate) needed: u32,
    /// The newest deployment.
    pub(crate) newest: Option<Row>,
    /// SHA of what is live.
    pub(crate) live: Option<String>,
}

/// A deployment as GitLab shows it.
pub(crate) struct Row {
    /// Id.
    pub(crate) id: DeploymentId,
    /// GitLab's status.
    pub(crate) status: String,
    /// Short SHA.
    pub(crate) sha: String,
    /// Who started it.
    pub(crate) user: String,
    /// When, UTC.
    pub(crate) at: String,
    /// The job's status.
    pub(crate) job: String,
    /// GitLab's own approvals: `countersign approved`.
    pub(crate) votes: Vec<String>,
    /// It can be retried.
    pub(crate) can_retry: bool,
}

/// The environments page.
pub(super) fn environments(stage: &Stage) -> Vec<Environment> {
    let wanted = Forge::GitLab.environments().iter();
    wanted.map(|(name, needed)| environment(stage, name, *needed)).collect()
}

fn environment(stage: &Stage, name: &'static str, needed: u32) -> Environment {
    let shop = &stage.world.gitlab;
    let rows = shop.twin.environments(shop.project);
    let known = rows.iter().find(|row| row.name == name);
    let live = known.and_then(|row| row.live).and_then(|id| shop.twin.deployment(id));
    let newest = known.and_then(|row| row.upcoming).and_then(|id| shop.twin.deployment(id));
    Environment {
        name,
        needed,
        newest: newest.map(|deployment| row(stage, &deployment)),
        live: live.map(|deployment| short_sha(&deployment.sha).to_owned()),
    }
}

fn row(stage: &Stage, deployment: &DeploymentView) -> Row {
    let job = deployment.job.and_then(|job| stage.world.gitlab.twin.job(job));
    // GitLab retries no job whose deployment was rejected.
    let rejected = job.as_ref().is_some_and(|job| job.failure_reason.is_some());
    let ended = matches!(deployment.status.as_str(), "success" | "failed" | "canceled");
    let votes = deployment.approvals.iter().map(|vote| format!("{} {}", vote.user, vote.status));
    Row {
        id: deployment.id,
        status: deployment.status.clone(),
        sha: short_sha(&deployment.sha).to_owned(),
        user: deployment.user.clone(),
        at: clock(deployment.created_at),
        job: job.map(|job| format!("{}: {}", job.name, job.status)).unwrap_or_default(),
        votes: votes.collect(),
        can_retry: ended && !rejected,
    }
}
