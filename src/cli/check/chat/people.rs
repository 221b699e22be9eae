//! The people who decide in the chat.

use super::super::subject::table_of;
use super::slack::{USERS, has};
use super::{Doctor, Kind};
use crate::domain::chat::{ChannelId, ChatUser, NoVoice, Person};
use crate::domain::id::{ForgeName, PlatformName};
use crate::ports::failure::Failure;
use crate::ports::inspect::ChatCredential;
use crate::ports::store::Store;

impl Doctor<'_> {
    /// Looks at each linked person, until the chat can't be asked.
    pub(super) async fn people(
        &mut self,
        token: &ChatCredential,
        rooms: &[ChannelId],
        store: Option<&dyn Store>,
    ) {
        // Without the scope, which was spoken of already, nobody can be read.
        if matches!(self.kind, Kind::Slack(_)) && !has(token, USERS) {
            return;
        }
        let key = PlatformName::from(self.name());
        for person in self.config.people.all() {
            let Some(account) = person.accounts.get(&key) else { continue };
            let what = format!("{}: the account {account}", self.name());
            let answer = self.chat.account_named(account).await;
            match self.read(&what, answer) {
                None => return,
                Some(None) => {
                    let text = format!("{}: there is no account {account}", self.name());
                    self.report.find(text, format!("correct {}", table_of(person, &key)));
                }
                Some(Some(user)) => {
                    self.first_meaning(person, (account, &user), store).await;
                    let answer = self.no_voice(&user, rooms).await;
                    let Some(no_voice) = self.read(&what, answer) else { return };
                    self.voice(account, no_voice, &table_of(person, &key));
                }
            }
        }
    }

    /// Why somebody has no say; [`NoVoice::Outsider`] only of whoever is in none of the channels.
    async fn no_voice(&self, user: &ChatUser, rooms: &[ChannelId]) -> Result<Option<NoVoice>, Failure> {
        let mut outside = None;
        for room in rooms {
            match self.chat.presence(user, room).await?.no_voice {
                Some(NoVoice::Outsider) => outside = Some(NoVoice::Outsider),
                told => return Ok(told),
            }
        }
        Ok(outside)
    }

    fn voice(&mut self, account: &str, no_voice: Option<NoVoice>, table: &str) {
        let name = self.name();
        let refused = match no_voice {
            None => return,
            Some(NoVoice::Outsider) => {
                let text = format!("{name}: {account} is in none of the channels that are told");
                self.report.warn(text, format!("invite them, or remove the account from {table}"));
                return;
            }
            Some(NoVoice::Guest) => "is a guest there",
            Some(NoVoice::Foreigner) => "is of another workspace",
            Some(NoVoice::Bot) => "is a bot there",
            Some(NoVoice::Deactivated) => "is deactivated there",
            Some(NoVoice::Nobody | NoVoice::Unknown) => "isn't known there",
        };
        let text = format!("{name}: {account} {refused}, so what they say is refused");
        self.report.find(text, format!("correct {table}, or remove the account from it"));
    }

    /// A name means the account that it meant when somebody first spoke with it.
    async fn first_meaning(
        &mut self,
        person: &Person,
        (account, user): (&str, &ChatUser),
        store: Option<&dyn Store>,
    ) {
        let Some(store) = store else { return };
        for forge in person.accounts.keys().map(|key| ForgeName::new(key.as_str())) {
            let kept = store.link(self.name(), &account.to_lowercase(), &forge).await.ok().flatten();
            if kept.is_some_and(|kept| kept.chat_user != user.id) {
                let text = format!(
                    "{}: {account} first meant another account than now, and whoever has the name now speaks for nobody",
                    self.name()
                );
                let table = table_of(person, &PlatformName::from(self.name()));
                self.report.find(
                    text,
                    format!("see who that is, and put the present name of whoever is meant into {table}"),
                );
                return;
            }
        }
    }
}
