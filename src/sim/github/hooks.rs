//! Deliveries: who is told what, how it is signed, what came back, and sending it again.

use jiff::Timestamp;

use super::{AppId, GitHub};

/// A delivery that was sent, or lost on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Number; a redelivery has its own.
    pub id: u64,
    /// `X-GitHub-Delivery`; a redelivery keeps it.
    pub guid: String,
    /// To which App.
    pub app: AppId,
    /// `X-GitHub-Event`.
    pub event: String,
    /// `action` of the body.
    pub action: Option<String>,
    /// Request headers.
    pub headers: Vec<(String, String)>,
    /// Request body.
    pub body: String,
    /// The answer's status; absent when none came or the delivery was lost.
    pub status: Option<u16>,
    /// Whether it was sent again.
    pub redelivery: bool,
    /// When.
    pub at: Timestamp,
}

impl Delivery {
    /// A request header, by its name in small letters or as it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl GitHub {
    /// Sends what waits, in order, and returns how many were sent once all were answered. What the answers lead to
    /// (the App's own comments, for instance) waits for the next call.
    pub async fn deliver_hooks(&self) -> usize {
        todo!()
    }

    /// Whether hooks are sent as they arise; needs a started server.
    pub fn set_auto_deliver(&self, on: bool) {
        todo!()
    }

    /// How many deliveries wait.
    pub fn waiting_hooks(&self) -> usize {
        todo!()
    }

    /// Every delivery so far, lost ones included, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        todo!()
    }

    /// Puts a past delivery into the queue again, with the same GUID.
    pub fn redeliver(&self, delivery: u64) {
        todo!()
    }
}
