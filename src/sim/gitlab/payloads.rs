//! The bodies of webhooks, field by field as GitLab builds them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::approvals::Approval;
use super::merge_requests::MergeRequest;
use super::notes::{Note, Place};
use super::pipelines::{Job, Pipeline};
use super::projects::{Project, short, tier};
use super::render::iso;
use super::state::State;
use super::{DeploymentId, Grantee, JobId, PipelineId, UserId};

impl State {
    /// A lifecycle hook: `status_changed_at` in Ruby's spelling, `user` the one who runs the job.
    pub(super) fn deployment_payload(&self, deployment: DeploymentId, status: &str) -> Option<Value> {
        let known = self.deployments.get(&deployment)?;
        let home = self.projects.get(&known.project)?;
        let job = known.job.and_then(|job| self.jobs.get(&job));
        let deployed_by = job.map_or(known.user, |job| job.user);
        let environment = self.environment_name(known.environment);
        let title = home.commits.get(&known.sha).map(|commit| commit.title.clone());
        let web = self.web(home);
        Some(json!({
            "object_kind": "deployment",
            "status": status,
            "status_changed_at": ruby(self.time()),
            "deployment_id": known.id,
            "deployable_id": known.job,
            "deployable_url": known.job.map(|job| format!("{web}/-/jobs/{job}")),
            "environment": environment,
            "environment_tier": tier(environment),
            "environment_slug": environment.replace('/', "-"),
            "environment_external_url": null,
            "project": self.project_payload(home),
            "short_sha": short(&known.sha),
            "user": self.user_payload(deployed_by),
            "user_url": format!("{}/{}", self.url, self.username(deployed_by)),
            "commit_url": format!("{web}/-/commit/{}", known.sha),
            "commit_title": title,
            "ref": known.git_ref,
        }))
    }

    /// An approval hook: the same with the vote, and the time in ISO 8601.
    pub(super) fn vote_payload(&self, deployment: DeploymentId, vote: &Approval) -> Option<Value> {
        let mut payload = self.deployment_payload(deployment, vote.status)?;
        let known = self.deployments.get(&deployment)?;
        let rules = self.approval_rules(known);
        let rule = rules.iter().find(|rule| Some(rule.id) == vote.rule).map(|rule| {
            let (user, group, level) = split(rule.grantee);
            json!({
                "id": rule.id, "user_id": user, "group_id": group, "access_level": level,
                "access_level_description": self.label(rule.grantee),
                "required_approvals": rule.required_approvals,
                "group_inheritance_type": u8::from(rule.inherited),
            })
        });
        let more = payload.as_object_mut()?;
        more.insert("status_changed_at".into(), json!(iso(self.time())));
        more.insert("approver".into(), self.user_payload(vote.user));
        let approval = json!({
            "id": vote.id, "status": vote.status, "comment": vote.comment.clone().unwrap_or_default(),
            "created_at": iso(vote.created_at), "approval_rule": rule,
        });
        more.insert("approval".into(), approval);
        Some(payload)
    }

    /// A comment. `user` is its author, whoever edited it.
    pub(super) fn note_payload(&self, home: &Project, note: &Note, action: &str) -> Value {
        let mut payload = json!({
            "object_kind": "note",
            "event_type": if note.internal { "confidential_note" } else { "note" },
            "user": self.user_payload(note.author),
            "project_id": home.id,
            "project": self.project_payload(home),
            "object_attributes": self.note_attributes(home, note, action),
            "repository": { "name": home.name(), "homepage": self.web(home) },
        });
        let (key, subject) = match &note.place {
            Place::MergeRequest(iid) => {
                let request = self.merge_request(home.id, *iid).ok();
                ("merge_request", request.map(|known| self.merge_request_attributes(home, known)))
            }
            Place::Commit(sha) => ("commit", Some(self.commit_payload(home, sha))),
        };
        if let Some(fields) = payload.as_object_mut() {
            fields.insert(key.into(), subject.unwrap_or_default());
        }
        payload
    }

    fn note_attributes(&self, home: &Project, note: &Note, action: &str) -> Value {
        let (kind, noteable, commit) = match &note.place {
            Place::MergeRequest(iid) => {
                ("MergeRequest", self.merge_request(home.id, *iid).ok().map(|known| known.id), None)
            }
            Place::Commit(sha) => ("Commit", None, Some(sha)),
        };
        json!({
            "id": note.id, "note": note.body, "description": note.body, "noteable_type": kind,
            "noteable_id": noteable, "author_id": note.author, "project_id": home.id, "commit_id": commit,
            "discussion_id": note.discussion, "internal": note.internal, "system": note.system,
            "type": note.threaded.then_some("DiscussionNote"), "line_code": null, "position": null,
            "original_position": null, "created_at": ruby_utc(note.created_at),
            "updated_at": ruby_utc(note.updated_at), "updated_by_id": note.updated_by, "resolved_at": null,
            "url": format!("{}#note_{}", self.place_url(home, &note.place), note.id), "action": action,
        })
    }

    pub(super) fn place_url(&self, home: &Project, place: &Place) -> String {
        match place {
            Place::MergeRequest(iid) => format!("{}/-/merge_requests/{iid}", self.web(home)),
            Place::Commit(sha) => format!("{}/-/commit/{sha}", self.web(home)),
        }
    }

    pub(super) fn merge_request_payload(
        &self,
        home: &Project,
        request: &MergeRequest,
        by: UserId,
        action: &str,
    ) -> Value {
        let mut attributes = self.merge_request_attributes(home, request);
        if let Some(fields) = attributes.as_object_mut() {
            fields.insert("action".into(), json!(action));
        }
        json!({
            "object_kind": "merge_request", "event_type": "merge_request", "user": self.user_payload(by),
            "project": self.project_payload(home), "object_attributes": attributes, "labels": [],
            "changes": {}, "repository": { "name": home.name(), "homepage": self.web(home) },
        })
    }

    fn merge_request_attributes(&self, home: &Project, request: &MergeRequest) -> Value {
        json!({
            "id": request.id, "iid": request.iid, "title": request.title, "description": "",
            "state": request.state, "author_id": request.author, "source_branch": request.source_branch,
            "target_branch": request.target_branch, "source_project_id": home.id,
            "target_project_id": home.id, "merge_commit_sha": request.merge_commit_sha,
            "created_at": ruby_utc(request.created_at), "updated_at": ruby_utc(request.updated_at),
            "last_commit": self.commit_payload(home, request.sha()),
            "url": self.place_url(home, &Place::MergeRequest(request.iid)),
        })
    }

    /// A job. `commit.id` is the pipeline's number, and the failure reason is never empty.
    pub(super) fn job_payload(&self, job: JobId) -> Option<Value> {
        let job = self.jobs.get(&job)?;
        let pipeline = self.pipelines.get(&job.pipeline)?;
        let home = self.projects.get(&job.project)?;
        let siblings = pipeline.jobs.iter().filter_map(|id| self.jobs.get(id));
        let earlier = siblings.filter(|known| known.id < job.id && known.spec.name == job.spec.name).count();
        let commit = home.commits.get(&pipeline.sha);
        Some(json!({
            "object_kind": "build", "ref": pipeline.git_ref, "tag": false, "before_sha": "0".repeat(40),
            "sha": pipeline.sha, "retries_count": earlier, "build_id": job.id, "build_name": job.spec.name,
            "build_stage": job.spec.stage, "build_status": job.status, "build_created_at": iso(job.created_at),
            "build_started_at": job.started_at.map(iso), "build_finished_at": job.finished_at.map(iso),
            "build_duration": null, "build_queued_duration": null, "build_allow_failure": job.spec.allow_failure,
            "build_failure_reason": job.failure_reason.unwrap_or("unknown_failure"),
            "pipeline_id": pipeline.id, "runner": null, "project_id": home.id, "project_name": home.path,
            "user": self.user_payload(job.user),
            "commit": {
                "id": pipeline.id, "name": null, "sha": pipeline.sha, "status": pipeline.status,
                "message": commit.map(|commit| &commit.title), "author_name": commit.map(|commit| &commit.author),
            },
            "repository": { "name": home.name(), "homepage": self.web(home) },
            "project": self.project_payload(home),
            "environment": environment(job),
        }))
    }

    pub(super) fn pipeline_payload(&self, pipeline: PipelineId) -> Option<Value> {
        let known = self.pipelines.get(&pipeline)?;
        let home = self.projects.get(&known.project)?;
        let builds = known.jobs.iter().filter_map(|id| self.jobs.get(id)).map(|job| self.build(job));
        let request = known.merge_request().and_then(|iid| self.merge_request(home.id, iid).ok());
        Some(json!({
            "object_kind": "pipeline",
            "object_attributes": self.pipeline_attributes(home, known),
            "merge_request": request.map(|request| self.merge_request_attributes(home, request)),
            "user": self.user_payload(known.user),
            "project": self.project_payload(home),
            "commit": self.commit_payload(home, &known.sha),
            "builds": builds.collect::<Vec<_>>(),
        }))
    }

    fn pipeline_attributes(&self, home: &Project, known: &Pipeline) -> Value {
        json!({
            "id": known.id, "iid": known.iid, "ref": known.git_ref, "tag": false, "sha": known.sha,
            "before_sha": "0".repeat(40), "source": known.source, "status": known.status,
            "detailed_status": known.status, "created_at": ruby_utc(known.created_at), "finished_at": null,
            "url": format!("{}/-/pipelines/{}", self.web(home), known.id),
        })
    }

    fn build(&self, job: &Job) -> Value {
        json!({
            "id": job.id, "stage": job.spec.stage, "name": job.spec.name, "status": job.status,
            "created_at": ruby_utc(job.created_at), "started_at": job.started_at.map(ruby_utc),
            "finished_at": job.finished_at.map(ruby_utc), "failure_reason": job.failure_reason,
            "when": if job.spec.manual { "manual" } else { "on_success" }, "manual": job.spec.manual,
            "allow_failure": job.spec.allow_failure, "user": self.user_payload(job.user), "runner": null,
            "environment": environment(job),
        })
    }

    fn user_payload(&self, user: UserId) -> Value {
        self.users.get(&user).map_or(Value::Null, |user| {
            json!({
                "id": user.id, "name": user.name, "username": user.username, "avatar_url": null,
                "email": "[REDACTED]",
            })
        })
    }

    fn project_payload(&self, home: &Project) -> Value {
        let web = self.web(home);
        json!({
            "id": home.id, "name": home.name(), "description": null, "web_url": web,
            "namespace": home.path.rsplit_once('/').map_or("", |(above, _)| above),
            "path_with_namespace": home.path, "default_branch": home.default_branch,
            "visibility_level": 0, "homepage": web,
        })
    }

    fn commit_payload(&self, home: &Project, sha: &str) -> Value {
        home.commits.get(sha).map_or(Value::Null, |commit| {
            json!({
                "id": commit.sha, "message": commit.title, "title": commit.title,
                "timestamp": iso(commit.created_at), "url": format!("{}/-/commit/{sha}", self.web(home)),
                "author": { "name": commit.author, "email": "[REDACTED]" },
            })
        })
    }

    pub(super) fn web(&self, home: &Project) -> String {
        format!("{}/{}", self.url, home.path)
    }
}

fn environment(job: &Job) -> Option<Value> {
    let (name, action) = job.spec.environment.as_ref()?;
    Some(json!({ "name": name, "action": action, "deployment_tier": tier(name) }))
}

/// `user_id`, `group_id`, `access_level`: exactly one of them is there.
pub(super) fn split(grantee: Grantee) -> (Option<u64>, Option<u64>, Option<u16>) {
    match grantee {
        Grantee::User(id) => (Some(id), None, None),
        Grantee::Group(id) => (None, Some(id), None),
        Grantee::Level(level) => (None, None, Some(level.0)),
    }
}

/// Ruby's spelling of a time, in a zone that isn't UTC: `2021-04-28 21:50:00 +0200`.
fn ruby(time: Timestamp) -> String {
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    time.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %z").to_string()
}

fn ruby_utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
