//! Messages: a notice or an answer, as blocks and as the text beside them, within Slack's limits.

use super::blocks::{actions, characters, contexts, header, section, sections, total};
use super::mrkdwn::{Room, line, lines, plain};
use super::{buttons, limits};
use crate::domain::chat::Choice;
use crate::domain::notice::Notice;
use crate::domain::wording::{Block, Line, Prose};
use serde_json::Value;

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Content {
    /// What notifications and screen readers tell: everything essential, in markup.
    pub(super) text: String,
    /// What is shown.
    pub(super) blocks: Vec<Value>,
}

/// Foreign text and lines at their full length.
const WIDE: Room = Room { foreign: limits::FOREIGN, line: limits::LINE };
/// For a note that more is left out.
const NOTE: usize = 60;
/// How many people a message calls at most.
const MOST_CALLED: usize = 50;

/// How much of a notice is shown.
struct Measure {
    room: Room,
    commits: usize,
    facts: usize,
    standing: usize,
}

/// From everything to the least. What is shortened first: the commits, then foreign words, then facts; how it stands
/// only where hundreds of jobs share one message.
const MEASURES: [Measure; 6] = [
    Measure { room: WIDE, commits: usize::MAX, facts: usize::MAX, standing: usize::MAX },
    Measure { room: WIDE, commits: 10, facts: usize::MAX, standing: usize::MAX },
    Measure { room: WIDE, commits: 0, facts: usize::MAX, standing: usize::MAX },
    Measure { room: Room { foreign: 60, line: 600 }, commits: 0, facts: usize::MAX, standing: usize::MAX },
    Measure { room: Room { foreign: 60, line: 300 }, commits: 0, facts: 12, standing: usize::MAX },
    Measure { room: Room { foreign: 40, line: 150 }, commits: 0, facts: 6, standing: 15 },
];

/// A message about a deployment and its siblings.
pub(super) fn notice(notice: &Notice) -> Content {
    let mut blocks = Vec::new();
    for measure in &MEASURES {
        blocks = shown(notice, measure);
        if total(&blocks) <= limits::MESSAGE && blocks.len() <= limits::BLOCKS {
            break;
        }
    }
    Content { text: told(notice), blocks }
}

fn shown(notice: &Notice, measure: &Measure) -> Vec<Value> {
    let mut blocks = vec![header(&headline(&notice.headline))];
    blocks.extend(sections(&first(standing(notice, measure.room), measure.standing)));
    blocks.extend(sections(&first(facts(notice, measure.room), measure.facts)));
    blocks.extend(sections(&changes(&notice.changes, measure)));
    blocks.extend(called(&notice.mentions).map(|line| section(&line)));
    let deciding = notice.offer.as_ref().map(buttons::deciding);
    let mut how_to = lines(&notice.how_to, WIDE);
    if deciding == Some(None) {
        how_to.push(
            "So many deployments share this message that no button can name them: write the command."
                .to_owned(),
        );
    }
    blocks.extend(contexts(&how_to));
    let mut elements: Vec<Value> = deciding.flatten().into_iter().flatten().collect();
    elements.extend(notice.url.as_deref().and_then(buttons::opening));
    if !elements.is_empty() {
        blocks.push(actions(&elements));
    }
    blocks
}

/// The headline without markup. How it stands is at its end, so names are shortened before it is cut.
fn headline(headline: &Line) -> String {
    let within = |foreign| plain(headline, Room { foreign, line: limits::LINE });
    let fits = [limits::FOREIGN, 60, 40, 20].into_iter().map(within);
    let fitting = fits.into_iter().find(|text| text.chars().count() <= limits::HEADER);
    fitting.unwrap_or_else(|| plain(headline, Room { foreign: 20, line: limits::HEADER }))
}

fn standing(notice: &Notice, room: Room) -> Vec<String> {
    notice.standing.iter().map(|standing| line(standing, room)).collect()
}

fn facts(notice: &Notice, room: Room) -> Vec<String> {
    notice.facts.iter().map(|fact| format!("*{}:* {}", fact.name, line(&fact.text, room))).collect()
}

fn changes(changes: &Prose, measure: &Measure) -> Vec<String> {
    let is_item = |block: &&Block| matches!(block, Block::Item(..));
    let (items, words): (Vec<&Block>, Vec<&Block>) = changes.0.iter().partition(is_item);
    let of = |blocks: Vec<&Block>| lines(&Prose(blocks.into_iter().cloned().collect()), measure.room);
    let mut shown = of(words);
    let items = of(items);
    if !items.is_empty() && measure.commits == 0 {
        shown.push("• … (too many to be listed here)".to_owned());
    } else {
        shown.extend(first(items, measure.commits));
    }
    shown
}

/// The first of some lines, and how many more there are.
fn first(mut lines: Vec<String>, most: usize) -> Vec<String> {
    let more = lines.len().saturating_sub(most);
    if more > 0 {
        lines.truncate(most);
        lines.push(format!("… and {more} more"));
    }
    lines
}

/// The line that notifies: ids of this chat alone.
fn called(mentions: &[String]) -> Option<String> {
    let is_id = |id: &&String| {
        id.starts_with(['U', 'W']) && id.len() <= 30 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let called: Vec<String> =
        mentions.iter().filter(is_id).take(MOST_CALLED).map(|id| format!("<@{id}>")).collect();
    (!called.is_empty()).then(|| called.join(" "))
}

/// The essentials as text: what, how it stands, on what, how to act.
fn told(notice: &Notice) -> String {
    let head = line(&notice.headline, WIDE);
    let how_to = lines(&notice.how_to, WIDE);
    let kept: usize = how_to.iter().chain([&head]).map(|line| line.chars().count() + 1).sum();
    let mut room = limits::TEXT.saturating_sub(kept);
    let mut lines = vec![head];
    lines.extend(fitting(standing(notice, WIDE), &mut room));
    let facts = notice.facts.iter().map(|fact| format!("{}: {}", fact.name, line(&fact.text, WIDE)));
    lines.extend(fitting(facts.collect(), &mut room));
    lines.extend(how_to);
    lines.join("\n")
}

/// The lines that fit into what room is left, and how many more there are.
fn fitting(lines: Vec<String>, room: &mut usize) -> Vec<String> {
    let mut count = 0;
    for line in &lines {
        let size = line.chars().count() + 1;
        if size + NOTE > *room {
            break;
        }
        *room -= size;
        count += 1;
    }
    let shown = first(lines, count);
    *room = room.saturating_sub(if shown.len() > count { NOTE } else { 0 });
    shown
}

/// An answer to one person, or a text in a thread; below it a line with buttons for each choice.
pub(super) fn answer(text: &Prose, choices: &[Choice]) -> Content {
    let said = lines(text, WIDE);
    let mut room = limits::MESSAGE - limits::SECTION;
    let mut blocks = sections(&fitting(said.clone(), &mut room));
    let mut length = total(&blocks);
    let mut left = choices.len();
    for choice in choices {
        let offered = offered(choice);
        length += offered.iter().map(characters).sum::<usize>();
        if length + NOTE > limits::MESSAGE || blocks.len() + offered.len() >= limits::BLOCKS {
            break;
        }
        blocks.extend(offered);
        left -= 1;
    }
    if left > 0 {
        blocks.push(section(&format!("… and {left} more. Name one by its number.")));
    }
    let told = said.into_iter().chain(choices.iter().map(|choice| line(&choice.line, WIDE)));
    let mut room = limits::TEXT;
    Content { text: fitting(told.collect(), &mut room).join("\n"), blocks }
}

fn offered(choice: &Choice) -> Vec<Value> {
    let said = section(&line(&choice.line, WIDE));
    match buttons::deciding(&choice.offer) {
        Some(deciding) => vec![said, actions(&deciding)],
        None => vec![said],
    }
}
