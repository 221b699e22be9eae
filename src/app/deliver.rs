//! Effects at the gate: release, reject, vote in a person's name. Every attempt reads the world first.

use super::gather::{Case, standing};
use super::observe::{change, ran, rejected_there};
use super::worker::Task;
use super::{App, Desk, Stopped};
use crate::domain::decide::approvers;
use crate::domain::deployment::{Deployment, Status};
use crate::domain::effect::{Ballot, Effect, Look};
use crate::domain::id::{Conversation, DeploymentId, ForgeName, PlatformName};
use crate::domain::ledger::{Entry, Hold, Outcome, Undone, Word};
use crate::domain::policy::{Gate, VoteAs};
use crate::domain::verdict;
use crate::domain::wording::card::{approval_comment, rejection_comment};
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{Landed, OwnVote, Progress, Sighting};
use crate::ports::store::{Commit, CommitError, Finish, Lane, NewJob, Work};
use jiff::Timestamp;

impl App {
    /// Starts a deployment, if the rules still say so.
    pub async fn release(&self, task: &Task, id: &DeploymentId) -> Result<(), Stopped> {
        let Some(deployment) = self.store.deployment(id).await? else { return self.done(task).await };
        match deployment.status {
            Status::Blocked | Status::Approved | Status::Releasing => {}
            Status::Rejecting
            | Status::Released
            | Status::Passed
            | Status::Deployed
            | Status::Failed
            | Status::Rejected
            | Status::Cancelled
            | Status::Bypassed
            | Status::Gone => return self.done(task).await,
        }
        let desk = self.desk(&deployment.description.forge)?;
        let Some(sighting) = self.sight(desk, &deployment).await? else { return self.done(task).await };
        if sighting.state != Progress::Waiting {
            return self.settle_started(task, &deployment, &sighting).await;
        }
        let again = !task.is_first_attempt() || deployment.status == Status::Releasing;
        match self.still_approved(task, deployment, sighting).await? {
            Some((deployment, case)) => {
                let release = Release { deployment: &deployment, case: &case, again };
                self.carry_out_release(task, desk, &release).await
            }
            None => Ok(()),
        }
    }

    /// The last check, and behind it the point of no return. `None`: it is not to be released now, and
    /// the job has been ended.
    async fn still_approved(
        &self,
        task: &Task,
        deployment: Deployment,
        sighting: Sighting,
    ) -> Result<Option<(Deployment, Case)>, Stopped> {
        let Some(entry) = self.entry_of(&deployment) else {
            self.undo(task, &deployment, None).await?;
            return Ok(None);
        };
        let case = self.gather_around(&deployment, None, sighting, entry).await?;
        let decided = case.decide(&deployment.votes);
        let moved = case.sighting.sha != deployment.description.sha;
        if decided.outcome != verdict::Outcome::Approved || moved {
            self.undo(task, &deployment, Some((&case, &decided))).await?;
            return Ok(None);
        }
        if deployment.status == Status::Releasing {
            return Ok(Some((deployment, case)));
        }
        let releasing = Entry::Releasing { approvers: approvers(&decided), policy: case.policy_digest() };
        let mut commit = Commit::at(self.clock.now());
        commit.changes.push(change(&deployment, vec![releasing.clone()]));
        commit.unless_waiting = self.spoken_at(&deployment).await?;
        self.store.commit(commit).await?;
        let mut deployment = deployment;
        deployment.add(releasing);
        Ok(Some((deployment, case)))
    }

    /// The keys of what may have been said on a deployment: in its conversation, and where its messages stand.
    async fn spoken_at(&self, deployment: &Deployment) -> Result<Vec<String>, Stopped> {
        let description = &deployment.description;
        let mut keys: Vec<String> = description.conversation.iter().map(Conversation::key).collect();
        if let Some(notify) = &description.notify {
            for posting in self.store.postings_about(&notify.subject).await? {
                keys.extend(posting.message.iter().map(|m| m.channel.key(&posting.channel.chat)));
            }
        }
        Ok(keys)
    }

    /// Proven not released and no longer approved: back to blocked.
    async fn undo(
        &self,
        task: &Task,
        deployment: &Deployment,
        now: Option<(&Case, &verdict::Verdict)>,
    ) -> Result<(), Stopped> {
        let mut commit = self.finishing(task);
        let standing = now.map_or_else(Vec::new, |(case, verdict)| standing(&case.policy, verdict));
        if deployment.status == Status::Releasing || standing != deployment.standing {
            let entry = Entry::ReleaseUndone { why: Undone::NoLongerApproved, standing };
            commit.changes.push(change(deployment, vec![entry]));
            commit.jobs.extend(self.showing(deployment)?);
        }
        Ok(self.store.commit(commit).await?)
    }

    async fn carry_out_release(
        &self,
        task: &Task,
        desk: &Desk,
        release: &Release<'_>,
    ) -> Result<(), Stopped> {
        let Release { deployment, case, .. } = release;
        match case.gate {
            Gate::ProtectionRule => self.answer_the_gate(task, desk, release).await,
            Gate::Native if case.vote_as == VoteAs::Bot && pending(&case.sighting) > 0 => {
                self.vote_and_start(task, desk, release).await
            }
            Gate::Native | Gate::ManualJob => {
                self.start(task, desk, (deployment, case), &case.sighting).await
            }
        }
    }

    /// The forge asked for one decision, and starts the deployment itself.
    async fn answer_the_gate(&self, task: &Task, desk: &Desk, release: &Release<'_>) -> Result<(), Stopped> {
        let Release { deployment, case, .. } = release;
        task.guard()?;
        match desk.forge.vote(&deployment.description, &release.vote()).await {
            Ok(Landed::Here) if case.sighting.held_by_others => {
                self.settle_held(task, deployment, Hold::OtherRules).await
            }
            Ok(Landed::Here) => self.settle(task, deployment, Outcome::Started).await,
            Ok(Landed::Astray) => self.settle(task, deployment, Outcome::Strayed).await,
            Err(Failure::Refused(_)) => self.not_taken(task, desk, deployment).await,
            Err(failure) => Err(failure.into()),
        }
    }

    /// The forge took no vote: it has moved on, or the bot may not vote.
    async fn not_taken(&self, task: &Task, desk: &Desk, deployment: &Deployment) -> Result<(), Stopped> {
        let Some(sighting) = self.sight(desk, deployment).await? else { return self.done(task).await };
        match sighting.state {
            Progress::Waiting => self.settle_held(task, deployment, Hold::VoteRefused).await,
            Progress::Running | Progress::Succeeded | Progress::Failed | Progress::Cancelled => {
                self.settle_started(task, deployment, &sighting).await
            }
        }
    }

    async fn vote_and_start(&self, task: &Task, desk: &Desk, release: &Release<'_>) -> Result<(), Stopped> {
        let Release { deployment, case, .. } = release;
        task.guard()?;
        match desk.forge.vote(&deployment.description, &release.vote()).await {
            Ok(_) | Err(Failure::Refused(Refusal::NotWaiting)) => {}
            Err(Failure::Refused(_)) => {
                return self.settle_held(task, deployment, Hold::VoteRefused).await;
            }
            Err(failure) => return Err(failure.into()),
        }
        let description = &deployment.description;
        let sighting = desk.forge.deployment(description.project.id, &description.native).await?;
        self.start(task, desk, (deployment, case), &sighting).await
    }

    /// Everything of ours is there: start the job, unless something else holds it.
    async fn start(
        &self,
        task: &Task,
        desk: &Desk,
        (deployment, case): (&Deployment, &Case),
        sighting: &Sighting,
    ) -> Result<(), Stopped> {
        if sighting.state != Progress::Waiting {
            return self.settle_started(task, deployment, sighting).await;
        }
        if pending(sighting) > 0 {
            return self.settle_held(task, deployment, Hold::OtherRules).await;
        }
        if !case.policy.start_when_approved {
            return self.settle_held(task, deployment, Hold::StartByHand).await;
        }
        self.play(task, desk, deployment, sighting).await
    }

    /// Plays a job that was manual a moment ago. One that moved on is never played: that would retry it.
    async fn play(
        &self,
        task: &Task,
        desk: &Desk,
        deployment: &Deployment,
        sighting: &Sighting,
    ) -> Result<(), Stopped> {
        let Some(job) = sighting.job.as_ref().filter(|job| job.manual) else {
            return self.settle_held(task, deployment, Hold::StartByHand).await;
        };
        task.guard()?;
        match desk.forge.play(deployment.description.project.id, job.id).await {
            Ok(()) => self.settle(task, deployment, Outcome::Started).await,
            Err(Failure::Refused(Refusal::Unplayable)) => Err(Failure::UnknownOutcome {
                what: "the forge says that the job can't be played now".to_owned(),
            }
            .into()),
            Err(Failure::Refused(_)) => self.settle_held(task, deployment, Hold::StartRefused).await,
            Err(failure) => Err(failure.into()),
        }
    }

    /// The forge shows it past its gate: by our release, or by somebody else's hand.
    async fn settle_started(
        &self,
        task: &Task,
        deployment: &Deployment,
        sighting: &Sighting,
    ) -> Result<(), Stopped> {
        if deployment.status != Status::Releasing {
            self.observe(deployment).await?;
            return self.done(task).await;
        }
        let me = self.desk(&deployment.description.forge)?.forge.me().await?;
        let player = sighting.job.as_ref().and_then(|job| job.user.clone());
        let outcome = match sighting.state {
            Progress::Cancelled => Outcome::Cancelled,
            Progress::Failed if rejected_there(sighting) => Outcome::Rejected,
            Progress::Failed if !ran(sighting) => Outcome::Failed,
            Progress::Waiting | Progress::Running | Progress::Succeeded | Progress::Failed => match player {
                Some(player) if player.id != me.id => Outcome::StartedBy(Some(player)),
                Some(_) | None => Outcome::Started,
            },
        };
        self.settle(task, deployment, outcome).await
    }

    async fn settle_held(&self, task: &Task, deployment: &Deployment, hold: Hold) -> Result<(), Stopped> {
        if deployment.outcome == Some(Outcome::Waiting(hold)) && deployment.status == Status::Approved {
            return self.done(task).await;
        }
        self.settle(task, deployment, Outcome::Waiting(hold)).await
    }

    /// Writes how it went on, and ends the job.
    async fn settle(&self, task: &Task, deployment: &Deployment, outcome: Outcome) -> Result<(), Stopped> {
        let mut commit = self.finishing(task);
        commit.jobs.extend(self.read_the_rest(&deployment.description, &outcome, commit.at));
        commit.changes.push(change(deployment, vec![Entry::Settled { outcome }]));
        commit.jobs.extend(self.showing(deployment)?);
        Ok(self.store.commit(commit).await?)
    }

    /// Fails a deployment that was rejected here.
    pub async fn reject(&self, task: &Task, id: &DeploymentId) -> Result<(), Stopped> {
        let Some(deployment) = self.store.deployment(id).await? else { return self.done(task).await };
        if deployment.status != Status::Rejecting {
            return self.done(task).await;
        }
        let desk = self.desk(&deployment.description.forge)?;
        let Some(sighting) = self.sight(desk, &deployment).await? else { return self.done(task).await };
        match sighting.state {
            Progress::Waiting => self.carry_out_rejection(task, desk, &deployment, &sighting).await,
            Progress::Failed | Progress::Cancelled => self.settle(task, &deployment, Outcome::Rejected).await,
            Progress::Running | Progress::Succeeded => {
                let player = sighting.job.as_ref().and_then(|job| job.user.clone());
                self.settle(task, &deployment, Outcome::Bypassed(player)).await
            }
        }
    }

    async fn carry_out_rejection(
        &self,
        task: &Task,
        desk: &Desk,
        deployment: &Deployment,
        sighting: &Sighting,
    ) -> Result<(), Stopped> {
        let description = &deployment.description;
        let votes = match description.gate {
            Gate::Native => pending(sighting) > 0,
            Gate::ProtectionRule => true,
            Gate::ManualJob => false,
        };
        task.guard()?;
        if votes {
            let comment = rejection_comment(deployment);
            let vote = OwnVote { word: Word::Rejected, comment, again: !task.is_first_attempt() };
            match desk.forge.vote(description, &vote).await {
                Ok(Landed::Here) => return self.settle(task, deployment, Outcome::Rejected).await,
                Ok(Landed::Astray) => return self.settle(task, deployment, Outcome::Strayed).await,
                // A protection rule has no other way; what it could not fail is looked at again.
                Err(failure @ Failure::Refused(_)) if description.gate == Gate::ProtectionRule => {
                    return Err(failure.into());
                }
                // The forge takes no rejection from the bot: cancelling the job keeps it from running.
                Err(Failure::Refused(_)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        if let Some(job) = &sighting.job {
            match desk.forge.cancel(description.project.id, job.id).await {
                Ok(()) | Err(Failure::NotFound) => {}
                // Refused: the job could still be played, so nothing is settled, and it is tried again.
                Err(failure) => return Err(failure.into()),
            }
        }
        self.settle(task, deployment, Outcome::Rejected).await
    }

    /// Ends a job with nothing else to write.
    pub async fn done(&self, task: &Task) -> Result<(), Stopped> {
        match self.store.commit(self.finishing(task)).await {
            Ok(()) | Err(CommitError::LeaseLost) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A commit that ends this job.
    pub fn finishing(&self, task: &Task) -> Commit {
        let mut commit = Commit::at(self.clock.now());
        commit.finish = Some(Finish::Done(task.lease().clone()));
        commit
    }

    /// The job that carries an effect.
    pub fn effect(&self, effect: Effect, order: Timestamp) -> Result<NewJob, Stopped> {
        let (lane, key, dedupe) = address(&effect);
        let platform = self.platform_of(&effect)?;
        let (work, run_at, cause) = (Work::Effect(effect), self.clock.now(), self.cause.clone());
        Ok(NewJob { lane, key, platform, work, run_at, order, dedupe, cause })
    }

    /// The forge or chat that an effect is for. One that the configuration no longer has is an error.
    fn platform_of(&self, effect: &Effect) -> Result<PlatformName, Stopped> {
        let forge = match effect {
            Effect::SyncNotice { channel, .. } => return Ok((&channel.chat).into()),
            Effect::Whisper { to, .. } => return Ok((&to.chat).into()),
            Effect::Release { deployment }
            | Effect::Reject { deployment }
            | Effect::SyncButtons { deployment }
            | Effect::Report { deployment }
            | Effect::CastVote(Ballot { deployment, .. }) => deployment.forge(),
            Effect::SyncCard { conversation } | Effect::Say { at: conversation, .. } => {
                conversation.forge.clone()
            }
            Effect::Reply { to, .. } | Effect::React { to } => to.conversation.forge.clone(),
        };
        self.desk(&forge)?;
        Ok((&forge).into())
    }

    /// A job that looks again.
    pub fn look(&self, look: Look, forge: &ForgeName, run_at: Timestamp) -> NewJob {
        let key = serde_json::to_string(&look).unwrap_or_default();
        let dedupe = Some(format!("look:{key}"));
        NewJob {
            lane: Lane::Look,
            key,
            platform: forge.into(),
            work: Work::Look(look),
            run_at,
            order: run_at,
            dedupe,
            cause: self.cause.clone(),
        }
    }
}

/// A release, past the point of no return.
struct Release<'a> {
    deployment: &'a Deployment,
    case: &'a Case,
    /// An earlier attempt may have told the forge already.
    again: bool,
}

impl Release<'_> {
    fn vote(&self) -> OwnVote {
        let approvers = approvers(&self.case.decide(&self.deployment.votes));
        OwnVote { word: Word::Approved, comment: approval_comment(&approvers), again: self.again }
    }
}

/// Approvals that the forge still wants; 0 where it has none of its own.
fn pending(sighting: &Sighting) -> u32 {
    sighting.approvals.as_ref().map_or(0, |approvals| approvals.pending)
}

/// Lane, key and mark of an effect's job.
fn address(effect: &Effect) -> (Lane, String, Option<String>) {
    match effect {
        Effect::Release { deployment } => {
            (Lane::Gate, deployment.to_string(), Some(format!("release:{deployment}")))
        }
        Effect::Reject { deployment } => {
            (Lane::Gate, deployment.to_string(), Some(format!("reject:{deployment}")))
        }
        Effect::CastVote(Ballot { deployment, .. }) => (Lane::Gate, deployment.to_string(), None),
        Effect::SyncCard { conversation } => {
            (Lane::Card, conversation.key(), Some(format!("card:{}", conversation.key())))
        }
        Effect::SyncButtons { deployment } => {
            (Lane::Card, format!("buttons:{deployment}"), Some(format!("buttons:{deployment}")))
        }
        Effect::Report { deployment } => {
            (Lane::Card, format!("report:{deployment}"), Some(format!("report:{deployment}")))
        }
        Effect::SyncNotice { channel, subject } => {
            let mark = format!("notice:{channel}/{subject}");
            (Lane::Card, mark.clone(), Some(mark))
        }
        Effect::Whisper { to, .. } => {
            (Lane::Reply, format!("{}/{}/{}", to.chat, to.channel.as_str(), to.user), None)
        }
        Effect::Reply { to, marker, .. } => (Lane::Reply, format!("{}/{marker}", to.key()), None),
        Effect::Say { at, marker, .. } => (Lane::Reply, format!("{}/{marker}", at.key()), None),
        Effect::React { to } => (Lane::React, to.key(), None),
    }
}
