//! What enters a ledger: it is so, it may be so by the rules, and it follows from what was there.

use super::Book;
use super::chain::{Chain, may_follow, told};
use crate::model::world::{Deployed, Job, ME, Meant, World};
use countersign::domain::deployment::Status;
use countersign::domain::ledger::{Entry, Outcome, Source, Undone, Vote, Word};
use countersign::ports::store::Change;

impl Book {
    pub(super) fn changed(&mut self, world: &World, change: &Change) {
        let id = &change.deployment;
        let known = self.chains.get(id).map_or(0, |chain| chain.entries);
        self.expect(known == change.expected, "§7.7", || format!("{id} had {known} entries: {change:?}"));
        for entry in &change.entries {
            self.note(&format!("  {id}: {}", told(entry)));
            if let Entry::Opened { .. } = entry {
                let (status, outcome, votes) = (Status::Blocked, None, Vec::new());
                let (superseded, moved) = (false, self.count);
                let fresh = Chain { entries: 1, status, outcome, superseded, moved, votes };
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
            if before != after {
                chain.moved = self.count;
            }
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
                let handed_over = chain.status == Status::Approved && chain.is_handed_over(world, one);
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
