//! What goes wrong on demand: rules for the API's answers, and a bad line for the hooks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest that a [`Action::Delay`] holds an answer back.
pub const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// What happens to a call instead of, or after, what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing is done; this is answered.
    Answer {
        /// HTTP status.
        status: u16,
        /// Sent as `application/json` when it is JSON, else as `text/html`.
        body: String,
    },
    /// Nothing is done; 429, with these seconds in `Retry-After` and `RateLimit-*` headers, or with neither and
    /// an HTML body as GitLab.com's edge answers.
    TooManyRequests {
        /// Seconds until the limit ends.
        retry_after: Option<u64>,
    },
    /// The call is carried out after this while, [`LONGEST_DELAY`] at most.
    Delay(Duration),
    /// Nothing is done and the connection closes without an answer.
    Drop,
    /// The call is carried out, then the connection closes without an answer.
    ActThenDrop,
    /// The call is carried out, then this status is answered with an HTML page.
    ActThenFail(u16),
    /// The call is carried out, and half of its answer arrives.
    Truncate,
    /// Nothing is done, and nothing is answered until the caller hangs up.
    Hang,
    /// The call is carried out, and nothing is answered until the caller hangs up.
    ActThenHang,
}

/// A call that came in, before anything is done.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path as it was sent.
    pub path: &'a str,
    /// The token that came with it, or the private key (PEM) that it was got with: which of several callers it is.
    /// Absent where a call carries none, such as to a `response_url`.
    pub token: Option<&'a str>,
}

/// Looks at every call, and says what happens to it; asked before any rule. It must not call the twin.
pub type Watcher = Arc<dyn Fn(&Seen<'_>) -> Option<Action> + Send + Sync>;

/// One rule: the calls that it touches, and what happens to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `GET`, `POST`, …; any when absent.
    pub method: Option<String>,
    /// A part of the path as it was sent, such as `/approval`; `*` in it stands for anything.
    pub path: String,
    /// User name of the token (or of `Sudo`), or slug of the App; anybody when absent.
    pub who: Option<String>,
    /// How many calls it still touches; all when absent.
    pub times: Option<u32>,
    /// What happens to them.
    pub action: Action,
}

impl Rule {
    /// A rule for every call whose path contains this pattern.
    pub fn new(path: impl Into<String>, action: Action) -> Self {
        Self { method: None, path: path.into(), who: None, times: None, action }
    }

    /// Only calls with this method.
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Only calls of this user name.
    pub fn who(mut self, username: impl Into<String>) -> Self {
        self.who = Some(username.into());
        self
    }

    /// Only the next so many calls.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn touches(&self, method: &str, path: &str, who: Option<&str>) -> bool {
        self.times != Some(0)
            && self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.who.as_deref().is_none_or(|wanted| who == Some(wanted))
            && contains_in_order(path, &self.path)
    }
}

/// The rules in force; the first that touches a call decides.
#[derive(Clone, Default)]
pub struct Faults {
    rules: Vec<Rule>,
    watcher: Option<Watcher>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Faults {
    /// Adds a rule behind those that are there.
    pub fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// All goes well again, as far as the rules are concerned.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// Somebody watches every call from now on, or nobody does.
    pub fn set_watcher(&mut self, watcher: Option<Watcher>) {
        self.watcher = watcher;
    }

    /// Whether anybody watches.
    pub fn is_watched(&self) -> bool {
        self.watcher.is_some()
    }

    /// What the watcher says.
    pub fn watched(&self, seen: &Seen<'_>) -> Option<Action> {
        self.watcher.as_ref().and_then(|watch| watch(seen))
    }

    /// What happens to this call, counted off the rule that says so.
    pub fn take(&mut self, method: &str, path: &str, who: Option<&str>) -> Option<Action> {
        let rule = self.rules.iter_mut().find(|rule| rule.touches(method, path, who))?;
        rule.times = rule.times.map(|left| left.saturating_sub(1));
        Some(rule.action.clone())
    }
}

/// What happens to hooks on their way. Lost ones are no failures to GitLab: it never hears of them. GitHub does, and
/// logs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookFaults {
    /// So many of the next are lost.
    pub lose_next: u32,
    /// Every one is lost.
    pub lose_everything: bool,
    /// Every one arrives twice, with the same `Idempotency-Key` or GUID.
    pub duplicate: bool,
    /// Those waiting arrive newest first.
    pub reverse: bool,
}

fn contains_in_order(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    pattern.split('*').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => part.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_touches_its_method_its_path_and_its_person_so_often() {
        let mut faults = Faults::default();
        faults.add(Rule::new("/jobs/*/play", Action::Drop).method("POST").who("dana").times(1));
        assert_eq!(faults.take("GET", "/jobs/7/play", Some("dana")), None);
        assert_eq!(faults.take("POST", "/jobs/7/retry", Some("dana")), None);
        assert_eq!(faults.take("POST", "/jobs/7/play", Some("bob")), None);
        assert_eq!(faults.take("POST", "/jobs/7/play", Some("dana")), Some(Action::Drop));
        assert_eq!(faults.take("POST", "/jobs/7/play", Some("dana")), None);
    }
}
