//! GitHub's JSON: accounts, repositories, environments, Apps, check runs and what is said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::apps::{Installation, Registered};
use super::checks::CheckRun;
use super::comments::{Comment, Place, Reaction};
use super::people::{Kind, Level};
use super::pulls::{Issue, Pull, Review};
use super::repositories::{Environment, Repository, Reviewer};
use super::state::State;
use super::{AppId, RepositoryId, UserId};

pub(super) fn node_id(kind: &str, id: u64) -> String {
    STANDARD.encode(format!("{kind}:{id}"))
}

impl State {
    /// `null` for an account that is gone.
    pub(super) fn user_json(&self, user: UserId) -> Value {
        let Some(account) = self.accounts.get(&user) else { return Value::Null };
        let (login, id, host, api) = (&account.login, account.id, &self.host, self.api());
        let page = login.strip_suffix("[bot]").map(|slug| format!("{host}/apps/{slug}"));
        let url = format!("{api}/users/{login}");
        json!({
            "login": login,
            "id": id,
            "node_id": node_id("User", id),
            "avatar_url": format!("{host}/avatars/u/{id}?v=4"),
            "gravatar_id": "",
            "url": url,
            "html_url": page.unwrap_or_else(|| format!("{host}/{login}")),
            "followers_url": format!("{url}/followers"),
            "following_url": format!("{url}/following{{/other_user}}"),
            "gists_url": format!("{url}/gists{{/gist_id}}"),
            "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{url}/subscriptions"),
            "organizations_url": format!("{url}/orgs"),
            "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events{{/privacy}}"),
            "received_events_url": format!("{url}/received_events"),
            "type": account.kind.name(),
            "user_view_type": "public",
            "site_admin": false,
        })
    }

    /// Where the API has a repository.
    pub(super) fn repository_url(&self, repository: RepositoryId) -> String {
        format!("{}/repos/{}", self.api(), self.full_name(repository).unwrap_or_default())
    }

    /// Where its pages are.
    pub(super) fn page_url(&self, repository: RepositoryId) -> String {
        format!("{}/{}", self.host, self.full_name(repository).unwrap_or_default())
    }

    pub(super) fn repository_json(&self, home: &Repository) -> Value {
        json!({
            "id": home.id,
            "node_id": node_id("Repository", home.id),
            "name": home.name,
            "full_name": self.full_name(home.id),
            "private": home.private,
            "visibility": if home.private { "private" } else { "public" },
            "owner": self.user_json(home.owner),
            "html_url": self.page_url(home.id),
            "url": self.repository_url(home.id),
            "description": null,
            "fork": false,
            "archived": home.archived,
            "disabled": false,
            "default_branch": "main",
            "created_at": home.created_at,
            "updated_at": home.pushed_at,
            "pushed_at": home.pushed_at,
        })
    }

    pub(super) fn app_json(&self, app: AppId) -> Value {
        let Some(app) = self.apps.get(&app) else { return Value::Null };
        let owner = self.accounts.values().find(|account| account.kind == Kind::Organization);
        json!({
            "id": app.id,
            "slug": app.slug,
            "client_id": client_id(app),
            "node_id": node_id("App", app.id),
            "owner": owner.map_or(Value::Null, |owner| self.user_json(owner.id)),
            "name": app.slug,
            "description": null,
            "external_url": "https://countersign.example.com",
            "html_url": format!("{}/apps/{}", self.host, app.slug),
            "created_at": app.created_at,
            "updated_at": app.created_at,
            "permissions": app.permissions,
            "events": events_of(app),
            "installations_count": self.installations.values().filter(|known| known.app == app.id).count(),
        })
    }

    pub(super) fn installation_json(&self, installation: &Installation) -> Value {
        let app = self.apps.get(&installation.app);
        let kind = self.accounts.get(&installation.account).map(|account| account.kind.name());
        json!({
            "id": installation.id,
            "account": self.user_json(installation.account),
            "target_id": installation.account,
            "target_type": kind,
            "repository_selection": if installation.selected.is_some() { "selected" } else { "all" },
            "access_tokens_url": format!("{}/app/installations/{}/access_tokens", self.api(), installation.id),
            "repositories_url": format!("{}/installation/repositories", self.api()),
            "app_id": installation.app,
            "app_slug": app.map(|app| &app.slug),
            "permissions": app.map(|app| &app.permissions),
            "events": app.map(events_of),
            "created_at": installation.created_at,
            "updated_at": installation.created_at,
            "single_file_name": null,
            "suspended_by": null,
            "suspended_at": installation.suspended_at,
        })
    }

    pub(super) fn environment_head(&self, repository: RepositoryId, id: u64, name: &str) -> Value {
        let escaped: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let escaped = escaped.replace('+', "%20");
        json!({
            "id": id,
            "node_id": node_id("Environment", id),
            "name": name,
            "url": format!("{}/environments/{escaped}", self.repository_url(repository)),
            "html_url": format!("{}/deployments/activity_log?environments_filter={escaped}", self.page_url(repository)),
        })
    }

    pub(super) fn environment_json(&self, repository: RepositoryId, environment: &Environment) -> Value {
        let mut rules = Vec::new();
        if environment.wait_timer > 0 {
            let minutes = environment.wait_timer;
            rules.push(json!({ "id": 1, "node_id": "R1", "type": "wait_timer", "wait_timer": minutes }));
        }
        if !environment.reviewers.is_empty() {
            rules.push(json!({
                "id": 2,
                "node_id": "R2",
                "type": "required_reviewers",
                "prevent_self_review": environment.prevent_self_review,
                "reviewers": self.reviewers_json(&environment.reviewers),
            }));
        }
        let mut body = self.environment_head(repository, environment.id, &environment.name);
        put(&mut body, "created_at", json!(environment.created_at));
        put(&mut body, "updated_at", json!(environment.created_at));
        put(&mut body, "can_admins_bypass", json!(environment.can_admins_bypass));
        put(&mut body, "protection_rules", json!(rules));
        put(&mut body, "deployment_branch_policy", Value::Null);
        body
    }

    pub(super) fn reviewers_json(&self, reviewers: &[Reviewer]) -> Value {
        let one = |reviewer: &Reviewer| match *reviewer {
            Reviewer::User(user) => json!({ "type": "User", "reviewer": self.user_json(user) }),
            Reviewer::Team(team) => json!({ "type": "Team", "reviewer": self.team_json(team) }),
        };
        reviewers.iter().map(one).collect()
    }

    pub(super) fn team_json(&self, team: u64) -> Value {
        let Some(team) = self.teams.get(&team) else { return Value::Null };
        json!({
            "id": team.id,
            "node_id": node_id("Team", team.id),
            "name": team.slug,
            "slug": team.slug,
            "privacy": "closed",
            "permission": "pull",
            "url": format!("{}/organizations/{}/team/{}", self.api(), team.org, team.id),
            "parent": team.parent.map(|parent| self.team_json(parent)),
        })
    }

    pub(super) fn issue_json(&self, issue: &Issue) -> Value {
        let (api, page) = (self.repository_url(issue.repository), self.page_url(issue.repository));
        let number = issue.number;
        let mut body = json!({
            "id": issue.id,
            "node_id": node_id("Issue", issue.id),
            "number": number,
            "url": format!("{api}/issues/{number}"),
            "html_url": format!("{page}/issues/{number}"),
            "title": issue.title,
            "user": self.user_json(issue.author),
            "state": if issue.open { "open" } else { "closed" },
            "locked": issue.locked,
            "created_at": issue.created_at,
            "updated_at": issue.updated_at,
        });
        if let Some(pull) = &issue.pull {
            let link = json!({
                "url": format!("{api}/pulls/{number}"),
                "html_url": format!("{page}/pull/{number}"),
                "merged_at": pull.merged.map(|(_, at)| at),
            });
            put(&mut body, "pull_request", link);
        }
        body
    }

    /// A pull request as lists show it: without who merged it.
    pub(super) fn pull_json(&self, issue: &Issue, pull: &Pull) -> Value {
        let (api, page) = (self.repository_url(issue.repository), self.page_url(issue.repository));
        let (number, author) = (issue.number, self.login_of(issue.author));
        let home = self.repositories.get(&issue.repository);
        let base = home.map_or(Value::Null, |home| self.repository_json(home));
        let owner = home.map_or(0, |home| home.owner);
        let mut head = base.clone();
        if pull.fork {
            put(&mut head, "id", json!(pull.head_repository(issue)));
            put(&mut head, "full_name", json!(format!("{author}/fork")));
            put(&mut head, "fork", json!(true));
        }
        let head_owner = if pull.fork { issue.author } else { owner };
        json!({
            "id": issue.id,
            "node_id": node_id("PullRequest", issue.id),
            "number": number,
            "url": format!("{api}/pulls/{number}"),
            "html_url": format!("{page}/pull/{number}"),
            "state": if issue.open { "open" } else { "closed" },
            "locked": issue.locked,
            "title": issue.title,
            "user": self.user_json(issue.author),
            "body": null,
            "draft": false,
            "created_at": issue.created_at,
            "updated_at": issue.updated_at,
            "merged_at": pull.merged.map(|(_, at)| at),
            "merge_commit_sha": pull.merge_commit,
            "head": {
                "label": format!("{}:{}", self.login_of(head_owner), pull.branch),
                "ref": pull.branch,
                "sha": pull.head(),
                "user": self.user_json(head_owner),
                "repo": head,
            },
            "base": {
                "label": format!("{}:main", self.login_of(owner)),
                "ref": "main",
                "sha": "0".repeat(40),
                "user": self.user_json(owner),
                "repo": base,
            },
            "author_association": self.association(issue.repository, issue.author),
        })
    }

    /// A pull request as it is shown alone.
    pub(super) fn whole_pull_json(&self, issue: &Issue, pull: &Pull) -> Value {
        let mut body = self.pull_json(issue, pull);
        put(&mut body, "merged", json!(pull.merged.is_some()));
        put(&mut body, "merged_by", pull.merged.map_or(Value::Null, |(by, _)| self.user_json(by)));
        put(&mut body, "commits", json!(pull.heads.len()));
        body
    }

    pub(super) fn review_json(&self, review: &Review) -> Value {
        let (number, id) = (review.number, review.id);
        let page = format!("{}/pull/{number}", self.page_url(review.repository));
        json!({
            "id": id,
            "node_id": node_id("PullRequestReview", id),
            "user": self.user_json(review.author),
            "body": review.body.as_deref().unwrap_or_default(),
            "state": review.state.to_uppercase(),
            "html_url": format!("{page}#pullrequestreview-{id}"),
            "pull_request_url": format!("{}/pulls/{number}", self.repository_url(review.repository)),
            "author_association": self.association(review.repository, review.author),
            "submitted_at": review.at,
            "commit_id": review.commit,
        })
    }

    pub(super) fn comment_json(&self, comment: &Comment) -> Value {
        let (api, page) = (self.repository_url(comment.repository), self.page_url(comment.repository));
        let id = comment.id;
        let mut body = json!({
            "id": id,
            "node_id": node_id("Comment", id),
            "user": self.user_json(comment.author),
            "body": comment.body,
            "created_at": comment.created_at,
            "updated_at": comment.updated_at,
            "author_association": self.association(comment.repository, comment.author),
            "performed_via_github_app": comment.app.map(|app| self.app_json(app)),
        });
        match &comment.place {
            Place::Issue(number) => {
                let pull = self.pull(comment.repository, *number).is_ok();
                let kind = if pull { "pull" } else { "issues" };
                put(&mut body, "url", json!(format!("{api}/issues/comments/{id}")));
                put(&mut body, "html_url", json!(format!("{page}/{kind}/{number}#issuecomment-{id}")));
                put(&mut body, "issue_url", json!(format!("{api}/issues/{number}")));
            }
            Place::Commit(sha) => {
                put(&mut body, "url", json!(format!("{api}/comments/{id}")));
                put(&mut body, "html_url", json!(format!("{page}/commit/{sha}#commitcomment-{id}")));
                put(&mut body, "commit_id", json!(sha));
                put(&mut body, "path", Value::Null);
                put(&mut body, "position", Value::Null);
                put(&mut body, "line", Value::Null);
            }
        }
        body
    }

    pub(super) fn reaction_json(&self, reaction: &Reaction) -> Value {
        json!({
            "id": reaction.id,
            "node_id": node_id("Reaction", reaction.id),
            "user": self.user_json(reaction.user),
            "content": reaction.content,
            "created_at": reaction.at,
        })
    }

    /// What GitHub shows beside a name. It is no authorisation: members by a team show as nobody in particular.
    fn association(&self, repository: RepositoryId, user: UserId) -> &'static str {
        let home = self.repositories.get(&repository);
        let is_collaborator = home.is_some_and(|home| home.collaborators.contains_key(&user));
        match self.role_of(user, repository).map(|role| role.base) {
            Some(Level::Admin) if !is_collaborator => "OWNER",
            Some(_) if is_collaborator => "COLLABORATOR",
            Some(_) | None => "NONE",
        }
    }

    pub(super) fn check_run_json(&self, check: &CheckRun) -> Value {
        let (api, page) = (self.repository_url(check.repository), self.page_url(check.repository));
        let id = check.id;
        let pulls = self
            .pulls_of(check.repository)
            .filter(|(issue, pull)| issue.open && !pull.fork && pull.head() == check.head_sha);
        json!({
            "id": id,
            "node_id": node_id("CheckRun", id),
            "name": check.name,
            "head_sha": check.head_sha,
            "external_id": check.external_id,
            "url": format!("{api}/check-runs/{id}"),
            "html_url": format!("{page}/runs/{id}"),
            "details_url": check.details_url,
            "status": check.status,
            "conclusion": check.conclusion,
            "started_at": check.started_at,
            "completed_at": check.completed_at,
            "output": {
                "title": check.title,
                "summary": check.summary,
                "text": check.text,
                "annotations_count": 0,
                "annotations_url": format!("{api}/check-runs/{id}/annotations"),
            },
            "check_suite": { "id": check.app + 1_000_000 },
            "app": self.app_json(check.app),
            "pull_requests": pulls.map(|(issue, pull)| self.short_pull_json(issue, pull)).collect::<Vec<_>>(),
        })
    }
}

pub(super) fn client_id(app: &Registered) -> String {
    format!("Iv23li{:014}", app.id)
}

fn events_of(app: &Registered) -> Vec<String> {
    let all = super::told::EVENTS.iter().map(|(event, _)| (*event).to_owned());
    app.events.clone().unwrap_or_else(|| all.collect())
}

pub(super) fn put(body: &mut Value, name: &str, value: Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.insert(name.into(), value);
    }
}
