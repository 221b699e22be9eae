//! The log: to stderr, its level by `RUST_LOG`.

use clap::{Args, ValueEnum};
use std::io::{self, IsTerminal as _};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

#[derive(Args)]
pub(super) struct LogArgs {
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = LogFormat::Text,
        help = "How the log on stderr looks; RUST_LOG sets its level"
    )]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Starts the log, at this level unless `RUST_LOG` says otherwise; a second start changes nothing.
pub(super) fn start(args: &LogArgs, level: LevelFilter) {
    let filter = filter(level);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let _ = match args.log_format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}

/// octocrab calls every failed request an error, also those that are simply tried again; whoever called tells of
/// them in our own words. `RUST_LOG=octocrab=…` brings them back.
#[expect(clippy::disallowed_methods, reason = "where the log is set up, its variable is read")]
fn filter(level: LevelFilter) -> EnvFilter {
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    // What is asked comes last, so it wins. A default directive would count only where nothing else is said.
    EnvFilter::builder().parse_lossy(format!("{level},octocrab=off,{asked}"))
}
