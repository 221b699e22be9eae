//! `conversations.*`: what stands in a channel, and the channel itself.

use serde_json::{Value, json};

use super::super::args::Args;
use super::super::messages::Message;
use super::super::people::Channel;
use super::super::state::{Error, State};
use super::Reply;

impl State {
    /// Newest first, without replies in threads; metadata only when it is asked for.
    pub(super) fn history(&self, args: &Args) -> Reply {
        let channel = self.readable(args, "history")?;
        let between = between(args);
        let shown: Vec<&Message> = self.messages.iter().rev().collect();
        let wanted = shown.into_iter().filter(|message| {
            message.channel == channel && message.only_for.is_none() && message.thread_ts.is_none()
        });
        Ok(self.page_of(args, wanted.filter(|message| between(&message.ts)).collect()))
    }

    /// The first message of a thread and its replies, oldest first.
    pub(super) fn replies(&self, args: &Args) -> Reply {
        let channel = self.readable(args, "history")?;
        let first = args.text("ts").unwrap_or_default();
        if self.message_at(&channel, first, None).is_none() {
            return Err(Error::new("thread_not_found"));
        }
        let between = between(args);
        let wanted = self.messages.iter().filter(|message| {
            let here = message.channel == channel && message.only_for.is_none();
            here && (message.ts == first || message.thread_ts.as_deref() == Some(first))
        });
        Ok(self.page_of(args, wanted.filter(|message| between(&message.ts)).collect()))
    }

    pub(super) fn channel_info(&self, args: &Args) -> Reply {
        let channel = self.visible(args, "read")?;
        Ok(json!({ "channel": self.channel_json(channel) }))
    }

    pub(super) fn join_channel(&mut self, args: &Args) -> Reply {
        let id = args.text("channel").unwrap_or_default();
        let bot = self.app.bot_user.clone();
        let channel = self.channels.get_mut(id).ok_or_else(|| Error::new("channel_not_found"))?;
        if channel.private {
            return Err(Error::new("method_not_supported_for_channel_type"));
        }
        if channel.archived {
            return Err(Error::new("is_archived"));
        }
        channel.members.insert(bot);
        let id = channel.id.clone();
        let shown = self.channels.get(&id).map(|channel| self.channel_json(channel));
        Ok(json!({ "channel": shown }))
    }

    /// A channel that the bot may know of, by `channels:…` or, where it is private, by `groups:…`.
    fn visible(&self, args: &Args, what: &str) -> Result<&Channel, Error> {
        let id = args.text("channel").unwrap_or_default();
        let channel = self.channels.get(id).ok_or_else(|| Error::new("channel_not_found"))?;
        let kind = if channel.private { "groups" } else { "channels" };
        let scope = format!("{kind}:{what}");
        if !self.may(&scope) {
            return Err(Error::missing_scope(&scope));
        }
        if channel.private && !self.bot_is_in(id) {
            return Err(Error::new("channel_not_found"));
        }
        Ok(channel)
    }

    /// A channel whose messages the bot may read: one that it is in.
    fn readable(&self, args: &Args, what: &str) -> Result<String, Error> {
        let channel = self.visible(args, what)?;
        if !self.bot_is_in(&channel.id) {
            return Err(Error::new("not_in_channel"));
        }
        Ok(channel.id.clone())
    }

    fn channel_json(&self, channel: &Channel) -> Value {
        let shared = channel.members.iter().filter_map(|user| self.users.get(user));
        let shared = shared.into_iter().any(|user| user.team != self.home);
        json!({
            "id": channel.id,
            "name": channel.name,
            "is_channel": !channel.private,
            "is_private": channel.private,
            "is_archived": channel.archived,
            "is_member": self.bot_is_in(&channel.id),
            "is_ext_shared": shared,
            "context_team_id": self.home,
        })
    }

    /// One page; the cursor is the number of messages that came before.
    fn page_of(&self, args: &Args, messages: Vec<&Message>) -> Value {
        let limit = args.number("limit").unwrap_or(100).clamp(1, 999);
        let start = args.number("cursor").unwrap_or(0);
        let metadata = args.is_true("include_all_metadata");
        let total = messages.len();
        let page = messages.into_iter().skip(start).take(limit);
        let page: Vec<Value> = page.map(|message| self.message_json(message, metadata)).collect();
        let end = start.saturating_add(page.len());
        let next = if end < total { end.to_string() } else { String::new() };
        let more = end < total;
        json!({ "messages": page, "has_more": more, "response_metadata": { "next_cursor": next } })
    }
}

/// `oldest`, `latest` and `inclusive`. Times compare as text: seconds have the same length for centuries.
fn between(args: &Args) -> impl Fn(&str) -> bool {
    let oldest = args.text("oldest").map(str::to_owned);
    let latest = args.text("latest").map(str::to_owned);
    let inclusive = args.is_true("inclusive");
    move |ts: &str| {
        let edge = inclusive && (oldest.as_deref() == Some(ts) || latest.as_deref() == Some(ts));
        let after = oldest.as_deref().is_none_or(|oldest| ts > oldest);
        let before = latest.as_deref().is_none_or(|latest| ts < latest);
        edge || (after && before)
    }
}
