//! Deliveries: everything that waits goes into one transaction, so that one flush to disk serves many.

use super::fault::fault;
use super::jobs;
use super::writer::transaction;
use crate::domain::event::{Event, Heard};
use crate::ports::store::{Accepted, NewDelivery, StoreError};
use crate::store::rows::{comment_key, jobs_of, millis};
use crate::store::sql;
use sqlx::sqlite::SqliteConnection;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How long a delivery may wait for its transaction.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);
/// So that decisions never wait long behind a flood of deliveries.
const BATCH: usize = 256;

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
            let mut answers = Vec::with_capacity(deliveries.len());
            for delivery in &deliveries {
                answers.push(store_one(connection, delivery).await?);
            }
            Ok(answers)
        })
    })
    .await
}

async fn store_one(
    connection: &mut SqliteConnection,
    delivery: &NewDelivery,
) -> Result<Accepted, StoreError> {
    let inserted = sqlx::query(sql::delivery::INSERT)
        .bind(&delivery.source)
        .bind(&delivery.id)
        .bind(&delivery.digest)
        .bind(millis(delivery.received_at))
        .execute(&mut *connection)
        .await
        .map_err(fault)?;
    if inserted.rows_affected() == 0 {
        return Ok(Accepted::Duplicate);
    }
    for event in &delivery.events {
        keep_digest(connection, delivery, event).await?;
    }
    for job in jobs_of(delivery) {
        jobs::insert(connection, delivery.received_at, &job).await?;
    }
    Ok(Accepted::Stored)
}

async fn keep_digest(
    connection: &mut SqliteConnection,
    delivery: &NewDelivery,
    event: &Event,
) -> Result<(), StoreError> {
    let Event::Commented { comment, heard: Heard::Hook { digest, author }, .. } = event else {
        return Ok(());
    };
    sqlx::query(sql::delivery::INSERT_HEARD)
        .bind(comment_key(comment))
        .bind(digest)
        .bind(author.0)
        .bind(millis(delivery.received_at))
        .execute(connection)
        .await
        .map_err(fault)?;
    Ok(())
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
