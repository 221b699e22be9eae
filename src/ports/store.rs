//! The store: deliveries, jobs, deployments with their ledger, cards. One write is one value.

use super::postings::{PostingNews, Postings};
use crate::domain::chat::{Channel, Subject};
use crate::domain::deployment::{Deployment, Status};
use crate::domain::effect::{Effect, Look};
use crate::domain::event::Event;
use crate::domain::id::{
    ChatName, CommentRef, Conversation, DeploymentId, ForgeName, PlatformName, ProjectId, UserId,
};
use crate::domain::ledger::{Entry, Sealed};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Why the store could not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It can't read or write now (disk full, locked, shutting down).
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What was read can't be understood by this version.
    #[error("the store holds something this version can't read: {0}")]
    Unreadable(String),
}

/// Why a commit was not written. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A deployment has moved on since it was read: gather and decide again.
    #[error("a deployment has moved on since it was read")]
    Conflict,
    /// One of the commands was carried out before.
    #[error("the command was carried out before")]
    AlreadyTaken,
    /// The lease is no longer ours.
    #[error("the job's lease was lost")]
    LeaseLost,
    /// Stored deliveries under [`Commit::unless_waiting`] have to be processed first.
    #[error("earlier deliveries have to be processed first")]
    Held,
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A verified delivery, to be stored with its jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// The hook path it came by.
    pub source: String,
    /// The source's id of it.
    pub id: String,
    /// Hex SHA-256 of the body.
    pub digest: String,
    /// What it says; each event becomes one job.
    pub events: Vec<Event>,
    /// When we took it.
    pub received_at: Timestamp,
}

/// What intake says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is on disk.
    Stored,
    /// It was on disk already.
    Duplicate,
}

/// Lanes, in the order of their priority. Jobs of different lanes never wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Releases, rejections and votes in a person's name.
    Gate,
    /// Deliveries: commands and changes.
    Decide,
    /// Cards.
    Card,
    /// Answers.
    Reply,
    /// Reactions.
    React,
    /// Looking again.
    Look,
}

impl Lane {
    /// All of them, most urgent first.
    pub const ALL: [Self; 6] = [Self::Gate, Self::Decide, Self::Card, Self::Reply, Self::React, Self::Look];

    /// The number the store sorts by.
    pub fn priority(self) -> i64 {
        match self {
            Self::Gate => 0,
            Self::Decide => 1,
            Self::Card => 2,
            Self::Reply => 3,
            Self::React => 4,
            Self::Look => 5,
        }
    }
}

/// What a job is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Process what a delivery said.
    Event(Event),
    /// Tell the world.
    Effect(Effect),
    /// Look again.
    Look(Look),
}

/// A job to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Its lane.
    pub lane: Lane,
    /// One live lease per lane and key, in the order of `order`.
    pub key: String,
    /// The forge or chat whose pauses it keeps.
    pub platform: PlatformName,
    /// What to do.
    pub work: Work,
    /// Not before.
    pub run_at: Timestamp,
    /// The platform's time of what caused it; ties go by the order of writing.
    pub order: Timestamp,
    /// A job with the same mark that has not been leased yet makes this one unnecessary.
    pub dedupe: Option<String>,
    /// The delivery that it follows from, for the log; `None` where polling found something.
    pub cause: Option<String>,
}

/// A job in our hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedJob {
    /// What proves that we hold it.
    pub lease: Lease,
    /// Its lane.
    pub lane: Lane,
    /// Its key.
    pub key: String,
    /// The forge or chat it talks to.
    pub platform: PlatformName,
    /// What to do.
    pub work: Work,
    /// How often it was leased, this time included.
    pub attempts: u32,
    /// When it was written.
    pub created_at: Timestamp,
    /// When its lease ends.
    pub lease_until: Timestamp,
    /// Why the last attempt did not end it.
    pub last_error: Option<String>,
    /// The delivery that it follows from.
    pub cause: Option<String>,
}

/// A job as it stands in the queue, for those who look after the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredJob {
    /// Its number.
    pub id: i64,
    /// Its lane.
    pub lane: Lane,
    /// Its key.
    pub key: String,
    /// The forge or chat it talks to.
    pub platform: PlatformName,
    /// What to do; `None` if this version can't read it.
    pub work: Option<Work>,
    /// How often it was leased.
    pub attempts: u32,
    /// When it was written.
    pub created_at: Timestamp,
    /// Not before; the end of its lease while it is leased.
    pub run_at: Timestamp,
    /// It was given up.
    pub dead: bool,
    /// Why the last attempt did not end it.
    pub last_error: Option<String>,
    /// The delivery that it follows from.
    pub cause: Option<String>,
}

/// Proof of a lease: dead once another lease was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Number of the job.
    pub job: i64,
    /// Unique to this lease.
    pub token: String,
}

/// What becomes of the job that a commit ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Done: it is removed.
    Done(Lease),
    /// Given up: it stays as a dead letter, with the reason.
    Dead(Lease, String),
    /// It goes on later, counted from zero attempts (periodic work, waiting for something).
    Again(Lease, Timestamp),
}

/// New ledger entries of one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub deployment: DeploymentId,
    /// The version that was read; 0 for a deployment that is not there yet (then the first entry is `Opened`).
    pub expected: i64,
    /// What is added, at least one.
    pub entries: Vec<Entry>,
}

/// A command by nature's key: unique on its source and line, kept as long as the deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenCommand {
    /// What it came by: [`CommentRef::key`], [`TakenCommand::press`], or [`TakenCommand::chatted`].
    pub source: String,
    /// Where it was given: [`Conversation::key`] or [`ChannelId::key`](crate::domain::chat::ChannelId::key).
    pub place: String,
    /// Its line, from 0; [`TakenCommand::WHOLE`] for what concerns the whole comment.
    pub line: i64,
    /// Who gave it.
    pub by: UserId,
    /// When, by the platform.
    pub at: Timestamp,
    /// A word for the log: `approve`, `refused`, `help`…
    pub outcome: String,
    /// The person is named by a policy of the project (others are answered a limited number of times).
    pub named: bool,
}

impl TakenCommand {
    /// The line of what concerns the whole comment.
    pub const WHOLE: i64 = -1;

    /// The outcome of a comment whose job became a dead letter.
    pub const GIVEN_UP: &str = "given up";

    /// The source of what a pressed button says.
    pub fn press(forge: &ForgeName, press: &str) -> String {
        format!("{forge}#press-{press}")
    }

    /// The source of what was done in a chat.
    pub fn chatted(chat: &ChatName, act: &str) -> String {
        format!("{chat}#act-{act}")
    }
}

/// What is kept of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Number of our card's comment, once posted.
    pub card: Option<i64>,
    /// When the forge says the card was last written (for comments from a stale page).
    pub card_at: Option<Timestamp>,
    /// Digest of the text that the card shows.
    pub card_digest: Option<String>,
    /// Deployments by the time their line first stood on the card: `(deployment, forge's time)`.
    pub shown: Vec<(DeploymentId, Timestamp)>,
    /// Comments up to here were read while polling.
    pub read_until: Option<Timestamp>,
    /// The merge-request-approval hint was given.
    pub hinted: bool,
}

/// What is new of a conversation. All else stays as it is: cards, polling and hints go on beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomNews {
    /// The card was written.
    Card {
        /// Number of its comment.
        comment: i64,
        /// When, by the forge.
        at: Timestamp,
        /// Digest of its text.
        digest: String,
        /// As [`Room::shown`].
        shown: Vec<(DeploymentId, Timestamp)>,
    },
    /// Comments up to here were read; an earlier time changes nothing.
    ReadUntil(Timestamp),
    /// The hint was given.
    Hinted,
}

/// One write, whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Now.
    pub at: Timestamp,
    /// The job this ends; its lease must still be ours.
    pub finish: Option<Finish>,
    /// Ledger entries.
    pub changes: Vec<Change>,
    /// Commands that this carries out.
    pub commands: Vec<TakenCommand>,
    /// Jobs that follow.
    pub jobs: Vec<NewJob>,
    /// What is new of conversations.
    pub rooms: Vec<(Conversation, RoomNews)>,
    /// What is new of messages in channels; one that isn't there is passed over.
    pub postings: Vec<(Channel, Subject, PostingNews)>,
    /// Fail with [`CommitError::Held`] while another `Decide` job with one of these keys is stored.
    pub unless_waiting: Vec<String>,
}

impl Commit {
    /// An empty commit at this time.
    pub fn at(at: Timestamp) -> Self {
        Self {
            at,
            finish: None,
            changes: Vec::new(),
            commands: Vec::new(),
            jobs: Vec::new(),
            rooms: Vec::new(),
            postings: Vec::new(),
            unless_waiting: Vec::new(),
        }
    }
}

/// A project as the sweep knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownProject {
    /// Its number.
    pub id: ProjectId,
    /// Its path when last read.
    pub path: String,
    /// The forge's time of its last activity, when last read.
    pub active_at: Option<Timestamp>,
    /// When its waiting deployments were last listed.
    pub looked_at: Option<Timestamp>,
}

/// How much waits in one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLoad {
    /// Which.
    pub lane: Lane,
    /// Jobs that wait or are in work, counted up to [`Backlog::COUNTED`].
    pub jobs: u64,
    /// Since when the oldest one that could be leased now could be.
    pub due_since: Option<Timestamp>,
}

/// The queue at a glance, at a cost that doesn't grow with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Every lane, most urgent first.
    pub lanes: Vec<LaneLoad>,
    /// Dead letters, counted up to [`Backlog::COUNTED`].
    pub dead: u64,
    /// Deliveries that lie as they came, and aren't jobs yet; the lanes count them, too. Counted up to
    /// [`Backlog::COUNTED`].
    pub unsorted: u64,
}

impl Backlog {
    /// Nobody needs to know how much more than this there is.
    pub const COUNTED: u64 = 10_000;
}

/// Counts for `check` and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Jobs that could be leased now, or are.
    pub due: u64,
    /// Jobs that wait for a later time.
    pub later: u64,
    /// Dead letters.
    pub dead: u64,
}

/// Everything the use cases ask of a database. All times come from the caller.
#[async_trait]
pub trait Store: Postings {
    /// Stores a delivery with one `Decide` job for each event (key: [`Event::key`], order: the event's own
    /// time or `received_at`); returns only after it is durable. Concurrent calls share a transaction.
    /// Also keeps, for each `Commented` event heard by hook, its digest (see [`Store::heard`]).
    async fn accept(&self, delivery: NewDelivery) -> Result<Accepted, StoreError>;

    /// Leases up to `limit` jobs that are due, most urgent lane first, the oldest of each (lane, key) only,
    /// none while another of the same (lane, key) is leased, none whose forge is paused.
    async fn lease(
        &self,
        now: Timestamp,
        lease_for: SignedDuration,
        limit: u32,
    ) -> Result<Vec<LeasedJob>, StoreError>;
    /// Writes everything or nothing.
    async fn commit(&self, commit: Commit) -> Result<(), CommitError>;
    /// Gives a job back for a later attempt. `uncounted` takes the attempt back (a conflict is no failure).
    /// A lease that was lost is no error: somebody else has the job.
    async fn postpone(
        &self,
        lease: &Lease,
        run_at: Timestamp,
        why: &str,
        uncounted: bool,
    ) -> Result<(), StoreError>;
    /// When the next job that is not due yet becomes due, or the next lease or pause ends.
    async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;
    /// How much waits, and since when.
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError>;
    /// Up to `limit` jobs with a number above `after`, in the order of their numbers: dead letters, or all.
    async fn jobs(&self, only_dead: bool, after: i64, limit: u32) -> Result<Vec<StoredJob>, StoreError>;
    /// A dead letter waits again, from zero attempts, due at once. `comment` ([`CommentRef::key`]) is no longer
    /// recorded as given up. False if there is no such dead letter.
    async fn revive(&self, job: i64, now: Timestamp, comment: Option<&str>) -> Result<bool, StoreError>;
    /// Removes a dead letter; false if there is no such one.
    async fn discard(&self, job: i64) -> Result<bool, StoreError>;
    /// Jobs by state. Reads the whole queue.
    async fn depth(&self, now: Timestamp) -> Result<QueueDepth, StoreError>;
    /// No job of this forge or chat is leased before this time (429, `Retry-After`).
    async fn pause(&self, platform: &PlatformName, until: Timestamp) -> Result<(), StoreError>;

    /// One deployment.
    async fn deployment(&self, id: &DeploymentId) -> Result<Option<Deployment>, StoreError>;
    /// Deployments of a conversation, newest first, at most `limit`.
    async fn deployments_in(&self, at: &Conversation, limit: u32) -> Result<Vec<Deployment>, StoreError>;
    /// Deployments of a project, at most `limit`, newest first; `status` narrows.
    async fn deployments_of(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        status: Option<Status>,
        limit: u32,
    ) -> Result<Vec<Deployment>, StoreError>;
    /// Names of the environments of a project's newest deployments, `limit` of these, each name once, in order.
    async fn environments(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;
    /// Identities of deployments that are not final, have a conversation and aren't superseded: what polling looks at.
    async fn watched(&self, forge: &ForgeName) -> Result<Vec<DeploymentId>, StoreError>;
    /// The deployment that people call by this number, if we hold it.
    async fn numbered(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        number: i64,
    ) -> Result<Option<Deployment>, StoreError>;
    /// Identities of all deployments of one run.
    async fn of_run(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        run: i64,
    ) -> Result<Vec<DeploymentId>, StoreError>;
    /// The number of a deployment whose forge has none: the next free one of its project, once given for good.
    async fn give_number(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        id: &DeploymentId,
    ) -> Result<i64, StoreError>;
    /// Whether a delivery is to be asked for again: it isn't stored, and wasn't asked for before.
    async fn is_wanted(&self, source: &ForgeName, delivery: &str) -> Result<bool, StoreError>;
    /// Keeps that a delivery was asked for again.
    async fn asked_again(&self, source: &ForgeName, delivery: &str, now: Timestamp)
    -> Result<(), StoreError>;
    /// Identities of non-final deployments of a project (silent and superseded ones too), with their
    /// `order`, oldest first.
    async fn open(
        &self,
        forge: &ForgeName,
        project: ProjectId,
    ) -> Result<Vec<(i64, DeploymentId)>, StoreError>;
    /// The newest deployments of a project that are neither final nor superseded, at most `limit`, newest first.
    async fn newest_open(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        limit: u32,
    ) -> Result<Vec<Deployment>, StoreError>;
    /// Identities of non-final deployments of a project that are older than `order` and not yet superseded, oldest
    /// first.
    async fn ahead_of(
        &self,
        forge: &ForgeName,
        project: ProjectId,
        order: i64,
    ) -> Result<Vec<DeploymentId>, StoreError>;
    /// Conversations with at least one watched deployment.
    async fn watched_rooms(&self, forge: &ForgeName) -> Result<Vec<Conversation>, StoreError>;
    /// What is kept of a conversation; empty when nothing is.
    async fn room(&self, at: &Conversation) -> Result<Room, StoreError>;
    /// The text digest and author under which a hook announced a comment, and when we took that hook.
    async fn heard(&self, comment: &CommentRef) -> Result<Option<(String, UserId, Timestamp)>, StoreError>;
    /// Whether a command of this source (any line) was carried out.
    async fn is_taken(&self, source: &str) -> Result<bool, StoreError>;
    /// How many comments or acts of somebody whom no policy names were answered in a place
    /// ([`TakenCommand::place`]) since.
    async fn answers_to(&self, place: &str, by: UserId, since: Timestamp) -> Result<u32, StoreError>;

    /// The id that a name was first resolved to; `kind` is `user` or `group`.
    async fn pinned(&self, forge: &ForgeName, kind: &str, name: &str) -> Result<Option<i64>, StoreError>;
    /// Pins a name; an existing pin stays. Returns the pinned id.
    async fn pin(&self, forge: &ForgeName, kind: &str, name: &str, id: i64) -> Result<i64, StoreError>;

    /// Projects that sweeps know.
    async fn projects(&self, forge: &ForgeName) -> Result<Vec<KnownProject>, StoreError>;
    /// Inserts or replaces one.
    async fn save_project(&self, forge: &ForgeName, project: &KnownProject) -> Result<(), StoreError>;

    /// A deployment's chain, oldest first.
    async fn ledger(&self, id: &DeploymentId) -> Result<Vec<Sealed>, StoreError>;
    /// Entries of all chains, chain by chain, after this entry of this deployment: for walking the whole ledger. As
    /// many at once as the caller likes to hold, since asking takes longer than answering.
    async fn ledger_after(
        &self,
        after: Option<(&DeploymentId, i64)>,
        limit: u32,
    ) -> Result<Vec<(DeploymentId, Sealed)>, StoreError>;
    /// Identities that have a chain, in their order, after `after`.
    async fn ledger_ids(
        &self,
        after: Option<&DeploymentId>,
        limit: u32,
    ) -> Result<Vec<DeploymentId>, StoreError>;

    /// Removes delivery records and heard digests older than this, in chunks; returns how many.
    async fn forget_deliveries(&self, before: Timestamp) -> Result<u64, StoreError>;
    /// Can it be written? For `readyz`.
    async fn ready(&self) -> Result<(), StoreError>;
}
