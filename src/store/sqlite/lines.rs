//! Lines: what is kept in order and in little room. Most comes last and leaves first.

use std::collections::VecDeque;

/// Values in their order, none of them twice.
pub(super) struct Line<T>(VecDeque<T>);

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Ord> Line<T> {
    pub(super) fn join(&mut self, one: T) {
        if let Err(place) = self.0.binary_search(&one) {
            if self.0.len() == self.0.capacity() {
                // There may be thousands of lines, and twice the room would be much of it for nothing.
                self.0.reserve_exact((self.0.len() / 4).max(4));
            }
            self.0.insert(place, one);
        }
    }

    /// Says whether it was there.
    pub(super) fn leave(&mut self, one: &T) -> bool {
        self.0.binary_search(one).is_ok_and(|place| self.0.remove(place).is_some())
    }

    pub(super) fn leave_if(&mut self, mut leaves: impl FnMut(&T) -> bool) {
        self.0.retain(|one| !leaves(one));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

/// Numbers, as runs of those that follow each other: first and last of each.
#[derive(Default)]
pub(super) struct Runs(Line<(i64, i64)>);

impl Runs {
    /// It is higher than all others.
    pub(super) fn join(&mut self, number: i64) {
        match self.0.0.back_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            Some(_) | None => self.0.join((number, number)),
        }
    }

    /// Says whether it was there.
    pub(super) fn leave(&mut self, number: i64) -> bool {
        let runs = &mut self.0.0;
        let place = runs.partition_point(|(_, last)| *last < number);
        let Some((first, last)) = runs.get(place).copied().filter(|(first, _)| *first <= number) else {
            return false;
        };
        runs.remove(place);
        let left = [(first, number - 1), (number + 1, last)];
        left.into_iter().filter(|(first, last)| first <= last).for_each(|run| self.0.join(run));
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = i64> {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }
}

/// 8 bytes for what may be long, as a hash with a key of its own makes them: spread evenly.
pub(super) type Mark = u64;

/// Marks, in a line for each first byte: a table of hashes takes twice the room, and is there twice whenever it grows.
pub(super) struct Marks(Vec<Line<Mark>>);

impl Default for Marks {
    fn default() -> Self {
        Self((0..=u8::MAX).map(|_| Line::default()).collect())
    }
}

impl Marks {
    fn line(&mut self, mark: Mark) -> Option<&mut Line<Mark>> {
        self.0.get_mut(first_byte(mark))
    }

    pub(super) fn join(&mut self, mark: Mark) {
        if let Some(line) = self.line(mark) {
            line.join(mark);
        }
    }

    /// Says whether it was there.
    pub(super) fn leave(&mut self, mark: Mark) -> bool {
        self.line(mark).is_some_and(|line| line.leave(&mark))
    }

    pub(super) fn contains(&self, mark: Mark) -> bool {
        self.0.get(first_byte(mark)).is_some_and(|line| line.0.binary_search(&mark).is_ok())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|line| line.0.len()).sum()
    }
}

fn first_byte(mark: Mark) -> usize {
    let [first, ..] = mark.to_be_bytes();
    usize::from(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn marks_are_what_a_set_would_be(deeds in prop::collection::vec((any::<bool>(), 0_u64..40), 0..200)) {
            let (mut marks, mut set) = (Marks::default(), BTreeSet::new());
            for (joins, number) in deeds {
                // Some share their first byte, some don't.
                let mark = (number % 5) << 61 | number;
                prop_assert_eq!(marks.contains(mark), set.contains(&mark));
                if joins {
                    marks.join(mark);
                    set.insert(mark);
                } else {
                    prop_assert_eq!(marks.leave(mark), set.remove(&mark));
                }
                prop_assert_eq!(marks.len(), set.len());
            }
        }

        #[test]
        fn runs_hold_what_a_set_would_hold(
            deeds in prop::collection::vec((0..6, 0_i64..60), 0..100),
        ) {
            let (mut runs, mut set, mut last) = (Runs::default(), BTreeSet::new(), 0);
            for (deed, number) in deeds {
                // Most that come follow each other; now and then one belongs to somebody else.
                if deed < 3 {
                    last += if deed == 0 { 2 } else { 1 };
                    runs.join(last);
                    set.insert(last);
                } else {
                    prop_assert_eq!(runs.leave(number), set.remove(&number));
                }
                prop_assert_eq!(runs.iter().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
                let is_apart = runs.0.iter().zip(runs.0.iter().skip(1)).all(|(one, next)| one.1 < next.0);
                prop_assert!(is_apart && runs.0.iter().all(|(first, last)| first <= last));
            }
            prop_assert_eq!(runs.is_empty(), set.is_empty());
        }
    }
}
