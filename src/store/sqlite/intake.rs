//! A batch of deliveries, in one statement, which is a transaction of its own: each further one costs more in handing it to
//! the connection's thread and back than in SQLite.

use super::dialect::{query, query_scalar};
use super::fault::fault;
use super::inbox::{Inbox, Post};
use crate::ports::store::{Accepted, NewDelivery, StoreError};
use crate::store::batch::Shelf;
use crate::store::rows::json;
use sqlx::sqlite::SqliteConnection;
use std::collections::HashSet;

/// Those of `$1` that are known from before, a JSON array of source and id of each.
macro_rules! known {
    ($what:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM json_each($1) n CROSS JOIN delivery d ON d.source = n.value ->> 0 AND d.id = n.value ->> 1"
        )
    };
}
/// All of them or, if one is known from before, none: `$2` posts as a JSON array, `$3` the row of the first.
pub(super) const STORE: &str = concat!(
    "INSERT INTO inbox (id, post) SELECT $3 + key, value FROM json_each($2) WHERE NOT EXISTS (",
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
    async fn store(&mut self, deliveries: &[NewDelivery]) -> Result<Vec<Accepted>, StoreError> {
        let mut posts = self.new_posts(deliveries)?;
        if !self.write(&posts).await? {
            let known = self.known(&posts).await?;
            let mut key = 0..;
            posts.retain(|_| key.next().is_none_or(|key| !known.contains(&key)));
            if !self.write(&posts).await? {
                return Err(StoreError::Unavailable(
                    "somebody else writes deliveries into the database".into(),
                ));
            }
        }
        let mut answers = vec![Accepted::Duplicate; deliveries.len()];
        for (place, post) in &posts {
            self.inbox.enter(self.inbox.next_row(), post);
            if let Some(answer) = answers.get_mut(*place) {
                *answer = Accepted::Stored;
            }
        }
        Ok(answers)
    }
}

impl Tray<'_> {
    /// Those that are here once and not in the inbox, each with its place.
    fn new_posts(&self, deliveries: &[NewDelivery]) -> Result<Vec<(usize, Post)>, StoreError> {
        let mut names = HashSet::new();
        let mut new = Vec::with_capacity(deliveries.len());
        for (place, one) in deliveries.iter().enumerate() {
            if names.insert((&one.source, &one.id)) && !self.inbox.knows(&one.source, &one.id) {
                new.push((place, Post::of(one)?));
            }
        }
        Ok(new)
    }

    /// Says whether it could be: none of them was known from before.
    async fn write(&mut self, posts: &[(usize, Post)]) -> Result<bool, StoreError> {
        if posts.is_empty() {
            return Ok(true);
        }
        let rows: Vec<&Post> = posts.iter().map(|(_, post)| post).collect();
        let store = query(STORE).bind(json(&ids(posts))?).bind(json(&rows)?).bind(self.inbox.next_row());
        let stored = store.execute(&mut *self.connection).await.map_err(fault)?;
        Ok(stored.rows_affected() > 0)
    }

    async fn known(&mut self, posts: &[(usize, Post)]) -> Result<HashSet<i64>, StoreError> {
        let known = query_scalar(KNOWN).bind(json(&ids(posts))?);
        let known: Vec<i64> = known.fetch_all(&mut *self.connection).await.map_err(fault)?;
        Ok(known.into_iter().collect())
    }
}

fn ids(posts: &[(usize, Post)]) -> Vec<(&str, &str)> {
    posts.iter().map(|(_, post)| post.id()).collect()
}
