//! The true server against the simulated world: put together from a configuration's text, as `serve` does it.

use super::world::{APPROVERS, CHAT, Forge, PROJECT, Person, World};
use crate::cli::wiring::{self, Built};
use crate::config::{self, Config};
use crate::ports::clock::Clock;
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// The server with all that it needs, before it serves.
pub(crate) struct House {
    /// Use cases, worker and routes.
    pub(crate) built: Built,
    /// Where the forges' webhooks and the chat's requests arrive.
    pub(crate) listener: TcpListener,
    /// Removed with everything in it when this is dropped: keep it until the store is closed.
    pub(crate) folder: Folder,
}

/// Starts the world's forges and its chat, points their webhooks here, and puts the server together. `poll` is how often it looks
/// for itself, such as `"60s"`. `tasks` carries the store's writer.
pub(crate) async fn put_together(
    world: &World,
    clock: Arc<dyn Clock>,
    poll: &str,
    tasks: &TaskTracker,
) -> anyhow::Result<House> {
    let folder = Folder::new(&clock.new_id())?;
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no free local port")?;
    world.gitlab.twin.start().await.context("no free local port for the simulated GitLab")?;
    world.github.twin.start().await.context("no free local port for the simulated GitHub")?;
    world.slack.twin.start().await.context("no free local port for the simulated Slack")?;
    let hooks = format!("http://{}/hooks", listener.local_addr()?);
    let signing = signing_token(&clock.new_id());
    world.gitlab.add_hook(&format!("{hooks}/{}", Forge::GitLab.key()), &signing);
    world.github.add_hook(&format!("{hooks}/{}", Forge::GitHub.key()));
    world.slack.add_hook(&format!("{hooks}/{CHAT}"));
    let config = configuration(world, &folder.0, &signing, poll)?;
    let built = wiring::build(&config, clock, tasks).await.context("the demo's server")?;
    built.app.start_polling().await.context("the demo's server")?;
    Ok(House { built, listener, folder })
}

fn configuration(world: &World, folder: &Path, signing: &str, poll: &str) -> anyhow::Result<Config> {
    let store = format!("sqlite:{}", folder.join("countersign.db").display());
    let mut text = format!("[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = {}\n", quoted(&store));
    text.push_str(&gitlab(world, signing, poll));
    text.push_str(&github(world, poll));
    text.push_str(&slack(world));
    for forge in Forge::ALL {
        let policy = |environment: &(&str, u32)| policy(world, forge, *environment);
        text.extend(forge.environments().iter().map(policy));
    }
    config::parse(&text, Path::new("demo.toml"), &|_| None)
        .map_err(|faults| anyhow::anyhow!("the demo's own configuration: {faults}"))
}

fn gitlab(world: &World, signing: &str, poll: &str) -> String {
    format!(
        "[[gitlab]]\nname = \"{}\"\nurl = {}\ntoken = {}\nsigning_tokens = [{}]\npoll = {}\n",
        Forge::GitLab.key(),
        quoted(&world.gitlab.twin.url()),
        quoted(&world.gitlab.token),
        quoted(signing),
        quoted(poll),
    )
}

fn github(world: &World, poll: &str) -> String {
    let app = &world.github.app;
    format!(
        "[[github]]\nname = \"{}\"\napi_url = {}\napp_id = {}\nprivate_key = {}\nwebhook_secrets = [{}]\n\
         poll = {}\n",
        Forge::GitHub.key(),
        quoted(&world.github.twin.url()),
        app.id,
        quoted(&app.private_key_pem),
        quoted(&app.webhook_secret),
        quoted(poll),
    )
}

/// The chat, and whose accounts there speak for whom.
fn slack(world: &World) -> String {
    let twin = &world.slack.twin;
    let mut text = format!(
        "[[slack]]\nname = \"{CHAT}\"\napi_url = {}\nbot_token = {}\nsigning_secrets = [{}]\nteam_ids = [{}]\n",
        quoted(&format!("{}/api", twin.url())),
        quoted(&twin.bot_token()),
        quoted(&twin.signing_secret()),
        quoted(&twin.team()),
    );
    for person in Person::ALL.into_iter().filter(|person| person.is_linked()) {
        let name = person.username();
        text.push_str("[[person]]\n");
        text.extend(Forge::ALL.map(|forge| format!("{} = \"{name}\"\n", forge.key())));
        text.extend([CHAT, " = ", &quoted(world.slack.id(person)), "\n"]);
    }
    text
}

fn policy(world: &World, forge: Forge, (environment, needed): (&str, u32)) -> String {
    let grantee = match forge {
        Forge::GitLab => "group",
        Forge::GitHub => "team",
    };
    format!(
        "[[environment]]\non = \"{}\"\nproject = \"{PROJECT}\"\nname = \"{environment}\"\n\
         approval_rules = [{{ {grantee} = \"{APPROVERS}\", required_approvals = {needed} }}]\n\
         notify = [\"{CHAT}:{}\"]\n",
        forge.key(),
        world.slack.channel,
    )
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
