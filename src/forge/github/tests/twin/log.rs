//! The log of deliveries.

use super::*;
use crate::ports::forge::HookLog as _;

#[tokio::test]
async fn deliveries_that_failed_are_asked_for_again() {
    let stage = stage().await;
    let since = stage.clock.time();
    assert_eq!(stage.github.failed(since).await, Ok(Vec::new()));
    // Nobody listens there.
    stage.twin.set_hook_url(stage.app.id, "http://127.0.0.1:1/hooks/github");
    stage.run(HEAD);
    stage.twin.deliver_hooks().await;
    let mut sent = stage.twin.deliveries();
    assert!(sent.iter().any(|delivery| delivery.event == "ping"), "nobody needs that again");
    sent.retain(|delivery| delivery.event != "ping");
    assert!(sent.iter().any(|delivery| delivery.event == "deployment_protection_rule"));
    let missed = stage.github.failed(since).await.unwrap();
    let ids = |missed: &[crate::ports::forge::MissedDelivery]| {
        missed.iter().map(|delivery| delivery.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&missed), sent.iter().map(|delivery| delivery.guid.clone()).collect::<Vec<_>>());
    stage.github.redeliver(&missed[0]).await.unwrap();
    stage.twin.deliver_hooks().await;
    let again = stage.twin.deliveries().into_iter().filter(|delivery| delivery.redelivery);
    assert_eq!(again.map(|delivery| delivery.guid).collect::<Vec<_>>(), [missed[0].id.clone()]);
    stage.wait(60);
    assert_eq!(stage.github.failed(stage.clock.time()).await, Ok(Vec::new()));
}
