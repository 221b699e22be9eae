//! Opening the file: address, lock, schema, connections.

use super::fault::fault;
use super::writer::Writer;
use super::{SqliteStore, intake};
use crate::ports::clock::Clock;
use crate::store::sql;
use jiff::{SignedDuration, Timestamp};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqlSafeStr};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// Below the intake deadline, so that a foreign writer costs a delivery a 503 and not a hung hook.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
const READERS: u32 = 4;

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

/// A job that was in hand when its process ended is not attempted sooner than this: the world may still
/// be taking in what that process sent.
const UNKNOWN_OUTCOME: SignedDuration = SignedDuration::from_secs(10);

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
        Self { clock, tasks, intake_deadline: intake::DEADLINE }
    }
}

impl SqliteStore {
    /// Opens `sqlite:FILE`, `sqlite://FILE` or a plain path.
    pub async fn open(url: &str, access: Access, around: Surroundings) -> Result<Self, OpenError> {
        let file = file_of(url)?;
        let lock = match access {
            Access::Serve => Some(lock(&file)?),
            Access::Beside => None,
        };
        let mut connection = connect(&file, access).await?;
        match access {
            Access::Serve => {
                bring_up_to_date(&mut connection).await?;
                free_leases(&mut connection, around.clock.now()).await?;
            }
            Access::Beside => must_be_current(&mut connection).await?,
        }
        let reads = readers(&file).await?;
        let writer = Writer::start(connection, lock, &around);
        Ok(Self { reads, writer, clock: around.clock })
    }
}

/// Creates the file if it is absent and brings its schema up to date. Returns the schema's number.
pub async fn migrate(url: &str) -> Result<i64, OpenError> {
    let file = file_of(url)?;
    let _lock = lock(&file)?;
    let mut connection = connect(&file, Access::Serve).await?;
    bring_up_to_date(&mut connection).await?;
    connection.close().await.map_err(database)?;
    Ok(newest())
}

/// The lock proves that no other process works, so a crashed one's jobs need not wait for their leases.
async fn free_leases(connection: &mut SqliteConnection, now: Timestamp) -> Result<(), OpenError> {
    let again = (now + UNKNOWN_OUTCOME).as_millisecond();
    sqlx::query(sql::job::FREE).bind(again).execute(connection).await.map_err(database)?;
    Ok(())
}

fn file_of(url: &str) -> Result<PathBuf, OpenError> {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
    let is_file = !path.is_empty() && !path.starts_with(':') && !path.contains(['?', '\0']);
    if is_file && !path.contains("://") {
        Ok(PathBuf::from(path))
    } else {
        Err(OpenError::Address(url.to_owned()))
    }
}

fn lock(file: &Path) -> Result<File, OpenError> {
    let mut path = file.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let opened = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = opened.map_err(|why| OpenError::Io { path: path.clone(), why })?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path)),
        Err(TryLockError::Error(why)) => Err(OpenError::Io { path, why }),
    }
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(file).foreign_keys(true).busy_timeout(BUSY_TIMEOUT)
}

async fn connect(file: &Path, access: Access) -> Result<SqliteConnection, OpenError> {
    if access == Access::Beside {
        // A missing file is told by the system's own words, not by SQLite's "unable to open".
        std::fs::metadata(file).map_err(|why| OpenError::Io { path: file.to_owned(), why })?;
    }
    let options = options(file)
        .create_if_missing(access == Access::Serve)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    options.connect().await.map_err(database)
}

async fn readers(file: &Path) -> Result<SqlitePool, OpenError> {
    let options = options(file).create_if_missing(false).pragma("query_only", "ON");
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(BUSY_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(database)
}

fn migrations() -> Vec<Migration> {
    let texts = [("start", include_str!("migrations/0001_start.sql"))];
    (1..)
        .zip(texts)
        .map(|(version, (name, sql))| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect()
}

fn newest() -> i64 {
    migrations().iter().map(|migration| migration.version).max().unwrap_or(0)
}

async fn bring_up_to_date(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let (found, known) = (schema(connection).await?, newest());
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    Ok(Migrator::with_migrations(migrations()).run(connection).await?)
}

async fn must_be_current(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let (found, known) = (schema(connection).await?, newest());
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(OpenError::Newer { found, known }),
        std::cmp::Ordering::Less => Err(OpenError::Older { found, known }),
    }
}

/// The number of the newest migration that the file has seen; 0 before the first.
async fn schema(connection: &mut SqliteConnection) -> Result<i64, OpenError> {
    let is_there = "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    let tables: i64 = sqlx::query_scalar(is_there).fetch_one(&mut *connection).await.map_err(database)?;
    if tables == 0 {
        return Ok(0);
    }
    let newest = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
    sqlx::query_scalar(newest).fetch_one(connection).await.map_err(database)
}

fn database(error: sqlx::Error) -> OpenError {
    OpenError::Database(fault(error).to_string())
}
