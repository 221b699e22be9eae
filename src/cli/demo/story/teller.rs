//! Telling and checking: one line at a time.

use super::Astray;
use crate::cli::demo::markdown;
use crate::cli::demo::world::{BOT, Forge, OnSlack, Person, Refused, Said, World};
use crate::cli::wiring::Built;
use crate::ports::clock::Clock;
use crate::ports::store::StoreError;
use crate::sim::clock::HandClock;
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
    /// Where things happen for the moment.
    pub(super) forge: Forge,
    time: HandClock,
    out: &'a mut (dyn Write + Send),
    line: usize,
}

impl<'a> Teller<'a> {
    pub(super) fn new(world: World, built: Built, time: HandClock, out: &'a mut (dyn Write + Send)) -> Self {
        Self { world, built, forge: Forge::GitLab, time, out, line: 0 }
    }

    /// Ends the server, both forges and the chat.
    pub(super) async fn close(self) {
        self.world.stop().await;
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

    /// What is to be seen there, in full.
    pub(super) fn shows(&mut self, what: &str, seen: &str) -> Told {
        self.print(&format!("- {what}:"))?;
        seen.lines().try_for_each(|line| self.print(format!("  > {line}").trim_end()))
    }

    /// Time passes, and whatever follows from it happens.
    pub(super) async fn pass(&mut self, span: SignedDuration) -> Told {
        self.time.advance(span);
        self.settle().await
    }

    /// Webhooks are delivered and jobs run until nothing is left to do for the moment.
    pub(super) async fn settle(&mut self) -> Told {
        loop {
            let delivered = self.world.deliver_hooks().await;
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

    /// Something is done in a forge at this time, which allows it.
    pub(super) async fn does(
        &mut self,
        what: &str,
        act: impl FnOnce(&World, Timestamp) -> Result<(), Refused>,
    ) -> Told {
        self.time.advance(PAUSE);
        let done = act(&self.world, self.now());
        self.told(what, done.is_ok(), done.err())?;
        self.settle().await
    }

    /// Something is done in the channel at this time, which Slack allows.
    pub(super) async fn chats(
        &mut self,
        what: &str,
        act: impl AsyncFnOnce(&OnSlack) -> Result<(), Refused>,
    ) -> Told {
        self.time.advance(PAUSE);
        let slack = self.world.slack.clone();
        let done = act(&slack).await;
        self.told(what, done.is_ok(), done.err())?;
        self.settle().await
    }

    /// Somebody comments, and it arrives as a comment.
    pub(super) async fn comments(&mut self, by: Person, text: &str) -> Result<u64, Ended> {
        self.time.advance(PAUSE);
        let line = format!("{} writes “{text}”.", by.username());
        match self.world.on(self.forge).comment(by, text) {
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
    pub(super) fn answers(&mut self, note: u64, words: &str) -> Told {
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

    /// What the bot wrote to answer a comment: in its discussion; on GitHub, which has none, before anybody else
    /// said anything.
    pub(super) fn answers_to(&self, note: u64) -> Vec<Said> {
        let said = self.said_there();
        let Some(at) = said.iter().position(|known| known.id == note) else { return Vec::new() };
        let thread = said.get(at).map(|known| known.thread.clone());
        let behind = said.into_iter().skip(at + 1);
        match self.forge {
            Forge::GitLab => {
                behind.filter(|known| known.by_bot && Some(&known.thread) == thread.as_ref()).collect()
            }
            Forge::GitHub => behind.take_while(|known| known.by_bot).collect(),
        }
    }

    /// The bot's newest comment that holds these words.
    pub(super) fn bot_said(&self, words: &str) -> Option<String> {
        let by_bot = self.said_there().into_iter().filter(|known| known.by_bot);
        by_bot.map(|known| known.body).rfind(|body| markdown::lines(body).join(" ").contains(words))
    }

    /// Everything that was said below the request, oldest first.
    pub(super) fn said_there(&self) -> Vec<Said> {
        self.world.on(self.forge).said()
    }

    /// Prints a line of prose that needs no check.
    pub(super) fn print(&mut self, text: &str) -> Told {
        self.line += text.matches('\n').count() + 1;
        Ok(writeln!(self.out, "{text}")?)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.time.time()
    }

    /// The story ends here, since this line did not come true.
    pub(super) fn astray(&self, told: &str, saw: String) -> Ended {
        let saw = if saw == "()" { String::new() } else { saw };
        Ended::Astray(Astray { line: self.line + 1, told: told.to_owned(), saw })
    }
}
