//! What Slack takes, in characters. Sources: the reference of Block Kit's objects; the bound of a whole message is
//! documented nowhere, and ours keeps well below what is told of it (slackapi/bolt-js#2509).

/// A section's text.
pub(super) const SECTION: usize = 3_000;
/// A header.
pub(super) const HEADER: usize = 150;
/// A button's value.
pub(super) const VALUE: usize = 2_000;
/// A button's address.
pub(super) const URL: usize = 3_000;
/// The text of a confirmation.
pub(super) const CONFIRM: usize = 300;
/// The blocks of one message.
pub(super) const BLOCKS: usize = 50;
/// Everything in the blocks of one message.
pub(super) const MESSAGE: usize = 9_900;
/// The text beside the blocks: notifications and screen readers tell it.
pub(super) const TEXT: usize = 4_000;
/// What a modal keeps for us.
pub(super) const PRIVATE_METADATA: usize = 3_000;
/// Our own bound of a marker: far below what metadata may hold.
pub(super) const MARKER: usize = 500;
/// Our own bound of a piece of foreign text.
pub(super) const FOREIGN: usize = 300;
/// Our own bound of a line, so that each fits into a section.
pub(super) const LINE: usize = 2_000;
