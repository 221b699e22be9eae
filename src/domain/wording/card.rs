//! The card in words: one section for each environment, one line for each job, how to act.

use super::answer::standing_of;
use super::{Block, Line, Prose, Spelling, grantees};
use crate::domain::actor::{Account, Known};
use crate::domain::card::{Card, Section};
use crate::domain::decide;
use crate::domain::deployment::{Deployment, Status};
use crate::domain::facts::Facts;
use crate::domain::id::{Place, short_sha};
use crate::domain::ledger::{Hold, Outcome, RuleStanding, Word};
use crate::domain::policy::Gate;
use std::collections::BTreeMap;

/// How many older deployments of an environment the card still names.
const OLDER_SHOWN: usize = 5;

/// The whole card.
pub fn card(card: &Card<'_>, spelling: &Spelling) -> Prose {
    let mut blocks = Vec::new();
    for section in &card.sections {
        add_section(&mut blocks, section, spelling);
    }
    Prose(blocks)
}

fn add_section(blocks: &mut Vec<Block>, section: &Section<'_>, spelling: &Spelling) {
    blocks.push(Block::Heading(heading(section)));
    if let Some(first) = section.newest.first() {
        blocks.push(Block::Paragraph(what(first)));
    }
    for deployment in &section.newest {
        blocks.push(Block::Item(0, job_line(deployment)));
        if deployment.status.takes_votes() {
            add_rules(blocks, deployment);
        }
    }
    if let Some(waiting) = section.newest.iter().find(|d| d.status == Status::Blocked && !d.superseded) {
        add_how_to_act(blocks, section, waiting, spelling);
    }
    if !section.older.is_empty() {
        blocks.push(Block::Paragraph(older(section)));
    }
}

fn heading(section: &Section<'_>) -> Line {
    let line = Line::default().code(section.environment);
    let statuses: Vec<Status> = section.newest.iter().map(|d| d.status).collect();
    let all_filled = section.newest.iter().all(|d| super::missing(d) == 0);
    let status = match statuses.first() {
        Some(Status::Blocked) if all_filled && statuses.iter().all(|s| *s == Status::Blocked) => {
            "not released yet"
        }
        Some(first) if statuses.iter().all(|status| status == first) => word(*first),
        _ => "in part",
    };
    line.text(format!(": {status}"))
}

pub(super) fn word(status: Status) -> &'static str {
    match status {
        Status::Blocked => "waiting for approval",
        Status::Approved => "approved",
        Status::Releasing => "being released",
        Status::Rejecting | Status::Rejected => "rejected",
        Status::Released => "running",
        Status::Passed => "released",
        Status::Deployed => "deployed",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
        Status::Bypassed => "started past its gate",
        Status::Gone => "gone",
    }
}

/// The line above the buttons of a deployment: `Waiting for 2 approvals`.
pub fn button_title(deployment: &Deployment) -> String {
    match (deployment.status, super::missing(deployment)) {
        (Status::Blocked, missing) if missing > 0 => format!("Waiting for {}", super::approvals(missing)),
        (status, _) => {
            let word = word(status);
            let (first, rest) = word.split_at_checked(1).unwrap_or_default();
            format!("{}{rest}", first.to_uppercase())
        }
    }
}

/// What stands behind the buttons: who may approve, who has, how to act in words.
pub fn button_summary(deployment: &Deployment, spelling: &Spelling) -> Prose {
    card(&Card::of(std::slice::from_ref(deployment)), spelling)
}

/// How a deployment stands, for the forge's own page of its run.
pub fn report(deployment: &Deployment, spelling: &Spelling) -> Prose {
    let name = typed(&deployment.description.environment);
    let mut blocks = vec![Block::Paragraph(
        Line::default()
            .text(format!("{}. To decide, write ", button_title(deployment)))
            .code(spelling.command(&format!("approve {name}")))
            .text(" or ")
            .code(spelling.command(&format!("reject {name} reason")))
            .text(match deployment.description.conversation.as_ref().map(|at| &at.place) {
                Some(Place::MergeRequest(number)) => format!(" in a comment of #{number}."),
                Some(Place::Commit(_)) | None => " in a comment of its commit.".to_owned(),
            }),
    )];
    add_rules(&mut blocks, deployment);
    Prose(blocks)
}

fn what(deployment: &Deployment) -> Line {
    let description = &deployment.description;
    let mut line = Line::default().code(short_sha(&description.sha));
    if let Some(title) = &description.title {
        line = line.text(" ").foreign(title);
    }
    line = line.text(" from ").code(&description.ref_name);
    let creators = creators(deployment);
    if !creators.is_empty() {
        line = line.text(", started by ").people(&creators);
    }
    let since = if deployment.status.takes_votes() { "waiting since" } else { "asked for at" };
    line.text(format!(", {since} {}.", super::utc(description.blocked_at)))
}

pub(super) fn creators(deployment: &Deployment) -> Vec<Account> {
    let facts = Facts {
        creators: deployment.description.creators.clone(),
        people: BTreeMap::new(),
        holds: BTreeMap::new(),
    };
    match decide::effective_creators(&facts) {
        Known::Fact(creators) => creators,
        Known::Unknown(_) => deployment.description.creators.started_by.clone(),
    }
}

/// `d4711` and the name of its job, with a link.
pub(super) fn job_words(deployment: &Deployment) -> Line {
    let description = &deployment.description;
    let line = Line::default().strong(format!("d{}", description.number));
    match (&description.job_name, &description.url) {
        (Some(job), Some(url)) => line.text(" ").link(job, url),
        (Some(job), None) => line.text(" ").foreign(job),
        (None, _) => line,
    }
}

fn job_line(deployment: &Deployment) -> Line {
    let mut line = job_words(deployment).text(": ").then(standing_of(deployment));
    if let Some(Outcome::Waiting(hold)) = &deployment.outcome
        && deployment.status == Status::Approved
    {
        line = line.text(" ").then(held(*hold));
    }
    if deployment.superseded && !deployment.status.is_final() {
        line = line.text(" A later deployment of this environment was started; approve this one by its number if you mean it.");
    }
    line
}

pub(super) fn held(hold: Hold) -> Line {
    match hold {
        Hold::StartByHand => {
            Line::of("This environment is set not to start by itself: somebody starts the job.")
        }
        Hold::OtherRules => Line::default()
            .forge()
            .text(" asks for further approvals there, beside the one that was given for all of you."),
        Hold::StartRefused => Line::default()
            .forge()
            .text(" does not let this bot start the job: somebody who may deploy starts it, or approves here again once the bot may."),
        Hold::VoteRefused => Line::default()
            .forge()
            .text(" does not let this bot approve it: an approval rule for the bot is missing, ")
            .code("countersign check")
            .text(" tells which. Approve here again once it is there."),
    }
}

fn add_rules(blocks: &mut Vec<Block>, deployment: &Deployment) {
    blocks.extend(rule_lines(deployment).into_iter().map(|line| Block::Item(1, line)));
    if deployment.description.within_reach == Some(false) {
        blocks.push(Block::Item(1, out_of_reach()));
    }
}

/// How each rule stands: "1 of 2 from maintainers and above: alice".
pub(super) fn rule_lines(deployment: &Deployment) -> Vec<Line> {
    let line = |rule: &RuleStanding| {
        let line = Line::of(format!("{} of {} from ", rule.filled_by.len(), rule.required));
        let line = grantees(line, &rule.grantees);
        if rule.filled_by.is_empty() { line } else { line.text(": ").people(&rule.filled_by) }
    };
    deployment.standing.iter().map(line).collect()
}

pub(super) fn out_of_reach() -> Line {
    Line::of(
        "Nobody is left who could approve this: those whom the policy names are too few or started it themselves, or no person started it at all. Somebody has to be added to the policy or its groups.",
    )
}

/// Gate `manual_job`: what it can't hold.
pub(super) fn advisory() -> Line {
    Line::of("Its gate is a manual job: whoever may run the job can also start it in ")
        .forge()
        .text(", and that would be recorded here as past the gate.")
}

fn add_how_to_act(blocks: &mut Vec<Block>, section: &Section<'_>, waiting: &Deployment, spelling: &Spelling) {
    let approve = spelling.command(&format!("approve {}", typed(section.environment)));
    let reject = spelling.command(&format!("reject {} reason", typed(section.environment)));
    blocks.push(Block::Paragraph(
        Line::of("To decide, write ")
            .code(approve)
            .text(" or ")
            .code(reject)
            .text(" in a comment; ")
            .code(spelling.command("why"))
            .text(" explains."),
    ));
    if waiting.description.gate == Gate::ManualJob {
        blocks.push(Block::Paragraph(advisory()));
    }
}

/// An environment name as it has to be typed.
pub(super) fn typed(environment: &str) -> String {
    if environment.contains(char::is_whitespace) {
        format!("\"{environment}\"")
    } else {
        environment.to_owned()
    }
}

fn older(section: &Section<'_>) -> Line {
    let mut line = Line::of("Earlier: ");
    for (index, deployment) in section.older.iter().take(OLDER_SHOWN).enumerate() {
        let status = if deployment.superseded && deployment.status == Status::Blocked {
            "superseded"
        } else {
            word(deployment.status)
        };
        let separator = if index == 0 { "" } else { ", " };
        line = line
            .text(format!("{separator}d{} (", deployment.description.number))
            .code(short_sha(&deployment.description.sha))
            .text(format!(") {status}"));
    }
    let more = section.older.len().saturating_sub(OLDER_SHOWN);
    if more > 0 { line.text(format!(" and {more} more.")) } else { line.text(".") }
}

/// Whose approvals count, for the comment that goes with the bot's vote: `alice, bob`.
pub fn approval_comment(approvers: &[Account]) -> String {
    let names: Vec<&str> = approvers.iter().map(|approver| approver.username.as_str()).collect();
    format!("Approved through Countersign by {}.", names.join(", "))
}

/// Who rejected and why, for the comment that goes with the bot's vote.
pub fn rejection_comment(deployment: &Deployment) -> String {
    let Some(rejection) = deployment.votes.iter().rev().find(|vote| vote.word == Word::Rejected) else {
        return "Rejected through Countersign.".to_owned();
    };
    let reason = rejection.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("Rejected through Countersign by {}{reason}", rejection.by.username)
}
