//! Which lines of a comment are text, that is, the writer's own words.
//!
//! Not text: block quotes with their lazy continuation, quotes between `>>>` fences, code in every form, HTML
//! comments, what HTML hides (see [`super::html`]), struck text, link texts and image descriptions (they
//! repeat foreign titles), link definitions. Text like any other: paragraphs, headings, list items, tables (a
//! row is a plain line), emphasis and the content of `<details>`. A task list's `[ ]` begins its line, so what
//! stands behind it begins none.
//!
//! Lines end with `\n`, `\r\n` or `\r`. Byte order marks and zero-width characters are characters like any
//! other: a word with one in it is another word, and a line that begins with one doesn't begin with an address.

use super::html::Html;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::borrow::Cow;
use std::ops::Range;

/// One line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Index of the source line, from 0.
    pub(super) index: u32,
    /// The line without list markers, heading marks, the marks of emphasis around whole words (a star within a
    /// word is a glob's) and backslashes before punctuation.
    pub(super) text: String,
}

/// The lines that are text and may begin with an address: with `@`, `/` or `!`.
pub(super) fn addressed_lines(comment: &str) -> Vec<Line> {
    let comment = with_plain_line_ends(comment);
    // Most comments end here, without being parsed.
    if !comment.lines().any(|line| begins_with_address(line.trim_start_matches(is_line_markup))) {
        return Vec::new();
    }
    let comment = without_fenced_quotes(&comment);
    let mut reader = Reader::new(&comment);
    for (event, range) in Parser::new_ext(&comment, Options::ENABLE_STRIKETHROUGH).into_offset_iter() {
        reader.read(&event, range);
    }
    reader.lines()
}

fn begins_with_address(text: &str) -> bool {
    text.starts_with(['@', '/', '!'])
}

/// What may stand in front of a line's first word: indentation and the marks of lists, headings and emphasis.
fn is_line_markup(c: char) -> bool {
    c.is_whitespace() || c.is_ascii_digit() || matches!(c, '-' | '+' | '*' | '_' | '#' | '.' | ')')
}

fn with_plain_line_ends(comment: &str) -> Cow<'_, str> {
    if comment.contains('\r') {
        Cow::Owned(comment.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(comment)
    }
}

/// Empties the lines of quotes between `>>>` fences, which Markdown proper doesn't know. A quote ends with a
/// fence at least as long as the one that began it, or with the comment. Fences may be indented at will or begin
/// a list item; those in fenced code or HTML comments are no fences.
fn without_fenced_quotes(comment: &str) -> String {
    let mut around = Around::Text;
    let mut kept = String::with_capacity(comment.len());
    for line in comment.split_inclusive('\n') {
        let before = std::mem::replace(&mut around, Around::Text);
        let was_quoted = matches!(before, Around::Quote { .. });
        around = before.after(line);
        if was_quoted || matches!(around, Around::Quote { .. }) {
            kept.push('\n');
        } else {
            kept.push_str(line);
        }
    }
    kept
}

/// What a source line stands in.
enum Around {
    Text,
    Quote { length: usize },
    Code { fence: char, length: usize },
    Comment,
}

impl Around {
    fn after(self, line: &str) -> Self {
        let content = line.trim();
        match self {
            Self::Text => Self::opened_by(line),
            Self::Quote { length } if quote_fence(content).is_some_and(|own| own >= length) => Self::Text,
            Self::Code { fence, length } if closes_code(content, fence, length) => Self::Text,
            Self::Comment if content.contains("-->") => Self::Text,
            Self::Quote { .. } | Self::Code { .. } | Self::Comment => self,
        }
    }

    fn opened_by(line: &str) -> Self {
        let content = line.trim_start_matches(is_line_markup).trim_end();
        if let Some(length) = quote_fence(content) {
            return Self::Quote { length };
        }
        if line.starts_with("    ") || line.starts_with('\t') {
            return Self::Text;
        }
        if content.starts_with("<!--") && !content.contains("-->") {
            return Self::Comment;
        }
        for fence in ['`', '~'] {
            let info = content.trim_start_matches(fence);
            let length = content.len() - info.len();
            if length >= 3 && !(fence == '`' && info.contains('`')) {
                return Self::Code { fence, length };
            }
        }
        Self::Text
    }
}

fn quote_fence(content: &str) -> Option<usize> {
    (content.len() >= 3 && content.chars().all(|c| c == '>')).then_some(content.len())
}

fn closes_code(content: &str, fence: char, length: usize) -> bool {
    content.len() >= length && content.chars().all(|c| c == fence)
}

/// Walks through Markdown's events and keeps where lines of text begin. All offsets are in bytes.
struct Reader<'a> {
    comment: &'a str,
    /// Where each source line begins.
    line_starts: Vec<usize>,
    html: Html,
    /// Everything before this offset stands in a quote, code or the like.
    hidden_until: usize,
    /// The end of the last piece of content: a text that begins on the same line doesn't begin its line.
    content_end: usize,
    /// Where lines of text begin: behind their markup.
    beginnings: Vec<usize>,
    /// Marks of emphasis around whole words, to be left out.
    marks: Vec<Range<usize>>,
}

impl<'a> Reader<'a> {
    fn new(comment: &'a str) -> Self {
        let ends = comment.match_indices('\n').map(|(index, _)| index + 1);
        Self {
            comment,
            line_starts: std::iter::once(0).chain(ends).collect(),
            html: Html::default(),
            hidden_until: 0,
            content_end: 0,
            beginnings: Vec::new(),
            marks: Vec::new(),
        }
    }

    fn read(&mut self, event: &Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.enter(tag, &range),
            Event::Text(_) => {
                self.note_beginning(range.start);
                self.content_end = range.end;
            }
            Event::Html(_) => self.read_html_block(range),
            Event::InlineHtml(_) => {
                self.html.read(self.source(range.clone()));
                self.content_end = range.end;
            }
            Event::Code(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => self.content_end = range.end,
            Event::End(TagEnd::HtmlBlock) => self.html.end_block(),
            Event::End(_) | Event::SoftBreak | Event::HardBreak | Event::Rule => {}
        }
    }

    fn enter(&mut self, tag: &Tag<'_>, range: &Range<usize>) {
        if hides(tag) {
            self.hidden_until = self.hidden_until.max(range.end);
        }
        if matches!(tag, Tag::Emphasis) {
            self.note_marks(range, 1);
        } else if matches!(tag, Tag::Strong) {
            self.note_marks(range, 2);
        }
    }

    fn note_beginning(&mut self, offset: usize) {
        let line_start = self.line_start(offset);
        let is_first = self.content_end <= line_start;
        let is_own_word = offset >= self.hidden_until && self.html.shows_text();
        if is_first && is_own_word && self.source(line_start..offset).chars().all(is_line_markup) {
            self.beginnings.push(offset);
        }
    }

    fn read_html_block(&mut self, range: Range<usize>) {
        let mut offset = range.start;
        for line in self.source(range.clone()).split_inclusive('\n') {
            let indentation = line.len() - line.trim_start().len();
            self.note_beginning(offset + indentation);
            self.html.read(line);
            offset += line.len();
            self.content_end = offset;
        }
    }

    /// Keeps the marks of an emphasis that begins before a word and ends behind one.
    fn note_marks(&mut self, range: &Range<usize>, width: usize) {
        let (opening, closing) =
            (range.start..range.start + width, range.end.saturating_sub(width)..range.end);
        let (outer_opening, outer_closing) = match self.marks.as_slice() {
            [.., opening, closing] => (opening.end, closing.start),
            [] | [_] => (usize::MAX, usize::MAX),
        };
        let before = self.comment.get(..opening.start).and_then(|text| text.chars().next_back());
        let after = self.comment.get(closing.end..).and_then(|text| text.chars().next());
        let begins = outer_opening == opening.start || before.is_none_or(char::is_whitespace);
        let ends = outer_closing == closing.end || after.is_none_or(char::is_whitespace);
        if begins && ends {
            self.marks.extend([opening, closing]);
        }
    }

    fn lines(mut self) -> Vec<Line> {
        self.marks.sort_unstable_by_key(|mark| mark.start);
        let mut marks = self.marks.iter().peekable();
        let mut lines = Vec::new();
        for &beginning in &self.beginnings {
            let number = self.line_number(beginning);
            let next_line = self.line_starts.get(number + 1).copied().unwrap_or(self.comment.len());
            let mut text = String::new();
            let mut from = beginning;
            while let Some(mark) = marks.next_if(|mark| mark.start < next_line) {
                if mark.start >= from {
                    text.push_str(self.source(from..mark.start));
                }
                from = from.max(mark.end);
            }
            text.push_str(self.source(from..next_line));
            if begins_with_address(&text) {
                let index = u32::try_from(number).unwrap_or(u32::MAX);
                lines.push(Line { index, text: without_escapes(text.trim_end()) });
            }
        }
        lines
    }

    fn source(&self, range: Range<usize>) -> &'a str {
        self.comment.get(range).unwrap_or_default()
    }

    fn line_number(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    fn line_start(&self, offset: usize) -> usize {
        self.line_starts.get(self.line_number(offset)).copied().unwrap_or(0)
    }
}

/// Whether what stands in it isn't the writer's own word.
fn hides(tag: &Tag<'_>) -> bool {
    match tag {
        Tag::BlockQuote(_)
        | Tag::CodeBlock(_)
        | Tag::FootnoteDefinition(_)
        | Tag::Strikethrough
        | Tag::Link { .. }
        | Tag::Image { .. }
        | Tag::MetadataBlock(_) => true,
        Tag::Paragraph
        | Tag::Heading { .. }
        | Tag::HtmlBlock
        | Tag::List(_)
        | Tag::Item
        | Tag::DefinitionList
        | Tag::DefinitionListTitle
        | Tag::DefinitionListDefinition
        | Tag::Table(_)
        | Tag::TableHead
        | Tag::TableRow
        | Tag::TableCell
        | Tag::Emphasis
        | Tag::Strong
        | Tag::Superscript
        | Tag::Subscript => false,
    }
}

/// Leaves out the backslashes that Markdown doesn't show: those before punctuation, outside code spans.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut in_code = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = chars.next_if(|next| c == '\\' && !in_code && next.is_ascii_punctuation());
        in_code ^= c == '`';
        plain.push(escaped.unwrap_or(c));
    }
    plain
}
