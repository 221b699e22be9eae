//! The twin that the servers talk to, and their configuration.

use crate::channel::Channel;
use crate::github_hooks::SECRET;
use anyhow::{Context as _, ensure};
use countersign::cli::wiring::SystemClock;
use countersign::ports::clock::Clock as _;
use countersign::sim::faults::{Action, Rule};
use countersign::sim::github::{App, GitHub};
use countersign::sim::gitlab::{
    ApprovalRule, DeploymentId, DeploymentView, GitLab, Iid, JobId, JobSpec, Level, NewHook, NewPipeline,
    NoteId, NoteView, OldDeployments, ProjectId, ProtectedEnvironment, UserId,
};
use jiff::SignedDuration;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// What hooks are signed with.
pub(crate) const SIGNING_TOKEN: &str = "whsec_YmVuY2htYXJrLWNvdW50ZXJzaWduLXNpZ25pbmc9PT0=";
/// The server's own account.
const BOT: &str = "countersign";
/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is done for thousands takes longer.
pub(crate) const LONG: Duration = Duration::from_mins(5);
/// Between two looks at the twin.
const LOOK: Duration = Duration::from_micros(200);
/// When nothing has come for so long, nothing more comes.
const QUIET: Duration = Duration::from_millis(60);

/// One GitLab with one project, served on a port of its own.
pub(crate) struct World {
    pub(crate) gitlab: GitLab,
    pub(crate) project: ProjectId,
    /// Where deployments are announced, if anywhere.
    pub(crate) channel: Option<Channel>,
    /// Another forge beside it, whose hooks are signed with [`SECRET`].
    github: Option<(GitHub, App)>,
    /// How often the server looks at everything that is open.
    pub(crate) poll: &'static str,
    /// The environments that it guards.
    pub(crate) guarded: &'static str,
    url: String,
    token: String,
    dana: UserId,
    pub(crate) bob: UserId,
    bot: UserId,
    /// Calls to GitLab so far.
    calls: Arc<AtomicUsize>,
    runtime: Runtime,
}

/// A deployment that waits in a merge request of its own.
pub(crate) struct Waiting {
    pub(crate) job: JobId,
    pub(crate) deployment: DeploymentId,
    pub(crate) request: Iid,
}

/// One of many that wait, in a project that has no other.
pub(crate) struct Another {
    pub(crate) project: ProjectId,
    pub(crate) path: String,
    pub(crate) deployment: DeploymentId,
    pub(crate) sha: String,
}

impl World {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let gitlab = GitLab::new(Arc::new(|| SystemClock.now()));
        let url = runtime.block_on(gitlab.start())?;
        gitlab.add_group("acme", None);
        let project = gitlab.add_project("acme/shop");
        let (dana, bob) = (gitlab.add_user("dana", "Dana"), gitlab.add_user("bob", "Bob"));
        let bot = gitlab.add_bot(BOT, "Countersign");
        for (user, level) in [(dana, Level::DEVELOPER), (bob, Level::MAINTAINER), (bot, Level::MAINTAINER)] {
            gitlab.add_member(project, user, level);
        }
        gitlab.set_auto_finish(true);
        let token = gitlab.add_token(bot, &["api"]);
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        gitlab.set_watcher(Some(Arc::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            None
        })));
        let (poll, guarded) = ("60s", "production");
        let (channel, github) = (None, None);
        let world = Self {
            gitlab,
            project,
            channel,
            github,
            poll,
            guarded,
            url,
            token,
            dana,
            bob,
            bot,
            calls,
            runtime,
        };
        world.protect(project, "production");
        Ok(world)
    }

    /// Nobody deploys there without the bot's approval.
    fn protect(&self, project: ProjectId, environment: &str) {
        let protected = ProtectedEnvironment::new(environment).deployers(Level::DEVELOPER);
        self.gitlab.protect_environment(project, protected.rule(ApprovalRule::user(self.bot)));
    }

    /// The same, with a channel of Slack in which deployments are announced.
    pub(crate) fn with_channel() -> anyhow::Result<Self> {
        let mut world = Self::new()?;
        world.channel = Some(Channel::open(world.runtime.handle())?);
        Ok(world)
    }

    /// The same, with a GitHub beside it.
    pub(crate) fn with_github() -> anyhow::Result<Self> {
        let mut world = Self::new()?;
        let github = GitHub::new(Arc::new(|| SystemClock.now()));
        world.runtime.block_on(github.start())?;
        let app = github.register_app(BOT);
        world.github = Some((github, app));
        Ok(world)
    }

    /// Writes the configuration of a server that listens there, on this database.
    pub(crate) fn configure(&self, file: &Path, listen: SocketAddr, store: &str) -> anyhow::Result<()> {
        let Self { url, token, poll, guarded, .. } = self;
        let channel = self.channel.as_ref().map(Channel::configuration).unwrap_or_default();
        let github = self.github.iter().map(|(github, app)| {
            let (url, id, key) = (github.url(), app.id, &app.private_key_pem);
            format!(
                "[[github]]\napi_url = '{url}'\napp_id = {id}\nprivate_key = '''\n{key}'''\n\
                 webhook_secrets = ['{SECRET}']\n"
            )
        });
        let github: String = github.collect();
        let text = format!(
            "[server]\nlisten = '{listen}'\n[store]\nurl = '{store}'\n\
             [[gitlab]]\nurl = '{url}'\ntoken = '{token}'\nsigning_tokens = ['{SIGNING_TOKEN}']\npoll = '{poll}'\n\
             [[environment]]\non = 'gitlab'\nproject = 'acme/**'\nname = '{guarded}'\ngate = 'native'\n\
             required_approval_count = 1\ndeploy_access_levels = [{{ access_level = 'maintainer' }}]\n{channel}{github}"
        );
        Ok(std::fs::write(file, text)?)
    }

    /// Everybody is asked to come back in an hour, so that a worker has nothing to do.
    pub(crate) fn turn_away(&self) {
        self.channel.iter().for_each(Channel::turn_away);
        let away = Rule::new("", Action::TooManyRequests { retry_after: Some(3600) });
        self.github.iter().for_each(|(github, _)| github.add_fault(away.clone()));
        self.gitlab.add_fault(away);
    }

    /// Whether somebody came to every twin and was turned away.
    pub(crate) fn is_asked(&self) -> bool {
        !self.gitlab.requests().is_empty()
            && self.channel.iter().all(|channel| !channel.slack.requests().is_empty())
            && self.github.iter().all(|(github, _)| !github.requests().is_empty())
    }

    /// Hooks go to this server alone, each when it arises or, held, when [`World::deliver`] is called.
    pub(crate) fn hook(&self, to: SocketAddr) {
        let hook = NewHook::new(format!("http://{to}/hooks/gitlab")).every_event();
        self.gitlab.add_hook(self.project, hook.signing_token(SIGNING_TOKEN));
        self.channel.iter().for_each(|channel| channel.hook(to));
    }

    /// Sends the hooks that wait; returns how many.
    pub(crate) fn deliver(&self) -> usize {
        self.runtime.block_on(self.gitlab.deliver_hooks())
    }

    /// Dana deploys to production; returns once the card stands.
    pub(crate) fn deploy(&self, number: u32) -> anyhow::Result<Waiting> {
        let waiting = self.begin(number, "production")?;
        until("the card stands", || {
            self.deliver();
            self.card(&waiting).is_some()
        })?;
        self.until_quiet()?;
        Ok(waiting)
    }

    /// Dana deploys so many times, each time to an environment of its own; returns once the cards stand.
    pub(crate) fn deploy_each(&self, count: u32) -> anyhow::Result<Vec<Waiting>> {
        let mut all = Vec::new();
        for number in 1..=count {
            let environment = format!("production-{number}");
            self.protect(self.project, &environment);
            all.push(self.begin(number, &environment)?);
        }
        self.deliver();
        let mut without: Vec<&Waiting> = all.iter().collect();
        until_within(LONG, "the cards stand", || {
            without.retain(|waiting| self.card(waiting).is_none());
            without.is_empty()
        })?;
        self.until_quiet()?;
        Ok(all)
    }

    /// Dana's deployments wait in so many projects, this many in each; nobody is told.
    pub(crate) fn add_others(&self, (first, projects): (u32, u32), each: u32) -> Vec<Another> {
        let mut all = Vec::new();
        for number in first..first + projects {
            let path = format!("acme/other-{number}");
            let project = self.gitlab.add_project(&path);
            for (user, level) in [(self.dana, Level::DEVELOPER), (self.bot, Level::MAINTAINER)] {
                self.gitlab.add_member(project, user, level);
            }
            self.protect(project, "production");
            let (environment, every) = ("production".to_owned(), SignedDuration::from_secs(1));
            let since = SystemClock.now() - SignedDuration::from_hours(1);
            let old = OldDeployments { count: each, environment, user: self.dana, since, every };
            self.gitlab.add_old_blocked_deployments(project, &old);
            let made = self.gitlab.deployments(project).into_iter();
            all.extend(made.map(|DeploymentView { id, sha, .. }| Another {
                project,
                path: path.clone(),
                deployment: id,
                sha,
            }));
        }
        all
    }

    /// Dana pushes and runs a pipeline in a merge request of its own.
    fn begin(&self, number: u32, environment: &str) -> anyhow::Result<Waiting> {
        let (gitlab, project, dana) = (&self.gitlab, self.project, self.dana);
        let (branch, sha) = (format!("sell-more-{number}"), format!("{number:040x}"));
        gitlab.add_commit(project, &sha, "Sell more", "Dana");
        let request = gitlab.open_merge_request(project, dana, &branch, "Sell more");
        gitlab.push(project, request, dana, &sha).ok().context("pushing")?;
        let job = JobSpec::new("deploy").environment(environment).manual();
        let pipeline = gitlab.run_pipeline(project, NewPipeline::new(branch, sha, dana).job(job));
        let job = gitlab.job_named(pipeline, "deploy").context("the job is missing")?;
        let deployment = gitlab.deployment_of(job).context("the deployment is missing")?;
        Ok(Waiting { job, deployment, request })
    }

    /// Bob approves with a comment.
    pub(crate) fn approve(&self, waiting: &Waiting) -> anyhow::Result<NoteId> {
        self.say(waiting, "@countersign approve production")
    }

    /// Bob comments.
    pub(crate) fn say(&self, waiting: &Waiting, text: &str) -> anyhow::Result<NoteId> {
        let note = self.gitlab.comment_on_mr(self.project, waiting.request, self.bob, text);
        note.ok().flatten().context("commenting")
    }

    /// Where a comment stands.
    pub(crate) fn discussion_of(&self, waiting: &Waiting, note: NoteId) -> anyhow::Result<String> {
        let mut notes = self.gitlab.notes_of(self.project, waiting.request).into_iter();
        Ok(notes.find(|known| known.id == note).context("the comment is missing")?.discussion)
    }

    /// Whether GitLab holds the bot's approval.
    pub(crate) fn is_voted(&self, waiting: &Waiting) -> bool {
        let approved =
            |d: &DeploymentView| d.approvals.iter().any(|a| a.user == BOT && a.status == "approved");
        self.gitlab.deployment(waiting.deployment).is_some_and(|deployment| approved(&deployment))
    }

    /// Whether the job was started.
    pub(crate) fn is_started(&self, waiting: &Waiting) -> bool {
        self.gitlab.deployment(waiting.deployment).is_some_and(|deployment| deployment.status != "blocked")
    }

    /// Whether the comment was answered.
    pub(crate) fn is_answered(&self, waiting: &Waiting) -> bool {
        self.answers(waiting) > 0
    }

    /// How many comments were answered.
    pub(crate) fn answers(&self, waiting: &Waiting) -> usize {
        self.said(waiting).iter().filter(|note| !is_card(note)).count()
    }

    /// What the card says, if it stands.
    pub(crate) fn card(&self, waiting: &Waiting) -> Option<String> {
        self.said(waiting).into_iter().find(is_card).map(|card| card.body)
    }

    fn said(&self, waiting: &Waiting) -> Vec<NoteView> {
        let mut notes = self.gitlab.notes_of(self.project, waiting.request);
        notes.retain(|note| note.author == BOT);
        notes
    }

    /// How many calls were made.
    fn calls(&self) -> usize {
        let chat = self.channel.as_ref().map_or(0, |channel| channel.slack.requests().len());
        let github = self.github.as_ref().map_or(0, |(github, _)| github.requests().len());
        self.calls_to_gitlab() + chat + github
    }

    /// How many calls were made to GitLab.
    pub(crate) fn calls_to_gitlab(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Returns once no hook waits and no call has come for a while.
    pub(crate) fn until_quiet(&self) -> anyhow::Result<()> {
        let (mut calls, mut since) = (0, Instant::now());
        until_within(LONG, "the server is quiet", || {
            let now = self.calls();
            if self.deliver() > 0 || now != calls {
                (calls, since) = (now, Instant::now());
            }
            since.elapsed() > QUIET
        })
    }

    /// Returns once no call has come for a while; hooks stay where they are.
    pub(crate) fn until_no_calls(&self) -> anyhow::Result<()> {
        let (mut calls, mut since) = (0, Instant::now());
        until("the server makes no calls", || {
            let now = self.calls();
            if now != calls {
                (calls, since) = (now, Instant::now());
            }
            since.elapsed() > QUIET
        })
    }
}

/// Returns once this is so.
pub(crate) fn until(what: &str, is_so: impl FnMut() -> bool) -> anyhow::Result<()> {
    until_within(PATIENCE, what, is_so)
}

/// Returns once this is so; it may take this long.
pub(crate) fn until_within(
    patience: Duration,
    what: &str,
    mut is_so: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is_so() {
        ensure!(began.elapsed() < patience, "this doesn't come true: {what}");
        sleep(LOOK);
    }
    Ok(())
}

fn is_card(note: &NoteView) -> bool {
    note.body.contains("countersign:card")
}
