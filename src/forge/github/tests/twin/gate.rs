//! Decisions and reports of our rule.

use super::*;
use crate::domain::ledger::Word;
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{Gatekeeper as _, Landed, OwnVote};
use crate::sim::faults::{Action, Rule};

fn vote(word: Word, again: bool) -> OwnVote {
    OwnVote { word, comment: "Approved through Countersign by alice.".to_owned(), again }
}

fn decisions(stage: &Stage, run: sim::RunId) -> Vec<(String, String)> {
    let posted = stage.twin.reviews_posted(run).into_iter();
    posted.filter_map(|review| Some((review.state?, review.comment?))).collect()
}

#[tokio::test]
async fn a_decision_bears_the_deployments_number() {
    for (word, told) in [(Word::Approved, "approved"), (Word::Rejected, "rejected")] {
        let stage = stage().await;
        let run = stage.run(HEAD);
        let deployment = description(&stage, &native(run, 1));
        assert_eq!(stage.github.vote(&deployment, &vote(word, false)).await, Ok(Landed::Here));
        let comment = "Approved through Countersign by alice. (d12)";
        assert_eq!(decisions(&stage, run), [(told.to_owned(), comment.to_owned())]);
        let again = stage.github.vote(&deployment, &vote(word, false)).await;
        assert_eq!(again, Err(Failure::Refused(Refusal::NotWaiting)));
        assert_eq!(decisions(&stage, run).len(), 1, "what doesn't wait isn't decided");
    }
}

#[tokio::test]
async fn a_long_comment_is_cut_and_keeps_its_mark() {
    let stage = stage().await;
    let run = stage.run(HEAD);
    let long = OwnVote { comment: "ä".repeat(2000), ..vote(Word::Rejected, false) };
    stage.github.vote(&description(&stage, &native(run, 1)), &long).await.unwrap();
    let told = decisions(&stage, run).remove(0).1;
    assert_eq!(told.chars().count(), 1024);
    assert!(told.ends_with("ä… (d12)"));
}

#[tokio::test]
async fn a_reason_notifies_nobody() {
    let stage = stage().await;
    let run = stage.run(HEAD);
    let reason = OwnVote { comment: "Rejected by alice: ask @bob".to_owned(), ..vote(Word::Rejected, false) };
    stage.github.vote(&description(&stage, &native(run, 1)), &reason).await.unwrap();
    assert_eq!(decisions(&stage, run).remove(0).1, "Rejected by alice: ask @\u{200b}bob (d12)");
}

#[tokio::test]
async fn a_decision_whose_answer_was_lost_is_found_and_not_repeated() {
    let stage = stage().await;
    let run = stage.run(HEAD);
    let deployment = description(&stage, &native(run, 1));
    stage
        .twin
        .add_fault(Rule::new("/deployment_protection_rule", Action::ActThenDrop).method("POST").times(1));
    let lost = stage.github.vote(&deployment, &vote(Word::Approved, false)).await;
    assert!(matches!(lost, Err(Failure::UnknownOutcome { .. })), "{lost:?}");
    assert_eq!(stage.github.vote(&deployment, &vote(Word::Approved, true)).await, Ok(Landed::Here));
    assert_eq!(decisions(&stage, run).len(), 1);
}

#[tokio::test]
async fn a_decision_is_astray_when_the_run_was_started_again() {
    let stage = stage().await;
    let run = stage.run(HEAD);
    let deployment = description(&stage, &native(run, 1));
    stage
        .twin
        .add_fault(Rule::new("/deployment_protection_rule", Action::ActThenDrop).method("POST").times(1));
    stage.github.vote(&deployment, &vote(Word::Rejected, false)).await.unwrap_err();
    stage.twin.rerun(run, stage.dana).unwrap();
    assert_eq!(stage.github.vote(&deployment, &vote(Word::Rejected, true)).await, Ok(Landed::Astray));
    assert_eq!(decisions(&stage, run).len(), 1);
}

#[tokio::test]
async fn a_decision_that_was_never_sent_is_sent_by_the_next_attempt() {
    let stage = stage().await;
    let run = stage.run(HEAD);
    let deployment = description(&stage, &native(run, 1));
    stage.twin.add_fault(Rule::new("/deployment_protection_rule", Action::Drop).method("POST").times(1));
    stage.github.vote(&deployment, &vote(Word::Approved, false)).await.unwrap_err();
    assert_eq!(stage.github.vote(&deployment, &vote(Word::Approved, true)).await, Ok(Landed::Here));
    assert_eq!(decisions(&stage, run).len(), 1);
}

#[tokio::test]
async fn an_old_attempts_decision_does_not_reach_the_new_one() {
    let stage = stage().await;
    let run = stage.run(HEAD);
    stage.twin.cancel_run(run, stage.dana).unwrap();
    stage.twin.rerun(run, stage.dana).unwrap();
    let late = stage.github.vote(&description(&stage, &native(run, 1)), &vote(Word::Approved, false)).await;
    assert_eq!(late, Err(Failure::Refused(Refusal::NotWaiting)));
    assert_eq!(decisions(&stage, run), []);
}

#[tokio::test]
async fn a_refused_decision_is_refused() {
    let stage = stage().await;
    stage.twin.set_permissions(stage.app.id, &[("deployments", "read")]);
    let run = stage.run(HEAD);
    let taken = stage.github.vote(&description(&stage, &native(run, 1)), &vote(Word::Approved, false)).await;
    assert_eq!(taken, Err(Failure::Refused(Refusal::NoPermission)));
}

#[tokio::test]
async fn what_github_has_no_place_for_is_refused() {
    let stage = stage().await;
    let deployment = description(&stage, &native(stage.run(HEAD), 1));
    let revoked = stage.github.vote(&deployment, &vote(Word::Revoked, false)).await;
    assert!(matches!(revoked, Err(Failure::Refused(Refusal::Other(_)))));
    assert!(matches!(stage.github.play(stage.shop, 1).await, Err(Failure::Refused(_))));
    assert!(matches!(stage.github.cancel(stage.shop, 1).await, Err(Failure::Refused(_))));
    assert_eq!(stage.writes(), 0);
}

#[tokio::test]
async fn reports_are_given_ten_times_and_never_twice_the_same() {
    let stage = stage().await;
    let run = stage.run(HEAD);
    let deployment = description(&stage, &native(run, 1));
    for number in 0..12 {
        for _ in 0..2 {
            stage.github.report(&deployment, &format!("{number} of 20 approvals")).await.unwrap();
        }
    }
    let posted = stage.twin.reviews_posted(run);
    assert_eq!(posted.len(), 10);
    assert!(posted.iter().all(|report| report.state.is_none() && report.status == 204));
    let told = |at: usize| posted[at].comment.clone().unwrap();
    assert_eq!((told(0).as_str(), told(9).as_str()), ("0 of 20 approvals", "9 of 20 approvals"));
}

#[tokio::test]
async fn a_long_report_is_cut() {
    let stage = stage().await;
    let run = stage.run(HEAD);
    let deployment = description(&stage, &native(run, 1));
    stage.github.report(&deployment, &"ä".repeat(2000)).await.unwrap();
    let told = stage.twin.reviews_posted(run).remove(0).comment.unwrap();
    assert_eq!(told.chars().count(), 1024);
}
