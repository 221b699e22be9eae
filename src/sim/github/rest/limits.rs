//! Limits: so many calls an hour, so much new content a minute.

use jiff::{SignedDuration, Timestamp};

use super::super::state::{Rate, Refused, State};
use super::call::{Answer, Call};

/// New content a minute and an hour.
const CONTENT_A_MINUTE: usize = 80;
const CONTENT_AN_HOUR: usize = 500;

impl State {
    /// Counts a call; refused when a limit is reached.
    pub(super) fn count(&mut self, call: &Call) -> Result<(), Answer> {
        let (now, limit) = (self.time(), self.settings.hourly_limit);
        if call.segments.first().is_some_and(|first| first == "rate_limit") {
            return Ok(());
        }
        let Some(key) = self.rate_key(call) else { return Ok(()) };
        let rate = self.rates.entry(key).or_default();
        if rate.hour.is_none_or(|start| now >= later(start, 3600)) {
            (rate.hour, rate.used) = (Some(now), 0);
        }
        let refused = if rate.used >= limit {
            Some(Answer::from(Refused::new(403, "API rate limit exceeded for this installation.")))
        } else {
            rate.used += 1;
            (creates_content(call) && !rate.create(now)).then(|| {
                let mut answer = Answer::from(secondary_limit());
                answer.headers.push(("Retry-After", "60".into()));
                answer
            })
        };
        self.limit_hits += u32::from(refused.is_some());
        refused.map_or(Ok(()), Err)
    }

    /// A call that changed nothing for the caller costs nothing.
    pub(in crate::sim::github) fn give_back(&mut self, call: &Call) {
        let key = self.rate_key(call);
        if let Some(rate) = key.and_then(|key| self.rates.get_mut(&key)) {
            rate.used = rate.used.saturating_sub(1);
        }
    }

    /// Limit, calls used, and when the hour ends in seconds since 1970.
    pub(in crate::sim::github) fn usage(&self, call: &Call) -> (u32, u32, i64) {
        let rate = self.rate_key(call).and_then(|key| self.rates.get(&key));
        let start = rate.and_then(|rate| rate.hour).unwrap_or_else(|| self.time());
        let limit = if self.rate_key(call).is_some() { self.settings.hourly_limit } else { 60 };
        (limit, rate.map_or(0, |rate| rate.used), later(start, 3600).as_second())
    }

    pub(in crate::sim::github) fn limit_headers(&self, call: &Call) -> Vec<(&'static str, String)> {
        let (limit, used, reset) = self.usage(call);
        vec![
            ("X-RateLimit-Limit", limit.to_string()),
            ("X-RateLimit-Remaining", limit.saturating_sub(used).to_string()),
            ("X-RateLimit-Used", used.to_string()),
            ("X-RateLimit-Reset", reset.to_string()),
            ("X-RateLimit-Resource", "core".into()),
        ]
    }

    fn rate_key(&self, call: &Call) -> Option<String> {
        match self.whose(call) {
            (_, Some(installation)) => Some(format!("installation/{installation}")),
            (Some(app), None) => Some(format!("app/{app}")),
            (None, None) => None,
        }
    }
}

impl Rate {
    /// Counts new content; false when there was too much of it.
    fn create(&mut self, now: Timestamp) -> bool {
        while self.created.front().is_some_and(|at| later(*at, 3600) <= now) {
            self.created.pop_front();
        }
        let last_minute = self.created.iter().rev().take_while(|at| later(**at, 60) > now).count();
        if last_minute >= CONTENT_A_MINUTE || self.created.len() >= CONTENT_AN_HOUR {
            return false;
        }
        self.created.push_back(now);
        true
    }
}

fn creates_content(call: &Call) -> bool {
    let last = call.segments.last().map(String::as_str);
    call.method == "POST" && matches!(last, Some("comments" | "reactions" | "reviews"))
}

fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}

pub(in crate::sim::github) fn secondary_limit() -> Refused {
    let text = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    let mut refused = Refused::new(403, text);
    let page =
        "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits";
    super::super::render::put(&mut refused.body, "documentation_url", page.into());
    refused
}
