//! The world of a story: the twin, the true server against it, and a clock that is moved by hand.

use super::chat::{Chat, Opens};
use super::database::Database;
use super::server::{Server, StoryClock};
use super::stage::{Said, Stage, Switches};
use countersign::domain::id::{DeploymentId, ForgeName, Native, ProjectId};
use countersign::domain::ledger;
use countersign::ports::store::Store;
use countersign::sim::clock::HandClock;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::net::TcpListener;

const START: &str = "2026-11-21T08:00:00Z";

/// A policy that asks for one maintainer.
pub(crate) const ONE_MAINTAINER: &str = r#"
[[environment]]
on = "{forge}"
project = "acme/**"
name = "**"
required_approval_count = 1
deploy_access_levels = [{ {maintainers} }]
"#;

/// The policy of a story that brings none: two maintainers.
const ENVIRONMENTS: &str = r#"
[[environment]]
on = "{forge}"
project = "acme/**"
name = "**"
required_approval_count = 2
deploy_access_levels = [{ {maintainers} }]
"#;

pub(crate) struct World<S> {
    pub(crate) stage: S,
    pub(crate) clock: HandClock,
    /// `None` while it is stopped.
    pub(crate) server: Option<Server>,
    config: String,
    story_clock: Arc<StoryClock>,
    pub(crate) last_comment: Option<u64>,
    /// Hooks are delivered after every act.
    pub(crate) hooks_arrive: bool,
    pub(crate) read: BTreeSet<u64>,
    pub(crate) address: std::net::SocketAddr,
    /// The worker runs after every act.
    pub(crate) works: bool,
    pub(crate) chat: Option<Chat>,
    database: Database,
}

impl<S: Stage> World<S> {
    /// With these `[[environment]]` tables, in which placeholders are filled; two maintainers without.
    pub(crate) async fn new(environments: Option<&str>, switches: &Switches) -> Self {
        Self::on(Database::file(), environments, switches).await
    }

    /// The same on a database.
    pub(crate) async fn on(database: Database, environments: Option<&str>, switches: &Switches) -> Self {
        let clock = HandClock::at(START.parse().unwrap());
        Self::at(clock, (database, None), environments.unwrap_or(ENVIRONMENTS), switches).await
    }

    /// Beside a chat, in whose channel everything is announced.
    pub(crate) async fn in_chat<C: Opens>(environments: Option<&str>, switches: &Switches) -> Self {
        Self::in_chat_on::<C>(Database::file(), environments, switches).await
    }

    /// The same on a database.
    pub(crate) async fn in_chat_on<C: Opens>(
        database: Database,
        environments: Option<&str>,
        switches: &Switches,
    ) -> Self {
        let clock = HandClock::at(START.parse().unwrap());
        let chat = Chat::new(C::open(&clock, switches).await);
        let notified = format!("{ENVIRONMENTS}notify = [\"{{channel}}\"]\n");
        Self::at(clock, (database, Some(chat)), environments.unwrap_or(&notified), switches).await
    }

    async fn at(
        clock: HandClock,
        (database, chat): (Database, Option<Chat>),
        environments: &str,
        switches: &Switches,
    ) -> Self {
        let mut stage = S::open(&clock, switches).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tables = chat.as_ref().map(|chat| chat.stage.tables(S::FORGE, address)).unwrap_or_default();
        let channel = chat.as_ref().map(|chat| chat.stage.channel()).unwrap_or_default();
        let by_id = chat.as_ref().map(|chat| chat.stage.channel_by_id()).unwrap_or_default();
        let environments =
            S::fill(environments).replace("{channel}", &channel).replace("{channel by id}", &by_id);
        let environments = chat.as_ref().map_or(environments.clone(), |chat| chat.stage.fill(&environments));
        let config = format!(
            "[server]\nlisten = \"{address}\"\npublic_url = \"http://{address}\"\n\
             [store]\nurl = \"{}\"\n{}{tables}{}",
            database.url(),
            stage.table(),
            environments,
        );
        let story_clock = Arc::new(StoryClock::new(clock.clone()));
        let server = Server::start_on(listener, &config, story_clock.clone()).await;
        stage.furnish(server.address);
        Self {
            stage,
            clock,
            address,
            works: true,
            chat,
            server: Some(server),
            config,
            story_clock,
            last_comment: None,
            hooks_arrive: true,
            read: BTreeSet::new(),
            database,
        }
    }

    /// Plays sentences, one a line, and ends the test where one isn't true.
    pub(crate) async fn tell(&mut self, sentences: &str) {
        for sentence in sentences.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Err(why) = super::steps::play(self, sentence).await {
                panic!("{sentence}\n  {why}\n\n{}", self.scene().await);
            }
        }
    }

    /// As the end of every story: nothing unread, nothing left over.
    pub(crate) async fn finish(mut self) {
        if let Err(why) = self.end().await {
            panic!("at the end: {why}\n\n{}", self.scene().await);
        }
    }

    /// The database file.
    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.database.path()
    }

    /// Ends it all, and leaves nothing in the cluster.
    pub(crate) async fn tear_down(self) {
        if let Some(server) = self.server {
            server.stop().await;
        }
        self.database.tear_down().await;
    }

    /// The store of the running server.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.server.as_ref().expect("the server is stopped").store
    }

    /// Stops the server, orderly; hooks find nobody from now on.
    pub(crate) async fn stop(&mut self) {
        self.server.take().expect("the server is stopped already").stop().await;
    }

    /// Starts another server on the same database and address.
    pub(crate) async fn start(&mut self) {
        self.server = Some(Server::start(&self.config, self.story_clock.clone(), self.address).await);
    }

    /// Delivers hooks and lets the worker run until nothing is due.
    pub(crate) async fn settle(&self) {
        loop {
            let delivered = if self.hooks_arrive { self.stage.deliver_hooks().await } else { 0 };
            let ran = match &self.server {
                Some(server) if self.works => server.worker.run_until_idle().await,
                Some(_) | None => 0,
            };
            if delivered == 0 && ran == 0 {
                return;
            }
        }
    }

    /// Lets time pass, from one due job to the next, as it would pass for a server that runs.
    pub(crate) async fn advance(&self, seconds: i64) {
        let end = self.clock.time() + SignedDuration::from_secs(seconds);
        while let Some(due) = self.next_due().await.filter(|due| *due < end) {
            self.clock.advance(due.duration_since(self.clock.time()));
            self.settle().await;
        }
        self.clock.advance(end.duration_since(self.clock.time()));
        self.settle().await;
    }

    async fn next_due(&self) -> Option<Timestamp> {
        let store = &self.server.as_ref()?.store;
        store.next_due(self.clock.time()).await.unwrap()
    }

    pub(crate) fn user(&self, name: &str) -> Result<u64, String> {
        self.stage.user(name).ok_or_else(|| format!("nobody here is called {name}"))
    }

    /// Everything in the conversation that Countersign wrote, that is no card and that wasn't read yet.
    pub(crate) fn unread(&self) -> Vec<Said> {
        let ours = self.ours();
        ours.into_iter().filter(|said| !is_card(said) && !self.read.contains(&said.id)).collect()
    }

    pub(crate) fn card(&self) -> Option<Said> {
        self.ours().into_iter().find(is_card)
    }

    pub(crate) fn cards(&self) -> usize {
        self.ours().iter().filter(|said| is_card(said)).count()
    }

    /// Everything that Countersign wrote here.
    pub(crate) fn ours(&self) -> Vec<Said> {
        self.stage.comments().into_iter().filter(|said| said.ours).collect()
    }

    /// How many ledger entries of an environment's newest deployment, in its newest round, hold this text.
    pub(crate) async fn entries_of(&self, environment: &str, part: &str) -> Result<usize, String> {
        let (project, native) = self.stage.native(environment).ok_or("there is no deployment")?;
        let project = ProjectId(i64::try_from(project).map_err(|e| e.to_string())?);
        let (forge, native) = (ForgeName::new(S::FORGE), Native::new(native));
        let mut newest = Vec::new();
        for round in 1.. {
            let id = DeploymentId::of_round(&forge, project, &native, round);
            let chain = self.store().ledger(&id).await.map_err(|e| e.to_string())?;
            if chain.is_empty() {
                break;
            }
            newest = chain;
        }
        Ok(newest.iter().filter(|entry| entry.body.contains(part)).count())
    }

    /// Nothing unread, nothing left to do, nothing broken.
    pub(crate) async fn end(&mut self) -> Result<(), String> {
        self.settle().await;
        if let Some(said) = self.unread().first() {
            return Err(format!("Countersign wrote something the story doesn't tell: {}", said.body));
        }
        if let Some(unread) = self.chat.as_ref().and_then(Chat::unread) {
            return Err(format!(
                "Countersign wrote something in the chat that the story doesn't tell: {unread}"
            ));
        }
        let now = self.clock.time();
        let depth = self.store().depth(now).await.map_err(|e| e.to_string())?;
        if depth.due > 0 || depth.dead > 0 || depth.later > S::POLLS {
            return Err(format!("jobs are left over (besides those that poll): {depth:?}"));
        }
        self.verify_ledgers().await
    }

    async fn verify_ledgers(&self) -> Result<(), String> {
        for id in self.store().ledger_ids(None, 10_000).await.map_err(|e| e.to_string())? {
            let chain = self.store().ledger(&id).await.map_err(|e| e.to_string())?;
            let mut previous = None;
            for entry in &chain {
                ledger::verify(&id, previous, entry).map_err(|e| e.to_string())?;
                previous = Some(entry);
            }
        }
        Ok(())
    }

    /// What stands in the conversation, for a story that failed.
    pub(crate) async fn scene(&self) -> String {
        let mut scene = String::from("The conversation:\n");
        for said in self.stage.comments() {
            let body = said.body.replace('\n', "\n    ");
            let _ = writeln!(scene, "[{}] {}: {body}", said.id, said.author);
        }
        scene.push_str(&self.stage.scene());
        scene.push_str(&self.chat.as_ref().map(Chat::scene).unwrap_or_default());
        if self.server.is_some() {
            let _ = writeln!(scene, "Queue: {:?}", self.store().depth(self.clock.time()).await);
        }
        scene
    }
}

fn is_card(said: &Said) -> bool {
    said.body.ends_with("<!-- countersign:card -->")
}
