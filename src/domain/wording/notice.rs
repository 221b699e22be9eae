//! The message in a channel, in words.

use super::answer::{standing_of, status_line};
use super::card::{creators, held, job_words, rule_lines, typed, word};
use super::{Block, Line, Prose, Spelling, Terms};
use crate::domain::chat::Offer;
use crate::domain::deployment::{Deployment, Status};
use crate::domain::id::short_sha;
use crate::domain::ledger::{Entry, Hold, Outcome, Source, Undone, Vote, Word};
use crate::domain::notice::{Changes, Fact, Notice, Since};
use crate::domain::policy::Gate;

/// What a message is made of, beside the deployments that it is about.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// How commands are spelt in this chat.
    pub spelling: &'a Spelling,
    /// The words of their forge.
    pub terms: &'a Terms,
    /// What they would change.
    pub changes: Option<&'a Changes>,
}

/// The message about a deployment and its siblings, without buttons and mentions; `None` if there are none.
pub fn notice(deployments: &[Deployment], around: &Around<'_>) -> Option<Notice> {
    let first = deployments.iter().max_by_key(|d| d.age())?;
    let waiting = deployments.iter().find(|d| d.status == Status::Blocked && !d.superseded);
    let notice = Notice {
        headline: headline(first, deployments),
        standing: deployments.iter().map(|d| standing(d, deployments.len() > 1)).collect(),
        facts: facts(first, deployments, around.changes),
        changes: around.changes.and_then(|changes| changes.since.as_ref()).map_or_else(Prose::default, since),
        how_to: waiting.map_or_else(Prose::default, |waiting| how_to(waiting, around.spelling)),
        mentions: Vec::new(),
        offer: None,
        url: first.description.url.clone(),
    };
    Some(in_terms(notice, around.terms))
}

/// What its buttons stand for: everything that still takes votes and wasn't overtaken.
pub fn offer(deployments: &[Deployment], reason_needed: bool, generation: i64) -> Option<Offer> {
    let open: Vec<&Deployment> = deployments
        .iter()
        .filter(|d| d.status.takes_votes() && !d.superseded && !d.is_handed_over())
        .collect();
    let description = &open.first()?.description;
    Some(Offer {
        subject: description.notify.as_ref()?.subject.clone(),
        numbers: open.iter().map(|d| d.description.number).collect(),
        environment: description.environment.clone(),
        sha: description.sha.clone(),
        reason_needed,
        generation,
    })
}

/// The same message while a button of it is being carried out.
pub fn being_carried_out(mut notice: Notice, word: Word, by: &str) -> Notice {
    let what = match word {
        Word::Approved => "Approval",
        Word::Rejected => "Rejection",
        Word::Revoked => "Revocation",
    };
    notice.standing = vec![Line::of(format!("{what} by ")).foreign(by).text(" is being carried out…")];
    notice.offer = None;
    notice
}

fn in_terms(notice: Notice, terms: &Terms) -> Notice {
    Notice {
        headline: notice.headline.in_terms(terms),
        standing: notice.standing.into_iter().map(|line| line.in_terms(terms)).collect(),
        facts: notice
            .facts
            .into_iter()
            .map(|f| Fact { name: f.name, text: f.text.in_terms(terms) })
            .collect(),
        changes: notice.changes.in_terms(terms),
        how_to: notice.how_to.in_terms(terms),
        ..notice
    }
}

fn headline(first: &Deployment, all: &[Deployment]) -> Line {
    let description = &first.description;
    let line =
        Line::default().foreign(&description.project.path).text(" → ").foreign(&description.environment);
    let status = if all.iter().all(|d| d.superseded && !d.status.is_final()) {
        "overtaken"
    } else if all.iter().all(|d| d.status == first.status) {
        let filled = first.status == Status::Blocked && all.iter().all(|d| super::missing(d) == 0);
        if filled { "not released yet" } else { word(first.status) }
    } else {
        "in part"
    };
    line.text(format!(": {status}"))
}

fn standing(deployment: &Deployment, several: bool) -> Line {
    let name = Line::default().strong(format!("d{}", deployment.description.number));
    let name = match &deployment.description.job_name {
        Some(job) if several => name.text(" ").foreign(job),
        Some(_) | None => name,
    };
    let mut line = name.text(": ").then(standing_of(deployment));
    if let Some(decided) = decided_by(deployment) {
        line = line.text(" ").then(decided);
    }
    if let (Some(Outcome::Waiting(hold)), Status::Approved) = (&deployment.outcome, deployment.status) {
        line = line.text(" ").then(held(*hold));
    }
    if deployment.superseded && !deployment.status.is_final() {
        line = line.text(" A later deployment of this environment was started; approve this one by its number if you mean it.");
    }
    line
}

/// Who approved what was released. Of a rejection its standing tells already.
fn decided_by(deployment: &Deployment) -> Option<Line> {
    match deployment.status {
        Status::Releasing
        | Status::Approved
        | Status::Released
        | Status::Passed
        | Status::Deployed
        | Status::Failed => {}
        Status::Blocked
        | Status::Rejecting
        | Status::Rejected
        | Status::Cancelled
        | Status::Bypassed
        | Status::Gone => return None,
    }
    let approvers: Vec<_> = deployment.standing.iter().flat_map(|rule| rule.filled_by.clone()).collect();
    (!approvers.is_empty()).then(|| Line::of("Approved by ").people(&approvers).text("."))
}

fn facts(first: &Deployment, all: &[Deployment], changes: Option<&Changes>) -> Vec<Fact> {
    let description = &first.description;
    let short = short_sha(&description.sha);
    let commit = match changes.and_then(|changes| changes.commit_url.as_ref()) {
        Some(url) => Line::default().link(short, url),
        None => Line::default().code(short),
    };
    let commit = description.title.iter().fold(commit, |line, title| line.text(" ").foreign(title));
    let mut facts = vec![
        Fact { name: "Environment", text: Line::default().code(&description.environment) },
        Fact { name: "Commit", text: commit.text(" from ").code(&description.ref_name) },
    ];
    let creators = creators(first);
    if !creators.is_empty() {
        facts.push(Fact { name: "Started by", text: Line::default().people(&creators) });
    }
    let waits = all.iter().any(|d| d.status.takes_votes());
    let since = if waits { "Waiting since" } else { "Asked for at" };
    facts.push(Fact { name: since, text: Line::default().when(description.blocked_at) });
    for deployment in all.iter().filter(|d| d.status.takes_votes()) {
        for rule in rule_lines(deployment) {
            let line = if all.len() > 1 { job_words(deployment).text(": ").then(rule) } else { rule };
            facts.push(Fact { name: "Approvals", text: line });
        }
    }
    facts
}

/// What it would change against what was deployed last.
fn since(since: &Since) -> Prose {
    let old = short_sha(&since.sha);
    let none = since.count.unwrap_or(0) == 0 && since.commits.is_empty();
    let line = match (since.count, since.back) {
        (_, true) if none => Line::of("Not a step forward: what was deployed last, "),
        (Some(0), _) => Line::of("No new commit since "),
        (Some(1), _) => Line::of("1 new commit since "),
        (Some(count), _) => Line::of(format!("{count} new commits since ")),
        (None, _) => Line::of("New commits since "),
    };
    let line = match &since.compare_url {
        Some(url) => line.link(old, url),
        None => line.code(old),
    };
    let line = match (since.back, since.commits.is_empty()) {
        (true, _) if none => line.text(", has commits that this one lacks."),
        (true, true) => line.text(", which has commits that this one lacks."),
        (true, false) => line.text(", which has commits that this one lacks:"),
        (false, true) => line.text("."),
        (false, false) => line.text(":"),
    };
    let mut blocks = vec![Block::Paragraph(line)];
    for commit in &since.commits {
        let line = Line::default().code(short_sha(&commit.sha)).text(" ").foreign(&commit.title);
        let line = commit.author.iter().fold(line, |line, author| line.text(" (").foreign(author).text(")"));
        blocks.push(Block::Item(0, line));
    }
    let listed = u32::try_from(since.commits.len()).unwrap_or(u32::MAX);
    let more = since.count.unwrap_or(0).saturating_sub(listed);
    if more > 0 && listed > 0 {
        blocks.push(Block::Item(0, Line::of(format!("and {more} more"))));
    }
    Prose(blocks)
}

fn how_to(waiting: &Deployment, spelling: &Spelling) -> Prose {
    let name = typed(&waiting.description.environment);
    let mut blocks = vec![Block::Paragraph(
        Line::of("Press a button, or write ")
            .code(spelling.command(&format!("approve {name}")))
            .text(" or ")
            .code(spelling.command(&format!("reject {name} reason")))
            .text("; ")
            .code(spelling.command(&format!("why {name}")))
            .text(" explains."),
    )];
    if waiting.description.within_reach == Some(false) {
        blocks.push(Block::Paragraph(super::card::out_of_reach()));
    }
    if waiting.description.gate == Gate::ManualJob {
        blocks.push(Block::Paragraph(super::card::advisory()));
    }
    Prose(blocks)
}

/// What a thread is told of one new entry; `None` for what the message itself shows well enough.
pub fn news(deployment: &Deployment, entry: &Entry, terms: &Terms) -> Option<Line> {
    let number = Line::default().strong(format!("d{}", deployment.description.number)).text(": ");
    let line = match entry {
        Entry::Voted { vote, .. } if is_repeated(deployment, vote) => return None,
        Entry::Voted { vote, .. } => number.then(spoken(vote)),
        Entry::ReleaseUndone { why: Undone::NoLongerApproved, .. } => number.text(
            "it was about to be released, but an approver no longer counts, or a fact could not be read. It is blocked again.",
        ),
        Entry::ReleaseUndone { why: Undone::Revoked, .. } => number.text("it is blocked again."),
        Entry::Settled { outcome } => number.then(outcome_words(outcome)),
        Entry::Superseded => number.text("a later deployment of this environment was started."),
        Entry::Opened { .. }
        | Entry::Asked { .. }
        | Entry::Releasing { .. }
        | Entry::Rejecting { .. }
        | Entry::Placed { .. } => return None,
    };
    Some(line.in_terms(terms))
}

/// Somebody has said this already, and nothing else since.
fn is_repeated(deployment: &Deployment, vote: &Vote) -> bool {
    let before = deployment.votes.iter().take_while(|known| *known != vote);
    let last = before.filter(|known| known.by.id == vote.by.id).last();
    last.is_some_and(|last| last.word == vote.word)
}

fn spoken(vote: &Vote) -> Line {
    let line = Line::default().person(&vote.by);
    let line = line.text(match vote.word {
        Word::Approved => " approved",
        Word::Rejected => " rejected",
        Word::Revoked => " took back an approval",
    });
    let line = match &vote.source {
        Source::Comment { .. } => line.text(" in a comment"),
        Source::Forge => line.text(" in ").forge().text("'s own pages"),
        Source::Button { .. } => line.text(" by a button in ").forge(),
        Source::Chat { chat, .. } => line.text(format!(" in {chat}")),
    };
    match &vote.reason {
        Some(reason) => line.text(": ").foreign(reason),
        None => line.text("."),
    }
}

fn outcome_words(outcome: &Outcome) -> Line {
    match outcome {
        Outcome::Waiting(
            hold @ (Hold::StartByHand | Hold::OtherRules | Hold::StartRefused | Hold::VoteRefused),
        ) => Line::of("it is approved. ").then(held(*hold)),
        Outcome::Started => Line::of("it was released."),
        Outcome::StartedBy(Some(by)) => Line::default().person(by).text(" started it."),
        Outcome::StartedBy(None) => Line::of("somebody started it."),
        Outcome::Deployed => Line::of("it is deployed."),
        Outcome::Failed => Line::of("its job failed."),
        Outcome::Rejected => Line::of("it was rejected in ").forge().text(", and will not run."),
        Outcome::Cancelled => Line::of("its job was cancelled."),
        Outcome::AskedAgain => Line::of("its run asked again."),
        Outcome::Strayed => Line::of(
            "its run was started again while it was being released. The release may have gone to the new attempt: look at the run.",
        ),
        Outcome::Bypassed(Some(by)) => Line::default().person(by).text(" started it past its gate."),
        Outcome::Bypassed(None) => {
            Line::of("it was started past its gate, in ").forge().text("'s own pages.")
        }
        Outcome::Gone => Line::of("it no longer exists in ").forge().text("."),
    }
}

/// How a message stands that can't be edited any more, for its thread.
pub fn now(deployments: &[Deployment], terms: &Terms) -> Prose {
    let mut blocks = vec![Block::Paragraph(Line::of(
        "The message above can no longer be edited; its buttons may be out of date. How it stands now:",
    ))];
    blocks.extend(deployments.iter().map(|d| Block::Item(0, status_line(d).in_terms(terms))));
    Prose(blocks)
}
