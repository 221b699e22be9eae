//! Messages: posted, edited, removed, and whom they call.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::contents::Content;
use super::mrkdwn::Piece;
use super::state::{Error, Refused, State};
use super::{ChannelId, Slack, Ts, UserId};

/// Somebody is notified because a message calls them.
///
/// Whoever merely follows a thread or a channel isn't counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Whom; for a user group, which the twin doesn't know, its id (`S…`).
    pub who: UserId,
    /// In which channel.
    pub channel: ChannelId,
    /// By which message.
    pub ts: Ts,
    /// How they are called: `@channel`, `@here`, `@everyone`, or `@` and a name.
    pub by: String,
    /// Whether the call came by an edit, of which Slack may or may not notify.
    pub edit: bool,
}

pub(super) struct Message {
    pub(super) channel: ChannelId,
    pub(super) ts: Ts,
    pub(super) thread_ts: Option<Ts>,
    pub(super) author: UserId,
    pub(super) content: Content,
    /// The one person who sees an ephemeral message.
    pub(super) only_for: Option<UserId>,
    pub(super) edited: bool,
    pub(super) at: Timestamp,
}

/// Where a message goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) channel: ChannelId,
    pub(super) thread_ts: Option<Ts>,
    pub(super) only_for: Option<UserId>,
}

impl Slack {
    /// A person writes in a channel, by markup as the wire carries it; in a thread if `thread` names its first
    /// message.
    pub fn say(&self, user: &str, channel: &str, text: &str, thread: Option<&str>) -> Result<Ts, Refused> {
        self.with(|state| {
            state.person(user)?;
            state.open_channel(user, channel)?;
            let thread_ts = thread.map(str::to_owned);
            let place = Place { channel: channel.to_owned(), thread_ts, only_for: None };
            Ok(state.post(place, user, Content::plain(text)))
        })
    }
}

impl State {
    /// Posts, calls whom it calls, and returns the message's time.
    pub(super) fn post(&mut self, place: Place, author: &str, mut content: Content) -> Ts {
        let at = self.time();
        let ts = format!("{}.{:06}", at.as_second(), self.ids.next("ts", 100));
        self.name_blocks(&mut content.blocks);
        let Place { channel, thread_ts, only_for } = place;
        let message = Message {
            channel,
            ts: ts.clone(),
            thread_ts,
            author: author.to_owned(),
            content,
            only_for,
            edited: false,
            at,
        };
        self.call(&message, None);
        self.messages.push(message);
        ts
    }

    /// Puts other words into a message. Slack shows "(edited)" when they come without blocks. Metadata stays unless
    /// new metadata comes; an empty object removes it.
    pub(super) fn edit(&mut self, at: usize, mut content: Content) {
        self.name_blocks(&mut content.blocks);
        if at >= self.messages.len() {
            return;
        }
        let mut message = self.messages.remove(at);
        message.edited = content.blocks.is_empty();
        content.metadata = match content.metadata {
            Some(Value::Object(empty)) if empty.is_empty() => None,
            Some(new) => Some(new),
            None => message.content.metadata.take(),
        };
        let before = std::mem::replace(&mut message.content, content);
        self.call(&message, Some(&before));
        self.messages.insert(at, message);
    }

    /// Where in the list a message stands that this person (or everybody, when `None`) sees.
    pub(super) fn message_at(&self, channel: &str, ts: &str, seen_by: Option<&str>) -> Option<usize> {
        self.messages.iter().position(|known| {
            let visible = known.only_for.is_none() || known.only_for.as_deref() == seen_by;
            known.channel == channel && known.ts == ts && visible
        })
    }

    /// The thread that a new message may go into: one that begins with a message of the channel.
    pub(super) fn thread(&self, channel: &str, thread_ts: Option<&str>) -> Result<Option<Ts>, Error> {
        let Some(ts) = thread_ts else { return Ok(None) };
        let parent = self.message_at(channel, ts, None).and_then(|at| self.messages.get(at));
        match parent {
            Some(parent) if parent.thread_ts.is_none() => Ok(Some(ts.to_owned())),
            Some(_) | None => Err(Error::new("thread_not_found")),
        }
    }

    /// Blocks, buttons and fields without an id get one, as Slack gives it.
    pub(super) fn name_blocks(&mut self, blocks: &mut [Value]) {
        for block in blocks {
            let id = self.ids.hex(5);
            if let Some(fields) = block.as_object_mut() {
                fields.entry("block_id").or_insert_with(|| id.into());
            }
            for element in elements_mut(block) {
                let id = self.ids.hex(5);
                element.entry("action_id").or_insert_with(|| id.into());
            }
        }
    }

    /// Notifies whom a message calls, or calls that it didn't call before.
    fn call(&mut self, message: &Message, before: Option<&Content>) {
        if message.only_for.is_some() {
            return;
        }
        let known = before.map(Content::calls).unwrap_or_default();
        let new = message.content.calls().into_iter().filter(|piece| !known.contains(piece));
        let called: BTreeSet<(UserId, String)> =
            new.flat_map(|piece| self.called_by(&piece, message)).collect();
        let (channel, ts) = (&message.channel, &message.ts);
        let edit = before.is_some();
        let ping = |(who, by)| Ping { who, channel: channel.clone(), ts: ts.clone(), by, edit };
        self.pings.extend(called.into_iter().map(ping));
    }

    fn called_by(&self, piece: &Piece, message: &Message) -> Vec<(UserId, String)> {
        match piece {
            Piece::Everybody(word) => {
                let members = self.members(&message.channel).into_iter();
                let people = members.filter(|user| *user != message.author && self.person(user).is_ok());
                people.map(|user| (user, format!("@{word}"))).collect()
            }
            Piece::Person(id) => vec![(id.clone(), format!("@{}", self.name_of(id)))],
            Piece::Group(id) => vec![(id.clone(), format!("@{id}"))],
            Piece::Named(name) => {
                let named = self.users.values().filter(|user| &user.name == name);
                named.map(|user| (user.id.clone(), format!("@{name}"))).collect()
            }
            Piece::Text(_) | Piece::Link { .. } | Piece::Channel(_) => Vec::new(),
        }
    }
}

fn elements_mut(block: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let fields = block.as_object_mut();
    let parts = fields.into_iter().flat_map(|fields| {
        fields.iter_mut().filter(|(name, _)| matches!(name.as_str(), "elements" | "accessory" | "element"))
    });
    let elements = parts.flat_map(|(_, value)| match value {
        Value::Array(elements) => elements.iter_mut().collect(),
        single @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            vec![single]
        }
    });
    let interactive = |fields: &&mut Map<String, Value>| {
        let kind = fields.get("type").and_then(Value::as_str);
        matches!(kind, Some("button" | "plain_text_input"))
    };
    elements.filter_map(Value::as_object_mut).filter(interactive)
}
