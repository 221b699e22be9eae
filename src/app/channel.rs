//! What the words of a chat's command mean: names mean what was announced in the channel it was typed in, and
//! `project:name` picks one project of several.

use super::chatted::Actor;
use super::commands::{MOST_SHOWN, Speaker};
use super::links::Spokesman;
use super::targets::Chosen;
use super::{App, Desk, Stopped};
use crate::domain::chat::{Choice, Message, Subject};
use crate::domain::command::{Command, Resolved, Target, Verb};
use crate::domain::deployment::Deployment;
use crate::domain::id::{ForgeName, Native, Project, ProjectId};
use crate::domain::wording::notice::offer;
use crate::domain::wording::{Prose, answer, chat as wording};
use crate::ports::forge::Sighting;
use std::collections::BTreeMap;

/// What a command comes to.
pub enum Meant {
    /// Nothing is decided; this is the answer, with what can be chosen.
    Say(Prose, Vec<Choice>),
    /// These deployments, of one project.
    These {
        /// Who speaks, as an account of their forge.
        speaker: Speaker,
        /// Which.
        targets: Vec<Deployment>,
        /// Why.
        reason: Option<String>,
        /// Those that were listed for this very decision.
        seen: BTreeMap<Native, Sighting>,
    },
}

/// The deployments of one project that were announced in a channel.
struct Announced {
    project: Project,
    deployments: Vec<Deployment>,
}

impl App {
    /// Finds what a command means.
    pub async fn meant(&self, actor: &Actor<'_>, command: &Command) -> Result<Meant, Stopped> {
        let mut announced = self.announced(actor).await?;
        if let Some(refused) = self.is_a_stranger(actor, &announced).await? {
            return Ok(Meant::Say(refused, Vec::new()));
        }
        let names: Vec<&str> =
            every(announced.values()).into_iter().map(|d| d.description.environment.as_str()).collect();
        let words = command.words.clone();
        let (project, rest) = split_project(&words, &names);
        let mut command = command.clone();
        if command.verb.takes_target() {
            if let Some(project) = project {
                let paths: Vec<String> = announced.values().map(|a| a.project.path.clone()).collect();
                announced.retain(|_, a| ends_with(&a.project.path, project));
                if announced.is_empty() {
                    let known: Vec<&str> = paths.iter().map(String::as_str).collect();
                    return Ok(Meant::Say(wording::unknown_project(project, &known), Vec::new()));
                }
            }
            command.words = rest;
        }
        let command = &command;
        if command.verb == Verb::Blocked {
            let choices = self.choices(&every(announced.values()));
            return Ok(Meant::Say(wording::waiting_here(&choices), choices));
        }
        let thread = self.thread(actor).await?;
        let candidates = candidates(&announced, command, thread.as_ref());
        match candidates.as_slice() {
            [(forge, one)] => self.meant_in(actor, command, (forge, one), thread.as_ref()).await,
            [] => self.meant_nothing(actor, command, &announced).await,
            several => {
                let choices = self.choices(&every(several.iter().map(|(_, one)| *one)));
                let decides = command.verb.decides();
                let text = if decides { wording::choose_one() } else { wording::waiting_here(&choices) };
                Ok(Meant::Say(text, choices))
            }
        }
    }

    /// The command within the one project that it can mean.
    async fn meant_in(
        &self,
        actor: &Actor<'_>,
        command: &Command,
        (forge, one): (&ForgeName, &Announced),
        thread: Option<&Subject>,
    ) -> Result<Meant, Stopped> {
        let desk = self.desk(forge)?;
        let speaker = match self.speaker(actor, desk, &one.project).await? {
            Ok(speaker) => speaker,
            Err(text) => return Ok(Meant::Say(text, Vec::new())),
        };
        if let Some(subject) = thread
            && names_nothing(command)
        {
            let about: Vec<&Deployment> =
                one.deployments.iter().filter(|d| subject_of(d) == Some(subject)).collect();
            let targets = open_or_last(&about);
            let overtaken = targets.iter().find(|d| d.superseded && d.status.takes_votes());
            if let (Verb::Approve, Some(overtaken)) = (command.verb, overtaken) {
                return Ok(Meant::Say(
                    answer::overtaken(&overtaken.description, &actor.spelling()),
                    Vec::new(),
                ));
            }
            let reason = command.resolve(&[], true).ok().and_then(|resolved| resolved.reason);
            return Ok(Meant::These { speaker, targets, reason, seen: BTreeMap::new() });
        }
        let mut stage = self.stage(desk, &speaker).await?;
        Ok(match self.choose(desk, &speaker, &mut stage, command).await? {
            (Chosen::These(targets), reason) => {
                Meant::These { speaker, targets, reason, seen: std::mem::take(&mut stage.listed) }
            }
            (Chosen::Say(text), _) => {
                let choices = if command.verb.decides() {
                    self.choices(&every(std::iter::once(one)))
                } else {
                    Vec::new()
                };
                Meant::Say(text.in_terms(&desk.forge.terms()), choices)
            }
        })
    }

    /// Nothing that was announced here fits: the answer says so in the words of a project that has something here.
    async fn meant_nothing(
        &self,
        actor: &Actor<'_>,
        command: &Command,
        announced: &BTreeMap<(ForgeName, ProjectId), Announced>,
    ) -> Result<Meant, Stopped> {
        let Some(((forge, _), one)) = announced.iter().next() else {
            return Ok(Meant::Say(wording::waiting_here(&[]), Vec::new()));
        };
        if let Ok(Resolved { target: Target::Number(number), .. }) = command.resolve(&[], true) {
            return Ok(Meant::Say(wording::unknown_number_here(number), Vec::new()));
        }
        self.meant_in(actor, command, (forge, one), None).await
    }

    /// Who speaks, as an account of the project's forge; else the answer.
    async fn speaker(
        &self,
        actor: &Actor<'_>,
        desk: &Desk,
        project: &Project,
    ) -> Result<Result<Speaker, Prose>, Stopped> {
        Ok(match self.spokesman(actor.chat, (&actor.chatted.by, &actor.presence), desk).await? {
            Spokesman::Of(account) => Ok(Speaker {
                account,
                at: actor.chatted.at,
                here: actor.here(),
                spelling: actor.spelling(),
                project: project.clone(),
            }),
            Spokesman::Nobody(text) => Err(text),
        })
    }

    /// Somebody without any link reads nothing of what waits.
    async fn is_a_stranger(
        &self,
        actor: &Actor<'_>,
        announced: &BTreeMap<(ForgeName, ProjectId), Announced>,
    ) -> Result<Option<Prose>, Stopped> {
        let mut forges: Vec<&ForgeName> = announced.keys().map(|(forge, _)| forge).collect();
        if forges.is_empty() {
            forges = self.desks.keys().collect();
        }
        forges.dedup();
        let mut refusal = None;
        for forge in forges {
            let desk = self.desk(forge)?;
            match self.spokesman(actor.chat, (&actor.chatted.by, &actor.presence), desk).await? {
                Spokesman::Of(_) => return Ok(None),
                Spokesman::Nobody(text) => refusal = refusal.or(Some(text)),
            }
        }
        Ok(refusal)
    }

    /// What was announced in the actor's channel, by project.
    async fn announced(
        &self,
        actor: &Actor<'_>,
    ) -> Result<BTreeMap<(ForgeName, ProjectId), Announced>, Stopped> {
        let aside = &actor.chatted.aside;
        let postings = self.store.postings_in(&aside.chat, &aside.channel, MOST_SHOWN).await?;
        let mut announced: BTreeMap<(ForgeName, ProjectId), Announced> = BTreeMap::new();
        for posting in postings {
            for deployment in self.store.deployments_about(&posting.subject).await? {
                let description = &deployment.description;
                // A forge that the configuration no longer has decides nothing.
                if !self.desks.contains_key(&description.forge) {
                    continue;
                }
                let key = (description.forge.clone(), description.project.id);
                let project = description.project.clone();
                let of_project =
                    announced.entry(key).or_insert_with(|| Announced { project, deployments: Vec::new() });
                // Two names of the configuration may mean this channel.
                if !of_project.deployments.iter().any(|known| known.id() == deployment.id()) {
                    of_project.deployments.push(deployment);
                }
            }
        }
        Ok(announced)
    }

    /// What the message is about in whose thread the command was typed.
    async fn thread(&self, actor: &Actor<'_>) -> Result<Option<Subject>, Stopped> {
        let aside = &actor.chatted.aside;
        let Some(id) = &aside.thread else { return Ok(None) };
        let message = Message { channel: aside.channel.clone(), id: id.clone() };
        Ok(self.store.posting_at(&aside.chat, &message).await?.map(|posting| posting.subject))
    }

    /// One line with buttons for each thing that waits; siblings share one.
    fn choices(&self, deployments: &[&Deployment]) -> Vec<Choice> {
        let mut by_subject: Vec<(&Subject, Vec<Deployment>)> = Vec::new();
        for deployment in deployments.iter().copied().filter(|d| d.status.takes_votes()) {
            let Some(subject) = subject_of(deployment) else { continue };
            match by_subject.iter_mut().find(|(known, _)| *known == subject) {
                Some((_, siblings)) => siblings.push(deployment.clone()),
                None => by_subject.push((subject, vec![deployment.clone()])),
            }
        }
        let choice = |(_, siblings): (&Subject, Vec<Deployment>)| {
            let first = siblings.first()?;
            let reason_needed = self.entry_of(first).is_none_or(|entry| entry.policy.reject_needs_reason);
            let offer = offer(&siblings, reason_needed, 0)?;
            let line = wording::choice(first);
            let line = match self.desk(&first.description.forge) {
                Ok(desk) => line.in_terms(&desk.forge.terms()),
                Err(_) => line,
            };
            Some(Choice { line, offer })
        };
        by_subject.into_iter().filter_map(choice).collect()
    }
}

/// The projects in which a command may mean something that still waits, or else something at all.
fn candidates<'a>(
    announced: &'a BTreeMap<(ForgeName, ProjectId), Announced>,
    command: &Command,
    thread: Option<&Subject>,
) -> Vec<(&'a ForgeName, &'a Announced)> {
    let all = |fits: &dyn Fn(&Announced) -> bool| -> Vec<(&'a ForgeName, &'a Announced)> {
        announced.iter().filter(|(_, one)| fits(one)).map(|((forge, _), one)| (forge, one)).collect()
    };
    if let Some(subject) = thread.filter(|_| names_nothing(command)) {
        return all(&|one| one.deployments.iter().any(|d| subject_of(d) == Some(subject)));
    }
    let open =
        all(&|one| one.deployments.iter().any(|d| d.status.takes_votes() && is_meant(one, command, d)));
    if !open.is_empty() {
        return open;
    }
    all(&|one| one.deployments.iter().any(|d| is_meant(one, command, d)))
}

/// The words of a command name this deployment, or nothing at all.
fn is_meant(one: &Announced, command: &Command, deployment: &Deployment) -> bool {
    let names: Vec<&str> = one.deployments.iter().map(|d| d.description.environment.as_str()).collect();
    let environment = &deployment.description.environment;
    // Whether names compare with their case is the forge's to say, and is looked at again where one is chosen.
    match command.resolve(&names, false).map(|resolved| resolved.target) {
        Ok(Target::None) => true,
        Ok(Target::Number(number)) => deployment.description.number == number,
        Ok(Target::Environment(name)) => *environment == name,
        Ok(Target::Glob { environments, .. }) => environments.contains(environment),
        Err(_) => false,
    }
}

fn every<'a>(announced: impl Iterator<Item = &'a Announced>) -> Vec<&'a Deployment> {
    announced.flat_map(|one| &one.deployments).collect()
}

fn names_nothing(command: &Command) -> bool {
    matches!(command.resolve(&[], true), Ok(Resolved { target: Target::None, .. }))
}

fn subject_of(deployment: &Deployment) -> Option<&Subject> {
    deployment.description.notify.as_ref().map(|notify| &notify.subject)
}

fn open_or_last(all: &[&Deployment]) -> Vec<Deployment> {
    let open: Vec<Deployment> = all.iter().filter(|d| d.status.takes_votes()).map(|d| (*d).clone()).collect();
    if open.is_empty() { all.iter().map(|d| (*d).clone()).collect() } else { open }
}

/// `shop:production reason` is `production reason` in the project that ends with `shop`. `production: reason` names an
/// environment, with a colon behind it.
fn split_project<'a>(words: &'a str, environments: &[&str]) -> (Option<&'a str>, String) {
    let (first, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    match first.split_once(':') {
        Some((name, "")) if environments.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
            (None, format!("{name} {rest}").trim().to_owned())
        }
        Some((project, target)) if !project.is_empty() && !first.starts_with(['"', '\'', '`']) => {
            (Some(project), format!("{target} {rest}").trim().to_owned())
        }
        Some(_) | None => (None, words.to_owned()),
    }
}

/// `acme/shop` ends with `shop` and `acme/shop`, not with `hop`.
fn ends_with(path: &str, suffix: &str) -> bool {
    let (path, suffix) = (path.to_lowercase(), suffix.to_lowercase());
    path.strip_suffix(&suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::{ends_with, split_project};

    #[test]
    fn a_project_is_named_by_the_end_of_its_path() {
        assert!(ends_with("acme/shop", "shop") && ends_with("acme/shop", "Acme/Shop"));
        assert!(!ends_with("acme/shop", "hop") && !ends_with("acme/shop", "other/acme/shop"));
    }

    #[test]
    fn a_colon_divides_project_and_target() {
        assert_eq!(
            split_project("shop:production too slow", &["production"]),
            (Some("shop"), "production too slow".to_owned())
        );
        assert_eq!(
            split_project("shop: production", &["production"]),
            (Some("shop"), "production".to_owned())
        );
        assert_eq!(
            split_project("production reason: slow", &["production"]),
            (None, "production reason: slow".to_owned())
        );
        assert_eq!(split_project("\"a:b\" reason", &["production"]), (None, "\"a:b\" reason".to_owned()));
        assert_eq!(split_project("production: slow", &["production"]), (None, "production slow".to_owned()));
        assert_eq!(split_project("", &["production"]), (None, String::new()));
    }
}
