//! GitHub's webhooks: who sent them, and what they say.

use super::payload::{Delivery, Receiver};
use crate::domain::id::ForgeName;
use crate::forge::delivery::{Said, is_id, refused, text};
use crate::net::http::Url;
use crate::net::signature::{BadSecret, BodySecrets};
use crate::ports::inbound::{Inbound, RawDelivery, Received, Rejected, Verified};
use jiff::Timestamp;
use secrecy::SecretString;

/// Receives the webhooks of one GitHub App.
#[derive(Debug)]
pub struct GitHubInbound {
    secrets: BodySecrets,
    receiver: Receiver,
}

impl GitHubInbound {
    /// Takes the secrets of the App's webhook (several while one is being replaced): at least one, none of them
    /// empty. `api_url` and `app_id` are those of [`super::Settings`]: what addresses in a body are held
    /// against, and which comments and check runs are our own.
    pub fn new(
        name: ForgeName,
        secrets: Vec<SecretString>,
        api_url: &Url,
        app_id: u64,
    ) -> Result<Self, BadSecret> {
        let api = api_url.as_str().trim_end_matches('/').to_owned();
        let receiver = Receiver { forge: name, api, app_id };
        Ok(Self { secrets: BodySecrets::new(secrets)?, receiver })
    }

    /// SHA-256 over the raw body; the older header with SHA-1 is never looked at.
    fn authenticate(&self, raw: RawDelivery<'_>) -> Result<(), Rejected> {
        let Some(header) = raw.single("x-hub-signature-256")? else {
            return Err(refused("X-Hub-Signature-256 is missing: the App's webhook needs a secret"));
        };
        let Some(given) = signature(header) else {
            return Err(refused("X-Hub-Signature-256 is not `sha256=` and 64 hexadecimal digits"));
        };
        if !self.secrets.signed(raw.body, &given) {
            return Err(refused("X-Hub-Signature-256 is wrong"));
        }
        Ok(())
    }
}

impl Inbound for GitHubInbound {
    fn receive(&self, raw: RawDelivery<'_>, _: Timestamp) -> Result<Received, Rejected> {
        self.authenticate(raw)?;
        let id = text(raw.single("x-github-delivery")?).filter(|id| is_id(id));
        let id = id.ok_or_else(|| unreadable("X-GitHub-Delivery is missing or is no id"))?;
        let event = text(raw.single("x-github-event")?);
        let event = event.ok_or_else(|| unreadable("X-GitHub-Event is missing or is no text"))?;
        if is_form(raw) {
            return Err(unreadable(
                "the body is a form: set the content type of the App's webhook to application/json",
            ));
        }
        let said = self.receiver.read(Delivery { id, event, body: raw.body });
        Ok(match said.map_err(Rejected::Unreadable)? {
            Said::Happened(event) => {
                Received::Ours(Verified { id: id.to_owned(), events: vec![event], form: None })
            }
            Said::Nothing(why) => Received::NotOurs(why),
        })
    }
}

/// The digest that a header carries. The prefix is exact; the digits may be of either case, since they say the
/// same number.
fn signature(header: &[u8]) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(header.strip_prefix(b"sha256=")?, &mut digest).ok()?;
    Some(digest)
}

/// What GitHub sends if it isn't told otherwise: `payload=` and the body, escaped.
fn is_form(raw: RawDelivery<'_>) -> bool {
    let form = |value: &[u8]| value.to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded");
    raw.body.starts_with(b"payload=")
        || raw.headers.iter().any(|(name, value)| *name == "content-type" && form(value))
}

fn unreadable(why: &str) -> Rejected {
    Rejected::Unreadable(why.to_owned())
}
