//! Comments: on merge requests and commits, in discussions, with reactions, through the quick-action extractor.

use jiff::Timestamp;

use super::hooks::HookEvent;
use super::quick_actions;
use super::state::{Refused, State};
use super::{GitLab, Iid, Level, NoteId, ProjectId, UserId};

/// What is commented on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A merge request.
    MergeRequest(Iid),
    /// A commit, by its full SHA.
    Commit(String),
}

#[derive(Clone, Debug)]
pub(super) struct Award {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) user: UserId,
    pub(super) created_at: Timestamp,
}

#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) id: NoteId,
    pub(super) project: ProjectId,
    pub(super) place: Place,
    pub(super) author: UserId,
    pub(super) body: String,
    pub(super) discussion: String,
    /// Part of a thread, not a single comment.
    pub(super) threaded: bool,
    pub(super) internal: bool,
    pub(super) system: bool,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) updated_by: Option<UserId>,
    pub(super) awards: Vec<Award>,
}

/// A comment about to be posted.
pub(super) struct Draft {
    pub(super) place: Place,
    pub(super) text: String,
    /// The thread that it answers; a new one otherwise.
    pub(super) discussion: Option<String>,
    pub(super) threaded: bool,
    pub(super) internal: bool,
}

/// What became of a comment.
pub(super) enum Posted {
    Note(NoteId),
    /// Nothing but quick actions: no note, only their summary, or why they didn't apply.
    CommandsOnly(Result<Vec<String>, Refused>),
}

impl Posted {
    fn note(self) -> Option<NoteId> {
        match self {
            Self::Note(id) => Some(id),
            Self::CommandsOnly(_) => None,
        }
    }
}

impl GitLab {
    /// Comments on a merge request in the pages. `None` when quick actions swallowed all of it.
    pub fn comment_on_mr(
        &self,
        project: ProjectId,
        iid: Iid,
        by: UserId,
        text: &str,
    ) -> Result<Option<NoteId>, Refused> {
        self.comment(project, by, draft(Place::MergeRequest(iid), text))
    }

    /// Comments internally (for Reporters and above) on a merge request.
    pub fn comment_internally(
        &self,
        project: ProjectId,
        iid: Iid,
        by: UserId,
        text: &str,
    ) -> Result<Option<NoteId>, Refused> {
        self.comment(project, by, Draft { internal: true, ..draft(Place::MergeRequest(iid), text) })
    }

    /// Comments on a commit in the pages. `None` when quick actions swallowed all of it.
    pub fn comment_on_commit(
        &self,
        project: ProjectId,
        sha: &str,
        by: UserId,
        text: &str,
    ) -> Result<Option<NoteId>, Refused> {
        self.comment(project, by, draft(Place::Commit(sha.into()), text))
    }

    /// Answers in the thread of a note.
    pub fn reply(&self, to: NoteId, by: UserId, text: &str) -> Result<Option<NoteId>, Refused> {
        self.with(|state| {
            let note = state.notes.get(&to).ok_or_else(|| Refused::not_found("Note"))?;
            let (project, discussion) = (note.project, Some(note.discussion.clone()));
            let reply = Draft { discussion, threaded: true, ..draft(note.place.clone(), text) };
            state.post(project, by, reply).map(Posted::note)
        })
    }

    /// Edits a note in the pages, one's own or, as a Maintainer, somebody's.
    pub fn edit_note(&self, note: NoteId, by: UserId, text: &str) -> Result<(), Refused> {
        self.with(|state| state.edit_note(note, by, text).map(|_| ()))
    }

    /// Deletes a note in the pages.
    pub fn delete_note(&self, note: NoteId, by: UserId) -> Result<(), Refused> {
        self.with(|state| state.delete_note(note, by))
    }

    /// Reacts to a note. This moves the note's `updated_at`, as on GitLab.
    pub fn react(&self, note: NoteId, by: UserId, emoji: &str) -> Result<(), Refused> {
        self.with(|state| state.award(note, by, emoji).map(|_| ()))
    }

    fn comment(&self, project: ProjectId, by: UserId, draft: Draft) -> Result<Option<NoteId>, Refused> {
        self.with(|state| state.post(project, by, draft).map(Posted::note))
    }
}

impl State {
    /// Posts a comment: quick actions out first, then the note and its hook.
    pub(super) fn post(&mut self, project: ProjectId, by: UserId, draft: Draft) -> Result<Posted, Refused> {
        self.may_comment(project, by, &draft.place)?;
        let extracted = quick_actions::extract(&draft.text);
        let outcome = self.run_quick_actions(project, by, &draft.place, &extracted.commands);
        if extracted.rest.trim().is_empty() && !extracted.commands.is_empty() {
            return Ok(Posted::CommandsOnly(outcome));
        }
        if extracted.rest.trim().is_empty() {
            return Err(Refused::new(400, "400 Bad request - Note {:note=>[\"can't be blank\"]}"));
        }
        let body = extracted.rest.trim().to_owned();
        let id = self.save_note(project, by, Draft { text: body, ..draft }, false);
        self.note_event(id, "create");
        Ok(Posted::Note(id))
    }

    fn may_comment(&self, project: ProjectId, by: UserId, place: &Place) -> Result<(), Refused> {
        let home = self.project(project)?;
        let level = self.level(by, home);
        if !self.can_see(by, home) {
            return Err(Refused::not_found("Project"));
        }
        let locked = match place {
            Place::MergeRequest(iid) => self.merge_request(project, *iid)?.locked,
            Place::Commit(sha) if home.commits.contains_key(sha) => false,
            Place::Commit(_) => return Err(Refused::not_found("Commit")),
        };
        if home.archived || locked && level == Level::NONE {
            return Err(Refused::forbidden());
        }
        Ok(())
    }

    fn save_note(&mut self, project: ProjectId, by: UserId, draft: Draft, system: bool) -> NoteId {
        let now = self.time();
        let id = self.ids.next("note", 90_001);
        let discussion = draft.discussion.unwrap_or_else(|| self.ids.hex(40));
        if draft.threaded {
            // Answering a single comment makes a thread of it.
            for known in self.notes.values_mut().filter(|known| known.discussion == discussion) {
                known.threaded = true;
            }
        }
        let note = Note {
            id,
            project,
            place: draft.place,
            author: by,
            body: draft.text,
            discussion,
            threaded: draft.threaded,
            internal: draft.internal,
            system,
            created_at: now,
            updated_at: now,
            updated_by: None,
            awards: Vec::new(),
        };
        self.notes.insert(id, note);
        self.touch_project(project);
        id
    }

    /// A note by GitLab itself. These never fire a hook.
    pub(super) fn system_note(&mut self, project: ProjectId, iid: Iid, by: UserId, text: &str) {
        self.save_note(project, by, draft(Place::MergeRequest(iid), text), true);
    }

    /// Edits a note. `None`: only quick actions were left, and the note was deleted.
    pub(super) fn edit_note(
        &mut self,
        note: NoteId,
        by: UserId,
        text: &str,
    ) -> Result<Option<NoteId>, Refused> {
        let known = self.editable(note, by)?;
        let (project, place, before) = (known.project, known.place.clone(), known.body.clone());
        let extracted = quick_actions::extract(text);
        let _outcome = self.run_quick_actions(project, by, &place, &extracted.commands);
        let body = extracted.rest.trim().to_owned();
        if body.is_empty() {
            self.notes.remove(&note);
            return Ok(None);
        }
        let now = self.time();
        if let Some(known) = self.notes.get_mut(&note).filter(|_| body != before) {
            known.body = body;
            known.updated_at = now;
            known.updated_by = Some(by);
            self.note_event(note, "update");
        }
        Ok(Some(note))
    }

    pub(super) fn delete_note(&mut self, note: NoteId, by: UserId) -> Result<(), Refused> {
        self.editable(note, by)?;
        self.notes.remove(&note);
        Ok(())
    }

    fn editable(&self, note: NoteId, by: UserId) -> Result<&Note, Refused> {
        let note = self.notes.get(&note).ok_or_else(|| Refused::not_found("Note"))?;
        let home = self.project(note.project)?;
        let may = note.author == by || self.level(by, home) >= Level::MAINTAINER;
        if !may || note.system || home.archived {
            return Err(Refused::forbidden());
        }
        Ok(note)
    }

    pub(super) fn award(&mut self, note: NoteId, by: UserId, emoji: &str) -> Result<Award, Refused> {
        let now = self.time();
        let known = self.notes.get(&note).ok_or_else(|| Refused::not_found("Note"))?;
        self.may_comment(known.project, by, &known.place.clone())?;
        if known.awards.iter().any(|award| award.user == by && award.name == emoji) {
            return Err(Refused::new(404, "404 Award Emoji Name has already been taken Not Found"));
        }
        let award = Award { id: self.ids.next("award", 1), name: emoji.into(), user: by, created_at: now };
        if let Some(known) = self.notes.get_mut(&note) {
            known.awards.push(award.clone());
            known.updated_at = now;
        }
        Ok(award)
    }

    fn note_event(&mut self, note: NoteId, action: &str) {
        let Some(note) = self.notes.get(&note) else { return };
        let Some(home) = self.projects.get(&note.project) else { return };
        let event = if note.internal { HookEvent::ConfidentialNote } else { HookEvent::Note };
        let payload = self.note_payload(home, note, action);
        let project = note.project;
        self.queue(project, event, &payload);
    }
}

fn draft(place: Place, text: &str) -> Draft {
    Draft { place, text: text.into(), discussion: None, threaded: false, internal: false }
}
