//! Every word that people read in comments and chats.

use super::actor::Account;
use serde::{Deserialize, Serialize};

/// Text for people, with its foreign parts marked, so that whoever renders it knows what to escape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prose(pub Vec<Block>);

/// A paragraph, heading or list item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A heading.
    Heading(Vec<Span>),
    /// A paragraph.
    Paragraph(Vec<Span>),
    /// A list item, at a depth from 0.
    Item(u8, Vec<Span>),
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// Our own words, without markup.
    Text(String),
    /// Our own words, stressed.
    Strong(String),
    /// Somebody else's words: to be escaped.
    Foreign(String),
    /// Something to be typed or a name that is matched exactly: foreign, shown as code.
    Code(String),
    /// A person named without being notified.
    Person(Account),
    /// A person spoken to: the one place where somebody is notified.
    Mention(Account),
    /// A link; the label is foreign, the address is the forge's own.
    Link {
        /// What is read.
        label: String,
        /// Where it leads.
        url: String,
    },
}
