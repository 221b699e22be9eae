//! The Web API: one call in, one answer out. It refuses with HTTP 200 and `ok: false`.

mod call;
mod chat;
mod conversations;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(super) use call::Call;

use super::args::Args;
use super::payloads::merge;
use super::people::Guest;
use super::server::too_many;
use super::state::{Error, State};
use crate::sim::server::Page;

/// The fields of a good answer beside `ok`, or a refusal.
type Reply = Result<Value, Error>;

impl State {
    /// Carries a call out.
    pub(super) fn answer(&mut self, call: &Call) -> Page {
        let Some(method) = call.path.strip_prefix("/api/") else { return self.answer_url(call) };
        if let Err(seconds) = self.count(method) {
            return too_many(Some(seconds));
        }
        let needed = scope_of(method);
        let mut page = page(self.authorised(call, method, needed));
        page.headers.push(("X-OAuth-Scopes", self.app.scopes.join(",")));
        page.headers.push(("X-Accepted-OAuth-Scopes", needed.unwrap_or_default().to_owned()));
        page
    }

    fn answer_url(&mut self, call: &Call) -> Page {
        match self.answer_later(&call.path, &call.body) {
            Some(Ok(())) => Page::new(200, "ok"),
            Some(Err((status, error))) => {
                let mut page = page(Err(error));
                page.status = status;
                page
            }
            None => Page::new(404, r#"{"ok":false,"error":"no_active_hooks"}"#),
        }
    }

    fn authorised(&mut self, call: &Call, method: &str, needed: Option<&str>) -> Reply {
        let args = call.args()?;
        let token = call.token.as_deref().or_else(|| args.text("token"));
        match token {
            None => return Err(Error::new("not_authed")),
            Some(token) if token != self.app.token && !self.app.older.iter().any(|known| known == token) => {
                return Err(Error::new("invalid_auth"));
            }
            Some(_) if self.app.revoked => return Err(Error::new("account_inactive")),
            Some(_) => {}
        }
        if let Some(scope) = needed.filter(|scope| !self.may(scope)) {
            return Err(Error::missing_scope(scope));
        }
        self.route(method, &args)
    }

    fn route(&mut self, method: &str, args: &Args) -> Reply {
        match method {
            "auth.test" => Ok(self.auth_test()),
            "chat.postMessage" => self.post_message(args),
            "chat.postEphemeral" => self.post_ephemeral(args),
            "chat.update" => self.update_message(args),
            "chat.delete" => self.delete_message(args),
            "conversations.history" => self.history(args),
            "conversations.replies" => self.replies(args),
            "conversations.info" => self.channel_info(args),
            "conversations.join" => self.join_channel(args),
            "users.info" => self.user_info(args),
            "views.open" => self.open_view(args),
            "views.update" => self.update_view(args),
            _ => Err(Error::new("unknown_method")),
        }
    }

    fn auth_test(&self) -> Value {
        json!({
            "url": format!("https://{}.slack.com/", self.domain_of(&self.home)),
            "team": self.domain_of(&self.home),
            "user": self.name_of(&self.app.bot_user),
            "team_id": self.home,
            "user_id": self.app.bot_user,
            "bot_id": self.app.bot_id,
            "is_enterprise_install": false,
        })
    }

    /// `users.info`. People of other workspaces are told too; `is_stranger` when no channel is shared with them.
    fn user_info(&self, args: &Args) -> Reply {
        let known = self.users.get(args.text("user").unwrap_or_default());
        let user = known.ok_or_else(|| Error::new("user_not_found"))?;
        let mut shown = json!({
            "id": user.id,
            "team_id": user.team,
            "name": user.name,
            "real_name": user.name,
            "deleted": user.deleted,
            "is_bot": user.bot,
            "is_app_user": false,
            "is_admin": false,
            "is_owner": false,
            "is_restricted": user.guest != Guest::No,
            "is_ultra_restricted": user.guest == Guest::OfOneChannel,
            "profile": { "real_name": user.name, "display_name": user.name, "team": user.team },
        });
        if user.team != self.home {
            let bot = &self.app.bot_user;
            let met = self
                .channels
                .values()
                .any(|channel| channel.members.contains(bot) && channel.members.contains(&user.id));
            merge(&mut shown, json!({ "is_stranger": !met }));
        }
        if self.may("users:read.email") {
            let email = format!("{}@{}.example.com", user.name, self.domain_of(&user.team));
            if let Some(profile) = shown.get_mut("profile") {
                merge(profile, json!({ "email": email }));
            }
        }
        Ok(json!({ "user": shown }))
    }

    pub(super) fn may(&self, scope: &str) -> bool {
        self.app.scopes.iter().any(|known| known == scope)
    }

    /// Counts a call against the limit of its method; the error is the seconds until the next minute.
    fn count(&mut self, method: &str) -> Result<(), u64> {
        let Some(most) = self.settings.limits.get(method).copied() else { return Ok(()) };
        let now = self.time();
        let minute = now.as_second().div_euclid(60) * 60;
        let start = Timestamp::from_second(minute).unwrap_or(now);
        let window = self.windows.entry(method.to_owned()).or_insert((start, 0));
        if window.0 != start {
            *window = (start, 0);
        }
        if window.1 >= most {
            let left = SignedDuration::from_mins(1) - now.duration_since(start);
            return Err(left.as_secs().unsigned_abs().max(1));
        }
        window.1 += 1;
        Ok(())
    }
}

/// The scope that a method needs, whatever the channel.
fn scope_of(method: &str) -> Option<&'static str> {
    match method {
        "chat.postMessage" | "chat.postEphemeral" | "chat.update" | "chat.delete" => Some("chat:write"),
        "conversations.join" => Some("channels:join"),
        "users.info" => Some("users:read"),
        _ => None,
    }
}

fn page(reply: Reply) -> Page {
    let body = match reply {
        Ok(fields) => {
            let mut body = json!({ "ok": true });
            merge(&mut body, fields);
            body
        }
        Err(error) => {
            let mut body = json!({ "ok": false, "error": error.code });
            if let Some(needed) = error.needed {
                merge(&mut body, json!({ "needed": needed }));
            }
            if !error.messages.is_empty() {
                merge(&mut body, json!({ "response_metadata": { "messages": error.messages } }));
            }
            body
        }
    };
    Page::new(200, body.to_string())
}
