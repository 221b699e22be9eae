//! The ledger in sentences.

use super::world::Forge;
use crate::domain::actor::Account;
use crate::domain::deployment::Deployment;
use crate::domain::id::{ForgeName, ProjectId, short_sha};
use crate::domain::ledger::{self, Entry, Hold, Outcome, RuleStanding, Sealed, Source, Undone, Vote, Word};
use crate::domain::wording::{Line, Prose, approvals, grantees};
use crate::ports::store::{Store, StoreError};
use jiff::Timestamp;

/// How many deployments are shown.
const SHOWN: u32 = 12;

/// One deployment's chain, to be read by people.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// Where.
    pub(crate) forge: Forge,
    /// When it was opened.
    pub(crate) since: Timestamp,
    /// `d4711`.
    pub(crate) number: String,
    /// Environment name.
    pub(crate) environment: String,
    /// Where it stands, as one word.
    pub(crate) status: &'static str,
    /// Whether every entry fits its predecessor.
    pub(crate) sound: bool,
    /// Its entries, oldest first.
    pub(crate) entries: Vec<Told>,
}

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// `08:10:31`, UTC.
    pub(crate) at: String,
    /// What it says.
    pub(crate) sentence: String,
    /// The beginning of its hash.
    pub(crate) hash: String,
}

/// The chains of a project's newest deployments, newest first.
pub(crate) async fn read(store: &dyn Store, forge: Forge, project: u64) -> Result<Vec<Chain>, StoreError> {
    let project = ProjectId(i64::try_from(project).unwrap_or_default());
    let mut chains = Vec::new();
    for deployment in store.deployments_of(&ForgeName::new(forge.key()), project, None, SHOWN).await? {
        let sealed = store.ledger(deployment.id()).await?;
        chains.push(chain(forge, &deployment, &sealed));
    }
    Ok(chains)
}

fn chain(forge: Forge, deployment: &Deployment, sealed: &[Sealed]) -> Chain {
    let id = deployment.id();
    let before = std::iter::once(None).chain(sealed.iter().map(Some));
    let sound = before.zip(sealed).all(|(before, entry)| ledger::verify(id, before, entry).is_ok());
    let told = |entry: &Sealed| Told {
        at: entry.at.strftime("%H:%M:%S").to_string(),
        sentence: ledger::open(id, entry)
            .map_or_else(|broken| broken.to_string(), |entry| sentence(&entry, forge)),
        hash: short_sha(&entry.hash).to_owned(),
    };
    Chain {
        forge,
        since: sealed.first().map_or(deployment.description.blocked_at, |first| first.at),
        number: format!("d{}", deployment.description.number),
        environment: deployment.description.environment.clone(),
        status: deployment.status.as_str(),
        sound,
        entries: sealed.iter().map(told).collect(),
    }
}

/// One entry as a sentence, in the words of this forge. It holds foreign text: to be escaped.
fn sentence(entry: &Entry, forge: Forge) -> String {
    let there = forge.name();
    match entry {
        Entry::Opened { description, standing } => {
            let by = names(&description.creators.started_by);
            let sha = short_sha(&description.sha);
            format!("{by} asked to deploy {sha}. It waits for {}.", wanted(standing))
        }
        Entry::Voted { vote, standing, .. } => voted(vote, standing, forge),
        Entry::Releasing { approvers, .. } => {
            format!("Approved by {}: {there} is told to {}.", names(approvers), go(forge))
        }
        Entry::ReleaseUndone { why: Undone::NoLongerApproved, .. } => {
            "The last look found it no longer approved: back to waiting.".to_owned()
        }
        Entry::ReleaseUndone { why: Undone::Revoked, .. } => {
            "An approval was taken back in time: back to waiting.".to_owned()
        }
        Entry::Rejecting { by, .. } => format!("Rejected by {}: {there} is told to fail it.", by.username),
        Entry::Settled { outcome } => settled(outcome, there),
        Entry::Superseded => "A later deployment of this environment has run.".to_owned(),
        Entry::Asked { .. } => format!("{there} asked for a decision."),
        Entry::Placed { .. } => "It got its card.".to_owned(),
    }
}

fn wanted(standing: &[RuleStanding]) -> String {
    let rules = standing.iter().map(|rule| {
        let line = Line::of(format!("{} from ", approvals(rule.required)));
        Prose::paragraph(grantees(line, &rule.grantees)).plain()
    });
    rules.collect::<Vec<_>>().join(" and ")
}

/// What a forge is told to do with a job that was approved.
fn go(forge: Forge) -> &'static str {
    match forge {
        Forge::GitLab => "start it",
        Forge::GitHub => "let its job go on",
    }
}

fn voted(vote: &Vote, standing: &[RuleStanding], forge: Forge) -> String {
    let word = match vote.word {
        Word::Approved => "approved it",
        Word::Rejected => "rejected it",
        Word::Revoked => "took the approval back",
    };
    let place = match &vote.source {
        Source::Comment { .. } => "in a comment".to_owned(),
        Source::Button { .. } => "by a button".to_owned(),
        Source::Chat { .. } => "in Slack".to_owned(),
        Source::Forge => format!("in {}'s own pages", forge.name()),
    };
    // A button takes no reason; what stands there in place of one says nothing more.
    let reason = vote.reason.as_ref().filter(|_| !matches!(vote.source, Source::Button { .. }));
    let count = match vote.word {
        Word::Approved | Word::Revoked => tally(standing),
        Word::Rejected => String::new(),
    };
    let end = reason.map_or_else(|| ".".to_owned(), |reason| format!(": “{reason}”"));
    format!("{} {word} {place}{end}{count}", vote.by.username)
}

/// ` 1 of 2.`
fn tally(standing: &[RuleStanding]) -> String {
    let filled: usize = standing.iter().map(|rule| rule.filled_by.len()).sum();
    let needed: u32 = standing.iter().map(|rule| rule.required).sum();
    format!(" {filled} of {needed}.")
}

fn settled(outcome: &Outcome, there: &str) -> String {
    match outcome {
        Outcome::Waiting(Hold::StartByHand) => "It is approved and waits for somebody to start it.".into(),
        Outcome::Waiting(Hold::OtherRules) => {
            format!("It is approved here; {there} asks for more approvals.")
        }
        Outcome::Waiting(Hold::StartRefused) => format!("{there} doesn't let the bot start it."),
        Outcome::Waiting(Hold::VoteRefused) => format!("{there} doesn't let the bot approve it."),
        Outcome::Started => format!("{there} started its job."),
        Outcome::StartedBy(by) => format!("{} started its job.", name(by.as_ref())),
        Outcome::Deployed => "It is deployed.".into(),
        Outcome::Failed => "Its job failed.".into(),
        Outcome::Rejected => format!("{there} failed its job."),
        Outcome::Cancelled => "Its job was cancelled.".into(),
        Outcome::AskedAgain => "It was released, and its run asked again.".into(),
        Outcome::Strayed => "Its run was started again while it was being released.".into(),
        Outcome::Bypassed(by) => format!("{} started it past its gate.", name(by.as_ref())),
        Outcome::Gone => format!("It no longer exists on {there}."),
    }
}

fn name(account: Option<&Account>) -> &str {
    account.map_or("Somebody", |account| &account.username)
}

/// `alice, bob and carol`.
fn names(accounts: &[Account]) -> String {
    let names: Vec<&str> = accounts.iter().map(|account| account.username.as_str()).collect();
    match names.split_last() {
        None => "Nobody".to_owned(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
