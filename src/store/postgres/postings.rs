//! [`Postings`].

use super::locks::Locks;
use super::{Answer, PostgresStore, chats};
use crate::domain::chat::{Channel, ChannelId, Link, Message, Subject};
use crate::domain::deployment::Deployment;
use crate::domain::id::{ChatName, ForgeName};
use crate::ports::postings::{Posting, Postings};
use async_trait::async_trait;

#[async_trait]
impl Postings for PostgresStore {
    async fn posting(&self, channel: &Channel, subject: &Subject) -> Answer<Option<Posting>> {
        self.run(async |connection| chats::posting(connection, channel, subject).await).await
    }

    async fn postings_about(&self, subject: &Subject) -> Answer<Vec<Posting>> {
        self.run(async |connection| chats::postings_about(connection, subject).await).await
    }

    async fn posting_at(&self, chat: &ChatName, message: &Message) -> Answer<Option<Posting>> {
        self.run(async |connection| chats::posting_at(connection, chat, message).await).await
    }

    async fn postings_in(&self, chat: &ChatName, channel: &ChannelId, limit: u32) -> Answer<Vec<Posting>> {
        self.run(async |connection| chats::postings_in(connection, chat, channel, limit).await).await
    }

    async fn deployments_about(&self, subject: &Subject) -> Answer<Vec<Deployment>> {
        self.run(async |connection| chats::deployments_about(connection, subject).await).await
    }

    async fn link(&self, chat: &ChatName, name: &str, forge: &ForgeName) -> Answer<Option<Link>> {
        self.run(async |connection| chats::link(connection, chat, name, forge).await).await
    }

    async fn save_link(&self, link: &Link) -> Answer<()> {
        self.run(async |connection| {
            let mut locks = Locks::default();
            locks.link(link);
            locks.take(connection).await?;
            chats::save_link(connection, link).await
        })
        .await
    }
}
