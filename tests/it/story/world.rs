//! The world of a story: the twin, the true server against it, and a clock that is moved by hand.

use countersign::app::worker::Worker;
use countersign::cli::wiring;
use countersign::domain::ledger;
use countersign::ports::clock::Clock;
use countersign::ports::store::Store;
use countersign::sim::clock::HandClock;
use countersign::sim::gitlab::{
    ApprovalRule, GitLab, Iid, JobSpec, Level, NewHook, NewPipeline, NoteId, NoteView, PipelineId, ProjectId,
    ProtectedEnvironment, UserId,
};
use countersign::web;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const START: &str = "2026-11-21T08:00:00Z";
const WEBHOOK_TOKEN: &str = "a-webhook-token-of-the-story";
const SIGNING_TOKEN: &str = "whsec_c3RvcnktY291bnRlcnNpZ24tc2lnbmluZy1rZXktMzI=";

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
    pub(crate) store: Arc<dyn Store>,
    pub(crate) worker: Worker,
    pub(crate) project: ProjectId,
    pub(crate) request: Iid,
    pub(crate) users: BTreeMap<String, UserId>,
    pub(crate) head: String,
    pub(crate) commits: u32,
    pub(crate) pipelines: Vec<PipelineId>,
    pub(crate) last_note: Option<NoteId>,
    /// Hooks are delivered after every act.
    pub(crate) hooks_arrive: bool,
    pub(crate) read: BTreeSet<NoteId>,
    pub(crate) hook_url: String,
    _stop: tokio_util::sync::DropGuard,
    _folder: TempDir,
}

/// Time from the story's clock, ids counted up.
struct StoryClock {
    clock: HandClock,
    next: AtomicU64,
}

impl Clock for StoryClock {
    fn now(&self) -> Timestamp {
        self.clock.time()
    }

    fn new_id(&self) -> String {
        format!("id-{:08}", self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl World {
    pub(crate) async fn new(environments: Option<&str>, switches: &[String]) -> Self {
        let clock = HandClock::at(START.parse().unwrap());
        let gitlab = GitLab::new(clock.now());
        let url = gitlab.start().await.unwrap();
        let (project, users) = populate(&gitlab);
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
            text.push_str(&format!("vote_as = \"sudo\"\nsudo_token = \"{sudo}\"\n"));
        }
        if on("merge-request approvals are ignored") {
            text.push_str("merge_request_approval = \"ignore\"\n");
        }
        text.push_str(environments.unwrap_or(ENVIRONMENTS));
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("story.db");
        let text = text.replace("sqlite:DB", &format!("sqlite:{}", database.display()));
        let stop = CancellationToken::new();
        let story_clock = Arc::new(StoryClock { clock: clock.clone(), next: AtomicU64::new(1) });
        let server = serve(&text, story_clock, &stop).await;
        let head = format!("{:040x}", 1);
        let mut world = Self {
            gitlab,
            clock,
            store: server.store,
            worker: server.worker,
            project,
            request: 0,
            users,
            head,
            commits: 1,
            pipelines: Vec::new(),
            last_note: None,
            hooks_arrive: true,
            read: BTreeSet::new(),
            hook_url: format!("http://{}/hooks/gitlab", server.address),
            _stop: stop.drop_guard(),
            _folder: folder,
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
                let protection = ProtectedEnvironment::new(name).deployers(Level::DEVELOPER);
                let protection = if on("votes are cast with sudo") {
                    protection.rule(ApprovalRule::level(Level::MAINTAINER, 2))
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
        let mut hook = NewHook::new(&self.hook_url).every_event().token(WEBHOOK_TOKEN);
        if !on("GitLab is older than 19") {
            hook = hook.signing_token(SIGNING_TOKEN);
        }
        gitlab.add_hook(self.project, hook);
        gitlab.add_commit(self.project, &self.head, "Sell more", "Dana");
        self.request = gitlab.open_merge_request(self.project, self.users["dana"], "sell-more", "Sell more");
        gitlab.push(self.project, self.request, self.users["dana"], &self.head).unwrap();
    }

    /// Delivers hooks and lets the worker run until nothing is due.
    pub(crate) async fn settle(&self) {
        loop {
            let delivered = if self.hooks_arrive { self.gitlab.deliver_hooks().await } else { 0 };
            let ran = self.worker.run_until_idle().await;
            if delivered == 0 && ran == 0 {
                return;
            }
        }
    }

    pub(crate) async fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
        self.settle().await;
    }

    pub(crate) fn user(&self, name: &str) -> Result<UserId, String> {
        self.users.get(name).copied().ok_or_else(|| format!("nobody here is called {name}"))
    }

    /// Runs a pipeline at the merge request's head with these jobs.
    pub(crate) fn deploy(&mut self, by: UserId, jobs: Vec<JobSpec>) {
        self.clock.advance(SignedDuration::from_secs(1));
        let pipeline = NewPipeline::new("sell-more", self.head.clone(), by).jobs(jobs);
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

    fn notes(&self) -> Vec<NoteView> {
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
        let depth = self.store.depth(now).await.map_err(|e| e.to_string())?;
        if depth.due > 0 || depth.dead > 0 || depth.later > 2 {
            return Err(format!("jobs are left over (besides the two that poll): {depth:?}"));
        }
        self.verify_ledgers().await
    }

    async fn verify_ledgers(&self) -> Result<(), String> {
        for id in self.store.ledger_ids(None, 10_000).await.map_err(|e| e.to_string())? {
            let chain = self.store.ledger(&id).await.map_err(|e| e.to_string())?;
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
            scene.push_str(&format!(
                "[{}] {}: {}\n",
                note.id,
                note.author,
                note.body.replace('\n', "\n    ")
            ));
        }
        for deployment in self.gitlab.deployments(self.project).iter().rev().take(8).rev() {
            scene.push_str(&format!("{deployment:?}\n"));
        }
        let depth = self.store.depth(self.clock.time()).await;
        scene.push_str(&format!("Queue: {depth:?}\n"));
        scene
    }
}

fn is_card(note: &NoteView) -> bool {
    note.body.contains("countersign:card")
}

/// The project `acme/shop` and its people: dana deploys, alice and bob are maintainers, mallory only reads.
fn populate(gitlab: &GitLab) -> (ProjectId, BTreeMap<String, UserId>) {
    let acme = gitlab.add_group("acme", None);
    let project = gitlab.add_project("acme/shop");
    let mut users = BTreeMap::new();
    let people = [("dana", Level::DEVELOPER), ("alice", Level::MAINTAINER), ("bob", Level::MAINTAINER)];
    for (name, level) in people.into_iter().chain([("mallory", Level::REPORTER), ("carol", Level::DEVELOPER)])
    {
        let user = gitlab.add_user(name, name);
        gitlab.add_member(project, user, level);
        users.insert(name.to_owned(), user);
    }
    let bot = gitlab.add_bot("countersign", "Countersign");
    gitlab.add_member(project, bot, Level::MAINTAINER);
    users.insert("countersign".to_owned(), bot);
    let other = gitlab.add_bot("renovate", "Renovate");
    gitlab.add_member(project, other, Level::MAINTAINER);
    users.insert("renovate".to_owned(), other);
    for (path, members) in [("qa", &["alice"][..]), ("sre", &["alice", "bob"][..])] {
        let group = gitlab.add_group(path, Some(acme));
        gitlab.add_group_member(group, bot, Level::GUEST);
        for member in members {
            gitlab.add_group_member(group, users[*member], Level::DEVELOPER);
        }
    }
    (project, users)
}

/// The true server, in process, on a port of its own.
struct Server {
    store: Arc<dyn Store>,
    worker: Worker,
    address: std::net::SocketAddr,
}

async fn serve(text: &str, clock: Arc<dyn Clock>, stop: &CancellationToken) -> Server {
    let config = countersign::config::parse(text, std::path::Path::new("story.toml"), &|_| None).unwrap();
    let tracker = TaskTracker::new();
    let built = wiring::build(&config, clock, &tracker).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tracker.spawn(web::serve(listener, built.router.clone(), stop.clone(), tracker.clone()));
    built.app.start_polling().await.unwrap();
    Server { store: built.app.store.clone(), worker: built.worker.clone(), address }
}

/// `the ledger of production tells 4 entries` (of its newest deployment).
pub(crate) async fn ledger_tells(world: &World, environment: &str, rest: &[&str]) -> Result<(), String> {
    let all = world.gitlab.deployments(world.project);
    let newest = all.iter().rev().find(|d| d.environment == environment).ok_or("there is no deployment")?;
    let id = format!("gitlab/{}/{}", world.project, newest.id);
    let id = countersign::domain::id::DeploymentId::from_stored(id);
    let chain = world.store.ledger(&id).await.map_err(|e| e.to_string())?;
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
