//! Webhooks: from raw bytes to a verified, normalised delivery.

use crate::domain::event::Event;
use jiff::Timestamp;

/// A request as it came, nothing trusted yet. Header names in lower case, in order, duplicates kept.
#[derive(Clone, Copy)]
pub struct RawDelivery<'a> {
    /// Headers.
    pub headers: &'a [(String, Vec<u8>)],
    /// Body, byte for byte.
    pub body: &'a [u8],
}

/// A verified delivery that concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The source's id of the delivery, stable over its retries.
    pub id: String,
    /// What it says.
    pub events: Vec<Event>,
}

/// What came of verifying and reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// Store it.
    Ours(Verified),
    /// Verified, but none of our business; says why.
    NotOurs(&'static str),
}

/// Why a delivery was refused. The sentences go into the answer's body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// 401.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// 400: verified, but not readable.
    #[error("{0}")]
    Unreadable(String),
}

/// One source of webhooks.
pub trait Inbound: Send + Sync {
    /// Verifies the raw bytes, then normalises. Pure but for the clock's reading handed in.
    fn receive(&self, raw: RawDelivery<'_>, now: Timestamp) -> Result<Received, Rejected>;
}
