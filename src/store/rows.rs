//! From rows to values, and from a chain of ledger entries to a deployment.

use crate::domain::actor::Account;
use crate::domain::chat::{Channel, ChannelId, Link, Message, Subject};
use crate::domain::deployment::Deployment;
use crate::domain::event::Event;
use crate::domain::id::{
    ChatName, Conversation, DeploymentId, ForgeName, Place, PlatformName, ProjectId, UserId,
};
use crate::domain::ledger::{self, Entry, Sealed};
use crate::ports::postings::Posting;
use crate::ports::store::{
    KnownProject, Lane, Lease, LeasedJob, NewDelivery, NewJob, Room, StoreError, StoredJob, Work,
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A struct and how any database of ours fills it, column by field name.
macro_rules! row {
    ($name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        pub(super) struct $name { $(pub(super) $field: $type),+ }

        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            &'static str: sqlx::ColumnIndex<R>,
            $($type: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>),+
        {
            fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }
    };
}

row!(SealedRow { deployment: String, seq: i64, at: i64, format: i64, body: String, hash: String });
row!(JobRow {
    id: i64,
    key: String,
    forge: String,
    work: String,
    ordered_at: i64,
    created_at: i64,
    attempts: i64,
    lease_token: String,
    last_error: Option<String>,
});
row!(StoredJobRow {
    id: i64,
    lane: i64,
    key: String,
    forge: String,
    work: String,
    run_at: i64,
    created_at: i64,
    attempts: i64,
    dead: bool,
    last_error: Option<String>,
});
row!(RoomRow {
    card: Option<i64>,
    card_at: Option<i64>,
    card_digest: Option<String>,
    shown: String,
    read_until: Option<i64>,
    hinted: bool,
});
row!(PostingRow {
    chat: String,
    channel: String,
    subject: String,
    posted_in: Option<String>,
    message: Option<String>,
    digest: Option<String>,
    stale: i64,
    shown: String,
    closed: bool,
    told: String,
    changes: Option<String>,
});
row!(LinkRow {
    chat: String,
    name: String,
    forge: String,
    chat_user: String,
    account: i64,
    username: String,
    made_by: String,
    made_at: i64,
});
row!(ProjectRow { id: i64, path: String, active_at: Option<i64>, looked_at: Option<i64> });
row!(DepthRow { due: i64, later: i64, dead: i64 });
row!(HeardRow { digest: String, author: i64, heard_at: i64 });

/// A time as it is stored.
pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A time as it was stored.
pub(super) fn time(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|_| unreadable(format!("{millis} is no time")))
}

fn time_if_any(millis: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    millis.map(time).transpose()
}

/// A text without the one character that PostgreSQL can't keep.
pub(super) fn plain(text: &str) -> String {
    text.replace('\0', "")
}

/// Most texts are shorter, and room that grows costs more than room.
const TEXT: usize = 1024;

/// A value as JSON text.
pub(super) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    let mut text = Vec::with_capacity(TEXT);
    serde_json::to_writer(&mut text, value)
        .map_err(|error| unreadable(format!("a value can't be written: {error}")))?;
    String::from_utf8(text).map_err(|error| unreadable(format!("a value is no text: {error}")))
}

pub(super) fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| unreadable(format!("{what}: {error}")))
}

/// Reads [`Conversation::key`] back.
pub(super) fn conversation(key: &str) -> Result<Conversation, StoreError> {
    parse_conversation(key).ok_or_else(|| unreadable(format!("`{key}` names no conversation")))
}

fn parse_conversation(key: &str) -> Option<Conversation> {
    let mut parts = key.rsplitn(4, '/');
    let (name, kind) = (parts.next()?, parts.next()?);
    let project = ProjectId(parts.next()?.parse().ok()?);
    let forge = ForgeName::new(parts.next()?);
    let place = match kind {
        "mr" => Place::MergeRequest(name.parse().ok()?),
        "commit" => Place::Commit(name.to_owned()),
        _ => return None,
    };
    Some(Conversation { forge, project, place })
}

/// The jobs that a delivery asks for.
pub(super) fn jobs_of(delivery: &NewDelivery) -> Vec<NewJob> {
    let job = |event: &Event| NewJob {
        lane: Lane::Decide,
        key: event.key(),
        platform: event.platform(),
        work: Work::Event(event.clone()),
        run_at: delivery.received_at,
        order: platform_time(event).unwrap_or(delivery.received_at),
        dedupe: None,
        cause: Some(delivery.id.clone()),
    };
    delivery.events.iter().map(job).collect()
}

fn platform_time(event: &Event) -> Option<Timestamp> {
    match event {
        Event::Commented { at, .. } => Some(*at),
        Event::Chatted(chatted) => Some(chatted.at),
        Event::DeploymentChanged { blocked_at, .. } => *blocked_at,
        Event::RunChanged { .. }
        | Event::ReachChanged { .. }
        | Event::Pressed(_)
        | Event::SomethingWaits { .. }
        | Event::MergeRequestApproved { .. } => None,
    }
}

/// A job's `work`: what to do, and beside it what it follows from.
#[derive(Serialize)]
struct WorkText<'a> {
    #[serde(flatten)]
    work: &'a Work,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
}

#[derive(Deserialize)]
struct ReadWork {
    #[serde(flatten)]
    work: Work,
    cause: Option<String>,
}

/// The text in which a job's work is stored.
pub(super) fn work_text(job: &NewJob) -> Result<String, StoreError> {
    json(&WorkText { work: &job.work, cause: job.cause.as_deref() })
}

fn read_work(job: i64, text: &str) -> Result<ReadWork, StoreError> {
    serde_json::from_str(text).map_err(|error| unreadable(format!("the work of job {job}: {error}")))
}

impl StoredJobRow {
    pub(super) fn stored(self) -> Result<StoredJob, StoreError> {
        let lane = Lane::ALL.into_iter().find(|lane| lane.priority() == self.lane);
        // One that can't be read is a dead letter for that reason: it has to be shown, too.
        let (work, cause) = match read_work(self.id, &self.work) {
            Ok(read) => (Some(read.work), read.cause),
            Err(_) => (None, None),
        };
        Ok(StoredJob {
            id: self.id,
            lane: lane.ok_or_else(|| unreadable(format!("the lane of job {}", self.id)))?,
            key: self.key,
            platform: PlatformName::new(self.forge),
            work,
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            created_at: time(self.created_at)?,
            run_at: time(self.run_at)?,
            dead: self.dead,
            last_error: self.last_error,
            cause,
        })
    }
}

impl JobRow {
    pub(super) fn job(self, lane: Lane, lease_until: Timestamp) -> Result<LeasedJob, StoreError> {
        let ReadWork { work, cause } = read_work(self.id, &self.work)?;
        Ok(LeasedJob {
            lease: Lease { job: self.id, token: self.lease_token },
            lane,
            key: self.key,
            platform: PlatformName::new(self.forge),
            work,
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            created_at: time(self.created_at)?,
            lease_until,
            last_error: self.last_error,
            cause,
        })
    }
}

impl RoomRow {
    pub(super) fn room(self) -> Result<Room, StoreError> {
        let shown = from_json("what a card has shown", &self.shown)?;
        Ok(Room {
            card: self.card,
            card_at: time_if_any(self.card_at)?,
            card_digest: self.card_digest,
            shown,
            read_until: time_if_any(self.read_until)?,
            hinted: self.hinted,
        })
    }
}

impl PostingRow {
    pub(super) fn posting(self) -> Result<Posting, StoreError> {
        let message = self.posted_in.zip(self.message);
        Ok(Posting {
            channel: Channel { chat: ChatName::new(self.chat), name: self.channel },
            subject: Subject::from_stored(self.subject),
            message: message.map(|(channel, id)| Message { channel: ChannelId::new(channel), id }),
            digest: self.digest,
            stale: self.stale,
            shown: from_json("when a message was shown", &self.shown)?,
            closed: self.closed,
            told: from_json("what a thread was told", &self.told)?,
            changes: self.changes.map(|text| from_json("what a deployment changes", &text)).transpose()?,
        })
    }
}

impl LinkRow {
    pub(super) fn link(self) -> Result<Link, StoreError> {
        Ok(Link {
            chat: ChatName::new(self.chat),
            name: self.name,
            chat_user: self.chat_user,
            forge: ForgeName::new(self.forge),
            // Nobody speaks for a bot.
            account: Account { id: UserId(self.account), username: self.username, bot: false },
            made_by: self.made_by,
            made_at: time(self.made_at)?,
        })
    }
}

impl ProjectRow {
    pub(super) fn project(self) -> Result<KnownProject, StoreError> {
        Ok(KnownProject {
            id: ProjectId(self.id),
            path: self.path,
            active_at: time_if_any(self.active_at)?,
            looked_at: time_if_any(self.looked_at)?,
        })
    }
}

impl HeardRow {
    pub(super) fn heard(self) -> Result<(String, UserId, Timestamp), StoreError> {
        Ok((self.digest, UserId(self.author), time(self.heard_at)?))
    }
}

impl SealedRow {
    pub(super) fn of_deployment(mut self) -> Result<(DeploymentId, Sealed), StoreError> {
        let id = DeploymentId::from_stored(std::mem::take(&mut self.deployment));
        Ok((id, self.sealed()?))
    }

    pub(super) fn sealed(self) -> Result<Sealed, StoreError> {
        let Self { seq, at, format, body, hash, .. } = self;
        Ok(Sealed { seq, at: time(at)?, format, body, hash })
    }
}

/// Rows of several chains, each chain's rows together, as deployments in the same order.
pub(super) fn deployments(rows: Vec<SealedRow>) -> Result<Vec<Deployment>, StoreError> {
    let mut chains: Vec<(DeploymentId, Vec<Sealed>)> = Vec::new();
    for row in rows {
        let id = DeploymentId::from_stored(row.deployment.as_str());
        let sealed = row.sealed()?;
        match chains.last_mut() {
            Some((last, chain)) if *last == id => chain.push(sealed),
            Some(_) | None => chains.push((id, vec![sealed])),
        }
    }
    chains.iter().map(|(id, chain)| fold(id, chain)).collect()
}

/// What a chain says of its deployment. The chain is all there is: no column beside it is believed.
pub(super) fn fold(id: &DeploymentId, chain: &[Sealed]) -> Result<Deployment, StoreError> {
    let entries: Result<Vec<Entry>, _> = chain.iter().map(|sealed| ledger::open(id, sealed)).collect();
    let entries = entries.map_err(|broken| unreadable(broken.to_string()))?;
    Deployment::from_ledger(entries)
        .filter(|deployment| deployment.id() == id)
        .ok_or_else(|| unreadable(format!("the ledger of {id} does not begin with its opening")))
}

pub(super) fn unreadable(what: impl Into<String>) -> StoreError {
    StoreError::Unreadable(what.into())
}
