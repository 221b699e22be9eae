//! A deployment as we keep it: what it is, and where it stands.

use super::actor::{Account, Known};
use super::id::{Conversation, DeploymentId, ForgeName, Native, Project};
use super::ledger::{Entry, Hold, Outcome, RuleStanding, Vote};
use super::policy::Gate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a deployment stands with us. Derived from the ledger, stored beside it for searching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waiting for approvals.
    Blocked,
    /// Approved and told to the forge, but something else still holds it.
    Approved,
    /// Past the point of no return: the forge is being told to start it.
    Releasing,
    /// Rejected by us; the forge is being told.
    Rejecting,
    /// Released; the forge runs it.
    Released,
    /// Released, and its run asked again: the later round tells how it went on.
    Passed,
    /// Finished well.
    Deployed,
    /// Released, and its job failed.
    Failed,
    /// Rejected, final.
    Rejected,
    /// Cancelled or skipped before it ran.
    Cancelled,
    /// Somebody started it past the gate; the forge runs it.
    Bypassed,
    /// The deployment, its environment or its project no longer exists.
    Gone,
}

impl Status {
    /// Votes can still change it.
    pub fn takes_votes(self) -> bool {
        match self {
            Self::Blocked | Self::Approved => true,
            Self::Releasing
            | Self::Rejecting
            | Self::Released
            | Self::Passed
            | Self::Deployed
            | Self::Failed
            | Self::Rejected
            | Self::Cancelled
            | Self::Bypassed
            | Self::Gone => false,
        }
    }

    /// Whether a vote or a carried-out decision is still to come: the gate is ours until then.
    pub fn is_open(self) -> bool {
        match self {
            Self::Blocked | Self::Approved | Self::Releasing | Self::Rejecting => true,
            Self::Released
            | Self::Passed
            | Self::Deployed
            | Self::Failed
            | Self::Rejected
            | Self::Cancelled
            | Self::Bypassed
            | Self::Gone => false,
        }
    }

    /// Nothing more will happen to it, as far as we watch.
    pub fn is_final(self) -> bool {
        match self {
            Self::Blocked
            | Self::Approved
            | Self::Releasing
            | Self::Rejecting
            | Self::Released
            | Self::Bypassed => false,
            Self::Passed | Self::Deployed | Self::Failed | Self::Rejected | Self::Cancelled | Self::Gone => {
                true
            }
        }
    }

    /// The word the store and the API use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Approved => "approved",
            Self::Releasing => "releasing",
            Self::Rejecting => "rejecting",
            Self::Released => "released",
            Self::Passed => "passed",
            Self::Deployed => "deployed",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Bypassed => "bypassed",
            Self::Gone => "gone",
        }
    }

    /// Every status, for reading words back.
    pub const ALL: [Self; 12] = [
        Self::Blocked,
        Self::Approved,
        Self::Releasing,
        Self::Rejecting,
        Self::Released,
        Self::Passed,
        Self::Deployed,
        Self::Failed,
        Self::Rejected,
        Self::Cancelled,
        Self::Bypassed,
        Self::Gone,
    ];

    /// Reads the word of [`Status::as_str`] back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// What doesn't change while a deployment lives, as first read from the forge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Identity.
    pub id: DeploymentId,
    /// What the forge knows it by.
    pub native: Native,
    /// How often the forge has asked for it by that name, from 1.
    pub round: u32,
    /// The forge it is on.
    pub forge: ForgeName,
    /// Its project, with the path of that time.
    pub project: Project,
    /// The number people use, printed `d4711`.
    pub number: i64,
    /// Which of two deployments of an environment is the newer one: the higher.
    pub order: i64,
    /// Environment name.
    pub environment: String,
    /// The full SHA it would deploy.
    pub sha: String,
    /// Branch or tag.
    pub ref_name: String,
    /// The commit's title: foreign text.
    pub title: Option<String>,
    /// The run (pipeline) it belongs to; deployments of one run and environment are siblings.
    pub run: i64,
    /// Name of its job: foreign text.
    pub job_name: Option<String>,
    /// Address of job or run, for links.
    pub url: Option<String>,
    /// When the forge first had it.
    pub created_at: Timestamp,
    /// Since when it waits: the forge's time, never our first sight.
    pub blocked_at: Timestamp,
    /// What holds it.
    pub gate: Gate,
    /// Who started it.
    pub creators: Creators,
    /// Where its card stands and its commands are given; `None` when recorded silently.
    pub conversation: Option<Conversation>,
    /// Whether the people whom the policy names could fill its rules at all; `None` when not known.
    pub within_reach: Option<bool>,
}

/// Who started a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creators {
    /// The accounts that the forge names as starters.
    pub started_by: Vec<Account>,
    /// Author and merger of the commit's merge request: they stand in when no starter is human.
    pub stand_ins: Known<Vec<Account>>,
}

/// A deployment with its present state: a fold over its ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// What it is; its conversation is the present one.
    pub description: Description,
    /// Where it stands.
    pub status: Status,
    /// Number of its ledger entries: the version a commit must expect.
    pub version: i64,
    /// A later deployment to the same environment is running or has succeeded.
    pub superseded: bool,
    /// Everybody's words so far, in the ledger's order.
    pub votes: Vec<Vote>,
    /// How the rules stood when last looked at.
    pub standing: Vec<RuleStanding>,
    /// What the forge did last.
    pub outcome: Option<Outcome>,
    /// The forge's deliveries that asked for it.
    pub asked: Vec<String>,
}

impl Deployment {
    /// Folds a whole chain; `None` unless it begins with `Opened`.
    pub fn from_ledger(entries: impl IntoIterator<Item = Entry>) -> Option<Self> {
        let mut entries = entries.into_iter();
        let Some(Entry::Opened { description, standing }) = entries.next() else { return None };
        let mut deployment = Self {
            description: *description,
            status: Status::Blocked,
            version: 1,
            superseded: false,
            votes: Vec::new(),
            standing,
            outcome: None,
            asked: Vec::new(),
        };
        for entry in entries {
            deployment.add(entry);
        }
        Some(deployment)
    }

    /// Takes one more entry of the chain.
    pub fn add(&mut self, entry: Entry) {
        self.status = entry.next(self.status);
        self.version += 1;
        match entry {
            Entry::Voted { vote, standing, .. } => {
                self.votes.push(vote);
                self.standing = standing;
            }
            Entry::ReleaseUndone { standing, .. } => {
                self.standing = standing;
                self.outcome = None;
            }
            Entry::Settled { outcome } => self.outcome = Some(outcome),
            Entry::Asked { delivery } => self.asked.push(delivery),
            Entry::Superseded => self.superseded = true,
            Entry::Placed { conversation } => self.description.conversation = Some(conversation),
            Entry::Opened { .. } | Entry::Releasing { .. } | Entry::Rejecting { .. } => {}
        }
    }

    /// The forge has our approval and doesn't give it back; something else still holds it there.
    pub fn is_handed_over(&self) -> bool {
        self.status == Status::Approved
            && self.description.gate.keeps_decisions()
            && self.outcome != Some(Outcome::Waiting(Hold::VoteRefused))
    }

    /// Where it stands among others of its environment: the highest is the newest.
    pub fn age(&self) -> (i64, i64) {
        (self.description.order, self.description.number)
    }

    /// Shorthand for its identity.
    pub fn id(&self) -> &DeploymentId {
        &self.description.id
    }
}
