//! A seal opens if not one character of it was changed, and else proves nothing. Input: button or form, from where
//! to where (each two bytes) a right seal is replaced, and the text that stands there instead.
#![no_main]

use countersign::chat::mattermost::MattermostInbound;
use countersign_fuzz::{header, is_refused, mattermost, receive, seal};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use std::sync::LazyLock;

const PERSON: &str = "dddddddddddddddddddddddddd";
const CHANNEL: &str = "cccccccccccccccccccccccccc";
const OFFER: &str = r#"{"subject":"gitlab/1/run/2/0:production","numbers":[4711],"environment":"production","sha":"9f1c2d3e9f1c2d3e9f1c2d3e9f1c2d3e9f1c2d3e","reason_needed":true,"generation":3}"#;

static INBOUND: LazyLock<MattermostInbound> = LazyLock::new(mattermost);

static BUTTON: LazyLock<String> = LazyLock::new(|| {
    let content =
        format!(r#"{{"offer":{OFFER},"word":"approved","place":"card","until":"2026-12-01T00:00:00Z"}}"#);
    seal("button/1\n", content.as_bytes())
});

static FORM: LazyLock<String> = LazyLock::new(|| {
    let content = format!(
        r#"{{"offer":{OFFER},"word":"approved","user":"{PERSON}","channel":"{CHANNEL}","on":null,"pressed_at":"2026-11-21T07:59:00Z","nonce":"1"}}"#
    );
    seal("form/1\n", content.as_bytes())
});

fuzz_target!(|input: (bool, u16, u16, &str)| {
    let (button, from, to, text) = input;
    let (right, wrong) = if button { (&*BUTTON, &*FORM) } else { (&*FORM, &*BUTTON) };
    assert!(opens(button, right), "what we sealed opens");
    assert!(!opens(button, wrong), "one never passes for the other");

    let (from, to) = (usize::from(from) % (right.len() + 1), usize::from(to) % (right.len() + 1));
    let changed = format!("{}{text}{}", &right[..from], &right[to..]);
    assert_eq!(opens(button, &changed), changed == **right);
    assert!(!opens(button, text) || text == right);
});

fn opens(button: bool, text: &str) -> bool {
    let body = if button {
        json!({ "user_id": PERSON, "channel_id": CHANNEL, "post_id": CHANNEL, "trigger_id": "t", "context": { "sealed": text } })
    } else {
        json!({ "type": "dialog_submission", "user_id": PERSON, "state": text, "submission": {} })
    };
    let headers = vec![header("content-type", "application/json")];
    !is_refused(&receive(&*INBOUND, &headers, body.to_string().as_bytes()))
}
