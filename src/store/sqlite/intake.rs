//! A batch of deliveries, in one transaction and two calls: each call costs more in handing it to the connection's
//! thread and back than in SQLite.

use super::dialect::{query, query_as};
use super::fault::fault;
use super::queue;
use super::writer::roll_back;
use crate::ports::store::{Accepted, NewDelivery, StoreError};
use crate::store::batch::{Fresh, Shelf};
use crate::store::rows::{json, millis};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;
use std::collections::HashSet;

/// Which are there already? `$1`: rows of `delivery` as a JSON array, of which the first two columns matter.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE; SELECT d.source, d.id FROM json_each($1) n \
    CROSS JOIN delivery d ON d.source = n.value ->> 0 AND d.id = n.value ->> 1";
/// The rest, all tables at once. JSON arrays: `$1` rows of `delivery`, `$2` rows of `heard` (the first announcement
/// counts), `$3` and `$4` as [`queue::insert_all`] wants them. Without WHERE, ON CONFLICT would be read as a join's
/// condition.
pub(super) const WRITE: &str = concat!(
    "INSERT INTO delivery (source, id, digest, received_at) \
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1) WHERE TRUE ORDER BY key \
        ON CONFLICT (source, id) DO NOTHING; \
    INSERT INTO heard (comment, digest, author, heard_at) \
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($2) WHERE TRUE ORDER BY key \
        ON CONFLICT (comment) DO NOTHING; ",
    queue::insert_all!(),
    "; COMMIT"
);

impl Shelf for SqliteConnection {
    async fn store(&mut self, deliveries: Vec<NewDelivery>) -> Result<Vec<Accepted>, StoreError> {
        let stored = write(self, &deliveries).await;
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
    let row = |one: &NewDelivery| json!([one.source, one.id, one.digest, millis(one.received_at)]);
    let rows = deliveries.iter().map(row).collect::<Value>().to_string();
    let known: HashSet<(String, String)> = query_as(BEGIN)
        .bind(rows.clone())
        .fetch_all(&mut *connection)
        .await
        .map_err(fault)?
        .into_iter()
        .collect();
    let fresh = Fresh::besides(deliveries, &known);
    let queue::Rows { jobs, turns } = queue::rows(&fresh.jobs())?;
    let write = query(WRITE).bind(rows).bind(json(&fresh.announced())?).bind(jobs).bind(turns);
    write.execute(connection).await.map_err(fault)?;
    Ok(fresh.answers())
}
