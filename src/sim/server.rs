//! The wire under every face: connections, faults, answers that break on their way.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, to_bytes};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::faults::{Action, LONGEST_DELAY};

/// Bodies beyond this many bytes are cut off with their connection.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// What speaks on a port.
pub(super) trait Face: Send + Sync + 'static {
    /// A call, read.
    type Call: Send + Sync;

    fn read(&self, head: &Parts, body: &[u8]) -> Self::Call;

    /// What goes wrong with this call, counted off the rule that says so.
    fn fault_of(&self, call: &Self::Call) -> Option<Action>;

    /// Carries the call out and logs it.
    fn act(&self, call: &Self::Call) -> Page;

    /// Logs a call that a fault answered in the face's place; status 0 when nothing was answered.
    fn log_unacted(&self, call: &Self::Call, status: u16);

    /// How this face refuses a caller who asks too often.
    fn too_many(&self, retry_after: Option<u64>) -> Page;
}

/// An answer as it goes over the wire: `application/json` when the body is JSON or empty, else `text/html`.
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Page {
    pub(super) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }
}

/// The connection closes without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was dropped on purpose")]
struct Dropped;

/// Serves a face on a listener until it is told to stop.
pub(super) async fn accept<F: Face>(
    face: Arc<F>,
    listener: TcpListener,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        if let Ok((stream, _)) = accepted {
            tasks.spawn(serve(face.clone(), stream, stop.clone()));
        }
    }
}

async fn serve<F: Face>(face: Arc<F>, stream: TcpStream, stop: CancellationToken) {
    let service = hyper::service::service_fn(|request| respond(face.clone(), request));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A connection that breaks is the caller's business.
    let _ended = stop.run_until_cancelled(connection).await;
}

async fn respond<F: Face>(face: Arc<F>, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), LARGEST_BODY).await.map_err(|_| Dropped)?;
    let call = face.read(&head, &body);
    let Some(action) = face.fault_of(&call) else { return Ok(whole(face.act(&call))) };
    match action {
        Action::Answer { status, body } => {
            face.log_unacted(&call, status);
            Ok(whole(Page::new(status, body)))
        }
        Action::TooManyRequests { retry_after } => {
            let page = face.too_many(retry_after);
            face.log_unacted(&call, page.status);
            Ok(whole(page))
        }
        Action::Delay(span) => {
            tokio::time::sleep(span.min(LONGEST_DELAY)).await;
            Ok(whole(face.act(&call)))
        }
        Action::Drop => {
            face.log_unacted(&call, 0);
            Err(Dropped)
        }
        Action::ActThenDrop => {
            face.act(&call);
            Err(Dropped)
        }
        Action::ActThenFail(status) => {
            face.act(&call);
            let page = "<html><body>Whoops, something went wrong on our end.</body></html>";
            Ok(whole(Page::new(status, page)))
        }
        Action::Truncate => Ok(torn(face.act(&call))),
        Action::Hang => {
            face.log_unacted(&call, 0);
            std::future::pending().await
        }
        Action::ActThenHang => {
            face.act(&call);
            std::future::pending().await
        }
    }
}

fn whole(page: Page) -> Response<Body> {
    let json = page.body.is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(&page.body).is_ok();
    let kind = if json { "application/json" } else { "text/html" };
    response(page.status, kind, &page.headers, Body::from(page.body))
}

fn torn(page: Page) -> Response<Body> {
    let mut headers = page.headers;
    headers.push(("Content-Length", page.body.len().to_string()));
    let mut half = Bytes::from(page.body);
    half.truncate(half.len() / 2);
    response(page.status, "application/json", &headers, Body::new(Torn(Some(half))))
}

fn response(status: u16, kind: &str, headers: &[(&str, String)], body: Body) -> Response<Body> {
    let start = Response::builder().status(status).header("Content-Type", kind);
    let built = headers.iter().fold(start, |built, (name, value)| built.header(*name, value.as_str()));
    built.body(body).unwrap_or_default()
}

/// A body that breaks after its first piece.
struct Torn(Option<Bytes>);

impl HttpBody for Torn {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        Poll::Ready(Some(self.0.take().map(Frame::data).ok_or(Dropped)))
    }
}
