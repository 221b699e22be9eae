//! Reads, pages and changes.

use super::*;
use crate::forge::github::client::{Change, Page as _, read};
use crate::forge::github::failure::Trouble;
use crate::forge::github::wire::{Comment, PullRequest, PullRequestReview};
use crate::ports::failure::Failure;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

#[tokio::test]
async fn what_has_not_changed_is_asked_for_but_not_sent_again() {
    let changed = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&changed);
    let world = World::new(move |asked, _| {
        let etag = if now.load(Ordering::SeqCst) { "\"two\"" } else { "\"one\"" };
        let fresh = asked.etag.as_deref() == Some(etag);
        asked.is("GET", "/x").then(|| {
            if fresh {
                return with(empty(304), "date", "Sat, 21 Nov 2026 08:00:07 GMT");
            }
            let body = with(answer(200, &json!({ "etag": etag })), ETAG.as_str(), etag);
            with(body, "date", "Sat, 21 Nov 2026 08:00:00 GMT")
        })
    })
    .await;
    let get = async |page: &str| world.github.client.get(ACME, &["x"], &[("page", page)]).await.unwrap();
    assert_eq!(get("1").await.date(), Some(start()));
    let again = get("1").await;
    assert_eq!(again.status.as_u16(), 200);
    assert_eq!(read::<Value>(&again).unwrap(), json!({"etag": "\"one\""}));
    assert_eq!(again.date(), Some("2026-11-21T08:00:07Z".parse().unwrap()));
    changed.store(true, Ordering::SeqCst);
    assert_eq!(read::<Value>(&get("1").await).unwrap(), json!({"etag": "\"two\""}));
    get("2").await;
    let etags: Vec<_> =
        world.asked().into_iter().filter(|asked| asked.path == "/x").map(|asked| asked.etag).collect();
    let one = Some("\"one\"".to_owned());
    assert_eq!(etags, [None, one.clone(), one, None]);
}

#[tokio::test]
async fn what_one_installation_read_is_never_told_to_another() {
    let world = World::new(|asked, count| {
        if asked.is("POST", "/app/installations/2/access_tokens") {
            return Some(minted(count + 100, start()));
        }
        let tagged = || with(answer(200, &json!(asked.authorization)), ETAG.as_str(), "\"same\"");
        asked.is("GET", "/x").then(tagged)
    })
    .await;
    world.github.client.get(ACME, &["x"], &[]).await.unwrap();
    let other = Caller::Installation(InstallationId(2));
    let seen = world.github.client.get(other, &["x"], &[]).await.unwrap();
    assert_eq!(read::<String>(&seen).unwrap(), "Bearer ghs_101");
    assert_eq!(world.asked().last().unwrap().etag, None);
}

#[tokio::test]
async fn not_modified_without_having_asked_is_unreadable() {
    let world = World::new(|asked, _| asked.is("GET", "/x").then(|| empty(304))).await;
    let failure: Failure = world.github.client.get(ACME, &["x"], &[]).await.unwrap_err().into();
    assert!(matches!(failure, Failure::Unreadable(_)));
}

#[tokio::test]
async fn an_environment_may_be_called_anything() {
    let path = "/repos/acme/shop/environments/prod%2Feu%20west%3F%25";
    let world = World::new(move |asked, _| asked.is("GET", path).then(|| answer(200, &json!("there")))).await;
    let read: String = world.github.read(SHOP, &["environments", "prod/eu west?%"], &[]).await.unwrap();
    assert_eq!(read, "there");
    let up = world.github.read::<Value>(SHOP, &["environments", ".."], &[]).await;
    assert_eq!(up, Err(Failure::NotFound));
}

#[tokio::test]
async fn a_list_is_asked_for_in_pages_of_a_hundred() {
    let list = |asked: &Asked, _| asked.is("GET", "/repos/acme/shop/x").then(|| answer(200, &json!([1])));
    let world = World::new(list).await;
    let listing = world.github.list::<Vec<i64>>(SHOP, &["x"], &[("state", "all")], 5).await.unwrap();
    assert_eq!((listing.items, listing.cut), (vec![1], false));
    assert_eq!(world.asked().last().unwrap().query, "state=all&per_page=100");
}

/// Twenty of the longest texts that GitHub takes just fit, with every character escaped.
#[tokio::test]
async fn lists_of_what_people_write_are_read_however_long_that_is() {
    let long = "\u{1}".repeat(65_536);
    let comment = json!({"id": 1, "body": long, "created_at": start(), "updated_at": start()});
    let comments = move |asked: &Asked, _| {
        let many =
            asked.query.split('&').find_map(|pair| pair.strip_prefix("per_page=")?.parse().ok()).unwrap_or(0);
        asked
            .is("GET", "/repos/acme/shop/issues/1/comments")
            .then(|| answer(200, &json!(vec![&comment; many])))
    };
    let world = World::new(comments).await;
    let path = ["issues", "1", "comments"];
    let read = world.github.list::<Vec<Comment>>(SHOP, &path, &[], 1).await.unwrap();
    assert_eq!(read.items.len(), 20);
    for page in [<Vec<PullRequest>>::LENGTH, <Vec<PullRequestReview>>::LENGTH] {
        assert_eq!(page, 20);
    }
}

/// A list of so many things, in pages of a hundred, each with an etag over its body.
fn paged(asked: &Asked, total: usize, host: &str) -> Response {
    let page = asked.query.split('&').find_map(|pair| pair.strip_prefix("page=")?.parse().ok()).unwrap_or(1);
    let items: Vec<usize> = (0..total).skip((page - 1) * 100).take(100).collect();
    let etag = format!("\"{}-{page}\"", items.len());
    if asked.etag.as_deref() == Some(etag.as_str()) {
        return empty(304);
    }
    let body = with(answer(200, &json!(items)), ETAG.as_str(), &etag);
    if total > page * 100 {
        return with(body, "link", &format!("<{host}/x?per_page=100&page={}>; rel=\"next\"", page + 1));
    }
    body
}

async fn world_with_list(total: Arc<AtomicUsize>) -> World {
    let host = Arc::new(std::sync::OnceLock::<String>::new());
    let told = Arc::clone(&host);
    let world = World::new(move |asked, _| {
        let list = || paged(asked, total.load(Ordering::SeqCst), told.get().unwrap());
        asked.is("GET", "/x").then(list)
    })
    .await;
    host.set(world.url.clone()).unwrap();
    world
}

async fn list(world: &World, most: usize) -> Result<Vec<usize>, Failure> {
    let pages = world.github.client.pages::<Vec<usize>>(ACME, &["x"], &[], most)?;
    Ok(pages.all().await?)
}

#[tokio::test]
async fn a_page_that_became_full_hides_nothing_that_follows_it() {
    let total = Arc::new(AtomicUsize::new(100));
    let world = world_with_list(Arc::clone(&total)).await;
    assert_eq!(list(&world, 5).await.unwrap().len(), 100);
    // The first page and its etag stay the same; only now another page follows.
    total.store(101, Ordering::SeqCst);
    assert_eq!(list(&world, 5).await.unwrap().len(), 101);
    // And where the first answer said so already, "not modified" needn't repeat it.
    assert_eq!(list(&world, 5).await.unwrap().len(), 101);
    assert_eq!(world.asked().iter().filter(|asked| asked.etag.is_some()).count(), 2);
}

#[tokio::test]
async fn a_list_without_end_is_cut() {
    let world = world_with_list(Arc::new(AtomicUsize::new(1000))).await;
    let mut pages = world.github.client.pages::<Vec<usize>>(ACME, &["x"], &[], 2).unwrap();
    let mut read = 0;
    while let Some(page) = pages.next().await.unwrap() {
        read += page.len();
    }
    assert_eq!((read, pages.is_cut()), (200, true));
}

#[tokio::test]
async fn a_next_page_elsewhere_is_not_asked_for() {
    let strangers = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&strangers);
    let elsewhere = serve(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        answer(200, &json!([2]))
    })
    .await;
    let next = format!("<{elsewhere}/x?page=2>; rel=\"next\"");
    let world = World::new(move |asked, _| {
        asked.is("GET", "/x").then(|| with(answer(200, &json!([1])), "link", &next))
    })
    .await;
    assert!(matches!(list(&world, 5).await, Err(Failure::Unreadable(_))));
    assert_eq!(strangers.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let strangers = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&strangers);
    let elsewhere = serve(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        answer(200, &json!([2]))
    })
    .await;
    let world = World::new(move |asked, _| {
        let body = json!({"message": "Moved Permanently"});
        (asked.path == "/x").then(|| with(answer(301, &body), LOCATION.as_str(), &elsewhere))
    })
    .await;
    let got = world.github.client.get(ACME, &["x"], &[]).await.unwrap_err();
    assert!(matches!(got, Trouble::Failed(Failure::Unreadable(_))));
    let written = world.github.client.write(ACME, &["x"], &Change::post(json!({}))).await.unwrap_err();
    assert!(matches!(written, Trouble::Failed(Failure::UnknownOutcome { .. })));
    assert_eq!(strangers.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_larger_than_eight_megabytes_is_not_read() {
    let world =
        World::new(|asked, _| (asked.path == "/x").then(|| answer(200, &json!("x".repeat(8 * 1024 * 1024)))))
            .await;
    let got: Failure = world.github.client.get(ACME, &["x"], &[]).await.unwrap_err().into();
    assert!(matches!(got, Failure::Unreadable(_)));
    let written = world.github.client.write(ACME, &["x"], &Change::post(json!({}))).await;
    assert!(matches!(Failure::from(written.unwrap_err()), Failure::UnknownOutcome { .. }));
}

#[tokio::test]
async fn writes_of_one_installation_go_one_after_the_other() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (inside, highest) = (Arc::clone(&running), Arc::clone(&most));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let slowly = move |request: Request| async move {
        if request.uri().path() != "/x" {
            return usual(&Asked::of(&request), 1, start());
        }
        highest.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // Long enough for every other write to arrive, were it not held.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        inside.fetch_sub(1, Ordering::SeqCst);
        answer(201, &json!({}))
    };
    let router = Router::new().fallback(slowly);
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    let github = Arc::new(github(&url, &HandClock::at(start())).unwrap());
    let (mut writes, together) = (JoinSet::new(), Arc::new(Barrier::new(8)));
    for _ in 0..8 {
        let (github, together) = (Arc::clone(&github), Arc::clone(&together));
        writes.spawn(async move {
            together.wait().await;
            github.client.write(ACME, &["x"], &Change::post(json!({}))).await.map(drop)
        });
    }
    writes.join_all().await.into_iter().for_each(Result::unwrap);
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn content_past_the_limit_is_held_back_and_not_sent() {
    let world = World::new(|asked, _| asked.is("POST", "/x").then(|| answer(500, &json!({})))).await;
    let comment = async || {
        let change = Change::post(json!({"body": "text"})).creating_content();
        Failure::from(world.github.client.write(ACME, &["x"], &change).await.unwrap_err())
    };
    for _ in 0..40 {
        // Attempts that fail count as well.
        assert!(matches!(comment().await, Failure::UnknownOutcome { .. }));
    }
    assert_eq!(comment().await, Failure::HeldBack { wait: Duration::from_secs(1) });
    assert_eq!(world.count("POST", "/x"), 40);
    let plain = world.github.client.write(ACME, &["x"], &Change::patch(json!({}))).await;
    assert_eq!(plain.unwrap_err(), Trouble::Failed(Failure::NotFound));
    world.clock.advance(SignedDuration::from_secs(1));
    assert!(matches!(comment().await, Failure::UnknownOutcome { .. }));
}
