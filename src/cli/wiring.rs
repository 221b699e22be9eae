//! From a checked configuration to a house that can run: the only file that names every adapter.

use crate::app::figures::Figures;
use crate::app::worker::Worker;
use crate::app::{App, ChatDesk, Desk, Stopped, Ways};
use crate::chat::mattermost::{self, MattermostInbound};
use crate::chat::slack::{self, SlackInbound};
use crate::config::{Config, GitHub, GitLab, Mattermost, MergeRequestApproval, Slack, StoreUrl};
use crate::domain::id::{ChatName, ForgeName, PlatformName};
use crate::forge::github::webhook::GitHubInbound;
use crate::forge::gitlab::webhook::GitLabInbound;
use crate::forge::{github, gitlab};
use crate::net::http::{self, ClientError, Http};
use crate::net::signature::BadSecret;
use crate::ports::clock::Clock;
use crate::ports::forge::HookLog;
use crate::ports::inbound::Inbound;
use crate::store::postgres::{self, LeaseTime, PostgresStore};
use crate::store::sqlite::{self, SqliteStore};
use crate::store::{Access, OpenError, OpenStore, Surroundings};
use crate::web::{Pulse, Sources, Web, serve};
use axum::Router;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// From the signal until what runs has ended, at the latest.
const DRAIN: Duration = Duration::from_secs(24);
/// From the signal until the store is closed, at the latest.
const CLOSED: Duration = Duration::from_secs(27);

/// The system's time and random ids.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's time is read")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where ids are made")]
    fn new_id(&self) -> String {
        uuid::Uuid::now_v7().to_string()
    }
}

/// Why the house can't be put together. Nothing of it depends on a forge or chat being reachable.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The store can't be opened, or another process serves from it.
    #[error("[store]: {0}")]
    Store(OpenError),
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A GitLab's address or token.
    #[error("[[gitlab]] {name}: {why}")]
    GitLab {
        /// Its configured name.
        name: ForgeName,
        /// What is wrong.
        why: gitlab::SettingsError,
    },
    /// A GitHub's address or key.
    #[error("[[github]] {name}: {why}")]
    GitHub {
        /// Its configured name.
        name: ForgeName,
        /// What is wrong.
        why: github::SettingsError,
    },
    /// A Slack's address or token.
    #[error("[[slack]] {name}: {why}")]
    Slack {
        /// Its configured name.
        name: ChatName,
        /// What is wrong.
        why: slack::SettingsError,
    },
    /// A Mattermost's address or token.
    #[error("[[mattermost]] {name}: {why}")]
    Mattermost {
        /// Its configured name.
        name: ChatName,
        /// What is wrong.
        why: mattermost::SettingsError,
    },
    /// What webhooks prove themselves with.
    #[error("webhooks of {name}: {why}")]
    Hook {
        /// The forge's or chat's configured name.
        name: PlatformName,
        /// What is wrong.
        why: BadSecret,
    },
}

/// A house that is put together and does nothing yet.
pub struct Built {
    /// The use cases.
    pub app: App,
    /// Runs the jobs: [`Worker::run`] until stopped, or [`Worker::run_until_idle`] with a clock moved by hand.
    pub worker: Worker,
    /// Every route.
    pub router: Router,
    store: Arc<dyn OpenStore>,
    pulse: Arc<Pulse>,
}

/// Opens the store (creating and migrating it, and locking a file against a second process) and puts the house
/// together. `tasks` waits for the store's tasks, which end after [`Built::close`].
pub async fn build(config: &Config, clock: Arc<dyn Clock>, tasks: &TaskTracker) -> Result<Built, BuildError> {
    build_by(config, clock, tasks, LeaseTime::Database).await
}

/// The same, where leases go by the clock that is handed over: one that is moved by hand.
pub async fn build_by(
    config: &Config,
    clock: Arc<dyn Clock>,
    tasks: &TaskTracker,
    lease_time: LeaseTime,
) -> Result<Built, BuildError> {
    let around = Surroundings::new(Arc::clone(&clock), tasks.clone());
    let store = open(&config.store, Access::Serve, around, lease_time).await.map_err(BuildError::Store)?;
    let http = Http::new(http::Limits::default())?;
    let figures = Arc::new(Figures::new(names(config), clock.now()));
    let metered = |name: PlatformName| http.metered(figures.meter(&name));
    let (mut desks, mut chats, mut sources) = (BTreeMap::new(), BTreeMap::new(), Sources::new());
    for settings in &config.gitlab {
        desks
            .insert(settings.name.clone(), gitlab_desk(settings, &metered((&settings.name).into()), &clock)?);
        sources.insert(settings.name.to_string(), gitlab_inbound(settings)?);
    }
    for settings in &config.github {
        desks
            .insert(settings.name.clone(), github_desk(settings, &metered((&settings.name).into()), &clock)?);
        sources.insert(settings.name.to_string(), github_inbound(settings)?);
    }
    for settings in &config.slack {
        let chat = Arc::new(slack(settings, &metered((&settings.name).into()), &clock)?);
        chats.insert(settings.name.clone(), ChatDesk { chat, command: settings.command.clone() });
        sources.insert(settings.name.to_string(), slack_inbound(settings)?);
    }
    for settings in &config.mattermost {
        let chat = Arc::new(mattermost(settings, &metered((&settings.name).into()), &clock)?);
        chats.insert(settings.name.clone(), ChatDesk { chat, command: settings.command.clone() });
        sources.insert(settings.name.to_string(), mattermost_inbound(settings)?);
    }
    let policies = Arc::new(config.policies.clone());
    let app = App {
        store: Arc::clone(&store) as _,
        clock,
        policies,
        desks: Arc::new(desks),
        chats: Arc::new(chats),
        people: Arc::new(config.people.clone()),
        cause: None,
        figures,
    };
    let (wake, pulse) = (Arc::new(Notify::new()), Arc::new(Pulse::default()));
    store.listen(Arc::clone(&wake));
    let worker = Worker::new(app.clone(), Arc::clone(&wake));
    let web = Web::new(app.clone(), sources, wake, Arc::clone(&pulse));
    let router = web.behind_proxy(config.server.client_address_header.clone()).router();
    Ok(Built { app, worker, router, store, pulse })
}

/// What deliveries come from.
fn names(config: &Config) -> impl Iterator<Item = String> {
    let gitlab = config.gitlab.iter().map(|settings| settings.name.to_string());
    let github = config.github.iter().map(|settings| settings.name.to_string());
    let slack = config.slack.iter().map(|settings| settings.name.to_string());
    let mattermost = config.mattermost.iter().map(|settings| settings.name.to_string());
    gitlab.chain(github).chain(slack).chain(mattermost)
}

/// What a process does: usually both. Where several share a store, each may do one.
pub struct Roles {
    /// It takes webhooks here.
    pub listener: Option<TcpListener>,
    /// It runs jobs.
    pub works: bool,
}

impl Built {
    /// Polls, serves on the socket and works, as far as those are this process's roles, until told to stop; then
    /// finishes what runs and closes the store, within `CLOSED`. What doesn't end in time is taken up by the next
    /// process, or by another one.
    pub async fn run(self, roles: Roles, stop: CancellationToken) -> Result<(), RunError> {
        let (tasks, ended) = (TaskTracker::new(), CancellationToken::new());
        let beat = if roles.works { self.pulse.beat() } else { self.pulse.beat_without_worker() };
        let held = (beat, ended.clone().drop_guard());
        if roles.works {
            self.app.start_polling().await?;
            let (worker, halt) = (self.worker.clone(), stop.clone());
            tasks.spawn(async move {
                let _held = held;
                worker.run(halt).await;
            });
        } else {
            let halt = stop.clone();
            tasks.spawn(async move {
                let _held = held;
                halt.cancelled().await;
            });
        }
        if let Some(listener) = roles.listener {
            tasks.spawn(serve(listener, self.router.clone(), stop.clone(), tasks.clone()));
        }
        tasks.close();
        stop.run_until_cancelled(ended.cancelled()).await;
        let told = stop.is_cancelled();
        stop.cancel();
        finish(tasks.wait(), self.close(), (DRAIN, CLOSED)).await;
        if told { Ok(()) } else { Err(RunError::WorkerEnded) }
    }

    /// Writes what is queued, closes the store and lets go of its lock.
    pub async fn close(&self) {
        self.store.close().await;
    }
}

/// Waits for what runs, then for the store, and leaves each when its time from now on is over.
async fn finish(
    running: impl Future<Output = ()>,
    closing: impl Future<Output = ()>,
    (drained, closed): (Duration, Duration),
) {
    let now = Instant::now();
    if timeout_at(now + drained, running).await.is_err() {
        tracing::warn!("not everything finished in time; what is left is taken up at the next start");
    }
    if timeout_at(now + closed, closing).await.is_err() {
        tracing::warn!("the store doesn't answer; it is left as it is");
    }
}

/// Why a house stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The periodic jobs could not be written.
    #[error("polling can't be started")]
    Polling(#[from] Stopped),
    /// Only a defect ends the worker: a fresh process is better than one that takes and never works.
    #[error("the worker ended by itself")]
    WorkerEnded,
}

/// The store beside a process that may serve from it: nothing is created, migrated or locked.
pub async fn open_beside(
    url: &StoreUrl,
    clock: Arc<dyn Clock>,
    tasks: &TaskTracker,
) -> Result<Arc<dyn OpenStore>, OpenError> {
    let around = Surroundings::new(clock, tasks.clone());
    open(url, Access::Beside, around, LeaseTime::Database).await
}

async fn open(
    url: &StoreUrl,
    access: Access,
    around: Surroundings,
    lease_time: LeaseTime,
) -> Result<Arc<dyn OpenStore>, OpenError> {
    Ok(match url {
        StoreUrl::Sqlite(path) => Arc::new(SqliteStore::open(&sqlite_address(path), access, around).await?),
        StoreUrl::Postgres(url) => {
            Arc::new(PostgresStore::open(url.expose_secret(), access, around, lease_time).await?)
        }
    })
}

/// Brings the store's schema up to date, creating the store if it is a file. Returns the schema's number.
pub async fn migrate(url: &StoreUrl) -> Result<i64, OpenError> {
    match url {
        StoreUrl::Sqlite(path) => sqlite::migrate(&sqlite_address(path)).await,
        StoreUrl::Postgres(url) => postgres::migrate(url.expose_secret()).await,
    }
}

fn sqlite_address(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

/// One GitLab, ready to be spoken to; nothing is sent yet.
pub fn gitlab(settings: &GitLab, http: &Http, clock: &Arc<dyn Clock>) -> Result<gitlab::GitLab, BuildError> {
    let wanted = gitlab::Settings {
        name: settings.name.clone(),
        url: settings.url.clone(),
        token: settings.token.clone(),
        sudo_token: settings.sudo_token.clone(),
    };
    gitlab::GitLab::new(wanted, http.clone(), Arc::clone(clock))
        .map_err(|why| BuildError::GitLab { name: settings.name.clone(), why })
}

/// One GitHub, ready to be spoken to; nothing is sent yet.
pub fn github(settings: &GitHub, http: &Http, clock: &Arc<dyn Clock>) -> Result<github::GitHub, BuildError> {
    let wanted = github::Settings {
        name: settings.name.clone(),
        api_url: settings.api_url.clone(),
        app_id: settings.app_id,
        private_key: settings.private_key.clone(),
    };
    github::GitHub::new(wanted, http, Arc::clone(clock))
        .map_err(|why| BuildError::GitHub { name: settings.name.clone(), why })
}

/// One Slack, ready to be spoken to; nothing is sent yet.
pub fn slack(settings: &Slack, http: &Http, clock: &Arc<dyn Clock>) -> Result<slack::Slack, BuildError> {
    let wanted = slack::Settings {
        name: settings.name.clone(),
        api_url: settings.api_url.clone(),
        bot_token: settings.bot_token.clone(),
        team_ids: settings.team_ids.clone(),
    };
    slack::Slack::new(wanted, http, Arc::clone(clock))
        .map_err(|why| BuildError::Slack { name: settings.name.clone(), why })
}

/// One Mattermost, ready to be spoken to; nothing is sent yet.
pub fn mattermost(
    settings: &Mattermost,
    http: &Http,
    clock: &Arc<dyn Clock>,
) -> Result<mattermost::Mattermost, BuildError> {
    mattermost::Mattermost::new(mattermost_settings(settings), http.clone(), Arc::clone(clock))
        .map_err(|why| BuildError::Mattermost { name: settings.name.clone(), why })
}

fn mattermost_settings(settings: &Mattermost) -> mattermost::Settings {
    mattermost::Settings {
        name: settings.name.clone(),
        url: settings.url.clone(),
        bot_token: settings.bot_token.clone(),
        public_url: settings.public_url.clone(),
    }
}

fn gitlab_desk(settings: &GitLab, http: &Http, clock: &Arc<dyn Clock>) -> Result<Desk, BuildError> {
    let hint = match settings.merge_request_approval {
        MergeRequestApproval::Hint => true,
        MergeRequestApproval::Ignore => false,
    };
    let forge = Arc::new(gitlab(settings, http, clock)?);
    let ways = Ways { exact_case: true, slash: false, asks_again: false };
    Ok(Desk { forge, poll: settings.poll, hint, log: None, ways })
}

fn github_desk(settings: &GitHub, http: &Http, clock: &Arc<dyn Clock>) -> Result<Desk, BuildError> {
    let forge = Arc::new(github(settings, http, clock)?);
    let log = Arc::clone(&forge) as Arc<dyn HookLog>;
    let ways = Ways { exact_case: false, slash: true, asks_again: true };
    Ok(Desk { forge, poll: settings.poll, hint: false, log: Some(log), ways })
}

fn gitlab_inbound(settings: &GitLab) -> Result<Arc<dyn Inbound>, BuildError> {
    let name = settings.name.clone();
    let inbound = GitLabInbound::new(name.clone(), &settings.signing_tokens, settings.secret_tokens.clone());
    source((&name).into(), inbound)
}

fn github_inbound(settings: &GitHub) -> Result<Arc<dyn Inbound>, BuildError> {
    let (name, secrets) = (settings.name.clone(), settings.webhook_secrets.clone());
    let inbound = GitHubInbound::new(name.clone(), secrets, &settings.api_url, settings.app_id);
    source((&name).into(), inbound)
}

fn slack_inbound(settings: &Slack) -> Result<Arc<dyn Inbound>, BuildError> {
    let (name, secrets) = (settings.name.clone(), settings.signing_secrets.clone());
    source((&name).into(), SlackInbound::new(name.clone(), secrets, &settings.api_url))
}

fn mattermost_inbound(settings: &Mattermost) -> Result<Arc<dyn Inbound>, BuildError> {
    let inbound = MattermostInbound::new(&mattermost_settings(settings), settings.command_tokens.clone());
    source((&settings.name).into(), inbound)
}

fn source(
    name: PlatformName,
    inbound: Result<impl Inbound + 'static, BadSecret>,
) -> Result<Arc<dyn Inbound>, BuildError> {
    inbound.map(|inbound| Arc::new(inbound) as Arc<dyn Inbound>).map_err(|why| BuildError::Hook { name, why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn what_never_ends_is_left_when_its_time_is_over() {
        finish(pending(), pending(), (Duration::ZERO, Duration::ZERO)).await;
    }

    #[tokio::test]
    async fn what_is_told_to_end_may_end_in_its_time() {
        let ended = AtomicBool::new(false);
        let running = async {
            tokio::task::yield_now().await;
            ended.store(true, Ordering::Release);
        };
        finish(running, async { assert!(ended.load(Ordering::Acquire)) }, (DRAIN, CLOSED)).await;
        assert!(ended.load(Ordering::Acquire));
    }
}
