//! Chats: channels, messages, and what people do there. Which product it is, only an adapter knows.

use super::actor::Account;
use super::deployment::Description;
use super::id::{ChatName, ForgeName, PlatformName, UserId};
use super::ledger::Word;
use super::policy::Gate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A channel, as `notify` names it: `slack:C0DEPLOYS`, `mattermost:acme/town-square`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Channel {
    /// The chat.
    pub chat: ChatName,
    /// The channel, in words that this chat understands.
    pub name: String,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.chat, self.name)
    }
}

/// The chat's own id of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelId(String);

impl ChannelId {
    /// Wraps what the chat says.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as the chat wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text by which what is done there is ordered: `chat/channel`.
    pub fn key(&self, chat: &ChatName) -> String {
        format!("{chat}/{}", self.0)
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Message {
    /// Where it stands.
    pub channel: ChannelId,
    /// The chat's id of it.
    pub id: String,
}

/// What one message per channel is about: a deployment and its siblings, that is the other jobs of its run that wait
/// for the same environment. A job that is retried begins another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subject(String);

impl Subject {
    /// What a deployment is told under. `earlier`: how many deployments of the same job its run had before.
    pub fn of(deployment: &Description, earlier: usize) -> Self {
        let Description { forge, project, run, environment, .. } = deployment;
        match deployment.gate {
            // All jobs of an attempt that wait for one environment are one deployment there.
            Gate::ProtectionRule => Self(deployment.id.to_string()),
            Gate::Native | Gate::ManualJob if *run == 0 => Self(deployment.id.to_string()),
            Gate::Native | Gate::ManualJob => {
                Self(format!("{forge}/{}/run/{run}/{earlier}:{environment}", project.id.0))
            }
        }
    }

    /// The forge of what it is about.
    pub fn forge(&self) -> ForgeName {
        ForgeName::new(self.0.split('/').next().unwrap_or_default())
    }

    /// Reads one back from the store or a button.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a deployment is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// What its messages are about.
    pub subject: Subject,
    /// In which channels one stands; at least one.
    pub channels: Vec<Channel>,
}

/// An account of a chat, as a delivery names it. It never approves by itself: see [`Link`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatUser {
    /// The chat's id of it.
    pub id: String,
    /// The workspace that the delivery says they belong to, where the chat has such.
    pub team: Option<String>,
}

/// Where one person alone is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// The chat.
    pub chat: ChatName,
    /// Where they acted.
    pub channel: ChannelId,
    /// The chat's id of their account.
    pub user: String,
    /// The message whose thread they acted in.
    pub thread: Option<String>,
    /// Where the chat takes answers to this act, for a while. Whoever knows it can answer: never to be logged.
    pub url: Option<String>,
}

/// What somebody did in a chat, as its signed delivery tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chatted {
    /// The chat's id of the act: each is another one.
    pub id: String,
    /// Who.
    pub by: ChatUser,
    /// Where, and where they are answered.
    pub aside: Aside,
    /// When, by the chat's clock where it tells.
    pub at: Timestamp,
    /// What.
    pub act: Act,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// The slash command was typed.
    Typed {
        /// What follows the command's name: foreign text.
        text: String,
    },
    /// A button was pressed, or the form behind it was sent.
    Pressed {
        /// What the button stands for.
        offer: Offer,
        /// What it says.
        word: Word,
        /// Why, where a form asked: foreign text.
        reason: Option<String>,
        /// The message that it stands on; `None` in answers that one person alone sees.
        on: Option<Message>,
        /// When the button was pressed: a form is sent later.
        pressed_at: Timestamp,
    },
    /// A button was pressed whose form could not be opened: nothing was decided.
    Unopened {
        /// What the button stands for.
        offer: Offer,
        /// What it says.
        word: Word,
    },
}

/// What buttons stand for: a decision on exactly the deployments that were shown beside them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// What the message is about.
    pub subject: Subject,
    /// The numbers of the deployments that it showed.
    pub numbers: Vec<i64>,
    /// Their environment, for forms and confirmations: foreign text.
    pub environment: String,
    /// Their SHA.
    pub sha: String,
    /// A rejection must say why.
    pub reason_needed: bool,
    /// Which showing of the message the buttons belong to, from 1; 0 in answers that one person alone sees.
    pub generation: i64,
}

/// One line of an answer, with buttons behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What can be chosen.
    pub line: super::wording::Line,
    /// What its buttons stand for.
    pub offer: Offer,
}

/// Why a chat account has no say, whatever it is linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoVoice {
    /// A guest of the workspace.
    Guest,
    /// A member of another workspace or organisation.
    Foreigner,
    /// A bot, or an app's account.
    Bot,
    /// The account was deactivated.
    Deactivated,
    /// No member of the channel.
    Outsider,
    /// The chat knows no such account.
    Nobody,
    /// The chat could not be asked.
    Unknown,
}

/// One `[[person]]`: the accounts of one human, by the names that the configuration gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Login names, or the chat's ids, by forge or chat.
    pub accounts: std::collections::BTreeMap<PlatformName, String>,
}

/// Every `[[person]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People(Vec<Person>);

impl People {
    /// Takes them as the configuration has checked them: no account stands in two of them.
    pub fn new(people: Vec<Person>) -> Self {
        Self(people)
    }

    /// The person with this account, compared without case.
    pub fn with(&self, platform: &PlatformName, account: &str) -> Option<&Person> {
        let account = account.to_lowercase();
        self.0
            .iter()
            .find(|person| person.accounts.get(platform).is_some_and(|known| known.to_lowercase() == account))
    }

    /// All of them, in the configuration's order.
    pub fn all(&self) -> &[Person] {
        &self.0
    }
}

/// A chat account that speaks for a forge account, as it was first resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The chat.
    pub chat: ChatName,
    /// The account, as the configuration names it.
    pub name: String,
    /// The chat's id of it.
    pub chat_user: String,
    /// The forge.
    pub forge: ForgeName,
    /// The account that it speaks for.
    pub account: Account,
    /// Who made the link.
    pub made_by: String,
    /// When it was first used.
    pub made_at: Timestamp,
}

impl Link {
    /// Links that stand in the configuration are made by whoever writes that.
    pub const BY_CONFIGURATION: &'static str = "configuration";

    /// The number of the forge account.
    pub fn user(&self) -> UserId {
        self.account.id
    }
}
