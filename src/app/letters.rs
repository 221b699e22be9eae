//! Letters: what waits in the queue and what was given up, for those who look after the server. It works beside
//! a worker, through the same store.

use crate::domain::effect::{Ballot, Effect, Look};
use crate::domain::event::Event;
use crate::domain::id::DeploymentId;
use crate::ports::store::{Lane, Store, StoreError, StoredJob, Work};
use jiff::Timestamp;

/// Jobs that are read at once.
const PAGE: u32 = 500;

/// Why a job was left as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeftAlone {
    /// There is none of this number.
    #[error("there is no job {0}: it was done or dropped, or never was")]
    NoSuchJob(i64),
    /// It isn't given up.
    #[error("job {0} wasn't given up: it waits for its turn or its next attempt")]
    StillTried(i64),
    /// Somebody waits for what it does at the gate.
    #[error(
        "job {job} stands at the gate of {deployment}, which is still open: retry it, or end the deployment in the \
         forge first"
    )]
    AtTheGate {
        /// The job.
        job: i64,
        /// The deployment that it releases, rejects or votes on.
        deployment: DeploymentId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Every dead letter, or every job, in the order of their numbers.
pub async fn list(store: &dyn Store, only_dead: bool) -> Result<Vec<StoredJob>, StoreError> {
    let mut jobs: Vec<StoredJob> = Vec::new();
    loop {
        let last = jobs.last().map_or(0, |job| job.id);
        let page = store.jobs(only_dead, last, PAGE).await?;
        if page.is_empty() {
            return Ok(jobs);
        }
        jobs.extend(page);
    }
}

/// A dead letter is tried again, from zero attempts.
pub async fn retry(store: &dyn Store, job: i64, now: Timestamp) -> Result<(), LeftAlone> {
    let letter = letter(store, job).await?;
    revive(store, &letter, now).await
}

/// All dead letters are tried again; returns how many there were.
pub async fn retry_all(store: &dyn Store, now: Timestamp) -> Result<u64, StoreError> {
    let mut revived = 0;
    for letter in list(store, true).await? {
        match revive(store, &letter, now).await {
            Ok(()) => revived += 1,
            Err(LeftAlone::Store(error)) => return Err(error),
            // Somebody else was faster.
            Err(LeftAlone::NoSuchJob(_) | LeftAlone::StillTried(_) | LeftAlone::AtTheGate { .. }) => {}
        }
    }
    Ok(revived)
}

/// Removes a dead letter, unless an open deployment waits for it.
pub async fn discard(store: &dyn Store, job: i64) -> Result<(), LeftAlone> {
    let letter = letter(store, job).await?;
    if let Some(deployment) = gate_of(&letter)
        && store.deployment(&deployment).await?.is_some_and(|deployment| !deployment.status.is_final())
    {
        return Err(LeftAlone::AtTheGate { job, deployment });
    }
    if store.discard(job).await? { Ok(()) } else { Err(LeftAlone::NoSuchJob(job)) }
}

async fn letter(store: &dyn Store, job: i64) -> Result<StoredJob, LeftAlone> {
    let found = store.jobs(false, job.saturating_sub(1), 1).await?.into_iter().find(|found| found.id == job);
    let found = found.ok_or(LeftAlone::NoSuchJob(job))?;
    if found.dead { Ok(found) } else { Err(LeftAlone::StillTried(job)) }
}

async fn revive(store: &dyn Store, letter: &StoredJob, now: Timestamp) -> Result<(), LeftAlone> {
    let comment = match &letter.work {
        Some(Work::Event(Event::Commented { comment, .. })) => Some(comment.key()),
        Some(Work::Event(_) | Work::Effect(_) | Work::Look(_)) | None => None,
    };
    let revived = store.revive(letter.id, now, comment.as_deref()).await?;
    if revived { Ok(()) } else { Err(LeftAlone::NoSuchJob(letter.id)) }
}

/// Whose gate a job stands at. One that can't be read is told by its key, which is its deployment.
fn gate_of(job: &StoredJob) -> Option<DeploymentId> {
    match &job.work {
        Some(Work::Effect(
            Effect::Release { deployment }
            | Effect::Reject { deployment }
            | Effect::CastVote(Ballot { deployment, .. }),
        )) => Some(deployment.clone()),
        Some(Work::Event(_) | Work::Effect(_) | Work::Look(_)) => None,
        None => (job.lane == Lane::Gate).then(|| DeploymentId::from_stored(job.key.as_str())),
    }
}

/// One or two words for what a job does.
pub fn kind(work: &Work) -> &'static str {
    match work {
        Work::Event(event) => kind_of_event(event),
        Work::Effect(effect) => kind_of_effect(effect),
        Work::Look(look) => kind_of_look(look),
    }
}

fn kind_of_event(event: &Event) -> &'static str {
    match event {
        Event::Commented { .. } => "comment",
        Event::DeploymentChanged { .. } => "deployment",
        Event::RunChanged { .. } => "run",
        Event::Pressed(_) => "button",
        Event::Chatted(_) => "chat",
        Event::SomethingWaits { .. } => "project",
        Event::ReachChanged { .. } => "reach",
        Event::MergeRequestApproved { .. } => "merge request approved",
    }
}

fn kind_of_effect(effect: &Effect) -> &'static str {
    match effect {
        Effect::Release { .. } => "release",
        Effect::Reject { .. } => "reject",
        Effect::CastVote(_) => "vote",
        Effect::SyncCard { .. } => "card",
        Effect::SyncButtons { .. } => "buttons",
        Effect::Report { .. } => "report",
        Effect::SyncNotice { .. } => "notice",
        Effect::Whisper { .. } => "whisper",
        Effect::Reply { .. } => "reply",
        Effect::Say { .. } => "say",
        Effect::React { .. } => "reaction",
    }
}

fn kind_of_look(look: &Look) -> &'static str {
    match look {
        Look::Open { .. } => "look at what is open",
        Look::Sweep { .. } => "look at projects",
        Look::Missed { .. } => "look for lost deliveries",
        Look::Run { .. } => "look at a run",
        Look::Project { .. } => "look at a project",
        Look::Deployment { .. } => "look at a deployment",
        Look::Comments { .. } => "look at comments",
    }
}

/// A lane's name, as logs, figures and lists have it.
pub fn lane_name(lane: Lane) -> &'static str {
    match lane {
        Lane::Gate => "gate",
        Lane::Decide => "decide",
        Lane::Card => "card",
        Lane::Reply => "reply",
        Lane::React => "react",
        Lane::Look => "look",
    }
}
