//! Comments on issues, pull requests and commits, and reactions to them.

use jiff::Timestamp;

use super::{CommentId, GitHub, Number, Refused, RepositoryId, UserId};

/// Where a comment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An issue or pull request.
    Issue(Number),
    /// A commit.
    Commit(String),
}

/// A reaction to a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReactionView {
    /// `eyes`, `+1`, …
    pub content: String,
    /// Login.
    pub user: String,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentView {
    /// Id.
    pub id: CommentId,
    /// Login; `ghost` when the account is gone.
    pub author: String,
    /// Text.
    pub body: String,
    /// Reactions, oldest first.
    pub reactions: Vec<ReactionView>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When its text last changed; reactions don't move it.
    pub updated_at: Timestamp,
}

impl GitHub {
    /// Comments on an issue or pull request.
    pub fn comment_on_pull_request(
        &self,
        repository: RepositoryId,
        number: Number,
        by: UserId,
        text: &str,
    ) -> Result<CommentId, Refused> {
        todo!()
    }

    /// Comments on a commit.
    pub fn comment_on_commit(
        &self,
        repository: RepositoryId,
        sha: &str,
        by: UserId,
        text: &str,
    ) -> Result<CommentId, Refused> {
        todo!()
    }

    /// Edits a comment: its author, and people who may write.
    pub fn edit_comment(&self, comment: CommentId, by: UserId, text: &str) -> Result<(), Refused> {
        todo!()
    }

    /// Deletes a comment: its author, and people who may write.
    pub fn delete_comment(&self, comment: CommentId, by: UserId) -> Result<(), Refused> {
        todo!()
    }

    /// The comments on an issue or pull request, oldest first.
    pub fn comments_of(&self, repository: RepositoryId, number: Number) -> Vec<CommentView> {
        todo!()
    }

    /// The comments on a commit, oldest first.
    pub fn commit_comments_of(&self, repository: RepositoryId, sha: &str) -> Vec<CommentView> {
        todo!()
    }

    /// One comment, wherever it stands.
    pub fn comment(&self, comment: CommentId) -> Option<CommentView> {
        todo!()
    }
}
