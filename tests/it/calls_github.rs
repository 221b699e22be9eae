//! How often GitHub is asked.

use crate::story::github::World;
use crate::story::stage::{Stage as _, Switches};
use crate::story::world::ONE_MAINTAINER;
use countersign::sim::github::ApiCall;

fn told(call: &ApiCall) -> String {
    let unchanged = if call.conditional { " (304: costs nothing)" } else { "" };
    format!("{} {}?{}{unchanged}", call.method, call.path, call.query)
}

#[expect(clippy::print_stdout, reason = "the list is what the test is for")]
fn show(title: &str, calls: &[ApiCall]) {
    println!("{title}");
    for call in calls {
        println!("  {}", told(call));
    }
}

/// The list is printed: `cargo nextest run reads_per_approval_on_github --no-capture` shows it.
#[tokio::test]
async fn reads_per_approval_on_github() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    for (caches, most, most_paid) in [("cold", 20, 14), ("warm", 13, 3)] {
        world.tell("dana deploys to production").await;
        if caches == "cold" {
            world.stop().await;
            world.start().await;
            world.settle().await;
        }
        world.hooks_arrive = false;
        world.stage.clear_calls();
        world.tell(r#"alice writes "/approve production""#).await;
        // The comment's hook, and not yet those that the approval itself leads to.
        world.stage.deliver_hooks().await;
        world.settle().await;
        let calls = world.stage.github.requests();
        let reads: Vec<&ApiCall> = calls.iter().filter(|call| call.method == "GET").collect();
        let unchanged = reads.iter().filter(|call| call.conditional).count();
        let paid = reads.len() - unchanged;
        let writes = calls.len() - reads.len();
        show(&format!("{caches}: {} reads, {unchanged} of them 304, {writes} writes", reads.len()), &calls);
        assert!(reads.len() <= most, "{} reads", reads.len());
        assert!(paid <= most_paid, "{paid} reads that cost");
        world
            .tell(
                r#"countersign answers "was the last one needed"
                the hooks are let go
                production is running
                dana sees production succeed"#,
            )
            .await;
    }
    world.finish().await;
}

/// What is quiet costs next to nothing: unchanged answers are free on GitHub.
#[tokio::test]
async fn an_hour_of_waiting_costs_a_fraction_of_what_github_allows() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    world.tell("dana deploys to production\n5 minutes pass").await;
    world.stage.clear_calls();
    world.tell("60 minutes pass").await;
    let calls = world.stage.github.requests();
    let paid: Vec<String> = calls.iter().filter(|call| !call.conditional).map(told).collect();
    assert!(paid.len() <= 500, "{} of {} calls cost: {paid:#?}", paid.len(), calls.len());
    world.tell("production is blocked\nno limit was hit").await;
    world.finish().await;
}
