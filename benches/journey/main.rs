//! What the server costs and how fast it is, on this machine: `tests/bench`, or `cargo bench`.
//!
//! Every server is a process of its own on a file database; the client and the twin of GitLab are this one.
//! Prints one table and asserts nothing about speed. Takes under three minutes.
//!
//! * `baseline`: the same server, storing nothing.
//! * `site` and `child`: a place for a server, and the server in it.
//! * `world`: the twin. `load`: signed hooks over many connections.
//! * `intake`, `approval`: what is measured. `table`: how it is told.

mod approval;
mod baseline;
mod child;
mod intake;
mod load;
mod site;
mod table;
mod world;

use anyhow::bail;
use approval::Approvals;
use intake::{Series, Worked};
use site::Site;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};
use table::{Table, ms, print_calls, quantile};
use world::World;

/// The argument that makes this program the server to compare with.
pub(crate) const BASELINE: &str = "--baseline";

/// How much of everything.
struct Extent {
    starts: u32,
    runs: u32,
    hooks_per_run: usize,
    hooks_at_work: usize,
    approvals: u32,
}

const WHOLE: Extent =
    Extent { starts: 7, runs: 3, hooks_per_run: 15_000, hooks_at_work: 100_000, approvals: 100 };
const QUICK: Extent = Extent { starts: 2, runs: 1, hooks_per_run: 500, hooks_at_work: 1000, approvals: 5 };
/// The hooks at work end then, however many are left.
const WORK_MOST: Duration = Duration::from_secs(100);

fn main() -> anyhow::Result<()> {
    // `cargo test --all-targets` runs this, too, and doesn't say `--bench`: a glance shows that it works.
    let mut extent = QUICK;
    let mut quick = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => extent = WHOLE,
            "--quick" => quick = true,
            BASELINE => return baseline::serve(Path::new(&arguments.next().unwrap_or_default())),
            unknown => bail!("no such argument: {unknown}; there is --quick"),
        }
    }
    measure(if quick { &QUICK } else { &extent })
}

fn measure(extent: &Extent) -> anyhow::Result<()> {
    let began = Instant::now();
    // Beside what is built, since the system's folder for such files may lie in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut table = Table::default();
    machine(&mut table, folder.path())?;
    starts(&mut table, folder.path(), extent.starts)?;
    let (storing, forgetting) = intake::compare(folder.path(), extent.runs, extent.hooks_per_run)?;
    tell_intake(&mut table, &storing, &forgetting);
    let worked = intake::work(folder.path(), extent.hooks_at_work, WORK_MOST)?;
    tell_work(&mut table, &worked);
    let world = World::new()?;
    let site = Site::new(folder.path(), "approving", &world)?;
    let approvals = approval::measure(&world, &site, extent.approvals)?;
    tell_approvals(&mut table, &approvals);
    table.row("all of this took", format!("{:.0} s", began.elapsed().as_secs_f64()), "< 180 s");
    table.print()?;
    print_calls("Calls of the first approval after a start", &approvals.cold)?;
    print_calls("Calls of the next one", &approvals.warm)?;
    Ok(())
}

/// What the figures below depend on.
fn machine(table: &mut Table, folder: &Path) -> anyhow::Result<()> {
    let profile = if cfg!(debug_assertions) { "unoptimised" } else { "optimised" };
    table.row("cores, shared by server, client and twin", available_parallelism()?.to_string(), "");
    table.row("build", profile.to_owned(), "");
    let file = File::create(folder.join("flush"))?;
    let mut flushes = Vec::new();
    for _ in 0..100 {
        let began = Instant::now();
        file.write_all_at(&[1; 4096], 0)?;
        file.sync_data()?;
        flushes.push(began.elapsed());
    }
    table.times("4 KiB written and flushed to this disk", &flushes);
    Ok(())
}

/// Starts on a fresh database, then again and again on the same one.
fn starts(table: &mut Table, folder: &Path, count: u32) -> anyhow::Result<()> {
    let world = World::new()?;
    let site = Site::new(folder, "starting", &world)?;
    let first = site.serve()?;
    table.row("start to ready, creating the database", format!("{} ms", ms(first.ready_after)), "< 200 ms");
    drop(first);
    let mut times = Vec::new();
    for _ in 0..count {
        times.push(site.serve()?.ready_after);
    }
    table.row("start to ready, p50", format!("{} ms", ms(quantile(&times, 0.5))), "< 200 ms");
    Ok(())
}

fn tell_intake(table: &mut Table, storing: &Series, forgetting: &Series) {
    table.row("10 KiB hooks verified and stored", format!("{:.0} /s", storing.rate()), "");
    table.row("10 KiB hooks verified alone", format!("{:.0} /s", forgetting.rate()), "");
    let ratio = storing.rate() / forgetting.rate().max(1.0);
    table.row("ratio", format!("{ratio:.2}"), "");
    table.times("hook to 202, 32 connections", &storing.latencies);
    table.times("hook to 200, nothing stored", &forgetting.latencies);
    table.row("server's CPU per hook, stored", format!("{:.0} µs", storing.cpu_per_hook()), "");
    table.row("server's CPU per hook, verified alone", format!("{:.0} µs", forgetting.cpu_per_hook()), "");
}

fn tell_work(table: &mut Table, worked: &Worked) {
    let [idle, after, highest] = worked.memory;
    table.row("10 KiB hooks stored while the worker works", format!("{:.0} /s", worked.series.rate()), "");
    table.times("hook to 202 while the worker works", &worked.series.latencies);
    table.row("memory, idle", format!("{idle:.1} MiB"), "< 40 MB");
    let what = format!("memory after {} hooks", worked.sent);
    table.row(&what, format!("{after:.1} MiB"), "< 40 MB");
    table.row("memory at its highest", format!("{highest:.1} MiB"), "");
}

fn tell_approvals(table: &mut Table, approvals: &Approvals) {
    table.times("comment to vote", &approvals.voted);
    table.times("comment to started job", &approvals.started);
    table.times("comment to answer", &approvals.answered);
    table.calls("calls of an approval, cold caches", &approvals.cold, "<= 6 reads, 5 writes");
    table.calls("calls of an approval, warm caches", &approvals.warm, "<= 4 reads, 5 writes");
}
