//! A vote in a person's name (`vote_as = "sudo"`): the forge decides, we carry it there and answer.

use super::gather::standing;
use super::observe::change;
use super::worker::Task;
use super::{App, Desk, Stopped};
use crate::domain::deployment::Deployment;
use crate::domain::effect::{Ballot, Effect};
use crate::domain::ledger::{Entry, Source, Vote, Word};
use crate::domain::wording::{Prose, answer};
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{PersonsVote, Progress, Sighting};
use crate::ports::store::Commit;

impl App {
    /// Hands the vote over, records it if the forge took it, and answers either way.
    pub async fn cast_vote(&self, task: &Task, ballot: &Ballot) -> Result<(), Stopped> {
        let Some(deployment) = self.store.deployment(&ballot.deployment).await? else {
            return self.done(task).await;
        };
        if !deployment.status.takes_votes() {
            return self.answer_ballot(task, ballot, answer::not_waiting(&deployment, ballot.word)).await;
        }
        let description = &deployment.description;
        let desk = self.desk(&description.forge)?;
        let sighting = desk.forge.deployment(description.project.id, &description.native).await?;
        if !is_there(&sighting, ballot)
            && let Some(refusal) = self.hand_over(task, desk, &deployment, ballot).await?
        {
            let why = answer::refusal_words(&refusal);
            return self
                .answer_ballot(task, ballot, answer::vote_refused(description, ballot.word, why))
                .await;
        }
        self.record_ballot(task, desk, &deployment, ballot).await
    }

    /// `Some` when the forge refused.
    async fn hand_over(
        &self,
        task: &Task,
        desk: &Desk,
        deployment: &Deployment,
        ballot: &Ballot,
    ) -> Result<Option<answer::Refusal>, Stopped> {
        task.guard()?;
        let vote = PersonsVote {
            voter: ballot.voter.id,
            word: ballot.word,
            comment: ballot.reason.clone(),
            represented_as: ballot.represented_as.clone(),
        };
        match desk.forge.vote_as(&deployment.description, &vote).await {
            Ok(()) => Ok(None),
            Err(Failure::Refused(refusal)) => Ok(Some(in_words(refusal))),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The vote is on the forge: into the ledger with it, answer, and start the job if that was the last.
    async fn record_ballot(
        &self,
        task: &Task,
        desk: &Desk,
        deployment: &Deployment,
        ballot: &Ballot,
    ) -> Result<(), Stopped> {
        let description = &deployment.description;
        let sighting = desk.forge.deployment(description.project.id, &description.native).await?;
        let pending = sighting.approvals.as_ref().map_or(0, |approvals| approvals.pending);
        let Some(entry) = self.entry_of(deployment) else { return self.done(task).await };
        let vote = Vote {
            by: ballot.voter.clone(),
            word: ballot.word,
            at: ballot.at,
            reason: ballot.reason.clone(),
            source: ballot.source.clone(),
        };
        let mut with_vote = deployment.clone();
        with_vote.votes.push(vote.clone());
        let case = self.gather_around(&with_vote, None, sighting, entry).await?;
        let standing = standing(&case.policy, &case.decide(&with_vote.votes));
        let policy = case.policy_digest();
        let mut entries = vec![Entry::Voted { vote, policy: policy.clone(), standing }];
        let mut commit = self.finishing(task);
        match ballot.word {
            Word::Rejected => {
                entries.push(Entry::Rejecting { by: ballot.voter.clone(), policy });
                commit
                    .jobs
                    .push(self.effect(Effect::Reject { deployment: deployment.id().clone() }, ballot.at)?);
            }
            Word::Approved if pending == 0 => {
                commit
                    .jobs
                    .push(self.effect(Effect::Release { deployment: deployment.id().clone() }, ballot.at)?);
            }
            Word::Approved | Word::Revoked => {}
        }
        commit.changes.push(change(deployment, entries));
        commit.jobs.extend(self.showing(deployment)?);
        self.add_answer(&mut commit, ballot, answer::vote_taken(description, ballot.word, pending))?;
        Ok(self.store.commit(commit).await?)
    }

    async fn answer_ballot(&self, task: &Task, ballot: &Ballot, text: Prose) -> Result<(), Stopped> {
        let mut commit = self.finishing(task);
        self.add_answer(&mut commit, ballot, text)?;
        Ok(self.store.commit(commit).await?)
    }

    /// A vote that came by a button is answered by what the buttons then show.
    fn add_answer(&self, commit: &mut Commit, ballot: &Ballot, text: Prose) -> Result<(), Stopped> {
        if let Some(to) = &ballot.aside {
            let terms = self.desk(&ballot.deployment.forge())?.forge.terms();
            let (to, text) = ((**to).clone(), text.in_terms(&terms));
            commit.jobs.push(self.effect(Effect::Whisper { to, text, choices: Vec::new() }, ballot.at)?);
            return Ok(());
        }
        let Source::Comment { comment, line } = &ballot.source else { return Ok(()) };
        let native = ballot.deployment.as_str().rsplit('/').next().unwrap_or_default();
        let marker = format!("{line}-{native}");
        let (to, whom) = (comment.clone(), ballot.voter.clone());
        commit.jobs.push(self.effect(Effect::Reply { to, whom, marker, text }, ballot.at)?);
        Ok(())
    }
}

/// The forge already holds this vote: an earlier attempt's answer was lost.
fn is_there(sighting: &Sighting, ballot: &Ballot) -> bool {
    let mine =
        |vote: &&crate::ports::forge::ForgeVote| vote.by == ballot.voter.id && vote.word == ballot.word;
    let rejected = ballot.word == Word::Rejected && sighting.state == Progress::Failed;
    rejected || sighting.approvals.as_ref().is_some_and(|approvals| approvals.votes.iter().any(|v| mine(&v)))
}

fn in_words(refusal: Refusal) -> answer::Refusal {
    match refusal {
        Refusal::SelfApproval => answer::Refusal::SelfApproval,
        Refusal::NotProtected => answer::Refusal::NotProtected,
        Refusal::NoApprovals => answer::Refusal::NoApprovals,
        Refusal::NotWaiting | Refusal::Unplayable => answer::Refusal::NotWaiting,
        Refusal::NoPermission | Refusal::Locked => answer::Refusal::NoPermission,
        Refusal::NoSuchRule => answer::Refusal::NoSuchRule,
        Refusal::Other(words) => answer::Refusal::Other(words),
    }
}
