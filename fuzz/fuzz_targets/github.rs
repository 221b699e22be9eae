//! Whatever a GitHub sends under our secret is answered, and what is heard keeps its promises; under another
//! secret nothing is heard at all. Input: the event's name, a line feed, the body.
#![no_main]

use countersign::domain::event::Event;
use countersign::domain::id::ForgeName;
use countersign::forge::github::webhook::GitHubInbound;
use countersign::ports::inbound::{Inbound as _, RawDelivery, Received, Rejected};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;
use std::sync::LazyLock;

const ID: &str = "0b1f4a2e-c6a5-11f0-8de9-0242ac120002";

static INBOUND: LazyLock<GitHubInbound> = LazyLock::new(|| {
    let api_url = "https://api.github.com".parse().expect("an address");
    GitHubInbound::new(ForgeName::new("github"), vec!["sesame".into()], &api_url, 99).expect("a secret")
});

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (event, body) = (&input[..end], input.get(end + 1..).unwrap_or_default());

    assert!(
        matches!(receive(event, body, "other"), Err(Rejected::Unauthenticated(_))),
        "a stranger was heard"
    );
    match receive(event, body, "sesame") {
        Ok(Received::Ours(verified)) => {
            assert_eq!(verified.id, ID);
            assert_eq!(verified.events.len(), 1);
            verified.events.iter().for_each(keeps_its_promises);
        }
        Ok(Received::NotOurs(_)) | Err(Rejected::Unreadable(_)) => {}
        Err(Rejected::Unauthenticated(why)) => panic!("not recognised: {why}"),
    }
});

fn keeps_its_promises(event: &Event) {
    assert_eq!(event.forge().as_str(), "github");
    match event {
        Event::RunChanged { run, waits, asked: Some(asked), .. } => {
            assert!(*waits && *run > 0 && !asked.environment.trim().is_empty() && asked.delivery == ID);
        }
        Event::RunChanged { asked: None, .. } => {}
        Event::Commented { comment, .. } => assert_eq!(comment.discussion, None),
        Event::Pressed(press) => assert!(press.id == ID && press.number > 0 && press.version >= 0),
        Event::DeploymentChanged { .. }
        | Event::SomethingWaits { .. }
        | Event::MergeRequestApproved { .. } => {
            panic!("GitHub says nothing of the kind: {event:?}")
        }
    }
}

fn receive(event: &[u8], body: &[u8], secret: &str) -> Result<Received, Rejected> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let headers = [
        ("x-github-event".to_owned(), event.to_vec()),
        ("x-github-delivery".to_owned(), ID.into()),
        ("x-hub-signature-256".to_owned(), signature.into_bytes()),
    ];
    INBOUND.receive(RawDelivery { headers: &headers, body }, Timestamp::UNIX_EPOCH)
}
