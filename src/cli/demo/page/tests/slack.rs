//! The channel.

use super::super::super::world::Person;
use super::*;

/// Where the channel begins in the page.
pub(super) const CHANNEL: &str = "id=\"slack\"";

#[tokio::test]
async fn a_card_in_the_channel_is_approved_by_button_and_by_command() {
    let demo = Played::new().await;
    demo.deploy("dana").await;
    let words = demo.words().await;
    for seen in ["acme/shop → production: waiting for approval", "0 of 2 from", "Approve Reject Open"] {
        assert!(words.contains(seen), "{seen} in {words}");
    }
    demo.pass(5);
    demo.press_in(CHANNEL, "mallory", "Approve").await;
    assert!(
        demo.words()
            .await
            .contains("only mallory sees this Nothing was decided: your account here is not linked")
    );
    demo.pass(5);
    demo.press_in(CHANNEL, "alice", "Approve").await;
    let words = demo.words().await;
    assert!(words.contains("alice approved it in Slack. 1 of 2."), "{words}");
    demo.pass(5);
    let typed = demo.post("/slack/say", &[("as", "bob"), ("text", "/deploy approve production")]).await;
    assert_eq!(typed.headers["HX-Trigger"], "said");
    let words = demo.words().await;
    for seen in ["production running d4711", "bob approved it in Slack. 2 of 2.", "bob approved in slack."] {
        assert!(words.contains(seen), "{seen} in {words}");
    }
    demo.pass(60);
    demo.settle().await;
    let page = demo.get("/").await.body;
    let channel = page.split_once(CHANNEL).unwrap().1;
    assert!(channel.contains("production: deployed") && !channel.contains(">Approve</button>"), "{channel}");
    let opened = demo.press_in(CHANNEL, "bob", "Open").await;
    assert!(opened.body.contains("The simulated GitLab has no pages"), "{}", opened.body);
}

#[tokio::test]
async fn an_approval_by_button_is_asked_back_first() {
    let demo = Played::new().await;
    demo.deploy("dana").await;
    let page = demo.get("/").await.body;
    let asked = page.split("hx-confirm=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(asked.starts_with("Approve deployment?\nproduction at "), "{asked}");
    assert_eq!(page.matches("hx-confirm").count(), 1, "the form behind Reject is question enough");
}

#[tokio::test]
async fn a_rejection_in_the_channel_asks_why() {
    let demo = Played::new().await;
    demo.deploy_on(Forge::GitHub, "dana").await;
    demo.press_in(CHANNEL, "alice", "Reject").await;
    let page = demo.get("/").await.body;
    let form = page.split_once("class=\"modal only-alice\"").unwrap().1;
    let view = demo.form().await;
    assert!(form.contains("hx-preserve"), "what is being written outlives a change of the page");
    demo.post("/slack/cancel", &[("as", "alice"), ("view", &view)]).await;
    assert!(!demo.get("/").await.body.contains("class=\"modal"));

    demo.press_in(CHANNEL, "alice", "Reject").await;
    let view = demo.form().await;
    let of_another = demo.post("/slack/send", &[("as", "bob"), ("view", &view), ("reason", "no")]).await;
    assert!(of_another.body.contains("Slack says no: no such modal is open."), "{}", of_another.body);
    let empty = demo.post("/slack/send", &[("as", "alice"), ("view", &view), ("reason", "")]).await;
    assert!(empty.body.contains("Slack says no: the form isn"), "{}", empty.body);
    let blank = demo.post("/slack/send", &[("as", "alice"), ("view", &view), ("reason", "  ")]).await;
    assert!(blank.body.contains("<p class=\"feedback warns\">Say why."), "{}", blank.body);
    demo.post("/slack/send", &[("as", "alice"), ("view", &view), ("reason", "the ferry is full")]).await;
    let words = demo.words().await;
    for seen in ["acme/shop → production: rejected", "alice rejected it in Slack: “the ferry is full”"]
    {
        assert!(words.contains(seen), "{seen} in {words}");
    }
    assert!(!demo.get("/").await.body.contains("class=\"modal"));
}

#[tokio::test]
async fn a_command_lists_what_waits_with_buttons_of_its_own() {
    let demo = Played::new().await;
    for forge in Forge::ALL {
        demo.deploy_on(forge, "dana").await;
    }
    demo.post("/slack/say", &[("as", "alice"), ("text", "/deploy blocked")]).await;
    let words = demo.words().await;
    assert!(words.contains("only alice sees this Waiting here:"), "{words}");
    demo.pass(5);
    // The answer is the newest, so its buttons come first.
    demo.press_in(CHANNEL, "alice", "Approve").await;
    assert!(demo.words().await.contains("alice approved it in Slack. 1 of 2."));
}

#[tokio::test]
async fn slack_answers_for_what_it_does_not_take() {
    let demo = Played::new().await;
    demo.deploy("dana").await;
    let unknown = demo.post("/slack/say", &[("as", "alice"), ("text", "/lunch")]).await;
    assert!(unknown.body.contains("Slack says no: no such command."), "{}", unknown.body);
    assert!(!unknown.headers.contains_key("HX-Trigger"), "what was typed is left to be mended");
    let gone = [("as", "alice"), ("ts", "1.000100"), ("block", "b"), ("action", "approve")];
    let gone = demo.post("/slack/press", &gone).await;
    assert!(gone.body.contains("this button is gone"), "{}", gone.body);
    demo.post("/slack/say", &[("as", "alice"), ("text", "approve production, please")]).await;
    let words = demo.words().await;
    assert!(
        words.contains("approve production, please") && words.contains("production blocked d4711"),
        "{words}"
    );
}

#[tokio::test]
async fn what_one_person_alone_sees_is_hidden_from_the_others() {
    let demo = Played::new().await;
    demo.deploy("dana").await;
    let page = demo.get("/").await.body;
    for person in Person::ALL.map(Person::username) {
        assert!(page.contains(&format!("id=\"as-{person}\"")), "{person} can be chosen");
        let hidden = format!("body:not(:has(#as-{person}:checked)) .only-{person}");
        assert!(STYLE.contains(&hidden), "{hidden}");
        demo.post("/slack/say", &[("as", person), ("text", "/deploy status")]).await;
        assert!(demo.get("/").await.body.contains(&format!("class=\"thread only-{person}\"")));
        demo.pass(5);
    }
}
