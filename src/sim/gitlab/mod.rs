//! GitLab: the handle, its switches, and the words of its public face.
//!
//! Set-up methods (`add_…`, `set_…`, `protect_…`) take ids that the handle gave out; what names nothing changes
//! nothing. What a person does in the pages is a method as well, and is refused as GitLab refuses it ([`Refused`]).

mod access;
mod approvals;
mod hooks;
mod jobs;
mod merge_requests;
mod notes;
mod payloads;
mod people;
mod pipelines;
mod projects;
mod quick_actions;
mod read;
mod render;
mod rest;
mod server;
mod state;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use access::{Grantee, Level, MemberState, Membership};
pub use hooks::{Delivery, HookEvent, HookTemplate, NewHook};
pub use merge_requests::NewMergeRequest;
pub use notes::Place;
pub use people::{NewToken, UserState};
pub use pipelines::{JobSpec, NewPipeline, OldDeployments};
pub use projects::{ApprovalRule, DeployAccess, ProtectedBranch, ProtectedEnvironment, Visibility};
pub use read::{
    ApprovalView, DeploymentView, EnvironmentRow, JobView, MergeRequestView, NoteView, ReactionView, UserView,
};
pub use state::Refused;

use crate::sim::clock::Now;
use crate::sim::faults::{Faults, HookFaults, Rule, Watcher};
use crate::sim::{post, server as wire};
use state::State;

/// Numeric id of a user.
pub type UserId = u64;
/// Numeric id of a group.
pub type GroupId = u64;
/// Numeric id of a project.
pub type ProjectId = u64;
/// Number of a merge request inside its project.
pub type Iid = u64;
/// Numeric id of a pipeline.
pub type PipelineId = u64;
/// Numeric id of a job.
pub type JobId = u64;
/// Numeric id of a deployment.
pub type DeploymentId = u64;
/// Numeric id of a note.
pub type NoteId = u64;
/// Numeric id of a hook.
pub type HookId = u64;

/// GitLab's version. Hooks are signed from 19.0; `blocked`, `approved`, `rejected` hooks exist from 19.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
}

/// One call that the API received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiCall {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as it was sent, percent-encoding and all.
    pub path: String,
    /// The query as it was sent; empty when there was none.
    pub query: String,
    /// User name of the token; absent when there was no valid one.
    pub user: Option<String>,
    /// User name that the call acted as by `Sudo`.
    pub sudo: Option<String>,
    /// The status that was answered, or would have been if the line had held; 0 when it broke before anything
    /// was done.
    pub status: u16,
    /// Whether the call reached GitLab proper; false when a fault answered in its place.
    pub acted: bool,
    /// The body as it was sent.
    pub body: String,
}

/// A handle on one simulated GitLab. Clones are the same GitLab; its server ends with [`GitLab::stop`] or the last
/// clone.
#[derive(Clone)]
pub struct GitLab {
    shared: Arc<Shared>,
    running: Arc<Running>,
}

impl std::fmt::Debug for GitLab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitLab").field("url", &self.url()).finish_non_exhaustive()
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

impl GitLab {
    /// An empty GitLab 19.2 Enterprise Edition with a Premium licence, which serves nothing yet.
    pub fn new(now: Now) -> Self {
        Self::seeded(now, 0)
    }

    /// The same with its own seed for everything that looks random: tokens, SHAs, delivery ids.
    pub fn seeded(now: Now, seed: u64) -> Self {
        let wake = Arc::new(Notify::new());
        let state = Mutex::new(State::new(now, seed, wake.clone()));
        let stop = CancellationToken::new();
        let running = Running { tasks: TaskTracker::new(), _on_drop: stop.clone().drop_guard(), stop };
        Self { shared: Arc::new(Shared { state, wake, client: post::client() }), running: Arc::new(running) }
    }

    /// Serves the API on a free local port.
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
        tasks.spawn(hooks::deliver_as_they_arise(self.shared.clone(), stop.clone()));
        Ok(url)
    }

    /// Ends the server and waits for its tasks.
    pub async fn stop(&self) {
        self.running.stop.cancel();
        self.running.tasks.close();
        self.running.tasks.wait().await;
    }

    /// The address, without a trailing slash. Before [`GitLab::start`] one that leads nowhere.
    pub fn url(&self) -> String {
        self.with(|state| state.url.clone())
    }

    /// Another version; 19.2 at first.
    pub fn set_version(&self, version: Version) {
        self.with(|state| state.settings.version = version);
    }

    /// Premium or not. Without a licence no environment counts as protected and no approval field is shown.
    pub fn set_licensed(&self, licensed: bool) {
        self.with(|state| state.settings.licensed = licensed);
    }

    /// Community Edition: the approval and protected-environment routes don't exist.
    pub fn set_community_edition(&self) {
        self.with(|state| {
            state.settings.enterprise = false;
            state.settings.licensed = false;
        });
    }

    /// Whether a deployment's status becomes `created` at its last approval, as older versions did; the newest
    /// leave it `blocked`.
    pub fn set_approved_becomes_created(&self, on: bool) {
        self.with(|state| state.settings.approved_becomes_created = on);
    }

    /// Whether started jobs succeed at once; otherwise [`GitLab::finish_job`] ends them.
    pub fn set_auto_finish(&self, on: bool) {
        self.with(|state| state.settings.auto_finish = on);
    }

    /// Adds a rule for what goes wrong with API calls.
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

    /// What happens to hooks on their way from now on.
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
