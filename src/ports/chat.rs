//! What the use cases ask of a chat: to keep messages in channels, and to answer one person.

use super::failure::Failure;
use crate::domain::chat::{Aside, Channel, ChannelId, ChatUser, Choice, Message, NoVoice, Offer};
use crate::domain::id::ChatName;
use crate::domain::ledger::Word;
use crate::domain::notice::Notice;
use crate::domain::wording::Prose;
use async_trait::async_trait;

/// A chat account, as the chat tells of it right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// What `[[person]]` calls the account here: its present name, or its id where names mean nothing.
    pub name: String,
    /// Why it has no say, if it has none.
    pub no_voice: Option<NoVoice>,
}

/// One chat. Texts come as [`Prose`]; the chat renders them, escapes what is foreign, keeps its limits, and sees to
/// it that nobody is notified but those whom a notice mentions.
#[async_trait]
pub trait Chat: Send + Sync {
    /// The configured name.
    fn name(&self) -> &ChatName;
    /// The channel that a configured name means; may be kept.
    async fn channel(&self, channel: &Channel) -> Result<ChannelId, Failure>;
    /// Who somebody is, asked anew for each act. An account that the chat doesn't know is [`NoVoice::Nobody`].
    async fn presence(&self, who: &ChatUser, at: &ChannelId) -> Result<Presence, Failure>;
    /// Writes a message. The marker is kept with it, unseen.
    async fn post(&self, at: &ChannelId, notice: &Notice, marker: &str) -> Result<Message, Failure>;
    /// Replaces a message of ours, which keeps its marker. `NotFound` when somebody deleted it, `Refused(Locked)` when
    /// it may not be edited any more.
    async fn edit(&self, message: &Message, notice: &Notice, marker: &str) -> Result<(), Failure>;
    /// Writes into the thread of a message.
    async fn add(&self, under: &Message, text: &Prose, marker: &str) -> Result<Message, Failure>;
    /// Our own messages with this marker: in a channel, or in the thread of a message. `Refused(NoPermission)` where we
    /// may not look.
    async fn find_own(
        &self,
        at: &ChannelId,
        under: Option<&Message>,
        marker: &str,
    ) -> Result<Vec<Message>, Failure>;
    /// Deletes a message of ours (a duplicate found later).
    async fn delete(&self, message: &Message) -> Result<(), Failure>;
    /// Answers one person alone. Can't be found again: after an unknown outcome it may be said twice.
    async fn whisper(&self, to: &Aside, text: &Prose, choices: &[Choice]) -> Result<(), Failure>;
    /// Opens a form in answer to a press; takes no longer than the platform gives it.
    async fn open_form(&self, form: &Form) -> Result<(), Failure>;
}

/// A form behind a button: the question why, or whether it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// What the platform wants to see with it. It is good for seconds.
    pub trigger: String,
    /// Who pressed, and where.
    pub aside: Aside,
    /// The message that the button stands on.
    pub on: Option<Message>,
    /// What the button stands for.
    pub offer: Offer,
    /// What it says.
    pub word: Word,
}
