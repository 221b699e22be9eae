//! Time as the twin is given it. The twin never reads a clock itself.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Tells the time whenever the twin needs it.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A clock that stands still until it is moved by hand. Clones show the same time.
#[derive(Clone, Debug)]
pub struct HandClock(Arc<Mutex<Timestamp>>);

impl HandClock {
    /// A clock that stands at this time.
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// What this clock shows.
    pub fn time(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the clock; a negative span moves it back. Past the calendar's end it stays where it is.
    pub fn advance(&self, span: SignedDuration) {
        let mut time = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *time = time.checked_add(span).unwrap_or(*time);
    }

    /// This clock as the function that the twin takes.
    pub fn now(&self) -> Now {
        let clock = self.clone();
        Arc::new(move || clock.time())
    }
}
