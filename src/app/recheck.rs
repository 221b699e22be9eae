//! Looking again: whatever was lost, or done in the forge's own pages, ends in the same state.
//!
//! Everything open is looked at in every `poll`. Projects are swept: those whose last activity moved
//! since we looked are listed in every `poll`; those active within `COARSE` (the forge moves that time
//! at most once an hour) every `SLOW` polls; of the quiet ones a few in each sweep, in turn.

use super::open::ANNOUNCE_WITHIN;
use super::worker::Task;
use super::{App, Desk, Stopped};
use crate::app::open::Told;
use crate::domain::command::{Surface, parse_comment};
use crate::domain::deployment::Description;
use crate::domain::effect::Look;
use crate::domain::event::{Event, Heard};
use crate::domain::id::{Conversation, DeploymentId, ForgeName, Project, ProjectId};
use crate::domain::ledger::Outcome;
use crate::ports::failure::Failure;
use crate::ports::forge::{ActiveProject, Comment, Sighting};
use crate::ports::store::{Commit, Finish, KnownProject, Lane, NewJob, RoomNews, Work};
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A forge's "last activity" may be this stale.
const COARSE: SignedDuration = SignedDuration::from_mins(70);
/// Every how many polls a project within [`COARSE`] is listed although nothing moved.
const SLOW: i32 = 5;
/// How many projects that saw activity each sweep lists at most: a first start, or a busy day, takes several.
const MOST_EACH: usize = 50;
/// How many quiet projects each sweep lists, longest unseen first.
const QUIET_EACH: usize = 3;
/// A project unseen for this long counts as seen for the first time.
const DOWNTIME: SignedDuration = SignedDuration::from_hours(24);
/// Comments are read again from this long before the last one seen: hooks and clocks overlap.
const OVERLAP: SignedDuration = SignedDuration::from_secs(60);
/// A forge keeps its deliveries so long for us to ask for again.
const LOG_REACHES: SignedDuration = SignedDuration::from_hours(72);
/// How many looks are written at once: a store that writes thousands does nothing else meanwhile.
const LOOKS_AT_ONCE: usize = 100;
/// Deliveries are remembered this long, for duplicates.
const REMEMBER: SignedDuration = SignedDuration::from_hours(24 * 30);

/// A deployment that waits, as a list says, and that can't be read now: nothing is known of it but this.
pub struct Unread {
    /// For which environment.
    pub environment: String,
    /// Why it can't be read.
    pub failure: Failure,
}

impl App {
    /// The periodic jobs of every forge; writing them twice is harmless.
    pub async fn start_polling(&self) -> Result<(), Stopped> {
        let mut commit = Commit::at(self.clock.now());
        for (name, desk) in self.desks.iter() {
            if desk.log.is_some() {
                commit.jobs.push(self.look(Look::Missed { forge: name.clone() }, name, commit.at));
            }
            commit.jobs.push(self.look(Look::Open { forge: name.clone() }, name, commit.at));
            commit.jobs.push(self.look(Look::Sweep { forge: name.clone() }, name, commit.at));
        }
        Ok(self.store.commit(commit).await?)
    }

    /// Carries out a look.
    pub async fn look_again(&self, task: &Task, look: &Look) -> Result<(), Stopped> {
        match look {
            Look::Open { forge } => self.look_at_open(task, forge).await,
            Look::Sweep { forge } => self.sweep(task, forge).await,
            Look::Missed { forge } => self.ask_for_missed(task, forge).await,
            Look::Run { forge, project, run } => {
                self.run_changed(self.desk(forge)?, *project, *run, (true, None)).await?;
                self.done(task).await
            }
            Look::Project { forge, project } => {
                let desk = self.desk(forge)?;
                if let Some(project) = self.project_or_what_was(desk, *project).await? {
                    self.look_at_project(desk, &project).await?;
                }
                self.done(task).await
            }
            Look::Deployment { deployment } => {
                if let Some(known) = self.store.deployment(deployment).await? {
                    self.observe(&known).await?;
                }
                self.done(task).await
            }
            Look::Comments { conversation, since } => {
                self.look_at_comments(conversation, *since).await?;
                self.done(task).await
            }
        }
    }

    /// Deliveries that never arrived are asked for again, each once.
    async fn ask_for_missed(&self, task: &Task, forge: &ForgeName) -> Result<(), Stopped> {
        let desk = self.desk(forge)?;
        let now = self.clock.now();
        if let Some(log) = &desk.log {
            for missed in log.failed(now - LOG_REACHES).await? {
                if !self.store.is_wanted(forge, &missed.id).await? {
                    continue;
                }
                task.guard()?;
                match log.redeliver(&missed).await {
                    Err(failure) if failure.is_transient() => return Err(failure.into()),
                    Err(failure) => tracing::warn!(delivery = missed.id, %failure, "not delivered again"),
                    Ok(()) => tracing::info!(delivery = missed.id, "asked for a delivery again"),
                }
                self.store.asked_again(forge, &missed.id, now).await?;
            }
        }
        let mut commit = Commit::at(now);
        commit.finish = Some(Finish::Again(task.lease().clone(), now + desk.poll));
        Ok(self.store.commit(commit).await?)
    }

    /// One look for each open deployment and each conversation with one: single jobs, so that one that
    /// fails doesn't hold the others.
    async fn look_at_open(&self, task: &Task, forge: &ForgeName) -> Result<(), Stopped> {
        let poll = self.desk(forge)?.poll;
        let now = self.clock.now();
        self.store.forget_deliveries(now - REMEMBER).await?;
        let deployments = self.store.watched(forge).await?.into_iter();
        let rooms = self.store.watched_rooms(forge).await?.into_iter();
        let looks = deployments.map(|deployment| Look::Deployment { deployment });
        let looks = looks.chain(rooms.map(|conversation| Look::Comments { conversation, since: None }));
        self.write_looks(forge, looks.collect(), now).await?;
        let mut commit = Commit::at(now);
        commit.finish = Some(Finish::Again(task.lease().clone(), now + poll));
        Ok(self.store.commit(commit).await?)
    }

    /// Writes single jobs, some at once. Each has its mark, so that one that is written twice is one.
    async fn write_looks(&self, forge: &ForgeName, looks: Vec<Look>, now: Timestamp) -> Result<(), Stopped> {
        for some in looks.chunks(LOOKS_AT_ONCE) {
            let mut commit = Commit::at(now);
            commit.jobs.extend(some.iter().map(|look| self.look(look.clone(), forge, now)));
            self.store.commit(commit).await?;
        }
        Ok(())
    }

    /// Which projects are to be listed now.
    async fn sweep(&self, task: &Task, forge: &ForgeName) -> Result<(), Stopped> {
        let desk = self.desk(forge)?;
        // Kept from here on, so that the first comment after a start need not ask who we are.
        desk.forge.me().await?;
        let now = self.clock.now();
        let mut commit = Commit::at(now);
        for project in self.due_projects(desk, now).await? {
            commit.jobs.push(self.look(
                Look::Project { forge: forge.clone(), project: project.id },
                forge,
                now,
            ));
        }
        commit.finish = Some(Finish::Again(task.lease().clone(), now + desk.poll));
        Ok(self.store.commit(commit).await?)
    }

    async fn due_projects(&self, desk: &Desk, now: Timestamp) -> Result<Vec<KnownProject>, Stopped> {
        let forge = desk.forge.name();
        let mut known: BTreeMap<_, _> =
            self.store.projects(forge).await?.into_iter().map(|project| (project.id, project)).collect();
        let mut due = Vec::new();
        for active in self.active_projects(desk, &known, now).await? {
            let (id, path) = (active.project.id, active.project.path);
            let before = known.remove(&id);
            let looked_at = before.as_ref().and_then(|before| before.looked_at);
            let project = KnownProject { id, path, active_at: Some(active.active_at), looked_at };
            if before.is_none() {
                self.store.save_project(forge, &project).await?;
            }
            let moved = before.is_none_or(|before| before.active_at != project.active_at);
            if moved || rested(&project, desk, now) {
                due.push(project);
            }
        }
        due.extend(
            known.extract_if(.., |_, project| project.looked_at.is_none()).map(|(_, project)| project),
        );
        // Those that weren't looked at for longest go first. The others keep their turn: when they moved is
        // written only when it comes.
        due.sort_by_key(|project| (project.looked_at, Reverse(project.active_at)));
        due.truncate(MOST_EACH);
        for project in &due {
            self.store.save_project(forge, project).await?;
        }
        let covered = |project: &KnownProject| !self.policies.of_project(forge, &project.path).is_empty();
        let mut quiet: Vec<_> =
            known.into_values().filter(|project| covered(project) && rested(project, desk, now)).collect();
        quiet.sort_by_key(|project| project.looked_at);
        due.extend(quiet.into_iter().take(QUIET_EACH));
        Ok(due)
    }

    /// Projects that the configuration covers and that were active lately. A project that the
    /// configuration names by its whole path is asked for by that path, whoever belongs to it.
    async fn active_projects(
        &self,
        desk: &Desk,
        known: &BTreeMap<ProjectId, KnownProject>,
        now: Timestamp,
    ) -> Result<Vec<ActiveProject>, Stopped> {
        let forge = desk.forge.name();
        let entries = self.policies.of_forge(forge);
        let mut active = Vec::new();
        if entries.iter().any(|entry| entry.project.literal().is_none()) {
            let looked_at = known.values().filter_map(|project| project.looked_at).max();
            let since = looked_at.map_or(now - ANNOUNCE_WITHIN * 30, |at| at.min(now) - COARSE);
            active.extend(desk.forge.active_projects(since).await?);
        }
        let literal: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.project.literal()).collect();
        for path in literal {
            if active.iter().any(|a| a.project.path == path) {
                continue;
            }
            let project = match known.values().find(|project| project.path == path) {
                Some(project) => Project { id: project.id, path: project.path.clone() },
                None => match desk.forge.project_at(path).await {
                    Ok(project) => project,
                    Err(Failure::NotFound | Failure::Refused(_)) => {
                        tracing::warn!(forge = %forge, path, "the project of an [[environment]] entry can't be seen by the bot");
                        continue;
                    }
                    Err(failure) => return Err(failure.into()),
                },
            };
            active.push(ActiveProject { project, active_at: now });
        }
        active.retain(|a| !self.policies.of_project(forge, &a.project.path).is_empty());
        Ok(active)
    }

    /// A project that is gone is looked at once more by its last name, so that what waited there ends; it
    /// keeps its turn among the quiet ones.
    async fn project_or_what_was(&self, desk: &Desk, id: ProjectId) -> Result<Option<Project>, Stopped> {
        match self.project_of(desk, id).await {
            Err(Stopped::Forge(Failure::NotFound)) => {
                let known = self.store.projects(desk.forge.name()).await?;
                Ok(known
                    .into_iter()
                    .find(|known| known.id == id)
                    .map(|known| Project { id, path: known.path }))
            }
            found => found.map(Some),
        }
    }

    /// Lists what waits in a project, opens what is new, and looks at what waits no longer.
    pub async fn look_at_project(&self, desk: &Desk, project: &Project) -> Result<Vec<Unread>, Stopped> {
        let forge = desk.forge.name();
        let now = self.clock.now();
        if self.policies.of_project(forge, &project.path).is_empty() {
            return Ok(Vec::new());
        }
        let known = self.store.projects(forge).await?.into_iter().find(|known| known.id == project.id);
        let first = known.as_ref().and_then(|known| known.looked_at).is_none_or(|at| at + DOWNTIME <= now);
        let waiting = match desk.forge.waiting(project.id).await {
            Ok(waiting) => waiting,
            Err(Failure::NotFound) => Vec::new(),
            Err(failure) => return Err(failure.into()),
        };
        self.look_at_missing(desk, project, &waiting).await?;
        let unread = self.open_new(desk, project, waiting, first).await?;
        let active_at = known.and_then(|known| known.active_at);
        let looked =
            KnownProject { id: project.id, path: project.path.clone(), active_at, looked_at: Some(now) };
        self.store.save_project(forge, &looked).await?;
        Ok(unread)
    }

    /// Deployments that we hold for waiting and that the forge no longer lists.
    async fn look_at_missing(
        &self,
        desk: &Desk,
        project: &Project,
        waiting: &[Sighting],
    ) -> Result<(), Stopped> {
        let forge = desk.forge.name();
        let mut listed = BTreeSet::new();
        for sighting in waiting {
            listed.insert(self.known_as(desk, project.id, sighting).await?);
        }
        let open = self.store.open(forge, project.id).await?;
        let missing = open.into_iter().filter(|(_, id)| !listed.contains(id));
        let looks = missing.map(|(_, deployment)| Look::Deployment { deployment }).collect();
        self.write_looks(forge, looks, self.clock.now()).await
    }

    async fn open_new(
        &self,
        desk: &Desk,
        project: &Project,
        waiting: Vec<Sighting>,
        first: bool,
    ) -> Result<Vec<Unread>, Stopped> {
        let forge = desk.forge.name();
        let now = self.clock.now();
        let newest = newest_runs(&waiting);
        let open: BTreeSet<DeploymentId> =
            self.store.open(forge, project.id).await?.into_iter().map(|(_, id)| id).collect();
        let (mut silent, mut unread) = (Vec::new(), Vec::new());
        for sighting in waiting {
            if open.contains(&DeploymentId::new(forge, project.id, &sighting.native))
                || self.policies.find(forge, &project.path, &sighting.environment).is_none()
            {
                continue;
            }
            if self.newest_round(desk, project.id, &sighting.native).await?.is_some() {
                // Over for us, although the forge still lists it: it may be asked for anew.
                self.seen_waiting(desk, project, &sighting, &Told::default()).await?;
                continue;
            }
            let young = sighting.created_at + ANNOUNCE_WITHIN > now;
            let newest = newest.get(&sighting.environment) == Some(&sighting.run);
            if young && (newest || !first) {
                // The list has no approvals: the deployment itself tells whether anything holds it.
                match desk.forge.deployment(project.id, &sighting.native).await {
                    Ok(full) => self.open(desk, project, &full, &Told::default()).await?,
                    // One that can't be read doesn't hide the others.
                    Err(failure @ (Failure::Unreadable(_) | Failure::NotFound | Failure::Refused(_))) => {
                        tracing::warn!(project = project.path, native = %sighting.native, %failure, "not opened");
                        unread.push(Unread { environment: sighting.environment, failure });
                    }
                    Err(failure) => return Err(failure.into()),
                }
            } else {
                silent.push(sighting);
            }
        }
        silent.reverse();
        self.open_silently(desk, project, &silent).await?;
        Ok(unread)
    }

    /// The identity under which we hold what a list shows: that of its newest round.
    async fn known_as(
        &self,
        desk: &Desk,
        project: ProjectId,
        sighting: &Sighting,
    ) -> Result<DeploymentId, Stopped> {
        let first = DeploymentId::new(desk.forge.name(), project, &sighting.native);
        if !desk.ways.asks_again {
            return Ok(first);
        }
        let newest = self.newest_round(desk, project, &sighting.native).await?;
        Ok(newest.map_or(first, |newest| newest.id().clone()))
    }

    /// New comments of a conversation become jobs like those that hooks bring.
    async fn look_at_comments(&self, at: &Conversation, since: Option<Timestamp>) -> Result<(), Stopped> {
        let desk = self.desk(&at.forge)?;
        let read_until = self.store.room(at).await?.read_until;
        let unread = match read_until {
            Some(until) => until - OVERLAP,
            None => self.first_blocked(at).await?,
        };
        // Further back if asked for, never less: what is read now counts as read up to its end.
        let since = since.map_or(unread, |since| since.min(unread));
        let comments = match desk.forge.comments_since(at, since).await {
            Ok(comments) => comments,
            Err(Failure::NotFound) => return Ok(()),
            Err(failure) => return Err(failure.into()),
        };
        let me = desk.forge.me().await?;
        let mut commit = Commit::at(self.clock.now());
        for comment in comments.iter().filter(|comment| comment.author != me.id && !comment.system) {
            if is_addressed(comment, &me.username) && !self.store.is_taken(&comment.at.key()).await? {
                commit.jobs.push(polled(comment, commit.at));
            }
        }
        let newest = comments.iter().map(|comment| comment.created_at).max();
        commit.rooms.extend(newest.map(|until| (at.clone(), RoomNews::ReadUntil(until))));
        Ok(self.store.commit(commit).await?)
    }

    /// A deployment may be found long after it was blocked, in a conversation that was read in the meantime from later
    /// on: what was said of it until then is read once.
    pub fn read_what_was_said(&self, description: &Description, now: Timestamp) -> Option<NewJob> {
        let (conversation, since) = (description.conversation.clone()?, Some(description.blocked_at));
        let late = now.duration_since(description.blocked_at) > OVERLAP;
        late.then(|| self.look(Look::Comments { conversation, since }, &description.forge, now))
    }

    /// Polling reads a conversation as long as something waits there: what was said of a deployment until its end, and
    /// not heard, is read once more when it has ended.
    pub fn read_the_rest(
        &self,
        description: &Description,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Option<NewJob> {
        let (conversation, since) = (description.conversation.clone()?, Some(description.blocked_at));
        match outcome {
            Outcome::Deployed | Outcome::Failed | Outcome::Rejected | Outcome::Cancelled => {
                Some(self.look(Look::Comments { conversation, since }, &description.forge, now))
            }
            Outcome::Waiting(_)
            | Outcome::Started
            | Outcome::StartedBy(_)
            | Outcome::AskedAgain
            | Outcome::Strayed
            | Outcome::Bypassed(_)
            | Outcome::Gone => None,
        }
    }

    /// Since when comments of a conversation may concern us.
    async fn first_blocked(&self, at: &Conversation) -> Result<Timestamp, Stopped> {
        let here = self.store.deployments_in(at, super::commands::MOST_SHOWN).await?;
        // Those that have ended count, too: somebody may have spoken of them before, and was not heard.
        let first = here.iter().map(|d| d.description.blocked_at).min();
        Ok(first.unwrap_or_else(|| self.clock.now()))
    }
}

/// Somebody may mean us: only then the comment is worth a job.
fn is_addressed(comment: &Comment, handle: &str) -> bool {
    let surface = Surface { handle: handle.to_owned(), bare: true };
    parse_comment(&comment.text, &surface).map_or(true, |commands| !commands.is_empty())
}

/// Not looked at within the last [`SLOW`] polls.
fn rested(project: &KnownProject, desk: &Desk, now: Timestamp) -> bool {
    project.looked_at.is_none_or(|at| at + desk.poll * SLOW <= now)
}

/// The newest run of each environment among what waits.
fn newest_runs(waiting: &[Sighting]) -> BTreeMap<String, i64> {
    let mut newest: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for sighting in waiting {
        let entry = newest.entry(sighting.environment.clone()).or_insert((sighting.order, sighting.run));
        if sighting.order > entry.0 {
            *entry = (sighting.order, sighting.run);
        }
    }
    newest.into_iter().map(|(environment, (_, run))| (environment, run)).collect()
}

/// The job of a comment found by polling: same lane, key and order as one from a hook.
fn polled(comment: &Comment, now: Timestamp) -> NewJob {
    let event = Event::Commented { comment: comment.at.clone(), at: comment.created_at, heard: Heard::Poll };
    NewJob {
        lane: Lane::Decide,
        key: event.key(),
        platform: event.platform(),
        run_at: now,
        order: comment.created_at,
        dedupe: Some(format!("comment:{}", comment.at.key())),
        work: Work::Event(event),
        cause: None,
    }
}
