//! Messages as Mattermost takes them: a text, and attachments with buttons.

use super::seal::{Button, Place, Seal};
use super::text::{self, Piece, Room};
use super::words;
use crate::domain::chat::{Choice, Offer};
use crate::domain::ledger::Word;
use crate::domain::notice::{Fact, Notice};
use crate::net::http::Url;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Characters of a message: Mattermost takes 16383.
pub(super) const MOST_IN_MESSAGE: usize = 16_000;
/// Characters of the attachment of a card, facts and all.
const MOST_IN_CARD: usize = 8_000;
/// Characters of each thing that can be chosen.
const MOST_IN_CHOICE: usize = 2_000;
/// So many people are mentioned at most.
const MOST_MENTIONS: usize = 50;
/// Facts of up to so many characters stand side by side.
const SHORT: usize = 40;

/// What makes buttons work: where they are sent, and the proof that they are ours.
pub(super) struct Wiring<'a> {
    pub(super) seal: &'a Seal,
    pub(super) hook: &'a Url,
    pub(super) now: Timestamp,
}

impl Wiring<'_> {
    /// Approve and Reject. `number` tells them from other buttons of the same message: Mattermost takes the first of
    /// one id.
    fn buttons(&self, offer: &Offer, place: &Place, number: &str) -> Value {
        let button = |word: Word, id: &str, style: &str| {
            let sealed = self.seal.close(&Button::new(offer, word, place, self.now));
            json!({
                "id": format!("{id}{number}"),
                "type": "button",
                "name": words::label(word),
                "style": style,
                "integration": { "url": self.hook.as_str(), "context": { "sealed": sealed } },
            })
        };
        json!([button(Word::Approved, "approve", "good"), button(Word::Rejected, "reject", "danger")])
    }
}

/// The text of a card: the one place where somebody is notified.
pub(super) fn message(notice: &Notice) -> String {
    let headline = format!("**{}**", text::line(&notice.headline));
    let mentions: Vec<String> =
        notice.mentions.iter().filter_map(|name| text::mention(name)).take(MOST_MENTIONS).collect();
    if mentions.is_empty() { headline } else { format!("{headline}\n{}", mentions.join(" ")) }
}

/// The attachment of a card. Where it grows too long, the list of commits goes first, then facts, then how it stands.
pub(super) fn card(notice: &Notice, wiring: &Wiring<'_>) -> Value {
    let mut room = Room::of(MOST_IN_CARD);
    let open = notice.url.iter().map(|url| Piece::paragraph(text::link(words::OPEN, url)));
    let how_to = room.fit(text::pieces(&notice.how_to).into_iter().chain(open).collect());
    let lines = notice.standing.iter().map(|line| Piece::paragraph(text::line(line)));
    let standing = room.fit(lines.collect());
    let fields = fields(&notice.facts, &mut room);
    let changes = room.fit(text::pieces(&notice.changes));
    let body: Vec<Piece> = standing.into_iter().chain(changes).chain(how_to).collect();
    let mut card = json!({
        "fallback": text::plain(&notice.headline),
        "text": text::join(&body),
        "fields": fields,
    });
    if let (Some(offer), Some(card)) = (&notice.offer, card.as_object_mut()) {
        card.insert("actions".to_owned(), wiring.buttons(offer, &Place::Card, ""));
    }
    card
}

fn fields(facts: &[Fact], room: &mut Room) -> Vec<Value> {
    let values = room.fit(facts.iter().map(|fact| Piece::paragraph(text::line(&fact.text))).collect());
    let field = |(fact, value): (&Fact, Piece)| {
        let short = value.text.chars().count() <= SHORT;
        json!({ "title": fact.name, "value": value.text, "short": short })
    };
    facts.iter().zip(values).map(field).collect()
}

/// What one person can choose from: an attachment each, whose buttons nobody else can press.
pub(super) fn choices(choices: &[Choice], user: &str, wiring: &Wiring<'_>) -> Vec<Value> {
    let place = Place::Aside(user.to_owned());
    let attachment = |(index, choice): (usize, &Choice)| {
        let line = Piece::paragraph(text::line(&choice.line));
        let number = (index + 1).to_string();
        json!({
            "fallback": text::plain(&choice.line),
            "text": text::join(&Room::of(MOST_IN_CHOICE).fit(vec![line])),
            "actions": wiring.buttons(&choice.offer, &place, &number),
        })
    };
    choices.iter().enumerate().map(attachment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::chat::Subject;
    use crate::domain::wording::{Block, Line, Prose};

    fn notice() -> Notice {
        Notice {
            headline: Line::default().foreign("acme/shop").text(" → ").foreign("production").text(": waits"),
            standing: vec![Line::default().strong("d4711").text(": 1 approval is missing.")],
            facts: vec![
                Fact { name: "Environment", text: Line::default().code("production") },
                Fact {
                    name: "Commit",
                    text: Line::default().code("9f1c2d3e").text(" ").foreign("x".repeat(60)),
                },
            ],
            changes: Prose(vec![
                Block::Paragraph(Line::of("2 new commits:")),
                Block::Item(0, Line::default().foreign("Newest")),
                Block::Item(0, Line::default().foreign("Older")),
            ]),
            how_to: Prose::paragraph(Line::of("Press a button.")),
            mentions: vec!["alice".to_owned(), "channel".to_owned()],
            offer: Some(Offer {
                subject: Subject::from_stored("s"),
                numbers: vec![4711],
                environment: "production".to_owned(),
                sha: "9f1c2d3e".to_owned(),
                reason_needed: true,
                generation: 1,
            }),
            url: Some("https://git.example.com/p/1".to_owned()),
        }
    }

    fn shown(notice: &Notice) -> Value {
        let seal = Seal::new(&"token".into());
        let hook = "https://countersign.example.com/hooks/mattermost".parse().unwrap();
        card(notice, &Wiring { seal: &seal, hook: &hook, now: "2026-11-21T08:00:00Z".parse().unwrap() })
    }

    #[test]
    fn a_card_shows_how_it_stands_what_it_changes_and_how_to_act() {
        let card = shown(&notice());
        assert_eq!(message(&notice()), "**acme/shop → production: waits**\n@alice");
        assert_eq!(card["fallback"], "acme/shop → production: waits");
        assert_eq!(
            card["text"],
            "**d4711**: 1 approval is missing.\n\n2 new commits:\n\n- Newest\n- Older\n\nPress a button.\n\n\
             [Open](https://git.example.com/p/1)"
        );
        assert_eq!(
            card["fields"][0],
            json!({"title": "Environment", "value": "`production`", "short": true})
        );
        assert_eq!(card["fields"][1]["short"], json!(false));
        let looks: Vec<_> = [0, 1]
            .map(|at| (card["actions"][at]["id"].clone(), card["actions"][at]["style"].clone()))
            .to_vec();
        assert_eq!(looks, [(json!("approve"), json!("good")), (json!("reject"), json!("danger"))]);
    }

    #[test]
    fn what_has_ended_has_no_buttons_and_calls_nobody() {
        let ended = Notice { offer: None, mentions: Vec::new(), ..notice() };
        assert_eq!(shown(&ended).get("actions"), None);
        assert!(!message(&ended).contains('@'));
    }

    fn size(card: &Value) -> usize {
        let fields = card["fields"].as_array().unwrap().iter();
        let values: usize = fields.map(|field| field["value"].as_str().unwrap().chars().count()).sum();
        card["text"].as_str().unwrap().chars().count() + values
    }

    #[test]
    fn an_oversize_card_loses_its_commits_first() {
        let mut big = notice();
        let commit = || Block::Item(0, Line::default().foreign("ä*".repeat(250)));
        big.changes.0.extend(std::iter::repeat_with(commit).take(20));
        let card = shown(&big);
        assert!(size(&card) <= MOST_IN_CARD, "{}", size(&card));
        let text = card["text"].as_str().unwrap();
        assert!(text.starts_with("**d4711**") && text.contains("Newest") && text.contains("\n\n…\n\nPress"));
        assert!(text.ends_with("[Open](https://git.example.com/p/1)"));
        assert_eq!(card["fields"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn however_much_there_is_the_limits_hold() {
        let long = || Line::default().foreign("<".repeat(600));
        let mut big = notice();
        big.headline = long();
        big.standing = vec![long(); 40];
        big.facts = (0..40).map(|_| Fact { name: "Approvals", text: long() }).collect();
        big.mentions = (0..500).map(|n| format!("user{n}")).collect();
        let card = shown(&big);
        assert!(size(&card) <= MOST_IN_CARD + 20, "{}", size(&card));
        assert!(card["text"].as_str().unwrap().ends_with("[Open](https://git.example.com/p/1)"));
        assert!(message(&big).chars().count() <= MOST_IN_MESSAGE);
    }
}
