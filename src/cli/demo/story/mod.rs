//! The demo's story in the terminal: told as Markdown, and each line checked against what the forges and the chat show.
//!
//! Nothing here waits: the clock is moved by hand, webhooks are delivered when the story says so, and the worker
//! works until it has nothing left to do.

mod github;
mod gitlab;
mod scenes;
mod slack;
mod teller;

use super::house;
use super::world::World;
use crate::sim::clock::HandClock;
use jiff::Timestamp;
use std::io::Write;
pub(crate) use teller::HandTime;
use teller::Teller;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// When the story happens: 2026-05-08 10:00 UTC.
const BEGINS: Timestamp = Timestamp::constant(1_778_234_400, 0);

/// The story went another way than it was told.
#[derive(Debug, thiserror::Error)]
#[error("The story went astray in line {line}: “{told}” did not come true.{}", shown(.saw))]
pub(crate) struct Astray {
    /// The line's number, from 1.
    pub(crate) line: usize,
    /// The line.
    pub(crate) told: String,
    /// What was to be seen instead, where that helps.
    pub(crate) saw: String,
}

fn shown(saw: &str) -> String {
    if saw.is_empty() { String::new() } else { format!("\nInstead: {saw}") }
}

/// Tells it. The outer error is a broken terminal or a missing port; the inner one a line that did not come true.
pub(crate) async fn tell(out: &mut (dyn Write + Send)) -> anyhow::Result<Result<(), Astray>> {
    let time = HandClock::at(BEGINS);
    let world = World::new(&time.now());
    tell_of(world, time, out).await
}

/// Tells it of this world, at this time.
async fn tell_of(
    world: World,
    time: HandClock,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Result<(), Astray>> {
    let clock = HandTime::new(time.clone());
    let tasks = TaskTracker::new();
    let stop = CancellationToken::new();
    let house = house::put_together(&world, clock, "60s", &tasks).await?;
    let router = house.built.router.clone();
    tasks.spawn(crate::web::serve(house.listener, router, stop.clone(), tasks.clone()));
    let mut teller = Teller::new(world, house.built, time, out);
    let ended = scenes::play(&mut teller).await;
    stop.cancel();
    teller.close().await;
    tasks.close();
    tasks.wait().await;
    drop(house.folder);
    match ended {
        Ok(()) => Ok(Ok(())),
        Err(teller::Ended::Astray(astray)) => Ok(Err(astray)),
        Err(teller::Ended::Broken(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::Person;
    use super::*;

    #[tokio::test]
    async fn the_story_ends_as_told_and_reads_the_same_every_time() {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        tell(&mut first).await.unwrap().unwrap();
        tell(&mut second).await.unwrap().unwrap();
        assert_eq!(String::from_utf8(first).unwrap(), String::from_utf8(second).unwrap());
    }

    #[rstest::rstest]
    #[case::no_deployment_approvals(|world: &World| world.gitlab.twin.set_licensed(false), "posts a card")]
    #[case::gitlab_is_not_heard(|world: &World| world.gitlab.twin.set_hook_faults(deaf()), "you started it")]
    #[case::the_job_is_done_too_soon(|world: &World| world.gitlab.twin.set_auto_finish(true), "`running`, started exactly once")]
    #[case::no_rule_holds_the_job(without_rule, "the job `deploy` is `waiting`")]
    #[case::github_is_not_heard(|world: &World| world.github.twin.set_hook_faults(deaf()), "posts a card")]
    #[case::the_run_is_done_too_soon(|world: &World| world.github.twin.set_auto_finish(true), "`in_progress`")]
    #[case::slack_takes_nothing(|world: &World| world.slack.twin.revoke_token(), "has a card of each deployment")]
    #[case::alice_has_left_slack(|world: &World| world.slack.twin.deactivate(world.slack.id(Person::Alice)), "alice presses **Approve**")]
    #[case::slack_knows_no_such_command(|world: &World| world.slack.twin.set_command("/other", true), "bob types “/deploy blocked”")]
    #[tokio::test]
    async fn a_line_that_does_not_come_true_ends_the_story_there(
        #[case] spoil: fn(&World),
        #[case] told: &str,
    ) {
        let time = HandClock::at(BEGINS);
        let world = World::new(&time.now());
        spoil(&world);
        let mut out = Vec::new();
        let astray = tell_of(world, time, &mut out).await.unwrap().unwrap_err();
        assert!(astray.told.contains(told), "{astray}");
        let lines = String::from_utf8(out).unwrap().lines().count();
        assert_eq!(astray.line, lines + 1, "it is the line behind the last one that was told");
    }

    fn without_rule(world: &World) {
        let (repository, app) = (world.github.repository, world.github.app.id);
        world.github.twin.disable_rule(repository, "production", app);
    }

    fn deaf() -> crate::sim::faults::HookFaults {
        crate::sim::faults::HookFaults { lose_everything: true, ..Default::default() }
    }
}
