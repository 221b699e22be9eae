//! What answers on our own port: webhooks, and whether we are well.
//!
//! * `server`: the accept loop, with its limits and its end.
//! * `seats`: the places for connections; those who only wait make way.
//! * `strangers`: requests that prove nothing, limited by their `source`.
//! * `hooks`: deliveries; nothing is answered with 2xx that isn't on disk.
//! * `health`: alive, ready, and figures for Prometheus.
//! * `error`: every refusal as one line of JSON.

mod error;
mod health;
mod hooks;
mod seats;
mod server;
mod source;
mod strangers;

#[cfg(test)]
mod tests;

pub use health::{Beat, Pulse};
pub use server::{Limits, serve, serve_within};
pub use strangers::StrangerLimits;

use crate::app::App;
use crate::ports::inbound::Inbound;
use crate::ports::store::Backlog;
use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use error::Refused;
use health::{ASK_EVERY, Arrival, Lately};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use strangers::Strangers;
use tokio::sync::{Notify, Semaphore};
use tower_http::catch_panic::CatchPanicLayer;

/// Who may send to us, by the last part of their path `/hooks/{name}`.
pub type Sources = BTreeMap<String, Arc<dyn Inbound>>;

/// Room for large bodies is given in pieces of so many bytes.
const PIECE: usize = 64 * 1024;

/// What a request may cost.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Largest body, in bytes.
    pub largest: usize,
    /// What is larger than this, in bytes, takes of the room for large bodies.
    pub small: usize,
    /// Room for what is large of all bodies together, in bytes. With what is small of a body on each connection it has
    /// to fit into the memory of a small machine (`fly.toml`).
    pub room: usize,
    /// Time for a whole body to arrive.
    pub time: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        let largest = 25 * 1024 * 1024;
        Self { largest, small: 32 * 1024, room: 64 * 1024 * 1024, time: Duration::from_secs(10) }
    }
}

/// What the pages work with.
pub struct Web {
    app: App,
    sources: Sources,
    wake: Arc<Notify>,
    pulse: Arc<Pulse>,
    limits: BodyLimits,
    /// One permit for each piece.
    room: Semaphore,
    strangers: Strangers,
    /// The header in which our own proxy says who its client is.
    client_address: Option<String>,
    is_ready: Lately<bool>,
    backlog: Lately<Option<Backlog>>,
}

impl Web {
    /// `wake` is told of every stored delivery; `pulse` tells whether the worker lives.
    pub fn new(app: App, sources: Sources, wake: Arc<Notify>, pulse: Arc<Pulse>) -> Self {
        app.figures.expect(&Arrival::ALL.map(Arrival::label));
        let limits = BodyLimits::default();
        let room = Semaphore::new(limits.room / PIECE);
        let strangers = Strangers::new(StrangerLimits::default());
        let (is_ready, backlog) = (Lately::new(ASK_EVERY), Lately::new(ASK_EVERY));
        let client_address = None;
        Self { app, sources, wake, pulse, limits, room, strangers, client_address, is_ready, backlog }
    }

    /// The same with other limits.
    pub fn with_limits(self, limits: BodyLimits) -> Self {
        Self { limits, room: Semaphore::new(limits.room / PIECE), ..self }
    }

    /// The same with other limits for those who prove nothing.
    pub fn with_stranger_limits(self, limits: StrangerLimits) -> Self {
        Self { strangers: Strangers::new(limits), ..self }
    }

    /// The same behind a proxy that says in this header who its client is.
    pub fn behind_proxy(self, client_address: Option<String>) -> Self {
        Self { client_address, ..self }
    }

    /// All routes. A panic in one of them is answered with 500 and harms no other.
    pub fn router(self) -> Router {
        let routes = Router::new()
            .route("/hooks/{name}", post(hooks::receive))
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .route("/metrics", get(health::metrics))
            .fallback(async || Refused::NoSuchPath)
            .method_not_allowed_fallback(async || Refused::Method)
            .with_state(Arc::new(self));
        guarded(routes)
    }
}

/// Panics are caught, and headers say that nothing here is to be kept, framed or guessed at.
fn guarded(routes: Router) -> Router {
    routes.layer(CatchPanicLayer::custom(error::panicked)).layer(map_response(sealed))
}

async fn sealed(mut response: Response) -> Response {
    let headers = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in headers {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
