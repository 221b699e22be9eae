//! What is stored, what is told, and how we are.

use super::*;
use rstest::rstest;

#[rstest]
#[case::token(good())]
#[case::signature(good().signed(now(), approve().as_bytes()))]
#[case::signed_nearly_too_early(good().signed(later(-300), approve().as_bytes()))]
#[case::another_content_type(good().with("content-type", "text/plain"))]
#[tokio::test]
async fn a_delivery_is_stored_once_and_wakes_the_worker(#[case] request: Request) {
    let house = house().await;
    for _ in 0..2 {
        let answer = house.send(&request.bytes()).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, r#"{"status":"stored"}"#));
        house.wake.notified().await;
    }
    assert_eq!(house.depth().await.due, 1);
}

#[tokio::test]
async fn what_concerns_nobody_is_told_so() {
    let house = house().await;
    let answer = house.send(&good().body(note("looks good to me")).bytes()).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"ignored","why":"not addressed"}"#));
    house.is_unharmed().await;
}

#[tokio::test]
async fn a_store_that_cant_write_is_not_acknowledged() {
    let house = house().await;
    house.store.close().await;
    assert_eq!(house.send(&good().bytes()).await.status, 503);
    assert_eq!(house.get("/readyz").await.status, 503);
    assert_eq!(house.get("/healthz").await.status, 200);
    let metrics = house.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(!metrics.body.contains("countersign_jobs{"), "{metrics:?}");
    assert!(metrics.body.contains("countersign_store_up 0"), "{metrics:?}");
}

#[tokio::test]
async fn a_defect_is_one_requests_trouble() {
    let house = house().await;
    let answer = house.send(&good().to("POST", "/hooks/defect").bytes()).await;
    let told = r#"{"error":"something is broken here; it has been logged"}"#;
    assert_eq!((answer.status, answer.body.as_str()), (500, told));
    house.is_unharmed().await;
}

#[tokio::test]
async fn every_answer_says_that_it_is_not_to_be_kept_or_guessed_at() {
    let house = house().await;
    for path in ["/healthz", "/nowhere", "/hooks/gitlab"] {
        let head = house.get(path).await.head;
        for header in ["cache-control: no-store", "x-content-type-options: nosniff", "x-frame-options: DENY"]
        {
            assert!(head.contains(header), "{path}: {head}");
        }
    }
}

#[tokio::test]
async fn ready_means_that_the_worker_lives() {
    let house = house().await;
    assert_eq!(house.get("/readyz").await.status, 503);
    let beat = house.pulse.beat();
    assert_eq!(house.get("/readyz").await.status, 200);
    drop(beat);
    let answer = house.get("/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, r#"{"error":"the worker isn't running"}"#));
}

#[tokio::test]
async fn a_process_that_leaves_the_work_to_others_is_ready_and_tells_of_no_worker() {
    let house = house().await;
    let _beat = house.pulse.beat_without_worker();
    assert_eq!(house.get("/readyz").await.status, 200);
    let figures = house.get("/metrics").await.body;
    assert!(!figures.contains("\ncountersign_worker_up"), "{figures}");
}

#[tokio::test]
async fn the_figures_tell_what_came_and_what_waits() {
    let house = house().await;
    let _beat = house.pulse.beat();
    for request in [good(), good(), good().without_token(), good().body("{"), good().body(note("fine"))] {
        house.send(&request.bytes()).await;
    }
    house.send(&good().to("POST", "/hooks/unknown").bytes()).await;
    let figures = house.get("/metrics").await.body;
    for line in [
        r#"countersign_deliveries_total{source="gitlab",outcome="stored"} 1"#,
        r#"countersign_deliveries_total{source="gitlab",outcome="duplicate"} 1"#,
        r#"countersign_deliveries_total{source="gitlab",outcome="unauthenticated"} 1"#,
        r#"countersign_deliveries_total{source="gitlab",outcome="unreadable"} 1"#,
        r#"countersign_deliveries_total{source="gitlab",outcome="ignored"} 1"#,
        r#"countersign_jobs{lane="decide"} 1"#,
        r#"countersign_deliveries_total{source="gitlab",outcome="not_stored"} 0"#,
        "countersign_worker_up{} 1",
        "countersign_store_up 1",
    ] {
        assert!(figures.contains(line), "{line}\n{figures}");
    }
    assert!(!figures.contains("unknown"), "{figures}");
}
