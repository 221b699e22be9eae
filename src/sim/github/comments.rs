//! Comments on issues, pull requests and commits, and reactions to them.

use jiff::Timestamp;

use super::state::State;
use super::{AppId, CommentId, GitHub, Number, Refused, RepositoryId, UserId};

/// Where a comment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An issue or pull request.
    Issue(Number),
    /// A commit.
    Commit(String),
}

/// A reaction to a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReactionView {
    /// `eyes`, `+1`, …
    pub content: String,
    /// Login.
    pub user: String,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentView {
    /// Id.
    pub id: CommentId,
    /// Login; `ghost` when the account is gone.
    pub author: String,
    /// Text.
    pub body: String,
    /// Reactions, oldest first.
    pub reactions: Vec<ReactionView>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When its text last changed; reactions don't move it.
    pub updated_at: Timestamp,
}

/// The longest text that GitHub takes, in characters.
const LONGEST: usize = 65_536;

/// What can be answered to a comment in one picture.
const REACTIONS: [&str; 8] = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

pub(super) struct Comment {
    pub(super) id: CommentId,
    pub(super) repository: RepositoryId,
    pub(super) place: Place,
    pub(super) author: UserId,
    pub(super) app: Option<AppId>,
    pub(super) body: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) reactions: Vec<Reaction>,
}

#[derive(Clone)]
pub(super) struct Reaction {
    pub(super) id: u64,
    pub(super) content: String,
    pub(super) user: UserId,
    pub(super) at: Timestamp,
}

/// A comment to be posted.
pub(super) struct Draft {
    pub(super) repository: RepositoryId,
    pub(super) place: Place,
    pub(super) author: UserId,
    pub(super) app: Option<AppId>,
    pub(super) text: String,
}

impl GitHub {
    /// Comments on an issue or pull request.
    pub fn comment_on_pull_request(
        &self,
        repository: RepositoryId,
        number: Number,
        by: UserId,
        text: &str,
    ) -> Result<CommentId, Refused> {
        self.with(|state| {
            state.may_talk(repository, number, by)?;
            let (place, text) = (Place::Issue(number), text.to_owned());
            state.post_comment(Draft { repository, place, author: by, app: None, text })
        })
    }

    /// Comments on a commit.
    pub fn comment_on_commit(
        &self,
        repository: RepositoryId,
        sha: &str,
        by: UserId,
        text: &str,
    ) -> Result<CommentId, Refused> {
        self.with(|state| {
            state.may_read(repository, by)?;
            let (place, text) = (Place::Commit(sha.into()), text.to_owned());
            state.post_comment(Draft { repository, place, author: by, app: None, text })
        })
    }

    /// Edits a comment: its author, and people who may write.
    pub fn edit_comment(&self, comment: CommentId, by: UserId, text: &str) -> Result<(), Refused> {
        self.with(|state| {
            state.may_change(comment, by)?;
            state.change_comment(comment, by, text)
        })
    }

    /// Deletes a comment: its author, and people who may write.
    pub fn delete_comment(&self, comment: CommentId, by: UserId) -> Result<(), Refused> {
        self.with(|state| {
            state.may_change(comment, by)?;
            state.remove_comment(comment, by)
        })
    }

    /// The comments on an issue or pull request, oldest first.
    pub fn comments_of(&self, repository: RepositoryId, number: Number) -> Vec<CommentView> {
        self.with(|state| {
            state
                .comments_at(repository, &Place::Issue(number))
                .map(|known| state.comment_view(known))
                .collect()
        })
    }

    /// The comments on a commit, oldest first.
    pub fn commit_comments_of(&self, repository: RepositoryId, sha: &str) -> Vec<CommentView> {
        let place = Place::Commit(sha.into());
        self.with(|state| {
            state.comments_at(repository, &place).map(|known| state.comment_view(known)).collect()
        })
    }

    /// One comment, wherever it stands.
    pub fn comment(&self, comment: CommentId) -> Option<CommentView> {
        self.with(|state| state.comments.get(&comment).map(|known| state.comment_view(known)))
    }
}

impl State {
    pub(super) fn may_read(&self, repository: RepositoryId, by: UserId) -> Result<(), Refused> {
        if self.level_of(by, repository).is_none() {
            return Err(Refused::not_found());
        }
        Ok(())
    }

    /// Whether a person may comment here: locked conversations are for those who may write.
    pub(super) fn may_talk(
        &self,
        repository: RepositoryId,
        number: Number,
        by: UserId,
    ) -> Result<(), Refused> {
        self.may_read(repository, by)?;
        if self.issue(repository, number)?.locked && !self.may_write(by, repository) {
            return Err(locked());
        }
        Ok(())
    }

    /// Whether a person may edit or delete a comment.
    fn may_change(&self, comment: CommentId, by: UserId) -> Result<(), Refused> {
        let known = self.comments.get(&comment).ok_or_else(Refused::not_found)?;
        if known.author != by && !self.may_write(by, known.repository) {
            return Err(Refused::new(403, "Must have write access to the repository"));
        }
        Ok(())
    }

    pub(super) fn post_comment(&mut self, draft: Draft) -> Result<CommentId, Refused> {
        self.may_stand(draft.repository, &draft.place, &draft.text)?;
        let (id, now) = (self.ids.next("comment", 90_001), self.time());
        let Draft { repository, place, author, app, text } = draft;
        if let Place::Issue(number) = place {
            self.touch_issue(repository, number);
        }
        let (body, reactions) = (text, Vec::new());
        let comment =
            Comment { id, repository, place, author, app, body, created_at: now, updated_at: now, reactions };
        self.comments.insert(id, comment);
        self.tell_of_comment(id, "created", author, None);
        Ok(id)
    }

    fn touch_issue(&mut self, repository: RepositoryId, number: Number) {
        let now = self.time();
        if let Some(issue) = self.issues.get_mut(&(repository, number)) {
            issue.updated_at = now;
        }
    }

    fn may_stand(&self, repository: RepositoryId, place: &Place, text: &str) -> Result<(), Refused> {
        let home = self.repository(repository)?;
        if home.archived {
            return Err(Refused::new(403, "Repository was archived so is read-only."));
        }
        match place {
            Place::Issue(number) => drop(self.issue(repository, *number)?),
            Place::Commit(sha) if home.commits.contains_key(sha) => {}
            Place::Commit(sha) => return Err(no_commit(sha)),
        }
        if text.trim().is_empty() {
            return Err(Refused::invalid("body", "body can't be blank"));
        }
        if text.chars().count() > LONGEST {
            return Err(Refused::invalid("body", "body is too long (maximum is 65536 characters)"));
        }
        Ok(())
    }

    pub(super) fn change_comment(
        &mut self,
        comment: CommentId,
        by: UserId,
        text: &str,
    ) -> Result<(), Refused> {
        let known = self.comments.get(&comment).ok_or_else(Refused::not_found)?;
        self.may_stand(known.repository, &known.place, text)?;
        let now = self.time();
        let Some(known) = self.comments.get_mut(&comment).filter(|known| known.body != text) else {
            return Ok(());
        };
        let former = std::mem::replace(&mut known.body, text.to_owned());
        known.updated_at = now;
        self.tell_of_comment(comment, "edited", by, Some(&former));
        Ok(())
    }

    pub(super) fn remove_comment(&mut self, comment: CommentId, by: UserId) -> Result<(), Refused> {
        let known = self.comments.get(&comment).ok_or_else(Refused::not_found)?;
        if self.repository(known.repository)?.archived {
            return Err(Refused::new(403, "Repository was archived so is read-only."));
        }
        self.tell_of_comment(comment, "deleted", by, None);
        self.comments.remove(&comment);
        Ok(())
    }

    /// Reacts; the same again changes nothing. Says whether the reaction is new.
    pub(super) fn react(
        &mut self,
        comment: CommentId,
        by: UserId,
        content: &str,
    ) -> Result<(bool, Reaction), Refused> {
        if !REACTIONS.contains(&content) {
            return Err(Refused::invalid("content", "content is not a reaction"));
        }
        let at = self.time();
        let known = self.comments.get_mut(&comment).ok_or_else(Refused::not_found)?;
        let same = known.reactions.iter().find(|given| given.user == by && given.content == content);
        if let Some(given) = same {
            return Ok((false, given.clone()));
        }
        let reaction = Reaction { id: self.ids.next("reaction", 1), content: content.into(), user: by, at };
        known.reactions.push(reaction.clone());
        Ok((true, reaction))
    }

    /// Comments here, oldest first.
    pub(super) fn comments_at(
        &self,
        repository: RepositoryId,
        place: &Place,
    ) -> impl Iterator<Item = &Comment> {
        self.comments.values().filter(move |known| known.repository == repository && known.place == *place)
    }

    fn comment_view(&self, comment: &Comment) -> CommentView {
        let reactions = comment
            .reactions
            .iter()
            .map(|given| ReactionView { content: given.content.clone(), user: self.login_of(given.user) });
        CommentView {
            id: comment.id,
            author: self.login_of(comment.author),
            body: comment.body.clone(),
            reactions: reactions.collect(),
            created_at: comment.created_at,
            updated_at: comment.updated_at,
        }
    }
}

pub(super) fn locked() -> Refused {
    Refused::new(403, "Unable to create comment because issue is locked.")
}

pub(super) fn no_commit(sha: &str) -> Refused {
    Refused::new(422, &format!("No commit found for SHA: {sha}"))
}
