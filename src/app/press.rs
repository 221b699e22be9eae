//! A pressed button becomes a decision, like a command that says the same. What it came to is shown by the
//! card and the buttons; only a refusal is answered, once for each person and deployment.

use super::commands::{Here, Plan, Speaker, Spoken};
use super::worker::Task;
use super::{App, Desk, Stopped};
use crate::domain::actor::Account;
use crate::domain::command::Verb;
use crate::domain::decide::newest_words;
use crate::domain::deployment::Deployment;
use crate::domain::effect::{Effect, Look};
use crate::domain::event::Press;
use crate::domain::ledger::{self, Entry, Source, Word};
use crate::domain::wording::{Prose, answer};
use crate::ports::store::{CommitError, TakenCommand};
use jiff::{SignedDuration, Timestamp};

/// How often a conflict is answered by gathering and deciding again at once.
const TRIES: u32 = 3;

/// A button takes no text: this stands in for the reason of a rejection.
const BY_BUTTON: &str = "by button";

impl App {
    /// Processes a press.
    pub async fn press(&self, task: &Task, press: &Press) -> Result<(), Stopped> {
        let desk = self.desk(&press.conversation.forge)?;
        let source = TakenCommand::press(desk.forge.name(), &press.id);
        if self.store.is_taken(&source).await? {
            return self.done(task).await;
        }
        let account = desk.forge.account(press.by).await?;
        let shown_here = |d: &Deployment| d.description.conversation.as_ref() == Some(&press.conversation);
        for _ in 0..TRIES {
            let project = press.conversation.project;
            let found = self.store.numbered(desk.forge.name(), project, press.number).await?;
            let Some(deployment) = found.filter(|d| shown_here(d) && !account.bot) else {
                return self.done(task).await;
            };
            let plan = self.plan_press(task, desk, press, (&deployment, &account)).await?;
            match self.write_press(task, press, (&deployment, &account), plan).await {
                Err(Stopped::Commit(CommitError::Conflict)) => {}
                other => return other,
            }
        }
        Err(CommitError::Conflict.into())
    }

    async fn plan_press(
        &self,
        task: &Task,
        desk: &Desk,
        press: &Press,
        (deployment, account): (&Deployment, &Account),
    ) -> Result<Plan, Stopped> {
        if self.has_spoken_since(deployment, account, press.version).await? {
            return Ok(Plan::saying(answer::pressed_before_your_last_word(&deployment.description)));
        }
        let spelling = desk.spelling(&desk.forge.me().await?);
        if press.word == Word::Approved && deployment.superseded && deployment.status.takes_votes() {
            return Ok(Plan::saying(answer::overtaken(&deployment.description, &spelling)));
        }
        let speaker = Speaker {
            account: account.clone(),
            at: pressed_at(task.created_at(), deployment, account),
            here: Here::Conversation(press.conversation.clone()),
            spelling,
            project: deployment.description.project.clone(),
        };
        let (verb, reason) = match press.word {
            Word::Approved => (Verb::Approve, None),
            Word::Rejected => (Verb::Reject, Some(BY_BUTTON)),
            Word::Revoked => (Verb::Revoke, None),
        };
        let source = Source::Button { press: press.id.clone() };
        let mut plan = Plan::saying(Prose::default());
        let spoken = Spoken { speaker: &speaker, verb, reason, source, aside: None };
        self.carry_out(&mut plan, &spoken, deployment, None).await?;
        Ok(plan)
    }

    /// Buttons that a person pressed before their newest word on the deployment, and that arrive behind it,
    /// say nothing more.
    async fn has_spoken_since(
        &self,
        deployment: &Deployment,
        account: &Account,
        version: i64,
    ) -> Result<bool, Stopped> {
        if !deployment.votes.iter().any(|vote| vote.by.id == account.id) {
            return Ok(false);
        }
        let chain = self.store.ledger(deployment.id()).await?;
        Ok(chain.iter().filter(|sealed| sealed.seq > version).any(|sealed| {
            matches!(ledger::open(deployment.id(), sealed),
                Ok(Entry::Voted { vote, .. }) if vote.by.id == account.id)
        }))
    }

    async fn write_press(
        &self,
        task: &Task,
        press: &Press,
        (deployment, account): (&Deployment, &Account),
        plan: Plan,
    ) -> Result<(), Stopped> {
        let forge = &press.conversation.forge;
        let taken = |source: String, outcome: &str| TakenCommand {
            source,
            place: press.conversation.key(),
            line: TakenCommand::WHOLE,
            by: account.id,
            at: task.created_at(),
            outcome: outcome.to_owned(),
            named: true,
        };
        let mut commit = self.finishing(task);
        commit.commands.push(taken(TakenCommand::press(forge, &press.id), plan.outcome));
        let refused = plan.changes.is_empty() && plan.effects.is_empty() && !plan.text.0.is_empty();
        let refusal = format!("refused:{}:{}", deployment.id(), account.id.0);
        if refused && !self.store.is_taken(&refusal).await? {
            commit.commands.push(taken(refusal, "refused"));
            let marker = format!("press-{}-{}", deployment.description.number, account.id.0);
            let text = answer::to_person(account, plan.text);
            let say = Effect::Say { at: press.conversation.clone(), marker, text };
            commit.jobs.push(self.effect(say, commit.at)?);
        }
        commit.changes = plan.changes;
        for effect in plan.effects {
            commit.jobs.push(self.effect(effect, commit.at)?);
        }
        for deployment in plan.look_at {
            commit.jobs.push(self.look(Look::Deployment { deployment }, forge, commit.at));
        }
        match self.store.commit(commit).await {
            Err(CommitError::AlreadyTaken) => self.done(task).await,
            other => Ok(other?),
        }
    }
}

/// A press has no time of its own. It came by our clock, and comments are written by the forge's: it is
/// never older than what the presser had said when the buttons were shown.
pub fn pressed_at(taken: Timestamp, deployment: &Deployment, account: &Account) -> Timestamp {
    let words = newest_words(&deployment.votes);
    let earlier = words.get(&account.id).map(|vote| vote.at + SignedDuration::from_millis(1));
    earlier.map_or(taken, |earlier| earlier.max(taken))
}
