//! Check runs.

use serde_json::Value;

use super::super::ActionView;
use super::super::checks::CheckRun;
use super::super::comments::no_commit;
use super::super::state::{Refused, State};
use super::call::{Answer, Call, Reply, list_in};
use super::{Visit, number};

/// Longest summary and text, in characters.
const LONGEST: usize = 65_535;

impl State {
    pub(super) fn route_checks(&mut self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        let level = if visit.method() == "GET" { "read" } else { "write" };
        self.needs(visit.guest, "checks", level)?;
        match (visit.method(), rest) {
            ("POST", ["check-runs"]) => self.create_check(visit),
            ("GET", ["check-runs", id]) => Ok(Answer::ok(self.check_run_json(self.check_at(visit, id)?))),
            ("PATCH", ["check-runs", id]) => self.update_check(visit, id),
            ("GET", ["commits", sha, "check-runs"]) => Ok(self.list_checks(visit, sha)),
            _ => Err(Refused::not_found()),
        }
    }

    fn check_at(&self, visit: Visit<'_>, id: &str) -> Result<&CheckRun, Refused> {
        let known = self.check_runs.get(&number(id)?).filter(|known| known.repository == visit.repository);
        known.ok_or_else(Refused::not_found)
    }

    fn create_check(&mut self, visit: Visit<'_>) -> Reply {
        let (name, sha) = (visit.call.required("name")?, visit.call.required("head_sha")?);
        if !self.repository(visit.repository)?.commits.contains_key(sha) {
            return Err(no_commit(sha));
        }
        let (id, now) = (self.ids.next("check", 400_001), self.time());
        let mut check = CheckRun {
            id,
            repository: visit.repository,
            app: visit.guest.app,
            name: name.into(),
            head_sha: sha.into(),
            details_url: None,
            external_id: String::new(),
            status: "queued".into(),
            conclusion: None,
            started_at: now,
            completed_at: None,
            title: None,
            summary: None,
            text: None,
            actions: Vec::new(),
        };
        check.apply(visit.call)?;
        check.completed_at = (check.status == "completed").then_some(now);
        let completed = check.completed_at.is_some();
        self.check_runs.insert(id, check);
        self.tell_of_check_run(id, if completed { "completed" } else { "created" });
        Ok(Answer::created(self.check_run_json(self.check_at(visit, &id.to_string())?)))
    }

    fn update_check(&mut self, visit: Visit<'_>, id: &str) -> Reply {
        let known = self.check_at(visit, id)?;
        let (id, now) = (known.id, self.time());
        if known.app != visit.guest.app {
            return Err(Refused::new(403, "Invalid app_id - check run can only be modified by its App."));
        }
        let mut changed = known.clone();
        changed.apply(visit.call)?;
        let completes = changed.status == "completed" && changed.completed_at.is_none();
        changed.completed_at = (changed.status == "completed").then(|| changed.completed_at.unwrap_or(now));
        self.check_runs.insert(id, changed);
        if completes {
            self.tell_of_check_run(id, "completed");
        }
        Ok(Answer::ok(self.check_run_json(self.check_at(visit, &id.to_string())?)))
    }

    /// Newest first; of each name only the newest unless all are asked for.
    fn list_checks(&self, visit: Visit<'_>, sha: &str) -> Answer {
        let name = visit.call.text("check_name");
        let app = visit.call.number("app_id");
        let all = visit.call.text("filter") == Some("all");
        let here = self.check_runs.values().rev().filter(|known| {
            known.repository == visit.repository
                && known.head_sha == sha
                && name.is_none_or(|name| known.name == name)
                && app.is_none_or(|app| known.app == app)
        });
        let mut shown: Vec<&CheckRun> = Vec::new();
        for known in here {
            let seen = shown.iter().any(|other| other.name == known.name && other.app == known.app);
            if all || !seen {
                shown.push(known);
            }
        }
        let shown: Vec<Value> = shown.into_iter().map(|known| self.check_run_json(known)).collect();
        list_in(visit.call, &self.host, "check_runs", shown)
    }
}

impl CheckRun {
    /// Takes over what a call says; a conclusion completes.
    fn apply(&mut self, call: &Call) -> Result<(), Refused> {
        let text = |name: &str| call.text(name).map(str::to_owned);
        self.name = text("name").unwrap_or_else(|| self.name.clone());
        self.details_url = text("details_url").or_else(|| self.details_url.take());
        self.external_id = text("external_id").unwrap_or_else(|| self.external_id.clone());
        if let Some(status) = text("status") {
            if !["queued", "in_progress", "completed"].contains(&status.as_str()) {
                return Err(Refused::invalid("status", "status is not one of its values"));
            }
            self.status = status;
            self.conclusion = None;
        }
        if let Some(conclusion) = text("conclusion") {
            self.conclusion = Some(conclusion);
            self.status = "completed".into();
        }
        if self.status == "completed" && self.conclusion.is_none() {
            return Err(Refused::invalid("conclusion", "conclusion is missing"));
        }
        if let Some(output) = call.value("output").filter(|output| !output.is_null()) {
            self.say(output)?;
        }
        if let Some(actions) = call.value("actions").and_then(Value::as_array) {
            self.actions = buttons(actions)?;
        }
        Ok(())
    }

    fn say(&mut self, output: &Value) -> Result<(), Refused> {
        let text = |name: &str| output.get(name).and_then(Value::as_str).map(str::to_owned);
        let (title, summary) = (text("title"), text("summary"));
        if title.is_none() || summary.is_none() {
            return Err(Refused::invalid("output", "title and summary are required"));
        }
        let long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > LONGEST);
        (self.title, self.summary, self.text) = (title, summary, text("text"));
        if long(&self.summary) || long(&self.text) {
            return Err(Refused::invalid("output", "Only 65535 characters are allowed"));
        }
        Ok(())
    }
}

fn buttons(actions: &[Value]) -> Result<Vec<ActionView>, Refused> {
    if actions.len() > 3 {
        return Err(Refused::invalid("actions", "No more than 3 actions are allowed"));
    }
    let field = |action: &Value, name: &str, longest: usize| {
        let text = action.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let text = text.filter(|text| text.chars().count() <= longest);
        let why = format!("{name} is required, with at most {longest} characters");
        text.map(str::to_owned).ok_or_else(|| Refused::invalid("actions", &why))
    };
    let read = |action: &Value| {
        Ok(ActionView {
            label: field(action, "label", 20)?,
            description: field(action, "description", 40)?,
            identifier: field(action, "identifier", 20)?,
        })
    };
    actions.iter().map(read).collect()
}
