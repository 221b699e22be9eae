//! `countersign check`: the doctor. It looks at everything that an approval depends on, changes nothing, and
//! says of each thing that is wrong what would mend it.
//!
//! * `gitlab` and `github`: how each kind of forge is set up; `subject`: what is asked of both alike.
//! * `chat`: how chats are set up.
//! * `report`: what was found.

mod chat;
mod github;
mod gitlab;
mod report;
mod subject;

use super::wiring::{self, BuildError, SystemClock};
use super::{ConfigArgs, Outcome, Trouble, block_on, say};
use crate::config::{Config, GitHub, GitLab, StoreUrl};
use crate::domain::id::ForgeName;
use crate::net::http::{Http, Limits};
use crate::ports::clock::Clock;
use crate::ports::forge::Lookup;
use crate::ports::inspect::Inspect;
use crate::ports::store::Store;
use crate::store::{OpenError, OpenStore};
use clap::Args;
use report::Report;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use subject::{Subject, Words};
use tokio_util::task::TaskTracker;

#[derive(Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only configuration, secrets and store: speak to no forge and no chat
    #[arg(long)]
    offline: bool,
}

pub(super) fn run(args: &CheckArgs) -> Outcome {
    let config = args.config.load()?;
    let mut report = Report::default();
    configuration(&config, &args.config.file, &mut report);
    block_on(async {
        let store = store(&config, &mut report).await;
        if !args.offline {
            platforms(&config, store.as_ref().map(|store| store.as_ref() as &dyn Store), &mut report).await?;
        }
        if let Some(store) = store {
            store.close().await;
        }
        Ok(())
    })?;
    say(&report)?;
    Ok(if report.findings() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn configuration(config: &Config, file: &Path, report: &mut Report) {
    let file = file.display();
    report.fine(format!("{file}: the configuration can be used, and every secret is there"));
    for warning in &config.warnings {
        report.warn(format!("{file}:{}: {}", warning.line, warning.message), &warning.remedy);
    }
}

/// Opens the store beside a process that may serve; says how it stands.
async fn store(config: &Config, report: &mut Report) -> Option<Arc<dyn OpenStore>> {
    let shown = &config.store;
    let opened = wiring::open_beside(&config.store, Arc::new(SystemClock), &TaskTracker::new()).await;
    let store = match opened {
        Ok(store) => store,
        Err(OpenError::Io { why, .. }) if why.kind() == ErrorKind::NotFound => {
            absent(&config.store, report);
            return None;
        }
        Err(older @ OpenError::Older { .. }) => {
            report.note(format!("{shown}: {older}, or start `countersign serve`, which does the same"));
            return None;
        }
        Err(error) => {
            report.find(
                format!("{shown}: {error}"),
                "see to the database and to the rights on it, or name another one",
            );
            return None;
        }
    };
    match store.ready().await {
        Ok(()) => report.fine(format!("{shown}: the store can be read and written")),
        Err(error) => {
            report.find(format!("{shown}: {error}"), "see to the disk and to the rights on the database");
        }
    }
    match store.depth(SystemClock.now()).await {
        Ok(depth) if depth.dead > 0 => report.warn(
            format!("{shown}: {} jobs were given up", depth.dead),
            "`countersign jobs list` says what and why; `jobs retry` tries again, `jobs drop` forgets it",
        ),
        Ok(_) | Err(_) => {}
    }
    Some(store)
}

fn absent(store: &StoreUrl, report: &mut Report) {
    let StoreUrl::Sqlite(path) = store else { return };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        report.note(format!("{}: there is no store yet; `countersign serve` makes it", path.display()));
    } else {
        let text = format!("{}: there is no folder {}", path.display(), folder.display());
        report.find(text, "make the folder, or name another one in [store] url");
    }
}

/// Everything that forges and chats are examined with.
struct Practice<'a> {
    config: &'a Config,
    http: Http,
    clock: Arc<dyn Clock>,
    store: Option<&'a dyn Store>,
}

async fn platforms(config: &Config, store: Option<&dyn Store>, report: &mut Report) -> Result<(), Trouble> {
    let practice =
        Practice { config, http: Http::new(Limits::default())?, clock: Arc::new(SystemClock), store };
    for settings in &config.gitlab {
        practice.gitlab(settings, report).await.map_err(Trouble::unusable)?;
    }
    for settings in &config.github {
        practice.github(settings, report).await.map_err(Trouble::unusable)?;
    }
    for settings in &config.slack {
        let slack = wiring::slack(settings, &practice.http, &practice.clock).map_err(Trouble::unusable)?;
        practice.chat(&slack, chat::Kind::Slack(settings), report).await;
    }
    for settings in &config.mattermost {
        let chat =
            wiring::mattermost(settings, &practice.http, &practice.clock).map_err(Trouble::unusable)?;
        practice.chat(&chat, chat::Kind::Mattermost(settings), report).await;
    }
    Ok(())
}

impl Practice<'_> {
    async fn gitlab(&self, settings: &GitLab, report: &mut Report) -> Result<(), BuildError> {
        let forge = wiring::gitlab(settings, &self.http, &self.clock)?;
        let root = as_root(settings).map(|settings| wiring::gitlab(&settings, &self.http, &self.clock));
        let root = root.transpose()?;
        let root = root.as_ref().map(|root| root as &dyn Inspect);
        let on = self.subject(&settings.name, &forge, &gitlab::WORDS, report);
        gitlab::Doctor { on, forge: &forge, root, settings }.examine(self.store).await;
        Ok(())
    }

    async fn github(&self, settings: &GitHub, report: &mut Report) -> Result<(), BuildError> {
        let forge = wiring::github(settings, &self.http, &self.clock)?;
        let on = self.subject(&settings.name, &forge, &github::WORDS, report);
        github::Doctor { on, forge: &forge, settings }.examine(self.store).await;
        Ok(())
    }

    async fn chat(&self, chat: &dyn chat::Patient, kind: chat::Kind<'_>, report: &mut Report) {
        let clock = self.clock.as_ref();
        chat::Doctor { chat, kind, config: self.config, clock, report }.examine(self.store).await;
    }

    fn subject<'s>(
        &'s self,
        forge: &'s ForgeName,
        lookup: &'s dyn Lookup,
        words: &'static Words,
        report: &'s mut Report,
    ) -> Subject<'s> {
        Subject { forge, lookup, words, config: self.config, clock: self.clock.as_ref(), report }
    }
}

/// The same forge, seen with the administrator's token: the serving process gives that token no way to look.
fn as_root(settings: &GitLab) -> Option<GitLab> {
    let token = settings.sudo_token.clone()?;
    Some(GitLab { token, sudo_token: None, ..settings.clone() })
}
