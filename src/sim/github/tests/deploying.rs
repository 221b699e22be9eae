//! Runs, jobs and deployments.

use super::*;

#[tokio::test]
async fn a_job_waits_only_when_it_is_reached() {
    let world = world().await;
    let run = world.github.start_run(
        world.shop,
        NewRun::push("main", HEAD, world.dana).job(JobSpec::new("build")).job(deploy().needs("build")),
    );
    assert_eq!((world.status(run).as_str(), world.github.job_named(run, "deploy")), ("in_progress", None));
    let build = world.github.job_named(run, "build").unwrap();
    world.github.finish_job(build, Conclusion::Success);
    assert_eq!(world.status(run), "waiting");
    let waiting = world.get("/:shop/actions/runs?status=waiting").await;
    assert_eq!(waiting.body["workflow_runs"][0]["id"], run);
    let pending = world.get(&format!("/:shop/actions/runs/{run}/pending_deployments")).await;
    assert_eq!(pending.body[0]["environment"]["name"], "production");
    assert_eq!(pending.body[0]["current_user_can_approve"], false);
}

#[tokio::test]
async fn a_run_waits_only_if_nothing_else_can_go_on() {
    let world = world().await;
    let jobs = NewRun::push("main", HEAD, world.dana).job(deploy()).job(JobSpec::new("test"));
    let run = world.github.start_run(world.shop, jobs);
    assert_eq!(world.status(run), "in_progress");
    world.github.finish_job(world.github.job_named(run, "test").unwrap(), Conclusion::Success);
    assert_eq!(world.status(run), "waiting");
}

#[tokio::test]
async fn a_job_that_needs_a_failed_one_is_skipped() {
    let world = world().await;
    let jobs = NewRun::push("main", HEAD, world.dana).job(JobSpec::new("build")).job(deploy().needs("build"));
    let run = world.github.start_run(world.shop, jobs);
    world.github.finish_job(world.github.job_named(run, "build").unwrap(), Conclusion::Failure);
    let ends: Vec<Option<String>> = world.github.jobs(run).into_iter().map(|job| job.conclusion).collect();
    assert_eq!(ends, [Some("failure".into()), Some("skipped".into())]);
    assert_eq!(world.github.run(run).unwrap().conclusion.as_deref(), Some("failure"));
}

#[tokio::test]
async fn a_deployment_goes_with_its_job_and_makes_the_one_before_it_inactive() {
    let world = world().await;
    world.github.set_auto_finish(true);
    let mut deployments = Vec::new();
    for _ in 0..2 {
        let run = world.waiting();
        assert_eq!(world.review(run, "approved").await, 204);
        let job = world.github.job_named(run, "deploy").unwrap();
        deployments.push(world.github.deployment_of(job).unwrap());
    }
    let states = |at: usize| world.github.deployment(deployments[at]).unwrap().states;
    assert_eq!(states(0), ["waiting", "queued", "in_progress", "success", "inactive"]);
    assert_eq!(states(1), ["waiting", "queued", "in_progress", "success"]);
    let listed = world.get("/:shop/deployments?environment=production").await;
    assert_eq!(listed.each("id"), [&json!(deployments[1]), &json!(deployments[0])]);
    assert_eq!(listed.body[0]["creator"]["login"], "dana");
    assert_eq!(listed.body[0]["performed_via_github_app"]["slug"], "github-actions");
    let statuses = world.get(&format!("/:shop/deployments/{}/statuses", deployments[1])).await;
    assert_eq!(statuses.each("state")[0], "success");
    let log = statuses.body[0]["log_url"].as_str().unwrap();
    assert!(log.contains("/actions/runs/") && log.contains("/job/"), "{log}");
}

#[tokio::test]
async fn a_deployment_can_have_a_bot_or_nobody_as_its_creator() {
    let world = world().await;
    let pages = world.github.add_bot("github-pages[bot]");
    for (creator, expected) in [(Some(pages), json!("Bot")), (None, Value::Null)] {
        let new = NewRun::push("main", HEAD, world.dana).created_by(creator).job(deploy());
        world.github.start_run(world.shop, new);
        let newest = world.get("/:shop/deployments").await;
        assert_eq!(newest.body[0]["creator"]["type"], expected);
    }
}

#[tokio::test]
async fn a_pull_requests_run_deploys_what_is_no_head() {
    let world = world().await;
    let pull = world.pull();
    let merge = world.github.pull_request(world.shop, pull).unwrap().merge_commit_sha;
    let run = world.github.start_run(world.shop, NewRun::pull_request(pull, world.dana).job(deploy()));
    let shown = world.get(&format!("/:shop/actions/runs/{run}")).await;
    assert_eq!((&shown.body["head_sha"], &shown.body["head_branch"]), (&json!(HEAD), &json!("feature")));
    assert_eq!(shown.body["pull_requests"][0]["number"], pull);
    let deployed = world.get(&format!("/:shop/deployments?sha={merge}")).await;
    assert_eq!(deployed.body[0]["ref"], format!("refs/pull/{pull}/merge"));
    let none = world.get(&format!("/:shop/commits/{merge}/pulls")).await;
    assert_eq!((none.status, none.body), (200, json!([])));
}

#[tokio::test]
async fn a_forks_run_names_no_pull_request() {
    let world = world().await;
    let fork = NewPullRequest::new("patch", HEAD, "Mine").from_fork();
    let pull = world.github.open_pull_request(world.shop, world.mallory, fork);
    let run = world.github.start_run(world.shop, NewRun::pull_request(pull, world.mallory).job(deploy()));
    let shown = world.get(&format!("/:shop/actions/runs/{run}")).await;
    assert_eq!((&shown.body["head_sha"], &shown.body["pull_requests"]), (&json!(HEAD), &json!([])));
    let by_head = world.get("/:shop/pulls?head=mallory:patch&state=all").await;
    assert_eq!(by_head.each("number"), [&json!(pull)]);
    assert_eq!(world.get("/:shop/pulls?head=acme:patch").await.body, json!([]));
}

#[tokio::test]
async fn a_rerun_is_the_same_run_with_new_jobs_and_asks_anew() {
    let world = world().await;
    let run = world.waiting();
    assert_eq!(world.github.rerun(run, world.alice).unwrap_err().status, 403);
    assert_eq!(world.review(run, "rejected").await, 204);
    world.wait(60);
    assert_eq!(world.github.rerun(run, world.mallory).unwrap_err().status, 403);
    world.github.rerun(run, world.alice).unwrap();
    let shown = world.get(&format!("/:shop/actions/runs/{run}")).await.body;
    assert_eq!((&shown["run_attempt"], &shown["status"]), (&json!(2), &json!("waiting")));
    assert_eq!(
        (&shown["actor"]["login"], &shown["triggering_actor"]["login"]),
        (&json!("dana"), &json!("alice"))
    );
    assert_eq!(shown["created_at"], "2026-05-08T10:00:00Z");
    assert_eq!(shown["run_started_at"], "2026-05-08T10:01:00Z");
    let first = world.get(&format!("/:shop/actions/runs/{run}/attempts/1")).await.body;
    assert_eq!(
        (&first["conclusion"], &first["triggering_actor"]["login"]),
        (&json!("failure"), &json!("dana"))
    );
    assert_eq!(world.get(&format!("/:shop/actions/runs/{run}/attempts/3")).await.status, 404);
    let jobs = async |query: &str| {
        let reply = world.get(&format!("/:shop/actions/runs/{run}/{query}")).await;
        reply.body["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["run_attempt"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(jobs("jobs").await, [2]);
    assert_eq!(jobs("jobs?filter=all").await, [1, 2]);
    assert_eq!(jobs("attempts/1/jobs").await, [1]);
    assert_eq!(world.review(run, "approved").await, 204);
}

#[tokio::test]
async fn cancelling_ends_what_waits() {
    let world = world().await;
    let run = world.waiting();
    world.github.cancel_run(run, world.dana).unwrap();
    assert_eq!(world.github.run(run).unwrap().conclusion.as_deref(), Some("cancelled"));
    assert_eq!(world.review(run, "approved").await, 422);
    assert_eq!(world.github.pending_environments(run), Vec::<String>::new());
    assert_eq!(world.github.cancel_run(run, world.dana).unwrap_err().status, 409);
}

#[tokio::test]
async fn runs_are_found_by_when_they_were_created() {
    let world = world().await;
    let old = world.waiting();
    world.wait(60);
    let new = world.waiting();
    let find = async |created: &str| {
        let reply = world.get(&format!("/:shop/actions/runs?created={created}")).await;
        let runs = reply.body["workflow_runs"].as_array().unwrap().clone();
        runs.iter().map(|run| run["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(find("%3E=2026-05-08T10:00:00Z").await, [new, old]);
    assert_eq!(find("%3E2026-05-08T10:00:00Z").await, [new]);
    assert_eq!(find("%3C2026-05-08T10:01:00Z").await, [old]);
    assert_eq!(find("*..2026-05-08T10:00:30Z").await, [old]);
}

#[tokio::test]
async fn a_merged_pull_request_is_found_by_its_merge_commit() {
    let world = world().await;
    let pull = world.pull();
    assert_eq!(world.github.merge(world.shop, pull, world.mallory).unwrap_err().status, 403);
    let sha = world.github.merge(world.shop, pull, world.bob).unwrap();
    let found = world.get(&format!("/:shop/commits/{sha}/pulls")).await;
    assert_eq!(found.each("number"), [&json!(pull)]);
    assert_eq!(found.body[0]["merged_by"], Value::Null, "lists don't tell who merged");
    let whole = world.get(&format!("/:shop/pulls/{pull}")).await.body;
    assert_eq!((&whole["merged_by"]["login"], &whole["user"]["login"]), (&json!("bob"), &json!("dana")));
    assert_eq!(whole["merge_commit_sha"], sha);
    let shown = world.get(&format!("/:shop/commits/{sha}")).await.body;
    assert_eq!(shown["author"]["login"], "bob");
    assert_eq!(world.get("/:shop/commits/feedface/pulls").await.status, 422);
}

#[tokio::test]
async fn a_run_tells_once_that_it_goes_on_and_not_while_it_waits() {
    let world = world().await;
    world.hook_answering(202);
    let run = world.github.start_run(
        world.shop,
        NewRun::push("main", HEAD, world.dana).job(deploy()).job(JobSpec::new("notify").needs("deploy")),
    );
    let actions = async || {
        let told = world.delivered("workflow_run").await;
        told.iter().map(|body| body["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(actions().await, ["requested"]);
    world.github.set_auto_finish(true);
    assert_eq!(world.review(run, "approved").await, 204);
    assert_eq!(actions().await, ["requested", "in_progress", "completed"]);
}
