//! SQLite: one file in WAL mode with `synchronous=FULL`, one connection that writes, a few that read.

mod commit;
mod fault;
mod intake;
mod jobs;
mod letters;
mod open;
mod read;
#[cfg(test)]
mod tests;
mod writer;

pub use open::{Access, OpenError, Surroundings, migrate};

use crate::domain::deployment::{Deployment, Status};
use crate::domain::id::{CommentRef, Conversation, DeploymentId, ForgeName, ProjectId, UserId};
use crate::domain::ledger::Sealed;
use crate::ports::clock::Clock;
use crate::ports::store::{
    Accepted, Backlog, Commit, CommitError, KnownProject, Lease, LeasedJob, NewDelivery, QueueDepth, Room,
    Store, StoreError, StoredJob,
};
use crate::store::rows::millis;
use crate::store::sql;
use async_trait::async_trait;
use fault::fault;
use jiff::{SignedDuration, Timestamp};
use jobs::Wanted;
use sqlx::SqlitePool;
use std::sync::Arc;
use writer::Writer;

/// Rows that one transaction of [`Store::forget_deliveries`] removes.
const FORGET_AT_ONCE: i64 = 500;

type Answer<T> = Result<T, StoreError>;

/// The store in one SQLite file.
///
/// Dropping it ends the writer after what is queued; [`SqliteStore::close`] does so at once and waits.
pub struct SqliteStore {
    reads: SqlitePool,
    writer: Writer,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Takes no further writes, writes what is queued, closes all connections and lets go of the lock.
    /// Afterwards every call answers [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.writer.close().await;
        self.reads.close().await;
    }

    async fn forget(&self, statement: &'static str, before: Timestamp) -> Answer<u64> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let query = sqlx::query(statement).bind(millis(before)).bind(FORGET_AT_ONCE);
                    Ok(query.execute(connection).await.map_err(fault)?.rows_affected())
                })
            })
            .await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(&self, delivery: NewDelivery) -> Answer<Accepted> {
        self.writer.accept(delivery).await
    }

    async fn lease(&self, now: Timestamp, lease_for: SignedDuration, limit: u32) -> Answer<Vec<LeasedJob>> {
        let until =
            now.saturating_add(lease_for).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let wanted = Wanted { now, until, limit, token: self.clock.new_id() };
        self.writer
            .write(move |connection| Box::pin(async move { jobs::lease(connection, &wanted).await }))
            .await
    }

    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        self.writer.write(move |connection| Box::pin(commit::write(connection, commit))).await
    }

    async fn postpone(&self, lease: &Lease, run_at: Timestamp, why: &str, uncounted: bool) -> Answer<()> {
        let (lease, why) = (lease.clone(), why.to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let query = sqlx::query(sql::job::POSTPONE).bind(lease.job).bind(lease.token);
                    let query = query.bind(millis(run_at)).bind(why).bind(i64::from(uncounted));
                    query.execute(connection).await.map_err(fault)?;
                    Ok(())
                })
            })
            .await
    }

    async fn next_due(&self, now: Timestamp) -> Answer<Option<Timestamp>> {
        read::next_due(&self.reads, now).await
    }

    async fn backlog(&self, now: Timestamp) -> Answer<Backlog> {
        letters::backlog(&mut *self.reads.acquire().await.map_err(fault)?, now).await
    }

    async fn jobs(&self, only_dead: bool, after: i64, limit: u32) -> Answer<Vec<StoredJob>> {
        letters::list(&mut *self.reads.acquire().await.map_err(fault)?, only_dead, after, limit).await
    }

    async fn revive(&self, job: i64, now: Timestamp, comment: Option<&str>) -> Answer<bool> {
        let comment = comment.map(str::to_owned);
        self.writer
            .write(move |connection| {
                Box::pin(async move { letters::revive(connection, job, now, comment).await })
            })
            .await
    }

    async fn discard(&self, job: i64) -> Answer<bool> {
        self.writer
            .write(move |connection| Box::pin(async move { letters::discard(connection, job).await }))
            .await
    }

    async fn depth(&self, now: Timestamp) -> Answer<QueueDepth> {
        read::depth(&self.reads, now).await
    }

    async fn pause(&self, forge: &ForgeName, until: Timestamp) -> Answer<()> {
        let forge = forge.as_str().to_owned();
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let query = sqlx::query(sql::job::PAUSE).bind(forge).bind(millis(until));
                    query.execute(connection).await.map_err(fault)?;
                    Ok(())
                })
            })
            .await
    }

    async fn deployment(&self, id: &DeploymentId) -> Answer<Option<Deployment>> {
        read::deployment(&self.reads, id).await
    }

    async fn deployments_in(&self, at: &Conversation, limit: u32) -> Answer<Vec<Deployment>> {
        read::deployments_in(&self.reads, at, limit).await
    }

    async fn deployments_of(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        status: Option<Status>,
        limit: u32,
    ) -> Answer<Vec<Deployment>> {
        read::deployments_of(&self.reads, (forge, project), status, limit).await
    }

    async fn watched(&self, forge: &ForgeName) -> Answer<Vec<DeploymentId>> {
        read::watched(&self.reads, forge).await
    }

    async fn open(&self, forge: &ForgeName, project: ProjectId) -> Answer<Vec<(i64, DeploymentId)>> {
        read::open(&self.reads, forge, project).await
    }

    async fn numbered(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        number: i64,
    ) -> Answer<Option<Deployment>> {
        read::numbered(&self.reads, (forge, project), number).await
    }

    async fn of_run(&self, forge: &ForgeName, project: ProjectId, run: i64) -> Answer<Vec<DeploymentId>> {
        read::of_run(&self.reads, (forge, project), run).await
    }

    async fn give_number(&self, forge: &ForgeName, project: ProjectId, id: &DeploymentId) -> Answer<i64> {
        let (forge, id) = (forge.as_str().to_owned(), id.as_str().to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let give = sqlx::query(sql::number::GIVE).bind(&id).bind(&forge).bind(project.0);
                    give.execute(&mut *connection).await.map_err(fault)?;
                    let read = sqlx::query_scalar(sql::number::ONE).bind(&id);
                    read.fetch_one(connection).await.map_err(fault)
                })
            })
            .await
    }

    async fn is_wanted(&self, source: &ForgeName, delivery: &str) -> Answer<bool> {
        read::is_wanted(&self.reads, source, delivery).await
    }

    async fn asked_again(&self, source: &ForgeName, delivery: &str, now: Timestamp) -> Answer<()> {
        let (source, delivery) = (source.as_str().to_owned(), delivery.to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let ask = sqlx::query(sql::delivery::ASKED_AGAIN).bind(&source).bind(&delivery);
                    ask.bind(millis(now)).execute(connection).await.map_err(fault)?;
                    Ok(())
                })
            })
            .await
    }

    async fn watched_rooms(&self, forge: &ForgeName) -> Answer<Vec<Conversation>> {
        read::watched_rooms(&self.reads, forge).await
    }

    async fn room(&self, at: &Conversation) -> Answer<Room> {
        read::room(&self.reads, at).await
    }

    async fn heard(&self, comment: &CommentRef) -> Answer<Option<(String, UserId, Timestamp)>> {
        read::heard(&self.reads, comment).await
    }

    async fn is_taken(&self, source: &str) -> Answer<bool> {
        read::is_taken(&self.reads, source).await
    }

    async fn answers_to(&self, at: &Conversation, by: UserId, since: Timestamp) -> Answer<u32> {
        read::answers_to(&self.reads, at, by, since).await
    }

    async fn pinned(&self, forge: &ForgeName, kind: &str, name: &str) -> Answer<Option<i64>> {
        read::pinned(&self.reads, forge, kind, name).await
    }

    async fn pin(&self, forge: &ForgeName, kind: &str, name: &str, id: i64) -> Answer<i64> {
        let (forge, kind, name) = (forge.as_str().to_owned(), kind.to_owned(), name.to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let insert = sqlx::query(sql::pin::INSERT).bind(&forge).bind(&kind).bind(&name).bind(id);
                    insert.execute(&mut *connection).await.map_err(fault)?;
                    let read = sqlx::query_scalar(sql::pin::ONE).bind(&forge).bind(&kind).bind(&name);
                    read.fetch_one(connection).await.map_err(fault)
                })
            })
            .await
    }

    async fn projects(&self, forge: &ForgeName) -> Answer<Vec<KnownProject>> {
        read::projects(&self.reads, forge).await
    }

    async fn save_project(&self, forge: &ForgeName, project: &KnownProject) -> Answer<()> {
        let (forge, project) = (forge.as_str().to_owned(), project.clone());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let query = sqlx::query(sql::project::SAVE).bind(forge).bind(project.id.0);
                    let query = query.bind(project.path).bind(project.active_at.map(millis));
                    let query = query.bind(project.looked_at.map(millis));
                    query.execute(connection).await.map_err(fault)?;
                    Ok(())
                })
            })
            .await
    }

    async fn ledger(&self, id: &DeploymentId) -> Answer<Vec<Sealed>> {
        read::ledger(&self.reads, id).await
    }

    async fn ledger_ids(&self, after: Option<&DeploymentId>, limit: u32) -> Answer<Vec<DeploymentId>> {
        read::ledger_ids(&self.reads, after, limit).await
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Answer<u64> {
        let mut forgotten = 0;
        for statement in [sql::delivery::FORGET, sql::delivery::FORGET_HEARD, sql::delivery::FORGET_ASKED] {
            // Each chunk queues anew, so that whoever waits comes between two of them.
            loop {
                let chunk = self.forget(statement, before).await?;
                forgotten += chunk;
                if chunk == 0 {
                    break;
                }
            }
        }
        Ok(forgotten)
    }

    async fn ready(&self) -> Answer<()> {
        self.writer
            .write(|connection| {
                Box::pin(async move {
                    sqlx::query(sql::PROBE).execute(connection).await.map_err(fault)?;
                    Ok(())
                })
            })
            .await
    }
}
