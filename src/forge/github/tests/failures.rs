//! What GitHub's answers come to.

use super::*;
use crate::forge::github::client::Change;
use crate::ports::failure::{Failure, Refusal};
use axum::body::Bytes;
use hyper::body::Frame;
use rstest::rstest;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a read and a write come to that are answered so.
async fn both(say: impl Fn() -> Response + Send + Sync + 'static) -> (Failure, Failure) {
    let world = World::new(move |asked, _| (asked.path == "/x").then(&say)).await;
    let got = world.github.client.get(ACME, &["x"], &[]).await.unwrap_err();
    let written = world.github.client.write(ACME, &["x"], &Change::post(json!({}))).await.unwrap_err();
    (got.into(), written.into())
}

fn refused(words: &str) -> Failure {
    Failure::Refused(Refusal::Other(words.to_owned()))
}

#[rstest]
#[case::bad_token(401, json!({"message": "Bad credentials"}), Failure::Unauthorized("Bad credentials".into()))]
#[case::no_permission(
    403,
    json!({"message": "Resource not accessible by integration", "documentation_url": "https://docs.github.com/rest/issues"}),
    Failure::Refused(Refusal::NoPermission)
)]
#[case::locked(
    403,
    json!({"message": "Unable to create comment because issue is locked."}),
    Failure::Refused(Refusal::Locked)
)]
#[case::locked_by_link(
    403,
    json!({"message": "No.", "documentation_url": "https://docs.github.com/articles/locking-conversations/"}),
    Failure::Refused(Refusal::Locked)
)]
#[case::archived(
    403,
    json!({"message": "Repository was archived so is read-only."}),
    Failure::Refused(Refusal::Locked)
)]
#[case::gone(404, json!({"message": "Not Found"}), Failure::NotFound)]
#[case::switched_off(410, json!({"message": "Issues are disabled"}), refused("Issues are disabled"))]
#[case::conflict(409, json!({"message": "Git Repository is empty."}), refused("Git Repository is empty."))]
#[case::invalid(
    422,
    json!({"message": "Validation Failed", "errors": [
        {"resource": "IssueComment", "field": "body", "code": "missing"}, {"message": "body is too long"}, "odd"]}),
    refused("Validation Failed: body missing, body is too long, odd")
)]
#[case::invalid_in_one_word(422, json!({"errors": "No such environment"}), refused("No such environment"))]
#[case::speechless(422, json!({}), refused("it answered 422"))]
#[tokio::test]
async fn a_no_is_the_same_for_reads_and_writes(
    #[case] status: u16,
    #[case] body: Value,
    #[case] failure: Failure,
) {
    let (got, written) = both(move || answer(status, &body)).await;
    assert_eq!((&got, &written), (&failure, &failure));
}

#[rstest]
#[case::told(403, &[("retry-after", "17")], json!({}), 17)]
#[case::told_before_all(429, &[("retry-after", "17"), ("x-ratelimit-remaining", "0")], json!({}), 17)]
#[case::primary(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795248120")], json!({}), 120)]
#[case::primary_without_end(403, &[("x-ratelimit-remaining", "0")], json!({}), 60)]
#[case::far_reset(429, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1999999999")], json!({}), 3600)]
#[case::secondary(
    403,
    &[("x-ratelimit-remaining", "4999"), ("x-ratelimit-reset", "1795248120")],
    json!({"message": "You have exceeded a secondary rate limit.",
           "documentation_url": "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"}),
    60
)]
#[case::too_many(429, &[], json!({}), 60)]
#[tokio::test]
async fn a_limit_says_how_long_to_stay_away(
    #[case] status: u16,
    #[case] headers: &'static [(&'static str, &'static str)],
    #[case] body: Value,
    #[case] seconds: u64,
) {
    let say = move || {
        headers.iter().fold(answer(status, &body), |response, (name, value)| with(response, name, value))
    };
    let (got, written) = both(say).await;
    let failure = Failure::HeldBack { wait: Duration::from_secs(seconds) };
    assert_eq!((&got, &written), (&failure, &failure));
}

#[tokio::test]
async fn a_limit_of_one_installation_is_its_own() {
    let world = World::new(|asked, count| match (asked.path.as_str(), asked.authorization.as_str()) {
        ("/app/installations/2/access_tokens", _) => Some(minted(count + 100, start())),
        ("/x", "Bearer ghs_1") if count == 1 => Some(with(answer(429, &json!({})), "retry-after", "17")),
        ("/x", _) => Some(answer(200, &json!(1))),
        _ => None,
    })
    .await;
    let get =
        async |caller| world.github.client.get(caller, &["x"], &[]).await.map(drop).map_err(Failure::from);
    let held = |seconds| Err(Failure::HeldBack { wait: Duration::from_secs(seconds) });
    assert_eq!(get(ACME).await, held(17));
    world.clock.advance(SignedDuration::from_secs(7));
    assert_eq!(get(ACME).await, held(10));
    let comment = Change::post(json!({})).creating_content();
    let written = world.github.client.write(ACME, &["x"], &comment).await.map(drop);
    assert_eq!(written.map_err(Failure::from), held(10));
    assert_eq!((world.count("GET", "/x"), world.count("POST", "/x")), (1, 0), "nothing is sent meanwhile");
    assert_eq!(get(Caller::Installation(InstallationId(2))).await, Ok(()));
    world.clock.advance(SignedDuration::from_secs(10));
    assert_eq!(get(ACME).await, Ok(()));
}

#[tokio::test]
async fn a_limit_of_the_app_concerns_all() {
    let busy = || with(answer(403, &json!({})), "retry-after", "17");
    let world = World::new(move |asked, _| asked.is("GET", "/app").then(busy)).await;
    let failure: Failure = world.github.client.get(Caller::App, &["app"], &[]).await.unwrap_err().into();
    let what = "GitHub asks to slow down (403)".to_owned();
    assert_eq!(failure, Failure::Unavailable { what, retry_after: Some(Duration::from_secs(17)) });
}

#[rstest]
#[case::broken(|| answer(500, &json!({})), None)]
#[case::page(|| with(empty(502), "content-type", "text/html"), None)]
#[case::busy(|| with(answer(503, &json!({})), "retry-after", "5"), Some(5))]
#[tokio::test]
async fn a_server_error_leaves_a_write_open(#[case] say: fn() -> Response, #[case] wait: Option<u64>) {
    let (got, written) = both(say).await;
    let retry = wait.map(Duration::from_secs);
    assert!(matches!(got, Failure::Unavailable { retry_after, .. } if retry_after == retry), "{got:?}");
    assert!(matches!(written, Failure::UnknownOutcome { .. }), "{written:?}");
}

fn page(status: u16) -> Response {
    let page = Body::from("<html>Sign in</html>");
    Response::builder().status(status).header(CONTENT_TYPE, "text/html").body(page).unwrap()
}

#[rstest]
#[tokio::test]
async fn a_page_of_some_proxy_says_nothing(#[values(200, 302, 400, 401, 403, 404, 422)] status: u16) {
    let (got, written) = both(move || page(status)).await;
    assert!(matches!(got, Failure::Unreadable(_)), "{got:?}");
    assert!(matches!(written, Failure::UnknownOutcome { .. }), "{written:?}");
}

#[tokio::test]
async fn long_words_are_cut() {
    let (got, _) = both(|| answer(422, &json!({"message": "ä".repeat(5000)}))).await;
    assert_eq!(got, refused(&"ä".repeat(300)));
}

#[tokio::test]
async fn without_a_connection_nothing_was_done() {
    // Port 9 of the loopback interface: nobody listens there.
    let github = github("http://127.0.0.1:9", &HandClock::at(start())).unwrap();
    let written = github.client.write(Caller::App, &["x"], &Change::post(json!({}))).await;
    let what = "POST 127.0.0.1/x: no connection".to_owned();
    let failure = Failure::Unavailable { what, retry_after: None };
    assert_eq!(Failure::from(written.unwrap_err()), failure);
}

/// Some bytes, and then the connection is gone.
struct BreaksOff(bool);

impl hyper::body::Body for BreaksOff {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let begun = std::mem::replace(&mut self.0, true);
        let broken = Err(std::io::ErrorKind::ConnectionReset.into());
        Poll::Ready(Some(if begun { broken } else { Ok(Frame::data(Bytes::from_static(b"[1, "))) }))
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_a_write_open() {
    let (got, written) = both(|| Response::new(Body::new(BreaksOff(false)))).await;
    assert!(matches!(got, Failure::Unavailable { .. }), "{got:?}");
    assert!(matches!(written, Failure::UnknownOutcome { .. }), "{written:?}");
}
