//! The file's text as it may be shown: as long as the original, with stars where a secret could stand.

use std::collections::BTreeSet;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Stars out every value except those at the `shown` places. What nobody has read as harmless (an unknown key,
/// a table that isn't understood) may be a misspelt secret, so it is hidden too.
pub(super) fn all_but(text: &str, document: &DeTable<'_>, shown: &BTreeSet<usize>) -> String {
    let mut hidden = Vec::new();
    scalars_of_table(document, &mut hidden);
    hidden.retain(|span| !shown.contains(&span.start));
    star(text, |at| hidden.iter().any(|span| span.contains(&at)))
}

/// For a text that isn't TOML, so that nobody knows what stands where: only the words of `harmless` stay.
pub(super) fn all_words_but(text: &str, harmless: &str) -> String {
    let harmless: BTreeSet<&str> = words(harmless).map(|(_, word)| word).collect();
    let hidden: Vec<Range<usize>> = words(text)
        .filter(|(_, word)| !harmless.contains(word))
        .map(|(start, word)| start..start + word.len())
        .collect();
    star(text, |at| hidden.iter().any(|span| span.contains(&at)))
}

fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-');
    let mut start = 0;
    text.split_inclusive(ends).map(move |piece| {
        let word = (start, piece.trim_end_matches(ends));
        start += piece.len();
        word
    })
}

fn scalars_of_table(table: &DeTable<'_>, spans: &mut Vec<Range<usize>>) {
    for value in table.values() {
        scalars(value, spans);
    }
}

fn scalars(value: &toml::Spanned<DeValue<'_>>, spans: &mut Vec<Range<usize>>) {
    if let Some(table) = value.get_ref().as_table() {
        scalars_of_table(table, spans);
    } else if let Some(array) = value.get_ref().as_array() {
        array.iter().for_each(|item| scalars(item, spans));
    } else {
        spans.push(value.span());
    }
}

/// A star for each byte of a hidden character; quotes, spaces and line ends stay, so that it still reads as TOML.
fn star(text: &str, hidden: impl Fn(usize) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if hidden(at) && !c.is_whitespace() && !matches!(c, '"' | '\'') {
            shown.extend(std::iter::repeat_n('*', c.len_utf8()));
        } else {
            shown.push(c);
        }
    }
    shown
}
