//! What is kept for chats: a database of before, the ways into the tables, several instances at once.

use super::*;
use crate::domain::chat::Link;
use crate::ports::postings::{PostingNews, Postings};
use crate::store::conformance::postings::{self, channel, subject};
use crate::store::conformance::{account, change, commit};
use crate::store::{open, sql};
use sqlx::AssertSqlSafe;
use sqlx::migrate::Migrator;
use tokio::task::JoinSet;

#[tokio::test]
async fn a_database_of_before_there_were_chats_goes_on() {
    let Some(house) = House::new().await else { return };
    let first = [("start", include_str!("../migrations/0001_start.sql"))];
    let mut connection = house.raw().await;
    Migrator::with_migrations(open::migrations(&first)).run(&mut connection).await.unwrap();
    for row in postings::rows_of_before() {
        sqlx::raw_sql(AssertSqlSafe(row)).execute(&mut connection).await.unwrap();
    }
    let refused = house.try_open(Access::Beside, LeaseTime::Caller).await.err().unwrap();
    assert!(matches!(refused, OpenError::Older { found: 1, known: 3 }), "{refused}");

    postings::a_deployment_of_before_goes_on(house.open().await).await.unwrap();
    let subjects = "SELECT subject FROM deployment ORDER BY number";
    let subjects: Vec<Option<String>> =
        sqlx::query_scalar(subjects).fetch_all(&mut connection).await.unwrap();
    assert_eq!(subjects, [None, Some("run".to_owned())]);
    house.tear_down().await;
}

/// Ten channels with two thousand messages each, of which ten in all are about something open.
const YEARS: &str = "\
    INSERT INTO deployment (id, forge, project, number, age, run, status, final, superseded, subject) \
        SELECT 'd' || n, 'gitlab', 42, n, n, n, 'deployed', n % 2000 <> 7, FALSE, 's' || n \
        FROM generate_series(1, 20000) n; \
    INSERT INTO posting (chat, channel, subject, posted_in, message, stale, shown, closed, told, \
        made_at) \
        SELECT 'slack', 'c' || n % 10, 's' || n, 'C' || n % 10, 'm' || n, 0, '[]', FALSE, '[]', n \
        FROM generate_series(1, 20000) n; \
    ANALYZE";

#[tokio::test]
async fn no_question_walks_through_all_messages() {
    let Some(house) = House::new().await else { return };
    house.open().await;
    house.execute(YEARS).await;
    let mut connection = house.raw().await;
    for (statement, values) in [
        (sql::posting::ONE, "'slack', 'c7', 's7'"),
        (sql::posting::ABOUT, "'s7'"),
        (sql::posting::AT, "'slack', 'C7', 'm7'"),
        (sql::posting::IN_CHANNEL, "'slack', 'C7', 20"),
        (sql::deployment::CHAINS_ABOUT, "'s7'"),
    ] {
        let explain = "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) EXECUTE asked";
        let ask = format!("PREPARE asked AS {statement}; {explain}({values}); DEALLOCATE asked");
        let rows = sqlx::raw_sql(AssertSqlSafe(ask)).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, 0)).collect();
        let touched: Vec<u32> = plan.iter().filter_map(|step| rows_of(step)).collect();
        assert!(!touched.is_empty() && touched.iter().all(|rows| *rows <= 30), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("Seq Scan on posting")), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("Seq Scan on deployment")), "{plan:#?}");
    }
    house.tear_down().await;
}

/// How many rows came out of a step of a plan.
fn rows_of(step: &str) -> Option<u32> {
    let (_, rows) = step.split_once("(actual rows=")?;
    rows.split([' ', '.']).next()?.parse().ok()
}

/// Runs `act` on every instance at once.
async fn on_all<F>(instances: &[Arc<PostgresStore>], act: impl Fn(Arc<PostgresStore>, i64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut acting = JoinSet::new();
    for (number, instance) in (0..).zip(instances) {
        acting.spawn(act(instance.clone(), number));
    }
    acting.join_all().await;
}

#[tokio::test]
async fn siblings_that_are_opened_at_once_share_their_messages() {
    let Some(house) = House::new().await else { return };
    let instances = house.open_several(4).await;
    for round in 0..15 {
        let about = format!("run {round}");
        on_all(&instances, |store, number| {
            let about = about.clone();
            async move {
                let mut channels = ["alarms", "deploys", "town"];
                channels.rotate_left(usize::try_from(number).unwrap() % 3);
                let deployment = 1 + round * 4 + number;
                let changes =
                    vec![change(deployment, 0, vec![postings::told_in(deployment, &about, &channels)])];
                let stale = |name| (channel(name), subject(&about), PostingNews::Stale);
                let postings = channels.iter().rev().map(|name| stale(name)).collect();
                store.commit(Commit { changes, postings, ..commit() }).await.unwrap();
            }
        })
        .await;
        assert_eq!(instances[0].postings_about(&subject(&about)).await.unwrap().len(), 3);
        assert_eq!(instances[0].deployments_about(&subject(&about)).await.unwrap().len(), 4);
    }
    house.tear_down().await;
}

#[tokio::test]
async fn links_that_are_made_at_once_end_each_other() {
    let Some(house) = House::new().await else { return };
    let instances = house.open_several(4).await;
    for round in 0..15 {
        on_all(&instances, |store, number| async move {
            let user = 1 + round * 4 + number;
            let link = Link { account: account(user, "dana"), ..postings::link("U1", user, user) };
            store.save_link(&link).await.unwrap();
        })
        .await;
    }
    let kept = "SELECT COUNT(*), COUNT(*) FILTER (WHERE ended_at IS NULL) FROM link";
    let kept: (i64, i64) = sqlx::query_as(kept).fetch_one(&mut house.raw().await).await.unwrap();
    assert_eq!(kept, (60, 1));
    house.tear_down().await;
}
