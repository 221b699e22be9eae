//! Hooks: listing, adding, removing, past deliveries and sending them again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::hooks::{Delivery, Hook, HookEvent, NewHook};
use super::super::state::{Refused, State};
use super::super::{HookId, Level, render};
use super::call::{Answer, Call, Reply, page};
use super::{Visit, id, no_route};

impl State {
    pub(super) fn route_hooks(&mut self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        self.needs(visit, Level::MAINTAINER)?;
        match (visit.call.method.as_str(), rest) {
            ("GET", []) => {
                let own: Vec<&Hook> =
                    self.hooks.values().filter(|hook| hook.project == visit.project).collect();
                Ok(page(visit.call, &self.url, &own, |hook| self.hook_json(hook)))
            }
            ("POST", []) => {
                let hook = self.add_hook(visit.project, new_hook(visit.call)?);
                self.show_hook(hook).map(|answer| Answer { status: 201, ..answer })
            }
            (_, [hook, rest @ ..]) => {
                let hook = id(hook, "hook_id")?;
                let own = self.hooks.get(&hook).is_some_and(|hook| hook.project == visit.project);
                if own { self.route_hook(visit, hook, rest) } else { Err(Refused::new(404, "404 Not found")) }
            }
            _ => Err(no_route()),
        }
    }

    fn route_hook(&mut self, visit: Visit<'_>, hook: HookId, rest: &[&str]) -> Reply {
        match (visit.call.method.as_str(), rest) {
            ("GET", []) => self.show_hook(hook),
            ("DELETE", []) => {
                self.hooks.remove(&hook);
                Ok(Answer::no_content())
            }
            // What a test would send isn't sent; that it succeeded is taken for granted.
            ("POST", ["test", _]) => {
                self.enable_hook(hook);
                Ok(Answer::created(serde_json::json!({ "message": "201 Created" })))
            }
            ("GET", ["events"]) => {
                let own: Vec<&Delivery> = self.sent.iter().rev().filter(|known| known.hook == hook).collect();
                Ok(page(visit.call, &self.url, &own, |known| render::delivery_json(known)))
            }
            ("POST", ["events", event, "resend"]) => {
                let event = id(event, "hook_log_id")?;
                let own = self.sent.iter().any(|known| known.hook == hook && known.id == event);
                if own && self.resend(event) {
                    Ok(Answer::created(serde_json::json!({ "response_status": 200 })))
                } else {
                    Err(Refused::new(404, "404 Not found"))
                }
            }
            _ => Err(no_route()),
        }
    }

    fn show_hook(&self, hook: HookId) -> Reply {
        let hook = self.hooks.get(&hook).ok_or_else(|| Refused::new(404, "404 Not found"))?;
        Ok(Answer::ok(self.hook_json(hook)))
    }
}

fn new_hook(call: &Call) -> Result<NewHook, Refused> {
    let mut new = NewHook::new(call.text("url").ok_or_else(|| Refused::param("url is missing"))?);
    new.events = HookEvent::ALL.into_iter().filter(|event| call.is_true(event.param())).collect();
    new.token = call.text("token").map(str::to_owned);
    if let Some(token) = call.text("signing_token") {
        let key = token.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
        if key.is_none_or(|key| key.len() != 32) {
            return Err(Refused::new(422, "Signing token is invalid"));
        }
        new.signing_token = Some(token.to_owned());
    }
    Ok(new)
}
