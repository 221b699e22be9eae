//! The queue of jobs as only SQLite takes it: many rows as one JSON array, leases without locks.

use super::dialect::{query, query_as, query_scalar};
use super::fault::fault;
use super::inbox::{Inbox, Sorted};
use super::jobs::choose_head;
use super::sorting::{AT_ONCE, Sorting};
use crate::ports::store::{Lane, LeasedJob, NewJob, StoreError};
use crate::store::rows::{JobRow, json, millis, work_text};
use crate::store::sql;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeSet;

/// Jobs that carry no mark, in their order; then whose turn it is in their queues. JSON arrays: `$2` rows of `job`, `$3`
/// pairs of lane and key. A head whose turn it stays is left alone. CROSS JOIN, so that each pair is looked up; the
/// planner would walk through all heads of the lane.
macro_rules! insert_all {
    () => {
        "INSERT INTO job (lane, key, forge, work, run_at, ordered_at, created_at) \
            SELECT value ->> 'lane', value ->> 'key', value ->> 'forge', value ->> 'work', value ->> 'run_at', \
                value ->> 'ordered_at', value ->> 'created_at' \
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

/// A row that [`insert_all`] writes; times in milliseconds. Its JSON lies in the inbox: what an older version wrote must
/// stay readable.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) lane: i64,
    pub(super) key: String,
    pub(super) forge: String,
    pub(super) work: String,
    pub(super) run_at: i64,
    pub(super) ordered_at: i64,
    pub(super) created_at: i64,
}

impl Row {
    /// Of a job that is written at this time.
    pub(super) fn of(at: Timestamp, job: &NewJob) -> Result<Self, StoreError> {
        Ok(Self {
            lane: job.lane.priority(),
            key: job.key.clone(),
            forge: job.platform.as_str().to_owned(),
            work: work_text(job)?,
            run_at: millis(job.run_at),
            ordered_at: millis(job.order),
            created_at: millis(at),
        })
    }
}

/// Lane and key of these.
pub(super) fn turns<'a>(rows: &[&'a Row]) -> BTreeSet<(i64, &'a str)> {
    rows.iter().map(|row| (row.lane, row.key.as_str())).collect()
}

/// Is there anything to lease at `$1`? Asked of a connection that only reads: most looks find nothing, and the one that
/// writes has deliveries to store.
///
/// `$2`: the platforms whose deliveries lie in the inbox, as a JSON array.
pub(super) const IS_DUE: &str = "SELECT EXISTS (SELECT 1 FROM json_each($2) \
    WHERE value NOT IN (SELECT forge FROM pause WHERE until > $1)) \
    OR EXISTS (SELECT 1 FROM job h \
    WHERE (h.head OR h.lease_until IS NOT NULL) AND h.head AND h.run_at <= $1 \
    AND h.forge NOT IN (SELECT forge FROM pause WHERE until > $1) \
    AND NOT EXISTS (SELECT 1 FROM job o \
        WHERE o.lane = h.lane AND o.key = h.key AND o.lease_until IS NOT NULL AND o.lease_until > $1))";

pub(super) async fn is_due(
    connection: &mut SqliteConnection,
    now: Timestamp,
    inbox: &Inbox,
) -> Result<bool, StoreError> {
    let is_due = query_scalar(IS_DUE).bind(millis(now)).bind(json(&inbox.platforms())?);
    is_due.fetch_one(connection).await.map_err(fault)
}

/// What may be leased of one lane: `$1` lane, `$2` now, `$3` limit.
macro_rules! due {
    ($what:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM job h WHERE h.head AND h.lane = $1 AND h.run_at <= $2 \
            AND h.forge NOT IN (SELECT forge FROM pause WHERE until > $2) \
            AND NOT EXISTS (SELECT 1 FROM job o \
                WHERE o.lane = h.lane AND o.key = h.key AND o.lease_until IS NOT NULL AND o.lease_until > $2) \
            ORDER BY h.run_at, h.id LIMIT $3"
        )
    };
}

/// One lane: as in [`due`]; `$4` end of the lease, `$5` token of this call.
pub(super) const LEASE: &str = concat!(
    "UPDATE job SET attempts = attempts + 1, run_at = $4, lease_until = $4, \
        lease_token = $5 || '-' || CAST(id AS TEXT) \
    WHERE id IN (",
    due!("h.id"),
    ") RETURNING id, key, forge, work, ordered_at, created_at, attempts, lease_token, last_error"
);
pub(super) const HEADS: &str = due!("h.key, h.ordered_at");

/// What a lease asks for.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
    pub(super) limit: usize,
    /// Unique to this call.
    pub(super) token: String,
}

/// What a look at the queue comes to.
pub(super) struct Look {
    pub(super) jobs: Vec<LeasedJob>,
    /// To be struck out in the inbox when it is on disk.
    pub(super) sorted: Sorted,
    /// The inbox has more, which this look left to the next one.
    pub(super) is_more: bool,
}

/// Why nothing was leased.
pub(super) enum Missed {
    /// Because of what lies in the inbox.
    Sorting(StoreError),
    Leasing(StoreError),
}

impl From<StoreError> for Missed {
    fn from(error: StoreError) -> Self {
        Self::Leasing(error)
    }
}

/// Leases lane by lane, so that each looks only at what is due in it.
pub(super) async fn lease(
    connection: &mut SqliteConnection,
    wanted: &Wanted,
    inbox: &Inbox,
) -> Result<Look, Missed> {
    let mut sorting = Sorting::begin(connection, inbox, wanted.now).await?;
    let mut jobs = Vec::new();
    for lane in Lane::ALL {
        let room = wanted.limit - jobs.len();
        if room == 0 {
            break;
        }
        jobs.extend(if lane == Lane::Decide {
            lease_delivered(connection, wanted, room, &mut sorting).await?
        } else {
            lease_lane(connection, wanted, lane, room).await?
        });
    }
    let (sorted, is_more) = sorting.end();
    Ok(Look { jobs, sorted, is_more })
}

/// As [`lease`], where sorting fails: what hinders deliveries hinders nothing else.
pub(super) async fn lease_others(
    connection: &mut SqliteConnection,
    wanted: &Wanted,
) -> Result<Vec<LeasedJob>, StoreError> {
    let mut jobs = Vec::new();
    for lane in Lane::ALL.into_iter().filter(|lane| *lane != Lane::Decide) {
        let room = wanted.limit - jobs.len();
        if room > 0 {
            jobs.extend(lease_lane(connection, wanted, lane, room).await?);
        }
    }
    Ok(jobs)
}

/// What was delivered: sorted first, and more of it while a hand is free.
async fn lease_delivered(
    connection: &mut SqliteConnection,
    wanted: &Wanted,
    room: usize,
    sorting: &mut Sorting<'_>,
) -> Result<Vec<LeasedJob>, Missed> {
    let mut jobs = Vec::new();
    loop {
        let free = room - jobs.len();
        if sorting.goes_on() {
            sorting.next(connection, free).await.map_err(Missed::Sorting)?;
        }
        keep_order(connection, wanted, free, sorting).await?;
        jobs.extend(lease_lane(connection, wanted, Lane::Decide, free).await?);
        if jobs.len() == room || !sorting.goes_on() {
            return Ok(jobs);
        }
    }
}

/// So that nobody is worked on before what was delivered of the same queue and is earlier.
async fn keep_order(
    connection: &mut SqliteConnection,
    wanted: &Wanted,
    room: usize,
    sorting: &mut Sorting<'_>,
) -> Result<(), Missed> {
    while !sorting.is_idle() {
        let heads = query_as(HEADS).bind(Lane::Decide.priority()).bind(millis(wanted.now));
        let heads = heads.bind(i64::try_from(room.max(AT_ONCE)).unwrap_or(i64::MAX));
        let heads: Vec<(String, i64)> = heads.fetch_all(&mut *connection).await.map_err(fault)?;
        if !sorting.bring_forward(connection, &heads).await.map_err(Missed::Sorting)? {
            break;
        }
    }
    Ok(())
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
        .bind(i64::try_from(room).unwrap_or(i64::MAX))
        .bind(millis(wanted.until))
        .bind(&wanted.token)
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
