//! What the rest of the house may see of the configuration: checked values only.

use super::report::Warning;
use crate::domain::chat::People;
use crate::domain::id::{ChatName, ForgeName};
use crate::domain::policy::{Policies, VoteAs};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use url::Url;

/// A configuration that can be used. Secrets in it are redacted by `Debug`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where we listen.
    pub server: Server,
    /// Where the ledger is kept.
    pub store: StoreUrl,
    /// Every GitLab. There is at least one forge of either kind, each with a name of its own.
    pub gitlab: Vec<GitLab>,
    /// Every GitHub.
    pub github: Vec<GitHub>,
    /// Every Slack. No chat has the name of a forge or of another chat.
    pub slack: Vec<Slack>,
    /// Every Mattermost.
    pub mattermost: Vec<Mattermost>,
    /// Every `[[person]]`, each with accounts of configured forges and chats; no account stands in two of them.
    pub people: People,
    /// Every `[[environment]]`, first match wins.
    pub policies: Policies,
    /// What is odd without being wrong, in the order of the file.
    pub warnings: Vec<Warning>,
}

/// `[server]`
#[derive(Clone, Debug)]
pub struct Server {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Where people reach the dashboard; links in cards begin with it.
    pub public_url: Option<Url>,
    /// The header, in lower case, in which our own proxy says who its client is. None: there is no such proxy.
    pub client_address_header: Option<String>,
    /// Bearer tokens of the JSON API. None: the API is closed.
    pub api_tokens: Vec<SecretString>,
}

/// `[store] url`
#[derive(Clone, Debug)]
pub enum StoreUrl {
    /// A SQLite file, relative to the working directory.
    Sqlite(PathBuf),
    /// A PostgreSQL database: an address that may carry a password.
    Postgres(SecretString),
}

/// The address without what is secret in it.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(url) => match Url::parse(url.expose_secret()) {
                Ok(url) => write!(f, "postgres://{}{}", url.host_str().unwrap_or_default(), url.path()),
                Err(_) => f.write_str("postgres"),
            },
        }
    }
}

/// `[[gitlab]]`
#[derive(Clone, Debug)]
pub struct GitLab {
    /// Its name: last part of the hook path, prefix of references.
    pub name: ForgeName,
    /// The instance, `http` or `https`, without credentials, query or fragment.
    pub url: Url,
    /// The bot's token.
    pub token: SecretString,
    /// The administrator's token; there exactly when `vote_as` is sudo.
    pub sudo_token: Option<SecretString>,
    /// Signing tokens of webhooks, each `whsec_` followed by the key in base64 (checked to decode).
    pub signing_tokens: Vec<SecretString>,
    /// Plain webhook tokens. At least one of the two lists isn't empty.
    pub secret_tokens: Vec<SecretString>,
    /// How votes reach the forge.
    pub vote_as: VoteAs,
    /// What a merge request's own approval is answered with.
    pub merge_request_approval: MergeRequestApproval,
    /// Time between two looks at what is open; at least a second.
    pub poll: SignedDuration,
}

/// What happens when somebody approves the merge request itself, which names no deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeRequestApproval {
    /// They are told once which words approve the deployment.
    Hint,
    /// Nothing.
    Ignore,
}

/// `[[github]]`
#[derive(Clone, Debug)]
pub struct GitHub {
    /// Its name: last part of the hook path, prefix of references.
    pub name: ForgeName,
    /// Address of the API, `http` or `https`, without credentials, query or fragment.
    pub api_url: Url,
    /// The App's number; at least 1.
    pub app_id: u64,
    /// The App's private key: PEM by its looks.
    pub private_key: SecretString,
    /// Secrets that webhooks are signed with; at least one.
    pub webhook_secrets: Vec<SecretString>,
    /// Time between two looks at what is open; at least a second.
    pub poll: SignedDuration,
}

/// `[[slack]]`
#[derive(Clone, Debug)]
pub struct Slack {
    /// Its name: last part of the hook path, what `notify` begins with.
    pub name: ChatName,
    /// Address of the Web API, `http` or `https`, without credentials, query or fragment.
    pub api_url: Url,
    /// The bot's token.
    pub bot_token: SecretString,
    /// Secrets that requests are signed with; at least one.
    pub signing_secrets: Vec<SecretString>,
    /// Workspaces (`T…`) and organisations (`E…`) whose people are heard; at least one.
    pub team_ids: Vec<String>,
    /// The slash command, with its slash.
    pub command: String,
}

/// `[[mattermost]]`
#[derive(Clone, Debug)]
pub struct Mattermost {
    /// Its name: last part of the hook path, what `notify` begins with.
    pub name: ChatName,
    /// The server, `http` or `https`, without credentials, query or fragment.
    pub url: Url,
    /// The bot's token.
    pub bot_token: SecretString,
    /// Tokens that slash commands are sent with; at least one.
    pub command_tokens: Vec<SecretString>,
    /// The slash command, with its slash.
    pub command: String,
    /// Where its buttons call back: `public_url` of the server.
    pub public_url: Url,
}
