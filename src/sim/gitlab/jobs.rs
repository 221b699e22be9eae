//! How jobs move, and with them their deployments and pipelines.

use jiff::Timestamp;

use super::hooks::HookEvent;
use super::pipelines::{Deployment, Environment, Job, JobSpec, NewPipeline, OldDeployments, Pipeline};
use super::state::{Refused, State};
use super::{DeploymentId, JobId, PipelineId, ProjectId, UserId, Version};

impl State {
    pub(super) fn run_pipeline(&mut self, project: ProjectId, new: NewPipeline) -> PipelineId {
        self.know_commit(project, &new.sha, new.user);
        let (id, specs) = self.add_pipeline(project, new);
        let jobs: Vec<(JobId, bool)> = specs
            .into_iter()
            .map(|spec| (spec.held, spec))
            .map(|(held, spec)| (self.add_job(id, spec), held))
            .collect();
        for (job, _) in &jobs {
            self.job_event(*job);
        }
        for (job, _) in jobs.iter().filter(|(_, held)| !held) {
            self.reach(*job);
        }
        self.touch_project(project);
        id
    }

    fn add_pipeline(&mut self, project: ProjectId, new: NewPipeline) -> (PipelineId, Vec<JobSpec>) {
        let NewPipeline { git_ref, sha, user, source, jobs: specs } = new;
        let (id, now) = (self.ids.next("pipeline", 301), self.time());
        let iid = id - 300;
        let (created_at, updated_at, status, jobs) = (now, now, "created", Vec::new());
        let pipeline =
            Pipeline { id, iid, project, git_ref, sha, user, source, status, jobs, created_at, updated_at };
        self.pipelines.insert(id, pipeline);
        (id, specs)
    }

    /// Adds a job in `created`, and its deployment when it starts an environment.
    fn add_job(&mut self, pipeline: PipelineId, spec: JobSpec) -> JobId {
        let id = self.ids.next("job", 880);
        let now = self.time();
        let Some(home) = self.pipelines.get_mut(&pipeline) else { return id };
        home.jobs.push(id);
        let (project, user) = (home.project, home.user);
        let deploys = spec.environment.clone().filter(|(_, action)| action == "start");
        let job = Job {
            id,
            project,
            pipeline,
            spec,
            user,
            status: "created",
            failure_reason: None,
            retried: false,
            plays: 0,
            deployment: None,
            created_at: now,
            started_at: None,
            finished_at: None,
            transitions: vec![(now, "created")],
        };
        self.jobs.insert(id, job);
        if let Some((environment, _)) = deploys {
            self.add_deployment(id, &environment);
        }
        id
    }

    fn add_deployment(&mut self, job: JobId, environment: &str) {
        let Some(from) = self.jobs.get(&job) else { return };
        let Some(pipeline) = self.pipelines.get(&from.pipeline) else { return };
        let (project, user) = (from.project, from.user);
        let (git_ref, sha) = (pipeline.git_ref.clone(), pipeline.sha.clone());
        let environment = self.environment_at(project, environment);
        let (id, now) = (self.ids.next("deployment", 4711), self.time());
        let deployment = Deployment {
            id,
            iid: id - 4710,
            project,
            environment,
            git_ref,
            sha,
            user,
            job: Some(job),
            status: "created",
            created_at: now,
            updated_at: now,
            finished_at: None,
            approvals: Vec::new(),
        };
        self.deployments.insert(id, deployment);
        if let Some(from) = self.jobs.get_mut(&job) {
            from.deployment = Some(id);
        }
    }

    fn environment_at(&mut self, project: ProjectId, name: &str) -> u64 {
        let known = self.environments.values().find(|known| known.project == project && known.name == name);
        if let Some(known) = known {
            return known.id;
        }
        let id = self.ids.next("environment", 9);
        self.environments.insert(id, Environment { id, project, name: name.into() });
        id
    }

    pub(super) fn reach(&mut self, job: JobId) {
        let Some(known) = self.jobs.get(&job).filter(|known| known.status == "created") else { return };
        let waits = known.spec.manual || self.waits_for_approval(job);
        if waits {
            self.move_job(job, "manual");
        } else {
            self.start(job);
        }
    }

    /// Whether the job's deployment still needs approvals.
    pub(super) fn waits_for_approval(&self, job: JobId) -> bool {
        let deployment = self.jobs.get(&job).and_then(|job| job.deployment);
        let deployment = deployment.and_then(|id| self.deployments.get(&id));
        deployment.is_some_and(|deployment| self.pending_approvals(deployment) > 0)
    }

    /// Pending, running and, with `auto_finish`, done.
    pub(super) fn start(&mut self, job: JobId) {
        self.move_job(job, "pending");
        self.move_job(job, "running");
        if self.settings.auto_finish {
            self.move_job(job, "success");
        }
    }

    pub(super) fn play(&mut self, job: JobId, by: UserId) -> Result<JobId, Refused> {
        self.may_run(job, by)?;
        let unplayable = || Refused::bad("400 Bad request - Unplayable Job");
        let waits = self.waits_for_approval(job);
        let known = self.jobs.get_mut(&job).ok_or_else(|| Refused::new(404, "404 Not found"))?;
        if !known.spec.manual && known.status != "manual" || waits && known.status == "manual" {
            return Err(unplayable());
        }
        if known.status == "manual" {
            known.plays += 1;
            known.user = by;
            self.start(job);
            return Ok(job);
        }
        if !is_retryable(known) {
            return Err(unplayable());
        }
        known.plays += 1;
        Ok(self.run_again(job, by))
    }

    pub(super) fn retry(&mut self, job: JobId, by: UserId) -> Result<JobId, Refused> {
        self.may_run(job, by)?;
        let known = self.jobs.get(&job).ok_or_else(|| Refused::new(404, "404 Not found"))?;
        if !is_retryable(known) {
            return Err(Refused::new(403, "403 Forbidden - Job is not retryable"));
        }
        Ok(self.run_again(job, by))
    }

    /// A new job, a new deployment, and approvals from zero.
    fn run_again(&mut self, job: JobId, by: UserId) -> JobId {
        let Some(old) = self.jobs.get_mut(&job) else { return job };
        old.retried = true;
        let (pipeline, spec) = (old.pipeline, old.spec.clone());
        let again = self.add_job(pipeline, spec);
        if let Some(new) = self.jobs.get_mut(&again) {
            new.user = by;
            let deployment = new.deployment.and_then(|id| self.deployments.get_mut(&id));
            if let Some(deployment) = deployment {
                deployment.user = by;
            }
        }
        self.job_event(again);
        if self.waits_for_approval(again) {
            self.move_job(again, "manual");
        } else {
            self.start(again);
        }
        again
    }

    pub(super) fn cancel(&mut self, job: JobId, by: UserId) -> Result<(), Refused> {
        self.may_run(job, by)?;
        let status = self.jobs.get(&job).map(|known| known.status);
        if matches!(status, Some("created" | "pending" | "running" | "manual")) {
            self.move_job(job, "canceled");
        }
        Ok(())
    }

    /// Playing, retrying and cancelling ask for the same: the ref and, where protected, the environment.
    fn may_run(&self, job: JobId, by: UserId) -> Result<(), Refused> {
        let job = self.jobs.get(&job).ok_or_else(|| Refused::new(404, "404 Not found"))?;
        let home = self.project(job.project)?;
        let git_ref = self.pipelines.get(&job.pipeline).map_or("", |pipeline| pipeline.git_ref.as_str());
        let environment = job.spec.environment.as_ref();
        let may_deploy = environment.is_none_or(|(name, _)| self.may_deploy(by, job.project, name));
        if home.archived || !may_deploy || !self.may_run_on(by, home, git_ref) {
            return Err(Refused::forbidden());
        }
        Ok(())
    }

    /// The one place where a job's status changes, and with it its deployment's and its pipeline's.
    pub(super) fn move_job(&mut self, job: JobId, status: &'static str) {
        let now = self.time();
        let Some(known) = self.jobs.get_mut(&job) else { return };
        known.status = status;
        known.transitions.push((now, status));
        if status == "running" {
            known.started_at = Some(now);
        }
        if matches!(status, "success" | "failed" | "canceled") {
            known.finished_at = Some(now);
        }
        let (deployment, pipeline) = (known.deployment, known.pipeline);
        self.job_event(job);
        if let Some(deployment) = deployment {
            self.follow(deployment, status);
        }
        self.settle_pipeline(pipeline);
    }

    /// The deployment follows its job.
    fn follow(&mut self, deployment: DeploymentId, job_status: &'static str) {
        let now = self.time();
        let Some(known) = self.deployments.get_mut(&deployment) else { return };
        let status = match job_status {
            "manual" => "blocked",
            "running" | "success" | "failed" | "canceled" => job_status,
            _ => return,
        };
        known.status = status;
        known.updated_at = now;
        if matches!(status, "success" | "failed" | "canceled") {
            known.finished_at = Some(now);
        }
        self.lifecycle_event(deployment, status);
    }

    fn settle_pipeline(&mut self, pipeline: PipelineId) {
        let now = self.time();
        let Some(known) = self.pipelines.get(&pipeline) else { return };
        let jobs = known.jobs.iter().filter_map(|id| self.jobs.get(id)).filter(|job| !job.retried);
        let status = overall(&jobs.collect::<Vec<_>>());
        let Some(known) = self.pipelines.get_mut(&pipeline).filter(|known| known.status != status) else {
            return;
        };
        known.status = status;
        known.updated_at = now;
        let project = known.project;
        if let Some(payload) = self.pipeline_payload(pipeline) {
            self.queue(project, HookEvent::Pipeline, &payload);
        }
    }

    fn job_event(&mut self, job: JobId) {
        let Some(project) = self.jobs.get(&job).map(|known| known.project) else { return };
        if let Some(payload) = self.job_payload(job) {
            self.queue(project, HookEvent::Job, &payload);
        }
    }

    fn lifecycle_event(&mut self, deployment: DeploymentId, status: &str) {
        if status == "blocked" && !self.tells_of_approvals() {
            return;
        }
        let Some(project) = self.deployments.get(&deployment).map(|known| known.project) else { return };
        if let Some(payload) = self.deployment_payload(deployment, status) {
            self.queue(project, HookEvent::Deployment, &payload);
        }
    }

    /// Whether this version sends `blocked`, `approved` and `rejected`.
    pub(super) fn tells_of_approvals(&self) -> bool {
        self.settings.version >= Version { major: 19, minor: 2 }
    }

    pub(super) fn add_old(&mut self, project: ProjectId, old: &OldDeployments) -> Vec<DeploymentId> {
        let mut made = Vec::new();
        let mut when = old.since;
        for _ in 0..old.count {
            let sha = self.ids.hex(40);
            self.know_commit(project, &sha, old.user);
            let spec = JobSpec::new("deploy").environment(old.environment.clone()).manual();
            let (pipeline, _) = self.add_pipeline(project, NewPipeline::new("main", sha, old.user));
            let job = self.add_job(pipeline, spec);
            made.extend(self.backdate(job, when));
            when = when.checked_add(old.every).unwrap_or(when);
        }
        made
    }

    fn backdate(&mut self, job: JobId, when: Timestamp) -> Option<DeploymentId> {
        let job = self.jobs.get_mut(&job)?;
        (job.status, job.created_at) = ("manual", when);
        job.transitions = vec![(when, "manual")];
        let pipeline = self.pipelines.get_mut(&job.pipeline)?;
        (pipeline.status, pipeline.created_at, pipeline.updated_at) = ("manual", when, when);
        let deployment = self.deployments.get_mut(&job.deployment?)?;
        deployment.status = "blocked";
        (deployment.created_at, deployment.updated_at) = (when, when);
        Some(deployment.id)
    }
}

fn is_retryable(job: &Job) -> bool {
    let ended = matches!(job.status, "success" | "failed" | "canceled");
    ended && !job.retried && job.failure_reason != Some("deployment_rejected")
}

fn overall(jobs: &[&Job]) -> &'static str {
    let any = |status: &str| jobs.iter().any(|job| job.status == status && !job.spec.allow_failure);
    let of_any = |status: &str| jobs.iter().any(|job| job.status == status);
    if of_any("running") {
        "running"
    } else if of_any("pending") {
        "pending"
    } else if any("failed") {
        "failed"
    } else if any("canceled") {
        "canceled"
    } else if any("manual") {
        "manual"
    } else if of_any("created") {
        "created"
    } else {
        "success"
    }
}
