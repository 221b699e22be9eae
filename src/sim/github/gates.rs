//! What holds a job before its environment: custom rules, required reviewers, timers.

use jiff::{SignedDuration, Timestamp};

use super::people::Level;
use super::repositories::{Environment, Reviewer};
use super::runs::{Approval, Conclusion};
use super::state::State;
use super::{AppId, EnvironmentId, GitHub, JobId, Refused, RepositoryId, RunId, UserId};

/// One call of the review endpoint, as it was taken or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedReview {
    /// The attempt that was the newest then.
    pub attempt: u64,
    /// `environment_name`.
    pub environment: String,
    /// `approved`, `rejected`; absent for a report of the state of things.
    pub state: Option<String>,
    /// Words.
    pub comment: Option<String>,
    /// 204 when it was taken.
    pub status: u16,
}

/// An item of the run's review history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalView {
    /// `approved`, `rejected`; `pending` for a report.
    pub state: String,
    /// Login.
    pub user: String,
    /// Words.
    pub comment: String,
    /// Environments.
    pub environments: Vec<String>,
}

/// The longest report, in characters. A decision's comment is held to the same (Assumed).
const LONGEST: usize = 1024;

/// Reports that an App may give of one gate.
const MOST_REPORTS: u32 = 10;

/// What jobs of one attempt wait for before one environment. Jobs that are reached while it is open join it; its end
/// is theirs.
pub(super) struct Gate {
    pub(super) run: RunId,
    pub(super) environment: EnvironmentId,
    pub(super) name: String,
    pub(super) open: bool,
    pub(super) reviewers: Vec<Reviewer>,
    /// Minutes, and since when.
    pub(super) wait_timer: u32,
    pub(super) since: Timestamp,
    jobs: Vec<JobId>,
    rules: Vec<Part>,
    reviewed: bool,
}

/// An App's part in a gate.
struct Part {
    app: AppId,
    approved: bool,
    reports: u32,
}

/// What an App posts to the review endpoint.
pub(super) struct Word {
    pub(super) environment: String,
    pub(super) state: Option<String>,
    pub(super) comment: Option<String>,
}

impl GitHub {
    /// Approves or rejects as one of an environment's required reviewers.
    pub fn review_as_reviewer(
        &self,
        run: RunId,
        environment: &str,
        by: UserId,
        approve: bool,
    ) -> Result<(), Refused> {
        self.with(|state| state.review_as_reviewer((run, environment), by, approve))
    }

    /// "Start all waiting jobs" of an environment, past every rule.
    pub fn bypass(&self, run: RunId, environment: &str, admin: UserId) -> Result<(), Refused> {
        self.with(|state| state.bypass(run, environment, admin))
    }

    /// Lets go what waited for a timer that has run out by the clock.
    pub fn end_wait_timers(&self) {
        self.with(State::end_wait_timers);
    }

    /// The next decision on this run is overtaken: right before it arrives, the run is cancelled and started again.
    pub fn overtake_next_review(&self, run: RunId, by: UserId) {
        self.with(|state| state.overtake = Some((run, by)));
    }

    /// Environments for which jobs of the run wait now.
    pub fn pending_environments(&self, run: RunId) -> Vec<String> {
        self.with(|state| state.open_gates(run).map(|gate| gate.name.clone()).collect())
    }

    /// Every call of the review endpoint for this run, refused ones included, oldest first.
    pub fn reviews_posted(&self, run: RunId) -> Vec<PostedReview> {
        self.with(|state| state.runs.get(&run).map(|known| known.posted.clone()).unwrap_or_default())
    }

    /// The run's review history, oldest first.
    pub fn approvals(&self, run: RunId) -> Vec<ApprovalView> {
        self.with(|state| {
            let history = state.runs.get(&run).map(|known| known.approvals.as_slice()).unwrap_or_default();
            let view = |entry: &Approval| ApprovalView {
                state: entry.state.into(),
                user: state.login_of(entry.user),
                comment: entry.comment.clone(),
                environments: vec![entry.name.clone()],
            };
            history.iter().map(view).collect()
        })
    }
}

impl State {
    /// Makes a job wait if its environment has rules; says whether it does.
    pub(super) fn hold(&mut self, job: JobId, repository: RepositoryId, environment: &str) -> bool {
        let Some(run) = self.jobs.get(&job).map(|known| known.run) else { return false };
        let joined = self.gates.iter().position(|gate| gate.is_of(run, environment));
        let at = joined.or_else(|| self.open_gate(run, repository, environment));
        let Some(gate) = at.and_then(|at| self.gates.get_mut(at)) else { return false };
        if gate.is_through() {
            gate.open = false;
            return false;
        }
        gate.jobs.push(job);
        let asked: Vec<AppId> =
            gate.rules.iter().filter(|part| !part.approved).map(|part| part.app).collect();
        let reviewed = gate.reviewers.is_empty() || gate.reviewed;
        self.move_job(job, "waiting", None);
        for app in asked {
            self.ask_app(app, job);
        }
        if !reviewed {
            self.tell_of_review_wanted(job);
        }
        true
    }

    fn open_gate(&mut self, run: RunId, repository: RepositoryId, environment: &str) -> Option<usize> {
        let (since, has_gates) = (self.time(), self.has_gates(repository));
        let known = self.repositories.get(&repository)?.environment(environment)?;
        self.gates.push(Gate::new(run, known, has_gates, since));
        Some(self.gates.len() - 1)
    }

    /// Gates of a run that are open, oldest first.
    pub(super) fn open_gates(&self, run: RunId) -> impl Iterator<Item = &Gate> {
        self.gates.iter().filter(move |gate| gate.open && gate.run == run)
    }

    fn gate_at(&self, run: RunId, environment: &str) -> Option<usize> {
        self.gates.iter().position(|gate| gate.is_of(run, environment))
    }

    /// An App's word on its own rule, kept with the status that it was answered.
    pub(super) fn take_word(&mut self, run: RunId, app: AppId, word: &Word) -> Result<(), Refused> {
        let decides = word.state.is_some();
        if let Some((_, by)) = self.overtake.take_if(|(meant, _)| decides && *meant == run) {
            self.cancel_run(run, by)?;
            self.rerun(run, by)?;
        }
        let taken = self.hear(run, app, word);
        if let Some(known) = self.runs.get_mut(&run) {
            let posted = PostedReview {
                attempt: known.attempt(),
                environment: word.environment.clone(),
                state: word.state.clone(),
                comment: word.comment.clone(),
                status: taken.as_ref().map_or_else(|refused| refused.status, |()| 204),
            };
            known.posted.push(posted);
        }
        taken
    }

    fn hear(&mut self, run: RunId, app: AppId, word: &Word) -> Result<(), Refused> {
        let comment = word.comment.as_deref().unwrap_or_default();
        if comment.chars().count() > LONGEST {
            return Err(Refused::invalid("comment", "comment is too long (maximum is 1024 characters)"));
        }
        let nothing =
            || Refused::new(422, "No deployment protection rule of this App waits for a review here");
        let at = self.gate_at(run, &word.environment).ok_or_else(nothing)?;
        let gate = self.gates.get_mut(at).ok_or_else(nothing)?;
        let part = gate.rules.iter_mut().find(|part| part.app == app && !part.approved);
        let part = part.ok_or_else(nothing)?;
        let state = match word.state.as_deref() {
            Some("approved") => {
                part.approved = true;
                "approved"
            }
            Some("rejected") => "rejected",
            Some(_) => return Err(Refused::invalid("state", "state is not approved or rejected")),
            None if comment.is_empty() => return Err(Refused::invalid("comment", "comment is missing")),
            None if part.reports >= MOST_REPORTS => {
                return Err(Refused::invalid("comment", "at most 10 reports can be given"));
            }
            None => {
                part.reports += 1;
                "pending"
            }
        };
        let user = self.apps.get(&app).map_or(0, |app| app.bot);
        self.record(at, state, comment, user);
        self.settle_gate(at, state);
        Ok(())
    }

    fn record(&mut self, at: usize, state: &'static str, comment: &str, user: UserId) {
        let Some(gate) = self.gates.get(at) else { return };
        let (environment, name, comment) = (gate.environment, gate.name.clone(), comment.to_owned());
        if let Some(run) = self.runs.get_mut(&gate.run) {
            run.approvals.push(Approval { environment, name, state, comment, user });
        }
    }

    /// A rejection ends the gate, and so does the last approval.
    fn settle_gate(&mut self, at: usize, state: &str) {
        let through = self.gates.get(at).is_some_and(Gate::is_through);
        if state == "rejected" {
            for job in self.close_gate(at) {
                self.end_job(job, Conclusion::Failure);
            }
        } else if through {
            for job in self.close_gate(at) {
                self.start_job(job);
            }
        }
    }

    fn close_gate(&mut self, at: usize) -> Vec<JobId> {
        let gate = self.gates.get_mut(at).filter(|gate| gate.open);
        gate.map_or_else(Vec::new, |gate| {
            gate.open = false;
            std::mem::take(&mut gate.jobs)
        })
    }

    /// Closes gates whose jobs are ended elsewhere.
    pub(super) fn close_gates(&mut self, which: impl Fn(&Gate) -> bool) {
        for gate in self.gates.iter_mut().filter(|gate| which(gate)) {
            gate.open = false;
        }
    }

    /// Fails the jobs that wait at these gates.
    pub(super) fn fail_waiting(&mut self, which: impl Fn(&Gate) -> bool) {
        for at in 0..self.gates.len() {
            if self.gates.get(at).is_some_and(|gate| gate.open && which(gate)) {
                self.settle_gate(at, "rejected");
            }
        }
    }

    fn review_as_reviewer(
        &mut self,
        (run, environment): (RunId, &str),
        by: UserId,
        approve: bool,
    ) -> Result<(), Refused> {
        let known = self.runs.get(&run).ok_or_else(Refused::not_found)?;
        let triggered = known.triggering_actor() == by;
        let home = self.repository(known.repository)?;
        let self_review = triggered && home.environment(environment).is_some_and(|of| of.prevent_self_review);
        let nothing = || Refused::new(422, "There is no pending deployment request to approve or reject");
        let at = self.gate_at(run, environment).ok_or_else(nothing)?;
        let gate = self.gates.get(at).filter(|gate| !gate.reviewers.is_empty() && !gate.reviewed);
        let gate = gate.ok_or_else(nothing)?;
        let is_one = gate.reviewers.iter().any(|reviewer| match *reviewer {
            Reviewer::User(user) => user == by,
            Reviewer::Team(team) => self.is_in_team(by, team),
        });
        if !is_one || self_review {
            return Err(Refused::new(403, "Not a required reviewer of this deployment"));
        }
        let state = if approve { "approved" } else { "rejected" };
        if let Some(gate) = self.gates.get_mut(at) {
            gate.reviewed = approve;
        }
        self.record(at, state, "", by);
        self.tell_of_review_given(run, environment, by, approve);
        self.settle_gate(at, state);
        Ok(())
    }

    fn bypass(&mut self, run: RunId, environment: &str, admin: UserId) -> Result<(), Refused> {
        let known = self.runs.get(&run).ok_or_else(Refused::not_found)?;
        if self.level_of(admin, known.repository) < Some(Level::Admin) {
            return Err(Refused::new(403, "Must be an administrator"));
        }
        let nothing = || Refused::new(422, "No job waits for this environment");
        let at = self.gate_at(run, environment).ok_or_else(nothing)?;
        let home = self.repository(known.repository)?;
        if home.environment(environment).is_some_and(|of| !of.can_admins_bypass) {
            return Err(Refused::new(403, "This environment doesn't let administrators bypass its rules"));
        }
        for job in self.close_gate(at) {
            self.start_job(job);
        }
        Ok(())
    }

    fn end_wait_timers(&mut self) {
        let now = self.time();
        for at in 0..self.gates.len() {
            let Some(gate) = self.gates.get_mut(at).filter(|gate| gate.open) else { continue };
            let span = SignedDuration::from_mins(i64::from(gate.wait_timer));
            if gate.since.checked_add(span).is_ok_and(|end| end <= now) {
                gate.wait_timer = 0;
                self.settle_gate(at, "timer");
            }
        }
    }
}

impl Gate {
    fn new(run: RunId, of: &Environment, has_gates: bool, since: Timestamp) -> Self {
        let part = |rule: &super::repositories::Rule| Part { app: rule.app, approved: false, reports: 0 };
        Self {
            run,
            environment: of.id,
            name: of.name.clone(),
            open: true,
            reviewers: if has_gates { of.reviewers.clone() } else { Vec::new() },
            wait_timer: if has_gates { of.wait_timer } else { 0 },
            since,
            jobs: Vec::new(),
            rules: if has_gates { of.rules.iter().map(part).collect() } else { Vec::new() },
            reviewed: false,
        }
    }

    fn is_of(&self, run: RunId, environment: &str) -> bool {
        self.open && self.run == run && self.name.eq_ignore_ascii_case(environment)
    }

    fn is_through(&self) -> bool {
        let reviewed = self.reviewers.is_empty() || self.reviewed;
        reviewed && self.wait_timer == 0 && self.rules.iter().all(|part| part.approved)
    }
}
