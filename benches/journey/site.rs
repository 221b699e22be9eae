//! A place for a server: its configuration, its database, its address.

use crate::child::{Child, free_address};
use crate::world::World;
use anyhow::{Context as _, ensure};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Servers that are started here one after the other find what the last one left.
pub(crate) struct Site {
    pub(crate) config: PathBuf,
    pub(crate) store: String,
    address: SocketAddr,
}

impl Site {
    /// A fresh one in this folder, with its database in a file there.
    pub(crate) fn new(folder: &Path, name: &str, world: &World) -> anyhow::Result<Self> {
        let database = folder.join(name).with_extension("db");
        let database = database.to_str().context("the folder's name is not UTF-8")?;
        Self::on(folder, name, world, format!("sqlite:{database}"))
    }

    /// A fresh one in this folder, on this database.
    pub(crate) fn on(folder: &Path, name: &str, world: &World, store: String) -> anyhow::Result<Self> {
        let (config, address) = (folder.join(name).with_extension("toml"), free_address()?);
        world.configure(&config, address, &store)?;
        Ok(Self { config, store, address })
    }

    /// `countersign serve`, as it is installed.
    pub(crate) fn serve(&self) -> anyhow::Result<Child> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        self.start(command.args(["serve", "--config"]).arg(&self.config))
    }

    /// Checks the whole ledger; returns how long that took and what was said.
    pub(crate) fn verify_ledger(&self) -> anyhow::Result<(Duration, String)> {
        let began = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        let done = command.args(["audit", "verify", "--config"]).arg(&self.config).output()?;
        let (took, said) = (began.elapsed(), String::from_utf8(done.stdout)?);
        ensure!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
        Ok((took, said.trim().to_owned()))
    }

    /// The same server, storing nothing.
    pub(crate) fn serve_without_storing(&self) -> anyhow::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        self.start(command.arg(crate::BASELINE).arg(&self.config))
    }

    /// The least that can be done with a hook, with or without a row for each.
    pub(crate) fn serve_barely(&self, storing: bool) -> anyhow::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([crate::BARE, &self.address.to_string()]);
        if storing {
            command.arg(self.config.with_extension("db"));
        }
        self.start(&mut command)
    }

    fn start(&self, command: &mut Command) -> anyhow::Result<Child> {
        Child::start(command, self.address, &self.config.with_extension("log"))
    }
}
