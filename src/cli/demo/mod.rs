//! `countersign demo`: the true server and worker against a simulated GitLab, a simulated GitHub and a simulated
//! Slack, on local ports, with no configuration.
//!
//! * [`world`]: the project on each forge, the channel in the chat, the people, and what they do there.
//! * [`house`]: the server, put together as `serve` does it, against that world.
//! * [`stage`] and [`page`]: the world to be played in a browser.
//! * [`story`]: the same told in the terminal (`--once`), each line of it checked.
//! * [`ledger`], [`markdown`], [`mrkdwn`]: what both show of the ledger, of comments and of messages.

mod house;
mod ledger;
mod markdown;
mod mrkdwn;
mod page;
mod stage;
mod story;
mod world;

use super::serve::Signals;
use super::wiring::{Roles, SystemClock};
use super::{Outcome, Trouble, block_on, say};
use crate::ports::clock::Clock;
use crate::sim::clock::Now;
use crate::web::{Limits, serve_within};
use anyhow::Context as _;
use stage::Stage;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use world::World;

/// Where the page is, unless that is taken.
const LISTEN: &str = "127.0.0.1:8080";
/// The page's connections: idle ones are not waited for long.
const LIMITS: Limits = Limits {
    connections: 64,
    header_time: Duration::from_secs(30),
    header_bytes: 64 * 1024,
    drain: Duration::from_secs(2),
};
/// How often the played server looks for itself: soon, since somebody is watching.
const POLL: &str = "5s";

/// How the world is shown.
#[derive(clap::Args)]
pub(super) struct DemoArgs {
    /// Address of the page [default: 127.0.0.1:8080, or a free port where that is taken]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Tell the story in the terminal and exit: 0 when it ended as told, 1 when it didn't
    #[arg(long, conflicts_with = "listen")]
    once: bool,
}

pub(super) fn run(args: &DemoArgs) -> Outcome {
    if args.once {
        return block_on(tell());
    }
    block_on(async {
        let mut signals = Signals::listen()?;
        let stop = CancellationToken::new();
        let playing = play(args.listen, stop.clone());
        tokio::pin!(playing);
        tokio::select! {
            ended = &mut playing => return Ok(ended?),
            _ = signals.next() => stop.cancel(),
        }
        Ok(playing.await?)
    })
}

/// Serves the page until told to stop.
async fn play(listen: Option<SocketAddr>, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    let listener = bind(listen).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let now = Arc::clone(&clock);
    let now: Now = Arc::new(move || now.now());
    let world = World::new(&now);
    let tasks = TaskTracker::new();
    let house = house::put_together(&world, Arc::clone(&clock), POLL, &tasks).await?;
    world.deliver_by_itself();
    let stage = Stage::new(world.clone(), Arc::clone(&house.built.app.store), clock);
    let (passing, halt) = (stage.clone(), stop.clone());
    tasks.spawn(async move { passing.run(halt).await });
    say(format_args!("The demo is at http://{}/ and ends with Ctrl-C.", listener.local_addr()?))?;
    tasks.spawn(serve_within(LIMITS, listener, page::router(stage), stop.clone(), tasks.clone()));
    let roles = Roles { listener: Some(house.listener), works: true };
    let ended = house.built.run(roles, stop.clone()).await;
    stop.cancel();
    world.stop().await;
    tasks.close();
    tasks.wait().await;
    drop(house.folder);
    ended.map(|()| ExitCode::SUCCESS).context("the demo's server")
}

async fn bind(listen: Option<SocketAddr>) -> anyhow::Result<TcpListener> {
    if let Some(address) = listen {
        return TcpListener::bind(address).await.with_context(|| format!("listening on {address}"));
    }
    match TcpListener::bind(LISTEN).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            TcpListener::bind("127.0.0.1:0").await.context("no free local port")
        }
        bound => bound.with_context(|| format!("listening on {LISTEN}")),
    }
}

/// Tells the story, and which line did not come true if one didn't.
async fn tell() -> Outcome {
    match story::tell(&mut std::io::stdout()).await? {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(astray) => Err(Trouble::Failed(astray.into())),
    }
}
