//! The chat of a journey: what people do there, again and again until it has had its effect, and what is to be seen
//! there at the end.

use super::board::Board;
use super::chance::Chance;
use super::journey::{Deed, End, How, Journey, REASON};
use super::picture::{numberless, timeless};
use crate::story::chat::{ChatStage, OnMattermost, OnSlack, Opens as _, PEOPLE, Seen};
use crate::story::stage::{Done, Stage, Switches};
use countersign::domain::ledger::{Source, Vote, Word};
use countersign::ports::store::{Store, StoreError};
use countersign::sim::clock::HandClock;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// How many words each person has in the ledger that were spoken in the chat, by environment.
type Spoken = BTreeMap<(String, String), Vec<Vote>>;

/// A chat, and what people want there.
pub(super) struct Chat {
    pub(super) stage: Box<dyn ChatStage>,
    wishes: Vec<Wish>,
    /// How many requests each person caused.
    asked: BTreeMap<&'static str, usize>,
    /// How many of them Countersign took, and has to answer.
    taken: BTreeMap<&'static str, usize>,
    /// How long somebody waits before they do it again.
    patience: SignedDuration,
}

struct Wish {
    deed: Deed,
    /// When it was last tried and taken.
    tried: Option<Timestamp>,
    /// How much their person had been told before.
    told: usize,
    done: bool,
}

/// A line of a thread.
#[derive(Debug)]
struct Told {
    /// The environment that the thread is about.
    about: String,
    line: String,
    /// Which of the channel's messages holds it.
    message: usize,
}

/// Whether people of this seed's journey are in a chat, and in which.
pub(super) async fn of_seed(seed: u64, clock: &HandClock, real: bool) -> Option<Chat> {
    let switches = Switches::default();
    let stage = match Chance::new(seed ^ 0xc4a7).below(100) {
        0..35 => OnSlack::open(clock, &switches).await,
        35..70 => OnMattermost::open(clock, &switches).await,
        _ => return None,
    };
    let patience = SignedDuration::from_secs(if real { 3 } else { 60 });
    Some(Chat { stage, wishes: Vec::new(), asked: BTreeMap::new(), taken: BTreeMap::new(), patience })
}

impl Chat {
    pub(super) fn wants(&mut self, deed: Deed) {
        self.wishes.push(Wish { deed, tried: None, told: 0, done: false });
    }

    /// Everybody who still wants something tries it, unless they have just done so. How often Countersign took it.
    pub(super) async fn insist<S: Stage>(&mut self, stage: &S, store: &dyn Store, now: Timestamp) -> usize {
        let mut taken = 0;
        for at in 0..self.wishes.len() {
            let waits = self.wishes[at].tried.is_some_and(|tried| now.duration_since(tried) < self.patience);
            // A database that is away tells nobody anything: later.
            if self.wishes[at].done || !self.is_open(at, stage, store).await.unwrap_or(false) || waits {
                continue;
            }
            let deed = self.wishes[at].deed.clone();
            self.wishes[at].told = self.stage.whispers(deed.who).len();
            if self.does(&deed).await.is_ok() {
                *self.taken.entry(deed.who).or_default() += 1;
                self.wishes[at].tried = Some(now);
                taken += 1;
            }
        }
        taken
    }

    /// Whether a wish hasn't had its effect yet, and still can have it.
    async fn is_open<S: Stage>(
        &mut self,
        at: usize,
        stage: &S,
        store: &dyn Store,
    ) -> Result<bool, StoreError> {
        let Wish { deed, tried, told, .. } = &self.wishes[at];
        let has_effect = match deed.who {
            // They have no say: an answer is all there is to have.
            "mallory" | "dana" => self.stage.whispers(deed.who).len() > *told,
            _ if matches!(&deed.how, How::Type(words) if words.starts_with("why")) => {
                self.stage.whispers(deed.who).len() > *told
            }
            _ => votes_in(store, deed.environment).await?.iter().any(|vote| vote.by.username == deed.who),
        };
        let over = stage.deployments(deed.environment).last().is_some_and(|one| one.status != "blocked");
        self.wishes[at].done = (tried.is_some() && has_effect) || over;
        Ok(!self.wishes[at].done)
    }

    async fn does(&mut self, deed: &Deed) -> Done {
        let who = deed.who;
        let How::Press(word) = deed.how else {
            let How::Type(words) = &deed.how else { return Ok(()) };
            self.asks(who);
            return self.stage.types(who, words, None).await;
        };
        let message = self.message_of(deed.environment).ok_or("nothing was announced yet")?;
        let button = if word == Word::Rejected { "Reject" } else { "Approve" };
        if !message.buttons.iter().any(|known| known == button) {
            return Err("the button isn't there now".to_owned());
        }
        self.asks(who);
        self.stage.presses(who, &message, button).await?;
        if word == Word::Rejected || self.stage.confirms_by_form() {
            self.asks(who);
            self.stage.sends(who, (word == Word::Rejected).then_some(REASON)).await?;
        }
        Ok(())
    }

    fn asks(&mut self, who: &'static str) {
        *self.asked.entry(who).or_default() += 1;
    }

    fn message_of(&self, environment: &str) -> Option<Seen> {
        let name = format!("→ {environment}:");
        self.roots().into_iter().find(|seen| seen.text.contains(&name))
    }

    fn roots(&self) -> Vec<Seen> {
        self.stage.messages().into_iter().filter(|seen| seen.thread.is_none()).collect()
    }

    /// How much Countersign has taken so far.
    pub(super) fn taken(&self) -> usize {
        self.taken.values().sum()
    }

    /// What there is to be seen, and what is wrong with it whatever other runs show.
    pub(super) async fn picture(
        &self,
        journey: &Journey,
        store: &dyn Store,
        board: &Board,
    ) -> Result<(Vec<String>, Vec<String>), StoreError> {
        let (mut lines, mut wrong) = (Vec::new(), Vec::new());
        let roots = self.roots();
        if roots.len() != journey.ends.len() {
            wrong.push(format!("{} messages about {} deployments", roots.len(), journey.ends.len()));
        }
        for (environment, end) in &journey.ends {
            let Some(message) = self.message_of(environment) else {
                wrong.push(format!("there is no message about {environment}"));
                continue;
            };
            lines.push(format!("message about {environment}:"));
            lines.extend(shown(&message.text));
            let decides = message.buttons.iter().filter(|button| *button != "Open").count();
            let wanted = if *end == End::StillBlocked { 2 } else { 0 };
            if decides != wanted {
                wrong.push(format!("the message about {environment} has {decides} buttons"));
            }
        }
        wrong.extend(
            self.wishes.iter().filter(|wish| !wish.done).map(|wish| format!("not done: {:?}", wish.deed)),
        );
        if let Some(who) = self.stage.notified().first() {
            wrong.push(format!("{who} was notified"));
        }
        self.words(journey, store, &mut wrong).await?;
        self.answers(board.doubtful(), &mut wrong);
        let doubled = self.doubled_lines(store).await?;
        // Who is killed may have been writing into several threads, one message each, of one line or more.
        let of_one = |thread: &str| {
            let messages: BTreeSet<usize> =
                doubled.iter().filter(|told| told.about == thread).map(|told| told.message).collect();
            messages.len()
        };
        if doubled.iter().any(|told| of_one(&told.about) > board.doubtful()) {
            wrong.push(format!("threads say twice: {doubled:?}"));
        }
        Ok((lines, wrong))
    }

    /// Each act is in the ledger once. The thread tells of those that were said by a button: that message stood there
    /// already, and didn't tell of it by itself.
    async fn words(
        &self,
        journey: &Journey,
        store: &dyn Store,
        wrong: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let mut spoken: Spoken = BTreeMap::new();
        for (environment, _) in &journey.ends {
            for vote in votes_in(store, environment).await? {
                if let Source::Chat { .. } = vote.source {
                    let by = (vote.by.username.clone(), (*environment).to_owned());
                    spoken.entry(by).or_default().push(vote);
                }
            }
        }
        let told = self.thread_lines();
        for ((who, environment), votes) in &spoken {
            let acts: BTreeSet<&str> = votes.iter().filter_map(act).collect();
            if votes.len() > acts.len() {
                wrong.push(format!("an act of {who} has two entries in the ledger of {environment}"));
            }
            let line = format!("{} in {}", said_by(&votes[0]), self.stage.name());
            let mut presses = journey.deeds().filter(|deed| matches!(deed.how, How::Press(_)));
            let by_button = presses.any(|deed| deed.who == who && deed.environment == environment);
            let is_told = told.iter().any(|told| told.about == *environment && told.line.contains(&line));
            if by_button && !is_told {
                wrong.push(format!("the thread of {environment} doesn't say: {line}"));
            }
        }
        for deed in journey.deeds().filter(|deed| deed.counts) {
            if !spoken.contains_key(&(deed.who.to_owned(), deed.environment.to_owned())) {
                wrong.push(format!("the ledger lacks {deed:?}"));
            }
        }
        Ok(())
    }

    /// Each act is answered, once; as often as an answer's outcome was in doubt, it may have been said again.
    fn answers(&self, doubtful: usize, wrong: &mut Vec<String>) {
        for who in PEOPLE {
            let told = self.stage.whispers(who).len();
            let [taken, asked] = [&self.taken, &self.asked].map(|of| of.get(who).copied().unwrap_or(0));
            if told < taken {
                wrong.push(format!("{who} was told {told} things, and did {taken}"));
            }
            if told > asked + doubtful {
                wrong.push(format!("{who} was told {told} things, and asked {asked}"));
            }
        }
    }

    fn thread_lines(&self) -> Vec<Told> {
        let about = |root: &Seen| {
            let rest = root.text.split_once("→ ").map_or("", |(_, rest)| rest);
            rest.split_once(':').map_or("", |(name, _)| name).to_owned()
        };
        let roots: BTreeMap<String, String> =
            self.roots().iter().map(|root| (root.id.clone(), about(root))).collect();
        let mut lines = Vec::new();
        for (message, seen) in self.stage.messages().into_iter().enumerate() {
            let Some(environment) = seen.thread.as_ref().and_then(|root| roots.get(root)) else { continue };
            let plain = seen.text.replace('*', "");
            // Slack's text repeats what its blocks say.
            let texts: BTreeSet<&str> = plain.lines().filter(|line| !line.trim().is_empty()).collect();
            let told = |line: &str| Told { about: environment.clone(), line: line.to_owned(), message };
            lines.extend(texts.into_iter().map(told));
        }
        lines
    }

    /// Lines that stand in a thread more often than there is reason for: once for each word of the same kind, and once
    /// for whatever else a ledger tells.
    async fn doubled_lines(&self, store: &dyn Store) -> Result<Vec<Told>, StoreError> {
        let mut alike: BTreeMap<(String, String), Vec<Told>> = BTreeMap::new();
        // A release may be undone more than once, and is told each time.
        for told in self.thread_lines().into_iter().filter(|told| !told.line.contains("blocked again")) {
            alike.entry((told.about.clone(), told.line.clone())).or_default().push(told);
        }
        let mut doubled = Vec::new();
        for ((environment, line), alike) in alike.into_iter().filter(|(_, alike)| alike.len() > 1) {
            let votes = votes_in(store, &environment).await?;
            let reasons = votes.iter().filter(|vote| line.contains(&said_by(vote))).count();
            doubled.extend(alike.into_iter().skip(reasons.max(1)));
        }
        Ok(doubled)
    }

    /// Counts what was tolerated.
    pub(super) async fn tally(&self, store: &dyn Store, board: &Board) -> Result<(), StoreError> {
        let doubled = self.doubled_lines(store).await?;
        for _ in doubled {
            board.count("thread line said twice");
        }
        for who in PEOPLE {
            let told = self.stage.whispers(who).len();
            let asked = self.asked.get(who).copied().unwrap_or(0);
            (asked..told).for_each(|_| board.count("answer to one person said twice"));
        }
        (0..self.taken()).for_each(|_| board.count("act in a chat"));
        Ok(())
    }

    pub(super) fn scene(&self) -> String {
        let mut scene = format!("In {}:\n", self.stage.name());
        for seen in self.stage.messages() {
            let place = if seen.thread.is_some() { "  in the thread" } else { "in the channel" };
            let _ = writeln!(scene, "{place} [{}] {} {:?}", seen.id, seen.text, seen.buttons);
        }
        for who in PEOPLE {
            for seen in self.stage.whispers(who) {
                let _ = writeln!(scene, "to {who} alone: {}", seen.text);
            }
        }
        scene
    }
}

/// The chat's id of the act that a word came with.
fn act(vote: &Vote) -> Option<&str> {
    match &vote.source {
        Source::Chat { act, .. } => Some(act),
        Source::Comment { .. } | Source::Forge | Source::Button { .. } => None,
    }
}

/// How a thread begins to tell of a word.
fn said_by(vote: &Vote) -> String {
    let verb = match vote.word {
        Word::Approved => "approved",
        Word::Rejected => "rejected",
        Word::Revoked => "took back an approval",
    };
    format!("{} {verb}", vote.by.username)
}

async fn votes_in(store: &dyn Store, environment: &str) -> Result<Vec<Vote>, StoreError> {
    let mut votes = Vec::new();
    for id in store.ledger_ids(None, 10_000).await? {
        if let Some(deployment) = store.deployment(&id).await?
            && deployment.description.environment == environment
        {
            votes.extend(deployment.votes);
        }
    }
    Ok(votes)
}

/// What a message shows, in the same words whenever it was written. What a deployment would change is left out, and where
/// its commit is to be seen: a message does without where the forge couldn't tell.
fn shown(text: &str) -> Vec<String> {
    let extra = |line: &str| line.contains("new commit") || line.contains("Not a step forward");
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !extra(line)) {
        let line = match (line.split_once("<!date^"), line.rsplit_once('>')) {
            (Some((before, _)), Some((_, after))) => format!("{before}…{after}"),
            _ => line.to_owned(),
        };
        let line = titled(&line, "Commit:").unwrap_or(line);
        let line = line.split(' ').map(|word| numberless(&timeless(word))).collect::<Vec<_>>().join(" ");
        lines.push(format!("  {line}"));
    }
    lines
}

/// A line with this label, without what stands between the label and the title.
fn titled(line: &str, label: &str) -> Option<String> {
    let (before, said) = line.split_once(label)?;
    let (_, title) = said.trim_start_matches(['*', ' ']).split_once(' ')?;
    Some(format!("{before}{label} … {title}"))
}
