//! What the world is to be told. Written with the decision, delivered from the queue.

use super::actor::Account;
use super::chat::{Aside, Channel, Choice, Subject};
use super::deployment::Description;
use super::id::{CommentRef, Conversation, DeploymentId, ForgeName, Place, ProjectId};
use super::ledger::{Source, Word};
use super::policy::Gate;
use super::wording::Prose;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing to do to the world. Every attempt reads the world first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Start the deployment, if the rules still say so.
    Release {
        /// Which.
        deployment: DeploymentId,
    },
    /// Fail the deployment.
    Reject {
        /// Which.
        deployment: DeploymentId,
    },
    /// Hand one person's vote to the forge in their name (`vote_as = "sudo"`), then answer.
    CastVote(Ballot),
    /// Bring the card of a conversation up to date.
    SyncCard {
        /// Which.
        conversation: Conversation,
    },
    /// Bring the buttons of a deployment up to date, where the forge can show some.
    SyncButtons {
        /// Which.
        deployment: DeploymentId,
    },
    /// Tell in the forge's own pages how a deployment stands that waits for us.
    Report {
        /// Which.
        deployment: DeploymentId,
    },
    /// Bring a message in a channel up to date, and tell in its thread what is new.
    SyncNotice {
        /// The channel.
        channel: Channel,
        /// What it is about.
        subject: Subject,
    },
    /// Answer one person in a chat, so that nobody else sees it.
    Whisper {
        /// Where.
        to: Aside,
        /// The whole answer.
        text: Prose,
        /// What can be chosen by a button.
        choices: Vec<Choice>,
    },
    /// Answer a comment, once.
    Reply {
        /// Which comment.
        to: CommentRef,
        /// Who wrote it.
        whom: Account,
        /// Tells one answer from another below the same comment (`1`, `2`, `vote/…`).
        marker: String,
        /// The whole answer.
        text: Prose,
    },
    /// Write a comment that answers none, once.
    Say {
        /// Where.
        at: Conversation,
        /// Tells one from another in the same conversation.
        marker: String,
        /// The whole text.
        text: Prose,
    },
    /// Show that a comment was seen: 👀.
    React {
        /// Which comment.
        to: CommentRef,
    },
}

/// Everything that shows how a deployment stands, to be brought up to date when it changes.
pub fn shown_by(deployment: &Description) -> Vec<Effect> {
    let mut effects = noticed_by(deployment);
    let Some(conversation) = deployment.conversation.clone() else { return effects };
    let in_a_request = matches!(conversation.place, Place::MergeRequest(_));
    effects.push(Effect::SyncCard { conversation });
    match deployment.gate {
        Gate::Native | Gate::ManualJob => {}
        Gate::ProtectionRule => {
            let deployment = deployment.id.clone();
            if in_a_request {
                effects.push(Effect::SyncButtons { deployment: deployment.clone() });
            }
            effects.push(Effect::Report { deployment });
        }
    }
    effects
}

/// The messages in channels that show how a deployment stands.
pub fn noticed_by(deployment: &Description) -> Vec<Effect> {
    let Some(notify) = &deployment.notify else { return Vec::new() };
    let sync =
        |channel: &Channel| Effect::SyncNotice { channel: channel.clone(), subject: notify.subject.clone() };
    notify.channels.iter().map(sync).collect()
}

/// A vote on its way to the forge, in a person's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// On which deployment.
    pub deployment: DeploymentId,
    /// Who said so: the forge takes it as theirs.
    pub voter: Account,
    /// Approved or rejected; the forge can't take a vote back.
    pub word: Word,
    /// The reason or comment: foreign text.
    pub reason: Option<String>,
    /// When they said so, by the platform.
    pub at: Timestamp,
    /// Where they said so.
    pub source: Source,
    /// The rule that our matching chose for them, by the forge's label.
    pub represented_as: Option<String>,
    /// Where they are answered, if they spoke in a chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<Box<Aside>>,
}

/// Work that nobody asked for: looking again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "look", rename_all = "snake_case")]
pub enum Look {
    /// Everything open on a forge, every `poll`.
    Open {
        /// Which forge.
        forge: ForgeName,
    },
    /// Projects that the configuration covers and that saw activity.
    Sweep {
        /// Which forge.
        forge: ForgeName,
    },
    /// Deliveries that the forge's own log calls failed.
    Missed {
        /// Which forge.
        forge: ForgeName,
    },
    /// One run: what waits in it.
    Run {
        /// Which forge.
        forge: ForgeName,
        /// Which project.
        project: ProjectId,
        /// The forge's number of the run.
        run: i64,
    },
    /// One project: what waits there.
    Project {
        /// Which forge.
        forge: ForgeName,
        /// Which project.
        project: ProjectId,
    },
    /// One deployment.
    Deployment {
        /// Which.
        deployment: DeploymentId,
    },
    /// New comments of one conversation.
    Comments {
        /// Which.
        conversation: Conversation,
        /// From here on, whatever was read before; else from where the last reading ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
}
