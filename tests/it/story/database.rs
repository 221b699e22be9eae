//! What a story's server keeps its decisions in.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use url::Url;

/// A database of one story.
pub(crate) enum Database {
    /// A file in a folder.
    File(TempDir),
    /// A database of the cluster at this address.
    Cluster { cluster: String, name: String },
}

impl Database {
    pub(crate) fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn of_cluster(cluster: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("told_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let database = Self::Cluster { cluster: cluster.to_owned(), name };
        database.order("CREATE DATABASE {}").await;
        database
    }

    /// What the configuration says of it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::File(_) => format!("sqlite:{}", self.path().display()),
            Self::Cluster { cluster, name } => {
                let mut url = Url::parse(cluster).unwrap();
                url.set_path(name);
                url.into()
            }
        }
    }

    /// The file.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::File(folder) => folder.path().join("story.db"),
            Self::Cluster { name, .. } => panic!("{name} is no file"),
        }
    }

    /// One that failed stays, to be looked at, as long as its cluster does.
    pub(crate) async fn tear_down(self) {
        self.order("DROP DATABASE {} WITH (FORCE)").await;
    }

    async fn order(&self, statement: &str) {
        let Self::Cluster { cluster, name } = self else { return };
        let mut connection = PgConnectOptions::from_str(cluster).unwrap().connect().await.unwrap();
        let statement = AssertSqlSafe(statement.replace("{}", name));
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}
