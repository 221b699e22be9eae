//! The store: one SQL text, databases behind the port [`crate::ports::store::Store`].
//!
//! * `sql`: the statements, in the words that every database of ours understands.
//! * `rows`: from rows to values, and from a chain of ledger entries to a deployment.
//! * [`sqlite`]: one file, one writer.

#[cfg(test)]
mod conformance;
mod rows;
mod sql;
pub mod sqlite;
