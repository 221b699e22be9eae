//! Memberships and projects that a story can't set up.

use crate::story::gitlab::World;
use crate::story::stage::Switches;
use countersign::sim::gitlab::{
    ApprovalRule, JobSpec, Level, MemberState, Membership, NewPipeline, ProtectedEnvironment,
};
use rstest::rstest;

#[rstest]
#[case::expired(MemberState::Active, true)]
#[case::still_waiting_for_a_seat(MemberState::Awaiting, false)]
#[tokio::test]
async fn a_membership_that_is_not_in_force_lets_nobody_approve(
    #[case] state: MemberState,
    #[case] expired: bool,
) {
    let mut world = World::new(None, &Switches::default()).await;
    world
        .tell(
            r#"dana deploys to production
            alice writes "@countersign approve production"
            countersign answers "1 approval is still missing""#,
        )
        .await;
    let alice = world.user("alice").unwrap();
    let expires_at = expired.then(|| world.clock.time());
    let membership = Membership { state, expires_at, ..Membership::new(alice, Level::MAINTAINER) };
    world.stage.gitlab.set_member(world.stage.project, membership);
    world
        .tell(
            r#"bob writes "@countersign approve production"
            countersign answers "1 approval is still missing"
            the card says "1 of 2 from maintainers and above: bob"
            production is blocked"#,
        )
        .await;
    world.finish().await;
}

/// A new person who takes over a freed user name isn't the one whom the policy meant.
#[tokio::test]
async fn a_user_name_goes_on_meaning_whom_it_meant_first() {
    let policy = r#"
[[environment]]
on = "gitlab"
project = "acme/**"
name = "production"
approval_rules = [{ user = "alice" }]
"#;
    let mut world = World::new(Some(policy), &Switches::default()).await;
    world
        .tell(
            r#"dana deploys to production
            bob writes "@countersign approve production"
            countersign answers "its policy doesn't name you""#,
        )
        .await;
    world.stage.gitlab.rename_user(world.user("alice").unwrap(), "alice.old");
    world.stage.gitlab.rename_user(world.user("bob").unwrap(), "alice");
    world
        .tell(
            r#"bob writes "@countersign approve production"
            countersign answers "its policy doesn't name you"
            production is blocked
            alice writes "@countersign approve production"
            countersign answers "was the last one needed""#,
        )
        .await;
    world.finish().await;
}

/// A downstream pipeline deploys in its own project: card and commands are there, on its commit.
#[tokio::test]
async fn a_downstream_pipeline_is_approved_in_its_own_project() {
    let world = World::new(None, &Switches::default()).await;
    let downstream = world.stage.gitlab.add_project("acme/deploy");
    for (name, level) in
        [("dana", Level::DEVELOPER), ("alice", Level::MAINTAINER), ("bob", Level::MAINTAINER)]
    {
        world.stage.gitlab.add_member(downstream, world.user(name).unwrap(), level);
    }
    let (dana, bot) = (world.user("dana").unwrap(), world.user("countersign").unwrap());
    world.stage.gitlab.add_member(downstream, bot, Level::MAINTAINER);
    let protection =
        ProtectedEnvironment::new("production").deployers(Level::DEVELOPER).rule(ApprovalRule::user(bot));
    world.stage.gitlab.protect_environment(downstream, protection);
    world.stage.gitlab.add_hook(downstream, world.stage.new_hook(true));
    let sha = "9f1c".repeat(10);
    world.stage.gitlab.add_commit(downstream, &sha, "Roll out", "Dana");
    let job = JobSpec::new("deploy").environment("production").manual();
    let pipeline = NewPipeline::new("main", sha.clone(), dana).source("pipeline").job(job);
    let pipeline = world.stage.gitlab.run_pipeline(downstream, pipeline);
    let job = world.stage.gitlab.job_named(pipeline, "deploy").unwrap();
    world.settle().await;
    assert_eq!(world.cards(), 0, "nothing in the upstream project");
    for name in ["alice", "bob"] {
        world.clock.advance(jiff::SignedDuration::from_secs(1));
        let user = world.user(name).unwrap();
        let text = "@countersign approve production";
        world.stage.gitlab.comment_on_commit(downstream, &sha, user, text).unwrap();
        world.settle().await;
    }
    let notes = world.stage.gitlab.notes_of_commit(downstream, &sha);
    let ours: Vec<&str> =
        notes.iter().filter(|note| note.author == "countersign").map(|note| note.body.as_str()).collect();
    assert_eq!(ours.len(), 3, "card and two answers: {ours:#?}");
    assert!(ours[0].starts_with("### `production`: running"), "{}", ours[0]);
    assert_eq!(world.stage.gitlab.plays(job), 1);
    world.finish().await;
}
