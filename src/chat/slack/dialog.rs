//! The form behind a button, and what it keeps for us until it is sent.

use super::blocks::plain;
use super::{buttons, limits};
use crate::domain::chat::{Aside, ChannelId, Message, Offer};
use crate::domain::command::LONGEST_REASON;
use crate::domain::id::ChatName;
use crate::domain::ledger::Word;
use crate::ports::chat::Form;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// By which our forms are known.
pub(super) const CALLBACK: &str = "countersign:decide";
/// The field that asks why: its block, and itself.
pub(super) const REASON: &str = "reason";

/// What a form keeps: where its button was pressed, and what for. Whoever sends it is told by Slack.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) offer: Offer,
    pub(super) word: Word,
    pub(super) channel: ChannelId,
    /// The message that the button stands on.
    pub(super) on: Option<String>,
    pub(super) thread: Option<String>,
    /// Where Slack takes answers to the press.
    pub(super) url: Option<String>,
}

impl Kept {
    pub(super) fn of(form: &Form) -> Self {
        let Form { aside, on, offer, word, .. } = form;
        Self {
            offer: offer.clone(),
            word: *word,
            channel: aside.channel.clone(),
            on: on.as_ref().map(|message| message.id.clone()),
            thread: aside.thread.clone(),
            url: aside.url.clone(),
        }
    }

    /// Reads what came back with a form.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The message that the button stands on.
    pub(super) fn message(&self) -> Option<Message> {
        self.on.as_ref().map(|id| Message { channel: self.channel.clone(), id: id.clone() })
    }

    /// Where its sender is answered.
    pub(super) fn aside(&self, chat: &ChatName, user: &str, url: Option<String>) -> Aside {
        Aside {
            chat: chat.clone(),
            channel: self.channel.clone(),
            user: user.to_owned(),
            thread: self.thread.clone(),
            url,
        }
    }
}

/// The form.
pub(super) fn view(form: &Form) -> Value {
    let mut kept = Kept::of(form);
    if kept.text().chars().count() > limits::PRIVATE_METADATA {
        kept.url = None;
    }
    let (title, submit) = match form.word {
        Word::Approved => ("Approve deployment", "Approve"),
        Word::Rejected => ("Reject deployment", "Reject"),
        Word::Revoked => ("Revoke approval", "Revoke"),
    };
    let mut blocks = vec![json!({ "type": "section", "text": plain(&buttons::subject(&form.offer)) })];
    if form.word == Word::Rejected {
        blocks.push(why(form.offer.reason_needed));
    }
    json!({
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": kept.text(),
        "title": plain(title),
        "submit": plain(submit),
        "close": plain("Cancel"),
        "blocks": blocks,
    })
}

fn why(needed: bool) -> Value {
    json!({
        "type": "input",
        "block_id": REASON,
        "label": plain("Reason"),
        "optional": !needed,
        "element": {
            "type": "plain_text_input",
            "action_id": REASON,
            "multiline": true,
            "max_length": LONGEST_REASON,
        },
    })
}

/// Keeps the form open, and says why: blanks alone are no reason.
pub(super) fn reason_missing() -> String {
    json!({ "response_action": "errors", "errors": { REASON: "Say why. Everybody who looks at the deployment reads it." } }).to_string()
}
