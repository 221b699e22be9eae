//! The inbox: deliveries that are on disk, and not yet in the tables that everybody else reads.
//!
//! A delivery becomes an id, an announcement and a job in its queue. Each stands in trees of its own, every page that is
//! touched goes to disk before the answer, and that costs several times as much as one row behind the last. So a delivery
//! is stored as such a row, and sorted when the worker has a hand free for it (see [`super::sorting`]).
//!
//! No other process writes into the inbox: whoever serves knows in memory what lies there. It is entered after the COMMIT
//! that stores it, and struck out after the COMMIT that sorts it, both by the one task that writes. (Beside a serving
//! process only the file tells.)

use super::lines::{Line, Mark, Marks, Runs};
use super::post::Post;
use crate::ports::store::{NewDelivery, StoreError};
use crate::store::rows::json;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A delivery on its way into the inbox, written down by whoever brings it: the one task that writes has only to put it
/// into its place.
#[derive(Debug)]
pub(super) struct Envelope {
    /// Its source, and the source's id of it.
    pub(super) id: (String, String),
    /// Of both.
    pub(super) mark: Mark,
    /// A [`Post`], as JSON.
    pub(super) post: String,
    /// Whose pauses it keeps.
    platform: String,
    /// The queues in which its jobs will stand, and their places there by the platform's time.
    places: Vec<(Mark, i64)>,
}

/// What is known of the deliveries in the inbox.
#[derive(Default)]
pub(super) struct Inbox {
    hasher: RandomState,
    known: Mutex<Known>,
}

/// Some thirty bytes for each delivery, two hundred where each is about something else: a forge that wants to be left alone
/// for an hour may have sent many.
#[derive(Default)]
struct Known {
    /// The highest row so far.
    last: i64,
    /// By platform, in the order of their coming, which is that of their numbers.
    rows: BTreeMap<String, Runs>,
    /// Sources with ids. Of a hundred thousand that lie here, one has the mark of the next to come once in 10^14 times, and
    /// nobody can aim at it.
    ids: Marks,
    /// In which queues jobs will stand, and where: the platform's time and the row, in their order.
    queues: HashMap<Mark, Line<(i64, i64)>>,
}

impl Known {
    fn leave_queue(&mut self, queue: Mark, place: (i64, i64)) {
        if let Some(places) = self.queues.get_mut(&queue) {
            places.leave(&place);
            if places.is_empty() {
                self.queues.remove(&queue);
            }
        }
    }

    /// Says whether it was there.
    fn leave(&mut self, row: i64) -> bool {
        let was_there = self.rows.values_mut().any(|rows| rows.leave(row));
        self.rows.retain(|_, rows| !rows.is_empty());
        was_there
    }

    /// Where nothing tells in which queues it stood.
    fn leave_all_queues(&mut self, row: i64) {
        self.queues.retain(|_, places| {
            places.leave_if(|(_, other)| *other == row);
            !places.is_empty()
        });
    }
}

impl Inbox {
    fn mark(&self, of: (&str, &str)) -> Mark {
        self.hasher.hash_one(of)
    }

    fn queue(&self, key: &str) -> Mark {
        self.mark(("", key))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a delivery down.
    pub(super) fn seal(&self, delivery: &NewDelivery) -> Result<Envelope, StoreError> {
        let post = Post::of(delivery)?;
        let (source, id) = post.id();
        Ok(Envelope {
            id: (source.to_owned(), id.to_owned()),
            mark: self.mark(post.id()),
            platform: post.platform().to_owned(),
            places: post.jobs().iter().map(|job| (self.queue(&job.key), job.ordered_at)).collect(),
            post: json(&post)?,
        })
    }

    /// Where the next delivery goes.
    pub(super) fn next_row(&self) -> i64 {
        self.known().last + 1
    }

    /// A delivery is stored there.
    pub(super) fn enter(&self, row: i64, envelope: &Envelope) {
        let mut known = self.known();
        known.last = known.last.max(row);
        known.rows.entry(envelope.platform.clone()).or_default().join(row);
        known.ids.join(envelope.mark);
        for (queue, time) in &envelope.places {
            known.queues.entry(*queue).or_default().join((*time, row));
        }
    }

    /// These are sorted.
    pub(super) fn strike_out(&self, sorted: &Sorted) {
        let mut known = self.known();
        let mut left: BTreeSet<i64> = sorted.rows.iter().copied().filter(|row| known.leave(*row)).collect();
        for (row, post) in &sorted.posts {
            if known.ids.leave(self.mark(post.id())) {
                left.remove(row);
            }
            for job in post.jobs() {
                known.leave_queue(self.queue(&job.key), (job.ordered_at, *row));
            }
        }
        // What was damaged or removed in the file, by whoever: nothing tells any more where it stood.
        for row in left {
            known.leave_all_queues(row);
        }
        if known.rows.is_empty() {
            // The room that a flood has taken is given back.
            *known = Known { last: known.last, ..Known::default() };
        }
    }

    pub(super) fn knows(&self, source: &str, id: &str) -> bool {
        self.holds(self.mark((source, id)))
    }

    /// As [`Inbox::knows`], of the mark of both.
    pub(super) fn holds(&self, id: Mark) -> bool {
        self.known().ids.contains(id)
    }

    /// Does a job lie here that will stand in this queue?
    pub(super) fn lies_for(&self, key: &str) -> bool {
        self.known().queues.contains_key(&self.queue(key))
    }

    /// The deliveries whose jobs will stand in this queue, in the order of their coming.
    pub(super) fn all_for(&self, key: &str) -> Vec<i64> {
        let known = self.known();
        let places = known.queues.get(&self.queue(key));
        let mut rows: Vec<i64> = places.into_iter().flat_map(Line::iter).map(|(_, row)| *row).collect();
        rows.sort_unstable();
        rows
    }

    /// Does nothing lie here, for anybody?
    pub(super) fn is_empty(&self) -> bool {
        self.known().rows.is_empty()
    }

    /// The earliest delivery by the platform's time that will stand before this place in a queue, but for these.
    pub(super) fn before(&self, (key, time): &(String, i64), sorted: &BTreeSet<i64>) -> Option<i64> {
        let known = self.known();
        let places = known.queues.get(&self.queue(key))?;
        let mut earlier = places.iter().take_while(|(other, _)| other < time).map(|(_, row)| *row);
        earlier.find(|row| !sorted.contains(row))
    }

    /// Whose deliveries lie here.
    pub(super) fn platforms(&self) -> Vec<String> {
        self.known().rows.keys().cloned().collect()
    }

    /// Of each platform but the paused ones: so many deliveries, oldest first, after so many.
    pub(super) fn oldest(&self, paused: &HashSet<String>, (skip, take): (usize, usize)) -> Vec<i64> {
        let known = self.known();
        let awake = known.rows.iter().filter(|(platform, _)| !paused.contains(*platform));
        awake.flat_map(|(_, rows)| rows.iter().skip(skip).take(take)).collect()
    }

    /// The rows; how many ids; the rows that stand in queues.
    #[cfg(test)]
    pub(super) fn counted(&self) -> (BTreeSet<i64>, usize, BTreeSet<i64>) {
        let known = self.known();
        let rows = known.rows.values().flat_map(Runs::iter).collect();
        (rows, known.ids.len(), known.queues.values().flat_map(Line::iter).map(|(_, row)| *row).collect())
    }
}

/// Deliveries that were sorted, to be struck out once that is on disk.
#[derive(Default)]
pub(super) struct Sorted {
    /// Those that were asked for: some of them may have been sorted before.
    pub(super) rows: BTreeSet<i64>,
    pub(super) posts: Vec<(i64, Post)>,
}

impl Sorted {
    pub(super) fn extend(&mut self, more: Self) {
        self.rows.extend(more.rows);
        self.posts.extend(more.posts);
    }
}
