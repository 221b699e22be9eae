//! GitLab as a story's stage.

mod alone;
mod setting;

use super::stage::{Act, Deploy, Done, From, Held, Role, Said, Standing, Switches};
use countersign::sim::clock::HandClock;
use countersign::sim::faults::{HookFaults, Rule, Watcher};
use countersign::sim::gitlab::{
    DeploymentView, GitLab, GroupId, HookId, Iid, JobSpec, Level, NewPipeline, NoteView, ProjectId, Refused,
    UserId,
};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// A world whose forge is GitLab.
pub(crate) type World = super::world::World<Stage>;

/// GitLab, with one merge request in `acme/shop`.
pub(crate) struct Stage {
    pub(crate) gitlab: GitLab,
    clock: HandClock,
    switches: Switches,
    url: String,
    pub(crate) project: ProjectId,
    pub(crate) request: Iid,
    pub(crate) users: BTreeMap<String, UserId>,
    groups: BTreeMap<String, GroupId>,
    pub(crate) head: String,
    commits: u32,
    address: Option<SocketAddr>,
    pub(crate) hook: HookId,
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn refused(error: Refused) -> String {
    error.message().to_owned()
}

impl Stage {
    fn newest(&self, environment: &str) -> Result<DeploymentView, String> {
        let here = self.gitlab.deployments(self.project);
        let newest = here.into_iter().rfind(|deployment| deployment.environment == environment);
        newest.ok_or_else(|| format!("nothing was deployed to {environment}"))
    }

    fn newest_job(&self, environment: &str) -> Result<u64, String> {
        self.newest(environment)?.job.ok_or_else(|| "it has no job".to_owned())
    }

    fn group(&self, path: &str) -> Result<GroupId, String> {
        self.groups.get(path).copied().ok_or_else(|| format!("there is no group {path}"))
    }

    fn next_commit(&mut self, title: &str) {
        self.commits += 1;
        self.head = format!("{:040x}", self.commits);
        self.gitlab.add_commit(self.project, &self.head, title, "Dana");
    }

    /// Runs a pipeline at the head, for any branch or ref.
    pub(crate) fn run_pipeline(&self, branch: &str, by: UserId, jobs: Vec<JobSpec>) {
        self.clock.advance(SignedDuration::from_secs(1));
        let pipeline = NewPipeline::new(branch, self.head.clone(), by).jobs(jobs);
        self.gitlab.run_pipeline(self.project, pipeline);
    }

    fn view(note: NoteView) -> Said {
        Said {
            id: note.id,
            ours: note.author == "countersign",
            author: note.author,
            body: note.body,
            reactions: note.reactions.len(),
        }
    }
}

impl super::stage::Stage for Stage {
    const FORGE: &'static str = "gitlab";
    const WORDS: &'static [(&'static str, &'static str)] = &[
        ("product", "GitLab"),
        ("approve", "@countersign approve"),
        ("maintainers", "access_level = \"maintainer\""),
        ("developers", "access_level = \"developer\""),
        ("everybody who may push", "developers and above"),
        ("team", "group"),
    ];
    const POLLS: u64 = 2;
    const NUMBERED_FROM: u64 = 4710;

    async fn open(clock: &HandClock, switches: &Switches) -> Self {
        Self::raise(clock, switches).await
    }

    fn table(&self) -> String {
        self.configured()
    }

    fn furnish(&mut self, countersign: SocketAddr) {
        self.address = Some(countersign);
        self.put_in_place();
    }

    async fn deliver_hooks(&self) -> usize {
        self.gitlab.deliver_hooks().await
    }

    fn scene(&self) -> String {
        let mut scene = String::new();
        for deployment in self.gitlab.deployments(self.project).iter().rev().take(8).rev() {
            let _ = writeln!(scene, "{deployment:?}");
        }
        scene
    }

    fn user(&self, name: &str) -> Option<u64> {
        self.users.get(name).copied()
    }

    fn set_role(&self, user: u64, role: Role) {
        let level = match role {
            Role::Developer => Level::DEVELOPER,
            Role::Maintainer => Level::MAINTAINER,
        };
        self.gitlab.add_member(self.project, user, level);
    }

    fn leave_project(&self, user: u64) {
        self.gitlab.remove_member(self.project, user);
    }

    fn join_group(&self, group: &str, user: u64) -> Done {
        self.gitlab.add_group_member(self.group(group)?, user, Level::DEVELOPER);
        Ok(())
    }

    fn leave_group(&self, group: &str, user: u64) -> Done {
        self.gitlab.remove_group_member(self.group(group)?, user);
        Ok(())
    }

    fn comment(&self, by: u64, text: &str) -> Result<Option<u64>, String> {
        self.gitlab.comment_on_mr(self.project, self.request, by, text).map_err(refused)
    }

    fn comment_on_commit(&self, by: u64, text: &str) -> Result<Option<u64>, String> {
        self.gitlab.comment_on_commit(self.project, &self.head, by, text).map_err(refused)
    }

    fn edit(&self, comment: u64, by: u64, text: &str) -> Done {
        self.gitlab.edit_note(comment, by, text).map_err(refused)
    }

    fn delete(&self, comment: u64, by: u64) -> Done {
        self.gitlab.delete_note(comment, by).map_err(refused)
    }

    fn comments(&self) -> Vec<Said> {
        let mut notes = self.gitlab.notes_of(self.project, self.request);
        notes.extend(self.gitlab.notes_of_commit(self.project, &self.head));
        notes.into_iter().map(Self::view).collect()
    }

    fn said(&self, comment: u64) -> Option<Said> {
        self.gitlab.note(comment).map(Self::view)
    }

    fn push(&mut self, by: u64) -> Done {
        self.next_commit("Sell even more");
        self.gitlab.push(self.project, self.request, by, &self.head).map_err(refused)
    }

    fn push_straight(&mut self, _by: u64, _branch: &str) {
        self.next_commit("Mend in haste");
    }

    fn merge(&mut self, by: u64, squash: bool) -> Done {
        let merged = if squash {
            self.gitlab.squash_and_merge(self.project, self.request, by)
        } else {
            self.gitlab.merge(self.project, self.request, by)
        };
        self.head = merged.map_err(refused)?;
        Ok(())
    }

    fn deploy(&mut self, by: u64, deploy: Deploy<'_>) {
        let manual = |name: &&str| JobSpec::new(format!("deploy {name}")).environment(*name).manual();
        let branch = match deploy.from {
            From::Branch(branch) => branch.to_owned(),
            From::Request => format!("refs/merge-requests/{}/head", self.request),
        };
        self.run_pipeline(&branch, by, deploy.environments.iter().map(manual).collect());
    }

    fn deployments(&self, environment: &str) -> Vec<Standing> {
        let here = self.gitlab.deployments(self.project).into_iter();
        here.filter(|deployment| deployment.environment == environment)
            .map(|deployment| Standing {
                started: deployment.job.map_or(0, |job| self.gitlab.plays(job)),
                status: deployment.status,
            })
            .collect()
    }

    fn native(&self, environment: &str) -> Option<(u64, String)> {
        Some((self.project, self.newest(environment).ok()?.id.to_string()))
    }

    fn votes(&self) -> Vec<Held> {
        let here = self.gitlab.deployments(self.project).into_iter();
        here.flat_map(|deployment| deployment.approvals)
            .map(|vote| Held {
                by: vote.user,
                approved: vote.status == "approved",
                comment: vote.comment.unwrap_or_default(),
            })
            .collect()
    }

    fn jobs_end_at_once(&self) -> bool {
        self.gitlab.set_auto_finish(true);
        true
    }

    fn finish(&self, environment: &str, well: bool) -> Done {
        self.gitlab.finish_job(self.newest_job(environment)?, well);
        Ok(())
    }

    fn cancel(&self, environment: &str, by: u64) -> Done {
        self.gitlab.cancel_job(self.newest_job(environment)?, by).map_err(refused)
    }

    fn run_again(&self, environment: &str, by: u64) -> Done {
        self.gitlab.retry_job(self.newest_job(environment)?, by).map(drop).map_err(refused)
    }

    fn delete_environment(&self, environment: &str) {
        self.gitlab.delete_environment(self.project, environment);
    }

    fn delete_project(&self) {
        self.gitlab.delete_project(self.project);
    }

    fn archive_project(&self) {
        self.gitlab.archive_project(self.project);
    }

    fn rename_project(&self, path: &str) {
        self.gitlab.rename_project(self.project, path);
    }

    fn path_of(what: &str) -> Option<&'static str> {
        match what {
            "comment" | "comments" => Some("/notes"),
            "reply" | "replies" => Some("/discussions/"),
            "vote" | "votes" => Some("/approval"),
            "start" | "starts" => Some("/play"),
            "deployment" | "deployments" => Some("/deployments/"),
            "project" | "projects" => Some("/projects/"),
            "member" => Some("/members/"),
            "note" => Some("/notes/"),
            _ => None,
        }
    }

    fn add_fault(&self, rule: Rule) {
        self.gitlab.add_fault(rule);
    }

    fn clear_faults(&self) {
        self.gitlab.clear_faults();
    }

    fn set_hook_faults(&self, faults: HookFaults) {
        self.gitlab.set_hook_faults(faults);
    }

    fn watch(&self, watcher: Option<Watcher>) {
        self.gitlab.set_watcher(watcher);
    }

    fn hook_answers(&self) -> Vec<Option<u16>> {
        self.gitlab.deliveries().into_iter().map(|delivery| delivery.status).collect()
    }

    fn calls(&self) -> usize {
        self.gitlab.requests().len()
    }

    fn clear_calls(&self) {
        self.gitlab.clear_requests();
    }

    fn act(&mut self, act: &Act<'_>) -> Result<bool, String> {
        self.act_alone(act)
    }

    fn arrange(&mut self, words: &[&str]) -> Result<bool, String> {
        Ok(self.arrange_alone(words))
    }

    fn check(&self, words: &[&str]) -> Result<bool, String> {
        self.check_alone(words)
    }
}
