//! Whatever a GitLab sends under our keys is answered, and what is heard keeps its promises; signed and by token it
//! says the same, and under another secret nothing is heard at all. Input: the body.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::domain::event::Event;
use countersign::domain::id::{CommentKind, ForgeName, Place};
use countersign::forge::gitlab::webhook::GitLabInbound;
use countersign::ports::inbound::{Received, Rejected};
use countersign_fuzz::{Headers, NOW, header, is_refused, keeps_its_promises, mac, receive};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const ID: &str = "msg_2f1c0b1f4a2e";
const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

static INBOUND: LazyLock<GitLabInbound> = LazyLock::new(|| {
    let signing = format!("whsec_{}", STANDARD.encode(KEY));
    GitLabInbound::new(ForgeName::new("gitlab"), &[signing.into()], vec!["sesame".into()]).expect("secrets")
});

fuzz_target!(|body: &[u8]| {
    assert!(is_refused(&receive(&*INBOUND, &signed(b"another key", body), body)), "a stranger was heard");
    assert!(is_refused(&receive(&*INBOUND, &token("other"), body)), "a stranger was heard");

    let by_token = receive(&*INBOUND, &token("sesame"), body);
    let outcome = receive(&*INBOUND, &signed(KEY, body), body);
    match (&outcome, &by_token) {
        (Ok(Received::Ours(verified)), Ok(Received::Ours(other))) => {
            assert_eq!(verified.id, ID);
            assert_eq!(verified.events, other.events);
            assert_eq!(verified.events.len(), 1);
            keeps_its_promises(verified, "gitlab");
            keeps_its_promises(other, "gitlab");
            verified.events.iter().for_each(says_what_gitlab_says);
        }
        (Ok(Received::NotOurs(_)) | Err(Rejected::Unreadable(_)), other) => assert_eq!(&outcome, other),
        _ => panic!("signed {outcome:?}, by token {by_token:?}"),
    }
});

fn says_what_gitlab_says(event: &Event) {
    match event {
        Event::Commented { comment, .. } => {
            assert_eq!(comment.kind, CommentKind::Comment);
            if let Place::Commit(sha) = &comment.conversation.place {
                assert!(matches!(sha.len(), 40 | 64), "{sha}");
            }
        }
        Event::DeploymentChanged { native, .. } => assert!(native.as_str().parse::<i64>().is_ok()),
        Event::SomethingWaits { .. } | Event::MergeRequestApproved { .. } => {}
        Event::RunChanged { .. } | Event::ReachChanged { .. } | Event::Pressed(_) | Event::Chatted(_) => {
            panic!("GitLab says nothing of the kind: {event:?}")
        }
    }
}

fn signed(key: &[u8], body: &[u8]) -> Headers {
    let at = NOW.to_string();
    let mac = mac(key, &[ID.as_bytes(), b".", at.as_bytes(), b".", body]);
    vec![
        header("webhook-id", ID),
        header("webhook-signature", format!("v1,{}", STANDARD.encode(mac))),
        header("webhook-timestamp", at),
    ]
}

fn token(token: &str) -> Headers {
    vec![header("x-gitlab-token", token), header("x-gitlab-event", "Note Hook")]
}
