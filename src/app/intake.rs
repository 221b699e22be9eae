//! Intake: verified bytes become a stored delivery with its jobs. It decides nothing.

use super::App;
use crate::ports::inbound::{Inbound, RawDelivery, Received, Rejected};
use crate::ports::store::{Accepted, NewDelivery, StoreError};
use sha2::{Digest as _, Sha256};

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is on disk, now or already before.
    Stored(Accepted),
    /// Verified, but none of our business.
    NotOurs(&'static str),
}

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Not verified, or not readable.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The store can't write now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Verifies, normalises and stores; returns after it is durable.
    pub async fn take(
        &self,
        source: &str,
        inbound: &dyn Inbound,
        raw: RawDelivery<'_>,
    ) -> Result<Taken, NotTaken> {
        let now = self.clock.now();
        let verified = match inbound.receive(raw, now)? {
            Received::Ours(verified) => verified,
            Received::NotOurs(why) => return Ok(Taken::NotOurs(why)),
        };
        let delivery = NewDelivery {
            source: source.to_owned(),
            id: verified.id,
            digest: hex::encode(Sha256::digest(raw.body)),
            events: verified.events,
            received_at: now,
        };
        let id = delivery.id.clone();
        let accepted = self.store.accept(delivery).await?;
        tracing::debug!(source, delivery = id, ?accepted, "a delivery is on disk");
        Ok(Taken::Stored(accepted))
    }
}
