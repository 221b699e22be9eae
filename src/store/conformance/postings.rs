//! Messages in channels, and links between accounts.

use super::*;
use crate::domain::chat::{Channel, ChannelId, Link, Message, Notify, Subject};
use crate::domain::deployment::Deployment;
use crate::domain::id::ChatName;
use crate::domain::notice::{Changes, Since};
use crate::ports::postings::{Posting, PostingNews};
use crate::ports::store::{CommitError, StoreError};

pub(in crate::store) fn slack() -> ChatName {
    ChatName::new("slack")
}

pub(in crate::store) fn channel(name: &str) -> Channel {
    Channel { chat: slack(), name: name.into() }
}

pub(in crate::store) fn subject(name: &str) -> Subject {
    Subject::from_stored(name)
}

/// The opening of a deployment that is told in these channels.
pub(in crate::store) fn told_in(number: i64, about: &str, channels: &[&str]) -> Entry {
    let channels = channels.iter().map(|name| channel(name)).collect();
    let notify = Some(Notify { subject: subject(about), channels });
    let description = Description { notify, ..description(number, Some(merge_request(7))) };
    Entry::Opened { description: Box::new(description), standing: Vec::new() }
}

/// A message in the channel that the chat itself calls `C1`.
fn message(id: &str) -> Message {
    Message { channel: ChannelId::new("C1"), id: id.into() }
}

fn shown_as(id: &str) -> PostingNews {
    PostingNews::Shown {
        message: message(id),
        digest: "digest".into(),
        shown: vec![(1, at(11))],
        changes: None,
        stale: 0,
    }
}

/// Written when the message had been `stale` so often.
fn anew(mut news: PostingNews, times: i64) -> PostingNews {
    if let PostingNews::Shown { stale, .. } = &mut news {
        *stale = times;
    }
    news
}

/// What is kept of a message before anything is new of it.
fn empty(name: &str, about: &str) -> Posting {
    Posting {
        channel: channel(name),
        subject: subject(about),
        message: None,
        digest: None,
        stale: 0,
        shown: Vec::new(),
        closed: false,
        told: Vec::new(),
        changes: None,
    }
}

async fn tell(store: &Shared, name: &str, about: &str, news: Vec<PostingNews>) {
    let postings = news.into_iter().map(|news| (channel(name), subject(about), news)).collect();
    store.commit(Commit { postings, ..commit() }).await.unwrap();
}

async fn kept(store: &Shared, name: &str, about: &str) -> Option<Posting> {
    store.posting(&channel(name), &subject(about)).await.unwrap()
}

/// A deployment that is told in `deploys`, opened `seconds` after the beginning, and its message there, named like
/// what it is about.
pub(in crate::store) async fn posted(store: &Shared, number: i64, about: &str, seconds: i64) {
    let changes = vec![change(number, 0, vec![told_in(number, about, &["deploys"])])];
    let postings = vec![(channel("deploys"), subject(about), shown_as(about))];
    store.commit(Commit { changes, postings, ..Commit::at(at(seconds)) }).await.unwrap();
}

fn numbers(deployments: &[Deployment]) -> Vec<i64> {
    deployments.iter().map(|deployment| deployment.description.number).collect()
}

fn subjects(postings: &[Posting]) -> Vec<&str> {
    postings.iter().map(|posting| posting.subject.as_str()).collect()
}

pub(in crate::store) async fn a_message_is_kept_for_each_channel_from_the_opening_on(store: Shared) {
    write(&store, vec![change(1, 0, vec![told_in(1, "run", &["deploys", "alarms"])])]).await;
    write(&store, vec![change(2, 0, vec![opened(2)])]).await;

    assert_eq!(kept(&store, "deploys", "run").await, Some(empty("deploys", "run")));
    assert_eq!(kept(&store, "deploys", "other run").await, None);
    assert_eq!(kept(&store, "elsewhere", "run").await, None);
    let about = store.postings_about(&subject("run")).await.unwrap();
    assert_eq!(about, [empty("alarms", "run"), empty("deploys", "run")], "in the order of the channels");
    assert_eq!(store.postings_about(&subject("other run")).await.unwrap(), []);
}

pub(in crate::store) async fn siblings_share_a_message(store: Shared) {
    posted(&store, 1, "run", 10).await;
    let before = kept(&store, "deploys", "run").await;
    write(&store, vec![change(3, 0, vec![told_in(3, "run", &["deploys"])])]).await;
    write(&store, vec![change(2, 0, vec![told_in(2, "run", &["alarms", "deploys"]), Entry::Superseded])])
        .await;
    write(&store, vec![change(4, 0, vec![told_in(4, "other run", &["deploys"])])]).await;

    assert_eq!(kept(&store, "deploys", "run").await, before, "what was shown stays");
    assert_eq!(kept(&store, "alarms", "run").await, Some(empty("alarms", "run")));
    let about = store.deployments_about(&subject("run")).await.unwrap();
    assert_eq!(numbers(&about), [3, 2, 1], "newest first");
    assert_eq!(about.get(1), store.deployment(&id(2)).await.unwrap().as_ref(), "each with its whole chain");
    assert_eq!(store.deployments_about(&subject("no run")).await.unwrap(), []);
}

pub(in crate::store) async fn what_is_new_of_a_message_leaves_the_rest(store: Shared) {
    write(&store, vec![change(1, 0, vec![told_in(1, "run", &["deploys", "alarms"])])]).await;
    let since = Since { sha: "abc".into(), compare_url: None, count: Some(2), commits: vec![], back: false };
    let changes = Some(Changes { commit_url: Some("https://gitlab/c".into()), since: Some(since) });
    let shown = vec![(1, at(11)), (2, at(12))];
    let first = PostingNews::Shown {
        message: message("m1"),
        digest: "first".into(),
        shown: shown.clone(),
        changes: changes.clone(),
        stale: 0,
    };
    let mut expected = Posting {
        message: Some(message("m1")),
        digest: Some("first".into()),
        shown,
        changes,
        ..empty("deploys", "run")
    };
    tell(&store, "deploys", "run", vec![first]).await;
    assert_eq!(kept(&store, "deploys", "run").await.as_ref(), Some(&expected));

    expected.told = vec![(id(1), 3), (id(2), 1)];
    tell(&store, "deploys", "run", vec![PostingNews::Told(expected.told.clone())]).await;
    assert_eq!(kept(&store, "deploys", "run").await.as_ref(), Some(&expected));

    (expected.digest, expected.stale) = (None, 1);
    tell(&store, "deploys", "run", vec![PostingNews::Stale]).await;
    assert_eq!(kept(&store, "deploys", "run").await.as_ref(), Some(&expected));

    tell(&store, "deploys", "run", vec![anew(shown_as("m2"), 1), PostingNews::Closed]).await;
    expected = Posting {
        message: Some(message("m2")),
        digest: Some("digest".into()),
        shown: vec![(1, at(11))],
        closed: true,
        ..expected
    };
    assert_eq!(kept(&store, "deploys", "run").await, Some(expected), "what it changes is asked once");
    assert_eq!(kept(&store, "alarms", "run").await, Some(empty("alarms", "run")));
}

pub(in crate::store) async fn what_became_stale_while_a_message_was_written_is_to_be_written_anew(
    store: Shared,
) {
    posted(&store, 1, "run", 10).await;
    tell(&store, "deploys", "run", vec![PostingNews::Stale]).await;
    tell(&store, "deploys", "run", vec![shown_as("late")]).await;
    let late = kept(&store, "deploys", "run").await.unwrap();
    assert_eq!((late.message, late.digest, late.stale), (Some(message("late")), None, 1));

    tell(&store, "deploys", "run", vec![anew(shown_as("late"), 1)]).await;
    let written = kept(&store, "deploys", "run").await.unwrap();
    assert_eq!((written.digest, written.stale), (Some("digest".into()), 1));
}

pub(in crate::store) async fn a_message_that_is_not_there_is_passed_over(store: Shared) {
    posted(&store, 1, "run", 10).await;
    let news = vec![shown_as("m1"), PostingNews::Stale, PostingNews::Closed, PostingNews::Told(vec![])];
    tell(&store, "elsewhere", "run", news.clone()).await;
    tell(&store, "deploys", "other run", news).await;
    assert_eq!(store.postings_about(&subject("run")).await.unwrap().len(), 1);
    assert_eq!(store.postings_about(&subject("other run")).await.unwrap(), []);
    assert_eq!(store.posting_at(&slack(), &message("m1")).await.unwrap(), None);
}

pub(in crate::store) async fn a_commit_that_fails_leaves_no_message(store: Shared) {
    posted(&store, 1, "run", 10).await;
    let before = kept(&store, "deploys", "run").await;
    let late = change(1, 7, vec![Entry::Superseded]);
    let changes = vec![change(2, 0, vec![told_in(2, "other run", &["deploys"])]), late];
    let postings = vec![(channel("deploys"), subject("run"), PostingNews::Stale)];
    let written = store.commit(Commit { changes, postings, ..commit() }).await;
    assert_eq!(written, Err(CommitError::Conflict));
    assert_eq!(kept(&store, "deploys", "run").await, before);
    assert_eq!(kept(&store, "deploys", "other run").await, None);
}

pub(in crate::store) async fn a_message_is_found_by_its_id(store: Shared) {
    posted(&store, 1, "run", 10).await;
    posted(&store, 2, "other run", 10).await;
    let found = store.posting_at(&slack(), &message("other run")).await.unwrap();
    assert_eq!(found, kept(&store, "deploys", "other run").await);
    let elsewhere = Message { channel: ChannelId::new("C2"), ..message("run") };
    assert_eq!(store.posting_at(&slack(), &elsewhere).await.unwrap(), None);
    assert_eq!(store.posting_at(&slack(), &message("no run")).await.unwrap(), None);
    let second = ChatName::new("second");
    assert_eq!(store.posting_at(&second, &message("run")).await.unwrap(), None);
}

/// What [`Shared::postings_in`] finds in `C1`.
async fn in_channel(store: &Shared, limit: u32) -> Vec<String> {
    let found = store.postings_in(&slack(), &ChannelId::new("C1"), limit).await.unwrap();
    subjects(&found).into_iter().map(str::to_owned).collect()
}

pub(in crate::store) async fn a_channel_has_what_is_open_and_the_newest_of_what_is_past(store: Shared) {
    for (number, about, seconds) in [(1, "a", 40), (2, "b", 20), (3, "c", 30), (4, "d", 10), (5, "e", 50)] {
        posted(&store, number, about, seconds).await;
    }
    for number in [1, 2, 3] {
        write(&store, vec![change(number, 1, vec![settled(Outcome::Deployed)])]).await;
    }
    assert_eq!(in_channel(&store, 2).await, ["e", "a", "c", "d"]);
    assert_eq!(in_channel(&store, 0).await, ["e", "d"], "what is open is all there");
    assert_eq!(in_channel(&store, 9).await, ["e", "a", "c", "b", "d"]);

    write(&store, vec![change(4, 1, vec![settled(Outcome::Started)])]).await;
    assert_eq!(in_channel(&store, 0).await, ["e", "d"], "it still runs");
    write(&store, vec![change(6, 0, vec![told_in(6, "b", &["deploys"])])]).await;
    assert_eq!(in_channel(&store, 0).await, ["e", "b", "d"], "a sibling waits");
    write(&store, vec![change(7, 0, vec![told_in(7, "b", &["deploys"])])]).await;
    assert_eq!(in_channel(&store, 0).await, ["e", "b", "d"], "each once, however many wait");
}

pub(in crate::store) async fn a_channel_has_only_what_was_posted_there(store: Shared) {
    posted(&store, 1, "run", 10).await;
    write(&store, vec![change(2, 0, vec![told_in(2, "unposted", &["deploys"])])]).await;
    write(&store, vec![change(3, 0, vec![told_in(3, "run", &["alarms"])])]).await;
    assert_eq!(in_channel(&store, 9).await, ["run"]);
    let mut there = shown_as("run");
    if let PostingNews::Shown { message, .. } = &mut there {
        message.channel = ChannelId::new("C2");
    }
    tell(&store, "alarms", "run", vec![there]).await;
    assert_eq!(in_channel(&store, 9).await, ["run"]);
    let alarms = store.postings_in(&slack(), &ChannelId::new("C2"), 9).await.unwrap();
    assert_eq!(
        alarms,
        store.posting(&channel("alarms"), &subject("run")).await.unwrap().into_iter().collect::<Vec<_>>()
    );
    let second = store.postings_in(&ChatName::new("second"), &ChannelId::new("C1"), 9).await.unwrap();
    assert_eq!(second, []);
}

pub(in crate::store) fn link(chat_user: &str, user: i64, seconds: i64) -> Link {
    Link {
        chat: slack(),
        name: "dana".into(),
        chat_user: chat_user.into(),
        forge: gitlab(),
        account: account(user, "dana"),
        made_by: Link::BY_CONFIGURATION.into(),
        made_at: at(seconds),
    }
}

async fn present(store: &Shared) -> Option<Link> {
    store.link(&slack(), "dana", &gitlab()).await.unwrap()
}

pub(in crate::store) async fn one_link_holds_at_a_time(store: Shared) {
    assert_eq!(present(&store).await, None);
    store.save_link(&link("U1", 1, 10)).await.unwrap();
    assert_eq!(present(&store).await, Some(link("U1", 1, 10)));
    store.save_link(&link("U1", 1, 20)).await.unwrap();
    assert_eq!(present(&store).await, Some(link("U1", 1, 10)), "the same again changes nothing");

    let renamed = Link { account: account(1, "dana.scully"), ..link("U1", 1, 50) };
    let by_hand = Link { made_by: "alice".into(), made_at: at(60), ..renamed.clone() };
    for next in [link("U2", 1, 30), link("U2", 2, 40), renamed, by_hand, link("U1", 1, 70)] {
        store.save_link(&next).await.unwrap();
        assert_eq!(present(&store).await, Some(next));
    }
}

pub(in crate::store) async fn links_are_told_apart_by_chat_name_and_forge(store: Shared) {
    let second = Link { chat: ChatName::new("mattermost"), ..link("U2", 2, 10) };
    let alice = Link { name: "alice".into(), account: account(3, "alice"), ..link("U3", 3, 10) };
    let github = Link { forge: ForgeName::new("github"), ..link("U1", 4, 10) };
    for link in [&link("U1", 1, 10), &second, &alice, &github] {
        store.save_link(link).await.unwrap();
    }
    assert_eq!(present(&store).await, Some(link("U1", 1, 10)));
    assert_eq!(store.link(&second.chat, "dana", &gitlab()).await.unwrap(), Some(second));
    assert_eq!(store.link(&slack(), "alice", &gitlab()).await.unwrap(), Some(alice));
    assert_eq!(store.link(&slack(), "dana", &github.forge).await.unwrap(), Some(github));
    assert_eq!(store.link(&slack(), "mallory", &gitlab()).await.unwrap(), None);
}

/// What a version without chats wrote of deployment 1: the statements, for any database.
pub(in crate::store) fn rows_of_before() -> [String; 2] {
    let sealed = crate::domain::ledger::seal(&id(1), None, at(5), &opened(1)).unwrap();
    assert!(!sealed.body.contains("notify"), "{}", sealed.body);
    let (id, room) = (id(1), merge_request(7).key());
    let (millis, body, hash) = (sealed.at.as_millisecond(), sealed.body.replace('\'', "''"), sealed.hash);
    [
        format!(
            "INSERT INTO deployment (id, forge, project, number, age, run, conversation, status, final, \
             superseded) VALUES ('{id}', 'gitlab', 42, 1, 1, 1, '{room}', 'blocked', FALSE, FALSE)"
        ),
        format!(
            "INSERT INTO ledger (deployment, seq, at, format, body, hash) \
             VALUES ('{id}', 1, {millis}, 1, '{body}', '{hash}')"
        ),
    ]
}

/// Told on a store that held [`rows_of_before`] when it was opened.
pub(in crate::store) async fn a_deployment_of_before_goes_on(store: Shared) -> Result<(), StoreError> {
    let found = store.deployment(&id(1)).await?.unwrap();
    assert_eq!(found.description, description(1, Some(merge_request(7))));
    write(&store, vec![change(1, 1, vec![voted(account(2, "alice"), Word::Approved)])]).await;
    assert_eq!(store.deployment(&id(1)).await?.unwrap().version, 2);
    posted(&store, 2, "run", 10).await;

    assert_eq!(numbers(&store.deployments_in(&merge_request(7), 9).await?), [2, 1]);
    assert_eq!(numbers(&store.deployments_about(&subject("run")).await?), [2]);
    assert_eq!(in_channel(&store, 9).await, ["run"]);
    Ok(())
}
