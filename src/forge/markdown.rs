//! Prose in the forges' Markdown. Foreign text can neither ping, refer, format, break out of its line nor run
//! a quick action.

use crate::domain::actor::Account;
use crate::domain::wording::{Block, Prose, Span, Term};
use url::Url;

/// The longest piece of foreign text that is shown, in characters.
pub const LONGEST: usize = 500;
/// Breaks a word for the forges' reference filters and stays unseen by people.
const BREAK: char = '\u{200b}';

/// What a forge calls the things that every forge has.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// The product.
    pub forge: &'static str,
    /// Its merge requests.
    pub request: &'static str,
    /// Its pipelines.
    pub pipeline: &'static str,
}

impl Dialect {
    fn word(&self, term: Term) -> &'static str {
        match term {
            Term::Forge => self.forge,
            Term::Request => self.request,
            Term::Pipeline => self.pipeline,
        }
    }
}

/// The whole text of a comment, with a marker behind it that people don't see; none where there is no marker.
pub fn render(prose: &Prose, marker: &str, dialect: &Dialect) -> String {
    let mut text = String::new();
    let mut after_item = false;
    for block in &prose.0 {
        let (lead, spans, item) = match block {
            Block::Heading(spans) => ("### ".to_owned(), spans, false),
            Block::Paragraph(spans) => (String::new(), spans, false),
            Block::Item(depth, spans) => (format!("{}- ", "  ".repeat(usize::from(*depth))), spans, true),
        };
        if !text.is_empty() {
            text.push_str(if item && after_item { "\n" } else { "\n\n" });
        }
        text.push_str(&lead);
        text.extend(spans.0.iter().map(|part| span(part, dialect)));
        after_item = item;
    }
    if !marker.is_empty() {
        text.push_str("\n\n");
        text.push_str(&hidden(marker));
    }
    no_quick_actions(&text)
}

/// A marker as it stands in a comment: invisible, and no other marker's beginning.
pub fn hidden(marker: &str) -> String {
    let marker: String = marker.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).collect();
    format!("<!-- {marker} -->")
}

/// The last defence before a text goes out: no line begins with a slash, so GitLab runs none of it.
pub fn no_quick_actions(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.split('\n').map(no_quick_action).collect::<Vec<_>>().join("\n")
}

fn no_quick_action(line: &str) -> String {
    let bare = line.trim_start();
    if bare.starts_with('/') { format!("{BREAK}{bare}") } else { line.to_owned() }
}

fn span(span: &Span, dialect: &Dialect) -> String {
    match span {
        Span::Text(words) => own(words),
        Span::Strong(words) => format!("**{}**", own(words)),
        Span::Foreign(words) => inline(words),
        Span::Code(words) => code(words),
        Span::Person(account) => inline(&account.username),
        Span::Mention(account) => mention(account),
        Span::Term(term) => dialect.word(*term).to_owned(),
        Span::Link { label, url } => link(label, url),
    }
}

/// Our own words: they may hold characters that Markdown would read, but nothing hostile.
fn own(words: &str) -> String {
    let mut text = String::new();
    for c in words.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        match c {
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '|' => text.extend(['\\', c]),
            _ => text.push(c),
        }
    }
    text
}

/// Foreign text within a line: at most [`LONGEST`] characters, blanks folded, everything literal.
pub fn inline(foreign: &str) -> String {
    let text = one_line(foreign);
    let mut escaped = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if begins_link(c, &escaped) {
            escaped.push(BREAK);
        }
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ if formats(c, &escaped) => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
        // Escapes alone are not enough: references are found in the text after Markdown has read it.
        if refers(c) && chars.peek().is_none_or(|next| !next.is_whitespace()) {
            escaped.push(BREAK);
        }
    }
    escaped
}

/// Whether Markdown would read the character at this place as anything but itself.
fn formats(c: char, before: &str) -> bool {
    let everywhere = matches!(
        c,
        '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '!' | '~' | '|' | '$' | '^' | '@' | '%' | ':'
    );
    let begins_line = before.is_empty() && matches!(c, '/' | '-' | '+' | '=');
    let numbers_line =
        matches!(c, '.' | ')') && !before.is_empty() && before.chars().all(|digit| digit.is_ascii_digit());
    everywhere || begins_line || numbers_line
}

/// Whether a link of GitHub's goes on here that no single character begins: `GH-12`, `www.`.
fn begins_link(c: char, before: &str) -> bool {
    let follows = |lead: &str| {
        let tail = before.len().checked_sub(lead.len()).and_then(|at| before.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(lead))
    };
    match c {
        '-' => follows("gh"),
        '.' => follows("www"),
        _ => false,
    }
}

/// Characters with which the forges' references, mentions, emoji and autolinks begin.
fn refers(c: char) -> bool {
    matches!(c, '@' | '#' | '!' | '%' | '~' | '&' | '$' | '^' | '[' | '*' | ':')
}

/// One line without characters that steer a terminal, a reader's eye or a parser, cut to length.
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

/// Foreign text as code, between fences longer than any run of backticks in it.
pub fn code(foreign: &str) -> String {
    let text = one_line(foreign);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let touches = text.starts_with('`') || text.ends_with('`') || text.is_empty();
    let pad = if touches { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// The one way to notify somebody: a login name that is one.
fn mention(account: &Account) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !account.username.is_empty() && account.username.chars().all(plain) {
        return format!("@{}", account.username);
    }
    inline(&account.username)
}

/// A link to an address on the web; any other address is dropped, the label stays.
fn link(label: &str, url: &str) -> String {
    let label = inline(label);
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            let address = url.as_str().replace('(', "%28").replace(')', "%29").replace('|', "%7C");
            format!("[{label}](<{}>)", address.replace('<', "%3C").replace('>', "%3E"))
        }
        Ok(_) | Err(_) => label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::UserId;
    use crate::domain::wording::Line;
    use proptest::prelude::*;
    use rstest::rstest;

    const DIALECT: Dialect = Dialect { forge: "GitLab", request: "merge request", pipeline: "pipeline" };

    fn account(username: &str) -> Account {
        Account { id: UserId(1), username: username.to_owned(), bot: false }
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
    #[case("@all look", "\\@\u{200b}all look")]
    #[case("fix #12, !7 and %3", "fix \\#\u{200b}12, \\!\u{200b}7 and \\%\u{200b}3")]
    #[case("a & b &1", "a &amp; b &amp;\u{200b}1")]
    #[case(
        "closes GH-12, gh-3 and acme/shop#4",
        "closes GH\u{200b}-12, gh\u{200b}-3 and acme/shop\\#\u{200b}4"
    )]
    #[case("www.evil.example", "www\u{200b}.evil.example")]
    #[case("https://evil.example/@bob", "https\\:\u{200b}//evil.example/\\@\u{200b}bob")]
    #[case("acme/shop@9f1c2d3e", "acme/shop\\@\u{200b}9f1c2d3e")]
    #[case("<img src=x> [^1]: note", "&lt;img src=x&gt; \\[\u{200b}\\^\u{200b}1\\]\\: note")]
    #[case("- [x] done", "\\- \\[\u{200b}x\\] done")]
    #[case("`$x$` and $y$", "\\`\\$\u{200b}x\\$\u{200b}\\` and \\$\u{200b}y\\$\u{200b}")]
    #[case("/approve", "\\/approve")]
    #[case("  /approve", "\\/approve")]
    #[case("one\n/approve", "one /approve")]
    #[case("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;")]
    #[case("1. first", "1\\. first")]
    #[case("- item", "\\- item")]
    #[case("a|b", "a\\|b")]
    #[case("\u{202e}evil\u{200b}\u{7}x", "evil x")]
    fn foreign_text_is_shown_and_does_nothing(#[case] foreign: &str, #[case] markdown: &str) {
        assert_eq!(inline(foreign), markdown);
    }

    #[rstest]
    #[case("prod", "`prod`")]
    #[case("a`b", "``a`b``")]
    #[case("``", "``` `` ```")]
    #[case("", "`  `")]
    #[case("x\n/approve", "`x /approve`")]
    fn code_cannot_be_left(#[case] foreign: &str, #[case] markdown: &str) {
        assert_eq!(code(foreign), markdown);
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(one_line(&"ä".repeat(LONGEST)).chars().count(), LONGEST);
        let cut = one_line(&"ä".repeat(LONGEST + 1));
        assert_eq!((cut.chars().count(), cut.chars().last()), (LONGEST, Some('…')));
    }

    #[test]
    fn only_a_mention_notifies() {
        assert_eq!(span(&Span::Mention(account("dana.d-1")), &DIALECT), "@dana.d-1");
        assert_eq!(span(&Span::Person(account("dana")), &DIALECT), "dana");
        assert_eq!(span(&Span::Mention(account("dana\n/approve")), &DIALECT), "dana /approve");
    }

    #[test]
    fn a_link_leads_to_the_web_or_nowhere() {
        let to = |url: &str| link("d4711 ](x)", url);
        assert_eq!(to("https://x.example/a(b)<c>"), "[d4711 \\](x)](<https://x.example/a%28b%29%3Cc%3E>)");
        assert_eq!(to("javascript:alert(1)"), "d4711 \\](x)");
    }

    #[test]
    fn blocks_stand_apart_and_the_marker_is_behind_them() {
        let prose = Prose(vec![
            Block::Heading(Line(vec![Span::Text("production".into())])),
            Block::Paragraph(Line(vec![Span::Text("Waits for ".into()), Span::Strong("1 approval".into())])),
            Block::Item(0, Line(vec![Span::Code("@countersign approve".into())])),
            Block::Item(1, Line(vec![Span::Foreign("# no".into())])),
            Block::Paragraph(Line(vec![Span::Text("/deploy".into())])),
        ]);
        assert_eq!(
            render(&prose, "countersign:1", &DIALECT),
            "### production\n\nWaits for **1 approval**\n\n- `@countersign approve`\n  - \\# no\n\n\
             \u{200b}/deploy\n\n<!-- countersign:1 -->"
        );
    }

    #[test]
    fn a_marker_is_no_beginning_of_another_and_stays_hidden() {
        assert!(!hidden("reply/10").contains(&hidden("reply/1")));
        assert_eq!(hidden("a--><b>"), "<!-- a--b -->");
    }

    #[rstest]
    #[case("/approve", "\u{200b}/approve")]
    #[case("fine\n  /merge\nfine", "fine\n\u{200b}/merge\nfine")]
    #[case("fine\r\n/merge\r/close", "fine\n\u{200b}/merge\n\u{200b}/close")]
    #[case("a/b", "a/b")]
    fn no_line_begins_with_a_slash(#[case] text: &str, #[case] guarded: &str) {
        assert_eq!(no_quick_actions(text), guarded);
    }

    fn hostile() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), r"[-/@#!%~&$^\[\]()<>*_`|\\{}.:=+\n\r\t 0-9a-c\u{202e}\u{200b}]{0,60}"]
    }

    proptest! {
        #[test]
        fn foreign_text_stays_one_harmless_line(foreign in hostile()) {
            let text = inline(&foreign);
            prop_assert!(!text.contains(['\n', '\r', '<', '>']));
            prop_assert!(!text.starts_with('/'));
            let pings = |pair: &[char]| refers(pair[0]) && !pair[1].is_whitespace() && pair[1] != BREAK;
            let raw: Vec<char> = text.replace("&amp;", "&").replace("&lt;", "").replace("&gt;", "").chars().collect();
            prop_assert!(!raw.windows(2).any(pings), "{text:?}");
        }

        #[test]
        fn markdown_shows_foreign_text_as_it_is(foreign in hostile()) {
            prop_assert_eq!(shown(&inline(&foreign)), one_line(&foreign));
            prop_assert_eq!(shown(&format!("x{}y", code(&foreign))).replace(' ', ""),
                format!("x{}y", one_line(&foreign)).replace(' ', ""));
        }

        #[test]
        fn a_whole_comment_runs_nothing(foreign in hostile(), marker in hostile()) {
            let spans = || Line(vec![Span::Foreign(foreign.clone()), Span::Text(" ".into()), Span::Code(foreign.clone())]);
            let prose = Prose(vec![Block::Paragraph(spans()), Block::Item(0, spans()), Block::Heading(spans())]);
            let text = render(&prose, &marker, &DIALECT);
            prop_assert!(text.lines().all(|line| !line.trim_start().starts_with('/')));
            // The marker has a line of its own behind an empty one.
            prop_assert_eq!(text.lines().count(), if marker.is_empty() { 5 } else { 7 });
        }
    }
}
