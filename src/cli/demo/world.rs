//! The simulated world: `acme/shop` on a GitLab of its own, and what its people do there.

use crate::sim::clock::Now;
use crate::sim::faults::{Action, HookFaults, Rule};
use crate::sim::gitlab::{
    ApprovalRule, Delivery, DeploymentId, DeploymentView, GitLab, HookEvent, Iid, JobSpec, Level, NewHook,
    NewMergeRequest, NewPipeline, NoteId, ProjectId, ProtectedEnvironment, Refused, UserId,
};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

/// The project that everything happens in.
pub(crate) const PROJECT: &str = "acme/shop";
/// The group whose members approve.
pub(crate) const APPROVERS: &str = "acme/sre";
/// The bot's account.
pub(crate) const BOT: &str = "countersign";
/// Its protected environments, with the approvals that the policy asks for.
pub(crate) const ENVIRONMENTS: [(&str, u32); 2] = [("production", 2), ("staging", 1)];

/// Titles of the commits that are deployed, one after the other.
const TITLES: [&str; 5] = [
    "Charge in euro",
    "Show prices with tax",
    "Remember the basket for a week",
    "Send the receipt as soon as it is paid",
    "Round cents the way the tax office does",
];

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Person {
    /// A developer, who opened the merge request.
    Dana,
    /// A maintainer and approver.
    Alice,
    /// A maintainer and approver.
    Bob,
    /// A reporter whom no policy names.
    Mallory,
}

impl Person {
    /// Everybody, in the order of the story.
    pub(crate) const ALL: [Self; 4] = [Self::Dana, Self::Alice, Self::Bob, Self::Mallory];

    /// The account's name.
    pub(crate) fn username(self) -> &'static str {
        match self {
            Self::Dana => "dana",
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Mallory => "mallory",
        }
    }

    /// The first letter, for the picture.
    pub(crate) fn initial(self) -> &'static str {
        match self {
            Self::Dana => "D",
            Self::Alice => "A",
            Self::Bob => "B",
            Self::Mallory => "M",
        }
    }

    /// What they are to the project, in a few words.
    pub(crate) fn role(self) -> &'static str {
        match self {
            Self::Dana => "developer, opened the merge request",
            Self::Alice | Self::Bob => "maintainer, may approve",
            Self::Mallory => "reporter, an outsider to the policy",
        }
    }

    /// The person with this user name.
    pub(crate) fn named(username: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|person| person.username() == username)
    }

    fn level(self) -> Level {
        match self {
            Self::Dana => Level::DEVELOPER,
            Self::Alice | Self::Bob => Level::MAINTAINER,
            Self::Mallory => Level::REPORTER,
        }
    }

    fn approves(self) -> bool {
        match self {
            Self::Alice | Self::Bob => true,
            Self::Dana | Self::Mallory => false,
        }
    }
}

/// The merge request that the world begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MergeRequest<'a> {
    /// Its branch.
    pub(crate) branch: &'a str,
    /// Its title.
    pub(crate) title: &'a str,
}

impl Default for MergeRequest<'_> {
    fn default() -> Self {
        Self { branch: "euro", title: "Let customers pay in euro" }
    }
}

/// Webhooks so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hooks {
    /// How many were sent, lost ones included.
    pub(crate) sent: usize,
    /// How many of them were lost on their way.
    pub(crate) lost: usize,
    /// The last one was.
    pub(crate) last_lost: bool,
}

/// The world. Clones are the same world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// Its GitLab.
    pub(crate) gitlab: GitLab,
    /// The project.
    pub(crate) project: ProjectId,
    /// The merge request.
    pub(crate) request: Iid,
    /// The merge request's branch.
    pub(crate) branch: String,
    /// The bot's token.
    pub(crate) token: String,
    people: Vec<(Person, UserId)>,
}

impl World {
    /// A world in which nothing has happened yet but dana's opening of this merge request.
    pub(crate) fn new(now: Now, request: MergeRequest<'_>) -> Self {
        let gitlab = GitLab::new(now);
        let project = gitlab.add_project(PROJECT);
        let approvers = gitlab.add_group("acme", None);
        let approvers = gitlab.add_group("sre", Some(approvers));
        let mut people = Vec::new();
        for person in Person::ALL {
            let user = gitlab.add_user(person.username(), &capitalised(person.username()));
            gitlab.add_member(project, user, person.level());
            if person.approves() {
                gitlab.add_group_member(approvers, user, Level::DEVELOPER);
            }
            people.push((person, user));
        }
        let bot = gitlab.add_bot(BOT, "Countersign");
        gitlab.add_member(project, bot, Level::MAINTAINER);
        gitlab.add_group_member(approvers, bot, Level::GUEST);
        for (name, _) in ENVIRONMENTS {
            let protection = ProtectedEnvironment::new(name).deployers(Level::DEVELOPER);
            gitlab.protect_environment(project, protection.rule(ApprovalRule::user(bot)));
        }
        let token = gitlab.add_token(bot, &["api"]);
        let branch = request.branch.to_owned();
        let mut world = Self { gitlab, project, request: 0, branch, token, people };
        world.request = world.open(request);
        world
    }

    /// Dana opens the merge request.
    fn open(&self, request: MergeRequest<'_>) -> Iid {
        let sha = sha(0);
        self.gitlab.add_commit(self.project, &sha, request.title, "Dana");
        let new = NewMergeRequest {
            author: self.id(Person::Dana),
            source_branch: request.branch.to_owned(),
            target_branch: "main".to_owned(),
            sha: Some(sha),
            title: request.title.to_owned(),
        };
        self.gitlab.open_merge_request_with(self.project, new)
    }

    /// Tells Countersign at this address of everything that concerns it.
    pub(crate) fn add_hook(&self, url: &str, signing_token: &str) {
        let events = [HookEvent::Note, HookEvent::Deployment, HookEvent::Job, HookEvent::MergeRequest];
        let hook = events.into_iter().fold(NewHook::new(url), NewHook::event);
        self.gitlab.add_hook(self.project, hook.signing_token(signing_token));
    }

    /// Pushes a commit and runs a pipeline with a job that deploys it to this environment.
    pub(crate) fn deploy(&self, by: Person, environment: &str) -> Result<(), Refused> {
        if by.level() < Level::DEVELOPER {
            return Err(refused(403, "403 Forbidden: only developers and above run pipelines"));
        }
        let Some((environment, _)) = ENVIRONMENTS.into_iter().find(|(name, _)| *name == environment) else {
            return Err(refused(404, "404 Environment Not Found"));
        };
        let number = self.gitlab.deployments(self.project).len();
        let sha = sha(number + 1);
        let title = TITLES.iter().cycle().nth(number).copied().unwrap_or_default();
        self.gitlab.add_commit(self.project, &sha, title, by.username());
        self.gitlab.push(self.project, self.request, self.id(by), &sha)?;
        let job = JobSpec::new(format!("deploy-{environment}")).environment(environment).manual();
        let git_ref = format!("refs/merge-requests/{}/head", self.request);
        let pipeline = NewPipeline::new(git_ref, sha, self.id(by)).source("merge_request_event").job(job);
        self.gitlab.run_pipeline(self.project, pipeline);
        Ok(())
    }

    /// Retries the job of a deployment: a new deployment, with approvals from zero. GitLab refuses after a rejection.
    pub(crate) fn retry(&self, by: Person, deployment: DeploymentId) -> Result<(), Refused> {
        let job = self.gitlab.deployment(deployment).and_then(|deployment| deployment.job);
        let job = job.ok_or_else(|| refused(404, "404 Not found"))?;
        self.gitlab.retry_job(job, self.id(by)).map(drop)
    }

    /// Comments on the merge request. `None` when GitLab took all of it as quick actions.
    pub(crate) fn comment(&self, by: Person, text: &str) -> Result<Option<NoteId>, Refused> {
        self.gitlab.comment_on_mr(self.project, self.request, self.id(by), text)
    }

    /// The newest deployment to this environment.
    pub(crate) fn newest(&self, environment: &str) -> Option<DeploymentView> {
        self.gitlab.deployments(self.project).into_iter().rfind(|known| known.environment == environment)
    }

    /// Lets jobs that have run this long succeed.
    pub(crate) fn finish_jobs(&self, ran_for: SignedDuration, now: Timestamp) {
        for deployment in self.gitlab.deployments(self.project) {
            let job = deployment.job.and_then(|job| self.gitlab.job(job));
            let Some(job) = job.filter(|job| job.status == "running") else { continue };
            if job.transitions.last().is_some_and(|(since, _)| *since + ran_for <= now) {
                self.gitlab.finish_job(job.id, true);
            }
        }
    }

    /// The next hook is lost on its way.
    pub(crate) fn lose_next_hook(&self) {
        self.gitlab.set_hook_faults(HookFaults { lose_next: 1, ..HookFaults::default() });
    }

    /// What became of the hooks so far.
    pub(crate) fn hooks(&self) -> Hooks {
        let all = self.gitlab.deliveries();
        let lost = |delivery: &&Delivery| delivery.status.is_none();
        Hooks {
            sent: all.len(),
            lost: all.iter().filter(lost).count(),
            last_lost: all.last().as_ref().is_some_and(lost),
        }
    }

    /// From now on GitLab's API answers 500 to everything.
    pub(crate) fn begin_outage(&self) {
        let body = r#"{"message":"500 Internal Server Error"}"#.to_owned();
        self.gitlab.add_fault(Rule::new("/api/v4", Action::Answer { status: 500, body }));
    }

    /// All goes well again.
    pub(crate) fn end_trouble(&self) {
        self.gitlab.clear_faults();
    }

    fn id(&self, person: Person) -> UserId {
        self.people.iter().find(|(known, _)| *known == person).map_or(0, |(_, user)| *user)
    }
}

/// The SHA of the nth commit; the same in every run.
fn sha(number: usize) -> String {
    let digest = hex::encode(Sha256::digest(format!("{PROJECT} {number}")));
    digest.chars().take(40).collect()
}

fn refused(status: u16, message: &str) -> Refused {
    Refused { status, body: serde_json::json!({ "message": message }) }
}

fn capitalised(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
