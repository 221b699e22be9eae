//! How a call to a forge can fail, sorted by what follows from it.

use std::time::Duration;

/// A call that didn't succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing was done; later it may work (no connection, 429, 502…).
    #[error("{what}")]
    Unavailable {
        /// What failed, in one sentence without secrets.
        what: String,
        /// When the forge said to come back.
        retry_after: Option<Duration>,
    },
    /// We ourselves hold back, so that the forge's limits are kept: nothing was done.
    #[error("held back to keep the forge's limits")]
    HeldBack {
        /// When it may be tried again, from now.
        wait: Duration,
    },
    /// A write was sent and its answer is lost: it may or may not have been done.
    #[error("{what}; whether it was done is unknown")]
    UnknownOutcome {
        /// What failed.
        what: String,
    },
    /// The forge understood and said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The thing, or our access to it, is gone (404 with a token that is good).
    #[error("not found")]
    NotFound,
    /// The token is missing, expired or lacks a scope (401, 403 `insufficient_scope`).
    #[error("the token was not accepted: {0}")]
    Unauthorized(String),
    /// The answer could not be read.
    #[error("the answer could not be read: {0}")]
    Unreadable(String),
}

/// Why a forge said no, as far as it can be told apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The voter started the deployment.
    #[error("the forge does not let people approve their own deployment")]
    SelfApproval,
    /// The environment isn't protected on the forge, or its licence has no approvals.
    #[error("the environment is not protected on the forge")]
    NotProtected,
    /// No approvals are configured there.
    #[error("no approvals are configured for the environment on the forge")]
    NoApprovals,
    /// The deployment doesn't wait for approvals.
    #[error("the deployment is not waiting for approvals")]
    NotWaiting,
    /// The voter may not approve, or the token's account may not do this.
    #[error("the account has no permission for this")]
    NoPermission,
    /// The named rule does not exist or does not admit the voter.
    #[error("no approval rule of that name admits the account")]
    NoSuchRule,
    /// The job can't be started now.
    #[error("the job can't be started now")]
    Unplayable,
    /// The conversation is locked or archived.
    #[error("the conversation is locked")]
    Locked,
    /// Anything else, in the forge's own words: foreign text.
    #[error("the forge refused: {0}")]
    Other(String),
}

impl Failure {
    /// Trying again later may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::HeldBack { .. }
            | Self::UnknownOutcome { .. }
            | Self::Unauthorized(_)
            | Self::Unreadable(_) => true,
            Self::Refused(_) | Self::NotFound => false,
        }
    }
}
