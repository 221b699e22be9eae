//! Figures for Prometheus: what came in, what waits, what was done, and how long it took. One set for each [`App`].
//!
//! [`App`]: super::App

use super::letters::lane_name;
use crate::domain::id::PlatformName;
use crate::ports::meter::{CallMeter, MeteredCall};
use crate::ports::store::{Backlog, LeasedJob, Work};
use jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

type Seconds = Gauge<f64, AtomicU64>;
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Upper bounds in seconds: from the blink in which a decision falls to the day after which a job is given up.
const BOUNDS: [f64; 14] =
    [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86_400.0];

/// The class of its own of calls whose token wasn't accepted.
const REFUSED: &str = "401";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Delivered {
    source: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Source {
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InLane {
    lane: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempted {
    lane: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    forge: String,
    method: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Limited {
    forge: String,
    limit: String,
}

/// No label: a family of one, since only a family's figures can be taken away.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Whole {}

/// How an attempt at a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was done, or goes on later as planned.
    Done,
    /// It stopped, and is tried again.
    Stopped,
    /// It was given up.
    GivenUp,
}

impl Attempt {
    fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::GivenUp => "given_up",
        }
    }
}

/// All figures of one server.
pub struct Figures {
    registry: Registry,
    deliveries: Family<Delivered, Counter>,
    silence: Family<Source, Seconds>,
    jobs: Family<InLane, Gauge>,
    oldest: Family<InLane, Seconds>,
    dead: Family<Whole, Gauge>,
    attempts: Family<Attempted, Counter>,
    decisions: Histogram,
    effects: Histograms<InLane>,
    calls: Family<Called, Counter>,
    remaining: Family<Limited, Gauge>,
    worker: Family<Whole, Gauge>,
    store: Gauge,
    /// When each source was last heard of: at first, when we began to listen.
    heard: Mutex<BTreeMap<String, Timestamp>>,
}

impl Figures {
    /// All at zero; the silence of these sources begins now.
    pub fn new(sources: impl IntoIterator<Item = String>, now: Timestamp) -> Self {
        let mut registry = Registry::with_prefix("countersign");
        let all = &mut registry;
        let histogram: fn() -> Histogram = || Histogram::new(BOUNDS);
        Self {
            deliveries: add(
                all,
                "deliveries",
                "Webhook deliveries by what became of them",
                Family::default(),
            ),
            silence: add(all, "hook_silence_seconds", "Since the last authentic delivery", Family::default()),
            jobs: add(all, "jobs", "Jobs that wait or are in work, counted up to 10000", Family::default()),
            oldest: add(
                all,
                "oldest_due_job_age_seconds",
                "How long a due job has waited",
                Family::default(),
            ),
            dead: add(all, "dead_letters", "Jobs that were given up, counted up to 10000", Family::default()),
            attempts: add(all, "job_attempts", "Attempts at jobs by how they ended", Family::default()),
            decisions: add(
                all,
                "decision_seconds",
                "From a stored delivery to the commit that deals with it",
                histogram(),
            ),
            effects: add(
                all,
                "delivery_seconds",
                "From a written effect to the moment when the world was told",
                Family::new_with_constructor(histogram),
            ),
            calls: add(
                all,
                "forge_calls",
                "Calls to forges by method and class of status; 401 by itself",
                Family::default(),
            ),
            remaining: add(all, "forge_calls_remaining", "What a forge says is left", Family::default()),
            worker: add(all, "worker_up", "1 while the worker runs", Family::default()),
            store: add(all, "store_up", "1 if the store could be asked just now", Gauge::default()),
            heard: Mutex::new(sources.into_iter().map(|source| (source, now)).collect()),
            registry,
        }
    }

    /// These outcomes of deliveries may come: each begins at zero, so that the first of its kind is seen as a rise.
    pub fn expect(&self, outcomes: &[&'static str]) {
        for source in self.heard.lock().unwrap_or_else(PoisonError::into_inner).keys() {
            for outcome in outcomes {
                // Whoever gets one holds the family's lock meanwhile.
                drop(self.deliveries.get_or_create(&Delivered { source: source.clone(), outcome }));
            }
        }
    }

    /// A delivery came. `source` is a configured name, so that labels stay few; `heard` is the time of one that
    /// is authentic and readable.
    pub fn arrived(&self, source: &str, outcome: &'static str, heard: Option<Timestamp>) {
        self.deliveries.get_or_create(&Delivered { source: source.to_owned(), outcome }).inc();
        if let Some(now) = heard {
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(source.to_owned(), now);
        }
    }

    /// An attempt at a job ended.
    pub fn attempted(&self, job: &LeasedJob, attempt: Attempt, now: Timestamp) {
        let lane = lane_name(job.lane);
        self.attempts.get_or_create(&Attempted { lane, outcome: attempt.label() }).inc();
        let took = seconds(now.duration_since(job.created_at));
        match (attempt, &job.work) {
            (Attempt::Done, Work::Event(_)) => self.decisions.observe(took),
            (Attempt::Done, Work::Effect(_)) => self.effects.get_or_create(&InLane { lane }).observe(took),
            (Attempt::Done, Work::Look(_)) | (Attempt::Stopped | Attempt::GivenUp, _) => {}
        }
    }

    /// What counts the calls to one forge or chat.
    pub fn meter(self: &Arc<Self>, platform: &PlatformName) -> Arc<dyn CallMeter> {
        let forge = platform.to_string();
        let refused = Called { forge: forge.clone(), method: "GET".to_owned(), status: REFUSED };
        drop(self.calls.get_or_create(&refused));
        Arc::new(ForgeMeter { figures: Arc::clone(self), forge })
    }

    /// Everything, as Prometheus reads it. Without a backlog its figures are missing: none is better than an
    /// old one. `worker` tells whether it runs, where there is one. `None` if the text can't be written.
    pub fn text(&self, backlog: Option<&Backlog>, worker: Option<bool>, now: Timestamp) -> Option<String> {
        match worker {
            Some(runs) => {
                self.worker.get_or_create(&Whole {}).set(i64::from(runs));
            }
            None => self.worker.clear(),
        }
        self.store.set(i64::from(backlog.is_some()));
        self.show(backlog, now);
        for (source, heard) in &*self.heard.lock().unwrap_or_else(PoisonError::into_inner) {
            let silence = seconds(now.duration_since(*heard));
            self.silence.get_or_create(&Source { source: source.clone() }).set(silence);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).ok()?;
        Some(text)
    }

    fn show(&self, backlog: Option<&Backlog>, now: Timestamp) {
        let Some(backlog) = backlog else {
            self.jobs.clear();
            self.oldest.clear();
            self.dead.clear();
            return;
        };
        for load in &backlog.lanes {
            let lane = InLane { lane: lane_name(load.lane) };
            self.jobs.get_or_create(&lane).set(signed(load.jobs));
            let age = load.due_since.map_or(0.0, |since| seconds(now.duration_since(since)));
            self.oldest.get_or_create(&lane).set(age);
        }
        self.dead.get_or_create(&Whole {}).set(signed(backlog.dead));
    }
}

/// Enters a metric.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A clock that was set back makes nothing negative.
fn seconds(span: SignedDuration) -> f64 {
    span.as_secs_f64().max(0.0)
}

struct ForgeMeter {
    figures: Arc<Figures>,
    forge: String,
}

impl std::fmt::Debug for ForgeMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForgeMeter").field("forge", &self.forge).finish_non_exhaustive()
    }
}

impl CallMeter for ForgeMeter {
    fn called(&self, call: &MeteredCall<'_>) {
        let (forge, method) = (self.forge.clone(), call.method.to_owned());
        self.figures.calls.get_or_create(&Called { forge, method, status: class(call.status) }).inc();
        if let Some((limit, left)) = call.remaining {
            let limited = Limited { forge: self.forge.clone(), limit: limit_name(limit) };
            self.figures.remaining.get_or_create(&limited).set(signed(left));
        }
    }
}

/// `none` for a call without an answer.
fn class(status: Option<u16>) -> &'static str {
    if status == Some(401) {
        return REFUSED;
    }
    match status.map(|status| status / 100) {
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(5) => "5xx",
        Some(_) | None => "none",
    }
}

/// The other side chooses it, so it is kept short; labels must stay few.
fn limit_name(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.len() <= 40 && name.chars().all(is_plain) { name.to_owned() } else { "other".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::effect::{Effect, Look};
    use crate::domain::event::Event;
    use crate::domain::id::{DeploymentId, ForgeName};
    use crate::ports::store::{Lane, LaneLoad, Lease};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_248_000 + second).unwrap()
    }

    fn figures() -> Arc<Figures> {
        Arc::new(Figures::new(["gitlab".to_owned()], at(0)))
    }

    /// One that was written at second 0.
    fn job(lane: Lane, work: Work) -> LeasedJob {
        LeasedJob {
            lease: Lease { job: 1, token: "t".into() },
            lane,
            key: "k".into(),
            platform: PlatformName::new("gitlab"),
            work,
            attempts: 1,
            created_at: at(0),
            lease_until: at(60),
            last_error: None,
            cause: None,
        }
    }

    fn event() -> LeasedJob {
        job(Lane::Decide, Work::Event(Event::ReachChanged { forge: ForgeName::new("gitlab") }))
    }

    fn release() -> LeasedJob {
        let deployment = DeploymentId::from_stored("gitlab/30/4711");
        job(Lane::Gate, Work::Effect(Effect::Release { deployment }))
    }

    fn look() -> LeasedJob {
        job(Lane::Look, Work::Look(Look::Open { forge: ForgeName::new("gitlab") }))
    }

    /// What Prometheus reads, at this second.
    fn text(figures: &Figures, second: i64, backlog: Option<&Backlog>) -> String {
        figures.text(backlog, Some(true), at(second)).unwrap()
    }

    fn assert_told(text: &str, line: &str) {
        assert!(text.lines().any(|told| told == format!("countersign_{line}")), "{line}\n{text}");
    }

    #[test]
    fn a_source_is_silent_since_it_was_heard_last_or_since_the_start() {
        let figures = figures();
        assert_told(&text(&figures, 30, None), r#"hook_silence_seconds{source="gitlab"} 30.0"#);
        figures.arrived("gitlab", "unauthenticated", None);
        assert_told(&text(&figures, 31, None), r#"hook_silence_seconds{source="gitlab"} 31.0"#);
        figures.arrived("gitlab", "stored", Some(at(40)));
        let told = text(&figures, 50, None);
        assert_told(&told, r#"hook_silence_seconds{source="gitlab"} 10.0"#);
        assert_told(&told, r#"deliveries_total{source="gitlab",outcome="stored"} 1"#);
        assert_told(&text(&figures, 39, None), r#"hook_silence_seconds{source="gitlab"} 0.0"#);
    }

    #[test]
    fn only_what_was_done_is_measured_and_every_attempt_is_counted() {
        let figures = figures();
        figures.attempted(&event(), Attempt::Stopped, at(1));
        figures.attempted(&event(), Attempt::Done, at(2));
        figures.attempted(&release(), Attempt::Done, at(7));
        figures.attempted(&release(), Attempt::GivenUp, at(9));
        figures.attempted(&look(), Attempt::Done, at(3));
        let told = text(&figures, 10, None);
        assert_told(&told, r#"job_attempts_total{lane="decide",outcome="stopped"} 1"#);
        assert_told(&told, r#"job_attempts_total{lane="gate",outcome="given_up"} 1"#);
        assert_told(&told, "decision_seconds_sum 2.0");
        assert_told(&told, "decision_seconds_count 1");
        assert_told(&told, r#"delivery_seconds_sum{lane="gate"} 7.0"#);
        assert_told(&told, r#"delivery_seconds_bucket{le="10.0",lane="gate"} 1"#);
        assert!(!told.contains(r#"delivery_seconds_count{lane="look"}"#), "{told}");
    }

    #[test]
    fn calls_are_counted_and_a_limit_is_what_was_told_last() {
        let figures = figures();
        let meter = figures.meter(&PlatformName::new("gitlab"));
        let refused = r#"forge_calls_total{forge="gitlab",method="GET",status="401"}"#;
        assert_told(&text(&figures, 0, None), &format!("{refused} 0"));
        meter.called(&MeteredCall { method: "GET", status: Some(401), remaining: None });
        assert_told(&text(&figures, 0, None), &format!("{refused} 1"));
        for (status, remaining) in
            [(Some(200), Some(("core", 9))), (Some(429), Some(("core", 0))), (None, Some(("a\"b", 1)))]
        {
            meter.called(&MeteredCall { method: "GET", status, remaining });
        }
        let told = text(&figures, 1, None);
        for class in ["2xx", "4xx", "none"] {
            let line = format!(r#"forge_calls_total{{forge="gitlab",method="GET",status="{class}"}} 1"#);
            assert_told(&told, &line);
        }
        assert_told(&told, r#"forge_calls_remaining{forge="gitlab",limit="core"} 0"#);
        assert_told(&told, r#"forge_calls_remaining{forge="gitlab",limit="other"} 1"#);
    }

    #[test]
    fn what_may_come_begins_at_zero_for_each_source() {
        let figures = Arc::new(Figures::new(["gitlab".to_owned(), "slack".to_owned()], at(0)));
        figures.expect(&["stored", "not_stored"]);
        figures.arrived("slack", "not_stored", None);
        let told = text(&figures, 1, None);
        assert_told(&told, r#"deliveries_total{source="gitlab",outcome="not_stored"} 0"#);
        assert_told(&told, r#"deliveries_total{source="slack",outcome="stored"} 0"#);
        assert_told(&told, r#"deliveries_total{source="slack",outcome="not_stored"} 1"#);
    }

    #[test]
    fn a_process_without_a_worker_says_nothing_of_one() {
        let figures = figures();
        for (worker, line) in [(Some(true), Some("1")), (Some(false), Some("0")), (None, None)] {
            let told = figures.text(None, worker, at(1)).unwrap();
            let up = told.lines().find_map(|line| line.strip_prefix("countersign_worker_up{} "));
            assert_eq!(up, line, "{told}");
        }
    }

    #[test]
    fn a_backlog_that_cannot_be_read_leaves_no_old_figure() {
        let figures = figures();
        let load = LaneLoad { lane: Lane::Reply, jobs: 3, due_since: Some(at(10)) };
        let told = text(&figures, 25, Some(&Backlog { lanes: vec![load], dead: 2, unsorted: 0 }));
        assert_told(&told, r#"jobs{lane="reply"} 3"#);
        assert_told(&told, r#"oldest_due_job_age_seconds{lane="reply"} 15.0"#);
        assert_told(&told, "dead_letters{} 2");
        assert_told(&told, "store_up 1");
        let told = text(&figures, 26, None);
        assert_told(&told, "store_up 0");
        for name in
            ["countersign_jobs{", "countersign_oldest_due_job_age_seconds{", "countersign_dead_letters{"]
        {
            assert!(!told.lines().any(|line| line.starts_with(name)), "{name}\n{told}");
        }
    }
}
