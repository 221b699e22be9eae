//! The shop on GitLab.

use super::{
    BOT, Forge, Hooks, Opening, PROJECT, Person, Refused, Request, Said, Shop, Standing, State, id_of, sha,
    title,
};
use crate::sim::clock::Now;
use crate::sim::faults::{Action, HookFaults, Rule};
use crate::sim::gitlab::{
    self, ApprovalRule, Delivery, DeploymentId, DeploymentView, GitLab, HookEvent, Iid, JobSpec, Level,
    NewHook, NewMergeRequest, NewPipeline, NoteView, ProjectId, ProtectedEnvironment, UserId,
};
use jiff::{SignedDuration, Timestamp};

/// Titles of the commits that are deployed, one after the other.
const TITLES: [&str; 5] = [
    "Charge in euro",
    "Show prices with tax",
    "Remember the basket for a week",
    "Send the receipt as soon as it is paid",
    "Round cents the way the tax office does",
];

/// `acme/shop` on GitLab. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct OnGitLab {
    /// The GitLab.
    pub(crate) twin: GitLab,
    /// The project.
    pub(crate) project: ProjectId,
    /// The merge request.
    pub(crate) number: Iid,
    /// The bot's token.
    pub(crate) token: String,
    branch: String,
    people: Vec<(Person, UserId)>,
}

impl OnGitLab {
    pub(super) fn new(now: Now, opening: Opening<'_>) -> Self {
        let twin = GitLab::new(now);
        let project = twin.add_project(PROJECT);
        let approvers = twin.add_group("acme", None);
        let approvers = twin.add_group("sre", Some(approvers));
        let mut people = Vec::new();
        for person in Person::ALL {
            let user = twin.add_user(person.username(), person.full_name());
            twin.add_member(project, user, level(person));
            if person.approves() {
                twin.add_group_member(approvers, user, Level::DEVELOPER);
            }
            people.push((person, user));
        }
        let bot = twin.add_bot(BOT, "Countersign");
        twin.add_member(project, bot, Level::MAINTAINER);
        twin.add_group_member(approvers, bot, Level::GUEST);
        for (name, _) in Forge::GitLab.environments() {
            let protection = ProtectedEnvironment::new(*name).deployers(Level::DEVELOPER);
            twin.protect_environment(project, protection.rule(ApprovalRule::user(bot)));
        }
        let token = twin.add_token(bot, &["api"]);
        let mut shop = Self { twin, project, number: 0, token, branch: opening.branch.to_owned(), people };
        shop.number = shop.open(opening);
        shop
    }

    /// Dana opens the merge request.
    fn open(&self, opening: Opening<'_>) -> Iid {
        let sha = sha(PROJECT, 0);
        self.twin.add_commit(self.project, &sha, opening.title, "Dana");
        let new = NewMergeRequest {
            author: self.id(Person::Dana),
            source_branch: opening.branch.to_owned(),
            target_branch: "main".to_owned(),
            sha: Some(sha),
            title: opening.title.to_owned(),
        };
        self.twin.open_merge_request_with(self.project, new)
    }

    /// Tells Countersign at this address of everything that concerns it.
    pub(crate) fn add_hook(&self, url: &str, signing_token: &str) {
        let events = [HookEvent::Note, HookEvent::Deployment, HookEvent::Job, HookEvent::MergeRequest];
        let hook = events.into_iter().fold(NewHook::new(url), NewHook::event);
        self.twin.add_hook(self.project, hook.signing_token(signing_token));
    }

    /// Retries the job of a deployment: a new deployment, with approvals from zero. GitLab refuses after a rejection.
    pub(crate) fn retry(&self, by: Person, deployment: DeploymentId) -> Result<(), Refused> {
        let job = self.twin.deployment(deployment).and_then(|deployment| deployment.job);
        let job = job.ok_or_else(|| Refused("404 Not found".to_owned()))?;
        self.twin.retry_job(job, self.id(by)).map(drop).map_err(Refused::from)
    }

    /// The newest deployment to this environment.
    pub(crate) fn newest(&self, environment: &str) -> Option<DeploymentView> {
        self.twin.deployments(self.project).into_iter().rfind(|known| known.environment == environment)
    }

    fn id(&self, person: Person) -> UserId {
        id_of(&self.people, person)
    }
}

impl Shop for OnGitLab {
    fn deploy(&self, by: Person, environment: &str) -> Result<(), Refused> {
        if level(by) < Level::DEVELOPER {
            return Err(Refused("403 Forbidden: only developers and above run pipelines".to_owned()));
        }
        if Forge::GitLab.environments().iter().all(|(name, _)| *name != environment) {
            return Err(Refused("404 Environment Not Found".to_owned()));
        }
        let number = self.twin.deployments(self.project).len();
        let sha = sha(PROJECT, number + 1);
        self.twin.add_commit(self.project, &sha, title(&TITLES, number), by.username());
        self.twin.push(self.project, self.number, self.id(by), &sha)?;
        let job = JobSpec::new(format!("deploy-{environment}")).environment(environment).manual();
        let git_ref = format!("refs/merge-requests/{}/head", self.number);
        let pipeline = NewPipeline::new(git_ref, sha, self.id(by)).source("merge_request_event").job(job);
        self.twin.run_pipeline(self.project, pipeline);
        Ok(())
    }

    fn comment(&self, by: Person, text: &str) -> Result<Option<u64>, Refused> {
        Ok(self.twin.comment_on_mr(self.project, self.number, self.id(by), text)?)
    }

    fn request(&self) -> Request {
        let known = self.twin.merge_request(self.project, self.number);
        let (title, author) = known.map(|request| (request.title, request.author)).unwrap_or_default();
        Request { number: self.number, title, author, branch: self.branch.clone() }
    }

    fn said(&self) -> Vec<Said> {
        self.twin.notes_of(self.project, self.number).into_iter().map(Said::from).collect()
    }

    fn standing(&self, environment: &str) -> Option<Standing> {
        let newest = self.newest(environment)?;
        let state = match newest.status.as_str() {
            "blocked" => State::Blocked,
            "created" | "running" => State::Running,
            "success" => State::Deployed,
            _ => State::Stopped,
        };
        Some(Standing { creator: newest.user, state })
    }

    fn finish_jobs(&self, ran_for: SignedDuration, now: Timestamp) {
        for deployment in self.twin.deployments(self.project) {
            let job = deployment.job.and_then(|job| self.twin.job(job));
            let Some(job) = job.filter(|job| job.status == "running") else { continue };
            if job.transitions.last().is_some_and(|(since, _)| *since + ran_for <= now) {
                self.twin.finish_job(job.id, true);
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
        let body = r#"{"message":"500 Internal Server Error"}"#.to_owned();
        self.twin.add_fault(Rule::new("/api/v4", Action::Answer { status: 500, body }));
    }

    fn end_trouble(&self) {
        self.twin.clear_faults();
    }
}

fn level(person: Person) -> Level {
    match person {
        Person::Dana => Level::DEVELOPER,
        Person::Alice | Person::Bob => Level::MAINTAINER,
        Person::Mallory => Level::REPORTER,
    }
}

impl From<NoteView> for Said {
    fn from(note: NoteView) -> Self {
        let reactions = note.reactions.into_iter().map(|reaction| (reaction.name, reaction.user));
        Self {
            id: note.id,
            thread: note.discussion,
            by_bot: note.author == Forge::GitLab.bot(),
            author: note.author,
            body: note.body,
            at: note.created_at,
            reactions: reactions.collect(),
            system: note.system,
        }
    }
}

impl From<gitlab::Refused> for Refused {
    fn from(refused: gitlab::Refused) -> Self {
        Self(refused.message().to_owned())
    }
}
