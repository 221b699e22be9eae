//! Who may speak, whatever stands in the headers: exactly those whose proof is whole, single, right and fresh. Input:
//! a source's name; a line for each header, name and value divided by a blank; an empty line; the body. In values `%S`
//! is the right signature of that body under the headers that stand there.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use countersign::chat::slack::SlackInbound;
use countersign::domain::id::{ChatName, ForgeName};
use countersign::forge::github::webhook::GitHubInbound;
use countersign::forge::gitlab::webhook::GitLabInbound;
use countersign::ports::inbound::Inbound;
use countersign_fuzz::{Headers, NOW, first_line, header, is_refused, mac, mattermost, receive};
use libfuzzer_sys::fuzz_target;
use std::collections::HashSet;
use std::sync::LazyLock;
use url::form_urlencoded;

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

struct Sources {
    gitlab: GitLabInbound,
    github: GitHubInbound,
    slack: SlackInbound,
    mattermost: countersign::chat::mattermost::MattermostInbound,
}

static SOURCES: LazyLock<Sources> = LazyLock::new(|| {
    let signing = format!("whsec_{}", STANDARD.encode(KEY)).into();
    let url = |text: &str| text.parse().expect("an address");
    let (github, slack) = (url("https://api.github.com"), url("https://slack.com/api"));
    let secrets = || vec!["older".into(), "sesame".into()];
    Sources {
        gitlab: GitLabInbound::new(ForgeName::new("gitlab"), &[signing], secrets()).expect("secrets"),
        github: GitHubInbound::new(ForgeName::new("github"), secrets(), &github, 99).expect("secrets"),
        slack: SlackInbound::new(ChatName::new("slack"), secrets(), &slack).expect("secrets"),
        mattermost: mattermost(),
    }
});

fuzz_target!(|input: &[u8]| {
    let (source, rest) = first_line(input);
    let (lines, body) = head(rest);
    let (inbound, proof): (&dyn Inbound, Proof) = match source {
        b"gitlab" => (&SOURCES.gitlab, gitlab),
        b"github" => (&SOURCES.github, github),
        b"slack" => (&SOURCES.slack, slack),
        b"mattermost" => (&SOURCES.mattermost, mattermosts),
        _ => return,
    };
    let delivery = Delivery { headers: &lines, body };
    let whole = filled(delivery, &signature(source, delivery));
    let outcome = receive(inbound, &whole, body);
    let proven = proof(Delivery { headers: &whole, body });
    assert!(is_refused(&outcome) || proven, "heard without a proof: {outcome:?}");
    let names: HashSet<&str> = whole.iter().map(|(name, _)| name.as_str()).collect();
    let doubled = names.len() < whole.len();
    assert!(!proven || doubled || !is_refused(&outcome), "proven and not heard: {outcome:?}");
});

type Proof = fn(Delivery<'_>) -> bool;

#[derive(Clone, Copy)]
struct Delivery<'a> {
    headers: &'a Headers,
    body: &'a [u8],
}

impl<'a> Delivery<'a> {
    fn all(self, name: &str) -> Vec<&'a [u8]> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_slice()).collect()
    }

    /// What stands there, if it stands there once and is text.
    fn one(self, name: &str) -> Option<&'a str> {
        let [value] = *self.all(name) else { return None };
        std::str::from_utf8(value).ok()
    }

    fn first(self, name: &str) -> &'a [u8] {
        self.all(name).first().copied().unwrap_or_default()
    }
}

fn head(mut rest: &[u8]) -> (Headers, &[u8]) {
    let mut headers = Headers::new();
    loop {
        let (line, behind) = first_line(rest);
        rest = behind;
        if line.is_empty() {
            return (headers, rest);
        }
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let name = String::from_utf8_lossy(&line[..end]).to_lowercase();
        headers.push(header(&name, line.get(end + 1..).unwrap_or_default()));
    }
}

/// The right signature, as it stands behind its version.
fn signature(source: &[u8], given: Delivery<'_>) -> String {
    match source {
        b"gitlab" => STANDARD.encode(standard(given)),
        b"github" => hex::encode(mac(b"sesame", &[given.body])),
        b"slack" => hex::encode(timed(given)),
        _ => "sesame".to_owned(),
    }
}

fn standard(given: Delivery<'_>) -> [u8; 32] {
    mac(KEY, &[given.first("webhook-id"), b".", given.first("webhook-timestamp"), b".", given.body])
}

fn timed(given: Delivery<'_>) -> [u8; 32] {
    mac(b"sesame", &[b"v0:", given.first("x-slack-request-timestamp"), b":", given.body])
}

/// The headers with `right` in the place of each mark.
fn filled(given: Delivery<'_>, right: &str) -> Headers {
    let fill = |value: &[u8]| {
        let (mut whole, mut rest) = (Vec::new(), value);
        while let Some(at) = rest.windows(2).position(|two| two == b"%S") {
            whole.extend_from_slice(&rest[..at]);
            whole.extend_from_slice(right.as_bytes());
            rest = &rest[at + 2..];
        }
        whole.extend_from_slice(rest);
        whole
    };
    given.headers.iter().map(|(name, value)| (name.clone(), fill(value))).collect()
}

fn is_fresh(timestamp: &str) -> bool {
    timestamp.parse::<i64>().is_ok_and(|at| at.abs_diff(NOW) <= 300)
}

fn gitlab(given: Delivery<'_>) -> bool {
    if given.all("x-gitlab-token").len() > 1 {
        return false;
    }
    let parts = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    if parts.iter().all(|name| given.all(name).is_empty()) {
        return matches!(given.one("x-gitlab-token"), Some("sesame" | "older"));
    }
    let [Some(_), Some(timestamp), Some(signature)] = parts.map(|name| given.one(name)) else { return false };
    let mac = standard(given);
    let right = [STANDARD.encode(mac), STANDARD_NO_PAD.encode(mac)];
    let mut items = signature.split(' ').filter_map(|item| item.strip_prefix("v1,"));
    is_fresh(timestamp) && items.any(|item| right.iter().any(|right| right == item))
}

fn github(given: Delivery<'_>) -> bool {
    let digits = given.one("x-hub-signature-256").and_then(|value| value.strip_prefix("sha256="));
    digits.is_some_and(|digits| {
        let right = |secret: &[u8]| digits.eq_ignore_ascii_case(&hex::encode(mac(secret, &[given.body])));
        right(b"sesame") || right(b"older")
    })
}

fn slack(given: Delivery<'_>) -> bool {
    if form_urlencoded::parse(given.body).any(|(name, value)| name == "ssl_check" && value == "1") {
        return true;
    }
    let (timestamp, signature) = (given.one("x-slack-request-timestamp"), given.one("x-slack-signature"));
    let digits = signature.and_then(|value| value.strip_prefix("v0="));
    timestamp.is_some_and(is_fresh)
        && digits.is_some_and(|digits| digits.eq_ignore_ascii_case(&hex::encode(timed(given))))
}

/// The command's token in the header, in the form, or the same in both. What a button carries is another target's.
fn mattermosts(given: Delivery<'_>) -> bool {
    let [kind, authorization] = ["content-type", "authorization"].map(|name| given.all(name));
    if kind.len() > 1 || authorization.len() > 1 || is_json(given.first("content-type")) {
        return false;
    }
    let fields: Vec<String> = form_urlencoded::parse(given.body)
        .filter(|(name, _)| name == "token")
        .map(|(_, value)| value.into_owned())
        .collect();
    let value = given.first("authorization");
    let header = value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"token "));
    let header = header.then(|| value[6..].trim_ascii());
    match (header, fields.as_slice()) {
        (Some(header), []) => header == b"sesame",
        (Some(header), [field]) => header == b"sesame" && field == "sesame",
        (None, [field]) => field == "sesame",
        (_, [] | [_, _, ..]) => false,
    }
}

fn is_json(kind: &[u8]) -> bool {
    let end = kind.iter().position(|byte| *byte == b';').unwrap_or(kind.len());
    kind[..end].trim_ascii().eq_ignore_ascii_case(b"application/json")
}
