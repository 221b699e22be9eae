//! The queue of jobs, as seen by the writer.

use super::fault::fault;
use crate::ports::store::{Lane, Lease, LeasedJob, NewJob, StoreError};
use crate::store::rows::{JobRow, json, millis, work_text};
use crate::store::sql;
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeSet;

/// Writes a job, unless one with the same mark waits already.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    at: Timestamp,
    job: &NewJob,
) -> Result<(), StoreError> {
    if let Some(mark) = &job.dedupe
        && is_marked(connection, mark).await?
    {
        return Ok(());
    }
    sqlx::query(sql::job::INSERT)
        .bind(job.lane.priority())
        .bind(&job.key)
        .bind(job.forge.as_str())
        .bind(work_text(job)?)
        .bind(millis(job.run_at))
        .bind(millis(job.order))
        .bind(millis(at))
        .bind(&job.dedupe)
        .execute(&mut *connection)
        .await
        .map_err(fault)?;
    choose_head(connection, job.lane.priority(), &job.key).await
}

/// Rows as a JSON array.
const INSERT_ALL: &str = "INSERT INTO job (lane, key, forge, work, run_at, ordered_at, created_at) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 \
    FROM json_each($1) ORDER BY json_each.key";
/// [`sql::job::CLEAR_HEAD`] for many: `$1` is an array of pairs of lane and key.
pub(super) const CLEAR_HEADS: &str = "UPDATE job SET head = FALSE WHERE head \
    AND (lane, key) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))";
/// [`sql::job::SET_HEAD`] for many.
pub(super) const SET_HEADS: &str = "UPDATE job SET head = TRUE WHERE id IN (SELECT \
    (SELECT id FROM job WHERE lane = w.value ->> 0 AND key = w.value ->> 1 AND NOT dead \
        ORDER BY ordered_at, id LIMIT 1) \
    FROM json_each($1) w)";

/// Writes jobs that carry no mark, in their order, each with the time of its writing.
pub(super) async fn insert_all(
    connection: &mut SqliteConnection,
    jobs: &[(Timestamp, NewJob)],
) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(jobs.len());
    for (at, job) in jobs {
        let (run_at, order, at) = (millis(job.run_at), millis(job.order), millis(*at));
        let work = work_text(job)?;
        rows.push(json!([job.lane.priority(), job.key, job.forge.as_str(), work, run_at, order, at]));
    }
    let turns: BTreeSet<_> = jobs.iter().map(|(_, job)| (job.lane.priority(), job.key.as_str())).collect();
    let turns = json(&turns)?;
    for (statement, rows) in
        [(INSERT_ALL, &Value::from(rows).to_string()), (CLEAR_HEADS, &turns), (SET_HEADS, &turns)]
    {
        sqlx::query(statement).bind(rows).execute(&mut *connection).await.map_err(fault)?;
    }
    Ok(())
}

async fn is_marked(connection: &mut SqliteConnection, mark: &str) -> Result<bool, StoreError> {
    let query = sqlx::query_scalar::<_, i64>(sql::job::IS_MARKED).bind(mark);
    Ok(query.fetch_one(connection).await.map_err(fault)? > 0)
}

/// Marks the job whose turn it is; needed whenever a job of this lane and key comes or goes.
pub(super) async fn choose_head(
    connection: &mut SqliteConnection,
    lane: i64,
    key: &str,
) -> Result<(), StoreError> {
    for statement in [sql::job::CLEAR_HEAD, sql::job::SET_HEAD] {
        sqlx::query(statement).bind(lane).bind(key).execute(&mut *connection).await.map_err(fault)?;
    }
    Ok(())
}

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
    let mut rows: Vec<JobRow> = sqlx::query_as(sql::job::LEASE)
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
    sqlx::query(sql::job::DEAD).bind(id).bind(why).execute(connection).await.map_err(fault)?;
    Ok(())
}

/// The lane and key of a job, if the lease is still the holder's.
pub(super) async fn held(
    connection: &mut SqliteConnection,
    lease: &Lease,
) -> Result<Option<(i64, String)>, StoreError> {
    let query = sqlx::query_as(sql::job::IS_LEASED).bind(lease.job).bind(&lease.token);
    query.fetch_optional(connection).await.map_err(fault)
}

/// What becomes of a job whose lease was found to be held.
pub(super) enum End {
    Done,
    Dead(String),
    Again(Timestamp),
}

/// Ends a job and gives the turn to the next one of its lane and key.
pub(super) async fn end(
    connection: &mut SqliteConnection,
    job: i64,
    turn: &(i64, String),
    end: End,
) -> Result<(), StoreError> {
    let query = match end {
        End::Done => sqlx::query(sql::job::DONE).bind(job),
        End::Dead(why) => sqlx::query(sql::job::DEAD).bind(job).bind(why),
        End::Again(at) => sqlx::query(sql::job::AGAIN).bind(job).bind(millis(at)),
    };
    query.execute(&mut *connection).await.map_err(fault)?;
    choose_head(connection, turn.0, &turn.1).await
}

/// Is another `Decide` job with this key stored?
pub(super) async fn others_wait(
    connection: &mut SqliteConnection,
    key: &str,
    except: i64,
) -> Result<bool, StoreError> {
    let query =
        sqlx::query_scalar::<_, i64>(sql::job::OTHERS).bind(Lane::Decide.priority()).bind(key).bind(except);
    Ok(query.fetch_one(connection).await.map_err(fault)? > 0)
}
