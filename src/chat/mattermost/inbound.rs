//! What Mattermost sends, and who sent it: slash commands with their token, buttons and forms with a seal of ours.
//!
//! Only the user's id is Mattermost's own word in all three, and only because something else proves the request.
//! Names, types and addresses in it prove nothing and are not read.

use super::seal::{Button, Opened, Place, Seal, Sealed as _};
use super::talk::{LONGEST_REASON, digest};
use super::{Settings, is_id, words};
use crate::domain::chat::{Act, Aside, ChannelId, ChatUser, Chatted, Message};
use crate::domain::event::Event;
use crate::domain::id::ChatName;
use crate::domain::ledger::Word;
use crate::net::http::Url;
use crate::net::signature::{BadSecret, SharedTokens};
use crate::ports::chat::Form;
use crate::ports::inbound::{Inbound, Manner, RawDelivery, Received, Rejected, Verified};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Nothing that Mattermost sends is larger, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Receives what one Mattermost sends.
pub struct MattermostInbound {
    name: ChatName,
    url: Url,
    seal: Seal,
    tokens: SharedTokens,
}

impl std::fmt::Debug for MattermostInbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MattermostInbound").field("name", &self.name).finish_non_exhaustive()
    }
}

impl MattermostInbound {
    /// Takes the tokens of the slash command; at least one, none of them empty.
    pub fn new(settings: &Settings, command_tokens: Vec<SecretString>) -> Result<Self, BadSecret> {
        if settings.bot_token.expose_secret().trim().is_empty() {
            return Err(BadSecret::Empty);
        }
        let tokens = SharedTokens::new(command_tokens)?;
        if tokens.is_empty() {
            return Err(BadSecret::Missing);
        }
        let Settings { name, url, bot_token, .. } = settings;
        Ok(Self { name: name.clone(), url: url.clone(), seal: Seal::new(bot_token), tokens })
    }
}

impl Inbound for MattermostInbound {
    fn manner(&self) -> Manner {
        Manner::Chat("{}")
    }

    fn largest(&self) -> usize {
        LARGEST
    }

    fn receive(&self, raw: RawDelivery<'_>, now: Timestamp) -> Result<Received, Rejected> {
        let kind = raw.single("content-type")?.unwrap_or_default();
        if !is_json(kind) {
            return self.typed(&Fields::read(raw.body), raw.single("authorization")?, now);
        }
        let Ok(sent) = serde_json::from_slice::<Sent>(raw.body) else { return Err(unproven()) };
        match (sent.kind.as_deref(), &sent.context) {
            (Some("dialog_submission"), _) => self.submitted(&sent, now),
            (_, Some(_)) => self.pressed(sent, now),
            (_, None) => Err(unproven()),
        }
    }
}

impl MattermostInbound {
    /// The slash command.
    fn typed(
        &self,
        form: &Fields<'_>,
        authorization: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Received, Rejected> {
        self.authenticate(&form.all("token"), authorization)?;
        let (user, channel) = (form.id("user_id")?, form.id("channel_id")?);
        let trigger = form.one("trigger_id").filter(|trigger| !trigger.is_empty());
        let id = digest(trigger.ok_or_else(|| unreadable("trigger_id"))?);
        let thread = form.one("root_id").filter(|root| is_id(root)).map(str::to_owned);
        let url = form.one("response_url").filter(|url| self.is_ours(url)).map(str::to_owned);
        let chatted = Chatted {
            id,
            by: ChatUser { id: user.clone(), team: None },
            aside: Aside { chat: self.name.clone(), channel: ChannelId::new(channel), user, thread, url },
            at: now,
            act: Act::Typed { text: form.one("text").unwrap_or_default().to_owned() },
        };
        Ok(happened(chatted))
    }

    /// The token comes in a header and in a field. With an OAuth connection the header holds something else.
    fn authenticate(&self, fields: &[&str], authorization: Option<&[u8]>) -> Result<(), Rejected> {
        let refused = |why| Err(Rejected::Unauthenticated(why));
        let header = authorization.and_then(after_token);
        let field = match fields {
            [] => None,
            [one] => Some(one.as_bytes()),
            [_, _, ..] => return refused("the token came twice"),
        };
        let Some(token) = header.or(field) else { return refused("no token came with the command") };
        if !self.tokens.matches(token) {
            return refused("the token is wrong");
        }
        if header.is_some() && field.is_some() && header != field {
            return refused("two different tokens came");
        }
        Ok(())
    }

    /// Whether answers to a command can be sent there: to the configured place only.
    fn is_ours(&self, address: &str) -> bool {
        let Ok(url) = Url::parse(address) else { return false };
        let below = url.path().strip_prefix(self.url.path().trim_end_matches('/'));
        url.origin() == self.url.origin()
            && url.username().is_empty()
            && url.password().is_none()
            && below.is_some_and(|path| path.starts_with("/hooks/commands/"))
    }

    /// A button. Nothing is decided: a form is opened, which only the person who pressed can send.
    fn pressed(&self, sent: Sent, now: Timestamp) -> Result<Received, Rejected> {
        let sealed = sent.context.as_ref().and_then(|context| context.get("sealed")?.as_str());
        let button: Button = sealed.and_then(|text| self.seal.open(text)).ok_or_else(unproven)?;
        let user = sent.user_id.filter(|id| is_id(id)).ok_or_else(|| unreadable("user_id"))?;
        let channel = sent.channel_id.filter(|id| is_id(id)).ok_or_else(|| unreadable("channel_id"))?;
        let channel = ChannelId::new(channel);
        let trigger = sent.trigger_id.filter(|id| !id.is_empty()).ok_or_else(|| unreadable("trigger_id"))?;
        if triggered_by(&trigger).is_some_and(|other| other != user) {
            return Err(Rejected::Unauthenticated("the trigger is another person's"));
        }
        let on = match &button.place {
            Place::Card => {
                let id = sent.post_id.filter(|id| is_id(id)).ok_or_else(|| unreadable("post_id"))?;
                Some(Message { channel: channel.clone(), id })
            }
            Place::Aside(reader) if *reader == user => None,
            Place::Aside(_) => return Err(Rejected::Unauthenticated("the button is another person's")),
        };
        if button.is_expired(now) {
            let told = json!({ "ephemeral_text": words::BUTTON_EXPIRED, "skip_slack_parsing": true });
            return Ok(Received::Told(told.to_string()));
        }
        let id = digest(&trigger);
        let aside = Aside { chat: self.name.clone(), channel, user, thread: None, url: None };
        let form = Form { trigger, aside, on, offer: button.offer, word: button.word };
        Ok(Received::Ours(Verified { id, events: Vec::new(), form: Some(Box::new(form)) }))
    }

    /// A form. Its state is the client's word as much as its fields are, but for the seal.
    fn submitted(&self, sent: &Sent, now: Timestamp) -> Result<Received, Rejected> {
        let state = sent.state.as_deref();
        let opened: Opened = state.and_then(|state| self.seal.open(state)).ok_or_else(unproven)?;
        if sent.user_id.as_ref() != Some(&opened.user) {
            return Err(Rejected::Unauthenticated("the form is another person's"));
        }
        if sent.cancelled {
            return Ok(Received::NotOurs("the form was cancelled"));
        }
        if opened.is_expired(now) {
            return Ok(Received::Told(json!({ "error": words::FORM_EXPIRED }).to_string()));
        }
        let reason = reason(sent.submission.as_ref());
        if let Some(fault) = fault(&opened, reason.as_deref()) {
            return Ok(Received::Told(json!({ "errors": { "reason": fault } }).to_string()));
        }
        let Opened { offer, word, user, channel, on, pressed_at, nonce } = opened;
        let chatted = Chatted {
            id: format!("form:{nonce}"),
            by: ChatUser { id: user.clone(), team: None },
            aside: Aside { chat: self.name.clone(), channel, user, thread: None, url: None },
            at: now,
            act: Act::Pressed { offer, word, reason, on, pressed_at },
        };
        Ok(happened(chatted))
    }
}

fn happened(chatted: Chatted) -> Received {
    let id = chatted.id.clone();
    Received::Ours(Verified { id, events: vec![Event::Chatted(Box::new(chatted))], form: None })
}

fn reason(submission: Option<&Value>) -> Option<String> {
    let text = submission?.get("reason")?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// What is wrong with the reason.
fn fault(opened: &Opened, reason: Option<&str>) -> Option<&'static str> {
    match (opened.word, reason) {
        (Word::Rejected, None) if opened.offer.reason_needed => Some(words::REASON_NEEDED),
        (_, Some(reason)) if reason.chars().count() > LONGEST_REASON => Some(words::REASON_TOO_LONG),
        (Word::Approved | Word::Rejected | Word::Revoked, _) => None,
    }
}

/// Whose act a trigger is, by its own word: base64 of `nonce:user:time:signature`. Mattermost checks the signature
/// when the form is opened, so that a form sealed for one person is never shown to another. A trigger of some other
/// shape is left to Mattermost.
fn triggered_by(trigger: &str) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(trigger).ok()?).ok()?;
    text.split(':').nth(1).map(str::to_owned)
}

/// A button or a form, as JSON.
#[derive(Deserialize)]
struct Sent {
    #[serde(rename = "type")]
    kind: Option<String>,
    user_id: Option<String>,
    channel_id: Option<String>,
    post_id: Option<String>,
    trigger_id: Option<String>,
    context: Option<BTreeMap<String, Value>>,
    state: Option<String>,
    submission: Option<Value>,
    #[serde(default)]
    cancelled: bool,
}

/// The fields of a slash command.
struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Fields<'a> {
    fn read(body: &'a [u8]) -> Self {
        Self(url::form_urlencoded::parse(body).collect())
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_ref()).collect()
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    fn id(&self, name: &'static str) -> Result<String, Rejected> {
        self.one(name).filter(|id| is_id(id)).map(str::to_owned).ok_or_else(|| unreadable(name))
    }
}

fn is_json(kind: &[u8]) -> bool {
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// What stands behind `Token ` in `Authorization`.
fn after_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"token ".len())?;
    scheme.eq_ignore_ascii_case(b"token ").then(|| rest.trim_ascii())
}

fn unproven() -> Rejected {
    Rejected::Unauthenticated("nothing in it shows that it comes from a button or form of ours")
}

fn unreadable(field: &'static str) -> Rejected {
    Rejected::Unreadable(format!("{field} is missing or odd"))
}
