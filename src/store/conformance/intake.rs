//! Deliveries.

use super::*;
use crate::ports::store::Accepted;
use tokio::task::JoinSet;

pub(in crate::store) async fn a_delivery_becomes_one_job_for_each_event(store: Shared) {
    let waits = Event::SomethingWaits { forge: gitlab(), project: SHOP };
    let accepted = store.accept(delivery("a", vec![commented(1, 5), waits.clone()])).await.unwrap();
    assert_eq!(accepted, Accepted::Stored);

    let jobs = lease(&store, 0).await;

    let seen: Vec<_> = jobs.iter().map(|job| (job.lane, job.key.as_str(), &job.work)).collect();
    let expected = [
        (Lane::Decide, "gitlab/42", &Work::Event(waits)),
        (Lane::Decide, "gitlab/42/mr/7", &Work::Event(commented(1, 5))),
    ];
    assert_eq!(seen, expected, "one job each, the earlier by the platform's time first");
    assert_eq!(jobs[0].created_at, at(0));
    assert_eq!(jobs[0].attempts, 1);
    assert_eq!(jobs[0].lease_until, at(60));
}

pub(in crate::store) async fn what_was_delivered_at_once_is_worked_on_in_the_platforms_order(store: Shared) {
    let mut callers = JoinSet::new();
    for number in 1..=40 {
        let store = Arc::clone(&store);
        let waits = Event::SomethingWaits { forge: gitlab(), project: ProjectId(number) };
        let events = vec![commented(number, 100 - number), waits];
        callers.spawn(async move { store.accept(delivery(&format!("d{number}"), events)).await.unwrap() });
    }
    assert_eq!(callers.join_all().await, [Accepted::Stored; 40]);

    let mut order = Vec::new();
    for round in 0..40 {
        let jobs = lease(&store, 0).await;
        let (comments, others): (Vec<_>, Vec<_>) =
            jobs.iter().partition(|job| matches!(job.work, Work::Event(Event::Commented { .. })));
        assert_eq!(comments.len(), 1, "one conversation, one at a time");
        assert_eq!(others.len(), if round == 0 { 40 } else { 0 }, "the projects don't wait for it");
        order.push(about(comments[0]));
        done(&store, comments[0]).await;
    }
    assert_eq!(order, (1..=40).rev().collect::<Vec<_>>());
}

pub(in crate::store) async fn a_known_delivery_is_a_duplicate_even_with_another_body(store: Shared) {
    store.accept(delivery("a", vec![commented(1, 0)])).await.unwrap();
    let other = NewDelivery { digest: "other".into(), ..delivery("a", vec![commented(2, 0)]) };
    assert_eq!(store.accept(other).await.unwrap(), Accepted::Duplicate);
    let elsewhere = NewDelivery { source: "second".into(), ..delivery("a", Vec::new()) };
    assert_eq!(store.accept(elsewhere).await.unwrap(), Accepted::Stored, "ids are each source's own");
    assert_eq!(about_all(&lease(&store, 0).await), [1]);
}

pub(in crate::store) async fn of_many_callers_with_one_delivery_one_stores_it(store: Shared) {
    let mut callers = JoinSet::new();
    for _ in 0..64 {
        let store = Arc::clone(&store);
        callers.spawn(async move { store.accept(delivery("same", vec![commented(1, 0)])).await.unwrap() });
    }

    let answers = callers.join_all().await;

    assert_eq!(answers.len(), 64);
    assert_eq!(answers.iter().filter(|answer| **answer == Accepted::Stored).count(), 1);
    assert_eq!(store.depth(at(0)).await.unwrap().due, 1);
}

pub(in crate::store) async fn the_first_announcement_of_a_comment_is_kept(store: Shared) {
    let again = Event::Commented {
        comment: CommentRef { discussion: None, ..comment(1) },
        at: at(0),
        heard: Heard::Hook { digest: "edited".into(), author: UserId(99) },
    };
    let polled = Event::Commented { comment: comment(2), at: at(0), heard: Heard::Poll };
    store.accept(delivery("a", vec![commented(1, 0)])).await.unwrap();
    store.accept(delivery("b", vec![again, polled])).await.unwrap();

    let without_discussion = CommentRef { discussion: None, ..comment(1) };
    let first = Some(("digest-1".to_owned(), UserId(1), at(0)));
    assert_eq!(store.heard(&comment(1)).await.unwrap(), first);
    assert_eq!(store.heard(&without_discussion).await.unwrap(), first, "the thread is no part of the key");
    assert_eq!(store.heard(&comment(2)).await.unwrap(), None, "polling announces nothing");
}

pub(in crate::store) async fn old_deliveries_are_forgotten_and_young_ones_are_not(store: Shared) {
    let mut callers = JoinSet::new();
    for number in 0..1200 {
        let store = Arc::clone(&store);
        callers.spawn(async move { store.accept(delivery(&format!("old-{number}"), Vec::new())).await });
    }
    callers.join_all().await.into_iter().for_each(|answer| assert_eq!(answer, Ok(Accepted::Stored)));
    store.accept(delivery("heard", vec![commented(1, 0)])).await.unwrap();
    store.accept(NewDelivery { received_at: at(100), ..delivery("young", Vec::new()) }).await.unwrap();

    let forgotten = store.forget_deliveries(at(100)).await.unwrap();

    assert_eq!(forgotten, 1202, "1201 deliveries and one digest");
    assert_eq!(store.heard(&comment(1)).await.unwrap(), None);
    assert_eq!(store.accept(delivery("young", Vec::new())).await.unwrap(), Accepted::Duplicate);
    assert_eq!(store.accept(delivery("old-7", Vec::new())).await.unwrap(), Accepted::Stored);
    assert_eq!(store.depth(at(0)).await.unwrap().due, 1, "its job is still there");
}
