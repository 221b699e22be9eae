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
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let _ = match args.log_format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
