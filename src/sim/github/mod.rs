//! GitHub: the handle, its switches, and the words of its public face.
//!
//! Set-up methods (`add_…`, `set_…`) take ids that the handle gave out; what names nothing changes nothing. What a
//! person does in the pages is a method as well, and is refused as GitHub refuses it ([`Refused`]).
//!
//! Where GitHub's documentation says nothing, the twin takes the stricter reading; the places are marked `Assumed`.

#![expect(clippy::todo, clippy::unused_async, unused, dead_code, reason = "signatures first")]

mod apps;
mod checks;
mod comments;
mod gates;
mod hooks;
mod people;
mod pulls;
mod read;
mod repositories;
mod runs;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;

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
use crate::sim::faults::{HookFaults, Rule};
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
}

struct Shared {
    state: Mutex<State>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GitHub {
    /// An empty GitHub, which serves nothing yet.
    pub fn new(now: Now) -> Self {
        Self::seeded(now, 0)
    }

    /// The same with its own seed for everything that looks random: tokens, SHAs, delivery ids. Keys of Apps are
    /// random in earnest.
    pub fn seeded(now: Now, seed: u64) -> Self {
        todo!()
    }

    /// Serves the API on a free local port.
    ///
    /// Returns the address of the API, such as `http://127.0.0.1:34567`; with a prefix it ends with that.
    pub async fn start(&self) -> std::io::Result<String> {
        self.start_on(TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Serves the API on a listener that is already bound, and returns its address.
    pub fn start_on(&self, listener: TcpListener) -> std::io::Result<String> {
        todo!()
    }

    /// Ends the server and waits for its tasks.
    pub async fn stop(&self) {
        todo!()
    }

    /// The address of the API, without a trailing slash. Before [`GitHub::start`] one that leads nowhere.
    pub fn url(&self) -> String {
        todo!()
    }

    /// Where the API begins on the host: nowhere in particular at first, as on `api.github.com`; `/api/v3` on an
    /// Enterprise Server.
    pub fn set_api_prefix(&self, prefix: &str) {
        todo!()
    }

    /// The clock by which tokens are judged (an App's JWT, an installation token's hour), for callers who sign by
    /// another clock than the world's; the world's own at first.
    pub fn set_token_clock(&self, now: Now) {
        todo!()
    }

    /// Whether started jobs succeed at once; otherwise [`GitHub::finish_job`] ends them.
    pub fn set_auto_finish(&self, on: bool) {
        todo!()
    }

    /// Calls per hour that each installation has; 5,000 at first.
    pub fn set_hourly_limit(&self, calls: u32) {
        todo!()
    }

    /// How many calls were refused by a limit, primary or secondary.
    pub fn limit_hits(&self) -> u32 {
        todo!()
    }

    /// Adds a rule for what goes wrong with API calls. [`Rule::who`] is the App's slug.
    pub fn add_fault(&self, rule: Rule) {
        todo!()
    }

    /// Everything goes well again: API and hooks.
    pub fn clear_faults(&self) {
        todo!()
    }

    /// What happens to hooks on their way from now on. Unlike GitLab, GitHub knows of lost ones: they stand in the
    /// log of deliveries as failed.
    pub fn set_hook_faults(&self, faults: HookFaults) {
        todo!()
    }

    /// Every API call received so far, oldest first.
    pub fn requests(&self) -> Vec<ApiCall> {
        todo!()
    }

    /// Forgets the calls received so far.
    pub fn clear_requests(&self) {
        todo!()
    }

    /// The only way in: everything that the handle does happens under one short lock.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.shared.lock())
    }
}
