//! What happens in the channel.

use super::teller::{Ended, Teller, Told};
use super::{github, gitlab};
use crate::cli::demo::world::{CHANNEL, Forge, OnSlack, Person, Refused, Shop as _};
use crate::sim::slack::MessageView;

/// All of it.
pub(super) async fn play(t: &mut Teller<'_>) -> Told {
    a_deployment_is_announced(t).await?;
    who_may_press(t).await?;
    a_button_and_a_comment(t).await?;
    a_form_rejects(t).await
}

async fn a_deployment_is_announced(t: &mut Teller<'_>) -> Told {
    t.chapter(
        "## 9. In a channel, by button and by comment",
        "A channel in Slack is told of both forges. Who speaks there for whom stands in the configuration.",
    )?;
    let cards = t.world.slack.cards();
    let all_final = cards.len() == 6 && cards.iter().all(|card| labels(card) == ["Open"]);
    t.told(
        &format!("#{CHANNEL} has a card of each deployment above, and nothing on them is left to press."),
        all_final,
        &cards,
    )?;
    t.forge = Forge::GitLab;
    t.does("dana deploys a fourth commit to production.", |world, _| {
        world.gitlab.deploy(Person::Dana, "production")
    })
    .await?;
    let card = card(t, "production: waiting for approval")?;
    t.shows(&format!("Slack: its card appears in #{CHANNEL}"), &card.seen)?;
    buttons_are(t, "The card has three buttons: Approve, Reject and Open.", &["Approve", "Reject", "Open"])
}

async fn who_may_press(t: &mut Teller<'_>) -> Told {
    presses(t, Person::Mallory, "Approve").await?;
    reads(t, Person::Mallory, "is not linked")?;
    presses(t, Person::Dana, "Approve").await?;
    reads(t, Person::Dana, "you started it")
}

async fn a_button_and_a_comment(t: &mut Teller<'_>) -> Told {
    let asked = t.world.slack.cards().pop().and_then(|card| card.buttons.into_iter().next()?.confirm);
    let asked = asked.unwrap_or_default().replace('\n', " ");
    t.told(
        &format!("Whoever presses **Approve** is asked by Slack: “{asked}”"),
        asked.starts_with("Approve deployment? production at "),
        &asked,
    )?;
    presses(t, Person::Alice, "Approve").await?;
    reads(t, Person::Alice, "1 approval is still missing")?;
    let half = card(t, "1 of 2 from").is_ok();
    t.told("The card says: 1 of 2.", half, t.world.slack.cards().pop())?;
    t.asks(Person::Bob, "@countersign approve production", "was the last one needed").await?;
    gitlab::started_once(t, "GitLab: production is `running`, started exactly once.")?;
    gitlab::ends_well(t).await?;
    let last = card(t, "production: deployed")?;
    t.shows("Slack: the card is final", &last.seen)?;
    buttons_are(t, "Nothing on it is left to press but Open.", &["Open"])?;
    let thread = t.world.slack.twin.replies_to(&last.channel, &last.ts);
    let thread: Vec<&str> = thread.iter().map(|reply| reply.seen.as_str()).collect();
    let told = ["alice approved in slack", "bob approved in a comment", "it is deployed"];
    let all_told = told.iter().all(|words| thread.iter().any(|line| line.contains(words)));
    t.told("Its thread tells who said what.", all_told, &thread)?;
    t.shows("In the thread", &thread.join("\n"))
}

async fn a_form_rejects(t: &mut Teller<'_>) -> Told {
    t.chapter("## 10. Rejected by a form", "A rejection needs a reason, so its button asks for one.")?;
    t.forge = Forge::GitHub;
    t.does("dana runs the workflow on a third commit.", |world, _| {
        world.github.deploy(Person::Dana, "production")
    })
    .await?;
    t.chats("bob types “/deploy blocked” in the channel.", async |slack| {
        slack.types(Person::Bob, "/deploy blocked").await
    })
    .await?;
    reads(t, Person::Bob, "Waiting here")?;
    presses(t, Person::Bob, "Reject").await?;
    let (form, seen) = form(t)?;
    t.shows("Slack opens a form before bob", &seen)?;
    let slack = t.world.slack.clone();
    let empty = slack.sends(Person::Bob, &form, "").await;
    t.told("bob sends it empty, and Slack doesn't take it.", empty.is_err(), empty)?;
    t.chats("bob writes “the ferry is full”, and sends it.", async |slack| {
        slack.sends(Person::Bob, &form, "the ferry is full").await
    })
    .await?;
    t.told("The form is closed.", slack.forms().is_empty(), slack.forms())?;
    reads(t, Person::Bob, "rejection is final")?;
    github::decided(
        t,
        "GitHub: the rule was rejected once, and the job has failed.",
        ("rejected", "completed"),
    )?;
    let last = card(t, "production: rejected")?;
    t.told("The card says why.", last.seen.contains("the ferry is full"), &last.seen)?;
    t.shows("Slack: the card is final", &last.seen)?;
    buttons_are(t, "Nothing on it is left to press but Open.", &["Open"])?;
    let pings = t.world.slack.twin.pings();
    t.told("In all that, Slack notified nobody.", pings.is_empty(), pings)
}

/// Presses a button of the newest message that this person sees, threads aside.
async fn presses(t: &mut Teller<'_>, by: Person, label: &str) -> Told {
    let what = format!("{} presses **{label}**.", by.username());
    t.chats(&what, async |slack| {
        let message = newest_with(slack, by, label);
        let message = message.ok_or_else(|| Refused("there is no such button".to_owned()))?;
        match message.buttons.iter().find(|button| button.label == label) {
            Some(button) => slack.presses(by, &message.ts, button).await,
            None => Ok(()),
        }
    })
    .await
}

fn newest_with(slack: &OnSlack, by: Person, label: &str) -> Option<MessageView> {
    let seen_by = |message: &MessageView| message.only_for.as_deref().is_none_or(|who| who == slack.id(by));
    slack.messages().into_iter().rfind(|message| seen_by(message) && labels(message).contains(&label))
}

fn labels(message: &MessageView) -> Vec<&str> {
    message.buttons.iter().map(|button| button.label.as_str()).collect()
}

/// The newest card, which says this.
fn card(t: &Teller<'_>, words: &str) -> Result<MessageView, Ended> {
    let newest = t.world.slack.cards().pop();
    let seen = newest.as_ref().map(|card| card.seen.clone()).unwrap_or_default();
    let line = format!("Slack's newest card says “{words}”.");
    newest.filter(|card| card.seen.contains(words)).ok_or_else(|| t.astray(&line, seen))
}

fn buttons_are(t: &mut Teller<'_>, line: &str, wanted: &[&str]) -> Told {
    let card = t.world.slack.cards().pop();
    t.told(line, card.as_ref().map(labels).as_deref() == Some(wanted), &card)
}

/// The one form that stands open, and what is to be read in it.
fn form(t: &Teller<'_>) -> Result<(String, String), Ended> {
    let mut open = t.world.slack.forms();
    match (open.pop(), open.is_empty()) {
        (Some((Person::Bob, view)), true) => Ok((view.id, format!("{}\n{}", view.title, view.seen))),
        (other, _) => Err(t.astray("Slack opens a form before bob.", format!("{other:?}"))),
    }
}

/// What this person alone sees last says this.
fn reads(t: &mut Teller<'_>, who: Person, words: &str) -> Told {
    let private = t.world.slack.twin.ephemerals_of(t.world.slack.id(who)).pop();
    let seen = private.map(|message| message.seen).unwrap_or_default();
    let what = format!("Only {} reads", who.username());
    if seen.contains(words) {
        return t.shows(&what, &seen);
    }
    Err(t.astray(&format!("{what} “{words}”."), seen))
}
