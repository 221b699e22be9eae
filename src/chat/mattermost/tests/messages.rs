//! Cards and threads.

use super::*;
use crate::domain::chat::{ChatUser, NoVoice};
use crate::domain::wording::Block;
use crate::ports::failure::{Failure, Refusal};
use rstest::rstest;
use serde_json::json;

#[tokio::test]
async fn a_card_stands_there_and_is_edited_in_place() {
    let world = world().await;
    let card = world.card().await;
    let shown = world.shown(&card);
    assert_eq!(
        shown.seen,
        "**acme/shop → production: waits**\n**d4711**: 1 approval is missing.\n\nPress a button.\nEnvironment: `production`\n[Approve][Reject]"
    );
    let hook = format!("{}/hooks/mattermost", world.twin.url());
    assert!(shown.buttons.iter().all(|button| button.url == hook));
    let ended = Notice { offer: None, standing: vec![Line::of("Approved.")], ..notice() };
    world.chat.edit(&card, &ended, "card").await.unwrap();
    let shown = world.shown(&card);
    assert!(shown.seen.contains("Approved.") && shown.buttons.is_empty());
    assert_eq!(shown.props["countersign"], "card");
}

#[tokio::test]
async fn our_own_messages_are_found_by_their_marker() {
    let world = world().await;
    let card = world.card().await;
    let forged = json!({ "countersign": "card" });
    world
        .twin
        .post_as(&world.mallory, world.channel(), twin::NewPost::new("x").props(forged.clone()))
        .unwrap_err();
    world.twin.post_as(&world.dana, world.channel(), twin::NewPost::new("x").props(forged)).unwrap();
    let other = world.chat.post(&world.deploys, &notice(), "other").await.unwrap();
    assert_eq!(world.chat.find_own(&world.deploys, None, "card").await.unwrap(), std::slice::from_ref(&card));
    world.clock.advance(SignedDuration::from_mins(1));
    let double = world.chat.post(&world.deploys, &notice(), "card").await.unwrap();
    assert_ne!(double, card);
    let found = world.chat.find_own(&world.deploys, None, "card").await.unwrap();
    assert_eq!(found, [double, card], "newest first");
    assert_eq!(world.chat.find_own(&world.deploys, None, "car").await.unwrap(), []);
    assert_ne!(found[0], other);
}

#[tokio::test]
async fn a_card_below_many_messages_is_still_found() {
    let world = world().await;
    let card = world.card().await;
    for _ in 0..450 {
        world.twin.post_as(&world.dana, world.channel(), twin::NewPost::new("chat")).unwrap();
    }
    assert_eq!(world.chat.find_own(&world.deploys, None, "card").await.unwrap(), [card]);
}

#[tokio::test]
async fn the_same_card_twice_at_once_is_one_and_in_two_channels_two() {
    let world = world().await;
    let acme = world.twin.add_team("other");
    let second = ChannelId::new(world.twin.add_channel(&acme, "second", &[]));
    let card = world.card().await;
    assert_eq!(world.card().await, card);
    assert_ne!(world.chat.post(&second, &notice(), "card").await.unwrap().id, card.id);
}

#[tokio::test]
async fn a_thread_is_written_to_and_searched() {
    let world = world().await;
    let card = world.card().await;
    let text = Prose::paragraph(Line::of("alice approved. ").foreign("@channel"));
    let news = world.chat.add(&card, &text, "news").await.unwrap();
    assert_eq!(world.twin.replies_to(&card.id)[0].message, "alice approved. @\u{200b}channel");
    assert_eq!(world.chat.find_own(&world.deploys, Some(&card), "news").await.unwrap(), [news]);
    assert_eq!(world.chat.find_own(&world.deploys, Some(&card), "older").await.unwrap(), []);
    world.twin.remove_post(&card.id);
    assert_eq!(world.chat.find_own(&world.deploys, Some(&card), "news").await.unwrap(), []);
}

#[tokio::test]
async fn a_deleted_card_is_told_from_one_that_may_not_be_touched() {
    let world = world().await;
    let card = world.card().await;
    let theirs = world.twin.post_as(&world.dana, world.channel(), twin::NewPost::new("hello")).unwrap();
    let theirs = Message { channel: world.deploys.clone(), id: theirs };
    let refused = Err(Failure::Refused(Refusal::NoPermission));
    assert_eq!(world.chat.edit(&theirs, &notice(), "card").await, refused);
    assert_eq!(world.chat.delete(&theirs).await, refused);
    assert_eq!(world.chat.delete(&card).await, Ok(()));
    assert_eq!(world.chat.edit(&card, &notice(), "card").await, Err(Failure::NotFound));
    assert_eq!(world.chat.delete(&card).await, Ok(()), "nothing is left to do");
}

#[tokio::test]
async fn past_the_servers_limit_a_card_is_locked() {
    let world = world().await;
    let card = world.card().await;
    world.twin.set_edit_window(Some(SignedDuration::from_mins(5)));
    world.clock.advance(SignedDuration::from_mins(6));
    let late = world.chat.edit(&card, &notice(), "card").await;
    assert_eq!(late, Err(Failure::Refused(Refusal::Locked)));
}

#[rstest]
#[case("@channel")]
#[case("@here @all @dana")]
#[case("](http://evil.example) @alice")]
#[case("`@channel` ``` @here")]
#[case("x\n\n@channel\n# @here")]
#[case("<!channel> <http://evil.example|@all>")]
#[tokio::test]
async fn foreign_text_notifies_nobody_and_links_nowhere(#[case] hostile: &str) {
    let world = world().await;
    let line = || Line::default().foreign(hostile).text(" ").code(hostile).text(" ").strong(hostile);
    let line = || line().link(hostile, "https://git.example.com/@channel");
    let card = Notice {
        headline: line(),
        standing: vec![line()],
        facts: vec![Fact { name: "Commit", text: line() }],
        changes: Prose(vec![Block::Paragraph(line()), Block::Item(0, line())]),
        how_to: Prose::paragraph(line()),
        mentions: vec!["channel".to_owned(), format!("x {hostile}")],
        ..notice()
    };
    let card = world.chat.post(&world.deploys, &card, "card").await.unwrap();
    world.chat.add(&card, &Prose::paragraph(line()), "news").await.unwrap();
    assert_eq!(world.twin.pings(), []);
    let fallback = world.shown(&card).props["attachments"][0]["fallback"].as_str().unwrap().to_owned();
    assert!(!fallback.contains("@c") && !fallback.contains("@h") && !fallback.contains("@a"));
    assert_eq!(links(&world.shown(&card).seen), ["https://git.example.com/%40channel"; 6]);
}

/// Where Markdown would lead.
fn links(markdown: &str) -> Vec<String> {
    use pulldown_cmark::{Event, Parser, Tag};
    let target = |event| {
        if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event {
            return Some(dest_url.into_string());
        }
        None
    };
    Parser::new(markdown).filter_map(target).collect()
}

#[tokio::test]
async fn those_who_can_make_a_difference_are_notified() {
    let world = world().await;
    let mentioning = Notice { mentions: vec!["alice".to_owned()], ..notice() };
    let card = world.chat.post(&world.deploys, &mentioning, "card").await.unwrap();
    let pings = world.twin.pings();
    assert_eq!((pings.len(), &pings[0].who, &pings[0].post), (1, &world.alice, &card.id));
}

#[tokio::test]
async fn an_oversize_card_is_taken() {
    let world = world().await;
    let long = || Line::default().foreign("<".repeat(600)).code("ä".repeat(600));
    let big = Notice {
        headline: long(),
        standing: vec![long(); 100],
        facts: (0..100).map(|_| Fact { name: "Approvals", text: long() }).collect(),
        changes: Prose((0..100).map(|_| Block::Item(0, long())).collect()),
        ..notice()
    };
    let card = world.chat.post(&world.deploys, &big, "card").await.unwrap();
    assert_eq!(world.shown(&card).buttons.len(), 2);
    let text = Prose((0..500).map(|_| Block::Paragraph(long())).collect());
    world.chat.add(&card, &text, "news").await.unwrap();
}

#[tokio::test]
async fn a_wish_to_be_left_alone_is_passed_on() {
    let world = world().await;
    for (asked, wait) in [(Some(7), Some(Duration::from_secs(7))), (None, None)] {
        let busy = Rule::new("/posts", Action::TooManyRequests { retry_after: asked }).times(1);
        world.twin.add_fault(busy);
        match world.chat.post(&world.deploys, &notice(), "card").await {
            Err(Failure::Unavailable { retry_after, .. }) => assert_eq!(retry_after, wait),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_a_write_unknown_and_a_strange_page_says_nothing() {
    let world = world().await;
    let card = world.card().await;
    let page = |status| Action::Answer { status, body: "<html>proxy</html>".to_owned() };
    let broken = [Action::ActThenDrop, Action::ActThenFail(502), Action::Truncate];
    for action in broken.into_iter().chain([200, 403, 404].map(page)) {
        world.twin.add_fault(Rule::new("/posts", action.clone()).method("POST").times(1));
        let lost = world.chat.post(&world.deploys, &notice(), "other").await;
        assert!(matches!(lost, Err(Failure::UnknownOutcome { .. })), "{action:?}: {lost:?}");
    }
    for status in [200, 403] {
        world.twin.add_fault(Rule::new("/patch", page(status)).times(1));
        let edited = world.chat.edit(&card, &notice(), "card").await;
        assert!(matches!(edited, Err(Failure::UnknownOutcome { .. })), "{status}: {edited:?}");
    }
    for status in [200, 403, 404] {
        world.twin.add_fault(Rule::new("/users", page(status)).times(1));
        let dana = ChatUser { id: world.dana.clone(), team: None };
        let read = world.chat.presence(&dana, &world.deploys).await;
        assert!(matches!(read, Err(Failure::Unreadable(_))), "nobody is gone because a proxy says so");
    }
    world.twin.add_fault(Rule::new("/posts", Action::Drop).method("GET").times(1));
    let failure = world.chat.find_own(&card.channel, Some(&card), "card").await;
    assert!(matches!(failure, Err(Failure::Unavailable { .. })));
}

#[tokio::test]
async fn a_revoked_token_is_told() {
    let world = world().await;
    world.twin.revoke_tokens(&world.twin.bot_user());
    let refused = world.chat.post(&world.deploys, &notice(), "card").await;
    assert!(matches!(refused, Err(Failure::Unauthorized(_))));
}

#[tokio::test]
async fn who_somebody_is_is_asked_anew() {
    let world = world().await;
    let (bot, gone) = (world.twin.add_bot("robot"), world.twin.add_user("gone"));
    let (guest, stranger) = (world.twin.add_user("guest"), world.twin.add_remote_user("erin"));
    for user in [&bot, &gone, &guest, &stranger] {
        world.twin.invite(world.channel(), user);
    }
    world.twin.make_guest(&guest);
    world.twin.deactivate(&gone);
    let nobody = "0".repeat(26);
    let said = async |id: &str| {
        let who = ChatUser { id: id.to_owned(), team: None };
        let presence = world.chat.presence(&who, &world.deploys).await.unwrap();
        (presence.name, presence.no_voice)
    };
    assert_eq!(said(&world.dana).await, ("dana".to_owned(), None));
    assert_eq!(said(&world.mallory).await, ("mallory".to_owned(), Some(NoVoice::Outsider)));
    assert_eq!(said(&bot).await.1, Some(NoVoice::Bot));
    assert_eq!(said(&gone).await.1, Some(NoVoice::Deactivated));
    assert_eq!(said(&guest).await.1, Some(NoVoice::Guest));
    assert_eq!(said(&stranger).await.1, Some(NoVoice::Foreigner));
    assert_eq!(said(&nobody).await, (nobody.clone(), Some(NoVoice::Nobody)));
    world.twin.kick(world.channel(), &world.dana);
    assert_eq!(said(&world.dana).await.1, Some(NoVoice::Outsider));
}

#[tokio::test]
async fn a_channel_is_known_by_team_and_name_or_by_id() {
    let world = world().await;
    let named = async |name: &str| {
        let channel = Channel { chat: ChatName::new("mattermost"), name: name.to_owned() };
        world.chat.channel(&channel).await
    };
    assert_eq!(named("acme/deploys").await.as_ref(), Ok(&world.deploys));
    world.twin.clear_requests();
    assert_eq!(named("acme/deploys").await.as_ref(), Ok(&world.deploys));
    assert_eq!(named(world.channel()).await.as_ref(), Ok(&world.deploys));
    assert_eq!(world.twin.requests(), [], "neither is asked for");
    for unknown in ["acme/nowhere", "nobody/deploys", "deploys", "", "/", "acme/../deploys"] {
        assert_eq!(named(unknown).await, Err(Failure::NotFound), "{unknown}");
    }
}
