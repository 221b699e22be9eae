//! Runs, their jobs, and what holds them.

use super::User;
use crate::forge::github::client::{Listed, Page};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A workflow run, in its newest attempt or the one that was asked for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: i64,
    #[serde(rename = "run_attempt")]
    pub(crate) attempt: Option<i64>,
    pub(crate) status: Option<RunStatus>,
    pub(crate) conclusion: Option<Conclusion>,
    pub(crate) head_sha: String,
    pub(crate) head_branch: Option<String>,
    /// What started it: `push`, `pull_request`, `workflow_dispatch`, `schedule` …
    pub(crate) event: Option<String>,
    pub(crate) actor: Option<User>,
    /// Who started this attempt.
    pub(crate) triggering_actor: Option<User>,
    /// When this attempt began.
    #[serde(rename = "run_started_at")]
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) html_url: Option<String>,
    pub(crate) display_title: Option<String>,
    /// Where the head commit comes from: a fork, of a fork's pull request.
    pub(crate) head_repository: Option<HeadRepository>,
    /// Open ones with this head; not necessarily what started it, and empty for forks.
    #[serde(default)]
    pub(crate) pull_requests: Option<Vec<PullRequestOfRun>>,
}

/// A repository by its number alone.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct HeadRepository {
    pub(crate) id: i64,
}

/// How far a run, job or check run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunStatus {
    Requested,
    Queued,
    Pending,
    Waiting,
    InProgress,
    Completed,
    #[serde(other)]
    Other,
}

/// How a run, job or check run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Conclusion {
    Success,
    Failure,
    Neutral,
    Cancelled,
    Skipped,
    TimedOut,
    ActionRequired,
    Stale,
    StartupFailure,
    #[serde(other)]
    Other,
}

/// A pull request as a run or check run names it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PullRequestOfRun {
    pub(crate) number: i64,
    pub(crate) head: Option<Tip>,
}

/// The end of a branch.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tip {
    pub(crate) sha: String,
}

/// A page of runs.
#[derive(Debug, Deserialize)]
pub(crate) struct Runs {
    workflow_runs: Vec<Run>,
}

impl Page for Runs {
    type Item = Run;

    fn items(self) -> Vec<Run> {
        self.workflow_runs
    }
}

/// A job of a run's attempt.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: i64,
    pub(crate) run_attempt: Option<i64>,
    pub(crate) name: String,
    pub(crate) status: RunStatus,
    pub(crate) conclusion: Option<Conclusion>,
    /// When it was reached: jobs are made when what they need is done.
    pub(crate) created_at: Option<Timestamp>,
}

/// A page of jobs.
#[derive(Debug, Deserialize)]
pub(crate) struct Jobs {
    jobs: Vec<Job>,
}

impl Page for Jobs {
    type Item = Job;

    fn items(self) -> Vec<Job> {
        self.jobs
    }
}

/// An environment that a run waits for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PendingDeployment {
    pub(crate) environment: EnvironmentSeen,
    /// Minutes.
    pub(crate) wait_timer: Option<i64>,
    /// Whose review GitHub itself requires.
    #[serde(default)]
    pub(crate) reviewers: Vec<IgnoredAny>,
}

/// An environment.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EnvironmentSeen {
    pub(crate) name: String,
}

/// One decision or report on a run's environments, of a person or of an App.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Review {
    pub(crate) state: ReviewState,
    pub(crate) comment: Option<String>,
    pub(crate) user: Option<User>,
    #[serde(default)]
    pub(crate) environments: Vec<EnvironmentSeen>,
}

impl Listed for Review {}

/// What a review says; `Pending` is a report without decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReviewState {
    Approved,
    Rejected,
    Pending,
    #[serde(other)]
    Other,
}

/// A deployment record. Jobs may have none.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) id: i64,
    pub(crate) sha: String,
    pub(crate) creator: Option<User>,
    pub(crate) created_at: Timestamp,
}

/// How a deployment was at some time.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DeploymentStatus {
    pub(crate) state: DeploymentState,
    /// Of the job that wrote it: `…/actions/runs/{run}/job/{job}`.
    pub(crate) log_url: Option<String>,
}

/// States of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeploymentState {
    Error,
    Failure,
    Inactive,
    InProgress,
    Queued,
    Pending,
    Success,
    Waiting,
    #[serde(other)]
    Other,
}

/// A page of an environment's custom rules.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ProtectionRules {
    #[serde(default)]
    pub(crate) custom_deployment_protection_rules: Vec<ProtectionRule>,
}

/// A custom rule, as it is enabled on an environment.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ProtectionRule {
    pub(crate) enabled: Option<bool>,
    pub(crate) app: RuleApp,
}

/// The App behind a rule.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RuleApp {
    pub(crate) id: i64,
}
