//! The twin is driven as the product drives it: over HTTP, as an App.

mod api;
mod checks;
mod compare;
mod deploying;
mod gates;
mod hooks;
mod people;
mod talking;

use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::*;
use crate::sim::clock::HandClock;
use crate::sim::faults::Action;

const HEAD: &str = "9f1c000000000000000000000000000000000000";

/// acme/shop: dana writes, alice maintains, bob administers, mallory is an outsider; production asks the App.
struct World {
    github: GitHub,
    clock: HandClock,
    url: String,
    acme: UserId,
    shop: RepositoryId,
    dana: UserId,
    alice: UserId,
    bob: UserId,
    mallory: UserId,
    app: App,
    installation: InstallationId,
}

async fn world() -> World {
    let clock = HandClock::at("2026-05-08T10:00:00Z".parse().unwrap());
    let github = GitHub::new(clock.now());
    let url = github.start().await.unwrap();
    let shop = github.add_repository("acme/shop");
    let acme = github.add_org("acme");
    let [dana, alice, bob, mallory] = ["dana", "alice", "bob", "mallory"].map(|name| github.add_user(name));
    for (user, level) in [(dana, Level::Write), (alice, Level::Maintain), (bob, Level::Admin)] {
        github.add_collaborator(shop, user, level);
    }
    let app = github.register_app("countersign");
    let installation = github.install(app.id, acme);
    github.add_environment(shop, "production");
    github.enable_rule(shop, "production", app.id).unwrap();
    World { github, clock, url, acme, shop, dana, alice, bob, mallory, app, installation }
}

fn deploy() -> JobSpec {
    JobSpec::new("deploy").environment("production")
}

impl World {
    fn wait(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// A run by dana whose deployment to production waits.
    fn waiting(&self) -> RunId {
        self.github.start_run(self.shop, NewRun::push("main", HEAD, self.dana).job(deploy()))
    }

    fn pull(&self) -> Number {
        self.github.open_pull_request(self.shop, self.dana, NewPullRequest::new("feature", HEAD, "Sell more"))
    }

    fn status(&self, run: RunId) -> String {
        self.github.run(run).unwrap().status
    }

    /// An App's JWT, its times in seconds from now.
    fn jwt(&self, app: &App, issued: i64, expires: i64) -> String {
        let now = self.clock.time().as_second();
        let claims = json!({ "iss": app.id, "iat": now + issued, "exp": now + expires });
        let key = EncodingKey::from_rsa_pem(app.private_key_pem.as_bytes()).unwrap();
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
    }

    async fn as_app(&self, method: &str, path: &str) -> Reply {
        let jwt = self.jwt(&self.app, -60, 540);
        self.ask(method, path, &[("Authorization", &format!("Bearer {jwt}"))], None).await.unwrap()
    }

    async fn token(&self) -> String {
        let path = format!("/app/installations/{}/access_tokens", self.installation);
        let reply = self.as_app("POST", &path).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.body["token"].as_str().unwrap().to_owned()
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let token = self.token().await;
        self.call_with(&token, method, path, body).await
    }

    async fn call_with(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
        let authorization = format!("Bearer {token}");
        self.ask(method, path, &[("Authorization", &authorization)], body).await.unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, Some(body)).await
    }

    /// The review endpoint, for production.
    async fn review(&self, run: RunId, state: &str) -> u16 {
        let body = json!({ "environment_name": "production", "state": state, "comment": "by us" });
        self.post(&rule_path(run), body).await.status
    }

    #[expect(clippy::disallowed_methods, reason = "the twin is tested without the product's own client")]
    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Reply, reqwest::Error> {
        let none = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(none).build()?;
        let url = format!("{}{}", self.url, path.replace(":shop", "repos/acme/shop"));
        let request = client.request(method.parse().unwrap(), url);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = body.into_iter().fold(request, |request, body| request.json(&body));
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await?;
        Ok(Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    /// Deliveries go to an address of the twin itself that answers with this status.
    fn hook_answering(&self, status: u16) {
        let action = Action::Answer { status, body: "{}".into() };
        self.github.add_fault(Rule::new("/sink", action));
        self.github.set_hook_url(self.app.id, &format!("{}/sink", self.url));
    }

    /// What was delivered of one event, oldest first, with the bodies read.
    async fn delivered(&self, event: &str) -> Vec<Value> {
        self.github.deliver_hooks().await;
        let all = self.github.deliveries().into_iter().filter(|delivery| delivery.event == event);
        all.map(|delivery| serde_json::from_str(&delivery.body).unwrap()).collect()
    }
}

fn rule_path(run: RunId) -> String {
    format!("/:shop/actions/runs/{run}/deployment_protection_rule")
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

    fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// One field of each item of a list.
    fn each(&self, field: &str) -> Vec<&Value> {
        self.body.as_array().unwrap().iter().map(|item| &item[field]).collect()
    }
}
