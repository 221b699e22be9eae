//! The least that can be done with a hook: a server that checks GitHub's signature and nothing else, and the same with
//! one small row in SQLite (WAL, `synchronous=FULL`) for each, as many as wait in one transaction.

use crate::github_hooks::SECRET;
use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, query};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// The id of a delivery, and who waits for its being on disk.
type Row = (String, oneshot::Sender<()>);

/// Serves on the address; with a file, a row is written there before the answer.
pub(crate) fn serve(address: &str, file: Option<&str>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(address.parse()?, file))
}

async fn run(address: SocketAddr, file: Option<&str>) -> anyhow::Result<()> {
    let (rows, waiting) = mpsc::channel(4096);
    if let Some(file) = file {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        let mut connection = options.connect().await?;
        query("CREATE TABLE delivery (id TEXT PRIMARY KEY) WITHOUT ROWID").execute(&mut connection).await?;
        TaskTracker::new().spawn(write(connection, waiting));
    }
    let router = Router::new().route("/hooks/github", post(take)).route("/readyz", get(async || ()));
    let router = router.with_state(file.map(|_| rows));
    Ok(axum::serve(TcpListener::bind(address).await?, router).await?)
}

async fn take(State(rows): State<Option<mpsc::Sender<Row>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = header("x-hub-signature-256").trim_start_matches("sha256=");
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else {
        return StatusCode::INTERNAL_SERVER_ERROR;
    };
    mac.update(&body);
    if mac.verify_slice(&hex::decode(given).unwrap_or_default()).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let Some(rows) = rows else { return StatusCode::ACCEPTED };
    let (done, is_done) = oneshot::channel();
    let is_sent = rows.send((header("x-github-delivery").to_owned(), done)).await.is_ok();
    if is_sent && is_done.await.is_ok() { StatusCode::ACCEPTED } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn write(mut connection: SqliteConnection, mut waiting: mpsc::Receiver<Row>) -> anyhow::Result<()> {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, 256).await > 0 {
        let ids = serde_json::to_string(&batch.iter().map(|(id, _)| id).collect::<Vec<_>>())?;
        query("BEGIN IMMEDIATE").execute(&mut connection).await?;
        let insert =
            "INSERT INTO delivery (id) SELECT value FROM json_each($1) WHERE TRUE ON CONFLICT DO NOTHING";
        query(insert).bind(ids).execute(&mut connection).await?;
        query("COMMIT").execute(&mut connection).await.context("committing")?;
        for (_, done) in batch.drain(..) {
            // Who doesn't wait any more needs no answer.
            let _ = done.send(());
        }
    }
    Ok(())
}
