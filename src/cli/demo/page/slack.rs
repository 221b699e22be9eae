//! What Slack shows: the channel with its threads, what one person alone sees of it, and forms.

use super::super::markdown::escape;
use super::super::mrkdwn;
use super::super::stage::Stage;
use super::super::world::{BOT, Person, written_at};
use super::hint;
use super::view::clock;
use crate::sim::slack::{Button, MessageView, ModalView};
use serde_json::Value;

/// The channel.
pub(crate) struct Channel {
    /// What stands in it, newest first.
    pub(crate) threads: Vec<Thread>,
    /// Forms that stand open.
    pub(crate) forms: Vec<Form>,
    /// What to try next.
    pub(crate) hint: String,
}

/// A message with the replies in its thread.
pub(crate) struct Thread {
    /// The message.
    pub(crate) first: Post,
    /// The replies, oldest first.
    pub(crate) replies: Vec<Post>,
}

/// A message.
pub(crate) struct Post {
    /// Its time, which is its name.
    pub(crate) ts: String,
    /// User name.
    pub(crate) author: &'static str,
    /// Its first letter, for the picture.
    pub(crate) initial: &'static str,
    /// `08:10:31`, UTC.
    pub(crate) at: String,
    /// What is in it, from top to bottom.
    pub(crate) parts: Vec<Part>,
    /// The one person who sees it.
    pub(crate) only_for: Option<Person>,
    /// Written by the app.
    pub(crate) is_bot: bool,
}

/// A part of a message.
pub(crate) enum Part {
    /// Inert HTML ([`mrkdwn::html`]).
    Text(String),
    /// Buttons side by side.
    Buttons(Vec<Button>),
}

/// A form before one person.
pub(crate) struct Form {
    /// Its id.
    pub(crate) id: String,
    /// Who sees it.
    pub(crate) whose: Person,
    /// Its title.
    pub(crate) title: String,
    /// What it is about.
    pub(crate) about: String,
    /// What stands before its field, if it has one.
    pub(crate) label: Option<String>,
    /// What the app finds wrong.
    pub(crate) errors: Vec<String>,
}

/// The channel as it is now.
pub(super) fn channel(stage: &Stage) -> Channel {
    let slack = &stage.world.slack;
    let mut threads: Vec<(String, Thread)> = Vec::new();
    for message in slack.messages() {
        let parent = message.thread_ts.as_ref();
        if let Some((_, thread)) = threads.iter_mut().find(|(ts, _)| Some(ts) == parent) {
            thread.replies.push(post(stage, &message));
        } else {
            let thread = Thread { first: post(stage, &message), replies: Vec::new() };
            threads.push((message.ts, thread));
        }
    }
    Channel {
        threads: threads.into_iter().rev().map(|(_, thread)| thread).collect(),
        forms: slack.forms().into_iter().map(Form::from).collect(),
        hint: hint::in_channel(slack).to_owned(),
    }
}

fn post(stage: &Stage, message: &MessageView) -> Post {
    let slack = &stage.world.slack;
    let author = slack.person(&message.author);
    let only_for = message.only_for.as_ref().and_then(|id| slack.person(id));
    Post {
        ts: message.ts.clone(),
        author: author.map_or(BOT, Person::username),
        initial: author.map_or("✓", Person::initial),
        at: clock(written_at(message)),
        parts: parts(message),
        only_for,
        is_bot: author.is_none(),
    }
}

fn parts(message: &MessageView) -> Vec<Part> {
    if message.blocks.is_empty() {
        return vec![Part::Text(paragraph(&message.text))];
    }
    message.blocks.iter().filter_map(|block| part(block, &message.buttons)).collect()
}

/// What a block shows: headers, sections, contexts, buttons. Others are in no message of the app.
fn part(block: &Value, buttons: &[Button]) -> Option<Part> {
    let text = |at: &str| block.pointer(at).and_then(Value::as_str).unwrap_or_default();
    match text("/type") {
        "header" => Some(Part::Text(format!("<h4>{}</h4>", escape(text("/text/text"))))),
        "section" => Some(Part::Text(paragraph(text("/text/text")))),
        "context" => {
            let elements = block.get("elements").and_then(Value::as_array).into_iter().flatten();
            let words = elements.filter_map(|element| element.get("text").and_then(Value::as_str));
            let words = words.map(mrkdwn::html).collect::<Vec<_>>().join(" ");
            Some(Part::Text(format!("<p><small>{words}</small></p>")))
        }
        "actions" => {
            let own = buttons.iter().filter(|button| button.block_id == text("/block_id"));
            Some(Part::Buttons(own.cloned().collect()))
        }
        _ => None,
    }
}

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", mrkdwn::html(text))
}

impl From<(Person, ModalView)> for Form {
    fn from((whose, view): (Person, ModalView)) -> Self {
        // The words before its field are the last ones.
        let (about, label) = match view.seen.rsplit_once('\n').filter(|_| !view.fields.is_empty()) {
            Some((about, label)) => (about.to_owned(), Some(label.to_owned())),
            None => (view.seen, None),
        };
        let errors = view.errors.into_iter().map(|(_, error)| error).collect();
        Self { id: view.id, whose, title: view.title, about, label, errors }
    }
}
