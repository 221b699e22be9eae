//! Reading GitLab.

use super::GitLab;
use super::changes;
use super::wire::{Deployment, GroupSeen, Membership, MergeRequestSeen, ProjectSeen, User};
use crate::domain::actor::Account;
use crate::domain::facts::Person;
use crate::domain::id::{ForgeName, Native, Project, ProjectId, UserId};
use crate::domain::notice::Changes;
use crate::ports::failure::Failure;
use crate::ports::forge::{ActiveProject, GroupRef, Lookup, Member, MergeRequest, Progress, Sighting};
use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// Pages read of waiting deployments and active projects.
const MANY_PAGES: usize = 25;
/// Pages read of lists that are short in practice.
const FEW_PAGES: usize = 5;
/// As many members as one list names.
const MOST_MEMBERS: usize = 100;

#[async_trait]
impl Lookup for GitLab {
    fn name(&self) -> &ForgeName {
        &self.name
    }

    async fn me(&self) -> Result<Account, Failure> {
        let me = self.me.get_or_try_init(|| async {
            let user: User = self.client.get(&["user"], &[]).await?;
            Ok(Account { id: UserId(user.id), username: user.username, bot: user.bot.unwrap_or(true) })
        });
        me.await.cloned()
    }

    /// Nothing of the kind is kept.
    fn reach_changed(&self) {}

    async fn project(&self, id: ProjectId) -> Result<Project, Failure> {
        self.project_at(&id.0.to_string()).await
    }

    async fn project_at(&self, path: &str) -> Result<Project, Failure> {
        self.client.get(&["projects", path], &[]).await.map(ProjectSeen::into_project)
    }

    async fn active_projects(&self, since: Timestamp) -> Result<Vec<ActiveProject>, Failure> {
        let since = since.to_string();
        let query = [
            ("membership", "true"),
            ("archived", "false"),
            ("simple", "true"),
            ("order_by", "last_activity_at"),
            ("sort", "desc"),
            ("last_activity_after", since.as_str()),
        ];
        let projects: Vec<ProjectSeen> = self.client.pages(&["projects"], &query, MANY_PAGES)?.all().await?;
        Ok(projects.into_iter().filter_map(ProjectSeen::into_active).collect())
    }

    async fn waiting(&self, project: ProjectId) -> Result<Vec<Sighting>, Failure> {
        let query = [("status", "blocked"), ("order_by", "id"), ("sort", "desc")];
        let id = project.0.to_string();
        let pages = self.client.pages(&["projects", &id, "deployments"], &query, MANY_PAGES)?;
        let found: Vec<Deployment> = pages.all().await?;
        Ok(readable(found).filter(|sighting| sighting.state == Progress::Waiting).collect())
    }

    async fn waiting_in(
        &self,
        project: ProjectId,
        environment: &str,
        _: Option<Timestamp>,
    ) -> Result<Vec<Sighting>, Failure> {
        let found = self.deployments_of(project, environment, Some("blocked"), 100).await?;
        Ok(readable(found).filter(|sighting| sighting.state == Progress::Waiting).collect())
    }

    async fn waiting_in_run(&self, project: ProjectId, run: i64) -> Result<Vec<Sighting>, Failure> {
        let waiting = self.waiting(project).await?;
        Ok(waiting.into_iter().filter(|sighting| sighting.run == run).collect())
    }

    async fn newest_started(
        &self,
        project: ProjectId,
        environment: &str,
    ) -> Result<Option<Sighting>, Failure> {
        const RECENT: usize = 20;
        let recent = self.deployments_of(project, environment, None, RECENT).await?;
        let all = recent.len() < RECENT;
        let newest = readable(recent).find(is_started);
        if newest.is_some() || all {
            return Ok(newest);
        }
        let mut started = self.deployments_of(project, environment, Some("running"), 1).await?;
        started.extend(self.deployments_of(project, environment, Some("success"), 1).await?);
        Ok(readable(started).filter(is_started).max_by_key(|sighting| sighting.order))
    }

    async fn deployment(&self, project: ProjectId, native: &Native) -> Result<Sighting, Failure> {
        let id = project.0.to_string();
        let found: Deployment =
            self.client.get(&["projects", &id, "deployments", native.as_str()], &[]).await?;
        found.into_sighting()
    }

    fn numbered(&self, number: i64) -> Option<Native> {
        Some(super::native(number))
    }

    /// `deployment.user` is in every look.
    async fn other_starters(&self, _: ProjectId, _: &Native) -> Result<Vec<Account>, Failure> {
        Ok(Vec::new())
    }

    async fn carrier(&self, project: ProjectId, sighting: &Sighting) -> Result<Option<i64>, Failure> {
        let id = project.0.to_string();
        let path = ["projects", &id, "repository", "commits", &sighting.sha, "merge_requests"];
        let found: Vec<MergeRequestSeen> = self.client.pages(&path, &[], FEW_PAGES)?.all().await?;
        let requests: Vec<MergeRequest> = found.into_iter().map(MergeRequest::from).collect();
        Ok(carrier(&requests, sighting).map(|request| request.number))
    }

    async fn merge_request(&self, project: ProjectId, number: i64) -> Result<MergeRequest, Failure> {
        let (id, number) = (project.0.to_string(), number.to_string());
        let found: MergeRequestSeen =
            self.client.get(&["projects", &id, "merge_requests", &number], &[]).await?;
        Ok(found.into())
    }

    async fn member(&self, project: ProjectId, user: UserId) -> Result<Member, Failure> {
        let (id, number) = (project.0.to_string(), user.0.to_string());
        let found: Option<Membership> =
            self.client.find(&["projects", &id, "members", "all", &number]).await?;
        let Some(membership) = found else {
            let (account, active) = self.fresh(user).await?;
            return Ok(Member { person: Person { account, active }, level: 0 });
        };
        let bot = self.account(user).await?.bot;
        let (active, level) = (membership.is_active(), membership.level(self.today()));
        let account = Account { id: user, username: membership.username, bot };
        Ok(Member { person: Person { account, active }, level })
    }

    async fn account(&self, user: UserId) -> Result<Account, Failure> {
        match self.accounts.get(&user).await {
            Some(known) => Ok(known),
            None => self.fresh(user).await.map(|(account, _)| account),
        }
    }

    async fn user_named(&self, username: &str) -> Result<Option<Account>, Failure> {
        let found: Vec<User> = self.client.get(&["users"], &[("username", username)]).await?;
        match found.into_iter().find(|user| user.username.eq_ignore_ascii_case(username)) {
            Some(user) => self.account(UserId(user.id)).await.map(Some),
            None => Ok(None),
        }
    }

    async fn group_id(&self, path: &str) -> Result<i64, Failure> {
        let found: GroupSeen = self.client.get(&["groups", path], &[("with_projects", "false")]).await?;
        Ok(found.id)
    }

    async fn is_group_member(
        &self,
        group: GroupRef<'_>,
        inherited: bool,
        user: UserId,
    ) -> Result<bool, Failure> {
        let (group, number) = (group.id.to_string(), user.0.to_string());
        let mut path = members_of(&group, inherited);
        path.push(&number);
        let found: Option<Membership> = self.client.find(&path).await?;
        Ok(found.is_some_and(|membership| membership.level(self.today()) > 0))
    }

    async fn changes(&self, project: &Project, environment: &str, sha: &str) -> Result<Changes, Failure> {
        changes::of(self, project, environment, sha).await
    }

    async fn members_from(&self, project: ProjectId, level: i32) -> Result<Option<Vec<Account>>, Failure> {
        let id = project.0.to_string();
        self.members(&["projects", &id, "members", "all"], level).await
    }

    async fn group_members(&self, group: &str, inherited: bool) -> Result<Option<Vec<Account>>, Failure> {
        self.members(&members_of(group, inherited), 1).await
    }
}

impl GitLab {
    /// An account and whether it is active, read now. Its name and bot mark are kept for later.
    async fn fresh(&self, id: UserId) -> Result<(Account, bool), Failure> {
        let user: User = self.client.get(&["users", &id.0.to_string()], &[]).await?;
        let active = user.is_active();
        let Some(bot) = user.bot else {
            return Err(Failure::Unreadable("GitLab doesn't tell whether the account is a bot".to_owned()));
        };
        let account = Account { id, username: user.username, bot };
        self.accounts.insert(id, account.clone()).await;
        Ok((account, active))
    }

    async fn deployments_of(
        &self,
        project: ProjectId,
        environment: &str,
        status: Option<&str>,
        most: usize,
    ) -> Result<Vec<Deployment>, Failure> {
        let (id, most) = (project.0.to_string(), most.to_string());
        let mut query = vec![
            ("environment", environment),
            ("order_by", "id"),
            ("sort", "desc"),
            ("per_page", most.as_str()),
        ];
        query.extend(status.map(|status| ("status", status)));
        self.client.get(&["projects", &id, "deployments"], &query).await
    }

    async fn members(&self, path: &[&str], level: i32) -> Result<Option<Vec<Account>>, Failure> {
        let mut pages = self.client.pages(path, &[], MANY_PAGES)?;
        let mut counted = BTreeMap::new();
        while let Some(page) = pages.next::<Membership>().await? {
            let enough = page.into_iter().filter(|member| member.level(self.today()) >= level);
            counted.extend(enough.map(|member| (member.id, member.username)));
            if counted.len() > MOST_MEMBERS {
                return Ok(None);
            }
        }
        if pages.is_cut() {
            return Ok(None);
        }
        let mut accounts = Vec::with_capacity(counted.len());
        for (id, username) in counted {
            let bot = self.account(UserId(id)).await?.bot;
            accounts.push(Account { id: UserId(id), username, bot });
        }
        Ok(Some(accounts))
    }

    fn today(&self) -> Date {
        self.clock.now().to_zoned(TimeZone::UTC).date()
    }
}

fn members_of(group: &str, inherited: bool) -> Vec<&str> {
    let mut path = vec!["groups", group, "members"];
    path.extend(inherited.then_some("all"));
    path
}

/// Of a list, what can be understood: one deployment of an unknown kind doesn't hide the others.
fn readable(found: Vec<Deployment>) -> impl Iterator<Item = Sighting> {
    found.into_iter().filter_map(|deployment| {
        deployment.into_sighting().inspect_err(|why| tracing::warn!(%why, "a deployment was skipped")).ok()
    })
}

fn is_started(sighting: &Sighting) -> bool {
    matches!(sighting.state, Progress::Running | Progress::Succeeded)
}

/// The merge request whose merge made this commit on this branch; else the newest open one whose head it is.
fn carrier<'a>(requests: &'a [MergeRequest], sighting: &Sighting) -> Option<&'a MergeRequest> {
    let merged =
        |r: &&MergeRequest| r.target_branch == sighting.ref_name && r.merged_as.contains(&sighting.sha);
    let open = |r: &&MergeRequest| r.open && r.head_sha == sighting.sha;
    let newest = |a: &&MergeRequest| a.number;
    requests
        .iter()
        .filter(merged)
        .max_by_key(newest)
        .or_else(|| requests.iter().filter(open).max_by_key(newest))
}
