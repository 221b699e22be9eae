//! What a command's target comes to: which deployments it means.

use super::commands::{Here, MOST_SHOWN, Speaker};
use super::{App, Desk, Stopped};
use crate::app::open::Told;
use crate::domain::card::newest_run;
use crate::domain::chat::{Channel, ChannelId};
use crate::domain::command::{Command, Resolved, Target, TargetError, Verb};
use crate::domain::deployment::{Deployment, Description};
use crate::domain::id::{ChatName, ForgeName, Native, ProjectId};
use crate::domain::wording::{Prose, answer, chat, help};
use crate::ports::forge::{Progress, Sighting};
use crate::ports::store::Room;
use std::collections::{BTreeMap, BTreeSet};

/// How many of a project's newest deployments are looked at for what is known of it: names of environments, and what
/// is still to be announced.
const MOST_NAMES: u32 = 200;

/// The deployments that a command may mean.
pub struct Stage {
    /// Those of this conversation, newest first.
    here: Vec<Deployment>,
    /// Names under which the channel is configured to be told of deployments; none in a conversation of a forge.
    told_as: BTreeSet<Channel>,
    /// Names of all environments of the project that we know.
    environments: Vec<String>,
    /// What the card has shown.
    room: Room,
    /// Deployments of the wanted environments, listed live for this decision.
    pub listed: BTreeMap<Native, Sighting>,
    /// The project was looked at for this comment: once is enough.
    looked: bool,
}

/// What a command's target comes to.
pub enum Chosen {
    /// These deployments.
    These(Vec<Deployment>),
    /// None: this is the answer.
    Say(Prose),
}

impl App {
    /// What stands on this conversation's stage.
    pub async fn stage(&self, desk: &Desk, speaker: &Speaker) -> Result<Stage, Stopped> {
        let (here, room, told_as) = match &speaker.here {
            Here::Conversation(conversation) => {
                let here = self.store.deployments_in(conversation, MOST_SHOWN).await?;
                (here, self.store.room(conversation).await?, BTreeSet::new())
            }
            Here::Channel { chat, channel } => {
                self.announced_in((chat, channel), desk.forge.name(), speaker.project.id).await?
            }
        };
        let mut environments =
            self.store.environments(desk.forge.name(), speaker.project.id, MOST_NAMES).await?;
        environments.extend(here.iter().map(|d| d.description.environment.clone()));
        environments.sort_unstable();
        environments.dedup();
        Ok(Stage { here, told_as, environments, room, listed: BTreeMap::new(), looked: false })
    }

    /// Deployments of a project that were announced in a channel, since when each is shown there, and the channel's
    /// configured names.
    async fn announced_in(
        &self,
        (chat, channel): (&ChatName, &ChannelId),
        forge: &ForgeName,
        project: ProjectId,
    ) -> Result<(Vec<Deployment>, Room, BTreeSet<Channel>), Stopped> {
        let (mut here, mut room, mut names) = (Vec::<Deployment>::new(), Room::default(), BTreeSet::new());
        let mut known = BTreeSet::new();
        for posting in self.store.postings_in(chat, channel, MOST_SHOWN).await? {
            let about = self.store.deployments_about(&posting.subject).await?;
            let since = posting.shown.first().map(|(_, at)| *at);
            names.insert(posting.channel);
            for deployment in about {
                let description = &deployment.description;
                let of_project = description.forge == *forge && description.project.id == project;
                if of_project && known.insert(deployment.id().clone()) {
                    room.shown.extend(since.map(|at| (deployment.id().clone(), at)));
                    here.push(deployment);
                }
            }
        }
        // What is to be told here and isn't yet: a name may mean it.
        for deployment in self.store.newest_open(forge, project, MOST_NAMES).await? {
            if is_told(&deployment, &names) && known.insert(deployment.id().clone()) {
                here.push(deployment);
            }
        }
        here.sort_by_key(|d| std::cmp::Reverse(d.age()));
        Ok((here, room, names))
    }

    /// Finds what a command means. If nothing here fits, the project is looked at once: a hook may have
    /// been lost.
    pub async fn choose(
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
        let mut unread = Vec::new();
        if let (Chosen::These(targets), _) = &first {
            if !command.verb.decides() || command_names_a_number(command) {
                return Ok(first);
            }
            let names: BTreeSet<String> = targets.iter().map(|d| d.description.environment.clone()).collect();
            if !self.list(desk, speaker, stage, &names).await? {
                return Ok(first);
            }
        } else if stage.looked || stage.is_clear(desk, command) {
            return Ok(first);
        } else {
            // Its present path: the one that we know may be of the time before a move to stricter rules.
            let project = self.project_of(desk, speaker.project.id).await?;
            unread = self.look_at_project(desk, &project).await?;
            stage.looked = true;
        }
        let (listed, looked) = (std::mem::take(&mut stage.listed), stage.looked);
        *stage = Stage { listed, looked, ..self.stage(desk, speaker).await? };
        self.add_listed(desk, speaker, stage).await?;
        let found = self.match_target(desk, speaker, stage, command).await?;
        // It may mean what waits and can't be read: that nothing of that name does would be a lie.
        match (&found.0, unread.into_iter().find(|unread| may_mean(command, &unread.environment, desk))) {
            (Chosen::Say(_), Some(unread)) => Err(unread.failure.into()),
            (Chosen::These(_) | Chosen::Say(_), _) => Ok(found),
        }
    }

    /// What was listed just now is known in a channel that is to be told of it, however much has come since.
    async fn add_listed(&self, desk: &Desk, speaker: &Speaker, stage: &mut Stage) -> Result<(), Stopped> {
        for native in stage.listed.keys() {
            let Some(listed) = self.newest_round(desk, speaker.project.id, native).await? else { continue };
            let is_new = stage.here.iter().all(|known| known.id() != listed.id());
            if is_new && is_told(&listed, &stage.told_as) {
                stage.here.push(listed);
            }
        }
        stage.here.sort_by_key(|d| std::cmp::Reverse(d.age()));
        Ok(())
    }

    /// Lists what waits for these environments right now, and opens what we had not heard of: a name
    /// means the newest, whether its hook has come or not. Says whether anything was opened.
    async fn list(
        &self,
        desk: &Desk,
        speaker: &Speaker,
        stage: &mut Stage,
        environments: &BTreeSet<String>,
    ) -> Result<bool, Stopped> {
        let project = &speaker.project;
        let mut opened = false;
        for environment in environments {
            let known = stage.here.iter().filter(|d| d.description.environment == *environment);
            let newest = known.max_by_key(|d| d.age()).map(|d| &d.description);
            let (order, since) = (newest.map(|d| d.order), newest.map(|d| d.created_at));
            for sighting in desk.forge.waiting_in(project.id, environment, since).await? {
                let waits = sighting.state == Progress::Waiting;
                if waits && order.is_none_or(|order| sighting.order > order) {
                    self.changed(desk, project.id, &sighting.native, &Told::default()).await?;
                    opened = true;
                }
                stage.listed.insert(sighting.native.clone(), sighting);
            }
        }
        Ok(opened)
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
        let Resolved { target, reason } = match command.resolve(&names, desk.ways.exact_case) {
            Ok(resolved) => resolved,
            Err(error) => return Ok((Chosen::Say(bad_target(&error, &stage.here)), None)),
        };
        let chosen = match target {
            Target::None => without_target(stage, speaker, command.verb),
            Target::Number(number) => self.by_number(desk, (speaker, stage), command.verb, number).await?,
            Target::Environment(name) => by_name(stage, speaker, command.verb, &name),
            Target::Glob { environments, .. } => by_names(stage, speaker, command.verb, &environments),
        };
        Ok((chosen, reason))
    }

    async fn by_number(
        &self,
        desk: &Desk,
        (speaker, stage): (&Speaker, &Stage),
        verb: Verb,
        number: i64,
    ) -> Result<Chosen, Stopped> {
        let (forge, project) = (desk.forge.name(), speaker.project.id);
        if matches!(speaker.here, Here::Channel { .. }) {
            let shown = stage.here.iter().find(|d| d.description.number == number).cloned();
            return Ok(match shown {
                Some(deployment) => Chosen::These(vec![deployment]),
                None => Chosen::Say(chat::unknown_number_here(number)),
            });
        }
        match self.store.numbered(forge, project, number).await? {
            None => {
                if let Some(native) = desk.forge.numbered(number) {
                    self.changed(desk, project, &native, &Told::default()).await?;
                }
            }
            Some(silent) if verb.decides() && silent.description.conversation.is_none() => {
                self.give_place(desk, &silent).await?;
            }
            Some(_) => {}
        }
        Ok(match self.store.numbered(forge, project, number).await? {
            Some(deployment) => Chosen::These(vec![deployment]),
            None => Chosen::Say(answer::unknown_number(number)),
        })
    }
}

/// Whether a deployment is to be told in a channel of these names.
fn is_told(deployment: &Deployment, names: &BTreeSet<Channel>) -> bool {
    let notify = deployment.description.notify.as_ref();
    notify.is_some_and(|notify| notify.channels.iter().any(|channel| names.contains(channel)))
}

/// Whether a command could be about this environment, if that were all there is.
fn may_mean(command: &Command, environment: &str, desk: &Desk) -> bool {
    match command.resolve(&[environment], desk.ways.exact_case) {
        Ok(Resolved { target, .. }) => !matches!(target, Target::Number(_)),
        Err(_) => false,
    }
}

/// `d4711`: it means itself, whatever else waits.
fn command_names_a_number(command: &Command) -> bool {
    matches!(command.resolve(&[], true), Ok(Resolved { target: Target::Number(_), .. }))
}

impl Stage {
    /// Something waits here, and the words name something that we know.
    fn is_clear(&self, desk: &Desk, command: &Command) -> bool {
        self.here.iter().any(|d| d.status.takes_votes()) && !is_unknown(self, desk, command)
    }
}

/// The words named nothing that we know here.
fn is_unknown(stage: &Stage, desk: &Desk, command: &Command) -> bool {
    let names: Vec<&str> = stage.environments.iter().map(String::as_str).collect();
    match command.resolve(&names, desk.ways.exact_case) {
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

/// What an environment's name means: the newest run that already waited
/// when the comment was written, unless its writer can only have seen an older one.
fn by_name(stage: &Stage, speaker: &Speaker, verb: Verb, name: &str) -> Chosen {
    let all: Vec<&Deployment> = stage.here.iter().filter(|d| d.description.environment == name).collect();
    // Whoever sees it on a card knows that it waits, whatever two clocks say.
    let seen = |d: &Deployment| stage.room.shown.iter().any(|(id, at)| id == d.id() && *at <= speaker.at);
    let then: Vec<&Deployment> =
        all.iter().copied().filter(|d| d.description.blocked_at <= speaker.at || seen(d)).collect();
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
    if let (Verb::Approve, Some(overtaken)) = (verb, open.iter().find(|d| d.superseded)) {
        return Chosen::Say(answer::overtaken(&overtaken.description, &speaker.spelling));
    }
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
