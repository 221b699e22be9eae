//! A request of the twin to the app, and what came of it.

use std::time::{Duration, Instant};

/// What goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Came {
    Answer {
        status: u16,
        json: bool,
        body: String,
    },
    /// Nothing within the time given.
    Late,
    /// The line broke, or nobody listens.
    Broken,
}

impl Came {
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } => Some(*status),
            Self::Late | Self::Broken => None,
        }
    }

    pub(super) fn body(&self) -> &str {
        match self {
            Self::Answer { body, .. } => body,
            Self::Late | Self::Broken => "",
        }
    }
}

/// Posts, waits at most this long for the whole answer, and says how long it took.
#[expect(clippy::disallowed_methods, reason = "the twin shares no code with the product's own client")]
pub(super) async fn ask(
    client: Option<&reqwest::Client>,
    out: &Outgoing,
    patience: Duration,
) -> (Came, Duration) {
    let start = Instant::now();
    let Some(client) = client else { return (Came::Broken, Duration::ZERO) };
    let request = client.post(&out.url).timeout(patience).body(out.body.clone());
    let request = out.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let came = match request.send().await {
        Ok(answer) => read(answer).await,
        Err(error) => failed(&error),
    };
    (came, start.elapsed())
}

async fn read(answer: reqwest::Response) -> Came {
    let kind = answer.headers().get("Content-Type").and_then(|value| value.to_str().ok());
    let (status, json) =
        (answer.status().as_u16(), kind.is_some_and(|kind| kind.starts_with("application/json")));
    match answer.text().await {
        Ok(body) => Came::Answer { status, json, body },
        Err(error) => failed(&error),
    }
}

fn failed(error: &reqwest::Error) -> Came {
    if error.is_timeout() { Came::Late } else { Came::Broken }
}
