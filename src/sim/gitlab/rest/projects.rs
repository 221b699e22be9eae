//! Projects, their protections, and groups.

use jiff::Timestamp;

use super::super::projects::Project;
use super::super::state::{Refused, State};
use super::super::{GroupId, Level, UserId, render};
use super::call::{Answer, Call, Reply, keyset_page, page};
use super::{Visit, no_route};

impl State {
    pub(super) fn list_projects(&self, call: &Call, user: UserId) -> Reply {
        let member = |home: &&Project| {
            !call.is_true("membership") || self.members_of_project(home).contains_key(&user)
        };
        let after: Option<Timestamp> = call.text("last_activity_after").and_then(|text| text.parse().ok());
        let active = |home: &&Project| after.is_none_or(|after| home.last_activity_at > after);
        let all = self.projects.values().filter(|home| self.can_see(user, home));
        let mut found: Vec<&Project> = all.filter(member).filter(active).collect();
        let descending = call.text("sort") != Some("asc");
        if call.text("pagination") == Some("keyset") {
            if call.text("order_by") != Some("id") {
                let text = "Keyset pagination is not yet available for this type of request";
                return Err(Refused { status: 405, body: serde_json::json!({ "error": text }) });
            }
            return Ok(keyset_page(call, &self.url, &found, |home| home.id, |home| self.project_json(home)));
        }
        if call.text("order_by") == Some("last_activity_at") {
            found.sort_by_key(|home| (home.last_activity_at, home.id));
        }
        if descending {
            found.reverse();
        }
        Ok(page(call, &self.url, &found, |home| self.project_json(home)))
    }

    pub(super) fn protected_environments(&self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        if !self.settings.licensed {
            return Err(no_route());
        }
        self.needs(visit, Level::MAINTAINER)?;
        let known = &self.project(visit.project)?.protected;
        match rest {
            [] => Ok(page(visit.call, &self.url, known, |one| self.protected_environment_json(one))),
            [name] => {
                let found = known.iter().find(|one| one.name == *name);
                let found = found.ok_or_else(|| Refused::new(404, "404 Not found"))?;
                Ok(Answer::ok(self.protected_environment_json(found)))
            }
            _ => Err(no_route()),
        }
    }

    pub(super) fn protected_branches(&self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        self.needs(visit, Level::DEVELOPER)?;
        let known = &self.project(visit.project)?.protected_branches;
        match rest {
            [] => Ok(page(visit.call, &self.url, known, render::branch_json)),
            [name] => {
                let found = known.iter().find(|branch| branch.name == *name);
                found
                    .map(|branch| Answer::ok(render::branch_json(branch)))
                    .ok_or_else(|| Refused::new(404, "404 Not found"))
            }
            _ => Err(no_route()),
        }
    }

    pub(super) fn route_group(&self, call: &Call, user: UserId, named: &str, rest: &[&str]) -> Reply {
        let group = self.visible_group(user, named)?;
        match (call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::ok(self.group_json(group))),
            ("GET", ["members", rest @ ..]) => self.group_members(call, group, rest),
            ("GET", ["protected_environments", rest @ ..]) => {
                self.group_environments(call, user, group, rest)
            }
            _ => Err(no_route()),
        }
    }

    /// A group is seen by its members, by those of its projects and subgroups, and by administrators.
    fn visible_group(&self, user: UserId, named: &str) -> Result<GroupId, Refused> {
        let missing = || Refused::not_found("Group");
        let by_id = named.parse().ok().and_then(|id: GroupId| self.groups.get(&id));
        let group =
            by_id.or_else(|| self.groups.values().find(|group| group.path == named)).ok_or_else(missing)?;
        let admin = self.users.get(&user).is_some_and(|user| user.admin);
        let below = |path: &str| path.strip_prefix(&group.path).is_some_and(|rest| rest.starts_with('/'));
        let subgroups = self.groups.values().filter(|known| known.id == group.id || below(&known.path));
        let mut projects = self.projects.values().filter(|home| below(&home.path));
        let seen = admin
            || projects.any(|home| self.level(user, home) > Level::NONE)
            || subgroups.into_iter().any(|known| self.members_of_group(known.id).contains_key(&user));
        if seen { Ok(group.id) } else { Err(missing()) }
    }

    fn group_json(&self, group: GroupId) -> serde_json::Value {
        let path = self.groups.get(&group).map_or("", |group| &group.path);
        let name = path.rsplit('/').next();
        serde_json::json!({
            "id": group, "name": name, "path": name, "full_path": path, "visibility": "private",
            "web_url": format!("{}/groups/{path}", self.url),
        })
    }

    fn group_environments(&self, call: &Call, user: UserId, group: GroupId, rest: &[&str]) -> Reply {
        let Some(known) = self.groups.get(&group).filter(|_| self.settings.licensed) else {
            return Err(no_route());
        };
        let admin = self.users.get(&user).is_some_and(|user| user.admin);
        let level = self.members_of_group(group).get(&user).map_or(Level::NONE, |member| member.level);
        if !admin && level < Level::MAINTAINER {
            return Err(Refused::forbidden());
        }
        match rest {
            [] => Ok(page(call, &self.url, &known.protected, |one| self.protected_environment_json(one))),
            [name] => {
                let found = known.protected.iter().find(|one| one.name == *name);
                let found = found.ok_or_else(|| Refused::new(404, "404 Not found"))?;
                Ok(Answer::ok(self.protected_environment_json(found)))
            }
            _ => Err(no_route()),
        }
    }
}
