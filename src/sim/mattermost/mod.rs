//! Mattermost: teams, channels, posts with buttons, dialogs, one slash command and one bot, with their limits.
//!
//! Set-up methods take ids that the handle gave out; what names nothing changes nothing. What a person does in the
//! client is a method as well: the server then calls the app, and the person sees what comes of it ([`Shown`]);
//! what client or server wouldn't do is [`Refused`].
//!
//! Only slash commands carry a secret. Buttons and dialogs are sent without any, whoever made them:
//! [`Mattermost::post_as`] aims a button at any address, and [`Mattermost::submit_as_client`] fills in a dialog
//! that was never opened.
//!
//! ```no_run
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! use countersign::sim::clock::HandClock;
//! use countersign::sim::mattermost::Mattermost;
//!
//! let clock = HandClock::at("2026-05-08T10:00:00Z".parse()?);
//! let mattermost = Mattermost::new(clock.now());
//! let url = mattermost.start().await?; // http://127.0.0.1:PORT, the API below /api/v4
//! let bot_token = mattermost.bot_token();
//! let acme = mattermost.add_team("acme");
//! let command_token = mattermost.set_command(&acme, "deploy", "http://127.0.0.1:8080/hooks/mattermost");
//! let dana = mattermost.add_user("dana");
//! let deploys = mattermost.add_channel(&acme, "deploys", &[&dana]);
//! let shown = mattermost.command(&dana, &deploys, None, "/deploy status").await?;
//! assert!(shown.in_time);
//! if let Some(card) = mattermost.posts_of(&deploys).last() {
//!     mattermost.press(&dana, &card.id, "approve").await?;
//! }
//! assert_eq!(mattermost.pings(), []);
//! # let _ = (url, bot_token, command_token); Ok(()) }
//! ```

mod acts;
mod commands;
mod dialogs;
mod mentions;
mod people;
mod posts;
mod read;
mod rest;
mod server;
mod state;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use dialogs::Submission;
pub use posts::{NewPost, Ping};
pub use read::{Button, DialogView, PostView};
pub use state::Refused;

pub use crate::sim::exchange::{Delivery, Shown};

use crate::sim::clock::Now;
use crate::sim::faults::{Rule, Watcher};
use crate::sim::{post, server as wire};
use state::State;

/// 26 letters and digits: a team.
pub type TeamId = String;
/// 26 letters and digits: a person or a bot.
pub type UserId = String;
/// 26 letters and digits: a channel.
pub type ChannelId = String;
/// 26 letters and digits: a post.
pub type PostId = String;

/// One call that the API or a `response_url` received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiCall {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as it was sent.
    pub path: String,
    /// The query as it was sent; empty when there was none.
    pub query: String,
    /// The body as it was sent.
    pub body: String,
    /// User name of the token; absent when there was no valid one.
    pub user: Option<String>,
    /// The status that was answered, or would have been if the line had held; 0 when it broke before anything
    /// was done.
    pub status: u16,
    /// Whether the call reached Mattermost proper; false when a fault answered in its place.
    pub acted: bool,
}

/// A handle on one simulated Mattermost. Clones are the same Mattermost; its server ends with
/// [`Mattermost::stop`] or the last clone.
#[derive(Clone)]
pub struct Mattermost {
    shared: Arc<Shared>,
    running: Arc<Running>,
}

impl std::fmt::Debug for Mattermost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mattermost").field("url", &self.url()).finish_non_exhaustive()
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

impl Mattermost {
    /// A Mattermost with the bot `countersign` and nothing else.
    pub fn new(now: Now) -> Self {
        Self::seeded(now, 0)
    }

    /// The same with its own seed for everything that looks random: tokens, ids.
    pub fn seeded(now: Now, seed: u64) -> Self {
        let state = Mutex::new(State::new(now, seed));
        let stop = CancellationToken::new();
        let running = Running { tasks: TaskTracker::new(), _on_drop: stop.clone().drop_guard(), stop };
        Self { shared: Arc::new(Shared { state, client: post::client() }), running: Arc::new(running) }
    }

    /// Serves the API, below `/api/v4`, on a free local port.
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

    /// The address, without a trailing slash. Before [`Mattermost::start`] one that leads nowhere.
    pub fn url(&self) -> String {
        self.with(|state| state.url.clone())
    }

    /// How long Mattermost waits for the app, and how long a trigger opens a dialog
    /// (`OutgoingIntegrationRequestsTimeout`): 30 seconds at first.
    pub fn set_patience(&self, patience: Duration) {
        self.with(|state| state.settings.patience = patience);
    }

    /// How long after posting a post may be edited (`PostEditTimeLimit`); for ever at first (`None`).
    pub fn set_edit_window(&self, window: Option<SignedDuration>) {
        self.with(|state| state.settings.edit_window = window);
    }

    /// So many calls in a second of the twin's clock, then 429; any number at first (`None`).
    pub fn limit_calls(&self, per_second: Option<u32>) {
        self.with(|state| state.settings.per_second = per_second);
    }

    /// Adds a rule for what goes wrong with API calls.
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
