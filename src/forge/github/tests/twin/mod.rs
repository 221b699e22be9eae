//! The ports against GitHub's twin, over real HTTP.

mod changes;
mod gate;
mod log;
mod lookup;
mod outcomes;
mod people;
mod talk;

use super::Watch;
use crate::domain::actor::Known;
use crate::domain::deployment::{Creators, Description};
use crate::domain::id::{Conversation, DeploymentId, ForgeName, Native, Place, Project, ProjectId, UserId};
use crate::domain::policy::Gate;
use crate::forge::github::{GitHub, Settings};
use crate::net::http::{Http, Limits};
use crate::ports::forge::{Lookup as _, Sighting};
use crate::sim::clock::HandClock;
use crate::sim::github::{self as sim, JobSpec, Level, NewPullRequest, NewRun};
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;

const HEAD: &str = "9f1c2d3e00000000000000000000000000000000";
const NEXT: &str = "aa00bb1100000000000000000000000000000000";

/// acme/shop: dana writes, alice maintains, bob administers, mallory is an outsider; `production` asks our App.
struct Stage {
    twin: sim::GitHub,
    github: GitHub,
    clock: HandClock,
    app: sim::App,
    acme: sim::UserId,
    repository: sim::RepositoryId,
    shop: ProjectId,
    dana: sim::UserId,
    alice: sim::UserId,
    bob: sim::UserId,
    mallory: sim::UserId,
}

async fn stage() -> Stage {
    let clock = HandClock::at("2026-11-21T08:00:00Z".parse().unwrap());
    let twin = sim::GitHub::new(clock.now());
    let url = twin.start().await.unwrap();
    let repository = twin.add_repository("acme/shop");
    let acme = twin.add_org("acme");
    let [dana, alice, bob, mallory] = ["dana", "alice", "bob", "mallory"].map(|name| twin.add_user(name));
    for (user, level) in [(dana, Level::Write), (alice, Level::Maintain), (bob, Level::Admin)] {
        twin.add_collaborator(repository, user, level);
    }
    let app = twin.register_app("countersign");
    twin.install(app.id, acme);
    twin.add_environment(repository, "production");
    twin.enable_rule(repository, "production", app.id).unwrap();
    let settings = Settings {
        name: ForgeName::new("github"),
        api_url: url.parse().unwrap(),
        app_id: app.id,
        private_key: app.private_key_pem.clone().into(),
    };
    let http = Http::new(Limits { connect: Duration::from_secs(5), total: Duration::from_secs(10) }).unwrap();
    let github = GitHub::new(settings, &http, Arc::new(Watch(clock.clone()))).unwrap();
    let shop = ProjectId(signed(repository));
    Stage { twin, github, clock, app, acme, repository, shop, dana, alice, bob, mallory }
}

fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap()
}

fn user(id: sim::UserId) -> UserId {
    UserId(signed(id))
}

fn deploy() -> JobSpec {
    JobSpec::new("deploy").environment("production")
}

impl Stage {
    fn wait(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    fn run(&self, sha: &str) -> sim::RunId {
        self.twin.start_run(self.repository, NewRun::push("main", sha, self.dana).job(deploy()))
    }

    fn pull(&self) -> i64 {
        let new = NewPullRequest::new("feature", HEAD, "Sell more");
        signed(self.twin.open_pull_request(self.repository, self.dana, new))
    }

    fn at(&self, place: Place) -> Conversation {
        Conversation { forge: ForgeName::new("github"), project: self.shop, place }
    }

    async fn look(&self, native: &str) -> Sighting {
        self.github.deployment(self.shop, &Native::new(native)).await.unwrap()
    }

    async fn waiting(&self) -> Vec<Sighting> {
        self.github.waiting(self.shop).await.unwrap()
    }

    /// How often GitHub was asked to change something.
    fn writes(&self) -> usize {
        let calls = self.twin.requests();
        calls.iter().filter(|call| call.method != "GET" && !call.path.ends_with("/access_tokens")).count()
    }
}

fn native(run: sim::RunId, attempt: u64) -> String {
    format!("{run}.{attempt}:production")
}

/// A deployment to production as it was opened, number 12.
fn description(stage: &Stage, native: &str) -> Description {
    let (forge, native) = (ForgeName::new("github"), Native::new(native));
    let at = stage.clock.time();
    Description {
        id: DeploymentId::new(&forge, stage.shop, &native),
        native,
        round: 1,
        forge,
        project: Project { id: stage.shop, path: "acme/shop".to_owned() },
        number: 12,
        order: 1,
        environment: "production".to_owned(),
        sha: HEAD.to_owned(),
        ref_name: "main".to_owned(),
        title: None,
        run: 1,
        job_name: None,
        url: None,
        created_at: at,
        blocked_at: at,
        gate: Gate::ProtectionRule,
        creators: Creators { started_by: Vec::new(), stand_ins: Known::Fact(Vec::new()) },
        conversation: None,
        notify: None,
        within_reach: None,
    }
}
