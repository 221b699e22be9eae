//! SQLite: one file in WAL mode with `synchronous=FULL`, one connection that writes, a few that read.

mod dialect;
mod fault;
mod inbox;
mod intake;
mod lines;
mod open;
mod post;
mod postings;
mod queue;
mod sorting;
#[cfg(test)]
mod tests;
mod writer;

#[path = "../shared/chats.rs"]
mod chats;
#[path = "../shared/commit.rs"]
mod commit;
#[path = "../shared/jobs.rs"]
mod jobs;
#[path = "../shared/letters.rs"]
mod letters;
#[path = "../shared/read.rs"]
mod read;
#[path = "../shared/single.rs"]
mod single;

pub use crate::store::open::{Access, OpenError, Surroundings};
pub use open::migrate;

use crate::domain::deployment::{Deployment, Status};
use crate::domain::id::{CommentRef, Conversation, DeploymentId, ForgeName, PlatformName, ProjectId, UserId};
use crate::domain::ledger::Sealed;
use crate::ports::clock::Clock;
use crate::ports::store::{
    Accepted, Backlog, Commit, CommitError, KnownProject, Lane, Lease, LeasedJob, NewDelivery, QueueDepth,
    Room, Store, StoreError, StoredJob,
};
use crate::store::OpenStore;
use async_trait::async_trait;
use fault::fault;
use inbox::Inbox;
use jiff::{SignedDuration, Timestamp};
use queue::{Look, Missed, Wanted};
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;
use writer::Writer;

type Answer<T> = Result<T, StoreError>;

/// The store in one SQLite file.
///
/// Dropping it ends the writer after what is queued; [`SqliteStore::close`] does so at once and waits.
pub struct SqliteStore {
    reads: SqlitePool,
    writer: Writer,
    inbox: Arc<Inbox>,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Takes no further writes, writes what is queued, closes all connections and lets go of the lock.
    /// Afterwards every call answers [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.writer.close().await;
        self.reads.close().await;
    }

    /// Leases; also says whether the inbox has more than was sorted for it.
    async fn look(&self, wanted: Wanted) -> Answer<(Vec<LeasedJob>, bool)> {
        let (inbox, known, again) = (Arc::clone(&self.inbox), Arc::clone(&self.inbox), wanted.clone());
        let strike_out = move |look: Look| {
            known.strike_out(&look.sorted);
            (look.jobs, look.is_more)
        };
        let look = self.writer.write_then(
            move |connection| Box::pin(async move { queue::lease(connection, &wanted, &inbox).await }),
            strike_out,
        );
        match look.await {
            Ok(found) => Ok(found),
            Err(Missed::Leasing(error)) => Err(error),
            Err(Missed::Sorting(error)) => {
                tracing::error!(%error, "what was delivered can't be sorted now; everything else goes on");
                let others = self.writer.write(move |connection| {
                    Box::pin(async move { queue::lease_others(connection, &again).await })
                });
                Ok((others.await?, false))
            }
        }
    }

    /// Sorts these deliveries of the inbox.
    async fn sort(&self, rows: Vec<i64>) -> Answer<()> {
        let inbox = Arc::clone(&self.inbox);
        self.writer
            .write_then(
                |connection| Box::pin(sorting::sort(connection, rows.into_iter().collect())),
                move |sorted| inbox.strike_out(&sorted),
            )
            .await
    }

    /// Sorts what came before this time.
    async fn sort_until(&self, before: Timestamp) -> Answer<()> {
        while sorting::oldest_at(&mut *self.reader().await?).await?.is_some_and(|oldest| oldest < before) {
            let rows = self.inbox.oldest(&HashSet::new(), (0, sorting::AT_ONCE));
            if rows.is_empty() {
                break;
            }
            self.sort(rows).await?;
        }
        Ok(())
    }

    async fn reader(&self) -> Answer<PoolConnection<Sqlite>> {
        self.reads.acquire().await.map_err(fault)
    }
}

fn no_time(why: &jiff::Error) -> StoreError {
    StoreError::Unavailable(why.to_string())
}

#[async_trait]
impl OpenStore for SqliteStore {
    async fn close(&self) {
        SqliteStore::close(self).await;
    }

    /// No other process writes.
    fn listen(&self, _wake: Arc<Notify>) {}
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(&self, delivery: NewDelivery) -> Answer<Accepted> {
        let sealed = self.inbox.seal(&delivery)?;
        // What it was made of isn't kept while its turn comes.
        drop(delivery);
        self.writer.accept(sealed).await
    }

    async fn lease(&self, now: Timestamp, lease_for: SignedDuration, limit: u32) -> Answer<Vec<LeasedJob>> {
        let (began, mut time) = (Instant::now(), now);
        loop {
            if limit == 0 || !queue::is_due(&mut *self.reader().await?, time, &self.inbox).await? {
                return Ok(Vec::new());
            }
            let until = time.saturating_add(lease_for).map_err(|why| no_time(&why))?;
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let wanted = Wanted { now: time, until, limit, token: self.clock.new_id() };
            let (jobs, is_more) = self.look(wanted).await?;
            if !jobs.is_empty() || !is_more {
                return Ok(jobs);
            }
            // A lease is given from when it is given.
            time = now.saturating_add(began.elapsed()).map_err(|why| no_time(&why))?;
        }
    }

    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let inbox = Arc::clone(&self.inbox);
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let is_held = commit.unless_waiting.iter().any(|key| inbox.lies_for(key));
                    commit::write(connection, commit).await?;
                    if is_held { Err(CommitError::Held) } else { Ok(()) }
                })
            })
            .await
    }

    async fn postpone(&self, lease: &Lease, run_at: Timestamp, why: &str, uncounted: bool) -> Answer<()> {
        let (lease, why) = (lease.clone(), why.to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(async move { single::postpone(connection, &lease, run_at, (&why, uncounted)).await })
            })
            .await
    }

    async fn next_due(&self, now: Timestamp) -> Answer<Option<Timestamp>> {
        read::next_due(&mut *self.reader().await?, now).await
    }

    async fn backlog(&self, now: Timestamp) -> Answer<Backlog> {
        let mut reader = self.reader().await?;
        // First, so that what is sorted meanwhile is counted twice and not overlooked.
        let (unsorted, jobs) = sorting::count(&mut reader, Backlog::COUNTED.cast_signed()).await?;
        let oldest = sorting::oldest_at(&mut reader).await?;
        let mut backlog = letters::backlog(&mut reader, now).await?;
        for load in backlog.lanes.iter_mut().filter(|load| load.lane == Lane::Decide) {
            load.jobs = (load.jobs + jobs).min(Backlog::COUNTED);
            load.due_since = load.due_since.into_iter().chain(oldest).min();
        }
        Ok(Backlog { unsorted, ..backlog })
    }

    async fn jobs(&self, only_dead: bool, after: i64, limit: u32) -> Answer<Vec<StoredJob>> {
        letters::list(&mut *self.reader().await?, only_dead, after, limit).await
    }

    async fn revive(&self, job: i64, now: Timestamp, comment: Option<&str>) -> Answer<bool> {
        let comment = comment.map(str::to_owned);
        self.writer
            .write(move |connection| {
                Box::pin(async move { letters::revive(connection, job, now, comment.as_deref()).await })
            })
            .await
    }

    async fn discard(&self, job: i64) -> Answer<bool> {
        self.writer
            .write(move |connection| Box::pin(async move { letters::discard(connection, job).await }))
            .await
    }

    async fn depth(&self, now: Timestamp) -> Answer<QueueDepth> {
        let mut reader = self.reader().await?;
        let (_, unsorted) = sorting::count(&mut reader, i64::MAX).await?;
        let depth = read::depth(&mut reader, now).await?;
        Ok(QueueDepth { due: depth.due + unsorted, ..depth })
    }

    async fn pause(&self, platform: &PlatformName, until: Timestamp) -> Answer<()> {
        let platform = platform.clone();
        self.writer
            .write(move |connection| {
                Box::pin(async move { single::pause(connection, &platform, until).await })
            })
            .await
    }

    async fn deployment(&self, id: &DeploymentId) -> Answer<Option<Deployment>> {
        read::deployment(&mut *self.reader().await?, id).await
    }

    async fn deployments_in(&self, at: &Conversation, limit: u32) -> Answer<Vec<Deployment>> {
        read::deployments_in(&mut *self.reader().await?, at, limit).await
    }

    async fn deployments_of(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        status: Option<Status>,
        limit: u32,
    ) -> Answer<Vec<Deployment>> {
        read::deployments_of(&mut *self.reader().await?, (forge, project), status, limit).await
    }

    async fn environments(&self, forge: &ForgeName, project: ProjectId, limit: u32) -> Answer<Vec<String>> {
        read::environments(&mut *self.reader().await?, (forge, project), limit).await
    }

    async fn watched(&self, forge: &ForgeName) -> Answer<Vec<DeploymentId>> {
        read::watched(&mut *self.reader().await?, forge).await
    }

    async fn open(&self, forge: &ForgeName, project: ProjectId) -> Answer<Vec<(i64, DeploymentId)>> {
        read::open(&mut *self.reader().await?, forge, project).await
    }

    async fn numbered(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        number: i64,
    ) -> Answer<Option<Deployment>> {
        read::numbered(&mut *self.reader().await?, (forge, project), number).await
    }

    async fn of_run(&self, forge: &ForgeName, project: ProjectId, run: i64) -> Answer<Vec<DeploymentId>> {
        read::of_run(&mut *self.reader().await?, (forge, project), run).await
    }

    async fn give_number(&self, forge: &ForgeName, project: ProjectId, id: &DeploymentId) -> Answer<i64> {
        let (forge, id) = (forge.clone(), id.clone());
        self.writer
            .write(move |connection| {
                Box::pin(async move { single::give_number(connection, &forge, project, &id).await })
            })
            .await
    }

    async fn is_wanted(&self, source: &ForgeName, delivery: &str) -> Answer<bool> {
        // In this order: what leaves the inbox is in the table before.
        Ok(!self.inbox.knows(source.as_str(), delivery)
            && read::is_wanted(&mut *self.reader().await?, source, delivery).await?)
    }

    async fn asked_again(&self, source: &ForgeName, delivery: &str, now: Timestamp) -> Answer<()> {
        let (source, delivery) = (source.clone(), delivery.to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(async move { single::asked_again(connection, &source, &delivery, now).await })
            })
            .await
    }

    async fn newest_open(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        limit: u32,
    ) -> Answer<Vec<Deployment>> {
        read::newest_open(&mut *self.reader().await?, (forge, project), limit).await
    }

    async fn ahead_of(&self, forge: &ForgeName, project: ProjectId, order: i64) -> Answer<Vec<DeploymentId>> {
        read::ahead_of(&mut *self.reader().await?, (forge, project), order).await
    }

    async fn watched_rooms(&self, forge: &ForgeName) -> Answer<Vec<Conversation>> {
        read::watched_rooms(&mut *self.reader().await?, forge).await
    }

    async fn room(&self, at: &Conversation) -> Answer<Room> {
        read::room(&mut *self.reader().await?, at).await
    }

    async fn heard(&self, comment: &CommentRef) -> Answer<Option<(String, UserId, Timestamp)>> {
        let key = comment.conversation.key();
        for some in self.inbox.all_for(&key).chunks(sorting::AT_ONCE) {
            self.sort(some.to_vec()).await?;
        }
        read::heard(&mut *self.reader().await?, comment).await
    }

    async fn is_taken(&self, source: &str) -> Answer<bool> {
        read::is_taken(&mut *self.reader().await?, source).await
    }

    async fn answers_to(&self, place: &str, by: UserId, since: Timestamp) -> Answer<u32> {
        read::answers_to(&mut *self.reader().await?, place, by, since).await
    }

    async fn pinned(&self, forge: &ForgeName, kind: &str, name: &str) -> Answer<Option<i64>> {
        read::pinned(&mut *self.reader().await?, forge, kind, name).await
    }

    async fn pin(&self, forge: &ForgeName, kind: &str, name: &str, id: i64) -> Answer<i64> {
        let (forge, kind, name) = (forge.clone(), kind.to_owned(), name.to_owned());
        self.writer
            .write(move |connection| {
                Box::pin(async move { single::pin(connection, &forge, (&kind, &name), id).await })
            })
            .await
    }

    async fn projects(&self, forge: &ForgeName) -> Answer<Vec<KnownProject>> {
        read::projects(&mut *self.reader().await?, forge).await
    }

    async fn save_project(&self, forge: &ForgeName, project: &KnownProject) -> Answer<()> {
        let (forge, project) = (forge.clone(), project.clone());
        self.writer
            .write(move |connection| {
                Box::pin(async move { single::save_project(connection, &forge, &project).await })
            })
            .await
    }

    async fn ledger(&self, id: &DeploymentId) -> Answer<Vec<Sealed>> {
        read::ledger(&mut *self.reader().await?, id).await
    }

    async fn ledger_after(
        &self,
        after: Option<(&DeploymentId, i64)>,
        limit: u32,
    ) -> Answer<Vec<(DeploymentId, Sealed)>> {
        read::ledger_after(&mut *self.reader().await?, after, limit).await
    }

    async fn ledger_ids(&self, after: Option<&DeploymentId>, limit: u32) -> Answer<Vec<DeploymentId>> {
        read::ledger_ids(&mut *self.reader().await?, after, limit).await
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Answer<u64> {
        self.sort_until(before).await?;
        let mut forgotten = 0;
        for statement in single::FORGET {
            // Each chunk queues anew, so that whoever waits comes between two of them.
            loop {
                let chunk: Answer<u64> = self
                    .writer
                    .write(move |connection| Box::pin(single::forget(connection, statement, before)))
                    .await;
                let chunk = chunk?;
                forgotten += chunk;
                if chunk == 0 {
                    break;
                }
            }
        }
        Ok(forgotten)
    }

    async fn ready(&self) -> Answer<()> {
        self.writer.write(|connection| Box::pin(single::probe(connection))).await
    }
}
