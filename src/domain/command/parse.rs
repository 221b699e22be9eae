//! The address and the verb of a line.
//!
//! | written | read as |
//! |---|---|
//! | `@handle verb …`, also `@handle: verb …` and `@handle, verb …` | addressed; an unknown verb is answered |
//! | `/deploy verb …` | addressed; an unknown verb is answered |
//! | `/verb …`, `!verb …` | addressed if the verb decides and the surface has bare forms; else nothing |
//! | `@handle`, `/deploy` alone | `help` |
//!
//! Upper and lower case are the same. Words are divided by any Unicode white space. An address that doesn't
//! begin its line is a mention, not a command; `@handle-bot` is somebody else.

use super::nearest::nearest;
use super::text::addressed_lines;
use super::{Command, MOST_COMMANDS, Misunderstood, Spelling, Surface, TooMany, Verb, excerpt};

/// Finds the commands of a comment, in the order of its lines. A comment that isn't addressed to us has none.
/// Takes time in proportion to the comment's length.
pub fn parse_comment(
    comment: &str,
    surface: &Surface,
) -> Result<Vec<Result<Command, Misunderstood>>, TooMany> {
    let commands: Vec<_> = addressed_lines(comment)
        .into_iter()
        .filter_map(|line| {
            let (spelling, words) = addressed(without_stray_backtick(&line.text), surface)?;
            Some(command(line.index, spelling, words))
        })
        .collect();
    match commands.len() {
        count if count > MOST_COMMANDS => Err(TooMany { count }),
        _ => Ok(commands),
    }
}

/// Reads the text of a chat's slash command, which has no address: one command, whose line breaks are spaces.
///
/// Chats replace what is typed, so typographic dashes, quotes and spaces are read as the plain ones: a dash
/// that stands alone is the `--` before a reason. Letters are never replaced.
pub fn parse_chat(text: &str) -> Result<Command, Misunderstood> {
    let plain: Vec<String> = text.split_whitespace().map(plain_word).collect();
    command(0, Spelling::Chat, &plain.join(" "))
}

/// How a line is addressed to us, and what follows the address.
fn addressed<'a>(line: &'a str, surface: &Surface) -> Option<(Spelling, &'a str)> {
    if let Some(rest) = line.strip_prefix('@') {
        let rest = strip_ignoring_case(rest, &surface.handle)?;
        let words = rest.strip_prefix([':', ',']).or_else(|| ends_word(rest).then_some(rest))?;
        return Some((Spelling::Mention, words));
    }
    let deploy = line.strip_prefix('/').and_then(|rest| strip_ignoring_case(rest, "deploy"));
    if let Some(words) = deploy.filter(|rest| ends_word(rest)) {
        return Some((Spelling::Deploy, words));
    }
    let (spelling, words) = match line.strip_prefix('/') {
        Some(words) => (Spelling::Slash, words),
        None => (Spelling::Bang, line.strip_prefix('!')?),
    };
    let (first, _) = split_word(words);
    let decides = Verb::from_word(first).is_some_and(Verb::decides);
    (surface.bare && decides && words.starts_with(first)).then_some((spelling, words))
}

fn command(line: u32, spelling: Spelling, words: &str) -> Result<Command, Misunderstood> {
    let (first, rest) = split_word(words);
    if first.is_empty() {
        return Ok(Command { line, verb: Verb::Help, spelling, words: String::new() });
    }
    match Verb::from_word(first) {
        Some(verb) => Ok(Command { line, verb, spelling, words: rest.to_owned() }),
        None => Err(Misunderstood::UnknownVerb {
            line,
            word: excerpt(first),
            did_you_mean: nearest(first, Verb::ALL.into_iter().flat_map(Verb::words))
                .and_then(Verb::from_word),
        }),
    }
}

/// The first word and what follows it, both trimmed.
pub(super) fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace).map_or((text, ""), |(first, rest)| (first, rest.trim_start()))
}

fn ends_word(rest: &str) -> bool {
    rest.chars().next().is_none_or(char::is_whitespace)
}

fn strip_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Half of a code span copied along: `@countersign approve production` with one backtick behind it.
fn without_stray_backtick(line: &str) -> &str {
    let is_stray = line.matches('`').count() == 1;
    line.strip_suffix('`').filter(|_| is_stray).map_or(line, str::trim_end)
}

fn plain_word(word: &str) -> String {
    if matches!(word, "–" | "—" | "―") {
        return "--".to_owned();
    }
    let mut plain = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            '‐' | '‑' | '–' | '−' => plain.push('-'),
            '—' => plain.push_str("--"),
            '“' | '”' | '„' | '‟' | '«' | '»' => plain.push('"'),
            '‘' | '’' | '‚' | '‛' => plain.push('\''),
            same => plain.push(same),
        }
    }
    plain
}
