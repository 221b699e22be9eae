//! Calls to GitHub's REST API: reads that cost nothing while nothing has changed, pages, and changes.

use super::access::{Access, Call, Caller};
use super::failure::{Trouble, judge, limit};
use crate::net::http::{Answer, Method, StatusCode, Url};
use crate::net::link::next_page;
use crate::ports::clock::Clock;
use crate::ports::failure::Failure;
use jiff::Timestamp;
use moka::future::Cache;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// Answers kept to compare with, in bytes, and how long an unused one is.
const KEPT_BYTES: u64 = 32 * 1024 * 1024;
const KEPT_FOR: Duration = Duration::from_hours(2);
/// What an answer weighs beside its body.
const OVERHEAD: usize = 2048;
/// The longest page that GitHub gives.
const PAGE: usize = 100;
/// Items a page where each carries a text that anybody may have written, 64 Ki characters long: more would not fit
/// into the largest answer that is read.
pub(super) const PAGE_OF_TEXTS: usize = 20;

/// A query, in order.
pub(super) type Query<'a> = &'a [(&'a str, &'a str)];

/// The API, as the App and its installations reach it.
pub(super) struct Client {
    access: Access,
    kept: Cache<(Caller, Url), Arc<Answer>>,
    clock: Arc<dyn Clock>,
}

/// What a page of some list holds.
pub(super) trait Page: DeserializeOwned {
    /// One thing of the list.
    type Item;
    /// How many to ask for.
    const LENGTH: usize = PAGE;
    /// The things of this page.
    fn items(self) -> Vec<Self::Item>;
}

/// What GitHub lists without anything around it.
pub(super) trait Listed: DeserializeOwned {
    /// How many to ask for.
    const A_PAGE: usize = PAGE;
}

impl<T: Listed> Page for Vec<T> {
    type Item = T;
    const LENGTH: usize = T::A_PAGE;

    fn items(self) -> Self {
        self
    }
}

impl Client {
    pub(super) fn new(access: Access, clock: Arc<dyn Clock>) -> Self {
        let kept = Cache::builder()
            .max_capacity(KEPT_BYTES)
            .weigher(|_, answer: &Arc<Answer>| {
                u32::try_from(answer.size().saturating_add(OVERHEAD)).unwrap_or(u32::MAX)
            })
            .time_to_idle(KEPT_FOR)
            .build();
        Self { access, kept, clock }
    }

    /// Reads one thing: `path` below the API's address, each segment as it is, unescaped.
    ///
    /// GitHub is asked every time. If it says that nothing has changed, which counts against no limit, the
    /// answer is the one that it gave before.
    pub(super) async fn get(
        &self,
        caller: Caller,
        path: &[&str],
        query: Query<'_>,
    ) -> Result<Answer, Trouble> {
        self.fetch(caller, self.address(path, query)?).await
    }

    /// Reads a list page by page, at most `most` pages.
    pub(super) fn pages<T: Page>(
        &self,
        caller: Caller,
        path: &[&str],
        query: Query<'_>,
        most: usize,
    ) -> Result<Pages<'_, T>, Failure> {
        let mut url = self.address(path, query)?;
        url.query_pairs_mut().append_pair("per_page", &T::LENGTH.to_string());
        Ok(Pages { client: self, caller, next: Some(url), left: most, cut: false, of: PhantomData })
    }

    /// Changes something. An installation's changes go one after the other; one that creates content is
    /// `HeldBack` where too many did.
    pub(super) async fn write(
        &self,
        caller: Caller,
        path: &[&str],
        change: &Change,
    ) -> Result<Answer, Trouble> {
        let url = self.address(path, &[])?;
        let call = Call { method: change.method.clone(), url, body: change.body.as_ref(), etag: None };
        let Caller::Installation(id) = caller else { return self.send(caller, &call).await };
        let session = self.access.session(id);
        let mut budget = session.lane.lock().await;
        if change.creates_content {
            session.leave(self.clock.now())?;
            budget.spend(self.clock.now())?;
        }
        self.send(caller, &call).await
    }

    /// Where the API is.
    pub(super) fn base(&self) -> &Url {
        self.access.site().base()
    }

    /// GitHub's clock, as every answer tells it, also one that refuses the App for its own.
    pub(super) async fn their_time(&self) -> Result<Option<Timestamp>, Failure> {
        let url = self.address(&["app"], &[])?;
        let answer = self.access.send(Caller::App, &Call::get(url)).await?;
        Ok(answer.date())
    }

    fn address(&self, path: &[&str], query: Query<'_>) -> Result<Url, Failure> {
        let mut url = self.access.site().address(path).ok_or(Failure::NotFound)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn fetch(&self, caller: Caller, url: Url) -> Result<Answer, Trouble> {
        let key = (caller, url.clone());
        let kept = self.kept.get(&key).await;
        let etag = kept.as_ref().and_then(|answer| answer.header("etag"));
        let answer = self.access.send(caller, &Call { etag, ..Call::get(url) }).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            let kept = kept.ok_or_else(|| unreadable("GitHub says that nothing has changed, unasked"))?;
            return Ok(kept.confirmed_by(&answer));
        }
        let answer = self.judge(caller, answer, true)?;
        if answer.header("etag").is_some() {
            self.kept.insert(key, Arc::new(answer.clone())).await;
        }
        Ok(answer)
    }

    async fn send(&self, caller: Caller, call: &Call<'_>) -> Result<Answer, Trouble> {
        let answer = self.access.send(caller, call).await?;
        self.judge(caller, answer, call.reads())
    }

    /// A limit that an installation has reached is its own: it rests, and its calls are `HeldBack` meanwhile. A
    /// limit of the App concerns all.
    fn judge(&self, caller: Caller, answer: Answer, reads: bool) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        if self.is_moved(&answer) {
            return Err(Trouble::Stale(unreadable("GitHub says that it has moved to somewhere else")));
        }
        if let (Caller::Installation(id), Some(wait)) = (caller, limit(&answer, now)) {
            tracing::warn!(installation = id.0, ?wait, "GitHub says that a limit is reached");
            let session = self.access.session(id);
            session.begin_rest(wait, now);
            session.leave(now)?;
        }
        Ok(judge(answer, reads, now)?)
    }

    /// A redirect to another address of the same API: a repository was renamed. It isn't followed, and
    /// nothing was done.
    fn is_moved(&self, answer: &Answer) -> bool {
        let moved =
            [StatusCode::MOVED_PERMANENTLY, StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT];
        let site = self.access.site();
        let target = answer.header("location").and_then(|to| site.base().join(to).ok());
        moved.contains(&answer.status) && target.is_some_and(|target| site.admits(&target))
    }
}

/// One change: what is sent where, apart from the repository it belongs to.
#[derive(Debug)]
pub(super) struct Change {
    method: Method,
    body: Option<Value>,
    creates_content: bool,
}

impl Change {
    pub(super) fn post(body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), creates_content: false }
    }

    pub(super) fn patch(body: Value) -> Self {
        Self { method: Method::PATCH, ..Self::post(body) }
    }

    pub(super) fn delete() -> Self {
        Self { method: Method::DELETE, body: None, creates_content: false }
    }

    /// A comment, a reaction, a review: counted, since GitHub limits how many may be created.
    pub(super) fn creating_content(self) -> Self {
        Self { creates_content: true, ..self }
    }
}

/// A list, read page by page along `Link: …; rel="next"`.
pub(super) struct Pages<'a, T> {
    client: &'a Client,
    caller: Caller,
    next: Option<Url>,
    left: usize,
    cut: bool,
    of: PhantomData<fn() -> T>,
}

impl<T: Page> Pages<'_, T> {
    /// The next page; `None` at the end, and when enough pages have been read.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<T::Item>>, Trouble> {
        let Some(url) = self.next.take() else { return Ok(None) };
        if self.left == 0 {
            tracing::warn!(path = url.path(), "a list is longer than what is read of it");
            self.cut = true;
            return Ok(None);
        }
        self.left -= 1;
        let answer = self.client.fetch(self.caller, url.clone()).await?;
        let items = read::<T>(&answer)?.items();
        self.next = next_page(&answer)?;
        if self.next.as_ref().is_some_and(|next| !self.client.access.site().admits(next)) {
            return Err(unreadable("the next page is said to be on another host").into());
        }
        if self.next.is_none() && items.len() >= T::LENGTH {
            // A page that is full doesn't change when another one follows it: it has to be read anew.
            self.client.kept.invalidate(&(self.caller, url)).await;
        }
        Ok(Some(items))
    }

    /// Whether the list went on behind the last page that was read.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// All pages together.
    pub(super) async fn all(mut self) -> Result<Vec<T::Item>, Trouble> {
        let mut items = Vec::new();
        while let Some(page) = self.next().await? {
            items.extend(page);
        }
        Ok(items)
    }
}

/// What an answer says.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    let body = answer.json().ok_or_else(|| unreadable("the answer is not JSON"))?;
    serde_json::from_slice(body).map_err(|error| {
        // The error's own text may quote the answer.
        let (line, column) = (error.line(), error.column());
        Failure::Unreadable(format!("the answer has another shape at line {line}, column {column}"))
    })
}

fn unreadable(what: &str) -> Failure {
    Failure::Unreadable(what.to_owned())
}
