//! How GitLab is set up, for `check`.

use super::GitLab;
use super::client::Client;
use super::wire::{ApprovalRule, User};
use crate::domain::actor::Account;
use crate::domain::id::{Project, ProjectId, UserId};
use crate::domain::policy::Grantee;
use crate::ports::failure::Failure;
use crate::ports::inspect::{Branch, Credential, Hook, Inspect, Protection, Surroundings, Topic};
use async_trait::async_trait;
use jiff::civil::Date;
use serde::Deserialize;

/// Pages read of hooks and protected environments.
const FEW_PAGES: usize = 5;

#[async_trait]
impl Inspect for GitLab {
    async fn credential(&self) -> Result<Credential, Failure> {
        credential(&self.client).await
    }

    async fn surroundings(&self, path: &str) -> Result<Surroundings, Failure> {
        let seen: ProjectSeen = self.client.get(&["projects", path], &[]).await?;
        Ok(Surroundings {
            project: Project { id: ProjectId(seen.id), path: seen.path_with_namespace },
            default_branch: seen.default_branch,
            creators_may_approve: seen.allow_pipeline_trigger_approve_deployment,
        })
    }

    async fn hooks(&self, project: ProjectId) -> Result<Vec<Hook>, Failure> {
        let id = project.0.to_string();
        let seen: Vec<HookSeen> =
            self.client.pages(&["projects", &id, "hooks"], &[], FEW_PAGES)?.all().await?;
        Ok(seen.into_iter().map(Hook::from).collect())
    }

    async fn protections(&self, project: ProjectId) -> Result<Vec<Protection>, Failure> {
        self.protections_of("projects", &project.0.to_string()).await
    }

    async fn group_protections(&self, group: &str) -> Result<Vec<Protection>, Failure> {
        self.protections_of("groups", group).await
    }

    async fn branch(&self, project: ProjectId, name: &str) -> Result<Option<Branch>, Failure> {
        let id = project.0.to_string();
        let seen: Option<BranchSeen> =
            self.client.find(&["projects", &id, "protected_branches", name]).await?;
        Ok(seen.map(|seen| {
            let writers = seen.push_access_levels.into_iter().chain(seen.merge_access_levels);
            Branch { writers: writers.filter_map(Access::grantee).collect() }
        }))
    }
}

impl GitLab {
    async fn protections_of(&self, kind: &str, id: &str) -> Result<Vec<Protection>, Failure> {
        let pages = self.client.pages(&[kind, id, "protected_environments"], &[], FEW_PAGES)?;
        let seen: Vec<ProtectionSeen> = pages.all().await?;
        Ok(seen.into_iter().map(Protection::from).collect())
    }
}

/// What a token is. An OAuth token can't ask for its scopes.
pub(super) async fn credential(client: &Client) -> Result<Credential, Failure> {
    let (whoami, answered_at) = client.get_dated::<Whoami>(&["user"]).await?;
    let token: Option<TokenSeen> = client.find(&["personal_access_tokens", "self"]).await?;
    let (scopes, expires) = token.map_or((None, None), |token| (Some(token.scopes), token.expires_at));
    let Whoami { user, is_admin } = whoami;
    let bot = user.bot.unwrap_or(true);
    let account = Account { id: UserId(user.id), username: user.username, bot };
    Ok(Credential { account, admin: is_admin.unwrap_or(false), scopes, expires, answered_at })
}

/// GitLab tells of administrators only to themselves.
#[derive(Deserialize)]
struct Whoami {
    #[serde(flatten)]
    user: User,
    is_admin: Option<bool>,
}

#[derive(Deserialize)]
struct TokenSeen {
    scopes: Vec<String>,
    expires_at: Option<Date>,
}

#[derive(Deserialize)]
struct ProjectSeen {
    id: i64,
    path_with_namespace: String,
    default_branch: Option<String>,
    allow_pipeline_trigger_approve_deployment: Option<bool>,
}

#[expect(clippy::struct_excessive_bools, reason = "GitLab has one field for each event")]
#[derive(Deserialize)]
struct HookSeen {
    url: String,
    #[serde(default)]
    note_events: bool,
    #[serde(default)]
    deployment_events: bool,
    #[serde(default)]
    job_events: bool,
    #[serde(default)]
    merge_requests_events: bool,
    token_present: Option<bool>,
    signing_token_present: Option<bool>,
    alert_status: Option<String>,
}

impl From<HookSeen> for Hook {
    fn from(seen: HookSeen) -> Self {
        let topics = [
            (Topic::Comments, seen.note_events),
            (Topic::Deployments, seen.deployment_events),
            (Topic::Jobs, seen.job_events),
            (Topic::MergeRequests, seen.merge_requests_events),
        ];
        Self {
            url: seen.url,
            tells: topics.into_iter().filter(|(_, told)| *told).map(|(topic, _)| topic).collect(),
            token: seen.token_present,
            signed: seen.signing_token_present,
            disabled: seen.alert_status.is_some_and(|status| status != "executable"),
        }
    }
}

#[derive(Deserialize)]
struct ProtectionSeen {
    name: String,
    #[serde(default)]
    deploy_access_levels: Vec<Access>,
    #[serde(default)]
    approval_rules: Vec<ApprovalRule>,
    required_approval_count: Option<u32>,
}

impl From<ProtectionSeen> for Protection {
    fn from(seen: ProtectionSeen) -> Self {
        Self {
            environment: seen.name,
            deployers: seen.deploy_access_levels.into_iter().filter_map(Access::grantee).collect(),
            rules: seen.approval_rules.into_iter().map(ApprovalRule::into_rule).collect(),
            count: seen.required_approval_count.unwrap_or(0),
        }
    }
}

#[derive(Deserialize)]
struct BranchSeen {
    #[serde(default)]
    push_access_levels: Vec<Access>,
    #[serde(default)]
    merge_access_levels: Vec<Access>,
}

#[derive(Deserialize)]
struct Access {
    user_id: Option<i64>,
    group_id: Option<i64>,
    #[serde(rename = "access_level")]
    level: Option<i32>,
    group_inheritance_type: Option<i32>,
}

impl Access {
    /// To whom it grants something; level 0 is "no one".
    fn grantee(self) -> Option<Grantee> {
        let inherited = self.group_inheritance_type == Some(1);
        let user = self.user_id.map(|id| Grantee::UserId(UserId(id)));
        let group = self.group_id.map(|id| Grantee::GroupId { id, inherited });
        let level = self.level.filter(|level| *level > 0).map(Grantee::AccessLevel);
        user.or(group).or(level)
    }
}
