//! Commits: everything or nothing.

use super::*;
use crate::domain::deployment::{Deployment, Status};
use crate::domain::ledger::{Hold, verify};
use crate::ports::store::{CommitError, QueueDepth, Room, RoomNews, StoreError};

async fn read(store: &Shared, number: i64) -> Deployment {
    store.deployment(&id(number)).await.unwrap().unwrap()
}

pub(in crate::store) async fn a_deployment_is_what_its_entries_say(store: Shared) {
    assert_eq!(store.deployment(&id(1)).await.unwrap(), None);
    write(&store, vec![change(1, 0, vec![opened(1)])]).await;
    let (alice, bob) = (account(2, "alice"), account(3, "bob"));
    let votes = [voted(bob.clone(), Word::Approved), voted(alice.clone(), Word::Revoked)];
    write(&store, vec![change(1, 1, votes.into())]).await;
    write(&store, vec![change(1, 3, vec![settled(Outcome::Waiting(Hold::StartByHand)), Entry::Superseded])])
        .await;

    let expected = Deployment {
        description: description(1, Some(merge_request(7))),
        status: Status::Approved,
        version: 5,
        superseded: true,
        votes: vec![vote(bob, Word::Approved), vote(alice, Word::Revoked)],
        standing: Vec::new(),
        outcome: Some(Outcome::Waiting(Hold::StartByHand)),
        asked: Vec::new(),
    };
    assert_eq!(read(&store, 1).await, expected);
}

pub(in crate::store) async fn a_stale_version_is_a_conflict(store: Shared) {
    write(&store, vec![change(1, 0, vec![opened(1)])]).await;
    for stale in [change(1, 0, vec![opened(1)]), change(1, 2, vec![Entry::Superseded])] {
        let refused = store.commit(Commit { changes: vec![stale], ..commit() }).await;
        assert_eq!(refused, Err(CommitError::Conflict));
    }
    let absent = Commit { changes: vec![change(2, 1, vec![Entry::Superseded])], ..commit() };
    assert_eq!(store.commit(absent).await, Err(CommitError::Conflict));
    assert_eq!(read(&store, 1).await.version, 1);
}

pub(in crate::store) async fn two_decisions_on_one_version_leave_one(store: Shared) {
    write(&store, vec![change(1, 0, vec![opened(1)])]).await;
    let decide = |name: &str| {
        let entries = vec![voted(account(2, name), Word::Approved)];
        store.commit(Commit { changes: vec![change(1, 1, entries)], ..commit() })
    };
    let answers: [Result<(), CommitError>; 2] = tokio::join!(decide("alice"), decide("bob")).into();
    assert!(answers.contains(&Ok(())) && answers.contains(&Err(CommitError::Conflict)), "{answers:?}");
    assert_eq!(read(&store, 1).await.votes.len(), 1);
}

pub(in crate::store) async fn a_first_entry_must_open(store: Shared) {
    for wrong in [Entry::Superseded, opened(2)] {
        let refused = store.commit(Commit { changes: vec![change(1, 0, vec![wrong])], ..commit() }).await;
        assert!(matches!(refused, Err(CommitError::Store(StoreError::Unreadable(_)))), "{refused:?}");
    }
    assert_eq!(store.ledger(&id(1)).await.unwrap(), []);
}

pub(in crate::store) async fn a_command_is_carried_out_once(store: Shared) {
    let take = |commands| store.commit(Commit { commands, ..commit() });
    assert!(!store.is_taken(&comment(1).key()).await.unwrap());
    assert_eq!(take(vec![taken(1, 0), taken(1, 1)]).await, Ok(()));
    assert_eq!(take(vec![taken(1, 2), taken(1, 1)]).await, Err(CommitError::AlreadyTaken));
    assert_eq!(take(vec![taken(1, 2)]).await, Ok(()), "the refused commit took nothing");
    assert_eq!(take(vec![taken(1, TakenCommand::WHOLE)]).await, Ok(()));
    assert!(store.is_taken(&CommentRef { discussion: None, ..comment(1) }.key()).await.unwrap());
    assert!(!store.is_taken(&comment(2).key()).await.unwrap());
}

pub(in crate::store) async fn a_lost_lease_writes_nothing(store: Shared) {
    enqueue(&store, vec![job(Lane::Decide, "k", 1)]).await;
    let job = lease(&store, 0).await.remove(0);
    done(&store, &job).await;
    for finish in [
        Finish::Done(job.lease.clone()),
        Finish::Dead(job.lease.clone(), "why".into()),
        Finish::Again(job.lease.clone(), at(0)),
    ] {
        let late = Commit { finish: Some(finish), changes: vec![change(1, 0, vec![opened(1)])], ..commit() };
        assert_eq!(store.commit(late).await, Err(CommitError::LeaseLost));
    }
    assert_eq!(store.deployment(&id(1)).await.unwrap(), None);
}

pub(in crate::store) async fn refusals_come_in_their_order(store: Shared) {
    store.accept(delivery("a", vec![commented(1, 0)])).await.unwrap();
    let held = lease(&store, 0).await.remove(0);
    let lost = crate::ports::store::Lease { token: "another".into(), ..held.lease.clone() };
    store.accept(delivery("b", vec![commented(2, 0)])).await.unwrap();
    store.commit(Commit { commands: vec![taken(1, 0)], ..commit() }).await.unwrap();
    let mut wrong = Commit {
        finish: Some(Finish::Done(lost)),
        commands: vec![taken(1, 0)],
        changes: vec![change(1, 5, vec![opened(1)])],
        unless_waiting: vec![merge_request(7).key()],
        ..commit()
    };
    assert_eq!(store.commit(wrong.clone()).await, Err(CommitError::LeaseLost));
    wrong.finish = Some(Finish::Done(held.lease));
    assert_eq!(store.commit(wrong.clone()).await, Err(CommitError::AlreadyTaken));
    wrong.commands = vec![taken(3, 0)];
    assert_eq!(store.commit(wrong.clone()).await, Err(CommitError::Conflict));
    wrong.changes = vec![change(1, 0, vec![opened(1)])];
    assert_eq!(store.commit(wrong.clone()).await, Err(CommitError::Held));
    wrong.unless_waiting.clear();
    assert_eq!(store.commit(wrong).await, Ok(()));
}

pub(in crate::store) async fn a_release_waits_for_other_deliveries_of_its_keys(store: Shared) {
    let release = |finish, keys: &[&str]| {
        let unless_waiting = keys.iter().map(|key| (*key).to_owned()).collect();
        store.commit(Commit { finish, unless_waiting, ..commit() })
    };
    enqueue(&store, vec![job(Lane::Decide, "a", 1), job(Lane::Reply, "b", 2)]).await;
    let own = lease(&store, 0).await.remove(0);
    assert_eq!(release(None, &["b", "c"]).await, Ok(()), "answers hold no release");
    assert_eq!(release(None, &["c", "a"]).await, Err(CommitError::Held));

    enqueue(&store, vec![NewJob { run_at: at(900), ..job(Lane::Decide, "a", 3) }]).await;
    let finish = || Some(Finish::Done(own.lease.clone()));
    assert_eq!(release(finish(), &["a"]).await, Err(CommitError::Held), "one that waits for later counts");
    assert_eq!(release(finish(), &["b"]).await, Ok(()));

    let last = lease(&store, 900).await.into_iter().find(|job| job.lane == Lane::Decide).unwrap();
    assert_eq!(release(Some(Finish::Done(last.lease)), &["a"]).await, Ok(()), "its own job doesn't hold it");
}

pub(in crate::store) async fn a_failing_commit_leaves_nothing(store: Shared) {
    enqueue(&store, vec![job(Lane::Decide, "k", 1)]).await;
    let own = lease(&store, 0).await.remove(0);
    write(&store, vec![change(9, 0, vec![opened(9)])]).await;
    let everything = Commit {
        finish: Some(Finish::Done(own.lease.clone())),
        commands: vec![taken(1, 0)],
        // The second change fails only after the first was written.
        changes: vec![change(1, 0, vec![opened(1)]), change(2, 0, vec![Entry::Superseded])],
        jobs: vec![job(Lane::Reply, "k", 2)],
        rooms: vec![(merge_request(7), RoomNews::Hinted)],
        ..commit()
    };
    assert!(store.commit(everything).await.is_err());

    assert_eq!(store.deployment(&id(1)).await.unwrap(), None);
    assert_eq!(store.deployments_in(&merge_request(7), 10).await.unwrap().len(), 1);
    assert!(!store.is_taken(&comment(1).key()).await.unwrap());
    assert_eq!(store.room(&merge_request(7)).await.unwrap(), Room::default());
    assert_eq!(store.depth(at(0)).await.unwrap(), QueueDepth { due: 1, later: 0, dead: 0 });
    done(&store, &own).await;
}

pub(in crate::store) async fn two_changes_of_one_deployment_in_one_commit_are_a_conflict(store: Shared) {
    let changes = vec![change(1, 0, vec![opened(1)]), change(1, 0, vec![opened(1)])];
    assert_eq!(store.commit(Commit { changes, ..commit() }).await, Err(CommitError::Conflict));
    assert_eq!(store.ledger(&id(1)).await.unwrap(), []);
}

pub(in crate::store) async fn the_chain_verifies_after_it_was_read_back(store: Shared) {
    let precise = Timestamp::from_nanosecond(1_790_000_000_123_456_789).unwrap();
    let changes = vec![change(1, 0, vec![opened(1), voted(account(2, "alice"), Word::Approved)])];
    store.commit(Commit { changes, ..Commit::at(precise) }).await.unwrap();
    write(&store, vec![change(1, 2, vec![settled(Outcome::Started)])]).await;

    let chain = store.ledger(&id(1)).await.unwrap();

    assert_eq!(chain.iter().map(|sealed| sealed.seq).collect::<Vec<_>>(), [1, 2, 3]);
    let mut previous = None;
    for sealed in &chain {
        assert_eq!(verify(&id(1), previous, sealed), Ok(()));
        previous = Some(sealed);
    }
}
