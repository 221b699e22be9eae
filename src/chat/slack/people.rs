//! Who somebody is, and whether they have a say: asked of Slack for every act.

use super::Slack;
use super::wire::{UserAnswer, UserSeen};
use crate::domain::chat::{ChatUser, NoVoice};
use crate::ports::chat::Presence;
use crate::ports::failure::Failure;

impl Slack {
    /// Names mean nothing in Slack: people are known by their ids.
    pub(super) async fn look_at(&self, who: &ChatUser) -> Result<Presence, Failure> {
        let no_voice = match self.user(&who.id).await {
            Ok(user) => self.no_voice(who, &user)?,
            Err(Failure::NotFound) => Some(NoVoice::Nobody),
            Err(failure) => return Err(failure),
        };
        Ok(Presence { name: who.id.clone(), no_voice })
    }

    pub(super) async fn user(&self, id: &str) -> Result<UserSeen, Failure> {
        let answer: UserAnswer = self.client.ask("users.info", &[("user", id)]).await?;
        Ok(answer.user)
    }

    fn no_voice(&self, who: &ChatUser, user: &UserSeen) -> Result<Option<NoVoice>, Failure> {
        if told(user.deleted, "deleted")? {
            return Ok(Some(NoVoice::Deactivated));
        }
        if self.is_foreign(who, user) {
            return Ok(Some(NoVoice::Foreigner));
        }
        if told(user.is_bot, "is_bot")? {
            return Ok(Some(NoVoice::Bot));
        }
        let guest = told(user.is_restricted, "is_restricted")?
            || told(user.is_ultra_restricted, "is_ultra_restricted")?;
        Ok(guest.then_some(NoVoice::Guest))
    }

    /// Buttons in a shared channel can be pressed by people of other workspaces, and arrive with a right signature.
    fn is_foreign(&self, who: &ChatUser, user: &UserSeen) -> bool {
        let ours = |team: &String| self.team_ids.contains(team);
        let enterprise = user.enterprise_user.as_ref();
        if enterprise.and_then(|known| known.enterprise_id.as_ref()).is_some_and(ours) {
            return user.is_stranger == Some(true);
        }
        let member = user.team_id.as_ref().is_some_and(ours)
            || enterprise.is_some_and(|known| known.teams.iter().any(ours));
        let sent_as_member = who.team.as_ref().is_none_or(ours);
        !member || !sent_as_member || user.is_stranger == Some(true)
    }
}

/// What Slack doesn't tell is not taken for "no".
fn told(field: Option<bool>, name: &str) -> Result<bool, Failure> {
    field.ok_or_else(|| Failure::Unreadable(format!("users.info doesn't tell {name}")))
}
