//! The entities of the REST API, field by field as GitLab presents them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::access::{MemberState, Membership};
use super::approvals::Approval;
use super::hooks::{Delivery, Hook, HookEvent};
use super::merge_requests::MergeRequest;
use super::notes::{Award, Note, Place};
use super::payloads::split;
use super::pipelines::{Deployment, Job, Pipeline};
use super::projects::{ApprovalRule, Project, ProtectedBranch, ProtectedEnvironment, Visibility};
use super::state::{State, User};
use super::{Level, UserId, UserState};

/// ISO 8601 with milliseconds.
pub(super) fn iso(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

impl State {
    pub(super) fn user_json(&self, user: UserId) -> Value {
        self.users.get(&user).map_or(Value::Null, |user| self.user_entity(user))
    }

    fn user_entity(&self, user: &User) -> Value {
        json!({
            "id": user.id, "username": user.username, "name": user.name, "state": state(user.state),
            "locked": false, "avatar_url": null, "web_url": format!("{}/{}", self.url, user.username),
        })
    }

    pub(super) fn full_user_json(&self, user: &User) -> Value {
        let mut entity = self.user_entity(user);
        if let Some(fields) = entity.as_object_mut() {
            fields.insert("bot".into(), json!(user.bot));
        }
        entity
    }

    pub(super) fn member_json(&self, member: &Membership) -> Value {
        let mut entity = self.user_json(member.user);
        if let Some(fields) = entity.as_object_mut() {
            fields.insert("access_level".into(), json!(member.level.0));
            let expires = member.expires_at.map(|end| end.strftime("%Y-%m-%d").to_string());
            fields.insert("expires_at".into(), json!(expires));
            let waiting = if member.state == MemberState::Active { "active" } else { "awaiting" };
            fields.insert("membership_state".into(), json!(waiting));
        }
        entity
    }

    pub(super) fn project_json(&self, home: &Project) -> Value {
        json!({
            "id": home.id, "name": home.name(), "path": home.name(), "path_with_namespace": home.path,
            "default_branch": home.default_branch, "archived": home.archived,
            "visibility": if home.visibility == Visibility::Private { "private" } else { "public" },
            "web_url": self.web(home), "last_activity_at": iso(home.last_activity_at),
            "allow_pipeline_trigger_approve_deployment": home.trigger_may_approve,
        })
    }

    /// The short entity of lists: no approval fields.
    pub(super) fn deployment_json(&self, known: &Deployment) -> Value {
        let job = known.job.and_then(|job| self.jobs.get(&job));
        json!({
            "id": known.id, "iid": known.iid, "ref": known.git_ref, "sha": known.sha,
            "created_at": iso(known.created_at), "updated_at": iso(known.updated_at), "status": known.status,
            "user": self.user_json(known.user),
            "environment": {
                "id": known.environment, "name": self.environment_name(known.environment), "external_url": null,
            },
            "deployable": job.map(|job| self.job_json(job)),
        })
    }

    /// The single entity: with approvals, where there is a licence.
    pub(super) fn deployment_extended_json(&self, known: &Deployment) -> Value {
        let mut entity = self.deployment_json(known);
        if !self.settings.licensed {
            return entity;
        }
        let rules = self.approval_rules(known);
        let rules: Vec<Value> = rules.iter().map(|rule| self.summary_json(rule, known)).collect();
        let approvals: Vec<Value> = known.approvals.iter().map(|vote| self.approval_json(vote)).collect();
        if let Some(fields) = entity.as_object_mut() {
            fields.insert("pending_approval_count".into(), json!(self.pending_approvals(known)));
            fields.insert("approvals".into(), json!(approvals));
            fields.insert("approval_summary".into(), json!({ "rules": rules }));
        }
        entity
    }

    fn summary_json(&self, rule: &ApprovalRule, known: &Deployment) -> Value {
        let votes = known.approvals.iter().filter(|vote| vote.rule == Some(rule.id));
        let votes: Vec<Value> = votes.map(|vote| self.approval_json(vote)).collect();
        let mut entity = self.rule_json(rule);
        if let Some(fields) = entity.as_object_mut() {
            fields.insert("deployment_approvals".into(), json!(votes));
        }
        entity
    }

    pub(super) fn approval_json(&self, vote: &Approval) -> Value {
        json!({
            "user": self.user_json(vote.user), "status": vote.status, "created_at": iso(vote.created_at),
            "comment": vote.comment,
        })
    }

    fn rule_json(&self, rule: &ApprovalRule) -> Value {
        let (user, group, level) = split(rule.grantee);
        json!({
            "id": rule.id, "user_id": user, "group_id": group, "access_level": level,
            "access_level_description": self.label(rule.grantee),
            "required_approvals": rule.required_approvals, "group_inheritance_type": u8::from(rule.inherited),
        })
    }

    pub(super) fn protected_environment_json(&self, known: &ProtectedEnvironment) -> Value {
        let accesses = known.deploy_access_levels.iter().map(|access| {
            let (user, group, level) = split(access.grantee);
            json!({
                "id": access.id, "access_level": level, "access_level_description": self.label(access.grantee),
                "user_id": user, "group_id": group, "group_inheritance_type": u8::from(access.inherited),
            })
        });
        let rules = known.approval_rules.iter().map(|rule| self.rule_json(rule));
        json!({
            "name": known.name, "deploy_access_levels": accesses.collect::<Vec<_>>(),
            "required_approval_count": known.required_approval_count,
            "approval_rules": rules.collect::<Vec<_>>(),
        })
    }

    pub(super) fn job_json(&self, job: &Job) -> Value {
        let pipeline = self.pipelines.get(&job.pipeline);
        let home = self.projects.get(&job.project);
        let sha = pipeline.map_or("", |known| &known.sha);
        let web = home.map_or_else(String::new, |home| self.web(home));
        json!({
            "id": job.id, "name": job.spec.name, "stage": job.spec.stage, "status": job.status,
            "ref": pipeline.map(|known| &known.git_ref), "tag": false, "allow_failure": job.spec.allow_failure,
            "created_at": iso(job.created_at), "started_at": job.started_at.map(iso),
            "finished_at": job.finished_at.map(iso), "failure_reason": job.failure_reason,
            "user": self.user_json(job.user), "commit": home.and_then(|home| self.commit_json(home, sha)),
            "pipeline": pipeline.map(|known| self.short_pipeline_json(known)),
            "web_url": format!("{web}/-/jobs/{}", job.id), "runner": null,
        })
    }

    pub(super) fn short_pipeline_json(&self, known: &Pipeline) -> Value {
        let web = self.projects.get(&known.project).map_or_else(String::new, |home| self.web(home));
        json!({
            "id": known.id, "iid": known.iid, "project_id": known.project, "ref": known.git_ref,
            "sha": known.sha, "status": known.status, "source": known.source,
            "created_at": iso(known.created_at), "updated_at": iso(known.updated_at),
            "web_url": format!("{web}/-/pipelines/{}", known.id),
        })
    }

    pub(super) fn pipeline_json(&self, known: &Pipeline) -> Value {
        let mut entity = self.short_pipeline_json(known);
        if let Some(fields) = entity.as_object_mut() {
            fields.insert("user".into(), self.user_json(known.user));
        }
        entity
    }

    pub(super) fn commit_json(&self, home: &Project, sha: &str) -> Option<Value> {
        let commit = home.commits.get(sha)?;
        Some(json!({
            "id": commit.sha, "short_id": super::projects::short(sha), "title": commit.title,
            "message": commit.title, "author_name": commit.author, "author_email": "[REDACTED]",
            "created_at": iso(commit.created_at), "web_url": format!("{}/-/commit/{sha}", self.web(home)),
        }))
    }

    pub(super) fn merge_request_json(&self, home: &Project, known: &MergeRequest) -> Value {
        json!({
            "id": known.id, "iid": known.iid, "project_id": home.id, "title": known.title, "description": "",
            "state": known.state, "created_at": iso(known.created_at), "updated_at": iso(known.updated_at),
            "merged_at": known.merged_at.map(iso), "merge_user": known.merged_by.map(|by| self.user_json(by)),
            "merged_by": known.merged_by.map(|by| self.user_json(by)), "author": self.user_json(known.author),
            "source_branch": known.source_branch, "target_branch": known.target_branch,
            "source_project_id": home.id, "target_project_id": home.id, "sha": known.sha(),
            "merge_commit_sha": known.merge_commit_sha, "squash_commit_sha": known.squash_commit_sha,
            "discussion_locked": known.locked.then_some(true), "draft": false,
            "web_url": self.place_url(home, &Place::MergeRequest(known.iid)),
        })
    }

    pub(super) fn note_json(&self, note: &Note) -> Value {
        let (kind, iid, noteable, commit) = match &note.place {
            Place::MergeRequest(iid) => {
                let id = self.merge_request(note.project, *iid).ok().map(|known| known.id);
                ("MergeRequest", Some(*iid), id, None)
            }
            Place::Commit(sha) => ("Commit", None, None, Some(sha)),
        };
        json!({
            "id": note.id, "type": note.threaded.then_some("DiscussionNote"), "body": note.body,
            "author": self.user_json(note.author), "created_at": iso(note.created_at),
            "updated_at": iso(note.updated_at), "system": note.system, "noteable_id": noteable,
            "noteable_type": kind, "noteable_iid": iid, "commit_id": commit, "project_id": note.project,
            "resolvable": note.threaded, "confidential": note.internal, "internal": note.internal,
        })
    }

    pub(super) fn award_json(&self, note: u64, award: &Award) -> Value {
        json!({
            "id": award.id, "name": award.name, "user": self.user_json(award.user),
            "created_at": iso(award.created_at), "updated_at": iso(award.created_at),
            "awardable_id": note, "awardable_type": "Note",
        })
    }

    /// Secrets are never shown, only whether there are any.
    pub(super) fn hook_json(&self, hook: &Hook) -> Value {
        let mut entity = json!({
            "id": hook.id, "url": hook.with.url, "project_id": hook.project,
            "created_at": iso(hook.created_at), "push_events": false,
            "token_present": hook.with.token.is_some(),
            "alert_status": hook.alert_status(self.time()), "disabled_until": hook.disabled_until.map(iso),
            "enable_ssl_verification": true,
        });
        if let Some(fields) = entity.as_object_mut() {
            for event in HookEvent::ALL {
                fields.insert(event.param().into(), json!(hook.with.events.contains(&event)));
            }
            if self.settings.version >= (super::Version { major: 19, minor: 0 }) {
                fields.insert("signing_token_present".into(), json!(hook.with.signing_token.is_some()));
            }
        }
        entity
    }
}

pub(super) fn delivery_json(delivery: &Delivery) -> Value {
    let status = delivery.status.map_or_else(|| "internal error".to_owned(), |status| status.to_string());
    json!({
        "id": delivery.id, "trigger": delivery.event.param(), "response_status": status,
        "created_at": iso(delivery.at), "request_data": delivery.body,
    })
}

pub(super) fn branch_json(branch: &ProtectedBranch) -> Value {
    let levels =
        |level: Level| json!([{ "access_level": level.0, "access_level_description": level.label() }]);
    json!({
        "name": branch.name, "push_access_levels": levels(branch.push),
        "merge_access_levels": levels(branch.merge), "allow_force_push": false,
    })
}

fn state(state: UserState) -> &'static str {
    match state {
        UserState::Active => "active",
        UserState::Blocked => "blocked",
    }
}
