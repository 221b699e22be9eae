//! Block Kit's limits. Characters are counted, not bytes.

use std::collections::BTreeSet;
use std::fmt::Display;

use serde_json::{Map, Value};

/// More characters than this over all blocks are refused, though no documentation says so.
const MOST_CHARACTERS: usize = 13_200;

/// Where blocks stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    Message,
    Modal,
}

impl Surface {
    fn most_blocks(self) -> usize {
        match self {
            Self::Message => 50,
            Self::Modal => 100,
        }
    }
}

/// What is wrong with blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// `invalid_blocks`, with Slack's explanations.
    Invalid(Vec<String>),
    /// `msg_blocks_too_long`
    TooLong,
}

pub(super) fn check(blocks: &[Value], surface: Surface) -> Result<(), Wrong> {
    let mut check = Check::default();
    if blocks.len() > surface.most_blocks() {
        check.fault("/blocks", format!("no more than {} items allowed", surface.most_blocks()));
    }
    for (number, block) in blocks.iter().enumerate() {
        check.block(&format!("/blocks/{number}"), block);
    }
    if !check.faults.is_empty() {
        return Err(Wrong::Invalid(check.faults));
    }
    if check.characters > MOST_CHARACTERS { Err(Wrong::TooLong) } else { Ok(()) }
}

/// A plain text of a modal: its title, its buttons.
pub(super) fn check_plain(at: &str, text: &Value, most: usize) -> Vec<String> {
    let mut check = Check::default();
    check.text(at, text, &["plain_text"], most);
    check.faults
}

/// A block, element or text object, and where it stands.
#[derive(Clone, Copy)]
struct Part<'a> {
    at: &'a str,
    fields: &'a Map<String, Value>,
}

#[derive(Default)]
struct Check {
    faults: Vec<String>,
    block_ids: BTreeSet<String>,
    action_ids: BTreeSet<String>,
    characters: usize,
}

impl Check {
    fn fault(&mut self, at: &str, what: impl Display) {
        self.faults.push(format!("[ERROR] {what} [json-pointer:{at}]"));
    }

    fn block(&mut self, at: &str, block: &Value) {
        let Some(fields) = block.as_object() else { return self.fault(at, "must be an object") };
        let part = Part { at, fields };
        self.action_ids.clear();
        self.block_id(part);
        match fields.get("type").and_then(Value::as_str).unwrap_or_default() {
            "section" => self.section(part),
            "header" => self.keys(part, &["text"], &[], |check, at, text| {
                check.text(at, text, &["plain_text"], 150);
            }),
            "divider" => self.keys(part, &[], &[], |_, _, _| {}),
            "context" => self.keys(part, &["elements"], &[], |check, at, elements| {
                check.each(at, elements, 10, Self::context_element);
            }),
            "actions" => self.keys(part, &["elements"], &[], |check, at, elements| {
                check.each(at, elements, 25, Self::element);
            }),
            "input" => self.input(part),
            "image" => self.image(part),
            "markdown" => self.keys(part, &["text"], &[], |check, at, text| {
                check.string(at, text, 12_000);
            }),
            "rich_text" => self.keys(part, &["elements"], &[], |check, _, elements| {
                check.characters += rich_characters(elements);
            }),
            other => self.fault(&format!("{at}/type"), format!("unsupported type: {other}")),
        }
    }

    fn block_id(&mut self, part: Part<'_>) {
        let Some(id) = part.fields.get("block_id") else { return };
        let at = format!("{}/block_id", part.at);
        self.id(&at, id);
        if !self.block_ids.insert(id.as_str().unwrap_or_default().to_owned()) {
            self.fault(&at, "`block_id` already exists");
        }
    }

    fn section(&mut self, part: Part<'_>) {
        if !part.fields.contains_key("text") && !part.fields.contains_key("fields") {
            self.fault(part.at, "missing required field: text");
        }
        let optional = ["text", "fields", "accessory", "expand"];
        self.keys(part, &[], &optional, |check, at, value| match at.rsplit('/').next() {
            Some("text") => check.text(at, value, &["mrkdwn", "plain_text"], 3000),
            Some("fields") => check.each(at, value, 10, |check, at, field| {
                check.text(at, field, &["mrkdwn", "plain_text"], 2000);
            }),
            Some("accessory") => check.element(at, value),
            Some(_) | None => {}
        });
    }

    fn context_element(&mut self, at: &str, element: &Value) {
        if element.get("type").and_then(Value::as_str) == Some("image") {
            match element.as_object() {
                Some(fields) => self.image(Part { at, fields }),
                None => self.fault(at, "must be an object"),
            }
        } else {
            self.text(at, element, &["mrkdwn", "plain_text"], 3000);
        }
    }

    fn image(&mut self, part: Part<'_>) {
        self.keys(part, &["image_url", "alt_text"], &["title"], |check, at, value| {
            match at.rsplit('/').next() {
                Some("alt_text") => check.string(at, value, 2000),
                Some("image_url") => check.string(at, value, 3000),
                Some(_) | None => check.text(at, value, &["plain_text"], 2000),
            }
        });
    }

    fn input(&mut self, part: Part<'_>) {
        let optional = ["hint", "optional", "dispatch_action"];
        self.keys(part, &["label", "element"], &optional, |check, at, value| match at.rsplit('/').next() {
            Some("label" | "hint") => check.text(at, value, &["plain_text"], 2000),
            Some("element") => check.text_input(at, value),
            Some(_) | None => {}
        });
    }

    fn text_input(&mut self, at: &str, element: &Value) {
        let Some(fields) = element.as_object() else { return self.fault(at, "must be an object") };
        if fields.get("type").and_then(Value::as_str) != Some("plain_text_input") {
            return self.fault(&format!("{at}/type"), "unsupported type");
        }
        let part = Part { at, fields };
        let optional = [
            "action_id",
            "multiline",
            "initial_value",
            "placeholder",
            "min_length",
            "max_length",
            "focus_on_load",
        ];
        self.keys(part, &[], &optional, |check, at, value| match at.rsplit('/').next() {
            Some("action_id") => check.action_id(at, value),
            Some("placeholder") => check.text(at, value, &["plain_text"], 150),
            Some("initial_value") => check.string(at, value, 3000),
            Some("min_length") => check.number(at, value, 0),
            Some("max_length") => check.number(at, value, 1),
            Some(_) | None => {}
        });
    }

    fn number(&mut self, at: &str, value: &Value, least: u64) {
        if !value.as_u64().is_some_and(|number| (least..=3000).contains(&number)) {
            self.fault(at, format!("must be between {least} and 3000"));
        }
    }

    /// Of the interactive elements the twin knows buttons.
    fn element(&mut self, at: &str, element: &Value) {
        let Some(fields) = element.as_object() else { return self.fault(at, "must be an object") };
        match fields.get("type").and_then(Value::as_str).unwrap_or_default() {
            "button" => self.button(Part { at, fields }),
            other => self.fault(&format!("{at}/type"), format!("unsupported type: {other}")),
        }
    }

    fn button(&mut self, part: Part<'_>) {
        let optional = ["action_id", "value", "url", "style", "confirm", "accessibility_label"];
        self.keys(part, &["text"], &optional, |check, at, value| match at.rsplit('/').next() {
            Some("text") => check.text(at, value, &["plain_text"], 75),
            Some("action_id") => check.action_id(at, value),
            Some("value") => check.string(at, value, 2000),
            Some("url") => check.string(at, value, 3000),
            Some("accessibility_label") => check.string(at, value, 75),
            Some("confirm") => check.confirm(at, value),
            Some("style") if !matches!(value.as_str(), Some("primary" | "danger")) => {
                check.fault(at, "must be one of: primary, danger");
            }
            Some(_) | None => {}
        });
    }

    fn confirm(&mut self, at: &str, confirm: &Value) {
        let Some(fields) = confirm.as_object() else { return self.fault(at, "must be an object") };
        let part = Part { at, fields };
        let needed = ["title", "text", "confirm", "deny"];
        self.keys(part, &needed, &["style"], |check, at, value| match at.rsplit('/').next() {
            Some("title") => check.text(at, value, &["plain_text"], 100),
            Some("text") => check.text(at, value, &["plain_text", "mrkdwn"], 300),
            Some("confirm" | "deny") => check.text(at, value, &["plain_text"], 30),
            Some(_) | None => {}
        });
    }

    /// A text object.
    fn text(&mut self, at: &str, text: &Value, kinds: &[&str], most: usize) {
        let Some(fields) = text.as_object() else { return self.fault(at, "must be an object") };
        let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
        if !kinds.contains(&kind) {
            return self.fault(&format!("{at}/type"), format!("must be one of: {}", kinds.join(", ")));
        }
        let part = Part { at, fields };
        let optional = if kind == "mrkdwn" { ["verbatim"] } else { ["emoji"] };
        self.keys(part, &["text"], &optional, |check, at, value| {
            if at.ends_with("/text") {
                check.string(at, value, most);
            }
        });
    }

    /// A text of one character at least and so many at most.
    fn string(&mut self, at: &str, value: &Value, most: usize) {
        let Some(text) = value.as_str() else { return self.fault(at, "must be a string") };
        let length = text.chars().count();
        self.characters += length;
        if length == 0 {
            self.fault(at, "must be more than 0 characters");
        }
        if length > most {
            self.fault(at, format!("must be less than {} characters", most + 1));
        }
    }

    fn id(&mut self, at: &str, value: &Value) {
        if !value.as_str().is_some_and(|id| (1..=255).contains(&id.chars().count())) {
            self.fault(at, "must be between 1 and 255 characters");
        }
    }

    fn action_id(&mut self, at: &str, value: &Value) {
        self.id(at, value);
        if !self.action_ids.insert(value.as_str().unwrap_or_default().to_owned()) {
            self.fault(at, "`action_id` already exists");
        }
    }

    fn each(&mut self, at: &str, list: &Value, most: usize, one: impl Fn(&mut Self, &str, &Value)) {
        let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
        if items.is_empty() {
            self.fault(at, "no fewer than 1 items allowed");
        }
        if items.len() > most {
            self.fault(at, format!("no more than {most} items allowed"));
        }
        for (number, item) in items.iter().enumerate() {
            one(self, &format!("{at}/{number}"), item);
        }
    }

    /// Every field that is there: known ones are looked at, needed ones missed, others refused.
    fn keys(
        &mut self,
        part: Part<'_>,
        needed: &[&str],
        optional: &[&str],
        one: impl Fn(&mut Self, &str, &Value),
    ) {
        let Part { at, fields } = part;
        for name in needed.iter().filter(|name| !fields.contains_key(**name)) {
            self.fault(at, format!("missing required field: {name}"));
        }
        for (name, value) in fields.iter().filter(|(name, _)| *name != "type" && *name != "block_id") {
            if needed.contains(&name.as_str()) || optional.contains(&name.as_str()) {
                one(self, &format!("{at}/{name}"), value);
            } else {
                self.fault(at, format!("invalid additional property: {name}"));
            }
        }
    }
}

fn rich_characters(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(rich_characters).sum(),
        Value::Object(fields) => {
            let own = fields.get("text").and_then(Value::as_str).map_or(0, |text| text.chars().count());
            own + fields.get("elements").map_or(0, rich_characters)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
