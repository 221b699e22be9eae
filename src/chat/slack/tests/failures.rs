//! What follows from what goes wrong.

use super::*;
use crate::ports::chat::Chat as _;
use rstest::rstest;

#[rstest]
#[case(Action::Drop, true)]
#[case(Action::ActThenDrop, true)]
#[case(Action::ActThenFail(502), true)]
#[case(Action::Truncate, true)]
#[case(Action::Answer { status: 200, body: "<html>".into() }, true)]
#[case(Action::Answer { status: 200, body: r#"{"ok":true}"#.into() }, true)]
#[case(Action::Answer { status: 200, body: r#"{"ok":false,"error":"fatal_error"}"#.into() }, true)]
#[case(Action::Answer { status: 407, body: "<html>".into() }, false)]
#[case(Action::Answer { status: 302, body: String::new() }, false)]
#[tokio::test]
async fn a_lost_answer_leaves_open_whether_a_message_stands(#[case] action: Action, #[case] open: bool) {
    let stage = stage().await;
    stage.twin.add_fault(Rule::new("chat.postMessage", action));
    let outcome = stage.slack.post(&stage.channel(), &waiting(), MARKER).await;
    assert_eq!(matches!(outcome, Err(Failure::UnknownOutcome { .. })), open, "{outcome:?}");
    assert!(outcome.is_err_and(|failure| failure.is_transient()));
}

#[rstest]
#[case(Action::Drop)]
#[case(Action::ActThenFail(502))]
#[case(Action::Truncate)]
#[case(Action::Answer { status: 200, body: "<html>".into() })]
#[case(Action::Answer { status: 200, body: r#"{"ok":false,"error":"internal_error"}"#.into() })]
#[tokio::test]
async fn a_read_that_fails_is_tried_again_later(#[case] action: Action) {
    let stage = stage().await;
    stage.twin.add_fault(Rule::new("conversations.history", action));
    let failure = stage.slack.find_own(&stage.channel(), None, MARKER).await.unwrap_err();
    assert!(failure.is_transient() && !matches!(failure, Failure::UnknownOutcome { .. }), "{failure:?}");
}

#[tokio::test]
async fn a_limit_is_kept_as_long_as_slack_asks() {
    let stage = stage().await;
    stage.twin.limit_calls("chat.postMessage", 0);
    stage.wait(20);
    let outcome = stage.slack.post(&stage.channel(), &waiting(), MARKER).await;
    let Err(Failure::Unavailable { retry_after, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(40)));
}

#[tokio::test]
async fn a_token_that_is_no_longer_good_says_so() {
    let stage = stage().await;
    stage.twin.revoke_token();
    let outcome = stage.slack.post(&stage.channel(), &waiting(), MARKER).await;
    assert_eq!(outcome, Err(Failure::Unauthorized("account_inactive".to_owned())));
}

#[tokio::test]
async fn a_message_past_its_edit_window_is_locked() {
    let stage = stage().await;
    stage.twin.set_edit_window(Some(SignedDuration::from_secs(60)));
    let message = stage.slack.post(&stage.channel(), &waiting(), MARKER).await.unwrap();
    stage.wait(61);
    let outcome = stage.slack.edit(&message, &deployed(), MARKER).await;
    assert_eq!(outcome, Err(Failure::Refused(Refusal::Locked)));
    let theirs = stage.twin.say(&stage.dana, &stage.deploys, "mine", None).unwrap();
    let theirs = Message { channel: stage.channel(), id: theirs };
    let outcome = stage.slack.edit(&theirs, &deployed(), MARKER).await;
    assert_eq!(outcome, Err(Failure::Refused(Refusal::Locked)));
}

#[tokio::test]
async fn a_channel_that_is_gone_closed_or_archived_is_told_apart() {
    let stage = stage().await;
    let nowhere = ChannelId::new("C404");
    assert_eq!(stage.slack.post(&nowhere, &waiting(), MARKER).await, Err(Failure::NotFound));
    let message = stage.slack.post(&stage.channel(), &waiting(), MARKER).await.unwrap();
    stage.twin.archive(&stage.deploys);
    let archived = Failure::Refused(Refusal::Other("is_archived".to_owned()));
    assert_eq!(stage.slack.post(&stage.channel(), &waiting(), MARKER).await, Err(archived));
    assert!(matches!(
        stage.slack.edit(&message, &deployed(), MARKER).await,
        Err(Failure::Refused(Refusal::Other(_)))
    ));
}

#[tokio::test]
async fn without_the_scope_to_look_nothing_is_found_and_that_is_told() {
    let stage = stage().await;
    stage.twin.set_scopes(&["chat:write", "commands"]);
    let outcome = stage.slack.find_own(&stage.channel(), None, MARKER).await;
    assert_eq!(outcome, Err(Failure::Refused(Refusal::NoPermission)));
    stage.twin.set_scopes(&["chat:write", "channels:history"]);
    stage.twin.kick(&stage.deploys, &stage.twin.bot_user());
    let outcome = stage.slack.find_own(&stage.channel(), None, MARKER).await;
    assert_eq!(outcome, Err(Failure::Refused(Refusal::NoPermission)));
}

#[tokio::test]
async fn the_token_goes_to_the_api_alone() {
    let stage = stage().await;
    let token = stage.twin.bot_token();
    stage.slack.post(&stage.channel(), &waiting(), MARKER).await.unwrap();
    let failure = stage.slack.post(&ChannelId::new("C404"), &waiting(), MARKER).await.unwrap_err();
    assert!(!format!("{failure:?}").contains(&token));
    for call in stage.twin.requests() {
        assert!(!call.body.contains(&token) && !call.query.contains(&token));
    }
}
