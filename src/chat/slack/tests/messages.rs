//! Messages and answers, as the twin shows them.

use super::*;
use crate::domain::chat::Choice;
use crate::domain::ledger::Word;
use crate::ports::chat::{Chat as _, Form};

#[tokio::test]
async fn a_notice_is_posted_and_edited_in_place_with_its_marker() {
    let stage = stage().await;
    let message = stage.slack.post(&stage.channel(), &waiting(), MARKER).await.unwrap();
    let seen = stage.seen(&message);
    let labels: Vec<&str> = seen.buttons.iter().map(|button| button.label.as_str()).collect();
    assert_eq!(labels, ["Approve", "Reject", "Open"]);
    assert!(
        seen.seen.starts_with("acme/shop → production: blocked\n*d4711*: it is blocked"),
        "{}",
        seen.seen
    );
    assert!(
        seen.text.contains("2 approvals still missing") && seen.text.contains("/deploy approve production")
    );

    stage.slack.edit(&message, &deployed(), MARKER).await.unwrap();
    let seen = stage.seen(&message);
    assert!(seen.seen.contains("it is deployed.") && seen.text.contains("it is deployed."));
    assert_eq!(seen.buttons.iter().map(|button| button.label.as_str()).collect::<Vec<_>>(), ["Open"]);
    assert!(!seen.edited);
    assert_eq!(stage.slack.find_own(&stage.channel(), None, MARKER).await.unwrap(), [message]);
    assert_eq!(stage.twin.pings(), []);
}

#[tokio::test]
async fn a_channel_is_its_own_id() {
    let stage = stage().await;
    let named = crate::domain::chat::Channel { chat: ChatName::new("slack"), name: stage.deploys.clone() };
    assert_eq!(stage.slack.channel(&named).await, Ok(stage.channel()));
    assert_eq!(stage.twin.requests(), []);
}

#[tokio::test]
async fn whoever_can_make_a_difference_is_called_once() {
    let stage = stage().await;
    let mentions = vec![stage.dana.clone(), "!channel".to_owned(), "U1> <!here".to_owned()];
    let notice = Notice { mentions, ..waiting() };
    let message = stage.slack.post(&stage.channel(), &notice, MARKER).await.unwrap();
    stage.slack.edit(&message, &notice, MARKER).await.unwrap();
    let called: Vec<String> = stage.twin.pings().into_iter().map(|ping| ping.who).collect();
    assert_eq!(called, [stage.dana.as_str()]);
}

#[tokio::test]
async fn own_messages_are_found_newest_first_and_others_never() {
    let stage = stage().await;
    let at = stage.channel();
    let first = stage.slack.post(&at, &waiting(), MARKER).await.unwrap();
    let second = stage.slack.post(&at, &waiting(), MARKER).await.unwrap();
    stage.slack.post(&at, &waiting(), "countersign:notice:other").await.unwrap();
    stage.twin.say(&stage.mallory, &stage.deploys, MARKER, None).unwrap();
    assert_eq!(stage.slack.find_own(&at, None, MARKER).await.unwrap(), [second.clone(), first.clone()]);

    let long = format!("countersign:news:{}", "gitlab/7/4711@3,".repeat(100));
    let one = stage.slack.add(&first, &prose("dana approved."), &long).await.unwrap();
    let two = stage.slack.add(&first, &prose("alice approved."), &long).await.unwrap();
    assert_eq!(stage.slack.find_own(&at, Some(&first), &long).await.unwrap(), [two, one]);
    assert_eq!(stage.slack.find_own(&at, Some(&second), &long).await.unwrap(), []);
    assert_eq!(stage.calls("auth.test").len(), 1, "who we are is asked once");
}

#[tokio::test]
async fn own_messages_are_looked_for_over_several_pages() {
    let stage = stage().await;
    let message = stage.slack.post(&stage.channel(), &waiting(), MARKER).await.unwrap();
    for _ in 0..250 {
        stage.twin.say(&stage.dana, &stage.deploys, "chatter", None).unwrap();
    }
    assert_eq!(stage.slack.find_own(&stage.channel(), None, MARKER).await.unwrap(), [message]);
    assert_eq!(stage.calls("conversations.history").len(), 2);
}

#[tokio::test]
async fn a_thread_tells_what_is_new() {
    let stage = stage().await;
    let message = stage.slack.post(&stage.channel(), &waiting(), MARKER).await.unwrap();
    let news =
        Prose::paragraph(Line::default().strong("d4711").text(": dana approved: ").foreign("<!channel> go"));
    stage.slack.add(&message, &news, "countersign:news:1").await.unwrap();
    let replies = stage.twin.replies_to(&stage.deploys, &message.id);
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].seen, "*d4711*: dana approved: <!channel> go");
    assert_eq!(stage.twin.pings(), []);
}

#[tokio::test]
async fn a_duplicate_is_deleted_and_one_that_is_gone_is_no_failure() {
    let stage = stage().await;
    let message = stage.slack.post(&stage.channel(), &waiting(), MARKER).await.unwrap();
    stage.slack.delete(&message).await.unwrap();
    assert_eq!(stage.twin.messages_of(&stage.deploys), []);
    assert_eq!(stage.slack.delete(&message).await, Ok(()));
    assert_eq!(stage.slack.edit(&message, &waiting(), MARKER).await, Err(Failure::NotFound));
}

async fn response_url(stage: &Stage, user: &str) -> String {
    stage.twin.command(user, &stage.deploys, "/deploy", "status").await.unwrap();
    let body = stage.twin.deliveries().pop().unwrap().body;
    let fields = url::form_urlencoded::parse(body.as_bytes());
    fields.into_owned().find(|(name, _)| name == "response_url").unwrap().1
}

#[tokio::test]
async fn a_person_is_answered_alone_where_they_acted() {
    let stage = stage().await;
    let url = response_url(&stage, &stage.dana).await;
    stage.slack.whisper(&stage.aside(&stage.dana, Some(&url)), &prose("Noted."), &[]).await.unwrap();
    let answers = stage.twin.ephemerals_of(&stage.dana);
    assert_eq!(answers.iter().map(|one| one.seen.as_str()).collect::<Vec<_>>(), ["Noted."]);
    assert!(stage.calls("chat.postEphemeral").is_empty());
    assert_eq!(stage.twin.messages_of(&stage.deploys), []);
}

#[tokio::test]
async fn an_answer_finds_its_way_once_its_address_is_used_up_too_old_or_none_of_slacks() {
    let stage = stage().await;
    let url = response_url(&stage, &stage.dana).await;
    let aside = stage.aside(&stage.dana, Some(&url));
    for _ in 0..6 {
        stage.slack.whisper(&aside, &prose("Noted."), &[]).await.unwrap();
    }
    assert_eq!(stage.calls("chat.postEphemeral").len(), 1, "an address is good for five answers");

    let url = response_url(&stage, &stage.dana).await;
    stage.wait(31 * 60);
    stage.slack.whisper(&stage.aside(&stage.dana, Some(&url)), &prose("Late."), &[]).await.unwrap();
    let elsewhere = stage.aside(&stage.dana, Some("https://evil.example/commands/x"));
    stage.slack.whisper(&elsewhere, &prose("Safe."), &[]).await.unwrap();
    stage.slack.whisper(&stage.aside(&stage.dana, None), &prose("None."), &[]).await.unwrap();
    assert_eq!(stage.calls("chat.postEphemeral").len(), 4);
    assert_eq!(stage.twin.ephemerals_of(&stage.dana).len(), 9);
}

#[tokio::test]
async fn a_page_in_the_place_of_slacks_word_is_no_word() {
    let stage = stage().await;
    let url = response_url(&stage, &stage.dana).await;
    let page = Action::Answer { status: 200, body: "<html>Sign in to the proxy</html>".to_owned() };
    stage.twin.add_fault(Rule::new("/commands/", page).times(1));
    let outcome = stage.slack.whisper(&stage.aside(&stage.dana, Some(&url)), &prose("Noted."), &[]).await;
    assert!(matches!(outcome, Err(Failure::UnknownOutcome { .. })), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_whose_outcome_is_unknown_is_not_said_a_second_time_at_once() {
    let stage = stage().await;
    let url = response_url(&stage, &stage.dana).await;
    stage.twin.add_fault(Rule::new("/commands/", Action::ActThenDrop).times(1));
    let outcome = stage.slack.whisper(&stage.aside(&stage.dana, Some(&url)), &prose("Noted."), &[]).await;
    assert!(matches!(outcome, Err(Failure::UnknownOutcome { .. })), "{outcome:?}");
    assert_eq!(stage.twin.ephemerals_of(&stage.dana).len(), 1);
    assert!(stage.calls("chat.postEphemeral").is_empty());
}

#[tokio::test]
async fn nobody_is_answered_in_a_channel_that_they_are_not_in() {
    let stage = stage().await;
    stage.twin.kick(&stage.deploys, &stage.dana);
    let outcome = stage.slack.whisper(&stage.aside(&stage.dana, None), &prose("Noted."), &[]).await;
    assert_eq!(outcome, Err(Failure::Refused(Refusal::NoPermission)));
}

#[tokio::test]
async fn choices_carry_buttons_of_their_own() {
    let stage = stage().await;
    let line = |path: &str| Line::default().foreign(path).text(": production d4711");
    let choices = ["acme/shop", "acme/blog"].map(|path| Choice { line: line(path), offer: offer() });
    stage.slack.whisper(&stage.aside(&stage.dana, None), &prose("Choose one:"), &choices).await.unwrap();
    let answer = stage.twin.ephemerals_of(&stage.dana).pop().unwrap();
    assert!(answer.seen.contains("acme/blog: production d4711"), "{}", answer.seen);
    assert_eq!(answer.buttons.len(), 4);
    assert!(answer.text.contains("acme/shop") && answer.text.contains("acme/blog"));
}

fn form(stage: &Stage, trigger: &str, word: Word) -> Form {
    Form {
        trigger: trigger.to_owned(),
        aside: stage.aside(&stage.dana, None),
        on: None,
        offer: offer(),
        word,
    }
}

#[tokio::test]
async fn a_form_opens_once_and_in_time() {
    let stage = stage().await;
    let trigger = |stage: &Stage| {
        let body = stage.twin.deliveries().pop().unwrap().body;
        let fields = url::form_urlencoded::parse(body.as_bytes());
        fields.into_owned().find(|(name, _)| name == "trigger_id").unwrap().1
    };
    response_url(&stage, &stage.dana).await;
    let first = trigger(&stage);
    stage.slack.open_form(&form(&stage, &first, Word::Rejected)).await.unwrap();
    let view = stage.twin.views_of(&stage.dana).pop().unwrap();
    assert_eq!(
        (view.title.as_str(), view.fields.as_slice()),
        ("Reject deployment", &["reason".to_owned()][..])
    );
    assert!(view.seen.contains("production at 9f1c2d3e: d4711"), "{}", view.seen);
    let again = stage.slack.open_form(&form(&stage, &first, Word::Rejected)).await;
    assert_eq!(again, Err(Failure::Refused(Refusal::Other("exchanged_trigger_id".to_owned()))));

    response_url(&stage, &stage.dana).await;
    let late = trigger(&stage);
    stage.wait(4);
    let late = stage.slack.open_form(&form(&stage, &late, Word::Rejected)).await;
    assert_eq!(late, Err(Failure::Refused(Refusal::Other("expired_trigger_id".to_owned()))));

    response_url(&stage, &stage.dana).await;
    stage.slack.open_form(&form(&stage, &trigger(&stage), Word::Approved)).await.unwrap();
    assert_eq!(stage.twin.views_of(&stage.dana).pop().unwrap().fields, Vec::<String>::new());
}
