//! Runs, their attempts and jobs, and the review endpoint.

use jiff::Timestamp;
use serde_json::Value;

use super::super::gates::Word;
use super::super::runs::{Job, Run};
use super::super::state::{Refused, State};
use super::call::{Answer, Call, Reply, list, list_in};
use super::{Visit, number};

/// What a filtered list shows at most.
const MOST: usize = 1000;

impl State {
    pub(super) fn route_runs(&mut self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        if let ("POST", [run, "deployment_protection_rule"]) = (visit.method(), rest) {
            return self.review_rule(visit, run);
        }
        self.needs(visit.guest, "actions", "read")?;
        match (visit.method(), rest) {
            ("GET", []) => Ok(self.list_runs(visit)),
            ("GET", [run]) => {
                let run = self.run_at(visit, run)?;
                Ok(Answer::ok(self.newest_run_json(run.id)))
            }
            ("GET", [run, "attempts", attempt]) => {
                let run = self.run_at(visit, run)?;
                let shown = self.run_json(run, number(attempt)?);
                shown.map(Answer::ok).ok_or_else(Refused::not_found)
            }
            ("GET", [run, "attempts", attempt, "jobs"]) => {
                let (run, attempt) = (self.run_at(visit, run)?, number(attempt)?);
                Ok(self.list_jobs(visit, run, Some(attempt)))
            }
            ("GET", [run, "jobs"]) => {
                let run = self.run_at(visit, run)?;
                let all = visit.call.text("filter") == Some("all");
                Ok(self.list_jobs(visit, run, (!all).then(|| run.attempt())))
            }
            ("GET", [run, "pending_deployments"]) => {
                let run = self.run_at(visit, run)?;
                let open = self.open_gates(run.id);
                Ok(Answer::ok(open.map(|gate| self.pending_json(run.repository, gate)).collect()))
            }
            ("GET", [run, "approvals"]) => {
                let run = self.run_at(visit, run)?;
                let history = run.approvals.iter();
                let shown = history.map(|entry| self.approval_json(run.repository, entry)).collect();
                Ok(list(visit.call, &self.host, shown))
            }
            _ => Err(Refused::not_found()),
        }
    }

    fn run_at(&self, visit: Visit<'_>, run: &str) -> Result<&Run, Refused> {
        let known = self.runs.get(&number(run)?).filter(|known| known.repository == visit.repository);
        known.ok_or_else(Refused::not_found)
    }

    fn list_runs(&self, visit: Visit<'_>) -> Answer {
        let own = self.runs.values().rev().filter(|run| run.repository == visit.repository);
        let wanted = own.filter(|run| is_wanted(run, visit.call)).take(MOST);
        let shown = wanted.map(|run| self.newest_run_json(run.id)).collect();
        list_in(visit.call, &self.host, "workflow_runs", shown)
    }

    fn list_jobs(&self, visit: Visit<'_>, run: &Run, attempt: Option<u64>) -> Answer {
        let of = |job: &&Job| job.run == run.id && attempt.is_none_or(|attempt| job.attempt == attempt);
        let shown: Vec<Value> = self.jobs.values().filter(of).map(|job| self.job_json(job)).collect();
        list_in(visit.call, &self.host, "jobs", shown)
    }

    fn review_rule(&mut self, visit: Visit<'_>, run: &str) -> Reply {
        self.needs(visit.guest, "deployments", "write")?;
        let run = self.run_at(visit, run)?.id;
        let text = |name: &str| visit.call.text(name).map(str::to_owned);
        let environment = visit.call.required("environment_name")?.to_owned();
        let word = Word { environment, state: text("state"), comment: text("comment") };
        self.take_word(run, visit.guest.app, &word)?;
        Ok(Answer::no_content())
    }
}

fn is_wanted(run: &Run, call: &Call) -> bool {
    let is = |name: &str, value: &str| call.text(name).is_none_or(|wanted| wanted == value);
    let newest = run.attempts.last();
    let status = call.text("status").is_none_or(|wanted| {
        newest.is_some_and(|attempt| {
            attempt.status == wanted || attempt.conclusion.is_some_and(|end| end.word() == wanted)
        })
    });
    let created = call.text("created").is_none_or(|wanted| is_within(run.created_at, wanted));
    status && created && is("branch", &run.branch) && is("head_sha", &run.sha) && is("event", &run.event)
}

/// `>=TIME`, `>TIME`, `<=TIME`, `<TIME`, `TIME..TIME`; what can't be read finds nothing.
fn is_within(at: Timestamp, range: &str) -> bool {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let after = |text: &str| time(text).is_some_and(|start| at >= start);
    let before = |text: &str| time(text).is_some_and(|end| at <= end);
    if let Some((start, end)) = range.split_once("..") {
        return (start == "*" || after(start)) && (end == "*" || before(end));
    }
    let (sign, text) = range.split_at(range.find(|letter: char| letter.is_ascii_digit()).unwrap_or(0));
    match sign {
        ">=" => after(text),
        ">" => time(text).is_some_and(|start| at > start),
        "<=" => before(text),
        "<" => time(text).is_some_and(|end| at < end),
        _ => false,
    }
}
