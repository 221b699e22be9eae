//! Commits, and what one has that another lacks.

use super::*;

/// a1 ← a2 ← a3, b1 on top of a1, and c1 on top of nothing.
async fn history() -> World {
    let world = world().await;
    for sha in ["a1", "a2", "a3"] {
        world.github.add_commit(world.shop, sha, &format!("Change {sha}"), world.dana);
    }
    for (sha, parent) in [("b1", Some("a1")), ("c1", None)] {
        world.github.place_commit(world.shop, sha, parent);
        world.github.add_commit(world.shop, sha, "Change", world.dana);
    }
    world
}

#[tokio::test]
async fn a_comparison_tells_how_the_head_stands_to_the_base() {
    let world = history().await;
    for (pair, status, ahead, behind) in [
        ("a1...a3", "ahead", 2, 0),
        ("a3...a1", "behind", 0, 2),
        ("a3...b1", "diverged", 1, 2),
        ("a3...a3", "identical", 0, 0),
    ] {
        let body = world.get(&format!("/:shop/compare/{pair}")).await.body;
        assert_eq!(
            (&body["status"], &body["ahead_by"], &body["behind_by"], &body["total_commits"]),
            (&json!(status), &json!(ahead), &json!(behind), &json!(ahead)),
            "{pair}"
        );
        assert_eq!(body["html_url"], format!("{}/acme/shop/compare/{pair}", world.url));
    }
    let diverged = world.get("/:shop/compare/a3...b1").await.body;
    assert_eq!(diverged["merge_base_commit"]["sha"], "a1");
}

#[tokio::test]
async fn its_commits_come_in_pages_oldest_first_and_files_with_the_first() {
    let world = history().await;
    let first = world.get("/:shop/compare/a1...a3?per_page=1").await;
    assert_eq!((&first.body["commits"][0]["sha"], &first.body["files"]), (&json!("a2"), &json!([])));
    assert!(first.header("link").contains("page=2"), "{}", first.header("link"));
    let second = world.get("/:shop/compare/a1...a3?per_page=1&page=2").await.body;
    assert_eq!((&second["commits"][0]["sha"], &second["files"]), (&json!("a3"), &Value::Null));
    assert_eq!(
        (&second["commits"][0]["commit"]["message"], &second["commits"][0]["parents"][0]["sha"]),
        (&json!("Change a3"), &json!("a2"))
    );
    assert_eq!((&second["status"], &second["total_commits"]), (&json!("ahead"), &json!(2)));
}

#[tokio::test]
async fn what_is_gone_hidden_or_unrelated_is_not_compared() {
    let world = history().await;
    let unrelated = world.get("/:shop/compare/a1...c1").await;
    assert_eq!((unrelated.status, unrelated.message()), (404, "No common ancestor between a1 and c1."));
    world.github.forget_commit(world.shop, "a2");
    assert_eq!(world.get("/:shop/compare/a2...a3").await.status, 404);
    world.github.set_private(world.shop, true);
    assert_eq!(world.get("/:shop/compare/a1...b1").await.status, 403);
}

#[tokio::test]
async fn a_test_merge_is_no_part_of_what_comes_after() {
    let world = world().await;
    let pull = world.pull();
    let test = world.github.pull_request(world.shop, pull).unwrap().merge_commit_sha;
    let merged = world.github.merge(world.shop, pull, world.bob).unwrap();
    let seen = async |base: &str, head: &str| {
        let body = world.get(&format!("/:shop/compare/{base}...{head}")).await.body;
        (body["status"].clone(), body["commits"][0]["sha"].clone())
    };
    assert_eq!(seen(HEAD, &merged).await, (json!("ahead"), json!(merged)));
    assert_eq!(seen(&test, &merged).await, (json!("diverged"), json!(merged)));
}
