//! Requests to the app: signed as Slack signs them, or forged on demand.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use super::Slack;
use super::state::State;
use crate::sim::exchange::{Came, Outgoing, ask};

/// What is wrong with the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// Signed with another secret.
    WrongSecret,
    /// Neither signature nor timestamp.
    Unsigned,
    /// The body was changed after it had been signed.
    Altered,
    /// Signed rightly, but by a clock that is off by so much; positive runs fast.
    ClockOff(SignedDuration),
}

/// A request that went to the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Number, for [`Slack::resend`].
    pub id: u64,
    /// Where it went.
    pub url: String,
    /// Request headers.
    pub headers: Vec<(String, String)>,
    /// Request body, a form.
    pub body: String,
    /// The answer's status; absent when none came in time.
    pub status: Option<u16>,
    /// When it was sent.
    pub at: Timestamp,
}

impl Delivery {
    /// A request header, by its name in small letters or as it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A request's way and its end.
pub(super) struct Sent {
    pub(super) delivery: u64,
    pub(super) came: Came,
    pub(super) took: Duration,
}

impl Slack {
    /// The next request is forged in this way.
    pub fn forge_next(&self, forgery: Forgery) {
        self.with(|state| state.forgery = Some(forgery));
    }

    /// Every request to the app so far, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.with(|state| state.sent.clone())
    }

    /// Sends a past request again, byte for byte, as somebody would who has caught it. Returns the answer's status
    /// and body; `None` when there is no such request or no answer came in time.
    pub async fn resend(&self, delivery: u64) -> Option<(u16, String)> {
        let past = self.deliveries().into_iter().find(|known| known.id == delivery)?;
        let sent = self.send(Outgoing { url: past.url, headers: past.headers, body: past.body }).await;
        Some((sent.came.status()?, sent.came.body().to_owned()))
    }

    pub(super) async fn send(&self, out: Outgoing) -> Sent {
        let (delivery, patience) = self.with(|state| (state.log_sent(&out), state.settings.patience));
        let (came, took) = ask(self.shared.client.as_ref(), &out, patience).await;
        self.with(|state| {
            if let Some(sent) = state.sent.iter_mut().find(|known| known.id == delivery) {
                sent.status = came.status();
            }
        });
        Sent { delivery, came, took }
    }
}

impl State {
    /// A form for the app, signed (or forged, if the next one shall be).
    pub(super) fn outgoing(&mut self, mut body: String) -> Outgoing {
        let forgery = self.forgery.take();
        let mut at = self.time();
        if let Some(Forgery::ClockOff(span)) = forgery {
            at = at.checked_add(span).unwrap_or(at);
        }
        let mut headers = form_headers();
        if forgery != Some(Forgery::Unsigned) {
            let wrong = "0123456789abcdef0123456789abcdef";
            let right = self.app.signing_secret.as_str();
            let secret = if forgery == Some(Forgery::WrongSecret) { wrong } else { right };
            let timestamp = at.as_second().to_string();
            let signature = sign(secret, &timestamp, &body);
            headers.push(("X-Slack-Request-Timestamp".into(), timestamp));
            headers.push(("X-Slack-Signature".into(), signature));
        }
        if forgery == Some(Forgery::Altered) {
            body.push_str("&altered=1");
        }
        Outgoing { url: self.app.request_url.clone(), headers, body }
    }

    fn log_sent(&mut self, out: &Outgoing) -> u64 {
        let (id, at) = (self.ids.next("delivery", 1), self.time());
        let Outgoing { url, headers, body } = out.clone();
        self.sent.push(Delivery { id, url, headers, body, status: None, at });
        id
    }
}

pub(super) fn form_headers() -> Vec<(String, String)> {
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)"),
        ("Accept", "application/json,*/*"),
    ];
    headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// `v0=` and the hexadecimal HMAC-SHA256 over `v0:timestamp:body`, under the secret's own characters.
fn sign(secret: &str, timestamp: &str, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("v0:{timestamp}:{body}").as_bytes());
    format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::sign;

    /// From <https://docs.slack.dev/authentication/verifying-requests-from-slack>.
    #[test]
    fn the_documented_request_has_the_documented_signature() {
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&\
                    channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&\
                    command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F\
                    T1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.\
                    803a0bc887a14d10d2c447fce8b6703c";
        let signature = sign("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body);
        assert_eq!(signature, "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
    }
}
