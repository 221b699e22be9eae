//! Buttons: a check run on the head of the pull request. GitHub shows its actions once it is completed.

use super::GitHub;
use super::button::{APPROVE, Button, REJECT};
use super::client::Change;
use super::client::read;
use super::fit::fit;
use super::wire::{CheckRun, CheckRuns, PullRequest};
use crate::domain::id::ProjectId;
use crate::ports::failure::Failure;
use crate::ports::forge::Buttons;
use serde_json::{Value, json};

/// Pages read of the check runs of one name.
const PAGES: usize = 5;
/// The longest title that is sent, and the longest summary that GitHub takes.
const LONGEST_TITLE: usize = 250;
const LONGEST_SUMMARY: usize = 65_535;

impl GitHub {
    /// Shows the buttons of a deployment as they are now, in the check run that shows them already or a new one.
    ///
    /// They stay where they were first shown: a commit that is pushed meanwhile has a deployment of its own, whose
    /// buttons mustn't be mistaken for these.
    pub(super) async fn show_buttons(
        &self,
        project: ProjectId,
        number: i64,
        buttons: &Buttons,
    ) -> Result<(), Failure> {
        let button = Button { number: buttons.number, version: buttons.version, pull_request: number };
        let (key, body) = ((project, buttons.number), content(buttons, &button));
        if let Some(known) = self.buttons.get(&key).await {
            match self.change_buttons(project, known, body.clone()).await {
                Err(Failure::NotFound) => self.buttons.invalidate(&key).await,
                sent => return sent,
            }
        }
        let request: PullRequest = self.read(project, &["pulls", &number.to_string()], &[]).await?;
        let head = request.head.sha;
        let run = match self.shown_buttons(project, &head, (number, buttons)).await? {
            Some(run) => self.change_buttons(project, run.id, body).await.map(|()| run.id)?,
            // What is over needs no new one.
            None if !buttons.active => return Ok(()),
            None => self.new_buttons(project, head, body).await?,
        };
        self.buttons.insert(key, run).await;
        Ok(())
    }

    async fn change_buttons(&self, project: ProjectId, run: i64, body: Value) -> Result<(), Failure> {
        self.send(project, &["check-runs", &run.to_string()], Change::patch(body)).await.map(drop)
    }

    async fn new_buttons(&self, project: ProjectId, head: String, mut body: Value) -> Result<i64, Failure> {
        if let Some(fields) = body.as_object_mut() {
            fields.insert("head_sha".to_owned(), head.into());
        }
        let made = self.send(project, &["check-runs"], Change::post(body)).await?;
        read::<CheckRun>(&made).map(|run| run.id)
    }

    /// Our newest check run of this deployment on a commit. A later deployment of the environment has one of its
    /// own beside it.
    async fn shown_buttons(
        &self,
        project: ProjectId,
        sha: &str,
        (number, buttons): (i64, &Buttons),
    ) -> Result<Option<CheckRun>, Failure> {
        let app = self.directory.me().await?.app;
        let query = [("check_name", buttons.environment.as_str()), ("filter", "all")];
        let path = ["commits", sha, "check-runs"];
        let found = self.list::<CheckRuns>(project, &path, &query, PAGES).await?;
        let ours = |run: &CheckRun| {
            let stands_for = run.external_id.as_deref().and_then(Button::parse);
            run.app.as_ref().is_some_and(|by| by.id == app)
                && stands_for.is_some_and(|b| b.number == buttons.number && b.pull_request == number)
        };
        Ok(found.items.into_iter().filter(ours).max_by_key(|run| run.id))
    }
}

fn content(buttons: &Buttons, button: &Button) -> Value {
    let action = |identifier: &str, label: &str, description: &str| json!({ "identifier": identifier, "label": label, "description": description });
    let actions = if buttons.active {
        vec![
            action(APPROVE, "Approve", "Approve this deployment"),
            action(REJECT, "Reject", "Reject this deployment"),
        ]
    } else {
        Vec::new()
    };
    let mut content = json!({
        "name": buttons.environment,
        "external_id": button.to_string(),
        "status": "completed",
        "conclusion": "neutral",
        "output": {
            "title": fit(&buttons.title, LONGEST_TITLE),
            "summary": fit(&buttons.summary, LONGEST_SUMMARY),
        },
        "actions": actions,
    });
    if let (Some(url), Some(fields)) = (&buttons.url, content.as_object_mut()) {
        fields.insert("details_url".to_owned(), url.as_str().into());
    }
    content
}
