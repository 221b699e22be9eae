//! Names of things. Numeric ids are the forge's own and stay signed 64-bit, as databases keep them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The configured name of a forge (`name` of its table): prefix of references, last part of its hook path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ForgeName(String);

impl ForgeName {
    /// Wraps a configured name; the configuration has checked its characters.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as configured.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ForgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user account's number on its forge. Accounts are compared by this, never by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

/// A project's (repository's) number on its forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectId(pub i64);

/// A project with its path as last read; only the number identifies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// The forge's number.
    pub id: ProjectId,
    /// Full path, e.g. `acme/shop`.
    pub path: String,
}

/// Identity of one deployment across forges: `forge/project/native`, where `native` is what the forge
/// identifies it by (GitLab: the deployment id).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentId(String);

impl DeploymentId {
    /// Builds the identity from its parts.
    pub fn new(forge: &ForgeName, project: ProjectId, native: impl fmt::Display) -> Self {
        Self(format!("{forge}/{}/{native}", project.0))
    }

    /// Reads an identity back from the store or an address.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where people talk on a forge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A merge request or pull request, by its number within the project.
    MergeRequest(i64),
    /// A commit's comments, by full SHA.
    Commit(String),
}

/// One conversation: the comments of one merge request or of one commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Conversation {
    /// The forge it is on.
    pub forge: ForgeName,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Merge request or commit.
    pub place: Place,
}

impl Conversation {
    /// The text under which the store keeps it: `gitlab/42/mr/7` or `gitlab/42/commit/9f1c…`.
    pub fn key(&self) -> String {
        let (forge, project) = (&self.forge, self.project.0);
        match &self.place {
            Place::MergeRequest(number) => format!("{forge}/{project}/mr/{number}"),
            Place::Commit(sha) => format!("{forge}/{project}/commit/{sha}"),
        }
    }
}

/// One comment, and the discussion an answer to it belongs into.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CommentRef {
    /// The conversation it was written in.
    pub conversation: Conversation,
    /// The forge's number of the comment.
    pub comment: i64,
    /// The forge's id of the discussion (thread); `None` where the forge has none or it isn't known.
    pub discussion: Option<String>,
}

/// A SHA as people read it: its first eight characters.
pub fn short_sha(sha: &str) -> &str {
    sha.get(..8).unwrap_or(sha)
}
