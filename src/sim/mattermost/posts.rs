//! Posts: written, edited, removed, and whom they call.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::mentions::mentions;
use super::state::{Error, Refused, State};
use super::{ChannelId, Mattermost, PostId, UserId};

/// Characters of a message.
const MOST_CHARACTERS: usize = 16_383;
/// Characters of a post's `props`, as JSON.
const MOST_PROPS: usize = 800_000;
/// A `pending_post_id` is remembered so long.
const PENDING: SignedDuration = SignedDuration::from_secs(30);

/// Somebody is notified because a post calls them. Whoever merely follows a thread or a channel isn't counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Whom.
    pub who: UserId,
    /// By which post.
    pub post: PostId,
    /// How they are called: `@channel`, `@here`, `@all`, or `@` and their name.
    pub by: String,
    /// Whether the call came by an edit, of which Mattermost doesn't notify, though it highlights it.
    pub edit: bool,
}

/// A post to be written.
#[derive(Clone, Debug, Default)]
pub struct NewPost {
    /// Markdown.
    pub message: String,
    /// The first post of the thread that it replies in.
    pub root_id: Option<PostId>,
    /// `props`, with `attachments` and their buttons.
    pub props: Value,
}

impl NewPost {
    /// A message without attachments.
    pub fn new(message: &str) -> Self {
        Self { message: message.into(), root_id: None, props: Value::Null }
    }

    /// As a reply.
    pub fn reply_to(mut self, root: &str) -> Self {
        self.root_id = Some(root.into());
        self
    }

    /// With `props`.
    pub fn props(mut self, props: Value) -> Self {
        self.props = props;
        self
    }
}

#[derive(Clone)]
pub(super) struct Post {
    pub(super) id: PostId,
    pub(super) channel: ChannelId,
    pub(super) author: UserId,
    pub(super) root_id: Option<PostId>,
    pub(super) message: String,
    pub(super) props: Map<String, Value>,
    /// The one person who sees an ephemeral post; the server doesn't store it.
    pub(super) only_for: Option<UserId>,
    pub(super) pending: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) edited_at: Option<Timestamp>,
}

impl Post {
    pub(super) fn attachments(&self) -> Vec<Value> {
        self.props.get("attachments").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// The action of this id, if it can be called: ids are letters and digits.
    pub(super) fn action(&self, id: &str) -> Option<Value> {
        let callable = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric());
        let attachments = self.attachments();
        let actions =
            attachments.iter().filter_map(|one| one.get("actions").and_then(Value::as_array)).flatten();
        let mut found = actions.filter(|action| action.get("id").and_then(Value::as_str) == Some(id));
        found.next().filter(|_| callable).cloned()
    }

    fn calls(&self) -> BTreeSet<String> {
        let attachments = self.attachments();
        let text =
            |one: &Value, name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let inner = attachments.iter().flat_map(|one| [text(one, "pretext"), text(one, "text")]);
        inner.chain([self.message.clone()]).flat_map(|text| mentions(&text)).collect()
    }
}

/// A post on its way in.
pub(super) struct Draft<'a> {
    pub(super) author: &'a str,
    pub(super) channel: &'a str,
    pub(super) new: NewPost,
    pub(super) only_for: Option<UserId>,
    pub(super) pending: Option<String>,
}

impl Mattermost {
    /// A person writes a post, or a bot or webhook of theirs does, with buttons aimed wherever they like.
    pub fn post_as(&self, user: &str, channel: &str, new: NewPost) -> Result<PostId, Refused> {
        self.with(|state| {
            state.users.get(user).filter(|user| user.deleted_at.is_none()).ok_or(Refused::NoPerson)?;
            state.writable(user, channel)?;
            let draft = Draft { author: user, channel, new, only_for: None, pending: None };
            state.write(draft).map_err(|error| Refused::Server(error.id.into()))
        })
    }

    /// A moderator removes a post.
    pub fn remove_post(&self, post: &str) {
        self.with(|state| state.posts.retain(|known| known.id != post));
    }
}

impl State {
    /// Writes a post and notifies whom it calls. One with a `pending_post_id` that its author used within half a
    /// minute is the earlier one.
    pub(super) fn write(&mut self, draft: Draft<'_>) -> Result<PostId, Error> {
        let Draft { author, channel, new, only_for, pending } = draft;
        let now = self.time();
        if let Some(earlier) = self.posts.iter().find(|known| {
            let recent = now.duration_since(known.created_at) <= PENDING;
            pending.is_some() && known.pending == pending && known.author == author && recent
        }) {
            return Ok(earlier.id.clone());
        }
        if let Some(root) = new.root_id.as_deref() {
            let known = self.posts.iter().find(|known| known.id == root && known.only_for.is_none());
            if !known.is_some_and(|known| known.channel == channel && known.root_id.is_none()) {
                let why = "Invalid RootId parameter.";
                return Err(Error::new(400, "api.post.create_post.root_id.app_error", why));
            }
        }
        let post = Post {
            id: self.ids.hex(26),
            channel: channel.to_owned(),
            author: author.to_owned(),
            root_id: new.root_id,
            props: self.checked(&new.message, new.props)?,
            message: new.message,
            only_for,
            pending,
            created_at: now,
            edited_at: None,
        };
        self.call(&post, &BTreeSet::new(), false);
        self.posts.push(post.clone());
        Ok(post.id)
    }

    /// Puts another message and other props into a post; what is absent stays.
    pub(super) fn rewrite(
        &mut self,
        id: &str,
        message: Option<String>,
        props: Option<Value>,
    ) -> Result<(), Error> {
        let now = self.time();
        let at = self.posts.iter().position(|known| known.id == id && known.only_for.is_none());
        let mut post = at.and_then(|at| self.posts.get(at)).cloned().ok_or_else(Error::no_post)?;
        let before = post.calls();
        post.message = message.unwrap_or(post.message);
        let props = props.unwrap_or_else(|| Value::Object(post.props.clone()));
        post.props = self.checked(&post.message, props)?;
        post.edited_at = Some(now);
        self.call(&post, &before, true);
        if let Some(known) = at.and_then(|at| self.posts.get_mut(at)) {
            *known = post;
        }
        Ok(())
    }

    /// Props as they are stored, every action with an id, if they and the message are within the limits.
    fn checked(&mut self, message: &str, props: Value) -> Result<Map<String, Value>, Error> {
        if message.chars().count() > MOST_CHARACTERS {
            let why = "Post message property is longer than the maximum permitted length.";
            return Err(Error::new(400, "model.post.is_valid.message_length.app_error", why));
        }
        if props.to_string().chars().count() > MOST_PROPS {
            return Err(Error::new(400, "model.post.is_valid.props.app_error", "Invalid props."));
        }
        let mut props = match props {
            Value::Object(props) => props,
            Value::Null => Map::new(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(Error::bad_body());
            }
        };
        let attachments = props.get_mut("attachments").and_then(Value::as_array_mut);
        let actions =
            attachments.into_iter().flatten().filter_map(|one| one.get_mut("actions")?.as_array_mut());
        for action in actions.flatten().filter_map(Value::as_object_mut) {
            let id = self.ids.hex(26);
            action.entry("id").or_insert_with(|| id.into());
        }
        Ok(props)
    }

    fn call(&mut self, post: &Post, before: &BTreeSet<String>, edit: bool) {
        if post.only_for.is_some() {
            return;
        }
        let mut called = BTreeSet::new();
        for name in post.calls().difference(before) {
            called.extend(self.called_by(name, post).into_iter().map(|who| (who, format!("@{name}"))));
        }
        let ping = |(who, by)| Ping { who, post: post.id.clone(), by, edit };
        self.pings.extend(called.into_iter().map(ping));
    }

    /// The author of an app's answer is the person who typed the command, so they count like everybody.
    fn called_by(&self, name: &str, post: &Post) -> Vec<UserId> {
        let members = self.channels.get(&post.channel).map(|known| known.members.clone()).unwrap_or_default();
        let people = members.into_iter().filter(|user| self.person(user).is_ok());
        match name {
            "channel" | "here" | "all" => people.filter(|user| *user != post.author).collect(),
            name => people.filter(|user| self.name_of(user) == name).collect(),
        }
    }
}
