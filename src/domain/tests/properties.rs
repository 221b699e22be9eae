//! What holds of every decision, whatever the policy, the words and the facts.

use super::cases::{AT_LAST, PEOPLE, anybody, approved_without, scenes};
use super::*;
use crate::domain::decide::{approvers, within_reach};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_decision_is_the_rules_read_to_the_letter(scene in scenes()) {
        prop_assert_eq!(end_of(&scene.decide()), literally(&scene));
    }

    #[test]
    fn one_more_approval_never_takes_an_approval_away(
        (scene, newcomer) in approved_without(),
        at in -5..20_i64,
    ) {
        let more = scene.approves(newcomer, at);
        prop_assert_eq!(end_of(&more.decide()), Ends::Approved);
    }

    #[test]
    fn an_eligible_rejection_always_wins(scene in scenes(), who in anybody()) {
        let later = scene.clone().rejects(who, AT_LAST);
        if counts(&later, who, Word::Rejected) == Some(true) {
            prop_assert!(matches!(end_of(&later.decide()), Ends::RejectedBy(_)));
        }
        let ended_by = match end_of(&scene.decide()) {
            Ends::RejectedBy(who) => Some(who),
            Ends::Approved | Ends::Blocked { .. } => None,
        };
        prop_assert!(ended_by.is_none_or(|who| counts(&scene, who, Word::Rejected) == Some(true)));
    }

    #[test]
    fn a_creators_approval_never_counts_unless_allowed(mut scene in scenes()) {
        scene.policy.allow_self_approval = false;
        let Some(creators) = creators(&scene) else { return Ok(()) };
        let verdict = scene.decide();
        prop_assert!(approvers(&verdict).iter().all(|account| !creators.contains(&account.id.0)));
        let mut withdrawn = scene.clone();
        for vote in &mut withdrawn.votes {
            if vote.word == Word::Approved && creators.contains(&vote.by.id.0) {
                vote.word = Word::Revoked;
            }
        }
        prop_assert_eq!(end_of(&withdrawn.decide()), end_of(&verdict));
    }

    #[test]
    fn a_bots_word_never_counts(mut scene in scenes()) {
        scene.facts.people.retain(|_, person| person.fact().is_some());
        let before = end_of(&scene.decide());
        scene.votes.retain(|vote| !vote.by.bot || !scene.facts.people.contains_key(&vote.by.id));
        prop_assert_eq!(end_of(&scene.decide()), before);
    }

    #[test]
    fn what_becomes_unreadable_never_approves(scene in nearly_approved(), holes in holes()) {
        let blurred = blur(scene.clone(), &holes);
        if end_of(&blurred.decide()) == Ends::Approved {
            prop_assert_eq!(end_of(&scene.decide()), Ends::Approved);
        }
    }

    #[test]
    fn an_unchecked_rejection_keeps_it_from_approved((scene, who) in approved_without(), person in any::<bool>()) {
        let mut scene = scene.rejects(who, 1);
        if person {
            scene.facts.people.insert(UserId(who), unread());
        } else {
            scene.facts.people.insert(UserId(who), Known::Fact(Person { account: account_of_human(who), active: true }));
            for ((id, _), holds) in &mut scene.facts.holds {
                if *id == UserId(who) {
                    *holds = unread();
                }
            }
        }
        let verdict = scene.decide();
        prop_assert_eq!(end_of(&verdict), Ends::Blocked { missing: 0 });
    }

    #[test]
    fn the_order_of_arrival_never_matters(
        (scene, shuffled) in scenes().prop_flat_map(|scene| (Just(scene.clone()), Just(scene.votes).prop_shuffle())),
    ) {
        let rearranged = Scene { votes: shuffled, ..scene.clone() };
        prop_assert_eq!(rearranged.decide(), scene.decide());
    }

    #[test]
    fn when_different_people_spoke_never_matters(scene in scenes(), moments in moments()) {
        let one_word_each = one_word_each(scene);
        let mut another_time = one_word_each.clone();
        for (vote, at) in another_time.votes.iter_mut().zip(moments) {
            vote.at = minute(at);
        }
        prop_assert_eq!(another_time.decide(), one_word_each.decide());
    }

    #[test]
    fn it_is_within_reach_when_everybodys_approval_would_do(
        mut scene in scenes(),
        candidates in vec(anybody(), 0..=10),
    ) {
        scene.votes.clear();
        let accounts: Vec<Account> = candidates.iter().map(|id| account_in(&scene, *id)).collect();
        for (at, account) in (0..).zip(&accounts) {
            scene.votes.push(vote(account.clone(), Word::Approved, at));
        }
        let reached = within_reach(&scene.policy, &accounts, &scene.facts);
        prop_assert_eq!(reached, end_of(&scene.decide()) == Ends::Approved);
    }

    #[test]
    fn candidates_who_were_not_read_are_taken_for_active(mut scene in scenes(), candidates in vec(anybody(), 0..=10)) {
        let accounts: Vec<Account> = candidates.iter().map(|id| account_in(&scene, *id)).collect();
        for account in &accounts {
            let active = Person { account: account.clone(), active: true };
            scene.facts.people.insert(account.id, Known::Fact(active));
        }
        let read = within_reach(&scene.policy, &accounts, &scene.facts);
        scene.facts.people.clear();
        prop_assert_eq!(within_reach(&scene.policy, &accounts, &scene.facts), read);
    }
}

#[test]
fn reach_is_asked_of_both_kinds_often_enough() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let reached = (0..500).filter(|_| {
        let scene = scenes().new_tree(&mut runner).unwrap().current();
        let everybody: Vec<Account> = (1..=PEOPLE).map(|id| account_in(&scene, id)).collect();
        within_reach(&scene.policy, &everybody, &scene.facts)
    });
    let reached = reached.count();
    assert!((100..400).contains(&reached), "{reached} of 500");
}

/// Scenes one step from approved: any; with a rejection at the end; with the approvers as stand-ins for
/// nobody; with somebody of no group for one of the approvers.
fn nearly_approved() -> impl Strategy<Value = Scene> {
    prop_oneof![
        scenes(),
        approved_without().prop_map(|(scene, who)| scene.rejects(who, AT_LAST)),
        approved_without().prop_map(|(scene, _)| scene.stand_ins(&[1, 2, 3, 4]).started_by(&[])),
        (approved_without(), anybody()).prop_map(|((scene, _), who)| in_no_group(scene, who)),
    ]
}

fn in_no_group(mut scene: Scene, who: i64) -> Scene {
    for ((id, _), holds) in &mut scene.facts.holds {
        if *id == UserId(who) {
            *holds = Known::Fact(false);
        }
    }
    scene
}

#[derive(Clone, Copy, Debug)]
enum Hole {
    None,
    Unread,
    Absent,
}

/// Where facts become unreadable: few holes or many, in one kind of fact or in all.
#[derive(Clone, Debug)]
struct Holes {
    stand_ins: bool,
    people: Vec<Hole>,
    holds: Vec<Hole>,
}

fn holes() -> impl Strategy<Value = Holes> {
    let none = || Just(vec![Hole::None; 20]);
    let some =
        || vec(prop_oneof![3 => Just(Hole::None), 1 => Just(Hole::Unread), 1 => Just(Hole::Absent)], 20);
    let people = prop_oneof![2 => none(), 1 => some()];
    let holds = prop_oneof![1 => none(), 2 => some()];
    (any::<bool>(), people, holds).prop_map(|(stand_ins, people, holds)| Holes { stand_ins, people, holds })
}

fn blur(mut scene: Scene, holes: &Holes) -> Scene {
    if holes.stand_ins {
        scene.facts.creators.stand_ins = unread();
    }
    let mut in_people = holes.people.iter();
    scene.facts.people.retain(|_, person| !pierced(person, in_people.next()));
    let mut in_holds = holes.holds.iter();
    scene.facts.holds.retain(|_, holds| !pierced(holds, in_holds.next()));
    scene
}

/// Whether the fact is to be absent; an unreadable one is made so.
fn pierced<T>(fact: &mut Known<T>, hole: Option<&Hole>) -> bool {
    match hole {
        Some(Hole::Absent) => true,
        Some(Hole::Unread) => {
            *fact = unread();
            false
        }
        Some(Hole::None) | None => false,
    }
}

fn moments() -> impl Strategy<Value = Vec<i64>> {
    Just((0..PEOPLE).collect::<Vec<_>>()).prop_shuffle()
}

fn one_word_each(mut scene: Scene) -> Scene {
    let mut seen = std::collections::BTreeSet::new();
    scene.votes.retain(|vote| seen.insert(vote.by.id));
    scene
}

fn account_of_human(id: i64) -> Account {
    Account { bot: false, ..account(id) }
}

fn account_in(scene: &Scene, id: i64) -> Account {
    match scene.facts.people.get(&UserId(id)).and_then(Known::fact) {
        Some(person) => person.account.clone(),
        None => account_of_human(id),
    }
}

/// The rules once more, slowly and by brute force.
fn literally(scene: &Scene) -> Ends {
    let said = |word: Word| (1..=PEOPLE).filter(move |id| last_word(scene, *id) == Some(word));
    if let Some(who) = said(Word::Rejected).find(|id| counts(scene, *id, Word::Rejected) == Some(true)) {
        return Ends::RejectedBy(who);
    }
    let unchecked = said(Word::Rejected).any(|id| counts(scene, id, Word::Rejected).is_none());
    let approving: Vec<i64> =
        said(Word::Approved).filter(|id| counts(scene, *id, Word::Approved) == Some(true)).collect();
    let slots: Vec<u32> = scene.policy.rules.iter().map(|rule| rule.required_approvals).collect();
    let missing = slots.iter().sum::<u32>() - most_slots(scene, &approving, &slots);
    let needs_somebody = !slots.is_empty() && !slots.contains(&0);
    let creators = creators(scene);
    let human = creators.as_ref().is_some_and(|c| c.iter().any(|id| !is_bot_creator(scene, *id)));
    let creator_will_do = creators.is_some() && (human || scene.policy.allow_bot_creator);
    if missing == 0 && needs_somebody && creator_will_do && !unchecked {
        Ends::Approved
    } else {
        Ends::Blocked { missing }
    }
}

fn last_word(scene: &Scene, who: i64) -> Option<Word> {
    let theirs = scene.votes.iter().filter(|vote| vote.by.id == UserId(who));
    theirs.max_by_key(|vote| vote.at).map(|vote| vote.word)
}

/// `None` when it can't be told.
fn counts(scene: &Scene, who: i64, word: Word) -> Option<bool> {
    let person = scene.facts.people.get(&UserId(who))?.fact()?;
    if person.account.bot || !person.active {
        return Some(false);
    }
    if word == Word::Approved && !scene.policy.allow_self_approval && creators(scene)?.contains(&who) {
        return Some(false);
    }
    let grantees = scene.policy.rules.iter().flat_map(|rule| &rule.grantees);
    let memberships: Vec<Known<bool>> = grantees.map(|g| scene.facts.holds(UserId(who), g)).collect();
    if memberships.contains(&Known::Fact(true)) {
        return Some(true);
    }
    memberships.iter().all(|holds| *holds == Known::Fact(false)).then_some(false)
}

fn creators(scene: &Scene) -> Option<Vec<i64>> {
    let creators = &scene.facts.creators;
    let mut ids: Vec<i64> = creators.started_by.iter().map(|account| account.id.0).collect();
    if creators.started_by.iter().all(|account| account.bot) {
        ids.extend(creators.stand_ins.fact()?.iter().filter(|a| !a.bot).map(|a| a.id.0));
    }
    Some(ids)
}

fn is_bot_creator(scene: &Scene, who: i64) -> bool {
    scene.facts.creators.started_by.iter().any(|account| account.id.0 == who && account.bot)
}

/// The most slots that these people can fill: everybody fills any open slot in turn, or none.
fn most_slots(scene: &Scene, people: &[i64], open: &[u32]) -> u32 {
    let [person, others @ ..] = people else { return 0 };
    let mut best = most_slots(scene, others, open);
    for (index, rule) in scene.policy.rules.iter().enumerate() {
        let admitted =
            rule.grantees.iter().any(|g| scene.facts.holds(UserId(*person), g) == Known::Fact(true));
        if admitted && open[index] > 0 {
            let mut left = open.to_vec();
            left[index] -= 1;
            best = best.max(1 + most_slots(scene, others, &left));
        }
    }
    best
}
