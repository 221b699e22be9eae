//! What the store keeps for chats: messages in channels, and links between accounts.

use super::store::StoreError;
use crate::domain::chat::{Channel, ChannelId, Link, Message, Subject};
use crate::domain::deployment::Deployment;
use crate::domain::id::{ChatName, DeploymentId, ForgeName};
use crate::domain::notice::Changes;
use async_trait::async_trait;
use jiff::Timestamp;

/// What is kept of a message in a channel. There is one for each channel that a deployment is told in, from the moment
/// that it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The channel, as configured.
    pub channel: Channel,
    /// What it is about.
    pub subject: Subject,
    /// The message, once posted.
    pub message: Option<Message>,
    /// Digest of what it shows; `None` while it is to be written anew, whatever it shows.
    pub digest: Option<String>,
    /// How often it was to be written anew for what isn't in the ledger.
    pub stale: i64,
    /// When it was shown, from the first time on, the newest [`Posting::KEPT`]: `(generation, our time)`.
    pub shown: Vec<(i64, Timestamp)>,
    /// It can't be edited any more; what is new stands in its thread.
    pub closed: bool,
    /// Up to which entry of each deployment its thread has told.
    pub told: Vec<(DeploymentId, i64)>,
    /// What its deployment would change, as far as the forge was asked.
    pub changes: Option<Changes>,
}

impl Posting {
    /// How many showings are remembered.
    pub const KEPT: usize = 20;
}

/// What is new of a [`Posting`]. All else stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostingNews {
    /// The message was written.
    Shown {
        /// Where it stands.
        message: Message,
        /// Digest of what it shows.
        digest: String,
        /// As [`Posting::shown`].
        shown: Vec<(i64, Timestamp)>,
        /// As [`Posting::changes`].
        changes: Option<Changes>,
        /// [`Posting::stale`] as read before writing: what has become stale since is still to be written anew.
        stale: i64,
    },
    /// It shows something that isn't in the ledger: it is to be written anew.
    Stale,
    /// It can't be edited any more.
    Closed,
    /// As [`Posting::told`].
    Told(Vec<(DeploymentId, i64)>),
}

/// The part of [`super::store::Store`] that is about chats.
#[async_trait]
pub trait Postings: Send + Sync {
    /// What is kept of one message.
    async fn posting(&self, channel: &Channel, subject: &Subject) -> Result<Option<Posting>, StoreError>;
    /// Messages about one subject, in the order of their channels.
    async fn postings_about(&self, subject: &Subject) -> Result<Vec<Posting>, StoreError>;
    /// The message of this id, if it is one of ours.
    async fn posting_at(&self, chat: &ChatName, message: &Message) -> Result<Option<Posting>, StoreError>;
    /// Messages that stand in a channel: all about something that isn't final, and the newest `limit` of the others;
    /// newest first.
    async fn postings_in(
        &self,
        chat: &ChatName,
        channel: &ChannelId,
        limit: u32,
    ) -> Result<Vec<Posting>, StoreError>;
    /// Deployments that a message is about, newest first.
    async fn deployments_about(&self, subject: &Subject) -> Result<Vec<Deployment>, StoreError>;
    /// The link of a chat account, by the name that the configuration gives it.
    async fn link(&self, chat: &ChatName, name: &str, forge: &ForgeName) -> Result<Option<Link>, StoreError>;
    /// Keeps a link in the place of the one with its chat, name and forge, whose end is then kept too.
    async fn save_link(&self, link: &Link) -> Result<(), StoreError>;
}
