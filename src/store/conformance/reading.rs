//! Questions, pins, rooms and projects.

use super::*;
use crate::domain::deployment::{Deployment, Status};
use crate::ports::store::{KnownProject, Room, RoomNews};

fn numbers(deployments: &[Deployment]) -> Vec<i64> {
    deployments.iter().map(|deployment| deployment.description.number).collect()
}

fn opened_in(number: i64, conversation: Option<Conversation>) -> Entry {
    Entry::Opened { description: Box::new(description(number, conversation)), standing: Vec::new() }
}

pub(in crate::store) async fn conversations_list_their_deployments_newest_first(store: Shared) {
    for number in [9, 100, 10] {
        write(&store, vec![change(number, 0, vec![opened(number), Entry::Superseded])]).await;
    }
    write(&store, vec![change(11, 0, vec![opened_in(11, Some(merge_request(8)))])]).await;
    assert_eq!(numbers(&store.deployments_in(&merge_request(7), 10).await.unwrap()), [100, 10, 9]);
    let two = store.deployments_in(&merge_request(7), 2).await.unwrap();
    assert_eq!(numbers(&two), [100, 10]);
    assert_eq!(two.first(), store.deployment(&id(100)).await.unwrap().as_ref(), "each with its whole chain");
}

pub(in crate::store) async fn projects_list_their_deployments_by_status(store: Shared) {
    write(&store, vec![change(1, 0, vec![opened(1), settled(Outcome::Deployed)])]).await;
    write(&store, vec![change(2, 0, vec![opened_in(2, None)]), change(3, 0, vec![opened(3)])]).await;
    let list = |status, limit| {
        let store = Arc::clone(&store);
        async move { numbers(&store.deployments_of(&gitlab(), SHOP, status, limit).await.unwrap()) }
    };
    assert_eq!(list(None, 10).await, [3, 2, 1]);
    assert_eq!(list(Some(Status::Blocked), 10).await, [3, 2]);
    assert_eq!(list(Some(Status::Blocked), 1).await, [3]);
    assert_eq!(list(Some(Status::Deployed), 10).await, [1]);
    let elsewhere = store.deployments_of(&gitlab(), ProjectId(43), None, 10).await.unwrap();
    assert_eq!(numbers(&elsewhere), [] as [i64; 0]);
}

pub(in crate::store) async fn what_is_watched_has_a_room_and_an_open_end(store: Shared) {
    let commit = Conversation { place: Place::Commit("9f1c".into()), ..merge_request(0) };
    write(
        &store,
        vec![change(1, 0, vec![opened(1)]), change(2, 0, vec![opened_in(2, Some(commit.clone()))])],
    )
    .await;
    write(&store, vec![change(3, 0, vec![opened(3), settled(Outcome::Started)])]).await;
    write(&store, vec![change(4, 0, vec![opened_in(4, None)])]).await;
    write(&store, vec![change(5, 0, vec![opened_in(5, Some(merge_request(8))), settled(Outcome::Gone)])])
        .await;
    write(&store, vec![change(6, 0, vec![opened_in(6, Some(merge_request(9))), Entry::Superseded])]).await;

    assert_eq!(store.watched(&gitlab()).await.unwrap(), [id(1), id(2), id(3)]);
    assert_eq!(store.watched_rooms(&gitlab()).await.unwrap(), [commit, merge_request(7)]);
    assert_eq!(store.watched(&ForgeName::new("second")).await.unwrap(), []);
}

pub(in crate::store) async fn a_silent_deployment_that_was_placed_is_watched(store: Shared) {
    write(&store, vec![change(1, 0, vec![opened_in(1, None)])]).await;
    assert_eq!(store.watched(&gitlab()).await.unwrap(), []);
    write(&store, vec![change(1, 1, vec![Entry::Placed { conversation: merge_request(8) }])]).await;

    assert_eq!(store.watched(&gitlab()).await.unwrap(), [id(1)]);
    let placed = store.deployments_in(&merge_request(8), 1).await.unwrap().remove(0);
    assert_eq!(placed.description.conversation, Some(merge_request(8)));
}

pub(in crate::store) async fn open_ones_include_silent_and_superseded_ones(store: Shared) {
    write(&store, vec![change(2, 0, vec![opened_in(2, None)])]).await;
    write(&store, vec![change(1, 0, vec![opened(1), Entry::Superseded])]).await;
    write(&store, vec![change(3, 0, vec![opened(3), settled(Outcome::Failed)])]).await;
    assert_eq!(store.open(&gitlab(), SHOP).await.unwrap(), [(1, id(1)), (2, id(2))]);
}

pub(in crate::store) async fn what_is_new_of_a_room_leaves_the_rest(store: Shared) {
    assert_eq!(store.room(&merge_request(7)).await.unwrap(), Room::default());
    let shown = vec![(id(1), at(1)), (id(2), at(2))];
    let card = RoomNews::Card { comment: 77, at: at(3), digest: "digest".into(), shown: shown.clone() };
    let full = Room {
        card: Some(77),
        card_at: Some(at(3)),
        card_digest: Some("digest".into()),
        shown,
        read_until: Some(at(4)),
        hinted: true,
    };
    let earlier = RoomNews::ReadUntil(at(2));
    let news = [RoomNews::ReadUntil(at(4)), card, RoomNews::Hinted, earlier];
    for order in [[0, 1, 2, 3], [2, 1, 0, 3], [1, 3, 0, 2]] {
        let number = 10 + order[0];
        for index in order {
            let rooms = vec![(merge_request(number), news[usize::try_from(index).unwrap()].clone())];
            store.commit(Commit { rooms, ..commit() }).await.unwrap();
        }
        assert_eq!(store.room(&merge_request(number)).await.unwrap(), full);
    }
}

pub(in crate::store) async fn answers_to_strangers_are_counted_by_comment(store: Shared) {
    let mallory = |comment, line, second| TakenCommand {
        by: UserId(66),
        named: false,
        at: at(second),
        ..taken(comment, line)
    };
    let named = TakenCommand { named: true, ..mallory(4, 0, 30) };
    let commands = vec![mallory(1, 0, 10), mallory(2, 0, 20), mallory(2, 1, 20), named, taken(5, 0)];
    store.commit(Commit { commands, ..commit() }).await.unwrap();
    let count = |by, since| {
        let store = Arc::clone(&store);
        async move { store.answers_to(&merge_request(7).key(), UserId(by), at(since)).await.unwrap() }
    };
    assert_eq!(count(66, 0).await, 2);
    assert_eq!(count(66, 20).await, 1);
    assert_eq!(count(66, 21).await, 0);
    assert_eq!(count(2, 0).await, 0);
}

pub(in crate::store) async fn a_pin_stays(store: Shared) {
    assert_eq!(store.pinned(&gitlab(), "user", "dana").await.unwrap(), None);
    assert_eq!(store.pin(&gitlab(), "user", "dana", 1).await.unwrap(), 1);
    assert_eq!(store.pin(&gitlab(), "user", "dana", 2).await.unwrap(), 1);
    assert_eq!(store.pin(&gitlab(), "group", "dana", 3).await.unwrap(), 3);
    assert_eq!(store.pinned(&gitlab(), "user", "dana").await.unwrap(), Some(1));
    assert_eq!(store.pinned(&ForgeName::new("second"), "user", "dana").await.unwrap(), None);
}

pub(in crate::store) async fn a_project_is_replaced(store: Shared) {
    let first = KnownProject { id: SHOP, path: "acme/shop".into(), active_at: Some(at(1)), looked_at: None };
    let moved = KnownProject { path: "acme/store".into(), looked_at: Some(at(2)), ..first.clone() };
    let other = KnownProject { id: ProjectId(7), ..first.clone() };
    for project in [&first, &other, &moved] {
        store.save_project(&gitlab(), project).await.unwrap();
    }
    assert_eq!(store.projects(&gitlab()).await.unwrap(), [other, moved]);
    assert_eq!(store.projects(&ForgeName::new("second")).await.unwrap(), []);
}

pub(in crate::store) async fn the_whole_ledger_can_be_walked(store: Shared) {
    for number in [1, 2, 3] {
        write(&store, vec![change(number, 0, vec![opened(number), Entry::Superseded])]).await;
    }
    let walked = async |after: Option<(DeploymentId, i64)>, limit| {
        let after = after.as_ref().map(|(id, seq)| (id, *seq));
        let entries = store.ledger_after(after, limit).await.unwrap();
        entries.into_iter().map(|(id, sealed)| (id, sealed.seq)).collect::<Vec<_>>()
    };
    assert_eq!(walked(None, 3).await, [(id(1), 1), (id(1), 2), (id(2), 1)]);
    assert_eq!(walked(Some((id(2), 1)), 9).await, [(id(2), 2), (id(3), 1), (id(3), 2)]);
    assert_eq!(walked(Some((id(3), 2)), 9).await, []);
    let (of, entry) = store.ledger_after(Some((&id(2), 1)), 1).await.unwrap().remove(0);
    assert_eq!(store.ledger(&of).await.unwrap().last(), Some(&entry), "whole entries");
    assert_eq!(store.ledger_ids(None, 2).await.unwrap(), [id(1), id(2)]);
    assert_eq!(store.ledger_ids(Some(&id(2)), 2).await.unwrap(), [id(3)]);
    assert_eq!(store.ledger_ids(Some(&id(3)), 2).await.unwrap(), []);
}

pub(in crate::store) async fn a_sound_store_is_ready(store: Shared) {
    assert_eq!(store.ready().await, Ok(()));
}

pub(in crate::store) async fn newer_ones_come_first_whatever_their_number(store: Shared) {
    for (number, order) in [(1, 30), (2, 10), (3, 30)] {
        let mut description = description(number, Some(merge_request(7)));
        description.order = order;
        let opened = Entry::Opened { description: Box::new(description), standing: Vec::new() };
        write(&store, vec![change(number, 0, vec![opened])]).await;
    }
    assert_eq!(numbers(&store.deployments_in(&merge_request(7), 9).await.unwrap()), [3, 1, 2]);
    assert_eq!(numbers(&store.deployments_of(&gitlab(), SHOP, None, 2).await.unwrap()), [3, 1]);
    assert_eq!(store.open(&gitlab(), SHOP).await.unwrap(), [(10, id(2)), (30, id(1)), (30, id(3))]);
    assert_eq!(numbers(&store.newest_open(&gitlab(), SHOP, 2).await.unwrap()), [3, 1]);
    assert_eq!(store.environments(&gitlab(), SHOP, 9).await.unwrap(), ["production"]);
    assert!(store.environments(&gitlab(), SHOP, 0).await.unwrap().is_empty());
    assert_eq!(store.ahead_of(&gitlab(), SHOP, 30).await.unwrap(), [id(2)]);
}

pub(in crate::store) async fn a_run_has_its_deployments(store: Shared) {
    for number in [1, 2, 3] {
        let mut description = description(number, None);
        description.run = if number == 2 { 8 } else { 7 };
        let opened = Entry::Opened { description: Box::new(description), standing: Vec::new() };
        write(&store, vec![change(number, 0, vec![opened])]).await;
    }
    assert_eq!(store.of_run(&gitlab(), SHOP, 7).await.unwrap(), [id(1), id(3)]);
    assert_eq!(store.of_run(&gitlab(), SHOP, 9).await.unwrap(), []);
    let second = store.numbered(&gitlab(), SHOP, 2).await.unwrap().unwrap();
    assert_eq!(*second.id(), id(2));
    assert_eq!(store.numbered(&gitlab(), SHOP, 4).await.unwrap(), None);
}

pub(in crate::store) async fn a_number_of_ours_is_given_once(store: Shared) {
    let other = ProjectId(43);
    assert_eq!(store.give_number(&gitlab(), SHOP, &id(100)).await.unwrap(), 1);
    assert_eq!(store.give_number(&gitlab(), SHOP, &id(200)).await.unwrap(), 2);
    assert_eq!(store.give_number(&gitlab(), SHOP, &id(100)).await.unwrap(), 1);
    let elsewhere = DeploymentId::new(&gitlab(), other, &native(300));
    assert_eq!(store.give_number(&gitlab(), other, &elsewhere).await.unwrap(), 1);
}

pub(in crate::store) async fn a_delivery_is_asked_for_once(store: Shared) {
    let wanted = |id: &'static str| {
        let store = store.clone();
        async move { store.is_wanted(&gitlab(), id).await.unwrap() }
    };
    store.accept(delivery("here", vec![])).await.unwrap();
    assert!(!wanted("here").await, "it is on disk");
    assert!(wanted("lost").await);
    store.asked_again(&gitlab(), "lost", at(0)).await.unwrap();
    store.asked_again(&gitlab(), "lost", at(1)).await.unwrap();
    assert!(!wanted("lost").await, "it was asked for");
    assert!(store.is_wanted(&ForgeName::new("github"), "lost").await.unwrap(), "of another source");
    store.forget_deliveries(at(1)).await.unwrap();
    assert!(wanted("lost").await, "long ago");
}
