//! What the forge shows of a deployment that we know: votes and plays in its own pages, ends of all kinds.

use super::{App, Desk, Stopped};
use crate::app::gather::standing;
use crate::app::open::Told;
use crate::domain::actor::{Account, Known};
use crate::domain::decide::{self, newest_words};
use crate::domain::deployment::{Deployment, Status};
use crate::domain::effect::{Effect, shown_by};
use crate::domain::id::{Native, Project, ProjectId};
use crate::domain::ledger::{Entry, Hold, Outcome, Source, Vote, Word};
use crate::domain::policy;
use crate::domain::verdict;
use crate::ports::failure::Failure;
use crate::ports::forge::{Progress, Sighting};
use crate::ports::store::{Change, Commit, CommitError, NewJob};

/// How often a conflict is answered by reading again at once.
const TRIES: u32 = 3;

impl App {
    /// A deployment changed, or may have: open it, or bring what we know of it up to date.
    pub async fn changed(
        &self,
        desk: &Desk,
        project: ProjectId,
        native: &Native,
        told: &Told,
    ) -> Result<(), Stopped> {
        if let Some(known) = self.newest_round(desk, project, native).await? {
            return self.observe(&known).await;
        }
        if self.policies.of_forge(desk.forge.name()).is_empty() {
            return Ok(());
        }
        let sighting = match desk.forge.deployment(project, native).await {
            Ok(sighting) => sighting,
            Err(Failure::NotFound) => return Ok(()),
            Err(failure) => return Err(failure.into()),
        };
        let project = self.project_of(desk, project).await?;
        match sighting.state {
            Progress::Waiting => self.open(desk, &project, &sighting, told).await,
            Progress::Running | Progress::Succeeded => self.supersede(desk, &project, &sighting).await,
            Progress::Failed | Progress::Cancelled => Ok(()),
        }
    }

    /// The project with its present path.
    pub async fn project_of(&self, desk: &Desk, project: ProjectId) -> Result<Project, Stopped> {
        Ok(desk.forge.project(project).await?)
    }

    /// Looks at a known deployment and writes what has happened to it.
    pub async fn observe(&self, deployment: &Deployment) -> Result<(), Stopped> {
        let mut deployment = deployment.clone();
        for _ in 0..TRIES {
            if deployment.status.is_final() && deployment.status != Status::Rejected {
                return Ok(());
            }
            match self.observe_once(&deployment).await {
                Err(Stopped::Commit(CommitError::Conflict)) => {}
                other => return other,
            }
            match self.store.deployment(deployment.id()).await? {
                Some(fresh) => deployment = fresh,
                None => return Ok(()),
            }
        }
        Err(CommitError::Conflict.into())
    }

    async fn observe_once(&self, deployment: &Deployment) -> Result<(), Stopped> {
        let description = &deployment.description;
        let desk = self.desk(&description.forge)?;
        let Some(sighting) = self.sight(desk, deployment).await? else { return Ok(()) };
        if sighting.state == Progress::Waiting {
            if !deployment.status.is_open() {
                return self.seen_waiting(desk, &description.project, &sighting, &Told::default()).await;
            }
            return self.import_votes(desk, deployment, sighting).await;
        }
        let mut entries = self.votes_that_ended_it(desk, deployment, &sighting).await?;
        entries.extend(progress(deployment.status, &sighting));
        self.write_observed(deployment, entries).await?;
        if started(sighting.state) {
            self.supersede(desk, &description.project, &sighting).await?;
        }
        Ok(())
    }

    /// The deployment as the forge shows it now; `None` when it is gone, which is then written down.
    pub async fn sight(&self, desk: &Desk, deployment: &Deployment) -> Result<Option<Sighting>, Stopped> {
        let description = &deployment.description;
        match desk.forge.deployment(description.project.id, &description.native).await {
            Ok(sighting) => Ok(Some(sighting)),
            Err(Failure::NotFound) => self.gone_or_moved(desk, deployment).await,
            Err(failure) => Err(failure.into()),
        }
    }

    /// 404 counts only with a token that is proven good: then the deployment, its environment or its project is
    /// gone. The project's name may have been an old one, which asking for it puts right.
    async fn gone_or_moved(&self, desk: &Desk, deployment: &Deployment) -> Result<Option<Sighting>, Stopped> {
        let description = &deployment.description;
        match desk.forge.project(description.project.id).await {
            Ok(_) => match desk.forge.deployment(description.project.id, &description.native).await {
                Err(Failure::NotFound) => {}
                seen => return Ok(Some(seen?)),
            },
            Err(Failure::NotFound) => {}
            Err(failure) => return Err(failure.into()),
        }
        self.write_observed(deployment, vec![Entry::Settled { outcome: Outcome::Gone }]).await?;
        Ok(None)
    }

    async fn write_observed(&self, deployment: &Deployment, entries: Vec<Entry>) -> Result<(), Stopped> {
        let mut commit = Commit::at(self.clock.now());
        if deployment.status == Status::Releasing || deployment.status == Status::Rejecting {
            commit.jobs.push(self.gate_job(deployment)?);
        }
        if !entries.is_empty() {
            commit.jobs.extend(self.showing(deployment)?);
            if let Some(Entry::Settled { outcome }) = entries.last() {
                commit.jobs.extend(self.read_the_rest(&deployment.description, outcome, commit.at));
            }
            commit.changes.push(change(deployment, entries));
        }
        if commit.jobs.is_empty() && commit.changes.is_empty() {
            return Ok(());
        }
        Ok(self.store.commit(commit).await?)
    }

    /// A deployment that is past the point of no return always has a job that carries it on; this puts
    /// it back should it ever be missing.
    fn gate_job(&self, deployment: &Deployment) -> Result<NewJob, Stopped> {
        let deployment_id = deployment.id().clone();
        let effect = if deployment.status == Status::Rejecting {
            Effect::Reject { deployment: deployment_id }
        } else {
            Effect::Release { deployment: deployment_id }
        };
        self.effect(effect, self.clock.now())
    }

    /// Brings up to date what shows a deployment.
    pub fn showing(&self, deployment: &Deployment) -> Result<Vec<NewJob>, Stopped> {
        let now = self.clock.now();
        shown_by(&deployment.description).into_iter().map(|effect| self.effect(effect, now)).collect()
    }

    /// Votes of eligible people in the forge's own pages count as theirs (gate `native`).
    async fn import_votes(
        &self,
        desk: &Desk,
        deployment: &Deployment,
        sighting: Sighting,
    ) -> Result<(), Stopped> {
        if !deployment.status.takes_votes() {
            return self.write_observed(deployment, Vec::new()).await;
        }
        if others_have_approved(deployment, &sighting) {
            let mut commit = Commit::at(self.clock.now());
            commit
                .jobs
                .push(self.effect(Effect::Release { deployment: deployment.id().clone() }, commit.at)?);
            return Ok(self.store.commit(commit).await?);
        }
        let found = self.new_votes(desk, deployment, &sighting).await?;
        let Some(entry) = self.entry_of(deployment) else { return Ok(()) };
        if found.is_empty() {
            return self.release_if_due(deployment, sighting, entry).await;
        }
        let mut with_all = deployment.clone();
        with_all.votes.extend(found.iter().cloned());
        let case = self.gather_around(&with_all, None, sighting, entry).await?;
        let eligible =
            |vote: &Vote| decide::eligibility(&case.policy, vote.by.id, vote.word, &case.facts).is_ok();
        let mut votes = deployment.votes.clone();
        let mut entries = Vec::new();
        let mut outcome = verdict::Outcome::Blocked;
        for vote in found.into_iter().filter(eligible) {
            votes.push(vote.clone());
            let verdict = case.decide(&votes);
            let standing = standing(&case.policy, &verdict);
            entries.push(Entry::Voted { vote, policy: case.policy_digest(), standing });
            outcome = verdict.outcome;
        }
        if entries.is_empty() {
            return Ok(());
        }
        let mut commit = Commit::at(self.clock.now());
        if outcome == verdict::Outcome::Approved {
            commit.jobs.push(
                self.effect(Effect::Release { deployment: deployment.id().clone() }, self.clock.now())?,
            );
        }
        commit.changes.push(change(deployment, entries));
        commit.jobs.extend(self.showing(deployment)?);
        Ok(self.store.commit(commit).await?)
    }

    /// All approvals are there, but a fact could not be read when it counted: it is decided again.
    async fn release_if_due(
        &self,
        deployment: &Deployment,
        sighting: Sighting,
        entry: &policy::Entry,
    ) -> Result<(), Stopped> {
        let words = newest_words(&deployment.votes);
        let approvals = words.values().filter(|vote| vote.word == Word::Approved).count();
        let needed: usize = entry.policy.rules.iter().map(|rule| rule.required_approvals as usize).sum();
        let is_open = deployment.status == Status::Blocked && !deployment.superseded;
        if !is_open || needed == 0 || approvals < needed {
            return Ok(());
        }
        let case = self.gather_around(deployment, None, sighting, entry).await?;
        if !case.waits() || case.decide(&deployment.votes).outcome != verdict::Outcome::Approved {
            return Ok(());
        }
        let mut commit = Commit::at(self.clock.now());
        commit.jobs.push(self.effect(Effect::Release { deployment: deployment.id().clone() }, commit.at)?);
        Ok(self.store.commit(commit).await?)
    }

    /// A rejection in the forge's pages ends the deployment there; it is recorded as that person's.
    async fn votes_that_ended_it(
        &self,
        desk: &Desk,
        deployment: &Deployment,
        sighting: &Sighting,
    ) -> Result<Vec<Entry>, Stopped> {
        if sighting.state != Progress::Failed || !deployment.status.takes_votes() {
            return Ok(Vec::new());
        }
        let votes = self.new_votes(desk, deployment, sighting).await?;
        let rejections = votes.into_iter().filter(|vote| vote.word == Word::Rejected);
        Ok(rejections
            .map(|vote| Entry::Voted { vote, policy: String::new(), standing: deployment.standing.clone() })
            .collect())
    }

    /// Votes on the forge that we don't know yet: of people, newer than their last word here.
    async fn new_votes(
        &self,
        desk: &Desk,
        deployment: &Deployment,
        sighting: &Sighting,
    ) -> Result<Vec<Vote>, Stopped> {
        let Some(approvals) = &sighting.approvals else { return Ok(Vec::new()) };
        let me = desk.forge.me().await?;
        let known = newest_words(&deployment.votes);
        let mut found = Vec::new();
        for vote in approvals.votes.iter().filter(|vote| vote.by != me.id) {
            let ours = known.get(&vote.by);
            if ours.is_some_and(|ours| ours.at >= vote.at || ours.word == vote.word) {
                continue;
            }
            let by = match super::people::known(desk.forge.account(vote.by).await, "the voter")? {
                Known::Fact(account) => account,
                Known::Unknown(_) => Account { id: vote.by, username: vote.username.clone(), bot: true },
            };
            let (word, at, reason) = (vote.word, vote.at, vote.comment.clone());
            found.push(Vote { by, word, at, reason, source: Source::Forge });
        }
        found.sort_by_key(|vote| vote.at);
        Ok(found)
    }

    /// Marks what still waits for the same environment from earlier runs.
    pub async fn supersede(&self, desk: &Desk, project: &Project, newer: &Sighting) -> Result<(), Stopped> {
        for id in self.store.ahead_of(desk.forge.name(), project.id, newer.order).await? {
            let Some(older) = self.store.deployment(&id).await? else { continue };
            let same =
                older.description.environment == newer.environment && older.description.run != newer.run;
            if !same || older.superseded || !older.status.takes_votes() {
                continue;
            }
            tracing::debug!(deployment = %id, newer = newer.order, "superseded");
            let mut commit = Commit::at(self.clock.now());
            commit.changes.push(change(&older, vec![Entry::Superseded]));
            commit.jobs.extend(self.showing(&older)?);
            match self.store.commit(commit).await {
                Ok(()) | Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// A change that adds entries to what was read.
pub fn change(deployment: &Deployment, entries: Vec<Entry>) -> Change {
    Change { deployment: deployment.id().clone(), expected: deployment.version, entries }
}

fn started(state: Progress) -> bool {
    match state {
        Progress::Running | Progress::Succeeded => true,
        Progress::Waiting | Progress::Failed | Progress::Cancelled => false,
    }
}

/// What a forge's state means for a deployment that stood like this with us. Releasing and rejecting
/// are settled by their own jobs, which know what they did.
fn progress(before: Status, sighting: &Sighting) -> Vec<Entry> {
    let player = || sighting.job.as_ref().and_then(|job| job.user.clone());
    let start = match before {
        // Rejected here, and started in the forge's pages all the same: the ledger tells.
        Status::Rejected if !started(sighting.state) => return Vec::new(),
        Status::Blocked | Status::Rejected => Some(Outcome::Bypassed(player())),
        Status::Approved => Some(Outcome::StartedBy(player())),
        Status::Released | Status::Bypassed => None,
        Status::Releasing
        | Status::Rejecting
        | Status::Passed
        | Status::Deployed
        | Status::Failed
        | Status::Cancelled
        | Status::Gone => return Vec::new(),
    };
    let is_bypass = matches!(start, Some(Outcome::Bypassed(_)));
    let outcomes = match sighting.state {
        Progress::Waiting => vec![],
        // Only the run is told of, and not by which hand: nobody is accused before there is a job to show.
        Progress::Running if is_bypass && sighting.job.is_none() => vec![],
        Progress::Running => vec![start],
        Progress::Succeeded => vec![start, Some(Outcome::Deployed)],
        Progress::Failed if start.is_some() && rejected_there(sighting) => vec![Some(Outcome::Rejected)],
        Progress::Failed if !ran(sighting) => vec![Some(Outcome::Failed)],
        Progress::Failed => vec![start, Some(Outcome::Failed)],
        Progress::Cancelled => vec![Some(Outcome::Cancelled)],
    };
    outcomes.into_iter().flatten().map(|outcome| Entry::Settled { outcome }).collect()
}

/// A job can fail without anybody having started it (an outdated deployment, no runner): then nobody is
/// said to have gone past the gate.
pub fn ran(sighting: &Sighting) -> bool {
    sighting.job.as_ref().is_some_and(|job| job.started)
}

/// The forge itself holds a rejection.
pub fn rejected_there(sighting: &Sighting) -> bool {
    sighting.approvals.as_ref().is_some_and(|a| a.votes.iter().any(|vote| vote.word == Word::Rejected))
}

/// It waited for other people's approvals on the forge, and they are there now.
fn others_have_approved(deployment: &Deployment, sighting: &Sighting) -> bool {
    deployment.status == Status::Approved
        && deployment.outcome == Some(Outcome::Waiting(Hold::OtherRules))
        && sighting.approvals.as_ref().is_some_and(|approvals| approvals.pending == 0)
}
