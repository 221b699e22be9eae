//! The inbox: deliveries that are on disk, and not yet in the tables that everybody else reads.
//!
//! A delivery becomes an id, an announcement and a job in its queue. Each stands in trees of its own, every page that is
//! touched goes to disk before the answer, and that costs several times as much as one row behind the last. So a delivery
//! is stored as such a row, and sorted when the worker has a hand free for it (see [`super::sorting`]).
//!
//! No other process writes into the inbox: whoever serves knows in memory what lies there. It is entered after the COMMIT
//! that stores it, and struck out after the COMMIT that sorts it, both by the one task that writes. (Beside a serving
//! process only the file tells.)

use super::queue;
use crate::ports::store::{Lane, NewDelivery, StoreError};
use crate::store::batch::{self, Announced};
use crate::store::rows::{jobs_of, millis};
use serde::{Deserialize, Serialize};
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A row of `delivery`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Delivered {
    source: String,
    id: String,
    digest: String,
    received_at: i64,
}

/// A delivery in the inbox: the rows that it becomes. Its JSON is kept in the file: what an older version wrote must stay
/// readable.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Post {
    delivery: Delivered,
    heard: Vec<Announced>,
    jobs: Vec<queue::Row>,
}

impl Post {
    pub(super) fn of(one: &NewDelivery) -> Result<Self, StoreError> {
        let delivery = Delivered {
            source: one.source.clone(),
            id: one.id.clone(),
            digest: one.digest.clone(),
            received_at: millis(one.received_at),
        };
        let jobs = jobs_of(one);
        let jobs = jobs.iter().map(|job| queue::Row::of(one.received_at, job)).collect::<Result<_, _>>()?;
        Ok(Self { delivery, heard: batch::announced(one), jobs })
    }

    /// From the file. What can't be read stays visible: as a job that can't be read either, which is put aside when it is
    /// leased.
    pub(super) fn read(row: i64, json: &[u8]) -> Self {
        serde_json::from_slice(json).unwrap_or_else(|error| {
            tracing::error!(row, %error, "a delivery in the inbox can't be read; it is put aside");
            Self::unreadable(row, String::from_utf8_lossy(json).into_owned())
        })
    }

    fn unreadable(row: i64, text: String) -> Self {
        let id = format!("inbox/{row}");
        let job = queue::Row {
            lane: Lane::Decide.priority(),
            key: id.clone(),
            work: text,
            ..queue::Row::default()
        };
        let delivery = Delivered { source: String::new(), id, digest: String::new(), received_at: 0 };
        Self { delivery, heard: Vec::new(), jobs: vec![job] }
    }

    /// Its source, and the source's id of it.
    pub(super) fn id(&self) -> (&str, &str) {
        (&self.delivery.source, &self.delivery.id)
    }

    /// Whose pauses it keeps.
    fn platform(&self) -> &str {
        self.jobs.first().map_or(&self.delivery.source, |job| &job.forge)
    }

    pub(super) fn delivery(&self) -> &impl Serialize {
        &self.delivery
    }

    pub(super) fn heard(&self) -> &[Announced] {
        &self.heard
    }

    pub(super) fn jobs(&self) -> &[queue::Row] {
        &self.jobs
    }
}

/// What is known of the deliveries in the inbox.
#[derive(Default)]
pub(super) struct Inbox {
    hasher: RandomState,
    known: Mutex<Known>,
}

/// 8 bytes for what may be long, by a key of this process: of a hundred thousand that lie here, one has the mark of the
/// next to come once in 10^14 times, and nobody can aim at it.
type Mark = u64;

/// Some fifty bytes for each delivery: a forge that wants to be left alone for an hour may have sent many.
#[derive(Default)]
struct Known {
    /// The highest row so far.
    last: i64,
    /// By platform, in the order of their coming, which is that of their numbers.
    rows: BTreeMap<String, VecDeque<i64>>,
    /// Sources with ids.
    ids: HashSet<Mark>,
    /// In which queues jobs will stand, and where: the platform's time and the row, in their order.
    queues: HashMap<Mark, VecDeque<(i64, i64)>>,
}

impl Known {
    fn leave_queue(&mut self, queue: Mark, place: (i64, i64)) {
        if let Some(places) = self.queues.get_mut(&queue) {
            leave(places, &place);
            if places.is_empty() {
                self.queues.remove(&queue);
            }
        }
    }

    /// Says whether it was there.
    fn leave(&mut self, row: i64) -> bool {
        let was_there = self.rows.values_mut().any(|rows| leave(rows, &row));
        self.rows.retain(|_, rows| !rows.is_empty());
        was_there
    }

    /// Where nothing tells in which queues it stood.
    fn leave_all_queues(&mut self, row: i64) {
        self.queues.retain(|_, places| {
            places.retain(|(_, other)| *other != row);
            !places.is_empty()
        });
    }
}

/// Lines are sorted, and hold nothing twice. Most come last and leave first.
fn join<T: Ord>(line: &mut VecDeque<T>, one: T) {
    if let Err(place) = line.binary_search(&one) {
        line.insert(place, one);
    }
}

/// Says whether it was there.
fn leave<T: Ord>(line: &mut VecDeque<T>, one: &T) -> bool {
    line.binary_search(one).is_ok_and(|place| line.remove(place).is_some())
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

    /// Where the next delivery goes.
    pub(super) fn next_row(&self) -> i64 {
        self.known().last + 1
    }

    /// A delivery is stored there.
    pub(super) fn enter(&self, row: i64, post: &Post) {
        let mut known = self.known();
        known.last = known.last.max(row);
        known.rows.entry(post.platform().to_owned()).or_default().push_back(row);
        known.ids.insert(self.mark(post.id()));
        for job in &post.jobs {
            join(known.queues.entry(self.queue(&job.key)).or_default(), (job.ordered_at, row));
        }
    }

    /// These are sorted.
    pub(super) fn strike_out(&self, sorted: &Sorted) {
        let mut known = self.known();
        let mut left: BTreeSet<i64> = sorted.rows.iter().copied().filter(|row| known.leave(*row)).collect();
        for (row, post) in &sorted.posts {
            if known.ids.remove(&self.mark(post.id())) {
                left.remove(row);
            }
            for job in &post.jobs {
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
        self.known().ids.contains(&self.mark((source, id)))
    }

    /// Does a job lie here that will stand in this queue?
    pub(super) fn lies_for(&self, key: &str) -> bool {
        self.known().queues.contains_key(&self.queue(key))
    }

    /// The deliveries whose jobs will stand in this queue, in the order of their coming.
    pub(super) fn all_for(&self, key: &str) -> Vec<i64> {
        let known = self.known();
        let places = known.queues.get(&self.queue(key));
        let mut rows: Vec<i64> = places.into_iter().flatten().map(|(_, row)| *row).collect();
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
        awake.flat_map(|(_, rows)| rows.iter().skip(skip).take(take).copied()).collect()
    }

    /// The rows; how many ids; the rows that stand in queues.
    #[cfg(test)]
    pub(super) fn counted(&self) -> (BTreeSet<i64>, usize, BTreeSet<i64>) {
        let known = self.known();
        let rows = known.rows.values().flatten().copied().collect();
        (rows, known.ids.len(), known.queues.values().flatten().map(|(_, row)| *row).collect())
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
