//! One project: the bot's place in it, its webhook, its default branch, its protected environments.

use super::Doctor;
use crate::config::MergeRequestApproval;
use crate::domain::actor::Account;
use crate::domain::id::{Project, UserId};
use crate::domain::policy::{Entry, Gate, Grantee};
use crate::ports::failure::Failure;
use crate::ports::forge::GroupRef;
use crate::ports::inspect::{Hook, Protection, Surroundings, Topic};
use std::collections::BTreeSet;

/// GitLab's role Developer: who has less starts no job.
const DEVELOPER: i32 = 30;

/// The bot's account as a member of the project that is looked at.
pub(super) struct Bot<'a> {
    pub(super) account: &'a Account,
    pub(super) level: i32,
}

impl Doctor<'_> {
    pub(super) async fn project(&mut self, path: &str, me: &Account) {
        let what = format!("{}: {path}", self.on.name());
        let answer = self.forge.surroundings(path).await;
        let Some(around) = self.on.read(&what, answer) else { return };
        let answer = self.forge.member(around.project.id, me.id).await;
        let Some(member) = self.on.read(&format!("{path}: the bot's membership"), answer) else { return };
        let bot = Bot { account: me, level: member.level };
        if bot.level < DEVELOPER {
            let text = format!("{path}: @{} has a role below Developer and can't start jobs", me.username);
            self.on.report.find(text, "make the bot a Maintainer of the project or its group");
        }
        self.webhook(&around.project).await;
        self.default_branch(&around, &bot).await;
        self.environments(&around, &bot).await;
    }

    async fn webhook(&mut self, project: &Project) {
        let path = &project.path;
        let Some(wanted) = self.on.hook_url() else {
            let text = format!("{path}: without `public_url` its webhook can't be recognised");
            self.on.report.warn(text, "set [server] public_url to the address that GitLab reaches us by");
            return;
        };
        let hooks = match self.forge.hooks(project.id).await {
            Err(Failure::Refused(_) | Failure::NotFound) => {
                let text = format!("{path}: its webhooks can't be seen with the bot's role");
                self.on.report.warn(text, "make the bot a Maintainer, or look at the webhook by hand");
                return;
            }
            answer => self.on.read(&format!("{path}: its webhooks"), answer),
        };
        let Some(hooks) = hooks else { return };
        if let Some(hook) = hooks.iter().find(|hook| hook.url.trim_end_matches('/') == wanted) {
            self.judge_hook(path, hook);
        } else {
            let text =
                format!("{path}: no webhook goes to {wanted}, so comments are noticed by polling alone");
            self.on.report.warn(text, "add one for comments, deployments and jobs, unless a group has it");
        }
    }

    fn judge_hook(&mut self, path: &str, hook: &Hook) {
        let before = self.on.report.findings();
        if hook.disabled {
            let text = format!("{path}: GitLab has disabled the webhook after failures");
            self.on
                .report
                .find(text, "see to it that GitLab reaches us, then send a test event from its page");
        }
        for (topic, name) in [
            (Topic::Comments, "comments"),
            (Topic::Deployments, "deployment events"),
            (Topic::Jobs, "job events"),
        ] {
            if !hook.tells.contains(&topic) {
                let text = format!("{path}: the webhook doesn't send {name}");
                self.on.report.find(text, format!("tick {name} in the webhook's settings"));
            }
        }
        let hints = self.settings.merge_request_approval == MergeRequestApproval::Hint;
        if hints && !hook.tells.contains(&Topic::MergeRequests) {
            let text =
                format!("{path}: the webhook doesn't send merge request events, so nobody gets the hint");
            self.on
                .report
                .warn(text, "tick merge request events, or set merge_request_approval = \"ignore\"");
        }
        self.judge_proof(path, hook);
        if self.on.report.findings() == before {
            self.on.report.fine(format!("{path}: the webhook is in order"));
        }
    }

    /// Does it prove where it comes from, in a way that we check?
    fn judge_proof(&mut self, path: &str, hook: &Hook) {
        let (keys, tokens) =
            (!self.settings.signing_tokens.is_empty(), !self.settings.secret_tokens.is_empty());
        let signed = hook.signed == Some(true);
        let (text, remedy) = if signed && !keys {
            (
                "the webhook is signed, and signing_tokens is empty",
                "add its signing token to the configuration",
            )
        } else if !signed && !tokens {
            (
                "the webhook isn't signed, and secret_tokens is empty",
                "set the signing token in the webhook's settings",
            )
        } else if !signed && hook.token == Some(false) {
            ("the webhook carries no token at all", "set the token in the webhook's settings")
        } else {
            return;
        };
        self.on.report.find(format!("{path}: {text}: every delivery is refused"), remedy);
    }

    async fn default_branch(&mut self, around: &Surroundings, bot: &Bot<'_>) {
        let (path, Some(name)) = (&around.project.path, &around.default_branch) else { return };
        let answer = self.forge.branch(around.project.id, name).await;
        let Some(Some(branch)) = self.on.read(&format!("{path}: the branch {name}"), answer) else {
            return;
        };
        if !self.is_any_of(bot, &branch.writers).await {
            let text = format!("{path}: @{} may neither push nor merge to {name}", bot.account.username);
            self.on
                .report
                .find(text, "allow it in the branch's protection: GitLab starts its jobs for nobody else");
        }
    }

    async fn environments(&mut self, around: &Surroundings, bot: &Bot<'_>) {
        let project = &around.project;
        let entries = self.on.config.policies.of_project(&self.settings.name, &project.path);
        let protections = match self.forge.protections(project.id).await {
            Ok(protections) => protections,
            Err(Failure::NotFound | Failure::Refused(_)) => {
                self.no_protections(project, &entries);
                Vec::new()
            }
            answer @ Err(_) => {
                self.on.read(&format!("{}: its protected environments", project.path), answer);
                return;
            }
        };
        let named = entries.iter().filter_map(|entry| entry.name.literal());
        let protected = protections.iter().map(|known| known.environment.as_str());
        for environment in named.chain(protected).collect::<BTreeSet<_>>() {
            let found = self.on.config.policies.find(&self.settings.name, &project.path, environment);
            let Some(entry) = found else { continue };
            let protection = protections.iter().find(|known| known.environment == environment);
            self.environment(around, bot, (environment, entry, protection)).await;
        }
        self.groups_above(project, &entries).await;
    }

    fn no_protections(&mut self, project: &Project, entries: &[&Entry]) {
        if entries.iter().any(|entry| entry.gate == Gate::Native) {
            let text = format!("{}: protected environments can't be seen", project.path);
            let remedy = "make the bot a Maintainer; where GitLab's tier has none, set gate = \"manual_job\"";
            self.on.report.find(text, remedy);
        }
    }

    /// What groups protect adds to what the project does.
    async fn groups_above(&mut self, project: &Project, entries: &[&Entry]) {
        if !entries.iter().any(|entry| entry.gate == Gate::Native) || self.votes_as_people() {
            return;
        }
        let above = project.path.match_indices('/').filter_map(|(end, _)| project.path.get(..end));
        for group in above {
            // Only its Maintainers see a group's; what isn't seen isn't said.
            let tiers = self.forge.group_protections(group).await.unwrap_or_default();
            let asks = |tier: &&Protection| !tier.rules.is_empty() || tier.count > 0;
            for tier in tiers.iter().filter(asks) {
                let text = format!(
                    "{}: the group {group} asks for approvals of its own in every {} environment",
                    project.path, tier.environment
                );
                self.on
                    .report
                    .warn(text, "these add to the project's: let the bot's rule be the only one of both");
            }
        }
    }

    /// Whether one of these admits the bot. What can't be read doesn't.
    pub(super) async fn is_any_of(&self, bot: &Bot<'_>, grantees: &[Grantee]) -> bool {
        for grantee in grantees {
            let me = bot.account;
            let admitted = match grantee {
                Grantee::UserId(id) => *id == me.id,
                Grantee::User(name) => name.eq_ignore_ascii_case(&me.username),
                Grantee::AccessLevel(level) => bot.level >= *level,
                Grantee::Role(role) => bot.level >= role.level(),
                // GitLab has no teams.
                Grantee::Team(_) => false,
                Grantee::GroupId { id, inherited } => self.is_in_group(*id, *inherited, me.id).await,
                Grantee::Group { path, inherited } => match self.forge.group_id(path).await {
                    Ok(id) => self.is_in_group(id, *inherited, me.id).await,
                    Err(_) => false,
                },
            };
            if admitted {
                return true;
            }
        }
        false
    }

    async fn is_in_group(&self, id: i64, inherited: bool, user: UserId) -> bool {
        self.forge.is_group_member(GroupRef { path: "", id }, inherited, user).await.unwrap_or(false)
    }
}
