//! Which commit came after which: one line, as commits come to be known, and others beside it where a test wants them.

use std::collections::BTreeMap;
use std::iter::successors;

/// The commits of one repository.
#[derive(Default)]
pub(super) struct History {
    parents: BTreeMap<String, Option<String>>,
    tip: Option<String>,
}

impl History {
    /// A commit on top of the newest one. A known one stays where it is.
    pub(super) fn grow(&mut self, sha: &str) {
        if !self.parents.contains_key(sha) {
            self.parents.insert(sha.to_owned(), self.tip.replace(sha.to_owned()));
        }
    }

    /// A commit beside the line, on top of a known one or of nothing. A known one stays where it is.
    pub(super) fn branch(&mut self, sha: &str, parent: Option<&str>) {
        let parent = parent.filter(|parent| self.parents.contains_key(*parent)).map(str::to_owned);
        self.parents.entry(sha.to_owned()).or_insert(parent);
    }

    /// A commit that is no more; those on top of it have lost what was below.
    pub(super) fn forget(&mut self, sha: &str) {
        let parent = self.parents.remove(sha).flatten();
        if self.tip.as_deref() == Some(sha) {
            self.tip = parent;
        }
    }

    /// The commit below.
    pub(super) fn parent(&self, sha: &str) -> Option<&str> {
        self.parents.get(sha)?.as_deref().filter(|parent| self.parents.contains_key(*parent))
    }

    /// What `head` has and `base` lacks, oldest first.
    pub(super) fn between(&self, base: &str, head: &str) -> Vec<&str> {
        let below: Vec<&str> = self.line(base).collect();
        let mut new: Vec<&str> = self.line(head).take_while(|sha| !below.contains(sha)).collect();
        new.reverse();
        new
    }

    /// The newest commit that both have.
    pub(super) fn common(&self, one: &str, other: &str) -> Option<&str> {
        let below: Vec<&str> = self.line(one).collect();
        self.line(other).find(|sha| below.contains(sha))
    }

    /// A commit and all below it, newest first.
    fn line(&self, sha: &str) -> impl Iterator<Item = &str> {
        let start = self.parents.get_key_value(sha).map(|(known, _)| known.as_str());
        successors(start, |sha| self.parent(sha))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a ← b ← c, and x on top of a.
    fn history() -> History {
        let mut history = History::default();
        history.grow("a");
        history.branch("x", Some("a"));
        for sha in ["b", "c", "a"] {
            history.grow(sha);
        }
        history
    }

    #[test]
    fn one_commit_follows_the_other() {
        let history = history();
        assert_eq!(history.between("a", "c"), ["b", "c"]);
        assert_eq!(history.between("c", "a"), Vec::<&str>::new());
        assert_eq!((history.common("a", "c"), history.parent("a")), (Some("a"), None));
    }

    #[test]
    fn two_branches_part_at_what_both_have() {
        let history = history();
        assert_eq!((history.between("x", "c"), history.between("c", "x")), (vec!["b", "c"], vec!["x"]));
        assert_eq!(history.common("c", "x"), Some("a"));
    }

    #[test]
    fn nothing_is_below_what_was_forgotten() {
        let mut history = history();
        history.forget("b");
        assert_eq!((history.common("a", "c"), history.between("a", "c")), (None, vec!["c"]));
        history.forget("c");
        history.branch("y", Some("c"));
        assert_eq!(history.parent("y"), None);
    }
}
