//! Check runs and their buttons.

use super::{CheckRunId, GitHub, Refused, RepositoryId, UserId};

/// A button of a check run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionView {
    /// What stands on it.
    pub label: String,
    /// What it would do.
    pub description: String,
    /// What the App is told.
    pub identifier: String,
}

/// A check run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRunView {
    /// Id.
    pub id: CheckRunId,
    /// Name.
    pub name: String,
    /// Commit.
    pub head_sha: String,
    /// `queued`, `in_progress`, `completed`.
    pub status: String,
    /// `action_required`, `success`, …; only once completed.
    pub conclusion: Option<String>,
    /// The App's own reference.
    pub external_id: String,
    /// Title of the output.
    pub title: Option<String>,
    /// Summary of the output, Markdown.
    pub summary: Option<String>,
    /// Buttons that the page shows: none before the check run is completed.
    pub buttons: Vec<ActionView>,
}

impl GitHub {
    /// Presses a button of a check run.
    ///
    /// Refused when the page doesn't show it.
    pub fn press_button(&self, check_run: CheckRunId, identifier: &str, by: UserId) -> Result<(), Refused> {
        todo!()
    }

    /// The check runs of a commit, oldest first.
    pub fn check_runs_of(&self, repository: RepositoryId, sha: &str) -> Vec<CheckRunView> {
        todo!()
    }
}
