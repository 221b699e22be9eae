//! What to try next: one sentence, chosen by what has happened so far.

use super::super::world::{BOT, World};
use super::view::Trouble;
use crate::sim::gitlab::NoteView;

/// The next thing worth trying.
pub(crate) fn next(world: &World, notes: &[NoteView], trouble: &Trouble) -> &'static str {
    if trouble.outage {
        return "GitLab answers 500 to every call. Comment all the same: the webhook is on disk, and everything \
                is made up for when GitLab is back.";
    }
    if trouble.losing {
        return "The next webhook gets lost. Write an approval: there is no answer at first, until Countersign \
                looks for itself, every 5 seconds.";
    }
    let Some(newest) = world.newest("production") else {
        return "Press “Deploy to production” to give dana's branch something to wait for.";
    };
    match newest.status.as_str() {
        "blocked" if trouble.last_lost && notes.last().is_some_and(|note| note.author != BOT) => {
            "No answer: that webhook was lost. Countersign looks for itself every 5 seconds, and finds the comment."
        }
        "blocked" => while_blocked(notes, &newest.user),
        "created" | "running" => "The job runs, started by the bot. It is done in a moment.",
        "success" if trouble.lost == 0 => {
            "It is deployed. Deploy again, then press “Lose the next webhook” and approve: a lost webhook changes \
             nothing."
        }
        "success" => {
            "It is deployed. Deploy again, make GitLab answer 500 and approve: the answers come when it is back."
        }
        _ => {
            "One rejection was final, and GitLab retries no rejected job. Deploy again: approvals of the new \
             deployment start at zero."
        }
    }
}

fn while_blocked(notes: &[NoteView], creator: &str) -> &'static str {
    let after_card = notes.iter().rposition(|note| note.body.contains("To decide, write"));
    let Some(after_card) = after_card else {
        return "Production is blocked, and Countersign is about to post its card.";
    };
    let said = |who: &str| {
        let mut since = notes.iter().skip(after_card);
        since.any(|note| note.author == who && note.body.contains("approve"))
    };
    let others = ["alice", "bob"].into_iter().filter(|who| *who != creator);
    let spoken = others.filter(|who| said(who)).count();
    match (said(creator), said("mallory"), spoken) {
        (false, _, 0) => {
            "Be the person who started it, and approve it. Creators can't approve their own deployments."
        }
        (true, false, 0) => "Now try as mallory, whom the policy doesn't name.",
        (_, _, 0) => "Be alice and write “@countersign approve production”. Two such approvals are needed.",
        (_, _, _) if notes.iter().filter(|note| note.author == BOT).count() > 6 => {
            "Another approver makes it two. Or reject it, with a reason: one rejection is final."
        }
        (_, _, _) => "One of two. Now be bob and approve; the job then starts by itself.",
    }
}
