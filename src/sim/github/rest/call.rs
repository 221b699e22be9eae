//! A call as it came in, an answer as it goes out, and paging between them.

use hyper::http::request::Parts;
use serde_json::{Map, Value, json};
use url::form_urlencoded::{Serializer, parse};

use super::super::render::put;
use super::super::state::Refused;
use crate::sim::percent;

/// One call, its path taken apart and its parameters (query or JSON) in one place.
pub(in crate::sim::github) struct Call {
    pub(in crate::sim::github) method: String,
    pub(in crate::sim::github) path: String,
    pub(in crate::sim::github) query: String,
    pub(in crate::sim::github) body: String,
    pub(in crate::sim::github) token: Option<String>,
    pub(in crate::sim::github) if_none_match: Option<String>,
    /// Decoded, without the prefix.
    pub(super) segments: Vec<String>,
    params: Map<String, Value>,
    readable: bool,
}

impl Call {
    pub(in crate::sim::github) fn read(head: &Parts, body: &[u8], prefix: &str) -> Self {
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = header("Authorization").and_then(|value| value.split_once(' '));
        let token = authorization
            .filter(|(scheme, _)| ["bearer", "token"].iter().any(|known| scheme.eq_ignore_ascii_case(known)))
            .map(|(_, token)| token.trim().to_owned());
        let query = head.uri.query().unwrap_or_default().to_owned();
        let path = head.uri.path().to_owned();
        let body = String::from_utf8_lossy(body).into_owned();
        let mut params: Map<String, Value> = parse(query.as_bytes())
            .map(|(key, value)| (key.into_owned(), Value::String(value.into_owned())))
            .collect();
        let mut readable = true;
        match serde_json::from_str::<Value>(&body) {
            Ok(Value::Object(fields)) => params.extend(fields),
            Ok(Value::Null) => {}
            Ok(_) => readable = false,
            Err(_) => readable = body.is_empty(),
        }
        Self {
            method: head.method.to_string(),
            segments: segments(&path, prefix),
            path,
            query,
            body,
            token,
            if_none_match: header("If-None-Match").map(str::to_owned),
            params,
            readable,
        }
    }

    /// Refused when the body is no JSON object.
    pub(super) fn readable(&self) -> Result<(), Refused> {
        if self.readable { Ok(()) } else { Err(Refused::new(400, "Problems parsing JSON")) }
    }

    /// A parameter as text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name)?.as_str()
    }

    /// A parameter as text, without which the call is refused.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refused> {
        self.text(name).ok_or_else(|| Refused::invalid(name, &format!("{name} wasn't supplied")))
    }

    /// A parameter as a number, however it was spelt.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let value = self.params.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    /// A parameter as it is.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.params.get(name)
    }
}

fn segments(path: &str, prefix: &str) -> Vec<String> {
    let rest = path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
    rest.into_iter().flat_map(|rest| rest.split('/')).map(percent::decode).collect()
}

/// One answer.
pub(in crate::sim::github) struct Answer {
    pub(in crate::sim::github) status: u16,
    pub(in crate::sim::github) headers: Vec<(&'static str, String)>,
    pub(in crate::sim::github) body: Option<Value>,
}

/// An answer, or GitHub's refusal.
pub(in crate::sim::github) type Reply = Result<Answer, Refused>;

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

/// One page of a list.
pub(super) fn list(call: &Call, host: &str, items: Vec<Value>) -> Answer {
    let links = links(call, host, items.len());
    let mut answer = Answer::ok(cut(call, items));
    answer.headers.extend(links);
    answer
}

/// One page of a list inside an object, under this name and with its total.
pub(super) fn list_in(call: &Call, host: &str, name: &str, items: Vec<Value>) -> Answer {
    let total = items.len();
    list_into(call, host, json!({ "total_count": total }), (name, items))
}

/// One page of a list inside an object that says more, under this name.
pub(super) fn list_into(
    call: &Call,
    host: &str,
    mut body: Value,
    (name, items): (&str, Vec<Value>),
) -> Answer {
    let links = links(call, host, items.len());
    put(&mut body, name, cut(call, items));
    let mut answer = Answer::ok(body);
    answer.headers.extend(links);
    answer
}

/// Whether it is the first page that is asked for.
pub(super) fn is_first_page(call: &Call) -> bool {
    page(call) == 1
}

fn cut(call: &Call, items: Vec<Value>) -> Value {
    let start = (page(call) - 1).saturating_mul(per_page(call));
    items.into_iter().skip(start).take(per_page(call)).collect()
}

fn page(call: &Call) -> usize {
    usize::try_from(call.number("page").unwrap_or(1)).unwrap_or(usize::MAX).max(1)
}

pub(super) fn per_page(call: &Call) -> usize {
    usize::try_from(call.number("per_page").unwrap_or(30)).unwrap_or(100).clamp(1, 100)
}

fn links(call: &Call, host: &str, total: usize) -> Option<(&'static str, String)> {
    let (page, last) = (page(call), total.div_ceil(per_page(call)).max(1));
    let mut links = Vec::new();
    if page > 1 {
        links.push(link(call, host, ("page", &(page - 1).to_string()), "prev"));
        links.push(link(call, host, ("page", "1"), "first"));
    }
    if page < last {
        links.push(link(call, host, ("page", &(page + 1).to_string()), "next"));
        links.push(link(call, host, ("page", &last.to_string()), "last"));
    }
    (!links.is_empty()).then(|| ("Link", links.join(", ")))
}

/// The address of this call with one parameter set, as `Link` spells it.
pub(super) fn link(call: &Call, host: &str, (name, value): (&str, &str), rel: &str) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(parse(call.query.as_bytes()).filter(|(key, _)| key != name));
    query.append_pair(name, value);
    format!("<{host}{}?{}>; rel=\"{rel}\"", call.path, query.finish())
}
