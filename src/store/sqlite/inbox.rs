//! The inbox: deliveries that are on disk, and not yet in the tables that everybody else reads.
//!
//! A delivery becomes an id, an announcement and a job in its queue. Each stands in trees of its own, every page that is
//! touched goes to disk before the answer, and that costs five times as much as one row behind the last. So a delivery
//! is stored as such a row, and *sorted* when the worker has a hand free for it. Until then it counts as though it came
//! a little later; but it is known, and whoever must not overlook it asks here.
//!
//! No other process writes: what lies in the inbox is known in memory, too. It is entered after the COMMIT that stores
//! it, and struck out after the COMMIT that sorts it, both by the one task that writes.

use super::dialect::{query, query_as, query_scalar};
use super::fault::fault;
use super::queue;
use crate::ports::store::{Backlog, Lane, NewDelivery, StoreError};
use crate::store::batch::{self, Announced};
use crate::store::rows::{jobs_of, json, millis, time};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteConnection;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Deliveries of one platform that are sorted at once: some more than a worker takes up, and few enough that whoever
/// waits for the writer doesn't notice.
const AT_ONCE: usize = 64;
/// So often in one transaction, where what is sorted gives the worker nothing to do.
const ROUNDS: usize = 4;

/// `$1`: ids as a JSON array.
pub(super) const TAKE_OUT: &str =
    "DELETE FROM inbox WHERE id IN (SELECT value FROM json_each($1)) RETURNING id, post";
/// The tables that deliveries are sorted into. JSON arrays: `$1` rows of `heard` (the first announcement counts), `$2` and
/// `$3` as [`queue::insert_all`] wants them, `$4` rows of `delivery`. Without WHERE, ON CONFLICT would be read as a join's
/// condition.
pub(super) const FILE: &str = concat!(
    "INSERT INTO delivery (source, id, digest, received_at) \
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($4) WHERE TRUE ORDER BY key \
        ON CONFLICT (source, id) DO NOTHING; ",
    "INSERT INTO heard (comment, digest, author, heard_at) \
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1) WHERE TRUE ORDER BY key \
        ON CONFLICT (comment) DO NOTHING; ",
    queue::insert_all!()
);
const OLDEST: &str = "SELECT id FROM inbox ORDER BY id LIMIT $1";
const OLDEST_AT: &str = "SELECT post ->> '$.delivery[3]' FROM inbox ORDER BY id LIMIT 1";
/// `$1`: where counting ends.
pub(super) const COUNT: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM inbox LIMIT $1) counted";
const COUNT_JOBS: &str = "SELECT COALESCE(SUM(json_array_length(post, '$.jobs')), 0) FROM inbox";
const PAUSED: &str = "SELECT forge FROM pause WHERE until > $1";

/// Source, id, digest, time: a row of `delivery`.
type Delivered = (String, String, String, i64);

/// A delivery in the inbox: the rows that it becomes.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Post {
    delivery: Delivered,
    heard: Vec<Announced>,
    jobs: Vec<queue::Row>,
}

impl Post {
    pub(super) fn of(one: &NewDelivery) -> Result<Self, StoreError> {
        let delivery = (one.source.clone(), one.id.clone(), one.digest.clone(), millis(one.received_at));
        let jobs = jobs_of(one);
        let jobs = jobs.iter().map(|job| queue::row(one.received_at, job)).collect::<Result<_, _>>()?;
        Ok(Self { delivery, heard: batch::announced(one), jobs })
    }

    /// Its source, and the source's id of it.
    pub(super) fn name(&self) -> (&str, &str) {
        (&self.delivery.0, &self.delivery.1)
    }

    /// Whose pauses it keeps.
    fn platform(&self) -> &str {
        self.jobs.first().map_or(&self.delivery.0, queue::Row::platform)
    }

    /// What can't be read stays visible: as a job that can't be read either, which is put aside when it is leased.
    fn unreadable(id: i64, text: String) -> Self {
        tracing::error!(id, "a delivery in the inbox can't be read; it is put aside");
        let name = format!("inbox/{id}");
        let job = queue::Row(Lane::Decide.priority(), name.clone(), String::new(), text, 0, 0, 0);
        Self { delivery: (String::new(), name, String::new(), 0), heard: Vec::new(), jobs: vec![job] }
    }
}

/// What is known of the deliveries in the inbox.
#[derive(Default)]
pub(super) struct Inbox {
    names: (RandomState, RandomState),
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The highest row so far.
    last: i64,
    /// By platform, in the order of their coming.
    rows: BTreeMap<String, BTreeSet<i64>>,
    /// Sources with ids.
    ids: HashSet<u128>,
    /// Whose queue jobs will stand in, and where: the platform's time, the row.
    keys: HashMap<u128, BTreeSet<(i64, i64)>>,
}

/// Deliveries that were sorted, to be struck out once that is on disk.
#[derive(Default)]
pub(super) struct Sorted {
    asked: BTreeSet<i64>,
    posts: Vec<Post>,
}

impl Inbox {
    /// 16 bytes for what may be long. That two things get the same ones by chance happens to nobody.
    fn name(&self, of: (&str, &str)) -> u128 {
        u128::from(self.names.0.hash_one(of)) << 64 | u128::from(self.names.1.hash_one(of))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the next delivery goes.
    pub(super) fn next_row(&self) -> i64 {
        self.known().last + 1
    }

    /// A stored delivery.
    pub(super) fn enter(&self, row: i64, post: &Post) {
        let id = self.name(post.name());
        let mut known = self.known();
        known.last = known.last.max(row);
        known.rows.entry(post.platform().to_owned()).or_default().insert(row);
        known.ids.insert(id);
        for job in &post.jobs {
            known.keys.entry(self.name(("", job.key()))).or_default().insert((job.order(), row));
        }
    }

    pub(super) fn strike_out(&self, sorted: &Sorted) {
        let asked = &sorted.asked;
        let mut known = self.known();
        for row in asked {
            known.rows.values_mut().for_each(|rows| {
                rows.remove(row);
            });
        }
        known.rows.retain(|_, rows| !rows.is_empty());
        for post in &sorted.posts {
            known.ids.remove(&self.name(post.name()));
            for job in &post.jobs {
                let key = self.name(("", job.key()));
                let rows = known.keys.entry(key).or_default();
                rows.retain(|(_, row)| !asked.contains(row));
                if rows.is_empty() {
                    known.keys.remove(&key);
                }
            }
        }
    }

    pub(super) fn knows(&self, source: &str, id: &str) -> bool {
        self.known().ids.contains(&self.name((source, id)))
    }

    /// The deliveries whose jobs have this key.
    pub(super) fn about(&self, key: &str) -> Vec<i64> {
        let known = self.known();
        let rows = known.keys.get(&self.name(("", key)));
        rows.into_iter().flatten().map(|(_, row)| *row).collect()
    }

    /// The earliest delivery by the platform's time that stands before this one in its queue, but for these.
    fn before(&self, (key, order): &(String, i64), sorted: &BTreeSet<i64>) -> Option<i64> {
        let known = self.known();
        let rows = known.keys.get(&self.name(("", key)))?;
        let mut earlier = rows.range(..(*order, i64::MIN)).map(|(_, row)| *row);
        earlier.find(|row| !sorted.contains(row))
    }

    /// Whose deliveries lie here.
    pub(super) fn platforms(&self) -> Vec<String> {
        self.known().rows.keys().cloned().collect()
    }

    /// The oldest of each platform, but for these.
    fn oldest(&self, paused: &HashSet<String>, round: usize) -> Vec<i64> {
        let known = self.known();
        let awake = known.rows.iter().filter(|(platform, _)| !paused.contains(*platform));
        awake.flat_map(|(_, rows)| rows.iter().skip(round * AT_ONCE).take(AT_ONCE).copied()).collect()
    }

    /// The rows, how many ids, and the rows that have keys.
    #[cfg(test)]
    pub(super) fn counted(&self) -> (BTreeSet<i64>, usize, BTreeSet<i64>) {
        let known = self.known();
        let rows = known.rows.values().flatten().copied().collect();
        (rows, known.ids.len(), known.keys.values().flatten().map(|(_, row)| *row).collect())
    }

    /// Some of those that lie here longest, whoever is paused.
    pub(super) fn some(&self) -> Vec<i64> {
        self.oldest(&HashSet::new(), 0)
    }
}

/// Sorts, inside one transaction, what lies longest: some deliveries of each platform that isn't paused, and with each
/// further call the next ones.
pub(super) struct Sorting<'a> {
    inbox: &'a Inbox,
    paused: HashSet<String>,
    round: usize,
    /// To be struck out when the transaction is on disk.
    pub(super) sorted: Sorted,
}

impl<'a> Sorting<'a> {
    pub(super) async fn begin(
        connection: &mut SqliteConnection,
        inbox: &'a Inbox,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let paused = if inbox.platforms().is_empty() {
            Vec::new()
        } else {
            query_scalar(PAUSED).bind(millis(now)).fetch_all(connection).await.map_err(fault)?
        };
        Ok(Self { inbox, paused: paused.into_iter().collect(), round: 0, sorted: Sorted::default() })
    }

    /// Sorts the next ones; says whether there were any, and it wasn't time to let others write.
    pub(super) async fn next(&mut self, connection: &mut SqliteConnection) -> Result<bool, StoreError> {
        if self.round == ROUNDS || !self.is_more() {
            return Ok(false);
        }
        self.sort(connection, self.inbox.oldest(&self.paused, self.round)).await?;
        self.round += 1;
        Ok(true)
    }

    /// Whoever is to be worked on next gives way to what is earlier by the platform's time. Heads: key and time of the
    /// first in each queue. Says whether any had to.
    pub(super) async fn bring_forward(
        &mut self,
        connection: &mut SqliteConnection,
        heads: &[(String, i64)],
    ) -> Result<bool, StoreError> {
        let earlier = heads.iter().filter_map(|head| self.inbox.before(head, &self.sorted.asked));
        let earlier: BTreeSet<i64> = earlier.collect();
        self.sort(connection, earlier.iter().copied().collect()).await?;
        Ok(!earlier.is_empty())
    }

    async fn sort(&mut self, connection: &mut SqliteConnection, rows: Vec<i64>) -> Result<(), StoreError> {
        let Sorted { asked, posts } = sort(connection, rows).await?;
        self.sorted.asked.extend(asked);
        self.sorted.posts.extend(posts);
        Ok(())
    }

    /// Does nothing lie here, for anybody?
    pub(super) fn is_idle(&self) -> bool {
        self.inbox.platforms().is_empty()
    }

    /// Is there more to be sorted?
    pub(super) fn is_more(&self) -> bool {
        !self.inbox.oldest(&self.paused, self.round).is_empty()
    }
}

/// Moves these deliveries into the tables. What was sorted meanwhile is left out.
pub(super) async fn sort(connection: &mut SqliteConnection, rows: Vec<i64>) -> Result<Sorted, StoreError> {
    if rows.is_empty() {
        return Ok(Sorted::default());
    }
    let take = query_as::<(i64, String)>(TAKE_OUT).bind(json(&rows)?);
    let mut taken = take.fetch_all(&mut *connection).await.map_err(fault)?;
    taken.sort_unstable_by_key(|(id, _)| *id);
    let read = |(id, text): (i64, String)| {
        serde_json::from_str(&text).unwrap_or_else(|_| Post::unreadable(id, text))
    };
    let posts: Vec<Post> = taken.into_iter().map(read).collect();
    if !posts.is_empty() {
        let heard: Vec<_> = posts.iter().flat_map(|post| &post.heard).collect();
        let jobs: Vec<_> = posts.iter().flat_map(|post| &post.jobs).collect();
        let delivered: Vec<_> = posts.iter().map(|post| &post.delivery).collect();
        let file = query(FILE).bind(json(&heard)?).bind(json(&jobs)?);
        let file = file.bind(json(&queue::turns(&jobs))?).bind(json(&delivered)?);
        file.execute(connection).await.map_err(fault)?;
    }
    Ok(Sorted { asked: rows.into_iter().collect(), posts })
}

/// The rows that lie in the file longest, whether they are known or not.
pub(super) async fn left(connection: &mut SqliteConnection) -> Result<Vec<i64>, StoreError> {
    let at_once = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
    query_scalar(OLDEST).bind(at_once).fetch_all(connection).await.map_err(fault)
}

/// How many jobs the deliveries in the file will become.
pub(super) async fn jobs(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    counted(query_scalar(COUNT_JOBS).fetch_one(connection).await.map_err(fault)?)
}

/// How many deliveries lie in the file, counted up to [`Backlog::COUNTED`], and when the first of them came.
pub(super) async fn load(connection: &mut SqliteConnection) -> Result<(u64, Option<Timestamp>), StoreError> {
    let count = query_scalar(COUNT).bind(Backlog::COUNTED.cast_signed());
    let count = counted(count.fetch_one(&mut *connection).await.map_err(fault)?)?;
    let oldest: Option<i64> = query_scalar(OLDEST_AT).fetch_optional(connection).await.map_err(fault)?;
    Ok((count, oldest.map(time).transpose()?))
}

fn counted(rows: i64) -> Result<u64, StoreError> {
    u64::try_from(rows).map_err(|_| StoreError::Unreadable("a count below zero".to_owned()))
}
