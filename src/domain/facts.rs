//! What was read from the forge for one decision. Nothing here outlives the decision it was read for.

use super::actor::{Account, Known};
use super::deployment::Creators;
use super::id::UserId;
use super::policy::Grantee;
use std::collections::BTreeMap;

/// One voter, read for this decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The account with its bot mark.
    pub account: Account,
    /// The account is active (not blocked, deactivated, banned).
    pub active: bool,
}

/// Everything a decision may rest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Who started the deployment.
    pub creators: Creators,
    /// Everybody who has a word in this decision.
    pub people: BTreeMap<UserId, Known<Person>>,
    /// Whether a person holds a grantee. A pair that is absent is unknown.
    pub holds: BTreeMap<(UserId, Grantee), Known<bool>>,
}

impl Facts {
    /// Whether the person holds the grantee; what was never read is unknown.
    pub fn holds(&self, person: UserId, grantee: &Grantee) -> Known<bool> {
        self.holds
            .get(&(person, grantee.clone()))
            .cloned()
            .unwrap_or_else(|| Known::Unknown("it was not read".to_owned()))
    }
}
