//! What people do, what the app is sent, and what people then see.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use sha2::Sha256;

use super::*;

fn is_signed(delivery: &Delivery, secret: &str) -> bool {
    let header = |name| delivery.header(name).unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v0:{}:{}", header("x-slack-request-timestamp"), delivery.body).as_bytes());
    header("x-slack-signature") == format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_command_arrives_signed_and_its_private_answer_is_seen_by_its_author_alone() {
    let world = world().await;
    world.app_answers(200, &json!({ "text": "nothing waits" }));
    let shown = world.slack.command(&world.dana, &world.deploys, "/deploy", "status now").await.unwrap();
    assert_eq!((shown.in_time, shown.text.as_deref()), (true, Some("nothing waits")));
    assert!(is_signed(&world.slack.deliveries()[0], &world.slack.signing_secret()));
    assert_eq!((world.field("command"), world.field("text")), ("/deploy".into(), "status now".into()));
    assert_eq!((world.field("user_id"), world.field("team_id")), (world.dana.clone(), world.slack.team()));
    assert_eq!(world.slack.messages_of(&world.deploys), []);
    assert_eq!(world.slack.ephemerals_of(&world.dana).len(), 1);
    assert_eq!(world.slack.ephemerals_of(&world.alice), []);
}

#[tokio::test]
async fn a_public_answer_shows_what_was_typed() {
    let world = world().await;
    world.app_answers(200, &json!({ "text": "approved", "response_type": "in_channel" }));
    let shown = world.slack.command(&world.dana, &world.deploys, "/deploy", "approve").await.unwrap();
    let seen: Vec<String> =
        world.slack.messages_of(&world.deploys).into_iter().map(|message| message.seen).collect();
    assert_eq!((seen, shown.text), (vec!["/deploy approve".into(), "approved".into()], None));
}

#[tokio::test]
async fn an_answer_may_be_empty_or_plain_text() {
    let world = world().await;
    world.app_answers(200, "");
    let silent = world.slack.command(&world.dana, &world.deploys, "/deploy", "").await.unwrap();
    assert_eq!((silent.status, silent.text), (Some(200), None));
    world.app_answers(200, "plain words");
    let plain = world.slack.command(&world.dana, &world.deploys, "/deploy", "").await.unwrap();
    assert_eq!(plain.text.as_deref(), Some("plain words"));
}

#[tokio::test]
async fn an_app_that_is_slow_broken_or_away_is_complained_of() {
    let world = world().await;
    let command = || world.slack.command(&world.dana, &world.deploys, "/deploy", "status");
    world.app_answers(500, "{}");
    assert!(command().await.unwrap().text.unwrap().contains("http_service_error"));
    world.slack.set_patience(Duration::from_millis(50));
    world.slack.clear_faults();
    world.slack.add_fault(Rule::new("/app", Action::Delay(Duration::from_secs(30))));
    let late = command().await.unwrap();
    assert_eq!((late.status, late.in_time), (None, false));
    assert!(late.text.unwrap().contains("operation_timeout"));
    world.slack.set_request_url("http://127.0.0.1:1/");
    assert!(command().await.unwrap().text.unwrap().contains("dispatch_failed"));
}

#[tokio::test]
async fn names_links_and_control_characters_arrive_escaped_only_if_the_app_asked_for_it() {
    let world = world().await;
    world.app_answers(200, "");
    let text = "approve @dana #deploys https://a.example/?x=1 <b> & c";
    world.slack.command(&world.dana, &world.deploys, "/deploy", text).await.unwrap();
    let (dana, deploys) = (&world.dana, &world.deploys);
    let escaped =
        format!("approve <@{dana}|dana> <#{deploys}|deploys> <https://a.example/?x=1> &lt;b&gt; &amp; c");
    assert_eq!(world.field("text"), escaped);
    world.slack.set_command("/ship", false);
    world.slack.command(&world.dana, &world.deploys, "/ship", text).await.unwrap();
    assert_eq!(world.field("text"), text);
}

#[tokio::test]
async fn only_members_of_the_workspace_type_commands_and_only_where_they_can_speak() {
    let world = world().await;
    let refused = async |user: &str, channel: &str, command: &str| {
        world.slack.command(user, channel, command, "status").await.unwrap_err()
    };
    assert_eq!(refused(&world.mallory, &world.deploys, "/deploy").await, Refused::ForeignWorkspace);
    assert_eq!(refused(&world.dana, &world.deploys, "/ship").await, Refused::NoCommand);
    let elsewhere = world.slack.add_channel("elsewhere", &[]);
    assert_eq!(refused(&world.dana, &elsewhere, "/deploy").await, Refused::NoChannel);
    world.slack.archive(&world.deploys);
    assert_eq!(refused(&world.dana, &world.deploys, "/deploy").await, Refused::NoChannel);
    world.slack.deactivate(&world.dana);
    assert_eq!(refused(&world.dana, &world.deploys, "/deploy").await, Refused::NoPerson);
    assert_eq!(world.slack.deliveries(), []);
}

#[tokio::test]
async fn a_press_tells_who_pressed_what_and_where() {
    let world = world().await;
    let ts = world.card().await;
    world.app_answers(200, "");
    let shown = world.slack.press(&world.mallory, &world.deploys, &ts, "approve").await.unwrap();
    assert_eq!((shown.status, shown.text), (Some(200), None));
    let payload = world.payload();
    assert_eq!((&payload["type"], &payload["user"]["id"]), (&json!("block_actions"), &json!(world.mallory)));
    assert_eq!(payload["team"]["id"], json!(world.slack.team()));
    assert_ne!(
        payload["user"]["team_id"], payload["team"]["id"],
        "a foreigner presses with a right signature"
    );
    assert!(is_signed(&world.slack.deliveries()[0], &world.slack.signing_secret()));
    let action = &payload["actions"][0];
    assert_eq!((&action["action_id"], &action["value"]), (&json!("approve"), &json!("d1")));
    assert_eq!(action["block_id"], "decide");
    assert_eq!(payload["container"]["message_ts"], json!(ts));
    assert_eq!(payload["message"]["ts"], json!(ts));
}

#[tokio::test]
async fn what_isnt_there_cant_be_pressed() {
    let world = world().await;
    let ts = world.card().await;
    let press = async |user: &str, ts: &str, action: &str| {
        world.slack.press(user, &world.deploys, ts, action).await.unwrap_err()
    };
    assert_eq!(press(&world.dana, &ts, "revoke").await, Refused::NoButton);
    assert_eq!(press(&world.dana, "1.000001", "approve").await, Refused::NoMessage);
    world.call("chat.update", json!({ "channel": world.deploys, "ts": ts, "text": "approved" })).await;
    assert_eq!(press(&world.dana, &ts, "approve").await, Refused::NoButton);
    world.slack.kick(&world.deploys, &world.dana);
    assert_eq!(press(&world.dana, &ts, "approve").await, Refused::NoChannel);
}

#[tokio::test]
async fn a_button_of_a_private_answer_is_pressed_without_the_message() {
    let world = world().await;
    world.app_answers(200, &json!({ "text": "waits", "blocks": [buttons()] }));
    world.slack.command(&world.dana, &world.deploys, "/deploy", "blocked").await.unwrap();
    let list = world.slack.ephemerals_of(&world.dana).pop().unwrap();
    let reject = &list.buttons[1];
    world.slack.press_button(&world.dana, &world.deploys, &list.ts, reject).await.unwrap();
    let payload = world.payload();
    assert_eq!((payload.get("message"), &payload["container"]["is_ephemeral"]), (None, &json!(true)));
    assert_eq!(payload["actions"][0]["action_id"], "reject");
    let others = world.slack.press(&world.alice, &world.deploys, &list.ts, "reject").await;
    assert_eq!(others, Err(Refused::NoMessage));
}

#[tokio::test]
async fn requests_are_forged_on_demand_and_once() {
    let world = world().await;
    let secret = world.slack.signing_secret();
    world.app_answers(200, "");
    let forged = async |forgery| {
        world.slack.forge_next(forgery);
        world.slack.command(&world.dana, &world.deploys, "/deploy", "status").await.unwrap();
        world.slack.deliveries().pop().unwrap()
    };
    assert!(!is_signed(&forged(Forgery::WrongSecret).await, &secret));
    assert!(!is_signed(&forged(Forgery::Altered).await, &secret));
    assert_eq!(forged(Forgery::Unsigned).await.header("X-Slack-Signature"), None);
    let stale = forged(Forgery::ClockOff(SignedDuration::from_mins(-6))).await;
    assert!(is_signed(&stale, &secret));
    let off =
        stale.at.as_second() - stale.header("X-Slack-Request-Timestamp").unwrap().parse::<i64>().unwrap();
    assert_eq!(off, 360);
    world.slack.command(&world.dana, &world.deploys, "/deploy", "status").await.unwrap();
    assert!(is_signed(&world.slack.deliveries()[4], &secret));
}

#[tokio::test]
async fn a_replayed_request_is_the_same_to_the_byte_and_a_new_secret_signs_anew() {
    let world = world().await;
    world.app_answers(200, "");
    let shown = world.slack.command(&world.dana, &world.deploys, "/deploy", "status").await.unwrap();
    assert_eq!(world.slack.resend(shown.delivery).await, Some((200, String::new())));
    let [first, again] = &world.slack.deliveries()[..] else { panic!("two deliveries") };
    assert_eq!((&first.headers, &first.body), (&again.headers, &again.body));
    assert_eq!(world.slack.resend(99).await, None);
    let (old, new) = (world.slack.signing_secret(), world.slack.rotate_signing_secret());
    world.slack.command(&world.dana, &world.deploys, "/deploy", "status").await.unwrap();
    let last = world.slack.deliveries().pop().unwrap();
    assert!(is_signed(&last, &new) && !is_signed(&last, &old));
}

#[tokio::test]
async fn a_certificate_check_is_unsigned_and_may_smuggle_a_command() {
    let world = world().await;
    world.app_answers(200, "");
    world.slack.ssl_check(&[("command", "/deploy"), ("text", "approve")]).await;
    assert_eq!(world.slack.deliveries()[0].header("X-Slack-Signature"), None);
    assert_eq!((world.field("ssl_check"), world.field("text")), ("1".into(), "approve".into()));
}

#[tokio::test]
async fn a_trigger_opens_one_modal_within_three_seconds() {
    let world = world().await;
    let ts = world.card().await;
    world.app_answers(200, "");
    let trigger = async || {
        world.slack.press(&world.dana, &world.deploys, &ts, "reject").await.unwrap();
        world.payload()["trigger_id"].clone()
    };
    let open = async |trigger: &Value| {
        let reply = world.call("views.open", json!({ "trigger_id": trigger, "view": modal() })).await;
        reply.error().to_owned()
    };
    let first = trigger().await;
    world.clock.advance(SignedDuration::from_secs(3));
    assert_eq!(open(&first).await, "");
    assert_eq!(open(&first).await, "exchanged_trigger_id");
    let second = trigger().await;
    world.clock.advance(SignedDuration::from_millis(3001));
    assert_eq!(open(&second).await, "expired_trigger_id");
    assert_eq!(open(&json!("1.2.abc")).await, "invalid_trigger_id");
    assert_eq!(world.slack.views_of(&world.dana).len(), 1);
}

/// The modal stands open before dana.
async fn opened(world: &World, view: Value) -> ViewId {
    let ts = world.card().await;
    world.app_answers(200, "");
    world.slack.press(&world.dana, &world.deploys, &ts, "reject").await.unwrap();
    let trigger = world.payload()["trigger_id"].clone();
    world.call("views.open", json!({ "trigger_id": trigger, "view": view })).await;
    world.slack.open_view(&world.dana).unwrap()
}

#[tokio::test]
async fn a_modal_is_checked_submitted_and_closed() {
    let world = world().await;
    let view = opened(&world, modal()).await;
    let submit = |reason: &'static str| {
        let (slack, dana, view) = (world.slack.clone(), world.dana.clone(), view.clone());
        async move { slack.submit_view(&dana, &view, &[("reason", reason)]).await }
    };
    assert!(matches!(submit("").await, Err(Refused::Form(_))));
    assert!(matches!(submit("eleven char").await, Err(Refused::Form(_))), "beyond its max_length");
    assert_eq!(world.slack.deliveries().len(), 1, "the client checks before it sends");
    let shown = submit("too risky").await.unwrap();
    let payload = world.payload();
    assert_eq!((payload["type"].as_str(), shown.text), (Some("view_submission"), None));
    assert_eq!(payload["view"]["state"]["values"]["why"]["reason"]["value"], "too risky");
    assert_eq!(payload["view"]["private_metadata"], "d1");
    assert_eq!((payload.get("channel"), payload.get("message")), (None, None));
    assert_eq!(submit("again").await, Err(Refused::NoView));
}

#[tokio::test]
async fn the_apps_errors_stay_on_the_modal_if_they_name_its_fields() {
    let world = world().await;
    let view = opened(&world, modal()).await;
    let submit = || world.slack.submit_view(&world.dana, &view, &[("reason", "no")]);
    world.app_answers(200, &json!({ "response_action": "errors", "errors": { "what": "?" } }));
    assert_eq!(submit().await.unwrap().text.as_deref(), Some("We had some trouble connecting. Try again?"));
    world.app_answers(200, &json!({ "response_action": "errors", "errors": { "why": "Say more." } }));
    assert_eq!(submit().await.unwrap().text, None);
    let shown = world.slack.views_of(&world.dana).pop().unwrap();
    assert_eq!((shown.open, shown.errors), (true, vec![("why".into(), "Say more.".into())]));
    world.app_answers(500, "{}");
    assert!(submit().await.unwrap().text.is_some());
    assert_eq!(world.slack.open_view(&world.dana), Some(view.clone()));
}

#[tokio::test]
async fn a_closed_modal_is_told_of_only_on_demand() {
    let world = world().await;
    let quiet = opened(&world, modal()).await;
    assert_eq!(world.slack.close_view(&world.dana, &quiet).await, Ok(None));
    let mut view = modal();
    view["notify_on_close"] = json!(true);
    let told = opened(&world, view).await;
    assert!(world.slack.close_view(&world.dana, &told).await.unwrap().is_some());
    assert_eq!(
        (world.payload()["type"].as_str(), world.slack.open_view(&world.dana)),
        (Some("view_closed"), None)
    );
}
