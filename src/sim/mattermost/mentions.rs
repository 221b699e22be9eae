//! Whom a text calls: `@name`, `@here`, `@channel`, `@all`, wherever it isn't code.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The names behind each `@`, in small letters, in their order. Trailing full stops belong to the sentence.
pub(super) fn mentions(markdown: &str) -> Vec<String> {
    let text = outside_code(markdown);
    let mut found = Vec::new();
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if c == '@' && !before.is_alphanumeric() {
            let rest = text.get(at + 1..).unwrap_or_default();
            let name: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || "._-".contains(*c)).collect();
            let name = name.trim_end_matches('.').to_lowercase();
            if !name.is_empty() {
                found.push(name);
            }
        }
        before = c;
    }
    found
}

fn outside_code(markdown: &str) -> String {
    let mut text = String::new();
    let mut in_code = false;
    for event in Parser::new_ext(markdown, Options::empty()) {
        if let Event::Start(Tag::CodeBlock(_)) = event {
            in_code = true;
        } else if let Event::End(TagEnd::CodeBlock) = event {
            in_code = false;
        } else if let Event::Text(words) | Event::Html(words) | Event::InlineHtml(words) = event {
            text.push_str(if in_code { " " } else { &words });
        } else {
            text.push(' ');
        }
    }
    text
}

/// `skip_slack_parsing` left out: Slack's calls become Mattermost's, Slack's links become Markdown's.
pub(super) fn from_slack(text: &str) -> String {
    let calls =
        [("<!channel>", "@channel"), ("<!here>", "@here"), ("<!all>", "@all"), ("<!everyone>", "@all")];
    let text = calls.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let mut done = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('<') {
        done.push_str(before);
        let closed = after.split_once('>');
        let link = closed.and_then(|(inside, behind)| Some((inside.split_once('|')?, behind)));
        rest = match link {
            Some(((url, label), behind)) if url.contains("://") => {
                done.extend(["[", label, "](", url, ")"]);
                behind
            }
            Some(_) | None => {
                done.push('<');
                after
            }
        };
    }
    done.push_str(rest);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_calls_nobody() {
        assert_eq!(mentions("`@here` ``a`@all`` @dana."), ["dana"]);
        assert_eq!(mentions("```\n@channel\n```\n(@here) me@all"), ["here"]);
        assert_eq!(mentions("@\u{200b}channel @ @.-_x"), [".-_x"]);
    }

    #[test]
    fn slacks_markup_is_translated_unless_it_is_told_not_to() {
        assert_eq!(from_slack("<!channel> <https://a.example|b> <c"), "@channel [b](https://a.example) <c");
    }
}
