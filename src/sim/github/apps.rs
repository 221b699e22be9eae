//! Apps, their keys, where they are installed and what they may do there.

use std::collections::BTreeMap;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;

use super::people::Kind;
use super::state::{Refused, State};
use super::{AppId, GitHub, InstallationId, RepositoryId, UserId};

/// An App as its owner knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct App {
    /// Id, the `iss` of its JWT.
    pub id: AppId,
    /// Slug; its account is `slug[bot]`.
    pub slug: String,
    /// The account `slug[bot]`.
    pub bot: UserId,
    /// RSA-2048, PKCS#8 in PEM.
    pub private_key_pem: String,
    /// What its deliveries are signed with.
    pub webhook_secret: String,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("id", &self.id).field("slug", &self.slug).finish_non_exhaustive()
    }
}

/// What an App may do where it is installed, such as `deployments` → `write`.
pub(super) type Permissions = BTreeMap<String, String>;

/// An App as GitHub knows it.
pub(super) struct Registered {
    pub(super) id: AppId,
    pub(super) slug: String,
    pub(super) bot: UserId,
    keys: Vec<Key>,
    pub(super) secret: String,
    pub(super) hook_id: u64,
    pub(super) hook_url: Option<String>,
    /// Every event when absent.
    pub(super) events: Option<Vec<String>>,
    pub(super) permissions: Permissions,
    pub(super) created_at: Timestamp,
}

/// A key of an App, which may have several.
struct Key {
    /// The private half, as [`App::private_key_pem`].
    pem: String,
    /// The public half, PKCS#1.
    public: Vec<u8>,
}

pub(super) struct Installation {
    pub(super) id: InstallationId,
    pub(super) app: AppId,
    pub(super) account: UserId,
    pub(super) selected: Option<Vec<RepositoryId>>,
    pub(super) suspended_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
}

/// An installation's token.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) value: String,
    pub(super) installation: InstallationId,
    pub(super) expires_at: Timestamp,
    /// What it was narrowed to; the installation's own permissions when absent.
    pub(super) permissions: Option<Permissions>,
    pub(super) repositories: Option<Vec<RepositoryId>>,
    /// The private key behind it, in PEM; absent until the call that asked for it has ended.
    pub(super) key: Option<String>,
}

/// What an App says of itself in its JWT.
#[derive(Deserialize)]
struct Claims {
    iss: Value,
    iat: i64,
    exp: i64,
}

impl GitHub {
    /// Registers an App with a new key, told of every event. Its permissions at first: write on deployments,
    /// issues, pull requests and checks; read on actions, members and metadata.
    pub fn register_app(&self, slug: &str) -> App {
        self.with(|state| state.register_app(slug))
    }

    /// Another private key for an App, good beside those that it has; in PEM.
    pub fn add_key(&self, app: AppId) -> String {
        let (pem, public) = new_key().unwrap_or_default();
        self.with(|state| {
            if let Some(known) = state.apps.get_mut(&app) {
                known.keys.push(Key { pem: pem.clone(), public });
            }
        });
        pem
    }

    /// Installs an App on all repositories of an organisation or person.
    pub fn install(&self, app: AppId, account: UserId) -> InstallationId {
        self.with(|state| state.install(app, account))
    }

    /// Removes an installation.
    pub fn uninstall(&self, installation: InstallationId) {
        self.with(|state| state.uninstall(installation));
    }

    /// Limits an installation to these repositories; `None` is all of them.
    pub fn select_repositories(&self, installation: InstallationId, selected: Option<&[RepositoryId]>) {
        self.with(|state| {
            if let Some(known) = state.installations.get_mut(&installation) {
                known.selected = selected.map(<[_]>::to_vec);
            }
        });
    }

    /// Suspends an installation (its tokens are refused, nothing is delivered) or takes that back.
    pub fn suspend(&self, installation: InstallationId, on: bool) {
        self.with(|state| state.suspend(installation, on));
    }

    /// Sets some of an App's permissions, such as `("members", "read")`; `none` takes one away. Every installation
    /// accepts at once.
    pub fn set_permissions(&self, app: AppId, permissions: &[(&str, &str)]) {
        self.with(|state| state.set_permissions(app, permissions));
    }

    /// The events that an App is told of, beside those about its own installations.
    pub fn set_events(&self, app: AppId, events: &[&str]) {
        self.with(|state| {
            if let Some(known) = state.apps.get_mut(&app) {
                known.events = Some(events.iter().map(ToString::to_string).collect());
            }
        });
    }

    /// Where an App's deliveries go. GitHub pings the address.
    pub fn set_hook_url(&self, app: AppId, url: &str) {
        self.with(|state| {
            if let Some(known) = state.apps.get_mut(&app) {
                known.hook_url = Some(url.into());
            }
            state.ping(app);
        });
    }

    /// What an App's deliveries are signed with from now on.
    pub fn set_webhook_secret(&self, app: AppId, secret: &str) {
        self.with(|state| {
            if let Some(known) = state.apps.get_mut(&app) {
                known.secret = secret.into();
            }
        });
    }
}

impl State {
    fn register_app(&mut self, slug: &str) -> App {
        let (id, created_at) = (self.ids.next("app", 20_001), self.time());
        let bot = self.add_account(&format!("{slug}[bot]"), Kind::Bot);
        let (private_key_pem, public) = new_key().unwrap_or_default();
        let (secret, hook_id) = (self.ids.hex(40), self.ids.next("hook", 701));
        let keys = vec![Key { pem: private_key_pem.clone(), public }];
        let app = App { id, slug: slug.into(), bot, private_key_pem, webhook_secret: secret.clone() };
        let registered = Registered {
            id,
            slug: slug.into(),
            bot,
            keys,
            secret,
            hook_id,
            hook_url: None,
            events: None,
            permissions: first_permissions(),
            created_at,
        };
        self.apps.insert(id, registered);
        app
    }

    fn install(&mut self, app: AppId, account: UserId) -> InstallationId {
        let (id, created_at) = (self.ids.next("installation", 30_001), self.time());
        let (selected, suspended_at) = (None, None);
        self.installations.insert(id, Installation { id, app, account, selected, suspended_at, created_at });
        self.tell_of_installation(id, "created");
        id
    }

    fn uninstall(&mut self, installation: InstallationId) {
        self.tell_of_installation(installation, "deleted");
        self.installations.remove(&installation);
        self.tokens.retain(|token| token.installation != installation);
    }

    fn suspend(&mut self, installation: InstallationId, on: bool) {
        let now = self.time();
        if let Some(known) = self.installations.get_mut(&installation) {
            known.suspended_at = on.then_some(now);
        }
        self.tell_of_installation(installation, if on { "suspend" } else { "unsuspend" });
    }

    fn set_permissions(&mut self, app: AppId, permissions: &[(&str, &str)]) {
        let Some(known) = self.apps.get_mut(&app) else { return };
        for (name, level) in permissions {
            if *level == "none" {
                known.permissions.remove(*name);
            } else {
                known.permissions.insert((*name).into(), (*level).into());
            }
        }
    }

    /// The App's installation through which it reaches this repository, suspended or not.
    pub(super) fn installation_on(&self, app: AppId, repository: RepositoryId) -> Option<&Installation> {
        let installed = self.installations.values().filter(|known| known.app == app);
        installed.into_iter().find(|known| self.reaches(known, repository))
    }

    pub(super) fn reaches(&self, installation: &Installation, repository: RepositoryId) -> bool {
        let chosen = installation.selected.as_ref().is_none_or(|chosen| chosen.contains(&repository));
        let home = self.repositories.get(&repository);
        chosen && home.is_some_and(|home| home.owner == installation.account)
    }

    /// Whose JWT this is.
    pub(super) fn verify_jwt(&self, jwt: &str) -> Result<AppId, Refused> {
        let refused = |why: &str| Refused::new(401, why);
        let read = |app: &Registered| Some((app.id, app.signer(jwt)?.1));
        let found = self.apps.values().find_map(read);
        let (app, claims) = found.ok_or_else(|| refused("A JSON web token could not be decoded"))?;
        let issuer = claims.iss.as_u64().or_else(|| claims.iss.as_str()?.parse().ok());
        let now = self.token_time().as_second();
        if issuer != Some(app) {
            return Err(refused("'Issuer' claim ('iss') must be an Integer"));
        }
        if claims.exp <= now {
            return Err(refused("'Expiration time' claim ('exp') must be in the future"));
        }
        if claims.exp > now + 600 {
            return Err(refused("'Expiration time' claim ('exp') is too far in the future"));
        }
        if claims.iat > now + 60 {
            return Err(refused("'Issued at' claim ('iat') must be in the past"));
        }
        Ok(app)
    }

    /// The private key behind a JWT, or behind the JWT that a token was got with; in PEM.
    pub(super) fn key_behind(&self, token: &str) -> Option<String> {
        match self.tokens.iter().find(|known| known.value == token) {
            Some(known) => known.key.clone(),
            None => self.apps.values().find_map(|app| Some(app.signer(token)?.0.pem.clone())),
        }
    }

    /// A token for an hour, in the long form: nobody should count its characters.
    pub(super) fn mint_token(
        &mut self,
        installation: InstallationId,
        permissions: Option<Permissions>,
        repositories: Option<Vec<RepositoryId>>,
    ) -> Token {
        let app = self.installations.get(&installation).map_or(0, |known| known.app);
        let [header, claims, more, mark] = [(); 4].map(|()| self.ids.random());
        let value = format!("ghs_{app}_eyJ{header}.eyJ{claims}{more}.{mark}");
        let now = self.token_time();
        let expires_at = now.checked_add(SignedDuration::from_hours(1)).unwrap_or(now);
        let token = Token { value, installation, expires_at, permissions, repositories, key: None };
        self.tokens.push(token.clone());
        token
    }

    /// A token that is known and hasn't expired.
    pub(super) fn live_token(&self, value: &str) -> Option<&Token> {
        let now = self.token_time();
        self.tokens.iter().find(|token| token.value == value && token.expires_at > now)
    }
}

impl Registered {
    /// With which key a JWT was signed, and what it claims.
    fn signer(&self, jwt: &str) -> Option<(&Key, Claims)> {
        self.keys.iter().find_map(|key| Some((key, decode(jwt, &key.public)?)))
    }
}

fn first_permissions() -> Permissions {
    let write = ["deployments", "issues", "pull_requests", "checks"].map(|name| (name, "write"));
    let read = ["actions", "members", "metadata"].map(|name| (name, "read"));
    write.into_iter().chain(read).map(|(name, level)| (name.to_owned(), level.to_owned())).collect()
}

/// A new RSA key: the private half in PEM, the public half in PKCS#1.
fn new_key() -> Option<(String, Vec<u8>)> {
    let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
    let private = pair.as_der().ok()?;
    let text = STANDARD.encode(private.as_ref());
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push_str("\n-----END PRIVATE KEY-----\n");
    Some((pem, pair.public_key().as_ref().to_vec()))
}

/// The claims of a JWT that this key signed. Their times are judged elsewhere, by the twin's clock.
fn decode(jwt: &str, public_key: &[u8]) -> Option<Claims> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let key = DecodingKey::from_rsa_der(public_key);
    jsonwebtoken::decode::<Claims>(jwt, &key, &validation).ok().map(|read| read.claims)
}
