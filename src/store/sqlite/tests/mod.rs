//! The stories of every store, and what only SQLite can do wrong.

mod chats;
mod file;
mod queues;
mod speed;
mod unsorted;

use super::*;
use crate::domain::ledger::{Broken, Word, verify};
use crate::ports::store::Lane;
use crate::store::conformance::{
    self, Shared, StandingClock, account, at, change, commented, delivery, description, id, job, opened,
    voted,
};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

/// A directory with a database file that outlives the stores opened on it.
struct House {
    directory: TempDir,
    tasks: TaskTracker,
}

impl House {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), tasks: TaskTracker::new() }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("countersign.db")
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.file().display())
    }

    fn around(&self) -> Surroundings {
        // Long enough that no slow machine makes a story fail.
        let intake_deadline = Duration::from_mins(10);
        Surroundings {
            intake_deadline,
            ..Surroundings::new(Arc::new(StandingClock::default()), self.tasks.clone())
        }
    }

    async fn try_open(&self, access: Access) -> Result<SqliteStore, OpenError> {
        SqliteStore::open(&self.url(), access, self.around()).await
    }

    async fn open(&self) -> Arc<SqliteStore> {
        Arc::new(self.try_open(Access::Serve).await.unwrap())
    }

    /// A connection past the store, for tampering.
    async fn raw(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.file()).connect().await.unwrap()
    }

    async fn execute(&self, statement: impl Into<String>) {
        sqlx::query(AssertSqlSafe(statement.into())).execute(&mut self.raw().await).await.unwrap();
    }

    /// A file as it was when only these migrations were known.
    async fn migrate_only(&self, known: &[(&'static str, &'static str)]) {
        let options = SqliteConnectOptions::new().filename(self.file()).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        let migrator = Migrator::with_migrations(crate::store::open::migrations(known));
        migrator.run(&mut connection).await.unwrap();
    }
}

macro_rules! run {
    ($($room:ident: $story:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $story() {
                let house = House::new();
                conformance::$room::$story(house.open().await).await;
            }
        )+
    };
}

mod every_store {
    use super::*;
    conformance::stories!(run);
}
