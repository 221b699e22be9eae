//! The true server against the simulated world: put together from a configuration's text, as `serve` does it.

use super::FORGE;
use super::world::{APPROVERS, BOT, ENVIRONMENTS, PROJECT, World};
use crate::cli::wiring::{self, Built};
use crate::config::{self, Config};
use crate::ports::clock::Clock;
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// The server with all that it needs, before it serves.
pub(crate) struct House {
    /// Use cases, worker and routes.
    pub(crate) built: Built,
    /// Where GitLab's webhooks arrive.
    pub(crate) listener: TcpListener,
    /// Removed with everything in it when this is dropped: keep it until the store is closed.
    pub(crate) folder: Folder,
}

/// Starts the world's GitLab, points its webhooks here, and puts the server together. `poll` is how often it looks
/// for itself, such as `"60s"`. `tasks` carries the store's writer.
pub(crate) async fn put_together(
    world: &World,
    clock: Arc<dyn Clock>,
    poll: &str,
    tasks: &TaskTracker,
) -> anyhow::Result<House> {
    let folder = Folder::new(&clock.new_id())?;
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no free local port")?;
    let gitlab = world.gitlab.start().await.context("no free local port for the simulated GitLab")?;
    let token = signing_token(&clock.new_id());
    world.add_hook(&format!("http://{}/hooks/{FORGE}", listener.local_addr()?), &token);
    let config = configuration(&folder.0, &Secrets { gitlab, token: &world.token, signing: token }, poll)?;
    let built = wiring::build(&config, clock, tasks).await.context("the demo's server")?;
    built.app.start_polling().await.context("the demo's server")?;
    Ok(House { built, listener, folder })
}

/// What the configuration needs to know of the world.
struct Secrets<'a> {
    gitlab: String,
    token: &'a str,
    signing: String,
}

fn configuration(folder: &Path, secrets: &Secrets<'_>, poll: &str) -> anyhow::Result<Config> {
    let store = format!("sqlite:{}", folder.join("countersign.db").display());
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = {}\n[[gitlab]]\nname = \"{FORGE}\"\nurl = {}\n\
         token = {}\nsigning_tokens = [{}]\npoll = {}\n",
        quoted(&store),
        quoted(&secrets.gitlab),
        quoted(secrets.token),
        quoted(&secrets.signing),
        quoted(poll),
    );
    for (environment, needed) in ENVIRONMENTS {
        write!(
            text,
            "[[environment]]\non = \"{FORGE}\"\nproject = \"{PROJECT}\"\nname = \"{environment}\"\n\
             approval_rules = [{{ group = \"{APPROVERS}\", required_approvals = {needed} }}]\n"
        )?;
    }
    config::parse(&text, Path::new("demo.toml"), &|_| None)
        .map_err(|faults| anyhow::anyhow!("the demo's own configuration ({BOT}): {faults}"))
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A signing token as GitLab makes them, of this seed.
fn signing_token(seed: &str) -> String {
    format!("whsec_{}", STANDARD.encode(Sha256::digest(seed)))
}

/// A folder for this run alone, removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    fn new(id: &str) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("countersign-demo-{}-{id}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("the folder {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the demo's folder stays");
        }
    }
}
