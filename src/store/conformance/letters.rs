//! The queue at a glance, and dead letters.

use super::*;
use crate::ports::store::{Backlog, LaneLoad, QueueDepth};

/// A job that was leased and given up.
async fn bury(store: &Shared, new: NewJob) -> i64 {
    enqueue(store, vec![new]).await;
    let leased = lease(store, 0).await.remove(0);
    let number = leased.lease.job;
    let dead = Finish::Dead(leased.lease, "the merge request is locked".into());
    store.commit(Commit { finish: Some(dead), ..commit() }).await.unwrap();
    number
}

fn load(backlog: &Backlog, lane: Lane) -> LaneLoad {
    *backlog.lanes.iter().find(|load| load.lane == lane).unwrap()
}

pub(in crate::store) async fn a_backlog_tells_how_much_waits_in_each_lane_and_since_when(store: Shared) {
    let empty = store.backlog(at(0)).await.unwrap();
    let idle = |lane| LaneLoad { lane, jobs: 0, due_since: None };
    assert_eq!(empty, Backlog { lanes: Lane::ALL.map(idle).into(), dead: 0, unsorted: 0 });

    bury(&store, job(Lane::React, "k", 1)).await;
    let due = |key: &str, seconds| NewJob { run_at: at(seconds), ..job(Lane::Reply, key, seconds) };
    let behind = job(Lane::Reply, "a", 9);
    enqueue(&store, vec![due("a", 5), due("b", 3), due("c", 90), behind, due("d", 91)]).await;

    let backlog = store.backlog(at(10)).await.unwrap();
    assert_eq!(backlog.dead, 1);
    assert_eq!(load(&backlog, Lane::React), idle(Lane::React), "a dead letter doesn't wait");
    assert_eq!(load(&backlog, Lane::Reply), LaneLoad { lane: Lane::Reply, jobs: 5, due_since: Some(at(3)) });

    lease(&store, 10).await;
    let in_work = store.backlog(at(11)).await.unwrap();
    assert_eq!(load(&in_work, Lane::Reply), LaneLoad { lane: Lane::Reply, jobs: 5, due_since: None });
}

pub(in crate::store) async fn jobs_are_listed_by_number_page_by_page(store: Shared) {
    let dead = bury(&store, job(Lane::Reply, "k", 1)).await;
    enqueue(&store, vec![NewJob { run_at: at(30), ..job(Lane::Gate, "g", 2) }]).await;

    let letters = store.jobs(true, 0, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!((letter.id, letter.lane, letter.key.as_str(), letter.attempts), (dead, Lane::Reply, "k", 1));
    assert_eq!((letter.dead, letter.created_at), (true, at(10)));
    assert_eq!(letter.last_error.as_deref(), Some("the merge request is locked"));
    assert_eq!(letter.work, Some(job(Lane::Reply, "k", 1).work));

    let first = store.jobs(false, 0, 1).await.unwrap();
    assert_eq!(first, letters);
    let second = store.jobs(false, first[0].id, 10).await.unwrap();
    assert_eq!(second.len(), 1);
    let (waits, until) = (&second[0], at(30));
    assert_eq!((waits.dead, waits.lane, waits.run_at, waits.attempts), (false, Lane::Gate, until, 0));
    assert_eq!(store.jobs(false, waits.id, 10).await.unwrap(), []);
}

pub(in crate::store) async fn a_revived_letter_takes_its_turn_from_zero(store: Shared) {
    let dead = bury(&store, job(Lane::Reply, "k", 1)).await;
    enqueue(&store, vec![job(Lane::Reply, "k", 2)]).await;
    assert!(store.revive(dead, at(20), None).await.unwrap());
    assert!(!store.revive(dead, at(20), None).await.unwrap(), "it is no dead letter any more");
    assert!(!store.revive(dead + 99, at(20), None).await.unwrap());

    assert_eq!(lease(&store, 19).await, [], "it holds the later one of its key, and isn't due");
    let again = lease(&store, 20).await.remove(0);
    assert_eq!((again.lease.job, again.attempts, again.last_error), (dead, 1, None));
    assert_eq!(store.depth(at(20)).await.unwrap(), QueueDepth { due: 2, later: 0, dead: 0 });
}

pub(in crate::store) async fn a_revived_letter_waits_for_one_of_its_key_in_work(store: Shared) {
    let dead = bury(&store, job(Lane::Reply, "k", 1)).await;
    enqueue(&store, vec![job(Lane::Reply, "k", 2)]).await;
    let in_work = lease(&store, 0).await.remove(0);
    assert!(store.revive(dead, at(1), None).await.unwrap());
    assert_eq!(lease(&store, 1).await, []);
    done(&store, &in_work).await;
    assert_eq!(about_all(&lease(&store, 1).await), [1]);
}

pub(in crate::store) async fn a_revived_comment_is_no_longer_given_up(store: Shared) {
    let dead = bury(&store, job(Lane::Decide, "k", 1)).await;
    let given_up = TakenCommand { outcome: TakenCommand::GIVEN_UP.into(), ..taken(1, TakenCommand::WHOLE) };
    store.commit(Commit { commands: vec![given_up, taken(2, 0)], ..commit() }).await.unwrap();
    let (source, other) = (comment(1).key(), comment(2).key());

    assert!(!store.revive(dead + 99, at(1), Some(&source)).await.unwrap());
    assert!(store.is_taken(&source).await.unwrap(), "nothing was revived, nothing is forgotten");
    assert!(store.revive(dead, at(1), Some(&source)).await.unwrap());
    assert!(!store.is_taken(&source).await.unwrap());

    let dead = bury(&store, job(Lane::Decide, "other", 2)).await;
    assert!(store.revive(dead, at(1), Some(&other)).await.unwrap());
    assert!(store.is_taken(&other).await.unwrap(), "what was carried out stays so");
}

pub(in crate::store) async fn only_a_dead_letter_is_discarded(store: Shared) {
    let dead = bury(&store, job(Lane::Reply, "k", 1)).await;
    enqueue(&store, vec![job(Lane::Reply, "k", 2)]).await;
    let waits = store.jobs(false, dead, 1).await.unwrap()[0].id;
    assert!(!store.discard(waits).await.unwrap());
    assert!(store.discard(dead).await.unwrap());
    assert!(!store.discard(dead).await.unwrap());
    assert_eq!(store.depth(at(0)).await.unwrap(), QueueDepth { due: 1, later: 0, dead: 0 });
}

pub(in crate::store) async fn a_job_remembers_its_delivery(store: Shared) {
    store.accept(delivery("delivery-7", vec![commented(1, 1)])).await.unwrap();
    let follows = NewJob { cause: Some("delivery-6".into()), ..job(Lane::Reply, "k", 2) };
    enqueue(&store, vec![follows, job(Lane::React, "k", 3)]).await;
    let leased = lease(&store, 0).await;
    let causes: Vec<_> = leased.iter().map(|job| job.cause.as_deref()).collect();
    assert_eq!(causes, [Some("delivery-7"), Some("delivery-6"), None]);
    let listed = store.jobs(false, 0, 10).await.unwrap();
    assert_eq!(listed.iter().filter(|job| job.cause.as_deref() == Some("delivery-7")).count(), 1);
}
