//! A true store that is watched: what is written and leased goes into the book in the order in which it happens. Writes
//! may fail, and the process may die before one or after it.

use super::scene::Scene;
use async_trait::async_trait;
use countersign::domain::chat::{Channel, ChannelId, Link, Message, Subject};
use countersign::domain::deployment::{Deployment, Status};
use countersign::domain::id::{
    ChatName, CommentRef, Conversation, DeploymentId, ForgeName, PlatformName, ProjectId, UserId,
};
use countersign::domain::ledger::Sealed;
use countersign::ports::postings::{Posting, Postings};
use countersign::ports::store::{
    Accepted, Backlog, Commit, CommitError, KnownProject, Lease, LeasedJob, NewDelivery, QueueDepth, Room,
    Store, StoreError, StoredJob,
};
use countersign::store::sqlite::SqliteStore;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tokio::sync::Mutex;

type Answer<T> = Result<T, StoreError>;

#[derive(Clone)]
pub(super) struct Watched {
    pub(super) inner: Arc<SqliteStore>,
    pub(super) scene: Scene,
    /// Held while something is written, until it stands in the book.
    pub(super) pen: Arc<Mutex<()>>,
}

impl Watched {
    /// Whether the next write fails, and whether it is written all the same.
    fn failing(&self) -> Option<bool> {
        let (left, written) = &mut self.scene.lock().store_fails;
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        fails.then_some(*written)
    }

    async fn write(&self, commit: Commit) -> Result<(), CommitError> {
        let _pen = self.pen.lock().await;
        let failing = self.failing();
        if failing == Some(false) {
            return Err(away().into());
        }
        self.inner.commit(commit.clone()).await?;
        let stage = &mut *self.scene.lock();
        stage.book.committed(&stage.world, &commit);
        if failing == Some(true) { Err(away().into()) } else { Ok(()) }
    }

    async fn take(&self, delivery: NewDelivery) -> Answer<Accepted> {
        let _pen = self.pen.lock().await;
        let failing = self.failing();
        if failing == Some(false) {
            return Err(away());
        }
        let accepted = self.inner.accept(delivery.clone()).await?;
        self.scene.lock().book.stored(&delivery, accepted);
        if failing == Some(true) { Err(away()) } else { Ok(accepted) }
    }
}

fn away() -> StoreError {
    StoreError::Unavailable("the database doesn't answer".to_owned())
}

/// Everything else is handed on.
macro_rules! watched {
    ($port:ident { $($own:tt)* } $($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl $port for Watched {
            $($own)*
            $(async fn $name(&self, $($arg: $type),*) -> Answer<$answer> { self.inner.$name($($arg),*).await })*
        }
    };
}

watched! {
    Postings {}
    posting(channel: &Channel, subject: &Subject) -> Option<Posting>;
    postings_about(subject: &Subject) -> Vec<Posting>;
    posting_at(chat: &ChatName, message: &Message) -> Option<Posting>;
    postings_in(chat: &ChatName, channel: &ChannelId, limit: u32) -> Vec<Posting>;
    deployments_about(subject: &Subject) -> Vec<Deployment>;
    link(chat: &ChatName, name: &str, forge: &ForgeName) -> Option<Link>;
    save_link(link: &Link) -> ();
}

watched! {
    Store {
        async fn accept(&self, delivery: NewDelivery) -> Answer<Accepted> {
            self.scene.moment().await;
            let accepted = self.take(delivery).await;
            self.scene.moment().await;
            accepted
        }

        async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
            self.scene.moment().await;
            let outcome = self.write(commit).await;
            self.scene.moment().await;
            outcome
        }

        async fn lease(&self, now: Timestamp, lease_for: SignedDuration, limit: u32) -> Answer<Vec<LeasedJob>> {
            let _pen = self.pen.lock().await;
            let jobs = self.inner.lease(now, lease_for, limit).await?;
            let stage = &mut *self.scene.lock();
            stage.book.leased(now, &jobs);
            Ok(jobs)
        }

        async fn postpone(&self, lease: &Lease, run_at: Timestamp, why: &str, uncounted: bool) -> Answer<()> {
            self.scene.moment().await;
            let _pen = self.pen.lock().await;
            self.inner.postpone(lease, run_at, why, uncounted).await?;
            self.scene.lock().book.postponed(lease);
            Ok(())
        }

        async fn pause(&self, platform: &PlatformName, until: Timestamp) -> Answer<()> {
            self.inner.pause(platform, until).await?;
            self.scene.lock().book.paused(until);
            Ok(())
        }
    }
    next_due(now: Timestamp) -> Option<Timestamp>;
    backlog(now: Timestamp) -> Backlog;
    jobs(only_dead: bool, after: i64, limit: u32) -> Vec<StoredJob>;
    revive(job: i64, now: Timestamp, comment: Option<&str>) -> bool;
    discard(job: i64) -> bool;
    depth(now: Timestamp) -> QueueDepth;
    deployment(id: &DeploymentId) -> Option<Deployment>;
    deployments_in(at: &Conversation, limit: u32) -> Vec<Deployment>;
    deployments_of(forge: &ForgeName, project: ProjectId, status: Option<Status>, limit: u32) -> Vec<Deployment>;
    watched(forge: &ForgeName) -> Vec<DeploymentId>;
    numbered(forge: &ForgeName, project: ProjectId, number: i64) -> Option<Deployment>;
    of_run(forge: &ForgeName, project: ProjectId, run: i64) -> Vec<DeploymentId>;
    give_number(forge: &ForgeName, project: ProjectId, id: &DeploymentId) -> i64;
    is_wanted(source: &ForgeName, delivery: &str) -> bool;
    asked_again(source: &ForgeName, delivery: &str, now: Timestamp) -> ();
    open(forge: &ForgeName, project: ProjectId) -> Vec<(i64, DeploymentId)>;
    watched_rooms(forge: &ForgeName) -> Vec<Conversation>;
    room(at: &Conversation) -> Room;
    heard(comment: &CommentRef) -> Option<(String, UserId, Timestamp)>;
    is_taken(source: &str) -> bool;
    answers_to(place: &str, by: UserId, since: Timestamp) -> u32;
    pinned(forge: &ForgeName, kind: &str, name: &str) -> Option<i64>;
    pin(forge: &ForgeName, kind: &str, name: &str, id: i64) -> i64;
    projects(forge: &ForgeName) -> Vec<KnownProject>;
    save_project(forge: &ForgeName, project: &KnownProject) -> ();
    ledger(id: &DeploymentId) -> Vec<Sealed>;
    environments(forge: &ForgeName, project: ProjectId, limit: u32) -> Vec<String>;
    newest_open(forge: &ForgeName, project: ProjectId, limit: u32) -> Vec<Deployment>;
    ahead_of(forge: &ForgeName, project: ProjectId, order: i64) -> Vec<DeploymentId>;
    ledger_after(after: Option<(&DeploymentId, i64)>, limit: u32) -> Vec<(DeploymentId, Sealed)>;
    ledger_ids(after: Option<&DeploymentId>, limit: u32) -> Vec<DeploymentId>;
    forget_deliveries(before: Timestamp) -> u64;
    ready() -> ();
}
