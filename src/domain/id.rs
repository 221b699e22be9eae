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

/// The configured name of a chat: last part of its hook path, and what `notify` begins with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChatName(String);

impl ChatName {
    /// Wraps a configured name; the configuration has checked its characters.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as configured.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A forge or a chat, by its configured name: no two share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlatformName(String);

impl PlatformName {
    /// Wraps a configured name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as configured.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlatformName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&ForgeName> for PlatformName {
    fn from(name: &ForgeName) -> Self {
        Self(name.0.clone())
    }
}

impl From<&ChatName> for PlatformName {
    fn from(name: &ChatName) -> Self {
        Self(name.0.clone())
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

/// What a forge knows one deployment by, within its project (GitLab: the deployment id; GitHub: run, attempt
/// and environment). Only the forge's adapter reads it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Native(String);

impl Native {
    /// Wraps what an adapter made.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the adapter.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Identity of one deployment across forges: `forge/project/native`. Where a forge asks again for a
/// deployment that has ended, that is another round: `forge/project/2:native`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentId(String);

impl DeploymentId {
    /// Builds the identity of a first round from its parts.
    pub fn new(forge: &ForgeName, project: ProjectId, native: &Native) -> Self {
        Self::of_round(forge, project, native, 1)
    }

    /// Builds the identity of a round, counted from 1.
    pub fn of_round(forge: &ForgeName, project: ProjectId, native: &Native, round: u32) -> Self {
        Self(match round {
            0 | 1 => format!("{forge}/{}/{native}", project.0),
            round => format!("{forge}/{}/{round}:{native}", project.0),
        })
    }

    /// Reads an identity back from the store or an address.
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The forge it is on.
    pub fn forge(&self) -> ForgeName {
        ForgeName::new(self.0.split('/').next().unwrap_or_default())
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
    /// What was written: numbers of one kind say nothing of another's.
    #[serde(default, skip_serializing_if = "CommentKind::is_comment")]
    pub kind: CommentKind,
    /// The forge's number of the comment.
    pub comment: i64,
    /// The forge's id of the discussion (thread); `None` where the forge has none or it isn't known.
    pub discussion: Option<String>,
}

/// Kinds of comments that a forge numbers apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommentKind {
    /// A comment of the conversation itself.
    #[default]
    Comment,
    /// The text of a review of the whole pull request.
    Review,
}

impl CommentKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_comment(&self) -> bool {
        *self == Self::Comment
    }
}

impl CommentRef {
    /// The text under which the store keeps it: `gitlab/42/mr/7#99` or `github/42/mr/7#review-99`. The
    /// discussion is no part of it: polling may not know it.
    pub fn key(&self) -> String {
        let kind = match self.kind {
            CommentKind::Comment => "",
            CommentKind::Review => "review-",
        };
        format!("{}#{kind}{}", self.conversation.key(), self.comment)
    }
}

/// A SHA as people read it: its first eight characters.
pub fn short_sha(sha: &str) -> &str {
    sha.get(..8).unwrap_or(sha)
}
