//! Deliveries: who is told what, how it is signed, what came back, and sending it again.

use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

use super::state::State;
use super::{AppId, GitHub, InstallationId, RepositoryId, Shared};
use crate::sim::post;

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
    /// Of which installation.
    pub installation: Option<InstallationId>,
    /// Of which repository.
    pub repository: Option<RepositoryId>,
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
    /// What the log says of it.
    pub fn outcome(&self) -> String {
        match self.status {
            Some(status) if (200..300).contains(&status) => "OK".into(),
            Some(status) => format!("Invalid HTTP Response: {status}"),
            None => "failed to connect to host".into(),
        }
    }

    /// A request header, by its name in small letters or as it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A delivery that waits to be sent.
#[derive(Clone)]
pub(super) struct Queued {
    pub(super) guid: String,
    pub(super) app: AppId,
    pub(super) event: String,
    pub(super) action: Option<String>,
    pub(super) installation: Option<InstallationId>,
    pub(super) repository: Option<RepositoryId>,
    pub(super) body: String,
    pub(super) redelivery: bool,
}

/// What is about to go over the wire.
struct Outgoing {
    url: String,
    lost: bool,
    delivery: Delivery,
}

impl GitHub {
    /// Sends what waits, in order, and returns how many were sent once all were answered. What the answers lead to
    /// (the App's own comments, for instance) waits for the next call.
    pub async fn deliver_hooks(&self) -> usize {
        deliver(&self.shared).await
    }

    /// Whether hooks are sent as they arise; needs a started server.
    pub fn set_auto_deliver(&self, on: bool) {
        self.with(|state| {
            state.settings.auto_deliver = on;
            state.wake.notify_one();
        });
    }

    /// How many deliveries wait.
    pub fn waiting_hooks(&self) -> usize {
        self.with(|state| state.outbox.len())
    }

    /// Every delivery so far, lost ones included, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.with(|state| state.sent.clone())
    }

    /// Puts a past delivery into the queue again, with the same GUID.
    pub fn redeliver(&self, delivery: u64) {
        self.with(|state| state.redeliver(delivery));
    }
}

impl State {
    /// Queues an event for an App, if it has an address.
    pub(super) fn queue(&mut self, app: AppId, event: &str, payload: &Value) {
        if self.apps.get(&app).is_none_or(|app| app.hook_url.is_none()) {
            return;
        }
        let id = |part: &str| payload.get(part)?.get("id")?.as_u64();
        let queued = Queued {
            guid: self.ids.uuid(),
            app,
            event: event.into(),
            action: payload.get("action").and_then(Value::as_str).map(Into::into),
            installation: id("installation"),
            repository: id("repository"),
            body: payload.to_string(),
            redelivery: false,
        };
        self.outbox.push_back(queued);
        self.wake.notify_one();
    }

    /// Queues a past delivery again; the log goes back three days.
    pub(super) fn redeliver(&mut self, delivery: u64) -> bool {
        let Some(past) = self.logged(delivery) else { return false };
        let again = Queued {
            guid: past.guid.clone(),
            app: past.app,
            event: past.event.clone(),
            action: past.action.clone(),
            installation: past.installation,
            repository: past.repository,
            body: past.body.clone(),
            redelivery: true,
        };
        self.outbox.push_back(again);
        self.wake.notify_one();
        true
    }

    /// A delivery that the log still has.
    pub(super) fn logged(&self, delivery: u64) -> Option<&Delivery> {
        self.log_of_deliveries().find(|known| known.id == delivery)
    }

    /// The deliveries of the last three days, oldest first.
    pub(super) fn log_of_deliveries(&self) -> impl DoubleEndedIterator<Item = &Delivery> {
        let oldest = self.time().checked_sub(SignedDuration::from_hours(72)).unwrap_or(Timestamp::MIN);
        self.sent.iter().filter(move |known| known.at >= oldest)
    }

    /// Takes what waits, as the line lets it through: lost, doubled, reversed.
    fn take_outbox(&mut self) -> Vec<Outgoing> {
        let mut waiting: Vec<Queued> = self.outbox.drain(..).collect();
        if self.hook_faults.reverse {
            waiting.reverse();
        }
        let times = if self.hook_faults.duplicate { 2 } else { 1 };
        let each = waiting.into_iter().flat_map(|one| std::iter::repeat_n(one, times));
        each.collect::<Vec<_>>().into_iter().filter_map(|one| self.dispatch(one)).collect()
    }

    fn dispatch(&mut self, queued: Queued) -> Option<Outgoing> {
        let at = self.time();
        let lost = self.hook_faults.lose_everything || self.hook_faults.lose_next > 0;
        self.hook_faults.lose_next = self.hook_faults.lose_next.saturating_sub(1);
        let url = self.apps.get(&queued.app)?.hook_url.clone()?;
        let headers = self.headers(&queued)?;
        let Queued { guid, app, event, action, installation, repository, body, redelivery } = queued;
        let (id, status) = (self.ids.next("delivery", 1_000_001), None);
        let delivery = Delivery {
            id,
            guid,
            app,
            event,
            action,
            installation,
            repository,
            headers,
            body,
            status,
            redelivery,
            at,
        };
        Some(Outgoing { url, lost, delivery })
    }

    fn headers(&self, queued: &Queued) -> Option<Vec<(String, String)>> {
        let app = self.apps.get(&queued.app)?;
        let headers = [
            ("Accept", "*/*".to_owned()),
            ("Content-Type", "application/json".into()),
            ("User-Agent", "GitHub-Hookshot/044aadd".into()),
            ("X-GitHub-Event", queued.event.clone()),
            ("X-GitHub-Delivery", queued.guid.clone()),
            ("X-GitHub-Hook-ID", app.hook_id.to_string()),
            ("X-GitHub-Hook-Installation-Target-Type", "integration".into()),
            ("X-GitHub-Hook-Installation-Target-ID", app.id.to_string()),
            ("X-Hub-Signature-256", sign(&app.secret, &queued.body)?),
        ];
        Some(headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

/// HMAC-SHA256 over the body.
fn sign(secret: &str, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(body.as_bytes());
    Some(format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
}

/// Sends hooks whenever some wait and `auto_deliver` is on, until the server stops.
pub(super) async fn deliver_as_they_arise(shared: Arc<Shared>, stop: CancellationToken) {
    while stop.run_until_cancelled(shared.wake.notified()).await.is_some() {
        let wanted = shared.lock().settings.auto_deliver;
        if wanted && stop.run_until_cancelled(deliver(&shared)).await.is_none() {
            return;
        }
    }
}

async fn deliver(shared: &Shared) -> usize {
    let outgoing = shared.lock().take_outbox();
    let mut sent = 0;
    for Outgoing { url, lost, mut delivery } in outgoing {
        if !lost {
            delivery.status =
                post::send(shared.client.as_ref(), &url, &delivery.headers, &delivery.body).await;
            sent += 1;
        }
        shared.lock().sent.push(delivery);
    }
    sent
}
