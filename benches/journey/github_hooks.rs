//! Hooks of GitHub, of 14 KiB: comments on pull requests with a command in each.

use crate::load::Kind;
use anyhow::Context as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;

/// What they are signed with.
pub(crate) const SECRET: &str = "benchmark-countersign-webhook-secret";
/// Size of a hook's body, in bytes.
const BODY: usize = 14 * 1024;
/// Comments are spread over so many pull requests.
const PULL_REQUESTS: u64 = 1000;
/// The first comment's and the first pull request's number; in the template they stand for all others.
const FIRST: (u64, u64) = (2_000_000_001, 2_000_001);

/// Comments on pull requests of one repository.
pub(crate) struct GitHubHooks {
    /// What stands before, between and behind the two numbers.
    parts: [String; 3],
}

impl GitHubHooks {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let text = template();
        let (before, rest) = text.split_once(&FIRST.0.to_string()).context("no comment in the template")?;
        let (between, behind) =
            rest.split_once(&FIRST.1.to_string()).context("no pull request in the template")?;
        Ok(Self { parts: [before, between, behind].map(str::to_owned) })
    }
}

impl Kind for GitHubHooks {
    fn path(&self) -> &'static str {
        "/hooks/github"
    }

    fn body(&self, number: u64) -> String {
        let [before, between, behind] = &self.parts;
        let (comment, request) = (FIRST.0 + number, FIRST.1 + number % PULL_REQUESTS);
        format!("{before}{comment}{between}{request}{behind}")
    }

    fn proof(&self, number: u64, _: i64, body: &str) -> anyhow::Result<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
        mac.update(body.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        Ok(format!(
            "user-agent: GitHub-Hookshot/5b4c9f2\r\naccept: */*\r\ncontent-type: application/json\r\n\
             x-github-delivery: {}\r\nx-github-event: issue_comment\r\nx-github-hook-id: 292430182\r\n\
             x-github-hook-installation-target-id: 79929171\r\n\
             x-github-hook-installation-target-type: integration\r\nx-hub-signature-256: sha256={signature}\r\n",
            guid(number)
        ))
    }
}

/// GUIDs come in no order.
fn guid(number: u64) -> String {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:08x}-4f2c-11ef-8b1c-{:012x}", mixed >> 32, (mixed & 0xffff_ffff) << 16 | number & 0xffff)
}

/// An `issue_comment` as GitHub sends it, made long by the pull request's text.
fn template() -> String {
    let hook = |text: &str| {
        json!({
            "action": "created",
            "comment": {"id": FIRST.0, "node_id": "IC_kwDOA1b2c85n", "user": account("bob", 5),
                "url": "https://api.github.com/repos/acme/shop/issues/comments/1", "body": "/deploy approve production",
                "html_url": "https://github.com/acme/shop/pull/1#issuecomment-1", "author_association": "MEMBER",
                "created_at": "2026-11-21T08:00:00Z", "updated_at": "2026-11-21T08:00:00Z",
                "performed_via_github_app": null, "reactions": {"total_count": 0, "+1": 0, "-1": 0}},
            "issue": {"id": 7000, "number": FIRST.1, "title": "Sell more", "state": "open", "body": text,
                "user": account("dana", 4), "labels": [], "assignees": [account("dana", 4)], "comments": 3,
                "pull_request": {"url": "https://api.github.com/repos/acme/shop/pulls/1", "merged_at": null}},
            "repository": repository(),
            "sender": account("bob", 5),
            "installation": {"id": 37, "node_id": "MDIzOkludGVncmF0aW9u"},
        })
        .to_string()
    };
    let words = "We \"sell\" more, and faster.\n";
    let escaped = words.len() + 3;
    let room = BODY.saturating_sub(hook("").len());
    hook(&format!("{}{}", words.repeat(room / escaped), "!".repeat(room % escaped)))
}

fn account(login: &str, id: u64) -> Value {
    let parts = "followers following gists starred subscriptions orgs repos events received_events";
    let address = format!("https://api.github.com/users/{login}");
    let mut account = addresses(&address, parts);
    account.insert("login".into(), login.into());
    account.insert("id".into(), id.into());
    account.insert("type".into(), "User".into());
    account.insert("avatar_url".into(), format!("https://avatars.githubusercontent.com/u/{id}?v=4").into());
    account.into()
}

fn repository() -> Value {
    let parts = "forks keys collaborators teams hooks issue_events events assignees branches tags blobs git_tags \
        git_refs trees statuses languages stargazers contributors subscribers subscription commits git_commits \
        comments issue_comment contents compare merges archive downloads issues pulls milestones notifications \
        labels releases deployments";
    let mut repository = addresses("https://api.github.com/repos/acme/shop", parts);
    repository.insert("id".into(), 80.into());
    repository.insert("name".into(), "shop".into());
    repository.insert("full_name".into(), "acme/shop".into());
    repository.insert("private".into(), true.into());
    repository.insert("html_url".into(), "https://github.com/acme/shop".into());
    repository.insert("owner".into(), account("acme", 1));
    repository.insert("default_branch".into(), "main".into());
    repository.into()
}

fn addresses(base: &str, parts: &str) -> Map<String, Value> {
    let named = parts.split_whitespace().map(|part| (format!("{part}_url"), format!("{base}/{part}").into()));
    named.collect()
}
