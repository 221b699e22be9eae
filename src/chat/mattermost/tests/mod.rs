//! The adapter against the twin, over real HTTP. What the twin sends is handed to the adapter by the test.

mod asides;
mod forms;
mod inbound;
mod inspect;
mod messages;

use super::seal::{Button, Place};
use super::{Mattermost, MattermostInbound, Settings, SettingsError};
use crate::domain::chat::{Aside, Channel, ChannelId, Chatted, Message, Offer, Subject};
use crate::domain::event::Event;
use crate::domain::id::ChatName;
use crate::domain::ledger::Word;
use crate::domain::notice::{Fact, Notice};
use crate::domain::wording::{Line, Prose};
use crate::net::http::{Http, Limits};
use crate::net::signature::BadSecret;
use crate::ports::chat::{Chat as _, Form};
use crate::ports::clock::Clock;
use crate::ports::inbound::{Inbound as _, RawDelivery, Received, Rejected, borrowed};
use crate::sim::clock::HandClock;

use crate::sim::faults::{Action, Rule};
use crate::sim::mattermost as twin;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use twin::Delivery;

struct Watch(HandClock);

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        self.0.time()
    }

    fn new_id(&self) -> String {
        unreachable!("the adapter makes no ids")
    }
}

/// Team acme: dana and alice are in #deploys with the bot; mallory is in the team only. The command and every button
/// call an address that answers `{}`.
struct World {
    twin: twin::Mattermost,
    clock: HandClock,
    chat: Mattermost,
    inbound: MattermostInbound,
    dana: twin::UserId,
    alice: twin::UserId,
    mallory: twin::UserId,
    deploys: ChannelId,
}

async fn world() -> World {
    let clock = HandClock::at("2026-11-21T08:00:00Z".parse().unwrap());
    let twin = twin::Mattermost::new(clock.now());
    let url = twin.start().await.unwrap();
    let acme = twin.add_team("acme");
    let token = twin.set_command(&acme, "deploy", &format!("{url}/hooks/mattermost"));
    twin.add_fault(Rule::new("/hooks/mattermost", Action::Answer { status: 200, body: "{}".into() }));
    let [dana, alice, mallory] = ["dana", "alice", "mallory"].map(|name| twin.add_user(name));
    let deploys = ChannelId::new(twin.add_channel(&acme, "deploys", &[&dana, &alice]));
    let settings = settings(&url, &twin.bot_token());
    let inbound = MattermostInbound::new(&settings, vec![token.into()]).unwrap();
    let limits = Limits { connect: Duration::from_secs(5), total: Duration::from_secs(10) };
    let chat = Mattermost::new(settings, Http::new(limits).unwrap(), Arc::new(Watch(clock.clone()))).unwrap();
    World { twin, clock, chat, inbound, dana, alice, mallory, deploys }
}

fn settings(url: &str, token: &str) -> Settings {
    Settings {
        name: ChatName::new("mattermost"),
        url: url.parse().unwrap(),
        bot_token: token.into(),
        public_url: url.parse().unwrap(),
    }
}

fn offer() -> Offer {
    Offer {
        subject: Subject::from_stored("gitlab/1/run/2/0:production"),
        numbers: vec![4711],
        environment: "production".to_owned(),
        sha: "9f1c2d3e4a5b6c7d8e9f9f1c2d3e4a5b6c7d8e9f".to_owned(),
        reason_needed: true,
        generation: 1,
    }
}

fn notice() -> Notice {
    Notice {
        headline: Line::default().foreign("acme/shop").text(" → ").foreign("production").text(": waits"),
        standing: vec![Line::default().strong("d4711").text(": 1 approval is missing.")],
        facts: vec![Fact { name: "Environment", text: Line::default().code("production") }],
        changes: Prose::default(),
        how_to: Prose::paragraph(Line::of("Press a button.")),
        mentions: Vec::new(),
        offer: Some(offer()),
        url: None,
    }
}

impl World {
    fn channel(&self) -> &str {
        self.deploys.as_str()
    }

    fn aside(&self, user: &str) -> Aside {
        Aside {
            chat: self.chat.name().clone(),
            channel: self.deploys.clone(),
            user: user.to_owned(),
            thread: None,
            url: None,
        }
    }

    async fn card(&self) -> Message {
        self.chat.post(&self.deploys, &notice(), "card").await.unwrap()
    }

    fn shown(&self, message: &Message) -> twin::PostView {
        self.twin.post(&message.id).unwrap()
    }

    fn sent(&self) -> Delivery {
        self.twin.deliveries().pop().unwrap()
    }

    fn receive(&self, delivery: &Delivery) -> Result<Received, Rejected> {
        let headers: Vec<(String, Vec<u8>)> = delivery
            .headers
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.as_bytes().to_vec()))
            .collect();
        let raw = RawDelivery { headers: &borrowed(&headers), body: delivery.body.as_bytes() };
        self.inbound.receive(raw, self.clock.time())
    }

    /// What the adapter makes of the newest request.
    fn received(&self) -> Result<Received, Rejected> {
        self.receive(&self.sent())
    }

    async fn press(&self, user: &str, message: &Message, button: &str) -> Result<Received, Rejected> {
        self.twin.press(user, &message.id, button).await.unwrap();
        self.received()
    }

    /// Presses a button, and the form that it opens stands before the person.
    async fn open(&self, user: &str, message: &Message, button: &str) -> twin::DialogView {
        let form = form(self.press(user, message, button).await);
        self.chat.open_form(&form).await.unwrap();
        self.twin.dialogs_of(user).pop().unwrap()
    }
}

fn form(received: Result<Received, Rejected>) -> Form {
    match received {
        Ok(Received::Ours(verified)) if verified.events.is_empty() => *verified.form.unwrap(),
        other => panic!("no form: {other:?}"),
    }
}

/// The one act, and the id of its delivery.
fn act(received: Result<Received, Rejected>) -> (String, Chatted) {
    match received {
        Ok(Received::Ours(mut verified)) if verified.form.is_none() => {
            let Event::Chatted(chatted) = verified.events.remove(0) else { panic!("no act: {verified:?}") };
            (verified.id, *chatted)
        }
        other => panic!("not ours: {other:?}"),
    }
}

fn told(received: Result<Received, Rejected>) -> serde_json::Value {
    match received {
        Ok(Received::Told(body)) => serde_json::from_str(&body).unwrap(),
        other => panic!("nothing told: {other:?}"),
    }
}

fn is_unauthenticated(received: &Result<Received, Rejected>) -> bool {
    matches!(received, Err(Rejected::Unauthenticated(_)))
}

#[test]
fn settings_that_can_t_work_are_refused() {
    let make = |settings| {
        let http = Http::new(Limits::default()).unwrap();
        let clock = HandClock::at(Timestamp::UNIX_EPOCH);
        Mattermost::new(settings, http, Arc::new(Watch(clock))).err()
    };
    let good = settings("https://chat.example.com", "token");
    assert_eq!(make(good.clone()), None);
    assert_eq!(make(Settings { bot_token: " ".into(), ..good.clone() }), Some(SettingsError::EmptyToken));
    let odd: crate::net::http::Url = "ftp://chat.example.com".parse().unwrap();
    assert!(matches!(make(Settings { url: odd.clone(), ..good.clone() }), Some(SettingsError::Url(_))));
    assert!(matches!(make(Settings { public_url: odd, ..good.clone() }), Some(SettingsError::PublicUrl(_))));
    let receives = |tokens: Vec<SecretString>| MattermostInbound::new(&good, tokens).err();
    assert_eq!(receives(vec![]), Some(BadSecret::Missing));
    assert_eq!(receives(vec!["x".into(), "".into()]), Some(BadSecret::Empty));
    assert_eq!(receives(vec!["x".into()]), None);
    let shown = format!("{:?}", MattermostInbound::new(&good, vec!["hush".into()]).unwrap());
    assert!(!shown.contains("hush") && !shown.contains("token\""));
}
