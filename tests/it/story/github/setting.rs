//! Who lives in GitHub, and what is set up there.

use super::Stage;
use crate::story::stage::{Done, Switches};
use countersign::sim::clock::HandClock;
use countersign::sim::github::{GitHub, Level, NewPullRequest, TeamId, TeamState};
use std::collections::BTreeMap;
use std::net::SocketAddr;

impl Stage {
    pub(super) async fn raise(clock: &HandClock, switches: &Switches) -> Self {
        let github = GitHub::new(clock.now());
        github.start().await.unwrap();
        let app = github.register_app("countersign");
        // GitHub tells of comments on commits only those who may read contents.
        github.set_permissions(app.id, &[("contents", "read")]);
        if switches.on("the App may not see members") {
            github.set_permissions(app.id, &[("members", "none")]);
        }
        let repository = github.add_repository("acme/shop");
        let acme = github.add_org("acme");
        let installation = github.install(app.id, acme);
        let mut users = BTreeMap::from([("countersign".to_owned(), app.bot)]);
        users.insert("renovate".to_owned(), github.add_bot("renovate[bot]"));
        for (name, level) in [
            ("dana", Level::Write),
            ("alice", Level::Maintain),
            ("bob", Level::Maintain),
            ("carol", Level::Write),
            ("mallory", Level::Read),
            ("ada", Level::Admin),
        ] {
            let user = github.add_user(name);
            github.add_collaborator(repository, user, level);
            users.insert(name.to_owned(), user);
        }
        let mut teams = BTreeMap::new();
        for (slug, members) in [("qa", &["alice"][..]), ("sre", &["alice", "bob"][..])] {
            let team = github.add_team(acme, slug, None);
            teams.insert(format!("acme/{slug}"), team);
            for member in members {
                github.add_team_member(team, users[*member], TeamState::Active);
            }
        }
        teams.insert("acme/oncall".to_owned(), github.add_team(acme, "oncall", Some(teams["acme/sre"])));
        let head = format!("{:040x}", 1);
        Self {
            github,
            clock: clock.clone(),
            app,
            installation,
            repository,
            request: 0,
            users,
            teams,
            heads: vec![head.clone()],
            head,
            runs: Vec::new(),
        }
    }

    pub(super) fn configured(&self, private_key_pem: &str) -> String {
        format!(
            "[[github]]\napi_url = \"{}\"\napp_id = {}\nprivate_key = \"\"\"\n{private_key_pem}\"\"\"\n\
             webhook_secrets = [\"{}\"]\npoll = \"60s\"\n",
            self.github.url(),
            self.app.id,
            self.app.webhook_secret,
        )
    }

    /// Hooks, protected environments and the pull request.
    pub(super) fn put_in_place(&mut self, countersign: SocketAddr) {
        self.github.set_hook_url(self.app.id, &format!("http://{countersign}/hooks/github"));
        for name in ["production", "staging", "production/eu", "production/us"] {
            self.github.add_environment(self.repository, name);
            self.github.enable_rule(self.repository, name, self.app.id).unwrap();
        }
        let new = NewPullRequest::new("sell-more", &self.head, "Sell more");
        self.request = self.github.open_pull_request(self.repository, self.users["dana"], new);
    }

    pub(super) fn team(&self, path: &str) -> Result<TeamId, String> {
        self.teams.get(path).copied().ok_or_else(|| format!("there is no team {path}"))
    }

    /// Joins a team, or the organisation alone.
    pub(super) fn join_team(&self, path: &str, user: u64) -> Done {
        if path == "acme" {
            self.github.add_org_member(self.github.add_org("acme"), user, false);
            return Ok(());
        }
        self.github.add_team_member(self.team(path)?, user, TeamState::Active);
        Ok(())
    }
}
