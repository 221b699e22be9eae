//! What happens, in order.

use super::teller::{Ended, Teller, Told};
use crate::cli::demo::FORGE;
use crate::cli::demo::ledger::{self, Chain};
use crate::cli::demo::world::{BOT, Person};
use crate::domain::id::{ForgeName, ProjectId};
use jiff::SignedDuration;

/// The whole story.
pub(super) async fn play(t: &mut Teller<'_>) -> Told {
    t.chapter(
        "# Countersign, told in one page",
        "A simulated GitLab on local ports, the true server and worker against it. Every line below was checked \
         against what that GitLab shows.",
    )?;
    t.print(
        "Production needs two approvals from members of `acme/sre`: alice and bob. mallory is no member.",
    )?;
    a_deployment_is_blocked(t).await?;
    who_may_approve(t).await?;
    two_people_approve(t).await?;
    one_rejection_is_final(t).await?;
    a_webhook_is_lost(t).await?;
    gitlab_is_out_of_order(t).await?;
    the_ledger(t).await
}

async fn a_deployment_is_blocked(t: &mut Teller<'_>) -> Told {
    t.chapter("## 1. A deployment is blocked", "GitLab holds what goes into a protected environment.")?;
    let request = t.world.gitlab.merge_request(t.world.project, t.world.request);
    let opened = request.as_ref().is_some_and(|request| request.author == "dana" && request.iid == 1);
    t.told("dana opens merge request !1 “Let customers pay in euro” in acme/shop.", opened, request)?;
    t.does("dana runs a pipeline that deploys it to production.", |world| {
        world.deploy(Person::Dana, "production")
    })
    .await?;
    let environments = t.world.gitlab.environments(t.world.project);
    let blocked = environments.iter().any(|row| row.name == "production" && row.blocked);
    t.told("GitLab's environments page says: production is `blocked`.", blocked, environments)?;
    let card = card(t, "production: waiting for approval", "posts a card")?;
    t.quoted("posts a card below the merge request", &card)
}

async fn who_may_approve(t: &mut Teller<'_>) -> Told {
    t.chapter("## 2. Who may approve", "Not everybody, and never whoever started it.")?;
    t.asks(Person::Dana, "@countersign approve production", "you started it").await?;
    t.asks(Person::Mallory, "@countersign approve production", "its policy doesn't name you").await?;
    t.asks(Person::Alice, "/deploy approve prodution", "Did you mean production?").await?;
    let deployment = t.world.newest("production");
    let untouched = deployment.as_ref().is_some_and(|d| d.approvals.is_empty() && d.status == "blocked");
    t.told("GitLab: production is still `blocked`, and nobody has approved.", untouched, deployment)
}

async fn two_people_approve(t: &mut Teller<'_>) -> Told {
    t.chapter("## 3. Two people approve", "Two of those whom the policy names, each once.")?;
    t.asks(Person::Alice, "@countersign approve production", "1 approval is still missing").await?;
    t.asks(Person::Alice, "@countersign approve production", "nothing has changed").await?;
    swallowed(t).await?;
    t.asks(Person::Bob, "@countersign approve production", "was the last one needed").await?;
    started_once(t, "GitLab: the bot has approved, and production is `running`, started exactly once.")?;
    ends_well(t).await?;
    let card = card(t, "production: deployed", "brings the card up to date")?;
    t.quoted("has brought its card up to date", &card)
}

/// GitLab takes `/approve` for itself, and the bot says what works.
async fn swallowed(t: &mut Teller<'_>) -> Told {
    let before = t.notes().iter().filter(|note| note.author == "bob" && !note.system).count();
    let mut arrived = None;
    t.does("bob writes “/approve production”.", |world| {
        arrived = world.comment(Person::Bob, "/approve production")?;
        Ok(())
    })
    .await?;
    let after = t.notes().iter().filter(|note| note.author == "bob" && !note.system).count();
    let taken = arrived.is_none() && before == after;
    t.told(
        "GitLab takes that as its own approval of the merge request; no comment appears.",
        taken,
        arrived,
    )?;
    match t.said("approved the merge request") {
        Some(hint) => t.quoted("says once what works", &hint),
        None => t.told("countersign says what works.", false, t.notes()),
    }
}

async fn one_rejection_is_final(t: &mut Teller<'_>) -> Told {
    t.chapter(
        "## 4. One rejection is final",
        "And the next deployment starts at zero: approvals belong to one deployment and one commit.",
    )?;
    t.does("dana deploys another commit to production.", |world| world.deploy(Person::Dana, "production"))
        .await?;
    t.asks(Person::Alice, "@countersign approve production", "1 approval is still missing").await?;
    t.asks(Person::Bob, "@countersign reject production", "needs a reason").await?;
    t.asks(Person::Bob, "@countersign reject production the tax office says no", "One rejection is final")
        .await?;
    let job = t.world.newest("production").and_then(|d| d.job).and_then(|job| t.world.gitlab.job(job));
    let failed = job.as_ref().is_some_and(|job| job.failure_reason.as_deref() == Some("deployment_rejected"));
    t.told("GitLab: the job has failed with `deployment_rejected`.", failed, job)?;
    let rejected = t.world.newest("production").map(|deployment| deployment.id).unwrap_or_default();
    t.does("dana asks the tax office, and deploys a third commit.", |world| {
        world.deploy(Person::Dana, "production")
    })
    .await?;
    let again = t.world.newest("production");
    let anew =
        again.as_ref().is_some_and(|d| d.id > rejected && d.status == "blocked" && d.approvals.is_empty());
    t.told(
        "GitLab: the new deployment is `blocked`; alice's approval of the old one means nothing.",
        anew,
        &again,
    )?;
    let card = t.said("0 of 2 from members of acme/sre").is_some();
    t.told("The card says the same: 0 of 2.", card, t.notes())
}

async fn a_webhook_is_lost(t: &mut Teller<'_>) -> Told {
    t.chapter("## 5. A webhook is lost", "Whoever relies on webhooks alone waits for ever.")?;
    let lost = t.world.hooks().lost;
    t.world.lose_next_hook();
    let note = t.comments(Person::Alice, "@countersign approve production").await?;
    t.told("The webhook about it gets lost on its way.", t.world.hooks().lost == lost + 1, t.world.hooks())?;
    let silent = t.answers_to(note).is_empty();
    t.told("countersign says nothing: it hasn't heard of it.", silent, t.answers_to(note))?;
    t.print("- A minute later it looks for itself.")?;
    t.pass(SignedDuration::from_secs(60)).await?;
    t.answers(note, "1 approval is still missing")
}

async fn gitlab_is_out_of_order(t: &mut Teller<'_>) -> Told {
    t.chapter(
        "## 6. GitLab is out of order",
        "What was acknowledged is on disk, and is done when it can be.",
    )?;
    t.world.begin_outage();
    t.print("- GitLab's API begins to answer 500 to every call.")?;
    let before = t.built.app.store.depth(t.now()).await?;
    let note = t.comments(Person::Bob, "@countersign approve production").await?;
    let depth = t.built.app.store.depth(t.now()).await?;
    let silent = t.answers_to(note).is_empty() && t.status("production") == "blocked";
    t.told("Production stays `blocked`: what can't be checked is not approved.", silent, t.answers_to(note))?;
    t.told(
        "The comment waits in countersign's store.",
        depth.later > before.later && depth.dead == 0,
        depth,
    )?;
    t.world.end_trouble();
    t.print("- GitLab is well again.")?;
    t.pass(SignedDuration::from_secs(60)).await?;
    t.answers(note, "was the last one needed")?;
    started_once(t, "GitLab: production is `running`, started exactly once.")?;
    ends_well(t).await
}

async fn the_ledger(t: &mut Teller<'_>) -> Told {
    t.chapter(
        "## 7. The ledger",
        "Who decided what, when, in a chain of hashes that shows every later change.",
    )?;
    let project = ProjectId(i64::try_from(t.world.project).unwrap_or_default());
    let store = t.built.app.store.clone();
    let chains = ledger::read(store.as_ref(), &ForgeName::new(FORGE), project).await?;
    for chain in chains.iter().rev() {
        tell_chain(t, chain)?;
    }
    let depth = t.built.app.store.depth(t.now()).await?;
    let quiet = depth.due == 0 && depth.dead == 0 && t.world.gitlab.waiting_hooks() == 0;
    t.print("")?;
    t.told("Nothing is left to do, and nothing was given up.", quiet, depth)
}

fn tell_chain(t: &mut Teller<'_>, chain: &Chain) -> Told {
    let Chain { environment, number, status, sound, entries } = chain;
    let heading = format!("{environment} {number} is {status}; every hash fits.");
    let final_status = matches!(*status, "deployed" | "rejected");
    t.told(&heading, *sound && final_status, chain)?;
    for entry in entries {
        t.print(&format!("  - {} {}", entry.at, entry.sentence))?;
    }
    Ok(())
}

/// The newest production deployment was approved and played once, by the bot.
fn started_once(t: &mut Teller<'_>, line: &str) -> Told {
    let deployment = t.world.newest("production");
    let voters = deployment.map(|d| d.approvals.into_iter().map(|vote| vote.user).collect::<Vec<_>>());
    let seen = (t.status("production"), t.plays("production"), voters.unwrap_or_default());
    let wanted = ("running".to_owned(), (1, BOT.to_owned()), vec![BOT.to_owned()]);
    t.told(line, seen == wanted, &seen)
}

/// The running job succeeds, and everybody hears of it.
async fn ends_well(t: &mut Teller<'_>) -> Told {
    t.does("The job succeeds.", |world| {
        world.gitlab.deployments(world.project).into_iter().filter_map(|d| d.job).for_each(|job| {
            if world.gitlab.job(job).is_some_and(|job| job.status == "running") {
                world.gitlab.finish_job(job, true);
            }
        });
        Ok(())
    })
    .await?;
    t.told("GitLab: production is deployed.", t.status("production") == "success", t.status("production"))
}

/// The card, which says this.
fn card(t: &mut Teller<'_>, words: &str, what: &str) -> Result<String, Ended> {
    match t.said(words) {
        Some(card) => Ok(card),
        None => match t.told(&format!("{BOT} {what}: “{words}”."), false, t.notes()) {
            Err(ended) => Err(ended),
            Ok(()) => Ok(String::new()),
        },
    }
}
