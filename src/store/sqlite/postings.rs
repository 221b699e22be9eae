//! [`Postings`].

use super::{Answer, SqliteStore, chats};
use crate::domain::chat::{Channel, ChannelId, Link, Message, Subject};
use crate::domain::deployment::Deployment;
use crate::domain::id::{ChatName, ForgeName};
use crate::ports::postings::{Posting, Postings};
use async_trait::async_trait;

#[async_trait]
impl Postings for SqliteStore {
    async fn posting(&self, channel: &Channel, subject: &Subject) -> Answer<Option<Posting>> {
        chats::posting(&mut *self.reader().await?, channel, subject).await
    }

    async fn postings_about(&self, subject: &Subject) -> Answer<Vec<Posting>> {
        chats::postings_about(&mut *self.reader().await?, subject).await
    }

    async fn posting_at(&self, chat: &ChatName, message: &Message) -> Answer<Option<Posting>> {
        chats::posting_at(&mut *self.reader().await?, chat, message).await
    }

    async fn postings_in(&self, chat: &ChatName, channel: &ChannelId, limit: u32) -> Answer<Vec<Posting>> {
        chats::postings_in(&mut *self.reader().await?, chat, channel, limit).await
    }

    async fn deployments_about(&self, subject: &Subject) -> Answer<Vec<Deployment>> {
        chats::deployments_about(&mut *self.reader().await?, subject).await
    }

    async fn link(&self, chat: &ChatName, name: &str, forge: &ForgeName) -> Answer<Option<Link>> {
        chats::link(&mut *self.reader().await?, chat, name, forge).await
    }

    async fn save_link(&self, link: &Link) -> Answer<()> {
        let link = link.clone();
        self.writer
            .write(move |connection| Box::pin(async move { chats::save_link(connection, &link).await }))
            .await
    }
}
