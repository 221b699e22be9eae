//! The ledger: what was decided, by whom, when, under which policy. Append-only, hash-chained per deployment.

use super::actor::Account;
use super::chat::ChannelId;
use super::deployment::{Description, Status};
use super::id::{ChatName, CommentRef, Conversation, DeploymentId};
use super::policy::Grantee;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The number of the canonical form below. A new form gets a new number; old entries keep theirs.
pub const FORMAT: i64 = 1;

/// What one person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// An approval.
    Approved,
    /// A rejection.
    Rejected,
    /// An earlier approval taken back.
    Revoked,
}

/// Where a word was spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A line of a comment.
    Comment {
        /// Which comment.
        comment: CommentRef,
        /// Which line of it, from 0.
        line: u32,
    },
    /// The forge's own pages.
    Forge,
    /// A button that we showed.
    Button {
        /// The platform's id of the press.
        press: String,
    },
    /// A chat, by an account there that is linked to the voter's.
    Chat {
        /// The chat.
        chat: ChatName,
        /// Its channel.
        channel: ChannelId,
        /// The chat's id of the account that spoke.
        user: String,
        /// The chat's id of the act.
        act: String,
    },
}

/// One person's word on one deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub by: Account,
    /// What.
    pub word: Word,
    /// When, by the platform's clock.
    pub at: Timestamp,
    /// Comment or reason: foreign text.
    pub reason: Option<String>,
    /// Where.
    pub source: Source,
}

/// How a deployment went on after the decision, or without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Approved and told to the forge; somebody has to start it, or something else still holds it.
    Waiting(Hold),
    /// Our release started it.
    Started,
    /// Somebody else started it after it was approved.
    StartedBy(Option<Account>),
    /// It finished well.
    Deployed,
    /// Its job failed.
    Failed,
    /// The forge carried out our rejection.
    Rejected,
    /// It was cancelled or skipped.
    Cancelled,
    /// It was released, and then its run asked again: the next round tells how it went on.
    AskedAgain,
    /// Its run was started again while it was being released: the release may have gone to the new attempt.
    Strayed,
    /// Started past the gate, by this account if the forge tells.
    Bypassed(Option<Account>),
    /// It no longer exists.
    Gone,
}

/// What holds a deployment that has its approvals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// `start_when_approved = false`: somebody starts the job by hand.
    StartByHand,
    /// The forge asks for further approvals that are not ours to give.
    OtherRules,
    /// The forge doesn't let the bot start the job.
    StartRefused,
    /// The forge doesn't let the bot vote.
    VoteRefused,
}

/// Why a release did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undone {
    /// An approver no longer counts, or a fact could no longer be read.
    NoLongerApproved,
    /// Somebody took an approval back before the forge was told.
    Revoked,
}

/// How one rule stands: what the card shows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStanding {
    /// Who is admitted.
    pub grantees: Vec<Grantee>,
    /// Needed slots.
    pub required: u32,
    /// Who fills its slots.
    pub filled_by: Vec<Account>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// The deployment was first seen waiting.
    Opened {
        /// What it is.
        description: Box<Description>,
        /// How the rules stood: nobody has spoken yet.
        standing: Vec<RuleStanding>,
    },
    /// A person's word.
    Voted {
        /// The word.
        vote: Vote,
        /// Digest of the policy under which it was given, hex SHA-256.
        policy: String,
        /// How the rules stood after it.
        standing: Vec<RuleStanding>,
    },
    /// The rules are filled: point of no return.
    Releasing {
        /// Whose approvals fill the rules.
        approvers: Vec<Account>,
        /// Digest of the policy, hex SHA-256.
        policy: String,
    },
    /// The release was proven not to have happened, and the rules no longer hold.
    ReleaseUndone {
        /// Why.
        why: Undone,
        /// How the rules stand now.
        standing: Vec<RuleStanding>,
    },
    /// An eligible rejection: the forge is told to fail the deployment.
    Rejecting {
        /// Who rejected.
        by: Account,
        /// Digest of the policy, hex SHA-256.
        policy: String,
    },
    /// What the forge did.
    Settled {
        /// How it went on.
        outcome: Outcome,
    },
    /// A later deployment of the same environment runs or has run.
    Superseded,
    /// The forge asked us for a decision on it.
    Asked {
        /// The forge's id of the delivery.
        delivery: String,
    },
    /// It was recorded silently and now has a card, in this conversation.
    Placed {
        /// Where its card stands from now on.
        conversation: Conversation,
    },
}

impl Entry {
    /// The status after this entry, given the one before.
    pub fn next(&self, before: Status) -> Status {
        match self {
            Self::Voted { .. } | Self::Superseded | Self::Asked { .. } | Self::Placed { .. } => before,
            Self::Releasing { .. } => Status::Releasing,
            Self::Opened { .. } | Self::ReleaseUndone { .. } => Status::Blocked,
            Self::Rejecting { .. } => Status::Rejecting,
            Self::Settled { outcome } => outcome.status(),
        }
    }
}

impl Outcome {
    fn status(&self) -> Status {
        match self {
            Self::Waiting(_) => Status::Approved,
            Self::Started | Self::StartedBy(_) => Status::Released,
            Self::Deployed => Status::Deployed,
            Self::Failed => Status::Failed,
            Self::Rejected => Status::Rejected,
            Self::Cancelled | Self::Strayed => Status::Cancelled,
            Self::AskedAgain => Status::Passed,
            Self::Bypassed(_) => Status::Bypassed,
            Self::Gone => Status::Gone,
        }
    }
}

/// An entry as it is stored: the canonical bytes are what the chain is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Position in the deployment's chain, from 1.
    pub seq: i64,
    /// When we wrote it, to the millisecond.
    pub at: Timestamp,
    /// [`FORMAT`] at the time of writing.
    pub format: i64,
    /// Canonical bytes: the entry as JSON, keys in the order of declaration.
    pub body: String,
    /// Hex SHA-256 over everything above, the deployment and the previous hash.
    pub hash: String,
}

/// Why a chain is not sound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The stored hash is not that of the stored bytes.
    #[error(
        "entry {seq} of {deployment} does not match its hash: its text, time or place in the chain was changed"
    )]
    Hash {
        /// Whose chain.
        deployment: DeploymentId,
        /// Which entry.
        seq: i64,
    },
    /// An entry is missing.
    #[error("entry {seq} of {deployment} is missing")]
    Missing {
        /// Whose chain.
        deployment: DeploymentId,
        /// Which entry.
        seq: i64,
    },
    /// The bytes are right but can't be read by this version.
    #[error("entry {seq} of {deployment} has format {format}, which this version can't read")]
    Format {
        /// Whose chain.
        deployment: DeploymentId,
        /// Which entry.
        seq: i64,
        /// Its format number.
        format: i64,
    },
}

/// Seals an entry behind its predecessor. Errors only if the entry can't be written as JSON.
pub fn seal(
    deployment: &DeploymentId,
    previous: Option<&Sealed>,
    at: Timestamp,
    entry: &Entry,
) -> Result<Sealed, serde_json::Error> {
    let mut sealed = Sealed {
        seq: previous.map_or(1, |p| p.seq + 1),
        at: to_the_millisecond(at),
        format: FORMAT,
        body: serde_json::to_string(entry)?,
        hash: String::new(),
    };
    sealed.hash = hash(deployment, previous.map_or("", |p| p.hash.as_str()), &sealed);
    Ok(sealed)
}

/// What a store keeps of a time, so that an entry is read back as it was sealed.
fn to_the_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Checks one entry against its predecessor (`None` for the first).
pub fn verify(deployment: &DeploymentId, previous: Option<&Sealed>, entry: &Sealed) -> Result<(), Broken> {
    let expected = previous.map_or(1, |p| p.seq + 1);
    if entry.seq != expected {
        return Err(Broken::Missing { deployment: deployment.clone(), seq: expected });
    }
    if entry.hash != hash(deployment, previous.map_or("", |p| p.hash.as_str()), entry) {
        return Err(Broken::Hash { deployment: deployment.clone(), seq: entry.seq });
    }
    Ok(())
}

/// Reads a sealed entry back.
pub fn open(deployment: &DeploymentId, sealed: &Sealed) -> Result<Entry, Broken> {
    let unreadable =
        || Broken::Format { deployment: deployment.clone(), seq: sealed.seq, format: sealed.format };
    if sealed.format != FORMAT {
        return Err(unreadable());
    }
    serde_json::from_str(&sealed.body).map_err(|_| unreadable())
}

/// Every field goes in behind its length, so that no two chains share their bytes.
fn hash(deployment: &DeploymentId, previous: &str, entry: &Sealed) -> String {
    let mut sha = Sha256::new();
    let millis = entry.at.as_millisecond().to_string();
    let (seq, format) = (entry.seq.to_string(), entry.format.to_string());
    for field in [previous, deployment.as_str(), &seq, &millis, &format, &entry.body] {
        sha.update((field.len() as u64).to_be_bytes());
        sha.update(field.as_bytes());
    }
    hex::encode(sha.finalize())
}
