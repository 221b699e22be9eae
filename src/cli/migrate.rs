//! `countersign migrate`: the schema.

use super::{ConfigArgs, Outcome, Trouble, block_on, say, wiring};
use crate::config::StoreUrl;
use crate::store::sqlite;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) fn run(args: &MigrateArgs) -> Outcome {
    let StoreUrl::Sqlite(path) = args.config.load()?.store;
    let address = wiring::address(&StoreUrl::Sqlite(path.clone()));
    let schema = block_on(async { sqlite::migrate(&address).await.map_err(Trouble::unusable) })?;
    say(format_args!("{} has schema {schema}, which is the newest", path.display()))?;
    Ok(ExitCode::SUCCESS)
}
