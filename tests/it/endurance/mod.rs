//! Endurance: people go through their deployments while everything around Countersign breaks, and in the end every
//! deployment, every answer, every card and the ledger are what they are when nothing breaks.
//!
//! * `journey`: what people do. `picture`: what is to be seen at the end.
//! * `fleet`, `instance` and `balancer`: one or three instances before one address.
//! * `board`: kills, and a forge and a chat that are unwell. `database`: one that is full, locked, read-only or away;
//!   `cluster`: one that is stopped.
//! * `chat`: what people do in a channel, and what is to be seen there.
//! * `plan`: what a run is made from. `run`: all of it together, from a seed.
//!
//! Most runs have their servers inside this process and a clock that is moved by hand: a kill drops every task of an
//! instance where it waits, and its connections with it. Some run the real program against real time, and kill it with
//! SIGKILL. The same code plays both.

mod balancer;
mod board;
mod chance;
mod chat;
mod cluster;
mod database;
mod fleet;
mod instance;
mod journey;
mod picture;
mod plan;
mod run;

use crate::instances::cluster;
use crate::story::{github, gitlab};
use board::Counts;
use plan::{Kind, Plan};
use run::play;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Plays one run on a thread and a runtime of its own.
fn play_alone(plan: &Plan, on_github: bool) -> Result<Counts, String> {
    let plan = plan.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            if on_github { play::<github::Stage>(&plan).await } else { play::<gitlab::Stage>(&plan).await }
        })
    });
    thread.join().unwrap_or_else(|_| Err("it panicked".to_owned()))
}

/// A set of runs with seeds that follow each other.
struct Set {
    plan: Plan,
    runs: u64,
    at_once: usize,
}

impl Set {
    fn new(kind: Kind, seed: u64, runs: u64) -> Self {
        let plan = Plan { seed, kind, cluster: None, own_cluster: false, instances: 1, real: false };
        Self { plan, runs, at_once: 2 }
    }

    fn on(mut self, cluster: &str, instances: usize) -> Self {
        (self.plan.cluster, self.plan.instances) = (Some(cluster.to_owned()), instances);
        self
    }

    /// Each run on a cluster of its own, which is stopped.
    fn stopped(mut self) -> Self {
        self.plan.own_cluster = true;
        self
    }

    fn real(mut self) -> Self {
        self.plan.real = true;
        self
    }

    /// Every run of it; returns the counts and what went wrong.
    fn play(&self) -> (Counts, Vec<String>) {
        let next = AtomicU64::new(0);
        let found = Mutex::new((Counts::new(), Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..self.at_once {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= self.runs {
                            return;
                        }
                        let seed = self.plan.seed + number;
                        let on_github = seed.is_multiple_of(3);
                        let begun = Instant::now();
                        let ended = play_alone(&Plan { seed, ..self.plan.clone() }, on_github);
                        let mut found = found.lock().unwrap();
                        match ended {
                            Ok(counts) => {
                                say(&format!("seed {seed} ended well after {:?}", begun.elapsed()));
                                for (what, count) in counts {
                                    *found.0.entry(what).or_default() += count;
                                }
                            }
                            Err(why) => {
                                say(&format!("seed {seed} failed after {:?}: {why}", begun.elapsed()));
                                found.1.push(format!("seed {seed}: {why}"));
                            }
                        }
                    }
                });
            }
        });
        found.into_inner().unwrap()
    }

    fn must_end_well(&self) {
        say(&format!("{} runs from seed {}: {:?}", self.runs, self.plan.seed, self.plan));
        let (counts, wrong) = self.play();
        say(&format!("{counts:#?}"));
        assert!(wrong.is_empty(), "{} of {} runs:\n{}", wrong.len(), self.runs, wrong.join("\n\n"));
        let hazard = match self.plan.kind {
            Kind::Crash => "kill ",
            Kind::Fault => "fault ",
            Kind::Quiet => "call ",
        };
        assert!(counts.keys().any(|what| what.starts_with(hazard)), "nothing befell anybody: {counts:#?}");
    }
}

#[expect(clippy::print_stderr, reason = "a run is repeated from its seed")]
fn say(what: &str) {
    eprintln!("{what}");
}

#[test]
fn killed_on_a_file_everything_ends_as_if_nobody_had_died() {
    Set::new(Kind::Crash, 1, 4).must_end_well();
}

#[test]
fn killed_on_a_cluster_everything_ends_as_if_nobody_had_died() {
    let Some(cluster) = cluster() else { return };
    Set::new(Kind::Crash, 5, 2).on(&cluster, 1).must_end_well();
}

#[test]
fn three_of_which_some_are_killed_end_as_if_nobody_had_died() {
    let Some(cluster) = cluster() else { return };
    Set::new(Kind::Crash, 7, 2).on(&cluster, 3).must_end_well();
}

#[test]
fn the_real_program_is_killed_and_everything_ends_as_if_it_had_not_died() {
    Set::new(Kind::Crash, 9, 2).real().must_end_well();
}

#[test]
fn three_of_the_real_program_on_a_cluster_of_which_some_are_killed_end_as_if_none_had_died() {
    let Some(cluster) = cluster() else { return };
    Set::new(Kind::Crash, 18, 1).on(&cluster, 3).real().must_end_well();
}

#[test]
fn while_everything_fails_on_a_file_the_end_is_the_same() {
    Set::new(Kind::Fault, 11, 3).must_end_well();
}

#[test]
fn while_everything_fails_on_a_cluster_the_end_is_the_same() {
    let Some(cluster) = cluster() else { return };
    Set::new(Kind::Fault, 14, 1).on(&cluster, 1).must_end_well();
    Set::new(Kind::Fault, 16, 1).on(&cluster, 3).must_end_well();
}

#[test]
fn while_the_cluster_is_stopped_and_killed_the_end_is_the_same() {
    let (Some(cluster), Some(_)) = (cluster(), cluster::programs()) else { return };
    Set::new(Kind::Fault, 17, 1).on(&cluster, 1).stopped().must_end_well();
}

/// What `tests/crash` asks for.
#[test]
#[ignore = "it takes as long as it is told to: tests/crash"]
fn as_long_as_it_is_told_to() {
    let number = |name: &str, otherwise: u64| told(name).map_or(otherwise, |text| text.parse().unwrap());
    let kind = match told("KIND").as_deref() {
        None | Some("crash") => Kind::Crash,
        Some("fault") => Kind::Fault,
        Some(other) => panic!("there is no kind {other}"),
    };
    let mut set = Set::new(kind, number("SEED", 1), number("RUNS", 20));
    if told("DATABASE").as_deref() == Some("postgres") {
        let instances = usize::try_from(number("INSTANCES", 1)).unwrap();
        set = set.on(&cluster().expect("a cluster, as tests/postgres starts it"), instances);
    }
    if told("OWN_CLUSTER").is_some() {
        set = set.stopped();
    }
    if told("REAL").is_some() {
        set = set.real();
    }
    set.at_once = usize::try_from(number("AT_ONCE", 2)).unwrap();
    set.must_end_well();
}

#[expect(clippy::disallowed_methods, reason = "how tests/crash tells it")]
fn told(name: &str) -> Option<String> {
    std::env::var(format!("COUNTERSIGN_ENDURANCE_{name}")).ok()
}
