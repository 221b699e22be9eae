//! The worker: leases jobs, hands each to its use case, and decides what follows from a failure.

use super::figures::Attempt;
use super::letters::{kind, lane_name};
use super::{App, Stopped};
use crate::app::open::Told;
use crate::domain::actor::Account;
use crate::domain::chat::{Act, Aside};
use crate::domain::effect::{Ballot, Effect};
use crate::domain::event::{Event, Heard};
use crate::domain::id::{CommentRef, ForgeName, UserId};
use crate::domain::ledger::Source;
use crate::domain::wording::answer;
use crate::ports::failure::Failure;
use crate::ports::store::{Commit, CommitError, Finish, Lease, LeasedJob, StoreError, TakenCommand, Work};
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
/// After an unknown outcome the next attempt waits at least this long, so that the forge shows it.
const UNKNOWN: SignedDuration = SignedDuration::from_secs(10);
/// A commit that had to wait for another job is tried again after this.
const SOON: SignedDuration = SignedDuration::from_secs(1);
/// The longest pause between two attempts.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);
/// Jobs other than releases and rejections are given up after so many attempts…
const MOST_ATTEMPTS: u32 = 300;
/// …or so long.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);
/// Attempts at a delivery whose facts can't be read or whose work takes too long: an hour and a half.
const MOST_UNREADABLE: u32 = 25;
/// How long somebody in a chat waits for an answer, if the forge can't be asked…
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);
/// …in so many attempts.
const MOST_PATIENT: u32 = 4;
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
                self.after(&task, stopped).await.unwrap_or_else(|error| {
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

    /// What follows from a failed attempt.
    async fn after(&self, task: &Task, stopped: Stopped) -> Result<Attempt, StoreError> {
        let now = self.app.clock.now();
        let job = &task.job;
        let why = stopped.to_string();
        match stopped {
            Stopped::Commit(CommitError::LeaseLost) => Ok(Attempt::Stopped),
            Stopped::Commit(CommitError::Held | CommitError::Conflict | CommitError::AlreadyTaken) => {
                self.later(job, now + growing(now, job), &why, true).await
            }
            // Its own turn comes later; what is more urgent goes on.
            Stopped::Forge(Failure::HeldBack { wait }) => {
                let wait = SignedDuration::try_from(wait).unwrap_or(LONGEST).clamp(SOON, LONGEST);
                self.later(job, now + wait, &why, true).await
            }
            // Somebody waits for it who can try again; and it is the forge that limits us, not the chat.
            Stopped::Forge(failure) if is_overdue(now, job) && failure.is_transient() => {
                self.bury(job, now, &why).await
            }
            Stopped::Forge(Failure::Unavailable { retry_after: Some(wait), .. })
                if matches!(job.work, Work::Event(Event::Chatted(_))) =>
            {
                let wait = SignedDuration::try_from(wait).unwrap_or(LONGEST);
                let wait = wait.clamp(SOON, SignedDuration::from_hours(1));
                if let Some(forge) = forge_of_press(&job.work) {
                    self.app.store.pause(&(&forge).into(), now + wait).await?;
                }
                if wait > PATIENCE {
                    return self.bury(job, now, &why).await;
                }
                self.later(job, now + wait, &why, false).await
            }
            Stopped::Forge(Failure::Unavailable { retry_after: Some(wait), .. }) => {
                // A time that is over already (a clock ahead of the forge's) is no leave to call at once.
                let wait = SignedDuration::try_from(wait).unwrap_or(LONGEST);
                let until = now + wait.clamp(SOON, SignedDuration::from_hours(1));
                self.app.store.pause(&job.platform, until).await?;
                self.later(job, until, &why, true).await
            }
            Stopped::Forge(Failure::Unreadable(_)) | Stopped::OutOfTime if is_poisoned(job) => {
                self.bury(job, now, &why).await
            }
            Stopped::Forge(Failure::UnknownOutcome { .. }) | Stopped::OutOfTime => {
                self.retry(job, now, &why, UNKNOWN).await
            }
            Stopped::Forge(ref failure) if !failure.is_transient() => self.hopeless(job, now, &why).await,
            Stopped::Forge(_)
            | Stopped::NoSuchForge(_)
            | Stopped::Store(_)
            | Stopped::Commit(CommitError::Store(_)) => {
                self.retry(job, now, &why, SignedDuration::ZERO).await
            }
        }
    }

    /// Gives a job back; `uncounted` as in [`postpone`].
    ///
    /// [`postpone`]: crate::ports::store::Store::postpone
    async fn later(
        &self,
        job: &LeasedJob,
        run_at: Timestamp,
        why: &str,
        uncounted: bool,
    ) -> Result<Attempt, StoreError> {
        self.app.store.postpone(&job.lease, run_at, why, uncounted).await?;
        Ok(Attempt::Stopped)
    }

    async fn retry(
        &self,
        job: &LeasedJob,
        now: Timestamp,
        why: &str,
        at_least: SignedDuration,
    ) -> Result<Attempt, StoreError> {
        let old = job.created_at + GIVE_UP < now && job.attempts > 10;
        if (old || job.attempts >= MOST_ATTEMPTS) && may_die(&job.work) {
            return self.bury(job, now, why).await;
        }
        let wait = backoff(job.attempts).max(at_least);
        self.later(job, now + wait, why, false).await
    }

    /// The forge said no where no use case expected it: trying again won't help, except at the gate,
    /// where jobs never die while the deployment is open.
    async fn hopeless(&self, job: &LeasedJob, now: Timestamp, why: &str) -> Result<Attempt, StoreError> {
        if may_die(&job.work) {
            self.bury(job, now, why).await
        } else {
            self.later(job, now + LONGEST, why, false).await
        }
    }

    /// A dead letter stays visible; a dead command is answered.
    async fn bury(&self, job: &LeasedJob, now: Timestamp, why: &str) -> Result<Attempt, StoreError> {
        tracing::error!(key = job.key, why, "a job was given up");
        let mut commit = Commit::at(now);
        // What was done in a chat is answered, and is not to be done once more long after.
        commit.finish = Some(match &job.work {
            Work::Event(Event::Chatted(_)) => Finish::Done(job.lease.clone()),
            Work::Event(_) | Work::Effect(_) | Work::Look(_) => {
                Finish::Dead(job.lease.clone(), why.to_owned())
            }
        });
        if let Work::Event(Event::Chatted(chatted)) = &job.work
            && let Ok(Some(posting)) = self.app.left_stale(chatted).await
        {
            commit.jobs.extend(self.app.renewing(&posting).ok().flatten());
        }
        if let Some(to) = unanswered_aside(&job.work) {
            let whisper = Effect::Whisper { to, text: answer::gave_up(), choices: Vec::new() };
            commit.jobs.extend(self.app.effect(whisper, now).ok());
        }
        if let Some((to, whom)) = unanswered(&job.work) {
            let reply = Effect::Reply { to, whom, marker: "gave-up".to_owned(), text: answer::gave_up() };
            commit.jobs.extend(self.app.caused_by(job.cause.as_deref()).effect(reply, now).ok());
        }
        // Polling finds the comment again: it was answered, once.
        commit.commands.extend(given_up(&job.work));
        match self.app.store.commit(commit).await {
            Ok(()) => Ok(Attempt::GivenUp),
            Err(CommitError::Store(error)) => Err(error),
            Err(
                CommitError::Conflict
                | CommitError::AlreadyTaken
                | CommitError::LeaseLost
                | CommitError::Held,
            ) => Ok(Attempt::Stopped),
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

/// A delivery holds all later ones of its conversation, and their releases. One that fails over and over by
/// what it asks for (an answer that can't be read, too much work) is answered and put aside.
fn is_poisoned(job: &LeasedJob) -> bool {
    matches!(job.work, Work::Event(_)) && job.attempts >= MOST_UNREADABLE
}

/// The comment that a job given up leaves without an answer, and who wrote it, if that was ever read.
fn unanswered(work: &Work) -> Option<(CommentRef, Account)> {
    match work {
        Work::Event(Event::Commented { comment, heard, .. }) => {
            let id = match heard {
                Heard::Hook { author, .. } => *author,
                Heard::Poll => UserId(0),
            };
            Some((comment.clone(), Account { id, username: String::new(), bot: false }))
        }
        Work::Effect(Effect::CastVote(Ballot { source: Source::Comment { comment, .. }, voter, .. })) => {
            Some((comment.clone(), voter.clone()))
        }
        Work::Event(_) | Work::Effect(_) | Work::Look(_) => None,
    }
}

/// The forge of the deployments that a button stands for.
fn forge_of_press(work: &Work) -> Option<ForgeName> {
    let Work::Event(Event::Chatted(chatted)) = work else { return None };
    match &chatted.act {
        Act::Pressed { offer, .. } => Some(offer.subject.forge()),
        Act::Typed { .. } | Act::Unopened { .. } => None,
    }
}

/// What was done in a chat holds what is done there after it, and the releases of what is told there. Nobody expects
/// it to be carried out long after.
fn is_overdue(now: Timestamp, job: &LeasedJob) -> bool {
    matches!(job.work, Work::Event(Event::Chatted(_)))
        && job.attempts >= MOST_PATIENT
        && job.created_at + PATIENCE < now
}

/// Where somebody in a chat waits for the answer of a job that is given up.
fn unanswered_aside(work: &Work) -> Option<Aside> {
    match work {
        Work::Event(Event::Chatted(chatted)) => Some(chatted.aside.clone()),
        Work::Effect(Effect::CastVote(Ballot { aside, .. })) => aside.as_deref().cloned(),
        Work::Event(_) | Work::Effect(_) | Work::Look(_) => None,
    }
}

/// The comment of a job that is given up. Whose it is may never have been read: then it is nobody's.
fn given_up(work: &Work) -> Option<TakenCommand> {
    let Work::Event(Event::Commented { comment, at, heard }) = work else { return None };
    let by = match heard {
        Heard::Hook { author, .. } => *author,
        Heard::Poll => UserId(0),
    };
    Some(TakenCommand {
        source: comment.key(),
        place: comment.conversation.key(),
        line: TakenCommand::WHOLE,
        by,
        at: *at,
        outcome: TakenCommand::GIVEN_UP.to_owned(),
        named: true,
    })
}

/// Longer the longer it has waited already: whoever waits for others doesn't ask the forge every second.
fn growing(now: Timestamp, job: &LeasedJob) -> SignedDuration {
    (now.duration_since(job.created_at) / 8).clamp(SOON, SignedDuration::from_mins(1))
}

/// Releases, rejections and periodic looks never die.
fn may_die(work: &Work) -> bool {
    use crate::domain::effect::Look;
    match work {
        Work::Effect(Effect::Release { .. } | Effect::Reject { .. })
        | Work::Look(Look::Open { .. } | Look::Sweep { .. } | Look::Missed { .. }) => false,
        Work::Effect(
            Effect::CastVote(_)
            | Effect::SyncCard { .. }
            | Effect::SyncButtons { .. }
            | Effect::Report { .. }
            | Effect::SyncNotice { .. }
            | Effect::Whisper { .. }
            | Effect::Reply { .. }
            | Effect::Say { .. }
            | Effect::React { .. },
        )
        | Work::Event(_)
        | Work::Look(
            Look::Run { .. } | Look::Project { .. } | Look::Deployment { .. } | Look::Comments { .. },
        ) => true,
    }
}

/// 2, 4, 8 … seconds, at most [`LONGEST`].
fn backoff(attempts: u32) -> SignedDuration {
    SignedDuration::from_secs(1_i64.checked_shl(attempts.min(30)).unwrap_or(i64::MAX)).min(LONGEST)
}
