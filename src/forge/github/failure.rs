//! What GitHub's answers mean.

use crate::net::http::{Answer, StatusCode};
use crate::ports::failure::{Failure, Refusal};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// What may be told of the words of an error, in characters.
const LONGEST_MESSAGE: usize = 300;
/// How long to stay away where GitHub names no time.
const STAY_AWAY: Duration = Duration::from_mins(1);
/// A reset is waited for up to this long.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// A call that didn't succeed, and whether it was made to the right place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// What we know of the repository is out of date: it was renamed, or its installation is another one.
    /// Nothing was done. The failure is what it comes to if looking again doesn't help.
    Stale(Failure),
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Stale(failure) | Trouble::Failed(failure) => failure,
        }
    }
}

/// The body of an error.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    message: String,
    /// Strings, or objects with `message`, or with `resource`, `field` and `code`.
    #[serde(default)]
    errors: Value,
    #[serde(default)]
    documentation_url: Option<String>,
}

impl Said {
    fn of(answer: &Answer) -> Self {
        answer.json().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default()
    }

    /// The words for people: foreign text.
    fn words(&self, code: u16) -> String {
        let details = match &self.errors {
            Value::Array(errors) => errors.iter().filter_map(detail).collect::<Vec<_>>().join(", "),
            Value::String(error) => error.clone(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
        };
        let words = match (self.message.trim(), details.is_empty()) {
            ("", true) => format!("it answered {code}"),
            ("", false) => details,
            (message, true) => message.to_owned(),
            (message, false) => format!("{message}: {details}"),
        };
        words.chars().take(LONGEST_MESSAGE).collect()
    }

    /// Whether GitHub points to its pages about such a thing.
    fn points_to(&self, topic: &str) -> bool {
        self.documentation_url.as_ref().is_some_and(|url| url.contains(topic))
    }
}

fn detail(error: &Value) -> Option<String> {
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let (field, code) = (text("field"), text("code"));
    error
        .as_str()
        .or_else(|| text("message"))
        .map(str::to_owned)
        .or_else(|| Some(format!("{} {}", field?, code?)))
}

/// How long GitHub asks to stay away, if the answer says that a limit is reached.
pub(super) fn limit(answer: &Answer, now: Timestamp) -> Option<Duration> {
    asked_to_wait(answer, &Said::of(answer), now)
}

/// Sorts an answer by its status. `reads`: nothing can have been done.
pub(super) fn judge(answer: Answer, reads: bool, now: Timestamp) -> Result<Answer, Failure> {
    let status = answer.status;
    // A page from some proxy in between says nothing of what GitHub has, or has done.
    let stranger = answer.json().is_none() && !answer.is_empty();
    if status.is_success() {
        return if stranger { Err(not_from_github(status, reads)) } else { Ok(answer) };
    }
    let said = Said::of(&answer);
    if let Some(wait) = asked_to_wait(&answer, &said, now) {
        let what = format!("GitHub asks to slow down ({})", status.as_u16());
        return Err(Failure::Unavailable { what, retry_after: Some(wait) });
    }
    if status.is_server_error() {
        let what = format!("GitHub answered {}", status.as_u16());
        let later = answer.asked_to_wait(now);
        return Err(if reads {
            Failure::Unavailable { what, retry_after: later }
        } else {
            Failure::UnknownOutcome { what }
        });
    }
    if stranger || status.is_redirection() || status.is_informational() {
        return Err(not_from_github(status, reads));
    }
    Err(meaning(status, &said))
}

/// What a limit asks for, if the answer is about one. A plain 403 is a missing permission.
fn asked_to_wait(answer: &Answer, said: &Said, now: Timestamp) -> Option<Duration> {
    if !matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
        return None;
    }
    if let Some(wait) = answer.asked_to_wait(now) {
        return Some(wait);
    }
    if answer.header("x-ratelimit-remaining").is_some_and(|left| left.trim() == "0") {
        return Some(until_reset(answer, now).unwrap_or(STAY_AWAY));
    }
    let limited = answer.status == StatusCode::TOO_MANY_REQUESTS || said.points_to("rate-limit");
    limited.then_some(STAY_AWAY)
}

fn until_reset(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let reset = answer.header("x-ratelimit-reset")?.trim().parse().ok()?;
    let wait = Timestamp::from_second(reset).ok()?.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or_default().min(LONGEST_WAIT))
}

fn not_from_github(status: StatusCode, reads: bool) -> Failure {
    let what = format!("the answer ({}) isn't one of GitHub's API: is api_url right?", status.as_u16());
    if reads { Failure::Unreadable(what) } else { Failure::UnknownOutcome { what } }
}

/// How GitHub begins to say that a conversation takes no more comments: there are no codes to go by.
const CLOSED: [&str; 2] = ["Unable to create comment because issue is locked", "Repository was archived"];

fn meaning(status: StatusCode, said: &Said) -> Failure {
    let words = said.words(status.as_u16());
    match status.as_u16() {
        401 => Failure::Unauthorized(words),
        403 if said.points_to("locking-conversations")
            || CLOSED.iter().any(|lead| words.starts_with(lead)) =>
        {
            Failure::Refused(Refusal::Locked)
        }
        403 => Failure::Refused(Refusal::NoPermission),
        404 => Failure::NotFound,
        _ => Failure::Refused(Refusal::Other(words)),
    }
}
