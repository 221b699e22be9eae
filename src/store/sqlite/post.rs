//! A delivery as it lies in the inbox: the rows that it becomes when it is sorted.

use super::queue;
use crate::ports::store::{Lane, NewDelivery, StoreError};
use crate::store::batch::{self, Announced};
use crate::store::rows::{jobs_of, millis};
use serde::{Deserialize, Serialize};

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
    pub(super) fn platform(&self) -> &str {
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
