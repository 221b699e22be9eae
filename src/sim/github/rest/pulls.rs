//! Pull requests and their reviews, and those of a commit.

use serde_json::Value;

use super::super::comments::no_commit;
use super::super::pulls::{Issue, Pull};
use super::super::state::{Refused, State};
use super::call::{Answer, Call, Reply, list};
use super::{Visit, number};

impl State {
    pub(super) fn route_pulls(&self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        self.needs(visit.guest, "pull_requests", "read")?;
        match (visit.method(), rest) {
            ("GET", []) => Ok(self.list_pulls(visit)),
            ("GET", [number]) => {
                let (issue, pull) = self.pull_at(visit, number)?;
                Ok(Answer::ok(self.whole_pull_json(issue, pull)))
            }
            ("GET", [number, "reviews"]) => {
                let (issue, _) = self.pull_at(visit, number)?;
                let here = self.reviews.values();
                let here =
                    here.filter(|known| known.repository == visit.repository && known.number == issue.number);
                let shown = here.map(|known| self.review_json(known)).collect();
                Ok(list(visit.call, &self.host, shown))
            }
            ("GET", [pull, "reviews", id]) => {
                let (issue, _) = self.pull_at(visit, pull)?;
                let known = self.reviews.get(&number(id)?);
                let known = known
                    .filter(|known| known.repository == visit.repository && known.number == issue.number);
                known.map(|known| Answer::ok(self.review_json(known))).ok_or_else(Refused::not_found)
            }
            _ => Err(Refused::not_found()),
        }
    }

    fn pull_at(&self, visit: Visit<'_>, text: &str) -> Result<(&Issue, &Pull), Refused> {
        self.pull(visit.repository, number(text)?)
    }

    /// Newest first; open ones unless another state is asked for.
    fn list_pulls(&self, visit: Visit<'_>) -> Answer {
        let state = visit.call.text("state").unwrap_or("open");
        let shown = self.pulls_of(visit.repository).filter(|(issue, _)| match state {
            "all" => true,
            "closed" => !issue.open,
            _ => issue.open,
        });
        let shown = shown.map(|(issue, pull)| self.pull_json(issue, pull));
        let mut shown: Vec<Value> = shown.filter(|body| has_head(body, visit.call)).collect();
        shown.reverse();
        list(visit.call, &self.host, shown)
    }

    /// The merged ones that brought the commit; else all that contain it. A branch will do for the commit.
    pub(super) fn list_pulls_of_commit(&self, visit: Visit<'_>, sha: &str) -> Reply {
        self.needs(visit.guest, "pull_requests", "read")?;
        self.needs_contents(visit)?;
        let home = self.repository(visit.repository)?;
        let contains = |pull: &Pull| pull.heads.iter().any(|head| head == sha) || pull.branch == sha;
        let brought = |pull: &Pull| pull.merged.is_some() && (pull.merge_commit == sha || contains(pull));
        let all: Vec<(&Issue, &Pull)> = self.pulls_of(visit.repository).collect();
        let is_branch = all.iter().any(|(_, pull)| pull.branch == sha);
        if !home.commits.contains_key(sha) && !is_branch {
            return Err(no_commit(sha));
        }
        let mut found: Vec<_> = all.iter().filter(|(_, pull)| brought(pull)).collect();
        if found.is_empty() {
            found = all.iter().filter(|(_, pull)| contains(pull)).collect();
        }
        let shown = found.into_iter().rev().map(|(issue, pull)| self.pull_json(issue, pull)).collect();
        Ok(list(visit.call, &self.host, shown))
    }
}

/// Whether the head is the one asked for, `owner:branch`.
fn has_head(body: &Value, call: &Call) -> bool {
    let label = body.get("head").and_then(|head| head.get("label")).and_then(Value::as_str);
    call.text("head").is_none_or(|wanted| label == Some(wanted))
}
