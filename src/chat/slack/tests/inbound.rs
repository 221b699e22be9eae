//! Deliveries as the twin sends them, and as others forge them.

use super::*;
use crate::domain::chat::{Act, Chatted};
use crate::domain::event::Event;
use crate::domain::ledger::Word;
use crate::net::signature::BadSecret;
use crate::ports::chat::{Chat as _, Form};
use crate::ports::inbound::{Inbound as _, Manner, RawDelivery, Received, Rejected, Verified, borrowed};
use crate::sim::slack::Forgery;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rstest::rstest;
use serde_json::{Value, json};
use sha2::Sha256;
use url::form_urlencoded::Serializer;

type Outcome = Result<Received, Rejected>;

impl Stage {
    /// What the newest delivery comes to.
    fn received(&self) -> Outcome {
        let delivery = self.twin.deliveries().pop().unwrap();
        let headers: Vec<(String, Vec<u8>)> = delivery
            .headers
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.clone().into_bytes()))
            .collect();
        let raw = RawDelivery { headers: &borrowed(&headers), body: delivery.body.as_bytes() };
        self.inbound.receive(raw, self.clock.time())
    }

    /// What a body comes to that is signed rightly, now.
    fn signed(&self, body: &str) -> Outcome {
        let time = self.clock.time().as_second().to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.twin.signing_secret().as_bytes()).unwrap();
        mac.update(format!("v0:{time}:{body}").as_bytes());
        let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
        let headers =
            [("x-slack-request-timestamp", time.as_bytes()), ("x-slack-signature", signature.as_bytes())];
        self.inbound.receive(RawDelivery { headers: &headers, body: body.as_bytes() }, self.clock.time())
    }

    fn interaction(&self, payload: &Value) -> Outcome {
        self.signed(&Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish())
    }

    fn command(&self, changed: &[(&str, &str)]) -> Outcome {
        let url = format!("{}/commands/x", self.twin.url());
        let mut fields = vec![
            ("team_id", "T1"),
            ("channel_id", "C1"),
            ("user_id", "U1"),
            ("command", "/deploy"),
            ("text", "status"),
            ("response_url", &url),
            ("trigger_id", "1.2.abc"),
        ];
        for (name, value) in changed {
            fields.retain(|(known, _)| known != name);
            fields.push((name, value));
        }
        self.signed(&Serializer::new(String::new()).extend_pairs(fields).finish())
    }

    async fn card(&self) -> Message {
        self.slack.post(&self.channel(), &waiting(), MARKER).await.unwrap()
    }

    async fn press(&self, message: &Message, button: &str) -> Outcome {
        self.twin.press(&self.dana, &self.deploys, &message.id, button).await.unwrap();
        self.received()
    }
}

fn verified(outcome: Outcome) -> Verified {
    match outcome {
        Ok(Received::Ours(verified)) => verified,
        other => panic!("not ours: {other:?}"),
    }
}

fn chatted(outcome: Outcome) -> Chatted {
    let Verified { id, events, form } = verified(outcome);
    assert_eq!(form, None);
    match events.as_slice() {
        [Event::Chatted(chatted)] => {
            assert_eq!(chatted.id, id);
            chatted.as_ref().clone()
        }
        other => panic!("not one act: {other:?}"),
    }
}

fn form(outcome: Outcome) -> Form {
    let Verified { events, form, .. } = verified(outcome);
    assert_eq!(events, []);
    *form.unwrap()
}

fn is_refused(outcome: &Outcome) -> bool {
    matches!(outcome, Err(Rejected::Unauthenticated(_)))
}

#[tokio::test]
async fn a_typed_command_tells_who_where_and_what() {
    let stage = stage().await;
    stage.clock.advance(SignedDuration::from_millis(250));
    stage.twin.command(&stage.dana, &stage.deploys, "/deploy", "reject a<b @alice & more").await.unwrap();
    let said = chatted(stage.received());
    assert_eq!(said.act, Act::Typed { text: "reject a<b @alice & more".to_owned() });
    assert_eq!((said.by.id.as_str(), said.by.team), (stage.dana.as_str(), Some(stage.twin.team())));
    assert_eq!((&said.aside.channel, said.aside.user.as_str()), (&stage.channel(), stage.dana.as_str()));
    assert!(said.aside.url.is_some_and(|url| url.starts_with(&format!("{}/commands/", stage.twin.url()))));
    assert_eq!(said.at, stage.clock.time());
    assert_eq!((stage.inbound.manner(), stage.inbound.largest()), (Manner::Chat(""), 1024 * 1024));
}

#[tokio::test]
async fn each_command_is_another_act_and_a_replayed_one_is_the_same() {
    let stage = stage().await;
    stage.twin.command(&stage.dana, &stage.deploys, "/deploy", "status").await.unwrap();
    let (first, again) = (verified(stage.received()).id, verified(stage.received()).id);
    stage.twin.command(&stage.dana, &stage.deploys, "/deploy", "status").await.unwrap();
    assert_eq!(first, again);
    assert_ne!(first, verified(stage.received()).id);
}

#[rstest]
#[case("https://hooks.slack.com/commands/T1/2/3", true)]
#[case("https://hooks.slack-gov.com/commands/T1/2/3", true)]
#[case("http://hooks.slack.com/commands/T1/2/3", false)]
#[case("https://hooks.slack.com:8443/commands", false)]
#[case("https://hooks.slack.com.evil.example/commands", false)]
#[case("https://dana@hooks.slack.com/commands", false)]
#[case("http://169.254.169.254/latest", false)]
#[case("nowhere", false)]
#[tokio::test]
async fn answers_go_to_slack_or_nowhere(#[case] url: &str, #[case] kept: bool) {
    let said = chatted(stage().await.command(&[("response_url", url)]));
    assert_eq!(said.aside.url.as_deref(), kept.then_some(url));
}

#[tokio::test]
async fn the_order_of_acts_is_that_of_slacks_clock() {
    let stage = stage().await;
    let second = stage.clock.time();
    stage.twin.command(&stage.dana, &stage.deploys, "/deploy", "status").await.unwrap();
    stage.wait(-120);
    assert_eq!(chatted(stage.received()).at, second, "our clock is late");
    stage.wait(240);
    let end = second.checked_add(SignedDuration::from_millis(999)).unwrap();
    assert_eq!(chatted(stage.received()).at, end, "our clock is early");
}

#[tokio::test]
async fn an_approving_button_is_pressed_on_the_message_that_shows_it() {
    let stage = stage().await;
    let mut notice = waiting();
    notice.offer = Some(Offer { generation: 7, ..offer() });
    let message = stage.slack.post(&stage.channel(), &notice, MARKER).await.unwrap();
    let outcome = stage.press(&message, "approve").await;
    let said = chatted(outcome);
    let at = stage.clock.time();
    let on = Some(message);
    assert_eq!(
        said.act,
        Act::Pressed { offer: offer(), word: Word::Approved, reason: None, on, pressed_at: at }
    );
    assert_eq!((said.at, said.by.team, said.aside.thread), (at, Some(stage.twin.team()), None));
    assert!(said.aside.url.is_some());
}

#[tokio::test]
async fn a_button_in_an_answer_stands_on_no_message() {
    let stage = stage().await;
    let choice = crate::domain::chat::Choice { line: Line::of("production"), offer: offer() };
    stage.slack.whisper(&stage.aside(&stage.dana, None), &prose("Choose:"), &[choice]).await.unwrap();
    let answer = stage.twin.ephemerals_of(&stage.dana).pop().unwrap();
    stage.twin.press(&stage.dana, &stage.deploys, &answer.ts, "approve").await.unwrap();
    let Act::Pressed { on, offer: pressed, .. } = chatted(stage.received()).act else { panic!("no press") };
    assert_eq!((on, pressed), (None, offer()));
}

#[tokio::test]
async fn somebody_of_another_workspace_is_told_as_such() {
    let stage = stage().await;
    let message = stage.card().await;
    stage.twin.press(&stage.mallory, &stage.deploys, &message.id, "approve").await.unwrap();
    let said = chatted(stage.received());
    assert_ne!(said.by.team, Some(stage.twin.team()));
}

#[tokio::test]
async fn a_rejecting_button_asks_why_and_its_form_rejects() {
    let stage = stage().await;
    let message = stage.card().await;
    let asked = form(stage.press(&message, "reject").await);
    assert_eq!((asked.word, &asked.offer, asked.on.as_ref()), (Word::Rejected, &offer(), Some(&message)));
    stage.slack.open_form(&asked).await.unwrap();
    let view = stage.twin.open_view(&stage.dana).unwrap();
    assert!(
        stage.twin.submit_view(&stage.dana, &view, &[("reason", "")]).await.is_err(),
        "Slack asks for a reason"
    );
    stage.wait(5);
    let shown =
        stage.twin.submit_view(&stage.dana, &view, &[("reason", "  too <!channel> late ")]).await.unwrap();
    assert_eq!(shown.text, None);
    let said = chatted(stage.received());
    let Act::Pressed { offer: pressed, word, reason, on, .. } = said.act else { panic!("no press") };
    assert_eq!((pressed, word, on), (offer(), Word::Rejected, Some(message)));
    assert_eq!(reason.as_deref(), Some("too <!channel> late"));
    assert_eq!((said.aside.url, said.at), (asked.aside.url, stage.clock.time()));
    assert!(!stage.twin.views_of(&stage.dana)[0].open);
}

#[tokio::test]
async fn blanks_are_no_reason_and_keep_the_form_open() {
    let stage = stage().await;
    let asked = form(stage.press(&stage.card().await, "reject").await);
    stage.slack.open_form(&asked).await.unwrap();
    let view = stage.twin.open_view(&stage.dana).unwrap();
    stage.twin.submit_view(&stage.dana, &view, &[("reason", "  ")]).await.unwrap();
    let Ok(Received::Told(body)) = stage.received() else { panic!("taken") };
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["response_action"], "errors");
    assert!(body["errors"]["reason"].is_string());
}

#[tokio::test]
async fn a_reason_that_nobody_needs_may_be_left_out() {
    let stage = stage().await;
    let mut notice = waiting();
    notice.offer = Some(Offer { reason_needed: false, ..offer() });
    let message = stage.slack.post(&stage.channel(), &notice, MARKER).await.unwrap();
    stage.slack.open_form(&form(stage.press(&message, "reject").await)).await.unwrap();
    let view = stage.twin.open_view(&stage.dana).unwrap();
    stage.twin.submit_view(&stage.dana, &view, &[]).await.unwrap();
    let Act::Pressed { reason, .. } = chatted(stage.received()).act else { panic!("no press") };
    assert_eq!(reason, None);
}

#[tokio::test]
async fn buttons_and_forms_that_decide_nothing_are_none_of_our_business() {
    let stage = stage().await;
    let message = stage.card().await;
    assert!(matches!(stage.press(&message, "open").await, Ok(Received::NotOurs(_))));
    for payload in [
        json!({ "type": "view_closed" }),
        json!({ "type": "shortcut", "user": { "id": "U1" } }),
        json!({ "type": "block_actions", "actions": [] }),
        json!({ "type": "view_submission", "view": { "id": "V1", "callback_id": "another" } }),
    ] {
        assert!(matches!(stage.interaction(&payload), Ok(Received::NotOurs(_))), "{payload}");
    }
}

#[rstest]
#[case(Forgery::WrongSecret)]
#[case(Forgery::Unsigned)]
#[case(Forgery::Altered)]
#[case(Forgery::ClockOff(SignedDuration::from_secs(301)))]
#[case(Forgery::ClockOff(SignedDuration::from_secs(-301)))]
#[tokio::test]
async fn what_is_forged_or_stale_is_refused(#[case] forgery: Forgery) {
    let stage = stage().await;
    let message = stage.card().await;
    stage.twin.forge_next(forgery);
    let pressed = stage.press(&message, "approve").await;
    assert!(is_refused(&pressed), "{pressed:?}");
    stage.twin.forge_next(forgery);
    stage.twin.command(&stage.dana, &stage.deploys, "/deploy", "approve production").await.unwrap();
    assert!(is_refused(&stage.received()));
}

#[tokio::test]
async fn a_caught_delivery_is_stale_after_five_minutes() {
    let stage = stage().await;
    stage.twin.command(&stage.dana, &stage.deploys, "/deploy", "approve production").await.unwrap();
    stage.wait(300);
    assert!(stage.received().is_ok());
    stage.wait(1);
    assert!(is_refused(&stage.received()));
}

#[tokio::test]
async fn a_secret_may_be_replaced_while_deliveries_come() {
    let stage = stage().await;
    let old = stage.twin.signing_secret();
    let new = stage.twin.rotate_signing_secret();
    let api_url: Url = "https://slack.com/api".parse().unwrap();
    let make = |secrets: &[&str]| {
        SlackInbound::new(ChatName::new("slack"), secrets.iter().map(|one| (*one).into()).collect(), &api_url)
    };
    stage.twin.command(&stage.dana, &stage.deploys, "/deploy", "status").await.unwrap();
    assert!(is_refused(&stage.received()), "the stage knows the old one alone");
    let stage = Stage { inbound: make(&[&old, &new]).unwrap(), ..stage };
    assert!(stage.received().is_ok());
    assert_eq!(make(&[]).unwrap_err(), BadSecret::Missing);
    assert_eq!(make(&[""]).unwrap_err(), BadSecret::Empty);
}

#[tokio::test]
async fn a_doubled_or_missing_header_is_refused_even_when_all_is_right() {
    let stage = stage().await;
    stage.twin.command(&stage.dana, &stage.deploys, "/deploy", "status").await.unwrap();
    let delivery = stage.twin.deliveries().pop().unwrap();
    let whole: Vec<(String, Vec<u8>)> = ["x-slack-request-timestamp", "x-slack-signature"]
        .map(|name| (name.to_owned(), delivery.header(name).unwrap().as_bytes().to_vec()))
        .to_vec();
    let receive = |headers: &[(String, Vec<u8>)]| {
        let raw = RawDelivery { headers: &borrowed(headers), body: delivery.body.as_bytes() };
        stage.inbound.receive(raw, stage.clock.time())
    };
    assert!(receive(&whole).is_ok());
    for n in 0..2 {
        assert!(is_refused(&receive(&[whole.clone(), vec![whole[n].clone()]].concat())));
        assert!(is_refused(&receive(&whole[n..=n])));
    }
}

#[tokio::test]
async fn a_probe_is_answered_and_smuggles_nothing() {
    let stage = stage().await;
    stage.twin.ssl_check(&[("command", "/deploy"), ("text", "approve production"), ("payload", "{}")]).await;
    assert_eq!(stage.received(), Ok(Received::Told(String::new())));
}

#[rstest]
#[case("trigger_id", "")]
#[case("trigger_id", "has blank")]
#[case("user_id", "")]
#[case("channel_id", "")]
#[tokio::test]
async fn a_command_that_lacks_what_it_must_have_is_unreadable(#[case] field: &str, #[case] value: &str) {
    let outcome = stage().await.command(&[(field, value)]);
    assert!(matches!(outcome, Err(Rejected::Unreadable(_))), "{outcome:?}");
}

#[tokio::test]
async fn hostile_payloads_are_unreadable_and_harm_nothing() {
    let stage = stage().await;
    let deep = "[".repeat(100_000);
    for payload in [
        "",
        "{",
        "null",
        "[]",
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"block_actions","actions":{}}"#,
        deep.as_str(),
    ] {
        let body = Serializer::new(String::new()).append_pair("payload", payload).finish();
        let outcome = stage.signed(&body);
        assert!(matches!(outcome, Err(Rejected::Unreadable(_))), "{payload:.20}: {outcome:?}");
    }
    assert!(matches!(stage.signed(""), Err(Rejected::Unreadable(_))));
    assert!(matches!(stage.signed(r#"{"type":"url_verification"}"#), Err(Rejected::Unreadable(_))));
}

#[tokio::test]
async fn a_press_that_lacks_what_it_must_have_is_unreadable() {
    let stage = stage().await;
    let whole = json!({
        "type": "block_actions",
        "user": { "id": "U1" },
        "team": null,
        "trigger_id": "1.2.abc",
        "container": { "type": "message", "message_ts": "1.2", "channel_id": "C1" },
        "actions": [{ "action_id": "approve", "value": serde_json::to_string(&offer()).unwrap(), "action_ts": "x" }],
    });
    let said = chatted(stage.interaction(&whole));
    assert_eq!((said.by.team, said.at), (None, stage.clock.time()), "a time that can't be read is ours");
    for at in [
        "/user",
        "/trigger_id",
        "/container",
        "/container/message_ts",
        "/container/channel_id",
        "/actions/0/value",
    ] {
        let mut lacking = whole.clone();
        *lacking.pointer_mut(at).unwrap() = Value::Null;
        let outcome = stage.interaction(&lacking);
        assert!(matches!(outcome, Err(Rejected::Unreadable(_))), "{at}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_form_that_kept_no_channel_is_unreadable() {
    let stage = stage().await;
    for (channel, readable) in [("C1", true), ("", false), ("a\u{0}b", false)] {
        let kept = json!({ "offer": offer(), "word": "approved", "channel": channel });
        let view =
            json!({ "id": "V1", "callback_id": "countersign:decide", "private_metadata": kept.to_string() });
        let sent = json!({ "type": "view_submission", "user": { "id": "U1" }, "view": view });
        let outcome = stage.interaction(&sent);
        assert_eq!(matches!(outcome, Ok(Received::Ours(_))), readable, "{channel:?}: {outcome:?}");
    }
}
