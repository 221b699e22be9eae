//! Block Kit: the objects that messages and forms are made of.

use super::limits;
use serde_json::{Value, json};

/// Text with markup. Verbatim: bare links, names and `@here` in it stay text.
pub(super) fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

/// Text without markup.
pub(super) fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

pub(super) fn header(text: &str) -> Value {
    json!({ "type": "header", "text": plain(text) })
}

pub(super) fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn(text) })
}

pub(super) fn context(text: &str) -> Value {
    json!({ "type": "context", "elements": [mrkdwn(text)] })
}

pub(super) fn actions(elements: &[Value]) -> Value {
    json!({ "type": "actions", "elements": elements })
}

/// As few sections as hold these lines, each of which is far shorter than one.
pub(super) fn sections(lines: &[String]) -> Vec<Value> {
    chunks(lines).iter().map(|text| section(text)).collect()
}

/// The same in smaller print.
pub(super) fn contexts(lines: &[String]) -> Vec<Value> {
    chunks(lines).iter().map(|text| context(text)).collect()
}

fn chunks(lines: &[String]) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    let mut length = 0;
    for line in lines {
        let size = line.chars().count() + 1;
        length += size;
        match chunks.last_mut() {
            Some(chunk) if length <= limits::SECTION => {
                chunk.push('\n');
                chunk.push_str(line);
            }
            Some(_) | None => {
                chunks.push(line.clone());
                length = size;
            }
        }
    }
    chunks.retain(|chunk| !chunk.trim().is_empty());
    chunks
}

/// How much a block counts towards the bound of a whole message: at least what Slack counts.
pub(super) fn characters(block: &Value) -> usize {
    match block {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.iter().map(characters).sum(),
        Value::Object(fields) => fields.values().map(characters).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// How much a whole message counts.
pub(super) fn total(blocks: &[Value]) -> usize {
    blocks.iter().map(characters).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fill_sections_one_after_the_other() {
        let lines: Vec<String> = (0..4).map(|n| n.to_string().repeat(1_400)).collect();
        let lengths: Vec<usize> = chunks(&lines).iter().map(String::len).collect();
        assert_eq!(lengths, [2_801, 2_801]);
        assert_eq!(sections(&[]), Vec::<Value>::new());
        assert_eq!(sections(&[String::new()]), Vec::<Value>::new(), "an empty section is refused");
    }
}
