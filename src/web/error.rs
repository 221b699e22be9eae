//! Refusals: a status and one line of JSON that says why, never with a secret in it.

use crate::ports::inbound::Rejected;
use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::any::Any;

/// Why a request was not answered as it wished.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// 404.
    #[error("there is nothing at this path")]
    NoSuchPath,
    /// 404.
    #[error("no forge or chat of this name is configured")]
    NoSuchHook,
    /// 405.
    #[error("this path doesn't take this method")]
    Method,
    /// 400 or 401.
    #[error(transparent)]
    Delivery(#[from] Rejected),
    /// 400.
    #[error("the request's body broke off")]
    BrokenOff,
    /// 408.
    #[error("the request's body took longer than {0} seconds")]
    TooSlow(u64),
    /// 413.
    #[error("the request's body is larger than {0} bytes")]
    TooLarge(usize),
    /// 429, and after how many seconds to come back.
    #[error("too many requests that prove nothing came from this address; come back in {0} seconds")]
    TooMany(u64),
    /// 503: the cause goes to the log, not to whoever asked.
    #[error("the delivery can't be stored now; send it again later")]
    NotStored,
    /// 503.
    #[error("the store can't be written now")]
    StoreFailed,
    /// 503.
    #[error("the worker isn't running")]
    NoWorker,
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath | Self::NoSuchHook => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Delivery(Rejected::Unauthenticated(_)) => StatusCode::UNAUTHORIZED,
            Self::Delivery(Rejected::Unreadable(_)) | Self::BrokenOff => StatusCode::BAD_REQUEST,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotStored | Self::StoreFailed | Self::NoWorker => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

#[derive(Serialize)]
struct Body {
    error: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(Body { error: self.to_string() })).into_response();
        if let Self::TooMany(seconds) = self {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The answer after a panic, whose words stay in the log.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let said = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
    tracing::error!(panic = said, "a request panicked");
    let error = "something is broken here; it has been logged".to_owned();
    (StatusCode::INTERNAL_SERVER_ERROR, Json(Body { error })).into_response()
}
