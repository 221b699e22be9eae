//! GitHub as an App: who it is where, and calls to the REST API over octocrab.
//!
//! * `access`: the App's key, its installations' tokens, and the one place that sends.
//! * `client`: reads, pages and changes; `failure`: what GitHub's errors mean; `limits`: how much may be written.
//! * `directory`: which installation reaches which repository; accounts.
//! * `repository`: calls within one repository, wherever it has been moved to.
//! * `wire`: the shapes of the answers.
//! * [`webhook`]: deliveries and who sent them; `payload`: what they say; `run_url`: runs told by address only.
//! * `button`: what our check runs stand for.
//! * `lookup`, `gate`, `talk`, `log`: the ports. `native`: what a deployment is known by here; `sighting`: what a run
//!   says of one that waits, `outcome` of one that went on; `carrier`: its pull request; `changes`: what it would
//!   change; `people`: who may do what; `checks`: buttons; `fit`: texts within the limits. `inspect`: how the App is
//!   set up.

mod access;
mod button;
mod carrier;
mod changes;
mod checks;
mod client;
mod decimal;
mod directory;
mod failure;
mod fit;
mod gate;
mod inspect;
mod limits;
mod log;
mod lookup;
mod native;
mod outcome;
mod payload;
mod people;
mod repository;
mod run_url;
mod sighting;
mod talk;
pub mod webhook;
mod wire;

#[cfg(test)]
mod tests;

use crate::domain::id::{ForgeName, ProjectId};
use crate::net::http::{AddressError, Http, Site, Url};
use crate::ports::clock::Clock;
use access::{Access, AppKey};
use client::Client;
use directory::Directory;
use jiff::Timestamp;
use lookup::Rules;
use moka::future::Cache;
use secrecy::SecretString;
use std::sync::Arc;

/// Of how many environments it is kept that our rule is enabled there.
const KEPT_RULES: u64 = 10_000;
/// Of how many deployments the check run with their buttons is kept.
const KEPT_BUTTONS: u64 = 10_000;

/// How to reach one GitHub.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configured name.
    pub name: ForgeName,
    /// Address of the API: `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server.
    pub api_url: Url,
    /// The App's number.
    pub app_id: u64,
    /// The App's private key: RSA, PEM (PKCS#1 as GitHub hands it out, or PKCS#8).
    pub private_key: SecretString,
}

/// Settings that can't be used. Nothing of the key stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The address.
    #[error("api_url: {0}")]
    Url(#[from] AddressError),
    /// The address can't be told to octocrab.
    #[error("api_url: octocrab does not take this address")]
    Transport,
    /// The key.
    #[error("private_key: {0}")]
    Key(#[from] KeyError),
}

/// A private key that can't sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Empty or nothing but blanks.
    #[error("it is empty")]
    Empty,
    /// Not between a `-----BEGIN …-----` and an `-----END …-----` line.
    #[error("it is not PEM (it has to begin with a line like -----BEGIN RSA PRIVATE KEY-----)")]
    NotPem,
    /// Some other thing in PEM: a public key, a certificate, an encrypted key.
    #[error("it is PEM, but not a private key that is readable without a password")]
    NotPrivate,
    /// A private key of another kind, or a damaged one.
    #[error("it is not an RSA key, or it is damaged (are its line breaks there?)")]
    NotRsa,
}

/// One GitHub, as one App sees it.
pub struct GitHub {
    name: ForgeName,
    client: Arc<Client>,
    directory: Directory,
    /// Rules of environments (in lower case) on which ours was enabled, and when that was seen.
    rules: Cache<(ProjectId, String), (Timestamp, Rules)>,
    /// Check runs with our buttons, by the number of the deployment.
    buttons: Cache<(ProjectId, i64), i64>,
    clock: Arc<dyn Clock>,
}

impl GitHub {
    /// Prepares the adapter; nothing is sent yet. The clock dates the App's tokens and measures the limits.
    /// To be called within a Tokio runtime, which octocrab needs.
    pub fn new(settings: Settings, http: &Http, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        let key = AppKey::new(settings.app_id, &settings.private_key)?;
        let site = Site::new(http.clone(), settings.api_url)?;
        let access = Access::new(key, site, http, Arc::clone(&clock)).ok_or(SettingsError::Transport)?;
        let client = Arc::new(Client::new(access, Arc::clone(&clock)));
        let directory = Directory::new(Arc::clone(&client), Arc::clone(&clock));
        let rules = Cache::builder().max_capacity(KEPT_RULES).build();
        let buttons = Cache::builder().max_capacity(KEPT_BUTTONS).build();
        Ok(Self { name: settings.name, client, directory, rules, buttons, clock })
    }
}
