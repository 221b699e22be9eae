//! What the twin remembers: plain data, and the few words that it is made of.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::hooks::{Delivery, Hook, Queued};
use super::merge_requests::MergeRequest;
use super::notes::Note;
use super::pipelines::{Deployment, Environment, Job, Pipeline};
use super::projects::Project;
use super::{ApiCall, GroupId, Membership, ProtectedEnvironment, UserId, UserState, Version};
use crate::sim::clock::Now;
use crate::sim::faults::{Faults, HookFaults};
use crate::sim::ids::Ids;

/// What GitLab answers when it doesn't do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {body}")]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// The JSON body of the answer.
    pub body: Value,
}

impl Refused {
    pub(super) fn new(status: u16, message: &str) -> Self {
        Self { status, body: json!({ "message": message }) }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(404, &format!("404 {what} Not Found"))
    }

    pub(super) fn forbidden() -> Self {
        Self::new(403, "403 Forbidden")
    }

    pub(super) fn bad(message: &str) -> Self {
        Self::new(400, message)
    }

    pub(super) fn param(error: &str) -> Self {
        Self { status: 400, body: json!({ "error": error }) }
    }

    /// The `message` (or `error`) of the body, empty when it is no plain text.
    pub fn message(&self) -> &str {
        let text = self.body.get("message").or_else(|| self.body.get("error"));
        text.and_then(Value::as_str).unwrap_or_default()
    }
}

pub(super) struct User {
    pub(super) id: UserId,
    pub(super) username: String,
    pub(super) name: String,
    pub(super) admin: bool,
    pub(super) bot: bool,
    pub(super) state: UserState,
}

pub(super) struct Group {
    pub(super) id: GroupId,
    pub(super) path: String,
    pub(super) members: Vec<Membership>,
    pub(super) protected: Vec<ProtectedEnvironment>,
}

pub(super) struct Token {
    pub(super) id: u64,
    pub(super) value: String,
    pub(super) user: UserId,
    pub(super) scopes: Vec<String>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) per_minute: Option<u32>,
    /// Start of the current minute and the calls in it.
    pub(super) window: (Timestamp, u32),
}

#[expect(clippy::struct_excessive_bools, reason = "switches that have nothing to do with each other")]
pub(super) struct Settings {
    pub(super) version: Version,
    pub(super) licensed: bool,
    pub(super) enterprise: bool,
    pub(super) auto_deliver: bool,
    pub(super) auto_finish: bool,
    pub(super) disable_failing_hooks: bool,
    pub(super) approved_becomes_created: bool,
}

pub(super) struct State {
    pub(super) now: Now,
    pub(super) url: String,
    pub(super) settings: Settings,
    pub(super) ids: Ids,
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) groups: BTreeMap<GroupId, Group>,
    pub(super) tokens: Vec<Token>,
    pub(super) projects: BTreeMap<u64, Project>,
    pub(super) merge_requests: Vec<MergeRequest>,
    pub(super) pipelines: BTreeMap<u64, Pipeline>,
    pub(super) jobs: BTreeMap<u64, Job>,
    pub(super) environments: BTreeMap<u64, Environment>,
    pub(super) deployments: BTreeMap<u64, Deployment>,
    pub(super) notes: BTreeMap<u64, Note>,
    pub(super) hooks: BTreeMap<u64, Hook>,
    pub(super) outbox: VecDeque<Queued>,
    pub(super) sent: Vec<Delivery>,
    pub(super) calls: Vec<ApiCall>,
    pub(super) faults: Faults,
    pub(super) hook_faults: HookFaults,
    pub(super) wake: Arc<Notify>,
}

impl State {
    pub(super) fn new(now: Now, seed: u64, wake: Arc<Notify>) -> Self {
        let settings = Settings {
            version: Version { major: 19, minor: 2 },
            licensed: true,
            enterprise: true,
            auto_deliver: false,
            auto_finish: false,
            disable_failing_hooks: true,
            approved_becomes_created: false,
        };
        Self {
            now,
            url: "http://gitlab.example.com".into(),
            settings,
            ids: Ids::new(seed),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            tokens: Vec::new(),
            projects: BTreeMap::new(),
            merge_requests: Vec::new(),
            pipelines: BTreeMap::new(),
            jobs: BTreeMap::new(),
            environments: BTreeMap::new(),
            deployments: BTreeMap::new(),
            notes: BTreeMap::new(),
            hooks: BTreeMap::new(),
            outbox: VecDeque::new(),
            sent: Vec::new(),
            calls: Vec::new(),
            faults: Faults::default(),
            hook_faults: HookFaults::default(),
            wake,
        }
    }

    pub(super) fn time(&self) -> Timestamp {
        (self.now)()
    }
}
