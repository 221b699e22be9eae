//! REST v4: one call in, one answer out.

mod posts;

use hyper::http::request::Parts;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::UserId;
use super::people::{Channel, User};
use super::server::too_many;
use super::state::{Error, State};
use crate::sim::percent;
use crate::sim::server::Page;

/// Status and body of a good answer, or a refusal.
type Reply = Result<(u16, Value), Error>;

/// One call to the API or to a `response_url`.
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: String,
    pub(super) token: Option<String>,
    json: bool,
}

impl Call {
    pub(super) fn read(head: &Parts, body: &[u8]) -> Self {
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let token = header("Authorization").and_then(|value| value.strip_prefix("Bearer "));
        Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            token: token.map(str::to_owned),
            json: header("Content-Type").is_some_and(|kind| kind.starts_with("application/json")),
        }
    }

    fn json_body(&self) -> Result<Value, Error> {
        serde_json::from_str(&self.body).ok().filter(Value::is_object).ok_or_else(Error::bad_body)
    }

    fn is_set(&self, name: &str) -> bool {
        url::form_urlencoded::parse(self.query.as_bytes()).any(|(key, value)| key == name && value == "true")
    }

    fn number(&self, name: &str) -> Option<i64> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name)?.1.parse().ok()
    }
}

impl State {
    /// Carries a call out.
    pub(super) fn answer(&mut self, call: &Call) -> Page {
        if let Some(id) = call.path.strip_prefix("/hooks/commands/") {
            let done = self.answer_later(id, call.json, &call.body);
            return match done {
                Ok(()) => Page::new(200, "ok"),
                Err(error) => self.page(Err(error)),
            };
        }
        if self.counts_too_many() {
            return too_many(Some(1));
        }
        let reply = self.route(call);
        self.page(reply)
    }

    fn page(&mut self, reply: Reply) -> Page {
        match reply {
            Ok((status, body)) => Page::new(status, body.to_string()),
            Err(error) => Page::new(error.status, error.body(&self.ids.uuid()).to_string()),
        }
    }

    fn route(&mut self, call: &Call) -> Reply {
        let decoded: Vec<String> = call.path.split('/').skip(1).map(percent::decode).collect();
        let path: Vec<&str> = decoded.iter().map(String::as_str).collect();
        let (Some("api"), Some("v4")) = (path.first().copied(), path.get(1).copied()) else {
            return Err(no_route());
        };
        let path = path.get(2..).unwrap_or_default();
        // Whoever has a trigger may open a dialog: this route asks for no session.
        if path == ["actions", "dialogs", "open"] {
            self.open_dialog(&call.json_body()?)?;
            return Ok((200, json!({ "status": "OK" })));
        }
        let user = self.session(call)?;
        match (call.method.as_str(), path) {
            ("GET", ["users", "me"]) => self.show_user(&user, |known| known.id == user),
            ("GET", ["users", "username", name]) => {
                self.show_user(&user, |known| known.name == name.to_lowercase())
            }
            ("GET", ["users", id]) => self.show_user(&user, |known| known.id == *id),
            ("GET", ["teams", "name", team]) => self.show_team(team),
            ("GET", ["teams", "name", team, "channels", "name", channel]) => {
                self.show_channel_named((&user, call.is_set("include_deleted")), team, channel)
            }
            ("GET", ["channels", id]) => self.show_channel(&user, id),
            ("GET", ["channels", id, "members", member]) => self.show_member(&user, id, member),
            ("POST", ["channels", "direct"]) => self.open_direct(call, &user),
            (_, ["posts", ..] | ["channels", _, "posts"]) => self.route_posts(call, &user, path),
            _ => Err(no_route()),
        }
    }

    /// Whose token it is.
    fn session(&self, call: &Call) -> Result<UserId, Error> {
        let user = call.token.as_deref().and_then(|token| self.tokens.get(token));
        let active = user.filter(|user| self.users.get(*user).is_some_and(|user| user.deleted_at.is_none()));
        let expired = "api.context.session_expired.app_error";
        active
            .cloned()
            .ok_or_else(|| Error::new(401, expired, "Invalid or expired session, please login again."))
    }

    fn show_user(&self, caller: &str, wanted: impl Fn(&User) -> bool) -> Reply {
        let known = self.users.values().find(|known| wanted(known));
        let missing = "app.user.missing_account.const";
        let user = known.ok_or_else(|| Error::new(404, missing, "Unable to find the user."))?;
        let roles = match (user.admin, user.guest) {
            (true, _) => "system_admin system_user",
            (false, true) => "system_guest",
            (false, false) => "system_user",
        };
        let mut shown = json!({
            "id": user.id,
            "username": user.name,
            "delete_at": millis(user.deleted_at),
            "roles": roles,
            "is_bot": user.bot,
            "auth_service": "",
            "locale": "en",
        });
        if let (Some(remote), Some(fields)) = (&user.remote, shown.as_object_mut()) {
            fields.insert("remote_id".into(), remote.clone().into());
        }
        let sees_email = caller == user.id || self.users.get(caller).is_some_and(|caller| caller.admin);
        if let Some(fields) = shown.as_object_mut().filter(|_| sees_email) {
            fields.insert("email".into(), format!("{}@example.com", user.name).into());
        }
        Ok((200, shown))
    }

    fn show_team(&self, name: &str) -> Reply {
        let (id, name) = self.team_named(name)?;
        Ok((200, json!({ "id": id, "name": name, "display_name": name, "delete_at": 0 })))
    }

    fn team_named(&self, name: &str) -> Result<(&String, &String), Error> {
        let known = self.teams.iter().find(|(_, known)| *known == name);
        known.ok_or_else(|| {
            Error::new(404, "app.team.get_by_name.missing.app_error", "Unable to find the team.")
        })
    }

    fn show_channel_named(&self, (user, archived): (&str, bool), team: &str, name: &str) -> Reply {
        let (team, _) = self.team_named(team)?;
        let known = self.channels.values().find(|known| {
            known.team == *team && known.name == name && (archived || known.archived_at.is_none())
        });
        // A private channel isn't there for outsiders.
        let known = known.filter(|known| self.may_read(user, &known.id));
        let missing = "app.channel.get_by_name.missing.app_error";
        let channel = known.ok_or_else(|| Error::new(404, missing, "Channel does not exist."))?;
        Ok((200, channel_json(channel)))
    }

    fn show_channel(&self, user: &str, id: &str) -> Reply {
        let known = self.channels.get(id);
        let missing = "app.channel.get.existing.app_error";
        let channel =
            known.ok_or_else(|| Error::new(404, missing, "Unable to find the existing channel."))?;
        if self.may_read(user, id) { Ok((200, channel_json(channel))) } else { Err(Error::forbidden()) }
    }

    /// The channel between the caller and one other; its body is a list of both ids.
    fn open_direct(&mut self, call: &Call, caller: &str) -> Reply {
        let both: Vec<String> = serde_json::from_str(&call.body).map_err(|_| Error::bad_body())?;
        let [one, other] = both.as_slice() else { return Err(Error::bad_body()) };
        if ![one, other].iter().all(|id| self.users.contains_key(*id)) {
            return Err(Error::bad_body());
        }
        if one != caller && other != caller {
            return Err(Error::forbidden());
        }
        let id = self.direct_channel([one, other]);
        let channel = self.channels.get(&id).ok_or_else(no_route)?;
        Ok((201, channel_json(channel)))
    }

    fn show_member(&self, user: &str, channel: &str, member: &str) -> Reply {
        if !self.may_read(user, channel) {
            return Err(Error::forbidden());
        }
        let member = if member == "me" { user } else { member };
        let inside = self.channels.get(channel).is_some_and(|known| known.members.contains(member));
        if !inside {
            let missing = "app.channel.get_member.missing.app_error";
            return Err(Error::new(404, missing, "No channel member found for that user ID and channel ID."));
        }
        Ok((200, json!({ "channel_id": channel, "user_id": member, "roles": "channel_user" })))
    }

    fn counts_too_many(&mut self) -> bool {
        let Some(most) = self.settings.per_second else { return false };
        let second = self.time().as_second();
        if self.window.0 != second {
            self.window = (second, 0);
        }
        self.window.1 += 1;
        self.window.1 > most
    }
}

fn channel_json(channel: &Channel) -> Value {
    let kind = match (channel.direct, channel.private) {
        (true, _) => "D",
        (false, true) => "P",
        (false, false) => "O",
    };
    json!({
        "id": channel.id,
        "team_id": channel.team,
        "name": channel.name,
        "display_name": channel.name,
        "type": kind,
        "shared": channel.shared.then_some(true),
        "delete_at": millis(channel.archived_at),
    })
}

/// Mattermost's times: milliseconds, 0 for never.
fn millis(at: Option<Timestamp>) -> i64 {
    at.map_or(0, Timestamp::as_millisecond)
}

fn no_route() -> Error {
    Error::new(404, "api.context.404.app_error", "Sorry, we could not find the page.")
}
