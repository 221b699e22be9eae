//! The queue as those see it who look after the server: how much waits, and what was given up.
//! Compiled once for each database, beside its own `dialect` and `fault`.

use super::dialect::{Connection, query, query_as, query_scalar};
use super::fault::fault;
use super::jobs::choose_head;
use crate::ports::store::{Backlog, Lane, LaneLoad, StoreError, StoredJob, TakenCommand};
use crate::store::rows::{StoredJobRow, millis, time};
use crate::store::sql;
use jiff::Timestamp;

type Answer<T> = Result<T, StoreError>;

const COUNTED: i64 = Backlog::COUNTED.cast_signed();

/// Each figure is read from an index and counted to an end.
pub(super) async fn backlog(connection: &mut Connection, now: Timestamp) -> Answer<Backlog> {
    let mut lanes = Vec::with_capacity(Lane::ALL.len());
    for lane in Lane::ALL {
        let count = query_scalar::<i64>(sql::job::COUNT).bind(lane.priority()).bind(COUNTED);
        let jobs = count.fetch_one(&mut *connection).await.map_err(fault)?;
        let oldest = query_scalar::<Option<i64>>(sql::job::DUE_SINCE).bind(lane.priority());
        let oldest = oldest.bind(millis(now)).fetch_one(&mut *connection).await.map_err(fault)?;
        lanes.push(LaneLoad { lane, jobs: counted(jobs), due_since: oldest.map(time).transpose()? });
    }
    let dead = query_scalar::<i64>(sql::job::COUNT_DEAD).bind(COUNTED);
    let dead = dead.fetch_one(connection).await.map_err(fault)?;
    Ok(Backlog { lanes, dead: counted(dead), unsorted: 0 })
}

fn counted(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or(0)
}

pub(super) async fn list(
    connection: &mut Connection,
    only_dead: bool,
    after: i64,
    limit: u32,
) -> Answer<Vec<StoredJob>> {
    let statement = if only_dead { sql::job::LIST_DEAD } else { sql::job::LIST };
    let list = query_as::<StoredJobRow>(statement).bind(after).bind(i64::from(limit));
    let rows = list.fetch_all(connection).await.map_err(fault)?;
    rows.into_iter().map(StoredJobRow::stored).collect()
}

/// Nobody else may give this job's turn away until the transaction ends.
pub(super) async fn revive(
    connection: &mut Connection,
    job: i64,
    now: Timestamp,
    comment: Option<&str>,
) -> Answer<bool> {
    let revive = query_as::<(i64, String)>(sql::job::REVIVE).bind(job).bind(millis(now));
    let Some((lane, key)) = revive.fetch_optional(&mut *connection).await.map_err(fault)? else {
        return Ok(false);
    };
    if let Some(comment) = comment {
        let forget = query(sql::command::FORGET).bind(comment.to_owned());
        let forget = forget.bind(TakenCommand::WHOLE).bind(TakenCommand::GIVEN_UP);
        forget.execute(&mut *connection).await.map_err(fault)?;
    }
    choose_head(connection, lane, &key).await?;
    Ok(true)
}

pub(super) async fn discard(connection: &mut Connection, job: i64) -> Answer<bool> {
    let discard = query(sql::job::DISCARD).bind(job);
    Ok(discard.execute(connection).await.map_err(fault)?.rows_affected() > 0)
}
