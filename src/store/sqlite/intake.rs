//! A batch of deliveries, in one transaction and one call: each call costs more in handing it to the connection's thread
//! and back than in SQLite.

use super::dialect::query_scalar;
use super::fault::fault;
use super::inbox::{Inbox, Post};
use super::writer::roll_back;
use crate::ports::store::{Accepted, NewDelivery, StoreError};
use crate::store::batch::Shelf;
use crate::store::rows::{from_json, json};
use sqlx::sqlite::SqliteConnection;
use std::collections::HashSet;

/// Those that aren't known from before. JSON arrays: `$1` posts, `$2` source and id of each; `$3`: the row of the first.
/// Answers the rows that were written as one value: each row of an answer is handed from thread to thread.
pub(super) const STORE: &str = "BEGIN IMMEDIATE; \
    INSERT INTO inbox (id, post) SELECT $3 + key, value FROM json_each($1) WHERE key NOT IN (SELECT n.key \
        FROM json_each($2) n CROSS JOIN delivery d ON d.source = n.value ->> 0 AND d.id = n.value ->> 1); \
    SELECT json_group_array(id) FROM inbox WHERE id >= $3; \
    COMMIT";

/// Where batches go.
pub(super) struct Tray<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) inbox: &'a Inbox,
}

impl Shelf for Tray<'_> {
    async fn store(&mut self, deliveries: &[NewDelivery]) -> Result<Vec<Accepted>, StoreError> {
        let mut names = HashSet::new();
        let is_new: Vec<bool> = deliveries
            .iter()
            .map(|one| names.insert((&one.source, &one.id)) && !self.inbox.knows(&one.source, &one.id))
            .collect();
        let new = deliveries.iter().zip(&is_new).filter_map(|(one, is_new)| is_new.then_some(one));
        let posts = new.map(Post::of).collect::<Result<Vec<_>, _>>()?;
        let rows = self.write(&posts).await?;
        for (row, post) in rows.iter().zip(&posts) {
            if let Some(row) = row {
                self.inbox.enter(*row, post);
            }
        }
        let mut answers = vec![Accepted::Duplicate; deliveries.len()];
        let news = answers.iter_mut().zip(is_new).filter_map(|(answer, is_new)| is_new.then_some(answer));
        for (answer, row) in news.zip(rows) {
            if row.is_some() {
                *answer = Accepted::Stored;
            }
        }
        Ok(answers)
    }
}

impl Tray<'_> {
    /// Returns for each its row, if it wasn't there before.
    async fn write(&mut self, posts: &[Post]) -> Result<Vec<Option<i64>>, StoreError> {
        if posts.is_empty() {
            return Ok(Vec::new());
        }
        let (first, ids) = (self.inbox.next_row(), posts.iter().map(Post::id).collect::<Vec<_>>());
        let store = query_scalar::<String>(STORE).bind(json(&posts)?).bind(json(&ids)?).bind(first);
        match store.fetch_all(&mut *self.connection).await.map_err(fault) {
            Ok(written) => {
                let rows: HashSet<i64> = from_json("what was stored", &written.concat())?;
                let numbered = (first..).take(posts.len());
                Ok(numbered.map(|row| rows.contains(&row).then_some(row)).collect())
            }
            Err(error) => {
                roll_back(self.connection).await;
                Err(error)
            }
        }
    }
}
