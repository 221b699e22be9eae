//! What a delivery says, in the house's words. An event only says where to look.

use super::id::{CommentRef, Conversation, ForgeName, ProjectId, UserId};
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
        /// The forge's number of the deployment.
        number: i64,
        /// When it changed to waiting, if that is what the hook says: the forge's time.
        blocked_at: Option<Timestamp>,
    },
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

impl Event {
    /// Deliveries with one key are processed one after the other, in the platform's order.
    pub fn key(&self) -> String {
        match self {
            Self::Commented { comment, .. } => comment.conversation.key(),
            Self::DeploymentChanged { forge, project, number, .. } => {
                format!("{forge}/{}/{number}", project.0)
            }
            Self::SomethingWaits { forge, project } => format!("{forge}/{}", project.0),
            Self::MergeRequestApproved { conversation, .. } => conversation.key(),
        }
    }

    /// The forge it came from.
    pub fn forge(&self) -> &ForgeName {
        match self {
            Self::Commented { comment, .. } => &comment.conversation.forge,
            Self::DeploymentChanged { forge, .. } | Self::SomethingWaits { forge, .. } => forge,
            Self::MergeRequestApproved { conversation, .. } => &conversation.forge,
        }
    }
}
