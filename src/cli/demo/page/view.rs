//! What the page shows, read from the stage and put into templates.

use super::super::ledger::Chain;
use super::super::markdown;
use super::super::stage::Stage;
use super::super::world::{BOT, ENVIRONMENTS, Person};
use super::hint;
use crate::domain::id::short_sha;
use crate::ports::store::StoreError;
use crate::sim::gitlab::{DeploymentId, DeploymentView, NoteView};
use askama::Template;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// Everything at one moment.
pub(crate) struct Scene {
    /// The merge request's threads.
    pub(crate) threads: Vec<Thread>,
    /// GitLab's environments page.
    pub(crate) environments: Vec<Environment>,
    /// The ledger.
    pub(crate) chains: Vec<Chain>,
    /// What goes wrong at the moment.
    pub(crate) trouble: Trouble,
    /// What to try next.
    pub(crate) hint: &'static str,
}

/// What goes wrong.
pub(crate) struct Trouble {
    /// GitLab answers 500.
    pub(crate) outage: bool,
    /// The next hook will be lost.
    pub(crate) losing: bool,
    /// So many hooks were lost so far.
    pub(crate) lost: usize,
    /// The last one that was sent is one of them.
    pub(crate) last_lost: bool,
}

/// A comment with its answers.
pub(crate) struct Thread {
    /// The comment.
    pub(crate) first: Comment,
    /// What was answered.
    pub(crate) answers: Vec<Comment>,
}

/// A comment.
pub(crate) struct Comment {
    /// User name.
    pub(crate) author: String,
    /// Its first letter, for the picture.
    pub(crate) initial: String,
    /// `08:10:31`, UTC.
    pub(crate) at: String,
    /// The text as inert HTML ([`markdown::html`]).
    pub(crate) html: String,
    /// Reactions as emoji with the names of those who reacted.
    pub(crate) reactions: Vec<(String, String)>,
    /// Written by the bot.
    pub(crate) is_bot: bool,
    /// Written by GitLab itself.
    pub(crate) system: bool,
}

/// A row of GitLab's environments page.
pub(crate) struct Environment {
    /// Its name.
    pub(crate) name: &'static str,
    /// Approvals that Countersign's policy asks for.
    pub(crate) needed: u32,
    /// The newest deployment.
    pub(crate) newest: Option<Row>,
    /// SHA of what is live.
    pub(crate) live: Option<String>,
}

/// A deployment as GitLab shows it.
pub(crate) struct Row {
    /// Id.
    pub(crate) id: DeploymentId,
    /// GitLab's status.
    pub(crate) status: String,
    /// Short SHA.
    pub(crate) sha: String,
    /// Who started it.
    pub(crate) user: String,
    /// When, UTC.
    pub(crate) at: String,
    /// The job's status.
    pub(crate) job: String,
    /// GitLab's own approvals: `countersign approved`.
    pub(crate) votes: Vec<String>,
    /// It can be retried.
    pub(crate) can_retry: bool,
}

#[derive(Template)]
#[template(path = "demo/page.html")]
struct Page<'a> {
    scene: &'a Scene,
    version: String,
    people: [Person; 4],
    request: Request,
    swap: bool,
}

#[derive(Template)]
#[template(path = "demo/update.html")]
struct Update<'a> {
    scene: &'a Scene,
    version: String,
    feedback: Option<&'a Feedback>,
    swap: bool,
}

#[derive(Template)]
#[template(path = "demo/scene.html")]
struct Bare<'a> {
    scene: &'a Scene,
    swap: bool,
}

/// The merge request's head.
struct Request {
    number: u64,
    title: String,
    author: String,
    branch: String,
}

/// What is said to the person who pressed something.
#[derive(Clone, Debug)]
pub(crate) struct Feedback {
    /// Worth a warning colour.
    pub(crate) warns: bool,
    /// The sentence.
    pub(crate) text: String,
}

impl Scene {
    /// Reads everything.
    pub(crate) async fn read(stage: &Stage) -> Result<Self, StoreError> {
        let world = &stage.world;
        let notes = world.gitlab.notes_of(world.project, world.request);
        let environments: Vec<Environment> =
            ENVIRONMENTS.into_iter().map(|(name, needed)| environment(stage, name, needed)).collect();
        let hooks = world.hooks();
        let trouble = Trouble {
            outage: stage.is_out(),
            losing: stage.is_losing(),
            lost: hooks.lost,
            last_lost: hooks.last_lost,
        };
        let hint = hint::next(world, &notes, &trouble);
        Ok(Self { threads: threads(&notes), environments, chains: stage.ledger().await?, trouble, hint })
    }

    /// A digest of everything that is shown: it changes exactly when the page has to.
    pub(crate) fn version(&self) -> Result<String, askama::Error> {
        let shown = Bare { scene: self, swap: false }.render()?;
        Ok(hex::encode(Sha256::digest(shown)))
    }

    /// The whole page.
    pub(crate) fn page(&self, stage: &Stage) -> Result<String, askama::Error> {
        let world = &stage.world;
        let request = world.gitlab.merge_request(world.project, world.request);
        let (title, author) = request.map(|request| (request.title, request.author)).unwrap_or_default();
        let request = Request { number: world.request, title, author, branch: world.branch.clone() };
        let (version, people) = (self.version()?, Person::ALL);
        Page { scene: self, version, people, request, swap: false }.render()
    }

    /// The parts that change, to be swapped into the page.
    pub(crate) fn update(&self, feedback: Option<&Feedback>) -> Result<String, askama::Error> {
        Update { scene: self, version: self.version()?, feedback, swap: true }.render()
    }
}

fn threads(notes: &[NoteView]) -> Vec<Thread> {
    let mut threads: Vec<(&str, Thread)> = Vec::new();
    for note in notes {
        let known = threads.iter_mut().find(|(discussion, _)| *discussion == note.discussion);
        match known {
            Some((_, thread)) => thread.answers.push(comment(note)),
            None => threads.push((&note.discussion, Thread { first: comment(note), answers: Vec::new() })),
        }
    }
    threads.into_iter().map(|(_, thread)| thread).collect()
}

fn comment(note: &NoteView) -> Comment {
    let reactions = note.reactions.iter().map(|reaction| (emoji(&reaction.name), reaction.user.clone()));
    Comment {
        author: note.author.clone(),
        initial: note.author.chars().take(1).flat_map(char::to_uppercase).collect(),
        at: clock(note.created_at),
        html: markdown::html(&note.body),
        reactions: reactions.collect(),
        is_bot: note.author == BOT,
        system: note.system,
    }
}

fn emoji(name: &str) -> String {
    match name {
        "eyes" => "👀".to_owned(),
        "thumbsup" => "👍".to_owned(),
        "thumbsdown" => "👎".to_owned(),
        other => format!(":{other}:"),
    }
}

fn environment(stage: &Stage, name: &'static str, needed: u32) -> Environment {
    let world = &stage.world;
    let rows = world.gitlab.environments(world.project);
    let known = rows.iter().find(|row| row.name == name);
    let live = known.and_then(|row| row.live).and_then(|id| world.gitlab.deployment(id));
    let newest = known.and_then(|row| row.upcoming).and_then(|id| world.gitlab.deployment(id));
    Environment {
        name,
        needed,
        newest: newest.map(|deployment| row(stage, &deployment)),
        live: live.map(|deployment| short_sha(&deployment.sha).to_owned()),
    }
}

fn row(stage: &Stage, deployment: &DeploymentView) -> Row {
    let job = deployment.job.and_then(|job| stage.world.gitlab.job(job));
    // GitLab retries no job whose deployment was rejected.
    let rejected = job.as_ref().is_some_and(|job| job.failure_reason.is_some());
    let ended = matches!(deployment.status.as_str(), "success" | "failed" | "canceled");
    let votes = deployment.approvals.iter().map(|vote| format!("{} {}", vote.user, vote.status));
    Row {
        id: deployment.id,
        status: deployment.status.clone(),
        sha: short_sha(&deployment.sha).to_owned(),
        user: deployment.user.clone(),
        at: clock(deployment.created_at),
        job: job.map(|job| format!("{}: {}", job.name, job.status)).unwrap_or_default(),
        votes: votes.collect(),
        can_retry: ended && !rejected,
    }
}

fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}
