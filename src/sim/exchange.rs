//! Requests of a chat's twin to the app, and what came of them.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A request that went to the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Number, for `resend`.
    pub id: u64,
    /// Where it went.
    pub url: String,
    /// Request headers.
    pub headers: Vec<(String, String)>,
    /// Request body, as it was sent.
    pub body: String,
    /// The answer's status; absent when none came in time.
    pub status: Option<u16>,
    /// When it was sent.
    pub at: Timestamp,
}

impl Delivery {
    /// A request header, by its name in small letters or as it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What came of something that a person did, and what they see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Number of the request, for `resend`.
    pub delivery: u64,
    /// The app's status; absent when no answer came in time.
    pub status: Option<u16>,
    /// The app's answer, as it was sent.
    pub body: String,
    /// Whether an answer came within the platform's time.
    pub in_time: bool,
    /// How long it took.
    pub took: Duration,
    /// What appears before this person alone: the app's private answer, or the platform's complaint about the app.
    pub text: Option<String>,
}

/// A request's way and its end.
pub(super) struct Sent {
    pub(super) delivery: u64,
    pub(super) came: Came,
    pub(super) took: Duration,
}

impl Sent {
    /// What the person sees of it.
    pub(super) fn shown(self, text: Option<String>) -> Shown {
        let Self { delivery, came, took } = self;
        let (status, body) = (came.status(), came.body().to_owned());
        Shown { delivery, status, body, in_time: status.is_some(), took, text }
    }
}

/// Every request so far, oldest first; numbered from one.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(pub(super) Vec<Delivery>);

impl Log {
    pub(super) fn begin(&mut self, out: &Outgoing, at: Timestamp) -> u64 {
        let id = self.0.last().map_or(1, |last| last.id + 1);
        let Outgoing { url, headers, body } = out.clone();
        self.0.push(Delivery { id, url, headers, body, status: None, at });
        id
    }

    pub(super) fn end(&mut self, delivery: u64, came: &Came) {
        if let Some(sent) = self.0.iter_mut().find(|known| known.id == delivery) {
            sent.status = came.status();
        }
    }

    /// A past request, to be sent once more.
    pub(super) fn again(&self, delivery: u64) -> Option<Outgoing> {
        let past = self.0.iter().find(|known| known.id == delivery)?.clone();
        Some(Outgoing { url: past.url, headers: past.headers, body: past.body })
    }
}

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
