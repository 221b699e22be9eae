//! Requests that prove nothing, limited by where they come from.
//!
//! What a request proves is known only once it was read and verified, so each is charged when it comes, and what it was
//! charged is given back if it was verified. Above the limit most are turned away before their body is read. Whoever
//! can prove who they are, from the same address, has three ways through:
//! * Whoever has sent one verified delivery isn't limited for a day.
//! * Above the limit, what announces a small body may wait for a turn. Turns come one after the other and are over before
//!   the body is read: some hundred requests a second all get one, and whoever stalls takes none from others. Of more
//!   requests each gets one by luck; who sends again gets it soon.
//! * Addresses that aren't of the public internet aren't limited: everybody who comes through a proxy of ours has its
//!   address. There the proxy must limit, or say whose request it is (`client_address_header`).
//!
//! What was refused nevertheless is lost if its sender doesn't repeat it. Forges are polled, chats are not.

use super::error::Refused;
use super::source::Source;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A larger body gets no turn above the limit, in bytes.
const SMALL: usize = 64 * 1024;

/// What those may do who prove nothing.
#[derive(Clone, Copy, Debug)]
pub struct StrangerLimits {
    /// Requests at once from one source.
    pub burst: u16,
    /// After that, one in this time.
    pub every: SignedDuration,
    /// How long a source that has proved itself isn't limited, counted from its last proof.
    pub trust: SignedDuration,
    /// How many sources are remembered at least; twice as many at most.
    pub sources: usize,
    /// Whether addresses that aren't of the public internet are limited, too.
    pub inside: bool,
    /// Above the limit one request in this time gets a turn to prove itself, of all sources together.
    pub turn: Duration,
    /// How long a request waits for its turn and has it. A chat waits three seconds for its answer.
    pub patience: Duration,
}

impl Default for StrangerLimits {
    fn default() -> Self {
        Self {
            burst: 120,
            every: SignedDuration::from_secs(1),
            trust: SignedDuration::from_hours(24),
            sources: 4096,
            inside: false,
            turn: Duration::from_millis(10),
            patience: Duration::from_millis(250),
        }
    }
}

/// Who proved what.
pub(super) struct Strangers {
    limits: StrangerLimits,
    known: Mutex<Known>,
    /// Held by whoever has the turn; the others wait in line.
    turn: tokio::sync::Mutex<()>,
}

struct Known {
    /// When each source has proved itself last.
    proofs: Recent<Timestamp>,
    /// When all that a source did without proof is forgiven. Every request moves it by `every`, and back if it is
    /// verified.
    debts: Recent<Timestamp>,
}

impl Strangers {
    pub(super) fn new(limits: StrangerLimits) -> Self {
        let known = Known { proofs: Recent::new(limits.sources), debts: Recent::new(limits.sources) };
        Self { limits, known: Mutex::new(known), turn: tokio::sync::Mutex::default() }
    }

    /// A request has come. Without a source there is nothing to limit by.
    pub(super) fn enter(&self, source: Option<Source>, now: Timestamp) -> Visit<'_> {
        let source = source.filter(|source| self.limits.inside || !source.is_inside());
        let charge = source.map_or(Charge::Nothing, |source| self.charge(source, now));
        Visit { strangers: self, source, now, charge }
    }

    fn charge(&self, source: Source, now: Timestamp) -> Charge {
        self.with(|known| {
            let proved = known.proofs.get(source);
            if proved.is_some_and(|at| now.duration_since(at) < self.limits.trust) {
                return Charge::Nothing;
            }
            let debt = self.debt(known, source, now) + self.limits.every;
            if debt > self.most() {
                return Charge::TooMuch(debt - self.most());
            }
            known.debts.put(source, now + debt);
            Charge::Paid
        })
    }

    fn proved(&self, source: Source, now: Timestamp, charge: Charge) {
        self.with(|known| {
            known.proofs.put(source, now);
            if charge == Charge::Paid
                && let Some(until) = known.debts.get(source)
            {
                known.debts.put(source, until - self.limits.every);
            }
        });
    }

    /// How far a source is from being forgiven. More than the most is owed only where the clock was set back: then it
    /// is forgiven.
    fn debt(&self, known: &Known, source: Source, now: Timestamp) -> SignedDuration {
        let debt = known.debts.get(source).map(|until| until.duration_since(now));
        debt.filter(|debt| debt.is_positive() && *debt <= self.most()).unwrap_or_default()
    }

    fn most(&self) -> SignedDuration {
        self.limits.every * i32::from(self.limits.burst)
    }

    /// Whether a turn came in time. It is over when this returns: what is done with it keeps nobody else waiting.
    async fn has_turn(&self) -> bool {
        let turn = async {
            let _turn = self.turn.lock().await;
            tokio::time::sleep(self.limits.turn).await;
        };
        tokio::time::timeout(self.limits.patience, turn).await.is_ok()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a request was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charge {
    /// Its source isn't limited.
    Nothing,
    Paid,
    /// Its source has to wait so long before it can be charged again.
    TooMuch(SignedDuration),
}

/// A request. Unless it is proved it counts against its source: also if it stalls, breaks off or panics.
pub(super) struct Visit<'a> {
    strangers: &'a Strangers,
    source: Option<Source>,
    now: Timestamp,
    charge: Charge,
}

impl Visit<'_> {
    /// Whether its body, announced with so many bytes, may be read; else when to come back.
    pub(super) async fn may_send(&self, announced: Option<usize>) -> Result<(), Refused> {
        let Charge::TooMuch(wait) = self.charge else { return Ok(()) };
        if announced.is_some_and(|bytes| bytes <= SMALL) && self.strangers.has_turn().await {
            return Ok(());
        }
        let begun = u64::from(wait.subsec_nanos() > 0);
        Err(Refused::TooMany(wait.as_secs().unsigned_abs() + begun))
    }

    /// It was verified.
    pub(super) fn proved(self) {
        if let Some(source) = self.source {
            self.strangers.proved(source, self.now, self.charge);
        }
    }
}

/// What was put in last, by source: at least `most` of them, at most twice as many. The rest is forgotten.
struct Recent<V> {
    most: usize,
    young: HashMap<Source, V>,
    old: HashMap<Source, V>,
}

impl<V: Copy> Recent<V> {
    fn new(most: usize) -> Self {
        Self { most, young: HashMap::new(), old: HashMap::new() }
    }

    fn get(&self, source: Source) -> Option<V> {
        self.young.get(&source).or_else(|| self.old.get(&source)).copied()
    }

    fn put(&mut self, source: Source, value: V) {
        if self.young.len() >= self.most && !self.young.contains_key(&source) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(source, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio_util::task::TaskTracker;

    /// Nobody gets a turn.
    const LIMITS: StrangerLimits = StrangerLimits {
        burst: 3,
        every: SECOND,
        trust: SignedDuration::from_secs(600),
        sources: 4,
        inside: false,
        turn: Duration::from_hours(1),
        patience: Duration::ZERO,
    };

    const SECOND: SignedDuration = SignedDuration::from_secs(1);

    fn source(last: u8) -> Source {
        Source::of([203, 0, 113, last].into())
    }

    fn enter(strangers: &Strangers, last: u8, now: Timestamp) -> Visit<'_> {
        strangers.enter(Some(source(last)), now)
    }

    /// What the last of this many requests is charged, all now.
    fn charge(strangers: &Strangers, requests: u32, now: Timestamp) -> Charge {
        (0..requests).map(|_| enter(strangers, 1, now).charge).last().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_248_000 + second).unwrap()
    }

    #[test]
    fn a_burst_is_let_in_and_then_one_each_second() {
        let strangers = Strangers::new(LIMITS);
        assert_eq!(charge(&strangers, 3, at(0)), Charge::Paid);
        assert_eq!(charge(&strangers, 1, at(0)), Charge::TooMuch(SECOND));
        assert_eq!(charge(&strangers, 1, at(1)), Charge::Paid);
        assert_eq!(charge(&strangers, 1, at(1)), Charge::TooMuch(SECOND));
        assert_eq!(charge(&strangers, 3, at(60)), Charge::Paid, "a minute brings the whole burst back");
    }

    #[test]
    fn a_flood_doesnt_add_to_the_wait() {
        let strangers = Strangers::new(LIMITS);
        assert_eq!(charge(&strangers, 5000, at(0)), Charge::TooMuch(SECOND));
    }

    #[test]
    fn what_has_not_ended_counts() {
        let strangers = Strangers::new(LIMITS);
        let visits: Vec<_> = (0..5).map(|_| enter(&strangers, 1, at(0))).collect();
        let paid = visits.iter().filter(|visit| visit.charge == Charge::Paid).count();
        assert_eq!(paid, 3);
    }

    #[test]
    fn what_a_verified_request_was_charged_is_given_back() {
        let strangers = Strangers::new(StrangerLimits { trust: SignedDuration::ZERO, ..LIMITS });
        for _ in 0..100 {
            let visit = enter(&strangers, 1, at(0));
            assert_eq!(visit.charge, Charge::Paid);
            visit.proved();
        }
        assert_eq!(charge(&strangers, 4, at(0)), Charge::TooMuch(SECOND));
        enter(&strangers, 1, at(0)).proved();
        let none_paid = "it wasn't charged, so nothing is given back";
        assert_eq!(charge(&strangers, 1, at(0)), Charge::TooMuch(SECOND), "{none_paid}");
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_out() {
        let strangers = Strangers::new(LIMITS);
        assert_eq!(charge(&strangers, 4, at(3600)), Charge::TooMuch(SECOND));
        assert_eq!(charge(&strangers, 1, at(0)), Charge::Paid);
    }

    #[test]
    fn sources_are_limited_each_by_itself() {
        let strangers = Strangers::new(LIMITS);
        assert_eq!(charge(&strangers, 4, at(0)), Charge::TooMuch(SECOND));
        assert_eq!(enter(&strangers, 2, at(0)).charge, Charge::Paid);
    }

    #[test]
    fn who_has_proved_itself_isnt_limited_until_that_is_long_ago() {
        let strangers = Strangers::new(LIMITS);
        enter(&strangers, 1, at(0)).proved();
        assert_eq!(charge(&strangers, 5000, at(0)), Charge::Nothing);
        assert_eq!(charge(&strangers, 5000, at(599)), Charge::Nothing);
        assert_eq!(charge(&strangers, 4, at(600)), Charge::TooMuch(SECOND));
        enter(&strangers, 1, at(600)).proved();
        assert_eq!(charge(&strangers, 5000, at(600 + 599)), Charge::Nothing);
    }

    #[test]
    fn a_crowd_of_strangers_takes_no_more_memory_and_no_proof_away() {
        let strangers = Strangers::new(LIMITS);
        enter(&strangers, 1, at(0)).proved();
        for last in 0..=255 {
            enter(&strangers, last, at(0));
        }
        strangers.with(|known| {
            assert!(known.debts.young.len() + known.debts.old.len() <= 2 * LIMITS.sources);
        });
        assert_eq!(charge(&strangers, 5000, at(0)), Charge::Nothing);
    }

    #[test]
    fn what_was_put_in_lately_is_remembered() {
        let mut recent = Recent::new(4);
        for last in 0..=255 {
            recent.put(source(last), last);
            recent.put(source(7), 7);
            assert_eq!(recent.get(source(last.saturating_sub(1))), Some(last.saturating_sub(1)));
            assert_eq!(recent.get(source(7)), Some(7));
        }
        assert_eq!(recent.get(source(200)), None);
    }

    #[test]
    fn private_addresses_and_those_without_one_are_charged_nothing() {
        let strangers = Strangers::new(LIMITS);
        let inside = Source::of([10, 0, 0, 1].into());
        for source in [Some(inside), None] {
            let charges = (0..100).map(|_| strangers.enter(source, at(0)).charge);
            assert!(charges.eq([Charge::Nothing; 100]));
        }
    }

    /// Whether each of this many requests at once, all above the limit, may send its small body.
    async fn turns(limits: StrangerLimits, requests: usize) -> Vec<bool> {
        let strangers = Arc::new(Strangers::new(StrangerLimits { burst: 0, ..limits }));
        let (tracker, mut tasks) = (TaskTracker::new(), Vec::new());
        for _ in 0..requests {
            let strangers = Arc::clone(&strangers);
            let turn = async move { enter(&strangers, 1, at(0)).may_send(Some(SMALL)).await.is_ok() };
            tasks.push(tracker.spawn(turn));
        }
        let mut turns = Vec::new();
        for task in tasks {
            turns.push(task.await.unwrap());
        }
        turns
    }

    #[tokio::test]
    async fn of_a_few_each_gets_a_turn_and_of_hundreds_at_once_only_some() {
        let (turn, patience) = (Duration::from_millis(10), Duration::from_millis(200));
        let limits = StrangerLimits { turn, patience, ..LIMITS };
        assert_eq!(turns(limits, 1).await, [true]);
        let many = turns(limits, 400).await.into_iter().filter(|turn| *turn).count();
        assert!((1..=40).contains(&many), "{many} of 400");
        let patient = StrangerLimits { patience: Duration::from_mins(1), ..limits };
        assert_eq!(turns(patient, 20).await, [true; 20]);
    }

    #[tokio::test]
    async fn above_the_limit_large_bodies_and_those_of_no_length_get_no_turn() {
        let limits = StrangerLimits { burst: 0, turn: Duration::ZERO, patience: Duration::MAX, ..LIMITS };
        let strangers = Strangers::new(limits);
        let visit = enter(&strangers, 1, at(0));
        assert_eq!(visit.may_send(Some(SMALL)).await, Ok(()));
        for announced in [None, Some(SMALL + 1)] {
            assert_eq!(visit.may_send(announced).await, Err(Refused::TooMany(1)));
        }
    }
}
