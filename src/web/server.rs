//! The accept loop: bounded in connections and header time, and able to stop without cutting anybody off.

use super::seats::{Guest, Seat, Seats};
use super::source::Source;
use axum::Router;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Request};
use axum::response::Response;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

/// After a failed accept: the system may have run out of file handles, and looking again at once won't help.
const BREATH: Duration = Duration::from_millis(100);

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once. For a further one another that waits for its client is closed; while all are being
    /// served, it waits.
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
    let seats = Seats::new(limits.connections as usize);
    let cut = CancellationToken::new();
    while let Some((stream, seat)) = next(&listener, &seats, &stop).await {
        let (router, stop, cut) = (router.clone(), stop.clone(), cut.clone());
        tasks.spawn(async move {
            let talk = talk(stream, seat.guest(), router, (stop, limits));
            let stays = seat.out().run_until_cancelled(talk);
            let _ = cut.run_until_cancelled(stays).await;
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, seats.all_free()).await.is_err() {
        tracing::warn!("connections are still busy after the drain time: cut off");
        cut.cancel();
    }
}

/// The next connection, once there is a place for it; `None` when it is time to stop.
async fn next(
    listener: &TcpListener,
    seats: &Arc<Seats>,
    stop: &CancellationToken,
) -> Option<(TcpStream, Seat)> {
    loop {
        match stop.run_until_cancelled(listener.accept()).await? {
            Ok((stream, peer)) => {
                let seat = stop.run_until_cancelled(seats.take(Source::of(peer.ip()))).await?;
                return Some((stream, seat));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection");
                stop.run_until_cancelled(tokio::time::sleep(BREATH)).await?;
            }
        }
    }
}

async fn talk(stream: TcpStream, guest: &Guest, router: Router, (stop, limits): (CancellationToken, Limits)) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(router.clone(), guest.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(limits.header_bytes)
        .serve_connection(TokioIo::new(stream), service);
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

/// One request. After one whose body came in chunks the connection is closed: a proxy in front may have read them
/// otherwise, and what follows might be a part of that body and no request.
async fn answer(
    mut router: Router,
    guest: Guest,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    guest.stirred();
    let _served = request.body().is_end_stream().then(|| guest.served());
    let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
    request.extensions_mut().insert(guest);
    let mut response = router.call(request).await?;
    if is_chunked {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
