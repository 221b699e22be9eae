//! The file: lock, schema, durability, tampering.

use super::*;

#[tokio::test]
async fn everything_is_still_there_after_a_restart() {
    let house = House::new();
    let store = house.open().await;
    conformance::write(&(store.clone() as Shared), vec![change(1, 0, vec![opened(1)])]).await;
    store.accept(delivery("a", vec![commented(1, 0)])).await.unwrap();
    drop(store);
    house.tasks.close();
    house.tasks.wait().await;

    let store = house.open().await;
    let found = store.deployment(&id(1)).await.unwrap().unwrap();
    assert_eq!(found.description, description(1, Some(conformance::merge_request(7))));
    assert_eq!(store.accept(delivery("a", Vec::new())).await, Ok(Accepted::Duplicate));
    assert_eq!(store.depth(at(0)).await.unwrap().due, 1);
}

#[tokio::test]
async fn a_second_server_is_refused_and_a_reader_is_not() {
    let house = House::new();
    let store = house.open().await;
    let second = house.try_open(Access::Serve).await.err().unwrap();
    let lock = house.directory.path().join("countersign.db.lock");
    assert!(matches!(&second, OpenError::Locked(path) if *path == lock), "{second}");
    assert!(matches!(migrate(&house.url()).await, Err(OpenError::Locked(_))));

    let beside = house.try_open(Access::Beside).await.unwrap();
    conformance::write(&(store as Shared), vec![change(1, 0, vec![opened(1)])]).await;
    assert_eq!(beside.ledger(&id(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_reader_neither_creates_nor_changes_a_database() {
    let house = House::new();
    let missing = house.try_open(Access::Beside).await.err().unwrap();
    assert!(matches!(missing, OpenError::Io { .. }), "{missing}");
    assert!(!house.file().exists());

    std::fs::File::create(house.file()).unwrap();
    let empty = house.try_open(Access::Beside).await.err().unwrap();
    assert!(matches!(empty, OpenError::Older { found: 0, .. }), "{empty}");

    assert_eq!(migrate(&house.url()).await.unwrap(), 5);
    assert_eq!(migrate(&house.url()).await.unwrap(), 5, "again changes nothing");
    assert_eq!(house.try_open(Access::Beside).await.unwrap().ready().await, Ok(()));
}

#[tokio::test]
async fn what_was_heard_before_its_tables_were_rebuilt_is_known() {
    let house = House::new();
    let first = [
        ("start", include_str!("../migrations/0001_start.sql")),
        ("chats", include_str!("../migrations/0002_chats.sql")),
        ("growth", include_str!("../migrations/0003_growth.sql")),
    ];
    house.migrate_only(&first).await;
    house
        .execute("INSERT INTO delivery VALUES ('gitlab', 'later', 'x', 2000), ('gitlab', 'a', 'x', 1000)")
        .await;
    house.execute("INSERT INTO heard VALUES ('gitlab/42/mr/7#1', 'kept', 9, 1000)").await;

    let store = house.open().await;
    assert_eq!(store.accept(delivery("a", Vec::new())).await, Ok(Accepted::Duplicate));
    assert_eq!(store.accept(delivery("b", vec![commented(1, 0)])).await, Ok(Accepted::Stored));
    let (digest, author, _) = store.heard(&conformance::comment(1)).await.unwrap().unwrap();
    assert_eq!((digest.as_str(), author.0), ("kept", 9), "the first announcement counts");
    let before = jiff::Timestamp::from_millisecond(1500).unwrap();
    assert_eq!(store.forget_deliveries(before).await, Ok(2), "one delivery and what it announced");
    assert_eq!(store.accept(delivery("later", Vec::new())).await, Ok(Accepted::Duplicate));
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let house = House::new();
    migrate(&house.url()).await.unwrap();
    house
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (999, 'later', TRUE, x'00', 0)",
        )
        .await;
    for access in [Access::Serve, Access::Beside] {
        let refused = house.try_open(access).await.err().unwrap();
        assert!(matches!(refused, OpenError::Newer { found: 999, known: 5 }), "{refused}");
    }
    assert!(matches!(migrate(&house.url()).await, Err(OpenError::Newer { .. })));
}

#[tokio::test]
async fn what_is_no_file_is_no_address() {
    let house = House::new();
    for url in ["", "sqlite:", "sqlite::memory:", ":memory:", "postgres://db/x", "sqlite:x.db?mode=ro"] {
        let refused = SqliteStore::open(url, Access::Serve, house.around()).await.err().unwrap();
        assert!(matches!(&refused, OpenError::Address(said) if said == url), "{refused}");
    }
    let plain = house.file().display().to_string();
    for url in [plain.clone(), format!("sqlite:{plain}"), format!("sqlite://{plain}")] {
        assert_eq!(migrate(&url).await.unwrap(), 5);
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_so() {
    let house = House::new();
    std::fs::write(house.file(), "this is a shopping list, not a database. ".repeat(100)).unwrap();
    let refused = house.try_open(Access::Serve).await.err().unwrap();
    assert!(
        matches!(&refused, OpenError::Database(why) if why.contains("damaged or no database")),
        "{refused}"
    );
}

#[tokio::test]
async fn the_writer_flushes_every_commit_to_disk() {
    let house = House::new();
    let store = house.open().await;
    let pragmas: Answer<(String, i64, i64)> = store
        .writer
        .write(|connection| {
            Box::pin(async move {
                let ask = sqlx::query_as(
                    "SELECT j.journal_mode, s.synchronous, f.foreign_keys FROM pragma_journal_mode j, \
                     pragma_synchronous s, pragma_foreign_keys f",
                );
                ask.fetch_one(connection).await.map_err(fault)
            })
        })
        .await;
    assert_eq!(pragmas.unwrap(), ("wal".to_owned(), 2, 1));
    let write = sqlx::query("DELETE FROM job").execute(&store.reads).await;
    assert!(write.is_err(), "readers can't write");
}

/// A chain of three entries, tampered with by `statement`; what the check says.
async fn verified_after(statement: &'static str) -> Result<(), Broken> {
    let house = House::new();
    let store: Shared = house.open().await;
    let votes = [voted(account(2, "alice"), Word::Approved), voted(account(3, "bob"), Word::Rejected)];
    conformance::write(&store, vec![change(1, 0, vec![opened(1)]), change(2, 0, vec![opened(2)])]).await;
    conformance::write(&store, vec![change(1, 1, votes.into())]).await;
    house.execute(statement).await;

    let chain = store.ledger(&id(1)).await.unwrap();
    let mut previous = None;
    for sealed in &chain {
        verify(&id(1), previous, sealed)?;
        previous = Some(sealed);
    }
    Ok(())
}

#[tokio::test]
async fn tampering_with_the_file_is_found() {
    let broken = |seq| Err(Broken::Hash { deployment: id(1), seq });
    let missing = |seq| Err(Broken::Missing { deployment: id(1), seq });
    assert_eq!(verified_after("UPDATE ledger SET body = body").await, Ok(()));
    let rename = "UPDATE ledger SET body = replace(body, 'bob', 'mallory') WHERE seq = 3";
    assert_eq!(verified_after(rename).await, broken(3));
    assert_eq!(verified_after("UPDATE ledger SET at = at + 1 WHERE seq = 2").await, broken(2));
    assert_eq!(verified_after("DELETE FROM ledger WHERE seq = 2").await, missing(2));
    assert_eq!(verified_after("DELETE FROM ledger WHERE seq = 1").await, missing(1));
    let other = "UPDATE ledger SET (body, hash) = (SELECT o.body, o.hash FROM ledger o \
                 WHERE o.deployment LIKE '%/2') WHERE deployment LIKE '%/1' AND seq = 1";
    assert_eq!(verified_after(other).await, broken(1));
}

#[tokio::test]
async fn an_entry_of_a_later_format_is_not_guessed_at() {
    let house = House::new();
    let store: Shared = house.open().await;
    conformance::write(&store, vec![change(1, 0, vec![opened(1)])]).await;
    house.execute("UPDATE ledger SET format = 2").await;
    assert!(matches!(store.deployment(&id(1)).await, Err(StoreError::Unreadable(_))));
}

#[tokio::test]
async fn a_job_that_cannot_be_read_does_not_stop_the_others() {
    let house = House::new();
    let store: Shared = house.open().await;
    conformance::enqueue(&store, vec![job(Lane::Reply, "k", 1), job(Lane::Reply, "k", 2)]).await;
    conformance::enqueue(&store, vec![job(Lane::Reply, "other", 3)]).await;
    house.execute("UPDATE job SET work = '{\"later\":1}' WHERE id = 1").await;

    assert_eq!(conformance::about_all(&conformance::lease(&store, 0).await), [3]);
    assert_eq!(conformance::about_all(&conformance::lease(&store, 0).await), [2], "it lost its turn");
    assert_eq!(store.depth(at(0)).await.unwrap().dead, 1);
}

/// Lets the file grow to so many pages, as a disk would.
async fn limit_pages(store: &SqliteStore, statement: &'static str) {
    let limited: Answer<()> = store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                sqlx::query(statement).execute(connection).await.map_err(fault)?;
                Ok(())
            })
        })
        .await;
    limited.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_and_a_freed_one_goes_on() {
    let house = House::new();
    let store = house.open().await;
    let large = || NewDelivery { digest: "x".repeat(1_000_000), ..delivery("large", vec![commented(1, 0)]) };
    // A file is never smaller than it is: no page more.
    limit_pages(&store, "PRAGMA max_page_count = 1").await;
    let full = StoreError::Unavailable("the disk is full".into());
    assert_eq!(store.accept(large()).await, Err(full));
    assert_eq!(store.depth(at(0)).await.unwrap().due, 0);

    limit_pages(&store, "PRAGMA max_page_count = 1000000").await;
    assert_eq!(store.accept(large()).await, Ok(Accepted::Stored), "what was refused was not kept");
}
