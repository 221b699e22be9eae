//! Attacks found by reading: forged proofs, borrowed merge requests, facts that come back.

use crate::story::gitlab::World;
use crate::story::stage::Switches;
use countersign::sim::gitlab::{JobSpec, Level, OldDeployments};
use jiff::SignedDuration;
use serde_json::json;
use std::sync::Arc;

const ONE: &str = r#"
[[environment]]
on = "gitlab"
project = "acme/**"
name = "**"
required_approval_count = 1
deploy_access_levels = [{ access_level = "developer" }]
"#;

fn status(world: &World) -> String {
    world.stage.gitlab.deployments(world.stage.project).last().unwrap().status.clone()
}

fn says(world: &World, who: &str, text: &str) {
    world.clock.advance(SignedDuration::from_secs(1));
    let who = world.user(who).unwrap();
    world.stage.gitlab.comment_on_mr(world.stage.project, world.stage.request, who, text).unwrap();
}

fn deploy(world: &mut World, by: &str) {
    let by = world.user(by).unwrap();
    world.stage.run_pipeline(
        "sell-more",
        by,
        vec![JobSpec::new("deploy").environment("production").manual()],
    );
}

#[tokio::test]
async fn an_edit_that_a_forged_hook_calls_a_new_comment_is_no_command() {
    let mut world = World::new(Some(ONE), &Switches::default()).await;
    let forge = Arc::new(|mut body: serde_json::Value| {
        if let Some(action) = body.pointer_mut("/object_attributes/action") {
            *action = json!("create");
        }
        body
    });
    let hook = world.stage.new_hook(false);
    world.stage.gitlab.add_hook(world.stage.project, hook.template(forge));
    deploy(&mut world, "dana");
    world.settle().await;
    let alice = world.user("alice").unwrap();
    let note = world
        .stage
        .gitlab
        .comment_on_mr(world.stage.project, world.stage.request, alice, "Looks good")
        .unwrap()
        .unwrap();
    world.settle().await;
    world.advance(3600).await;

    let bob = world.user("bob").unwrap();
    world.stage.gitlab.edit_note(note, bob, "@countersign approve production").unwrap();
    world.settle().await;

    assert_eq!(status(&world), "blocked");
    assert!(
        world.unread().iter().any(|answer| answer.body.contains("Please repeat")),
        "{:?}",
        world.unread()
    );
}

#[tokio::test]
async fn a_borrowed_merge_request_makes_nobody_else_the_creator() {
    let world = World::new(Some(ONE), &Switches::default()).await;
    let old = OldDeployments {
        count: 1,
        environment: "production".to_owned(),
        user: world.user("renovate").unwrap(),
        since: world.clock.time() - SignedDuration::from_hours(48),
        every: SignedDuration::from_hours(1),
    };
    let number = world.stage.gitlab.add_old_blocked_deployments(world.stage.project, &old)[0];
    world.settle().await;

    for name in ["alice", "bob"] {
        says(&world, name, &format!("@countersign approve d{number}"));
        world.settle().await;
        let answer = world.unread().pop().unwrap();
        assert!(answer.body.contains("no person started it"), "{}", answer.body);
    }
    assert_eq!(status(&world), "blocked", "dana's merge request has nothing to do with it");
}

#[tokio::test]
async fn an_approval_that_counts_again_releases() {
    let mut world = World::new(None, &Switches::default()).await;
    deploy(&mut world, "dana");
    world.settle().await;
    let alice = world.user("alice").unwrap();
    says(&world, "alice", "@countersign approve production");
    world.settle().await;
    world.stage.gitlab.remove_member(world.stage.project, alice);
    says(&world, "bob", "@countersign approve production");
    world.settle().await;
    assert_eq!(status(&world), "blocked", "alice doesn't count any more");

    world.stage.gitlab.add_member(world.stage.project, alice, Level::MAINTAINER);
    world.advance(120).await;
    assert_eq!(status(&world), "running", "both count now");
}

#[tokio::test]
async fn a_comment_about_what_cannot_be_read_is_put_aside_and_answered_once() {
    let mut world = World::new(None, &Switches::default()).await;
    world
        .tell(
            r#"dana deploys to production
            the forge answers 200 to /deployments
            alice writes "@countersign approve d4711"
            bob writes "@countersign help"
            countersign says nothing
            2 hours pass
            countersign answers "This could not be carried out"
            countersign answers "Approves a blocked deployment"
            2 hours pass
            countersign says nothing"#,
        )
        .await;
}
