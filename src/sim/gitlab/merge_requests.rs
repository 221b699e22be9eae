//! Merge requests, as people open, push to, approve and merge them.

use jiff::Timestamp;

use super::hooks::HookEvent;
use super::projects::Project;
use super::state::{Refused, State};
use super::{GitLab, Iid, Level, ProjectId, UserId};

/// A merge request to be opened with more than the usual.
#[derive(Clone, Debug)]
pub struct NewMergeRequest {
    /// Who opens it.
    pub author: UserId,
    /// The branch that it brings.
    pub source_branch: String,
    /// The branch that it goes to.
    pub target_branch: String,
    /// Its first commit; made up when absent.
    pub sha: Option<String>,
    /// Its title.
    pub title: String,
}

#[derive(Clone, Debug)]
pub(super) struct MergeRequest {
    pub(super) id: u64,
    pub(super) iid: Iid,
    pub(super) project: ProjectId,
    pub(super) title: String,
    pub(super) author: UserId,
    pub(super) source_branch: String,
    pub(super) target_branch: String,
    /// Every head that it had, the newest last.
    pub(super) commits: Vec<String>,
    /// `opened`, `closed`, `merged`.
    pub(super) state: &'static str,
    pub(super) merge_commit_sha: Option<String>,
    pub(super) squash_commit_sha: Option<String>,
    pub(super) merged_by: Option<UserId>,
    pub(super) merged_at: Option<Timestamp>,
    pub(super) locked: bool,
    pub(super) approved_by: Vec<UserId>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

impl MergeRequest {
    pub(super) fn sha(&self) -> &str {
        self.commits.last().map_or("", String::as_str)
    }

    /// Whether this commit is, or was, its own.
    pub(super) fn holds(&self, sha: &str) -> bool {
        self.commits.iter().any(|known| known == sha)
            || self.merge_commit_sha.as_deref() == Some(sha)
            || self.squash_commit_sha.as_deref() == Some(sha)
    }
}

impl GitLab {
    /// Opens a merge request from this branch into `main`, with a commit of its own.
    pub fn open_merge_request(&self, project: ProjectId, author: UserId, branch: &str, title: &str) -> Iid {
        let (source_branch, target_branch) = (branch.into(), "main".into());
        let new = NewMergeRequest { author, source_branch, target_branch, sha: None, title: title.into() };
        self.open_merge_request_with(project, new)
    }

    /// Opens a merge request.
    pub fn open_merge_request_with(&self, project: ProjectId, new: NewMergeRequest) -> Iid {
        self.with(|state| state.open_merge_request(project, new))
    }

    /// Pushes a commit to a merge request's branch.
    pub fn push(&self, project: ProjectId, iid: Iid, by: UserId, sha: &str) -> Result<(), Refused> {
        self.with(|state| {
            state.know_commit(project, sha, by);
            state.merge_request_mut(project, iid)?.commits.push(sha.into());
            state.merge_request_event(project, iid, by, "update")
        })
    }

    /// Merges with a merge commit, whose SHA is returned.
    pub fn merge(&self, project: ProjectId, iid: Iid, by: UserId) -> Result<String, Refused> {
        self.with(|state| state.merge(project, iid, by, false))
    }

    /// Merges with squashed commits; the SHA on the target branch is returned.
    pub fn squash_and_merge(&self, project: ProjectId, iid: Iid, by: UserId) -> Result<String, Refused> {
        self.with(|state| state.merge(project, iid, by, true))
    }

    /// Closes a merge request unmerged.
    pub fn close_merge_request(&self, project: ProjectId, iid: Iid, by: UserId) -> Result<(), Refused> {
        self.with(|state| {
            state.merge_request_mut(project, iid)?.state = "closed";
            state.merge_request_event(project, iid, by, "close")
        })
    }

    /// Presses "Approve" on a merge request. No deployment is meant by it.
    pub fn approve_merge_request(&self, project: ProjectId, iid: Iid, by: UserId) -> Result<(), Refused> {
        self.with(|state| state.approve_merge_request(project, iid, by))
    }

    /// Presses "Revoke approval" on a merge request.
    pub fn unapprove_merge_request(&self, project: ProjectId, iid: Iid, by: UserId) -> Result<(), Refused> {
        self.with(|state| state.unapprove_merge_request(project, iid, by))
    }

    /// Locks a merge request's discussion: only members may comment.
    pub fn lock_discussion(&self, project: ProjectId, iid: Iid, locked: bool) -> Result<(), Refused> {
        self.with(|state| {
            state.merge_request_mut(project, iid)?.locked = locked;
            Ok(())
        })
    }
}

impl State {
    pub(super) fn merge_request(&self, project: ProjectId, iid: Iid) -> Result<&MergeRequest, Refused> {
        let found = self.merge_requests.iter().find(|known| known.project == project && known.iid == iid);
        found.ok_or_else(|| Refused::new(404, "404 Not found"))
    }

    pub(super) fn merge_request_mut(
        &mut self,
        project: ProjectId,
        iid: Iid,
    ) -> Result<&mut MergeRequest, Refused> {
        let now = self.time();
        let mut all = self.merge_requests.iter_mut();
        let found = all.find(|known| known.project == project && known.iid == iid);
        let found = found.ok_or_else(|| Refused::new(404, "404 Not found"))?;
        found.updated_at = now;
        Ok(found)
    }

    fn open_merge_request(&mut self, project: ProjectId, new: NewMergeRequest) -> Iid {
        let sha = new.sha.unwrap_or_else(|| self.ids.hex(40));
        self.know_commit(project, &sha, new.author);
        let now = self.time();
        let taken = self.merge_requests.iter().filter(|known| known.project == project).count();
        let iid = taken as u64 + 1;
        self.merge_requests.push(MergeRequest {
            id: self.ids.next("merge request", 5001),
            iid,
            project,
            title: new.title,
            author: new.author,
            source_branch: new.source_branch,
            target_branch: new.target_branch,
            commits: vec![sha],
            state: "opened",
            merge_commit_sha: None,
            squash_commit_sha: None,
            merged_by: None,
            merged_at: None,
            locked: false,
            approved_by: Vec::new(),
            created_at: now,
            updated_at: now,
        });
        // A project that isn't there has no hooks either.
        let _told = self.merge_request_event(project, iid, new.author, "open");
        iid
    }

    pub(super) fn merge(
        &mut self,
        project: ProjectId,
        iid: Iid,
        by: UserId,
        squash: bool,
    ) -> Result<String, Refused> {
        if self.merge_request(project, iid)?.state != "opened" {
            return Err(Refused::new(405, "405 Method Not Allowed"));
        }
        let sha = self.ids.hex(40);
        self.know_commit(project, &sha, by);
        let now = self.time();
        let request = self.merge_request_mut(project, iid)?;
        let place = if squash { &mut request.squash_commit_sha } else { &mut request.merge_commit_sha };
        *place = Some(sha.clone());
        request.state = "merged";
        request.merged_by = Some(by);
        request.merged_at = Some(now);
        self.merge_request_event(project, iid, by, "merge")?;
        Ok(sha)
    }

    pub(super) fn approve_merge_request(
        &mut self,
        project: ProjectId,
        iid: Iid,
        by: UserId,
    ) -> Result<(), Refused> {
        let home = self.project(project)?;
        let (needed, may) = (home.merge_request_approvals, self.level(by, home) >= Level::DEVELOPER);
        let request = self.merge_request(project, iid)?;
        if !may || request.state != "opened" || request.approved_by.contains(&by) {
            return Err(Refused::new(401, "401 Unauthorized"));
        }
        let request = self.merge_request_mut(project, iid)?;
        request.approved_by.push(by);
        let met = request.approved_by.len() >= needed as usize;
        self.system_note(project, iid, by, "approved this merge request");
        self.merge_request_event(project, iid, by, if met { "approved" } else { "approval" })
    }

    pub(super) fn unapprove_merge_request(
        &mut self,
        project: ProjectId,
        iid: Iid,
        by: UserId,
    ) -> Result<(), Refused> {
        let needed = self.project(project)?.merge_request_approvals as usize;
        let request = self.merge_request_mut(project, iid)?;
        let was_met = request.approved_by.len() >= needed;
        if !request.approved_by.contains(&by) {
            return Err(Refused::new(404, "404 Not found"));
        }
        request.approved_by.retain(|known| *known != by);
        self.system_note(project, iid, by, "unapproved this merge request");
        self.merge_request_event(project, iid, by, if was_met { "unapproved" } else { "unapproval" })
    }

    pub(super) fn merge_request_event(
        &mut self,
        project: ProjectId,
        iid: Iid,
        by: UserId,
        action: &str,
    ) -> Result<(), Refused> {
        self.touch_project(project);
        let home = self.project(project)?;
        let payload = self.merge_request_payload(home, self.merge_request(project, iid)?, by, action);
        self.queue(project, HookEvent::MergeRequest, &payload);
        Ok(())
    }

    pub(super) fn project(&self, project: ProjectId) -> Result<&Project, Refused> {
        self.projects.get(&project).ok_or_else(|| Refused::not_found("Project"))
    }
}
