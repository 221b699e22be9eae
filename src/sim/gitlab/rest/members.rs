//! Members of projects and groups, direct or all.

use super::super::GroupId;
use super::super::access::Membership;
use super::super::state::{Refused, State};
use super::call::{Answer, Call, Reply, page};
use super::{Visit, id, no_route};

impl State {
    /// `/members`, `/members/:user`, `/members/all`, `/members/all/:user` of a project.
    pub(super) fn project_members(&self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        let home = self.project(visit.project)?;
        if let ["all", rest @ ..] = rest {
            let all: Vec<Membership> = self.members_of_project(home).into_values().collect();
            return self.members(visit.call, &all, rest);
        }
        self.members(visit.call, &home.members, rest)
    }

    /// The same of a group.
    pub(super) fn group_members(&self, call: &Call, group: GroupId, rest: &[&str]) -> Reply {
        if let ["all", rest @ ..] = rest {
            let all: Vec<Membership> = self.members_of_group(group).into_values().collect();
            return self.members(call, &all, rest);
        }
        let direct = self.groups.get(&group).map_or(&[][..], |group| &group.members);
        self.members(call, direct, rest)
    }

    fn members(&self, call: &Call, members: &[Membership], rest: &[&str]) -> Reply {
        match rest {
            [] => {
                let wanted: Vec<&Membership> =
                    members.iter().filter(|member| self.is_asked_for(call, member)).collect();
                Ok(page(call, &self.url, &wanted, |member| self.member_json(member)))
            }
            [user] => {
                let user = id(user, "user_id")?;
                let found = members.iter().find(|member| member.user == user);
                let found = found.ok_or_else(|| Refused::new(404, "404 Not found"))?;
                Ok(Answer::ok(self.member_json(found)))
            }
            _ => Err(no_route()),
        }
    }

    fn is_asked_for(&self, call: &Call, member: &Membership) -> bool {
        let ids = call.list("user_ids");
        let by_id = ids.is_empty() || ids.iter().any(|id| id.parse() == Ok(member.user));
        let by_name = call.text("query").is_none_or(|query| {
            let query = query.to_lowercase();
            let user = self.users.get(&member.user);
            user.is_some_and(|user| {
                user.username.to_lowercase().contains(&query) || user.name.to_lowercase().contains(&query)
            })
        });
        by_id && by_name
    }
}
