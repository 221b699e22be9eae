//! Whatever a GitHub sends under our secret is answered, and what is heard keeps its promises; under another
//! secret nothing is heard at all. Input: the event's name, a line feed, the body.
#![no_main]

use countersign::domain::event::Event;
use countersign::domain::id::ForgeName;
use countersign::forge::github::webhook::GitHubInbound;
use countersign::ports::inbound::{Received, Rejected};
use countersign_fuzz::{Headers, first_line, header, is_refused, keeps_its_promises, mac, receive};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const ID: &str = "0b1f4a2e-c6a5-11f0-8de9-0242ac120002";

static INBOUND: LazyLock<GitHubInbound> = LazyLock::new(|| {
    let api_url = "https://api.github.com".parse().expect("an address");
    GitHubInbound::new(ForgeName::new("github"), vec!["sesame".into()], &api_url, 99).expect("a secret")
});

fuzz_target!(|input: &[u8]| {
    let (event, body) = first_line(input);
    assert!(is_refused(&receive(&*INBOUND, &signed(event, body, "other"), body)), "a stranger was heard");
    match receive(&*INBOUND, &signed(event, body, "sesame"), body) {
        Ok(Received::Ours(verified)) => {
            assert_eq!(verified.id, ID);
            assert_eq!(verified.events.len(), 1);
            keeps_its_promises(&verified, "github");
            verified.events.iter().for_each(says_what_github_says);
        }
        Ok(Received::NotOurs(_)) | Err(Rejected::Unreadable(_)) => {}
        other => panic!("GitHub is answered so: {other:?}"),
    }
});

fn says_what_github_says(event: &Event) {
    match event {
        Event::RunChanged { run, waits, asked: Some(asked), .. } => {
            assert!(*waits && *run > 0 && !asked.environment.trim().is_empty() && asked.delivery == ID);
        }
        Event::Commented { comment, .. } => assert_eq!(comment.discussion, None),
        Event::Pressed(press) => assert!(press.id == ID && press.number > 0 && press.version >= 0),
        Event::RunChanged { asked: None, .. } | Event::ReachChanged { .. } => {}
        Event::DeploymentChanged { .. }
        | Event::SomethingWaits { .. }
        | Event::MergeRequestApproved { .. }
        | Event::Chatted(_) => {
            panic!("GitHub says nothing of the kind: {event:?}")
        }
    }
}

fn signed(event: &[u8], body: &[u8], secret: &str) -> Headers {
    vec![
        header("x-github-event", event),
        header("x-github-delivery", ID),
        header("x-hub-signature-256", format!("sha256={}", hex::encode(mac(secret.as_bytes(), &[body])))),
    ]
}
