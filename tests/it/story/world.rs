//! The world of a story: the twin, the true server against it, and a clock that is moved by hand.

use super::people::populate;
use super::server::{Server, StoryClock};
use countersign::domain::ledger;
use countersign::ports::store::Store;
use countersign::sim::clock::HandClock;
use countersign::sim::gitlab::{
    ApprovalRule, GitLab, GroupId, HookId, Iid, JobSpec, Level, NewHook, NewPipeline, NoteId, NoteView,
    PipelineId, ProjectId, ProtectedEnvironment, UserId,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use tempfile::TempDir;

const START: &str = "2026-11-21T08:00:00Z";
const WEBHOOK_TOKEN: &str = "a-webhook-token-of-the-story";
const SIGNING_TOKEN: &str = "whsec_c3RvcnktY291bnRlcnNpZ24tc2lnbmluZy1rZXktMzI=";

/// A policy that asks for one maintainer.
pub(crate) const ONE_MAINTAINER: &str = r#"
[[environment]]
on = "gitlab"
project = "acme/**"
name = "**"
required_approval_count = 1
deploy_access_levels = [{ access_level = "maintainer" }]
"#;

/// The policy of a story that brings none: two maintainers.
const ENVIRONMENTS: &str = r#"
[[environment]]
on = "gitlab"
project = "acme/**"
name = "**"
gate = "native"
required_approval_count = 2
deploy_access_levels = [{ access_level = "maintainer" }]
"#;

pub(crate) struct World {
    pub(crate) gitlab: GitLab,
    pub(crate) clock: HandClock,
    /// `None` while it is stopped.
    pub(crate) server: Option<Server>,
    config: String,
    story_clock: Arc<StoryClock>,
    pub(crate) project: ProjectId,
    pub(crate) request: Iid,
    pub(crate) users: BTreeMap<String, UserId>,
    groups: BTreeMap<String, GroupId>,
    pub(crate) head: String,
    pub(crate) commits: u32,
    pub(crate) pipelines: Vec<PipelineId>,
    pub(crate) last_note: Option<NoteId>,
    /// Hooks are delivered after every act.
    pub(crate) hooks_arrive: bool,
    pub(crate) read: BTreeSet<NoteId>,
    address: std::net::SocketAddr,
    pub(crate) hook: HookId,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new(environments: Option<&str>, switches: &[String]) -> Self {
        let clock = HandClock::at(START.parse().unwrap());
        let gitlab = GitLab::new(clock.now());
        let url = gitlab.start().await.unwrap();
        let (project, users, groups) = populate(&gitlab);
        let bot = users["countersign"];
        let token = gitlab.add_token(bot, &["api"]);
        let root = gitlab.add_admin("root", "Administrator");
        let sudo = gitlab.add_token(root, &["api", "sudo"]);
        let on = |word: &str| switches.iter().any(|switch| switch == word);
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite:DB\"\n\
             [[gitlab]]\nurl = \"{url}\"\ntoken = \"{token}\"\nsecret_tokens = [\"{WEBHOOK_TOKEN}\"]\n\
             signing_tokens = [\"{SIGNING_TOKEN}\"]\npoll = \"60s\"\n"
        );
        if on("votes are cast with sudo") {
            let _ = write!(text, "vote_as = \"sudo\"\nsudo_token = \"{sudo}\"\n");
        }
        if on("merge-request approvals are ignored") {
            text.push_str("merge_request_approval = \"ignore\"\n");
        }
        text.push_str(environments.unwrap_or(ENVIRONMENTS));
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("story.db");
        let text = text.replace("sqlite:DB", &format!("sqlite:{}", database.display()));
        let story_clock = Arc::new(StoryClock::new(clock.clone()));
        let server = Server::start(&text, story_clock.clone(), None).await;
        let head = format!("{:040x}", 1);
        let mut world = Self {
            gitlab,
            clock,
            address: server.address,
            server: Some(server),
            config: text,
            story_clock,
            project,
            request: 0,
            users,
            groups,
            head,
            commits: 1,
            pipelines: Vec::new(),
            last_note: None,
            hooks_arrive: true,
            read: BTreeSet::new(),
            hook: 0,
            folder,
        };
        world.furnish(switches);
        world
    }

    /// Merge request, protected environments and hook, as the switches ask for.
    fn furnish(&mut self, switches: &[String]) {
        let on = |word: &str| switches.iter().any(|switch| switch == word);
        let gitlab = &self.gitlab;
        gitlab.set_licensed(!on("GitLab is Free"));
        if on("GitLab is older than 19") {
            gitlab.set_version(countersign::sim::gitlab::Version { major: 18, minor: 11 });
        }
        if !on("nothing is protected") && !on("GitLab is Free") {
            for name in ["production", "staging", "production/eu", "production/us"] {
                let deployers =
                    if on("the bot may not start jobs") { Level::OWNER } else { Level::DEVELOPER };
                let protection = ProtectedEnvironment::new(name).deployers(deployers);
                let protection = if on("votes are cast with sudo") {
                    protection.rule(ApprovalRule::level(Level::MAINTAINER, 2))
                } else if on("the bot may not approve") {
                    protection.rule(ApprovalRule::user(self.users["carol"]))
                } else {
                    protection.rule(ApprovalRule::user(self.users["countersign"]))
                };
                let protection = if on("maintainers may approve in GitLab too") {
                    protection.rule(ApprovalRule::level(Level::MAINTAINER, 1))
                } else {
                    protection
                };
                gitlab.protect_environment(self.project, protection);
            }
        }
        self.hook = gitlab.add_hook(self.project, self.new_hook(!on("GitLab is older than 19")));
        gitlab.add_commit(self.project, &self.head, "Sell more", "Dana");
        self.request = gitlab.open_merge_request(self.project, self.users["dana"], "sell-more", "Sell more");
        gitlab.push(self.project, self.request, self.users["dana"], &self.head).unwrap();
    }

    /// A hook to the server with its right tokens.
    pub(crate) fn new_hook(&self, signed: bool) -> NewHook {
        let url = format!("http://{}/hooks/gitlab", self.address);
        let hook = NewHook::new(url).every_event().token(WEBHOOK_TOKEN);
        if signed { hook.signing_token(SIGNING_TOKEN) } else { hook }
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
        self.folder.path().join("story.db")
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
        self.server = Some(Server::start(&self.config, self.story_clock.clone(), Some(self.address)).await);
    }

    /// Delivers hooks and lets the worker run until nothing is due.
    pub(crate) async fn settle(&self) {
        loop {
            let delivered = if self.hooks_arrive { self.gitlab.deliver_hooks().await } else { 0 };
            let ran = match &self.server {
                Some(server) => server.worker.run_until_idle().await,
                None => 0,
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

    pub(crate) fn user(&self, name: &str) -> Result<UserId, String> {
        self.users.get(name).copied().ok_or_else(|| format!("nobody here is called {name}"))
    }

    pub(crate) fn group(&self, path: &str) -> Result<GroupId, String> {
        self.groups.get(path).copied().ok_or_else(|| format!("there is no group {path}"))
    }

    /// Runs a pipeline at the merge request's head with these jobs.
    pub(crate) fn deploy(&mut self, by: UserId, jobs: Vec<JobSpec>) {
        self.deploy_from("sell-more", by, jobs);
    }

    /// The same for another branch or ref.
    pub(crate) fn deploy_from(&mut self, branch: &str, by: UserId, jobs: Vec<JobSpec>) {
        self.clock.advance(SignedDuration::from_secs(1));
        let pipeline = NewPipeline::new(branch, self.head.clone(), by).jobs(jobs);
        self.pipelines.push(self.gitlab.run_pipeline(self.project, pipeline));
    }

    /// Everything in the merge request that Countersign wrote and that is no card.
    pub(crate) fn unread(&self) -> Vec<NoteView> {
        let notes = self.notes();
        notes.into_iter().filter(|note| !is_card(note) && !self.read.contains(&note.id)).collect()
    }

    pub(crate) fn card(&self) -> Option<NoteView> {
        self.notes().into_iter().find(is_card)
    }

    pub(crate) fn cards(&self) -> usize {
        self.notes().iter().filter(|note| is_card(note)).count()
    }

    /// Everything that Countersign wrote here.
    pub(crate) fn notes(&self) -> Vec<NoteView> {
        let mut notes = self.gitlab.notes_of(self.project, self.request);
        notes.extend(self.gitlab.notes_of_commit(self.project, &self.head));
        notes.into_iter().filter(|note| note.author == "countersign").collect()
    }

    /// Nothing unread, nothing left to do, nothing broken.
    pub(crate) async fn end(&mut self) -> Result<(), String> {
        self.settle().await;
        if let Some(note) = self.unread().first() {
            return Err(format!("Countersign wrote something the story doesn't tell: {}", note.body));
        }
        let now = self.clock.time();
        let depth = self.store().depth(now).await.map_err(|e| e.to_string())?;
        if depth.due > 0 || depth.dead > 0 || depth.later > 2 {
            return Err(format!("jobs are left over (besides the two that poll): {depth:?}"));
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

    /// What stands in the merge request, for a story that failed.
    pub(crate) async fn scene(&self) -> String {
        let mut scene = String::from("The merge request:\n");
        for note in self.gitlab.notes_of(self.project, self.request) {
            let body = note.body.replace('\n', "\n    ");
            let _ = writeln!(scene, "[{}] {}: {body}", note.id, note.author);
        }
        for deployment in self.gitlab.deployments(self.project).iter().rev().take(8).rev() {
            let _ = writeln!(scene, "{deployment:?}");
        }
        if self.server.is_some() {
            let _ = writeln!(scene, "Queue: {:?}", self.store().depth(self.clock.time()).await);
        }
        scene
    }
}

fn is_card(note: &NoteView) -> bool {
    note.body.ends_with("<!-- countersign:card -->")
}

/// `the ledger of production tells 4 entries` (of its newest deployment).
pub(crate) async fn ledger_tells(world: &World, environment: &str, rest: &[&str]) -> Result<(), String> {
    let all = world.gitlab.deployments(world.project);
    let newest = all.iter().rev().find(|d| d.environment == environment).ok_or("there is no deployment")?;
    let id = format!("gitlab/{}/{}", world.project, newest.id);
    let id = countersign::domain::id::DeploymentId::from_stored(id);
    let chain = world.store().ledger(&id).await.map_err(|e| e.to_string())?;
    let told: Vec<String> = chain.iter().map(|entry| entry.body.clone()).collect();
    match rest {
        ["of", part] if told.iter().any(|body| body.contains(part)) => Ok(()),
        ["of", part, times, "times"] => {
            let found = told.iter().filter(|body| body.contains(part)).count();
            if found.to_string() == *times { Ok(()) } else { Err(format!("{found} times: {told:#?}")) }
        }
        _ => Err(format!("it doesn't: {told:#?}")),
    }
}
