//! The places for connections. When all are taken, whoever comes gets the place of somebody who only waits: else
//! those who say nothing, or very slowly, would keep everybody else out.

use super::source::Source;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Whoever holds more than this part of all places goes before everybody else.
const CROWD: usize = 4;

/// All places of a server.
pub(super) struct Seats {
    places: usize,
    room: Mutex<Room>,
    /// Counts signs of life; an order in time, without a clock.
    moments: AtomicU64,
    /// A place may have become free, or its connection idle. Only the accept loop waits for it.
    changed: Notify,
}

#[derive(Default)]
struct Room {
    seated: BTreeMap<u64, Arc<Seated>>,
    /// How many places each source holds.
    held: HashMap<Source, usize>,
}

struct Seated {
    source: Source,
    /// The moment of its last sign of life.
    seen: AtomicU64,
    /// A whole request of it is being worked on.
    is_served: AtomicBool,
    /// Asks it to leave.
    out: CancellationToken,
}

impl Seats {
    pub(super) fn new(places: usize) -> Arc<Self> {
        let (room, moments) = (Mutex::default(), AtomicU64::new(0));
        Arc::new(Self { places, room, moments, changed: Notify::new() })
    }

    /// A place for a new connection: a free one, else that of somebody who waits and is asked to leave. While every
    /// connection is being served there is none.
    pub(super) async fn take(self: &Arc<Self>, source: Source) -> Seat {
        loop {
            if let Some(seat) = self.free(source) {
                return seat;
            }
            self.changed.notified().await;
        }
    }

    /// Until every connection has ended.
    pub(super) async fn all_free(&self) {
        while !self.room().seated.is_empty() {
            self.changed.notified().await;
        }
    }

    fn free(self: &Arc<Self>, source: Source) -> Option<Seat> {
        let mut room = self.room();
        if room.seated.len() >= self.places {
            room.make_way(self.places / CROWD);
            return None;
        }
        let number = self.moment();
        let (seen, is_served) = (AtomicU64::new(number), AtomicBool::new(false));
        let seated = Arc::new(Seated { source, seen, is_served, out: CancellationToken::new() });
        room.seated.insert(number, Arc::clone(&seated));
        *room.held.entry(source).or_default() += 1;
        Some(Seat { number, guest: Guest { seated, seats: Arc::clone(self) } })
    }

    fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::Relaxed)
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Asks one to leave, unless one is leaving already. First goes whoever's source holds more than `crowd` places,
    /// then whoever gave no sign of life for longest.
    fn make_way(&self, crowd: usize) {
        if self.seated.values().any(|seated| seated.out.is_cancelled()) {
            return;
        }
        let crowds = |source| self.held.get(source).is_some_and(|held| *held > crowd);
        let waiting = self.seated.values().filter(|seated| !seated.is_served.load(Ordering::Acquire));
        let last =
            waiting.min_by_key(|seated| (!crowds(&seated.source), seated.seen.load(Ordering::Relaxed)));
        if let Some(last) = last {
            tracing::debug!(source = ?last.source, "all places are taken: a connection that waits is closed");
            last.out.cancel();
        }
    }
}

/// A place that a connection holds until this is dropped.
pub(super) struct Seat {
    number: u64,
    guest: Guest,
}

impl Seat {
    pub(super) fn guest(&self) -> &Guest {
        &self.guest
    }

    /// Cancelled when somebody else needs the place.
    pub(super) fn out(&self) -> &CancellationToken {
        &self.guest.seated.out
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let (seats, source) = (&self.guest.seats, self.guest.source());
        let mut room = seats.room();
        room.seated.remove(&self.number);
        let left = room.held.get(&source).map_or(0, |held| held.saturating_sub(1));
        if left == 0 {
            room.held.remove(&source);
        } else {
            room.held.insert(source, left);
        }
        drop(room);
        seats.changed.notify_one();
    }
}

/// Who is on a connection; each of its requests carries this.
#[derive(Clone)]
pub(super) struct Guest {
    seated: Arc<Seated>,
    seats: Arc<Seats>,
}

impl Guest {
    pub(super) fn source(&self) -> Source {
        self.seated.source
    }

    /// A request began or was answered.
    pub(super) fn stirred(&self) {
        self.seated.seen.store(self.seats.moment(), Ordering::Relaxed);
    }

    /// A whole request is here: until this is dropped, nobody takes the place.
    pub(super) fn served(&self) -> Served {
        self.seated.is_served.store(true, Ordering::Release);
        Served(self.clone())
    }
}

/// Held while a request is worked on.
pub(super) struct Served(Guest);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.stirred();
        self.0.seated.is_served.store(false, Ordering::Release);
        self.0.seats.changed.notify_one();
    }
}
