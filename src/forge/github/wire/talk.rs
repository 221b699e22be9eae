//! Pull requests, what is said on them, and check runs.

use super::User;
use crate::forge::github::client::{Listed, PAGE_OF_TEXTS, Page};
use jiff::Timestamp;
use serde::Deserialize;

/// A pull request. Lists leave `merged` and `merged_by` out.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PullRequest {
    pub(crate) number: i64,
    pub(crate) state: PullRequestState,
    /// Null where the account is gone.
    pub(crate) user: Option<User>,
    pub(crate) head: Branch,
    pub(crate) base: Branch,
    pub(crate) merge_commit_sha: Option<String>,
    pub(crate) merged_at: Option<Timestamp>,
    pub(crate) merged_by: Option<User>,
}

impl Listed for PullRequest {
    const A_PAGE: usize = PAGE_OF_TEXTS;
}

/// Whether it still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PullRequestState {
    Open,
    Closed,
    #[serde(other)]
    Other,
}

/// One end of a pull request.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Branch {
    #[serde(rename = "ref")]
    pub(crate) ref_name: String,
    pub(crate) sha: String,
    /// Null where a fork is gone.
    pub(crate) repo: Option<BranchRepository>,
}

/// Where one end of a pull request lies.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BranchRepository {
    pub(crate) id: i64,
}

/// A comment on a pull request or a commit.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Comment {
    pub(crate) id: i64,
    pub(crate) body: Option<String>,
    /// Null where the account is gone.
    pub(crate) user: Option<User>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// `…/issues/7`: of comments on pull requests only.
    pub(crate) issue_url: Option<String>,
    /// Of comments on commits only.
    pub(crate) commit_id: Option<String>,
    pub(crate) performed_via_github_app: Option<ViaApp>,
}

impl Listed for Comment {
    const A_PAGE: usize = PAGE_OF_TEXTS;
}

/// The App that something was written through.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ViaApp {
    pub(crate) id: i64,
}

/// A review of a pull request.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PullRequestReview {
    pub(crate) id: i64,
    pub(crate) body: Option<String>,
    pub(crate) user: Option<User>,
    /// The head that was looked at.
    pub(crate) commit_id: Option<String>,
    /// Missing while it is pending.
    pub(crate) submitted_at: Option<Timestamp>,
}

impl Listed for PullRequestReview {
    const A_PAGE: usize = PAGE_OF_TEXTS;
}

/// A check run.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CheckRun {
    pub(crate) id: i64,
    pub(crate) external_id: Option<String>,
    pub(crate) app: Option<ViaApp>,
}

/// A page of check runs.
#[derive(Debug, Deserialize)]
pub(crate) struct CheckRuns {
    check_runs: Vec<CheckRun>,
}

impl Page for CheckRuns {
    type Item = CheckRun;

    fn items(self) -> Vec<CheckRun> {
        self.check_runs
    }
}
