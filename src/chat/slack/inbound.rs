//! Slack's deliveries: who sent them. All of them come to one address, as forms.

use super::answer_places;
use super::command;
use super::interaction::Interaction;
use crate::domain::id::ChatName;
use crate::net::http::Url;
use crate::net::signature::{BadSecret, SignatureFault, Timed, TimedSecrets};
use crate::ports::inbound::{Inbound, Manner, RawDelivery, Received, Rejected};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use std::collections::BTreeMap;
use url::form_urlencoded;

/// The largest body, in bytes. Slack's are some tens of kilobytes.
const LARGEST: usize = 1024 * 1024;
/// A longer id is not taken for one.
const LONGEST_ID: usize = 255;

/// Receives what one Slack app is sent.
#[derive(Debug)]
pub struct SlackInbound {
    secrets: TimedSecrets,
    receiver: Receiver,
}

impl SlackInbound {
    /// Takes the app's signing secrets (several while one is being replaced): at least one, none of them empty.
    /// `api_url` is that of [`super::Settings`]: answers go to its origin or to Slack's own hosts, nowhere else.
    pub fn new(name: ChatName, signing_secrets: Vec<SecretString>, api_url: &Url) -> Result<Self, BadSecret> {
        let receiver = Receiver { chat: name, places: answer_places(api_url) };
        Ok(Self { secrets: TimedSecrets::new(signing_secrets)?, receiver })
    }

    /// The second in which Slack sent it.
    fn authenticate(&self, raw: RawDelivery<'_>, now: Timestamp) -> Result<Timestamp, Rejected> {
        let text = |value| std::str::from_utf8(value).ok();
        let timestamp = raw.single("x-slack-request-timestamp")?.and_then(text);
        let signature = raw.single("x-slack-signature")?.and_then(text);
        let (Some(timestamp), Some(signature)) = (timestamp, signature) else {
            return Err(Rejected::Unauthenticated(
                "X-Slack-Request-Timestamp and X-Slack-Signature must both be there",
            ));
        };
        let timed = Timed { timestamp, signature, body: raw.body };
        self.secrets.verify(timed, now).map_err(|fault| {
            Rejected::Unauthenticated(match fault {
                SignatureFault::Time => "X-Slack-Request-Timestamp is not a time in seconds",
                SignatureFault::Stale => "X-Slack-Request-Timestamp is more than 5 minutes off",
                SignatureFault::Wrong => "X-Slack-Signature is wrong",
            })
        })
    }
}

impl Inbound for SlackInbound {
    fn manner(&self) -> Manner {
        Manner::Chat("")
    }

    fn largest(&self) -> usize {
        LARGEST
    }

    fn receive(&self, raw: RawDelivery<'_>, now: Timestamp) -> Result<Received, Rejected> {
        if is_probe(raw.body) {
            return Ok(Received::Told(String::new()));
        }
        let second = self.authenticate(raw, now)?;
        let fields = Fields::read(raw.body);
        let at = within(second, now);
        match fields.get("payload") {
            Some(payload) => self.receiver.interaction(&Interaction::read(payload)?, at),
            None => command::read(&self.receiver, &fields, at),
        }
    }
}

/// What every delivery is read with.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) chat: ChatName,
    places: Vec<Url>,
}

impl Receiver {
    /// An address for answers, if it is one that we may send to.
    pub(super) fn answers_at(&self, url: Option<&str>) -> Option<String> {
        let url = Url::parse(url?).ok()?;
        let bare = url.username().is_empty() && url.password().is_none();
        let known = self.places.iter().any(|place| place.origin() == url.origin());
        (bare && known).then(|| url.to_string())
    }
}

/// The fields of a form. Of a doubled one the first counts.
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    fn read(body: &[u8]) -> Self {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            fields.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self(fields)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Slack looks at our certificate; it may do so unsigned. Whatever else stands in such a body counts for nothing.
fn is_probe(body: &[u8]) -> bool {
    form_urlencoded::parse(body).any(|(name, value)| name == "ssl_check" && value == "1")
}

/// Slack tells the second alone. Our clock tells where in it, as far as the two agree: what one person does stays in
/// the order of Slack's clock.
fn within(second: Timestamp, now: Timestamp) -> Timestamp {
    let end = second.checked_add(SignedDuration::from_millis(999)).unwrap_or(second);
    now.clamp(second, end)
}

/// Whether a text can be an id: printable, without blanks, of a bounded length.
pub(super) fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A delivery that is Slack's and yet lacks what it must have.
pub(super) fn lacks(what: &str) -> Rejected {
    Rejected::Unreadable(format!("the delivery lacks {what}, or it has another shape"))
}
