//! What an `[[environment]]` must know of its forge.

use crate::domain::id::ForgeName;
use crate::domain::policy::{Gate, VoteAs};
use std::ops::Range;

/// A forge whose webhooks anybody could send.
pub(super) const NO_PROOF: &str = "nothing proves that webhooks come from this forge";

/// A forge's table, even where it has faults.
pub(super) struct Forge {
    pub(super) name: Option<ForgeName>,
    pub(super) kind: Kind,
    pub(super) at: Range<usize>,
}

/// Which forge it is, and what that decides of its environments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `vote_as` is `None` where it is faulty.
    GitLab {
        vote_as: Option<VoteAs>,
    },
    GitHub,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::GitLab { .. } => "GitLab",
            Self::GitHub => "GitHub",
        }
    }

    /// What can hold a deployment there; the first is the default.
    pub(super) fn gates(self) -> &'static [(&'static str, Gate)] {
        match self {
            Self::GitLab { .. } => &[("native", Gate::Native), ("manual_job", Gate::ManualJob)],
            Self::GitHub => &[("protection_rule", Gate::ProtectionRule)],
        }
    }

    /// Who decides behind a gate. Only behind GitLab's own is there a vote to cast as anybody: elsewhere our own
    /// policy decides whatever the forge's `vote_as` is.
    pub(super) fn vote_through(self, gate: Gate) -> Option<VoteAs> {
        match (self, gate) {
            (Self::GitLab { vote_as }, Gate::Native) => vote_as,
            (Self::GitLab { .. }, Gate::ManualJob | Gate::ProtectionRule) | (Self::GitHub, _) => {
                Some(VoteAs::Bot)
            }
        }
    }

    /// The keys that name a grantee there, as a sentence lists them.
    pub(super) fn grantees(self) -> &'static str {
        match self {
            Self::GitLab { .. } => "`user`, `user_id`, `group` or `access_level`",
            Self::GitHub => "`user`, `team` or `role`",
        }
    }

    /// Names of projects, people and environments are the same in upper and lower case.
    pub(super) fn ignores_case(self) -> bool {
        match self {
            Self::GitLab { .. } => false,
            Self::GitHub => true,
        }
    }
}
