//! Slash commands: the form that one is, and what was typed.

use super::inbound::{Fields, Receiver, is_id, lacks};
use crate::domain::chat::{Act, Aside, ChannelId, ChatUser, Chatted};
use crate::domain::event::Event;
use crate::ports::inbound::{Received, Rejected, Verified};
use jiff::Timestamp;

/// Reads a command. It is never typed in a thread: Slack doesn't allow that.
pub(super) fn read(receiver: &Receiver, fields: &Fields, at: Timestamp) -> Result<Received, Rejected> {
    let id =
        |name: &str| fields.get(name).filter(|id| is_id(id)).map(str::to_owned).ok_or_else(|| lacks(name));
    fields.get("command").ok_or_else(|| lacks("command"))?;
    let (act, user, channel) = (id("trigger_id")?, id("user_id")?, id("channel_id")?);
    let aside = Aside {
        chat: receiver.chat.clone(),
        channel: ChannelId::new(channel),
        user: user.clone(),
        thread: None,
        url: receiver.answers_at(fields.get("response_url")),
    };
    let by = ChatUser { id: user, team: fields.get("team_id").map(str::to_owned) };
    let text = typed(fields.get("text").unwrap_or_default());
    let chatted = Chatted { id: act.clone(), by, aside, at, act: Act::Typed { text } };
    let events = vec![Event::Chatted(Box::new(chatted))];
    Ok(Received::Ours(Verified { id: act, events, form: None }))
}

/// What was typed, from what Slack made of it (`should_escape`): `<@U1|dana>` was `@dana`, `<http://x|x>` was `x`.
fn typed(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        said.push_str(&unescaped(before));
        let Some((markup, behind)) = after.split_once('>') else {
            said.push('<');
            rest = after;
            continue;
        };
        said.push_str(&unescaped(&meant(markup)));
        rest = behind;
    }
    said.push_str(&unescaped(rest));
    said
}

/// What people typed that became this markup.
fn meant(markup: &str) -> String {
    let (target, label) = markup.split_once('|').unwrap_or((markup, ""));
    let label = Some(label).filter(|label| !label.is_empty());
    let named = |sign: char, id: &str| format!("{sign}{}", label.unwrap_or(id).trim_start_matches(sign));
    if let Some(id) = target.strip_prefix('@') {
        return named('@', id);
    }
    if let Some(id) = target.strip_prefix('#') {
        return named('#', id);
    }
    match target.strip_prefix('!') {
        // `<!subteam^S1|@sre>`, `<!here>`; of a date the words.
        Some(special) if special.starts_with("date^") => label.unwrap_or_default().to_owned(),
        Some(special) => named('@', special.split('^').next_back().unwrap_or(special)),
        None => label.unwrap_or(target).to_owned(),
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::typed;
    use rstest::rstest;

    #[rstest]
    #[case("approve production", "approve production")]
    #[case("reject prod a &lt; b &amp;&amp; c", "reject prod a < b && c")]
    #[case("approve &lt;!channel&gt;", "approve <!channel>")]
    #[case("reject prod &amp;lt;", "reject prod &lt;")]
    #[case("reject prod ask <@U024BE7LH|dana>", "reject prod ask @dana")]
    #[case("reject prod ask <@U024BE7LH>", "reject prod ask @U024BE7LH")]
    #[case("reject prod see <#C1|deploys>, <#C2|> or <#C3>", "reject prod see #deploys, #C2 or #C3")]
    #[case("approve <http://app.example.com|app.example.com>", "approve app.example.com")]
    #[case("reject prod <https://x.example/a?b=1&amp;c=2>", "reject prod https://x.example/a?b=1&c=2")]
    #[case("reject prod <mailto:dana@x.example|dana@x.example>", "reject prod dana@x.example")]
    #[case("reject prod <!here> <!subteam^S1|@sre> <!subteam^S1>", "reject prod @here @sre @S1")]
    #[case("reject prod <!date^1^{date}|May 8>", "reject prod May 8")]
    #[case("a < b", "a < b")]
    #[case("", "")]
    fn what_was_typed_is_read_back(#[case] sent: &str, #[case] text: &str) {
        assert_eq!(typed(sent), text);
    }
}
