use crate::domain::event::{Asked, Event, Heard, Press};
use crate::domain::id::{CommentKind, CommentRef, Conversation, ForgeName, Place, ProjectId, UserId};
use crate::domain::ledger::Word;
use crate::forge::delivery::Said;
use crate::forge::github::payload::{Delivery, Receiver};
use rstest::rstest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const ID: &str = "0b1f4a2e-c6a5-11f0-8de9-0242ac120002";
const TEXT: &str = "/approve production\r\nGo ahead.";
const SHA: &str = "9f1c9f1c9f1c9f1c9f1c9f1c9f1c9f1c9f1c9f1c";

fn forge() -> ForgeName {
    ForgeName::new("github")
}

fn read(event: &str, body: &[u8]) -> Result<Said, String> {
    let receiver = Receiver { forge: forge(), api: "https://api.github.com".to_owned(), app_id: 99 };
    receiver.read(Delivery { id: ID, event, body })
}

fn said(event: &str, body: &Value) -> Result<Said, String> {
    read(event, body.to_string().as_bytes())
}

fn why_nothing(outcome: Result<Said, String>) -> &'static str {
    match outcome {
        Ok(Said::Nothing(why)) => why,
        other => panic!("not nothing: {other:?}"),
    }
}

fn changed(mut body: Value, changes: &Value) -> Value {
    for (pointer, value) in changes.as_object().unwrap() {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[field] = value.clone();
    }
    body
}

fn without(mut body: Value, pointer: &str) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
    body
}

fn user(id: i64, login: &str) -> Value {
    json!({"id": id, "login": login, "type": "User", "site_admin": false})
}

/// What every delivery to an App carries beside its own.
fn delivered(action: &str, own: &Value) -> Value {
    let mut body = json!({
        "action": action,
        "repository": {"id": 30, "name": "shop", "full_name": "acme/shop", "private": false,
            "html_url": "https://github.com/acme/shop", "owner": user(8, "acme")},
        "organization": {"id": 8, "login": "acme"},
        "installation": {"id": 501, "node_id": "MDIz"},
        "sender": user(5, "alice"),
    });
    body.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    body
}

fn rule_hook() -> Value {
    delivered(
        "requested",
        &json!({
            "environment": "production", "event": "push", "sha": SHA, "ref": "refs/heads/main",
            "deployment_callback_url":
                "https://api.github.com/repos/acme/shop/actions/runs/12/deployment_protection_rule",
            "deployment": {"id": 77, "sha": SHA, "ref": "main", "environment": "production", "creator": user(3, "dana")},
            "pull_requests": [{"number": 7}],
        }),
    )
}

fn comment_hook() -> Value {
    delivered(
        "created",
        &json!({
            "issue": {"id": 9000, "number": 7, "state": "open", "pull_request":
                {"url": "https://api.github.com/repos/acme/shop/pulls/7", "merged_at": null}},
            "comment": {"id": 640, "body": TEXT, "user": user(5, "alice"), "author_association": "MEMBER",
                "performed_via_github_app": null,
                "created_at": "2026-11-21T08:00:00Z", "updated_at": "2026-11-21T08:00:00Z"},
        }),
    )
}

fn commit_comment_hook() -> Value {
    delivered(
        "created",
        &json!({
            "comment": {"id": 640, "body": TEXT, "user": user(5, "alice"), "commit_id": SHA, "path": null,
                "line": null, "created_at": "2026-11-21T08:00:00Z", "updated_at": "2026-11-21T08:00:00Z"},
        }),
    )
}

fn review_hook() -> Value {
    delivered(
        "submitted",
        &json!({
            "review": {"id": 640, "body": TEXT, "user": user(5, "alice"), "state": "approved", "commit_id": SHA,
                "submitted_at": "2026-11-21T08:00:00Z"},
            "pull_request": {"id": 9000, "number": 7, "head": {"sha": SHA}},
        }),
    )
}

fn press_hook() -> Value {
    delivered(
        "requested_action",
        &json!({
            "requested_action": {"identifier": "approve"},
            "check_run": {"id": 88, "name": "production", "head_sha": SHA, "external_id": "d4711.3.7",
                "app": {"id": 99, "slug": "countersign"}, "pull_requests": []},
        }),
    )
}

fn run_changed(waits: bool, asked: Option<&str>) -> Said {
    let asked =
        asked.map(|environment| Asked { environment: environment.to_owned(), delivery: ID.to_owned() });
    Said::Happened(Event::RunChanged { forge: forge(), project: ProjectId(30), run: 12, waits, asked })
}

fn commented(kind: CommentKind, place: Place) -> Said {
    let conversation = Conversation { forge: forge(), project: ProjectId(30), place };
    Said::Happened(Event::Commented {
        comment: CommentRef { conversation, kind, comment: 640, discussion: None },
        at: "2026-11-21T08:00:00Z".parse().unwrap(),
        heard: Heard::Hook { digest: hex::encode(Sha256::digest(TEXT)), author: UserId(5) },
    })
}

#[rstest]
#[case(json!({}))]
#[case::job_without_a_deployment(json!({"/deployment": null}))]
#[case::nobody_made_it(json!({"/deployment/creator": null}))]
#[case::of_no_pull_request(json!({"/pull_requests": []}))]
#[case::of_a_fork(json!({"/pull_requests": null}))]
#[case::before_2026(json!({"/sha": null, "/ref": null}))]
#[case::something_new(json!({"/something_new": {"deep": [1]}, "/sender": null}))]
#[case::spelt_otherwise(json!({"/repository/full_name": "Acme/Shop"}))]
fn a_decision_is_asked_for(#[case] changes: Value) {
    let outcome = said("deployment_protection_rule", &changed(rule_hook(), &changes));
    assert_eq!(outcome, Ok(run_changed(true, Some("production"))));
}

#[test]
fn a_rule_is_asked_for_environments_of_any_name() {
    let body = changed(rule_hook(), &json!({"/environment": "prod/eu west é"}));
    assert_eq!(said("deployment_protection_rule", &body), Ok(run_changed(true, Some("prod/eu west é"))));
}

/// `run_url` knows all the addresses that are not believed.
#[rstest]
#[case::elsewhere(json!({"/deployment_callback_url":
    "https://evil.example/repos/acme/shop/actions/runs/12/deployment_protection_rule"}), "deployment_callback_url")]
#[case::another_repository(json!({"/repository/full_name": "acme/shop2"}), "deployment_callback_url")]
#[case::nowhere(json!({"/deployment_callback_url": null}), "deployment_callback_url")]
#[case::no_environment(json!({"/environment": null}), "environment")]
#[case::a_blank_environment(json!({"/environment": " "}), "environment")]
#[case::wrong_type(json!({"/environment": 5}), "not what GitHub sends")]
#[case::no_repository(json!({"/repository": null}), "not what GitHub sends")]
fn a_decision_that_can_not_be_placed_is_refused(#[case] changes: Value, #[case] why: &str) {
    let sentence = said("deployment_protection_rule", &changed(rule_hook(), &changes)).unwrap_err();
    assert!(sentence.contains(why) && !sentence.contains("evil"), "{sentence}");
}

#[rstest]
#[case("issue_comment", comment_hook(), CommentKind::Comment, Place::MergeRequest(7))]
#[case("commit_comment", commit_comment_hook(), CommentKind::Comment, Place::Commit(SHA.to_owned()))]
#[case("pull_request_review", review_hook(), CommentKind::Review, Place::MergeRequest(7))]
fn a_new_comment_is_heard(
    #[case] event: &str,
    #[case] body: Value,
    #[case] kind: CommentKind,
    #[case] place: Place,
) {
    let field = if kind == CommentKind::Review { "review" } else { "comment" };
    let through =
        |app: Value| changed(body.clone(), &json!({format!("/{field}/performed_via_github_app"): app}));
    let heard = commented(kind, place);
    assert_eq!(said(event, &body).as_ref(), Ok(&heard));
    assert_eq!(said(event, &through(json!({"id": 98, "slug": "other"}))), Ok(heard));
    assert_eq!(why_nothing(said(event, &through(json!({"id": 99})))), "the comment is our own");

    let by = |user: Value| changed(body.clone(), &json!({format!("/{field}/user"): user}));
    assert_eq!(why_nothing(said(event, &by(Value::Null))), "the comment's author is gone");
    let bot = json!({"id": 41, "login": "renovate[bot]", "type": "Bot"});
    assert_eq!(why_nothing(said(event, &by(bot))), "a bot's comment holds no command");

    let saying = |text: Value| changed(body.clone(), &json!({format!("/{field}/body"): text}));
    for text in [json!("LGTM, see a@b.example and/or c!"), json!(""), Value::Null] {
        assert_eq!(why_nothing(said(event, &saying(text))), "not addressed");
    }
    for action in ["edited", "deleted", "dismissed", "pinned", "something_new"] {
        let outcome = said(event, &changed(body.clone(), &json!({"/action": action})));
        assert_eq!(why_nothing(outcome), "only a new comment holds a command");
    }
}

#[test]
fn a_comment_on_an_issue_is_none_of_our_business() {
    let why = "a comment on an issue, not on a pull request";
    assert_eq!(why_nothing(said("issue_comment", &without(comment_hook(), "/issue/pull_request"))), why);
    let null = changed(comment_hook(), &json!({"/issue/pull_request": null}));
    assert_eq!(why_nothing(said("issue_comment", &null)), why);
}

#[rstest]
#[case("issue_comment", without(comment_hook(), "/issue"))]
#[case("issue_comment", without(comment_hook(), "/comment"))]
#[case("issue_comment", without(comment_hook(), "/comment/created_at"))]
#[case("issue_comment", changed(comment_hook(), &json!({"/comment/created_at": "yesterday"})))]
#[case("issue_comment", changed(comment_hook(), &json!({"/comment/id": "640"})))]
#[case("issue_comment", changed(comment_hook(), &json!({"/comment/id": 1_u64 << 63})))]
#[case("commit_comment", changed(commit_comment_hook(), &json!({"/comment/commit_id": "main"})))]
#[case("commit_comment", changed(commit_comment_hook(), &json!({"/comment/commit_id": "9f1c"})))]
#[case("commit_comment", without(commit_comment_hook(), "/comment/commit_id"))]
#[case("pull_request_review", changed(review_hook(), &json!({"/review/submitted_at": null})))]
#[case("pull_request_review", without(review_hook(), "/pull_request"))]
fn a_comment_without_a_place_or_time_is_unreadable(#[case] event: &str, #[case] body: Value) {
    assert!(said(event, &body).is_err());
}

#[rstest]
#[case(json!({}), Word::Approved)]
#[case(json!({"/requested_action/identifier": "reject"}), Word::Rejected)]
#[case::kind_untold(json!({"/sender": {"id": 5}}), Word::Approved)]
fn a_press_is_told_with_who_and_what(#[case] changes: Value, #[case] word: Word) {
    let conversation = Conversation { forge: forge(), project: ProjectId(30), place: Place::MergeRequest(7) };
    let id = ID.to_owned();
    let press = Press { id, conversation, number: 4711, version: 3, by: UserId(5), word };
    let outcome = said("check_run", &changed(press_hook(), &changes));
    assert_eq!(outcome, Ok(Said::Happened(Event::Pressed(press))));
}

#[rstest]
#[case(json!({"/sender": {"id": 41, "type": "Bot"}}), "a bot's press says nothing")]
#[case(json!({"/check_run/app": {"id": 98}}), "the check run isn't our own")]
#[case(json!({"/check_run/app": null}), "the check run isn't our own")]
#[case(json!({"/check_run/external_id": "build-17"}), "the check run has no buttons of ours")]
#[case(json!({"/check_run/external_id": null}), "the check run has no buttons of ours")]
#[case(json!({"/requested_action/identifier": "fix"}), "the action is none of ours")]
#[case(json!({"/action": "rerequested"}), "this event or action is not needed")]
fn another_press_is_none_of_our_business(#[case] changes: Value, #[case] why: &str) {
    assert_eq!(why_nothing(said("check_run", &changed(press_hook(), &changes))), why);
}

#[rstest]
#[case("/sender")]
#[case("/requested_action")]
#[case("/check_run")]
fn a_press_that_does_not_say_who_and_what_is_unreadable(#[case] left_out: &str) {
    assert!(said("check_run", &without(press_hook(), left_out)).is_err());
    assert!(said("check_run", &changed(press_hook(), &json!({left_out: null}))).is_err());
}

#[rstest]
#[case("requested", json!("queued"), false)]
#[case("requested", json!("waiting"), true)]
#[case("in_progress", json!("waiting"), true)]
#[case("in_progress", json!("in_progress"), false)]
#[case("completed", json!("completed"), false)]
#[case("completed", json!(null), false)]
fn a_run_that_changes_is_told(#[case] action: &str, #[case] status: Value, #[case] waits: bool) {
    let run = json!({"id": 12, "run_attempt": 2, "status": status, "conclusion": null, "actor": null});
    let body = delivered(action, &json!({"workflow_run": run, "workflow": null}));
    assert_eq!(said("workflow_run", &body), Ok(run_changed(waits, None)));
}

#[rstest]
#[case("waiting", true)]
#[case("queued", false)]
#[case("in_progress", false)]
#[case("completed", false)]
fn a_job_that_changes_is_told_with_its_run(#[case] action: &str, #[case] waits: bool) {
    let job = json!({"id": 800, "run_id": 12, "run_attempt": 1, "name": "deploy", "status": action});
    let body = delivered(action, &json!({"workflow_job": job, "deployment": null}));
    assert_eq!(said("workflow_job", &body), Ok(run_changed(waits, None)));
}

#[rstest]
#[case("requested")]
#[case("approved")]
#[case("rejected")]
fn a_review_of_a_deployment_is_told_with_its_run(#[case] action: &str) {
    let review = |run: Value| delivered(action, &json!({"environment": "production", "workflow_run": run}));
    assert_eq!(said("deployment_review", &review(json!({"id": 12}))), Ok(run_changed(true, None)));
    assert_eq!(why_nothing(said("deployment_review", &review(json!(null)))), "the review belongs to no run");
}

#[rstest]
#[case(json!({"id": 12}), json!({"state": "success"}), false)]
#[case(json!({"id": 12}), json!({"state": "waiting", "log_url": ""}), true)]
#[case(json!({"id": 12}), json!({"state": "failure", "log_url": "https://github.com/acme/shop/actions/runs/13"}), false)]
#[case(json!(null), json!({"state": "in_progress", "log_url": "https://github.com/acme/shop/actions/runs/12/job/800"}), false)]
#[case(json!(null), json!({"state": "queued", "log_url": "", "target_url": "https://github.com/acme/shop/actions/runs/12"}), false)]
fn a_deployment_that_changes_is_told_with_its_run(
    #[case] run: Value,
    #[case] status: Value,
    #[case] waits: bool,
) {
    let body = delivered(
        "created",
        &json!({"deployment_status": status, "workflow_run": run, "deployment": {"id": 77}}),
    );
    assert_eq!(said("deployment_status", &body), Ok(run_changed(waits, None)));
}

#[rstest]
#[case(json!({"state": "success"}), json!({}))]
#[case(json!({"state": "success", "log_url": "https://ci.example/actions/runs/12"}), json!({}))]
#[case(json!({"state": "success", "log_url": "https://github.com/evil/shop/actions/runs/12"}), json!({}))]
#[case(json!({"state": "success", "log_url": "https://github.com/acme/shop/actions/runs/12"}),
    json!({"/repository/html_url": null}))]
fn a_deployment_of_no_run_is_none_of_our_business(#[case] status: Value, #[case] changes: Value) {
    let body = delivered("created", &json!({"deployment_status": status, "workflow_run": null}));
    let outcome = said("deployment_status", &changed(body, &changes));
    assert_eq!(why_nothing(outcome), "the deployment belongs to no run");
}

#[rstest]
#[case("installation", "created")]
#[case("installation", "suspend")]
#[case("installation", "new_permissions_accepted")]
#[case("installation_repositories", "added")]
fn what_we_reach_may_have_changed(#[case] event: &str, #[case] action: &str) {
    let outcome = said(event, &json!({ "action": action }));
    assert!(matches!(outcome, Ok(Said::Happened(Event::ReachChanged { .. }))), "{outcome:?}");
}

#[rstest]
#[case("ping", json!({"zen": "Design for failure.", "hook_id": 1}))]
#[case("github_app_authorization", json!({"action": "revoked"}))]
#[case("push", json!({"ref": "refs/heads/main"}))]
#[case("pull_request_review_comment", json!({"action": "created"}))]
#[case("event_of_tomorrow", json!({"action": "done"}))]
#[case("deployment_protection_rule", json!({"action": "withdrawn"}))]
#[case("check_run", json!({"action": "created"}))]
#[case("workflow_run", json!({"action": "paused"}))]
#[case("workflow_job", json!({"action": "paused"}))]
#[case("deployment_status", json!({"action": "withdrawn"}))]
#[case("deployment_review", json!({}))]
#[case("Workflow_Run", json!({"action": "completed"}))]
fn other_events_and_actions_are_none_of_our_business(#[case] event: &str, #[case] body: Value) {
    assert_eq!(why_nothing(said(event, &body)), "this event or action is not needed");
}

#[test]
fn what_is_not_json_of_githubs_shape_is_unreadable_and_never_quoted() {
    let deep = format!("{{\"action\": \"completed\", \"workflow_run\": {}", "[".repeat(100_000));
    let twice = r#"{"action": "completed", "action": "hush"}"#;
    for body in [&b"\xff"[..], b"{", b"", b"hush", b"[]", b"\"hush\"", twice.as_bytes(), deep.as_bytes()] {
        let sentence = read("workflow_run", body).unwrap_err();
        assert!(!sentence.contains("hush"), "{sentence}");
    }
    let cut = delivered("completed", &json!({"workflow_run": {"id": 12}})).to_string();
    assert!(read("workflow_run", &cut.as_bytes()[..cut.len() - 1]).is_err());
}

#[test]
fn what_is_new_may_be_as_deep_as_it_likes() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = json!({"workflow_run": {"id": 12, "status": "waiting", "new": "DEEP"}});
    let body = delivered("requested", &body).to_string().replace("\"DEEP\"", &deep);
    assert_eq!(read("workflow_run", body.as_bytes()), Ok(run_changed(true, None)));
}
