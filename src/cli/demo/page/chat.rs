//! What the people do in the channel.

use super::super::stage::Stage;
use super::super::world::{CHAT, Forge, Person, Refused};
use super::acts::{LONGEST_COMMENT, Words, answer};
use super::view::Feedback;
use super::{Failed, said};
use crate::sim::slack::Button;
use axum::extract::{Form, State};
use axum::response::Response;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Press {
    #[serde(rename = "as")]
    by: Person,
    /// The message.
    ts: String,
    /// The button's block, and its id in there.
    block: String,
    action: String,
}

#[derive(Deserialize)]
pub(super) struct Filled {
    #[serde(rename = "as")]
    by: Person,
    /// The form.
    view: String,
    #[serde(default)]
    reason: String,
}

/// A command, or something said to everybody.
pub(super) async fn say(State(stage): State<Stage>, Form(words): Form<Words>) -> Result<Response, Failed> {
    let text = words.text.replace("\r\n", "\n");
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_COMMENT {
        let words = format!("A message has between 1 and {LONGEST_COMMENT} characters.");
        return answer(&stage, Feedback::warning(CHAT, words)).await;
    }
    let done = stage.world.slack.types(words.by, text).await;
    let arrived = done.is_ok();
    let response = tell(&stage, done).await?;
    Ok(if arrived { said(response) } else { response })
}

pub(super) async fn press(State(stage): State<Stage>, Form(press): Form<Press>) -> Result<Response, Failed> {
    let slack = &stage.world.slack;
    let message = slack.messages().into_iter().find(|message| message.ts == press.ts);
    let shown = message.map(|message| message.buttons).unwrap_or_default();
    let wanted = |button: &Button| button.block_id == press.block && button.action_id == press.action;
    let Some(button) = shown.into_iter().find(wanted) else {
        return tell(&stage, Err(Refused("this button is gone. Look at the card again".to_owned()))).await;
    };
    match (slack.presses(press.by, &press.ts, &button).await, &button.url) {
        (Ok(()), Some(url)) => answer(&stage, Feedback::notice(CHAT, opens(&stage, url))).await,
        (done, _) => tell(&stage, done).await,
    }
}

pub(super) async fn send(State(stage): State<Stage>, Form(filled): Form<Filled>) -> Result<Response, Failed> {
    let done = stage.world.slack.sends(filled.by, &filled.view, &filled.reason).await;
    tell(&stage, done).await
}

pub(super) async fn cancel(
    State(stage): State<Stage>,
    Form(filled): Form<Filled>,
) -> Result<Response, Failed> {
    let done = stage.world.slack.cancels(filled.by, &filled.view).await;
    tell(&stage, done).await
}

async fn tell(stage: &Stage, done: Result<(), Refused>) -> Result<Response, Failed> {
    let refusal = |refused| Feedback::warning(CHAT, format!("Slack says no: {refused}."));
    answer(stage, done.map_or_else(refusal, |()| Feedback::nothing(CHAT))).await
}

/// The simulated forges have no pages that a link could open.
fn opens(stage: &Stage, url: &str) -> String {
    let gitlab = url.starts_with(&stage.world.gitlab.twin.url());
    let forge = if gitlab { Forge::GitLab } else { Forge::GitHub };
    let name = forge.name();
    format!("That opens {url}. The simulated {name} has no pages; its side of this one shows the same.")
}
