//! Deliveries: bodies, signatures, the log, and sending again.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::*;
use crate::sim::faults::HookFaults;

fn is_signed(delivery: &Delivery, secret: &str) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(delivery.body.as_bytes());
    let expected = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    delivery.header("x-hub-signature-256") == Some(&expected)
}

#[tokio::test]
async fn deliveries_are_signed_and_say_what_they_are() {
    let world = world().await;
    world.hook_answering(202);
    world.waiting();
    world.github.deliver_hooks().await;
    let all = world.github.deliveries();
    let told: Vec<(&str, &str)> =
        all.iter().map(|one| (one.event.as_str(), one.action.as_deref().unwrap_or_default())).collect();
    let expected = [
        ("ping", ""),
        ("workflow_run", "requested"),
        ("workflow_job", "waiting"),
        ("deployment_status", "created"),
        ("deployment_protection_rule", "requested"),
    ];
    assert_eq!(told, expected);
    for delivery in &all {
        assert!(is_signed(delivery, &world.app.webhook_secret));
        assert_eq!(delivery.header("X-GitHub-Event"), Some(delivery.event.as_str()));
        assert_eq!(delivery.header("X-GitHub-Delivery"), Some(delivery.guid.as_str()));
        assert_eq!(delivery.header("X-GitHub-Hook-Installation-Target-Type"), Some("integration"));
        assert_eq!(
            delivery.header("X-GitHub-Hook-Installation-Target-ID"),
            Some(world.app.id.to_string().as_str())
        );
        assert!(delivery.header("User-Agent").unwrap().starts_with("GitHub-Hookshot/"));
    }
    assert!(!is_signed(&all[0], "another"));
}

#[tokio::test]
async fn the_run_stands_in_the_callbacks_address_alone() {
    let world = world().await;
    world.hook_answering(202);
    let pull = world.pull();
    let run = world.github.start_run(world.shop, NewRun::pull_request(pull, world.dana).job(deploy()));
    let asked = world.delivered("deployment_protection_rule").await.pop().unwrap();
    let callback = format!("{}/repos/acme/shop/actions/runs/{run}/deployment_protection_rule", world.url);
    assert_eq!(asked["deployment_callback_url"], callback);
    assert_eq!((&asked["environment"], &asked["event"]), (&json!("production"), &json!("pull_request")));
    assert_eq!((&asked["sha"], &asked["ref"]), (&json!(HEAD), &json!(format!("refs/pull/{pull}/merge"))));
    assert_eq!(asked["pull_requests"][0]["head"]["sha"], HEAD);
    assert_eq!(asked["deployment"]["creator"]["id"], world.dana);
    assert_ne!(asked["deployment"]["sha"], HEAD);
    assert_eq!(asked["installation"]["id"], world.installation);
    assert_eq!((&asked["repository"]["id"], &asked["sender"]["login"]), (&json!(world.shop), &json!("dana")));
    assert_eq!(asked["workflow_run"], Value::Null);
}

#[tokio::test]
async fn a_job_without_a_deployment_is_asked_about_all_the_same() {
    let world = world().await;
    world.hook_answering(202);
    let new = NewRun::push("main", HEAD, world.dana).job(deploy().without_deployment());
    let run = world.github.start_run(world.shop, new);
    let asked = world.delivered("deployment_protection_rule").await.pop().unwrap();
    assert_eq!((&asked["deployment"], &asked["sha"]), (&Value::Null, &json!(HEAD)));
    assert_eq!(world.get("/:shop/deployments").await.body, json!([]));
    assert_eq!(world.review(run, "approved").await, 204);
    assert_eq!(world.status(run), "in_progress");
}

#[tokio::test]
async fn comments_are_told_of_the_apps_own_ones_too() {
    let world = world().await;
    world.hook_answering(202);
    let pull = world.pull();
    let comment = world.github.comment_on_pull_request(world.shop, pull, world.dana, "one").unwrap();
    world.github.edit_comment(comment, world.alice, "two").unwrap();
    world.github.delete_comment(comment, world.dana).unwrap();
    world.post(&format!("/:shop/issues/{pull}/comments"), json!({ "body": "mine" })).await;
    let issue = world.github.open_issue(world.shop, world.dana, "Broken");
    world.github.comment_on_pull_request(world.shop, issue, world.dana, "here").unwrap();
    let told = world.delivered("issue_comment").await;
    let actions: Vec<&Value> = told.iter().map(|body| &body["action"]).collect();
    assert_eq!(actions, ["created", "edited", "deleted", "created", "created"]);
    assert_eq!(
        (&told[1]["changes"]["body"]["from"], &told[1]["sender"]["login"]),
        (&json!("one"), &json!("alice"))
    );
    assert_eq!(told[3]["comment"]["performed_via_github_app"]["slug"], "countersign");
    assert!(told[0]["issue"]["pull_request"].is_object() && told[4]["issue"]["pull_request"].is_null());
}

#[tokio::test]
async fn reviews_are_told_of_in_small_letters() {
    let world = world().await;
    world.hook_answering(202);
    let pull = world.pull();
    world.github.submit_review(world.shop, pull, world.alice, NewReview::approve(None)).unwrap();
    let told = world.delivered("pull_request_review").await.pop().unwrap();
    assert_eq!((&told["action"], &told["review"]["state"]), (&json!("submitted"), &json!("approved")));
    assert_eq!((&told["review"]["body"], &told["review"]["commit_id"]), (&Value::Null, &json!(HEAD)));
}

#[tokio::test]
async fn inactive_deployments_are_not_told_of() {
    let world = world().await;
    world.hook_answering(202);
    world.github.set_auto_finish(true);
    for _ in 0..2 {
        let run = world.waiting();
        world.review(run, "approved").await;
    }
    let told = world.delivered("deployment_status").await;
    let states: Vec<&Value> = told.iter().map(|body| &body["deployment_status"]["state"]).collect();
    let each = ["waiting", "queued", "in_progress", "success"];
    assert_eq!(states, [each, each].concat());
}

#[tokio::test]
async fn required_reviewers_are_asked_and_their_word_is_told() {
    let world = world().await;
    world.hook_answering(202);
    world.github.set_required_reviewers(world.shop, "production", &[Reviewer::User(world.alice)]);
    let run = world.waiting();
    world.github.review_as_reviewer(run, "production", world.alice, true).unwrap();
    let told = world.delivered("deployment_review").await;
    assert_eq!((&told[0]["action"], &told[0]["requestor"]["login"]), (&json!("requested"), &json!("dana")));
    assert_eq!((&told[1]["action"], &told[1]["approver"]["login"]), (&json!("approved"), &json!("alice")));
    assert_eq!(told[1]["workflow_run"]["id"], run);
}

#[tokio::test]
async fn an_app_is_told_of_what_it_subscribed_to_and_may_see() {
    let world = world().await;
    world.hook_answering(202);
    world.github.set_events(world.app.id, &["workflow_run", "deployment_protection_rule"]);
    world.github.set_permissions(world.app.id, &[("actions", "none")]);
    world.waiting();
    world.github.suspend(world.installation, true);
    world.waiting();
    world.github.deliver_hooks().await;
    let told: Vec<String> = world.github.deliveries().into_iter().map(|one| one.event).collect();
    assert_eq!(told, ["ping", "deployment_protection_rule", "installation"]);
}

#[tokio::test]
async fn the_log_knows_what_failed_and_sends_it_again_under_the_same_guid() {
    let world = world().await;
    world.hook_answering(503);
    world.github.deliver_hooks().await;
    world.github.clear_faults();
    world.hook_answering(202);
    world.github.set_hook_faults(HookFaults { lose_next: 1, ..HookFaults::default() });
    world.github.deliver_hooks().await;
    world.waiting();
    world.github.deliver_hooks().await;
    let failed = world.as_app("GET", "/app/hook/deliveries?status=failure").await;
    assert_eq!(failed.each("status"), ["failed to connect to host", "Invalid HTTP Response: 503"]);
    assert_eq!(failed.each("status_code"), [0, 503]);
    let id = failed.body[0]["id"].as_u64().unwrap();
    assert_eq!(world.as_app("POST", &format!("/app/hook/deliveries/{id}/attempts")).await.status, 202);
    world.github.deliver_hooks().await;
    let newest = world.as_app("GET", "/app/hook/deliveries?per_page=1").await;
    assert_eq!(
        (&newest.body[0]["guid"], &newest.body[0]["redelivery"]),
        (&failed.body[0]["guid"], &json!(true))
    );
    assert_eq!(newest.body[0]["status"], "OK");
    assert_ne!(newest.body[0]["id"], id);
}

#[tokio::test]
async fn the_log_is_read_by_cursor_and_forgets_after_three_days() {
    let world = world().await;
    world.hook_answering(202);
    world.waiting();
    world.github.deliver_hooks().await;
    let (mut path, mut seen) = ("/app/hook/deliveries?per_page=2".to_owned(), Vec::new());
    loop {
        let page = world.as_app("GET", &path).await;
        seen.extend(page.each("event").into_iter().cloned());
        let Some((link, _)) = page.header("link").split_once(">; rel=\"next\"") else { break };
        path = link.trim_start_matches('<').strip_prefix(world.url.as_str()).unwrap().to_owned();
    }
    assert_eq!(seen.len(), 5);
    assert_eq!(seen[4], "ping");
    let newest = world.github.deliveries().pop().unwrap();
    let one = world.as_app("GET", &format!("/app/hook/deliveries/{}", newest.id)).await.body;
    assert_eq!(one["request"]["payload"]["environment"], "production");
    assert_eq!(one["request"]["headers"]["X-GitHub-Delivery"], newest.guid);
    let config = world.as_app("GET", "/app/hook/config").await.body;
    assert_eq!(config["url"], format!("{}/sink", world.url));
    world.wait(3 * 24 * 3600 + 1);
    assert_eq!(world.as_app("GET", "/app/hook/deliveries").await.body, json!([]));
    let gone = format!("/app/hook/deliveries/{}/attempts", newest.id);
    assert_eq!(world.as_app("POST", &gone).await.status, 404);
}

#[tokio::test]
async fn deliveries_arrive_doubled_and_reversed_when_the_line_does_that() {
    let world = world().await;
    world.hook_answering(202);
    world.github.deliver_hooks().await;
    world.github.set_hook_faults(HookFaults { duplicate: true, reverse: true, ..HookFaults::default() });
    world.waiting();
    assert_eq!(world.github.deliver_hooks().await, 8);
    let all = world.github.deliveries();
    assert_eq!((all[1].event.as_str(), &all[1].guid), ("deployment_protection_rule", &all[2].guid));
    assert_eq!(all[8].event, "workflow_run");
}

#[tokio::test]
async fn a_rotated_secret_signs_from_then_on() {
    let world = world().await;
    world.hook_answering(202);
    world.github.set_webhook_secret(world.app.id, "rotated");
    world.github.deliver_hooks().await;
    assert!(is_signed(&world.github.deliveries()[0], "rotated"));
}
