//! The bodies of GitLab's webhooks, and what they say. Nothing in them is believed but where to look.

use crate::domain::event::Event;
use crate::domain::id::{CommentKind, CommentRef, Conversation, ForgeName, Place, ProjectId, UserId};
use crate::forge::delivery::{Said, heard, is_full_sha, may_be_addressed};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Reads a verified body; an error is a sentence for whoever set up the hook.
pub(super) fn read(body: &[u8], forge: &ForgeName) -> Result<Said, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned())?;
    let Head { object_kind } = parse(text)?;
    match object_kind.as_deref() {
        None => Err("the body has no object_kind: a custom webhook template seems to have changed its shape"
            .to_owned()),
        Some("note") => note(parse(text)?, forge),
        Some("deployment") => Ok(deployment(&parse(text)?, forge)),
        Some("build") => Ok(job(&parse(text)?, forge)),
        Some("pipeline") => Ok(pipeline(&parse(text)?, forge)),
        Some("merge_request") => Ok(merge_request(&parse(text)?, forge)),
        Some(_) => Ok(Said::Nothing("this kind of event is not needed")),
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| {
        // The error's own text may quote the body.
        let (line, column) = (error.line(), error.column());
        format!(
            "the body is not what GitLab sends (line {line}, column {column}): \
             is it cut, or did a custom webhook template change its shape?"
        )
    })
}

#[derive(Deserialize)]
struct Head {
    object_kind: Option<String>,
}

#[derive(Deserialize)]
struct Numbered {
    id: i64,
}

#[derive(Deserialize)]
struct NoteHook {
    event_type: Option<String>,
    project: Numbered,
    object_attributes: NoteAttributes,
    merge_request: Option<InProject>,
    commit: Option<Commit>,
}

#[derive(Deserialize)]
struct NoteAttributes {
    id: i64,
    note: String,
    noteable_type: String,
    author_id: i64,
    created_at: String,
    discussion_id: Option<String>,
    commit_id: Option<String>,
    action: Option<String>,
    system: Option<bool>,
    internal: Option<bool>,
    confidential: Option<bool>,
}

#[derive(Deserialize)]
struct InProject {
    iid: i64,
    action: Option<String>,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

impl NoteHook {
    /// Why it can't hold a command, if so.
    fn is_nothing(&self) -> Option<&'static str> {
        let note = &self.object_attributes;
        let hidden = self.event_type.as_deref() == Some("confidential_note");
        if hidden || note.internal == Some(true) || note.confidential == Some(true) {
            return Some("an internal comment holds no command");
        }
        if note.system == Some(true) {
            return Some("GitLab itself wrote the comment");
        }
        // Versions before the action was told send new comments only.
        if note.action.as_deref().is_some_and(|action| action != "create") {
            return Some("an edited comment holds no command");
        }
        (!may_be_addressed(&note.note)).then_some("not addressed")
    }
}

fn note(hook: NoteHook, forge: &ForgeName) -> Result<Said, String> {
    if let Some(why) = hook.is_nothing() {
        return Ok(Said::Nothing(why));
    }
    let note = hook.object_attributes;
    let place = match note.noteable_type.as_str() {
        "MergeRequest" => hook.merge_request.map(|seen| Place::MergeRequest(seen.iid)),
        "Commit" => hook
            .commit
            .map(|commit| commit.id)
            .or(note.commit_id)
            .filter(|sha| is_full_sha(sha))
            .map(Place::Commit),
        _ => return Ok(Said::Nothing("a comment on something else than a merge request or commit")),
    };
    let place = place.ok_or("the body doesn't say where the comment stands, by number or full SHA")?;
    let at = time(&note.created_at).ok_or("the comment's created_at is not a time")?;
    let conversation = Conversation { forge: forge.clone(), project: ProjectId(hook.project.id), place };
    let heard = heard(&note.note, note.author_id);
    Ok(Said::Happened(Event::Commented {
        comment: CommentRef {
            conversation,
            kind: CommentKind::Comment,
            comment: note.id,
            discussion: note.discussion_id,
        },
        at,
        heard,
    }))
}

#[derive(Deserialize)]
struct DeploymentHook {
    status: String,
    status_changed_at: Option<String>,
    deployment_id: i64,
    project: Numbered,
}

fn deployment(hook: &DeploymentHook, forge: &ForgeName) -> Said {
    let changed_at = hook.status_changed_at.as_deref().and_then(time);
    Said::Happened(Event::DeploymentChanged {
        forge: forge.clone(),
        project: ProjectId(hook.project.id),
        native: super::native(hook.deployment_id),
        blocked_at: changed_at.filter(|_| hook.status == "blocked"),
    })
}

#[derive(Deserialize)]
struct JobHook {
    build_status: String,
    project_id: i64,
    environment: Option<Environment>,
}

#[derive(Deserialize)]
struct Environment {
    action: Option<String>,
}

impl Environment {
    /// Stopping, preparing, verifying or accessing an environment deploys nothing.
    fn is_deployed_to(&self) -> bool {
        self.action.as_deref().is_none_or(|action| action == "start")
    }
}

fn job(hook: &JobHook, forge: &ForgeName) -> Said {
    if !hook.environment.as_ref().is_some_and(Environment::is_deployed_to) {
        return Said::Nothing("the job deploys nothing");
    }
    match hook.build_status.as_str() {
        "manual" | "running" | "success" | "failed" | "canceled" | "skipped" => waits(hook.project_id, forge),
        _ => Said::Nothing("the job is on its way"),
    }
}

#[derive(Deserialize)]
struct PipelineHook {
    project: Numbered,
    #[serde(default)]
    builds: Vec<Build>,
}

#[derive(Deserialize)]
struct Build {
    status: String,
    environment: Option<Environment>,
}

fn pipeline(hook: &PipelineHook, forge: &ForgeName) -> Said {
    let waiting = hook.builds.iter().any(|build| {
        build.status == "manual" && build.environment.as_ref().is_some_and(Environment::is_deployed_to)
    });
    if waiting { waits(hook.project.id, forge) } else { Said::Nothing("no deployment of the pipeline waits") }
}

fn waits(project: i64, forge: &ForgeName) -> Said {
    Said::Happened(Event::SomethingWaits { forge: forge.clone(), project: ProjectId(project) })
}

#[derive(Deserialize)]
struct MergeRequestHook {
    user: Numbered,
    project: Numbered,
    object_attributes: InProject,
}

fn merge_request(hook: &MergeRequestHook, forge: &ForgeName) -> Said {
    let InProject { iid, action } = &hook.object_attributes;
    if !matches!(action.as_deref(), Some("approved" | "approval")) {
        return Said::Nothing("the merge request was not approved");
    }
    let place = Place::MergeRequest(*iid);
    Said::Happened(Event::MergeRequestApproved {
        conversation: Conversation { forge: forge.clone(), project: ProjectId(hook.project.id), place },
        by: UserId(hook.user.id),
    })
}

/// GitLab spells times in ISO 8601, as `2026-11-21 10:00:00 +0200` and as `2026-11-21 08:00:00 UTC`.
fn time(text: &str) -> Option<Timestamp> {
    let iso = || text.parse().ok();
    let spaced = || {
        let text = text.strip_suffix(" UTC").map_or_else(|| text.to_owned(), |time| format!("{time} +0000"));
        Timestamp::strptime("%Y-%m-%d %H:%M:%S%.f %z", text).ok()
    };
    iso().or_else(spaced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Heard;
    use rstest::rstest;
    use serde_json::{Value, json};
    use sha2::{Digest as _, Sha256};

    fn forge() -> ForgeName {
        ForgeName::new("gitlab")
    }

    fn said(body: &Value) -> Result<Said, String> {
        read(body.to_string().as_bytes(), &forge())
    }

    fn changed(mut body: Value, changes: &Value) -> Value {
        for (pointer, value) in changes.as_object().unwrap() {
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            body.pointer_mut(parent).unwrap()[field] = value.clone();
        }
        body
    }

    fn note_hook() -> Value {
        json!({"object_kind": "note", "event_type": "note", "user": {"id": 5, "username": "alice"},
            "project_id": 30, "project": {"id": 30, "path_with_namespace": "acme/shop"},
            "object_attributes": {"id": 99, "note": "@countersign approve production",
                "noteable_type": "MergeRequest", "author_id": 5, "created_at": "2026-11-21 08:00:00 UTC",
                "discussion_id": "d1", "commit_id": null, "internal": false, "system": false, "action": "create"},
            "merge_request": {"id": 7000, "iid": 7}})
    }

    fn commented(place: Place) -> Said {
        let conversation = Conversation { forge: forge(), project: ProjectId(30), place };
        let digest = hex::encode(Sha256::digest(b"@countersign approve production"));
        Said::Happened(Event::Commented {
            comment: CommentRef {
                conversation,
                kind: CommentKind::Comment,
                comment: 99,
                discussion: Some("d1".to_owned()),
            },
            at: "2026-11-21T08:00:00Z".parse().unwrap(),
            heard: Heard::Hook { digest, author: UserId(5) },
        })
    }

    #[rstest]
    #[case(json!({}))]
    #[case(json!({"/object_attributes/action": null}))]
    #[case(json!({"/object_attributes/created_at": "2026-11-21T08:00:00.000Z"}))]
    #[case(json!({"/object_attributes/created_at": "2026-11-21 10:00:00 +0200"}))]
    #[case(json!({"/object_attributes/something_new": {"deep": [1]}}))]
    fn a_new_comment_is_heard(#[case] changes: Value) {
        assert_eq!(said(&changed(note_hook(), &changes)), Ok(commented(Place::MergeRequest(7))));
    }

    #[test]
    fn a_comment_on_a_commit_is_heard() {
        let sha = "9f1c".repeat(10);
        let on = |commit: &str| {
            json!({"/object_attributes/noteable_type": "Commit", "/commit": {"id": commit},
            "/merge_request": null})
        };
        assert_eq!(said(&changed(note_hook(), &on(&sha))), Ok(commented(Place::Commit(sha.clone()))));
        for other in ["main", "9f1c", ""] {
            assert!(said(&changed(note_hook(), &on(other))).is_err(), "{other:?} is no full SHA");
        }
    }

    #[rstest]
    #[case(json!({"/object_attributes/action": "update"}), "an edited comment holds no command")]
    #[case(json!({"/object_attributes/system": true}), "GitLab itself wrote the comment")]
    #[case(json!({"/object_attributes/internal": true}), "an internal comment holds no command")]
    #[case(json!({"/event_type": "confidential_note"}), "an internal comment holds no command")]
    #[case(json!({"/object_attributes/note": "LGTM, see a@b.example and/or c!"}), "not addressed")]
    #[case(json!({"/object_attributes/noteable_type": "Issue"}),
        "a comment on something else than a merge request or commit")]
    fn what_holds_no_command_is_none_of_our_business(#[case] changes: Value, #[case] why: &'static str) {
        assert_eq!(said(&changed(note_hook(), &changes)), Ok(Said::Nothing(why)));
    }

    #[rstest]
    #[case(json!({"/object_attributes/id": "99"}))]
    #[case(json!({"/object_attributes/note": null}))]
    #[case(json!({"/object_attributes/author_id": null}))]
    #[case(json!({"/object_attributes/created_at": "yesterday"}))]
    #[case(json!({"/object_attributes": []}))]
    #[case(json!({"/project": "acme/shop"}))]
    #[case(json!({"/merge_request": null}))]
    #[case(json!({"/object_kind": null}))]
    #[case(json!({"/object_kind": 7}))]
    fn a_body_of_another_shape_is_unreadable(#[case] changes: Value) {
        assert!(said(&changed(note_hook(), &changes)).is_err());
    }

    #[test]
    fn a_body_that_is_no_json_object_is_unreadable_and_is_not_quoted() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let cut = note_hook().to_string().split_off(1);
        for body in [
            &b"\xff{}"[..],
            b"",
            b"hush",
            b"null",
            b"{\"object_kind\":\"note\"",
            deep.as_bytes(),
            cut.as_bytes(),
        ] {
            let why = read(body, &forge()).unwrap_err();
            assert!(!why.contains("hush"), "{why}");
        }
        let deep = format!("{{\"object_kind\":\"note\",\"project\":{deep}");
        assert!(read(deep.as_bytes(), &forge()).is_err());
    }

    #[rstest]
    #[case("@countersign approve", true)]
    #[case("Fine.\n  - @countersign approve", true)]
    #[case("1. /deploy approve", true)]
    #[case("2) !approve", true)]
    #[case("**@countersign** approve", true)]
    #[case("- [x] @countersign approve", true)]
    #[case("<details>@countersign approve", true)]
    #[case("\u{a0}@countersign approve", true)]
    #[case("> @countersign approve", true)]
    #[case("LGTM!", false)]
    #[case("1.5 of a/b", false)]
    #[case("thanks @alice", false)]
    #[case("", false)]
    fn only_lines_that_could_be_addressed_are_kept(#[case] text: &str, #[case] kept: bool) {
        assert_eq!(may_be_addressed(text), kept);
    }

    #[rstest]
    #[case("blocked", json!("2026-11-21 10:00:00 +0200"), Some("2026-11-21T08:00:00Z"))]
    #[case("blocked", json!("2026-11-21T08:00:00.000Z"), Some("2026-11-21T08:00:00Z"))]
    #[case("blocked", json!("soon"), None)]
    #[case("blocked", json!(null), None)]
    #[case("approved", json!("2026-11-21T08:00:00.000Z"), None)]
    #[case("something_new", json!("2026-11-21T08:00:00.000Z"), None)]
    fn every_change_of_a_deployment_is_a_reason_to_look(
        #[case] status: &str,
        #[case] at: Value,
        #[case] blocked_at: Option<&str>,
    ) {
        let body = json!({"object_kind": "deployment", "status": status, "status_changed_at": at,
            "deployment_id": 15, "deployable_url": null, "user": null, "project": {"id": 30}});
        assert_eq!(
            said(&body),
            Ok(Said::Happened(Event::DeploymentChanged {
                forge: forge(),
                project: ProjectId(30),
                native: crate::domain::id::Native::new("15"),
                blocked_at: blocked_at.map(|at| at.parse().unwrap()),
            }))
        );
    }

    #[rstest]
    #[case("manual", json!({"name": "production", "action": "start"}), true)]
    #[case("manual", json!({"name": "production"}), true)]
    #[case("success", json!({"name": "production", "action": null}), true)]
    #[case("canceled", json!({"name": "production", "action": "start"}), true)]
    #[case("pending", json!({"name": "production", "action": "start"}), false)]
    #[case("manual", json!({"name": "production", "action": "stop"}), false)]
    #[case("manual", json!({"name": "production", "action": "verify"}), false)]
    #[case("manual", json!(null), false)]
    fn a_job_that_deploys_is_a_hint(#[case] status: &str, #[case] environment: Value, #[case] hint: bool) {
        let body = json!({"object_kind": "build", "build_status": status, "project_id": 30,
            "environment": environment.clone()});
        let is_hint = |said: Said| said == waits(30, &forge());
        assert_eq!(said(&body).map(is_hint), Ok(hint));
        let build = json!({"id": 1, "status": status, "manual": true, "environment": environment});
        let body = json!({"object_kind": "pipeline", "project": {"id": 30}, "builds": [{"status": "success"}, build]});
        assert_eq!(said(&body).map(is_hint), Ok(hint && status == "manual"));
    }

    #[rstest]
    #[case(json!("approved"), true)]
    #[case(json!("approval"), true)]
    #[case(json!("unapproved"), false)]
    #[case(json!("unapproval"), false)]
    #[case(json!("merge"), false)]
    #[case(json!(null), false)]
    fn approving_a_merge_request_is_told_as_just_that(#[case] action: Value, #[case] told: bool) {
        let body = json!({"object_kind": "merge_request", "user": {"id": 5}, "project": {"id": 30},
            "object_attributes": {"id": 7000, "iid": 7, "action": action}});
        let conversation =
            Conversation { forge: forge(), project: ProjectId(30), place: Place::MergeRequest(7) };
        let event = Said::Happened(Event::MergeRequestApproved { conversation, by: UserId(5) });
        assert_eq!(said(&body).map(|said| said == event), Ok(told));
    }

    #[test]
    fn other_kinds_of_events_are_none_of_our_business() {
        for kind in ["push", "emoji", "issue", "release"] {
            assert!(matches!(said(&json!({ "object_kind": kind })), Ok(Said::Nothing(_))));
        }
    }
}
