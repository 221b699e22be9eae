//! Pressed buttons and sent forms.

use super::buttons;
use super::dialog::{CALLBACK, Kept, REASON, reason_missing};
use super::inbound::{Receiver, is_id, lacks};
use crate::domain::chat::{Act, Aside, ChannelId, ChatUser, Chatted, Message};
use crate::domain::event::Event;
use crate::domain::ledger::Word;
use crate::ports::chat::Form;
use crate::ports::inbound::{Received, Rejected, Verified};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What Slack sends when somebody does something to what we showed. Unknown fields are passed over.
#[derive(Deserialize)]
pub(super) struct Interaction {
    #[serde(rename = "type")]
    kind: String,
    user: Option<User>,
    team: Option<Named>,
    trigger_id: Option<String>,
    response_url: Option<String>,
    container: Option<Container>,
    channel: Option<Named>,
    #[serde(default)]
    actions: Vec<Action>,
    view: Option<View>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    team_id: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// The message that a button stands on.
#[derive(Deserialize)]
struct Container {
    channel_id: Option<String>,
    message_ts: Option<String>,
    thread_ts: Option<String>,
    #[serde(default)]
    is_ephemeral: bool,
}

#[derive(Deserialize)]
struct Action {
    #[serde(rename = "action_id", default)]
    id: String,
    value: Option<String>,
    #[serde(rename = "action_ts")]
    time: Option<String>,
}

#[derive(Deserialize)]
struct View {
    id: String,
    #[serde(default)]
    callback_id: String,
    #[serde(default)]
    private_metadata: String,
    #[serde(default)]
    hash: String,
    state: Option<Filled>,
}

/// What was filled in, by block and field.
#[derive(Deserialize)]
struct Filled {
    #[serde(default)]
    values: BTreeMap<String, BTreeMap<String, Input>>,
}

#[derive(Deserialize)]
struct Input {
    value: Option<String>,
}

impl Interaction {
    pub(super) fn read(payload: &str) -> Result<Self, Rejected> {
        serde_json::from_str(payload).map_err(|error| {
            // The error's own text may quote the payload.
            let (line, column) = (error.line(), error.column());
            Rejected::Unreadable(format!("the payload has another shape at line {line}, column {column}"))
        })
    }

    /// Who acted. The workspace is their own where it is told: buttons in shared channels are pressed by others too.
    fn by(&self) -> Result<ChatUser, Rejected> {
        let user = self.user.as_ref().filter(|user| is_id(&user.id)).ok_or_else(|| lacks("user"))?;
        let team = user.team_id.clone().or_else(|| self.team.as_ref().map(|team| team.id.clone()));
        Ok(ChatUser { id: user.id.clone(), team })
    }
}

impl Receiver {
    /// What somebody did, as a reason to act.
    pub(super) fn interaction(&self, said: &Interaction, at: Timestamp) -> Result<Received, Rejected> {
        match said.kind.as_str() {
            "block_actions" => self.pressed(said, at),
            "view_submission" => self.sent(said, at),
            _ => Ok(Received::NotOurs("an interaction of a kind that decides nothing")),
        }
    }

    fn pressed(&self, said: &Interaction, at: Timestamp) -> Result<Received, Rejected> {
        let ours = said.actions.iter().find_map(|action| Some((action, buttons::word(&action.id)?)));
        let Some((action, word)) = ours else {
            return Ok(Received::NotOurs("a button that decides nothing"));
        };
        let by = said.by()?;
        let place = Place::of(said)?;
        let offer =
            action.value.as_deref().and_then(buttons::offer).ok_or_else(|| lacks("the button's value"))?;
        let trigger = said.trigger_id.clone().filter(|id| is_id(id)).ok_or_else(|| lacks("trigger_id"))?;
        let time = action.time.as_deref().unwrap_or_default();
        let id = format!("{trigger}:{time}");
        let id = Some(id).filter(|id| is_id(id)).ok_or_else(|| lacks("action_ts"))?;
        let aside = Aside {
            chat: self.chat.clone(),
            channel: place.channel,
            user: by.id.clone(),
            thread: place.thread,
            url: self.answers_at(said.response_url.as_deref()),
        };
        if word == Word::Rejected {
            // Nothing is decided before its form is sent.
            let form = Some(Box::new(Form { trigger, aside, on: place.on, offer, word }));
            return Ok(Received::Ours(Verified { id, events: Vec::new(), form }));
        }
        let at = time_of(time).unwrap_or(at);
        let act = Act::Pressed { offer, word, reason: None, on: place.on, pressed_at: at };
        Ok(ours_alone(Chatted { id, by, aside, at, act }))
    }

    fn sent(&self, said: &Interaction, at: Timestamp) -> Result<Received, Rejected> {
        let view = said.view.as_ref().ok_or_else(|| lacks("view"))?;
        if view.callback_id != CALLBACK {
            return Ok(Received::NotOurs("a form that isn't ours"));
        }
        let by = said.by()?;
        let kept = Kept::read(&view.private_metadata).filter(|kept| is_id(kept.channel.as_str()));
        let kept = kept.ok_or_else(|| lacks("private_metadata"))?;
        let id = format!("{}:{}", view.id, view.hash);
        let id = Some(id).filter(|id| is_id(id)).ok_or_else(|| lacks("the view's id"))?;
        let reason = view.reason();
        if reason.is_none() && kept.offer.reason_needed && kept.word == Word::Rejected {
            return Ok(Received::Told(reason_missing()));
        }
        let aside = kept.aside(&self.chat, &by.id, self.answers_at(kept.url.as_deref()));
        let on = kept.message();
        let act = Act::Pressed { offer: kept.offer, word: kept.word, reason, on, pressed_at: at };
        Ok(ours_alone(Chatted { id, by, aside, at, act }))
    }
}

impl View {
    fn reason(&self) -> Option<String> {
        let value = self.state.as_ref()?.values.get(REASON)?.get(REASON)?.value.as_deref()?;
        Some(value.trim()).filter(|reason| !reason.is_empty()).map(str::to_owned)
    }
}

/// Where a button stands.
struct Place {
    channel: ChannelId,
    /// The message, unless one person alone sees it.
    on: Option<Message>,
    thread: Option<String>,
}

impl Place {
    fn of(said: &Interaction) -> Result<Self, Rejected> {
        let container = said.container.as_ref().ok_or_else(|| lacks("container"))?;
        let channel =
            container.channel_id.clone().or_else(|| said.channel.as_ref().map(|known| known.id.clone()));
        let channel = channel.filter(|id| is_id(id)).ok_or_else(|| lacks("the channel"))?;
        let channel = ChannelId::new(channel);
        let ts = container.message_ts.clone().filter(|ts| is_id(ts)).ok_or_else(|| lacks("message_ts"))?;
        // The first message of a thread names itself: who presses there may not have the thread open.
        let thread = container.thread_ts.clone().filter(|thread| *thread != ts);
        let on = (!container.is_ephemeral).then(|| Message { channel: channel.clone(), id: ts });
        Ok(Self { channel, on, thread })
    }
}

fn ours_alone(chatted: Chatted) -> Received {
    let id = chatted.id.clone();
    Received::Ours(Verified { id, events: vec![Event::Chatted(Box::new(chatted))], form: None })
}

/// `1778234400.000100`: seconds and microseconds. No float: it would lose the last of them.
fn time_of(ts: &str) -> Option<Timestamp> {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: i32 = format!("{fraction:0<9}").parse().ok()?;
    Timestamp::new(seconds.parse().ok()?, nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::time_of;
    use rstest::rstest;

    #[rstest]
    #[case("1778234400.000100", Some("2026-05-08T10:00:00.0001Z"))]
    #[case("1778234400", Some("2026-05-08T10:00:00Z"))]
    #[case("1778234400.", None)]
    #[case("1778234400.-1", None)]
    #[case("1778234400.1e3", None)]
    #[case("NaN", None)]
    #[case("99999999999999999999.0", None)]
    #[case("", None)]
    fn times_are_read_to_the_microsecond(#[case] ts: &str, #[case] time: Option<&str>) {
        assert_eq!(time_of(ts), time.map(|time| time.parse().unwrap()));
    }
}
