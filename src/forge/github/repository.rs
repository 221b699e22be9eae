//! Calls within one repository. It may have been renamed, or come under another installation, since we learned of
//! it: then it is looked for once more, and the call is made there. Nothing was done at the old address.

use super::GitHub;
use super::access::Caller;
use super::client::{Change, Page, Query, read};
use super::directory::{Directory, Repo};
use super::failure::Trouble;
use crate::domain::id::ProjectId;
use crate::net::http::Answer;
use crate::ports::failure::Failure;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A list, as far as it was read.
#[derive(Debug)]
pub(super) struct Listing<T> {
    pub(super) items: Vec<T>,
    /// It went on.
    pub(super) cut: bool,
}

impl GitHub {
    /// Reads one thing below `/repos/{owner}/{name}`. Segments are given as they are: an environment may be
    /// called `prod/eu west`.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        project: ProjectId,
        path: &[&str],
        query: Query<'_>,
    ) -> Result<T, Failure> {
        let mut way = Way::to(&self.directory, project).await?;
        loop {
            let answer = self.client.get(way.caller(), &way.path(path), query).await;
            if let Some(answer) = way.arrive(answer).await? {
                return read(&answer);
            }
        }
    }

    /// Reads one thing that may not be there.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        project: ProjectId,
        path: &[&str],
    ) -> Result<Option<T>, Failure> {
        match self.read(project, path, &[]).await {
            Err(Failure::NotFound) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Reads a list, at most `most` pages.
    pub(super) async fn list<T: Page>(
        &self,
        project: ProjectId,
        path: &[&str],
        query: Query<'_>,
        most: usize,
    ) -> Result<Listing<T::Item>, Failure> {
        let mut way = Way::to(&self.directory, project).await?;
        loop {
            let items = self.list_at::<T>(&way, path, query, most).await;
            if let Some(listing) = way.arrive(items).await? {
                return Ok(listing);
            }
        }
    }

    async fn list_at<T: Page>(
        &self,
        way: &Way<'_>,
        path: &[&str],
        query: Query<'_>,
        most: usize,
    ) -> Result<Listing<T::Item>, Trouble> {
        let mut pages = self.client.pages::<T>(way.caller(), &way.path(path), query, most)?;
        let mut items = Vec::new();
        while let Some(page) = pages.next().await? {
            items.extend(page);
        }
        Ok(Listing { items, cut: pages.is_cut() })
    }

    /// Changes something; only success matters.
    pub(super) async fn send(
        &self,
        project: ProjectId,
        path: &[&str],
        change: Change,
    ) -> Result<Answer, Failure> {
        let mut way = Way::to(&self.directory, project).await?;
        loop {
            let answer = self.client.write(way.caller(), &way.path(path), &change).await;
            if let Some(answer) = way.arrive(answer).await? {
                return Ok(answer);
            }
        }
    }

    /// Changes something and reads what came of it; an answer that can't be read leaves that unknown.
    pub(super) async fn write<T: DeserializeOwned>(
        &self,
        project: ProjectId,
        path: &[&str],
        change: Change,
    ) -> Result<T, Failure> {
        let answer = self.send(project, path, change).await?;
        let what = || format!("the answer to a change of {}", path.join("/"));
        read(&answer).map_err(|_| Failure::UnknownOutcome { what: what() })
    }
}

/// The way to a repository, which may turn out to be an old one, once.
struct Way<'a> {
    directory: &'a Directory,
    repo: Arc<Repo>,
    renewed: bool,
}

impl<'a> Way<'a> {
    async fn to(directory: &'a Directory, project: ProjectId) -> Result<Self, Failure> {
        Ok(Self { directory, repo: directory.repo(project).await?, renewed: false })
    }

    fn caller(&self) -> Caller {
        Caller::Installation(self.repo.installation)
    }

    fn path<'p>(&'p self, below: &[&'p str]) -> Vec<&'p str> {
        ["repos", &self.repo.owner, &self.repo.name].into_iter().chain(below.iter().copied()).collect()
    }

    /// What came of it; `None`: it has moved and is to be tried again where it is now.
    async fn arrive<T>(&mut self, result: Result<T, Trouble>) -> Result<Option<T>, Failure> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Trouble::Stale(_)) if !self.renewed => {
                self.renewed = true;
                self.repo = self.directory.renew(&self.repo).await?;
                Ok(None)
            }
            Err(trouble) => Err(trouble.into()),
        }
    }
}
