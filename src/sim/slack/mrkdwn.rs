//! Slack's markup, taken apart as its clients read it: what is shown, what is linked, who is called.

/// A piece of a text as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Link {
        url: String,
        label: String,
    },
    /// `<@U…>`
    Person(String),
    /// `@dana`, where names are looked for.
    Named(String),
    /// `<#C…>`
    Channel(String),
    /// `<!subteam^S…>`
    Group(String),
    /// `channel`, `here` or `everyone`.
    Everybody(String),
}

/// What is looked for in text that carries no markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auto {
    /// Nothing: `verbatim`, `parse: "none"`.
    Nothing,
    /// Links and `@here`: a text object without `verbatim`, `parse: "client"`.
    Words,
    /// Names too: `link_names`, `parse: "full"`.
    Names,
}

/// A mrkdwn text. Markup inside code counts as well, which is stricter than some clients.
pub(super) fn pieces(text: &str, auto: Auto) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        found.extend(words(&decode(before), auto));
        let closed = after.split_once('>');
        let read = closed.and_then(|(inside, behind)| Some((markup(inside)?, behind)));
        let (piece, behind) = read.unwrap_or_else(|| (Piece::Text("<".into()), after));
        found.push(piece);
        rest = behind;
    }
    found.extend(words(&decode(rest), auto));
    found
}

/// Text without markup, in which links and names may be looked for.
pub(super) fn words(text: &str, auto: Auto) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let inside_word = plain.chars().next_back().is_some_and(char::is_alphanumeric);
        let special = if inside_word || auto == Auto::Nothing { None } else { special(rest, auto) };
        let Some((piece, after)) = special else {
            plain.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        };
        if !plain.is_empty() {
            found.push(Piece::Text(std::mem::take(&mut plain)));
        }
        found.push(piece);
        rest = after;
    }
    if !plain.is_empty() {
        found.push(Piece::Text(plain));
    }
    found
}

/// A bare link or name at the beginning of this text, and what follows it.
fn special(text: &str, auto: Auto) -> Option<(Piece, &str)> {
    if text.starts_with("https://") || text.starts_with("http://") {
        let (url, after) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
        return Some((Piece::Link { url: url.into(), label: url.into() }, after));
    }
    let rest = text.strip_prefix('@')?;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || "._-".contains(c))).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    match word {
        "channel" | "here" | "everyone" => Some((Piece::Everybody(word.into()), after)),
        "" => None,
        name => (auto == Auto::Names).then(|| (Piece::Named(name.into()), after)),
    }
}

/// What stands between `<` and `>`.
fn markup(inside: &str) -> Option<Piece> {
    let (target, label) = inside.split_once('|').map_or((inside, None), |(to, label)| (to, Some(label)));
    if let Some(id) = target.strip_prefix('@') {
        return Some(Piece::Person(id.into()));
    }
    if let Some(id) = target.strip_prefix('#') {
        return Some(Piece::Channel(id.into()));
    }
    if let Some(word) = target.strip_prefix('!') {
        return Some(command(word, label));
    }
    let link = target.contains("://") || target.starts_with("mailto:");
    link.then(|| Piece::Link { url: decode(target), label: decode(label.unwrap_or(target)) })
}

fn command(word: &str, label: Option<&str>) -> Piece {
    match word.split_once('^').unwrap_or((word, "")) {
        ("channel" | "here" | "everyone", _) => Piece::Everybody(word.into()),
        ("subteam", id) => Piece::Group(id.into()),
        // A date reads as its fallback here; each client shows it in its reader's time zone.
        _ => Piece::Text(decode(label.unwrap_or(word))),
    }
}

fn decode(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.into())
    }

    #[test]
    fn escaped_markup_is_text() {
        assert_eq!(pieces("a &lt;!channel&gt; b &amp;lt;", Auto::Words), [text("a <!channel> b &lt;")]);
        let kept = pieces("<no markup> <", Auto::Nothing);
        assert_eq!(kept, [text("<"), text("no markup> "), text("<")], "what is no markup stays text");
    }

    #[test]
    fn a_links_label_may_lie() {
        let link = Piece::Link { url: "http://evil.example".into(), label: "https://gitlab.com".into() };
        assert_eq!(pieces("<http://evil.example|https://gitlab.com>", Auto::Nothing), [link]);
    }

    #[test]
    fn bare_words_call_only_where_they_are_looked_for() {
        assert_eq!(pieces("feat/@here", Auto::Nothing), [text("feat/@here")]);
        let call = Piece::Everybody("here".into());
        assert_eq!(pieces("feat/@here", Auto::Words), [text("feat/"), call]);
        assert_eq!(pieces("me@here @dana", Auto::Words), [text("me@here @dana")]);
        assert_eq!(pieces("@dana", Auto::Names), [Piece::Named("dana".into())]);
    }

    #[test]
    fn markup_calls_whatever_is_looked_for() {
        let called = pieces("<!channel><!subteam^S1|@qa><@U1><#C1|x><!date^1^{date}|May 8>", Auto::Nothing);
        let wanted = [
            Piece::Everybody("channel".into()),
            Piece::Group("S1".into()),
            Piece::Person("U1".into()),
            Piece::Channel("C1".into()),
            text("May 8"),
        ];
        assert_eq!(called, wanted);
    }
}
