//! What is to be seen at the end: on the forge, in the ledger, in the queue. Two runs of one journey show the same.

use super::board::Board;
use super::chat::Chat;
use super::journey::{End, Journey};
use crate::story::stage::{Said, Stage};
use countersign::domain::id::DeploymentId;
use countersign::domain::ledger::{self, Entry, Outcome, Source};
use countersign::ports::store::{Store, StoreError};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The end of a run, in words, and what is wrong with it whatever other runs show.
pub(super) struct Picture {
    pub(super) text: String,
    pub(super) wrong: Vec<String>,
}

impl Picture {
    /// `finished`: the jobs that were started have ended.
    pub(super) async fn take<S: Stage>(
        stage: &S,
        store: &dyn Store,
        now: Timestamp,
        (journey, said, finished): (&Journey, &[u64], bool),
        (chat, board): (Option<&Chat>, &Board),
    ) -> Result<Self, StoreError> {
        let mut picture = Self { text: String::new(), wrong: Vec::new() };
        picture.deployments(stage, journey, finished);
        let words = picture.ledger(store).await?;
        picture.conversation(stage, (journey, said), &words);
        picture.cards(stage);
        if let Some(chat) = chat {
            let (lines, wrong) = chat.picture(journey, store, board).await?;
            for line in lines {
                picture.line(line);
            }
            picture.wrong.extend(wrong);
        }
        let depth = store.depth(now).await?;
        picture.expect(depth.dead == 0, || format!("{} dead letters", depth.dead));
        picture
            .expect(depth.due == 0 && depth.later <= S::POLLS, || format!("jobs are left over: {depth:?}"));
        Ok(picture)
    }

    /// How it differs from another.
    pub(super) fn differs(&self, other: &str) -> Option<String> {
        let (ours, theirs): (BTreeSet<&str>, BTreeSet<&str>) =
            (self.text.lines().collect(), other.lines().collect());
        let mut found = String::new();
        for line in ours.difference(&theirs) {
            let _ = writeln!(found, "+ {line}");
        }
        for line in theirs.difference(&ours) {
            let _ = writeln!(found, "- {line}");
        }
        let same = self.text == other;
        (!same).then(|| if found.is_empty() { "the same lines in another order".to_owned() } else { found })
    }

    fn expect(&mut self, so: bool, what: impl FnOnce() -> String) {
        if !so {
            self.wrong.push(what());
        }
    }

    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn deployments<S: Stage>(&mut self, stage: &S, journey: &Journey, finished: bool) {
        for (environment, end) in &journey.ends {
            let standing = stage.deployments(environment);
            for one in &standing {
                self.line(format!("{environment}: {}, started {} times", one.status, one.started));
            }
            let [one] = &standing[..] else {
                self.wrong.push(format!("{environment} has {} deployments", standing.len()));
                continue;
            };
            let (status, started): (&[&str], u32) = match end {
                End::Released if finished => (&["success"], 1),
                End::Released => (&["running"], 1),
                End::Rejected => (&["failed", "canceled"], 0),
                End::StillBlocked => (&["blocked"], 0),
            };
            self.expect(status.contains(&one.status.as_str()), || format!("{environment} is {}", one.status));
            self.expect(one.started == started, || {
                format!("{environment} was started {} times", one.started)
            });
        }
        let mut votes: Vec<String> =
            stage.votes().iter().map(|vote| format!("{} approved: {}", vote.by, vote.approved)).collect();
        votes.sort_unstable();
        self.line(format!("votes: {votes:?}"));
    }

    /// Returns how many entries each comment led to.
    async fn ledger(&mut self, store: &dyn Store) -> Result<BTreeMap<u64, u32>, StoreError> {
        let mut words: BTreeMap<u64, u32> = BTreeMap::new();
        for id in store.ledger_ids(None, 10_000).await? {
            let chain = store.ledger(&id).await?;
            let mut previous = None;
            for sealed in &chain {
                if let Err(broken) = ledger::verify(&id, previous, sealed) {
                    self.wrong.push(broken.to_string());
                }
                previous = Some(sealed);
            }
            let entries: Vec<Entry> =
                chain.iter().filter_map(|sealed| ledger::open(&id, sealed).ok()).collect();
            for entry in &entries {
                if let Entry::Voted { vote, .. } = entry
                    && let Source::Comment { comment, .. } = &vote.source
                {
                    *words.entry(u64::try_from(comment.comment).unwrap_or_default()).or_default() += 1;
                }
            }
            self.milestones(&id, &entries);
        }
        Ok(words)
    }

    /// What can't come about in another order. A release that was begun and proven undone is begun again.
    fn milestones(&mut self, id: &DeploymentId, entries: &[Entry]) {
        let names = |accounts: &[countersign::domain::actor::Account]| {
            accounts.iter().map(|account| account.username.clone()).collect::<BTreeSet<_>>()
        };
        let mut told: Vec<String> = Vec::new();
        let (mut begun, mut started) = (0_u32, 0);
        for entry in entries {
            match entry {
                Entry::Opened { .. } => told.push("opened".to_owned()),
                Entry::Releasing { approvers, .. } => {
                    told.retain(|line| !line.starts_with("releasing"));
                    told.push(format!("releasing by {:?}", names(approvers)));
                    begun += 1;
                }
                Entry::ReleaseUndone { .. } => begun = begun.saturating_sub(1),
                Entry::Rejecting { by, .. } => told.push(format!("rejecting by {}", by.username)),
                Entry::Settled { outcome: Outcome::Waiting(_) } => begun = 0,
                Entry::Settled { outcome } => {
                    started += u32::from(*outcome == Outcome::Started);
                    told.push(format!("{outcome:?}"));
                }
                Entry::Superseded => told.push("superseded".to_owned()),
                Entry::Voted { .. } | Entry::Asked { .. } | Entry::Placed { .. } => {}
            }
        }
        self.expect(begun <= 1, || format!("{id} was released {begun} times"));
        self.expect(started <= 1, || format!("{id} was started {started} times"));
        self.line(format!("ledger of {id}: {}", told.join(", ")));
    }

    fn conversation<S: Stage>(
        &mut self,
        stage: &S,
        (journey, said): (&Journey, &[u64]),
        words: &BTreeMap<u64, u32>,
    ) {
        let ours: Vec<Said> = stage.comments().into_iter().filter(|said| said.ours).collect();
        let answers: Vec<&Said> = ours.iter().filter(|said| !is_card(said)).collect();
        for (line, id) in journey.lines().zip(said) {
            let said = stage.said(*id).unwrap();
            let marker = format!("countersign:{}-", said.id);
            let found: Vec<_> = answers.iter().filter(|answer| answer.body.contains(&marker)).collect();
            let expected = usize::from(line.addressed);
            let what = format!("{}: {:?}", line.who, line.text);
            self.expect(found.len() == expected, || format!("{what} has {} answers", found.len()));
            self.expect(said.reactions == expected, || format!("{what} has {} reactions", said.reactions));
            for answer in &found {
                let gave_up = answer.body.contains("-gave-up") || answer.body.contains("Please repeat");
                self.expect(!gave_up, || format!("{what} is answered: {}", answer.body));
            }
            let entries = words.get(&said.id).copied().unwrap_or_default();
            let right = if line.counts { entries == 1 } else { entries <= 1 };
            self.expect(right, || format!("{what} has {entries} entries in the ledger"));
        }
        let addressed = journey.lines().filter(|line| line.addressed).count();
        self.expect(answers.len() == addressed, || format!("{} answers to {addressed}", answers.len()));
    }

    fn cards<S: Stage>(&mut self, stage: &S) {
        let cards: Vec<Said> =
            stage.comments().into_iter().filter(|said| said.ours && is_card(said)).collect();
        self.expect(cards.len() == 1, || format!("there are {} cards", cards.len()));
        for card in cards {
            for line in card.body.lines() {
                let line = timeless(line);
                self.line(if S::NUMBERED_FROM > 0 { line } else { nameless(&numberless(&line)) });
            }
        }
    }
}

fn is_card(said: &Said) -> bool {
    said.body.ends_with("<!-- countersign:card -->")
}

/// Without times and ports.
pub(super) fn timeless(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let numbered = |mark: char| word.contains(mark) && word.chars().any(|c| c.is_ascii_digit());
        let is_time = word.len() == 5 && numbered(':') || word.len() == 10 && numbered('-');
        if is_time { "…".to_owned() } else { portless(word) }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn portless(word: &str) -> String {
    let Some((before, after)) = word.split_once("http://127.0.0.1:") else { return word.to_owned() };
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}http://forge{}", portless(rest))
}

/// Whether a run's jobs could be read when its deployment was opened is the faults' matter: else its link is named
/// after the environment.
fn nameless(line: &str) -> String {
    line.replace("[deploy ", "[")
}

/// Without our own numbers of deployments, which go by the order of hearing.
pub(super) fn numberless(line: &str) -> String {
    let Some((before, after)) = line.split_once("**d") else { return line.to_owned() };
    format!("{before}**d…{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
}
