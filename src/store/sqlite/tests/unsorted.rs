//! Deliveries that lie as they came.

use super::*;
use crate::domain::event::Event;
use crate::domain::id::{Conversation, ForgeName, Place};
use crate::ports::store::{Finish, Work};
use crate::store::conformance::{about_all, comment, commit, done, gitlab, lease, merge_request};
use std::collections::BTreeSet;

/// Comment `number` in merge request `place` of a forge.
fn said(forge: &str, place: i64, number: i64) -> Event {
    let Event::Commented { mut comment, at, heard } = commented(number, 0) else { unreachable!() };
    let forge = ForgeName::new(forge);
    comment.conversation = Conversation { forge, place: Place::MergeRequest(place), ..comment.conversation };
    Event::Commented { comment, at, heard }
}

async fn stored(store: &Arc<SqliteStore>, id: &str, events: Vec<Event>) {
    assert_eq!(store.accept(delivery(id, events)).await, Ok(Accepted::Stored));
}

async fn count(house: &House, table: &str) -> i64 {
    let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    sqlx::query_scalar(count).fetch_one(&mut house.raw().await).await.unwrap()
}

/// What is known in memory is what lies in the file; returns how many deliveries that are.
async fn known(house: &House, store: &SqliteStore) -> usize {
    let rows = sqlx::query_scalar("SELECT id FROM inbox").fetch_all(&mut house.raw().await).await.unwrap();
    let rows: BTreeSet<i64> = rows.into_iter().collect();
    let (known, ids, keyed) = store.inbox.counted();
    assert_eq!(known, rows);
    assert_eq!(ids, rows.len());
    assert!(keyed.is_subset(&rows), "{keyed:?}");
    rows.len()
}

#[tokio::test]
async fn a_delivery_lies_as_it_came_until_the_worker_has_a_hand_free() {
    let house = House::new();
    let store = house.open().await;
    stored(&store, "a", vec![commented(1, 0)]).await;
    assert_eq!((known(&house, &store).await, count(&house, "job").await), (1, 0));
    let load =
        |backlog: &Backlog| backlog.lanes.iter().find(|load| load.lane == Lane::Decide).copied().unwrap();
    let backlog = store.backlog(at(5)).await.unwrap();
    assert_eq!((backlog.unsorted, load(&backlog).jobs, load(&backlog).due_since), (1, 1, Some(at(0))));

    assert_eq!(store.lease(at(0), SignedDuration::from_secs(60), 0).await.unwrap(), []);
    assert_eq!(known(&house, &store).await, 1, "no hand is free");

    let shared: Shared = store.clone();
    assert_eq!(about_all(&lease(&shared, 0).await), [1]);
    assert_eq!((known(&house, &store).await, count(&house, "job").await), (0, 1));
    let backlog = store.backlog(at(5)).await.unwrap();
    assert_eq!((backlog.unsorted, load(&backlog).jobs), (0, 1));
}

#[tokio::test]
async fn a_duplicate_is_known_before_and_after_sorting() {
    let house = House::new();
    let store = house.open().await;
    let shared: Shared = store.clone();
    stored(&store, "a", vec![commented(1, 0)]).await;
    assert_eq!(store.accept(delivery("a", vec![commented(1, 0)])).await, Ok(Accepted::Duplicate));
    assert!(!store.is_wanted(&gitlab(), "a").await.unwrap());
    assert_eq!(about_all(&lease(&shared, 0).await), [1]);
    assert_eq!(store.accept(delivery("a", vec![commented(1, 0)])).await, Ok(Accepted::Duplicate));
    assert!(!store.is_wanted(&gitlab(), "a").await.unwrap());
    assert_eq!(known(&house, &store).await, 0);
}

#[tokio::test]
async fn a_release_waits_for_what_lies_unsorted_in_its_conversation() {
    let house = House::new();
    let store = house.open().await;
    let release = |keys: Vec<String>| store.commit(Commit { unless_waiting: keys, ..commit() });
    stored(&store, "a", vec![commented(1, 0)]).await;
    assert_eq!(release(vec![merge_request(8).key()]).await, Ok(()));
    assert_eq!(release(vec![merge_request(8).key(), merge_request(7).key()]).await, Err(CommitError::Held));

    let shared: Shared = store.clone();
    let revoke = lease(&shared, 0).await.remove(0);
    done(&shared, &revoke).await;
    assert_eq!(release(vec![merge_request(7).key()]).await, Ok(()));
}

#[tokio::test]
async fn an_announcement_is_heard_before_anybody_is_free_to_work_on_it() {
    let house = House::new();
    let store = house.open().await;
    stored(&store, "other", vec![said("gitlab", 8, 2)]).await;
    stored(&store, "a", vec![commented(1, 0)]).await;
    assert_eq!(store.heard(&comment(1)).await.unwrap().unwrap().0, "digest-1");
    assert_eq!(known(&house, &store).await, 1, "the other one stays");
    let shared: Shared = store.clone();
    assert_eq!(lease(&shared, 0).await.len(), 2);
    assert_eq!(known(&house, &store).await, 0);
}

#[tokio::test]
async fn what_a_paused_platform_sent_stays_and_the_others_pass_it() {
    let house = House::new();
    let store = house.open().await;
    let shared: Shared = store.clone();
    store.pause(&(&ForgeName::new("github")).into(), at(100)).await.unwrap();
    for number in 0..100 {
        stored(&store, &format!("github-{number}"), vec![said("github", number, number)]).await;
    }
    assert_eq!(store.lease(at(0), SignedDuration::from_secs(60), 100).await.unwrap(), []);
    assert_eq!(known(&house, &store).await, 100);
    stored(&store, "gitlab", vec![said("gitlab", 1, 1000)]).await;
    assert_eq!(about_all(&lease(&shared, 0).await), [1000]);
    assert_eq!(known(&house, &store).await, 100);
    assert_eq!(lease(&shared, 100).await.len(), 100, "the pause is over");
    assert_eq!(known(&house, &store).await, 0);
}

#[tokio::test]
async fn who_talks_much_in_one_place_holds_up_no_other() {
    let house = House::new();
    let store = house.open().await;
    let shared: Shared = store.clone();
    for number in 0..600 {
        stored(&store, &format!("much-{number}"), vec![said("gitlab", 7, number)]).await;
    }
    stored(&store, "other", vec![said("gitlab", 8, 1000)]).await;
    let leased = store.lease(at(0), SignedDuration::from_secs(60), 16).await.unwrap();
    assert_eq!(about_all(&leased), [0]);
    assert_eq!(known(&house, &store).await, 601 - 16 - 3 * 64, "others write between two looks");
    assert_eq!(about_all(&lease(&shared, 0).await), [1000], "what comes from elsewhere is found behind them");
    assert_eq!(known(&house, &store).await, 0);
    assert_eq!(about_all(&lease(&shared, 0).await), [] as [i64; 0]);
}

/// A forge that doesn't answer: what waits to be tried again is due over and over.
#[tokio::test]
async fn what_is_new_waits_no_longer_than_what_is_tried_again() {
    let house = House::new();
    let store = house.open().await;
    let shared: Shared = store.clone();
    for number in 0..20 {
        stored(&store, &number.to_string(), vec![said("gitlab", number, number)]).await;
    }
    for job in lease(&shared, 0).await {
        store.postpone(&job.lease, at(10), "no answer", false).await.unwrap();
    }
    for number in 0..10 {
        stored(&store, &format!("much-{number}"), vec![said("github", 1, 1000)]).await;
    }
    let one_hand = async || store.lease(at(20), SignedDuration::from_secs(60), 1).await.unwrap();
    assert_eq!(about_all(&one_hand().await), [1000]);
    stored(&store, "new", vec![said("github", 2, 2000)]).await;
    assert_eq!(about_all(&one_hand().await), [2000], "nor than the many of one place");
}

#[tokio::test]
async fn the_earliest_by_the_platforms_time_is_worked_on_first_however_late_it_came() {
    let house = House::new();
    let store = house.open().await;
    let shared: Shared = store.clone();
    for number in 0..300 {
        stored(&store, &format!("{number}"), vec![commented(number, 1000 - number)]).await;
    }
    let first = lease(&shared, 0).await.remove(0);
    assert_eq!(about_all(std::slice::from_ref(&first)), [299]);
    store.postpone(&first.lease, at(0), "once more", true).await.unwrap();
    stored(&store, "earlier", vec![commented(1000, 0)]).await;
    assert_eq!(about_all(&lease(&shared, 0).await), [1000], "also before one that waits to be tried again");
    known(&house, &store).await;
}

#[tokio::test]
async fn no_more_is_sorted_than_there_are_hands() {
    let house = House::new();
    let store = house.open().await;
    for number in 0..200 {
        stored(&store, &number.to_string(), vec![said("gitlab", number, number)]).await;
    }
    let leased = store.lease(at(0), SignedDuration::from_secs(60), 16).await.unwrap();
    assert_eq!(about_all(&leased), (0..16).collect::<Vec<_>>());
    assert_eq!(known(&house, &store).await, 200 - 16);
}

#[tokio::test]
async fn a_stop_leaves_nothing_behind() {
    let house = House::new();
    let store = house.open().await;
    for number in 0..150 {
        stored(&store, &number.to_string(), vec![said("gitlab", number, number)]).await;
    }
    store.close().await;
    assert_eq!(count(&house, "inbox").await, 150);

    let store = house.open().await;
    assert_eq!(known(&house, &store).await, 0);
    assert_eq!(store.accept(delivery("7", Vec::new())).await, Ok(Accepted::Duplicate));
    let shared: Shared = store;
    assert_eq!(about_all(&lease(&shared, 0).await), (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_can_not_be_sorted_now_stays_and_hinders_nothing_else() {
    let house = House::new();
    let store = house.open().await;
    let shared: Shared = store.clone();
    conformance::enqueue(&shared, vec![job(Lane::Gate, "gate", 7), job(Lane::Reply, "reply", 8)]).await;
    stored(&store, "a", vec![commented(1, 0)]).await;
    house.execute("CREATE TRIGGER full BEFORE INSERT ON job BEGIN SELECT RAISE(ABORT, 'full'); END").await;
    assert_eq!(about_all(&lease(&shared, 0).await), [7, 8]);
    assert!(store.heard(&comment(1)).await.is_err());
    assert_eq!(known(&house, &store).await, 1);
    assert_eq!(store.accept(delivery("a", Vec::new())).await, Ok(Accepted::Duplicate));

    house.execute("DROP TRIGGER full").await;
    assert_eq!(about_all(&lease(&shared, 0).await), [1]);
    assert_eq!(known(&house, &store).await, 0);
}

#[tokio::test]
async fn forgetting_what_is_old_leaves_the_inbox_alone() {
    let house = House::new();
    let store = house.open().await;
    stored(&store, "a", vec![commented(1, 0)]).await;
    store.forget_deliveries(at(-100)).await.unwrap();
    assert_eq!(known(&house, &store).await, 1);
    store.forget_deliveries(at(100)).await.unwrap();
    assert_eq!(known(&house, &store).await, 0);
}

/// What this version writes. A later one has to read it.
#[tokio::test]
async fn what_an_older_version_stored_can_be_sorted() {
    let post = r#"{"delivery":{"source":"gitlab","id":"a","digest":"body","received_at":1790000000000},
        "heard":[{"comment":"gitlab/42/mr/7#1","digest":"digest-1","author":1,"heard_at":1790000000000}],
        "jobs":[{"lane":1,"key":"gitlab/42/mr/7","forge":"gitlab","work":"WORK","run_at":1790000000000,
        "ordered_at":1790000000000,"created_at":1790000000000}]}"#;
    let house = House::new();
    let store = house.open().await;
    stored(&store, "a", vec![commented(1, 0)]).await;
    let written: String =
        sqlx::query_scalar("SELECT post FROM inbox").fetch_one(&mut house.raw().await).await.unwrap();
    let mut written: serde_json::Value = serde_json::from_str(&written).unwrap();
    let work = written["jobs"][0]["work"].take();
    let mut before: serde_json::Value = serde_json::from_str(post).unwrap();
    assert_eq!(before["jobs"][0]["work"].take(), "WORK");
    assert_eq!(written, before);

    store.close().await;
    before["jobs"][0]["work"] = work;
    let mut raw = house.raw().await;
    sqlx::query("UPDATE inbox SET post = $1").bind(before.to_string()).execute(&mut raw).await.unwrap();
    let shared: Shared = house.open().await;
    assert_eq!(about_all(&lease(&shared, 0).await), [1]);
    assert_eq!(shared.heard(&comment(1)).await.unwrap().unwrap().0, "digest-1");
}

#[tokio::test]
async fn what_can_not_be_read_is_put_aside_and_disturbs_nobody() {
    let house = House::new();
    let store = house.open().await;
    stored(&store, "a", vec![commented(1, 0)]).await;
    stored(&store, "b", vec![said("gitlab", 8, 2)]).await;
    store.close().await;
    house.execute("UPDATE inbox SET post = '{' WHERE id = 1").await;

    let store = house.open().await;
    let shared: Shared = store.clone();
    assert_eq!(about_all(&lease(&shared, 0).await), [2]);
    let dead = store.jobs(true, 0, 10).await.unwrap();
    assert_eq!(
        dead.iter().map(|job| (&job.work, job.key.as_str())).collect::<Vec<_>>(),
        [(&None, "inbox/1")]
    );
}

#[tokio::test]
async fn what_is_damaged_in_the_file_holds_no_release_for_ever() {
    let no_json = "UPDATE inbox SET post = '{'";
    let no_text = "UPDATE inbox SET post = CAST(x'7bff' AS TEXT)";
    for damage in [no_json, no_text, "DELETE FROM inbox"] {
        let house = House::new();
        let store = house.open().await;
        let shared: Shared = store.clone();
        stored(&store, "a", vec![commented(1, 0)]).await;
        house.execute(damage).await;
        assert_eq!(lease(&shared, 0).await, []);
        let release = Commit { unless_waiting: vec![merge_request(7).key()], ..commit() };
        assert_eq!(store.commit(release).await, Ok(()), "{damage}");
        assert_eq!(store.heard(&comment(1)).await, Ok(None), "{damage}");
    }
}

#[tokio::test]
async fn figures_count_what_is_damaged_in_the_file() {
    let house = House::new();
    let store = house.open().await;
    stored(&store, "a", vec![commented(1, 0)]).await;
    house.execute("UPDATE inbox SET post = '{'").await;
    let backlog = store.backlog(at(0)).await.unwrap();
    assert_eq!((backlog.unsorted, store.depth(at(0)).await.unwrap().due), (1, 1));
}

#[tokio::test]
async fn several_jobs_of_one_delivery_are_known_by_each_of_their_keys() {
    let house = House::new();
    let store = house.open().await;
    let waits = Event::SomethingWaits { forge: gitlab(), project: conformance::SHOP };
    stored(&store, "a", vec![commented(1, 0), waits.clone(), commented(2, 1)]).await;
    assert_eq!(store.depth(at(0)).await.unwrap().due, 3);
    for key in [waits.key(), merge_request(7).key()] {
        let held = store.commit(Commit { unless_waiting: vec![key], ..commit() }).await;
        assert_eq!(held, Err(CommitError::Held));
    }
    let shared: Shared = store.clone();
    let leased = lease(&shared, 0).await;
    assert_eq!(leased.len(), 2, "two conversations");
    assert_eq!(known(&house, &store).await, 0);
    let first = leased.iter().find(|job| job.work == Work::Event(commented(1, 0))).unwrap();
    let finish = Some(Finish::Done(first.lease.clone()));
    store.commit(Commit { finish, ..commit() }).await.unwrap();
    assert_eq!(about_all(&lease(&shared, 0).await), [2]);
}
