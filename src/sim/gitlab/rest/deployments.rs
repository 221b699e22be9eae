//! Deployments: the list, the single one, its merge requests, and the approval endpoint.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::super::approvals::Vote;
use super::super::merge_requests::MergeRequest;
use super::super::pipelines::Deployment;
use super::super::state::{Refused, State};
use super::super::{DeploymentId, Level};
use super::call::{Answer, Call, Reply, page};
use super::{Visit, id, no_route};

const STATUSES: [&str; 6] = ["created", "running", "success", "failed", "canceled", "blocked"];

impl State {
    pub(super) fn route_deployments(&mut self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        self.needs(visit, Level::REPORTER)?;
        match (visit.call.method.as_str(), rest) {
            ("GET", []) => self.list_deployments(visit),
            ("GET", [one]) => {
                let known = self.deployment_of_project(visit, one)?;
                Ok(Answer::ok(self.deployment_extended_json(known)))
            }
            ("GET", [one, "merge_requests"]) => self.deployed_merge_requests(visit, one),
            ("POST", [one, "approval"]) if self.settings.enterprise => self.approval(visit, one),
            _ => Err(no_route()),
        }
    }

    fn deployment_of_project(&self, visit: Visit<'_>, named: &str) -> Result<&Deployment, Refused> {
        let known = self.deployments.get(&id(named, "deployment_id")?);
        let known = known.filter(|known| known.project == visit.project);
        known.ok_or_else(|| Refused::new(404, "404 Not found"))
    }

    fn list_deployments(&self, visit: Visit<'_>) -> Reply {
        let filter = Filter::read(visit.call)?;
        let own = self.deployments.values().filter(|known| known.project == visit.project);
        let environment = visit.call.text("environment");
        let there = own
            .filter(|known| environment.is_none_or(|name| self.environment_name(known.environment) == name));
        let mut found: Vec<&Deployment> = there.filter(|known| filter.takes(known)).collect();
        match visit.call.text("order_by").unwrap_or("id") {
            "id" | "iid" => {}
            "created_at" => found.sort_by_key(|known| (known.created_at, known.id)),
            "updated_at" => found.sort_by_key(|known| (known.updated_at, known.id)),
            "finished_at" => {
                found.sort_by_key(|known| (Reverse(known.finished_at.is_some()), known.finished_at));
            }
            "ref" => found.sort_by(|one, other| one.git_ref.cmp(&other.git_ref)),
            _ => return Err(Refused::param("order_by does not have a valid value")),
        }
        if visit.call.text("sort") == Some("desc") {
            found.reverse();
        }
        Ok(page(visit.call, &self.url, &found, |known| self.deployment_json(known)))
    }

    /// Linked by a worker when the deployment succeeds, and not a moment before.
    fn deployed_merge_requests(&self, visit: Visit<'_>, one: &str) -> Reply {
        let known = self.deployment_of_project(visit, one)?;
        let home = self.project(visit.project)?;
        let own = self.merge_requests.iter().filter(|request| request.project == visit.project);
        let linked: Vec<&MergeRequest> =
            own.filter(|request| known.status == "success" && request.holds(&known.sha)).collect();
        Ok(page(visit.call, &self.url, &linked, |request| self.merge_request_json(home, request)))
    }

    fn approval(&mut self, visit: Visit<'_>, one: &str) -> Reply {
        let deployment: DeploymentId = self.deployment_of_project(visit, one)?.id;
        let call = visit.call;
        let status = call.text("status").ok_or_else(|| Refused::param("status is missing"))?;
        if !matches!(status, "approved" | "rejected") {
            return Err(Refused::param("status does not have a valid value"));
        }
        let (comment, represented_as) = (call.text("comment"), call.text("represented_as"));
        let approval = self.vote(deployment, visit.user, &Vote { status, comment, represented_as })?;
        Ok(Answer::created(self.approval_json(&approval)))
    }
}

/// The list's filters, checked for the pairings that GitLab's query planner insists on.
struct Filter<'a> {
    status: Option<&'a str>,
    updated: (Option<Timestamp>, Option<Timestamp>),
    finished: (Option<Timestamp>, Option<Timestamp>),
}

impl<'a> Filter<'a> {
    fn read(call: &'a Call) -> Result<Self, Refused> {
        let order = call.text("order_by");
        let status = call.text("status");
        if status.is_some_and(|status| !STATUSES.contains(&status)) {
            return Err(Refused::param("status does not have a valid value"));
        }
        let updated = (time(call, "updated_after")?, time(call, "updated_before")?);
        let finished = (time(call, "finished_after")?, time(call, "finished_before")?);
        if (updated.0.is_some() || updated.1.is_some()) && order != Some("updated_at") {
            return Err(Refused::bad(
                "400 Bad request - `updated_at` filter and `updated_at` sorting must be paired",
            ));
        }
        if (finished.0.is_some() || finished.1.is_some()) && order != Some("finished_at") {
            return Err(Refused::bad(
                "400 Bad request - `finished_at` filter and `finished_at` sorting must be paired",
            ));
        }
        if order == Some("finished_at") && status != Some("success") {
            return Err(Refused::bad(
                "400 Bad request - `finished_at` filter must be combined with `success` status filter.",
            ));
        }
        Ok(Self { status, updated, finished })
    }

    fn takes(&self, known: &Deployment) -> bool {
        let (after, before) = self.updated;
        let (later, earlier) = self.finished;
        self.status.is_none_or(|status| known.status == status)
            && after.is_none_or(|after| known.updated_at >= after)
            && before.is_none_or(|before| known.updated_at <= before)
            && later.is_none_or(|later| known.finished_at.is_some_and(|at| at >= later))
            && earlier.is_none_or(|earlier| known.finished_at.is_some_and(|at| at <= earlier))
    }
}

fn time(call: &Call, name: &str) -> Result<Option<Timestamp>, Refused> {
    let Some(text) = call.text(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Refused::param(&format!("{name} is invalid")))
}
