//! `[[github]]`, and what an `[[environment]]` on one may say.

use super::faulty::{faults, report};
use super::{MINIMAL, MINIMAL_GITHUB, PRIVATE_KEY, sound};
use crate::config::{Config, GitHub};
use crate::domain::id::ForgeName;
use crate::domain::policy::{Entry, Gate, Grantee, Role, VoteAs};
use insta::assert_snapshot;
use jiff::SignedDuration;
use rstest::rstest;
use secrecy::ExposeSecret as _;

const SECRETS: &str = "[{ env = \"GITHUB_WEBHOOK_SECRET\" }]";

/// The one GitHub of a configuration.
fn only(config: &Config) -> &GitHub {
    let [github] = config.github.as_slice() else { panic!("one GitHub") };
    github
}

fn entry<'a>(config: &'a Config, project: &str, environment: &str) -> Option<&'a Entry> {
    config.policies.find(&ForgeName::new("github"), project, environment)
}

/// The minimal GitHub with `keys` added to it.
fn github(keys: &str) -> String {
    MINIMAL_GITHUB.replace("\n\n[[environment]]", &format!("\n{keys}\n\n[[environment]]"))
}

/// The minimal GitHub with its environment's `deploy_access_levels` replaced by `keys`.
fn with_entry(keys: &str) -> String {
    MINIMAL_GITHUB.replace("deploy_access_levels = [{ role = \"maintain\" }]\n", keys)
}

#[test]
fn a_github_alone_is_enough() {
    let config = sound(MINIMAL_GITHUB);
    let github = only(&config);
    assert_eq!((github.name.as_str(), github.app_id), ("github", 12345));
    assert_eq!(github.api_url.as_str(), "https://api.github.com/");
    assert_eq!(github.poll, SignedDuration::from_mins(5));
    assert_eq!(github.private_key.expose_secret(), PRIVATE_KEY.trim_end());
    assert_eq!(github.webhook_secrets[0].expose_secret(), "value of GITHUB_WEBHOOK_SECRET");
    let production = entry(&config, "acme/shop", "production").expect("an entry");
    assert_eq!((production.gate, production.vote_as), (Gate::ProtectionRule, VoteAs::Bot));
    assert_eq!(config.gitlab.len() + config.warnings.len(), 0);
}

#[test]
fn an_enterprise_server_has_its_own_address_and_name() {
    let text = github("name = \"ghes\"\napi_url = \"https://github.example.com/api/v3\"\npoll = \"1s\"");
    let config = sound(&text.replace("on = \"github\"", "on = \"ghes\""));
    let github = only(&config);
    assert_eq!(github.name.as_str(), "ghes");
    assert_eq!(github.api_url.as_str(), "https://github.example.com/api/v3");
    assert_eq!(github.poll, SignedDuration::from_secs(1));
}

#[test]
fn names_are_the_same_in_upper_and_lower_case_on_github_alone() {
    let both = sound(&format!("{MINIMAL}{MINIMAL_GITHUB}"));
    assert!(entry(&both, "Acme/Shop", "PRODUCTION").is_some());
    assert!(both.policies.find(&ForgeName::new("gitlab"), "acme/shop", "PRODUCTION").is_none());
}

#[rstest]
#[case::user("user = \"dana\"", Grantee::User("dana".to_owned()))]
#[case::managed_user("user = \"dana_acme\"", Grantee::User("dana_acme".to_owned()))]
#[case::team("team = \"acme/sre\"", Grantee::Team("acme/sre".to_owned()))]
#[case::write("role = \"write\"", Grantee::Role(Role::Write))]
#[case::maintain("role = \"maintain\"", Grantee::Role(Role::Maintain))]
#[case::admin("role = \"admin\"", Grantee::Role(Role::Admin))]
fn a_grantee_is_one_of_three(#[case] key: &str, #[case] expected: Grantee) {
    let by_level = sound(&with_entry(&format!("deploy_access_levels = [{{ {key} }}]\n")));
    let by_rule = sound(&with_entry(&format!("approval_rules = [{{ {key}, required_approvals = 2 }}]\n")));
    for (config, count) in [(by_level, 1), (by_rule, 2)] {
        let production = entry(&config, "acme/shop", "production").expect("an entry");
        let [rule] = production.policy.rules.as_slice() else { panic!("one rule") };
        assert_eq!(
            (rule.grantees.as_slice(), rule.required_approvals),
            ([expected.clone()].as_slice(), count)
        );
    }
}

#[test]
fn a_key_with_the_line_ends_of_another_system_is_a_key() {
    let key = PRIVATE_KEY.replace('\n', "\\r\\n");
    sound(&MINIMAL_GITHUB.replace("{ env = \"GITHUB_PRIVATE_KEY\" }", &format!("\"{key}\"")));
}

#[test]
fn faults_of_a_github() {
    assert_snapshot!(faults("[[github]]"), @r"
    1: `app_id` is missing; add `app_id` to this table
    1: `private_key` is missing; add `private_key` to this table
    1: nothing proves that webhooks come from this forge; put the App's webhook secret into `webhook_secrets`
    ");
    assert_snapshot!(faults(&github("webhook_secret = \"a\"\napi_url = \"https://github.com\"\npoll = \"0s\"")), @r#"
    6: unknown key `webhook_secret`; did you mean `webhook_secrets`?
    7: this is the address of GitHub's pages, not of its API; write "https://api.github.com", or "https://HOST/api/v3" of an Enterprise Server
    8: `poll` is too short; the shortest is "1s"
    "#);
    let zero = MINIMAL_GITHUB.replace("12345", "0").replace(SECRETS, "[]");
    assert_snapshot!(faults(&zero), @r#"
    3: this isn't the number of an App; the App's settings page shows it as "App ID"
    5: nothing proves that webhooks come from this forge; put the App's webhook secret into `webhook_secrets`
    "#);
    let client_id = MINIMAL_GITHUB.replace("12345", "\"Iv23\"").replace(SECRETS, "[\"\"]");
    assert_snapshot!(faults(&client_id), @r"
    3: a text can't stand here; write a whole number of at most 64 bits
    5: this secret is empty; put a secret there: a missing or empty one never means that nothing is checked
    ");
    assert_snapshot!(faults(&format!("{MINIMAL}{}", github("name = \"gitlab\""))), @r#"
    17: the name `gitlab` is taken by an earlier table; give each of them a `name` of its own
    20: no forge is called "github"; the configured forges are `gitlab`, `gitlab`
    "#);
}

#[rstest]
#[case::something_else("hunter2")]
#[case::a_public_key("-----BEGIN PUBLIC KEY-----\\nhunter2\\n-----END PUBLIC KEY-----")]
#[case::on_one_line("-----BEGIN RSA PRIVATE KEY-----\\\\nhunter2\\\\n-----END RSA PRIVATE KEY-----")]
#[case::cut_off("-----BEGIN RSA PRIVATE KEY-----")]
fn what_is_no_private_key_is_found_without_being_shown(#[case] key: &str) {
    let text = MINIMAL_GITHUB.replace("{ env = \"GITHUB_PRIVATE_KEY\" }", &format!("\"{key}\""));
    let told = report(&text);
    assert!(
        [
            "error: this isn't a private key in PEM form",
            "error: this is PEM, but no private key",
            "error: this private key breaks off"
        ]
        .iter()
        .any(|title| told.contains(title)),
        "{told}"
    );
    assert!(told.ends_with("1 fault") && !told.contains("hunter2"), "{told}");
}

#[test]
fn faults_of_an_environment_on_github() {
    assert_snapshot!(faults(&MINIMAL_GITHUB.replace("acme/**", "acme").replace("production", "")), @r#"
    9: no repository is called like this; write its owner and its name, such as "acme/shop"
    10: a pattern can't be empty; `*` stands for anything within a path segment, `**` for anything at all
    "#);
    assert_snapshot!(faults(&format!("{MINIMAL_GITHUB}gate = \"manual_job\"\nstart_when_approved = false")), @r#"
    12: `manual_job` is a gate of GitLab's; on GitHub write "protection_rule"
    13: GitHub starts the job itself once every protection rule is met; remove this line: what is approved there can't be held back
    "#);
    assert_snapshot!(faults(&format!("{MINIMAL_GITHUB}gate = \"protection-rule\"\nnotify = [\"slack:C0DEPLOYS\"]")), @r#"
    12: unknown word "protection-rule"; did you mean "protection_rule"?
    13: no chat is called "slack"; add a `[[slack]]` or a `[[mattermost]]` table
    "#);
    assert_snapshot!(faults(&with_entry("")), @r"
    7: this environment names nobody who may approve; add `deploy_access_levels` or `approval_rules`
    ");
    assert_snapshot!(faults(&with_entry("deploy_access_levels = []")), @r"
    11: this environment names nobody who may approve; name at least one `user`, `team` or `role`
    ");
}

#[test]
fn faults_of_grantees_on_github() {
    let grantees = r#"
        { user = "dana", team = "acme/sre" },
        { user = "@dana" },
        { user_id = 7 },
        { group = "acme/sre" },
        { access_level = "maintainer" },
        { team = "acme/sre", inherited = true },
        { team = "@acme/sre" },
        { team = "sre" },
        { role = "maintainer" },
        { role = "read" },
        {},
    "#;
    assert_snapshot!(faults(&with_entry(&format!("deploy_access_levels = [{grantees}]"))), @r#"
    12: a grantee is exactly one of `user`, `team` or `role`; write one `{ … }` for each
    13: this isn't a user name; write it without `@`, such as "dana"
    14: `user_id` has no meaning on GitHub; here a grantee is exactly one of `user`, `team` or `role`
    15: `group` has no meaning on GitHub; here a grantee is exactly one of `user`, `team` or `role`
    16: `access_level` has no meaning on GitHub; here a grantee is exactly one of `user`, `team` or `role`
    17: `inherited` has no meaning on GitHub; remove it: members of a team's child teams always count
    18: no team is called like this; write its organisation and its slug, such as "acme/sre"
    19: no team is called like this; write its organisation and its slug, such as "acme/sre"
    20: unknown word "maintainer"; did you mean "maintain"?
    21: unknown word "read"; the words here are "write", "maintain", "admin"
    22: a grantee is exactly one of `user`, `team` or `role`; write one `{ … }` for each
    "#);
}

/// Where the forge isn't known, nothing is said of words that one of the kinds has.
#[test]
fn an_unknown_forge_is_the_only_fault() {
    let text = MINIMAL_GITHUB.replace("on = \"github\"", "on = \"hub\"");
    assert_snapshot!(faults(&format!("{text}gate = \"protection_rule\"")), @r#"
    8: no forge is called "hub"; the configured forges are `github`
    "#);
}
