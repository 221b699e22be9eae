//! Whatever a Mattermost sends is answered, what is heard keeps its promises, and a button or form stands for
//! exactly what we sealed. Input: `form`, `button` or `typed`; for the first two a line with what is sealed; the body,
//! into which the seal (or the command's token) is put. Everything else is a body as it is, and no body without a
//! proof is heard.
#![no_main]

use countersign::chat::mattermost::MattermostInbound;
use countersign::domain::chat::{Act, Aside, Offer};
use countersign::domain::event::Event;
use countersign::ports::inbound::{Received, Rejected, Verified};
use countersign_fuzz::{
    Headers, MATTERMOST, first_line, header, is_refused, keeps_its_promises, mattermost, receive, seal,
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use std::sync::LazyLock;
use url::{Url, form_urlencoded};

static INBOUND: LazyLock<MattermostInbound> = LazyLock::new(mattermost);

fuzz_target!(|input: &[u8]| {
    match first_line(input) {
        (b"typed", body) => typed(body),
        (b"button", rest) => sealed("button/1\n", rest),
        (b"form", rest) => sealed("form/1\n", rest),
        _ => {
            assert!(is_refused(&receive(&*INBOUND, &json_headers(), input)), "nothing shows that it is ours");
            let outcome = receive(&*INBOUND, &form_headers(), input);
            assert!(is_refused(&outcome) || holds_token(input), "nothing shows that it is ours");
        }
    }
});

fn typed(body: &[u8]) {
    let refused = is_refused(&receive(&*INBOUND, &form_headers(), body));
    assert!(refused || holds_token(body));
    let mut headers = form_headers();
    headers.push(header("authorization", "Token sesame"));
    match receive(&*INBOUND, &headers, body) {
        Ok(Received::Ours(verified)) => heard(&verified),
        Err(Rejected::Unreadable(_)) => {}
        Err(Rejected::Unauthenticated(_)) => assert!(holds_another_token(body)),
        other @ Ok(Received::NotOurs(_) | Received::Told(_)) => panic!("{other:?}"),
    }
}

fn sealed(label: &str, rest: &[u8]) {
    let (content, body) = first_line(rest);
    let Ok(Value::Object(mut body)) = serde_json::from_slice(body) else { return };
    let text = seal(label, content);
    body.insert("state".to_owned(), text.clone().into());
    body.insert("context".to_owned(), json!({ "sealed": text }));
    let outcome = receive(&*INBOUND, &json_headers(), Value::Object(body.clone()).to_string().as_bytes());
    let Ok(Received::Ours(verified)) = outcome else { return };
    let content: Value = serde_json::from_slice(content).expect("we opened it");
    // One label never passes for the other.
    assert_eq!(verified.form.is_some(), label == "button/1\n");
    if let Some(form) = &verified.form {
        assert_eq!(offer(&content), Some(form.offer.clone()));
        assert_eq!(serde_json::to_value(form.word).ok().as_ref(), content.get("word"));
        assert_eq!(Some(form.aside.user.as_str()), body.get("user_id").and_then(Value::as_str));
        is_for_mattermost(&form.aside);
    }
    for event in &verified.events {
        let Event::Chatted(chatted) = event else { panic!("Mattermost says nothing of the kind: {event:?}") };
        let Act::Pressed { offer: pressed, word, .. } = &chatted.act else { panic!("{chatted:?}") };
        assert_eq!(offer(&content).as_ref(), Some(pressed));
        assert_eq!(serde_json::to_value(word).ok().as_ref(), content.get("word"));
        assert_eq!(Some(chatted.by.id.as_str()), content.get("user").and_then(Value::as_str));
        assert_eq!(Some(chatted.aside.channel.as_str()), content.get("channel").and_then(Value::as_str));
    }
}

fn offer(content: &Value) -> Option<Offer> {
    serde_json::from_value(content.get("offer")?.clone()).ok()
}

fn heard(verified: &Verified) {
    keeps_its_promises(verified, "mattermost");
    for event in &verified.events {
        let Event::Chatted(chatted) = event else { panic!("Mattermost says nothing of the kind: {event:?}") };
        assert!(matches!(chatted.act, Act::Typed { .. }));
        is_for_mattermost(&chatted.aside);
    }
}

fn is_for_mattermost(aside: &Aside) {
    assert_eq!(aside.chat.as_str(), "mattermost");
    let Some(text) = &aside.url else { return };
    let (url, place) = (Url::parse(text).expect("an address"), Url::parse(MATTERMOST).expect("an address"));
    assert_eq!(url.origin(), place.origin(), "{text}");
    assert!(url.path().starts_with("/sub/hooks/commands/"), "{text}");
    assert!(url.username().is_empty() && url.password().is_none(), "{text}");
}

fn tokens(body: &[u8]) -> Vec<String> {
    form_urlencoded::parse(body).filter(|(name, _)| name == "token").map(|(_, value)| value.into()).collect()
}

fn holds_token(body: &[u8]) -> bool {
    tokens(body) == ["sesame"]
}

fn holds_another_token(body: &[u8]) -> bool {
    let tokens = tokens(body);
    !tokens.is_empty() && tokens != ["sesame"]
}

fn json_headers() -> Headers {
    vec![header("content-type", "application/json")]
}

fn form_headers() -> Headers {
    vec![header("content-type", "application/x-www-form-urlencoded")]
}
