//! `check` against the twin: what it finds, and what it says would mend it.

use assert_cmd::Command;
use countersign::cli::wiring::SystemClock;
use countersign::domain::id::ForgeName;
use countersign::ports::store::Store as _;
use countersign::sim::clock::HandClock;
use countersign::sim::gitlab::{
    ApprovalRule, GitLab, Grantee, HookEvent, Level, NewHook, ProjectId, ProtectedBranch,
    ProtectedEnvironment, UserId,
};
use countersign::store::sqlite::{Access, SqliteStore, Surroundings};
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

const HOOK: &str = "https://countersign.example.com/hooks/gitlab";

/// `acme/shop` as it should be: each test spoils one thing.
struct Ward {
    gitlab: GitLab,
    url: String,
    project: ProjectId,
    bot: UserId,
    folder: TempDir,
    /// Scopes of the bot's token.
    scopes: Vec<&'static str>,
    settings: String,
    policy: String,
}

/// Production, where Maintainers may deploy and nobody has to approve yet.
fn protection() -> ProtectedEnvironment {
    ProtectedEnvironment::new("production").deployers(Level::MAINTAINER)
}

impl Ward {
    async fn new() -> Self {
        // Far ahead, so that the project was active lately whenever the test runs.
        let gitlab = GitLab::new(HandClock::at("2100-01-01T08:00:00Z".parse().unwrap()).now());
        let url = gitlab.start().await.unwrap();
        gitlab.add_group("acme", None);
        let project = gitlab.add_project("acme/shop");
        let bot = gitlab.add_bot("countersign", "Countersign");
        gitlab.add_member(project, bot, Level::MAINTAINER);
        let alice = gitlab.add_user("alice", "Alice");
        gitlab.add_member(project, alice, Level::MAINTAINER);
        let policy = "[[environment]]\non = \"gitlab\"\nproject = \"acme/shop\"\nname = \"production\"\n\
                      deploy_access_levels = [{ user = \"alice\" }]\n";
        let ward = Self {
            gitlab,
            url,
            project,
            bot,
            folder: tempfile::tempdir().unwrap(),
            scopes: vec!["api"],
            settings: "secret_tokens = [\"sesame\"]\n".to_owned(),
            policy: policy.to_owned(),
        };
        ward.protect(protection().rule(ApprovalRule::user(ward.bot)));
        ward
    }

    async fn with_hook() -> Self {
        let ward = Self::new().await;
        ward.gitlab.add_hook(ward.project, NewHook::new(HOOK).every_event().token("sesame"));
        ward
    }

    fn protect(&self, protection: ProtectedEnvironment) {
        self.gitlab.unprotect_environment(self.project, "production");
        self.gitlab.protect_environment(self.project, protection);
    }

    /// Exit code and everything that was printed.
    fn check(&self) -> (i32, String) {
        let (token, url) = (self.gitlab.add_token(self.bot, &self.scopes), &self.url);
        let (settings, policy) = (&self.settings, &self.policy);
        let store = self.folder.path().join("ledger.db");
        let text = format!(
            "[server]\npublic_url = \"https://countersign.example.com\"\n[store]\nurl = \"sqlite:{}\"\n\
             [[gitlab]]\nurl = \"{url}\"\ntoken = \"{token}\"\n{settings}{policy}",
            store.display()
        );
        let config = self.folder.path().join("countersign.toml");
        std::fs::write(&config, text).unwrap();
        let mut command = Command::cargo_bin("countersign").unwrap();
        let output = command.args(["check", "--config"]).arg(config).env_remove("RUST_LOG").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains(&token) && !text.contains("sesame"), "{text}");
        (output.status.code().unwrap(), text)
    }

    /// Exactly one thing is found, it contains these words, and a remedy follows.
    fn finds(&self, words: &str) {
        let (code, text) = self.check();
        let found: Vec<&str> = text.lines().filter(|line| line.starts_with("finding")).collect();
        assert_eq!(code, 1, "{text}");
        assert!(found.len() == 1 && found[0].contains(words), "{text}");
        let behind = text.lines().skip_while(|line| !line.starts_with("finding")).nth(1).unwrap();
        assert!(behind.trim().starts_with("-> "), "{text}");
    }

    fn warns(&self, words: &str) {
        let (code, text) = self.check();
        assert_eq!(code, 0, "{text}");
        assert!(text.lines().any(|line| line.starts_with("warning") && line.contains(words)), "{text}");
    }
}

fn alice(ward: &Ward) -> UserId {
    ward.gitlab.users().iter().find(|user| user.username == "alice").unwrap().id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_up_well_is_called_sound() {
    let ward = Ward::with_hook().await;
    let (code, text) = ward.check();
    assert_eq!(code, 0, "{text}");
    assert!(text.ends_with("0 findings, 0 warnings\n"), "{text}");
    for line in
        ["the token is that of @countersign", "the webhook is in order", "one rule, for @countersign alone"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_may_only_read_is_found() {
    let mut ward = Ward::with_hook().await;
    ward.scopes = vec!["read_api"];
    ward.finds("the token lacks the scope `api`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_may_too_much_is_warned_of() {
    let mut ward = Ward::with_hook().await;
    ward.scopes = vec!["api", "sudo"];
    ward.warns("the token has the scope `sudo`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_the_bot_cant_see_is_found() {
    let ward = Ward::with_hook().await;
    ward.gitlab.remove_member(ward.project, ward.bot);
    ward.finds("acme/shop can't be read: not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_without_a_role_to_start_jobs_is_found() {
    let ward = Ward::with_hook().await;
    ward.gitlab.add_member(ward.project, ward.bot, Level::REPORTER);
    let (code, text) = ward.check();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("has a role below Developer"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_without_protection_is_found() {
    let ward = Ward::with_hook().await;
    ward.gitlab.unprotect_environment(ward.project, "production");
    ward.finds("production isn't protected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_without_approvals_is_found() {
    let ward = Ward::with_hook().await;
    ward.protect(protection());
    ward.finds("can be released without us");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_for_others_alone_is_found_twice() {
    let ward = Ward::with_hook().await;
    ward.protect(protection().rule(ApprovalRule::level(Level::MAINTAINER, 2)));
    let (code, text) = ward.check();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("can be released without us: no rule is for @countersign alone"), "{text}");
    assert!(text.contains("our vote is not enough: the rule for Maintainers also needs 2"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_of_others_beside_ours_is_found() {
    let ward = Ward::with_hook().await;
    let rules = protection().rule(ApprovalRule::user(ward.bot));
    ward.protect(rules.rule(ApprovalRule::level(Level::MAINTAINER, 1)));
    ward.finds("our vote is not enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_count_of_approvals_is_found() {
    let ward = Ward::with_hook().await;
    ward.protect(protection().legacy_count(1));
    ward.finds("everybody who may deploy can approve it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_may_not_deploy_is_found() {
    let ward = Ward::with_hook().await;
    let others = ProtectedEnvironment::new("production").deployer(Grantee::User(99));
    ward.protect(others.rule(ApprovalRule::user(ward.bot)));
    ward.finds("@countersign may not deploy there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_is_closed_to_the_bot_is_found() {
    let ward = Ward::with_hook().await;
    let branch = ProtectedBranch { name: "main".into(), push: Level::OWNER, merge: Level::OWNER };
    ward.gitlab.protect_branch(ward.project, branch);
    ward.finds("may neither push nor merge to main");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_asks_for_more_is_warned_of() {
    let ward = Ward::with_hook().await;
    let acme = ward.gitlab.add_group("acme", None);
    ward.gitlab.add_group_member(acme, ward.bot, Level::MAINTAINER);
    let tier = ProtectedEnvironment::new("production").rule(ApprovalRule::level(Level::MAINTAINER, 1));
    ward.gitlab.protect_group_environment(acme, tier);
    ward.warns("the group acme asks for approvals of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forge_without_protected_environments_is_found() {
    let ward = Ward::with_hook().await;
    ward.gitlab.set_licensed(false);
    let (code, text) = ward.check();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("set gate = \"manual_job\""), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manual_job_is_said_to_be_advisory() {
    let mut ward = Ward::with_hook().await;
    ward.policy.push_str("gate = \"manual_job\"\n");
    ward.gitlab.unprotect_environment(ward.project, "production");
    let (code, text) = ward.check();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("advisory"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_nobody_has_is_found() {
    let ward = Ward::with_hook().await;
    ward.gitlab.rename_user(alice(&ward), "alicia");
    ward.finds("nobody is called alice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_moved_to_another_account_is_found() {
    let ward = Ward::with_hook().await;
    let store = format!("sqlite:{}", ward.folder.path().join("ledger.db").display());
    let around = Surroundings::new(Arc::new(SystemClock), TaskTracker::new());
    let store = SqliteStore::open(&store, Access::Serve, around).await.unwrap();
    store.pin(&ForgeName::new("gitlab"), "user", "alice", 4242).await.unwrap();
    store.close().await;
    ward.finds("alice first meant account 4242");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_isnt_there_is_found() {
    let mut ward = Ward::with_hook().await;
    ward.policy = ward.policy.replace("user = \"alice\"", "group = \"acme/nowhere\"");
    ward.finds("the group acme/nowhere can't be read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forge_that_cant_be_reached_is_found() {
    let mut ward = Ward::with_hook().await;
    ward.url = "http://127.0.0.1:9".into();
    ward.finds("no connection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_in_peoples_names_need_an_administrator() {
    let mut ward = Ward::with_hook().await;
    let token = ward.gitlab.add_token(ward.bot, &["api", "sudo"]);
    ward.settings = format!("{}vote_as = \"sudo\"\nsudo_token = \"{token}\"\n", ward.settings);
    ward.policy =
        ward.policy.lines().filter(|line| !line.starts_with("deploy_access")).collect::<Vec<_>>().join("\n");
    ward.finds("@countersign of sudo_token is no administrator");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_webhook_is_warned_of() {
    let ward = Ward::new().await;
    ward.warns("comments are noticed by polling alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_without_comments_is_found() {
    let ward = Ward::new().await;
    ward.gitlab.add_hook(
        ward.project,
        NewHook::new(HOOK)
            .event(HookEvent::Deployment)
            .event(HookEvent::Job)
            .event(HookEvent::MergeRequest)
            .token("sesame"),
    );
    ward.finds("the webhook doesn't send comments");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_without_a_token_is_found() {
    let ward = Ward::new().await;
    ward.gitlab.add_hook(ward.project, NewHook::new(HOOK).every_event());
    ward.finds("every delivery is refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_signed_with_a_key_we_dont_have_is_found() {
    let ward = Ward::new().await;
    ward.gitlab.add_hook(
        ward.project,
        NewHook::new(HOOK).every_event().token("sesame").signing_token("whsec_c2VzYW1l"),
    );
    ward.finds("the webhook is signed, and signing_tokens is empty");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_to_another_place_isnt_ours() {
    let ward = Ward::new().await;
    ward.gitlab
        .add_hook(ward.project, NewHook::new("https://elsewhere.example.com/hooks/gitlab").every_event());
    ward.warns("no webhook goes to https://countersign.example.com/hooks/gitlab");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_that_a_pattern_covers_are_looked_at() {
    let mut ward = Ward::with_hook().await;
    ward.policy = ward.policy.replace("acme/shop", "acme/**");
    ward.protect(protection());
    ward.finds("acme/shop: production needs no approvals on GitLab");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_that_covers_no_project_is_warned_of() {
    let mut ward = Ward::with_hook().await;
    ward.policy = ward.policy.replace("acme/shop", "umbrella/**");
    ward.warns("no project that the policies cover was active");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_shadowed_by_an_earlier_one_is_judged_by_the_earlier_one() {
    let mut ward = Ward::with_hook().await;
    let manual = "[[environment]]\non = \"gitlab\"\nproject = \"acme/shop\"\nname = \"prod*\"\n\
                  gate = \"manual_job\"\ndeploy_access_levels = [{ user = \"alice\" }]\n";
    ward.policy = format!("{manual}{}", ward.policy);
    ward.finds("production asks for approvals on GitLab, which `manual_job` never gives");
}
