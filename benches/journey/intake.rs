//! Hooks per second: the true server and the one that stores nothing, in turns, so that whatever else the
//! machine does meets both.

use crate::child::Child;
use crate::load::{Hooks, Run};
use crate::site::Site;
use crate::table::median;
use crate::world::{World, until};
use countersign::cli::wiring::SystemClock;
use countersign::ports::clock::Clock as _;
use std::path::Path;
use std::time::Duration;

/// No run takes longer.
const MOST: Duration = Duration::from_secs(10);
/// The first hooks after a start warm caches and connections; they aren't counted.
const WARM_UP: usize = 500;

/// Runs of one kind of server.
#[derive(Default)]
pub(crate) struct Series {
    rates: Vec<f64>,
    /// Of every hook.
    pub(crate) latencies: Vec<Duration>,
    sent: u32,
    cpu: Duration,
}

impl Series {
    /// The middle one of the runs' hooks per second.
    pub(crate) fn rate(&self) -> f64 {
        median(&self.rates)
    }

    /// The server's CPU time for one hook, in microseconds.
    pub(crate) fn cpu_per_hook(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / f64::from(self.sent.max(1))
    }

    /// So many hooks, sent now.
    pub(crate) fn run(&mut self, child: &Child, hooks: &mut Hooks, sending: &Sending) -> anyhow::Result<()> {
        let signed = hooks.sign(sending.count, SystemClock.now())?;
        let before = child.cpu()?;
        let run: Run = hooks.send(&signed, child.address, sending.status, sending.most)?;
        self.cpu += child.cpu()?.saturating_sub(before);
        self.rates.push(run.rate());
        self.sent += u32::try_from(run.sent)?;
        self.latencies.extend(run.latencies);
        Ok(())
    }
}

/// What a run sends.
pub(crate) struct Sending {
    /// Hooks, at most.
    pub(crate) count: usize,
    /// What each is answered with.
    pub(crate) status: u16,
    /// The run's end, whatever is left.
    pub(crate) most: Duration,
}

/// Storing and not storing. The worker rests: what it does with the hooks is no matter of intake.
pub(crate) fn compare(folder: &Path, runs: u32, count: usize) -> anyhow::Result<(Series, Series)> {
    let world = World::new()?;
    world.turn_away();
    let storing = Site::new(folder, "storing", &world)?.serve()?;
    let forgetting = Site::new(folder, "forgetting", &world)?.serve_without_storing()?;
    until("the server was asked to come back later", || !world.gitlab.requests().is_empty())?;
    world.until_no_calls()?;
    let mut hooks = Hooks::new(world.project)?;
    let mut done = (Series::default(), Series::default());
    let one = |count, status| Sending { count, status, most: MOST };
    for (child, status) in [(&storing, 202), (&forgetting, 200)] {
        Series::default().run(child, &mut hooks, &one(WARM_UP, status))?;
    }
    for _ in 0..runs {
        done.0.run(&storing, &mut hooks, &one(count, 202))?;
        done.1.run(&forgetting, &mut hooks, &one(count, 200))?;
    }
    Ok(done)
}

/// A server at work: memory before and after so many hooks, each of which its worker asks GitLab about.
pub(crate) struct Worked {
    /// While hooks came.
    pub(crate) series: Series,
    /// Resident MiB before the first and after the last, and the most that ever was.
    pub(crate) memory: [f64; 3],
    /// Hooks.
    pub(crate) sent: usize,
}

/// Sends so many hooks to a server whose worker works. The comments are gone when it looks: one call each.
pub(crate) fn work(folder: &Path, count: usize, most: Duration) -> anyhow::Result<Worked> {
    let world = World::new()?;
    let child = Site::new(folder, "working", &world)?.serve()?;
    world.until_quiet()?;
    let (idle, _) = child.memory()?;
    let mut hooks = Hooks::new(world.project)?;
    let mut series = Series::default();
    series.run(&child, &mut hooks, &Sending { count, status: 202, most })?;
    let (after, highest) = child.memory()?;
    Ok(Worked { sent: series.latencies.len(), series, memory: [idle, after, highest] })
}
