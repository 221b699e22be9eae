//! `countersign audit`: the ledger, checked or handed out.

use super::{ConfigArgs, Outcome, Trouble, say, with_store};
use crate::app::audit::{self, Walk};
use crate::config::{self, StoreUrl};
use crate::domain::actor::Account;
use crate::domain::id::DeploymentId;
use crate::domain::ledger::{self, Entry, Outcome as Ending, Sealed, Word};
use crate::ports::store::Store;
use anyhow::Context as _;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Check every entry against its hash and its place in the chain; exit code 1 if one doesn't fit
    Verify(LedgerArgs),
    /// Write every entry of the ledger
    Export(ExportArgs),
}

/// Whose ledger.
#[derive(Args)]
pub(super) struct LedgerArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Another store, such as a backup: sqlite:FILE or postgres://…; no configuration is read then
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    store: Option<String>,
}

impl LedgerArgs {
    fn url(&self) -> Result<StoreUrl, Trouble> {
        match &self.store {
            Some(address) => config::store_at(address, Path::new("--store")).map_err(Trouble::unusable),
            None => self.config.load_store(),
        }
    }
}

#[derive(Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    ledger: LedgerArgs,
    /// JSON Lines with everything, or a table for spreadsheets
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Write to this file, which must not exist yet, instead of stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

pub(super) fn run(command: &AuditCommand) -> Outcome {
    match command {
        AuditCommand::Verify(ledger) => with_store(&ledger.url()?, async |store| verify(store).await),
        AuditCommand::Export(args) => {
            with_store(&args.ledger.url()?, async |store| export(store, args).await)
        }
    }
}

async fn verify(store: &dyn Store) -> Outcome {
    let audit = audit::verify(store).await?;
    for broken in &audit.broken {
        say(broken)?;
    }
    let (entries, deployments) = (audit.entries, audit.deployments);
    if audit.broken.is_empty() {
        say(format_args!("{entries} entries of {deployments} deployments: every hash fits"))?;
        return Ok(ExitCode::SUCCESS);
    }
    say(format_args!("{entries} entries of {deployments} deployments: {} don't fit", audit.broken.len()))?;
    Ok(ExitCode::FAILURE)
}

async fn export(store: &dyn Store, args: &ExportArgs) -> Outcome {
    let out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(
            File::create_new(path)
                .with_context(|| format!("--output {}", path.display()))
                .map_err(Trouble::Unusable)?,
        ),
        None => Box::new(io::stdout()),
    };
    let mut out = BufWriter::new(out);
    if let Format::Csv = args.format {
        writeln!(out, "{}", csv(&COLUMNS.map(str::to_owned)))?;
    }
    let mut walk = Walk::new(store);
    while let Some((deployment, chain)) = walk.next().await? {
        for sealed in &chain {
            let line = match args.format {
                Format::Jsonl => serde_json::to_string(&Line::new(&deployment, sealed))?,
                Format::Csv => row(&deployment, sealed),
            };
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// One entry for machines. `body` holds the bytes that the hash was taken of.
#[derive(Serialize)]
struct Line<'a> {
    deployment: &'a DeploymentId,
    seq: i64,
    at: jiff::Timestamp,
    entry: Option<Value>,
    format: i64,
    body: &'a str,
    hash: &'a str,
}

impl<'a> Line<'a> {
    fn new(deployment: &'a DeploymentId, sealed: &'a Sealed) -> Self {
        let Sealed { seq, at, format, body, hash } = sealed;
        let entry = serde_json::from_str(body).ok();
        Self { deployment, seq: *seq, at: *at, entry, format: *format, body, hash }
    }
}

const COLUMNS: [&str; 8] = ["deployment", "seq", "at", "what", "who", "reason", "body", "hash"];

fn row(deployment: &DeploymentId, sealed: &Sealed) -> String {
    let (what, who, reason) = match ledger::open(deployment, sealed) {
        Ok(entry) => told(&entry),
        Err(broken) => (broken.to_string(), String::new(), String::new()),
    };
    let (seq, at) = (sealed.seq.to_string(), sealed.at.to_string());
    csv(&[deployment.to_string(), seq, at, what, who, reason, sealed.body.clone(), sealed.hash.clone()])
}

/// What happened, who did it, and why.
fn told(entry: &Entry) -> (String, String, String) {
    let (what, who, reason) = match entry {
        Entry::Opened { .. } => ("opened", String::new(), None),
        Entry::Voted { vote, .. } => {
            let what = match vote.word {
                Word::Approved => "approved",
                Word::Rejected => "rejected",
                Word::Revoked => "revoked",
            };
            (what, vote.by.username.clone(), vote.reason.clone())
        }
        Entry::Releasing { approvers, .. } => ("releasing", names(approvers), None),
        Entry::ReleaseUndone { .. } => ("release undone", String::new(), None),
        Entry::Rejecting { by, .. } => ("rejecting", by.username.clone(), None),
        Entry::Settled { outcome } => ended(outcome),
        Entry::Superseded => ("superseded", String::new(), None),
        Entry::Asked { .. } => ("asked", String::new(), None),
        Entry::Placed { .. } => ("shown", String::new(), None),
    };
    (what.to_owned(), who, reason.unwrap_or_default())
}

fn ended(outcome: &Ending) -> (&'static str, String, Option<String>) {
    let name = |by: &Option<Account>| by.as_ref().map(|by| by.username.clone()).unwrap_or_default();
    let (what, who) = match outcome {
        Ending::Waiting(_) => ("waits", String::new()),
        Ending::Started => ("started", String::new()),
        Ending::StartedBy(by) => ("started", name(by)),
        Ending::Deployed => ("deployed", String::new()),
        Ending::Failed => ("failed", String::new()),
        Ending::Rejected => ("rejection carried out", String::new()),
        Ending::Cancelled => ("cancelled", String::new()),
        Ending::AskedAgain => ("asked again", String::new()),
        Ending::Strayed => ("strayed", String::new()),
        Ending::Bypassed(by) => ("bypassed", name(by)),
        Ending::Gone => ("gone", String::new()),
    };
    (what, who, None)
}

fn names(accounts: &[Account]) -> String {
    accounts.iter().map(|account| account.username.as_str()).collect::<Vec<_>>().join(" ")
}

/// One line as RFC 4180 has it.
fn csv(fields: &[String]) -> String {
    fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",")
}

/// A spreadsheet takes a text that begins like a formula for one: an apostrophe keeps it a text.
fn quoted(field: &str) -> String {
    let guard = if field.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", field.replace('"', "\"\""))
}
