//! Every forge and every chat by its name.

use super::chats::{Chat, ChatKind};
use super::check::Checker;
use super::forges::{Forge, Kind};
use super::sheet::Field;
use crate::domain::id::{ChatName, ForgeName};
use std::ops::Range;
use toml::Spanned;

/// The tables of all forges and chats, even those with faults.
#[derive(Default)]
pub(super) struct Platforms {
    pub(super) forges: Vec<Forge>,
    pub(super) chats: Vec<Chat>,
}

/// One of them.
#[derive(Clone, Copy)]
pub(super) enum Platform {
    Forge(Kind),
    Chat(ChatKind),
}

impl Platform {
    /// The tables that configure one.
    pub(super) const TABLES: [&str; 4] = ["gitlab", "github", "slack", "mattermost"];

    /// The one of these that stands for it.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Forge(Kind::GitLab { .. }) => "gitlab",
            Self::Forge(Kind::GitHub) => "github",
            Self::Chat(ChatKind::Slack) => "slack",
            Self::Chat(ChatKind::Mattermost) => "mattermost",
        }
    }
}

impl Platforms {
    /// All of them; without a name where that is faulty.
    pub(super) fn all(&self) -> impl Iterator<Item = (Option<&str>, Platform)> {
        let forges = self
            .forges
            .iter()
            .map(|forge| (forge.name.as_ref().map(ForgeName::as_str), Platform::Forge(forge.kind)));
        let chats = self
            .chats
            .iter()
            .map(|chat| (chat.name.as_ref().map(ChatName::as_str), Platform::Chat(chat.kind)));
        forges.chain(chats)
    }

    /// The one of this name.
    pub(super) fn find(&self, name: &str) -> Option<Platform> {
        self.all().find(|(known, _)| *known == Some(name)).map(|(_, platform)| platform)
    }
}

impl Checker<'_> {
    /// The name of a forge's or chat's table. No two share one, whatever their kind: it is the hook's path.
    pub(super) fn platform_name(
        &mut self,
        field: Field<String>,
        default: &str,
        at: &Range<usize>,
        platforms: &Platforms,
    ) -> Option<String> {
        let name = match field {
            Field::Given(name) => name,
            Field::Absent => Spanned::new(at.clone(), default.to_owned()),
            Field::Broken => return None,
        };
        let (span, name) = (name.span(), name.into_inner());
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if name.is_empty() || !name.chars().all(allowed) {
            let help =
                "a name has lower-case letters, digits, `_` and `-`: it becomes part of the hook's path";
            self.sheet.fault(span, format!("{name:?} can't be a name"), help);
            return None;
        }
        if platforms.find(&name).is_some() {
            let help = "give each of them a `name` of its own";
            self.sheet.fault(span, format!("the name `{name}` is taken by an earlier table"), help);
        }
        Some(name)
    }
}
