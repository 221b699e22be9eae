//! From raw to checked: which accounts are one person's.

use super::chats::{ChatKind, is_mattermost_name, is_slack_id};
use super::check::Checker;
use super::nearest::nearest;
use super::platforms::{Platform, Platforms};
use super::raw::RawPerson;
use super::sheet::{Field, Items};
use crate::domain::chat::{People, Person};
use crate::domain::id::PlatformName;
use std::collections::BTreeSet;
use toml::Spanned;

/// Accounts that stand in a `[[person]]` already: platform and name in lower case.
type Taken = BTreeSet<(PlatformName, String)>;

impl Checker<'_> {
    pub(super) fn people(&mut self, field: Field<Items<RawPerson>>, platforms: &Platforms) -> Option<People> {
        let mut taken = Taken::new();
        self.each(field, |checker, raw| checker.person(raw, platforms, &mut taken)).map(People::new)
    }

    fn person(
        &mut self,
        raw: Spanned<RawPerson>,
        platforms: &Platforms,
        taken: &mut Taken,
    ) -> Option<Person> {
        let at = raw.span();
        let accounts = raw.into_inner().accounts;
        if accounts.len() < 2 {
            let title = "this person has fewer than two accounts, so nothing is linked";
            let help = "name their accounts on a forge and in a chat, or remove this table";
            self.sheet.warning(at, title, help);
        }
        let checked: Vec<Option<(PlatformName, String)>> = accounts
            .into_iter()
            .map(|(key, name)| {
                let account = self.account(&key, name?, platforms)?;
                self.only_once(&key, &account, taken).then_some(account)
            })
            .map(|account| account.map(|(platform, name)| (platform, name.into_inner())))
            .collect();
        let accounts = checked.into_iter().collect::<Option<_>>()?;
        Some(Person { accounts })
    }

    fn account(
        &mut self,
        key: &Spanned<String>,
        name: Spanned<String>,
        platforms: &Platforms,
    ) -> Option<(PlatformName, Spanned<String>)> {
        let Some(platform) = platforms.find(key.get_ref()) else {
            self.unknown_platform(key, &name, platforms);
            return None;
        };
        let is_one = match platform {
            Platform::Forge(kind) => self.user_name(&name, Some(kind)).is_some(),
            Platform::Chat(ChatKind::Slack) => {
                let help = "write their member id, U…: in their profile in Slack, under \u{22ee}, \"Copy member ID\"";
                self.or_fault(&name, is_slack_id(name.get_ref(), &['U', 'W']), help)
            }
            Platform::Chat(ChatKind::Mattermost) => {
                let help = "write their user name without `@`, such as \"dana\"";
                self.or_fault(&name, is_mattermost_name(name.get_ref()), help)
            }
        };
        is_one.then(|| (PlatformName::new(key.get_ref().clone()), name))
    }

    fn or_fault(&mut self, name: &Spanned<String>, is_one: bool, help: &str) -> bool {
        if !is_one {
            self.sheet.fault(name.span(), "nobody has such an account there", help);
        }
        is_one
    }

    fn unknown_platform(&mut self, key: &Spanned<String>, value: &Spanned<String>, platforms: &Platforms) {
        // A key of another table may hold a secret.
        self.sheet.hide(&value.span());
        let names: Option<Vec<&str>> = platforms.all().map(|(name, _)| name).collect();
        // Where a name is faulty itself, nobody knows whether that is the one.
        let Some(names) = names else { return };
        let missing = Platform::TABLES.iter().find(|table| *table == key.get_ref());
        let missing = missing.filter(|table| !platforms.all().any(|(_, one)| one.table() == **table));
        let help = match (missing, nearest(key.get_ref(), names.iter().copied())) {
            (Some(table), _) => {
                format!("no `[[{table}]]` is configured; remove this key, or add the table")
            }
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => format!("the configured forges and chats are `{}`", names.join("`, `")),
        };
        let title = format!("no forge or chat is called `{}`", key.get_ref().escape_debug());
        self.sheet.fault(key.span(), title, help);
    }

    fn only_once(
        &mut self,
        key: &Spanned<String>,
        (platform, name): &(PlatformName, Spanned<String>),
        taken: &mut Taken,
    ) -> bool {
        let is_new = taken.insert((platform.clone(), name.get_ref().to_lowercase()));
        if !is_new {
            let title = format!("this account of `{}` is another person's already", key.get_ref());
            let help = "one account is one person's: put all their accounts into one `[[person]]`";
            self.sheet.fault(name.span(), title, help);
        }
        is_new
    }
}
