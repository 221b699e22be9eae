//! `response_url`.

use jiff::SignedDuration;

use super::*;

impl World {
    /// dana presses a button of the card, and the app gets this address.
    async fn pressed(&self, ts: &str) -> String {
        self.app_answers(200, "");
        self.slack.press(&self.dana, &self.deploys, ts, "approve").await.unwrap();
        self.payload()["response_url"].as_str().unwrap().to_owned()
    }

    async fn later(&self, url: &str, body: Value) -> (u16, String) {
        let reply = self.post(url, None, &body).await.unwrap();
        (reply.status, reply.error().to_owned())
    }
}

#[tokio::test]
async fn it_replaces_the_message_adds_a_private_one_or_removes_it() {
    let world = world().await;
    let ts = world.card().await;
    let url = world.pressed(&ts).await;
    assert!(url.starts_with(&world.url), "on the twin's own origin");
    let replaced =
        world.later(&url, json!({ "replace_original": "true", "text": "being carried out" })).await;
    assert_eq!(replaced, (200, String::new()));
    let card = world.slack.message(&world.deploys, &ts).unwrap();
    assert_eq!((card.seen.as_str(), card.buttons.len()), ("being carried out", 0));
    world.later(&url, json!({ "text": "only you see this" })).await;
    assert_eq!(world.slack.ephemerals_of(&world.dana)[0].seen, "only you see this");
    let thread =
        json!({ "response_type": "in_channel", "thread_ts": ts, "replace_original": "false", "text": "x" });
    world.later(&url, thread).await;
    assert_eq!(world.slack.replies_to(&world.deploys, &ts).len(), 1);
    let crowded = world.later(&url, json!({ "delete_original": "true", "text": "bye" })).await;
    assert_eq!(crowded, (400, "invalid_payload".into()));
    world.later(&url, json!({ "delete_original": "true" })).await;
    assert_eq!(world.slack.message(&world.deploys, &ts), None);
}

#[tokio::test]
async fn it_can_be_used_five_times() {
    let world = world().await;
    let url = world.pressed(&world.card().await).await;
    for _ in 0..5 {
        assert_eq!(world.later(&url, json!({ "text": "x" })).await.0, 200);
    }
    assert_eq!(world.later(&url, json!({ "text": "x" })).await, (404, "used_url".into()));
}

#[tokio::test]
async fn it_can_be_used_for_half_an_hour_and_needs_no_membership() {
    let world = world().await;
    let url = world.pressed(&world.card().await).await;
    world.slack.kick(&world.deploys, &world.slack.bot_user());
    world.clock.advance(SignedDuration::from_mins(30));
    assert_eq!(world.later(&url, json!({ "text": "x" })).await.0, 200);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(world.later(&url, json!({ "text": "x" })).await, (404, "expired_url".into()));
    let unknown = format!("{}/actions/T1/1/x", world.url);
    assert_eq!(world.later(&unknown, json!({ "text": "x" })).await.0, 404);
}

#[tokio::test]
async fn it_refuses_what_messages_refuse() {
    let world = world().await;
    let url = world.pressed(&world.card().await).await;
    assert_eq!(world.later(&url, json!([])).await, (400, "invalid_payload".into()));
    assert_eq!(world.later(&url, json!({})).await, (400, "no_text".into()));
    let bad = json!({ "blocks": [section(&"x".repeat(3001))] });
    assert_eq!(world.later(&url, bad).await, (400, "invalid_blocks".into()));
}
