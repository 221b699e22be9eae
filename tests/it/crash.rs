//! A worker that dies with jobs in its hands: another one ends them, and nobody sees anything twice.

use crate::story::gitlab::World;
use crate::story::stage::Switches;
use crate::story::world::ONE_MAINTAINER;
use countersign::ports::store::LeasedJob;
use countersign::sim::faults::{Action, Rule};
use jiff::SignedDuration;

/// A worker takes everything that is due, and is never heard of again.
async fn die_with_jobs(world: &World) -> Vec<LeasedJob> {
    let lease = SignedDuration::from_secs(60);
    let mut taken = Vec::new();
    loop {
        let jobs = world.store().lease(world.clock.time(), lease, 16).await.unwrap();
        if jobs.is_empty() {
            return taken;
        }
        taken.extend(jobs);
    }
}

#[tokio::test]
async fn a_worker_dies_before_it_decides() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    world.tell("dana deploys to production\nhooks are held back").await;
    world.tell(r#"alice writes "@countersign approve production""#).await;
    world.stage.gitlab.deliver_hooks().await;
    assert!(!die_with_jobs(&world).await.is_empty());
    world
        .tell(
            r"the hooks are let go
            59 seconds pass
            countersign says nothing
            production is blocked",
        )
        .await;
    world
        .tell(
            r#"10 seconds pass
            countersign answers "was the last one needed"
            10 seconds pass
            production is running
            production was started once
            there is one card
            10 minutes pass
            countersign says nothing"#,
        )
        .await;
    world.finish().await;
}

/// The only process that serves frees what its predecessor held, and waits a moment: the world may still be
/// taking in what that one sent.
#[tokio::test]
async fn a_process_dies_before_it_decides_and_is_started_again() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    world.tell("dana deploys to production\nhooks are held back").await;
    world.tell(r#"alice writes "@countersign approve production""#).await;
    world.stage.gitlab.deliver_hooks().await;
    assert!(!die_with_jobs(&world).await.is_empty());
    world.stop().await;
    world.start().await;
    world
        .tell(
            r#"the hooks are let go
            9 seconds pass
            countersign says nothing
            production is blocked
            6 seconds pass
            countersign answers "was the last one needed"
            production is running
            10 minutes pass
            countersign says nothing
            production was started once
            there is one card"#,
        )
        .await;
    world.finish().await;
}

#[tokio::test]
async fn a_worker_dies_after_it_has_told_the_world_everything() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    world.tell("dana deploys to production").await;
    for method in ["POST", "PUT"] {
        world.stage.gitlab.add_fault(Rule::new("", Action::Drop).method(method));
    }
    world.tell(r#"alice writes "@countersign approve production""#).await;
    world.clock.advance(SignedDuration::from_secs(10));
    let lanes = die_with_jobs(&world).await.len();
    assert!(lanes >= 4, "vote, reply, reaction and card are due: {lanes}");
    world.stage.gitlab.clear_faults();
    let bot = world.user("countersign").unwrap();
    let deployment = world.stage.gitlab.deployments(world.stage.project)[0].clone();
    world.stage.gitlab.approve_deployment(deployment.id, bot, None).unwrap();
    world.stage.gitlab.play_job(deployment.job.unwrap(), bot).unwrap();
    let comment = world.last_comment.unwrap();
    let answer = format!("That was it.\n\n<!-- countersign:{comment}-answer -->");
    world.stage.gitlab.reply(comment, bot, &answer).unwrap();
    world.stage.gitlab.react(comment, bot, "eyes").unwrap();
    world.stop().await;
    world.start().await;
    world
        .tell(
            r#"countersign answers "That was it."
            10 minutes pass
            countersign says nothing
            production is running
            the card says "running"
            there is one card
            there are one deployments to production
            production was started once
            that has one reactions
            the ledger of production tells of "releasing" 1 times"#,
        )
        .await;
    world.finish().await;
}

#[tokio::test]
async fn a_worker_dies_with_a_card_that_it_has_written() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    world.stage.gitlab.add_fault(Rule::new("/notes", Action::Drop).method("POST"));
    world.tell("dana deploys to production\nthere is no card").await;
    world.clock.advance(SignedDuration::from_secs(10));
    assert!(!die_with_jobs(&world).await.is_empty());
    world.stage.gitlab.clear_faults();
    let bot = world.user("countersign").unwrap();
    let card = "### Waits\n\n<!-- countersign:card -->";
    world.stage.gitlab.comment_on_mr(world.stage.project, world.stage.request, bot, card).unwrap();
    world
        .tell(
            r#"alice writes "@countersign approve production"
            countersign answers "was the last one needed"
            10 minutes pass
            there is one card
            the card says "running""#,
        )
        .await;
    world.finish().await;
}

/// The successor's first attempt at a card comes from a comment that is older than the card's own job.
#[tokio::test]
async fn a_card_that_a_dead_worker_wrote_is_found_by_whoever_writes_next() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    world.tell("every hook is lost\ndana deploys to production").await;
    world.tell(r#"alice writes "@countersign approve production""#).await;
    world.stage.gitlab.add_fault(Rule::new("/notes", Action::Drop).method("POST"));
    // Polling opens the deployment; its card can't be written, and the comment isn't read yet.
    world.stage.gitlab.add_fault(Rule::new("/notes", Action::Drop).method("GET"));
    world.tell("60 seconds pass\nthere is no card").await;
    world.clock.advance(SignedDuration::from_secs(10));
    let cards = die_with_jobs(&world).await;
    assert!(!cards.is_empty());
    world.stage.gitlab.clear_faults();
    let bot = world.user("countersign").unwrap();
    let card = "### Waits\n\n<!-- countersign:card -->";
    world.stage.gitlab.comment_on_mr(world.stage.project, world.stage.request, bot, card).unwrap();
    world
        .tell(
            r#"3 minutes pass
            countersign answers "was the last one needed"
            10 minutes pass
            there is one card
            the card says "running""#,
        )
        .await;
    world.finish().await;
}
