//! The answer of [`super::decide::decide`]: an outcome and the tree that explains it.

use super::actor::Account;
use super::policy::Grantee;

/// What the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Approvals are missing, or something could not be checked.
    Blocked,
    /// Every rule is filled.
    Approved,
    /// An eligible person rejected it.
    Rejected {
        /// Who.
        by: Account,
        /// Their reason, if any: foreign text.
        reason: Option<String>,
    },
}

/// An outcome with its explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What follows.
    pub outcome: Outcome,
    /// Why: the root of the tree.
    pub because: Explanation,
    /// How many approvals are still missing over all rules.
    pub missing: u32,
}

/// A node of the explanation tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// How this part stands.
    pub mark: Mark,
    /// What it says.
    pub statement: Statement,
    /// What it rests on.
    pub children: Vec<Explanation>,
}

/// How one part of the explanation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Fulfilled.
    Fulfilled,
    /// Not yet fulfilled.
    Pending,
    /// Stands against the deployment.
    Against,
    /// Could not be checked.
    Unknown,
    /// Doesn't count, and need not.
    Ignored,
}

/// What an explanation can say. `wording` turns it into sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// All rules are filled.
    AllRulesFilled,
    /// So many approvals are missing.
    ApprovalsMissing(u32),
    /// Somebody rejected.
    RejectedBy(Account),
    /// There is no rule at all, so nothing can approve.
    NoRules,
    /// No human started it and none stands in; `allow_bot_creator` is off.
    NoHumanCreator,
    /// Who the creators are could not be read.
    CreatorsUnknown(String),
    /// A rejection is there, but whether it counts could not be read.
    RejectionUnchecked(Account),
    /// One rule: who is admitted, how many are there, how many are needed.
    Rule {
        /// Position in the policy, from 0.
        index: usize,
        /// Who is admitted.
        grantees: Vec<Grantee>,
        /// Filled slots.
        filled: u32,
        /// Needed slots.
        required: u32,
    },
    /// This person's approval fills a slot of the rule above.
    Fills(Account),
    /// This person's word does not count.
    DoesNotCount(Account, WhyNot),
}

/// Why somebody's word does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// They started the deployment.
    Creator,
    /// Bots don't vote.
    Bot,
    /// The account is not active.
    Inactive,
    /// No rule admits them.
    NotNamed,
    /// Their rules are filled by others already.
    NotNeeded,
    /// They took it back.
    Revoked,
    /// It could not be read: the sentence says why.
    Unknown(String),
}
