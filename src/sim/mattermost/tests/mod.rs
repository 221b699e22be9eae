//! The twin is driven as the product drives it: over HTTP, with a token. The app that it calls is an address of its
//! own, whose answers are faults.

mod acts;
mod api;
mod dialogs;

use serde_json::{Value, json};

use super::*;
use crate::sim::clock::HandClock;
use crate::sim::faults::Action;

/// Team acme: dana and alice are in #deploys with the bot; mallory is in the team only.
struct World {
    mattermost: Mattermost,
    clock: HandClock,
    url: String,
    app: String,
    acme: TeamId,
    dana: UserId,
    alice: UserId,
    mallory: UserId,
    deploys: ChannelId,
}

async fn world() -> World {
    let clock = HandClock::at("2026-05-08T10:00:00Z".parse().unwrap());
    let mattermost = Mattermost::new(clock.now());
    let url = mattermost.start().await.unwrap();
    let app = format!("{url}/app");
    let acme = mattermost.add_team("acme");
    let [dana, alice, mallory] = ["dana", "alice", "mallory"].map(|name| mattermost.add_user(name));
    let deploys = mattermost.add_channel(&acme, "deploys", &[&dana, &alice]);
    mattermost.set_command(&acme, "deploy", &app);
    World { mattermost, clock, url, app, acme, dana, alice, mallory, deploys }
}

struct Reply {
    status: u16,
    headers: hyper::HeaderMap,
    body: Value,
}

impl Reply {
    fn error(&self) -> &str {
        self.body["id"].as_str().unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl World {
    /// From now on the app answers so.
    fn app_answers(&self, status: u16, body: &(impl ToString + ?Sized)) {
        self.mattermost.clear_faults();
        self.mattermost.add_fault(Rule::new("/app", Action::Answer { status, body: body.to_string() }));
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, Some(&self.mattermost.bot_token()), None).await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path, Some(&self.mattermost.bot_token()), Some(body)).await
    }

    async fn patch(&self, post: &str, body: Value) -> Reply {
        let path = format!("/posts/{post}/patch");
        self.ask("PUT", &path, Some(&self.mattermost.bot_token()), Some(body)).await
    }

    #[expect(clippy::disallowed_methods, reason = "the twin is tested without the product's own client")]
    async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Reply {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let base = if path.starts_with("http") { String::new() } else { format!("{}/api/v4", self.url) };
        let request = client.request(method.parse().unwrap(), format!("{base}{path}"));
        let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        let request = body.into_iter().fold(request, |request, body| request.json(&body));
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// Props with two buttons aimed at the app.
    fn buttons(&self) -> Value {
        let button = |id: &str| {
            let integration = json!({ "url": self.app, "context": { "decision": id, "mac": "c0ffee" } });
            json!({ "id": id, "type": "button", "name": id, "integration": integration })
        };
        json!({ "attachments": [{ "text": "waits", "actions": [button("approve"), button("reject")] }] })
    }

    /// A card of the bot's with two buttons.
    async fn card(&self) -> PostId {
        let body = json!({ "channel_id": self.deploys, "message": "deployment", "props": self.buttons() });
        self.post("/posts", body).await.body["id"].as_str().unwrap().to_owned()
    }

    /// What the app received last.
    fn received(&self) -> Delivery {
        self.mattermost.deliveries().pop().unwrap()
    }

    fn received_json(&self) -> Value {
        serde_json::from_str(&self.received().body).unwrap()
    }

    fn field(&self, name: &str) -> String {
        let body = self.received().body;
        let mut fields = url::form_urlencoded::parse(body.as_bytes());
        fields.find(|(key, _)| key == name).unwrap().1.into_owned()
    }
}
