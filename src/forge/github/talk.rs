//! Conversations on GitHub: comments of pull requests and commits, and reviews.

use super::GitHub;
use super::client::Change;
use super::fit::fit;
use super::people::is_login;
use super::wire::{self, PullRequestReview};
use crate::domain::actor::Account;
use crate::domain::id::{CommentKind, CommentRef, Conversation, Place, UserId};
use crate::domain::wording::Prose;
use crate::forge::markdown::{self, Dialect};
use crate::ports::failure::Failure;
use crate::ports::forge::{Buttons, Comment, Posted, Talk};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Pages read of a conversation.
const PAGES: usize = 250;
/// The longest comment that GitHub takes, in characters.
const LONGEST: usize = 65_536;
/// GitHub's words.
pub(super) const DIALECT: Dialect =
    Dialect { forge: "GitHub", request: "pull request", pipeline: "workflow run" };

#[async_trait]
impl Talk for GitHub {
    async fn comment(&self, at: &CommentRef) -> Result<Option<Comment>, Failure> {
        let conversation = &at.conversation;
        let (project, number) = (conversation.project, at.comment.to_string());
        let (name, place) = (name(&conversation.place), &conversation.place);
        let found = match (place, at.kind) {
            (Place::MergeRequest(_), CommentKind::Review) => {
                let review: Option<PullRequestReview> =
                    self.find(project, &["pulls", &name, "reviews", &number]).await?;
                review.and_then(|review| of_review(review, conversation))
            }
            (Place::MergeRequest(_) | Place::Commit(_), CommentKind::Comment) => {
                let comment: Option<wire::Comment> = self.find(project, &path_of_one(place, &number)).await?;
                comment.filter(|comment| stands_in(comment, place)).and_then(|c| of_comment(c, conversation))
            }
            (Place::Commit(_), CommentKind::Review) => None,
        };
        let Some(Said { comment, by }) = found else { return Ok(None) };
        self.directory.remember(&by).await;
        Ok(Some(comment))
    }

    async fn comments_since(&self, at: &Conversation, since: Timestamp) -> Result<Vec<Comment>, Failure> {
        let written: Vec<wire::Comment> = self.comments(at, Some(since)).await?;
        let mut said: Vec<Said> = written.into_iter().filter_map(|c| of_comment(c, at)).collect();
        if let Place::MergeRequest(_) = &at.place {
            let path = ["pulls", &name(&at.place), "reviews"];
            let reviews = self.list::<Vec<PullRequestReview>>(at.project, &path, &[], PAGES).await?.items;
            let reviews = reviews.into_iter().filter_map(|review| of_review(review, at));
            said.extend(reviews.filter(|review| !review.comment.text.trim().is_empty()));
        }
        said.retain(|said| said.comment.created_at >= since);
        said.sort_by_key(|Said { comment, .. }| (comment.created_at, comment.at.kind, comment.at.comment));
        let mut comments = Vec::with_capacity(said.len());
        for Said { comment, by } in said {
            self.directory.remember(&by).await;
            comments.push(comment);
        }
        Ok(comments)
    }

    async fn find_own(&self, at: &Conversation, marker: &str) -> Result<Vec<i64>, Failure> {
        let me = self.directory.me().await?;
        let marker = markdown::hidden(marker);
        let is_ours = |comment: &wire::Comment| {
            let ours = comment.user.as_ref().is_some_and(|user| UserId(user.id) == me.account.id);
            let via_us = comment.performed_via_github_app.as_ref().is_none_or(|app| app.id == me.app);
            // Only at the end: what we quote of others may hold any marker.
            ours && via_us && text(comment).trim_end().ends_with(&marker)
        };
        let comments = self.comments(at, None).await?;
        Ok(comments.iter().filter(|comment| is_ours(comment)).map(|comment| comment.id).rev().collect())
    }

    /// GitHub has no discussions here: whoever is answered is named.
    async fn reply(&self, to: &CommentRef, whom: &Account, text: &str) -> Result<Posted, Failure> {
        if !is_login(&whom.username) {
            return self.post(&to.conversation, text).await;
        }
        self.post(&to.conversation, &format!("@{}\n\n{text}", whom.username)).await
    }

    async fn post(&self, at: &Conversation, text: &str) -> Result<Posted, Failure> {
        let name = name(&at.place);
        let change = Change::post(body(text)).creating_content();
        let made: wire::Comment = self.write(at.project, &path_of_all(&at.place, &name), change).await?;
        Ok(Posted { comment: made.id, at: made.created_at })
    }

    async fn edit(&self, at: &Conversation, comment: i64, text: &str) -> Result<Posted, Failure> {
        let number = comment.to_string();
        let change = Change::patch(body(text));
        let made: wire::Comment = self.write(at.project, &path_of_one(&at.place, &number), change).await?;
        Ok(Posted { comment: made.id, at: made.updated_at })
    }

    fn render(&self, prose: &Prose, marker: &str) -> String {
        markdown::render(prose, marker, &DIALECT)
    }

    async fn delete(&self, at: &Conversation, comment: i64) -> Result<(), Failure> {
        let number = comment.to_string();
        gone_is_well(self.send(at.project, &path_of_one(&at.place, &number), Change::delete()).await)
    }

    /// Reviews take no reactions through the REST API.
    async fn react(&self, to: &CommentRef) -> Result<(), Failure> {
        match to.kind {
            CommentKind::Review => Ok(()),
            CommentKind::Comment => {
                let number = to.comment.to_string();
                let mut path = path_of_one(&to.conversation.place, &number);
                path.push("reactions");
                let change = Change::post(json!({ "content": "eyes" })).creating_content();
                gone_is_well(self.send(to.conversation.project, &path, change).await)
            }
        }
    }

    async fn sync_buttons(&self, at: &Conversation, buttons: &Buttons) -> Result<(), Failure> {
        match at.place {
            Place::MergeRequest(number) => self.show_buttons(at.project, number, buttons).await,
            Place::Commit(_) => Ok(()),
        }
    }
}

impl GitHub {
    /// Comments of a conversation, oldest first: all, or those that were touched since.
    async fn comments(
        &self,
        at: &Conversation,
        since: Option<Timestamp>,
    ) -> Result<Vec<wire::Comment>, Failure> {
        let name = name(&at.place);
        let since = since.map(|since| since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let query: Vec<(&str, &str)> = match &at.place {
            Place::MergeRequest(_) => since.iter().map(|since| ("since", since.as_str())).collect(),
            Place::Commit(_) => Vec::new(),
        };
        let path = path_of_all(&at.place, &name);
        Ok(self.list::<Vec<wire::Comment>>(at.project, &path, &query, PAGES).await?.items)
    }
}

/// Something that was said, and the account that said it.
struct Said {
    comment: Comment,
    by: wire::User,
}

/// `None` where the account is gone: nobody's words don't count.
fn of_comment(seen: wire::Comment, at: &Conversation) -> Option<Said> {
    let (created_at, updated_at) = (seen.created_at, seen.updated_at);
    let (id, text, by) = (seen.id, seen.body.unwrap_or_default(), seen.user?);
    let at = reference(at, CommentKind::Comment, id);
    let (author, username) = (UserId(by.id), by.login.clone());
    let comment = Comment { at, author, username, text, created_at, updated_at, system: false, about: None };
    Some(Said { comment, by })
}

/// `None` also while it isn't submitted.
fn of_review(seen: PullRequestReview, at: &Conversation) -> Option<Said> {
    let created_at = seen.submitted_at?;
    let (text, by) = (seen.body.unwrap_or_default(), seen.user?);
    let at = reference(at, CommentKind::Review, seen.id);
    let (author, username) = (UserId(by.id), by.login.clone());
    // GitHub doesn't tell whether a review was edited: unless its hook has told the text, it may have been.
    let updated_at = created_at + SignedDuration::from_secs(1);
    let about = seen.commit_id;
    let comment = Comment { at, author, username, text, created_at, updated_at, system: false, about };
    Some(Said { comment, by })
}

fn reference(at: &Conversation, kind: CommentKind, comment: i64) -> CommentRef {
    CommentRef { conversation: at.clone(), kind, comment, discussion: None }
}

/// Comments are found by their number alone: this one must be the conversation's.
fn stands_in(comment: &wire::Comment, place: &Place) -> bool {
    match place {
        Place::MergeRequest(number) => {
            let end = format!("/issues/{number}");
            comment.issue_url.as_ref().is_some_and(|url| url.ends_with(&end))
        }
        Place::Commit(sha) => comment.commit_id.as_ref() == Some(sha),
    }
}

fn text(comment: &wire::Comment) -> &str {
    comment.body.as_deref().unwrap_or_default()
}

/// The number of a pull request, or the SHA of a commit.
fn name(place: &Place) -> String {
    match place {
        Place::MergeRequest(number) => number.to_string(),
        Place::Commit(sha) => sha.clone(),
    }
}

fn path_of_all<'a>(place: &Place, name: &'a str) -> Vec<&'a str> {
    match place {
        Place::MergeRequest(_) => vec!["issues", name, "comments"],
        Place::Commit(_) => vec!["commits", name, "comments"],
    }
}

fn path_of_one<'a>(place: &Place, number: &'a str) -> Vec<&'a str> {
    match place {
        Place::MergeRequest(_) => vec!["issues", "comments", number],
        Place::Commit(_) => vec!["comments", number],
    }
}

fn body(text: &str) -> Value {
    json!({ "body": fit(text, LONGEST) })
}

fn gone_is_well<T>(sent: Result<T, Failure>) -> Result<(), Failure> {
    match sent {
        Ok(_) | Err(Failure::NotFound) => Ok(()),
        Err(failure) => Err(failure),
    }
}
