//! Effects in conversations: cards, answers, reactions. Delivered once, found again by a hidden marker.

use super::commands::MOST_SHOWN;
use super::worker::Task;
use super::{App, Stopped};
use crate::domain::actor::Account;
use crate::domain::card::Card;
use crate::domain::deployment::Deployment;
use crate::domain::deployment::Status;
use crate::domain::id::{CommentKind, CommentRef, Conversation, DeploymentId};
use crate::domain::wording::{self, Prose};
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{Buttons, Posted};
use crate::ports::store::{CommitError, Room, RoomNews};

/// Marker of a conversation's card.
const CARD: &str = "countersign:card";
/// What is no comment needs no marker to be found by.
const NO_MARKER: &str = "";

impl App {
    /// Brings the card of a conversation up to date: computed from the ledger as it is now.
    pub async fn sync_card(&self, task: &Task, at: &Conversation) -> Result<(), Stopped> {
        let desk = self.desk(&at.forge)?;
        let deployments = self.store.deployments_in(at, MOST_SHOWN).await?;
        if deployments.is_empty() {
            return self.done(task).await;
        }
        let me = desk.forge.me().await?;
        let prose = wording::card::card(&Card::of(&deployments), &desk.spelling(&me));
        let text = desk.forge.render(&prose, CARD);
        let digest = super::react::text_digest(&text);
        let room = self.store.room(at).await?;
        // An attempt whose end nobody knows may have written something else there.
        if task.is_first_attempt() && room.card_digest.as_deref() == Some(&digest) {
            return self.done(task).await;
        }
        task.guard()?;
        match self.write_card(at, &room, &text).await {
            Ok(posted) => self.card_written(task, at, &deployments, Written { posted, digest }).await,
            Err(Stopped::Forge(failure)) if !failure.is_transient() => {
                tracing::info!(conversation = at.key(), %failure, "the card can't be written here; dropped");
                self.done(task).await
            }
            Err(error) => Err(error),
        }
    }

    /// Edits the card, or posts it where there is none (any more).
    async fn write_card(&self, at: &Conversation, room: &Room, text: &str) -> Result<Posted, Stopped> {
        let desk = self.desk(&at.forge)?;
        let card = match room.card {
            Some(card) => Some(card),
            // Another worker's job may have written it and died: this job's own attempts tell nothing.
            None => desk.forge.find_own(at, CARD).await?.last().copied(),
        };
        if let Some(card) = card {
            match desk.forge.edit(at, card, text).await {
                // Deleted; or writing is allowed here and changing what was written isn't (comments of a
                // commit on GitHub): a new card tells more than one that is out of date.
                Err(Failure::NotFound | Failure::Refused(Refusal::NoPermission)) => {}
                other => return Ok(other?),
            }
        }
        Ok(desk.forge.post(at, text).await?)
    }

    /// Keeps the card's place, and since when each open deployment stands on it.
    async fn card_written(
        &self,
        task: &Task,
        at: &Conversation,
        deployments: &[Deployment],
        written: Written,
    ) -> Result<(), Stopped> {
        let Room { card: former, mut shown, .. } = self.store.room(at).await?;
        let Written { posted, digest } = written;
        shown.retain(|(id, _)| deployments.iter().any(|d| d.id() == id && !d.status.is_final()));
        for deployment in deployments.iter().filter(|d| !d.status.is_final()) {
            if !shown.iter().any(|(id, _)| id == deployment.id()) {
                shown.push((deployment.id().clone(), posted.at));
            }
        }
        let mut commit = self.finishing(task);
        let news = RoomNews::Card { comment: posted.comment, at: posted.at, digest, shown };
        commit.rooms.push((at.clone(), news));
        match self.store.commit(commit).await {
            Err(CommitError::LeaseLost) if former != Some(posted.comment) => {
                self.take_back_double(at, CARD, posted).await
            }
            other => Ok(other?),
        }
    }

    /// Brings the buttons of a deployment up to date.
    pub async fn sync_buttons(&self, task: &Task, id: &DeploymentId) -> Result<(), Stopped> {
        let Some(deployment) = self.store.deployment(id).await? else { return self.done(task).await };
        let description = &deployment.description;
        let Some(at) = &description.conversation else { return self.done(task).await };
        let desk = self.desk(&description.forge)?;
        let spelling = desk.spelling(&desk.forge.me().await?);
        let summary = wording::card::button_summary(&deployment, &spelling);
        let buttons = Buttons {
            environment: description.environment.clone(),
            number: description.number,
            version: deployment.version,
            title: wording::card::button_title(&deployment),
            summary: desk.forge.render(&summary, NO_MARKER),
            active: deployment.status.takes_votes() && !deployment.superseded && !deployment.is_handed_over(),
            url: description.url.clone(),
        };
        task.guard()?;
        self.shown(task, desk.forge.sync_buttons(at, &buttons).await).await
    }

    /// Tells in the forge's own pages how a deployment stands that waits.
    pub async fn report(&self, task: &Task, id: &DeploymentId) -> Result<(), Stopped> {
        // Of one whose rules are filled the release itself will tell.
        let waits = |d: &Deployment| d.status == Status::Blocked && wording::missing(d) > 0;
        let waiting = self.store.deployment(id).await?.filter(waits);
        let Some(deployment) = waiting else { return self.done(task).await };
        let desk = self.desk(&deployment.description.forge)?;
        let spelling = desk.spelling(&desk.forge.me().await?);
        let text = desk.forge.render(&wording::card::report(&deployment, &spelling), NO_MARKER);
        task.guard()?;
        self.shown(task, desk.forge.report(&deployment.description, &text).await).await
    }

    /// What only shows how things stand is dropped where the forge doesn't take it.
    async fn shown(&self, task: &Task, outcome: Result<(), Failure>) -> Result<(), Stopped> {
        match outcome {
            Err(failure) if failure.is_transient() => Err(failure.into()),
            Err(failure) => {
                tracing::info!(job = task.lease().job, %failure, "how it stands can't be shown here; dropped");
                self.done(task).await
            }
            Ok(()) => self.done(task).await,
        }
    }

    /// Answers a comment in its discussion.
    pub async fn reply(
        &self,
        task: &Task,
        (to, whom): (&CommentRef, &Account),
        marker: &str,
        text: &Prose,
    ) -> Result<(), Stopped> {
        let desk = self.desk(&to.conversation.forge)?;
        let kind = match to.kind {
            CommentKind::Comment => "",
            CommentKind::Review => "review-",
        };
        let marker = format!("countersign:{kind}{}-{marker}", to.comment);
        if !task.is_first_attempt() && !desk.forge.find_own(&to.conversation, &marker).await?.is_empty() {
            return self.done(task).await;
        }
        task.guard()?;
        let said = desk.forge.reply(to, whom, &desk.forge.render(text, &marker)).await;
        self.said(task, &to.conversation, &marker, said).await
    }

    /// Writes a comment that answers none.
    pub async fn say(
        &self,
        task: &Task,
        at: &Conversation,
        marker: &str,
        text: &Prose,
    ) -> Result<(), Stopped> {
        let desk = self.desk(&at.forge)?;
        let marker = &format!("countersign:{marker}");
        if !task.is_first_attempt() && !desk.forge.find_own(at, marker).await?.is_empty() {
            return self.done(task).await;
        }
        task.guard()?;
        let said = desk.forge.post(at, &desk.forge.render(text, marker)).await;
        self.said(task, at, marker, said).await
    }

    /// Shows that a comment was seen.
    pub async fn seen(&self, task: &Task, to: &CommentRef) -> Result<(), Stopped> {
        let desk = self.desk(&to.conversation.forge)?;
        task.guard()?;
        match desk.forge.react(to).await {
            Err(failure) if failure.is_transient() => Err(failure.into()),
            Ok(()) | Err(_) => self.done(task).await,
        }
    }

    /// A conversation that is locked, archived or gone takes no answer: the decision stands, the answer
    /// is dropped and logged.
    async fn said(
        &self,
        task: &Task,
        at: &Conversation,
        marker: &str,
        outcome: Result<Posted, Failure>,
    ) -> Result<(), Stopped> {
        let posted = match outcome {
            Ok(posted) => posted,
            Err(failure) if failure.is_transient() => return Err(failure.into()),
            Err(failure) => {
                tracing::info!(job = task.lease().job, %failure, "the answer can't be written here; dropped");
                return self.done(task).await;
            }
        };
        match self.store.commit(self.finishing(task)).await {
            Err(CommitError::LeaseLost) => self.take_back_double(at, marker, posted).await,
            other => Ok(other?),
        }
    }

    /// This process was frozen beyond its lease between writing and committing: another may have written
    /// the same. The one whose lease was lost deletes its own.
    async fn take_back_double(&self, at: &Conversation, marker: &str, mine: Posted) -> Result<(), Stopped> {
        let forge = &self.desk(&at.forge)?.forge;
        let others = forge.find_own(at, marker).await?;
        if others.iter().any(|comment| *comment != mine.comment) {
            tracing::warn!(
                conversation = at.key(),
                comment = mine.comment,
                "deleting an answer written twice"
            );
            forge.delete(at, mine.comment).await?;
        }
        Ok(())
    }
}

/// A card as it was just written.
struct Written {
    posted: Posted,
    /// Of its text.
    digest: String,
}
