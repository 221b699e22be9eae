//! Requests to the app: signed as Slack signs them, or forged on demand.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use sha2::Sha256;

use super::Slack;
use super::state::State;
use crate::sim::exchange::{Delivery, Outgoing, Sent, ask};

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

impl Slack {
    /// The next request is forged in this way.
    pub fn forge_next(&self, forgery: Forgery) {
        self.with(|state| state.forgery = Some(forgery));
    }

    /// Every request to the app so far, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.with(|state| state.sent.0.clone())
    }

    /// Sends a past request again, byte for byte, as somebody would who has caught it. Returns the answer's status
    /// and body; `None` when there is no such request or no answer came in time.
    pub async fn resend(&self, delivery: u64) -> Option<(u16, String)> {
        let out = self.with(|state| state.sent.again(delivery))?;
        let sent = self.send(out).await;
        Some((sent.came.status()?, sent.came.body().to_owned()))
    }

    pub(super) async fn send(&self, out: Outgoing) -> Sent {
        let (delivery, patience) = self.with(|state| {
            let at = state.time();
            (state.sent.begin(&out, at), state.settings.patience)
        });
        let (came, took) = ask(self.shared.client.as_ref(), &out, patience).await;
        self.with(|state| state.sent.end(delivery, &came));
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
