//! [`Postings`].

use super::SqliteStore;
use crate::domain::chat::{Channel, ChannelId, Link, Message, Subject};
use crate::domain::deployment::Deployment;
use crate::domain::id::{ChatName, ForgeName};
use crate::ports::postings::{Posting, Postings};
use crate::ports::store::StoreError;
use async_trait::async_trait;

type Answer<T> = Result<T, StoreError>;

#[async_trait]
impl Postings for SqliteStore {
    async fn posting(&self, _channel: &Channel, _subject: &Subject) -> Answer<Option<Posting>> {
        Ok(None)
    }

    async fn postings_about(&self, _subject: &Subject) -> Answer<Vec<Posting>> {
        Ok(Vec::new())
    }

    async fn posting_at(&self, _chat: &ChatName, _message: &Message) -> Answer<Option<Posting>> {
        Ok(None)
    }

    async fn postings_in(&self, _chat: &ChatName, _channel: &ChannelId, _limit: u32) -> Answer<Vec<Posting>> {
        Ok(Vec::new())
    }

    async fn deployments_about(&self, _subject: &Subject) -> Answer<Vec<Deployment>> {
        Ok(Vec::new())
    }

    async fn link(&self, _chat: &ChatName, _name: &str, _forge: &ForgeName) -> Answer<Option<Link>> {
        Ok(None)
    }

    async fn save_link(&self, _link: &Link) -> Answer<()> {
        Ok(())
    }
}
