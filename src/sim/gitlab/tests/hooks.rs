//! Webhooks: bodies, signatures, and what becomes of them on their way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use sha2::Sha256;

use super::*;
use crate::sim::faults::HookFaults;

const KEY: [u8; 32] = [7; 32];

fn signing_token() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

fn is_signed(delivery: &Delivery) -> bool {
    let header = |name| delivery.header(name).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    mac.update(
        format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), delivery.body).as_bytes(),
    );
    header("webhook-signature") == format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn hooks_carry_the_plain_token_and_the_signature() {
    let world = world().await;
    world.hook_answering(200, |hook| hook.token("secret").signing_token(signing_token()));
    world.blocked();
    world.gitlab.deliver_hooks().await;
    let delivery = world.gitlab.deliveries().pop().unwrap();
    assert!(is_signed(&delivery));
    assert_eq!(delivery.header("X-Gitlab-Token"), Some("secret"));
    assert_eq!(delivery.header("webhook-id"), delivery.header("Idempotency-Key"));
    assert_eq!(delivery.header("X-Gitlab-Instance"), Some(world.url.as_str()));
    assert_eq!((delivery.header("User-Agent"), delivery.status), (Some("GitLab/19.2.0"), Some(200)));
}

#[tokio::test]
async fn a_template_forges_the_author_under_a_right_signature() {
    let world = world().await;
    let iid = world.merge_request();
    let forge: HookTemplate = Arc::new(|mut body| {
        body["user"] = json!({ "id": 1, "username": "alice" });
        body
    });
    world.hook_answering(200, |hook| hook.signing_token(signing_token()).template(forge));
    world.gitlab.comment_on_mr(world.shop, iid, world.dana, "/deploy approve production").unwrap();
    let body = world.delivered(HookEvent::Note).await.pop().unwrap();
    assert_eq!(body["user"]["username"], "alice");
    assert!(is_signed(&world.gitlab.deliveries()[0]));
}

#[tokio::test]
async fn before_19_2_nothing_is_told_of_blocking_and_before_19_0_nothing_is_signed() {
    let world = world().await;
    world.gitlab.set_version(Version { major: 18, minor: 11 });
    world.hook_answering(200, |hook| hook.signing_token(signing_token()));
    let blocked = world.blocked();
    world.gitlab.approve_deployment(blocked.deployment, world.alice, None).unwrap();
    assert_eq!(world.delivered(HookEvent::Deployment).await, Vec::<Value>::new());
    let job = world.delivered(HookEvent::Job).await.pop().unwrap();
    assert_eq!((&job["build_status"], &job["environment"]["name"]), (&json!("manual"), &json!("production")));
    assert_eq!(world.gitlab.deliveries()[0].header("webhook-signature"), None);
}

#[tokio::test]
async fn a_deployment_is_told_of_in_both_spellings_of_time() {
    let world = world().await;
    world.hook_answering(200, |hook| hook);
    let blocked = world.blocked();
    world.gitlab.approve_deployment(blocked.deployment, world.alice, None).unwrap();
    world.gitlab.play_job(blocked.job, world.bob).unwrap();
    world.gitlab.finish_job(blocked.job, true);
    let told = world.delivered(HookEvent::Deployment).await;
    let statuses: Vec<&str> = told.iter().map(|body| body["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["blocked", "approved", "running", "success"]);
    assert_eq!(told[0]["status_changed_at"], "2026-05-08 12:00:00 +0200");
    assert_eq!(told[1]["status_changed_at"], "2026-05-08T10:00:00.000Z");
    assert_eq!(told[1]["approver"]["username"], "alice");
    assert_eq!((&told[1]["approval"]["comment"], told[1].get("sha")), (&json!(""), None));
    assert_eq!(told[2]["user"]["username"], "bob", "the hook names who plays, not who created");
}

#[tokio::test]
async fn a_rejection_is_told_of_twice() {
    let world = world().await;
    world.hook_answering(200, |hook| hook);
    let blocked = world.blocked();
    world.gitlab.reject_deployment(blocked.deployment, world.alice, Some("no")).unwrap();
    let told = world.delivered(HookEvent::Deployment).await;
    let statuses: Vec<&str> = told.iter().map(|body| body["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["blocked", "rejected", "failed"]);
}

#[tokio::test]
async fn a_stop_job_and_a_pipelines_commit_id_are_told_of_as_gitlab_does() {
    let world = world().await;
    world.hook_answering(200, |hook| hook);
    let stop = JobSpec::new("stop").environment("production").action("stop").manual();
    let pipeline =
        world.gitlab.run_pipeline(world.shop, NewPipeline::new("main", "9f1c", world.dana).job(stop));
    let job = world.delivered(HookEvent::Job).await.pop().unwrap();
    assert_eq!((&job["environment"]["action"], &job["commit"]["id"]), (&json!("stop"), &json!(pipeline)));
    assert_eq!(job["build_failure_reason"], "unknown_failure");
    let hook = world.delivered(HookEvent::Pipeline).await.pop().unwrap();
    assert_eq!(hook["builds"][0]["environment"]["action"], "stop");
    assert_eq!(world.delivered(HookEvent::Deployment).await, Vec::<Value>::new());
}

#[tokio::test]
async fn four_failures_switch_a_hook_off_for_a_minute() {
    let world = world().await;
    let iid = world.merge_request();
    let hook = world.hook_answering(500, |hook| hook);
    let comment = || world.gitlab.comment_on_mr(world.shop, iid, world.dana, "hello").unwrap();
    for _ in 0..5 {
        comment();
    }
    assert_eq!(world.gitlab.deliver_hooks().await, 4);
    let seen = world.get(&format!("/projects/:shop/hooks/{hook}")).await;
    assert_eq!(seen.body["alert_status"], "temporarily_disabled");
    comment();
    assert_eq!(world.gitlab.waiting_hooks(), 0, "what happens meanwhile is lost");
    world.clock.advance(SignedDuration::from_secs(61));
    comment();
    assert_eq!(world.gitlab.deliver_hooks().await, 1);
}

#[tokio::test]
async fn forty_failures_switch_a_hook_off_until_a_test() {
    let world = world().await;
    let iid = world.merge_request();
    let hook = world.hook_answering(500, |hook| hook);
    for _ in 0..40 {
        world.gitlab.comment_on_mr(world.shop, iid, world.dana, "hello").unwrap();
        world.gitlab.deliver_hooks().await;
        world.clock.advance(SignedDuration::from_hours(25));
    }
    let path = format!("/projects/:shop/hooks/{hook}");
    assert_eq!(world.get(&path).await.body["alert_status"], "disabled");
    world.post(&format!("{path}/test/note_events"), json!({})).await;
    assert_eq!(world.get(&path).await.body["alert_status"], "executable");
}

#[tokio::test]
async fn hooks_are_lost_doubled_and_reversed_on_demand() {
    let world = world().await;
    let iid = world.merge_request();
    world.hook_answering(200, |hook| hook);
    let say = |text| world.gitlab.comment_on_mr(world.shop, iid, world.dana, text).unwrap();
    world.gitlab.set_hook_faults(HookFaults {
        lose_next: 1,
        duplicate: true,
        reverse: true,
        ..HookFaults::default()
    });
    say("one");
    say("two");
    let told = world.delivered(HookEvent::Note).await;
    let texts: Vec<&str> =
        told.iter().map(|body| body["object_attributes"]["note"].as_str().unwrap()).collect();
    assert_eq!(texts, ["two", "two", "one", "one"]);
    let all = world.gitlab.deliveries();
    assert_eq!((all[0].status, all[1].status), (None, Some(200)));
    assert_eq!(all[0].header("Idempotency-Key"), all[1].header("Idempotency-Key"));
    assert_ne!(all[0].header("X-Gitlab-Webhook-UUID"), all[1].header("X-Gitlab-Webhook-UUID"));
}

#[tokio::test]
async fn a_resent_delivery_keeps_its_idempotency_key() {
    let world = world().await;
    let iid = world.merge_request();
    let hook = world.hook_answering(200, |hook| hook);
    world.gitlab.comment_on_mr(world.shop, iid, world.dana, "hello").unwrap();
    world.gitlab.deliver_hooks().await;
    let events = world.get(&format!("/projects/:shop/hooks/{hook}/events")).await;
    let event = events.body[0]["id"].as_u64().unwrap();
    let reply = world.post(&format!("/projects/:shop/hooks/{hook}/events/{event}/resend"), json!({})).await;
    assert_eq!((reply.status, world.gitlab.deliver_hooks().await), (201, 1));
    let all = world.gitlab.deliveries();
    assert_eq!(all[0].header("Idempotency-Key"), all[1].header("Idempotency-Key"));
}

#[tokio::test]
async fn a_hook_made_by_the_api_shows_whether_it_has_secrets_never_which() {
    let world = world().await;
    let body = json!({ "url": "http://127.0.0.1/x", "note_events": true, "signing_token": signing_token() });
    let made = world.post("/projects/:shop/hooks", body).await;
    assert_eq!((made.status, &made.body["signing_token_present"]), (201, &json!(true)));
    assert!(!made.body.to_string().contains("whsec_"));
    let short = json!({ "url": "http://127.0.0.1/x", "signing_token": "whsec_AAAA" });
    assert_eq!(world.post("/projects/:shop/hooks", short).await.status, 422);
}

#[tokio::test]
async fn with_auto_deliver_a_hook_arrives_by_itself() {
    let world = world().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    world.gitlab.add_hook(world.shop, NewHook::new(url).every_event());
    world.gitlab.set_auto_deliver(true);
    world.merge_request();
    assert!(listener.accept().await.is_ok());
}
