//! The ports against Slack's twin, over real HTTP.

mod failures;
mod inbound;
mod messages;
mod people;
mod shown;

use super::{Settings, SettingsError, Slack, SlackInbound};
use crate::domain::chat::{Aside, ChannelId, Message, Offer, Subject};
use crate::domain::id::ChatName;
use crate::domain::notice::{Fact, Notice};
use crate::domain::wording::{Block, Line, Prose};
use crate::net::http::{Http, Limits, Url};
use crate::ports::clock::Clock;
use crate::ports::failure::{Failure, Refusal};
use crate::sim::clock::HandClock;
use crate::sim::faults::{Action, Rule};
use crate::sim::slack::{self as sim, NewUser};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

const MARKER: &str = "countersign:notice:gitlab/7/run/70/0:production";

struct Watch(HandClock);

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        self.0.time()
    }

    fn new_id(&self) -> String {
        unreachable!("the adapter makes no ids")
    }
}

/// acme: dana and alice are members, gina is a guest, mallory is of another workspace; all are in #deploys.
struct Stage {
    twin: sim::Slack,
    slack: Slack,
    inbound: SlackInbound,
    clock: HandClock,
    dana: String,
    gina: String,
    mallory: String,
    deploys: String,
}

async fn stage() -> Stage {
    let clock = HandClock::at("2026-05-08T10:00:00Z".parse().unwrap());
    let twin = sim::Slack::new(clock.now());
    let url = twin.start().await.unwrap();
    let other = twin.add_team("umbrella");
    let dana = twin.add_user(NewUser::member("dana"));
    let alice = twin.add_user(NewUser::member("alice"));
    let gina = twin.add_user(NewUser::guest("gina"));
    let mallory = twin.add_user(NewUser::of_team("mallory", &other));
    let deploys = twin.add_channel("deploys", &[&dana, &alice, &gina, &mallory]);
    // The app takes everything; what it was sent is read from the twin's log.
    twin.set_request_url(&format!("{url}/app"));
    twin.add_fault(Rule::new("/app", Action::Answer { status: 200, body: String::new() }));
    let api_url: Url = format!("{url}/api").parse().unwrap();
    let settings = Settings {
        name: ChatName::new("slack"),
        api_url: api_url.clone(),
        bot_token: twin.bot_token().into(),
        team_ids: vec![twin.team()],
    };
    let slack = Slack::new(settings, &http(), Arc::new(Watch(clock.clone()))).unwrap();
    let secrets = vec![twin.signing_secret().into()];
    let inbound = SlackInbound::new(ChatName::new("slack"), secrets, &api_url).unwrap();
    Stage { twin, slack, inbound, clock, dana, gina, mallory, deploys }
}

fn http() -> Http {
    Http::new(Limits { connect: Duration::from_secs(5), total: Duration::from_secs(10) }).unwrap()
}

impl Stage {
    fn channel(&self) -> ChannelId {
        ChannelId::new(&self.deploys)
    }

    fn wait(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// The message as people see it.
    fn seen(&self, message: &Message) -> sim::MessageView {
        self.twin.message(message.channel.as_str(), &message.id).unwrap()
    }

    fn aside(&self, user: &str, url: Option<&str>) -> Aside {
        Aside {
            chat: ChatName::new("slack"),
            channel: self.channel(),
            user: user.to_owned(),
            thread: None,
            url: url.map(str::to_owned),
        }
    }

    /// Calls of one method so far.
    fn calls(&self, method: &str) -> Vec<sim::ApiCall> {
        self.twin.requests().into_iter().filter(|call| call.api_method() == method).collect()
    }
}

fn offer() -> Offer {
    Offer {
        subject: Subject::from_stored("gitlab/7/run/70/0:production"),
        numbers: vec![4711],
        environment: "production".to_owned(),
        sha: "9f1c2d3e00000000000000000000000000000000".to_owned(),
        reason_needed: true,
        generation: 0,
    }
}

fn prose(text: &str) -> Prose {
    Prose::paragraph(Line::of(text))
}

/// Production waits.
fn waiting() -> Notice {
    Notice {
        headline: Line::default().foreign("acme/shop").text(" → ").foreign("production").text(": blocked"),
        standing: vec![Line::default().strong("d4711").text(": it is blocked, 2 approvals still missing.")],
        facts: vec![
            Fact { name: "Environment", text: Line::default().code("production") },
            Fact {
                name: "Commit",
                text: Line::default().link("9f1c2d3e", "https://gitlab.example/c/9f1c2d3e"),
            },
        ],
        changes: Prose(vec![
            Block::Paragraph(Line::of("1 new commit since ").code("aa00bb11").text(":")),
            Block::Item(0, Line::default().code("9f1c2d3e").text(" ").foreign("Sell more")),
        ]),
        how_to: Prose::paragraph(Line::of("Press a button, or write ").code("/deploy approve production")),
        mentions: Vec::new(),
        offer: Some(offer()),
        url: Some("https://gitlab.example/acme/shop/-/jobs/1".to_owned()),
    }
}

/// The same, deployed.
fn deployed() -> Notice {
    Notice {
        headline: Line::default().foreign("acme/shop").text(" → ").foreign("production").text(": deployed"),
        standing: vec![Line::default().strong("d4711").text(": it is deployed.")],
        how_to: Prose::default(),
        offer: None,
        ..waiting()
    }
}

#[test]
fn settings_that_let_nobody_in_are_refused() {
    let settings = |token: &str, teams: &[&str], url: &str| Settings {
        name: ChatName::new("slack"),
        api_url: url.parse().unwrap(),
        bot_token: token.into(),
        team_ids: teams.iter().map(|team| (*team).to_owned()).collect(),
    };
    let clock = || Arc::new(Watch(HandClock::at("2026-05-08T10:00:00Z".parse().unwrap())));
    let refused = |settings| Slack::new(settings, &http(), clock()).err();
    let api = "https://slack.com/api";
    assert_eq!(refused(settings(" ", &["T1"], api)), Some(SettingsError::EmptyToken));
    assert_eq!(refused(settings("xoxb-1", &[], api)), Some(SettingsError::NoTeam));
    assert!(matches!(refused(settings("xoxb-1", &["T1"], "ftp://x.example")), Some(SettingsError::Url(_))));
    assert_eq!(refused(settings("xoxb-1", &["T1"], api)), None);
}
