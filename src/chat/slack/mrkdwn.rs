//! Prose in Slack's markup. Foreign text can neither call people, link, format, become a picture nor leave its line.
//!
//! Slack has escapes for `&`, `<` and `>` alone. What else would format is shown by a character that looks like it;
//! text objects are sent as `verbatim`, so that bare links and names stay text.

use crate::chat::prose::one_line;
use crate::domain::wording::{Block, Line, Prose, Span, Term, utc};
use jiff::Timestamp;
use url::Url;

/// Joins words and stays unseen: what stands around it is no markup.
const JOINER: char = '\u{2060}';
/// The longest address that stands in a text.
const LONGEST_ADDRESS: usize = 1_000;

/// How much room there is, in characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// For a piece of foreign text, before it is escaped.
    pub(super) foreign: usize,
    /// For a line.
    pub(super) line: usize,
}

/// The lines of a text, paragraphs apart from each other.
pub(super) fn lines(prose: &Prose, room: Room) -> Vec<String> {
    let mut lines = Vec::new();
    let mut after_item = false;
    for block in &prose.0 {
        let (text, item) = match block {
            Block::Heading(spans) => (format!("*{}*", line(spans, room)), false),
            Block::Paragraph(spans) => (line(spans, room), false),
            Block::Item(depth, spans) => {
                (format!("{}• {}", "    ".repeat(usize::from(*depth)), line(spans, room)), true)
            }
        };
        if !lines.is_empty() && !item && after_item {
            lines.push(String::new());
        }
        lines.push(text);
        after_item = item;
    }
    lines
}

/// One line. What doesn't fit is left out span by span, so that nothing is cut in two.
pub(super) fn line(line: &Line, room: Room) -> String {
    let pieces = line.0.iter().map(|part| span(part, room.foreign));
    let text = fitted(pieces, room.line);
    // Slack reads an escaped `>` at the beginning as a quote.
    if text.starts_with("&gt;") { format!("{JOINER}{text}") } else { text }
}

/// One line without any markup, for texts that Slack doesn't read as such.
pub(super) fn plain(line: &Line, room: Room) -> String {
    let pieces = line.0.iter().map(|part| match part {
        Span::Text(words) | Span::Strong(words) => words.clone(),
        Span::Foreign(words) | Span::Code(words) | Span::Link { label: words, .. } => {
            one_line(words, room.foreign)
        }
        Span::Person(account) | Span::Mention(account) => one_line(&account.username, room.foreign),
        Span::When(at) => utc(*at),
        Span::Term(term) => word(*term).to_owned(),
    });
    fitted(pieces, room.line)
}

/// The pieces that fit, and `…` if one didn't.
fn fitted(pieces: impl Iterator<Item = String>, most: usize) -> String {
    let (mut text, mut length) = (String::new(), 0);
    for piece in pieces {
        length += piece.chars().count();
        if length >= most {
            text.push('…');
            break;
        }
        text.push_str(&piece);
    }
    text
}

fn span(span: &Span, most: usize) -> String {
    match span {
        Span::Text(words) => escaped(words),
        Span::Strong(words) => format!("*{}*", escaped(words)),
        Span::Foreign(words) => inline(words, most),
        Span::Code(words) => code(words, most),
        // The accounts of a forge aren't those of a chat: nobody is called by them.
        Span::Person(account) | Span::Mention(account) => inline(&account.username, most),
        Span::When(at) => when(*at),
        Span::Term(term) => word(*term).to_owned(),
        Span::Link { label, url } => link(label, url, most),
    }
}

/// Slack's three escapes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Foreign text within a line.
fn inline(foreign: &str, most: usize) -> String {
    let text: Vec<char> = one_line(foreign, most).chars().collect();
    let mut shown = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.as_slice();
    while let [c, after @ ..] = rest {
        let within_word =
            [before, after.first().copied()].into_iter().all(|c| c.is_some_and(char::is_alphanumeric));
        shown.push(match c {
            '`' => 'ˋ',
            '*' if !within_word => '∗',
            '_' if !within_word => 'ˍ',
            '~' if !within_word => '∼',
            c => *c,
        });
        if *c == ':' && names_emoji(after) {
            shown.push(JOINER);
        }
        (before, rest) = (Some(*c), after);
    }
    escaped(&shown)
}

/// Whether a name and a colon follow: `:tada:` would become a picture.
fn names_emoji(after: &[char]) -> bool {
    let is_name = |c: &&char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '\'');
    let length = after.iter().take_while(is_name).count();
    length > 0 && after.get(length) == Some(&':')
}

/// Foreign text as code, in which nothing but the end of the code is markup.
fn code(foreign: &str, most: usize) -> String {
    let text = one_line(foreign, most).replace('`', "ˋ");
    let text = if text.is_empty() { " ".to_owned() } else { text };
    format!("`{}`", escaped(&text))
}

/// A time in the reader's own zone; where it can't be shown so, in UTC.
fn when(at: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{}>", at.as_second(), utc(at))
}

/// A link to an address on the web; any other address is dropped, the label stays.
fn link(label: &str, url: &str, most: usize) -> String {
    let label = inline(label, most);
    let Some(address) = web_address(url, LONGEST_ADDRESS) else { return label };
    let address = escaped(&address.replace('|', "%7C").replace('<', "%3C").replace('>', "%3E"));
    if label.is_empty() { format!("<{address}>") } else { format!("<{address}|{label}>") }
}

/// An address that a browser opens, of so many characters at most.
pub(super) fn web_address(url: &str, most: usize) -> Option<String> {
    let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    (url.as_str().chars().count() <= most).then(|| url.to_string())
}

/// For texts that nobody has put into the words of one forge.
fn word(term: Term) -> &'static str {
    match term {
        Term::Forge => "the forge",
        Term::Request => "merge request",
        Term::Pipeline => "pipeline",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::actor::Account;
    use crate::domain::id::UserId;
    use proptest::prelude::*;
    use rstest::rstest;

    const ROOM: Room = Room { foreign: 300, line: 2_000 };

    #[rstest]
    #[case("<!channel>", "&lt;!channel&gt;")]
    #[case("a<!here>b", "a&lt;!here&gt;b")]
    #[case("feat/<@U1>", "feat/&lt;@U1&gt;")]
    #[case("<http://evil.example|https://gitlab.com>", "&lt;http://evil.example|https://gitlab.com&gt;")]
    #[case("x&y &lt;", "x&amp;y &amp;lt;")]
    #[case("*bold* _it_ ~no~ `code`", "∗bold∗ ˍitˍ ∼no∼ ˋcodeˋ")]
    #[case("deploy_prod_eu 2*3", "deploy_prod_eu 2*3")]
    #[case("done :white_check_mark: 12:30", "done :\u{2060}white_check_mark: 12:30")]
    #[case("one\ntwo\r\n\tthree", "one two three")]
    #[case("pro\u{202e}duction\u{2066}\u{200b}", "production")]
    fn foreign_text_is_shown_and_does_nothing(#[case] foreign: &str, #[case] shown: &str) {
        assert_eq!(inline(foreign, 300), shown);
    }

    #[rstest]
    #[case("production", "`production`")]
    #[case("a`b` *c* _d_", "`aˋbˋ *c* _d_`")]
    #[case("<!channel>", "`&lt;!channel&gt;`")]
    #[case("", "` `")]
    fn code_cannot_be_left(#[case] foreign: &str, #[case] shown: &str) {
        assert_eq!(code(foreign, 300), shown);
    }

    #[test]
    fn a_link_leads_to_the_web_or_nowhere() {
        let to = |url: &str| link("9f1c2d3e > x", url, 300);
        assert_eq!(
            to("https://x.example/a?b=1&c=|<"),
            "<https://x.example/a?b=1&amp;c=%7C%3C|9f1c2d3e &gt; x>"
        );
        assert_eq!(to("javascript:alert(1)"), "9f1c2d3e &gt; x");
        assert_eq!(to(&format!("https://x.example/{}", "a".repeat(LONGEST_ADDRESS))), "9f1c2d3e &gt; x");
        assert_eq!(link("", "https://x.example", 300), "<https://x.example/>");
    }

    #[test]
    fn accounts_of_a_forge_call_nobody() {
        let account = Account { id: UserId(1), username: "<@U1>".to_owned(), bot: false };
        let named = Line::default().person(&account).with(Span::Mention(account.clone()));
        assert_eq!(line(&named, ROOM), "&lt;@U1&gt;&lt;@U1&gt;");
    }

    #[test]
    fn times_are_in_the_readers_zone_with_utc_beside_it() {
        let at = Line::default().when("2026-05-08T10:00:00Z".parse().unwrap());
        let shown = "<!date^1778234400^{date_short_pretty} {time}|2026-05-08 10:00 UTC>";
        assert_eq!(line(&at, ROOM), shown);
        assert_eq!(plain(&at, ROOM), "2026-05-08 10:00 UTC");
    }

    #[test]
    fn a_line_that_begins_with_an_arrow_is_no_quote() {
        assert_eq!(line(&Line::default().foreign("> said"), ROOM), "\u{2060}&gt; said");
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let room = Room { foreign: 10, line: 12 };
        let long = Line::of("why: ").foreign("&&&").text(" end");
        assert_eq!(line(&long, room), "why: …", "an escape is never cut in two");
        assert_eq!(line(&Line::default().foreign("ä".repeat(20)), room), format!("{}…", "ä".repeat(9)));
    }

    #[test]
    fn a_text_has_a_line_for_each_block() {
        let prose = Prose(vec![
            Block::Heading(Line::of("Help")),
            Block::Item(0, Line::of("one")),
            Block::Item(1, Line::of("two")),
            Block::Paragraph(Line::of("end")),
        ]);
        assert_eq!(lines(&prose, ROOM), ["*Help*", "• one", "    • two", "", "end"]);
    }

    proptest! {
        #[test]
        fn no_foreign_text_holds_markup(foreign in r"[<>!@#|&`*_~:a-c/\\n\u{202e}]{0,60}") {
            let (text, code) = (inline(&foreign, 300), code(&foreign, 300));
            prop_assert!(!text.contains(['<', '>', '`', '\n', '\u{202e}']), "{text:?}");
            prop_assert_eq!(code.matches('`').count(), 2);
            prop_assert!(!code.contains(['<', '>', '\n']));
        }
    }
}
