//! What the world is to be told. Written with the decision, delivered from the queue.

use super::actor::Account;
use super::id::{CommentRef, Conversation, DeploymentId, ForgeName, ProjectId};
use super::ledger::Word;
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
    /// Answer a comment, once.
    Reply {
        /// Which comment.
        to: CommentRef,
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
    /// The comment that said so.
    pub comment: CommentRef,
    /// Which line of it, from 0.
    pub line: u32,
    /// The rule that our matching chose for them, by the forge's label.
    pub represented_as: Option<String>,
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
    },
}
