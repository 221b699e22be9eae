//! Whatever Slack sends under our secret is answered, and what is heard keeps its promises; under another secret
//! nothing is heard at all. Input: `payload` and a line feed before the JSON of a pressed button or sent form, which
//! goes into the form that Slack makes of it; everything else is a body as it is.
#![no_main]

use countersign::chat::slack::SlackInbound;
use countersign::domain::chat::{Act, Aside};
use countersign::domain::event::Event;
use countersign::domain::id::ChatName;
use countersign::domain::ledger::Word;
use countersign::ports::inbound::{Received, Rejected, Verified};
use countersign_fuzz::{Headers, NOW, first_line, header, keeps_its_promises, mac, receive};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use url::{Url, form_urlencoded};

static INBOUND: LazyLock<SlackInbound> = LazyLock::new(|| {
    let api_url = "https://slack.example/api".parse().expect("an address");
    SlackInbound::new(ChatName::new("slack"), vec!["sesame".into()], &api_url).expect("a secret")
});

fuzz_target!(|input: &[u8]| {
    let body = match first_line(input) {
        (b"payload", json) => {
            let json = String::from_utf8_lossy(json);
            form_urlencoded::Serializer::new(String::new())
                .append_pair("payload", &json)
                .finish()
                .into_bytes()
        }
        _ => input.to_vec(),
    };
    let probe = form_urlencoded::parse(&body).any(|(name, value)| name == "ssl_check" && value == "1");

    let outcome = receive(&*INBOUND, &signed("other", &body), &body);
    if probe {
        assert_eq!(outcome, Ok(Received::Told(String::new())), "a probe does nothing");
    } else {
        assert!(matches!(outcome, Err(Rejected::Unauthenticated(_))), "a stranger was heard");
    }
    match receive(&*INBOUND, &signed("sesame", &body), &body) {
        Ok(Received::Ours(verified)) => {
            assert!(!probe, "a probe was heard");
            heard(&verified);
        }
        Ok(Received::NotOurs(_)) | Err(Rejected::Unreadable(_)) => {}
        Ok(Received::Told(answer)) => assert_eq!(answer.is_empty(), probe),
        Err(Rejected::Unauthenticated(why)) => panic!("not recognised: {why}"),
    }
});

fn heard(verified: &Verified) {
    keeps_its_promises(verified, "slack");
    if let Some(form) = &verified.form {
        assert_eq!((form.word, form.offer.generation), (Word::Rejected, 0));
        is_for_slack(&form.aside);
    }
    for event in &verified.events {
        let Event::Chatted(chatted) = event else { panic!("Slack says nothing of the kind: {event:?}") };
        assert_eq!((&chatted.id, &chatted.by.id), (&verified.id, &chatted.aside.user));
        is_for_slack(&chatted.aside);
        match &chatted.act {
            Act::Typed { .. } | Act::Pressed { .. } => {}
            Act::Unopened { .. } => panic!("only we say so"),
        }
    }
}

fn is_for_slack(aside: &Aside) {
    assert_eq!(aside.chat.as_str(), "slack");
    let Some(url) = &aside.url else { return };
    let url = Url::parse(url).expect("an address");
    assert_eq!(url.scheme(), "https");
    assert!(
        matches!(url.host_str(), Some("hooks.slack.com" | "hooks.slack-gov.com" | "slack.example")),
        "{url}"
    );
    assert!(url.port().is_none() && url.username().is_empty() && url.password().is_none(), "{url}");
}

fn signed(secret: &str, body: &[u8]) -> Headers {
    let at = NOW.to_string();
    let mac = mac(secret.as_bytes(), &[b"v0:", at.as_bytes(), b":", body]);
    vec![
        header("x-slack-signature", format!("v0={}", hex::encode(mac))),
        header("x-slack-request-timestamp", at),
    ]
}
