//! The database of a run, and how it is taken away for a while.

use super::board::Board;
use super::chance::Chance;
use super::cluster::OwnCluster;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use url::Url;

/// What a run keeps its decisions in.
pub(super) enum Database {
    /// A file in a folder.
    File { folder: PathBuf, can: Can },
    /// A database of a cluster, which may be this run's own.
    Cluster { cluster: String, name: String, own: Option<OwnCluster> },
}

/// What else can befall a file, beside being locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Can {
    /// Nothing.
    Nothing,
    /// It lies on a small disk of its own, which can be filled.
    Fill,
    /// It can be made immutable: whoever opens it can't write, and who has it open no longer can either.
    Freeze,
}

/// What is wrong with it at the moment.
pub(super) enum Ailment {
    /// Another connection holds the write lock.
    Locked(SqliteConnection),
    /// The disk is full.
    Full(PathBuf),
    /// Nobody can connect, and whoever was connected no longer is.
    Away,
    /// Everything is refused that would write.
    ReadOnly,
    /// The cluster's processes are gone.
    Stopped,
    /// The file and its log can't be written to.
    Immutable,
}

impl Database {
    /// A file to which this can happen, as far as the system lets it.
    pub(super) fn file(folder: &Path, wanted: Can) -> Self {
        let folder = folder.join("store");
        std::fs::create_dir(&folder).unwrap();
        let has = match wanted {
            Can::Nothing => false,
            Can::Fill => mount(&folder),
            Can::Freeze => freezes(&folder),
        };
        Self::File { folder, can: if has { wanted } else { Can::Nothing } }
    }

    /// A new database of a cluster.
    pub(super) async fn of_cluster(cluster: &str) -> Self {
        Self::create(cluster.to_owned(), None).await
    }

    /// A new database of a cluster of its own.
    pub(super) async fn of_own_cluster(programs: PathBuf) -> Self {
        let own = tokio::task::spawn_blocking(|| OwnCluster::start(programs)).await.unwrap();
        Self::create(own.address(), Some(own)).await
    }

    async fn create(cluster: String, own: Option<OwnCluster>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("endurance_{}_{number}", std::process::id());
        let database = Self::Cluster { cluster, name, own };
        database.order("CREATE DATABASE {}").await;
        database
    }

    /// What the configuration says of it.
    pub(super) fn url(&self) -> String {
        match self {
            Self::File { folder, .. } => format!("sqlite:{}", folder.join("countersign.db").display()),
            Self::Cluster { cluster, name, .. } => {
                let mut url = Url::parse(cluster).unwrap();
                url.set_path(name);
                url.into()
            }
        }
    }

    /// Lets it ail until [`Database::recovers`].
    pub(super) async fn ails(&self, chance: &mut Chance, board: &Board) -> Ailment {
        let (name, ailment) = match self {
            Self::File { folder, can: Can::Fill } if chance.percent(50) => ("full", fill(folder)),
            Self::File { folder, can: Can::Freeze } if chance.percent(50) => {
                freeze(folder, true);
                ("immutable", Ailment::Immutable)
            }
            Self::File { folder, .. } => ("locked", lock(folder).await),
            Self::Cluster { own: Some(own), .. } if chance.percent(70) => {
                if chance.percent(60) {
                    own.stop();
                    ("stopped", Ailment::Stopped)
                } else {
                    own.kill();
                    ("killed", Ailment::Stopped)
                }
            }
            Self::Cluster { .. } if chance.percent(50) => {
                self.order("ALTER DATABASE {} SET default_transaction_read_only = on").await;
                self.drop_everybody().await;
                ("read-only", Ailment::ReadOnly)
            }
            Self::Cluster { .. } => {
                self.order("ALTER DATABASE {} ALLOW_CONNECTIONS false").await;
                self.drop_everybody().await;
                ("away", Ailment::Away)
            }
        };
        board.count(&format!("database {name}"));
        board.note(format!("  the database is {name}"));
        ailment
    }

    pub(super) async fn recovers(&self, ailment: Ailment, board: &Board) {
        match ailment {
            Ailment::Locked(connection) => connection.close().await.unwrap(),
            Ailment::Full(filler) => std::fs::remove_file(filler).unwrap(),
            Ailment::Immutable => {
                if let Self::File { folder, .. } = self {
                    freeze(folder, false);
                }
            }
            Ailment::Stopped => {
                if let Self::Cluster { own: Some(own), .. } = self {
                    own.start_again().await;
                }
            }
            Ailment::Away => self.order("ALTER DATABASE {} ALLOW_CONNECTIONS true").await,
            Ailment::ReadOnly => {
                self.order("ALTER DATABASE {} RESET default_transaction_read_only").await;
                self.drop_everybody().await;
            }
        }
        board.note("  the database is well again");
    }

    pub(super) async fn tear_down(self) {
        if let Self::Cluster { .. } = self {
            self.order("DROP DATABASE {} WITH (FORCE)").await;
        }
    }

    async fn drop_everybody(&self) {
        self.order("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'").await;
    }

    async fn order(&self, statement: &str) {
        let Self::Cluster { cluster, name, .. } = self else { return };
        let mut connection = PgConnectOptions::from_str(cluster).unwrap().connect().await.unwrap();
        let statement = AssertSqlSafe(statement.replace("{}", name));
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        match self {
            Self::File { folder, can: Can::Fill } => {
                let _gone = Command::new("umount").arg("-l").arg(folder).status();
            }
            Self::File { folder, can: Can::Freeze } => {
                freeze(folder, false);
            }
            Self::File { can: Can::Nothing, .. } | Self::Cluster { .. } => {}
        }
    }
}

async fn lock(folder: &Path) -> Ailment {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("countersign.db"))
        .busy_timeout(Duration::from_secs(10));
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
    Ailment::Locked(connection)
}

/// A disk of sixteen megabytes, where the system lets us have one: several times what a run writes.
fn mount(folder: &Path) -> bool {
    let options = ["-t", "tmpfs", "-o", "size=16m", "countersign-endurance"];
    let mounted = Command::new("mount").args(options).arg(folder).output();
    mounted.is_ok_and(|output| output.status.success())
}

/// Makes the database and its log immutable, or takes that back.
fn freeze(folder: &Path, on: bool) -> bool {
    let files = ["countersign.db", "countersign.db-wal"].map(|name| folder.join(name));
    let files = files.iter().filter(|file| file.exists());
    let changed = Command::new("chattr").arg(if on { "+i" } else { "-i" }).args(files).output();
    changed.is_ok_and(|output| output.status.success())
}

/// Whether an immutable file is closed to those who have it open, too: not everybody may ask for it, and not every
/// file system keeps to it.
fn freezes(folder: &Path) -> bool {
    let probe = folder.join("countersign.db");
    let mut open = File::create(&probe).unwrap();
    let frozen = freeze(folder, true) && open.write_all(b"x").is_err();
    freeze(folder, false);
    std::fs::remove_file(probe).unwrap();
    frozen
}

/// Writes until nothing fits any more.
fn fill(folder: &Path) -> Ailment {
    let filler = folder.join("filler");
    let mut file = File::create(&filler).unwrap();
    for size in [65_536, 4096, 1] {
        let piece = vec![b'x'; size];
        while file.write_all(&piece).is_ok() {}
    }
    Ailment::Full(filler)
}
