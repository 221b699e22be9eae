//! A batch of deliveries, in one transaction and two calls: each call costs more in handing it to the connection's
//! thread and back than in SQLite.

use super::dialect::{query, query_as};
use super::fault::fault;
use super::queue;
use super::writer::roll_back;
use crate::ports::store::{Accepted, NewDelivery, StoreError};
use crate::store::batch::{Fresh, Shelf};
use crate::store::rows::{json, millis};
use sqlx::sqlite::SqliteConnection;
use std::collections::HashSet;

/// Those that weren't there before. `$1`: rows of `delivery` as a JSON array. Without WHERE, ON CONFLICT would be read as
/// a join's condition.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE; \
    INSERT INTO delivery (source, id, digest, received_at) \
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1) WHERE TRUE ORDER BY key \
        ON CONFLICT (source, id) DO NOTHING RETURNING source, id";
/// What is written with those, all tables at once. JSON arrays: `$1` rows of `heard` (the first announcement counts),
/// `$2` and `$3` as [`queue::insert_all`] wants them.
pub(super) const WRITE: &str = concat!(
    "INSERT INTO heard (comment, digest, author, heard_at) \
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1) WHERE TRUE ORDER BY key \
        ON CONFLICT (comment) DO NOTHING; ",
    queue::insert_all!(),
    "; COMMIT"
);

impl Shelf for SqliteConnection {
    async fn store(&mut self, deliveries: &[NewDelivery]) -> Result<Vec<Accepted>, StoreError> {
        let stored = write(self, deliveries).await;
        if stored.is_err() {
            roll_back(self).await;
        }
        stored
    }
}

async fn write(
    connection: &mut SqliteConnection,
    deliveries: &[NewDelivery],
) -> Result<Vec<Accepted>, StoreError> {
    let rows = deliveries.iter().map(|one| (&one.source, &one.id, &one.digest, millis(one.received_at)));
    let rows = json(&rows.collect::<Vec<_>>())?;
    let new: HashSet<(String, String)> =
        query_as(BEGIN).bind(rows).fetch_all(&mut *connection).await.map_err(fault)?.into_iter().collect();
    let fresh = Fresh::of(deliveries, new);
    let queue::Rows { jobs, turns } = queue::rows(&fresh.jobs())?;
    let write = query(WRITE).bind(json(&fresh.announced())?).bind(jobs).bind(turns);
    write.execute(connection).await.map_err(fault)?;
    Ok(fresh.answers())
}
