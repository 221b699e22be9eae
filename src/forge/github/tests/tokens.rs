//! Keys and tokens.

use super::*;
use crate::forge::github::access::AppKey;
use crate::forge::github::client::Change;
use crate::ports::failure::Failure;
use aws_lc_rs::signature::KeyPair as _;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rstest::rstest;
use serde::Deserialize;
use tokio::task::JoinSet;

const MINT: &str = "/app/installations/1/access_tokens";

#[derive(Deserialize)]
struct Claims {
    iss: u64,
    iat: i64,
    exp: i64,
}

fn claims(authorization: &str) -> Claims {
    let mut validation = Validation::new(Algorithm::RS256);
    // Else it would go by the system's clock.
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_rsa_der(KEY.public_key().as_ref());
    let token = authorization.strip_prefix("Bearer ").unwrap();
    jsonwebtoken::decode(token, &key, &validation).unwrap().claims
}

#[tokio::test]
async fn the_app_signs_its_calls_by_the_clock_it_was_given() {
    let world = World::new(|asked, _| asked.is("GET", "/app").then(|| answer(200, &json!({})))).await;
    world.github.client.get(Caller::App, &["app"], &[]).await.unwrap();
    let asked = world.asked().remove(0);
    let claims = claims(&asked.authorization);
    let now = start().as_second();
    assert_eq!((claims.iss, claims.iat, claims.exp), (APP, now - 60, now + 540));
    assert_eq!(asked.version.as_deref(), Some("2022-11-28"));
    assert_eq!(asked.agents, 1);
}

#[tokio::test]
async fn twenty_calls_at_once_ask_for_one_token() {
    let world = World::new(|asked, _| asked.is("GET", "/x").then(|| answer(200, &json!(1)))).await;
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let github = Arc::clone(&world.github);
        calls.spawn(async move { github.client.get(ACME, &["x"], &[]).await.map(drop) });
    }
    calls.join_all().await.into_iter().for_each(Result::unwrap);
    assert_eq!(world.count("POST", MINT), 1);
    let mints: Vec<Asked> = world.asked().into_iter().filter(|asked| asked.is("POST", MINT)).collect();
    assert_eq!(claims(&mints[0].authorization).iss, APP);
    assert_eq!(mints[0].version.as_deref(), Some("2022-11-28"));
    let calls: Vec<Asked> = world.asked().into_iter().filter(|asked| asked.is("GET", "/x")).collect();
    assert_eq!(calls.len(), 20);
    assert!(calls.iter().all(|asked| asked.authorization == "Bearer ghs_1"));
}

#[tokio::test]
async fn a_token_is_used_until_a_minute_before_its_end() {
    let world = World::new(|asked, _| asked.is("GET", "/x").then(|| answer(200, &json!(1)))).await;
    let call = async || world.github.client.get(ACME, &["x"], &[]).await.map(drop).unwrap();
    call().await;
    world.clock.advance(SignedDuration::from_secs(59 * 60 - 1));
    call().await;
    assert_eq!(world.count("POST", MINT), 1);
    world.clock.advance(SignedDuration::from_secs(1));
    call().await;
    assert_eq!(world.count("POST", MINT), 2);
    assert_eq!(world.asked().last().unwrap().authorization, "Bearer ghs_2");
}

#[tokio::test]
async fn a_token_that_was_revoked_is_replaced_once_for_all_who_held_it() {
    let world = World::new(|asked, _| {
        let revoked = asked.authorization == "Bearer ghs_1";
        let body = json!({"message": "Bad credentials"});
        asked.is("POST", "/x").then(|| if revoked { answer(401, &body) } else { answer(201, &json!(1)) })
    })
    .await;
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let github = Arc::clone(&world.github);
        let change = Change::post(json!({"body": "text"}));
        calls.spawn(async move { github.client.write(ACME, &["x"], &change).await.map(drop) });
    }
    calls.join_all().await.into_iter().for_each(Result::unwrap);
    assert_eq!(world.count("POST", MINT), 2);
}

#[tokio::test]
async fn a_call_that_stays_unauthorized_is_given_up() {
    let refuse =
        |asked: &Asked, _| asked.is("GET", "/x").then(|| answer(401, &json!({"message": "Bad credentials"})));
    let world = World::new(refuse).await;
    let failure: Failure = world.github.client.get(ACME, &["x"], &[]).await.unwrap_err().into();
    assert_eq!(failure, Failure::Unauthorized("Bad credentials".to_owned()));
    assert_eq!((world.count("GET", "/x"), world.count("POST", MINT)), (2, 2));
}

#[tokio::test]
async fn a_write_without_a_token_was_not_sent() {
    let world = World::new(|asked, _| asked.is("POST", MINT).then(|| answer(502, &json!({})))).await;
    let written = world.github.client.write(ACME, &["x"], &Change::post(json!({}))).await;
    let failure: Failure = written.unwrap_err().into();
    let what = "GitHub answered 502".to_owned();
    assert_eq!(failure, Failure::Unavailable { what, retry_after: None });
    assert_eq!(world.count("POST", "/x"), 0);
}

#[tokio::test]
async fn an_odd_answer_with_a_token_in_it_is_not_repeated() {
    let odd = |asked: &Asked, _| {
        let body = json!({"token": "ghs_hidden", "expires_at": "ghs_hidden"});
        asked.is("POST", MINT).then(|| answer(201, &body))
    };
    let world = World::new(odd).await;
    let failure: Failure = world.github.client.get(ACME, &["x"], &[]).await.unwrap_err().into();
    assert!(matches!(failure, Failure::Unreadable(_)));
    assert!(!format!("{failure} {failure:?}").contains("hidden"));
}

#[tokio::test]
async fn below_a_path_everything_is_signed_and_sent_there() {
    let say = |asked: &Asked, _| asked.is("GET", "/app/x").then(|| answer(200, &json!(1)));
    let world = World::below("/api/v3", say).await;
    world.github.client.get(ACME, &["app", "x"], &[]).await.unwrap();
    let asked = world.asked();
    assert!(asked[0].is("POST", &format!("/api/v3{MINT}")));
    assert!(asked[1].is("GET", "/api/v3/app/x"));
    assert_eq!(asked[1].authorization, "Bearer ghs_1");
}

#[tokio::test]
async fn a_path_that_routes_begin_with_is_no_exception() {
    let say = |asked: &Asked, _| asked.is("GET", "/app/x").then(|| answer(200, &json!(1)));
    let world = World::below("/app", say).await;
    world.github.client.get(ACME, &["app", "x"], &[]).await.unwrap();
    assert!(world.asked()[0].is("POST", &format!("/app{MINT}")));
    assert!(world.asked()[1].is("GET", "/app/app/x"));
}

#[rstest]
#[case::nothing(" \n", KeyError::Empty)]
#[case::a_path("app.pem", KeyError::NotPem)]
#[case::cut("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", KeyError::NotPem)]
#[case::one_line("-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY-----", KeyError::NotRsa)]
#[case::locked(
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIE\n-----END RSA PRIVATE KEY-----",
    KeyError::NotPrivate
)]
#[case::locked_too(
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIE\n-----END ENCRYPTED PRIVATE KEY-----",
    KeyError::NotPrivate
)]
#[case::damaged("-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----", KeyError::NotRsa)]
fn a_key_that_is_none_is_told(#[case] text: &str, #[case] why: KeyError) {
    let fault = AppKey::new(APP, &text.into()).err().unwrap();
    assert_eq!(fault, why);
    assert!(!fault.to_string().contains("MIIE") && !fault.to_string().contains("c2Vj"));
}

#[test]
fn keys_of_other_kinds_are_told() {
    let elliptic =
        aws_lc_rs::signature::EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING);
    let elliptic = pem("PRIVATE KEY", elliptic.unwrap().to_pkcs8v1().unwrap().as_ref());
    assert_eq!(AppKey::new(APP, &elliptic.into()).err(), Some(KeyError::NotRsa));
    let public = pem("RSA PUBLIC KEY", KEY.public_key().as_ref());
    assert_eq!(AppKey::new(APP, &public.into()).err(), Some(KeyError::NotPrivate));
    assert!(AppKey::new(APP, &private_key().into()).is_ok());
}

#[tokio::test]
async fn an_address_that_holds_more_than_a_place_is_refused() {
    let clock = HandClock::at(start());
    assert!(matches!(github("https://dana:pass@api.example.com", &clock), Err(SettingsError::Url(_))));
    assert!(github("https://github.example.com/api/v3/", &clock).is_ok());
}
