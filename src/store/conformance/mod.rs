//! What every store must do, whatever database is below: each function is one story, told on an empty store.

pub(super) mod commits;
pub(super) mod intake;
pub(super) mod jobs;
pub(super) mod letters;
pub(super) mod postings;
pub(super) mod reading;

use crate::domain::actor::{Account, Known};
use crate::domain::deployment::{Creators, Description};
use crate::domain::effect::Effect;
use crate::domain::event::{Event, Heard};
use crate::domain::id::{
    CommentKind, CommentRef, Conversation, DeploymentId, ForgeName, Native, Place, Project, ProjectId, UserId,
};
use crate::domain::ledger::{Entry, Outcome, Source, Vote, Word};
use crate::domain::policy::Gate;
use crate::ports::clock::Clock;
use crate::ports::store::{
    Change, Commit, Finish, Lane, LeasedJob, NewDelivery, NewJob, Store, TakenCommand, Work,
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The stories, for [`super::sqlite`] and its siblings to run one by one.
macro_rules! stories {
    ($run:ident) => {
        $run! {
            intake: a_delivery_becomes_one_job_for_each_event,
            intake: what_was_delivered_at_once_is_worked_on_in_the_platforms_order,
            intake: a_known_delivery_is_a_duplicate_even_with_another_body,
            intake: of_many_callers_with_one_delivery_one_stores_it,
            intake: the_first_announcement_of_a_comment_is_kept,
            intake: old_deliveries_are_forgotten_and_young_ones_are_not,
            jobs: urgent_lanes_go_first,
            jobs: one_key_is_worked_on_in_the_platforms_order,
            jobs: an_earlier_comment_that_arrives_late_still_goes_first,
            jobs: an_earlier_comment_waits_while_a_later_one_is_in_work,
            jobs: lanes_do_not_wait_for_each_other,
            jobs: a_limit_is_kept,
            jobs: a_job_waits_for_its_time_and_holds_those_behind_it,
            jobs: an_expired_lease_is_given_again_and_the_old_one_is_worthless,
            jobs: attempts_count_at_leasing_unless_taken_back,
            jobs: postponing_with_a_lost_lease_changes_nothing,
            jobs: a_paused_forge_rests_and_others_do_not,
            jobs: a_pause_is_never_shortened,
            jobs: a_dead_letter_keeps_its_reason_and_holds_nobody,
            jobs: again_counts_from_zero,
            jobs: a_marked_job_is_written_once_while_it_waits,
            jobs: a_marked_job_in_work_does_not_stand_in_for_a_new_one,
            jobs: of_two_jobs_with_one_mark_one_goes_on,
            jobs: the_next_due_time_is_a_run_a_lease_end_or_the_end_of_a_pause,
            letters: a_backlog_tells_how_much_waits_in_each_lane_and_since_when,
            letters: jobs_are_listed_by_number_page_by_page,
            letters: a_revived_letter_takes_its_turn_from_zero,
            letters: a_revived_letter_waits_for_one_of_its_key_in_work,
            letters: a_revived_comment_is_no_longer_given_up,
            letters: only_a_dead_letter_is_discarded,
            letters: a_job_remembers_its_delivery,
            commits: a_deployment_is_what_its_entries_say,
            commits: a_stale_version_is_a_conflict,
            commits: two_decisions_on_one_version_leave_one,
            commits: a_first_entry_must_open,
            commits: a_command_is_carried_out_once,
            commits: a_lost_lease_writes_nothing,
            commits: refusals_come_in_their_order,
            commits: a_release_waits_for_other_deliveries_of_its_keys,
            commits: a_failing_commit_leaves_nothing,
            commits: two_changes_of_one_deployment_in_one_commit_are_a_conflict,
            commits: the_chain_verifies_after_it_was_read_back,
            postings: a_message_is_kept_for_each_channel_from_the_opening_on,
            postings: siblings_share_a_message,
            postings: what_is_new_of_a_message_leaves_the_rest,
            postings: what_became_stale_while_a_message_was_written_is_to_be_written_anew,
            postings: a_message_that_is_not_there_is_passed_over,
            postings: a_commit_that_fails_leaves_no_message,
            postings: a_message_is_found_by_its_id,
            postings: a_channel_has_what_is_open_and_the_newest_of_what_is_past,
            postings: a_channel_has_only_what_was_posted_there,
            postings: one_link_holds_at_a_time,
            postings: links_are_told_apart_by_chat_name_and_forge,
            reading: conversations_list_their_deployments_newest_first,
            reading: projects_list_their_deployments_by_status,
            reading: what_is_watched_has_a_room_and_an_open_end,
            reading: a_silent_deployment_that_was_placed_is_watched,
            reading: open_ones_include_silent_and_superseded_ones,
            reading: newer_ones_come_first_whatever_their_number,
            reading: a_run_has_its_deployments,
            reading: a_number_of_ours_is_given_once,
            reading: a_delivery_is_asked_for_once,
            reading: what_is_new_of_a_room_leaves_the_rest,
            reading: answers_to_strangers_are_counted_by_comment,
            reading: a_pin_stays,
            reading: a_project_is_replaced,
            reading: the_whole_ledger_can_be_walked,
            reading: a_sound_store_is_ready,
        }
    };
}
pub(super) use stories;

/// A clock that stands still and counts its ids.
#[derive(Default)]
pub(super) struct StandingClock(AtomicU64);

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        at(0)
    }

    fn new_id(&self) -> String {
        format!("id-{}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

pub(super) type Shared = Arc<dyn Store>;

/// Seconds after the stories' beginning.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

pub(super) fn gitlab() -> ForgeName {
    ForgeName::new("gitlab")
}

pub(super) const SHOP: ProjectId = ProjectId(42);

pub(super) fn merge_request(number: i64) -> Conversation {
    Conversation { forge: gitlab(), project: SHOP, place: Place::MergeRequest(number) }
}

pub(super) fn comment(number: i64) -> CommentRef {
    CommentRef {
        conversation: merge_request(7),
        kind: CommentKind::Comment,
        comment: number,
        discussion: Some("thread".into()),
    }
}

pub(super) fn account(id: i64, username: &str) -> Account {
    Account { id: UserId(id), username: username.into(), bot: false }
}

/// Comment `number` in merge request 7, written `seconds` after the beginning.
pub(super) fn commented(number: i64, seconds: i64) -> Event {
    let heard = Heard::Hook { digest: format!("digest-{number}"), author: UserId(number) };
    Event::Commented { comment: comment(number), at: at(seconds), heard }
}

pub(super) fn delivery(id: &str, events: Vec<Event>) -> NewDelivery {
    NewDelivery { source: "gitlab".into(), id: id.into(), digest: "body".into(), events, received_at: at(0) }
}

fn native(number: i64) -> Native {
    Native::new(number.to_string())
}

pub(super) fn id(number: i64) -> DeploymentId {
    DeploymentId::new(&gitlab(), SHOP, &native(number))
}

pub(super) fn description(number: i64, conversation: Option<Conversation>) -> Description {
    Description {
        id: id(number),
        native: native(number),
        round: 1,
        forge: gitlab(),
        project: Project { id: SHOP, path: "acme/shop".into() },
        number,
        order: number,
        environment: "production".into(),
        sha: "9f1c2d3e".repeat(5),
        ref_name: "main".into(),
        title: Some("Ship it".into()),
        run: 1,
        job_name: None,
        url: None,
        created_at: at(0),
        blocked_at: at(1),
        gate: Gate::Native,
        creators: Creators { started_by: vec![account(1, "dana")], stand_ins: Known::Fact(Vec::new()) },
        conversation,
        notify: None,
        within_reach: None,
    }
}

pub(super) fn opened(number: i64) -> Entry {
    Entry::Opened { description: Box::new(description(number, Some(merge_request(7)))), standing: Vec::new() }
}

pub(super) fn vote(by: Account, word: Word) -> Vote {
    Vote { by, word, at: at(2), reason: None, source: Source::Comment { comment: comment(1), line: 0 } }
}

pub(super) fn voted(by: Account, word: Word) -> Entry {
    Entry::Voted { vote: vote(by, word), policy: "policy".into(), standing: Vec::new() }
}

pub(super) fn settled(outcome: Outcome) -> Entry {
    Entry::Settled { outcome }
}

pub(super) fn change(number: i64, expected: i64, entries: Vec<Entry>) -> Change {
    Change { deployment: id(number), expected, entries }
}

pub(super) fn taken(number: i64, line: i64) -> TakenCommand {
    TakenCommand {
        source: comment(number).key(),
        place: merge_request(7).key(),
        line,
        by: UserId(2),
        at: at(2),
        outcome: "approve".into(),
        named: true,
    }
}

pub(super) fn job(lane: Lane, key: &str, order: i64) -> NewJob {
    NewJob {
        lane,
        key: key.into(),
        platform: (&gitlab()).into(),
        work: Work::Effect(Effect::React { to: comment(order) }),
        run_at: at(0),
        order: at(order),
        dedupe: None,
        cause: None,
    }
}

pub(super) fn commit() -> Commit {
    Commit::at(at(10))
}

pub(super) async fn write(store: &Shared, changes: Vec<Change>) {
    store.commit(Commit { changes, ..commit() }).await.unwrap();
}

pub(super) async fn enqueue(store: &Shared, jobs: Vec<NewJob>) {
    store.commit(Commit { jobs, ..commit() }).await.unwrap();
}

/// Leases up to 100 jobs for a minute.
pub(super) async fn lease(store: &Shared, seconds: i64) -> Vec<LeasedJob> {
    store.lease(at(seconds), SignedDuration::from_secs(60), 100).await.unwrap()
}

pub(super) async fn done(store: &Shared, job: &LeasedJob) {
    store.commit(Commit { finish: Some(Finish::Done(job.lease.clone())), ..commit() }).await.unwrap();
}

/// Which comment a job of [`job`] or a delivery of [`commented`] is about.
pub(super) fn about(job: &LeasedJob) -> i64 {
    match &job.work {
        Work::Effect(Effect::React { to }) => to.comment,
        Work::Event(Event::Commented { comment, .. }) => comment.comment,
        Work::Event(_) | Work::Effect(_) | Work::Look(_) => panic!("{:?} is about no comment", job.work),
    }
}

pub(super) fn about_all(jobs: &[LeasedJob]) -> Vec<i64> {
    jobs.iter().map(about).collect()
}
