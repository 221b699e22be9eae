//! GitHub on the wire: whose call it is, its log, its limits and entity tags.

use hyper::http::request::Parts;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::rest::{Answer, Call};
use super::state::State;
use super::{ApiCall, AppId, InstallationId, Shared};
use crate::sim::faults::{Action, Seen};
use crate::sim::server::{Face, Page};

impl Face for Shared {
    type Call = Call;

    fn read(&self, head: &Parts, body: &[u8]) -> Call {
        let prefix = self.lock().settings.api_prefix.clone();
        Call::read(head, body, &prefix)
    }

    fn fault_of(&self, call: &Call) -> Option<Action> {
        self.lock().fault_of(call)
    }

    fn act(&self, call: &Call) -> Page {
        self.lock().act(call)
    }

    fn log_unacted(&self, call: &Call, status: u16) {
        self.lock().log(call, status, false);
    }

    /// GitHub's secondary limit, or a bare 429.
    fn too_many(&self, retry_after: Option<u64>) -> Page {
        let Some(seconds) = retry_after else {
            return Page::new(429, "<html><body>Whoa there!</body></html>");
        };
        let headers = vec![("Retry-After", seconds.to_string())];
        Page { status: 403, headers, body: super::rest::secondary_limit().body.to_string() }
    }
}

impl State {
    fn fault_of(&mut self, call: &Call) -> Option<Action> {
        let watched = call.token.as_deref().filter(|_| self.faults.is_watched());
        let key = watched.and_then(|token| self.key_behind(token));
        let seen = Seen { method: &call.method, path: &call.path, token: key.as_deref() };
        if let Some(action) = self.faults.watched(&seen) {
            return Some(action);
        }
        let (app, _) = self.whose(call);
        let slug = app.and_then(|app| self.apps.get(&app)).map(|app| app.slug.clone());
        self.faults.take(&call.method, &call.path, slug.as_deref())
    }

    fn act(&mut self, call: &Call) -> Page {
        let minted = self.tokens.len();
        let answer = self.answer(call);
        if self.tokens.len() > minted {
            let key = call.token.as_deref().and_then(|jwt| self.key_behind(jwt));
            self.tokens.iter_mut().skip(minted).for_each(|token| token.key.clone_from(&key));
        }
        let (conditional, page) = self.tag(call, answer);
        self.log(call, page.status, true);
        if let Some(logged) = self.calls.last_mut() {
            logged.conditional = conditional;
        }
        page
    }

    /// Gives every good `GET` its entity tag; what the caller has already is answered 304 and costs nothing.
    fn tag(&mut self, call: &Call, answer: Answer) -> (bool, Page) {
        let body = answer.body.map(|body| body.to_string()).unwrap_or_default();
        let mut page = Page { status: answer.status, headers: answer.headers, body };
        let mut unchanged = false;
        if call.method == "GET" && page.status == 200 {
            let tag = format!("W/\"{}\"", hex::encode(Sha256::digest(&page.body)));
            unchanged = call.if_none_match.as_deref() == Some(tag.as_str());
            page.headers.push(("ETag", tag));
        }
        if unchanged {
            page.status = 304;
            page.body.clear();
            self.give_back(call);
        }
        page.headers.extend(self.limit_headers(call));
        (unchanged, page)
    }

    fn log(&mut self, call: &Call, status: u16, acted: bool) {
        let (app, installation) = self.whose(call);
        let (method, path, query) = (call.method.clone(), call.path.clone(), call.query.clone());
        let (conditional, body) = (false, call.body.clone());
        self.calls.push(ApiCall { method, path, query, installation, app, status, conditional, acted, body });
    }

    /// Which App called, and through which installation. A token that has expired still says so.
    pub(super) fn whose(&self, call: &Call) -> (Option<AppId>, Option<InstallationId>) {
        let Some(value) = call.token.as_deref() else { return (None, None) };
        let installation =
            self.tokens.iter().find(|known| known.value == value).map(|known| known.installation);
        match installation {
            Some(id) => (self.installations.get(&id).map(|known| known.app), Some(id)),
            None => (self.verify_jwt(value).ok(), None),
        }
    }

    /// `GET /rate_limit`.
    pub(super) fn rate_json(&self, call: &Call) -> serde_json::Value {
        let (limit, used, reset) = self.usage(call);
        let core =
            json!({ "limit": limit, "used": used, "remaining": limit.saturating_sub(used), "reset": reset });
        json!({ "resources": { "core": core }, "rate": core })
    }
}
