//! Filling approval rules with distinct people: one person fills one slot of one rule.
//!
//! The people are few (those who voted) and the rules fewer, so the exact answer is cheap: among all
//! sets of rules that can be filled at once the largest wins, and what is left over then fills as many
//! further slots as it can.

use std::cmp::Reverse;

/// How many rules a policy may have; bounds the search over sets of rules.
pub const MAX_RULES: usize = 10;

/// Who fills what: for each rule the positions of its people, in `0..people`.
pub type Filling = Vec<Vec<usize>>;

/// Assigns people to rules. `required[r]` is the number of slots of rule `r`, `admits(p, r)` whether
/// person `p` may fill one. Rules beyond [`MAX_RULES`] are filled slot by slot only.
pub fn fill(required: &[u32], people: usize, admits: impl Fn(usize, usize) -> bool) -> Filling {
    let problem = Problem { required, people, admits: &admits };
    let mut filling = problem.most_rules();
    for rule in 0..required.len() {
        while problem.has_open_slot(&filling, rule) && problem.augment(&mut filling, rule) {}
    }
    filling
}

struct Problem<'a, F> {
    required: &'a [u32],
    people: usize,
    admits: &'a F,
}

impl<F: Fn(usize, usize) -> bool> Problem<'_, F> {
    /// The filling that satisfies the most rules. Of equally many, the earliest rules of the policy win.
    fn most_rules(&self) -> Filling {
        let rules = self.required.len().min(MAX_RULES);
        let mut sets: Vec<u32> = (0..1_u32 << rules).collect();
        sets.sort_by_key(|set| Reverse((set.count_ones(), set.reverse_bits())));
        sets.into_iter().find_map(|set| self.satisfy(set)).unwrap_or_else(|| self.empty())
    }

    /// Fills every slot of every rule in `set`, or says that it can't be done.
    fn satisfy(&self, set: u32) -> Option<Filling> {
        let mut filling = self.empty();
        for rule in (0..self.required.len()).filter(|rule| *rule < MAX_RULES && set >> rule & 1 == 1) {
            while self.has_open_slot(&filling, rule) {
                if !self.augment(&mut filling, rule) {
                    return None;
                }
            }
        }
        Some(filling)
    }

    fn empty(&self) -> Filling {
        vec![Vec::new(); self.required.len()]
    }

    fn has_open_slot(&self, filling: &Filling, rule: usize) -> bool {
        let filled = filling.get(rule).map_or(0, Vec::len);
        self.required.get(rule).is_some_and(|required| filled < *required as usize)
    }

    /// Puts one more person into `rule`, moving others to other rules of theirs where that frees one
    /// (an augmenting path: slots that are filled stay filled).
    fn augment(&self, filling: &mut Filling, rule: usize) -> bool {
        self.place(filling, rule, &mut vec![false; self.people])
    }

    fn place(&self, filling: &mut Filling, rule: usize, tried: &mut [bool]) -> bool {
        for person in 0..self.people {
            match tried.get_mut(person) {
                Some(seen) if !*seen && (self.admits)(person, rule) => *seen = true,
                _ => continue,
            }
            let present = filling.iter().position(|members| members.contains(&person));
            if present == Some(rule) {
                continue;
            }
            if present.is_none_or(|other| self.place(filling, other, tried)) {
                move_to(filling, person, rule);
                return true;
            }
        }
        false
    }
}

fn move_to(filling: &mut Filling, person: usize, rule: usize) {
    for members in filling.iter_mut() {
        members.retain(|member| *member != person);
    }
    if let Some(members) = filling.get_mut(rule) {
        members.push(person);
    }
}
