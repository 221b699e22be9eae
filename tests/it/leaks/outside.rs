//! Everybody outside: both forges and both chats, their people, and every secret that passes between them and us.

use countersign::cli::wiring::SystemClock;
use countersign::ports::clock::Clock as _;
use countersign::sim::github::{self, GitHub, JobSpec as RunJob, NewRun};
use countersign::sim::gitlab::{
    ApprovalRule, GitLab, Iid, JobSpec, Level, NewHook, NewPipeline, ProjectId, ProtectedEnvironment, UserId,
};
use countersign::sim::mattermost::Mattermost;
use countersign::sim::slack::{NewUser, Slack};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use url::form_urlencoded;

const SIGNING_TOKEN: &str = "whsec_bGVha3MtY291bnRlcnNpZ24tc2lnbmluZy1rZXkteHg=";
pub(super) const WEBHOOK_TOKEN: &str = "a-webhook-token-nobody-may-see";
const API_TOKEN: &str = "an-api-token-nobody-may-see";
/// What PostgreSQL asks for, and how it is written into an address.
pub(super) const PASSWORD: &str = "a-p@ssword-nobody-may-see";
pub(super) const PASSWORD_IN_URL: &str = "a-p%40ssword-nobody-may-see";
const SHA: &str = "9f1c2d3e9f1c2d3e9f1c2d3e9f1c2d3e9f1c2d3e";

/// A text that nobody but its owner may read, and what it is.
struct Secret(&'static str, String);

/// Both forges and both chats, with one project of each forge and one channel of each chat.
pub(super) struct Outside {
    pub(super) gitlab: GitLab,
    pub(super) project: ProjectId,
    pub(super) request: Iid,
    pub(super) dana: UserId,
    pub(super) github: GitHub,
    app: github::App,
    pub(super) slack: Slack,
    /// alice's account and the channel in Slack.
    pub(super) in_slack: (String, String),
    pub(super) mattermost: Mattermost,
    /// The same in Mattermost.
    pub(super) in_mattermost: (String, String),
    secrets: Vec<Secret>,
    /// Where everybody reaches the server, before it is known where it listens.
    public: String,
    pub(super) server: Arc<OnceLock<String>>,
    pub(super) folder: TempDir,
    pub(super) runtime: Runtime,
}

impl Outside {
    pub(super) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let gitlab = GitLab::new(Arc::new(|| SystemClock.now()));
        // No two of them draw the same: what is secret here must not be an id there.
        let github = GitHub::seeded(Arc::new(|| SystemClock.now()), 101);
        let slack = Slack::seeded(Arc::new(|| SystemClock.now()), 102);
        let mattermost = Mattermost::seeded(Arc::new(|| SystemClock.now()), 103);
        runtime.block_on(async {
            gitlab.start().await.unwrap();
            github.start().await.unwrap();
            slack.start().await.unwrap();
            mattermost.start().await.unwrap();
        });
        let (project, request, dana) = shop(&gitlab);
        let app = site(&github);
        let server = Arc::<OnceLock<String>>::default();
        let public = before(&server);
        github.set_hook_url(app.id, &format!("{public}/hooks/github"));
        slack.set_request_url(&format!("{public}/hooks/slack"));
        let alice = slack.add_user(NewUser::member("alice"));
        let in_slack = (alice.clone(), slack.add_channel("deploys", &[&alice]));
        let team = mattermost.add_team("acme");
        let alice = mattermost.add_user("alice");
        let in_mattermost = (alice.clone(), mattermost.add_channel(&team, "deploys", &[&alice]));
        let command = mattermost.set_command(&team, "deploy", &format!("{public}/hooks/mattermost"));

        let mut secrets = of_gitlab(&gitlab, project);
        secrets.extend(of_github(&app));
        secrets.extend([
            Secret("Slack's bot token", slack.bot_token()),
            Secret("Slack's signing secret", slack.signing_secret()),
            Secret("Mattermost's bot token", mattermost.bot_token()),
            Secret("Mattermost's command token", command),
            Secret("the API token", API_TOKEN.to_owned()),
            Secret("the database's password", PASSWORD.to_owned()),
            Secret("the database's password, escaped", PASSWORD_IN_URL.to_owned()),
        ]);
        let folder = tempfile::tempdir().unwrap();
        Self {
            gitlab,
            project,
            request,
            dana,
            github,
            app,
            slack,
            in_slack,
            mattermost,
            in_mattermost,
            secrets,
            public,
            server,
            folder,
            runtime,
        }
    }

    pub(super) fn secret(&self, what: &str) -> &str {
        &self.secrets.iter().find(|secret| secret.0 == what).unwrap().1
    }

    pub(super) fn configure(&self, store: &str) -> PathBuf {
        let secret = |what| self.secret(what);
        std::fs::write(self.folder.path().join("app.pem"), &self.app.private_key_pem).unwrap();
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\napi_tokens = [\"{API_TOKEN}\"]\npublic_url = \"{}\"\n\
             [store]\nurl = \"{store}\"\n\
             [[gitlab]]\nurl = \"{}\"\ntoken = \"{}\"\nvote_as = \"sudo\"\nsudo_token = \"{}\"\n\
             secret_tokens = [\"{WEBHOOK_TOKEN}\"]\nsigning_tokens = [\"{SIGNING_TOKEN}\"]\n",
            self.public,
            self.gitlab.url(),
            secret("GitLab's token"),
            secret("the administrator's token"),
        );
        let _ = write!(
            text,
            "[[github]]\napi_url = \"{}\"\napp_id = {}\nprivate_key = {{ file = \"app.pem\" }}\n\
             webhook_secrets = [\"{}\"]\npoll = \"1s\"\n\
             [[slack]]\napi_url = \"{}/api\"\nbot_token = \"{}\"\nsigning_secrets = [\"{}\"]\nteam_ids = [\"{}\"]\n\
             [[mattermost]]\nurl = \"{}\"\nbot_token = \"{}\"\ncommand_tokens = [\"{}\"]\n\
             [[person]]\ngitlab = \"alice\"\nslack = \"{}\"\nmattermost = \"alice\"\n\
             [[environment]]\non = \"gitlab\"\nproject = \"acme/**\"\nname = \"production\"\n\
             notify = [\"slack:{}\", \"mattermost:acme/deploys\"]\n\
             [[environment]]\non = \"github\"\nproject = \"acme/**\"\nname = \"production\"\n\
             deploy_access_levels = [{{ user = \"alice\" }}]\n",
            self.github.url(),
            self.app.id,
            secret("the App's webhook secret"),
            self.slack.url(),
            secret("Slack's bot token"),
            secret("Slack's signing secret"),
            self.slack.team(),
            self.mattermost.url(),
            secret("Mattermost's bot token"),
            secret("Mattermost's command token"),
            self.in_slack.0,
            self.in_slack.1,
        );
        let config = self.folder.path().join("countersign.toml");
        std::fs::write(&config, text).unwrap();
        config
    }

    /// GitLab tells of everything from now on.
    pub(super) fn hook(&self) {
        let hook = NewHook::new(format!("{}/hooks/gitlab", self.public)).every_event();
        self.gitlab.add_hook(self.project, hook.token(WEBHOOK_TOKEN).signing_token(SIGNING_TOKEN));
    }

    pub(super) fn deploy(&self) {
        let job = JobSpec::new("deploy").environment("production").manual();
        self.gitlab.run_pipeline(self.project, NewPipeline::new("sell-more", SHA, self.dana).job(job));
        self.runtime.block_on(self.gitlab.deliver_hooks());
    }

    pub(super) fn run(&self) {
        let repository = self.github.add_repository("acme/site");
        let job = RunJob::new("deploy").environment("production");
        let dana = self.github.add_user("dana");
        self.github.start_run(repository, NewRun::push("main", SHA, dana).job(job));
        self.runtime.block_on(self.github.deliver_hooks());
    }

    /// What was sent to us or shown to us that can be used by whoever reads it: addresses for answers, what opens a
    /// form in Mattermost, seals.
    fn passing(&self) -> Vec<Secret> {
        let mut passing = Vec::new();
        for delivery in self.slack.deliveries() {
            let fields = fields(&delivery.body);
            let payload = fields.iter().find(|(name, _)| name == "payload");
            let payload: Value = payload.map_or(Value::Null, |(_, text)| serde_json::from_str(text).unwrap());
            let url = fields.iter().find(|(name, _)| name == "response_url").map(|(_, url)| url.as_str());
            let url = url.or_else(|| payload["response_url"].as_str());
            passing.extend(url.map(|url| Secret("where Slack takes answers", last(url))));
        }
        for delivery in self.mattermost.deliveries() {
            let fields = fields(&delivery.body);
            let body: Value = serde_json::from_str(&delivery.body).unwrap_or_default();
            let field = |name: &str| {
                let field = fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
                field.or_else(|| body[name].as_str()).filter(|value| !value.is_empty()).map(str::to_owned)
            };
            let url = field("response_url").map(|url| last(&url));
            passing.extend(url.map(|url| Secret("where Mattermost takes answers", url)));
            passing.extend(field("trigger_id").map(|id| Secret("what opens a form", id)));
            passing.extend(field("state").map(|seal| Secret("a form's seal", seal)));
            let seal = body.pointer("/context/sealed").and_then(Value::as_str);
            passing.extend(seal.map(|seal| Secret("a button's seal", seal.to_owned())));
        }
        passing
    }

    pub(super) fn holds_nothing_secret(&self, what: &str, text: &str) {
        let told = |Secret(class, secret): &Secret| {
            let line = text.lines().find(|line| line.contains(secret.as_str()))?;
            Some((*class, line.to_owned()))
        };
        let leaks: BTreeMap<_, _> = self.secrets.iter().chain(&self.passing()).filter_map(told).collect();
        assert_eq!(leaks, BTreeMap::new(), "{what} tells them");
    }
}

/// Accounts of ours, and what their hooks come with.
fn of_gitlab(gitlab: &GitLab, project: ProjectId) -> Vec<Secret> {
    let bot = gitlab.add_bot("countersign", "Countersign");
    gitlab.add_member(project, bot, Level::MAINTAINER);
    let root = gitlab.add_admin("root", "Administrator");
    vec![
        Secret("GitLab's token", gitlab.add_token(bot, &["api"])),
        Secret("the administrator's token", gitlab.add_token(root, &["api", "sudo"])),
        Secret("the signing token", SIGNING_TOKEN.to_owned()),
        Secret("the signing key", SIGNING_TOKEN.replace("whsec_", "")),
        Secret("the webhook token", WEBHOOK_TOKEN.to_owned()),
    ]
}

fn of_github(app: &github::App) -> Vec<Secret> {
    let key = app.private_key_pem.lines().filter(|line| !line.starts_with("-----"));
    let mut secrets: Vec<Secret> = key.map(|line| Secret("the App's key", line.to_owned())).collect();
    assert!(secrets.len() > 10);
    secrets.extend([
        Secret("the App's webhook secret", app.webhook_secret.clone()),
        Secret("an installation's token", "ghs_".to_owned()),
        Secret("a token that the App signed", "eyJ".to_owned()),
    ]);
    secrets
}

/// `acme/shop`, where one maintainer approves what dana deploys.
fn shop(gitlab: &GitLab) -> (ProjectId, Iid, UserId) {
    gitlab.add_group("acme", None);
    let project = gitlab.add_project("acme/shop");
    let (dana, alice) = (gitlab.add_user("dana", "Dana"), gitlab.add_user("alice", "Alice"));
    gitlab.add_member(project, dana, Level::DEVELOPER);
    gitlab.add_member(project, alice, Level::MAINTAINER);
    let production = ProtectedEnvironment::new("production").deployers(Level::DEVELOPER);
    gitlab.protect_environment(project, production.rule(ApprovalRule::level(Level::MAINTAINER, 1)));
    gitlab.add_commit(project, SHA, "Sell more", "Dana");
    let request = gitlab.open_merge_request(project, dana, "sell-more", "Sell more");
    gitlab.push(project, request, dana, SHA).unwrap();
    (project, request, dana)
}

/// `acme/site`, where our rule holds what is deployed.
fn site(github: &GitHub) -> github::App {
    let org = github.add_org("acme");
    let repository = github.add_repository("acme/site");
    let app = github.register_app("countersign");
    github.install(app.id, org);
    for name in ["dana", "alice"] {
        let user = github.add_user(name);
        github.add_collaborator(repository, user, github::Level::Write);
    }
    github.add_commit(repository, SHA, "Sell more", github.add_user("dana"));
    github.add_environment(repository, "production");
    github.enable_rule(repository, "production", app.id).unwrap();
    app
}

/// Listens where everybody will look for the server, and hands on to where it is.
fn before(server: &Arc<OnceLock<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = Arc::clone(server);
    thread::spawn(move || {
        for from in listener.incoming().flatten() {
            let to = TcpStream::connect(server.wait()).unwrap();
            let (back, forth) = (to.try_clone().unwrap(), from.try_clone().unwrap());
            thread::spawn(move || pass(from, to));
            thread::spawn(move || pass(back, forth));
        }
    });
    format!("http://{address}")
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

fn fields(body: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

/// The part of an address that whoever made it up can't guess.
fn last(url: &str) -> String {
    url.rsplit('/').next().unwrap().to_owned()
}
