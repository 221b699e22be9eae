//! Proof that a button or a form is ours. Mattermost sends both without any credential, and anybody can aim a button
//! of their own at us; a button's context, though, is kept from every client, and a form's state can't be altered.
//!
//! A sealed text is base64url of an HMAC-SHA256 (32 bytes) and the JSON that it covers. What it is for goes into the
//! HMAC in front of the JSON, so that one never passes for the other.

use crate::domain::chat::{ChannelId, Message, Offer};
use crate::domain::ledger::Word;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

/// Separates this key from whatever else may be made of the token.
const KEY_LABEL: &[u8] = b"countersign/mattermost/seal/1\n";
/// Bytes of the HMAC.
const MAC: usize = 32;
/// How long a button can be pressed.
const BUTTON_LIVES: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a form can be sent.
const FORM_LIVES: SignedDuration = SignedDuration::from_mins(30);

/// What can be sealed.
pub(super) trait Sealed: Serialize + DeserializeOwned {
    /// What it is for, with the version of its shape.
    const LABEL: &'static [u8];

    /// From when on it doesn't count any more.
    fn until(&self) -> Timestamp;

    fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.until()
    }
}

/// A button of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Button {
    pub(super) offer: Offer,
    pub(super) word: Word,
    pub(super) place: Place,
    until: Timestamp,
}

/// Where a button stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// On a message that the whole channel reads.
    Card,
    /// In an answer that the person of this id alone reads.
    Aside(String),
}

impl Button {
    pub(super) fn new(offer: &Offer, word: Word, place: &Place, now: Timestamp) -> Self {
        Self { offer: offer.clone(), word, place: place.clone(), until: after(now, BUTTON_LIVES) }
    }
}

impl Sealed for Button {
    const LABEL: &'static [u8] = b"button/1\n";

    fn until(&self) -> Timestamp {
        self.until
    }
}

/// A form that was opened for one person, because they pressed a button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Opened {
    pub(super) offer: Offer,
    pub(super) word: Word,
    /// Whom it was opened for.
    pub(super) user: String,
    pub(super) channel: ChannelId,
    /// The message that the button stands on.
    pub(super) on: Option<Message>,
    pub(super) pressed_at: Timestamp,
    /// Which press it was: one form counts once.
    pub(super) nonce: String,
}

impl Sealed for Opened {
    const LABEL: &'static [u8] = b"form/1\n";

    fn until(&self) -> Timestamp {
        after(self.pressed_at, FORM_LIVES)
    }
}

fn after(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// Seals and opens.
#[derive(Clone)]
pub(super) struct Seal(Hmac<Sha256>);

impl Seal {
    /// The key is made from the bot's token: another token, other seals.
    pub(super) fn new(bot_token: &SecretString) -> Self {
        let key = Sha512::new()
            .chain_update(KEY_LABEL)
            .chain_update(bot_token.expose_secret().as_bytes())
            .finalize();
        Self(Hmac::new(&key))
    }

    pub(super) fn close<T: Sealed>(&self, value: &T) -> String {
        let content = serde_json::to_vec(value).unwrap_or_default();
        let mac = self.mac::<T>(&content).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([mac.as_slice(), &content].concat())
    }

    /// What was sealed; `None` for what we didn't seal, or for something else. Takes the same time however much is
    /// right.
    pub(super) fn open<T: Sealed>(&self, text: &str) -> Option<T> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (mac, content) = bytes.split_at_checked(MAC)?;
        self.mac::<T>(content).verify_slice(mac).ok()?;
        serde_json::from_slice(content).ok()
    }

    fn mac<T: Sealed>(&self, content: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(T::LABEL).chain_update(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::chat::Subject;

    fn seal(token: &str) -> Seal {
        Seal::new(&token.into())
    }

    fn now() -> Timestamp {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }

    fn offer() -> Offer {
        Offer {
            subject: Subject::from_stored("gitlab/1/run/2/0:production"),
            numbers: vec![4711],
            environment: "production".to_owned(),
            sha: "9f1c2d3e".repeat(5),
            reason_needed: true,
            generation: 3,
        }
    }

    fn button() -> Button {
        Button::new(&offer(), Word::Approved, &Place::Card, now())
    }

    #[test]
    fn what_was_sealed_comes_back() {
        let sealed = seal("token").close(&button());
        assert_eq!(seal("token").open(&sealed), Some(button()));
        assert!(sealed.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')));
    }

    #[test]
    fn another_token_another_seal() {
        assert_eq!(seal("other").open::<Button>(&seal("token").close(&button())), None);
    }

    #[test]
    fn no_changed_byte_is_taken() {
        let sealed = URL_SAFE_NO_PAD.decode(seal("token").close(&button())).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(seal("token").open::<Button>(&URL_SAFE_NO_PAD.encode(changed)), None, "byte {at}");
        }
        for short in ["", "AAAA", "!", &URL_SAFE_NO_PAD.encode(&sealed[..MAC])] {
            assert_eq!(seal("token").open::<Button>(short), None);
        }
    }

    /// The same JSON under another label: the shapes alone are not what keeps the two apart.
    #[test]
    fn a_form_never_passes_for_a_button() {
        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        struct Disguised(Button);
        impl Sealed for Disguised {
            const LABEL: &'static [u8] = Opened::LABEL;
            fn until(&self) -> Timestamp {
                self.0.until
            }
        }
        assert_eq!(seal("token").open::<Button>(&seal("token").close(&Disguised(button()))), None);
    }

    #[test]
    fn buttons_live_for_thirty_days_and_forms_for_half_an_hour() {
        let later = |hours| now() + SignedDuration::from_hours(hours);
        assert!(!button().is_expired(later(719)) && button().is_expired(later(720)));
        let form = Opened {
            offer: offer(),
            word: Word::Rejected,
            user: "dana".to_owned(),
            channel: ChannelId::new("deploys"),
            on: None,
            pressed_at: now(),
            nonce: "1".to_owned(),
        };
        assert!(!form.is_expired(now() + SignedDuration::from_mins(29)));
        assert!(form.is_expired(now() + SignedDuration::from_mins(30)));
    }
}
