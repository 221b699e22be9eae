//! Issues, pull requests and reviews.

use jiff::Timestamp;

use super::state::State;
use super::{GitHub, Number, Refused, RepositoryId, ReviewId, UserId};

/// A pull request to be opened.
#[derive(Clone, Debug)]
pub struct NewPullRequest {
    pub(super) branch: String,
    pub(super) sha: String,
    pub(super) title: String,
    pub(super) fork: bool,
}

impl NewPullRequest {
    /// From this branch, whose head is `sha`, into `main`.
    pub fn new(branch: &str, sha: &str, title: &str) -> Self {
        Self { branch: branch.into(), sha: sha.into(), title: title.into(), fork: false }
    }

    /// From a fork: runs and check runs don't name it.
    pub fn from_fork(mut self) -> Self {
        self.fork = true;
        self
    }
}

/// A review to be submitted.
#[derive(Clone, Debug)]
pub struct NewReview {
    pub(super) state: &'static str,
    pub(super) body: Option<String>,
    pub(super) commit: Option<String>,
}

impl NewReview {
    /// One that only comments.
    pub fn comment(body: &str) -> Self {
        Self { state: "commented", body: Some(body.into()), commit: None }
    }

    /// One that approves the change; GitHub allows it without words.
    pub fn approve(body: Option<&str>) -> Self {
        Self { state: "approved", body: body.map(Into::into), commit: None }
    }

    /// One that asks for changes.
    pub fn request_changes(body: &str) -> Self {
        Self { state: "changes_requested", body: Some(body.into()), commit: None }
    }

    /// Of this commit; of the head when not said.
    pub fn of(mut self, commit: &str) -> Self {
        self.commit = Some(commit.into());
        self
    }
}

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestView {
    /// Number in its repository.
    pub number: Number,
    /// Title.
    pub title: String,
    /// Login.
    pub author: String,
    /// `open` or `closed`.
    pub state: String,
    /// Head.
    pub head_sha: String,
    /// Branch.
    pub head_branch: String,
    /// What `refs/pull/N/merge` points to, and the true merge commit once merged.
    pub merge_commit_sha: String,
    /// Login of who merged it.
    pub merged_by: Option<String>,
    /// Whether only collaborators may comment.
    pub locked: bool,
}

/// A review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewView {
    /// Id.
    pub id: ReviewId,
    /// Login.
    pub author: String,
    /// `commented`, `approved`, `changes_requested`.
    pub state: String,
    /// Words.
    pub body: String,
    /// The commit that it is about.
    pub commit_id: String,
    /// When.
    pub submitted_at: Timestamp,
}

/// An issue; a pull request is an issue with a branch.
pub(super) struct Issue {
    pub(super) id: u64,
    pub(super) repository: RepositoryId,
    pub(super) number: Number,
    pub(super) title: String,
    pub(super) author: UserId,
    pub(super) open: bool,
    pub(super) locked: bool,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) pull: Option<Pull>,
}

pub(super) struct Pull {
    pub(super) branch: String,
    /// Every head that it had, oldest first.
    pub(super) heads: Vec<String>,
    pub(super) fork: bool,
    pub(super) merge_commit: String,
    pub(super) merged: Option<(UserId, Timestamp)>,
}

impl Pull {
    /// Where its branch is: outside of every repository, if in a fork.
    pub(super) fn head_repository(&self, issue: &Issue) -> u64 {
        if self.fork { issue.id + 9_000_000 } else { issue.repository }
    }

    pub(super) fn head(&self) -> &str {
        self.heads.last().map_or("", String::as_str)
    }
}

pub(super) struct Review {
    pub(super) id: ReviewId,
    pub(super) repository: RepositoryId,
    pub(super) number: Number,
    pub(super) author: UserId,
    pub(super) state: &'static str,
    pub(super) body: Option<String>,
    pub(super) commit: String,
    pub(super) at: Timestamp,
}

impl GitHub {
    /// Opens a pull request.
    pub fn open_pull_request(&self, repository: RepositoryId, author: UserId, new: NewPullRequest) -> Number {
        self.with(|state| state.open_pull_request(repository, author, new))
    }

    /// Opens an issue, which is no pull request.
    pub fn open_issue(&self, repository: RepositoryId, author: UserId, title: &str) -> Number {
        self.with(|state| state.open_issue(repository, author, title))
    }

    /// Pushes a new head to a pull request's branch.
    pub fn push(&self, repository: RepositoryId, number: Number, sha: &str) {
        self.with(|state| state.push(repository, number, sha));
    }

    /// Merges a pull request, and returns the merge commit.
    pub fn merge(&self, repository: RepositoryId, number: Number, by: UserId) -> Result<String, Refused> {
        self.with(|state| state.merge(repository, number, by))
    }

    /// Closes an issue or pull request.
    pub fn close(&self, repository: RepositoryId, number: Number) {
        self.with(|state| state.edit_issue(repository, number, |issue| issue.open = false));
    }

    /// Locks a conversation: only people who may write comment on; or takes that back.
    pub fn lock(&self, repository: RepositoryId, number: Number, on: bool) {
        self.with(|state| state.edit_issue(repository, number, |issue| issue.locked = on));
    }

    /// Submits a review.
    pub fn submit_review(
        &self,
        repository: RepositoryId,
        number: Number,
        by: UserId,
        review: NewReview,
    ) -> Result<ReviewId, Refused> {
        self.with(|state| state.submit_review((repository, number), by, review))
    }

    /// One pull request.
    pub fn pull_request(&self, repository: RepositoryId, number: Number) -> Option<PullRequestView> {
        self.with(|state| state.pull_request_view(repository, number))
    }

    /// The reviews of a pull request, oldest first.
    pub fn reviews_of(&self, repository: RepositoryId, number: Number) -> Vec<ReviewView> {
        self.with(|state| state.reviews_of(repository, number))
    }
}

impl State {
    fn open_pull_request(&mut self, repository: RepositoryId, author: UserId, new: NewPullRequest) -> Number {
        let number = self.open_issue(repository, author, &new.title);
        let NewPullRequest { branch, sha, fork, .. } = new;
        self.know_commit(repository, &sha, author);
        let merge_commit = self.ids.hex(40);
        self.place_commit(repository, &merge_commit, Some(&sha));
        self.know_commit(repository, &merge_commit, author);
        let pull = Pull { branch, heads: vec![sha], fork, merge_commit, merged: None };
        self.edit_issue(repository, number, |issue| issue.pull = Some(pull));
        number
    }

    fn open_issue(&mut self, repository: RepositoryId, author: UserId, title: &str) -> Number {
        let (id, now) = (self.ids.next("issue", 60_001), self.time());
        let Some(home) = self.repositories.get_mut(&repository) else { return 0 };
        home.last_number += 1;
        let number = home.last_number;
        let issue = Issue {
            id,
            repository,
            number,
            title: title.into(),
            author,
            open: true,
            locked: false,
            created_at: now,
            updated_at: now,
            pull: None,
        };
        self.issues.insert((repository, number), issue);
        number
    }

    fn edit_issue(&mut self, repository: RepositoryId, number: Number, edit: impl FnOnce(&mut Issue)) {
        let now = self.time();
        if let Some(issue) = self.issues.get_mut(&(repository, number)) {
            edit(issue);
            issue.updated_at = now;
        }
    }

    fn push(&mut self, repository: RepositoryId, number: Number, sha: &str) {
        let merge_commit = self.ids.hex(40);
        let author = self.issues.get(&(repository, number)).map(|issue| issue.author);
        self.know_commit(repository, sha, author.unwrap_or_default());
        self.place_commit(repository, &merge_commit, Some(sha));
        self.know_commit(repository, &merge_commit, author.unwrap_or_default());
        self.edit_issue(repository, number, |issue| {
            if let Some(pull) = issue.pull.as_mut() {
                pull.heads.push(sha.into());
                pull.merge_commit = merge_commit;
            }
        });
    }

    fn merge(&mut self, repository: RepositoryId, number: Number, by: UserId) -> Result<String, Refused> {
        if !self.may_write(by, repository) {
            return Err(Refused::new(403, "Must have write access"));
        }
        let (now, sha) = (self.time(), self.ids.hex(40));
        let issue = self.issues.get_mut(&(repository, number)).ok_or_else(Refused::not_found)?;
        let pull = issue.pull.as_mut().ok_or_else(Refused::not_found)?;
        if !issue.open {
            return Err(Refused::new(405, "Pull Request is not mergeable"));
        }
        pull.merge_commit.clone_from(&sha);
        pull.merged = Some((by, now));
        (issue.open, issue.updated_at) = (false, now);
        self.know_commit(repository, &sha, by);
        Ok(sha)
    }

    pub(super) fn issue(&self, repository: RepositoryId, number: Number) -> Result<&Issue, Refused> {
        self.issues.get(&(repository, number)).ok_or_else(Refused::not_found)
    }

    pub(super) fn pull(&self, repository: RepositoryId, number: Number) -> Result<(&Issue, &Pull), Refused> {
        let issue = self.issue(repository, number)?;
        Ok((issue, issue.pull.as_ref().ok_or_else(Refused::not_found)?))
    }

    /// Pull requests of a repository, oldest first.
    pub(super) fn pulls_of(&self, repository: RepositoryId) -> impl Iterator<Item = (&Issue, &Pull)> {
        let own = self.issues.values().filter(move |issue| issue.repository == repository);
        own.filter_map(|issue| Some((issue, issue.pull.as_ref()?)))
    }

    fn submit_review(
        &mut self,
        (repository, number): (RepositoryId, Number),
        by: UserId,
        new: NewReview,
    ) -> Result<ReviewId, Refused> {
        self.may_talk(repository, number, by)?;
        let (issue, pull) = self.pull(repository, number)?;
        if issue.author == by && new.state != "commented" {
            return Err(Refused::invalid("state", "Can not approve or reject your own pull request"));
        }
        let commit = new.commit.unwrap_or_else(|| pull.head().to_owned());
        let (id, at) = (self.ids.next("review", 80_001), self.time());
        let (author, state, body) = (by, new.state, new.body);
        self.reviews.insert(id, Review { id, repository, number, author, state, body, commit, at });
        self.tell_of_review(id);
        Ok(id)
    }

    fn pull_request_view(&self, repository: RepositoryId, number: Number) -> Option<PullRequestView> {
        let (issue, pull) = self.pull(repository, number).ok()?;
        Some(PullRequestView {
            number,
            title: issue.title.clone(),
            author: self.login_of(issue.author),
            state: if issue.open { "open" } else { "closed" }.into(),
            head_sha: pull.head().into(),
            head_branch: pull.branch.clone(),
            merge_commit_sha: pull.merge_commit.clone(),
            merged_by: pull.merged.map(|(by, _)| self.login_of(by)),
            locked: issue.locked,
        })
    }

    fn reviews_of(&self, repository: RepositoryId, number: Number) -> Vec<ReviewView> {
        let here =
            self.reviews.values().filter(|known| known.repository == repository && known.number == number);
        let view = |review: &Review| ReviewView {
            id: review.id,
            author: self.login_of(review.author),
            state: review.state.into(),
            body: review.body.clone().unwrap_or_default(),
            commit_id: review.commit.clone(),
            submitted_at: review.at,
        };
        here.map(view).collect()
    }
}
