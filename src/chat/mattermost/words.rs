//! What stands on buttons and forms, and what is answered to them at once.

use crate::domain::chat::Offer;
use crate::domain::id::short_sha;
use crate::domain::ledger::Word;
use crate::domain::wording::Line;

/// The label of the link to the run.
pub(super) const OPEN: &str = "Open";
/// Above the field for the reason; Mattermost shows 24 characters at most.
pub(super) const REASON: &str = "Reason";
/// A card's button that is too old.
pub(super) const BUTTON_EXPIRED: &str =
    "Nothing was decided: this button has expired. Use the command, or look for the newest card.";
/// A form that stood open for too long.
pub(super) const FORM_EXPIRED: &str = "Nothing was decided: this form has expired. Press the button again.";
/// A rejection has to say why.
pub(super) const REASON_NEEDED: &str = "A rejection needs a reason.";
/// The reason is too long.
pub(super) const REASON_TOO_LONG: &str = "At most 1000 characters, please.";

/// What a button says.
pub(super) fn label(word: Word) -> &'static str {
    match word {
        Word::Approved => "Approve",
        Word::Rejected => "Reject",
        Word::Revoked => "Revoke",
    }
}

/// The title of a form: at most 24 characters.
pub(super) fn title(word: Word) -> &'static str {
    match word {
        Word::Approved => "Approve this deployment",
        Word::Rejected => "Reject this deployment",
        Word::Revoked => "Revoke your approval",
    }
}

/// What a form is about.
pub(super) fn introduction(offer: &Offer) -> Line {
    let numbers: Vec<String> = offer.numbers.iter().map(|number| format!("d{number}")).collect();
    Line::default()
        .code(&offer.environment)
        .text(format!(" {} (", numbers.join(", ")))
        .code(short_sha(&offer.sha))
        .text(")")
}
