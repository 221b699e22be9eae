//! Requests to GitLab's REST API, its pages, and what its errors mean.

use crate::net::http::{Answer, Method, Request, Site, StatusCode, Url};
use crate::net::link::next_page;
use crate::ports::clock::Clock;
use crate::ports::failure::{Failure, Refusal};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// What may be told of the words of an error, in characters.
const LONGEST_MESSAGE: usize = 300;

/// One token's access to the API.
pub(super) struct Client {
    site: Site,
    token: SecretString,
    clock: Arc<dyn Clock>,
}

/// A query, in order.
pub(super) type Query<'a> = &'a [(&'a str, &'a str)];

impl Client {
    pub(super) fn new(site: Site, token: SecretString, clock: Arc<dyn Clock>) -> Self {
        Self { site, token, clock }
    }

    /// Reads one thing.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &[impl AsRef<str> + Sync],
        query: Query<'_>,
    ) -> Result<T, Failure> {
        read(&self.call(self.request(Method::GET, path, query)?).await?)
    }

    /// Reads one thing, and the server's time when it answered.
    pub(super) async fn get_dated<T: DeserializeOwned>(
        &self,
        path: &[impl AsRef<str> + Sync],
    ) -> Result<(T, Option<Timestamp>), Failure> {
        let answer = self.call(self.request(Method::GET, path, &[])?).await?;
        Ok((read(&answer)?, answer.date()))
    }

    /// Reads one thing that may not be there. A missing project or group around it is a failure instead.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        path: &[impl AsRef<str> + Sync],
    ) -> Result<Option<T>, Failure> {
        let request = self.request(Method::GET, path, &[])?;
        let answer = self.site.send(self.signed(request)?).await?;
        let missing = answer.status == StatusCode::NOT_FOUND && answer.json().is_some();
        if missing && !names_container(&Said::from(&answer)) {
            return Ok(None);
        }
        read(&self.judge(answer, true)?).map(Some)
    }

    /// Reads a list page by page, a hundred items each, at most `most` pages.
    pub(super) fn pages(
        &self,
        path: &[impl AsRef<str>],
        query: Query<'_>,
        most: usize,
    ) -> Result<Pages<'_>, Failure> {
        let mut url = self.address(path)?;
        url.query_pairs_mut().extend_pairs(query).append_pair("per_page", "100");
        Ok(Pages { client: self, next: Some(url), left: most, cut: false })
    }

    /// Changes something and reads what came of it; an answer that can't be read leaves that unknown.
    pub(super) async fn write<T: DeserializeOwned>(&self, change: Change) -> Result<T, Failure> {
        let what = change.name();
        let answer = self.send(change).await?;
        if answer.status == StatusCode::ACCEPTED {
            let why = "GitLab took the text as quick actions".to_owned();
            return Err(Failure::Refused(Refusal::Other(why)));
        }
        read(&answer).map_err(|_| Failure::UnknownOutcome { what })
    }

    /// Changes something; only success matters.
    pub(super) async fn send(&self, change: Change) -> Result<Answer, Failure> {
        let mut request = self.request(change.method, &change.path, &[])?;
        if let Some(body) = change.body {
            request = request.json(body);
        }
        if let Some(user) = change.sudo {
            request = request.secret_header("sudo", &SecretString::from(user.to_string()))?;
        }
        self.call(request).await
    }

    /// The address of one of a project's own pages; `None` where it can't be one.
    pub(super) fn page(&self, project: &str, rest: &[&str]) -> Option<String> {
        let path: Vec<&str> = project.split('/').chain(["-"]).chain(rest.iter().copied()).collect();
        self.site.address(&path).map(String::from)
    }

    fn address(&self, path: &[impl AsRef<str>]) -> Result<Url, Failure> {
        let path: Vec<&str> = ["api", "v4"].into_iter().chain(path.iter().map(AsRef::as_ref)).collect();
        self.site.address(&path).ok_or(Failure::NotFound)
    }

    fn request(
        &self,
        method: Method,
        path: &[impl AsRef<str>],
        query: Query<'_>,
    ) -> Result<Request, Failure> {
        let mut url = self.address(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(Request::new(method, url))
    }

    fn signed(&self, request: Request) -> Result<Request, Failure> {
        request.secret_header("private-token", &self.token)
    }

    async fn call(&self, request: Request) -> Result<Answer, Failure> {
        let reads = request.reads();
        let answer = self.site.send(self.signed(request)?).await?;
        self.judge(answer, reads)
    }

    fn judge(&self, answer: Answer, reads: bool) -> Result<Answer, Failure> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        if is_strangers(&answer) {
            return Err(not_from_gitlab(answer.status, reads));
        }
        let mut failure = failure(answer.status, &Said::from(&answer), reads);
        if let Failure::Unavailable { retry_after, .. } = &mut failure {
            // Every answer tells when the limit is reset; it is a wish to be left alone at 429 only.
            let now = self.clock.now();
            let limited = answer.status == StatusCode::TOO_MANY_REQUESTS;
            *retry_after = if limited { answer.retry_after(now) } else { answer.asked_to_wait(now) };
        }
        Err(failure)
    }
}

/// One change.
pub(super) struct Change {
    method: Method,
    path: Vec<String>,
    body: Option<Value>,
    sudo: Option<i64>,
}

impl Change {
    pub(super) fn post(path: Vec<String>, body: Value) -> Self {
        Self { method: Method::POST, path, body: Some(body), sudo: None }
    }

    pub(super) fn put(path: Vec<String>, body: Value) -> Self {
        Self { method: Method::PUT, path, body: Some(body), sudo: None }
    }

    pub(super) fn delete(path: Vec<String>) -> Self {
        Self { method: Method::DELETE, path, body: None, sudo: None }
    }

    /// In another account's name, which takes an administrator's token.
    pub(super) fn in_name_of(self, user: i64) -> Self {
        Self { sudo: Some(user), ..self }
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path.join("/"))
    }
}

/// A list, read page by page along `Link: …; rel="next"`.
pub(super) struct Pages<'a> {
    client: &'a Client,
    next: Option<Url>,
    left: usize,
    cut: bool,
}

impl Pages<'_> {
    /// The next page; `None` at the end, and when enough pages have been read.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<Vec<T>>, Failure> {
        let Some(url) = self.next.take() else { return Ok(None) };
        if self.left == 0 {
            tracing::warn!(path = url.path(), "a list is longer than what is read of it");
            self.cut = true;
            return Ok(None);
        }
        self.left -= 1;
        let answer = self.client.call(Request::new(Method::GET, url)).await?;
        self.next = next_page(&answer)?;
        if self.next.as_ref().is_some_and(|next| !self.client.site.admits(next)) {
            return Err(Failure::Unreadable("the next page is said to be on another host".to_owned()));
        }
        read(&answer).map(Some)
    }

    /// Whether the list went on behind the last page that was read.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// All pages together.
    pub(super) async fn all<T: DeserializeOwned>(mut self) -> Result<Vec<T>, Failure> {
        let mut items = Vec::new();
        while let Some(page) = self.next().await? {
            items.extend(page);
        }
        Ok(items)
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    let body = answer.json().ok_or_else(|| Failure::Unreadable("the answer is not JSON".to_owned()))?;
    serde_json::from_slice(body).map_err(|error| {
        // The error's own text may quote the answer.
        let (line, column) = (error.line(), error.column());
        Failure::Unreadable(format!("the answer has another shape at line {line}, column {column}"))
    })
}

/// The body of an error. Each field may be a string, a list or an object.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    message: Value,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    error_description: Value,
}

impl From<&Answer> for Said {
    fn from(answer: &Answer) -> Self {
        answer.json().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default()
    }
}

impl Said {
    /// The words for people; empty when there are none.
    fn words(&self) -> String {
        let said = [&self.message, &self.error_description, &self.error].into_iter().map(flat);
        said.into_iter()
            .find(|words| !words.is_empty())
            .unwrap_or_default()
            .chars()
            .take(LONGEST_MESSAGE)
            .collect()
    }
}

fn flat(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(words) => words.trim().to_owned(),
        Value::Array(items) => items.iter().map(flat).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| format!("{name}: {}", flat(value)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// A page from some proxy in between says nothing of what GitLab has or forbids: nothing is gone or refused because
/// of it. GitLab itself says its 4xx in JSON, some with no body at all; its edge asks to slow down on a page.
fn is_strangers(answer: &Answer) -> bool {
    let status = answer.status;
    let may_be_empty = status != StatusCode::NOT_FOUND;
    status.is_client_error()
        && status != StatusCode::UNAUTHORIZED
        && status != StatusCode::TOO_MANY_REQUESTS
        && answer.json().is_none()
        && !(may_be_empty && answer.is_empty())
}

fn not_from_gitlab(status: StatusCode, reads: bool) -> Failure {
    let what = format!("a page that isn't GitLab's said {}", status.as_u16());
    if reads { Failure::Unreadable(what) } else { Failure::UnknownOutcome { what } }
}

/// Whether a 404 speaks of the project or group around a thing, not of the thing.
fn names_container(said: &Said) -> bool {
    begins(&said.words(), "404 project") || begins(&said.words(), "404 group")
}

fn begins(words: &str, prefix: &str) -> bool {
    words.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// What an error status means. `reads`: nothing can have been done.
fn failure(status: StatusCode, said: &Said, reads: bool) -> Failure {
    let words = said.words();
    let code = status.as_u16();
    match code {
        401 => Failure::Unauthorized(told(&words, "401 Unauthorized")),
        403 if said.error == "insufficient_scope"
            || begins(&words, "403 Forbidden - Must be admin to use sudo") =>
        {
            Failure::Unauthorized(told(&words, "insufficient scope"))
        }
        403 => Failure::Refused(Refusal::NoPermission),
        // An unknown account in `Sudo`: it is the person who is missing, not the deployment.
        404 if begins(&words, "404 User with ID") => Failure::Refused(Refusal::Other(words)),
        404 => Failure::NotFound,
        429 => Failure::Unavailable { what: "GitLab asks to slow down (429)".to_owned(), retry_after: None },
        300..400 => {
            Failure::Unreadable(format!("GitLab answered with a redirect ({code}): is the url right?"))
        }
        400..500 => Failure::Refused(refusal(&words, code)),
        _ if reads => Failure::Unavailable { what: format!("GitLab answered {code}"), retry_after: None },
        _ => Failure::UnknownOutcome { what: format!("GitLab answered {code}") },
    }
}

/// GitLab gives its reasons as sentences only; their beginnings are all there is to go by.
const REASONS: [(&str, Refusal); 7] = [
    ("You cannot approve your own deployment", Refusal::SelfApproval),
    ("This environment is not protected", Refusal::NotProtected),
    ("Deployment approvals is not configured", Refusal::NoApprovals),
    ("This deployment is not waiting for approvals", Refusal::NotWaiting),
    ("You don't have permission", Refusal::NoPermission),
    ("There are no approval rules for the given", Refusal::NoSuchRule),
    ("Unplayable Job", Refusal::Unplayable),
];

fn refusal(words: &str, code: u16) -> Refusal {
    let bare = ["400 Bad request - ", "400 Bad request ", "400 "]
        .into_iter()
        .find_map(|lead| begins(words, lead).then(|| words.get(lead.len()..)).flatten())
        .unwrap_or(words);
    REASONS
        .into_iter()
        .find_map(|(beginning, refusal)| begins(bare, beginning).then_some(refusal))
        .unwrap_or_else(|| Refusal::Other(told(bare, &format!("it answered {code}"))))
}

fn told(words: &str, otherwise: &str) -> String {
    if words.is_empty() { otherwise.to_owned() } else { words.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn judged(code: u16, body: Value, reads: bool) -> Failure {
        failure(StatusCode::from_u16(code).unwrap(), &serde_json::from_value(body).unwrap(), reads)
    }

    fn refused(words: &str) -> Failure {
        Failure::Refused(Refusal::Other(words.to_owned()))
    }

    #[rstest]
    #[case(
        "You cannot approve your own deployment. This configuration can be adjusted.",
        Refusal::SelfApproval
    )]
    #[case("This environment is not protected.", Refusal::NotProtected)]
    #[case("Deployment approvals is not configured for this environment.", Refusal::NoApprovals)]
    #[case("this deployment is NOT waiting for approvals", Refusal::NotWaiting)]
    #[case("You don't have permission to approve this deployment. Contact somebody.", Refusal::NoPermission)]
    #[case("There are no approval rules for the given `represent_as` parameter.", Refusal::NoSuchRule)]
    #[case("400 Bad request - Unplayable Job", Refusal::Unplayable)]
    #[case("Something new", Refusal::Other("Something new".into()))]
    fn a_refusal_is_told_by_how_it_begins(#[case] message: &str, #[case] refusal: Refusal) {
        assert_eq!(judged(400, json!({ "message": message }), false), Failure::Refused(refusal));
    }

    #[rstest]
    #[case(json!({"message": ["too long", "too odd"]}), "too long, too odd")]
    #[case(json!({"message": {"note": ["can't be blank"]}}), "note: can't be blank")]
    #[case(json!({"error": "status is missing"}), "status is missing")]
    #[case(json!({"error": "x", "error_description": "why"}), "why")]
    #[case(json!({}), "it answered 400")]
    fn every_shape_of_message_is_read(#[case] body: Value, #[case] words: &str) {
        assert_eq!(judged(400, body, false), refused(words));
    }

    #[rstest]
    #[case(401, json!({"message": "401 Unauthorized"}), Failure::Unauthorized("401 Unauthorized".into()))]
    #[case(403, json!({"error": "insufficient_scope", "error_description": "needs more"}),
        Failure::Unauthorized("needs more".into()))]
    #[case(403, json!({"message": "403 Forbidden - Must be admin to use sudo"}),
        Failure::Unauthorized("403 Forbidden - Must be admin to use sudo".into()))]
    #[case(403, json!({"message": "403 Forbidden"}), Failure::Refused(Refusal::NoPermission))]
    #[case(404, json!({"message": "404 Not found"}), Failure::NotFound)]
    #[case(404, json!({"message": "404 User with ID or username '9' Not Found"}),
        refused("404 User with ID or username '9' Not Found"))]
    #[case(405, json!({"error": "405 Not Allowed"}), refused("405 Not Allowed"))]
    #[case(409, json!({}), refused("it answered 409"))]
    fn a_status_says_what_follows(#[case] code: u16, #[case] body: Value, #[case] expected: Failure) {
        assert_eq!(judged(code, body, false), expected);
    }

    #[rstest]
    #[case(500)]
    #[case(502)]
    #[case(503)]
    #[case(504)]
    fn a_server_fault_leaves_a_write_unknown_and_a_read_undone(#[case] code: u16) {
        assert!(matches!(judged(code, json!({}), false), Failure::UnknownOutcome { .. }));
        assert!(matches!(judged(code, json!({}), true), Failure::Unavailable { .. }));
    }

    #[test]
    fn too_many_requests_did_nothing_even_with_an_object_for_a_message() {
        let body = json!({"message": {"error": "This endpoint has been requested too many times."}});
        assert!(matches!(judged(429, body, false), Failure::Unavailable { .. }));
    }

    #[test]
    fn a_redirect_is_never_followed_nor_taken_for_absence() {
        assert!(matches!(judged(301, json!({}), true), Failure::Unreadable(_)));
    }

    #[test]
    fn a_missing_project_is_told_from_a_missing_member() {
        let said = |message: &str| Said { message: message.into(), ..Said::default() };
        assert!(names_container(&said("404 Project Not Found")));
        assert!(names_container(&said("404 Group Not Found")));
        assert!(!names_container(&said("404 Not found")));
    }
}
