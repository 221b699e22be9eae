//! One GitHub: the App, its webhook and where it is installed; then the policies' names and the repositories.
//!
//! * `app`: what the App may do, what it is told of, and where.
//! * `repository`: a repository's environments, and whether they ask us.

mod app;
mod repository;

use super::subject::{OfNames, Subject, Words};
use crate::config::GitHub;
use crate::domain::policy::Grantee;
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{HookLog, Lookup};
use crate::ports::inspect::{Extent, InspectApp, Installation};
use crate::ports::store::Store;
use jiff::SignedDuration;

/// A GitHub whose set-up can be looked at.
pub(super) trait Patient: Lookup + HookLog + InspectApp {}

impl<T: Lookup + HookLog + InspectApp> Patient for T {}

/// The App's own tokens are dated a minute back, and GitHub takes none from the future.
const REFUSED: SignedDuration = SignedDuration::from_secs(60);

pub(super) const WORDS: Words = Words {
    remedy,
    unreached: "install the App on the repositories, or correct `project`",
    of_users: OfNames {
        nobody: "correct `user`",
        somebody_else: "see who that is, and admit by `team` or `role` whoever is meant",
    },
};

/// Looks at one GitHub.
pub(super) struct Doctor<'a> {
    pub(super) on: Subject<'a>,
    pub(super) forge: &'a dyn Patient,
    pub(super) settings: &'a GitHub,
}

impl Doctor<'_> {
    pub(super) async fn examine(mut self, store: Option<&dyn Store>) {
        let answer = self.forge.their_time().await;
        let Some(theirs) = self.on.read(&format!("{}: its API", self.on.name()), answer) else { return };
        self.on.clocks(theirs, REFUSED, "it refuses the App's own tokens");
        let Some(app) = self.app().await else { return };
        self.hook().await;
        self.missed_deliveries().await;
        let Some(installed) = self.installations(&app).await else { return };
        self.names(&installed, store).await;
        self.on.linked_people(store).await;
        for path in self.on.projects().await {
            self.repository(&path).await;
        }
    }

    async fn names(&mut self, installed: &[Installation], store: Option<&dyn Store>) {
        let sees_teams = installed.iter().any(|place| app::has(&place.permissions, "members", Extent::Read));
        for grantee in self.on.grantees() {
            match grantee {
                Grantee::User(name) => self.on.user(name, store).await,
                // Without the permission, which was spoken of already, there seems to be no team at all.
                Grantee::Team(team) if sees_teams => {
                    self.team(team).await;
                    self.on.is_the_same_group(team, store).await;
                }
                Grantee::Team(_)
                | Grantee::Role(_)
                | Grantee::UserId(_)
                | Grantee::Group { .. }
                | Grantee::GroupId { .. }
                | Grantee::AccessLevel(_) => {}
            }
        }
    }

    async fn team(&mut self, team: &str) {
        match self.forge.group_members(team, true).await {
            Ok(Some(members)) if members.is_empty() => {
                let text = format!("{}: the team {team} has no members", self.on.name());
                self.on.report.warn(text, "add members, or name another team");
            }
            Ok(_) => {}
            answer @ Err(_) => {
                let what = format!("{}: the team {team}", self.on.name());
                self.on.read(&what, answer);
            }
        }
    }
}

/// What mends a call that failed.
fn remedy(failure: &Failure) -> &'static str {
    match failure {
        Failure::Unavailable { .. } | Failure::HeldBack { .. } | Failure::UnknownOutcome { .. } => {
            "see whether GitHub can be reached from here, and run the check again"
        }
        Failure::Unauthorized(_) => {
            "see that `app_id` and `private_key` are of one App, that the key wasn't deleted, and that the clock is right"
        }
        Failure::NotFound | Failure::Refused(Refusal::NoPermission) => {
            "correct the name, or give the App the permission to see it and accept that where it is installed"
        }
        Failure::Refused(_) => "see what GitHub says",
        Failure::Unreadable(_) => "see whether `api_url` is that of GitHub's API",
    }
}
