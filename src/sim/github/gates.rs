//! What holds a job before its environment: custom rules, required reviewers, timers.

use super::{GitHub, Refused, RunId, UserId};

/// One call of the review endpoint, as it was taken or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedReview {
    /// The attempt that was the newest then.
    pub attempt: u64,
    /// `environment_name`.
    pub environment: String,
    /// `approved`, `rejected`; absent for a report of the state of things.
    pub state: Option<String>,
    /// Words.
    pub comment: Option<String>,
    /// 204 when it was taken.
    pub status: u16,
}

/// An item of the run's review history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalView {
    /// `approved`, `rejected`; `pending` for a report.
    pub state: String,
    /// Login.
    pub user: String,
    /// Words.
    pub comment: String,
    /// Environments.
    pub environments: Vec<String>,
}

impl GitHub {
    /// Approves or rejects as one of an environment's required reviewers.
    pub fn review_as_reviewer(
        &self,
        run: RunId,
        environment: &str,
        by: UserId,
        approve: bool,
    ) -> Result<(), Refused> {
        todo!()
    }

    /// "Start all waiting jobs" of an environment, past every rule.
    pub fn bypass(&self, run: RunId, environment: &str, admin: UserId) -> Result<(), Refused> {
        todo!()
    }

    /// Lets go what waited for a timer that has run out by the clock.
    pub fn end_wait_timers(&self) {
        todo!()
    }

    /// Environments for which jobs of the run wait now.
    pub fn pending_environments(&self, run: RunId) -> Vec<String> {
        todo!()
    }

    /// Every call of the review endpoint for this run, refused ones included, oldest first.
    pub fn reviews_posted(&self, run: RunId) -> Vec<PostedReview> {
        todo!()
    }

    /// The run's review history, oldest first.
    pub fn approvals(&self, run: RunId) -> Vec<ApprovalView> {
        todo!()
    }
}
