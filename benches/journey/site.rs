//! A place for a server: its configuration, its database, its address.

use crate::child::{Child, free_address};
use crate::world::World;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Servers that are started here one after the other find what the last one left.
pub(crate) struct Site {
    config: PathBuf,
    address: SocketAddr,
}

impl Site {
    /// A fresh one in this folder.
    pub(crate) fn new(folder: &Path, name: &str, world: &World) -> anyhow::Result<Self> {
        let (config, address) = (folder.join(name).with_extension("toml"), free_address()?);
        world.configure(&config, address)?;
        Ok(Self { config, address })
    }

    /// `countersign serve`, as it is installed.
    pub(crate) fn serve(&self) -> anyhow::Result<Child> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        self.start(command.args(["serve", "--config"]).arg(&self.config))
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
