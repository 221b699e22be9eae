//! What a delivery says, in the house's words. An event only says where to look.

use super::id::{CommentRef, Conversation, ForgeName, Native, ProjectId, UserId};
use super::ledger::Word;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a comment was heard of first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// From a hook at its creation: the text's digest (hex SHA-256) and the author it named.
    Hook {
        /// Hex SHA-256 of the text.
        digest: String,
        /// The author that the hook named.
        author: UserId,
    },
    /// While polling.
    Poll,
}

/// A reason to look at the forge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Somebody wrote a comment.
    Commented {
        /// Which.
        comment: CommentRef,
        /// When, by the forge.
        at: Timestamp,
        /// How we know.
        heard: Heard,
    },
    /// A deployment changed, or may have.
    DeploymentChanged {
        /// The forge.
        forge: ForgeName,
        /// The project.
        project: ProjectId,
        /// Which deployment.
        native: Native,
        /// When it changed to waiting, if that is what the hook says: the forge's time.
        blocked_at: Option<Timestamp>,
    },
    /// A run changed, or asks us for a decision.
    RunChanged {
        /// The forge.
        forge: ForgeName,
        /// The project.
        project: ProjectId,
        /// The forge's number of the run.
        run: i64,
        /// Something in it may wait; else only what we know of it is looked at.
        waits: bool,
        /// What we are asked for, if that is what the delivery says.
        asked: Option<Asked>,
    },
    /// What we may see or do on a forge has changed.
    ReachChanged {
        /// The forge.
        forge: ForgeName,
    },
    /// Somebody pressed a button of ours. Who it was stands nowhere else, so the signed delivery is believed.
    Pressed(Press),
    /// Something in a project may wait (earlier forges tell no more).
    SomethingWaits {
        /// The forge.
        forge: ForgeName,
        /// The project.
        project: ProjectId,
    },
    /// Somebody approved the merge request itself: never a vote, at most the occasion for a hint.
    MergeRequestApproved {
        /// Which merge request.
        conversation: Conversation,
        /// Who.
        by: UserId,
    },
}

/// The forge asks us for a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// On which environment.
    pub environment: String,
    /// The forge's id of the delivery, stable over its retries.
    pub delivery: String,
}

/// A button of ours, pressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Press {
    /// The platform's id of the press, stable over its retries.
    pub id: String,
    /// Where the buttons belong to.
    pub conversation: Conversation,
    /// The number of the deployment.
    pub number: i64,
    /// The version of the deployment that the buttons showed.
    pub version: i64,
    /// Who pressed.
    pub by: UserId,
    /// What the button says.
    pub word: Word,
}

impl Event {
    /// Deliveries with one key are processed one after the other, in the platform's order.
    pub fn key(&self) -> String {
        match self {
            Self::Commented { comment, .. } => comment.conversation.key(),
            Self::DeploymentChanged { forge, project, native, .. } => {
                format!("{forge}/{}/{native}", project.0)
            }
            Self::RunChanged { forge, project, run, .. } => format!("{forge}/{}/run/{run}", project.0),
            Self::ReachChanged { forge } => format!("{forge}/reach"),
            Self::Pressed(press) => press.conversation.key(),
            Self::SomethingWaits { forge, project } => format!("{forge}/{}", project.0),
            Self::MergeRequestApproved { conversation, .. } => conversation.key(),
        }
    }

    /// The forge it came from.
    pub fn forge(&self) -> &ForgeName {
        match self {
            Self::Commented { comment, .. } => &comment.conversation.forge,
            Self::DeploymentChanged { forge, .. }
            | Self::RunChanged { forge, .. }
            | Self::ReachChanged { forge }
            | Self::SomethingWaits { forge, .. } => forge,
            Self::Pressed(press) => &press.conversation.forge,
            Self::MergeRequestApproved { conversation, .. } => &conversation.forge,
        }
    }
}
