//! The file's exact shape: which keys there are, and what may stand under them. Nothing is judged here.

use super::secret::Source;
use super::sheet::{Field, Items, Section, WordOrNumber};
use toml::Spanned;

pub(super) struct RawConfig {
    pub(super) server: Field<RawServer>,
    pub(super) store: Field<RawStore>,
    pub(super) gitlab: Field<Items<RawGitLab>>,
    pub(super) github: Field<Items<RawGitHub>>,
    pub(super) slack: Field<Items<RawSlack>>,
    pub(super) mattermost: Field<Items<RawMattermost>>,
    pub(super) person: Field<Items<RawPerson>>,
    pub(super) environment: Field<Items<RawEnvironment>>,
}

#[derive(Default)]
pub(super) struct RawServer {
    pub(super) listen: Field<String>,
    pub(super) public_url: Field<String>,
    pub(super) client_address_header: Field<String>,
    pub(super) api_tokens: Field<Items<Source>>,
}

#[derive(Default)]
pub(super) struct RawStore {
    pub(super) url: Field<Source>,
}

pub(super) struct RawGitLab {
    pub(super) name: Field<String>,
    pub(super) url: Field<String>,
    pub(super) token: Field<Source>,
    pub(super) sudo_token: Field<Source>,
    pub(super) signing_tokens: Field<Items<Source>>,
    pub(super) secret_tokens: Field<Items<Source>>,
    pub(super) vote_as: Field<String>,
    pub(super) merge_request_approval: Field<String>,
    pub(super) poll: Field<String>,
}

pub(super) struct RawGitHub {
    pub(super) name: Field<String>,
    pub(super) api_url: Field<String>,
    pub(super) app_id: Field<i64>,
    pub(super) private_key: Field<Source>,
    pub(super) webhook_secrets: Field<Items<Source>>,
    pub(super) poll: Field<String>,
}

pub(super) struct RawSlack {
    pub(super) name: Field<String>,
    pub(super) api_url: Field<String>,
    pub(super) bot_token: Field<Source>,
    pub(super) signing_secrets: Field<Items<Source>>,
    pub(super) team_ids: Field<Items<String>>,
    pub(super) command: Field<String>,
}

pub(super) struct RawMattermost {
    pub(super) name: Field<String>,
    pub(super) url: Field<String>,
    pub(super) bot_token: Field<Source>,
    pub(super) command_tokens: Field<Items<Source>>,
    pub(super) command: Field<String>,
}

/// Names of forges and chats, each with what may be an account there.
pub(super) struct RawPerson {
    pub(super) accounts: Vec<(Spanned<String>, Option<Spanned<String>>)>,
}

pub(super) struct RawEnvironment {
    pub(super) on: Field<String>,
    pub(super) project: Field<String>,
    pub(super) name: Field<String>,
    pub(super) gate: Field<String>,
    pub(super) required_approval_count: Field<i64>,
    pub(super) deploy_access_levels: Field<Items<RawGrantee>>,
    pub(super) approval_rules: Field<Items<RawRule>>,
    pub(super) allow_self_approval: Field<bool>,
    pub(super) allow_bot_creator: Field<bool>,
    pub(super) reject_needs_reason: Field<bool>,
    pub(super) start_when_approved: Field<bool>,
    pub(super) notify: Field<Items<String>>,
    pub(super) mention: Field<bool>,
}

pub(super) struct RawGrantee {
    pub(super) user: Field<String>,
    pub(super) user_id: Field<i64>,
    pub(super) group: Field<String>,
    pub(super) access_level: Field<WordOrNumber>,
    pub(super) inherited: Field<bool>,
    pub(super) team: Field<String>,
    pub(super) role: Field<String>,
}

pub(super) struct RawRule {
    pub(super) grantee: RawGrantee,
    pub(super) required_approvals: Field<i64>,
}

/// An absent table says what an empty one says.
impl<T> Default for Field<T> {
    fn default() -> Self {
        Self::Absent
    }
}

impl RawConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            server: section.table("server", RawServer::read),
            store: section.table("store", RawStore::read),
            gitlab: section.tables("gitlab", RawGitLab::read),
            github: section.tables("github", RawGitHub::read),
            slack: section.tables("slack", RawSlack::read),
            mattermost: section.tables("mattermost", RawMattermost::read),
            person: section.tables("person", RawPerson::read),
            environment: section.tables("environment", RawEnvironment::read),
        }
    }
}

impl RawServer {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            listen: section.plain("listen"),
            public_url: section.plain("public_url"),
            client_address_header: section.plain("client_address_header"),
            api_tokens: section.secrets("api_tokens"),
        }
    }
}

impl RawStore {
    fn read(section: &mut Section<'_>) -> Self {
        Self { url: section.secret("url") }
    }
}

impl RawGitLab {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            name: section.plain("name"),
            url: section.plain("url"),
            token: section.secret("token"),
            sudo_token: section.secret("sudo_token"),
            signing_tokens: section.secrets("signing_tokens"),
            secret_tokens: section.secrets("secret_tokens"),
            vote_as: section.plain("vote_as"),
            merge_request_approval: section.plain("merge_request_approval"),
            poll: section.plain("poll"),
        }
    }
}

impl RawGitHub {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            name: section.plain("name"),
            api_url: section.plain("api_url"),
            app_id: section.plain("app_id"),
            private_key: section.secret("private_key"),
            webhook_secrets: section.secrets("webhook_secrets"),
            poll: section.plain("poll"),
        }
    }
}

impl RawSlack {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            name: section.plain("name"),
            api_url: section.plain("api_url"),
            bot_token: section.secret("bot_token"),
            signing_secrets: section.secrets("signing_secrets"),
            team_ids: section.texts("team_ids"),
            command: section.plain("command"),
        }
    }
}

impl RawMattermost {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            name: section.plain("name"),
            url: section.plain("url"),
            bot_token: section.secret("bot_token"),
            command_tokens: section.secrets("command_tokens"),
            command: section.plain("command"),
        }
    }
}

impl RawPerson {
    fn read(section: &mut Section<'_>) -> Self {
        Self { accounts: section.named_texts() }
    }
}

impl RawEnvironment {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            on: section.plain("on"),
            project: section.plain("project"),
            name: section.plain("name"),
            gate: section.plain("gate"),
            required_approval_count: section.plain("required_approval_count"),
            deploy_access_levels: section.tables("deploy_access_levels", RawGrantee::read),
            approval_rules: section.tables("approval_rules", RawRule::read),
            allow_self_approval: section.plain("allow_self_approval"),
            allow_bot_creator: section.plain("allow_bot_creator"),
            reject_needs_reason: section.plain("reject_needs_reason"),
            start_when_approved: section.plain("start_when_approved"),
            notify: section.texts("notify"),
            mention: section.plain("mention"),
        }
    }
}

impl RawGrantee {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            user: section.plain("user"),
            user_id: section.plain("user_id"),
            group: section.plain("group"),
            access_level: section.plain("access_level"),
            inherited: section.plain("inherited"),
            team: section.plain("team"),
            role: section.plain("role"),
        }
    }
}

impl RawRule {
    fn read(section: &mut Section<'_>) -> Self {
        Self { grantee: RawGrantee::read(section), required_approvals: section.plain("required_approvals") }
    }
}
