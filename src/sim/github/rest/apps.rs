//! What an App asks as itself: where it is installed, its tokens, its deliveries.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::apps::{Installation, Permissions};
use super::super::hooks::Delivery;
use super::super::state::{Refused, State};
use super::super::{AppId, RepositoryId};
use super::call::{Answer, Call, Reply, link, list, per_page};
use super::number;

impl State {
    pub(super) fn route_app(&mut self, call: &Call, app: AppId, rest: &[&str]) -> Reply {
        match (call.method.as_str(), rest) {
            ("GET", []) => Ok(Answer::ok(self.app_json(app))),
            ("GET", ["installations"]) => {
                let own = self.installations.values().filter(|known| known.app == app);
                let shown = own.map(|known| self.installation_json(known)).collect();
                Ok(list(call, &self.host, shown))
            }
            ("GET", ["installations", id]) => {
                Ok(Answer::ok(self.installation_json(self.own_installation(app, id)?)))
            }
            ("POST", ["installations", id, "access_tokens"]) => self.give_token(call, app, id),
            ("GET", ["hook", "config"]) => self.show_hook(app),
            ("GET", ["hook", "deliveries"]) => Ok(self.list_deliveries(call, app)),
            ("GET", ["hook", "deliveries", id]) => self.show_delivery(app, id),
            ("POST", ["hook", "deliveries", id, "attempts"]) => {
                let id = self.own_delivery(app, id)?.id;
                self.redeliver(id);
                Ok(Answer::new(202, json!({})))
            }
            _ => Err(Refused::not_found()),
        }
    }

    fn own_installation(&self, app: AppId, id: &str) -> Result<&Installation, Refused> {
        let known = self.installations.get(&number(id)?).filter(|known| known.app == app);
        known.ok_or_else(Refused::not_found)
    }

    pub(super) fn show_repository_installation(&self, app: AppId, full_name: &str) -> Reply {
        let repository = self.repository_named(full_name).ok_or_else(Refused::not_found)?;
        let known = self.installation_on(app, repository).ok_or_else(Refused::not_found)?;
        Ok(Answer::ok(self.installation_json(known)))
    }

    pub(super) fn show_account_installation(&self, app: AppId, login: &str) -> Reply {
        let account = self.account_named(login).ok_or_else(Refused::not_found)?.id;
        let mut installed = self.installations.values();
        let known = installed.find(|known| known.app == app && known.account == account);
        Ok(Answer::ok(self.installation_json(known.ok_or_else(Refused::not_found)?)))
    }

    fn give_token(&mut self, call: &Call, app: AppId, id: &str) -> Reply {
        let known = self.own_installation(app, id)?;
        if known.suspended_at.is_some() {
            return Err(Refused::new(403, "This installation has been suspended"));
        }
        let installation = known.id;
        let permissions = self.narrowed(call, app)?;
        let repositories = self.chosen(call, installation)?;
        let token = self.mint_token(installation, permissions.clone(), repositories.clone());
        let own = self.apps.get(&app).map(|app| app.permissions.clone());
        Ok(Answer::created(json!({
            "token": token.value,
            "expires_at": token.expires_at,
            "permissions": permissions.or(own),
            "repository_selection": if repositories.is_some() { "selected" } else { "all" },
        })))
    }

    /// The permissions that a token is narrowed to; more than the App has is refused.
    fn narrowed(&self, call: &Call, app: AppId) -> Result<Option<Permissions>, Refused> {
        let Some(wanted) = call.value("permissions").and_then(Value::as_object) else { return Ok(None) };
        let own = self.apps.get(&app).map(|app| &app.permissions);
        let mut narrowed = Permissions::new();
        for (name, level) in wanted {
            let level = level.as_str().unwrap_or_default();
            let has = own.and_then(|own| own.get(name)).map(String::as_str);
            if has != Some(level) && has != Some("write") {
                let why = "The permissions requested are not granted to this installation.";
                return Err(Refused::new(422, why));
            }
            narrowed.insert(name.clone(), level.into());
        }
        Ok(Some(narrowed))
    }

    fn chosen(&self, call: &Call, installation: u64) -> Result<Option<Vec<RepositoryId>>, Refused> {
        let ids = call.value("repository_ids").and_then(Value::as_array);
        let names = call.value("repositories").and_then(Value::as_array);
        let Some(known) = self.installations.get(&installation) else { return Err(Refused::not_found()) };
        if ids.is_none() && names.is_none() {
            return Ok(None);
        }
        let owner = self.login_of(known.account);
        let ids = ids.into_iter().flatten().map(Value::as_u64);
        let find = |name: &Value| self.repository_named(&format!("{owner}/{}", name.as_str()?));
        let all: Option<Vec<u64>> = ids.chain(names.into_iter().flatten().map(find)).collect();
        let all = all.filter(|all| all.iter().all(|id| self.reaches(known, *id)));
        let why = "There is at least one repository that does not exist or is not accessible to the parent installation.";
        all.map(Some).ok_or_else(|| Refused::new(422, why))
    }

    fn show_hook(&self, app: AppId) -> Reply {
        let known = self.apps.get(&app).ok_or_else(Refused::not_found)?;
        let url = known.hook_url.as_ref();
        Ok(Answer::ok(
            json!({ "content_type": "json", "insecure_ssl": "0", "secret": "********", "url": url }),
        ))
    }

    /// Newest first, by cursor; the log goes back three days.
    fn list_deliveries(&self, call: &Call, app: AppId) -> Answer {
        let before = call.text("cursor").and_then(|cursor| cursor.strip_prefix("v1_")?.parse::<u64>().ok());
        let status = call.text("status");
        let wanted = |known: &&Delivery| {
            known.app == app
                && before.is_none_or(|before| known.id < before)
                && status.is_none_or(|status| (status == "success") == (known.outcome() == "OK"))
        };
        let left: Vec<&Delivery> = self.log_of_deliveries().rev().filter(wanted).collect();
        let shown: Vec<&Delivery> = left.iter().copied().take(per_page(call)).collect();
        let mut answer = Answer::ok(shown.iter().map(|known| delivery_json(known)).collect());
        if let Some(last) = shown.last().filter(|_| shown.len() < left.len()) {
            let cursor = format!("v1_{}", last.id);
            answer.headers.push(("Link", link(call, &self.host, ("cursor", &cursor), "next")));
        }
        answer
    }

    fn own_delivery(&self, app: AppId, id: &str) -> Result<&Delivery, Refused> {
        let known = self.logged(number(id)?).filter(|known| known.app == app);
        known.ok_or_else(Refused::not_found)
    }

    fn show_delivery(&self, app: AppId, id: &str) -> Reply {
        let known = self.own_delivery(app, id)?;
        let headers: Map<String, Value> =
            known.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let payload: Value = serde_json::from_str(&known.body).unwrap_or_default();
        let mut body = delivery_json(known);
        super::super::render::put(&mut body, "request", json!({ "headers": headers, "payload": payload }));
        super::super::render::put(&mut body, "response", json!({ "headers": {}, "payload": "" }));
        Ok(Answer::ok(body))
    }
}

fn delivery_json(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": delivery.at,
        "redelivery": delivery.redelivery,
        "duration": 0.2,
        "status": delivery.outcome(),
        "status_code": delivery.status.unwrap_or_default(),
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation,
        "repository_id": delivery.repository,
        "throttled_at": Option::<Timestamp>::None,
    })
}
