//! Dialogs: opened with a trigger, filled in before one person, sent to wherever the client says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::state::{Error, Refused, State};
use super::{ChannelId, UserId};
use crate::sim::exchange::Outgoing;

/// A trigger that was given to the app.
pub(super) struct Trigger {
    user: UserId,
    channel: ChannelId,
    at: Timestamp,
    number: u64,
}

pub(super) struct Dialog {
    pub(super) user: UserId,
    pub(super) channel: ChannelId,
    pub(super) url: String,
    /// As the app gave it.
    pub(super) form: Value,
    pub(super) errors: Vec<(String, String)>,
    pub(super) open: bool,
}

/// What a client sends when a dialog is submitted. All of it is the client's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Where the server shall send it.
    pub url: String,
    /// The dialog's `callback_id`.
    pub callback_id: String,
    /// The dialog's `state`.
    pub state: String,
    /// The channel; one that the person may read.
    pub channel_id: ChannelId,
    /// The fields.
    pub submission: Value,
    /// Whether it was cancelled.
    pub cancelled: bool,
}

impl State {
    /// A fresh trigger for what this person just did in a channel.
    pub(super) fn trigger(&mut self, user: &str, channel: &str) -> String {
        let at = self.time();
        let text = format!("{}:{user}:{}:{}", self.ids.hex(26), at.as_millisecond(), self.ids.hex(64));
        let id = STANDARD.encode(text);
        let number = self.ids.next("trigger", 1);
        let trigger = Trigger { user: user.to_owned(), channel: channel.to_owned(), at, number };
        self.triggers.insert(id.clone(), trigger);
        id
    }

    /// `actions/dialogs/open`: whoever has the trigger may, and as often as they like while it is fresh. The
    /// client shows it only if the trigger is that of the person's last act, and in place of the one before.
    pub(super) fn open_dialog(&mut self, body: &Value) -> Result<(), Error> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let id = text("trigger_id");
        let bad = |id| Error::new(400, id, "Failed to decode trigger ID.");
        if STANDARD.decode(id).is_err() {
            return Err(bad("interactive_message.decode_trigger_id.base64_decode_failed"));
        }
        let unsigned = "interactive_message.decode_trigger_id.verify_signature_failed";
        let trigger = self.triggers.get(id).ok_or_else(|| bad(unsigned))?;
        let patience = SignedDuration::try_from(self.settings.patience).unwrap_or(SignedDuration::MAX);
        if self.time().duration_since(trigger.at) > patience {
            return Err(bad("interactive_message.decode_trigger_id.expired"));
        }
        let (user, channel) = (trigger.user.clone(), trigger.channel.clone());
        let own = self.triggers.values().filter(|known| known.user == user);
        if own.map(|known| known.number).max() != Some(trigger.number) {
            return Ok(());
        }
        self.close_dialog(&user);
        let (url, form) = (text("url").to_owned(), body.get("dialog").cloned().unwrap_or_default());
        self.dialogs.push(Dialog { user, channel, url, form, errors: Vec::new(), open: true });
        Ok(())
    }

    pub(super) fn dialog_of(&mut self, user: &str) -> Result<&mut Dialog, Refused> {
        self.person(user)?;
        let known = self.dialogs.iter_mut().find(|dialog| dialog.user == user && dialog.open);
        known.ok_or(Refused::NoDialog)
    }

    pub(super) fn close_dialog(&mut self, user: &str) {
        for dialog in self.dialogs.iter_mut().filter(|dialog| dialog.user == user) {
            dialog.open = false;
        }
    }

    /// What the server sends for a client: `user_id` is the person's own, all else the client's word. Nothing
    /// tells the app that Mattermost sent it.
    pub(super) fn submission(&self, user: &str, from: &Submission) -> Result<Outgoing, Refused> {
        self.person(user)?;
        if !self.may_read(user, &from.channel_id) {
            return Err(Refused::NoChannel);
        }
        let team = self.channels.get(&from.channel_id).map(|known| known.team.clone()).unwrap_or_default();
        let body = json!({
            "type": "dialog_submission",
            "callback_id": from.callback_id,
            "state": from.state,
            "user_id": user,
            "channel_id": from.channel_id,
            "team_id": team,
            "submission": from.submission,
            "cancelled": from.cancelled,
        });
        Ok(unsigned(&from.url, &body))
    }

    /// What the app answered to a dialog: errors stay on the form, all else closes it. What is no JSON counts as
    /// an empty answer.
    pub(super) fn after_dialog(&mut self, user: &str, body: &str) -> Option<String> {
        let answer: Value = serde_json::from_str(body).unwrap_or_default();
        let general = answer.get("error").and_then(Value::as_str).filter(|text| !text.is_empty());
        let errors = answer.get("errors").and_then(Value::as_object).cloned().unwrap_or_default();
        if general.is_none() && errors.is_empty() {
            self.close_dialog(user);
            return None;
        }
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        if let Ok(dialog) = self.dialog_of(user) {
            dialog.errors = errors.into_iter().map(|(name, value)| (name, text(value))).collect();
        }
        general.map(str::to_owned)
    }
}

/// A JSON request as Mattermost sends it for buttons and dialogs: without any credential.
pub(super) fn unsigned(url: &str, body: &Value) -> Outgoing {
    let headers = [("Content-Type", "application/json"), ("Accept", "application/json")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Outgoing { url: url.to_owned(), headers, body: body.to_string() }
}

impl Dialog {
    pub(super) fn text(&self, name: &str) -> String {
        self.form.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    pub(super) fn wants_cancel(&self) -> bool {
        self.form.get("notify_on_cancel") == Some(&Value::Bool(true))
    }

    pub(super) fn elements(&self) -> Vec<Element> {
        let elements = self.form.get("elements").and_then(Value::as_array).into_iter().flatten();
        elements.map(Element::read).collect()
    }

    /// The fields as the client sends them, after its own check.
    pub(super) fn fill_in(&self, values: &[(&str, &str)]) -> Result<Value, Refused> {
        let mut filled = Map::new();
        for element in self.elements() {
            let given = values.iter().find(|(name, _)| *name == element.name).map(|(_, value)| *value);
            element.check(given.unwrap_or_default())?;
            filled.insert(element.name, given.map_or(Value::Null, Into::into));
        }
        Ok(Value::Object(filled))
    }

    /// What is wrong with it. The server only warns in its log; older clients then show nothing.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let title = self.text("title").chars().count();
        if title == 0 || title > 24 {
            faults.push("title: 1 to 24 characters".to_owned());
        }
        if self.url.is_empty() {
            faults.push("url: missing".to_owned());
        }
        for element in self.elements() {
            let length = element.display_name.chars().count();
            if length == 0 || length > 24 {
                faults.push(format!("{}: display_name of 1 to 24 characters", element.name));
            }
            if element.most > element.limit() {
                faults.push(format!("{}: max_length up to {}", element.name, element.limit()));
            }
        }
        faults
    }
}

/// A field of a dialog.
pub(super) struct Element {
    pub(super) name: String,
    display_name: String,
    kind: String,
    optional: bool,
    least: usize,
    most: usize,
}

impl Element {
    fn read(element: &Value) -> Self {
        let text = |name: &str| element.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number =
            |name: &str| element.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let mut read = Self {
            name: text("name"),
            display_name: text("display_name"),
            kind: text("type"),
            optional: element.get("optional") == Some(&Value::Bool(true)),
            least: number("min_length").unwrap_or(0),
            most: 0,
        };
        read.most = number("max_length").filter(|most| *most > 0).unwrap_or_else(|| read.limit());
        read
    }

    fn limit(&self) -> usize {
        if self.kind == "textarea" { 3000 } else { 150 }
    }

    fn check(&self, value: &str) -> Result<(), Refused> {
        let length = value.chars().count();
        if length == 0 && self.optional {
            return Ok(());
        }
        if length == 0 || length < self.least || length > self.most {
            let (least, most) = (self.least.max(1), self.most);
            return Err(Refused::Form(format!("{}: {least} to {most} characters", self.name)));
        }
        Ok(())
    }
}
