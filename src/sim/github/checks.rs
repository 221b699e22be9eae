//! Check runs and their buttons.

use jiff::Timestamp;

use super::state::State;
use super::{AppId, CheckRunId, GitHub, Refused, RepositoryId, UserId};

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

#[derive(Clone)]
pub(super) struct CheckRun {
    pub(super) id: CheckRunId,
    pub(super) repository: RepositoryId,
    pub(super) app: AppId,
    pub(super) name: String,
    pub(super) head_sha: String,
    pub(super) details_url: Option<String>,
    pub(super) external_id: String,
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
    pub(super) started_at: Timestamp,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) title: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) text: Option<String>,
    pub(super) actions: Vec<ActionView>,
}

impl CheckRun {
    /// What the page shows below a check run: nothing before it is completed.
    fn buttons(&self) -> &[ActionView] {
        if self.status == "completed" { &self.actions } else { &[] }
    }

    fn view(&self) -> CheckRunView {
        CheckRunView {
            id: self.id,
            name: self.name.clone(),
            head_sha: self.head_sha.clone(),
            status: self.status.clone(),
            conclusion: self.conclusion.clone(),
            external_id: self.external_id.clone(),
            title: self.title.clone(),
            summary: self.summary.clone(),
            buttons: self.buttons().to_vec(),
        }
    }
}

impl GitHub {
    /// Presses a button of a check run.
    ///
    /// Refused when the page doesn't show it.
    pub fn press_button(&self, check_run: CheckRunId, identifier: &str, by: UserId) -> Result<(), Refused> {
        self.with(|state| state.press_button(check_run, identifier, by))
    }

    /// The check runs of a commit, oldest first.
    pub fn check_runs_of(&self, repository: RepositoryId, sha: &str) -> Vec<CheckRunView> {
        self.with(|state| {
            let here = state.check_runs.values();
            let here = here.filter(|known| known.repository == repository && known.head_sha == sha);
            here.map(CheckRun::view).collect()
        })
    }
}

impl State {
    /// Everybody who sees the page can press (Assumed: GitHub doesn't say who can).
    fn press_button(&mut self, id: CheckRunId, identifier: &str, by: UserId) -> Result<(), Refused> {
        let known = self.check_runs.get(&id).ok_or_else(Refused::not_found)?;
        self.may_read(known.repository, by)?;
        if known.buttons().iter().all(|action| action.identifier != identifier) {
            return Err(Refused::new(422, "The page shows no such button"));
        }
        self.tell_of_button(id, identifier, by);
        Ok(())
    }
}
