//! Deeds at the gate: they are right in that very moment, and rest on facts that were just read.

use super::chain::Chain;
use super::{Book, Fact};
use crate::model::world::{Deployed, Job, World};
use countersign::domain::deployment::Status;
use countersign::domain::ledger::Word;
use countersign::ports::store::Lane;
use jiff::Timestamp;

impl Book {
    pub(crate) fn is_unknown(&mut self, key: &str, now: Timestamp) {
        self.unknown.insert(key.to_owned(), now);
    }

    pub(crate) fn votes(&mut self, world: &World, one: &Deployed, (cast, before): (Word, Option<Word>)) {
        self.note(&format!("  the bot votes {cast:?} on {}", one.number));
        let expected = if cast == Word::Approved { Status::Releasing } else { Status::Rejecting };
        self.at_the_gate(one, expected, "voted on");
        // A rejection may follow our own approval while something else still holds it; nothing follows a rejection.
        let changed = before == Some(Word::Rejected) && cast == Word::Approved;
        self.expect(!changed, "§7.4", || format!("{} is voted on twice: {before:?}, {cast:?}", one.number));
        if cast == Word::Approved {
            self.is_right(world, one, "voted for");
        }
    }

    pub(crate) fn plays(&mut self, world: &World, one: &Deployed) {
        self.note(&format!("  the bot plays {}", one.number));
        self.at_the_gate(one, Status::Releasing, "started");
        self.expect(one.job == Job::Manual, "§7.4", || {
            format!("{} is started, but is {:?}", one.number, one.job)
        });
        self.is_right(world, one, "started");
    }

    pub(crate) fn cancels(&mut self, one: &Deployed) {
        self.note(&format!("  the bot cancels {}", one.number));
        self.at_the_gate(one, Status::Rejecting, "cancelled");
    }

    fn at_the_gate(&mut self, one: &Deployed, expected: Status, what: &str) {
        let status = self.chains.get(&one.id()).map(|chain| chain.status);
        let so = status == Some(expected);
        self.expect(so, "§7.5", || format!("{} is {what} while it is {status:?}", one.number));
    }

    fn is_right(&mut self, world: &World, one: &Deployed, what: &str) {
        let Some(chain) = self.chains.get(&one.id()).cloned() else { return };
        let right = world.law.approves(world, one, &chain.words());
        self.expect(right, "§2.4", || format!("{} is {what} by {:?}", one.number, chain.words()));
        self.facts_are_fresh(one, &chain, what);
    }

    /// §7.4, §7.8: what a release rests on was read since its job was taken up.
    pub(super) fn facts_are_fresh(&mut self, one: &Deployed, chain: &Chain, what: &str) {
        let key = one.id().to_string();
        let gate = self.live.iter().find(|live| live.lane == Lane::Gate && live.key == key);
        let since = gate.map(|live| live.since);
        self.expect(since.is_some(), "§7.6", || format!("{key} is {what} without a lease"));
        let standing = chain.words().into_iter().filter(|(_, word)| *word != Word::Revoked);
        let people = standing.map(|(who, _)| Fact::Person(who));
        for fact in people.chain([Fact::Deployment(one.native())]) {
            let fresh = self.read.get(&fact).copied() > since;
            self.expect(fresh, "§7.4", || format!("{key} is {what}, but {fact:?} was read before"));
        }
    }
}
