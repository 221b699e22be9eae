//! Who we are on GitHub, and the one place that sends.
//!
//! octocrab carries the calls and attaches the credentials. It isn't left to keep installation tokens: its own
//! keeping mints several under concurrency, goes by the system's clock, and can't tell a lost token from a lost
//! write.

use super::KeyError;
use super::failure::{Trouble, judge};
use super::limits::{Budget, Rest};
use super::wire::AccessToken;
use crate::net::http::{self, Answer, Http, Method, Site, StatusCode, Url};
use crate::ports::clock::Clock;
use crate::ports::failure::Failure;
use jiff::{SignedDuration, Timestamp};
use octocrab::Octocrab;
use octocrab::auth::EncodingKey;
use octocrab::jsonwebtoken::{Algorithm, Header, encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// GitHub takes an App's own token for ten minutes at most; the clocks may differ by one.
const SIGNED_BEFORE: SignedDuration = SignedDuration::from_secs(60);
const SIGNED_FOR: SignedDuration = SignedDuration::from_mins(9);
/// An installation's token is replaced this long before its end.
const TOKEN_MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// GitHub gives them an hour; nothing that an answer says makes it longer.
const LONGEST_TOKEN: SignedDuration = SignedDuration::from_hours(1);

/// The number of one installation of the App.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct InstallationId(pub(super) i64);

/// In whose name a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    /// The App itself: `/app…` and nothing else.
    App,
    /// One installation: everything that it was given.
    Installation(InstallationId),
}

/// The App's number and key: what signs its own tokens.
pub(super) struct AppKey {
    app_id: u64,
    key: EncodingKey,
}

#[derive(Serialize)]
struct Claims {
    iss: u64,
    iat: i64,
    exp: i64,
}

impl AppKey {
    /// Reads the key and tries it.
    pub(super) fn new(app_id: u64, pem: &SecretString) -> Result<Self, KeyError> {
        let pem = pem.expose_secret().trim();
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| fault(pem))?;
        let key = Self { app_id, key };
        // A public key is read without complaint.
        key.sign(Timestamp::UNIX_EPOCH).ok_or_else(|| fault(pem))?;
        Ok(key)
    }

    fn sign(&self, now: Timestamp) -> Option<SecretString> {
        let (iat, exp) = ((now - SIGNED_BEFORE).as_second(), (now + SIGNED_FOR).as_second());
        let claims = Claims { iss: self.app_id, iat, exp };
        encode(&Header::new(Algorithm::RS256), &claims, &self.key).ok().map(SecretString::from)
    }
}

/// What is wrong with a key that can't sign. Nothing of it is told.
fn fault(pem: &str) -> KeyError {
    if pem.is_empty() {
        return KeyError::Empty;
    }
    let framed = pem.strip_prefix("-----BEGIN ").and_then(|rest| rest.split_once("-----"));
    match framed {
        Some((label, rest)) if rest.contains("-----END ") => {
            let private = label.ends_with("PRIVATE KEY");
            let locked = label.contains("ENCRYPTED") || rest.contains("ENCRYPTED");
            if private && !locked { KeyError::NotRsa } else { KeyError::NotPrivate }
        }
        Some(_) | None => KeyError::NotPem,
    }
}

/// One call.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<&'a Value>,
    /// What the answer is compared with: "not modified" if it is still this one.
    pub(super) etag: Option<&'a str>,
}

impl Call<'_> {
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, body: None, etag: None }
    }

    /// Whether it changes nothing.
    pub(super) fn reads(&self) -> bool {
        self.method == Method::GET
    }

    /// What errors may show: no query, since it may hold anything.
    fn name(&self) -> String {
        format!("{} {}{}", self.method, self.url.host_str().unwrap_or("?"), self.url.path())
    }

    /// Path and query. octocrab attaches credentials to relative addresses only, and puts the configured host
    /// before them: no call can leave it.
    fn route(&self) -> String {
        let path = self.url.path();
        self.url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
    }
}

/// Sends as the App and as its installations.
pub(super) struct Access {
    key: AppKey,
    site: Site,
    octocrab: Octocrab,
    sessions: Mutex<HashMap<InstallationId, Arc<Session>>>,
    clock: Arc<dyn Clock>,
}

/// What one installation has of its own.
#[derive(Default)]
pub(super) struct Session {
    token: tokio::sync::Mutex<Option<Arc<Token>>>,
    /// Its writes go one after the other; whoever holds this may write.
    pub(super) lane: tokio::sync::Mutex<Budget>,
    rest: Mutex<Rest>,
}

impl Session {
    /// `HeldBack` while the installation rests.
    pub(super) fn leave(&self, now: Timestamp) -> Result<(), Failure> {
        self.rest().leave(now)
    }

    /// Begins a rest, since GitHub asked for one.
    pub(super) fn begin_rest(&self, wait: Duration, now: Timestamp) {
        self.rest().begin(wait, now);
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// octocrab with one installation's token.
struct Token {
    octocrab: Octocrab,
    until: Timestamp,
}

impl Access {
    /// `None` if octocrab doesn't take the address.
    pub(super) fn new(key: AppKey, site: Site, http: &Http, clock: Arc<dyn Clock>) -> Option<Self> {
        let octocrab = Octocrab::builder().base_uri(site.base().as_str()).ok()?;
        let octocrab = octocrab.build_with_reqwest(http.transport()).ok()?;
        Some(Self { key, site, octocrab, sessions: Mutex::default(), clock })
    }

    /// Where everything is sent.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// What an installation has of its own.
    pub(super) fn session(&self, id: InstallationId) -> Arc<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sessions.entry(id).or_default())
    }

    /// Sends once, unless the installation rests, and reads the answer whatever its status. A token that is refused (revoked, or its time is
    /// over earlier than was said) is replaced once, since nothing was done with it.
    pub(super) async fn send(&self, caller: Caller, call: &Call<'_>) -> Result<Answer, Trouble> {
        let Caller::Installation(id) = caller else { return Ok(self.send_as_app(call).await?) };
        self.session(id).leave(self.clock.now())?;
        let token = self.token(id, None).await?;
        let answer = self.transmit(&token.octocrab, call).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let token = self.token(id, Some(&token)).await?;
        Ok(self.transmit(&token.octocrab, call).await?)
    }

    async fn send_as_app(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let signed = self.key.sign(self.clock.now()).ok_or_else(|| unusable("the App's key can't sign"))?;
        self.transmit(&self.with(signed)?, call).await
    }

    async fn transmit(&self, octocrab: &Octocrab, call: &Call<'_>) -> Result<Answer, Failure> {
        let outcome = transmit(octocrab, call).await;
        self.site.count(&call.method, &outcome);
        outcome
    }

    fn with(&self, token: SecretString) -> Result<Octocrab, Failure> {
        self.octocrab.user_access_token(token).map_err(|_| unusable("octocrab doesn't take the token"))
    }

    /// The installation's token, other than the `refused` one. Whoever comes while one is minted waits for it.
    async fn token(&self, id: InstallationId, refused: Option<&Arc<Token>>) -> Result<Arc<Token>, Trouble> {
        let session = self.session(id);
        let mut kept = session.token.lock().await;
        let lasts = |token: &&Arc<Token>| token.until - TOKEN_MARGIN > self.clock.now();
        let other = |token: &&Arc<Token>| refused.is_none_or(|refused| !Arc::ptr_eq(refused, token));
        if let Some(token) = kept.as_ref().filter(lasts).filter(other) {
            return Ok(Arc::clone(token));
        }
        *kept = None;
        let token = Arc::new(self.mint(id).await?);
        *kept = Some(Arc::clone(&token));
        Ok(token)
    }

    /// Asks for a new token. An unused one does nothing: a lost answer counts as one to a read.
    async fn mint(&self, id: InstallationId) -> Result<Token, Trouble> {
        let number = id.0.to_string();
        let url = self.site.address(&["app", "installations", &number, "access_tokens"]);
        let call = Call { method: Method::POST, ..Call::get(url.ok_or(Failure::NotFound)?) };
        let answer = self.send_as_app(&call).await.map_err(as_read)?;
        let answer = match judge(answer, true, self.clock.now()) {
            Err(Failure::NotFound | Failure::Refused(_)) => return Err(uninstalled()),
            judged => judged?,
        };
        let minted: AccessToken = super::client::read(&answer)?;
        let until = minted.expires_at.min(self.clock.now() + LONGEST_TOKEN);
        Ok(Token { octocrab: self.with(minted.token)?, until })
    }
}

fn unusable(what: &str) -> Failure {
    Failure::Unauthorized(what.to_owned())
}

/// Not to be taken for an answer about what was asked for as this installation.
fn uninstalled() -> Trouble {
    let what = "the App isn't installed there any more, or is suspended".to_owned();
    Trouble::Stale(Failure::Unavailable { what, retry_after: None })
}

fn as_read(failure: Failure) -> Failure {
    if let Failure::UnknownOutcome { what } = failure {
        return Failure::Unavailable { what, retry_after: None };
    }
    failure
}

async fn transmit(octocrab: &Octocrab, call: &Call<'_>) -> Result<Answer, Failure> {
    let (name, reads) = (call.name(), call.reads());
    let mut request = hyper::Request::builder().method(call.method.clone()).uri(call.route());
    if let Some(etag) = call.etag {
        request = request.header("if-none-match", etag);
    }
    let request = octocrab.build_request(request, call.body);
    // Not even an address came of it.
    let request =
        request.map_err(|_| Failure::Unreadable(format!("{name}: no request can be made of it")))?;
    let sent = octocrab.execute(request).await;
    let response = sent.map_err(|error| unanswered(&error, &name, reads))?;
    http::read(response.map(reqwest::Body::wrap), &name, reads).await
}

/// What follows from octocrab's own failure. Its text may hold anything and isn't told.
fn unanswered(error: &octocrab::Error, name: &str, reads: bool) -> Failure {
    let mut cause = error;
    if let octocrab::Error::Service { source, .. } = error {
        cause = source.downcast_ref().unwrap_or(error);
    }
    if let octocrab::Error::Reqwest { source, .. } = cause {
        return http::not_answered(source, name, reads);
    }
    let what = format!("{name}: it could not be sent");
    if reads { Failure::Unavailable { what, retry_after: None } } else { Failure::UnknownOutcome { what } }
}
