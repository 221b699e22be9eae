//! Tests of the rules: scenes to stage by hand here, generated ones in [`cases`].

mod cases;
mod decide;
mod ledger;
mod matching;
mod properties;
mod status;

use super::actor::{Account, Known};
use super::decide::decide;
use super::deployment::Creators;
use super::facts::{Facts, Person};
use super::id::UserId;
use super::ledger::{Source, Vote, Word};
use super::policy::{Grantee, Policy, Rule};
use super::verdict::{Outcome, Statement, Verdict, WhyNot};
use jiff::Timestamp;
use std::collections::BTreeMap;

const DANA: i64 = 1;
const ALICE: i64 = 2;
const BOB: i64 = 3;
const MALLORY: i64 = 4;
const ROBOT: i64 = 5;
const EVERYBODY: [i64; 5] = [DANA, ALICE, BOB, MALLORY, ROBOT];

fn account(id: i64) -> Account {
    let username = match id {
        DANA => "dana".to_owned(),
        ALICE => "alice".to_owned(),
        BOB => "bob".to_owned(),
        MALLORY => "mallory".to_owned(),
        ROBOT => "robot".to_owned(),
        other => format!("person-{other}"),
    };
    Account { id: UserId(id), username, bot: id == ROBOT }
}

fn sre() -> Grantee {
    Grantee::Group { path: "acme/sre".to_owned(), inherited: false }
}

fn qa() -> Grantee {
    Grantee::Group { path: "acme/qa".to_owned(), inherited: false }
}

fn rule(grantees: &[Grantee], required_approvals: u32) -> Rule {
    Rule { grantees: grantees.to_vec(), required_approvals, label: None }
}

fn policy(rules: Vec<Rule>) -> Policy {
    Policy {
        rules,
        allow_self_approval: false,
        allow_bot_creator: false,
        reject_needs_reason: true,
        start_when_approved: true,
    }
}

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
}

fn vote(by: Account, word: Word, at: i64) -> Vote {
    let reason = (word == Word::Rejected).then(|| format!("said at minute {at}"));
    Vote { by, word, at: minute(at), reason, source: Source::Forge }
}

fn unread<T>() -> Known<T> {
    Known::Unknown("502 Bad Gateway".to_owned())
}

/// One decision, staged: dana started the deployment; everybody is active, nobody holds anything yet.
#[derive(Clone, Debug)]
struct Scene {
    policy: Policy,
    votes: Vec<Vote>,
    facts: Facts,
}

impl Scene {
    fn new(rules: Vec<Rule>) -> Self {
        let policy = policy(rules);
        let read = |id: &i64| (UserId(*id), Known::Fact(Person { account: account(*id), active: true }));
        let people = EVERYBODY.iter().map(read).collect();
        let creators = Creators { started_by: vec![account(DANA)], stand_ins: Known::Fact(Vec::new()) };
        let mut holds = BTreeMap::new();
        for grantee in policy.rules.iter().flat_map(|rule| &rule.grantees) {
            for id in EVERYBODY {
                holds.insert((UserId(id), grantee.clone()), Known::Fact(false));
            }
        }
        Self { policy, votes: Vec::new(), facts: Facts { creators, people, holds } }
    }

    fn member(mut self, id: i64, grantee: Grantee) -> Self {
        self.facts.holds.insert((UserId(id), grantee), Known::Fact(true));
        self
    }

    fn membership_unread(mut self, id: i64, grantee: Grantee) -> Self {
        self.facts.holds.insert((UserId(id), grantee), unread());
        self
    }

    fn inactive(mut self, id: i64) -> Self {
        let gone = Person { account: account(id), active: false };
        self.facts.people.insert(UserId(id), Known::Fact(gone));
        self
    }

    fn person_unread(mut self, id: i64) -> Self {
        self.facts.people.insert(UserId(id), unread());
        self
    }

    fn started_by(mut self, ids: &[i64]) -> Self {
        self.facts.creators.started_by = ids.iter().copied().map(account).collect();
        self
    }

    fn stand_ins(mut self, ids: &[i64]) -> Self {
        self.facts.creators.stand_ins = Known::Fact(ids.iter().copied().map(account).collect());
        self
    }

    fn stand_ins_unread(mut self) -> Self {
        self.facts.creators.stand_ins = unread();
        self
    }

    fn self_approval_allowed(mut self) -> Self {
        self.policy.allow_self_approval = true;
        self
    }

    fn bot_creator_allowed(mut self) -> Self {
        self.policy.allow_bot_creator = true;
        self
    }

    fn says(mut self, id: i64, word: Word, at: i64) -> Self {
        self.votes.push(vote(account(id), word, at));
        self
    }

    fn approves(self, id: i64, at: i64) -> Self {
        self.says(id, Word::Approved, at)
    }

    fn rejects(self, id: i64, at: i64) -> Self {
        self.says(id, Word::Rejected, at)
    }

    fn revokes(self, id: i64, at: i64) -> Self {
        self.says(id, Word::Revoked, at)
    }

    fn decide(&self) -> Verdict {
        decide(&self.policy, &self.votes, &self.facts)
    }
}

/// Outcome and open slots, short enough for a table.
#[derive(Debug, PartialEq, Eq)]
enum Ends {
    Approved,
    RejectedBy(i64),
    Blocked { missing: u32 },
}

fn end_of(verdict: &Verdict) -> Ends {
    match &verdict.outcome {
        Outcome::Approved => Ends::Approved,
        Outcome::Rejected { by, .. } => Ends::RejectedBy(by.id.0),
        Outcome::Blocked => Ends::Blocked { missing: verdict.missing },
    }
}

/// Why this person's word doesn't count, as the explanation says.
fn refusal(verdict: &Verdict, id: i64) -> Option<WhyNot> {
    verdict.because.children.iter().find_map(|child| {
        if let Statement::DoesNotCount(by, why) = &child.statement
            && by.id == UserId(id)
        {
            return Some(why.clone());
        }
        None
    })
}

/// What the explanation says directly below its root.
fn says(verdict: &Verdict, statement: &Statement) -> bool {
    verdict.because.children.iter().any(|child| child.statement == *statement)
}
