//! What GitHub shows beside the comments: the pull request's check runs, and the workflow's runs.

use super::super::markdown;
use super::super::stage::Stage;
use crate::domain::id::short_sha;
use crate::sim::github::{ActionView, ApprovalView, CheckRunId, CheckRunView, JobView, RunId, RunView};

/// A check run of the pull request's newest commit.
pub(crate) struct Check {
    /// Id.
    pub(crate) id: CheckRunId,
    /// Its name.
    pub(crate) name: String,
    /// Its conclusion, or its status before it has one.
    pub(crate) conclusion: String,
    /// Title of its output.
    pub(crate) title: String,
    /// Summary of its output as inert HTML ([`markdown::html`]).
    pub(crate) html: String,
    /// Its buttons.
    pub(crate) buttons: Vec<ActionView>,
}

/// The newest run of the workflow.
pub(crate) struct Run {
    /// Id.
    pub(crate) id: RunId,
    /// Which run of the workflow it is, from 1.
    pub(crate) number: usize,
    /// Its newest attempt, from 1.
    pub(crate) attempt: u64,
    /// Its conclusion, or its status before it has one.
    pub(crate) status: String,
    /// Short SHA.
    pub(crate) sha: String,
    /// Who started the attempt.
    pub(crate) user: String,
    /// The attempt's jobs: `deploy: waiting`.
    pub(crate) jobs: Vec<String>,
    /// What was last said of its environment: `countersign[bot] approved`, and the words as inert HTML.
    pub(crate) review: Option<(String, String)>,
    /// It is over, and can be run again.
    pub(crate) can_rerun: bool,
    /// Jobs wait, and an administrator can start them past the rule.
    pub(crate) waits: bool,
    /// Former runs: `#1 success`.
    pub(crate) earlier: Vec<String>,
}

/// The check runs, by name.
pub(super) fn checks(stage: &Stage) -> Vec<Check> {
    stage.world.github.checks().into_iter().map(Check::from).collect()
}

/// The newest run.
pub(super) fn newest_run(stage: &Stage) -> Option<Run> {
    let shop = &stage.world.github;
    let mut runs = shop.runs();
    let newest = runs.pop()?;
    let earlier = runs.iter().enumerate().map(|(at, run)| format!("#{} {}", at + 1, status(run)));
    let review = shop.twin.approvals(newest.id).pop();
    let told =
        |said: ApprovalView| (format!("{} {}", said.user, word(&said.state)), markdown::html(&said.comment));
    Some(Run {
        number: runs.len() + 1,
        attempt: newest.attempt,
        status: status(&newest),
        sha: short_sha(&newest.head_sha).to_owned(),
        user: newest.triggering_actor.clone(),
        jobs: shop.jobs(&newest).iter().map(job).collect(),
        review: review.map(told),
        can_rerun: newest.status == "completed",
        waits: !shop.twin.pending_environments(newest.id).is_empty(),
        earlier: earlier.rev().collect(),
        id: newest.id,
    })
}

fn status(run: &RunView) -> String {
    run.conclusion.clone().unwrap_or_else(|| run.status.clone())
}

fn job(job: &JobView) -> String {
    format!("{}: {}", job.name, job.conclusion.as_ref().unwrap_or(&job.status))
}

fn word(state: &str) -> &str {
    if state == "pending" { "reports" } else { state }
}

impl From<CheckRunView> for Check {
    fn from(check: CheckRunView) -> Self {
        Self {
            id: check.id,
            name: check.name,
            conclusion: check.conclusion.unwrap_or(check.status),
            title: check.title.unwrap_or_default(),
            html: markdown::html(&check.summary.unwrap_or_default()),
            buttons: check.buttons,
        }
    }
}
