//! Slack: its Web API as a chat, and what it sends when people type commands, press buttons and fill in forms.
//!
//! * `client`: calls, and what Slack's errors mean (`failure`); `wire`: the shapes of its answers.
//! * `talk`, `people`, `inspect`: the two ports.
//! * `inbound`, `command`, `interaction`: deliveries, who sent them, and what they say.
//! * `message`, `dialog`: what is shown; `mrkdwn`, `blocks`, `buttons`, `limits`: what it is made of.

mod blocks;
mod buttons;
mod client;
mod command;
mod dialog;
mod failure;
mod inbound;
mod inspect;
mod interaction;
mod limits;
mod message;
mod mrkdwn;
mod people;
mod talk;
mod wire;

#[cfg(test)]
mod tests;

use crate::domain::id::ChatName;
use crate::net::http::{AddressError, Http, Url};
use crate::ports::clock::Clock;
use crate::ports::failure::Failure;
use client::Client;
pub use inbound::SlackInbound;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;
use tokio::sync::OnceCell;
use wire::Me;

/// How to reach one Slack workspace.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configured name.
    pub name: ChatName,
    /// Address of the Web API: `https://slack.com/api`.
    pub api_url: Url,
    /// The bot's token, `xoxb-…`.
    pub bot_token: SecretString,
    /// Workspaces (`T…`) and organisations (`E…`) whose people have a say; at least one.
    pub team_ids: Vec<String>,
}

/// Settings that can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The address.
    #[error("api_url: {0}")]
    Url(#[from] AddressError),
    /// The token is empty or nothing but blanks.
    #[error("the bot token is empty")]
    EmptyToken,
    /// No workspace: nobody would have a say.
    #[error("no workspace is configured: nobody would have a say")]
    NoTeam,
}

/// One Slack workspace, by the bot that is installed there.
pub struct Slack {
    name: ChatName,
    client: Client,
    team_ids: Vec<String>,
    me: OnceCell<Me>,
}

impl Slack {
    /// Prepares the adapter; nothing is sent yet.
    pub fn new(settings: Settings, http: &Http, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        let Settings { name, api_url, bot_token, team_ids } = settings;
        if bot_token.expose_secret().trim().is_empty() {
            return Err(SettingsError::EmptyToken);
        }
        if team_ids.is_empty() {
            return Err(SettingsError::NoTeam);
        }
        let client = Client::new(http, api_url, &bot_token, clock)?;
        Ok(Self { name, client, team_ids, me: OnceCell::new() })
    }

    /// Our own account; asked once, since a token never becomes another's.
    async fn me(&self) -> Result<&Me, Failure> {
        self.me.get_or_try_init(|| self.client.ask("auth.test", &[])).await
    }
}

/// Hosts that take answers to what people did, beside the API's own.
const ANSWER_HOSTS: [&str; 2] = ["https://hooks.slack.com", "https://hooks.slack-gov.com"];

/// Where answers to what people did may be sent: nowhere else, whatever a delivery says.
fn answer_places(api_url: &Url) -> Vec<Url> {
    let own = api_url.join("/").ok();
    ANSWER_HOSTS.into_iter().filter_map(|host| Url::parse(host).ok()).chain(own).collect()
}
