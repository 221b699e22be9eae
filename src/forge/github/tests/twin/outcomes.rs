//! How deployments go on, once they wait no more.

use super::*;
use crate::domain::ledger::Word;
use crate::ports::failure::Failure;
use crate::ports::forge::{Gatekeeper as _, Landed, OwnVote, Progress};
use crate::sim::faults::{Action, Rule};
use crate::sim::github::{Conclusion, Reviewer};

async fn approve(stage: &Stage, native: &str) {
    let vote = OwnVote { word: Word::Approved, comment: "by alice".to_owned(), again: false };
    assert_eq!(stage.github.vote(&description(stage, native), &vote).await, Ok(Landed::Here));
}

/// State, and whether the job is known to have begun.
async fn went(stage: &Stage, native: &str) -> (Progress, Option<bool>) {
    let seen = stage.look(native).await;
    (seen.state, seen.job.map(|job| job.started))
}

#[tokio::test]
async fn a_released_job_is_followed_to_its_end() {
    for (conclusion, end) in [
        (Conclusion::Success, Progress::Succeeded),
        (Conclusion::Failure, Progress::Failed),
        (Conclusion::Cancelled, Progress::Cancelled),
    ] {
        let stage = stage().await;
        let run = stage.run(HEAD);
        approve(&stage, &native(run, 1)).await;
        assert_eq!(went(&stage, &native(run, 1)).await, (Progress::Running, Some(true)));
        stage.twin.finish_job(stage.twin.job_named(run, "deploy").unwrap(), conclusion);
        assert_eq!(went(&stage, &native(run, 1)).await, (end, Some(true)));
        // A later deployment of the environment changes nothing about this one.
        stage.wait(60);
        let later = stage.run(NEXT);
        approve(&stage, &native(later, 1)).await;
        assert_eq!(went(&stage, &native(run, 1)).await.0, end);
    }
}

#[tokio::test]
async fn a_job_that_never_ran_is_not_said_to_have() {
    let stage = stage().await;
    stage.twin.set_required_reviewers(stage.repository, "production", &[Reviewer::User(stage.bob)]);
    let rejected = stage.run(HEAD);
    stage.twin.review_as_reviewer(rejected, "production", stage.bob, false).unwrap();
    assert_eq!(went(&stage, &native(rejected, 1)).await, (Progress::Failed, Some(false)));
    stage.wait(60);
    let outdated = stage.run(NEXT);
    stage.twin.time_out(outdated);
    assert_eq!(went(&stage, &native(outdated, 1)).await, (Progress::Failed, Some(false)));
    stage.wait(60);
    let cancelled = stage.run(HEAD);
    stage.twin.cancel_run(cancelled, stage.dana).unwrap();
    assert_eq!(went(&stage, &native(cancelled, 1)).await, (Progress::Cancelled, Some(false)));
    stage.wait(60);
    let past_us = stage.run(NEXT);
    stage.twin.bypass(past_us, "production", stage.bob).unwrap();
    assert_eq!(went(&stage, &native(past_us, 1)).await, (Progress::Running, Some(true)));
}

#[tokio::test]
async fn an_attempt_keeps_its_end_when_the_run_is_started_again() {
    let stage = stage().await;
    let run = stage.run(HEAD);
    approve(&stage, &native(run, 1)).await;
    stage.twin.finish_job(stage.twin.job_named(run, "deploy").unwrap(), Conclusion::Success);
    let first = stage.look(&native(run, 1)).await;
    stage.wait(60);
    stage.twin.rerun(run, stage.alice).unwrap();
    let (old, new) = (stage.look(&native(run, 1)).await, stage.look(&native(run, 2)).await);
    assert_eq!(old, first);
    assert_eq!((old.state, new.state), (Progress::Succeeded, Progress::Waiting));
    assert!(new.order > old.order && new.created_at == stage.clock.time());
    let started_by: Vec<&str> = new.started_by.iter().map(|account| account.username.as_str()).collect();
    assert_eq!(started_by, ["dana", "alice"]);
    let listed = stage.waiting().await;
    assert_eq!(listed, [new]);
    let unknown = stage.github.deployment(stage.shop, &Native::new(native(run, 3))).await;
    assert!(matches!(unknown, Err(Failure::Unavailable { .. })), "it may only not be shown yet: {unknown:?}");
}

#[tokio::test]
async fn without_a_record_the_run_tells() {
    let stage = stage().await;
    let new = |sha| {
        let deploy = deploy().without_deployment();
        NewRun::push("main", sha, stage.dana).job(JobSpec::new("lint")).job(deploy)
    };
    let run = stage.twin.start_run(stage.repository, new(HEAD));
    assert_eq!(went(&stage, &native(run, 1)).await, (Progress::Waiting, Some(false)));
    approve(&stage, &native(run, 1)).await;
    assert_eq!(went(&stage, &native(run, 1)).await, (Progress::Running, None));
    for job in ["lint", "deploy"] {
        stage.twin.finish_job(stage.twin.job_named(run, job).unwrap(), Conclusion::Success);
    }
    assert_eq!(went(&stage, &native(run, 1)).await, (Progress::Succeeded, None));
    stage.wait(60);
    stage.twin.set_required_reviewers(stage.repository, "production", &[Reviewer::User(stage.bob)]);
    let rejected = stage.twin.start_run(stage.repository, new(NEXT));
    stage.twin.review_as_reviewer(rejected, "production", stage.bob, false).unwrap();
    assert_eq!(stage.twin.run(rejected).unwrap().status, "in_progress");
    assert_eq!(went(&stage, &native(rejected, 1)).await, (Progress::Failed, None));
}

#[tokio::test]
async fn a_gate_that_just_opens_accuses_nobody() {
    let stage = stage().await;
    let run = stage.run(HEAD);
    let nothing = Action::Answer { status: 200, body: "[]".to_owned() };
    stage.twin.add_fault(Rule::new("/pending_deployments", nothing));
    let between = stage.github.deployment(stage.shop, &Native::new(native(run, 1))).await;
    assert!(matches!(between, Err(Failure::Unavailable { .. })), "{between:?}");
}

#[tokio::test]
async fn a_run_that_is_gone_is_gone() {
    let stage = stage().await;
    stage.run(HEAD);
    let gone = stage.github.deployment(stage.shop, &Native::new("1.1:production")).await;
    assert_eq!(gone, Err(Failure::NotFound));
}
