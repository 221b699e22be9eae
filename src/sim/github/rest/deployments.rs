//! Deployments and environments.

use serde_json::{Value, json};

use super::super::render::node_id;
use super::super::repositories::Environment;
use super::super::runs::Deployment;
use super::super::state::{Refused, State};
use super::call::{Answer, Reply, list, list_in};
use super::{Visit, number};

impl State {
    pub(super) fn route_deployments(&self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        let deployments = rest.first().is_some_and(|first| *first == "deployments");
        self.needs(visit.guest, if deployments { "deployments" } else { "actions" }, "read")?;
        match (visit.method(), rest) {
            ("GET", ["deployments"]) => Ok(self.list_deployments(visit)),
            ("GET", ["deployments", id]) => {
                Ok(Answer::ok(self.deployment_json(self.deployment_at(visit, id)?)))
            }
            ("GET", ["deployments", id, "statuses"]) => {
                let known = self.deployment_at(visit, id)?;
                let newest_first = known.statuses.iter().rev();
                let shown = newest_first.map(|status| self.status_json(known, status)).collect();
                Ok(list(visit.call, &self.host, shown))
            }
            ("GET", ["environments"]) => {
                let own = &self.repository(visit.repository)?.environments;
                let shown = own.iter().map(|known| self.environment_json(visit.repository, known)).collect();
                Ok(list_in(visit.call, &self.host, "environments", shown))
            }
            ("GET", ["environments", name]) => {
                let known = self.environment_named(visit, name)?;
                Ok(Answer::ok(self.environment_json(visit.repository, known)))
            }
            ("GET", ["environments", name, "deployment_protection_rules"]) => {
                Ok(Answer::ok(self.rules_json(self.environment_named(visit, name)?)))
            }
            _ => Err(Refused::not_found()),
        }
    }

    fn deployment_at(&self, visit: Visit<'_>, id: &str) -> Result<&Deployment, Refused> {
        let known = self.deployments.get(&number(id)?).filter(|known| known.repository == visit.repository);
        known.ok_or_else(Refused::not_found)
    }

    /// Newest first.
    fn list_deployments(&self, visit: Visit<'_>) -> Answer {
        let is = |name: &str, value: &str| visit.call.text(name).is_none_or(|wanted| wanted == value);
        let own = self.deployments.values().rev().filter(|known| known.repository == visit.repository);
        let wanted = own.filter(|known| {
            is("environment", &known.environment) && is("sha", &known.sha) && is("ref", &known.git_ref)
        });
        let shown = wanted.map(|known| self.deployment_json(known)).collect();
        list(visit.call, &self.host, shown)
    }

    fn environment_named(&self, visit: Visit<'_>, name: &str) -> Result<&Environment, Refused> {
        self.repository(visit.repository)?.environment(name).ok_or_else(Refused::not_found)
    }

    fn rules_json(&self, environment: &Environment) -> Value {
        let rules = environment.rules.iter().map(|rule| {
            let slug = self.apps.get(&rule.app).map(|app| app.slug.clone());
            let url = format!("{}/apps/{}", self.api(), slug.as_deref().unwrap_or_default());
            let app = json!({
                "id": rule.app,
                "slug": slug,
                "integration_url": url,
                "node_id": node_id("App", rule.app),
            });
            json!({ "id": rule.id, "node_id": node_id("Rule", rule.id), "enabled": true, "app": app })
        });
        let rules: Vec<Value> = rules.collect();
        json!({ "total_count": rules.len(), "custom_deployment_protection_rules": rules })
    }
}
