//! A forge that is looked at: what is asked of every kind alike.

use super::report::Report;
use crate::config::Config;
use crate::domain::chat::Person;
use crate::domain::id::{ForgeName, PlatformName};
use crate::domain::policy::{Entry, Grantee};
use crate::ports::clock::Clock;
use crate::ports::failure::Failure;
use crate::ports::forge::Lookup;
use crate::ports::store::Store;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Projects that a pattern covers are looked at when they were active within this.
const ACTIVE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// At most so many of them.
const MOST_PROJECTS: usize = 20;

/// What a kind of forge has its own words for: remedies.
pub(super) struct Words {
    /// Of a call that failed.
    pub(super) remedy: fn(&Failure) -> &'static str,
    /// Where patterns cover nothing that we reach.
    pub(super) unreached: &'static str,
    /// Of names in `user`.
    pub(super) of_users: OfNames<'static>,
}

/// Remedies of names of people.
pub(super) struct OfNames<'a> {
    /// Nobody has it.
    pub(super) nobody: &'a str,
    /// Somebody else has it now.
    pub(super) somebody_else: &'a str,
}

/// Which `[[person]]` is meant, told by another of its accounts than the one that is spoken of.
pub(super) fn table_of(person: &Person, spoken_of: &PlatformName) -> String {
    match person.accounts.iter().find(|(platform, _)| *platform != spoken_of) {
        Some((platform, name)) => format!("the `[[person]]` with `{platform} = \"{name}\"`"),
        None => "`[[person]]`".to_owned(),
    }
}

/// One forge under examination.
pub(super) struct Subject<'a> {
    pub(super) forge: &'a ForgeName,
    pub(super) lookup: &'a dyn Lookup,
    pub(super) words: &'static Words,
    pub(super) config: &'a Config,
    pub(super) clock: &'a dyn Clock,
    pub(super) report: &'a mut Report,
}

impl<'a> Subject<'a> {
    /// The forge's name, for the beginning of a line.
    pub(super) fn name(&self) -> &'a str {
        self.forge.as_str()
    }

    /// What was read; where it couldn't be, a finding says so.
    pub(super) fn read<T>(&mut self, what: &str, answer: Result<T, Failure>) -> Option<T> {
        let remedy = self.words.remedy;
        answer
            .map_err(|failure| {
                self.report.find(format!("{what} can't be read: {failure}"), remedy(&failure));
            })
            .ok()
    }

    /// The entries of this forge.
    pub(super) fn entries(&self) -> Vec<&'a Entry> {
        self.config.policies.of_forge(self.forge)
    }

    /// Everybody whom its policies name.
    pub(super) fn grantees(&self) -> BTreeSet<&'a Grantee> {
        let rules = self.entries().into_iter().flat_map(|entry| &entry.policy.rules);
        rules.flat_map(|rule| &rule.grantees).collect()
    }

    /// Where its webhooks should go; `None` where nobody knows.
    pub(super) fn hook_url(&self) -> Option<String> {
        let public_url = self.config.server.public_url.as_ref()?;
        Some(format!("{}/hooks/{}", public_url.as_str().trim_end_matches('/'), self.forge))
    }

    /// Holds the forge's clock, told in whole seconds, against ours. From `refused` on something goes wrong.
    pub(super) fn clocks(&mut self, theirs: Option<Timestamp>, refused: SignedDuration, wrong: &str) {
        let apart = theirs.map(|theirs| self.clock.now().duration_since(theirs).abs());
        self.report.clocks(self.name(), apart, refused, wrong);
    }

    /// Full paths of the projects to look at: those named whole, and of those that patterns cover the ones
    /// that were active lately.
    pub(super) async fn projects(&mut self) -> BTreeSet<String> {
        let entries = self.entries();
        let mut paths: BTreeSet<String> =
            entries.iter().filter_map(|entry| entry.project.literal()).map(str::to_owned).collect();
        if entries.iter().all(|entry| entry.project.literal().is_some()) {
            return paths;
        }
        let what = format!("{}: the projects that we reach", self.name());
        let answer = self.lookup.active_projects(self.clock.now() - ACTIVE).await;
        let active = self.read(&what, answer).unwrap_or_default();
        let is_new = |path: &str| !entries.iter().any(|entry| entry.project.literal() == Some(path));
        let covered = |path: &str| !self.config.policies.of_project(self.forge, path).is_empty();
        let mut covered: Vec<String> = active
            .into_iter()
            .map(|active| active.project.path)
            .filter(|path| covered(path) && is_new(path))
            .collect();
        if covered.is_empty() && paths.is_empty() {
            let text =
                format!("{}: no project that the policies cover was active within 30 days", self.name());
            self.report.warn(text, self.words.unreached);
        }
        if covered.len() > MOST_PROJECTS {
            let left = covered.len() - MOST_PROJECTS;
            self.report
                .note(format!("{}: {left} further projects are covered and not looked at", self.name()));
        }
        covered.truncate(MOST_PROJECTS);
        paths.extend(covered);
        paths
    }

    /// Those whom policies name.
    pub(super) async fn user(&mut self, name: &str, store: Option<&dyn Store>) {
        self.person(name, &self.words.of_users, store).await;
    }

    /// Those for whom accounts of chats speak, and whom no policy names.
    pub(super) async fn linked_people(&mut self, store: Option<&dyn Store>) {
        let users: BTreeSet<String> =
            self.grantees().into_iter().filter_map(user_name).map(str::to_lowercase).collect();
        let key = PlatformName::from(self.forge);
        for person in self.config.people.all() {
            let Some(name) = person.accounts.get(&key) else { continue };
            if !users.contains(&name.to_lowercase()) {
                let table = table_of(person, &key);
                let nobody = format!("correct {table}");
                let somebody_else =
                    format!("see who that is, and put the present name of whoever is meant into {table}");
                let remedies = OfNames { nobody: &nobody, somebody_else: &somebody_else };
                self.person(name, &remedies, store).await;
            }
        }
    }

    /// Names are pinned to the account that they first meant; a name that moved on counts for nobody.
    async fn person(&mut self, name: &str, remedies: &OfNames<'_>, store: Option<&dyn Store>) {
        let what = format!("{}: the user {name}", self.name());
        let answer = self.lookup.user_named(name).await;
        let Some(now) = self.read(&what, answer) else { return };
        let pinned = match store {
            Some(store) => store.pinned(self.forge, "user", &name.to_lowercase()).await.ok().flatten(),
            None => None,
        };
        match (now, pinned) {
            (None, _) => {
                let text = format!("{}: nobody is called {name}", self.name());
                self.report.find(text, remedies.nobody);
            }
            (Some(account), Some(id)) if account.id.0 != id => {
                let text = format!(
                    "{}: {name} first meant account {id} and is now account {}, who doesn't count",
                    self.name(),
                    account.id.0
                );
                self.report.find(text, remedies.somebody_else);
            }
            (Some(account), _) if account.bot => {
                let text = format!("{}: {name} is a bot, and bots don't vote", self.name());
                self.report.find(text, "name people");
            }
            (Some(_), _) => {}
        }
    }

    /// A group's path is pinned to the group that had it first; another one that has it now admits nobody.
    pub(super) async fn is_the_same_group(&mut self, path: &str, store: Option<&dyn Store>) {
        let Some(store) = store else { return };
        let pinned = store.pinned(self.forge, "group", &path.to_lowercase()).await.ok().flatten();
        let (Some(first), Ok(now)) = (pinned, self.lookup.group_id(path).await) else { return };
        if first != now {
            let text = format!(
                "{}: {path} first meant the group {first} and is now the group {now}, which doesn't count",
                self.name()
            );
            self.report.find(text, "see who made it, and name the group that is meant by another path");
        }
    }
}

fn user_name(grantee: &Grantee) -> Option<&str> {
    match grantee {
        Grantee::User(name) => Some(name),
        Grantee::UserId(_)
        | Grantee::Group { .. }
        | Grantee::GroupId { .. }
        | Grantee::Team(_)
        | Grantee::Role(_)
        | Grantee::AccessLevel(_) => None,
    }
}
