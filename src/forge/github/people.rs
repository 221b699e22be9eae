//! What people may do on GitHub: roles in a repository, teams of an organisation.
//!
//! Both are asked for by login name, and login names change hands. A role comes with the number of whom it is, so
//! that a name that is out of date shows; the name is then read anew. GitHub doesn't tell Apps who is suspended:
//! such an account can neither comment nor press a button.

use super::GitHub;
use super::access::{Caller, InstallationId};
use super::client::read;
use super::wire::{CollaboratorPermission, Installation, Membership, MembershipState, TeamSeen, User};
use crate::domain::actor::Account;
use crate::domain::facts::Person;
use crate::domain::id::{ProjectId, UserId};
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{GroupRef, Member};
use std::sync::Arc;

/// Levels of the roles; those of the built-in ones stand in for the custom ones that are made of them.
const READ: i32 = 10;
const TRIAGE: i32 = 20;
const WRITE: i32 = 30;
const MAINTAIN: i32 = 40;
const ADMIN: i32 = 50;

/// The longest login name: 39 characters, and what an enterprise adds to those of its own accounts.
const LONGEST_LOGIN: usize = 100;

/// Somebody's role in a repository.
pub(super) async fn member(github: &GitHub, project: ProjectId, user: UserId) -> Result<Member, Failure> {
    let kept = github.directory.account(user).await?;
    if let Some(level) = level(github, project, &kept).await? {
        return Ok(Member { person: Person { account: kept, active: true }, level });
    }
    let account = github.directory.account_now(user).await?;
    let level = if account == kept { None } else { level(github, project, &account).await? };
    Ok(Member { person: Person { account, active: true }, level: level.unwrap_or(0) })
}

/// `None`: GitHub knows nobody of this name, or somebody else.
async fn level(github: &GitHub, project: ProjectId, account: &Account) -> Result<Option<i32>, Failure> {
    let path = ["collaborators", &account.username, "permission"];
    let found: Option<CollaboratorPermission> = github.find(project, &path).await?;
    let same = |user: &User| user.id == account.id.0;
    let found = found.filter(|found| found.user.as_ref().is_some_and(same));
    Ok(found.map(|found| level_of(found.role_name.as_deref(), &found.permission)))
}

/// `permission` knows no more than admin, write, read and none. The role's name tells more, but may be anybody's
/// invention: it counts for what lies within the permission.
fn level_of(role_name: Option<&str>, permission: &str) -> i32 {
    let Some(least) = built_in(permission) else { return 0 };
    let most = match least {
        READ => TRIAGE,
        WRITE => MAINTAIN,
        level => level,
    };
    role_name.and_then(built_in).unwrap_or(least).min(most)
}

fn built_in(role: &str) -> Option<i32> {
    match role {
        "admin" => Some(ADMIN),
        "maintain" => Some(MAINTAIN),
        "write" => Some(WRITE),
        "triage" => Some(TRIAGE),
        "read" => Some(READ),
        _ => None,
    }
}

/// The number of `org/team`.
pub(super) async fn team_id(github: &GitHub, team: &str) -> Result<i64, Failure> {
    Team::find(github, team).await?.id(github).await
}

/// Whether somebody is an active member of a team. Members of an organisation may make teams, also one that takes
/// over the name of another: it isn't the one that was meant.
pub(super) async fn is_team_member(
    github: &GitHub,
    team: GroupRef<'_>,
    user: UserId,
) -> Result<bool, Failure> {
    let found = Team::find(github, team.path).await?;
    if found.id(github).await? != team.id {
        let why = format!("{} is another team now than the one that was first meant", team.path);
        return Err(Failure::Refused(Refusal::Other(why)));
    }
    let Team { installation, org, slug } = found;
    let login = github.directory.account(user).await?.username;
    let path = ["orgs", org, "teams", slug, "memberships", &login];
    match github.client.get(caller(&installation), &path, &[]).await.map_err(Failure::from) {
        Ok(answer) => Ok(read::<Membership>(&answer)?.state == MembershipState::Active),
        // An App that may not read members is told the same of everybody.
        Err(Failure::NotFound) if installation.may("read", "members") => Ok(false),
        Err(Failure::NotFound) => Err(Failure::Refused(Refusal::NoPermission)),
        Err(failure) => Err(failure),
    }
}

/// Everybody in `org/team`; `None` when they are more than a hundred.
pub(super) async fn team_members(github: &GitHub, team: &str) -> Result<Option<Vec<Account>>, Failure> {
    let Team { installation, org, slug } = Team::find(github, team).await?;
    let path = ["orgs", org, "teams", slug, "members"];
    let mut pages = github.client.pages::<Vec<User>>(caller(&installation), &path, &[], 1)?;
    let users = pages.next().await?.unwrap_or_default();
    let more = pages.next().await?.is_some() || pages.is_cut();
    Ok(if more { None } else { Some(remembered(github, users).await) })
}

/// Everybody with at least this level in a repository; `None` when they are more than a hundred.
pub(super) async fn collaborators(
    github: &GitHub,
    project: ProjectId,
    level: i32,
) -> Result<Option<Vec<Account>>, Failure> {
    let query = [("permission", permission_of(level))];
    let found = github.list::<Vec<User>>(project, &["collaborators"], &query, 1).await?;
    Ok(if found.cut { None } else { Some(remembered(github, found.items).await) })
}

/// What such a list calls the least permission.
fn permission_of(level: i32) -> &'static str {
    match level {
        level if level <= READ => "pull",
        level if level <= TRIAGE => "triage",
        level if level <= WRITE => "push",
        level if level <= MAINTAIN => "maintain",
        _ => "admin",
    }
}

async fn remembered(github: &GitHub, users: Vec<User>) -> Vec<Account> {
    let mut accounts = Vec::with_capacity(users.len());
    for user in &users {
        accounts.push(github.directory.remember(user).await);
    }
    accounts
}

/// A team, and the installation that may tell of it.
struct Team<'a> {
    installation: Arc<Installation>,
    org: &'a str,
    slug: &'a str,
}

impl<'a> Team<'a> {
    /// Its number. Where nobody is named who may see it, there seems to be no such team at all.
    async fn id(&self, github: &GitHub) -> Result<i64, Failure> {
        let path = ["orgs", self.org, "teams", self.slug];
        match github.client.get(caller(&self.installation), &path, &[]).await.map_err(Failure::from) {
            Ok(answer) => Ok(read::<TeamSeen>(&answer)?.id),
            Err(Failure::NotFound) if !self.installation.may("read", "members") => {
                Err(Failure::Refused(Refusal::NoPermission))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn find(github: &GitHub, team: &'a str) -> Result<Self, Failure> {
        let Some((org, slug)) = team.split_once('/') else {
            return Err(Failure::Refused(Refusal::Other(format!("{team} is not organisation/team"))));
        };
        let installation = github.directory.installation_of(org).await?;
        let installation = installation.ok_or(Failure::Refused(Refusal::NoPermission))?;
        Ok(Self { installation, org, slug })
    }
}

fn caller(installation: &Installation) -> Caller {
    Caller::Installation(InstallationId(installation.id))
}

/// Whether it could be the login name of a person: a bot's has brackets.
pub(super) fn is_login(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LONGEST_LOGIN).contains(&name.len()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Some("admin"), "admin", 50)]
    #[case(Some("maintain"), "write", 40)]
    #[case(Some("write"), "write", 30)]
    #[case(Some("triage"), "read", 20)]
    #[case(Some("read"), "read", 10)]
    #[case(None, "admin", 50)]
    #[case(None, "write", 30)]
    #[case(None, "none", 0)]
    #[case(Some("none"), "none", 0)]
    #[case::custom_roles_count_as_their_base(Some("deployer"), "write", 30)]
    #[case(Some("Admin"), "read", 10)]
    #[case(Some("owner"), "superuser", 0)]
    #[case::no_name_gives_more_than_the_permission(Some("admin"), "write", 40)]
    #[case(Some("admin"), "read", 20)]
    #[case(Some("maintain"), "read", 20)]
    #[case(Some("admin"), "none", 0)]
    #[case(Some("read"), "admin", 10)]
    fn a_role_has_a_level(#[case] role_name: Option<&str>, #[case] permission: &str, #[case] level: i32) {
        assert_eq!(level_of(role_name, permission), level);
    }

    #[rstest]
    #[case(10, "pull")]
    #[case(30, "push")]
    #[case(31, "maintain")]
    #[case(40, "maintain")]
    #[case(50, "admin")]
    #[case(60, "admin")]
    fn a_list_is_asked_for_by_the_least_permission(#[case] level: i32, #[case] permission: &str) {
        assert_eq!(permission_of(level), permission);
    }

    #[rstest]
    #[case("dana", true)]
    #[case("Dana-1", true)]
    #[case("dana_acme", true)]
    #[case("countersign[bot]", false)]
    #[case("../orgs/acme", false)]
    #[case("dana bob", false)]
    #[case("", false)]
    fn a_login_has_plain_characters(#[case] name: &str, #[case] is: bool) {
        assert_eq!(is_login(name), is);
    }
}
