//! Time and ids come in as arguments.

use jiff::Timestamp;

/// Tells the time and makes ids; given to whoever needs either.
pub trait Clock: Send + Sync {
    /// Now, by the wall clock.
    fn now(&self) -> Timestamp;
    /// A fresh, time-ordered id (UUID v7 as text).
    fn new_id(&self) -> String;
}
