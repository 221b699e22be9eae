//! Slack on the wire: its log, and the answer's form.

use hyper::http::request::Parts;
use serde_json::Value;

use super::rest::Call;
use super::state::State;
use super::{ApiCall, Shared};
use crate::sim::faults::{Action, Seen};
use crate::sim::server::{Face, Page};

impl Face for Shared {
    type Call = Call;

    fn read(&self, head: &Parts, body: &[u8]) -> Call {
        Call::read(head, body)
    }

    fn fault_of(&self, call: &Call) -> Option<Action> {
        let mut state = self.lock();
        let seen = Seen { method: &call.method, path: &call.path, token: call.token.as_deref() };
        if let Some(action) = state.faults.watched(&seen) {
            return Some(action);
        }
        state.faults.take(&call.method, &call.path, None)
    }

    fn act(&self, call: &Call) -> Page {
        let mut state = self.lock();
        let page = state.answer(call);
        state.log(call, &page, true);
        page
    }

    fn log_unacted(&self, call: &Call, status: u16) {
        self.lock().log(call, &Page::new(status, ""), false);
    }

    fn too_many(&self, retry_after: Option<u64>) -> Page {
        too_many(retry_after)
    }
}

pub(super) fn too_many(retry_after: Option<u64>) -> Page {
    let mut page = Page::new(429, r#"{"ok":false,"error":"ratelimited"}"#);
    page.headers.extend(retry_after.map(|seconds| ("Retry-After", seconds.to_string())));
    page
}

impl State {
    fn log(&mut self, call: &Call, page: &Page, acted: bool) {
        let body: Option<Value> = serde_json::from_str(&page.body).ok();
        let error = body.and_then(|body| Some(body.get("error")?.as_str()?.to_owned()));
        let (method, path, query) = (call.method.clone(), call.path.clone(), call.query.clone());
        let (body, status) = (call.body.clone(), page.status);
        self.calls.push(ApiCall { method, path, query, body, status, error, acted });
    }
}
