//! One run: a journey, what befalls it, and what is to be seen at its end.

use super::balancer::Balancer;
use super::board::{Board, Counts};
use super::chance::Chance;
use super::database::{Ailment, Database};
use super::fleet::{Fleet, Make};
use super::journey::{Act, End, Journey};
use super::picture::Picture;
use crate::story::server::StoryClock;
use crate::story::stage::{Deploy, From, Stage, Switches};
use countersign::cli::wiring::{self, SystemClock};
use countersign::ports::clock::Clock;
use countersign::sim::clock::HandClock;
use countersign::sim::faults::HookFaults;
use countersign::store::OpenStore;
use jiff::SignedDuration;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

/// What befalls a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing: what others are compared with.
    Quiet,
    /// Instances are killed.
    Crash,
    /// Everything around them fails.
    Fault,
}

/// A run, to be repeated from it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) kind: Kind,
    /// The cluster's address; a SQLite file without.
    pub(crate) cluster: Option<String>,
    pub(crate) instances: usize,
    /// The real program in real time, or servers inside this process with a clock moved by hand.
    pub(crate) real: bool,
}

const START: &str = "2026-11-21T08:00:00Z";

const ENVIRONMENTS: &str = r#"
[[environment]]
on = "{forge}"
project = "acme/**"
name = "**"
required_approval_count = 2
deploy_access_levels = [{ {maintainers} }]
"#;

const BY_HAND: &str = r#"
[[environment]]
on = "gitlab"
project = "acme/**"
name = "review"
gate = "manual_job"
required_approval_count = 2
deploy_access_levels = [{ access_level = "maintainer" }]
"#;

/// Plays the journey once undisturbed and once with what befalls it. Returns the counts, or what went wrong.
pub(crate) async fn play<S: Stage>(plan: &Plan) -> Result<Counts, String> {
    let quiet = Plan { kind: Kind::Quiet, cluster: None, instances: 1, real: false, ..plan.clone() };
    let mut undisturbed = Run::<S>::begin(&quiet).await;
    let expected = match undisturbed.tell(None).await {
        Ok(ends) => ends,
        Err(why) => return Err(undisturbed.failed(&quiet, &why).await),
    };
    undisturbed.end().await?;
    let mut run = Run::<S>::begin(plan).await;
    if let Err(why) = run.tell(Some(&expected)).await {
        let failed = run.failed(plan, &why).await;
        run.end().await.ok();
        return Err(failed);
    }
    let counts = run.board.counts();
    run.end().await?;
    Ok(counts)
}

struct Run<S> {
    stage: S,
    clock: HandClock,
    fleet: Fleet,
    board: Board,
    journey: Journey,
    said: Vec<u64>,
    chance: Chance,
    kind: Kind,
    real: bool,
    /// Jobs end as soon as they are started: whoever starts one again gets a second deployment.
    quick: bool,
    store: Arc<dyn OpenStore>,
    database: Database,
    tasks: TaskTracker,
    folder: TempDir,
}

/// What a run shows once its deployments have been decided, and once their jobs have ended.
pub(crate) struct Ends {
    decided: String,
    finished: String,
}

impl<S: Stage> Run<S> {
    async fn begin(plan: &Plan) -> Self {
        let mut chance = Chance::new(plan.seed);
        let journey = Journey::new(&mut chance.branch(), &environments(S::FORGE, plan.seed));
        let start = if plan.real { SystemClock.now() } else { START.parse().unwrap() };
        let clock = HandClock::at(start);
        let mut stage = S::open(&clock, &Switches::default()).await;
        let folder = tempfile::tempdir().unwrap();
        let database = match &plan.cluster {
            Some(cluster) => Database::of_cluster(cluster).await,
            None => Database::file(folder.path(), plan.kind == Kind::Fault),
        };
        let configs: Vec<String> =
            (0..plan.instances).map(|_| config(&stage, &database, plan.real)).collect();
        let balancer = Balancer::start(plan.instances).await;
        stage.furnish(balancer.address);
        let (kills, unwell) = match plan.kind {
            Kind::Quiet => (0, 0),
            Kind::Crash => (1 + chance.below(5), 0),
            Kind::Fault => (0, 2 + chance.below(20)),
        };
        let board = Board::new(chance.branch(), plan.instances, kills, unwell);
        stage.watch(Some(board.watcher()));
        let make =
            if plan.real { Make::Program } else { Make::Inside(Arc::new(StoryClock::new(clock.clone()))) };
        let mut fleet =
            Fleet::new(make, configs.clone(), folder.path(), (balancer, board.clone(), chance.branch()));
        fleet.all_up().await;
        let (tasks, real) = (TaskTracker::new(), plan.real);
        let parsed = countersign::config::parse(&configs[0], Path::new("endurance.toml"), &|_| None).unwrap();
        let store = wiring::open_beside(&parsed, Arc::new(SystemClock), &tasks).await.unwrap();
        let quick = Chance::new(plan.seed ^ 0x9a5e).percent(40) && stage.jobs_end_at_once();
        let (said, kind) = (Vec::new(), plan.kind);
        Self {
            stage,
            clock,
            fleet,
            board,
            journey,
            said,
            chance,
            kind,
            real,
            quick,
            store,
            database,
            tasks,
            folder,
        }
    }

    /// Plays everything; ends once it shows what it has to, and goes on showing it.
    async fn tell(&mut self, expected: Option<&Ends>) -> Result<Ends, String> {
        let mut ailment: Option<(Ailment, u64, usize)> = None;
        for act in self.journey.acts.clone() {
            self.happens(&act);
            self.board.note(format!("{act:?}"));
            self.fleet.time_passes();
            if self.kind == Kind::Fault && ailment.is_none() && self.chance.percent(10) {
                let began = self.database.ails(&mut self.chance, &self.board).await;
                ailment = Some((began, 1 + self.chance.below(2), self.stage.hook_answers().len()));
            }
            let longest = if self.chance.percent(20) { 90 } else { 10 };
            let wait = if expected.is_some() { self.chance.below(longest) } else { 0 };
            if !self.chance.percent(15) {
                self.pass(wait).await;
            }
            ailment = self.goes_on(ailment).await?;
        }
        if let Some((ailing, _, since)) = ailment {
            self.recovers(ailing, since).await?;
        }
        let decided = self.comes_about(expected.map(|ends| ends.decided.as_str()), self.quick).await?;
        let released = self.journey.ends.iter().filter(|(_, end)| *end == End::Released && !self.quick);
        for (environment, _) in released {
            self.stage.finish(environment, true)?;
        }
        let finished = self.comes_about(expected.map(|ends| ends.finished.as_str()), true).await?;
        self.fleet.stop().await?;
        self.audit()?;
        Ok(Ends { decided, finished })
    }

    fn happens(&mut self, act: &Act) {
        self.clock.advance(SignedDuration::from_secs(1));
        let by = |name: &str| self.stage.user(name).unwrap();
        match act {
            Act::Deploy(names) => {
                let dana = by("dana");
                self.stage.deploy(dana, Deploy { environments: names, from: From::Branch("sell-more") });
            }
            Act::Say(line) => {
                let comment = self.stage.comment(by(line.who), &line.text).unwrap();
                self.said.push(comment.expect("the forge swallows none of these"));
            }
        }
    }

    /// The database may be well again by now.
    async fn goes_on(
        &mut self,
        ailment: Option<(Ailment, u64, usize)>,
    ) -> Result<Option<(Ailment, u64, usize)>, String> {
        match ailment {
            Some((ailing, 0, since)) => {
                self.recovers(ailing, since).await?;
                Ok(None)
            }
            Some((ailing, left, since)) => Ok(Some((ailing, left - 1, since))),
            None => Ok(None),
        }
    }

    async fn recovers(&mut self, ailment: Ailment, since: usize) -> Result<(), String> {
        // A full disk may have had room for one more; else nothing can have been stored.
        let exact = !matches!(ailment, Ailment::Full(_));
        self.database.recovers(ailment, &self.board).await;
        let answers = self.stage.hook_answers().split_off(since);
        let turned_away = answers.iter().filter(|status| **status == Some(503)).count();
        for _ in 0..turned_away {
            self.board.count("hook answered 503");
        }
        if exact && answers.contains(&Some(202)) {
            return Err(format!("a hook was accepted while nothing could be stored: {answers:?}"));
        }
        Ok(())
    }

    /// Lets so many seconds pass: on the clock moved by hand, or a fraction of them in truth.
    async fn pass(&mut self, seconds: u64) {
        if self.real {
            let end = tokio::time::Instant::now() + Duration::from_millis(10 * seconds + 5);
            while tokio::time::Instant::now() < end {
                self.round().await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            return;
        }
        self.settle().await;
        let mut left = seconds;
        while left > 0 {
            let step = left.min(15);
            left -= step;
            self.clock.advance(SignedDuration::from_secs(i64::try_from(step).unwrap()));
            self.settle().await;
        }
    }

    async fn settle(&mut self) {
        while self.round().await > 0 {}
    }

    /// Hooks arrive, as the line lets them; then everybody works. How much happened.
    async fn round(&mut self) -> usize {
        if self.real {
            let behind = SystemClock.now().duration_since(self.clock.time());
            self.clock.advance(behind.max(SignedDuration::ZERO));
        }
        self.fleet.tend().await;
        if self.kind == Kind::Fault {
            let faults = self.line_faults();
            self.stage.set_hook_faults(faults);
        }
        let delivered = self.stage.deliver_hooks().await;
        if delivered > 0 {
            self.fleet.hooks_were_taken();
        }
        delivered + self.fleet.settle().await
    }

    /// A third is lost; others come twice, or newest first.
    fn line_faults(&mut self) -> HookFaults {
        let faults = HookFaults {
            lose_everything: self.chance.percent(33),
            duplicate: self.chance.percent(25),
            reverse: self.chance.percent(25),
            ..HookFaults::default()
        };
        let named =
            [(faults.lose_everything, "lost"), (faults.duplicate, "doubled"), (faults.reverse, "reversed")];
        for (_, name) in named.into_iter().filter(|(so, _)| *so) {
            self.board.count(&format!("hooks {name}"));
        }
        faults
    }

    /// From here on nothing goes wrong: what has to be seen comes about in time, and stays.
    async fn comes_about(&mut self, expected: Option<&str>, finished: bool) -> Result<String, String> {
        if self.kind == Kind::Fault {
            self.pass(60).await;
        }
        self.board.calm();
        self.stage.set_hook_faults(HookFaults::default());
        self.kind = Kind::Quiet;
        let steps = if self.real { 1200 } else { 4 * 60 * 3 };
        for _ in 0..steps {
            self.fleet.all_up().await;
            self.pass(15).await;
            let seen = self.look(finished).await?;
            let right = seen.wrong.is_empty() && expected.is_none_or(|text| seen.differs(text).is_none());
            if right && self.fleet.is_up() {
                if expected.is_some() {
                    // Longer than a lease and a poll: whatever is still to come would have come.
                    self.pass(if self.real { 300 } else { 150 }).await;
                }
                return self.still(expected, finished).await;
            }
        }
        self.still(expected, finished).await
    }

    async fn still(&mut self, expected: Option<&str>, finished: bool) -> Result<String, String> {
        let mut tries = if self.real { 200 } else { 1 };
        loop {
            tries -= 1;
            let seen = self.look(finished).await?;
            let mut wrong = seen.wrong.clone();
            wrong.extend(expected.and_then(|text| seen.differs(text)));
            if wrong.is_empty() {
                return Ok(seen.text);
            }
            // The real program may be polling just now. What was done twice stays wrong.
            if tries == 0 {
                return Err(wrong.join("\n"));
            }
            self.pass(1).await;
        }
    }

    async fn look(&self, finished: bool) -> Result<Picture, String> {
        let now = if self.real { SystemClock.now() } else { self.clock.time() };
        let told = (&self.journey, &self.said[..], finished);
        Picture::take(&self.stage, &*self.store, now, told).await.map_err(|error| error.to_string())
    }

    /// By the program, as an auditor would.
    fn audit(&self) -> Result<(), String> {
        if !self.real {
            return Ok(());
        }
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("countersign"));
        command.args(["audit", "verify", "--config"]).arg(self.fleet.config());
        let output = command.output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() { Ok(()) } else { Err(format!("audit verify: {said}")) }
    }

    async fn end(mut self) -> Result<(), String> {
        self.fleet.stop().await?;
        self.store.close().await;
        self.tasks.close();
        self.tasks.wait().await;
        drop(self.fleet);
        self.database.tear_down().await;
        drop(self.folder);
        Ok(())
    }

    async fn failed(&self, plan: &Plan, why: &str) -> String {
        let jobs = self.store.jobs(false, 0, 50).await;
        let jobs: Vec<String> = jobs.iter().flatten().map(|job| format!("{job:?}")).collect();
        let logs: String = (0..plan.instances)
            .filter_map(|index| {
                std::fs::read_to_string(self.folder.path().join(format!("instance-{index}.log"))).ok()
            })
            .collect();
        let comments: Vec<String> = self
            .stage
            .comments()
            .into_iter()
            .map(|said| {
                format!("[{}] {} ({} reactions): {}", said.id, said.author, said.reactions, said.body)
            })
            .collect();
        let (notes, scene) = (self.board.notes(), self.stage.scene());
        let all = format!(
            "{plan:?}\n{why}\n\n{notes}\n\n{}\n{scene}\n{}\n{logs}",
            comments.join("\n"),
            jobs.join("\n")
        );
        let file = std::env::temp_dir().join(format!("endurance-{:?}-{}.txt", plan.kind, plan.seed));
        std::fs::write(&file, all).unwrap();
        format!("{why}\n  (all of it in {})", file.display())
    }
}

/// From one to all of them, in any order.
fn environments(forge: &str, seed: u64) -> Vec<&'static str> {
    let mut all = vec!["production", "staging", "production/eu", "production/us"];
    if forge == "gitlab" {
        all.push("review");
    }
    let mut chance = Chance::new(seed ^ 0x5eed);
    let mut chosen = Vec::new();
    let count = 2 + chance.below(all.len() as u64 - 1);
    for _ in 0..count {
        let at = usize::try_from(chance.below(all.len() as u64)).unwrap();
        chosen.push(all.swap_remove(at));
    }
    chosen
}

fn config<S: Stage>(stage: &S, database: &Database, real: bool) -> String {
    let mut forge = stage.table();
    if real {
        forge = forge.replace("poll = \"60s\"", "poll = \"1s\"");
    }
    let by_hand = if S::FORGE == "gitlab" { BY_HAND } else { "" };
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"{}\"\n{forge}{by_hand}{}",
        database.url(),
        S::fill(ENVIRONMENTS)
    )
}
