//! Hooks of GitHub: the true server on SQLite and on PostgreSQL, the one that stores nothing, and the least that can be
//! done with a hook, in turns, so that whatever else the machine does meets all of them.

use crate::Ground;
use crate::child::Child;
use crate::github_hooks::GitHubHooks;
use crate::intake::{Series, WARM_UP, freely, stored_by};
use crate::load::{CONNECTIONS, Load, Sending};
use crate::site::Site;
use crate::table::{Table, ms, quantile};
use crate::world::{World, until};
use anyhow::ensure;
use std::time::Duration;

/// Connections at once. For one alone a tenth of the requests is enough.
const EACH: [usize; 3] = [1, CONNECTIONS, 256];
/// How long hooks are sent at half of the rate.
const AT_HALF: Duration = Duration::from_secs(6);

/// One of the servers.
struct Rival {
    name: &'static str,
    child: Child,
    /// What it answers.
    status: u16,
    /// Each hook, on disk, before it is answered.
    stores: bool,
    /// It does nothing else, and can't tell what it did.
    bare: bool,
    sent: u32,
    /// With [`CONNECTIONS`].
    rate: f64,
    /// In turns so far, with the present number of connections.
    series: Series,
}

impl Rival {
    fn run(&mut self, load: &mut Load, count: usize, how: Sending) -> anyhow::Result<()> {
        let before = self.series.sent;
        self.series.run(&self.child, load, (count, how))?;
        self.sent += self.series.sent - before;
        Ok(())
    }

    /// Rate, times, CPU time and memory since this was called last.
    fn tell(&mut self, table: &mut Table, how: &str) -> anyhow::Result<Series> {
        let series = std::mem::take(&mut self.series);
        let [p50, p99] = [0.5, 0.99].map(|part| ms(quantile(&series.latencies, part)));
        let (rate, cpu, (_, memory)) = (series.rate(), series.cpu_per_request(), self.child.memory()?);
        self.child.forget_highest_memory()?;
        let value = format!("{rate:.0} /s {p50:>6} / {p99:>6} ms {cpu:>4.0} µs {memory:>5.1} MiB");
        table.row(&format!("{how}, {}", self.name), value, "");
        Ok(series)
    }
}

/// Runs all of them, and tells how it went.
pub(crate) fn measure(table: &mut Table, ground: &Ground, (runs, count): (u32, usize)) -> anyhow::Result<()> {
    let world = World::with_github()?;
    world.turn_away();
    let mut rivals = rivals(ground, &world)?;
    let mut load = Load::new(GitHubHooks::new()?);
    for rival in &mut rivals {
        let how = freely(rival.status, CONNECTIONS);
        rival.run(&mut load, WARM_UP, how)?;
        rival.series = Series::default();
        rival.child.forget_highest_memory()?;
    }
    until("the server was asked to come back later", || world.is_asked())?;
    world.until_no_calls()?;
    table.row("14 KiB hooks", "rate, p50 / p99, CPU for each, highest memory".into(), "");
    for connections in EACH {
        let count = if connections == 1 { count / 10 } else { count };
        for _ in 0..runs {
            for rival in &mut rivals {
                let how = freely(rival.status, connections);
                rival.run(&mut load, count, how)?;
            }
        }
        tell_all(table, connections, &mut rivals)?;
        // Before there are more: what those leave in memory is none of this.
        if connections == CONNECTIONS {
            at_half(table, &mut rivals, &mut load)?;
        }
    }
    for Rival { name, child, sent, .. } in rivals.iter().filter(|r| r.stores && !r.bare) {
        let kept = stored_by(child)?;
        ensure!(kept == u64::from(*sent), "{name}: {kept} of {sent} hooks were stored");
    }
    Ok(())
}

fn rivals(ground: &Ground, world: &World) -> anyhow::Result<Vec<Rival>> {
    let site = |how: &str| Site::new(&ground.folder, how, world);
    let mut children = vec![
        ("stored in SQLite", site("storing-github")?.serve()?, (true, false)),
        ("verified alone", site("forgetting-github")?.serve_without_storing()?, (false, false)),
        ("bare, a row each", site("bare-row")?.serve_barely(true)?, (true, true)),
        ("bare, none", site("bare")?.serve_barely(false)?, (false, true)),
    ];
    if let Some(cluster) = &ground.cluster {
        let database = cluster.database("storing_github")?;
        let site = Site::on(&ground.folder, "storing-github-postgres", world, database)?;
        children.insert(1, ("stored in PostgreSQL", site.serve()?, (true, false)));
    }
    let rival = |(name, child, (stores, bare))| Rival {
        name,
        child,
        status: if stores || bare { 202 } else { 200 },
        stores,
        bare,
        sent: 0,
        rate: 0.0,
        series: Series::default(),
    };
    Ok(children.into_iter().map(rival).collect())
}

/// Tells how runs with so many connections went, and how each server stands to the bare one that does as much.
fn tell_all(table: &mut Table, connections: usize, rivals: &mut [Rival]) -> anyhow::Result<()> {
    let mut rates = Vec::new();
    for rival in &mut *rivals {
        let rate = rival.tell(table, &format!("{connections} connections"))?.rate();
        if connections == CONNECTIONS {
            rival.rate = rate;
        }
        rates.push((rival.stores, rival.bare, rate));
    }
    for (what, stores) in
        [("stored in SQLite to a row each", true), ("verified alone to bare with none", false)]
    {
        let rate =
            |bare| rates.iter().find(|(s, b, _)| (*s, *b) == (stores, bare)).map_or(0.0, |(.., rate)| *rate);
        table.ratio(&format!("{connections} connections, rate, {what}"), rate(false), rate(true));
    }
    Ok(())
}

/// Hooks that come at half the rate that a server bears, whatever became of those before.
fn at_half(table: &mut Table, rivals: &mut [Rival], load: &mut Load) -> anyhow::Result<()> {
    for rival in rivals {
        let pace = rival.rate / 2.0;
        let count = usize::try_from(AT_HALF.mul_f64(pace).as_secs())?;
        let how = Sending { pace: Some(pace), ..freely(rival.status, CONNECTIONS) };
        rival.run(load, count, how)?;
        rival.tell(table, &format!("{CONNECTIONS} connections at half the rate"))?;
    }
    Ok(())
}
