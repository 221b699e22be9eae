//! Attacks on the way that GitHub's deliveries take, over TCP.

use crate::attacks::{HOSTILE, is_harmless};
use crate::story::github::World;
use crate::story::stage::{Stage as _, Switches};
use crate::story::world::ONE_MAINTAINER;
use countersign::sim::faults::HookFaults;
use countersign::sim::github::{JobSpec, NewRun};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rstest::rstest;
use serde_json::{Value, json};
use sha2::Sha256;

/// A delivery as it is put on the wire.
struct Hook {
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Hook {
    /// An event under a new id, signed with this secret.
    fn signed(secret: &str, event: &str, id: &str, body: Vec<u8>) -> Self {
        let headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("X-GitHub-Event", event.to_owned()),
            ("X-GitHub-Delivery", id.to_owned()),
            ("X-Hub-Signature-256", signature(secret, &body)),
        ];
        Self { headers, body }
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// Posts a delivery, lets the worker run, and returns the status.
#[expect(clippy::disallowed_methods, reason = "an attacker doesn't keep to our client")]
async fn post(world: &World, hook: Hook) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(format!("http://{}/hooks/github", world.address)).body(hook.body);
    for (name, value) in hook.headers {
        request = request.header(name, value);
    }
    let status = request.send().await.unwrap().status().as_u16();
    world.settle().await;
    status
}

/// A world in which dana's deployment waits, and the body of the last delivery of this event, which was lost.
async fn lost(act: &str, event: &str) -> (World, Value) {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    if event != "deployment_protection_rule" {
        world.tell("dana deploys to production").await;
    }
    // The first sweep is over before anything happens.
    world.settle().await;
    let lose = HookFaults { lose_everything: true, ..HookFaults::default() };
    world.stage.set_hook_faults(lose);
    world.tell(act).await;
    let sent = world.stage.github.deliveries();
    let body = sent.into_iter().rfind(|one| one.event == event).expect("GitHub tells of it").body;
    (world, serde_json::from_str(&body).unwrap())
}

async fn alices_comment() -> (World, Value) {
    lost(r#"alice writes "/approve production""#, "issue_comment").await
}

fn secret(world: &World) -> String {
    world.stage.app.webhook_secret.clone()
}

/// Nothing was decided, and nothing is still to come of it.
async fn nothing_happened(world: &mut World) {
    world
        .tell(
            r#"countersign says nothing
            production is blocked
            the forge holds no votes
            the ledger of production tells of "voted" 0 times"#,
        )
        .await;
}

#[rstest]
#[case::unsigned(|hook: Hook, _: &str| hook.without("X-Hub-Signature-256"))]
#[case::with_another_secret(|hook: Hook, _: &str| {
    let forged = signature("not the secret", &hook.body);
    hook.without("X-Hub-Signature-256").with("X-Hub-Signature-256", forged)
})]
#[case::with_another_body(|mut hook: Hook, _: &str| {
    hook.body.push(b' ');
    hook
})]
#[case::signed_twice(|hook: Hook, secret: &str| {
    let right = signature(secret, &hook.body);
    hook.with("X-Hub-Signature-256", right)
})]
#[case::right_beside_wrong(|hook: Hook, _: &str| hook.with("X-Hub-Signature-256", "sha256=00"))]
#[case::by_the_older_header(|hook: Hook, _: &str| {
    hook.without("X-Hub-Signature-256").with("X-Hub-Signature", format!("sha1={}", "0".repeat(40)))
})]
#[tokio::test]
async fn what_is_not_signed_rightly_is_refused(#[case] tamper: fn(Hook, &str) -> Hook) {
    let (mut world, body) = alices_comment().await;
    let secret = secret(&world);
    let hook = Hook::signed(&secret, "issue_comment", "a-new-id", body.to_string().into_bytes());
    assert_eq!(post(&world, tamper(hook, &secret)).await, 401);
    nothing_happened(&mut world).await;
}

#[rstest]
#[case::no_json(b"payload".to_vec())]
#[case::no_text(vec![0xff, 0xfe, b'{', b'}'])]
#[case::a_list(b"[]".to_vec())]
#[case::deep([b"[".repeat(100_000), b"]".repeat(100_000)].concat())]
#[case::deep_inside([br#"{"action":"created","comment":"#.to_vec(), b"[".repeat(100_000)].concat())]
#[case::cut(br#"{"action":"created","comment":{"id":1"#.to_vec())]
#[case::ids_out_of_range(br#"{"action":"created","comment":{"id":99999999999999999999}}"#.to_vec())]
#[tokio::test]
async fn what_cannot_be_read_is_refused_and_harms_nobody(#[case] body: Vec<u8>) {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    world.tell("dana deploys to production").await;
    let hook = Hook::signed(&secret(&world), "issue_comment", "a-new-id", body);
    assert_eq!(post(&world, hook).await, 400);
    world.tell("alice writes \"/approve production\"\ncountersign answers \"was the last one needed\"").await;
    world.finish().await;
}

#[rstest]
#[case::no_event("X-GitHub-Event")]
#[case::no_id("X-GitHub-Delivery")]
#[tokio::test]
async fn what_does_not_say_what_it_is_is_refused(#[case] missing: &str) {
    let (mut world, body) = alices_comment().await;
    let hook = Hook::signed(&secret(&world), "issue_comment", "a-new-id", body.to_string().into_bytes());
    assert_eq!(post(&world, hook.without(missing)).await, 400);
    nothing_happened(&mut world).await;
}

#[tokio::test]
async fn what_is_bigger_than_github_sends_is_refused() {
    let mut world = World::new(Some(ONE_MAINTAINER), &Switches::default()).await;
    world.tell("dana deploys to production").await;
    let body = [br#"{"action":"created","x":""#.to_vec(), vec![b'x'; 26 << 20], br#""}"#.to_vec()].concat();
    let hook = Hook::signed(&secret(&world), "issue_comment", "a-new-id", body);
    assert_eq!(post(&world, hook).await, 413);
    nothing_happened(&mut world).await;
}

/// The second body under a known id is never read, whatever it says.
#[tokio::test]
async fn a_known_id_with_another_body_does_nothing() {
    let (mut world, body) = alices_comment().await;
    let mallorys = {
        let mut body = body.clone();
        body["comment"]["body"] = json!("Looks good");
        body
    };
    let secret = secret(&world);
    let told =
        |body: &Value| Hook::signed(&secret, "issue_comment", "the-same-id", body.to_string().into_bytes());
    let first = post(&world, told(&body)).await;
    let second = post(&world, told(&mallorys)).await;
    let third = post(&world, told(&body)).await;
    assert_eq!((first, third), (202, 202));
    assert!([200, 202].contains(&second), "{second}");
    world.tell(r#"countersign answers "was the last one needed""#).await;
    world.tell("production was started once").await;
    world.finish().await;
}

/// A rightly signed hook that lies about a comment: author, text and place are read from GitHub.
#[rstest]
#[case::of_another_author("/comment/user", json!({"id": 1, "login": "ada", "type": "User"}))]
#[case::with_another_text("/comment/body", json!("/deploy approve production"))]
#[case::of_another_comment("/comment/id", json!(1))]
#[case::in_another_request("/issue/number", json!(77))]
#[case::in_another_repository("/repository/id", json!(999))]
#[tokio::test]
async fn a_signed_hook_that_lies_about_a_comment_decides_nothing(
    #[case] pointer: &str,
    #[case] value: Value,
) {
    let (mut world, mut body) = alices_comment().await;
    *body.pointer_mut(pointer).expect("GitHub tells it") = value;
    let hook = Hook::signed(&secret(&world), "issue_comment", "a-new-id", body.to_string().into_bytes());
    assert_eq!(post(&world, hook).await, 202);
    nothing_happened(&mut world).await;
}

/// Where a decision is to be sent is taken from no hook.
#[rstest]
#[case::a_foreign_host("http://evil.example/repos/acme/shop/actions/runs/700001/deployment_protection_rule")]
#[case::another_repository("{api}/repos/acme/vault/actions/runs/700001/deployment_protection_rule")]
#[case::another_path("{api}/repos/acme/shop/actions/runs/700001/pending_deployments")]
#[case::with_a_name("{api}@evil.example/repos/acme/shop/actions/runs/700001/deployment_protection_rule")]
#[case::with_dots("{api}/repos/acme/shop/../vault/actions/runs/700001/deployment_protection_rule")]
#[case::escaped("{api}/repos/acme%2Fshop/actions/runs/700001/deployment_protection_rule")]
#[case::without_a_number("{api}/repos/acme/shop/actions/runs/latest/deployment_protection_rule")]
#[tokio::test]
async fn a_callback_address_that_is_not_this_repositorys_is_refused(#[case] address: &str) {
    let (mut world, mut body) = lost("dana deploys to production", "deployment_protection_rule").await;
    body["deployment_callback_url"] = json!(address.replace("{api}", &world.stage.github.url()));
    world.stage.clear_calls();
    let event = "deployment_protection_rule";
    let hook = Hook::signed(&secret(&world), event, "a-new-id", body.to_string().into_bytes());
    assert_eq!(post(&world, hook).await, 400);
    world.tell("there is no card\nat most 0 calls were made").await;
}

/// A run of the right repository that doesn't exist, or that waits for nothing: looked at, and that is all.
#[tokio::test]
async fn a_request_for_a_run_that_is_not_there_opens_nothing() {
    let (mut world, mut body) = lost("dana deploys to production", "deployment_protection_rule").await;
    let api = world.stage.github.url();
    let address = format!("{api}/repos/acme/shop/actions/runs/799999/deployment_protection_rule");
    body["deployment_callback_url"] = json!(address);
    let event = "deployment_protection_rule";
    let hook = Hook::signed(&secret(&world), event, "a-new-id", body.to_string().into_bytes());
    assert_eq!(post(&world, hook).await, 202);
    world.tell("there is no card").await;
}

/// Another environment than the one that waits can't be talked into waiting.
#[tokio::test]
async fn a_request_that_names_another_environment_opens_only_what_waits() {
    let (mut world, mut body) = lost("dana deploys to production", "deployment_protection_rule").await;
    body["environment"] = json!("staging");
    let event = "deployment_protection_rule";
    let hook = Hook::signed(&secret(&world), event, "a-new-id", body.to_string().into_bytes());
    assert_eq!(post(&world, hook).await, 202);
    world.tell("the card says \"production\"\nthe card does not say \"staging\"").await;
}

/// Presses of buttons that we never showed.
#[rstest]
#[case::of_no_deployment("d99.1.1")]
#[case::of_another_request("d1.1.77")]
#[case::of_somebody_else("check-17")]
#[case::out_of_range("d99999999999999999999.1.1")]
#[tokio::test]
async fn a_press_of_a_button_that_was_never_shown_decides_nothing(#[case] external_id: &str) {
    let (mut world, mut body) = lost("alice presses Approve of production", "check_run").await;
    body["check_run"]["external_id"] = json!(external_id);
    let hook = Hook::signed(&secret(&world), "check_run", "a-new-id", body.to_string().into_bytes());
    assert!([200, 202].contains(&post(&world, hook).await));
    nothing_happened(&mut world).await;
}

/// Hostile text in every place where somebody else's words are shown.
#[tokio::test]
async fn hostile_names_neither_ping_nor_format_on_github() {
    for hostile in HOSTILE {
        let mut world = World::new(None, &Switches::default()).await;
        let (github, repository) = (world.stage.github.clone(), world.stage.repository);
        github.add_environment(repository, hostile);
        github.enable_rule(repository, hostile, world.stage.app.id).unwrap();
        let job = JobSpec::new(hostile).environment(hostile);
        let run = NewRun::push(hostile, &world.stage.head, world.user("dana").unwrap()).title(hostile);
        world.stage.start(run.job(job));
        world.settle().await;
        assert_eq!(world.cards(), 1, "{hostile:?}: {}", world.scene().await);
        let reason = hostile.replace(['\n', '\r'], " ");
        for (name, text) in [
            ("mallory", format!("/approve {reason}")),
            ("mallory", "/deploy why\n/deploy blocked\n/deploy status".to_owned()),
            ("mallory", format!("@countersign {reason}")),
            ("alice", format!("/approve d1 {reason}")),
            ("bob", format!("/reject d1 {reason}")),
        ] {
            world.clock.advance(jiff::SignedDuration::from_secs(1));
            world.stage.comment(world.user(name).unwrap(), &text).unwrap();
            world.settle().await;
        }
        world.advance(10).await;
        assert!(world.ours().len() >= 5, "{hostile:?}: {}", world.scene().await);
        assert_eq!(world.cards(), 1, "{hostile:?}: {}", world.scene().await);
        for said in world.ours() {
            // An answer names whom it answers, in a line of its own.
            let (first, rest) = said.body.split_once('\n').unwrap_or_default();
            let named = ["@mallory", "@alice", "@bob"].contains(&first);
            is_harmless(if named { rest } else { &said.body }, hostile);
        }
        for check in github.check_runs_of(repository, &world.stage.head) {
            is_harmless(&check.summary.unwrap_or_default(), hostile);
        }
    }
}
