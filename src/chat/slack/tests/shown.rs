//! What hostile or very long texts come to. The twin refuses what Slack would refuse.

use super::super::blocks::total;
use super::super::message::{self, Content};
use super::*;
use crate::domain::chat::Choice;
use crate::ports::chat::Chat as _;
use rstest::rstest;
use serde_json::Value;

const HOSTILE: &str =
    "<!channel> <@U0000000301> @here <http://evil.example|https://gitlab.com> `*x*` & \u{202e}evil\n> quoted";

/// A notice in which every foreign text is this one.
fn hostile(foreign: &str) -> Notice {
    let line = || Line::default().foreign(foreign).text(" ").code(foreign).text(" ");
    Notice {
        headline: line().text(": blocked"),
        standing: vec![line().text("is blocked")],
        facts: vec![Fact { name: "Commit", text: line().link(foreign, "https://gitlab.example/c") }],
        changes: Prose(vec![Block::Paragraph(line()), Block::Item(0, line())]),
        how_to: Prose::paragraph(Line::of("Write ").code(foreign)),
        mentions: vec![foreign.to_owned()],
        offer: Some(Offer { environment: foreign.to_owned(), ..offer() }),
        url: Some(foreign.to_owned()),
    }
}

#[tokio::test]
async fn hostile_words_call_nobody_and_link_nowhere() {
    let stage = stage().await;
    let message = stage.slack.post(&stage.channel(), &hostile(HOSTILE), MARKER).await.unwrap();
    stage.slack.edit(&message, &hostile(HOSTILE), MARKER).await.unwrap();
    let text = Prose::paragraph(Line::default().foreign(HOSTILE).code(HOSTILE));
    let choice = Choice { line: Line::default().foreign(HOSTILE), offer: offer() };
    stage.slack.add(&message, &text, "countersign:news:1").await.unwrap();
    stage.slack.whisper(&stage.aside(&stage.dana, None), &text, &[choice]).await.unwrap();
    assert_eq!(stage.twin.pings(), []);
    let mut shown = stage.twin.messages_of(&stage.deploys);
    shown.extend(stage.twin.ephemerals_of(&stage.dana));
    assert_eq!(shown.len(), 3);
    for message in shown {
        assert!(
            message.links.iter().all(|link| link.url == "https://gitlab.example/c"),
            "{:?}",
            message.links
        );
        assert!(
            message.seen.contains("<!channel>") && !message.seen.contains('\u{202e}'),
            "{}",
            message.seen
        );
        assert!(message.buttons.iter().all(|button| button.url.is_none()));
        assert!(message.blocks.iter().all(is_verbatim), "{:?}", message.blocks);
    }
    for call in stage.calls("chat.postMessage").iter().chain(&stage.calls("chat.update")) {
        let body: Value = serde_json::from_str(&call.body).unwrap();
        assert_eq!((&body["parse"], &body["link_names"]), (&Value::from("none"), &Value::Null));
    }
}

/// Every text with markup says that nothing else is to be looked for in it.
fn is_verbatim(block: &Value) -> bool {
    match block {
        Value::Object(fields) => {
            let markup = fields.get("type").and_then(Value::as_str) == Some("mrkdwn");
            (!markup || fields.get("verbatim") == Some(&Value::Bool(true)))
                && fields.values().all(is_verbatim)
        }
        Value::Array(items) => items.iter().all(is_verbatim),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

fn commits(count: usize, title: &str) -> Prose {
    let mut blocks =
        vec![Block::Paragraph(Line::of(format!("{count} new commits since ").clone()).code("aa00bb11"))];
    blocks.extend(
        (0..count).map(|_| Block::Item(0, Line::default().code("9f1c2d3e").text(" ").foreign(title))),
    );
    Prose(blocks)
}

fn siblings(count: i64, name: &str) -> Notice {
    let numbers: Vec<i64> = (1..=count).map(|n| 4_700_000 + n).collect();
    let standing = |number: &i64| {
        let line = Line::default().strong(format!("d{number}")).text(" ").foreign(name);
        line.text(": it is blocked, 2 approvals still missing.")
    };
    let approvals = |number: &i64| Fact {
        name: "Approvals",
        text: Line::default()
            .text(format!("d{number} "))
            .foreign(name)
            .text(": 0 of 2 by members of ")
            .code("acme/sre"),
    };
    let mut notice = waiting();
    notice.standing = numbers.iter().map(standing).collect();
    notice.facts.extend(numbers.iter().map(approvals));
    notice.offer = Some(Offer { numbers, ..offer() });
    notice
}

async fn posted(notice: &Notice) -> (sim::MessageView, Content) {
    let stage = stage().await;
    let message = stage.slack.post(&stage.channel(), notice, MARKER).await.unwrap();
    stage.slack.edit(&message, notice, MARKER).await.unwrap();
    let content = message::notice(notice);
    assert!(total(&content.blocks) < 10_000 && content.blocks.len() <= 50);
    assert!(content.text.chars().count() <= 4_000);
    (stage.seen(&message), content)
}

#[tokio::test]
async fn of_sixty_commits_some_are_left_out_and_nothing_else() {
    let notice = Notice { changes: commits(60, &"Sell more & more ".repeat(20)), ..waiting() };
    let (seen, content) = posted(&notice).await;
    assert!(seen.seen.contains("60 new commits since"), "{}", seen.seen);
    assert_eq!(seen.seen.matches("• `9f1c2d3e`").count(), 10);
    assert!(seen.seen.contains("… and 50 more"));
    for kept in ["2 approvals still missing", "Environment", "/deploy approve production"] {
        assert!(seen.seen.contains(kept) && content.text.contains(kept), "{kept}");
    }
    assert_eq!(seen.buttons.len(), 3);
}

#[tokio::test]
async fn a_hundred_siblings_all_stand_in_their_message() {
    let (seen, content) = posted(&siblings(100, "deploy")).await;
    assert_eq!(seen.seen.matches("still missing").count(), 100, "{}", seen.seen);
    assert_eq!(seen.buttons.len(), 3);
    assert!(content.text.contains("d4700001") && content.text.contains("more\n"), "{}", content.text);
    assert!(content.text.ends_with("`/deploy approve production`"), "{}", content.text);
}

#[rstest]
#[case(300, "deploy")]
#[case(1_000, "deploy to production in eu-central-1")]
#[case(1_000, "&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&")]
#[tokio::test]
async fn more_siblings_than_a_message_holds_are_counted(#[case] count: i64, #[case] name: &str) {
    let mut notice = siblings(count, name);
    notice.changes = commits(60, name);
    notice.how_to =
        Prose::paragraph(Line::of("Press a button, or write ").code("/deploy approve production"));
    let (seen, _) = posted(&notice).await;
    assert!(seen.seen.contains("… and ") && seen.seen.contains("d4700001"), "{}", seen.seen);
    assert!(seen.seen.contains("no button can name them: write the command"), "{}", seen.seen);
    assert_eq!(seen.buttons.len(), 1);
}

#[rstest]
#[case("&".repeat(5_000))]
#[case("<!channel>".repeat(500))]
#[case("🚀".repeat(5_000))]
#[case("`".repeat(5_000))]
#[tokio::test]
async fn long_names_are_shortened_and_never_in_two(#[case] foreign: String) {
    let (seen, content) = posted(&hostile(&foreign)).await;
    let header = content.blocks[0]["text"]["text"].as_str().unwrap();
    assert!(header.ends_with(": blocked") && header.chars().count() <= 150, "{header}");
    for cut in ["&am…", "&a…", "&l…", "&lt…", "&amp…"] {
        assert!(!content.text.contains(cut) && !seen.seen.contains(cut), "{cut}");
    }
}

#[tokio::test]
async fn fifty_choices_keep_within_a_message() {
    let stage = stage().await;
    let line = |n: i64| Line::default().foreign(format!("acme/shop-{n}")).text(": production is blocked");
    let choices: Vec<Choice> =
        (0..50).map(|n| Choice { line: line(n), offer: Offer { numbers: vec![n], ..offer() } }).collect();
    let text = Prose(vec![Block::Paragraph(Line::of("Why: ").foreign("long ".repeat(60))); 60]);
    stage.slack.whisper(&stage.aside(&stage.dana, None), &text, &choices).await.unwrap();
    let answer = stage.twin.ephemerals_of(&stage.dana).pop().unwrap();
    assert!(
        answer.buttons.len() >= 4 && answer.seen.contains(" more. Name one by its number."),
        "{}",
        answer.seen
    );
    stage.slack.whisper(&stage.aside(&stage.dana, None), &Prose::default(), &choices).await.unwrap();
    let answer = stage.twin.ephemerals_of(&stage.dana).pop().unwrap();
    assert!(answer.buttons.len() >= 16, "{}", answer.buttons.len());
}
