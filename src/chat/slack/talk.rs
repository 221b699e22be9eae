//! Messages in channels, answers to one person, forms.

use super::Slack;
use super::message::{self, Content};
use super::wire::{Done, Page, Posted};
use super::{dialog, limits};
use crate::domain::chat::{Aside, Channel, ChannelId, ChatUser, Choice, Message};
use crate::domain::id::ChatName;
use crate::domain::notice::Notice;
use crate::domain::wording::Prose;
use crate::ports::chat::{Chat, Form, Presence};
use crate::ports::failure::Failure;
use async_trait::async_trait;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What our messages are marked with: metadata that every app in the channel may read.
const EVENT_TYPE: &str = "countersign";
/// Pages that are looked through for messages of our own, and how long a page is.
const PAGES: usize = 5;
const PAGE: &str = "200";

#[async_trait]
impl Chat for Slack {
    fn name(&self) -> &ChatName {
        &self.name
    }

    /// Channels are configured by their ids.
    async fn channel(&self, channel: &Channel) -> Result<ChannelId, Failure> {
        Ok(ChannelId::new(&channel.name))
    }

    async fn presence(&self, who: &ChatUser, _: &ChannelId) -> Result<Presence, Failure> {
        self.look_at(who).await
    }

    async fn post(&self, at: &ChannelId, notice: &Notice, marker: &str) -> Result<Message, Failure> {
        self.write(at, None, (message::notice(notice), marker)).await
    }

    async fn edit(&self, message: &Message, notice: &Notice, marker: &str) -> Result<(), Failure> {
        let Content { text, blocks } = message::notice(notice);
        let body = json!({
            "channel": message.channel,
            "ts": message.id,
            "text": text,
            "blocks": blocks,
            "metadata": metadata(marker),
            "parse": "none",
        });
        self.client.tell::<Done>("chat.update", body).await.map(drop)
    }

    async fn add(&self, under: &Message, text: &Prose, marker: &str) -> Result<Message, Failure> {
        self.write(&under.channel, Some(&under.id), (message::answer(text, &[]), marker)).await
    }

    async fn find_own(
        &self,
        at: &ChannelId,
        under: Option<&Message>,
        marker: &str,
    ) -> Result<Vec<Message>, Failure> {
        let (me, marker) = (self.me().await?, kept(marker));
        let mut found = Vec::new();
        let mut cursor = Some(String::new());
        for _ in 0..PAGES {
            let Some(begin) = cursor else { break };
            let mut page = self.page(at, under, &begin).await?;
            cursor = page.next();
            let ours = page.messages.into_iter().filter(|seen| seen.is_ours(me, EVENT_TYPE, &marker));
            found.extend(ours.map(|seen| Message { channel: at.clone(), id: seen.ts }));
        }
        if cursor.is_some() {
            tracing::warn!(channel = at.as_str(), "more was written here than is looked through");
        }
        if under.is_some() {
            // Threads are told from their beginning.
            found.reverse();
        }
        Ok(found)
    }

    async fn delete(&self, message: &Message) -> Result<(), Failure> {
        let body = json!({ "channel": message.channel, "ts": message.id });
        match self.client.tell::<Done>("chat.delete", body).await {
            Ok(Done {}) | Err(Failure::NotFound) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn whisper(&self, to: &Aside, text: &Prose, choices: &[Choice]) -> Result<(), Failure> {
        let content = message::answer(text, choices);
        if let Some(url) = &to.url {
            match self.client.answer(url, in_answer(&content)).await {
                done @ (Ok(()) | Err(Failure::UnknownOutcome { .. })) => return done,
                // Used up, too old, gone, out of reach: nothing was said there.
                Err(failure) => tracing::debug!(%failure, "an answer is posted instead"),
            }
        }
        self.client.tell::<Done>("chat.postEphemeral", to_one(to, &content)).await.map(drop)
    }

    async fn open_form(&self, form: &Form) -> Result<(), Failure> {
        let body = json!({ "trigger_id": form.trigger, "view": dialog::view(form) });
        self.client.tell::<Done>("views.open", body).await.map(drop)
    }
}

impl Slack {
    async fn write(
        &self,
        at: &ChannelId,
        thread: Option<&str>,
        (content, marker): (Content, &str),
    ) -> Result<Message, Failure> {
        let Content { text, blocks } = content;
        let mut body = json!({
            "channel": at,
            "text": text,
            "blocks": blocks,
            "metadata": metadata(marker),
            "parse": "none",
            "unfurl_links": false,
            "unfurl_media": false,
        });
        put(&mut body, "thread_ts", thread);
        let posted: Posted = self.client.tell("chat.postMessage", body).await?;
        Ok(Message { channel: posted.channel, id: posted.ts })
    }

    async fn page(&self, at: &ChannelId, under: Option<&Message>, begin: &str) -> Result<Page, Failure> {
        let method = if under.is_some() { "conversations.replies" } else { "conversations.history" };
        let mut query = vec![("channel", at.as_str()), ("limit", PAGE), ("include_all_metadata", "true")];
        query.extend(under.map(|message| ("ts", message.id.as_str())));
        if !begin.is_empty() {
            query.push(("cursor", begin));
        }
        self.client.ask(method, &query).await
    }
}

fn in_answer(content: &Content) -> Value {
    let Content { text, blocks } = content;
    json!({ "response_type": "ephemeral", "replace_original": false, "text": text, "blocks": blocks, "parse": "none" })
}

fn to_one(to: &Aside, content: &Content) -> Value {
    let Content { text, blocks } = content;
    let mut body = json!({
        "channel": to.channel, "user": to.user, "text": text, "blocks": blocks, "parse": "none",
    });
    put(&mut body, "thread_ts", to.thread.as_deref());
    body
}

fn put(body: &mut Value, name: &str, value: Option<&str>) {
    if let (Some(fields), Some(value)) = (body.as_object_mut(), value) {
        fields.insert(name.to_owned(), value.into());
    }
}

fn metadata(marker: &str) -> Value {
    json!({ "event_type": EVENT_TYPE, "event_payload": { "marker": kept(marker) } })
}

/// A marker as it is kept: its digest, where it names very many deployments.
fn kept(marker: &str) -> String {
    if marker.chars().count() <= limits::MARKER {
        return marker.to_owned();
    }
    format!("sha256:{}", hex::encode(Sha256::digest(marker.as_bytes())))
}
