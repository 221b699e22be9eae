//! The shop on GitHub.

use super::{
    BOT, Forge, Hooks, Opening, PROJECT, Person, Refused, Request, Said, Shop, Standing, State, id_of, sha,
    title,
};
use crate::sim::clock::Now;
use crate::sim::faults::{Action, HookFaults, Rule};
use crate::sim::github::{
    self, App, CheckRunId, CheckRunView, CommentView, Conclusion, Delivery, GitHub, JobSpec, JobView, Level,
    NewPullRequest, NewRun, Number, RepositoryId, RunId, RunView, TeamState, UserId,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Titles of the runs, one after the other: those of the commits that they deploy.
const TITLES: [&str; 5] = [
    "Know Norway's postcodes",
    "Show what customs will cost",
    "Weigh parcels in kilograms",
    "Tell when the ferry leaves",
    "Print the sender's number on the label",
];
/// What the commits' SHAs are made of.
const HISTORY: &str = "acme/shop on GitHub";
/// The one environment.
const ENVIRONMENT: &str = "production";

/// `acme/shop` on GitHub. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct OnGitHub {
    /// The GitHub.
    pub(crate) twin: GitHub,
    /// Countersign's App, installed for `acme`; its rule is enabled on the environment.
    pub(crate) app: App,
    /// The repository.
    pub(crate) repository: RepositoryId,
    /// The pull request.
    pub(crate) number: Number,
    people: Vec<(Person, UserId)>,
    /// Oldest first.
    runs: Arc<Mutex<Vec<RunId>>>,
}

impl OnGitHub {
    pub(super) fn new(now: Now, opening: Opening<'_>) -> Self {
        let twin = GitHub::new(now);
        let (repository, acme) = (twin.add_repository(PROJECT), twin.add_org("acme"));
        let app = twin.register_app(BOT);
        twin.install(app.id, acme);
        let approvers = twin.add_team(acme, "sre", None);
        let mut people = Vec::new();
        for person in Person::ALL {
            let user = twin.add_user(person.username());
            twin.add_collaborator(repository, user, level(person));
            if person.approves() {
                twin.add_team_member(approvers, user, TeamState::Active);
            }
            people.push((person, user));
        }
        twin.add_environment(repository, ENVIRONMENT);
        if let Err(refused) = twin.enable_rule(repository, ENVIRONMENT, app.id) {
            tracing::error!(%refused, "nothing will wait on the simulated GitHub");
        }
        let new = NewPullRequest::new(opening.branch, &sha(HISTORY, 0), opening.title);
        let number = twin.open_pull_request(repository, id_of(&people, Person::Dana), new);
        Self { twin, app, repository, number, people, runs: Arc::default() }
    }

    /// Tells Countersign at this address of everything that concerns it.
    pub(crate) fn add_hook(&self, url: &str) {
        self.twin.set_hook_url(self.app.id, url);
    }

    /// The workflow's runs, oldest first.
    pub(crate) fn runs(&self) -> Vec<RunView> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        runs.into_iter().filter_map(|run| self.twin.run(run)).collect()
    }

    /// The jobs of a run's newest attempt.
    pub(crate) fn jobs(&self, run: &RunView) -> Vec<JobView> {
        self.twin.jobs(run.id).into_iter().filter(|job| job.attempt == run.attempt).collect()
    }

    /// The check runs of the pull request's newest commit, of each name the newest: the others are history.
    pub(crate) fn checks(&self) -> Vec<CheckRunView> {
        let Some(request) = self.twin.pull_request(self.repository, self.number) else { return Vec::new() };
        let all = self.twin.check_runs_of(self.repository, &request.head_sha);
        let newest: BTreeMap<String, CheckRunView> =
            all.into_iter().map(|check| (check.name.clone(), check)).collect();
        newest.into_values().collect()
    }

    /// Presses a button of a check run.
    pub(crate) fn press(&self, by: Person, check: CheckRunId, button: &str) -> Result<(), Refused> {
        Ok(self.twin.press_button(check, button, self.id(by))?)
    }

    /// Re-runs all jobs: the same run, a new attempt, with approvals from zero.
    pub(crate) fn rerun(&self, by: Person, run: RunId) -> Result<(), Refused> {
        Ok(self.twin.rerun(run, self.id(by))?)
    }

    /// "Start all waiting jobs", past the rule: for administrators.
    pub(crate) fn bypass(&self, by: Person, run: RunId) -> Result<(), Refused> {
        Ok(self.twin.bypass(run, ENVIRONMENT, self.id(by))?)
    }

    fn id(&self, person: Person) -> UserId {
        id_of(&self.people, person)
    }
}

impl Shop for OnGitHub {
    fn deploy(&self, by: Person, environment: &str) -> Result<(), Refused> {
        if level(by) < Level::Write {
            return Err(Refused("Must have write access to run a workflow".to_owned()));
        }
        if environment != ENVIRONMENT {
            return Err(Refused("The workflow knows no such environment".to_owned()));
        }
        let number = self.runs().len();
        let sha = sha(HISTORY, number + 1);
        self.twin.push(self.repository, self.number, &sha);
        let job = JobSpec::new("deploy").environment(ENVIRONMENT);
        let run = NewRun::new("workflow_dispatch", &self.request().branch, &sha, self.id(by));
        let run = run.title(title(&TITLES, number)).job(job);
        let run = self.twin.start_run(self.repository, run);
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).push(run);
        Ok(())
    }

    fn comment(&self, by: Person, text: &str) -> Result<Option<u64>, Refused> {
        let made = self.twin.comment_on_pull_request(self.repository, self.number, self.id(by), text)?;
        Ok(Some(made))
    }

    fn request(&self) -> Request {
        let known = self.twin.pull_request(self.repository, self.number);
        let (title, author, branch) =
            known.map(|request| (request.title, request.author, request.head_branch)).unwrap_or_default();
        Request { number: self.number, title, author, branch }
    }

    fn said(&self) -> Vec<Said> {
        self.twin.comments_of(self.repository, self.number).into_iter().map(Said::from).collect()
    }

    fn standing(&self, environment: &str) -> Option<Standing> {
        let run = self.runs().pop()?;
        let jobs = self.jobs(&run);
        let job = jobs.iter().rfind(|job| job.environment.as_deref() == Some(environment))?;
        let state = match (job.status.as_str(), job.conclusion.as_deref()) {
            ("waiting", _) => State::Blocked,
            ("completed", Some("success")) => State::Deployed,
            ("completed", _) => State::Stopped,
            _ => State::Running,
        };
        Some(Standing { creator: run.triggering_actor, state })
    }

    fn finish_jobs(&self, ran_for: SignedDuration, now: Timestamp) {
        for job in self.runs().iter().flat_map(|run| self.jobs(run)) {
            let since = job.transitions.last().filter(|(_, status)| status == "in_progress");
            if since.is_some_and(|(since, _)| *since + ran_for <= now) {
                self.twin.finish_job(job.id, Conclusion::Success);
            }
        }
    }

    fn hooks(&self) -> Hooks {
        let lost = |delivery: &Delivery| delivery.status.is_none();
        Hooks::count(&self.twin.deliveries().iter().map(lost).collect::<Vec<_>>())
    }

    fn lose_next_hook(&self) {
        self.twin.set_hook_faults(HookFaults { lose_next: 1, ..HookFaults::default() });
    }

    fn begin_outage(&self) {
        let body = r#"{"message":"Server Error"}"#.to_owned();
        self.twin.add_fault(Rule::new("/", Action::Answer { status: 500, body }));
    }

    fn end_trouble(&self) {
        self.twin.clear_faults();
    }
}

fn level(person: Person) -> Level {
    match person {
        Person::Dana => Level::Write,
        Person::Alice => Level::Maintain,
        Person::Bob => Level::Admin,
        Person::Mallory => Level::Read,
    }
}

impl From<CommentView> for Said {
    fn from(comment: CommentView) -> Self {
        let reactions = comment.reactions.into_iter().map(|reaction| (reaction.content, reaction.user));
        Self {
            id: comment.id,
            thread: comment.id.to_string(),
            by_bot: comment.author == Forge::GitHub.bot(),
            author: comment.author,
            body: comment.body,
            at: comment.created_at,
            reactions: reactions.collect(),
            system: false,
        }
    }
}

impl From<github::Refused> for Refused {
    fn from(refused: github::Refused) -> Self {
        Self(refused.message().to_owned())
    }
}
