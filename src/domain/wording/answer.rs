//! What we answer to a command: one paragraph or list for each.

use super::{Block, Line, Prose, Span, Spelling, approvals, grantees};
use crate::domain::actor::Account;
use crate::domain::deployment::{Deployment, Description, Status};
use crate::domain::id::short_sha;
use crate::domain::ledger::{Outcome, Word};
use crate::domain::policy::Rule;
use crate::domain::verdict::WhyNot;

/// The approval counts, more are needed.
pub fn approval_counted(deployment: &Description, missing: u32) -> Prose {
    Prose::paragraph(
        Line::of("Your approval of ")
            .subject(deployment)
            .text(format!(" counts. {} still missing.", still(missing))),
    )
}

/// The approval counts, but something could not be checked or isn't in place.
pub fn approval_counted_but_blocked(deployment: &Description, obstacle: Line) -> Prose {
    Prose::paragraph(
        Line::of("Your approval of ")
            .subject(deployment)
            .text(" is recorded, but it stays blocked: ")
            .then(obstacle),
    )
}

/// That was the last one.
pub fn approval_releases(deployment: &Description, starts: bool) -> Prose {
    let line = Line::of("Your approval of ").subject(deployment).text(" was the last one needed. ");
    Prose::paragraph(if starts {
        line.text("It is being started.")
    } else {
        line.text(
            "It is approved; this environment is set not to start by itself, so somebody starts the job.",
        )
    })
}

/// All approvals were there already, and something had kept it from being released.
pub fn release_tried_again(deployment: &Description) -> Prose {
    Prose::paragraph(
        Line::default().subject(deployment).text(" has all its approvals; its release is tried again."),
    )
}

/// The same word again.
pub fn already_said(deployment: &Description, word: Word) -> Prose {
    let line = Line::of("You have already ").text(past(word)).text(" ").subject(deployment);
    Prose::paragraph(line.text("; nothing has changed."))
}

/// A later word of the same person is known: this one came late.
pub fn later_word_stands(deployment: &Description, later: Word) -> Prose {
    let line = Line::of("This comment is older than your last word on ").subject(deployment);
    Prose::paragraph(line.text(format!(", which was to {}. That one stands.", present(later))))
}

/// The rejection is final.
pub fn rejection_final(deployment: &Description) -> Prose {
    let line = Line::of("You rejected ").subject(deployment);
    Prose::paragraph(
        line.text(". One rejection is final: the deployment fails. To deploy after all, start its ")
            .pipeline()
            .text(" again."),
    )
}

/// A rejection needs a reason.
pub fn reason_needed(deployment: &Description, spelling: &Spelling) -> Prose {
    let example = spelling.command(&format!("reject {} the migration is not ready", deployment.environment));
    let line = Line::of("Rejecting ")
        .subject(deployment)
        .text(" needs a reason, so that its creator knows what to mend: ");
    Prose::paragraph(line.code(example))
}

/// The approval is taken back.
pub fn revoked(deployment: &Description, missing: u32) -> Prose {
    let line = Line::of("Your approval of ").subject(deployment);
    Prose::paragraph(line.text(format!(" is taken back. {} still missing.", still(missing))))
}

/// There was no approval; the word is kept so that an older one arriving late doesn't count.
pub fn nothing_to_revoke(deployment: &Description) -> Prose {
    let line = Line::of("You have no approval of ").subject(deployment);
    Prose::paragraph(
        line.text(" to take back. Approvals of yours written before this comment will not count."),
    )
}

/// The forge keeps the vote.
pub fn handed_over(deployment: &Description) -> Prose {
    let line = Line::of("The approval of ").subject(deployment);
    Prose::paragraph(
        line.text(" has been handed to ").forge().text(", which can't take one back. To stop it, ").then(
            if deployment.gate.decides_once() {
                Line::of("cancel its ").pipeline().text(".")
            } else {
                Line::of("reject it or cancel its job.")
            },
        ),
    )
}

/// The person may not do this.
pub fn refused(deployment: &Description, word: Word, why: &WhyNot, rules: &[Rule]) -> Prose {
    let act = present(word);
    let line = Line::of(format!("You can't {act} ")).subject(deployment).text(": ");
    Prose::paragraph(match why {
        WhyNot::Creator => line
            .text("you started it, and creators don't approve their own deployments. Ask somebody else")
            .then(who_may(rules))
            .text(". You may still reject it if the policy names you."),
        WhyNot::Bot => line.text("bots don't vote. A person has to."),
        WhyNot::Inactive => line.text("your account is not active. An administrator can activate it."),
        WhyNot::NotNamed => {
            line.text("its policy doesn't name you. Ask somebody who may").then(who_may(rules)).text(".")
        }
        WhyNot::NotNeeded => line.text("its rules are filled already."),
        WhyNot::Revoked => line.text("you took your approval back."),
        WhyNot::Unknown(why) => line
            .text("it could not be checked whether you may (")
            .foreign(why)
            .text("), and what can't be checked doesn't count. Try again, or ask who runs this bot to run ")
            .code("countersign check")
            .text("."),
    })
}

/// ": members of `acme/sre` or …", as the tail of a sentence.
fn who_may(rules: &[Rule]) -> Line {
    let mut line = Line::of(" (");
    for (index, rule) in rules.iter().enumerate() {
        if index > 0 {
            line = line.text("; ");
        }
        line = grantees(line, &rule.grantees);
    }
    line.text(")")
}

/// The deployment takes no votes any more.
pub fn not_waiting(deployment: &Deployment, word: Word) -> Prose {
    let line =
        Line::of(format!("It is too late to {} ", present(word))).subject(&deployment.description).text(": ");
    Prose::paragraph(line.then(standing_of(deployment)))
}

/// The forge shows that it no longer waits, which we had not heard of yet.
pub fn moved_away(deployment: &Description) -> Prose {
    let line = Line::default().subject(deployment).text(" no longer waits in ").forge();
    Prose::paragraph(line.text(", so nothing was decided. Its card will tell what happened."))
}

/// One sentence on where a deployment stands.
pub fn standing_of(deployment: &Deployment) -> Line {
    match deployment.status {
        Status::Blocked if super::missing(deployment) == 0 => {
            Line::of("its approvals are there, but it is not released yet.")
        }
        Status::Blocked => Line::of(format!(
            "it is blocked, {} still missing.",
            still(super::missing(deployment)).to_lowercase()
        )),
        Status::Approved => Line::of("it is approved and waits to be started."),
        Status::Releasing => Line::of("it is approved and being released."),
        Status::Rejecting | Status::Rejected => rejected_by(deployment),
        Status::Released => started_by(deployment),
        Status::Passed => Line::of("it was approved and released; its run then asked again."),
        Status::Deployed => Line::of("it is deployed."),
        Status::Failed => Line::of("its job failed. Retry the job for a new deployment."),
        Status::Cancelled if deployment.outcome == Some(Outcome::Strayed) => Line::of(
            "its run was started again while it was being released. The release may have gone to the new attempt: look at the run.",
        ),
        Status::Cancelled => Line::of("its job was cancelled. Retry the job for a new deployment."),
        Status::Bypassed => match &deployment.outcome {
            Some(Outcome::Bypassed(Some(by))) => {
                Line::of("it was started past its gate by ").person(by).text(".")
            }
            _ => Line::of("it was started past its gate, in ").forge().text("'s own pages."),
        },
        Status::Gone => Line::of("it no longer exists in ").forge().text("."),
    }
}

fn started_by(deployment: &Deployment) -> Line {
    match &deployment.outcome {
        Some(Outcome::StartedBy(Some(by))) => {
            Line::of("it was approved, and ").person(by).text(" started it.")
        }
        _ => Line::of("it was approved and has been started."),
    }
}

fn rejected_by(deployment: &Deployment) -> Line {
    let rejection = deployment.votes.iter().rev().find(|vote| vote.word == Word::Rejected);
    let Some(vote) = rejection else {
        return Line::of("it was rejected in ")
            .forge()
            .text(". Start its ")
            .pipeline()
            .text(" again for a new deployment.");
    };
    let line = Line::of("it was rejected by ").person(&vote.by);
    let line = match &vote.reason {
        Some(reason) => line.text(" (").foreign(reason).text(")"),
        None => line,
    };
    line.text(". One rejection is final; start its ").pipeline().text(" again for a new deployment.")
}

/// The forge took the person's vote (`vote_as = "sudo"`).
pub fn vote_taken(deployment: &Description, word: Word, pending: u32) -> Prose {
    let line =
        Line::default().forge().text(" recorded that you ").text(past(word)).text(" ").subject(deployment);
    Prose::paragraph(match (word, pending) {
        (Word::Rejected, _) => line.text(". One rejection is final: the deployment fails."),
        (Word::Approved | Word::Revoked, 0) => line.text(". That was the last approval needed."),
        (Word::Approved | Word::Revoked, missing) => {
            line.text(format!(". {} still missing.", still(missing)))
        }
    })
}

/// The forge refused the person's vote.
pub fn vote_refused(deployment: &Description, word: Word, why: Line) -> Prose {
    let line =
        Line::default().forge().text(" did not let you ").text(present(word)).text(" ").subject(deployment);
    Prose::paragraph(line.text(": ").then(why))
}

/// The forge's own words for a refusal, in ours.
pub fn refusal_words(refusal: &Refusal) -> Line {
    match refusal {
        Refusal::SelfApproval => Line::of(
            "you started it, and this environment doesn't let people approve their own deployments. Somebody else has to.",
        ),
        Refusal::NotProtected => Line::of(
            "the environment is not protected there, or its licence has no deployment approvals. A maintainer can protect it.",
        ),
        Refusal::NoApprovals => Line::of(
            "no approvals are configured for the environment. A maintainer can add an approval rule.",
        ),
        Refusal::NotWaiting => Line::of("it is no longer waiting for approvals."),
        Refusal::NoPermission => {
            Line::of("none of its approval rules names you. Ask somebody whom a rule names.")
        }
        Refusal::NoSuchRule => {
            Line::of("no approval rule of that name admits you. Ask somebody whom a rule names.")
        }
        Refusal::Other(words) => Line::of("it says ").foreign(words),
    }
}

/// Why the forge refused a vote: the wording's view of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The voter started the deployment.
    SelfApproval,
    /// Not protected, or not licensed.
    NotProtected,
    /// No approvals configured.
    NoApprovals,
    /// Not waiting.
    NotWaiting,
    /// No rule admits the voter.
    NoPermission,
    /// The named rule doesn't admit the voter.
    NoSuchRule,
    /// In the forge's own words: foreign text.
    Other(String),
}

/// Nothing waits here.
pub fn nothing_blocked() -> Prose {
    Prose::paragraph(Line::of("No deployment of this conversation waits for approval."))
}

/// Several wait, and the command named none.
pub fn name_one(waiting: &[&Description], verb: &str, spelling: &Spelling) -> Prose {
    let mut prose =
        Prose::paragraph(Line::of("Several deployments wait here, so nothing was decided. Name one:"));
    for deployment in waiting {
        prose.extend(item(
            Line::default()
                .code(spelling.command(&format!("{verb} {}", deployment.environment)))
                .text(" or ")
                .code(spelling.command(&format!("{verb} d{}", deployment.number)))
                .text(" (")
                .code(short_sha(&deployment.sha))
                .text(")"),
        ));
    }
    prose
}

/// The word is no environment that waits here, nor a number.
pub fn unknown_target(word: &str, did_you_mean: Option<&str>, waiting: &[&Description]) -> Prose {
    let line = Line::of("Nothing called ").code(word).text(" waits here, so nothing was decided.");
    let line = match did_you_mean {
        Some(name) => line.text(" Did you mean ").code(name).text("?"),
        None if waiting.is_empty() => line.text(" No deployment of this conversation waits for approval."),
        None => waiting.iter().enumerate().fold(line.text(" Waiting: "), |line, (index, deployment)| {
            let line = if index == 0 { line } else { line.text(", ") };
            line.code(&deployment.environment).text(format!(" d{}", deployment.number))
        }),
    };
    Prose::paragraph(line)
}

/// No such number in this project.
pub fn unknown_number(number: i64) -> Prose {
    Prose::paragraph(Line::of(format!(
        "This project has no deployment d{number} that waits for approval, so nothing was decided."
    )))
}

/// The name means a newer deployment that this comment's writer can't have seen.
pub fn moved_on(older: &Description, newer: &Description, verb: &str, spelling: &Spelling) -> Prose {
    Prose::paragraph(
        Line::of("A newer deployment to ")
            .code(&newer.environment)
            .text(" began to wait before you wrote this, but its card did not show it yet: ")
            .text(format!("d{} (", newer.number))
            .code(short_sha(&newer.sha))
            .text(format!("); the one you saw is d{} (", older.number))
            .code(short_sha(&older.sha))
            .text("). Nothing was decided. Say which: ")
            .code(spelling.command(&format!("{verb} d{}", newer.number)))
            .text(" or ")
            .code(spelling.command(&format!("{verb} d{}", older.number)))
            .text("."),
    )
}

/// A later deployment was started: a name alone doesn't mean this one any more.
pub fn overtaken(deployment: &Description, spelling: &Spelling) -> Prose {
    let line = Line::default().subject(deployment).text(" was overtaken by a later deployment");
    Prose::paragraph(
        line.text(
            ", so a name doesn't approve it: it would put the older commit back. If you mean that, write ",
        )
        .code(spelling.command(&format!("approve d{}", deployment.number)))
        .text("."),
    )
}

/// The deployment began to wait only after the comment was written.
pub fn not_yet_blocked(deployment: &Description) -> Prose {
    let line = Line::default()
        .subject(deployment)
        .text(" began to wait only after you wrote this, so it was not decided. ");
    Prose::paragraph(line.text("Have a look at it and write again."))
}

/// No `[[environment]]` entry covers it.
pub fn no_policy(environment: Option<&str>) -> Prose {
    let line = Line::of("Nothing will happen: no policy covers ");
    let line = match environment {
        Some(name) => line.code(name).text(" in this project."),
        None => line.text("this project."),
    };
    Prose::paragraph(
        line.text(" Whoever runs this bot can add an ")
            .code("[[environment]]")
            .text(" entry to its configuration."),
    )
}

/// An addressed line that can't be read.
pub fn unknown_verb(word: &str, did_you_mean: Option<&str>, spelling: &Spelling) -> Prose {
    let line = Line::of("I don't know ").code(word).text(".");
    let line = match did_you_mean {
        Some(verb) => line.text(" Did you mean ").code(spelling.command(verb)).text("?"),
        None => line,
    };
    Prose::paragraph(line.text(" ").code(spelling.command("help")).text(" lists what works."))
}

/// Too many commands.
pub fn too_many(limit: usize) -> Prose {
    Prose::paragraph(Line::of(format!(
        "A comment can hold at most {limit} commands; this one holds more, so none was carried out. Write them in several comments."
    )))
}

/// Two commands decide on the same deployment.
pub fn two_decisions(deployment: &Description) -> Prose {
    let line = Line::of("Two commands of this comment decide on ").subject(deployment);
    Prose::paragraph(line.text(", so none was carried out. Write the one you mean."))
}

/// A review is about one commit, and another is the head now.
pub fn reviewed_another_commit(about: &str, head: &str) -> Prose {
    Prose::paragraph(
        Line::of("Your review is about ")
            .code(short_sha(about))
            .text(", and the ")
            .request()
            .text(" has moved on to ")
            .code(short_sha(head))
            .text(
                ". Nothing was decided. If you mean the newer commit, write the command again in a comment.",
            ),
    )
}

/// A comment first seen by polling, touched since it was written.
pub fn please_repeat() -> Prose {
    Prose::paragraph(Line::of(
        "I learnt of this comment late, and it was touched since it was written, so I can't tell whether it was edited. Please repeat the command in a new comment.",
    ))
}

/// Merge-request approval is no deployment approval.
pub fn merge_request_hint(by: Account, deployment: &Description, spelling: &Spelling) -> Prose {
    Prose::paragraph(
        Line::default()
            .with(super::Span::Mention(by))
            .text(" approved the ")
            .request()
            .text(" itself. That names no deployment; to approve ")
            .subject(deployment)
            .text(", write ")
            .code(spelling.command(&format!("approve {}", deployment.environment)))
            .text("."),
    )
}

/// The last answer before silence.
pub fn last_answer() -> Prose {
    Prose::paragraph(Line::of(
        "No policy of this project names you, and you have been answered often. Further commands of yours are not answered here for ten minutes.",
    ))
}

/// The command could not be carried out in spite of many attempts.
pub fn gave_up() -> Prose {
    Prose::paragraph(Line::of("This could not be carried out: ").forge().text(" refused, or could not be asked many times over. Nothing was decided. Please write it again, and tell whoever runs this bot."))
}

/// What waits here.
pub fn blocked_list(waiting: &[&Deployment]) -> Prose {
    if waiting.is_empty() {
        return nothing_blocked();
    }
    let mut prose = Prose::paragraph(Line::of("Waiting here:"));
    for deployment in waiting {
        prose.extend(item(status_line(deployment)));
    }
    prose
}

/// Where one deployment stands.
pub fn status_line(deployment: &Deployment) -> Line {
    Line::default().subject(&deployment.description).text(": ").then(standing_of(deployment))
}

fn item(line: Line) -> Prose {
    Prose(vec![super::Block::Item(0, line)])
}

fn still(missing: u32) -> String {
    if missing == 1 { format!("{} is", approvals(missing)) } else { format!("{} are", approvals(missing)) }
}

fn past(word: Word) -> &'static str {
    match word {
        Word::Approved => "approved",
        Word::Rejected => "rejected",
        Word::Revoked => "taken back your approval of",
    }
}

fn present(word: Word) -> &'static str {
    match word {
        Word::Approved => "approve",
        Word::Rejected => "reject",
        Word::Revoked => "revoke",
    }
}

/// A press that arrives behind a later word of the same person.
pub fn pressed_before_your_last_word(deployment: &Description) -> Prose {
    let line = Line::of("Your button for ").subject(deployment);
    Prose::paragraph(line.text(
        " was pressed before your last word on it, and that one stands. If you have changed your mind, press again.",
    ))
}

/// An answer that stands by itself: it begins with whom it answers.
pub fn to_person(account: &Account, text: Prose) -> Prose {
    let mut blocks = text.0;
    if let Some(Block::Paragraph(first)) = blocks.first_mut() {
        let words = std::mem::take(first);
        *first = Line::default().with(Span::Mention(account.clone())).text(" ").then(words);
    }
    Prose(blocks)
}
