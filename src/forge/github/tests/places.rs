//! Repositories that come, go and are renamed; accounts.

use super::*;
use crate::domain::actor::Account;
use crate::domain::id::UserId;
use crate::forge::github::client::Change;
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{GroupRef, HookLog as _, Lookup as _};
use rstest::rstest;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::task::JoinSet;

fn repositories(found: &[Value]) -> Response {
    answer(200, &json!({"total_count": found.len(), "repositories": found}))
}

fn half_a_minute() -> SignedDuration {
    SignedDuration::from_secs(30)
}

#[tokio::test]
async fn everything_is_read_once_for_all_who_ask_at_once() {
    let world = World::new(|_, _| None).await;
    let mut looks = JoinSet::new();
    for _ in 0..10 {
        let github = Arc::clone(&world.github);
        looks.spawn(async move { github.directory.repo(SHOP).await.unwrap().path().to_owned() });
    }
    assert_eq!(looks.join_all().await, vec!["acme/shop"; 10]);
    assert_eq!(world.count("GET", "/installation/repositories"), 1);
    let repo = world.github.directory.repo_at("ACME/Shop").await.unwrap();
    assert_eq!((repo.id, repo.installation), (SHOP, InstallationId(1)));
    let installation = world.github.directory.installation_of("ACME").await.unwrap().unwrap();
    assert!(installation.may("read", "deployments") && installation.may("read", "actions"));
    assert!(!installation.may("write", "actions") && !installation.may("read", "members"));
}

#[tokio::test]
async fn an_unknown_repository_is_looked_for_but_not_all_the_time() {
    let there = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&there);
    let world = World::new(move |asked, _| {
        let new = json!({"id": 8, "full_name": "acme/web"});
        let found = if now.load(Ordering::SeqCst) { vec![shop(), new] } else { vec![shop()] };
        asked.is("GET", "/installation/repositories").then(|| repositories(&found))
    })
    .await;
    let look = async || world.github.directory.repo(ProjectId(8)).await.map(|repo| repo.path().to_owned());
    assert_eq!(look().await, Err(Failure::NotFound));
    there.store(true, Ordering::SeqCst);
    world.clock.advance(SignedDuration::from_secs(10));
    // It may have come since: nobody may take it for gone.
    assert_eq!(look().await, Err(Failure::HeldBack { wait: Duration::from_secs(20) }));
    assert_eq!(world.count("GET", "/installation/repositories"), 1);
    world.clock.advance(SignedDuration::from_secs(20));
    assert_eq!(look().await, Ok("acme/web".to_owned()));
}

#[tokio::test]
async fn names_that_are_not_there_do_not_hold_each_other_up() {
    let world = World::new(|_, _| None).await;
    for path in ["acme/one", "acme/two", "acme/three"] {
        let found = world.github.directory.repo_at(path).await.map(|repo| repo.id);
        assert_eq!(found, Err(Failure::NotFound), "{path}");
    }
    assert_eq!(world.count("GET", "/installation/repositories"), 1);
}

#[tokio::test]
async fn a_change_that_a_hook_told_of_is_read() {
    let members = Arc::new(AtomicBool::new(false));
    let granted = Arc::clone(&members);
    let world = World::new(move |asked, _| {
        let mut found = installation(1);
        if granted.load(Ordering::SeqCst) {
            found["permissions"]["members"] = json!("read");
        }
        asked.is("GET", "/app/installations").then(|| answer(200, &json!([found])))
    })
    .await;
    let directory = &world.github.directory;
    let may = async || directory.installation_of("acme").await.unwrap().unwrap().may("read", "members");
    assert!(!may().await);
    members.store(true, Ordering::SeqCst);
    world.clock.advance(half_a_minute());
    assert!(!may().await);
    directory.expect_change();
    assert!(may().await);
    assert!(may().await);
    assert_eq!(world.count("GET", "/app/installations"), 2);
}

#[rstest]
#[case::for_now(500)]
#[case::by_an_ip_allow_list(403)]
#[tokio::test]
async fn one_installation_that_fails_takes_no_other_with_it_and_loses_nothing(#[case] status: u16) {
    let broken = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&broken);
    let world = World::new(move |asked, count| match (asked.path.as_str(), asked.authorization.as_str()) {
        ("/app/installations", _) => Some(answer(200, &json!([installation(1), installation(2)]))),
        ("/app/installations/2/access_tokens", _) => Some(minted(count + 100, start())),
        ("/installation/repositories", "Bearer ghs_1") if fails.load(Ordering::SeqCst) => {
            Some(answer(status, &json!({})))
        }
        ("/installation/repositories", "Bearer ghs_101") => {
            Some(repositories(&[json!({"id": 20, "full_name": "other/thing"})]))
        }
        _ => None,
    })
    .await;
    let directory = &world.github.directory;
    assert_eq!(directory.repos().await.unwrap().len(), 2);
    broken.store(true, Ordering::SeqCst);
    world.clock.advance(half_a_minute());
    assert!(matches!(directory.repo(ProjectId(99)).await, Err(Failure::Unavailable { .. })));
    // Not everything was read: within the half minute it is still not "gone".
    assert!(matches!(directory.repo(ProjectId(99)).await, Err(Failure::Unavailable { .. })));
    assert_eq!(directory.repo(SHOP).await.unwrap().path(), "acme/shop");
    assert_eq!(directory.repo(ProjectId(20)).await.unwrap().path(), "other/thing");
    assert_eq!(directory.repos().await.unwrap().len(), 2);
}

/// Installations 1 and, if `second`, 2, until the first is uninstalled and its token has run out. It is still listed.
async fn uninstalled(second: bool) -> World {
    let world = World::new(move |asked, count| match (asked.path.as_str(), asked.authorization.as_str()) {
        ("/app/installations", _) if second => Some(answer(200, &json!([installation(1), installation(2)]))),
        ("/app/installations/1/access_tokens", _) if count > 1 => Some(gone()),
        ("/app/installations/2/access_tokens", _) => {
            Some(minted(count + 100, start() + SignedDuration::from_hours(1)))
        }
        ("/installation/repositories", "Bearer ghs_101") => Some(repositories(&[])),
        ("/user/5", _) => Some(answer(200, &json!({"id": 5, "login": "dana", "type": "User"}))),
        _ => None,
    })
    .await;
    world.github.directory.repos().await.unwrap();
    world.clock.advance(SignedDuration::from_hours(1));
    world
}

#[tokio::test]
async fn people_are_asked_for_as_another_installation_where_one_is_gone() {
    let world = uninstalled(true).await;
    let directory = &world.github.directory;
    assert_eq!(directory.account(UserId(5)).await.unwrap().username, "dana");
    assert_eq!(directory.account(UserId(6)).await, Err(Failure::NotFound), "the other one's word counts");
    assert_eq!(world.count("GET", "/app/installations"), 2, "everything was read anew");
    // The one that couldn't be read comes last from then on.
    assert_eq!(world.count("POST", "/app/installations/1/access_tokens"), 3);
}

#[tokio::test]
async fn an_installation_that_is_gone_says_nothing_of_people() {
    let world = uninstalled(false).await;
    for _ in 0..2 {
        let account = world.github.directory.account(UserId(5)).await;
        assert!(matches!(account, Err(Failure::Unavailable { .. })), "{account:?}");
    }
    let sre = GroupRef { path: "acme/sre", id: 9 };
    let member = world.github.is_group_member(sre, true, UserId(5)).await;
    assert!(matches!(member, Err(Failure::Unavailable { .. })), "{member:?}");
    let read = world.github.read::<Value>(SHOP, &["x"], &[]).await;
    assert!(matches!(read, Err(Failure::Unavailable { .. } | Failure::HeldBack { .. })), "{read:?}");
}

#[tokio::test]
async fn every_look_at_the_log_of_deliveries_notices_where_the_app_is_installed() {
    let log = |asked: &Asked, _| asked.is("GET", "/app/hook/deliveries").then(|| answer(200, &json!([])));
    let world = World::new(log).await;
    for read in 1..=2 {
        assert_eq!(world.github.failed(start()).await, Ok(Vec::new()));
        assert_eq!(world.count("GET", "/app/installations"), read);
        world.clock.advance(SignedDuration::from_secs(60));
    }
}

#[tokio::test]
async fn a_suspended_installation_reaches_nothing() {
    let world = World::new(|asked, _| {
        let mut suspended = installation(1);
        suspended["suspended_at"] = json!("2026-11-20T08:00:00Z");
        asked.is("GET", "/app/installations").then(|| answer(200, &json!([suspended])))
    })
    .await;
    let unseen = world.github.directory.repo(SHOP).await.err();
    assert!(matches!(unseen, Some(Failure::Unavailable { .. })), "nobody may take it for gone: {unseen:?}");
    assert_eq!(world.count("GET", "/installation/repositories"), 0);
    assert_eq!(world.github.directory.installations().await.unwrap().len(), 1);
}

/// `acme/shop` has become `acme/store`: the old address redirects, as GitHub does.
async fn renamed(status: u16) -> World {
    let host = Arc::new(std::sync::OnceLock::<String>::new());
    let told = Arc::clone(&host);
    let world = World::new(move |asked, _| {
        let location = format!("{}/repositories/7/x", told.get().unwrap());
        let body = json!({"message": "Moved Permanently", "url": location});
        match (asked.method.as_str(), asked.path.as_str()) {
            (_, "/repos/acme/shop/x") => Some(with(answer(status, &body), LOCATION.as_str(), &location)),
            ("GET", "/repositories/7") => Some(answer(200, &json!({"id": 7, "full_name": "acme/store"}))),
            ("GET", "/repos/acme/store/x") => Some(answer(200, &json!([1]))),
            ("POST", "/repos/acme/store/x") => Some(answer(201, &json!("made"))),
            _ => None,
        }
    })
    .await;
    host.set(world.url.clone()).unwrap();
    world
}

#[tokio::test]
async fn reads_follow_a_repository_that_was_renamed() {
    let world = renamed(301).await;
    assert_eq!(world.github.read::<Vec<i64>>(SHOP, &["x"], &[]).await, Ok(vec![1]));
    assert_eq!(world.github.list::<Vec<i64>>(SHOP, &["x"], &[], 5).await.unwrap().items, [1]);
    // Learned once.
    assert_eq!(world.count("GET", "/repos/acme/shop/x"), 1);
    assert_eq!(world.github.directory.repo(SHOP).await.unwrap().path(), "acme/store");
}

#[tokio::test]
async fn a_write_to_the_old_name_is_made_once_at_the_new_one() {
    let world = renamed(307).await;
    let made: String = world.github.write(SHOP, &["x"], Change::post(json!({}))).await.unwrap();
    assert_eq!(made, "made");
    assert_eq!(world.count("POST", "/repos/acme/store/x"), 1);
}

#[tokio::test]
async fn a_redirect_in_circles_is_given_up() {
    let world = World::new(|asked, _| match asked.path.as_str() {
        "/repos/acme/shop/x" => Some(with(
            answer(301, &json!({"message": "Moved Permanently"})),
            LOCATION.as_str(),
            "/repositories/7/x",
        )),
        "/repositories/7" => Some(answer(200, &shop())),
        _ => None,
    })
    .await;
    let read = world.github.read::<Value>(SHOP, &["x"], &[]).await;
    assert!(matches!(read, Err(Failure::Unreadable(_))));
    assert_eq!(world.count("GET", "/repos/acme/shop/x"), 2);
}

#[tokio::test]
async fn a_repository_is_found_under_the_installation_that_replaced_its_own() {
    let moved = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&moved);
    let world = World::new(move |asked, count| {
        let moved = now.load(Ordering::SeqCst);
        match asked.path.as_str() {
            "/app/installations" => Some(answer(200, &json!([installation(if moved { 2 } else { 1 })]))),
            "/app/installations/1/access_tokens" if moved => Some(gone()),
            "/app/installations/2/access_tokens" => {
                Some(minted(count + 100, start() + SignedDuration::from_hours(2)))
            }
            "/repos/acme/shop/x" => Some(answer(200, &json!(asked.authorization))),
            _ => None,
        }
    })
    .await;
    let read = async || world.github.read::<String>(SHOP, &["x"], &[]).await;
    assert_eq!(read().await, Ok("Bearer ghs_1".to_owned()));
    moved.store(true, Ordering::SeqCst);
    world.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(read().await, Ok("Bearer ghs_101".to_owned()));
}

#[tokio::test]
async fn something_that_is_not_there_is_none() {
    let world = World::new(|_, _| None).await;
    assert_eq!(world.github.find::<Value>(SHOP, &["issues", "comments", "5"]).await, Ok(None));
    world.clock.advance(SignedDuration::from_secs(10));
    let unknown = world.github.find::<Value>(ProjectId(99), &["issues", "comments", "5"]).await;
    assert!(matches!(unknown, Err(Failure::HeldBack { .. })), "{unknown:?}");
}

#[tokio::test]
async fn a_write_whose_answer_is_odd_may_have_been_made() {
    let odd = |asked: &Asked, _| (asked.method == "POST" && asked.path.ends_with("/x")).then(|| empty(201));
    let world = World::new(odd).await;
    let made = world.github.write::<Value>(SHOP, &["x"], Change::post(json!({}))).await;
    assert!(matches!(made, Err(Failure::UnknownOutcome { .. })));
    assert!(world.github.send(SHOP, &["x"], Change::post(json!({}))).await.is_ok());
}

#[tokio::test]
async fn we_are_the_bot_that_bears_the_apps_slug() {
    let world = World::new(|asked, _| match asked.path.replace("%5B", "[").replace("%5D", "]").as_str() {
        "/app" => Some(answer(200, &json!({"id": 77, "slug": "countersign", "name": "Countersign"}))),
        "/users/countersign[bot]" if asked.authorization == "Bearer ghs_1" => {
            Some(answer(200, &json!({"id": 4242, "login": "countersign[bot]", "type": "Bot"})))
        }
        _ => None,
    })
    .await;
    let me = world.github.directory.me().await.unwrap();
    let account = Account { id: UserId(4242), username: "countersign".to_owned(), bot: true };
    assert_eq!((me.account, me.app), (account, 77));
    world.github.directory.me().await.unwrap();
    assert_eq!(world.count("GET", "/app"), 1);
}

#[tokio::test]
async fn without_any_installation_there_is_nobody_to_ask_as() {
    let world =
        World::new(|asked, _| asked.is("GET", "/app/installations").then(|| answer(200, &json!([])))).await;
    let failure = world.github.directory.account(UserId(5)).await.unwrap_err();
    assert!(matches!(failure, Failure::Unavailable { .. }));
}

#[tokio::test]
async fn an_account_is_asked_for_once_and_only_users_are_people() {
    let world = World::new(|asked, _| match asked.path.as_str() {
        "/user/5" => Some(answer(200, &json!({"id": 5, "login": "dana", "type": "User"}))),
        "/user/6" => Some(answer(200, &json!({"id": 6, "login": "robot", "type": "Mannequin"}))),
        _ => None,
    })
    .await;
    let directory = &world.github.directory;
    let dana = Account { id: UserId(5), username: "dana".to_owned(), bot: false };
    assert_eq!(directory.account(UserId(5)).await, Ok(dana.clone()));
    assert_eq!(directory.account(UserId(5)).await, Ok(dana));
    assert_eq!(world.count("GET", "/user/5"), 1);
    assert!(directory.account(UserId(6)).await.unwrap().bot);
    assert_eq!(directory.account_named("mallory").await, Ok(None));
}

#[tokio::test]
async fn an_app_without_leave_to_see_its_installations_is_told() {
    let tries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tries);
    let world = World::new(move |asked, _| {
        asked.is("GET", "/app/installations").then(|| {
            count.fetch_add(1, Ordering::SeqCst);
            answer(403, &json!({"message": "no"}))
        })
    })
    .await;
    let refused = Some(Failure::Refused(Refusal::NoPermission));
    assert_eq!(world.github.directory.repo(SHOP).await.err(), refused);
    assert_eq!(world.github.directory.repo(SHOP).await.err(), refused);
    assert_eq!(tries.load(Ordering::SeqCst), 1);
}
