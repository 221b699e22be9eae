//! Whose word it is: chat accounts speak for the forge accounts that `[[person]]` links them to.

use super::people::known;
use super::{App, ChatDesk, Desk, Stopped};
use crate::domain::actor::{Account, Known};
use crate::domain::chat::{ChatUser, Link, Person};
use crate::domain::id::{PlatformName, UserId};
use crate::domain::wording::{Prose, chat as wording};
use crate::ports::chat::Presence;

/// For whom a chat account speaks on one forge.
pub enum Spokesman {
    /// For this account.
    Of(Account),
    /// For nobody; this is the answer.
    Nobody(Prose),
}

impl App {
    /// Finds for whom somebody speaks. The names of the configuration mean the accounts that they meant first, on both
    /// sides: whoever takes over a name later speaks for nobody.
    pub async fn spokesman(
        &self,
        chat: &ChatDesk,
        (who, presence): (&ChatUser, &Presence),
        desk: &Desk,
    ) -> Result<Spokesman, Stopped> {
        let (chat_name, forge) = (chat.chat.name(), desk.forge.name());
        let not_linked = || Spokesman::Nobody(wording::not_linked(chat_name, &presence.name, forge));
        let Some(username) = self.linked_name(chat, presence, desk) else { return Ok(not_linked()) };
        let Known::Fact(Some(id)) = self.resolve_user(desk, username).await? else { return Ok(not_linked()) };
        let name = presence.name.to_lowercase();
        let kept = self.store.link(chat_name, &name, forge).await?;
        if kept.as_ref().is_some_and(|kept| kept.chat_user != who.id) {
            return Ok(Spokesman::Nobody(wording::link_changed(chat_name, &presence.name)));
        }
        let Known::Fact(account) = known(desk.forge.account(id).await, "the linked account")? else {
            return Ok(not_linked());
        };
        if account.bot {
            return Ok(not_linked());
        }
        if kept.is_none_or(|kept| kept.user() != account.id) {
            let link = Link {
                chat: chat_name.clone(),
                name,
                chat_user: who.id.clone(),
                forge: forge.clone(),
                account: account.clone(),
                made_by: Link::BY_CONFIGURATION.to_owned(),
                made_at: self.clock.now(),
            };
            self.store.save_link(&link).await?;
        }
        Ok(Spokesman::Of(account))
    }

    /// The name of the forge account that the configuration links somebody to. Asks nobody.
    pub fn linked_name(&self, chat: &ChatDesk, presence: &Presence, desk: &Desk) -> Option<&str> {
        let person = self.people.with(&chat.chat.name().into(), &presence.name)?;
        person.accounts.get(&PlatformName::from(desk.forge.name())).map(String::as_str)
    }

    /// The forge account of a `[[person]]`, by number; `None` where it has none, or none that can be told.
    pub async fn linked_user(&self, desk: &Desk, person: &Person) -> Result<Option<UserId>, Stopped> {
        let Some(username) = person.accounts.get(&PlatformName::from(desk.forge.name())) else {
            return Ok(None);
        };
        Ok(self.resolve_user(desk, username).await?.fact().copied().flatten())
    }
}
