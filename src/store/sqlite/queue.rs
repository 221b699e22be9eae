//! The queue of jobs as only SQLite takes it: many rows as one JSON array, leases without locks.

use super::dialect::{query, query_as, query_scalar};
use super::fault::fault;
use super::jobs::choose_head;
use crate::ports::store::{Lane, LeasedJob, NewJob, StoreError};
use crate::store::rows::{JobRow, json, millis, work_text};
use crate::store::sql;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeSet;

/// Jobs that carry no mark, in their order; then whose turn it is in their queues. JSON arrays: `$2` rows of `job`, `$3`
/// pairs of lane and key. A head whose turn it stays is left alone. CROSS JOIN, so that each pair is looked up; the
/// planner would walk through all heads of the lane.
macro_rules! insert_all {
    () => {
        "INSERT INTO job (lane, key, forge, work, run_at, ordered_at, created_at) \
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 \
            FROM json_each($2) ORDER BY json_each.key; \
        UPDATE job SET head = FALSE WHERE id IN (SELECT h.id \
            FROM json_each($3) w CROSS JOIN job h ON h.lane = w.value ->> 0 AND h.key = w.value ->> 1 AND h.head \
            WHERE h.id IS NOT (SELECT id FROM job WHERE lane = h.lane AND key = h.key AND NOT dead \
                ORDER BY ordered_at, id LIMIT 1)); \
        UPDATE job SET head = TRUE WHERE NOT head AND id IN (SELECT \
            (SELECT id FROM job WHERE lane = w.value ->> 0 AND key = w.value ->> 1 AND NOT dead \
                ORDER BY ordered_at, id LIMIT 1) \
            FROM json_each($3) w)"
    };
}
pub(super) use insert_all;

/// What [`insert_all`] writes, as JSON.
pub(super) struct Rows {
    pub(super) jobs: String,
    pub(super) turns: String,
}

/// Rows for jobs, each with the time of its writing.
pub(super) fn rows(jobs: &[(Timestamp, NewJob)]) -> Result<Rows, StoreError> {
    let row = |(at, job): &(Timestamp, NewJob)| {
        let (run_at, order, at) = (millis(job.run_at), millis(job.order), millis(*at));
        let work = work_text(job)?;
        Ok((job.lane.priority(), job.key.clone(), job.platform.clone(), work, run_at, order, at))
    };
    let rows: Result<Vec<_>, StoreError> = jobs.iter().map(row).collect();
    let turns: BTreeSet<_> = jobs.iter().map(|(_, job)| (job.lane.priority(), job.key.as_str())).collect();
    Ok(Rows { jobs: json(&rows?)?, turns: json(&turns)? })
}

/// Is there anything to lease at `$1`? Asked of a connection that only reads: most looks find nothing, and the one that
/// writes has deliveries to store.
pub(super) const IS_DUE: &str = "SELECT EXISTS (SELECT 1 FROM job h \
    WHERE (h.head OR h.lease_until IS NOT NULL) AND h.head AND h.run_at <= $1 \
    AND h.forge NOT IN (SELECT forge FROM pause WHERE until > $1) \
    AND NOT EXISTS (SELECT 1 FROM job o \
        WHERE o.lane = h.lane AND o.key = h.key AND o.lease_until IS NOT NULL AND o.lease_until > $1))";

pub(super) async fn is_due(connection: &mut SqliteConnection, now: Timestamp) -> Result<bool, StoreError> {
    query_scalar(IS_DUE).bind(millis(now)).fetch_one(connection).await.map_err(fault)
}

/// One lane: `$1` lane, `$2` now, `$3` end of the lease, `$4` token of this call, `$5` limit.
pub(super) const LEASE: &str = "UPDATE job SET attempts = attempts + 1, run_at = $3, lease_until = $3, \
        lease_token = $4 || '-' || CAST(id AS TEXT) \
    WHERE id IN (SELECT h.id FROM job h \
        WHERE h.head AND h.lane = $1 AND h.run_at <= $2 \
        AND h.forge NOT IN (SELECT forge FROM pause WHERE until > $2) \
        AND NOT EXISTS (SELECT 1 FROM job o \
            WHERE o.lane = h.lane AND o.key = h.key AND o.lease_until IS NOT NULL AND o.lease_until > $2) \
        ORDER BY h.run_at, h.id LIMIT $5) \
    RETURNING id, key, forge, work, ordered_at, created_at, attempts, lease_token, last_error";

/// What a lease asks for.
pub(super) struct Wanted {
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
    pub(super) limit: u32,
    /// Unique to this call.
    pub(super) token: String,
}

/// Leases lane by lane, so that each looks only at what is due in it.
pub(super) async fn lease(
    connection: &mut SqliteConnection,
    wanted: &Wanted,
) -> Result<Vec<LeasedJob>, StoreError> {
    let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let mut leased = Vec::new();
    for lane in Lane::ALL {
        let room = limit.saturating_sub(leased.len());
        if room == 0 {
            break;
        }
        leased.extend(lease_lane(connection, wanted, lane, room).await?);
    }
    Ok(leased)
}

async fn lease_lane(
    connection: &mut SqliteConnection,
    wanted: &Wanted,
    lane: Lane,
    room: usize,
) -> Result<Vec<LeasedJob>, StoreError> {
    let mut rows: Vec<JobRow> = query_as(LEASE)
        .bind(lane.priority())
        .bind(millis(wanted.now))
        .bind(millis(wanted.until))
        .bind(&wanted.token)
        .bind(i64::try_from(room).unwrap_or(i64::MAX))
        .fetch_all(&mut *connection)
        .await
        .map_err(fault)?;
    rows.sort_by_key(|row| (row.ordered_at, row.id));
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        let (id, key) = (row.id, row.key.clone());
        match row.job(lane, wanted.until) {
            Ok(job) => jobs.push(job),
            Err(error) => {
                tracing::error!(job = id, %error, "a job can't be read; it is put aside");
                put_aside(connection, id, &error.to_string()).await?;
                choose_head(connection, lane.priority(), &key).await?;
            }
        }
    }
    Ok(jobs)
}

async fn put_aside(connection: &mut SqliteConnection, id: i64, why: &str) -> Result<(), StoreError> {
    query(sql::job::DEAD).bind(id).bind(why).execute(connection).await.map_err(fault)?;
    Ok(())
}
