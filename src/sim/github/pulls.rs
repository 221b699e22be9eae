//! Issues, pull requests and reviews.

use jiff::Timestamp;

use super::{GitHub, Number, Refused, RepositoryId, ReviewId, UserId};

/// A pull request to be opened.
#[derive(Clone, Debug)]
pub struct NewPullRequest {
    pub(super) branch: String,
    pub(super) sha: String,
    pub(super) title: String,
    pub(super) fork: bool,
}

impl NewPullRequest {
    /// From this branch, whose head is `sha`, into `main`.
    pub fn new(branch: &str, sha: &str, title: &str) -> Self {
        Self { branch: branch.into(), sha: sha.into(), title: title.into(), fork: false }
    }

    /// From a fork: runs and check runs don't name it.
    pub fn from_fork(mut self) -> Self {
        self.fork = true;
        self
    }
}

/// A review to be submitted.
#[derive(Clone, Debug)]
pub struct NewReview {
    pub(super) state: &'static str,
    pub(super) body: Option<String>,
    pub(super) commit: Option<String>,
}

impl NewReview {
    /// One that only comments.
    pub fn comment(body: &str) -> Self {
        Self { state: "commented", body: Some(body.into()), commit: None }
    }

    /// One that approves the change; GitHub allows it without words.
    pub fn approve(body: Option<&str>) -> Self {
        Self { state: "approved", body: body.map(Into::into), commit: None }
    }

    /// One that asks for changes.
    pub fn request_changes(body: &str) -> Self {
        Self { state: "changes_requested", body: Some(body.into()), commit: None }
    }

    /// Of this commit; of the head when not said.
    pub fn of(mut self, commit: &str) -> Self {
        self.commit = Some(commit.into());
        self
    }
}

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestView {
    /// Number in its repository.
    pub number: Number,
    /// Title.
    pub title: String,
    /// Login.
    pub author: String,
    /// `open` or `closed`.
    pub state: String,
    /// Head.
    pub head_sha: String,
    /// Branch.
    pub head_branch: String,
    /// What `refs/pull/N/merge` points to, and the true merge commit once merged.
    pub merge_commit_sha: String,
    /// Login of who merged it.
    pub merged_by: Option<String>,
    /// Whether only collaborators may comment.
    pub locked: bool,
}

/// A review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewView {
    /// Id.
    pub id: ReviewId,
    /// Login.
    pub author: String,
    /// `commented`, `approved`, `changes_requested`.
    pub state: String,
    /// Words.
    pub body: String,
    /// The commit that it is about.
    pub commit_id: String,
    /// When.
    pub submitted_at: Timestamp,
}

impl GitHub {
    /// Opens a pull request.
    pub fn open_pull_request(&self, repository: RepositoryId, author: UserId, new: NewPullRequest) -> Number {
        todo!()
    }

    /// Opens an issue, which is no pull request.
    pub fn open_issue(&self, repository: RepositoryId, author: UserId, title: &str) -> Number {
        todo!()
    }

    /// Pushes a new head to a pull request's branch.
    pub fn push(&self, repository: RepositoryId, number: Number, sha: &str) {
        todo!()
    }

    /// Merges a pull request, and returns the merge commit.
    pub fn merge(&self, repository: RepositoryId, number: Number, by: UserId) -> Result<String, Refused> {
        todo!()
    }

    /// Closes an issue or pull request.
    pub fn close(&self, repository: RepositoryId, number: Number) {
        todo!()
    }

    /// Locks a conversation: only people who may write comment on; or takes that back.
    pub fn lock(&self, repository: RepositoryId, number: Number, on: bool) {
        todo!()
    }

    /// Submits a review.
    pub fn submit_review(
        &self,
        repository: RepositoryId,
        number: Number,
        by: UserId,
        review: NewReview,
    ) -> Result<ReviewId, Refused> {
        todo!()
    }

    /// One pull request.
    pub fn pull_request(&self, repository: RepositoryId, number: Number) -> Option<PullRequestView> {
        todo!()
    }

    /// The reviews of a pull request, oldest first.
    pub fn reviews_of(&self, repository: RepositoryId, number: Number) -> Vec<ReviewView> {
        todo!()
    }
}
