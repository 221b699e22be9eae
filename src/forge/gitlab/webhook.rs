//! GitLab's webhooks: who sent them, and what they say.

use super::payload;
use crate::domain::id::ForgeName;
use crate::forge::delivery::{Said, is_id, refused, text};
use crate::net::signature::{BadSecret, SharedTokens, Signed, SigningKeys};
use crate::ports::inbound::{Inbound, RawDelivery, Received, Rejected, Verified};
use jiff::Timestamp;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

/// Headers of a signature; where one stands, all must, and be right.
const SIGNATURE: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// Receives the webhooks of one GitLab.
#[derive(Debug)]
pub struct GitLabInbound {
    name: ForgeName,
    keys: SigningKeys,
    tokens: SharedTokens,
}

impl GitLabInbound {
    /// Takes signing tokens (`whsec_…`) and secret tokens; at least one of them all, none of them empty.
    pub fn new(
        name: ForgeName,
        signing_tokens: &[SecretString],
        secret_tokens: Vec<SecretString>,
    ) -> Result<Self, BadSecret> {
        let (keys, tokens) = (SigningKeys::new(signing_tokens)?, SharedTokens::new(secret_tokens)?);
        if keys.is_empty() && tokens.is_empty() {
            return Err(BadSecret::Missing);
        }
        Ok(Self { name, keys, tokens })
    }

    fn authenticate(&self, raw: RawDelivery<'_>, now: Timestamp) -> Result<(), Rejected> {
        let [id, timestamp, signature] = SIGNATURE.map(|name| raw.single(name));
        let (id, timestamp, signature) = (id?, timestamp?, signature?);
        let token = raw.single("x-gitlab-token")?;
        if id.is_none() && timestamp.is_none() && signature.is_none() {
            return self.check_token(token);
        }
        if self.keys.is_empty() {
            return Err(refused("the delivery is signed, but no signing token is configured here"));
        }
        let (Some(id), Some(timestamp), Some(signature)) = (text(id), text(timestamp), text(signature))
        else {
            return Err(refused("webhook-id, webhook-timestamp and webhook-signature belong together"));
        };
        let signed = Signed { id, timestamp, signature, body: raw.body };
        self.keys.verify(signed, now).map_err(|fault| Rejected::Unauthenticated(fault.sentence()))
    }

    fn check_token(&self, token: Option<&[u8]>) -> Result<(), Rejected> {
        if self.tokens.is_empty() {
            return Err(refused("a signature is needed: only signing tokens are configured here"));
        }
        match token {
            Some(token) if self.tokens.matches(token) => Ok(()),
            Some(_) => Err(refused("X-Gitlab-Token is wrong")),
            None => Err(refused("neither a signature nor X-Gitlab-Token came with the delivery")),
        }
    }
}

impl Inbound for GitLabInbound {
    fn receive(&self, raw: RawDelivery<'_>, now: Timestamp) -> Result<Received, Rejected> {
        self.authenticate(raw, now)?;
        Ok(match payload::read(raw.body, &self.name).map_err(Rejected::Unreadable)? {
            Said::Happened(event) => {
                Received::Ours(Verified { id: delivery_id(raw)?, events: vec![event], form: None })
            }
            Said::Nothing(why) => Received::NotOurs(why),
        })
    }
}

/// Signed, the id is the signed one; else the stable key, which older versions don't send: then what was sent.
fn delivery_id(raw: RawDelivery<'_>) -> Result<String, Rejected> {
    for name in ["webhook-id", "idempotency-key"] {
        if let Some(id) = text(raw.single(name)?).filter(|id| is_id(id)) {
            return Ok(id.to_owned());
        }
    }
    let event = raw.single("x-gitlab-event")?.unwrap_or_default();
    let digest = Sha256::new().chain_update(event).chain_update(b"\n").chain_update(raw.body).finalize();
    Ok(hex::encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::inbound::borrowed;
    use base64::Engine as _;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use rstest::rstest;

    const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
    const BODY: &[u8] =
        br#"{"object_kind":"deployment","status":"running","deployment_id":15,"project":{"id":30}}"#;
    const NOW: &str = "1795248000";

    fn signing_token() -> SecretString {
        format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(KEY)).into()
    }

    fn inbound(signing: bool, shared: bool) -> GitLabInbound {
        let signing: Vec<_> = signing.then(signing_token).into_iter().collect();
        let shared = shared.then(|| "sesame".into()).into_iter().collect();
        GitLabInbound::new(ForgeName::new("gitlab"), &signing, shared).unwrap()
    }

    fn sign(id: &str, at: &str, body: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(body);
        let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        headers(&[
            ("webhook-id", id),
            ("webhook-timestamp", at),
            ("webhook-signature", &format!("v1,{signature}")),
        ])
    }

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    fn received(
        inbound: &GitLabInbound,
        headers: &[(String, Vec<u8>)],
        body: &[u8],
    ) -> Result<Received, Rejected> {
        let now = Timestamp::from_second(NOW.parse().unwrap()).unwrap();
        inbound.receive(RawDelivery { headers: &borrowed(headers), body }, now)
    }

    fn id(outcome: Result<Received, Rejected>) -> String {
        match outcome {
            Ok(Received::Ours(verified)) => verified.id,
            other => panic!("not ours: {other:?}"),
        }
    }

    fn is_unauthenticated(outcome: &Result<Received, Rejected>) -> bool {
        matches!(outcome, Err(Rejected::Unauthenticated(_)))
    }

    #[test]
    fn without_a_usable_secret_nothing_is_received_at_all() {
        let make =
            |signing: &[SecretString], shared| GitLabInbound::new(ForgeName::new("gitlab"), signing, shared);
        assert_eq!(make(&[], vec![]).unwrap_err(), BadSecret::Missing);
        assert_eq!(make(&["".into()], vec!["sesame".into()]).unwrap_err(), BadSecret::Empty);
        assert_eq!(make(&[signing_token()], vec!["".into()]).unwrap_err(), BadSecret::Empty);
    }

    #[rstest]
    #[case(true, true, true)]
    #[case(true, false, true)]
    #[case(false, true, false)]
    fn a_signature_counts_where_a_key_is_configured(
        #[case] signing: bool,
        #[case] shared: bool,
        #[case] in_: bool,
    ) {
        let mut headers = sign("m1", NOW, BODY);
        let outcome = received(&inbound(signing, shared), &headers, BODY);
        assert_eq!(!is_unauthenticated(&outcome), in_);
        headers.push(("x-gitlab-token".into(), b"sesame".to_vec()));
        let outcome = received(&inbound(signing, shared), &headers, BODY);
        assert_eq!(!is_unauthenticated(&outcome), in_, "a right token doesn't stand in for a signature");
    }

    #[rstest]
    #[case(true, true, "sesame", true)]
    #[case(false, true, "sesame", true)]
    #[case(true, false, "sesame", false)]
    #[case(false, true, "Sesame", false)]
    #[case(false, true, "", false)]
    fn a_token_counts_where_one_is_configured(
        #[case] signing: bool,
        #[case] shared: bool,
        #[case] token: &str,
        #[case] in_: bool,
    ) {
        let outcome = received(&inbound(signing, shared), &headers(&[("x-gitlab-token", token)]), BODY);
        assert_eq!(!is_unauthenticated(&outcome), in_);
    }

    #[test]
    fn nothing_at_all_is_refused() {
        for inbound in [inbound(true, true), inbound(true, false), inbound(false, true)] {
            assert!(is_unauthenticated(&received(&inbound, &[], BODY)));
        }
    }

    #[test]
    fn a_signature_must_be_whole_right_fresh_and_single_even_beside_a_right_token() {
        let inbound = inbound(true, true);
        let token = headers(&[("x-gitlab-token", "sesame")]);
        let whole = sign("m1", NOW, BODY);
        let mut bad: Vec<Vec<_>> = (0..3)
            .map(|left_out| {
                whole
                    .iter()
                    .enumerate()
                    .filter(|(n, _)| *n != left_out)
                    .map(|(_, header)| header.clone())
                    .collect()
            })
            .collect();
        bad.extend((0..3).map(|doubled| [whole.clone(), vec![whole[doubled].clone()]].concat()));
        bad.extend((0..3).map(|changed| {
            let mut headers = whole.clone();
            headers[changed].1.push(b'1');
            headers
        }));
        bad.push(headers(&[("webhook-signature", "")]));
        bad.push(headers(&[("webhook-id", "\u{fffd}")]));
        bad.push(sign("m1", "1795248301", BODY));
        bad.push(sign("m1", "1795247699", BODY));
        bad.push(sign("m1", "now", BODY));
        bad.push(sign("m1", NOW, b"{}"));
        for headers in bad {
            let all = [headers, token.clone()].concat();
            assert!(is_unauthenticated(&received(&inbound, &all, BODY)), "{all:?}");
        }
    }

    #[test]
    fn a_doubled_token_is_refused_even_when_both_are_right() {
        let twice = headers(&[("x-gitlab-token", "sesame"), ("x-gitlab-token", "sesame")]);
        assert!(is_unauthenticated(&received(&inbound(false, true), &twice, BODY)));
    }

    #[test]
    fn an_unreadable_body_is_only_told_to_those_who_are_verified() {
        let (token, wrong) = (headers(&[("x-gitlab-token", "sesame")]), headers(&[("x-gitlab-token", "x")]));
        let inbound = inbound(false, true);
        assert!(matches!(received(&inbound, &token, b"{"), Err(Rejected::Unreadable(_))));
        assert!(is_unauthenticated(&received(&inbound, &wrong, b"{")));
    }

    #[test]
    fn the_id_is_the_signed_one_then_the_key_then_what_was_sent() {
        let signed = [sign("m1", NOW, BODY), headers(&[("idempotency-key", "other")])].concat();
        assert_eq!(id(received(&inbound(true, false), &signed, BODY)), "m1");

        let inbound = inbound(false, true);
        let with = |key: &str, event: &str| {
            id(received(
                &inbound,
                &headers(&[
                    ("x-gitlab-token", "sesame"),
                    ("idempotency-key", key),
                    ("x-gitlab-event", event),
                ]),
                BODY,
            ))
        };
        assert_eq!(with("k1", "Deployment Hook"), "k1");
        let digest = with("", "Deployment Hook");
        assert_eq!(digest.len(), 64);
        assert_eq!(with(&"k".repeat(129), "Deployment Hook"), digest);
        assert_eq!(with("has blank", "Deployment Hook"), digest);
        assert_ne!(with("", "Job Hook"), digest);
    }
}
