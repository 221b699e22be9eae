//! What stands in Slack: messages, buttons, modals, as people see them.

use serde_json::Value;

use super::contents::Content;
use super::messages::{Message, Ping};
use super::modals::{Modal, inputs};
use super::mrkdwn::Piece;
use super::state::State;
use super::{ChannelId, Slack, Ts, UserId, ViewId};

/// A link as it is shown, and where it really leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it leads.
    pub url: String,
    /// What is shown.
    pub label: String,
}

/// A button of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// Its block.
    pub block_id: String,
    /// Its id within the block.
    pub action_id: String,
    /// What stands on it.
    pub label: String,
    /// What comes back with a press.
    pub value: Option<String>,
    /// The page that it opens.
    pub url: Option<String>,
    /// `primary` or `danger`.
    pub style: Option<String>,
    /// The confirmation that the client asks for: title and text, on a line each.
    pub confirm: Option<String>,
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageView {
    /// Where it stands.
    pub channel: ChannelId,
    /// Its time, which is its name.
    pub ts: Ts,
    /// The first message of its thread, if it is a reply.
    pub thread_ts: Option<Ts>,
    /// Who wrote it.
    pub author: UserId,
    /// Its `text`, as the wire carries it: what notifications and screen readers tell where there are blocks.
    pub text: String,
    /// Its blocks, as the wire carries them.
    pub blocks: Vec<Value>,
    /// What people read: blocks, or the text where there are none; markup resolved, links by their labels.
    pub seen: String,
    /// Where its links lead.
    pub links: Vec<Link>,
    /// Its buttons, from the first to the last.
    pub buttons: Vec<Button>,
    /// Whether "(edited)" is shown.
    pub edited: bool,
    /// The one person who sees it, if it is ephemeral.
    pub only_for: Option<UserId>,
    /// Its metadata.
    pub metadata: Option<Value>,
}

/// A modal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModalView {
    /// Its id.
    pub id: ViewId,
    /// Who sees it.
    pub user: UserId,
    /// Its title.
    pub title: String,
    /// Its `callback_id`.
    pub callback_id: String,
    /// Its `private_metadata`.
    pub private_metadata: String,
    /// What people read in it.
    pub seen: String,
    /// The `action_id` of each field.
    pub fields: Vec<String>,
    /// What the app finds wrong, by `block_id`.
    pub errors: Vec<(String, String)>,
    /// Whether it stands open.
    pub open: bool,
}

impl Slack {
    /// Everything that everybody sees in a channel, replies in threads included, oldest first.
    pub fn messages_of(&self, channel: &str) -> Vec<MessageView> {
        self.views_where(|message| message.channel == channel && message.only_for.is_none())
    }

    /// One message that everybody sees.
    pub fn message(&self, channel: &str, ts: &str) -> Option<MessageView> {
        self.messages_of(channel).into_iter().find(|message| message.ts == ts)
    }

    /// The replies in a thread, oldest first.
    pub fn replies_to(&self, channel: &str, ts: &str) -> Vec<MessageView> {
        let all = self.messages_of(channel).into_iter();
        all.filter(|message| message.thread_ts.as_deref() == Some(ts)).collect()
    }

    /// What only this person sees, oldest first.
    pub fn ephemerals_of(&self, user: &str) -> Vec<MessageView> {
        self.views_where(|message| message.only_for.as_deref() == Some(user))
    }

    /// Everybody who was notified, oldest first.
    pub fn pings(&self) -> Vec<Ping> {
        self.with(|state| state.pings.clone())
    }

    /// Every modal that was shown to this person, oldest first.
    pub fn views_of(&self, user: &str) -> Vec<ModalView> {
        self.with(|state| {
            let own = state.modals.iter().filter(|modal| modal.user == user);
            own.map(|modal| state.modal_view(modal)).collect()
        })
    }

    fn views_where(&self, wanted: impl Fn(&Message) -> bool) -> Vec<MessageView> {
        self.with(|state| {
            let found = state.messages.iter().filter(|message| wanted(message));
            found.map(|message| state.message_view(message)).collect()
        })
    }
}

impl State {
    fn message_view(&self, message: &Message) -> MessageView {
        let content = &message.content;
        let links = content.lines().into_iter().flatten().filter_map(|piece| match piece {
            Piece::Link { url, label } => Some(Link { url, label }),
            Piece::Text(_)
            | Piece::Person(_)
            | Piece::Named(_)
            | Piece::Channel(_)
            | Piece::Group(_)
            | Piece::Everybody(_) => None,
        });
        MessageView {
            channel: message.channel.clone(),
            ts: message.ts.clone(),
            thread_ts: message.thread_ts.clone(),
            author: message.author.clone(),
            text: content.text.clone(),
            blocks: content.blocks.clone(),
            seen: self.seen(content),
            links: links.collect(),
            buttons: content.blocks.iter().flat_map(Button::of_block).map(|(button, _)| button).collect(),
            edited: message.edited,
            only_for: message.only_for.clone(),
            metadata: content.metadata.clone(),
        }
    }

    fn modal_view(&self, modal: &Modal) -> ModalView {
        let text = |at: &str| modal.view.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let blocks = modal.view.get("blocks").and_then(Value::as_array).cloned().unwrap_or_default();
        ModalView {
            id: modal.id.clone(),
            user: modal.user.clone(),
            title: text("/title/text"),
            callback_id: text("/callback_id"),
            private_metadata: text("/private_metadata"),
            seen: self.seen(&Content { blocks, ..Content::plain("") }),
            fields: inputs(&modal.view).into_iter().map(|input| input.action_id).collect(),
            errors: modal.errors.clone(),
            open: modal.open,
        }
    }

    /// A content as people read it, a line per text.
    pub(super) fn seen(&self, content: &Content) -> String {
        let line = |line: &Vec<Piece>| line.iter().map(|piece| self.piece_text(piece)).collect::<String>();
        content.lines().iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn piece_text(&self, piece: &Piece) -> String {
        match piece {
            Piece::Text(text) => text.clone(),
            Piece::Link { label, .. } => label.clone(),
            Piece::Person(id) => format!("@{}", self.name_of(id)),
            Piece::Named(name) | Piece::Everybody(name) | Piece::Group(name) => format!("@{name}"),
            Piece::Channel(id) => {
                format!("#{}", self.channels.get(id).map_or(id.as_str(), |known| known.name.as_str()))
            }
        }
    }
}

impl Button {
    /// The buttons of a block, each with its element as the wire carries it.
    pub(super) fn of_block(block: &Value) -> Vec<(Self, &Value)> {
        let block_id = block.get("block_id").and_then(Value::as_str).unwrap_or_default();
        let elements = block.get("elements").and_then(Value::as_array).into_iter().flatten();
        let all = elements.chain(block.get("accessory"));
        let buttons = all.filter(|element| element.get("type").and_then(Value::as_str) == Some("button"));
        buttons.map(|element| (Self::read(block_id, element), element)).collect()
    }

    fn read(block_id: &str, element: &Value) -> Self {
        let text = |at: &str| element.pointer(at).and_then(Value::as_str).map(str::to_owned);
        let confirm = text("/confirm/title/text").zip(text("/confirm/text/text"));
        Self {
            block_id: block_id.to_owned(),
            action_id: text("/action_id").unwrap_or_default(),
            label: text("/text/text").unwrap_or_default(),
            value: text("/value"),
            url: text("/url"),
            style: text("/style"),
            confirm: confirm.map(|(title, text)| format!("{title}\n{text}")),
        }
    }
}
