//! LISTEN and NOTIFY: a hint to the idle workers of other instances that there is work. Nothing depends on it.
//! Where notifications don't arrive (PgBouncer in transaction mode), workers find the work when they look next.

use super::dialect::query;
use super::fault::fault;
use super::transaction::transaction;
use crate::ports::store::StoreError;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const CHANNEL: &str = "countersign";
/// After a lost connection.
const AGAIN: Duration = Duration::from_secs(5);

/// One instance's bell: it doesn't hear itself.
#[derive(Clone)]
pub(super) struct Bell {
    pool: PgPool,
    /// Tells this instance from the others.
    name: String,
    rung: Arc<Notify>,
}

impl Bell {
    pub(super) fn new(pool: PgPool, name: String) -> Self {
        Self { pool, name, rung: Arc::default() }
    }

    /// To be called after a commit that wrote jobs. Returns at once.
    pub(super) fn ring(&self) {
        self.rung.notify_one();
    }

    /// Passes on what was rung: in a transaction of its own after the other's end, since the commit of a notifying
    /// transaction keeps all others of its kind waiting. What is rung meanwhile is passed on together.
    pub(super) async fn pass_on(self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.rung.notified()).await.is_some() {
            let told: Result<(), StoreError> = transaction(&self.pool, async |connection| {
                let notify = query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(&self.name);
                notify.execute(connection).await.map_err(fault)?;
                Ok(())
            })
            .await;
            if let Err(error) = told {
                tracing::debug!(%error, "other instances aren't told of new work; they look by themselves");
            }
        }
    }

    /// Tells `wake` of what others ring, and once whenever it has begun to listen: something may have been missed.
    pub(super) async fn hear(self, wake: Arc<Notify>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Some(Err(error)) = stop.run_until_cancelled(self.hear_until_lost(&wake)).await {
                tracing::debug!(%error, "listening for other instances");
                stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await;
            }
        }
    }

    async fn hear_until_lost(&self, wake: &Notify) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        wake.notify_one();
        while let Some(told) = listener.try_recv().await? {
            if told.payload() != self.name {
                wake.notify_one();
            }
        }
        Ok(())
    }
}
