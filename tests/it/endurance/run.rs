//! One run: a journey, what befalls it, and what is to be seen at its end.

use super::balancer::Balancer;
use super::board::{Board, Counts};
use super::chance::Chance;
use super::chat::{self, Chat};
use super::database::{Ailment, Database};
use super::fleet::{Fleet, Make};
use super::journey::{Act, End, Journey};
use super::picture::Picture;
use super::plan::{Kind, Plan, configs, database, environments, hazards};
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

const START: &str = "2026-11-21T08:00:00Z";

/// Plays the journey once undisturbed and once with what befalls it. Returns the counts, or what went wrong.
pub(crate) async fn play<S: Stage>(plan: &Plan) -> Result<Counts, String> {
    let calm = Plan { kind: Kind::Quiet, real: false, ..plan.clone() };
    let quiet = Plan { cluster: None, own_cluster: false, instances: 1, ..calm };
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
    chat: Option<Chat>,
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

/// The database doesn't do its work.
struct Ailing {
    what: Ailment,
    /// It is well again after so many things.
    left: u64,
    /// How many hooks had been answered when it began.
    answers: usize,
    /// How much of what people did in the chat had been taken.
    taken: usize,
}

impl<S: Stage> Run<S> {
    async fn begin(plan: &Plan) -> Self {
        let mut chance = Chance::new(plan.seed);
        let start = if plan.real { SystemClock.now() } else { START.parse().unwrap() };
        let clock = HandClock::at(start);
        let chat = chat::of_seed(plan.seed, &clock, plan.real).await;
        let journey = Journey::new(&mut chance.branch(), &environments(S::FORGE, plan.seed), chat.is_some());
        let mut stage = S::open(&clock, &Switches::default()).await;
        let folder = tempfile::tempdir().unwrap();
        let database = database(plan, folder.path()).await;
        let balancer = Balancer::start(plan.instances).await;
        let configs = configs(&stage, chat.as_ref(), &database, (plan, balancer.address));
        stage.furnish(balancer.address);
        let quick = Chance::new(plan.seed ^ 0x9a5e).percent(40) && stage.jobs_end_at_once();
        let hazards = hazards(plan.kind, quick, chat.is_some(), &mut chance);
        let board = Board::new(chance.branch(), plan.instances, hazards);
        stage.watch(Some(board.watcher()));
        if let Some(chat) = &chat {
            chat.stage.watch(board.watcher_of_chat());
        }
        let make =
            if plan.real { Make::Program } else { Make::Inside(Arc::new(StoryClock::new(clock.clone()))) };
        let mut fleet =
            Fleet::new(make, configs.clone(), folder.path(), (balancer, board.clone(), chance.branch()));
        fleet.all_up().await;
        let (tasks, real) = (TaskTracker::new(), plan.real);
        let parsed = countersign::config::parse(&configs[0], Path::new("endurance.toml"), &|_| None).unwrap();
        let store = wiring::open_beside(&parsed.store, Arc::new(SystemClock), &tasks).await.unwrap();
        let (said, kind) = (Vec::new(), plan.kind);
        Self {
            stage,
            clock,
            fleet,
            board,
            journey,
            said,
            chat,
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
        let mut ailing: Option<Ailing> = None;
        for act in self.journey.acts.clone() {
            self.happens(&act);
            self.board.note(format!("{act:?}"));
            self.fleet.time_passes();
            if self.kind == Kind::Fault && ailing.is_none() && self.chance.percent(10) {
                ailing = Some(self.falls_ill().await);
            }
            self.insist().await;
            let longest = if self.chance.percent(20) { 90 } else { 10 };
            let wait = if expected.is_some() { self.chance.below(longest) } else { 0 };
            if !self.chance.percent(15) {
                self.pass(wait).await;
            }
            ailing = self.goes_on(ailing).await?;
        }
        if let Some(ailing) = ailing {
            self.recovers(ailing).await?;
        }
        let decided = self.comes_about(expected.map(|ends| ends.decided.as_str()), self.quick).await?;
        let released = self.journey.ends.iter().filter(|(_, end)| *end == End::Released && !self.quick);
        for (environment, _) in released {
            self.stage.finish(environment, true)?;
        }
        let finished = self.comes_about(expected.map(|ends| ends.finished.as_str()), true).await?;
        if let Some(chat) = &self.chat {
            chat.tally(&*self.store, &self.board).await.map_err(|error| error.to_string())?;
        }
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
            Act::Chat(deed) => {
                if let Some(chat) = &mut self.chat {
                    chat.wants(deed.clone());
                }
            }
        }
    }

    /// People in the chat do what they want, and do it again where it had no effect.
    async fn insist(&mut self) {
        let Some(chat) = &mut self.chat else { return };
        if chat.insist(&self.stage, &*self.store, self.clock.time()).await > 0 {
            self.fleet.hooks_were_taken();
        }
    }

    async fn falls_ill(&mut self) -> Ailing {
        let what = self.database.ails(&mut self.chance, &self.board).await;
        let left = 1 + self.chance.below(2);
        let taken = self.chat.as_ref().map_or(0, Chat::taken);
        Ailing { what, left, answers: self.stage.hook_answers().len(), taken }
    }

    /// The database may be well again by now.
    async fn goes_on(&mut self, ailing: Option<Ailing>) -> Result<Option<Ailing>, String> {
        match ailing {
            Some(ailing) if ailing.left == 0 => {
                self.recovers(ailing).await?;
                Ok(None)
            }
            Some(ailing) => Ok(Some(Ailing { left: ailing.left - 1, ..ailing })),
            None => Ok(None),
        }
    }

    async fn recovers(&mut self, ailing: Ailing) -> Result<(), String> {
        // A full disk may have had room for one more; else nothing can have been stored.
        let exact = !matches!(ailing.what, Ailment::Full(_));
        self.database.recovers(ailing.what, &self.board).await;
        let answers = self.stage.hook_answers().split_off(ailing.answers);
        let turned_away = answers.iter().filter(|status| **status == Some(503)).count();
        for _ in 0..turned_away {
            self.board.count("hook answered 503");
        }
        let taken = self.chat.as_ref().map_or(0, Chat::taken) - ailing.taken;
        if exact && (answers.contains(&Some(202)) || taken > 0) {
            return Err(format!(
                "{taken} acts and a hook of {answers:?} were taken while nothing could be stored"
            ));
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
            self.insist().await;
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
        let beside = (self.chat.as_ref(), &self.board);
        Picture::take(&self.stage, &*self.store, now, told, beside).await.map_err(|error| error.to_string())
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
        let chat = self.chat.as_ref().map(Chat::scene).unwrap_or_default();
        let (notes, scene) = (self.board.notes(), self.stage.scene() + &chat);
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
