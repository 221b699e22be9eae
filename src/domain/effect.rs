//! What the world is to be told. Written with the decision, delivered from the queue.

use super::id::{CommentRef, Conversation, DeploymentId, ForgeName, ProjectId, UserId};
use super::ledger::Word;
use super::wording::Prose;
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
    CastVote {
        /// On which deployment.
        deployment: DeploymentId,
        /// In whose name.
        voter: UserId,
        /// Their login name, for the answer.
        username: String,
        /// Approve or reject; the forge can't take a vote back.
        word: Word,
        /// The reason or comment: foreign text.
        reason: Option<String>,
        /// The rule that our matching chose for them, by the forge's label.
        represented_as: Option<String>,
        /// The comment that asked for it.
        comment: CommentRef,
        /// Which line of it.
        line: u32,
    },
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
    /// Show that a comment was seen: 👀.
    React {
        /// Which comment.
        to: CommentRef,
    },
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
