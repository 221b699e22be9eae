//! Posts: written, edited, read.

use serde_json::{Map, Value, json};

use super::super::posts::{Draft, NewPost, Post};
use super::super::state::{Error, State};
use super::{Call, Reply, millis, no_route};

impl State {
    pub(super) fn route_posts(&mut self, call: &Call, user: &str, path: &[&str]) -> Reply {
        match (call.method.as_str(), path) {
            ("POST", ["posts"]) => self.create_post(call, user),
            ("POST", ["posts", "ephemeral"]) => self.create_ephemeral(call, user),
            ("GET", ["posts", id]) => self.readable_post(user, id).map(|post| (200, post_json(post))),
            ("GET", ["posts", id, "thread"]) => self.show_thread(user, id),
            ("PUT", ["posts", id, "patch"]) => self.patch_post(call, user, id),
            ("DELETE", ["posts", id]) => self.delete_post(user, id),
            ("GET", ["channels", id, "posts"]) => self.list_posts(call, user, id),
            _ => Err(no_route()),
        }
    }

    fn create_post(&mut self, call: &Call, user: &str) -> Reply {
        let body = call.json_body()?;
        let pending = text(&body, "pending_post_id").filter(|id| !id.is_empty());
        let channel = text(&body, "channel_id").unwrap_or_default();
        self.may_write(user, &channel)?;
        let draft = Draft { author: user, channel: &channel, new: new_post(&body), only_for: None, pending };
        let id = self.write(draft)?;
        self.show_post(&id).map(|post| (201, post))
    }

    /// For system administrators only, unless the permission was given away.
    fn create_ephemeral(&mut self, call: &Call, user: &str) -> Reply {
        if !self.users.get(user).is_some_and(|user| user.admin) {
            return Err(Error::forbidden());
        }
        let body = call.json_body()?;
        let post = body.get("post").cloned().unwrap_or_default();
        let (only_for, channel) = (text(&body, "user_id"), text(&post, "channel_id").unwrap_or_default());
        let draft = Draft { author: user, channel: &channel, new: new_post(&post), only_for, pending: None };
        let id = self.write(draft)?;
        self.show_post(&id).map(|post| (201, post))
    }

    /// What is absent stays; `props` come in the place of all that were there.
    fn patch_post(&mut self, call: &Call, user: &str, id: &str) -> Reply {
        let body = call.json_body()?;
        // What is gone is refused like what is somebody else's.
        let post = self.readable_post(user, id).map_err(|_| Error::forbidden())?;
        let (author, channel, created_at) = (post.author.clone(), post.channel.clone(), post.created_at);
        if author != user {
            return Err(Error::forbidden());
        }
        let age = self.time().duration_since(created_at);
        if self.settings.edit_window.is_some_and(|window| age > window) {
            let late = "api.post.update_post.permissions_time_limit.app_error";
            return Err(Error::new(400, late, "Post edit is only allowed for a limited time."));
        }
        self.may_write(user, &channel)?;
        let props = body.get("props").filter(|props| !props.is_null()).cloned();
        self.rewrite(id, text(&body, "message"), props)?;
        self.show_post(id).map(|post| (200, post))
    }

    fn delete_post(&mut self, user: &str, id: &str) -> Reply {
        if self.readable_post(user, id).map_err(|_| Error::forbidden())?.author != user {
            return Err(Error::forbidden());
        }
        self.posts.retain(|known| known.id != id);
        Ok((200, json!({ "status": "OK" })))
    }

    /// A page of a channel, newest first; or what was written or edited `since`, in milliseconds.
    fn list_posts(&self, call: &Call, user: &str, channel: &str) -> Reply {
        if !self.may_read(user, channel) {
            return Err(Error::forbidden());
        }
        let size =
            |name: &str, or: usize| call.number(name).and_then(|n| usize::try_from(n).ok()).unwrap_or(or);
        let (page, per_page) = (size("page", 0), size("per_page", 60).min(200));
        let since = call.number("since");
        let here = self.posts.iter().rev().filter(|post| post.channel == channel && post.only_for.is_none());
        let recent = here.filter(|post| since.is_none_or(|since| updated(post) >= since));
        let skip = if since.is_some() { 0 } else { page.saturating_mul(per_page) };
        let take = if since.is_some() { 1000 } else { per_page };
        Ok((200, list(&recent.skip(skip).take(take).collect::<Vec<_>>())))
    }

    fn show_thread(&self, user: &str, id: &str) -> Reply {
        let post = self.readable_post(user, id)?;
        let root = post.root_id.clone().unwrap_or_else(|| post.id.clone());
        let thread =
            self.posts.iter().filter(|known| known.id == root || known.root_id.as_ref() == Some(&root));
        Ok((200, list(&thread.filter(|known| known.only_for.is_none()).collect::<Vec<_>>())))
    }

    /// An ephemeral post isn't stored, so it can't be read.
    fn readable_post(&self, user: &str, id: &str) -> Result<&Post, Error> {
        let known = self.posts.iter().find(|known| known.id == id && known.only_for.is_none());
        let post = known.ok_or_else(Error::no_post)?;
        if self.may_read(user, &post.channel) { Ok(post) } else { Err(Error::forbidden()) }
    }

    fn show_post(&self, id: &str) -> Result<Value, Error> {
        self.posts.iter().find(|known| known.id == id).map(post_json).ok_or_else(Error::no_post)
    }

    fn may_write(&self, user: &str, channel: &str) -> Result<(), Error> {
        let known = self.channels.get(channel).filter(|known| known.members.contains(user));
        let known = known.ok_or_else(Error::forbidden)?;
        if known.archived_at.is_some() {
            let archived = "api.post.create_post.can_not_post_to_deleted.error";
            return Err(Error::new(400, archived, "Can not post to deleted channel."));
        }
        Ok(())
    }
}

fn text(body: &Value, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn new_post(body: &Value) -> NewPost {
    NewPost {
        message: text(body, "message").unwrap_or_default(),
        root_id: text(body, "root_id").filter(|root| !root.is_empty()),
        props: body.get("props").cloned().unwrap_or_default(),
    }
}

fn updated(post: &Post) -> i64 {
    post.edited_at.unwrap_or(post.created_at).as_millisecond()
}

fn list(posts: &[&Post]) -> Value {
    let order: Vec<&str> = posts.iter().map(|post| post.id.as_str()).collect();
    let by_id: Map<String, Value> = posts.iter().map(|post| (post.id.clone(), post_json(post))).collect();
    json!({ "order": order, "posts": by_id })
}

/// What the API shows of a post: buttons without their address and context, whoever asks.
fn post_json(post: &Post) -> Value {
    let mut props = Value::Object(post.props.clone());
    let attachments = props.get_mut("attachments").and_then(Value::as_array_mut);
    let actions = attachments.into_iter().flatten().filter_map(|one| one.get_mut("actions")?.as_array_mut());
    for action in actions.flatten().filter_map(Value::as_object_mut) {
        action.remove("integration");
    }
    json!({
        "id": post.id,
        "create_at": post.created_at.as_millisecond(),
        "update_at": updated(post),
        "edit_at": millis(post.edited_at),
        "delete_at": 0,
        "user_id": post.author,
        "channel_id": post.channel,
        "root_id": post.root_id.as_deref().unwrap_or_default(),
        "message": post.message,
        "type": if post.only_for.is_some() { "system_ephemeral" } else { "" },
        "props": props,
        "pending_post_id": post.pending.as_deref().unwrap_or_default(),
    })
}
