//! Where numbers and random-looking text come from: the same seed, the same world.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

pub(super) struct Ids {
    seed: u64,
    drawn: u64,
    last: BTreeMap<&'static str, u64>,
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, drawn: 0, last: BTreeMap::new() }
    }

    /// The next number of this kind. Kinds begin far apart, so that a mixed-up number finds nothing.
    pub(super) fn next(&mut self, kind: &'static str, first: u64) -> u64 {
        let id = self.last.get(kind).map_or(first, |last| last + 1);
        self.last.insert(kind, id);
        id
    }

    /// 64 random-looking hexadecimal digits.
    pub(super) fn random(&mut self) -> String {
        self.drawn += 1;
        hex::encode(Sha256::digest(format!("{}/{}", self.seed, self.drawn)))
    }

    /// So many random-looking hexadecimal digits, 64 at most.
    pub(super) fn hex(&mut self, digits: usize) -> String {
        self.random().chars().take(digits).collect()
    }

    pub(super) fn uuid(&mut self) -> String {
        let digits = self.hex(32);
        let mut parts = [8, 4, 4, 4, 12].into_iter();
        let mut rest = digits.chars();
        let groups: Vec<String> = parts.by_ref().map(|len| rest.by_ref().take(len).collect()).collect();
        groups.join("-")
    }
}
