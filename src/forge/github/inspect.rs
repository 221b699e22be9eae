//! How an App is set up on GitHub, for `check`.

use super::GitHub;
use super::access::Caller;
use super::client::{Page, read};
use super::wire::{App, Installation as Installed, ProtectionRules};
use crate::domain::id::{Project, ProjectId};
use crate::ports::failure::Failure;
use crate::ports::inspect::{
    AppHook, AppSeen, EnvironmentSeen, Extent, InspectApp, Installation, Permissions, RepositorySeen,
};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Pages read of environments.
const FEW_PAGES: usize = 5;

#[async_trait]
impl InspectApp for GitHub {
    async fn their_time(&self) -> Result<Option<Timestamp>, Failure> {
        self.client.their_time().await
    }

    async fn app(&self) -> Result<AppSeen, Failure> {
        let app: App = read(&self.client.get(Caller::App, &["app"], &[]).await?)?;
        Ok(AppSeen {
            id: app.id,
            slug: app.slug,
            permissions: permissions(&app.permissions),
            events: app.events.into_iter().collect(),
        })
    }

    async fn app_hook(&self) -> Result<AppHook, Failure> {
        let hook: HookSeen = read(&self.client.get(Caller::App, &["app", "hook", "config"], &[]).await?)?;
        Ok(AppHook {
            url: hook.url.filter(|url| !url.is_empty()),
            json: hook.content_type.as_deref() == Some("json"),
            signed: hook.secret.is_some_and(|stars| !stars.is_empty()),
            insecure: hook.insecure_ssl.is_some_and(|switch| switch.is_on()),
        })
    }

    async fn installations(&self) -> Result<Vec<Installation>, Failure> {
        let all = self.directory.installations().await?;
        Ok(all.iter().map(|seen| Installation::from(seen.as_ref())).collect())
    }

    async fn repository(&self, path: &str) -> Result<RepositorySeen, Failure> {
        let repos = self.directory.repos().await?;
        let repo = repos.into_iter().find(|repo| repo.path().eq_ignore_ascii_case(path));
        let repo = repo.ok_or_else(|| self.directory.absent())?;
        let project = Project { id: repo.id, path: repo.path().to_owned() };
        Ok(RepositorySeen { project, private: repo.seen.private, archived: repo.seen.archived })
    }

    async fn environments(&self, project: ProjectId) -> Result<Vec<EnvironmentSeen>, Failure> {
        let seen = self.list::<Environments>(project, &["environments"], &[], FEW_PAGES).await?;
        Ok(seen.items.into_iter().map(EnvironmentSeen::from).collect())
    }

    async fn asks_us(&self, project: ProjectId, environment: &str) -> Result<bool, Failure> {
        let path = ["environments", environment, "deployment_protection_rules"];
        let seen: ProtectionRules = self.read(project, &path, &[]).await?;
        let me = self.directory.me().await?.app;
        let mut rules = seen.custom_deployment_protection_rules.into_iter();
        Ok(rules.any(|rule| rule.app.id == me && rule.enabled != Some(false)))
    }
}

/// Levels that we don't know allow nothing that we count on.
fn permissions(seen: &BTreeMap<String, String>) -> Permissions {
    let extent = |level: &str| match level {
        "read" => Some(Extent::Read),
        "write" => Some(Extent::Write),
        "admin" => Some(Extent::Admin),
        _ => None,
    };
    seen.iter().filter_map(|(name, level)| Some((name.clone(), extent(level)?))).collect()
}

impl From<&Installed> for Installation {
    fn from(seen: &Installed) -> Self {
        Self {
            permissions: permissions(&seen.permissions),
            account: seen.account.as_ref().and_then(|owner| owner.login.clone()),
            suspended: seen.suspended_at.is_some(),
        }
    }
}

/// The secret is shown as stars, if there is one.
#[derive(Deserialize)]
struct HookSeen {
    url: Option<String>,
    content_type: Option<String>,
    secret: Option<String>,
    insecure_ssl: Option<Switch>,
}

/// GitHub writes this one as a text or as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Switch {
    Text(String),
    Number(f64),
}

impl Switch {
    fn is_on(&self) -> bool {
        match self {
            Self::Text(text) => text != "0",
            Self::Number(number) => *number != 0.0,
        }
    }
}

#[derive(Deserialize)]
struct Environments {
    environments: Vec<Environment>,
}

impl Page for Environments {
    type Item = Environment;

    fn items(self) -> Vec<Environment> {
        self.environments
    }
}

#[derive(Deserialize)]
struct Environment {
    name: String,
    can_admins_bypass: Option<bool>,
    #[serde(default)]
    protection_rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(rename = "type")]
    kind: RuleKind,
    /// Minutes.
    wait_timer: Option<u32>,
}

#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RuleKind {
    RequiredReviewers,
    WaitTimer,
    #[serde(other)]
    Other,
}

impl From<Environment> for EnvironmentSeen {
    fn from(seen: Environment) -> Self {
        let rules = &seen.protection_rules;
        Self {
            has_reviewers: rules.iter().any(|rule| rule.kind == RuleKind::RequiredReviewers),
            wait_minutes: rules
                .iter()
                .filter(|rule| rule.kind == RuleKind::WaitTimer)
                .filter_map(|rule| rule.wait_timer)
                .max()
                .unwrap_or(0),
            admins_may_bypass: seen.can_admins_bypass,
            name: seen.name,
        }
    }
}
