//! What only Slack has: a workspace, and scopes.

use super::Doctor;
use crate::config::Slack;
use crate::ports::inspect::ChatCredential;

/// A scope of the bot's token.
pub(super) struct Need {
    pub(super) scope: &'static str,
    /// Nothing works without it.
    grave: bool,
    /// What goes wrong without it.
    without: &'static str,
}

impl Need {
    const fn new(scope: &'static str, grave: bool, without: &'static str) -> Self {
        Self { scope, grave, without }
    }
}

pub(super) const USERS: &str = "users:read";
pub(super) const CHANNELS: &str = "channels:read";
pub(super) const PRIVATE_CHANNELS: &str = "groups:read";
/// Lets the bot write where it is no member.
pub(super) const WRITE_ANYWHERE: &str = "chat:write.public";

pub(super) const NEEDS: [Need; 7] = [
    Need::new("commands", true, "nobody can type the slash command"),
    Need::new("chat:write", true, "nothing is told"),
    Need::new(USERS, true, "nobody can be told from a guest or a foreigner, so nobody decides"),
    Need::new("channels:history", false, "a message whose answer was lost may be posted twice"),
    Need::new(
        "groups:history",
        false,
        "a message whose answer was lost may be posted twice in private channels",
    ),
    Need::new(CHANNELS, false, "the check can't look at channels"),
    Need::new(PRIVATE_CHANNELS, false, "the check can't look at private channels"),
];

/// Whether the token has a scope; where that isn't told, it is believed.
pub(super) fn has(token: &ChatCredential, scope: &str) -> bool {
    token.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|known| known == scope))
}

impl Doctor<'_> {
    pub(super) fn slack(&mut self, settings: &Slack, token: &ChatCredential) {
        self.workspace(settings, token);
        let name = self.name();
        if token.scopes.is_none() {
            self.report.note(format!("{name}: Slack doesn't tell the scopes of the token"));
        }
        for Need { scope, grave, without } in NEEDS.iter().filter(|need| !has(token, need.scope)) {
            let text = format!("{name}: the token lacks the scope `{scope}`: {without}");
            let remedy = "add it on the app's page under \"OAuth & Permissions\", and install the app again";
            if *grave {
                self.report.find(text, remedy);
            } else {
                self.report.warn(text, remedy);
            }
        }
    }

    fn workspace(&mut self, settings: &Slack, token: &ChatCredential) {
        let name = self.name();
        let Some(team) = &token.team else {
            self.report.note(format!("{name}: Slack doesn't tell which workspace the app is installed in"));
            return;
        };
        if settings.team_ids.contains(team) {
            self.report.fine(format!("{name}: the app is installed in the workspace {team}"));
        } else if settings.team_ids.iter().any(|id| id.starts_with('E')) {
            let text = format!(
                "{name}: whether the workspace {team} is of an organisation in `team_ids` isn't told"
            );
            self.report.note(text);
        } else {
            let text = format!(
                "{name}: the app is installed in the workspace {team}, which isn't in `team_ids`: everybody there is \
                 refused"
            );
            self.report.find(
                text,
                format!("add \"{team}\" to `team_ids`, or install the app where it is meant to be"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NEEDS, Need};
    use crate::config::{self, Slack};
    use serde_json::{Map, Value};
    use std::iter::Peekable;
    use std::path::Path;
    use std::vec::IntoIter;

    const MANIFEST: &str = include_str!("../../../../config/slack-manifest.yml");
    const URL: &str = "https://countersign.example.com/hooks/slack";

    /// The YAML that the manifest is written in: blocks, plain or quoted texts, and comments on lines of their own.
    struct Yaml<'a>(Peekable<IntoIter<&'a str>>);

    fn yaml(text: &str) -> Value {
        let told = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        Yaml(text.lines().filter(told).collect::<Vec<_>>().into_iter().peekable()).block(0)
    }

    impl<'a> Yaml<'a> {
        /// The next line's text, if it is indented so.
        fn next_at(&mut self, depth: usize) -> Option<&'a str> {
            self.0.next_if(|line| line.len() - line.trim_start().len() == depth).map(str::trim)
        }

        fn block(&mut self, depth: usize) -> Value {
            let is_list = self.0.peek().is_some_and(|line| line.trim_start().starts_with("- "));
            if is_list { self.list(depth) } else { Value::Object(self.map(depth, None)) }
        }

        fn list(&mut self, depth: usize) -> Value {
            let mut items = Vec::new();
            while let Some(line) = self.next_at(depth) {
                let item = line.strip_prefix("- ").expect("an item");
                items.push(match item.split_once(": ") {
                    Some(_) => Value::Object(self.map(depth + 2, Some(item))),
                    None => scalar(item),
                });
            }
            Value::Array(items)
        }

        fn map(&mut self, depth: usize, first: Option<&'a str>) -> Map<String, Value> {
            let mut map = Map::new();
            let mut line = first.or_else(|| self.next_at(depth));
            while let Some(text) = line {
                let (key, value) = text.split_once(':').expect("a key");
                let value = if value.is_empty() { self.block(depth + 2) } else { scalar(value.trim()) };
                assert!(map.insert(key.to_owned(), value).is_none(), "{key} stands twice");
                line = self.next_at(depth);
            }
            map
        }
    }

    fn scalar(text: &str) -> Value {
        serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
    }

    fn at<'v>(manifest: &'v Value, pointer: &str) -> &'v Value {
        manifest.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {manifest}"))
    }

    fn text<'v>(manifest: &'v Value, pointer: &str) -> &'v str {
        at(manifest, pointer).as_str().expect("a text")
    }

    fn default_slack() -> Slack {
        let secret =
            |_: &str| Some("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----".to_owned());
        let text = config::DEFAULTS.replace("{ env = \"GITLAB_TOKEN\" }", "\"t\"");
        let text = text.replace("{ env = \"GITLAB_WEBHOOK_TOKEN\" }", "\"t\"");
        let text = text.replace("{ env = \"SLACK_BOT_TOKEN\" }", "\"xoxb-t\"");
        let text = text.replace("{ env = \"MATTERMOST_BOT_TOKEN\" }", "\"t\"");
        let text = text.replace("{ env = \"MATTERMOST_COMMAND_TOKEN\" }", "\"t\"");
        let config = config::parse(&text, Path::new("default.toml"), &secret).expect("a configuration");
        config.slack.into_iter().next().expect("a Slack")
    }

    #[test]
    fn the_manifest_asks_for_what_the_check_asks_for() {
        let manifest = yaml(MANIFEST);
        let scopes = at(&manifest, "/oauth_config/scopes/bot").as_array().expect("a list");
        let scopes: Vec<&str> = scopes.iter().filter_map(Value::as_str).collect();
        let needs: Vec<&str> = NEEDS.iter().map(|Need { scope, .. }| *scope).collect();
        assert_eq!(scopes, needs);
    }

    #[test]
    fn the_manifest_sends_everything_to_one_place() {
        let (manifest, slack) = (yaml(MANIFEST), default_slack());
        assert_eq!(text(&manifest, "/features/slash_commands/0/url"), URL);
        assert_eq!(text(&manifest, "/settings/interactivity/request_url"), URL);
        assert!(URL.ends_with(&format!("/hooks/{}", slack.name)));
        assert_eq!(text(&manifest, "/features/slash_commands/0/command"), slack.command);
        assert_eq!(at(&manifest, "/features/slash_commands/0/should_escape"), true);
        assert_eq!(at(&manifest, "/settings/interactivity/is_enabled"), true);
        assert_eq!(at(&manifest, "/settings/socket_mode_enabled"), false);
        assert_eq!(at(&manifest, "/settings/token_rotation_enabled"), false, "nobody would renew it");
        assert_eq!(at(&manifest, "/features/slash_commands").as_array().map(Vec::len), Some(1));
    }

    /// <https://docs.slack.dev/reference/app-manifest>
    #[test]
    fn the_manifest_keeps_to_slacks_lengths() {
        let manifest = yaml(MANIFEST);
        for (pointer, most) in [
            ("/display_information/name", 35),
            ("/display_information/description", 140),
            ("/display_information/long_description", 4000),
            ("/features/bot_user/display_name", 80),
            ("/features/slash_commands/0/command", 32),
            ("/features/slash_commands/0/description", 2000),
            ("/features/slash_commands/0/usage_hint", 1000),
        ] {
            let length = text(&manifest, pointer).chars().count();
            assert!((1..=most).contains(&length), "{pointer} has {length} characters");
        }
        let long = text(&manifest, "/display_information/long_description");
        assert!(long.chars().count() >= 174, "Slack asks for at least so many where there is one");
        assert_eq!(
            (at(&manifest, "/_metadata/major_version"), at(&manifest, "/_metadata/minor_version")),
            (&2.into(), &1.into())
        );
    }
}
