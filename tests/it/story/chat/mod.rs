//! Stories in chats: a channel `deploys` in which deployments of the forge are announced, and the same people.
//!
//! dana, alice, bob and carol have accounts here that are linked to theirs on the forge; mallory's is linked to
//! nothing. Whatever Countersign writes, to all or to one person alone, has to be told by the story.

mod mattermost;
mod slack;

pub(crate) use mattermost::OnMattermost;
pub(crate) use slack::OnSlack;

use super::stage::{Done, Stage, Switches};
use super::steps::{Told, contains, expect, lacks, number};
use super::world::World;
use async_trait::async_trait;
use countersign::sim::clock::HandClock;
use countersign::sim::faults::{Action, Rule, Watcher};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Everybody with an account.
pub(crate) const PEOPLE: [&str; 5] = ["dana", "alice", "bob", "carol", "mallory"];
/// Those whose account is linked to one of the forge.
pub(crate) const LINKED: [&str; 4] = ["dana", "alice", "bob", "carol"];

/// Something that Countersign wrote.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) id: String,
    /// The message whose thread it stands in.
    pub(crate) thread: Option<String>,
    /// What people read.
    pub(crate) text: String,
    /// What stands on its buttons.
    pub(crate) buttons: Vec<String>,
    /// Where its links lead.
    pub(crate) links: Vec<String>,
}

/// One chat, as stories need it. People go by their names.
#[async_trait]
pub(crate) trait ChatStage: Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;
    /// The channel, as `notify` names it.
    fn channel(&self) -> String;
    /// The same channel under its other name, where it has two.
    fn channel_by_id(&self) -> String {
        self.channel()
    }
    /// Its table, and `[[person]]` for everybody who is linked to an account of this forge. Commands and buttons are
    /// pointed at Countersign's address.
    fn tables(&self, forge: &str, countersign: SocketAddr) -> String;
    /// These tables for another instance, with access of its own where the chat can give such.
    fn tables_of_another(&self, tables: &str) -> String {
        tables.to_owned()
    }
    /// Somebody watches every call from now on.
    fn watch(&self, watcher: Watcher);
    /// What Countersign wrote into the channel and its threads, oldest first.
    fn messages(&self) -> Vec<Seen>;
    /// What one person alone sees of it, oldest first.
    fn whispers(&self, to: &str) -> Vec<Seen>;
    /// Who was notified, oldest first.
    fn notified(&self) -> Vec<String>;
    /// Types the slash command with these words, in a thread if one is named.
    async fn types(&self, by: &str, words: &str, thread: Option<&str>) -> Done;
    /// Presses a button of a message, or of something that one person alone sees.
    async fn presses(&self, by: &str, on: &Seen, button: &str) -> Done;
    /// What the form shows that stands open before somebody.
    fn form(&self, of: &str) -> Option<String>;
    /// Sends that form.
    async fn sends(&self, by: &str, reason: Option<&str>) -> Done;
    /// Approving needs a form to be sent: the client knows no confirmation of its own.
    fn confirms_by_form(&self) -> bool;
    /// A part of the path of every edit.
    fn path_of_edits(&self) -> &'static str;
    fn add_fault(&self, rule: Rule);
    fn clear_faults(&self);
    /// Messages can't be edited from now on.
    fn close_edits(&self);
    /// The configuration with placeholders that only this chat has a meaning for.
    fn fill(&self, text: &str) -> String {
        text.to_owned()
    }
    /// What is to be seen only here.
    fn check(&self, _words: &[&str]) -> Result<bool, String> {
        Ok(false)
    }
    /// How only this chat behaves.
    fn arrange(&self, words: &[&str]) -> Result<bool, String>;
    /// What somebody does that other chats don't know.
    async fn act(&self, by: &str, words: &[&str]) -> Result<bool, String>;
}

/// The chat of a story, and what of it was told.
pub(crate) struct Chat {
    pub(crate) stage: Box<dyn ChatStage>,
    read: BTreeSet<String>,
    last: Option<Seen>,
    told_pings: Vec<String>,
}

impl Chat {
    pub(crate) fn new(stage: Box<dyn ChatStage>) -> Self {
        Self { stage, read: BTreeSet::new(), last: None, told_pings: Vec::new() }
    }

    /// What nobody has told yet: messages, what stands in threads, answers to one person.
    pub(crate) fn unread(&self) -> Option<String> {
        let alone = PEOPLE.iter().flat_map(|name| self.stage.whispers(name));
        let all = self.roots().into_iter().chain(self.news()).chain(alone);
        let unread = all.into_iter().find(|seen| !self.read.contains(&seen.id)).map(|seen| seen.text);
        unread.or_else(|| self.untold_pings().first().map(|who| format!("({who} was notified)")))
    }

    /// Everything that is to be seen, for a story that failed.
    pub(crate) fn scene(&self) -> String {
        let mut scene = format!("In {}:\n", self.stage.name());
        for seen in self.stage.messages() {
            let place = if seen.thread.is_some() { "  in the thread" } else { "in the channel" };
            let _ = writeln!(scene, "{place} [{}] {} {:?}", seen.id, seen.text, seen.buttons);
        }
        for name in PEOPLE {
            for seen in self.stage.whispers(name) {
                let _ = writeln!(scene, "to {name} alone: {} {:?}", seen.text, seen.buttons);
            }
        }
        scene
    }

    fn untold_pings(&self) -> Vec<String> {
        let mut pings = self.stage.notified();
        for told in &self.told_pings {
            if let Some(at) = pings.iter().position(|who| who == told) {
                pings.remove(at);
            }
        }
        pings
    }

    fn roots(&self) -> Vec<Seen> {
        self.stage.messages().into_iter().filter(|seen| seen.thread.is_none()).collect()
    }

    /// What stands in threads, line by line: news that come at once are told in one message, or in two.
    fn news(&self) -> Vec<Seen> {
        self.stage
            .messages()
            .into_iter()
            .filter(|seen| seen.thread.is_some())
            .flat_map(|seen| lines(&seen))
            .collect()
    }

    /// The message that a line stands in.
    fn whole(&self, line: &Seen) -> Option<Seen> {
        self.stage.messages().into_iter().find(|seen| line.id.starts_with(&line_id(seen, "")))
    }

    fn newest(&self) -> Result<Seen, String> {
        self.roots().pop().ok_or_else(|| "there is no message in the channel".to_owned())
    }

    /// Takes the next unread one for told.
    fn next(&mut self, all: Vec<Seen>, what: &str) -> Result<Seen, String> {
        let seen = all.into_iter().find(|seen| !self.read.contains(&seen.id));
        let seen = seen.ok_or_else(|| format!("there is nothing new {what}"))?;
        self.read.insert(seen.id.clone());
        self.last = Some(seen.clone());
        Ok(seen)
    }
}

/// What is to be read in the chat.
pub(super) fn told<S: Stage>(world: &mut World<S>, words: &[&str]) -> Result<bool, String> {
    let Some(chat) = &mut world.chat else { return Ok(false) };
    match words {
        ["the", "channel", "is", "told", part] => {
            let seen = chat.next(chat.roots(), "in the channel")?;
            contains(&seen.text, part)?;
        }
        ["the", "thread", "is", "told", part] => {
            let seen = chat.next(chat.news(), "in a thread")?;
            contains(&seen.text, part)?;
            chat.last = chat.whole(&seen);
        }
        [name, "alone", "is", "told", part] => {
            let seen = chat.next(chat.stage.whispers(name), "for them")?;
            contains(&seen.text, part)?;
        }
        ["that", "also", "says", part] => {
            let whole = last(chat)?.clone();
            contains(&whole.text, part)?;
            chat.read.extend(
                lines(&whole).into_iter().filter(|line| line.text.contains(part)).map(|line| line.id),
            );
        }
        ["that", "does", "not", "say", part] => lacks(&last(chat)?.text, part)?,
        ["that", "has", "the", "buttons", buttons @ ..] => expect_buttons(last(chat)?, buttons)?,
        [name, "was", "notified"] => {
            if !chat.untold_pings().iter().any(|who| who == name) {
                return Err(format!("{:?} were", chat.untold_pings()));
            }
            chat.told_pings.push((*name).to_owned());
        }
        _ => return Ok(message_told(chat, words)? || chat.stage.check(words)?),
    }
    Ok(true)
}

/// What the newest message shows.
fn message_told(chat: &Chat, words: &[&str]) -> Result<bool, String> {
    match words {
        ["the", "message", "says", part] => contains(&chat.newest()?.text, part)?,
        ["the", "message", "does", "not", "say", part] => lacks(&chat.newest()?.text, part)?,
        ["the", "message", "leads", "to", part] => {
            let links = chat.newest()?.links;
            if !links.iter().any(|link| link.contains(part)) {
                return Err(format!("it leads to {links:?}"));
            }
        }
        ["the", "message", "does", "not", "lead", "to", part] => {
            let links = chat.newest()?.links;
            if links.iter().any(|link| link.contains(part)) {
                return Err(format!("it leads to {links:?}"));
            }
        }
        ["the", "message", "has", "no", "buttons"] => {
            let buttons = chat.newest()?.buttons;
            let decides = |button: &&String| *button != "Open";
            expect(&buttons.iter().filter(decides).count().to_string(), "0")?;
        }
        ["the", "message", "has", "the", "buttons", buttons @ ..] => {
            expect_buttons(&chat.newest()?, buttons)?;
        }
        ["there", "is", "no", "message"] => expect(&chat.roots().len().to_string(), "0")?,
        ["there", "is", "one", "message"] => expect(&chat.roots().len().to_string(), "1")?,
        ["there", "are", count, "messages"] => {
            expect(&chat.roots().len().to_string(), &number(count)?.to_string())?;
        }
        [name, "sees", "a", "form", "that", "says", part] => {
            let form = chat.stage.form(name).ok_or("no form stands open")?;
            contains(&form, part)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// The news of a message, each once: lines that begin with a deployment's number. What stands below tells of all of
/// them. Where there are none, the message is one.
fn lines(of: &Seen) -> Vec<Seen> {
    let mut shown = BTreeSet::new();
    let mut news: Vec<&str> =
        of.text.lines().filter(|line| line.starts_with('*') && shown.insert(*line)).collect();
    if news.is_empty() {
        news.push(&of.text);
    }
    news.into_iter().map(|line| Seen { id: line_id(of, line), text: line.to_owned(), ..of.clone() }).collect()
}

fn line_id(of: &Seen, line: &str) -> String {
    format!("{}: {line}", of.id)
}

fn last(chat: &Chat) -> Result<&Seen, String> {
    chat.last.as_ref().ok_or_else(|| "nothing was read yet".to_owned())
}

fn expect_buttons(seen: &Seen, buttons: &[&str]) -> Told {
    let wanted: Vec<&str> =
        buttons.iter().filter(|word| **word != "and").map(|word| word.trim_end_matches(',')).collect();
    // Where buttons can't lead anywhere, a link does.
    let there: Vec<&str> =
        seen.buttons.iter().map(String::as_str).filter(|button| *button != "Open").collect();
    expect(&there.join(", "), &wanted.join(", "))
}

/// How the chat behaves.
pub(super) fn arranged<S: Stage>(world: &mut World<S>, words: &[&str]) -> Result<bool, String> {
    let Some(chat) = &world.chat else { return Ok(false) };
    let body = || r#"{"ok":false,"error":"fatal_error"}"#.to_owned();
    let status = |word: &str| number(word).map(|status| u16::try_from(status).unwrap_or(500));
    match words {
        ["the", "chat", "answers", code, "to", "everything"] => {
            chat.stage.add_fault(Rule::new("", Action::Answer { status: status(code)?, body: body() }));
        }
        ["the", "chat", "limits", "the", "next", "call", "for", seconds, "seconds"] => {
            let retry_after = Some(u64::from(number(seconds)?));
            chat.stage.add_fault(Rule::new("", Action::TooManyRequests { retry_after }).times(1));
        }
        ["the", "answer", "to", "the", "next", "edit", "in", "the", "chat", "is", "lost"] => {
            chat.stage.add_fault(Rule::new(chat.stage.path_of_edits(), Action::ActThenDrop).times(1));
        }
        ["the", "chat", "is", "well", "again"] => chat.stage.clear_faults(),
        ["the", "chat", "allows", "no", "more", "edits"] => chat.stage.close_edits(),
        ["the", "worker", "rests"] => world.works = false,
        ["the", "worker", "works", "again"] => world.works = true,
        words => return chat.stage.arrange(words),
    }
    Ok(true)
}

/// What somebody does in the chat.
pub(super) async fn acted<S: Stage>(world: &mut World<S>, words: &[&str]) -> Result<bool, String> {
    let Some(chat) = &world.chat else { return Ok(false) };
    let stage = chat.stage.as_ref();
    match words {
        [name, "types", text] => stage.types(name, command(text)?, None).await?,
        [name, "types", text, "in", "the", "thread"] => {
            stage.types(name, command(text)?, Some(&chat.newest()?.id)).await?;
        }
        [name, "types", text, "in", "the", "thread", "of", "the", "first", "message"] => {
            let first = chat.roots().into_iter().next().ok_or("there is no message")?;
            stage.types(name, command(text)?, Some(&first.id)).await?;
        }
        [name, "presses", button] => stage.presses(name, &chat.newest()?, button).await?,
        [name, "presses", button, "of", "the", "first", "message"] => {
            let first = chat.roots().into_iter().next().ok_or("there is no message")?;
            stage.presses(name, &first, button).await?;
        }
        [name, "presses", button, "of", "that"] => stage.presses(name, last(chat)?, button).await?,
        [name, "sends", "the", "form"] => stage.sends(name, None).await?,
        [name, "sends", "the", "form", "with", reason] => stage.sends(name, Some(reason)).await?,
        [name, "approves", "by", "the", "button"] => approve(stage, name, &chat.newest()?).await?,
        [name, "rejects", "by", "the", "button", "because", reason] => {
            stage.presses(name, &chat.newest()?, "Reject").await?;
            stage.sends(name, Some(reason)).await?;
        }
        [one, "and", other, "approve", "by", "the", "button", "in", "the", "same", "second"] => {
            let message = chat.newest()?;
            let both = (approve(stage, one, &message), approve(stage, other, &message));
            let (first, second) = tokio::join!(both.0, both.1);
            first?;
            second?;
        }
        [name, words @ ..] => return stage.act(name, words).await,
        [] => return Ok(false),
    }
    Ok(true)
}

async fn approve(stage: &dyn ChatStage, by: &str, on: &Seen) -> Done {
    stage.presses(by, on, "Approve").await?;
    if stage.confirms_by_form() { stage.sends(by, None).await } else { Ok(()) }
}

fn command(text: &str) -> Result<&str, String> {
    text.strip_prefix("/deploy").map(str::trim).ok_or_else(|| format!("{text} is no command of ours"))
}

/// Opens the chat that a story plays in.
pub(crate) trait Opens {
    fn open(clock: &HandClock, switches: &Switches) -> impl Future<Output = Box<dyn ChatStage>>;
}
