//! Hooks of GitLab, of 10 KiB: comments with a command in each.

use crate::load::Kind;
use crate::world::SIGNING_TOKEN;
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

/// Size of a hook's body, in bytes.
const BODY: usize = 10 * 1024;
/// Comments are spread over so many merge requests.
const MERGE_REQUESTS: u64 = 1000;
/// The first comment's and the first merge request's number; in the template they stand for all others.
const FIRST: (u64, u64) = (1_000_000_001, 1_000_001);
/// The discussion of all comments that nobody answers; in the template it stands for all others.
const DISCUSSION: &str = "d1c5b2f0d1c5b2f0d1c5b2f0d1c5b2f0d1c5b2f0";

/// Comments on merge requests of one project.
pub(crate) struct Hooks {
    /// What stands before, between and behind discussion, comment and merge request.
    parts: [String; 4],
    key: Vec<u8>,
}

impl Hooks {
    /// Bob's, who isn't there.
    pub(crate) fn new(project: u64) -> anyhow::Result<Self> {
        Self::of(project, 5, "@countersign approve production")
    }

    /// Of this author, with this text.
    pub(crate) fn of(project: u64, author: u64, note: &str) -> anyhow::Result<Self> {
        let text = template(project, author, note);
        let (before, rest) = text.split_once(DISCUSSION).context("no discussion in the template")?;
        let (then, rest) = rest.split_once(&FIRST.0.to_string()).context("no comment in the template")?;
        let (between, behind) =
            rest.split_once(&FIRST.1.to_string()).context("no merge request in the template")?;
        let key = STANDARD.decode(SIGNING_TOKEN.trim_start_matches("whsec_"))?;
        Ok(Self { parts: [before, then, between, behind].map(str::to_owned), key })
    }

    /// The one that announces this comment in this discussion of this merge request.
    fn announce(&self, discussion: &str, comment: u64, request: u64) -> String {
        let [before, then, between, behind] = &self.parts;
        format!("{before}{discussion}{then}{comment}{between}{request}{behind}")
    }
}

impl Kind for Hooks {
    fn path(&self) -> &'static str {
        "/hooks/gitlab"
    }

    fn body(&self, number: u64) -> String {
        self.announce(DISCUSSION, FIRST.0 + number, FIRST.1 + number % MERGE_REQUESTS)
    }

    fn proof(&self, number: u64, at: i64, body: &str) -> anyhow::Result<String> {
        let id = format!("measured-{number:012}");
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)?;
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(body.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        Ok(format!(
            "user-agent: GitLab/19.2.0\r\ncontent-type: application/json\r\nx-gitlab-event: Note Hook\r\n\
             idempotency-key: {id}\r\nwebhook-id: {id}\r\nwebhook-timestamp: {at}\r\n\
             webhook-signature: v1,{signature}\r\n"
        ))
    }
}

/// Comments that are there.
pub(crate) struct Written {
    pub(crate) hooks: Hooks,
    pub(crate) comments: Vec<Comment>,
}

/// Where a comment stands.
pub(crate) struct Comment {
    pub(crate) discussion: String,
    pub(crate) id: u64,
    pub(crate) request: u64,
}

impl Kind for Written {
    fn path(&self) -> &'static str {
        self.hooks.path()
    }

    fn body(&self, number: u64) -> String {
        let written = usize::try_from(number).ok().and_then(|number| self.comments.get(number));
        written.map_or_else(String::new, |at| self.hooks.announce(&at.discussion, at.id, at.request))
    }

    fn proof(&self, number: u64, at: i64, body: &str) -> anyhow::Result<String> {
        self.hooks.proof(number, at, body)
    }
}

/// A Note Hook as GitLab sends it, made long by the merge request's description.
fn template(project: u64, author: u64, note: &str) -> String {
    let hook = |description: &str| {
        json!({
            "object_kind": "note", "event_type": "note", "project_id": project,
            "user": {"id": author, "name": "Bob", "username": "bob", "email": "[REDACTED]",
                "avatar_url": "https://gitlab.example.com/uploads/-/system/user/avatar/5/avatar.png"},
            "project": {"id": project, "name": "shop", "path_with_namespace": "acme/shop",
                "web_url": "https://gitlab.example.com/acme/shop", "default_branch": "main"},
            "object_attributes": {"id": FIRST.0, "note": note,
                "noteable_type": "MergeRequest", "author_id": author, "created_at": "2026-11-21 08:00:00 UTC",
                "updated_at": "2026-11-21 08:00:00 UTC", "discussion_id": DISCUSSION, "commit_id": null,
                "internal": false, "system": false, "action": "create"},
            "repository": {"name": "shop", "url": "git@gitlab.example.com:acme/shop.git"},
            "zz_merge_request": {"id": 7000, "iid": FIRST.1, "title": "Sell more", "state": "opened",
                "source_branch": "sell-more", "target_branch": "main", "description": description},
        })
        .to_string()
        .replace("zz_merge_request", "merge_request")
    };
    let words = "We \"sell\" more, and faster.\n";
    let empty = hook("").len();
    let escaped = words.len() + 3;
    let room = BODY.saturating_sub(empty);
    hook(&format!("{}{}", words.repeat(room / escaped), "!".repeat(room % escaped)))
}
