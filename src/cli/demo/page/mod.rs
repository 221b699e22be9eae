//! The page on which a visitor plays the people.
//!
//! It asks once a second whether anything has changed; what has is swapped in place, so that a comment being written
//! is left alone. All of it is served from here: nothing is loaded from elsewhere.

mod acts;
mod chat;
mod github;
mod gitlab;
mod hint;
mod slack;
#[cfg(test)]
mod tests;
mod view;

use super::stage::Stage;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tower_http::csrf::CsrfLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use view::Scene;

const HTMX: &str = include_str!("../assets/htmx-2.0.11.min.js");
const SCRIPT: &str = include_str!("../assets/demo.js");
const STYLE: &str = include_str!("../assets/demo.css");

/// Only what comes from here runs, loads or is asked.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The largest form, in bytes.
const LARGEST_FORM: usize = 64 * 1024;

/// The page and everything that it asks for. Requests that another site's page makes are refused.
pub(crate) fn router(stage: Stage) -> Router {
    let header = |name: HeaderName, value| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    Router::new()
        .route("/", get(page))
        .route("/pulse", get(pulse))
        .route("/slack/say", post(chat::say))
        .route("/slack/press", post(chat::press))
        .route("/slack/send", post(chat::send))
        .route("/slack/cancel", post(chat::cancel))
        .route("/{forge}/comment", post(acts::comment))
        .route("/{forge}/deploy", post(acts::deploy))
        .route("/{forge}/lose-hook", post(acts::lose_hook))
        .route("/{forge}/outage", post(acts::outage))
        .route("/gitlab/retry", post(acts::retry))
        .route("/github/press", post(acts::press))
        .route("/github/rerun", post(acts::rerun))
        .route("/github/bypass", post(acts::bypass))
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

/// Why a request got no page.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the store: {0}")]
    Store(#[from] crate::ports::store::StoreError),
    #[error("the page: {0}")]
    Template(#[from] askama::Error),
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.to_string()).into_response()
    }
}

async fn page(State(stage): State<Stage>) -> Result<Response, Failed> {
    let scene = Scene::read(&stage).await?;
    Ok(html(scene.page()?))
}

/// What has changed since what the page shows; 204 when nothing has.
async fn pulse(State(stage): State<Stage>, Query(shown): Query<Seen>) -> Result<Response, Failed> {
    let scene = Scene::read(&stage).await?;
    if scene.version()? == shown.seen {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(html(scene.update(None)?))
}

fn html(body: String) -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}

/// Tells the page that what was written has arrived, so that its field is emptied.
fn said(mut response: Response) -> Response {
    response.headers_mut().insert("HX-Trigger", HeaderValue::from_static("said"));
    response
}

fn asset(kind: &'static str, body: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], body).into_response()
}
