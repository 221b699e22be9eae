//! What one commit has that another lacks.

use serde_json::{Value, json};

use super::super::Level;
use super::super::projects::Project;
use super::super::state::{Refused, State};
use super::Visit;
use super::call::{Answer, Reply};

impl State {
    /// All commits, oldest first, however many: only diffs are cut (and there are none here).
    pub(super) fn compare(&self, visit: Visit<'_>) -> Reply {
        self.needs(visit, Level::REPORTER)?;
        let home = self.project(visit.project)?;
        let (from, to) = (commit(home, visit, "from")?, commit(home, visit, "to")?);
        let commits: Vec<Value> =
            home.history.between(from, to).iter().filter_map(|sha| self.commit_json(home, sha)).collect();
        Ok(Answer::ok(json!({
            "commit": commits.last(), "commits": commits, "diffs": [], "compare_timeout": false,
            "compare_same_ref": from == to, "web_url": format!("{}/-/compare/{from}...{to}", self.web(home)),
        })))
    }
}

fn commit<'a>(home: &'a Project, visit: Visit<'a>, name: &str) -> Result<&'a str, Refused> {
    let sha = visit.call.text(name).ok_or_else(|| Refused::param(&format!("{name} is missing")))?;
    let known = home.commits.get_key_value(sha).ok_or_else(|| Refused::not_found("Ref"))?;
    Ok(known.0)
}
