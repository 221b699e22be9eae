//! Comments on issues, pull requests and commits, and reactions.

use jiff::Timestamp;
use serde_json::Value;

use super::super::comments::{Comment, Draft, Place, locked};
use super::super::render::put;
use super::super::state::{Refused, State};
use super::super::{CommentId, Number};
use super::call::{Answer, Reply, list};
use super::{Visit, number};

impl State {
    pub(super) fn route_comments(&mut self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        match (visit.method(), rest) {
            ("GET", ["issues", issue]) => {
                self.may_discuss(visit, "read")?;
                Ok(Answer::ok(self.issue_json(self.issue(visit.repository, number(issue)?)?)))
            }
            ("GET", ["issues", "comments", id]) => self.show_comment(visit, id, true),
            (_, ["issues", "comments", id]) => self.change(visit, id, true),
            (_, ["issues", "comments", id, "reactions"]) => self.route_reactions(visit, id, true),
            ("GET", ["issues", issue, "comments"]) => self.list_comments(visit, number(issue)?),
            ("POST", ["issues", issue, "comments"]) => self.comment_on_issue(visit, number(issue)?),
            ("GET", ["comments", id]) => self.show_comment(visit, id, false),
            (_, ["comments", id]) => self.change(visit, id, false),
            (_, ["comments", id, "reactions"]) => self.route_reactions(visit, id, false),
            ("GET", ["commits", sha, "comments"]) => {
                self.needs_contents(visit)?;
                let place = Place::Commit((*sha).to_owned());
                let here = self.comments_at(visit.repository, &place);
                let shown = here.map(|known| self.comment_json(known)).collect();
                Ok(list(visit.call, &self.host, shown))
            }
            ("POST", ["commits", sha, "comments"]) => {
                self.needs_contents(visit)?;
                self.write(visit, Place::Commit((*sha).to_owned()))
            }
            _ => Err(Refused::not_found()),
        }
    }

    /// Comments on issues and pull requests: `issues` or `pull_requests`, either will do.
    fn may_discuss(&self, visit: Visit<'_>, level: &str) -> Result<(), Refused> {
        let issues = self.needs(visit.guest, "issues", level);
        issues.or_else(|_| self.needs(visit.guest, "pull_requests", level))
    }

    fn may_touch(&self, visit: Visit<'_>, on_issue: bool, level: &str) -> Result<(), Refused> {
        if on_issue { self.may_discuss(visit, level) } else { self.needs_contents(visit) }
    }

    /// Comments on issues and on commits have addresses of their own.
    fn comment_at(&self, visit: Visit<'_>, id: &str, on_issue: bool) -> Result<&Comment, Refused> {
        let known = self.comments.get(&number(id)?);
        let known = known.filter(|known| {
            known.repository == visit.repository && matches!(known.place, Place::Issue(_)) == on_issue
        });
        known.ok_or_else(Refused::not_found)
    }

    fn show_comment(&self, visit: Visit<'_>, id: &str, on_issue: bool) -> Reply {
        self.may_touch(visit, on_issue, "read")?;
        Ok(Answer::ok(self.comment_json(self.comment_at(visit, id, on_issue)?)))
    }

    /// Ascending by id; `since` looks at the time of the last change.
    fn list_comments(&self, visit: Visit<'_>, issue: Number) -> Reply {
        self.may_discuss(visit, "read")?;
        self.issue(visit.repository, issue)?;
        let since = visit.call.text("since").and_then(|since| since.parse::<Timestamp>().ok());
        let place = Place::Issue(issue);
        let here = self.comments_at(visit.repository, &place);
        let newer = here.filter(|known| since.is_none_or(|since| known.updated_at >= since));
        let shown = newer.map(|known| self.comment_json(known)).collect();
        Ok(list(visit.call, &self.host, shown))
    }

    fn comment_on_issue(&mut self, visit: Visit<'_>, issue: Number) -> Reply {
        self.may_discuss(visit, "write")?;
        if self.issue(visit.repository, issue)?.locked {
            return Err(locked());
        }
        self.write(visit, Place::Issue(issue))
    }

    fn write(&mut self, visit: Visit<'_>, place: Place) -> Reply {
        let text = visit.call.required("body")?.to_owned();
        let (author, app) = (visit.guest.bot, Some(visit.guest.app));
        let id = self.post_comment(Draft { repository: visit.repository, place, author, app, text })?;
        Ok(Answer::created(self.shown(id)?))
    }

    fn shown(&self, id: CommentId) -> Result<Value, Refused> {
        self.comments.get(&id).map(|known| self.comment_json(known)).ok_or_else(Refused::not_found)
    }

    fn change(&mut self, visit: Visit<'_>, id: &str, on_issue: bool) -> Reply {
        self.may_touch(visit, on_issue, "write")?;
        let id = self.comment_at(visit, id, on_issue)?.id;
        match visit.method() {
            "PATCH" => {
                self.change_comment(id, visit.guest.bot, visit.call.required("body")?)?;
                Ok(Answer::ok(self.shown(id)?))
            }
            "DELETE" => {
                self.remove_comment(id, visit.guest.bot)?;
                Ok(Answer::no_content())
            }
            _ => Err(Refused::not_found()),
        }
    }

    /// Reactions to comments on issues need `issues`; here `pull_requests` won't do.
    fn route_reactions(&mut self, visit: Visit<'_>, id: &str, on_issue: bool) -> Reply {
        let level = if visit.method() == "GET" { "read" } else { "write" };
        if on_issue {
            self.needs(visit.guest, "issues", level)?;
        } else {
            self.needs_contents(visit)?;
        }
        let known = self.comment_at(visit, id, on_issue)?;
        match visit.method() {
            "GET" => {
                let wanted = visit.call.text("content");
                let given = known.reactions.iter();
                let given = given.filter(|given| wanted.is_none_or(|wanted| wanted == given.content));
                let shown = given.map(|given| self.reaction_json(given)).collect();
                Ok(list(visit.call, &self.host, shown))
            }
            "POST" => {
                let id = known.id;
                let (new, given) = self.react(id, visit.guest.bot, visit.call.required("content")?)?;
                let mut body = self.reaction_json(&given);
                put(&mut body, "comment_id", id.into());
                Ok(if new { Answer::created(body) } else { Answer::ok(body) })
            }
            _ => Err(Refused::not_found()),
        }
    }
}
