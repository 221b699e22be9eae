//! Comments as GitLab shows them: Markdown to HTML, with nothing in it that a comment's writer could run.
//!
//! No attribute is ever written and raw HTML is shown as text, so what comes out is inert whatever came in.

use pulldown_cmark::{Event, Options, Parser, TagEnd};

/// A comment as HTML.
pub(crate) fn html(markdown: &str) -> String {
    let mut html = String::new();
    // Raw HTML is held back until its block ends: a whole HTML comment is not shown.
    let mut raw: Option<String> = None;
    for event in events(markdown) {
        match event {
            Event::Start(tag) if tag.to_end() == TagEnd::HtmlBlock => raw = Some(String::new()),
            Event::Start(tag) => push_tag(&mut html, "<", tag.to_end()),
            Event::End(TagEnd::HtmlBlock) => {
                let block = raw.take().unwrap_or_default();
                if !is_html_comment(&block) {
                    html.push_str(&enclosed("p", block.trim()));
                }
            }
            Event::End(tag) => push_tag(&mut html, "</", tag),
            Event::Html(text) => match &mut raw {
                Some(block) => block.push_str(&text),
                None => html.push_str(&escape(&text)),
            },
            Event::InlineHtml(text) if is_html_comment(&text) => {}
            Event::Text(text)
            | Event::InlineHtml(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text)
            | Event::FootnoteReference(text) => html.push_str(&escape(&text)),
            Event::Code(text) => html.push_str(&enclosed("code", &text)),
            Event::SoftBreak | Event::HardBreak => html.push_str("<br>"),
            Event::Rule => html.push_str("<hr>"),
            Event::TaskListMarker(done) => html.push_str(if done { "☑ " } else { "☐ " }),
        }
    }
    html
}

/// A comment as plain lines: for the terminal.
pub(crate) fn lines(markdown: &str) -> Vec<String> {
    let mut text = String::new();
    for event in events(markdown) {
        match event {
            Event::Start(tag) if tag.to_end() == TagEnd::Item => text.push_str("\n- "),
            Event::End(tag) if is_block(tag) => text.push('\n'),
            Event::Start(_) | Event::End(_) | Event::Html(_) | Event::InlineHtml(_) => {}
            Event::Text(words)
            | Event::Code(words)
            | Event::InlineMath(words)
            | Event::DisplayMath(words)
            | Event::FootnoteReference(words) => text.push_str(&words),
            Event::SoftBreak | Event::HardBreak | Event::Rule => text.push('\n'),
            Event::TaskListMarker(done) => text.push_str(if done { "[x] " } else { "[ ] " }),
        }
    }
    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn events(markdown: &str) -> Parser<'_> {
    Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH)
}

fn is_html_comment(html: &str) -> bool {
    let html = html.trim();
    html.starts_with("<!--") && html.ends_with("-->") && html.matches("-->").count() == 1
}

fn is_block(tag: TagEnd) -> bool {
    matches!(tag, TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::CodeBlock)
}

fn push_tag(html: &mut String, bracket: &str, tag: TagEnd) {
    for element in elements(tag, bracket == "</") {
        html.extend([bracket, element, ">"]);
    }
}

/// The elements that a tag becomes, in the order in which they are opened or closed.
fn elements(tag: TagEnd, closing: bool) -> &'static [&'static str] {
    match tag {
        TagEnd::Paragraph => &["p"],
        TagEnd::Heading(_) => &["h4"],
        TagEnd::BlockQuote(_) => &["blockquote"],
        TagEnd::CodeBlock if closing => &["code", "pre"],
        TagEnd::CodeBlock => &["pre", "code"],
        TagEnd::List(true) => &["ol"],
        TagEnd::List(false) => &["ul"],
        TagEnd::Item => &["li"],
        TagEnd::Emphasis => &["em"],
        TagEnd::Strong => &["strong"],
        TagEnd::Strikethrough => &["s"],
        // The demo's GitLab has no pages to link to, and pictures would come from elsewhere: their words are shown.
        TagEnd::Link => &["u"],
        TagEnd::Image
        | TagEnd::HtmlBlock
        | TagEnd::FootnoteDefinition
        | TagEnd::DefinitionList
        | TagEnd::DefinitionListTitle
        | TagEnd::DefinitionListDefinition
        | TagEnd::Table
        | TagEnd::TableHead
        | TagEnd::TableRow
        | TagEnd::TableCell
        | TagEnd::Superscript
        | TagEnd::Subscript
        | TagEnd::MetadataBlock(_) => &[],
    }
}

fn enclosed(element: &str, text: &str) -> String {
    format!("<{element}>{}</{element}>", escape(text))
}

/// What HTML reads as text, whatever stands in it.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[rstest::rstest]
    #[case::words("a *b* **c** `d`", "<p>a <em>b</em> <strong>c</strong> <code>d</code></p>")]
    #[case::fence(
        "```rust\nlet a = \"<b>\";\n```",
        "<pre><code>let a = &quot;&lt;b&gt;&quot;;\n</code></pre>"
    )]
    #[case::list("- a\n  - b", "<ul><li>a<ul><li>b</li></ul></li></ul>")]
    #[case::the_cards_marker("card\n\n<!-- countersign:card -->", "<p>card</p>")]
    #[case::heading("### `production`: running", "<h4><code>production</code>: running</h4>")]
    fn markdown_is_shown_as_gitlab_shows_it(#[case] markdown: &str, #[case] expected: &str) {
        assert_eq!(html(markdown), expected);
    }

    #[rstest::rstest]
    #[case::block("<script>alert(1)</script>")]
    #[case::inline("a <img src=x onerror=alert(1)> b")]
    #[case::link("[a](javascript:alert(1))")]
    #[case::picture("![a](https://example.com/a.png)")]
    #[case::behind_a_comment("<!-- --><script>alert(1)</script> -->")]
    fn nothing_that_runs_or_loads_comes_out(#[case] markdown: &str) {
        let html = html(markdown);
        for hostile in ["<script", "<img", "href", "src=\""] {
            assert!(!html.contains(hostile), "{html}");
        }
    }

    proptest! {
        #[test]
        fn only_elements_of_ours_come_out(markdown in "[a-z<>!\\[\\]()`*#&\"'/ \n-]{0,60}") {
            const OURS: [&str; 15] = ["p", "h4", "blockquote", "pre", "code", "ol", "ul", "li", "em", "strong", "s", "u", "br", "hr", ""];
            for piece in html(&markdown).split('<').skip(1) {
                let element = piece.split('>').next().unwrap_or_default();
                prop_assert!(OURS.contains(&element.trim_start_matches('/')), "<{element}> from {markdown:?}");
            }
        }
    }

    #[test]
    fn a_terminal_gets_lines() {
        let card =
            "### `production`: waiting\n\n- **d4711** job\n  - 0 of 2\n\nTo decide, write.\n\n<!-- m -->";
        assert_eq!(lines(card), ["production: waiting", "- d4711 job", "- 0 of 2", "To decide, write."]);
    }
}
