//! `countersign jobs`: what waits, and what was given up.

use super::wiring::SystemClock;
use super::{ConfigArgs, Outcome, say, with_store};
use crate::app::letters::{self, kind, lane_name};
use crate::ports::clock::Clock as _;
use crate::ports::store::{Backlog, Store, StoredJob};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;
use std::io::{self, Write as _};
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum JobsCommand {
    /// Show what was given up (dead letters), with --all what waits as well
    List(ListArgs),
    /// Try again what was given up: one dead letter, or all of them
    Retry {
        #[command(flatten)]
        config: ConfigArgs,
        /// The number that `list` shows
        #[arg(value_name = "NUMBER", required_unless_present = "all")]
        job: Option<i64>,
        /// Every dead letter
        #[arg(long, conflicts_with = "job")]
        all: bool,
    },
    /// Remove a dead letter for good; not one at the gate of a deployment that is still open
    Drop {
        #[command(flatten)]
        config: ConfigArgs,
        /// The number that `list` shows
        #[arg(value_name = "NUMBER")]
        job: i64,
    },
}

#[derive(Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// What waits as well
    #[arg(long)]
    all: bool,
    /// For people, or one JSON array
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(command: &JobsCommand) -> Outcome {
    match command {
        JobsCommand::List(args) => {
            with_store(&args.config.load_store()?, async |store| list(store, args).await)
        }
        JobsCommand::Retry { config, job, .. } => {
            with_store(&config.load_store()?, async |store| retry(store, *job).await)
        }
        JobsCommand::Drop { config, job } => {
            with_store(&config.load_store()?, async |store| discard(store, *job).await)
        }
    }
}

async fn list(store: &dyn Store, args: &ListArgs) -> Outcome {
    let jobs = letters::list(store, !args.all).await?;
    let unsorted = if args.all { store.backlog(SystemClock.now()).await?.unsorted } else { 0 };
    match args.format {
        Format::Json => {
            let lines: Vec<Line<'_>> = jobs.iter().map(Line::new).collect();
            say(serde_json::to_string_pretty(&lines)?)?;
        }
        Format::Text if jobs.is_empty() && unsorted == 0 => {
            say(if args.all { "nothing waits, and nothing was given up" } else { "nothing was given up" })?;
        }
        Format::Text => {
            if !jobs.is_empty() {
                table(&jobs)?;
            }
            if unsorted > 0 {
                say(unsorted_deliveries(unsorted))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Deliveries have no number until they become jobs.
fn unsorted_deliveries(count: u64) -> String {
    let count = if count < Backlog::COUNTED { count.to_string() } else { format!("{count} or more") };
    format!(
        "Deliveries that are stored and will become jobs when the worker has a hand free and their platform \
         isn't paused: {count}"
    )
}

async fn retry(store: &dyn Store, job: Option<i64>) -> Outcome {
    let now = SystemClock.now();
    if let Some(job) = job {
        letters::retry(store, job, now).await?;
        say(format_args!("job {job} is tried again"))?;
    } else {
        let revived = letters::retry_all(store, now).await?;
        say(format_args!("dead letters that are tried again: {revived}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn discard(store: &dyn Store, job: i64) -> Outcome {
    letters::discard(store, job).await?;
    say(format_args!("job {job} is dropped"))?;
    Ok(ExitCode::SUCCESS)
}

/// One job for machines.
#[derive(Serialize)]
struct Line<'a> {
    id: i64,
    state: &'static str,
    lane: &'static str,
    kind: &'static str,
    key: &'a str,
    platform: &'a str,
    attempts: u32,
    since: Timestamp,
    /// When it is tried next; a dead letter never is.
    next: Option<Timestamp>,
    why: Option<&'a str>,
    delivery: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn new(job: &'a StoredJob) -> Self {
        Self {
            id: job.id,
            state: if job.dead { "dead" } else { "waiting" },
            lane: lane_name(job.lane),
            kind: job.work.as_ref().map_or("unreadable", kind),
            key: &job.key,
            platform: job.platform.as_str(),
            attempts: job.attempts,
            since: job.created_at,
            next: (!job.dead).then_some(job.run_at),
            why: job.last_error.as_deref(),
            delivery: job.cause.as_deref(),
        }
    }
}

fn table(jobs: &[StoredJob]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{:>8}  {:7}  {:6}  {:24}  {:>8}  {:20}  KEY: WHY",
        "NUMBER", "STATE", "LANE", "KIND", "ATTEMPTS", "SINCE"
    )?;
    for job in jobs {
        let Line { id, state, lane, kind, key, attempts, since, why, .. } = Line::new(job);
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
        let why = plain(why.unwrap_or(if attempts == 0 { "not tried yet" } else { "no failure" }));
        writeln!(
            out,
            "{id:>8}  {state:7}  {lane:6}  {kind:24}  {attempts:>8}  {since}  {}: {why}",
            plain(key)
        )?;
    }
    Ok(())
}

/// What a forge said may hold anything; a terminal is to show it, not to obey it.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
