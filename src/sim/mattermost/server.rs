//! Mattermost on the wire: whose call it is, its log.

use hyper::http::request::Parts;

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
        let user = state.user_name(call);
        state.faults.take(&call.method, &call.path, user.as_deref())
    }

    fn act(&self, call: &Call) -> Page {
        let mut state = self.lock();
        let page = state.answer(call);
        state.log(call, page.status, true);
        page
    }

    fn log_unacted(&self, call: &Call, status: u16) {
        self.lock().log(call, status, false);
    }

    fn too_many(&self, retry_after: Option<u64>) -> Page {
        too_many(retry_after)
    }
}

/// The seconds stand in `X-Ratelimit-Reset` and `Retry-After` alike; a proxy in front tells none.
pub(super) fn too_many(retry_after: Option<u64>) -> Page {
    let mut page = Page::new(429, "limit exceeded");
    if let Some(seconds) = retry_after {
        page.headers = vec![
            ("X-Ratelimit-Limit", "10".to_owned()),
            ("X-Ratelimit-Remaining", "0".to_owned()),
            ("X-Ratelimit-Reset", seconds.to_string()),
            ("Retry-After", seconds.to_string()),
        ];
    }
    page
}

impl State {
    fn user_name(&self, call: &Call) -> Option<String> {
        let user = self.tokens.get(call.token.as_deref()?)?;
        Some(self.name_of(user))
    }

    fn log(&mut self, call: &Call, status: u16, acted: bool) {
        let user = self.user_name(call);
        let (method, path, query) = (call.method.clone(), call.path.clone(), call.query.clone());
        self.calls.push(ApiCall { method, path, query, body: call.body.clone(), user, status, acted });
    }
}
