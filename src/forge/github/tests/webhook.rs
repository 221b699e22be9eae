use crate::domain::event::Event;
use crate::domain::id::{ForgeName, ProjectId};
use crate::forge::github::webhook::GitHubInbound;
use crate::net::signature::BadSecret;
use crate::ports::inbound::{Inbound as _, RawDelivery, Received, Rejected, Verified, borrowed};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use rstest::rstest;
use secrecy::SecretString;
use sha2::Sha256;

type Headers = Vec<(String, Vec<u8>)>;

const ID: &str = "0b1f4a2e-c6a5-11f0-8de9-0242ac120002";
const BODY: &[u8] = br#"{"action": "completed", "workflow_run": {"id": 12, "status": "completed"}, "repository": {"id": 30}}"#;

fn inbound(secrets: &[&str]) -> GitHubInbound {
    let secrets = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
    GitHubInbound::new(ForgeName::new("github"), secrets, &"https://api.github.com".parse().unwrap(), 99)
        .unwrap()
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// The right signature, cut.
fn first(length: usize) -> String {
    sign("sesame", BODY).chars().take(length).collect()
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

/// What GitHub sends along with a body that is signed under `sesame`.
fn delivered(body: &[u8]) -> Headers {
    headers(&[
        ("user-agent", "GitHub-Hookshot/1a2b3c4"),
        ("content-type", "application/json"),
        ("x-github-event", "workflow_run"),
        ("x-github-delivery", ID),
        ("x-hub-signature-256", &sign("sesame", body)),
    ])
}

/// The same with one header set to something else, or left out.
fn with(name: &str, value: Option<&str>) -> Headers {
    let kept = delivered(BODY).into_iter().filter(|(header, _)| header != name);
    kept.chain(value.map(|value| (name.to_owned(), value.as_bytes().to_vec()))).collect()
}

fn receive(
    inbound: &GitHubInbound,
    headers: &[(String, Vec<u8>)],
    body: &[u8],
) -> Result<Received, Rejected> {
    inbound.receive(RawDelivery { headers: &borrowed(headers), body }, Timestamp::UNIX_EPOCH)
}

fn run_changed() -> Received {
    let (forge, project) = (ForgeName::new("github"), ProjectId(30));
    let event = Event::RunChanged { forge, project, run: 12, waits: false, asked: None };
    Received::Ours(Verified { id: ID.to_owned(), events: vec![event], form: None })
}

fn why_unauthenticated(outcome: Result<Received, Rejected>) -> &'static str {
    match outcome {
        Err(Rejected::Unauthenticated(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

fn why_unreadable(outcome: Result<Received, Rejected>) -> String {
    match outcome {
        Err(Rejected::Unreadable(why)) => why,
        other => panic!("not unreadable: {other:?}"),
    }
}

#[test]
fn without_a_usable_secret_nothing_is_received_at_all() {
    let make = |secrets: Vec<SecretString>| {
        GitHubInbound::new(ForgeName::new("github"), secrets, &"https://api.github.com".parse().unwrap(), 99)
    };
    assert_eq!(make(vec![]).unwrap_err(), BadSecret::Missing);
    assert_eq!(make(vec!["sesame".into(), "".into()]).unwrap_err(), BadSecret::Empty);
}

/// The example of GitHub's documentation is no JSON: it is unreadable, and so it was verified.
#[test]
fn the_documented_example_verifies() {
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let headers =
        headers(&[("x-github-event", "ping"), ("x-github-delivery", ID), ("x-hub-signature-256", signature)]);
    let inbound = inbound(&["It's a Secret to Everybody"]);
    why_unreadable(receive(&inbound, &headers, b"Hello, World!"));
    why_unauthenticated(receive(&inbound, &headers, b"Hello, World?"));
}

#[test]
fn any_of_the_secrets_will_do() {
    assert_eq!(receive(&inbound(&["sesame"]), &delivered(BODY), BODY), Ok(run_changed()));
    assert_eq!(receive(&inbound(&["older", "sesame"]), &delivered(BODY), BODY), Ok(run_changed()));
    why_unauthenticated(receive(&inbound(&["older"]), &delivered(BODY), BODY));
}

#[rstest]
#[case::another_body(with("x-hub-signature-256", Some(&sign("sesame", b"{}"))), "wrong")]
#[case::another_secret(with("x-hub-signature-256", Some(&sign("Sesame", BODY))), "wrong")]
#[case::missing(with("x-hub-signature-256", None), "missing")]
#[case::empty(with("x-hub-signature-256", Some("")), "is not")]
#[case::no_prefix(with("x-hub-signature-256", sign("sesame", BODY).strip_prefix("sha256=")), "is not")]
#[case::another_prefix(with("x-hub-signature-256", Some(&sign("sesame", BODY).replace("256", "1"))), "is not")]
#[case::upper_prefix(with("x-hub-signature-256", Some(&sign("sesame", BODY).replace("sha", "SHA"))), "is not")]
#[case::too_short(with("x-hub-signature-256", Some(&first(69))), "is not")]
#[case::shorter(with("x-hub-signature-256", Some(&first(47))), "is not")]
#[case::too_long(with("x-hub-signature-256", Some(&format!("{}00", sign("sesame", BODY)))), "is not")]
#[case::a_blank(with("x-hub-signature-256", Some(&format!("{} ", sign("sesame", BODY)))), "is not")]
#[case::no_digits(with("x-hub-signature-256", Some(&format!("sha256={}", "g".repeat(64)))), "is not")]
#[case::two_in_one(
    with("x-hub-signature-256", Some(&format!("{0},{0}", sign("sesame", BODY)))), "is not"
)]
fn a_signature_that_is_not_right_is_refused(#[case] headers: Headers, #[case] why: &str) {
    let said = why_unauthenticated(receive(&inbound(&["sesame"]), &headers, BODY));
    assert!(said.contains(why), "{said}");
}

#[test]
fn digits_say_the_same_in_either_case() {
    let upper = sign("sesame", BODY).to_uppercase().replace("SHA", "sha");
    let headers = with("x-hub-signature-256", Some(&upper));
    assert_eq!(receive(&inbound(&["sesame"]), &headers, BODY), Ok(run_changed()));
}

#[test]
fn sha_1_is_never_looked_at_whatever_it_says() {
    let sha_1 = ("x-hub-signature".to_owned(), b"sha1=1eaa53dd2c78e8d1eaf8ebc553083bf1d65f02e1".to_vec());
    let alone = [with("x-hub-signature-256", None), vec![sha_1.clone()]].concat();
    assert!(why_unauthenticated(receive(&inbound(&["sesame"]), &alone, BODY)).contains("missing"));
    let beside = [delivered(BODY), vec![sha_1]].concat();
    assert_eq!(receive(&inbound(&["sesame"]), &beside, BODY), Ok(run_changed()));
}

#[rstest]
#[case("x-hub-signature-256")]
#[case("x-github-delivery")]
#[case("x-github-event")]
fn a_header_that_tells_what_came_is_not_doubled(#[case] name: &str) {
    let headers = delivered(BODY);
    let again = headers.iter().find(|(header, _)| header == name).unwrap().clone();
    let said = why_unauthenticated(receive(&inbound(&["sesame"]), &[headers, vec![again]].concat(), BODY));
    assert!(said.contains("twice"), "{said}");
}

#[rstest]
#[case("x-github-delivery", None)]
#[case("x-github-delivery", Some(""))]
#[case("x-github-delivery", Some("has blank"))]
#[case("x-github-delivery", Some("ä"))]
#[case(
    "x-github-delivery",
    Some(
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
                                  0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"
    )
)]
#[case("x-github-event", None)]
fn what_came_must_be_told(#[case] name: &str, #[case] value: Option<&str>) {
    let said = why_unreadable(receive(&inbound(&["sesame"]), &with(name, value), BODY));
    assert!(said.to_lowercase().starts_with(name), "{said}");
}

#[test]
fn a_form_is_told_how_to_become_json() {
    let body = b"payload=%7B%22zen%22%3A%22Keep+it+logically+awesome.%22%7D";
    for content_type in
        ["application/x-www-form-urlencoded; charset=UTF-8", "APPLICATION/X-WWW-FORM-URLENCODED", ""]
    {
        let mut headers = delivered(body);
        headers[1].1 = content_type.into();
        let said = why_unreadable(receive(&inbound(&["sesame"]), &headers, body));
        assert!(said.contains("application/json"), "{said}");
    }
    let headers = with("content-type", Some("application/x-www-form-urlencoded"));
    assert!(why_unreadable(receive(&inbound(&["sesame"]), &headers, BODY)).contains("application/json"));
}

#[test]
fn an_unreadable_body_is_only_told_to_those_who_are_verified() {
    for body in [&b"{"[..], b"", b"\xff{}", b"[]", b"null", b"17"] {
        why_unreadable(receive(&inbound(&["sesame"]), &delivered(body), body));
        why_unauthenticated(receive(&inbound(&["other"]), &delivered(body), body));
    }
}
