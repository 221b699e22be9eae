//! What the twin remembers: plain data, and the few words that it is made of.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::commands::{Command, Later};
use super::dialogs::{Dialog, Trigger};
use super::people::{Channel, User};
use super::posts::{Ping, Post};
use super::{ApiCall, ChannelId, TeamId, UserId};
use crate::sim::clock::Now;
use crate::sim::exchange::Log;
use crate::sim::faults::Faults;
use crate::sim::ids::Ids;

/// Why a person can't do this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody of this id, or the account is deactivated.
    #[error("no such person is logged in")]
    NoPerson,
    /// The person doesn't see such a channel, can't write there, or it is archived.
    #[error("no such channel is open to them")]
    NoChannel,
    /// The team has no such command.
    #[error("no such command")]
    NoCommand,
    /// The post is gone, or isn't shown to this person.
    #[error("no such post")]
    NoPost,
    /// The post has no such button (any more), or its id isn't made of letters and digits only.
    #[error("no such button")]
    NoButton,
    /// No dialog is open before this person.
    #[error("no dialog is open")]
    NoDialog,
    /// The dialog's own check, such as a field that is too long.
    #[error("the form isn't complete: {0}")]
    Form(String),
    /// The server refuses what was written.
    #[error("refused: {0}")]
    Server(String),
}

/// What the API answers when it doesn't do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Error {
    pub(super) status: u16,
    pub(super) id: &'static str,
    message: &'static str,
}

impl Error {
    pub(super) fn new(status: u16, id: &'static str, message: &'static str) -> Self {
        Self { status, id, message }
    }

    pub(super) fn forbidden() -> Self {
        Self::new(403, "api.context.permissions.app_error", "You do not have the appropriate permissions.")
    }

    pub(super) fn no_post() -> Self {
        Self::new(404, "app.post.get.app_error", "Unable to get the post.")
    }

    pub(super) fn bad_body() -> Self {
        Self::new(
            400,
            "api.context.invalid_body_param.app_error",
            "Invalid or missing parameter in request body.",
        )
    }

    pub(super) fn body(&self, request_id: &str) -> Value {
        json!({
            "id": self.id,
            "message": self.message,
            "detailed_error": "",
            "request_id": request_id,
            "status_code": self.status,
        })
    }
}

pub(super) struct Settings {
    pub(super) patience: Duration,
    pub(super) edit_window: Option<SignedDuration>,
    pub(super) per_second: Option<u32>,
}

pub(super) struct State {
    pub(super) now: Now,
    pub(super) url: String,
    pub(super) ids: Ids,
    pub(super) settings: Settings,
    pub(super) bot: UserId,
    /// Whose token this is.
    pub(super) tokens: BTreeMap<String, UserId>,
    /// Name of each team.
    pub(super) teams: BTreeMap<TeamId, String>,
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) channels: BTreeMap<ChannelId, Channel>,
    pub(super) posts: Vec<Post>,
    pub(super) pings: Vec<Ping>,
    pub(super) commands: Vec<Command>,
    /// By the id in their address.
    pub(super) response_urls: BTreeMap<String, Later>,
    pub(super) triggers: BTreeMap<String, Trigger>,
    pub(super) dialogs: Vec<Dialog>,
    pub(super) sent: Log,
    pub(super) calls: Vec<ApiCall>,
    /// The current second and the calls in it.
    pub(super) window: (i64, u32),
    pub(super) faults: Faults,
}

impl State {
    pub(super) fn new(now: Now, seed: u64) -> Self {
        let mut ids = Ids::new(seed);
        let bot = ids.hex(26);
        let user = User::new(&bot, "countersign", true);
        Self {
            now,
            url: "http://mattermost.example.com".into(),
            settings: Settings { patience: Duration::from_secs(30), edit_window: None, per_second: None },
            tokens: BTreeMap::from([(ids.hex(26), bot.clone())]),
            users: BTreeMap::from([(bot.clone(), user)]),
            ids,
            bot,
            teams: BTreeMap::new(),
            channels: BTreeMap::new(),
            posts: Vec::new(),
            pings: Vec::new(),
            commands: Vec::new(),
            response_urls: BTreeMap::new(),
            triggers: BTreeMap::new(),
            dialogs: Vec::new(),
            sent: Log::default(),
            calls: Vec::new(),
            window: (0, 0),
            faults: Faults::default(),
        }
    }

    pub(super) fn time(&self) -> Timestamp {
        (self.now)()
    }
}
