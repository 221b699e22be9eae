//! What is kept for chats: a file of before, the ways into the tables, links that ended.

use super::*;
use crate::ports::postings::Postings;
use crate::store::conformance::postings;
use crate::store::sql;

#[tokio::test]
async fn a_file_of_before_there_were_chats_goes_on() {
    let house = House::new();
    let first = [("start", include_str!("../migrations/0001_start.sql"))];
    house.migrate_only(&first).await;
    for row in postings::rows_of_before() {
        house.execute(row).await;
    }
    let refused = house.try_open(Access::Beside).await.err().unwrap();
    assert!(matches!(refused, OpenError::Older { found: 1, known: 5 }), "{refused}");

    postings::a_deployment_of_before_goes_on(house.open().await).await.unwrap();
    let subjects = "SELECT subject FROM deployment ORDER BY number";
    let subjects: Vec<Option<String>> =
        sqlx::query_scalar(subjects).fetch_all(&mut house.raw().await).await.unwrap();
    assert_eq!(subjects, [None, Some("run".to_owned())]);
}

/// How SQLite comes to the rows of each table of a statement.
async fn ways(house: &House, statement: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows = sqlx::query(explain).fetch_all(&mut house.raw().await).await.unwrap();
    let steps = rows.iter().map(|row| row.get::<String, _>("detail"));
    steps.filter(|step| step.starts_with("SCAN") || step.starts_with("SEARCH")).collect()
}

#[tokio::test]
async fn no_question_walks_through_all_messages() {
    let house = House::new();
    house.open().await;
    let by_key = "SEARCH p USING PRIMARY KEY (subject=? AND chat=? AND channel=?)";
    assert_eq!(ways(&house, sql::posting::ONE).await, [by_key]);
    let by_subject = "SEARCH p USING PRIMARY KEY (subject=?)";
    assert_eq!(ways(&house, sql::posting::ABOUT).await, [by_subject]);
    let by_message = "SEARCH p USING INDEX posting_message (chat=? AND posted_in=? AND message=?)";
    assert_eq!(ways(&house, sql::posting::AT).await, [by_message]);
    let from_what_is_open_and_down_from_the_newest = [
        "SEARCH deployment USING INDEX deployment_told (subject>?)",
        "SCAN d",
        "SEARCH p USING PRIMARY KEY (subject=? AND chat=?)",
        "SEARCH p USING INDEX posting_age (chat=? AND posted_in=?)",
        "SEARCH d USING INDEX deployment_told (subject=?)",
        "SCAN past",
    ];
    assert_eq!(ways(&house, sql::posting::IN_CHANNEL).await, from_what_is_open_and_down_from_the_newest);
    let siblings = [
        "SEARCH deployment USING COVERING INDEX deployment_subject (subject=?)",
        "SEARCH l USING PRIMARY KEY (deployment=?)",
    ];
    assert_eq!(ways(&house, sql::deployment::CHAINS_ABOUT).await, siblings);
}

#[tokio::test]
async fn a_link_that_ended_is_kept_with_its_end() {
    let house = House::new();
    let store = house.open().await;
    for link in [postings::link("U1", 1, 10), postings::link("U1", 1, 20), postings::link("U2", 1, 30)] {
        Postings::save_link(store.as_ref(), &link).await.unwrap();
    }
    let all = "SELECT chat_user, made_at, ended_at FROM link ORDER BY id";
    let kept: Vec<(String, i64, Option<i64>)> =
        sqlx::query_as(all).fetch_all(&mut house.raw().await).await.unwrap();
    let time = |seconds| at(seconds).as_millisecond();
    assert_eq!(kept, [("U1".to_owned(), time(10), Some(time(30))), ("U2".to_owned(), time(30), None)]);
}
