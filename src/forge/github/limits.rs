//! How much an installation may write before GitHub's secondary limits stop it, and how long it rests once a limit
//! is reached.
//!
//! GitHub takes about 80 content-creating calls a minute and 500 an hour, and bans who keeps knocking. Other
//! installations' calls and lost answers count as well, so some of that is left unused.

use crate::ports::failure::Failure;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::time::Duration;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const PER_MINUTE: usize = 70;
const PER_HOUR: usize = 450;
/// So many a minute may come at once; from then on with a gap.
const AT_ONCE: usize = 40;
const GAP: SignedDuration = SignedDuration::from_secs(1);

/// When content was created in the last hour, oldest first.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: VecDeque<Timestamp>,
}

impl Budget {
    /// Takes leave for one content-creating call, which counts whether it succeeds or not; `HeldBack` if it
    /// isn't to be sent yet.
    pub(super) fn spend(&mut self, now: Timestamp) -> Result<(), Failure> {
        self.forget(now);
        let ready = [self.room(PER_HOUR, HOUR), self.room(PER_MINUTE, MINUTE), self.gap(now)];
        let ready = ready.into_iter().flatten().max().filter(|ready| *ready > now);
        if let Some(ready) = ready {
            let wait = Duration::try_from(ready.duration_since(now)).unwrap_or_default();
            return Err(Failure::HeldBack { wait });
        }
        self.spent.push_back(now);
        Ok(())
    }

    /// Drops what is older than an hour. A clock that was set back would else hold everything for that long.
    fn forget(&mut self, now: Timestamp) {
        while self.spent.front().is_some_and(|first| *first + HOUR <= now) {
            self.spent.pop_front();
        }
        for spent in &mut self.spent {
            *spent = (*spent).min(now);
        }
    }

    /// When fewer than `most` will lie within the last `window`.
    fn room(&self, most: usize, window: SignedDuration) -> Option<Timestamp> {
        let oldest_of_most = self.spent.len().checked_sub(most)?;
        self.spent.get(oldest_of_most).map(|spent| *spent + window)
    }

    /// When the next one may follow the last.
    fn gap(&self, now: Timestamp) -> Option<Timestamp> {
        let lately = self.spent.iter().rev().take_while(|spent| **spent + MINUTE > now).count();
        let last = self.spent.back()?;
        (lately >= AT_ONCE).then(|| *last + GAP)
    }
}

/// Until when an installation makes no calls, since GitHub has said that a limit of it is reached. Other
/// installations have limits of their own and go on.
#[derive(Debug, Default)]
pub(super) struct Rest {
    until: Option<Timestamp>,
}

impl Rest {
    /// Rests for that long, a second at least and an hour at most; a longer rest that goes on stays as it is.
    pub(super) fn begin(&mut self, wait: Duration, now: Timestamp) {
        let wait = SignedDuration::try_from(wait).unwrap_or(HOUR).clamp(GAP, HOUR);
        self.until = self.until.max(Some(now + wait));
    }

    /// `HeldBack` as long as it lasts.
    pub(super) fn leave(&mut self, now: Timestamp) -> Result<(), Failure> {
        // A clock that was set back would else hold everything for that long.
        self.until = self.until.map(|until| until.min(now + HOUR)).filter(|until| *until > now);
        let Some(until) = self.until else { return Ok(()) };
        Err(Failure::HeldBack { wait: Duration::try_from(until.duration_since(now)).unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }

    fn after(seconds: i64) -> Timestamp {
        start() + SignedDuration::from_secs(seconds)
    }

    fn wait(spent: &Result<(), Failure>) -> Duration {
        let Err(Failure::HeldBack { wait }) = spent else { panic!("{spent:?} is no holding back") };
        *wait
    }

    /// As many as go through, asking every second.
    fn spend_for(budget: &mut Budget, seconds: std::ops::Range<i64>) -> usize {
        seconds.filter(|second| budget.spend(after(*second)).is_ok()).count()
    }

    #[test]
    fn forty_come_at_once_and_then_one_each_second() {
        let mut budget = Budget::default();
        for _ in 0..40 {
            budget.spend(start()).unwrap();
        }
        assert_eq!(wait(&budget.spend(start())), Duration::from_secs(1));
        budget.spend(after(1)).unwrap();
        let half = after(1) + SignedDuration::from_millis(400);
        assert_eq!(wait(&budget.spend(half)), Duration::from_millis(600));
        budget.spend(after(2)).unwrap();
    }

    #[test]
    fn seventy_a_minute_are_the_most() {
        let mut budget = Budget::default();
        for _ in 0..40 {
            budget.spend(start()).unwrap();
        }
        assert_eq!(spend_for(&mut budget, 1..31), 30);
        assert_eq!(wait(&budget.spend(after(40))), Duration::from_secs(20));
        budget.spend(after(60)).unwrap();
    }

    #[test]
    fn four_hundred_and_fifty_an_hour_are_the_most() {
        let mut budget = Budget::default();
        assert_eq!(spend_for(&mut budget, 0..3600), 450);
        assert!(wait(&budget.spend(after(3599))) <= Duration::from_secs(1));
        budget.spend(after(3600)).unwrap();
    }

    #[test]
    fn what_is_held_back_costs_nothing() {
        let mut budget = Budget::default();
        for _ in 0..40 {
            budget.spend(start()).unwrap();
        }
        for _ in 0..100 {
            wait(&budget.spend(start()));
        }
        budget.spend(after(1)).unwrap();
    }

    #[test]
    fn a_rest_lasts_as_long_as_the_longest_that_was_asked_for() {
        let mut rest = Rest::default();
        rest.leave(start()).unwrap();
        rest.begin(Duration::from_mins(1), start());
        rest.begin(Duration::ZERO, after(10));
        assert_eq!(wait(&rest.leave(after(10))), Duration::from_secs(50));
        rest.leave(after(60)).unwrap();
        rest.begin(Duration::ZERO, after(60));
        assert_eq!(wait(&rest.leave(after(60))), Duration::from_secs(1));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_rest_longer_than_an_hour() {
        let mut rest = Rest::default();
        rest.begin(Duration::from_hours(5), after(86_400));
        assert_eq!(wait(&rest.leave(start())), Duration::from_hours(1));
        rest.leave(after(3600)).unwrap();
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_for_long() {
        let mut budget = Budget::default();
        for _ in 0..70 {
            let _ = budget.spend(after(86_400));
        }
        assert!(wait(&budget.spend(start())) <= Duration::from_secs(1));
    }
}
