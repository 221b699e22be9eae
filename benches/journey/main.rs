//! What the server costs and how fast it is, on this machine: `tests/bench`, or `cargo bench`.
//!
//! Every server is a process of its own on a file database; the client and the twins are this one.
//! Prints one table and asserts nothing about speed. All of it takes some minutes; names pick parts of it.
//!
//! * `baseline`: the same server, storing nothing. `bare`: the least that can be done with a hook.
//! * `site` and `child`: a place for a server, and the server in it. `postgres`: databases other than files.
//! * `world`: the twin of GitLab. `channel`: the twin of Slack beside it.
//! * `load`: many connections, and what they send: `hooks`, `github_hooks`, `commands`.
//! * `books`: a database of any size.
//! * `intake`, `rivals`, `instances`, `approval`, `press`, `growth`: what is measured. `table`: how it is told.

mod approval;
mod bare;
mod baseline;
mod books;
mod channel;
mod child;
mod commands;
mod github_hooks;
mod growth;
mod hooks;
mod instances;
mod intake;
mod load;
mod postgres;
mod press;
mod rivals;
mod site;
mod table;
mod world;

use anyhow::{Context as _, bail};
use approval::Approvals;
use commands::Commands;
use growth::Sizes;
use hooks::Hooks;
use intake::{Compared, Series, Worked};
use postgres::Cluster;
use press::Presses;
use site::Site;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};
use table::{Table, ms, quantile};
use world::World;

/// The argument that makes this program the server to compare with.
pub(crate) const BASELINE: &str = "--baseline";
/// The one that makes it the least of all servers, on the address behind it, with a row for each hook in the file
/// behind that, if there is one.
pub(crate) const BARE: &str = "--bare";

/// How much of everything.
struct Extent {
    starts: u32,
    runs: u32,
    requests_per_run: usize,
    hooks_at_work: usize,
    /// For each number of instances.
    sustained: u32,
    approvals: u32,
    presses: u32,
    sizes: Sizes,
}

const WHOLE: Extent = Extent {
    starts: 7,
    runs: 3,
    requests_per_run: 15_000,
    hooks_at_work: 100_000,
    sustained: 600,
    approvals: 100,
    presses: 120,
    sizes: Sizes { past: &[1000, 10_000, 100_000, 1_000_000], blocked: &[10, 100, 1000, 10_000] },
};
const QUICK: Extent = Extent {
    starts: 2,
    runs: 1,
    requests_per_run: 500,
    hooks_at_work: 1000,
    sustained: 30,
    approvals: 5,
    presses: 3,
    sizes: Sizes { past: &[100, 1000], blocked: &[10, 100] },
};
/// The hooks at work end then, however many are left.
const WORK_MOST: Duration = Duration::from_secs(100);

/// Where it is measured.
pub(crate) struct Ground {
    /// For files.
    pub(crate) folder: PathBuf,
    /// For databases that are no file.
    pub(crate) cluster: Option<Cluster>,
}

/// Measures something, and tells it.
type Part = fn(&mut Table, &Ground, &Extent) -> anyhow::Result<()>;

/// What there is to measure, by the names that pick it.
const PARTS: [(&str, Part); 9] = [
    ("starts", starts),
    ("hooks", hooks),
    ("github", github),
    ("commands", commands),
    ("work", work),
    ("instances", instances),
    ("approvals", approvals),
    ("presses", presses),
    ("growth", growth),
];
/// What isn't measured unless it is asked for by name.
const ONLY_BY_NAME: &str = "growth";

fn main() -> anyhow::Result<()> {
    // `cargo test --all-targets` runs this, too, and doesn't say `--bench`: a glance shows that it works.
    let mut extent = QUICK;
    let mut quick = false;
    let mut picked = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => extent = WHOLE,
            "--quick" => quick = true,
            BASELINE => return baseline::serve(Path::new(&arguments.next().unwrap_or_default())),
            BARE => {
                let address = arguments.next().unwrap_or_default();
                return bare::serve(&address, arguments.next().as_deref());
            }
            name => match PARTS.iter().find(|(part, _)| *part == name) {
                Some((_, part)) => picked.push(*part),
                None => {
                    bail!("there is no {name}, but --quick and {}", PARTS.map(|(part, _)| part).join(", "))
                }
            },
        }
    }
    if picked.is_empty() {
        picked.extend(PARTS.into_iter().filter(|(name, _)| *name != ONLY_BY_NAME).map(|(_, part)| part));
    }
    measure(&picked, if quick { &QUICK } else { &extent })
}

fn measure(parts: &[Part], extent: &Extent) -> anyhow::Result<()> {
    let began = Instant::now();
    // Beside what is built, since the system's folder for such files may lie in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut table = Table::default();
    machine(&mut table, folder.path())?;
    let ground = Ground { folder: folder.path().to_owned(), cluster: Cluster::find()? };
    let flushes = ground.cluster.as_ref().map(Cluster::flushes).transpose()?;
    let has = flushes
        .map_or("NOT MEASURED", |on| if on { "fsync = on" } else { "fsync = off: nothing is on disk" });
    table.row("PostgreSQL", has.to_owned(), "");
    for part in parts {
        part(&mut table, &ground, extent)?;
    }
    table.row("all of this took", format!("{:.0} s", began.elapsed().as_secs_f64()), "");
    Ok(table.print()?)
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
fn starts(table: &mut Table, ground: &Ground, extent: &Extent) -> anyhow::Result<()> {
    let world = World::new()?;
    let site = Site::new(&ground.folder, "starting", &world)?;
    let first = site.serve()?;
    table.row("start to ready, creating the database", format!("{} ms", ms(first.ready_after)), "< 200 ms");
    drop(first);
    let mut times = Vec::new();
    for _ in 0..extent.starts {
        times.push(site.serve()?.ready_after);
    }
    table.row("start to ready, p50", format!("{} ms", ms(quantile(&times, 0.5))), "< 50 ms");
    Ok(())
}

fn hooks(table: &mut Table, ground: &Ground, extent: &Extent) -> anyhow::Result<()> {
    let world = World::new()?;
    let kind = Hooks::new(world.project)?;
    let what = Compared { name: "hooks", world, kind, statuses: (202, 200) };
    let (storing, forgetting) = intake::compare(&ground.folder, what, extent.runs, extent.requests_per_run)?;
    tell_intake(table, "10 KiB hooks", (&storing, &forgetting));
    Ok(())
}

fn github(table: &mut Table, ground: &Ground, extent: &Extent) -> anyhow::Result<()> {
    rivals::measure(table, ground, (extent.runs, extent.requests_per_run))
}

fn instances(table: &mut Table, ground: &Ground, extent: &Extent) -> anyhow::Result<()> {
    instances::measure(table, ground, extent.sustained)
}

fn growth(table: &mut Table, ground: &Ground, extent: &Extent) -> anyhow::Result<()> {
    growth::measure(table, ground, &extent.sizes)
}

fn commands(table: &mut Table, ground: &Ground, extent: &Extent) -> anyhow::Result<()> {
    let world = World::with_channel()?;
    let kind = Commands::new(world.channel.as_ref().context("no channel")?);
    let what = Compared { name: "commands", world, kind, statuses: (200, 200) };
    let (storing, forgetting) = intake::compare(&ground.folder, what, extent.runs, extent.requests_per_run)?;
    tell_intake(table, "Slack commands", (&storing, &forgetting));
    Ok(())
}

fn tell_intake(table: &mut Table, what: &str, (storing, forgetting): (&Series, &Series)) {
    table.row(&format!("{what} verified and stored"), format!("{:.0} /s", storing.rate()), "");
    table.row(&format!("{what} verified alone"), format!("{:.0} /s", forgetting.rate()), "");
    table.ratio("ratio", storing.rate(), forgetting.rate());
    table.times(&format!("{what} to answer, stored, {} connections", load::CONNECTIONS), &storing.latencies);
    table.times(&format!("{what} to answer, nothing stored"), &forgetting.latencies);
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let time = |series: &Series| quantile(&series.latencies, part).as_secs_f64();
        table.ratio(&format!("ratio of {name}"), time(storing), time(forgetting));
    }
    for (how, series) in [("stored", storing), ("verified alone", forgetting)] {
        table.row(
            &format!("server's CPU for each, {how}"),
            format!("{:.0} µs", series.cpu_per_request()),
            "",
        );
    }
}

fn work(table: &mut Table, ground: &Ground, extent: &Extent) -> anyhow::Result<()> {
    let Worked { series, memory: [idle, after, highest], sent } =
        intake::work(&ground.folder, extent.hooks_at_work, WORK_MOST)?;
    table.row("10 KiB hooks stored while the worker works", format!("{:.0} /s", series.rate()), "");
    table.times("hook to 202 while the worker works", &series.latencies);
    table.row("memory, idle", format!("{idle:.1} MiB"), "");
    table.row(&format!("memory after {sent} hooks"), format!("{after:.1} MiB"), "");
    table.row("memory at its highest", format!("{highest:.1} MiB"), "");
    Ok(())
}

fn approvals(table: &mut Table, ground: &Ground, extent: &Extent) -> anyhow::Result<()> {
    let world = World::new()?;
    let site = Site::new(&ground.folder, "approving", &world)?;
    let Approvals { cold, warm, voted, started, answered } =
        approval::measure(&world, &site, extent.approvals)?;
    table.times("comment to vote", &voted);
    table.times("comment to started job", &started);
    table.times("comment to answer", &answered);
    table.calls("calls of an approval, cold caches", cold, "<= 6 reads, 5 writes");
    table.calls("calls of an approval, warm caches", warm, "<= 4 reads, 5 writes");
    Ok(())
}

fn presses(table: &mut Table, ground: &Ground, extent: &Extent) -> anyhow::Result<()> {
    let world = World::with_channel()?;
    let site = Site::new(&ground.folder, "pressing", &world)?;
    let Presses { acknowledged, started, shown } = press::measure(&world, &site, extent.presses)?;
    table.row("presses of Approve in Slack", extent.presses.to_string(), "");
    table.times("press to acknowledgement", &acknowledged);
    table.times("press to started job", &started);
    table.times("press to the final card", &shown);
    Ok(())
}
