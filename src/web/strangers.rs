//! Requests that prove nothing, limited by where they come from: above the limit they are turned away before their
//! body is read or a signature computed.
//!
//! Three things keep this from harming those who can prove who they are:
//! * Whoever has sent one verified delivery isn't limited for a day. A forge behind a shared address needs one
//!   delivery a day to get through, whatever else comes from there.
//! * Addresses that aren't of the public internet aren't limited: everybody who comes through a proxy of ours has
//!   its address, and a few bad requests a second could else keep a quiet forge out. There the proxy must limit.
//! * A place is never lost for good: what was used up comes back with time, and what a forge was refused it sends
//!   again or polling finds.

use super::error::Refused;
use super::source::Source;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

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
}

impl Default for StrangerLimits {
    fn default() -> Self {
        Self {
            burst: 120,
            every: SignedDuration::from_secs(1),
            trust: SignedDuration::from_hours(24),
            sources: 4096,
            inside: false,
        }
    }
}

/// Who proved what.
pub(super) struct Strangers {
    limits: StrangerLimits,
    known: Mutex<Known>,
}

struct Known {
    /// When each source has proved itself last.
    proofs: Recent<Timestamp>,
    /// When all that a source did without proof is forgiven. Every request that proves nothing moves it by `every`.
    debts: Recent<Timestamp>,
}

impl Strangers {
    pub(super) fn new(limits: StrangerLimits) -> Self {
        let known = Known { proofs: Recent::new(limits.sources), debts: Recent::new(limits.sources) };
        Self { limits, known: Mutex::new(known) }
    }

    /// Lets a request in, or says when to come back. Without a source there is nothing to limit by.
    pub(super) fn enter(&self, source: Option<Source>, now: Timestamp) -> Result<Visit<'_>, Refused> {
        let source = source.filter(|source| self.limits.inside || !source.is_inside());
        if let Some(wait) = source.and_then(|source| self.wait(source, now)) {
            let begun = u64::from(wait.subsec_nanos() > 0);
            return Err(Refused::TooMany(wait.as_secs().unsigned_abs() + begun));
        }
        Ok(Visit { strangers: self, source, now })
    }

    /// How long this source has to wait, if it has to.
    fn wait(&self, source: Source, now: Timestamp) -> Option<SignedDuration> {
        self.with(|known| {
            let proved = known.proofs.get(source);
            if proved.is_some_and(|at| now.duration_since(at) < self.limits.trust) {
                return None;
            }
            let wait = self.debt(known, source, now) + self.limits.every - self.most();
            wait.is_positive().then_some(wait)
        })
    }

    /// A request ended without a proof.
    fn failed(&self, source: Source, now: Timestamp) {
        self.with(|known| {
            let debt = self.debt(known, source, now) + self.limits.every;
            known.debts.put(source, now + debt.min(self.most()));
        });
    }

    fn proved(&self, source: Source, now: Timestamp) {
        self.with(|known| known.proofs.put(source, now));
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

    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A request that was let in. Unless it is proved before this is dropped, it counts against its source: also if it
/// broke off or panicked.
pub(super) struct Visit<'a> {
    strangers: &'a Strangers,
    source: Option<Source>,
    now: Timestamp,
}

impl Visit<'_> {
    /// It was verified.
    pub(super) fn proved(mut self) {
        if let Some(source) = self.source.take() {
            self.strangers.proved(source, self.now);
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if let Some(source) = self.source {
            self.strangers.failed(source, self.now);
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

    const LIMITS: StrangerLimits = StrangerLimits {
        burst: 3,
        every: SignedDuration::from_secs(1),
        trust: SignedDuration::from_secs(600),
        sources: 4,
        inside: false,
    };

    fn source(last: u8) -> Source {
        Source::of([203, 0, 113, last].into())
    }

    /// How long the source has to wait after this many failures, all now.
    fn after(strangers: &Strangers, failures: u32, now: Timestamp) -> Option<SignedDuration> {
        (0..failures).for_each(|_| strangers.failed(source(1), now));
        strangers.wait(source(1), now)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_248_000 + second).unwrap()
    }

    const SECOND: SignedDuration = SignedDuration::from_secs(1);

    #[test]
    fn a_burst_is_let_in_and_then_one_each_second() {
        let (strangers, now) = (Strangers::new(LIMITS), at(0));
        assert_eq!(after(&strangers, 2, now), None);
        assert_eq!(after(&strangers, 1, now), Some(SECOND));
        let later = at(1);
        assert_eq!(strangers.wait(source(1), later), None);
        assert_eq!(after(&strangers, 1, later), Some(SECOND));
        assert_eq!(after(&strangers, 2, at(60)), None, "a minute brings the whole burst back");
    }

    #[test]
    fn a_flood_doesnt_add_to_the_wait() {
        let (strangers, now) = (Strangers::new(LIMITS), at(0));
        assert_eq!(after(&strangers, 5000, now), Some(SECOND));
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_out() {
        let (strangers, now) = (Strangers::new(LIMITS), at(3600));
        assert!(after(&strangers, 3, now).is_some());
        assert_eq!(strangers.wait(source(1), at(0)), None);
    }

    #[test]
    fn sources_are_limited_each_by_itself() {
        let (strangers, now) = (Strangers::new(LIMITS), at(0));
        assert!(after(&strangers, 3, now).is_some());
        assert_eq!(strangers.wait(source(2), now), None);
    }

    #[test]
    fn who_has_proved_itself_isnt_limited_until_that_is_long_ago() {
        let (strangers, now) = (Strangers::new(LIMITS), at(0));
        strangers.proved(source(1), now);
        assert_eq!(after(&strangers, 5000, now), None);
        let late = at(599);
        assert_eq!(after(&strangers, 5000, late), None);
        assert_eq!(strangers.wait(source(1), at(600)), None, "one second brought one back");
        assert!(after(&strangers, 1, at(600)).is_some());
        strangers.proved(source(1), late);
        assert_eq!(after(&strangers, 3, at(599 + 599)), None);
    }

    #[test]
    fn a_crowd_of_strangers_takes_no_more_memory_and_no_proof_away() {
        let (strangers, now) = (Strangers::new(LIMITS), at(0));
        strangers.proved(source(1), now);
        for last in 0..=255 {
            strangers.failed(source(last), now);
        }
        strangers.with(|known| {
            assert!(known.debts.young.len() + known.debts.old.len() <= 2 * LIMITS.sources);
        });
        assert_eq!(after(&strangers, 5000, now), None);
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
    fn what_ends_without_a_proof_counts_and_private_addresses_dont() {
        let strangers = Strangers::new(LIMITS);
        for _ in 0..3 {
            drop(strangers.enter(Some(source(1)), at(0)).unwrap());
        }
        assert_eq!(strangers.enter(Some(source(1)), at(0)).err(), Some(Refused::TooMany(1)));
        assert!(strangers.enter(Some(source(2)), at(0)).is_ok());
        let inside = Source::of([10, 0, 0, 1].into());
        for _ in 0..100 {
            drop(strangers.enter(Some(inside), at(0)).unwrap());
            drop(strangers.enter(None, at(0)).unwrap());
        }
    }
}
