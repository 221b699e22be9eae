//! What the page shows, read from the stage and put into templates.

use super::super::ledger::Chain;
use super::super::markdown;
use super::super::stage::Stage;
use super::super::world::{CHANNEL, Forge, Person, Request, Said};
use super::github::{self, Check, Run};
use super::gitlab::{self, Environment};
use super::hint;
use super::slack::{self, Channel, Part};
use crate::ports::store::StoreError;
use askama::Template;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// Everything at one moment.
pub(crate) struct Scene {
    /// Each forge's side.
    pub(crate) sides: [Side; 2],
    /// GitLab's environments page.
    pub(crate) environments: Vec<Environment>,
    /// The newest run of GitHub's workflow.
    pub(crate) run: Option<Run>,
    /// The pull request's check runs.
    pub(crate) checks: Vec<Check>,
    /// The channel in the chat.
    pub(crate) channel: Channel,
    /// The ledger.
    pub(crate) chains: Vec<Chain>,
}

/// What both forges show.
pub(crate) struct Side {
    /// Which one it is.
    pub(crate) forge: Forge,
    /// Its merge or pull request.
    pub(crate) request: Request,
    /// The request's threads, newest first.
    pub(crate) threads: Vec<Thread>,
    /// What goes wrong at the moment.
    pub(crate) trouble: Trouble,
    /// What to try next.
    pub(crate) hint: String,
}

/// What goes wrong.
pub(crate) struct Trouble {
    /// The forge answers 500.
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
    /// Written by the forge itself.
    pub(crate) system: bool,
}

#[derive(Template)]
#[template(path = "demo/page.html")]
struct Page<'a> {
    scene: &'a Scene,
    version: String,
    people: [Person; 4],
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

/// What is said to the person who pressed something.
#[derive(Clone, Debug)]
pub(crate) struct Feedback {
    /// On which side: the key of a forge or the chat.
    place: &'static str,
    /// Worth a warning colour.
    warns: bool,
    /// The sentence.
    text: String,
}

impl Feedback {
    /// What was wished is done, and is to be seen.
    pub(crate) fn nothing(place: &'static str) -> Self {
        Self { place, warns: false, text: String::new() }
    }

    /// What is to come.
    pub(crate) fn notice(place: &'static str, text: String) -> Self {
        Self { place, warns: false, text }
    }

    /// Why what was wished isn't done.
    pub(crate) fn warning(place: &'static str, text: String) -> Self {
        Self { place, warns: true, text }
    }
}

impl Scene {
    /// Reads everything.
    pub(crate) async fn read(stage: &Stage) -> Result<Self, StoreError> {
        Ok(Self {
            sides: Forge::ALL.map(|forge| side(stage, forge)),
            environments: gitlab::environments(stage),
            run: github::newest_run(stage),
            checks: github::checks(stage),
            channel: slack::channel(stage),
            chains: stage.ledger().await?,
        })
    }

    /// A digest of everything that is shown: it changes exactly when the page has to.
    pub(crate) fn version(&self) -> Result<String, askama::Error> {
        let shown = Bare { scene: self, swap: false }.render()?;
        Ok(hex::encode(Sha256::digest(shown)))
    }

    /// The whole page.
    pub(crate) fn page(&self) -> Result<String, askama::Error> {
        Page { scene: self, version: self.version()?, people: Person::ALL, swap: false }.render()
    }

    /// The parts that change, to be swapped into the page.
    pub(crate) fn update(&self, feedback: Option<&Feedback>) -> Result<String, askama::Error> {
        Update { scene: self, version: self.version()?, feedback, swap: true }.render()
    }
}

fn side(stage: &Stage, forge: Forge) -> Side {
    let shop = stage.world.on(forge);
    let (said, hooks) = (shop.said(), shop.hooks());
    let trouble = Trouble {
        outage: stage.is_out(forge),
        losing: stage.is_losing(forge),
        lost: hooks.lost,
        last_lost: hooks.last_lost,
    };
    let hint = hint::next(forge, shop, &said, &trouble);
    Side { forge, request: shop.request(), threads: threads(&said), trouble, hint }
}

fn threads(said: &[Said]) -> Vec<Thread> {
    let mut threads: Vec<(&str, Thread)> = Vec::new();
    for one in said {
        let known = threads.iter_mut().find(|(thread, _)| *thread == one.thread);
        match known {
            Some((_, thread)) => thread.answers.push(comment(one)),
            None => threads.push((&one.thread, Thread { first: comment(one), answers: Vec::new() })),
        }
    }
    threads.into_iter().rev().map(|(_, thread)| thread).collect()
}

fn comment(said: &Said) -> Comment {
    let reactions = said.reactions.iter().map(|(name, who)| (emoji(name), who.clone()));
    Comment {
        author: said.author.clone(),
        initial: said.author.chars().take(1).flat_map(char::to_uppercase).collect(),
        at: clock(said.at),
        html: markdown::html(&said.body),
        reactions: reactions.collect(),
        is_bot: said.by_bot,
        system: said.system,
    }
}

fn emoji(name: &str) -> String {
    match name {
        "eyes" => "👀".to_owned(),
        "thumbsup" | "+1" => "👍".to_owned(),
        "thumbsdown" | "-1" => "👎".to_owned(),
        other => format!(":{other}:"),
    }
}

/// `08:10:31`.
pub(super) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}
