//! Commits, and what one has that another lacks.

use serde_json::{Value, json};

use super::super::comments::no_commit;
use super::super::render::{node_id, put};
use super::super::repositories::Repository;
use super::super::state::{Refused, State};
use super::Visit;
use super::call::{Answer, Reply, is_first_page, list_into};

impl State {
    pub(super) fn show_commit(&self, visit: Visit<'_>, sha: &str) -> Reply {
        self.needs_contents(visit)?;
        let home = self.repository(visit.repository)?;
        self.commit_json(home, sha).map(Answer::ok).ok_or_else(|| no_commit(sha))
    }

    /// `base...head`. Commits come in pages, oldest first; the files, of which there are none here, with the first.
    pub(super) fn compare(&self, visit: Visit<'_>, pair: &str) -> Reply {
        self.needs_contents(visit)?;
        let home = self.repository(visit.repository)?;
        let (base, head) = pair.split_once("...").ok_or_else(Refused::not_found)?;
        let commit = |sha: &str| self.commit_json(home, sha).ok_or_else(Refused::not_found);
        let (base_commit, _) = (commit(base)?, commit(head)?);
        let strangers = || Refused::new(404, &format!("No common ancestor between {base} and {head}."));
        let common = home.history.common(base, head).ok_or_else(strangers)?;
        let (ahead, behind) = (home.history.between(base, head), home.history.between(head, base));
        let url = format!("{}/compare/{pair}", self.repository_url(home.id));
        let page = format!("{}/compare/{pair}", self.page_url(home.id));
        let mut body = json!({
            "url": url,
            "html_url": page,
            "permalink_url": page,
            "diff_url": format!("{page}.diff"),
            "patch_url": format!("{page}.patch"),
            "base_commit": base_commit,
            "merge_base_commit": commit(common)?,
            "status": status(&ahead, &behind),
            "ahead_by": ahead.len(),
            "behind_by": behind.len(),
            "total_commits": ahead.len(),
        });
        if is_first_page(visit.call) {
            put(&mut body, "files", json!([]));
        }
        let commits = ahead.iter().filter_map(|sha| self.commit_json(home, sha)).collect();
        Ok(list_into(visit.call, &self.host, body, ("commits", commits)))
    }

    fn commit_json(&self, home: &Repository, sha: &str) -> Option<Value> {
        let commit = home.commits.get(sha)?;
        let url = format!("{}/commits", self.repository_url(home.id));
        let page = format!("{}/commit", self.page_url(home.id));
        let parents = home.history.parent(sha).map(|parent| {
            json!({ "sha": parent, "url": format!("{url}/{parent}"), "html_url": format!("{page}/{parent}") })
        });
        let name = self.login_of(commit.author);
        let signature = json!({ "name": name, "email": "somebody@example.com", "date": home.pushed_at });
        Some(json!({
            "sha": sha,
            "node_id": node_id("Commit", 1),
            "url": format!("{url}/{sha}"),
            "html_url": format!("{page}/{sha}"),
            "commit": { "message": commit.message, "author": signature, "committer": signature },
            "author": self.user_json(commit.author),
            "committer": self.user_json(commit.author),
            "parents": parents.into_iter().collect::<Vec<_>>(),
        }))
    }
}

fn status(ahead: &[&str], behind: &[&str]) -> &'static str {
    match (ahead.is_empty(), behind.is_empty()) {
        (true, true) => "identical",
        (false, true) => "ahead",
        (true, false) => "behind",
        (false, false) => "diverged",
    }
}
