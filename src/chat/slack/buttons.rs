//! Buttons. What one stands for is its value; it comes back with every press.

use super::blocks::plain;
use super::limits;
use super::mrkdwn::web_address;
use crate::chat::prose::{cut, one_line};
use crate::domain::chat::Offer;
use crate::domain::id::short_sha;
use crate::domain::ledger::Word;
use serde_json::{Value, json};

const APPROVE: &str = "approve";
const REJECT: &str = "reject";
const OPEN: &str = "open";
/// How many deployments a question names.
const MOST_NAMED: usize = 10;

/// What a pressed button says; `None` for those that say nothing.
pub(super) fn word(action_id: &str) -> Option<Word> {
    match action_id {
        APPROVE => Some(Word::Approved),
        REJECT => Some(Word::Rejected),
        _ => None,
    }
}

/// What a button's value stands for. A press is held against what now waits, never against an earlier showing: Slack
/// signs what was posted, and the newest it has.
pub(super) fn offer(value: &str) -> Option<Offer> {
    let offer: Offer = serde_json::from_str(value).ok()?;
    Some(Offer { generation: 0, ..offer })
}

/// The buttons that decide; none where so many deployments share the offer that no button can name them.
pub(super) fn deciding(offer: &Offer) -> Option<[Value; 2]> {
    let value = value(offer).filter(|value| value.chars().count() <= limits::VALUE)?;
    let approve = json!({
        "type": "button",
        "action_id": APPROVE,
        "text": plain("Approve"),
        "style": "primary",
        "value": value,
        "confirm": {
            "title": plain("Approve deployment?"),
            "text": plain(&cut(&subject(offer), limits::CONFIRM)),
            "confirm": plain("Approve"),
            "deny": plain("Cancel"),
        },
    });
    let reject = json!({
        "type": "button",
        "action_id": REJECT,
        "text": plain("Reject"),
        "style": "danger",
        "value": value,
    });
    Some([approve, reject])
}

/// A button that leads to the run.
pub(super) fn opening(url: &str) -> Option<Value> {
    let url = web_address(url, limits::URL)?;
    Some(json!({ "type": "button", "action_id": OPEN, "text": plain("Open"), "url": url }))
}

/// What is decided on, in one line without markup: `production at 9f1c2d3e: d4711, d4712`.
pub(super) fn subject(offer: &Offer) -> String {
    let named: Vec<String> =
        offer.numbers.iter().take(MOST_NAMED).map(|number| format!("d{number}")).collect();
    let more = match offer.numbers.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (environment, sha) = (one_line(&offer.environment, 100), one_line(short_sha(&offer.sha), 40));
    format!("{environment} at {sha}: {}{more}", named.join(", "))
}

/// JSON in which no character stands that Slack might escape on its way.
fn value(offer: &Offer) -> Option<String> {
    let json = serde_json::to_string(offer).ok()?;
    Some(json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::chat::Subject;

    fn offered(numbers: std::ops::Range<i64>) -> Offer {
        Offer {
            subject: Subject::from_stored("gitlab/7/run/70/0:production"),
            numbers: numbers.collect(),
            environment: "<!channel> & \"co\"".to_owned(),
            sha: "9f1c2d3e00000000000000000000000000000000".to_owned(),
            reason_needed: true,
            generation: 3,
        }
    }

    #[test]
    fn an_offer_comes_back_without_its_generation_and_travels_without_markup() {
        let [approve, reject] = deciding(&offered(4711..4713)).unwrap();
        let value = approve["value"].as_str().unwrap();
        assert!(!value.contains(['&', '<', '>']), "{value}");
        assert_eq!(offer(value), Some(Offer { generation: 0, ..offered(4711..4713) }));
        assert_eq!(reject["value"], value);
        assert_eq!(offer("d4711"), None);
    }

    #[test]
    fn an_approval_is_confirmed_by_environment_and_sha() {
        let [approve, reject] = deciding(&offered(4711..4713)).unwrap();
        let asked = "<!channel> & \"co\" at 9f1c2d3e: d4711, d4712";
        assert_eq!(approve["confirm"]["text"]["text"], asked);
        assert_eq!(approve["confirm"]["text"]["type"], "plain_text");
        assert_eq!(reject["style"], "danger");
        assert_eq!(subject(&offered(1..101)).rsplit_once(", ").unwrap().1, "d10 and 90 more");
    }

    #[test]
    fn more_deployments_than_a_button_can_name_have_none() {
        assert!(deciding(&offered(4711..4811)).is_some(), "a hundred fit");
        assert!(deciding(&offered(4711..5711)).is_none());
    }

    #[test]
    fn a_button_opens_pages_of_the_web_alone() {
        assert_eq!(opening("https://gitlab.example/x").unwrap()["url"], "https://gitlab.example/x");
        assert_eq!(opening("javascript:alert(1)"), None);
        assert_eq!(opening(&format!("https://x.example/{}", "a".repeat(limits::URL))), None);
    }
}
