//! Sorting the inbox, as mail is sorted: its deliveries go into the tables that everybody reads, inside a transaction of
//! the one that writes.

use super::dialect::{query, query_as, query_scalar};
use super::fault::fault;
use super::inbox::{Inbox, Sorted};
use super::post::Post;
use super::queue;
use crate::ports::store::StoreError;
use crate::store::rows::{json, millis, time};
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use std::collections::{BTreeSet, HashSet};

/// Deliveries that are sorted at once, of each platform: few enough that whoever waits for the writer doesn't notice.
pub(super) const AT_ONCE: usize = 64;
/// At least so many in a look: of those that lie longest not each can be worked on at once.
const AT_LEAST: usize = 16;
/// So often in one transaction, while a hand is free.
const ROUNDS: usize = 4;
/// Deliveries in one transaction at the start, when nobody waits.
const AT_THE_START: i64 = 4096;

/// `$1`: rows as a JSON array. As bytes: what is damaged may be no text.
pub(super) const TAKE_OUT: &str =
    "DELETE FROM inbox WHERE id IN (SELECT value FROM json_each($1)) RETURNING id, CAST(post AS BLOB)";
/// All tables at once. JSON arrays: `$1` rows of `heard` (the first announcement counts), `$2` and `$3` as
/// [`queue::insert_all`] fixes them, `$4` rows of `delivery`. Without WHERE, ON CONFLICT would be read as a join's
/// condition.
pub(super) const SORT_IN: &str = concat!(
    "INSERT INTO delivery (source, id, digest, received_at) SELECT value ->> 'source', value ->> 'id', \
            value ->> 'digest', value ->> 'received_at' FROM json_each($4) WHERE TRUE ORDER BY key \
        ON CONFLICT (source, id) DO NOTHING; \
    INSERT INTO heard (comment, digest, author, heard_at) SELECT value ->> 'comment', value ->> 'digest', \
            value ->> 'author', value ->> 'heard_at' FROM json_each($1) WHERE TRUE ORDER BY key \
        ON CONFLICT (comment) DO NOTHING; ",
    queue::insert_all!()
);
pub(super) const OLDEST: &str = "SELECT id FROM inbox ORDER BY id LIMIT $1";
/// What is damaged is told when it is sorted.
pub(super) const OLDEST_AT: &str = "SELECT post ->> '$.delivery.received_at' FROM inbox WHERE json_valid(post) \
    ORDER BY id LIMIT 1";
/// Deliveries, and their jobs. `$1`: where counting deliveries ends.
pub(super) const COUNT: &str = "SELECT COUNT(*), COALESCE(SUM(CASE WHEN json_valid(post) \
    THEN json_array_length(post, '$.jobs') ELSE 1 END), 0) FROM (SELECT post FROM inbox LIMIT $1)";
const PAUSED: &str = "SELECT forge FROM pause WHERE until > $1";

/// What one look at the queue sorts, to be struck out when its transaction is on disk.
pub(super) struct Sorting<'a> {
    inbox: &'a Inbox,
    paused: HashSet<String>,
    /// So many of each platform were looked at.
    done: usize,
    rounds: usize,
    sorted: Sorted,
}

impl<'a> Sorting<'a> {
    pub(super) async fn begin(
        connection: &mut SqliteConnection,
        inbox: &'a Inbox,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let paused = if inbox.is_empty() {
            Vec::new()
        } else {
            query_scalar(PAUSED).bind(millis(now)).fetch_all(connection).await.map_err(fault)?
        };
        let paused = paused.into_iter().collect();
        Ok(Self { inbox, paused, done: 0, rounds: 0, sorted: Sorted::default() })
    }

    /// Sorts what lies longest, of each platform that isn't paused: enough for so many hands. With each further call the
    /// next ones.
    pub(super) async fn next(
        &mut self,
        connection: &mut SqliteConnection,
        hands: usize,
    ) -> Result<(), StoreError> {
        let most = if self.rounds == 0 { hands.clamp(AT_LEAST, AT_ONCE) } else { AT_ONCE };
        let rows = self.inbox.oldest(&self.paused, (self.done, most));
        self.done += most;
        self.rounds += 1;
        self.sort(connection, rows.into_iter().collect()).await
    }

    /// Does nothing lie there, for anybody?
    pub(super) fn is_idle(&self) -> bool {
        self.inbox.is_empty()
    }

    /// Is there more, and is it not time to let others write?
    pub(super) fn goes_on(&self) -> bool {
        self.rounds < ROUNDS && self.is_more()
    }

    fn is_more(&self) -> bool {
        !self.inbox.oldest(&self.paused, (self.done, 1)).is_empty()
    }

    /// Whoever is to be worked on next gives way to what is earlier by the platform's time. Heads: key and time of the
    /// first in each queue. Says whether any had to.
    pub(super) async fn bring_forward(
        &mut self,
        connection: &mut SqliteConnection,
        heads: &[(String, i64)],
    ) -> Result<bool, StoreError> {
        let earlier = heads.iter().filter_map(|head| self.inbox.before(head, &self.sorted.rows));
        let earlier: BTreeSet<i64> = earlier.collect();
        let is_any = !earlier.is_empty();
        self.sort(connection, earlier).await?;
        Ok(is_any)
    }

    async fn sort(
        &mut self,
        connection: &mut SqliteConnection,
        rows: BTreeSet<i64>,
    ) -> Result<(), StoreError> {
        self.sorted.extend(sort(connection, rows).await?);
        Ok(())
    }

    /// What was sorted, and whether there is more.
    pub(super) fn end(self) -> (Sorted, bool) {
        let is_more = self.is_more();
        (self.sorted, is_more)
    }
}

/// Moves these deliveries into the tables. What was sorted meanwhile is left out.
pub(super) async fn sort(
    connection: &mut SqliteConnection,
    rows: BTreeSet<i64>,
) -> Result<Sorted, StoreError> {
    if rows.is_empty() {
        return Ok(Sorted::default());
    }
    let take = query_as::<(i64, Vec<u8>)>(TAKE_OUT).bind(json(&rows)?);
    let mut taken = take.fetch_all(&mut *connection).await.map_err(fault)?;
    taken.sort_unstable_by_key(|(row, _)| *row);
    let posts: Vec<(i64, Post)> =
        taken.into_iter().map(|(row, json)| (row, Post::read(row, &json))).collect();
    if !posts.is_empty() {
        sort_in(connection, &posts).await?;
    }
    Ok(Sorted { rows, posts })
}

async fn sort_in(connection: &mut SqliteConnection, posts: &[(i64, Post)]) -> Result<(), StoreError> {
    let delivered: Vec<_> = posts.iter().map(|(_, post)| post.delivery()).collect();
    let heard: Vec<_> = posts.iter().flat_map(|(_, post)| post.heard()).collect();
    let jobs: Vec<_> = posts.iter().flat_map(|(_, post)| post.jobs()).collect();
    let sort_in = query(SORT_IN).bind(json(&heard)?).bind(json(&jobs)?);
    let sort_in = sort_in.bind(json(&queue::turns(&jobs))?).bind(json(&delivered)?);
    sort_in.execute(connection).await.map_err(fault)?;
    Ok(())
}

/// What lies in the file longest, before anything of it is known.
pub(super) async fn left_behind(connection: &mut SqliteConnection) -> Result<BTreeSet<i64>, StoreError> {
    let rows: Vec<i64> =
        query_scalar(OLDEST).bind(AT_THE_START).fetch_all(connection).await.map_err(fault)?;
    Ok(rows.into_iter().collect())
}

/// How many deliveries lie in the file, counted to an end, and how many jobs they will become.
pub(super) async fn count(connection: &mut SqliteConnection, most: i64) -> Result<(u64, u64), StoreError> {
    let count = query_as::<(i64, i64)>(COUNT).bind(most).fetch_one(connection).await.map_err(fault)?;
    Ok((count.0.unsigned_abs(), count.1.unsigned_abs()))
}

/// When the first delivery in the file came.
pub(super) async fn oldest_at(connection: &mut SqliteConnection) -> Result<Option<Timestamp>, StoreError> {
    let oldest = query_scalar::<i64>(OLDEST_AT).fetch_optional(connection).await.map_err(fault)?;
    oldest.map(time).transpose()
}
