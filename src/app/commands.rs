//! What the commands of one comment come to: which deployments they mean, what is decided, what is said.

use super::gather::{Case, standing};
use super::observe::change;
use super::targets::Chosen;
use super::{App, Desk, Stopped};
use crate::domain::actor::Account;
use crate::domain::chat::{Aside, ChannelId};
use crate::domain::command::{Command, Misunderstood, Verb};
use crate::domain::decide::{eligibility, newest_words};
use crate::domain::deployment::{Deployment, Status};
use crate::domain::effect::{Ballot, Effect, shown_by};
use crate::domain::id::{ChatName, CommentRef, Conversation, DeploymentId, Project};
use crate::domain::ledger::{Entry, Hold, Outcome, RuleStanding, Source, Undone, Vote, Word};
use crate::domain::policy::VoteAs;
use crate::domain::verdict::{self, Verdict, WhyNot};
use crate::domain::wording::{Prose, Spelling, answer, explain};
use crate::ports::failure::Failure;
use crate::ports::forge::Sighting;
use crate::ports::store::Change;
use jiff::Timestamp;

/// How many deployments of a conversation commands and cards look at.
pub const MOST_SHOWN: u32 = 50;

/// How many verdicts one comment has explained; of the others it is told how they stand. Whoever may comment
/// may ask, and nothing is released here while a comment is being answered.
const MOST_EXPLAINED: u32 = 5;

/// Who gives the commands of one comment.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// Their account.
    pub account: Account,
    /// When they wrote, by the forge.
    pub at: Timestamp,
    /// Where they spoke.
    pub here: Here,
    /// How commands are spelt to them.
    pub spelling: Spelling,
    /// The project they wrote in.
    pub project: Project,
}

/// Where somebody speaks: names mean what is shown there.
#[derive(Clone, Debug)]
pub enum Here {
    /// On a forge.
    Conversation(Conversation),
    /// In a chat.
    Channel {
        /// The chat.
        chat: ChatName,
        /// Its channel.
        channel: ChannelId,
    },
}

/// What is to be written for one comment.
#[derive(Debug, Default)]
pub struct Plan {
    /// The answer; empty for none.
    pub text: Prose,
    /// Ledger entries.
    pub changes: Vec<Change>,
    /// What the world is told.
    pub effects: Vec<Effect>,
    /// Deployments that turned out to have moved on.
    pub look_at: Vec<DeploymentId>,
    /// A policy names the speaker, as far as this comment showed.
    pub named: bool,
    /// How many verdicts it explains; each takes several calls.
    pub explained: u32,
    /// One word for the log.
    pub outcome: &'static str,
}

impl Plan {
    /// Nothing but an answer.
    pub fn saying(text: Prose) -> Self {
        Self { text, outcome: "answered", ..Self::default() }
    }

    /// Adds to the answer.
    pub fn say(&mut self, text: Prose) {
        self.text.extend(text);
    }

    /// Makes a change, brings its card up to date.
    fn record(&mut self, deployment: &Deployment, entries: Vec<Entry>) {
        self.changes.push(change(deployment, entries));
        for effect in shown_by(&deployment.description) {
            if !self.effects.contains(&effect) {
                self.effects.push(effect);
            }
        }
        self.named = true;
        self.outcome = "recorded";
    }
}

impl App {
    /// Works out what the commands of a comment come to. Reads the forge, writes nothing (but may open what was not
    /// yet known to wait).
    pub async fn plan(
        &self,
        desk: &Desk,
        (speaker, comment): (&Speaker, &CommentRef),
        commands: &[Result<Command, Misunderstood>],
    ) -> Result<Plan, Stopped> {
        let mut stage = self.stage(desk, speaker).await?;
        let mut plan = Plan { outcome: "answered", ..Plan::default() };
        let mut decided: Vec<DeploymentId> = Vec::new();
        for command in commands {
            let command = match command {
                Ok(command) => command,
                Err(Misunderstood::UnknownVerb { word, did_you_mean, .. }) => {
                    plan.say(answer::unknown_verb(word, did_you_mean.map(Verb::name), &speaker.spelling));
                    continue;
                }
            };
            let (targets, reason) = match self.choose(desk, speaker, &mut stage, command).await? {
                (Chosen::These(targets), reason) => (targets, reason),
                (Chosen::Say(text), _) => {
                    plan.say(text);
                    continue;
                }
            };
            if command.verb.decides() {
                if let Some(twice) = targets.iter().find(|d| decided.contains(d.id())) {
                    return Ok(Plan::saying(answer::two_decisions(&twice.description)));
                }
                decided.extend(targets.iter().map(|d| d.id().clone()));
            }
            let source = Source::Comment { comment: comment.clone(), line: command.line };
            let spoken =
                Spoken { speaker, verb: command.verb, reason: reason.as_deref(), source, aside: None };
            for deployment in &targets {
                let seen = stage.listed.get(&deployment.description.native);
                self.carry_out(&mut plan, &spoken, deployment, seen).await?;
            }
        }
        Ok(plan)
    }

    /// One command on one deployment; `seen` when it was listed for this very decision.
    pub async fn carry_out(
        &self,
        plan: &mut Plan,
        spoken: &Spoken<'_>,
        deployment: &Deployment,
        seen: Option<&Sighting>,
    ) -> Result<(), Stopped> {
        let description = &deployment.description;
        let Some(word) = spoken.word() else { return self.tell(plan, spoken.verb, deployment).await };
        if !deployment.status.takes_votes() {
            plan.say(answer::not_waiting(deployment, word));
            return Ok(());
        }
        match self.gather_seen(deployment, spoken.speaker.account.id, seen).await {
            Ok(Some(case)) if case.waits() => vote(plan, spoken, word, &Ground { deployment, case: &case }),
            Ok(None) => plan.say(answer::no_policy(Some(&description.environment))),
            Ok(Some(_)) | Err(Stopped::Forge(Failure::NotFound)) => {
                plan.look_at.push(deployment.id().clone());
                plan.say(answer::moved_away(description));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The commands that only ask.
    async fn tell(&self, plan: &mut Plan, verb: Verb, deployment: &Deployment) -> Result<(), Stopped> {
        if verb != Verb::Why || !deployment.status.takes_votes() || plan.explained >= MOST_EXPLAINED {
            plan.say(Prose::paragraph(answer::status_line(deployment)));
            return Ok(());
        }
        match self.gather(deployment, None).await {
            Ok(Some(case)) => {
                plan.explained += 1;
                plan.say(explain::why(&deployment.description, &case.decide(&deployment.votes)));
            }
            Ok(None) => plan.say(answer::no_policy(Some(&deployment.description.environment))),
            Err(Stopped::Forge(Failure::NotFound)) => {
                plan.look_at.push(deployment.id().clone());
                plan.say(answer::moved_away(&deployment.description));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// One command, as spoken.
pub struct Spoken<'a> {
    /// By whom.
    pub speaker: &'a Speaker,
    /// What to do.
    pub verb: Verb,
    /// Why: foreign text.
    pub reason: Option<&'a str>,
    /// Where it was spoken.
    pub source: Source,
    /// Where they are answered, in a chat.
    pub aside: Option<&'a Aside>,
}

/// What a deciding command is about.
struct Ground<'a> {
    deployment: &'a Deployment,
    case: &'a Case,
}

impl Ground<'_> {
    /// The verdict and the standing of its rules if this vote is added.
    fn with(&self, vote: &Vote) -> (Verdict, Vec<RuleStanding>) {
        let mut votes = self.deployment.votes.clone();
        votes.push(vote.clone());
        let verdict = self.case.decide(&votes);
        let standing = standing(&self.case.policy, &verdict);
        (verdict, standing)
    }

    /// Its approvals are there, by this verdict, but it was not released: a fact could not be read, or the forge refused.
    fn is_due(&self, verdict: &Verdict) -> bool {
        let refused = [Hold::VoteRefused, Hold::StartRefused].map(|hold| Some(Outcome::Waiting(hold)));
        let held_back =
            self.deployment.status == Status::Blocked || refused.contains(&self.deployment.outcome);
        held_back && verdict.outcome == verdict::Outcome::Approved
    }

    fn earlier(&self, speaker: &Speaker) -> Option<&Vote> {
        newest_words(&self.deployment.votes).get(&speaker.account.id).copied()
    }
}

impl Spoken<'_> {
    fn word(&self) -> Option<Word> {
        match self.verb {
            Verb::Approve => Some(Word::Approved),
            Verb::Reject => Some(Word::Rejected),
            Verb::Revoke => Some(Word::Revoked),
            Verb::Status | Verb::Why | Verb::Blocked | Verb::Help => None,
        }
    }

    fn vote(&self, word: Word) -> Vote {
        Vote {
            by: self.speaker.account.clone(),
            word,
            at: self.speaker.at,
            reason: self.reason.map(str::to_owned),
            source: self.source.clone(),
        }
    }

    /// The vote for the forge, with the rule that our matching chooses for this person.
    fn ballot(&self, word: Word, ground: &Ground<'_>) -> Ballot {
        let me = self.speaker.account.id;
        let (_, standing) = ground.with(&self.vote(word));
        let chosen = standing.iter().position(|rule| rule.filled_by.iter().any(|account| account.id == me));
        let rules = &ground.case.policy.rules;
        Ballot {
            deployment: ground.deployment.id().clone(),
            voter: self.speaker.account.clone(),
            word,
            reason: self.reason.map(str::to_owned),
            at: self.speaker.at,
            source: self.source.clone(),
            aside: self.aside.cloned().map(Box::new),
            represented_as: chosen.and_then(|index| rules.get(index)).and_then(|rule| rule.label.clone()),
        }
    }
}

fn vote(plan: &mut Plan, spoken: &Spoken<'_>, word: Word, ground: &Ground<'_>) {
    let (description, case) = (&ground.deployment.description, ground.case);
    if word == Word::Rejected && spoken.reason.is_none() && case.policy.reject_needs_reason {
        plan.say(answer::reason_needed(description, &spoken.speaker.spelling));
    } else if word == Word::Revoked {
        revoke(plan, spoken, ground);
    } else if case.vote_as == VoteAs::Sudo {
        plan.effects.push(Effect::CastVote(spoken.ballot(word, ground)));
        plan.named = true;
        plan.outcome = "handed over";
    } else if let Err(why) = eligibility(&case.policy, spoken.speaker.account.id, word, &case.facts) {
        plan.named |= !matches!(why, WhyNot::NotNamed | WhyNot::Unknown(_));
        plan.say(answer::refused(description, word, &why, &case.policy.rules));
    } else {
        record_vote(plan, spoken, word, ground);
    }
}

/// An eligible person's approval or rejection.
fn record_vote(plan: &mut Plan, spoken: &Spoken<'_>, word: Word, ground: &Ground<'_>) {
    let Ground { deployment, case } = ground;
    let description = &deployment.description;
    let at = spoken.speaker.at;
    let earlier = ground.earlier(spoken.speaker);
    plan.named = true;
    if word == Word::Rejected && deployment.is_handed_over() && case.gate.decides_once() {
        plan.say(answer::handed_over(description));
        return;
    }
    let again = earlier.is_some_and(|earlier| earlier.word == word && earlier.at <= at);
    let (vote, policy) = (spoken.vote(word), case.policy_digest());
    let (verdict, standing) = ground.with(&vote);
    let mut entries = vec![Entry::Voted { vote, policy: policy.clone(), standing }];
    if let Some(later) = earlier.filter(|earlier| earlier.at > at) {
        plan.say(answer::later_word_stands(description, later.word));
        plan.record(deployment, entries);
        return;
    }
    if again || (word == Word::Approved && deployment.status == Status::Approved) {
        if word == Word::Approved && ground.is_due(&verdict) {
            plan.effects.push(Effect::Release { deployment: deployment.id().clone() });
            plan.say(answer::release_tried_again(description));
        } else {
            plan.say(match earlier.filter(|_| again) {
                Some(earlier) => answer::already_said(description, earlier.word),
                None => Prose::paragraph(answer::status_line(deployment)),
            });
        }
        // Kept, so that a word between the two that arrives late doesn't count.
        plan.record(deployment, entries);
        return;
    }
    match &verdict.outcome {
        verdict::Outcome::Rejected { by, .. } => {
            entries.push(Entry::Rejecting { by: by.clone(), policy });
            plan.effects.push(Effect::Reject { deployment: deployment.id().clone() });
            plan.say(answer::rejection_final(description));
        }
        verdict::Outcome::Approved => {
            plan.effects.push(Effect::Release { deployment: deployment.id().clone() });
            plan.say(answer::approval_releases(description, case.policy.start_when_approved));
        }
        verdict::Outcome::Blocked => plan.say(match explain::obstacle(&verdict) {
            Some(obstacle) => answer::approval_counted_but_blocked(description, obstacle),
            None => answer::approval_counted(description, verdict.missing),
        }),
    }
    plan.record(deployment, entries);
}

/// Taking an approval back. Kept even where there is none, so that an older approval that arrives late
/// doesn't count.
fn revoke(plan: &mut Plan, spoken: &Spoken<'_>, ground: &Ground<'_>) {
    let Ground { deployment, case } = ground;
    let description = &deployment.description;
    let speaker = spoken.speaker;
    let earlier = ground.earlier(speaker);
    let has_approval = earlier.is_some_and(|earlier| earlier.word == Word::Approved);
    if case.vote_as == VoteAs::Sudo || deployment.is_handed_over() {
        plan.say(answer::handed_over(description));
        return;
    }
    if !has_approval
        && let Err(why) = eligibility(&case.policy, speaker.account.id, Word::Rejected, &case.facts)
    {
        plan.say(answer::refused(description, Word::Revoked, &why, &case.policy.rules));
        return;
    }
    let vote = spoken.vote(Word::Revoked);
    let (verdict, standing) = ground.with(&vote);
    let mut entries = vec![Entry::Voted { vote, policy: case.policy_digest(), standing: standing.clone() }];
    if deployment.status == Status::Approved && verdict.outcome != verdict::Outcome::Approved {
        entries.push(Entry::ReleaseUndone { why: Undone::Revoked, standing });
    }
    plan.say(match earlier {
        Some(later) if later.at > speaker.at => answer::later_word_stands(description, later.word),
        Some(_) if has_approval => answer::revoked(description, verdict.missing),
        Some(_) | None => answer::nothing_to_revoke(description),
    });
    plan.record(deployment, entries);
}
