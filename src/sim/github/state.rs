//! What the twin remembers: plain data, and the few words that it is made of.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::apps::{Installation, Registered, Token};
use super::checks::CheckRun;
use super::comments::Comment;
use super::gates::Gate;
use super::hooks::{Delivery, Queued};
use super::people::{Account, Team};
use super::pulls::{Issue, Review};
use super::repositories::Repository;
use super::runs::{Deployment, Job, Run};
use super::{ApiCall, Number, RepositoryId, RunId, UserId};
use crate::sim::clock::Now;
use crate::sim::faults::{Faults, HookFaults};
use crate::sim::ids::Ids;

/// What GitHub answers when it doesn't do what it was asked for.
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
        let body = json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": status.to_string(),
        });
        Self { status, body }
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// An App, or a person, that lacks a permission.
    pub(super) fn not_accessible() -> Self {
        Self::new(403, "Resource not accessible by integration")
    }

    pub(super) fn invalid(field: &str, why: &str) -> Self {
        let mut refused = Self::new(422, "Validation Failed");
        if let Some(body) = refused.body.as_object_mut() {
            body.insert("errors".into(), json!([{ "code": "custom", "field": field, "message": why }]));
        }
        refused
    }

    /// The `message` of the body.
    pub fn message(&self) -> &str {
        self.body.get("message").and_then(Value::as_str).unwrap_or_default()
    }
}

pub(super) struct Settings {
    pub(super) api_prefix: String,
    pub(super) auto_deliver: bool,
    pub(super) auto_finish: bool,
    pub(super) hourly_limit: u32,
}

pub(super) struct State {
    pub(super) now: Now,
    pub(super) token_clock: Option<Now>,
    pub(super) host: String,
    pub(super) settings: Settings,
    pub(super) ids: Ids,
    pub(super) accounts: BTreeMap<UserId, Account>,
    pub(super) teams: BTreeMap<u64, Team>,
    pub(super) apps: BTreeMap<u64, Registered>,
    pub(super) installations: BTreeMap<u64, Installation>,
    pub(super) tokens: Vec<Token>,
    pub(super) repositories: BTreeMap<RepositoryId, Repository>,
    /// Former full names, in small letters.
    pub(super) moved: BTreeMap<String, RepositoryId>,
    pub(super) issues: BTreeMap<(RepositoryId, Number), Issue>,
    pub(super) reviews: BTreeMap<u64, Review>,
    pub(super) comments: BTreeMap<u64, Comment>,
    pub(super) check_runs: BTreeMap<u64, CheckRun>,
    pub(super) runs: BTreeMap<u64, Run>,
    pub(super) jobs: BTreeMap<u64, Job>,
    pub(super) gates: Vec<Gate>,
    /// A run that is started again right before its next review, and by whom.
    pub(super) overtake: Option<(RunId, UserId)>,
    pub(super) deployments: BTreeMap<u64, Deployment>,
    pub(super) outbox: VecDeque<Queued>,
    pub(super) sent: Vec<Delivery>,
    pub(super) calls: Vec<ApiCall>,
    pub(super) rates: BTreeMap<String, Rate>,
    pub(super) limit_hits: u32,
    pub(super) faults: Faults,
    pub(super) hook_faults: HookFaults,
    pub(super) wake: Arc<Notify>,
}

/// What one caller has used of its limits.
#[derive(Default)]
pub(super) struct Rate {
    /// Start of the current hour and the calls in it.
    pub(super) hour: Option<Timestamp>,
    pub(super) used: u32,
    /// When content was created in the last hour, oldest first.
    pub(super) created: VecDeque<Timestamp>,
}

impl State {
    pub(super) fn new(now: Now, seed: u64, wake: Arc<Notify>) -> Self {
        let settings = Settings {
            api_prefix: String::new(),
            auto_deliver: false,
            auto_finish: false,
            hourly_limit: 5000,
        };
        Self {
            now,
            token_clock: None,
            host: "http://github.example.com".into(),
            settings,
            ids: Ids::new(seed),
            accounts: BTreeMap::new(),
            teams: BTreeMap::new(),
            apps: BTreeMap::new(),
            installations: BTreeMap::new(),
            tokens: Vec::new(),
            repositories: BTreeMap::new(),
            moved: BTreeMap::new(),
            issues: BTreeMap::new(),
            reviews: BTreeMap::new(),
            comments: BTreeMap::new(),
            check_runs: BTreeMap::new(),
            runs: BTreeMap::new(),
            jobs: BTreeMap::new(),
            gates: Vec::new(),
            overtake: None,
            deployments: BTreeMap::new(),
            outbox: VecDeque::new(),
            sent: Vec::new(),
            calls: Vec::new(),
            rates: BTreeMap::new(),
            limit_hits: 0,
            faults: Faults::default(),
            hook_faults: HookFaults::default(),
            wake,
        }
    }

    /// GitHub knows no fractions of a second.
    pub(super) fn time(&self) -> Timestamp {
        let now = (self.now)();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// The time by which tokens are judged.
    pub(super) fn token_time(&self) -> Timestamp {
        let clock = self.token_clock.as_ref().unwrap_or(&self.now);
        let now = clock();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Where the API begins, without a trailing slash.
    pub(super) fn api(&self) -> String {
        format!("{}{}", self.host, self.settings.api_prefix)
    }
}
