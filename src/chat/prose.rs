//! Foreign text as every chat may show it: one line, cut by characters, nothing unseen in it. What formats, links or
//! calls people is each chat's own to escape.

/// One line without characters that steer a reader's eye or a parser; at most `most` characters.
pub(super) fn one_line(foreign: &str, most: usize) -> String {
    let seen: String = foreign.chars().filter(|c| !is_unseen(*c)).map(blank).collect();
    cut(&seen.split_whitespace().collect::<Vec<_>>().join(" "), most)
}

/// At most `most` characters; `…` is the last of them where something is missing.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("production", "production")]
    #[case(" one\n two\t three ", "one two three")]
    #[case("pro\u{202e}duc\u{2066}tion\u{200b}", "production")]
    #[case("a\u{0}b\u{1b}[31mc", "a b [31mc")]
    fn foreign_text_becomes_one_plain_line(#[case] foreign: &str, #[case] line: &str) {
        assert_eq!(one_line(foreign, 100), line);
    }

    #[rstest]
    #[case("äöü", 3, "äöü")]
    #[case("äöüß", 3, "äö…")]
    #[case("🚀🚀🚀", 2, "🚀…")]
    fn what_is_too_long_is_cut_between_characters(
        #[case] text: &str,
        #[case] most: usize,
        #[case] shown: &str,
    ) {
        assert_eq!(cut(text, most), shown);
    }
}
