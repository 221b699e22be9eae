use super::{
    MINIMAL, MINIMAL_CHATS, MINIMAL_GITHUB, PRIVATE_KEY, PUBLIC_URL, SIGNING_TOKEN, entry, environment,
    gitlab, sound,
};
use crate::config::sheet::Sheet;
use crate::config::{Config, DEFAULTS, MergeRequestApproval, StoreUrl, load, nearest, parse, raw};
use crate::domain::id::{ForgeName, UserId};
use crate::domain::policy::{Entry, Gate, Grantee, Rule, VoteAs};
use insta::assert_snapshot;
use jiff::SignedDuration;
use rstest::rstest;
use secrecy::ExposeSecret;
use std::fs;
use toml::de::DeTable;

const EXAMPLE: &str = include_str!("../../../config/countersign.example.toml");

fn production(config: &Config) -> &Entry {
    config.policies.find(&ForgeName::new("gitlab"), "acme/shop", "production").expect("an entry")
}

fn rule(grantee: Grantee, required_approvals: u32) -> Rule {
    Rule { grantees: vec![grantee], required_approvals, label: None }
}

#[test]
fn the_defaults_in_the_code_are_those_of_the_file() {
    let minimal = sound(&format!("{PUBLIC_URL}{MINIMAL}{MINIMAL_GITHUB}{MINIMAL_CHATS}"));
    let of_the_file = Config { warnings: Vec::new(), ..sound(DEFAULTS) };
    let of_the_code = Config { warnings: Vec::new(), ..minimal };
    assert_eq!(format!("{of_the_file:#?}"), format!("{of_the_code:#?}"));
}

#[test]
fn the_defaults_file_names_every_key() {
    let text = "
        server = {}\n store = {}\n gitlab = [{}]\n github = [{}]
        slack = [{}]\n mattermost = [{}]\n person = [{}]
        environment = [{ deploy_access_levels = [{}], approval_rules = [{}] }]";
    let document = DeTable::parse(text).expect("TOML");
    let mut sheet = Sheet::default();
    sheet.table(document.get_ref(), raw::RawConfig::read);
    let words: Vec<&str> = DEFAULTS.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    for key in &sheet.known {
        assert!(words.contains(key), "default.toml doesn't name `{key}`");
    }
    assert!(
        sheet.known.contains("inherited")
            && sheet.known.contains("command_tokens")
            && sheet.known.contains("private_key")
            && sheet.known.contains("start_when_approved")
    );
}

#[test]
fn the_example_protects_two_environments() {
    let config = sound(EXAMPLE);
    let inherited = |path: &str, inherited| Grantee::Group { path: path.to_owned(), inherited };
    let expected = [rule(inherited("acme/qa", false), 1), rule(inherited("acme/sre", true), 2)];
    assert_eq!(production(&config).policy.rules, expected);
    assert_eq!(production(&config).gate, Gate::Native);
    let staging =
        config.policies.find(&ForgeName::new("gitlab"), "acme/shop", "staging/eu").expect("an entry");
    let expected = vec![Grantee::AccessLevel(40), Grantee::User("alice".to_owned())];
    assert_eq!(staging.policy.rules, [Rule { grantees: expected, required_approvals: 1, label: None }]);
    assert!(staging.policy.allow_self_approval && !staging.policy.reject_needs_reason);
    assert!(config.server.api_tokens.is_empty(), "they are reserved");
    assert_eq!(config.warnings, []);
}

/// Lines that begin with `#` and no space are taken out; here they are put back.
#[test]
fn the_example_protects_a_repository_on_github_and_tells_slack_once_its_lines_are_put_back() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("app.pem"), PRIVATE_KEY).expect("written");
    let put_back = |line: &str| match line.strip_prefix('#') {
        Some(code) if !code.is_empty() && (!code.starts_with(' ') || code.starts_with("    ")) => {
            format!("{code}\n")
        }
        Some(_) | None => format!("{line}\n"),
    };
    let text: String = EXAMPLE.lines().map(put_back).collect();
    let config =
        parse(&text, &folder.path().join("countersign.toml"), &environment).expect("a configuration");
    let github = ForgeName::new("github");
    let production = config.policies.find(&github, "Acme/Shop", "Production").expect("an entry");
    let team = |name: &str| rule(Grantee::Team(name.to_owned()), 1);
    assert_eq!(production.policy.rules, [team("acme/qa"), team("acme/sre")]);
    assert_eq!((production.gate, config.warnings.len()), (Gate::ProtectionRule, 0));
    assert_eq!(production.notify.first().expect("a channel").to_string(), "slack:C0DEPLOYS");
    assert!(production.mention);
    assert_eq!(config.people.all()[0].accounts.len(), 3);
}

#[test]
fn every_value_arrives_where_it_belongs() {
    let text = r#"
        server = { listen = "[::1]:9000", public_url = "https://deploys.example.com/x" }
        store = { url = "sqlite:///var/lib/countersign.db" }
        [[gitlab]]
        name = "git_2"
        url = "http://localhost:3000/gitlab"
        token = "glpat-1"
        sudo_token = "glpat-2"
        signing_tokens = [{ env = "SIGNING_TOKEN" }]
        vote_as = "sudo"
        merge_request_approval = "ignore"
        poll = "5m"
        [[environment]]
        on = "git_2"
        project = "acme/shop"
        name = "production"
    "#;
    let config = sound(text);
    assert_eq!(config.server.listen.to_string(), "[::1]:9000");
    assert_eq!(config.server.public_url.expect("an address").as_str(), "https://deploys.example.com/x");
    assert_eq!(config.store.to_string(), "/var/lib/countersign.db");
    let [gitlab] = config.gitlab.as_slice() else { panic!("one forge") };
    assert_eq!(gitlab.name.as_str(), "git_2");
    assert_eq!(gitlab.url.as_str(), "http://localhost:3000/gitlab");
    assert_eq!(gitlab.token.expose_secret(), "glpat-1");
    assert_eq!(gitlab.sudo_token.as_ref().expect("a token").expose_secret(), "glpat-2");
    assert_eq!(gitlab.signing_tokens[0].expose_secret(), SIGNING_TOKEN);
    assert_eq!(gitlab.merge_request_approval, MergeRequestApproval::Ignore);
    assert_eq!((gitlab.vote_as, gitlab.poll), (VoteAs::Sudo, SignedDuration::from_mins(5)));
}

#[rstest]
#[case::user("user = \"dana\"", Grantee::User("dana".to_owned()))]
#[case::number("user_id = 42", Grantee::UserId(UserId(42)))]
#[case::group("group = \"acme/sre\"", Grantee::Group { path: "acme/sre".to_owned(), inherited: false })]
#[case::word("access_level = \"owner\"", Grantee::AccessLevel(50))]
#[case::level("access_level = 35", Grantee::AccessLevel(35))]
fn a_grantee_is_one_of_four(#[case] key: &str, #[case] expected: Grantee) {
    let by_level = sound(&entry(&format!("deploy_access_levels = [{{ {key} }}]\n")));
    let by_rule = sound(&entry(&format!("approval_rules = [{{ {key} }}]\n")));
    assert_eq!(production(&by_level).policy.rules, [rule(expected.clone(), 1)]);
    assert_eq!(production(&by_rule).policy.rules, [rule(expected, 1)]);
}

#[test]
fn with_sudo_gitlab_decides_at_its_own_gate_and_our_policy_at_a_manual_job() {
    let sudo = "vote_as = \"sudo\"\nsudo_token = \"glpat-2\"";
    let native =
        sound(&gitlab(sudo).replace("deploy_access_levels = [{ access_level = \"maintainer\" }]\n", ""));
    assert_eq!((production(&native).vote_as, production(&native).policy.rules.len()), (VoteAs::Sudo, 0));
    let manual = sound(&format!("{}gate = \"manual_job\"", gitlab(sudo)));
    assert_eq!((production(&manual).vote_as, production(&manual).policy.rules.len()), (VoteAs::Bot, 1));
}

#[test]
fn secrets_come_from_files_beside_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("token"), "glpat-from-file\r\n").expect("written");
    let path = folder.path().join("countersign.toml");
    fs::write(&path, MINIMAL.replace("{ env = \"GITLAB_TOKEN\" }", "{ file = \"token\" }")).expect("written");
    let config = load(&path, &environment).expect("a configuration");
    assert_eq!(config.gitlab[0].token.expose_secret(), "glpat-from-file");
}

#[test]
fn what_is_odd_is_a_warning() {
    let second = "[[gitlab]]\nname = \"idle\"\nurl = \"https://a\"\ntoken = \"a\"\nsecret_tokens = [\"a\"]\n";
    let (_, entry) = MINIMAL.split_once("\n\n").expect("an entry");
    let rules = "required_approval_count = 2\n";
    let both = "approval_rules = [{ user = \"dana\", required_approvals = 2 }]\n";
    let text = format!("{second}{MINIMAL}{rules}{entry}{both}");
    let warnings: Vec<String> = sound(&text).warnings.iter().map(ToString::to_string).collect();
    assert_snapshot!(warnings.join("\n"), @r#"
    line 1: no `[[environment]]` is on `idle`, so nothing there is ever approved; add one with `on = "idle"`
    line 18: this entry is never used: an earlier one matches all that it could; remove it, or put it first; the first match wins
    line 22: `deploy_access_levels` has no say beside `approval_rules`; remove one of them
    line 23: 2 approvals are needed, but fewer people are named; name more people, or ask for fewer approvals
    "#);
}

#[rstest]
#[case("required_aproval_count", Some("required_approval_count"))]
#[case("Listen", Some("listen"))]
#[case("lsten", Some("listen"))]
#[case("public", None)]
#[case("", None)]
fn a_misspelt_key_resembles_a_known_one(#[case] word: &str, #[case] expected: Option<&str>) {
    assert_eq!(nearest::nearest(word, ["listen", "required_approval_count"]), expected);
}

#[test]
fn a_store_in_postgresql_keeps_its_password_to_itself() {
    for url in
        ["\"postgres://dana:hunter2@db.example.com:6432/ledger?sslmode=require\"", "{ env = \"DATABASE\" }"]
    {
        let text = format!("store = {{ url = {url} }}\n{MINIMAL}");
        let environment = |name: &str| match name {
            "DATABASE" => Some("postgresql://dana:hunter2@db.example.com/ledger\n".to_owned()),
            name => super::environment(name),
        };
        let config = parse(&text, std::path::Path::new("countersign.toml"), &environment).unwrap();
        assert!(matches!(config.store, StoreUrl::Postgres(_)));
        assert_eq!(config.store.to_string(), "postgres://db.example.com/ledger");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
