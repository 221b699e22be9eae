//! Hooks and commands per second: the true server and the one that stores nothing, in turns, so that whatever else the
//! machine does meets both.

use crate::child::{Child, get};
use crate::hooks::Hooks;
use crate::load::{CONNECTIONS, Kind, Load, Run, Sending};
use crate::site::Site;
use crate::table::median;
use crate::world::{World, until};
use anyhow::ensure;
use countersign::cli::wiring::SystemClock;
use countersign::ports::clock::Clock as _;
use std::path::Path;
use std::time::Duration;

/// No run takes longer.
const MOST: Duration = Duration::from_secs(10);
/// The first requests after a start warm caches and connections; they aren't counted.
pub(crate) const WARM_UP: usize = 500;

/// Runs of one kind of server.
#[derive(Default)]
pub(crate) struct Series {
    rates: Vec<f64>,
    /// Of every request.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) sent: u32,
    cpu: Duration,
}

impl Series {
    /// The middle one of the runs' requests per second.
    pub(crate) fn rate(&self) -> f64 {
        median(&self.rates)
    }

    /// The server's CPU time for one request, in microseconds.
    pub(crate) fn cpu_per_request(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / f64::from(self.sent.max(1))
    }

    /// So many requests, sent now.
    pub(crate) fn run(
        &mut self,
        child: &Child,
        load: &mut Load,
        (count, how): (usize, Sending),
    ) -> anyhow::Result<()> {
        let signed = load.sign(count, SystemClock.now())?;
        let before = child.cpu()?;
        let run: Run = load.send(&signed, child.address, how)?;
        self.cpu += child.cpu()?.saturating_sub(before);
        self.rates.push(run.rate());
        self.sent += u32::try_from(run.sent)?;
        self.latencies.extend(run.latencies);
        Ok(())
    }
}

/// What is compared: a kind of request, and how it is answered by a server that stores it and by one that doesn't.
pub(crate) struct Compared<K> {
    /// Names the servers' files.
    pub(crate) name: &'static str,
    pub(crate) world: World,
    pub(crate) kind: K,
    pub(crate) statuses: (u16, u16),
}

/// Storing and not storing. The worker rests: what it does with the requests is no matter of intake.
pub(crate) fn compare<K: Kind + 'static>(
    folder: &Path,
    what: Compared<K>,
    runs: u32,
    count: usize,
) -> anyhow::Result<(Series, Series)> {
    let Compared { name, world, kind, statuses: (stored, forgot) } = what;
    world.turn_away();
    let site = |how: &str| Site::new(folder, &format!("{how}-{name}"), &world);
    let storing = site("storing")?.serve()?;
    let forgetting = site("forgetting")?.serve_without_storing()?;
    let mut rivals = [Rival::new(storing, stored), Rival::new(forgetting, forgot)];
    in_turns(&mut rivals, &world, Load::new(kind), (runs, count))?;
    let [storing, forgetting] = rivals;
    Ok((storing.series, forgetting.series))
}

/// A server of a comparison.
struct Rival {
    child: Child,
    /// What it answers.
    status: u16,
    series: Series,
}

impl Rival {
    fn new(child: Child, status: u16) -> Self {
        Self { child, status, series: Series::default() }
    }
}

/// Runs of so many requests, in turns. The first server is the true one, and says that it has stored them all.
fn in_turns(
    rivals: &mut [Rival],
    world: &World,
    mut load: Load,
    (runs, count): (u32, usize),
) -> anyhow::Result<()> {
    for rival in &*rivals {
        Series::default().run(&rival.child, &mut load, (WARM_UP, freely(rival.status, CONNECTIONS)))?;
    }
    until("the server was asked to come back later", || world.is_asked())?;
    world.until_no_calls()?;
    for _ in 0..runs {
        for Rival { child, status, series } in &mut *rivals {
            series.run(child, &mut load, (count, freely(*status, CONNECTIONS)))?;
        }
    }
    if let Some(first) = rivals.first() {
        let kept = stored_by(&first.child)?;
        ensure!(kept == WARM_UP as u64 + u64::from(first.series.sent), "only {kept} requests were stored");
    }
    Ok(())
}

/// As fast as they are answered.
pub(crate) fn freely(status: u16, connections: usize) -> Sending {
    Sending { status, connections, pace: None, most: MOST }
}

/// How many deliveries a server says that it has stored.
pub(crate) fn stored_by(child: &Child) -> anyhow::Result<u64> {
    let metrics = get(child.address, "/metrics")?;
    let lines = metrics.lines().filter(|line| {
        line.starts_with("countersign_deliveries_total{") && line.contains("outcome=\"stored\"")
    });
    lines.map(|line| Ok(line.rsplit(' ').next().unwrap_or_default().parse::<u64>()?)).sum()
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
    let mut load = Load::new(Hooks::new(world.project)?);
    let mut series = Series::default();
    series.run(&child, &mut load, (count, Sending { most, ..freely(202, CONNECTIONS) }))?;
    let (after, highest) = child.memory()?;
    Ok(Worked { sent: series.latencies.len(), series, memory: [idle, after, highest] })
}
