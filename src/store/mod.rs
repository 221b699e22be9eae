//! The store: databases behind the port [`crate::ports::store::Store`].
//!
//! * `sql`: the statements, in the words that every database of ours understands; `shared`: what is done with them,
//!   one text compiled once for each database, since no type of sqlx stands for both.
//! * `rows`: from rows to values, and from a chain of ledger entries to a deployment.
//! * `batch`: deliveries that share a transaction.
//! * [`sqlite`]: one file, one process, one writer.
//! * [`postgres`]: any number of processes.

mod batch;
#[cfg(test)]
mod conformance;
mod open;
pub mod postgres;
mod rows;
mod sql;
pub mod sqlite;

use crate::ports::store::Store;
use async_trait::async_trait;
pub use open::{Access, OpenError, Surroundings};
use std::sync::Arc;
use tokio::sync::Notify;

/// A store that this process holds open.
#[async_trait]
pub trait OpenStore: Store {
    /// Takes no further writes, writes what is queued, lets go of the database. Afterwards every call answers
    /// [`crate::ports::store::StoreError::Unavailable`].
    async fn close(&self);

    /// From now on `wake` may be told when another process has written jobs. It is a hint: jobs have to be looked
    /// for without it, too.
    fn listen(&self, wake: Arc<Notify>);
}
