//! Acting at GitLab's gate.

use super::GitLab;
use super::client::{Change, Client};
use super::wire::Cast;
use crate::domain::deployment::Description;
use crate::domain::id::ProjectId;
use crate::domain::ledger::Word;
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{Gatekeeper, Landed, OwnVote, PersonsVote};
use async_trait::async_trait;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// The longest comment that GitLab takes with a vote, in characters.
const LONGEST_COMMENT: usize = 255;

#[async_trait]
impl Gatekeeper for GitLab {
    async fn vote(&self, deployment: &Description, vote: &OwnVote) -> Result<Landed, Failure> {
        let body = json!({ "status": status(vote.word)?, "comment": cut(&vote.comment) });
        cast(&self.client, Change::post(approval(deployment), body), vote.word).await?;
        Ok(Landed::Here)
    }

    /// GitLab's own pages show the votes themselves.
    async fn report(&self, _: &Description, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn vote_as(&self, deployment: &Description, vote: &PersonsVote) -> Result<(), Failure> {
        let missing = || Failure::Unauthorized("no sudo_token is configured".to_owned());
        self.sudo.as_ref().ok_or_else(missing)?.vote(deployment, vote).await
    }

    async fn play(&self, project: ProjectId, job: i64) -> Result<(), Failure> {
        self.change_job(project, job, "play").await
    }

    async fn cancel(&self, project: ProjectId, job: i64) -> Result<(), Failure> {
        self.change_job(project, job, "cancel").await
    }
}

impl GitLab {
    async fn change_job(&self, project: ProjectId, job: i64, verb: &str) -> Result<(), Failure> {
        let path = ["projects", &project.0.to_string(), "jobs", &job.to_string(), verb].map(str::to_owned);
        // A page that some proxy answers with is no success.
        self.client.write::<IgnoredAny>(Change::post(path.to_vec(), json!({}))).await.map(drop)
    }
}

/// The administrator's token. All it can do is to cast a vote in a person's name.
pub(super) struct SudoVoter(Client);

impl SudoVoter {
    pub(super) fn new(client: Client) -> Self {
        Self(client)
    }

    async fn vote(&self, deployment: &Description, vote: &PersonsVote) -> Result<(), Failure> {
        let fields = [
            ("status", Some(status(vote.word)?.to_owned())),
            ("comment", vote.comment.as_deref().map(cut)),
            ("represented_as", vote.represented_as.clone()),
        ];
        let told = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        let body = Value::Object(told.collect());
        cast(&self.0, Change::post(approval(deployment), body).in_name_of(vote.voter.0), vote.word).await
    }
}

/// Where a deployment's votes go.
fn approval(deployment: &Description) -> Vec<String> {
    let (project, number) = (deployment.project.id.0.to_string(), deployment.native.to_string());
    vec!["projects".to_owned(), project, "deployments".to_owned(), number, "approval".to_owned()]
}

async fn cast(client: &Client, vote: Change, word: Word) -> Result<(), Failure> {
    let cast: Cast = client.write(vote).await?;
    if cast.status == status(word)? {
        return Ok(());
    }
    Err(Failure::UnknownOutcome { what: "GitLab answered the vote with another one".to_owned() })
}

fn status(word: Word) -> Result<&'static str, Failure> {
    match word {
        Word::Approved => Ok("approved"),
        Word::Rejected => Ok("rejected"),
        Word::Revoked => {
            Err(Failure::Refused(Refusal::Other("GitLab can't take an approval back".to_owned())))
        }
    }
}

fn cut(comment: &str) -> String {
    comment.chars().take(LONGEST_COMMENT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_cut_between_characters() {
        assert_eq!(cut(&"ä".repeat(300)), "ä".repeat(255));
        assert_eq!(cut("fine"), "fine");
    }

    #[test]
    fn gitlab_knows_no_revoking() {
        assert!(matches!(status(Word::Revoked), Err(Failure::Refused(_))));
    }
}
