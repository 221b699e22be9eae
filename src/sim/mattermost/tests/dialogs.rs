//! Dialogs: opened, filled in, forged.

use jiff::SignedDuration;

use super::*;

impl World {
    /// dana presses a button, and the app gets this trigger.
    async fn trigger(&self) -> Value {
        let card = self.card().await;
        self.app_answers(200, "");
        self.mattermost.press(&self.dana, &card, "reject").await.unwrap();
        self.received_json()["trigger_id"].clone()
    }

    async fn open(&self, trigger: &Value, dialog: Value) -> Reply {
        let body = json!({ "trigger_id": trigger, "url": self.app, "dialog": dialog });
        self.ask("POST", "/actions/dialogs/open", None, Some(body)).await
    }
}

fn reason() -> Value {
    json!({
        "callback_id": "reject",
        "title": "Reject",
        "state": "d1.mac",
        "elements": [{ "display_name": "Reason", "name": "reason", "type": "textarea", "max_length": 10 }],
    })
}

#[tokio::test]
async fn a_dialog_opens_by_its_trigger_alone_while_that_is_fresh() {
    let world = world().await;
    let trigger = world.trigger().await;
    world.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(world.open(&trigger, reason()).await.status, 200, "no token is asked for");
    world.clock.advance(SignedDuration::from_secs(1));
    let late = world.open(&trigger, reason()).await;
    assert_eq!((late.status, late.error()), (400, "interactive_message.decode_trigger_id.expired"));
    let forged = world.open(&json!("Zm9yZ2Vk"), reason()).await;
    assert_eq!(forged.error(), "interactive_message.decode_trigger_id.verify_signature_failed");
    let shown = world.mattermost.dialogs_of(&world.dana);
    assert_eq!((shown.len(), shown[0].state.as_str()), (1, "d1.mac"));
}

#[tokio::test]
async fn a_trigger_of_an_earlier_act_shows_nothing_and_a_second_dialog_replaces_the_first() {
    let world = world().await;
    let old = world.trigger().await;
    let new = world.trigger().await;
    assert_eq!(world.open(&old, reason()).await.status, 200);
    assert_eq!(world.mattermost.dialogs_of(&world.dana), []);
    world.open(&new, reason()).await;
    world.open(&new, reason()).await;
    let open: Vec<bool> = world.mattermost.dialogs_of(&world.dana).iter().map(|dialog| dialog.open).collect();
    assert_eq!(open, [false, true]);
}

#[tokio::test]
async fn a_dialog_is_checked_sent_and_closed() {
    let world = world().await;
    let trigger = world.trigger().await;
    world.open(&trigger, reason()).await;
    let submit =
        async |reason: &str| world.mattermost.submit_dialog(&world.dana, &[("reason", reason)]).await;
    assert!(matches!(submit("").await, Err(Refused::Form(_))));
    assert!(matches!(submit("eleven char").await, Err(Refused::Form(_))));
    world.app_answers(200, &json!({ "errors": { "reason": "Say more." } }));
    assert_eq!(submit("no").await.unwrap().text, None);
    let shown = world.mattermost.dialogs_of(&world.dana).pop().unwrap();
    assert_eq!((shown.open, shown.errors), (true, vec![("reason".into(), "Say more.".into())]));
    world.app_answers(500, "{}");
    assert_eq!(submit("no").await.unwrap().text.as_deref(), Some("Submission failed"));
    world.app_answers(200, "");
    submit("too risky").await.unwrap();
    let body = world.received_json();
    assert_eq!((&body["type"], &body["state"]), (&json!("dialog_submission"), &json!("d1.mac")));
    assert_eq!((&body["submission"]["reason"], &body["user_id"]), (&json!("too risky"), &json!(world.dana)));
    assert_eq!((&body["channel_id"], &body["cancelled"]), (&json!(world.deploys), &json!(false)));
    assert_eq!(world.received().header("Authorization"), None);
    assert_eq!(submit("again").await, Err(Refused::NoDialog));
}

#[tokio::test]
async fn a_cancelled_dialog_is_told_of_only_on_demand() {
    let world = world().await;
    world.open(&world.trigger().await, reason()).await;
    assert_eq!(world.mattermost.cancel_dialog(&world.dana).await, Ok(None));
    let mut told = reason();
    told["notify_on_cancel"] = json!(true);
    world.open(&world.trigger().await, told).await;
    assert!(world.mattermost.cancel_dialog(&world.dana).await.unwrap().is_some());
    assert_eq!(world.received_json()["cancelled"], true);
}

#[tokio::test]
async fn a_client_submits_what_was_never_asked_but_only_as_itself() {
    let world = world().await;
    world.app_answers(200, "{}");
    let forged = Submission {
        url: world.app.clone(),
        callback_id: "reject".into(),
        state: "d1.forged".into(),
        channel_id: world.deploys.clone(),
        submission: json!({ "reason": "because" }),
        cancelled: false,
    };
    world.mattermost.submit_as_client(&world.mallory, forged.clone()).await.unwrap();
    let body = world.received_json();
    assert_eq!((&body["user_id"], &body["state"]), (&json!(world.mallory), &json!("d1.forged")));
    let private = world.mattermost.add_private_channel(&world.acme, "private", &[]);
    let elsewhere = Submission { channel_id: private, ..forged };
    let refused = world.mattermost.submit_as_client(&world.mallory, elsewhere).await;
    assert_eq!(refused, Err(Refused::NoChannel));
}

#[tokio::test]
async fn a_dialog_beyond_the_limits_is_shown_with_its_faults() {
    let world = world().await;
    let mut dialog = reason();
    dialog["title"] = json!("t".repeat(24));
    dialog["elements"][0]["max_length"] = json!(3000);
    world.open(&world.trigger().await, dialog.clone()).await;
    assert_eq!(world.mattermost.dialogs_of(&world.dana)[0].faults, Vec::<String>::new());
    dialog["title"] = json!("t".repeat(25));
    dialog["elements"][0]["max_length"] = json!(3001);
    dialog["elements"][0]["display_name"] = json!("d".repeat(25));
    world.open(&world.trigger().await, dialog).await;
    assert_eq!(world.mattermost.dialogs_of(&world.dana)[1].faults.len(), 3);
}
