//! The simulated world: `acme/shop` on a GitLab and on a GitHub of their own, a Slack that is told of both, and what
//! its people do there.

mod github;
mod gitlab;
mod people;
mod slack;

pub(crate) use github::OnGitHub;
pub(crate) use gitlab::OnGitLab;
pub(crate) use people::Person;
pub(crate) use slack::{CHANNEL, CHAT, OnSlack, written_at};

use crate::sim::clock::Now;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// The project, or repository, that everything happens in.
pub(crate) const PROJECT: &str = "acme/shop";
/// The group, or team, whose members approve.
pub(crate) const APPROVERS: &str = "acme/sre";
/// The bot, as it is spoken to.
pub(crate) const BOT: &str = "countersign";

/// Where things happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Forge {
    /// `acme/shop` with a merge request.
    GitLab,
    /// `acme/shop` with a pull request.
    GitHub,
}

impl Forge {
    /// Both, in the order of the page and of the story.
    pub(crate) const ALL: [Self; 2] = [Self::GitLab, Self::GitHub];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GitLab => "GitLab",
            Self::GitHub => "GitHub",
        }
    }

    /// Its name in the configuration and in addresses.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::GitLab => "gitlab",
            Self::GitHub => "github",
        }
    }

    /// What it calls a branch that is to be merged.
    pub(crate) fn request(self) -> &'static str {
        match self {
            Self::GitLab => "merge request",
            Self::GitHub => "pull request",
        }
    }

    /// What stands before the number of one.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::GitLab => "!",
            Self::GitHub => "#",
        }
    }

    /// The bot's account.
    pub(crate) fn bot(self) -> &'static str {
        match self {
            Self::GitLab => BOT,
            Self::GitHub => "countersign[bot]",
        }
    }

    /// How one approves there.
    pub(crate) fn approval(self) -> &'static str {
        match self {
            Self::GitLab => "@countersign approve production",
            Self::GitHub => "/approve production",
        }
    }

    /// Its protected environments, with the approvals that the policy asks for.
    pub(crate) fn environments(self) -> &'static [(&'static str, u32)] {
        match self {
            Self::GitLab => &[("production", 2), ("staging", 1)],
            Self::GitHub => &[("production", 2)],
        }
    }
}

/// What a forge or a chat answers when it doesn't do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// A merge or pull request that dana opens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening<'a> {
    /// Its branch.
    pub(crate) branch: &'a str,
    /// Its title.
    pub(crate) title: &'a str,
}

/// A merge or pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Its number.
    pub(crate) number: u64,
    /// Its title.
    pub(crate) title: String,
    /// Who opened it.
    pub(crate) author: String,
    /// Its branch.
    pub(crate) branch: String,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Its number.
    pub(crate) id: u64,
    /// What it shares with its answers, where the forge has discussions.
    pub(crate) thread: String,
    /// User name.
    pub(crate) author: String,
    /// Markdown.
    pub(crate) body: String,
    /// When.
    pub(crate) at: Timestamp,
    /// Names of reactions, each with who reacted.
    pub(crate) reactions: Vec<(String, String)>,
    /// Written by Countersign.
    pub(crate) by_bot: bool,
    /// Written by the forge itself.
    pub(crate) system: bool,
}

/// How the newest deployment to an environment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Who started it.
    pub(crate) creator: String,
    /// Where it is.
    pub(crate) state: State,
}

/// Where a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits for approvals.
    Blocked,
    /// Its job runs, or is about to.
    Running,
    /// Its job has succeeded.
    Deployed,
    /// Its job has ended in any other way.
    Stopped,
}

/// Webhooks so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hooks {
    /// How many were sent, lost ones included.
    pub(crate) sent: usize,
    /// How many of them were lost on their way.
    pub(crate) lost: usize,
    /// The last one was.
    pub(crate) last_lost: bool,
}

impl Hooks {
    /// Counts, given of each hook whether it was lost, oldest first.
    fn count(lost: &[bool]) -> Self {
        Self {
            sent: lost.len(),
            lost: lost.iter().filter(|lost| **lost).count(),
            last_lost: lost.last() == Some(&true),
        }
    }
}

/// The shop on one forge: what can be done on every forge, and is to be seen there.
pub(crate) trait Shop: Send + Sync {
    /// Pushes a commit, and starts the pipeline or workflow run that deploys it to this environment.
    fn deploy(&self, by: Person, environment: &str) -> Result<(), Refused>;
    /// Comments on the request. `None` when the forge took all of it for itself.
    fn comment(&self, by: Person, text: &str) -> Result<Option<u64>, Refused>;
    /// The merge or pull request.
    fn request(&self) -> Request;
    /// What was said below it, oldest first.
    fn said(&self) -> Vec<Said>;
    /// How the newest deployment to this environment stands; `None` before there is one.
    fn standing(&self, environment: &str) -> Option<Standing>;
    /// Lets jobs that have run this long succeed.
    fn finish_jobs(&self, ran_for: SignedDuration, now: Timestamp);
    /// What became of the webhooks so far.
    fn hooks(&self) -> Hooks;
    /// The next webhook is lost on its way.
    fn lose_next_hook(&self);
    /// From now on the API answers 500 to everything.
    fn begin_outage(&self);
    /// All goes well again.
    fn end_trouble(&self);
}

/// The world. Clones are the same world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// The shop on GitLab.
    pub(crate) gitlab: OnGitLab,
    /// The shop on GitHub.
    pub(crate) github: OnGitHub,
    /// The workspace on Slack.
    pub(crate) slack: OnSlack,
}

impl World {
    /// A world in which nothing has happened yet but dana's opening of two requests.
    pub(crate) fn new(now: &Now) -> Self {
        let euro = Opening { branch: "euro", title: "Let customers pay in euro" };
        let norway = Opening { branch: "norway", title: "Ship to Norway" };
        Self::with(now, euro, norway)
    }

    /// The same with other requests.
    pub(crate) fn with(now: &Now, on_gitlab: Opening<'_>, on_github: Opening<'_>) -> Self {
        let (gitlab, github) = (OnGitLab::new(now.clone(), on_gitlab), OnGitHub::new(now.clone(), on_github));
        Self { gitlab, github, slack: OnSlack::new(now.clone()) }
    }

    /// The shop on this forge.
    pub(crate) fn on(&self, forge: Forge) -> &dyn Shop {
        match forge {
            Forge::GitLab => &self.gitlab,
            Forge::GitHub => &self.github,
        }
    }

    /// Number of the project, or repository.
    pub(crate) fn project(&self, forge: Forge) -> u64 {
        match forge {
            Forge::GitLab => self.gitlab.project,
            Forge::GitHub => self.github.repository,
        }
    }

    /// From now on webhooks are sent as they arise.
    pub(crate) fn deliver_by_itself(&self) {
        self.gitlab.twin.set_auto_deliver(true);
        self.github.twin.set_auto_deliver(true);
    }

    /// Sends the webhooks that wait, and returns how many.
    pub(crate) async fn deliver_hooks(&self) -> usize {
        self.gitlab.twin.deliver_hooks().await + self.github.twin.deliver_hooks().await
    }

    /// Webhooks that wait.
    pub(crate) fn waiting_hooks(&self) -> usize {
        self.gitlab.twin.waiting_hooks() + self.github.twin.waiting_hooks()
    }

    /// Ends both forges, and the chat.
    pub(crate) async fn stop(&self) {
        self.gitlab.twin.stop().await;
        self.github.twin.stop().await;
        self.slack.twin.stop().await;
    }
}

/// The SHA of the nth commit of a history; the same in every run.
fn sha(history: &str, number: usize) -> String {
    let digest = hex::encode(Sha256::digest(format!("{history} {number}")));
    digest.chars().take(40).collect()
}

/// The nth of these titles, from the first again behind the last.
fn title(titles: &'static [&'static str], number: usize) -> &'static str {
    titles.iter().cycle().nth(number).copied().unwrap_or_default()
}

/// Whose number this is; 0 is nobody's.
fn id_of(people: &[(Person, u64)], person: Person) -> u64 {
    people.iter().find(|(known, _)| *known == person).map_or(0, |(_, user)| *user)
}
