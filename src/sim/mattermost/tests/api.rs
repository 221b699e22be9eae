//! REST v4: who may, what is refused, what stands there afterwards.

use jiff::SignedDuration;

use super::*;

#[tokio::test]
async fn a_session_must_be_in_force() {
    let world = world().await;
    let me = async |token: Option<&str>| world.ask("GET", "/users/me", token, None).await;
    let token = world.mattermost.bot_token();
    assert_eq!(me(Some(&token)).await.body["is_bot"], true);
    assert_eq!(me(None).await.status, 401);
    world.mattermost.revoke_tokens(&world.mattermost.bot_user());
    let expired = me(Some(&token)).await;
    assert_eq!((expired.status, expired.error()), (401, "api.context.session_expired.app_error"));
    assert_eq!(expired.body["status_code"], 401);
}

#[tokio::test]
async fn a_message_takes_16383_characters() {
    let world = world().await;
    let post = async |length: usize| {
        world.post("/posts", json!({ "channel_id": world.deploys, "message": "ü".repeat(length) })).await
    };
    assert_eq!(post(16_383).await.status, 201);
    let refused = post(16_384).await;
    assert_eq!((refused.status, refused.error()), (400, "model.post.is_valid.message_length.app_error"));
    let heavy = json!({ "channel_id": world.deploys, "message": "x", "props": { "x": "x".repeat(800_000) } });
    assert_eq!(world.post("/posts", heavy).await.error(), "model.post.is_valid.props.app_error");
}

#[tokio::test]
async fn the_bot_writes_where_it_is_and_nowhere_archived() {
    let world = world().await;
    let post = async |channel: &str| {
        world.post("/posts", json!({ "channel_id": channel, "message": "x" })).await.status
    };
    let elsewhere = world.mattermost.add_channel(&world.acme, "elsewhere", &[]);
    world.mattermost.kick(&elsewhere, &world.mattermost.bot_user());
    assert_eq!((post(&elsewhere).await, post("nowhere").await), (403, 403));
    world.mattermost.archive(&world.deploys);
    assert_eq!(post(&world.deploys).await, 400);
}

#[tokio::test]
async fn a_reply_answers_a_first_post_of_the_same_channel() {
    let world = world().await;
    let card = world.card().await;
    let reply = async |channel: &str, root: &str| {
        let body = json!({ "channel_id": channel, "message": "x", "root_id": root });
        world.post("/posts", body).await
    };
    let first = reply(&world.deploys, &card).await;
    let inner = first.body["id"].as_str().unwrap();
    let elsewhere = world.mattermost.add_channel(&world.acme, "elsewhere", &[]);
    assert_eq!(reply(&world.deploys, inner).await.error(), "api.post.create_post.root_id.app_error");
    assert_eq!(reply(&elsewhere, &card).await.status, 400);
    let thread = world.get(&format!("/posts/{inner}/thread")).await;
    assert_eq!(thread.body["order"], json!([card, inner]));
}

#[tokio::test]
async fn the_same_pending_id_is_the_same_post_for_half_a_minute() {
    let world = world().await;
    let post = async || {
        let body = json!({ "channel_id": world.deploys, "message": "x", "pending_post_id": "bot:1" });
        world.post("/posts", body).await.body["id"].clone()
    };
    let first = post().await;
    world.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(post().await, first);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_ne!(post().await, first);
}

#[tokio::test]
async fn a_patch_replaces_all_props_and_nobody_reads_a_context_back() {
    let world = world().await;
    let card = world.card().await;
    let read = world.get(&format!("/posts/{card}")).await;
    assert_eq!(read.body.pointer("/props/attachments/0/actions/0/name"), Some(&json!("approve")));
    assert_eq!(read.body.pointer("/props/attachments/0/actions/0/integration"), None);
    world.patch(&card, json!({ "message": "now" })).await;
    assert_eq!(world.mattermost.post(&card).unwrap().buttons.len(), 2, "what is absent stays");
    let patched = world.patch(&card, json!({ "props": { "marker": "d1" } })).await;
    assert_eq!(
        (&patched.body["props"], &patched.body["message"]),
        (&json!({ "marker": "d1" }), &json!("now"))
    );
    assert_ne!(patched.body["edit_at"], 0);
}

#[tokio::test]
async fn only_its_own_posts_are_edited_and_only_in_time() {
    let world = world().await;
    let theirs = world.mattermost.post_as(&world.dana, &world.deploys, NewPost::new("hello")).unwrap();
    assert_eq!(world.patch(&theirs, json!({ "message": "x" })).await.status, 403);
    assert_eq!(world.patch("nothing", json!({ "message": "x" })).await.status, 403);
    let card = world.card().await;
    world.mattermost.set_edit_window(Some(SignedDuration::from_mins(5)));
    world.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(world.patch(&card, json!({ "message": "x" })).await.status, 200);
    world.clock.advance(SignedDuration::from_secs(1));
    let late = world.patch(&card, json!({ "message": "x" })).await;
    assert_eq!(late.error(), "api.post.update_post.permissions_time_limit.app_error");
    world.mattermost.remove_post(&card);
    assert_eq!(world.patch(&card, json!({ "message": "x" })).await.status, 403, "what is gone is refused");
    assert_eq!(world.get(&format!("/posts/{card}")).await.status, 404);
}

#[tokio::test]
async fn two_have_one_direct_channel_that_nobody_else_reads() {
    let world = world().await;
    let bot = world.mattermost.bot_user();
    let opened = world.post("/channels/direct", json!([bot, world.dana])).await;
    assert_eq!((opened.status, &opened.body["type"]), (201, &json!("D")));
    let again = world.post("/channels/direct", json!([world.dana, bot])).await;
    assert_eq!(again.body["id"], opened.body["id"]);
    let direct = opened.body["id"].as_str().unwrap().to_owned();
    assert_eq!(world.mattermost.direct_channel(&bot, &world.dana), direct);
    let post = world.post("/posts", json!({ "channel_id": direct, "message": "psst" })).await;
    assert_eq!(post.status, 201);
    let overheard = world.mattermost.post_as(&world.mallory, &direct, NewPost::new("x"));
    assert_eq!(overheard, Err(Refused::NoChannel));
    let of_others = world.post("/channels/direct", json!([world.dana, world.alice])).await;
    let with_nobody = world.post("/channels/direct", json!([bot, "nobody"])).await;
    assert_eq!((of_others.status, with_nobody.status), (403, 400));
}

#[tokio::test]
async fn guests_strangers_and_shared_channels_are_told_apart() {
    let world = world().await;
    world.mattermost.make_guest(&world.mallory);
    let guest = world.get(&format!("/users/{}", world.mallory)).await;
    assert_eq!((&guest.body["roles"], guest.body.get("remote_id")), (&json!("system_guest"), None));
    let stranger = world.mattermost.add_remote_user("erin");
    assert!(world.get(&format!("/users/{stranger}")).await.body["remote_id"].is_string());
    world.mattermost.share(&world.deploys);
    world.mattermost.archive(&world.deploys);
    let path = "/teams/name/acme/channels/name/deploys";
    assert_eq!(world.get(path).await.status, 404);
    let found = world.get(&format!("{path}?include_deleted=true")).await;
    assert_eq!(found.body["shared"], true);
}

#[tokio::test]
async fn ephemeral_posts_are_for_administrators() {
    let world = world().await;
    let post = json!({ "channel_id": world.deploys, "message": "psst" });
    let body = json!({ "user_id": world.dana, "post": post });
    assert_eq!(world.post("/posts/ephemeral", body.clone()).await.status, 403);
    world.mattermost.make_admin(&world.mattermost.bot_user());
    assert_eq!(world.post("/posts/ephemeral", body).await.status, 201);
    assert_eq!(world.mattermost.ephemerals_of(&world.dana)[0].seen, "psst");
    assert_eq!(world.mattermost.posts_of(&world.deploys), []);
}

#[tokio::test]
async fn people_channels_and_members_are_found_or_missed() {
    let world = world().await;
    let found = world.get("/users/username/Dana").await;
    assert_eq!((&found.body["id"], &found.body["delete_at"]), (&json!(world.dana), &json!(0)));
    world.mattermost.deactivate(&world.dana);
    let gone = world.get(&format!("/users/{}", world.dana)).await;
    assert_ne!(gone.body["delete_at"], 0);
    assert_eq!(world.get("/users/username/nobody").await.status, 404);
    let channel = world.get("/teams/name/acme/channels/name/deploys").await;
    assert_eq!((&channel.body["id"], &channel.body["type"]), (&json!(world.deploys), &json!("O")));
    assert_eq!(world.get("/teams/name/acme/channels/name/none").await.status, 404);
    assert_eq!(world.get("/teams/name/none/channels/name/deploys").await.status, 404);
    let member = |user: &str| format!("/channels/{}/members/{user}", world.deploys);
    assert_eq!(world.get(&member(&world.alice)).await.body["user_id"], json!(world.alice));
    assert_eq!(world.get(&member(&world.mallory)).await.status, 404);
    let private = world.mattermost.add_private_channel(&world.acme, "private", &[]);
    world.mattermost.kick(&private, &world.mattermost.bot_user());
    assert_eq!(world.get(&format!("/channels/{private}/members/me")).await.status, 403);
    assert_eq!(world.get("/teams/name/acme/channels/name/private").await.status, 404);
}

#[tokio::test]
async fn a_channel_is_read_newest_first_or_since_a_time() {
    let world = world().await;
    let old = world.card().await;
    world.clock.advance(SignedDuration::from_mins(1));
    let since = world.clock.time().as_millisecond();
    let new = world.card().await;
    let list = async |query: &str| {
        world.get(&format!("/channels/{}/posts?{query}", world.deploys)).await.body["order"].clone()
    };
    assert_eq!(list("").await, json!([new, old]));
    assert_eq!(list("page=1&per_page=1").await, json!([old]));
    assert_eq!(list(&format!("since={since}")).await, json!([new]));
}

#[tokio::test]
async fn too_many_calls_are_told_when_to_come_back() {
    let world = world().await;
    world.mattermost.limit_calls(Some(1));
    assert_eq!(world.get("/users/me").await.status, 200);
    let refused = world.get("/users/me").await;
    assert_eq!((refused.status, refused.header("X-Ratelimit-Reset")), (429, "1"));
    assert_eq!((refused.header("X-Ratelimit-Remaining"), refused.header("Retry-After")), ("0", "1"));
    assert_eq!(refused.body, "limit exceeded");
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(world.get("/users/me").await.status, 200);
}

#[tokio::test]
async fn calls_are_logged_with_their_caller_and_faults_go_by_name() {
    let world = world().await;
    world.mattermost.add_fault(Rule::new("/posts", Action::ActThenFail(502)).who("countersign").times(1));
    let failed = world.post("/posts", json!({ "channel_id": world.deploys, "message": "x" })).await;
    assert_eq!((failed.status, world.mattermost.posts_of(&world.deploys).len()), (502, 1));
    let call = world.mattermost.requests().pop().unwrap();
    assert_eq!((call.user.as_deref(), call.acted), (Some("countersign"), true));
}

#[tokio::test]
async fn people_are_called_in_messages_and_attachments_but_not_in_code() {
    let world = world().await;
    let post = async |message: &str, attachment: &str| {
        let before = world.mattermost.pings().len();
        let props = json!({ "attachments": [{ "text": attachment, "title": "@here" }] });
        world
            .post("/posts", json!({ "channel_id": world.deploys, "message": message, "props": props }))
            .await;
        world.mattermost.pings().split_off(before).into_iter().map(|ping| ping.by).collect::<Vec<_>>()
    };
    assert_eq!(post("branch `@channel`", "nothing").await, Vec::<String>::new());
    assert_eq!(post("branch @channel", "nothing").await, ["@channel", "@channel"]);
    assert_eq!(post("x", "@alice.").await, ["@alice"]);
    assert_eq!(post("@mallory isn't in this channel", "x").await, Vec::<String>::new());
    assert_eq!(post("@\u{200b}channel", "x").await, Vec::<String>::new());
}
