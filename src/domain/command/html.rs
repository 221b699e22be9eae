//! What raw HTML hides: comments, tags that span lines, and elements that quote or show code.
//!
//! Forges parse the rendered page as HTML once more, so an element stays open across Markdown's blocks until
//! it is closed. Where this reader is in doubt it hides: a command that isn't heard is repeated, one that was
//! only quoted would be carried out.

/// Elements whose content isn't the writer's own word: quotes, code, struck and linked text, raw text.
const HIDING: [&str; 14] = [
    "blockquote",
    "q",
    "pre",
    "code",
    "samp",
    "kbd",
    "del",
    "s",
    "strike",
    "a",
    "script",
    "style",
    "template",
    "textarea",
];

/// Reads the raw HTML of one document, piece by piece, in order.
#[derive(Debug, Default)]
pub(super) struct Html {
    place: Place,
    /// How many of each of [`HIDING`] are open.
    open: [u32; HIDING.len()],
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    /// In `<!-- … -->`.
    Comment,
    /// In `<!…>` or `<?…>`, which browsers take for comments, or in a tag.
    Tag { quote: Option<char> },
}

impl Html {
    /// Whether text at this place can be seen as the writer's own.
    pub(super) fn shows_text(&self) -> bool {
        self.place == Place::Text && self.open.iter().all(|count| *count == 0)
    }

    /// Reads the next piece of raw HTML.
    pub(super) fn read(&mut self, html: &str) {
        let mut rest = html;
        while !rest.is_empty() {
            rest = match self.place {
                Place::Text => self.read_text(rest),
                Place::Comment => self.read_comment(rest),
                Place::Tag { quote } => self.read_tag(rest, quote),
            };
        }
    }

    /// An HTML block has ended: a tag left open in it ends with the first tag of the next block. A comment
    /// doesn't.
    pub(super) fn end_block(&mut self) {
        if matches!(self.place, Place::Tag { .. }) {
            self.place = Place::Text;
        }
    }

    fn read_text<'a>(&mut self, text: &'a str) -> &'a str {
        let Some((_, rest)) = text.split_once('<') else { return "" };
        if let Some(comment) = rest.strip_prefix("!--") {
            self.place = Place::Comment;
            // `<!-->` and `<!--->` are whole comments.
            let short = comment.starts_with('>') || comment.starts_with("->");
            return if short { self.read_tag(comment, None) } else { comment };
        }
        let (closes, tag) = rest.strip_prefix('/').map_or((false, rest), |tag| (true, tag));
        if tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.count(tag, closes);
            self.place = Place::Tag { quote: None };
        } else if rest.starts_with(['!', '?']) {
            self.place = Place::Tag { quote: None };
        }
        rest
    }

    fn read_comment<'a>(&mut self, text: &'a str) -> &'a str {
        let Some((_, rest)) = text.split_once("-->") else { return "" };
        self.place = Place::Text;
        rest
    }

    fn read_tag<'a>(&mut self, text: &'a str, quote: Option<char>) -> &'a str {
        let ends = |c: char| quote.map_or(matches!(c, '>' | '"' | '\''), |quote| c == quote);
        let Some((index, end)) = text.char_indices().find(|(_, c)| ends(*c)) else { return "" };
        self.place = match end {
            '>' => Place::Text,
            mark => Place::Tag { quote: quote.is_none().then_some(mark) },
        };
        text.get(index + end.len_utf8()..).unwrap_or_default()
    }

    fn count(&mut self, tag: &str, closes: bool) {
        let name = tag.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap_or_default();
        let known = HIDING.iter().zip(&mut self.open).find(|(hiding, _)| hiding.eq_ignore_ascii_case(name));
        if let Some((_, count)) = known {
            *count = if closes { count.saturating_sub(1) } else { count.saturating_add(1) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain_elements("<details><summary>more</summary>", true)]
    #[case::comment_open("<div><!-- ", false)]
    #[case::comment_closed("<!-- a > b -->", true)]
    #[case::shortest_comments("<!--><!--->", true)]
    #[case::quote_open("<blockquote class=\"x\">", false)]
    #[case::quote_closed("<blockquote>x</BLOCKQUOTE>", true)]
    #[case::nested_quotes("<blockquote><blockquote></blockquote>", false)]
    #[case::another_end_tag_does_not_close("<pre></code>", false)]
    #[case::longer_name("<blockquoted>", true)]
    #[case::tag_open("<div\nclass=x", false)]
    #[case::angle_in_attribute("<div title=\"a > b\nx", false)]
    #[case::declaration_open("<?php", false)]
    #[case::no_tag("1 < 2", true)]
    fn html_shows_or_hides_what_follows(#[case] html: &str, #[case] shown: bool) {
        let mut reader = Html::default();
        reader.read(html);
        assert_eq!(reader.shows_text(), shown);
    }

    #[test]
    fn the_end_of_a_block_ends_its_tag_but_not_its_comment() {
        let mut tag = Html::default();
        tag.read("<div class");
        tag.end_block();
        let mut comment = Html::default();
        comment.read("<div><!-- x");
        comment.end_block();
        assert_eq!((tag.shows_text(), comment.shows_text()), (true, false));
    }
}
