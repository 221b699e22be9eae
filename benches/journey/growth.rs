//! How cost grows with what is in the database: the past, and what waits.

use crate::Ground;
use crate::books::Books;
use crate::site::Site;
use crate::table::{Table, quantile};
use crate::world::{LONG, Waiting, World, until, until_within};
use anyhow::Context as _;
use countersign::cli::wiring::{self, SystemClock};
use countersign::config;
use countersign::domain::id::{Conversation, DeploymentId, ForgeName, Native, Place, ProjectId};
use countersign::domain::ledger;
use countersign::ports::clock::Clock as _;
use countersign::ports::store::Store;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

/// Those that wait are spread over projects, at most so many in each.
const EACH: u32 = 100;
/// Comments before and after each other.
const ROUNDS: u32 = 12;
/// Starts on one database.
const STARTS: u32 = 5;
/// How often the store is asked.
const READS: u32 = 100;
/// What polls stays in the queue: open deployments and projects.
const PERIODIC: u64 = 2;
/// Between two looks at the queue.
const LOOK: Duration = Duration::from_millis(20);

/// How much of what there is, one after the other.
pub(crate) struct Sizes {
    /// Deployments that are over, beside [`EACH`] that wait or fewer.
    pub(crate) past: &'static [u32],
    /// Deployments that wait, beside the smallest past.
    pub(crate) blocked: &'static [u32],
}

/// Along the past, then along what waits, on SQLite, then on PostgreSQL.
pub(crate) fn measure(table: &mut Table, ground: &Ground, sizes: &Sizes) -> anyhow::Result<()> {
    let (least_past, least_blocked) = (first(sizes.past), first(sizes.blocked));
    for database in ["SQLite", "PostgreSQL"] {
        if database == "PostgreSQL" && ground.cluster.is_none() {
            continue;
        }
        let mut grown = Grown::new(ground, database, "past")?;
        let figures: anyhow::Result<Vec<_>> =
            sizes.past.iter().map(|past| grown.measure(*past, least_blocked)).collect();
        tell(table, &format!("{database}, {} past", list(sizes.past)), &figures?);
        let mut grown = Grown::new(ground, database, "blocked")?;
        let figures: anyhow::Result<Vec<_>> =
            sizes.blocked.iter().map(|blocked| grown.measure(least_past, *blocked)).collect();
        tell(table, &format!("{database}, {} blocked", list(sizes.blocked)), &figures?);
    }
    Ok(())
}

fn first(sizes: &[u32]) -> u32 {
    sizes.first().copied().unwrap_or_default()
}

fn list(sizes: &[u32]) -> String {
    sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(" / ")
}

/// A server whose database grows.
struct Grown {
    world: World,
    site: Site,
    books: Books,
    blocked: u32,
    /// Projects in which others wait.
    projects: u32,
    /// Deployments made by hand.
    made: u32,
    runtime: Runtime,
}

/// What was measured at one size, times in milliseconds, memory in MiB.
struct Figures {
    list: f64,
    decide: f64,
    card: f64,
    number: f64,
    reads: f64,
    open: f64,
    look: f64,
    idle: f64,
    highest: f64,
    ready: f64,
    verify: f64,
    entries: f64,
}

fn tell(table: &mut Table, what: &str, figures: &[Figures]) {
    table.row(what, String::new(), "");
    let mut row = |name: &str, figure: fn(&Figures) -> f64, unit: &str, goal: &str| {
        let figures: Vec<f64> = figures.iter().map(figure).collect();
        table.growth(&format!("  {name}"), &figures, unit, goal);
    };
    row("list: comment to answer, p50", |f| f.list, "ms", "×2");
    row("decide: comment to vote, p50", |f| f.decide, "ms", "×2");
    row("card: comment to changed card, p50", |f| f.card, "ms", "×2");
    row("status of a number: comment to answer, p50", |f| f.number, "ms", "×2");
    row("what a command reads of the store, p50", |f| f.reads, "ms", "×2");
    row("what is open in a project, and what a number means, p50", |f| f.open, "ms", "×2");
    row("looking at all that is open, after a start", |f| f.look, "ms", "");
    row("memory after that", |f| f.idle, "MiB", "");
    row("memory at its highest", |f| f.highest, "MiB", "< 64 MB");
    row("start to ready, p50", |f| f.ready, "ms", "< 50 ms");
    row("audit verify", |f| f.verify, "ms", "");
    row("audit verify, for 1,000,000 entries", |f| f.verify / f.entries * 1e6, "ms", "×2, < 10 s");
}

impl Grown {
    /// With one deployment, which a server has led to its end: the model of all others.
    fn new(ground: &Ground, database: &str, along: &str) -> anyhow::Result<Self> {
        let mut world = World::new()?;
        world.poll = "1h";
        let name = format!("growing-{along}-{database}");
        let site = match &ground.cluster {
            Some(cluster) if database == "PostgreSQL" => {
                Site::on(&ground.folder, &name, &world, cluster.database(&name)?)?
            }
            Some(_) | None => Site::new(&ground.folder, &name, &world)?,
        };
        let child = site.serve()?;
        world.hook(child.address);
        world.until_quiet()?;
        let model = world.deploy(1)?;
        world.approve(&model)?;
        until("the model is started", || {
            world.deliver();
            world.is_started(&model)
        })?;
        world.until_quiet()?;
        world.gitlab.set_auto_deliver(true);
        drop(child);
        let runtime = Runtime::new()?;
        let native = Native::new(model.deployment.to_string());
        let id = DeploymentId::new(&forge(), project(&world)?, &native);
        let chain = beside(&runtime, &site, async |store| Ok(store.ledger(&id).await?))?;
        let entries: Result<Vec<_>, _> = chain.iter().map(|sealed| ledger::open(&id, sealed)).collect();
        let books = Books::open(&site.store, chain, entries?)?;
        Ok(Self { world, site, books, blocked: 0, projects: 0, made: 1, runtime })
    }

    /// At this size, which is no smaller than the one before.
    fn measure(&mut self, past: u32, blocked: u32) -> anyhow::Result<Figures> {
        self.books.fill_past(past.into())?;
        self.block(blocked)?;
        self.books.let_poll()?;
        let began = Instant::now();
        let child = self.site.serve()?;
        self.until_idle()?;
        let look = millis(began.elapsed().saturating_sub(child.ready_after));
        let (idle, _) = child.memory()?;
        let (mut list, mut number, mut decide, mut card) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut newest = None;
        for _ in 0..ROUNDS {
            self.made += 1;
            let waiting = self.world.deploy(self.made)?;
            list.push(self.ask(&waiting, "@countersign blocked")?);
            number.push(self.ask(&waiting, &format!("@countersign status d{}", waiting.deployment))?);
            let (voted, shown) = self.decide(&waiting)?;
            decide.push(voted);
            card.push(shown);
            self.world.until_quiet()?;
            self.world.gitlab.clear_requests();
            newest = Some(waiting);
        }
        let (reads, open) = self.read(&newest.context("no round")?)?;
        let (_, highest) = child.memory()?;
        drop(child);
        let (verify, said) = self.site.verify_ledger()?;
        let entries = said.split(' ').next().unwrap_or_default().parse()?;
        let starts: anyhow::Result<Vec<_>> =
            (0..STARTS).map(|_| Ok(self.site.serve()?.ready_after)).collect();
        let p50 = |times: &[Duration]| millis(quantile(times, 0.5));
        Ok(Figures {
            list: p50(&list),
            decide: p50(&decide),
            card: p50(&card),
            number: p50(&number),
            reads: p50(&reads),
            open: p50(&open),
            look,
            idle,
            highest,
            ready: p50(&starts?),
            verify: millis(verify),
            entries,
        })
    }

    /// So many wait, in the twin and in the database.
    fn block(&mut self, blocked: u32) -> anyhow::Result<()> {
        while self.blocked < blocked {
            let each = EACH.min(blocked - self.blocked);
            let projects = (blocked - self.blocked) / each;
            let all = self.world.add_others((self.projects, projects), each);
            self.books.add_waiting(&all)?;
            self.blocked += each * projects;
            self.projects += projects;
        }
        Ok(())
    }

    /// Returns once nothing is left to do but polling.
    fn until_idle(&self) -> anyhow::Result<()> {
        beside(&self.runtime, &self.site, async |store| {
            let began = Instant::now();
            loop {
                let depth = store.depth(SystemClock.now()).await?;
                if depth.due == 0 && depth.later <= PERIODIC {
                    return Ok(());
                }
                anyhow::ensure!(began.elapsed() < LONG, "the server still has {depth:?}");
                tokio::time::sleep(LOOK).await;
            }
        })?;
        self.world.until_no_calls()
    }

    /// From the comment to its answer.
    fn ask(&self, waiting: &Waiting, what: &str) -> anyhow::Result<Duration> {
        let before = self.world.answers(waiting);
        let began = Instant::now();
        self.world.say(waiting, what)?;
        until("the answer is there", || self.world.answers(waiting) > before)?;
        let took = began.elapsed();
        self.world.until_quiet()?;
        Ok(took)
    }

    /// To the vote, and to the card that shows it.
    fn decide(&self, waiting: &Waiting) -> anyhow::Result<(Duration, Duration)> {
        let world = &self.world;
        let card = world.card(waiting);
        let began = Instant::now();
        world.approve(waiting)?;
        let (mut voted, mut shown) = (None, None);
        until_within(LONG, "the vote stands and is shown", || {
            voted = voted.or_else(|| world.is_voted(waiting).then(|| began.elapsed()));
            shown = shown.or_else(|| (world.card(waiting) != card).then(|| began.elapsed()));
            voted.is_some() && shown.is_some()
        })?;
        Ok((voted.unwrap_or_default(), shown.unwrap_or_default()))
    }

    /// What a comment's command asks of the store before it asks the forge; and what polling and a number ask.
    fn read(&self, waiting: &Waiting) -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
        let project = project(&self.world)?;
        let place = Place::MergeRequest(i64::try_from(waiting.request)?);
        let here = Conversation { forge: forge(), project, place };
        beside(&self.runtime, &self.site, async |store| {
            let (mut times, mut open) = (Vec::new(), Vec::new());
            let number = i64::try_from(waiting.deployment)?;
            for _ in 0..READS {
                let began = Instant::now();
                store.deployments_in(&here, 50).await?;
                store.room(&here).await?;
                store.environments(&here.forge, project, 200).await?;
                times.push(began.elapsed());
                let began = Instant::now();
                store.open(&here.forge, project).await?;
                store.numbered(&here.forge, project, number).await?;
                open.push(began.elapsed());
            }
            Ok((times, open))
        })
    }
}

fn forge() -> ForgeName {
    ForgeName::new("gitlab")
}

fn project(world: &World) -> anyhow::Result<ProjectId> {
    Ok(ProjectId(i64::try_from(world.project)?))
}

/// Asks the store of a place, whether a server runs there or not.
fn beside<T>(
    runtime: &Runtime,
    site: &Site,
    ask: impl AsyncFnOnce(&dyn Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let config = config::load(&site.config, &|_| None)?;
    runtime.block_on(async {
        let store = wiring::open_beside(&config.store, Arc::new(SystemClock), &TaskTracker::new()).await?;
        let answer = ask(&*store).await;
        store.close().await;
        answer
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
