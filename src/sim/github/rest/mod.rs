//! The REST API: one call in, one answer out.

mod apps;
mod call;
mod checks;
mod comments;
mod commits;
mod deployments;
mod limits;
mod people;
mod pulls;
mod runs;

pub(super) use call::{Answer, Call, Reply};
pub(super) use limits::secondary_limit;

use serde_json::{Value, json};

use super::apps::Token;
use super::state::{Refused, State};
use super::{AppId, InstallationId, RepositoryId, UserId};
use call::list_in;

/// Who calls.
enum Caller {
    /// An App by its JWT.
    App(AppId),
    /// An App by a token of an installation.
    Guest(Guest),
}

/// An App that acts through one of its installations.
struct Guest {
    app: AppId,
    installation: InstallationId,
    bot: UserId,
    token: Token,
}

/// A guest's call to a repository that the installation reaches.
#[derive(Clone, Copy)]
struct Visit<'a> {
    call: &'a Call,
    guest: &'a Guest,
    repository: RepositoryId,
}

impl Visit<'_> {
    fn method(&self) -> &str {
        &self.call.method
    }
}

impl State {
    /// Carries a call out.
    pub(super) fn answer(&mut self, call: &Call) -> Answer {
        let caller = match self.log_in(call) {
            Ok(caller) => caller,
            Err(refused) => return refused.into(),
        };
        if let Err(answer) = self.count(call) {
            return answer;
        }
        self.route(call, &caller).unwrap_or_else(Answer::from)
    }

    fn log_in(&self, call: &Call) -> Result<Caller, Refused> {
        let value = call.token.as_deref().ok_or_else(|| Refused::new(401, "Requires authentication"))?;
        if !value.starts_with("ghs_") {
            return Ok(Caller::App(self.verify_jwt(value)?));
        }
        let bad = || Refused::new(401, "Bad credentials");
        let token = self.live_token(value).ok_or_else(bad)?.clone();
        let installation = self.installations.get(&token.installation).ok_or_else(bad)?;
        let app = self.apps.get(&installation.app).ok_or_else(bad)?;
        if installation.suspended_at.is_some() {
            return Err(Refused::new(403, "This installation has been suspended"));
        }
        Ok(Caller::Guest(Guest { app: app.id, installation: installation.id, bot: app.bot, token }))
    }

    fn route(&mut self, call: &Call, caller: &Caller) -> Reply {
        call.readable()?;
        let path: Vec<&str> = call.segments.iter().map(String::as_str).collect();
        match (path.as_slice(), caller) {
            ([], _) => Err(Refused::not_found()),
            (["rate_limit"], _) => Ok(Answer::ok(self.rate_json(call))),
            (["app", rest @ ..], Caller::App(app)) => self.route_app(call, *app, rest),
            (["app", ..], Caller::Guest(_)) => {
                Err(Refused::new(401, "A JSON web token could not be decoded"))
            }
            (["repos", owner, name, "installation"], Caller::App(app)) => {
                self.show_repository_installation(*app, &format!("{owner}/{name}"))
            }
            (["orgs" | "users", account, "installation"], Caller::App(app)) => {
                self.show_account_installation(*app, account)
            }
            (_, Caller::App(_)) => Err(Refused::not_accessible()),
            (rest, Caller::Guest(guest)) => self.route_guest(call, guest, rest),
        }
    }

    fn route_guest(&mut self, call: &Call, guest: &Guest, path: &[&str]) -> Reply {
        match (call.method.as_str(), path) {
            ("GET", ["installation", "repositories"]) => Ok(self.list_repositories(call, guest)),
            ("GET", ["user", id]) => self.show_user(id),
            ("GET", ["users", login]) => self.show_user_named(login),
            ("GET", ["orgs", org, rest @ ..]) => self.route_org(call, guest, org, rest),
            (_, ["repositories", id, rest @ ..]) => {
                let repository = number(id)?;
                self.enter(call, guest, repository, rest)
            }
            (_, ["repos", owner, name, rest @ ..]) => {
                let full_name = format!("{owner}/{name}");
                match self.repository_named(&full_name) {
                    Some(repository) => self.enter(call, guest, repository, rest),
                    None => self.moved_on(call, guest, &full_name),
                }
            }
            _ => Err(Refused::not_found()),
        }
    }

    /// A former name is answered with the way that lasts.
    fn moved_on(&self, call: &Call, guest: &Guest, full_name: &str) -> Reply {
        let repository = self.moved.get(&full_name.to_lowercase()).copied().ok_or_else(Refused::not_found)?;
        self.reached(guest, repository)?;
        // Behind `/repos/OWNER/NAME`, percent-encoding and all.
        let path = call.path.strip_prefix(&self.settings.api_prefix).unwrap_or_default();
        let behind = path.splitn(5, '/').nth(4).map(|rest| format!("/{rest}")).unwrap_or_default();
        let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
        let url = format!("{}/repositories/{repository}{behind}{query}", self.api());
        let mut refused = Refused::new(301, "Moved Permanently");
        super::render::put(&mut refused.body, "url", json!(url));
        let mut answer = Answer::from(refused);
        answer.headers.push(("Location", url));
        Ok(answer)
    }

    fn reached(&self, guest: &Guest, repository: RepositoryId) -> Result<(), Refused> {
        let installation = self.installations.get(&guest.installation).ok_or_else(Refused::not_found)?;
        let narrowed = guest.token.repositories.as_ref();
        let chosen = narrowed.is_none_or(|chosen| chosen.contains(&repository));
        if chosen && self.reaches(installation, repository) { Ok(()) } else { Err(Refused::not_found()) }
    }

    fn enter(&mut self, call: &Call, guest: &Guest, repository: RepositoryId, rest: &[&str]) -> Reply {
        self.reached(guest, repository)?;
        let visit = Visit { call, guest, repository };
        match rest {
            [] if call.method == "GET" => Ok(Answer::ok(self.repository_json(self.repository(repository)?))),
            ["actions", "runs", rest @ ..] => self.route_runs(visit, rest),
            ["deployments" | "environments", ..] => self.route_deployments(visit, rest),
            ["commits", _, "check-runs"] | ["check-runs", ..] => self.route_checks(visit, rest),
            ["commits", sha, "pulls"] => self.list_pulls_of_commit(visit, sha),
            ["commits", _, "comments"] | ["issues" | "comments", ..] => self.route_comments(visit, rest),
            ["commits", sha] => self.show_commit(visit, sha),
            ["compare", pair] if call.method == "GET" => self.compare(visit, pair),
            ["pulls", rest @ ..] => self.route_pulls(visit, rest),
            ["collaborators", rest @ ..] => self.route_collaborators(visit, rest),
            _ => Err(Refused::not_found()),
        }
    }

    /// What an installation's token may do with this: `read`, `write` or nothing.
    fn granted<'a>(&'a self, guest: &'a Guest, permission: &str) -> Option<&'a str> {
        let own = self.apps.get(&guest.app)?.permissions.get(permission)?;
        let narrowed = match &guest.token.permissions {
            Some(narrowed) => narrowed.get(permission)?,
            None => own,
        };
        Some(if own == "write" { narrowed } else { own })
    }

    fn needs(&self, guest: &Guest, permission: &str, level: &str) -> Result<(), Refused> {
        let granted = self.granted(guest, permission);
        if granted == Some(level) || granted == Some("write") {
            return Ok(());
        }
        Err(Refused::not_accessible())
    }

    /// Reading what a public repository holds needs no permission.
    fn needs_contents(&self, visit: Visit<'_>) -> Result<(), Refused> {
        if !self.is_private(visit.repository) {
            return Ok(());
        }
        self.needs(visit.guest, "contents", "read")
    }

    fn list_repositories(&self, call: &Call, guest: &Guest) -> Answer {
        let reached = self.repositories.values().filter(|home| self.reached(guest, home.id).is_ok());
        let shown: Vec<Value> = reached.map(|home| self.repository_json(home)).collect();
        list_in(call, &self.host, "repositories", shown)
    }
}

/// A number from a path.
fn number(text: &str) -> Result<u64, Refused> {
    text.parse().map_err(|_| Refused::not_found())
}
