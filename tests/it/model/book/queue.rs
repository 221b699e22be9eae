//! Deliveries and the queue: nothing is lost, one lease for each key, and comments in the platform's order.

use super::Book;
use countersign::domain::effect::Effect;
use countersign::domain::event::{Event, Heard};
use countersign::domain::id::CommentRef;
use countersign::ports::store::{
    Accepted, Commit, Finish, Lane, Lease, LeasedJob, NewDelivery, NewJob, Work,
};
use jiff::{SignedDuration, Timestamp};

/// A stored comment that nobody has dealt with yet.
pub(super) struct Pending {
    pub(super) comment: CommentRef,
    at: Timestamp,
    polled: bool,
    pub(super) leased: bool,
}

pub(super) struct Live {
    lease: Lease,
    pub(super) lane: Lane,
    pub(super) key: String,
    until: Timestamp,
    work: Work,
    /// The book's count at that time: what was read before is no fact for this attempt.
    pub(super) since: u64,
}

impl Book {
    pub(crate) fn stored(&mut self, delivery: &NewDelivery, accepted: Accepted) {
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

    pub(super) fn waits(&mut self, event: &Event) {
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

    pub(crate) fn leased(&mut self, now: Timestamp, jobs: &[LeasedJob]) {
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

    pub(crate) fn postponed(&mut self, lease: &Lease) {
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

    /// The book's count when the job of this commit was taken up.
    pub(super) fn begun(&self, commit: &Commit) -> Option<u64> {
        let (Finish::Done(lease) | Finish::Dead(lease, _) | Finish::Again(lease, _)) =
            commit.finish.as_ref()?;
        self.live.iter().find(|one| one.lease == *lease).map(|one| one.since)
    }

    pub(super) fn finished(&mut self, finish: &Finish, commit: &Commit) {
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
}
