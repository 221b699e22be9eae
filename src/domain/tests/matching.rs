//! The matching against brute force: every way to put few people into few rules.

use super::super::matching::{Filling, MAX_RULES, fill};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

/// Which rules a filling satisfies, then how many slots it fills: greater is better.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Worth {
    satisfied: usize,
    earliest: Vec<bool>,
    slots: usize,
}

#[derive(Clone, Debug)]
struct Puzzle {
    required: Vec<u32>,
    /// `admits[person][rule]`.
    admits: Vec<Vec<bool>>,
}

impl Puzzle {
    fn fill(&self) -> Filling {
        fill(&self.required, self.admits.len(), |person, rule| self.admits[person][rule])
    }

    fn worth(&self, filling: &Filling) -> Worth {
        let sizes = || filling.iter().map(Vec::len);
        let earliest: Vec<bool> =
            sizes().zip(&self.required).map(|(filled, required)| filled >= *required as usize).collect();
        Worth { satisfied: earliest.iter().filter(|full| **full).count(), earliest, slots: sizes().sum() }
    }

    /// The best of all fillings.
    fn best(&self) -> Worth {
        let mut fillings: Vec<Filling> = vec![vec![Vec::new(); self.required.len()]];
        for person in 0..self.admits.len() {
            let placed: Vec<Filling> =
                fillings.iter().flat_map(|filling| self.placements(filling, person)).collect();
            fillings.extend(placed);
        }
        fillings.iter().map(|filling| self.worth(filling)).max().unwrap()
    }

    fn placements(&self, filling: &Filling, person: usize) -> Vec<Filling> {
        let has_room = |rule: &usize| filling[*rule].len() < self.required[*rule] as usize;
        let rules = (0..self.required.len()).filter(|rule| self.admits[person][*rule]).filter(has_room);
        rules
            .map(|rule| {
                let mut next = filling.clone();
                next[rule].push(person);
                next
            })
            .collect()
    }
}

fn puzzles() -> impl Strategy<Value = Puzzle> {
    (1..=4_usize, 0..=5_usize).prop_flat_map(|(rules, people)| {
        let required = prop::collection::vec(prop_oneof![1 => Just(0_u32), 9 => 1..=3_u32], rules);
        let row = prop::collection::vec(prop::bool::weighted(0.45), rules);
        (required, prop::collection::vec(row, people))
            .prop_map(|(required, admits)| Puzzle { required, admits })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn it_is_as_good_as_the_best_of_all_fillings(puzzle in puzzles()) {
        prop_assert_eq!(puzzle.worth(&puzzle.fill()), puzzle.best());
    }

    #[test]
    fn nobody_is_in_two_slots_nor_where_they_are_not_admitted(puzzle in puzzles()) {
        let filling = puzzle.fill();
        prop_assert_eq!(filling.len(), puzzle.required.len());
        let mut placed: Vec<usize> = filling.iter().flatten().copied().collect();
        let slots = placed.len();
        placed.sort_unstable();
        placed.dedup();
        prop_assert_eq!(placed.len(), slots, "somebody is in two slots");
        for (rule, people) in filling.iter().enumerate() {
            prop_assert!(people.len() <= puzzle.required[rule] as usize, "rule {} is overfull", rule);
            prop_assert!(people.iter().all(|person| puzzle.admits[*person][rule]));
        }
    }
}

#[test]
fn of_equally_many_rules_the_earliest_wins() {
    let sizes = |required: &[u32], people| -> Vec<usize> {
        fill(required, people, |_, _| true).iter().map(Vec::len).collect()
    };
    assert_eq!(sizes(&[1, 1], 1), [1, 0]);
    assert_eq!(sizes(&[1, 1, 1], 2), [1, 1, 0]);
    assert_eq!(sizes(&[2, 1, 1], 2), [0, 1, 1], "but more rules before earlier ones");
}

#[test]
fn a_rule_that_can_be_filled_is_not_starved_for_one_that_cannot() {
    let filling = fill(&[3, 1], 1, |_, _| true);
    assert_eq!(filling, vec![vec![], vec![0]]);
}

#[test]
fn what_is_left_over_fills_what_it_can() {
    let filling = fill(&[3, 1], 2, |person, rule| person == 0 || rule == 0);
    assert_eq!(filling, vec![vec![1], vec![0]]);
}

#[test]
fn every_slot_is_filled_beyond_the_searched_rules_too() {
    let rules = MAX_RULES + 3;
    let filling = fill(&vec![1; rules], rules, |person, rule| person >= rule);
    assert!(filling.iter().all(|people| people.len() == 1), "{filling:?}");
}

#[test]
fn a_slot_count_beyond_all_people_is_no_trouble() {
    assert_eq!(fill(&[u32::MAX], 2, |_, _| true), vec![vec![0, 1]]);
}

/// Puzzles where first come, first served would do worse must be common, or the comparison says little.
#[test]
fn the_puzzles_are_hard_often_enough() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let hard = (0..500).filter(|_| {
        let puzzle = puzzles().new_tree(&mut runner).unwrap().current();
        puzzle.worth(&first_come(&puzzle)) < puzzle.best()
    });
    let hard = hard.count();
    assert!(hard >= 50, "only {hard} of 500");
}

fn first_come(puzzle: &Puzzle) -> Filling {
    let mut filling = vec![Vec::new(); puzzle.required.len()];
    for person in 0..puzzle.admits.len() {
        if let Some(next) = puzzle.placements(&filling, person).into_iter().next() {
            filling = next;
        }
    }
    filling
}
