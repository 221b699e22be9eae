//! The bodies of GitHub's webhooks, and what they say. Nothing in them is believed but where to look, and who
//! pressed a button.

use super::button::{self, Button};
use super::run_url;
use crate::domain::event::{Asked, Event, Press};
use crate::domain::id::{CommentKind, CommentRef, Conversation, ForgeName, Place, ProjectId, UserId};
use crate::forge::delivery::{Said, heard, is_full_sha, may_be_addressed};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// One delivery whose sender is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery<'a> {
    /// `X-GitHub-Delivery`.
    pub(super) id: &'a str,
    /// `X-GitHub-Event`.
    pub(super) event: &'a str,
    /// The body, byte for byte.
    pub(super) body: &'a [u8],
}

/// What deliveries are about that we hear.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Asked,
    Comment,
    CommitComment,
    Review,
    Pressed,
    Run,
    Job,
    Status,
    Reviewed,
    Reach,
}

impl Kind {
    fn of(event: &str, action: &str) -> Option<Self> {
        match (event, action) {
            ("deployment_protection_rule", "requested") => Some(Self::Asked),
            ("issue_comment", "created") => Some(Self::Comment),
            ("commit_comment", "created") => Some(Self::CommitComment),
            ("pull_request_review", "submitted") => Some(Self::Review),
            ("check_run", "requested_action") => Some(Self::Pressed),
            ("workflow_run", "requested" | "in_progress" | "completed") => Some(Self::Run),
            ("workflow_job", "queued" | "waiting" | "in_progress" | "completed") => Some(Self::Job),
            ("deployment_status", "created") => Some(Self::Status),
            ("deployment_review", "requested" | "approved" | "rejected") => Some(Self::Reviewed),
            ("installation" | "installation_repositories", _) => Some(Self::Reach),
            _ => None,
        }
    }
}

/// Whether a delivery of this event and action could be about anything that we hear.
pub(super) fn is_heard(event: &str, action: &str) -> bool {
    Kind::of(event, action).is_some()
}

fn unheard(event: &str) -> &'static str {
    match event {
        "issue_comment" | "commit_comment" | "pull_request_review" => "only a new comment holds a command",
        _ => "this event or action is not needed",
    }
}

/// The App that deliveries come to.
#[derive(Debug)]
pub(super) struct Receiver {
    /// The configured name of this GitHub.
    pub(super) forge: ForgeName,
    /// Address of its API, without a slash at its end.
    pub(super) api: String,
    /// The App's number.
    pub(super) app_id: u64,
}

impl Receiver {
    /// Reads a verified body; an error is a sentence for whoever set up the hook.
    pub(super) fn read(&self, delivery: Delivery<'_>) -> Result<Said, String> {
        let text = std::str::from_utf8(delivery.body).map_err(|_| "the body is not UTF-8".to_owned())?;
        let action = action(text)?;
        let Some(kind) = Kind::of(delivery.event, action.as_deref().unwrap_or_default()) else {
            return Ok(Said::Nothing(unheard(delivery.event)));
        };
        match kind {
            Kind::Asked => self.asked(parse(text)?, delivery.id),
            Kind::Comment => self.comment(&parse(text)?),
            Kind::CommitComment => self.commit_comment(&parse(text)?),
            Kind::Review => self.review(&parse(text)?),
            Kind::Pressed => Ok(self.pressed(&parse(text)?, delivery.id)),
            Kind::Run => Ok(self.run(&parse(text)?)),
            Kind::Job => Ok(self.job(&parse(text)?)),
            Kind::Status => Ok(self.status(&parse(text)?)),
            Kind::Reviewed => Ok(self.reviewed(&parse(text)?)),
            Kind::Reach => Ok(Said::Happened(Event::ReachChanged { forge: self.forge.clone() })),
        }
    }

    fn asked(&self, hook: RuleHook, delivery: &str) -> Result<Said, String> {
        let environment = hook
            .environment
            .filter(|name| !name.trim().is_empty())
            .ok_or("the body names no environment that waits for a decision")?;
        let url = hook.deployment_callback_url.unwrap_or_default();
        let run = run_url::of_callback(&url, &self.api, &hook.repository.full_name).ok_or(
            "deployment_callback_url is not the address of a run of this repository below the configured \
             api_url, so nothing is looked at: is api_url right, and does nothing on the way change the body?",
        )?;
        let asked = Asked { environment, delivery: delivery.to_owned() };
        Ok(self.run_changed(hook.repository.id, run, true, Some(asked)))
    }

    fn comment(&self, hook: &CommentHook) -> Result<Said, String> {
        match &hook.issue {
            Issue { pull_request: None, .. } => {
                Ok(Said::Nothing("a comment on an issue, not on a pull request"))
            }
            Issue { number, pull_request: Some(_) } => {
                let place = Place::MergeRequest(*number);
                self.commented(&hook.repository, &hook.comment, (CommentKind::Comment, place))
            }
        }
    }

    fn commit_comment(&self, hook: &CommitCommentHook) -> Result<Said, String> {
        let sha = hook.comment.commit_id.as_deref().filter(|sha| is_full_sha(sha));
        let sha = sha.ok_or("the body doesn't say by its full SHA on which commit the comment stands")?;
        let place = Place::Commit(sha.to_owned());
        self.commented(&hook.repository, &hook.comment, (CommentKind::Comment, place))
    }

    fn review(&self, hook: &ReviewHook) -> Result<Said, String> {
        let place = Place::MergeRequest(hook.pull_request.number);
        self.commented(&hook.repository, &hook.review, (CommentKind::Review, place))
    }

    fn commented(
        &self,
        repository: &Numbered,
        written: &Written,
        (kind, place): (CommentKind, Place),
    ) -> Result<Said, String> {
        let author = match self.author(written) {
            Ok(author) => author,
            Err(why) => return Ok(Said::Nothing(why)),
        };
        let text = written.body.as_deref().unwrap_or_default();
        if !may_be_addressed(text) {
            return Ok(Said::Nothing("not addressed"));
        }
        let at = match kind {
            CommentKind::Comment => written.created_at,
            CommentKind::Review => written.submitted_at,
        };
        Ok(Said::Happened(Event::Commented {
            comment: CommentRef {
                conversation: self.conversation(repository, place),
                kind,
                comment: written.id,
                discussion: None,
            },
            at: at.ok_or("the body doesn't say when the comment was written")?,
            heard: heard(text, author),
        }))
    }

    /// Whose word a comment is; else why it is nobody's.
    fn author(&self, written: &Written) -> Result<i64, &'static str> {
        if written.performed_via_github_app.as_ref().is_some_and(|app| app.id == self.app_id) {
            return Err("the comment is our own");
        }
        match &written.user {
            None => Err("the comment's author is gone"),
            Some(user) if user.is_bot() => Err("a bot's comment holds no command"),
            Some(user) => Ok(user.id),
        }
    }

    fn pressed(&self, hook: &PressHook, delivery: &str) -> Said {
        if hook.check_run.app.as_ref().is_none_or(|app| app.id != self.app_id) {
            return Said::Nothing("the check run isn't our own");
        }
        let Some(button) = hook.check_run.external_id.as_deref().and_then(Button::parse) else {
            return Said::Nothing("the check run has no buttons of ours");
        };
        let Some(word) = button::word(&hook.requested_action.identifier) else {
            return Said::Nothing("the action is none of ours");
        };
        if hook.sender.is_bot() {
            return Said::Nothing("a bot's press says nothing");
        }
        Said::Happened(Event::Pressed(Press {
            id: delivery.to_owned(),
            conversation: self.conversation(&hook.repository, Place::MergeRequest(button.pull_request)),
            number: button.number,
            version: button.version,
            by: UserId(hook.sender.id),
            word,
        }))
    }

    fn run(&self, hook: &RunHook) -> Said {
        let waits = hook.workflow_run.status.as_deref() == Some("waiting");
        self.run_changed(hook.repository.id, hook.workflow_run.id, waits, None)
    }

    fn job(&self, hook: &JobHook) -> Said {
        self.run_changed(hook.repository.id, hook.workflow_job.run_id, hook.action == "waiting", None)
    }

    /// What a reviewer of GitHub's own has said: our part of it may still be waited for.
    fn reviewed(&self, hook: &GateHook) -> Said {
        match &hook.workflow_run {
            Some(run) => self.run_changed(hook.repository.id, run.id, true, None),
            None => Said::Nothing("the review belongs to no run"),
        }
    }

    fn status(&self, hook: &StatusHook) -> Said {
        let status = &hook.deployment_status;
        let page = hook.repository.html_url.as_deref();
        let shown = [&status.log_url, &status.target_url].into_iter().flatten();
        let run = hook.workflow_run.as_ref().map(|run| run.id);
        match run.or_else(|| shown.into_iter().find_map(|url| run_url::of_page(url, page?))) {
            Some(run) => {
                let waits = status.state.as_deref() == Some("waiting");
                self.run_changed(hook.repository.id, run, waits, None)
            }
            None => Said::Nothing("the deployment belongs to no run"),
        }
    }

    fn run_changed(&self, repository: i64, run: i64, waits: bool, asked: Option<Asked>) -> Said {
        let (forge, project) = (self.forge.clone(), ProjectId(repository));
        Said::Happened(Event::RunChanged { forge, project, run, waits, asked })
    }

    fn conversation(&self, repository: &Numbered, place: Place) -> Conversation {
        Conversation { forge: self.forge.clone(), project: ProjectId(repository.id), place }
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| {
        // The error's own text may quote the body.
        let (line, column) = (error.line(), error.column());
        format!(
            "the body is not what GitHub sends (line {line}, column {column}): \
             is it cut, or did something on the way change it?"
        )
    })
}

/// What happened. GitHub writes it first: the whole body is read for it only if somebody on the way has sorted it.
fn action(text: &str) -> Result<Option<String>, String> {
    let behind = text.trim_start().strip_prefix(r#"{"action":"#);
    let first = behind.and_then(|behind| serde_json::Deserializer::from_str(behind).into_iter().next());
    match first {
        Some(Ok(action)) => Ok(Some(action)),
        Some(Err(_)) | None => parse(text).map(|Head { action }| action),
    }
}

#[derive(Deserialize)]
struct Head {
    action: Option<String>,
}

#[derive(Deserialize)]
struct Numbered {
    id: i64,
}

#[derive(Deserialize)]
struct App {
    id: u64,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl User {
    fn is_bot(&self) -> bool {
        self.kind.as_deref() == Some("Bot")
    }
}

#[derive(Deserialize)]
struct RuleHook {
    environment: Option<String>,
    deployment_callback_url: Option<String>,
    repository: Named,
}

#[derive(Deserialize)]
struct Named {
    id: i64,
    full_name: String,
}

#[derive(Deserialize)]
struct CommentHook {
    comment: Written,
    issue: Issue,
    repository: Numbered,
}

#[derive(Deserialize)]
struct Issue {
    number: i64,
    /// There if the issue is a pull request.
    pull_request: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct CommitCommentHook {
    comment: Written,
    repository: Numbered,
}

#[derive(Deserialize)]
struct ReviewHook {
    review: Written,
    pull_request: PullRequest,
    repository: Numbered,
}

#[derive(Deserialize)]
struct PullRequest {
    number: i64,
}

/// A comment or a review.
#[derive(Deserialize)]
struct Written {
    id: i64,
    body: Option<String>,
    user: Option<User>,
    performed_via_github_app: Option<App>,
    /// Of a comment.
    created_at: Option<Timestamp>,
    /// Of a review.
    submitted_at: Option<Timestamp>,
    commit_id: Option<String>,
}

#[derive(Deserialize)]
struct PressHook {
    requested_action: Action,
    check_run: CheckRun,
    sender: User,
    repository: Numbered,
}

#[derive(Deserialize)]
struct Action {
    identifier: String,
}

#[derive(Deserialize)]
struct CheckRun {
    external_id: Option<String>,
    app: Option<App>,
}

#[derive(Deserialize)]
struct RunHook {
    workflow_run: Run,
    repository: Numbered,
}

#[derive(Deserialize)]
struct Run {
    id: i64,
    status: Option<String>,
}

#[derive(Deserialize)]
struct JobHook {
    action: String,
    workflow_job: Job,
    repository: Numbered,
}

#[derive(Deserialize)]
struct Job {
    run_id: i64,
}

#[derive(Deserialize)]
struct GateHook {
    workflow_run: Option<Numbered>,
    repository: Numbered,
}

#[derive(Deserialize)]
struct StatusHook {
    deployment_status: Status,
    workflow_run: Option<Numbered>,
    repository: Shown,
}

#[derive(Deserialize)]
struct Status {
    state: Option<String>,
    log_url: Option<String>,
    target_url: Option<String>,
}

#[derive(Deserialize)]
struct Shown {
    id: i64,
    html_url: Option<String>,
}
