//! A call as it came in.

use hyper::http::request::Parts;

use super::super::args::Args;
use super::super::state::Error;

/// One call to the API or to a `response_url`.
pub(in crate::sim::slack) struct Call {
    pub(in crate::sim::slack) method: String,
    pub(in crate::sim::slack) path: String,
    pub(in crate::sim::slack) query: String,
    pub(in crate::sim::slack) body: String,
    pub(in crate::sim::slack) token: Option<String>,
    kind: Option<String>,
}

impl Call {
    pub(in crate::sim::slack) fn read(head: &Parts, body: &[u8]) -> Self {
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let token = header("Authorization").and_then(|value| value.strip_prefix("Bearer "));
        Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            token: token.map(str::to_owned),
            kind: header("Content-Type").map(str::to_owned),
        }
    }

    /// The arguments: of the query when there is no body, else of the body as its type says.
    pub(super) fn args(&self) -> Result<Args, Error> {
        if self.body.is_empty() {
            return Ok(Args::of_form(&self.query));
        }
        let kind = self.kind.as_deref().ok_or_else(|| Error::new("missing_post_type"))?;
        match kind.split(';').next().unwrap_or_default().trim() {
            "application/json" => Args::of_json(&self.body).ok_or_else(|| Error::new("invalid_json")),
            "application/x-www-form-urlencoded" => Ok(Args::of_form(&self.body)),
            _ => Err(Error::new("invalid_post_type")),
        }
    }
}
