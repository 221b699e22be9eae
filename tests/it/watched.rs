//! What those see who look after a running server: figures, and a log that follows a delivery and holds no secret.

use crate::story::gitlab::World;
use crate::story::stage::Switches;
use crate::story::world::ONE_MAINTAINER;
use countersign::cli::wiring::SystemClock;
use countersign::domain::effect::Look;
use countersign::domain::id::ForgeName;
use countersign::ports::clock::Clock as _;
use countersign::ports::store::{Commit, Lane, NewJob, Work};
use countersign::sim::github::{App, GitHub};
use countersign::sim::gitlab::{
    ApprovalRule, GitLab, Iid, JobSpec, Level, NewHook, NewPipeline, ProjectId, ProtectedEnvironment, UserId,
};
use jiff::SignedDuration;
use rstest::rstest;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const SIGNING_TOKEN: &str = "whsec_d2F0Y2hlZC1jb3VudGVyc2lnbi1zaWduaW5nLWtleTA=";
const WEBHOOK_TOKEN: &str = "a-webhook-token-nobody-may-see";
const API_TOKEN: &str = "an-api-token-nobody-may-see";
const SHA: &str = "9f1c2d3e9f1c2d3e9f1c2d3e9f1c2d3e9f1c2d3e";
/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A GitLab with one project and a GitHub with one App, on ports of their own.
struct Outside {
    gitlab: GitLab,
    project: ProjectId,
    request: Iid,
    dana: UserId,
    alice: UserId,
    token: String,
    app: App,
    _github: GitHub,
    urls: (String, String),
    folder: TempDir,
    runtime: Runtime,
}

impl Outside {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let gitlab = GitLab::new(Arc::new(|| SystemClock.now()));
        let github = GitHub::new(Arc::new(|| SystemClock.now()));
        let urls = runtime.block_on(async { (gitlab.start().await.unwrap(), github.start().await.unwrap()) });
        let org = github.add_org("acme");
        github.add_repository("acme/site");
        let app = github.register_app("countersign");
        github.install(app.id, org);

        gitlab.add_group("acme", None);
        let project = gitlab.add_project("acme/shop");
        let (dana, alice) = (gitlab.add_user("dana", "Dana"), gitlab.add_user("alice", "Alice"));
        let bot = gitlab.add_bot("countersign", "Countersign");
        for (user, level) in [(dana, Level::DEVELOPER), (alice, Level::MAINTAINER), (bot, Level::MAINTAINER)]
        {
            gitlab.add_member(project, user, level);
        }
        let production = ProtectedEnvironment::new("production").deployers(Level::DEVELOPER);
        gitlab.protect_environment(project, production.rule(ApprovalRule::user(bot)));
        gitlab.add_commit(project, SHA, "Sell more", "Dana");
        let request = gitlab.open_merge_request(project, dana, "sell-more", "Sell more");
        gitlab.push(project, request, dana, SHA).unwrap();
        let token = gitlab.add_token(bot, &["api"]);
        let folder = tempfile::tempdir().unwrap();
        Self { gitlab, project, request, dana, alice, token, app, _github: github, urls, folder, runtime }
    }

    /// Every secret on a line of its own, as the configuration and the forges know them.
    fn secrets(&self) -> Vec<&str> {
        let key = self.app.private_key_pem.lines().filter(|line| !line.starts_with("-----"));
        let mut secrets: Vec<&str> = key.collect();
        assert!(secrets.len() > 10);
        secrets.extend([SIGNING_TOKEN, SIGNING_TOKEN.trim_start_matches("whsec_"), WEBHOOK_TOKEN, API_TOKEN]);
        secrets.extend([self.token.as_str(), &self.app.webhook_secret]);
        // Tokens that GitHub gives to installations, and what the App signs for itself.
        secrets.extend(["ghs_", "eyJ"]);
        secrets
    }

    fn configure(&self) -> std::path::PathBuf {
        let (folder, App { id, private_key_pem, webhook_secret, .. }) = (self.folder.path(), &self.app);
        std::fs::write(folder.join("app.pem"), private_key_pem).unwrap();
        let (gitlab, github) = &self.urls;
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\napi_tokens = [\"{API_TOKEN}\"]\n\
             [store]\nurl = \"sqlite:{}\"\n\
             [[gitlab]]\nurl = \"{gitlab}\"\ntoken = \"{}\"\nsecret_tokens = [\"{WEBHOOK_TOKEN}\"]\n\
             signing_tokens = [\"{SIGNING_TOKEN}\"]\n\
             [[github]]\napi_url = \"{github}\"\napp_id = {id}\nprivate_key = {{ file = \"app.pem\" }}\n\
             webhook_secrets = [\"{webhook_secret}\"]\npoll = \"1s\"\n\
             [[environment]]\non = \"gitlab\"\nproject = \"acme/**\"\nname = \"production\"\n\
             deploy_access_levels = [{{ access_level = \"maintainer\" }}]\n\
             [[environment]]\non = \"github\"\nproject = \"acme/**\"\nname = \"production\"\n\
             deploy_access_levels = [{{ user = \"alice\" }}]\n",
            folder.join("ledger.db").display(),
            self.token,
        );
        let config = folder.join("countersign.toml");
        std::fs::write(&config, text).unwrap();
        config
    }

    fn hook(&self, address: &str) {
        let hook = NewHook::new(format!("http://{address}/hooks/gitlab")).every_event();
        self.gitlab.add_hook(self.project, hook.token(WEBHOOK_TOKEN).signing_token(SIGNING_TOKEN));
    }

    fn deliver(&self) {
        self.runtime.block_on(self.gitlab.deliver_hooks());
    }

    fn deploy(&self) {
        let job = JobSpec::new("deploy").environment("production").manual();
        self.gitlab.run_pipeline(self.project, NewPipeline::new("sell-more", SHA, self.dana).job(job));
        self.deliver();
    }

    fn approve(&self) {
        let text = "@countersign approve production";
        self.gitlab.comment_on_mr(self.project, self.request, self.alice, text).unwrap();
        self.deliver();
    }
}

/// A server whose log is read all the time, so that it never waits for its reader.
pub(crate) struct Watched {
    child: Child,
    lines: Receiver<String>,
    pub(crate) log: Vec<String>,
}

impl Watched {
    pub(crate) fn start(config: &Path, format: &str) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("countersign"));
        command.args(["--log-format", format, "serve", "--config"]).arg(config);
        command.env("RUST_LOG", "trace,octocrab=trace").env("NO_PROXY", "127.0.0.1");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in log.lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, log: Vec::new() }
    }

    /// Reads on to a line with all these words, unless there was one since this mark.
    pub(crate) fn since(&mut self, mark: usize, words: &[&str]) -> String {
        let end = Instant::now() + PATIENCE;
        let told = |line: &&String| words.iter().all(|word| line.contains(word));
        if let Some(line) = self.log[mark..].iter().find(told) {
            return line.clone();
        }
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("{words:?} never came:\n{}", self.ours().join("\n")));
            self.log.push(line.clone());
            if told(&&line) {
                return line;
            }
        }
    }
}

impl Watched {
    /// What we ourselves have said.
    fn ours(&self) -> Vec<&str> {
        self.log.iter().map(String::as_str).filter(|line| line.contains("countersign::")).collect()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands between a name and the end of its value in a line, in either form of the log.
fn field(line: &str, name: &str) -> Option<String> {
    let marks = [format!("\"{name}\":\""), format!("{name}=\"")];
    let (_, rest) = marks.iter().find_map(|mark| line.split_once(mark.as_str()))?;
    Some(rest.split('"').next()?.to_owned())
}

#[rstest]
#[case("json")]
#[case("text")]
fn a_journey_is_measured_and_logged_from_hook_to_effect_without_a_secret(#[case] format: &str) {
    let outside = Outside::new();
    let mut server = Watched::start(&outside.configure(), format);
    let listening = server.since(0, &["listening on http://"]);
    let address = listening.split_once("http://").unwrap().1;
    let address: String = address.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
    server.since(0, &["/access_tokens", "answered"]);
    outside.hook(&address);
    outside.deploy();
    server.since(0, &["job done", "\"card\""]);
    outside.deliver();

    let mark = server.log.len();
    outside.approve();
    let decided = server.since(mark, &["job done", "\"release\""]);
    let delivery = field(&decided, "delivery").unwrap();
    for kind in ["\"reply\"", "\"reaction\"", "\"card\""] {
        server.since(mark, &["job done", kind, &delivery]);
    }

    let of_it: Vec<&String> = server.log.iter().filter(|line| line.contains(&delivery)).collect();
    let is_stored = of_it.iter().any(|line| line.contains("a delivery is on disk"));
    assert!(is_stored, "{of_it:#?}");
    let done = of_it.iter().filter(|line| line.contains("job done"));
    let kinds: BTreeSet<String> = done.filter_map(|line| field(line, "kind")).collect();
    for kind in ["comment", "release", "reply", "reaction", "card"] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }

    assert!(server.log.iter().any(|line| line.contains("TRACE")), "nothing is logged at this level");
    let figures = scrape(&address);
    assert_eq!(names(&figures), described());
    for told in [
        r#"countersign_deliveries_total{source="gitlab",outcome="stored"} "#,
        r#"countersign_job_attempts_total{lane="gate",outcome="done"} "#,
        "countersign_decision_seconds_count ",
        r#"countersign_delivery_seconds_count{lane="gate"} "#,
        r#"countersign_forge_calls_total{forge="gitlab",method="POST",status="2xx"} "#,
        r#"countersign_forge_calls_total{forge="github",method="GET",status="2xx"} "#,
        r#"countersign_forge_calls_remaining{forge="github",limit="core"} "#,
    ] {
        let value = figures.lines().find_map(|line| line.strip_prefix(told));
        assert!(value.is_some_and(|value| value.parse::<f64>().unwrap() > 0.0), "{told}\n{figures}");
    }
    for secret in outside.secrets() {
        let leak = server.log.iter().find(|line| line.contains(secret));
        assert_eq!(leak, None, "{secret} is told");
    }
}

#[test]
fn a_token_that_is_taken_away_is_an_error_in_the_log_and_a_figure_at_once() {
    let outside = Outside::new();
    let mut server = Watched::start(&outside.configure(), "text");
    let listening = server.since(0, &["listening on http://"]);
    let address = listening.split_once("http://").unwrap().1;
    let address: String = address.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
    server.since(0, &["/access_tokens", "answered"]);
    outside.hook(&address);
    let refused = r#"countersign_forge_calls_total{forge="gitlab",method="GET",status="401"} "#;
    let before = scrape(&address).lines().find_map(|line| line.strip_prefix(refused).map(str::to_owned));
    assert_eq!(before.as_deref(), Some("0"));

    outside.gitlab.revoke_token(&outside.token);
    let mark = server.log.len();
    outside.deploy();
    let told = server.since(mark, &["ERROR", "the token was not accepted"]);
    assert!(told.contains("gitlab") && !told.contains(&outside.token), "{told}");
    let figures = scrape(&address);
    let after = figures.lines().find_map(|line| line.strip_prefix(refused));
    assert!(after.unwrap().parse::<u64>().unwrap() > 0, "{figures}");
}

/// Its last attempt is the one that gives it up, not another one.
#[tokio::test]
async fn a_job_that_is_given_up_counts_each_of_its_attempts_once() {
    let world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    let (forge, now) = (ForgeName::new("not-configured"), world.clock.time());
    let work =
        Work::Look(Look::Project { forge: forge.clone(), project: countersign::domain::id::ProjectId(30) });
    // So old that it is given up once it has failed often enough.
    let mut commit = Commit::at(now - SignedDuration::from_hours(25));
    let (lane, key, platform) = (Lane::React, "k".to_owned(), (&forge).into());
    commit.jobs.push(NewJob {
        lane,
        key,
        platform,
        work,
        run_at: now,
        order: now,
        dedupe: None,
        cause: None,
    });
    world.store().commit(commit).await.unwrap();
    world.settle().await;
    world.advance(30 * 60).await;

    let letter = world.store().jobs(true, 0, 10).await.unwrap().remove(0);
    let address = world.address.to_string();
    let figures = tokio::task::spawn_blocking(move || scrape(&address)).await.unwrap();
    for (outcome, attempts) in [("stopped", letter.attempts - 1), ("given_up", 1)] {
        let wanted =
            format!(r#"countersign_job_attempts_total{{lane="react",outcome="{outcome}"}} {attempts}"#);
        assert!(figures.lines().any(|told| told == wanted), "{wanted}\n{figures}");
    }
    assert!(figures.contains("countersign_dead_letters{} 1"), "{figures}");
    assert!(world.store().discard(letter.id).await.unwrap());
    world.finish().await;
}

/// What Prometheus reads.
fn scrape(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// The figures' names, without what Prometheus adds to them.
fn names(figures: &str) -> BTreeSet<String> {
    let names = figures.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    names.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// Those that the manual describes.
fn described() -> BTreeSet<String> {
    let page = std::fs::read_to_string("README.md").unwrap();
    let row = |line: &str| line.strip_prefix("| `countersign_")?.split(['`', '{']).next().map(str::to_owned);
    page.lines().filter_map(row).map(|name| format!("countersign_{name}")).collect()
}

/// A rule for alerts that names a figure which isn't there would be silent for ever.
#[tokio::test]
async fn alerts_rest_on_figures_that_are_there() {
    let rules = std::fs::read_to_string("config/alerts.yml").unwrap();
    let is_part = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let named: BTreeSet<&str> =
        rules.split(is_part).filter(|word| word.starts_with("countersign_")).collect();
    let world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    let address = world.address.to_string();
    let figures = tokio::task::spawn_blocking(move || scrape(&address)).await.unwrap();
    let told = as_told(&figures);
    assert!(named.len() >= 5, "{named:?}");
    for name in named {
        assert!(told.contains(name), "there is no figure {name}\n{told:#?}");
    }
    world.finish().await;
}

/// The figures' names as Prometheus keeps them.
fn as_told(figures: &str) -> BTreeSet<String> {
    let types = figures.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let told = |(name, kind): (&str, &str)| match kind {
        "counter" => vec![format!("{name}_total")],
        "gauge" => vec![name.to_owned()],
        "histogram" => ["bucket", "sum", "count"].map(|part| format!("{name}_{part}")).to_vec(),
        other => panic!("{name} is a {other}"),
    };
    types.flat_map(told).collect()
}
