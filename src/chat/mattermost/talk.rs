//! Messages in channels, answers to one person, and forms.

use super::render::{self, MOST_IN_MESSAGE, Wiring};
use super::seal::Opened;
use super::wire::{ChannelShape, Post, PostList, User};
use super::{Mattermost, is_id, text, words};
use crate::domain::chat::{Aside, Channel, ChannelId, ChatUser, Choice, Message, NoVoice};
use crate::domain::id::ChatName;
use crate::domain::ledger::Word;
use crate::domain::notice::Notice;
use crate::domain::wording::Prose;
use crate::net::http::{Method, Url};
use crate::ports::chat::{Chat, Form, Presence};
use crate::ports::failure::{Failure, Refusal};
use async_trait::async_trait;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Messages of a channel in one page, and how many pages are looked through for one of ours.
const PER_PAGE: usize = 200;
const PAGES: usize = 10;
/// The longest reason, in characters.
pub(super) const LONGEST_REASON: usize = 1_000;

#[async_trait]
impl Chat for Mattermost {
    fn name(&self) -> &ChatName {
        &self.name
    }

    async fn channel(&self, channel: &Channel) -> Result<ChannelId, Failure> {
        if is_id(&channel.name) {
            return Ok(ChannelId::new(&channel.name));
        }
        if let Some(known) = self.channels.get(&channel.name).await {
            return Ok(known);
        }
        let id = ChannelId::new(self.look_up(channel, false).await?.id);
        self.channels.insert(channel.name.clone(), id.clone()).await;
        Ok(id)
    }

    async fn presence(&self, who: &ChatUser, at: &ChannelId) -> Result<Presence, Failure> {
        let Some(user) = self.client.find::<User>(&["users", &who.id]).await? else {
            return Ok(Presence { name: who.id.clone(), no_voice: Some(NoVoice::Nobody) });
        };
        let mut no_voice = user.no_voice();
        if no_voice.is_none() {
            let path = ["channels", at.as_str(), "members", &who.id];
            let member: Option<IgnoredAny> = self.client.find(&path).await?;
            no_voice = member.is_none().then_some(NoVoice::Outsider);
        }
        Ok(Presence { name: user.username, no_voice })
    }

    async fn post(&self, at: &ChannelId, notice: &Notice, marker: &str) -> Result<Message, Failure> {
        let (message, props) = self.shown(notice, marker);
        self.write(at, None, (&message, props), marker).await
    }

    async fn edit(&self, message: &Message, notice: &Notice, marker: &str) -> Result<(), Failure> {
        let (text, props) = self.shown(notice, marker);
        let body = json!({ "message": text, "props": props });
        let patched = self.client.send(Method::PUT, &["posts", &message.id, "patch"], Some(body)).await;
        match patched {
            Ok(_) => Ok(()),
            Err(failure) => Err(self.or_gone(failure, &message.id).await?),
        }
    }

    async fn add(&self, under: &Message, text: &Prose, marker: &str) -> Result<Message, Failure> {
        let text = text::prose(text, MOST_IN_MESSAGE);
        self.write(&under.channel, Some(&under.id), (&text, json!({ "countersign": marker })), marker).await
    }

    async fn find_own(
        &self,
        at: &ChannelId,
        under: Option<&Message>,
        marker: &str,
    ) -> Result<Vec<Message>, Failure> {
        let me = self.me().await?;
        let is_ours = |post: &Post| {
            post.user_id == me && post.delete_at == 0 && post.props.get("countersign") == Some(&marker.into())
        };
        let mut found: Vec<Post> = match under {
            Some(root) => {
                // A thread whose first message was deleted holds nothing of ours any more.
                let thread: Option<PostList> = self.client.find(&["posts", &root.id, "thread"]).await?;
                thread.into_iter().flat_map(|list| list.posts.into_values()).filter(is_ours).collect()
            }
            None => self.look_through(at, &is_ours).await?,
        };
        found.sort_by(|a, b| (b.create_at, &b.id).cmp(&(a.create_at, &a.id)));
        Ok(found.into_iter().map(|post| Message { channel: at.clone(), id: post.id }).collect())
    }

    async fn delete(&self, message: &Message) -> Result<(), Failure> {
        let Err(failure) = self.client.send(Method::DELETE, &["posts", &message.id], None).await else {
            return Ok(());
        };
        let failure = self.or_gone(failure, &message.id).await?;
        if failure == Failure::NotFound { Ok(()) } else { Err(failure) }
    }

    async fn whisper(&self, to: &Aside, text: &Prose, choices: &[Choice]) -> Result<(), Failure> {
        let text = text::prose(text, MOST_IN_MESSAGE);
        let attachments = render::choices(choices, &to.user, &self.wiring());
        let address = to.url.as_deref().and_then(|url| Url::parse(url).ok());
        if let Some(address) = address {
            let body = json!({
                "response_type": "ephemeral",
                "skip_slack_parsing": true,
                "text": text,
                "attachments": attachments,
            });
            match self.client.respond(address, body).await {
                // Expired, or used too often: there are other ways.
                Err(Failure::NotFound | Failure::Refused(_)) => {}
                other => return other,
            }
        }
        match self.show_to(to, &text, &attachments).await {
            // Bots may do this only where an administrator lets them.
            Err(Failure::Refused(Refusal::NoPermission)) => self.write_to(to, &text, attachments).await,
            other => other,
        }
    }

    async fn open_form(&self, form: &Form) -> Result<(), Failure> {
        let body = json!({
            "trigger_id": form.trigger,
            "url": self.hook.as_str(),
            "dialog": self.dialog(form),
        });
        self.client.send(Method::POST, &["actions", "dialogs", "open"], Some(body)).await.map(drop)
    }
}

impl Mattermost {
    fn wiring(&self) -> Wiring<'_> {
        Wiring { seal: &self.seal, hook: &self.hook, now: self.clock.now() }
    }

    fn shown(&self, notice: &Notice, marker: &str) -> (String, Value) {
        let card = render::card(notice, &self.wiring());
        (render::message(notice), json!({ "attachments": [card], "countersign": marker }))
    }

    /// Writes a message. Mattermost takes one `pending_post_id` only once within half a minute: another process that
    /// writes the same gets this message back.
    async fn write(
        &self,
        at: &ChannelId,
        root: Option<&str>,
        (message, props): (&str, Value),
        marker: &str,
    ) -> Result<Message, Failure> {
        let root = root.unwrap_or_default();
        let body = json!({
            "channel_id": at.as_str(),
            "root_id": root,
            "message": message,
            "props": props,
            "pending_post_id": pending_id(at, root, marker),
        });
        let post: Post = self.client.write(&["posts"], body).await?;
        Ok(Message { channel: at.clone(), id: post.id })
    }

    /// A message that isn't there any more is refused like one that we may not touch.
    async fn or_gone(&self, failure: Failure, post: &str) -> Result<Failure, Failure> {
        if failure != Failure::Refused(Refusal::NoPermission) {
            return Ok(failure);
        }
        let there: Option<IgnoredAny> = self.client.find(&["posts", post]).await?;
        Ok(if there.is_some() { failure } else { Failure::NotFound })
    }

    /// Messages of a channel, newest first, until some are the wanted ones.
    async fn look_through(
        &self,
        at: &ChannelId,
        wanted: &(dyn Fn(&Post) -> bool + Sync),
    ) -> Result<Vec<Post>, Failure> {
        let size = PER_PAGE.to_string();
        for page in 0..PAGES {
            let query = [("page", page.to_string()), ("per_page", size.clone())];
            let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
            let list: PostList = self.client.get(&["channels", at.as_str(), "posts"], &query).await?;
            let found: Vec<Post> = list.posts.into_values().filter(wanted).collect();
            if !found.is_empty() || list.order.len() < PER_PAGE {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// Shows something to one person where they are.
    async fn show_to(&self, to: &Aside, text: &str, attachments: &[Value]) -> Result<(), Failure> {
        let post = json!({
            "channel_id": to.channel.as_str(),
            "root_id": to.thread.as_deref().unwrap_or_default(),
            "message": text,
            "props": { "attachments": attachments },
        });
        let body = json!({ "user_id": to.user, "post": post });
        self.client.send(Method::POST, &["posts", "ephemeral"], Some(body)).await.map(drop)
    }

    /// Writes to one person directly.
    async fn write_to(&self, to: &Aside, text: &str, attachments: Vec<Value>) -> Result<(), Failure> {
        let both = json!([self.me().await?, to.user]);
        let direct: ChannelShape = self.client.write(&["channels", "direct"], both).await?;
        let body = json!({
            "channel_id": direct.id,
            "message": text,
            "props": { "attachments": attachments },
        });
        self.client.send(Method::POST, &["posts"], Some(body)).await.map(drop)
    }

    /// The question behind a button: why, or whether it is meant. Its state proves what it was opened for.
    fn dialog(&self, form: &Form) -> Value {
        let Form { trigger, aside, on, offer, word } = form;
        let opened = Opened {
            offer: offer.clone(),
            word: *word,
            user: aside.user.clone(),
            channel: aside.channel.clone(),
            on: on.clone(),
            pressed_at: self.clock.now(),
            nonce: digest(trigger),
        };
        let reason = json!({
            "display_name": words::REASON,
            "name": "reason",
            "type": "textarea",
            "max_length": LONGEST_REASON,
            "optional": !offer.reason_needed,
        });
        let elements = match word {
            Word::Rejected => vec![reason],
            Word::Approved | Word::Revoked => Vec::new(),
        };
        json!({
            "callback_id": "countersign",
            "title": words::title(*word),
            "introduction_text": text::line(&words::introduction(offer)),
            "elements": elements,
            "submit_label": words::label(*word),
            "notify_on_cancel": false,
            "state": self.seal.close(&opened),
        })
    }
}

/// Hex SHA-256: what something is told by that may be long.
pub(super) fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// One message in one place under one marker.
fn pending_id(at: &ChannelId, root: &str, marker: &str) -> String {
    digest(&[at.as_str(), root, marker].join("\n"))
}
