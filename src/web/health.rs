//! Whether we are alive, ready, and how much there is to do.

use super::Web;
use super::error::Refused;
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The format that Prometheus' client library writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The store is probed at most this often.
const PROBE_EVERY: Duration = Duration::from_millis(500);

/// Whether the worker runs.
#[derive(Debug, Default)]
pub struct Pulse(AtomicBool);

impl Pulse {
    /// The worker runs until what this gives is dropped, be it by a panic.
    pub fn beat(self: &Arc<Self>) -> Beat {
        self.0.store(true, Ordering::Release);
        Beat(Arc::clone(self))
    }

    /// Whether it runs now.
    pub fn beats(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Held by a worker that runs.
#[derive(Debug)]
pub struct Beat(Arc<Pulse>);

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
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
    if !web.probe.store_is_ready(&web).await {
        return Err(Refused::StoreFailed);
    }
    if !web.pulse.beats() {
        return Err(Refused::NoWorker);
    }
    Ok(Json(Well { status: "ready" }).into_response())
}

/// What the store said last. Everybody may ask, and each probe is a write before which deliveries wait.
#[derive(Debug, Default)]
pub(super) struct Probe(tokio::sync::Mutex<Option<(Instant, bool)>>);

impl Probe {
    async fn store_is_ready(&self, web: &Web) -> bool {
        let mut last = self.0.lock().await;
        if let Some((at, ready)) = *last
            && at.elapsed() < PROBE_EVERY
        {
            return ready;
        }
        let ready = web.app.store.ready().await;
        if let Err(error) = &ready {
            tracing::error!(%error, "the store isn't ready");
        }
        *last = Some((Instant::now(), ready.is_ok()));
        ready.is_ok()
    }
}

pub(super) async fn metrics(State(web): State<Arc<Web>>) -> Result<Response, Refused> {
    web.figures.worker.set(i64::from(web.pulse.beats()));
    match web.app.store.depth(web.app.clock.now()).await {
        Ok(depth) => {
            for (state, jobs) in [("due", depth.due), ("later", depth.later), ("dead", depth.dead)] {
                let jobs = i64::try_from(jobs).unwrap_or(i64::MAX);
                web.figures.jobs.get_or_create(&Waiting { state }).set(jobs);
            }
        }
        Err(error) => {
            tracing::error!(%error, "counting jobs");
            // No figure is better than an old one.
            web.figures.jobs.clear();
        }
    }
    let mut text = String::new();
    encode(&mut text, &web.figures.registry).map_err(|_| Refused::StoreFailed)?;
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
    NotStored,
}

impl Arrival {
    /// The value of the label `outcome`.
    fn label(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Unauthenticated => "unauthenticated",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::NotStored => "not_stored",
        }
    }
}

/// The figures of one server.
pub(super) struct Figures {
    registry: Registry,
    deliveries: Family<Delivered, Counter>,
    jobs: Family<Waiting, Gauge>,
    worker: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Delivered {
    source: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Waiting {
    state: &'static str,
}

impl Figures {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("countersign");
        let (deliveries, jobs, worker) = (Family::default(), Family::default(), Gauge::default());
        let help = "Webhook deliveries by source and by what became of them";
        registry.register("deliveries", help, deliveries.clone());
        let help = "Jobs in the queue: due now or running, due later, or given up (dead)";
        registry.register("jobs", help, jobs.clone());
        registry.register("worker_up", "1 while the worker runs", worker.clone());
        Self { registry, deliveries, jobs, worker }
    }

    /// Counts a delivery; `source` is a configured name, so the labels stay few.
    pub(super) fn arrived(&self, source: String, arrival: Arrival) {
        self.deliveries.get_or_create(&Delivered { source, outcome: arrival.label() }).inc();
    }
}
