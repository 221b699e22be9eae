//! From raw to checked: a `[[slack]]`.

use super::chats::{Chat, ChatKind, NO_PROOF, is_slack_id};
use super::check::Checker;
use super::checked::Slack;
use super::platforms::Platforms;
use super::raw::RawSlack;
use super::secret::Source;
use super::sheet::{Field, Items};
use crate::domain::id::ChatName;
use secrecy::{ExposeSecret, SecretString};
use std::ops::Range;
use toml::Spanned;

const SLACK_NAME: &str = "slack";
const API_URL: &str = "https://slack.com/api";

impl Checker<'_> {
    pub(super) fn slack(&mut self, raw: Spanned<RawSlack>, platforms: &mut Platforms) -> Option<Slack> {
        let at = raw.span();
        let raw = raw.into_inner();
        let name = self.platform_name(raw.name, SLACK_NAME, &at, platforms).map(ChatName::new);
        platforms.chats.push(Chat { name: name.clone(), kind: ChatKind::Slack, at: at.clone() });
        let api_url = match raw.api_url {
            Field::Absent => self.web_address(&Spanned::new(at.clone(), API_URL.to_owned()), API_URL),
            Field::Given(url) => self.web_address(&url, API_URL),
            Field::Broken => None,
        };
        let bot_token =
            self.required(raw.bot_token, &at, "bot_token").and_then(|token| self.slack_token(&token));
        if raw.signing_secrets.is_empty() {
            let span = raw.signing_secrets.span().unwrap_or_else(|| at.clone());
            self.sheet.fault(span, NO_PROOF, "put the app's signing secret into `signing_secrets`");
        }
        let signing_secrets = self.secrets(raw.signing_secrets, Self::signing_secret);
        let team_ids = self.team_ids(raw.team_ids, &at);
        let command = self.command(raw.command);
        Some(Slack {
            name: name?,
            api_url: api_url?,
            bot_token: bot_token?,
            signing_secrets: signing_secrets?,
            team_ids: team_ids?,
            command: command?,
        })
    }

    fn slack_token(&mut self, source: &Spanned<Source>) -> Option<SecretString> {
        let token = self.header_secret(source)?;
        if token.expose_secret().starts_with("xoxb-") {
            return Some(token);
        }
        let help = "copy the \"Bot User OAuth Token\" from the app's page \"OAuth & Permissions\": it begins with xoxb-";
        self.sheet.fault(source.span(), "this isn't the token of a bot in Slack", help);
        None
    }

    fn signing_secret(&mut self, source: &Spanned<Source>) -> Option<SecretString> {
        let secret = self.secret(source)?;
        if !secret.expose_secret().starts_with("xox") {
            return Some(secret);
        }
        let help = "copy the \"Signing Secret\" from the app's page \"Basic Information\", \"App Credentials\"";
        self.sheet.fault(source.span(), "this is a token, no signing secret", help);
        None
    }

    fn team_ids(&mut self, field: Field<Items<String>>, at: &Range<usize>) -> Option<Vec<String>> {
        const HELP: &str =
            "put the workspace's id, T…, into `team_ids`: it stands in its address, app.slack.com/client/T…";
        if field.is_empty() {
            let span = field.span().unwrap_or_else(|| at.clone());
            self.sheet.fault(span, "nothing says whose people are heard here", HELP);
        }
        self.each(field, |checker, id| {
            if is_slack_id(id.get_ref(), &['T', 'E']) {
                return Some(id.into_inner());
            }
            checker.sheet.fault(id.span(), "this isn't the id of a workspace or organisation", HELP);
            None
        })
    }
}
