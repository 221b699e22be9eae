//! What one commit has that another lacks.

use super::*;

#[tokio::test]
async fn a_comparison_lists_what_the_second_has_and_the_first_lacks() {
    let world = world().await;
    for sha in ["a1", "a2", "a3"] {
        world.gitlab.add_commit(world.shop, sha, &format!("Change {sha}"), "Dana");
    }
    let compare = async |query: &str| world.get(&format!("/projects/:shop/repository/compare?{query}")).await;
    let ahead = compare("from=a1&to=a3&straight=false").await.body;
    assert_eq!(
        (&ahead["commits"][0]["id"], &ahead["commits"][1]["title"]),
        (&json!("a2"), &json!("Change a3"))
    );
    assert_eq!((&ahead["commit"]["id"], &ahead["commits"][2]), (&json!("a3"), &Value::Null));
    assert_eq!(ahead["web_url"], format!("{}/acme/shop/-/compare/a1...a3", world.url));
    let behind = compare("from=a3&to=a1").await.body;
    assert_eq!((&behind["commits"], &behind["commit"]), (&json!([]), &Value::Null));
    assert_eq!((&behind["compare_same_ref"], &behind["compare_timeout"]), (&json!(false), &json!(false)));
    assert_eq!(compare("from=a3&to=a3").await.body["compare_same_ref"], true);
}

#[tokio::test]
async fn what_is_gone_is_not_compared() {
    let world = world().await;
    for sha in ["a1", "a2"] {
        world.gitlab.add_commit(world.shop, sha, "Change", "Dana");
    }
    world.gitlab.forget_commit(world.shop, "a1");
    let gone = world.get("/projects/:shop/repository/compare?from=a1&to=a2").await;
    assert_eq!((gone.status, &gone.body["message"]), (404, &json!("404 Ref Not Found")));
    let half = world.get("/projects/:shop/repository/compare?from=a2").await;
    assert_eq!((half.status, &half.body["error"]), (400, &json!("to is missing")));
}

#[tokio::test]
async fn strangers_compare_nothing() {
    let world = world().await;
    world.gitlab.add_commit(world.shop, "a1", "Change", "Dana");
    let token = world.token_of(world.mallory);
    let path = "/projects/:shop/repository/compare?from=a1&to=a1";
    assert_eq!(world.ask("GET", path, &[(TOKEN, &token)], None).await.unwrap().status, 404);
}
