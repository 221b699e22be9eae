//! Commands and buttons: what the app is sent, and what people then see.

use std::time::Duration;

use jiff::SignedDuration;

use super::*;

#[tokio::test]
async fn a_command_carries_its_token_twice_and_names_its_thread() {
    let world = world().await;
    let token = world.mattermost.set_command(&world.acme, "deploy", &world.app);
    let card = world.card().await;
    world.app_answers(200, &json!({ "text": "approved" }));
    let typed = "/deploy approve production";
    let shown = world.mattermost.command(&world.dana, &world.deploys, Some(&card), typed).await.unwrap();
    assert_eq!(shown.text.as_deref(), Some("approved"));
    let sent = world.received();
    assert_eq!(sent.header("Authorization"), Some(format!("Token {token}").as_str()));
    assert_eq!((world.field("token"), world.field("root_id")), (token, card.clone()));
    assert_eq!(
        (world.field("command"), world.field("text")),
        ("/deploy".into(), "approve production".into())
    );
    let whisper = world.mattermost.ephemerals_of(&world.dana).pop().unwrap();
    assert_eq!(whisper.root_id, Some(card));
    assert_eq!(world.mattermost.replies_to(&whisper.root_id.unwrap()), []);
}

#[tokio::test]
async fn a_public_answer_counts_as_written_by_whoever_typed() {
    let world = world().await;
    world.app_answers(200, &json!({ "text": "<!channel> done", "response_type": "in_channel" }));
    world.mattermost.command(&world.dana, &world.deploys, None, "/deploy status").await.unwrap();
    let post = world.mattermost.posts_of(&world.deploys).pop().unwrap();
    assert_eq!((post.author, post.message.as_str()), (world.dana.clone(), "@channel done"));
    assert_eq!(
        world.mattermost.pings()[0].who,
        world.alice,
        "Slack's markup calls people unless it is skipped"
    );
    let skipped = json!({ "text": "<!channel>", "response_type": "in_channel", "skip_slack_parsing": true });
    world.app_answers(200, &skipped);
    world.mattermost.command(&world.dana, &world.deploys, None, "/deploy status").await.unwrap();
    assert_eq!(world.mattermost.pings().len(), 1);
}

#[tokio::test]
async fn a_command_needs_a_full_answer_in_json_or_text() {
    let world = world().await;
    let shown = async || {
        world
            .mattermost
            .command(&world.dana, &world.deploys, None, "/deploy status")
            .await
            .unwrap()
            .text
            .unwrap()
    };
    world.app_answers(200, "");
    assert_eq!(shown().await, "Command failed: empty response");
    world.app_answers(401, "{}");
    assert_eq!(shown().await, "Command failed: response 401: {}");
    world.app_answers(200, "plain words");
    assert_eq!(shown().await, "plain words");
    world.mattermost.clear_faults();
    world.mattermost.set_patience(Duration::from_millis(50));
    world.mattermost.add_fault(Rule::new("/app", Action::Delay(Duration::from_secs(30))));
    assert_eq!(shown().await, "Command failed: timed out");
}

#[tokio::test]
async fn only_members_who_are_active_type_commands() {
    let world = world().await;
    let refused = async |user: &str, line: &str| {
        world.mattermost.command(user, &world.deploys, None, line).await.unwrap_err()
    };
    assert_eq!(refused(&world.mallory, "/deploy status").await, Refused::NoChannel);
    assert_eq!(refused(&world.dana, "/ship status").await, Refused::NoCommand);
    assert_eq!(refused(&world.dana, "deploy status").await, Refused::NoCommand);
    assert_eq!(refused(&world.mattermost.bot_user(), "/deploy status").await, Refused::NoPerson);
    world.mattermost.deactivate(&world.dana);
    assert_eq!(refused(&world.dana, "/deploy status").await, Refused::NoPerson);
}

#[tokio::test]
async fn a_press_is_sent_without_any_credential() {
    let world = world().await;
    let card = world.card().await;
    world.app_answers(200, &json!({ "ephemeral_text": "being carried out", "skip_slack_parsing": true }));
    let shown = world.mattermost.press(&world.dana, &card, "approve").await.unwrap();
    assert_eq!(shown.text.as_deref(), Some("being carried out"));
    let sent = world.received();
    assert_eq!((sent.header("Authorization"), sent.headers.len()), (None, 2));
    let body = world.received_json();
    assert_eq!((&body["user_id"], &body["post_id"]), (&json!(world.dana), &json!(card)));
    assert_eq!(body["channel_id"], json!(world.deploys));
    assert_eq!(body["context"], json!({ "decision": "approve", "mac": "c0ffee" }));
}

#[tokio::test]
async fn somebody_elses_button_delivers_the_victims_id_to_any_address() {
    let world = world().await;
    let trap = world.mattermost.add_channel(&world.acme, "free-coffee", &[&world.mallory, &world.dana]);
    let integration = json!({ "url": world.app, "context": { "decision": "approve" } });
    let action = json!({ "id": "coffee", "type": "button", "name": "Coffee?", "integration": integration });
    let new = NewPost::new("").props(json!({ "attachments": [{ "actions": [action] }] }));
    let post = world.mattermost.post_as(&world.mallory, &trap, new).unwrap();
    world.app_answers(200, "{}");
    world.mattermost.press(&world.dana, &post, "coffee").await.unwrap();
    let body = world.received_json();
    assert_eq!((&body["user_id"], &body["post_id"]), (&json!(world.dana), &json!(post)));
}

#[tokio::test]
async fn a_public_channels_button_is_pressed_from_outside_a_private_ones_isnt() {
    let world = world().await;
    let card = world.card().await;
    world.app_answers(200, "");
    let shown = world.mattermost.press(&world.mallory, &card, "approve").await.unwrap();
    assert_eq!((shown.status, shown.text), (Some(200), None), "an empty answer to a button is fine");
    let private = world.mattermost.add_private_channel(&world.acme, "private", &[&world.dana]);
    let new = NewPost::new("x").props(world.buttons());
    let post = world.mattermost.post_as(&world.dana, &private, new).unwrap();
    assert_eq!(world.mattermost.press(&world.mallory, &post, "approve").await, Err(Refused::NoPost));
    assert_eq!(world.mattermost.press(&world.dana, &card, "revoke").await, Err(Refused::NoButton));
    let odd = json!({ "id": "a-b", "type": "button", "name": "x", "integration": { "url": world.app } });
    let new = NewPost::new("x").props(json!({ "attachments": [{ "actions": [odd] }] }));
    let post = world.mattermost.post_as(&world.dana, &world.deploys, new).unwrap();
    let dashed = world.mattermost.press(&world.dana, &post, "a-b").await;
    assert_eq!(dashed, Err(Refused::NoButton), "ids are letters and digits");
}

#[tokio::test]
async fn an_answer_updates_the_post_and_empty_props_remove_the_buttons() {
    let world = world().await;
    let card = world.card().await;
    let press = async |answer: &Value| {
        world.app_answers(200, answer);
        world.mattermost.press(&world.dana, &card, "approve").await.unwrap();
        world.mattermost.post(&card).unwrap()
    };
    let kept = press(&json!({ "update": { "message": "being carried out" } })).await;
    assert_eq!((kept.message.as_str(), kept.buttons.len()), ("being carried out", 2));
    let silenced = press(&json!({ "update": {} })).await;
    assert_eq!(silenced.message, "", "a message left out is an empty one");
    let done = press(&json!({ "update": { "message": "approved", "props": {} } })).await;
    assert_eq!((done.seen.as_str(), done.buttons.len(), done.edited), ("approved", 0, true));
}

#[tokio::test]
async fn a_bad_answer_to_a_button_is_an_action_that_failed() {
    let world = world().await;
    let card = world.card().await;
    for (status, body) in [(202, "{}"), (500, "{}"), (200, "no JSON")] {
        world.app_answers(status, body);
        let shown = world.mattermost.press(&world.dana, &card, "approve").await.unwrap();
        assert_eq!(shown.text.as_deref(), Some("Action failed"), "{status} {body}");
    }
    let long = json!({ "update": { "message": "x".repeat(16_384) } });
    world.app_answers(200, &long);
    let shown = world.mattermost.press(&world.dana, &card, "approve").await.unwrap();
    assert_eq!(shown.text.as_deref(), Some("Action failed"));
    world.app_answers(200, &json!({ "error": { "message": "not you" } }));
    let shown = world.mattermost.press(&world.dana, &card, "approve").await.unwrap();
    assert_eq!(shown.text.as_deref(), Some("not you"));
    assert_eq!(world.mattermost.post(&card).unwrap().message, "deployment");
}

#[tokio::test]
async fn a_private_answers_button_names_a_post_that_the_api_doesnt_know() {
    let world = world().await;
    let mut answer = world.buttons();
    answer["text"] = json!("two wait");
    world.app_answers(200, &answer);
    world.mattermost.command(&world.dana, &world.deploys, None, "/deploy blocked").await.unwrap();
    let list = world.mattermost.ephemerals_of(&world.dana).pop().unwrap();
    world.mattermost.press(&world.dana, &list.id, "reject").await.unwrap();
    assert_eq!(world.received_json()["post_id"], json!(list.id));
    assert_eq!(world.get(&format!("/posts/{}", list.id)).await.status, 404);
    assert_eq!(world.mattermost.press(&world.alice, &list.id, "reject").await, Err(Refused::NoPost));
}

#[tokio::test]
async fn a_response_url_works_five_times_within_half_an_hour() {
    let world = world().await;
    world.app_answers(200, "{}");
    let typed = async || {
        world.mattermost.command(&world.dana, &world.deploys, None, "/deploy status").await.unwrap();
        world.field("response_url")
    };
    let later = async |url: &str| {
        let reply = world.ask("POST", url, None, Some(json!({ "text": "later" }))).await;
        (reply.status, reply.error().to_owned())
    };
    let first = typed().await;
    for _ in 0..5 {
        assert_eq!(later(&first).await.0, 200);
    }
    assert_eq!(later(&first).await, (400, "app.command_webhook.try_use.invalid".into()));
    assert_eq!(world.mattermost.ephemerals_of(&world.dana).len(), 5);
    let second = typed().await;
    world.clock.advance(SignedDuration::from_mins(30));
    assert_eq!(later(&second).await.0, 200);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(later(&second).await, (404, "app.command_webhook.get.missing".into()));
}

#[tokio::test]
async fn a_caught_command_is_replayed_to_the_byte() {
    let world = world().await;
    world.app_answers(200, "{}");
    let shown = world.mattermost.command(&world.dana, &world.deploys, None, "/deploy status").await.unwrap();
    assert_eq!(world.mattermost.resend(shown.delivery).await, Some((200, "{}".into())));
    let [first, again] = &world.mattermost.deliveries()[..] else { panic!("two deliveries") };
    assert_eq!((&first.headers, &first.body), (&again.headers, &again.body));
}
