//! The book: what must hold, checked at each write, each lease and each deed at the gate. Whatever doesn't is noted with
//! the number of its rule: `§2.n` are the rules, `§7.n` the points of the protocol.

use super::plan::Call;
use super::world::{Deployed, Job, ME, Meant, World, Written};
use countersign::domain::deployment::Status;
use countersign::domain::effect::Effect;
use countersign::domain::event::{Event, Heard};
use countersign::domain::id::{CommentRef, DeploymentId, Native};
use countersign::domain::ledger::{Entry, Hold, Outcome, Source, Undone, Vote, Word};
use countersign::domain::policy::Gate;
use countersign::ports::store::{
    Accepted, Change, Commit, Finish, Lane, Lease, LeasedJob, NewDelivery, NewJob, TakenCommand, Work,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What was read of the forge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    Person(i64),
    Deployment(Native),
}

/// A deployment, as its entries tell.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) entries: i64,
    pub(super) status: Status,
    pub(super) outcome: Option<Outcome>,
    pub(super) superseded: bool,
    votes: Vec<Vote>,
}

impl Chain {
    /// Rule 5: each person's newest word by the platform's clock, however late it came.
    pub(super) fn words(&self) -> Vec<(i64, Word)> {
        let mut newest: BTreeMap<i64, &Vote> = BTreeMap::new();
        for vote in &self.votes {
            if newest.get(&vote.by.id.0).is_none_or(|known| known.at <= vote.at) {
                newest.insert(vote.by.id.0, vote);
            }
        }
        newest.into_iter().map(|(who, vote)| (who, vote.word)).collect()
    }

    fn newest_of(&self, who: i64) -> Option<&Vote> {
        let theirs = self.votes.iter().filter(|vote| vote.by.id.0 == who);
        theirs.reduce(|newest, vote| if vote.at >= newest.at { vote } else { newest })
    }
}

/// A stored comment that nobody has dealt with yet.
struct Pending {
    comment: CommentRef,
    at: Timestamp,
    polled: bool,
    leased: bool,
}

/// A word of a comment that was carried out, and how.
struct Done<'a> {
    said: &'a Written,
    word: Word,
    command: &'a TakenCommand,
    commit: &'a Commit,
}

impl<'a> Done<'a> {
    fn entries(&self, one: &Deployed) -> impl Iterator<Item = &'a Entry> {
        let id = one.id();
        let changes = self.commit.changes.iter().filter(move |change| change.deployment == id);
        changes.flat_map(|change| &change.entries)
    }

    fn releases(&self, one: &Deployed) -> bool {
        let release = Work::Effect(Effect::Release { deployment: one.id() });
        self.commit.jobs.iter().any(|job| job.work == release)
    }

    fn told(&self) -> String {
        format!("{} by {}: {}", self.said.text, self.said.by, self.command.outcome)
    }
}

struct Live {
    lease: Lease,
    lane: Lane,
    key: String,
    until: Timestamp,
    work: Work,
    /// The book's count at that time: what was read before is no fact for this attempt.
    since: u64,
}

#[derive(Default)]
pub(super) struct Book {
    /// What doesn't hold.
    pub(super) wrong: Vec<String>,
    /// What happened, for a history that fails.
    pub(super) notes: Vec<String>,
    pub(super) chains: BTreeMap<DeploymentId, Chain>,
    /// Deliveries that are on disk.
    pub(super) stored: BTreeMap<String, NewDelivery>,
    /// Comments of which some hook lied.
    pub(super) lied: BTreeSet<i64>,
    /// The forge refused to say who somebody is, since workers last began.
    pub(super) troubled: bool,
    /// How often the forge refused what.
    pub(super) refused: BTreeMap<&'static str, usize>,
    taken: BTreeSet<(String, i64)>,
    /// The newest word of each person on a deployment that had to be kept.
    owed: BTreeMap<(DeploymentId, i64), (Timestamp, Word)>,
    pending: Vec<Pending>,
    live: Vec<Live>,
    count: u64,
    read: BTreeMap<Fact, u64>,
    /// When it was lost how a deed at the gate of a deployment ended.
    unknown: BTreeMap<String, Timestamp>,
    /// Until when a forge that limits us is to be left alone: as it said, and as the store was told.
    limited: (Option<Timestamp>, Option<Timestamp>),
}

impl Book {
    pub(super) fn note(&mut self, what: &str) {
        self.notes.push(what.to_owned());
    }

    fn expect(&mut self, so: bool, rule: &str, what: impl FnOnce() -> String) {
        if !so {
            let found = format!("{rule}: {}", what());
            self.note(&format!("  !! {found}"));
            self.wrong.push(found);
        }
    }

    pub(super) fn was_read(&mut self, fact: Fact) {
        self.count += 1;
        self.read.insert(fact, self.count);
    }

    pub(super) fn refused(&mut self, call: Call) {
        self.troubled |= call == Call::Person;
        let what = match call {
            Call::Read | Call::Person => "read",
            Call::Vote | Call::Play | Call::Cancel => "gate",
            Call::Talk | Call::React => "talk",
        };
        *self.refused.entry(what).or_default() += 1;
    }

    pub(super) fn limited(&mut self, now: Timestamp, wait: Duration) {
        let until = now + SignedDuration::try_from(wait).unwrap();
        self.limited.0 = self.limited.0.max(Some(until));
    }

    /// §7.9: whoever was told to wait tells all, through the store.
    pub(super) fn paused(&mut self, until: Timestamp) {
        self.limited.1 = self.limited.1.max(Some(until));
    }

    /// Workers have run until nothing was due.
    pub(super) fn settled(&mut self) {
        let (said, kept) = self.limited;
        self.expect(said <= kept, "§7.9", || {
            format!("the forge said to wait until {said:?}, kept is {kept:?}")
        });
        self.troubled = false;
    }

    /// The process is gone, and with it what it held.
    pub(super) fn restarted(&mut self) {
        self.live.clear();
        for pending in &mut self.pending {
            pending.leased = false;
        }
        // What it knew and had not yet written is lost with it.
        self.limited = (None, None);
        self.troubled = false;
    }

    // Deliveries and the queue.

    pub(super) fn stored(&mut self, delivery: &NewDelivery, accepted: Accepted) {
        let known = self.stored.contains_key(&delivery.id);
        let expected = if known { Accepted::Duplicate } else { Accepted::Stored };
        self.expect(accepted == expected, "§7.1", || format!("delivery {} is {accepted:?}", delivery.id));
        if known {
            return;
        }
        self.stored.insert(delivery.id.clone(), delivery.clone());
        for event in &delivery.events {
            self.waits(event);
        }
    }

    fn waits(&mut self, event: &Event) {
        let Event::Commented { comment, at, heard } = event else { return };
        let polled = *heard == Heard::Poll;
        let stands_in = |one: &Pending| one.polled && !one.leased && one.comment.key() == comment.key();
        if !(polled && self.pending.iter().any(stands_in)) {
            self.pending.push(Pending { comment: comment.clone(), at: *at, polled, leased: false });
        }
    }

    fn pending_of(&mut self, work: &Work, leased: bool) -> Option<usize> {
        let Work::Event(Event::Commented { comment, heard, .. }) = work else { return None };
        let (key, polled) = (comment.key(), *heard == Heard::Poll);
        let same = |one: &Pending| one.comment.key() == key && one.polled == polled && one.leased == leased;
        self.pending.iter().position(same)
    }

    pub(super) fn leased(&mut self, now: Timestamp, jobs: &[LeasedJob]) {
        for job in jobs {
            self.count += 1;
            let held =
                self.live.iter().any(|one| (one.lane, &one.key) == (job.lane, &job.key) && one.until > now);
            self.expect(!held, "§7.6", || format!("two leases on {:?} {}", job.lane, job.key));
            let resting = self.limited.1.is_some_and(|until| now < until);
            self.expect(!resting, "§7.9", || format!("{:?} {} is leased in a pause", job.lane, job.key));
            self.in_order(job);
            if job.lane == Lane::Gate
                && let Some(at) = self.unknown.remove(&job.key)
            {
                let waited = at + SignedDuration::from_secs(10) <= now;
                self.expect(waited, "§7.4", || format!("{} is tried again too soon", job.key));
            }
            // Another lease of this job was given up by time.
            self.live.retain(|one| one.lease.job != job.lease.job);
            if let Some(index) = self.pending_of(&job.work, false) {
                self.pending[index].leased = true;
            }
            self.live.push(Live {
                lease: job.lease.clone(),
                lane: job.lane,
                key: job.key.clone(),
                until: job.lease_until,
                work: job.work.clone(),
                since: self.count,
            });
        }
    }

    /// §7.3: comments of one conversation in the platform's order, whatever the order of arrival.
    fn in_order(&mut self, job: &LeasedJob) {
        let Work::Event(Event::Commented { comment, at, .. }) = &job.work else { return };
        let place = comment.conversation.key();
        let earlier = self.pending.iter().find(|one| one.comment.conversation.key() == place && one.at < *at);
        let earlier = earlier.map(|one| one.comment.comment);
        self.expect(earlier.is_none(), "§7.3", || {
            format!("{} is leased before {earlier:?}", comment.comment)
        });
    }

    pub(super) fn postponed(&mut self, lease: &Lease) {
        let Some(index) = self.live.iter().position(|one| one.lease == *lease) else { return };
        let work = self.live.remove(index).work;
        let Some(mine) = self.pending_of(&work, true) else { return };
        let other = self.pending_of(&work, false).is_some();
        if self.pending[mine].polled && other {
            self.pending.remove(mine);
        } else {
            self.pending[mine].leased = false;
        }
    }

    // Commits.

    pub(super) fn committed(&mut self, world: &World, commit: &Commit) {
        for command in &commit.commands {
            let known = !self.taken.insert((command.source.clone(), command.line));
            self.expect(!known, "§7.2", || format!("{} is carried out twice", command.source));
            self.carries_out(world, command, commit);
        }
        for change in &commit.changes {
            self.changed(world, change);
        }
        for job in &commit.jobs {
            if let Work::Event(event) = &job.work {
                self.waits(event);
            }
        }
        if let Some(finish) = &commit.finish {
            self.finished(finish, commit);
        }
    }

    fn finished(&mut self, finish: &Finish, commit: &Commit) {
        let (Finish::Done(lease) | Finish::Dead(lease, _) | Finish::Again(lease, _)) = finish;
        let held = self.live.iter().position(|one| one.lease == *lease);
        self.expect(held.is_some(), "§7.6", || format!("a job is ended by a lost lease: {lease:?}"));
        let Some(index) = held else { return };
        let work = self.live.remove(index).work;
        if let Some(pending) = self.pending_of(&work, true) {
            self.pending.remove(pending);
        }
        if let Finish::Dead(_, why) = finish {
            self.note(&format!("  given up: {work:?}: {why}"));
            let gate = matches!(work, Work::Effect(Effect::Release { .. } | Effect::Reject { .. }));
            self.expect(!gate, "§7.6", || format!("a job at the gate was given up: {why}"));
            let answers = |job: &NewJob| matches!(&job.work, Work::Effect(Effect::Reply { .. }));
            let answered =
                !matches!(work, Work::Event(Event::Commented { .. })) || commit.jobs.iter().any(answers);
            self.expect(answered, "§7.6", || format!("a dead command isn't answered: {work:?}"));
        }
    }

    /// Rules 3, 4, 5 and 8 in the other direction: an intact command on numbers, by somebody whose word counts, on what
    /// takes votes, is kept and has its effect.
    fn carries_out(&mut self, world: &World, command: &TakenCommand, commit: &Commit) {
        let Some(said) = world.comments.iter().find(|one| one.at().key() == command.source) else { return };
        let intact = !said.edited && !said.deleted && !self.lied.contains(&said.id);
        if !intact || self.troubled || command.outcome == TakenCommand::GIVEN_UP {
            return;
        }
        for (number, word) in said.decides() {
            let waits = |one: &&Deployed| one.number == number && !one.gone && one.job == Job::Manual;
            let Some(one) = world.deployments.iter().find(waits) else { continue };
            let Some(chain) = self.chains.get(&one.id()).cloned() else { continue };
            // A revoke needs the right to say anything at all.
            let right = if word == Word::Approved { word } else { Word::Rejected };
            let counts = world.law.counts(one, world.human(said.by), right);
            if counts && Self::takes(world, (one, &chain), word) {
                let done = Done { said, word, command, commit };
                self.is_kept((one, &chain), &done);
                if chain.status == Status::Blocked {
                    self.has_its_effect(world, (one, &chain), &done);
                }
            }
        }
    }

    /// What is approved already keeps no further approval, and what was handed over is not taken back.
    fn takes(world: &World, (one, chain): (&Deployed, &Chain), word: Word) -> bool {
        let handed_over = Self::is_handed_over(world, one, chain);
        let decides_once = world.law.of(one.environment).gate == Gate::ProtectionRule;
        let when_approved = match word {
            Word::Approved => false,
            Word::Rejected => !(handed_over && decides_once),
            Word::Revoked => !handed_over,
        };
        chain.status == Status::Blocked || chain.status == Status::Approved && when_approved
    }

    /// Also a word that says the same again: one between the two may still come. One that only has a release tried
    /// again may be left out.
    fn is_kept(&mut self, (one, chain): (&Deployed, &Chain), done: &Done) {
        let Done { said, word, .. } = done;
        let (this, key) = ((said.created_at, *word), (one.id(), said.by));
        let owed = self.owed.entry(key).or_insert(this);
        if owed.0 < said.created_at {
            *owed = this;
        }
        let kept = done.entries(one).any(|entry| {
            matches!(entry, Entry::Voted { vote, .. } if vote.by.id.0 == said.by && vote.word == *word)
        });
        let newest = chain.newest_of(said.by);
        let again = newest.is_some_and(|vote| vote.word == *word && vote.at <= said.created_at);
        self.expect(kept || again && done.releases(one), "§2.8", || {
            format!("a word that counts is not recorded: {}", done.told())
        });
    }

    fn has_its_effect(&mut self, world: &World, (one, chain): (&Deployed, &Chain), done: &Done) {
        let Done { said, word, .. } = done;
        let is_newest = chain.newest_of(said.by).is_none_or(|vote| vote.at <= said.created_at);
        let mut words = chain.words();
        words.retain(|(by, _)| *by != said.by);
        words.push((said.by, *word));
        let filled = *word == Word::Approved && is_newest && world.law.approves(world, one, &words);
        let rejects = done.entries(one).any(|entry| matches!(entry, Entry::Rejecting { .. }));
        let ends = *word == Word::Rejected && is_newest;
        self.expect(rejects == ends, "§2.3", || {
            format!("a rejection must end it, nothing else may: {}", done.told())
        });
        self.expect(done.releases(one) == filled, "§2.4", || {
            format!("released when filled, only then: {}", done.told())
        });
    }

    /// Rule 5, at the end: what stands of each person is the newest of the words that had to count.
    pub(super) fn newest_words_stand(&mut self, id: &DeploymentId) {
        let Some(chain) = self.chains.get(id).cloned() else { return };
        let owed = self.owed.clone();
        for ((_, by), (at, word)) in owed.into_iter().filter(|((on, _), _)| on == id) {
            let stands = chain.newest_of(by).is_some_and(|vote| vote.at > at || vote.word == word);
            self.expect(stands, "§2.5", || {
                format!("{word:?} of {by} at {at} is the newest word on {id}, and {:?} stands", chain.words())
            });
        }
    }

    fn changed(&mut self, world: &World, change: &Change) {
        let id = &change.deployment;
        let known = self.chains.get(id).map_or(0, |chain| chain.entries);
        self.expect(known == change.expected, "§7.7", || format!("{id} had {known} entries: {change:?}"));
        for entry in &change.entries {
            self.note(&format!("  {id}: {}", told(entry)));
            if let Entry::Opened { .. } = entry {
                let (status, outcome, votes) = (Status::Blocked, None, Vec::new());
                let fresh = Chain { entries: 1, status, outcome, superseded: false, votes };
                let former = self.chains.insert(id.clone(), fresh);
                self.expect(former.is_none(), "§2.5", || format!("{id} begins twice"));
                continue;
            }
            let chain = self.chains.get(id).expect("it begins with its opening").clone();
            let one = world.deployments.iter().find(|one| one.id() == *id).expect("it was deployed");
            self.follows(world, (one, &chain), entry);
            let chain = self.chains.get_mut(id).expect("it was there");
            chain.entries += 1;
            let before = chain.status;
            chain.take(entry);
            let after = chain.status;
            let allowed = before == after || may_follow(before).contains(&after);
            self.expect(allowed, "arrows", || format!("{id} went from {before:?} to {after:?}"));
        }
    }

    fn follows(&mut self, world: &World, (one, chain): (&Deployed, &Chain), entry: &Entry) {
        let id = one.id();
        match entry {
            Entry::Voted { vote, .. } => self.voted(world, (one, chain), vote),
            Entry::Releasing { .. } => {
                let approved = world.law.approves(world, one, &chain.words());
                self.expect(approved, "§2.4", || format!("{id} is being released by {:?}", chain.words()));
                self.facts_are_fresh(one, chain, "being released");
                let place = one.conversation().key();
                let waiting = self.pending.iter().find(|one| one.comment.conversation.key() == place);
                let waiting = waiting.map(|one| one.comment.comment);
                self.expect(waiting.is_none(), "§7.3", || {
                    format!("{id} is being released before {waiting:?}")
                });
            }
            Entry::ReleaseUndone { why: Undone::NoLongerApproved, .. } => {
                let approved = world.law.approves(world, one, &chain.words()) && !self.troubled;
                self.expect(!approved, "§2.4", || format!("{id} goes back although it is approved"));
                self.expect(one.job == Job::Manual, "§7.5", || {
                    format!("{id} goes back, but is {:?}", one.job)
                });
            }
            Entry::ReleaseUndone { why: Undone::Revoked, .. } => {
                let handed_over = chain.status == Status::Approved && Self::is_handed_over(world, one, chain);
                self.expect(!handed_over, "§7.5", || format!("{id} was handed over and goes back"));
            }
            Entry::Rejecting { by, .. } => {
                let rejected = chain.words().contains(&(by.id.0, Word::Rejected));
                self.expect(rejected, "§2.3", || format!("{id} is being rejected by {}", by.username));
            }
            Entry::Settled { outcome } => {
                let so = is_so(one, outcome);
                self.expect(so, "ledger", || format!("{id} is said to be {outcome:?}, and is {one:?}"));
            }
            Entry::Opened { .. } | Entry::Superseded | Entry::Asked { .. } | Entry::Placed { .. } => {}
        }
    }

    fn is_handed_over(world: &World, one: &Deployed, chain: &Chain) -> bool {
        let keeps = world.law.of(one.environment).gate != Gate::ManualJob;
        keeps && chain.outcome != Some(Outcome::Waiting(Hold::VoteRefused))
    }

    /// A word that enters the ledger.
    fn voted(&mut self, world: &World, (one, chain): (&Deployed, &Chain), vote: &Vote) {
        let id = one.id();
        let what = || format!("{:?} of {} on {id} by {:?}", vote.word, vote.by.username, vote.source);
        let open = matches!(chain.status, Status::Blocked | Status::Approved);
        self.expect(open, "§7.5", || format!("past the point of no return: {}", what()));
        let twice = chain.votes.iter().any(|known| known.source == vote.source && known.at == vote.at);
        self.expect(!twice, "§2.8", || format!("twice: {}", what()));
        self.expect(is_real(world, one, vote), "§2.1", || format!("nobody said so: {}", what()));
        let who = world.human(vote.by.id.0);
        let counts = match vote.word {
            Word::Approved | Word::Rejected => world.law.counts(one, who, vote.word),
            Word::Revoked => {
                let approved = chain.newest_of(who.id).is_some_and(|vote| vote.word == Word::Approved);
                approved || world.law.counts(one, who, Word::Rejected)
            }
        };
        // What a rejection in the forge's pages has ended is ended, whoever it was.
        let ended_there =
            vote.source == Source::Forge && vote.word == Word::Rejected && one.job == Job::Failed;
        self.expect(counts || ended_there, "§2.2", || format!("it doesn't count: {}", what()));
    }

    /// §7.4, §7.8: what a release rests on was read since its job was taken up.
    fn facts_are_fresh(&mut self, one: &Deployed, chain: &Chain, what: &str) {
        let key = one.id().to_string();
        let gate = self.live.iter().find(|live| live.lane == Lane::Gate && live.key == key);
        let since = gate.map(|live| live.since);
        self.expect(since.is_some(), "§7.6", || format!("{key} is {what} without a lease"));
        let standing = chain.words().into_iter().filter(|(_, word)| *word != Word::Revoked);
        let people = standing.map(|(who, _)| Fact::Person(who));
        for fact in people.chain([Fact::Deployment(one.native())]) {
            let fresh = self.read.get(&fact).copied() > since;
            self.expect(fresh, "§7.4", || format!("{key} is {what}, but {fact:?} was read before"));
        }
    }

    // Deeds at the gate.

    pub(super) fn is_unknown(&mut self, key: &str, now: Timestamp) {
        self.unknown.insert(key.to_owned(), now);
    }

    pub(super) fn votes(&mut self, world: &World, one: &Deployed, (cast, before): (Word, Option<Word>)) {
        self.note(&format!("  the bot votes {cast:?} on {}", one.number));
        let expected = if cast == Word::Approved { Status::Releasing } else { Status::Rejecting };
        self.at_the_gate(one, expected, "voted on");
        // A rejection may follow our own approval while something else still holds it; nothing follows a rejection.
        let changed = before == Some(Word::Rejected) && cast == Word::Approved;
        self.expect(!changed, "§7.4", || format!("{} is voted on twice: {before:?}, {cast:?}", one.number));
        if cast == Word::Approved {
            self.is_right(world, one, "voted for");
        }
    }

    pub(super) fn plays(&mut self, world: &World, one: &Deployed) {
        self.note(&format!("  the bot plays {}", one.number));
        self.at_the_gate(one, Status::Releasing, "started");
        self.expect(one.job == Job::Manual, "§7.4", || {
            format!("{} is started, but is {:?}", one.number, one.job)
        });
        self.is_right(world, one, "started");
    }

    pub(super) fn cancels(&mut self, one: &Deployed) {
        self.note(&format!("  the bot cancels {}", one.number));
        self.at_the_gate(one, Status::Rejecting, "cancelled");
    }

    fn at_the_gate(&mut self, one: &Deployed, expected: Status, what: &str) {
        let status = self.chains.get(&one.id()).map(|chain| chain.status);
        let so = status == Some(expected);
        self.expect(so, "§7.5", || format!("{} is {what} while it is {status:?}", one.number));
    }

    fn is_right(&mut self, world: &World, one: &Deployed, what: &str) {
        let Some(chain) = self.chains.get(&one.id()).cloned() else { return };
        let right = world.law.approves(world, one, &chain.words());
        self.expect(right, "§2.4", || format!("{} is {what} by {:?}", one.number, chain.words()));
        self.facts_are_fresh(one, &chain, what);
    }
}

impl Chain {
    fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Voted { vote, .. } => self.votes.push(vote.clone()),
            Entry::Releasing { .. } => self.status = Status::Releasing,
            Entry::Opened { .. } | Entry::ReleaseUndone { .. } => {
                (self.status, self.outcome) = (Status::Blocked, None);
            }
            Entry::Rejecting { .. } => self.status = Status::Rejecting,
            Entry::Settled { outcome } => {
                self.outcome = Some(outcome.clone());
                self.status = match outcome {
                    Outcome::Waiting(_) => Status::Approved,
                    Outcome::Started | Outcome::StartedBy(_) => Status::Released,
                    Outcome::Deployed => Status::Deployed,
                    Outcome::Failed => Status::Failed,
                    Outcome::Rejected => Status::Rejected,
                    Outcome::Cancelled | Outcome::Strayed => Status::Cancelled,
                    Outcome::AskedAgain => Status::Passed,
                    Outcome::Bypassed(_) => Status::Bypassed,
                    Outcome::Gone => Status::Gone,
                };
            }
            Entry::Superseded => self.superseded = true,
            Entry::Asked { .. } | Entry::Placed { .. } => {}
        }
    }
}

/// Rules 1, 5 and 6: the forge itself shows this word, unedited, of this person, on this deployment.
fn is_real(world: &World, one: &Deployed, vote: &Vote) -> bool {
    let Source::Comment { comment, line } = &vote.source else {
        let held =
            |cast: &&countersign::ports::forge::ForgeVote| cast.by == vote.by.id && cast.word == vote.word;
        return vote.source == Source::Forge
            && one.votes.iter().any(|cast| held(&cast) && cast.at == vote.at);
    };
    let Some(said) = world.comment(comment.comment) else { return false };
    let means = said.lines.get(*line as usize).is_some_and(|line| {
        let named = match &line.meant {
            Meant::Number(number) => *number == one.number,
            Meant::Name(name) => *name == one.environment,
            Meant::Nothing => one.request == said.request,
        };
        named && line.verb.word() == Some(vote.word)
    });
    let intact = !said.edited && !said.deleted;
    means && intact && said.by == vote.by.id.0 && said.created_at == vote.at
}

/// The forge shows it so.
fn is_so(one: &Deployed, outcome: &Outcome) -> bool {
    let by_us = one.played_by == Some(ME);
    match outcome {
        Outcome::Waiting(_) => one.job == Job::Manual,
        Outcome::Started => by_us,
        Outcome::StartedBy(who) | Outcome::Bypassed(who) => {
            one.ran && !by_us && who.as_ref().is_none_or(|who| Some(who.id.0) == one.played_by)
        }
        Outcome::Deployed => one.job == Job::Success,
        Outcome::Failed => one.job == Job::Failed,
        Outcome::Rejected => matches!(one.job, Job::Failed | Job::Cancelled) && !by_us,
        Outcome::Cancelled => one.job == Job::Cancelled,
        Outcome::Gone => one.gone,
        Outcome::AskedAgain | Outcome::Strayed => false,
    }
}

/// Where a deployment may go from here.
fn may_follow(before: Status) -> &'static [Status] {
    use Status::{
        Approved, Blocked, Bypassed, Cancelled, Deployed, Failed, Gone, Passed, Rejected, Rejecting,
        Released, Releasing,
    };
    match before {
        Blocked => &[Releasing, Rejecting, Rejected, Bypassed, Failed, Cancelled, Gone],
        Approved => &[Releasing, Rejecting, Blocked, Released, Rejected, Failed, Cancelled, Gone],
        Releasing => &[Blocked, Approved, Released, Rejected, Failed, Cancelled, Gone],
        Rejecting => &[Rejected, Bypassed, Gone],
        Released | Bypassed => &[Deployed, Failed, Cancelled, Gone],
        Rejected => &[Bypassed, Gone],
        Passed | Deployed | Failed | Cancelled | Gone => &[],
    }
}

fn told(entry: &Entry) -> String {
    match entry {
        Entry::Voted { vote, .. } => format!("{:?} by {} at {}", vote.word, vote.by.username, vote.at),
        Entry::Settled { outcome } => format!("{outcome:?}"),
        Entry::Opened { .. } => "opened".to_owned(),
        Entry::Releasing { .. } => "releasing".to_owned(),
        Entry::ReleaseUndone { why, .. } => format!("undone: {why:?}"),
        Entry::Rejecting { by, .. } => format!("rejecting by {}", by.username),
        Entry::Superseded => "superseded".to_owned(),
        Entry::Asked { .. } | Entry::Placed { .. } => "asked or placed".to_owned(),
    }
}
