//! The twin is driven as the product drives it: over HTTP, with a token.

mod api;
mod compare;
mod deploying;
mod hooks;
mod talking;

use serde_json::{Value, json};

use super::*;
use crate::sim::clock::HandClock;
use crate::sim::faults::Action;

const TOKEN: &str = "PRIVATE-TOKEN";

/// acme/shop: dana develops, alice and bob maintain, mallory is an outsider; production needs one Maintainer.
struct World {
    gitlab: GitLab,
    clock: HandClock,
    url: String,
    shop: ProjectId,
    dana: UserId,
    alice: UserId,
    bob: UserId,
    mallory: UserId,
    bot: UserId,
    token: String,
}

async fn world() -> World {
    let clock = HandClock::at("2026-05-08T10:00:00Z".parse().unwrap());
    let gitlab = GitLab::new(clock.now());
    let url = gitlab.start().await.unwrap();
    let shop = gitlab.add_project("acme/shop");
    let [dana, alice, bob, mallory] =
        ["dana", "alice", "bob", "mallory"].map(|name| gitlab.add_user(name, &name.to_uppercase()));
    let bot = gitlab.add_bot("countersign", "Countersign");
    gitlab.add_member(shop, dana, Level::DEVELOPER);
    for maintainer in [alice, bob, bot] {
        gitlab.add_member(shop, maintainer, Level::MAINTAINER);
    }
    let production = ProtectedEnvironment::new("production")
        .deployers(Level::DEVELOPER)
        .rule(ApprovalRule::level(Level::MAINTAINER, 1));
    gitlab.protect_environment(shop, production);
    let token = gitlab.add_token(bot, &["api"]);
    World { gitlab, clock, url, shop, dana, alice, bob, mallory, bot, token }
}

/// A deployment to production, blocked, started by dana.
struct Blocked {
    pipeline: PipelineId,
    job: JobId,
    deployment: DeploymentId,
}

impl World {
    fn blocked(&self) -> Blocked {
        self.blocked_in("production")
    }

    fn blocked_in(&self, environment: &str) -> Blocked {
        let job = JobSpec::new("deploy").environment(environment).manual();
        let pipeline =
            self.gitlab.run_pipeline(self.shop, NewPipeline::new("main", "9f1c", self.dana).job(job));
        let job = self.gitlab.job_named(pipeline, "deploy").unwrap();
        Blocked { pipeline, job, deployment: self.gitlab.deployment_of(job).unwrap() }
    }

    fn merge_request(&self) -> Iid {
        self.gitlab.open_merge_request(self.shop, self.dana, "feature", "Sell more")
    }

    fn token_of(&self, user: UserId) -> String {
        self.gitlab.add_token(user, &["api"])
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[(TOKEN, &self.token)], None).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path, &[(TOKEN, &self.token)], Some(body)).await.unwrap()
    }

    async fn post_as(&self, user: UserId, path: &str, body: Value) -> Reply {
        self.ask("POST", path, &[(TOKEN, &self.token_of(user))], Some(body)).await.unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "the twin is tested without the product's own client")]
    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Reply, reqwest::Error> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("{}/api/v4{}", self.url, path.replace(":shop", &self.shop.to_string()));
        let request = client.request(method.parse().unwrap(), url);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = body.into_iter().fold(request, |request, body| request.json(&body));
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await?;
        Ok(Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    async fn approve(&self, by: UserId, deployment: DeploymentId) -> (u16, String) {
        let path = format!("/projects/:shop/deployments/{deployment}/approval");
        let reply = self.post_as(by, &path, json!({ "status": "approved" })).await;
        (reply.status, reply.body["message"].as_str().unwrap_or_default().to_owned())
    }

    /// A hook on everything, to an address of the twin itself that answers with this status.
    fn hook_answering(&self, status: u16, edit: impl FnOnce(NewHook) -> NewHook) -> HookId {
        let action = Action::Answer { status, body: "{}".into() };
        self.gitlab.add_fault(Rule::new("/sink", action));
        let hook = NewHook::new(format!("{}/sink", self.url)).every_event();
        self.gitlab.add_hook(self.shop, edit(hook))
    }

    /// What was delivered of one event, oldest first, with the bodies read.
    async fn delivered(&self, event: HookEvent) -> Vec<Value> {
        self.gitlab.deliver_hooks().await;
        let all = self.gitlab.deliveries().into_iter().filter(|delivery| delivery.event == event);
        all.map(|delivery| serde_json::from_str(&delivery.body).unwrap()).collect()
    }
}

struct Reply {
    status: u16,
    headers: hyper::HeaderMap,
    body: Value,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
