//! Deliveries: everything that waits goes into one transaction, so that one flush to disk serves many.
//! Each table is written with one statement for all of them: a statement of its own for each would cost
//! more in handing it to the connection's thread and back than in SQLite.

use super::fault::fault;
use super::jobs;
use super::writer::transaction;
use crate::domain::event::{Event, Heard};
use crate::ports::store::{Accepted, NewDelivery, StoreError};
use crate::store::rows::{jobs_of, millis};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How long a delivery may wait for its transaction.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);
/// So that decisions never wait long behind a flood of deliveries.
const BATCH: usize = 256;

/// `$1`: rows as a JSON array. Without WHERE, ON CONFLICT would be read as a join's condition.
const INSERT: &str = "INSERT INTO delivery (source, id, digest, received_at) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1) WHERE TRUE ORDER BY key \
    ON CONFLICT (source, id) DO NOTHING RETURNING source, id";
/// The first announcement counts.
const INSERT_HEARD: &str = "INSERT INTO heard (comment, digest, author, heard_at) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1) WHERE TRUE ORDER BY key \
    ON CONFLICT (comment) DO NOTHING";

/// A delivery in the queue.
pub(super) struct Waiting {
    pub(super) delivery: NewDelivery,
    pub(super) since: Instant,
    pub(super) answer: oneshot::Sender<Result<Accepted, StoreError>>,
}

impl Waiting {
    fn answer(self, answer: Result<Accepted, StoreError>) {
        // A caller who went away will send the delivery again and hear "duplicate".
        let _ = self.answer.send(answer);
    }

    fn is_late(&self, deadline: Duration) -> bool {
        self.since.elapsed() >= deadline
    }
}

/// The first delivery and what waits behind it.
pub(super) fn gather(first: Waiting, queue: &mut mpsc::Receiver<Waiting>) -> Vec<Waiting> {
    let mut batch = vec![first];
    while batch.len() < BATCH
        && let Ok(next) = queue.try_recv()
    {
        batch.push(next);
    }
    batch
}

/// Writes a batch and answers everybody in it, duplicates within it included, after it is durable.
pub(super) async fn write(connection: &mut SqliteConnection, batch: Vec<Waiting>, deadline: Duration) {
    let batch = drop_late(batch, deadline);
    if batch.is_empty() {
        return;
    }
    let deliveries: Vec<NewDelivery> = batch.iter().map(|waiting| waiting.delivery.clone()).collect();
    match store(connection, deliveries).await {
        Ok(answers) => {
            for (waiting, answer) in batch.into_iter().zip(answers) {
                waiting.answer(Ok(answer));
            }
        }
        Err(error) => {
            tracing::warn!(%error, size = batch.len(), "a batch of deliveries failed; writing them one by one");
            write_singly(connection, batch, deadline).await;
        }
    }
}

/// One bad delivery doesn't take the others with it.
async fn write_singly(connection: &mut SqliteConnection, batch: Vec<Waiting>, deadline: Duration) {
    for waiting in batch {
        if waiting.is_late(deadline) {
            waiting.answer(Err(too_late()));
            continue;
        }
        let answer = store(connection, vec![waiting.delivery.clone()]).await;
        waiting.answer(answer.map(|answers| answers.first().copied().unwrap_or(Accepted::Duplicate)));
    }
}

fn drop_late(batch: Vec<Waiting>, deadline: Duration) -> Vec<Waiting> {
    let (late, in_time): (Vec<_>, Vec<_>) = batch.into_iter().partition(|waiting| waiting.is_late(deadline));
    for waiting in late {
        waiting.answer(Err(too_late()));
    }
    in_time
}

fn too_late() -> StoreError {
    StoreError::Unavailable("the delivery waited too long to be written".into())
}

/// One answer for each delivery, in their order.
async fn store(
    connection: &mut SqliteConnection,
    deliveries: Vec<NewDelivery>,
) -> Result<Vec<Accepted>, StoreError> {
    transaction(connection, |connection| {
        Box::pin(async move {
            let mut new = insert(connection, &deliveries).await?;
            // Of two with one id, the first is the new one.
            let is_new = |one: &NewDelivery| new.remove(&(one.source.clone(), one.id.clone()));
            let stored: Vec<bool> = deliveries.iter().map(is_new).collect();
            let fresh = || deliveries.iter().zip(&stored).filter_map(|(one, new)| new.then_some(one));
            keep_digests(connection, fresh()).await?;
            let jobs = fresh().flat_map(|one| jobs_of(one).into_iter().map(|job| (one.received_at, job)));
            jobs::insert_all(connection, &jobs.collect::<Vec<_>>()).await?;
            let answer = |new: bool| if new { Accepted::Stored } else { Accepted::Duplicate };
            Ok(stored.into_iter().map(answer).collect())
        })
    })
    .await
}

/// Returns source and id of those that weren't there before.
async fn insert(
    connection: &mut SqliteConnection,
    deliveries: &[NewDelivery],
) -> Result<HashSet<(String, String)>, StoreError> {
    let row = |one: &NewDelivery| json!([one.source, one.id, one.digest, millis(one.received_at)]);
    let rows = deliveries.iter().map(row).collect::<Value>().to_string();
    let new = sqlx::query_as(INSERT).bind(rows).fetch_all(connection).await.map_err(fault)?;
    Ok(new.into_iter().collect())
}

async fn keep_digests(
    connection: &mut SqliteConnection,
    deliveries: impl Iterator<Item = &NewDelivery>,
) -> Result<(), StoreError> {
    let rows: Vec<Value> = deliveries
        .flat_map(|delivery| delivery.events.iter().filter_map(|event| heard_row(delivery, event)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT_HEARD).bind(Value::from(rows).to_string()).execute(connection).await.map_err(fault)?;
    Ok(())
}

fn heard_row(delivery: &NewDelivery, event: &Event) -> Option<Value> {
    let Event::Commented { comment, heard: Heard::Hook { digest, author }, .. } = event else {
        return None;
    };
    Some(json!([comment.key(), digest, author.0, millis(delivery.received_at)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn waiting(id: usize) -> Waiting {
        let delivery = NewDelivery {
            source: "gitlab".into(),
            id: id.to_string(),
            digest: String::new(),
            events: Vec::new(),
            received_at: Timestamp::UNIX_EPOCH,
        };
        Waiting { delivery, since: Instant::now(), answer: oneshot::channel().0 }
    }

    #[test]
    fn a_batch_takes_what_waits_in_its_order_up_to_its_bound() {
        let (queue, mut out) = mpsc::channel(BATCH * 2);
        (1..BATCH + 10).for_each(|id| queue.try_send(waiting(id)).unwrap());

        let batch = gather(waiting(0), &mut out);

        let ids: Vec<String> = batch.into_iter().map(|waiting| waiting.delivery.id).collect();
        assert_eq!(ids, (0..BATCH).map(|id| id.to_string()).collect::<Vec<_>>());
        assert_eq!(out.len(), 10);
    }
}
