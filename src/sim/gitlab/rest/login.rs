//! Tokens, scopes, `Sudo`, rate limits, and who one is.

use jiff::SignedDuration;
use serde_json::json;

use super::super::state::{Refused, State, Token, User};
use super::super::{UserId, UserState};
use super::call::{Answer, Call, Reply, page};

impl State {
    /// Who calls: the token's owner, or the person named by `Sudo`.
    pub(super) fn log_in(&self, call: &Call) -> Result<UserId, Refused> {
        let unauthorized = || Refused::new(401, "401 Unauthorized");
        let token = self.token(call).ok_or_else(unauthorized)?;
        let owner = self.users.get(&token.user).ok_or_else(unauthorized)?;
        if owner.state == UserState::Blocked {
            return Err(Refused::new(403, "403 Forbidden - Your account has been blocked."));
        }
        if !suffices(token, call) {
            return Err(insufficient("api"));
        }
        let Some(named) = &call.sudo else { return Ok(owner.id) };
        if !owner.admin {
            return Err(Refused::new(403, "403 Forbidden - Must be admin to use sudo"));
        }
        if !token.scopes.iter().any(|scope| scope == "sudo") {
            return Err(insufficient("sudo"));
        }
        let other = self
            .user_named(named)
            .ok_or_else(|| Refused::new(404, &format!("404 User with ID or username '{named}' Not Found")))?;
        if other.state == UserState::Blocked {
            return Err(Refused::new(403, "403 Forbidden - Your account has been blocked."));
        }
        Ok(other.id)
    }

    fn token(&self, call: &Call) -> Option<&Token> {
        let value = call.token.as_deref()?;
        let now = self.time();
        let known = self.tokens.iter().find(|known| known.value == value);
        known.filter(|known| known.expires_at.is_none_or(|end| end > now))
    }

    /// User names of the token's owner and of the person acted as, for the log.
    pub(in crate::sim::gitlab) fn names(&self, call: &Call) -> (Option<String>, Option<String>) {
        let owner = self.token(call).map(|token| self.username(token.user));
        let sudo = call.sudo.as_deref().and_then(|named| self.user_named(named));
        (owner, sudo.map(|user| user.username.clone()))
    }

    fn user_named(&self, named: &str) -> Option<&User> {
        let by_id = named.parse().ok().and_then(|id: UserId| self.users.get(&id));
        by_id.or_else(|| self.users.values().find(|user| user.username.eq_ignore_ascii_case(named)))
    }

    /// Counts the call against its token's limit. The headers that tell of it, or 429.
    pub(super) fn count(&mut self, call: &Call) -> Result<Vec<(&'static str, String)>, Answer> {
        let now = self.time();
        let mut tokens = self.tokens.iter_mut();
        let token = tokens.find(|known| Some(known.value.as_str()) == call.token.as_deref());
        let Some((token, limit)) = token.and_then(|token| token.per_minute.map(|limit| (token, limit)))
        else {
            return Ok(Vec::new());
        };
        let minute = SignedDuration::from_mins(1);
        if now.duration_since(token.window.0) >= minute {
            token.window = (now, 0);
        }
        token.window.1 += 1;
        let (start, used) = token.window;
        let left = minute - now.duration_since(start);
        let mut headers = vec![
            ("RateLimit-Limit", limit.to_string()),
            ("RateLimit-Observed", used.to_string()),
            ("RateLimit-Remaining", limit.saturating_sub(used).to_string()),
            ("RateLimit-Reset", (now.as_second() + left.as_secs()).to_string()),
        ];
        if used <= limit {
            return Ok(headers);
        }
        headers.push(("Retry-After", left.as_secs().max(1).to_string()));
        let text = "This endpoint has been requested too many times. Try again later.";
        let mut answer = Answer::new(429, json!({ "message": { "error": text } }));
        answer.headers = headers;
        Err(answer)
    }

    pub(super) fn version(&self) -> Answer {
        let version = self.settings.version;
        let edition = if self.settings.enterprise { "-ee" } else { "" };
        let text = format!("{}.{}.0{edition}", version.major, version.minor);
        Answer::ok(json!({
            "version": text, "revision": "0123456789a", "enterprise": self.settings.enterprise,
        }))
    }

    pub(super) fn whoami(&self, user: UserId) -> Reply {
        let user = self.users.get(&user).ok_or_else(|| Refused::not_found("User"))?;
        let mut entity = self.full_user_json(user);
        if let Some(fields) = entity.as_object_mut().filter(|_| user.admin) {
            fields.insert("is_admin".into(), json!(true));
        }
        Ok(Answer::ok(entity))
    }

    pub(super) fn find_users(&self, call: &Call) -> Answer {
        let wanted = call.text("username");
        let named = |user: &&User| wanted.is_none_or(|name| user.username.eq_ignore_ascii_case(name));
        let found: Vec<&User> = self.users.values().filter(named).collect();
        page(call, &self.url, &found, |user| self.full_user_json(user))
    }

    pub(super) fn show_user(&self, id: &str) -> Reply {
        let user = super::id(id, "id")?;
        let user = self.users.get(&user).ok_or_else(|| Refused::not_found("User"))?;
        Ok(Answer::ok(self.full_user_json(user)))
    }

    pub(super) fn show_token(&self, call: &Call) -> Reply {
        let token = self.token(call).ok_or_else(|| Refused::new(401, "401 Unauthorized"))?;
        let expires = token.expires_at.map(|end| end.strftime("%Y-%m-%d").to_string());
        Ok(Answer::ok(json!({
            "id": token.id, "name": "token", "revoked": false, "active": true, "scopes": token.scopes,
            "user_id": token.user, "expires_at": expires,
        })))
    }
}

/// `api` for everything, `read_api` for reading, `read_user` for oneself; every token may ask what it is.
fn suffices(token: &Token, call: &Call) -> bool {
    let has = |scope: &str| token.scopes.iter().any(|known| known == scope);
    let first = call.segments.first().map(String::as_str);
    let reads = call.method == "GET";
    let about_self = reads && first == Some("personal_access_tokens");
    let about_user = reads && matches!(first, Some("user" | "users")) && has("read_user");
    has("api") || reads && has("read_api") || about_self || about_user
}

fn insufficient(scope: &str) -> Refused {
    let text = "The request requires higher privileges than provided by the access token.";
    let body = json!({ "error": "insufficient_scope", "error_description": text, "scope": scope });
    Refused { status: 403, body }
}
