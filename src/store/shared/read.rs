//! Questions. Each but one is a single statement, so that each sees one state.
//! Compiled once for each database, beside its own `dialect` and `fault`.

use super::dialect::{Connection, query_as, query_scalar};
use super::fault::fault;
use crate::domain::deployment::{Deployment, Status};
use crate::domain::id::{CommentRef, Conversation, DeploymentId, ForgeName, ProjectId, UserId};
use crate::domain::ledger::Sealed;
use crate::ports::store::{KnownProject, QueueDepth, Room, StoreError};
use crate::store::rows::{
    self, DepthRow, HeardRow, ProjectRow, RoomRow, SealedRow, deployments, millis, time,
};
use crate::store::sql;
use jiff::Timestamp;
use std::collections::BTreeSet;

type Answer<T> = Result<T, StoreError>;

pub(super) async fn next_due(connection: &mut Connection, now: Timestamp) -> Answer<Option<Timestamp>> {
    let query = query_scalar::<Option<i64>>(sql::job::NEXT_DUE).bind(millis(now));
    let earliest = query.fetch_one(connection).await.map_err(fault)?;
    earliest.map(time).transpose()
}

pub(super) async fn depth(connection: &mut Connection, now: Timestamp) -> Answer<QueueDepth> {
    let query = query_as::<DepthRow>(sql::job::DEPTH).bind(millis(now));
    let row = query.fetch_one(connection).await.map_err(fault)?;
    let count = |counted: i64| u64::try_from(counted).unwrap_or(0);
    Ok(QueueDepth { due: count(row.due), later: count(row.later), dead: count(row.dead) })
}

pub(super) async fn ledger(connection: &mut Connection, id: &DeploymentId) -> Answer<Vec<Sealed>> {
    chain_rows(connection, id).await?.into_iter().map(SealedRow::sealed).collect()
}

pub(super) async fn deployment(connection: &mut Connection, id: &DeploymentId) -> Answer<Option<Deployment>> {
    Ok(deployments(chain_rows(connection, id).await?)?.pop())
}

async fn chain_rows(connection: &mut Connection, id: &DeploymentId) -> Answer<Vec<SealedRow>> {
    query_as(sql::ledger::CHAIN).bind(id.as_str()).fetch_all(connection).await.map_err(fault)
}

pub(super) async fn deployments_in(
    connection: &mut Connection,
    at: &Conversation,
    limit: u32,
) -> Answer<Vec<Deployment>> {
    let query = query_as(sql::deployment::CHAINS_IN).bind(at.key()).bind(i64::from(limit));
    deployments(query.fetch_all(connection).await.map_err(fault)?)
}

pub(super) async fn deployments_of(
    connection: &mut Connection,
    (forge, project): (&ForgeName, ProjectId),
    status: Option<Status>,
    limit: u32,
) -> Answer<Vec<Deployment>> {
    let statement = match status {
        Some(_) => sql::deployment::CHAINS_OF_STATUS,
        None => sql::deployment::CHAINS_OF,
    };
    let mut query = query_as(statement).bind(forge.as_str()).bind(project.0).bind(i64::from(limit));
    if let Some(status) = status {
        query = query.bind(status.as_str());
    }
    deployments(query.fetch_all(connection).await.map_err(fault)?)
}

pub(super) async fn environments(
    connection: &mut Connection,
    (forge, project): (&ForgeName, ProjectId),
    limit: u32,
) -> Answer<Vec<String>> {
    let query = query_as(sql::deployment::OPENINGS);
    let query = query.bind(forge.as_str()).bind(project.0).bind(i64::from(limit));
    let opened = deployments(query.fetch_all(connection).await.map_err(fault)?)?;
    let names: BTreeSet<String> = opened.into_iter().map(|d| d.description.environment).collect();
    Ok(names.into_iter().collect())
}

pub(super) async fn numbered(
    connection: &mut Connection,
    (forge, project): (&ForgeName, ProjectId),
    number: i64,
) -> Answer<Option<Deployment>> {
    let query = query_as(sql::deployment::CHAINS_OF_NUMBER);
    let query = query.bind(forge.as_str()).bind(project.0).bind(number);
    Ok(deployments(query.fetch_all(connection).await.map_err(fault)?)?.into_iter().next())
}

pub(super) async fn of_run(
    connection: &mut Connection,
    (forge, project): (&ForgeName, ProjectId),
    run: i64,
) -> Answer<Vec<DeploymentId>> {
    let query = query_scalar::<String>(sql::deployment::OF_RUN);
    let query = query.bind(forge.as_str()).bind(project.0).bind(run);
    Ok(ids(query.fetch_all(connection).await.map_err(fault)?))
}

pub(super) async fn watched(connection: &mut Connection, forge: &ForgeName) -> Answer<Vec<DeploymentId>> {
    let query = query_scalar::<String>(sql::deployment::WATCHED).bind(forge.as_str());
    Ok(ids(query.fetch_all(connection).await.map_err(fault)?))
}

pub(super) async fn watched_rooms(
    connection: &mut Connection,
    forge: &ForgeName,
) -> Answer<Vec<Conversation>> {
    let query = query_scalar::<String>(sql::deployment::WATCHED_ROOMS).bind(forge.as_str());
    let keys = query.fetch_all(connection).await.map_err(fault)?;
    keys.iter().map(|key| rows::conversation(key)).collect()
}

pub(super) async fn open(
    connection: &mut Connection,
    forge: &ForgeName,
    project: ProjectId,
) -> Answer<Vec<(i64, DeploymentId)>> {
    let query = query_as::<(i64, String)>(sql::deployment::OPEN);
    let rows = query.bind(forge.as_str()).bind(project.0).fetch_all(connection).await.map_err(fault)?;
    Ok(rows.into_iter().map(|(age, id)| (age, DeploymentId::from_stored(id))).collect())
}

pub(super) async fn newest_open(
    connection: &mut Connection,
    (forge, project): (&ForgeName, ProjectId),
    limit: u32,
) -> Answer<Vec<Deployment>> {
    let query = query_as(sql::deployment::CHAINS_OPEN);
    let query = query.bind(forge.as_str()).bind(project.0).bind(i64::from(limit));
    deployments(query.fetch_all(connection).await.map_err(fault)?)
}

pub(super) async fn ahead_of(
    connection: &mut Connection,
    (forge, project): (&ForgeName, ProjectId),
    order: i64,
) -> Answer<Vec<DeploymentId>> {
    let query = query_scalar::<String>(sql::deployment::AHEAD);
    let query = query.bind(forge.as_str()).bind(project.0).bind(order);
    Ok(ids(query.fetch_all(connection).await.map_err(fault)?))
}

pub(super) async fn room(connection: &mut Connection, at: &Conversation) -> Answer<Room> {
    let query = query_as::<RoomRow>(sql::room::ONE).bind(at.key());
    let row = query.fetch_optional(connection).await.map_err(fault)?;
    row.map_or_else(|| Ok(Room::default()), RoomRow::room)
}

pub(super) async fn heard(
    connection: &mut Connection,
    comment: &CommentRef,
) -> Answer<Option<(String, UserId, Timestamp)>> {
    let query = query_as::<HeardRow>(sql::delivery::HEARD).bind(comment.key());
    query.fetch_optional(connection).await.map_err(fault)?.map(HeardRow::heard).transpose()
}

pub(super) async fn is_taken(connection: &mut Connection, source: &str) -> Answer<bool> {
    let query = query_scalar::<i64>(sql::command::OF_SOURCE).bind(source);
    Ok(query.fetch_one(connection).await.map_err(fault)? > 0)
}

pub(super) async fn is_wanted(
    connection: &mut Connection,
    source: &ForgeName,
    delivery: &str,
) -> Answer<bool> {
    let query = query_scalar::<i64>(sql::delivery::IS_KNOWN).bind(source.as_str()).bind(delivery);
    Ok(query.fetch_one(connection).await.map_err(fault)? == 0)
}

pub(super) async fn answers_to(
    connection: &mut Connection,
    place: &str,
    by: UserId,
    since: Timestamp,
) -> Answer<u32> {
    let query = query_scalar::<i64>(sql::command::ANSWERED);
    let query = query.bind(place).bind(by.0).bind(millis(since));
    Ok(u32::try_from(query.fetch_one(connection).await.map_err(fault)?).unwrap_or(u32::MAX))
}

pub(super) async fn pinned(
    connection: &mut Connection,
    forge: &ForgeName,
    kind: &str,
    name: &str,
) -> Answer<Option<i64>> {
    let query = query_scalar(sql::pin::ONE).bind(forge.as_str()).bind(kind).bind(name);
    query.fetch_optional(connection).await.map_err(fault)
}

pub(super) async fn projects(connection: &mut Connection, forge: &ForgeName) -> Answer<Vec<KnownProject>> {
    let query = query_as::<ProjectRow>(sql::project::ALL).bind(forge.as_str());
    let rows = query.fetch_all(connection).await.map_err(fault)?;
    rows.into_iter().map(ProjectRow::project).collect()
}

pub(super) async fn ledger_after(
    connection: &mut Connection,
    after: Option<(&DeploymentId, i64)>,
    limit: u32,
) -> Answer<Vec<(DeploymentId, Sealed)>> {
    // Every identity sorts after the empty text.
    let (deployment, seq) = after.map_or(("", 0), |(id, seq)| (id.as_str(), seq));
    let query = query_as::<SealedRow>(sql::ledger::AFTER).bind(deployment.to_owned()).bind(seq);
    let rows = query.bind(i64::from(limit)).fetch_all(connection).await.map_err(fault)?;
    rows.into_iter().map(SealedRow::of_deployment).collect()
}

pub(super) async fn ledger_ids(
    connection: &mut Connection,
    after: Option<&DeploymentId>,
    limit: u32,
) -> Answer<Vec<DeploymentId>> {
    // Every identity sorts after the empty text.
    let after = after.map_or("", DeploymentId::as_str);
    let query = query_scalar::<String>(sql::ledger::IDS).bind(after).bind(i64::from(limit));
    Ok(ids(query.fetch_all(connection).await.map_err(fault)?))
}

fn ids(texts: Vec<String>) -> Vec<DeploymentId> {
    texts.into_iter().map(DeploymentId::from_stored).collect()
}
