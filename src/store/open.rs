//! What opening any database has in common.

use super::batch;
use crate::ports::clock::Clock;
use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType};
use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address names no file.
    #[error("`{0}` names no database file; write `sqlite:countersign.db` or a path")]
    Address(String),
    /// Another process serves from this file.
    #[error("another process uses this database (it holds {0})")]
    Locked(PathBuf),
    /// The file or its lock file can't be read or created.
    #[error("{path}: {why}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A newer version of the program has changed the schema.
    #[error("the database has schema {found}, this version knows up to {known}; use a newer countersign")]
    Newer {
        /// The schema of the file.
        found: i64,
        /// The newest schema this version knows.
        known: i64,
    },
    /// The schema has to be brought up to date first.
    #[error("the database has schema {found}, this version needs {known}; run `countersign migrate`")]
    Older {
        /// The schema of the file; 0 for an empty one.
        found: i64,
        /// The schema this version needs.
        known: i64,
    },
    /// The schema could not be brought up to date.
    #[error("the schema could not be brought up to date: {0}")]
    Migrate(#[from] MigrateError),
    /// The database doesn't answer.
    #[error("the database can't be opened: {0}")]
    Database(String),
}

/// For what the store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The one process that serves: creates the file, locks it while open, brings the schema up to date.
    Serve,
    /// Beside a serving process (`check`, `audit`): the file must be there with the right schema; no lock.
    Beside,
}

/// What the store needs from outside.
#[derive(Clone)]
pub struct Surroundings {
    /// Makes lease tokens.
    pub clock: Arc<dyn Clock>,
    /// Waits for the writer at shutdown.
    pub tasks: TaskTracker,
    /// A delivery that has waited longer than this for its transaction is answered `Unavailable`.
    pub intake_deadline: Duration,
}

impl Surroundings {
    /// With the usual intake deadline of two seconds.
    pub fn new(clock: Arc<dyn Clock>, tasks: TaskTracker) -> Self {
        Self { clock, tasks, intake_deadline: batch::DEADLINE }
    }
}

/// A schema's steps, oldest first: their names and their statements.
pub(super) fn migrations(steps: &[(&'static str, &'static str)]) -> Vec<Migration> {
    let numbered = (1..).zip(steps);
    numbered
        .map(|(version, (name, sql))| {
            Migration::new(version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect()
}

/// The number of the last of these steps.
pub(super) fn known_schema(steps: &[(&str, &str)]) -> i64 {
    i64::try_from(steps.len()).unwrap_or(i64::MAX)
}

/// A schema may be brought up to date, never back.
pub(super) fn not_newer(found: i64, known: i64) -> Result<(), OpenError> {
    if found > known { Err(OpenError::Newer { found, known }) } else { Ok(()) }
}

/// The schema must be the one that this version knows.
pub(super) fn current(found: i64, known: i64) -> Result<(), OpenError> {
    match found.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(OpenError::Newer { found, known }),
        Ordering::Less => Err(OpenError::Older { found, known }),
    }
}
