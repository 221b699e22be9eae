//! `countersign serve`: the server and its worker, until a signal.

use super::wiring::{self, Built, Roles, SystemClock};
use super::{ConfigArgs, Outcome, Trouble, block_on};
use crate::config::{Config, StoreUrl};
use anyhow::Context as _;
use clap::Args;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// For the store's own tasks, which have ended with it unless it hangs.
const LAST_TASKS: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only take webhooks; needs a store that several processes share
    #[arg(long)]
    no_worker: bool,
    /// Only work; needs a store that several processes share
    #[arg(long, conflicts_with = "no_worker")]
    no_web: bool,
}

pub(super) fn run(args: &ServeArgs) -> Outcome {
    let config = args.config.load()?;
    if let StoreUrl::Sqlite(_) = &config.store {
        for (given, flag) in [(args.no_worker, "--no-worker"), (args.no_web, "--no-web")] {
            if given {
                return Err(Trouble::unusable(anyhow::anyhow!(
                    "{flag} splits the work between processes, and a SQLite file takes only one; leave it out, or \
                     keep the store in PostgreSQL"
                )));
            }
        }
    }
    for warning in &config.warnings {
        tracing::warn!("{}: {warning}", args.config.file.display());
    }
    block_on(serve(config, args))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config, args: &ServeArgs) -> Result<(), Trouble> {
    // Signals first: one that comes while the store is opened must not be lost.
    let mut signals = Signals::listen()?;
    let tasks = TaskTracker::new();
    let built = wiring::build(&config, Arc::new(SystemClock), &tasks).await.map_err(Trouble::unusable)?;
    let listener = if args.no_web {
        tracing::info!("working, without webhooks");
        None
    } else {
        Some(listen(&config).await?)
    };
    until_signalled(built, Roles { listener, works: !args.no_worker }, &mut signals).await?;
    tasks.close();
    // A store that hangs was given up: its tasks go with the process.
    let _ = tokio::time::timeout(LAST_TASKS, tasks.wait()).await;
    tracing::info!("stopped");
    Ok(())
}

async fn listen(config: &Config) -> Result<TcpListener, Trouble> {
    let listener = TcpListener::bind(config.server.listen)
        .await
        .with_context(|| format!("[server] listen: {} can't be listened on", config.server.listen))
        .map_err(Trouble::Unusable)?;
    tracing::info!("listening on http://{}", listener.local_addr()?);
    Ok(listener)
}

/// The first signal drains; a second one doesn't wait for that.
async fn until_signalled(built: Built, roles: Roles, signals: &mut Signals) -> Result<(), Trouble> {
    let stop = CancellationToken::new();
    let running = built.run(roles, stop.clone());
    tokio::pin!(running);
    let name = tokio::select! {
        ended = &mut running => return Ok(ended?),
        name = signals.next() => name,
    };
    tracing::info!("{name}: finishing what runs");
    stop.cancel();
    tokio::select! {
        ended = &mut running => Ok(ended?),
        name = signals.next() => Err(anyhow::anyhow!("{name}: stopped before everything was finished").into()),
    }
}

/// SIGTERM and SIGINT, which mean the same.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
