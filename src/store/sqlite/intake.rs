//! A batch of deliveries, in one transaction and one call: each call costs more in handing it to the connection's thread
//! and back than in SQLite.

use super::dialect::query_as;
use super::fault::fault;
use super::inbox::{Inbox, Post};
use super::writer::roll_back;
use crate::ports::store::{Accepted, NewDelivery, StoreError};
use crate::store::batch::Shelf;
use crate::store::rows::json;
use sqlx::sqlite::SqliteConnection;
use std::collections::{HashMap, HashSet};

/// Those that weren't sorted before. `$1`: posts as a JSON array. Returns row, source and id of each.
pub(super) const STORE: &str = "BEGIN IMMEDIATE; \
    INSERT INTO inbox (post) SELECT value FROM json_each($1) w WHERE NOT EXISTS \
        (SELECT 1 FROM delivery WHERE source = w.value ->> '$.delivery[0]' AND id = w.value ->> '$.delivery[1]') \
        ORDER BY w.key RETURNING id, post ->> '$.delivery[0]', post ->> '$.delivery[1]'; \
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
        for post in &posts {
            let (source, id) = post.name();
            if let Some(row) = rows.get(&(source.to_owned(), id.to_owned())) {
                self.inbox.enter(*row, post);
            }
        }
        let answer = |(one, is_new): (&NewDelivery, &bool)| {
            let stored = *is_new && rows.contains_key(&(one.source.clone(), one.id.clone()));
            if stored { Accepted::Stored } else { Accepted::Duplicate }
        };
        Ok(deliveries.iter().zip(&is_new).map(answer).collect())
    }
}

impl Tray<'_> {
    /// Returns the row of each that wasn't there before, by source and id.
    async fn write(&mut self, posts: &[Post]) -> Result<HashMap<(String, String), i64>, StoreError> {
        if posts.is_empty() {
            return Ok(HashMap::new());
        }
        let store = query_as::<(i64, String, String)>(STORE).bind(json(&posts)?);
        match store.fetch_all(&mut *self.connection).await.map_err(fault) {
            Ok(rows) => Ok(rows.into_iter().map(|(row, source, id)| ((source, id), row)).collect()),
            Err(error) => {
                roll_back(self.connection).await;
                Err(error)
            }
        }
    }
}
