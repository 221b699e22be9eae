//! Forms: opened for one person, sent by them, once.

use super::*;
use crate::domain::chat::Act;
use serde_json::{Value, json};
use twin::Submission;

impl World {
    /// What the client of somebody who sees this form sends.
    fn submission(&self, dialog: &twin::DialogView, reason: &Value) -> Submission {
        Submission {
            url: dialog.url.clone(),
            callback_id: dialog.callback_id.clone(),
            state: dialog.state.clone(),
            channel_id: self.channel().to_owned(),
            submission: json!({ "reason": reason }),
            cancelled: false,
        }
    }

    async fn submit(&self, user: &str, submission: Submission) -> Result<Received, Rejected> {
        self.twin.submit_as_client(user, submission).await.unwrap();
        self.received()
    }
}

#[tokio::test]
async fn an_approval_is_confirmed() {
    let world = world().await;
    let card = world.card().await;
    let dialog = world.open(&world.dana, &card, "approve").await;
    assert_eq!(dialog.faults, Vec::<String>::new());
    assert_eq!((dialog.title.as_str(), &dialog.fields), ("Approve this deployment", &vec![]));
    assert_eq!(dialog.introduction, "`production` d4711 (`9f1c2d3e`)");
    let pressed_at = world.clock.time();
    world.clock.advance(SignedDuration::from_mins(2));
    world.twin.submit_dialog(&world.dana, &[]).await.unwrap();
    let (id, chatted) = act(world.received());
    assert_eq!((&id, &chatted.by.id, chatted.at), (&chatted.id, &world.dana, world.clock.time()));
    assert_eq!(chatted.aside, world.aside(&world.dana));
    let said =
        Act::Pressed { offer: offer(), word: Word::Approved, reason: None, on: Some(card), pressed_at };
    assert_eq!(chatted.act, said);
    world.submit(&world.dana, world.submission(&dialog, &Value::Null)).await.unwrap();
    assert_eq!(act(world.received()).0, id, "sent again it is the same form");
}

#[tokio::test]
async fn every_press_opens_a_form_of_its_own() {
    let world = world().await;
    let card = world.card().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        world.open(&world.dana, &card, "approve").await;
        world.twin.submit_dialog(&world.dana, &[]).await.unwrap();
        ids.push(act(world.received()).0);
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_rejection_says_why() {
    let world = world().await;
    let card = world.card().await;
    let dialog = world.open(&world.dana, &card, "reject").await;
    assert_eq!((dialog.faults, dialog.fields), (Vec::<String>::new(), vec!["reason".to_owned()]));
    assert!(
        world.twin.submit_dialog(&world.dana, &[("reason", "")]).await.is_err(),
        "the client asks for it"
    );
    world.twin.submit_dialog(&world.dana, &[("reason", " too slow\n")]).await.unwrap();
    match act(world.received()).1.act {
        Act::Pressed { word, reason, .. } => {
            assert_eq!((word, reason.as_deref()), (Word::Rejected, Some("too slow")));
        }
        other @ (Act::Typed { .. } | Act::Unopened { .. }) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_reason_that_is_needed_and_missing_is_asked_for_again() {
    let world = world().await;
    let card = world.card().await;
    let dialog = world.open(&world.dana, &card, "reject").await;
    for nothing in [Value::Null, json!(""), json!(" \n"), json!(7)] {
        let told = told(world.submit(&world.dana, world.submission(&dialog, &nothing)).await);
        assert_eq!(told, json!({ "errors": { "reason": "A rejection needs a reason." } }));
    }
    let long = |length| world.submission(&dialog, &"ä".repeat(length).into());
    let told = told(world.submit(&world.dana, long(1_001)).await);
    assert!(told["errors"]["reason"].as_str().unwrap().contains("1000"));
    act(world.submit(&world.dana, long(1_000)).await);
}

#[tokio::test]
async fn where_no_reason_is_needed_none_is_given() {
    let world = world().await;
    let mut lenient = notice();
    lenient.offer = Some(Offer { reason_needed: false, ..offer() });
    let card = world.chat.post(&world.deploys, &lenient, "card").await.unwrap();
    world.open(&world.dana, &card, "reject").await;
    world.twin.submit_dialog(&world.dana, &[]).await.unwrap();
    let said = act(world.received()).1.act;
    assert!(matches!(said, Act::Pressed { word: Word::Rejected, reason: None, .. }), "{said:?}");
}

#[tokio::test]
async fn a_form_is_for_whom_it_was_opened() {
    let world = world().await;
    let card = world.card().await;
    let dialog = world.open(&world.dana, &card, "approve").await;
    let stolen = world.submission(&dialog, &Value::Null);
    assert!(is_unauthenticated(&world.submit(&world.mallory, stolen).await));
}

#[tokio::test]
async fn a_form_that_was_never_opened_is_refused() {
    let world = world().await;
    let card = world.card().await;
    let dialog = world.open(&world.dana, &card, "approve").await;
    let context = world.shown(&card).props["attachments"][0]["actions"][0]["integration"]["context"].clone();
    let context = context["sealed"].as_str().unwrap();
    let altered = dialog.state.replace(char::is_alphabetic, "A");
    for state in ["", "approve", &altered, context] {
        let forged = Submission { state: state.to_owned(), ..world.submission(&dialog, &Value::Null) };
        assert!(is_unauthenticated(&world.submit(&world.dana, forged).await), "{state}");
    }
}

#[tokio::test]
async fn a_state_is_no_context() {
    let world = world().await;
    let card = world.card().await;
    let dialog = world.open(&world.mallory, &card, "approve").await;
    let url = format!("{}/hooks/mattermost", world.twin.url());
    let integration = json!({ "url": url, "context": { "sealed": dialog.state } });
    let action = json!({ "id": "coffee", "type": "button", "name": "Coffee?", "integration": integration });
    let new = twin::NewPost::new("").props(json!({ "attachments": [{ "actions": [action] }] }));
    world.twin.invite(world.channel(), &world.mallory);
    let post = world.twin.post_as(&world.mallory, world.channel(), new).unwrap();
    let post = Message { channel: world.deploys.clone(), id: post };
    assert!(is_unauthenticated(&world.press(&world.alice, &post, "coffee").await));
}

#[tokio::test]
async fn the_client_has_no_say_in_channel_and_name() {
    let world = world().await;
    let card = world.card().await;
    let dialog = world.open(&world.dana, &card, "approve").await;
    let acme = world.twin.add_team("other");
    let elsewhere = world.twin.add_channel(&acme, "elsewhere", &[&world.dana]);
    let callback_id = "release everything".to_owned();
    let odd = Submission { channel_id: elsewhere, callback_id, ..world.submission(&dialog, &Value::Null) };
    assert_eq!(act(world.submit(&world.dana, odd).await).1.aside.channel, world.deploys);
}

#[tokio::test]
async fn a_cancelled_form_decides_nothing() {
    let world = world().await;
    let card = world.card().await;
    let dialog = world.open(&world.dana, &card, "approve").await;
    assert_eq!(world.twin.cancel_dialog(&world.dana).await.unwrap(), None, "nobody is told");
    let cancelled = Submission { cancelled: true, ..world.submission(&dialog, &Value::Null) };
    let received = world.submit(&world.dana, cancelled).await;
    assert!(matches!(received, Ok(Received::NotOurs(_))));
}

#[tokio::test]
async fn a_form_that_stood_open_for_too_long_says_so() {
    let world = world().await;
    let card = world.card().await;
    let dialog = world.open(&world.dana, &card, "approve").await;
    world.clock.advance(SignedDuration::from_mins(30));
    let told = told(world.submit(&world.dana, world.submission(&dialog, &Value::Null)).await);
    assert!(told["error"].as_str().unwrap().contains("expired"));
}

#[tokio::test]
async fn a_trigger_that_is_no_good_opens_nothing() {
    let world = world().await;
    let card = world.card().await;
    let form = form(world.press(&world.dana, &card, "approve").await);
    world.clock.advance(SignedDuration::from_mins(1));
    assert!(world.chat.open_form(&form).await.is_err());
    assert_eq!(world.twin.dialogs_of(&world.dana), []);
}
