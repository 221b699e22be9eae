//! The configuration that all these tests begin with, and ways to change it.

mod alone;
mod chats;
mod faulty;
mod github;
mod sound;

use super::{Config, Faults, parse};
use std::path::Path;

const SIGNING_TOKEN: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// What must be there, and nothing else.
const MINIMAL: &str = r#"
[[gitlab]]
url = "https://gitlab.com"
token = { env = "GITLAB_TOKEN" }
secret_tokens = [{ env = "GITLAB_WEBHOOK_TOKEN" }]

[[environment]]
on = "gitlab"
project = "acme/**"
name = "production"
deploy_access_levels = [{ access_level = "maintainer" }]
"#;

/// What a GitHub needs, and nothing else.
const MINIMAL_GITHUB: &str = r#"
[[github]]
app_id = 12345
private_key = { env = "GITHUB_PRIVATE_KEY" }
webhook_secrets = [{ env = "GITHUB_WEBHOOK_SECRET" }]

[[environment]]
on = "github"
project = "acme/**"
name = "production"
deploy_access_levels = [{ role = "maintain" }]
"#;

/// What the chats and those who decide there need, and nothing else. It stands behind a forge's table.
const MINIMAL_CHATS: &str = r#"
[[slack]]
bot_token = { env = "SLACK_BOT_TOKEN" }
signing_secrets = [{ env = "SLACK_SIGNING_SECRET" }]
team_ids = ["T024BE7LD"]

[[mattermost]]
url = "https://chat.example.com"
bot_token = { env = "MATTERMOST_BOT_TOKEN" }
command_tokens = [{ env = "MATTERMOST_COMMAND_TOKEN" }]

[[person]]
gitlab = "dana"
slack = "U024BE7LH"
mattermost = "dana"
"#;

/// Where Mattermost's buttons call back; it stands before everything else.
const PUBLIC_URL: &str = "server.public_url = \"https://countersign.example.com\"\n";

/// By its looks.
const PRIVATE_KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n";

fn environment(name: &str) -> Option<String> {
    match name {
        "EMPTY" => Some("\n".to_owned()),
        "GITHUB_PRIVATE_KEY" => Some(PRIVATE_KEY.to_owned()),
        "SIGNING_TOKEN" => Some(SIGNING_TOKEN.to_owned()),
        "SLACK_BOT_TOKEN" => Some(format!("xoxb-value of {name}\n")),
        "UNSET" => None,
        name => Some(format!("value of {name}\n")),
    }
}

fn read(text: &str) -> Result<Config, Faults> {
    parse(text, Path::new("countersign.toml"), &environment)
}

fn sound(text: &str) -> Config {
    read(text).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The minimal configuration with `keys` added to its forge.
fn gitlab(keys: &str) -> String {
    MINIMAL.replace("\n\n[[environment]]", &format!("\n{keys}\n\n[[environment]]"))
}

/// The minimal configuration with its environment's `deploy_access_levels` replaced by `keys`.
fn entry(keys: &str) -> String {
    MINIMAL.replace("deploy_access_levels = [{ access_level = \"maintainer\" }]\n", keys)
}
