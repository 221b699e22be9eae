//! Generated scenes: few people, few groups, many words, and here and there something unreadable.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

/// The people of a generated scene are `1..=PEOPLE`.
pub(super) const PEOPLE: i64 = 6;

const MOST_VOTES: usize = 9;

pub(super) fn anybody() -> impl Strategy<Value = i64> {
    1..=PEOPLE
}

pub(super) fn grantees() -> [Grantee; 3] {
    [sre(), qa(), Grantee::AccessLevel(40)]
}

/// Any scene at all. Every vote has a moment of its own; the list is in no particular order.
pub(super) fn scenes() -> impl Strategy<Value = Scene> {
    let creators = (starters(), known(stand_ins(), 10));
    (switches(), rules(), people(), memberships(), creators, spoken()).prop_map(
        |((own, bot), rules, people, holds, (started_by, stand_ins), spoken)| {
            let allow = Policy { allow_self_approval: own, allow_bot_creator: bot, ..policy(rules) };
            let account = |id: i64| Account { bot: people[index(id)].0, ..account(id) };
            let accounts = |ids: Vec<i64>| ids.into_iter().map(account).collect::<Vec<_>>();
            let stand_ins = match stand_ins {
                Known::Fact(ids) => Known::Fact(accounts(ids)),
                Known::Unknown(why) => Known::Unknown(why),
            };
            let person = |id: i64| match people[index(id)].1 {
                Known::Fact(active) => Known::Fact(Person { account: account(id), active }),
                Known::Unknown(_) => unread(),
            };
            Scene {
                policy: allow,
                votes: spoken.into_iter().map(|(id, word, at)| vote(account(id), word, at)).collect(),
                facts: Facts {
                    creators: Creators { started_by: accounts(started_by), stand_ins },
                    people: (1..=PEOPLE).map(|id| (UserId(id), person(id))).collect(),
                    holds: pairs().zip(holds).collect(),
                },
            }
        },
    )
}

/// Scenes that are approved, though one person has not spoken; with that person.
pub(super) fn approved_without() -> impl Strategy<Value = (Scene, i64)> {
    (scenes(), anybody())
        .prop_map(|(mut scene, silent)| {
            scene.votes.retain(|vote| vote.by.id != UserId(silent));
            (scene, silent)
        })
        .prop_filter("approved", |(scene, _)| end_of(&scene.decide()) == Ends::Approved)
}

/// A moment after every other word.
pub(super) const AT_LAST: i64 = 1000;

fn index(id: i64) -> usize {
    usize::try_from(id - 1).unwrap()
}

fn pairs() -> impl Iterator<Item = (UserId, Grantee)> {
    (1..=PEOPLE).flat_map(|id| grantees().map(|grantee| (UserId(id), grantee)))
}

fn switches() -> impl Strategy<Value = (bool, bool)> {
    (prop::bool::weighted(0.2), prop::bool::weighted(0.3))
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let admitted = prop::sample::subsequence(grantees().to_vec(), 1..=3);
    let required = prop_oneof![1 => Just(0_u32), 30 => Just(1_u32), 20 => Just(2_u32)];
    let one = (admitted, required).prop_map(|(grantees, required)| rule(&grantees, required));
    prop_oneof![1 => Just(Vec::new()), 30 => vec(one, 1..=3)]
}

/// For each person: a bot? active?
fn people() -> impl Strategy<Value = Vec<(bool, Known<bool>)>> {
    let person = (prop::bool::weighted(0.15), known(prop::bool::weighted(0.92), 4));
    vec(person, index(PEOPLE) + 1)
}

fn memberships() -> impl Strategy<Value = Vec<Known<bool>>> {
    vec(known(prop::bool::weighted(0.55), 8), (index(PEOPLE) + 1) * grantees().len())
}

fn starters() -> impl Strategy<Value = Vec<i64>> {
    prop_oneof![1 => Just(Vec::new()), 3 => vec(anybody(), 1), 1 => vec(anybody(), 2)]
}

fn stand_ins() -> impl Strategy<Value = Vec<i64>> {
    vec(anybody(), 0..=2)
}

fn spoken() -> impl Strategy<Value = Vec<(i64, Word, i64)>> {
    let word = prop_oneof![40 => Just(Word::Approved), 3 => Just(Word::Rejected), 3 => Just(Word::Revoked)];
    let moments = Just((1..).take(MOST_VOTES).collect::<Vec<i64>>()).prop_shuffle();
    (vec((anybody(), word), 0..=MOST_VOTES), moments).prop_map(|(words, moments)| {
        words.into_iter().zip(moments).map(|((id, word), at)| (id, word, at)).collect()
    })
}

fn known<T: Clone + std::fmt::Debug>(
    fact: impl Strategy<Value = T>,
    unread_percent: u32,
) -> impl Strategy<Value = Known<T>> {
    prop_oneof![
        100 - unread_percent => fact.prop_map(Known::Fact),
        unread_percent => Just(()).prop_map(|()| unread()),
    ]
}

/// Properties over scenes that are all blocked would hold of anything.
#[test]
fn every_end_comes_about_often_enough() {
    let mut runner = TestRunner::deterministic();
    let (mut approved, mut rejected, mut unchecked) = (0, 0, 0);
    for _ in 0..1000 {
        let verdict = scenes().new_tree(&mut runner).unwrap().current().decide();
        match end_of(&verdict) {
            Ends::Approved => approved += 1,
            Ends::RejectedBy(_) => rejected += 1,
            Ends::Blocked { .. } => {
                let unread = |child: &&crate::domain::verdict::Explanation| {
                    matches!(child.statement, Statement::RejectionUnchecked(_))
                };
                unchecked += verdict.because.children.iter().filter(unread).count();
            }
        }
    }
    assert!(approved > 150, "only {approved} of 1000 are approved");
    assert!(rejected > 80, "only {rejected} of 1000 are rejected");
    assert!(unchecked > 10, "only {unchecked} of 1000 have a rejection that was not checked");
}
