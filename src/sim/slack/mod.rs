//! Slack: one app in one workspace, the people around it, and Slack's limits.
//!
//! Set-up methods take ids that the handle gave out; what names nothing changes nothing. What a person does in the
//! client is a method as well: it sends the app what Slack would send, signed, and returns what the person then
//! sees ([`Shown`]); what the client wouldn't offer is [`Refused`].
//!
//! ```no_run
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! use countersign::sim::clock::HandClock;
//! use countersign::sim::slack::{NewUser, Slack};
//!
//! let clock = HandClock::at("2026-05-08T10:00:00Z".parse()?);
//! let slack = Slack::new(clock.now());
//! let api_url = format!("{}/api", slack.start().await?);
//! let (token, secret) = (slack.bot_token(), slack.signing_secret()); // what the app is configured with
//! slack.set_request_url("http://127.0.0.1:8080/hooks/slack");
//! let dana = slack.add_user(NewUser::member("dana"));
//! let deploys = slack.add_channel("deploys", &[&dana]);
//! let shown = slack.command(&dana, &deploys, "/deploy", "status").await?;
//! assert!(shown.in_time);
//! if let Some(card) = slack.messages_of(&deploys).last() {
//!     slack.press(&dana, &deploys, &card.ts, "approve").await?;
//! }
//! assert_eq!(slack.pings(), []);
//! # let _ = (api_url, token, secret); Ok(()) }
//! ```

mod acts;
mod args;
mod blocks;
mod contents;
mod later;
mod messages;
mod modals;
mod mrkdwn;
mod payloads;
mod people;
mod read;
mod rest;
mod server;
mod signing;
mod state;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use messages::Ping;
pub use people::NewUser;
pub use read::{Button, Link, MessageView, ModalView};
pub use signing::Forgery;
pub use state::Refused;

pub use crate::sim::exchange::{Delivery, Shown};

use crate::sim::clock::Now;
use crate::sim::faults::{Rule, Watcher};
use crate::sim::{post, server as wire};
use state::State;

/// `T…`: a workspace.
pub type TeamId = String;
/// `U…`: a person or a bot, the same in every workspace.
pub type UserId = String;
/// `C…`: a channel.
pub type ChannelId = String;
/// `1778234400.000100`: a message's time, which is its name within the channel. No number: never calculate with it.
pub type Ts = String;
/// `V…`: a modal.
pub type ViewId = String;

/// One call that the API or a `response_url` received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiCall {
    /// `GET` or `POST`.
    pub method: String,
    /// The path as it was sent, such as `/api/chat.postMessage`.
    pub path: String,
    /// The query as it was sent; empty when there was none.
    pub query: String,
    /// The body as it was sent.
    pub body: String,
    /// The status that was answered, or would have been if the line had held; 0 when it broke before anything
    /// was done.
    pub status: u16,
    /// The `error` of the answer: Slack refuses with 200.
    pub error: Option<String>,
    /// Whether the call reached Slack proper; false when a fault answered in its place.
    pub acted: bool,
}

impl ApiCall {
    /// The Web API's method, such as `chat.update`; empty for a `response_url`.
    pub fn api_method(&self) -> &str {
        self.path.strip_prefix("/api/").unwrap_or_default()
    }
}

/// A handle on one simulated Slack. Clones are the same Slack; its server ends with [`Slack::stop`] or the last
/// clone.
#[derive(Clone)]
pub struct Slack {
    shared: Arc<Shared>,
    running: Arc<Running>,
}

impl std::fmt::Debug for Slack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slack").field("url", &self.url()).finish_non_exhaustive()
    }
}

/// What the handle and the server's tasks both hold.
struct Shared {
    state: Mutex<State>,
    client: Option<reqwest::Client>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What only handles hold, so that the last of them ends the tasks.
struct Running {
    tasks: TaskTracker,
    stop: CancellationToken,
    _on_drop: DropGuard,
}

impl Slack {
    /// A Slack with the workspace `acme`, into which the app is installed with every scope that it may want.
    pub fn new(now: Now) -> Self {
        Self::seeded(now, 0)
    }

    /// The same with its own seed for everything that looks random: tokens, secrets, triggers.
    pub fn seeded(now: Now, seed: u64) -> Self {
        let state = Mutex::new(State::new(now, seed));
        let stop = CancellationToken::new();
        let running = Running { tasks: TaskTracker::new(), _on_drop: stop.clone().drop_guard(), stop };
        Self { shared: Arc::new(Shared { state, client: post::client() }), running: Arc::new(running) }
    }

    /// Serves the API, below `/api`, on a free local port.
    ///
    /// Returns the address without a trailing slash, such as `http://127.0.0.1:34567`.
    pub async fn start(&self) -> std::io::Result<String> {
        self.start_on(TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Serves the API on a listener that is already bound, and returns its address.
    pub fn start_on(&self, listener: TcpListener) -> std::io::Result<String> {
        let url = format!("http://{}", listener.local_addr()?);
        self.with(|state| state.url.clone_from(&url));
        let Running { tasks, stop, .. } = self.running.as_ref();
        tasks.spawn(wire::accept(self.shared.clone(), listener, tasks.clone(), stop.clone()));
        Ok(url)
    }

    /// Ends the server and waits for its tasks.
    pub async fn stop(&self) {
        self.running.stop.cancel();
        self.running.tasks.close();
        self.running.tasks.wait().await;
    }

    /// The address, without a trailing slash. Before [`Slack::start`] one that leads nowhere.
    pub fn url(&self) -> String {
        self.with(|state| state.url.clone())
    }

    /// The bot's token, `xoxb-…`.
    pub fn bot_token(&self) -> String {
        self.with(|state| state.app.token.clone())
    }

    /// Gives the bot a new token, as rotation does, and returns it; the present one stays good.
    pub fn rotate_token(&self) -> String {
        self.with(|state| {
            let new = format!("xoxb-{}", state.ids.hex(24));
            let old = std::mem::replace(&mut state.app.token, new.clone());
            state.app.older.push(old);
            new
        })
    }

    /// The bot's own account.
    pub fn bot_user(&self) -> UserId {
        self.with(|state| state.app.bot_user.clone())
    }

    /// The secret that requests are signed with now.
    pub fn signing_secret(&self) -> String {
        self.with(|state| state.app.signing_secret.clone())
    }

    /// Regenerates the signing secret, from one request to the next, and returns the new one.
    pub fn rotate_signing_secret(&self) -> String {
        self.with(|state| {
            state.app.signing_secret = state.ids.hex(32);
            state.app.signing_secret.clone()
        })
    }

    /// Where slash commands and interactions are sent.
    pub fn set_request_url(&self, url: &str) {
        self.with(|state| url.clone_into(&mut state.app.request_url));
    }

    /// Which scopes the token has, instead of those that it had.
    pub fn set_scopes(&self, scopes: &[&str]) {
        self.with(|state| state.app.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect());
    }

    /// Uninstalls the app: its token is refused from now on.
    pub fn revoke_token(&self) {
        self.with(|state| state.app.revoked = true);
    }

    /// The slash command's name, `/deploy` at first, and whether its text arrives escaped (`should_escape`), as it
    /// does at first.
    pub fn set_command(&self, name: &str, should_escape: bool) {
        self.with(|state| (state.app.command, state.app.should_escape) = (name.to_owned(), should_escape));
    }

    /// How long Slack waits for an answer: 3 seconds, unless a test can't.
    pub fn set_patience(&self, patience: Duration) {
        self.with(|state| state.settings.patience = patience);
    }

    /// How long after posting a message may be edited; for ever at first (`None`).
    pub fn set_edit_window(&self, window: Option<SignedDuration>) {
        self.with(|state| state.settings.edit_window = window);
    }

    /// So many calls of this API method in a minute of the twin's clock, then 429.
    pub fn limit_calls(&self, method: &str, per_minute: u32) {
        self.with(|state| state.settings.limits.insert(method.to_owned(), per_minute));
    }

    /// Adds a rule for what goes wrong with calls of the app. `who` is never known here.
    pub fn add_fault(&self, rule: Rule) {
        self.with(|state| state.faults.add(rule));
    }

    /// Everything goes well again.
    pub fn clear_faults(&self) {
        self.with(|state| state.faults.clear());
    }

    /// Somebody watches every call from now on, or nobody does.
    pub fn set_watcher(&self, watcher: Option<Watcher>) {
        self.with(|state| state.faults.set_watcher(watcher));
    }

    /// Every call of the app so far, oldest first.
    pub fn requests(&self) -> Vec<ApiCall> {
        self.with(|state| state.calls.clone())
    }

    /// Forgets the calls received so far.
    pub fn clear_requests(&self) {
        self.with(|state| state.calls.clear());
    }

    /// The only way in: everything that the handle does happens under one short lock.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.shared.lock())
    }
}
