//! The wire: connections, faults, the log of calls.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, to_bytes};
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::rest::{Answer, Call};
use super::state::State;
use super::{ApiCall, Shared};
use crate::sim::faults::{Action, LONGEST_DELAY};

/// Bodies beyond this many bytes are cut off with their connection.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// The connection closes without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was dropped on purpose")]
struct Dropped;

pub(super) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        if let Ok((stream, _)) = accepted {
            tasks.spawn(serve(shared.clone(), stream, stop.clone()));
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream, stop: CancellationToken) {
    let service = hyper::service::service_fn(|request| respond(shared.clone(), request));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A connection that breaks is the caller's business.
    let _ended = stop.run_until_cancelled(connection).await;
}

async fn respond(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), LARGEST_BODY).await.map_err(|_| Dropped)?;
    let call = Call::read(&head, &body);
    let fault = shared.lock().fault_of(&call);
    let Some(action) = fault else { return Ok(whole(shared.lock().act(&call))) };
    match action {
        Action::Answer { status, body } => {
            shared.lock().log(&call, status, false);
            Ok(text(status, body, &[]))
        }
        Action::TooManyRequests { retry_after } => {
            shared.lock().log(&call, 429, false);
            Ok(too_many(retry_after))
        }
        Action::Delay(span) => {
            tokio::time::sleep(span.min(LONGEST_DELAY)).await;
            Ok(whole(shared.lock().act(&call)))
        }
        Action::Drop => {
            shared.lock().log(&call, 0, false);
            Err(Dropped)
        }
        Action::ActThenDrop => {
            shared.lock().act(&call);
            Err(Dropped)
        }
        Action::ActThenFail(status) => {
            shared.lock().act(&call);
            Ok(text(status, "<html><body>Whoops, something went wrong on our end.</body></html>".into(), &[]))
        }
        Action::Truncate => Ok(torn(shared.lock().act(&call))),
    }
}

impl State {
    fn fault_of(&mut self, call: &Call) -> Option<Action> {
        let (user, sudo) = self.names(call);
        self.faults.take(&call.method, &call.path, sudo.as_deref().or(user.as_deref()))
    }

    fn act(&mut self, call: &Call) -> Answer {
        // Whose call it is must be read before: a call may revoke or rename.
        let names = self.names(call);
        let answer = self.answer(call);
        self.log_as(call, answer.status, true, names);
        answer
    }

    fn log(&mut self, call: &Call, status: u16, acted: bool) {
        let names = self.names(call);
        self.log_as(call, status, acted, names);
    }

    fn log_as(&mut self, call: &Call, status: u16, acted: bool, names: (Option<String>, Option<String>)) {
        let (user, sudo) = names;
        let (method, path, query) = (call.method.clone(), call.path.clone(), call.query.clone());
        self.calls.push(ApiCall { method, path, query, user, sudo, status, acted, body: call.body.clone() });
    }
}

fn whole(answer: Answer) -> Response<Body> {
    let headers: Vec<(&str, String)> =
        answer.headers.iter().map(|(name, value)| (*name, value.clone())).collect();
    match answer.body {
        Some(body) => text(answer.status, body.to_string(), &headers),
        None => response(answer.status, "application/json", Body::empty(), &headers),
    }
}

fn text(status: u16, body: String, headers: &[(&str, String)]) -> Response<Body> {
    let json = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
    response(status, if json { "application/json" } else { "text/html" }, Body::from(body), headers)
}

fn too_many(retry_after: Option<u64>) -> Response<Body> {
    let Some(seconds) = retry_after else {
        return text(429, "<html><body>Retry later</body></html>".into(), &[]);
    };
    let body = r#"{"message":{"error":"This endpoint has been requested too many times. Try again later."}}"#;
    let headers = [
        ("Retry-After", seconds.to_string()),
        ("RateLimit-Limit", "60".to_owned()),
        ("RateLimit-Remaining", "0".to_owned()),
    ];
    text(429, body.into(), &headers)
}

fn torn(answer: Answer) -> Response<Body> {
    let body = answer.body.map(|body| body.to_string()).unwrap_or_default();
    let length = body.len().to_string();
    let mut half = Bytes::from(body);
    half.truncate(half.len() / 2);
    let headers = [("Content-Length", length)];
    response(answer.status, "application/json", Body::new(Torn(Some(half))), &headers)
}

fn response(status: u16, kind: &str, body: Body, headers: &[(&str, String)]) -> Response<Body> {
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
