//! The command line as a process: exit codes, what it prints, how it starts and stops.

use assert_cmd::Command;
use countersign::cli::wiring::SystemClock;
use countersign::domain::actor::{Account, Known};
use countersign::domain::deployment::{Creators, Description};
use countersign::domain::id::{DeploymentId, ForgeName, Native, Project, ProjectId, UserId};
use countersign::domain::ledger::{Entry, Source, Vote, Word};
use countersign::domain::policy::Gate;
use countersign::ports::store::{Change, Commit, Store as _};
use countersign::store::sqlite::{Access, SqliteStore, Surroundings};
use jiff::Timestamp;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

/// A folder with a configuration whose forge nobody can reach.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
}

pub(crate) const SECRET: &str = "a-secret-nobody-may-see";

impl Desk {
    pub(crate) fn new() -> Self {
        Self::listening_on("127.0.0.1:0")
    }

    pub(crate) fn listening_on(listen: &str) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        let store = desk.store();
        desk.write(&format!(
            "[server]\nlisten = \"{listen}\"\n[store]\nurl = \"{store}\"\n\
             [[gitlab]]\nurl = \"http://127.0.0.1:9\"\ntoken = \"{SECRET}\"\nsecret_tokens = [\"{SECRET}\"]\n\
             [[environment]]\non = \"gitlab\"\nproject = \"acme/**\"\nname = \"production\"\n\
             deploy_access_levels = [{{ access_level = \"maintainer\" }}]\n"
        ));
        desk
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("countersign.toml")
    }

    pub(crate) fn store(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("ledger.db").display())
    }

    fn write(&self, text: &str) {
        std::fs::write(self.config(), text).unwrap();
    }

    /// A command with this desk's configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        ran(countersign().args(arguments).arg("--config").arg(self.config()))
    }
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// The program, in an environment that says nothing.
pub(crate) fn countersign() -> Command {
    let mut command = Command::cargo_bin("countersign").unwrap();
    command.env_remove("COUNTERSIGN_CONFIG").env_remove("RUST_LOG");
    command
}

#[test]
fn help_names_every_command_and_version_the_program() {
    let help = ran(countersign().arg("--help"));
    assert_eq!(help.code, 0);
    for command in ["serve", "check", "migrate", "audit", "jobs", "healthcheck"] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{}", help.out);
    }
    let version = ran(countersign().arg("--version"));
    assert_eq!(version.out.trim(), format!("countersign {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_is_no_command_ends_with_2() {
    for arguments in [
        &["deploy"][..],
        &[],
        &["serve", "--port", "80"],
        &["audit"],
        &["audit", "export", "--format", "xml"],
        &["jobs", "retry"],
        &["jobs", "retry", "7", "--all"],
        &["jobs", "drop"],
    ] {
        let ran = ran(countersign().args(arguments));
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
        assert!(ran.out.is_empty() && ran.err.contains("--help"), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn every_command_says_which_configuration_it_misses() {
    for arguments in [
        &["serve"][..],
        &["check"],
        &["migrate"],
        &["audit", "verify"],
        &["audit", "export"],
        &["jobs", "list"],
    ] {
        let ran = ran(countersign().args(arguments).args(["--config", "nowhere.toml"]));
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(ran.out.is_empty() && ran.err.contains("nowhere.toml"), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("countersign.example.toml"), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn faults_are_shown_all_at_once_with_their_lines_and_without_secrets() {
    let desk = Desk::new();
    desk.write(&format!(
        "[server]\nlisten = \"here\"\n[[gitlab]]\nurl = \"https://gitlab.example.com\"\ntokn = \"{SECRET}\"\n\
         secret_tokens = [{{ env = \"COUNTERSIGN_TEST_UNSET\" }}]\n"
    ));
    for command in ["serve", "check"] {
        let ran = desk.run(&[command]);
        assert_eq!(ran.code, 2);
        for wanted in
            ["countersign.toml:2:", "countersign.toml:5:", "did you mean `token`?", "COUNTERSIGN_TEST_UNSET"]
        {
            assert!(ran.err.contains(wanted), "{wanted}: {}", ran.err);
        }
        assert!(!ran.err.contains(SECRET) && ran.out.is_empty(), "{}", ran.err);
    }
}

#[test]
fn the_configuration_is_found_by_the_environment_variable() {
    let desk = Desk::new();
    let ran = ran(countersign().arg("migrate").env("COUNTERSIGN_CONFIG", desk.config()));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn migrate_creates_the_store_and_may_be_repeated() {
    let desk = Desk::new();
    let (first, second) = (desk.run(&["migrate"]), desk.run(&["migrate"]));
    assert_eq!((first.code, second.code), (0, 0));
    assert!(first.out.contains("ledger.db has schema") && first.out == second.out, "{}", first.out);
}

#[test]
fn one_process_does_both_on_sqlite() {
    let desk = Desk::new();
    for flag in ["--no-web", "--no-worker"] {
        let ran = desk.run(&["serve", flag]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(flag) && ran.err.contains("SQLite"), "{}", ran.err);
    }
}

/// A server that runs.
pub(crate) struct Serving {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    pub(crate) address: String,
}

impl Serving {
    pub(crate) fn start(desk: &Desk) -> Self {
        Self::begin(&desk.config(), &[], "listening on http://")
    }

    /// Returns once the log says `word`.
    pub(crate) fn begin(config: &Path, arguments: &[&str], word: &str) -> Self {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("countersign"));
        command.arg("serve").args(arguments).arg("--config").arg(config).env_remove("RUST_LOG");
        Self::watch(command, word)
    }

    /// Runs a command that serves, until its log says this word; its address is the end of that line.
    pub(crate) fn watch(mut command: std::process::Command, word: &str) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended before it said `{word}`");
        }
        let address = line.trim().rsplit("http://").next().unwrap().to_owned();
        Self { child, log, address }
    }

    pub(crate) fn status(&self, path: &str) -> String {
        self.get(path).split(' ').nth(1).unwrap().to_owned()
    }

    /// The whole answer, head and body.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Reads the log up to a line with this word.
    pub(crate) fn read_until(&mut self, word: &str) -> String {
        let mut log = String::new();
        while !log.contains(word) {
            assert_ne!(self.log.read_line(&mut log).unwrap(), 0, "it ended before it said {word}: {log}");
        }
        log
    }

    /// Sends the signal; returns the exit code and the rest of the log.
    pub(crate) fn end(mut self, signal: &str) -> (i32, String) {
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code().unwrap(), rest)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_the_log_is_not_asked_about_stays_as_it_is() {
    let desk = Desk::new();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("countersign"));
    command.args(["serve", "--config"]).arg(desk.config()).env("RUST_LOG", "hyper=warn");
    let (code, log) = Serving::watch(command, "listening on http://").end("-TERM");
    assert_eq!(code, 0, "{log}");
}

#[test]
fn serve_starts_without_its_forge_and_a_signal_ends_it() {
    for signal in ["-TERM", "-INT"] {
        let serving = Serving::start(&Desk::new());
        assert_eq!(serving.status("/healthz"), "200");
        assert_eq!(serving.status("/readyz"), "200");
        let (code, log) = serving.end(signal);
        assert_eq!(code, 0, "{log}");
        assert!(log.contains("stopped") && !log.contains(SECRET), "{log}");
    }
}

#[test]
fn a_second_process_is_refused_and_the_others_work_beside_the_first() {
    let desk = Desk::new();
    let serving = Serving::start(&desk);
    for command in ["serve", "migrate"] {
        let second = desk.run(&[command]);
        assert_eq!(second.code, 2, "{command}");
        assert!(second.err.contains("another process uses this database"), "{}", second.err);
    }
    assert_eq!(desk.run(&["audit", "verify"]).code, 0);
    assert_eq!(desk.run(&["check", "--offline"]).code, 0);
    assert_eq!(serving.end("-TERM").0, 0);
    assert_eq!(desk.run(&["migrate"]).code, 0, "the lock outlived the process");
}

#[test]
fn an_address_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = Desk::listening_on(&address).run(&["serve"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains(&format!("{address} can't be listened on")), "{}", ran.err);
}

pub(crate) fn account(id: i64, username: &str) -> Account {
    Account { id: UserId(id), username: username.into(), bot: false }
}

pub(crate) fn opened(id: &DeploymentId) -> Entry {
    let at: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
    let creators = Creators { started_by: vec![account(1, "dana")], stand_ins: Known::Fact(Vec::new()) };
    let description = Description {
        id: id.clone(),
        native: Native::new("4711"),
        round: 1,
        forge: ForgeName::new("gitlab"),
        project: Project { id: ProjectId(30), path: "acme/shop".into() },
        number: 4711,
        order: 4711,
        environment: "production".into(),
        sha: "9f1c2d3e".repeat(5),
        ref_name: "main".into(),
        title: None,
        run: 1,
        job_name: None,
        url: None,
        created_at: at,
        blocked_at: at,
        gate: Gate::Native,
        creators,
        conversation: None,
        notify: None,
        within_reach: None,
    };
    Entry::Opened { description: Box::new(description), standing: Vec::new() }
}

/// Two entries: opened, and rejected by alice for a reason that a spreadsheet would compute.
pub(crate) fn write_ledger(desk: &Desk) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let around = Surroundings::new(Arc::new(SystemClock), TaskTracker::new());
        let store = SqliteStore::open(&desk.store(), Access::Serve, around).await.unwrap();
        let id = DeploymentId::new(&ForgeName::new("gitlab"), ProjectId(30), &Native::new("4711"));
        let at = "2026-11-21T08:00:01Z".parse().unwrap();
        let reason = Some("=1+1, \"no\"".to_owned());
        let vote = Vote { by: account(5, "alice"), word: Word::Rejected, at, reason, source: Source::Forge };
        let entries = vec![opened(&id), Entry::Voted { vote, policy: "p".into(), standing: Vec::new() }];
        let mut commit = Commit::at(at);
        commit.changes.push(Change { deployment: id, expected: 0, entries });
        store.commit(commit).await.unwrap();
        store.close().await;
    });
}

/// Changes the file behind the program's back.
pub(crate) fn tamper(desk: &Desk, statement: &'static str) {
    assert_eq!(execute(desk, statement.to_owned()), 1);
}

/// Runs a statement on the database past the program; returns how many rows it changed.
pub(crate) fn execute(desk: &Desk, statement: String) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = sqlx::SqlitePool::connect(&desk.store()).await.unwrap();
        let done = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await.unwrap();
        pool.close().await;
        done.rows_affected()
    })
}

#[test]
fn a_sound_ledger_is_verified() {
    let desk = Desk::new();
    write_ledger(&desk);
    let ran = desk.run(&["audit", "verify"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "2 entries of 1 deployments: every hash fits\n"));
}

#[test]
fn each_break_of_the_ledger_is_named() {
    for (statement, told) in [
        (
            "UPDATE ledger SET body = replace(body, 'alice', 'carol') WHERE seq = 2",
            "entry 2 of gitlab/30/4711 does not match",
        ),
        ("UPDATE ledger SET at = at + 1 WHERE seq = 1", "entry 1 of gitlab/30/4711 does not match"),
        ("DELETE FROM ledger WHERE seq = 1", "entry 1 of gitlab/30/4711 is missing"),
    ] {
        let desk = Desk::new();
        write_ledger(&desk);
        tamper(&desk, statement);
        let ran = desk.run(&["audit", "verify"]);
        assert_eq!(ran.code, 1, "{statement}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains(told), "{statement}: {}", ran.out);
    }
}

#[test]
fn the_ledger_is_exported_as_json_lines() {
    let desk = Desk::new();
    write_ledger(&desk);
    let ran = desk.run(&["audit", "export"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["deployment"], "gitlab/30/4711");
    assert_eq!(lines[1]["seq"], 2);
    assert_eq!(lines[1]["entry"]["vote"]["by"]["username"], "alice");
    assert_eq!(lines[1]["hash"].as_str().unwrap().len(), 64);
}

#[test]
fn the_ledger_is_exported_as_a_table_in_which_no_text_becomes_a_formula() {
    let desk = Desk::new();
    write_ledger(&desk);
    let ran = desk.run(&["audit", "export", "--format", "csv"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], r#""deployment","seq","at","what","who","reason","body","hash""#);
    let row = r#""gitlab/30/4711","2","2026-11-21T08:00:01Z","rejected","alice","'=1+1, ""no""","#;
    assert!(lines[2].starts_with(row), "{}", lines[2]);
}

#[test]
fn an_export_never_overwrites_a_file() {
    let desk = Desk::new();
    write_ledger(&desk);
    let file = desk.folder.path().join("ledger.jsonl");
    let path = file.to_str().unwrap();
    let (first, second) =
        (desk.run(&["audit", "export", "--output", path]), desk.run(&["audit", "export", "--output", path]));
    assert_eq!((first.code, first.out.as_str(), second.code), (0, "", 2));
    assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), 2);
}

#[test]
fn an_audit_needs_a_store_and_makes_none() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["audit", "verify"]).code, 2);
    assert!(!desk.folder.path().join("ledger.db").exists());
}

#[test]
fn an_offline_check_speaks_to_no_forge_and_makes_no_store() {
    let desk = Desk::new();
    let ran = desk.run(&["check", "--offline"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(
        ran.out.contains("there is no store yet") && ran.out.ends_with("0 findings, 0 warnings\n"),
        "{}",
        ran.out
    );
    assert!(!desk.folder.path().join("ledger.db").exists());
    assert_eq!(desk.run(&["check"]).code, 1, "its forge can't be reached");
}

#[test]
fn a_store_that_is_none_is_found() {
    let desk = Desk::new();
    std::fs::write(desk.folder.path().join("ledger.db"), "no database at all".repeat(100)).unwrap();
    let ran = desk.run(&["check", "--offline"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("finding") && ran.out.contains("ledger.db"), "{}", ran.out);
    assert_eq!(desk.run(&["serve"]).code, 2);
}
