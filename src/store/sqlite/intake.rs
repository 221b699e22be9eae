//! A batch of deliveries, in one transaction. Each table is written with one statement for all of them: a
//! statement of its own for each would cost more in handing it to the connection's thread and back than in SQLite.

use super::dialect::{query, query_as};
use super::fault::fault;
use super::queue;
use super::writer::transaction;
use crate::ports::store::{Accepted, NewDelivery, StoreError};
use crate::store::batch::{Announced, Fresh, Shelf};
use crate::store::rows::{json, millis};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;
use std::collections::HashSet;

/// `$1`: rows as a JSON array. Without WHERE, ON CONFLICT would be read as a join's condition.
const INSERT: &str = "INSERT INTO delivery (source, id, digest, received_at) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1) WHERE TRUE ORDER BY key \
    ON CONFLICT (source, id) DO NOTHING RETURNING source, id";
/// The first announcement counts.
const INSERT_HEARD: &str = "INSERT INTO heard (comment, digest, author, heard_at) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1) WHERE TRUE ORDER BY key \
    ON CONFLICT (comment) DO NOTHING";

impl Shelf for SqliteConnection {
    async fn store(&mut self, deliveries: Vec<NewDelivery>) -> Result<Vec<Accepted>, StoreError> {
        transaction(self, |connection| Box::pin(write(connection, deliveries))).await
    }
}

async fn write(
    connection: &mut SqliteConnection,
    deliveries: Vec<NewDelivery>,
) -> Result<Vec<Accepted>, StoreError> {
    let fresh = Fresh::of(&deliveries, insert(connection, &deliveries).await?);
    keep_digests(connection, &fresh.announced()).await?;
    queue::insert_all(connection, &fresh.jobs()).await?;
    Ok(fresh.answers())
}

/// Returns source and id of those that weren't there before.
async fn insert(
    connection: &mut SqliteConnection,
    deliveries: &[NewDelivery],
) -> Result<HashSet<(String, String)>, StoreError> {
    let row = |one: &NewDelivery| json!([one.source, one.id, one.digest, millis(one.received_at)]);
    let rows = deliveries.iter().map(row).collect::<Value>().to_string();
    let new = query_as(INSERT).bind(rows).fetch_all(connection).await.map_err(fault)?;
    Ok(new.into_iter().collect())
}

async fn keep_digests(connection: &mut SqliteConnection, announced: &[Announced]) -> Result<(), StoreError> {
    if announced.is_empty() {
        return Ok(());
    }
    query(INSERT_HEARD).bind(json(&announced)?).execute(connection).await.map_err(fault)?;
    Ok(())
}
