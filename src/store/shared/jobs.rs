//! The queue of jobs, inside a transaction that has it for itself (see [`super::commit`]).
//! Compiled once for each database, beside its own `dialect` and `fault`.

use super::dialect::{Connection, Statement, query, query_as, query_scalar};
use super::fault::fault;
use crate::ports::store::{Lane, Lease, NewJob, StoreError};
use crate::store::rows::{millis, plain, work_text};
use crate::store::sql;
use jiff::Timestamp;

/// Writes a job, unless one with the same mark waits already.
pub(super) async fn insert(
    connection: &mut Connection,
    at: Timestamp,
    job: &NewJob,
) -> Result<(), StoreError> {
    if let Some(mark) = &job.dedupe
        && is_marked(connection, mark).await?
    {
        return Ok(());
    }
    query(sql::job::INSERT)
        .bind(job.lane.priority())
        .bind(&job.key)
        .bind(job.platform.as_str())
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

async fn is_marked(connection: &mut Connection, mark: &str) -> Result<bool, StoreError> {
    let query = query_scalar::<i64>(sql::job::IS_MARKED).bind(mark);
    Ok(query.fetch_one(connection).await.map_err(fault)? > 0)
}

/// Marks the job whose turn it is; needed whenever a job of this lane and key comes or goes.
pub(super) async fn choose_head(connection: &mut Connection, lane: i64, key: &str) -> Result<(), StoreError> {
    for statement in [sql::job::CLEAR_HEAD, sql::job::SET_HEAD] {
        query(statement).bind(lane).bind(key).execute(&mut *connection).await.map_err(fault)?;
    }
    Ok(())
}

/// The lane and key of a job, if the lease is still the holder's.
pub(super) async fn held(
    connection: &mut Connection,
    lease: &Lease,
) -> Result<Option<(i64, String)>, StoreError> {
    let query = query_as(sql::job::IS_LEASED).bind(lease.job).bind(&lease.token);
    query.fetch_optional(connection).await.map_err(fault)
}

async fn run(connection: &mut Connection, statement: Statement) -> Result<u64, StoreError> {
    Ok(statement.execute(connection).await.map_err(fault)?.rows_affected())
}

/// What becomes of a job whose lease was found to be held.
pub(super) enum End {
    Done,
    Dead(String),
    Again(Timestamp),
}

/// Ends a job and gives the turn to the next one of its lane and key.
pub(super) async fn end(
    connection: &mut Connection,
    job: i64,
    turn: &(i64, String),
    end: End,
) -> Result<(), StoreError> {
    match end {
        End::Done => run(connection, query(sql::job::DONE).bind(job)).await?,
        End::Dead(why) => run(connection, query(sql::job::DEAD).bind(job).bind(plain(&why))).await?,
        // Two instances that start at once may both have written a periodic job: one of them goes on.
        End::Again(_) if run(connection, query(sql::job::DONE_IF_DOUBLE).bind(job)).await? > 0 => 1,
        End::Again(at) => run(connection, query(sql::job::AGAIN).bind(job).bind(millis(at))).await?,
    };
    choose_head(connection, turn.0, &turn.1).await
}

/// Is another `Decide` job with this key stored?
pub(super) async fn others_wait(
    connection: &mut Connection,
    key: &str,
    except: i64,
) -> Result<bool, StoreError> {
    let query = query_scalar::<i64>(sql::job::OTHERS).bind(Lane::Decide.priority()).bind(key).bind(except);
    Ok(query.fetch_one(connection).await.map_err(fault)? > 0)
}
