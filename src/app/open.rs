//! Opening: a deployment that was seen waiting gets its ledger, and its place in a conversation.

use super::observe::change;
use super::people::known;
use super::{App, Desk, Stopped};
use crate::domain::actor::Account;
use crate::domain::chat::{Notify, Subject};
use crate::domain::decide::{self, within_reach};
use crate::domain::deployment::{Creators, Deployment, Description, Status};
use crate::domain::effect::shown_by;
use crate::domain::facts::Facts;
use crate::domain::id::{Conversation, DeploymentId, Place, Project};
use crate::domain::ledger::{Entry, RuleStanding};
use crate::domain::policy::{self, Gate, VoteAs};
use crate::ports::failure::Failure;
use crate::ports::forge::Sighting;
use crate::ports::store::{Change, Commit, CommitError};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// On first sight only what is younger than this is announced with a card.
pub const ANNOUNCE_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// How many silent recordings share one commit.
const SILENT_BATCH: usize = 200;

/// Started deployments of one status that are looked at for one that is newer than what arrives.
const RECENT: u32 = 20;

/// What we were told of a deployment, beside where to look.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Since when it waits.
    pub blocked_at: Option<Timestamp>,
    /// The delivery by which the forge asks for our decision.
    pub asked: Option<String>,
    /// Which round it opens, from 1; 0 where the forge has but one.
    pub round: u32,
}

impl App {
    /// Opens a waiting deployment with its card, if a policy covers it and something holds it. Knowing
    /// it already is no error.
    pub async fn open(
        &self,
        desk: &Desk,
        project: &Project,
        sighting: &Sighting,
        told: &Told,
    ) -> Result<(), Stopped> {
        let Some(entry) = self.policies.find(desk.forge.name(), &project.path, &sighting.environment) else {
            return Ok(());
        };
        if !is_held(entry.gate, sighting) {
            return Ok(());
        }
        let place = self.place(desk, project, sighting).await?;
        let creators = self.creators(desk, sighting, project.id, Some(&place)).await?;
        let within_reach = self.reach(desk, project, entry, &creators).await?;
        let mut description = self.describe(desk, project, sighting, (entry.gate, told.round.max(1))).await?;
        description.creators = creators;
        description.blocked_at = since(told.blocked_at, sighting);
        description.within_reach = within_reach;
        description.conversation = Some(place);
        description.notify = self.notify(entry, &description).await?;
        let now = self.clock.now();
        let mut commit = Commit::at(now);
        for effect in shown_by(&description) {
            commit.jobs.push(self.effect(effect, now)?);
        }
        commit.jobs.extend(self.read_what_was_said(&description, now));
        let mut opening = opening(description, entry);
        opening.entries.extend(told.asked.iter().map(|delivery| Entry::Asked { delivery: delivery.clone() }));
        if self.is_superseded_on_arrival(desk, project, sighting).await? {
            opening.entries.push(Entry::Superseded);
        }
        commit.changes.push(opening);
        self.commit_opening(commit).await
    }

    /// Records waiting deployments without a card: found on a first sweep or after downtime, and old.
    pub async fn open_silently(
        &self,
        desk: &Desk,
        project: &Project,
        sightings: &[Sighting],
    ) -> Result<(), Stopped> {
        for batch in sightings.chunks(SILENT_BATCH) {
            let mut commit = Commit::at(self.clock.now());
            for sighting in batch {
                let entry = self.policies.find(desk.forge.name(), &project.path, &sighting.environment);
                if let Some(entry) = entry {
                    let description = self.describe(desk, project, sighting, (entry.gate, 1)).await?;
                    commit.changes.push(opening(description, entry));
                }
            }
            self.commit_opening(commit).await?;
        }
        Ok(())
    }

    /// A deployment that was recorded silently gets the place that it would have had, wherever it is spoken
    /// of: for a bot's deployment the people of that merge request stand in as creators.
    pub async fn give_place(&self, desk: &Desk, deployment: &Deployment) -> Result<(), Stopped> {
        let Description { project, native, .. } = &deployment.description;
        let sighting = match desk.forge.deployment(project.id, native).await {
            Ok(sighting) => sighting,
            Err(Failure::NotFound) => return Ok(()),
            Err(failure) => return Err(failure.into()),
        };
        let conversation = self.place(desk, project, &sighting).await?;
        let mut commit = Commit::at(self.clock.now());
        commit.changes.push(change(deployment, vec![Entry::Placed { conversation }]));
        self.commit_opening(commit).await
    }

    /// Where it is told in chats.
    async fn notify(
        &self,
        entry: &policy::Entry,
        description: &Description,
    ) -> Result<Option<Notify>, Stopped> {
        if entry.notify.is_empty() {
            return Ok(None);
        }
        let Description { forge, project, run, environment, job_name, order, .. } = description;
        let mut earlier = 0;
        for id in self.store.of_run(forge, project.id, *run).await? {
            let Some(known) = self.store.deployment(&id).await?.map(|known| known.description) else {
                continue;
            };
            let same_job = known.environment == *environment && known.job_name == *job_name;
            earlier += usize::from(same_job && known.order < *order);
        }
        let channels = entry.notify.clone();
        Ok(Some(Notify { subject: Subject::of(description, earlier), channels }))
    }

    /// Another worker may have opened it a moment ago: that is just as well.
    async fn commit_opening(&self, commit: Commit) -> Result<(), Stopped> {
        match self.store.commit(commit).await {
            Ok(()) | Err(CommitError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A deployment that waits while a later one of another run was started is superseded from the start.
    async fn is_superseded_on_arrival(
        &self,
        desk: &Desk,
        project: &Project,
        sighting: &Sighting,
    ) -> Result<bool, Stopped> {
        if let Some(newer) = desk.forge.newest_started(project.id, &sighting.environment).await? {
            return Ok(newer.order > sighting.order && newer.run != sighting.run);
        }
        for status in [Status::Released, Status::Passed, Status::Deployed, Status::Bypassed] {
            let forge = desk.forge.name();
            let started = self.store.deployments_of(forge, project.id, Some(status), RECENT).await?;
            let newer = |d: &Deployment| {
                let Description { environment, order, run, .. } = &d.description;
                *environment == sighting.environment && *order > sighting.order && *run != sighting.run
            };
            if started.iter().any(newer) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is kept of a deployment, before anybody has looked who started it and where its card goes.
    async fn describe(
        &self,
        desk: &Desk,
        project: &Project,
        sighting: &Sighting,
        (gate, round): (Gate, u32),
    ) -> Result<Description, Stopped> {
        let forge = desk.forge.name();
        let id = DeploymentId::of_round(forge, project.id, &sighting.native, round);
        let number = match sighting.number {
            Some(number) => number,
            None => self.store.give_number(forge, project.id, &id).await?,
        };
        Ok(Description {
            id,
            native: sighting.native.clone(),
            round,
            forge: forge.clone(),
            project: project.clone(),
            number,
            order: sighting.order,
            environment: sighting.environment.clone(),
            sha: sighting.sha.clone(),
            ref_name: sighting.ref_name.clone(),
            title: sighting.title.clone(),
            run: sighting.run,
            job_name: sighting.job.as_ref().map(|job| job.name.clone()),
            url: sighting.url.clone(),
            created_at: sighting.created_at,
            blocked_at: sighting.updated_at,
            gate,
            creators: listed_creators(sighting),
            conversation: None,
            notify: None,
            within_reach: None,
        })
    }

    /// Could the policy be filled at all? Said at once on the card if not.
    async fn reach(
        &self,
        desk: &Desk,
        project: &Project,
        entry: &policy::Entry,
        creators: &Creators,
    ) -> Result<Option<bool>, Stopped> {
        if entry.vote_as == VoteAs::Sudo {
            return Ok(None);
        }
        let Some(candidates) = self.candidates(desk, project.id, &entry.policy).await? else {
            return Ok(None);
        };
        let accounts: Vec<Account> = candidates.accounts.into_values().collect();
        let facts = Facts { creators: creators.clone(), people: BTreeMap::new(), holds: candidates.holds };
        if decide::effective_creators(&facts).fact().is_none() {
            return Ok(None);
        }
        Ok(Some(within_reach(&entry.policy, &accounts, &facts)))
    }

    /// The one conversation that a deployment's card stands in.
    pub async fn place(
        &self,
        desk: &Desk,
        project: &Project,
        sighting: &Sighting,
    ) -> Result<Conversation, Stopped> {
        let number = match sighting.merge_request {
            Some(number) => Some(number),
            // Who could stand in as its creator is then not known either: see `stand_ins`.
            None => known(desk.forge.carrier(project.id, sighting).await, "its merge request")?
                .fact()
                .copied()
                .flatten(),
        };
        let place = number.map_or_else(|| Place::Commit(sighting.sha.clone()), Place::MergeRequest);
        Ok(Conversation { forge: desk.forge.name().clone(), project: project.id, place })
    }
}

/// Since when it waits. A hook may tell this more exactly than the deployment's own times, but only between
/// them: what it says otherwise is not believed.
fn since(told: Option<Timestamp>, sighting: &Sighting) -> Timestamp {
    told.map_or(sighting.updated_at, |told| told.min(sighting.updated_at).max(sighting.created_at))
}

/// Whether anything holds it that is ours to open. A forge shows plain manual jobs as blocked too, so
/// with the native gate only its own approvals count.
fn is_held(gate: Gate, sighting: &Sighting) -> bool {
    let manual = sighting.job.as_ref().is_some_and(|job| job.manual);
    match gate {
        Gate::ManualJob | Gate::ProtectionRule => manual,
        Gate::Native => {
            manual && sighting.approvals.as_ref().is_some_and(|a| a.pending > 0 || !a.rules.is_empty())
        }
    }
}

fn opening(description: Description, entry: &policy::Entry) -> Change {
    let standing = entry.policy.rules.iter().map(|rule| RuleStanding {
        grantees: rule.grantees.clone(),
        required: rule.required_approvals,
        filled_by: Vec::new(),
    });
    Change {
        deployment: description.id.clone(),
        expected: 0,
        entries: vec![Entry::Opened { standing: standing.collect(), description: Box::new(description) }],
    }
}

/// Creators as a list shows them; they are read anew before anything is decided.
fn listed_creators(sighting: &Sighting) -> Creators {
    Creators {
        started_by: sighting.started_by.clone(),
        stand_ins: crate::domain::actor::Known::Unknown("not read yet".to_owned()),
    }
}
