//! Jobs and pipelines.

use super::super::pipelines::{Job, Pipeline};
use super::super::state::{Refused, State};
use super::super::{JobId, Level};
use super::call::{Answer, Reply, page};
use super::{Visit, id, no_route};

impl State {
    pub(super) fn route_jobs(&mut self, visit: Visit<'_>, rest: &[&str]) -> Reply {
        self.needs(visit, Level::REPORTER)?;
        match (visit.call.method.as_str(), rest) {
            ("GET", ["jobs"]) => {
                let own = self.jobs.values().rev().filter(|job| job.project == visit.project);
                Ok(self.list_jobs(visit, own.collect()))
            }
            ("GET", ["jobs", job]) => self.show_job(visit, job),
            ("POST", ["jobs", job, action]) => {
                let job = self.job_of_project(visit, job)?.id;
                self.act_on_job(visit, job, action)
            }
            ("GET", ["pipelines"]) => {
                let own = self.pipelines.values().rev().filter(|known| known.project == visit.project);
                let own: Vec<&Pipeline> = own.collect();
                Ok(page(visit.call, &self.url, &own, |known| self.short_pipeline_json(known)))
            }
            ("GET", ["pipelines", one]) => {
                Ok(Answer::ok(self.pipeline_json(self.pipeline_of_project(visit, one)?)))
            }
            ("GET", ["pipelines", one, "jobs"]) => {
                let jobs = &self.pipeline_of_project(visit, one)?.jobs;
                Ok(self.list_jobs(visit, jobs.iter().rev().filter_map(|job| self.jobs.get(job)).collect()))
            }
            _ => Err(no_route()),
        }
    }

    fn act_on_job(&mut self, visit: Visit<'_>, job: JobId, action: &str) -> Reply {
        let (status, job) = match action {
            "play" => (200, self.play(job, visit.user)?),
            "retry" => (201, self.retry(job, visit.user)?),
            "cancel" => {
                self.cancel(job, visit.user)?;
                (201, job)
            }
            _ => return Err(no_route()),
        };
        let entity = self.jobs.get(&job).map(|job| self.job_json(job));
        Ok(Answer::new(status, entity.unwrap_or_default()))
    }

    fn show_job(&self, visit: Visit<'_>, job: &str) -> Reply {
        Ok(Answer::ok(self.job_json(self.job_of_project(visit, job)?)))
    }

    fn list_jobs(&self, visit: Visit<'_>, mut jobs: Vec<&Job>) -> Answer {
        let scope = visit.call.list("scope");
        let retried = visit.call.is_true("include_retried");
        jobs.retain(|job| scope.is_empty() || scope.iter().any(|status| status == job.status));
        jobs.retain(|job| retried || !job.retried);
        page(visit.call, &self.url, &jobs, |job| self.job_json(job))
    }

    fn job_of_project(&self, visit: Visit<'_>, job: &str) -> Result<&Job, Refused> {
        let known = self.jobs.get(&id(job, "job_id")?).filter(|job| job.project == visit.project);
        known.ok_or_else(|| Refused::new(404, "404 Not found"))
    }

    fn pipeline_of_project(&self, visit: Visit<'_>, one: &str) -> Result<&Pipeline, Refused> {
        let known = self.pipelines.get(&id(one, "pipeline_id")?);
        let known = known.filter(|known| known.project == visit.project);
        known.ok_or_else(|| Refused::new(404, "404 Not found"))
    }
}
