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
    NoteId, NoteView, ProjectId, ProtectedEnvironment, UserId,
};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// What hooks are signed with.
pub(crate) const SIGNING_TOKEN: &str = "whsec_YmVuY2htYXJrLWNvdW50ZXJzaWduLXNpZ25pbmc9PT0=";
/// The server's own account.
const BOT: &str = "countersign";
/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(20);
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
    url: String,
    token: String,
    dana: UserId,
    bob: UserId,
    runtime: Runtime,
}

/// A deployment that waits in a merge request of its own.
pub(crate) struct Waiting {
    pub(crate) job: JobId,
    pub(crate) deployment: DeploymentId,
    request: Iid,
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
        let production = ProtectedEnvironment::new("production").deployers(Level::DEVELOPER);
        gitlab.protect_environment(project, production.rule(ApprovalRule::user(bot)));
        gitlab.set_auto_finish(true);
        let token = gitlab.add_token(bot, &["api"]);
        Ok(Self { gitlab, project, channel: None, github: None, url, token, dana, bob, runtime })
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

    /// Writes the configuration of a server that listens there, with its database beside the file.
    pub(crate) fn configure(&self, file: &Path, listen: SocketAddr) -> anyhow::Result<()> {
        let database = file.with_extension("db");
        let database = database.to_str().context("the folder's name is not UTF-8")?;
        let (url, token) = (&self.url, &self.token);
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
            "[server]\nlisten = '{listen}'\n[store]\nurl = 'sqlite:{database}'\n\
             [[gitlab]]\nurl = '{url}'\ntoken = '{token}'\nsigning_tokens = ['{SIGNING_TOKEN}']\npoll = '60s'\n\
             [[environment]]\non = 'gitlab'\nproject = 'acme/**'\nname = 'production'\ngate = 'native'\n\
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
        let (gitlab, project, dana) = (&self.gitlab, self.project, self.dana);
        let (branch, sha) = (format!("sell-more-{number}"), format!("{number:040x}"));
        gitlab.add_commit(project, &sha, "Sell more", "Dana");
        let request = gitlab.open_merge_request(project, dana, &branch, "Sell more");
        gitlab.push(project, request, dana, &sha).ok().context("pushing")?;
        let job = JobSpec::new("deploy").environment("production").manual();
        let pipeline = gitlab.run_pipeline(project, NewPipeline::new(branch, sha, dana).job(job));
        let job = gitlab.job_named(pipeline, "deploy").context("the job is missing")?;
        let deployment = gitlab.deployment_of(job).context("the deployment is missing")?;
        let waiting = Waiting { job, deployment, request };
        until("the card stands", || {
            self.deliver();
            self.said(&waiting).iter().any(is_card)
        })?;
        self.until_quiet()?;
        Ok(waiting)
    }

    /// Bob approves with a comment.
    pub(crate) fn approve(&self, waiting: &Waiting) -> anyhow::Result<NoteId> {
        let text = "@countersign approve production";
        let note = self.gitlab.comment_on_mr(self.project, waiting.request, self.bob, text);
        note.ok().flatten().context("commenting")
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
        self.said(waiting).iter().any(|note| !is_card(note))
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
        self.gitlab.requests().len() + chat + github
    }

    /// Returns once no hook waits and no call has come for a while.
    pub(crate) fn until_quiet(&self) -> anyhow::Result<()> {
        let (mut calls, mut since) = (0, Instant::now());
        until("the server is quiet", || {
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
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is_so() {
        ensure!(began.elapsed() < PATIENCE, "this doesn't come true: {what}");
        sleep(LOOK);
    }
    Ok(())
}

fn is_card(note: &NoteView) -> bool {
    note.body.contains("countersign:card")
}
