//! Deliveries: everything that waits goes into one transaction, so that one flush to disk serves many.

use crate::domain::event::{Event, Heard};
use crate::ports::store::{Accepted, NewDelivery, StoreError};
use crate::store::rows::millis;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Deliveries that may queue before further ones are turned away: two seconds' worth on a slow disk.
const QUEUE: usize = 4096;
/// How long a delivery may wait for its transaction.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);
/// So that decisions never wait long behind a flood of deliveries.
const BATCH: usize = 256;

/// Where batches go.
pub(super) trait Shelf: Send {
    /// A delivery as it is put there.
    type Delivery: Send + Sync + 'static;

    /// Stores all of them or none; one answer for each, in their order, after they are durable.
    fn store(
        &mut self,
        deliveries: &[Self::Delivery],
    ) -> impl Future<Output = Result<Vec<Accepted>, StoreError>> + Send;
}

/// A delivery in the queue.
pub(super) struct Waiting<D> {
    delivery: D,
    caller: Caller,
}

impl<D> Waiting<D> {
    /// It waits from now on; what became of it comes out at the other end.
    pub(super) fn new(delivery: D) -> (Self, oneshot::Receiver<Result<Accepted, StoreError>>) {
        let (answer, answered) = oneshot::channel();
        (Self { delivery, caller: Caller { since: Instant::now(), answer } }, answered)
    }

    fn parts(self) -> (D, Caller) {
        (self.delivery, self.caller)
    }
}

/// Who waits for a delivery's being on disk.
struct Caller {
    since: Instant,
    answer: oneshot::Sender<Result<Accepted, StoreError>>,
}

impl Caller {
    fn answer(self, answer: Result<Accepted, StoreError>) {
        // A caller who went away will send the delivery again and hear "duplicate".
        let _ = self.answer.send(answer);
    }

    fn is_late(&self, deadline: Duration) -> bool {
        self.since.elapsed() >= deadline
    }
}

/// The callers' end of the queue.
pub(super) struct Intake<D>(mpsc::Sender<Waiting<D>>);

impl<D> Intake<D> {
    /// A queue: the callers' end and the writer's.
    pub(super) fn queue() -> (Self, mpsc::Receiver<Waiting<D>>) {
        let (callers, writer) = mpsc::channel(QUEUE);
        (Self(callers), writer)
    }

    /// Hands a delivery to the next batch and waits until that batch is durable.
    pub(super) async fn accept(&self, delivery: D) -> Result<Accepted, StoreError> {
        let (waiting, answered) = Waiting::new(delivery);
        self.0.try_send(waiting).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Unavailable("too many deliveries wait".into()),
            mpsc::error::TrySendError::Closed(_) => closed(),
        })?;
        answered.await.map_err(|_| closed())?
    }
}

pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("it is shutting down".into())
}

/// The first delivery and what waits behind it.
pub(super) fn gather<D>(first: Waiting<D>, queue: &mut mpsc::Receiver<Waiting<D>>) -> Vec<Waiting<D>> {
    let mut batch = vec![first];
    while batch.len() < BATCH
        && let Ok(next) = queue.try_recv()
    {
        batch.push(next);
    }
    batch
}

/// Writes a batch and answers everybody in it, duplicates within it included, after it is durable.
pub(super) async fn write<S: Shelf>(shelf: &mut S, batch: Vec<Waiting<S::Delivery>>, deadline: Duration) {
    let batch = drop_late(batch, deadline);
    if batch.is_empty() {
        return;
    }
    let (deliveries, callers): (Vec<_>, Vec<_>) = batch.into_iter().map(Waiting::parts).unzip();
    match shelf.store(&deliveries).await {
        Ok(answers) => {
            for (caller, answer) in callers.into_iter().zip(answers) {
                caller.answer(Ok(answer));
            }
        }
        Err(error) => {
            tracing::warn!(%error, size = deliveries.len(), "a batch of deliveries failed; writing them one by one");
            write_singly(shelf, deliveries.iter().zip(callers), deadline).await;
        }
    }
}

/// One bad delivery doesn't take the others with it.
async fn write_singly<S: Shelf>(
    shelf: &mut S,
    batch: impl Iterator<Item = (&S::Delivery, Caller)>,
    deadline: Duration,
) {
    for (delivery, caller) in batch {
        if caller.is_late(deadline) {
            caller.answer(Err(too_late()));
            continue;
        }
        let answer = shelf.store(std::slice::from_ref(delivery)).await;
        caller.answer(answer.and_then(|answers| answers.first().copied().ok_or_else(closed)));
    }
}

fn drop_late<D>(batch: Vec<Waiting<D>>, deadline: Duration) -> Vec<Waiting<D>> {
    let (late, in_time): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|waiting| waiting.caller.is_late(deadline));
    for waiting in late {
        waiting.caller.answer(Err(too_late()));
    }
    in_time
}

fn too_late() -> StoreError {
    StoreError::Unavailable("the delivery waited too long to be written".into())
}

/// What a hook said of a comment: a row of `heard`. On SQLite its JSON lies in the inbox: what an older version wrote must
/// stay readable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Announced {
    /// The comment's key.
    pub(super) comment: String,
    /// Of its text.
    pub(super) digest: String,
    pub(super) author: i64,
    pub(super) heard_at: i64,
}

/// What a delivery announces.
pub(super) fn announced(delivery: &NewDelivery) -> Vec<Announced> {
    delivery.events.iter().filter_map(|event| announcement(delivery, event)).collect()
}

fn announcement(delivery: &NewDelivery, event: &Event) -> Option<Announced> {
    let Event::Commented { comment, heard: Heard::Hook { digest, author }, .. } = event else {
        return None;
    };
    let (comment, digest) = (comment.key(), digest.clone());
    Some(Announced { comment, digest, author: author.0, heard_at: millis(delivery.received_at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(number: usize) -> Waiting<usize> {
        Waiting::new(number).0
    }

    #[test]
    fn a_batch_takes_what_waits_in_its_order_up_to_its_bound() {
        let (queue, mut out) = mpsc::channel(BATCH * 2);
        (1..BATCH + 10).for_each(|number| queue.try_send(waiting(number)).unwrap());

        let batch = gather(waiting(0), &mut out);

        let numbers: Vec<usize> = batch.into_iter().map(|waiting| waiting.delivery).collect();
        assert_eq!(numbers, (0..BATCH).collect::<Vec<_>>());
        assert_eq!(out.len(), 10);
    }
}
