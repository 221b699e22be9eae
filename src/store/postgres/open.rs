//! Opening the database: address, schema, connections, tasks.

use super::bell::Bell;
use super::dialect::query_scalar;
use super::fault::fault;
use super::locks::Locks;
use super::{LeaseTime, PostgresStore};
use crate::ports::store::NewDelivery;
use crate::store::batch::{self, Intake, Waiting};
use crate::store::open::{Access, OpenError, Surroundings, current, known_schema, migrations, not_newer};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use std::str::FromStr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// One for deliveries, one that listens, the rest for workers and questions.
const CONNECTIONS: u32 = 12;
/// Below the intake deadline: a delivery is answered 503 in time when the database is away.
const ACQUIRE: Duration = Duration::from_millis(1500);
/// For the first connection, at the start.
const CONNECT: Duration = Duration::from_secs(10);

const MIGRATIONS: [(&str, &str); 3] = [
    ("start", include_str!("migrations/0001_start.sql")),
    ("chats", include_str!("migrations/0002_chats.sql")),
    ("growth", include_str!("migrations/0003_growth.sql")),
];

impl PostgresStore {
    /// Opens `postgres://USER@HOST/DATABASE`. What the address leaves out, `PGUSER`, `PGPASSWORD` and their like say.
    pub async fn open(
        url: &str,
        access: Access,
        around: Surroundings,
        lease_time: LeaseTime,
    ) -> Result<Self, OpenError> {
        let options = options(url)?;
        let mut connection = connect(&options).await?;
        match access {
            Access::Serve => bring_up_to_date(&mut connection).await?,
            Access::Beside => current(schema(&mut connection).await?, known_schema(&MIGRATIONS))?,
        }
        connection.close().await.map_err(database)?;
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE);
        Ok(Self::start(pool.connect_lazy_with(options), &around, lease_time))
    }

    fn start(pool: PgPool, around: &Surroundings, lease_time: LeaseTime) -> Self {
        let (intake, waiting) = Intake::queue();
        let store = Self {
            bell: Bell::new(pool.clone(), around.clock.new_id()),
            pool,
            intake,
            clock: around.clock.clone(),
            lease_time,
            stop: CancellationToken::new(),
            all_tasks: around.tasks.clone(),
            tasks: TaskTracker::new(),
        };
        store.spawn(take_in(store.pool.clone(), waiting, around.intake_deadline, store.stop.clone()));
        store.spawn(store.bell.clone().pass_on(store.stop.clone()));
        store
    }
}

/// Writes what waits, batch by batch, until told to stop; then what is queued.
async fn take_in(
    mut pool: PgPool,
    mut waiting: mpsc::Receiver<Waiting<NewDelivery>>,
    deadline: Duration,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled(), if !waiting.is_closed() => waiting.close(),
            first = waiting.recv() => {
                let Some(first) = first else { return };
                let batch = batch::gather(first, &mut waiting);
                batch::write(&mut pool, batch, deadline).await;
            }
        }
    }
}

/// Brings the schema up to date. Returns its number.
pub async fn migrate(url: &str) -> Result<i64, OpenError> {
    let mut connection = connect(&options(url)?).await?;
    bring_up_to_date(&mut connection).await?;
    connection.close().await.map_err(database)?;
    Ok(known_schema(&MIGRATIONS))
}

fn options(url: &str) -> Result<PgConnectOptions, OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(database)?;
    // PgBouncer takes neither prepared statements that outlive a transaction nor this parameter; we need neither.
    Ok(options.statement_cache_capacity(0).extra_float_digits(None).application_name("countersign"))
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, OpenError> {
    let connected = tokio::time::timeout(CONNECT, options.connect()).await;
    connected.map_err(|_| OpenError::Database("it doesn't answer".into()))?.map_err(database)
}

/// In one transaction, so that of several instances that start together one does it and the others find it done:
/// sqlx's own lock belongs to a session, which PgBouncer in transaction mode doesn't keep.
async fn bring_up_to_date(connection: &mut PgConnection) -> Result<(), OpenError> {
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
    let mut transaction = connection.begin_with(begin).await.map_err(database)?;
    // sqlx prepares the statements of its migrator under names, which another session may have left here.
    forget_names(&mut transaction).await?;
    let mut locks = Locks::default();
    locks.schema();
    locks.take(&mut transaction).await.map_err(|error| OpenError::Database(error.to_string()))?;
    not_newer(schema(&mut transaction).await?, known_schema(&MIGRATIONS))?;
    let mut migrator = Migrator::with_migrations(migrations(&MIGRATIONS));
    // Not `run`: its future can't be shown to be Send (sqlx keeps this one, hidden, for that reason).
    migrator.set_locking(false).run_direct(None, &mut *transaction, false).await?;
    forget_names(&mut transaction).await?;
    transaction.commit().await.map_err(database)
}

async fn forget_names(connection: &mut PgConnection) -> Result<(), OpenError> {
    sqlx::raw_sql("DEALLOCATE ALL").execute(connection).await.map_err(database)?;
    Ok(())
}

/// The number of the newest migration that the database has seen; 0 before the first.
async fn schema(connection: &mut PgConnection) -> Result<i64, OpenError> {
    let mut transaction = connection.begin().await.map_err(database)?;
    let is_there = query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL");
    let mut found = 0;
    if is_there.fetch_one(&mut *transaction).await.map_err(database)? {
        let newest = query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations");
        found = newest.fetch_one(&mut *transaction).await.map_err(database)?;
    }
    transaction.commit().await.map_err(database)?;
    Ok(found)
}

fn database(error: sqlx::Error) -> OpenError {
    OpenError::Database(fault(error).to_string())
}
