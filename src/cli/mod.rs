//! The command line. Results go to stdout, the log and what went wrong to stderr.
//!
//! * [`wiring`]: the only file that names every adapter.
//! * `serve`, `check`, `migrate`, `audit`, `jobs`, `healthcheck`: one file for each command.
//! * `demo`: the true server against a simulated world, to be played or told.
//! * `log`: where the log goes and how it looks.
//!
//! Exit codes: 0 done and sound, 1 findings or a failure, 2 unusable as it stands (configuration, arguments).

mod audit;
mod check;
mod demo;
mod healthcheck;
mod jobs;
mod log;
mod migrate;
mod serve;
pub mod wiring;

use crate::config::{self, Config, StoreUrl};
use crate::ports::store::Store;
use clap::{Args, Parser, Subcommand};
use std::fmt::Display;
use std::future::Future;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;
use tracing_subscriber::filter::LevelFilter;
use wiring::SystemClock;

/// How long what ignores the end may still hold it up.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Approve or reject blocked deployments from a comment, a chat or a button.
#[derive(Parser)]
#[command(name = "countersign", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    log: log::LogArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: take webhooks, decide, and tell the forge
    Serve(serve::ServeArgs),
    /// Look for what is wrong with configuration, tokens, hooks and protected environments
    Check(check::CheckArgs),
    /// Play a simulated world in the browser, or have its story told: no configuration, no token
    Demo(demo::DemoArgs),
    /// Create the store or bring its schema up to date
    Migrate(migrate::MigrateArgs),
    /// Check or export the ledger of decisions
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Show, retry or drop what the server has given up
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// Ask the server whether it is ready: exit code 0 if so
    Healthcheck(healthcheck::HealthcheckArgs),
}

impl Command {
    /// What is logged unless `RUST_LOG` says otherwise: the demo makes trouble on purpose, so it tells of errors only.
    fn log_level(&self) -> LevelFilter {
        match self {
            Self::Demo(_) => LevelFilter::ERROR,
            Self::Serve(_) | Self::Check(_) | Self::Migrate(_) | Self::Audit(_) | Self::Jobs(_) => {
                LevelFilter::INFO
            }
            Self::Healthcheck(_) => LevelFilter::WARN,
        }
    }
}

/// Which configuration.
#[derive(Args)]
struct ConfigArgs {
    /// The configuration file
    #[arg(
        long = "config",
        value_name = "FILE",
        env = "COUNTERSIGN_CONFIG",
        hide_env_values = true,
        default_value = "config/countersign.toml"
    )]
    file: PathBuf,
}

impl ConfigArgs {
    fn load(&self) -> Result<Config, Trouble> {
        config::load(&self.file, &config::process_environment).map_err(Trouble::unusable)
    }

    /// For commands that use nothing but the store: forges and chats, and their secrets, are left alone.
    fn load_store(&self) -> Result<StoreUrl, Trouble> {
        config::load_store(&self.file, &config::process_environment).map_err(Trouble::unusable)
    }
}

/// Why a command came to no good end.
enum Trouble {
    /// What was given can't be used: exit code 2.
    Unusable(anyhow::Error),
    /// It failed on the way: exit code 1.
    Failed(anyhow::Error),
}

impl Trouble {
    fn unusable(why: impl Into<anyhow::Error>) -> Self {
        Self::Unusable(why.into())
    }
}

impl<E: Into<anyhow::Error>> From<E> for Trouble {
    fn from(why: E) -> Self {
        Self::Failed(why.into())
    }
}

type Outcome = Result<ExitCode, Trouble>;

/// Runs the command that the arguments name; returns the process's exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Nobody is left to tell when the terminal is gone.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    log::start(&cli.log, cli.command.log_level());
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Audit(command) => audit::run(&command),
        Command::Jobs(command) => jobs::run(&command),
        Command::Healthcheck(args) => healthcheck::run(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(Trouble::Unusable(why)) => complain(&why, 2),
        Err(Trouble::Failed(why)) if is_broken_pipe(&why) => ExitCode::SUCCESS,
        Err(Trouble::Failed(why)) => complain(&why, 1),
    }
}

fn complain(why: &anyhow::Error, code: u8) -> ExitCode {
    let text = match why.downcast_ref::<config::Faults>() {
        Some(faults) => faults.to_string(),
        None => format!("error: {why:#}"),
    };
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::from(code)
}

/// `countersign … | head` has seen enough: no failure of ours.
fn is_broken_pipe(why: &anyhow::Error) -> bool {
    why.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A line of a result.
fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// Runs a command's work to its end; what still hangs then doesn't hold the process.
fn block_on<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_MOMENT);
    outcome
}

/// Works on a store, beside a process that may serve from it.
fn with_store(url: &StoreUrl, work: impl AsyncFnOnce(&dyn Store) -> Outcome) -> Outcome {
    block_on(async {
        let tasks = TaskTracker::new();
        let opened = wiring::open_beside(url, Arc::new(SystemClock), &tasks).await;
        let store = opened.map_err(Trouble::unusable)?;
        let outcome = work(store.as_ref()).await;
        store.close().await;
        outcome
    })
}
