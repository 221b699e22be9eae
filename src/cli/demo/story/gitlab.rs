//! What happens on GitLab.

use super::scenes::card;
use super::teller::{Teller, Told};
use crate::cli::demo::world::{BOT, Forge, Person, Shop as _};
use jiff::SignedDuration;

/// All of it.
pub(super) async fn play(t: &mut Teller<'_>) -> Told {
    t.forge = Forge::GitLab;
    a_deployment_is_blocked(t).await?;
    who_may_approve(t).await?;
    two_people_approve(t).await?;
    one_rejection_is_final(t).await?;
    a_webhook_is_lost(t).await?;
    gitlab_is_out_of_order(t).await
}

async fn a_deployment_is_blocked(t: &mut Teller<'_>) -> Told {
    t.chapter("## 1. A deployment is blocked", "GitLab holds what goes into a protected environment.")?;
    let request = t.world.gitlab.request();
    let opened = request.author == "dana" && request.number == 1;
    t.told("dana opens merge request !1 “Let customers pay in euro” in acme/shop.", opened, request)?;
    t.does("dana runs a pipeline that deploys it to production.", |world, _| {
        world.gitlab.deploy(Person::Dana, "production")
    })
    .await?;
    let environments = t.world.gitlab.twin.environments(t.world.gitlab.project);
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
    let deployment = t.world.gitlab.newest("production");
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
    let before = t.said_there().iter().filter(|note| note.author == "bob" && !note.system).count();
    let mut arrived = None;
    t.does("bob writes “/approve production”.", |world, _| {
        arrived = world.gitlab.comment(Person::Bob, "/approve production")?;
        Ok(())
    })
    .await?;
    let after = t.said_there().iter().filter(|note| note.author == "bob" && !note.system).count();
    let taken = arrived.is_none() && before == after;
    t.told(
        "GitLab takes that as its own approval of the merge request; no comment appears.",
        taken,
        arrived,
    )?;
    match t.bot_said("approved the merge request") {
        Some(hint) => t.quoted("says once what works", &hint),
        None => t.told("countersign says what works.", false, t.said_there()),
    }
}

async fn one_rejection_is_final(t: &mut Teller<'_>) -> Told {
    t.chapter(
        "## 4. One rejection is final",
        "And the next deployment starts at zero: approvals belong to one deployment and one commit.",
    )?;
    t.does("dana deploys another commit to production.", |world, _| {
        world.gitlab.deploy(Person::Dana, "production")
    })
    .await?;
    t.asks(Person::Alice, "@countersign approve production", "1 approval is still missing").await?;
    t.asks(Person::Bob, "@countersign reject production", "needs a reason").await?;
    t.asks(Person::Bob, "@countersign reject production the tax office says no", "One rejection is final")
        .await?;
    let job =
        t.world.gitlab.newest("production").and_then(|d| d.job).and_then(|job| t.world.gitlab.twin.job(job));
    let failed = job.as_ref().is_some_and(|job| job.failure_reason.as_deref() == Some("deployment_rejected"));
    t.told("GitLab: the job has failed with `deployment_rejected`.", failed, job)?;
    let rejected = t.world.gitlab.newest("production").map(|deployment| deployment.id).unwrap_or_default();
    t.does("dana asks the tax office, and deploys a third commit.", |world, _| {
        world.gitlab.deploy(Person::Dana, "production")
    })
    .await?;
    let again = t.world.gitlab.newest("production");
    let anew =
        again.as_ref().is_some_and(|d| d.id > rejected && d.status == "blocked" && d.approvals.is_empty());
    t.told(
        "GitLab: the new deployment is `blocked`; alice's approval of the old one means nothing.",
        anew,
        &again,
    )?;
    let card = t.bot_said("0 of 2 from members of acme/sre").is_some();
    t.told("The card says the same: 0 of 2.", card, t.said_there())
}

async fn a_webhook_is_lost(t: &mut Teller<'_>) -> Told {
    t.chapter("## 5. A webhook is lost", "Whoever relies on webhooks alone waits for ever.")?;
    let lost = t.world.gitlab.hooks().lost;
    t.world.gitlab.lose_next_hook();
    let note = t.comments(Person::Alice, "@countersign approve production").await?;
    t.told(
        "The webhook about it gets lost on its way.",
        t.world.gitlab.hooks().lost == lost + 1,
        t.world.gitlab.hooks(),
    )?;
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
    t.world.gitlab.begin_outage();
    t.print("- GitLab's API begins to answer 500 to every call.")?;
    let before = t.built.app.store.depth(t.now()).await?;
    let note = t.comments(Person::Bob, "@countersign approve production").await?;
    let depth = t.built.app.store.depth(t.now()).await?;
    let silent = t.answers_to(note).is_empty() && status(t, "production") == "blocked";
    t.told("Production stays `blocked`: what can't be checked is not approved.", silent, t.answers_to(note))?;
    t.told(
        "The comment waits in countersign's store.",
        depth.later > before.later && depth.dead == 0,
        depth,
    )?;
    t.world.gitlab.end_trouble();
    t.print("- GitLab is well again.")?;
    t.pass(SignedDuration::from_secs(60)).await?;
    t.answers(note, "was the last one needed")?;
    started_once(t, "GitLab: production is `running`, started exactly once.")?;
    ends_well(t).await
}

/// The newest production deployment was approved and played once, by the bot.
pub(super) fn started_once(t: &mut Teller<'_>, line: &str) -> Told {
    let deployment = t.world.gitlab.newest("production");
    let voters = deployment.map(|d| d.approvals.into_iter().map(|vote| vote.user).collect::<Vec<_>>());
    let seen = (status(t, "production"), plays(t, "production"), voters.unwrap_or_default());
    let wanted = ("running".to_owned(), (1, BOT.to_owned()), vec![BOT.to_owned()]);
    t.told(line, seen == wanted, &seen)
}

/// The running job succeeds, and everybody hears of it.
pub(super) async fn ends_well(t: &mut Teller<'_>) -> Told {
    t.does("The job succeeds.", |world, now| {
        world.gitlab.finish_jobs(SignedDuration::ZERO, now);
        Ok(())
    })
    .await?;
    t.told("GitLab: production is deployed.", status(t, "production") == "success", status(t, "production"))
}

/// `blocked`, `running`… as GitLab's environments page shows the newest deployment.
fn status(t: &Teller<'_>, environment: &str) -> String {
    t.world.gitlab.newest(environment).map(|deployment| deployment.status).unwrap_or_default()
}

/// How often the newest deployment's job was played, and the user name that it runs as.
fn plays(t: &Teller<'_>, environment: &str) -> (u32, String) {
    let shop = &t.world.gitlab;
    let job = shop.newest(environment).and_then(|deployment| deployment.job);
    let played = job.map(|job| shop.twin.plays(job)).unwrap_or_default();
    (played, job.and_then(|job| shop.twin.job(job)).map(|job| job.user).unwrap_or_default())
}
