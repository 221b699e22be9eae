//! Messages in channels: one for each deployment (siblings share it), edited in place at every change; what is new
//! stands in its thread. Everything is computed from the ledger when it is delivered.

use super::worker::Task;
use super::{App, ChatDesk, Desk, Stopped};
use crate::domain::actor::Account;
use crate::domain::chat::{Aside, Channel, Choice, Message, Subject};
use crate::domain::decide::newest_words;
use crate::domain::deployment::Deployment;
use crate::domain::effect::Effect;
use crate::domain::id::{DeploymentId, PlatformName, UserId};
use crate::domain::ledger::{self, Source, Vote, Word};
use crate::domain::notice::{Changes, Notice};
use crate::domain::wording::notice::{self as wording, Around};
use crate::domain::wording::{Block, Prose, Spelling, Terms};
use crate::ports::failure::{Failure, Refusal};
use crate::ports::postings::{Posting, PostingNews};
use crate::ports::store::{Commit, CommitError, NewJob};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

impl App {
    /// Brings a message in a channel up to date.
    pub async fn sync_notice(
        &self,
        task: &Task,
        channel: &Channel,
        subject: &Subject,
    ) -> Result<(), Stopped> {
        let Some(chat) = self.chats.get(&channel.chat) else {
            tracing::info!(%channel, "no such chat is configured any more; nothing is shown there");
            return self.done(task).await;
        };
        let Some(posting) = self.store.posting(channel, subject).await? else { return self.done(task).await };
        let deployments = self.store.deployments_about(subject).await?;
        let Some(scene) = self.scene(chat, &posting, deployments).await? else {
            return self.done(task).await;
        };
        let mut commit = self.finishing(task);
        let shown = self.show(task, &scene, &posting).await?;
        let news = |news| (channel.clone(), subject.clone(), news);
        let Some(message) = shown.message else {
            commit.postings.extend(shown.news.into_iter().map(news));
            return Ok(self.store.commit(commit).await?);
        };
        let told = self.tell_news(task, &scene, (&posting, shown.closed), &message).await?;
        commit.postings.extend(shown.news.into_iter().chain(told).map(news));
        match self.store.commit(commit).await {
            Err(CommitError::LeaseLost) if posting.message.as_ref() != Some(&message) => {
                take_back_double(chat, &message, &posting).await
            }
            other => Ok(other?),
        }
    }

    /// What a message shows now.
    async fn scene<'a>(
        &self,
        chat: &'a ChatDesk,
        posting: &Posting,
        deployments: Vec<Deployment>,
    ) -> Result<Option<Scene<'a>>, Stopped> {
        let Some(first) = deployments.first() else { return Ok(None) };
        let desk = self.desk(&first.description.forge)?;
        let changes = match &posting.changes {
            Some(changes) => Some(changes.clone()),
            None => changes_of(desk, first).await,
        };
        let (spelling, terms) = (Spelling::of_command(&chat.command), desk.forge.terms());
        let around = Around { spelling: &spelling, terms: &terms, changes: changes.as_ref() };
        let Some(mut notice) = wording::notice(&deployments, &around) else { return Ok(None) };
        let entry = self.entry_of(first);
        let reason_needed = entry.is_none_or(|entry| entry.policy.reject_needs_reason);
        notice.offer = wording::offer(&deployments, reason_needed, 0);
        // An edit notifies nobody, so people are named once.
        let first = posting.message.is_none() && notice.offer.is_some();
        if first && entry.is_some_and(|entry| entry.mention) {
            notice.mentions = self.can_make_a_difference(chat, desk, &deployments).await;
        }
        Ok(Some(Scene { chat, notice, deployments, terms, changes }))
    }

    /// Posts or edits the message, if it doesn't show this already.
    async fn show(&self, task: &Task, scene: &Scene<'_>, posting: &Posting) -> Result<Shown, Stopped> {
        let chat = scene.chat.chat.as_ref();
        let digest = digest(&scene.notice);
        // An earlier attempt may have written something else and not come back to tell.
        let as_it_is = task.is_first_attempt() && posting.digest.as_deref() == Some(&digest);
        if let Some(message) = &posting.message
            && (posting.closed || as_it_is)
        {
            return Ok(Shown { message: Some(message.clone()), news: Vec::new(), closed: posting.closed });
        }
        let generation = posting.shown.last().map_or(1, |(last, _)| last + 1);
        let mut notice = scene.notice.clone();
        if let Some(offer) = &mut notice.offer {
            offer.generation = generation;
        }
        let mark = marker(posting);
        task.guard()?;
        let written = match &posting.message {
            Some(message) => match chat.edit(message, &notice, &mark).await {
                Ok(()) => Ok(message.clone()),
                // Somebody deleted it: a new one tells more than none.
                Err(Failure::NotFound) => self.post(task, scene, posting, &notice).await,
                Err(Failure::Refused(Refusal::Locked)) => {
                    let news = vec![PostingNews::Closed];
                    return Ok(Shown { message: Some(message.clone()), news, closed: true });
                }
                Err(failure @ Failure::Refused(_)) => {
                    tracing::warn!(channel = %posting.channel, %failure, "a message can't be edited; it stays as it is");
                    return Ok(Shown { message: None, news: Vec::new(), closed: false });
                }
                Err(failure) => Err(failure),
            },
            None => self.post(task, scene, posting, &notice).await,
        };
        let message = written?;
        let mut shown = posting.shown.clone();
        shown.push((generation, self.clock.now()));
        let surplus = shown.len().saturating_sub(Posting::KEPT);
        shown.drain(..surplus);
        let changes = scene.changes.clone();
        let news =
            PostingNews::Shown { message: message.clone(), digest, shown, changes, stale: posting.stale };
        Ok(Shown { message: Some(message), news: vec![news], closed: false })
    }

    /// Writes the message for the first time. An earlier attempt may have done so and not come back to tell.
    async fn post(
        &self,
        task: &Task,
        scene: &Scene<'_>,
        posting: &Posting,
        notice: &Notice,
    ) -> Result<Message, Failure> {
        let chat = scene.chat.chat.as_ref();
        let (at, mark) = (chat.channel(&posting.channel).await?, marker(posting));
        if !task.is_first_attempt()
            && let Some(message) = found(chat.find_own(&at, None, &mark).await)?
        {
            chat.edit(&message, notice, &mark).await?;
            return Ok(message);
        }
        chat.post(&at, notice, &mark).await
    }

    /// Tells the thread of a message what its ledger has that the thread was not told. What was there when the
    /// message was first written, the message itself tells.
    async fn tell_news(
        &self,
        task: &Task,
        scene: &Scene<'_>,
        (posting, closed): (&Posting, bool),
        message: &Message,
    ) -> Result<Option<PostingNews>, Stopped> {
        let now: Vec<(DeploymentId, i64)> =
            scene.deployments.iter().map(|d| (d.id().clone(), d.version)).collect();
        if posting.message.is_none() || now == posting.told {
            return Ok((now != posting.told).then_some(PostingNews::Told(now)));
        }
        let mut blocks = Vec::new();
        for deployment in &scene.deployments {
            let told = posting.told.iter().find(|(id, _)| id == deployment.id()).map_or(1, |(_, seq)| *seq);
            // What came since the deployment was read is told by the job that it asked for.
            let news = told + 1..=deployment.version;
            for sealed in
                self.store.ledger(deployment.id()).await?.iter().filter(|sealed| news.contains(&sealed.seq))
            {
                let entry = ledger::open(deployment.id(), sealed).ok();
                let line = entry.and_then(|entry| wording::news(deployment, &entry, &scene.terms));
                blocks.extend(line.map(Block::Paragraph));
            }
        }
        if blocks.is_empty() {
            return Ok(Some(PostingNews::Told(now)));
        }
        let mut text = Prose(blocks);
        if closed {
            text.extend(wording::now(&scene.deployments, &scene.terms));
        }
        let newest: Vec<String> = now.iter().map(|(id, seq)| format!("{id}@{seq}")).collect();
        let marker = format!("countersign:news:{}", newest.join(","));
        add(task, scene.chat, message, (&text, &marker)).await?;
        Ok(Some(PostingNews::Told(now)))
    }

    /// Linked people whose approval would still fill a slot. An extra: where anything of it can't be read, nobody is
    /// mentioned.
    async fn can_make_a_difference(
        &self,
        chat: &ChatDesk,
        desk: &Desk,
        deployments: &[Deployment],
    ) -> Vec<String> {
        let Some(deployment) = deployments.iter().find(|d| d.status.takes_votes()) else { return Vec::new() };
        match self.who_could_approve(chat, desk, deployment).await {
            Ok(names) => names,
            Err(error) => {
                tracing::debug!(%error, "who could approve can't be read now; nobody is mentioned");
                Vec::new()
            }
        }
    }

    async fn who_could_approve(
        &self,
        chat: &ChatDesk,
        desk: &Desk,
        deployment: &Deployment,
    ) -> Result<Vec<String>, Stopped> {
        let platform = PlatformName::from(chat.chat.name());
        let mut linked: Vec<(&String, UserId)> = Vec::new();
        for person in self.people.all() {
            if let Some(name) = person.accounts.get(&platform)
                && let Some(user) = self.linked_user(desk, person).await?
            {
                linked.push((name, user));
            }
        }
        let Some(mut case) = self.gather(deployment, None).await? else { return Ok(Vec::new()) };
        let users: BTreeSet<UserId> = linked.iter().map(|(_, user)| *user).collect();
        let project = deployment.description.project.id;
        let read = self.read_people(desk, project, &case.policy, &users).await?;
        case.facts.people.extend(read.people);
        case.facts.holds.extend(read.holds);
        let missing = case.decide(&deployment.votes).missing;
        let said = newest_words(&deployment.votes);
        let helps = |user: UserId| {
            let mut votes = deployment.votes.clone();
            votes.push(imagined(user, self.clock.now()));
            !said.get(&user).is_some_and(|vote| vote.word == Word::Approved)
                && case.decide(&votes).missing < missing
        };
        Ok(linked.into_iter().filter(|(_, user)| helps(*user)).map(|(name, _)| name.clone()).collect())
    }

    /// Answers one person alone.
    pub async fn whisper(
        &self,
        task: &Task,
        to: &Aside,
        (text, choices): (&Prose, &[Choice]),
    ) -> Result<(), Stopped> {
        let Some(chat) = self.chats.get(&to.chat) else { return self.done(task).await };
        task.guard()?;
        match chat.chat.whisper(to, text, choices).await {
            Err(failure) if failure.is_transient() => Err(failure.into()),
            Err(failure) => {
                tracing::info!(job = task.lease().job, %failure, "somebody can't be answered here; dropped");
                self.done(task).await
            }
            Ok(()) => self.done(task).await,
        }
    }

    /// While a press is being carried out its message says so, without buttons. That it has to be written anew is kept
    /// first. Only shown: if it can't be, the press is carried out all the same.
    pub async fn show_carrying_out(
        &self,
        chat: &ChatDesk,
        posting: &Posting,
        (word, by): (Word, &str),
    ) -> Result<(), Stopped> {
        let deployments = self.store.deployments_about(&posting.subject).await?;
        let (Some(message), false) = (&posting.message, posting.closed) else { return Ok(()) };
        let Some(first) = deployments.first().filter(|_| deployments.iter().any(|d| d.status.takes_votes()))
        else {
            return Ok(());
        };
        let terms = self.desk(&first.description.forge)?.forge.terms();
        let spelling = Spelling::of_command(&chat.command);
        let around = Around { spelling: &spelling, terms: &terms, changes: posting.changes.as_ref() };
        let Some(notice) = wording::notice(&deployments, &around) else { return Ok(()) };
        let notice = wording::being_carried_out(notice, word, by);
        let mut commit = Commit::at(self.clock.now());
        commit.postings.push((posting.channel.clone(), posting.subject.clone(), PostingNews::Stale));
        self.store.commit(commit).await?;
        if let Err(failure) = chat.chat.edit(message, &notice, &marker(posting)).await {
            tracing::debug!(%failure, "that a press is being carried out can't be shown");
        }
        Ok(())
    }

    /// The job that writes a message anew.
    pub fn renewing(&self, posting: &Posting) -> Result<Option<NewJob>, Stopped> {
        let (channel, subject) = (posting.channel.clone(), posting.subject.clone());
        self.effect(Effect::SyncNotice { channel, subject }, self.clock.now()).map(Some)
    }
}

/// What a message is to show, and what its thread is to be told of.
struct Scene<'a> {
    chat: &'a ChatDesk,
    notice: Notice,
    deployments: Vec<Deployment>,
    terms: Terms,
    changes: Option<Changes>,
}

/// How showing went.
struct Shown {
    /// The message, unless it can't be written to.
    message: Option<Message>,
    news: Vec<PostingNews>,
    /// It can't be edited any more: its thread has to tell all.
    closed: bool,
}

/// An approval that somebody might give.
fn imagined(user: UserId, at: jiff::Timestamp) -> Vote {
    let by = Account { id: user, username: String::new(), bot: false };
    Vote { by, word: Word::Approved, at, reason: None, source: Source::Forge }
}

/// What a deployment would change. An extra: a forge that can't tell now holds no message up.
async fn changes_of(desk: &Desk, deployment: &Deployment) -> Option<Changes> {
    let description = &deployment.description;
    match desk.forge.changes(&description.project, &description.environment, &description.sha).await {
        Ok(changes) => Some(changes),
        Err(failure) => {
            tracing::debug!(deployment = %deployment.id(), %failure, "what it would change can't be read now");
            None
        }
    }
}

/// One for each message: two names of the configuration may mean one channel.
fn marker(posting: &Posting) -> String {
    format!("countersign:notice:{}:{}", posting.channel, posting.subject)
}

/// Of what a message shows. Whom it notified is no part of that: it stays as it was first written until it changes.
fn digest(notice: &Notice) -> String {
    let shown = Notice { mentions: Vec::new(), ..notice.clone() };
    hex::encode(Sha256::digest(serde_json::to_vec(&shown).unwrap_or_default()))
}

/// The oldest of our messages with a marker. A chat that doesn't let us look leaves the chance of a double.
fn found(looked: Result<Vec<Message>, Failure>) -> Result<Option<Message>, Failure> {
    match looked {
        Ok(messages) => Ok(messages.into_iter().next_back()),
        Err(Failure::Refused(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Writes into the thread of a message, once.
async fn add(
    task: &Task,
    chat: &ChatDesk,
    under: &Message,
    (text, marker): (&Prose, &str),
) -> Result<(), Stopped> {
    let chat = chat.chat.as_ref();
    if !task.is_first_attempt() && found(chat.find_own(&under.channel, Some(under), marker).await)?.is_some()
    {
        return Ok(());
    }
    task.guard()?;
    match chat.add(under, text, marker).await {
        Err(failure) if failure.is_transient() => Err(failure.into()),
        Err(failure) => {
            tracing::info!(%failure, "a thread can't be written to; dropped");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

/// This process was frozen beyond its lease between writing and committing: another may have written the same.
async fn take_back_double(chat: &ChatDesk, mine: &Message, posting: &Posting) -> Result<(), Stopped> {
    let others = chat.chat.find_own(&mine.channel, None, &marker(posting)).await?;
    if others.iter().any(|message| message != mine) {
        tracing::warn!(subject = %posting.subject, "deleting a message written twice");
        chat.chat.delete(mine).await?;
    }
    Ok(())
}
