//! Acting at GitHub's gate: our custom protection rule's decisions and reports.

use super::GitHub;
use super::client::Change;
use super::fit::fit;
use super::native::Spot;
use super::sighting::attempt;
use super::wire::{Review, ReviewState};
use crate::domain::deployment::Description;
use crate::domain::id::ProjectId;
use crate::domain::ledger::Word;
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{Gatekeeper, Landed, OwnVote, PersonsVote, Progress};
use async_trait::async_trait;
use serde_json::json;

/// The longest comment that GitHub takes with a report; a decision's is kept as short.
const LONGEST_COMMENT: usize = 1024;
/// A reason may name people; it is not to call them.
const UNHEARD_AT: &str = "@\u{200b}";
/// So many reports GitHub takes for one deployment.
const MOST_REPORTS: usize = 10;

#[async_trait]
impl Gatekeeper for GitHub {
    /// The decision names run and environment only: it lands in whatever attempt there is when it arrives.
    async fn vote(&self, deployment: &Description, vote: &OwnVote) -> Result<Landed, Failure> {
        let (project, spot) = (deployment.project.id, Spot::of(&deployment.native)?);
        let decision = Decision::of(deployment, vote)?;
        if !(vote.again && self.has_decided(project, &spot, &decision).await?) {
            self.decide(project, &spot, &decision).await?;
        }
        self.landed(project, &spot).await
    }

    async fn report(&self, deployment: &Description, text: &str) -> Result<(), Failure> {
        let (project, spot) = (deployment.project.id, Spot::of(&deployment.native)?);
        let text = fit(text, LONGEST_COMMENT);
        let mut reports = self.own_reviews(project, &spot).await?;
        reports.retain(|review| review.state == ReviewState::Pending);
        let said = reports.last().is_some_and(|report| says(report).trim_end() == text.trim_end());
        if said || reports.len() >= MOST_REPORTS {
            return Ok(());
        }
        let body = json!({ "environment_name": spot.environment, "comment": text });
        self.review(project, &spot, Change::post(body).creating_content()).await
    }

    async fn vote_as(&self, _: &Description, _: &PersonsVote) -> Result<(), Failure> {
        Err(unknown_there("GitHub takes no votes in a person's name"))
    }

    async fn play(&self, _: ProjectId, _: i64) -> Result<(), Failure> {
        Err(unknown_there("GitHub starts jobs itself"))
    }

    async fn cancel(&self, _: ProjectId, _: i64) -> Result<(), Failure> {
        Err(unknown_there("on GitHub a job can't be cancelled without its run"))
    }
}

fn unknown_there(what: &str) -> Failure {
    Failure::Refused(Refusal::Other(what.to_owned()))
}

/// A decision of ours, and the mark by which it is found again.
struct Decision {
    state: ReviewState,
    word: &'static str,
    comment: String,
    mark: String,
}

impl Decision {
    fn of(deployment: &Description, vote: &OwnVote) -> Result<Self, Failure> {
        let (state, word) = match vote.word {
            Word::Approved => (ReviewState::Approved, "approved"),
            Word::Rejected => (ReviewState::Rejected, "rejected"),
            Word::Revoked => return Err(unknown_there("GitHub can't take a decision back")),
        };
        let mark = format!(" (d{})", deployment.number);
        let said = vote.comment.replace('@', UNHEARD_AT);
        let comment = fit(&said, LONGEST_COMMENT - mark.len()) + &mark;
        Ok(Self { state, word, comment, mark })
    }

    fn is_told_by(&self, review: &Review) -> bool {
        review.state == self.state && says(review).trim_end().ends_with(&self.mark)
    }
}

fn says(review: &Review) -> &str {
    review.comment.as_deref().unwrap_or_default()
}

impl GitHub {
    async fn has_decided(
        &self,
        project: ProjectId,
        spot: &Spot,
        decision: &Decision,
    ) -> Result<bool, Failure> {
        let reviews = self.own_reviews(project, spot).await?;
        Ok(reviews.iter().any(|review| decision.is_told_by(review)))
    }

    async fn own_reviews(&self, project: ProjectId, spot: &Spot) -> Result<Vec<Review>, Failure> {
        let me = self.directory.me().await?.account.id;
        let mut reviews = self.reviews(project, spot).await?;
        reviews.retain(|review| review.user.as_ref().is_some_and(|user| user.id == me.0));
        Ok(reviews)
    }

    /// Looks once more right before: same attempt, still waiting for this environment.
    async fn decide(&self, project: ProjectId, spot: &Spot, decision: &Decision) -> Result<(), Failure> {
        if self.look(project, spot).await?.state != Progress::Waiting {
            return Err(Failure::Refused(Refusal::NotWaiting));
        }
        let body = json!({
            "environment_name": spot.environment,
            "state": decision.word,
            "comment": decision.comment,
        });
        self.review(project, spot, Change::post(body)).await
    }

    async fn review(&self, project: ProjectId, spot: &Spot, change: Change) -> Result<(), Failure> {
        let path = ["actions", "runs", &spot.run.to_string(), "deployment_protection_rule"];
        match self.send(project, &path, change).await {
            // Whether the run is gone or only doesn't wait, a look at it tells.
            Err(Failure::NotFound) => Err(Failure::Refused(Refusal::NotWaiting)),
            sent => sent.map(drop),
        }
    }

    /// Where a decision went that GitHub has taken. It is out: what can't be read leaves unknown where.
    async fn landed(&self, project: ProjectId, spot: &Spot) -> Result<Landed, Failure> {
        let lost =
            |failure| Failure::UnknownOutcome { what: format!("the decision was taken, but: {failure}") };
        let run = self.run(project, spot.run).await.map_err(lost)?;
        Ok(if attempt(&run) == spot.attempt { Landed::Here } else { Landed::Astray })
    }
}
