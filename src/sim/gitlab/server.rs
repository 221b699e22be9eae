//! GitLab on the wire: whose call it is, its log, and the answer's form.

use hyper::http::request::Parts;

use super::rest::{Answer, Call};
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
        self.lock().fault_of(call)
    }

    fn act(&self, call: &Call) -> Page {
        self.lock().act(call).into()
    }

    fn log_unacted(&self, call: &Call, status: u16) {
        self.lock().log(call, status);
    }

    fn too_many(&self, retry_after: Option<u64>) -> Page {
        let Some(seconds) = retry_after else {
            return Page::new(429, "<html><body>Retry later</body></html>");
        };
        let body =
            r#"{"message":{"error":"This endpoint has been requested too many times. Try again later."}}"#;
        let headers = vec![
            ("Retry-After", seconds.to_string()),
            ("RateLimit-Limit", "60".to_owned()),
            ("RateLimit-Remaining", "0".to_owned()),
        ];
        Page { status: 429, headers, body: body.into() }
    }
}

impl State {
    fn fault_of(&mut self, call: &Call) -> Option<Action> {
        let seen = Seen { method: &call.method, path: &call.path, token: call.token.as_deref() };
        if let Some(action) = self.faults.watched(&seen) {
            return Some(action);
        }
        let (user, sudo) = self.names(call);
        self.faults.take(&call.method, &call.path, sudo.as_deref().or(user.as_deref()))
    }

    fn act(&mut self, call: &Call) -> Answer {
        // Whose call it is must be read before: a call may revoke or rename.
        let names = self.names(call);
        let answer = self.answer(call);
        self.log_as(call, answer.status, true, names);
        answer
    }

    fn log(&mut self, call: &Call, status: u16) {
        let names = self.names(call);
        self.log_as(call, status, false, names);
    }

    fn log_as(&mut self, call: &Call, status: u16, acted: bool, names: (Option<String>, Option<String>)) {
        let (user, sudo) = names;
        let (method, path, query) = (call.method.clone(), call.path.clone(), call.query.clone());
        self.calls.push(ApiCall { method, path, query, user, sudo, status, acted, body: call.body.clone() });
    }
}

impl From<Answer> for Page {
    fn from(answer: Answer) -> Self {
        let body = answer.body.map(|body| body.to_string()).unwrap_or_default();
        Self { status: answer.status, headers: answer.headers, body }
    }
}
