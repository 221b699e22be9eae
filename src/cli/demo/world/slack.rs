//! The workspace: one channel, in which the deployments of both forges are announced.

use super::{Person, Refused};
use crate::sim::clock::Now;
use crate::sim::slack::{self, Button, ChannelId, MessageView, ModalView, NewUser, Shown, Slack, UserId};
use jiff::Timestamp;

/// The chat's name in the configuration and in addresses.
pub(crate) const CHAT: &str = "slack";
/// The channel, without its `#`.
pub(crate) const CHANNEL: &str = "deploys";

/// The workspace `acme` on Slack. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct OnSlack {
    /// The Slack, with Countersign's app installed.
    pub(crate) twin: Slack,
    /// The channel.
    pub(crate) channel: ChannelId,
    people: Vec<(Person, UserId)>,
}

impl OnSlack {
    pub(super) fn new(now: Now) -> Self {
        let twin = Slack::new(now);
        let people = Person::ALL.map(|person| (person, twin.add_user(NewUser::member(person.username()))));
        let members: Vec<&str> = people.iter().map(|(_, user)| user.as_str()).collect();
        let channel = twin.add_channel(CHANNEL, &members);
        Self { twin, channel, people: people.to_vec() }
    }

    /// Tells Countersign at this address of every command, button and form.
    pub(crate) fn add_hook(&self, url: &str) {
        self.twin.set_request_url(url);
    }

    /// Somebody's member id.
    pub(crate) fn id(&self, person: Person) -> &str {
        self.people.iter().find(|(known, _)| *known == person).map_or("", |(_, user)| user)
    }

    /// Whose member id this is; `None` for the app's.
    pub(crate) fn person(&self, id: &str) -> Option<Person> {
        self.people.iter().find(|(_, user)| user == id).map(|(person, _)| *person)
    }

    /// Everything in the channel, threads and what one person alone sees included, oldest first.
    pub(crate) fn messages(&self) -> Vec<MessageView> {
        let private = self.people.iter().flat_map(|(_, user)| self.twin.ephemerals_of(user));
        let private = private.filter(|message| message.channel == self.channel);
        let mut all: Vec<_> = self.twin.messages_of(&self.channel).into_iter().chain(private).collect();
        all.sort_by(|one, other| one.ts.cmp(&other.ts));
        all
    }

    /// The cards: what the app wrote into the channel for everybody, oldest first.
    pub(crate) fn cards(&self) -> Vec<MessageView> {
        let bot = self.twin.bot_user();
        let all = self.twin.messages_of(&self.channel).into_iter();
        all.filter(|message| message.author == bot && message.thread_ts.is_none()).collect()
    }

    /// The forms that stand open before somebody.
    pub(crate) fn forms(&self) -> Vec<(Person, ModalView)> {
        let views = self.people.iter().flat_map(|(person, user)| {
            self.twin.views_of(user).into_iter().map(|view| (*person, view)).collect::<Vec<_>>()
        });
        views.filter(|(_, view)| view.open).collect()
    }

    /// Types a slash command, or says something to everybody.
    pub(crate) async fn types(&self, by: Person, text: &str) -> Result<(), Refused> {
        if !text.starts_with('/') {
            let said = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            return Ok(self.twin.say(self.id(by), &self.channel, &said, None).map(drop)?);
        }
        let (command, words) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        well(self.twin.command(self.id(by), &self.channel, command, words).await?)
    }

    /// Presses a button of a message, and says yes where it asks.
    pub(crate) async fn presses(&self, by: Person, ts: &str, button: &Button) -> Result<(), Refused> {
        well(self.twin.press_button(self.id(by), &self.channel, ts, button).await?)
    }

    /// Sends a form, with what was written into its one field if it has one.
    pub(crate) async fn sends(&self, by: Person, form: &str, reason: &str) -> Result<(), Refused> {
        let open = self.forms().into_iter().find(|(whose, view)| *whose == by && view.id == form);
        let fields = open.map(|(_, view)| view.fields).unwrap_or_default();
        let values: Vec<(&str, &str)> = fields.iter().map(|field| (field.as_str(), reason)).collect();
        let shown = self.twin.submit_view(self.id(by), form, &values).await?;
        match &shown.text {
            Some(trouble) => Err(Refused(trouble.clone())),
            None => well(shown),
        }
    }

    /// Closes a form without sending it.
    pub(crate) async fn cancels(&self, by: Person, form: &str) -> Result<(), Refused> {
        self.twin.close_view(self.id(by), form).await?.map_or(Ok(()), well)
    }
}

/// When a message was written: its name begins with the second.
pub(crate) fn written_at(message: &MessageView) -> Timestamp {
    let second = message.ts.split('.').next().and_then(|second| second.parse().ok());
    second.and_then(|second| Timestamp::from_second(second).ok()).unwrap_or_default()
}

/// What the app answers in time with 200 is well; Slack complains of anything else.
fn well(shown: Shown) -> Result<(), Refused> {
    match shown.status {
        Some(200) => Ok(()),
        Some(_) | None => Err(Refused(shown.text.unwrap_or_default())),
    }
}

impl From<slack::Refused> for Refused {
    fn from(refused: slack::Refused) -> Self {
        Self(refused.to_string())
    }
}
