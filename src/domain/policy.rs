//! Who must approve: the policy of one environment, and the book in which it is looked up.

use super::chat::Channel;
use super::glob::Glob;
use super::id::{ForgeName, UserId};
use serde::{Deserialize, Serialize};

/// What holds the deployment back on the forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// The forge's own deployment approvals.
    Native,
    /// A manual job; advisory, since whoever may run it can press play.
    ManualJob,
    /// A custom deployment protection rule, which asks us.
    ProtectionRule,
}

impl Gate {
    /// Our decision is handed to the forge, which keeps it: nobody can take it back from there.
    pub fn keeps_decisions(self) -> bool {
        match self {
            Self::Native | Self::ProtectionRule => true,
            Self::ManualJob => false,
        }
    }

    /// The forge takes one decision of ours, and no other one after it.
    pub fn decides_once(self) -> bool {
        match self {
            Self::ProtectionRule => true,
            Self::Native | Self::ManualJob => false,
        }
    }
}

/// A role in a repository, in the order of what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May push.
    Write,
    /// May manage the repository without its dangerous settings.
    Maintain,
    /// May do everything.
    Admin,
}

impl Role {
    /// The access level that stands for it, on the scale of [`Grantee::AccessLevel`].
    pub fn level(self) -> i32 {
        match self {
            Self::Write => 30,
            Self::Maintain => 40,
            Self::Admin => 50,
        }
    }

    /// The forge's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }
}

/// To whom a rule grants the right to approve.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grantee {
    /// One account by its login name, compared without case and pinned to the id it first meant.
    User(String),
    /// One account by its number.
    UserId(UserId),
    /// Active members of a group, by full path.
    Group {
        /// Full path of the group.
        path: String,
        /// Members inherited from parent groups count too.
        inherited: bool,
    },
    /// Active members of a group, by the forge's number (the forge's own rules name groups so).
    GroupId {
        /// The forge's number of the group.
        id: i64,
        /// Members inherited from parent groups count too.
        inherited: bool,
    },
    /// Active members of a team, by `organisation/team`; those of its child teams are among them.
    Team(String),
    /// Everybody with at least this role in the repository.
    Role(Role),
    /// Everybody with at least this access level in the project (30 developer, 40 maintainer, 50 owner, 60 admin).
    AccessLevel(i32),
}

/// One approval rule: `required_approvals` distinct people, each holding one of the grantees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Any of these admits a person.
    pub grantees: Vec<Grantee>,
    /// How many distinct people; at least 1.
    pub required_approvals: u32,
    /// The forge's own label of the rule, where the rule came from the forge (`represented_as`).
    pub label: Option<String>,
}

/// What one environment asks for.
#[expect(clippy::struct_excessive_bools, reason = "each is one documented switch of the configuration")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// All of them must be filled. An empty list never approves.
    pub rules: Vec<Rule>,
    /// A creator's own approval counts.
    pub allow_self_approval: bool,
    /// A deployment whose creators are all bots, without a human to stand in, may be approved.
    pub allow_bot_creator: bool,
    /// `reject` must say why.
    pub reject_needs_reason: bool,
    /// Start the job as soon as it is approved.
    pub start_when_approved: bool,
}

/// How votes reach the forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoteAs {
    /// Our policy decides, the bot casts one vote.
    Bot,
    /// The forge decides, an administrator's token acts as the person.
    Sudo,
}

/// One `[[environment]]` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The forge it speaks of.
    pub on: ForgeName,
    /// Which projects, by full path.
    pub project: Glob,
    /// Which environments, by name.
    pub name: Glob,
    /// What holds the deployment.
    pub gate: Gate,
    /// Who decides: our rules, or the forge's.
    pub vote_as: VoteAs,
    /// What is asked for. Its rules are empty where the forge's own rules decide
    /// (`vote_as = "sudo"` with gate `native`): they are then read with the facts.
    pub policy: Policy,
    /// Channels that are told when something waits.
    pub notify: Vec<Channel>,
    /// People who can still make a difference are mentioned there.
    pub mention: bool,
}

/// Every `[[environment]]` entry, in the order of the file: the first match wins.
#[derive(Clone, Debug, Default)]
pub struct Policies(Vec<Entry>);

impl Policies {
    /// Takes the entries in the file's order.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self(entries)
    }

    /// The entry for an environment of a project, if any.
    pub fn find(&self, forge: &ForgeName, project: &str, environment: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| {
            entry.on == *forge && entry.project.matches(project) && entry.name.matches(environment)
        })
    }

    /// All entries that may concern a project.
    pub fn of_project(&self, forge: &ForgeName, project: &str) -> Vec<&Entry> {
        self.0.iter().filter(|entry| entry.on == *forge && entry.project.matches(project)).collect()
    }

    /// All entries, in the file's order.
    pub fn all(&self) -> &[Entry] {
        &self.0
    }

    /// All entries of a forge.
    pub fn of_forge(&self, forge: &ForgeName) -> Vec<&Entry> {
        self.0.iter().filter(|entry| entry.on == *forge).collect()
    }
}
