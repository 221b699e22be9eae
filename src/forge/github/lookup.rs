//! Reading GitHub: runs, and what waits in them.

use super::GitHub;
use super::native::{Spot, same_environment};
use super::people;
use super::sighting::{self, attempt};
use super::wire::{Job, Jobs, PendingDeployment, PullRequest, Review, Run, RunStatus, Runs};
use super::{carrier, changes, client::Page as _};
use crate::domain::actor::Account;
use crate::domain::id::{ForgeName, Native, Project, ProjectId, UserId};
use crate::domain::notice::Changes;
use crate::ports::failure::Failure;
use crate::ports::forge::{ActiveProject, GroupRef, Lookup, Member, MergeRequest, Sighting};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Pages read of runs that wait or go on.
const RUN_PAGES: usize = 5;
/// Runs of all kinds that are looked through for one environment.
const RECENT: &str = "50";
/// Pages read of an attempt's jobs.
const JOB_PAGES: usize = 10;
/// Pages read of a run's reviews.
const REVIEW_PAGES: usize = 10;
/// How long an enabled rule is taken for enabled.
const RULE_KEPT: SignedDuration = SignedDuration::from_mins(10);

#[async_trait]
impl Lookup for GitHub {
    fn name(&self) -> &ForgeName {
        &self.name
    }

    async fn me(&self) -> Result<Account, Failure> {
        self.directory.me().await.map(|me| me.account)
    }

    fn reach_changed(&self) {
        self.directory.expect_change();
    }

    async fn project(&self, id: ProjectId) -> Result<Project, Failure> {
        let known = self.directory.repo(id).await?;
        let repo = self.directory.renew(&known).await?;
        Ok(Project { id, path: repo.path().to_owned() })
    }

    async fn project_at(&self, path: &str) -> Result<Project, Failure> {
        let repo = self.directory.repo_at(path).await?;
        Ok(Project { id: repo.id, path: repo.path().to_owned() })
    }

    /// A run that nobody pushed for doesn't show here; it is found in its repository's turn.
    async fn active_projects(&self, since: Timestamp) -> Result<Vec<ActiveProject>, Failure> {
        let repos = self.directory.repos().await?;
        let mut active: Vec<ActiveProject> = repos
            .iter()
            .filter(|repo| !repo.seen.archived)
            .filter_map(|repo| {
                let active_at = repo.seen.pushed_at.max(repo.seen.updated_at)?;
                let project = Project { id: repo.id, path: repo.path().to_owned() };
                (active_at >= since).then_some(ActiveProject { project, active_at })
            })
            .collect();
        active.sort_by_key(|project| std::cmp::Reverse(project.active_at));
        Ok(active)
    }

    async fn waiting(&self, project: ProjectId) -> Result<Vec<Sighting>, Failure> {
        self.waiting_among(project, self.unfinished_runs(project).await?, None).await
    }

    async fn waiting_in(
        &self,
        project: ProjectId,
        environment: &str,
        since: Option<Timestamp>,
    ) -> Result<Vec<Sighting>, Failure> {
        let runs = match since {
            Some(since) => self.runs_since(project, since).await?,
            None => self.unfinished_runs(project).await?,
        };
        self.waiting_among(project, runs, Some(environment)).await
    }

    async fn waiting_in_run(&self, project: ProjectId, run: i64) -> Result<Vec<Sighting>, Failure> {
        let found: Option<Run> = self.find(project, &["actions", "runs", &run.to_string()]).await?;
        self.waiting_among(project, found.into_iter().collect(), None).await
    }

    /// GitHub tells of an environment's deployments, not of their runs.
    async fn newest_started(&self, _: ProjectId, _: &str) -> Result<Option<Sighting>, Failure> {
        Ok(None)
    }

    async fn deployment(&self, project: ProjectId, native: &Native) -> Result<Sighting, Failure> {
        self.look(project, &Spot::of(native)?).await
    }

    fn numbered(&self, _: i64) -> Option<Native> {
        None
    }

    async fn other_starters(&self, project: ProjectId, native: &Native) -> Result<Vec<Account>, Failure> {
        let spot = Spot::of(native)?;
        let (run, jobs) = tokio::join!(self.attempt(project, &spot), self.jobs(project, &spot));
        let records = self.records(project, &spot, (&run?, &jobs?)).await?;
        let mut creators = Vec::new();
        for creator in records.iter().filter_map(|record| record.deployment.creator.as_ref()) {
            creators.push(self.directory.remember(creator).await);
        }
        Ok(creators)
    }

    async fn carrier(&self, project: ProjectId, sighting: &Sighting) -> Result<Option<i64>, Failure> {
        carrier::of(self, project, sighting).await
    }

    async fn merge_request(&self, project: ProjectId, number: i64) -> Result<MergeRequest, Failure> {
        let found: PullRequest = self.read(project, &["pulls", &number.to_string()], &[]).await?;
        for user in found.user.iter().chain(&found.merged_by) {
            self.directory.remember(user).await;
        }
        Ok(found.into())
    }

    async fn member(&self, project: ProjectId, user: UserId) -> Result<Member, Failure> {
        people::member(self, project, user).await
    }

    async fn account(&self, user: UserId) -> Result<Account, Failure> {
        self.directory.account(user).await
    }

    async fn user_named(&self, username: &str) -> Result<Option<Account>, Failure> {
        if !people::is_login(username) {
            return Ok(None);
        }
        let found = self.directory.account_named(username).await?;
        Ok(found.filter(|account| account.username.eq_ignore_ascii_case(username)))
    }

    async fn group_id(&self, path: &str) -> Result<i64, Failure> {
        people::team_id(self, path).await
    }

    /// Members of child teams are always among a team's members.
    async fn is_group_member(&self, group: GroupRef<'_>, _: bool, user: UserId) -> Result<bool, Failure> {
        people::is_team_member(self, group, user).await
    }

    async fn changes(&self, project: &Project, environment: &str, sha: &str) -> Result<Changes, Failure> {
        changes::of(self, project, environment, sha).await
    }

    async fn members_from(&self, project: ProjectId, level: i32) -> Result<Option<Vec<Account>>, Failure> {
        people::collaborators(self, project, level).await
    }

    async fn group_members(&self, group: &str, _: bool) -> Result<Option<Vec<Account>>, Failure> {
        people::team_members(self, group).await
    }
}

/// Runs and what holds them.
impl GitHub {
    /// One deployment, as it stands right now.
    pub(super) async fn look(&self, project: ProjectId, spot: &Spot) -> Result<Sighting, Failure> {
        let reads = async {
            tokio::join!(
                self.run(project, spot.run),
                self.pending(project, spot.run),
                self.jobs(project, spot)
            )
        };
        let (run, pending, jobs) = Box::pin(reads).await;
        // Without the run, nothing else says that it is gone.
        let (run, jobs) = (run.map_err(shut_out)?, jobs.map_err(shut_out).map_err(unshown)?);
        if attempt(&run) < spot.attempt {
            return Err(unshown(Failure::NotFound));
        }
        if attempt(&run) == spot.attempt {
            let pending = pending.map_err(shut_out).map_err(unshown)?;
            let ours = pending.iter().find(|pending| spot.is_in(&pending.environment.name));
            if let Some(mut sighting) = ours.and_then(|ours| sighting::waiting(&run, ours, &jobs)) {
                sighting.native = spot.native();
                sighting.held_by_others |= self.rules(project, &spot.environment).await?.others;
                self.remember_starters(&run).await;
                return Ok(sighting);
            }
        }
        self.look_back(project, spot, (run, &jobs)).await
    }

    /// A run in its newest attempt.
    pub(super) async fn run(&self, project: ProjectId, run: i64) -> Result<Run, Failure> {
        self.read(project, &["actions", "runs", &run.to_string()], &[]).await
    }

    /// A run as it was in one attempt.
    pub(super) async fn attempt(&self, project: ProjectId, spot: &Spot) -> Result<Run, Failure> {
        let (run, attempt) = (spot.run.to_string(), spot.attempt.to_string());
        self.read(project, &["actions", "runs", &run, "attempts", &attempt], &[]).await
    }

    /// Decisions and reports on this environment, of people and Apps, in all attempts of the run.
    pub(super) async fn reviews(&self, project: ProjectId, spot: &Spot) -> Result<Vec<Review>, Failure> {
        let path = ["actions", "runs", &spot.run.to_string(), "approvals"];
        let mut reviews = self.list::<Vec<Review>>(project, &path, &[], REVIEW_PAGES).await?.items;
        reviews.retain(|review| review.environments.iter().any(|of| spot.is_in(&of.name)));
        Ok(reviews)
    }

    async fn pending(&self, project: ProjectId, run: i64) -> Result<Vec<PendingDeployment>, Failure> {
        self.read(project, &["actions", "runs", &run.to_string(), "pending_deployments"], &[]).await
    }

    async fn jobs(&self, project: ProjectId, spot: &Spot) -> Result<Vec<Job>, Failure> {
        let (run, attempt) = (spot.run.to_string(), spot.attempt.to_string());
        let path = ["actions", "runs", &run, "attempts", &attempt, "jobs"];
        self.list::<Jobs>(project, &path, &[], JOB_PAGES).await.map(|listing| listing.items)
    }

    /// Runs in which something may wait. Where other jobs still run, the run itself doesn't.
    async fn unfinished_runs(&self, project: ProjectId) -> Result<Vec<Run>, Failure> {
        let path = ["actions", "runs"];
        let mut runs = BTreeMap::new();
        for status in ["waiting", "in_progress"] {
            let found = self.list::<Runs>(project, &path, &[("status", status)], RUN_PAGES).await?;
            runs.extend(found.items.into_iter().map(|run| (run.id, run)));
        }
        Ok(runs.into_values().collect())
    }

    /// The newest runs since then that haven't ended.
    async fn runs_since(&self, project: ProjectId, since: Timestamp) -> Result<Vec<Run>, Failure> {
        let created = format!(">={}", since.strftime("%Y-%m-%dT%H:%M:%SZ"));
        let query = [("created", created.as_str()), ("per_page", RECENT)];
        let found: Runs = self.read(project, &["actions", "runs"], &query).await?;
        Ok(found.items().into_iter().filter(|run| run.status != Some(RunStatus::Completed)).collect())
    }

    /// What waits for us in these runs, newest first.
    async fn waiting_among(
        &self,
        project: ProjectId,
        runs: Vec<Run>,
        only: Option<&str>,
    ) -> Result<Vec<Sighting>, Failure> {
        let mut found = Vec::new();
        for run in runs {
            match self.waiting_of(project, &run, only).await {
                // Gone in the meantime.
                Err(Failure::NotFound) => {}
                waiting => found.extend(waiting?),
            }
        }
        found.sort_by_key(|sighting| std::cmp::Reverse((sighting.order, sighting.run)));
        Ok(found)
    }

    async fn waiting_of(
        &self,
        project: ProjectId,
        run: &Run,
        only: Option<&str>,
    ) -> Result<Vec<Sighting>, Failure> {
        let mut ours = Vec::new();
        for pending in self.pending(project, run.id).await? {
            let name = &pending.environment.name;
            if !only.is_none_or(|only| same_environment(only, name)) {
                continue;
            }
            let rules = self.rules(project, name).await?;
            if rules.ours {
                ours.push((pending, rules.others));
            }
        }
        let Some((first, _)) = ours.first() else { return Ok(Vec::new()) };
        let environment = first.environment.name.clone();
        let spot = Spot { run: run.id, attempt: attempt(run), environment };
        let jobs = self.jobs(project, &spot).await?;
        self.remember_starters(run).await;
        let seen = |(pending, others): &(PendingDeployment, bool)| {
            let sighting = sighting::waiting(run, pending, &jobs)?;
            Some(Sighting { held_by_others: sighting.held_by_others || *others, ..sighting })
        };
        Ok(ours.iter().filter_map(seen).collect())
    }

    /// Which rules are enabled on an environment. What isn't told counts as ours alone: GitHub takes our decision
    /// or doesn't. An answer without ours isn't kept, so that our rule works as soon as it is there.
    async fn rules(&self, project: ProjectId, environment: &str) -> Result<Rules, Failure> {
        let key = (project, environment.to_lowercase());
        let now = self.clock.now();
        if let Some((seen, rules)) = self.rules.get(&key).await
            && now.duration_since(seen).abs() < RULE_KEPT
        {
            return Ok(rules);
        }
        let path = ["environments", environment, "deployment_protection_rules"];
        let rules: super::wire::ProtectionRules = match self.read(project, &path, &[]).await {
            Ok(rules) => rules,
            Err(Failure::NotFound | Failure::Refused(_)) => return Ok(Rules { ours: true, others: false }),
            Err(failure) => return Err(failure),
        };
        let app = self.directory.me().await?.app;
        let enabled =
            rules.custom_deployment_protection_rules.iter().filter(|rule| rule.enabled != Some(false));
        let (ours, others): (Vec<_>, Vec<_>) = enabled.partition(|rule| rule.app.id == app);
        let rules = Rules { ours: !ours.is_empty(), others: !others.is_empty() };
        if rules.ours {
            self.rules.insert(key, (now, rules)).await;
        }
        Ok(rules)
    }

    async fn remember_starters(&self, run: &Run) {
        for user in run.actor.iter().chain(&run.triggering_actor) {
            self.directory.remember(user).await;
        }
    }
}

/// Custom deployment protection rules that are enabled on an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// Ours is.
    ours: bool,
    /// Those of other Apps are: GitHub starts a job when all agree.
    others: bool,
}

/// A refusal to show a run tells nothing of it: it is asked for again until it is shown or gone.
fn shut_out(failure: Failure) -> Failure {
    let Failure::Refused(why) = failure else { return failure };
    Failure::Unavailable { what: format!("GitHub doesn't show the run: {why}"), retry_after: None }
}

/// The run is there, and this part of it isn't shown (yet).
fn unshown(failure: Failure) -> Failure {
    if failure != Failure::NotFound {
        return failure;
    }
    let what = "GitHub shows the run, and not this attempt of it".to_owned();
    Failure::Unavailable { what, retry_after: None }
}
