//! Signed hooks of 10 KiB, and many connections that send them.

use crate::world::SIGNING_TOKEN;
use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::json;
use sha2::Sha256;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Connections at once; each sends its next hook when the last one was answered.
pub(crate) const CONNECTIONS: usize = 32;
/// Size of a hook's body, in bytes.
const BODY: usize = 10 * 1024;
/// Comments are spread over so many merge requests.
const MERGE_REQUESTS: u64 = 1000;
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first comment's and the first merge request's number; in the template they stand for all others.
const FIRST: (u64, u64) = (1_000_000_001, 1_000_001);

/// Makes hooks that were never sent before.
pub(crate) struct Hooks {
    /// What stands before, between and behind the two numbers.
    parts: [String; 3],
    key: Vec<u8>,
    sent: u64,
}

/// A hook with its signature; the body is put together again when it is sent.
pub(crate) struct Signed {
    number: u64,
    at: i64,
    signature: String,
}

/// How a run went.
pub(crate) struct Run {
    pub(crate) sent: usize,
    pub(crate) took: Duration,
    /// From the first byte sent to the last byte of the answer, in no order.
    pub(crate) latencies: Vec<Duration>,
}

impl Run {
    /// Hooks per second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.sent).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }
}

impl Hooks {
    /// Comments on merge requests of this project, each with a command in it.
    pub(crate) fn new(project: u64) -> anyhow::Result<Self> {
        let text = template(project);
        let (before, rest) = text.split_once(&FIRST.0.to_string()).context("no comment in the template")?;
        let (between, behind) =
            rest.split_once(&FIRST.1.to_string()).context("no merge request in the template")?;
        let key = STANDARD.decode(SIGNING_TOKEN.trim_start_matches("whsec_"))?;
        Ok(Self { parts: [before, between, behind].map(str::to_owned), key, sent: 0 })
    }

    /// The next hooks, signed now: they have to arrive within five minutes.
    pub(crate) fn sign(&mut self, count: usize, now: Timestamp) -> anyhow::Result<Vec<Signed>> {
        let mut signed = Vec::with_capacity(count);
        for _ in 0..count {
            let (number, at) = (self.sent, now.as_second());
            let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)?;
            mac.update(format!("{}.{at}.", id(number)).as_bytes());
            mac.update(self.body(number).as_bytes());
            signed.push(Signed { number, at, signature: STANDARD.encode(mac.finalize().into_bytes()) });
            self.sent += 1;
        }
        Ok(signed)
    }

    fn body(&self, number: u64) -> String {
        let [before, between, behind] = &self.parts;
        let (comment, request) = (FIRST.0 + number, FIRST.1 + number % MERGE_REQUESTS);
        format!("{before}{comment}{between}{request}{behind}")
    }

    fn request(&self, hook: &Signed, to: SocketAddr) -> String {
        let (id, Signed { number, at, signature }) = (id(hook.number), hook);
        let body = self.body(*number);
        format!(
            "POST /hooks/gitlab HTTP/1.1\r\nhost: {to}\r\nuser-agent: GitLab/19.2.0\r\n\
             content-type: application/json\r\nx-gitlab-event: Note Hook\r\nidempotency-key: {id}\r\n\
             webhook-id: {id}\r\nwebhook-timestamp: {at}\r\nwebhook-signature: v1,{signature}\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Sends all of them, or as many as time allows; every one must be answered with this status.
    pub(crate) fn send(
        &self,
        hooks: &[Signed],
        to: SocketAddr,
        status: u16,
        most: Duration,
    ) -> anyhow::Result<Run> {
        let next = AtomicUsize::new(0);
        let began = Instant::now();
        let latencies = thread::scope(|scope| {
            let line = || {
                let next = || hooks.get(next.fetch_add(1, Ordering::Relaxed));
                self.send_one_by_one(next, to, status, began + most)
            };
            let lines: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(line)).collect();
            let ended =
                lines.into_iter().map(|line| line.join().unwrap_or_else(|_| bail!("a line panicked")));
            ended.collect::<anyhow::Result<Vec<_>>>()
        })?;
        let latencies = latencies.concat();
        Ok(Run { sent: latencies.len(), took: began.elapsed(), latencies })
    }

    fn send_one_by_one<'a>(
        &self,
        next: impl Fn() -> Option<&'a Signed>,
        to: SocketAddr,
        status: u16,
        until: Instant,
    ) -> anyhow::Result<Vec<Duration>> {
        let wanted = format!("HTTP/1.1 {status} ");
        let mut line = TcpStream::connect(to)?;
        line.set_nodelay(true)?;
        line.set_read_timeout(Some(PATIENCE))?;
        let mut latencies = Vec::new();
        while Instant::now() < until
            && let Some(hook) = next()
        {
            let request = self.request(hook, to);
            let began = Instant::now();
            line.write_all(request.as_bytes())?;
            let answer = read_answer(&mut line)?;
            latencies.push(began.elapsed());
            ensure!(answer.starts_with(&wanted), "a hook was answered with {answer}");
        }
        Ok(latencies)
    }
}

fn id(number: u64) -> String {
    format!("measured-{number:012}")
}

/// Head and body of one answer; the next one stands behind it.
fn read_answer(line: &mut TcpStream) -> anyhow::Result<String> {
    let mut answer = Vec::new();
    let mut piece = [0; 2048];
    loop {
        let read = line.read(&mut piece)?;
        ensure!(read > 0, "the server hung up");
        answer.extend_from_slice(piece.get(..read).unwrap_or_default());
        let text = std::str::from_utf8(&answer)?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.context("an answer without a length")?.parse()? {
            return Ok(text.to_owned());
        }
    }
}

/// A Note Hook as GitLab sends it, made long by the merge request's description.
fn template(project: u64) -> String {
    let hook = |description: &str| {
        json!({
            "object_kind": "note", "event_type": "note", "project_id": project,
            "user": {"id": 5, "name": "Bob", "username": "bob", "email": "[REDACTED]",
                "avatar_url": "https://gitlab.example.com/uploads/-/system/user/avatar/5/avatar.png"},
            "project": {"id": project, "name": "shop", "path_with_namespace": "acme/shop",
                "web_url": "https://gitlab.example.com/acme/shop", "default_branch": "main"},
            "object_attributes": {"id": FIRST.0, "note": "@countersign approve production",
                "noteable_type": "MergeRequest", "author_id": 5, "created_at": "2026-11-21 08:00:00 UTC",
                "updated_at": "2026-11-21 08:00:00 UTC", "discussion_id": "d1c5b2f0", "commit_id": null,
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
