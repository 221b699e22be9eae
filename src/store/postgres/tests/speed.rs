//! That a long past stays out of the way.

use super::*;
use crate::store::sql;
use sqlx::AssertSqlSafe;

/// Twenty thousand deployments of one project with two entries each; ten of them are open, half of these superseded.
const YEARS: &str = "\
    INSERT INTO deployment (id, forge, project, number, age, run, conversation, status, final, superseded) \
        SELECT 'd' || n, 'gitlab', 42, n, n, n, 'c' || n, 'deployed', n % 2000 <> 7, n % 4000 = 7 \
        FROM generate_series(1, 20000) n; \
    INSERT INTO ledger (deployment, seq, at, format, body, hash) \
        SELECT 'd' || n, seq, n, 1, '{}', '' FROM generate_series(1, 20000) n, generate_series(1, 2) seq; \
    ANALYZE";
/// More than any of these has to look at.
const MANY: u32 = 100;

#[tokio::test]
async fn the_past_is_not_walked_through() {
    let Some(house) = House::new().await else { return };
    house.open().await;
    house.execute(YEARS).await;
    let mut connection = house.raw().await;
    for (statement, values) in [
        (sql::deployment::OPEN, "'gitlab', 42"),
        (sql::deployment::AHEAD, "'gitlab', 42, 20000"),
        (sql::deployment::CHAINS_OPEN, "'gitlab', 42, 20"),
        (sql::deployment::OPENINGS, "'gitlab', 42, 20"),
        (sql::deployment::CHAINS_OF, "'gitlab', 42, 20"),
        (sql::deployment::CHAINS_OF_NUMBER, "'gitlab', 42, 7"),
        (sql::deployment::CHAINS_IN, "'c7', 20"),
        (sql::deployment::OF_RUN, "'gitlab', 42, 7"),
        (sql::deployment::WATCHED, "'gitlab'"),
        (sql::deployment::WATCHED_ROOMS, "'gitlab'"),
        (sql::ledger::AFTER, "'d7', 1, 20"),
    ] {
        let explain = "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) EXECUTE asked";
        let ask = format!("PREPARE asked AS {statement}; {explain}({values}); DEALLOCATE asked");
        let rows = sqlx::raw_sql(AssertSqlSafe(ask)).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, 0)).collect();
        let looked_at: Vec<u32> = plan.iter().filter_map(|step| rows_in(step)).collect();
        assert!(!looked_at.is_empty(), "{plan:#?}");
        assert!(looked_at.iter().all(|rows| *rows <= MANY), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("Seq Scan")), "{plan:#?}");
    }
    house.tear_down().await;
}

/// How many rows came out of a step of a plan, or were looked at in vain.
fn rows_in(step: &str) -> Option<u32> {
    let (_, rows) =
        step.split_once("(actual rows=").or_else(|| step.split_once("Rows Removed by Filter: "))?;
    rows.split([' ', '.']).next()?.parse().ok()
}
