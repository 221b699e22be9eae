//! What a deployment would change: the commits since the last one of its environment that succeeded. It is shown, and
//! nothing is decided by it, so whatever GitLab doesn't tell is left out.
//!
//! * <https://docs.gitlab.com/api/deployments/#list-all-project-deployments>
//! * <https://docs.gitlab.com/api/repositories/#compare-branches-tags-or-commits>

use super::GitLab;
use crate::domain::id::{Project, ProjectId};
use crate::domain::notice::{Changes, NewCommit, Since};
use crate::ports::failure::Failure;
use serde::Deserialize;

/// A deployment, as far as it matters here.
#[derive(Deserialize)]
struct Deployed {
    sha: String,
}

/// What one commit has that another lacks: all of it, oldest first. What GitLab cuts short are the diffs.
#[derive(Deserialize)]
struct Comparison {
    commits: Vec<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
    title: String,
    author_name: Option<String>,
}

pub(super) async fn of(
    gitlab: &GitLab,
    project: &Project,
    environment: &str,
    sha: &str,
) -> Result<Changes, Failure> {
    let commit_url = gitlab.client.page(&project.path, &["commit", sha]);
    let since = match last_deployed(gitlab, project.id, environment).await? {
        Some(last) => Some(since(gitlab, project, last, sha).await?),
        None => None,
    };
    Ok(Changes { commit_url, since })
}

/// The SHA that is there now: as GitLab itself sees it, that of the deployment that succeeded last, which need not be
/// the one that was made last.
async fn last_deployed(
    gitlab: &GitLab,
    project: ProjectId,
    environment: &str,
) -> Result<Option<String>, Failure> {
    let id = project.0.to_string();
    let query = [
        ("environment", environment),
        ("status", "success"),
        ("order_by", "finished_at"),
        ("sort", "desc"),
        ("per_page", "1"),
    ];
    match gitlab.client.get::<Vec<Deployed>>(&["projects", &id, "deployments"], &query).await {
        Ok(found) => Ok(found.into_iter().next().map(|deployed| deployed.sha)),
        Err(Failure::NotFound | Failure::Refused(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

async fn since(gitlab: &GitLab, project: &Project, last: String, sha: &str) -> Result<Since, Failure> {
    let same = last == sha;
    let compare_url = gitlab.client.page(&project.path, &["compare", &format!("{last}...{sha}")]);
    let since = Since { sha: last, compare_url, count: None, commits: Vec::new(), back: false };
    if same {
        return Ok(Since { compare_url: None, count: Some(0), ..since });
    }
    match compare(gitlab, project.id, &since.sha, sha).await {
        Ok((new, back)) => {
            let count = u32::try_from(new.len()).ok();
            let commits = new.into_iter().rev().take(Since::MOST).map(Commit::into_new).collect();
            Ok(Since { count, commits, back, ..since })
        }
        // One of the two was rewritten away: nothing is left to be compared.
        Err(Failure::NotFound) => Ok(Since { compare_url: None, ..since }),
        // Perhaps too large for us; people may see it.
        Err(Failure::Refused(_) | Failure::Unreadable(_)) => Ok(since),
        Err(failure) => Err(failure),
    }
}

/// What is new, oldest first, and whether it is a way back: nothing is new, and something is lost.
async fn compare(
    gitlab: &GitLab,
    project: ProjectId,
    from: &str,
    to: &str,
) -> Result<(Vec<Commit>, bool), Failure> {
    let new = commits(gitlab, project, from, to).await?;
    let back = new.is_empty() && !commits(gitlab, project, to, from).await?.is_empty();
    Ok((new, back))
}

/// Commits of `to` that `from` lacks, oldest first.
async fn commits(gitlab: &GitLab, project: ProjectId, from: &str, to: &str) -> Result<Vec<Commit>, Failure> {
    let id = project.0.to_string();
    let query = [("from", from), ("to", to), ("straight", "false")];
    let found: Comparison = gitlab.client.get(&["projects", &id, "repository", "compare"], &query).await?;
    Ok(found.commits)
}

impl Commit {
    fn into_new(self) -> NewCommit {
        NewCommit::new(self.id, &self.title, self.author_name.as_deref())
    }
}
