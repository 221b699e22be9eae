//! A copy of the SQLite file, made while it is in use, is a whole one; going back to it decides nothing twice.

use crate::cli::{Desk, account, opened};
use crate::story::gitlab::World;
use crate::story::stage::Switches;
use crate::story::world::ONE_MAINTAINER;
use countersign::cli::wiring::SystemClock;
use countersign::domain::id::{DeploymentId, ForgeName, Native, ProjectId};
use countersign::domain::ledger::{Entry, Source, Vote, Word};
use countersign::ports::store::{Change, Commit, Store as _};
use countersign::store::sqlite::{Access, SqliteStore, Surroundings};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio_util::task::TaskTracker;

/// As README says: from another connection, while the server writes.
async fn back_up(file: &Path, to: &Path) {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let copy = AssertSqlSafe(format!("VACUUM INTO '{}'", to.display()));
    sqlx::query(copy).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// As README says: the server is stopped, its two files beside the database go, the backup takes its place.
fn restore(backup: &Path, file: &Path) {
    for beside in ["-wal", "-shm"] {
        let path = format!("{}{beside}", file.display());
        let _ = std::fs::remove_file(path);
    }
    std::fs::copy(backup, file).unwrap();
}

/// A deployment that opens, and alice's vote on it: each commit as a whole or not at all.
fn decision(number: i64) -> Commit {
    let id = DeploymentId::new(&ForgeName::new("gitlab"), ProjectId(30), &Native::new(number.to_string()));
    let at = "2026-11-21T08:00:00Z".parse().unwrap();
    let vote =
        Vote { by: account(5, "alice"), word: Word::Approved, at, reason: None, source: Source::Forge };
    let mut opening = opened(&id);
    if let Entry::Opened { description, .. } = &mut opening {
        description.native = Native::new(number.to_string());
        (description.number, description.order) = (number, number);
    }
    let voted = Entry::Voted { vote, policy: "p".into(), standing: Vec::new() };
    let mut commit = Commit::at(at);
    commit.changes.push(Change { deployment: id, expected: 0, entries: vec![opening, voted] });
    commit
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_way_holds_whole_decisions() {
    const ALL: i64 = 400;
    let desk = Desk::new();
    let around = Surroundings::new(Arc::new(SystemClock), TaskTracker::new());
    let store = SqliteStore::open(&desk.store(), Access::Serve, around).await.unwrap();
    let file = desk.folder.path().join("ledger.db");
    let (backup, written) = (desk.folder.path().join("backup.db"), AtomicI64::new(0));
    let (half, reached) = tokio::sync::oneshot::channel();
    let write = async {
        let mut half = Some(half);
        for number in 1..=ALL {
            store.commit(decision(number)).await.unwrap();
            written.store(number, Ordering::SeqCst);
            if number == ALL / 4 {
                half.take().unwrap().send(()).unwrap();
            }
        }
    };
    let copy = async {
        reached.await.unwrap();
        back_up(&file, &backup).await;
        written.load(Ordering::SeqCst)
    };
    let ((), at_its_end) = tokio::join!(write, copy);
    store.close().await;
    restore(&backup, &file);

    let ran = desk.run(&["audit", "verify"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let entries: i64 = ran.out.split(' ').next().unwrap().parse().unwrap();
    assert!(
        entries >= ALL / 4 * 2 && entries <= (at_its_end + 1) * 2,
        "{entries} of {at_its_end}: {}",
        ran.out
    );
    assert_eq!(ran.out, format!("{entries} entries of {} deployments: every hash fits\n", entries / 2));
}

#[tokio::test]
async fn a_store_from_before_the_release_starts_no_job_twice() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    world.tell("dana deploys to production").await;
    let (file, backup) = (world.database(), world.database().with_extension("backup"));
    back_up(&file, &backup).await;
    world
        .tell(
            r#"alice writes "@countersign approve production"
            countersign answers "was the last one needed"
            production is running"#,
        )
        .await;
    world.stop().await;
    restore(&backup, &file);
    world.start().await;
    world
        .tell(
            r#"2 minutes pass
            countersign answers "It is too late to approve"
            10 minutes pass
            countersign says nothing
            production is running
            the card says "started past its gate"
            production was started once
            there is one card"#,
        )
        .await;
    world.finish().await;
}

/// The delivery was kept and nothing of what followed: it is carried out, once.
#[tokio::test]
async fn a_store_with_a_stored_delivery_carries_it_out_once() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    world.tell("dana deploys to production\nhooks are held back").await;
    world.tell(r#"alice writes "@countersign approve production""#).await;
    world.stage.gitlab.deliver_hooks().await;
    let (file, backup) = (world.database(), world.database().with_extension("backup"));
    back_up(&file, &backup).await;
    world.stop().await;
    restore(&backup, &file);
    world.start().await;
    world
        .tell(
            r#"the hooks are let go
            countersign answers "was the last one needed"
            10 minutes pass
            production is running
            production was started once
            there is one card"#,
        )
        .await;
    world.finish().await;
}
