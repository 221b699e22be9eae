//! What the app is sent: forms of slash commands, payloads of interactions.

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::state::{Refused, State};
use crate::sim::exchange::Outgoing;

impl State {
    /// A slash command, as a form. A thread is never told: commands can't be typed in one.
    pub(super) fn command_form(
        &mut self,
        user: &str,
        channel: &str,
        typed: (&str, &str),
    ) -> Result<Outgoing, Refused> {
        let (command, text) = typed;
        let person = self.person(user)?;
        let (name, foreign) = (person.name.clone(), person.team != self.home);
        let channel_name = self.open_channel(user, channel)?.name.clone();
        if foreign {
            return Err(Refused::ForeignWorkspace);
        }
        if command != self.app.command {
            return Err(Refused::NoCommand);
        }
        let text = if self.app.should_escape { self.escape(text) } else { text.to_owned() };
        let domain = self.domain_of(&self.home);
        let response_url = self.response_url("commands", user, channel, None);
        let trigger = self.trigger(user);
        let fields = [
            ("token", self.app.verification_token.as_str()),
            ("team_id", &self.home),
            ("team_domain", &domain),
            ("channel_id", channel),
            ("channel_name", &channel_name),
            ("user_id", user),
            ("user_name", &name),
            ("command", command),
            ("text", &text),
            ("api_app_id", &self.app.id),
            ("is_enterprise_install", "false"),
            ("response_url", &response_url),
            ("trigger_id", &trigger),
        ];
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        Ok(self.outgoing(body))
    }

    /// `should_escape`: control characters become entities, names and links become markup.
    fn escape(&self, text: &str) -> String {
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let words = escaped.split(' ').map(|word| self.escape_word(word));
        words.collect::<Vec<_>>().join(" ")
    }

    fn escape_word(&self, word: &str) -> String {
        if word.starts_with("https://") || word.starts_with("http://") {
            return format!("<{word}>");
        }
        let person =
            word.strip_prefix('@').and_then(|name| self.users.values().find(|known| known.name == name));
        if let Some(person) = person {
            return format!("<@{}|{}>", person.id, person.name);
        }
        let channel =
            word.strip_prefix('#').and_then(|name| self.channels.values().find(|known| known.name == name));
        match channel {
            Some(channel) if channel.private => format!("<#{}|>", channel.id),
            Some(channel) => format!("<#{}|{}>", channel.id, channel.name),
            None => word.to_owned(),
        }
    }

    /// A pressed button: `block_actions`. `at` is the message's place in the list, `button` the element as it
    /// stands there.
    pub(super) fn block_actions(
        &mut self,
        user: &str,
        at: usize,
        button: &Value,
        block_id: &str,
    ) -> Option<Outgoing> {
        let message = self.messages.get(at)?;
        let (channel, ts) = (message.channel.clone(), message.ts.clone());
        let mut container = json!({
            "type": "message",
            "message_ts": ts,
            "channel_id": channel,
            "is_ephemeral": message.only_for.is_some(),
        });
        if let (Some(thread), Some(fields)) = (&message.thread_ts, container.as_object_mut()) {
            fields.insert("thread_ts".into(), thread.as_str().into());
        }
        let shown = message.only_for.is_none().then(|| self.message_json(message, false));
        let channel_name = self.channels.get(&channel)?.name.clone();
        let mut payload = self.interaction("block_actions", user);
        let response_url = self.response_url("actions", user, &channel, Some(&ts));
        let own = json!({
            "trigger_id": self.trigger(user),
            "response_url": response_url,
            "container": container,
            "channel": { "id": channel, "name": channel_name },
            "state": { "values": {} },
            "actions": [self.action(button, block_id)],
        });
        merge(&mut payload, own);
        if let Some(message) = shown {
            merge(&mut payload, json!({ "message": message }));
        }
        Some(self.payload(&payload))
    }

    /// A filled-in modal, or one that was closed: `view_submission`, `view_closed`.
    pub(super) fn view_payload(
        &mut self,
        kind: &str,
        user: &str,
        view: &str,
        values: Option<Value>,
    ) -> Outgoing {
        let mut payload = self.interaction(kind, user);
        let mut shown = self.view_json(view);
        if let Some(values) = values {
            merge(&mut shown, json!({ "state": { "values": values } }));
            let trigger = self.trigger(user);
            merge(&mut payload, json!({ "trigger_id": trigger, "response_urls": [] }));
        } else {
            merge(&mut payload, json!({ "is_cleared": false }));
        }
        merge(&mut payload, json!({ "view": shown }));
        self.payload(&payload)
    }

    /// What every interaction begins with. `team` is the app's workspace, `user.team_id` the person's own.
    fn interaction(&self, kind: &str, user: &str) -> Value {
        let known = self.users.get(user);
        let (name, team) = known.map_or(("", ""), |known| (known.name.as_str(), known.team.as_str()));
        json!({
            "type": kind,
            "user": { "id": user, "username": name, "name": name, "team_id": team },
            "team": { "id": self.home, "domain": self.domain_of(&self.home) },
            "enterprise": null,
            "is_enterprise_install": false,
            "api_app_id": self.app.id,
            "token": self.app.verification_token,
        })
    }

    fn action(&self, button: &Value, block_id: &str) -> Value {
        let mut action = button.clone();
        let at = self.time();
        let action_ts = format!("{}.{:06}", at.as_second(), at.subsec_microsecond());
        merge(&mut action, json!({ "block_id": block_id, "action_ts": action_ts }));
        action
    }

    fn payload(&mut self, payload: &Value) -> Outgoing {
        let pair = ("payload", payload.to_string());
        let body = Serializer::new(String::new()).extend_pairs([pair]).finish();
        self.outgoing(body)
    }
}

/// Puts the fields of one object into another.
pub(super) fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}
