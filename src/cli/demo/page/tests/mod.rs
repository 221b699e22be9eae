//! The page, in process: its own router before the true server and the simulated forges and chat.

mod slack;

use super::super::house::{self, House};
use super::super::story::HandTime;
use super::super::world::{Forge, Opening, Shop as _, World};
use super::*;
use crate::sim::clock::{HandClock, Now};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use jiff::SignedDuration;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// A page with everything behind it; nothing moves but by hand.
struct Played {
    stage: Stage,
    house: House,
    page: Router,
    time: HandClock,
    stop: CancellationToken,
}

impl Drop for Played {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Played {
    async fn new() -> Self {
        Self::of(World::new).await
    }

    async fn of(world: impl FnOnce(&Now) -> World) -> Self {
        let time = HandClock::at("2026-05-08T10:00:00Z".parse().unwrap());
        let clock = HandTime::new(time.clone());
        let world = world(&time.now());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let mut house = house::put_together(&world, clock.clone(), "5s", &tasks).await.unwrap();
        let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = std::mem::replace(&mut house.listener, elsewhere);
        let serving = crate::web::serve(listener, house.built.router.clone(), stop.clone(), tasks.clone());
        tasks.spawn(serving);
        let stage = Stage::new(world, Arc::clone(&house.built.app.store), clock);
        let page = router(stage.clone());
        Self { stage, house, page, time, stop }
    }

    async fn settle(&self) {
        while self.stage.world.deliver_hooks().await + self.house.built.worker.run_until_idle().await > 0 {}
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.page.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let answer = self.ask(posting(path).body(encoded(form)).unwrap()).await;
        self.settle().await;
        answer
    }

    async fn deploy(&self, by: &str) -> Answer {
        self.deploy_on(Forge::GitLab, by).await
    }

    async fn deploy_on(&self, forge: Forge, by: &str) -> Answer {
        self.post(&format!("/{}/deploy", forge.key()), &[("as", by), ("environment", "production")]).await
    }

    async fn comment(&self, by: &str, text: &str) -> Answer {
        self.comment_on(Forge::GitLab, by, text).await
    }

    async fn comment_on(&self, forge: Forge, by: &str, text: &str) -> Answer {
        self.post(&format!("/{}/comment", forge.key()), &[("as", by), ("text", text)]).await
    }

    /// Presses what the page shows as a button with this label, beside the comments on GitHub.
    async fn press(&self, by: &str, label: &str) -> Answer {
        self.press_in("<main>", by, label).await
    }

    /// The same with the first such button behind this place.
    async fn press_in(&self, place: &str, by: &str, label: &str) -> Answer {
        let page = self.get("/").await.body;
        let behind = page.split_once(place).unwrap().1;
        let is_it = |rest: &&str| rest.split("</").next().unwrap().ends_with(&format!(">{label}"));
        let button = format!("hx-post={}", behind.split("hx-post=").find(is_it).unwrap());
        let attribute = |name: &str| button.split(&format!("{name}=")).nth(1).unwrap().to_owned();
        let path = attribute("hx-post").split('"').nth(1).unwrap().to_owned();
        let values = attribute("hx-vals").split('\'').nth(1).unwrap().to_owned();
        let values: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&values).unwrap();
        let word =
            |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let values: Vec<(String, String)> =
            values.iter().map(|(name, value)| (name.clone(), word(value))).collect();
        let mut form = vec![("as", by)];
        form.extend(values.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.post(&path, &form).await
    }

    /// The first form that the page shows.
    async fn form(&self) -> String {
        let page = self.get("/").await.body;
        let rest = page.split("name=\"view\" value=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// The page as it is now, in words: elements taken out, blanks folded.
    async fn words(&self) -> String {
        let page = self.get("/").await.body;
        let words = page.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
        words.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
    }

    fn pass(&self, seconds: i64) {
        self.time.advance(SignedDuration::from_secs(seconds));
        self.stage.tick();
    }
}

fn posting(path: &str) -> axum::http::request::Builder {
    Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded").header(header::HOST, "demo")
}

fn encoded(form: &[(&str, &str)]) -> Body {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(form);
    Body::from(text.finish())
}

#[tokio::test]
async fn the_page_begins_empty_and_says_what_to_do() {
    let demo = Played::new().await;
    let page = demo.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.headers[CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"));
    for words in [
        "Press “Deploy to production”",
        "Press “Run workflow”",
        "Let customers pay in euro",
        "Ship to Norway",
        "Nobody has said anything yet.",
    ] {
        assert!(demo.words().await.contains(words), "{words}");
    }
}

#[tokio::test]
async fn everything_that_the_page_loads_comes_from_here() {
    let demo = Played::new().await;
    let page = demo.get("/").await.body;
    for attribute in ["src=\"", "href=\""] {
        for address in page.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()) {
            if address != "data:," {
                assert_eq!(demo.get(address).await.status, StatusCode::OK, "{address}");
            }
        }
    }
    assert!(!page.contains("http://") && !page.contains("https://"));
}

#[tokio::test]
async fn the_four_people_play_a_deployment_to_its_end() {
    let demo = Played::new().await;
    demo.deploy("dana").await;
    assert!(demo.words().await.contains("production blocked d4711"));
    let story = [
        ("dana", "you started it"),
        ("mallory", "its policy doesn&#39;t name you"),
        ("alice", "1 approval is still missing"),
        ("bob", "was the last one needed"),
    ];
    for (who, answer) in story {
        demo.pass(5);
        let reply = demo.comment(who, "@countersign approve production").await;
        assert_eq!(reply.headers["HX-Trigger"], "said");
        let words = demo.words().await.replace("doesn't", "doesn&#39;t");
        assert!(words.contains(answer), "{answer} in {words}");
    }
    let words = demo.words().await;
    for seen in ["production running d4711", "alice approved it in a comment. 1 of 2.", "✓ every hash fits"]
    {
        assert!(words.contains(seen), "{seen} in {words}");
    }
    demo.pass(60);
    demo.settle().await;
    assert!(demo.words().await.contains("production success d4711"));
    demo.post("/gitlab/retry", &[("as", "dana"), ("id", "4711")]).await;
    assert!(demo.words().await.contains("production blocked d4712"));
}

#[tokio::test]
async fn a_pull_request_is_approved_by_comment_and_by_button() {
    let demo = Played::new().await;
    demo.deploy_on(Forge::GitHub, "dana").await;
    let words = demo.words().await;
    for seen in [
        "deploy #1 waiting",
        "production neutral Waiting for 2 approvals Approve Reject",
        "production d1 GitHub",
    ] {
        assert!(words.contains(seen), "{seen} in {words}");
    }
    demo.pass(5);
    demo.comment_on(Forge::GitHub, "alice", "/approve production").await;
    demo.pass(5);
    demo.press("bob", "Approve").await;
    let words = demo.words().await;
    for seen in ["deploy #1 in_progress", "countersign[bot] approved", "bob approved it by a button. 2 of 2."]
    {
        assert!(words.contains(seen), "{seen} in {words}");
    }
    demo.pass(60);
    demo.settle().await;
    let words = demo.words().await;
    assert!(
        words.contains("deploy #1 success") && words.contains("production d1 GitHub deployed"),
        "{words}"
    );
    demo.press("dana", "Re-run all jobs").await;
    let words = demo.words().await;
    assert!(words.contains("attempt 2") && words.contains("production d2 GitHub blocked"), "{words}");
}

#[tokio::test]
async fn an_administrator_goes_past_the_rule_and_nobody_else() {
    let demo = Played::new().await;
    demo.deploy_on(Forge::GitHub, "dana").await;
    let refused = demo.press("alice", "Start all waiting jobs").await;
    assert!(refused.body.contains("GitHub says no: Must be an administrator"), "{}", refused.body);
    demo.press("bob", "Start all waiting jobs").await;
    let words = demo.words().await;
    assert!(words.contains("deploy #1 in_progress") && words.contains("past its gate"), "{words}");
    let gone = demo.post("/github/press", &[("as", "bob"), ("id", "1"), ("button", "approve")]).await;
    assert!(gone.body.contains("GitHub says no: Not Found"), "{}", gone.body);
}

#[tokio::test]
async fn each_forge_has_troubles_of_its_own() {
    let demo = Played::new().await;
    demo.post("/github/outage", &[]).await;
    demo.post("/github/lose-hook", &[]).await;
    assert!(demo.stage.is_out(Forge::GitHub) && demo.stage.is_losing(Forge::GitHub));
    assert!(!demo.stage.is_out(Forge::GitLab) && !demo.stage.is_losing(Forge::GitLab));
    demo.deploy("dana").await;
    assert!(demo.words().await.contains("production blocked d4711"));
    demo.deploy_on(Forge::GitHub, "dana").await;
    assert_eq!(demo.stage.world.github.hooks().lost, 1);
    demo.pass(15);
    assert!(!demo.stage.is_out(Forge::GitHub));
}

#[tokio::test]
async fn a_pulse_brings_only_what_has_changed() {
    let demo = Played::new().await;
    let first = demo.get("/pulse").await;
    assert!(first.body.contains("id=\"ledger\" hx-swap-oob=\"innerHTML\""), "{}", first.body);
    let seen = first.body.split("/pulse?seen=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let again = demo.get(&format!("/pulse?seen={seen}")).await;
    assert_eq!((again.status, again.body.as_str()), (StatusCode::NO_CONTENT, ""));
    demo.comment("alice", "Looks good to me.").await;
    let changed = demo.get(&format!("/pulse?seen={seen}")).await;
    assert!(changed.status == StatusCode::OK && changed.body.contains("Looks good to me."));
    assert!(!changed.body.contains("<textarea"), "a comment being written is left alone");
}

#[tokio::test]
async fn a_comment_that_gitlab_swallows_is_explained() {
    let demo = Played::new().await;
    demo.deploy("dana").await;
    let answer = demo.comment("bob", "/approve production").await;
    assert!(
        answer.body.contains("GitLab took “/approve production” as its own quick action"),
        "{}",
        answer.body
    );
    assert!(demo.words().await.contains("bob approved this merge request"));
}

#[tokio::test]
async fn what_gitlab_refuses_is_said_and_leaves_the_comment_alone() {
    let demo = Played::new().await;
    let refused = demo.deploy("mallory").await;
    assert!(refused.body.contains("GitLab says no: 403 Forbidden"), "{}", refused.body);
    assert!(demo.words().await.contains("production not deployed"));
    let empty = demo.comment("alice", "  ").await;
    assert!(empty.body.contains("between 1 and 10000") && !empty.headers.contains_key("HX-Trigger"));
}

#[tokio::test]
async fn nobody_else_and_no_other_site_plays() {
    let demo = Played::new().await;
    let form = [("as", "root"), ("text", "@countersign approve production")];
    assert_eq!(demo.post("/gitlab/comment", &form).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let form = [("as", "alice"), ("text", "from elsewhere")];
    let foreign = posting("/gitlab/comment").header(header::ORIGIN, "https://example.com");
    assert_eq!(demo.ask(foreign.body(encoded(&form)).unwrap()).await.status, StatusCode::FORBIDDEN);
    let words = demo.words().await;
    assert!(words.contains("Nobody has said anything yet."), "{words}");
}

#[tokio::test]
async fn a_lost_webhook_is_announced_missed_and_made_up_for() {
    let demo = Played::new().await;
    demo.deploy("dana").await;
    let answer = demo.post("/gitlab/lose-hook", &[]).await;
    assert!(answer.body.contains("The next webhook gets lost…"), "{}", answer.body);
    demo.pass(1);
    demo.comment("alice", "@countersign approve production").await;
    let words = demo.words().await;
    assert!(
        words.contains("No answer: that webhook was lost.") && words.contains("1 webhook was lost so far.")
    );
    assert!(!words.contains("is still missing."), "{words}");
    demo.pass(6);
    demo.settle().await;
    assert!(demo.words().await.contains("1 approval is still missing."));
}

#[tokio::test]
async fn an_outage_ends_by_itself_and_forgets_no_other_trouble() {
    let demo = Played::new().await;
    demo.deploy("dana").await;
    demo.post("/gitlab/lose-hook", &[]).await;
    let answer = demo.post("/gitlab/outage", &[]).await;
    assert!(answer.body.contains("GitLab answers 500…"), "{}", answer.body);
    demo.pass(14);
    assert!(demo.stage.is_out(Forge::GitLab));
    demo.pass(1);
    assert!(!demo.stage.is_out(Forge::GitLab) && demo.stage.is_losing(Forge::GitLab));
    demo.comment("alice", "@countersign approve production").await;
    assert_eq!(demo.stage.world.gitlab.hooks().lost, 1);
}

#[tokio::test]
async fn foreign_text_is_shown_and_never_runs() {
    const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'";
    let hostile = Opening { branch: HOSTILE, title: HOSTILE };
    let demo = Played::of(|now| World::with(now, hostile, hostile)).await;
    for forge in Forge::ALL {
        demo.deploy_on(forge, "dana").await;
        demo.comment_on(forge, "mallory", HOSTILE).await;
        demo.comment_on(forge, "mallory", "[a](javascript:alert(3)) ![b](https://example.com/b.png)").await;
        demo.comment_on(forge, "mallory", &format!("@countersign approve {HOSTILE}")).await;
        demo.post("/slack/say", &[("as", "mallory"), ("text", HOSTILE)]).await;
        demo.post("/slack/say", &[("as", "alice"), ("text", &format!("/deploy approve {HOSTILE}"))]).await;
        demo.press_in(slack::CHANNEL, "alice", "Reject").await;
        let view = demo.form().await;
        demo.post("/slack/send", &[("as", "alice"), ("view", &view), ("reason", HOSTILE)]).await;
        demo.comment_on(forge, "alice", &format!("@countersign reject production {HOSTILE}")).await;
    }
    for page in [demo.get("/").await.body, demo.get("/pulse").await.body] {
        assert!(page.contains("&lt;script&gt;") || page.contains("&#60;script&#62;"), "it is shown: {page}");
        for runs in ["<script>", "<img", "javascript:alert(3)\"", "example.com"] {
            assert!(!page.contains(runs), "{runs} in {page}");
        }
    }
}
