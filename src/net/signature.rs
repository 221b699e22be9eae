//! Proofs of who sent a webhook, compared in constant time. An empty secret can't be constructed.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// How far a signed time may be off, in seconds, in either direction.
const TOLERANCE: i64 = 5 * 60;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A configured secret that can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Empty, or nothing but blanks.
    #[error("a webhook secret is empty")]
    Empty,
    /// Not `whsec_` and base64 behind it.
    #[error("a signing token must be `whsec_` followed by base64")]
    Malformed,
    /// No secret at all: everybody could send.
    #[error("no webhook secret is configured: everybody could send")]
    Missing,
}

/// Shared tokens that are sent along in plain text; any of them will do.
#[derive(Clone, Debug)]
pub struct SharedTokens(Vec<SecretString>);

impl SharedTokens {
    /// Takes the tokens; none at all matches nothing.
    pub fn new(tokens: Vec<SecretString>) -> Result<Self, BadSecret> {
        if tokens.iter().any(is_blank) {
            return Err(BadSecret::Empty);
        }
        Ok(Self(tokens))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the token that came is one of ours. Digests are compared, so the time tells no length.
    pub fn matches(&self, given: &[u8]) -> bool {
        let given = Sha256::digest(given);
        let any = self.0.iter().fold(Choice::from(0), |any, token| {
            any | Sha256::digest(token.expose_secret().as_bytes()).ct_eq(&given)
        });
        any.into()
    }
}

/// Secrets under which whole bodies are signed with HMAC-SHA256; any of them will do.
#[derive(Clone, Debug)]
pub struct BodySecrets(Vec<SecretString>);

impl BodySecrets {
    /// Takes the secrets; at least one, none of them empty.
    pub fn new(secrets: Vec<SecretString>) -> Result<Self, BadSecret> {
        usable(secrets).map(Self)
    }

    /// Whether `given` is the body's signature under one of the secrets.
    pub fn signed(&self, body: &[u8], given: &[u8]) -> bool {
        self.0.iter().any(|secret| hmac_sha256_is(secret.expose_secret().as_bytes(), &[body], given))
    }
}

/// Secrets under which bodies are signed together with the second of sending (Slack's scheme `v0`); any of them will
/// do.
#[derive(Clone, Debug)]
pub struct TimedSecrets(Vec<SecretString>);

/// What a request carries that is signed together with its time.
#[derive(Clone, Copy, Debug)]
pub struct Timed<'a> {
    /// Unix seconds, as they were sent.
    pub timestamp: &'a str,
    /// `v0=` and the digest in hexadecimal digits.
    pub signature: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl TimedSecrets {
    /// Takes the secrets, whose characters are the key as they stand; at least one, none of them empty.
    pub fn new(secrets: Vec<SecretString>) -> Result<Self, BadSecret> {
        usable(secrets).map(Self)
    }

    /// The second in which the request was signed. The signature is checked first: nobody without a secret learns
    /// anything about our clock.
    pub fn verify(&self, timed: Timed<'_>, now: Timestamp) -> Result<Timestamp, SignatureFault> {
        let parts = [b"v0:", timed.timestamp.as_bytes(), b":", timed.body];
        let given = timed.signature.strip_prefix("v0=").and_then(|digits| hex::decode(digits).ok());
        let right = given.is_some_and(|given| {
            self.0.iter().any(|secret| hmac_sha256_is(secret.expose_secret().as_bytes(), &parts, &given))
        });
        if right { fresh(timed.timestamp, now) } else { Err(SignatureFault::Wrong) }
    }
}

/// What a signed request carries (Standard Webhooks).
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`: Unix seconds.
    pub timestamp: &'a str,
    /// `webhook-signature`: items divided by spaces, each `v1,` and base64.
    pub signature: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// Why a signature doesn't count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub enum SignatureFault {
    /// The time is no number of seconds.
    Time,
    /// The time is too far off.
    Stale,
    /// No signature is right under any of our keys.
    Wrong,
}

impl SignatureFault {
    /// For the answer's body.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Time => "webhook-timestamp is not a time in seconds",
            Self::Stale => "webhook-timestamp is more than 5 minutes off",
            Self::Wrong => "webhook-signature is wrong",
        }
    }
}

/// Keys of signed webhooks; any of them will do.
#[derive(Clone, Debug)]
pub struct SigningKeys(Vec<SecretSlice<u8>>);

impl SigningKeys {
    /// Takes signing tokens: `whsec_` and the key in base64.
    pub fn new(tokens: &[SecretString]) -> Result<Self, BadSecret> {
        tokens.iter().map(key).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks the signature, then the time: nobody without a key learns anything about our clock.
    pub fn verify(&self, signed: Signed<'_>, now: Timestamp) -> Result<(), SignatureFault> {
        let parts = [signed.id.as_bytes(), b".", signed.timestamp.as_bytes(), b".", signed.body];
        let right = signed
            .signature
            .split(' ')
            .filter_map(|item| BASE64.decode(item.strip_prefix("v1,")?).ok())
            .any(|given| self.0.iter().any(|key| hmac_sha256_is(key.expose_secret(), &parts, &given)));
        if !right {
            return Err(SignatureFault::Wrong);
        }
        fresh(signed.timestamp, now).map(drop)
    }
}

/// The signed second, if it isn't too far off.
fn fresh(timestamp: &str, now: Timestamp) -> Result<Timestamp, SignatureFault> {
    let at: i64 = timestamp.parse().map_err(|_| SignatureFault::Time)?;
    if now.as_second().abs_diff(at) > TOLERANCE.unsigned_abs() {
        return Err(SignatureFault::Stale);
    }
    Timestamp::from_second(at).map_err(|_| SignatureFault::Time)
}

fn usable(secrets: Vec<SecretString>) -> Result<Vec<SecretString>, BadSecret> {
    if secrets.is_empty() {
        return Err(BadSecret::Missing);
    }
    if secrets.iter().any(is_blank) {
        return Err(BadSecret::Empty);
    }
    Ok(secrets)
}

fn is_blank(secret: &SecretString) -> bool {
    secret.expose_secret().trim().is_empty()
}

fn key(token: &SecretString) -> Result<SecretSlice<u8>, BadSecret> {
    if is_blank(token) {
        return Err(BadSecret::Empty);
    }
    let encoded = token.expose_secret().strip_prefix("whsec_").ok_or(BadSecret::Malformed)?;
    let key = BASE64.decode(encoded).map_err(|_| BadSecret::Malformed)?;
    if key.is_empty() {
        return Err(BadSecret::Empty);
    }
    Ok(key.into())
}

/// Whether `given` is the HMAC-SHA256 of the joined parts under `key`; takes the same time either way.
pub fn hmac_sha256_is(key: &[u8], parts: &[&[u8]], given: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(given).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    // The example that the libraries of Standard Webhooks share.
    const TOKEN: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const RIGHT: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const SIGNED: Signed<'_> = Signed {
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: "1614265330",
        signature: RIGHT,
        body: br#"{"test": 2432232314}"#,
    };

    fn keys(tokens: &[&str]) -> SigningKeys {
        SigningKeys::new(&tokens.iter().map(|token| SecretString::from(*token)).collect::<Vec<_>>()).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_published_example_verifies() {
        assert_eq!(keys(&[TOKEN]).verify(SIGNED, at(1_614_265_330)), Ok(()));
    }

    #[test]
    fn any_key_and_any_item_will_do() {
        let signature = format!("v1a,zzz v1,!! v1,AAAA {RIGHT}");
        let signed = Signed { signature: &signature, ..SIGNED };
        assert_eq!(keys(&[OTHER, TOKEN]).verify(signed, at(1_614_265_330)), Ok(()));
    }

    #[rstest]
    #[case(Signed { id: "msg_other", ..SIGNED })]
    #[case(Signed { timestamp: "1614265331", ..SIGNED })]
    #[case(Signed { body: br#"{"test": 2432232315}"#, ..SIGNED })]
    #[case(Signed { signature: "", ..SIGNED })]
    #[case(Signed { signature: "v1,", ..SIGNED })]
    #[case(Signed { signature: "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", ..SIGNED })]
    #[case(Signed { signature: "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", ..SIGNED })]
    #[case(Signed { signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1A==", ..SIGNED })]
    fn anything_changed_makes_it_wrong(#[case] signed: Signed<'_>) {
        assert_eq!(keys(&[TOKEN]).verify(signed, at(1_614_265_330)), Err(SignatureFault::Wrong));
    }

    #[test]
    fn another_key_makes_it_wrong_and_no_key_never_makes_it_right() {
        assert_eq!(keys(&[OTHER]).verify(SIGNED, at(1_614_265_330)), Err(SignatureFault::Wrong));
        assert_eq!(keys(&[]).verify(SIGNED, at(1_614_265_330)), Err(SignatureFault::Wrong));
    }

    #[rstest]
    #[case(300, Ok(()))]
    #[case(-300, Ok(()))]
    #[case(301, Err(SignatureFault::Stale))]
    #[case(-301, Err(SignatureFault::Stale))]
    fn five_minutes_either_way_are_borne(#[case] off: i64, #[case] outcome: Result<(), SignatureFault>) {
        assert_eq!(keys(&[TOKEN]).verify(SIGNED, at(1_614_265_330 + off)), outcome);
    }

    #[rstest]
    #[case("", BadSecret::Empty)]
    #[case("  ", BadSecret::Empty)]
    #[case("whsec_", BadSecret::Empty)]
    #[case("whsec_ä", BadSecret::Malformed)]
    #[case("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", BadSecret::Malformed)]
    fn a_signing_token_that_signs_nothing_is_refused(#[case] token: &str, #[case] why: BadSecret) {
        assert_eq!(SigningKeys::new(&[token.into()]).unwrap_err(), why);
    }

    #[test]
    fn a_shared_token_matches_whole_or_not_at_all() {
        let tokens = SharedTokens::new(vec!["old-token".into(), "new-token".into()]).unwrap();
        assert!(tokens.matches(b"old-token") && tokens.matches(b"new-token"));
        for wrong in [&b""[..], b"new-toke", b"new-token ", b"NEW-TOKEN"] {
            assert!(!tokens.matches(wrong));
        }
        assert!(!SharedTokens::new(vec![]).unwrap().matches(b""));
        assert_eq!(SharedTokens::new(vec!["x".into(), "".into()]).unwrap_err(), BadSecret::Empty);
    }

    // The example of GitHub's documentation, "Validating webhook deliveries".
    const BODY_SECRET: &str = "It's a Secret to Everybody";
    const BODY_SIGNATURE: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn a_whole_body_is_signed_under_any_of_the_secrets() {
        let signature = hex::decode(BODY_SIGNATURE).unwrap();
        let secrets = |all: &[&str]| BodySecrets::new(all.iter().map(|one| (*one).into()).collect()).unwrap();
        assert!(secrets(&[BODY_SECRET]).signed(b"Hello, World!", &signature));
        assert!(secrets(&["older", BODY_SECRET]).signed(b"Hello, World!", &signature));
        assert!(!secrets(&["older"]).signed(b"Hello, World!", &signature));
        assert!(!secrets(&[BODY_SECRET]).signed(b"Hello, World", &signature));
        assert!(!secrets(&[BODY_SECRET]).signed(b"Hello, World!", &signature[..31]));
        assert!(!secrets(&[BODY_SECRET]).signed(b"Hello, World!", &[]));
    }

    #[test]
    fn a_body_secret_that_signs_nothing_is_refused() {
        assert_eq!(BodySecrets::new(vec![]).unwrap_err(), BadSecret::Missing);
        assert_eq!(BodySecrets::new(vec!["x".into(), " ".into()]).unwrap_err(), BadSecret::Empty);
    }

    // The example of Slack's documentation, "Verifying requests from Slack".
    const TIMED_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const TIMED: Timed<'_> = Timed {
        timestamp: "1531420618",
        signature: "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        body:
            b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=\
https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=\
398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    };

    fn timed(secrets: &[&str]) -> TimedSecrets {
        TimedSecrets::new(secrets.iter().map(|one| (*one).into()).collect()).unwrap()
    }

    #[test]
    fn slacks_example_verifies_under_any_of_the_secrets_and_tells_its_second() {
        let now = at(1_531_420_619);
        assert_eq!(timed(&[TIMED_SECRET]).verify(TIMED, now), Ok(at(1_531_420_618)));
        assert_eq!(timed(&["older", TIMED_SECRET]).verify(TIMED, now), Ok(at(1_531_420_618)));
        assert_eq!(timed(&["older"]).verify(TIMED, now), Err(SignatureFault::Wrong));
    }

    #[rstest]
    #[case(Timed { timestamp: "1531420619", ..TIMED })]
    #[case(Timed { body: b"token=other", ..TIMED })]
    #[case(Timed { signature: "", ..TIMED })]
    #[case(Timed { signature: "v0=", ..TIMED })]
    #[case(Timed { signature: "v0=a2114d57", ..TIMED })]
    #[case(Timed { signature: "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", ..TIMED })]
    #[case(Timed { signature: "v1=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", ..TIMED })]
    fn anything_changed_makes_slacks_example_wrong(#[case] changed: Timed<'_>) {
        assert_eq!(timed(&[TIMED_SECRET]).verify(changed, at(1_531_420_618)), Err(SignatureFault::Wrong));
    }

    #[rstest]
    #[case(300, true)]
    #[case(-300, true)]
    #[case(301, false)]
    #[case(-301, false)]
    fn a_signed_second_is_borne_for_five_minutes_either_way(#[case] off: i64, #[case] borne: bool) {
        let outcome = timed(&[TIMED_SECRET]).verify(TIMED, at(1_531_420_618 + off));
        assert_eq!(outcome.is_ok(), borne);
        assert!(borne || outcome == Err(SignatureFault::Stale));
    }

    #[test]
    fn a_timed_secret_that_signs_nothing_is_refused() {
        assert_eq!(TimedSecrets::new(vec![]).unwrap_err(), BadSecret::Missing);
        assert_eq!(TimedSecrets::new(vec!["x".into(), " ".into()]).unwrap_err(), BadSecret::Empty);
        assert!(!format!("{:?}", timed(&["hush"])).contains("hush"));
    }

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let (shared, body) = (SharedTokens::new(vec!["hush".into()]), BodySecrets::new(vec!["hush".into()]));
        let shown = format!("{:?} {shared:?} {body:?}", keys(&[TOKEN]));
        assert!(!shown.contains("hush") && !shown.contains("MfKQ"));
    }
}
