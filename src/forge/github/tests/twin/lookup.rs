//! What waits, and whose it is.

use super::*;
use crate::ports::forge::Progress;
use crate::sim::github::{NewPullRequest, Reviewer};

#[tokio::test]
async fn a_job_that_waits_is_seen_with_its_run() {
    let stage = stage().await;
    let new =
        NewRun::push("main", HEAD, stage.dana).triggered_by(stage.alice).title("Sell more").job(deploy());
    let run = stage.twin.start_run(stage.repository, new);
    let seen = stage.look(&native(run, 1)).await;
    let job = stage.twin.job_named(run, "deploy").unwrap();
    let started_by: Vec<&str> = seen.started_by.iter().map(|account| account.username.as_str()).collect();
    assert_eq!(seen.native.as_str(), format!("{run}.1:production"));
    assert_eq!((seen.state, seen.held_by_others, seen.number), (Progress::Waiting, false, None));
    assert_eq!((seen.environment.as_str(), seen.sha.as_str()), ("production", HEAD));
    assert_eq!((seen.ref_name.as_str(), seen.merge_request), ("main", None));
    assert_eq!((seen.run, seen.order), (signed(run), stage.clock.time().as_millisecond()));
    assert_eq!((seen.title.as_deref(), started_by), (Some("Sell more"), vec!["dana", "alice"]));
    let shown = seen.job.clone().unwrap();
    assert_eq!((shown.id, shown.name.as_str()), (signed(job), "deploy"));
    assert!(shown.manual && !shown.started && shown.user.is_none());
    let only = [seen.clone()];
    assert_eq!(stage.waiting().await, only);
    assert_eq!(stage.github.waiting_in_run(stage.shop, signed(run)).await.unwrap(), only);
    for since in [None, Some(seen.created_at)] {
        let found = stage.github.waiting_in(stage.shop, "Production", since).await.unwrap();
        assert_eq!(found, only);
        assert_eq!(stage.github.waiting_in(stage.shop, "staging", since).await, Ok(Vec::new()));
    }
}

#[tokio::test]
async fn only_environments_that_ask_us_are_listed() {
    let stage = stage().await;
    let others = stage.twin.register_app("other-gate");
    stage.twin.install(others.id, stage.acme);
    for (name, app) in [("prod/eu west", stage.app.id), ("theirs", others.id)] {
        stage.twin.add_environment(stage.repository, name);
        stage.twin.enable_rule(stage.repository, name, app).unwrap();
    }
    let mut new = NewRun::push("main", HEAD, stage.dana).job(JobSpec::new("lint"));
    for name in ["prod/eu west", "theirs"] {
        new = new.job(JobSpec::new(name).environment(name));
    }
    // The run is in progress, since lint runs.
    let run = stage.twin.start_run(stage.repository, new);
    let waiting = stage.waiting().await;
    let [only] = waiting.as_slice() else { panic!("{waiting:?}") };
    assert_eq!(only.native.as_str(), format!("{run}.1:prod/eu west"));
    // Two jobs wait: which is whose, GitHub doesn't say.
    assert_eq!(only.job.as_ref().unwrap().name, "prod/eu west");
    stage.twin.disable_rule(stage.repository, "prod/eu west", stage.app.id);
    assert_eq!(stage.waiting().await.len(), 1, "an enabled rule is kept in mind");
    stage.wait(600);
    assert_eq!(stage.waiting().await, []);
    stage.twin.enable_rule(stage.repository, "prod/eu west", stage.app.id).unwrap();
    assert_eq!(stage.waiting().await.len(), 1, "a disabled one isn't");
}

#[tokio::test]
async fn reviewers_and_timers_hold_it_beside_us() {
    let stage = stage().await;
    let held = async |run| stage.look(&native(run, 1)).await.held_by_others;
    stage.twin.set_required_reviewers(stage.repository, "production", &[Reviewer::User(stage.bob)]);
    assert!(held(stage.run(HEAD)).await);
    stage.twin.set_required_reviewers(stage.repository, "production", &[]);
    stage.twin.set_wait_timer(stage.repository, "production", 30);
    assert!(held(stage.run(NEXT)).await);
}

#[tokio::test]
async fn what_has_not_changed_costs_nothing() {
    let stage = stage().await;
    let run = stage.run(HEAD);
    let first = stage.look(&native(run, 1)).await;
    stage.twin.clear_requests();
    assert_eq!(stage.look(&native(run, 1)).await, first);
    let calls = stage.twin.requests();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| call.conditional), "{calls:?}");
}

#[tokio::test]
async fn the_newest_comes_first_and_runs_before_the_known_one_are_left_out() {
    let stage = stage().await;
    let first = stage.run(HEAD);
    stage.wait(60);
    let second = stage.run(NEXT);
    let since = stage.look(&native(second, 1)).await.created_at;
    let runs = |found: Vec<Sighting>| found.into_iter().map(|seen| seen.run).collect::<Vec<_>>();
    assert_eq!(runs(stage.waiting().await), [signed(second), signed(first)]);
    let newer = stage.github.waiting_in(stage.shop, "production", Some(since)).await.unwrap();
    assert_eq!(runs(newer), [signed(second)]);
}

#[tokio::test]
async fn whoever_made_the_deployment_started_it_too() {
    let stage = stage().await;
    let bot = stage.twin.add_bot("release");
    let new = |sha| NewRun::push("main", sha, bot).job(deploy());
    let run = stage.twin.start_run(stage.repository, new(HEAD).created_by(Some(stage.alice)));
    let starters = async |run| {
        let native = Native::new(native(run, 1));
        let found = stage.github.other_starters(stage.shop, &native).await.unwrap();
        found.into_iter().map(|account| (account.username, account.bot)).collect::<Vec<_>>()
    };
    assert_eq!(starters(run).await, [("alice".to_owned(), false)]);
    stage.wait(60);
    let nobodys = stage.twin.start_run(stage.repository, new(NEXT).created_by(None));
    assert_eq!(starters(nobodys).await, []);
    assert_eq!(starters(run).await, [("alice".to_owned(), false)], "a later one isn't taken for it");
}

#[tokio::test]
async fn a_pull_requests_run_names_it() {
    let stage = stage().await;
    let number = stage.pull();
    let request = u64::try_from(number).unwrap();
    let run = stage.twin.start_run(stage.repository, NewRun::pull_request(request, stage.dana).job(deploy()));
    let seen = stage.look(&native(run, 1)).await;
    assert_eq!((seen.merge_request, seen.sha.as_str()), (Some(number), HEAD));
    assert_eq!(seen.ref_name, format!("refs/pull/{number}/merge"));
    let found = stage.github.other_starters(stage.shop, &seen.native).await.unwrap();
    assert_eq!(found.len(), 1, "its deployment has the merge commit: {found:?}");
}

#[tokio::test]
async fn the_pull_request_of_a_commit_is_found() {
    let stage = stage().await;
    let carrier = async |run| {
        let seen = stage.look(&native(run, 1)).await;
        assert_eq!(seen.merge_request, None);
        stage.github.carrier(stage.shop, &seen).await.unwrap()
    };
    assert_eq!(carrier(stage.run(NEXT)).await, None);
    let number = stage.pull();
    let branch = NewRun::push("feature", HEAD, stage.dana).job(deploy());
    assert_eq!(carrier(stage.twin.start_run(stage.repository, branch)).await, Some(number));
    let request = u64::try_from(number).unwrap();
    let merged = stage.twin.merge(stage.repository, request, stage.alice).unwrap();
    assert_eq!(carrier(stage.run(&merged)).await, Some(number));
    let known = stage.github.merge_request(stage.shop, number).await.unwrap();
    assert_eq!((known.author, known.merged_by), (Some(user(stage.dana)), Some(user(stage.alice))));
    assert_eq!((known.open, known.merged_as), (false, vec![merged]));
    assert_eq!(known.target_branch, "main");
}

#[tokio::test]
async fn a_forks_pull_request_is_found_by_its_head() {
    let stage = stage().await;
    let new = NewPullRequest::new("main", HEAD, "Sell more").from_fork();
    let request = stage.twin.open_pull_request(stage.repository, stage.mallory, new);
    let run = NewRun::pull_request(request, stage.mallory).job(deploy());
    let seen = stage.look(&native(stage.twin.start_run(stage.repository, run), 1)).await;
    assert_eq!(seen.merge_request, None);
    assert_eq!(stage.github.carrier(stage.shop, &seen).await, Ok(Some(signed(request))));
}

#[tokio::test]
async fn repositories_are_known_by_number_wherever_they_move() {
    let stage = stage().await;
    let path = async || stage.github.project(stage.shop).await.unwrap().path;
    assert_eq!(path().await, "acme/shop");
    stage.twin.rename_repository(stage.repository, "acme/store");
    assert_eq!(path().await, "acme/store");
    assert_eq!(stage.github.project_at("acme/store").await.unwrap().id, stage.shop);
    let since = stage.clock.time() - SignedDuration::from_hours(1);
    let active = stage.github.active_projects(since).await.unwrap();
    assert_eq!(active.len(), 1);
    let later = stage.clock.time() + SignedDuration::from_hours(1);
    assert_eq!(stage.github.active_projects(later).await, Ok(Vec::new()));
}
