//! Opening the file: address, lock, schema, connections.

use super::SqliteStore;
use super::fault::fault;
use super::inbox::Inbox;
use super::sorting;
use super::writer::{Writer, transaction};
use crate::ports::store::StoreError;
use crate::store::open::{Access, OpenError, Surroundings, current, known_schema, migrations, not_newer};
use jiff::{SignedDuration, Timestamp};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Below the intake deadline, so that a foreign writer costs a delivery a 503 and not a hung hook.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
const READERS: u32 = 3;

/// A job that was in hand when its process ended is not attempted sooner than this: the world may still
/// be taking in what that process sent.
const UNKNOWN_OUTCOME: SignedDuration = SignedDuration::from_secs(10);

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
                empty_inbox(&mut connection).await?;
            }
            Access::Beside => must_be_current(&mut connection).await?,
        }
        let reads = readers(&file).await?;
        let inbox = Arc::<Inbox>::default();
        let writer = Writer::start(connection, (lock, Arc::clone(&inbox)), &around);
        Ok(Self { reads, writer, inbox, clock: around.clock })
    }
}

/// Creates the file if it is absent and brings its schema up to date. Returns the schema's number.
pub async fn migrate(url: &str) -> Result<i64, OpenError> {
    let file = file_of(url)?;
    let _lock = lock(&file)?;
    let mut connection = connect(&file, Access::Serve).await?;
    bring_up_to_date(&mut connection).await?;
    connection.close().await.map_err(database)?;
    Ok(known_schema(&MIGRATIONS))
}

/// At the start of the only process: nobody holds a lease any more. What was begun may still arrive in the world,
/// so the next attempt waits until `$1`.
pub(super) const FREE: &str = "UPDATE job INDEXED BY job_leased SET run_at = $1, lease_token = NULL, lease_until = NULL \
    WHERE lease_until IS NOT NULL AND NOT dead";

/// The lock proves that no other process works, so a crashed one's jobs need not wait for their leases.
async fn free_leases(connection: &mut SqliteConnection, now: Timestamp) -> Result<(), OpenError> {
    let again = (now + UNKNOWN_OUTCOME).as_millisecond();
    sqlx::query(FREE).bind(again).execute(connection).await.map_err(database)?;
    Ok(())
}

/// What the process before this one stored and didn't sort: from here on the inbox is known in memory.
async fn empty_inbox(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let sort = |error: StoreError| OpenError::Database(error.to_string());
    loop {
        let rows = sorting::left_behind(connection).await.map_err(sort)?;
        if rows.is_empty() {
            return Ok(());
        }
        transaction(connection, |connection| Box::pin(sorting::sort(connection, rows)))
            .await
            .map_err(sort)?;
    }
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
    // What is stored is written behind the last and not read again: more of it in memory would be of no use.
    let options = options(file).synchronous(SqliteSynchronous::Full).pragma("cache_size", "-512");
    let options = match access {
        Access::Serve => options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal),
        // Whoever audits a backup finds it as it was.
        Access::Beside => options.create_if_missing(false),
    };
    options.connect().await.map_err(database)
}

async fn readers(file: &Path) -> Result<SqlitePool, OpenError> {
    let options = options(file).create_if_missing(false).pragma("query_only", "ON");
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(BUSY_TIMEOUT)
        // A connection to a file doesn't break off, and asking whether it has costs as much as a question.
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(database)
}

const MIGRATIONS: [(&str, &str); 5] = [
    ("start", include_str!("migrations/0001_start.sql")),
    ("chats", include_str!("migrations/0002_chats.sql")),
    ("growth", include_str!("migrations/0003_growth.sql")),
    ("intake", include_str!("migrations/0004_intake.sql")),
    ("inbox", include_str!("migrations/0005_inbox.sql")),
];

async fn bring_up_to_date(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let (found, known) = (schema(connection).await?, known_schema(&MIGRATIONS));
    not_newer(found, known)?;
    Ok(Migrator::with_migrations(migrations(&MIGRATIONS)).run(connection).await?)
}

async fn must_be_current(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    current(schema(connection).await?, known_schema(&MIGRATIONS))
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
