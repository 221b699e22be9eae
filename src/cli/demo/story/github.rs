//! What happens on GitHub.

use super::scenes::card;
use super::teller::{Teller, Told};
use crate::cli::demo::world::{BOT, Forge, Person, Shop as _};
use crate::sim::github::RunView;
use jiff::SignedDuration;

/// All of it.
pub(super) async fn play(t: &mut Teller<'_>) -> Told {
    t.forge = Forge::GitHub;
    a_comment_and_a_button(t).await?;
    a_button_rejects(t).await
}

async fn a_comment_and_a_button(t: &mut Teller<'_>) -> Told {
    t.chapter(
        "## 7. The same on GitHub, by comment and by button",
        "There a deployment protection rule holds the job. Rules, words and ledger are the same.",
    )?;
    let request = t.world.github.request();
    let opened = request.author == "dana" && request.number == 1;
    t.told("dana opens pull request #1 “Ship to Norway” in acme/shop.", opened, request)?;
    t.does("dana runs the workflow that deploys it to production.", |world, _| {
        world.github.deploy(Person::Dana, "production")
    })
    .await?;
    job_is(t, "GitHub: the job `deploy` is `waiting`.", "waiting")?;
    let waiting = card(t, "production: waiting for approval", "posts a card")?;
    t.quoted("posts a card on the pull request", &waiting)?;
    buttons_are(
        t,
        "Its check run `production` shows two buttons: Approve and Reject.",
        &["Approve", "Reject"],
    )?;
    t.asks(Person::Dana, "/approve production", "you started it").await?;
    mallory_presses(t).await?;
    t.asks(Person::Alice, "/approve production", "1 approval is still missing").await?;
    presses(t, Person::Bob, "approve").await?;
    decided(
        t,
        "GitHub: the rule was approved once, and the job is `in_progress`.",
        ("approved", "in_progress"),
    )?;
    t.does("The job succeeds.", |world, now| {
        world.github.finish_jobs(SignedDuration::ZERO, now);
        Ok(())
    })
    .await?;
    run_is(t, "GitHub: the workflow run is `completed` with `success`.", ("completed", Some("success")))?;
    let deployed = card(t, "production: deployed", "brings the card up to date")?;
    t.quoted("has brought its card up to date", &deployed)?;
    buttons_are(t, "The check run has no buttons any more.", &[])
}

async fn a_button_rejects(t: &mut Teller<'_>) -> Told {
    t.chapter(
        "## 8. Rejected by button, and past the rule",
        "A re-run is a new deployment: approvals start at zero. An administrator can go past the rule; the ledger says so.",
    )?;
    t.does("dana runs the workflow on another commit.", |world, _| {
        world.github.deploy(Person::Dana, "production")
    })
    .await?;
    t.asks(Person::Alice, "/approve production", "1 approval is still missing").await?;
    presses(t, Person::Bob, "reject").await?;
    decided(t, "GitHub: the rule was rejected once, and the job has failed.", ("rejected", "completed"))?;
    run_is(t, "GitHub: the workflow run is `completed` with `failure`.", ("completed", Some("failure")))?;
    t.does("dana re-runs all jobs.", |world, _| {
        newest(world.github.runs()).map_or(Ok(()), |run| world.github.rerun(Person::Dana, run.id))
    })
    .await?;
    job_is(t, "GitHub: the job `deploy` is `waiting` again, in attempt 2.", "waiting")?;
    let card = t.bot_said("0 of 2 from members of acme/sre").is_some();
    t.told(
        "The card says: 0 of 2. alice's approval of the first attempt means nothing.",
        card,
        t.said_there(),
    )?;
    t.does("bob, an administrator, starts all waiting jobs past the rule.", |world, _| {
        newest(world.github.runs()).map_or(Ok(()), |run| world.github.bypass(Person::Bob, run.id))
    })
    .await?;
    job_is(t, "GitHub: the job `deploy` is `in_progress`.", "in_progress")?;
    let bypassed = t.bot_said("production: started past its gate").is_some();
    t.told("The card says: production was started past its gate.", bypassed, t.said_there())
}

/// A button says nothing that could be answered: a refusal is a comment.
async fn mallory_presses(t: &mut Teller<'_>) -> Told {
    presses(t, Person::Mallory, "approve").await?;
    match t.bot_said("its policy doesn't name you") {
        Some(refusal) => t.quoted("says once", &refusal),
        None => t.told(&format!("{BOT} says why that doesn't count."), false, t.said_there()),
    }
}

async fn presses(t: &mut Teller<'_>, by: Person, button: &str) -> Told {
    let what =
        format!("{} presses **{}**.", by.username(), if button == "approve" { "Approve" } else { "Reject" });
    t.does(&what, |world, _| {
        let check = world.github.checks().pop().map(|check| check.id).unwrap_or_default();
        world.github.press(by, check, button)
    })
    .await
}

fn newest(mut runs: Vec<RunView>) -> Option<RunView> {
    runs.pop()
}

/// The newest run's one job has this status.
fn job_is(t: &mut Teller<'_>, line: &str, status: &str) -> Told {
    let run = newest(t.world.github.runs());
    let jobs = run.map(|run| t.world.github.jobs(&run)).unwrap_or_default();
    let holds = matches!(jobs.as_slice(), [only] if only.status == status);
    t.told(line, holds, jobs)
}

fn run_is(t: &mut Teller<'_>, line: &str, (status, conclusion): (&str, Option<&str>)) -> Told {
    let run = newest(t.world.github.runs());
    let holds =
        run.as_ref().is_some_and(|run| run.status == status && run.conclusion.as_deref() == conclusion);
    t.told(line, holds, run)
}

/// The newest run's rule was decided on exactly once, like this, and its job has this status.
pub(super) fn decided(t: &mut Teller<'_>, line: &str, (word, status): (&str, &str)) -> Told {
    let run = newest(t.world.github.runs());
    let posted = run.as_ref().map(|run| t.world.github.twin.reviews_posted(run.id)).unwrap_or_default();
    let decisions: Vec<_> =
        posted.iter().filter_map(|review| Some((review.state.as_deref()?, review.status))).collect();
    let once = decisions == [(word, 204)];
    let jobs = run.map(|run| t.world.github.jobs(&run)).unwrap_or_default();
    let there = jobs.iter().all(|job| job.status == status);
    t.told(line, once && there, (&posted, &jobs))
}

/// The newest check run's buttons.
fn buttons_are(t: &mut Teller<'_>, line: &str, wanted: &[&str]) -> Told {
    let checks = t.world.github.checks();
    let buttons = checks
        .last()
        .map(|check| check.buttons.iter().map(|button| button.label.as_str()).collect::<Vec<_>>());
    t.told(line, buttons.as_deref() == Some(wanted), &checks)
}
