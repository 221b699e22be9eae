//! Prose in Mattermost's Markdown. Foreign text can neither notify, link, format nor break out of its line.
//!
//! Clients differ in what they let a backslash escape, so what only some of them do is broken up or written as an
//! entity instead.

use crate::domain::wording::{Block, Line, Prose, Span, Term, utc};
use crate::net::http::Url;

/// The longest piece of foreign text that is shown, in characters.
const LONGEST: usize = 500;
/// The longest link, in characters.
const LONGEST_LINK: usize = 1_000;
/// Keeps a word from being read as a mention, hashtag, emoji or address, and stays unseen by people.
pub(super) const BREAK: char = '\u{200b}';
/// Stands where something was left out.
pub(super) const LEFT_OUT: &str = "…";
/// Names that stand for many people.
const EVERYBODY: [&str; 3] = ["all", "channel", "here"];

/// A block as Markdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// An item of a list.
    pub(super) item: bool,
}

impl Piece {
    pub(super) fn paragraph(text: String) -> Self {
        Self { text, item: false }
    }
}

/// Space for so many characters.
pub(super) struct Room {
    left: usize,
}

impl Room {
    pub(super) fn of(characters: usize) -> Self {
        Self { left: characters }
    }

    /// What there is room for, from the first on; where something is left out, `…` stands behind.
    pub(super) fn fit(&mut self, pieces: Vec<Piece>) -> Vec<Piece> {
        let mut fitting = Vec::with_capacity(pieces.len());
        for piece in pieces {
            // Two for what divides it from the next.
            let size = piece.text.chars().count() + 2;
            let Some(left) = self.left.checked_sub(size) else {
                fitting.push(Piece::paragraph(LEFT_OUT.to_owned()));
                break;
            };
            self.left = left;
            fitting.push(piece);
        }
        fitting
    }
}

/// A whole text of at most about so many characters.
pub(super) fn prose(prose: &Prose, most: usize) -> String {
    join(&Room::of(most).fit(pieces(prose)))
}

/// A text, block by block.
pub(super) fn pieces(prose: &Prose) -> Vec<Piece> {
    let piece = |block: &Block| match block {
        Block::Heading(spans) => Piece::paragraph(format!("##### {}", line(spans))),
        Block::Paragraph(spans) => Piece::paragraph(line(spans)),
        Block::Item(depth, spans) => {
            Piece { text: format!("{}- {}", "  ".repeat(usize::from(*depth)), line(spans)), item: true }
        }
    };
    prose.0.iter().map(piece).collect()
}

/// Blocks below each other.
pub(super) fn join(pieces: &[Piece]) -> String {
    let mut text = String::new();
    let mut after_item = false;
    for piece in pieces {
        if !text.is_empty() {
            text.push_str(if piece.item && after_item { "\n" } else { "\n\n" });
        }
        text.push_str(&piece.text);
        after_item = piece.item;
    }
    text
}

/// One line.
pub(super) fn line(line: &Line) -> String {
    line.0.iter().map(span).collect()
}

/// One line for where nothing is formatted.
pub(super) fn plain(line: &Line) -> String {
    let text = Prose::paragraph(line.clone()).plain();
    one_line(&text).chars().flat_map(|c| std::iter::once(c).chain((c == '@').then_some(BREAK))).collect()
}

/// The one way to notify somebody; `None` for what is no name of one person.
pub(super) fn mention(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let one = (1..=64).contains(&name.len()) && plain && !EVERYBODY.contains(&name.as_str());
    one.then(|| format!("@{name}"))
}

fn span(span: &Span) -> String {
    match span {
        Span::Text(words) => own(words),
        Span::Strong(words) => format!("**{}**", own(words)),
        Span::Foreign(words) => escape(&one_line(words)),
        Span::Code(words) => code(words),
        // A forge's account: whoever has that name here is somebody else.
        Span::Person(account) | Span::Mention(account) => escape(&one_line(&account.username)),
        Span::When(at) => utc(*at),
        Span::Term(Term::Forge) => "the forge".to_owned(),
        Span::Term(Term::Request) => "merge request".to_owned(),
        Span::Term(Term::Pipeline) => "pipeline".to_owned(),
        Span::Link { label, url } => link(label, url),
    }
}

/// Our own words: what is broken up for fear of what follows stays whole at their end.
fn own(words: &str) -> String {
    let text = escape(words);
    match text.strip_suffix(BREAK) {
        Some(whole) if !whole.ends_with('@') => whole.to_owned(),
        Some(_) | None => text,
    }
}

/// Everything literal, whoever reads it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut chars = text.chars().map(blank).peekable();
    while let Some(c) = chars.next() {
        if c == '.' && ends_with_www(&escaped) {
            escaped.push(BREAK);
        }
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // Formulas.
            '$' => escaped.push_str("&#36;"),
            '=' if escaped.is_empty() => escaped.extend([BREAK, '=']),
            _ if formats(c, &escaped) => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
        // Mentions, hashtags, channels, emoji and addresses are found after Markdown was read.
        if matches!(c, '@' | '#' | '~' | ':') && chars.peek().is_none_or(|next| *next != ' ') {
            escaped.push(BREAK);
        }
    }
    escaped
}

/// Whether Markdown would read the character at this place as anything but itself.
fn formats(c: char, before: &str) -> bool {
    let everywhere = matches!(c, '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '!' | '~' | '|');
    let begins_line = before.is_empty() && matches!(c, '-' | '+');
    let numbers_line =
        matches!(c, '.' | ')') && !before.is_empty() && before.chars().all(|digit| digit.is_ascii_digit());
    everywhere || begins_line || numbers_line
}

fn ends_with_www(before: &str) -> bool {
    let tail = before.len().checked_sub(3).and_then(|at| before.get(at..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case("www"))
}

/// One line without characters that steer a reader's eye or a parser, cut to length.
fn one_line(foreign: &str) -> String {
    let seen: String = foreign.chars().filter(|c| !is_unseen(*c)).map(blank).collect();
    let line = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn blank(c: char) -> char {
    if c.is_control() || c.is_whitespace() { ' ' } else { c }
}

/// Directions, joiners, fillers and tags: people don't see them, programs obey them.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Foreign text as code, between fences longer than any run of backticks in it. Nothing in code notifies.
fn code(foreign: &str) -> String {
    let text = one_line(foreign);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let touches = text.starts_with('`') || text.ends_with('`') || text.is_empty();
    let pad = if touches { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A link to an address on the web; any other address is dropped, the label stays.
pub(super) fn link(label: &str, url: &str) -> String {
    let label = escape(&one_line(label));
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.as_str().len() <= LONGEST_LINK => {
            format!("[{label}]({})", address(&url))
        }
        Ok(_) | Err(_) => label,
    }
}

/// An address in which nothing is left that Markdown, or a search for mentions, could read.
fn address(url: &Url) -> String {
    let mut address = String::new();
    for c in url.as_str().chars() {
        match c {
            '(' => address.push_str("%28"),
            ')' => address.push_str("%29"),
            '<' => address.push_str("%3C"),
            '>' => address.push_str("%3E"),
            '[' => address.push_str("%5B"),
            ']' => address.push_str("%5D"),
            '|' => address.push_str("%7C"),
            '\\' => address.push_str("%5C"),
            '`' => address.push_str("%60"),
            '*' => address.push_str("%2A"),
            '@' => address.push_str("%40"),
            _ => address.push(c),
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::Account;
    use crate::domain::id::UserId;
    use proptest::prelude::*;
    use rstest::rstest;

    fn foreign(text: &str) -> String {
        line(&Line::default().foreign(text))
    }

    /// As Markdown would show it.
    fn shown(markdown: &str) -> String {
        use pulldown_cmark::{Event, Parser, Tag, TagEnd};
        let mut text = String::new();
        for event in Parser::new(markdown) {
            if let Event::Text(piece) | Event::Code(piece) = &event {
                text.push_str(piece);
            } else if !matches!(event, Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph)) {
                text.push_str("«markup»");
            }
        }
        text.replace(BREAK, "")
    }

    #[rstest]
    #[case("@channel look", "@\u{200b}channel look")]
    #[case("@here", "@\u{200b}here")]
    #[case("mail bob@example.com", "mail bob@\u{200b}example.com")]
    #[case("](http://evil.example)", "\\](http:\u{200b}//evil.example)")]
    #[case(
        "fix #urgent in ~town-square :fire:",
        "fix \\#\u{200b}urgent in \\~\u{200b}town-square :\u{200b}fire:\u{200b}"
    )]
    #[case("<http://evil.example|x>", "&lt;http:\u{200b}//evil.example\\|x&gt;")]
    #[case("a & b &lt;", "a &amp; b &amp;lt;")]
    #[case("www.evil.example", "www\u{200b}.evil.example")]
    #[case("![x](y) **b** _i_ `c` $f$", "\\![x\\](y) \\*\\*b\\*\\* \\_i\\_ \\`c\\` &#36;f&#36;")]
    #[case("- item", "\\- item")]
    #[case("1. first", "1\\. first")]
    #[case("==", "\u{200b}==")]
    #[case("one\n# two\r\n> three", "one \\# two &gt; three")]
    #[case("\u{202e}evil\u{200b}\u{7}x", "evil x")]
    fn foreign_text_is_shown_and_does_nothing(#[case] text: &str, #[case] markdown: &str) {
        let markdown = markdown.replace("![x", "!\\[x");
        assert_eq!(foreign(text), markdown);
    }

    #[rstest]
    #[case("prod", "`prod`")]
    #[case("a`b", "``a`b``")]
    #[case("``", "``` `` ```")]
    #[case("", "`  `")]
    #[case("x\n@all", "`x @all`")]
    fn code_cannot_be_left(#[case] text: &str, #[case] markdown: &str) {
        assert_eq!(code(text), markdown);
    }

    #[test]
    fn a_forges_account_notifies_nobody_here() {
        let dana = Account { id: UserId(1), username: "dana".to_owned(), bot: false };
        assert_eq!(line(&Line::default().person(&dana).with(Span::Mention(dana.clone()))), "danadana");
        assert_eq!(plain(&Line::default().person(&dana)), "@\u{200b}dana");
    }

    #[rstest]
    #[case("dana", Some("@dana"))]
    #[case("Dana.d-1", Some("@dana.d-1"))]
    #[case("channel", None)]
    #[case("HERE", None)]
    #[case("all", None)]
    #[case("dana @all", None)]
    #[case("", None)]
    fn one_person_is_mentioned_or_nobody(#[case] name: &str, #[case] text: Option<&str>) {
        assert_eq!(mention(name).as_deref(), text);
    }

    #[test]
    fn a_link_leads_to_the_web_or_nowhere() {
        let to = |url: &str| link("d4711 ](x)", url);
        assert_eq!(
            to("https://x.example/a(b)[c]@all"),
            "[d4711 \\](x)](https://x.example/a%28b%29%5Bc%5D%40all)"
        );
        assert_eq!(to("javascript:alert(1)"), "d4711 \\](x)");
        assert_eq!(to(&format!("https://x.example/{}", "a".repeat(1_000))), "d4711 \\](x)");
    }

    #[test]
    fn our_own_words_stay_whole_and_call_nobody() {
        let words = Line::of("Waiting here:").text("@").foreign("all").text(" d1: #1 ").strong("x:");
        assert_eq!(line(&words), "Waiting here:@\u{200b}all d1: \\#\u{200b}1 **x:**");
    }

    #[test]
    fn blocks_stand_apart_and_items_together() {
        let text = Prose(vec![
            Block::Heading(Line::of("production")),
            Block::Paragraph(Line::of("Waits for ").strong("1 approval")),
            Block::Item(0, Line::default().code("/deploy approve")),
            Block::Item(1, Line::default().foreign("# no")),
        ]);
        assert_eq!(
            prose(&text, 1_000),
            "##### production\n\nWaits for **1 approval**\n\n- `/deploy approve`\n  - \\# no"
        );
    }

    #[test]
    fn what_has_no_room_is_left_out_whole() {
        let text = Prose(["one", "two", "three"].map(|word| Block::Paragraph(Line::of(word))).to_vec());
        assert_eq!(prose(&text, 10), "one\n\ntwo\n\n…");
        assert_eq!(prose(&text, 9), "one\n\n…");
        assert_eq!(prose(&text, 17), "one\n\ntwo\n\nthree");
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(one_line(&"ä".repeat(LONGEST)).chars().count(), LONGEST);
        let cut = one_line(&"ä".repeat(LONGEST + 1));
        assert_eq!((cut.chars().count(), cut.chars().last()), (LONGEST, Some('…')));
    }

    fn hostile() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), r"[-/@#!%~&$^\[\]()<>*_`|\\{}.:=+\n\r\t 0-9a-cw\u{202e}\u{200b}]{0,60}"]
    }

    proptest! {
        #[test]
        fn foreign_text_stays_one_line_and_calls_nobody(text in hostile()) {
            let markdown = foreign(&text);
            prop_assert!(!markdown.contains(['\n', '\r', '<', '>']));
            let raw: Vec<char> = markdown.chars().collect();
            let calls = |pair: &[char]| pair[0] == '@' && pair[1] != BREAK && pair[1] != ' ';
            prop_assert!(!raw.windows(2).any(calls) && !markdown.ends_with('@'), "{markdown:?}");
            prop_assert!(!markdown.contains("://"));
        }

        #[test]
        fn markdown_shows_foreign_text_as_it_is(text in hostile()) {
            prop_assert_eq!(shown(&foreign(&text)), one_line(&text));
            prop_assert_eq!(shown(&format!("x{}y", code(&text))).replace(' ', ""),
                format!("x{}y", one_line(&text)).replace(' ', ""));
        }
    }
}
