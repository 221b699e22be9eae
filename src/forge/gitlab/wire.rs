//! The shapes of GitLab's answers, as far as they are read, and what they say in our words.
//!
//! Fields that some version or tier leaves out are optional; unknown fields are skipped.

use crate::domain::actor::Account;
use crate::domain::id::{CommentKind, CommentRef, Conversation, Project, ProjectId, UserId};
use crate::domain::ledger::Word;
use crate::domain::policy::{Grantee, Rule};
use crate::ports::failure::Failure;
use crate::ports::forge::{
    ActiveProject, Approvals, Comment, ForgeVote, JobSeen, MergeRequest, Posted, Progress, Sighting,
};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

/// An account. Only `/user` and `/users/:id` tell whether it is a bot.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) username: String,
    pub(super) state: Option<String>,
    pub(super) bot: Option<bool>,
}

impl User {
    /// The account, where the answer doesn't tell a bot from a person: to be looked up if it matters.
    fn named(self) -> Account {
        Account { id: UserId(self.id), username: self.username, bot: self.bot.unwrap_or(false) }
    }

    /// Neither blocked, deactivated nor banned.
    pub(super) fn is_active(&self) -> bool {
        self.state.as_deref() == Some("active")
    }
}

/// A group, by its number.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct GroupSeen {
    pub(super) id: i64,
}

/// A membership of a project or group.
#[derive(Debug, Deserialize)]
pub(super) struct Membership {
    pub(super) id: i64,
    pub(super) username: String,
    state: Option<String>,
    #[serde(rename = "membership_state")]
    acceptance: Option<String>,
    access_level: i32,
    expires_at: Option<Date>,
}

impl Membership {
    /// The account is neither blocked, deactivated nor banned.
    pub(super) fn is_active(&self) -> bool {
        self.state.as_deref() == Some("active")
    }

    /// The level that counts today (UTC, as GitLab's dates are): 0 where the membership doesn't.
    pub(super) fn level(&self, today: Date) -> i32 {
        let accepted = self.acceptance.as_deref().is_none_or(|state| state == "active");
        let lasts = self.expires_at.is_none_or(|end| today < end);
        if self.is_active() && accepted && lasts { self.access_level } else { 0 }
    }
}

/// A project.
#[derive(Debug, Deserialize)]
pub(super) struct ProjectSeen {
    id: i64,
    path_with_namespace: String,
    last_activity_at: Option<Timestamp>,
}

impl ProjectSeen {
    pub(super) fn into_project(self) -> Project {
        Project { id: ProjectId(self.id), path: self.path_with_namespace }
    }

    pub(super) fn into_active(self) -> Option<ActiveProject> {
        let active_at = self.last_activity_at?;
        Some(ActiveProject { project: self.into_project(), active_at })
    }
}

/// A deployment; lists leave the approvals out, and so does the free tier.
#[derive(Debug, Deserialize)]
pub(super) struct Deployment {
    id: i64,
    sha: String,
    #[serde(rename = "ref")]
    ref_name: String,
    status: String,
    created_at: Timestamp,
    updated_at: Option<Timestamp>,
    user: Option<User>,
    environment: Environment,
    deployable: Option<Job>,
    pending_approval_count: Option<u32>,
    approvals: Option<Vec<Approval>>,
    approval_summary: Option<Summary>,
}

#[derive(Debug, Deserialize)]
struct Environment {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Job {
    id: i64,
    name: String,
    status: String,
    web_url: Option<String>,
    started_at: Option<Timestamp>,
    user: Option<User>,
    commit: Option<Commit>,
    pipeline: Option<Pipeline>,
}

#[derive(Debug, Deserialize)]
struct Commit {
    title: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Pipeline {
    id: i64,
    web_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Approval {
    user: User,
    status: String,
    created_at: Timestamp,
    comment: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Summary {
    #[serde(default)]
    rules: Vec<ApprovalRule>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ApprovalRule {
    user_id: Option<i64>,
    group_id: Option<i64>,
    access_level: Option<i32>,
    access_level_description: Option<String>,
    required_approvals: u32,
    group_inheritance_type: Option<i32>,
}

impl ApprovalRule {
    pub(super) fn into_rule(self) -> Rule {
        let inherited = self.group_inheritance_type == Some(1);
        let user = self.user_id.map(|id| Grantee::UserId(UserId(id)));
        let group = self.group_id.map(|id| Grantee::GroupId { id, inherited });
        // A user's or group's rule may carry a level of 40 beside it in older versions: the level isn't the rule.
        let level = self.access_level.filter(|_| user.is_none() && group.is_none()).map(Grantee::AccessLevel);
        Rule {
            grantees: user.into_iter().chain(group).chain(level).collect(),
            required_approvals: self.required_approvals,
            label: self.access_level_description,
        }
    }
}

impl Approval {
    fn into_vote(self) -> Result<ForgeVote, Failure> {
        let word = match self.status.as_str() {
            "approved" => Word::Approved,
            "rejected" => Word::Rejected,
            other => {
                return Err(Failure::Unreadable(format!("an approval has the unknown status {other:?}")));
            }
        };
        Ok(ForgeVote {
            by: UserId(self.user.id),
            username: self.user.username,
            word,
            at: self.created_at,
            comment: self.comment.filter(|comment| !comment.is_empty()),
        })
    }
}

impl Deployment {
    /// The deployment in our words; `Unreadable` where it can't be told where it stands.
    pub(super) fn into_sighting(self) -> Result<Sighting, Failure> {
        let state = self.progress().ok_or_else(|| {
            let job = self.deployable.as_ref().map_or("none", |job| job.status.as_str());
            Failure::Unreadable(format!(
                "deployment status {:?} with job status {job:?} is unknown",
                self.status
            ))
        })?;
        let approvals = approvals(self.pending_approval_count, self.approvals, self.approval_summary)?;
        let (commit, pipeline) =
            self.deployable.as_ref().map_or((None, None), |job| (job.commit.as_ref(), job.pipeline.as_ref()));
        let job_url = self.deployable.as_ref().and_then(|job| job.web_url.clone());
        Ok(Sighting {
            native: super::native(self.id),
            number: Some(self.id),
            order: self.id,
            held_by_others: false,
            environment: self.environment.name,
            sha: self.sha,
            merge_request: merge_request_of(&self.ref_name),
            ref_name: self.ref_name,
            title: commit.and_then(|commit| commit.title.clone()),
            run: pipeline.map_or(0, |pipeline| pipeline.id),
            url: pipeline.and_then(|pipeline| pipeline.web_url.clone()).or(job_url),
            job: self.deployable.map(Job::into_seen),
            started_by: self.user.map(User::named).into_iter().collect(),
            created_at: self.created_at,
            updated_at: self.updated_at.unwrap_or(self.created_at),
            state,
            approvals,
        })
    }

    /// Where it stands. An end that the deployment itself tells is taken; before that its job knows more,
    /// since the deployment follows by a worker. `None` when neither can be understood.
    fn progress(&self) -> Option<Progress> {
        match self.status.as_str() {
            "success" => Some(Progress::Succeeded),
            "failed" => Some(Progress::Failed),
            "canceled" | "skipped" => Some(Progress::Cancelled),
            "running" => match self.deployable.as_ref().and_then(Job::progress) {
                // Started is started, whatever an older look at its job says.
                Some(Progress::Waiting) | None => Some(Progress::Running),
                further => further,
            },
            "blocked" | "created" => self.deployable.as_ref().map_or(Some(Progress::Waiting), Job::progress),
            // A status of a later GitLab: only what the job says beyond doubt is taken.
            _ => self.deployable.as_ref().and_then(Job::progress).filter(|state| *state != Progress::Waiting),
        }
    }
}

impl Job {
    fn into_seen(self) -> JobSeen {
        let manual = self.status == "manual";
        let started = self.started_at.is_some();
        JobSeen { id: self.id, name: self.name, manual, started, user: self.user.map(User::named) }
    }

    fn progress(&self) -> Option<Progress> {
        match self.status.as_str() {
            "manual" | "created" | "scheduled" => Some(Progress::Waiting),
            "pending"
            | "preparing"
            | "waiting_for_resource"
            | "waiting_for_callback"
            | "running"
            | "canceling" => Some(Progress::Running),
            "success" => Some(Progress::Succeeded),
            "failed" => Some(Progress::Failed),
            "canceled" | "skipped" => Some(Progress::Cancelled),
            _ => None,
        }
    }
}

/// The merge request that a ref names: `refs/merge-requests/7/(head|merge|train)`.
fn merge_request_of(ref_name: &str) -> Option<i64> {
    ref_name.strip_prefix("refs/merge-requests/")?.split('/').next()?.parse().ok()
}

fn approvals(
    pending: Option<u32>,
    votes: Option<Vec<Approval>>,
    summary: Option<Summary>,
) -> Result<Option<Approvals>, Failure> {
    let Some(pending) = pending else { return Ok(None) };
    let votes = votes.unwrap_or_default().into_iter().map(Approval::into_vote).collect::<Result<_, _>>()?;
    let rules = summary.map(|summary| summary.rules).unwrap_or_default();
    // A rule that asks for nobody would be filled by nobody.
    let rules =
        rules.into_iter().filter(|rule| rule.required_approvals > 0).map(ApprovalRule::into_rule).collect();
    Ok(Some(Approvals { pending, rules, votes }))
}

/// What came of an approval.
#[derive(Debug, Deserialize)]
pub(super) struct Cast {
    pub(super) status: String,
}

/// A merge request.
#[derive(Debug, Deserialize)]
pub(super) struct MergeRequestSeen {
    iid: i64,
    sha: Option<String>,
    target_branch: String,
    state: String,
    merge_commit_sha: Option<String>,
    squash_commit_sha: Option<String>,
    author: Option<User>,
    merge_user: Option<User>,
    merged_by: Option<User>,
}

impl From<MergeRequestSeen> for MergeRequest {
    fn from(seen: MergeRequestSeen) -> Self {
        let id = |user: User| UserId(user.id);
        // Merged by fast-forward there is no other commit than its head.
        let forwarded = seen.sha.clone().filter(|_| seen.state == "merged");
        Self {
            number: seen.iid,
            head_sha: seen.sha.unwrap_or_default(),
            target_branch: seen.target_branch,
            merged_as: seen
                .merge_commit_sha
                .into_iter()
                .chain(seen.squash_commit_sha)
                .chain(forwarded)
                .collect(),
            open: seen.state == "opened",
            author: seen.author.map(id),
            merged_by: seen.merge_user.or(seen.merged_by).map(id),
        }
    }
}

/// A comment.
#[derive(Debug, Deserialize)]
pub(super) struct Note {
    pub(super) id: i64,
    pub(super) body: String,
    pub(super) author: User,
    pub(super) created_at: Timestamp,
    updated_at: Option<Timestamp>,
    #[serde(default)]
    pub(super) system: bool,
    internal: Option<bool>,
    confidential: Option<bool>,
}

impl Note {
    /// Seen by members only; such a note is no command.
    pub(super) fn is_internal(&self) -> bool {
        self.internal == Some(true) || self.confidential == Some(true)
    }

    /// The comment in our words, with its discussion where that is known.
    pub(super) fn into_comment(self, conversation: &Conversation, discussion: Option<String>) -> Comment {
        Comment {
            at: CommentRef {
                conversation: conversation.clone(),
                kind: CommentKind::Comment,
                comment: self.id,
                discussion,
            },
            author: UserId(self.author.id),
            username: self.author.username,
            text: self.body,
            created_at: self.created_at,
            updated_at: self.updated_at.unwrap_or(self.created_at),
            system: self.system,
            about: None,
        }
    }

    pub(super) fn written(&self) -> Posted {
        Posted { comment: self.id, at: self.created_at }
    }

    pub(super) fn rewritten(&self) -> Posted {
        Posted { comment: self.id, at: self.updated_at.unwrap_or(self.created_at) }
    }
}

/// A discussion with its notes, oldest first.
#[derive(Debug, Deserialize)]
pub(super) struct Discussion {
    pub(super) id: String,
    pub(super) notes: Vec<Note>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn deployment(status: &str, job: Option<&str>) -> Value {
        let job = job.map(|status| {
            json!({"id": 880, "name": "deploy_prod", "status": status, "user": {"id": 12, "username": "dana"},
                "commit": {"title": "Fix"}, "pipeline": {"id": 300, "web_url": "https://g.example/p/300"}})
        });
        json!({"id": 4711, "ref": "main", "sha": "9f1c", "status": status, "created_at": "2026-11-21T08:00:00.000Z",
            "updated_at": "2026-11-21T10:00:00.000+02:00", "user": {"id": 12, "username": "dana"},
            "environment": {"id": 9, "name": "production"}, "deployable": job})
    }

    fn sighting(value: Value) -> Result<Sighting, Failure> {
        serde_json::from_value::<Deployment>(value).unwrap().into_sighting()
    }

    /// Each row: a deployment's status; what follows for each job status, in the order of `JOBS`
    /// (W waiting, R running, S succeeded, F failed, C cancelled, ? unreadable).
    const JOBS: [Option<&str>; 15] = [
        None,
        Some("created"),
        Some("manual"),
        Some("scheduled"),
        Some("waiting_for_resource"),
        Some("waiting_for_callback"),
        Some("preparing"),
        Some("pending"),
        Some("running"),
        Some("canceling"),
        Some("success"),
        Some("failed"),
        Some("canceled"),
        Some("skipped"),
        Some("quantum"),
    ];

    #[rstest]
    #[case("created", "WWWWRRRRRRSFCC?")]
    #[case("blocked", "WWWWRRRRRRSFCC?")]
    #[case("running", "RRRRRRRRRRSFCCR")]
    #[case("success", "SSSSSSSSSSSSSSS")]
    #[case("failed", "FFFFFFFFFFFFFFF")]
    #[case("canceled", "CCCCCCCCCCCCCCC")]
    #[case("skipped", "CCCCCCCCCCCCCCC")]
    #[case("quantum", "????RRRRRRSFCC?")]
    fn where_a_deployment_stands(#[case] status: &str, #[case] row: &str) {
        let told: String = JOBS
            .iter()
            .map(|job| match sighting(deployment(status, *job)).map(|sighting| sighting.state) {
                Ok(Progress::Waiting) => 'W',
                Ok(Progress::Running) => 'R',
                Ok(Progress::Succeeded) => 'S',
                Ok(Progress::Failed) => 'F',
                Ok(Progress::Cancelled) => 'C',
                Err(_) => '?',
            })
            .collect();
        assert_eq!(told, row);
    }

    #[test]
    fn the_free_tier_has_no_approvals_and_an_api_deployment_no_job() {
        let seen = sighting(deployment("blocked", None)).unwrap();
        assert_eq!((seen.approvals, seen.job, seen.run, seen.url), (None, None, 0, None));
    }

    #[test]
    fn rules_and_votes_become_ours() {
        let mut value = deployment("blocked", Some("manual"));
        value["pending_approval_count"] = json!(2);
        value["approvals"] = json!([{"user": {"id": 5, "username": "ops"}, "status": "approved",
            "created_at": "2026-11-21T08:01:00Z", "comment": ""}]);
        value["approval_summary"] = json!({"rules": [
            {"user_id": null, "group_id": 135, "access_level": null, "access_level_description": "security",
                "required_approvals": 2, "group_inheritance_type": 1},
            {"user_id": 7, "access_level": 40, "required_approvals": 1},
            {"access_level": 60, "access_level_description": "Admins", "required_approvals": 1},
            {"access_level": 40, "required_approvals": 0}]});
        let seen = sighting(value).unwrap();
        let approvals = seen.approvals.unwrap();
        let grantees: Vec<_> = approvals.rules.iter().map(|rule| rule.grantees.as_slice()).collect();
        assert_eq!(
            grantees,
            [
                &[Grantee::GroupId { id: 135, inherited: true }][..],
                &[Grantee::UserId(UserId(7))],
                &[Grantee::AccessLevel(60)],
            ]
        );
        assert_eq!(approvals.rules[0].label.as_deref(), Some("security"));
        assert_eq!(
            (approvals.pending, approvals.votes[0].word, approvals.votes[0].comment.clone()),
            (2, Word::Approved, None)
        );
        assert_eq!(seen.job.map(|job| (job.id, job.manual)), Some((880, true)));
        assert_eq!(seen.updated_at, "2026-11-21T08:00:00Z".parse().unwrap());
        assert_eq!(seen.url.as_deref(), Some("https://g.example/p/300"));
    }

    #[test]
    fn an_approval_of_an_unknown_kind_is_unreadable() {
        let mut value = deployment("blocked", Some("manual"));
        value["pending_approval_count"] = json!(0);
        value["approvals"] = json!([{"user": {"id": 5, "username": "ops"}, "status": "abstained",
            "created_at": "2026-11-21T08:01:00Z"}]);
        assert!(matches!(sighting(value), Err(Failure::Unreadable(_))));
    }

    #[rstest]
    #[case(json!({}), 40)]
    #[case(json!({"state": "blocked"}), 0)]
    #[case(json!({"state": null}), 0)]
    #[case(json!({"membership_state": "awaiting"}), 0)]
    #[case(json!({"membership_state": "active", "expires_at": "2026-11-22"}), 40)]
    #[case(json!({"expires_at": "2026-11-21"}), 0)]
    #[case(json!({"expires_at": "2026-11-20"}), 0)]
    fn only_a_living_membership_counts(#[case] changes: Value, #[case] level: i32) {
        let mut value = json!({"id": 5, "username": "alice", "state": "active", "access_level": 40});
        value.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let membership: Membership = serde_json::from_value(value).unwrap();
        assert_eq!(membership.level("2026-11-21".parse().unwrap()), level);
    }
}
