//! What people do: type a command, press a button, fill in a modal.

use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::args::Args;
use super::contents::Content;
use super::messages::Place;
use super::modals::fill_in;
use super::mrkdwn::Auto;
use super::read::Button;
use super::signing::form_headers;
use super::state::{Refused, State};
use super::{Slack, ViewId};
use crate::sim::exchange::{Came, Outgoing, Shown};

impl Slack {
    /// Types a slash command: its name, such as `/deploy`, and what stands behind it.
    pub async fn command(
        &self,
        user: &str,
        channel: &str,
        command: &str,
        text: &str,
    ) -> Result<Shown, Refused> {
        let out = self.with(|state| state.command_form(user, channel, (command, text)))?;
        let sent = self.send(out).await;
        let typed = format!("{command} {text}");
        let said = self.with(|state| state.after_command((user, channel), &typed, &sent.came));
        let complaint = |error| Some(format!("{command} failed with the error \"{error}\""));
        Ok(sent.shown(said.unwrap_or_else(complaint)))
    }

    /// Presses the button with this `action_id`, the first of the message if several have it. A confirmation is
    /// the client's business: pressing here means having confirmed.
    pub async fn press(
        &self,
        user: &str,
        channel: &str,
        ts: &str,
        action_id: &str,
    ) -> Result<Shown, Refused> {
        let wanted = |button: &Button| button.action_id == action_id;
        let out = self.with(|state| state.press(user, (channel, ts), wanted))?;
        Ok(self.interact(out).await)
    }

    /// Presses exactly this button, which [`super::MessageView::buttons`] showed.
    pub async fn press_button(
        &self,
        user: &str,
        channel: &str,
        ts: &str,
        button: &Button,
    ) -> Result<Shown, Refused> {
        let wanted = |known: &Button| known == button;
        let out = self.with(|state| state.press(user, (channel, ts), wanted))?;
        Ok(self.interact(out).await)
    }

    /// Submits a modal; the values go by `action_id`. It closes, changes or shows errors as the app answers.
    pub async fn submit_view(
        &self,
        user: &str,
        view: &str,
        values: &[(&str, &str)],
    ) -> Result<Shown, Refused> {
        let out = self.with(|state| {
            let filled = fill_in(&state.modal_of(user, view)?.view, values)?;
            Ok(state.view_payload("view_submission", user, view, Some(filled)))
        })?;
        let mut shown = self.interact(out).await;
        if shown.status == Some(200) {
            let done = self.with(|state| state.after_submission(user, view, &shown.body));
            shown.text = done.err();
        }
        Ok(shown)
    }

    /// Closes a modal. The app hears of it only if the view asked to (`notify_on_close`).
    pub async fn close_view(&self, user: &str, view: &str) -> Result<Option<Shown>, Refused> {
        let out = self.with(|state| {
            let modal = state.modal_of(user, view)?;
            modal.open = false;
            let wanted = modal.view.get("notify_on_close") == Some(&Value::Bool(true));
            Ok(wanted.then(|| state.view_payload("view_closed", user, view, None)))
        })?;
        match out {
            Some(out) => Ok(Some(self.interact(out).await)),
            None => Ok(None),
        }
    }

    /// Slack probes the certificate: unsigned, `ssl_check=1`, with whatever else somebody smuggles in.
    pub async fn ssl_check(&self, smuggled: &[(&str, &str)]) -> Shown {
        let out = self.with(|state| {
            let mut body = Serializer::new(String::new());
            body.append_pair("ssl_check", "1").append_pair("token", &state.app.verification_token);
            let body = body.extend_pairs(smuggled).finish();
            Outgoing { url: state.app.request_url.clone(), headers: form_headers(), body }
        });
        self.send(out).await.shown(None)
    }

    /// The newest modal that stands open before this person.
    pub fn open_view(&self, user: &str) -> Option<ViewId> {
        self.views_of(user).into_iter().rfind(|view| view.open).map(|view| view.id)
    }

    async fn interact(&self, out: Outgoing) -> Shown {
        let sent = self.send(out).await;
        let complaint = match &sent.came {
            Came::Answer { status: 200, .. } => None,
            Came::Answer { status, .. } => Some(format!("This app responded with Status Code {status}.")),
            Came::Late => Some("operation_timeout".to_owned()),
            Came::Broken => Some("This app is not responding.".to_owned()),
        };
        sent.shown(complaint)
    }
}

impl State {
    /// Shows what the app answered to a command, and returns what its author alone sees of it; the error is
    /// Slack's word for a bad answer.
    fn after_command(
        &mut self,
        whose: (&str, &str),
        typed: &str,
        came: &Came,
    ) -> Result<Option<String>, &'static str> {
        let (user, channel) = whose;
        let (json, body) = match came {
            Came::Answer { status: 200, json, body } => (*json, body.as_str()),
            Came::Answer { status: 400..=499, .. } => return Err("http_client_error"),
            Came::Answer { .. } => return Err("http_service_error"),
            Came::Late => return Err("operation_timeout"),
            Came::Broken => return Err("dispatch_failed"),
        };
        if body.is_empty() {
            return Ok(None);
        }
        let mut place = Place { channel: channel.to_owned(), thread_ts: None, only_for: None };
        let content = if json {
            let args = Args::of_json(body).ok_or("dispatch_failed")?;
            if args.len() == 0 {
                return Ok(None);
            }
            if args.text("response_type") != Some("in_channel") {
                place.only_for = Some(user.to_owned());
            }
            Content::read(&args, Auto::Nothing).map_err(|error| error.code)?
        } else {
            place.only_for = Some(user.to_owned());
            Content::plain(body)
        };
        if place.only_for.is_none() {
            let typed_at = Place { channel: channel.to_owned(), ..Place::default() };
            self.post(typed_at, user, Content::plain(typed));
        }
        let private = place.only_for.is_some().then(|| self.seen(&content));
        let bot = self.app.bot_user.clone();
        self.post(place, &bot, content);
        Ok(private)
    }

    fn press(
        &mut self,
        user: &str,
        message: (&str, &str),
        wanted: impl Fn(&Button) -> bool,
    ) -> Result<Outgoing, Refused> {
        let (channel, ts) = message;
        self.person(user)?;
        self.open_channel(user, channel)?;
        let at = self.message_at(channel, ts, Some(user)).ok_or(Refused::NoMessage)?;
        let blocks = self.messages.get(at).map(|message| message.content.blocks.clone()).unwrap_or_default();
        let mut buttons = blocks.iter().flat_map(Button::of_block);
        let (button, element) = buttons.find(|(button, _)| wanted(button)).ok_or(Refused::NoButton)?;
        self.block_actions(user, at, element, &button.block_id).ok_or(Refused::NoMessage)
    }
}
