//! Answers with more, less and other things in them than we know of.

use super::super::client::Page as _;
use super::super::wire::{
    Conclusion, DeploymentState, DeploymentStatus, Jobs, MembershipState, PendingDeployment, PullRequest,
    Review, ReviewState, Run, RunStatus, User, UserKind,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_run_is_read_with_what_it_has() {
    let run: Run = read(json!({
        "id": 30_433_642, "name": null, "node_id": "x", "head_branch": null, "head_sha": "acb5820",
        "path": ".github/workflows/deploy.yml@main", "display_title": "Fix it", "run_number": 5,
        "event": "push", "status": "waiting", "conclusion": null, "run_attempt": 2,
        "html_url": "https://github.com/acme/shop/actions/runs/30433642",
        "pull_requests": [{"id": 1, "number": 7, "head": {"ref": "fix", "sha": "acb5820", "repo": {"id": 7}},
                           "base": {"ref": "main", "sha": "ffff"}}],
        "created_at": "2026-11-21T08:00:00Z", "updated_at": "2026-11-21T08:00:01Z",
        "run_started_at": "2026-11-21T08:00:00Z",
        "actor": {"login": "dana", "id": 5, "type": "User"},
        "triggering_actor": {"login": "alice", "id": 6, "type": "User", "site_admin": false},
    }));
    assert_eq!((run.status, run.conclusion, run.attempt), (Some(RunStatus::Waiting), None, Some(2)));
    assert_eq!(run.triggering_actor.unwrap().account().username, "alice");
    assert_eq!(run.pull_requests.unwrap()[0].head.as_ref().unwrap().sha, "acb5820");
}

#[test]
fn a_bare_run_of_tomorrow_is_read_too() {
    let run: Run = read(json!({
        "id": 1, "head_sha": "acb5820", "status": "hibernating", "conclusion": "evaporated", "pull_requests": null,
        "created_at": "2026-11-21T08:00:00Z", "updated_at": "2026-11-21T08:00:00Z",
    }));
    assert_eq!((run.status, run.conclusion), (Some(RunStatus::Other), Some(Conclusion::Other)));
    assert!(run.actor.is_none() && run.pull_requests.is_none());
}

#[test]
fn jobs_stand_in_a_page() {
    let job = json!({"id": 9, "run_id": 1, "name": "deploy", "status": "waiting", "conclusion": null,
                     "started_at": "2026-11-21T08:00:00Z", "completed_at": null, "run_attempt": 1});
    let jobs = read::<Jobs>(json!({"total_count": 1, "jobs": [job]})).items();
    assert_eq!((jobs[0].id, jobs[0].status), (9, RunStatus::Waiting));
}

#[test]
fn a_report_is_no_decision() {
    let reviews: Vec<Review> = read(json!([
        {"state": "pending", "comment": "0 of 1", "user": {"id": 1, "login": "countersign[bot]", "type": "Bot"},
         "environments": [{"id": 3, "node_id": "x", "name": "prod/eu", "url": "…"}]},
        {"state": "deferred", "comment": "", "user": null, "environments": []},
    ]));
    assert_eq!((reviews[0].state, reviews[1].state), (ReviewState::Pending, ReviewState::Other));
    assert_eq!(reviews[0].environments[0].name, "prod/eu");
}

#[test]
fn what_a_run_waits_for_is_read() {
    let pending: Vec<PendingDeployment> = read(json!([{
        "environment": {"id": 3, "name": "production"}, "wait_timer": 30,
        "wait_timer_started_at": "2026-11-21T08:00:00Z", "current_user_can_approve": false,
        "reviewers": [{"type": "Team", "reviewer": {"id": 1, "slug": "sre"}}],
    }]));
    assert_eq!((pending[0].wait_timer, pending[0].reviewers.len()), (Some(30), 1));
}

#[test]
fn states_that_are_not_known_are_other() {
    let status: DeploymentStatus = read(
        json!({"id": 1, "state": "paused", "created_at": "2026-11-21T08:00:00Z", "creator": null, "log_url": ""}),
    );
    assert_eq!(status.state, DeploymentState::Other);
    assert_eq!(read::<MembershipState>(json!("invited")), MembershipState::Other);
    assert_eq!(read::<UserKind>(json!("Mannequin")), UserKind::Other);
}

#[test]
fn a_pull_request_outlives_its_author_and_fork() {
    let pull: PullRequest = read(json!({
        "number": 7, "title": "Fix it", "state": "open", "user": null, "locked": false, "merged_by": null,
        "head": {"label": "x", "ref": "fix", "sha": "acb5820", "user": null, "repo": null},
        "base": {"ref": "main", "sha": "ffff", "repo": {"id": 7, "owner": {"id": 500, "login": "acme"}}},
        "merge_commit_sha": null, "merged_at": null,
    }));
    assert!(pull.user.is_none() && pull.head.repo.is_none() && pull.base.repo.is_some());
}

#[test]
fn an_account_of_unsaid_kind_is_no_person() {
    assert!(read::<User>(json!({"id": 5, "login": "dana"})).account().bot);
    assert!(!read::<User>(json!({"id": 5, "login": "dana", "type": "User"})).account().bot);
}
