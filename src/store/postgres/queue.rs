//! The queue of jobs as only PostgreSQL takes it: many rows as arrays, leases that skip what others hold.

use super::dialect::{Connection, query, query_as, query_scalar};
use super::fault::fault;
use crate::ports::store::{Lane, NewJob, StoreError};
use crate::store::rows::{JobRow, millis, time, work_text};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Rows as one array for each column.
const INSERT_ALL: &str = "INSERT INTO job (lane, key, forge, work, run_at, ordered_at, created_at) \
    SELECT lane, key, forge, work, run_at, ordered_at, created_at FROM unnest($1::bigint[], $2::text[], \
        $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[]) WITH ORDINALITY \
        AS n (lane, key, forge, work, run_at, ordered_at, created_at, position) ORDER BY position";
/// [`crate::store::sql::job::CLEAR_HEAD`] for many: lanes and keys.
const CLEAR_HEADS: &str = "UPDATE job SET head = FALSE WHERE head \
    AND (lane, key) IN (SELECT * FROM unnest($1::bigint[], $2::text[]))";
/// [`crate::store::sql::job::SET_HEAD`] for many.
const SET_HEADS: &str = "UPDATE job SET head = TRUE WHERE id IN (SELECT \
    (SELECT id FROM job WHERE lane = w.lane AND key = w.key AND NOT dead ORDER BY ordered_at, id LIMIT 1) \
    FROM unnest($1::bigint[], $2::text[]) AS w (lane, key))";

/// Writes jobs that carry no mark, in their order, each with the time of its writing. Their turns are locked.
pub(super) async fn insert_all(
    connection: &mut Connection,
    jobs: &[(Timestamp, NewJob)],
) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let works: Result<Vec<String>, StoreError> = jobs.iter().map(|(_, job)| work_text(job)).collect();
    let insert = query(INSERT_ALL)
        .bind(jobs.iter().map(|(_, job)| job.lane.priority()).collect::<Vec<_>>())
        .bind(jobs.iter().map(|(_, job)| job.key.clone()).collect::<Vec<_>>())
        .bind(jobs.iter().map(|(_, job)| job.platform.as_str().to_owned()).collect::<Vec<_>>())
        .bind(works?)
        .bind(jobs.iter().map(|(_, job)| millis(job.run_at)).collect::<Vec<_>>())
        .bind(jobs.iter().map(|(_, job)| millis(job.order)).collect::<Vec<_>>())
        .bind(jobs.iter().map(|(at, _)| millis(*at)).collect::<Vec<_>>());
    insert.execute(&mut *connection).await.map_err(fault)?;
    let turns: BTreeSet<_> = jobs.iter().map(|(_, job)| (job.lane.priority(), job.key.clone())).collect();
    let (lanes, keys): (Vec<i64>, Vec<String>) = turns.into_iter().unzip();
    for statement in [CLEAR_HEADS, SET_HEADS] {
        query(statement).bind(&lanes).bind(&keys).execute(&mut *connection).await.map_err(fault)?;
    }
    Ok(())
}

/// One lane: `$1` lane, `$2` now, `$3` end of the lease, `$4` token of this call, `$5` limit, `$6` now by the clock
/// that leases go by.
///
/// Of two calls at once the second skips the heads that the first is taking. A head that moves meanwhile is safe,
/// too: whoever moves it updates the row, so it is either skipped or found to be no head any more.
const LEASE: &str = "WITH due AS MATERIALIZED (SELECT h.id FROM job h \
        WHERE h.head AND h.lane = $1 AND h.run_at <= $2 AND (h.lease_until IS NULL OR h.lease_until <= $6) \
        AND h.forge NOT IN (SELECT forge FROM pause WHERE until > $2) \
        AND NOT EXISTS (SELECT 1 FROM job o \
            WHERE o.lane = h.lane AND o.key = h.key AND o.lease_until IS NOT NULL AND o.lease_until > $6) \
        ORDER BY h.run_at, h.id LIMIT $5 FOR UPDATE OF h SKIP LOCKED) \
    UPDATE job SET attempts = attempts + 1, run_at = $3, lease_until = $3, \
        lease_token = $4 || '-' || CAST(job.id AS TEXT) \
    FROM due WHERE job.id = due.id \
    RETURNING job.id, key, forge, work, ordered_at, created_at, attempts, lease_token, last_error";

/// What a lease asks for.
pub(super) struct Wanted {
    pub(super) now: Timestamp,
    /// Now, by the clock that leases go by.
    pub(super) clock: Timestamp,
    pub(super) until: Timestamp,
    pub(super) limit: u32,
    /// Unique to this call.
    pub(super) token: String,
}

/// Leases lane by lane, so that each looks only at what is due in it.
pub(super) async fn lease(
    connection: &mut Connection,
    wanted: &Wanted,
) -> Result<Vec<(Lane, JobRow)>, StoreError> {
    let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let mut leased = Vec::new();
    for lane in Lane::ALL {
        let room = limit.saturating_sub(leased.len());
        if room == 0 {
            break;
        }
        let mut rows: Vec<JobRow> = query_as(LEASE)
            .bind(lane.priority())
            .bind(millis(wanted.now))
            .bind(millis(wanted.until))
            .bind(wanted.token.clone())
            .bind(i64::try_from(room).unwrap_or(i64::MAX))
            .bind(millis(wanted.clock))
            .fetch_all(&mut *connection)
            .await
            .map_err(fault)?;
        rows.sort_by_key(|row| (row.ordered_at, row.id));
        leased.extend(rows.into_iter().map(|row| (lane, row)));
    }
    Ok(leased)
}

/// The time of the database's machine.
pub(super) async fn database_time(connection: &mut Connection) -> Result<Timestamp, StoreError> {
    let ask = query_scalar("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)");
    time(ask.fetch_one(connection).await.map_err(fault)?)
}
