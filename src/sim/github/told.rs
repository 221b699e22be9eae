//! What Apps are told: the bodies of deliveries, and who gets them.

use serde_json::{Value, json};

use super::comments::Place;
use super::people::Kind;
use super::render::{node_id, put};
use super::state::State;
use super::{AppId, InstallationId, JobId, RepositoryId, RunId, UserId};

/// What an App can be told of, and the permission that it needs for it.
pub(super) const EVENTS: [(&str, &str); 9] = [
    ("deployment_protection_rule", "deployments"),
    ("deployment_review", "deployments"),
    ("deployment_status", "deployments"),
    ("issue_comment", "issues"),
    ("commit_comment", "contents"),
    ("pull_request_review", "pull_requests"),
    ("workflow_run", "actions"),
    ("workflow_job", "actions"),
    ("check_run", "checks"),
];

impl State {
    /// Tells every App that is installed here, wants to know and may.
    fn tell(&mut self, repository: RepositoryId, event: &str, sender: UserId, payload: &Value) {
        let apps: Vec<AppId> = self.apps.keys().copied().collect();
        for app in apps {
            self.tell_app(app, (repository, event), sender, payload);
        }
    }

    fn tell_app(
        &mut self,
        app: AppId,
        (repository, event): (RepositoryId, &str),
        sender: UserId,
        payload: &Value,
    ) {
        let Some(installation) = self.installation_on(app, repository) else { return };
        let (id, suspended) = (installation.id, installation.suspended_at.is_some());
        let Some(home) = self.repositories.get(&repository) else { return };
        if suspended || !self.wants(app, event) {
            return;
        }
        let mut body = payload.clone();
        put(&mut body, "repository", self.repository_json(home));
        let owner = self.accounts.get(&home.owner).filter(|owner| owner.kind == Kind::Organization);
        if let Some(owner) = owner {
            put(&mut body, "organization", self.user_json(owner.id));
        }
        put(&mut body, "installation", json!({ "id": id, "node_id": node_id("Installation", id) }));
        put(&mut body, "sender", self.user_json(sender));
        self.queue(app, event, &body);
    }

    fn wants(&self, app: AppId, event: &str) -> bool {
        let Some(app) = self.apps.get(&app) else { return false };
        let needed = EVENTS.iter().find(|(known, _)| *known == event).map(|(_, permission)| *permission);
        let may = needed.is_some_and(|permission| app.permissions.contains_key(permission));
        may && app.events.as_ref().is_none_or(|events| events.iter().any(|known| known == event))
    }

    pub(super) fn ping(&mut self, app: AppId) {
        let Some(known) = self.apps.get(&app) else { return };
        let hook = json!({ "type": "App", "id": known.hook_id, "active": true, "app_id": app });
        let payload = json!({ "zen": "Keep it logically awesome.", "hook_id": known.hook_id, "hook": hook });
        self.queue(app, "ping", &payload);
    }

    pub(super) fn tell_of_installation(&mut self, installation: InstallationId, action: &str) {
        let Some(known) = self.installations.get(&installation) else { return };
        let reached = self.repositories.values().filter(|home| self.reaches(known, home.id));
        let named = reached.map(|home| {
            json!({
                "id": home.id,
                "name": home.name,
                "full_name": self.full_name(home.id),
                "private": home.private,
            })
        });
        let payload = json!({
            "action": action,
            "installation": self.installation_json(known),
            "repositories": named.collect::<Vec<_>>(),
            "sender": self.user_json(known.account),
        });
        self.queue(known.app, "installation", &payload);
    }

    /// `deployment_protection_rule`: an App is asked about a job. Its run stands in the callback's address alone.
    pub(super) fn ask_app(&mut self, app: AppId, job: JobId) {
        let Some(known) = self.jobs.get(&job) else { return };
        let Some(run) = self.runs.get(&known.run) else { return };
        let deployment = known.deployment.and_then(|id| self.deployments.get(&id));
        let api = self.repository_url(run.repository);
        let pulls = self.pulls_of_run(run).map(|(issue, pull)| self.whole_pull_json(issue, pull));
        let payload = json!({
            "action": "requested",
            "environment": known.spec.environment,
            "event": run.event,
            "sha": run.sha,
            "ref": run.deploy_ref,
            "deployment_callback_url":
                format!("{api}/actions/runs/{}/deployment_protection_rule", run.id),
            "deployment": deployment.map(|known| self.deployment_json(known)),
            "pull_requests": pulls.collect::<Vec<_>>(),
        });
        let (repository, sender) = (run.repository, run.triggering_actor());
        self.tell_app(app, (repository, "deployment_protection_rule"), sender, &payload);
    }

    pub(super) fn tell_of_run(&mut self, run: RunId, action: &str) {
        let Some(known) = self.runs.get(&run) else { return };
        let payload = json!({
            "action": action,
            "workflow_run": self.newest_run_json(run),
            "workflow": { "id": 161_335, "name": "deploy", "path": ".github/workflows/deploy.yml" },
        });
        self.tell(known.repository, "workflow_run", known.triggering_actor(), &payload);
    }

    pub(super) fn tell_of_job(&mut self, job: JobId, action: &str) {
        let Some(known) = self.jobs.get(&job) else { return };
        let Some(run) = self.runs.get(&known.run) else { return };
        let mut payload = json!({ "action": action, "workflow_job": self.job_json(known) });
        let deployment = known.deployment.and_then(|id| self.deployments.get(&id));
        if let Some(deployment) = deployment.filter(|_| action != "waiting") {
            put(&mut payload, "deployment", self.deployment_json(deployment));
        }
        self.tell(run.repository, "workflow_job", run.triggering_actor(), &payload);
    }

    /// `deployment_status`, of the newest one.
    pub(super) fn tell_of_deployment(&mut self, deployment: u64) {
        let Some(known) = self.deployments.get(&deployment) else { return };
        let Some(status) = known.statuses.last() else { return };
        let Some(run) = self.runs.get(&known.run) else { return };
        let job = self.jobs.get(&known.job);
        let payload = json!({
            "action": "created",
            "deployment_status": self.status_json(known, status),
            "deployment": self.deployment_json(known),
            "check_run": job.map(|job| json!({ "id": job.id, "name": job.spec.name, "status": job.status })),
            "workflow": { "id": 161_335, "name": "deploy", "path": ".github/workflows/deploy.yml" },
            "workflow_run": self.newest_run_json(known.run),
        });
        self.tell(known.repository, "deployment_status", run.triggering_actor(), &payload);
    }

    /// `deployment_review` `requested`.
    pub(super) fn tell_of_review_wanted(&mut self, job: JobId) {
        let Some(known) = self.jobs.get(&job) else { return };
        let Some(run) = self.runs.get(&known.run) else { return };
        let environment = known.spec.environment.as_deref().unwrap_or_default();
        let gate = self.open_gates(run.id).find(|gate| gate.name.eq_ignore_ascii_case(environment));
        let page = self.page_url(run.repository);
        let payload = json!({
            "action": "requested",
            "environment": environment,
            "requestor": self.user_json(run.triggering_actor()),
            "reviewers": gate.map(|gate| self.reviewers_json(&gate.reviewers)),
            "since": gate.map(|gate| gate.since),
            "workflow_job_run": {
                "id": job,
                "html_url": format!("{page}/actions/runs/{}/job/{job}", run.id),
                "environment": environment,
                "status": known.status,
            },
            "workflow_run": self.newest_run_json(run.id),
        });
        self.tell(run.repository, "deployment_review", run.triggering_actor(), &payload);
    }

    /// `deployment_review` `approved` or `rejected`.
    pub(super) fn tell_of_review_given(&mut self, run: RunId, environment: &str, by: UserId, approve: bool) {
        let Some(known) = self.runs.get(&run) else { return };
        let payload = json!({
            "action": if approve { "approved" } else { "rejected" },
            "approver": self.user_json(by),
            "comment": "",
            "workflow_job_runs": [{ "environment": environment }],
            "workflow_run": self.newest_run_json(run),
        });
        self.tell(known.repository, "deployment_review", by, &payload);
    }

    /// `issue_comment` or `commit_comment`; the latter is told of once, when it is created.
    pub(super) fn tell_of_comment(&mut self, comment: u64, action: &str, by: UserId, former: Option<&str>) {
        let Some(known) = self.comments.get(&comment) else { return };
        let repository = known.repository;
        let mut payload = json!({ "action": action, "comment": self.comment_json(known) });
        if let Some(former) = former {
            put(&mut payload, "changes", json!({ "body": { "from": former } }));
        }
        match known.place {
            Place::Issue(number) => {
                let issue = self.issues.get(&(repository, number)).map(|issue| self.issue_json(issue));
                put(&mut payload, "issue", json!(issue));
                self.tell(repository, "issue_comment", by, &payload);
            }
            Place::Commit(_) if action == "created" => self.tell(repository, "commit_comment", by, &payload),
            Place::Commit(_) => {}
        }
    }

    /// `pull_request_review`: here the state is spelt small, and empty words are `null`.
    pub(super) fn tell_of_review(&mut self, review: u64) {
        let Some(known) = self.reviews.get(&review) else { return };
        let Ok((issue, pull)) = self.pull(known.repository, known.number) else { return };
        let mut body = self.review_json(known);
        put(&mut body, "state", json!(known.state));
        put(&mut body, "body", json!(known.body));
        let pull = self.pull_json(issue, pull);
        let payload = json!({ "action": "submitted", "review": body, "pull_request": pull });
        self.tell(known.repository, "pull_request_review", known.author, &payload);
    }

    pub(super) fn tell_of_check_run(&mut self, check: u64, action: &str) {
        let Some(known) = self.check_runs.get(&check) else { return };
        let sender = self.apps.get(&known.app).map_or(0, |app| app.bot);
        let payload = json!({ "action": action, "check_run": self.check_run_json(known) });
        self.tell(known.repository, "check_run", sender, &payload);
    }

    /// `check_run` `requested_action`: its owner alone is told, and only with write permission.
    pub(super) fn tell_of_button(&mut self, check: u64, identifier: &str, by: UserId) {
        let Some(known) = self.check_runs.get(&check) else { return };
        let (app, repository) = (known.app, known.repository);
        let level = self.apps.get(&app).and_then(|app| app.permissions.get("checks"));
        if level.is_none_or(|level| level != "write") {
            return;
        }
        let payload = json!({
            "action": "requested_action",
            "requested_action": { "identifier": identifier },
            "check_run": self.check_run_json(known),
        });
        self.tell_app(app, (repository, "check_run"), by, &payload);
    }
}
