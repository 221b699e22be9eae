//! Answers that one person in a chat reads alone.

use super::answer::status_line;
use super::{Block, Line, Prose, Spelling};
use crate::domain::chat::{Choice, NoVoice, Offer};
use crate::domain::deployment::Deployment;
use crate::domain::id::{ChatName, ForgeName};
use crate::domain::ledger::Word;

/// Why an account has no say.
pub fn no_voice(why: NoVoice) -> Prose {
    let line = Line::of("Nothing was decided: ");
    Prose::paragraph(line.text(match why {
        NoVoice::Guest => {
            "guests of this workspace can't decide on deployments. Ask a full member whom the policy names."
        }
        NoVoice::Foreigner => {
            "only members of this workspace can decide on its deployments. Ask one whom the policy names."
        }
        NoVoice::Bot => "bots and apps don't decide on deployments. Somebody has to do it in person.",
        NoVoice::Deactivated => "your account here is deactivated. Ask whoever administers this chat.",
        NoVoice::Outsider => "you are not a member of this channel. Join it, or decide in a comment instead.",
        NoVoice::Nobody => "this chat knows no account of yours. Decide in a comment instead.",
        NoVoice::Unknown => {
            "this chat could not be asked who you are. Try again in a moment, or decide in a comment."
        }
    }))
}

/// The account isn't linked to one of the forge.
pub fn not_linked(chat: &ChatName, name: &str, forge: &ForgeName) -> Prose {
    Prose::paragraph(
        Line::of("Nothing was decided: your account here is not linked to one in ")
            .code(forge.as_str())
            .text(". Whoever runs this bot can add a ")
            .code("[[person]]")
            .text(" table with ")
            .code(format!("{forge} = \"your user name there\""))
            .text(" and ")
            .code(format!("{chat} = \"{name}\""))
            .text(" to its configuration. Until then, decide in a comment."),
    )
}

/// How somebody without a link gets one, below the help.
pub fn how_to_be_linked(chat: &ChatName, name: &str) -> Prose {
    Prose::paragraph(
        Line::of("Your account here is linked to no account of a forge, so you can read this and nothing else. Whoever runs this bot can link it by a ")
            .code("[[person]]")
            .text(" with ")
            .code(format!("{chat} = \"{name}\""))
            .text(" in its configuration."),
    )
}

/// The name in the configuration now belongs to another account of the chat, or of the forge.
pub fn link_changed(chat: &ChatName, name: &str) -> Prose {
    Prose::paragraph(
        Line::of("Nothing was decided: the name ")
            .code(name)
            .text(format!(" meant another account of {chat} when it was linked. Whoever runs this bot has to look at its "))
            .code("[[person]]")
            .text(" and run ")
            .code("countersign check")
            .text("."),
    )
}

/// The button stands on no message of ours.
pub fn not_our_message() -> Prose {
    Prose::paragraph(Line::of(
        "Nothing was decided: this button doesn't stand on a message of mine. Look for the card in its channel.",
    ))
}

/// The button belongs to an earlier state of its message.
pub fn out_of_date() -> Prose {
    Prose::paragraph(Line::of(
        "Nothing was decided: the card has changed since this button was shown. Look at it and press again.",
    ))
}

/// What the button stands for is not known here any more.
pub fn unknown_offer() -> Prose {
    Prose::paragraph(Line::of(
        "Nothing was decided: I no longer know what this button stands for. Use the command.",
    ))
}

/// The form behind a button could not be opened.
pub fn form_not_opened(offer: &Offer, word: Word, spelling: &Spelling) -> Prose {
    let number = offer.numbers.first().copied().unwrap_or_default();
    let words = match word {
        Word::Approved => format!("approve d{number}"),
        Word::Rejected => format!("reject d{number} reason"),
        Word::Revoked => format!("revoke d{number}"),
    };
    Prose::paragraph(
        Line::of("Nothing was decided: the form could not be opened. Press again, or write ")
            .code(spelling.command(&words))
            .text("."),
    )
}

/// Several things wait here that the words could mean.
pub fn choose_one() -> Prose {
    Prose::paragraph(Line::of(
        "Several deployments wait here that you may mean, so nothing was decided. Choose one:",
    ))
}

/// What waits in this channel.
pub fn waiting_here(choices: &[Choice]) -> Prose {
    Prose::paragraph(Line::of(if choices.is_empty() {
        "No deployment that was announced in this channel waits for approval."
    } else {
        "Waiting here:"
    }))
}

/// One of several, with its project.
pub fn choice(deployment: &Deployment) -> Line {
    Line::default().foreign(&deployment.description.project.path).text(": ").then(status_line(deployment))
}

/// No project of that name has a card here.
pub fn unknown_project(word: &str, known: &[&str]) -> Prose {
    let mut blocks = vec![Block::Paragraph(
        Line::of("No project that is announced here ends with ").code(word).text(", so nothing was decided."),
    )];
    blocks.extend(known.iter().map(|path| Block::Item(0, Line::default().code(*path))));
    Prose(blocks)
}

/// No card in this channel shows that number.
pub fn unknown_number_here(number: i64) -> Prose {
    Prose::paragraph(Line::of(format!(
        "No card of this channel shows a deployment d{number}, so nothing was decided. Write the command where its card stands, or in a comment."
    )))
}
