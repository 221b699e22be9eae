//! Several instances on one database, all at once.

use super::*;
use crate::domain::effect::Effect;
use crate::domain::event::Event;
use crate::domain::ledger::{Word, verify};
use crate::ports::store::{LeasedJob, NewJob, RoomNews, Work};
use crate::store::conformance::{
    account, change, comment, commented, commit, done, enqueue, gitlab, id, lease, merge_request, opened,
    taken, voted,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use tokio::task::JoinSet;

/// Runs `act` on every instance at once.
async fn on_all<T, F>(instances: &[Arc<PostgresStore>], act: impl Fn(Shared, usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut acting = JoinSet::new();
    for (number, instance) in instances.iter().enumerate() {
        acting.spawn(act(instance.clone(), number));
    }
    acting.join_all().await
}

/// The keys that some worker has in hand, and for each key what was done, in its order.
#[derive(Default)]
struct Desk {
    in_hand: BTreeSet<String>,
    done: BTreeMap<String, Vec<i64>>,
}

fn about(job: &LeasedJob) -> i64 {
    let Work::Effect(Effect::React { to }) = &job.work else { panic!("{:?}", job.work) };
    to.comment
}

#[tokio::test]
async fn one_key_is_never_in_two_hands_and_keeps_its_order() {
    let Some(house) = House::new().await else { return };
    let instances = house.open_several(3).await;
    // Backwards, so that each new job is the next to be worked on.
    let jobs = (0..90).rev().map(|n| job(Lane::Decide, &format!("k{}", n % 5), n));
    enqueue(&(instances[0].clone() as Shared), jobs.collect()).await;

    let desk = Arc::new(Mutex::new(Desk::default()));
    on_all(&instances, |store, _| {
        let desk = Arc::clone(&desk);
        async move {
            while store.depth(at(0)).await.unwrap() != QueueDepth::default() {
                for job in store.lease(at(0), SignedDuration::from_secs(60), 2).await.unwrap() {
                    assert!(
                        desk.lock().unwrap().in_hand.insert(job.key.clone()),
                        "{} is in two hands",
                        job.key
                    );
                    // Somebody else may have it before we hear that it is given back.
                    desk.lock().unwrap().in_hand.remove(&job.key);
                    store.postpone(&job.lease, at(0), "once more", true).await.unwrap();
                }
                for job in store.lease(at(0), SignedDuration::from_secs(60), 2).await.unwrap() {
                    let new = desk.lock().unwrap().in_hand.insert(job.key.clone());
                    assert!(new, "{} is in two hands", job.key);
                    {
                        let mut desk = desk.lock().unwrap();
                        desk.in_hand.remove(&job.key);
                        desk.done.entry(job.key.clone()).or_default().push(about(&job));
                    }
                    done(&store, &job).await;
                }
            }
        }
    })
    .await;

    for (key, done) in &desk.lock().unwrap().done {
        assert!(done.len() == 18 && done.is_sorted(), "{key}: {done:?}");
    }
    house.tear_down().await;
}

#[tokio::test]
async fn of_decisions_on_one_version_one_is_written() {
    let Some(house) = House::new().await else { return };
    let instances = house.open_several(4).await;
    let first: Shared = instances[0].clone();
    conformance::write(&first, vec![change(1, 0, vec![opened(1)])]).await;
    for version in 1..=15 {
        let answers = on_all(&instances, |store, number| async move {
            let name = ["alice", "bob", "carol", "erin"][number];
            let by = account(2 + i64::try_from(number).unwrap(), name);
            let changes = vec![change(1, version, vec![voted(by, Word::Approved)])];
            store.commit(Commit { changes, ..commit() }).await
        })
        .await;
        let written = answers.iter().filter(|answer| answer.is_ok()).count();
        let conflicts = answers.iter().filter(|answer| **answer == Err(CommitError::Conflict)).count();
        assert_eq!((written, conflicts), (1, 3), "{answers:?}");
    }
    let mut previous = None;
    let chain = first.ledger(&id(1)).await.unwrap();
    for sealed in &chain {
        assert_eq!(verify(&id(1), previous, sealed), Ok(()));
        previous = Some(sealed);
    }
    house.tear_down().await;
}

#[tokio::test]
async fn a_delivery_that_reaches_every_instance_is_stored_by_one() {
    let Some(house) = House::new().await else { return };
    let instances = house.open_several(4).await;
    let answers = on_all(&instances, |store, number| async move {
        let mut callers = JoinSet::new();
        for n in 0..40_i64 {
            // Each instance hears them in another order.
            let n = (n * [1, 3, 7, 9][number]) % 40;
            let store = Arc::clone(&store);
            let delivery = delivery(&n.to_string(), vec![commented(n, n), commented(n + 100, n)]);
            callers.spawn(async move { (n, store.accept(delivery).await.unwrap()) });
        }
        callers.join_all().await
    })
    .await;
    let stored = answers.concat().into_iter().filter(|(_, answer)| *answer == Accepted::Stored);
    let mut stored: Vec<i64> = stored.map(|(n, _)| n).collect();
    stored.sort_unstable();
    assert_eq!(stored, (0..40).collect::<Vec<_>>());
    assert_eq!(instances[0].depth(at(0)).await.unwrap().due, 80);
    house.tear_down().await;
}

#[tokio::test]
async fn a_duplicate_waits_until_the_first_is_durable() {
    let Some(house) = House::new().await else { return };
    let store = house.open().await;
    let mut other = house.raw().await;
    sqlx::raw_sql("BEGIN; INSERT INTO delivery VALUES ('gitlab', 'a', '', 0)")
        .execute(&mut other)
        .await
        .unwrap();
    let mut waiting = JoinSet::new();
    let duplicate = Arc::clone(&store);
    waiting.spawn(async move { duplicate.accept(delivery("a", Vec::new())).await });
    house.wait_for_a_waiting_one().await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(waiting.join_all().await, [Ok(Accepted::Stored)], "the first one was not written after all");
    house.tear_down().await;
}

#[tokio::test]
async fn numbers_that_are_given_at_once_differ() {
    let Some(house) = House::new().await else { return };
    let instances = house.open_several(4).await;
    let given = on_all(&instances, |store, number| async move {
        let mut numbers = BTreeMap::new();
        for n in 0..20 {
            // Each begins with another one.
            let id = id((n + i64::try_from(number).unwrap() * 5) % 20);
            let given = store.give_number(&gitlab(), conformance::SHOP, &id).await.unwrap();
            numbers.insert(id.to_string(), given);
        }
        numbers
    })
    .await;
    assert!(given.iter().all(|numbers| *numbers == given[0]), "one deployment, one number: {given:?}");
    let distinct: BTreeSet<i64> = given[0].values().copied().collect();
    assert_eq!(distinct, (1..=20).collect());
    house.tear_down().await;
}

#[tokio::test]
async fn a_command_is_carried_out_by_one_and_a_marked_job_is_written_by_one() {
    let Some(house) = House::new().await else { return };
    let instances = house.open_several(4).await;
    for n in 0..15 {
        let answers = on_all(&instances, |store, number| async move {
            // Each in another order.
            let mut commands = vec![taken(n, 0), taken(n + 100, 0), taken(n + 200, 0)];
            commands.rotate_left(number % 3);
            let card = NewJob { dedupe: Some("card".into()), ..job(Lane::Card, "k", n) };
            let marked = store.commit(Commit { jobs: vec![card], ..commit() }).await;
            (marked, store.commit(Commit { commands, ..commit() }).await)
        })
        .await;
        assert!(answers.iter().all(|(marked, _)| marked.is_ok()), "{answers:?}");
        let taken = answers.iter().filter(|(_, taken)| taken.is_ok()).count();
        let refused = answers.iter().filter(|(_, taken)| *taken == Err(CommitError::AlreadyTaken)).count();
        assert_eq!((taken, refused), (1, 3), "{answers:?}");
    }
    assert_eq!(instances[0].depth(at(0)).await.unwrap().due, 1);
    house.tear_down().await;
}

/// Whatever is written beside whatever: nobody waits for somebody who waits for them.
#[tokio::test]
async fn nobody_waits_in_a_ring() {
    let Some(house) = House::new().await else { return };
    let instances = house.open_several(4).await;
    let failures = on_all(&instances, |store, number| async move {
        let mut failures = Vec::new();
        for round in 0..30_i64 {
            let turn = round + i64::try_from(number).unwrap() * 7;
            failures
                .extend(store.accept(delivery(&turn.to_string(), vec![commented(turn, turn)])).await.err());
            for held in lease(&store, 0).await {
                let marked = |n: i64| NewJob {
                    dedupe: Some(format!("mark {}", n % 3)),
                    ..job(Lane::Card, &format!("k{}", n % 3), n)
                };
                let plain = |n: i64| job(Lane::Decide, &merge_request(n % 4).key(), n);
                let all = Commit {
                    finish: Some(match turn % 3 {
                        0 => Finish::Done(held.lease),
                        1 => Finish::Again(held.lease, at(0)),
                        _ => Finish::Dead(held.lease, "why".into()),
                    }),
                    jobs: vec![marked(turn), plain(turn), marked(turn + 1), plain(turn + 1)],
                    rooms: [turn, turn + 1].map(|n| (merge_request(n % 4), RoomNews::Hinted)).into(),
                    commands: vec![taken(turn, round), taken(turn + 1, round)],
                    ..commit()
                };
                let answer = store.commit(all).await;
                failures.extend(match answer {
                    Err(CommitError::Store(error)) => Some(error),
                    _ => None,
                });
            }
        }
        failures
    })
    .await;
    assert_eq!(failures.concat(), []);
    house.tear_down().await;
}

/// A job with a mark that is about to be leased doesn't stand in for a new one: it may not see what is written.
#[tokio::test]
async fn a_marked_job_that_stands_in_is_not_begun_before_the_commit() {
    let Some(house) = House::new().await else { return };
    let store: Shared = house.open().await;
    let marked = |n| NewJob { dedupe: Some("card".into()), ..job(Lane::Card, "k", n) };
    enqueue(&store, vec![marked(1)]).await;

    let mut other = house.raw().await;
    let mut transaction = sqlx::Connection::begin(&mut other).await.unwrap();
    let standing_in = Commit { jobs: vec![marked(2)], ..commit() };
    locks::hold(&mut transaction, &standing_in).await.unwrap();
    commit::write(&mut transaction, standing_in).await.unwrap();
    assert_eq!(lease(&store, 0).await, [], "not yet");
    transaction.commit().await.unwrap();
    assert_eq!(lease(&store, 0).await.len(), 1);
    house.tear_down().await;
}

#[tokio::test]
async fn events_of_one_conversation_stay_in_their_order_whoever_takes_them() {
    let Some(house) = House::new().await else { return };
    let instances = house.open_several(3).await;
    on_all(&instances, |store, number| async move {
        for n in (number..60).step_by(3).rev() {
            let n = i64::try_from(n).unwrap();
            store.accept(delivery(&n.to_string(), vec![commented(n, n)])).await.unwrap();
        }
    })
    .await;
    let store: Shared = instances[0].clone();
    for n in 0..60 {
        let [next]: [LeasedJob; 1] = lease(&store, 0).await.try_into().unwrap();
        assert!(
            matches!(&next.work, Work::Event(Event::Commented { comment: seen, .. }) if *seen == comment(n))
        );
        done(&store, &next).await;
    }
    house.tear_down().await;
}
