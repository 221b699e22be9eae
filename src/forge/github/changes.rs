//! What a deployment would change: the commits since the last one of its environment that succeeded. It is shown, and
//! nothing is decided by it, so whatever GitHub doesn't tell is left out.
//!
//! * <https://docs.github.com/en/rest/deployments/deployments#list-deployments>
//! * <https://docs.github.com/en/rest/commits/commits#compare-two-commits>

use super::GitHub;
use super::wire::{Deployment, DeploymentState, DeploymentStatus};
use crate::domain::id::{Project, ProjectId};
use crate::domain::notice::{Changes, NewCommit, Since};
use crate::net::http::Url;
use crate::ports::failure::Failure;
use serde::Deserialize;

/// Deployments of the environment that are looked through, newest first, and how many of them in full.
const RECENT: &str = "10";
const READ_IN_FULL: usize = 5;
/// The longest page of commits that is asked for: GitHub's own measure.
const PAGE: usize = 30;

/// A page of what one commit has that another lacks, oldest first, and how it is in all.
#[derive(Deserialize)]
struct Comparison {
    status: Relation,
    total_commits: usize,
    commits: Vec<Commit>,
}

/// How the head stands to the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Relation {
    Identical,
    Ahead,
    Behind,
    Diverged,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Commit {
    sha: String,
    commit: Contents,
}

#[derive(Deserialize)]
struct Contents {
    message: String,
    author: Option<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    name: Option<String>,
}

pub(super) async fn of(
    github: &GitHub,
    project: &Project,
    environment: &str,
    sha: &str,
) -> Result<Changes, Failure> {
    let commit_url = page(github.client.base(), &project.path, &["commit", sha]);
    let since = match last_deployed(github, project.id, environment, sha).await? {
        Some(last) => Some(since(github, project, last, sha).await?),
        None => None,
    };
    Ok(Changes { commit_url, since })
}

/// The SHA of the newest deployment that succeeded. The newest one of our SHA is left out: it is the one that is asked
/// about.
async fn last_deployed(
    github: &GitHub,
    project: ProjectId,
    environment: &str,
    sha: &str,
) -> Result<Option<String>, Failure> {
    let query = [("environment", environment), ("per_page", RECENT)];
    let mut recent: Vec<Deployment> =
        told(github.read(project, &["deployments"], &query).await)?.unwrap_or_default();
    if let Some(own) = recent.iter().position(|deployment| deployment.sha == sha) {
        recent.remove(own);
    }
    for deployment in recent.into_iter().take(READ_IN_FULL) {
        if has_succeeded(github, project, deployment.id).await? {
            return Ok(Some(deployment.sha));
        }
    }
    Ok(None)
}

/// Once it has, a later one makes it inactive, and its success stays among its statuses.
async fn has_succeeded(github: &GitHub, project: ProjectId, deployment: i64) -> Result<bool, Failure> {
    let path = ["deployments", &deployment.to_string(), "statuses"];
    let statuses: Option<Vec<DeploymentStatus>> = told(github.read(project, &path, &[]).await)?;
    Ok(statuses.into_iter().flatten().any(|status| status.state == DeploymentState::Success))
}

async fn since(github: &GitHub, project: &Project, last: String, sha: &str) -> Result<Since, Failure> {
    let pair = format!("{last}...{sha}");
    let same = last == sha;
    let compare_url = page(github.client.base(), &project.path, &["compare", &pair]);
    let since = Since { sha: last, compare_url, count: None, commits: Vec::new(), back: false };
    if same {
        return Ok(Since { compare_url: None, count: Some(0), ..since });
    }
    match compare(github, project.id, &pair).await {
        Ok(seen) => {
            let count = u32::try_from(seen.total_commits).ok();
            let back = matches!(seen.status, Relation::Behind | Relation::Diverged);
            let commits = seen.commits.into_iter().rev().take(Since::MOST).map(Commit::into_new).collect();
            Ok(Since { count, commits, back, ..since })
        }
        // One of the two was rewritten away, or they have nothing in common.
        Err(Failure::NotFound) => Ok(Since { compare_url: None, ..since }),
        // We may not read the code, or it is too large for us; people may see it.
        Err(Failure::Refused(_) | Failure::Unreadable(_)) => Ok(since),
        Err(failure) => Err(failure),
    }
}

/// A comparison with its newest commits: they stand on the last page.
async fn compare(github: &GitHub, project: ProjectId, pair: &str) -> Result<Comparison, Failure> {
    let first = compare_page(github, project, pair, (PAGE, 1)).await?;
    let total = first.total_commits;
    if total <= PAGE {
        return Ok(first);
    }
    let length = length_of_pages(total);
    compare_page(github, project, pair, (length, total.div_ceil(length))).await
}

async fn compare_page(
    github: &GitHub,
    project: ProjectId,
    pair: &str,
    (length, number): (usize, usize),
) -> Result<Comparison, Failure> {
    let (length, number) = (length.to_string(), number.to_string());
    let query = [("per_page", length.as_str()), ("page", number.as_str())];
    github.read(project, &["compare", pair], &query).await
}

/// How long pages have to be so that the last one of so many commits holds as many as are listed.
fn length_of_pages(total: usize) -> usize {
    let on_the_last = |length: &usize| (total.saturating_sub(1) % length).min(Since::MOST - 1);
    (Since::MOST..=PAGE).max_by_key(on_the_last).unwrap_or(PAGE)
}

impl Commit {
    fn into_new(self) -> NewCommit {
        let author = self.commit.author.and_then(|author| author.name);
        NewCommit::new(self.sha, &self.commit.message, author.as_deref())
    }
}

/// What is gone, or isn't shown to us, isn't told.
fn told<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Err(Failure::NotFound | Failure::Refused(_)) => Ok(None),
        answer => answer.map(Some),
    }
}

/// The address of one of a repository's own pages. Where the API is tells where they are:
///
/// * `https://api.github.com`: `https://github.com`, and so with subdomains of `ghe.com`
/// * `https://HOST/api/v3` of an Enterprise Server: `https://HOST`
fn page(api: &Url, repository: &str, rest: &[&str]) -> Option<String> {
    let mut url = api.clone();
    let path = api.path().trim_end_matches('/');
    if let Some(above) = path.strip_suffix("/api/v3") {
        url.set_path(above);
    } else if let Some(host) = api.host_str().and_then(|host| host.strip_prefix("api.")) {
        url.set_host(Some(host)).ok()?;
    }
    url.path_segments_mut().ok()?.pop_if_empty().extend(repository.split('/')).extend(rest);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://api.github.com", "https://github.com/acme/shop/commit/9f1c")]
    #[case("https://api.github.com/", "https://github.com/acme/shop/commit/9f1c")]
    #[case("https://api.acme.ghe.com", "https://acme.ghe.com/acme/shop/commit/9f1c")]
    #[case("https://github.example:8443/api/v3", "https://github.example:8443/acme/shop/commit/9f1c")]
    #[case("https://api.example/api/v3/", "https://api.example/acme/shop/commit/9f1c")]
    #[case("http://127.0.0.1:8090", "http://127.0.0.1:8090/acme/shop/commit/9f1c")]
    fn pages_stand_beside_the_api_or_above_it(#[case] api: &str, #[case] expected: &str) {
        assert_eq!(page(&api.parse().unwrap(), "acme/shop", &["commit", "9f1c"]).as_deref(), Some(expected));
    }

    #[test]
    fn the_last_page_holds_as_many_as_are_listed() {
        for total in PAGE + 1..=10_000 {
            let length = length_of_pages(total);
            let on_the_last = total - (total.div_ceil(length) - 1) * length;
            assert!(on_the_last >= Since::MOST && length <= PAGE, "{total}: {length}");
        }
    }
}
