//! Whatever the configuration's text is, it is judged: it can be used, or its faults are shown; and nothing secret is
//! shown either way. `hush` stands for a secret: in the environment, and where the text has it in secret places only.
//! No file is read.
#![no_main]

use countersign::chat::mattermost::{MattermostInbound, Settings};
use countersign::chat::slack::SlackInbound;
use countersign::config::{Config, parse};
use countersign::forge::github::webhook::GitHubInbound;
use countersign::forge::gitlab::webhook::GitLabInbound;
use libfuzzer_sys::{Corpus, fuzz_target};
use std::path::Path;
use toml::{Table, Value};
use url::Url;

const SECRET: &str = "hush";
/// Keys of forges, chats and the server that hold secrets.
const SECRETS: [&str; 10] = [
    "api_tokens",
    "token",
    "sudo_token",
    "signing_tokens",
    "secret_tokens",
    "private_key",
    "webhook_secrets",
    "bot_token",
    "signing_secrets",
    "command_tokens",
];

fuzz_target!(|text: &str| -> Corpus {
    let table = text.parse::<Table>();
    if table.as_ref().is_ok_and(|table| table.values().any(names_a_file)) {
        return Corpus::Reject;
    }
    let kept = table.as_ref().map_or(0, kept_secret);
    let silent = text.matches(SECRET).count() == kept;
    match parse(text, Path::new("countersign.toml"), &environment) {
        Ok(config) => {
            assert!(table.is_ok());
            let shown = format!("{config:?} {}", config.store);
            assert!(!silent || !shown.contains(SECRET), "{shown}");
            for warning in &config.warnings {
                assert!((1..=text.lines().count().max(1)).contains(&warning.line), "{warning}");
                assert!(!silent || !warning.to_string().contains(SECRET), "{warning}");
            }
            is_usable(&config);
        }
        Err(faults) => {
            assert!(faults.count() > 0);
            let shown = faults.to_string();
            assert!(!silent || !shown.contains(SECRET), "{shown}");
        }
    }
    Corpus::Keep
});

fn environment(name: &str) -> Option<String> {
    match name {
        "UNSET" => None,
        "EMPTY" => Some("\n".to_owned()),
        "GITHUB_PRIVATE_KEY" => {
            Some(format!("-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----\n"))
        }
        "SIGNING_TOKEN" => Some("whsec_hushhushhushhushhushhushhushhush".to_owned()),
        "SLACK_BOT_TOKEN" => Some(format!("xoxb-{SECRET}")),
        _ => Some(SECRET.to_owned()),
    }
}

/// Whether a secret is to be read from a file: the fuzzer would choose which.
fn names_a_file(value: &Value) -> bool {
    match value {
        Value::Table(table) => table.contains_key("file") || table.values().any(names_a_file),
        Value::Array(items) => items.iter().any(names_a_file),
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            false
        }
    }
}

/// How often the secret stands where secrets stand.
fn kept_secret(table: &Table) -> usize {
    let places = ["server", "gitlab", "github", "slack", "mattermost"];
    let places = places.into_iter().filter_map(|name| table.get(name)).flat_map(tables);
    let values = places.flat_map(|place| SECRETS.into_iter().filter_map(|name| place.get(name)));
    let database = table.get("store").and_then(|store| store.get("url")?.as_str()).map_or(0, in_password);
    values.map(count).sum::<usize>() + database
}

fn tables(value: &Value) -> Vec<&Table> {
    match value {
        Value::Table(table) => vec![table],
        Value::Array(items) => items.iter().filter_map(Value::as_table).collect(),
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            vec![]
        }
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::String(text) => text.matches(SECRET).count(),
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Table(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => 0,
    }
}

fn in_password(url: &str) -> usize {
    let scheme = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let password = Url::parse(url).ok().filter(|_| scheme).and_then(|url| url.password().map(str::to_owned));
    password.map_or(0, |password| password.matches(SECRET).count())
}

/// Nothing that was judged sound is refused by those who use it.
fn is_usable(config: &Config) {
    for one in &config.gitlab {
        assert!(GitLabInbound::new(one.name.clone(), &one.signing_tokens, one.secret_tokens.clone()).is_ok());
    }
    for one in &config.github {
        let (name, secrets) = (one.name.clone(), one.webhook_secrets.clone());
        assert!(GitHubInbound::new(name, secrets, &one.api_url, one.app_id).is_ok());
    }
    for one in &config.slack {
        assert!(SlackInbound::new(one.name.clone(), one.signing_secrets.clone(), &one.api_url).is_ok());
    }
    for one in &config.mattermost {
        let (name, url, public_url) = (one.name.clone(), one.url.clone(), one.public_url.clone());
        let settings = Settings { name, url, bot_token: one.bot_token.clone(), public_url };
        assert!(MattermostInbound::new(&settings, one.command_tokens.clone()).is_ok());
    }
}
