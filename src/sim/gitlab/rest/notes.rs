//! Comments, discussions and reactions, on merge requests and commits alike.

use serde_json::{Value, json};

use super::super::notes::{Draft, Note, Posted};
use super::super::state::{Refused, State};
use super::super::{Level, NoteId, Place};
use super::call::{Answer, Reply, page};
use super::{Visit, id, no_route};

impl State {
    pub(super) fn route_notes(&mut self, visit: Visit<'_>, place: &Place, rest: &[&str]) -> Reply {
        match (visit.call.method.as_str(), rest) {
            ("GET", ["notes"]) => Ok(self.list_notes(visit, place)),
            ("POST", ["notes"]) => self.post_note(visit, place, None, false),
            (_, ["notes", note, "award_emoji", rest @ ..]) => {
                let note = self.note_at(visit, place, note)?;
                self.route_awards(visit, note, rest)
            }
            ("GET", ["discussions"]) => Ok(self.list_discussions(visit, place)),
            ("POST", ["discussions"]) => self.post_note(visit, place, None, true),
            ("GET", ["discussions", discussion]) => self.show_discussion(visit, place, discussion),
            ("POST", ["discussions", discussion, "notes"]) => {
                self.show_discussion(visit, place, discussion)?;
                self.post_note(visit, place, Some((*discussion).to_owned()), true)
            }
            (_, ["notes", note] | ["discussions", _, "notes", note]) => {
                let note = self.note_at(visit, place, note)?;
                self.route_note(visit, note)
            }
            _ => Err(no_route()),
        }
    }

    fn route_note(&mut self, visit: Visit<'_>, note: NoteId) -> Reply {
        match visit.call.method.as_str() {
            "GET" => self.show_note(note),
            "PUT" => {
                let body = visit.call.text("body").ok_or_else(|| Refused::param("body is missing"))?;
                match self.edit_note(note, visit.user, body)? {
                    Some(note) => self.show_note(note),
                    None => Ok(commands_only(&[])),
                }
            }
            "DELETE" => self.delete_note(note, visit.user).map(|()| Answer::no_content()),
            _ => Err(no_route()),
        }
    }

    fn show_note(&self, note: NoteId) -> Reply {
        let note = self.notes.get(&note).ok_or_else(|| Refused::not_found("Note"))?;
        Ok(Answer::ok(self.note_json(note)))
    }

    /// The notes that this caller may read: internal ones from Reporter on.
    fn readable(&self, visit: Visit<'_>, place: &Place) -> Vec<&Note> {
        let insider =
            self.project(visit.project).is_ok_and(|home| self.level(visit.user, home) >= Level::REPORTER);
        let there = |note: &&Note| note.project == visit.project && note.place == *place;
        self.notes.values().filter(there).filter(|note| insider || !note.internal).collect()
    }

    fn note_at(&self, visit: Visit<'_>, place: &Place, note: &str) -> Result<NoteId, Refused> {
        let wanted = id(note, "note_id")?;
        let found = self.readable(visit, place).into_iter().find(|note| note.id == wanted);
        found.map(|note| note.id).ok_or_else(|| Refused::not_found("Note"))
    }

    fn list_notes(&self, visit: Visit<'_>, place: &Place) -> Answer {
        let mut notes = self.readable(visit, place);
        if visit.call.text("order_by") == Some("updated_at") {
            notes.sort_by_key(|note| (note.updated_at, note.id));
        }
        if visit.call.text("sort") != Some("asc") {
            notes.reverse();
        }
        page(visit.call, &self.url, &notes, |note| self.note_json(note))
    }

    fn list_discussions(&self, visit: Visit<'_>, place: &Place) -> Answer {
        let mut seen: Vec<Vec<&Note>> = Vec::new();
        for note in self.readable(visit, place) {
            let same =
                |thread: &&mut Vec<&Note>| thread.iter().any(|known| known.discussion == note.discussion);
            match seen.iter_mut().find(same) {
                Some(thread) => thread.push(note),
                None => seen.push(vec![note]),
            }
        }
        page(visit.call, &self.url, &seen, |thread| self.discussion_json(thread))
    }

    fn show_discussion(&self, visit: Visit<'_>, place: &Place, discussion: &str) -> Reply {
        let mut notes = self.readable(visit, place);
        notes.retain(|note| note.discussion == discussion);
        if notes.is_empty() {
            return Err(Refused::not_found("Discussion"));
        }
        Ok(Answer::ok(self.discussion_json(&notes)))
    }

    fn discussion_json(&self, notes: &[&Note]) -> Value {
        let first = notes.first();
        json!({
            "id": first.map(|note| &note.discussion),
            "individual_note": first.is_some_and(|note| !note.threaded),
            "notes": notes.iter().map(|note| self.note_json(note)).collect::<Vec<_>>(),
        })
    }

    /// `thread`: as a discussion or into one; a new discussion is answered as such, a note as a note.
    fn post_note(
        &mut self,
        visit: Visit<'_>,
        place: &Place,
        discussion: Option<String>,
        threaded: bool,
    ) -> Reply {
        let text = visit.call.text("body").ok_or_else(|| Refused::param("body is missing"))?.to_owned();
        let internal = visit.call.is_true("internal") || visit.call.is_true("confidential");
        let opens = threaded && discussion.is_none();
        let draft = Draft { place: place.clone(), text, discussion, threaded, internal };
        let note = match self.post(visit.project, visit.user, draft)? {
            Posted::Note(note) => note,
            Posted::CommandsOnly(outcome) => return Ok(commands_only(&outcome?)),
        };
        let note = self.notes.get(&note).ok_or_else(|| Refused::not_found("Note"))?;
        Ok(Answer::created(if opens { self.discussion_json(&[note]) } else { self.note_json(note) }))
    }

    fn route_awards(&mut self, visit: Visit<'_>, note: NoteId, rest: &[&str]) -> Reply {
        match (visit.call.method.as_str(), rest) {
            ("GET", []) => {
                let awards = self.notes.get(&note).map_or(&[][..], |note| &note.awards);
                Ok(page(visit.call, &self.url, awards, |award| self.award_json(note, award)))
            }
            ("POST", []) => {
                let name = visit.call.text("name").ok_or_else(|| Refused::param("name is missing"))?;
                let award = self.award(note, visit.user, name)?;
                Ok(Answer::created(self.award_json(note, &award)))
            }
            _ => Err(no_route()),
        }
    }
}

fn commands_only(summary: &[String]) -> Answer {
    Answer::new(202, json!({ "commands_changes": {}, "summary": summary }))
}
