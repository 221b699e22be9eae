//! What the people do on the forges.

use super::super::stage::{OUTAGE, Stage};
use super::super::world::{Forge, Person, Refused};
use super::view::{Feedback, Scene};
use super::{Failed, html, said};
use axum::extract::{Form, Path, State};
use axum::response::Response;
use serde::Deserialize;

/// The longest comment or message, in characters.
pub(super) const LONGEST_COMMENT: usize = 10_000;

#[derive(Deserialize)]
pub(super) struct Words {
    #[serde(rename = "as")]
    pub(super) by: Person,
    pub(super) text: String,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(rename = "as")]
    by: Person,
    /// Name of the environment.
    #[serde(default)]
    environment: String,
    /// Number of the deployment, run or check run.
    #[serde(default)]
    id: u64,
    /// Identifier of the button.
    #[serde(default)]
    button: String,
}

pub(super) async fn comment(
    State(stage): State<Stage>,
    Path(forge): Path<Forge>,
    Form(words): Form<Words>,
) -> Result<Response, Failed> {
    let text = words.text.replace("\r\n", "\n");
    if text.trim().is_empty() || text.chars().count() > LONGEST_COMMENT {
        let words = format!("A comment has between 1 and {LONGEST_COMMENT} characters.");
        return answer(&stage, Feedback::warning(forge.key(), words)).await;
    }
    let (feedback, arrived) = match stage.world.on(forge).comment(words.by, &text) {
        Ok(Some(_)) => (Feedback::nothing(forge.key()), true),
        Ok(None) => (Feedback::warning(forge.key(), swallowed(forge, &text)), true),
        Err(refused) => (refusal(forge, &refused), false),
    };
    let response = answer(&stage, feedback).await?;
    Ok(if arrived { said(response) } else { response })
}

pub(super) async fn deploy(
    State(stage): State<Stage>,
    Path(forge): Path<Forge>,
    Form(wish): Form<Wish>,
) -> Result<Response, Failed> {
    let done = stage.world.on(forge).deploy(wish.by, &wish.environment);
    tell(&stage, forge, done).await
}

pub(super) async fn retry(State(stage): State<Stage>, Form(wish): Form<Wish>) -> Result<Response, Failed> {
    let done = stage.world.gitlab.retry(wish.by, wish.id);
    tell(&stage, Forge::GitLab, done).await
}

pub(super) async fn press(State(stage): State<Stage>, Form(wish): Form<Wish>) -> Result<Response, Failed> {
    let done = stage.world.github.press(wish.by, wish.id, &wish.button);
    tell(&stage, Forge::GitHub, done).await
}

pub(super) async fn rerun(State(stage): State<Stage>, Form(wish): Form<Wish>) -> Result<Response, Failed> {
    let done = stage.world.github.rerun(wish.by, wish.id);
    tell(&stage, Forge::GitHub, done).await
}

pub(super) async fn bypass(State(stage): State<Stage>, Form(wish): Form<Wish>) -> Result<Response, Failed> {
    let done = stage.world.github.bypass(wish.by, wish.id);
    tell(&stage, Forge::GitHub, done).await
}

pub(super) async fn lose_hook(
    State(stage): State<Stage>,
    Path(forge): Path<Forge>,
) -> Result<Response, Failed> {
    stage.lose_next_hook(forge);
    let text = format!("The next webhook that {} sends will not arrive.", forge.name());
    answer(&stage, Feedback::notice(forge.key(), text)).await
}

pub(super) async fn outage(State(stage): State<Stage>, Path(forge): Path<Forge>) -> Result<Response, Failed> {
    stage.begin_outage(forge);
    let text = format!("{}'s API answers 500 to everything for {} seconds.", forge.name(), OUTAGE.as_secs());
    answer(&stage, Feedback::notice(forge.key(), text)).await
}

async fn tell(stage: &Stage, forge: Forge, done: Result<(), Refused>) -> Result<Response, Failed> {
    let feedback = done.map_or_else(|refused| refusal(forge, &refused), |()| Feedback::nothing(forge.key()));
    answer(stage, feedback).await
}

/// The page's parts as they are now, and what is said to the person who did something.
pub(super) async fn answer(stage: &Stage, feedback: Feedback) -> Result<Response, Failed> {
    Ok(html(Scene::read(stage).await?.update(Some(&feedback))?))
}

fn swallowed(forge: Forge, text: &str) -> String {
    let command = text.trim().lines().next().unwrap_or_default();
    format!(
        "{there} took “{command}” as its own quick action, so nobody ever sees it as a comment. Its /approve approves \
         the {request} and no deployment. Write “{approval}”.",
        there = forge.name(),
        request = forge.request(),
        approval = forge.approval(),
    )
}

fn refusal(forge: Forge, refused: &Refused) -> Feedback {
    Feedback::warning(forge.key(), format!("{} says no: {refused}", forge.name()))
}
