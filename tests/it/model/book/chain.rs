//! A deployment, as its entries tell, and where it may go.

use crate::model::world::{Deployed, World};
use countersign::domain::deployment::Status;
use countersign::domain::ledger::{Entry, Hold, Outcome, Vote, Word};
use countersign::domain::policy::Gate;
use std::collections::BTreeMap;

/// A deployment, as its entries tell.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) entries: i64,
    pub(crate) status: Status,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) superseded: bool,
    /// The book's count when its status last changed.
    pub(super) moved: u64,
    pub(super) votes: Vec<Vote>,
}

impl Chain {
    /// Rule 5: each person's newest word by the platform's clock, however late it came.
    pub(crate) fn words(&self) -> Vec<(i64, Word)> {
        let mut newest: BTreeMap<i64, &Vote> = BTreeMap::new();
        for vote in &self.votes {
            if newest.get(&vote.by.id.0).is_none_or(|known| known.at <= vote.at) {
                newest.insert(vote.by.id.0, vote);
            }
        }
        newest.into_iter().map(|(who, vote)| (who, vote.word)).collect()
    }

    pub(super) fn newest_of(&self, who: i64) -> Option<&Vote> {
        let theirs = self.votes.iter().filter(|vote| vote.by.id.0 == who);
        theirs.reduce(|newest, vote| if vote.at >= newest.at { vote } else { newest })
    }

    /// The forge has our approval and doesn't give it back.
    pub(super) fn is_handed_over(&self, world: &World, one: &Deployed) -> bool {
        let keeps = world.law.of(one.environment).gate != Gate::ManualJob;
        keeps && self.outcome != Some(Outcome::Waiting(Hold::VoteRefused))
    }

    pub(super) fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Voted { vote, .. } => self.votes.push(vote.clone()),
            Entry::Releasing { .. } => self.status = Status::Releasing,
            Entry::Opened { .. } | Entry::ReleaseUndone { .. } => {
                (self.status, self.outcome) = (Status::Blocked, None);
            }
            Entry::Rejecting { .. } => self.status = Status::Rejecting,
            Entry::Settled { outcome } => {
                self.outcome = Some(outcome.clone());
                self.status = match outcome {
                    Outcome::Waiting(_) => Status::Approved,
                    Outcome::Started | Outcome::StartedBy(_) => Status::Released,
                    Outcome::Deployed => Status::Deployed,
                    Outcome::Failed => Status::Failed,
                    Outcome::Rejected => Status::Rejected,
                    Outcome::Cancelled | Outcome::Strayed => Status::Cancelled,
                    Outcome::AskedAgain => Status::Passed,
                    Outcome::Bypassed(_) => Status::Bypassed,
                    Outcome::Gone => Status::Gone,
                };
            }
            Entry::Superseded => self.superseded = true,
            Entry::Asked { .. } | Entry::Placed { .. } => {}
        }
    }
}

/// Where a deployment may go from here.
pub(super) fn may_follow(before: Status) -> &'static [Status] {
    use Status::{
        Approved, Blocked, Bypassed, Cancelled, Deployed, Failed, Gone, Passed, Rejected, Rejecting,
        Released, Releasing,
    };
    match before {
        Blocked => &[Releasing, Rejecting, Rejected, Bypassed, Failed, Cancelled, Gone],
        Approved => &[Releasing, Rejecting, Blocked, Released, Rejected, Failed, Cancelled, Gone],
        Releasing => &[Blocked, Approved, Released, Rejected, Failed, Cancelled, Gone],
        Rejecting => &[Rejected, Bypassed, Gone],
        Released | Bypassed => &[Deployed, Failed, Cancelled, Gone],
        Rejected => &[Bypassed, Gone],
        Passed | Deployed | Failed | Cancelled | Gone => &[],
    }
}

pub(super) fn told(entry: &Entry) -> String {
    match entry {
        Entry::Voted { vote, .. } => format!("{:?} by {} at {}", vote.word, vote.by.username, vote.at),
        Entry::Settled { outcome } => format!("{outcome:?}"),
        Entry::Opened { .. } => "opened".to_owned(),
        Entry::Releasing { .. } => "releasing".to_owned(),
        Entry::ReleaseUndone { why, .. } => format!("undone: {why:?}"),
        Entry::Rejecting { by, .. } => format!("rejecting by {}", by.username),
        Entry::Superseded => "superseded".to_owned(),
        Entry::Asked { .. } | Entry::Placed { .. } => "asked or placed".to_owned(),
    }
}
