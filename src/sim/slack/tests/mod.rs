//! The twin is driven as the product drives it: over HTTP, with a token. The app that it calls is an address of its
//! own, whose answers are faults.

mod acts;
mod api;
mod later;
mod limits;

use serde_json::{Value, json};

use super::*;
use crate::sim::clock::HandClock;
use crate::sim::faults::Action;

/// acme: dana and alice are members, gina is a guest, all of them in #deploys with the bot; mallory is of another
/// workspace and in #deploys too.
struct World {
    slack: Slack,
    clock: HandClock,
    url: String,
    dana: UserId,
    alice: UserId,
    gina: UserId,
    mallory: UserId,
    deploys: ChannelId,
}

async fn world() -> World {
    let clock = HandClock::at("2026-05-08T10:00:00Z".parse().unwrap());
    let slack = Slack::new(clock.now());
    let url = slack.start().await.unwrap();
    let other = slack.add_team("umbrella");
    let dana = slack.add_user(NewUser::member("dana"));
    let alice = slack.add_user(NewUser::member("alice"));
    let gina = slack.add_user(NewUser::guest("gina"));
    let mallory = slack.add_user(NewUser::of_team("mallory", &other));
    let deploys = slack.add_channel("deploys", &[&dana, &alice, &gina, &mallory]);
    slack.set_request_url(&format!("{url}/app"));
    World { slack, clock, url, dana, alice, gina, mallory, deploys }
}

struct Reply {
    status: u16,
    headers: hyper::HeaderMap,
    body: Value,
}

impl Reply {
    fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl World {
    /// From now on the app answers so.
    fn app_answers(&self, status: u16, body: &(impl ToString + ?Sized)) {
        self.slack.clear_faults();
        self.slack.add_fault(Rule::new("/app", Action::Answer { status, body: body.to_string() }));
    }

    async fn call(&self, method: &str, args: Value) -> Reply {
        let token = self.slack.bot_token();
        self.post(&format!("{}/api/{method}", self.url), Some(&token), &args).await.unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "the twin is tested without the product's own client")]
    async fn post(&self, url: &str, token: Option<&str>, body: &Value) -> Result<Reply, reqwest::Error> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let request = client.post(url).json(body);
        let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await?;
        Ok(Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    /// A card of the bot's with two buttons, and its time.
    async fn card(&self) -> Ts {
        let posted = self.call("chat.postMessage", self.card_args()).await;
        posted.body["ts"].as_str().unwrap().to_owned()
    }

    fn card_args(&self) -> Value {
        json!({ "channel": self.deploys, "text": "waits", "blocks": [section("waits"), buttons()] })
    }

    /// What the app received last, its form taken apart.
    fn received(&self) -> Vec<(String, String)> {
        let body = self.slack.deliveries().pop().unwrap().body;
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
    }

    /// The payload that the app received last.
    fn payload(&self) -> Value {
        let fields = self.received();
        assert_eq!(fields.len(), 1, "an interaction is one field");
        serde_json::from_str(&fields[0].1).unwrap()
    }

    fn field(&self, name: &str) -> String {
        self.received().into_iter().find(|(key, _)| key == name).unwrap().1
    }
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } })
}

fn button(id: &str, value: &str) -> Value {
    json!({ "type": "button", "action_id": id, "value": value, "text": { "type": "plain_text", "text": id } })
}

fn buttons() -> Value {
    json!({ "type": "actions", "block_id": "decide", "elements": [button("approve", "d1"), button("reject", "d1")] })
}

fn modal() -> Value {
    json!({
        "type": "modal",
        "callback_id": "reject",
        "private_metadata": "d1",
        "title": { "type": "plain_text", "text": "Reject" },
        "submit": { "type": "plain_text", "text": "Reject" },
        "blocks": [{
            "type": "input",
            "block_id": "why",
            "label": { "type": "plain_text", "text": "Reason" },
            "element": { "type": "plain_text_input", "action_id": "reason", "max_length": 10 },
        }],
    })
}
