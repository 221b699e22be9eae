//! The sentences that stories are told in.

use super::acts::acted;
use super::arrange::arranged;
use super::chat::{self, Chat};
use super::stage::{Stage, Standing};
use super::world::World;

pub(super) type Told = Result<(), String>;

/// Plays one sentence.
pub(crate) async fn play<S: Stage>(world: &mut World<S>, sentence: &str) -> Told {
    let chat = world.chat.as_ref().map_or("", |chat| chat.stage.name());
    let words = split(S::fill(sentence).replace("{chat}", chat).trim_end_matches('.'));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if told(world, &words)? || chat::told(world, &words)? || checked(world, &words).await? {
        return Ok(());
    }
    expect_silence(world)?;
    if chat::arranged(world, &words)? || arranged(world, &words).await? {
        world.settle().await;
        return Ok(());
    }
    if chat::acted(world, &words).await? || acted(world, &words)? {
        world.settle().await;
        return Ok(());
    }
    Err("no such sentence: see tests/it/story/steps.rs".to_owned())
}

/// Before anybody acts, everything that Countersign wrote must have been told.
fn expect_silence<S: Stage>(world: &World<S>) -> Told {
    if let Some(unread) = world.chat.as_ref().and_then(Chat::unread) {
        return Err(format!("Countersign wrote something in the chat that the story doesn't tell: {unread}"));
    }
    match world.unread().first() {
        Some(said) => Err(format!("Countersign wrote something the story doesn't tell: {}", said.body)),
        None => Ok(()),
    }
}

/// What Countersign says.
fn told<S: Stage>(world: &mut World<S>, words: &[&str]) -> Result<bool, String> {
    match words {
        ["countersign", "answers", part] => {
            let said = world.unread().into_iter().next().ok_or("Countersign wrote nothing")?;
            contains(&said.body, part)?;
            world.read.insert(said.id);
        }
        ["countersign", "also", "says", part] => contains(&last_read(world)?, part)?,
        ["countersign", "does", "not", "say", part] => lacks(&last_read(world)?, part)?,
        ["countersign", "says", "nothing"] => expect_silence(world)?,
        ["the", "card", "says", part] => contains(&card(world)?, part)?,
        ["the", "card", "does", "not", "say", part] => lacks(&card(world)?, part)?,
        ["there", "is", "no", "card"] => {
            if world.cards() > 0 {
                return Err(card(world)?);
            }
        }
        ["there", "is", "one", "card"] => {
            if world.cards() != 1 {
                return Err(format!("there are {} cards", world.cards()));
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn last_read<S: Stage>(world: &World<S>) -> Result<String, String> {
    let last = world.read.last().and_then(|comment| world.stage.said(*comment));
    last.map(|said| said.body).ok_or_else(|| "nothing was read yet".to_owned())
}

/// What is to be seen on the forge.
async fn checked<S: Stage>(world: &mut World<S>, words: &[&str]) -> Result<bool, String> {
    match words {
        [environment, "is", status @ ("blocked" | "running" | "success" | "failed" | "canceled")] => {
            let newest = world.stage.deployments(environment).pop();
            let newest = newest.ok_or_else(|| format!("nothing was deployed to {environment}"))?;
            expect(&newest.status, status)?;
        }
        ["the", "first", "deployment", "to", environment, "is", status] => {
            let first = world.stage.deployments(environment).into_iter().next().ok_or("there is none")?;
            expect(&first.status, status)?;
        }
        [environment, "was", "started", times] | [environment, "was", "started", times, "times"] => {
            let started: u32 = world.stage.deployments(environment).iter().map(|one| one.started).sum();
            expect(&started.to_string(), &number(times)?.to_string())?;
        }
        ["there", "are", count, "deployments", "to", environment] => {
            let all: Vec<Standing> = world.stage.deployments(environment);
            expect(&all.len().to_string(), &number(count)?.to_string())?;
        }
        _ => {
            return Ok(voted(world, words)? || counted(world, words).await? || world.stage.check(words)?);
        }
    }
    Ok(true)
}

/// Which votes and words the forge holds.
fn voted<S: Stage>(world: &World<S>, words: &[&str]) -> Result<bool, String> {
    let held = world.stage.votes();
    match words {
        ["the", "forge", "holds", "an" | "a", verdict @ ("approval" | "rejection"), "by", name] => {
            let approved = *verdict == "approval";
            if !held.iter().any(|vote| vote.by == *name && vote.approved == approved) {
                return Err(format!("it doesn't: {held:?}"));
            }
        }
        ["the", "forge", "holds", "no", "votes"] => {
            if !held.is_empty() {
                return Err(format!("it does: {held:?}"));
            }
        }
        ["the", "forge", "was", "told", words] => {
            if !held.iter().any(|vote| vote.comment.contains(words)) {
                return Err(format!("it was told {held:?}"));
            }
        }
        ["that", "has", count, "reactions"] => {
            let said = world.last_comment.and_then(|comment| world.stage.said(comment));
            let said = said.ok_or("there is no comment")?;
            expect(&said.reactions.to_string(), &number(count)?.to_string())?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What was asked of the forge, and what the ledger tells.
async fn counted<S: Stage>(world: &World<S>, words: &[&str]) -> Result<bool, String> {
    match words {
        ["at", "most", count, "calls", "were", "made"] => {
            let made = world.stage.calls();
            if made > number(count)? as usize {
                return Err(format!("{made} calls were made"));
            }
        }
        ["the", "ledger", "of", environment, "tells", "of", part] => {
            if world.entries_of(environment, part).await? == 0 {
                return Err("it doesn't".to_owned());
            }
        }
        ["the", "ledger", "of", environment, "tells", "of", part, times, "times"]
        | ["the", "ledger", "of", environment, "tells", "of", part, times @ ("once" | "twice")] => {
            let found = world.entries_of(environment, part).await?;
            expect(&found.to_string(), &number(times)?.to_string())?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn card<S: Stage>(world: &World<S>) -> Result<String, String> {
    world.card().map(|card| card.body).ok_or_else(|| "there is no card".to_owned())
}

pub(super) fn lacks(text: &str, part: &str) -> Told {
    if text.contains(part) { Err(format!("it says it: {text}")) } else { Ok(()) }
}

pub(super) fn contains(text: &str, part: &str) -> Told {
    if text.contains(part) { Ok(()) } else { Err(format!("it doesn't say {part:?}, but: {text}")) }
}

pub(super) fn expect(is: &str, should: &str) -> Told {
    if is == should { Ok(()) } else { Err(format!("it is {is}, not {should}")) }
}

pub(crate) fn number(word: &str) -> Result<u32, String> {
    let words = ["never", "once", "twice"];
    let names = ["no", "one", "two", "three", "four", "five", "six"];
    words
        .iter()
        .position(|known| *known == word)
        .or_else(|| names.iter().position(|known| *known == word))
        .map(|at| u32::try_from(at).unwrap_or_default())
        .or_else(|| word.parse().ok())
        .ok_or_else(|| format!("{word} is no number"))
}

/// Words, with what stands in quotation marks or backticks as one.
fn split(sentence: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    for c in sentence.chars() {
        match quote {
            Some(end) if c == end => {
                words.push(std::mem::take(&mut word));
                quote = None;
            }
            None if c == '"' || c == '“' => quote = Some(if c == '“' { '”' } else { c }),
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            Some(_) | None => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
