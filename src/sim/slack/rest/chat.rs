//! `chat.*`: posting, editing, removing.

use serde_json::{Value, json};

use super::super::args::Args;
use super::super::contents::Content;
use super::super::messages::{Message, Place};
use super::super::mrkdwn::Auto;
use super::super::payloads::merge;
use super::super::state::{Error, State};
use super::Reply;

/// Characters of a `text` that `chat.update` takes.
const MOST_UPDATED: usize = 4000;

impl State {
    pub(super) fn post_message(&mut self, args: &Args) -> Reply {
        let channel = self.writable(args)?;
        let content = Content::read(args, Auto::Nothing)?;
        let thread_ts = self.thread(&channel, args.text("thread_ts"))?;
        let bot = self.app.bot_user.clone();
        let ts = self.post(Place { channel: channel.clone(), thread_ts, only_for: None }, &bot, content);
        let message = self.messages.last().map(|message| self.message_json(message, true));
        Ok(json!({ "channel": channel, "ts": ts, "message": message }))
    }

    /// Shown to one person who must be in the channel. It can't be updated afterwards.
    pub(super) fn post_ephemeral(&mut self, args: &Args) -> Reply {
        let channel = self.writable(args)?;
        let user = args.text("user").unwrap_or_default().to_owned();
        if self.person(&user).is_err() || !self.members(&channel).contains(&user) {
            return Err(Error::new("user_not_in_channel"));
        }
        let content = Content::read(args, Auto::Nothing)?;
        let thread_ts = self.thread(&channel, args.text("thread_ts"))?;
        let bot = self.app.bot_user.clone();
        let ts = self.post(Place { channel, thread_ts, only_for: Some(user) }, &bot, content);
        Ok(json!({ "message_ts": ts }))
    }

    /// Text without blocks removes the blocks; blocks without text leave the text.
    pub(super) fn update_message(&mut self, args: &Args) -> Reply {
        let at = self.own_message(args)?;
        let known = self.messages.get(at).ok_or_else(|| Error::new("message_not_found"))?;
        let age = self.time().duration_since(known.at);
        if self.settings.edit_window.is_some_and(|window| age > window) {
            return Err(Error::new("edit_window_closed"));
        }
        if args.text("text").is_some_and(|text| text.chars().count() > MOST_UPDATED) {
            return Err(Error::new("msg_too_long"));
        }
        let before = known.content.text.clone();
        let mut content = Content::read(args, Auto::Words)?;
        if !args.has("text") {
            content.text = before;
        }
        self.edit(at, content);
        let message = self.messages.get(at).ok_or_else(|| Error::new("message_not_found"))?;
        let (channel, ts, text) = (&message.channel, &message.ts, &message.content.text);
        let shown = self.message_json(message, true);
        Ok(json!({ "channel": channel, "ts": ts, "text": text, "message": shown }))
    }

    pub(super) fn delete_message(&mut self, args: &Args) -> Reply {
        let at = self.own_message(args).map_err(|error| match error.code {
            "cant_update_message" => Error::new("cant_delete_message"),
            _ => error,
        })?;
        let message = self.messages.remove(at);
        Ok(json!({ "channel": message.channel, "ts": message.ts }))
    }

    /// The channel that the app wants to write into, if it may.
    fn writable(&self, args: &Args) -> Result<String, Error> {
        let id = args.text("channel").unwrap_or_default();
        let channel = self.channels.get(id).ok_or_else(|| Error::new("channel_not_found"))?;
        let inside = self.bot_is_in(id);
        if channel.private && !inside {
            return Err(Error::new("channel_not_found"));
        }
        if channel.archived {
            return Err(Error::new("is_archived"));
        }
        if inside || self.may("chat:write.public") {
            Ok(id.to_owned())
        } else {
            Err(Error::new("not_in_channel"))
        }
    }

    /// Where the message stands that is to be changed: one of the bot's own, and no ephemeral one.
    fn own_message(&self, args: &Args) -> Result<usize, Error> {
        let id = args.text("channel").unwrap_or_default();
        let channel = self.channels.get(id).ok_or_else(|| Error::new("channel_not_found"))?;
        if channel.private && !self.bot_is_in(id) {
            return Err(Error::new("channel_not_found"));
        }
        if channel.archived {
            return Err(Error::new("is_inactive"));
        }
        let at = self.message_at(id, args.text("ts").unwrap_or_default(), None);
        let at = at.ok_or_else(|| Error::new("message_not_found"))?;
        let own = self.messages.get(at).is_some_and(|message| message.author == self.app.bot_user);
        if own { Ok(at) } else { Err(Error::new("cant_update_message")) }
    }

    /// What the API shows of a message.
    pub(in crate::sim::slack) fn message_json(&self, message: &Message, with_metadata: bool) -> Value {
        let content = &message.content;
        let mut shown = json!({
            "type": "message",
            "user": message.author,
            "text": content.text,
            "ts": message.ts,
            "team": self.home,
        });
        if message.author == self.app.bot_user {
            merge(&mut shown, json!({ "bot_id": self.app.bot_id, "app_id": self.app.id }));
        }
        if !content.blocks.is_empty() {
            merge(&mut shown, json!({ "blocks": content.blocks }));
        }
        if let Some(thread_ts) = &message.thread_ts {
            merge(&mut shown, json!({ "thread_ts": thread_ts }));
        }
        if message.edited {
            merge(&mut shown, json!({ "edited": { "user": message.author, "ts": message.ts } }));
        }
        if let Some(metadata) = content.metadata.as_ref().filter(|_| with_metadata) {
            merge(&mut shown, json!({ "metadata": metadata }));
        }
        shown
    }
}
