//! Requests to Mattermost's REST API, and what its errors mean.

use super::wire::{Said, User};
use crate::net::http::{Answer, Method, Request, Site, StatusCode, Url};
use crate::ports::clock::Clock;
use crate::ports::failure::{Failure, Refusal};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// What may be told of the words of an error, in characters.
const LONGEST_MESSAGE: usize = 300;
/// A wish to come back later is honoured up to this long.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// The id of the error that a post may not be edited any more (`PostEditTimeLimit`).
const TOO_LATE: &str = "api.post.update_post.permissions_time_limit.app_error";

/// The bot's access to the API.
pub(super) struct Client {
    site: Site,
    /// With `Bearer` in front.
    authorization: SecretString,
    clock: Arc<dyn Clock>,
}

impl Client {
    pub(super) fn new(site: Site, token: &SecretString, clock: Arc<dyn Clock>) -> Self {
        let authorization = format!("Bearer {}", token.expose_secret()).into();
        Self { site, authorization, clock }
    }

    /// The id of the token's account.
    pub(super) async fn my_id(&self) -> Result<String, Failure> {
        let me: User = self.get(&["users", "me"], &[]).await?;
        Ok(me.id)
    }

    /// Reads one thing.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let mut url = self.address(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        read(&self.call(Request::new(Method::GET, url)).await?)
    }

    /// Reads one thing, and the server's time when it answered.
    pub(super) async fn get_dated<T: DeserializeOwned>(
        &self,
        path: &[&str],
    ) -> Result<(T, Option<Timestamp>), Failure> {
        let answer = self.call(Request::new(Method::GET, self.address(path)?)).await?;
        Ok((read(&answer)?, answer.date()))
    }

    /// Reads one thing that may not be there.
    pub(super) async fn find<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Option<T>, Failure> {
        match self.get(path, &[]).await {
            Ok(found) => Ok(Some(found)),
            Err(Failure::NotFound) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Changes something and reads what came of it; an answer that can't be read leaves that unknown.
    pub(super) async fn write<T: DeserializeOwned>(&self, path: &[&str], body: Value) -> Result<T, Failure> {
        let answer = self.send(Method::POST, path, Some(body)).await?;
        read(&answer).map_err(|_| Failure::UnknownOutcome { what: format!("POST {}", path.join("/")) })
    }

    /// Changes something; only success matters.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<Answer, Failure> {
        let request = Request::new(method, self.address(path)?);
        self.call(body.into_iter().fold(request, Request::json)).await
    }

    /// Sends an answer to where the server takes it, which asks for no token.
    pub(super) async fn respond(&self, url: Url, body: Value) -> Result<(), Failure> {
        let request = Request::new(Method::POST, url).json(body).with_secret_path();
        self.judge(self.site.send(request).await?, false).map(drop)
    }

    fn address(&self, path: &[&str]) -> Result<Url, Failure> {
        let path: Vec<&str> = ["api", "v4"].iter().chain(path).copied().collect();
        self.site.address(&path).ok_or(Failure::NotFound)
    }

    async fn call(&self, request: Request) -> Result<Answer, Failure> {
        let reads = request.reads();
        let request = request.secret_header("authorization", &self.authorization)?;
        self.judge(self.site.send(request).await?, reads)
    }

    fn judge(&self, answer: Answer, reads: bool) -> Result<Answer, Failure> {
        if answer.status.is_success() && !answer.is_page() {
            return Ok(answer);
        }
        let Some(body) = answer.json() else { return Err(self.without_words(&answer, reads)) };
        let said: Said = serde_json::from_slice(body).unwrap_or_default();
        let failure = failure(answer.status, &said, reads);
        Err(self.when_to_return(failure, &answer))
    }

    /// A limit is told in plain text. Any other page comes from some proxy in between, and says nothing of what
    /// Mattermost has.
    fn without_words(&self, answer: &Answer, reads: bool) -> Failure {
        let status = answer.status;
        let refuses = matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN);
        if !refuses && !status.is_success() {
            return self.when_to_return(failure(status, &Said::default(), reads), answer);
        }
        let what = format!("a page that isn't Mattermost's said {}", status.as_u16());
        if reads { Failure::Unreadable(what) } else { Failure::UnknownOutcome { what } }
    }

    fn when_to_return(&self, failure: Failure, answer: &Answer) -> Failure {
        let Failure::Unavailable { what, .. } = failure else { return failure };
        let now = self.clock.now();
        let limited = answer.status == StatusCode::TOO_MANY_REQUESTS;
        let reset = || {
            let reset = answer.header("x-ratelimit-reset").filter(|_| limited)?;
            until_reset(reset.trim().parse().ok()?, now)
        };
        let retry_after = answer.asked_to_wait(now).or_else(reset).map(|wait| wait.min(LONGEST_WAIT));
        Failure::Unavailable { what, retry_after }
    }
}

/// `X-Ratelimit-Reset` is documented as a time and sent as the seconds until then: small numbers are the latter.
fn until_reset(reset: u64, now: Timestamp) -> Option<Duration> {
    let now = u64::try_from(now.as_second()).ok()?;
    Some(Duration::from_secs(if reset > now / 2 { reset.saturating_sub(now) } else { reset }))
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    let body = answer.json().ok_or_else(|| Failure::Unreadable("the answer is not JSON".to_owned()))?;
    serde_json::from_slice(body).map_err(|error| {
        // The error's own text may quote the answer.
        let (line, column) = (error.line(), error.column());
        Failure::Unreadable(format!("the answer has another shape at line {line}, column {column}"))
    })
}

/// What an error status means. `reads`: nothing can have been done.
fn failure(status: StatusCode, said: &Said, reads: bool) -> Failure {
    let code = status.as_u16();
    match code {
        401 => Failure::Unauthorized(told(said, code)),
        403 => Failure::Refused(Refusal::NoPermission),
        404 => Failure::NotFound,
        429 => {
            Failure::Unavailable { what: "Mattermost asks to slow down (429)".to_owned(), retry_after: None }
        }
        300..400 => {
            Failure::Unreadable(format!("Mattermost answered with a redirect ({code}): is the url right?"))
        }
        400 if said.id == TOO_LATE => Failure::Refused(Refusal::Locked),
        // 501: switched off in the server's configuration.
        400..=499 | 501 => Failure::Refused(Refusal::Other(told(said, code))),
        _ if reads => Failure::Unavailable { what: format!("Mattermost answered {code}"), retry_after: None },
        _ => Failure::UnknownOutcome { what: format!("Mattermost answered {code}") },
    }
}

fn told(said: &Said, code: u16) -> String {
    let words: String = said.message.trim().chars().take(LONGEST_MESSAGE).collect();
    if words.is_empty() { format!("it answered {code}") } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn judged(code: u16, id: &str, reads: bool) -> Failure {
        let said = Said { id: id.to_owned(), message: "Some words.".to_owned() };
        failure(StatusCode::from_u16(code).unwrap(), &said, reads)
    }

    #[rstest]
    #[case(401, "", Failure::Unauthorized("Some words.".into()))]
    #[case(403, "", Failure::Refused(Refusal::NoPermission))]
    #[case(404, "", Failure::NotFound)]
    #[case(400, TOO_LATE, Failure::Refused(Refusal::Locked))]
    #[case(400, "api.other", Failure::Refused(Refusal::Other("Some words.".into())))]
    #[case(501, "", Failure::Refused(Refusal::Other("Some words.".into())))]
    fn an_error_is_sorted_by_what_follows_from_it(
        #[case] code: u16,
        #[case] id: &str,
        #[case] sorted: Failure,
    ) {
        assert_eq!(judged(code, id, true), sorted);
        assert_eq!(judged(code, id, false), sorted);
    }

    #[test]
    fn a_server_error_leaves_a_write_unknown_and_a_read_undone() {
        assert!(matches!(judged(502, "", true), Failure::Unavailable { .. }));
        assert!(matches!(judged(502, "", false), Failure::UnknownOutcome { .. }));
        assert!(matches!(judged(429, "", false), Failure::Unavailable { .. }));
        assert!(matches!(judged(302, "", false), Failure::Unreadable(_)));
    }

    #[rstest]
    #[case(7, 7)]
    #[case(1_795_248_010, 10)]
    #[case(1_795_247_000, 0)]
    fn a_reset_is_a_span_or_a_time(#[case] reset: u64, #[case] seconds: u64) {
        let now = Timestamp::from_second(1_795_248_000).unwrap();
        assert_eq!(until_reset(reset, now), Some(Duration::from_secs(seconds)));
    }
}
