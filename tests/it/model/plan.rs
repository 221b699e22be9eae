//! What can happen, drawn by chance. Deployments and comments are named by their place counted from the newest.

use super::law::{Asked, ENVIRONMENTS, Law};
use super::world::{Manner, REQUESTS, Verb};
use countersign::domain::policy::{Gate, Grantee, Rule};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A whole history.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) law: Law,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) act: Act,
    /// Then workers run until nothing is due: none, one or two at once.
    pub(super) workers: u8,
}

/// What a line of a comment names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Number(usize),
    Name(&'static str),
    Nothing,
}

/// What becomes of the hook that tells of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Now,
    /// Two at the same time, then another one.
    Doubled,
    /// When the late ones are delivered, newest first.
    Late,
    Lost,
    /// It names another author.
    Lying,
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    Deploy {
        by: i64,
        environment: &'static str,
        request: i64,
        jobs: u8,
        hook: Fate,
    },
    Say {
        by: i64,
        request: i64,
        lines: Vec<(Verb, Target)>,
        manner: Manner,
        hook: Fate,
    },
    Edit {
        comment: usize,
    },
    Delete {
        comment: usize,
    },
    /// In the forge's own pages.
    Pages {
        by: i64,
        deployment: usize,
        what: Page,
        hook: Fate,
    },
    Rights {
        who: i64,
        change: Right,
    },
    LateHooks,
    Redeliver,
    Pass {
        seconds: i64,
    },
    /// The next calls of a kind go wrong.
    Mishaps {
        at: Call,
        what: Mishap,
        times: u8,
    },
    /// The database takes so many writes not at all, or takes them and doesn't say so.
    StoreFails {
        times: u8,
        written: bool,
    },
    /// At so many moments from now (before and after calls and writes) the process dies.
    Crash {
        moments: u16,
    },
    /// A worker takes jobs and is never heard of again.
    WorkerDies {
        jobs: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Approve,
    Reject,
    Play,
    Cancel,
    Retry,
    Finish(bool),
    Remove,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Right {
    Level(i32),
    Join(&'static str),
    Leave(&'static str),
    Active(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Anything that is read.
    Read,
    /// Who somebody is and what they hold.
    Person,
    Vote,
    Play,
    Cancel,
    /// Answers and cards.
    Talk,
    React,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// Nothing was done.
    Unavailable,
    /// Nothing was done: come back later.
    Limited,
    /// The forge says no.
    Refused,
    /// A page that isn't the forge's.
    Unreadable,
    /// No answer: nothing was done (a read is as good as unavailable).
    LostBefore,
    /// No answer: it was done.
    LostAfter,
}

fn person() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 3..=6_i64, 2 => Just(2_i64), 1 => 7..=8_i64]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Now), 2 => Just(Fate::Doubled), 2 => Just(Fate::Late), 2 => Just(Fate::Lost)
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        7 => (0..4_usize).prop_map(Target::Number),
        3 => select(&ENVIRONMENTS[..]).prop_map(Target::Name),
        1 => Just(Target::Nothing),
    ]
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![9 => Just(Verb::Approve), 2 => Just(Verb::Reject), 3 => Just(Verb::Revoke), 1 => Just(Verb::Why)]
}

fn request() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(REQUESTS[0]), 1 => Just(REQUESTS[1])]
}

fn say() -> impl Strategy<Value = Act> {
    let lines = prop_oneof![6 => vec((verb(), target()), 1), 1 => vec((verb(), target()), 2..=3)];
    let manner = prop_oneof![10 => Just(Manner::Plain), 1 => Just(Manner::Quoted), 1 => Just(Manner::Code)];
    let fate = prop_oneof![20 => fate(), 1 => Just(Fate::Lying)];
    (person(), request(), lines, manner, fate).prop_map(|(by, request, lines, manner, hook)| Act::Say {
        by,
        request,
        lines,
        manner,
        hook,
    })
}

fn deploy() -> impl Strategy<Value = Act> {
    let by = prop_oneof![6 => Just(2_i64), 2 => Just(3_i64), 1 => Just(8_i64)];
    let jobs = prop_oneof![4 => Just(1_u8), 1 => Just(2_u8)];
    let environment = prop_oneof![3 => Just(ENVIRONMENTS[0]), 1 => Just(ENVIRONMENTS[1])];
    (by, environment, request(), jobs, fate()).prop_map(|(by, environment, request, jobs, hook)| {
        Act::Deploy { by, environment, request, jobs, hook }
    })
}

fn pages() -> impl Strategy<Value = Act> {
    let what = prop_oneof![
        3 => Just(Page::Approve),
        1 => Just(Page::Reject),
        1 => Just(Page::Play),
        1 => Just(Page::Cancel),
        2 => Just(Page::Retry),
        2 => any::<bool>().prop_map(Page::Finish),
        1 => Just(Page::Remove),
    ];
    (person(), 0..3_usize, what, fate()).prop_map(|(by, deployment, what, hook)| Act::Pages {
        by,
        deployment,
        what,
        hook,
    })
}

fn rights() -> impl Strategy<Value = Act> {
    let group = || select(&["acme/qa", "acme/sre"][..]);
    let change = prop_oneof![
        select(&[20, 30, 40][..]).prop_map(Right::Level),
        group().prop_map(Right::Join),
        group().prop_map(Right::Leave),
        any::<bool>().prop_map(Right::Active),
    ];
    (2..=7_i64, change).prop_map(|(who, change)| Act::Rights { who, change })
}

fn mishaps() -> impl Strategy<Value = Act> {
    use Call::{Cancel, Person, Play, React, Read, Talk, Vote};
    use Mishap::{Limited, LostAfter, LostBefore, Refused, Unavailable, Unreadable};
    let reading = (select(&[Read, Person][..]), select(&[Unavailable, Limited, Unreadable][..]));
    let unknown = (Just(Person), Just(Refused));
    let writing = (
        select(&[Vote, Play, Cancel, Talk, React][..]),
        prop_oneof![4 => select(&[Unavailable, Limited, LostBefore, LostAfter][..]), 1 => Just(Refused)],
    );
    (prop_oneof![2 => reading, 1 => unknown, 4 => writing], 1..4_u8)
        .prop_map(|((at, what), times)| Act::Mishaps { at, what, times })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => deploy(),
        30 => say(),
        1 => (0..3_usize).prop_map(|comment| Act::Edit { comment }),
        1 => (0..3_usize).prop_map(|comment| Act::Delete { comment }),
        6 => pages(),
        4 => rights(),
        2 => Just(Act::LateHooks),
        1 => Just(Act::Redeliver),
        5 => select(&[1, 5, 11, 40, 70, 310, 700][..]).prop_map(|seconds| Act::Pass { seconds }),
        5 => mishaps(),
        1 => (1..4_u8, any::<bool>()).prop_map(|(times, written)| Act::StoreFails { times, written }),
        4 => (1..60_u16).prop_map(|moments| Act::Crash { moments }),
        1 => (1..16_u8).prop_map(|jobs| Act::WorkerDies { jobs }),
    ]
}

fn step(act: Act, workers: u8) -> Step {
    Step { act, workers }
}

fn word(by: i64, verb: Verb, hook: Fate) -> Act {
    let lines = vec![(verb, Target::Number(0))];
    Act::Say { by, request: REQUESTS[0], lines, manner: Manner::Plain, hook }
}

/// Something goes wrong at the gate just when somebody approves, and before it is tried again something has changed.
fn trouble_at_the_gate() -> impl Strategy<Value = Vec<Step>> {
    use Mishap::{LostAfter, LostBefore, Unavailable};
    let mishap = (select(&[Call::Vote, Call::Play][..]), select(&[Unavailable, LostBefore, LostAfter][..]));
    let first = mishap.prop_map(|(at, what)| Act::Mishaps { at, what, times: 1 });
    let seconds = || select(&[5, 11, 70][..]).prop_map(|seconds| Act::Pass { seconds });
    (first, 3..=4_i64, prop_oneof![2 => rights(), 1 => seconds(), 1 => say()], seconds()).prop_map(
        |(first, by, change, then)| {
            let approves = step(word(by, Verb::Approve, Fate::Now), 1);
            vec![step(first, 0), approves, step(change, 0), step(then, 1)]
        },
    )
}

/// A person's earlier word comes later than their newest.
fn out_of_order() -> impl Strategy<Value = Vec<Step>> {
    let verbs = select(&[(Verb::Approve, Verb::Revoke), (Verb::Revoke, Verb::Approve)][..]);
    (3..=6_i64, verbs).prop_map(|(by, (first, second))| {
        vec![
            step(word(by, first, Fate::Late), 1),
            step(word(by, second, Fate::Now), 1),
            step(Act::LateHooks, 1),
        ]
    })
}

/// A comment is touched before anybody has looked at it.
fn touched_at_once() -> impl Strategy<Value = Vec<Step>> {
    let touched = prop_oneof![Just(Act::Edit { comment: 0 }), Just(Act::Delete { comment: 0 })];
    let hook = prop_oneof![Just(Fate::Now), Just(Fate::Lost)];
    (3..=6_i64, hook, touched)
        .prop_map(|(by, hook, touched)| vec![step(word(by, Verb::Approve, hook), 0), step(touched, 1)])
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let rule =
        |grantees: Vec<Grantee>, required_approvals| Rule { grantees, required_approvals, label: None };
    let level = || Grantee::AccessLevel(40);
    let group = |path: &str| Grantee::Group { path: path.to_owned(), inherited: false };
    prop_oneof![
        4 => (1..=3_u32).prop_map(move |count| vec![rule(vec![level()], count)]),
        2 => (1..=2_u32).prop_map(move |count| vec![rule(vec![group("acme/qa")], 1), rule(vec![group("acme/sre")], count)]),
        1 => Just(vec![rule(vec![Grantee::User("alice".to_owned())], 1), rule(vec![level()], 1)]),
        1 => Just(vec![rule(vec![group("acme/qa"), Grantee::AccessLevel(30)], 2)]),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let gate =
        prop_oneof![5 => Just(Gate::Native), 2 => Just(Gate::ManualJob), 2 => Just(Gate::ProtectionRule)];
    let rarely = || prop_oneof![5 => Just(false), 1 => Just(true)];
    (gate, any::<bool>(), rules(), rarely(), rarely()).prop_map(|(gate, others, rules, own, by_hand)| Asked {
        gate,
        others,
        rules,
        allow_self_approval: own,
        start_when_approved: !by_hand,
    })
}

/// Histories that begin with a deployment.
pub(super) fn plans() -> impl Strategy<Value = Plan> {
    let workers = || prop_oneof![2 => Just(0_u8), 5 => Just(1_u8), 1 => Just(2_u8)];
    let one = (act(), workers()).prop_map(|(act, workers)| vec![step(act, workers)]);
    let steps = prop_oneof![
        12 => one,
        1 => trouble_at_the_gate(),
        1 => out_of_order(),
        1 => touched_at_once(),
    ];
    let first = (deploy(), workers()).prop_map(|(act, workers)| step(act, workers));
    let law = (asked(), asked()).prop_map(|(production, staging)| Law { production, staging });
    (law, first, vec(steps, 4..32)).prop_map(|(law, first, steps)| {
        let steps = std::iter::once(first).chain(steps.into_iter().flatten()).collect();
        Plan { law, steps }
    })
}
