//! What to try next on a forge or in the channel: one sentence, chosen by what has happened so far.

use super::super::world::{Forge, OnSlack, Said, Shop, State};
use super::view::Trouble;
use crate::sim::slack::Button;

/// The next thing worth trying.
pub(crate) fn next(forge: Forge, shop: &dyn Shop, said: &[Said], trouble: &Trouble) -> String {
    if trouble.outage {
        return format!(
            "{} answers 500 to every call. Comment all the same: the webhook is on disk, and everything is made up \
             for when it is back.",
            forge.name()
        );
    }
    if trouble.losing {
        return "The next webhook gets lost. Write an approval: there is no answer at first, until Countersign \
                looks for itself, every 5 seconds."
            .to_owned();
    }
    let Some(newest) = shop.standing("production") else { return first(forge).to_owned() };
    match newest.state {
        State::Blocked if trouble.last_lost && said.last().is_some_and(|last| !last.by_bot) => {
            "No answer: that webhook was lost. Countersign looks for itself every 5 seconds, and finds the comment."
                .to_owned()
        }
        State::Blocked => while_blocked(forge, said, &newest.creator),
        State::Running => "The job runs. It is done in a moment.".to_owned(),
        State::Deployed => when_deployed(forge, trouble),
        State::Stopped => when_stopped(forge).to_owned(),
    }
}

fn first(forge: Forge) -> &'static str {
    match forge {
        Forge::GitLab => "Press “Deploy to production” to give dana's branch something to wait for.",
        Forge::GitHub => "Press “Run workflow” to give dana's branch something to wait for.",
    }
}

fn while_blocked(forge: Forge, said: &[Said], creator: &str) -> String {
    let card = said.iter().rposition(|said| said.by_bot && said.body.contains("To decide, write"));
    let Some((at, card)) = card.and_then(|at| Some((at, said.get(at)?))) else {
        return "Production is blocked, and Countersign is about to post its card.".to_owned();
    };
    let tried =
        |who: &str| said.iter().skip(at).any(|said| said.author == who && said.body.contains("approve"));
    if card.body.contains("1 of 2 from") {
        return one_of_two(forge).to_owned();
    }
    if !tried(creator) {
        return "Be the person who started it, and approve it. Creators can't approve their own deployments."
            .to_owned();
    }
    if !tried("mallory") {
        return "Now try as mallory, whom the policy doesn't name.".to_owned();
    }
    format!("Be alice and write “{}”. Two such approvals are needed.", forge.approval())
}

fn one_of_two(forge: Forge) -> &'static str {
    match forge {
        Forge::GitLab => "One of two. Now be bob and approve; the job then starts by itself.",
        Forge::GitHub => {
            "One of two. Now be bob and press Approve in the check run; the job then goes on by itself."
        }
    }
}

fn when_deployed(forge: Forge, trouble: &Trouble) -> String {
    if trouble.lost == 0 {
        return "It is deployed. Deploy again, then press “Lose the next webhook” and approve: a lost webhook \
                changes nothing."
            .to_owned();
    }
    format!(
        "It is deployed. Deploy again, make {} answer 500 and approve: the answers come when it is back.",
        forge.name()
    )
}

fn when_stopped(forge: Forge) -> &'static str {
    match forge {
        Forge::GitLab => {
            "One rejection was final, and GitLab retries no rejected job. Deploy again: approvals of the new \
             deployment start at zero."
        }
        Forge::GitHub => {
            "One rejection was final. Re-run all jobs: approvals start at zero. bob, an administrator, may then \
             start them past the rule, and the ledger says so."
        }
    }
}

/// The next thing worth trying in the channel.
pub(crate) fn in_channel(slack: &OnSlack) -> &'static str {
    let cards = slack.cards();
    let Some(newest) = cards.last() else {
        return "Deploy on either forge. What waits for approval is told here.";
    };
    let open = |button: &Button| button.action_id == "approve";
    if !newest.buttons.iter().any(open) {
        return "The newest card is final, and its thread says who said what. Deploy again and press Reject: a form asks why.";
    }
    if newest.seen.contains("1 of 2 from") {
        return "One of two. bob may press Approve here, or comment on the forge: both count the same.";
    }
    if cards.iter().filter(|card| card.buttons.iter().any(open)).count() > 1 {
        return "Several deployments wait. Write “/deploy blocked”: you get them as a list with buttons of its own.";
    }
    "Press Approve as mallory, then as dana: only they see the answer. Then be alice, whose approval counts."
}
