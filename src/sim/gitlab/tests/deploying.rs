//! Blocking, approving, playing.

use super::*;

#[tokio::test]
async fn a_plain_manual_job_is_blocked_too_though_nobody_needs_to_approve() {
    let world = world().await;
    let staging = world.blocked_in("staging");
    let reply = world.get(&format!("/projects/:shop/deployments/{}", staging.deployment)).await;
    assert_eq!(
        (&reply.body["status"], &reply.body["pending_approval_count"]),
        (&json!("blocked"), &json!(0))
    );
}

#[tokio::test]
async fn the_list_has_no_approval_fields_and_the_single_deployment_has() {
    let world = world().await;
    let blocked = world.blocked();
    let list = world.get("/projects/acme%2Fshop/deployments?status=blocked&environment=production").await;
    let single = world.get(&format!("/projects/:shop/deployments/{}", blocked.deployment)).await;
    assert_eq!(list.body[0]["id"], json!(blocked.deployment));
    assert_eq!(list.body[0].get("approvals"), None);
    assert_eq!(list.body[0].get("approval_summary"), None);
    assert_eq!(single.body["approval_summary"]["rules"][0]["required_approvals"], json!(1));
}

#[tokio::test]
async fn without_a_licence_there_are_no_approval_fields_and_no_protection() {
    let world = world().await;
    world.gitlab.set_licensed(false);
    let blocked = world.blocked();
    let single = world.get(&format!("/projects/:shop/deployments/{}", blocked.deployment)).await;
    assert_eq!(single.body.get("pending_approval_count"), None);
    let refusal = world.approve(world.alice, blocked.deployment).await;
    assert_eq!(refusal, (400, "This environment is not protected.".into()));
    world.gitlab.set_community_edition();
    assert_eq!(world.approve(world.alice, blocked.deployment).await.0, 404);
}

#[tokio::test]
async fn the_creator_is_refused_before_anybody_asks_whether_they_may() {
    let world = world().await;
    let blocked = world.blocked();
    let (status, message) = world.approve(world.dana, blocked.deployment).await;
    assert_eq!(status, 400);
    assert!(message.starts_with("You cannot approve your own deployment. This configuration"), "{message}");
    world.gitlab.set_allow_pipeline_trigger_approve_deployment(world.shop, true);
    let (_, message) = world.approve(world.dana, blocked.deployment).await;
    assert!(message.starts_with("You don't have permission to approve this deployment."), "{message}");
}

#[tokio::test]
async fn what_has_its_approvals_waits_for_none() {
    let world = world().await;
    let blocked = world.blocked();
    assert_eq!(world.approve(world.alice, blocked.deployment).await.0, 201);
    let refusal = world.approve(world.bob, blocked.deployment).await;
    assert_eq!(refusal, (400, "This deployment is not waiting for approvals.".into()));
}

#[tokio::test]
async fn an_environment_without_rules_has_no_approvals_to_give() {
    let world = world().await;
    world
        .gitlab
        .protect_environment(world.shop, ProtectedEnvironment::new("staging").deployers(Level::DEVELOPER));
    let staging = world.blocked_in("staging");
    let refusal = world.approve(world.alice, staging.deployment).await;
    assert_eq!(refusal, (400, "Deployment approvals is not configured for this environment.".into()));
}

#[tokio::test]
async fn representing_nobody_known_is_refused_with_gitlabs_own_slip() {
    let world = world().await;
    let path = format!("/projects/:shop/deployments/{}/approval", world.blocked().deployment);
    let body = json!({ "status": "approved", "represented_as": "acme/qa" });
    let refusal = world.post_as(world.alice, &path, body).await;
    let message = refusal.body["message"].as_str().unwrap();
    assert!(message.starts_with("There are no approval rules for the given `represent_as`"), "{message}");
    let vote = json!({ "status": "approved", "represented_as": "Maintain" });
    assert_eq!(world.post_as(world.alice, &path, vote).await.status, 201);
}

#[tokio::test]
async fn an_unknown_status_or_a_long_comment_is_a_bad_request() {
    let world = world().await;
    let path = format!("/projects/:shop/deployments/{}/approval", world.blocked().deployment);
    let missing = world.post_as(world.alice, &path, json!({})).await;
    let unknown = world.post_as(world.alice, &path, json!({ "status": "maybe" })).await;
    let long = json!({ "status": "approved", "comment": "x".repeat(256) });
    let long = world.post_as(world.alice, &path, long).await;
    assert_eq!(missing.body["error"], "status is missing");
    assert_eq!(unknown.body["error"], "status does not have a valid value");
    assert_eq!((long.status, long.body["message"].is_array()), (400, true));
}

#[tokio::test]
async fn the_same_vote_again_keeps_its_first_comment() {
    let world = world().await;
    let two = ApprovalRule::level(Level::MAINTAINER, 2);
    let production = ProtectedEnvironment::new("production").deployers(Level::DEVELOPER).rule(two);
    world.gitlab.protect_environment(world.shop, production);
    let blocked = world.blocked();
    world.gitlab.approve_deployment(blocked.deployment, world.alice, Some("first")).unwrap();
    world.gitlab.approve_deployment(blocked.deployment, world.alice, Some("second")).unwrap();
    let seen = world.gitlab.deployment(blocked.deployment).unwrap();
    assert_eq!((seen.approvals.len(), seen.pending_approvals), (1, 1));
    assert_eq!(seen.approvals[0].comment.as_deref(), Some("first"));
}

#[tokio::test]
async fn by_rules_the_approved_job_stays_manual_until_somebody_plays_it() {
    let world = world().await;
    let blocked = world.blocked();
    let play = format!("/projects/:shop/jobs/{}/play", blocked.job);
    let early = world.post(&play, json!({})).await;
    assert_eq!((early.status, &early.body["message"]), (400, &json!("400 Bad request - Unplayable Job")));
    world.approve(world.alice, blocked.deployment).await;
    assert_eq!(world.gitlab.job(blocked.job).unwrap().status, "manual");
    assert_eq!(world.gitlab.deployment(blocked.deployment).unwrap().status, "blocked");
    assert_eq!(world.post(&play, json!({})).await.status, 200);
    assert_eq!(world.gitlab.job(blocked.job).unwrap().status, "running");
}

#[tokio::test]
async fn by_the_old_count_the_last_approval_starts_the_job() {
    let world = world().await;
    let counted = ProtectedEnvironment::new("production").deployers(Level::DEVELOPER).legacy_count(2);
    world.gitlab.protect_environment(world.shop, counted);
    let blocked = world.blocked();
    world.approve(world.alice, blocked.deployment).await;
    assert_eq!(world.gitlab.job(blocked.job).unwrap().status, "manual");
    world.approve(world.bob, blocked.deployment).await;
    assert_eq!(world.gitlab.job(blocked.job).unwrap().status, "running");
}

#[tokio::test]
async fn one_rejection_fails_the_job_for_good_and_a_creator_may_give_it() {
    let world = world().await;
    let blocked = world.blocked();
    world.gitlab.add_member(world.shop, world.dana, Level::MAINTAINER);
    world.gitlab.reject_deployment(blocked.deployment, world.dana, Some("not yet")).unwrap();
    let job = world.gitlab.job(blocked.job).unwrap();
    assert_eq!((job.status.as_str(), job.failure_reason.as_deref()), ("failed", Some("deployment_rejected")));
    assert_eq!(world.gitlab.play_job(blocked.job, world.alice).unwrap_err().status, 400);
    assert_eq!(world.gitlab.retry_job(blocked.job, world.alice).unwrap_err().status, 403);
}

#[tokio::test]
async fn playing_a_job_that_left_manual_makes_a_second_deployment() {
    let world = world().await;
    let staging = world.blocked_in("staging");
    let play = format!("/projects/:shop/jobs/{}/play", staging.job);
    world.post(&play, json!({})).await;
    assert_eq!(world.post(&play, json!({})).await.status, 400, "a running job can't be played");
    world.gitlab.finish_job(staging.job, true);
    let again = world.post(&play, json!({})).await;
    assert_eq!(again.status, 200);
    assert_ne!(again.body["id"], json!(staging.job));
    assert_eq!((world.gitlab.plays(staging.job), world.gitlab.deployments(world.shop).len()), (2, 2));
}

#[tokio::test]
async fn a_retry_of_a_protected_deployment_starts_at_zero() {
    let world = world().await;
    let blocked = world.blocked();
    world.approve(world.alice, blocked.deployment).await;
    world.gitlab.play_job(blocked.job, world.alice).unwrap();
    world.gitlab.finish_job(blocked.job, false);
    let again = world.post(&format!("/projects/:shop/jobs/{}/retry", blocked.job), json!({})).await;
    assert_eq!((again.status, &again.body["status"]), (201, &json!("manual")));
    let newest = world.gitlab.deployments(world.shop).pop().unwrap();
    assert_eq!((newest.status.as_str(), newest.pending_approvals), ("blocked", 1));
    assert_eq!(newest.user, "countersign");
}

#[tokio::test]
async fn who_may_not_deploy_or_merge_may_not_play() {
    let world = world().await;
    let sre = world.gitlab.add_group("sre", None);
    let production = ProtectedEnvironment::new("production").deployer(Grantee::Group(sre));
    world.gitlab.protect_environment(world.shop, production);
    let blocked = world.blocked();
    let refused = world.gitlab.play_job(blocked.job, world.alice).unwrap_err();
    assert_eq!((refused.status, refused.message()), (403, "403 Forbidden"));
    world.gitlab.add_group_member(sre, world.alice, Level::DEVELOPER);
    let main = ProtectedBranch { name: "main".into(), push: Level::ADMIN, merge: Level::ADMIN };
    world.gitlab.protect_branch(world.shop, main);
    assert_eq!(world.gitlab.play_job(blocked.job, world.alice).unwrap_err().status, 403);
}

#[tokio::test]
async fn a_group_rule_means_direct_members_unless_it_says_inherited() {
    let world = world().await;
    let acme = world.gitlab.add_group("acme", None);
    let qa = world.gitlab.add_group("qa", Some(acme));
    world.gitlab.add_group_member(acme, world.mallory, Level::REPORTER);
    let direct = ProtectedEnvironment::new("production").rule(ApprovalRule::group(qa, 1));
    world.gitlab.protect_environment(world.shop, direct);
    let blocked = world.blocked();
    assert_eq!(world.approve(world.mallory, blocked.deployment).await.0, 400);
    let inherited = ProtectedEnvironment::new("production").rule(ApprovalRule::group(qa, 1).inherited());
    world.gitlab.protect_environment(world.shop, inherited);
    assert_eq!(world.approve(world.mallory, blocked.deployment).await.0, 201);
}

#[tokio::test]
async fn every_sibling_of_a_matrix_has_a_deployment_of_its_own() {
    let world = world().await;
    let jobs = JobSpec::new("deploy").environment("production").manual().matrix(&["eu", "us"]);
    let pipeline =
        world.gitlab.run_pipeline(world.shop, NewPipeline::new("main", "9f1c", world.dana).jobs(jobs));
    let list = world.get(&format!("/projects/:shop/pipelines/{pipeline}/jobs?scope[]=manual")).await;
    assert_eq!(
        (&list.body[0]["name"], &list.body[1]["name"]),
        (&json!("deploy: [us]"), &json!("deploy: [eu]"))
    );
    assert_eq!(world.gitlab.deployments(world.shop).len(), 2);
}

#[tokio::test]
async fn a_stop_job_has_no_deployment() {
    let world = world().await;
    let stop = JobSpec::new("stop").environment("production").action("stop").manual();
    let pipeline =
        world.gitlab.run_pipeline(world.shop, NewPipeline::new("main", "9f1c", world.dana).job(stop));
    let job = world.gitlab.job_named(pipeline, "stop").unwrap();
    assert_eq!(world.gitlab.deployment_of(job), None);
    assert_eq!(world.gitlab.job(job).unwrap().status, "manual");
}

#[tokio::test]
async fn merge_requests_are_linked_only_once_the_deployment_succeeded() {
    let world = world().await;
    let iid = world.merge_request();
    let sha = world.gitlab.merge(world.shop, iid, world.alice).unwrap();
    let job = JobSpec::new("deploy").environment("staging").manual();
    let pipeline =
        world.gitlab.run_pipeline(world.shop, NewPipeline::new("main", sha.clone(), world.dana).job(job));
    let job = world.gitlab.job_named(pipeline, "deploy").unwrap();
    let path =
        format!("/projects/:shop/deployments/{}/merge_requests", world.gitlab.deployment_of(job).unwrap());
    assert_eq!(world.get(&path).await.body, json!([]));
    let by_commit = world.get(&format!("/projects/:shop/repository/commits/{sha}/merge_requests")).await;
    assert_eq!(by_commit.body[0]["iid"], json!(iid));
    world.gitlab.play_job(job, world.alice).unwrap();
    world.gitlab.finish_job(job, true);
    assert_eq!(world.get(&path).await.body[0]["iid"], json!(iid));
}

#[tokio::test]
async fn a_held_job_is_created_until_the_pipeline_reaches_it() {
    let world = world().await;
    let job = JobSpec::new("deploy").environment("production").manual().held();
    let pipeline =
        world.gitlab.run_pipeline(world.shop, NewPipeline::new("main", "9f1c", world.dana).job(job));
    let job = world.gitlab.job_named(pipeline, "deploy").unwrap();
    let deployment = world.gitlab.deployment_of(job).unwrap();
    assert_eq!(world.gitlab.deployment(deployment).unwrap().status, "created");
    world.gitlab.reach_job(job);
    assert_eq!(world.gitlab.deployment(deployment).unwrap().status, "blocked");
    assert!(world.gitlab.environments(world.shop)[0].blocked);
}

#[tokio::test]
async fn a_cancelled_job_ends_its_deployment() {
    let world = world().await;
    let blocked = world.blocked();
    let reply = world.post(&format!("/projects/:shop/jobs/{}/cancel", blocked.job), json!({})).await;
    assert_eq!((reply.status, &reply.body["status"]), (201, &json!("canceled")));
    assert_eq!(world.gitlab.deployment(blocked.deployment).unwrap().status, "canceled");
    assert_eq!(world.gitlab.pipeline_status(blocked.pipeline).as_deref(), Some("canceled"));
}

#[tokio::test]
async fn a_groups_rules_are_added_to_the_projects_own() {
    let world = world().await;
    let acme = world.gitlab.add_group("acme", None);
    let tier = ProtectedEnvironment::new("production")
        .deployers(Level::DEVELOPER)
        .rule(ApprovalRule::user(world.bob));
    world.gitlab.protect_group_environment(acme, tier);
    let blocked = world.blocked();
    let pending = || world.gitlab.deployment(blocked.deployment).unwrap().pending_approvals;
    assert_eq!(pending(), 2);
    world.approve(world.alice, blocked.deployment).await;
    let path = format!("/projects/:shop/deployments/{}/approval", blocked.deployment);
    let as_bob = json!({ "status": "approved", "represented_as": "BOB" });
    assert_eq!(world.post_as(world.bob, &path, as_bob).await.status, 201);
    assert_eq!(pending(), 0);
}

#[tokio::test]
async fn a_merge_request_pipeline_is_found_by_its_ref_and_tells_of_its_merge_request() {
    let world = world().await;
    let iid = world.merge_request();
    world.hook_answering(200, |hook| hook);
    let git_ref = format!("refs/merge-requests/{iid}/head");
    let sha = world.gitlab.merge_request(world.shop, iid).unwrap().sha;
    let new = NewPipeline::new(git_ref, sha, world.dana).source("merge_request_event");
    let job = JobSpec::new("deploy").environment("production").manual();
    let pipeline = world.gitlab.run_pipeline(world.shop, new.job(job));
    let list = world.get(&format!("/projects/:shop/merge_requests/{iid}/pipelines")).await;
    assert_eq!(list.body[0]["id"], json!(pipeline));
    let hook = world.delivered(HookEvent::Pipeline).await.pop().unwrap();
    assert_eq!(hook["merge_request"]["iid"], json!(iid));
}
