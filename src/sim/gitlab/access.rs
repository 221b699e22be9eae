//! Who is what, and who may: memberships, levels, grantees.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::projects::{Project, Visibility};
use super::state::{Group, State};
use super::{GroupId, ProjectId, UserId, UserState};

/// An access level as GitLab counts it. Any number is one; the usual ones have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub u16);

impl Level {
    /// No access.
    pub const NONE: Self = Self(0);
    /// 10
    pub const GUEST: Self = Self(10);
    /// 20
    pub const REPORTER: Self = Self(20);
    /// 30
    pub const DEVELOPER: Self = Self(30);
    /// 40
    pub const MAINTAINER: Self = Self(40);
    /// 50
    pub const OWNER: Self = Self(50);
    /// 60: instance administrators.
    pub const ADMIN: Self = Self(60);

    pub(super) fn label(self) -> &'static str {
        match self.0 {
            0 => "No one",
            60 => "Administrator",
            50 => "Owners",
            40 => "Maintainers",
            30 => "Developers + Maintainers",
            _ => "Reporters",
        }
    }
}

/// Whether a membership is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// In force.
    Active,
    /// Waits for a seat; shown, without rights.
    Awaiting,
}

/// One person's place in a project or group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Whose.
    pub user: UserId,
    /// How high.
    pub level: Level,
    /// In force or waiting.
    pub state: MemberState,
    /// From then on it gives no rights; it stays listed until GitLab's nightly clean-up.
    pub expires_at: Option<Timestamp>,
}

impl Membership {
    /// An active one without an end.
    pub fn new(user: UserId, level: Level) -> Self {
        Self { user, level, state: MemberState::Active, expires_at: None }
    }

    fn counts(&self, now: Timestamp) -> bool {
        self.state == MemberState::Active && self.expires_at.is_none_or(|end| end > now)
    }
}

/// Whom a rule or an access level names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grantee {
    /// This person.
    User(UserId),
    /// This group's members.
    Group(GroupId),
    /// Everybody of the project with at least this level.
    Level(Level),
}

impl State {
    /// Everybody of the project: direct, inherited and through invited groups, each at the highest level.
    pub(super) fn members_of_project(&self, project: &Project) -> BTreeMap<UserId, Membership> {
        let inherited = self.ancestors(&project.path).flat_map(|group| group.members.iter().copied());
        let invited = project.shares.iter().flat_map(|(group, most)| {
            let members = self.members_of_group(*group).into_values();
            members.map(|member| Membership { level: member.level.min(*most), ..member })
        });
        self.highest(project.members.iter().copied().chain(inherited).chain(invited))
    }

    /// Everybody of the group, inherited ones included, each at the highest level.
    pub(super) fn members_of_group(&self, group: GroupId) -> BTreeMap<UserId, Membership> {
        let Some(group) = self.groups.get(&group) else { return BTreeMap::new() };
        let inherited = self.ancestors(&group.path).flat_map(|parent| parent.members.iter().copied());
        self.highest(group.members.iter().copied().chain(inherited))
    }

    fn highest(&self, members: impl Iterator<Item = Membership>) -> BTreeMap<UserId, Membership> {
        let now = self.time();
        let mut highest: BTreeMap<UserId, Membership> = BTreeMap::new();
        for member in members {
            let known = highest.entry(member.user).or_insert(member);
            if (member.counts(now), member.level) > (known.counts(now), known.level) {
                *known = member;
            }
        }
        highest
    }

    /// The groups above this path.
    pub(super) fn ancestors(&self, path: &str) -> impl Iterator<Item = &Group> {
        self.groups
            .values()
            .filter(move |group| path.strip_prefix(&group.path).is_some_and(|rest| rest.starts_with('/')))
    }

    pub(super) fn level(&self, user: UserId, project: &Project) -> Level {
        let Some(person) = self.users.get(&user) else { return Level::NONE };
        if person.state != UserState::Active {
            return Level::NONE;
        }
        if person.admin {
            return Level::ADMIN;
        }
        let now = self.time();
        let member = self.members_of_project(project).remove(&user).filter(|member| member.counts(now));
        member.map_or(Level::NONE, |member| member.level)
    }

    pub(super) fn can_see(&self, user: UserId, project: &Project) -> bool {
        project.visibility == Visibility::Public || self.level(user, project) > Level::NONE
    }

    /// Whether the grantee means this person. `inherited` lets the members of a group's parents in.
    pub(super) fn is_meant(
        &self,
        user: UserId,
        project: &Project,
        grantee: Grantee,
        inherited: bool,
    ) -> bool {
        let Some(person) = self.users.get(&user).filter(|person| person.state == UserState::Active) else {
            return false;
        };
        if person.admin {
            return true;
        }
        match grantee {
            Grantee::User(id) => id == user,
            Grantee::Level(least) => self.level(user, project) >= least,
            Grantee::Group(group) => self.is_group_member(user, group, inherited),
        }
    }

    fn is_group_member(&self, user: UserId, group: GroupId, inherited: bool) -> bool {
        let now = self.time();
        let counts = |member: &Membership| member.user == user && member.counts(now);
        if inherited {
            return self.members_of_group(group).values().any(counts);
        }
        self.groups.get(&group).is_some_and(|group| group.members.iter().any(counts))
    }

    /// Whether this person may run jobs into the environment.
    pub(super) fn may_deploy(&self, user: UserId, project: ProjectId, environment: &str) -> bool {
        let Some(project) = self.projects.get(&project) else { return false };
        let protections = self.protections(project, environment);
        if protections.is_empty() {
            return self.level(user, project) >= Level::DEVELOPER;
        }
        protections.iter().all(|protection| {
            let levels = &protection.deploy_access_levels;
            levels.iter().any(|access| self.is_meant(user, project, access.grantee, access.inherited))
        })
    }

    /// Whether this person may run jobs of the ref: merge or push on a protected branch, else Developer.
    pub(super) fn may_run_on(&self, user: UserId, project: &Project, git_ref: &str) -> bool {
        let level = self.level(user, project);
        let branch = project.protected_branches.iter().find(|branch| branch.name == git_ref);
        let least = branch.map_or(Level::DEVELOPER, |branch| branch.push.min(branch.merge));
        level >= Level::DEVELOPER && level >= least && least > Level::NONE || level == Level::ADMIN
    }
}
