//! Slack's markup as HTML, with nothing in it that a message's writer could run.
//!
//! No attribute is ever written and every character of text is escaped, so what comes out is inert whatever came in.

use super::markdown::escape;

/// A text with markup, which may have several lines.
pub(crate) fn html(text: &str) -> String {
    text.lines().map(line).collect::<Vec<_>>().join("<br>")
}

fn line(text: &str) -> String {
    let mut html = String::new();
    let mut strong = false;
    let mut before = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.strip_prefix(c).unwrap_or_default();
        let (shown, behind) = match c {
            '`' => code(after),
            '<' => markup(after),
            '*' if !strong && opens(before, after) => {
                strong = true;
                Some(("<strong>".to_owned(), after))
            }
            '*' if strong && closes(before, after) => {
                strong = false;
                Some(("</strong>".to_owned(), after))
            }
            '&' => Some(entity(after)),
            _ => None,
        }
        .unwrap_or_else(|| (escape(c.encode_utf8(&mut [0; 4])), after));
        html.push_str(&shown);
        (before, rest) = (Some(c), behind);
    }
    if strong {
        html.push_str("</strong>");
    }
    html
}

/// A star at the beginning of a word, which another one ends.
fn opens(before: Option<char>, after: &str) -> bool {
    let at_a_word = after.chars().next().is_some_and(|c| !c.is_whitespace());
    at_a_word && !before.is_some_and(char::is_alphanumeric) && after.contains('*')
}

fn closes(before: Option<char>, after: &str) -> bool {
    let behind_a_word = before.is_some_and(|c| !c.is_whitespace());
    behind_a_word && !after.chars().next().is_some_and(char::is_alphanumeric)
}

/// Code, if it ends, and what stands behind it.
fn code(after: &str) -> Option<(String, &str)> {
    let (code, behind) = after.split_once('`')?;
    Some((format!("<code>{}</code>", escape(&decoded(code))), behind))
}

/// What stands in angle brackets: links are shown by their words, since the simulated forges have no pages; times by
/// what stands there for those who can't show them.
fn markup(after: &str) -> Option<(String, &str)> {
    let (inside, behind) = after.split_once('>')?;
    let (target, label) = inside.split_once('|').unwrap_or((inside, inside));
    let label = escape(&decoded(label));
    let shown = if target.contains("://") { format!("<u>{label}</u>") } else { label };
    Some((shown, behind))
}

/// One of Slack's three escapes, or the character by itself.
fn entity(after: &str) -> (String, &str) {
    let known = ["amp;", "lt;", "gt;"].into_iter().find_map(|name| Some((name, after.strip_prefix(name)?)));
    known.map_or_else(|| ("&amp;".to_owned(), after), |(name, behind)| (format!("&{name}"), behind))
}

fn decoded(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    #[rstest]
    #[case::strong("*d4711*: blocked", "<strong>d4711</strong>: blocked")]
    #[case::a_star_within_a_word("2*3*4 and a lone *", "2*3*4 and a lone *")]
    #[case::a_star_that_never_ends_a_word("*a b*c", "<strong>a b*c</strong>")]
    #[case::code("write `/deploy <x>` or `y", "write <code>/deploy &lt;x&gt;</code> or `y")]
    #[case::stars_in_code("`*a*`", "<code>*a*</code>")]
    #[case::a_link("<http://gitlab.example/c|9f1c> from", "<u>9f1c</u> from")]
    #[case::a_time("<!date^1778234400^{date} {time}|10:00 UTC>", "10:00 UTC")]
    #[case::escaped("a &lt;b&gt; &amp;lt; &copy;", "a &lt;b&gt; &amp;lt; &amp;copy;")]
    #[case::two_lines("a\nb", "a<br>b")]
    fn markup_is_shown(#[case] text: &str, #[case] html: &str) {
        assert_eq!(super::html(text), html);
    }

    #[rstest]
    #[case("<script>alert(1)</script>")]
    #[case("&lt;script&gt;alert(1)&lt;/script&gt;")]
    #[case("<http://x.example|<img src=x onerror=alert(1)>>")]
    #[case("<http://x.example|&lt;img src=x onerror=alert(1)&gt;>")]
    #[case("`<img src=x>` *<b onclick=x>*")]
    #[case("<javascript:alert(1)|click>")]
    fn nothing_but_our_own_elements_comes_out(#[case] text: &str) {
        let mut html = super::html(text);
        for ours in ["<strong>", "</strong>", "<code>", "</code>", "<u>", "</u>", "<br>"] {
            html = html.replace(ours, "");
        }
        assert!(!html.contains('<'), "{html}");
    }
}
