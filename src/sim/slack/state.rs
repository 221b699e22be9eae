//! What the twin remembers: plain data, and the few words that it is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::later::Later;
use super::messages::{Message, Ping};
use super::modals::Modal;
use super::people::{Channel, User};
use super::signing::Forgery;
use super::{ApiCall, ChannelId, TeamId, UserId};
use crate::sim::clock::Now;
use crate::sim::exchange::Log;
use crate::sim::faults::Faults;
use crate::sim::ids::Ids;

/// What the app is installed with, and more than it needs: tests take scopes away.
const SCOPES: [&str; 11] = [
    "commands",
    "chat:write",
    "chat:write.public",
    "channels:join",
    "channels:read",
    "channels:history",
    "groups:read",
    "groups:history",
    "users:read",
    "users:read.email",
    "im:write",
];

/// Why the client doesn't let a person do this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody of this id, or the account is deactivated.
    #[error("no such person is logged in")]
    NoPerson,
    /// The person doesn't see such a channel, or it is archived.
    #[error("no such channel is open to them")]
    NoChannel,
    /// Slash commands of the app are for members of the workspace that installed it.
    #[error("the command isn't installed in their workspace")]
    ForeignWorkspace,
    /// No app has such a command.
    #[error("no such command")]
    NoCommand,
    /// The message is gone, or isn't shown to this person.
    #[error("no such message")]
    NoMessage,
    /// The message has no such button (any more).
    #[error("no such button")]
    NoButton,
    /// No such modal is open before this person.
    #[error("no such modal is open")]
    NoView,
    /// The modal's own check, such as a field that is too long.
    #[error("the form isn't complete: {0}")]
    Form(String),
}

/// Why the API doesn't do it: HTTP 200, `ok: false`, this `error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Error {
    pub(super) code: &'static str,
    /// `response_metadata.messages`
    pub(super) messages: Vec<String>,
    /// The scope that is missing.
    pub(super) needed: Option<String>,
}

impl Error {
    pub(super) fn new(code: &'static str) -> Self {
        Self { code, messages: Vec::new(), needed: None }
    }

    /// Refused with explanations.
    pub(super) fn explained(code: &'static str, messages: Vec<String>) -> Self {
        Self { messages, ..Self::new(code) }
    }

    pub(super) fn missing_scope(scope: &str) -> Self {
        Self { needed: Some(scope.to_owned()), ..Self::new("missing_scope") }
    }
}

pub(super) struct App {
    pub(super) id: String,
    pub(super) bot_id: String,
    pub(super) bot_user: UserId,
    pub(super) token: String,
    /// Older ones that are still good.
    pub(super) older: Vec<String>,
    pub(super) revoked: bool,
    pub(super) verification_token: String,
    pub(super) signing_secret: String,
    pub(super) scopes: Vec<String>,
    pub(super) request_url: String,
    pub(super) command: String,
    pub(super) should_escape: bool,
}

pub(super) struct Settings {
    pub(super) patience: Duration,
    pub(super) edit_window: Option<SignedDuration>,
    pub(super) limits: BTreeMap<String, u32>,
}

/// A `trigger_id`: good once, for three seconds.
pub(super) struct Trigger {
    pub(super) user: UserId,
    pub(super) at: Timestamp,
    pub(super) exchanged: bool,
}

pub(super) struct State {
    pub(super) now: Now,
    pub(super) url: String,
    pub(super) ids: Ids,
    pub(super) settings: Settings,
    pub(super) app: App,
    pub(super) home: TeamId,
    /// Domain of each workspace.
    pub(super) teams: BTreeMap<TeamId, String>,
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) channels: BTreeMap<ChannelId, Channel>,
    pub(super) messages: Vec<Message>,
    pub(super) pings: Vec<Ping>,
    pub(super) modals: Vec<Modal>,
    pub(super) triggers: BTreeMap<String, Trigger>,
    /// By path.
    pub(super) response_urls: BTreeMap<String, Later>,
    pub(super) forgery: Option<Forgery>,
    pub(super) sent: Log,
    pub(super) calls: Vec<ApiCall>,
    /// Start of the current minute and the calls in it, per method.
    pub(super) windows: BTreeMap<String, (Timestamp, u32)>,
    pub(super) faults: Faults,
}

impl State {
    pub(super) fn new(now: Now, seed: u64) -> Self {
        let mut ids = Ids::new(seed);
        let app = App::installed(&mut ids);
        let home = TeamId::from("T0000000101");
        let bot = User::bot(&app.bot_user, "countersign", &home);
        Self {
            now,
            url: "http://slack.example.com".into(),
            ids,
            settings: Settings {
                patience: Duration::from_secs(3),
                edit_window: None,
                limits: BTreeMap::new(),
            },
            users: BTreeMap::from([(app.bot_user.clone(), bot)]),
            app,
            teams: BTreeMap::from([(home.clone(), "acme".to_owned())]),
            home,
            channels: BTreeMap::new(),
            messages: Vec::new(),
            pings: Vec::new(),
            modals: Vec::new(),
            triggers: BTreeMap::new(),
            response_urls: BTreeMap::new(),
            forgery: None,
            sent: Log::default(),
            calls: Vec::new(),
            windows: BTreeMap::new(),
            faults: Faults::default(),
        }
    }

    pub(super) fn time(&self) -> Timestamp {
        (self.now)()
    }

    /// An id such as `U0000000301`: a letter, and digits that tell kinds apart.
    pub(super) fn next_id(&mut self, letter: char, kind: &'static str, first: u64) -> String {
        format!("{letter}{:010}", self.ids.next(kind, first))
    }

    /// A fresh `trigger_id` for what this person just did.
    pub(super) fn trigger(&mut self, user: &str) -> String {
        let id = format!("{}.{}.{}", self.ids.next("trigger", 13_345_224_609), 738_474_920, self.ids.hex(32));
        let trigger = Trigger { user: user.to_owned(), at: self.time(), exchanged: false };
        self.triggers.insert(id.clone(), trigger);
        id
    }

    pub(super) fn members(&self, channel: &str) -> BTreeSet<UserId> {
        self.channels.get(channel).map(|known| known.members.clone()).unwrap_or_default()
    }
}

impl App {
    fn installed(ids: &mut Ids) -> Self {
        Self {
            id: "A0000000201".into(),
            bot_id: "B0000000202".into(),
            bot_user: "U0000000203".into(),
            token: format!("xoxb-{}", ids.hex(24)),
            older: Vec::new(),
            revoked: false,
            verification_token: ids.hex(24),
            signing_secret: ids.hex(32),
            scopes: SCOPES.map(str::to_owned).to_vec(),
            request_url: "http://app.example.com/slack".into(),
            command: "/deploy".into(),
            should_escape: true,
        }
    }
}
