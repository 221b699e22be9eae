//! `check` against the twin's GitHub: what it finds, and what it says would mend it.

use assert_cmd::Command;
use axum::Router;
use countersign::cli::wiring::SystemClock;
use countersign::domain::id::ForgeName;
use countersign::ports::clock::Clock as _;
use countersign::ports::store::Store as _;
use countersign::sim::faults::{Action, Rule};
use countersign::sim::github::{
    App, GitHub, InstallationId, Level, Plan, RepositoryId, Reviewer, TeamState, UserId,
};
use countersign::store::sqlite::{Access, SqliteStore, Surroundings};
use serde_json::json;
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

const HOOK: &str = "https://countersign.example.com/hooks/github";
const EVENTS: [&str; 8] = [
    "deployment_protection_rule",
    "issue_comment",
    "pull_request_review",
    "commit_comment",
    "workflow_run",
    "workflow_job",
    "deployment_status",
    "deployment_review",
];

/// `acme/shop` as it should be: each test spoils one thing.
struct Ward {
    github: GitHub,
    url: String,
    app: App,
    acme: UserId,
    installation: InstallationId,
    shop: RepositoryId,
    alice: UserId,
    folder: TempDir,
    settings: String,
    policy: String,
}

impl Ward {
    async fn new() -> Self {
        let github = GitHub::new(Arc::new(|| SystemClock.now()));
        github.set_auto_deliver(false);
        let url = github.start().await.unwrap();
        let acme = github.add_org("acme");
        let shop = github.add_repository("acme/shop");
        let alice = github.add_user("alice");
        github.add_collaborator(shop, alice, Level::Maintain);
        let app = github.register_app("countersign");
        let installation = github.install(app.id, acme);
        github.set_permissions(app.id, &[("contents", "read")]);
        github.set_events(app.id, &EVENTS);
        github.set_hook_url(app.id, HOOK);
        github.add_environment(shop, "production");
        github.enable_rule(shop, "production", app.id).unwrap();
        github.set_can_admins_bypass(shop, "production", false);
        let policy = "[[environment]]\non = \"github\"\nproject = \"acme/shop\"\nname = \"production\"\n\
                      deploy_access_levels = [{ user = \"alice\" }]\n";
        let (settings, policy) = (String::new(), policy.to_owned());
        let folder = tempfile::tempdir().unwrap();
        Self { github, url, app, acme, installation, shop, alice, folder, settings, policy }
    }

    /// Exit code and everything that was printed.
    fn check_with(&self, flags: &[&str]) -> (i32, String) {
        let App { id, private_key_pem, webhook_secret, .. } = &self.app;
        let (url, settings, policy) = (&self.url, &self.settings, &self.policy);
        std::fs::write(self.folder.path().join("app.pem"), private_key_pem).unwrap();
        let store = self.folder.path().join("ledger.db");
        let text = format!(
            "[server]\npublic_url = \"https://countersign.example.com\"\n[store]\nurl = \"sqlite:{}\"\n\
             [[github]]\napi_url = \"{url}\"\napp_id = {id}\nprivate_key = {{ file = \"app.pem\" }}\n\
             webhook_secrets = [\"{webhook_secret}\"]\n{settings}{policy}",
            store.display()
        );
        let config = self.folder.path().join("countersign.toml");
        std::fs::write(&config, text).unwrap();
        let mut command = Command::cargo_bin("countersign").unwrap();
        let output =
            command.arg("check").args(flags).arg("--config").arg(config).env_remove("RUST_LOG").output();
        let output = output.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains("ghs_") && !text.contains("PRIVATE KEY"), "{text}");
        assert!(!text.contains(webhook_secret.as_str()), "{text}");
        (output.status.code().unwrap(), text)
    }

    fn check(&self) -> (i32, String) {
        self.check_with(&[])
    }

    /// Exactly one thing is found, it contains these words, and a remedy follows, which is returned.
    fn finds(&self, words: &str) -> String {
        let (code, text) = self.check();
        let found: Vec<&str> = text.lines().filter(|line| line.starts_with("finding")).collect();
        assert_eq!(code, 1, "{text}");
        assert!(found.len() == 1 && found[0].contains(words), "{text}");
        let behind = text.lines().skip_while(|line| !line.starts_with("finding")).nth(1).unwrap();
        behind.trim().strip_prefix("-> ").expect("a remedy").to_owned()
    }

    /// Exactly one thing is warned of, and nothing is found.
    fn warns(&self, words: &str) {
        let (code, text) = self.check();
        assert_eq!(code, 0, "{text}");
        let warned: Vec<&str> = text.lines().filter(|line| line.starts_with("warning")).collect();
        assert!(warned.len() == 1 && warned[0].contains(words), "{text}");
    }

    /// The twin answers a call for this path with something else.
    fn answers(&self, path: &str, body: &serde_json::Value) {
        let action = Action::Answer { status: 200, body: body.to_string() };
        self.github.add_fault(Rule::new(path, action).method("GET"));
    }

    async fn pin(&self, name: &str, id: i64) {
        let store = format!("sqlite:{}", self.folder.path().join("ledger.db").display());
        let around = Surroundings::new(Arc::new(SystemClock), TaskTracker::new());
        let store = SqliteStore::open(&store, Access::Serve, around).await.unwrap();
        store.pin(&ForgeName::new("github"), "user", name, id).await.unwrap();
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_up_well_is_called_sound() {
    let ward = Ward::new().await;
    let (code, text) = ward.check();
    assert_eq!(code, 0, "{text}");
    assert!(text.ends_with("0 findings, 0 warnings\n"), "{text}");
    for line in ["the App is @countersign", "webhook is in order", "production asks the App"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_offline() {
    let ward = Ward::new().await;
    let (code, text) = ward.check_with(&["--offline"]);
    assert_eq!(code, 0, "{text}");
    assert!(ward.github.requests().is_empty(), "{:?}", ward.github.requests());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_github_that_cant_be_reached_is_found() {
    let mut ward = Ward::new().await;
    ward.url = "http://127.0.0.1:9".into();
    ward.finds("github: its API can't be read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_app_is_found() {
    let mut ward = Ward::new().await;
    ward.app.private_key_pem = ward.github.register_app("other").private_key_pem;
    let remedy = ward.finds("the App can't be read: the token was not accepted");
    assert!(remedy.contains("`app_id` and `private_key`"), "{remedy}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_cant_sign_makes_the_configuration_unusable() {
    let mut ward = Ward::new().await;
    ward.app.private_key_pem =
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n".to_owned();
    assert_eq!(ward.check().0, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_is_found_although_github_refuses_the_app_for_it() {
    let mut ward = Ward::new().await;
    let refuse =
        || async { (axum::http::StatusCode::UNAUTHORIZED, [("date", "Thu, 01 Jan 2026 00:00:00 GMT")]) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    ward.url = format!("http://{}", listener.local_addr().unwrap());
    let tasks = TaskTracker::new();
    tasks.spawn(async move { axum::serve(listener, Router::new().fallback(refuse)).await });
    let (code, text) = ward.check();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("seconds apart, so that it refuses the App's own tokens"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_that_the_gate_needs_is_found_missing() {
    let ward = Ward::new().await;
    ward.github.set_permissions(ward.app.id, &[("deployments", "read")]);
    ward.finds("lacks the permission `deployments: write`: nothing can be released or rejected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buttons_are_missed_with_a_warning() {
    let ward = Ward::new().await;
    ward.github.set_permissions(ward.app.id, &[("checks", "none")]);
    ward.warns("lacks the permission `checks: write`: pull requests show no buttons");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_needed_where_a_policy_names_a_team_and_nowhere_else() {
    let mut ward = Ward::new().await;
    ward.github.set_permissions(ward.app.id, &[("members", "none")]);
    assert_eq!(ward.check().0, 0);
    ward.policy = ward.policy.replace("user = \"alice\"", "team = \"acme/sre\"");
    ward.finds("lacks the permission `members: read`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_that_the_owner_has_yet_to_accept_is_found() {
    let ward = Ward::new().await;
    let accepted = json!({ "deployments": "read", "actions": "read", "issues": "write", "metadata": "read",
        "pull_requests": "write", "checks": "write", "contents": "read" });
    let account = json!({ "id": ward.acme, "login": "acme" });
    let installed = json!([{ "id": ward.installation, "account": account, "permissions": accepted }]);
    ward.answers("/app/installations", &installed);
    let remedy = ward.finds("acme hasn't accepted the permission `deployments: write`");
    assert!(remedy.contains("accept the new permissions"), "{remedy}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_people_wait_for_are_found_missing_and_others_with_a_warning() {
    let ward = Ward::new().await;
    ward.github.set_events(ward.app.id, &EVENTS[..6]);
    ward.warns("isn't told of deployment_status, deployment_review,");
    ward.github.set_events(ward.app.id, &EVENTS[1..]);
    ward.finds("isn't told of deployment_protection_rule,");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_to_another_place_is_found() {
    let ward = Ward::new().await;
    ward.github.set_hook_url(ward.app.id, "https://elsewhere.example.com/hooks/github");
    ward.finds("the App's webhook doesn't go to https://countersign.example.com/hooks/github");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_sends_forms_is_found() {
    let ward = Ward::new().await;
    ward.answers("/app/hook/config", &json!({ "url": HOOK, "content_type": "form", "secret": "********" }));
    ward.finds("sends forms, not JSON");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_without_a_secret_is_found() {
    let ward = Ward::new().await;
    ward.answers("/app/hook/config", &json!({ "url": HOOK, "content_type": "json", "insecure_ssl": "0" }));
    ward.finds("the App's webhook has no secret");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_trusts_every_certificate_is_warned_of() {
    let ward = Ward::new().await;
    let hook = json!({ "url": HOOK, "content_type": "json", "secret": "********", "insecure_ssl": 1 });
    ward.answers("/app/hook/config", &hook);
    ward.warns("doesn't look at our certificate");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_never_arrived_are_warned_of() {
    let ward = Ward::new().await;
    let failed = json!([{ "id": 1, "guid": "a", "delivered_at": SystemClock.now(), "redelivery": false,
        "status": "Service Unavailable", "status_code": 503, "event": "issue_comment", "action": "created" }]);
    ward.answers("/app/hook/deliveries", &failed);
    ward.warns("1 deliveries of the last day never arrived well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_is_installed_nowhere_is_found() {
    let ward = Ward::new().await;
    ward.github.uninstall(ward.installation);
    ward.finds("the App isn't installed with any owner whom the policies name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_who_install_the_app_are_none_of_our_business() {
    let ward = Ward::new().await;
    let umbrella = ward.github.add_org("umbrella");
    let theirs = ward.github.install(ward.app.id, umbrella);
    ward.github.suspend(theirs, true);
    let (code, text) = ward.check();
    assert!(code == 0 && text.ends_with("0 findings, 0 warnings\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_installation_is_found() {
    let ward = Ward::new().await;
    ward.github.suspend(ward.installation, true);
    let (code, text) = ward.check();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the App is suspended by acme, so nothing there is decided"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repositories_that_the_app_doesnt_reach_are_found() {
    let mut ward = Ward::new().await;
    ward.github.add_repository("acme/web");
    ward.github.select_repositories(ward.installation, Some(&[ward.shop]));
    let more = ward.policy.replace("acme/shop", "acme/web") + &ward.policy.replace("acme/shop", "acme/gone");
    ward.policy.push_str(&more);
    let (code, text) = ward.check();
    assert_eq!(code, 1, "{text}");
    for path in ["acme/web", "acme/gone"] {
        assert!(
            text.contains(&format!("{path} isn't among the repositories that the App reaches")),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_repository_is_only_noted() {
    let ward = Ward::new().await;
    ward.github.archive(ward.shop, true);
    let (code, text) = ward.check();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("note     acme/shop is archived"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_that_doesnt_ask_us_is_found_with_the_command_that_mends_it() {
    let ward = Ward::new().await;
    ward.github.disable_rule(ward.shop, "production", ward.app.id);
    let remedy = ward.finds("acme/shop: production doesn't ask the App");
    let call = "'repos/acme/shop/environments/production/deployment_protection_rules'";
    assert!(remedy.contains(call) && remedy.contains("-F integration_id="), "{remedy}");
    assert!(!remedy.contains("Enterprise"), "{remedy}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_of_another_app_isnt_ours() {
    let ward = Ward::new().await;
    ward.github.disable_rule(ward.shop, "production", ward.app.id);
    let other = ward.github.register_app("other");
    ward.github.install(other.id, ward.acme);
    ward.github.enable_rule(ward.shop, "production", other.id).unwrap();
    ward.finds("acme/shop: production doesn't ask the App");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_private_repository_costs_is_said() {
    let ward = Ward::new().await;
    ward.github.set_plan(ward.acme, Plan::Team);
    ward.github.disable_rule(ward.shop, "production", ward.app.id);
    ward.github.set_private(ward.shop, true);
    let remedy = ward.finds("acme/shop: production doesn't ask the App");
    assert!(remedy.ends_with("in private repositories that takes GitHub Enterprise"), "{remedy}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_that_isnt_there_is_found() {
    let mut ward = Ward::new().await;
    ward.policy = ward.policy.replace("name = \"production\"", "name = \"live\"");
    ward.finds("acme/shop has no environment live");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_on_github_are_the_same_in_any_case() {
    let mut ward = Ward::new().await;
    ward.policy = ward.policy.replace("acme/shop", "Acme/Shop").replace("production", "PRODUCTION");
    let (code, text) = ward.check();
    assert!(code == 0 && text.contains("production asks the App"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patterns_ask_for_no_environment_but_judge_those_that_are_there() {
    let mut ward = Ward::new().await;
    ward.policy = ward.policy.replace("acme/shop", "acme/**");
    ward.github.add_repository("acme/notes");
    let web = ward.github.add_repository("acme/web");
    ward.github.add_environment(web, "production");
    ward.github.set_can_admins_bypass(web, "production", false);
    ward.finds("acme/web: production doesn't ask the App");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_that_covers_no_repository_is_warned_of() {
    let mut ward = Ward::new().await;
    ward.policy = ward.policy.replace("acme/shop", "acme/nothing-*");
    ward.warns("no project that the policies cover was active");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_holds_or_passes_a_deployment_beside_us_is_warned_of() {
    let ward = Ward::new().await;
    ward.github.set_can_admins_bypass(ward.shop, "production", true);
    ward.warns("administrators can start its jobs past every rule");
    ward.github.set_can_admins_bypass(ward.shop, "production", false);
    ward.github.set_required_reviewers(ward.shop, "production", &[Reviewer::User(ward.alice)]);
    ward.warns("also needs one of the reviewers");
    ward.github.set_required_reviewers(ward.shop, "production", &[]);
    ward.github.set_wait_timer(ward.shop, "production", 15);
    ward.warns("also waits for its timer of 15 minutes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_nobody_has_is_found() {
    let ward = Ward::new().await;
    ward.github.rename_user(ward.alice, "alicia");
    ward.finds("nobody is called alice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_moved_to_another_account_is_found() {
    let ward = Ward::new().await;
    ward.pin("alice", 4242).await;
    let remedy = ward.finds("alice first meant account 4242");
    assert!(!remedy.contains("user_id"), "{remedy}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn teams_are_looked_for() {
    let mut ward = Ward::new().await;
    ward.policy = ward.policy.replace("user = \"alice\"", "team = \"acme/sre\"");
    ward.finds("the team acme/sre can't be read");
    let sre = ward.github.add_team(ward.acme, "sre", None);
    ward.warns("the team acme/sre has no members");
    ward.github.add_team_member(sre, ward.alice, TeamState::Active);
    assert_eq!(ward.check().0, 0);
}
