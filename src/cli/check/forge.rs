//! One forge: its tokens, its clock, and the projects that the configuration covers.

use super::report::Report;
use crate::config::{Config, GitLab};
use crate::domain::actor::Account;
use crate::domain::policy::VoteAs;
use crate::ports::clock::Clock;
use crate::ports::forge::Lookup;
use crate::ports::inspect::{Credential, Inspect};
use crate::ports::store::Store;
use jiff::{SignedDuration, ToSpan as _};
use std::collections::BTreeSet;

/// A forge whose set-up can be looked at.
pub(super) trait Patient: Lookup + Inspect {}

impl<T: Lookup + Inspect> Patient for T {}

/// Clocks this far apart are worth a word…
const ODD: SignedDuration = SignedDuration::from_secs(30);
/// …and so far apart that signed webhooks are refused (their tolerance is five minutes).
const REFUSED: SignedDuration = SignedDuration::from_mins(4);
/// A token that expires within so many days is worth a word.
const SOON: i64 = 14;
/// Projects that a pattern covers are looked at when they were active within this.
const ACTIVE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// At most so many of them.
const MOST_PROJECTS: usize = 20;

/// Looks at one forge.
pub(super) struct Doctor<'a> {
    pub(super) forge: &'a dyn Patient,
    /// The forge seen with the administrator's token, where one is configured.
    pub(super) root: Option<&'a dyn Inspect>,
    pub(super) settings: &'a GitLab,
    pub(super) config: &'a Config,
    pub(super) clock: &'a dyn Clock,
    pub(super) report: &'a mut Report,
}

impl<'a> Doctor<'a> {
    pub(super) async fn examine(mut self, store: Option<&dyn Store>) {
        let Some(me) = self.token().await else { return };
        self.sudo_token().await;
        self.names(store).await;
        for path in self.projects().await {
            self.project(&path, &me).await;
        }
    }

    /// The forge's name, for the beginning of a line.
    pub(super) fn name(&self) -> &'a str {
        self.settings.name.as_str()
    }

    async fn token(&mut self) -> Option<Account> {
        let what = format!("{}: the bot's account", self.name());
        let answer = self.forge.credential().await;
        let token = self.report.read(&what, answer)?;
        let name = self.name();
        self.report.fine(format!("{name}: the token is that of @{}", token.account.username));
        self.clocks(&token);
        self.lasts(&token, "token");
        self.has_scopes(&token, "token", &["api"]);
        if token.admin {
            let text =
                format!("{name}: the bot's account is an administrator, so GitLab's own rules don't bind it");
            self.report.warn(text, "give it a plain account that is a member of the projects it serves");
        }
        Some(token.account)
    }

    async fn sudo_token(&mut self) {
        let Some(root) = self.root else { return };
        let what = format!("{}: the account of sudo_token", self.name());
        let answer = root.credential().await;
        let Some(token) = self.report.read(&what, answer) else { return };
        self.lasts(&token, "sudo_token");
        self.has_scopes(&token, "sudo_token", &["api", "sudo"]);
        if !token.admin {
            let text =
                format!("{}: @{} of sudo_token is no administrator", self.name(), token.account.username);
            self.report.find(text, "only administrators may act in the name of others: use a token of one");
        }
    }

    fn clocks(&mut self, token: &Credential) {
        let Some(theirs) = token.answered_at else { return };
        // Their clock is told in whole seconds.
        let apart = self.clock.now().duration_since(theirs).abs();
        let text = format!("{}: its clock and ours are {} seconds apart", self.name(), apart.as_secs());
        let remedy = "let both keep their time by NTP";
        if apart >= REFUSED {
            self.report.find(format!("{text}, so that signed webhooks are refused"), remedy);
        } else if apart >= ODD {
            self.report.warn(text, remedy);
        }
    }

    fn lasts(&mut self, token: &Credential, key: &str) {
        let Some(end) = token.expires else { return };
        let today = self.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        if today.checked_add(SOON.days()).is_ok_and(|soon| end <= soon) {
            let text = format!("{}: the {key} expires on {end}", self.name());
            self.report.warn(text, "make a new one in time and put it into the configuration");
        }
    }

    fn has_scopes(&mut self, token: &Credential, key: &str, needed: &[&str]) {
        let Some(scopes) = &token.scopes else {
            self.report.note(format!("{}: the forge doesn't tell the scopes of the {key}", self.name()));
            return;
        };
        for scope in needed.iter().filter(|needed| !scopes.iter().any(|scope| scope == *needed)) {
            let text = format!("{}: the {key} lacks the scope `{scope}`", self.name());
            self.report.find(text, format!("make a new one with the scopes {}", needed.join(" and ")));
        }
        if key == "token" && scopes.iter().any(|scope| scope == "sudo") {
            let text = format!("{}: the token has the scope `sudo`, which it doesn't need", self.name());
            self.report.warn(text, "make a new one with the scope api alone");
        }
    }

    /// Full paths of the projects to look at: those named whole, and of those that patterns cover the ones
    /// that were active lately.
    async fn projects(&mut self) -> BTreeSet<String> {
        let entries = self.config.policies.of_forge(&self.settings.name);
        let mut paths: BTreeSet<String> =
            entries.iter().filter_map(|entry| entry.project.literal()).map(str::to_owned).collect();
        if entries.iter().all(|entry| entry.project.literal().is_some()) {
            return paths;
        }
        let what = format!("{}: the bot's projects", self.name());
        let answer = self.forge.active_projects(self.clock.now() - ACTIVE).await;
        let active = self.report.read(&what, answer).unwrap_or_default();
        let covered = |path: &str| !self.config.policies.of_project(&self.settings.name, path).is_empty();
        let mut covered: Vec<String> =
            active.into_iter().map(|active| active.project.path).filter(|path| covered(path)).collect();
        if covered.is_empty() && paths.is_empty() {
            let text =
                format!("{}: no project that the policies cover was active within 30 days", self.name());
            self.report.warn(text, "make the bot's account a member of the projects, or correct `project`");
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

    /// GitLab's own rules decide.
    pub(super) fn votes_as_people(&self) -> bool {
        self.settings.vote_as == VoteAs::Sudo
    }
}
