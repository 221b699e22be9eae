use super::{MINIMAL, SIGNING_TOKEN, entry, environment, gitlab, read, sound};
use crate::config::report::{Finding, line_of};
use crate::config::{load, parse};
use crate::domain::matching::MAX_RULES;
use insta::assert_snapshot;
use std::fs;
use std::path::Path;

pub(super) fn report(text: &str) -> String {
    read(text).expect_err("a fault").to_string()
}

/// Each fault of a text as `line: what; remedy`.
pub(super) fn faults(text: &str) -> String {
    let faults = read(text).expect_err("a fault");
    let line = |finding: &Finding| {
        let line = finding.span.as_ref().map_or(0, |span| line_of(text, span.start));
        format!("{line}: {}; {}", finding.title, finding.help)
    };
    faults.findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_configuration_that_is_not_there_says_how_to_make_one() {
    let faults = load(Path::new("nowhere/countersign.toml"), &environment).expect_err("a fault");
    assert_eq!(faults.count(), 1);
    assert_snapshot!(faults, @r"
    error: there is no configuration file here
    --> nowhere/countersign.toml
     = help: copy config/countersign.example.toml there and fill it in, or name another file with --config or COUNTERSIGN_CONFIG

    nowhere/countersign.toml: 1 fault
    ");
}

/// Ten different faults.
const TEN_FAULTS: &str = r#"[server]
lisen = "127.0.0.1:8080"
public_url = 8080

[store]
url = "firebird://dana:hunter2@db/countersign"

[[gitlab]]
name = "Git Lab"
url = "https://gitlab.com"
token = { env = "UNSET" }
signing_tokens = ["whsec_hunter2"]
poll = "0s"

[[environment]]
on = "gitlab"
project = "acme/shop"
name = "production"
deploy_access_levels = [{ access_level = "maintaner" }, { inherited = true, user = "dana" }]
required_approval_count = 0
"#;

#[test]
#[expect(clippy::too_many_lines, reason = "the report is what it is")]
fn ten_faults_are_shown_at_once() {
    assert_eq!(read(TEN_FAULTS).expect_err("faults").count(), 10);
    assert_snapshot!(report(TEN_FAULTS), @r#"
    error: unknown key `lisen`
     --> countersign.toml:2:1
      |
    2 | lisen = "**************"
      | ^^^^^
      |
      = help: did you mean `listen`?

    error: a whole number can't stand here
     --> countersign.toml:3:14
      |
    3 | public_url = 8080
      |              ^^^^
      |
      = help: write a text in quotes

    error: this isn't the address of a store
     --> countersign.toml:6:7
      |
    6 | url = "**************************************"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write "sqlite:" and the path of a file, such as "sqlite:countersign.db", or "postgres://user@host/database"

    error: "Git Lab" can't be a name
     --> countersign.toml:9:8
      |
    9 | name = "Git Lab"
      |        ^^^^^^^^^
      |
      = help: a name has lower-case letters, digits, `_` and `-`: it becomes part of the hook's path

    error: the environment variable `UNSET` isn't set
      --> countersign.toml:11:9
       |
    11 | token = { env = "UNSET" }
       |         ^^^^^^^^^^^^^^^^^
       |
       = help: export it before starting, or use { file = … }

    error: a signing token is `whsec_` followed by base64
      --> countersign.toml:12:19
       |
    12 | signing_tokens = ["*************"]
       |                   ^^^^^^^^^^^^^^^
       |
       = help: GitLab takes `whsec_` and base64 of 32 random bytes; other tokens go to `secret_tokens`

    error: `poll` is too short
      --> countersign.toml:13:8
       |
    13 | poll = "0s"
       |        ^^^^
       |
       = help: the shortest is "1s"

    error: unknown word "maintaner"
      --> countersign.toml:19:42
       |
    19 | deploy_access_levels = [{ access_level = "maintaner" }, { inherited = true, user = "dana" }]
       |                                          ^^^^^^^^^^^
       |
       = help: did you mean "maintainer"?

    error: `inherited` without `group`
      --> countersign.toml:19:71
       |
    19 | deploy_access_levels = [{ access_level = "maintaner" }, { inherited = true, user = "dana" }]
       |                                                                       ^^^^
       |
       = help: remove it: only members of a `group` can be inherited

    error: a policy that needs nobody would approve by itself
      --> countersign.toml:20:27
       |
    20 | required_approval_count = 0
       |                           ^
       |
       = help: ask for at least one approval; without a gate no entry is needed

    countersign.toml: 10 faults
    "#);
}

#[test]
fn what_is_not_toml_is_shown_at_its_place_without_what_could_be_secret() {
    let text = MINIMAL.replace("{ env = \"GITLAB_TOKEN\" }", "\"glpat-hunter2");
    assert_snapshot!(report(&text), @r#"
    error: this isn't TOML: invalid basic string, expected `"`
     --> countersign.toml:4:23
      |
    4 | token = "*************
      |                       ^
      |
      = help: https://toml.io shows how it is written; further faults show once this one is mended

    countersign.toml: 1 fault
    "#);
}

#[test]
fn no_secret_is_in_a_report_or_in_debug() {
    let places = r#"
        tokne = "hunter2"
        tokens = ["hunter2"]
        [server]
        public_url = "https://dana:hunter2@example.com"
        api_tokens = ["hunter2\u0001", { env = "hunter2-pasted" }, { value = "hunter2" }]
        [store]
        url = "mysql://dana:hunter2@db/countersign"
        [[gitlab]]
        url = "https://example.com?private_token=hunter2"
        token = ["hunter2"]
        sudo_token = "hunter2"
        signing_tokens = ["hunter2", "whsec_hunter2"]
        secret_tokens = { a = "hunter2" }
        [[github]]
        api_url = "https://dana:hunter2@example.com"
        private_key = "-----BEGIN RSA PUBLIC KEY-----\nhunter2"
        webhook_secrets = "hunter2"
        [[slack]]
        api_url = "https://dana:hunter2@example.com"
        bot_token = ["hunter2"]
        signing_secret = "hunter2"
        [[mattermost]]
        url = "https://chat.example.com?token=hunter2"
        command_tokens = ["hunter2\u0001"]
        [[person]]
        bot_token = "hunter2"
    "#;
    assert!(!report(places).contains("hunter2"), "{}", report(places));
    let config = sound(&gitlab("signing_tokens = [{ env = \"SIGNING_TOKEN\" }]"));
    assert!(!format!("{config:?}").contains(SIGNING_TOKEN));
    assert!(!format!("{config:?}").contains("value of"));
}

#[test]
fn faults_of_shape() {
    assert_snapshot!(faults(&format!("server = 1\nstore = []\n{MINIMAL}")), @r"
    1: a whole number can't stand here; write a table, `[server]`
    2: a list can't stand here; write a table, `[store]`
    ");
    assert_snapshot!(faults("gitlab = {}\nenvironment = [1]"), @r"
    1: a table can't stand here; write a list of tables, `[[gitlab]]` or `gitlab = [{ … }]`
    2: a whole number can't stand here; write a table, `{ … }`
    ");
    assert_snapshot!(faults(&gitlab("poll = 60\nvote_as = true\nname = 1.5\nsigning_tokens = \"a\"")), @r"
    6: a whole number can't stand here; write a text in quotes
    7: a switch can't stand here; write a text in quotes
    8: a fraction can't stand here; write a text in quotes
    9: a text can't stand here; write a list of secrets
    ");
    assert_snapshot!(faults(&gitlab("webhook_url = \"x\"\nsigning_tokens = [1, {}, { env = \"A\", file = \"b\" }]")), @r#"
    6: unknown key `webhook_url`; the keys here are `name`, `url`, `token`, `sudo_token`, `signing_tokens`, `secret_tokens`, `vote_as`, `merge_request_approval`, `poll`
    7: a whole number can't stand here; write "a text", { env = "NAME" } or { file = "path" }
    7: a secret comes from exactly one place; write "a text", { env = "NAME" } or { file = "path" }
    7: a secret comes from exactly one place; write "a text", { env = "NAME" } or { file = "path" }
    "#);
    assert_snapshot!(faults(&entry("required_approval_count = 1979-05-27\napproval_rules = {}\n")), @r"
    11: a date can't stand here; write a whole number of at most 64 bits
    12: a table can't stand here; write a list of tables, `[[approval_rules]]` or `approval_rules = [{ … }]`
    ");
    assert_snapshot!(faults(&entry("required_approval_count = 99999999999999999999\napproval_rules = [{}]")), @r"
    11: a whole number can't stand here; write a whole number of at most 64 bits
    12: a grantee is exactly one of `user`, `user_id`, `group` or `access_level`; write one `{ … }` for each
    ");
}

#[test]
fn faults_of_server_and_store() {
    let text = format!(
        "server = {{ listen = \"localhost\", public_url = \"ftp://example.com\", client_address_header = \"X Forwarded\" }}\n{MINIMAL}"
    );
    assert_snapshot!(faults(&text), @r#"
    1: `listen` isn't an address to listen on; write an IP address and a port, such as "127.0.0.1:8080" or "[::]:8080"
    1: this isn't an http or https address; write it plain, such as "https://countersign.example.com"
    1: `client_address_header` isn't the name of a header; write the name of one, such as "X-Forwarded-For"
    "#);
    assert_snapshot!(faults(&format!("store = {{ url = \"mysql:x\" }}\n{MINIMAL}")), @r#"
    1: this isn't the address of a store; write "sqlite:" and the path of a file, such as "sqlite:countersign.db", or "postgres://user@host/database"
    "#);
    assert_snapshot!(faults(&format!("store = {{ url = \"postgres://db:port/ledger\" }}\n{MINIMAL}")), @r#"
    1: this isn't the address of a PostgreSQL database; write "postgres://user:password@host/database", with signs such as `@`, `/`, `?` and `#` in a password as %40, %2F, %3F and %23
    "#);
    assert_snapshot!(faults(&format!("store = {{ url = \"postgres://dana:hun@ter/2@db/l\" }}\n{MINIMAL}")), @r#"
    1: an `@` stands where none can be in the address of a PostgreSQL database; write "postgres://user:password@host/database", with signs such as `@`, `/`, `?` and `#` in a password as %40, %2F, %3F and %23
    "#);
    assert_snapshot!(faults(&format!("store = {{ url = \"sqlite::memory:\" }}\n{MINIMAL}")), @r#"
    1: the store needs the path of a file, and nothing else; write "sqlite:" and the path of a file, such as "sqlite:countersign.db", or "postgres://user@host/database"
    "#);
}

#[test]
fn faults_of_a_forge() {
    assert_snapshot!(faults(""), @r"
    0: no forge is configured; add a `[[gitlab]]` or a `[[github]]` table
    ");
    assert_snapshot!(faults("[[gitlab]]"), @r"
    1: `url` is missing; add `url` to this table
    1: `token` is missing; add `token` to this table
    1: nothing proves that webhooks come from this forge; add `signing_tokens` (GitLab 19.0 and later) or `secret_tokens` (every version)
    ");
    assert_snapshot!(faults(&format!("[[gitlab]]\nurl = \"https://a\"\ntoken = \"a\"\nsecret_tokens = [\"a\"]\n{MINIMAL}")), @r"
    6: the name `gitlab` is taken by an earlier table; give each of them a `name` of its own
    ");
    assert_snapshot!(faults(&gitlab("vote_as = \"user\"\nmerge_request_approval = \"hnit\"\npoll = \"soon\"")), @r#"
    6: this version can't vote with people's own OAuth tokens; write "bot" or "sudo"
    7: unknown word "hnit"; the words here are "hint", "ignore"
    8: `poll` isn't a length of time; write it as "30s", "5m" or "1h"
    "#);
    assert_snapshot!(faults(&gitlab("vote_as = \"nobody\"\nsudo_token = \"a\"")), @r#"
    6: unknown word "nobody"; the words here are "bot", "sudo"
    "#);
    assert_snapshot!(faults(&gitlab("sudo_token = \"a\"\nsigning_tokens = [\"abc\", \"whsec_\"]")), @r#"
    6: `sudo_token` is used by `vote_as = "sudo"` only; remove it, or write `vote_as = "sudo"`: so strong a token shouldn't lie about unused
    7: a signing token is `whsec_` followed by base64; GitLab takes `whsec_` and base64 of 32 random bytes; other tokens go to `secret_tokens`
    7: a signing token is `whsec_` followed by base64; GitLab takes `whsec_` and base64 of 32 random bytes; other tokens go to `secret_tokens`
    "#);
    assert_snapshot!(faults(&gitlab("vote_as = \"sudo\"")), @r#"
    2: `vote_as = "sudo"` needs a `sudo_token`; add `sudo_token`, an administrator's token with the scope `sudo`
    12: with `vote_as = "sudo"` and gate `native` GitLab's own rules decide; remove this: a second policy here would be believed and never asked
    "#);
}

#[test]
fn faults_of_secrets() {
    let secrets = r#"signing_tokens = ["", { env = "UNSET" }, { env = "EMPTY" }, { env = "a b" }]"#;
    assert_snapshot!(faults(&gitlab(secrets)), @r"
    6: this secret is empty; put a secret there: a missing or empty one never means that nothing is checked
    6: the environment variable `UNSET` isn't set; export it before starting, or use { file = … }
    6: the environment variable `EMPTY` is empty; put a secret there: a missing or empty one never means that nothing is checked
    6: this isn't the name of an environment variable; letters, digits and underscores; a secret itself is written in plain quotes
    ");
    assert_snapshot!(faults(&gitlab(r#"signing_tokens = [{ file = "nowhere/token" }]"#)), @r"
    6: the secret file nowhere/token can't be read: No such file or directory (os error 2); put a secret there: a missing or empty one never means that nothing is checked
    ");
    assert_snapshot!(faults(&MINIMAL.replace("{ env = \"GITLAB_TOKEN\" }", r#""two\nlines""#)), @r"
    4: this secret has characters that no HTTP header can carry; it must be one line of plain ASCII
    ");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("token"), "\n").expect("written");
    let text = MINIMAL.replace("{ env = \"GITLAB_TOKEN\" }", "{ file = \"token\" }");
    let faults = parse(&text, &folder.path().join("countersign.toml"), &environment).expect_err("a fault");
    assert!(faults.findings[0].title.ends_with("token is empty"));
}

#[test]
fn faults_of_an_environment() {
    assert_snapshot!(faults(&format!("{MINIMAL}\n[[environment]]")), @r"
    13: `on` is missing; add `on` to this table
    13: `project` is missing; add `project` to this table
    13: `name` is missing; add `name` to this table
    ");
    assert_snapshot!(faults(&MINIMAL.replace("on = \"gitlab\"", "on = \"github\"")), @r#"
    8: no forge is called "github"; the configured forges are `gitlab`
    "#);
    assert_snapshot!(faults(&MINIMAL.replace("acme/**", "/acme/").replace("production", "***")), @r#"
    9: no project's path looks like this; write the full path, such as "acme/shop", or a glob over it, such as "acme/**"
    10: only `*` (within a path segment) and `**` (across segments) have a meaning, not `***`; `*` stands for anything within a path segment, `**` for anything at all
    "#);
    assert_snapshot!(faults(&format!("{MINIMAL}gate = \"protection_rule\"\nnotify = [\"slack:C0DEPLOYS\"]")), @r#"
    12: `protection_rule` is a gate of GitHub's; on GitLab write "native" or "manual_job"
    13: no chat is called "slack"; add a `[[slack]]` or a `[[mattermost]]` table
    "#);
    assert_snapshot!(faults(&entry("")), @r"
    7: this environment names nobody who may approve; add `deploy_access_levels` or `approval_rules`
    ");
}

#[test]
fn faults_of_a_policy() {
    assert_snapshot!(faults(&entry("deploy_access_levels = []")), @r"
    11: this environment names nobody who may approve; name at least one `user`, `user_id`, `group` or `access_level`
    ");
    assert_snapshot!(faults(&entry("approval_rules = []\nrequired_approval_count = 2")), @r"
    11: a policy that needs nobody would approve by itself; ask for at least one approval; without a gate no entry is needed
    12: `required_approval_count` beside `approval_rules`; remove it: each rule has its own `required_approvals`
    ");
    assert_snapshot!(faults(&entry("approval_rules = [{ user = \"dana\", required_approvals = 0 }]")), @r"
    11: a policy that needs nobody would approve by itself; ask for at least one approval; without a gate no entry is needed
    ");
    assert_snapshot!(faults(&format!("{MINIMAL}required_approval_count = -1")), @r"
    12: this isn't a number of people; write 1 or more
    ");
    let many = ["{ user = \"dana\" }"; MAX_RULES + 1].join(", ");
    assert_snapshot!(faults(&entry(&format!("approval_rules = [{many}]"))), @r"
    11: 11 approval rules are too many; at most 10 rules can be filled with people in bounded time
    ");
    let sudo = gitlab("vote_as = \"sudo\"\nsudo_token = \"a\"");
    assert_snapshot!(faults(&format!("{sudo}required_approval_count = 2\nallow_self_approval = true")), @r#"
    13: with `vote_as = "sudo"` and gate `native` GitLab's own rules decide; remove this: a second policy here would be believed and never asked
    14: with `vote_as = "sudo"` and gate `native` GitLab's own rules decide; remove this: a second policy here would be believed and never asked
    "#);
}

#[test]
fn faults_of_grantees() {
    let grantees = r#"
        { user = "dana", group = "acme/sre" },
        { user = "@dana" },
        { user_id = 0 },
        { group = "acme/*" },
        { access_level = "mantainer" },
        { access_level = 61 },
        { access_level = 40, inherited = true },
        { team = "acme/sre" },
    "#;
    assert_snapshot!(faults(&entry(&format!("deploy_access_levels = [{grantees}]"))), @r#"
    12: a grantee is exactly one of `user`, `user_id`, `group` or `access_level`; write one `{ … }` for each
    13: this isn't a user name; write it without `@`, such as "dana"
    14: this isn't a user's number; write 1 or more
    15: no group's path looks like this; write its full path, such as "acme/sre"
    16: unknown word "mantainer"; did you mean "maintainer"?
    17: there is no such access level; 30 is developer, 40 maintainer, 50 owner, 60 admin; each means "at least"
    18: `inherited` without `group`; remove it: only members of a `group` can be inherited
    19: `team` has no meaning on GitLab; here a grantee is exactly one of `user`, `user_id`, `group` or `access_level`
    "#);
}

#[test]
fn a_poll_that_would_heal_nothing_is_too_long() {
    let long = super::MINIMAL.replace("[[environment]]", "poll = \"25h\"\n[[environment]]");
    assert!(report(&long).contains("`poll` is too long"), "{}", report(&long));
}
