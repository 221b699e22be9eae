//! Transactions: every statement of ours runs in one (see [`super::dialect`] for why).

use super::fault::fault;
use crate::ports::store::StoreError;
use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use std::time::Duration;

/// Said together with BEGIN, so that it costs no further way to the server, and for this transaction alone, so that
/// it needs no session of its own:
/// * each statement sees what was committed before it, whatever the server's default isolation is;
/// * nobody waits long for another, and a process that froze in mid-transaction doesn't keep its locks;
/// * a commit is on disk when it is answered, even where the server was told not to wait.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '4s'; \
    SET LOCAL idle_in_transaction_session_timeout = '5s'; \
    SELECT set_config('synchronous_commit', 'on', TRUE) WHERE current_setting('synchronous_commit') = 'off'";
/// A server that doesn't answer at all costs this much.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs `work` in a transaction: committed if it succeeds, rolled back if it fails or is dropped.
///
/// When COMMIT itself isn't answered, the outcome is unknown and the answer is an error. Whoever tries again finds
/// out: a delivery is a duplicate then, a commit has lost its lease or its version.
pub(super) async fn transaction<T, E>(
    pool: &PgPool,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
) -> Result<T, E>
where
    E: From<StoreError>,
{
    let whole = async {
        let mut transaction = pool.begin_with(BEGIN).await.map_err(fault)?;
        match work(&mut transaction).await {
            Ok(done) => {
                transaction.commit().await.map_err(fault)?;
                Ok(done)
            }
            Err(error) => {
                // Now and not when the connection is used next: others wait for its locks.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    };
    let late = || Err(StoreError::Unavailable("the database doesn't answer".into()).into());
    tokio::time::timeout(PATIENCE, whole).await.unwrap_or_else(|_| late())
}
