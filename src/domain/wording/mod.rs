//! Every word that people read in comments and chats.
//!
//! Sentences are built as [`Prose`], whose foreign parts are marked; a forge or chat renders it in its
//! own markup and escapes what is foreign. Style: say what happened, why, and what would work, in one
//! or two sentences; name the deployment with its number and short SHA; no exclamation marks.

pub mod answer;
pub mod card;
pub mod chat;
pub mod explain;
pub mod help;
pub mod notice;

use super::actor::Account;
use super::command::Verb;
use super::deployment::{Deployment, Description};
use super::id::short_sha;
use super::policy::{Grantee, Role};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Text for people, with its foreign parts marked, so that whoever renders it knows what to escape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prose(pub Vec<Block>);

/// A paragraph, heading or list item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A heading.
    Heading(Line),
    /// A paragraph.
    Paragraph(Line),
    /// A list item, at a depth from 0.
    Item(u8, Line),
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
    /// What the forge that shows this calls something.
    Term(Term),
    /// A time: in the reader's own zone where the place can show that, else in UTC.
    When(Timestamp),
    /// A link; the label is foreign, the address is the forge's own.
    Link {
        /// What is read.
        label: String,
        /// Where it leads.
        url: String,
    },
}

/// Things that every forge has and calls by a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// The product: "GitLab".
    Forge,
    /// "merge request" or "pull request".
    Request,
    /// "pipeline" or "workflow".
    Pipeline,
}

/// A forge's words for what every forge has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The product.
    pub forge: &'static str,
    /// Its merge requests.
    pub request: &'static str,
    /// Its pipelines.
    pub pipeline: &'static str,
}

impl Terms {
    /// The word for one thing.
    pub fn word(&self, term: Term) -> &'static str {
        match term {
            Term::Forge => self.forge,
            Term::Request => self.request,
            Term::Pipeline => self.pipeline,
        }
    }
}

/// One line of text, built span by span.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Line(pub Vec<Span>);

impl Line {
    /// A line that begins with our own words.
    pub fn of(text: impl Into<String>) -> Self {
        Self(vec![Span::Text(text.into())])
    }

    /// Adds our own words.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.with(Span::Text(text.into()))
    }

    /// Adds our own words, stressed.
    pub fn strong(self, text: impl Into<String>) -> Self {
        self.with(Span::Strong(text.into()))
    }

    /// Adds somebody else's words.
    pub fn foreign(self, text: impl Into<String>) -> Self {
        self.with(Span::Foreign(text.into()))
    }

    /// Adds something to be typed, or an exact name.
    pub fn code(self, text: impl Into<String>) -> Self {
        self.with(Span::Code(text.into()))
    }

    /// Names a person without notifying them.
    pub fn person(self, account: &Account) -> Self {
        self.with(Span::Person(account.clone()))
    }

    /// Names several people: "a, b and c".
    pub fn people(mut self, accounts: &[Account]) -> Self {
        for (index, account) in accounts.iter().enumerate() {
            if index > 0 {
                self = self.text(if index + 1 == accounts.len() { " and " } else { ", " });
            }
            self = self.person(account);
        }
        self
    }

    /// Adds the product name of the forge that shows it.
    pub fn forge(self) -> Self {
        self.with(Span::Term(Term::Forge))
    }

    /// Adds the forge's word for a merge request.
    pub fn request(self) -> Self {
        self.with(Span::Term(Term::Request))
    }

    /// Adds the forge's word for a pipeline.
    pub fn pipeline(self) -> Self {
        self.with(Span::Term(Term::Pipeline))
    }

    /// Adds a time.
    pub fn when(self, at: Timestamp) -> Self {
        self.with(Span::When(at))
    }

    /// Adds a link.
    pub fn link(self, label: impl Into<String>, url: impl Into<String>) -> Self {
        self.with(Span::Link { label: label.into(), url: url.into() })
    }

    /// Adds one span.
    pub fn with(mut self, span: Span) -> Self {
        self.0.push(span);
        self
    }

    /// Adds another line's spans.
    pub fn then(mut self, line: Self) -> Self {
        self.0.extend(line.0);
        self
    }

    /// The line in the words of one forge, for whoever shows texts about several.
    pub fn in_terms(self, terms: &Terms) -> Self {
        let said =
            |span| if let Span::Term(term) = span { Span::Text(terms.word(term).to_owned()) } else { span };
        Self(self.0.into_iter().map(said).collect())
    }

    /// `production d4711 (9f1c2d3e)`: how every answer names a deployment.
    pub fn subject(self, deployment: &Description) -> Self {
        self.code(&deployment.environment)
            .text(format!(" d{} (", deployment.number))
            .code(short_sha(&deployment.sha))
            .text(")")
    }
}

impl Prose {
    /// A single paragraph.
    pub fn paragraph(line: Line) -> Self {
        Self(vec![Block::Paragraph(line)])
    }

    /// Adds everything of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The text in the words of one forge: see [`Line::in_terms`].
    pub fn in_terms(self, terms: &Terms) -> Self {
        let said = |block| match block {
            Block::Heading(line) => Block::Heading(line.in_terms(terms)),
            Block::Paragraph(line) => Block::Paragraph(line.in_terms(terms)),
            Block::Item(depth, line) => Block::Item(depth, line.in_terms(terms)),
        };
        Self(self.0.into_iter().map(said).collect())
    }

    /// The text without any markup: for logs, tests and terminals.
    pub fn plain(&self) -> String {
        let line = |line: &Line| line.0.iter().map(Span::plain).collect::<String>();
        let block = |block: &Block| match block {
            Block::Heading(text) | Block::Paragraph(text) => line(text),
            Block::Item(depth, text) => format!("{}- {}", "  ".repeat((*depth).into()), line(text)),
        };
        self.0.iter().map(block).collect::<Vec<_>>().join("\n")
    }
}

impl Span {
    fn plain(&self) -> String {
        match self {
            Self::Text(text) | Self::Strong(text) | Self::Foreign(text) | Self::Code(text) => text.clone(),
            Self::Person(account) | Self::Mention(account) => format!("@{}", account.username),
            Self::When(at) => utc(*at),
            Self::Term(Term::Forge) => "the forge".to_owned(),
            Self::Term(Term::Request) => "merge request".to_owned(),
            Self::Term(Term::Pipeline) => "pipeline".to_owned(),
            Self::Link { label, .. } => label.clone(),
        }
    }
}

/// How commands are spelt in what we write: with the bot's handle, or `/deploy` where that is a
/// generated name nobody wants to type, or bare where a forge leaves a leading `/` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spelling(Address);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    Before(String),
    Bare,
}

impl Spelling {
    /// Spells commands for a bot of this name.
    pub fn of_bot(username: &str) -> Self {
        let generated = ["project_", "group_"]
            .iter()
            .any(|prefix| username.strip_prefix(prefix).is_some_and(|rest| rest.contains("_bot")));
        Self(Address::Before(if generated { "/deploy".to_owned() } else { format!("@{username}") }))
    }

    /// Spells commands for a chat's slash command, `/deploy`.
    pub fn of_command(command: &str) -> Self {
        Self(Address::Before(command.to_owned()))
    }

    /// Spells commands as `/approve production`; verbs that only ask have no such form and go behind `/deploy`.
    pub fn slash() -> Self {
        Self(Address::Bare)
    }

    /// `@countersign approve production`.
    pub fn command(&self, words: &str) -> String {
        let verb = words.split(' ').next().unwrap_or_default();
        match &self.0 {
            Address::Before(handle) => format!("{handle} {words}"),
            Address::Bare if Verb::from_word(verb).is_some_and(Verb::decides) => format!("/{words}"),
            Address::Bare => format!("/deploy {words}"),
        }
    }
}

/// Who a rule admits, in words: "members of `acme/qa`, maintainers or `dana`".
pub fn grantees(line: Line, grantees: &[Grantee]) -> Line {
    let mut line = line;
    for (index, grantee) in grantees.iter().enumerate() {
        if index > 0 {
            line = line.text(if index + 1 == grantees.len() { " or " } else { ", " });
        }
        line = self::grantee(line, grantee);
    }
    line
}

fn grantee(line: Line, grantee: &Grantee) -> Line {
    match grantee {
        Grantee::User(name) => line.code(name),
        Grantee::UserId(id) => line.text(format!("the user with id {}", id.0)),
        Grantee::Group { path, inherited: false } => line.text("members of ").code(path),
        Grantee::Group { path, inherited: true } => {
            line.text("members of ").code(path).text(" and its parents")
        }
        Grantee::Team(team) => line.text("members of ").code(team),
        Grantee::Role(Role::Write) => line.text("everybody who may push"),
        Grantee::Role(Role::Maintain) => line.text("maintainers and above"),
        Grantee::Role(Role::Admin) => line.text("administrators of the repository"),
        Grantee::GroupId { id, .. } => line.text(format!("members of the group with id {id}")),
        Grantee::AccessLevel(level) => line.text(level_words(*level)),
    }
}

fn level_words(level: i32) -> String {
    match level {
        30 => "developers and above".to_owned(),
        40 => "maintainers and above".to_owned(),
        50 => "owners".to_owned(),
        60 => "administrators".to_owned(),
        other => format!("everybody with access level {other} or more"),
    }
}

/// `2026-11-21 08:10 UTC`.
pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// "1 approval", "2 approvals".
pub fn approvals(count: u32) -> String {
    if count == 1 { "1 approval".to_owned() } else { format!("{count} approvals") }
}

/// The rules of a deployment that are not yet filled, in words.
pub fn missing(deployment: &Deployment) -> u32 {
    deployment
        .standing
        .iter()
        .map(|rule| rule.required.saturating_sub(u32::try_from(rule.filled_by.len()).unwrap_or(u32::MAX)))
        .fold(0, u32::saturating_add)
}
