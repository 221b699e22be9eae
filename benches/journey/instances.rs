//! Commands per second, from the comment's hook to the vote, with one server and with several on one database.

use crate::Ground;
use crate::child::Child;
use crate::hooks::{Comment, Hooks, Written};
use crate::intake::freely;
use crate::load::{Load, Signed};
use crate::site::Site;
use crate::table::Table;
use crate::world::{LONG, Waiting, World, until_within};
use anyhow::{Context as _, bail};
use countersign::cli::wiring::SystemClock;
use countersign::ports::clock::Clock as _;
use std::thread;
use std::time::{Duration, Instant};

/// Connections at once to each server.
const CONNECTIONS: usize = 4;
/// Every name is guarded that begins like this.
const GUARDED: &str = "production*";

/// Approves so many deployments at once, with each number of servers.
pub(crate) fn measure(table: &mut Table, ground: &Ground, commands: u32) -> anyhow::Result<()> {
    let mut alone = tell(table, ground, ("SQLite", 1), commands)?;
    if ground.cluster.is_some() {
        for servers in 1..=3 {
            let rate = tell(table, ground, ("PostgreSQL", servers), commands)?;
            if servers == 1 {
                alone = rate;
            } else {
                table.ratio(&format!("commands, {servers} instances to one"), rate, alone);
            }
        }
    }
    Ok(())
}

/// Returns the votes per second.
fn tell(
    table: &mut Table,
    ground: &Ground,
    (database, servers): (&str, usize),
    commands: u32,
) -> anyhow::Result<f64> {
    let mut world = World::new()?;
    world.guarded = GUARDED;
    let children = serve(ground, &world, (database, servers))?;
    let Sustained { votes, told, cpu } = sustain(&world, &children, commands)?;
    let rate = |took: Duration| f64::from(commands) / took.as_secs_f64();
    let cpu = cpu.as_secs_f64() * 1e3 / f64::from(commands);
    let what = format!("commands, {servers} on {database}: votes; all told; CPU for each");
    table.row(&what, format!("{:.0} /s; {:.0} /s; {cpu:.1} ms", rate(votes), rate(told)), "");
    Ok(rate(votes))
}

/// Servers on one database.
fn serve(ground: &Ground, world: &World, (database, servers): (&str, usize)) -> anyhow::Result<Vec<Child>> {
    if database == "SQLite" {
        return Ok(vec![Site::new(&ground.folder, "commanded", world)?.serve()?]);
    }
    let cluster = ground.cluster.as_ref().context("no cluster")?;
    let address = cluster.database(&format!("commanded_by_{servers}"))?;
    let site = |server| {
        Site::on(&ground.folder, &format!("commanded-{server}-of-{servers}"), world, address.clone())?.serve()
    };
    (1..=servers).map(site).collect()
}

/// How long it took.
struct Sustained {
    /// Until every vote stood.
    votes: Duration,
    /// Until every comment was answered and every card told of the end, too.
    told: Duration,
    /// Of all servers.
    cpu: Duration,
}

/// Each deployment waits for bob's comment alone. The hooks come to all servers in equal parts.
fn sustain(world: &World, children: &[Child], commands: u32) -> anyhow::Result<Sustained> {
    let first = children.first().context("no server")?;
    world.hook(first.address);
    world.until_quiet()?;
    let waiting = world.deploy_each(commands)?;
    let said = |waiting: &Waiting| {
        let id = world.say(waiting, "@countersign approve")?;
        Ok(Comment { discussion: world.discussion_of(waiting, id)?, id, request: waiting.request })
    };
    let comments: anyhow::Result<Vec<_>> = waiting.iter().map(said).collect();
    let hooks = Hooks::of(world.project, world.bob, "@countersign approve")?;
    let mut load = Load::new(Written { hooks, comments: comments? });
    let signed = load.sign(usize::try_from(commands)?, SystemClock.now())?;
    let cpu = || children.iter().map(Child::cpu).sum::<anyhow::Result<Duration>>();
    let (before, began) = (cpu()?, Instant::now());
    send(&load, &signed, children)?;
    let mut left: Vec<&Waiting> = waiting.iter().collect();
    until_within(LONG, "every vote stands", || {
        left.retain(|waiting| !world.is_voted(waiting));
        left.is_empty()
    })?;
    let votes = began.elapsed();
    let mut left: Vec<&Waiting> = waiting.iter().collect();
    until_within(LONG, "everything is told", || {
        left.retain(|waiting| !(world.is_answered(waiting) && world.is_started(waiting)));
        left.is_empty()
    })?;
    Ok(Sustained { votes, told: began.elapsed(), cpu: cpu()?.saturating_sub(before) })
}

fn send(load: &Load, signed: &[Signed], children: &[Child]) -> anyhow::Result<()> {
    let each = signed.len().div_ceil(children.len());
    thread::scope(|scope| {
        let part = |(child, part): (&Child, _)| {
            let address = child.address;
            scope.spawn(move || load.send(part, address, freely(202, CONNECTIONS)))
        };
        let parts: Vec<_> = children.iter().zip(signed.chunks(each)).map(part).collect();
        for part in parts {
            match part.join() {
                Ok(sent) => sent?,
                Err(_) => bail!("a sender panicked"),
            };
        }
        Ok(())
    })
}
