//! The sentences that stories are told in.

use super::acts::acted;
use super::arrange::arranged;
use super::world::World;
use countersign::sim::gitlab::DeploymentView;

pub(super) type Told = Result<(), String>;

/// Plays one sentence.
pub(crate) async fn play(world: &mut World, sentence: &str) -> Told {
    let sentence = sentence.trim_end_matches('.');
    let words = split(sentence);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if told(world, &words)? || checked(world, &words).await? {
        return Ok(());
    }
    expect_silence(world)?;
    if arranged(world, &words).await? || acted(world, &words)? {
        world.settle().await;
        return Ok(());
    }
    Err("no such sentence: see tests/it/story/steps.rs".to_owned())
}

/// Before anybody acts, everything that Countersign wrote must have been told.
fn expect_silence(world: &World) -> Told {
    match world.unread().first() {
        Some(note) => Err(format!("Countersign wrote something the story doesn't tell: {}", note.body)),
        None => Ok(()),
    }
}

/// What Countersign says.
fn told(world: &mut World, words: &[&str]) -> Result<bool, String> {
    match words {
        ["countersign", "answers", part] => {
            let note = world.unread().into_iter().next().ok_or("Countersign wrote nothing")?;
            contains(&note.body, part)?;
            world.read.insert(note.id);
        }
        ["countersign", "also", "says", part] => {
            let read: Vec<_> = world.read.iter().copied().collect();
            let last = read.last().and_then(|note| world.gitlab.note(*note)).ok_or("nothing was read yet")?;
            contains(&last.body, part)?;
        }
        ["countersign", "does", "not", "say", part] => {
            let read: Vec<_> = world.read.iter().copied().collect();
            let last = read.last().and_then(|note| world.gitlab.note(*note)).ok_or("nothing was read yet")?;
            if last.body.contains(part) {
                return Err(format!("it says it: {}", last.body));
            }
        }
        ["countersign", "says", "nothing"] => expect_silence(world)?,
        ["the", "card", "says", part] => contains(&card(world)?, part)?,
        ["the", "card", "does", "not", "say", part] => {
            let card = card(world)?;
            if card.contains(part) {
                return Err(format!("the card says it: {card}"));
            }
        }
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

/// What is to be seen in GitLab.
async fn checked(world: &mut World, words: &[&str]) -> Result<bool, String> {
    match words {
        [environment, "is", status @ ("blocked" | "running" | "success" | "failed" | "canceled")] => {
            let newest = newest(world, environment)?;
            expect(&newest.status, status)?;
        }
        ["the", "first", "deployment", "to", environment, "is", status] => {
            let first = deployments(world, environment).into_iter().next().ok_or("there is none")?;
            expect(&first.status, status)?;
        }
        ["the", "job", "of", environment, "was", "played", times] => {
            let plays: u32 = deployments(world, environment)
                .iter()
                .filter_map(|deployment| deployment.job)
                .map(|job| world.gitlab.plays(job))
                .sum();
            expect(&plays.to_string(), &number(times)?.to_string())?;
        }
        ["there", "are", count, "deployments", "to", environment] => {
            expect(&deployments(world, environment).len().to_string(), &number(count)?.to_string())?;
        }
        _ => return Ok(voted(world, words)? || counted(world, words).await?),
    }
    Ok(true)
}

/// Which votes and words GitLab holds.
fn voted(world: &World, words: &[&str]) -> Result<bool, String> {
    match words {
        ["GitLab", "holds", "an", verdict @ ("approval" | "rejection"), "by", name] => {
            let wanted = if *verdict == "approval" { "approved" } else { "rejected" };
            let held = world.gitlab.deployments(world.project);
            if !held.iter().flat_map(|d| &d.approvals).any(|a| a.user == *name && a.status == wanted) {
                return Err(format!("it doesn't: {held:?}"));
            }
        }
        ["GitLab", "holds", "no", "votes"] => {
            let held = world.gitlab.deployments(world.project);
            if held.iter().any(|d| !d.approvals.is_empty()) {
                return Err(format!("it does: {held:?}"));
            }
        }
        ["GitLab", "was", "told", words] => {
            let held = world.gitlab.deployments(world.project);
            let told: Vec<_> =
                held.iter().flat_map(|d| &d.approvals).filter_map(|a| a.comment.as_deref()).collect();
            if !told.contains(words) {
                return Err(format!("it was told {told:?}"));
            }
        }
        ["nobody", "approved", "the", "merge", "request"] => {
            let request = world.gitlab.merge_request(world.project, world.request).ok_or("it is gone")?;
            expect(&format!("{:?}", request.approved_by), "[]")?;
        }
        ["that", "has", count, "reactions"] => {
            let note =
                world.last_note.and_then(|note| world.gitlab.note(note)).ok_or("there is no comment")?;
            expect(&note.reactions.len().to_string(), &number(count)?.to_string())?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What was asked of GitLab, and what the ledger tells.
async fn counted(world: &World, words: &[&str]) -> Result<bool, String> {
    match words {
        ["at", "most", count, "calls", "were", "made"] => {
            let made = world.gitlab.requests().len();
            if made > number(count)? as usize {
                return Err(format!("{made} calls were made"));
            }
        }
        ["the", "ledger", "of", environment, "tells", rest @ ..] => {
            return super::world::ledger_tells(world, environment, rest).await.map(|()| true);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn card(world: &World) -> Result<String, String> {
    world.card().map(|card| card.body).ok_or_else(|| "there is no card".to_owned())
}

fn deployments(world: &World, environment: &str) -> Vec<DeploymentView> {
    let all = world.gitlab.deployments(world.project);
    all.into_iter().filter(|deployment| deployment.environment == environment).collect()
}

pub(super) fn newest(world: &World, environment: &str) -> Result<DeploymentView, String> {
    deployments(world, environment).pop().ok_or_else(|| format!("nothing was deployed to {environment}"))
}

fn contains(text: &str, part: &str) -> Told {
    if text.contains(part) { Ok(()) } else { Err(format!("it doesn't say {part:?}, but: {text}")) }
}

fn expect(is: &str, should: &str) -> Told {
    if is == should { Ok(()) } else { Err(format!("it is {is}, not {should}")) }
}

pub(super) fn number(word: &str) -> Result<u32, String> {
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
