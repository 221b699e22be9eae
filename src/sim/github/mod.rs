//! GitHub: the handle, its switches, and the words of its public face.
//!
//! Set-up methods (`add_…`, `set_…`) take ids that the handle gave out; what names nothing changes nothing. What a
//! person does in the pages is a method as well, and is refused as GitHub refuses it ([`Refused`]).
//!
//! ```no_run
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! use countersign::sim::clock::HandClock;
//! use countersign::sim::github::{GitHub, JobSpec, Level, NewPullRequest, NewRun};
//!
//! let clock = HandClock::at("2026-05-08T10:00:00Z".parse()?);
//! let github = GitHub::new(clock.now());
//! let url = github.start().await?; // http://127.0.0.1:PORT
//! let shop = github.add_repository("acme/shop");
//! let dana = github.add_user("dana");
//! github.add_collaborator(shop, dana, Level::Write);
//! let app = github.register_app("countersign"); // with its key and its secret
//! github.install(app.id, github.add_org("acme"));
//! github.set_hook_url(app.id, "http://127.0.0.1:8080/hooks/github");
//! github.add_environment(shop, "production");
//! github.enable_rule(shop, "production", app.id)?;
//! let number = github.open_pull_request(shop, dana, NewPullRequest::new("feature", "9f1c", "Sell more"));
//! let deploy = JobSpec::new("deploy").environment("production");
//! let run = github.start_run(shop, NewRun::pull_request(number, dana).job(deploy));
//! github.comment_on_pull_request(shop, number, dana, "/deploy approve production")?;
//! github.deliver_hooks().await; // nothing is sent by itself unless `set_auto_deliver(true)`
//! assert_eq!((github.pending_environments(run).len(), github.reviews_posted(run).len()), (1, 0));
//! # let _ = url; Ok(()) }
//! ```
//!
//! Where GitHub's documentation says nothing, the twin takes the stricter reading; the places are marked `Assumed`.

mod apps;
mod checks;
mod comments;
mod gates;
mod hooks;
mod jobs;
mod people;
mod pulls;
mod render;
mod render_runs;
mod repositories;
mod rest;
mod runs;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod told;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use apps::App;
pub use checks::{ActionView, CheckRunView};
pub use comments::{CommentView, Place, ReactionView};
pub use gates::{ApprovalView, PostedReview};
pub use hooks::Delivery;
pub use people::{Level, Role, TeamState};
pub use pulls::{NewPullRequest, NewReview, PullRequestView, ReviewView};
pub use repositories::{Plan, Reviewer};
pub use runs::{Conclusion, DeploymentView, JobSpec, JobView, NewRun, RunView};
pub use state::Refused;

use crate::sim::clock::Now;
use crate::sim::faults::{Faults, HookFaults, Rule, Watcher};
use crate::sim::{post, server as wire};
use state::State;

/// Numeric id of an account: a person, a bot or an organisation.
pub type UserId = u64;
/// Numeric id of a team.
pub type TeamId = u64;
/// Numeric id of an App.
pub type AppId = u64;
/// Numeric id of an installation of an App.
pub type InstallationId = u64;
/// Numeric id of a repository.
pub type RepositoryId = u64;
/// Numeric id of an environment.
pub type EnvironmentId = u64;
/// Number of an issue or pull request inside its repository.
pub type Number = u64;
/// Numeric id of a workflow run.
pub type RunId = u64;
/// Numeric id of a job; every attempt has its own.
pub type JobId = u64;
/// Numeric id of a deployment.
pub type DeploymentId = u64;
/// Numeric id of a comment on an issue, a pull request or a commit.
pub type CommentId = u64;
/// Numeric id of a pull-request review.
pub type ReviewId = u64;
/// Numeric id of a check run.
pub type CheckRunId = u64;

/// One call that the API received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiCall {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as it was sent, percent-encoding and prefix and all.
    pub path: String,
    /// The query as it was sent; empty when there was none.
    pub query: String,
    /// The installation whose token was sent; absent for calls as the App and for bad tokens.
    pub installation: Option<InstallationId>,
    /// The App that called, by its JWT or by an installation's token.
    pub app: Option<AppId>,
    /// The status that was answered, or would have been if the line had held; 0 when it broke before anything
    /// was done.
    pub status: u16,
    /// Whether it was answered 304: such a call costs nothing of the hourly limit.
    pub conditional: bool,
    /// Whether the call reached GitHub proper; false when a fault answered in its place.
    pub acted: bool,
    /// The body as it was sent.
    pub body: String,
}

/// A handle on one simulated GitHub. Clones are the same GitHub; its server ends with [`GitHub::stop`] or the last
/// clone.
#[derive(Clone)]
pub struct GitHub {
    shared: Arc<Shared>,
    running: Arc<Running>,
}

impl std::fmt::Debug for GitHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitHub").field("url", &self.url()).finish_non_exhaustive()
    }
}

/// What the handle and the server's tasks both hold.
struct Shared {
    state: Mutex<State>,
    wake: Arc<Notify>,
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

impl GitHub {
    /// An empty GitHub, which serves nothing yet.
    pub fn new(now: Now) -> Self {
        Self::seeded(now, 0)
    }

    /// The same with its own seed for everything that looks random: tokens, SHAs, delivery ids. Keys of Apps are
    /// random in earnest.
    pub fn seeded(now: Now, seed: u64) -> Self {
        let wake = Arc::new(Notify::new());
        let state = Mutex::new(State::new(now, seed, wake.clone()));
        let stop = CancellationToken::new();
        let running = Running { tasks: TaskTracker::new(), _on_drop: stop.clone().drop_guard(), stop };
        Self { shared: Arc::new(Shared { state, wake, client: post::client() }), running: Arc::new(running) }
    }

    /// Serves the API on a free local port.
    ///
    /// Returns the address of the API, such as `http://127.0.0.1:34567`; with a prefix it ends with that.
    pub async fn start(&self) -> std::io::Result<String> {
        self.start_on(TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Serves the API on a listener that is already bound, and returns its address.
    pub fn start_on(&self, listener: TcpListener) -> std::io::Result<String> {
        let host = format!("http://{}", listener.local_addr()?);
        self.with(|state| state.host = host);
        let Running { tasks, stop, .. } = self.running.as_ref();
        tasks.spawn(wire::accept(self.shared.clone(), listener, tasks.clone(), stop.clone()));
        tasks.spawn(hooks::deliver_as_they_arise(self.shared.clone(), stop.clone()));
        Ok(self.url())
    }

    /// Ends the server and waits for its tasks.
    pub async fn stop(&self) {
        self.running.stop.cancel();
        self.running.tasks.close();
        self.running.tasks.wait().await;
    }

    /// The address of the API, without a trailing slash. Before [`GitHub::start`] one that leads nowhere.
    pub fn url(&self) -> String {
        self.with(|state| state.api())
    }

    /// Where the API begins on the host: nowhere in particular at first, as on `api.github.com`; `/api/v3` on an
    /// Enterprise Server.
    pub fn set_api_prefix(&self, prefix: &str) {
        self.with(|state| state.settings.api_prefix = prefix.into());
    }

    /// The clock by which tokens are judged (an App's JWT, an installation token's hour), for callers who sign by
    /// another clock than the world's; the world's own at first.
    pub fn set_token_clock(&self, now: Now) {
        self.with(|state| state.token_clock = Some(now));
    }

    /// Whether started jobs succeed at once; otherwise [`GitHub::finish_job`] ends them.
    pub fn set_auto_finish(&self, on: bool) {
        self.with(|state| state.settings.auto_finish = on);
    }

    /// Calls per hour that each installation has; 5,000 at first.
    pub fn set_hourly_limit(&self, calls: u32) {
        self.with(|state| state.settings.hourly_limit = calls);
    }

    /// How many calls were refused by a limit, primary or secondary.
    pub fn limit_hits(&self) -> u32 {
        self.with(|state| state.limit_hits)
    }

    /// Adds a rule for what goes wrong with API calls. [`Rule::who`] is the App's slug.
    pub fn add_fault(&self, rule: Rule) {
        self.with(|state| state.faults.add(rule));
    }

    /// Somebody watches every API call from now on, and says what goes wrong with it; or nobody does.
    pub fn set_watcher(&self, watcher: Option<Watcher>) {
        self.with(|state| state.faults.set_watcher(watcher));
    }

    /// Everything goes well again: API and hooks.
    pub fn clear_faults(&self) {
        self.with(|state| {
            state.faults = Faults::default();
            state.hook_faults = HookFaults::default();
        });
    }

    /// What happens to hooks on their way from now on. Unlike GitLab, GitHub knows of lost ones: they stand in the
    /// log of deliveries as failed.
    pub fn set_hook_faults(&self, faults: HookFaults) {
        self.with(|state| state.hook_faults = faults);
    }

    /// Every API call received so far, oldest first.
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
