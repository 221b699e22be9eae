//! The slash command, and buttons.

use super::*;
use crate::domain::chat::Act;
use crate::ports::inbound::Manner;
use rstest::rstest;
use serde_json::{Value, json};

#[tokio::test]
async fn a_command_says_who_typed_what_where() {
    let world = world().await;
    let card = world.card().await;
    world
        .twin
        .command(&world.dana, world.channel(), Some(&card.id), "/deploy approve production")
        .await
        .unwrap();
    let (id, typed) = act(world.received());
    assert_eq!(typed.act, Act::Typed { text: "approve production".to_owned() });
    assert_eq!((&typed.by.id, &typed.aside.user), (&world.dana, &world.dana));
    assert_eq!((&typed.aside.channel, &typed.aside.thread), (&world.deploys, &Some(card.id)));
    assert!(typed.aside.url.unwrap().starts_with(&format!("{}/hooks/commands/", world.twin.url())));
    assert_eq!(typed.at, world.clock.time());
    assert_eq!(act(world.received()).0, id, "sent again it is the same act");
    world.twin.command(&world.dana, world.channel(), None, "/deploy approve production").await.unwrap();
    let (other, outside) = act(world.received());
    assert_ne!(other, id);
    assert_eq!(outside.aside.thread, None);
    assert_eq!((world.inbound.manner(), world.inbound.largest()), (Manner::Chat("{}"), 1024 * 1024));
}

/// A request with these headers and fields, to an inbound that knows the tokens `old` and `new`.
fn command(authorization: &[&str], tokens: &[&str], changed: (&str, &str)) -> Result<Received, Rejected> {
    let settings = settings("https://chat.example.com/sub", "bot-token");
    let inbound = MattermostInbound::new(&settings, vec!["old".into(), "new".into()]).unwrap();
    let mut headers = vec![("content-type".to_owned(), b"application/x-www-form-urlencoded".to_vec())];
    headers.extend(authorization.iter().map(|value| ("authorization".to_owned(), value.as_bytes().to_vec())));
    let (user, channel) = ("u".repeat(26), "c".repeat(26));
    let url = "https://chat.example.com/sub/hooks/commands/abc";
    let fields =
        [("user_id", user.as_str()), ("channel_id", &channel), ("trigger_id", "t"), ("response_url", url)];
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(
        fields.iter().map(|(name, value)| if *name == changed.0 { changed } else { (*name, *value) }),
    );
    form.extend_pairs(tokens.iter().map(|token| ("token", token)));
    let body = form.finish();
    let raw = RawDelivery { headers: &borrowed(&headers), body: body.as_bytes() };
    inbound.receive(raw, Timestamp::UNIX_EPOCH)
}

#[rstest]
#[case(&["Token old"], &["old"])]
#[case(&["Token new"], &[])]
#[case(&["token new"], &["new"])]
#[case(&[], &["new"])]
#[case(&["Bearer of-an-oauth-connection"], &["old"])]
fn a_right_token_is_taken_from_header_or_field(#[case] authorization: &[&str], #[case] tokens: &[&str]) {
    act(command(authorization, tokens, ("", "")));
}

#[rstest]
#[case(&[], &[])]
#[case(&[], &["wrong"])]
#[case(&[], &[""])]
#[case(&["Token "], &["new"])]
#[case(&["Token wrong"], &["new"])]
#[case(&["Token new"], &["wrong"])]
#[case(&["Token new"], &["old"])]
#[case(&["Token new", "Token new"], &["new"])]
#[case(&["Token new"], &["new", "new"])]
#[case(&["Bearer new"], &[])]
#[case(&["Bearer new"], &["wrong"])]
#[case(&["new"], &[])]
fn any_other_token_is_refused(#[case] authorization: &[&str], #[case] tokens: &[&str]) {
    assert!(is_unauthenticated(&command(authorization, tokens, ("", ""))));
}

#[rstest]
#[case("https://chat.example.com/sub/hooks/commands/abc", true)]
#[case("https://chat.example.com/hooks/commands/abc", false)]
#[case("https://chat.example.com/sub/api/v4/posts", false)]
#[case("https://chat.example.com/sub/hooks/commands/../../api/v4/posts", false)]
#[case("http://chat.example.com/sub/hooks/commands/abc", false)]
#[case("https://chat.example.com:8443/sub/hooks/commands/abc", false)]
#[case("https://evil.example/sub/hooks/commands/abc", false)]
#[case("https://dana@chat.example.com/sub/hooks/commands/abc", false)]
#[case("", false)]
fn answers_go_to_the_configured_place_only(#[case] url: &str, #[case] kept: bool) {
    let (_, typed) = act(command(&[], &["new"], ("response_url", url)));
    assert_eq!(typed.aside.url.is_some(), kept);
}

#[rstest]
#[case("user_id", "me")]
#[case("user_id", "")]
#[case("channel_id", "../posts")]
#[case("trigger_id", "")]
fn a_command_with_odd_ids_is_not_readable(#[case] field: &str, #[case] value: &str) {
    assert!(matches!(command(&[], &["new"], (field, value)), Err(Rejected::Unreadable(_))));
    assert!(is_unauthenticated(&command(&[], &["wrong"], (field, value))));
}

#[tokio::test]
async fn a_press_decides_nothing_and_asks_for_a_form() {
    let world = world().await;
    let card = world.card().await;
    let form = form(world.press(&world.dana, &card, "approve").await);
    assert_eq!((form.word, &form.offer, &form.on), (Word::Approved, &offer(), &Some(card.clone())));
    assert_eq!((&form.aside.user, &form.aside.channel), (&world.dana, &world.deploys));
    let again = world.received().unwrap();
    assert_eq!(again, world.received().unwrap(), "sent again it is the same press");
    world.twin.press(&world.dana, &card.id, "approve").await.unwrap();
    assert_ne!(again, world.received().unwrap());
}

impl World {
    /// The newest request with some of its JSON changed.
    fn tampered(&self, change: impl FnOnce(&mut Value)) -> Result<Received, Rejected> {
        let sent = self.sent();
        let mut body: Value = serde_json::from_str(&sent.body).unwrap();
        change(&mut body);
        self.receive(&Delivery { body: body.to_string(), ..sent })
    }

    /// What only the server knows of a card's button.
    fn context(&self, card: &Message, button: usize) -> Value {
        let at = format!("/attachments/0/actions/{button}/integration/context");
        self.shown(card).props.pointer(&at).unwrap().clone()
    }
}

#[tokio::test]
async fn a_context_that_we_did_not_seal_is_refused() {
    let world = world().await;
    let card = world.card().await;
    world.press(&world.dana, &card, "approve").await.unwrap();
    let sealed = world.context(&card, 0)["sealed"].as_str().unwrap().to_owned();
    let (first, rest) = sealed.split_at(60);
    let torn = format!("{first}{}{}", if rest.starts_with('A') { "B" } else { "A" }, rest.split_at(1).1);
    let strange = super::super::seal::Seal::new(&"another-token".into()).close(&Button::new(
        &offer(),
        Word::Approved,
        &Place::Card,
        world.clock.time(),
    ));
    for context in [
        json!({}),
        json!({ "sealed": null }),
        json!({ "sealed": torn }),
        json!({ "sealed": strange }),
        json!({ "decision": "approve", "deployment": 4711 }),
        json!("approve"),
        json!(null),
    ] {
        let forged = world.tampered(|body| body["context"] = context.clone());
        assert!(is_unauthenticated(&forged), "{context}");
    }
    for body in ["", "[]", "{", "{}", r#"{"type":"dialog_submission"}"#, r#"{"context":{},"context":{}}"#] {
        let sent = world.sent();
        assert!(is_unauthenticated(&world.receive(&Delivery { body: body.to_owned(), ..sent })), "{body}");
    }
}

#[tokio::test]
async fn somebody_elses_button_aimed_at_us_is_refused() {
    let world = world().await;
    let acme = world.twin.add_team("trap");
    let trap = world.twin.add_channel(&acme, "free-coffee", &[&world.mallory, &world.dana]);
    let url = format!("{}/hooks/mattermost", world.twin.url());
    let integration = json!({ "url": url, "context": { "sealed": "approve" } });
    let action = json!({ "id": "coffee", "type": "button", "name": "Coffee?", "integration": integration });
    let new = twin::NewPost::new("").props(json!({ "attachments": [{ "actions": [action] }] }));
    let post = world.twin.post_as(&world.mallory, &trap, new).unwrap();
    let post = Message { channel: ChannelId::new(trap), id: post };
    assert!(is_unauthenticated(&world.press(&world.dana, &post, "coffee").await));
}

/// The store knows which message is about what; the adapter says truly on which the button stood.
#[tokio::test]
async fn a_cards_context_on_another_message_is_told_as_that_message() {
    let world = world().await;
    let card = world.card().await;
    let integration = json!({
        "url": format!("{}/hooks/mattermost", world.twin.url()),
        "context": world.context(&card, 0),
    });
    let action = json!({ "id": "coffee", "type": "button", "name": "Coffee?", "integration": integration });
    let new = twin::NewPost::new("").props(json!({ "attachments": [{ "actions": [action] }] }));
    let other = world.twin.post_as(&world.alice, world.channel(), new).unwrap();
    let other = Message { channel: world.deploys.clone(), id: other };
    assert_eq!(form(world.press(&world.dana, &other, "coffee").await).on, Some(other));
}

#[tokio::test]
async fn a_press_with_another_persons_trigger_is_refused() {
    let world = world().await;
    let card = world.card().await;
    world.press(&world.mallory, &card, "approve").await.unwrap();
    let swapped = world.tampered(|body| body["user_id"] = world.alice.clone().into());
    assert!(is_unauthenticated(&swapped));
    let unknown = world.tampered(|body| body["trigger_id"] = "of a later version".into());
    assert_eq!(form(unknown).trigger, "of a later version", "Mattermost judges it");
}

#[tokio::test]
async fn a_button_made_for_one_person_is_nobody_elses() {
    let world = world().await;
    let direct = world.twin.direct_channel(&world.twin.bot_user(), &world.dana);
    let choice =
        crate::domain::chat::Choice { line: Line::of("d4711"), offer: Offer { generation: 0, ..offer() } };
    world.chat.whisper(&world.aside(&world.dana), &Prose::default(), &[choice]).await.unwrap();
    let post = world.twin.posts_of(&direct).remove(0);
    let post = Message { channel: ChannelId::new(direct), id: post.id };
    assert!(world.press(&world.dana, &post, "approve1").await.is_ok());
    let context = world.context(&post, 0);
    let card = world.card().await;
    world.press(&world.alice, &card, "approve").await.unwrap();
    let swapped = world.tampered(|body| body["context"] = context.clone());
    assert!(is_unauthenticated(&swapped));
}

#[tokio::test]
async fn an_old_button_says_so() {
    let world = world().await;
    let card = world.card().await;
    world.clock.advance(SignedDuration::from_hours(30 * 24));
    let told = told(world.press(&world.dana, &card, "approve").await);
    assert!(told["ephemeral_text"].as_str().unwrap().contains("expired"));
    assert_eq!(told["skip_slack_parsing"], true);
}

#[rstest]
#[case("user_id", json!("me"))]
#[case("channel_id", json!(null))]
#[case("post_id", json!(""))]
#[case("trigger_id", json!(""))]
#[tokio::test]
async fn a_proven_press_without_its_ids_is_not_readable(#[case] field: &str, #[case] value: Value) {
    let world = world().await;
    let card = world.card().await;
    world.press(&world.dana, &card, "approve").await.unwrap();
    let odd = world.tampered(|body| body[field] = value);
    assert!(matches!(odd, Err(Rejected::Unreadable(_))), "{odd:?}");
}
