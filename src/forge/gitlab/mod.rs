//! GitLab: its REST API as lookups, a gate and conversations, and its webhooks.
//!
//! * `client`: requests, pages, and what GitLab's errors mean.
//! * `wire`: the shapes of its answers, and what they say in our words.
//! * `lookup`, `gate`, `talk`: the three ports; `changes`: what a deployment would change; `inspect`: how it is set up.
//! * [`webhook`]: deliveries and who sent them; `payload`: what they say.

mod changes;
mod client;
mod gate;
mod inspect;
mod lookup;
mod payload;
mod talk;
pub mod webhook;
mod wire;

#[cfg(test)]
mod tests;

use crate::domain::actor::Account;
use crate::domain::id::{ForgeName, Native, UserId};
use crate::net::http::{AddressError, Http, Site, Url};
use crate::ports::clock::Clock;
use client::Client;
use gate::SudoVoter;
use moka::future::Cache;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// How many accounts' names and bot marks are kept, and for how long.
const KEPT_ACCOUNTS: u64 = 10_000;
const KEPT_FOR: Duration = Duration::from_hours(6);

/// How to reach one GitLab.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configured name.
    pub name: ForgeName,
    /// Address of the instance, without `/api/v4`.
    pub url: Url,
    /// Token for reads, notes, plays and the bot's own vote (scope `api`).
    pub token: SecretString,
    /// Administrator's token (scopes `api` and `sudo`), for votes in a person's name and nothing else.
    pub sudo_token: Option<SecretString>,
}

/// Settings that can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The address.
    #[error("url: {0}")]
    Url(#[from] AddressError),
    /// A token is empty or nothing but blanks.
    #[error("a token is empty")]
    EmptyToken,
}

/// One GitLab instance.
pub struct GitLab {
    name: ForgeName,
    client: Client,
    sudo: Option<SudoVoter>,
    me: OnceCell<Account>,
    accounts: Cache<UserId, Account>,
    clock: Arc<dyn Clock>,
}

impl GitLab {
    /// Prepares the adapter; nothing is sent yet. The clock tells which memberships have expired.
    pub fn new(settings: Settings, http: Http, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        let tokens = std::iter::once(&settings.token).chain(&settings.sudo_token);
        if tokens.into_iter().any(|token| token.expose_secret().trim().is_empty()) {
            return Err(SettingsError::EmptyToken);
        }
        let site = Site::new(http, settings.url)?;
        let client = |token| Client::new(site.clone(), token, Arc::clone(&clock));
        Ok(Self {
            name: settings.name,
            client: client(settings.token),
            sudo: settings.sudo_token.map(client).map(SudoVoter::new),
            me: OnceCell::new(),
            accounts: Cache::builder().max_capacity(KEPT_ACCOUNTS).time_to_live(KEPT_FOR).build(),
            clock,
        })
    }
}

/// GitLab knows a deployment by its number.
fn native(number: i64) -> Native {
    Native::new(number.to_string())
}
