//! Writes of one row each. Compiled once for each database, beside its own `dialect` and `fault`.

use super::dialect::{Connection, query, query_scalar};
use super::fault::fault;
use crate::domain::id::{DeploymentId, ForgeName, ProjectId};
use crate::ports::store::{KnownProject, Lease, StoreError};
use crate::store::rows::{millis, plain};
use crate::store::sql;
use jiff::Timestamp;

type Answer<T> = Result<T, StoreError>;

/// Rows that one transaction of [`forget`] removes.
const FORGET_AT_ONCE: i64 = 500;
/// What [`forget`] is to be called with, one after the other.
pub(super) const FORGET: [&str; 3] =
    [sql::delivery::FORGET, sql::delivery::FORGET_HEARD, sql::delivery::FORGET_ASKED];

/// Removes what is older than this, up to a bound; returns how many rows.
pub(super) async fn forget(
    connection: &mut Connection,
    statement: &'static str,
    before: Timestamp,
) -> Answer<u64> {
    let forget = query(statement).bind(millis(before)).bind(FORGET_AT_ONCE);
    Ok(forget.execute(connection).await.map_err(fault)?.rows_affected())
}

pub(super) async fn postpone(
    connection: &mut Connection,
    lease: &Lease,
    run_at: Timestamp,
    (why, uncounted): (&str, bool),
) -> Answer<()> {
    let postpone = query(sql::job::POSTPONE).bind(lease.job).bind(&lease.token).bind(millis(run_at));
    let postpone = postpone.bind(plain(why)).bind(i64::from(uncounted));
    postpone.execute(connection).await.map_err(fault)?;
    Ok(())
}

pub(super) async fn pause(connection: &mut Connection, forge: &ForgeName, until: Timestamp) -> Answer<()> {
    let pause = query(sql::job::PAUSE).bind(forge.as_str()).bind(millis(until));
    pause.execute(connection).await.map_err(fault)?;
    Ok(())
}

/// Nobody else may give a number of this project until the transaction ends.
pub(super) async fn give_number(
    connection: &mut Connection,
    forge: &ForgeName,
    project: ProjectId,
    id: &DeploymentId,
) -> Answer<i64> {
    let give = query(sql::number::GIVE).bind(id.as_str()).bind(forge.as_str()).bind(project.0);
    give.execute(&mut *connection).await.map_err(fault)?;
    query_scalar(sql::number::ONE).bind(id.as_str()).fetch_one(connection).await.map_err(fault)
}

pub(super) async fn asked_again(
    connection: &mut Connection,
    source: &ForgeName,
    delivery: &str,
    now: Timestamp,
) -> Answer<()> {
    let ask = query(sql::delivery::ASKED_AGAIN).bind(source.as_str()).bind(delivery).bind(millis(now));
    ask.execute(connection).await.map_err(fault)?;
    Ok(())
}

pub(super) async fn pin(
    connection: &mut Connection,
    forge: &ForgeName,
    (kind, name): (&str, &str),
    id: i64,
) -> Answer<i64> {
    let insert = query(sql::pin::INSERT).bind(forge.as_str()).bind(kind).bind(name).bind(id);
    insert.execute(&mut *connection).await.map_err(fault)?;
    let read = query_scalar(sql::pin::ONE).bind(forge.as_str()).bind(kind).bind(name);
    read.fetch_one(connection).await.map_err(fault)
}

pub(super) async fn save_project(
    connection: &mut Connection,
    forge: &ForgeName,
    project: &KnownProject,
) -> Answer<()> {
    let save = query(sql::project::SAVE).bind(forge.as_str()).bind(project.id.0).bind(&project.path);
    let save = save.bind(project.active_at.map(millis)).bind(project.looked_at.map(millis));
    save.execute(connection).await.map_err(fault)?;
    Ok(())
}

/// A write that changes nothing anybody reads.
pub(super) async fn probe(connection: &mut Connection) -> Answer<()> {
    query(sql::PROBE).execute(connection).await.map_err(fault)?;
    Ok(())
}
