//! `countersign check`: the doctor.

use super::{ConfigArgs, Outcome};
use clap::Args;

#[derive(Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only configuration, secrets and store: speak to no forge
    #[arg(long)]
    offline: bool,
}

pub(super) fn run(args: &CheckArgs) -> Outcome {
    let _ = (args.config.load()?, args.offline);
    Ok(std::process::ExitCode::SUCCESS)
}
