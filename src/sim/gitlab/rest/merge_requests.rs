//! Merge requests and commits: what they are, and the way to their comments.

use serde_json::json;

use super::super::Place;
use super::super::merge_requests::MergeRequest;
use super::super::pipelines::Pipeline;
use super::super::state::{Refused, State};
use super::call::{Answer, Reply, page};
use super::{Visit, id, no_route};

impl State {
    pub(super) fn route_merge_requests(&mut self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        let [iid, rest @ ..] = rest else { return self.list_merge_requests(visit) };
        let iid = id(iid, "merge_request_iid")?;
        let request = self.merge_request(visit.project, iid)?.clone();
        match (visit.call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::ok(self.merge_request_json(self.project(visit.project)?, &request))),
            ("GET", ["pipelines"]) => Ok(self.merge_request_pipelines(visit, &request)),
            ("GET", ["approvals"]) => self.merge_request_approvals(visit, &request),
            ("POST", ["approve"]) => {
                self.approve_merge_request(visit.project, iid, visit.user)?;
                let request = self.merge_request(visit.project, iid)?.clone();
                self.merge_request_approvals(visit, &request).map(|answer| Answer { status: 201, ..answer })
            }
            (_, ["notes" | "discussions", ..]) => self.route_notes(visit, &Place::MergeRequest(iid), rest),
            _ => Err(no_route()),
        }
    }

    fn list_merge_requests(&self, visit: Visit<'_>) -> Reply {
        let (state, branch) = (visit.call.text("state"), visit.call.text("source_branch"));
        let own = self.merge_requests.iter().rev().filter(|request| request.project == visit.project);
        let in_state =
            own.filter(|request| state.is_none_or(|state| state == "all" || state == request.state));
        let found: Vec<&MergeRequest> =
            in_state.filter(|request| branch.is_none_or(|branch| branch == request.source_branch)).collect();
        let home = self.project(visit.project)?;
        Ok(page(visit.call, &self.url, &found, |request| self.merge_request_json(home, request)))
    }

    fn merge_request_pipelines(&self, visit: Visit<'_>, request: &MergeRequest) -> Answer {
        let mine = |known: &&Pipeline| {
            let by_ref = known.merge_request() == Some(request.iid);
            let by_branch = known.git_ref == request.source_branch && request.commits.contains(&known.sha);
            known.project == visit.project && (by_ref || by_branch)
        };
        let found: Vec<&Pipeline> = self.pipelines.values().rev().filter(mine).collect();
        page(visit.call, &self.url, &found, |known| self.short_pipeline_json(known))
    }

    fn merge_request_approvals(&self, visit: Visit<'_>, request: &MergeRequest) -> Reply {
        let required = self.project(visit.project)?.merge_request_approvals;
        let by = request.approved_by.iter().map(|user| json!({ "user": self.user_json(*user) }));
        let given = u32::try_from(request.approved_by.len()).unwrap_or(u32::MAX);
        Ok(Answer::ok(json!({
            "id": request.id, "iid": request.iid, "project_id": visit.project,
            "approved": given >= required && (given > 0 || required == 0), "approvals_required": required,
            "approvals_left": required.saturating_sub(given), "approved_by": by.collect::<Vec<_>>(),
        })))
    }

    pub(super) fn route_commit(&mut self, visit: Visit<'_>, sha: &str, rest: &[&str]) -> Reply {
        let home = self.project(visit.project)?;
        let commit = home.commits.range(sha.to_owned()..).next().filter(|(known, _)| known.starts_with(sha));
        let Some((sha, _)) = commit.filter(|_| !sha.is_empty()) else {
            return Err(Refused::not_found("Commit"));
        };
        let sha = sha.clone();
        match (visit.call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::ok(self.commit_json(home, &sha).unwrap_or_default())),
            ("GET", ["merge_requests"]) => {
                let own = self.merge_requests.iter().filter(|request| request.project == visit.project);
                let found: Vec<&MergeRequest> = own.filter(|request| request.holds(&sha)).collect();
                Ok(page(visit.call, &self.url, &found, |request| self.merge_request_json(home, request)))
            }
            (_, ["discussions", ..]) => self.route_notes(visit, &Place::Commit(sha), rest),
            _ => Err(no_route()),
        }
    }
}
