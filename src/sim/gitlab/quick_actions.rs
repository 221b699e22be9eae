//! Quick actions: what GitLab takes out of a comment before anybody sees it, and what it then does.
//!
//! Extraction knows every command's name, whatever the comment is on; whether it applies is asked afterwards. So
//! `/approve production` never arrives as text, neither on a merged merge request nor on a commit.

use serde_json::json;

use super::notes::Place;
use super::state::{Refused, State};
use super::{Level, ProjectId, UserId};

/// Every name that the extractor knows.
const NAMES: [&str; 52] = [
    "approve",
    "unapprove",
    "merge",
    "rebase",
    "draft",
    "ready",
    "target_branch",
    "submit_review",
    "request_changes",
    "assign",
    "unassign",
    "reassign",
    "assign_reviewer",
    "reviewer",
    "unassign_reviewer",
    "request_review",
    "close",
    "reopen",
    "label",
    "unlabel",
    "relabel",
    "lock",
    "unlock",
    "promote",
    "status",
    "tag",
    "todo",
    "done",
    "react",
    "award",
    "subscribe",
    "unsubscribe",
    "title",
    "copy_metadata",
    "move",
    "page",
    "milestone",
    "remove_milestone",
    "due",
    "remove_due_date",
    "estimate",
    "remove_estimate",
    "spend",
    "spent",
    "remove_time_spent",
    "weight",
    "clear_weight",
    "confidential",
    "duplicate",
    "relate",
    "shrug",
    "tableflip",
];

/// A comment without its commands.
pub(super) struct Extracted {
    pub(super) rest: String,
    /// Name in small letters, argument.
    pub(super) commands: Vec<(String, String)>,
}

/// Where a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Text,
    /// Until a line of at least as many of the same character.
    Fence(char, usize),
    /// `>>>` until `>>>`.
    Quote,
    /// From a line that begins with a tag until an empty one.
    Html,
}

/// Takes the command lines out. Fences, `>>>` quotes and HTML blocks are left alone.
pub(super) fn extract(text: &str) -> Extracted {
    let mut within = Within::Text;
    let (mut rest, mut commands) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let found = if within == Within::Text { command(line) } else { None };
        match found {
            Some(found) => commands.push(found),
            None => rest.push(line),
        }
        within = after(within, line);
    }
    Extracted { rest: rest.join("\n"), commands }
}

fn after(within: Within, line: &str) -> Within {
    let trimmed = line.trim_end();
    match within {
        Within::Text => opened_by(trimmed),
        Within::Fence(mark, len) if fence(trimmed).is_some_and(|(with, n)| with == mark && n >= len) => {
            Within::Text
        }
        Within::Quote if trimmed == ">>>" => Within::Text,
        Within::Html if trimmed.is_empty() => Within::Text,
        Within::Fence(..) | Within::Quote | Within::Html => within,
    }
}

fn opened_by(line: &str) -> Within {
    if let Some((mark, len)) = fence(line) {
        return Within::Fence(mark, len);
    }
    if line == ">>>" {
        return Within::Quote;
    }
    let tag = line.strip_prefix('<').and_then(|rest| rest.chars().next());
    if tag.is_some_and(|first| first.is_ascii_alphabetic()) { Within::Html } else { Within::Text }
}

fn fence(line: &str) -> Option<(char, usize)> {
    let mark = line.chars().next().filter(|first| matches!(first, '`' | '~'))?;
    let len = line.chars().take_while(|c| *c == mark).count();
    let closed_on_line = line.trim_start_matches(mark).contains(mark);
    (len >= 3 && !closed_on_line).then_some((mark, len))
}

/// A slash at the very start, a known name, then the line's end or one space and the argument.
fn command(line: &str) -> Option<(String, String)> {
    let line = line.strip_prefix('/')?.trim_end_matches('\r');
    let (name, argument) = line.split_once(' ').unwrap_or((line, ""));
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()).then(|| (name, argument.trim().to_owned()))
}

impl State {
    /// Runs the commands as this person. Each one's summary, or the first refusal.
    pub(super) fn run_quick_actions(
        &mut self,
        project: ProjectId,
        by: UserId,
        place: &Place,
        commands: &[(String, String)],
    ) -> Result<Vec<String>, Refused> {
        let mut summary = Vec::new();
        let mut refused = None;
        for (name, argument) in commands {
            match self.run_quick_action(project, by, place, (name, argument)) {
                Some(done) => summary.push(done.to_owned()),
                None => refused = refused.or_else(|| Some(could_not(name))),
            }
        }
        refused.map_or(Ok(summary), Err)
    }

    fn run_quick_action(
        &mut self,
        project: ProjectId,
        by: UserId,
        place: &Place,
        (name, argument): (&str, &str),
    ) -> Option<&'static str> {
        let Place::MergeRequest(iid) = *place else { return None };
        if name == "approve" {
            self.approve_merge_request(project, iid, by).ok()?;
            return Some("Approved the current merge request.");
        }
        if name == "unapprove" {
            self.unapprove_merge_request(project, iid, by).ok()?;
            return Some("Unapproved the current merge request.");
        }
        if self.level(by, self.project(project).ok()?) < Level::DEVELOPER {
            return None;
        }
        let request = self.merge_request_mut(project, iid).ok()?;
        match name {
            "close" if request.state == "opened" => request.state = "closed",
            "reopen" if request.state == "closed" => request.state = "opened",
            "lock" => request.locked = true,
            "unlock" => request.locked = false,
            "title" => argument.clone_into(&mut request.title),
            "merge" => return self.merge(project, iid, by, false).ok().map(|_| "Merged this merge request."),
            "todo" | "done" | "subscribe" | "unsubscribe" | "label" | "assign" => return Some("Done."),
            _ => return None,
        }
        let action = if matches!(name, "close" | "reopen") { name } else { "update" };
        self.merge_request_event(project, iid, by, action).ok()?;
        Some("Changed this merge request.")
    }
}

fn could_not(name: &str) -> Refused {
    let text = format!("400 Bad request - Note {{:commands_only=>[\"Could not apply {name} command.\"]}}");
    Refused { status: 400, body: json!({ "message": text }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> (String, Vec<String>) {
        let extracted = extract(text);
        (extracted.rest, extracted.commands.into_iter().map(|(name, _)| name).collect())
    }

    #[rstest::rstest]
    #[case::bare("/approve")]
    #[case::with_a_target("/approve production")]
    #[case::in_capitals("/APPROVE production")]
    fn a_known_name_at_a_lines_start_is_taken_with_all_behind_it(#[case] text: &str) {
        assert_eq!(taken(text), (String::new(), vec!["approve".to_owned()]));
    }

    #[test]
    fn other_lines_stay() {
        assert_eq!(taken("/approve production\nLGTM"), ("LGTM".into(), vec!["approve".into()]));
    }

    #[rstest::rstest]
    #[case::unknown("/reject production")]
    #[case::unknown_too("/deploy approve production")]
    #[case::longer_name("/approve-deploy production")]
    #[case::underscore("/approve_deploy production")]
    #[case::colon("/approve:production")]
    #[case::leading_space(" /approve production")]
    #[case::inline_code("`/approve production`")]
    #[case::fence("```\n/approve production\n```")]
    #[case::quote(">>>\n/approve production\n>>>")]
    #[case::html("<div>\n/approve production\n</div>")]
    #[case::handle("@countersign approve production")]
    fn what_is_no_quick_action_is_plain_text(#[case] text: &str) {
        assert_eq!(taken(text), (text.to_owned(), vec![]));
    }

    #[test]
    fn a_command_behind_a_closed_fence_is_taken() {
        assert_eq!(taken("```\ncode\n```\n/approve").1, ["approve"]);
    }
}
