//! Commands: what a line of a comment asks for.
//!
//! Two steps, both pure. [`parse_comment`] finds the lines that are addressed to us and their verbs; it needs
//! nothing but the text. [`Command::resolve`] reads what follows the verb as target and reason; it needs the
//! names of the environments, since a name may have spaces and a misspelt one must never become a reason.
//!
//! * `text`, `html`: which lines of a comment are text, and not quotes, code or comments.
//! * `parse`: the address and the verb.
//! * `target`: target and reason.
//! * `nearest`: "did you mean".

mod html;
mod nearest;
mod parse;
mod target;
#[cfg(test)]
mod tests;
mod text;

pub use parse::{parse_chat, parse_comment};
pub use target::{LONGEST_REASON, Resolved, Target, TargetError};

/// A comment with more addressed lines than this is not carried out at all.
pub const MOST_COMMANDS: usize = 10;

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Approve a deployment.
    Approve,
    /// Reject a deployment: one is final.
    Reject,
    /// Take one's own approval back.
    Revoke,
    /// Tell how a deployment stands.
    Status,
    /// List what waits.
    Blocked,
    /// Explain the verdict, rule by rule.
    Why,
    /// Tell what can be said.
    Help,
}

impl Verb {
    /// Every verb, in the order in which help lists them.
    pub const ALL: [Self; 7] =
        [Self::Approve, Self::Reject, Self::Revoke, Self::Status, Self::Blocked, Self::Why, Self::Help];

    /// Its own name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Revoke => "revoke",
            Self::Status => "status",
            Self::Blocked => "blocked",
            Self::Why => "why",
            Self::Help => "help",
        }
    }

    /// Other words for it.
    pub fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Reject => &["deny"],
            Self::Revoke => &["unapprove"],
            Self::Approve | Self::Status | Self::Blocked | Self::Why | Self::Help => &[],
        }
    }

    /// Whether it changes a person's word on a deployment. These alone have the bare forms `/verb` and
    /// `!verb`, and a comment may hold only one of them per deployment.
    pub fn decides(self) -> bool {
        match self {
            Self::Approve | Self::Reject | Self::Revoke => true,
            Self::Status | Self::Blocked | Self::Why | Self::Help => false,
        }
    }

    /// Whether words behind it name a deployment. Behind the others they mean nothing.
    pub fn takes_target(self) -> bool {
        match self {
            Self::Approve | Self::Reject | Self::Revoke | Self::Status | Self::Why => true,
            Self::Blocked | Self::Help => false,
        }
    }

    /// How it is written, without the address in front.
    pub fn usage(self) -> &'static str {
        match self {
            Self::Approve => "approve [target [comment]]",
            Self::Reject => "reject [target] -- reason",
            Self::Revoke => "revoke [target]",
            Self::Status => "status [target]",
            Self::Blocked => "blocked",
            Self::Why => "why [target]",
            Self::Help => "help",
        }
    }

    /// What it does, in one sentence.
    pub fn help(self) -> &'static str {
        match self {
            Self::Approve => "Approves a blocked deployment.",
            Self::Reject => "Rejects a blocked deployment; one rejection is final and fails it.",
            Self::Revoke => "Takes your approval back, until the deployment is released.",
            Self::Status => "Tells how a deployment stands: its approvals and what is missing.",
            Self::Blocked => "Lists the deployments that wait for approvals.",
            Self::Why => "Explains the verdict, rule by rule.",
            Self::Help => "Shows this list.",
        }
    }

    /// The verb that a word stands for, by name or alias, in upper or lower case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.words().any(|own| own.eq_ignore_ascii_case(word)))
    }

    /// Name and aliases.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name()).chain(self.aliases().iter().copied())
    }
}

/// How a command was addressed to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// `@handle verb`
    Mention,
    /// `/deploy verb`
    Deploy,
    /// `/verb`
    Slash,
    /// `!verb`
    Bang,
    /// A chat's slash command: its text alone.
    Chat,
}

/// Where a comment was written: what counts as an address there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surface {
    /// The bot's own account name, without `@`.
    pub handle: String,
    /// Whether `/approve` and `!approve` (and the other deciding verbs) are for us.
    pub bare: bool,
}

/// A line that is addressed to us and whose verb is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Index of the source line, from 0. With the comment's id it is the command's natural key.
    pub line: u32,
    /// What to do.
    pub verb: Verb,
    /// How we were addressed.
    pub spelling: Spelling,
    /// What follows the verb, trimmed: foreign text.
    pub words: String,
}

/// A line that is addressed to us and can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misunderstood {
    /// The first word is no verb.
    #[error("`{word}` is not a command")]
    UnknownVerb {
        /// Index of the source line, from 0.
        line: u32,
        /// The word, shortened to [`LONGEST_EXCERPT`] characters: foreign text.
        word: String,
        /// The verb that it resembles.
        did_you_mean: Option<Verb>,
    },
}

impl Misunderstood {
    /// Index of the source line, from 0.
    pub fn line(&self) -> u32 {
        match self {
            Self::UnknownVerb { line, .. } => *line,
        }
    }
}

/// More than [`MOST_COMMANDS`] lines of one comment are addressed to us: none is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a comment may hold at most {MOST_COMMANDS} commands, this one has {count}")]
pub struct TooMany {
    /// How many.
    pub count: usize,
}

/// Errors repeat at most this many characters of a foreign word.
pub const LONGEST_EXCERPT: usize = 100;

/// The beginning of a foreign word, for an answer.
fn excerpt(word: &str) -> String {
    let mut chars = word.chars();
    let mut short: String = chars.by_ref().take(LONGEST_EXCERPT).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}
