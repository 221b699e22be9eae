//! The use cases: what happens between a stored delivery and a told world.
//!
//! * [`intake`]: verified bytes become a stored delivery.
//! * [`worker`]: leases jobs and hands each to its use case; [`retry`]: what follows when that fails.
//! * [`react`]: a comment becomes a decision, written in one commit.
//! * [`targets`] and [`commands`]: which deployments a command means, and what it comes to.
//! * [`press`]: a button pressed on a forge becomes a decision.
//! * [`chatted`], [`channel`] and [`links`]: the same for what was done in a chat: what it means, and whose word it is.
//! * [`gather`]: reads the facts of one decision live from the forge.
//! * [`people`]: names of the policy become pinned ids; who holds what.
//! * [`open`], [`rounds`] and [`observe`]: a deployment that waits is opened; what happened to it is written.
//! * [`deliver`], [`cast`], [`talk`] and [`notices`]: effects: release, reject; votes in a person's name; cards, answers and
//!   reactions on forges; messages and answers in chats.
//! * [`recheck`]: looks again, so that what was lost or done elsewhere ends in the same state.
//! * [`figures`]: what is measured.
//! * [`letters`]: what waits and what was given up, for those who look after the server.
//! * [`audit`]: walks the whole ledger and checks its chains.

pub mod audit;
pub mod cast;
pub mod channel;
pub mod chatted;
pub mod commands;
pub mod deliver;
pub mod figures;
pub mod gather;
pub mod intake;
pub mod letters;
pub mod links;
pub mod notices;
pub mod observe;
pub mod open;
pub mod people;
pub mod press;
pub mod react;
pub mod recheck;
pub mod retry;
pub mod rounds;
pub mod talk;
pub mod targets;
pub mod worker;

use crate::domain::actor::Account;
use crate::domain::chat::People;
use crate::domain::id::{ChatName, ForgeName};
use crate::domain::policy::Policies;
use crate::domain::wording::Spelling;
use crate::ports::chat::Chat;
use crate::ports::clock::Clock;
use crate::ports::failure::Failure;
use crate::ports::forge::{Forge, HookLog};
use crate::ports::store::{CommitError, Store, StoreError};
use figures::Figures;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything the use cases work with.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// Every `[[environment]]` entry.
    pub policies: Arc<Policies>,
    /// The forges, by their configured names.
    pub desks: Arc<BTreeMap<ForgeName, Desk>>,
    /// The chats, by their configured names.
    pub chats: Arc<BTreeMap<ChatName, ChatDesk>>,
    /// Every `[[person]]`.
    pub people: Arc<People>,
    /// The delivery that everything now follows from, if one caused it. It goes into each job that is written.
    pub cause: Option<String>,
    /// What is measured.
    pub figures: Arc<Figures>,
}

/// One forge with its settings.
#[derive(Clone)]
pub struct Desk {
    /// The forge itself.
    pub forge: Arc<dyn Forge>,
    /// How often open deployments are looked at.
    pub poll: SignedDuration,
    /// Answer a merge request's own approval with the spelling that works.
    pub hint: bool,
    /// The forge's own log of its deliveries, where it has one.
    pub log: Option<Arc<dyn HookLog>>,
    /// What is peculiar to this kind of forge.
    pub ways: Ways,
}

/// One chat with its settings.
#[derive(Clone)]
pub struct ChatDesk {
    /// The chat itself.
    pub chat: Arc<dyn Chat>,
    /// Its slash command, `/deploy`.
    pub command: String,
}

/// What one kind of forge does otherwise than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// Environment names compare with their case (GitLab) or without (GitHub).
    pub exact_case: bool,
    /// A line that begins with `/approve` arrives as it was typed (GitHub); GitLab takes it for its own.
    pub slash: bool,
    /// It may ask again for a deployment that has ended (GitHub): each time is a round of its own.
    pub asks_again: bool,
}

impl Desk {
    /// How commands are spelt to people here.
    pub fn spelling(&self, me: &Account) -> Spelling {
        if self.ways.slash { Spelling::slash() } else { Spelling::of_bot(&me.username) }
    }
}

/// Why an attempt at a job did not end it.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// A call to the forge failed.
    #[error(transparent)]
    Forge(#[from] Failure),
    /// The write was refused.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The job names a forge that the configuration no longer has.
    #[error("no forge called {0} is configured")]
    NoSuchForge(ForgeName),
    /// Too little of the lease is left for another write.
    #[error("the lease is nearly over")]
    OutOfTime,
}

impl App {
    /// The same on behalf of a delivery.
    pub fn caused_by(&self, delivery: Option<&str>) -> Self {
        Self { cause: delivery.map(str::to_owned), ..self.clone() }
    }

    /// The forge of this name.
    pub fn desk(&self, forge: &ForgeName) -> Result<&Desk, Stopped> {
        self.desks.get(forge).ok_or_else(|| Stopped::NoSuchForge(forge.clone()))
    }
}
