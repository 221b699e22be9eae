//! GitHub's JSON: runs, jobs, deployments and what holds them.

use serde_json::{Value, json};

use super::gates::Gate;
use super::pulls::{Issue, Pull};
use super::render::{node_id, put};
use super::runs::{Approval, Attempt, Deployment, DeploymentStatus, Job, Run};
use super::state::State;
use super::{RepositoryId, RunId};

/// Id of the App `github-actions`, which makes the deployments of jobs.
const ACTIONS: u64 = 15_368;

impl State {
    /// A run as one attempt of it stands, from 1.
    pub(super) fn run_json(&self, run: &Run, attempt: u64) -> Option<Value> {
        let at = usize::try_from(attempt.checked_sub(1)?).ok()?;
        let known: &Attempt = run.attempts.get(at)?;
        let (api, page) = (self.repository_url(run.repository), self.page_url(run.repository));
        let id = run.id;
        let home = self.repositories.get(&run.repository);
        let pulls = self.pulls_of_run(run).map(|(issue, pull)| self.short_pull_json(issue, pull));
        let mut body = json!({
            "id": id,
            "node_id": node_id("WorkflowRun", id),
            "name": "deploy",
            "head_branch": run.branch,
            "head_sha": run.sha,
            "path": ".github/workflows/deploy.yml",
            "display_title": run.title,
            "run_number": run.number,
            "run_attempt": attempt,
            "event": run.event,
            "status": known.status,
            "conclusion": known.conclusion.map(super::Conclusion::word),
            "workflow_id": 161_335,
            "check_suite_id": id + 42,
            "url": format!("{api}/actions/runs/{id}"),
            "html_url": format!("{page}/actions/runs/{id}"),
            "jobs_url": format!("{api}/actions/runs/{id}/jobs"),
            "logs_url": format!("{api}/actions/runs/{id}/logs"),
            "check_suite_url": format!("{api}/check-suites/{}", id + 42),
            "artifacts_url": format!("{api}/actions/runs/{id}/artifacts"),
            "cancel_url": format!("{api}/actions/runs/{id}/cancel"),
            "rerun_url": format!("{api}/actions/runs/{id}/rerun"),
            "workflow_url": format!("{api}/actions/workflows/161335"),
            "created_at": run.created_at,
            "updated_at": known.updated_at,
            "run_started_at": known.started_at,
            "actor": self.user_json(run.actor),
            "triggering_actor": self.user_json(known.by),
            "pull_requests": pulls.collect::<Vec<_>>(),
            "head_commit": self.short_commit_json(run),
            "repository": home.map(|home| self.repository_json(home)),
            "head_repository": { "id": self.head_repository(run) },
        });
        if attempt > 1 {
            let former = format!("{api}/actions/runs/{id}/attempts/{}", attempt - 1);
            put(&mut body, "previous_attempt_url", json!(former));
        }
        Some(body)
    }

    /// A run as its newest attempt stands.
    pub(super) fn newest_run_json(&self, run: RunId) -> Value {
        let known = self.runs.get(&run);
        known.and_then(|run| self.run_json(run, run.attempt())).unwrap_or(Value::Null)
    }

    fn short_commit_json(&self, run: &Run) -> Value {
        let home = self.repositories.get(&run.repository);
        let author =
            home.and_then(|home| home.commits.get(&run.sha)).map(|commit| commit.author).unwrap_or_default();
        let author = json!({ "name": self.login_of(author), "email": "somebody@example.com" });
        json!({
            "id": run.sha,
            "tree_id": run.sha,
            "message": run.title,
            "timestamp": run.created_at,
            "author": author,
            "committer": author,
        })
    }

    /// Where the head commit comes from: of a pull request's run the fork that it is from.
    fn head_repository(&self, run: &Run) -> u64 {
        let of_ref = run.deploy_ref.strip_prefix("refs/pull/").and_then(|rest| rest.strip_suffix("/merge"));
        let number: Option<u64> = of_ref.and_then(|number| number.parse().ok());
        let from_fork = |(issue, pull): &(&Issue, &Pull)| pull.fork && Some(issue.number) == number;
        let fork = self.pulls_of(run.repository).find(from_fork);
        fork.map_or(run.repository, |(issue, pull)| pull.head_repository(issue))
    }

    /// Open pull requests whose head or branch is the run's; none of forks.
    pub(super) fn pulls_of_run<'a>(&'a self, run: &'a Run) -> impl Iterator<Item = (&'a Issue, &'a Pull)> {
        self.pulls_of(run.repository).filter(|(issue, pull)| {
            issue.open && !pull.fork && (pull.head() == run.sha || pull.branch == run.branch)
        })
    }

    /// A pull request as runs and check runs name it.
    pub(super) fn short_pull_json(&self, issue: &Issue, pull: &Pull) -> Value {
        let api = self.repository_url(issue.repository);
        let name = self.repositories.get(&issue.repository).map(|home| home.name.clone());
        let repo = json!({ "id": issue.repository, "url": api, "name": name });
        json!({
            "id": issue.id,
            "number": issue.number,
            "url": format!("{api}/pulls/{}", issue.number),
            "head": { "ref": pull.branch, "sha": pull.head(), "repo": repo },
            "base": { "ref": "main", "sha": "0".repeat(40), "repo": repo },
        })
    }

    pub(super) fn job_json(&self, job: &Job) -> Value {
        let run = self.runs.get(&job.run);
        let repository = run.map_or(0, |run| run.repository);
        let (api, page) = (self.repository_url(repository), self.page_url(repository));
        let (id, of) = (job.id, job.run);
        json!({
            "id": id,
            "node_id": node_id("CheckRun", id),
            "run_id": of,
            "run_attempt": job.attempt,
            "run_url": format!("{api}/actions/runs/{of}"),
            "workflow_name": "deploy",
            "name": job.spec.name,
            "head_sha": run.map(|run| &run.sha),
            "head_branch": run.map(|run| &run.branch),
            "url": format!("{api}/actions/jobs/{id}"),
            "html_url": format!("{page}/actions/runs/{of}/job/{id}"),
            "check_run_url": format!("{api}/check-runs/{id}"),
            "status": job.status,
            "conclusion": job.conclusion.map(super::Conclusion::word),
            "created_at": job.created_at,
            "started_at": job.started_at.unwrap_or(job.created_at),
            "completed_at": job.completed_at,
            "labels": ["ubuntu-latest"],
            "steps": [],
        })
    }

    pub(super) fn deployment_json(&self, deployment: &Deployment) -> Value {
        let api = self.repository_url(deployment.repository);
        let id = deployment.id;
        json!({
            "id": id,
            "node_id": node_id("Deployment", id),
            "url": format!("{api}/deployments/{id}"),
            "task": "deploy",
            "payload": {},
            "original_environment": deployment.environment,
            "environment": deployment.environment,
            "description": null,
            "creator": deployment.creator.map(|user| self.user_json(user)),
            "sha": deployment.sha,
            "ref": deployment.git_ref,
            "created_at": deployment.created_at,
            "updated_at": deployment.updated_at,
            "statuses_url": format!("{api}/deployments/{id}/statuses"),
            "repository_url": api,
            "transient_environment": false,
            "production_environment": false,
            "performed_via_github_app": { "id": ACTIONS, "slug": "github-actions", "name": "GitHub Actions" },
        })
    }

    pub(super) fn status_json(&self, deployment: &Deployment, status: &DeploymentStatus) -> Value {
        let api = self.repository_url(deployment.repository);
        let page = self.page_url(deployment.repository);
        let log = format!("{page}/actions/runs/{}/job/{}", deployment.run, deployment.job);
        json!({
            "id": status.id,
            "node_id": node_id("DeploymentStatus", status.id),
            "url": format!("{api}/deployments/{}/statuses/{}", deployment.id, status.id),
            "state": status.state,
            "creator": deployment.creator.map(|user| self.user_json(user)),
            "description": "",
            "environment": deployment.environment,
            "target_url": log,
            "log_url": log,
            "environment_url": "",
            "created_at": status.at,
            "updated_at": status.at,
            "deployment_url": format!("{api}/deployments/{}", deployment.id),
            "repository_url": api,
            "performed_via_github_app": { "id": ACTIONS, "slug": "github-actions", "name": "GitHub Actions" },
        })
    }

    /// A gate as the run's pending deployments show it. An installation can never approve it there.
    pub(super) fn pending_json(&self, repository: RepositoryId, gate: &Gate) -> Value {
        json!({
            "environment": self.environment_head(repository, gate.environment, &gate.name),
            "wait_timer": gate.wait_timer,
            "wait_timer_started_at": (gate.wait_timer > 0).then_some(gate.since),
            "current_user_can_approve": false,
            "reviewers": self.reviewers_json(&gate.reviewers),
        })
    }

    pub(super) fn approval_json(&self, repository: RepositoryId, approval: &Approval) -> Value {
        json!({
            "state": approval.state,
            "comment": approval.comment,
            "environments": [self.environment_head(repository, approval.environment, &approval.name)],
            "user": self.user_json(approval.user),
        })
    }
}
