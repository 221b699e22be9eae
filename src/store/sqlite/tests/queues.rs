//! The writer's two queues.

use super::*;
use crate::store::conformance::lease;

/// Keeps the writer busy until the sender is used or dropped; returns once it is.
async fn hold_writer(store: &Arc<SqliteStore>) -> oneshot::Sender<()> {
    let (go, wait) = oneshot::channel::<()>();
    let (started, has_started) = oneshot::channel();
    let store = Arc::clone(store);
    let hold = async move {
        let held: Answer<()> = store
            .writer
            .write(|_| {
                Box::pin(async move {
                    started.send(()).unwrap();
                    let _ = wait.await;
                    Ok(())
                })
            })
            .await;
        held.unwrap();
    };
    TaskTracker::new().spawn(hold);
    has_started.await.unwrap();
    go
}

/// Calls `accept` for each and returns when all of them are in the writer's queue.
async fn queue(
    store: &Arc<SqliteStore>,
    deliveries: Vec<NewDelivery>,
) -> JoinSet<(String, Answer<Accepted>)> {
    let mut callers = JoinSet::new();
    for delivery in deliveries {
        let (queued, is_queued) = oneshot::channel();
        let store = Arc::clone(store);
        callers.spawn(async move {
            let name = delivery.id.clone();
            let accept = store.accept(delivery);
            tokio::pin!(accept);
            // The first poll puts it into the queue.
            let early =
                tokio::select! { biased; answer = &mut accept => Some(answer), () = async {} => None };
            queued.send(()).unwrap();
            match early {
                Some(answer) => (name, answer),
                None => (name, accept.await),
            }
        });
        is_queued.await.unwrap();
    }
    callers
}

async fn answers(callers: JoinSet<(String, Answer<Accepted>)>) -> Vec<(String, Answer<Accepted>)> {
    let mut answers = callers.join_all().await;
    answers.sort_by(|a, b| a.0.cmp(&b.0));
    answers
}

/// Commits in the write-ahead log (<https://sqlite.org/fileformat2.html#walformat>): each ends with a frame
/// that names the size of the database.
fn commits_in_log(house: &House) -> usize {
    let log = std::fs::read(house.directory.path().join("countersign.db-wal")).unwrap();
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    let page = usize::try_from(number(&log[8..12])).unwrap();
    log[32..].chunks(24 + page).filter(|frame| number(&frame[4..8]) != 0).count()
}

#[tokio::test]
async fn deliveries_that_wait_together_share_one_commit() {
    let house = House::new();
    let store = house.open().await;
    let go = hold_writer(&store).await;
    let before = commits_in_log(&house);
    let deliveries = (0..64).map(|n| delivery(&n.to_string(), vec![commented(n, n)])).collect();
    let callers = queue(&store, deliveries).await;
    go.send(()).unwrap();

    assert!(answers(callers).await.iter().all(|(_, answer)| *answer == Ok(Accepted::Stored)));
    assert_eq!(commits_in_log(&house), before + 1);
    assert_eq!(store.depth(at(0)).await.unwrap().due, 64);
}

#[tokio::test]
async fn one_poisoned_delivery_does_not_take_its_batch_with_it() {
    let house = House::new();
    let store = house.open().await;
    house
        .execute(
            "CREATE TRIGGER poison BEFORE INSERT ON inbox WHEN NEW.post ->> '$.delivery.id' = 'b' \
             BEGIN SELECT RAISE(ABORT, 'poisoned'); END",
        )
        .await;
    let go = hold_writer(&store).await;
    let callers = queue(&store, ["a", "b", "c"].map(|name| delivery(name, Vec::new())).into()).await;
    go.send(()).unwrap();

    let answers = answers(callers).await;

    assert_eq!(answers[0], ("a".into(), Ok(Accepted::Stored)));
    assert_eq!(
        answers[1],
        ("b".into(), Err(StoreError::Unavailable("the database refused: poisoned".into())))
    );
    assert_eq!(answers[2], ("c".into(), Ok(Accepted::Stored)));
}

#[tokio::test]
async fn a_duplicate_within_a_batch_hears_the_truth() {
    let house = House::new();
    let store = house.open().await;
    let go = hold_writer(&store).await;
    let callers = queue(&store, vec![delivery("a", Vec::new()), delivery("a", Vec::new())]).await;
    go.send(()).unwrap();
    let mut heard: Vec<_> = answers(callers).await.into_iter().map(|(_, answer)| answer.unwrap()).collect();
    heard.sort_by_key(|answer| *answer == Accepted::Duplicate);
    assert_eq!(heard, [Accepted::Stored, Accepted::Duplicate]);
}

/// One that is known from before is found out only when nothing of its batch could be written at once.
#[tokio::test]
async fn a_batch_loses_what_was_sorted_before_and_nothing_else() {
    let house = House::new();
    let store = house.open().await;
    let shared: Shared = store.clone();
    for known in ["a", "c"] {
        assert_eq!(store.accept(delivery(known, vec![commented(1, 0)])).await, Ok(Accepted::Stored));
    }
    assert_eq!(lease(&shared, 0).await.len(), 1);
    let go = hold_writer(&store).await;
    // Characters of several bytes: posts are cut by bytes.
    let names = ["a", "b-\u{fc}\u{1f6a2}", "c", "d", "b-\u{fc}\u{1f6a2}", "e"];
    let batch = (2..).zip(names).map(|(n, name)| delivery(name, vec![commented(n, n)])).collect();
    let callers = queue(&store, batch).await;
    go.send(()).unwrap();

    let mut stored: Vec<_> = answers(callers).await;
    stored.retain(|(_, answer)| *answer == Ok(Accepted::Stored));
    let stored: Vec<_> = stored.into_iter().map(|(name, _)| name).collect();
    assert_eq!(stored, ["b-\u{fc}\u{1f6a2}", "d", "e"]);
    let posts = "SELECT post ->> '$.delivery.id' FROM inbox ORDER BY id";
    let posts: Vec<String> = sqlx::query_scalar(posts).fetch_all(&mut house.raw().await).await.unwrap();
    assert_eq!(posts, ["b-\u{fc}\u{1f6a2}", "d", "e"]);
}

#[tokio::test]
async fn a_duplicate_of_a_poisoned_delivery_is_not_called_stored() {
    let house = House::new();
    let store = house.open().await;
    house
        .execute("CREATE TRIGGER poison BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'poisoned'); END")
        .await;
    let go = hold_writer(&store).await;
    let twice = vec![delivery("a", vec![commented(1, 0)]), delivery("a", vec![commented(1, 0)])];
    let callers = queue(&store, twice).await;
    go.send(()).unwrap();
    for (_, answer) in answers(callers).await {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_delivery_past_its_deadline_is_refused_and_not_written() {
    let house = House::new();
    let around = Surroundings { intake_deadline: Duration::ZERO, ..house.around() };
    let store = SqliteStore::open(&house.url(), Access::Serve, around).await.unwrap();
    let answer = store.accept(delivery("a", vec![commented(1, 0)])).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    store.close().await;

    let store = house.open().await;
    assert_eq!(store.accept(delivery("a", Vec::new())).await, Ok(Accepted::Stored), "it was not known");
}

#[tokio::test]
async fn callers_who_went_away_disturb_nobody() {
    let house = House::new();
    let store = house.open().await;
    let go = hold_writer(&store).await;
    let gone = queue(&store, vec![delivery("gone", Vec::new())]).await;
    let stays = queue(&store, vec![delivery("stays", Vec::new())]).await;
    drop(gone);
    go.send(()).unwrap();
    assert_eq!(answers(stays).await, [("stays".to_owned(), Ok(Accepted::Stored))]);
    assert_eq!(store.accept(delivery("gone", Vec::new())).await, Ok(Accepted::Duplicate));
}

#[tokio::test]
async fn decisions_go_before_deliveries() {
    let house = House::new();
    let store = house.open().await;
    let go = hold_writer(&store).await;
    let delivery = queue(&store, vec![delivery("a", vec![commented(1, 0)])]).await;
    let decision = store.writer.write(|connection| {
        Box::pin(async move {
            let count = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM inbox").fetch_one(connection);
            count.await.map_err(fault::fault)
        })
    });
    tokio::pin!(decision);
    let early = tokio::select! { biased; _ = &mut decision => true, () = async {} => false };
    assert!(!early);
    go.send(()).unwrap();
    assert_eq!(decision.await, Ok(0), "the delivery that queued first is written later");
    assert_eq!(answers(delivery).await.len(), 1);
}

#[tokio::test]
async fn closing_writes_what_is_queued_and_refuses_the_rest() {
    let house = House::new();
    let store = house.open().await;
    let go = hold_writer(&store).await;
    let queued = queue(&store, vec![delivery("queued", Vec::new())]).await;
    let close = store.close();
    tokio::pin!(close);
    let early = tokio::select! { biased; () = &mut close => true, () = async {} => false };
    assert!(!early, "it waits for the writer");
    go.send(()).unwrap();
    close.await;

    assert_eq!(answers(queued).await, [("queued".to_owned(), Ok(Accepted::Stored))]);
    let refused = StoreError::Unavailable("it is shutting down".into());
    assert_eq!(store.accept(delivery("late", Vec::new())).await, Err(refused.clone()));
    assert_eq!(store.ready().await, Err(refused));
    assert!(matches!(store.deployment(&id(1)).await, Err(StoreError::Unavailable(_))));
    assert_eq!(house.open().await.ready().await, Ok(()), "and lets go of the lock");
}
