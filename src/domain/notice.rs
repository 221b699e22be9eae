//! What a message in a channel shows of a deployment and its siblings. Computed anew from the ledger whenever it is
//! delivered; a chat renders it in its own form, within its own limits.

use super::chat::Offer;
use super::wording::{Line, Prose};
use serde::{Deserialize, Serialize};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// One line: what waits, or how it ended.
    pub headline: Line,
    /// How it stands: what is missing; at the end who decided, and why.
    pub standing: Vec<Line>,
    /// What is decided on, and for whom.
    pub facts: Vec<Fact>,
    /// What it would change; empty where nobody can tell.
    pub changes: Prose,
    /// How to act in words; empty once there is nothing to do.
    pub how_to: Prose,
    /// Chat accounts that are told: only people who can still make a difference.
    pub mentions: Vec<String>,
    /// What the buttons stand for; none once there is nothing to decide.
    pub offer: Option<Offer>,
    /// The run, for a button that leads there.
    pub url: Option<String>,
}

/// A fact with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Ours.
    pub name: &'static str,
    /// The fact.
    pub text: Line,
}

/// What a deployment would change, as its forge tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The page of the commit.
    pub commit_url: Option<String>,
    /// What was last deployed there successfully; `None` if nothing was, or nobody knows.
    pub since: Option<Since>,
}

/// The commits between two deployments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The full SHA that was deployed last.
    pub sha: String,
    /// The page that compares the two.
    pub compare_url: Option<String>,
    /// How many commits are new; `None` where the forge doesn't count so far.
    pub count: Option<u32>,
    /// The newest of them, newest first, at most [`Since::MOST`].
    pub commits: Vec<NewCommit>,
    /// Not a step forward: the other one has commits that this one lacks.
    pub back: bool,
}

impl Since {
    /// How many commits are listed.
    pub const MOST: usize = 10;
}

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCommit {
    /// Full SHA.
    pub sha: String,
    /// The first line of its message: foreign text.
    pub title: String,
    /// Who wrote it, as the commit says: foreign text.
    pub author: Option<String>,
}

impl NewCommit {
    /// As much of a title or name as is kept, in characters.
    const LONGEST: usize = 200;

    /// A commit with its message, or as much of it as its forge tells.
    pub fn new(sha: String, message: &str, author: Option<&str>) -> Self {
        let cut = |text: &str| text.trim().chars().take(Self::LONGEST).collect::<String>();
        let title = message.trim_start().lines().next().unwrap_or_default();
        Self { sha, title: cut(title), author: author.map(cut).filter(|author| !author.is_empty()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_message_is_its_title() {
        let commit = |message: &str, author| NewCommit::new("9f1c".to_owned(), message, author);
        let seen = commit("\nSell more \r\n\nMuch more.", Some(" Dana "));
        assert_eq!((seen.title.as_str(), seen.author.as_deref()), ("Sell more", Some("Dana")));
        let none = commit("", Some(" "));
        assert_eq!((none.title.as_str(), none.author), ("", None));
        assert_eq!(commit(&"ä".repeat(1000), None).title, "ä".repeat(200));
    }
}
