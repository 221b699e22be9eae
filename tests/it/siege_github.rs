//! Many at once on GitHub: within its limits, and each answered once.

use crate::story::github::World;
use crate::story::stage::{Stage as _, Switches};
use countersign::sim::faults::{Action, Rule};
use countersign::sim::github::{JobSpec, Level, NewPullRequest, NewRun};
use jiff::SignedDuration;
use std::collections::BTreeMap;

const REVIEWERS: u32 = 50;

/// Fifty maintainers approve within ten seconds: the second is the last one needed, the others are told so.
#[tokio::test]
async fn a_storm_of_fifty_comments_ends_in_one_release_one_card_and_one_reply_each() {
    let mut world = World::new(None, &Switches::default()).await;
    world.tell("dana deploys to production").await;
    let mut written = Vec::new();
    for number in 0..REVIEWERS {
        world.clock.advance(SignedDuration::from_millis(200));
        let reviewer = world.stage.github.add_user(&format!("reviewer-{number}"));
        world.stage.github.add_collaborator(world.stage.repository, reviewer, Level::Maintain);
        written.push(world.stage.comment(reviewer, "/approve production").unwrap().unwrap());
        if number % 5 == 0 {
            world.settle().await;
        }
    }
    world.advance(15 * 60).await;

    world.tell("production is running\nproduction was started once\nthere is one card").await;
    let run = world.stage.runs[0];
    let decided = world.stage.github.reviews_posted(run).into_iter().filter(|one| one.state.is_some());
    assert_eq!(decided.count(), 1, "one call releases it");
    let mut replies: BTreeMap<String, u32> = BTreeMap::new();
    for answer in world.unread() {
        let whom = answer.body.split_whitespace().next().unwrap_or_default();
        *replies.entry(whom.trim_end_matches(',').to_owned()).or_default() += 1;
    }
    assert_eq!(replies.len(), REVIEWERS as usize, "{replies:?}");
    assert!(replies.values().all(|count| *count == 1), "{replies:?}");
    for comment in written {
        assert_eq!(world.stage.said(comment).unwrap().reactions, 1, "each is seen once");
    }
    assert_eq!(world.stage.github.limit_hits(), 0, "GitHub refused nothing");
    assert_eq!(most_content_in_a_minute(&world), Ok(()));
    let answers: Vec<u64> = world.unread().iter().map(|answer| answer.id).collect();
    world.read.extend(answers);
    world.finish().await;
}

/// A policy that asks for one maintainer, whoever owns the repository.
const ANYWHERE: &str = r#"
[[environment]]
on = "{forge}"
project = "**"
name = "**"
required_approval_count = 1
deploy_access_levels = [{ {maintainers} }]
"#;

/// Limits belong to installations: acme's is reached, globex deploys all the same.
#[tokio::test]
async fn an_installation_at_its_limit_holds_up_no_other() {
    let mut world = World::new(Some(ANYWHERE), &Switches::default()).await;
    let github = world.stage.github.clone();
    let site = github.add_repository("globex/site");
    github.install(world.stage.app.id, github.add_org("globex"));
    github.add_environment(site, "production");
    github.enable_rule(site, "production", world.stage.app.id).unwrap();
    let [dana, alice] = ["dana", "alice"].map(|name| world.user(name).unwrap());
    github.add_collaborator(site, alice, Level::Maintain);
    let head = "9".repeat(40);
    let request = github.open_pull_request(site, dana, NewPullRequest::new("faster", &head, "Load faster"));
    world.tell("dana deploys to production").await;
    let deploy = JobSpec::new("deploy").environment("production");
    let run = github.start_run(site, NewRun::push("faster", &head, dana).job(deploy));
    world.settle().await;

    let reached = Action::TooManyRequests { retry_after: Some(1800) };
    github.add_fault(Rule::new("/repos/acme/", reached).times(1));
    world.tell("alice writes \"/approve production\"\ncountersign says nothing").await;
    let asked = github.requests().len();
    github.comment_on_pull_request(site, request, alice, "/approve production").unwrap();
    world.settle().await;
    assert_eq!(github.jobs(run)[0].status, "in_progress", "globex waits for nobody");
    let ours = github.requests().into_iter().skip(asked).filter(|call| call.path.starts_with("/repos/acme/"));
    assert_eq!(ours.map(|call| call.path).collect::<Vec<_>>(), Vec::<String>::new(), "acme is left alone");
    world
        .tell(
            r#"production is blocked
            31 minutes pass
            countersign answers "was the last one needed"
            production is running"#,
        )
        .await;
    world.finish().await;
}

/// GitHub takes about eighty comments and reactions a minute.
fn most_content_in_a_minute(world: &World) -> Result<(), String> {
    let ours = world.stage.github.comments_of(world.stage.repository, world.stage.request);
    let mut times: Vec<_> =
        ours.iter().filter(|one| one.author == "countersign[bot]").map(|one| one.created_at).collect();
    times.sort_unstable();
    for (index, first) in times.iter().enumerate() {
        let within = |at: &&jiff::Timestamp| at.duration_since(*first) < SignedDuration::from_mins(1);
        let count = times.iter().skip(index).take_while(within).count();
        if count > 80 {
            return Err(format!("{count} comments in the minute from {first}"));
        }
    }
    Ok(())
}
