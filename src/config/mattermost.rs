//! From raw to checked: a `[[mattermost]]`.

use super::chats::{Chat, ChatKind, NO_PROOF};
use super::check::Checker;
use super::checked::{Mattermost, Server};
use super::platforms::Platforms;
use super::raw::RawMattermost;
use crate::domain::id::ChatName;
use std::ops::Range;
use toml::Spanned;
use url::Url;

const MATTERMOST_NAME: &str = "mattermost";

impl Checker<'_> {
    pub(super) fn mattermost(
        &mut self,
        raw: Spanned<RawMattermost>,
        server: Option<&Server>,
        platforms: &mut Platforms,
    ) -> Option<Mattermost> {
        let at = raw.span();
        let raw = raw.into_inner();
        let name = self.platform_name(raw.name, MATTERMOST_NAME, &at, platforms).map(ChatName::new);
        platforms.chats.push(Chat { name: name.clone(), kind: ChatKind::Mattermost, at: at.clone() });
        let public_url = server.and_then(|server| self.call_back(server, &at));
        let url = self.required(raw.url, &at, "url").and_then(|url| self.web_address(&url, "https://chat.example.com"));
        let bot_token =
            self.required(raw.bot_token, &at, "bot_token").and_then(|token| self.header_secret(&token));
        if raw.command_tokens.is_empty() {
            let span = raw.command_tokens.span().unwrap_or_else(|| at.clone());
            self.sheet.fault(span, NO_PROOF, "put the slash command's token into `command_tokens`");
        }
        let command_tokens = self.secrets(raw.command_tokens, Self::header_secret);
        let command = self.command(raw.command);
        Some(Mattermost {
            name: name?,
            url: url?,
            bot_token: bot_token?,
            command_tokens: command_tokens?,
            command: command?,
            public_url: public_url?,
        })
    }

    /// Where buttons lead.
    fn call_back(&mut self, server: &Server, at: &Range<usize>) -> Option<Url> {
        if server.public_url.is_none() {
            let title = "without `public_url` the buttons in this chat lead nowhere";
            let help = "set [server] public_url to the address that Mattermost reaches this server by";
            self.sheet.fault(at.clone(), title, help);
        }
        server.public_url.clone()
    }
}
