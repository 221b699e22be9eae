//! A batch of deliveries, in one statement: each further one costs more in handing it to the connection's thread and back
//! than in SQLite. The statement is a transaction of its own, since whatever was written before has ended its own.

use super::dialect::{query, query_scalar};
use super::fault::fault;
use super::inbox::{Envelope, Inbox};
use crate::ports::store::{Accepted, StoreError};
use crate::store::batch::Shelf;
use crate::store::rows::json;
use sqlx::sqlite::SqliteConnection;
use std::collections::HashSet;

/// Those of `$1` that are known from before. A JSON array: of each its source, its id, and where its post begins and how
/// long it is.
macro_rules! known {
    ($what:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM json_each($1) n CROSS JOIN delivery d ON d.source = n.value ->> 0 AND d.id = n.value ->> 1"
        )
    };
}
/// All of them or, if one is known from before, none: `$2` the posts behind each other, `$3` the row of the first. As JSON
/// they would be read here only to be written again.
pub(super) const STORE: &str = concat!(
    "INSERT INTO inbox (id, post) SELECT $3 + key, CAST(substr($2, value ->> 2, value ->> 3) AS TEXT) \
    FROM json_each($1) WHERE NOT EXISTS (",
    known!("1"),
    ")"
);
/// Their places in `$1`.
pub(super) const KNOWN: &str = known!("n.key");

/// Where batches go.
pub(super) struct Tray<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) inbox: &'a Inbox,
}

impl Shelf for Tray<'_> {
    type Delivery = Envelope;

    async fn store(&mut self, deliveries: &[Envelope]) -> Result<Vec<Accepted>, StoreError> {
        let mut new = self.new_of(deliveries);
        if !self.write(&new).await? {
            let known = self.known(&new).await?;
            let unknown = (0..).zip(new).filter(|(place, _)| !known.contains(place));
            new = unknown.map(|(_, one)| one).collect();
            if !self.write(&new).await? {
                return Err(StoreError::Unavailable(
                    "somebody else writes deliveries into the database".into(),
                ));
            }
        }
        let mut answers = vec![Accepted::Duplicate; deliveries.len()];
        for (place, envelope) in &new {
            self.inbox.enter(self.inbox.next_row(), envelope);
            if let Some(answer) = answers.get_mut(*place) {
                *answer = Accepted::Stored;
            }
        }
        Ok(answers)
    }
}

/// What is new of a batch, each with its place there.
type New<'a> = Vec<(usize, &'a Envelope)>;

impl Tray<'_> {
    /// Those that aren't in the inbox; of two with one id, the first.
    fn new_of<'a>(&self, deliveries: &'a [Envelope]) -> New<'a> {
        let mut marks = HashSet::with_capacity(deliveries.len());
        let is_new = |(_, one): &(usize, &Envelope)| marks.insert(one.mark) && !self.inbox.holds(one.mark);
        deliveries.iter().enumerate().filter(is_new).collect()
    }

    /// Says whether it could be: none of them was known from before.
    async fn write(&mut self, new: &New<'_>) -> Result<bool, StoreError> {
        if new.is_empty() {
            return Ok(true);
        }
        let (list, posts) = (list(new)?, new.iter().map(|(_, one)| one.post.as_bytes()).collect::<Vec<_>>());
        let store = query(STORE).bind(list).bind(posts.concat()).bind(self.inbox.next_row());
        let stored = store.execute(&mut *self.connection).await.map_err(fault)?;
        Ok(stored.rows_affected() == new.len() as u64)
    }

    async fn known(&mut self, new: &New<'_>) -> Result<HashSet<i64>, StoreError> {
        let known: Vec<i64> =
            query_scalar(KNOWN).bind(list(new)?).fetch_all(&mut *self.connection).await.map_err(fault)?;
        Ok(known.into_iter().collect())
    }
}

/// As [`STORE`] wants it.
fn list(new: &New<'_>) -> Result<String, StoreError> {
    let (mut list, mut begin) = (Vec::with_capacity(new.len()), 1);
    for (_, Envelope { id: (source, id), post, .. }) in new {
        list.push((source, id, begin, post.len()));
        begin += post.len();
    }
    json(&list)
}
