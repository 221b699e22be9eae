//! What stands in Mattermost: posts, buttons, dialogs, as people see them.

use serde_json::Value;

use super::dialogs::Dialog;
use super::posts::{Ping, Post};
use super::{ChannelId, Mattermost, PostId, UserId};

/// A button of a post. Its context is hidden from people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// Its id.
    pub id: String,
    /// What stands on it.
    pub name: String,
    /// Its style.
    pub style: Option<String>,
    /// The address that the server calls.
    pub url: String,
}

/// A post.
#[derive(Clone, Debug, PartialEq)]
pub struct PostView {
    /// Its id.
    pub id: PostId,
    /// Where it stands.
    pub channel: ChannelId,
    /// The first post of its thread, if it is a reply.
    pub root_id: Option<PostId>,
    /// Who wrote it. An app's public answer to a command counts as written by whoever typed that.
    pub author: UserId,
    /// Its Markdown.
    pub message: String,
    /// Its props, buttons' contexts and all.
    pub props: Value,
    /// Message and attachments, a line per text, as Markdown.
    pub seen: String,
    /// Its buttons, from the first to the last.
    pub buttons: Vec<Button>,
    /// Whether "(edited)" is shown.
    pub edited: bool,
    /// The one person who sees it, if it is ephemeral.
    pub only_for: Option<UserId>,
}

/// A dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogView {
    /// Who sees it.
    pub user: UserId,
    /// Its title.
    pub title: String,
    /// Its introduction.
    pub introduction: String,
    /// Its `callback_id`.
    pub callback_id: String,
    /// Its `state`, which the client sees.
    pub state: String,
    /// Where the client has it sent.
    pub url: String,
    /// The names of its fields.
    pub fields: Vec<String>,
    /// What the app finds wrong, by field.
    pub errors: Vec<(String, String)>,
    /// What Mattermost finds wrong with the dialog itself; it merely logs that.
    pub faults: Vec<String>,
    /// Whether it stands open.
    pub open: bool,
}

impl Mattermost {
    /// Everything that everybody sees in a channel, replies included, oldest first.
    pub fn posts_of(&self, channel: &str) -> Vec<PostView> {
        self.views_where(|post| post.channel == channel && post.only_for.is_none())
    }

    /// One post that everybody sees.
    pub fn post(&self, id: &str) -> Option<PostView> {
        self.views_where(|post| post.id == id && post.only_for.is_none()).pop()
    }

    /// The replies in a thread, oldest first.
    pub fn replies_to(&self, root: &str) -> Vec<PostView> {
        self.views_where(|post| post.root_id.as_deref() == Some(root) && post.only_for.is_none())
    }

    /// What only this person sees, oldest first.
    pub fn ephemerals_of(&self, user: &str) -> Vec<PostView> {
        self.views_where(|post| post.only_for.as_deref() == Some(user))
    }

    /// Everybody who was notified, oldest first.
    pub fn pings(&self) -> Vec<Ping> {
        self.with(|state| state.pings.clone())
    }

    /// Every dialog that was shown to this person, oldest first.
    pub fn dialogs_of(&self, user: &str) -> Vec<DialogView> {
        self.with(|state| {
            let own = state.dialogs.iter().filter(|dialog| dialog.user == user);
            own.map(dialog_view).collect()
        })
    }

    fn views_where(&self, wanted: impl Fn(&Post) -> bool) -> Vec<PostView> {
        self.with(|state| state.posts.iter().filter(|post| wanted(post)).map(post_view).collect())
    }
}

fn post_view(post: &Post) -> PostView {
    PostView {
        id: post.id.clone(),
        channel: post.channel.clone(),
        root_id: post.root_id.clone(),
        author: post.author.clone(),
        message: post.message.clone(),
        props: Value::Object(post.props.clone()),
        seen: seen(post),
        buttons: post.attachments().iter().flat_map(buttons).collect(),
        edited: post.edited_at.is_some(),
        only_for: post.only_for.clone(),
    }
}

fn dialog_view(dialog: &Dialog) -> DialogView {
    DialogView {
        user: dialog.user.clone(),
        title: dialog.text("title"),
        introduction: dialog.text("introduction_text"),
        callback_id: dialog.text("callback_id"),
        state: dialog.text("state"),
        url: dialog.url.clone(),
        fields: dialog.elements().into_iter().map(|element| element.name).collect(),
        errors: dialog.errors.clone(),
        faults: dialog.faults(),
        open: dialog.open,
    }
}

/// Message and attachments, a line per text.
pub(super) fn seen(post: &Post) -> String {
    let mut lines = vec![post.message.clone()];
    for attachment in post.attachments() {
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        lines.extend(["pretext", "title", "text"].iter().filter_map(|name| text(&attachment, name)));
        let fields = attachment.get("fields").and_then(Value::as_array).into_iter().flatten();
        lines.extend(fields.map(|field| {
            format!(
                "{}: {}",
                text(field, "title").unwrap_or_default(),
                text(field, "value").unwrap_or_default()
            )
        }));
        let row: Vec<String> =
            buttons(&attachment).iter().map(|button| format!("[{}]", button.name)).collect();
        lines.push(row.concat());
        lines.extend(text(&attachment, "footer"));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

fn buttons(attachment: &Value) -> Vec<Button> {
    let actions = attachment.get("actions").and_then(Value::as_array).into_iter().flatten();
    let text = |action: &Value, at: &str| action.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let read = |action: &Value| Button {
        id: text(action, "/id").unwrap_or_default(),
        name: text(action, "/name").unwrap_or_default(),
        style: text(action, "/style"),
        url: text(action, "/integration/url").unwrap_or_default(),
    };
    actions.map(read).collect()
}
