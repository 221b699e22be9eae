//! A history, told against the use cases and a true store: acts, hooks, workers, crashes; and how it has to `end`.

mod end;

use super::forge::ModelForge;
use super::law::FORGE;
use super::plan::{Act, Fate, Page, Plan, Right, Step, Target};
use super::scene::Scene;
use super::store::Watched;
use super::world::{Job, Line, ME, Meant, World, Written};
use crate::story::server::StoryClock;
use countersign::app::figures::Figures;
use countersign::app::worker::Worker;
use countersign::app::{App, Desk, Ways};
use countersign::domain::chat::People;
use countersign::domain::event::Event;
use countersign::domain::id::{DeploymentId, ForgeName};
use countersign::domain::ledger::{self, Sealed, Word};
use countersign::domain::policy::Gate;
use countersign::ports::clock::Clock;
use countersign::ports::store::{NewDelivery, Store};
use countersign::sim::clock::HandClock;
use countersign::store::sqlite::SqliteStore;
use countersign::store::{Access, Surroundings};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, Notify};
use tokio_util::task::TaskTracker;

const START: &str = "2026-11-21T08:00:00Z";
const POLL: SignedDuration = SignedDuration::from_mins(5);
/// Those that poll: what is open, and the sweep.
const PERIODIC: u64 = 2;
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// A process: it works until it is dropped where it stands.
struct Life {
    runtime: Runtime,
    app: App,
    store: Watched,
}

pub(super) struct Run {
    pub(super) scene: Scene,
    clock: HandClock,
    ids: Arc<StoryClock>,
    folder: TempDir,
    life: Option<Life>,
    late: Vec<NewDelivery>,
    hooks: u64,
    chains: BTreeMap<DeploymentId, Vec<Sealed>>,
}

type Told = Result<(), String>;

impl Run {
    /// Tells the whole history. What doesn't hold is the error, behind all that happened.
    pub(super) fn tell(plan: &Plan) -> Told {
        let mut run = Self::begin(plan);
        for step in &plan.steps {
            run.scene.lock().book.note(&format!("{step:?}"));
            run.step(step);
            run.check()?;
        }
        run.calm_down();
        run.check()?;
        run.end_is_right();
        run.check()
    }

    fn begin(plan: &Plan) -> Self {
        let clock = HandClock::at(START.parse().unwrap());
        let scene = Scene::new(World::new(plan.law.clone(), clock.clone()));
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let mut run = Self {
            scene,
            ids: Arc::new(StoryClock::new(clock.clone())),
            clock,
            folder: folder.unwrap(),
            life: None,
            late: Vec::new(),
            hooks: 0,
            chains: BTreeMap::new(),
        };
        run.open();
        run.work(1);
        run
    }

    fn open(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("sqlite:{}", self.folder.path().join("model.db").display());
        let clock: Arc<dyn Clock> = self.ids.clone();
        let around = Surroundings {
            intake_deadline: Duration::from_mins(10),
            ..Surroundings::new(Arc::clone(&clock), TaskTracker::new())
        };
        let inner = Arc::new(runtime.block_on(SqliteStore::open(&url, Access::Serve, around)).unwrap());
        let store = Watched { inner, scene: self.scene.clone(), pen: Arc::new(Mutex::new(())) };
        let name = ForgeName::new(FORGE);
        let forge = Arc::new(ModelForge { scene: self.scene.clone(), name: name.clone() });
        let ways = Ways { exact_case: true, slash: false, asks_again: false };
        let desk = Desk { forge, poll: POLL, hint: true, log: None, ways };
        let app = App {
            store: Arc::new(store.clone()),
            clock,
            policies: Arc::new(self.scene.lock().world.law.policies()),
            desks: Arc::new(BTreeMap::from([(name, desk)])),
            chats: Arc::default(),
            people: Arc::new(People::default()),
            cause: None,
            figures: Arc::new(Figures::new([FORGE.to_owned()], self.clock.time())),
        };
        self.scene.lock().store_fails.0 = 0;
        runtime.block_on(app.start_polling()).unwrap();
        self.life = Some(Life { runtime, app, store });
    }

    /// Lets the process do something; `None` if it died meanwhile, and another one was started.
    fn live<T>(&mut self, work: impl AsyncFnOnce(&App) -> T) -> Option<T> {
        let life = self.life.as_ref().expect("somebody lives");
        let ended = life.runtime.block_on(async {
            tokio::select! {
                ended = work(&life.app) => Some(ended),
                () = self.scene.died() => {
                    // What is being written right now is written, and stands in the book.
                    drop(life.store.pen.lock().await);
                    None
                }
            }
        });
        if ended.is_none() {
            self.start_again();
        }
        ended
    }

    fn start_again(&mut self) {
        self.life = None;
        self.scene.lock().book.restarted();
        self.open();
        // §7.1: what was acknowledged before is known to whoever comes after.
        let stored: Vec<NewDelivery> = self.scene.lock().book.stored.values().cloned().collect();
        for delivery in stored {
            self.arrives(delivery);
        }
    }

    fn work(&mut self, workers: u8) {
        let ended = self.live(async |app| {
            let [one, two] = [(); 2].map(|()| Worker::new(app.clone(), Arc::new(Notify::new())));
            match workers {
                0 => {}
                1 => drop(one.run_until_idle().await),
                _ => drop(tokio::join!(one.run_until_idle(), two.run_until_idle())),
            }
        });
        if ended.is_some() && workers > 0 {
            self.scene.lock().book.settled();
        }
    }

    fn step(&mut self, step: &Step) {
        self.clock.advance(SignedDuration::from_secs(1));
        self.act(&step.act);
        self.work(step.workers);
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Deploy { by, environment, request, jobs, hook } => {
                let mut run = None;
                for _ in 0..*jobs {
                    let index = self.scene.lock().world.deploy(*by, environment, *request, run);
                    run = Some(self.scene.lock().world.deployments[index].run);
                    self.changed(index, *hook);
                }
            }
            Act::Say { by, request, lines, manner, hook } => {
                let lines =
                    lines.iter().map(|(verb, target)| Line { verb: *verb, meant: self.meant(*target) });
                let lines = lines.collect();
                let index = self.scene.lock().world.write(*by, *request, lines, *manner);
                self.written(index, *hook);
            }
            Act::Edit { comment } => self.touch(*comment, |one| {
                (one.text, one.edited) = (format!("{}\n\nReally.", one.text), true);
            }),
            Act::Delete { comment } => self.touch(*comment, |one| one.deleted = true),
            Act::Pages { by, deployment, what, hook } => {
                if let Some(index) = self.place(*deployment) {
                    self.in_the_pages(*by, index, *what, *hook);
                }
            }
            Act::Rights { who, change } => self.rights(*who, *change),
            Act::LateHooks => self.late_hooks(),
            Act::Redeliver => {
                let again = self.scene.lock().book.stored.values().next_back().cloned();
                if let Some(delivery) = again {
                    self.arrives(delivery);
                }
            }
            Act::Pass { seconds } => self.clock.advance(SignedDuration::from_secs(*seconds)),
            Act::Mishaps { at, what, times } => self.scene.lock().mishaps.push((*at, *what, *times)),
            Act::StoreFails { times, written } => self.scene.lock().store_fails = (*times, *written),
            Act::Crash { moments } => self.scene.lock().crash = Some(*moments),
            Act::WorkerDies { jobs } => {
                self.live(async |app| {
                    app.store.lease(app.clock.now(), LEASE, u32::from(*jobs)).await.unwrap()
                });
            }
        }
    }

    /// The index of the deployment at this place from the newest.
    fn place(&self, from_the_newest: usize) -> Option<usize> {
        let deployments = self.scene.lock().world.deployments.len();
        deployments.checked_sub(1 + from_the_newest % deployments.max(1))
    }

    fn meant(&self, target: Target) -> Meant {
        match target {
            Target::Number(place) => match self.place(place) {
                Some(index) => Meant::Number(self.scene.lock().world.deployments[index].number),
                None => Meant::Nothing,
            },
            Target::Name(name) => Meant::Name(name),
            Target::Nothing => Meant::Nothing,
        }
    }

    fn touch(&self, place: usize, change: impl FnOnce(&mut Written)) {
        let stage = &mut *self.scene.lock();
        let now = stage.world.tick();
        let mut theirs: Vec<_> = stage.world.comments.iter_mut().filter(|one| one.by != ME).collect();
        let Some(index) = theirs.len().checked_sub(1 + place) else { return };
        theirs[index].updated_at = now;
        change(theirs[index]);
    }

    fn rights(&self, who: i64, change: Right) {
        let mut stage = self.scene.lock();
        let human = stage.world.people.iter_mut().find(|human| human.id == who).expect("somebody");
        match change {
            Right::Level(level) => human.level = level,
            Right::Join(group) => drop(human.groups.insert(group)),
            Right::Leave(group) => drop(human.groups.remove(group)),
            Right::Active(active) => human.active = active,
        }
    }

    /// What people can do on the forge past us, as far as it lets them.
    fn in_the_pages(&mut self, by: i64, index: usize, what: Page, hook: Fate) {
        let mut stage = self.scene.lock();
        let world = &mut stage.world;
        let (one, human) = (world.deployments[index].clone(), world.human(by).clone());
        let asked = world.law.of(one.environment);
        let (gate, waits) = (asked.gate, one.job == Job::Manual);
        let has_voted = one.votes.iter().any(|vote| vote.by.0 == by);
        let may_vote =
            gate == Gate::Native && asked.others && human.level >= 40 && human.active && !has_voted;
        match what {
            Page::Approve if may_vote && waits && one.by != by => world.vote(index, by, Word::Approved),
            Page::Reject if may_vote && waits => world.vote(index, by, Word::Rejected),
            Page::Play if waits && gate != Gate::ProtectionRule && world.pending(&one) == 0 => {
                world.set_job(index, Job::Running);
                world.deployments[index].played_by = Some(by);
            }
            Page::Cancel if waits || one.job == Job::Running => world.set_job(index, Job::Cancelled),
            Page::Finish(well) if one.job == Job::Running => {
                world.set_job(index, if well { Job::Success } else { Job::Failed });
            }
            Page::Remove if !waits => world.deployments[index].gone = true,
            Page::Retry if !waits && one.job != Job::Running => {
                let fresh = world.deploy(by, one.environment, one.request, Some(one.run));
                drop(stage);
                return self.changed(fresh, hook);
            }
            Page::Approve
            | Page::Reject
            | Page::Play
            | Page::Cancel
            | Page::Finish(_)
            | Page::Remove
            | Page::Retry => return,
        }
        drop(stage);
        self.changed(index, hook);
    }

    // Hooks.

    fn changed(&mut self, index: usize, fate: Fate) {
        let event = self.scene.lock().world.hook(index);
        self.sent(event, fate);
    }

    fn written(&mut self, index: usize, fate: Fate) {
        let event = {
            let stage = &mut *self.scene.lock();
            let said = &stage.world.comments[index];
            let author = if fate == Fate::Lying { said.by + 1 } else { said.by };
            if fate == Fate::Lying {
                stage.book.lied.insert(said.id);
            }
            said.hook(author)
        };
        self.sent(event, fate);
    }

    fn sent(&mut self, event: Event, fate: Fate) {
        self.hooks += 1;
        let delivery = NewDelivery {
            source: FORGE.to_owned(),
            id: format!("hook-{:04}", self.hooks),
            digest: String::new(),
            events: vec![event],
            received_at: self.clock.time(),
        };
        match fate {
            Fate::Lost => {}
            Fate::Late => self.late.push(delivery),
            Fate::Now | Fate::Lying => self.arrives(delivery),
            Fate::Doubled => {
                let twin = delivery.clone();
                self.live(async |app| tokio::join!(app.store.accept(delivery), app.store.accept(twin)));
                // And once more under another name.
                let again = self.scene.lock().book.stored.values().next_back().cloned();
                if let Some(again) = again {
                    self.arrives(NewDelivery { id: format!("{}-again", again.id), ..again });
                }
            }
        }
    }

    /// Nobody sends it again if it isn't taken.
    fn arrives(&mut self, delivery: NewDelivery) {
        let delivery = NewDelivery { received_at: self.clock.time(), ..delivery };
        self.live(async |app| app.store.accept(delivery).await.ok());
    }

    fn late_hooks(&mut self) {
        for delivery in std::mem::take(&mut self.late).into_iter().rev() {
            self.arrives(delivery);
        }
    }

    fn wrong(&self, what: String) {
        let mut stage = self.scene.lock();
        stage.book.note(&format!("  !! {what}"));
        stage.book.wrong.push(what);
    }

    /// Ledgers are sound and have only grown; and nothing else was found so far.
    fn check(&mut self) -> Told {
        let store = self.life.as_ref().expect("somebody lives").store.inner.clone();
        let now = self.live(async |_| {
            let mut all = BTreeMap::new();
            for id in store.ledger_ids(None, 1000).await.unwrap() {
                let chain = store.ledger(&id).await.unwrap();
                all.insert(id, chain);
            }
            all
        });
        let now = now.expect("reading kills nobody");
        for (id, chain) in &now {
            let mut previous = None;
            for sealed in chain {
                if let Err(broken) = ledger::verify(id, previous, sealed) {
                    self.wrong(format!("§7.7: {broken}"));
                }
                previous = Some(sealed);
            }
            let former = self.chains.get(id).map_or(&[][..], Vec::as_slice);
            if !chain.starts_with(former) {
                self.wrong(format!("§7.7: the ledger of {id} was changed"));
            }
        }
        if let Some(id) = self.chains.keys().find(|id| !now.contains_key(id)) {
            self.wrong(format!("§7.7: the ledger of {id} is gone"));
        }
        self.chains = now;
        let stage = self.scene.lock();
        if stage.book.wrong.is_empty() {
            return Ok(());
        }
        Err(format!("{}\n{}", stage.book.notes.join("\n"), stage.book.wrong.join("\n")))
    }
}
