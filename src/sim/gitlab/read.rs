//! What is to be seen: the world as the pages show it.

use jiff::Timestamp;

use super::notes::{Note, Place};
use super::state::State;
use super::{DeploymentId, GitLab, Iid, JobId, NoteId, PipelineId, ProjectId, UserId};

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserView {
    /// Id.
    pub id: UserId,
    /// User name.
    pub username: String,
    /// Display name.
    pub name: String,
}

/// A reaction to a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReactionView {
    /// `eyes`, `thumbsup`, …
    pub name: String,
    /// User name.
    pub user: String,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteView {
    /// Id.
    pub id: NoteId,
    /// User name.
    pub author: String,
    /// Text.
    pub body: String,
    /// Thread.
    pub discussion: String,
    /// Reactions, oldest first.
    pub reactions: Vec<ReactionView>,
    /// Written by GitLab itself.
    pub system: bool,
    /// For Reporters and above only.
    pub internal: bool,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed, reactions included.
    pub updated_at: Timestamp,
}

/// One person's decision on a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalView {
    /// User name.
    pub user: String,
    /// `approved` or `rejected`.
    pub status: String,
    /// With what words.
    pub comment: Option<String>,
    /// The rule that it counts for.
    pub rule: Option<u64>,
}

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentView {
    /// Id.
    pub id: DeploymentId,
    /// Environment name.
    pub environment: String,
    /// Commit.
    pub sha: String,
    /// `created`, `blocked`, `running`, `success`, `failed`, `canceled`.
    pub status: String,
    /// Who started it: user name.
    pub user: String,
    /// Its job.
    pub job: Option<JobId>,
    /// Decisions, oldest first.
    pub approvals: Vec<ApprovalView>,
    /// How many approvals are missing.
    pub pending_approvals: u32,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    /// Id.
    pub id: JobId,
    /// Name.
    pub name: String,
    /// `created`, `manual`, `pending`, `running`, `success`, `failed`, `canceled`.
    pub status: String,
    /// Why it failed, such as `deployment_rejected`.
    pub failure_reason: Option<String>,
    /// Who runs it: user name.
    pub user: String,
    /// Its deployment.
    pub deployment: Option<DeploymentId>,
    /// Every status that it had, oldest first.
    pub transitions: Vec<(Timestamp, String)>,
    /// Whether a newer job took its place.
    pub retried: bool,
}

/// A merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeRequestView {
    /// Number in its project.
    pub iid: Iid,
    /// Title.
    pub title: String,
    /// User name.
    pub author: String,
    /// `opened`, `closed`, `merged`.
    pub state: String,
    /// Head.
    pub sha: String,
    /// User names of those who approved it.
    pub approved_by: Vec<String>,
}

/// A row of the environments page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentRow {
    /// Environment name.
    pub name: String,
    /// The deployment that is live.
    pub live: Option<DeploymentId>,
    /// The newest deployment, whatever became of it.
    pub upcoming: Option<DeploymentId>,
    /// Whether the page shows the label `blocked`.
    pub blocked: bool,
}

impl GitLab {
    /// The notes of a merge request, oldest first, system notes included.
    pub fn notes_of(&self, project: ProjectId, iid: Iid) -> Vec<NoteView> {
        self.with(|state| state.notes_at(project, &Place::MergeRequest(iid)))
    }

    /// The notes of a commit, oldest first.
    pub fn notes_of_commit(&self, project: ProjectId, sha: &str) -> Vec<NoteView> {
        self.with(|state| state.notes_at(project, &Place::Commit(sha.into())))
    }

    /// One note.
    pub fn note(&self, note: NoteId) -> Option<NoteView> {
        self.with(|state| state.notes.get(&note).map(|note| state.note_view(note)))
    }

    /// One deployment.
    pub fn deployment(&self, deployment: DeploymentId) -> Option<DeploymentView> {
        self.with(|state| state.deployment_view(deployment))
    }

    /// A project's deployments, oldest first.
    pub fn deployments(&self, project: ProjectId) -> Vec<DeploymentView> {
        self.with(|state| {
            let own = state.deployments.values().filter(|known| known.project == project);
            own.filter_map(|known| state.deployment_view(known.id)).collect()
        })
    }

    /// One job.
    pub fn job(&self, job: JobId) -> Option<JobView> {
        self.with(|state| state.job_view(job))
    }

    /// A pipeline's jobs, oldest first, retried ones included.
    pub fn jobs(&self, pipeline: PipelineId) -> Vec<JobView> {
        self.with(|state| {
            let jobs = state.pipelines.get(&pipeline).map(|known| known.jobs.clone()).unwrap_or_default();
            jobs.into_iter().filter_map(|job| state.job_view(job)).collect()
        })
    }

    /// The newest job of this name in a pipeline.
    pub fn job_named(&self, pipeline: PipelineId, name: &str) -> Option<JobId> {
        self.jobs(pipeline).into_iter().rfind(|job| job.name == name).map(|job| job.id)
    }

    /// The deployment of a job.
    pub fn deployment_of(&self, job: JobId) -> Option<DeploymentId> {
        self.with(|state| state.jobs.get(&job).and_then(|job| job.deployment))
    }

    /// How often this job was played, by API or in the pages, those times included that made a new job of it.
    pub fn plays(&self, job: JobId) -> u32 {
        self.with(|state| state.jobs.get(&job).map_or(0, |job| job.plays))
    }

    /// A pipeline's status.
    pub fn pipeline_status(&self, pipeline: PipelineId) -> Option<String> {
        self.with(|state| state.pipelines.get(&pipeline).map(|known| known.status.into()))
    }

    /// One merge request.
    pub fn merge_request(&self, project: ProjectId, iid: Iid) -> Option<MergeRequestView> {
        self.with(|state| state.merge_request_view(project, iid))
    }

    /// The environments page of a project.
    pub fn environments(&self, project: ProjectId) -> Vec<EnvironmentRow> {
        self.with(|state| {
            let own = state.environments.values().filter(|known| known.project == project);
            own.map(|known| state.environment_row(known.id, &known.name)).collect()
        })
    }

    /// Everybody, by id.
    pub fn users(&self) -> Vec<UserView> {
        self.with(|state| {
            let view = |user: &super::state::User| UserView {
                id: user.id,
                username: user.username.clone(),
                name: user.name.clone(),
            };
            state.users.values().map(view).collect()
        })
    }
}

impl State {
    pub(super) fn username(&self, user: UserId) -> String {
        self.users.get(&user).map_or_else(|| "ghost".into(), |user| user.username.clone())
    }

    fn notes_at(&self, project: ProjectId, place: &Place) -> Vec<NoteView> {
        let there = self.notes.values().filter(|note| note.project == project && note.place == *place);
        there.map(|note| self.note_view(note)).collect()
    }

    fn note_view(&self, note: &Note) -> NoteView {
        let reactions = note.awards.iter();
        NoteView {
            id: note.id,
            author: self.username(note.author),
            body: note.body.clone(),
            discussion: note.discussion.clone(),
            reactions: reactions
                .map(|award| ReactionView { name: award.name.clone(), user: self.username(award.user) })
                .collect(),
            system: note.system,
            internal: note.internal,
            created_at: note.created_at,
            updated_at: note.updated_at,
        }
    }

    fn deployment_view(&self, deployment: DeploymentId) -> Option<DeploymentView> {
        let known = self.deployments.get(&deployment)?;
        let approvals = known.approvals.iter().map(|vote| ApprovalView {
            user: self.username(vote.user),
            status: vote.status.into(),
            comment: vote.comment.clone(),
            rule: vote.rule,
        });
        Some(DeploymentView {
            id: known.id,
            environment: self.environment_name(known.environment).into(),
            sha: known.sha.clone(),
            status: known.status.into(),
            user: self.username(known.user),
            job: known.job,
            approvals: approvals.collect(),
            pending_approvals: self.pending_approvals(known),
            created_at: known.created_at,
        })
    }

    fn job_view(&self, job: JobId) -> Option<JobView> {
        let known = self.jobs.get(&job)?;
        Some(JobView {
            id: known.id,
            name: known.spec.name.clone(),
            status: known.status.into(),
            failure_reason: known.failure_reason.map(Into::into),
            user: self.username(known.user),
            deployment: known.deployment,
            transitions: known.transitions.iter().map(|(at, status)| (*at, (*status).into())).collect(),
            retried: known.retried,
        })
    }

    fn merge_request_view(&self, project: ProjectId, iid: Iid) -> Option<MergeRequestView> {
        let known = self.merge_request(project, iid).ok()?;
        Some(MergeRequestView {
            iid,
            title: known.title.clone(),
            author: self.username(known.author),
            state: known.state.into(),
            sha: known.sha().into(),
            approved_by: known.approved_by.iter().map(|user| self.username(*user)).collect(),
        })
    }

    fn environment_row(&self, environment: u64, name: &str) -> EnvironmentRow {
        let here = || self.deployments.values().filter(move |known| known.environment == environment);
        let newest = here().next_back();
        EnvironmentRow {
            name: name.into(),
            live: here().rfind(|known| known.status == "success").map(|known| known.id),
            upcoming: newest.map(|known| known.id),
            blocked: newest.is_some_and(|known| known.status == "blocked"),
        }
    }
}
