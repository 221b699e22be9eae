//! Conversations on GitLab: notes of merge requests, discussions of commits.

use super::GitLab;
use super::client::Change;
use super::wire::{Discussion, Note};
use crate::domain::actor::Account;
use crate::domain::id::{CommentKind, CommentRef, Conversation, Place, UserId};
use crate::domain::wording::{Prose, Terms};
use crate::forge::markdown;
use crate::ports::failure::{Failure, Refusal};
use crate::ports::forge::{Buttons, Comment, Lookup as _, Posted, Talk};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// GitLab stops at 5000 notes per conversation; that many are read.
const PAGES: usize = 50;
/// GitLab's words.
const TERMS: Terms = Terms { forge: "GitLab", request: "merge request", pipeline: "pipeline" };
/// Notes, newest first.
const NEWEST: [(&str, &str); 2] = [("order_by", "created_at"), ("sort", "desc")];

#[async_trait]
impl Talk for GitLab {
    async fn comment(&self, at: &CommentRef) -> Result<Option<Comment>, Failure> {
        let conversation = &at.conversation;
        let found = match &conversation.place {
            Place::MergeRequest(_) => {
                let number = at.comment.to_string();
                let note: Option<Note> = self.client.find(&path(conversation, &["notes", &number])).await?;
                note.map(|note| (note, at.discussion.clone()))
            }
            Place::Commit(_) => {
                let discussion = self.discussion_of(at).await?;
                discussion.and_then(|discussion| {
                    let note = discussion.notes.into_iter().find(|note| note.id == at.comment)?;
                    Some((note, Some(discussion.id)))
                })
            }
        };
        Ok(found.map(|(note, discussion)| note.into_comment(conversation, discussion)))
    }

    async fn comments_since(&self, at: &Conversation, since: Timestamp) -> Result<Vec<Comment>, Failure> {
        let notes = match &at.place {
            Place::MergeRequest(_) => self.newest_notes(at, since).await?,
            Place::Commit(_) => self.notes_of_commit(at).await?,
        };
        let said = |note: &Note| note.created_at >= since && !note.system && !note.is_internal();
        let mut comments: Vec<Comment> = notes
            .into_iter()
            .filter(|(note, _)| said(note))
            .map(|(note, discussion)| note.into_comment(at, discussion))
            .collect();
        comments.sort_by_key(|comment| (comment.created_at, comment.at.comment));
        Ok(comments)
    }

    async fn find_own(&self, at: &Conversation, marker: &str) -> Result<Vec<i64>, Failure> {
        let me = self.me().await?.id;
        let marker = markdown::hidden(marker);
        // Only at the end: what we quote of others may hold any marker.
        let is_ours = |note: &Note| UserId(note.author.id) == me && note.body.trim_end().ends_with(&marker);
        match &at.place {
            Place::MergeRequest(_) => {
                let mut pages = self.client.pages(&path(at, &["notes"]), &NEWEST, PAGES)?;
                while let Some(page) = pages.next::<Note>().await? {
                    let found: Vec<i64> =
                        page.iter().filter(|note| is_ours(note)).map(|note| note.id).collect();
                    if !found.is_empty() {
                        return Ok(found);
                    }
                }
                Ok(Vec::new())
            }
            Place::Commit(_) => {
                let notes = self.notes_of_commit(at).await?.into_iter();
                Ok(notes.filter(|(note, _)| is_ours(note)).map(|(note, _)| note.id).rev().collect())
            }
        }
    }

    async fn reply(&self, to: &CommentRef, _: &Account, text: &str) -> Result<Posted, Failure> {
        let discussion = match &to.discussion {
            Some(known) => Some(known.clone()),
            None => self.discussion_of(to).await?.map(|discussion| discussion.id),
        };
        let Some(discussion) = discussion else { return self.post(&to.conversation, text).await };
        let path = path(&to.conversation, &["discussions", &discussion, "notes"]);
        match self.write_note(Change::post(path, body(text))).await {
            Ok(note) => Ok(note.written()),
            // GitLab takes no answers below some notes of a commit.
            Err(Failure::Refused(Refusal::Other(_))) => self.post(&to.conversation, text).await,
            Err(failure) => Err(failure),
        }
    }

    async fn post(&self, at: &Conversation, text: &str) -> Result<Posted, Failure> {
        match &at.place {
            Place::MergeRequest(_) => {
                let note = self.write_note(Change::post(path(at, &["notes"]), body(text))).await?;
                Ok(note.written())
            }
            Place::Commit(_) => {
                let change = Change::post(path(at, &["discussions"]), body(text));
                let made: Discussion = self.client.write(change).await.map_err(locked)?;
                let lost = || Failure::UnknownOutcome { what: "the new discussion has no note".to_owned() };
                made.notes.first().map(Note::written).ok_or_else(lost)
            }
        }
    }

    async fn edit(&self, at: &Conversation, comment: i64, text: &str) -> Result<Posted, Failure> {
        let path = self.note_path(at, comment).await?;
        let note = self.write_note(Change::put(path, body(text))).await?;
        Ok(note.rewritten())
    }

    fn terms(&self) -> Terms {
        TERMS
    }

    fn render(&self, prose: &Prose, marker: &str) -> String {
        markdown::render(prose, marker, &TERMS)
    }

    async fn delete(&self, at: &Conversation, comment: i64) -> Result<(), Failure> {
        let deleted = match self.note_path(at, comment).await {
            Ok(path) => self.client.send(Change::delete(path)).await.map(drop),
            Err(failure) => Err(failure),
        };
        match deleted {
            Err(Failure::NotFound) => Ok(()),
            other => other.map_err(locked),
        }
    }

    async fn react(&self, to: &CommentRef) -> Result<(), Failure> {
        match &to.conversation.place {
            Place::MergeRequest(_) => {
                let number = to.comment.to_string();
                let path = path(&to.conversation, &["notes", &number, "award_emoji"]);
                let award = Change::post(path, json!({ "name": "eyes" }));
                match self.client.write::<IgnoredAny>(award).await {
                    // Awarded already, or the comment is gone: nothing is left to do.
                    Ok(_) | Err(Failure::NotFound) => Ok(()),
                    Err(failure) => Err(locked(failure)),
                }
            }
            Place::Commit(_) => Ok(()),
        }
    }

    /// GitLab has no buttons.
    async fn sync_buttons(&self, _: &Conversation, _: &Buttons) -> Result<(), Failure> {
        Ok(())
    }
}

impl GitLab {
    async fn write_note(&self, change: Change) -> Result<Note, Failure> {
        self.client.write(change).await.map_err(locked)
    }

    /// Where a comment of ours is changed; a commit's notes are reached through their discussion.
    async fn note_path(&self, at: &Conversation, comment: i64) -> Result<Vec<String>, Failure> {
        let number = comment.to_string();
        match &at.place {
            Place::MergeRequest(_) => Ok(path(at, &["notes", &number])),
            Place::Commit(_) => {
                let kind = CommentKind::Comment;
                let note = CommentRef { conversation: at.clone(), kind, comment, discussion: None };
                let discussion = self.discussion_of(&note).await?.ok_or(Failure::NotFound)?;
                Ok(path(at, &["discussions", &discussion.id, "notes", &number]))
            }
        }
    }

    /// The discussion that a comment stands in.
    async fn discussion_of(&self, at: &CommentRef) -> Result<Option<Discussion>, Failure> {
        if let Some(id) = &at.discussion {
            return self.client.find(&path(&at.conversation, &["discussions", id])).await;
        }
        let mut pages = self.client.pages(&path(&at.conversation, &["discussions"]), &[], PAGES)?;
        while let Some(page) = pages.next::<Discussion>().await? {
            let holds = |discussion: &Discussion| discussion.notes.iter().any(|note| note.id == at.comment);
            if let Some(discussion) = page.into_iter().find(holds) {
                return Ok(Some(discussion));
            }
        }
        Ok(None)
    }

    /// Notes of a merge request, newest first, until one is older than `since`.
    async fn newest_notes(&self, at: &Conversation, since: Timestamp) -> Result<Found, Failure> {
        let mut notes = Found::new();
        let mut pages = self.client.pages(&path(at, &["notes"]), &NEWEST, PAGES)?;
        while let Some(page) = pages.next::<Note>().await? {
            let enough = page.iter().any(|note| note.created_at < since);
            notes.extend(page.into_iter().map(|note| (note, None)));
            if enough {
                break;
            }
        }
        Ok(notes)
    }

    async fn notes_of_commit(&self, at: &Conversation) -> Result<Found, Failure> {
        let pages = self.client.pages(&path(at, &["discussions"]), &[], PAGES)?;
        let discussions: Vec<Discussion> = pages.all().await?;
        let notes = discussions.into_iter().flat_map(|discussion| {
            let id = discussion.id;
            discussion.notes.into_iter().map(move |note| (note, Some(id.clone())))
        });
        Ok(notes.collect())
    }
}

/// Notes with their discussions, where those are known.
type Found = Vec<(Note, Option<String>)>;

fn path(at: &Conversation, rest: &[&str]) -> Vec<String> {
    let project = at.project.0.to_string();
    let place = match &at.place {
        Place::MergeRequest(number) => vec!["merge_requests".to_owned(), number.to_string()],
        Place::Commit(sha) => vec!["repository".to_owned(), "commits".to_owned(), sha.clone()],
    };
    let rest = rest.iter().map(|&segment| segment.to_owned());
    ["projects".to_owned(), project].into_iter().chain(place).chain(rest).collect()
}

/// Every text goes out through here.
fn body(text: &str) -> Value {
    json!({ "body": markdown::no_quick_actions(text) })
}

/// Whoever may read a conversation and may not write there stands before a locked or archived one.
fn locked(failure: Failure) -> Failure {
    if failure == Failure::Refused(Refusal::NoPermission) {
        Failure::Refused(Refusal::Locked)
    } else {
        failure
    }
}
