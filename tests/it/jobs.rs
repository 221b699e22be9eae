//! `countersign jobs` as a process, beside a server and without one.

use crate::cli::{Desk, Ran, Serving, account, opened};
use countersign::cli::wiring::SystemClock;
use countersign::domain::effect::{Ballot, Effect};
use countersign::domain::event::{Event, Heard};
use countersign::domain::id::{
    CommentKind, CommentRef, Conversation, DeploymentId, ForgeName, Native, Place, ProjectId, UserId,
};
use countersign::domain::ledger::{Entry, Outcome, Source, Word};
use countersign::ports::store::{
    Change, Commit, Finish, Lane, NewDelivery, NewJob, Store, TakenCommand, Work,
};
use countersign::store::sqlite::{Access, SqliteStore, Surroundings};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::sync::Arc;
use tokio_util::task::TaskTracker;

fn forge() -> ForgeName {
    ForgeName::new("gitlab")
}

fn then() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

fn deployment() -> DeploymentId {
    DeploymentId::new(&forge(), ProjectId(30), &Native::new("4711"))
}

fn comment() -> CommentRef {
    let conversation = Conversation { forge: forge(), project: ProjectId(30), place: Place::MergeRequest(7) };
    CommentRef { conversation, kind: CommentKind::Comment, comment: 12, discussion: None }
}

fn job(lane: Lane, key: &str, work: Work) -> NewJob {
    let (forge, now) = (forge(), then());
    NewJob {
        lane,
        key: key.into(),
        platform: (&forge).into(),
        work,
        run_at: now,
        order: now,
        dedupe: None,
        cause: Some("d-1".into()),
    }
}

fn reaction() -> NewJob {
    job(Lane::React, "reaction", Work::Effect(Effect::React { to: comment() }))
}

fn words() -> NewJob {
    let heard = Heard::Hook { digest: "digest".into(), author: UserId(5) };
    job(Lane::Decide, "words", Work::Event(Event::Commented { comment: comment(), at: then(), heard }))
}

fn vote() -> NewJob {
    let ballot = Ballot {
        deployment: deployment(),
        voter: account(5, "alice"),
        word: Word::Approved,
        reason: None,
        at: then(),
        source: Source::Forge,
        represented_as: None,
        aside: None,
    };
    job(Lane::Gate, deployment().as_str(), Work::Effect(Effect::CastVote(ballot)))
}

/// Works on a desk's store in this process.
fn on_store<T>(desk: &Desk, work: impl AsyncFnOnce(&dyn Store) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let around = Surroundings::new(Arc::new(SystemClock), TaskTracker::new());
        let store = SqliteStore::open(&desk.store(), Access::Serve, around).await.unwrap();
        let result = work(&store).await;
        store.close().await;
        result
    })
}

/// Writes jobs and gives them up; returns their numbers.
async fn bury(store: &dyn Store, jobs: Vec<NewJob>) -> Vec<i64> {
    let mut commit = Commit::at(then());
    commit.jobs = jobs;
    store.commit(commit).await.unwrap();
    let mut leased = store.lease(then(), SignedDuration::from_secs(60), 100).await.unwrap();
    leased.sort_by_key(|job| job.lease.job);
    let mut numbers = Vec::new();
    for job in leased {
        numbers.push(job.lease.job);
        let mut commit = Commit::at(then());
        commit.finish = Some(Finish::Dead(job.lease, "it is \u{1b}[31mlocked".into()));
        store.commit(commit).await.unwrap();
    }
    numbers
}

fn change(expected: i64, entry: Entry) -> Commit {
    let mut commit = Commit::at(then());
    commit.changes.push(Change { deployment: deployment(), expected, entries: vec![entry] });
    commit
}

fn listed(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.code, 0, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn dead_letters_are_shown_with_their_reasons_and_what_waits_on_request() {
    let desk = Desk::new();
    let dead = on_store(&desk, async |store| {
        let dead = bury(store, vec![reaction()]).await;
        let mut commit = Commit::at(then());
        commit.jobs.push(words());
        store.commit(commit).await.unwrap();
        dead
    });

    let shown = desk.run(&["jobs", "list"]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    let line = shown.out.lines().nth(1).unwrap();
    for wanted in
        ["dead", "react", "reaction", "2026-11-21T08:00:00Z", "it is  [31mlocked", &dead[0].to_string()]
    {
        assert!(line.contains(wanted), "{wanted}: {line}");
    }
    assert_eq!(shown.out.lines().count(), 2, "{}", shown.out);

    let letters = listed(&desk.run(&["jobs", "list", "--format", "json"]));
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!((letter["id"].as_i64(), letter["state"].as_str()), (Some(dead[0]), Some("dead")));
    assert_eq!((letter["kind"].as_str(), letter["attempts"].as_i64()), (Some("reaction"), Some(1)));
    assert_eq!((letter["delivery"].as_str(), letter["next"].is_null()), (Some("d-1"), true));

    let all = listed(&desk.run(&["jobs", "list", "--all", "--format", "json"]));
    let states: Vec<_> = all.iter().map(|job| job["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["dead", "waiting"]);
}

#[test]
fn deliveries_that_are_no_jobs_yet_are_counted() {
    let desk = Desk::new();
    on_store(&desk, async |store| {
        let at = then();
        let events = vec![Event::Commented { comment: comment(), at, heard: Heard::Poll }];
        let (source, id, digest) = ("gitlab".into(), "d-1".into(), String::new());
        store.accept(NewDelivery { source, id, digest, events, received_at: at }).await.unwrap();
    });
    assert_eq!(desk.run(&["jobs", "list"]).out, "nothing was given up\n");
    let all = desk.run(&["jobs", "list", "--all"]);
    assert_eq!(all.out.lines().count(), 1, "{}", all.out);
    assert!(all.out.contains("stored and will become jobs") && all.out.ends_with(": 1\n"), "{}", all.out);
}

#[test]
fn an_empty_queue_says_so() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["jobs", "list"]).code, 2, "there is no store yet");
    assert_eq!(desk.run(&["migrate"]).code, 0);
    assert_eq!(desk.run(&["jobs", "list"]).out, "nothing was given up\n");
    assert!(listed(&desk.run(&["jobs", "list", "--format", "json"])).is_empty());
    let all = desk.run(&["jobs", "retry", "--all"]);
    assert_eq!((all.code, all.out.as_str()), (0, "dead letters that are tried again: 0\n"));
}

#[test]
fn what_is_retried_beside_the_server_is_taken_up_by_it() {
    let desk = Desk::new();
    let dead = on_store(&desk, async |store| {
        let given_up = TakenCommand {
            source: comment().key(),
            place: comment().conversation.key(),
            line: TakenCommand::WHOLE,
            by: UserId(5),
            at: then(),
            outcome: TakenCommand::GIVEN_UP.into(),
            named: true,
        };
        let mut commit = Commit::at(then());
        commit.commands.push(given_up);
        store.commit(commit).await.unwrap();
        bury(store, vec![reaction(), words()]).await
    });
    let mut serving = Serving::start(&desk);
    let one = desk.run(&["jobs", "retry", &dead[0].to_string()]);
    assert_eq!((one.code, one.out), (0, format!("job {} is tried again\n", dead[0])));
    let all = desk.run(&["jobs", "retry", "--all"]);
    assert_eq!((all.code, all.out.as_str()), (0, "dead letters that are tried again: 1\n"));
    assert!(listed(&desk.run(&["jobs", "list", "--format", "json"])).is_empty());
    let again = desk.run(&["jobs", "retry", &dead[0].to_string()]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("wasn't given up"), "{}", again.err);

    serving.read_until("key=\"words\"");
    assert_eq!(serving.end("-TERM").0, 0);
    on_store(&desk, async |store| {
        assert!(!store.is_taken(&comment().key()).await.unwrap(), "the comment may be answered again");
    });
}

#[test]
fn a_letter_at_the_gate_stays_while_its_deployment_is_open() {
    let desk = Desk::new();
    let dead = on_store(&desk, async |store| {
        store.commit(change(0, opened(&deployment()))).await.unwrap();
        bury(store, vec![vote(), reaction()]).await
    });
    let gate = dead[0].to_string();
    let refused = desk.run(&["jobs", "drop", &gate]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("gitlab/30/4711, which is still open"), "{}", refused.err);
    let dropped = desk.run(&["jobs", "drop", &dead[1].to_string()]);
    assert_eq!((dropped.code, dropped.out), (0, format!("job {} is dropped\n", dead[1])));

    on_store(&desk, async |store| {
        store.commit(change(1, Entry::Settled { outcome: Outcome::Gone })).await.unwrap();
    });
    assert_eq!(desk.run(&["jobs", "drop", &gate]).code, 0);
    let absent = desk.run(&["jobs", "drop", &gate]);
    assert_eq!(absent.code, 1);
    assert!(absent.err.contains("there is no job"), "{}", absent.err);
    assert!(listed(&desk.run(&["jobs", "list", "--all", "--format", "json"])).is_empty());
}

#[test]
fn a_letter_at_the_gate_that_cannot_be_read_is_known_by_its_key() {
    let desk = Desk::new();
    let dead = on_store(&desk, async |store| {
        store.commit(change(0, opened(&deployment()))).await.unwrap();
        bury(store, vec![vote()]).await
    });
    crate::cli::tamper(&desk, "UPDATE job SET work = '{}'");
    let letters = listed(&desk.run(&["jobs", "list", "--format", "json"]));
    assert_eq!(letters[0]["kind"], "unreadable");
    let refused = desk.run(&["jobs", "drop", &dead[0].to_string()]);
    assert!(refused.err.contains("still open"), "{}", refused.err);
}
