//! Tokens, visibility, members, paging, faults.

use jiff::SignedDuration;

use super::*;

#[tokio::test]
async fn a_wrong_or_expired_token_is_unauthorized_and_a_narrow_one_insufficient() {
    let world = world().await;
    let bad = world.ask("GET", "/user", &[(TOKEN, "nonsense")], None).await.unwrap();
    assert_eq!((bad.status, &bad.body["message"]), (401, &json!("401 Unauthorized")));
    let soon = world.clock.time().checked_add(SignedDuration::from_mins(1)).unwrap();
    let short = NewToken { expires_at: Some(soon), ..NewToken::new(&["read_api"]) };
    let token = world.gitlab.add_token_with(world.bot, short);
    assert_eq!(world.ask("GET", "/user", &[(TOKEN, &token)], None).await.unwrap().body["bot"], json!(true));
    let write =
        world.ask("POST", "/projects/:shop/hooks", &[(TOKEN, &token)], Some(json!({}))).await.unwrap();
    assert_eq!((write.status, &write.body["error"]), (403, &json!("insufficient_scope")));
    let this = world.ask("GET", "/personal_access_tokens/self", &[(TOKEN, &token)], None).await.unwrap();
    assert_eq!(this.body["scopes"], json!(["read_api"]));
    world.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(world.ask("GET", "/user", &[(TOKEN, &token)], None).await.unwrap().status, 401);
}

#[tokio::test]
async fn a_blocked_account_may_nothing() {
    let world = world().await;
    let blocked = world.blocked();
    world.gitlab.set_user_state(world.alice, UserState::Blocked);
    assert_eq!(world.approve(world.alice, blocked.deployment).await.0, 403);
    assert!(world.gitlab.approve_deployment(blocked.deployment, world.alice, None).is_err());
    let seen = world.get(&format!("/users/{}", world.alice)).await;
    assert_eq!(seen.body["state"], "blocked");
}

#[tokio::test]
async fn sudo_votes_as_the_person_and_needs_an_administrator_with_the_scope() {
    let world = world().await;
    let blocked = world.blocked();
    let admin = world.gitlab.add_admin("root", "Root");
    let (with, without) =
        (world.gitlab.add_token(admin, &["api", "sudo"]), world.gitlab.add_token(admin, &["api"]));
    let path = format!("/projects/:shop/deployments/{}/approval", blocked.deployment);
    let vote = |token: String, name: &'static str| {
        let (world, path) = (&world, &path);
        let body = Some(json!({ "status": "approved" }));
        async move { world.ask("POST", path, &[(TOKEN, &token), ("Sudo", name)], body).await.unwrap() }
    };
    let no_admin = vote(world.token.clone(), "alice").await;
    assert_eq!(no_admin.body["message"], "403 Forbidden - Must be admin to use sudo");
    assert_eq!(vote(without, "alice").await.body["scope"], "sudo");
    let nobody = vote(with.clone(), "nobody").await;
    assert_eq!(
        (nobody.status, nobody.body["message"].as_str()),
        (404, Some("404 User with ID or username 'nobody' Not Found"))
    );
    assert_eq!(vote(with.clone(), "DANA").await.status, 400, "the creator is refused by Sudo too");
    assert_eq!(vote(with, "Alice").await.body["user"]["username"], "alice");
    let last = world.gitlab.requests().pop().unwrap();
    assert_eq!((last.user.as_deref(), last.sudo.as_deref()), (Some("root"), Some("alice")));
}

#[tokio::test]
async fn a_private_project_isnt_there_for_outsiders() {
    let world = world().await;
    let token = world.token_of(world.mallory);
    let hidden = world.ask("GET", "/projects/acme%2Fshop", &[(TOKEN, &token)], None).await.unwrap();
    assert_eq!((hidden.status, &hidden.body["message"]), (404, &json!("404 Project Not Found")));
    let none = world.ask("GET", "/projects?membership=true", &[(TOKEN, &token)], None).await.unwrap();
    assert_eq!(none.body, json!([]));
    assert_eq!(world.get("/projects?membership=true").await.body[0]["id"], json!(world.shop));
}

#[tokio::test]
async fn members_are_direct_or_all_and_keep_their_state_and_end() {
    let world = world().await;
    let acme = world.gitlab.add_group("acme", None);
    let qa = world.gitlab.add_group("qa", None);
    world.gitlab.add_group_member(acme, world.mallory, Level::REPORTER);
    let newcomer = world.gitlab.add_user("eve", "Eve");
    let waiting = Membership { state: MemberState::Awaiting, ..Membership::new(newcomer, Level::OWNER) };
    world.gitlab.set_group_member(qa, waiting);
    world.gitlab.share_with_group(world.shop, qa, Level::DEVELOPER);
    let path = |rest: &str, user| format!("/projects/:shop/members{rest}/{user}");
    assert_eq!(world.get(&path("", world.mallory)).await.status, 404);
    assert_eq!(world.get(&path("/all", world.mallory)).await.body["access_level"], json!(20));
    let invited = world.get(&path("/all", newcomer)).await.body;
    assert_eq!((&invited["access_level"], &invited["membership_state"]), (&json!(30), &json!("awaiting")));
    let by_ids = world.get(&format!("/projects/:shop/members/all?user_ids[]={}", world.dana)).await.body;
    assert_eq!((by_ids.as_array().unwrap().len(), &by_ids[0]["username"]), (1, &json!("dana")));
}

#[tokio::test]
async fn an_expired_membership_is_listed_and_gives_no_rights() {
    let world = world().await;
    let blocked = world.blocked();
    let end = Some(world.clock.time());
    let over = Membership { expires_at: end, ..Membership::new(world.alice, Level::MAINTAINER) };
    world.gitlab.set_member(world.shop, over);
    let seen = world.get(&format!("/projects/:shop/members/all/{}", world.alice)).await;
    assert_eq!(seen.body["expires_at"], "2026-05-08");
    assert!(world.gitlab.approve_deployment(blocked.deployment, world.alice, None).is_err());
}

#[tokio::test]
async fn a_strangers_private_group_isnt_there() {
    let world = world().await;
    let qa = world.gitlab.add_group("qa", None);
    assert_eq!(world.get(&format!("/groups/{qa}/members")).await.status, 404);
    world.gitlab.add_group_member(qa, world.bot, Level::GUEST);
    let members = world.get("/groups/qa/members/all").await;
    assert_eq!(members.body[0]["username"], "countersign");
}

#[tokio::test]
async fn a_token_has_its_calls_per_minute_and_is_told_of_them() {
    let world = world().await;
    world.gitlab.limit_token(&world.token, Some(2));
    assert_eq!(world.get("/user").await.header("RateLimit-Remaining"), "1");
    world.get("/user").await;
    let over = world.get("/user").await;
    assert_eq!((over.status, over.header("Retry-After")), (429, "60"));
    assert!(over.body["message"]["error"].is_string());
    world.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(world.get("/user").await.status, 200);
}

#[tokio::test]
async fn lists_are_paged_by_links() {
    let world = world().await;
    let old = OldDeployments {
        count: 25,
        environment: "production".into(),
        user: world.dana,
        since: "2025-01-01T00:00:00Z".parse().unwrap(),
        every: SignedDuration::from_hours(1),
    };
    let ids = world.gitlab.add_old_blocked_deployments(world.shop, &old);
    let first = world.get("/projects/:shop/deployments?status=blocked&sort=desc").await;
    assert_eq!((first.body.as_array().unwrap().len(), &first.body[0]["id"]), (20, &json!(ids[24])));
    assert_eq!((first.header("X-Total"), first.header("X-Next-Page")), ("25", "2"));
    let next = first.header("Link").split(';').next().unwrap().trim_matches(['<', '>']);
    let second = world.get(next.strip_prefix(&format!("{}/api/v4", world.url)).unwrap()).await;
    assert_eq!(second.body.as_array().unwrap().len(), 5);
    assert!(!second.header("Link").contains("rel=\"next\""));
    assert_eq!(second.body[4]["created_at"], "2025-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn projects_page_by_keyset() {
    let world = world().await;
    let more = world.gitlab.add_project("acme/till");
    world.gitlab.add_member(more, world.bot, Level::MAINTAINER);
    let path = "/projects?membership=true&pagination=keyset&order_by=id&sort=asc&per_page=1";
    let first = world.get(path).await;
    let next = first.header("Link").split(';').next().unwrap().trim_matches(['<', '>']);
    let second = world.get(next.strip_prefix(&format!("{}/api/v4", world.url)).unwrap()).await;
    assert_eq!((&first.body[0]["id"], &second.body[0]["id"]), (&json!(world.shop), &json!(more)));
    assert_eq!(second.header("Link"), "");
}

#[tokio::test]
async fn a_filter_by_time_needs_the_order_that_goes_with_it() {
    let world = world().await;
    world.blocked();
    let path = "/projects/:shop/deployments?updated_after=2026-05-08T09:00:00Z";
    assert_eq!(world.get(path).await.status, 400);
    let paired = world.get(&format!("{path}&order_by=updated_at")).await;
    assert_eq!((paired.status, paired.body.as_array().unwrap().len()), (200, 1));
}

#[tokio::test]
async fn protections_are_read_by_maintainers_under_a_licence() {
    let world = world().await;
    let path = "/projects/:shop/protected_environments/production";
    assert_eq!(world.get(path).await.body["approval_rules"][0]["access_level"], json!(40));
    let dana = world.token_of(world.dana);
    assert_eq!(world.ask("GET", path, &[(TOKEN, &dana)], None).await.unwrap().status, 403);
    let main = world.get("/projects/:shop/protected_branches/main").await;
    assert_eq!(main.body["merge_access_levels"][0]["access_level"], json!(30));
    world.gitlab.set_licensed(false);
    assert_eq!(world.get(path).await.status, 404);
}

#[tokio::test]
async fn what_is_deleted_is_gone_and_what_is_renamed_keeps_its_number() {
    let world = world().await;
    let blocked = world.blocked();
    let path = format!("/projects/:shop/deployments/{}", blocked.deployment);
    world.gitlab.rename_project(world.shop, "acme/store");
    assert_eq!(world.get("/projects/:shop").await.body["path_with_namespace"], "acme/store");
    world.gitlab.delete_environment(world.shop, "production");
    assert_eq!(world.get(&path).await.status, 404);
    world.gitlab.delete_project(world.shop);
    assert_eq!(world.get("/projects/:shop").await.body["message"], "404 Project Not Found");
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_deed_or_before_it() {
    let world = world().await;
    let iid = world.merge_request();
    let path = format!("/projects/:shop/merge_requests/{iid}/notes");
    let rule = |action| Rule::new("/notes", action).method("POST").times(1);
    let notes = || world.gitlab.notes_of(world.shop, iid).len();
    let headers = [(TOKEN, world.token.as_str())];
    let say = || world.ask("POST", &path, &headers, Some(json!({ "body": "hi" })));
    world.gitlab.add_fault(rule(Action::Drop));
    assert!(say().await.is_err());
    assert_eq!(notes(), 0);
    world.gitlab.add_fault(rule(Action::ActThenDrop));
    assert!(say().await.is_err());
    assert_eq!(notes(), 1);
    world.gitlab.add_fault(rule(Action::ActThenFail(502)));
    assert_eq!(say().await.unwrap().status, 502);
    assert_eq!(notes(), 2);
    world.gitlab.add_fault(rule(Action::Truncate));
    assert!(say().await.is_err());
    assert_eq!(notes(), 3);
    let calls: Vec<(u16, bool)> =
        world.gitlab.requests().iter().map(|call| (call.status, call.acted)).collect();
    assert_eq!(calls, [(0, false), (201, true), (201, true), (201, true)]);
}

#[tokio::test]
async fn the_edge_answers_429_with_or_without_headers() {
    let world = world().await;
    let rule = |retry_after| Rule::new("/user", Action::TooManyRequests { retry_after }).times(1);
    world.gitlab.add_fault(rule(Some(7)));
    let told = world.get("/user").await;
    assert_eq!((told.status, told.header("Retry-After")), (429, "7"));
    world.gitlab.add_fault(rule(None));
    let silent = world.get("/user").await;
    assert_eq!((silent.status, silent.header("Content-Type")), (429, "text/html"));
    assert_eq!(silent.header("Retry-After"), "");
    world.gitlab.add_fault(Rule::new("/user", Action::Delay(std::time::Duration::ZERO)).times(1));
    assert_eq!(world.get("/user").await.status, 200);
}

#[tokio::test]
async fn a_stopped_twin_answers_no_more() {
    let world = world().await;
    world.gitlab.stop().await;
    assert!(world.ask("GET", "/version", &[(TOKEN, &world.token)], None).await.is_err());
}
