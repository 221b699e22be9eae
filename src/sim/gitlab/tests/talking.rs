//! Comments, quick actions, reactions, discussions.

use super::*;

#[tokio::test]
async fn a_comment_of_quick_actions_alone_leaves_no_note_and_no_note_hook() {
    let world = world().await;
    let iid = world.merge_request();
    world.hook_answering(200, |hook| hook);
    let path = format!("/projects/:shop/merge_requests/{iid}/notes");
    let reply = world.post_as(world.alice, &path, json!({ "body": "/approve production" })).await;
    assert_eq!(
        (reply.status, &reply.body["summary"][0]),
        (202, &json!("Approved the current merge request."))
    );
    assert!(world.gitlab.notes_of(world.shop, iid).iter().all(|note| note.system));
    assert_eq!(world.delivered(HookEvent::Note).await, Vec::<Value>::new());
    let hook = world.delivered(HookEvent::MergeRequest).await.pop().unwrap();
    assert_eq!(
        (&hook["object_attributes"]["action"], &hook["user"]["username"]),
        (&json!("approved"), &json!("alice"))
    );
}

#[tokio::test]
async fn on_a_merged_merge_request_the_command_vanishes_all_the_same() {
    let world = world().await;
    let iid = world.merge_request();
    world.gitlab.merge(world.shop, iid, world.alice).unwrap();
    let path = format!("/projects/:shop/merge_requests/{iid}/notes");
    let reply = world.post_as(world.alice, &path, json!({ "body": "/approve production" })).await;
    assert_eq!(reply.status, 400);
    assert_eq!(world.gitlab.comment_on_mr(world.shop, iid, world.alice, "/approve production"), Ok(None));
    assert_eq!(world.gitlab.notes_of(world.shop, iid), []);
}

#[tokio::test]
async fn the_text_around_a_quick_action_is_posted_without_it() {
    let world = world().await;
    let iid = world.merge_request();
    let note = world.gitlab.comment_on_mr(world.shop, iid, world.alice, "/approve production\nLGTM").unwrap();
    assert_eq!(world.gitlab.note(note.unwrap()).unwrap().body, "LGTM");
    assert_eq!(world.gitlab.merge_request(world.shop, iid).unwrap().approved_by, ["alice"]);
}

#[tokio::test]
async fn a_bots_line_that_begins_with_a_slash_runs_as_the_bot() {
    let world = world().await;
    let iid = world.merge_request();
    let path = format!("/projects/:shop/merge_requests/{iid}/notes");
    let reply = world.post(&path, json!({ "body": "You wrote:\n/approve production" })).await;
    assert_eq!(reply.body["body"], "You wrote:");
    assert_eq!(world.gitlab.merge_request(world.shop, iid).unwrap().approved_by, ["countersign"]);
}

#[tokio::test]
async fn a_reaction_moves_the_notes_time_and_counts_once() {
    let world = world().await;
    let iid = world.merge_request();
    let note = world.gitlab.comment_on_mr(world.shop, iid, world.alice, "hello").unwrap().unwrap();
    world.clock.advance(jiff::SignedDuration::from_secs(30));
    let path = format!("/projects/:shop/merge_requests/{iid}/notes/{note}/award_emoji");
    assert_eq!(world.post(&format!("{path}?name=eyes"), json!({})).await.status, 201);
    assert_eq!(world.post(&format!("{path}?name=eyes"), json!({})).await.status, 404);
    let seen = world.get(&format!("/projects/:shop/merge_requests/{iid}/notes/{note}")).await;
    assert_eq!(seen.body["created_at"], "2026-05-08T10:00:00.000Z");
    assert_eq!(seen.body["updated_at"], "2026-05-08T10:00:30.000Z");
    assert_eq!(world.get(&path).await.body[0]["name"], "eyes");
}

#[tokio::test]
async fn an_edit_hook_names_the_author_though_a_maintainer_wrote_it() {
    let world = world().await;
    let iid = world.merge_request();
    world.hook_answering(200, |hook| hook);
    let note = world.gitlab.comment_on_mr(world.shop, iid, world.dana, "hello").unwrap().unwrap();
    world.gitlab.edit_note(note, world.alice, "@countersign approve production").unwrap();
    let hook = world.delivered(HookEvent::Note).await.pop().unwrap();
    assert_eq!(hook["object_attributes"]["action"], "update");
    assert_eq!(hook["user"]["username"], "dana");
    assert_eq!(hook["object_attributes"]["updated_by_id"], json!(world.alice));
}

#[tokio::test]
async fn an_edit_to_quick_actions_alone_deletes_the_note() {
    let world = world().await;
    let iid = world.merge_request();
    let note = world.gitlab.comment_on_mr(world.shop, iid, world.dana, "hello").unwrap().unwrap();
    world.gitlab.edit_note(note, world.dana, "/approve").unwrap();
    assert_eq!(world.gitlab.note(note), None);
}

#[tokio::test]
async fn internal_notes_go_to_the_confidential_hook_only() {
    let world = world().await;
    let iid = world.merge_request();
    world.hook_answering(200, |hook| hook);
    world.gitlab.comment_internally(world.shop, iid, world.alice, "psst").unwrap();
    assert_eq!(world.delivered(HookEvent::Note).await.len(), 0);
    let hook = world.delivered(HookEvent::ConfidentialNote).await.pop().unwrap();
    assert_eq!(hook["event_type"], "confidential_note");
}

#[tokio::test]
async fn a_reply_joins_the_discussion_of_the_note() {
    let world = world().await;
    let iid = world.merge_request();
    let note = world.gitlab.comment_on_mr(world.shop, iid, world.dana, "hello").unwrap().unwrap();
    let discussion = world.gitlab.note(note).unwrap().discussion;
    let path = format!("/projects/:shop/merge_requests/{iid}/discussions/{discussion}");
    assert_eq!(world.get(&path).await.body["individual_note"], json!(true));
    assert_eq!(world.post(&format!("{path}/notes"), json!({ "body": "hi" })).await.status, 201);
    let thread = world.get(&path).await.body;
    assert_eq!(
        (thread["individual_note"].clone(), &thread["notes"][1]["body"]),
        (json!(false), &json!("hi"))
    );
    assert_eq!(world.get(&format!("{path}0")).await.status, 404);
}

#[tokio::test]
async fn a_commit_is_discussed_and_edited_but_takes_no_reactions() {
    let world = world().await;
    world.gitlab.add_commit(world.shop, "9f1c77", "Sell more", "Dana");
    let path = "/projects/:shop/repository/commits/9f1c77/discussions";
    let made = world.post(path, json!({ "body": "card" })).await;
    let (discussion, note) =
        (made.body["id"].as_str().unwrap(), made.body["notes"][0]["id"].as_u64().unwrap());
    let one = format!("{path}/{discussion}/notes/{note}");
    let edit = Some(json!({ "body": "new card" }));
    assert_eq!(
        world.ask("PUT", &one, &[(TOKEN, &world.token)], edit).await.unwrap().body["body"],
        "new card"
    );
    assert_eq!(world.get(&one).await.body["body"], "new card");
    assert_eq!(world.post(&format!("{one}/award_emoji?name=eyes"), json!({})).await.status, 404);
    assert_eq!(world.gitlab.notes_of_commit(world.shop, "9f1c77").len(), 1);
}

#[tokio::test]
async fn a_locked_discussion_or_an_archived_project_refuses_the_note() {
    let world = world().await;
    let iid = world.merge_request();
    let path = format!("/projects/:shop/merge_requests/{iid}/notes");
    world.gitlab.set_visibility(world.shop, Visibility::Public);
    world.gitlab.lock_discussion(world.shop, iid, true).unwrap();
    let hello = || json!({ "body": "hello" });
    assert_eq!(world.post_as(world.mallory, &path, hello()).await.status, 403);
    assert_eq!(world.post(&path, hello()).await.status, 201);
    world.gitlab.archive_project(world.shop);
    assert_eq!(world.post(&path, hello()).await.status, 403);
}

#[tokio::test]
async fn only_the_author_or_a_maintainer_edits_a_note() {
    let world = world().await;
    let iid = world.merge_request();
    let note = world.gitlab.comment_on_mr(world.shop, iid, world.bob, "hello").unwrap().unwrap();
    assert_eq!(world.gitlab.edit_note(note, world.dana, "bye").unwrap_err().status, 403);
    assert_eq!(world.gitlab.edit_note(note, world.alice, "bye"), Ok(()));
    world.gitlab.delete_note(note, world.bob).unwrap();
    assert_eq!(world.gitlab.note(note), None);
}
