//! What a message says: read from what the app sent, and as people see it.

use serde_json::Value;

use super::args::Args;
use super::blocks::{self, Surface, Wrong};
use super::mrkdwn::{Auto, Piece, pieces, words};
use super::state::Error;

/// Characters that `chat.postMessage` keeps of a text.
const MOST_POSTED: usize = 40_000;

/// A message's words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Content {
    pub(super) text: String,
    pub(super) blocks: Vec<Value>,
    pub(super) metadata: Option<Value>,
    pub(super) auto: Auto,
}

impl Content {
    /// What a person typed, or Slack itself says.
    pub(super) fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), blocks: Vec::new(), metadata: None, auto: Auto::Words }
    }

    /// What the app sent. `parse` stands for an absent `parse` argument: none when posting, client when updating.
    pub(super) fn read(args: &Args, parse: Auto) -> Result<Self, Error> {
        let blocks = read_blocks(args)?;
        let text: String = args.text("text").unwrap_or_default().chars().take(MOST_POSTED).collect();
        if text.is_empty() && blocks.is_empty() {
            return Err(Error::new("no_text"));
        }
        let auto = match args.text("parse") {
            Some("full") => Auto::Names,
            Some("none") => Auto::Nothing,
            Some("client") => Auto::Words,
            Some(_) | None => parse,
        };
        let auto = if args.is_true("link_names") { Auto::Names } else { auto };
        Ok(Self { text, blocks, metadata: read_metadata(args)?, auto })
    }

    /// As people see it, a line per text. The blocks, or the text where there are none.
    pub(super) fn lines(&self) -> Vec<Vec<Piece>> {
        if self.blocks.is_empty() {
            return vec![pieces(&self.text, self.auto)];
        }
        self.blocks.iter().flat_map(block_lines).filter(|line| !line.is_empty()).collect()
    }

    /// Everything that can call people: blocks, and the text of the notification.
    pub(super) fn calls(&self) -> Vec<Piece> {
        let text = pieces(&self.text, self.auto);
        self.blocks.iter().flat_map(block_lines).flatten().chain(text).collect()
    }
}

fn read_blocks(args: &Args) -> Result<Vec<Value>, Error> {
    let blocks = match args.json("blocks") {
        Ok(None) => return Ok(Vec::new()),
        Ok(Some(Value::Array(blocks))) => blocks,
        Ok(Some(_)) | Err(_) => return Err(Error::new("invalid_blocks_format")),
    };
    match blocks::check(&blocks, Surface::Message) {
        Ok(()) => Ok(blocks),
        Err(Wrong::TooLong) => Err(Error::new("msg_blocks_too_long")),
        Err(Wrong::Invalid(messages)) => Err(Error::explained("invalid_blocks", messages)),
    }
}

fn read_metadata(args: &Args) -> Result<Option<Value>, Error> {
    let bad = || Error::new("invalid_metadata_format");
    let Some(metadata) = args.json("metadata").map_err(|_| bad())? else { return Ok(None) };
    let right = metadata.get("event_type").is_some_and(Value::is_string)
        && metadata.get("event_payload").is_some_and(Value::is_object);
    let empty = metadata.as_object().is_some_and(serde_json::Map::is_empty);
    if right || empty { Ok(Some(metadata)) } else { Err(bad()) }
}

fn block_lines(block: &Value) -> Vec<Vec<Piece>> {
    let list = |name: &str| block.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    match block.get("type").and_then(Value::as_str).unwrap_or_default() {
        "section" => {
            let own = block.get("text").into_iter().map(text_object);
            let fields = list("fields");
            let accessory = block.get("accessory").into_iter().map(button_line);
            own.chain(fields.iter().map(text_object)).chain(accessory).collect()
        }
        "context" => list("elements").iter().map(text_object).collect(),
        "actions" => vec![list("elements").iter().flat_map(button_line).collect()],
        "markdown" => {
            vec![words(block.get("text").and_then(Value::as_str).unwrap_or_default(), Auto::Words)]
        }
        "rich_text" => list("elements").iter().map(rich).collect(),
        "input" => block.get("label").into_iter().map(text_object).collect(),
        _ => block.get("text").into_iter().map(text_object).collect(),
    }
}

fn text_object(text: &Value) -> Vec<Piece> {
    let words = text.get("text").and_then(Value::as_str).unwrap_or_default();
    if text.get("type").and_then(Value::as_str) != Some("mrkdwn") {
        return vec![Piece::Text(words.into())];
    }
    let verbatim = text.get("verbatim").and_then(Value::as_bool).unwrap_or(false);
    pieces(words, if verbatim { Auto::Nothing } else { Auto::Words })
}

fn button_line(button: &Value) -> Vec<Piece> {
    let label = button.pointer("/text/text").and_then(Value::as_str).unwrap_or_default();
    vec![Piece::Text(format!("[{label}]"))]
}

/// An element of rich text; its types say what is a mention, so nothing is parsed.
fn rich(element: &Value) -> Vec<Piece> {
    let text = |name: &str| element.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match text("type").as_str() {
        "text" => vec![Piece::Text(text("text"))],
        "link" => {
            let label = if element.get("text").is_some() { text("text") } else { text("url") };
            vec![Piece::Link { url: text("url"), label }]
        }
        "user" => vec![Piece::Person(text("user_id"))],
        "usergroup" => vec![Piece::Group(text("usergroup_id"))],
        "channel" => vec![Piece::Channel(text("channel_id"))],
        "broadcast" => vec![Piece::Everybody(text("range"))],
        _ => {
            let inner = element.get("elements").and_then(Value::as_array);
            inner.into_iter().flatten().flat_map(rich).collect()
        }
    }
}
