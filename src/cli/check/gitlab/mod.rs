//! One GitLab: its tokens and its clock; then its names and its projects.
//!
//! * `names`: people and groups of the policies.
//! * `project`: a project's webhook, branch and protected environments; `gate`: one protected environment.

mod gate;
mod names;
mod project;

use super::subject::{OfNames, Subject, Words};
use crate::config::GitLab;
use crate::domain::actor::Account;
use crate::domain::policy::VoteAs;
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::Lookup;
use crate::ports::inspect::{Credential, Inspect};
use crate::ports::store::Store;
use jiff::{SignedDuration, ToSpan as _};

/// A GitLab whose set-up can be looked at.
pub(super) trait Patient: Lookup + Inspect {}

impl<T: Lookup + Inspect> Patient for T {}

/// Clocks so far apart make us refuse signed webhooks (their tolerance is five minutes).
const REFUSED: SignedDuration = SignedDuration::from_mins(4);
/// A token that expires within so many days is worth a word.
const SOON: i64 = 14;

pub(super) const WORDS: Words = Words {
    remedy,
    unreached: "make the bot's account a member of the projects, or correct `project`",
    of_users: OfNames {
        nobody: "correct `user`, or write `user_id`, which stays when names change",
        somebody_else: "see who that is, and write `user_id` with the right number",
    },
};

/// Looks at one GitLab.
pub(super) struct Doctor<'a> {
    pub(super) on: Subject<'a>,
    pub(super) forge: &'a dyn Patient,
    /// The forge seen with the administrator's token, where one is configured.
    pub(super) root: Option<&'a dyn Inspect>,
    pub(super) settings: &'a GitLab,
}

impl Doctor<'_> {
    pub(super) async fn examine(mut self, store: Option<&dyn Store>) {
        let Some(me) = self.token().await else { return };
        self.sudo_token().await;
        self.names(store).await;
        self.on.linked_people(store).await;
        for path in self.on.projects().await {
            self.project(&path, &me).await;
        }
    }

    async fn token(&mut self) -> Option<Account> {
        let what = format!("{}: the bot's account", self.on.name());
        let answer = self.forge.credential().await;
        let token = self.on.read(&what, answer)?;
        let name = self.on.name();
        self.on.report.fine(format!("{name}: the token is that of @{}", token.account.username));
        self.on.clocks(token.answered_at, REFUSED, "signed webhooks are refused");
        self.lasts(&token, "token");
        self.has_scopes(&token, "token", &["api"]);
        if token.admin {
            let text =
                format!("{name}: the bot's account is an administrator, so GitLab's own rules don't bind it");
            self.on.report.warn(text, "give it a plain account that is a member of the projects it serves");
        }
        Some(token.account)
    }

    async fn sudo_token(&mut self) {
        let Some(root) = self.root else { return };
        let what = format!("{}: the account of sudo_token", self.on.name());
        let answer = root.credential().await;
        let Some(token) = self.on.read(&what, answer) else { return };
        self.lasts(&token, "sudo_token");
        self.has_scopes(&token, "sudo_token", &["api", "sudo"]);
        if !token.admin {
            let text =
                format!("{}: @{} of sudo_token is no administrator", self.on.name(), token.account.username);
            self.on
                .report
                .find(text, "only administrators may act in the name of others: use a token of one");
        }
    }

    fn lasts(&mut self, token: &Credential, key: &str) {
        let Some(end) = token.expires else { return };
        let today = self.on.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        if today.checked_add(SOON.days()).is_ok_and(|soon| end <= soon) {
            let text = format!("{}: the {key} expires on {end}", self.on.name());
            self.on.report.warn(text, "make a new one in time and put it into the configuration");
        }
    }

    fn has_scopes(&mut self, token: &Credential, key: &str, needed: &[&str]) {
        let Some(scopes) = &token.scopes else {
            self.on
                .report
                .note(format!("{}: the forge doesn't tell the scopes of the {key}", self.on.name()));
            return;
        };
        for scope in needed.iter().filter(|needed| !scopes.iter().any(|scope| scope == *needed)) {
            let text = format!("{}: the {key} lacks the scope `{scope}`", self.on.name());
            self.on.report.find(text, format!("make a new one with the scopes {}", needed.join(" and ")));
        }
        if key == "token" && scopes.iter().any(|scope| scope == "sudo") {
            let text = format!("{}: the token has the scope `sudo`, which it doesn't need", self.on.name());
            self.on.report.warn(text, "make a new one with the scope api alone");
        }
    }

    /// GitLab's own rules decide.
    pub(super) fn votes_as_people(&self) -> bool {
        self.settings.vote_as == VoteAs::Sudo
    }
}

/// What mends a call that failed.
fn remedy(failure: &Failure) -> &'static str {
    match failure {
        Failure::Unavailable { .. } | Failure::HeldBack { .. } | Failure::UnknownOutcome { .. } => {
            "see whether the forge can be reached from here, and run the check again"
        }
        Failure::Unauthorized(_) => "make a new token with the scope `api` and put it into the configuration",
        Failure::NotFound | Failure::Refused(Refusal::NoPermission) => {
            "give the bot's account at least the role Maintainer there, or correct the name"
        }
        Failure::Refused(_) => "see what the forge says",
        Failure::Unreadable(_) => "see whether the configured address is that of the forge itself",
    }
}
