//! The lower half against a small server that says what each test wants to hear.

mod calls;
mod failures;
mod payload;
mod places;
mod tokens;
mod twin;
mod webhook;
mod wire;

use super::access::{Caller, InstallationId};
use super::client::Listed;
use super::{GitHub, KeyError, Settings, SettingsError};
use crate::domain::id::{ForgeName, ProjectId};
use crate::net::http::{Http, Limits};
use crate::ports::clock::Clock;
use crate::sim::clock::HandClock;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

const APP: u64 = 77;
const SHOP: ProjectId = ProjectId(7);
const ACME: Caller = Caller::Installation(InstallationId(1));

/// Made once: making one takes a while.
static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn private_key() -> String {
    let der: Pkcs8V1Der<'_> = KEY.as_der().unwrap();
    pem("PRIVATE KEY", der.as_ref())
}

struct Watch(HandClock);

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        self.0.time()
    }

    fn new_id(&self) -> String {
        unreachable!("the adapter makes no ids")
    }
}

fn start() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

impl Listed for i64 {}

impl Listed for usize {}

/// What the server was asked.
#[derive(Clone, Debug)]
struct Asked {
    method: String,
    /// As it was sent, escapes and all.
    path: String,
    query: String,
    authorization: String,
    etag: Option<String>,
    version: Option<String>,
    agents: usize,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let header = |name: &str| Some(request.headers().get(name)?.to_str().unwrap().to_owned());
        Self {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            authorization: header(AUTHORIZATION.as_str()).unwrap_or_default(),
            etag: header(IF_NONE_MATCH.as_str()),
            version: header("x-github-api-version"),
            agents: request.headers().get_all("user-agent").iter().count(),
        }
    }

    fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }
}

fn answer(status: u16, body: &Value) -> Response {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .body(Body::from(body.to_string()))
        .unwrap()
}

fn empty(status: u16) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

fn with(mut response: Response, name: &'static str, value: &str) -> Response {
    response.headers_mut().append(name, value.parse().unwrap());
    response
}

fn gone() -> Response {
    answer(404, &json!({"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}))
}

fn shop() -> Value {
    json!({"id": 7, "full_name": "acme/shop", "pushed_at": "2026-11-21T07:00:00Z"})
}

fn installation(id: i64) -> Value {
    json!({"id": id, "account": {"id": 500, "login": "acme"}, "suspended_at": null,
           "permissions": {"deployments": "write", "actions": "read"}, "events": []})
}

/// A token for whoever asks: `ghs_1`, `ghs_2`, …, each good for an hour.
fn minted(number: usize, now: Timestamp) -> Response {
    let until = now + SignedDuration::from_hours(1);
    answer(201, &json!({"token": format!("ghs_{number}"), "expires_at": until}))
}

type Say = dyn Fn(&Asked, usize) -> Option<Response> + Send + Sync;

/// The server and the adapter that talks to it.
struct World {
    github: Arc<GitHub>,
    clock: HandClock,
    asked: Arc<Mutex<Vec<Asked>>>,
    url: String,
}

impl World {
    /// `say` answers first: it is given what is asked, and for the how manieth time (from 1) that method and
    /// path are. What it leaves is answered as by a GitHub where installation 1 reaches `acme/shop`.
    async fn new(say: impl Fn(&Asked, usize) -> Option<Response> + Send + Sync + 'static) -> Self {
        Self::below("", say).await
    }

    /// The same with the API below a path, as on an Enterprise Server.
    async fn below(
        prefix: &'static str,
        say: impl Fn(&Asked, usize) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        let clock = HandClock::at(start());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, now, say) = (Arc::clone(&asked), clock.clone(), Arc::new(say) as Arc<Say>);
        let url = serve(move |request| {
            let mut asked = Asked::of(&request);
            let count = {
                let mut seen = seen.lock().unwrap();
                seen.push(asked.clone());
                seen.iter().filter(|one: &&Asked| one.is(&asked.method, &asked.path)).count()
            };
            asked.path = asked.path.strip_prefix(prefix).unwrap_or("/outside").to_owned();
            say(&asked, count).unwrap_or_else(|| usual(&asked, count, now.time()))
        })
        .await;
        let github = github(&format!("{url}{prefix}"), &clock).unwrap();
        Self { github: Arc::new(github), clock, asked, url }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn count(&self, method: &str, path: &str) -> usize {
        self.asked().iter().filter(|asked| asked.is(method, path)).count()
    }
}

fn github(url: &str, clock: &HandClock) -> Result<GitHub, SettingsError> {
    let settings = Settings {
        name: ForgeName::new("github"),
        api_url: url.parse().unwrap(),
        app_id: APP,
        private_key: private_key().into(),
    };
    let limits = Limits { connect: Duration::from_secs(5), total: Duration::from_secs(10) };
    GitHub::new(settings, &Http::new(limits).unwrap(), Arc::new(Watch(clock.clone())))
}

fn usual(asked: &Asked, count: usize, now: Timestamp) -> Response {
    match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/app/installations/1/access_tokens") => minted(count, now),
        ("GET", "/app/installations") => answer(200, &json!([installation(1)])),
        ("GET", "/installation/repositories") => {
            answer(200, &json!({"total_count": 1, "repositories": [shop()]}))
        }
        _ => gone(),
    }
}

/// A server on some free port, for as long as the test's runtime lives.
async fn serve(say: impl Fn(Request) -> Response + Clone + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(move |request: Request| {
        let answer = say(request);
        async move { answer }
    });
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    url
}
