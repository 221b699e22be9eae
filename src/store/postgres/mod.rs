//! PostgreSQL: any number of processes on one database, each with a few connections, behind PgBouncer in transaction
//! mode too.
//!
//! * `transaction`: how every statement runs; `dialect`: and in which words.
//! * `locks`: what keeps the processes apart; `queue`: who gets which job.
//! * `intake`: batches of deliveries; `bell`: the hint that there is work.

mod bell;
mod dialect;
mod fault;
mod intake;
mod locks;
mod open;
mod postings;
mod queue;
#[cfg(test)]
mod tests;
mod transaction;

#[expect(clippy::duplicate_mod, reason = "one text for both databases")]
#[path = "../shared/chats.rs"]
mod chats;
#[expect(clippy::duplicate_mod, reason = "one text for both databases")]
#[path = "../shared/commit.rs"]
mod commit;
#[expect(clippy::duplicate_mod, reason = "one text for both databases")]
#[path = "../shared/jobs.rs"]
mod jobs;
#[expect(clippy::duplicate_mod, reason = "one text for both databases")]
#[path = "../shared/letters.rs"]
mod letters;
#[expect(clippy::duplicate_mod, reason = "one text for both databases")]
#[path = "../shared/read.rs"]
mod read;
#[expect(clippy::duplicate_mod, reason = "one text for both databases")]
#[path = "../shared/single.rs"]
mod single;

pub use open::migrate;

use super::OpenStore;
use super::batch::Intake;
use crate::domain::deployment::{Deployment, Status};
use crate::domain::id::{CommentRef, Conversation, DeploymentId, ForgeName, PlatformName, ProjectId, UserId};
use crate::domain::ledger::Sealed;
use crate::ports::clock::Clock;
use crate::ports::store::{
    Accepted, Backlog, Commit, CommitError, Finish, KnownProject, Lane, Lease, LeasedJob, NewDelivery,
    QueueDepth, Room, Store, StoreError, StoredJob,
};
use crate::store::rows::JobRow;
use async_trait::async_trait;
use bell::Bell;
use jiff::{SignedDuration, Timestamp};
use locks::Locks;
use queue::Wanted;
use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

type Answer<T> = Result<T, StoreError>;

/// By whose clock leases end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseTime {
    /// The database's: instances on machines whose clocks differ never hold one job at once.
    Database,
    /// The caller's: where all instances go by one clock, such as one that is moved by hand.
    Caller,
}

/// The store in one PostgreSQL database.
///
/// Dropping it ends its tasks after what is queued; [`OpenStore::close`] waits for that.
pub struct PostgresStore {
    pool: PgPool,
    intake: Intake<NewDelivery>,
    bell: Bell,
    clock: Arc<dyn Clock>,
    lease_time: LeaseTime,
    stop: CancellationToken,
    /// Waits for our tasks and others'.
    all_tasks: TaskTracker,
    /// Waits for ours.
    tasks: TaskTracker,
}

impl PostgresStore {
    async fn run<T, E>(&self, work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        transaction::transaction(&self.pool, work).await
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.all_tasks.spawn(self.tasks.track_future(task));
    }

    /// What can't be read is put aside, so that it doesn't hold those behind it.
    async fn read_job(&self, lane: Lane, row: JobRow, wanted: &Wanted) -> Answer<Option<LeasedJob>> {
        let lease = Lease { job: row.id, token: row.lease_token.clone() };
        let error = match row.job(lane, wanted.until) {
            Ok(job) => return Ok(Some(job)),
            Err(error) => error,
        };
        tracing::error!(job = lease.job, %error, "a job can't be read; it is put aside");
        let finish = Some(Finish::Dead(lease, error.to_string()));
        match self.commit(Commit { finish, ..Commit::at(wanted.now) }).await {
            Err(CommitError::Store(error)) => Err(error),
            Ok(())
            | Err(
                CommitError::Conflict
                | CommitError::AlreadyTaken
                | CommitError::LeaseLost
                | CommitError::Held,
            ) => Ok(None),
        }
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[async_trait]
impl OpenStore for PostgresStore {
    async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.pool.close().await;
    }

    fn listen(&self, wake: Arc<Notify>) {
        self.spawn(self.bell.clone().hear(wake, self.stop.clone()));
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn accept(&self, delivery: NewDelivery) -> Answer<Accepted> {
        let has_work = !delivery.events.is_empty();
        let accepted = self.intake.accept(delivery).await?;
        if has_work && accepted == Accepted::Stored {
            self.bell.ring();
        }
        Ok(accepted)
    }

    async fn lease(&self, now: Timestamp, lease_for: SignedDuration, limit: u32) -> Answer<Vec<LeasedJob>> {
        let (lease_time, token) = (self.lease_time, self.clock.new_id());
        let (wanted, rows) = self
            .run(async |connection| {
                let clock = match lease_time {
                    LeaseTime::Database => queue::database_time(connection).await?,
                    LeaseTime::Caller => now,
                };
                let until = clock.saturating_add(lease_for);
                let until = until.map_err(|error| StoreError::Unavailable(error.to_string()))?;
                let wanted = Wanted { now, clock, until, limit, token };
                let rows = queue::lease(connection, &wanted).await?;
                Ok::<_, StoreError>((wanted, rows))
            })
            .await?;
        let mut jobs = Vec::with_capacity(rows.len());
        for (lane, row) in rows {
            jobs.extend(self.read_job(lane, row, &wanted).await?);
        }
        Ok(jobs)
    }

    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let has_work = !commit.jobs.is_empty();
        self.run(async |connection| {
            locks::hold(connection, &commit).await?;
            commit::write(connection, commit).await
        })
        .await?;
        if has_work {
            self.bell.ring();
        }
        Ok(())
    }

    async fn postpone(&self, lease: &Lease, run_at: Timestamp, why: &str, uncounted: bool) -> Answer<()> {
        self.run(async |connection| single::postpone(connection, lease, run_at, (why, uncounted)).await).await
    }

    async fn next_due(&self, now: Timestamp) -> Answer<Option<Timestamp>> {
        self.run(async |connection| read::next_due(connection, now).await).await
    }

    async fn backlog(&self, now: Timestamp) -> Answer<Backlog> {
        self.run(async |connection| letters::backlog(connection, now).await).await
    }

    async fn jobs(&self, only_dead: bool, after: i64, limit: u32) -> Answer<Vec<StoredJob>> {
        self.run(async |connection| letters::list(connection, only_dead, after, limit).await).await
    }

    async fn revive(&self, job: i64, now: Timestamp, comment: Option<&str>) -> Answer<bool> {
        let revived = self.run(async |connection| {
            locks::hold_turn(connection, job).await?;
            letters::revive(connection, job, now, comment).await
        });
        let revived = revived.await?;
        self.bell.ring();
        Ok(revived)
    }

    async fn discard(&self, job: i64) -> Answer<bool> {
        self.run(async |connection| letters::discard(connection, job).await).await
    }

    async fn depth(&self, now: Timestamp) -> Answer<QueueDepth> {
        self.run(async |connection| read::depth(connection, now).await).await
    }

    async fn pause(&self, platform: &PlatformName, until: Timestamp) -> Answer<()> {
        self.run(async |connection| single::pause(connection, platform, until).await).await
    }

    async fn deployment(&self, id: &DeploymentId) -> Answer<Option<Deployment>> {
        self.run(async |connection| read::deployment(connection, id).await).await
    }

    async fn deployments_in(&self, at: &Conversation, limit: u32) -> Answer<Vec<Deployment>> {
        self.run(async |connection| read::deployments_in(connection, at, limit).await).await
    }

    async fn deployments_of(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        status: Option<Status>,
        limit: u32,
    ) -> Answer<Vec<Deployment>> {
        self.run(async |connection| read::deployments_of(connection, (forge, project), status, limit).await)
            .await
    }

    async fn environments(&self, forge: &ForgeName, project: ProjectId, limit: u32) -> Answer<Vec<String>> {
        self.run(async |connection| read::environments(connection, (forge, project), limit).await).await
    }

    async fn watched(&self, forge: &ForgeName) -> Answer<Vec<DeploymentId>> {
        self.run(async |connection| read::watched(connection, forge).await).await
    }

    async fn numbered(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        number: i64,
    ) -> Answer<Option<Deployment>> {
        self.run(async |connection| read::numbered(connection, (forge, project), number).await).await
    }

    async fn of_run(&self, forge: &ForgeName, project: ProjectId, run: i64) -> Answer<Vec<DeploymentId>> {
        self.run(async |connection| read::of_run(connection, (forge, project), run).await).await
    }

    async fn give_number(&self, forge: &ForgeName, project: ProjectId, id: &DeploymentId) -> Answer<i64> {
        self.run(async |connection| {
            let mut locks = Locks::default();
            locks.numbers(forge, project);
            locks.take(connection).await?;
            single::give_number(connection, forge, project, id).await
        })
        .await
    }

    async fn is_wanted(&self, source: &ForgeName, delivery: &str) -> Answer<bool> {
        self.run(async |connection| read::is_wanted(connection, source, delivery).await).await
    }

    async fn asked_again(&self, source: &ForgeName, delivery: &str, now: Timestamp) -> Answer<()> {
        self.run(async |connection| single::asked_again(connection, source, delivery, now).await).await
    }

    async fn open(&self, forge: &ForgeName, project: ProjectId) -> Answer<Vec<(i64, DeploymentId)>> {
        self.run(async |connection| read::open(connection, forge, project).await).await
    }

    async fn newest_open(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        limit: u32,
    ) -> Answer<Vec<Deployment>> {
        self.run(async |connection| read::newest_open(connection, (forge, project), limit).await).await
    }

    async fn ahead_of(&self, forge: &ForgeName, project: ProjectId, order: i64) -> Answer<Vec<DeploymentId>> {
        self.run(async |connection| read::ahead_of(connection, (forge, project), order).await).await
    }

    async fn watched_rooms(&self, forge: &ForgeName) -> Answer<Vec<Conversation>> {
        self.run(async |connection| read::watched_rooms(connection, forge).await).await
    }

    async fn room(&self, at: &Conversation) -> Answer<Room> {
        self.run(async |connection| read::room(connection, at).await).await
    }

    async fn heard(&self, comment: &CommentRef) -> Answer<Option<(String, UserId, Timestamp)>> {
        self.run(async |connection| read::heard(connection, comment).await).await
    }

    async fn is_taken(&self, source: &str) -> Answer<bool> {
        self.run(async |connection| read::is_taken(connection, source).await).await
    }

    async fn answers_to(&self, place: &str, by: UserId, since: Timestamp) -> Answer<u32> {
        self.run(async |connection| read::answers_to(connection, place, by, since).await).await
    }

    async fn pinned(&self, forge: &ForgeName, kind: &str, name: &str) -> Answer<Option<i64>> {
        self.run(async |connection| read::pinned(connection, forge, kind, name).await).await
    }

    async fn pin(&self, forge: &ForgeName, kind: &str, name: &str, id: i64) -> Answer<i64> {
        self.run(async |connection| single::pin(connection, forge, (kind, name), id).await).await
    }

    async fn projects(&self, forge: &ForgeName) -> Answer<Vec<KnownProject>> {
        self.run(async |connection| read::projects(connection, forge).await).await
    }

    async fn save_project(&self, forge: &ForgeName, project: &KnownProject) -> Answer<()> {
        self.run(async |connection| single::save_project(connection, forge, project).await).await
    }

    async fn ledger(&self, id: &DeploymentId) -> Answer<Vec<Sealed>> {
        self.run(async |connection| read::ledger(connection, id).await).await
    }

    async fn ledger_after(
        &self,
        after: Option<(&DeploymentId, i64)>,
        limit: u32,
    ) -> Answer<Vec<(DeploymentId, Sealed)>> {
        self.run(async |connection| read::ledger_after(connection, after, limit).await).await
    }

    async fn ledger_ids(&self, after: Option<&DeploymentId>, limit: u32) -> Answer<Vec<DeploymentId>> {
        self.run(async |connection| read::ledger_ids(connection, after, limit).await).await
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Answer<u64> {
        let mut forgotten = 0;
        for statement in single::FORGET {
            loop {
                let chunk =
                    self.run(async |connection| single::forget(connection, statement, before).await).await?;
                forgotten += chunk;
                if chunk == 0 {
                    break;
                }
            }
        }
        Ok(forgotten)
    }

    async fn ready(&self) -> Answer<()> {
        self.run(async |connection| single::probe(connection).await).await
    }
}
