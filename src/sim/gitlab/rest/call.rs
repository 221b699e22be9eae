//! A call as it came in, an answer as it goes out, and paging between them.

use hyper::http::request::Parts;
use serde_json::{Map, Value};
use url::form_urlencoded::{Serializer, parse};

use super::super::state::Refused;
use crate::sim::percent;

/// One call, its path taken apart and its parameters (query, form or JSON) in one place.
pub(in crate::sim::gitlab) struct Call {
    pub(in crate::sim::gitlab) method: String,
    pub(in crate::sim::gitlab) path: String,
    pub(in crate::sim::gitlab) query: String,
    pub(in crate::sim::gitlab) body: String,
    /// Decoded, without `api/v4`.
    pub(super) segments: Vec<String>,
    pub(in crate::sim::gitlab) token: Option<String>,
    pub(super) sudo: Option<String>,
    params: Map<String, Value>,
}

impl Call {
    pub(in crate::sim::gitlab) fn read(head: &Parts, body: &[u8]) -> Self {
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = header("Authorization").and_then(|value| value.strip_prefix("Bearer "));
        let token = header("PRIVATE-TOKEN").or(bearer).map(str::to_owned);
        let query = head.uri.query().unwrap_or_default().to_owned();
        let path = head.uri.path().to_owned();
        let body = String::from_utf8_lossy(body).into_owned();
        let mut params = pairs(&query);
        match serde_json::from_str::<Value>(&body) {
            Ok(Value::Object(fields)) => params.extend(fields),
            Ok(_) => {}
            Err(_) => params.extend(pairs(&body)),
        }
        let mut call = Self {
            method: head.method.to_string(),
            segments: segments(&path),
            path,
            query,
            body,
            token,
            sudo: header("Sudo").map(str::to_owned),
            params,
        };
        call.sudo = call.sudo.take().or_else(|| call.text("sudo").map(str::to_owned));
        call
    }

    /// A parameter as text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name)?.as_str()
    }

    /// A parameter as a number, however it was spelt.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let value = self.params.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        let value = self.params.get(name);
        value.is_some_and(|value| value == &Value::Bool(true) || matches!(value.as_str(), Some("true" | "1")))
    }

    /// All values of a list parameter, `name[]=…` or comma-separated.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let many = parse(self.query.as_bytes()).filter(|(key, _)| key.trim_end_matches("[]") == name);
        many.flat_map(|(_, value)| value.split(',').map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

fn pairs(text: &str) -> Map<String, Value> {
    parse(text.as_bytes()).map(|(key, value)| (key.into_owned(), Value::String(value.into_owned()))).collect()
}

fn segments(path: &str) -> Vec<String> {
    let rest = path.strip_prefix("/api/v4/");
    rest.into_iter().flat_map(|rest| rest.split('/')).map(percent::decode).collect()
}

/// One answer.
pub(in crate::sim::gitlab) struct Answer {
    pub(in crate::sim::gitlab) status: u16,
    pub(in crate::sim::gitlab) headers: Vec<(&'static str, String)>,
    pub(in crate::sim::gitlab) body: Option<Value>,
}

/// An answer, or GitLab's refusal.
pub(in crate::sim::gitlab) type Reply = Result<Answer, Refused>;

impl Answer {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    pub(super) fn created(body: Value) -> Self {
        Self::new(201, body)
    }

    pub(super) fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: None }
    }
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        Self::new(refused.status, refused.body)
    }
}

/// One page of these, with GitLab's paging headers. `url` is the instance's address.
pub(super) fn page<T>(call: &Call, url: &str, items: &[T], render: impl Fn(&T) -> Value) -> Answer {
    let per_page = per_page(call);
    let page = usize::try_from(call.number("page").unwrap_or(1)).unwrap_or(usize::MAX).max(1);
    let start = (page - 1).saturating_mul(per_page);
    let shown: Vec<Value> = items.iter().skip(start).take(per_page).map(render).collect();
    let last = items.len().div_ceil(per_page).max(1);
    let next = (page < last).then_some(page + 1);
    let link = |at: usize, rel: &str| {
        format!("<{url}{}?{}>; rel=\"{rel}\"", call.path, query_with(call, &[("page", at)]))
    };
    let mut links = vec![link(1, "first"), link(last, "last")];
    if page > 1 {
        links.insert(0, link(page - 1, "prev"));
    }
    links.splice(0..0, next.map(|next| link(next, "next")));
    let mut answer = Answer::ok(Value::Array(shown));
    answer.headers = vec![
        ("X-Page", page.to_string()),
        ("X-Per-Page", per_page.to_string()),
        ("X-Next-Page", next.map(|next| next.to_string()).unwrap_or_default()),
        ("X-Prev-Page", if page > 1 { (page - 1).to_string() } else { String::new() }),
        ("Link", links.join(", ")),
    ];
    if items.len() <= 10_000 {
        answer.headers.push(("X-Total", items.len().to_string()));
        answer.headers.push(("X-Total-Pages", last.to_string()));
    }
    answer
}

/// One page by keyset: only a `next` link, which names the last id shown.
pub(super) fn keyset_page<T>(
    call: &Call,
    url: &str,
    items: &[T],
    id: impl Fn(&T) -> u64,
    render: impl Fn(&T) -> Value,
) -> Answer {
    let after = call.number("id_after");
    let left: Vec<&T> = items.iter().filter(|item| after.is_none_or(|after| id(item) > after)).collect();
    let shown: Vec<&T> = left.iter().copied().take(per_page(call)).collect();
    let mut answer = Answer::ok(shown.iter().map(|item| render(item)).collect());
    if let Some(last) = shown.last().filter(|_| shown.len() < left.len()) {
        let last = usize::try_from(id(last)).unwrap_or(usize::MAX);
        let query = query_with(call, &[("id_after", last)]);
        answer.headers.push(("Link", format!("<{url}{}?{query}>; rel=\"next\"", call.path)));
    }
    answer
}

fn per_page(call: &Call) -> usize {
    usize::try_from(call.number("per_page").unwrap_or(20)).unwrap_or(100).clamp(1, 100)
}

fn query_with(call: &Call, set: &[(&str, usize)]) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(
        parse(call.query.as_bytes()).filter(|(key, _)| set.iter().all(|(name, _)| key != name)),
    );
    query.extend_pairs(set.iter().map(|(name, value)| (name, value.to_string())));
    query.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_path_is_one_segment_of_the_url() {
        assert_eq!(segments("/api/v4/projects/acme%2Fshop/jobs"), ["projects", "acme/shop", "jobs"]);
    }
}
