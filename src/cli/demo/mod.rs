//! `countersign demo`: the true server and worker against a simulated GitLab, on local ports, with no configuration.
//!
//! * [`world`]: the project, its people, and what they do in GitLab.
//! * [`house`]: the server, put together as `serve` does it, against that world.
//! * [`stage`] and [`page`]: the world to be played in a browser.
//! * [`story`]: the same told in the terminal (`--once`), each line of it checked.
//! * [`ledger`], [`markdown`]: what both show of the ledger and of comments.

mod house;
mod ledger;
mod markdown;
mod page;
mod stage;
mod story;
mod world;

use super::wiring::SystemClock;
use crate::ports::clock::Clock;
use crate::web::serve;
use anyhow::Context as _;
use stage::Stage;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use world::{MergeRequest, World};

/// The simulated GitLab's name in the configuration.
const FORGE: &str = "gitlab";
/// Where the page is, unless that is taken.
const LISTEN: &str = "127.0.0.1:8080";
/// How often the played server looks for itself: soon, since somebody is watching.
const POLL: &str = "5s";

/// Play a simulated world in the browser, or have its story told.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Demo {
    /// Address of the page [default: 127.0.0.1:8080, or a free port where that is taken]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Tell the story in the terminal and exit: 0 when it ended as told, 1 when it didn't
    #[arg(long, conflicts_with = "listen")]
    pub once: bool,
}

impl Demo {
    /// Runs until told to stop, or to the story's end.
    pub async fn run(&self, stop: CancellationToken) -> anyhow::Result<ExitCode> {
        if self.once { tell(&mut std::io::stdout()).await } else { self.play(stop).await }
    }

    async fn play(&self, stop: CancellationToken) -> anyhow::Result<ExitCode> {
        let listener = self.bind().await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let now = Arc::clone(&clock);
        let world = World::new(Arc::new(move || now.now()), MergeRequest::default());
        let tasks = TaskTracker::new();
        let house = house::put_together(&world, Arc::clone(&clock), POLL, &tasks).await?;
        world.gitlab.set_auto_deliver(true);
        let stage = Stage::new(world.clone(), Arc::clone(&house.built.app.store), clock);
        let (passing, halt) = (stage.clone(), stop.clone());
        tasks.spawn(async move { passing.run(halt).await });
        let address = listener.local_addr()?;
        tasks.spawn(serve(listener, page::router(stage), stop.clone(), tasks.clone()));
        writeln!(std::io::stdout(), "The demo is at http://{address}/ and ends with Ctrl-C.")?;
        let ended = house.built.run(house.listener, stop.clone()).await;
        stop.cancel();
        world.gitlab.stop().await;
        tasks.close();
        tasks.wait().await;
        drop(house.folder);
        ended.map(|()| ExitCode::SUCCESS).context("the demo's server")
    }

    async fn bind(&self) -> anyhow::Result<TcpListener> {
        if let Some(address) = self.listen {
            return TcpListener::bind(address).await.with_context(|| format!("listening on {address}"));
        }
        match TcpListener::bind(LISTEN).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                TcpListener::bind("127.0.0.1:0").await.context("no free local port")
            }
            bound => bound.with_context(|| format!("listening on {LISTEN}")),
        }
    }
}

/// Tells the story; errors of the telling itself are those of a terminal or a port.
async fn tell(out: &mut (dyn Write + Send)) -> anyhow::Result<ExitCode> {
    match story::tell(out).await? {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(astray) => {
            writeln!(std::io::stderr(), "{astray}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}
