//! Nothing secret is ever told: not in the log at any level, not in answers, figures or what a command prints, whatever
//! is done and whatever goes wrong.

mod database;
mod outside;

use crate::instances;
use crate::watched::Watched;
use assert_cmd::cargo::cargo_bin;
use countersign::sim::faults::{Action, Rule};
use outside::{Outside, PASSWORD, PASSWORD_IN_URL, WEBHOOK_TOKEN};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};

/// One request, and all that is answered.
fn ask(address: &str, request: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(stream, "{request}\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A command of the program that says all it can, and what it said.
fn says(config: &Path, arguments: &[&str]) -> (Output, String) {
    says_behind(("NO_PROXY", "127.0.0.1"), config, arguments)
}

fn says_behind(proxy: (&str, &str), config: &Path, arguments: &[&str]) -> (Output, String) {
    let mut command = Command::new(cargo_bin("countersign"));
    command.args(arguments).arg("--config").arg(config).env("RUST_LOG", "trace");
    let output =
        command.env_remove("NO_PROXY").env_remove("no_proxy").env(proxy.0, proxy.1).output().unwrap();
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    (output, String::from_utf8(said).unwrap())
}

#[test]
fn nothing_secret_is_told_of_a_journey_through_all_platforms() {
    let outside = Outside::new();
    let store = format!("sqlite:{}", outside.folder.path().join("ledger.db").display());
    journey(&outside, &store);
}

#[test]
fn nothing_secret_is_told_of_a_journey_on_postgresql() {
    let Some(cluster) = instances::cluster() else { return };
    let outside = Outside::new();
    let name = format!("leaks_{}", std::process::id());
    outside.runtime.block_on(instances::order(&cluster, format!("CREATE DATABASE {name}")));
    // Everybody is trusted there, with whatever password.
    let mut url = url::Url::parse(&cluster).unwrap();
    url.set_path(&name);
    url.set_password(Some(PASSWORD)).unwrap();
    assert!(url.as_str().contains(PASSWORD_IN_URL));
    journey(&outside, url.as_str());
    outside.runtime.block_on(instances::order(&cluster, format!("DROP DATABASE {name} WITH (FORCE)")));
}

fn journey(outside: &Outside, store: &str) {
    let config = outside.configure(store);
    let mut server = Watched::start(&config, "json");
    let listening = server.since(0, &["listening on http://"]);
    let address = listening.split_once("http://").unwrap().1;
    let address: String = address.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
    outside.server.set(address.clone()).unwrap();
    outside.hook();

    rejected_in_slack(outside, &mut server);
    approved_in_mattermost(outside, &mut server);
    outside.run();
    server.since(0, &["job done", "\"run\""]);
    things_go_wrong(outside, &mut server);
    outside.holds_nothing_secret("an answer", &answers(outside, &address));
    for arguments in [&["check"][..], &["check", "--offline"], &["jobs", "list"], &["audit", "export"]] {
        let (_, said) = says(&config, arguments);
        outside.holds_nothing_secret(arguments[0], &said);
    }
    let mark = server.log.len();
    outside
        .runtime
        .block_on(outside.slack.command(&outside.in_slack.0, &outside.in_slack.1, "/deploy", "help"))
        .unwrap();
    server.since(mark, &["job done", "\"whisper\""]);
    assert!(server.log.iter().any(|line| line.contains("TRACE")), "nothing is logged at this level");
    outside.holds_nothing_secret("the log", &server.log.join("\n"));
}

/// A command, a button and a form.
fn rejected_in_slack(outside: &Outside, server: &mut Watched) {
    let Outside { slack, in_slack: (alice, channel), runtime, .. } = outside;
    let mark = server.log.len();
    outside.deploy();
    server.since(mark, &["job done", "\"notice\"", "slack"]);
    server.since(mark, &["job done", "\"notice\"", "mattermost"]);
    let mark = server.log.len();
    runtime.block_on(slack.command(alice, channel, "/deploy", "status")).unwrap();
    server.since(mark, &["job done", "\"whisper\""]);
    let message = slack.messages_of(channel).into_iter().find(|message| !message.buttons.is_empty()).unwrap();
    let mark = server.log.len();
    runtime.block_on(slack.press(alice, channel, &message.ts, "reject")).unwrap();
    let view = slack.open_view(alice).expect("a form is open");
    runtime.block_on(slack.submit_view(alice, &view, &[("reason", "too late")])).unwrap();
    server.since(mark, &["/approval", "answered"]);
    server.since(mark, &["job done", "\"chat\""]);
}

fn approved_in_mattermost(outside: &Outside, server: &mut Watched) {
    let Outside { mattermost, in_mattermost: (alice, channel), runtime, .. } = outside;
    let mark = server.log.len();
    outside.deploy();
    server.since(mark, &["job done", "\"notice\"", "mattermost"]);
    let mark = server.log.len();
    runtime.block_on(mattermost.command(alice, channel, None, "/deploy status")).unwrap();
    server.since(mark, &["job done", "\"whisper\""]);
    let post = mattermost.posts_of(channel).into_iter().rfind(|post| !post.buttons.is_empty()).unwrap();
    let mark = server.log.len();
    runtime.block_on(mattermost.press(alice, &post.id, "approve")).unwrap();
    runtime.block_on(mattermost.submit_dialog(alice, &[])).unwrap();
    server.since(mark, &["/approval", "answered"]);
    server.since(mark, &["job done", "\"chat\""]);
}

/// Nobody takes an answer where it was asked for, and nobody knows our tokens any more.
fn things_go_wrong(outside: &Outside, server: &mut Watched) {
    let Outside { slack, mattermost, runtime, .. } = outside;
    let mark = server.log.len();
    slack.add_fault(Rule::new("/commands/", Action::Drop).times(1));
    mattermost.add_fault(Rule::new("/hooks/commands/", Action::Drop).times(1));
    runtime.block_on(slack.command(&outside.in_slack.0, &outside.in_slack.1, "/deploy", "blocked")).unwrap();
    server.since(mark, &["job stopped", "\"whisper\""]);
    let mark = server.log.len();
    let (alice, channel) = &outside.in_mattermost;
    runtime.block_on(mattermost.command(alice, channel, None, "/deploy blocked")).unwrap();
    server.since(mark, &["job stopped", "\"whisper\""]);
    let refused = Action::Answer { status: 401, body: r#"{"message":"401 Unauthorized"}"#.to_owned() };
    outside.gitlab.add_fault(Rule::new("/api/v4/", refused.clone()).times(2));
    outside.github.add_fault(Rule::new("/access_tokens", refused).times(1));
    let mark = server.log.len();
    let text = "@countersign status production";
    outside.gitlab.comment_on_mr(outside.project, outside.request, outside.dana, text).unwrap();
    runtime.block_on(outside.gitlab.deliver_hooks());
    server.since(mark, &["job", "\"comment\""]);
}

/// What the server answers to right and wrong requests, all of them together.
fn answers(outside: &Outside, address: &str) -> String {
    let mut said = String::new();
    for path in ["/metrics", "/healthz", "/readyz", "/", "/api/v1/deployments", "/hooks/nowhere"] {
        said += &ask(address, &format!("GET {path} HTTP/1.1\r\nauthorization: Bearer wrong"), "");
    }
    assert!(said.contains("countersign_deliveries_total"), "{said}");
    let command = outside.secret("Mattermost's command token");
    for (name, header, body) in [
        ("gitlab", "x-gitlab-token: wrong".to_owned(), "{}".to_owned()),
        ("gitlab", format!("x-gitlab-token: {WEBHOOK_TOKEN}"), format!("{{\"{WEBHOOK_TOKEN}\"")),
        ("github", "x-hub-signature-256: sha256=00".to_owned(), "{}".to_owned()),
        ("slack", "x-slack-signature: v0=00".to_owned(), "text=x".to_owned()),
        ("mattermost", format!("authorization: Token {command}"), "text=x".to_owned()),
        ("mattermost", "content-type: application/json".to_owned(), "{}".to_owned()),
    ] {
        said += &ask(address, &format!("POST /hooks/{name} HTTP/1.1\r\n{header}"), &body);
    }
    said
}

#[test]
fn the_password_of_a_proxy_is_not_told() {
    let outside = Outside::new();
    let config = outside.configure(&format!("sqlite:{}", outside.folder.path().join("ledger.db").display()));
    let proxy = format!("http://countersign:{PASSWORD_IN_URL}@127.0.0.1:9");
    let (_, said) = says_behind(("http_proxy", &proxy), &config, &["check"]);
    assert!(said.contains("127.0.0.1:9"), "nobody went through the proxy: {said}");
    outside.holds_nothing_secret("check", &said);
}
