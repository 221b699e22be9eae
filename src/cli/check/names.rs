//! The people and groups whom the policies name.

use super::forge::Doctor;
use crate::domain::policy::Grantee;
use crate::ports::failure::Failure;
use crate::ports::store::Store;
use std::collections::BTreeSet;

impl Doctor<'_> {
    /// Names are pinned to the account that they first meant; a name that moved on counts for nobody.
    pub(super) async fn names(&mut self, store: Option<&dyn Store>) {
        let entries = self.config.policies.of_forge(&self.settings.name);
        let rules = entries.into_iter().flat_map(|entry| &entry.policy.rules);
        let grantees: BTreeSet<&Grantee> = rules.flat_map(|rule| &rule.grantees).collect();
        for grantee in grantees {
            match grantee {
                Grantee::User(name) => self.person(name, store).await,
                Grantee::Group { path, .. } => self.group(path).await,
                Grantee::UserId(id) => {
                    if let Err(Failure::NotFound) = self.forge.account(*id).await {
                        let text = format!("{}: there is no account {}", self.name(), id.0);
                        self.report.find(text, "correct `user_id`");
                    }
                }
                Grantee::Team(_) | Grantee::Role(_) | Grantee::GroupId { .. } | Grantee::AccessLevel(_) => {}
            }
        }
    }

    async fn person(&mut self, name: &str, store: Option<&dyn Store>) {
        let what = format!("{}: the user {name}", self.name());
        let answer = self.forge.user_named(name).await;
        let Some(now) = self.report.read(&what, answer) else { return };
        let pinned = match store {
            Some(store) => {
                store.pinned(&self.settings.name, "user", &name.to_lowercase()).await.ok().flatten()
            }
            None => None,
        };
        match (now, pinned) {
            (None, _) => {
                let text = format!("{}: nobody is called {name}", self.name());
                self.report.find(text, "correct `user`, or write `user_id`, which stays when names change");
            }
            (Some(account), Some(id)) if account.id.0 != id => {
                let text = format!(
                    "{}: {name} first meant account {id} and is now account {}, who doesn't count",
                    self.name(),
                    account.id.0
                );
                self.report.find(text, "see who that is, and write `user_id` with the right number");
            }
            (Some(account), _) if account.bot => {
                let text = format!("{}: {name} is a bot, and bots don't vote", self.name());
                self.report.find(text, "name people");
            }
            (Some(_), _) => {}
        }
    }

    async fn group(&mut self, path: &str) {
        match self.forge.group_members(path, false).await {
            Ok(Some(members)) if members.is_empty() => {
                let text = format!("{}: the group {path} has no direct, active members", self.name());
                self.report
                    .warn(text, "add members, or write `inherited = true` to take those of its parents");
            }
            Ok(_) => {}
            answer @ Err(_) => {
                let what = format!("{}: the group {path}", self.name());
                self.report.read(&what, answer);
            }
        }
    }
}
