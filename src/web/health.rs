//! Whether we are alive, ready, and how much there is to do.

use super::Web;
use super::error::Refused;
use crate::ports::store::Backlog;
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The format that Prometheus' client library writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The store is asked at most this often how it is and what waits in it.
pub(super) const ASK_EVERY: Duration = Duration::from_millis(500);

/// Whether the worker runs.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: AtomicBool,
    works_elsewhere: AtomicBool,
}

impl Pulse {
    /// The worker runs until what this gives is dropped, be it by a panic.
    pub fn beat(self: &Arc<Self>) -> Beat {
        self.beats.store(true, Ordering::Release);
        Beat(Arc::clone(self))
    }

    /// The same for a process that leaves the work to others: it is as ready as it will be.
    pub fn beat_without_worker(self: &Arc<Self>) -> Beat {
        self.works_elsewhere.store(true, Ordering::Release);
        self.beat()
    }

    /// Whether it runs now.
    pub fn beats(&self) -> bool {
        self.beats.load(Ordering::Acquire)
    }

    /// The same of a worker, where this process is to have one.
    fn worker(&self) -> Option<bool> {
        (!self.works_elsewhere.load(Ordering::Acquire)).then(|| self.beats())
    }
}

/// Held by a worker that runs.
#[derive(Debug)]
pub struct Beat(Arc<Pulse>);

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.beats.store(false, Ordering::Release);
    }
}

#[derive(Serialize)]
struct Well {
    status: &'static str,
}

pub(super) async fn alive() -> Response {
    Json(Well { status: "alive" }).into_response()
}

pub(super) async fn ready(State(web): State<Arc<Web>>) -> Result<Response, Refused> {
    if !web.is_ready.get(store_is_ready(&web)).await {
        return Err(Refused::StoreFailed);
    }
    if !web.pulse.beats() {
        return Err(Refused::NoWorker);
    }
    Ok(Json(Well { status: "ready" }).into_response())
}

/// What the store said last. Everybody may ask us, and deliveries wait while the store is asked: so one asks for all.
#[derive(Debug)]
pub(super) struct Lately<T> {
    every: Duration,
    last: tokio::sync::Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Lately<T> {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, last: tokio::sync::Mutex::default() }
    }

    async fn get(&self, ask: impl Future<Output = T>) -> T {
        let mut last = self.last.lock().await;
        if let Some((at, said)) = &*last
            && at.elapsed() < self.every
        {
            return said.clone();
        }
        let said = ask.await;
        *last = Some((Instant::now(), said.clone()));
        said
    }
}

async fn store_is_ready(web: &Web) -> bool {
    let ready = web.app.store.ready().await;
    if let Err(error) = &ready {
        tracing::error!(%error, "the store isn't ready");
    }
    ready.is_ok()
}

async fn backlog(web: &Web) -> Option<Backlog> {
    let backlog = web.app.store.backlog(web.app.clock.now()).await;
    if let Err(error) = &backlog {
        tracing::error!(%error, "counting jobs");
    }
    backlog.ok()
}

pub(super) async fn metrics(State(web): State<Arc<Web>>) -> Result<Response, Refused> {
    let backlog = web.backlog.get(backlog(&web)).await;
    let text = web.app.figures.text(backlog.as_ref(), web.pulse.worker(), web.app.clock.now());
    let text = text.ok_or(Refused::StoreFailed)?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Stored,
    Duplicate,
    Ignored,
    Unauthenticated,
    Unreadable,
    TooLarge,
    TooSlow,
    Limited,
    NotStored,
}

impl Arrival {
    /// Every one.
    pub(super) const ALL: [Self; 9] = [
        Self::Stored,
        Self::Duplicate,
        Self::Ignored,
        Self::Unauthenticated,
        Self::Unreadable,
        Self::TooLarge,
        Self::TooSlow,
        Self::Limited,
        Self::NotStored,
    ];

    /// Whether its source was heard: it is authentic, readable and dealt with.
    pub(super) fn is_heard(self) -> bool {
        match self {
            Self::Stored | Self::Duplicate | Self::Ignored => true,
            Self::Unauthenticated
            | Self::Unreadable
            | Self::TooLarge
            | Self::TooSlow
            | Self::Limited
            | Self::NotStored => false,
        }
    }

    /// The value of the label `outcome`.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Unauthenticated => "unauthenticated",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Limited => "limited",
            Self::NotStored => "not_stored",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use tokio_util::task::TaskTracker;

    /// How often the store was asked for 100 who asked at once.
    async fn asked(every: Duration) -> usize {
        let lately = Arc::new((Lately::new(every), AtomicUsize::new(0)));
        let tasks = TaskTracker::new();
        for _ in 0..100 {
            let lately = Arc::clone(&lately);
            tasks.spawn(async move {
                let ask = async {
                    tokio::task::yield_now().await;
                    lately.1.fetch_add(1, Ordering::Relaxed)
                };
                lately.0.get(ask).await
            });
        }
        tasks.close();
        tasks.wait().await;
        lately.1.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn for_many_who_ask_at_once_one_asks_the_store_and_later_another() {
        assert_eq!(asked(Duration::from_hours(1)).await, 1);
        assert_eq!(asked(Duration::ZERO).await, 100);
    }
}
