//! [`crate::ports::store::Store::commit`], inside its transaction.
//! Compiled once for each database, beside its own `dialect` and `fault`. Nobody else may change what this reads
//! until the transaction ends: on SQLite nobody else writes, on PostgreSQL the caller has taken the locks.

use super::chats;
use super::dialect::{Connection, query, query_as};
use super::fault::fault;
use super::jobs::{self, End};
use crate::domain::deployment::Deployment;
use crate::domain::id::{Conversation, DeploymentId};
use crate::domain::ledger::{Sealed, seal};
use crate::ports::store::{Change, Commit, CommitError, Finish, Lease, RoomNews, StoreError, TakenCommand};
use crate::store::rows::{SealedRow, fold, json, millis, unreadable};
use crate::store::sql;
use jiff::Timestamp;

/// No job has this number.
const NO_JOB: i64 = 0;

/// First what may refuse (lease, commands, versions, waiting deliveries), then what is written.
pub(super) async fn write(connection: &mut Connection, commit: Commit) -> Result<(), CommitError> {
    let ending = check_lease(connection, commit.finish).await?;
    take(connection, &commit.commands).await?;
    check_versions(connection, &commit.changes).await?;
    let finished = ending.as_ref().map_or(NO_JOB, |ending| ending.job);
    check_waiting(connection, &commit.unless_waiting, finished).await?;

    for change in &commit.changes {
        append(connection, commit.at, change).await?;
    }
    for (conversation, news) in &commit.rooms {
        save_room(connection, conversation, news).await?;
    }
    for (channel, subject, news) in &commit.postings {
        chats::save(connection, (channel, subject), news).await?;
    }
    if let Some(Ending { job, turn, end }) = ending {
        jobs::end(connection, job, &turn, end).await?;
    }
    for job in &commit.jobs {
        jobs::insert(connection, commit.at, job).await?;
    }
    Ok(())
}

/// A job that is ours to end.
struct Ending {
    job: i64,
    turn: (i64, String),
    end: End,
}

async fn check_lease(
    connection: &mut Connection,
    finish: Option<Finish>,
) -> Result<Option<Ending>, CommitError> {
    let (Lease { job, token }, end) = match finish {
        None => return Ok(None),
        Some(Finish::Done(lease)) => (lease, End::Done),
        Some(Finish::Dead(lease, why)) => (lease, End::Dead(why)),
        Some(Finish::Again(lease, at)) => (lease, End::Again(at)),
    };
    let turn = jobs::held(connection, &Lease { job, token }).await?.ok_or(CommitError::LeaseLost)?;
    Ok(Some(Ending { job, turn, end }))
}

async fn take(connection: &mut Connection, commands: &[TakenCommand]) -> Result<(), CommitError> {
    for command in commands {
        let inserted = query(sql::command::INSERT)
            .bind(&command.source)
            .bind(command.line)
            .bind(&command.place)
            .bind(command.by.0)
            .bind(millis(command.at))
            .bind(&command.outcome)
            .bind(command.named)
            .execute(&mut *connection)
            .await
            .map_err(fault)?;
        if inserted.rows_affected() == 0 {
            return Err(CommitError::AlreadyTaken);
        }
    }
    Ok(())
}

async fn check_versions(connection: &mut Connection, changes: &[Change]) -> Result<(), CommitError> {
    for change in changes {
        let chain = chain(connection, &change.deployment).await?;
        if version(&chain) != change.expected {
            return Err(CommitError::Conflict);
        }
    }
    Ok(())
}

async fn check_waiting(
    connection: &mut Connection,
    keys: &[String],
    finished: i64,
) -> Result<(), CommitError> {
    for key in keys {
        if jobs::others_wait(connection, key, finished).await? {
            return Err(CommitError::Held);
        }
    }
    Ok(())
}

fn version(chain: &[Sealed]) -> i64 {
    chain.last().map_or(0, |sealed| sealed.seq)
}

async fn chain(connection: &mut Connection, id: &DeploymentId) -> Result<Vec<Sealed>, StoreError> {
    let rows: Vec<SealedRow> =
        query_as(sql::ledger::CHAIN).bind(id.as_str()).fetch_all(connection).await.map_err(fault)?;
    rows.into_iter().map(SealedRow::sealed).collect()
}

/// Lengthens a chain and writes beside it what the longer chain says.
async fn append(connection: &mut Connection, at: Timestamp, change: &Change) -> Result<(), CommitError> {
    let id = &change.deployment;
    let mut chain = chain(connection, id).await?;
    if version(&chain) != change.expected {
        // Two changes of one deployment in one commit: the second was decided without the first.
        return Err(CommitError::Conflict);
    }
    let old = chain.len();
    for entry in &change.entries {
        let sealed = seal(id, chain.last(), at, entry)
            .map_err(|error| unreadable(format!("an entry of {id} can't be written: {error}")))?;
        chain.push(sealed);
    }
    let deployment = fold(id, &chain)?;
    save_deployment(connection, &deployment).await?;
    if let Some(notify) = &deployment.description.notify
        && old == 0
    {
        chats::open(connection, at, notify).await?;
    }
    for sealed in chain.iter().skip(old) {
        add_entry(connection, id, sealed).await?;
    }
    Ok(())
}

async fn save_deployment(connection: &mut Connection, deployment: &Deployment) -> Result<(), StoreError> {
    let description = &deployment.description;
    query(sql::deployment::SAVE)
        .bind(description.id.as_str())
        .bind(description.forge.as_str())
        .bind(description.project.id.0)
        .bind(description.number)
        .bind(description.order)
        .bind(description.run)
        .bind(description.conversation.as_ref().map(Conversation::key))
        .bind(deployment.status.as_str())
        .bind(deployment.status.is_final())
        .bind(deployment.superseded)
        .bind(description.notify.as_ref().map(|notify| notify.subject.as_str()))
        .execute(connection)
        .await
        .map_err(fault)?;
    Ok(())
}

async fn add_entry(
    connection: &mut Connection,
    id: &DeploymentId,
    sealed: &Sealed,
) -> Result<(), StoreError> {
    query(sql::ledger::INSERT)
        .bind(id.as_str())
        .bind(sealed.seq)
        .bind(millis(sealed.at))
        .bind(sealed.format)
        .bind(&sealed.body)
        .bind(&sealed.hash)
        .execute(connection)
        .await
        .map_err(fault)?;
    Ok(())
}

async fn save_room(
    connection: &mut Connection,
    conversation: &Conversation,
    news: &RoomNews,
) -> Result<(), StoreError> {
    let save = match news {
        RoomNews::Card { comment, at, digest, shown } => query(sql::room::CARD)
            .bind(conversation.key())
            .bind(comment)
            .bind(millis(*at))
            .bind(digest)
            .bind(json(shown)?),
        RoomNews::ReadUntil(until) => {
            query(sql::room::READ_UNTIL).bind(conversation.key()).bind(millis(*until))
        }
        RoomNews::Hinted => query(sql::room::HINTED).bind(conversation.key()),
    };
    save.execute(connection).await.map_err(fault)?;
    Ok(())
}
