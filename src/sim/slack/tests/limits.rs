//! Block Kit's limits: what is just right is taken, one more is refused.

use rstest::rstest;

use super::*;

fn text(length: usize) -> String {
    // Two bytes each: characters are what counts.
    "ü".repeat(length)
}

fn plain(length: usize) -> Value {
    json!({ "type": "plain_text", "text": text(length) })
}

fn with_button(name: &str, value: Value) -> Value {
    let mut button = button("approve", "d1");
    button[name] = value;
    json!([{ "type": "actions", "elements": [button] }])
}

fn with_confirm(name: &str, value: Value) -> Value {
    let mut confirm = json!({ "title": plain(1), "text": plain(1), "confirm": plain(1), "deny": plain(1) });
    confirm[name] = value;
    with_button("confirm", confirm)
}

fn sections(count: usize, length: usize) -> Value {
    (0..count).map(|_| section(&text(length))).collect()
}

#[rstest]
#[case::blocks(50, |n| sections(n, 1))]
#[case::section(3000, |n| sections(1, n))]
#[case::fields(10, |n| json!([{ "type": "section", "fields": vec![plain(1); n] }]))]
#[case::field(2000, |n| json!([{ "type": "section", "fields": [plain(n)] }]))]
#[case::header(150, |n| json!([{ "type": "header", "text": plain(n) }]))]
#[case::context(10, |n| json!([{ "type": "context", "elements": vec![plain(1); n] }]))]
#[case::actions(25, |n| {
    let buttons: Vec<Value> = (0..n).map(|id| button(&id.to_string(), "v")).collect();
    json!([{ "type": "actions", "elements": buttons }])
})]
#[case::button_text(75, |n| with_button("text", plain(n)))]
#[case::button_value(2000, |n| with_button("value", json!(text(n))))]
#[case::button_url(3000, |n| with_button("url", json!(text(n))))]
#[case::button_label(75, |n| with_button("accessibility_label", json!(text(n))))]
#[case::action_id(255, |n| with_button("action_id", json!(text(n))))]
#[case::block_id(255, |n| json!([{ "type": "divider", "block_id": text(n) }]))]
#[case::confirm_title(100, |n| with_confirm("title", plain(n)))]
#[case::confirm_text(300, |n| with_confirm("text", plain(n)))]
#[case::confirm_yes(30, |n| with_confirm("confirm", plain(n)))]
#[case::confirm_no(30, |n| with_confirm("deny", plain(n)))]
#[case::markdown(12_000, |n| json!([{ "type": "markdown", "text": text(n) }]))]
#[tokio::test]
async fn a_message_takes_so_much(#[case] most: usize, #[case] blocks: fn(usize) -> Value) {
    let world = world().await;
    let post = async |blocks: Value| {
        let args = json!({ "channel": world.deploys, "text": "x", "blocks": blocks });
        world.call("chat.postMessage", args).await.error().to_owned()
    };
    assert_eq!(post(blocks(most)).await, "");
    assert_eq!(post(blocks(most + 1)).await, "invalid_blocks");
}

#[tokio::test]
async fn all_blocks_together_take_13200_characters() {
    let world = world().await;
    let post = async |blocks: Value| {
        let args = json!({ "channel": world.deploys, "text": "x", "blocks": blocks });
        world.call("chat.postMessage", args).await.error().to_owned()
    };
    assert_eq!(post(sections(11, 1200)).await, "");
    assert_eq!(post(sections(11, 1201)).await, "msg_blocks_too_long");
}

#[rstest]
#[case::empty_text(json!([section("")]))]
#[case::unknown_type(json!([{ "type": "card" }]))]
#[case::unknown_field(json!([{ "type": "divider", "colour": "red" }]))]
#[case::unknown_style(with_button("style", json!("warning")))]
#[case::markdown_in_a_header(json!([{ "type": "header", "text": { "type": "mrkdwn", "text": "x" } }]))]
#[case::verbatim_plain_text(
    json!([{ "type": "header", "text": { "type": "plain_text", "text": "x", "verbatim": true } }])
)]
#[case::no_elements(json!([{ "type": "actions", "elements": [] }]))]
#[case::section_of_nothing(json!([{ "type": "section" }]))]
#[case::same_block_twice(json!([{ "type": "divider", "block_id": "a" }, { "type": "divider", "block_id": "a" }]))]
#[case::same_action_twice(json!([{ "type": "actions", "elements": [button("a", "1"), button("a", "2")] }]))]
#[tokio::test]
async fn malformed_blocks_are_refused_and_said_where(#[case] blocks: Value) {
    let world = world().await;
    let args = json!({ "channel": world.deploys, "text": "x", "blocks": blocks });
    let refused = world.call("chat.postMessage", args).await;
    assert_eq!((refused.status, refused.error()), (200, "invalid_blocks"));
    let said = refused.body["response_metadata"]["messages"][0].as_str().unwrap();
    assert!(said.contains("[json-pointer:/blocks/"), "{said}");
    assert_eq!(world.slack.messages_of(&world.deploys), []);
}

fn modal_with(name: &str, value: Value) -> Value {
    let mut view = modal();
    view[name] = value;
    view
}

#[rstest]
#[case::title(24, |n| modal_with("title", plain(n)))]
#[case::submit(24, |n| modal_with("submit", plain(n)))]
#[case::close(24, |n| modal_with("close", plain(n)))]
#[case::private_metadata(3000, |n| modal_with("private_metadata", json!(text(n))))]
#[case::callback_id(255, |n| modal_with("callback_id", json!(text(n))))]
#[case::blocks(100, |n| modal_with("blocks", sections(n, 1)))]
#[case::field(3000, |n| {
    let mut view = modal();
    view["blocks"][0]["element"]["max_length"] = json!(n);
    view
})]
#[tokio::test]
async fn a_modal_takes_so_much(#[case] most: usize, #[case] view: fn(usize) -> Value) {
    let world = world().await;
    world.app_answers(200, "");
    world.slack.command(&world.dana, &world.deploys, "/deploy", "x").await.unwrap();
    let trigger = world.field("trigger_id");
    let open = async |view: Value| {
        world.call("views.open", json!({ "trigger_id": trigger, "view": view })).await.error().to_owned()
    };
    assert_eq!(open(view(most + 1)).await, "invalid_arguments");
    assert_eq!(open(view(most)).await, "", "a refused view leaves the trigger good");
}

#[tokio::test]
async fn a_modal_with_fields_needs_a_submit_button_and_less_than_250_kilobytes() {
    let world = world().await;
    let open = async |view: Value| {
        world.call("views.open", json!({ "trigger_id": "x", "view": view })).await.error().to_owned()
    };
    let mut view = modal();
    view.as_object_mut().unwrap().remove("submit");
    assert_eq!(open(view).await, "invalid_arguments");
    assert_eq!(open(modal_with("blocks", sections(99, 3000))).await, "view_too_large");
}
