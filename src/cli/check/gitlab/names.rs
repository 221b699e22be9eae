//! The people and groups whom the policies name.

use super::Doctor;
use crate::domain::policy::Grantee;
use crate::ports::failure::Failure;
use crate::ports::store::Store;

impl Doctor<'_> {
    pub(super) async fn names(&mut self, store: Option<&dyn Store>) {
        for grantee in self.on.grantees() {
            match grantee {
                Grantee::User(name) => self.on.user(name, store).await,
                Grantee::Group { path, .. } => {
                    self.group(path).await;
                    self.on.is_the_same_group(path, store).await;
                }
                Grantee::UserId(id) => {
                    if let Err(Failure::NotFound) = self.forge.account(*id).await {
                        let text = format!("{}: there is no account {}", self.on.name(), id.0);
                        self.on.report.find(text, "correct `user_id`");
                    }
                }
                Grantee::Team(_) | Grantee::Role(_) | Grantee::GroupId { .. } | Grantee::AccessLevel(_) => {}
            }
        }
    }

    async fn group(&mut self, path: &str) {
        match self.forge.group_members(path, false).await {
            Ok(Some(members)) if members.is_empty() => {
                let text = format!("{}: the group {path} has no direct, active members", self.on.name());
                self.on
                    .report
                    .warn(text, "add members, or write `inherited = true` to take those of its parents");
            }
            Ok(_) => {}
            answer @ Err(_) => {
                let what = format!("{}: the group {path}", self.on.name());
                self.on.read(&what, answer);
            }
        }
    }
}
