//! The one HTTP client: bounded in time and size, following no redirect, sending to configured places only.

use crate::ports::failure::Failure;
use crate::ports::meter::{CallMeter, MeteredCall};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
pub use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;
use std::time::Duration;
pub use url::Url;

/// The largest answer that is read, in bytes, after decompression.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;
/// A forge's wish to come back later is honoured up to this long.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until the connection stands.
    pub connect: Duration,
    /// From the first byte sent to the last byte read.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(20) }
    }
}

/// The client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be built: {0}")]
pub struct ClientError(#[from] reqwest::Error);

/// The one client. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
    meter: Option<Arc<dyn CallMeter>>,
}

impl Http {
    /// Builds the client, with the system's certificate authorities or, where there are none, the bundled ones.
    pub fn new(limits: Limits) -> Result<Self, ClientError> {
        // A provider installed earlier is as good: it can only have been put there by our own process.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = builder(limits).build().or_else(|_| {
            let bundled = webpki_root_certs::TLS_SERVER_ROOT_CERTS
                .iter()
                .map(|certificate| reqwest::Certificate::from_der(certificate))
                .collect::<Result<Vec<_>, _>>()?;
            builder(limits).tls_certs_only(bundled).build()
        })?;
        Ok(Self { client, meter: None })
    }

    /// The connections themselves, for a library that sends over them. Its answers are read by [`read`].
    pub fn transport(&self) -> reqwest::Client {
        self.client.clone()
    }

    /// The same client, whose calls are counted here.
    pub fn metered(&self, meter: Arc<dyn CallMeter>) -> Self {
        Self { client: self.client.clone(), meter: Some(meter) }
    }
}

fn builder(limits: Limits) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits.connect)
        .timeout(limits.total)
        .redirect(Policy::none())
}

/// An address is not one that we may send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither `http` nor `https`.
    #[error("the address must begin with http:// or https://")]
    Scheme,
    /// A user name or password stands in it.
    #[error("the address must not carry a user name or password")]
    Credentials,
    /// A query or fragment stands in it.
    #[error("the address must not have a query or fragment")]
    Query,
}

/// One configured place: nothing is ever sent elsewhere.
#[derive(Clone, Debug)]
pub struct Site {
    http: Http,
    base: Url,
}

impl Site {
    /// A place at `base`; paths are put behind the base's own path.
    pub fn new(http: Http, base: Url) -> Result<Self, AddressError> {
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(AddressError::Scheme);
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(AddressError::Credentials);
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(AddressError::Query);
        }
        Ok(Self { http, base })
    }

    /// The address that all others lie below.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The address of `segments` below the base. A segment is escaped, so that it stays one segment;
    /// `None` for one that an address can't carry (empty, `.` or `..`).
    pub fn address(&self, segments: &[&str]) -> Option<Url> {
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return None;
        }
        let mut url = self.base.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(segments);
        Some(url)
    }

    /// Whether an address that the other side named lies at this place.
    pub fn admits(&self, url: &Url) -> bool {
        let below = self.base.path().trim_end_matches('/');
        let rest = url.path().strip_prefix(below);
        url.origin() == self.base.origin()
            && url.username().is_empty()
            && url.password().is_none()
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// `Unavailable` when nothing was done: no connection, or a read that got no answer. A write whose
    /// answer is lost, late or too large is `UnknownOutcome`.
    pub async fn send(&self, request: Request) -> Result<Answer, Failure> {
        if !self.admits(&request.url) {
            return Err(unavailable(
                "a request to another host than the configured one was held back".into(),
            ));
        }
        let method = request.method.clone();
        let outcome = self.exchange(request).await;
        self.count(&method, &outcome);
        outcome
    }

    async fn exchange(&self, request: Request) -> Result<Answer, Failure> {
        let (name, reads) = (request.name(), request.reads());
        let response = self.execute(request).await.map_err(|error| not_answered(&error, &name, reads))?;
        read(response, &name, reads).await
    }

    /// Counts a call to this place; for those that a library sent, too.
    pub fn count(&self, method: &Method, outcome: &Result<Answer, Failure>) {
        let Some(meter) = &self.http.meter else { return };
        let answer = outcome.as_ref().ok();
        let (status, remaining) =
            (answer.map(|answer| answer.status.as_u16()), answer.and_then(Answer::remaining));
        meter.called(&MeteredCall { method: method.as_str(), status, remaining });
    }

    async fn execute(&self, request: Request) -> Result<reqwest::Response, reqwest::Error> {
        let mut builder = self.http.client.request(request.method, request.url).headers(request.headers);
        if let Some(body) = request.body {
            builder = builder.json(&body);
        }
        #[expect(clippy::disallowed_methods, reason = "this is the one place that sends")]
        builder.send().await
    }
}

/// Reads a whole answer, bounded in size. `name` says in errors what was sent, `reads` that it changed nothing.
pub async fn read(
    response: impl Into<reqwest::Response>,
    name: &str,
    reads: bool,
) -> Result<Answer, Failure> {
    let response = response.into();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = body_of(response).await.map_err(|lost| match (lost, reads) {
        (Lost::TooLarge, true) => Failure::Unreadable(format!("{name}: the answer is too large")),
        (Lost::Broken, true) => unavailable(format!("{name}: the answer broke off")),
        (Lost::TooLarge | Lost::Broken, false) => {
            Failure::UnknownOutcome { what: format!("{name}: the answer was lost") }
        }
    })?;
    tracing::debug!(request = name, status = status.as_u16(), "answered");
    Ok(Answer { status, headers, body })
}

enum Lost {
    TooLarge,
    Broken,
}

async fn body_of(mut response: reqwest::Response) -> Result<Vec<u8>, Lost> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| Lost::Broken)? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(Lost::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What follows from a request that got no answer.
pub fn not_answered(error: &reqwest::Error, name: &str, reads: bool) -> Failure {
    // The error's own text holds the whole address; only its kind is told.
    if error.is_connect() || error.is_builder() {
        return unavailable(format!("{name}: no connection"));
    }
    let why = if error.is_timeout() { "no answer in time" } else { "the connection broke" };
    let what = format!("{name}: {why}");
    if reads { unavailable(what) } else { Failure::UnknownOutcome { what } }
}

fn unavailable(what: String) -> Failure {
    Failure::Unavailable { what, retry_after: None }
}

/// A request that can be sent to its [`Site`].
#[derive(Debug)]
pub struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<serde_json::Value>,
    /// Whoever knows the path may do what it does.
    secret_path: bool,
}

impl Request {
    /// A request without body.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: None, secret_path: false }
    }

    /// Keeps the path out of errors and logs.
    pub fn with_secret_path(mut self) -> Self {
        self.secret_path = true;
        self
    }

    /// Adds a header whose value is kept out of every log; a value that no header can carry is
    /// `Unauthorized`, since only secrets and numbers are sent so.
    pub fn secret_header(mut self, name: &'static str, value: &SecretString) -> Result<Self, Failure> {
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| Failure::Unauthorized(format!("the value for {name} is not printable ASCII")))?;
        value.set_sensitive(true);
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(self)
    }

    /// Adds a JSON body.
    pub fn json(mut self, body: serde_json::Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Whether it changes nothing.
    pub fn reads(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }

    /// Method, host and path: what errors and logs may show. A query may hold anything.
    pub fn name(&self) -> String {
        let host = self.url.host_str().unwrap_or("?");
        let path = if self.secret_path { "/…" } else { self.url.path() };
        match self.url.port() {
            Some(port) => format!("{} {host}:{port}{path}", self.method),
            None => format!("{} {host}{path}", self.method),
        }
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// A header's value, where it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All values of a header that may stand several times.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// The body, if it says that it is JSON. A page from some proxy in between never is.
    pub fn json(&self) -> Option<&[u8]> {
        let kind = self.header("content-type")?.split(';').next()?.trim().to_ascii_lowercase();
        (kind == "application/json" || kind.ends_with("+json")).then_some(self.body.as_slice())
    }

    /// Whether the body is markup: a page, whatever it says that it is.
    pub fn is_page(&self) -> bool {
        self.body.trim_ascii_start().starts_with(b"<")
    }

    /// Whether there is no body at all.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// The size of the body in bytes.
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// This answer as confirmed by a later one that says "not modified": the headers that came with it are
    /// newer, body and kind are still these.
    pub fn confirmed_by(&self, later: &Self) -> Self {
        let mut headers = self.headers.clone();
        for name in later.headers.keys().filter(|name| !name.as_str().starts_with("content-")) {
            headers.remove(name);
            for value in later.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        Self { status: self.status, headers, body: self.body.clone() }
    }

    /// The other side's clock when it answered, to the second.
    pub fn date(&self) -> Option<Timestamp> {
        rfc2822::DateTimeParser::new().parse_timestamp(self.header("date")?).ok()
    }

    /// What is left of a limit, and which one, where the other side tells.
    fn remaining(&self) -> Option<(&str, u64)> {
        let names =
            [("x-ratelimit-remaining", "x-ratelimit-resource"), ("ratelimit-remaining", "ratelimit-name")];
        let left = |header| self.header(header)?.trim().parse().ok();
        names
            .into_iter()
            .find_map(|(count, name)| Some((self.header(name).unwrap_or_default(), left(count)?)))
    }

    /// How long the other side asks us to stay away: `Retry-After` in seconds or as a date, else
    /// `RateLimit-Reset` in Unix seconds. At most one hour.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let reset = || self.header("ratelimit-reset").and_then(|value| until_reset(value.trim(), now));
        self.asked_to_wait(now).or_else(reset).map(|wait| wait.min(LONGEST_WAIT))
    }

    /// `Retry-After` alone. At most one hour.
    pub fn asked_to_wait(&self, now: Timestamp) -> Option<Duration> {
        let asked = self.header("retry-after").and_then(|value| wait(value.trim(), now));
        asked.map(|wait| wait.min(LONGEST_WAIT))
    }
}

fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let then = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(from_now(then, now))
}

fn until_reset(value: &str, now: Timestamp) -> Option<Duration> {
    Some(from_now(Timestamp::from_second(value.parse().ok()?).ok()?, now))
}

fn from_now(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn site(base: &str) -> Site {
        Site::new(Http::new(Limits::default()).unwrap(), base.parse().unwrap()).unwrap()
    }

    fn answer(headers: &[(&'static str, &'static str)], body: &str) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Answer { status: StatusCode::OK, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_request_is_named_without_what_is_secret_in_it() {
        let url: Url = "https://hooks.slack.com/commands/T1/2/abc?x=y".parse().unwrap();
        let open = Request::new(Method::POST, url.clone());
        assert_eq!(open.name(), "POST hooks.slack.com/commands/T1/2/abc");
        assert_eq!(open.with_secret_path().name(), "POST hooks.slack.com/…");
    }

    #[test]
    fn a_segment_stays_one_segment() {
        let url =
            site("https://git.example.com/sub/").address(&["groups", "acme/sre", "a b?c#d%2F"]).unwrap();
        assert_eq!(url.as_str(), "https://git.example.com/sub/groups/acme%2Fsre/a%20b%3Fc%23d%252F");
    }

    #[rstest]
    #[case("")]
    #[case(".")]
    #[case("..")]
    fn a_segment_that_would_vanish_gives_no_address(#[case] segment: &str) {
        assert_eq!(site("https://git.example.com").address(&["groups", segment, "members"]), None);
    }

    #[rstest]
    #[case("https://git.example.com/api/v4/x?page=2", true)]
    #[case("https://git.example.com/api/v4", true)]
    #[case("https://git.example.com/api/v4evil", false)]
    #[case("https://git.example.com/other", false)]
    #[case("http://git.example.com/api/v4/x", false)]
    #[case("https://git.example.com:8443/api/v4/x", false)]
    #[case("https://git.example.com.evil.example/api/v4/x", false)]
    #[case("https://dana@git.example.com/api/v4/x", false)]
    fn only_the_configured_place_is_admitted(#[case] url: &str, #[case] admitted: bool) {
        let site = site("https://git.example.com/api/v4");
        assert_eq!(site.admits(&url.parse().unwrap()), admitted);
    }

    #[rstest]
    #[case("ftp://git.example.com", AddressError::Scheme)]
    #[case("mailto:dana@example.com", AddressError::Scheme)]
    #[case("https://dana:secret@git.example.com", AddressError::Credentials)]
    #[case("https://git.example.com?x=1", AddressError::Query)]
    fn an_address_with_more_than_a_place_is_refused(#[case] url: &str, #[case] why: AddressError) {
        let http = Http::new(Limits::default()).unwrap();
        assert_eq!(Site::new(http, url.parse().unwrap()).unwrap_err(), why);
    }

    #[rstest]
    #[case(&[("retry-after", "17")], Some(17))]
    #[case(&[("retry-after", "Sat, 21 Nov 2026 08:00:30 GMT")], Some(30))]
    #[case(&[("retry-after", "Sat, 21 Nov 2026 07:00:00 GMT")], Some(0))]
    #[case(&[("retry-after", "soon"), ("ratelimit-reset", "1795248010")], Some(10))]
    #[case(&[("retry-after", "999999")], Some(3600))]
    #[case(&[], None)]
    fn the_wish_to_be_left_alone_is_read(
        #[case] headers: &[(&'static str, &'static str)],
        #[case] seconds: Option<u64>,
    ) {
        let now = "2026-11-21T08:00:00Z".parse().unwrap();
        assert_eq!(answer(headers, "").retry_after(now), seconds.map(Duration::from_secs));
    }

    #[rstest]
    #[case(&[("x-ratelimit-remaining", "4999"), ("x-ratelimit-resource", "core")], Some(("core", 4999)))]
    #[case(&[("ratelimit-remaining", " 12 ")], Some(("", 12)))]
    #[case(&[("ratelimit-remaining", "many"), ("ratelimit-name", "throttle_authenticated_api")], None)]
    #[case(&[], None)]
    fn what_is_left_of_a_limit_is_read(
        #[case] headers: &[(&'static str, &'static str)],
        #[case] left: Option<(&str, u64)>,
    ) {
        assert_eq!(answer(headers, "").remaining(), left);
    }

    #[test]
    fn a_page_is_never_taken_for_json() {
        assert_eq!(answer(&[("content-type", "text/html")], "{}").json(), None);
        assert_eq!(answer(&[], "{}").json(), None);
        assert!(answer(&[("content-type", "application/json; charset=utf-8")], "{}").json().is_some());
    }

    #[tokio::test]
    async fn a_request_to_another_host_is_held_back() {
        let elsewhere = Request::new(Method::GET, "https://evil.example/api".parse().unwrap());
        let failure = site("https://git.example.com").send(elsewhere).await.unwrap_err();
        assert!(matches!(failure, Failure::Unavailable { .. }));
    }

    #[tokio::test]
    async fn no_connection_means_nothing_was_done_and_the_query_stays_unsaid() {
        // Port 9 of the loopback interface: nobody listens there.
        let site = site("http://127.0.0.1:9");
        let request = Request::new(Method::POST, "http://127.0.0.1:9/play?token=hidden".parse().unwrap());
        let failure = site.send(request).await.unwrap_err();
        assert_eq!(failure, unavailable("POST 127.0.0.1:9/play: no connection".into()));
    }
}
