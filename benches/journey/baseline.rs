//! The same server, which verifies and reads every hook and stores nothing: what storing is measured against.

use anyhow::Context as _;
use countersign::chat::slack::SlackInbound;
use countersign::cli::wiring::{self, SystemClock};
use countersign::config;
use countersign::forge::github::webhook::GitHubInbound;
use countersign::forge::gitlab::webhook::GitLabInbound;
use countersign::ports::inbound::{Inbound, Manner, RawDelivery, Received, Rejected};
use countersign::web::{self, Pulse, Sources, Web};
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Finds every verified delivery to be none of our business.
struct StoresNothing<I>(I);

impl<I: Inbound> Inbound for StoresNothing<I> {
    fn manner(&self) -> Manner {
        self.0.manner()
    }

    fn largest(&self) -> usize {
        self.0.largest()
    }

    fn receive(&self, raw: RawDelivery<'_>, now: Timestamp) -> Result<Received, Rejected> {
        Ok(match self.0.receive(raw, now)? {
            Received::Ours(_) => Received::NotOurs("nothing is stored here"),
            answered @ (Received::NotOurs(_) | Received::Told(_)) => answered,
        })
    }
}

/// Serves until standard input ends, which it does at the latest when the benchmark does.
pub(crate) fn serve(file: &Path) -> anyhow::Result<()> {
    let config = config::load(file, &|_| None)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stop = CancellationToken::new();
    let input_ended = stop.clone();
    std::thread::spawn(move || {
        // Whether it ended or broke: nobody is there any more.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        input_ended.cancel();
    });
    runtime.block_on(run(&config, stop))
}

async fn run(config: &config::Config, stop: CancellationToken) -> anyhow::Result<()> {
    let tasks = TaskTracker::new();
    let built = wiring::build(config, Arc::new(SystemClock), &tasks).await?;
    let mut sources = Sources::new();
    for gitlab in &config.gitlab {
        let inbound =
            GitLabInbound::new(gitlab.name.clone(), &gitlab.signing_tokens, gitlab.secret_tokens.clone())?;
        sources.insert(gitlab.name.to_string(), Arc::new(StoresNothing(inbound)));
    }
    for github in &config.github {
        let (name, secrets) = (github.name.clone(), github.webhook_secrets.clone());
        let inbound = GitHubInbound::new(name, secrets, &github.api_url, github.app_id)?;
        sources.insert(github.name.to_string(), Arc::new(StoresNothing(inbound)));
    }
    for slack in &config.slack {
        let inbound = SlackInbound::new(slack.name.clone(), slack.signing_secrets.clone(), &slack.api_url)?;
        sources.insert(slack.name.to_string(), Arc::new(StoresNothing(inbound)));
    }
    let pulse = Arc::new(Pulse::default());
    let _beat = pulse.beat();
    let router = Web::new(built.app.clone(), sources, Arc::new(Notify::new()), pulse).router();
    let listener = TcpListener::bind(config.server.listen).await.context("listening")?;
    web::serve(listener, router, stop, tasks).await;
    Ok(())
}
