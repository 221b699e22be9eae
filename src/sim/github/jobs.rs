//! How runs move: jobs are reached, wait, start and end, and their deployments and runs follow.

use super::runs::{Attempt, Conclusion, Creator, Deployment, DeploymentStatus, Job, JobSpec, NewRun, Run};
use super::state::{Refused, State};
use super::{DeploymentId, JobId, RepositoryId, RunId, UserId};

/// What became of a job that a run's other jobs need.
enum Needs {
    Open,
    Met,
    Failed,
}

impl State {
    pub(super) fn start_run(&mut self, repository: RepositoryId, new: NewRun) -> RunId {
        let (id, now) = (self.ids.next("run", 700_001), self.time());
        let (sha, branch, deploy_sha, deploy_ref) = self.heads(repository, &new);
        self.know_commit(repository, &sha, new.actor);
        let number = self.repositories.get_mut(&repository).map_or(0, |home| {
            home.last_run += 1;
            home.last_run
        });
        let run = Run {
            id,
            repository,
            number,
            title: new.title.unwrap_or_else(|| format!("Deploy {branch}")),
            event: new.event,
            branch,
            sha,
            deploy_ref,
            deploy_sha,
            actor: new.actor,
            creator: new.creator,
            specs: new.jobs,
            attempts: Vec::new(),
            approvals: Vec::new(),
            posted: Vec::new(),
            created_at: now,
        };
        self.runs.insert(id, run);
        self.begin_attempt(id, new.triggering_actor.unwrap_or(new.actor));
        id
    }

    /// Head commit and branch, and the commit and ref that are checked out.
    fn heads(&self, repository: RepositoryId, new: &NewRun) -> (String, String, String, String) {
        let pull = new.pull_request.and_then(|number| Some((number, self.pull(repository, number).ok()?.1)));
        match pull {
            Some((number, pull)) => {
                let git_ref = format!("refs/pull/{number}/merge");
                (pull.head().to_owned(), pull.branch.clone(), pull.merge_commit.clone(), git_ref)
            }
            None => (new.sha.clone(), new.branch.clone(), new.sha.clone(), new.branch.clone()),
        }
    }

    fn begin_attempt(&mut self, run: RunId, by: UserId) {
        let now = self.time();
        let Some(known) = self.runs.get_mut(&run) else { return };
        known.attempts.push(Attempt {
            by,
            jobs: Vec::new(),
            status: "queued",
            conclusion: None,
            cancelled: false,
            started_at: now,
            updated_at: now,
        });
        self.tell_of_run(run, "requested");
        self.advance(run);
    }

    pub(super) fn rerun(&mut self, run: RunId, by: UserId) -> Result<(), Refused> {
        let known = self.runs.get(&run).ok_or_else(Refused::not_found)?;
        if !self.may_write(by, known.repository) {
            return Err(Refused::new(403, "Must have write access to re-run"));
        }
        if !known.is_completed() {
            return Err(Refused::new(403, "This workflow is already running"));
        }
        if known.attempt() > 50 {
            return Err(Refused::new(403, "This workflow run has been re-run too often"));
        }
        self.begin_attempt(run, by);
        Ok(())
    }

    pub(super) fn cancel_run(&mut self, run: RunId, by: UserId) -> Result<(), Refused> {
        let known = self.runs.get_mut(&run).ok_or_else(Refused::not_found)?;
        let (repository, done) = (known.repository, known.is_completed());
        if !self.may_write(by, repository) {
            return Err(Refused::new(403, "Must have write access to cancel"));
        }
        if done {
            return Err(Refused::new(409, "Cannot cancel a workflow run that is completed."));
        }
        let attempt = self.runs.get_mut(&run).and_then(|known| known.attempts.last_mut());
        let jobs = attempt.map_or_else(Vec::new, |attempt| {
            attempt.cancelled = true;
            attempt.jobs.clone()
        });
        self.close_gates(|gate| gate.run == run);
        for job in jobs {
            self.end_job(job, Conclusion::Cancelled);
        }
        self.settle_run(run);
        Ok(())
    }

    /// Creates every job whose needs are met, one after the other, until none is left that can be reached.
    fn advance(&mut self, run: RunId) {
        while let Some((spec, met)) = self.next_job(run) {
            let job = self.add_job(run, spec);
            if met {
                self.reach(job);
            } else {
                self.end_job(job, Conclusion::Skipped);
            }
        }
        self.settle_run(run);
    }

    /// The next job to be created, and whether what it needs has succeeded.
    fn next_job(&self, run: RunId) -> Option<(JobSpec, bool)> {
        let known = self.runs.get(&run)?;
        let attempt = known.attempts.last().filter(|attempt| !attempt.cancelled)?;
        let jobs: Vec<&Job> = attempt.jobs.iter().filter_map(|id| self.jobs.get(id)).collect();
        let fresh = known.specs.iter().filter(|spec| jobs.iter().all(|job| job.spec.name != spec.name));
        fresh.into_iter().find_map(|spec| match needs(spec, &jobs) {
            Needs::Met => Some((spec.clone(), true)),
            Needs::Failed => Some((spec.clone(), false)),
            Needs::Open => None,
        })
    }

    fn add_job(&mut self, run: RunId, spec: JobSpec) -> JobId {
        let (id, now) = (self.ids.next("job", 800_001), self.time());
        let Some(known) = self.runs.get_mut(&run) else { return id };
        let attempt = known.attempt();
        if let Some(newest) = known.attempts.last_mut() {
            newest.jobs.push(id);
        }
        let job = Job {
            id,
            run,
            attempt,
            spec,
            status: "created",
            conclusion: None,
            deployment: None,
            created_at: now,
            started_at: None,
            completed_at: None,
            transitions: Vec::new(),
        };
        self.jobs.insert(id, job);
        id
    }

    fn reach(&mut self, job: JobId) {
        let Some(known) = self.jobs.get(&job) else { return };
        let Some(environment) = known.spec.environment.clone() else { return self.start_job(job) };
        let Some(repository) = self.runs.get(&known.run).map(|run| run.repository) else { return };
        self.environment_at(repository, &environment);
        if known_deploys(self.jobs.get(&job)) {
            self.add_deployment(job, &environment);
        }
        if !self.hold(job, repository, &environment) {
            self.start_job(job);
        }
    }

    fn add_deployment(&mut self, job: JobId, environment: &str) {
        let Some(run) = self.jobs.get(&job).and_then(|known| self.runs.get(&known.run)) else { return };
        let (id, now) = (self.ids.next("deployment", 500_001), self.time());
        let deployment = Deployment {
            id,
            repository: run.repository,
            run: run.id,
            job,
            environment: environment.into(),
            sha: run.deploy_sha.clone(),
            git_ref: run.deploy_ref.clone(),
            creator: match run.creator {
                Creator::Trigger => Some(run.triggering_actor()),
                Creator::Account(user) => Some(user),
                Creator::Nobody => None,
            },
            created_at: now,
            updated_at: now,
            statuses: Vec::new(),
        };
        self.deployments.insert(id, deployment);
        if let Some(known) = self.jobs.get_mut(&job) {
            known.deployment = Some(id);
        }
    }

    /// Queued, in progress and, with `auto_finish`, done.
    pub(super) fn start_job(&mut self, job: JobId) {
        self.move_job(job, "queued", None);
        self.move_job(job, "in_progress", None);
        if self.settings.auto_finish {
            self.end_job(job, Conclusion::Success);
        }
    }

    pub(super) fn finish_job(&mut self, job: JobId, conclusion: Conclusion) {
        if self.jobs.get(&job).is_some_and(|known| known.status == "in_progress") {
            self.end_job(job, conclusion);
        }
    }

    /// Ends a job that hasn't ended, and goes on to those that need it.
    pub(super) fn end_job(&mut self, job: JobId, conclusion: Conclusion) {
        let Some(known) = self.jobs.get(&job).filter(|known| known.status != "completed") else { return };
        let run = known.run;
        self.move_job(job, "completed", Some(conclusion));
        self.advance(run);
    }

    /// The one place where a job's status changes, and with it its deployment's and its run's.
    pub(super) fn move_job(&mut self, job: JobId, status: &'static str, conclusion: Option<Conclusion>) {
        let now = self.time();
        let Some(known) = self.jobs.get_mut(&job) else { return };
        (known.status, known.conclusion) = (status, conclusion);
        known.transitions.push((now, status));
        match status {
            "in_progress" => known.started_at = Some(now),
            "completed" => known.completed_at = Some(now),
            _ => {}
        }
        let (run, deployment) = (known.run, known.deployment);
        let state = match conclusion {
            None => status,
            Some(Conclusion::Success) => "success",
            Some(Conclusion::Failure | Conclusion::Cancelled | Conclusion::Skipped) => "failure",
        };
        self.tell_of_job(job, status);
        if let Some(deployment) = deployment {
            self.push_state(deployment, state);
        }
        self.settle_run(run);
    }

    /// Adds a state to a deployment. What was live there before is inactive after a success, which no hook tells.
    fn push_state(&mut self, deployment: DeploymentId, state: &'static str) {
        let now = self.time();
        let Some(known) = self.deployments.get(&deployment) else { return };
        let (repository, environment) = (known.repository, known.environment.clone());
        let is_live = |other: &&mut Deployment| {
            other.repository == repository
                && other.environment.eq_ignore_ascii_case(&environment)
                && other.statuses.last().is_some_and(|status| status.state == "success")
        };
        if state == "success" {
            for other in self.deployments.values_mut().filter(is_live) {
                let id = self.ids.next("status", 600_001);
                other.statuses.push(DeploymentStatus { id, state: "inactive", at: now });
                other.updated_at = now;
            }
        }
        let id = self.ids.next("status", 600_001);
        if let Some(known) = self.deployments.get_mut(&deployment) {
            known.statuses.push(DeploymentStatus { id, state, at: now });
            known.updated_at = now;
        }
        self.tell_of_deployment(deployment);
    }

    /// The run's status follows its jobs: it waits only if nothing else can go on.
    fn settle_run(&mut self, run: RunId) {
        let now = self.time();
        let Some((status, conclusion)) = self.status_of(run) else { return };
        let attempt = self.runs.get_mut(&run).and_then(|known| known.attempts.last_mut());
        let Some(attempt) = attempt.filter(|known| known.status != status) else { return };
        let first = attempt.status == "queued";
        (attempt.status, attempt.conclusion, attempt.updated_at) = (status, conclusion, now);
        match status {
            "completed" => self.tell_of_run(run, "completed"),
            "in_progress" if first => self.tell_of_run(run, "in_progress"),
            _ => {}
        }
    }

    fn status_of(&self, run: RunId) -> Option<(&'static str, Option<Conclusion>)> {
        let known = self.runs.get(&run)?;
        let attempt = known.attempts.last().filter(|attempt| attempt.status != "completed")?;
        let jobs: Vec<&Job> = attempt.jobs.iter().filter_map(|id| self.jobs.get(id)).collect();
        let any = |wanted: &[&str]| jobs.iter().any(|job| wanted.contains(&job.status));
        let ended = |end: Conclusion| jobs.iter().any(|job| job.conclusion == Some(end));
        let all_there = attempt.cancelled || jobs.len() == known.specs.len();
        Some(if any(&["queued", "in_progress", "created"]) {
            ("in_progress", None)
        } else if any(&["waiting"]) {
            ("waiting", None)
        } else if !all_there {
            (attempt.status, None)
        } else if attempt.cancelled || ended(Conclusion::Cancelled) {
            ("completed", Some(Conclusion::Cancelled))
        } else if ended(Conclusion::Failure) {
            ("completed", Some(Conclusion::Failure))
        } else {
            ("completed", Some(Conclusion::Success))
        })
    }
}

fn known_deploys(job: Option<&Job>) -> bool {
    job.is_some_and(|known| known.spec.deployment)
}

fn needs(spec: &JobSpec, jobs: &[&Job]) -> Needs {
    let needed = spec.needs.iter().map(|name| jobs.iter().find(|job| job.spec.name == *name));
    let ends: Vec<Option<Conclusion>> = needed.map(|job| job.and_then(|job| job.conclusion)).collect();
    if ends.iter().flatten().any(|end| *end != Conclusion::Success) {
        Needs::Failed
    } else if ends.iter().all(Option::is_some) {
        Needs::Met
    } else {
        Needs::Open
    }
}
