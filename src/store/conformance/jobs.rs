//! Leases: who may have which job when.

use super::*;
use crate::domain::id::PlatformName;
use crate::ports::store::QueueDepth;

pub(in crate::store) async fn urgent_lanes_go_first(store: Shared) {
    let lanes = [Lane::Look, Lane::React, Lane::Card, Lane::Gate, Lane::Reply, Lane::Decide];
    enqueue(&store, lanes.into_iter().map(|lane| job(lane, "k", 1)).collect()).await;
    let leased: Vec<Lane> = lease(&store, 0).await.iter().map(|job| job.lane).collect();
    assert_eq!(leased, Lane::ALL);
}

pub(in crate::store) async fn one_key_is_worked_on_in_the_platforms_order(store: Shared) {
    let unsorted = [(3, "a"), (1, "a"), (2, "b"), (2, "a")];
    enqueue(&store, unsorted.map(|(order, key)| job(Lane::Decide, key, order)).into()).await;

    let first = lease(&store, 0).await;
    assert_eq!(about_all(&first), [1, 2], "the oldest of each key");
    assert_eq!(first[1].key, "b");
    assert_eq!(lease(&store, 0).await, [], "nothing of a key that is in work");

    done(&store, &first[0]).await;
    let second = lease(&store, 0).await;
    assert_eq!(about_all(&second), [2]);
    done(&store, &second[0]).await;
    assert_eq!(about_all(&lease(&store, 0).await), [3]);
}

pub(in crate::store) async fn an_earlier_comment_that_arrives_late_still_goes_first(store: Shared) {
    store.accept(delivery("later", vec![commented(2, 20)])).await.unwrap();
    store.accept(delivery("earlier", vec![commented(1, 10)])).await.unwrap();
    assert_eq!(about_all(&lease(&store, 0).await), [1]);
}

pub(in crate::store) async fn an_earlier_comment_waits_while_a_later_one_is_in_work(store: Shared) {
    store.accept(delivery("later", vec![commented(2, 20)])).await.unwrap();
    let later = lease(&store, 0).await;
    store.accept(delivery("earlier", vec![commented(1, 10)])).await.unwrap();

    assert_eq!(lease(&store, 1).await, []);
    store.postpone(&later[0].lease, at(2), "conflict", true).await.unwrap();
    assert_eq!(about_all(&lease(&store, 2).await), [1], "its turn comes before the postponed one's");
}

pub(in crate::store) async fn lanes_do_not_wait_for_each_other(store: Shared) {
    enqueue(&store, vec![job(Lane::Reply, "k", 1)]).await;
    assert_eq!(lease(&store, 0).await.len(), 1);
    enqueue(&store, vec![job(Lane::Decide, "k", 2)]).await;
    assert_eq!(about_all(&lease(&store, 0).await), [2]);
}

pub(in crate::store) async fn a_limit_is_kept(store: Shared) {
    let jobs = (0..5).map(|n| job(Lane::Gate, &format!("g{n}"), n));
    enqueue(&store, jobs.chain((5..10).map(|n| job(Lane::Reply, &format!("r{n}"), n))).collect()).await;
    let minute = SignedDuration::from_secs(60);
    assert_eq!(store.lease(at(0), minute, 0).await.unwrap(), []);
    assert_eq!(about_all(&store.lease(at(0), minute, 3).await.unwrap()), [0, 1, 2]);
    assert_eq!(about_all(&store.lease(at(0), minute, 4).await.unwrap()), [3, 4, 5, 6]);
}

pub(in crate::store) async fn a_job_waits_for_its_time_and_holds_those_behind_it(store: Shared) {
    let later = NewJob { run_at: at(30), ..job(Lane::Reply, "k", 1) };
    enqueue(&store, vec![later, job(Lane::Reply, "k", 2)]).await;
    assert_eq!(lease(&store, 29).await, []);
    assert_eq!(about_all(&lease(&store, 30).await), [1]);
}

pub(in crate::store) async fn an_expired_lease_is_given_again_and_the_old_one_is_worthless(store: Shared) {
    enqueue(&store, vec![job(Lane::Decide, "k", 1)]).await;
    let old = lease(&store, 0).await.remove(0);
    assert_eq!(lease(&store, 59).await, []);

    let new = lease(&store, 60).await.remove(0);

    assert_eq!(new.lease.job, old.lease.job);
    assert_ne!(new.lease.token, old.lease.token);
    assert_eq!(new.attempts, 2, "a crash counts");
    let late = Commit { finish: Some(Finish::Done(old.lease)), ..commit() };
    assert_eq!(store.commit(late).await, Err(crate::ports::store::CommitError::LeaseLost));
    done(&store, &new).await;
    assert_eq!(store.depth(at(60)).await.unwrap(), QueueDepth::default());
}

pub(in crate::store) async fn attempts_count_at_leasing_unless_taken_back(store: Shared) {
    enqueue(&store, vec![job(Lane::Decide, "k", 1)]).await;
    let first = lease(&store, 0).await.remove(0);
    assert_eq!((first.attempts, first.last_error.as_deref()), (1, None));

    store.postpone(&first.lease, at(5), "the forge is away", false).await.unwrap();
    assert_eq!(lease(&store, 4).await, []);
    let second = lease(&store, 5).await.remove(0);
    assert_eq!((second.attempts, second.last_error.as_deref()), (2, Some("the forge is away")));

    store.postpone(&second.lease, at(6), "conflict", true).await.unwrap();
    assert_eq!(lease(&store, 6).await.remove(0).attempts, 2);
}

pub(in crate::store) async fn postponing_with_a_lost_lease_changes_nothing(store: Shared) {
    enqueue(&store, vec![job(Lane::Decide, "k", 1)]).await;
    let old = lease(&store, 0).await.remove(0);
    let new = lease(&store, 60).await.remove(0);
    store.postpone(&old.lease, at(61), "too late", false).await.unwrap();
    assert_eq!(lease(&store, 61).await, [], "the new holder still has it");
    done(&store, &new).await;
}

pub(in crate::store) async fn a_paused_forge_rests_and_others_do_not(store: Shared) {
    let other = NewJob { platform: PlatformName::new("second"), ..job(Lane::Reply, "other", 2) };
    enqueue(&store, vec![job(Lane::Gate, "k", 1), other]).await;
    store.pause(&(&gitlab()).into(), at(30)).await.unwrap();
    assert_eq!(about_all(&lease(&store, 29).await), [2]);
    assert_eq!(about_all(&lease(&store, 30).await), [1]);
}

pub(in crate::store) async fn a_pause_is_never_shortened(store: Shared) {
    enqueue(&store, vec![job(Lane::Gate, "k", 1)]).await;
    store.pause(&(&gitlab()).into(), at(30)).await.unwrap();
    store.pause(&(&gitlab()).into(), at(20)).await.unwrap();
    assert_eq!(lease(&store, 29).await, []);
    store.pause(&(&gitlab()).into(), at(40)).await.unwrap();
    assert_eq!(lease(&store, 39).await, []);
}

pub(in crate::store) async fn a_dead_letter_keeps_its_reason_and_holds_nobody(store: Shared) {
    enqueue(&store, vec![job(Lane::Reply, "k", 1), job(Lane::Reply, "k", 2)]).await;
    let first = lease(&store, 0).await.remove(0);
    let dead = Finish::Dead(first.lease, "the merge request is locked".into());
    store.commit(Commit { finish: Some(dead), ..commit() }).await.unwrap();

    assert_eq!(about_all(&lease(&store, 0).await), [2]);
    assert_eq!(store.depth(at(0)).await.unwrap(), QueueDepth { due: 1, later: 0, dead: 1 });
    assert_eq!(lease(&store, 1000).await.len(), 1, "the dead one never comes back");
}

pub(in crate::store) async fn again_counts_from_zero(store: Shared) {
    enqueue(&store, vec![job(Lane::Look, "k", 1)]).await;
    let first = lease(&store, 0).await.remove(0);
    store.postpone(&first.lease, at(1), "the forge is away", false).await.unwrap();
    let second = lease(&store, 1).await.remove(0);
    let again = Finish::Again(second.lease, at(50));
    store.commit(Commit { finish: Some(again), ..commit() }).await.unwrap();

    assert_eq!(lease(&store, 49).await, []);
    let third = lease(&store, 50).await.remove(0);
    assert_eq!((third.attempts, third.last_error), (1, None));
}

fn marked(order: i64) -> NewJob {
    NewJob { dedupe: Some("card/7".into()), ..job(Lane::Card, "k", order) }
}

pub(in crate::store) async fn a_marked_job_is_written_once_while_it_waits(store: Shared) {
    enqueue(&store, vec![marked(1), marked(2)]).await;
    enqueue(&store, vec![marked(3)]).await;
    assert_eq!(store.depth(at(0)).await.unwrap().due, 1);

    let first = lease(&store, 0).await.remove(0);
    let dead = Finish::Dead(first.lease, "gone".into());
    store.commit(Commit { finish: Some(dead), jobs: vec![marked(4)], ..commit() }).await.unwrap();
    assert_eq!(about_all(&lease(&store, 0).await), [4], "a dead letter stands in for nothing");
}

pub(in crate::store) async fn a_marked_job_in_work_does_not_stand_in_for_a_new_one(store: Shared) {
    enqueue(&store, vec![marked(1)]).await;
    let in_work = lease(&store, 0).await.remove(0);
    enqueue(&store, vec![marked(2), marked(3)]).await;
    assert_eq!(lease(&store, 0).await, [], "but they don't overlap");
    done(&store, &in_work).await;
    assert_eq!(about_all(&lease(&store, 0).await), [2]);
}

pub(in crate::store) async fn of_two_jobs_with_one_mark_one_goes_on(store: Shared) {
    let again = async |job: LeasedJob, seconds| {
        let finish = Some(Finish::Again(job.lease, at(seconds)));
        store.commit(Commit { finish, ..commit() }).await.unwrap();
    };
    enqueue(&store, vec![marked(1), job(Lane::Card, "unmarked", 9)]).await;
    let [first, unmarked]: [LeasedJob; 2] = lease(&store, 0).await.try_into().unwrap();
    enqueue(&store, vec![marked(2), job(Lane::Card, "unmarked", 10)]).await;
    again(first, 50).await;
    again(unmarked, 50).await;

    let second = lease(&store, 0).await;
    assert_eq!(about_all(&second), [2], "the unmarked one keeps its turn");
    again(second.into_iter().next().unwrap(), 60).await;
    assert_eq!(store.depth(at(0)).await.unwrap(), QueueDepth { due: 1, later: 2, dead: 0 });
    assert_eq!(about_all(&lease(&store, 60).await), [2, 9]);
}

pub(in crate::store) async fn the_next_due_time_is_a_run_a_lease_end_or_the_end_of_a_pause(store: Shared) {
    assert_eq!(store.next_due(at(0)).await.unwrap(), None);
    let later = NewJob { run_at: at(90), ..job(Lane::Look, "later", 1) };
    enqueue(&store, vec![later, job(Lane::Gate, "now", 2)]).await;
    assert_eq!(store.next_due(at(0)).await.unwrap(), Some(at(90)));

    store.pause(&(&gitlab()).into(), at(30)).await.unwrap();
    assert_eq!(store.next_due(at(0)).await.unwrap(), Some(at(30)), "what rests now is due then");
    lease(&store, 30).await;
    assert_eq!(store.next_due(at(30)).await.unwrap(), Some(at(90)), "the lease ends at 90, too");
    assert_eq!(store.depth(at(30)).await.unwrap(), QueueDepth { due: 1, later: 1, dead: 0 });
    assert_eq!(store.next_due(at(90)).await.unwrap(), None);
}
