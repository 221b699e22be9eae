//! Messages in channels, and links between accounts.
//! Compiled once for each database, beside its own `dialect` and `fault`. Nobody else may change what a write is about
//! until the transaction ends (see [`super::commit`]); each question is a single statement.

use super::dialect::{Connection, Statement, query, query_as};
use super::fault::fault;
use crate::domain::chat::{Channel, ChannelId, Link, Message, Notify, Subject};
use crate::domain::deployment::Deployment;
use crate::domain::id::{ChatName, ForgeName};
use crate::ports::postings::{Posting, PostingNews};
use crate::ports::store::StoreError;
use crate::store::rows::{LinkRow, PostingRow, deployments, json, millis};
use crate::store::sql;
use jiff::Timestamp;

type Answer<T> = Result<T, StoreError>;

/// Makes room for the messages of a deployment. Its siblings share those that are there.
pub(super) async fn open(connection: &mut Connection, at: Timestamp, notify: &Notify) -> Answer<()> {
    for channel in &notify.channels {
        let open = keyed(sql::posting::OPEN, channel, &notify.subject).bind(millis(at));
        open.execute(&mut *connection).await.map_err(fault)?;
    }
    Ok(())
}

/// Writes what is new of one message.
pub(super) async fn save(
    connection: &mut Connection,
    (channel, subject): (&Channel, &Subject),
    news: &PostingNews,
) -> Answer<()> {
    let save = match news {
        PostingNews::Shown { message, digest, shown, changes, stale } => {
            keyed(sql::posting::SHOWN, channel, subject)
                .bind(message.channel.as_str())
                .bind(&message.id)
                .bind(stale)
                .bind(digest)
                .bind(json(shown)?)
                .bind(changes.as_ref().map(json).transpose()?)
        }
        PostingNews::Stale => keyed(sql::posting::STALE, channel, subject),
        PostingNews::Closed => keyed(sql::posting::CLOSED, channel, subject),
        PostingNews::Told(told) => keyed(sql::posting::TOLD, channel, subject).bind(json(told)?),
    };
    save.execute(connection).await.map_err(fault)?;
    Ok(())
}

fn keyed(statement: &'static str, channel: &Channel, subject: &Subject) -> Statement {
    query(statement).bind(channel.chat.as_str()).bind(&channel.name).bind(subject.as_str())
}

pub(super) async fn posting(
    connection: &mut Connection,
    channel: &Channel,
    subject: &Subject,
) -> Answer<Option<Posting>> {
    let query = query_as::<PostingRow>(sql::posting::ONE);
    let query = query.bind(channel.chat.as_str()).bind(&channel.name).bind(subject.as_str());
    query.fetch_optional(connection).await.map_err(fault)?.map(PostingRow::posting).transpose()
}

pub(super) async fn postings_about(connection: &mut Connection, subject: &Subject) -> Answer<Vec<Posting>> {
    let query = query_as::<PostingRow>(sql::posting::ABOUT).bind(subject.as_str());
    let rows = query.fetch_all(connection).await.map_err(fault)?;
    rows.into_iter().map(PostingRow::posting).collect()
}

pub(super) async fn posting_at(
    connection: &mut Connection,
    chat: &ChatName,
    message: &Message,
) -> Answer<Option<Posting>> {
    let query = query_as::<PostingRow>(sql::posting::AT);
    let query = query.bind(chat.as_str()).bind(message.channel.as_str()).bind(&message.id);
    query.fetch_optional(connection).await.map_err(fault)?.map(PostingRow::posting).transpose()
}

pub(super) async fn postings_in(
    connection: &mut Connection,
    chat: &ChatName,
    channel: &ChannelId,
    limit: u32,
) -> Answer<Vec<Posting>> {
    let query = query_as::<PostingRow>(sql::posting::IN_CHANNEL);
    let query = query.bind(chat.as_str()).bind(channel.as_str()).bind(i64::from(limit));
    let rows = query.fetch_all(connection).await.map_err(fault)?;
    rows.into_iter().map(PostingRow::posting).collect()
}

pub(super) async fn deployments_about(
    connection: &mut Connection,
    subject: &Subject,
) -> Answer<Vec<Deployment>> {
    let query = query_as(sql::deployment::CHAINS_ABOUT).bind(subject.as_str());
    deployments(query.fetch_all(connection).await.map_err(fault)?)
}

pub(super) async fn link(
    connection: &mut Connection,
    chat: &ChatName,
    name: &str,
    forge: &ForgeName,
) -> Answer<Option<Link>> {
    let query = query_as::<LinkRow>(sql::link::PRESENT);
    let query = query.bind(chat.as_str()).bind(name).bind(forge.as_str());
    query.fetch_optional(connection).await.map_err(fault)?.map(LinkRow::link).transpose()
}

/// Ends the present link and begins this one; where it says the same already, it stays.
pub(super) async fn save_link(connection: &mut Connection, link: &Link) -> Answer<()> {
    for statement in [sql::link::END, sql::link::BEGIN] {
        query(statement)
            .bind(link.chat.as_str())
            .bind(&link.name)
            .bind(link.forge.as_str())
            .bind(&link.chat_user)
            .bind(link.user().0)
            .bind(&link.account.username)
            .bind(&link.made_by)
            .bind(millis(link.made_at))
            .execute(&mut *connection)
            .await
            .map_err(fault)?;
    }
    Ok(())
}
