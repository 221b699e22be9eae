//! Modals: what the app may open, what people fill in, and what the app may answer to that.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::args::Args;
use super::blocks::{self, Surface, Wrong};
use super::state::{Error, Refused, State};
use super::{UserId, ViewId};

/// A view may have so many bytes.
const MOST_BYTES: usize = 250_000;
/// A `trigger_id` lives so long.
const TRIGGER_LIFETIME: SignedDuration = SignedDuration::from_secs(3);

pub(super) struct Modal {
    pub(super) id: ViewId,
    pub(super) user: UserId,
    /// As the app gave it.
    pub(super) view: Value,
    pub(super) hash: String,
    pub(super) open: bool,
    /// `block_id` and what is said below that field.
    pub(super) errors: Vec<(String, String)>,
}

impl State {
    /// `views.open`: the view is checked first, so a bad one leaves the trigger good.
    pub(super) fn open_view(&mut self, args: &Args) -> Result<Value, Error> {
        let view = self.read_view(args)?;
        let user = self.exchange(args.text("trigger_id").unwrap_or_default())?;
        let id = self.show_view(&user, view);
        Ok(json!({ "view": self.view_json(&id) }))
    }

    /// `views.update`, by `view_id`; a `hash` that is no longer the view's is refused.
    pub(super) fn update_view(&mut self, args: &Args) -> Result<Value, Error> {
        let view = self.read_view(args)?;
        let id = args.text("view_id").unwrap_or_default().to_owned();
        let hash = self.hash();
        let known = self.modals.iter_mut().find(|modal| modal.id == id && modal.open);
        let modal = known.ok_or_else(|| Error::new("not_found"))?;
        if args.text("hash").is_some_and(|seen| seen != modal.hash) {
            return Err(Error::new("hash_conflict"));
        }
        (modal.view, modal.hash) = (view, hash);
        modal.errors.clear();
        Ok(json!({ "view": self.view_json(&id) }))
    }

    fn exchange(&mut self, trigger: &str) -> Result<UserId, Error> {
        let now = self.time();
        let known = self.triggers.get_mut(trigger).ok_or_else(|| Error::new("invalid_trigger_id"))?;
        if known.exchanged {
            return Err(Error::new("exchanged_trigger_id"));
        }
        if now.duration_since(known.at) > TRIGGER_LIFETIME {
            return Err(Error::new("expired_trigger_id"));
        }
        known.exchanged = true;
        Ok(known.user.clone())
    }

    fn read_view(&mut self, args: &Args) -> Result<Value, Error> {
        let bad = |messages| Error::explained("invalid_arguments", messages);
        let Ok(Some(mut view)) = args.json("view") else {
            return Err(bad(vec!["[ERROR] missing required field: view".into()]));
        };
        if view.to_string().len() > MOST_BYTES {
            return Err(Error::new("view_too_large"));
        }
        let faults = view_faults(&view);
        if !faults.is_empty() {
            return Err(bad(faults));
        }
        if let Some(blocks) = view.get_mut("blocks").and_then(Value::as_array_mut) {
            self.name_blocks(blocks);
        }
        Ok(view)
    }

    fn show_view(&mut self, user: &str, view: Value) -> ViewId {
        let (id, hash) = (self.next_id('V', "view", 701), self.hash());
        let modal =
            Modal { id: id.clone(), user: user.to_owned(), view, hash, open: true, errors: Vec::new() };
        self.modals.push(modal);
        id
    }

    fn hash(&mut self) -> String {
        format!("{}.{}", self.time().as_second(), self.ids.hex(8))
    }

    /// The modal that stands open before this person.
    pub(super) fn modal_of(&mut self, user: &str, view: &str) -> Result<&mut Modal, Refused> {
        self.person(user)?;
        let known = self.modals.iter_mut().find(|modal| modal.id == view && modal.user == user && modal.open);
        known.ok_or(Refused::NoView)
    }

    /// What the API and interactions show of a view.
    pub(super) fn view_json(&self, id: &str) -> Value {
        let Some(modal) = self.modals.iter().find(|modal| modal.id == id) else { return Value::Null };
        let mut view = modal.view.clone();
        let own = json!({
            "id": modal.id,
            "team_id": self.home,
            "hash": modal.hash,
            "app_id": self.app.id,
            "bot_id": self.app.bot_id,
            "root_view_id": modal.id,
            "state": { "values": {} },
        });
        if let (Some(fields), Value::Object(own)) = (view.as_object_mut(), own) {
            for name in ["private_metadata", "callback_id", "external_id"] {
                fields.entry(name).or_insert_with(|| "".into());
            }
            fields.extend(own);
        }
        view
    }

    /// What the app answered to a submission, carried out; the error is what the person sees when it makes no
    /// sense.
    pub(super) fn after_submission(&mut self, user: &str, view: &str, body: &str) -> Result<(), String> {
        if body.is_empty() {
            self.close(view);
            return Ok(());
        }
        let trouble = || "We had some trouble connecting. Try again?".to_owned();
        let answer = Args::of_json(body).ok_or_else(trouble)?;
        match answer.text("response_action") {
            None => self.close(view),
            Some("clear") => {
                for modal in self.modals.iter_mut().filter(|modal| modal.user == user) {
                    modal.open = false;
                }
            }
            Some("errors") => return self.show_errors(view, &answer).ok_or_else(trouble),
            Some("update") => {
                let new = self.read_view(&answer).map_err(|_| trouble())?;
                let hash = self.hash();
                if let Some(modal) = self.modals.iter_mut().find(|modal| modal.id == view) {
                    (modal.view, modal.hash) = (new, hash);
                }
            }
            Some("push") => {
                let new = self.read_view(&answer).map_err(|_| trouble())?;
                self.show_view(user, new);
            }
            Some(_) => return Err(trouble()),
        }
        Ok(())
    }

    pub(super) fn close(&mut self, view: &str) {
        if let Some(modal) = self.modals.iter_mut().find(|modal| modal.id == view) {
            modal.open = false;
        }
    }

    /// Errors must name input blocks of the view, each by its `block_id`.
    fn show_errors(&mut self, view: &str, answer: &Args) -> Option<()> {
        let Ok(Some(Value::Object(errors))) = answer.json("errors") else { return None };
        let modal = self.modals.iter_mut().find(|modal| modal.id == view)?;
        let known: Vec<String> = inputs(&modal.view).into_iter().map(|input| input.block_id).collect();
        if errors.is_empty() || !errors.keys().all(|block| known.contains(block)) {
            return None;
        }
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        modal.errors = errors.into_iter().map(|(block, value)| (block, text(value))).collect();
        Some(())
    }
}

/// A field of a modal.
pub(super) struct Input {
    pub(super) block_id: String,
    pub(super) action_id: String,
    optional: bool,
    least: usize,
    most: usize,
}

pub(super) fn inputs(view: &Value) -> Vec<Input> {
    let blocks = view.get("blocks").and_then(Value::as_array);
    let inputs = blocks.into_iter().flatten().filter(|block| block.get("element").is_some());
    inputs.map(Input::read).collect()
}

impl Input {
    fn read(block: &Value) -> Self {
        let text = |at: &str| block.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |at: &str, or: usize| {
            block.pointer(at).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(or)
        };
        Self {
            block_id: text("/block_id"),
            action_id: text("/element/action_id"),
            optional: block.get("optional") == Some(&Value::Bool(true)),
            least: number("/element/min_length", 0),
            most: number("/element/max_length", 3000),
        }
    }

    fn check(&self, value: &str) -> Result<(), Refused> {
        let length = value.chars().count();
        if length == 0 && self.optional {
            return Ok(());
        }
        if length == 0 || length < self.least || length > self.most {
            let (least, most) = (self.least.max(1), self.most);
            return Err(Refused::Form(format!("{}: {least} to {most} characters", self.action_id)));
        }
        Ok(())
    }
}

/// `state.values` of a filled-in modal, after the client's own check. Values go by `action_id`.
pub(super) fn fill_in(view: &Value, values: &[(&str, &str)]) -> Result<Value, Refused> {
    let mut filled = Map::new();
    for input in inputs(view) {
        let given = values.iter().find(|(action, _)| *action == input.action_id).map(|(_, value)| *value);
        input.check(given.unwrap_or_default())?;
        let value = given.filter(|value| !value.is_empty());
        let element = json!({ "type": "plain_text_input", "value": value });
        let block = filled.entry(input.block_id).or_insert_with(|| json!({}));
        if let Some(block) = block.as_object_mut() {
            block.insert(input.action_id, element);
        }
    }
    Ok(Value::Object(filled))
}

fn view_faults(view: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if view.get("type").and_then(Value::as_str) != Some("modal") {
        faults.push("[ERROR] must be one of: modal [json-pointer:/view/type]".into());
    }
    if view.get("title").is_none() {
        faults.push("[ERROR] missing required field: title [json-pointer:/view]".into());
    }
    for name in ["title", "submit", "close"] {
        let text = view.get(name).into_iter();
        faults.extend(text.flat_map(|text| blocks::check_plain(&format!("/view/{name}"), text, 24)));
    }
    for (name, most) in [("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)] {
        let text = view.get(name).and_then(Value::as_str).unwrap_or_default();
        if text.chars().count() > most {
            faults.push(format!(
                "[ERROR] must be less than {} characters [json-pointer:/view/{name}]",
                most + 1
            ));
        }
    }
    let Some(content) = view.get("blocks").and_then(Value::as_array) else {
        faults.push("[ERROR] missing required field: blocks [json-pointer:/view]".into());
        return faults;
    };
    match blocks::check(content, Surface::Modal) {
        Err(Wrong::Invalid(messages)) => faults.extend(messages),
        Err(Wrong::TooLong) | Ok(()) => {}
    }
    if !inputs(view).is_empty() && view.get("submit").is_none() {
        faults.push("[ERROR] submit is required with input blocks [json-pointer:/view]".into());
    }
    faults
}
