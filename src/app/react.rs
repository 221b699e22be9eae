//! A comment becomes a decision: read it again, understand it, gather, decide, and write one commit.

use super::commands::{Here, Plan, Speaker};
use super::worker::Task;
use super::{App, Desk, Stopped};
use crate::domain::command::{self, Command, MOST_COMMANDS, Misunderstood, Surface};
use crate::domain::effect::{Effect, Look};
use crate::domain::event::Heard;
use crate::domain::id::{CommentRef, Conversation, Place, Project, UserId};
use crate::domain::wording::{Prose, answer};
use crate::ports::forge::Comment;
use crate::ports::store::{CommitError, RoomNews, TakenCommand};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

/// How often a conflict is answered by gathering and deciding again at once.
const TRIES: u32 = 3;
/// Answers that somebody whom no policy names gets in one place within [`ANSWER_WINDOW`].
pub(super) const MOST_ANSWERS: u32 = 10;
/// See [`MOST_ANSWERS`].
pub(super) const ANSWER_WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// A hook proves the text that a comment began with only if it came this soon after it: a custom template can
/// call a later edit, also one by somebody else, a new comment.
const AT_ITS_BIRTH: SignedDuration = SignedDuration::from_mins(10);

/// What the forge says of a comment, beside what we were told of it.
enum Trust {
    /// As announced.
    Same,
    /// Known from polling only, and touched since it was written: it may have been edited.
    Touched,
    /// Not the author or the text that was announced: it doesn't count.
    Different,
}

impl App {
    /// Processes a comment. What was carried out before is not carried out again, whoever tells us.
    pub async fn react(&self, task: &Task, at: &CommentRef, heard: &Heard) -> Result<(), Stopped> {
        let desk = self.desk(&at.conversation.forge)?;
        if self.store.is_taken(&at.key()).await? {
            return self.done(task).await;
        }
        let me = desk.forge.me().await?;
        // Our own words come back to us as hooks. One that only says so falsely wouldn't count either.
        if matches!(heard, Heard::Hook { author, .. } if *author == me.id) {
            return self.done(task).await;
        }
        let Some(comment) = desk.forge.comment(at).await? else { return self.done(task).await };
        if comment.system || comment.author == me.id {
            return self.done(task).await;
        }
        let trust = self.trust(task, &comment, heard).await?;
        if matches!(trust, Trust::Different) {
            tracing::warn!(
                comment = at.comment,
                "the comment is not the one that was announced; it does not count"
            );
            return self.ignore(task, &comment, "not as announced").await;
        }
        let project = self.known_project(desk, &at.conversation).await?;
        let covered = !self.policies.of_project(desk.forge.name(), &project.path).is_empty();
        let surface = Surface { handle: me.username.clone(), bare: covered };
        let parsed = command::parse_comment(&comment.text, &surface);
        if parsed.as_ref().is_ok_and(Vec::is_empty) {
            return self.done(task).await;
        }
        let account = desk.forge.account(comment.author).await?;
        if account.bot {
            return self.ignore(task, &comment, "a bot's").await;
        }
        let (spelling, here) = (desk.spelling(&me), Here::Conversation(at.conversation.clone()));
        let speaker = Speaker { account, at: comment.created_at, here, spelling, project };
        let outdated = self.outdated(desk, &comment).await?;
        let touched = matches!(trust, Trust::Touched);
        let scene = Scene { desk, speaker, comment: comment.at, touched, outdated, covered };
        self.answer(task, &scene, parsed).await
    }

    /// Nothing is said or done, now or when it is heard of again.
    async fn ignore(&self, task: &Task, comment: &Comment, why: &str) -> Result<(), Stopped> {
        let mut commit = self.finishing(task);
        commit.commands.push(TakenCommand {
            source: comment.at.key(),
            place: comment.at.conversation.key(),
            line: TakenCommand::WHOLE,
            by: comment.author,
            at: comment.created_at,
            outcome: format!("ignored: {why}"),
            named: true,
        });
        match self.store.commit(commit).await {
            Err(CommitError::AlreadyTaken) => self.done(task).await,
            other => Ok(other?),
        }
    }

    async fn answer(
        &self,
        task: &Task,
        scene: &Scene<'_>,
        parsed: Result<Vec<Result<Command, Misunderstood>>, command::TooMany>,
    ) -> Result<(), Stopped> {
        let speaker = &scene.speaker;
        let commands = match parsed {
            Err(command::TooMany { .. }) => {
                return self.only_say(task, scene, answer::too_many(MOST_COMMANDS)).await;
            }
            Ok(_) if scene.touched => return self.only_say(task, scene, answer::please_repeat()).await,
            Ok(_) if !scene.covered => return self.only_say(task, scene, answer::no_policy(None)).await,
            Ok(commands) => commands,
        };
        if let Some((about, head)) = &scene.outdated
            && commands.iter().flatten().any(|command| command.verb.decides())
        {
            return self.only_say(task, scene, answer::reviewed_another_commit(about, head)).await;
        }
        for _ in 0..TRIES {
            let plan = self.plan(scene.desk, (speaker, &scene.comment), &commands).await?;
            match self.write_plan(task, scene, plan).await {
                Err(Stopped::Commit(CommitError::Conflict)) => {}
                other => return other,
            }
        }
        Err(CommitError::Conflict.into())
    }

    async fn only_say(&self, task: &Task, scene: &Scene<'_>, text: Prose) -> Result<(), Stopped> {
        self.write_plan(task, scene, Plan::saying(text)).await
    }

    /// The one commit of a comment: what was decided, the answer, the reaction, the end of the job.
    async fn write_plan(&self, task: &Task, scene: &Scene<'_>, plan: Plan) -> Result<(), Stopped> {
        let speaker = &scene.speaker;
        let mut commit = self.finishing(task);
        commit.commands.push(TakenCommand {
            source: scene.comment.key(),
            place: scene.comment.conversation.key(),
            line: TakenCommand::WHOLE,
            by: speaker.account.id,
            at: speaker.at,
            outcome: plan.outcome.to_owned(),
            named: plan.named,
        });
        commit.changes = plan.changes;
        for effect in plan.effects {
            commit.jobs.push(self.effect(effect, speaker.at)?);
        }
        for deployment in plan.look_at {
            let forge = scene.desk.forge.name();
            commit.jobs.push(self.look(Look::Deployment { deployment }, forge, commit.at));
        }
        if let Some(text) = self.within_limits(scene, plan.named, plan.text).await? {
            let (to, whom) = (scene.comment.clone(), speaker.account.clone());
            commit.jobs.push(self.effect(Effect::React { to: to.clone() }, speaker.at)?);
            let reply = Effect::Reply { to, whom, marker: "answer".to_owned(), text };
            commit.jobs.push(self.effect(reply, speaker.at)?);
        }
        match self.store.commit(commit).await {
            Err(CommitError::AlreadyTaken) => self.done(task).await,
            other => Ok(other?),
        }
    }

    /// People whom no policy names are answered a limited number of times, told so once, then no more.
    async fn within_limits(
        &self,
        scene: &Scene<'_>,
        named: bool,
        text: Prose,
    ) -> Result<Option<Prose>, Stopped> {
        if text.0.is_empty() {
            return Ok(None);
        }
        let Speaker { account, project, .. } = &scene.speaker;
        if named {
            return Ok(Some(text));
        }
        let since = self.clock.now() - ANSWER_WINDOW;
        let answered = self.store.answers_to(&scene.comment.conversation.key(), account.id, since).await?;
        if answered < MOST_ANSWERS || self.is_named(scene.desk, project, account.id).await? {
            return Ok(Some(text));
        }
        Ok((answered == MOST_ANSWERS).then(answer::last_answer))
    }

    /// Whether any policy of the project names somebody.
    pub async fn is_named(&self, desk: &Desk, project: &Project, user: UserId) -> Result<bool, Stopped> {
        for entry in self.policies.of_project(desk.forge.name(), &project.path) {
            let users = std::iter::once(user).collect();
            let read = self.read_people(desk, project.id, &entry.policy, &users).await?;
            if read.holds.values().any(|holds| holds.fact() == Some(&true)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The project's path as our deployments of this conversation know it; else it is asked for.
    async fn known_project(&self, desk: &Desk, at: &Conversation) -> Result<Project, Stopped> {
        let here = self.store.deployments_in(at, 1).await?;
        match here.into_iter().next() {
            Some(deployment) => Ok(deployment.description.project),
            None => self.project_of(desk, at.project).await,
        }
    }

    /// A review is about one commit: its commands count only while that is the head. Gives both if it isn't.
    async fn outdated(&self, desk: &Desk, comment: &Comment) -> Result<Option<(String, String)>, Stopped> {
        let (Some(about), Place::MergeRequest(number)) = (&comment.about, &comment.at.conversation.place)
        else {
            return Ok(None);
        };
        let head = desk.forge.merge_request(comment.at.conversation.project, *number).await?.head_sha;
        Ok((*about != head).then(|| (about.clone(), head)))
    }

    async fn trust(&self, task: &Task, comment: &Comment, heard: &Heard) -> Result<Trust, Stopped> {
        let announced = match heard {
            Heard::Hook { digest, author } => Some((digest.clone(), *author, task.created_at())),
            Heard::Poll => self.store.heard(&comment.at).await?,
        };
        let untouched = comment.updated_at == comment.created_at;
        Ok(match announced {
            Some((digest, author, _)) if author != comment.author || digest != text_digest(&comment.text) => {
                Trust::Different
            }
            Some((.., told)) if told.duration_since(comment.created_at) <= AT_ITS_BIRTH => Trust::Same,
            Some(_) | None if untouched => Trust::Same,
            Some(_) | None => Trust::Touched,
        })
    }

    /// Somebody approved the merge request itself: say once what works, if it would work for them.
    pub async fn hint(&self, task: &Task, at: &Conversation, by: UserId) -> Result<(), Stopped> {
        let desk = self.desk(&at.forge)?;
        if !desk.hint || self.store.room(at).await?.hinted {
            return self.done(task).await;
        }
        let account = desk.forge.account(by).await?;
        let me = desk.forge.me().await?;
        if account.bot {
            return self.done(task).await;
        }
        let here = self.store.deployments_in(at, super::commands::MOST_SHOWN).await?;
        for deployment in here.iter().filter(|d| d.status.takes_votes() && !d.superseded) {
            let Some(case) = self.gather(deployment, Some(by)).await? else { continue };
            let may = crate::domain::decide::eligibility(
                &case.policy,
                by,
                crate::domain::ledger::Word::Approved,
                &case.facts,
            );
            if may.is_err() || !case.waits() {
                continue;
            }
            let text = answer::merge_request_hint(account, &deployment.description, &desk.spelling(&me));
            let mut commit = self.finishing(task);
            commit.rooms.push((at.clone(), RoomNews::Hinted));
            commit.jobs.push(
                self.effect(Effect::Say { at: at.clone(), marker: "hint".to_owned(), text }, commit.at)?,
            );
            return Ok(self.store.commit(commit).await?);
        }
        self.done(task).await
    }
}

/// Where and by whom a comment was written, and how it is to be taken.
struct Scene<'a> {
    desk: &'a Desk,
    speaker: Speaker,
    comment: CommentRef,
    touched: bool,
    /// It is a review of the first commit, while the second one is the head.
    outdated: Option<(String, String)>,
    covered: bool,
}

/// The digest under which intake keeps a comment's text: hex SHA-256.
pub fn text_digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
