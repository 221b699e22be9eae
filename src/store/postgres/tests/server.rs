//! The server: schema, clocks, what is lost and what is refused.

use super::*;
use crate::ports::store::LeasedJob;
use crate::store::batch::{self, Waiting};
use crate::store::conformance::{change, commented, enqueue, id, lease, opened};
use crate::store::postgres::migrate;
use tokio::task::JoinSet;

const END_ALL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test]
async fn instances_that_start_together_find_one_schema() {
    let Some(house) = House::new().await else { return };
    let mut starting = JoinSet::new();
    for _ in 0..4 {
        let url = house.url().to_owned();
        starting.spawn(async move { migrate(&url).await.unwrap() });
    }
    assert_eq!(starting.join_all().await, [3; 4]);
    assert_eq!(house.open().await.ready().await, Ok(()));
    house.tear_down().await;
}

#[tokio::test]
async fn a_reader_changes_no_schema_and_a_newer_one_is_refused() {
    let Some(house) = House::new().await else { return };
    let empty = house.try_open(Access::Beside, LeaseTime::Caller).await.err().unwrap();
    assert!(matches!(empty, OpenError::Older { found: 0, known: 3 }), "{empty}");
    migrate(house.url()).await.unwrap();
    assert_eq!(house.try_open(Access::Beside, LeaseTime::Caller).await.unwrap().ready().await, Ok(()));
    house
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (999, 'later', TRUE, '', 0)",
        )
        .await;
    for access in [Access::Serve, Access::Beside] {
        let refused = house.try_open(access, LeaseTime::Caller).await.err().unwrap();
        assert!(matches!(refused, OpenError::Newer { found: 999, known: 3 }), "{refused}");
    }
    house.tear_down().await;
}

#[tokio::test]
async fn everything_is_still_there_after_a_restart() {
    let Some(house) = House::new().await else { return };
    let store = house.open().await;
    conformance::write(&(store.clone() as Shared), vec![change(1, 0, vec![opened(1)])]).await;
    store.accept(delivery("a", vec![commented(1, 0)])).await.unwrap();
    let first = store.lease(at(0), SignedDuration::from_secs(60), 1).await.unwrap().remove(0);
    store.close().await;
    let refused = StoreError::Unavailable("it is shutting down".into());
    assert_eq!(store.accept(delivery("late", Vec::new())).await, Err(refused.clone()));
    assert_eq!(store.ready().await, Err(refused));

    let store = house.open().await;
    assert!(store.deployment(&id(1)).await.unwrap().is_some());
    assert_eq!(store.accept(delivery("a", Vec::new())).await, Ok(Accepted::Duplicate));
    let shared: Shared = store.clone();
    assert_eq!(lease(&shared, 59).await, [], "another instance may still hold it");
    assert_eq!(lease(&shared, 60).await.remove(0).lease.job, first.lease.job);
    house.tear_down().await;
}

#[tokio::test]
async fn leases_go_by_the_clock_of_the_database() {
    let Some(house) = House::new().await else { return };
    let here: Shared = Arc::new(house.try_open(Access::Serve, LeaseTime::Database).await.unwrap());
    let ahead: Shared = Arc::new(house.try_open(Access::Serve, LeaseTime::Database).await.unwrap());
    enqueue(&here, vec![job(Lane::Decide, "k", 1), job(Lane::Decide, "k", 2)]).await;
    let held = lease(&here, 0).await.remove(0);
    let a_century = 100 * 365 * 24 * 3600;
    assert_eq!(lease(&ahead, a_century).await, [], "a clock that is wrong takes nothing away");
    conformance::done(&here, &held).await;
    assert_eq!(lease(&ahead, a_century).await.len(), 1, "what nobody holds is its");
    house.tear_down().await;
}

#[tokio::test]
async fn an_idle_instance_hears_of_another_ones_work() {
    let Some(house) = House::new().await else { return };
    let (here, there) = (house.open().await, house.open().await);
    let (woken, own) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    here.listen(Arc::clone(&woken));
    there.listen(Arc::clone(&own));
    // Each is told once that it listens from now on.
    woken.notified().await;
    own.notified().await;
    there.accept(delivery("a", vec![commented(1, 0)])).await.unwrap();
    woken.notified().await;
    enqueue(&(there.clone() as Shared), vec![job(Lane::Reply, "k", 1)]).await;
    woken.notified().await;

    house.execute(END_ALL).await;
    // It listens again by itself, and says so.
    woken.notified().await;
    here.close().await;
    there.close().await;
    house.tear_down().await;
}

#[tokio::test]
async fn a_lost_connection_is_replaced() {
    let Some(house) = House::new().await else { return };
    let store = house.open().await;
    assert_eq!(store.ready().await, Ok(()));
    house.execute(END_ALL).await;
    assert_eq!(store.accept(delivery("a", vec![commented(1, 0)])).await, Ok(Accepted::Stored));
    assert_eq!(store.ready().await, Ok(()));
    house.tear_down().await;
}

#[tokio::test]
async fn a_read_only_database_takes_no_delivery_and_says_why() {
    let Some(house) = House::new().await else { return };
    let store = house.open().await;
    house.alter("SET default_transaction_read_only = on").await;
    house.execute(END_ALL).await;
    let refused = Err(StoreError::Unavailable("the database is read-only".into()));
    assert_eq!(store.accept(delivery("a", vec![commented(1, 0)])).await, refused);
    assert!(store.ready().await.is_err());
    assert_eq!(store.depth(at(0)).await.unwrap().due, 0, "it can be read");

    house.alter("RESET default_transaction_read_only").await;
    house.execute(END_ALL).await;
    assert_eq!(store.accept(delivery("a", vec![commented(1, 0)])).await, Ok(Accepted::Stored));
    house.tear_down().await;
}

#[tokio::test]
async fn a_server_that_does_not_wait_for_its_disk_is_told_to() {
    let Some(house) = House::new().await else { return };
    house.alter("SET synchronous_commit = off").await;
    let store = house.open().await;
    let asked = store.run(async |connection| {
        let ask = dialect::query_scalar("SELECT current_setting('synchronous_commit')");
        ask.fetch_one(connection).await.map_err(fault::fault)
    });
    let setting: Answer<String> = asked.await;
    assert_eq!(setting.unwrap(), "on");
    house.tear_down().await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_without_its_password() {
    let Some(house) = House::new().await else { return };
    for url in ["postgres://dana:hunter2@127.0.0.1:1/ledger", "postgres://dana:hunter2@host:port/ledger"] {
        let opened = PostgresStore::open(url, Access::Serve, house.around(), LeaseTime::Database).await;
        let refused = opened.err().unwrap();
        assert!(matches!(refused, OpenError::Database(_)), "{refused}");
        assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused}");
    }
    house.tear_down().await;
}

#[tokio::test]
async fn one_poisoned_delivery_does_not_take_its_batch_with_it() {
    let Some(house) = House::new().await else { return };
    let store = house.open().await;
    house
        .execute(
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE 'poisoned'; END $$; \
             CREATE TRIGGER poison BEFORE INSERT ON delivery FOR EACH ROW WHEN (NEW.id = 'b') \
             EXECUTE FUNCTION poison()",
        )
        .await;
    let (batch, answers): (Vec<_>, Vec<_>) =
        ["a", "b", "c"].map(|name| Waiting::new(delivery(name, vec![commented(1, 0)]))).into_iter().unzip();
    batch::write(&mut store.pool.clone(), batch, Duration::from_mins(1)).await;
    let mut heard = Vec::new();
    for answer in answers {
        heard.push(answer.await.unwrap());
    }
    let poisoned = StoreError::Unavailable("the database refused: poisoned".into());
    assert_eq!(heard, [Ok(Accepted::Stored), Err(poisoned), Ok(Accepted::Stored)]);
    house.tear_down().await;
}

#[tokio::test]
async fn a_job_that_cannot_be_read_does_not_stop_the_others() {
    let Some(house) = House::new().await else { return };
    let store: Shared = house.open().await;
    enqueue(&store, vec![job(Lane::Reply, "k", 1), job(Lane::Reply, "k", 2), job(Lane::Reply, "other", 3)])
        .await;
    house.execute("UPDATE job SET work = '{\"later\":1}' WHERE id = 1").await;
    let about = |jobs: Vec<LeasedJob>| conformance::about_all(&jobs);
    assert_eq!(about(lease(&store, 0).await), [3]);
    assert_eq!(about(lease(&store, 0).await), [2], "it lost its turn");
    assert_eq!(store.depth(at(0)).await.unwrap().dead, 1);
    house.tear_down().await;
}

#[tokio::test]
async fn no_character_keeps_a_job_from_being_given_back() {
    let Some(house) = House::new().await else { return };
    let store: Shared = house.open().await;
    enqueue(&store, vec![job(Lane::Reply, "k", 1)]).await;
    let held = lease(&store, 0).await.remove(0);
    store.postpone(&held.lease, at(1), "a \0 in the answer", false).await.unwrap();
    assert_eq!(lease(&store, 1).await.remove(0).last_error.as_deref(), Some("a  in the answer"));
    house.tear_down().await;
}
