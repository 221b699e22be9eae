//! The status as a fold over the ledger, and its words.

use super::ledger::{entries, settled};
use crate::domain::deployment::{Deployment, Status};
use crate::domain::ledger::{Entry, Hold, Outcome, Undone};
use rstest::rstest;

#[rstest]
#[case::opened(entries::opened(), Status::Approved, Status::Blocked)]
#[case::voted(entries::voted(), Status::Blocked, Status::Blocked)]
#[case::voted_while_approved(entries::voted(), Status::Approved, Status::Approved)]
#[case::releasing(entries::releasing(), Status::Blocked, Status::Releasing)]
#[case::undone(entries::undone(Undone::Revoked), Status::Releasing, Status::Blocked)]
#[case::rejecting(entries::rejecting(), Status::Blocked, Status::Rejecting)]
#[case::superseded(Entry::Superseded, Status::Blocked, Status::Blocked)]
#[case::superseded_at_the_end(Entry::Superseded, Status::Deployed, Status::Deployed)]
#[case::placed(entries::placed(), Status::Blocked, Status::Blocked)]
#[case::waiting(settled(Outcome::Waiting(Hold::OtherRules)), Status::Releasing, Status::Approved)]
#[case::started(settled(Outcome::Started), Status::Releasing, Status::Released)]
#[case::started_by(settled(Outcome::StartedBy(None)), Status::Approved, Status::Released)]
#[case::deployed(settled(Outcome::Deployed), Status::Released, Status::Deployed)]
#[case::failed(settled(Outcome::Failed), Status::Released, Status::Failed)]
#[case::rejected(settled(Outcome::Rejected), Status::Rejecting, Status::Rejected)]
#[case::cancelled(settled(Outcome::Cancelled), Status::Blocked, Status::Cancelled)]
#[case::asked_again(settled(Outcome::AskedAgain), Status::Released, Status::Passed)]
#[case::strayed(settled(Outcome::Strayed), Status::Releasing, Status::Cancelled)]
#[case::bypassed(settled(Outcome::Bypassed(None)), Status::Blocked, Status::Bypassed)]
#[case::gone(settled(Outcome::Gone), Status::Blocked, Status::Gone)]
fn an_entry_leads_on(#[case] entry: Entry, #[case] before: Status, #[case] after: Status) {
    assert_eq!(entry.next(before), after);
}

#[test]
fn every_status_is_read_back_from_its_word() {
    for status in Status::ALL {
        assert_eq!(Status::parse(status.as_str()), Some(status));
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(json, format!("\"{}\"", status.as_str()), "store and API say the same");
    }
    assert_eq!(Status::parse("Blocked"), None);
    assert_eq!(Status::parse(""), None);
}

#[test]
fn what_is_final_takes_no_votes() {
    assert!(Status::ALL.iter().all(|status| !(status.is_final() && status.takes_votes())));
    let votable: Vec<Status> = Status::ALL.into_iter().filter(|status| status.takes_votes()).collect();
    assert_eq!(votable, [Status::Blocked, Status::Approved]);
}

#[test]
fn a_deployment_is_the_sum_of_its_entries() {
    let chain = [
        entries::opened(),
        entries::voted(),
        entries::releasing(),
        settled(Outcome::Waiting(Hold::StartByHand)),
        entries::placed(),
        Entry::Superseded,
    ];
    let deployment = Deployment::from_ledger(chain.clone()).unwrap();
    assert_eq!(deployment.version, 6);
    assert_eq!(deployment.status, Status::Approved);
    assert_eq!(deployment.votes.len(), 1);
    assert_eq!(deployment.outcome, Some(Outcome::Waiting(Hold::StartByHand)));
    assert!(deployment.superseded);
    assert_eq!(deployment.description.conversation, Some(entries::conversation()));

    let mut grown = Deployment::from_ledger(chain[..1].to_vec()).unwrap();
    chain[1..].iter().cloned().for_each(|entry| grown.add(entry));
    assert_eq!(grown, deployment, "entry by entry is the same as all at once");
}

#[test]
fn an_undone_release_shows_how_the_rules_stand_now() {
    let chain = [entries::opened(), entries::voted(), entries::releasing(), entries::undone(Undone::Revoked)];
    let deployment = Deployment::from_ledger(chain).unwrap();
    assert_eq!(deployment.status, Status::Blocked);
    assert_eq!(deployment.standing, entries::standing(&[]));
}

#[test]
fn a_chain_without_its_beginning_is_no_deployment() {
    assert_eq!(Deployment::from_ledger([]), None);
    assert_eq!(Deployment::from_ledger([entries::voted()]), None);
}
