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
/// A branch may have any name, also one that looks like a pull request's ref or a merge queue's, and a fork's
/// owner names it: such a name counts only where GitHub says that a queue started the run.
fn pull_request(run: &Run) -> Option<i64> {
    let branch = run.head_branch.as_deref().unwrap_or_default();
    match run.event.as_deref()? {
        "merge_group" => queued(branch),
        "pull_request" | "pull_request_target" => by_head(run),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn run(event: &str, branch: &str, requests: &[(i64, &str)]) -> Run {
        let requests: Vec<Value> = requests
            .iter()
            .map(|(number, sha)| json!({ "number": number, "head": { "sha": sha, "ref": branch } }))
            .collect();
        let at = "2026-11-21T08:00:00Z";
        let run = json!({ "id": 1, "event": event, "head_branch": branch, "head_sha": "9f1c",
            "created_at": at, "updated_at": at, "pull_requests": requests });
        serde_json::from_value(run).unwrap()
    }

    #[rstest]
    #[case::the_one_with_its_head("pull_request", "feature", &[(6, "aa00"), (7, "9f1c")], Some(7))]
    #[case::several_with_its_head("pull_request", "feature", &[(6, "9f1c"), (7, "9f1c")], None)]
    #[case::of_a_fork("pull_request", "feature", &[], None)]
    #[case::a_forks_branch_called_like_a_ref("pull_request_target", "refs/pull/7/merge", &[], None)]
    #[case::the_same_with_its_head("pull_request", "refs/pull/7/merge", &[(8, "9f1c")], Some(8))]
    #[case::a_push_is_nobodys("push", "feature", &[(7, "9f1c")], None)]
    #[case::a_branch_called_like_a_ref("push", "refs/pull/7/merge", &[], None)]
    #[case::a_branch_called_like_a_queue("push", "gh-readonly-queue/main/pr-7-9f1c", &[], None)]
    #[case::a_queue("merge_group", "gh-readonly-queue/main/pr-7-9f1c", &[], Some(7))]
    #[case::a_queue_for_a_branch_with_slashes("merge_group", "gh-readonly-queue/release/1/pr-7-9f1c", &[], Some(7))]
    #[case::a_full_ref("merge_group", "refs/heads/gh-readonly-queue/main/pr-7-9f1c", &[], Some(7))]
    #[case::no_queue("merge_group", "gh-readonly-queue/main/pr-x-9f1c", &[], None)]
    #[case::no_queue_either("merge_group", "main", &[], None)]
    fn a_run_may_name_its_pull_request(
        #[case] event: &str,
        #[case] branch: &str,
        #[case] requests: &[(i64, &str)],
        #[case] number: Option<i64>,
    ) {
        let run = run(event, branch, requests);
        let seen = seen(&run, "production", Progress::Running);
        assert_eq!(seen.merge_request, number);
        let by_pull_request = event.starts_with("pull_request") && number.is_some();
        assert_eq!(seen.ref_name == branch, !by_pull_request);
    }

    #[rstest]
    #[case(Some(Conclusion::Success), Progress::Succeeded)]
    #[case(Some(Conclusion::Cancelled), Progress::Cancelled)]
    #[case(Some(Conclusion::Skipped), Progress::Cancelled)]
    #[case(Some(Conclusion::Stale), Progress::Cancelled)]
    #[case(Some(Conclusion::Failure), Progress::Failed)]
    #[case(Some(Conclusion::TimedOut), Progress::Failed)]
    #[case(Some(Conclusion::Other), Progress::Failed)]
    #[case(None, Progress::Failed)]
    fn only_success_is_success(#[case] conclusion: Option<Conclusion>, #[case] end: Progress) {
        assert_eq!(ended(conclusion), end);
    }
}
