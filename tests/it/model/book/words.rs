//! Words that have to count: they are kept, and have their effect.

use super::Book;
use super::chain::Chain;
use crate::model::world::{Deployed, Job, World, Written};
use countersign::domain::deployment::Status;
use countersign::domain::effect::Effect;
use countersign::domain::id::DeploymentId;
use countersign::domain::ledger::{Entry, Word};
use countersign::domain::policy::Gate;
use countersign::ports::store::{Commit, TakenCommand, Work};

/// A word of a comment that was carried out, and how.
struct Done<'a> {
    said: &'a Written,
    word: Word,
    command: &'a TakenCommand,
    commit: &'a Commit,
}

impl<'a> Done<'a> {
    fn entries(&self, one: &Deployed) -> impl Iterator<Item = &'a Entry> {
        let id = one.id();
        let changes = self.commit.changes.iter().filter(move |change| change.deployment == id);
        changes.flat_map(|change| &change.entries)
    }

    fn releases(&self, one: &Deployed) -> bool {
        let release = Work::Effect(Effect::Release { deployment: one.id() });
        self.commit.jobs.iter().any(|job| job.work == release)
    }

    fn told(&self) -> String {
        format!("{} by {}: {}", self.said.text, self.said.by, self.command.outcome)
    }
}

impl Book {
    /// Rules 3, 4, 5 and 8 in the other direction: an intact command on numbers, by somebody whose word counts, on what
    /// takes votes, is kept and has its effect.
    pub(super) fn carries_out(&mut self, world: &World, command: &TakenCommand, commit: &Commit) {
        let Some(said) = world.comments.iter().find(|one| one.at().key() == command.source) else { return };
        let intact = !said.edited && !said.deleted && !self.lied.contains(&said.id);
        if !intact || self.troubled || command.outcome == TakenCommand::GIVEN_UP {
            return;
        }
        for (number, word) in said.decides() {
            let waits = |one: &&Deployed| one.number == number && !one.gone && one.job == Job::Manual;
            let Some(one) = world.deployments.iter().find(waits) else { continue };
            let Some(chain) = self.chains.get(&one.id()).cloned() else { continue };
            // A revoke needs the right to say anything at all.
            let right = if word == Word::Approved { word } else { Word::Rejected };
            let counts = world.law.counts(one, world.human(said.by), right);
            // Told that it is being released, while it was: that stays so, whatever has become of it.
            let stood = Some(chain.moved) < self.begun(commit);
            if counts && stood && Self::takes(world, (one, &chain), word) {
                let done = Done { said, word, command, commit };
                self.is_kept((one, &chain), &done);
                if chain.status == Status::Blocked {
                    self.has_its_effect(world, (one, &chain), &done);
                }
            }
        }
    }

    /// What was handed over is not taken back. Further approvals of what is approved are left out: they are answered
    /// with how it stands.
    fn takes(world: &World, (one, chain): (&Deployed, &Chain), wanted: Word) -> bool {
        let handed_over = chain.is_handed_over(world, one);
        let decides_once = world.law.of(one.environment).gate == Gate::ProtectionRule;
        let when_approved = match wanted {
            Word::Approved => false,
            Word::Rejected => !(handed_over && decides_once),
            Word::Revoked => !handed_over,
        };
        chain.status == Status::Blocked || chain.status == Status::Approved && when_approved
    }

    /// Also a word that says the same again: one between the two may still come. One that only has a release tried
    /// again may be left out.
    fn is_kept(&mut self, (one, chain): (&Deployed, &Chain), done: &Done) {
        let Done { said, word, .. } = done;
        let (this, key) = ((said.created_at, *word), (one.id(), said.by));
        let owed = self.owed.entry(key).or_insert(this);
        if owed.0 < said.created_at {
            *owed = this;
        }
        let kept = done.entries(one).any(|entry| {
            matches!(entry, Entry::Voted { vote, .. } if vote.by.id.0 == said.by && vote.word == *word)
        });
        let newest = chain.newest_of(said.by);
        let again = newest.is_some_and(|vote| vote.word == *word && vote.at <= said.created_at);
        self.expect(kept || again && done.releases(one), "§2.8", || {
            format!("a word that counts is not recorded: {}", done.told())
        });
    }

    fn has_its_effect(&mut self, world: &World, (one, chain): (&Deployed, &Chain), done: &Done) {
        let Done { said, word, .. } = done;
        let is_newest = chain.newest_of(said.by).is_none_or(|vote| vote.at <= said.created_at);
        let mut words = chain.words();
        words.retain(|(by, _)| *by != said.by);
        words.push((said.by, *word));
        let filled = *word == Word::Approved && is_newest && world.law.approves(world, one, &words);
        let rejects = done.entries(one).any(|entry| matches!(entry, Entry::Rejecting { .. }));
        let ends = *word == Word::Rejected && is_newest;
        self.expect(rejects == ends, "§2.3", || {
            format!("a rejection must end it, nothing else may: {}", done.told())
        });
        self.expect(done.releases(one) == filled, "§2.4", || {
            format!("released when filled, only then: {}", done.told())
        });
    }

    /// Rule 5, at the end: what stands of each person is the newest of the words that had to count.
    pub(crate) fn newest_words_stand(&mut self, id: &DeploymentId) {
        let Some(chain) = self.chains.get(id).cloned() else { return };
        let owed = self.owed.clone();
        for ((_, by), (at, word)) in owed.into_iter().filter(|((on, _), _)| on == id) {
            let stands = chain.newest_of(by).is_some_and(|vote| vote.at > at || vote.word == word);
            self.expect(stands, "§2.5", || {
                format!("{word:?} of {by} at {at} is the newest word on {id}, and {:?} stands", chain.words())
            });
        }
    }
}
