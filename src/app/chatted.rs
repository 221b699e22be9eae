//! What somebody did in a chat becomes a decision, or an answer to them alone: who they are, for whom they speak, what
//! they mean, and one commit.

use super::channel::Meant;
use super::commands::{Here, Plan, Speaker, Spoken};
use super::links::Spokesman;
use super::press::pressed_at;
use super::react::{ANSWER_WINDOW, MOST_ANSWERS};
use super::worker::Task;
use super::{App, ChatDesk, Stopped};
use crate::domain::actor::Account;
use crate::domain::chat::{Act, Chatted, Choice, Message, NoVoice, Offer};
use crate::domain::command::{Command, Misunderstood, Verb, parse_chat};
use crate::domain::deployment::{Deployment, Description};
use crate::domain::effect::{Effect, Look};
use crate::domain::id::UserId;
use crate::domain::ledger::{Source, Word};
use crate::domain::wording::{Prose, Spelling, Terms, answer, chat as wording, help};
use crate::ports::chat::Presence;
use crate::ports::failure::Failure;
use crate::ports::postings::Posting;
use crate::ports::store::{CommitError, TakenCommand};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

/// How often a conflict is answered by gathering and deciding again at once.
const TRIES: u32 = 3;
/// How long it may take until a message that was posted is kept: a lease, should its process have died.
const TO_BE_KEPT: SignedDuration = SignedDuration::from_mins(2);

/// Who acts, and where.
pub struct Actor<'a> {
    /// The chat.
    pub chat: &'a ChatDesk,
    /// What they did.
    pub chatted: &'a Chatted,
    /// Who they are, by the chat.
    pub presence: Presence,
}

/// What an act comes to.
#[derive(Default)]
pub struct Reaction {
    /// Decisions and the answer.
    pub plan: Plan,
    /// What can be chosen by a button.
    pub choices: Vec<Choice>,
    /// Whose word it is, as far as that mattered.
    pub by: Option<UserId>,
    /// One of the deployments that it is about.
    pub about: Option<Description>,
}

impl Reaction {
    /// Nothing but an answer.
    pub fn saying(text: Prose) -> Self {
        Self { plan: Plan::saying(text), ..Self::default() }
    }
}

impl App {
    /// Processes an act.
    pub async fn chatted(&self, task: &Task, chatted: &Chatted) -> Result<(), Stopped> {
        let name = &chatted.aside.chat;
        let Some(chat) = self.chats.get(name) else { return self.done(task).await };
        if self.store.is_taken(&TakenCommand::chatted(name, &chatted.id)).await? {
            return self.done(task).await;
        }
        let presence = match chat.chat.presence(&chatted.by, &chatted.aside.channel).await {
            Ok(presence) => presence,
            // Who can't be told apart decides nothing; a person waits for the answer.
            Err(failure) => {
                tracing::warn!(chat = %name, %failure, "who acted can't be read; nothing is decided");
                Presence { name: chatted.by.id.clone(), no_voice: Some(NoVoice::Unknown) }
            }
        };
        let actor = Actor { chat, chatted, presence };
        for _ in 0..TRIES {
            let reaction = match self.react_to(&actor).await {
                // A person waits for the answer, whatever is gone.
                Err(Stopped::Forge(Failure::NotFound)) => Reaction::saying(wording::unknown_offer()),
                reaction => reaction?,
            };
            match self.write_reaction(task, &actor, reaction).await {
                Err(Stopped::Commit(CommitError::Conflict)) => {}
                other => return other,
            }
        }
        Err(CommitError::Conflict.into())
    }

    async fn react_to(&self, actor: &Actor<'_>) -> Result<Reaction, Stopped> {
        match &actor.chatted.act {
            Act::Typed { text } => self.typed(actor, parse_chat(text)).await,
            Act::Pressed { offer, word, reason, on, pressed_at } => {
                let press = Pressed {
                    offer,
                    word: *word,
                    reason: reason.as_deref(),
                    on: on.as_ref(),
                    at: *pressed_at,
                };
                self.pressed(actor, &press).await
            }
            Act::Unopened { offer, word } => {
                Ok(Reaction::saying(wording::form_not_opened(offer, *word, &actor.spelling())))
            }
        }
    }

    async fn typed(
        &self,
        actor: &Actor<'_>,
        command: Result<Command, Misunderstood>,
    ) -> Result<Reaction, Stopped> {
        let command = match command {
            Ok(command) => command,
            Err(Misunderstood::UnknownVerb { word, did_you_mean, .. }) => {
                let text = answer::unknown_verb(&word, did_you_mean.map(Verb::name), &actor.spelling());
                return Ok(Reaction::saying(text));
            }
        };
        if command.verb == Verb::Help {
            return Ok(Reaction::saying(self.help(actor)));
        }
        if let Some(why) = actor.presence.no_voice {
            return Ok(Reaction::saying(wording::no_voice(why)));
        }
        let mut reaction = Reaction::default();
        match self.meant(actor, &command).await? {
            Meant::Say(text, choices) => {
                reaction.plan = Plan::saying(text);
                reaction.choices = choices;
            }
            Meant::These { speaker, targets, reason, seen } => {
                reaction.by = Some(speaker.account.id);
                reaction.about = targets.first().map(|d| d.description.clone());
                reaction.plan = Plan::saying(Prose::default());
                for deployment in &targets {
                    let at = actor.spoke_at(command.verb, deployment, &speaker.account);
                    let speaker = Speaker { at, ..speaker.clone() };
                    let spoken = actor.spoken(&speaker, command.verb, reason.as_deref());
                    let seen = seen.get(&deployment.description.native);
                    self.carry_out(&mut reaction.plan, &spoken, deployment, seen).await?;
                }
            }
        }
        Ok(reaction)
    }

    fn terms_of(&self, deployment: &Description) -> Result<Terms, Stopped> {
        Ok(self.desk(&deployment.forge)?.forge.terms())
    }

    /// People whom no policy names are answered a limited number of times, told so once, then no more.
    async fn answer_within_limits(
        &self,
        taken: &TakenCommand,
        (by, about): (Option<UserId>, Option<Description>),
        text: Prose,
    ) -> Result<Option<Prose>, Stopped> {
        if taken.named {
            return Ok(Some(text));
        }
        let since = self.clock.now() - ANSWER_WINDOW;
        let answered = self.store.answers_to(&taken.place, taken.by, since).await?;
        let named = match (by, &about) {
            _ if answered < MOST_ANSWERS => true,
            (Some(user), Some(about)) => {
                self.is_named(self.desk(&about.forge)?, &about.project, user).await?
            }
            // Somebody with an account of the forge, who asked for nothing in particular.
            (Some(_), None) => true,
            (None, _) => false,
        };
        if named {
            return Ok(Some(text));
        }
        Ok((answered == MOST_ANSWERS).then(answer::last_answer))
    }

    fn help(&self, actor: &Actor<'_>) -> Prose {
        let mut text = help::help(&actor.spelling());
        let chat = actor.chat.chat.name();
        if self.people.with(&chat.into(), &actor.presence.name).is_none() {
            text.extend(wording::how_to_be_linked(chat, &actor.presence.name));
        }
        text
    }

    async fn pressed(&self, actor: &Actor<'_>, press: &Pressed<'_>) -> Result<Reaction, Stopped> {
        if let Some(why) = actor.presence.no_voice {
            return Ok(Reaction::saying(wording::no_voice(why)));
        }
        let posting = match self.pressed_posting(actor, press).await? {
            Ok(posting) => posting,
            Err(text) => return Ok(Reaction::saying(text)),
        };
        let mut targets = self.store.deployments_about(&press.offer.subject).await?;
        targets.retain(|d| press.offer.numbers.contains(&d.description.number));
        let Some(first) = targets.first() else { return Ok(Reaction::saying(wording::unknown_offer())) };
        let desk = self.desk(&first.description.forge)?;
        // Before the forge is asked for anything: that may take its time.
        if let (Some(name), Some(posting)) = (self.linked_name(actor.chat, &actor.presence, desk), posting) {
            self.show_carrying_out(actor.chat, &posting, (press.word, name)).await?;
        }
        let account = match self.spokesman(actor.chat, (&actor.chatted.by, &actor.presence), desk).await? {
            Spokesman::Of(account) => account,
            Spokesman::Nobody(text) => return Ok(Reaction::saying(text)),
        };
        let about = Some(first.description.clone());
        let mut reaction = Reaction { by: Some(account.id), about, ..Reaction::saying(Prose::default()) };
        for deployment in open_ones(&targets) {
            if press.word == Word::Approved && deployment.superseded && deployment.status.takes_votes() {
                reaction.plan.say(answer::overtaken(&deployment.description, &actor.spelling()));
                continue;
            }
            let speaker = Speaker {
                at: actor.spoke_at(press.verb(), deployment, &account),
                account: account.clone(),
                here: actor.here(),
                spelling: actor.spelling(),
                project: deployment.description.project.clone(),
            };
            let spoken = actor.spoken(&speaker, press.verb(), press.reason);
            self.carry_out(&mut reaction.plan, &spoken, deployment, None).await?;
        }
        Ok(reaction)
    }

    /// The message that a button stands on: one of ours, about what the button says, and showing it. `Ok(None)` for a
    /// button in an answer that one person alone saw.
    async fn pressed_posting(
        &self,
        actor: &Actor<'_>,
        press: &Pressed<'_>,
    ) -> Result<Result<Option<Posting>, Prose>, Stopped> {
        let Some(message) = press.on else { return Ok(Ok(None)) };
        let chat = actor.chat.chat.name();
        let found = self.store.posting_at(chat, message).await?;
        if found.is_none() {
            // It may have been posted a moment ago, and not be kept yet. That is over soon: what is held holds others.
            let soon = self.clock.now().duration_since(actor.chatted.at) < TO_BE_KEPT;
            let about = self.store.postings_about(&press.offer.subject).await?;
            let unposted = |posting: &Posting| posting.channel.chat == *chat && posting.message.is_none();
            if soon && about.iter().any(unposted) {
                return Err(CommitError::Held.into());
            }
        }
        let Some(posting) = found.filter(|posting| posting.subject == press.offer.subject) else {
            return Ok(Err(wording::not_our_message()));
        };
        let since = posting.shown.iter().find(|(generation, _)| *generation > press.offer.generation);
        let outdated = press.offer.generation > 0 && since.is_some_and(|(_, shown)| *shown < press.at);
        if outdated {
            let text = match self.still_open(press.offer).await? {
                Some(ended) => answer::not_waiting(&ended, press.word),
                None => wording::out_of_date(),
            };
            return Ok(Err(text));
        }
        Ok(Ok(Some(posting)))
    }

    /// The message of a press, where it says that the press is being carried out and has to be written anew.
    pub async fn left_stale(&self, chatted: &Chatted) -> Result<Option<Posting>, Stopped> {
        let Act::Pressed { on: Some(message), .. } = &chatted.act else { return Ok(None) };
        let posting = self.store.posting_at(&chatted.aside.chat, message).await?;
        Ok(posting.filter(|posting| posting.digest.is_none()))
    }

    /// `Some` with the newest deployment of an offer when none of them takes votes any more.
    async fn still_open(&self, offer: &Offer) -> Result<Option<Deployment>, Stopped> {
        let mut all = self.store.deployments_about(&offer.subject).await?;
        all.retain(|d| offer.numbers.contains(&d.description.number));
        Ok(if all.iter().any(|d| d.status.takes_votes()) { None } else { all.into_iter().next() })
    }

    /// The one commit of an act.
    async fn write_reaction(
        &self,
        task: &Task,
        actor: &Actor<'_>,
        reaction: Reaction,
    ) -> Result<(), Stopped> {
        let Chatted { id, aside, at, .. } = actor.chatted;
        let Reaction { plan, choices, by, about } = reaction;
        let terms = about.as_ref().map(|about| self.terms_of(about)).transpose()?;
        let mut commit = self.finishing(task);
        let taken = TakenCommand {
            source: TakenCommand::chatted(&aside.chat, id),
            place: aside.channel.key(&aside.chat),
            line: TakenCommand::WHOLE,
            by: by.unwrap_or_else(|| counted_as(&actor.chatted.by.id)),
            at: *at,
            outcome: plan.outcome.to_owned(),
            named: plan.named,
        };
        let text = self.answer_within_limits(&taken, (by, about), plan.text).await?;
        commit.commands.push(taken);
        commit.changes = plan.changes;
        for effect in plan.effects {
            commit.jobs.push(self.effect(effect, *at)?);
        }
        for deployment in plan.look_at {
            let Some(known) = self.store.deployment(&deployment).await? else { continue };
            commit.jobs.push(self.look(Look::Deployment { deployment }, &known.description.forge, commit.at));
        }
        if let Some(posting) = self.left_stale(actor.chatted).await? {
            commit.jobs.extend(self.renewing(&posting)?);
        }
        if let Some(text) = text.filter(|text| !text.0.is_empty() || !choices.is_empty()) {
            let text = terms.iter().fold(text, Prose::in_terms);
            let whisper = Effect::Whisper { to: aside.clone(), text, choices };
            commit.jobs.push(self.effect(whisper, *at)?);
        }
        match self.store.commit(commit).await {
            Err(CommitError::AlreadyTaken) => self.done(task).await,
            other => Ok(other?),
        }
    }
}

impl Actor<'_> {
    /// How commands are spelt here.
    pub fn spelling(&self) -> Spelling {
        Spelling::of_command(&self.chat.command)
    }

    /// Where they act.
    pub fn here(&self) -> Here {
        let aside = &self.chatted.aside;
        Here::Channel { chat: aside.chat.clone(), channel: aside.channel.clone() }
    }

    /// When a word counts from. The chat's clock and the forge's may differ: a word that keeps a deployment back is
    /// never older than the person's last one; an approval may be, and then the later word stands.
    fn spoke_at(&self, verb: Verb, deployment: &Deployment, account: &Account) -> Timestamp {
        match verb {
            Verb::Reject | Verb::Revoke => pressed_at(self.chatted.at, deployment, account),
            Verb::Approve | Verb::Status | Verb::Blocked | Verb::Why | Verb::Help => self.chatted.at,
        }
    }

    fn spoken<'b>(&'b self, speaker: &'b Speaker, verb: Verb, reason: Option<&'b str>) -> Spoken<'b> {
        let aside = &self.chatted.aside;
        let source = Source::Chat {
            chat: aside.chat.clone(),
            channel: aside.channel.clone(),
            user: self.chatted.by.id.clone(),
            act: self.chatted.id.clone(),
        };
        Spoken { speaker, verb, reason, source, aside: Some(aside) }
    }
}

/// A pressed button, or the form behind it.
struct Pressed<'a> {
    offer: &'a Offer,
    word: Word,
    reason: Option<&'a str>,
    on: Option<&'a Message>,
    at: Timestamp,
}

impl Pressed<'_> {
    fn verb(&self) -> Verb {
        match self.word {
            Word::Approved => Verb::Approve,
            Word::Rejected => Verb::Reject,
            Word::Revoked => Verb::Revoke,
        }
    }
}

/// Somebody without an account of a forge is counted under a number of their own.
fn counted_as(chat_user: &str) -> UserId {
    let digest = Sha256::digest(chat_user.as_bytes());
    let number = digest.iter().take(7).fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
    UserId(-1 - number)
}

/// Those that take votes; if none does, the newest, so that the answer tells how it ended.
fn open_ones(targets: &[Deployment]) -> Vec<&Deployment> {
    let open: Vec<&Deployment> = targets.iter().filter(|d| d.status.takes_votes()).collect();
    if open.is_empty() { targets.iter().take(1).collect() } else { open }
}
