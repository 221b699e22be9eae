//! The slash command: its secret, its form, and the app's answers, at once or later.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::mentions::{from_slack, mentions};
use super::posts::{Draft, NewPost};
use super::state::{Error, Refused, State};
use super::{ChannelId, Mattermost, PostId, TeamId, UserId};
use crate::sim::exchange::{Came, Outgoing};

const MOST_USES: u32 = 5;
const LIFETIME: SignedDuration = SignedDuration::from_mins(30);

pub(super) struct Command {
    team: TeamId,
    /// Without the slash.
    word: String,
    url: String,
    token: String,
}

/// Who typed a command, and where: what answers go by.
#[derive(Clone)]
pub(super) struct Typed {
    pub(super) user: UserId,
    pub(super) channel: ChannelId,
    pub(super) root_id: Option<PostId>,
}

/// What a `response_url` stands for.
pub(super) struct Later {
    typed: Typed,
    at: Timestamp,
    uses: u32,
}

impl Mattermost {
    /// Gives a team a slash command (its word, without the slash) and returns its token. A command of that word is
    /// replaced: so a token is regenerated.
    pub fn set_command(&self, team: &str, word: &str, url: &str) -> String {
        self.with(|state| {
            let token = state.ids.hex(26);
            state.commands.retain(|known| known.team != team || known.word != word);
            let (team, word, url) = (team.to_owned(), word.to_owned(), url.to_owned());
            state.commands.push(Command { team, word, url, token: token.clone() });
            token
        })
    }
}

impl State {
    pub(super) fn command_form(&mut self, typed: &Typed, text: &str) -> Result<Outgoing, Refused> {
        let Typed { user, channel, root_id } = typed;
        let user_name = self.person(user)?.name.clone();
        let place = self.writable(user, channel)?;
        let (team, channel_name) = (place.team.clone(), place.name.clone());
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let word = word.strip_prefix('/').ok_or(Refused::NoCommand)?.to_lowercase();
        let known = self.commands.iter().find(|known| known.team == team && known.word == word);
        let (url, token) =
            known.map(|known| (known.url.clone(), known.token.clone())).ok_or(Refused::NoCommand)?;
        let later = self.ids.hex(26);
        let response_url = format!("{}/hooks/commands/{later}", self.url);
        self.response_urls.insert(later, Later { typed: typed.clone(), at: self.time(), uses: 0 });
        let trigger = self.trigger(user, channel);
        let mut form = Serializer::new(String::new());
        form.extend_pairs([
            ("channel_id", channel.as_str()),
            ("channel_name", &channel_name),
            ("command", &format!("/{word}")),
            ("response_url", &response_url),
            ("root_id", root_id.as_deref().unwrap_or_default()),
            ("team_domain", self.teams.get(&team).map_or("", String::as_str)),
            ("team_id", &team),
            ("text", rest),
            ("token", &token),
            ("trigger_id", &trigger),
            ("user_id", user),
            ("user_name", &user_name),
        ]);
        for name in mentions(rest) {
            if let Some(known) = self.users.values().find(|known| known.name == name) {
                form.append_pair("user_mentions", &name).append_pair("user_mentions_ids", &known.id);
            }
        }
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
            ("Accept", "application/json".to_owned()),
            ("Authorization", format!("Token {token}")),
            ("User-Agent", "Mattermost-Bot/1.1".to_owned()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Ok(Outgoing { url, headers, body: form.finish() })
    }

    /// Shows what the app answered, and returns what the author alone sees of it; the error is the server's
    /// complaint.
    pub(super) fn after_command(&mut self, typed: &Typed, came: &Came) -> Result<Option<String>, String> {
        let failed = |why: &str| format!("Command failed: {why}");
        match came {
            Came::Answer { status: 200, body, .. } if body.is_empty() => Err(failed("empty response")),
            Came::Answer { status: 200, json, body } => {
                let answer = read(*json, body).map_err(|_| failed("no JSON"))?;
                self.respond(typed, &answer).map_err(|error| failed(error.id))
            }
            Came::Answer { status, body, .. } => Err(failed(&format!("response {status}: {body}"))),
            Came::Late => Err(failed("timed out")),
            Came::Broken => Err(failed("unreachable")),
        }
    }

    /// What the app posts to a `response_url`.
    pub(super) fn answer_later(&mut self, id: &str, json: bool, body: &str) -> Result<(), Error> {
        let answer = read(json, body).map_err(|_| {
            Error::new(400, "web.command_webhook.parse.app_error", "Unable to parse incoming data.")
        })?;
        let now = self.time();
        let known = self.response_urls.get_mut(id).filter(|known| now.duration_since(known.at) <= LIFETIME);
        let Some(later) = known else {
            let why = "Unable to find the command webhook.";
            return Err(Error::new(404, "app.command_webhook.get.missing", why));
        };
        if later.uses >= MOST_USES {
            let why = "Invalid webhook.";
            return Err(Error::new(400, "app.command_webhook.try_use.invalid", why));
        }
        later.uses += 1;
        let typed = later.typed.clone();
        self.respond(&typed, &answer).map(drop)
    }

    /// One answer and the extra ones it carries. A public one is a post of the person who typed the command.
    fn respond(&mut self, typed: &Typed, answer: &Value) -> Result<Option<String>, Error> {
        let extra = answer.get("extra_responses").and_then(Value::as_array).into_iter().flatten();
        let mut private = None;
        for one in std::iter::once(answer).chain(extra) {
            let seen = self.respond_one(typed, one)?;
            private = private.or(seen);
        }
        Ok(private)
    }

    fn respond_one(&mut self, typed: &Typed, answer: &Value) -> Result<Option<String>, Error> {
        let text = answer.get("text").and_then(Value::as_str).unwrap_or_default();
        let skip = answer.get("skip_slack_parsing") == Some(&Value::Bool(true));
        let message = if skip { text.to_owned() } else { from_slack(text) };
        let attachments = answer.get("attachments").filter(|value| !value.is_null());
        let public = answer.get("response_type").and_then(Value::as_str) == Some("in_channel");
        if !public && message.is_empty() && attachments.is_none() {
            return Ok(None);
        }
        let mut props = json!({ "from_webhook": "true" });
        if let (Some(attachments), Some(fields)) = (attachments, props.as_object_mut()) {
            fields.insert("attachments".into(), attachments.clone());
        }
        let new = NewPost { message, root_id: typed.root_id.clone(), props };
        let only_for = (!public).then(|| typed.user.clone());
        let draft = Draft { author: &typed.user, channel: &typed.channel, new, only_for, pending: None };
        let id = self.write(draft)?;
        Ok(self.posts.iter().find(|post| !public && post.id == id).map(super::read::seen))
    }
}

/// An answer: JSON where it says so, else text.
fn read(json: bool, body: &str) -> Result<Value, serde_json::Error> {
    if json { serde_json::from_str(body) } else { Ok(json!({ "text": body })) }
}
