//! Deployments by the hundred thousand, written into a server's database past it, as it would have written them: each is
//! a copy of one that it wrote itself, its chain sealed anew by the product's own code.

use crate::world::Another;
use anyhow::{Context as _, bail};
use countersign::domain::deployment::{Deployment, Description};
use countersign::domain::id::{Conversation, DeploymentId, Native, Place, Project, ProjectId};
use countersign::domain::ledger::{Entry, Sealed, seal};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use std::str::FromStr as _;
use tokio::runtime::Runtime;

/// Deployments that are written at once.
const AT_ONCE: i64 = 1000;
/// Merge requests of the past have numbers beyond those of the twin.
const PAST_REQUESTS: i64 = 1_000_000;

/// A table and its columns with their types.
type Shape = (&'static str, &'static [(&'static str, &'static str)]);

const DEPLOYMENT: Shape = (
    "deployment",
    &[
        ("id", "TEXT"),
        ("forge", "TEXT"),
        ("project", "BIGINT"),
        ("number", "BIGINT"),
        ("age", "BIGINT"),
        ("run", "BIGINT"),
        ("conversation", "TEXT"),
        ("status", "TEXT"),
        ("final", "BOOLEAN"),
        ("superseded", "BOOLEAN"),
        ("subject", "TEXT"),
    ],
);
const LEDGER: Shape = (
    "ledger",
    &[
        ("deployment", "TEXT"),
        ("seq", "BIGINT"),
        ("at", "BIGINT"),
        ("format", "BIGINT"),
        ("body", "TEXT"),
        ("hash", "TEXT"),
    ],
);
const COMMAND: Shape = (
    "command",
    &[
        ("source", "TEXT"),
        ("line", "BIGINT"),
        ("conversation", "TEXT"),
        ("author", "BIGINT"),
        ("at", "BIGINT"),
        ("outcome", "TEXT"),
        ("named", "BOOLEAN"),
    ],
);
const ROOM: Shape = (
    "room",
    &[
        ("conversation", "TEXT"),
        ("card", "BIGINT"),
        ("card_at", "BIGINT"),
        ("card_digest", "TEXT"),
        ("shown", "TEXT"),
        ("read_until", "BIGINT"),
        ("hinted", "BOOLEAN"),
    ],
);

enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A server's database while no server runs on it.
pub(crate) struct Books {
    runtime: Runtime,
    database: Database,
    /// The chain of one that has been deployed.
    model: Vec<Sealed>,
    entries: Vec<Entry>,
    past: i64,
}

/// Rows of each table.
#[derive(Default)]
struct Rows {
    deployments: Vec<Value>,
    entries: Vec<Value>,
    commands: Vec<Value>,
    rooms: Vec<Value>,
}

impl Books {
    /// Opens the database at this address, which holds this chain already.
    pub(crate) fn open(address: &str, model: Vec<Sealed>, entries: Vec<Entry>) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let database = runtime.block_on(connect(address))?;
        Ok(Self { runtime, database, model, entries, past: 0 })
    }

    /// Adds what was deployed in the past, until there is so much of it: older than all that the twin tells of, each in
    /// a merge request of its own.
    pub(crate) fn fill_past(&mut self, count: i64) -> anyhow::Result<()> {
        while self.past < count {
            let until = count.min(self.past + AT_ONCE);
            let mut rows = Rows::default();
            for number in self.past + 1..=until {
                let entries = self.entries.clone();
                self.add(&mut rows, entries, |description| {
                    let forge = description.forge.clone();
                    let place = Place::MergeRequest(PAST_REQUESTS + number);
                    let conversation = Conversation { forge, project: description.project.id, place };
                    be(description, -number, conversation);
                })?;
            }
            self.write(&rows)?;
            self.past = until;
        }
        self.tidy_up()
    }

    /// Adds deployments that wait, each told in its commit's comments.
    pub(crate) fn add_waiting(&mut self, all: &[Another]) -> anyhow::Result<()> {
        for some in all.chunks(usize::try_from(AT_ONCE)?) {
            let mut rows = Rows::default();
            for another in some {
                let (number, project) = (i64::try_from(another.deployment)?, i64::try_from(another.project)?);
                let entries = self.entries.get(..1).unwrap_or_default().to_vec();
                self.add(&mut rows, entries, |description| {
                    description.project = Project { id: ProjectId(project), path: another.path.clone() };
                    description.sha.clone_from(&another.sha);
                    let (forge, place) = (description.forge.clone(), Place::Commit(another.sha.clone()));
                    be(description, number, Conversation { forge, project: ProjectId(project), place });
                })?;
            }
            self.write(&rows)?;
        }
        self.tidy_up()
    }

    /// What polls is due at once, as it is when a server was away.
    pub(crate) fn let_poll(&mut self) -> anyhow::Result<()> {
        self.run("UPDATE job SET run_at = 0 WHERE lease_until IS NULL")
    }

    /// One more deployment, whose chain begins with what `describe` makes of the model's description.
    fn add(
        &self,
        rows: &mut Rows,
        mut entries: Vec<Entry>,
        describe: impl FnOnce(&mut Description),
    ) -> anyhow::Result<()> {
        let Some(Entry::Opened { description, .. }) = entries.first_mut() else {
            bail!("the model does not begin with its opening");
        };
        describe(description);
        let id = description.id.clone();
        let mut last: Option<Sealed> = None;
        for (entry, model) in entries.iter().zip(&self.model) {
            let sealed = seal(&id, last.as_ref(), model.at, entry)?;
            let at = millis(sealed.at);
            let row = json!([id, sealed.seq, at, sealed.format, sealed.body, sealed.hash]);
            rows.entries.push(row);
            last = Some(sealed);
        }
        let deployment = Deployment::from_ledger(entries).context("the copy is no deployment")?;
        add_searchable(rows, &deployment);
        Ok(())
    }

    fn write(&mut self, rows: &Rows) -> anyhow::Result<()> {
        let Rows { deployments, entries, commands, rooms } = rows;
        for (shape, rows) in
            [(DEPLOYMENT, deployments), (LEDGER, entries), (COMMAND, commands), (ROOM, rooms)]
        {
            let rows = serde_json::to_string(rows)?;
            let source = match self.database {
                Database::Sqlite(_) => "json_each($1) AS rows",
                Database::Postgres(_) => "json_array_elements(CAST($1 AS JSON)) AS rows (value)",
            };
            let statement = insert(shape, source);
            self.runtime.block_on(async {
                match &mut self.database {
                    Database::Sqlite(connection) => {
                        sqlx::query(AssertSqlSafe(statement)).bind(rows).execute(connection).await.map(drop)
                    }
                    Database::Postgres(connection) => {
                        sqlx::query(AssertSqlSafe(statement)).bind(rows).execute(connection).await.map(drop)
                    }
                }
            })?;
        }
        Ok(())
    }

    /// What either database does by itself when as much comes to it over years.
    fn tidy_up(&mut self) -> anyhow::Result<()> {
        self.run(match self.database {
            Database::Sqlite(_) => "PRAGMA wal_checkpoint(TRUNCATE)",
            Database::Postgres(_) => "VACUUM ANALYZE",
        })
    }

    fn run(&mut self, statement: &'static str) -> anyhow::Result<()> {
        Ok(self.runtime.block_on(async {
            match &mut self.database {
                Database::Sqlite(connection) => sqlx::raw_sql(statement).execute(connection).await.map(drop),
                Database::Postgres(connection) => {
                    sqlx::raw_sql(statement).execute(connection).await.map(drop)
                }
            }
        })?)
    }
}

async fn connect(address: &str) -> anyhow::Result<Database> {
    Ok(match address.strip_prefix("sqlite:") {
        Some(file) => {
            let options = SqliteConnectOptions::new().filename(file).journal_mode(SqliteJournalMode::Wal);
            let options = options.synchronous(SqliteSynchronous::Off).pragma("cache_size", "-1000000");
            Database::Sqlite(options.connect().await?)
        }
        None => Database::Postgres(PgConnectOptions::from_str(address)?.connect().await?),
    })
}

/// A deployment of this number, told there.
fn be(description: &mut Description, number: i64, conversation: Conversation) {
    description.native = Native::new(number.to_string());
    description.id = DeploymentId::new(&description.forge, description.project.id, &description.native);
    (description.number, description.order, description.run) = (number, number, number);
    description.conversation = Some(conversation);
}

/// What stands beside a chain.
fn add_searchable(rows: &mut Rows, deployment: &Deployment) {
    let Deployment { description, status, superseded, votes, .. } = deployment;
    let conversation = description.conversation.as_ref().map(Conversation::key);
    let (forge, project) = (description.forge.as_str(), description.project.id.0);
    rows.deployments.push(json!([
        description.id,
        forge,
        project,
        description.number,
        description.order,
        description.run,
        conversation,
        status.as_str(),
        status.is_final(),
        superseded,
        null,
    ]));
    for vote in votes {
        let source = format!("{}#{}", conversation.as_deref().unwrap_or_default(), description.number);
        let (author, at) = (vote.by.id, millis(vote.at));
        rows.commands.push(json!([source, -1, conversation, author, at, "recorded", true]));
        let shown = json!([[description.id, vote.at]]).to_string();
        rows.rooms.push(json!([conversation, 1, at, "", shown, null, false]));
    }
}

fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// Rows as a JSON array of arrays.
fn insert((table, columns): Shape, source: &str) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(position, (_, kind))| format!("CAST(value ->> {position} AS {kind})"))
        .collect();
    format!("INSERT INTO {table} ({}) SELECT {} FROM {source}", names.join(", "), values.join(", "))
}
