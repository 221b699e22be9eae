//! Comments, reactions and reviews.

use super::*;

#[tokio::test]
async fn a_comment_is_posted_edited_and_deleted() {
    let world = world().await;
    let pull = world.pull();
    let posted = world.post(&format!("/:shop/issues/{pull}/comments"), json!({ "body": "blocked" })).await;
    assert_eq!((posted.status, &posted.body["user"]["login"]), (201, &json!("countersign[bot]")));
    assert_eq!(posted.body["user"]["type"], "Bot");
    assert_eq!(posted.body["performed_via_github_app"]["id"], world.app.id);
    let path = format!("/:shop/issues/comments/{}", posted.body["id"]);
    world.wait(10);
    let edited = world.call("PATCH", &path, Some(json!({ "body": "running" }))).await;
    assert_eq!((edited.status, &edited.body["updated_at"]), (200, &json!("2026-05-08T10:00:10Z")));
    assert_eq!(world.github.comments_of(world.shop, pull)[0].body, "running");
    assert_eq!(world.call("DELETE", &path, None).await.status, 204);
    assert_eq!(world.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_body_beyond_65536_characters_is_too_long() {
    let world = world().await;
    let path = format!("/:shop/issues/{}/comments", world.pull());
    assert_eq!(world.post(&path, json!({ "body": "ü".repeat(65_536) })).await.status, 201);
    assert_eq!(world.post(&path, json!({ "body": "x".repeat(65_537) })).await.status, 422);
    assert_eq!(world.post(&path, json!({ "body": " " })).await.status, 422);
    assert_eq!(world.post("/:shop/issues/99/comments", json!({ "body": "hi" })).await.status, 404);
}

#[tokio::test]
async fn comments_are_listed_oldest_first_since_their_last_change() {
    let world = world().await;
    let pull = world.pull();
    let first = world.github.comment_on_pull_request(world.shop, pull, world.alice, "one").unwrap();
    world.wait(60);
    let second = world.github.comment_on_pull_request(world.shop, pull, world.bob, "two").unwrap();
    let since = async |time: &str| {
        let path = format!("/:shop/issues/{pull}/comments?since=2026-05-08T{time}Z&per_page=100");
        world.get(&path).await.each("id").into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(since("10:00:00").await, [first, second]);
    assert_eq!(since("10:01:00").await, [second]);
    world.wait(60);
    world.github.edit_comment(first, world.alice, "one more").unwrap();
    assert_eq!(since("10:02:00").await, [first]);
    let refused = world.github.edit_comment(second, world.mallory, "mine").unwrap_err();
    assert_eq!(refused.status, 403);
}

#[tokio::test]
async fn the_same_reaction_twice_is_one_and_moves_nothing() {
    let world = world().await;
    let pull = world.pull();
    let comment = world.github.comment_on_pull_request(world.shop, pull, world.alice, "hi").unwrap();
    let path = format!("/:shop/issues/comments/{comment}/reactions");
    world.wait(5);
    assert_eq!(world.post(&path, json!({ "content": "eyes" })).await.status, 201);
    assert_eq!(world.post(&path, json!({ "content": "eyes" })).await.status, 200);
    assert_eq!(world.post(&path, json!({ "content": "shrug" })).await.status, 422);
    let seen = world.github.comment(comment).unwrap();
    assert_eq!((seen.reactions.len(), seen.updated_at), (1, seen.created_at));
    assert_eq!(seen.reactions[0], ReactionView { content: "eyes".into(), user: "countersign[bot]".into() });
}

#[tokio::test]
async fn pull_request_permission_lets_comment_but_not_react() {
    let world = world().await;
    let pull = world.pull();
    let comment = world.github.comment_on_pull_request(world.shop, pull, world.alice, "hi").unwrap();
    world.github.set_permissions(world.app.id, &[("issues", "none")]);
    assert_eq!(
        world.post(&format!("/:shop/issues/{pull}/comments"), json!({ "body": "hi" })).await.status,
        201
    );
    let path = format!("/:shop/issues/comments/{comment}/reactions");
    assert_eq!(world.post(&path, json!({ "content": "eyes" })).await.status, 403);
}

#[tokio::test]
async fn a_locked_conversation_is_for_those_who_may_write() {
    let world = world().await;
    let pull = world.pull();
    world.github.lock(world.shop, pull, true);
    let reply = world.post(&format!("/:shop/issues/{pull}/comments"), json!({ "body": "hi" })).await;
    assert_eq!((reply.status, reply.message()), (403, "Unable to create comment because issue is locked."));
    let say = |user| world.github.comment_on_pull_request(world.shop, pull, user, "hi");
    assert_eq!(say(world.mallory).unwrap_err().status, 403);
    assert!(say(world.dana).is_ok());
    world.github.archive(world.shop, true);
    assert_eq!(say(world.dana).unwrap_err().status, 403);
}

#[tokio::test]
async fn outsiders_talk_in_public_and_see_nothing_in_private() {
    let world = world().await;
    let pull = world.pull();
    let say = |user| world.github.comment_on_pull_request(world.shop, pull, user, "/deploy approve");
    assert!(say(world.mallory).is_ok());
    world.github.set_private(world.shop, true);
    assert_eq!(say(world.mallory).unwrap_err().status, 404);
    assert!(say(world.dana).is_ok());
}

#[tokio::test]
async fn commits_have_comments_of_their_own() {
    let world = world().await;
    world.waiting();
    let path = format!("/:shop/commits/{HEAD}/comments");
    let posted = world.post(&path, json!({ "body": "blocked" })).await;
    assert_eq!((posted.status, &posted.body["commit_id"]), (201, &json!(HEAD)));
    let comment = format!("/:shop/comments/{}", posted.body["id"]);
    assert_eq!(world.call("PATCH", &comment, Some(json!({ "body": "running" }))).await.status, 200);
    assert_eq!(world.post(&format!("{comment}/reactions"), json!({ "content": "eyes" })).await.status, 201);
    assert_eq!(world.github.commit_comments_of(world.shop, HEAD)[0].body, "running");
    let as_issue = format!("/:shop/issues/comments/{}", posted.body["id"]);
    assert_eq!(world.get(&as_issue).await.status, 404);
    let unknown = world.post("/:shop/commits/feedface/comments", json!({ "body": "hi" })).await;
    assert_eq!(unknown.status, 422);
    assert_eq!(world.call("DELETE", &comment, None).await.status, 204);
    assert_eq!(world.get(&path).await.body, json!([]));
}

#[tokio::test]
async fn commit_comments_of_private_repositories_need_contents() {
    let world = world().await;
    world.waiting();
    world.github.set_private(world.shop, true);
    let path = format!("/:shop/commits/{HEAD}/comments");
    assert_eq!(world.post(&path, json!({ "body": "hi" })).await.status, 403);
    assert_eq!(world.get(&format!("/:shop/commits/{HEAD}")).await.status, 403);
    world.github.set_permissions(world.app.id, &[("contents", "read")]);
    assert_eq!(world.post(&path, json!({ "body": "hi" })).await.status, 201);
}

#[tokio::test]
async fn a_review_is_pinned_to_the_commit_that_was_seen() {
    let world = world().await;
    let pull = world.pull();
    world.github.push(world.shop, pull, "5ca1ab1e");
    let submit = |by, review| world.github.submit_review(world.shop, pull, by, review);
    let old = submit(world.alice, NewReview::comment("/deploy approve").of(HEAD)).unwrap();
    submit(world.bob, NewReview::approve(None)).unwrap();
    assert_eq!(submit(world.dana, NewReview::approve(None)).unwrap_err().status, 422);
    let all = world.get(&format!("/:shop/pulls/{pull}/reviews")).await;
    assert_eq!(all.each("state"), ["COMMENTED", "APPROVED"]);
    assert_eq!(all.each("commit_id"), [HEAD, "5ca1ab1e"]);
    let one = world.get(&format!("/:shop/pulls/{pull}/reviews/{old}")).await;
    assert_eq!((&one.body["body"], &one.body["user"]["login"]), (&json!("/deploy approve"), &json!("alice")));
    let issue = world.github.open_issue(world.shop, world.dana, "Broken");
    assert_eq!(world.get(&format!("/:shop/pulls/{issue}")).await.status, 404);
}

#[tokio::test]
async fn what_a_deleted_account_wrote_has_no_author() {
    let world = world().await;
    let pull = world.pull();
    world.github.comment_on_pull_request(world.shop, pull, world.mallory, "bye").unwrap();
    world.github.delete_user(world.mallory);
    let comments = world.get(&format!("/:shop/issues/{pull}/comments")).await;
    assert_eq!(comments.each("user"), [&Value::Null]);
    assert_eq!(world.get("/users/mallory").await.status, 404);
}
