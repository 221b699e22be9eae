//! Which pull request a deployment belongs to, where its run doesn't name one.

use super::GitHub;
use super::wire::{PullRequest, PullRequestState};
use crate::domain::id::{ProjectId, UserId};
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{MergeRequest, Sighting};

/// Pages read of a list.
const PAGES: usize = 5;

/// The one that the commit tells of; else the newest one from this branch with this head.
pub(super) async fn of(
    github: &GitHub,
    project: ProjectId,
    sighting: &Sighting,
) -> Result<Option<i64>, Failure> {
    let run = github.run(project, sighting.run).await?;
    let home = run.head_repository.map_or(project.0, |repo| repo.id);
    let around = listed(github, project, &["commits", &sighting.sha, "pulls"], &[]).await?;
    if let Some(found) = by_commit(&around, home, sighting) {
        return Ok(Some(found));
    }
    let branch = sighting.ref_name.as_str();
    if branch.is_empty() || branch.starts_with("refs/") {
        return Ok(None);
    }
    let repo = github.directory.repo(project).await?;
    let head = format!("{}:{branch}", repo.owner);
    let query = [("head", head.as_str()), ("state", "all")];
    let of_branch = listed(github, project, &["pulls"], &query).await?;
    Ok(newest(&of_branch, |request| request.head.sha == sighting.sha))
}

/// A list that isn't there tells of none: GitHub doesn't look for commits that it can't find. A refusal tells
/// nothing at all.
async fn listed(
    github: &GitHub,
    project: ProjectId,
    path: &[&str],
    query: &[(&str, &str)],
) -> Result<Vec<PullRequest>, Failure> {
    match github.list::<Vec<PullRequest>>(project, path, query, PAGES).await {
        Ok(listing) => Ok(listing.items),
        Err(Failure::NotFound | Failure::Refused(Refusal::Other(_))) => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

/// The one whose merge made this commit on this branch; else the newest open one whose head it is; else the newest
/// open one from this branch, which has moved on.
///
/// `home` is the repository that the run's commit comes from: anybody can open a request from a fork that has our
/// commit for its head.
fn by_commit(requests: &[PullRequest], home: i64, sighting: &Sighting) -> Option<i64> {
    let from_home = |request: &PullRequest| request.head.repo.as_ref().is_some_and(|repo| repo.id == home);
    let open = |request: &PullRequest| request.state == PullRequestState::Open && from_home(request);
    // One that is open has a merge commit too: of a merge that was only tried.
    let merged = |request: &PullRequest| {
        request.merged_at.is_some()
            && request.base.ref_name == sighting.ref_name
            && request.merge_commit_sha.as_ref() == Some(&sighting.sha)
    };
    newest(requests, merged)
        .or_else(|| newest(requests, |request| open(request) && request.head.sha == sighting.sha))
        .or_else(|| newest(requests, |request| open(request) && request.head.ref_name == sighting.ref_name))
}

fn newest(requests: &[PullRequest], is_meant: impl Fn(&PullRequest) -> bool) -> Option<i64> {
    requests.iter().filter(|request| is_meant(request)).map(|request| request.number).max()
}

impl From<PullRequest> for MergeRequest {
    fn from(seen: PullRequest) -> Self {
        let merged_as = seen.merge_commit_sha.filter(|_| seen.merged_at.is_some());
        Self {
            number: seen.number,
            head_sha: seen.head.sha,
            target_branch: seen.base.ref_name,
            merged_as: merged_as.into_iter().collect(),
            open: seen.state == PullRequestState::Open,
            author: seen.user.map(|user| UserId(user.id)),
            merged_by: seen.merged_by.map(|user| UserId(user.id)),
        }
    }
}
