//! Deployment approvals: the service behind the endpoint and the pages, with its checks in GitLab's order.

use jiff::Timestamp;

use super::hooks::HookEvent;
use super::pipelines::Deployment;
use super::projects::ApprovalRule;
use super::state::{Refused, State};
use super::{DeploymentId, GitLab, Grantee, Level, UserId};

#[derive(Clone, Debug)]
pub(super) struct Approval {
    pub(super) id: u64,
    pub(super) user: UserId,
    pub(super) rule: Option<u64>,
    /// `approved` or `rejected`.
    pub(super) status: &'static str,
    pub(super) comment: Option<String>,
    pub(super) created_at: Timestamp,
}

/// One decision as it was sent.
pub(super) struct Vote<'a> {
    pub(super) status: &'a str,
    pub(super) comment: Option<&'a str>,
    pub(super) represented_as: Option<&'a str>,
}

impl GitLab {
    /// Presses "Approve" on a deployment in the pages.
    pub fn approve_deployment(
        &self,
        deployment: DeploymentId,
        by: UserId,
        comment: Option<&str>,
    ) -> Result<(), Refused> {
        let vote = Vote { status: "approved", comment, represented_as: None };
        self.with(|state| state.vote(deployment, by, &vote).map(|_| ()))
    }

    /// Presses "Reject" on a deployment in the pages.
    pub fn reject_deployment(
        &self,
        deployment: DeploymentId,
        by: UserId,
        comment: Option<&str>,
    ) -> Result<(), Refused> {
        let vote = Vote { status: "rejected", comment, represented_as: None };
        self.with(|state| state.vote(deployment, by, &vote).map(|_| ()))
    }
}

impl State {
    pub(super) fn vote(
        &mut self,
        deployment: DeploymentId,
        by: UserId,
        vote: &Vote<'_>,
    ) -> Result<Approval, Refused> {
        let (status, rule) = self.check_vote(deployment, by, vote)?;
        if vote.comment.is_some_and(|comment| comment.chars().count() > 255) {
            let body = serde_json::json!({ "message": ["Comment is too long (maximum is 255 characters)"] });
            return Err(Refused { status: 400, body });
        }
        let (approval, changed) = self.record_vote(deployment, by, (status, rule), vote.comment)?;
        if changed {
            self.vote_event(deployment, &approval);
            self.after_vote(deployment, status);
        }
        Ok(approval)
    }

    /// The checks in GitLab's order. Returns the decision and the rule that it counts for.
    fn check_vote(
        &self,
        deployment: DeploymentId,
        by: UserId,
        vote: &Vote<'_>,
    ) -> Result<(&'static str, Option<u64>), Refused> {
        let status = match vote.status {
            "approved" => "approved",
            "rejected" => "rejected",
            _ => return Err(Refused::bad("Unrecognized approval status.")),
        };
        let known = self.deployments.get(&deployment).ok_or_else(|| Refused::new(404, "404 Not found"))?;
        let home = self.project(known.project)?;
        let environment = self.environment_name(known.environment);
        if self.protections(home, environment).is_empty() {
            return Err(Refused::bad("This environment is not protected."));
        }
        if known.user == by && status == "approved" && !home.trigger_may_approve {
            return Err(Refused::bad(OWN));
        }
        let rules = self.approval_rules(known);
        if rules.is_empty() && self.approval_count(known) == 0 {
            return Err(Refused::bad("Deployment approvals is not configured for this environment."));
        }
        if self.pending_approvals(known) == 0 {
            return Err(Refused::bad("This deployment is not waiting for approvals."));
        }
        if rules.is_empty() {
            let may = self.may_deploy(by, known.project, environment);
            return if may { Ok((status, None)) } else { Err(Refused::bad(NOT_ALLOWED)) };
        }
        let mine: Vec<&ApprovalRule> =
            rules.iter().filter(|rule| self.is_meant(by, home, rule.grantee, rule.inherited)).collect();
        if mine.is_empty() {
            return Err(Refused::bad(NOT_ALLOWED));
        }
        let named = vote.represented_as.unwrap_or_default();
        let rule = mine.iter().find(|rule| self.label(rule.grantee).contains(named));
        rule.map(|rule| (status, Some(rule.id))).ok_or_else(|| Refused::bad(NO_SUCH_RULE))
    }

    /// One record per person and rule. The same decision again leaves it, comment and all, as it is.
    fn record_vote(
        &mut self,
        deployment: DeploymentId,
        by: UserId,
        (status, rule): (&'static str, Option<u64>),
        comment: Option<&str>,
    ) -> Result<(Approval, bool), Refused> {
        let (id, created_at) = (self.ids.next("approval", 42), self.time());
        let known =
            self.deployments.get_mut(&deployment).ok_or_else(|| Refused::new(404, "404 Not found"))?;
        let comment = comment.map(str::to_owned);
        let earlier = known.approvals.iter_mut().find(|vote| vote.user == by && vote.rule == rule);
        match earlier {
            Some(vote) if vote.status == status => Ok((vote.clone(), false)),
            Some(vote) => {
                (vote.status, vote.comment) = (status, comment);
                Ok((vote.clone(), true))
            }
            None => {
                let approval = Approval { id, user: by, rule, status, comment, created_at };
                known.approvals.push(approval.clone());
                Ok((approval, true))
            }
        }
    }

    /// One rejection fails the job. The last approval starts it only where there are no rules.
    fn after_vote(&mut self, deployment: DeploymentId, status: &str) {
        let Some(known) = self.deployments.get(&deployment) else { return };
        let Some(job) = known.job else { return };
        if status == "rejected" {
            if let Some(job) = self.jobs.get_mut(&job) {
                job.failure_reason = Some("deployment_rejected");
            }
            return self.move_job(job, "failed");
        }
        if self.pending_approvals(known) > 0 || known.status != "blocked" {
            return;
        }
        let (by_rules, now) = (!self.approval_rules(known).is_empty(), self.time());
        if !by_rules {
            self.start(job);
        } else if self.settings.approved_becomes_created
            && let Some(known) = self.deployments.get_mut(&deployment)
        {
            (known.status, known.updated_at) = ("created", now);
        }
    }

    /// The rules that an approval may count for, the project's own before its groups'.
    pub(super) fn approval_rules(&self, deployment: &Deployment) -> Vec<ApprovalRule> {
        let Some(home) = self.projects.get(&deployment.project) else { return Vec::new() };
        let protections = self.protections(home, self.environment_name(deployment.environment));
        protections.into_iter().flat_map(|protection| protection.approval_rules).collect()
    }

    fn approval_count(&self, deployment: &Deployment) -> u32 {
        let Some(home) = self.projects.get(&deployment.project) else { return 0 };
        let protections = self.protections(home, self.environment_name(deployment.environment));
        protections.iter().map(|protection| protection.required_approval_count).sum()
    }

    /// How many approvals are missing. A rejection changes nothing about it.
    pub(super) fn pending_approvals(&self, deployment: &Deployment) -> u32 {
        let given = |rule: Option<u64>| {
            let votes = deployment.approvals.iter();
            let count = votes.filter(|vote| vote.status == "approved" && vote.rule == rule).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let rules = self.approval_rules(deployment);
        if rules.is_empty() {
            return self.approval_count(deployment).saturating_sub(given(None));
        }
        rules.iter().map(|rule| rule.required_approvals.saturating_sub(given(Some(rule.id)))).sum()
    }

    pub(super) fn environment_name(&self, environment: u64) -> &str {
        self.environments.get(&environment).map_or("", |known| &known.name)
    }

    /// What people call a grantee: the rule's human label.
    pub(super) fn label(&self, grantee: Grantee) -> String {
        match grantee {
            Grantee::User(id) => self.users.get(&id).map_or_else(String::new, |user| user.name.clone()),
            Grantee::Group(id) => {
                let path = self.groups.get(&id).map(|group| group.path.as_str()).unwrap_or_default();
                path.rsplit('/').next().unwrap_or_default().to_owned()
            }
            Grantee::Level(level @ Level(_)) => level.label().to_owned(),
        }
    }

    fn vote_event(&mut self, deployment: DeploymentId, approval: &Approval) {
        if !self.tells_of_approvals() {
            return;
        }
        let Some(project) = self.deployments.get(&deployment).map(|known| known.project) else { return };
        if let Some(payload) = self.vote_payload(deployment, approval) {
            self.queue(project, HookEvent::Deployment, &payload);
        }
    }
}

const OWN: &str = "You cannot approve your own deployment. This configuration can be adjusted in the protected \
                   environment settings.";
const NOT_ALLOWED: &str = "You don't have permission to approve this deployment. Contact the project or group \
                           owner for help.";
const NO_SUCH_RULE: &str = "There are no approval rules for the given `represent_as` parameter. Use a valid \
                            User/Group/Role name instead.";
