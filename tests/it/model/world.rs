//! What is so on the forge, whoever has heard of it: people, deployments, comments. Plain data; each act takes a moment.

use super::law::{FORGE, Law};
use countersign::app::react::text_digest;
use countersign::domain::actor::Account;
use countersign::domain::event::{Event, Heard};
use countersign::domain::id::{
    CommentKind, CommentRef, Conversation, DeploymentId, ForgeName, Native, Place, ProjectId, UserId,
};
use countersign::domain::ledger::Word;
use countersign::domain::policy::Gate;
use countersign::ports::forge::ForgeVote;
use countersign::sim::clock::HandClock;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The project.
pub(super) const PROJECT: ProjectId = ProjectId(42);
/// The bot.
pub(super) const ME: i64 = 1;
/// Opened the merge requests.
pub(super) const CREATOR_STANDS_IN: &str = "dana";
/// The merge requests.
pub(super) const REQUESTS: [i64; 2] = [7, 8];
const FIRST_NUMBER: i64 = 4711;

#[derive(Clone, Debug)]
pub(super) struct Human {
    pub(super) id: i64,
    pub(super) name: &'static str,
    pub(super) bot: bool,
    pub(super) active: bool,
    pub(super) level: i32,
    pub(super) groups: BTreeSet<&'static str>,
}

impl Human {
    pub(super) fn account(&self) -> Account {
        Account { id: UserId(self.id), username: self.name.to_owned(), bot: self.bot }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Manual,
    Running,
    Success,
    Failed,
    Cancelled,
}

#[derive(Clone, Debug)]
pub(super) struct Deployed {
    pub(super) number: i64,
    pub(super) environment: &'static str,
    pub(super) run: i64,
    pub(super) request: i64,
    pub(super) by: i64,
    pub(super) by_bot: bool,
    pub(super) sha: String,
    pub(super) job: Job,
    pub(super) played_by: Option<i64>,
    pub(super) ran: bool,
    pub(super) votes: Vec<ForgeVote>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) gone: bool,
}

impl Deployed {
    pub(super) fn native(&self) -> Native {
        Native::new(self.number.to_string())
    }

    pub(super) fn id(&self) -> DeploymentId {
        DeploymentId::new(&ForgeName::new(FORGE), PROJECT, &self.native())
    }

    pub(super) fn conversation(&self) -> Conversation {
        conversation(self.request)
    }
}

pub(super) fn conversation(request: i64) -> Conversation {
    Conversation { forge: ForgeName::new(FORGE), project: PROJECT, place: Place::MergeRequest(request) }
}

/// What a line of a comment asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Approve,
    Reject,
    Revoke,
    Why,
}

impl Verb {
    pub(super) fn word(self) -> Option<Word> {
        match self {
            Self::Approve => Some(Word::Approved),
            Self::Reject => Some(Word::Rejected),
            Self::Revoke => Some(Word::Revoked),
            Self::Why => None,
        }
    }
}

/// What it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    Number(i64),
    Name(&'static str),
    Nothing,
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) verb: Verb,
    pub(super) meant: Meant,
}

impl Line {
    fn text(&self) -> String {
        let reason = if self.verb == Verb::Reject { " -- too risky" } else { "" };
        let verb = format!("{:?}", self.verb).to_lowercase();
        match &self.meant {
            Meant::Number(number) => format!("@countersign {verb} d{number}{reason}"),
            Meant::Name(name) => format!("@countersign {verb} {name}{reason}"),
            Meant::Nothing => format!("@countersign {verb}{reason}"),
        }
    }
}

/// How a comment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Plain,
    Quoted,
    Code,
}

#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) id: i64,
    pub(super) request: i64,
    pub(super) by: i64,
    pub(super) text: String,
    /// What it asks for; nothing where it only quotes.
    pub(super) lines: Vec<Line>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) edited: bool,
    pub(super) deleted: bool,
    pub(super) reactions: u32,
}

impl Written {
    pub(super) fn at(&self) -> CommentRef {
        CommentRef {
            conversation: conversation(self.request),
            kind: CommentKind::Comment,
            comment: self.id,
            discussion: Some(format!("d-{}", self.id)),
        }
    }

    /// The numbers that it decides on, and how; nothing if it decides by names too, or twice on one number.
    pub(super) fn decides(&self) -> BTreeMap<i64, Word> {
        let mut decided = BTreeMap::new();
        for line in &self.lines {
            let Some(word) = line.verb.word() else { continue };
            let Meant::Number(number) = line.meant else { return BTreeMap::new() };
            if decided.insert(number, word).is_some() {
                return BTreeMap::new();
            }
        }
        decided
    }

    /// The hook that tells of it.
    pub(super) fn hook(&self, author: i64) -> Event {
        let heard = Heard::Hook { digest: text_digest(&self.text), author: UserId(author) };
        Event::Commented { comment: self.at(), at: self.created_at, heard }
    }
}

pub(super) struct World {
    pub(super) law: Law,
    pub(super) clock: HandClock,
    pub(super) people: Vec<Human>,
    pub(super) deployments: Vec<Deployed>,
    pub(super) comments: Vec<Written>,
    runs: i64,
}

impl World {
    pub(super) fn new(law: Law, clock: HandClock) -> Self {
        let everybody: [(&str, i32, &[&str]); 8] = [
            ("countersign", 40, &[]),
            ("dana", 30, &[]),
            ("alice", 40, &["acme/qa", "acme/sre"]),
            ("bob", 40, &["acme/sre"]),
            ("carol", 40, &["acme/qa"]),
            ("erin", 40, &[]),
            ("mallory", 20, &[]),
            ("renovate", 40, &["acme/sre"]),
        ];
        let human = |(id, (name, level, groups)): (i64, (&'static str, i32, &[&'static str]))| Human {
            id,
            name,
            bot: ["countersign", "renovate"].contains(&name),
            active: true,
            level,
            groups: groups.iter().copied().collect(),
        };
        let people = (ME..).zip(everybody).map(human).collect();
        Self { law, clock, people, deployments: Vec::new(), comments: Vec::new(), runs: 900 }
    }

    pub(super) fn human(&self, id: i64) -> &Human {
        self.people.iter().find(|human| human.id == id).expect("somebody")
    }

    pub(super) fn deployed(&self, native: &str) -> Option<&Deployed> {
        let number = native.parse().ok();
        self.deployments.iter().find(|one| Some(one.number) == number && !one.gone)
    }

    pub(super) fn comment(&self, id: i64) -> Option<&Written> {
        self.comments.iter().find(|one| one.id == id)
    }

    /// A moment passes: no two things happen at once.
    pub(super) fn tick(&self) -> Timestamp {
        self.clock.advance(SignedDuration::from_millis(10));
        self.clock.time()
    }

    pub(super) fn deploy(
        &mut self,
        by: i64,
        environment: &'static str,
        request: i64,
        run: Option<i64>,
    ) -> usize {
        let now = self.tick();
        self.runs += 1;
        let index = self.deployments.len();
        self.deployments.push(Deployed {
            number: FIRST_NUMBER + i64::try_from(index).unwrap(),
            environment,
            run: run.unwrap_or(self.runs),
            request,
            by,
            by_bot: self.human(by).bot,
            sha: format!("{:040x}", self.runs),
            job: Job::Manual,
            played_by: None,
            ran: false,
            votes: Vec::new(),
            created_at: now,
            updated_at: now,
            gone: false,
        });
        index
    }

    pub(super) fn write(&mut self, by: i64, request: i64, lines: Vec<Line>, manner: Manner) -> usize {
        let text: Vec<String> = lines.iter().map(Line::text).collect();
        let text = match manner {
            Manner::Plain => text.join("\n"),
            Manner::Quoted => format!("> {}", text.join("\n\n> ")),
            Manner::Code => format!("`{}`", text.join("`\n\n`")),
        };
        let lines = if manner == Manner::Plain { lines } else { Vec::new() };
        self.say(by, request, text, lines)
    }

    /// Any comment, ours too.
    pub(super) fn say(&mut self, by: i64, request: i64, text: String, lines: Vec<Line>) -> usize {
        let (now, index) = (self.tick(), self.comments.len());
        let id = 100 + i64::try_from(index).unwrap();
        let (created_at, updated_at) = (now, now);
        let (edited, deleted, reactions) = (false, false, 0);
        self.comments.push(Written {
            id,
            request,
            by,
            text,
            lines,
            created_at,
            updated_at,
            edited,
            deleted,
            reactions,
        });
        index
    }

    /// Approvals that the forge still wants before the job may be started.
    pub(super) fn pending(&self, one: &Deployed) -> u32 {
        let asked = self.law.of(one.environment);
        if asked.gate != Gate::Native {
            return 0;
        }
        let approved = |by_us: bool| {
            one.votes.iter().any(|vote| (vote.by.0 == ME) == by_us && vote.word == Word::Approved)
        };
        u32::from(!approved(true)) + u32::from(asked.others && !approved(false))
    }

    /// A vote that the forge takes; a rejection ends it there.
    pub(super) fn vote(&mut self, index: usize, by: i64, word: Word) {
        let at = self.tick();
        let username = self.human(by).name.to_owned();
        let one = &mut self.deployments[index];
        one.votes.push(ForgeVote { by: UserId(by), username, word, at, comment: None });
        one.updated_at = at;
        if word == Word::Rejected {
            one.job = Job::Failed;
        }
    }

    pub(super) fn set_job(&mut self, index: usize, job: Job) {
        let now = self.tick();
        let one = &mut self.deployments[index];
        (one.job, one.updated_at) = (job, now);
        one.ran |= job == Job::Running;
    }

    /// The hook that tells that something became of it.
    pub(super) fn hook(&self, index: usize) -> Event {
        let one = &self.deployments[index];
        let blocked_at = (one.job == Job::Manual).then_some(one.created_at);
        Event::DeploymentChanged {
            forge: ForgeName::new(FORGE),
            project: PROJECT,
            native: one.native(),
            blocked_at,
        }
    }
}
