//! Who may call, how often, and what every answer carries.

use super::*;

#[tokio::test]
async fn an_app_proves_itself_by_a_jwt_of_ten_minutes_at_most() {
    let world = world().await;
    let stranger = GitHub::new(world.clock.now()).register_app("countersign");
    let tries = [
        (world.jwt(&world.app, -60, 540), 200),
        (world.jwt(&world.app, 0, 601), 401),
        (world.jwt(&world.app, -600, 0), 401),
        (world.jwt(&world.app, 60, 540), 200),
        (world.jwt(&world.app, 61, 540), 401),
        (world.jwt(&stranger, -60, 540), 401),
        ("not.a.jwt".into(), 401),
    ];
    for (at, (jwt, expected)) in tries.into_iter().enumerate() {
        let headers = [("Authorization", format!("Bearer {jwt}"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let reply = world.ask("GET", "/app", &headers, None).await.unwrap();
        assert_eq!(reply.status, expected, "try {at}: {}", reply.body);
    }
    let nobody = world.ask("GET", "/app", &[], None).await.unwrap();
    assert_eq!((nobody.status, nobody.message()), (401, "Requires authentication"));
}

#[tokio::test]
async fn an_apps_own_clock_can_differ_from_the_worlds() {
    let world = world().await;
    let other = HandClock::at("2031-01-01T00:00:00Z".parse().unwrap());
    world.github.set_token_clock(other.now());
    assert_eq!(world.as_app("GET", "/app").await.status, 401);
    world.clock.advance(other.time().duration_since(world.clock.time()));
    assert_eq!(world.as_app("GET", "/app").await.status, 200);
}

#[tokio::test]
async fn an_installations_token_is_long_and_ends_after_an_hour() {
    let world = world().await;
    let token = world.token().await;
    assert!(token.starts_with("ghs_") && token.len() > 200, "{token}");
    assert_eq!(world.call_with(&token, "GET", "/:shop", None).await.status, 200);
    world.wait(3599);
    assert_eq!(world.call_with(&token, "GET", "/:shop", None).await.status, 200);
    world.wait(1);
    let late = world.call_with(&token, "GET", "/:shop", None).await;
    assert_eq!((late.status, late.message()), (401, "Bad credentials"));
}

#[tokio::test]
async fn a_token_can_be_narrowed_but_not_widened() {
    let world = world().await;
    let path = format!("/app/installations/{}/access_tokens", world.installation);
    let jwt = format!("Bearer {}", world.jwt(&world.app, -60, 540));
    let ask = async |permissions: Value| {
        let body = json!({ "permissions": permissions });
        world.ask("POST", &path, &[("Authorization", &jwt)], Some(body)).await.unwrap()
    };
    assert_eq!(ask(json!({ "administration": "write" })).await.status, 422);
    assert_eq!(ask(json!({ "actions": "write" })).await.status, 422);
    let narrow = ask(json!({ "issues": "read" })).await;
    let token = narrow.body["token"].as_str().unwrap();
    let pull = world.pull();
    let comments = format!("/:shop/issues/{pull}/comments");
    assert_eq!(world.call_with(token, "GET", &comments, None).await.status, 200);
    assert_eq!(world.call_with(token, "POST", &comments, Some(json!({ "body": "hi" }))).await.status, 403);
    assert_eq!(world.call_with(token, "GET", "/:shop/actions/runs", None).await.status, 403);
}

#[tokio::test]
async fn a_suspended_installation_gets_nothing() {
    let world = world().await;
    let token = world.token().await;
    world.github.suspend(world.installation, true);
    assert_eq!(world.call_with(&token, "GET", "/:shop", None).await.status, 403);
    let known = world.as_app("GET", "/app/installations").await;
    assert_eq!(known.each("suspended_at"), [&json!("2026-05-08T10:00:00Z")]);
    world.github.suspend(world.installation, false);
    assert_eq!(world.call_with(&token, "GET", "/:shop", None).await.status, 200);
    world.github.uninstall(world.installation);
    assert_eq!(world.call_with(&token, "GET", "/:shop", None).await.status, 401);
}

#[tokio::test]
async fn an_app_finds_its_installation_by_repository_and_by_organisation() {
    let world = world().await;
    for path in ["/repos/acme/shop/installation", "/orgs/acme/installation"] {
        let found = world.as_app("GET", path).await;
        assert_eq!(found.body["id"], world.installation, "{path}");
        assert_eq!(found.body["permissions"]["deployments"], "write", "{path}");
    }
    assert_eq!(world.as_app("GET", "/repos/acme/nowhere/installation").await.status, 404);
    let reached = world.get("/installation/repositories").await;
    assert_eq!(reached.body["total_count"], 1);
    world.github.select_repositories(world.installation, Some(&[]));
    assert_eq!(world.get("/:shop").await.status, 404);
}

#[tokio::test]
async fn without_the_permission_the_resource_is_not_accessible() {
    let world = world().await;
    let run = world.waiting();
    world.github.set_permissions(world.app.id, &[("actions", "none"), ("deployments", "read")]);
    let listed = world.get("/:shop/actions/runs").await;
    assert_eq!((listed.status, listed.message()), (403, "Resource not accessible by integration"));
    assert_eq!(world.review(run, "approved").await, 403);
    assert_eq!(world.get("/:shop/deployments").await.status, 200);
}

#[tokio::test]
async fn what_the_caller_has_already_is_answered_304_and_costs_nothing() {
    let world = world().await;
    let authorization = format!("Bearer {}", world.token().await);
    let auth = ("Authorization", authorization.as_str());
    let first = world.ask("GET", "/:shop/actions/runs", &[auth], None).await.unwrap();
    let tag = first.header("etag");
    assert!(tag.starts_with("W/\""), "{tag}");
    let headers = [auth, ("If-None-Match", tag)];
    let again = world.ask("GET", "/:shop/actions/runs", &headers, None).await.unwrap();
    assert_eq!((again.status, &again.body), (304, &json!("")));
    assert_eq!(again.header("x-ratelimit-remaining"), first.header("x-ratelimit-remaining"));
    assert_eq!(again.header("etag"), tag);
    world.waiting();
    let changed = world.ask("GET", "/:shop/actions/runs", &headers, None).await.unwrap();
    assert_eq!((changed.status, changed.body["total_count"].as_u64()), (200, Some(1)));
    let seen: Vec<(u16, bool)> =
        world.github.requests().iter().skip(1).map(|call| (call.status, call.conditional)).collect();
    assert_eq!(seen, [(200, false), (304, true), (200, false)]);
}

#[tokio::test]
async fn an_hours_calls_are_counted_and_then_refused() {
    let world = world().await;
    world.github.set_hourly_limit(2);
    let token = world.token().await;
    let get = async || world.call_with(&token, "GET", "/:shop", None).await;
    let first = get().await;
    assert_eq!((first.header("x-ratelimit-limit"), first.header("x-ratelimit-remaining")), ("2", "1"));
    assert_eq!((get().await.status, world.github.limit_hits()), (200, 0));
    let refused = get().await;
    assert_eq!((refused.status, refused.header("x-ratelimit-remaining")), (403, "0"));
    let end: i64 = refused.header("x-ratelimit-reset").parse().unwrap();
    assert_eq!(end, world.clock.time().as_second() + 3600);
    let free = world.call_with(&token, "GET", "/rate_limit", None).await;
    assert_eq!((free.status, free.body["resources"]["core"]["used"].as_u64()), (200, Some(2)));
    assert_eq!(world.github.limit_hits(), 1);
    world.wait(3600);
    let token = world.token().await;
    assert_eq!(world.call_with(&token, "GET", "/:shop", None).await.status, 200);
}

#[tokio::test]
async fn more_than_eighty_comments_a_minute_are_too_many() {
    let world = world().await;
    let (token, pull) = (world.token().await, world.pull());
    let path = format!("/:shop/issues/{pull}/comments");
    let comment = async || world.call_with(&token, "POST", &path, Some(json!({ "body": "hi" }))).await;
    for _ in 0..80 {
        assert_eq!(comment().await.status, 201);
    }
    let refused = comment().await;
    assert_eq!((refused.status, refused.header("retry-after")), (403, "60"));
    assert!(refused.message().contains("secondary rate limit"), "{}", refused.message());
    assert_ne!(refused.header("x-ratelimit-remaining"), "0");
    assert_eq!((world.github.limit_hits(), world.github.comments_of(world.shop, pull).len()), (1, 80));
    world.wait(60);
    assert_eq!(comment().await.status, 201);
}

#[tokio::test]
async fn an_old_name_leads_to_the_way_that_lasts() {
    let world = world().await;
    let run = world.waiting();
    world.github.rename_repository(world.shop, "acme/store");
    let path = format!("/repos/acme/shop/actions/runs/{run}?page=1");
    let moved = world.get(&path).await;
    let lasting = format!("/repositories/{}/actions/runs/{run}?page=1", world.shop);
    assert_eq!((moved.status, moved.header("location")), (301, format!("{}{lasting}", world.url).as_str()));
    assert_eq!(world.get(&lasting).await.body["id"], run);
    let body = json!({ "environment_name": "production", "state": "approved" });
    assert_eq!(world.post(&rule_path(run), body).await.status, 301);
    assert_eq!(world.status(run), "waiting");
    let there = world.get("/repos/acme/store").await;
    assert_eq!(there.body["full_name"], "acme/store");
    world.github.add_repository("acme/shop");
    assert_eq!(world.get("/repos/acme/shop").await.status, 200);
}

#[tokio::test]
async fn an_enterprise_server_has_its_api_behind_a_prefix() {
    let mut world = world().await;
    world.github.set_api_prefix("/api/v3");
    assert_eq!(world.as_app("GET", "/app").await.status, 404);
    world.url = world.github.url();
    assert!(world.url.ends_with("/api/v3"), "{}", world.url);
    let found = world.get("/:shop").await;
    assert_eq!(found.body["url"], format!("{}/repos/acme/shop", world.url));
    world.github.rename_repository(world.shop, "acme/store");
    let moved = world.get("/:shop/actions/runs").await;
    assert_eq!(moved.header("location"), format!("{}/repositories/{}/actions/runs", world.url, world.shop));
}

#[tokio::test]
async fn lists_come_in_pages_of_thirty_with_links() {
    let world = world().await;
    for _ in 0..31 {
        world.waiting();
    }
    let first = world.get("/:shop/actions/runs?status=waiting").await;
    assert_eq!(first.body["workflow_runs"].as_array().unwrap().len(), 30);
    assert_eq!(first.body["total_count"], 31);
    let next = format!("<{}/repos/acme/shop/actions/runs?status=waiting&page=2>; rel=\"next\"", world.url);
    assert!(first.header("link").starts_with(&next), "{}", first.header("link"));
    let second = world.get("/:shop/actions/runs?status=waiting&page=2").await;
    assert_eq!(second.body["workflow_runs"].as_array().unwrap().len(), 1);
    assert!(!second.header("link").contains("next"));
}

#[tokio::test]
async fn faults_answer_in_githubs_place() {
    let world = world().await;
    world.github.add_fault(Rule::new("/actions", Action::TooManyRequests { retry_after: Some(7) }).times(1));
    let slow = world.get("/:shop/actions/runs").await;
    assert_eq!((slow.status, slow.header("retry-after")), (403, "7"));
    let pull = world.pull();
    world.github.add_fault(Rule::new("/comments", Action::ActThenFail(502)).who("countersign").times(1));
    let path = format!("/:shop/issues/{pull}/comments");
    assert_eq!(world.post(&path, json!({ "body": "hi" })).await.status, 502);
    assert_eq!(world.github.comments_of(world.shop, pull).len(), 1);
    let acted: Vec<bool> = world.github.requests().iter().map(|call| call.acted).collect();
    assert_eq!(acted, [true, false, true, true]);
}

#[tokio::test]
async fn what_is_no_json_is_a_bad_request() {
    let world = world().await;
    let pull = world.pull();
    let reply = world.post(&format!("/:shop/issues/{pull}/comments"), json!("text")).await;
    assert_eq!((reply.status, reply.message()), (400, "Problems parsing JSON"));
}
