//! What a look at a run says of one of its deployments, in our words.

use super::decimal::positive;
use super::native::Spot;
use super::wire::{Conclusion, Job, PendingDeployment, Run, RunStatus};
use crate::domain::actor::Account;
use crate::ports::forge::{JobSeen, Progress, Sighting};
use jiff::Timestamp;

/// The newest attempt, or the one that was asked for.
pub(super) fn attempt(run: &Run) -> i64 {
    run.attempt.unwrap_or(1)
}

/// When the attempt began.
pub(super) fn began_at(run: &Run) -> Timestamp {
    run.started_at.unwrap_or(run.created_at)
}

/// The deployment that waits at this environment in the run's newest attempt, if one of its jobs waits at all.
pub(super) fn waiting(run: &Run, pending: &PendingDeployment, jobs: &[Job]) -> Option<Sighting> {
    let newest = |job: &&Job| job.run_attempt.is_none_or(|of| of == attempt(run));
    let mut waiting = jobs.iter().filter(newest).filter(|job| job.status == RunStatus::Waiting);
    let job = waiting.next()?;
    let environment = &pending.environment.name;
    let name = if waiting.next().is_none() { &job.name } else { environment };
    let mut sighting = seen(run, environment, Progress::Waiting);
    // The run changes with every one of its jobs; this one waits since it is there.
    sighting.updated_at =
        job.created_at.map_or(run.updated_at, |at| at.min(run.updated_at)).max(sighting.created_at);
    sighting.job = Some(JobSeen { id: job.id, name: name.clone(), manual: true, started: false, user: None });
    sighting.held_by_others =
        !pending.reviewers.is_empty() || pending.wait_timer.is_some_and(|minutes| minutes > 0);
    Some(sighting)
}

/// A deployment of a run's attempt.
pub(super) fn seen(run: &Run, environment: &str, state: Progress) -> Sighting {
    let spot = Spot { run: run.id, attempt: attempt(run), environment: environment.to_owned() };
    let number = pull_request(run);
    let began = began_at(run);
    Sighting {
        native: spot.native(),
        number: None,
        order: began.as_millisecond(),
        environment: spot.environment,
        sha: run.head_sha.clone(),
        ref_name: ref_name(run, number),
        merge_request: number,
        title: run.display_title.clone(),
        run: run.id,
        job: None,
        url: run.html_url.clone(),
        started_by: starters(run),
        created_at: began,
        updated_at: run.updated_at.max(began),
        state,
        held_by_others: false,
        approvals: None,
    }
}

/// Who the run and this attempt of it are said to be started by.
fn starters(run: &Run) -> Vec<Account> {
    let mut starters: Vec<Account> = Vec::new();
    for user in run.actor.iter().chain(&run.triggering_actor) {
        if !starters.iter().any(|account| account.id.0 == user.id) {
            starters.push(user.account());
        }
    }
    starters
}

/// The pull request that the run itself names.
///
/// A branch may have any name, also one that looks like a pull request's ref or a merge queue's: such names count
/// only where GitHub says that the run was started by a pull request, or by a queue.
fn pull_request(run: &Run) -> Option<i64> {
    let branch = run.head_branch.as_deref().unwrap_or_default();
    match run.event.as_deref()? {
        "merge_group" => queued(branch),
        "pull_request" | "pull_request_target" => of_ref(branch).or_else(|| by_head(run)),
        _ => None,
    }
}

/// `refs/pull/7/merge`.
fn of_ref(name: &str) -> Option<i64> {
    let (number, end) = name.strip_prefix("refs/pull/")?.split_once('/')?;
    positive(number).filter(|_| matches!(end, "merge" | "head"))
}

/// `gh-readonly-queue/main/pr-7-9f1c2d3e`; the base branch may hold slashes.
fn queued(branch: &str) -> Option<i64> {
    let rest = branch.strip_prefix("refs/heads/").unwrap_or(branch).strip_prefix("gh-readonly-queue/")?;
    let (_, last) = rest.rsplit_once('/')?;
    positive(last.strip_prefix("pr-")?.split_once('-')?.0)
}

/// The one open pull request with the run's head. Several may have it: then none is meant.
fn by_head(run: &Run) -> Option<i64> {
    let requests = run.pull_requests.as_deref().unwrap_or_default();
    let ours = |sha: &str| sha == run.head_sha;
    let mut found = requests.iter().filter(|r| r.head.as_ref().is_some_and(|head| ours(&head.sha)));
    let number = found.next()?.number;
    found.next().is_none().then_some(number)
}

/// A fork's branch may be called like one of ours: of a pull request, its own ref is named.
fn ref_name(run: &Run, number: Option<i64>) -> String {
    let branch = run.head_branch.clone().unwrap_or_default();
    match (run.event.as_deref(), number) {
        (Some("pull_request" | "pull_request_target"), Some(number)) => format!("refs/pull/{number}/merge"),
        (Some(_) | None, _) => branch,
    }
}

/// How a job or a run ended.
pub(super) fn ended(conclusion: Option<Conclusion>) -> Progress {
    match conclusion {
        Some(Conclusion::Success) => Progress::Succeeded,
        Some(Conclusion::Cancelled | Conclusion::Skipped | Conclusion::Stale) => Progress::Cancelled,
        Some(
            Conclusion::Failure
            | Conclusion::Neutral
            | Conclusion::TimedOut
            | Conclusion::ActionRequired
            | Conclusion::StartupFailure
            | Conclusion::Other,
        )
        | None => Progress::Failed,
    }
}
