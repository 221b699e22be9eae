//! Check runs and their buttons.

use super::*;

fn action(identifier: &str) -> Value {
    json!({ "label": "Approve", "description": "Approve this deployment", "identifier": identifier })
}

fn check(actions: &[Value]) -> Value {
    json!({ "name": "Countersign", "head_sha": HEAD, "external_id": "d4711", "actions": actions })
}

#[tokio::test]
async fn buttons_appear_once_the_check_run_is_completed() {
    let world = world().await;
    world.hook_answering(202);
    world.pull();
    let created = world.post("/:shop/check-runs", check(&[action("approve")])).await;
    assert_eq!((created.status, &created.body["status"]), (201, &json!("queued")));
    let id = created.body["id"].as_u64().unwrap();
    let press = |what: &str| world.github.press_button(id, what, world.alice);
    assert_eq!(press("approve").unwrap_err().status, 422);
    let path = format!("/:shop/check-runs/{id}");
    let done = world.call("PATCH", &path, Some(json!({ "conclusion": "action_required" }))).await;
    assert_eq!((done.status, &done.body["status"]), (200, &json!("completed")));
    assert_eq!(press("explode").unwrap_err().status, 422);
    press("approve").unwrap();
    let told = world.delivered("check_run").await;
    let pressed = told.last().unwrap();
    assert_eq!(pressed["action"], "requested_action");
    assert_eq!(pressed["requested_action"]["identifier"], "approve");
    assert_eq!(
        (&pressed["sender"]["login"], &pressed["check_run"]["external_id"]),
        (&json!("alice"), &json!("d4711"))
    );
    assert_eq!(pressed["check_run"]["pull_requests"][0]["number"], 1);
}

#[tokio::test]
async fn a_button_tells_its_owner_alone_and_only_one_who_may_write_checks() {
    let world = world().await;
    world.hook_answering(202);
    let other = world.github.register_app("other");
    world.github.install(other.id, world.acme);
    world.github.set_hook_url(other.id, &format!("{}/sink", world.url));
    world.pull();
    let mut body = check(&[action("approve")]);
    body["conclusion"] = json!("neutral");
    let id = world.post("/:shop/check-runs", body).await.body["id"].as_u64().unwrap();
    world.github.press_button(id, "approve", world.alice).unwrap();
    world.github.set_permissions(world.app.id, &[("checks", "read")]);
    world.github.press_button(id, "approve", world.alice).unwrap();
    world.github.deliver_hooks().await;
    let pressed = world.github.deliveries();
    let pressed = pressed.iter().filter(|told| told.action.as_deref() == Some("requested_action"));
    assert_eq!(pressed.map(|told| told.app).collect::<Vec<_>>(), [world.app.id]);
}

#[tokio::test]
async fn what_is_too_long_or_too_many_is_refused() {
    let world = world().await;
    world.pull();
    let post = async |body: Value| world.post("/:shop/check-runs", body).await.status;
    assert_eq!(post(check(&[action("a"), action("b"), action("c"), action("d")])).await, 422);
    assert_eq!(post(check(&[action("an identifier over 20")])).await, 422);
    assert_eq!(post(check(&[json!({ "label": "x", "identifier": "x" })])).await, 422);
    let wordy = |label: &str, description: &str| json!({ "label": label, "description": description, "identifier": "x" });
    assert_eq!(post(check(&[wordy(&"l".repeat(20), &"d".repeat(40))])).await, 201);
    assert_eq!(post(check(&[wordy(&"l".repeat(21), "d")])).await, 422);
    assert_eq!(post(check(&[wordy("l", &"d".repeat(41))])).await, 422);
    let output = |summary: String| json!({ "name": "c", "head_sha": HEAD, "output": { "title": "t", "summary": summary } });
    assert_eq!(post(output("s".repeat(65_535))).await, 201);
    assert_eq!(post(output("s".repeat(65_536))).await, 422);
    assert_eq!(post(json!({ "name": "c", "head_sha": "feedface" })).await, 422);
    assert_eq!(post(json!({ "name": "c", "head_sha": HEAD, "status": "completed" })).await, 422);
}

#[tokio::test]
async fn check_runs_are_found_by_commit_and_name() {
    let world = world().await;
    world.pull();
    let first = world.post("/:shop/check-runs", check(&[])).await.body["id"].clone();
    let second = world.post("/:shop/check-runs", check(&[])).await.body["id"].clone();
    let find = async |query: &str| {
        let reply = world.get(&format!("/:shop/commits/{HEAD}/check-runs?{query}")).await;
        let found = reply.body["check_runs"].as_array().unwrap().clone();
        found.iter().map(|check| check["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(find("check_name=Countersign").await, std::slice::from_ref(&second));
    assert_eq!(find("filter=all").await, [second, first]);
    assert_eq!(find("check_name=Lint").await, Vec::<Value>::new());
    assert_eq!(find("app_id=1").await, Vec::<Value>::new());
    let seen = world.github.check_runs_of(world.shop, HEAD);
    assert_eq!((seen.len(), seen[0].external_id.as_str()), (2, "d4711"));
}
