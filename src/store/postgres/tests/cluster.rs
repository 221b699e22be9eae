//! A database of one's own in the cluster that `tests/run` starts.

use super::*;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use url::Url;

/// The address of the cluster's own database, with the right to make others.
const CLUSTER: &str = "COUNTERSIGN_TEST_POSTGRES";
/// The address of a PgBouncer in transaction mode before it, which knows its databases.
const BOUNCER: &str = "COUNTERSIGN_TEST_PGBOUNCER";

/// A database that is there until it is torn down, and stores on it, which share a tracker and a clock.
pub(super) struct House {
    cluster: PgConnectOptions,
    name: String,
    url: Url,
    clock: Arc<StandingClock>,
    pub(super) tasks: TaskTracker,
}

impl House {
    /// `None`, and a loud word, where no cluster is; a failure where there has to be one.
    pub(super) async fn new() -> Option<Self> {
        Self::at(&address(CLUSTER)?).await
    }

    /// Its stores speak to PgBouncer.
    pub(super) async fn behind_bouncer() -> Option<Self> {
        Self::at(&address(BOUNCER)?).await
    }

    async fn at(address: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("story_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut url = Url::parse(address).unwrap();
        url.set_path(&name);
        let cluster = PgConnectOptions::from_str(&self::address(CLUSTER)?).unwrap();
        let house = Self { cluster, name, url, clock: Arc::default(), tasks: TaskTracker::new() };
        house.order("CREATE DATABASE", "").await;
        Some(house)
    }

    /// Every store on it is closed by force.
    pub(super) async fn tear_down(self) {
        self.order("DROP DATABASE", "WITH (FORCE)").await;
    }

    /// Changes a setting of the database, for connections to come.
    pub(super) async fn alter(&self, how: &str) {
        self.order("ALTER DATABASE", how).await;
    }

    async fn order(&self, what: &str, how: &str) {
        let statement = AssertSqlSafe(format!("{what} {} {how}", self.name));
        let mut connection = self.cluster.connect().await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    pub(super) fn around(&self) -> Surroundings {
        // Long enough that no slow machine makes a story fail.
        let intake_deadline = Duration::from_mins(10);
        Surroundings { intake_deadline, ..Surroundings::new(self.clock.clone(), self.tasks.clone()) }
    }

    pub(super) async fn try_open(
        &self,
        access: Access,
        lease_time: LeaseTime,
    ) -> Result<PostgresStore, OpenError> {
        PostgresStore::open(self.url(), access, self.around(), lease_time).await
    }

    pub(super) async fn open(&self) -> Arc<PostgresStore> {
        Arc::new(self.try_open(Access::Serve, LeaseTime::Caller).await.unwrap())
    }

    /// Several instances, as several processes would have them.
    pub(super) async fn open_several(&self, number: usize) -> Vec<Arc<PostgresStore>> {
        let mut instances = Vec::new();
        for _ in 0..number {
            instances.push(self.open().await);
        }
        instances
    }

    /// Returns once a transaction waits for another one's lock.
    pub(super) async fn wait_for_a_waiting_one(&self) {
        let mut connection = self.raw().await;
        let waiting = "SELECT COUNT(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
            WHERE NOT l.granted AND a.datname = current_database()";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut connection).await.unwrap() == 0 {}
    }

    /// A connection past the store, for tampering.
    pub(super) async fn raw(&self) -> PgConnection {
        PgConnectOptions::from_str(self.url()).unwrap().connect().await.unwrap()
    }

    pub(super) async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.raw().await).await.unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "where the cluster is, only the environment knows")]
#[expect(clippy::print_stderr, reason = "what isn't tested is said")]
fn address(variable: &str) -> Option<String> {
    let address = std::env::var(variable).ok();
    if address.is_none() {
        assert!(std::env::var("CI").is_err(), "{variable} isn't set: this store isn't tested");
        eprintln!("SKIPPED: {variable} isn't set; tests/postgres starts what is needed and sets it");
    }
    address
}
