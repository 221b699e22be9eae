//! The accept loop: bounded in connections and header time, and able to stop without cutting anybody off.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// After a failed accept: the system may have run out of file handles, and looking again at once won't help.
const BREATH: Duration = Duration::from_millis(100);

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; further ones wait in the system's queue.
    pub connections: u32,
    /// Time for the headers of each request, idle time before them included.
    pub header_time: Duration,
    /// Size of all headers of a request together, in bytes.
    pub header_bytes: usize,
    /// After the stop: time for what runs to finish.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            header_time: Duration::from_secs(10),
            header_bytes: 64 * 1024,
            drain: Duration::from_secs(25),
        }
    }
}

/// Answers on the socket until told to stop; then takes no new connections, lets each running request finish
/// and returns, with the usual limits. `tasks` carries the connections.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, tasks: TaskTracker) {
    serve_within(Limits::default(), listener, router, stop, tasks).await;
}

/// [`serve`] with limits of one's own. Connections that are busy for longer than `limits.drain` after the stop
/// are cut.
pub async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(limits.connections as usize));
    let cut = CancellationToken::new();
    while let Some((stream, place)) = next(&listener, &places, &stop).await {
        let (talk, cut) = (talk(stream, router.clone(), stop.clone(), limits), cut.clone());
        tasks.spawn(async move {
            let _place = place;
            let _ = cut.run_until_cancelled(talk).await;
        });
    }
    drop(listener);
    // Every place is free again once every connection has ended.
    let all_ended = places.acquire_many(limits.connections);
    if tokio::time::timeout(limits.drain, all_ended).await.is_err() {
        tracing::warn!("connections are still busy after the drain time: cut off");
        cut.cancel();
    }
}

/// The next connection, once there is a place for it; `None` when it is time to stop.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = stop.run_until_cancelled(Arc::clone(places).acquire_owned()).await?.ok()?;
    loop {
        match stop.run_until_cancelled(listener.accept()).await? {
            Ok((stream, _)) => return Some((stream, place)),
            Err(error) => {
                tracing::warn!(%error, "accepting a connection");
                stop.run_until_cancelled(tokio::time::sleep(BREATH)).await?;
            }
        }
    }
}

async fn talk(stream: TcpStream, router: Router, stop: CancellationToken, limits: Limits) {
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(limits.header_bytes)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = if let Some(ended) = stop.run_until_cancelled(connection.as_mut()).await {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}
