//! Rounds: a forge may ask again for a deployment that has ended, under the same name. Each time is a round of
//! its own, at zero. What is still open is joined.

use super::observe::change;
use super::open::Told;
use super::{App, Desk, Stopped};
use crate::domain::deployment::{Deployment, Status};
use crate::domain::event::Asked;
use crate::domain::id::{DeploymentId, Native, Project, ProjectId};
use crate::domain::ledger::{Entry, Outcome};
use crate::ports::forge::Sighting;
use crate::ports::store::{Commit, CommitError};
use jiff::SignedDuration;

/// So long after an end its job may still be shown as waiting.
const SETTLES_WITHIN: SignedDuration = SignedDuration::from_mins(2);
/// A forge that asks may show what it asks for a moment later.
const SHOWN_WITHIN: SignedDuration = SignedDuration::from_secs(10);

impl App {
    /// What we hold of a deployment: its newest round.
    pub async fn newest_round(
        &self,
        desk: &Desk,
        project: ProjectId,
        native: &Native,
    ) -> Result<Option<Deployment>, Stopped> {
        let forge = desk.forge.name();
        let mut newest = self.store.deployment(&DeploymentId::new(forge, project, native)).await?;
        while let Some(known) = newest.as_ref().filter(|_| desk.ways.asks_again) {
            let next = DeploymentId::of_round(forge, project, native, known.description.round + 1);
            match self.store.deployment(&next).await? {
                Some(later) => newest = Some(later),
                None => break,
            }
        }
        Ok(newest)
    }

    /// A run changed, or asks us: open what waits in it, look at what we hold of it.
    pub async fn run_changed(
        &self,
        desk: &Desk,
        project: ProjectId,
        run: i64,
        (waits, asked): (bool, Option<&Asked>),
    ) -> Result<(), Stopped> {
        let held = self.store.of_run(desk.forge.name(), project, run).await?;
        let concerns_us = waits || asked.is_some() || !held.is_empty();
        if !concerns_us || self.policies.of_forge(desk.forge.name()).is_empty() {
            return Ok(());
        }
        let project = self.project_of(desk, project).await?;
        if held.is_empty() && self.policies.of_project(desk.forge.name(), &project.path).is_empty() {
            return Ok(());
        }
        let mut waiting = Vec::new();
        for sighting in desk.forge.waiting_in_run(project.id, run).await? {
            let asked = asked.filter(|asked| asked.environment.eq_ignore_ascii_case(&sighting.environment));
            let told = Told { asked: asked.map(|asked| asked.delivery.clone()), ..Told::default() };
            self.seen_waiting(desk, &project, &sighting, &told).await?;
            waiting.push(sighting.environment);
        }
        for id in held {
            let Some(deployment) = self.store.deployment(&id).await? else { continue };
            if !waiting.contains(&deployment.description.environment) {
                self.observe(&deployment).await?;
            }
        }
        match asked {
            Some(asked) if !waiting.iter().any(|name| name.eq_ignore_ascii_case(&asked.environment)) => {
                self.asked_for_what_does_not_wait(desk, project.id, run, asked).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The forge shows it waiting: it is opened, joined if it is open with us, or begins another round.
    pub async fn seen_waiting(
        &self,
        desk: &Desk,
        project: &Project,
        sighting: &Sighting,
        told: &Told,
    ) -> Result<(), Stopped> {
        let Some(known) = self.newest_round(desk, project.id, &sighting.native).await? else {
            return self.open(desk, project, sighting, told).await;
        };
        if !self.begins_anew(desk, &known, sighting, told).await? {
            return self.join(&known, told).await;
        }
        if matches!(known.status, Status::Released | Status::Bypassed) {
            let passed = Entry::Settled { outcome: Outcome::AskedAgain };
            let mut commit = Commit::at(self.clock.now());
            commit.changes.push(change(&known, vec![passed]));
            self.store.commit(commit).await?;
        }
        let round = known.description.round + 1;
        self.open(desk, project, sighting, &Told { round, ..told.clone() }).await
    }

    /// Whether what the forge shows waiting is another round of what has ended with us.
    async fn begins_anew(
        &self,
        desk: &Desk,
        ended: &Deployment,
        sighting: &Sighting,
        told: &Told,
    ) -> Result<bool, Stopped> {
        if ended.status.is_open() || !desk.ways.asks_again {
            return Ok(false);
        }
        match &told.asked {
            // The round was found by polling, and this is the delivery that should have told of it.
            Some(_) if ended.asked.is_empty() => Ok(false),
            Some(delivery) => Ok(!ended.asked.contains(delivery)),
            // Whatever ended it with us, something waits there now, and nobody has decided on that.
            None => Ok(!sighting.held_by_others && self.has_rested(ended, SETTLES_WITHIN).await?),
        }
    }

    async fn has_rested(&self, deployment: &Deployment, at_least: SignedDuration) -> Result<bool, Stopped> {
        let chain = self.store.ledger(deployment.id()).await?;
        let last = chain.last().map(|entry| entry.at);
        Ok(last.is_some_and(|at| self.clock.now().duration_since(at) >= at_least))
    }

    /// Keeps by which delivery the forge asked.
    async fn join(&self, known: &Deployment, told: &Told) -> Result<(), Stopped> {
        let Some(delivery) = told.asked.clone().filter(|delivery| !known.asked.contains(delivery)) else {
            return Ok(());
        };
        let mut commit = Commit::at(self.clock.now());
        commit.changes.push(change(known, vec![Entry::Asked { delivery }]));
        Ok(self.store.commit(commit).await?)
    }

    /// The forge asked for something that it doesn't show waiting: it has moved on, or will show it soon.
    async fn asked_for_what_does_not_wait(
        &self,
        desk: &Desk,
        project: ProjectId,
        run: i64,
        asked: &Asked,
    ) -> Result<(), Stopped> {
        let forge = desk.forge.name();
        let mut newest: Option<Deployment> = None;
        for id in self.store.of_run(forge, project, run).await? {
            let deployment = self.store.deployment(&id).await?;
            let meant = |d: &Deployment| d.description.environment.eq_ignore_ascii_case(&asked.environment);
            newest = deployment.filter(meant).into_iter().chain(newest).max_by_key(Deployment::age);
        }
        match newest {
            Some(known) if known.asked.is_empty() => {
                let told = Told { asked: Some(asked.delivery.clone()), ..Told::default() };
                self.join(&known, &told).await
            }
            Some(known) if known.asked.contains(&asked.delivery) => Ok(()),
            Some(_) | None => {
                let look = crate::domain::effect::Look::Run { forge: forge.clone(), project, run };
                let mut commit = Commit::at(self.clock.now());
                commit.jobs.push(self.look(look, forge, commit.at + SHOWN_WITHIN));
                match self.store.commit(commit).await {
                    Ok(()) | Err(CommitError::Conflict) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}
