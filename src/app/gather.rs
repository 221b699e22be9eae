//! The facts of one decision, read live from the forge. No transaction is open while this runs.

use super::people::known;
use super::{App, Desk, Stopped};
use crate::domain::actor::{Account, Known};
use crate::domain::decide::{decide, newest_words};
use crate::domain::deployment::{Creators, Deployment};
use crate::domain::facts::Facts;
use crate::domain::id::{Conversation, Place, ProjectId, UserId};
use crate::domain::ledger::{RuleStanding, Vote, Word};
use crate::domain::policy::{Entry, Gate, Policy, VoteAs};
use crate::domain::verdict::{Outcome, Statement, Verdict};
use crate::ports::forge::{Progress, Sighting};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Everything one decision rests on.
#[derive(Clone, Debug)]
pub struct Case {
    /// The deployment on the forge, right now.
    pub sighting: Sighting,
    /// The policy that holds for it.
    pub policy: Policy,
    /// What holds it back.
    pub gate: Gate,
    /// Who decides.
    pub vote_as: VoteAs,
    /// What was read of its creators and of everybody who has a word.
    pub facts: Facts,
}

impl Case {
    /// Decides with these words. Where the forge decides, its own count of pending approvals is the
    /// outcome, and our tree explains it.
    pub fn decide(&self, votes: &[Vote]) -> Verdict {
        let mut verdict = decide(&self.policy, votes, &self.facts);
        if self.vote_as == VoteAs::Sudo && !matches!(verdict.outcome, Outcome::Rejected { .. }) {
            let granted =
                self.sighting.approvals.as_ref().is_some_and(|a| a.pending == 0 && !a.rules.is_empty());
            verdict.outcome = if granted { Outcome::Approved } else { Outcome::Blocked };
        }
        verdict
    }

    /// The digest under which the ledger names the policy: hex SHA-256.
    pub fn policy_digest(&self) -> String {
        let text = serde_json::to_string(&self.policy).unwrap_or_default();
        hex::encode(Sha256::digest(text.as_bytes()))
    }

    /// It waits on the forge, in a way that a vote or a play could end.
    pub fn waits(&self) -> bool {
        self.sighting.state == Progress::Waiting && self.sighting.job.as_ref().is_some_and(|job| job.manual)
    }
}

impl App {
    /// The policy entry that covers a deployment, if any. A renamed project is covered by its name of
    /// the time when the deployment was first seen.
    pub fn entry_of(&self, deployment: &Deployment) -> Option<&Entry> {
        let description = &deployment.description;
        self.policies.find(&description.forge, &description.project.path, &description.environment)
    }

    /// Reads the forge for a decision on this deployment, in which `also` may have a word too.
    /// `Ok(None)` when no policy covers it any more.
    pub async fn gather(
        &self,
        deployment: &Deployment,
        also: Option<UserId>,
    ) -> Result<Option<Case>, Stopped> {
        let Some(entry) = self.entry_of(deployment) else { return Ok(None) };
        let description = &deployment.description;
        let desk = self.desk(&description.forge)?;
        let sighting = desk.forge.deployment(description.project.id, &description.native).await?;
        self.gather_around(deployment, also, sighting, entry).await.map(Some)
    }

    /// As [`App::gather`]. What a list showed a moment ago is enough where our own policy decides; a list
    /// has no approvals, so where the forge's rules decide the deployment itself is read.
    pub async fn gather_seen(
        &self,
        deployment: &Deployment,
        by: UserId,
        seen: Option<&Sighting>,
    ) -> Result<Option<Case>, Stopped> {
        match (self.entry_of(deployment), seen) {
            (Some(entry), Some(seen)) if entry.vote_as == VoteAs::Bot => {
                self.gather_around(deployment, Some(by), seen.clone(), entry).await.map(Some)
            }
            _ => self.gather(deployment, Some(by)).await,
        }
    }

    /// As [`App::gather`], around a sighting that was read a moment ago for this very decision.
    pub async fn gather_around(
        &self,
        deployment: &Deployment,
        also: Option<UserId>,
        sighting: Sighting,
        entry: &Entry,
    ) -> Result<Case, Stopped> {
        let description = &deployment.description;
        let desk = self.desk(&description.forge)?;
        let project = description.project.id;
        let policy = effective_policy(entry, &sighting);
        let words = newest_words(&deployment.votes);
        let standing = words.values().filter(|vote| vote.word != Word::Revoked);
        let mut users: BTreeSet<UserId> = standing.map(|vote| vote.by.id).collect();
        users.extend(also);
        let read = self.read_people(desk, project, &policy, &users).await?;
        let creators = match still_started_by(&description.creators, &sighting) {
            Some(creators) => creators,
            None => self.creators(desk, &sighting, project, description.conversation.as_ref()).await?,
        };
        let facts = Facts { creators, people: read.people, holds: read.holds };
        Ok(Case { sighting, policy, gate: entry.gate, vote_as: entry.vote_as, facts })
    }

    /// Who started a deployment. Author and merger of its merge request are read only when no starter
    /// is human, since only then they stand in.
    pub async fn creators(
        &self,
        desk: &Desk,
        sighting: &Sighting,
        project: ProjectId,
        conversation: Option<&Conversation>,
    ) -> Result<Creators, Stopped> {
        let mut started_by = Vec::new();
        let others = desk.forge.other_starters(project, &sighting.native).await;
        let others = match known(others, "who else started it")? {
            Known::Fact(others) => others,
            Known::Unknown(why) => return Ok(Creators { started_by, stand_ins: Known::Unknown(why) }),
        };
        let starters: BTreeMap<UserId, &Account> =
            sighting.started_by.iter().chain(&others).map(|account| (account.id, account)).collect();
        for id in starters.into_keys() {
            match known(desk.forge.account(id).await, "the account that started it")? {
                Known::Fact(account) => started_by.push(account),
                Known::Unknown(why) => return Ok(Creators { started_by, stand_ins: Known::Unknown(why) }),
            }
        }
        let human = started_by.iter().any(|account| !account.bot);
        let stand_ins = if human {
            Known::Fact(Vec::new())
        } else {
            self.stand_ins(desk, project, (sighting, conversation)).await?
        };
        Ok(Creators { started_by, stand_ins })
    }

    async fn stand_ins(
        &self,
        desk: &Desk,
        project: ProjectId,
        (sighting, conversation): (&Sighting, Option<&Conversation>),
    ) -> Result<Known<Vec<Account>>, Stopped> {
        let number = match conversation.map(|at| &at.place) {
            Some(Place::MergeRequest(number)) => Some(*number),
            // It stands on its commit, perhaps only because its merge request couldn't be read.
            Some(Place::Commit(_)) => {
                match known(desk.forge.carrier(project, sighting).await, "its merge request")? {
                    Known::Fact(number) => number,
                    Known::Unknown(why) => return Ok(Known::Unknown(why)),
                }
            }
            None => None,
        };
        let Some(number) = number else { return Ok(Known::Fact(Vec::new())) };
        let request = match known(desk.forge.merge_request(project, number).await, "the merge request")? {
            Known::Fact(request) => request,
            Known::Unknown(why) => return Ok(Known::Unknown(why)),
        };
        let mut people = Vec::new();
        for user in request.author.into_iter().chain(request.merged_by) {
            match known(desk.forge.account(user).await, "the merge request's author")? {
                Known::Fact(account) => people.push(account),
                Known::Unknown(why) => return Ok(Known::Unknown(why)),
            }
        }
        Ok(Known::Fact(people))
    }
}

/// The creators as they were read when the deployment was opened, if the forge names nobody else now and one
/// of them is human. Who it is comes from the sighting; that an account is a person's, not a bot's, never
/// changes.
fn still_started_by(opened: &Creators, sighting: &Sighting) -> Option<Creators> {
    let was_read = opened.stand_ins.fact().is_some();
    let known = |now: &Account| opened.started_by.iter().any(|account| account.id == now.id);
    let human = opened.started_by.iter().any(|account| !account.bot);
    let same = !sighting.started_by.is_empty() && sighting.started_by.iter().all(known);
    (was_read && human && same).then(|| opened.clone())
}

/// Our policy, or the forge's own rules where it is the forge that decides. Who may approve what they
/// started is then the forge's to refuse as well.
fn effective_policy(entry: &Entry, sighting: &Sighting) -> Policy {
    match entry.vote_as {
        VoteAs::Bot => entry.policy.clone(),
        VoteAs::Sudo => Policy {
            rules: sighting.approvals.as_ref().map(|approvals| approvals.rules.clone()).unwrap_or_default(),
            allow_self_approval: true,
            allow_bot_creator: true,
            ..entry.policy.clone()
        },
    }
}

/// How each rule stands after a verdict: what ledger and card keep of the explanation.
pub fn standing(policy: &Policy, verdict: &Verdict) -> Vec<RuleStanding> {
    let mut rules: Vec<RuleStanding> = policy
        .rules
        .iter()
        .map(|rule| RuleStanding {
            grantees: rule.grantees.clone(),
            required: rule.required_approvals,
            filled_by: Vec::new(),
        })
        .collect();
    for node in &verdict.because.children {
        if let Statement::Rule { index, .. } = &node.statement
            && let Some(rule) = rules.get_mut(*index)
        {
            rule.filled_by = node.children.iter().filter_map(filler).collect();
        }
    }
    rules
}

fn filler(node: &crate::domain::verdict::Explanation) -> Option<Account> {
    match &node.statement {
        Statement::Fills(account) => Some(account.clone()),
        Statement::AllRulesFilled
        | Statement::ApprovalsMissing(_)
        | Statement::RejectedBy(_)
        | Statement::NoRules
        | Statement::NoHumanCreator
        | Statement::CreatorsUnknown(_)
        | Statement::RejectionUnchecked(_)
        | Statement::Rule { .. }
        | Statement::DoesNotCount(..) => None,
    }
}
