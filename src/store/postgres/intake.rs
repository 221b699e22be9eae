//! A batch of deliveries, in one transaction.

use super::dialect::{Connection, query, query_as};
use super::fault::fault;
use super::locks::Locks;
use super::queue;
use super::transaction::transaction;
use crate::ports::store::{Accepted, Lane, NewDelivery, NewJob, StoreError};
use crate::store::batch::{Announced, Shelf, announced};
use crate::store::rows::{jobs_of, millis};
use jiff::Timestamp;
use sqlx::PgPool;
use std::collections::HashSet;

/// Rows as one array for each column. A delivery that another instance is storing is waited for.
const INSERT: &str = "INSERT INTO delivery (source, id, digest, received_at) \
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) \
    ON CONFLICT (source, id) DO NOTHING RETURNING source, id";
/// The first announcement counts.
const INSERT_HEARD: &str = "INSERT INTO heard (comment, digest, author, heard_at) \
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) ON CONFLICT (comment) DO NOTHING";

impl Shelf for PgPool {
    type Delivery = NewDelivery;

    async fn store(&mut self, deliveries: &[NewDelivery]) -> Result<Vec<Accepted>, StoreError> {
        transaction(self, async |connection| write(connection, deliveries).await).await
    }
}

async fn write(connection: &mut Connection, deliveries: &[NewDelivery]) -> Result<Vec<Accepted>, StoreError> {
    let mut locks = Locks::default();
    for event in deliveries.iter().flat_map(|one| &one.events) {
        locks.turn(Lane::Decide.priority(), &event.key());
    }
    locks.take(connection).await?;
    let fresh = Fresh::of(deliveries, insert(connection, deliveries).await?);
    keep_digests(connection, fresh.announced()).await?;
    queue::insert_all(connection, &fresh.jobs()).await?;
    Ok(fresh.answers())
}

/// Returns source and id of those that weren't there before.
async fn insert(
    connection: &mut Connection,
    deliveries: &[NewDelivery],
) -> Result<HashSet<(String, String)>, StoreError> {
    // Every instance in one order: two that store the same deliveries don't wait for each other in a ring.
    let mut rows: Vec<&NewDelivery> = deliveries.iter().collect();
    rows.sort_by_key(|one| (&one.source, &one.id));
    let insert = query_as(INSERT)
        .bind(rows.iter().map(|one| one.source.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|one| one.id.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|one| one.digest.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|one| millis(one.received_at)).collect::<Vec<_>>());
    Ok(insert.fetch_all(connection).await.map_err(fault)?.into_iter().collect())
}

async fn keep_digests(connection: &mut Connection, mut announced: Vec<Announced>) -> Result<(), StoreError> {
    if announced.is_empty() {
        return Ok(());
    }
    announced.sort_by(|a, b| a.comment.cmp(&b.comment));
    let insert = query(INSERT_HEARD)
        .bind(announced.iter().map(|row| row.comment.clone()).collect::<Vec<_>>())
        .bind(announced.iter().map(|row| row.digest.clone()).collect::<Vec<_>>())
        .bind(announced.iter().map(|row| row.author).collect::<Vec<_>>())
        .bind(announced.iter().map(|row| row.heard_at).collect::<Vec<_>>());
    insert.execute(connection).await.map_err(fault)?;
    Ok(())
}

/// Which deliveries of a batch weren't there before, and what is written with them.
struct Fresh<'a> {
    deliveries: &'a [NewDelivery],
    is_new: Vec<bool>,
}

impl<'a> Fresh<'a> {
    /// `new`: source and id of those that weren't there. Of two with one id, the first is the new one.
    fn of(deliveries: &'a [NewDelivery], mut new: HashSet<(String, String)>) -> Self {
        let is_new = deliveries.iter().map(|one| new.remove(&(one.source.clone(), one.id.clone()))).collect();
        Self { deliveries, is_new }
    }

    fn iter(&self) -> impl Iterator<Item = &'a NewDelivery> {
        self.deliveries.iter().zip(&self.is_new).filter_map(|(one, new)| new.then_some(one))
    }

    fn announced(&self) -> Vec<Announced> {
        self.iter().flat_map(announced).collect()
    }

    /// The jobs in their order, each with the time of its delivery.
    fn jobs(&self) -> Vec<(Timestamp, NewJob)> {
        self.iter().flat_map(|one| jobs_of(one).into_iter().map(|job| (one.received_at, job))).collect()
    }

    fn answers(&self) -> Vec<Accepted> {
        let answer = |new: &bool| if *new { Accepted::Stored } else { Accepted::Duplicate };
        self.is_new.iter().map(answer).collect()
    }
}
