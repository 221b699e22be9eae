//! How often GitLab is asked.

use crate::story::gitlab::World;
use crate::story::stage::Switches;
use countersign::sim::gitlab::{ApiCall, Level, OldDeployments};
use jiff::SignedDuration;
use rstest::rstest;

/// One maintainer suffices; `GATE` is filled in.
const ONE: &str = r#"
[[environment]]
on = "gitlab"
project = "acme/**"
name = "**"
gate = "GATE"
required_approval_count = 1
deploy_access_levels = [{ access_level = "maintainer" }]
"#;

fn told(call: &ApiCall) -> String {
    format!("{} {}?{}", call.method, call.path, call.query)
}

#[expect(clippy::print_stdout, reason = "the list is what the test is for")]
fn show(title: &str, calls: &[ApiCall]) {
    println!("{title}");
    for call in calls {
        println!("  {}", told(call));
    }
}

#[tokio::test]
async fn two_thousand_old_deployments_make_no_card_and_no_flood_of_calls() {
    let mut world = World::new(Some(&ONE.replace("GATE", "native")), &Switches::default()).await;
    let old = OldDeployments {
        count: 2_000,
        environment: "production".to_owned(),
        user: world.user("dana").unwrap(),
        since: world.clock.time() - SignedDuration::from_hours(24 * 60),
        every: SignedDuration::from_mins(30),
    };
    let old = world.stage.gitlab.add_old_blocked_deployments(world.stage.project, &old);
    world.settle().await;
    let first: Vec<String> = world.stage.gitlab.requests().iter().map(told).collect();
    assert!(first.len() <= 40, "{} calls: {first:#?}", first.len());
    assert_eq!(world.store().ledger_ids(None, 10_000).await.unwrap().len(), 2_000, "all are recorded");
    world.tell("there is no card").await;

    world.stage.gitlab.clear_requests();
    world.advance(30 * 60).await;
    let later: Vec<String> = world.stage.gitlab.requests().iter().map(told).collect();
    assert!(later.len() <= 30 * 10, "{} calls in half an hour: {later:#?}", later.len());

    let number = old[1_234];
    world
        .tell(&format!(
            r#"there is no card
            alice writes "@countersign approve production"
            countersign answers "production"
            alice writes "@countersign approve d{number}"
            countersign answers "was the last one needed"
            there is no card"#
        ))
        .await;
    // Its card stands where its commit is talked about, not where somebody named its number.
    let sha = world.stage.gitlab.deployment(number).unwrap().sha;
    let notes = world.stage.gitlab.notes_of_commit(world.stage.project, &sha);
    assert!(notes.iter().any(|note| note.body.contains(&format!("**d{number}**"))), "{notes:?}");
    let running = world.stage.gitlab.deployments(world.stage.project);
    let running: Vec<u64> = running.iter().filter(|d| d.status == "running").map(|d| d.id).collect();
    assert_eq!(running, [number]);
    world.finish().await;
}

/// The list is printed; the bound is generous. `cargo nextest run reads --no-capture` shows it.
#[rstest]
#[case::native("native", &[])]
#[case::manual_job("manual_job", &["GitLab is Free"])]
#[tokio::test]
async fn reads_per_approval(#[case] gate: &str, #[case] switches: &[&str]) {
    let switches = Switches(switches.iter().map(|&switch| switch.to_owned()).collect());
    let mut world = World::new(Some(&ONE.replace("GATE", gate)), &switches).await;
    for caches in ["cold", "warm"] {
        world.tell("dana deploys to production").await;
        if caches == "cold" {
            world.stop().await;
            world.start().await;
            world.settle().await;
        }
        world.hooks_arrive = false;
        world.stage.gitlab.clear_requests();
        world.tell(r#"alice writes "@countersign approve production""#).await;
        // The comment's hook, and not yet those that the approval itself leads to.
        world.stage.gitlab.deliver_hooks().await;
        world.settle().await;
        let calls = world.stage.gitlab.requests();
        let (reads, writes): (Vec<&ApiCall>, Vec<&ApiCall>) =
            calls.iter().partition(|call| call.method == "GET");
        show(&format!("{gate}, {caches} caches: {} reads, {} writes", reads.len(), writes.len()), &calls);
        let most = if caches == "cold" { 9 } else { 8 };
        assert!(reads.len() <= most, "{} reads", reads.len());
        assert!(writes.len() <= 6, "{} writes", writes.len());
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

/// Quiet projects cost a handful of calls a minute, however many they are; a first
/// start looks at all of them, a part in each poll.
#[tokio::test]
async fn quiet_projects_cost_a_handful_of_calls_a_minute() {
    const PROJECTS: usize = 70;
    let mut world = World::new(None, &Switches::default()).await;
    let bot = world.user("countersign").unwrap();
    for number in 0..PROJECTS {
        let project = world.stage.gitlab.add_project(&format!("acme/quiet-{number}"));
        world.stage.gitlab.add_member(project, bot, Level::MAINTAINER);
    }
    world.settle().await;
    world.advance(10 * 60).await;
    let listed = |calls: &[ApiCall]| {
        let lists = calls.iter().filter(|call| call.path.ends_with("/deployments"));
        lists.map(|call| call.path.clone()).collect::<std::collections::BTreeSet<_>>().len()
    };
    let seen = listed(&world.stage.gitlab.requests());
    assert!(seen >= PROJECTS, "only {seen} projects were looked at within ten polls");

    world.advance(90 * 60).await;
    world.stage.gitlab.clear_requests();
    world.advance(10 * 60).await;
    let calls = world.stage.gitlab.requests().len();
    assert!(calls <= 10 * 10, "{calls} calls in ten quiet minutes");
    world.tell("dana deploys to production\n the card says \"waiting for approval\"").await;
    world.finish().await;
}
