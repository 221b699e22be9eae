//! Calls to Slack's Web API, and answers to what people did.

use super::answer_places;
use super::failure::{Said, failure};
use crate::net::http::{AddressError, Answer, Http, Method, Request, Site, StatusCode, Url};
use crate::ports::clock::Clock;
use crate::ports::failure::Failure;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// The bot's access to the API.
pub(super) struct Client {
    api: Site,
    answers: Vec<Site>,
    bearer: SecretString,
    clock: Arc<dyn Clock>,
}

/// A query, in order.
pub(super) type Query<'a> = &'a [(&'a str, &'a str)];

impl Client {
    pub(super) fn new(
        http: &Http,
        api_url: Url,
        token: &SecretString,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AddressError> {
        let places = answer_places(&api_url).into_iter();
        let answers = places.map(|place| Site::new(http.clone(), place)).collect::<Result<_, _>>()?;
        let bearer = SecretString::from(format!("Bearer {}", token.expose_secret().trim()));
        Ok(Self { api: Site::new(http.clone(), api_url)?, answers, bearer, clock })
    }

    /// Reads something.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        query: Query<'_>,
    ) -> Result<T, Failure> {
        read(&self.ask_whole(method, query).await?)
    }

    /// Reads something, with the headers that it came with.
    pub(super) async fn ask_whole(&self, method: &str, query: Query<'_>) -> Result<Answer, Failure> {
        let mut url = self.address(method)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.call(Request::new(Method::GET, url)).await
    }

    /// Changes something and reads what came of it; an answer that can't be read leaves that unknown.
    pub(super) async fn tell<T: DeserializeOwned>(&self, method: &str, body: Value) -> Result<T, Failure> {
        let request = Request::new(Method::POST, self.address(method)?).json(body);
        let answer = self.call(request).await?;
        read(&answer).map_err(|_| unknown(&format!("{method} was answered in another shape")))
    }

    /// Answers what somebody did, at the address that came with it; `NotFound` when it is none of Slack's. It takes
    /// no token. Its answer may be bare text.
    pub(super) async fn answer(&self, url: &str, body: Value) -> Result<(), Failure> {
        let url = Url::parse(url).map_err(|_| Failure::NotFound)?;
        let site = self.answers.iter().find(|site| site.admits(&url)).ok_or(Failure::NotFound)?;
        let answer = site.send(Request::new(Method::POST, url).json(body).with_secret_path()).await?;
        if answer.status.is_success() && answer.json().is_none() && !answer.is_page() {
            return Ok(());
        }
        self.judge(answer, false).map(drop)
    }

    fn address(&self, method: &str) -> Result<Url, Failure> {
        self.api.address(&[method]).ok_or(Failure::NotFound)
    }

    async fn call(&self, request: Request) -> Result<Answer, Failure> {
        let reads = request.reads();
        let request = request.secret_header("authorization", &self.bearer)?;
        self.judge(self.api.send(request).await?, reads)
    }

    /// Slack refuses with 200 as well: what counts is `ok`.
    fn judge(&self, answer: Answer, reads: bool) -> Result<Answer, Failure> {
        let wait = answer.asked_to_wait(self.clock.now());
        let code = answer.status.as_u16();
        match code {
            429 => return Err(Failure::Unavailable { what: SLOW_DOWN.to_owned(), retry_after: wait }),
            500.. if reads => {
                return Err(Failure::Unavailable {
                    what: format!("Slack answered {code}"),
                    retry_after: wait,
                });
            }
            500.. => return Err(unknown(&format!("Slack answered {code}"))),
            _ => {}
        }
        match answer.json().and_then(|body| serde_json::from_slice::<Said>(body).ok()) {
            Some(said) if said.ok => Ok(answer),
            Some(said) => Err(failure(&said, reads, wait)),
            None if reads || !answer.status.is_success() => Err(not_from_slack(answer.status)),
            None => Err(unknown("the answer isn't Slack's")),
        }
    }
}

const SLOW_DOWN: &str = "Slack asks to slow down (429)";

/// Some proxy in between: nothing is said of what Slack has.
fn not_from_slack(status: StatusCode) -> Failure {
    Failure::Unreadable(format!("an answer that isn't Slack's ({}): is api_url right?", status.as_u16()))
}

fn unknown(what: &str) -> Failure {
    Failure::UnknownOutcome { what: what.to_owned() }
}

pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    let body = answer.json().ok_or_else(|| Failure::Unreadable("the answer is not JSON".to_owned()))?;
    serde_json::from_slice(body).map_err(|error| {
        // The error's own text may quote the answer.
        let (line, column) = (error.line(), error.column());
        Failure::Unreadable(format!("the answer has another shape at line {line}, column {column}"))
    })
}
