//! Telling and checking: one line at a time.

use super::Astray;
use crate::cli::demo::markdown;
use crate::cli::demo::world::{BOT, Person, World};
use crate::cli::wiring::Built;
use crate::ports::clock::Clock;
use crate::ports::store::StoreError;
use crate::sim::clock::HandClock;
use crate::sim::gitlab::{NoteId, NoteView, Refused};
use jiff::{SignedDuration, Timestamp};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Between two things that people do.
const PAUSE: SignedDuration = SignedDuration::from_secs(20);
/// What becomes due within this is waited for before the story goes on.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// The story's time and ids: both the same in every run.
pub(crate) struct HandTime {
    time: HandClock,
    ids: AtomicU64,
}

impl HandTime {
    /// Ids counted from one, times from this clock.
    pub(crate) fn new(time: HandClock) -> Arc<Self> {
        Arc::new(Self { time, ids: AtomicU64::new(1) })
    }
}

impl Clock for HandTime {
    fn now(&self) -> Timestamp {
        self.time.time()
    }

    fn new_id(&self) -> String {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        let millis = self.time.time().as_millisecond();
        format!("{millis:012x}-{number:012x}")
    }
}

/// Why the telling ended early.
pub(super) enum Ended {
    Astray(Astray),
    Broken(anyhow::Error),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Broken(error.into())
    }
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.into())
    }
}

pub(super) type Told = Result<(), Ended>;

/// Moves the world, tells what happened, and checks it.
pub(super) struct Teller<'a> {
    pub(super) world: World,
    pub(super) built: Built,
    time: HandClock,
    out: &'a mut (dyn Write + Send),
    line: usize,
}

impl<'a> Teller<'a> {
    pub(super) fn new(world: World, built: Built, time: HandClock, out: &'a mut (dyn Write + Send)) -> Self {
        Self { world, built, time, out, line: 0 }
    }

    /// Ends both servers.
    pub(super) async fn close(self) {
        self.world.gitlab.stop().await;
        self.built.close().await;
    }

    /// A heading, and what it is about.
    pub(super) fn chapter(&mut self, heading: &str, about: &str) -> Told {
        let lead = if self.line == 0 { "" } else { "\n" };
        self.print(&format!("{lead}{heading}\n"))?;
        self.print(&format!("{about}\n"))
    }

    /// A line that came true if `holds`; `saw` says what is to be seen instead.
    pub(super) fn told(&mut self, text: &str, holds: bool, saw: impl std::fmt::Debug) -> Told {
        if holds {
            return self.print(&format!("- {text}"));
        }
        Err(self.astray(text, format!("{saw:?}")))
    }

    /// A comment of the bot's, in full.
    pub(super) fn quoted(&mut self, what: &str, body: &str) -> Told {
        self.print(&format!("- {BOT} {what}:"))?;
        for line in markdown::lines(body) {
            self.print(&format!("  > {line}"))?;
        }
        Ok(())
    }

    /// Time passes, and whatever follows from it happens.
    pub(super) async fn pass(&mut self, span: SignedDuration) -> Told {
        self.time.advance(span);
        self.settle().await
    }

    /// Webhooks are delivered and jobs run until nothing is left to do for the moment.
    pub(super) async fn settle(&mut self) -> Told {
        loop {
            let delivered = self.world.gitlab.deliver_hooks().await;
            let ran = self.built.worker.run_until_idle().await;
            if delivered + ran > 0 {
                continue;
            }
            let now = self.time.time();
            match self.built.app.store.next_due(now).await? {
                Some(due) if due <= now + PATIENCE => self.time.advance(due.duration_since(now)),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Somebody does something in GitLab, which lets them.
    pub(super) async fn does(&mut self, what: &str, act: impl FnOnce(&World) -> Result<(), Refused>) -> Told {
        self.time.advance(PAUSE);
        let done = act(&self.world);
        self.told(what, done.is_ok(), done.err())?;
        self.settle().await
    }

    /// Somebody comments, and it arrives as a comment.
    pub(super) async fn comments(&mut self, by: Person, text: &str) -> Result<NoteId, Ended> {
        self.time.advance(PAUSE);
        let line = format!("{} writes “{text}”.", by.username());
        match self.world.comment(by, text) {
            Ok(Some(note)) => {
                self.told(&line, true, ())?;
                self.settle().await?;
                Ok(note)
            }
            other => Err(self.astray(&line, format!("{other:?}"))),
        }
    }

    /// Somebody comments, and the bot answers below it with these words in its answer.
    pub(super) async fn asks(&mut self, by: Person, text: &str, words: &str) -> Told {
        let note = self.comments(by, text).await?;
        self.answers(note, words)
    }

    /// The bot has answered this comment exactly once, with these words in its answer.
    pub(super) fn answers(&mut self, note: NoteId, words: &str) -> Told {
        let answers = self.answers_to(note);
        let told = format!("{BOT} answers with “{words}”");
        match answers.as_slice() {
            [only] if markdown::lines(&only.body).join(" ").contains(words) => {
                let body = only.body.clone();
                self.quoted("answers", &body)
            }
            other => {
                let saw = other.iter().map(|note| note.body.as_str()).collect::<Vec<_>>().join("\n");
                Err(self.astray(&told, saw))
            }
        }
    }

    /// What the bot wrote below a comment.
    pub(super) fn answers_to(&self, note: NoteId) -> Vec<NoteView> {
        let notes = self.notes();
        let discussion = notes.iter().find(|known| known.id == note).map(|known| known.discussion.clone());
        let below = |known: &NoteView| Some(&known.discussion) == discussion.as_ref() && known.author == BOT;
        notes.into_iter().filter(below).collect()
    }

    /// The bot's newest comment that holds these words.
    pub(super) fn said(&self, words: &str) -> Option<String> {
        let by_bot = self.notes().into_iter().filter(|note| note.author == BOT);
        by_bot.map(|note| note.body).rfind(|body| markdown::lines(body).join(" ").contains(words))
    }

    pub(super) fn notes(&self) -> Vec<NoteView> {
        self.world.gitlab.notes_of(self.world.project, self.world.request)
    }

    /// `blocked`, `running`… as GitLab's environments page shows the newest deployment.
    pub(super) fn status(&self, environment: &str) -> String {
        self.world.newest(environment).map(|deployment| deployment.status).unwrap_or_default()
    }

    /// How often the newest deployment's job was played, and the user name that it runs as.
    pub(super) fn plays(&self, environment: &str) -> (u32, String) {
        let job = self.world.newest(environment).and_then(|deployment| deployment.job);
        let played = job.map(|job| self.world.gitlab.plays(job)).unwrap_or_default();
        (played, job.and_then(|job| self.world.gitlab.job(job)).map(|job| job.user).unwrap_or_default())
    }

    /// Prints a line of prose that needs no check.
    pub(super) fn print(&mut self, text: &str) -> Told {
        self.line += text.matches('\n').count() + 1;
        Ok(writeln!(self.out, "{text}")?)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.time.time()
    }

    fn astray(&self, told: &str, saw: String) -> Ended {
        let saw = if saw == "()" { String::new() } else { saw };
        Ended::Astray(Astray { line: self.line + 1, told: told.to_owned(), saw })
    }
}
