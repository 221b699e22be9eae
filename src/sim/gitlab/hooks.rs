//! Webhooks: who gets what, how it is signed, what was delivered and what came back.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

use super::state::State;
use super::{GitLab, HookId, ProjectId, Shared, Version};
use crate::sim::post;

/// What a hook can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookEvent {
    /// `deployment_events`
    Deployment,
    /// `note_events`
    Note,
    /// `confidential_note_events`
    ConfidentialNote,
    /// `job_events`
    Job,
    /// `pipeline_events`
    Pipeline,
    /// `merge_requests_events`
    MergeRequest,
}

impl HookEvent {
    /// Every event.
    pub const ALL: [Self; 6] =
        [Self::Deployment, Self::Note, Self::ConfidentialNote, Self::Job, Self::Pipeline, Self::MergeRequest];

    /// The value of `X-Gitlab-Event`.
    pub fn header(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment Hook",
            Self::Note => "Note Hook",
            Self::ConfidentialNote => "Confidential Note Hook",
            Self::Job => "Job Hook",
            Self::Pipeline => "Pipeline Hook",
            Self::MergeRequest => "Merge Request Hook",
        }
    }

    pub(super) fn param(self) -> &'static str {
        match self {
            Self::Deployment => "deployment_events",
            Self::Note => "note_events",
            Self::ConfidentialNote => "confidential_note_events",
            Self::Job => "job_events",
            Self::Pipeline => "pipeline_events",
            Self::MergeRequest => "merge_requests_events",
        }
    }
}

/// A custom webhook template: makes the body that is sent, rightly signed, of the one that GitLab would send.
pub type HookTemplate = Arc<dyn Fn(Value) -> Value + Send + Sync>;

/// A hook to be added.
#[derive(Clone)]
pub struct NewHook {
    pub(super) url: String,
    pub(super) events: BTreeSet<HookEvent>,
    pub(super) token: Option<String>,
    pub(super) signing_token: Option<String>,
    pub(super) template: Option<HookTemplate>,
}

impl NewHook {
    /// A hook to this address that is told of nothing yet.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), events: BTreeSet::new(), token: None, signing_token: None, template: None }
    }

    /// Told of this.
    pub fn event(mut self, event: HookEvent) -> Self {
        self.events.insert(event);
        self
    }

    /// Told of everything.
    pub fn every_event(mut self) -> Self {
        self.events.extend(HookEvent::ALL);
        self
    }

    /// With a secret token, sent as it is in `X-Gitlab-Token`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// With a signing token: `whsec_` and the base64 of 32 bytes. Versions before 19.0 ignore it.
    pub fn signing_token(mut self, token: impl Into<String>) -> Self {
        self.signing_token = Some(token.into());
        self
    }

    /// With a custom template.
    pub fn template(mut self, template: HookTemplate) -> Self {
        self.template = Some(template);
        self
    }
}

impl std::fmt::Debug for NewHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewHook")
            .field("url", &self.url)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

pub(super) struct Hook {
    pub(super) id: HookId,
    pub(super) project: ProjectId,
    pub(super) with: NewHook,
    pub(super) failures: u32,
    pub(super) disabled_until: Option<Timestamp>,
    pub(super) created_at: Timestamp,
}

impl Hook {
    /// `executable`, `temporarily_disabled` or, after 40 failures, `disabled`.
    pub(super) fn alert_status(&self, now: Timestamp) -> &'static str {
        match self.disabled_until {
            _ if self.failures >= 40 => "disabled",
            Some(end) if end > now => "temporarily_disabled",
            Some(_) | None => "executable",
        }
    }
}

/// A delivery that waits to be sent.
#[derive(Clone)]
pub(super) struct Queued {
    pub(super) hook: HookId,
    pub(super) event: HookEvent,
    pub(super) body: String,
    pub(super) idempotency_key: String,
    pub(super) event_uuid: String,
}

/// A delivery that was sent, or lost on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Number, for [`GitLab::resend`].
    pub id: u64,
    /// Which hook.
    pub hook: HookId,
    /// Of what.
    pub event: HookEvent,
    /// Request headers.
    pub headers: Vec<(String, String)>,
    /// Request body.
    pub body: String,
    /// The answer's status; absent when none came or the delivery was lost.
    pub status: Option<u16>,
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

/// What is about to go over the wire.
struct Outgoing {
    url: String,
    hook: HookId,
    lost: bool,
    delivery: Delivery,
}

impl GitLab {
    /// Adds a hook to a project.
    pub fn add_hook(&self, project: ProjectId, new: NewHook) -> HookId {
        self.with(|state| state.add_hook(project, new))
    }

    /// Removes a hook.
    pub fn remove_hook(&self, hook: HookId) {
        self.with(|state| state.hooks.remove(&hook));
    }

    /// Sends what waits, in order, and returns how many were sent once all were answered. What the answers lead to
    /// (the bot's own notes, for instance) waits for the next call.
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

    /// Whether hooks that fail four times in a row are switched off for a while; they are, at first.
    pub fn set_disable_failing_hooks(&self, on: bool) {
        self.with(|state| state.settings.disable_failing_hooks = on);
    }

    /// Switches a hook on again, as a successful test request does.
    pub fn enable_hook(&self, hook: HookId) {
        self.with(|state| state.enable_hook(hook));
    }

    /// How many deliveries wait.
    pub fn waiting_hooks(&self) -> usize {
        self.with(|state| state.outbox.len())
    }

    /// Every delivery so far, lost ones included, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.with(|state| state.sent.clone())
    }

    /// Puts a past delivery into the queue again, with the same `Idempotency-Key`.
    pub fn resend(&self, delivery: u64) {
        self.with(|state| state.resend(delivery));
    }
}

impl State {
    pub(super) fn add_hook(&mut self, project: ProjectId, mut with: NewHook) -> HookId {
        if self.settings.version < (Version { major: 19, minor: 0 }) {
            with.signing_token = None;
        }
        let (id, created_at) = (self.ids.next("hook", 701), self.time());
        self.hooks.insert(id, Hook { id, project, with, failures: 0, disabled_until: None, created_at });
        id
    }

    /// Queues an event for every hook of the project that is told of it and isn't switched off.
    pub(super) fn queue(&mut self, project: ProjectId, event: HookEvent, payload: &Value) {
        let now = self.time();
        let wanted = |hook: &&Hook| {
            hook.project == project
                && hook.with.events.contains(&event)
                && hook.alert_status(now) == "executable"
        };
        let hooks: Vec<(HookId, Option<HookTemplate>)> =
            self.hooks.values().filter(wanted).map(|hook| (hook.id, hook.with.template.clone())).collect();
        let event_uuid = self.ids.uuid();
        for (hook, template) in hooks {
            let body = template.map_or_else(|| payload.clone(), |reshape| reshape(payload.clone()));
            let (body, idempotency_key) = (body.to_string(), self.ids.uuid());
            self.outbox.push_back(Queued {
                hook,
                event,
                body,
                idempotency_key,
                event_uuid: event_uuid.clone(),
            });
        }
        self.wake.notify_one();
    }

    pub(super) fn enable_hook(&mut self, hook: HookId) {
        if let Some(hook) = self.hooks.get_mut(&hook) {
            (hook.failures, hook.disabled_until) = (0, None);
        }
    }

    pub(super) fn resend(&mut self, delivery: u64) -> bool {
        let Some(past) = self.sent.iter().find(|known| known.id == delivery) else { return false };
        let header = |name: &str| past.header(name).unwrap_or_default().to_owned();
        let again = Queued {
            hook: past.hook,
            event: past.event,
            body: past.body.clone(),
            idempotency_key: header("Idempotency-Key"),
            event_uuid: header("X-Gitlab-Event-UUID"),
        };
        self.outbox.push_back(again);
        self.wake.notify_one();
        true
    }

    /// Takes what waits, as the line lets it through: lost, doubled, reversed. Empty when nothing is to be sent.
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
        let url = self.hooks.get(&queued.hook)?.with.url.clone();
        let lost = self.hook_faults.lose_everything || self.hook_faults.lose_next > 0;
        self.hook_faults.lose_next = self.hook_faults.lose_next.saturating_sub(1);
        let headers = self.headers(&queued, at);
        let Queued { hook, event, body, .. } = queued;
        let id = self.ids.next("delivery", 1);
        Some(Outgoing {
            url,
            hook,
            lost,
            delivery: Delivery { id, hook, event, headers, body, status: None, at },
        })
    }

    fn headers(&mut self, queued: &Queued, at: Timestamp) -> Vec<(String, String)> {
        let Version { major, minor } = self.settings.version;
        let mut headers: Vec<(&str, String)> = vec![
            ("Content-Type", "application/json".into()),
            ("User-Agent", format!("GitLab/{major}.{minor}.0")),
            ("X-Gitlab-Event", queued.event.header().into()),
            ("X-Gitlab-Instance", self.url.clone()),
            ("X-Gitlab-Webhook-UUID", self.ids.uuid()),
            ("X-Gitlab-Event-UUID", queued.event_uuid.clone()),
            ("Idempotency-Key", queued.idempotency_key.clone()),
        ];
        let with = self.hooks.get(&queued.hook).map(|hook| &hook.with);
        if let Some(token) = with.and_then(|with| with.token.clone()) {
            headers.push(("X-Gitlab-Token", token));
        }
        if let Some(token) = with.and_then(|with| with.signing_token.as_deref()) {
            let (id, seconds) = (&queued.idempotency_key, at.as_second());
            headers.push(("webhook-id", id.clone()));
            headers.push(("webhook-timestamp", seconds.to_string()));
            let signed = format!("{id}.{seconds}.{}", queued.body);
            headers.extend(sign(token, &signed).map(|value| ("webhook-signature", value)));
        }
        headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Whether the hook may be sent to now; it may have been switched off since the event.
    fn is_open(&self, hook: HookId) -> bool {
        let now = self.time();
        self.hooks.get(&hook).is_some_and(|hook| hook.alert_status(now) == "executable")
    }

    /// Four failures in a row switch a hook off for a minute, twice as long each time, a day at most; forty for
    /// good. Any success starts the count anew.
    fn record(&mut self, delivery: Delivery, lost: bool) {
        let now = self.time();
        let failed = !delivery.status.is_some_and(|status| (200..300).contains(&status));
        let disable = self.settings.disable_failing_hooks;
        if let Some(hook) = self.hooks.get_mut(&delivery.hook).filter(|_| !lost && disable) {
            hook.failures = if failed { hook.failures + 1 } else { 0 };
            hook.disabled_until = hook.failures.checked_sub(4).and_then(|beyond| {
                let minutes = 1_i64.checked_shl(beyond.min(11)).unwrap_or(1440).min(1440);
                now.checked_add(SignedDuration::from_mins(minutes)).ok()
            });
        }
        self.sent.push(delivery);
    }
}

/// Standard Webhooks: HMAC-SHA256 under the bytes behind `whsec_`.
fn sign(token: &str, signed: &str) -> Option<String> {
    let key = STANDARD.decode(token.strip_prefix("whsec_")?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(signed.as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
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
    for one in outgoing {
        let Outgoing { url, hook, lost, mut delivery } = one;
        if !shared.lock().is_open(hook) {
            continue;
        }
        if !lost {
            delivery.status =
                post::send(shared.client.as_ref(), &url, &delivery.headers, &delivery.body).await;
            sent += 1;
        }
        shared.lock().record(delivery, lost);
    }
    sent
}
