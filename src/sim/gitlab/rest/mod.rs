//! The REST API: one call in, one answer out.

mod call;
mod compare;
mod deployments;
mod hooks;
mod jobs;
mod login;
mod members;
mod merge_requests;
mod notes;
mod projects;

pub(super) use call::{Answer, Call, Reply};

use super::state::{Refused, State};
use super::{Level, ProjectId, UserId, Visibility};

/// A call of a known person to a project that they see.
#[derive(Clone, Copy)]
struct Visit<'a> {
    call: &'a Call,
    user: UserId,
    project: ProjectId,
}

impl State {
    /// Carries a call out.
    pub(super) fn answer(&mut self, call: &Call) -> Answer {
        let caller = match self.log_in(call) {
            Ok(caller) => caller,
            Err(refused) => return refused.into(),
        };
        let limit = match self.count(call) {
            Ok(limit) => limit,
            Err(answer) => return answer,
        };
        let mut answer = self.route(call, caller).unwrap_or_else(Answer::from);
        answer.headers.extend(limit);
        answer
    }

    fn route(&mut self, call: &Call, user: UserId) -> Reply {
        let path: Vec<&str> = call.segments.iter().map(String::as_str).collect();
        match (call.method.as_str(), path.as_slice()) {
            ("GET", ["version" | "metadata"]) => Ok(self.version()),
            ("GET", ["user"]) => self.whoami(user),
            ("GET", ["users"]) => Ok(self.find_users(call)),
            ("GET", ["users", id]) => self.show_user(id),
            ("GET", ["personal_access_tokens", "self"]) => self.show_token(call),
            ("GET", ["projects"]) => self.list_projects(call, user),
            (_, ["groups", group, rest @ ..]) => self.route_group(call, user, group, rest),
            (_, ["projects", project, rest @ ..]) => {
                let project = self.visible_project(user, project)?;
                self.route_project(Visit { call, user, project }, rest)
            }
            _ => Err(no_route()),
        }
    }

    fn route_project(&mut self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        match (visit.call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::ok(self.project_json(self.project(visit.project)?))),
            (_, ["deployments", rest @ ..]) => self.route_deployments(visit, rest),
            (_, ["jobs" | "pipelines", ..]) => self.route_jobs(visit, rest),
            (_, ["merge_requests", rest @ ..]) => self.route_merge_requests(visit, rest),
            (_, ["repository", "commits", sha, rest @ ..]) => self.route_commit(visit, sha, rest),
            ("GET", ["repository", "compare"]) => self.compare(visit),
            ("GET", ["members", rest @ ..]) => self.project_members(visit, rest),
            ("GET", ["protected_environments", rest @ ..]) => self.protected_environments(visit, rest),
            ("GET", ["protected_branches", rest @ ..]) => self.protected_branches(visit, rest),
            (_, ["hooks", rest @ ..]) => self.route_hooks(visit, rest),
            _ => Err(no_route()),
        }
    }

    /// The project of this id or full path; one that the caller can't see isn't there.
    fn visible_project(&self, user: UserId, named: &str) -> Result<ProjectId, Refused> {
        let by_id = named.parse().ok().and_then(|id: ProjectId| self.projects.get(&id));
        let found = by_id.or_else(|| self.projects.values().find(|home| home.path == named));
        let found = found.filter(|home| self.can_see(user, home));
        found.map(|home| home.id).ok_or_else(|| Refused::not_found("Project"))
    }

    fn needs(&self, visit: Visit<'_>, least: Level) -> Result<(), Refused> {
        let home = self.project(visit.project)?;
        let open = home.visibility == Visibility::Public && least <= Level::REPORTER;
        if open || self.level(visit.user, home) >= least { Ok(()) } else { Err(Refused::forbidden()) }
    }
}

fn no_route() -> Refused {
    Refused { status: 404, body: serde_json::json!({ "error": "404 Not Found" }) }
}

/// A number from a path; anything else is a bad request, as GitLab's parameter check says it.
fn id(text: &str, name: &str) -> Result<u64, Refused> {
    text.parse().map_err(|_| Refused::param(&format!("{name} is invalid")))
}
