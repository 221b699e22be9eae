//! Webhooks: from raw bytes to a verified, normalised delivery.

use super::chat::Form;
use crate::domain::event::Event;
use jiff::Timestamp;

/// A request as it came, nothing trusted yet. Header names in lower case, in order, duplicates kept.
#[derive(Clone, Copy)]
pub struct RawDelivery<'a> {
    /// Headers.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Body, byte for byte.
    pub body: &'a [u8],
}

impl<'a> RawDelivery<'a> {
    /// A header that must not be doubled: two readers could each believe another one.
    pub fn single(&self, name: &str) -> Result<Option<&'a [u8]>, Rejected> {
        let mut values = self.headers.iter().filter(|(header, _)| *header == name).map(|(_, value)| *value);
        let first = values.next();
        if values.next().is_some() {
            return Err(Rejected::Unauthenticated("a header that may come only once came twice"));
        }
        Ok(first)
    }
}

/// A verified delivery that concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The source's id of the delivery, stable over its retries.
    pub id: String,
    /// What it says.
    pub events: Vec<Event>,
    /// A form to be opened once it is on disk: the one call that may follow at once.
    pub form: Option<Box<Form>>,
}

/// What came of verifying and reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// Store it.
    Ours(Verified),
    /// Verified, but none of our business; says why.
    NotOurs(&'static str),
    /// Verified, and answered by this body at once; nothing is stored.
    Told(String),
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

/// Headers as [`RawDelivery`] wants them.
#[cfg(test)]
pub(crate) fn borrowed(headers: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
}

/// How a source wants to be answered once its delivery is stored, or is none of our business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// By a status of its own and one JSON line that says what became of it.
    Forge,
    /// By 200 and this body, JSON unless it is empty: a person waits, and everything else would be shown to them.
    Chat(&'static str),
}

/// One source of webhooks.
pub trait Inbound: Send + Sync {
    /// How it is answered.
    fn manner(&self) -> Manner {
        Manner::Forge
    }

    /// The largest body it may send, in bytes.
    fn largest(&self) -> usize {
        25 * 1024 * 1024
    }

    /// Verifies the raw bytes, then normalises. Pure but for the clock's reading handed in.
    fn receive(&self, raw: RawDelivery<'_>, now: Timestamp) -> Result<Received, Rejected>;
}
