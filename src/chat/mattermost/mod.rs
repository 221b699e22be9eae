//! Mattermost: channels with our messages, answers to one person, and what people do there.
//!
//! * `client`: requests to its REST API, and what its errors mean.
//! * `wire`: the shapes of its answers.
//! * `talk`: the port; `inspect`: how it is set up.
//! * `text`: prose as Markdown; `render`: messages and their buttons; `words`: what stands on buttons and forms.
//! * `seal`: proof that a button or a form is ours: Mattermost itself sends them without any.
//! * `inbound`: what it sends, and who sent it.

mod client;
mod inbound;
mod inspect;
mod render;
mod seal;
mod talk;
mod text;
mod wire;
mod words;

#[cfg(test)]
mod tests;

pub use inbound::MattermostInbound;

use crate::domain::chat::{Channel, ChannelId};
use crate::domain::id::ChatName;
use crate::net::http::{AddressError, Http, Site, Url};
use crate::ports::clock::Clock;
use crate::ports::failure::Failure;
use client::Client;
use moka::future::Cache;
use seal::Seal;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use wire::ChannelShape;

/// How many channels' ids are kept, and for how long.
const KEPT_CHANNELS: u64 = 1_000;
const KEPT_FOR: Duration = Duration::from_hours(6);

/// How to reach one Mattermost.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configured name.
    pub name: ChatName,
    /// Address of the instance, without `/api/v4`.
    pub url: Url,
    /// Token of the bot's account. Buttons and forms are sealed with a key made from it.
    pub bot_token: SecretString,
    /// Our own address: buttons and forms call `{public_url}/hooks/{name}`.
    pub public_url: Url,
}

/// Settings that can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The address of the instance.
    #[error("url: {0}")]
    Url(AddressError),
    /// Our own address.
    #[error("public_url: {0}")]
    PublicUrl(AddressError),
    /// The token is empty or nothing but blanks.
    #[error("the bot's token is empty")]
    EmptyToken,
}

/// One Mattermost instance.
pub struct Mattermost {
    name: ChatName,
    client: Client,
    seal: Seal,
    /// Where buttons and forms are sent.
    hook: Url,
    me: OnceCell<String>,
    channels: Cache<String, ChannelId>,
    clock: Arc<dyn Clock>,
}

impl Mattermost {
    /// Prepares the adapter; nothing is sent yet.
    pub fn new(settings: Settings, http: Http, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        let Settings { name, url, bot_token, public_url } = settings;
        if bot_token.expose_secret().trim().is_empty() {
            return Err(SettingsError::EmptyToken);
        }
        let ours = Site::new(http.clone(), public_url).map_err(SettingsError::PublicUrl)?;
        let hook = ours.address(&["hooks", name.as_str()]);
        Ok(Self {
            name,
            seal: Seal::new(&bot_token),
            hook: hook.ok_or(SettingsError::PublicUrl(AddressError::Scheme))?,
            client: Client::new(
                Site::new(http, url).map_err(SettingsError::Url)?,
                &bot_token,
                Arc::clone(&clock),
            ),
            me: OnceCell::new(),
            channels: Cache::builder().max_capacity(KEPT_CHANNELS).time_to_live(KEPT_FOR).build(),
            clock,
        })
    }

    /// The id of our own account.
    async fn me(&self) -> Result<&str, Failure> {
        self.me.get_or_try_init(|| self.client.my_id()).await.map(String::as_str)
    }

    /// The channel that the configuration names: `team/channel`, or an id. Archived ones only where they are wanted.
    async fn look_up(&self, channel: &Channel, archived: bool) -> Result<ChannelShape, Failure> {
        let name = channel.name.as_str();
        let query: &[(&str, &str)] = if archived { &[("include_deleted", "true")] } else { &[] };
        match name.split_once('/') {
            Some((team, name)) => {
                let path = ["teams", "name", team, "channels", "name", name];
                self.client.get(&path, query).await
            }
            None if is_id(name) => self.client.get(&["channels", name], &[]).await,
            None => Err(Failure::NotFound),
        }
    }
}

/// Whether a text has the shape of Mattermost's ids: 26 small letters and digits.
fn is_id(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}
