//! The shapes of GitHub's answers, as far as they are read.
//!
//! What GitHub doesn't promise is optional, unknown fields are skipped, and unknown values of a known field are
//! `Other`: a new one mustn't make what stands beside it unreadable.
//!
//! `actions`: runs, jobs, deployments. `talk`: pull requests, comments, check runs. Here: the App, repositories,
//! people.

mod actions;
mod talk;

pub(super) use actions::*;
pub(super) use talk::*;

use super::client::{Listed, Page};
use crate::domain::actor::Account;
use crate::domain::id::UserId;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An account.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub(super) id: i64,
    pub(super) login: String,
    #[serde(rename = "type")]
    pub(super) kind: Option<UserKind>,
}

impl Listed for User {}

/// What kind of account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum UserKind {
    User,
    Bot,
    Organization,
    #[serde(other)]
    Other,
}

impl User {
    /// In our words: only what GitHub calls a user is a person.
    pub(super) fn account(&self) -> Account {
        let bot = self.kind != Some(UserKind::User);
        Account { id: UserId(self.id), username: self.login.clone(), bot }
    }
}

/// The App, as it sees itself.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct App {
    pub(super) id: i64,
    pub(super) slug: String,
    #[serde(default)]
    pub(super) permissions: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) events: Vec<String>,
}

/// One installation of the App, with what its owner has consented to.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Installation {
    pub(super) id: i64,
    /// A user or an organisation; of an enterprise something without a login.
    pub(super) account: Option<Owner>,
    /// Name of the permission → `read`, `write` or `admin`.
    #[serde(default)]
    pub(super) permissions: BTreeMap<String, String>,
    pub(super) suspended_at: Option<Timestamp>,
}

impl Listed for Installation {}

impl Installation {
    /// Whether at least `level` of a permission was given: `read` < `write` < `admin`.
    pub(super) fn may(&self, level: &str, permission: &str) -> bool {
        const LEVELS: [&str; 3] = ["read", "write", "admin"];
        let rank = |level: &str| LEVELS.iter().position(|known| *known == level);
        let given = self.permissions.get(permission).and_then(|given| rank(given));
        given.is_some_and(|given| rank(level).is_some_and(|wanted| given >= wanted))
    }
}

/// Whose something is.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Owner {
    pub(super) login: Option<String>,
}

/// An installation's token.
#[derive(Deserialize)]
pub(super) struct AccessToken {
    pub(super) token: SecretString,
    pub(super) expires_at: Timestamp,
}

/// A repository.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Repository {
    pub(super) id: i64,
    pub(super) full_name: String,
    #[serde(default)]
    pub(super) private: bool,
    #[serde(default)]
    pub(super) archived: bool,
    pub(super) pushed_at: Option<Timestamp>,
    pub(super) updated_at: Option<Timestamp>,
}

/// A page of an installation's repositories.
#[derive(Debug, Deserialize)]
pub(super) struct Repositories {
    repositories: Vec<Repository>,
}

impl Page for Repositories {
    type Item = Repository;

    fn items(self) -> Vec<Repository> {
        self.repositories
    }
}

/// What somebody may do in a repository. `permission` knows `admin`, `write`, `read` and `none`; `role_name` is
/// the role itself: `maintain`, `triage`, a custom one.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct CollaboratorPermission {
    pub(super) permission: String,
    pub(super) role_name: Option<String>,
    pub(super) user: Option<User>,
}

/// A membership of a team or an organisation.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Membership {
    pub(super) state: MembershipState,
}

/// A team, by its number.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct TeamSeen {
    pub(super) id: i64,
}

/// Whether an invitation was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MembershipState {
    Active,
    Pending,
    #[serde(other)]
    Other,
}

/// One delivery in the App's log.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct HookDelivery {
    pub(super) id: i64,
    /// `X-GitHub-Delivery`: the same for every redelivery.
    pub(super) guid: String,
    pub(super) delivered_at: Timestamp,
    /// `OK` where it was taken.
    pub(super) status: Option<String>,
    pub(super) status_code: Option<i64>,
    pub(super) event: Option<String>,
    pub(super) action: Option<String>,
}

impl Listed for HookDelivery {}
