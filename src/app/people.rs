//! Who somebody is and what they hold. Names are resolved once and pinned; everything else is read anew.

use super::{App, Desk, Stopped};
use crate::domain::actor::{Account, Known};
use crate::domain::facts::Person;
use crate::domain::id::{ProjectId, UserId};
use crate::domain::policy::{Grantee, Policy};
use crate::ports::failure::Failure;
use crate::ports::forge::{GroupRef, Member};
use std::collections::{BTreeMap, BTreeSet};

/// What was read of the people of one decision.
#[derive(Debug, Default)]
pub struct Read {
    /// Each person.
    pub people: BTreeMap<UserId, Known<Person>>,
    /// Who holds which grantee.
    pub holds: BTreeMap<(UserId, Grantee), Known<bool>>,
}

impl App {
    /// Reads everybody in `users` against every grantee of the policy. A forge that can't be reached
    /// stops the attempt; a fact that the forge won't tell is unknown.
    pub async fn read_people(
        &self,
        desk: &Desk,
        project: ProjectId,
        policy: &Policy,
        users: &BTreeSet<UserId>,
    ) -> Result<Read, Stopped> {
        let grantees: BTreeSet<&Grantee> = policy.rules.iter().flat_map(|rule| &rule.grantees).collect();
        let mut read = Read::default();
        for user in users {
            let member = known(desk.forge.member(project, *user).await, "the account")?;
            for grantee in &grantees {
                let holds = self.holds(desk, &member, *user, grantee).await?;
                read.holds.insert((*user, (*grantee).clone()), holds);
            }
            let person = match member {
                Known::Fact(member) => Known::Fact(member.person),
                Known::Unknown(why) => Known::Unknown(why),
            };
            read.people.insert(*user, person);
        }
        Ok(read)
    }

    async fn holds(
        &self,
        desk: &Desk,
        member: &Known<Member>,
        user: UserId,
        grantee: &Grantee,
    ) -> Result<Known<bool>, Stopped> {
        match grantee {
            Grantee::UserId(id) => Ok(Known::Fact(*id == user)),
            Grantee::User(name) => {
                let named = self.resolve_user(desk, name).await?;
                Ok(match named {
                    Known::Fact(id) => Known::Fact(id == Some(user)),
                    Known::Unknown(why) => Known::Unknown(why),
                })
            }
            Grantee::AccessLevel(level) => Ok(match member {
                Known::Fact(member) => Known::Fact(member.level >= *level),
                Known::Unknown(why) => Known::Unknown(why.clone()),
            }),
            Grantee::Role(role) => Ok(match member {
                Known::Fact(member) => Known::Fact(member.level >= role.level()),
                Known::Unknown(why) => Known::Unknown(why.clone()),
            }),
            Grantee::Team(team) => self.is_in_group(desk, (team, true), user).await,
            Grantee::Group { path, inherited } => self.is_in_group(desk, (path, *inherited), user).await,
            Grantee::GroupId { id, inherited } => {
                let group = GroupRef { path: "", id: *id };
                known(desk.forge.is_group_member(group, *inherited, user).await, &format!("the group {id}"))
            }
        }
    }

    /// Whether somebody is in the group that a policy's path means: the one that had it first.
    async fn is_in_group(
        &self,
        desk: &Desk,
        (path, inherited): (&str, bool),
        user: UserId,
    ) -> Result<Known<bool>, Stopped> {
        let (forge, name, what) = (desk.forge.name(), path.to_lowercase(), format!("the group {path}"));
        let id = match self.store.pinned(forge, "group", &name).await? {
            Some(id) => id,
            None => match known(desk.forge.group_id(path).await, &what)? {
                Known::Fact(id) => self.store.pin(forge, "group", &name, id).await?,
                Known::Unknown(why) => return Ok(Known::Unknown(why)),
            },
        };
        known(desk.forge.is_group_member(GroupRef { path, id }, inherited, user).await, &what)
    }

    /// The id a policy's user name means: the one it meant first. A name that
    /// was never resolved is looked up and pinned; one that nobody has is nobody.
    async fn resolve_user(&self, desk: &Desk, name: &str) -> Result<Known<Option<UserId>>, Stopped> {
        let forge = desk.forge.name();
        let name = name.to_lowercase();
        if let Some(id) = self.store.pinned(forge, "user", &name).await? {
            return Ok(Known::Fact(Some(UserId(id))));
        }
        Ok(match known(desk.forge.user_named(&name).await, &format!("the user {name}"))? {
            Known::Fact(Some(account)) => {
                Known::Fact(Some(UserId(self.store.pin(forge, "user", &name, account.id.0).await?)))
            }
            Known::Fact(None) => Known::Fact(None),
            Known::Unknown(why) => Known::Unknown(why),
        })
    }

    /// Everybody whom the policy could admit, with what they hold; `None` when they are too many or
    /// can't be listed. The bot itself is not among them.
    pub async fn candidates(
        &self,
        desk: &Desk,
        project: ProjectId,
        policy: &Policy,
    ) -> Result<Option<Candidates>, Stopped> {
        let me = desk.forge.me().await?;
        let mut found = Candidates::default();
        for grantee in policy.rules.iter().flat_map(|rule| &rule.grantees) {
            let Some(accounts) = self.candidates_of(desk, project, grantee).await? else { return Ok(None) };
            for account in accounts.into_iter().filter(|account| account.id != me.id) {
                found.holds.insert((account.id, grantee.clone()), Known::Fact(true));
                found.accounts.insert(account.id, account);
            }
        }
        Ok(Some(found))
    }

    async fn candidates_of(
        &self,
        desk: &Desk,
        project: ProjectId,
        grantee: &Grantee,
    ) -> Result<Option<Vec<Account>>, Stopped> {
        let forge = &desk.forge;
        let listed = match grantee {
            Grantee::UserId(id) => forge.account(*id).await.map(|account| Some(vec![account])),
            Grantee::User(name) => {
                forge.user_named(name).await.map(|account| Some(account.into_iter().collect()))
            }
            Grantee::AccessLevel(level) => forge.members_from(project, *level).await,
            Grantee::Role(role) => forge.members_from(project, role.level()).await,
            Grantee::Team(team) => forge.group_members(team, true).await,
            Grantee::Group { path, inherited } => forge.group_members(path, *inherited).await,
            Grantee::GroupId { id, inherited } => forge.group_members(&id.to_string(), *inherited).await,
        };
        match known(listed, "the members")? {
            Known::Fact(accounts) => Ok(accounts),
            Known::Unknown(_) => Ok(None),
        }
    }
}

/// People who might approve.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Who they are.
    pub accounts: BTreeMap<UserId, Account>,
    /// By what they are admitted.
    pub holds: BTreeMap<(UserId, Grantee), Known<bool>>,
}

/// A fact, or why it isn't known. What may work later stops the attempt instead.
pub fn known<T>(read: Result<T, Failure>, what: &str) -> Result<Known<T>, Stopped> {
    match read {
        Ok(value) => Ok(Known::Fact(value)),
        Err(failure) if failure.is_transient() => Err(failure.into()),
        Err(failure) => Ok(Known::Unknown(format!("{what} can't be read: {failure}"))),
    }
}
