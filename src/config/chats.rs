//! What the tables of all chats share, and what an `[[environment]]` says of them.

use super::check::Checker;
use super::environments::overshadows;
use super::nearest::nearest;
use super::sheet::{Field, Items};
use crate::domain::chat::{Channel, People};
use crate::domain::id::{ChatName, ForgeName, PlatformName};
use crate::domain::policy::{Entry, Policies};
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;

/// A chat whose requests anybody could send.
pub(super) const NO_PROOF: &str = "nothing proves that requests come from this chat";
const COMMAND: &str = "/deploy";
/// Longer commands are refused by Slack, in characters with the slash.
const LONGEST_COMMAND: usize = 32;
/// Ids of Mattermost have so many letters and digits.
const MATTERMOST_ID: usize = 26;

/// A chat's table, even where it has faults.
pub(super) struct Chat {
    pub(super) name: Option<ChatName>,
    pub(super) kind: ChatKind,
    pub(super) at: Range<usize>,
}

/// Which chat it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ChatKind {
    Slack,
    Mattermost,
}

impl ChatKind {
    /// Whether a channel could be called so there.
    fn has_channel(self, name: &str) -> bool {
        match self {
            Self::Slack => is_slack_id(name, &['C', 'G']),
            Self::Mattermost => match name.split_once('/') {
                Some((team, channel)) => is_mattermost_name(team) && is_mattermost_name(channel),
                None => is_mattermost_id(name),
            },
        }
    }

    /// How a channel is written there.
    fn how_to_name_a_channel(self) -> &'static str {
        match self {
            Self::Slack => "write its id, C…, which stands at the bottom of the channel's details in Slack",
            Self::Mattermost => {
                "write its team and its name as they stand in its address, such as \"acme/town-square\", or its id"
            }
        }
    }
}

/// `T024BE7LD`: a letter that tells the kind, then capitals and digits.
pub(super) fn is_slack_id(text: &str, kinds: &[char]) -> bool {
    let rest = text.strip_prefix(kinds).unwrap_or_default();
    !rest.is_empty() && rest.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

/// What Mattermost lets teams, channels and people be called in addresses.
pub(super) fn is_mattermost_name(text: &str) -> bool {
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !text.is_empty() && text.chars().all(usual)
}

fn is_mattermost_id(text: &str) -> bool {
    text.len() == MATTERMOST_ID && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

impl Checker<'_> {
    /// The slash command's name.
    pub(super) fn command(&mut self, field: Field<String>) -> Option<String> {
        self.or(field, COMMAND.to_owned(), |checker, command| {
            let text = command.get_ref();
            let usual = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
            let word = text.strip_prefix('/').unwrap_or_default();
            if !word.is_empty() && word.chars().all(usual) && text.len() <= LONGEST_COMMAND {
                return Some(text.clone());
            }
            let help = format!(
                "a `/`, then lower-case letters, digits, `_` and `-`, at most {LONGEST_COMMAND} characters, such as \
                 \"{COMMAND}\""
            );
            checker.sheet.fault(command.span(), "this can't be a slash command", help);
            None
        })
    }

    /// The channels of an `[[environment]]`, each once.
    pub(super) fn notify(&mut self, field: Field<Items<String>>, chats: &[Chat]) -> Option<Vec<Channel>> {
        let mut channels: Vec<Option<Channel>> = Vec::new();
        for item in Self::plain(field, Vec::new())? {
            let channel = item.as_ref().and_then(|target| self.channel(target, chats));
            if channel.is_some() && channels.contains(&channel) {
                let span = item.map_or(0..0, |target| target.span());
                self.sheet.warning(span, "this channel is named twice", "remove one of them");
            } else {
                channels.push(channel);
            }
        }
        channels.into_iter().collect()
    }

    fn channel(&mut self, target: &Spanned<String>, chats: &[Chat]) -> Option<Channel> {
        let Some((chat, name)) = target.get_ref().split_once(':') else {
            let help = "write the name of the chat, `:` and the channel, such as \"slack:C0DEPLOYS\"";
            self.sheet.fault(target.span(), "this doesn't name a channel of a chat", help);
            return None;
        };
        let found = chats.iter().find(|known| known.name.as_ref().map(ChatName::as_str) == Some(chat));
        let Some(found) = found else {
            self.unknown_chat(target.span(), chat, chats);
            return None;
        };
        if found.kind == ChatKind::Slack && is_slack_id(name, &['D']) {
            let help = "name a channel that the bot can be invited to";
            self.sheet.fault(target.span(), "direct messages can't be told", help);
            return None;
        }
        if !found.kind.has_channel(name) {
            let title = format!("no channel of `{chat}` is called {name:?}");
            self.sheet.fault(target.span(), title, found.kind.how_to_name_a_channel());
            return None;
        }
        Some(Channel { chat: found.name.clone()?, name: name.to_owned() })
    }

    fn unknown_chat(&mut self, span: Range<usize>, chat: &str, chats: &[Chat]) {
        let names: Option<Vec<&str>> =
            chats.iter().map(|known| Some(known.name.as_ref()?.as_str())).collect();
        // Where a chat's own name is faulty, nobody knows whether that is the one.
        let Some(names) = names else { return };
        let help = match nearest(chat, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "add a `[[slack]]` or a `[[mattermost]]` table".to_owned(),
            None => format!("the configured chats are `{}`", names.join("`, `")),
        };
        self.sheet.fault(span, format!("no chat is called {chat:?}"), help);
    }

    pub(super) fn mention(&mut self, field: Field<bool>, notify: &Field<Items<String>>) -> Option<bool> {
        if let Field::Given(mention) = &field
            && *mention.get_ref()
            && notify.is_empty()
        {
            let title = "`mention` without `notify` mentions nobody";
            self.sheet.warning(mention.span(), title, "name channels in `notify`, or remove this line");
        }
        Self::plain(field, false)
    }

    /// A chat that nothing is told in, or where nobody can act on what is told.
    pub(super) fn warn_of_silent_chats(&mut self, chats: &[Chat], people: &People, policies: &Policies) {
        for Chat { name, at, .. } in chats {
            let Some(name) = name else { continue };
            let tells = |entry: &&Entry| entry.notify.iter().any(|channel| channel.chat == *name);
            let forges: BTreeSet<&ForgeName> =
                used(policies).filter(tells).map(|entry| &entry.on).collect();
            if forges.is_empty() {
                let title = format!("no `notify` names `{name}`, so nothing is told there");
                let help = format!("add `notify = [\"{name}:…\"]` to an `[[environment]]`");
                self.sheet.warning(at.clone(), title, help);
            }
            for forge in forges.into_iter().filter(|forge| !someone_links(people, name, forge)) {
                let title = format!(
                    "no `[[person]]` has an account of `{name}` and one of `{forge}`, so nobody can decide in this \
                     chat what waits there"
                );
                let help = format!("add `[[person]]` tables with the keys `{forge}` and `{name}`");
                self.sheet.warning(at.clone(), title, help);
            }
        }
    }
}

/// The entries that something can match.
fn used(policies: &Policies) -> impl Iterator<Item = &Entry> {
    let entries = policies.all();
    let is_used =
        |(at, entry): &(usize, &Entry)| !entries.iter().take(*at).any(|earlier| overshadows(earlier, entry));
    entries.iter().enumerate().filter(is_used).map(|(_, entry)| entry)
}

fn someone_links(people: &People, chat: &ChatName, forge: &ForgeName) -> bool {
    let (chat, forge) = (PlatformName::from(chat), PlatformName::from(forge));
    people
        .all()
        .iter()
        .any(|person| person.accounts.contains_key(&chat) && person.accounts.contains_key(&forge))
}
