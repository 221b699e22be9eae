//! What follows from a failed attempt: another one, and when; a pause for its platform; or a dead letter.

use super::figures::Attempt;
use super::worker::Task;
use super::{App, Stopped};
use crate::domain::actor::Account;
use crate::domain::chat::{Act, Aside};
use crate::domain::effect::{Ballot, Effect};
use crate::domain::event::{Event, Heard};
use crate::domain::id::{CommentRef, ForgeName, UserId};
use crate::domain::ledger::Source;
use crate::domain::wording::answer;
use crate::ports::failure::Failure;
use crate::ports::store::{Commit, CommitError, Finish, LeasedJob, StoreError, TakenCommand, Work};
use jiff::{SignedDuration, Timestamp};

/// After an unknown outcome the next attempt waits at least this long, so that the forge shows it.
const UNKNOWN: SignedDuration = SignedDuration::from_secs(10);
/// A commit that had to wait for another job is tried again after this at first: mostly for the hook that our own
/// reaction or answer has just caused, which is over in no time…
const AT_ONCE: SignedDuration = SignedDuration::from_millis(50);
/// …and after this before long.
const SOON: SignedDuration = SignedDuration::from_secs(1);
/// The longest pause between two attempts.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);
/// Jobs other than releases and rejections are given up after so many attempts…
const MOST_ATTEMPTS: u32 = 300;
/// …or so long.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);
/// Attempts at a delivery whose facts can't be read or whose work takes too long: an hour and a half.
const MOST_UNREADABLE: u32 = 25;
/// How long somebody in a chat waits for an answer, if the forge can't be asked…
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);
/// …in so many attempts.
const MOST_PATIENT: u32 = 4;

impl App {
    /// What follows from a failed attempt.
    pub(super) async fn after(&self, task: &Task, stopped: Stopped) -> Result<Attempt, StoreError> {
        let (now, job) = (self.clock.now(), task.job());
        let why = stopped.to_string();
        match stopped {
            Stopped::Commit(CommitError::LeaseLost) => Ok(Attempt::Stopped),
            Stopped::Commit(CommitError::Held | CommitError::Conflict | CommitError::AlreadyTaken) => {
                self.later(job, now + growing(now.duration_since(job.created_at)), &why, true).await
            }
            // Its own turn comes later; what is more urgent goes on.
            Stopped::Forge(Failure::HeldBack { wait }) => {
                let wait = SignedDuration::try_from(wait).unwrap_or(LONGEST).clamp(SOON, LONGEST);
                self.later(job, now + wait, &why, true).await
            }
            // Somebody waits for it who can try again; and it is the forge that limits us, not the chat.
            Stopped::Forge(failure) if is_overdue(now, job) && failure.is_transient() => {
                self.bury(job, now, &why).await
            }
            Stopped::Forge(Failure::Unavailable { retry_after: Some(wait), .. })
                if matches!(job.work, Work::Event(Event::Chatted(_))) =>
            {
                let wait = SignedDuration::try_from(wait).unwrap_or(LONGEST);
                let wait = wait.clamp(SOON, SignedDuration::from_hours(1));
                if let Some(forge) = forge_of_press(&job.work) {
                    self.store.pause(&(&forge).into(), now + wait).await?;
                }
                if wait > PATIENCE {
                    return self.bury(job, now, &why).await;
                }
                self.later(job, now + wait, &why, false).await
            }
            Stopped::Forge(Failure::Unavailable { retry_after: Some(wait), .. }) => {
                // A time that is over already (a clock ahead of the forge's) is no leave to call at once.
                let wait = SignedDuration::try_from(wait).unwrap_or(LONGEST);
                let until = now + wait.clamp(SOON, SignedDuration::from_hours(1));
                self.store.pause(&job.platform, until).await?;
                self.later(job, until, &why, true).await
            }
            Stopped::Forge(Failure::Unreadable(_)) | Stopped::OutOfTime if is_poisoned(job) => {
                self.bury(job, now, &why).await
            }
            Stopped::Forge(Failure::UnknownOutcome { .. }) | Stopped::OutOfTime => {
                self.retry(job, now, &why, UNKNOWN).await
            }
            Stopped::Forge(ref failure) if !failure.is_transient() => self.hopeless(job, now, &why).await,
            Stopped::Forge(_)
            | Stopped::NoSuchForge(_)
            | Stopped::Store(_)
            | Stopped::Commit(CommitError::Store(_)) => {
                self.retry(job, now, &why, SignedDuration::ZERO).await
            }
        }
    }

    /// Gives a job back; `uncounted` as in [`postpone`].
    ///
    /// [`postpone`]: crate::ports::store::Store::postpone
    async fn later(
        &self,
        job: &LeasedJob,
        run_at: Timestamp,
        why: &str,
        uncounted: bool,
    ) -> Result<Attempt, StoreError> {
        self.store.postpone(&job.lease, run_at, why, uncounted).await?;
        Ok(Attempt::Stopped)
    }

    async fn retry(
        &self,
        job: &LeasedJob,
        now: Timestamp,
        why: &str,
        at_least: SignedDuration,
    ) -> Result<Attempt, StoreError> {
        let old = job.created_at + GIVE_UP < now && job.attempts > 10;
        if (old || job.attempts >= MOST_ATTEMPTS) && may_die(&job.work) {
            return self.bury(job, now, why).await;
        }
        let wait = backoff(job.attempts).max(at_least);
        self.later(job, now + wait, why, false).await
    }

    /// The forge said no where no use case expected it: trying again won't help, except at the gate,
    /// where jobs never die while the deployment is open.
    async fn hopeless(&self, job: &LeasedJob, now: Timestamp, why: &str) -> Result<Attempt, StoreError> {
        if may_die(&job.work) {
            self.bury(job, now, why).await
        } else {
            self.later(job, now + LONGEST, why, false).await
        }
    }

    /// A dead letter stays visible; a dead command is answered.
    async fn bury(&self, job: &LeasedJob, now: Timestamp, why: &str) -> Result<Attempt, StoreError> {
        tracing::error!(key = job.key, why, "a job was given up");
        let mut commit = Commit::at(now);
        // What was done in a chat is answered, and is not to be done once more long after.
        commit.finish = Some(match &job.work {
            Work::Event(Event::Chatted(_)) => Finish::Done(job.lease.clone()),
            Work::Event(_) | Work::Effect(_) | Work::Look(_) => {
                Finish::Dead(job.lease.clone(), why.to_owned())
            }
        });
        if let Work::Event(Event::Chatted(chatted)) = &job.work
            && let Ok(Some(posting)) = self.left_stale(chatted).await
        {
            commit.jobs.extend(self.renewing(&posting).ok().flatten());
        }
        if let Some(to) = unanswered_aside(&job.work) {
            let whisper = Effect::Whisper { to, text: answer::gave_up(), choices: Vec::new() };
            commit.jobs.extend(self.effect(whisper, now).ok());
        }
        if let Some((to, whom)) = unanswered(&job.work) {
            let reply = Effect::Reply { to, whom, marker: "gave-up".to_owned(), text: answer::gave_up() };
            commit.jobs.extend(self.caused_by(job.cause.as_deref()).effect(reply, now).ok());
        }
        // Polling finds the comment again: it was answered, once.
        commit.commands.extend(given_up(&job.work));
        match self.store.commit(commit).await {
            Ok(()) => Ok(Attempt::GivenUp),
            Err(CommitError::Store(error)) => Err(error),
            Err(
                CommitError::Conflict
                | CommitError::AlreadyTaken
                | CommitError::LeaseLost
                | CommitError::Held,
            ) => Ok(Attempt::Stopped),
        }
    }
}

/// A delivery holds all later ones of its conversation, and their releases. One that fails over and over by
/// what it asks for (an answer that can't be read, too much work) is answered and put aside.
fn is_poisoned(job: &LeasedJob) -> bool {
    matches!(job.work, Work::Event(_)) && job.attempts >= MOST_UNREADABLE
}

/// The comment that a job given up leaves without an answer, and who wrote it, if that was ever read.
fn unanswered(work: &Work) -> Option<(CommentRef, Account)> {
    match work {
        Work::Event(Event::Commented { comment, heard, .. }) => {
            let id = match heard {
                Heard::Hook { author, .. } => *author,
                Heard::Poll => UserId(0),
            };
            Some((comment.clone(), Account { id, username: String::new(), bot: false }))
        }
        Work::Effect(Effect::CastVote(Ballot { source: Source::Comment { comment, .. }, voter, .. })) => {
            Some((comment.clone(), voter.clone()))
        }
        Work::Event(_) | Work::Effect(_) | Work::Look(_) => None,
    }
}

/// The forge of the deployments that a button stands for.
fn forge_of_press(work: &Work) -> Option<ForgeName> {
    let Work::Event(Event::Chatted(chatted)) = work else { return None };
    match &chatted.act {
        Act::Pressed { offer, .. } => Some(offer.subject.forge()),
        Act::Typed { .. } | Act::Unopened { .. } => None,
    }
}

/// What was done in a chat holds what is done there after it, and the releases of what is told there. Nobody expects
/// it to be carried out long after.
fn is_overdue(now: Timestamp, job: &LeasedJob) -> bool {
    matches!(job.work, Work::Event(Event::Chatted(_)))
        && job.attempts >= MOST_PATIENT
        && job.created_at + PATIENCE < now
}

/// Where somebody in a chat waits for the answer of a job that is given up.
fn unanswered_aside(work: &Work) -> Option<Aside> {
    match work {
        Work::Event(Event::Chatted(chatted)) => Some(chatted.aside.clone()),
        Work::Effect(Effect::CastVote(Ballot { aside, .. })) => aside.as_deref().cloned(),
        Work::Event(_) | Work::Effect(_) | Work::Look(_) => None,
    }
}

/// The comment of a job that is given up. Whose it is may never have been read: then it is nobody's.
fn given_up(work: &Work) -> Option<TakenCommand> {
    let Work::Event(Event::Commented { comment, at, heard }) = work else { return None };
    let by = match heard {
        Heard::Hook { author, .. } => *author,
        Heard::Poll => UserId(0),
    };
    Some(TakenCommand {
        source: comment.key(),
        place: comment.conversation.key(),
        line: TakenCommand::WHOLE,
        by,
        at: *at,
        outcome: TakenCommand::GIVEN_UP.to_owned(),
        named: true,
    })
}

/// Longer the longer it has waited already: whoever waits for others doesn't ask the forge every second. Where a clock was
/// set back nobody knows how long that is.
fn growing(waited: SignedDuration) -> SignedDuration {
    if waited.is_negative() {
        return SOON;
    }
    (waited / 8).clamp((waited / 2).clamp(AT_ONCE, SOON), SignedDuration::from_mins(1))
}

/// Releases, rejections and periodic looks never die.
fn may_die(work: &Work) -> bool {
    use crate::domain::effect::Look;
    match work {
        Work::Effect(Effect::Release { .. } | Effect::Reject { .. })
        | Work::Look(Look::Open { .. } | Look::Sweep { .. } | Look::Missed { .. }) => false,
        Work::Effect(
            Effect::CastVote(_)
            | Effect::SyncCard { .. }
            | Effect::SyncButtons { .. }
            | Effect::Report { .. }
            | Effect::SyncNotice { .. }
            | Effect::Whisper { .. }
            | Effect::Reply { .. }
            | Effect::Say { .. }
            | Effect::React { .. },
        )
        | Work::Event(_)
        | Work::Look(
            Look::Run { .. } | Look::Project { .. } | Look::Deployment { .. } | Look::Comments { .. },
        ) => true,
    }
}

/// 2, 4, 8 … seconds, at most [`LONGEST`].
fn backoff(attempts: u32) -> SignedDuration {
    SignedDuration::from_secs(1_i64.checked_shl(attempts.min(30)).unwrap_or(i64::MAX)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::at_first(0, 50)]
    #[case::clock_moved_back(-5_000, 1_000)]
    #[case::soon(400, 200)]
    #[case::before_long(2_000, 1_000)]
    #[case::as_long(8_000, 1_000)]
    #[case::later(80_000, 10_000)]
    #[case::at_most(86_400_000, 60_000)]
    fn who_waits_for_others_asks_less_and_less_often(#[case] waited: i64, #[case] pause: i64) {
        let pause_after = growing(SignedDuration::from_millis(waited));
        assert_eq!(pause_after, SignedDuration::from_millis(pause));
    }
}
