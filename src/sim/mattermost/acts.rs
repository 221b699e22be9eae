//! What people do: type a command, press a button, fill in a dialog.

use serde_json::{Value, json};

use super::Mattermost;
use super::commands::Typed;
use super::dialogs::{Submission, unsigned};
use super::mentions::from_slack;
use super::posts::{Draft, NewPost, Post};
use super::read::PostView;
use super::state::{Refused, State};
use crate::sim::exchange::{Came, Delivery, Outgoing, Sent, Shown, ask};

/// What people see when a button's answer is no good.
const ACTION_FAILED: &str = "Action failed";

impl Mattermost {
    /// Types a whole line such as `/deploy approve production`, in a thread if `root` names its first post.
    pub async fn command(
        &self,
        user: &str,
        channel: &str,
        root: Option<&str>,
        text: &str,
    ) -> Result<Shown, Refused> {
        let root_id = root.map(str::to_owned);
        let typed = Typed { user: user.to_owned(), channel: channel.to_owned(), root_id };
        let out = self.with(|state| state.command_form(&typed, text))?;
        let sent = self.send(out).await;
        let said = self.with(|state| state.after_command(&typed, &sent.came));
        Ok(sent.shown(said.unwrap_or_else(Some)))
    }

    /// Presses a button of a post. Everybody who may read the channel can, in a public one without being in it.
    pub async fn press(&self, user: &str, post: &str, action: &str) -> Result<Shown, Refused> {
        let (pressed, out) = self.with(|state| state.press(user, post, action))?;
        let sent = self.send(out).await;
        let said = self.with(|state| state.after_press(user, &pressed, &sent.came));
        Ok(sent.shown(said.unwrap_or_else(|()| Some(ACTION_FAILED.to_owned()))))
    }

    /// Presses a button of a post as it once was: what somebody can do who has kept what was hidden in it.
    pub async fn press_as_it_was(&self, user: &str, once: &PostView, action: &str) -> Result<Shown, Refused> {
        let (pressed, out) = self.with(|state| state.press_once(user, once, action))?;
        let sent = self.send(out).await;
        let said = self.with(|state| state.after_press(user, &pressed, &sent.came));
        Ok(sent.shown(said.unwrap_or_else(|()| Some(ACTION_FAILED.to_owned()))))
    }

    /// Submits the dialog that stands open before a person; the values go by the fields' names.
    pub async fn submit_dialog(&self, user: &str, values: &[(&str, &str)]) -> Result<Shown, Refused> {
        let out = self.with(|state| {
            let dialog = state.dialog_of(user)?;
            let submission = dialog.fill_in(values)?;
            let from = dialog.submission(submission, false);
            state.submission(user, &from)
        })?;
        Ok(self.submit(user, out).await)
    }

    /// Cancels the dialog that stands open. The app hears of it only if the dialog asked to (`notify_on_cancel`).
    pub async fn cancel_dialog(&self, user: &str) -> Result<Option<Shown>, Refused> {
        let out = self.with(|state| {
            let dialog = state.dialog_of(user)?;
            dialog.open = false;
            let from = dialog.wants_cancel().then(|| dialog.submission(json!({}), true));
            from.map(|from| state.submission(user, &from)).transpose()
        })?;
        match out {
            Some(out) => Ok(Some(self.submit(user, out).await)),
            None => Ok(None),
        }
    }

    /// Submits what no dialog asked for, as a person's own program can: address, state and `callback_id` are
    /// theirs to choose, only their user id isn't.
    pub async fn submit_as_client(&self, user: &str, submission: Submission) -> Result<Shown, Refused> {
        let out = self.with(|state| state.submission(user, &submission))?;
        Ok(self.submit(user, out).await)
    }

    /// Every request to the app so far, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.with(|state| state.sent.0.clone())
    }

    /// Sends a past request again, byte for byte, as somebody would who has caught it. Returns the answer's status
    /// and body; `None` when there is no such request or no answer came in time.
    pub async fn resend(&self, delivery: u64) -> Option<(u16, String)> {
        let out = self.with(|state| state.sent.again(delivery))?;
        let sent = self.send(out).await;
        Some((sent.came.status()?, sent.came.body().to_owned()))
    }

    async fn submit(&self, user: &str, out: Outgoing) -> Shown {
        let sent = self.send(out).await;
        let text = match &sent.came {
            Came::Answer { status: 200, body, .. } => self.with(|state| state.after_dialog(user, body)),
            Came::Answer { .. } | Came::Late | Came::Broken => Some("Submission failed".to_owned()),
        };
        sent.shown(text)
    }

    async fn send(&self, out: Outgoing) -> Sent {
        let (delivery, patience) = self.with(|state| {
            let at = state.time();
            (state.sent.begin(&out, at), state.settings.patience)
        });
        let (came, took) = ask(self.shared.client.as_ref(), &out, patience).await;
        self.with(|state| state.sent.end(delivery, &came));
        Sent { delivery, came, took }
    }
}

impl super::dialogs::Dialog {
    fn submission(&self, submission: Value, cancelled: bool) -> Submission {
        let (callback_id, state) = (self.text("callback_id"), self.text("state"));
        let (url, channel_id) = (self.url.clone(), self.channel.clone());
        Submission { url, callback_id, state, channel_id, submission, cancelled }
    }
}

impl State {
    /// The request of a pressed button: JSON without any credential, to the address that the post names.
    fn press(&mut self, user: &str, post: &str, action: &str) -> Result<(Post, Outgoing), Refused> {
        let post = self.visible_post(user, post)?;
        self.press_on(user, post, action)
    }

    fn press_once(&mut self, user: &str, once: &PostView, action: &str) -> Result<(Post, Outgoing), Refused> {
        let props = once.props.as_object().cloned().unwrap_or_default();
        let post = Post { props, ..self.visible_post(user, &once.id)? };
        self.press_on(user, post, action)
    }

    fn visible_post(&self, user: &str, post: &str) -> Result<Post, Refused> {
        let mine = |known: &&Post| known.only_for.is_none() || known.only_for.as_deref() == Some(user);
        let post = self.posts.iter().filter(mine).find(|known| known.id == post).cloned();
        post.filter(|post| self.may_read(user, &post.channel)).ok_or(Refused::NoPost)
    }

    fn press_on(&mut self, user: &str, post: Post, action: &str) -> Result<(Post, Outgoing), Refused> {
        let user_name = self.person(user)?.name.clone();
        let action = post.action(action).ok_or(Refused::NoButton)?;
        let integration = action.get("integration").ok_or(Refused::NoButton)?;
        let url = integration.get("url").and_then(Value::as_str).unwrap_or_default();
        let place = self.channels.get(&post.channel).ok_or(Refused::NoPost)?;
        let (channel_name, team) = (place.name.clone(), place.team.clone());
        let team_name = self.teams.get(&team).cloned().unwrap_or_default();
        let trigger = self.trigger(user, &post.channel);
        let mut body = json!({
            "user_id": user,
            "user_name": user_name,
            "channel_id": post.channel,
            "channel_name": channel_name,
            "team_id": team,
            "team_domain": team_name,
            "post_id": post.id,
            "trigger_id": trigger,
            "type": action.get("type").cloned().unwrap_or_else(|| "button".into()),
            "data_source": "",
        });
        if let (Some(context), Some(fields)) = (integration.get("context"), body.as_object_mut()) {
            fields.insert("context".into(), context.clone());
        }
        Ok((post, unsigned(url, &body)))
    }

    /// Carries the app's answer out and returns what the person alone sees. An empty answer is fine; another
    /// status than 200, something else than JSON, or an update of what can't be updated isn't.
    fn after_press(&mut self, user: &str, pressed: &Post, came: &Came) -> Result<Option<String>, ()> {
        let Came::Answer { status: 200, body, .. } = came else { return Err(()) };
        if body.is_empty() {
            return Ok(None);
        }
        let answer: Value = serde_json::from_str(body).map_err(|_| ())?;
        if let Some(update) = answer.get("update").filter(|update| !update.is_null()) {
            let message = update.get("message").and_then(Value::as_str).unwrap_or_default();
            let props = update.get("props").filter(|props| !props.is_null()).cloned();
            self.rewrite(&pressed.id, Some(message.to_owned()), props).map_err(|_| ())?;
        }
        if let Some(error) = answer.pointer("/error/message").and_then(Value::as_str) {
            return Ok(Some(error.to_owned()));
        }
        let text = answer.get("ephemeral_text").and_then(Value::as_str).unwrap_or_default();
        if text.is_empty() {
            return Ok(None);
        }
        let skip = answer.get("skip_slack_parsing") == Some(&Value::Bool(true));
        let message = if skip { text.to_owned() } else { from_slack(text) };
        let stored = pressed.only_for.is_none();
        let root = pressed.root_id.clone().or_else(|| stored.then(|| pressed.id.clone()));
        let new = NewPost { message: message.clone(), root_id: root, props: Value::Null };
        let draft = Draft {
            author: user,
            channel: &pressed.channel,
            new,
            only_for: Some(user.into()),
            pending: None,
        };
        self.write(draft).map_err(|_| ())?;
        Ok(Some(message))
    }
}
