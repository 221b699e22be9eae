//! The book: what must hold, checked at each write, each lease and each deed at the gate. Whatever doesn't is noted with
//! the number of its rule: `§2.n` are the rules, `§7.n` the points of the protocol.
//!
//! * `queue`: deliveries, jobs and leases. `words`: what must enter a ledger. `entries`: what does. `gate`: deeds there.
//! * `chain`: a deployment, as its entries tell.

mod chain;
mod entries;
mod gate;
mod queue;
mod words;

use super::plan::Call;
use super::world::World;
use chain::Chain;
use countersign::domain::id::{DeploymentId, Native};
use countersign::domain::ledger::Word;
use countersign::ports::store::{Commit, NewDelivery, Work};
use jiff::{SignedDuration, Timestamp};
use queue::{Live, Pending};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What was read of the forge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    Person(i64),
    Deployment(Native),
}

#[derive(Default)]
pub(super) struct Book {
    /// What doesn't hold.
    pub(super) wrong: Vec<String>,
    /// What happened, for a history that fails.
    pub(super) notes: Vec<String>,
    pub(super) chains: BTreeMap<DeploymentId, Chain>,
    /// Deliveries that are on disk.
    pub(super) stored: BTreeMap<String, NewDelivery>,
    /// Comments of which some hook lied.
    pub(super) lied: BTreeSet<i64>,
    /// The forge refused to say who somebody is, since workers last began.
    pub(super) troubled: bool,
    /// How often the forge refused what.
    pub(super) refused: BTreeMap<&'static str, usize>,
    taken: BTreeSet<(String, i64)>,
    /// The newest word of each person on a deployment that had to be kept.
    owed: BTreeMap<(DeploymentId, i64), (Timestamp, Word)>,
    pending: Vec<Pending>,
    live: Vec<Live>,
    count: u64,
    read: BTreeMap<Fact, u64>,
    /// When it was lost how a deed at the gate of a deployment ended.
    unknown: BTreeMap<String, Timestamp>,
    /// Until when a forge that limits us is to be left alone: as it said, and as the store was told.
    limited: (Option<Timestamp>, Option<Timestamp>),
}

impl Book {
    pub(super) fn note(&mut self, what: &str) {
        self.notes.push(what.to_owned());
    }

    fn expect(&mut self, so: bool, rule: &str, what: impl FnOnce() -> String) {
        if !so {
            let found = format!("{rule}: {}", what());
            self.note(&format!("  !! {found}"));
            self.wrong.push(found);
        }
    }

    pub(super) fn was_read(&mut self, fact: Fact) {
        self.count += 1;
        self.read.insert(fact, self.count);
    }

    pub(super) fn refused(&mut self, call: Call) {
        self.troubled |= call == Call::Person;
        let what = match call {
            Call::Read | Call::Person => "read",
            Call::Vote | Call::Play | Call::Cancel => "gate",
            Call::Talk | Call::React => "talk",
        };
        *self.refused.entry(what).or_default() += 1;
    }

    pub(super) fn limited(&mut self, now: Timestamp, wait: Duration) {
        let until = now + SignedDuration::try_from(wait).unwrap();
        self.limited.0 = self.limited.0.max(Some(until));
    }

    /// §7.9: whoever was told to wait tells all, through the store.
    pub(super) fn paused(&mut self, until: Timestamp) {
        self.limited.1 = self.limited.1.max(Some(until));
    }

    /// Workers have run until nothing was due.
    pub(super) fn settled(&mut self) {
        let (said, kept) = self.limited;
        self.expect(said <= kept, "§7.9", || {
            format!("the forge said to wait until {said:?}, kept is {kept:?}")
        });
        self.troubled = false;
    }

    /// The process is gone, and with it what it held.
    pub(super) fn restarted(&mut self) {
        self.live.clear();
        for pending in &mut self.pending {
            pending.leased = false;
        }
        // What it knew and had not yet written is lost with it.
        self.limited = (None, None);
        self.troubled = false;
    }

    pub(super) fn committed(&mut self, world: &World, commit: &Commit) {
        for command in &commit.commands {
            let known = !self.taken.insert((command.source.clone(), command.line));
            self.expect(!known, "§7.2", || format!("{} is carried out twice", command.source));
            self.carries_out(world, command, commit);
        }
        for change in &commit.changes {
            self.changed(world, change);
        }
        for job in &commit.jobs {
            if let Work::Event(event) = &job.work {
                self.waits(event);
            }
        }
        if let Some(finish) = &commit.finish {
            self.finished(finish, commit);
        }
    }
}
