//! What the commands of one comment come to: which deployments they mean, what is decided, what is said.

use super::gather::{Case, standing};
use super::observe::change;
use super::{App, Desk, Stopped};
use crate::domain::actor::Account;
use crate::domain::card::newest_run;
use crate::domain::command::{Command, Misunderstood, Resolved, Target, TargetError, Verb};
use crate::domain::decide::{eligibility, newest_words};
use crate::domain::deployment::{Deployment, Description, Status};
use crate::domain::effect::{Ballot, Effect};
use crate::domain::id::{CommentRef, Conversation, DeploymentId, Project};
use crate::domain::ledger::{Entry, RuleStanding, Source, Undone, Vote, Word};
use crate::domain::policy::{Gate, VoteAs};
use crate::domain::verdict::{Outcome, Verdict, WhyNot};
use crate::domain::wording::{Prose, Spelling, answer, explain, help};
use crate::ports::failure::Failure;
use crate::ports::store::{Change, Room};
use jiff::Timestamp;

/// How many deployments of a conversation commands and cards look at.
pub const MOST_SHOWN: u32 = 50;

/// Who gives the commands of one comment.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// Their account.
    pub account: Account,
    /// When they wrote, by the forge.
    pub at: Timestamp,
    /// What they wrote.
    pub comment: CommentRef,
    /// How commands are spelt to them.
    pub spelling: Spelling,
    /// The project they wrote in.
    pub project: Project,
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
    /// One word for the log.
    pub outcome: &'static str,
}

impl Plan {
    /// Nothing but an answer.
    pub fn saying(text: Prose) -> Self {
        Self { text, outcome: "answered", ..Self::default() }
    }

    fn say(&mut self, text: Prose) {
        self.text.extend(text);
    }

    /// Makes a change, brings its card up to date.
    fn record(&mut self, deployment: &Deployment, here: &Conversation, mut entries: Vec<Entry>) {
        let conversation = deployment.description.conversation.clone();
        if conversation.is_none() {
            entries.push(Entry::Placed { conversation: here.clone() });
        }
        self.changes.push(change(deployment, entries));
        self.add_card(conversation.unwrap_or_else(|| here.clone()));
        self.named = true;
        self.outcome = "recorded";
    }

    fn add_card(&mut self, conversation: Conversation) {
        let card = Effect::SyncCard { conversation };
        if !self.effects.contains(&card) {
            self.effects.push(card);
        }
    }
}

/// The deployments that a command may mean.
struct Stage {
    /// Those of this conversation, newest first.
    here: Vec<Deployment>,
    /// Names of all environments of the project that we know.
    environments: Vec<String>,
    /// What the card has shown.
    room: Room,
}

/// What a command's target comes to.
enum Chosen {
    These(Vec<Deployment>),
    Say(Prose),
}

impl App {
    /// Works out what the commands come to. Reads the forge, writes nothing (but may open what was not
    /// yet known to wait).
    pub async fn plan(
        &self,
        desk: &Desk,
        speaker: &Speaker,
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
            let spoken =
                Spoken { speaker, verb: command.verb, reason: reason.as_deref(), line: command.line };
            for deployment in &targets {
                self.carry_out(&mut plan, &spoken, deployment).await?;
            }
        }
        Ok(plan)
    }

    async fn stage(&self, desk: &Desk, speaker: &Speaker) -> Result<Stage, Stopped> {
        let conversation = &speaker.comment.conversation;
        let here = self.store.deployments_in(conversation, MOST_SHOWN).await?;
        let all = self.store.deployments_of(desk.forge.name(), conversation.project, None, 200).await?;
        let mut environments: Vec<String> =
            here.iter().chain(&all).map(|d| d.description.environment.clone()).collect();
        environments.sort_unstable();
        environments.dedup();
        Ok(Stage { here, environments, room: self.store.room(conversation).await? })
    }

    /// Finds what a command means. If nothing here fits, the project is looked at once: a hook may have
    /// been lost.
    async fn choose(
        &self,
        desk: &Desk,
        speaker: &Speaker,
        stage: &mut Stage,
        command: &Command,
    ) -> Result<(Chosen, Option<String>), Stopped> {
        if matches!(command.verb, Verb::Help) {
            return Ok((Chosen::Say(help::help(&speaker.spelling)), None));
        }
        let first = self.match_target(desk, speaker, stage, command).await?;
        if let (Chosen::These(_), _) = first {
            return Ok(first);
        }
        if stage.here.iter().any(|d| d.status.takes_votes()) && !is_unknown(stage, desk, command) {
            return Ok(first);
        }
        self.look_at_project(desk, &speaker.project).await?;
        *stage = self.stage(desk, speaker).await?;
        self.match_target(desk, speaker, stage, command).await
    }

    async fn match_target(
        &self,
        desk: &Desk,
        speaker: &Speaker,
        stage: &Stage,
        command: &Command,
    ) -> Result<(Chosen, Option<String>), Stopped> {
        if command.verb == Verb::Blocked {
            let waiting: Vec<&Deployment> = stage.here.iter().filter(|d| d.status.takes_votes()).collect();
            return Ok((Chosen::Say(answer::blocked_list(&waiting)), None));
        }
        let names: Vec<&str> = stage.environments.iter().map(String::as_str).collect();
        let Resolved { target, reason } = match command.resolve(&names, desk.exact_case) {
            Ok(resolved) => resolved,
            Err(error) => return Ok((Chosen::Say(bad_target(&error, &stage.here)), None)),
        };
        let chosen = match target {
            Target::None => without_target(stage, speaker, command.verb),
            Target::Number(number) => self.by_number(desk, speaker, number).await?,
            Target::Environment(name) => by_name(stage, speaker, command.verb, &name),
            Target::Glob { environments, .. } => by_names(stage, speaker, command.verb, &environments),
        };
        Ok((chosen, reason))
    }

    async fn by_number(&self, desk: &Desk, speaker: &Speaker, number: i64) -> Result<Chosen, Stopped> {
        let project = speaker.project.id;
        let id = DeploymentId::new(desk.forge.name(), project, number);
        if self.store.deployment(&id).await?.is_none() {
            self.changed(desk, project, number, None).await?;
        }
        Ok(match self.store.deployment(&id).await? {
            Some(deployment) => Chosen::These(vec![deployment]),
            None => Chosen::Say(answer::unknown_number(number)),
        })
    }

    /// One command on one deployment.
    async fn carry_out(
        &self,
        plan: &mut Plan,
        spoken: &Spoken<'_>,
        deployment: &Deployment,
    ) -> Result<(), Stopped> {
        let description = &deployment.description;
        let Some(word) = spoken.word() else { return self.tell(plan, spoken.verb, deployment).await };
        if !deployment.status.takes_votes() {
            plan.say(answer::not_waiting(deployment, word));
            return Ok(());
        }
        match self.gather(deployment, Some(spoken.speaker.account.id)).await {
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
        if verb != Verb::Why || !deployment.status.takes_votes() {
            plan.say(Prose::paragraph(answer::status_line(deployment)));
            return Ok(());
        }
        match self.gather(deployment, None).await {
            Ok(Some(case)) => {
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
struct Spoken<'a> {
    speaker: &'a Speaker,
    verb: Verb,
    reason: Option<&'a str>,
    line: u32,
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
            source: Source::Comment { comment: self.speaker.comment.clone(), line: self.line },
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
            comment: self.speaker.comment.clone(),
            line: self.line,
            represented_as: chosen.and_then(|index| rules.get(index)).and_then(|rule| rule.label.clone()),
        }
    }
}

fn vote(plan: &mut Plan, spoken: &Spoken<'_>, word: Word, ground: &Ground<'_>) {
    let (description, case) = (&ground.deployment.description, ground.case);
    if !case.has_gate() {
        plan.say(answer::no_native_gate(description));
    } else if word == Word::Rejected && spoken.reason.is_none() && case.policy.reject_needs_reason {
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
    let here = &spoken.speaker.comment.conversation;
    let at = spoken.speaker.at;
    let earlier = ground.earlier(spoken.speaker);
    plan.named = true;
    if let Some(earlier) = earlier.filter(|earlier| earlier.word == word && earlier.at <= at) {
        plan.say(answer::already_said(description, earlier.word));
        return;
    }
    if deployment.status == Status::Approved && word == Word::Approved {
        plan.say(Prose::paragraph(answer::status_line(deployment)));
        return;
    }
    let (vote, policy) = (spoken.vote(word), case.policy_digest());
    let (verdict, standing) = ground.with(&vote);
    let mut entries = vec![Entry::Voted { vote, policy: policy.clone(), standing }];
    if let Some(later) = earlier.filter(|earlier| earlier.at > at) {
        plan.say(answer::later_word_stands(description, later.word));
        plan.record(deployment, here, entries);
        return;
    }
    match &verdict.outcome {
        Outcome::Rejected { by, .. } => {
            entries.push(Entry::Rejecting { by: by.clone(), policy });
            plan.effects.push(Effect::Reject { deployment: deployment.id().clone() });
            plan.say(answer::rejection_final(description));
        }
        Outcome::Approved => {
            plan.effects.push(Effect::Release { deployment: deployment.id().clone() });
            plan.say(answer::approval_releases(description, case.policy.start_when_approved));
        }
        Outcome::Blocked => plan.say(match explain::obstacle(&verdict) {
            Some(obstacle) => answer::approval_counted_but_blocked(description, obstacle),
            None => answer::approval_counted(description, verdict.missing),
        }),
    }
    plan.record(deployment, here, entries);
}

/// Taking an approval back. Kept even where there is none, so that an older approval that arrives late
/// doesn't count.
fn revoke(plan: &mut Plan, spoken: &Spoken<'_>, ground: &Ground<'_>) {
    let Ground { deployment, case } = ground;
    let description = &deployment.description;
    let speaker = spoken.speaker;
    let earlier = ground.earlier(speaker);
    let has_approval = earlier.is_some_and(|earlier| earlier.word == Word::Approved);
    if case.vote_as == VoteAs::Sudo || (deployment.status == Status::Approved && case.gate == Gate::Native) {
        plan.say(answer::revoke_too_late(description));
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
    if deployment.status == Status::Approved && verdict.outcome != Outcome::Approved {
        entries.push(Entry::ReleaseUndone { why: Undone::Revoked, standing });
    }
    plan.say(match earlier {
        Some(later) if later.at > speaker.at => answer::later_word_stands(description, later.word),
        Some(_) if has_approval => answer::revoked(description, verdict.missing),
        Some(_) | None => answer::nothing_to_revoke(description),
    });
    plan.record(deployment, &speaker.comment.conversation, entries);
}

/// The words named nothing that we know here.
fn is_unknown(stage: &Stage, desk: &Desk, command: &Command) -> bool {
    let names: Vec<&str> = stage.environments.iter().map(String::as_str).collect();
    match command.resolve(&names, desk.exact_case) {
        Err(_) => true,
        Ok(Resolved { target: Target::Environment(name), .. }) => {
            !stage.here.iter().any(|d| d.description.environment == name && d.status.takes_votes())
        }
        Ok(_) => false,
    }
}

fn bad_target(error: &TargetError, here: &[Deployment]) -> Prose {
    let waiting = waiting(here);
    match error {
        TargetError::Unknown { word, did_you_mean } => {
            answer::unknown_target(word, did_you_mean.as_deref(), &waiting)
        }
        TargetError::NoMatch { pattern } | TargetError::BadGlob { pattern, .. } => {
            answer::unknown_target(pattern, None, &waiting)
        }
        TargetError::BrokenQuote { word } => answer::unknown_target(word, None, &waiting),
    }
}

fn waiting(here: &[Deployment]) -> Vec<&Description> {
    here.iter().filter(|d| d.status.takes_votes() && !d.superseded).map(|d| &d.description).collect()
}

/// Without a target: what waits here, if it is one thing; superseded ones need their number.
fn without_target(stage: &Stage, speaker: &Speaker, verb: Verb) -> Chosen {
    let mut environments: Vec<String> = stage
        .here
        .iter()
        .filter(|d| d.status.takes_votes() && !d.superseded)
        .map(|d| d.description.environment.clone())
        .collect();
    environments.sort_unstable();
    environments.dedup();
    let waiting = waiting(&stage.here);
    let runs: std::collections::BTreeSet<_> = waiting.iter().map(|d| (&d.environment, d.run)).collect();
    match environments.as_slice() {
        [] => nothing_waits(stage, verb),
        [only] if runs.len() == 1 => by_name(stage, speaker, verb, only),
        [only] if by_name_is_clear(stage, speaker, verb, only) => by_name(stage, speaker, verb, only),
        _ if verb.decides() => Chosen::Say(answer::name_one(&waiting, verb.name(), &speaker.spelling)),
        _ => Chosen::These(stage.here.iter().filter(|d| d.status.takes_votes()).cloned().collect()),
    }
}

fn by_name_is_clear(stage: &Stage, speaker: &Speaker, verb: Verb, name: &str) -> bool {
    matches!(by_name(stage, speaker, verb, name), Chosen::These(_))
}

/// Nothing waits: what ended last is named, so that a late approver learns how.
fn nothing_waits(stage: &Stage, verb: Verb) -> Chosen {
    let newest = newest_run(stage.here.iter());
    let last: Vec<Deployment> =
        stage.here.iter().filter(|d| Some(d.description.run) == newest).cloned().collect();
    if last.is_empty() || verb == Verb::Blocked {
        return Chosen::Say(answer::nothing_blocked());
    }
    Chosen::These(last)
}

fn by_names(stage: &Stage, speaker: &Speaker, verb: Verb, names: &[String]) -> Chosen {
    let mut all = Vec::new();
    for name in names {
        match by_name(stage, speaker, verb, name) {
            Chosen::These(some) => all.extend(some),
            Chosen::Say(text) if stage.here.iter().any(|d| d.description.environment == *name) => {
                return Chosen::Say(text);
            }
            Chosen::Say(_) => {}
        }
    }
    let open: Vec<Deployment> = all.iter().filter(|d| d.status.takes_votes()).cloned().collect();
    match (open.is_empty(), all.is_empty()) {
        (false, _) => Chosen::These(open),
        (true, false) => Chosen::These(all),
        (true, true) => Chosen::Say(answer::nothing_blocked()),
    }
}

/// What an environment's name means (DESIGN §9 "Which deployment"): the newest run that already waited
/// when the comment was written, unless its writer can only have seen an older one.
fn by_name(stage: &Stage, speaker: &Speaker, verb: Verb, name: &str) -> Chosen {
    let all: Vec<&Deployment> = stage.here.iter().filter(|d| d.description.environment == name).collect();
    let then: Vec<&Deployment> =
        all.iter().copied().filter(|d| d.description.blocked_at <= speaker.at).collect();
    let Some(newest) = newest_run(then.iter().copied()) else {
        return Chosen::Say(match all.first() {
            Some(later) => answer::not_yet_blocked(&later.description),
            None => answer::unknown_target(name, None, &waiting(&stage.here)),
        });
    };
    let of_run: Vec<&Deployment> = then.iter().copied().filter(|d| d.description.run == newest).collect();
    if verb.decides()
        && let Some((older, newer)) = unseen(stage, speaker, &then, &of_run)
    {
        return Chosen::Say(answer::moved_on(
            &older.description,
            &newer.description,
            verb.name(),
            &speaker.spelling,
        ));
    }
    let open: Vec<Deployment> =
        of_run.iter().filter(|d| d.status.takes_votes()).map(|d| (*d).clone()).collect();
    Chosen::These(if open.is_empty() { of_run.into_iter().cloned().collect() } else { open })
}

/// An older deployment was shown here, and this one not before the comment was written.
fn unseen<'a>(
    stage: &Stage,
    speaker: &Speaker,
    all: &[&'a Deployment],
    newest: &[&'a Deployment],
) -> Option<(&'a Deployment, &'a Deployment)> {
    let shown = |d: &Deployment| stage.room.shown.iter().find(|(id, _)| id == d.id()).map(|(_, at)| *at);
    let newer =
        newest.iter().find(|d| d.status.takes_votes() && shown(d).is_none_or(|at| speaker.at <= at))?;
    let older = all.iter().find(|d| {
        d.description.run != newer.description.run
            && d.status.takes_votes()
            && !d.superseded
            && shown(d).is_some_and(|at| at < speaker.at)
    })?;
    Some((older, newer))
}
