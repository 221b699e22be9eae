//! Questions. Each is one statement, so that each sees one state and none holds a read transaction open.

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
use sqlx::SqlitePool;

type Answer<T> = Result<T, StoreError>;

pub(super) async fn next_due(pool: &SqlitePool, now: Timestamp) -> Answer<Option<Timestamp>> {
    let mut earliest: Option<i64> = None;
    for statement in [sql::job::NEXT_DUE, sql::job::NEXT_UNPAUSED] {
        let query = sqlx::query_scalar::<_, Option<i64>>(statement).bind(millis(now));
        let at = query.fetch_one(pool).await.map_err(fault)?;
        earliest = earliest.into_iter().chain(at).min();
    }
    earliest.map(time).transpose()
}

pub(super) async fn depth(pool: &SqlitePool, now: Timestamp) -> Answer<QueueDepth> {
    let query = sqlx::query_as::<_, DepthRow>(sql::job::DEPTH).bind(millis(now));
    let row = query.fetch_one(pool).await.map_err(fault)?;
    let count = |counted: i64| u64::try_from(counted).unwrap_or(0);
    Ok(QueueDepth { due: count(row.due), later: count(row.later), dead: count(row.dead) })
}

pub(super) async fn ledger(pool: &SqlitePool, id: &DeploymentId) -> Answer<Vec<Sealed>> {
    chain_rows(pool, id).await?.into_iter().map(SealedRow::sealed).collect()
}

pub(super) async fn deployment(pool: &SqlitePool, id: &DeploymentId) -> Answer<Option<Deployment>> {
    Ok(deployments(chain_rows(pool, id).await?)?.pop())
}

async fn chain_rows(pool: &SqlitePool, id: &DeploymentId) -> Answer<Vec<SealedRow>> {
    sqlx::query_as(sql::ledger::CHAIN).bind(id.as_str()).fetch_all(pool).await.map_err(fault)
}

pub(super) async fn deployments_in(
    pool: &SqlitePool,
    at: &Conversation,
    limit: u32,
) -> Answer<Vec<Deployment>> {
    let query = sqlx::query_as(sql::deployment::CHAINS_IN).bind(at.key()).bind(i64::from(limit));
    deployments(query.fetch_all(pool).await.map_err(fault)?)
}

pub(super) async fn deployments_of(
    pool: &SqlitePool,
    (forge, project): (&ForgeName, ProjectId),
    status: Option<Status>,
    limit: u32,
) -> Answer<Vec<Deployment>> {
    let statement = match status {
        Some(_) => sql::deployment::CHAINS_OF_STATUS,
        None => sql::deployment::CHAINS_OF,
    };
    let mut query = sqlx::query_as(statement).bind(forge.as_str()).bind(project.0).bind(i64::from(limit));
    if let Some(status) = status {
        query = query.bind(status.as_str());
    }
    deployments(query.fetch_all(pool).await.map_err(fault)?)
}

pub(super) async fn numbered(
    pool: &SqlitePool,
    (forge, project): (&ForgeName, ProjectId),
    number: i64,
) -> Answer<Option<Deployment>> {
    let query = sqlx::query_as(sql::deployment::CHAINS_OF_NUMBER);
    let query = query.bind(forge.as_str()).bind(project.0).bind(number);
    Ok(deployments(query.fetch_all(pool).await.map_err(fault)?)?.into_iter().next())
}

pub(super) async fn of_run(
    pool: &SqlitePool,
    (forge, project): (&ForgeName, ProjectId),
    run: i64,
) -> Answer<Vec<DeploymentId>> {
    let query = sqlx::query_scalar::<_, String>(sql::deployment::OF_RUN);
    let query = query.bind(forge.as_str()).bind(project.0).bind(run);
    Ok(ids(query.fetch_all(pool).await.map_err(fault)?))
}

pub(super) async fn watched(pool: &SqlitePool, forge: &ForgeName) -> Answer<Vec<DeploymentId>> {
    let query = sqlx::query_scalar::<_, String>(sql::deployment::WATCHED).bind(forge.as_str());
    Ok(ids(query.fetch_all(pool).await.map_err(fault)?))
}

pub(super) async fn watched_rooms(pool: &SqlitePool, forge: &ForgeName) -> Answer<Vec<Conversation>> {
    let query = sqlx::query_scalar::<_, String>(sql::deployment::WATCHED_ROOMS).bind(forge.as_str());
    let keys = query.fetch_all(pool).await.map_err(fault)?;
    keys.iter().map(|key| rows::conversation(key)).collect()
}

pub(super) async fn open(
    pool: &SqlitePool,
    forge: &ForgeName,
    project: ProjectId,
) -> Answer<Vec<(i64, DeploymentId)>> {
    let query = sqlx::query_as::<_, (i64, String)>(sql::deployment::OPEN);
    let rows = query.bind(forge.as_str()).bind(project.0).fetch_all(pool).await.map_err(fault)?;
    Ok(rows.into_iter().map(|(age, id)| (age, DeploymentId::from_stored(id))).collect())
}

pub(super) async fn room(pool: &SqlitePool, at: &Conversation) -> Answer<Room> {
    let query = sqlx::query_as::<_, RoomRow>(sql::room::ONE).bind(at.key());
    let row = query.fetch_optional(pool).await.map_err(fault)?;
    row.map_or_else(|| Ok(Room::default()), RoomRow::room)
}

pub(super) async fn heard(
    pool: &SqlitePool,
    comment: &CommentRef,
) -> Answer<Option<(String, UserId, Timestamp)>> {
    let query = sqlx::query_as::<_, HeardRow>(sql::delivery::HEARD).bind(comment.key());
    query.fetch_optional(pool).await.map_err(fault)?.map(HeardRow::heard).transpose()
}

pub(super) async fn is_taken(pool: &SqlitePool, source: &str) -> Answer<bool> {
    let query = sqlx::query_scalar::<_, i64>(sql::command::OF_SOURCE).bind(source);
    Ok(query.fetch_one(pool).await.map_err(fault)? > 0)
}

pub(super) async fn is_wanted(pool: &SqlitePool, source: &ForgeName, delivery: &str) -> Answer<bool> {
    let query = sqlx::query_scalar::<_, i64>(sql::delivery::IS_KNOWN).bind(source.as_str()).bind(delivery);
    Ok(query.fetch_one(pool).await.map_err(fault)? == 0)
}

pub(super) async fn answers_to(
    pool: &SqlitePool,
    at: &Conversation,
    by: UserId,
    since: Timestamp,
) -> Answer<u32> {
    let query = sqlx::query_scalar::<_, i64>(sql::command::ANSWERED);
    let query = query.bind(at.key()).bind(by.0).bind(millis(since));
    Ok(u32::try_from(query.fetch_one(pool).await.map_err(fault)?).unwrap_or(u32::MAX))
}

pub(super) async fn pinned(
    pool: &SqlitePool,
    forge: &ForgeName,
    kind: &str,
    name: &str,
) -> Answer<Option<i64>> {
    let query = sqlx::query_scalar(sql::pin::ONE).bind(forge.as_str()).bind(kind).bind(name);
    query.fetch_optional(pool).await.map_err(fault)
}

pub(super) async fn projects(pool: &SqlitePool, forge: &ForgeName) -> Answer<Vec<KnownProject>> {
    let query = sqlx::query_as::<_, ProjectRow>(sql::project::ALL).bind(forge.as_str());
    let rows = query.fetch_all(pool).await.map_err(fault)?;
    rows.into_iter().map(ProjectRow::project).collect()
}

pub(super) async fn ledger_ids(
    pool: &SqlitePool,
    after: Option<&DeploymentId>,
    limit: u32,
) -> Answer<Vec<DeploymentId>> {
    // Every identity sorts after the empty text.
    let after = after.map_or("", DeploymentId::as_str);
    let query = sqlx::query_scalar::<_, String>(sql::ledger::IDS).bind(after).bind(i64::from(limit));
    Ok(ids(query.fetch_all(pool).await.map_err(fault)?))
}

fn ids(texts: Vec<String>) -> Vec<DeploymentId> {
    texts.into_iter().map(DeploymentId::from_stored).collect()
}
