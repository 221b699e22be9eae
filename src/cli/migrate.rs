//! `countersign migrate`: the schema.

use super::{ConfigArgs, Outcome, Trouble, block_on, say, wiring};
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) fn run(args: &MigrateArgs) -> Outcome {
    let store = args.config.load_store()?;
    let schema = block_on(async { wiring::migrate(&store).await.map_err(Trouble::unusable) })?;
    say(format_args!("{store} has schema {schema}, which is the newest"))?;
    Ok(ExitCode::SUCCESS)
}
