//! One task owns the one connection that writes. Decisions go before deliveries; deliveries share a
//! transaction (see [`crate::store::batch`]).

use super::fault::fault;
use super::inbox::{Envelope, Inbox};
use super::intake::Tray;
use crate::ports::store::{Accepted, StoreError};
use crate::store::batch::{self, Intake, Waiting, closed};
use crate::store::open::Surroundings;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use std::fs::File;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Decisions that may queue before their callers wait.
const DECISIONS: usize = 256;

/// What a piece of writing does inside its transaction.
pub(super) type Step<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;
type Decision = Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> Step<'c, ()> + Send>;

/// The callers' end of the two queues.
pub(super) struct Writer {
    decisions: mpsc::Sender<Decision>,
    deliveries: Intake<Envelope>,
    stop: CancellationToken,
    stopped: CancellationToken,
}

impl Writer {
    /// Starts the task. It holds the lock file as long as it lives.
    pub(super) fn start(
        connection: SqliteConnection,
        (lock, inbox): (Option<File>, Arc<Inbox>),
        around: &Surroundings,
    ) -> Self {
        let (decisions, decisions_out) = mpsc::channel(DECISIONS);
        let (deliveries, deliveries_out) = Intake::queue();
        let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
        let desk = Desk {
            connection,
            decisions: decisions_out,
            deliveries: deliveries_out,
            intake_deadline: around.intake_deadline,
            inbox,
            lock,
        };
        let (stop_seen, ended) = (stop.clone(), stopped.clone().drop_guard());
        around.tasks.spawn(async move {
            desk.run(stop_seen).await;
            drop(ended);
        });
        Self { decisions, deliveries, stop, stopped }
    }

    /// Runs `work` in a transaction of its own: committed if it succeeds, rolled back if it fails.
    /// It runs to its end even when the caller goes away.
    pub(super) async fn write<T, E, W>(&self, work: W) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> Step<'c, Result<T, E>> + Send + 'static,
    {
        self.write_then(work, |done| done).await
    }

    /// As [`Writer::write`]; `then` follows when it is on disk, before anything else is written, and whether or not the
    /// caller still waits.
    pub(super) async fn write_then<A, T, E, W, F>(&self, work: W, then: F) -> Result<T, E>
    where
        A: Send,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> Step<'c, Result<A, E>> + Send + 'static,
        F: FnOnce(A) -> T + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let decision: Decision = Box::new(move |connection| {
            Box::pin(async move {
                // Nobody listens any more: what was written stays written.
                let _ = answer.send(transaction(connection, work).await.map(then));
            })
        });
        self.decisions.send(decision).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Hands a delivery to the next batch and waits until that batch is durable.
    pub(super) async fn accept(&self, delivery: Envelope) -> Result<Accepted, StoreError> {
        self.deliveries.accept(delivery).await
    }

    /// Takes nothing new, writes what is queued, closes the connection; returns when that is done.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        self.stopped.cancelled().await;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Runs `work` between BEGIN IMMEDIATE and COMMIT.
///
/// With plain statements: when a disk is full, SQLite rolls back by itself, and sqlx's own transaction, whose
/// ROLLBACK then fails, would count itself open for ever.
pub(super) async fn transaction<T, E, W>(connection: &mut SqliteConnection, work: W) -> Result<T, E>
where
    E: From<StoreError>,
    W: for<'c> FnOnce(&'c mut SqliteConnection) -> Step<'c, Result<T, E>>,
{
    run(connection, "BEGIN IMMEDIATE").await?;
    let mut done = work(connection).await;
    if done.is_ok()
        && let Err(error) = run(connection, "COMMIT").await
    {
        done = Err(error.into());
    }
    if done.is_err() {
        roll_back(connection).await;
    }
    done
}

/// After a failure, which is what the caller should read: this fails when SQLite was faster.
async fn roll_back(connection: &mut SqliteConnection) {
    let _ = run(connection, "ROLLBACK").await;
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement).execute(connection).await.map_err(fault)?;
    Ok(())
}

/// The task's end of the queues.
struct Desk {
    connection: SqliteConnection,
    decisions: mpsc::Receiver<Decision>,
    deliveries: mpsc::Receiver<Waiting<Envelope>>,
    intake_deadline: Duration,
    inbox: Arc<Inbox>,
    lock: Option<File>,
}

impl Desk {
    /// Until asked to stop (the last [`Writer`] gone asks, too); then it ends when both queues are empty.
    async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !self.decisions.is_closed() => self.close_queues(),
                Some(decision) = self.decisions.recv() => decision(&mut self.connection).await,
                Some(first) = self.deliveries.recv() => {
                    let batch = batch::gather(first, &mut self.deliveries);
                    let mut tray = Tray { connection: &mut self.connection, inbox: &self.inbox };
                    batch::write(&mut tray, batch, self.intake_deadline).await;
                }
                else => break,
            }
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database was not closed in order");
        }
        // Last, so that the next process finds a closed database.
        drop(self.lock);
    }

    fn close_queues(&mut self) {
        self.decisions.close();
        self.deliveries.close();
    }
}
