//! The Web API: who may, what is refused, what stands there afterwards.

use jiff::SignedDuration;

use super::*;

#[tokio::test]
async fn a_token_must_be_there_right_and_in_force() {
    let world = world().await;
    let url = format!("{}/api/auth.test", world.url);
    let test = async |token: Option<&str>| world.post(&url, token, &json!({})).await.unwrap();
    assert_eq!(test(None).await.error(), "not_authed");
    assert_eq!(test(Some("xoxb-wrong")).await.error(), "invalid_auth");
    let token = world.slack.bot_token();
    let right = test(Some(&token)).await;
    assert_eq!(right.body["team_id"], json!(world.slack.team()));
    assert!(right.header("X-OAuth-Scopes").contains("chat:write"));
    world.slack.revoke_token();
    let revoked = test(Some(&token)).await;
    assert_eq!((revoked.status, revoked.error()), (200, "account_inactive"));
}

#[tokio::test]
async fn each_method_needs_its_scope() {
    let world = world().await;
    let ts = world.card().await;
    world.slack.set_scopes(&["commands"]);
    let calls = [
        ("chat.postMessage", "chat:write", world.card_args()),
        ("chat.update", "chat:write", json!({ "channel": world.deploys, "ts": ts, "text": "x" })),
        ("users.info", "users:read", json!({ "user": world.dana })),
        ("conversations.history", "channels:history", json!({ "channel": world.deploys })),
        ("conversations.info", "channels:read", json!({ "channel": world.deploys })),
        ("conversations.join", "channels:join", json!({ "channel": world.deploys })),
    ];
    for (method, scope, args) in calls {
        let refused = world.call(method, args).await;
        assert_eq!(
            (refused.error(), refused.body["needed"].as_str()),
            ("missing_scope", Some(scope)),
            "{method}"
        );
    }
    assert_eq!(world.call("views.open", json!({ "view": modal() })).await.error(), "invalid_trigger_id");
    assert_eq!(world.call("chat.shout", json!({})).await.error(), "unknown_method");
}

#[tokio::test]
async fn the_bot_posts_where_it_is_or_where_everybody_may() {
    let world = world().await;
    let post = async |channel: &str| {
        world.call("chat.postMessage", json!({ "channel": channel, "text": "x" })).await.error().to_owned()
    };
    let (public, private) =
        (world.slack.add_channel("public", &[]), world.slack.add_private_channel("private", &[]));
    let bot = world.slack.bot_user();
    world.slack.kick(&public, &bot);
    world.slack.kick(&private, &bot);
    assert_eq!((post(&public).await, post(&private).await), (String::new(), "channel_not_found".into()));
    world.slack.set_scopes(&["chat:write", "channels:join"]);
    assert_eq!(
        (post(&public).await, post("C404").await),
        ("not_in_channel".into(), "channel_not_found".into())
    );
    world.call("conversations.join", json!({ "channel": public })).await;
    assert_eq!(post(&public).await, "");
    let joined = world.call("conversations.join", json!({ "channel": private })).await;
    assert_eq!(joined.error(), "method_not_supported_for_channel_type");
    world.slack.archive(&public);
    assert_eq!(post(&public).await, "is_archived");
}

#[tokio::test]
async fn a_message_says_something_and_a_reply_answers_a_first_message() {
    let world = world().await;
    let post = async |mut args: Value| {
        args["channel"] = json!(world.deploys);
        let reply = world.call("chat.postMessage", args).await;
        (reply.error().to_owned(), reply.body["ts"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(post(json!({})).await.0, "no_text");
    assert_eq!(post(json!({ "blocks": "{}" })).await.0, "invalid_blocks_format");
    let first = post(json!({ "text": "first" })).await.1;
    let reply = post(json!({ "text": "reply", "thread_ts": first })).await.1;
    assert_eq!(post(json!({ "text": "x", "thread_ts": reply })).await.0, "thread_not_found");
    let replies = world.call("conversations.replies", json!({ "channel": world.deploys, "ts": first })).await;
    let texts: Vec<&str> = replies.body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["first", "reply"]);
}

#[tokio::test]
async fn only_the_bots_own_messages_are_edited_and_none_that_is_ephemeral() {
    let world = world().await;
    let update = async |ts: &str, args: Value| {
        let mut all = json!({ "channel": world.deploys, "ts": ts });
        all.as_object_mut().unwrap().extend(args.as_object().unwrap().clone());
        world.call("chat.update", all).await.error().to_owned()
    };
    let theirs = world.slack.say(&world.dana, &world.deploys, "hello", None).unwrap();
    assert_eq!(update(&theirs, json!({ "text": "x" })).await, "cant_update_message");
    let args = json!({ "channel": world.deploys, "user": world.dana, "text": "psst" });
    let whispered = world.call("chat.postEphemeral", args).await;
    let whispered = whispered.body["message_ts"].as_str().unwrap();
    assert_eq!(update(whispered, json!({ "text": "x" })).await, "message_not_found");
    let ts = world.card().await;
    assert_eq!(update(&ts, json!({ "text": "x".repeat(4001) })).await, "msg_too_long");
    assert_eq!(update(&ts, json!({ "text": "x".repeat(4000) })).await, "");
    world.slack.archive(&world.deploys);
    assert_eq!(update(&ts, json!({ "text": "x" })).await, "is_inactive");
}

#[tokio::test]
async fn text_alone_removes_blocks_and_blocks_alone_leave_the_text_and_the_metadata() {
    let world = world().await;
    let mut args = world.card_args();
    args["metadata"] = json!({ "event_type": "card", "event_payload": { "id": "d1" } });
    let ts = world.call("chat.postMessage", args).await.body["ts"].clone();
    let ts = ts.as_str().unwrap();
    let card = || world.slack.message(&world.deploys, ts).unwrap();
    world
        .call("chat.update", json!({ "channel": world.deploys, "ts": ts, "blocks": [section("now")] }))
        .await;
    assert_eq!((card().text.as_str(), card().seen.as_str(), card().edited), ("waits", "now", false));
    world.call("chat.update", json!({ "channel": world.deploys, "ts": ts, "text": "done" })).await;
    assert_eq!((card().blocks.len(), card().seen.as_str(), card().edited), (0, "done", true));
    assert_eq!(card().metadata.unwrap()["event_payload"]["id"], "d1");
    let cleared = json!({ "channel": world.deploys, "ts": ts, "text": "x", "metadata": {} });
    world.call("chat.update", cleared).await;
    assert_eq!(card().metadata, None);
    let bad = json!({ "channel": world.deploys, "text": "x", "metadata": { "event_type": "x" } });
    assert_eq!(world.call("chat.postMessage", bad).await.error(), "invalid_metadata_format");
}

#[tokio::test]
async fn the_edit_window_closes() {
    let world = world().await;
    world.slack.set_edit_window(Some(SignedDuration::from_mins(5)));
    let ts = world.card().await;
    let update = async || {
        world
            .call("chat.update", json!({ "channel": world.deploys, "ts": ts, "text": "x" }))
            .await
            .error()
            .to_owned()
    };
    world.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(update().await, "");
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(update().await, "edit_window_closed");
}

#[tokio::test]
async fn history_comes_newest_first_in_pages_and_tells_metadata_when_asked() {
    let world = world().await;
    let mut sent = Vec::new();
    for number in 0..3 {
        let metadata = json!({ "event_type": "card", "event_payload": { "number": number } });
        let args = json!({ "channel": world.deploys, "text": "x", "metadata": metadata });
        sent.push(world.call("chat.postMessage", args).await.body["ts"].clone());
    }
    let read = async |mut args: Value| {
        args["channel"] = json!(world.deploys);
        world.call("conversations.history", args).await.body
    };
    let first = read(json!({ "limit": 2, "include_all_metadata": true })).await;
    assert_eq!((&first["messages"][0]["ts"], &first["has_more"]), (&sent[2], &json!(true)));
    assert_eq!(first["messages"][0]["metadata"]["event_payload"]["number"], 2);
    let cursor = &first["response_metadata"]["next_cursor"];
    let rest = read(json!({ "limit": 2, "cursor": cursor })).await;
    assert_eq!((&rest["messages"][0]["ts"], rest["messages"][0].get("metadata")), (&sent[0], None));
    let after = read(json!({ "oldest": sent[1] })).await;
    assert_eq!(after["messages"].as_array().unwrap().len(), 1);
    let exactly = read(json!({ "oldest": sent[1], "latest": sent[1], "inclusive": true })).await;
    assert_eq!(exactly["messages"][0]["ts"], sent[1]);
    world.slack.kick(&world.deploys, &world.slack.bot_user());
    assert_eq!(read(json!({})).await["error"], "not_in_channel");
}

#[tokio::test]
async fn guests_the_deactivated_and_foreigners_are_told_apart() {
    let world = world().await;
    let single = world.slack.add_user(NewUser::single_channel_guest("solo"));
    let stranger = world.slack.add_user(NewUser::of_team("stranger", &world.slack.add_team("far")));
    let info =
        async |user: &str| world.call("users.info", json!({ "user": user })).await.body["user"].clone();
    let dana = info(&world.dana).await;
    assert_eq!((&dana["is_restricted"], &dana["team_id"]), (&json!(false), &json!(world.slack.team())));
    let (gina, solo) = (info(&world.gina).await, info(&single).await);
    assert_eq!((&gina["is_restricted"], &gina["is_ultra_restricted"]), (&json!(true), &json!(false)));
    assert_eq!((&solo["is_restricted"], &solo["is_ultra_restricted"]), (&json!(true), &json!(true)));
    let mallory = info(&world.mallory).await;
    assert_ne!(mallory["team_id"], dana["team_id"]);
    assert_eq!(
        (&mallory["is_stranger"], &info(&stranger).await["is_stranger"]),
        (&json!(false), &json!(true))
    );
    world.slack.deactivate(&world.dana);
    assert_eq!(info(&world.dana).await["deleted"], true);
    assert_eq!(info(&world.slack.bot_user()).await["is_bot"], true);
    assert_eq!(world.call("users.info", json!({ "user": "U404" })).await.error(), "user_not_found");
}

#[tokio::test]
async fn a_whisper_reaches_members_only() {
    let world = world().await;
    let bob = world.slack.add_user(NewUser::member("bob"));
    let args = json!({ "channel": world.deploys, "user": bob, "text": "psst" });
    assert_eq!(world.call("chat.postEphemeral", args).await.error(), "user_not_in_channel");
}

#[tokio::test]
async fn too_many_calls_are_told_when_to_come_back() {
    let world = world().await;
    world.slack.limit_calls("chat.postMessage", 1);
    world.clock.advance(SignedDuration::from_secs(20));
    world.card().await;
    let refused = world.call("chat.postMessage", world.card_args()).await;
    assert_eq!((refused.status, refused.error(), refused.header("Retry-After")), (429, "ratelimited", "40"));
    world.clock.advance(SignedDuration::from_secs(40));
    assert_eq!(world.call("chat.postMessage", world.card_args()).await.status, 200);
}

#[tokio::test]
async fn a_message_may_stand_there_though_the_line_broke() {
    let world = world().await;
    world.slack.add_fault(Rule::new("chat.postMessage", Action::ActThenDrop).times(1));
    let url = format!("{}/api/chat.postMessage", world.url);
    let token = world.slack.bot_token();
    assert!(world.post(&url, Some(&token), &world.card_args()).await.is_err());
    assert_eq!(world.slack.messages_of(&world.deploys).len(), 1);
    let call = world.slack.requests().pop().unwrap();
    assert_eq!((call.api_method(), call.acted), ("chat.postMessage", true));
}

#[tokio::test]
async fn people_are_called_by_markup_and_by_words_that_are_looked_at() {
    let world = world().await;
    let post = async |mut args: Value| {
        args["channel"] = json!(world.deploys);
        let before = world.slack.pings().len();
        world.call("chat.postMessage", args).await;
        world.slack.pings().split_off(before).into_iter().map(|ping| ping.who).collect::<Vec<_>>()
    };
    let everybody = vec![world.dana.clone(), world.alice.clone(), world.gina.clone(), world.mallory.clone()];
    assert_eq!(post(json!({ "text": "branch <!channel>" })).await, everybody);
    assert_eq!(post(json!({ "text": "branch &lt;!channel&gt; @here" })).await, Vec::<UserId>::new());
    assert_eq!(post(json!({ "text": "@here", "link_names": true })).await, everybody);
    let careless = json!({ "type": "section", "text": { "type": "mrkdwn", "text": "feat/@here" } });
    assert_eq!(post(json!({ "blocks": [careless] })).await, everybody);
    assert_eq!(post(json!({ "text": "x", "blocks": [section("feat/@here")] })).await, Vec::<UserId>::new());
    let call = format!("<@{}> please", world.alice);
    assert_eq!(post(json!({ "text": "x", "blocks": [section(&call)] })).await, vec![world.alice.clone()]);
    let plain = json!({ "type": "header", "text": { "type": "plain_text", "text": "<!channel> @here" } });
    assert_eq!(post(json!({ "text": "x", "blocks": [plain] })).await, Vec::<UserId>::new());
}

#[tokio::test]
async fn an_edit_calls_only_whom_the_message_didnt_call_before() {
    let world = world().await;
    let text = format!("<@{}>", world.dana);
    let sent = world.call("chat.postMessage", json!({ "channel": world.deploys, "text": text })).await;
    let both = format!("{text} <@{}>", world.alice);
    let args = json!({ "channel": world.deploys, "ts": sent.body["ts"], "text": both });
    world.call("chat.update", args).await;
    let called: Vec<(UserId, bool)> =
        world.slack.pings().into_iter().map(|ping| (ping.who, ping.edit)).collect();
    assert_eq!(called, [(world.dana.clone(), false), (world.alice.clone(), true)]);
}

#[tokio::test]
async fn a_link_is_seen_by_its_label_and_known_by_its_address() {
    let world = world().await;
    let spoof = "<http://evil.example|https://gitlab.com/acme> by *alice*";
    let sent = world.call("chat.postMessage", json!({ "channel": world.deploys, "text": spoof })).await;
    let seen = world.slack.message(&world.deploys, sent.body["ts"].as_str().unwrap()).unwrap();
    assert_eq!(seen.seen, "https://gitlab.com/acme by *alice*");
    assert_eq!(seen.links[0].url, "http://evil.example");
}

#[tokio::test]
async fn a_form_is_read_like_json() {
    let world = world().await;
    let url = format!("{}/api/chat.postMessage", world.url);
    let blocks = json!([section("from a form")]).to_string();
    let fields = [("channel", world.deploys.as_str()), ("text", "x"), ("blocks", blocks.as_str())];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let sent = send_form(&url, &world.slack.bot_token(), body).await;
    assert_eq!(sent["ok"], true);
    assert_eq!(world.slack.messages_of(&world.deploys)[0].seen, "from a form");
}

#[expect(clippy::disallowed_methods, reason = "the twin is tested without the product's own client")]
async fn send_form(url: &str, token: &str, body: String) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(url).bearer_auth(token).body(body);
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
}
