//! People, teams and organisations.

use serde_json::{Value, json};

use super::super::people::{Level, Role, TeamState};
use super::super::render::put;
use super::super::state::{Refused, State};
use super::super::{RepositoryId, UserId};
use super::call::{Answer, Call, Reply, list};
use super::{Guest, Visit, number};

impl State {
    pub(super) fn show_user(&self, id: &str) -> Reply {
        let account = self.accounts.get(&number(id)?).ok_or_else(Refused::not_found)?;
        Ok(Answer::ok(self.user_json(account.id)))
    }

    pub(super) fn show_user_named(&self, login: &str) -> Reply {
        let account = self.account_named(login).ok_or_else(Refused::not_found)?;
        Ok(Answer::ok(self.user_json(account.id)))
    }

    /// Without `members` the API knows of no team and no member.
    pub(super) fn route_org(&self, call: &Call, guest: &Guest, org: &str, rest: &[&str]) -> Reply {
        let org = self.account_named(org).ok_or_else(Refused::not_found)?;
        let installation = self.installations.get(&guest.installation);
        let own = installation.is_some_and(|known| known.account == org.id);
        if !own || self.granted(guest, "members").is_none() {
            return Err(Refused::not_found());
        }
        match rest {
            ["members", login] => {
                let user = self.account_named(login).ok_or_else(Refused::not_found)?;
                org.members.get(&user.id).ok_or_else(Refused::not_found)?;
                Ok(Answer::no_content())
            }
            ["teams", slug, rest @ ..] => {
                let team = self.team_named(org.id, slug).ok_or_else(Refused::not_found)?.id;
                self.route_team(call, team, rest)
            }
            _ => Err(Refused::not_found()),
        }
    }

    fn route_team(&self, call: &Call, team: u64, rest: &[&str]) -> Reply {
        let members = self.members_of(team);
        match rest {
            [] => Ok(Answer::ok(self.team_json(team))),
            ["members"] => {
                let active = members.iter().filter(|(_, state)| **state == TeamState::Active);
                let shown: Vec<Value> = active.map(|(user, _)| self.user_json(*user)).collect();
                Ok(list(call, &self.host, shown))
            }
            ["memberships", login] => {
                let user = self.account_named(login).ok_or_else(Refused::not_found)?;
                let state = members.get(&user.id).ok_or_else(Refused::not_found)?;
                let state = if *state == TeamState::Active { "active" } else { "pending" };
                let url = format!("{}/organizations/1/team/{team}/memberships/{login}", self.api());
                Ok(Answer::ok(json!({ "state": state, "role": "member", "url": url })))
            }
            _ => Err(Refused::not_found()),
        }
    }

    pub(super) fn route_collaborators(&self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        self.needs(visit.guest, "metadata", "read")?;
        match (visit.method(), rest) {
            ("GET", []) => Ok(self.list_collaborators(visit)),
            ("GET", [login, "permission"]) => {
                let user = self.account_named(login).ok_or_else(Refused::not_found)?.id;
                Ok(Answer::ok(self.permission_json(user, visit.repository)))
            }
            ("GET", [login]) => {
                let user = self.account_named(login).ok_or_else(Refused::not_found)?.id;
                self.role_of(user, visit.repository).ok_or_else(Refused::not_found)?;
                Ok(Answer::no_content())
            }
            _ => Err(Refused::not_found()),
        }
    }

    /// The old words in `permission` (maintain is `write`, triage is `read`), the true role in `role_name`.
    fn permission_json(&self, user: UserId, repository: RepositoryId) -> Value {
        let public = (!self.is_private(repository)).then(|| Role::from(Level::Read));
        let role = self.role_of(user, repository).or(public);
        let permission = match role.as_ref().map(|role| role.base) {
            Some(Level::Admin) => "admin",
            Some(Level::Maintain | Level::Write) => "write",
            Some(Level::Triage | Level::Read) => "read",
            None => "none",
        };
        json!({
            "permission": permission,
            "role_name": role.as_ref().map_or("none", Role::name),
            "user": self.collaborator_json(user, role.as_ref()),
        })
    }

    fn collaborator_json(&self, user: UserId, role: Option<&Role>) -> Value {
        let has = |least: Level| role.is_some_and(|role| role.base >= least);
        let mut body = self.user_json(user);
        let permissions = json!({
            "pull": has(Level::Read),
            "triage": has(Level::Triage),
            "push": has(Level::Write),
            "maintain": has(Level::Maintain),
            "admin": has(Level::Admin),
        });
        put(&mut body, "permissions", permissions);
        put(&mut body, "role_name", json!(role.map_or("none", Role::name)));
        body
    }

    fn list_collaborators(&self, visit: Visit<'_>) -> Answer {
        let least = match visit.call.text("permission") {
            Some("admin") => Level::Admin,
            Some("maintain") => Level::Maintain,
            Some("push") => Level::Write,
            Some("triage") => Level::Triage,
            Some(_) | None => Level::Read,
        };
        let roles = self.accounts.keys().map(|user| (*user, self.role_of(*user, visit.repository)));
        let wanted = roles.filter_map(|(user, role)| Some((user, role.filter(|role| role.base >= least)?)));
        let shown = wanted.map(|(user, role)| self.collaborator_json(user, Some(&role))).collect();
        list(visit.call, &self.host, shown)
    }
}
