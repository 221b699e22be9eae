//! GitHub as a story's stage.

mod alone;
mod setting;

use super::stage::{Act, Deploy, Done, From, Held, Role, Said, Standing, Switches};
use countersign::sim::clock::HandClock;
use countersign::sim::faults::{HookFaults, Rule, Watcher};
use countersign::sim::github::{
    App, CommentView, Conclusion, GitHub, InstallationId, JobSpec, JobView, Level, NewRun, Number, Refused,
    RepositoryId, RunId, TeamId, UserId,
};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// A world whose forge is GitHub.
pub(crate) type World = super::world::World<Stage>;

/// GitHub, with one pull request in `acme/shop` and our App installed for `acme`.
pub(crate) struct Stage {
    pub(crate) github: GitHub,
    clock: HandClock,
    pub(crate) app: App,
    pub(crate) installation: InstallationId,
    pub(crate) repository: RepositoryId,
    pub(crate) request: Number,
    users: BTreeMap<String, UserId>,
    teams: BTreeMap<String, TeamId>,
    /// Heads of the pull request so far, and of what was pushed straight.
    heads: Vec<String>,
    pub(crate) head: String,
    pub(crate) runs: Vec<RunId>,
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn refused(error: Refused) -> String {
    error.to_string()
}

impl Stage {
    /// Jobs of an environment, by run and attempt, oldest first.
    fn attempts(&self, environment: &str) -> BTreeMap<(RunId, u64), Vec<JobView>> {
        let jobs = self.runs.iter().flat_map(|run| self.github.jobs(*run).into_iter().map(|job| (*run, job)));
        let mut attempts: BTreeMap<(RunId, u64), Vec<JobView>> = BTreeMap::new();
        for (run, job) in jobs.filter(|(_, job)| job.environment.as_deref() == Some(environment)) {
            attempts.entry((run, job.attempt)).or_default().push(job);
        }
        attempts
    }

    fn newest(&self, environment: &str) -> Result<((RunId, u64), Vec<JobView>), String> {
        let newest = self.attempts(environment).pop_last();
        newest.ok_or_else(|| format!("nothing was deployed to {environment}"))
    }

    fn next_commit(&mut self) {
        self.head = format!("{:040x}", self.heads.len() + 1);
        self.heads.push(self.head.clone());
    }

    /// Starts a run.
    pub(crate) fn start(&mut self, run: NewRun) {
        self.clock.advance(SignedDuration::from_secs(1));
        self.runs.push(self.github.start_run(self.repository, run));
    }

    fn view(comment: CommentView) -> Said {
        Said {
            id: comment.id,
            ours: comment.author == "countersign[bot]",
            author: comment.author,
            body: comment.body,
            reactions: comment.reactions.len(),
        }
    }
}

/// How jobs that share an environment stand together.
fn status_of(jobs: &[JobView]) -> &'static str {
    let any = |wanted: &[&str]| jobs.iter().any(|job| wanted.contains(&job.status.as_str()));
    let ended = |wanted: &str| jobs.iter().any(|job| job.conclusion.as_deref() == Some(wanted));
    if any(&["waiting"]) {
        "blocked"
    } else if any(&["queued", "in_progress"]) {
        "running"
    } else if ended("failure") {
        "failed"
    } else if ended("cancelled") {
        "canceled"
    } else {
        "success"
    }
}

fn was_started(job: &JobView) -> bool {
    job.transitions.iter().any(|(_, status)| status == "in_progress")
}

impl super::stage::Stage for Stage {
    const FORGE: &'static str = "github";
    const WORDS: &'static [(&'static str, &'static str)] = &[
        ("product", "GitHub"),
        ("approve", "/approve"),
        ("maintainers", "role = \"maintain\""),
        ("developers", "role = \"write\""),
        ("everybody who may push", "everybody who may push"),
        ("team", "team"),
    ];
    const POLLS: u64 = 3;
    const NUMBERED_FROM: u64 = 0;

    async fn open(clock: &HandClock, switches: &Switches) -> Self {
        Self::raise(clock, switches).await
    }

    fn table(&self) -> String {
        self.configured(&self.app.private_key_pem)
    }

    fn another_table(&self) -> String {
        self.configured(&self.github.add_key(self.app.id))
    }

    fn furnish(&mut self, countersign: SocketAddr) {
        self.put_in_place(countersign);
    }

    async fn deliver_hooks(&self) -> usize {
        self.github.deliver_hooks().await
    }

    fn scene(&self) -> String {
        let mut scene = String::new();
        for run in self.runs.iter().rev().take(4).rev() {
            let _ = writeln!(scene, "{:?}", self.github.run(*run));
            for job in self.github.jobs(*run) {
                let states: Vec<&str> = job.transitions.iter().map(|(_, state)| state.as_str()).collect();
                let _ = writeln!(scene, "  {} of attempt {}: {states:?}", job.name, job.attempt);
            }
            let _ = writeln!(scene, "  {:?}", self.github.reviews_posted(*run));
        }
        for check in self.github.check_runs_of(self.repository, &self.head) {
            let _ = writeln!(scene, "{check:?}");
        }
        for call in self.github.requests().iter().rev().take(12).rev() {
            let _ = writeln!(scene, "{} {} {}", call.status, call.method, call.path);
        }
        scene
    }

    fn user(&self, name: &str) -> Option<u64> {
        self.users.get(name).copied()
    }

    fn set_role(&self, user: u64, role: Role) {
        let level = match role {
            Role::Developer => Level::Write,
            Role::Maintainer => Level::Maintain,
        };
        self.github.add_collaborator(self.repository, user, level);
    }

    fn leave_project(&self, user: u64) {
        self.github.remove_collaborator(self.repository, user);
    }

    fn join_group(&self, group: &str, user: u64) -> Done {
        self.join_team(group, user)
    }

    fn leave_group(&self, group: &str, user: u64) -> Done {
        self.github.remove_team_member(self.team(group)?, user);
        Ok(())
    }

    fn comment(&self, by: u64, text: &str) -> Result<Option<u64>, String> {
        let written = self.github.comment_on_pull_request(self.repository, self.request, by, text);
        written.map(Some).map_err(refused)
    }

    fn comment_on_commit(&self, by: u64, text: &str) -> Result<Option<u64>, String> {
        let written = self.github.comment_on_commit(self.repository, &self.head, by, text);
        written.map(Some).map_err(refused)
    }

    fn edit(&self, comment: u64, by: u64, text: &str) -> Done {
        self.github.edit_comment(comment, by, text).map_err(refused)
    }

    fn delete(&self, comment: u64, by: u64) -> Done {
        self.github.delete_comment(comment, by).map_err(refused)
    }

    fn comments(&self) -> Vec<Said> {
        let mut all = self.github.comments_of(self.repository, self.request);
        all.extend(self.github.commit_comments_of(self.repository, &self.head));
        all.into_iter().map(Self::view).collect()
    }

    fn said(&self, comment: u64) -> Option<Said> {
        self.github.comment(comment).map(Self::view)
    }

    fn push(&mut self, _by: u64) -> Done {
        self.next_commit();
        self.github.push(self.repository, self.request, &self.head);
        Ok(())
    }

    fn push_straight(&mut self, _by: u64, _branch: &str) {
        self.next_commit();
    }

    fn merge(&mut self, by: u64, _squash: bool) -> Done {
        self.head = self.github.merge(self.repository, self.request, by).map_err(refused)?;
        Ok(())
    }

    fn deploy(&mut self, by: u64, deploy: Deploy<'_>) {
        let run = match deploy.from {
            From::Branch(branch) => NewRun::push(branch, &self.head, by),
            From::Request => NewRun::pull_request(self.request, by),
        };
        let job = |name: &&str| JobSpec::new(&format!("deploy {name}")).environment(name);
        let run = deploy.environments.iter().map(job).fold(run.title("Sell more"), NewRun::job);
        self.start(run);
    }

    fn deployments(&self, environment: &str) -> Vec<Standing> {
        let started = |jobs: &[JobView]| jobs.iter().filter(|job| was_started(job)).count();
        let standing = |jobs: Vec<JobView>| Standing {
            status: status_of(&jobs).to_owned(),
            started: u32::try_from(started(&jobs)).unwrap_or(u32::MAX),
        };
        self.attempts(environment).into_values().map(standing).collect()
    }

    fn native(&self, environment: &str) -> Option<(u64, String)> {
        let ((run, attempt), _) = self.newest(environment).ok()?;
        Some((self.repository, format!("{run}.{attempt}:{environment}")))
    }

    fn votes(&self) -> Vec<Held> {
        let all = self.runs.iter().flat_map(|run| self.github.approvals(*run));
        all.filter(|vote| vote.state != "pending")
            .map(|vote| Held {
                by: vote.user.trim_end_matches("[bot]").to_owned(),
                approved: vote.state == "approved",
                comment: vote.comment,
            })
            .collect()
    }

    fn jobs_end_at_once(&self) -> bool {
        false
    }

    fn finish(&self, environment: &str, well: bool) -> Done {
        let conclusion = if well { Conclusion::Success } else { Conclusion::Failure };
        for job in self.newest(environment)?.1 {
            self.github.finish_job(job.id, conclusion);
        }
        Ok(())
    }

    fn cancel(&self, environment: &str, by: u64) -> Done {
        let ((run, _), _) = self.newest(environment)?;
        self.github.cancel_run(run, by).map_err(refused)
    }

    fn run_again(&self, environment: &str, by: u64) -> Done {
        let ((run, _), _) = self.newest(environment)?;
        self.github.rerun(run, by).map_err(refused)
    }

    fn delete_environment(&self, environment: &str) {
        self.github.delete_environment(self.repository, environment);
    }

    fn delete_project(&self) {
        self.github.delete_repository(self.repository);
    }

    fn archive_project(&self) {
        self.github.archive(self.repository, true);
    }

    fn rename_project(&self, path: &str) {
        self.github.rename_repository(self.repository, path);
    }

    fn path_of(what: &str) -> Option<&'static str> {
        match what {
            "comment" | "comments" | "reply" | "replies" => Some("/comments"),
            "vote" | "votes" => Some("/deployment_protection_rule"),
            "deployment" | "deployments" => Some("/actions/runs/"),
            "project" | "projects" => Some("/repos/"),
            "member" => Some("/permission"),
            "note" => Some("/comments/"),
            _ => None,
        }
    }

    fn add_fault(&self, rule: Rule) {
        self.github.add_fault(rule);
    }

    fn clear_faults(&self) {
        self.github.clear_faults();
    }

    fn set_hook_faults(&self, faults: HookFaults) {
        self.github.set_hook_faults(faults);
    }

    fn watch(&self, watcher: Option<Watcher>) {
        self.github.set_watcher(watcher);
    }

    fn hook_answers(&self) -> Vec<Option<u16>> {
        self.github.deliveries().into_iter().map(|delivery| delivery.status).collect()
    }

    fn calls(&self) -> usize {
        self.github.requests().iter().filter(|call| !call.conditional).count()
    }

    fn clear_calls(&self) {
        self.github.clear_requests();
    }

    fn act(&mut self, act: &Act<'_>) -> Result<bool, String> {
        self.act_alone(act)
    }

    fn arrange(&mut self, words: &[&str]) -> Result<bool, String> {
        self.arrange_alone(words)
    }

    fn check(&self, words: &[&str]) -> Result<bool, String> {
        self.check_alone(words)
    }
}
