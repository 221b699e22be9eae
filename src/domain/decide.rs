//! The rules, as one pure and total function.

use super::actor::{Account, Known};
use super::facts::{Facts, Person};
use super::id::UserId;
use super::ledger::{Vote, Word};
use super::matching;
use super::policy::{Policy, Rule};
use super::verdict::{Explanation, Mark, Outcome, Statement, Verdict, WhyNot};
use std::collections::{BTreeMap, BTreeSet};

/// Decides from the policy, everybody's words and the facts read for this decision.
///
/// The order: an eligible rejection ends everything; a rejection that can't be checked keeps it
/// blocked; then there must be a rule, a creator who is known, and every slot of every rule filled by
/// distinct people.
pub fn decide(policy: &Policy, votes: &[Vote], facts: &Facts) -> Verdict {
    let words = newest_words(votes);
    let standings: Vec<Standing<'_>> = words.values().map(|vote| stand(policy, vote, facts)).collect();
    if let Some(rejection) = standings.iter().find(|s| s.counts_as(Word::Rejected)) {
        return rejected(rejection.vote);
    }
    let (rules, missing) = fill_rules(policy, &standings, facts);
    let mut children = obstacles(policy, &standings, facts);
    let approved = children.is_empty() && missing == 0;
    children.extend(rules);
    let (outcome, mark, statement) = if approved {
        (Outcome::Approved, Mark::Fulfilled, Statement::AllRulesFilled)
    } else {
        (Outcome::Blocked, Mark::Pending, Statement::ApprovalsMissing(missing))
    };
    Verdict { outcome, because: Explanation { mark, statement, children }, missing }
}

/// Whose approvals fill the rules, in the order of the rules; empty unless approved.
pub fn approvers(verdict: &Verdict) -> Vec<Account> {
    let mut found = Vec::new();
    if verdict.outcome != Outcome::Approved {
        return found;
    }
    for rule in &verdict.because.children {
        for child in &rule.children {
            if let Statement::Fills(account) = &child.statement {
                found.push(account.clone());
            }
        }
    }
    found
}

/// Whether it would be approved if everybody in `candidates` approved and nobody rejected. A candidate
/// whose account is not among the facts is taken for active, as lists of members name them.
pub fn within_reach(policy: &Policy, candidates: &[Account], facts: &Facts) -> bool {
    let willing: BTreeSet<UserId> =
        candidates.iter().filter(|c| could_approve(policy, c, facts)).map(|c| c.id).collect();
    let willing: Vec<UserId> = willing.into_iter().collect();
    let filling = matching::fill(&required(policy), willing.len(), |person, rule| {
        admits(policy.rules.get(rule), willing.get(person).copied(), facts)
    });
    general_obstacles(policy, facts).is_empty() && open_slots(policy, &filling) == 0
}

fn could_approve(policy: &Policy, candidate: &Account, facts: &Facts) -> bool {
    if facts.people.contains_key(&candidate.id) {
        eligibility(policy, candidate.id, Word::Approved, facts).is_ok()
    } else {
        approval_obstacle(policy, candidate, facts).is_none()
    }
}

/// Whether a person's word of this kind would count now, and why not.
pub fn eligibility(policy: &Policy, person: UserId, word: Word, facts: &Facts) -> Result<(), WhyNot> {
    let person = match facts.people.get(&person) {
        Some(Known::Fact(person)) => person,
        Some(Known::Unknown(why)) => return Err(WhyNot::Unknown(why.clone())),
        None => return Err(WhyNot::Unknown("the account was not read".to_owned())),
    };
    check_person(policy, person, word, facts)
}

/// A person's newest word, by the platform's clock; of two at the same moment the later recorded.
pub fn newest_words(votes: &[Vote]) -> BTreeMap<UserId, &Vote> {
    let mut newest: BTreeMap<UserId, &Vote> = BTreeMap::new();
    for vote in votes {
        let earlier = newest.get(&vote.by.id).is_some_and(|known| known.at > vote.at);
        if !earlier {
            newest.insert(vote.by.id, vote);
        }
    }
    newest
}

struct Standing<'a> {
    vote: &'a Vote,
    verdict: Result<(), WhyNot>,
}

impl Standing<'_> {
    fn counts_as(&self, word: Word) -> bool {
        self.vote.word == word && self.verdict.is_ok()
    }

    fn is_unchecked(&self) -> bool {
        matches!(self.verdict, Err(WhyNot::Unknown(_)))
    }
}

fn stand<'a>(policy: &Policy, vote: &'a Vote, facts: &Facts) -> Standing<'a> {
    let verdict = match vote.word {
        Word::Revoked => Err(WhyNot::Revoked),
        Word::Approved | Word::Rejected => eligibility(policy, vote.by.id, vote.word, facts),
    };
    Standing { vote, verdict }
}

fn check_person(policy: &Policy, person: &Person, word: Word, facts: &Facts) -> Result<(), WhyNot> {
    if person.account.bot {
        return Err(WhyNot::Bot);
    }
    if !person.active {
        return Err(WhyNot::Inactive);
    }
    if word == Word::Approved
        && let Some(obstacle) = approval_obstacle(policy, &person.account, facts)
    {
        return Err(obstacle);
    }
    admitted_somewhere(policy, person.account.id, facts)
}

/// What keeps an account from approving, whatever the rules admit.
fn approval_obstacle(policy: &Policy, account: &Account, facts: &Facts) -> Option<WhyNot> {
    if account.bot {
        return Some(WhyNot::Bot);
    }
    if policy.allow_self_approval {
        return None;
    }
    match effective_creators(facts) {
        Known::Fact(creators) => creators.iter().any(|c| c.id == account.id).then_some(WhyNot::Creator),
        Known::Unknown(why) => Some(WhyNot::Unknown(why)),
    }
}

/// Named by some rule? An unknown membership is only "no" when nothing else admits the person.
fn admitted_somewhere(policy: &Policy, person: UserId, facts: &Facts) -> Result<(), WhyNot> {
    let mut unknown = None;
    for grantee in policy.rules.iter().flat_map(|rule| &rule.grantees) {
        match facts.holds(person, grantee) {
            Known::Fact(true) => return Ok(()),
            Known::Fact(false) => {}
            Known::Unknown(why) => unknown = Some(why),
        }
    }
    Err(unknown.map_or(WhyNot::NotNamed, WhyNot::Unknown))
}

/// The people who count as creators: the starters, or those who stand in when no starter is human.
pub fn effective_creators(facts: &Facts) -> Known<Vec<Account>> {
    let started_by = &facts.creators.started_by;
    if started_by.iter().any(|account| !account.bot) {
        return Known::Fact(started_by.clone());
    }
    match &facts.creators.stand_ins {
        Known::Fact(people) => {
            Known::Fact(started_by.iter().chain(people.iter().filter(|p| !p.bot)).cloned().collect())
        }
        Known::Unknown(why) => Known::Unknown(why.clone()),
    }
}

/// What keeps a deployment blocked even with every slot filled.
fn obstacles(policy: &Policy, standings: &[Standing<'_>], facts: &Facts) -> Vec<Explanation> {
    let mut found = general_obstacles(policy, facts);
    for standing in standings.iter().filter(|s| s.vote.word == Word::Rejected && s.is_unchecked()) {
        found.push(leaf(Mark::Unknown, Statement::RejectionUnchecked(standing.vote.by.clone())));
    }
    found
}

/// The obstacles that stand whatever anybody says.
fn general_obstacles(policy: &Policy, facts: &Facts) -> Vec<Explanation> {
    let mut found = Vec::new();
    if policy.rules.is_empty() || policy.rules.iter().any(|rule| rule.required_approvals == 0) {
        found.push(leaf(Mark::Against, Statement::NoRules));
    }
    match effective_creators(facts) {
        Known::Unknown(why) => found.push(leaf(Mark::Unknown, Statement::CreatorsUnknown(why))),
        Known::Fact(creators) => {
            if !policy.allow_bot_creator && creators.iter().all(|creator| creator.bot) {
                found.push(leaf(Mark::Against, Statement::NoHumanCreator));
            }
        }
    }
    found
}

/// Fills the rules with those whose approvals count. Returns the explanation (a node per rule, then
/// one for every word that doesn't count) and the number of open slots.
fn fill_rules(policy: &Policy, standings: &[Standing<'_>], facts: &Facts) -> (Vec<Explanation>, u32) {
    let approvals: Vec<&Standing<'_>> = standings.iter().filter(|s| s.counts_as(Word::Approved)).collect();
    let filling = matching::fill(&required(policy), approvals.len(), |person, rule| {
        admits(policy.rules.get(rule), approvals.get(person).map(|s| s.vote.by.id), facts)
    });
    let mut nodes: Vec<Explanation> = policy
        .rules
        .iter()
        .zip(&filling)
        .enumerate()
        .map(|(index, (rule, people))| explain_rule(index, rule, people, &approvals))
        .collect();
    nodes.extend(uncounted(standings, &approvals, &filling));
    (nodes, open_slots(policy, &filling))
}

fn explain_rule(index: usize, rule: &Rule, people: &[usize], approvals: &[&Standing<'_>]) -> Explanation {
    let children: Vec<Explanation> = people
        .iter()
        .filter_map(|person| approvals.get(*person))
        .map(|s| leaf(Mark::Fulfilled, Statement::Fills(s.vote.by.clone())))
        .collect();
    let (filled, required) = (count(people.len()), rule.required_approvals);
    let mark = if filled >= required { Mark::Fulfilled } else { Mark::Pending };
    let statement = Statement::Rule { index, grantees: rule.grantees.clone(), filled, required };
    Explanation { mark, statement, children }
}

fn uncounted(
    standings: &[Standing<'_>],
    approvals: &[&Standing<'_>],
    filling: &[Vec<usize>],
) -> Vec<Explanation> {
    let spare =
        approvals.iter().enumerate().filter(|(person, _)| !filling.iter().any(|f| f.contains(person)));
    let spare = spare
        .map(|(_, s)| leaf(Mark::Ignored, Statement::DoesNotCount(s.vote.by.clone(), WhyNot::NotNeeded)));
    let refused = standings.iter().filter_map(|s| {
        let why = s.verdict.clone().err()?;
        let mark = if s.is_unchecked() { Mark::Unknown } else { Mark::Ignored };
        Some(leaf(mark, Statement::DoesNotCount(s.vote.by.clone(), why)))
    });
    spare.chain(refused).collect()
}

fn required(policy: &Policy) -> Vec<u32> {
    policy.rules.iter().map(|rule| rule.required_approvals).collect()
}

fn open_slots(policy: &Policy, filling: &[Vec<usize>]) -> u32 {
    let open =
        |(rule, people): (&Rule, &Vec<usize>)| rule.required_approvals.saturating_sub(count(people.len()));
    policy.rules.iter().zip(filling).map(open).fold(0, u32::saturating_add)
}

fn admits(rule: Option<&Rule>, person: Option<UserId>, facts: &Facts) -> bool {
    let (Some(rule), Some(person)) = (rule, person) else { return false };
    rule.grantees.iter().any(|grantee| facts.holds(person, grantee) == Known::Fact(true))
}

fn rejected(vote: &Vote) -> Verdict {
    Verdict {
        outcome: Outcome::Rejected { by: vote.by.clone(), reason: vote.reason.clone() },
        because: leaf(Mark::Against, Statement::RejectedBy(vote.by.clone())),
        missing: 0,
    }
}

fn leaf(mark: Mark, statement: Statement) -> Explanation {
    Explanation { mark, statement, children: Vec::new() }
}

fn count(people: usize) -> u32 {
    u32::try_from(people).unwrap_or(u32::MAX)
}
