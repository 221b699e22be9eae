//! That a long queue stays fast.

use super::*;
use crate::store::sql;

/// The steps by which SQLite would carry out a statement.
async fn plan(house: &House, statement: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows = sqlx::query(explain).fetch_all(&mut house.raw().await).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

/// Statements that are carried out in one call, one by one.
fn single(statements: &'static str) -> impl Iterator<Item = &'static str> {
    statements.split(';').map(str::trim)
}

#[tokio::test]
async fn no_frequent_statement_walks_a_whole_table() {
    let house = House::new();
    migrate(&house.url()).await.unwrap();
    let frequent = [
        queue::LEASE,
        queue::HEADS,
        sql::job::IS_MARKED,
        sql::job::SET_HEAD,
        sql::job::CLEAR_HEAD,
        queue::IS_DUE,
        sorting::TAKE_OUT,
        intake::STORE,
        intake::KNOWN,
        sql::job::OTHERS,
        sql::job::NEXT_DUE,
        sql::delivery::FORGET,
        sql::delivery::FORGET_HEARD,
        sql::deployment::CHAINS_IN,
        sql::deployment::CHAINS_OF,
        sql::deployment::CHAINS_OF_STATUS,
        sql::deployment::WATCHED,
        sql::deployment::OPEN,
        sql::command::ANSWERED,
        sql::ledger::AFTER,
    ];
    for statement in frequent.into_iter().chain(single(sorting::SORT_IN)) {
        let plan = plan(&house, statement).await;
        // `pause` has a row per forge; `d` is the page of deployments that a list asks for; `soonest` has two rows; a
        // virtual table is the list of rows that was handed over.
        let few = ["SCAN pause", "SCAN d", "SCAN soonest", "SCAN CONSTANT ROW"];
        let walks = |step: &&String| {
            let short = few.contains(&step.as_str()) || step.contains("VIRTUAL TABLE");
            step.starts_with("SCAN") && !short
        };
        assert_eq!(plan.iter().find(walks), None, "{statement}\n{plan:#?}");
    }
    let lease = plan(&house, queue::LEASE).await;
    assert!(lease.iter().any(|step| step.contains("job_due (lane=? AND run_at<?)")), "{lease:#?}");
    assert!(!lease.iter().any(|step| step.contains("TEMP B-TREE")), "{lease:#?}");
}

#[tokio::test]
async fn whose_turn_it_is_costs_the_same_however_many_others_wait() {
    let house = House::new();
    migrate(&house.url()).await.unwrap();
    let heads: Vec<&str> =
        single(sorting::SORT_IN).filter(|statement| statement.starts_with("UPDATE job")).collect();
    for (statement, index) in heads.into_iter().zip(["INDEX job_head (lane=? AND key=?)", "rowid=?"]) {
        let plan = plan(&house, statement).await;
        assert!(plan.iter().any(|step| step.contains(index)), "{statement}\n{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("(lane=?)")), "{statement}\n{plan:#?}");
    }
    for statement in [sql::job::NEXT_DUE, queue::IS_DUE] {
        let plan = plan(&house, statement).await;
        assert!(plan.iter().any(|step| step.contains("job_wake (run_at")), "{statement}\n{plan:#?}");
    }
}

#[tokio::test]
async fn the_past_is_not_walked_through() {
    let house = House::new();
    migrate(&house.url()).await.unwrap();
    for (statement, index) in [
        (sql::deployment::OPEN, "INDEX deployment_open (forge=? AND project=?)"),
        (sql::deployment::OPENINGS, "PRIMARY KEY (deployment=? AND seq=?)"),
        (sql::deployment::CHAINS_OPEN, "INDEX deployment_open (forge=? AND project=?)"),
        (sql::deployment::AHEAD, "INDEX deployment_ahead (forge=? AND project=? AND age<?)"),
        (sql::deployment::WATCHED, "(forge=?)"),
        (sql::deployment::WATCHED_ROOMS, "(forge=?)"),
        (sql::deployment::CHAINS_OF_NUMBER, "INDEX deployment_number (forge=? AND project=? AND number=?)"),
        (sql::deployment::OF_RUN, "INDEX deployment_run (forge=? AND project=? AND run=?)"),
        (sql::ledger::AFTER, "PRIMARY KEY ((deployment,seq)>(?,?))"),
        (sql::command::OF_SOURCE, "PRIMARY KEY (source=?)"),
        (open::FREE, "INDEX job_leased"),
    ] {
        let plan = plan(&house, statement).await;
        assert!(plan.iter().any(|step| step.contains(index)), "{statement}\n{plan:#?}");
    }
}

#[tokio::test]
async fn looking_at_the_queue_reads_only_what_it_shows() {
    let house = House::new();
    migrate(&house.url()).await.unwrap();
    for (statement, index) in [
        (sql::job::COUNT, "INDEX job_turn (lane=?)"),
        (sql::job::DUE_SINCE, "INDEX job_due (lane=? AND run_at<?)"),
        (sql::job::COUNT_DEAD, "INDEX job_dead"),
        (sql::job::LIST_DEAD, "INDEX job_dead (id>?)"),
        (sql::job::LIST, "INTEGER PRIMARY KEY (rowid>?)"),
    ] {
        let plan = plan(&house, statement).await;
        assert!(plan.iter().any(|step| step.contains(index)), "{statement}\n{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{statement}\n{plan:#?}");
    }
}
