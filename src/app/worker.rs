//! The worker: leases jobs and hands each to its use case. What follows from a failure: `retry`.

use super::figures::Attempt;
use super::letters::{kind, lane_name};
use super::{App, Stopped};
use crate::app::open::Told;
use crate::domain::effect::Effect;
use crate::domain::event::Event;
use crate::ports::failure::Failure;
use crate::ports::store::{Lease, LeasedJob, Work};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

/// How long a job is ours. A crashed worker's jobs are taken up by another after this.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// A job's total deadline: half its lease.
const DEADLINE: Duration = Duration::from_secs(30);
/// No write begins when less than this is left of the deadline: a forge call may take as long.
const WRITE_MARGIN: Duration = Duration::from_secs(10);
/// How many jobs run at once.
const CONCURRENT: u32 = 16;
/// The idle worker looks at the queue at least this often, whatever it was told…
const IDLE: Duration = Duration::from_secs(5);
/// …and at most this often for what came from outside: a flood of deliveries costs few looks.
const BREATH: Duration = Duration::from_millis(5);

/// A job in hand, with the time it has left.
#[derive(Debug)]
pub struct Task {
    job: LeasedJob,
    deadline: Instant,
}

impl Task {
    fn new(job: LeasedJob) -> Self {
        Self { job, deadline: Instant::now() + DEADLINE }
    }

    pub(super) fn job(&self) -> &LeasedJob {
        &self.job
    }

    /// The lease that a commit must show.
    pub fn lease(&self) -> &Lease {
        &self.job.lease
    }

    /// When it was written: for a delivery, when that was taken.
    pub fn created_at(&self) -> Timestamp {
        self.job.created_at
    }

    /// Nothing of it can have been done before.
    pub fn is_first_attempt(&self) -> bool {
        self.job.attempts <= 1
    }

    /// To be called right before each write to the world: is enough of the lease left?
    pub fn guard(&self) -> Result<(), Stopped> {
        if Instant::now() + WRITE_MARGIN > self.deadline { Err(Stopped::OutOfTime) } else { Ok(()) }
    }
}

/// Runs jobs.
#[derive(Clone)]
pub struct Worker {
    app: App,
    wake: Arc<Notify>,
    /// Told when a job has ended, and what it wrote is there.
    ended: Arc<Notify>,
}

impl Worker {
    /// A worker over these use cases; `wake` is told of what comes from outside.
    pub fn new(app: App, wake: Arc<Notify>) -> Self {
        Self { app, wake, ended: Arc::default() }
    }

    /// Works until told to stop; then finishes what runs.
    pub async fn run(&self, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        let places = Arc::new(Semaphore::new(CONCURRENT as usize));
        while !stop.is_cancelled() {
            let (looked, now) = (Instant::now(), self.app.clock.now());
            let free = u32::try_from(places.available_permits()).unwrap_or(CONCURRENT);
            let leased = if free == 0 { Vec::new() } else { self.lease(now, free).await };
            let idle = leased.is_empty();
            for job in leased {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                let worker = self.clone();
                tracker.spawn(async move {
                    worker.work(job).await;
                    drop(place);
                    worker.ended.notify_one();
                });
            }
            if idle {
                self.rest(looked, now, &stop).await;
            }
        }
        tracker.close();
        tracker.wait().await;
    }

    /// Runs everything that is due now, and what becomes due by it; returns how many jobs ran. For
    /// whoever moves the clock by hand.
    pub async fn run_until_idle(&self) -> usize {
        let mut ran = 0;
        loop {
            let leased = self.lease(self.app.clock.now(), CONCURRENT).await;
            if leased.is_empty() {
                return ran;
            }
            ran += leased.len();
            let tracker = TaskTracker::new();
            for job in leased {
                let worker = self.clone();
                tracker.spawn(async move { worker.work(job).await });
            }
            tracker.close();
            tracker.wait().await;
        }
    }

    async fn lease(&self, now: Timestamp, limit: u32) -> Vec<LeasedJob> {
        match self.app.store.lease(now, LEASE, limit).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::error!(%error, "leasing jobs");
                Vec::new()
            }
        }
    }

    /// After a look at this time that found nothing: until woken, or until the next job is due.
    async fn rest(&self, looked: Instant, now: Timestamp, stop: &CancellationToken) {
        let until = match self.app.store.next_due(now).await {
            Ok(Some(due)) => Duration::try_from(due.duration_since(now)).unwrap_or_default().min(IDLE),
            Ok(None) | Err(_) => IDLE,
        };
        tokio::select! {
            () = self.ended.notified() => {}
            () = self.woken(looked + BREATH) => {}
            () = stop.cancelled() => {}
            () = tokio::time::sleep(until.max(Duration::from_millis(10))) => {}
        }
    }

    async fn woken(&self, soonest: Instant) {
        self.wake.notified().await;
        tokio::time::sleep_until(soonest).await;
    }

    /// Everything that is logged meanwhile tells the job, and the delivery that it follows from.
    async fn work(&self, job: LeasedJob) {
        let span = tracing::info_span!(
            "job",
            delivery = job.cause.as_deref(),
            job = job.lease.job,
            lane = lane_name(job.lane),
            kind = kind(&job.work)
        );
        self.work_on(Task::new(job)).instrument(span).await;
    }

    async fn work_on(&self, task: Task) {
        let outcome = match tokio::time::timeout_at(task.deadline, self.attempt(&task)).await {
            Ok(Err(Stopped::Forge(Failure::NotFound))) if only_looks(&task.job.work) => {
                self.app.done(&task).await
            }
            Ok(outcome) => outcome,
            Err(_) => Err(Stopped::OutOfTime),
        };
        let job = &task.job;
        let attempt = match outcome {
            Ok(()) => {
                tracing::debug!(key = job.key, "job done");
                Attempt::Done
            }
            Err(stopped) => {
                tell(job, &stopped);
                self.app.after(&task, stopped).await.unwrap_or_else(|error| {
                    tracing::error!(%error, "giving a job back; its lease will run out");
                    Attempt::Stopped
                })
            }
        };
        self.app.figures.attempted(job, attempt, self.app.clock.now());
    }

    async fn attempt(&self, task: &Task) -> Result<(), Stopped> {
        let app = &self.app.caused_by(task.job.cause.as_deref());
        match &task.job.work {
            Work::Event(Event::Commented { comment, heard, .. }) => app.react(task, comment, heard).await,
            Work::Event(Event::DeploymentChanged { forge, project, native, blocked_at }) => {
                let told = Told { blocked_at: *blocked_at, ..Told::default() };
                app.changed(app.desk(forge)?, *project, native, &told).await?;
                app.done(task).await
            }
            Work::Event(Event::RunChanged { forge, project, run, waits, asked }) => {
                app.run_changed(app.desk(forge)?, *project, *run, (*waits, asked.as_ref())).await?;
                app.done(task).await
            }
            Work::Event(Event::ReachChanged { forge }) => {
                app.desk(forge)?.forge.reach_changed();
                app.done(task).await
            }
            Work::Event(Event::Pressed(press)) => app.press(task, press).await,
            Work::Event(Event::Chatted(chatted)) => app.chatted(task, chatted).await,
            Work::Event(Event::SomethingWaits { forge, project }) => {
                let desk = app.desk(forge)?;
                let project = app.project_of(desk, *project).await?;
                app.look_at_project(desk, &project).await?;
                app.done(task).await
            }
            Work::Event(Event::MergeRequestApproved { conversation, by }) => {
                app.hint(task, conversation, *by).await
            }
            Work::Effect(Effect::Release { deployment }) => app.release(task, deployment).await,
            Work::Effect(Effect::Reject { deployment }) => app.reject(task, deployment).await,
            Work::Effect(Effect::CastVote(ballot)) => app.cast_vote(task, ballot).await,
            Work::Effect(Effect::SyncCard { conversation }) => app.sync_card(task, conversation).await,
            Work::Effect(Effect::SyncButtons { deployment }) => app.sync_buttons(task, deployment).await,
            Work::Effect(Effect::Report { deployment }) => app.report(task, deployment).await,
            Work::Effect(Effect::SyncNotice { channel, subject }) => {
                app.sync_notice(task, channel, subject).await
            }
            Work::Effect(Effect::Whisper { to, text, choices }) => {
                app.whisper(task, to, (text, choices)).await
            }
            Work::Effect(Effect::Reply { to, whom, marker, text }) => {
                app.reply(task, (to, whom), marker, text).await
            }
            Work::Effect(Effect::Say { at, marker, text }) => app.say(task, at, marker, text).await,
            Work::Effect(Effect::React { to }) => app.seen(task, to).await,
            Work::Look(look) => app.look_again(task, look).await,
        }
    }
}

/// A token that isn't accepted needs somebody who makes a new one: no waiting heals it.
fn tell(job: &LeasedJob, stopped: &Stopped) {
    let (key, attempts) = (&job.key, job.attempts);
    if let Stopped::Forge(Failure::Unauthorized(_)) = stopped {
        tracing::error!(platform = %job.platform, key, attempts, error = %stopped, "job stopped");
    } else {
        tracing::info!(key, attempts, error = %stopped, "job stopped");
    }
}

/// An event only says where to look: if its project, conversation or comment is gone, there is nothing to do.
fn only_looks(work: &Work) -> bool {
    match work {
        Work::Event(_) => true,
        Work::Effect(_) | Work::Look(_) => false,
    }
}
