//! `[[slack]]`, `[[mattermost]]`, `[[person]]`, and what an `[[environment]]` says of them.

use super::faulty::faults;
use super::{MINIMAL, MINIMAL_CHATS, MINIMAL_GITHUB, PUBLIC_URL, sound};
use crate::config::Config;
use crate::domain::id::PlatformName;
use insta::assert_snapshot;
use rstest::rstest;
use secrecy::ExposeSecret as _;

/// The minimal chats with `keys` added to the one environment; the forge's tables come last.
fn with(keys: &str) -> String {
    format!("{PUBLIC_URL}{MINIMAL_CHATS}{MINIMAL}{keys}\n")
}

/// The minimal chats behind a forge, with these persons instead.
fn with_people(people: &str) -> String {
    let (chats, _) = MINIMAL_CHATS.split_once("[[person]]").expect("a person");
    format!("{PUBLIC_URL}{chats}{people}{MINIMAL}notify = [\"slack:C0DEPLOYS\"]\n")
}

/// What an environment tells, and where.
fn told(config: &Config) -> (Vec<String>, bool) {
    let entry = config.policies.all().first().expect("an entry");
    (entry.notify.iter().map(ToString::to_string).collect(), entry.mention)
}

fn warnings(text: &str) -> String {
    let warnings: Vec<String> = sound(text).warnings.iter().map(ToString::to_string).collect();
    warnings.join("\n")
}

#[test]
fn a_slack_needs_a_token_a_secret_and_a_workspace() {
    let config = sound(&with("notify = [\"slack:C0DEPLOYS\", \"mattermost:acme/town-square\"]"));
    let [slack] = config.slack.as_slice() else { panic!("one Slack") };
    assert_eq!((slack.name.as_str(), slack.command.as_str()), ("slack", "/deploy"));
    assert_eq!(slack.api_url.as_str(), "https://slack.com/api");
    assert_eq!(slack.bot_token.expose_secret(), "xoxb-value of SLACK_BOT_TOKEN");
    assert_eq!(slack.signing_secrets[0].expose_secret(), "value of SLACK_SIGNING_SECRET");
    assert_eq!(slack.team_ids, ["T024BE7LD"]);
    assert_eq!(config.warnings, []);
}

#[test]
fn a_mattermost_knows_where_its_buttons_call_back() {
    let config = sound(&with("notify = [\"slack:C0DEPLOYS\", \"mattermost:acme/town-square\"]"));
    let [mattermost] = config.mattermost.as_slice() else { panic!("one Mattermost") };
    assert_eq!((mattermost.name.as_str(), mattermost.command.as_str()), ("mattermost", "/deploy"));
    assert_eq!(mattermost.url.as_str(), "https://chat.example.com/");
    assert_eq!(mattermost.bot_token.expose_secret(), "value of MATTERMOST_BOT_TOKEN");
    assert_eq!(mattermost.command_tokens[0].expose_secret(), "value of MATTERMOST_COMMAND_TOKEN");
    assert_eq!(mattermost.public_url.as_str(), "https://countersign.example.com/");
}

#[test]
fn chats_have_names_and_commands_of_their_own() {
    let second = "[[slack]]\nname = \"gov\"\napi_url = \"https://slack-gov.com/api\"\nbot_token = \"xoxb-a\"\n\
                  signing_secrets = [\"a\", \"b\"]\nteam_ids = [\"T1\", \"E1\"]\ncommand = \"/ship-it\"\n";
    let text = with("notify = [\"gov:G0SECRET\"]").replacen("[[slack]]", &format!("{second}[[slack]]"), 1);
    let config = sound(&text);
    let [gov, slack] = config.slack.as_slice() else { panic!("two Slacks") };
    assert_eq!((gov.name.as_str(), slack.name.as_str()), ("gov", "slack"));
    assert_eq!((gov.command.as_str(), gov.team_ids.len(), gov.signing_secrets.len()), ("/ship-it", 2, 2));
    assert_eq!(told(&config).0, ["gov:G0SECRET"]);
}

#[rstest]
#[case("slack:C024BE7LR")]
#[case("slack:G024BE7LR")]
#[case("mattermost:acme/town-square")]
#[case("mattermost:acme-2/off_topic.2")]
#[case("mattermost:4xp9fdt77pncbef59f4k1qe83o")]
fn a_channel_is_named_as_its_chat_names_it(#[case] channel: &str) {
    let config = sound(&with(&format!("notify = [{channel:?}]\nmention = true")));
    assert_eq!(told(&config), (vec![channel.to_owned()], true));
}

#[test]
fn nobody_is_told_or_mentioned_unless_that_is_asked_for() {
    assert_eq!(told(&sound(MINIMAL)), (Vec::new(), false));
}

#[test]
fn a_person_has_an_account_on_each() {
    let config = sound(&with(""));
    let person = config.people.with(&PlatformName::new("slack"), "u024be7lh").expect("a person");
    let accounts: Vec<(&str, &str)> =
        person.accounts.iter().map(|(platform, name)| (platform.as_str(), name.as_str())).collect();
    assert_eq!(accounts, [("gitlab", "dana"), ("mattermost", "dana"), ("slack", "U024BE7LH")]);
    assert!(config.people.with(&PlatformName::new("gitlab"), "alice").is_none());
}

#[test]
fn faults_of_a_slack() {
    assert_snapshot!(faults(&format!("[[slack]]\n{MINIMAL}")), @r"
    1: `bot_token` is missing; add `bot_token` to this table
    1: nothing proves that requests come from this chat; put the app's signing secret into `signing_secrets`
    1: nothing says whose people are heard here; put the workspace's id, T…, into `team_ids`: it stands in its address, app.slack.com/client/T…
    ");
    let odd = "[[slack]]\nbot_token = \"\"\nsigning_secrets = []\nteam_ids = [\"acme\", \"t024\"]\ncommand = \"deploy\"\n\
               url = \"https://slack.com\"\napi_url = \"slack.com\"\n";
    assert_snapshot!(faults(&format!("{odd}{MINIMAL}")), @r#"
    2: this secret is empty; put a secret there: a missing or empty one never means that nothing is checked
    3: nothing proves that requests come from this chat; put the app's signing secret into `signing_secrets`
    4: this isn't the id of a workspace or organisation; put the workspace's id, T…, into `team_ids`: it stands in its address, app.slack.com/client/T…
    4: this isn't the id of a workspace or organisation; put the workspace's id, T…, into `team_ids`: it stands in its address, app.slack.com/client/T…
    5: this can't be a slash command; a `/`, then lower-case letters, digits, `_` and `-`, at most 32 characters, such as "/deploy"
    6: unknown key `url`; the keys here are `name`, `api_url`, `bot_token`, `signing_secrets`, `team_ids`, `command`
    7: this isn't an http or https address; write it plain, such as "https://gitlab.example.com"
    "#);
    let long = format!("/{}", "a".repeat(32));
    let text = with("").replace("team_ids = [\"T024BE7LD\"]", &format!("team_ids = []\ncommand = {long:?}"));
    assert_snapshot!(faults(&text), @r#"
    6: nothing says whose people are heard here; put the workspace's id, T…, into `team_ids`: it stands in its address, app.slack.com/client/T…
    7: this can't be a slash command; a `/`, then lower-case letters, digits, `_` and `-`, at most 32 characters, such as "/deploy"
    "#);
}

#[test]
fn faults_of_a_mattermost() {
    assert_snapshot!(faults(&format!("[[mattermost]]\n{MINIMAL}")), @r"
    1: without `public_url` the buttons in this chat lead nowhere; set [server] public_url to the address that Mattermost reaches this server by
    1: `url` is missing; add `url` to this table
    1: `bot_token` is missing; add `bot_token` to this table
    1: nothing proves that requests come from this chat; put the slash command's token into `command_tokens`
    ");
    assert_snapshot!(faults(&with("").replace(PUBLIC_URL, "")), @r"
    7: without `public_url` the buttons in this chat lead nowhere; set [server] public_url to the address that Mattermost reaches this server by
    ");
    assert_snapshot!(faults(&with("").replace("https://countersign", "htp://countersign")), @r#"
    1: this isn't an http or https address; write it plain, such as "https://gitlab.example.com"
    "#);
    assert_snapshot!(faults(&with("").replace("[{ env = \"MATTERMOST_COMMAND_TOKEN\" }]", "[{ env = \"EMPTY\" }]")), @r"
    11: the environment variable `EMPTY` is empty; put a secret there: a missing or empty one never means that nothing is checked
    ");
}

#[test]
fn no_chat_has_the_name_of_a_forge_or_of_another_chat() {
    let text = with("").replace("[[slack]]", "[[slack]]\nname = \"github\"");
    let text = text.replace("[[mattermost]]", "[[mattermost]]\nname = \"gitlab\"");
    assert_snapshot!(faults(&format!("{text}{MINIMAL_GITHUB}").replace("slack = \"U024BE7LH\"\n", "")), @r"
    4: the name `github` is taken by an earlier table; give each of them a `name` of its own
    10: the name `gitlab` is taken by an earlier table; give each of them a `name` of its own
    17: no forge or chat is called `mattermost`; the configured forges and chats are `gitlab`, `github`, `github`, `gitlab`
    ");
}

#[test]
fn faults_of_channels() {
    let channels = r#"notify = [
        "C0DEPLOYS",
        "slak:C0DEPLOYS",
        "teams:deploys",
        "slack:#deploys",
        "slack:deploys",
        "slack:",
        "slack:D0123456",
        "mattermost:town-square",
        "mattermost:acme/team/town-square",
        "mattermost:https://chat.example.com/acme/channels/town-square",
        7,
    ]"#;
    assert_snapshot!(faults(&with(channels)), @r##"
    29: this doesn't name a channel of a chat; write the name of the chat, `:` and the channel, such as "slack:C0DEPLOYS"
    30: no chat is called "slak"; did you mean `slack`?
    31: no chat is called "teams"; the configured chats are `slack`, `mattermost`
    32: no channel of `slack` is called "#deploys"; write its id, C…, which stands at the bottom of the channel's details in Slack
    33: no channel of `slack` is called "deploys"; write its id, C…, which stands at the bottom of the channel's details in Slack
    34: no channel of `slack` is called ""; write its id, C…, which stands at the bottom of the channel's details in Slack
    35: no channel of `mattermost` is called "town-square"; write its team and its name as they stand in its address, such as "acme/town-square", or its id
    36: no channel of `mattermost` is called "acme/team/town-square"; write its team and its name as they stand in its address, such as "acme/town-square", or its id
    37: no channel of `mattermost` is called "https://chat.example.com/acme/channels/town-square"; write its team and its name as they stand in its address, such as "acme/town-square", or its id
    38: a whole number can't stand here; write a text in quotes
    "##);
}

#[test]
fn faults_of_people() {
    let people = r#"
[[person]]
gitlba = "dana"
slack = "dana"
mattermost = "@dana"

[[person]]
gitlab = "@dana"
slack = ""
teams = "dana"

[[person]]
gitlab = "alice"
slack = "U1"

[[person]]
gitlab = "Alice"
mattermost = 7

[[person]]
gitlab = "bob"
slack = "U1"
"#;
    assert_snapshot!(faults(&with_people(people)), @r#"
    15: no forge or chat is called `gitlba`; did you mean `gitlab`?
    16: nobody has such an account there; write their member id, U…: in their profile in Slack, under ⋮, "Copy member ID"
    17: nobody has such an account there; write their user name without `@`, such as "dana"
    20: this isn't a user name; write it without `@`, such as "dana"
    21: nobody has such an account there; write their member id, U…: in their profile in Slack, under ⋮, "Copy member ID"
    22: no forge or chat is called `teams`; the configured forges and chats are `gitlab`, `slack`, `mattermost`
    29: this account of `gitlab` is another person's already; one account is one person's: put all their accounts into one `[[person]]`
    30: a whole number can't stand here; write a text in quotes
    34: this account of `slack` is another person's already; one account is one person's: put all their accounts into one `[[person]]`
    "#);
}

#[test]
fn what_is_odd_about_chats_is_a_warning() {
    assert_snapshot!(warnings(&with("mention = true")), @r#"
    line 3: no `notify` names `slack`, so nothing is told there; add `notify = ["slack:…"]` to an `[[environment]]`
    line 8: no `notify` names `mattermost`, so nothing is told there; add `notify = ["mattermost:…"]` to an `[[environment]]`
    line 28: `mention` without `notify` mentions nobody; name channels in `notify`, or remove this line
    "#);
    let twice = "notify = [\"slack:C0DEPLOYS\", \"mattermost:acme/ops\", \"slack:C0DEPLOYS\"]";
    assert_snapshot!(warnings(&with(twice)), @r"
    line 28: this channel is named twice; remove one of them
    ");
    assert_eq!(told(&sound(&with(twice))).0.len(), 2);
    assert_snapshot!(warnings(&with_people("[[person]]\nslack = \"U1\"\n[[person]]\n")), @r#"
    line 3: no `[[person]]` has an account of `slack` and one of `gitlab`, so nobody can decide in this chat what waits there; add `[[person]]` tables with the keys `gitlab` and `slack`
    line 8: no `notify` names `mattermost`, so nothing is told there; add `notify = ["mattermost:…"]` to an `[[environment]]`
    line 13: this person has fewer than two accounts, so nothing is linked; name their accounts on a forge and in a chat, or remove this table
    line 15: this person has fewer than two accounts, so nothing is linked; name their accounts on a forge and in a chat, or remove this table
    "#);
}
