//! Custom rules, the review endpoint, and the other ways past a gate.

use super::*;

#[tokio::test]
async fn an_approval_starts_the_job_and_a_second_one_is_refused() {
    let world = world().await;
    let run = world.waiting();
    assert_eq!(world.review(run, "approved").await, 204);
    let job = world.github.job(world.github.job_named(run, "deploy").unwrap()).unwrap();
    let moves: Vec<&str> = job.transitions.iter().map(|(_, status)| status.as_str()).collect();
    assert_eq!(moves, ["waiting", "queued", "in_progress"]);
    assert_eq!(world.review(run, "approved").await, 422);
    assert_eq!(world.review(run, "rejected").await, 422);
    let statuses: Vec<u16> = world.github.reviews_posted(run).iter().map(|posted| posted.status).collect();
    assert_eq!(statuses, [204, 422, 422]);
    let history = world.get(&format!("/:shop/actions/runs/{run}/approvals")).await;
    assert_eq!(history.each("state"), ["approved"]);
    assert_eq!(history.body[0]["user"]["login"], "countersign[bot]");
    assert_eq!(history.body[0]["environments"][0]["name"], "production");
}

#[tokio::test]
async fn a_rejection_fails_the_job_and_the_run() {
    let world = world().await;
    let run = world.waiting();
    assert_eq!(world.review(run, "rejected").await, 204);
    let job = world.github.job(world.github.job_named(run, "deploy").unwrap()).unwrap();
    assert_eq!(job.conclusion.as_deref(), Some("failure"));
    assert_eq!(world.github.run(run).unwrap().conclusion.as_deref(), Some("failure"));
}

#[tokio::test]
async fn the_review_endpoint_knows_only_what_waits_for_this_app() {
    let world = world().await;
    let run = world.waiting();
    let review = async |run: RunId, body: Value| world.post(&rule_path(run), body).await.status;
    assert_eq!(review(999, json!({ "environment_name": "production", "state": "approved" })).await, 404);
    assert_eq!(review(run, json!({ "environment_name": "staging", "state": "approved" })).await, 422);
    assert_eq!(review(run, json!({ "state": "approved" })).await, 422);
    assert_eq!(review(run, json!({ "environment_name": "production", "state": "maybe" })).await, 422);
    let other = world.github.register_app("other");
    world.github.install(other.id, world.acme);
    world.github.add_environment(world.shop, "staging");
    world.github.enable_rule(world.shop, "staging", other.id).unwrap();
    let job = JobSpec::new("deploy").environment("staging");
    let theirs = world.github.start_run(world.shop, NewRun::push("main", HEAD, world.dana).job(job));
    assert_eq!(review(theirs, json!({ "environment_name": "staging", "state": "approved" })).await, 422);
    assert_eq!(world.status(theirs), "waiting");
    assert_eq!(review(run, json!({ "environment_name": "Production", "state": "approved" })).await, 204);
}

#[tokio::test]
async fn an_app_reports_ten_times_at_most_and_not_at_length() {
    let world = world().await;
    let run = world.waiting();
    let report = async |text: &str| {
        let body = json!({ "environment_name": "production", "comment": text });
        world.post(&rule_path(run), body).await.status
    };
    assert_eq!(report("").await, 422);
    assert_eq!(report(&"x".repeat(1025)).await, 422);
    for _ in 0..9 {
        assert_eq!(report("waiting for alice").await, 204);
    }
    assert_eq!(report(&"ü".repeat(1024)).await, 204);
    assert_eq!(report("once more").await, 422);
    assert_eq!(world.status(run), "waiting");
    let history = world.github.approvals(run);
    assert_eq!((history.len(), history[0].state.as_str()), (10, "pending"));
    assert_eq!(world.review(run, "approved").await, 204);
}

#[tokio::test]
async fn jobs_that_wait_together_share_the_decision_and_a_later_one_asks_again() {
    let world = world().await;
    world.hook_answering(202);
    let at = |name: &str| JobSpec::new(name).environment("production");
    let jobs = NewRun::push("main", HEAD, world.dana).job(at("eu")).job(at("us")).job(at("asia").needs("eu"));
    let run = world.github.start_run(world.shop, jobs);
    assert_eq!(world.delivered("deployment_protection_rule").await.len(), 2);
    let guids: Vec<String> = world.github.deliveries().iter().map(|delivery| delivery.guid.clone()).collect();
    assert!(guids.iter().all(|guid| guids.iter().filter(|other| *other == guid).count() == 1), "{guids:?}");
    assert_eq!(world.review(run, "approved").await, 204);
    let eu = world.github.job_named(run, "eu").unwrap();
    let us = world.github.job(world.github.job_named(run, "us").unwrap()).unwrap();
    assert_eq!(us.status, "in_progress");
    world.github.finish_job(eu, Conclusion::Success);
    assert_eq!(world.delivered("deployment_protection_rule").await.len(), 3);
    assert_eq!(world.github.pending_environments(run), ["production"]);
    assert_eq!(world.review(run, "rejected").await, 204);
    assert_eq!(world.github.job(world.github.job_named(run, "asia").unwrap()).unwrap().status, "completed");
}

#[tokio::test]
async fn all_rules_must_agree() {
    let world = world().await;
    world.github.set_required_reviewers(world.shop, "production", &[Reviewer::User(world.alice)]);
    world.github.set_wait_timer(world.shop, "production", 5);
    let run = world.waiting();
    let pending = world.get(&format!("/:shop/actions/runs/{run}/pending_deployments")).await;
    assert_eq!(pending.body[0]["wait_timer_started_at"], "2026-05-08T10:00:00Z");
    assert_eq!(pending.body[0]["reviewers"][0]["reviewer"]["login"], "alice");
    assert_eq!(world.review(run, "approved").await, 204);
    assert_eq!(world.github.review_as_reviewer(run, "production", world.bob, true).unwrap_err().status, 403);
    world.github.review_as_reviewer(run, "production", world.alice, true).unwrap();
    assert_eq!(world.status(run), "waiting");
    world.github.end_wait_timers();
    assert_eq!(world.status(run), "waiting");
    world.wait(300);
    world.github.end_wait_timers();
    assert_eq!(world.status(run), "in_progress");
}

#[tokio::test]
async fn a_required_reviewer_may_be_kept_from_their_own_run() {
    let world = world().await;
    let team = world.github.add_team(world.acme, "sre", None);
    world.github.add_team_member(team, world.dana, TeamState::Active);
    world.github.set_required_reviewers(world.shop, "production", &[Reviewer::Team(team)]);
    world.github.set_prevent_self_review(world.shop, "production", true);
    let run = world.waiting();
    assert_eq!(world.github.review_as_reviewer(run, "production", world.dana, true).unwrap_err().status, 403);
    world.github.set_prevent_self_review(world.shop, "production", false);
    world.github.review_as_reviewer(run, "production", world.dana, false).unwrap();
    assert_eq!(world.status(run), "completed");
}

#[tokio::test]
async fn an_administrator_passes_every_rule_unless_the_environment_forbids_it() {
    let world = world().await;
    let run = world.waiting();
    assert_eq!(world.github.bypass(run, "production", world.alice).unwrap_err().status, 403);
    world.github.set_can_admins_bypass(world.shop, "production", false);
    assert_eq!(world.github.bypass(run, "production", world.bob).unwrap_err().status, 403);
    world.github.set_can_admins_bypass(world.shop, "production", true);
    world.github.bypass(run, "production", world.bob).unwrap();
    assert_eq!(world.status(run), "in_progress");
    assert_eq!(world.review(run, "rejected").await, 422);
}

#[tokio::test]
async fn waiting_jobs_fail_after_thirty_days_and_with_their_environment() {
    let world = world().await;
    let (late, orphan) = (world.waiting(), world.waiting());
    world.github.time_out(late);
    assert_eq!((world.status(late).as_str(), world.status(orphan).as_str()), ("completed", "waiting"));
    world.github.delete_environment(world.shop, "production");
    assert_eq!(world.github.run(orphan).unwrap().conclusion.as_deref(), Some("failure"));
    assert_eq!(world.get("/:shop/environments/production").await.status, 404);
}

#[tokio::test]
async fn private_repositories_have_no_rules_without_enterprise() {
    let world = world().await;
    world.github.set_private(world.shop, true);
    let unasked = world.waiting();
    assert_eq!(world.status(unasked), "in_progress");
    assert!(world.github.enable_rule(world.shop, "production", world.app.id).is_err());
    world.github.set_plan(world.acme, Plan::Enterprise);
    assert_eq!(world.status(world.waiting()), "waiting");
}

#[tokio::test]
async fn an_environment_takes_six_rules_of_apps_that_are_installed() {
    let world = world().await;
    let uninstalled = world.github.register_app("elsewhere");
    assert!(world.github.enable_rule(world.shop, "production", uninstalled.id).is_err());
    for at in 2..=7 {
        let app = world.github.register_app(&format!("gate-{at}"));
        world.github.install(app.id, world.acme);
        assert_eq!(world.github.enable_rule(world.shop, "production", app.id).is_ok(), at <= 6, "rule {at}");
    }
    let rules = world.get("/:shop/environments/production/deployment_protection_rules").await;
    assert_eq!(rules.body["total_count"], 6);
    assert_eq!(rules.body["custom_deployment_protection_rules"][0]["app"]["id"], world.app.id);
}

#[tokio::test]
async fn environment_names_hold_slashes_and_spaces() {
    let world = world().await;
    world.github.add_environment(world.shop, "prod/eu west");
    world.github.enable_rule(world.shop, "prod/eu west", world.app.id).unwrap();
    let shown = world.get("/:shop/environments/prod%2Feu%20west").await;
    assert_eq!(
        (&shown.body["name"], &shown.body["can_admins_bypass"]),
        (&json!("prod/eu west"), &json!(true))
    );
    assert!(shown.body["url"].as_str().unwrap().ends_with("/environments/prod%2Feu%20west"));
    assert_eq!(world.get("/:shop/environments/prod/eu%20west").await.status, 404);
    let job = JobSpec::new("deploy").environment("prod/eu west");
    let run = world.github.start_run(world.shop, NewRun::push("main", HEAD, world.dana).job(job));
    let body = json!({ "environment_name": "prod/eu west", "state": "approved" });
    assert_eq!(world.post(&rule_path(run), body).await.status, 204);
}
