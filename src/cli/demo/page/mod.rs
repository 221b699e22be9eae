//! The page on which a visitor plays the people.
//!
//! It asks once a second whether anything has changed; what has is swapped in place, so that a comment being written
//! is left alone. All of it is served from here: nothing is loaded from elsewhere.

mod hint;
#[cfg(test)]
mod tests;
mod view;

use super::stage::{OUTAGE, Stage};
use super::world::Person;
use crate::sim::gitlab::Refused;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tower_http::csrf::CsrfLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use view::{Feedback, Scene};

const HTMX: &str = include_str!("../assets/htmx-2.0.11.min.js");
const SCRIPT: &str = include_str!("../assets/demo.js");
const STYLE: &str = include_str!("../assets/demo.css");

/// Only what comes from here runs, loads or is asked.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The largest form, in bytes.
const LARGEST_FORM: usize = 64 * 1024;
/// The longest comment, in characters.
const LONGEST_COMMENT: usize = 10_000;

/// The page and everything that it asks for. Requests that another site's page makes are refused.
pub(crate) fn router(stage: Stage) -> Router {
    let header = |name: HeaderName, value| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    Router::new()
        .route("/", get(page))
        .route("/pulse", get(pulse))
        .route("/comment", post(comment))
        .route("/deploy", post(deploy))
        .route("/retry", post(retry))
        .route("/lose-hook", post(lose_hook))
        .route("/outage", post(outage))
        .route("/assets/demo.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/assets/demo.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/assets/htmx.js", get(async || asset("text/javascript; charset=utf-8", HTMX)))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(CsrfLayer::new())
        .layer(header(CONTENT_SECURITY_POLICY, POLICY))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(CACHE_CONTROL, "no-store"))
        .with_state(stage)
}

#[derive(Deserialize)]
struct Seen {
    #[serde(default)]
    seen: String,
}

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "as")]
    by: String,
    text: String,
}

#[derive(Deserialize)]
struct Wish {
    #[serde(rename = "as")]
    by: String,
    #[serde(default)]
    environment: String,
    #[serde(default)]
    deployment: u64,
}

/// Why a request got no page.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the store: {0}")]
    Store(#[from] crate::ports::store::StoreError),
    #[error("the page: {0}")]
    Template(#[from] askama::Error),
    #[error("nobody here is called that")]
    Nobody,
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Nobody => StatusCode::BAD_REQUEST,
        };
        (status, self.to_string()).into_response()
    }
}

async fn page(State(stage): State<Stage>) -> Result<Response, Failed> {
    let scene = Scene::read(&stage).await?;
    Ok(html(scene.page(&stage)?))
}

/// What has changed since what the page shows; 204 when nothing has.
async fn pulse(State(stage): State<Stage>, Query(shown): Query<Seen>) -> Result<Response, Failed> {
    let scene = Scene::read(&stage).await?;
    if scene.version()? == shown.seen {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(html(scene.update(None)?))
}

async fn comment(State(stage): State<Stage>, Form(said): Form<Said>) -> Result<Response, Failed> {
    let by = person(&said.by)?;
    let text = said.text.replace("\r\n", "\n");
    if text.trim().is_empty() || text.chars().count() > LONGEST_COMMENT {
        let words = format!("A comment has between 1 and {LONGEST_COMMENT} characters.");
        return answer(&stage, Some(warning(words))).await;
    }
    let (feedback, arrived) = match stage.world.comment(by, &text) {
        Ok(Some(_)) => (None, true),
        Ok(None) => (Some(warning(swallowed(&text))), true),
        Err(refused) => (Some(refusal(&refused)), false),
    };
    let mut response = answer(&stage, feedback).await?;
    if arrived {
        response.headers_mut().insert("HX-Trigger", HeaderValue::from_static("said"));
    }
    Ok(response)
}

async fn deploy(State(stage): State<Stage>, Form(wish): Form<Wish>) -> Result<Response, Failed> {
    let done = stage.world.deploy(person(&wish.by)?, &wish.environment);
    answer(&stage, done.err().as_ref().map(refusal)).await
}

async fn retry(State(stage): State<Stage>, Form(wish): Form<Wish>) -> Result<Response, Failed> {
    let done = stage.world.retry(person(&wish.by)?, wish.deployment);
    answer(&stage, done.err().as_ref().map(refusal)).await
}

async fn lose_hook(State(stage): State<Stage>) -> Result<Response, Failed> {
    stage.lose_next_hook();
    answer(&stage, Some(notice("The next webhook that GitLab sends will not arrive.".into()))).await
}

async fn outage(State(stage): State<Stage>) -> Result<Response, Failed> {
    stage.begin_outage();
    let text = format!("GitLab's API answers 500 to everything for {} seconds.", OUTAGE.as_secs());
    answer(&stage, Some(notice(text))).await
}

async fn answer(stage: &Stage, feedback: Option<Feedback>) -> Result<Response, Failed> {
    let nothing = Feedback { warns: false, text: String::new() };
    let scene = Scene::read(stage).await?;
    Ok(html(scene.update(Some(&feedback.unwrap_or(nothing)))?))
}

fn person(username: &str) -> Result<Person, Failed> {
    Person::named(username).ok_or(Failed::Nobody)
}

fn swallowed(text: &str) -> String {
    let command = text.trim().lines().next().unwrap_or_default();
    format!(
        "GitLab took “{command}” as its own quick action, so nobody ever sees it as a comment. Its /approve approves \
         the merge request and no deployment. Write “@countersign approve production”."
    )
}

fn refusal(refused: &Refused) -> Feedback {
    warning(format!("GitLab says no: {}", refused.message()))
}

fn warning(text: String) -> Feedback {
    Feedback { warns: true, text }
}

fn notice(text: String) -> Feedback {
    Feedback { warns: false, text }
}

fn html(body: String) -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}

fn asset(kind: &'static str, body: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], body).into_response()
}
