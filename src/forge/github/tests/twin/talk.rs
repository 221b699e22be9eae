//! Comments, reviews, reactions and buttons.

use super::*;
use crate::domain::actor::Account;
use crate::domain::id::{CommentKind, CommentRef};
use crate::domain::wording::{Block, Line, Prose};
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{Buttons, Talk as _};
use crate::sim::github::NewReview;

fn reference(at: &Conversation, kind: CommentKind, comment: u64) -> CommentRef {
    CommentRef { conversation: at.clone(), kind, comment: signed(comment), discussion: None }
}

fn alice() -> Account {
    Account { id: UserId(1), username: "alice".to_owned(), bot: false }
}

fn prose(words: &str) -> Prose {
    Prose(vec![Block::Paragraph(Line::default().foreign(words))])
}

fn number(at: i64) -> u64 {
    u64::try_from(at).unwrap()
}

#[tokio::test]
async fn a_comment_is_read_where_it_stands_and_nowhere_else() {
    let stage = stage().await;
    let (here, elsewhere) = (stage.pull(), stage.pull());
    let at = stage.at(Place::MergeRequest(here));
    let id =
        stage.twin.comment_on_pull_request(stage.repository, number(here), stage.alice, "/approve").unwrap();
    let read = stage.github.comment(&reference(&at, CommentKind::Comment, id)).await.unwrap().unwrap();
    assert_eq!(
        (read.author, read.username.as_str(), read.text.as_str()),
        (user(stage.alice), "alice", "/approve")
    );
    assert_eq!((read.created_at, read.updated_at), (stage.clock.time(), stage.clock.time()));
    assert_eq!((read.system, read.about), (false, None));
    let there = stage.at(Place::MergeRequest(elsewhere));
    assert_eq!(stage.github.comment(&reference(&there, CommentKind::Comment, id)).await, Ok(None));
    stage.wait(60);
    stage.twin.edit_comment(id, stage.alice, "/approve production").unwrap();
    let edited = stage.github.comment(&reference(&at, CommentKind::Comment, id)).await.unwrap().unwrap();
    assert!(edited.updated_at > edited.created_at);
    stage.twin.delete_comment(id, stage.alice).unwrap();
    assert_eq!(stage.github.comment(&reference(&at, CommentKind::Comment, id)).await, Ok(None));
}

#[tokio::test]
async fn a_comment_on_a_commit_is_read_there() {
    let stage = stage().await;
    stage.run(HEAD);
    stage.run(NEXT);
    let id = stage.twin.comment_on_commit(stage.repository, HEAD, stage.alice, "/approve").unwrap();
    let at = stage.at(Place::Commit(HEAD.to_owned()));
    let read = stage.github.comment(&reference(&at, CommentKind::Comment, id)).await.unwrap().unwrap();
    assert_eq!((read.author, read.text.as_str()), (user(stage.alice), "/approve"));
    let other = stage.at(Place::Commit(NEXT.to_owned()));
    assert_eq!(stage.github.comment(&reference(&other, CommentKind::Comment, id)).await, Ok(None));
    let said = stage.github.comments_since(&at, stage.clock.time()).await.unwrap();
    assert_eq!(said, [read]);
}

#[tokio::test]
async fn a_review_tells_which_commit_it_is_about() {
    let stage = stage().await;
    let request = stage.pull();
    let at = stage.at(Place::MergeRequest(request));
    let review = NewReview::approve(Some("/deploy approve production")).of(HEAD);
    let id = stage.twin.submit_review(stage.repository, number(request), stage.alice, review).unwrap();
    let read = stage.github.comment(&reference(&at, CommentKind::Review, id)).await.unwrap().unwrap();
    assert_eq!((read.author, read.text.as_str()), (user(stage.alice), "/deploy approve production"));
    assert_eq!((read.at.kind, read.about.as_deref()), (CommentKind::Review, Some(HEAD)));
    // Nobody can tell whether it was edited.
    assert!(read.updated_at > read.created_at);
    stage.github.react(&read.at).await.unwrap();
    assert_eq!(stage.github.comment(&reference(&at, CommentKind::Comment, id)).await, Ok(None));
}

#[tokio::test]
async fn what_was_said_since_comes_in_order() {
    let stage = stage().await;
    let request = stage.pull();
    let at = stage.at(Place::MergeRequest(request));
    let comment =
        |who, text| stage.twin.comment_on_pull_request(stage.repository, number(request), who, text);
    let old = comment(stage.dana, "long ago").unwrap();
    stage.wait(60);
    let since = stage.clock.time();
    comment(stage.dana, "first").unwrap();
    stage.wait(1);
    let review = NewReview::comment("second");
    stage.twin.submit_review(stage.repository, number(request), stage.alice, review).unwrap();
    let silent = NewReview::approve(None);
    stage.twin.submit_review(stage.repository, number(request), stage.bob, silent).unwrap();
    stage.wait(1);
    comment(stage.alice, "third").unwrap();
    stage.twin.edit_comment(old, stage.dana, "touched since, but not written since").unwrap();
    let said = stage.github.comments_since(&at, since).await.unwrap();
    let texts: Vec<&str> = said.iter().map(|comment| comment.text.as_str()).collect();
    assert_eq!(texts, ["first", "second", "third"]);
}

#[tokio::test]
async fn our_own_comment_is_found_by_its_marker() {
    let stage = stage().await;
    let request = stage.pull();
    stage.run(HEAD);
    for place in [Place::MergeRequest(request), Place::Commit(HEAD.to_owned())] {
        let at = stage.at(place.clone());
        let text = stage.github.render(&prose("It waits."), "countersign:card");
        match place {
            Place::MergeRequest(_) => {
                stage
                    .twin
                    .comment_on_pull_request(stage.repository, number(request), stage.mallory, &text)
                    .unwrap();
            }
            Place::Commit(_) => {
                stage.twin.comment_on_commit(stage.repository, HEAD, stage.mallory, &text).unwrap();
            }
        }
        assert_eq!(stage.github.find_own(&at, "countersign:card").await, Ok(Vec::new()));
        let first = stage.github.post(&at, &text).await.unwrap();
        assert_eq!(first.at, stage.clock.time());
        let second = stage.github.post(&at, &text).await.unwrap();
        let found = stage.github.find_own(&at, "countersign:card").await.unwrap();
        assert_eq!(found, [second.comment, first.comment]);
        assert_eq!(stage.github.find_own(&at, "countersign:car").await, Ok(Vec::new()));
        stage.wait(60);
        let edited = stage.github.edit(&at, first.comment, "changed").await.unwrap();
        assert_eq!((edited.comment, edited.at), (first.comment, stage.clock.time()));
        for _ in 0..2 {
            stage.github.delete(&at, second.comment).await.unwrap();
        }
        assert_eq!(stage.github.edit(&at, second.comment, "changed").await, Err(Failure::NotFound));
        assert_eq!(stage.github.find_own(&at, "countersign:card").await, Ok(Vec::new()));
    }
}

#[tokio::test]
async fn whoever_is_answered_is_named() {
    let stage = stage().await;
    let request = stage.pull();
    let at = stage.at(Place::MergeRequest(request));
    let id =
        stage.twin.comment_on_pull_request(stage.repository, number(request), stage.alice, "/why").unwrap();
    let to = reference(&at, CommentKind::Comment, id);
    stage.github.reply(&to, &alice(), "Because.").await.unwrap();
    for odd in ["", "release[bot]", "a b\n/x"] {
        let whom = Account { username: odd.to_owned(), ..alice() };
        stage.github.reply(&to, &whom, "Because.").await.unwrap();
    }
    let said = stage.twin.comments_of(stage.repository, number(request));
    let texts: Vec<&str> = said.iter().skip(1).map(|comment| comment.body.as_str()).collect();
    assert_eq!(texts, ["@alice\n\nBecause.", "Because.", "Because.", "Because."]);
    for _ in 0..2 {
        stage.github.react(&to).await.unwrap();
    }
    let said = stage.twin.comments_of(stage.repository, number(request));
    let seen: Vec<&str> = said[0].reactions.iter().map(|reaction| reaction.content.as_str()).collect();
    assert_eq!(seen, ["eyes"]);
    stage.twin.delete_comment(id, stage.alice).unwrap();
    assert_eq!(stage.github.react(&to).await, Ok(()));
}

#[tokio::test]
async fn a_locked_conversation_takes_no_answer() {
    let stage = stage().await;
    let request = stage.pull();
    stage.twin.lock(stage.repository, number(request), true);
    let locked = stage.github.post(&stage.at(Place::MergeRequest(request)), "Because.").await;
    assert_eq!(locked, Err(Failure::Refused(Refusal::Locked)));
}

#[tokio::test]
async fn a_text_that_is_too_long_is_cut_and_keeps_its_marker() {
    let stage = stage().await;
    let at = stage.at(Place::MergeRequest(stage.pull()));
    let text = format!("{}\n\n<!-- countersign:card -->", "ä".repeat(70_000));
    let posted = stage.github.post(&at, &text).await.unwrap();
    assert_eq!(stage.github.find_own(&at, "countersign:card").await, Ok(vec![posted.comment]));
}

#[test]
fn the_words_are_githubs() {
    let words = Prose(vec![Block::Paragraph(
        Line::default().forge().text(" runs the ").pipeline().text(" of this ").request(),
    )]);
    let rendered = crate::forge::markdown::render(&words, "m", &crate::forge::github::talk::DIALECT);
    assert_eq!(rendered, "GitHub runs the workflow run of this pull request\n\n<!-- m -->");
}

fn buttons(version: i64, active: bool) -> Buttons {
    Buttons {
        environment: "prod/eu west".to_owned(),
        number: 12,
        version,
        title: format!("Version {version}"),
        summary: "Waits.\n\n<!-- countersign:buttons -->".to_owned(),
        active,
        url: Some("https://ci.example/runs/1".to_owned()),
    }
}

#[tokio::test]
async fn buttons_are_one_check_run_that_goes_with_the_deployment() {
    let stage = stage().await;
    let request = stage.pull();
    let at = stage.at(Place::MergeRequest(request));
    let shown = || stage.twin.check_runs_of(stage.repository, HEAD);
    stage.github.sync_buttons(&at, &buttons(1, false)).await.unwrap();
    assert_eq!(shown(), [], "what is over needs no buttons");
    stage.github.sync_buttons(&at, &buttons(1, true)).await.unwrap();
    let [run] = shown().try_into().unwrap();
    assert_eq!((run.name.as_str(), run.external_id), ("prod/eu west", format!("d12.1.{request}")));
    assert_eq!((run.status.as_str(), run.conclusion.as_deref()), ("completed", Some("neutral")));
    let words: Vec<(&str, &str)> =
        run.buttons.iter().map(|button| (button.identifier.as_str(), button.label.as_str())).collect();
    assert_eq!(words, [("approve", "Approve"), ("reject", "Reject")]);
    let later = Buttons { number: 13, ..buttons(1, true) };
    stage.github.sync_buttons(&at, &later).await.unwrap();
    stage.github.sync_buttons(&at, &buttons(2, false)).await.unwrap();
    let [first, second] = shown().try_into().unwrap();
    assert_eq!((first.id, first.external_id), (run.id, format!("d12.2.{request}")));
    assert_eq!((first.title.as_deref(), first.buttons.len()), (Some("Version 2"), 0));
    assert_eq!((second.external_id, second.buttons.len()), (format!("d13.1.{request}"), 2));
}

#[tokio::test]
async fn without_the_permission_there_are_no_buttons() {
    let stage = stage().await;
    let at = stage.at(Place::MergeRequest(stage.pull()));
    stage.twin.set_permissions(stage.app.id, &[("checks", "none")]);
    let refused = stage.github.sync_buttons(&at, &buttons(1, true)).await;
    assert_eq!(refused, Err(Failure::Refused(Refusal::NoPermission)));
    let nowhere = stage.at(Place::Commit(HEAD.to_owned()));
    assert_eq!(stage.github.sync_buttons(&nowhere, &buttons(1, true)).await, Ok(()));
}
