//! The true server of a story, in process, on a port of its own.

use countersign::app::worker::Worker;
use countersign::cli::wiring::{self, Built};
use countersign::ports::clock::Clock;
use countersign::ports::store::Store;
use countersign::sim::clock::HandClock;
use countersign::store::postgres::LeaseTime;
use countersign::web;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Time from the story's clock, ids counted up.
pub(crate) struct StoryClock {
    clock: HandClock,
    next: AtomicU64,
}

impl StoryClock {
    pub(crate) fn new(clock: HandClock) -> Self {
        Self { clock, next: AtomicU64::new(1) }
    }
}

impl Clock for StoryClock {
    fn now(&self) -> Timestamp {
        self.clock.time()
    }

    fn new_id(&self) -> String {
        format!("id-{:08}", self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// Web and worker over one database; the worker runs only when it is told to.
pub(crate) struct Server {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) worker: Worker,
    pub(crate) address: SocketAddr,
    built: Built,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl Server {
    /// Starts with a configuration on an address.
    pub(crate) async fn start(text: &str, clock: Arc<dyn Clock>, address: SocketAddr) -> Self {
        Self::start_on(TcpListener::bind(address).await.unwrap(), text, clock).await
    }

    /// Starts with a configuration on a socket that is bound already.
    pub(crate) async fn start_on(listener: TcpListener, text: &str, clock: Arc<dyn Clock>) -> Self {
        let config = countersign::config::parse(text, Path::new("story.toml"), &|_| None).unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let built = wiring::build_by(&config, clock, &tasks, LeaseTime::Caller).await.unwrap();
        let address = listener.local_addr().unwrap();
        tasks.spawn(web::serve(listener, built.router.clone(), stop.clone(), tasks.clone()));
        built.app.start_polling().await.unwrap();
        let (store, worker) = (built.app.store.clone(), built.worker.clone());
        Self { store, worker, address, built, tasks, stop: stop.drop_guard() }
    }

    /// Ends everything and lets go of the database and the port.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.built.close().await;
        self.tasks.close();
        self.tasks.wait().await;
    }
}
