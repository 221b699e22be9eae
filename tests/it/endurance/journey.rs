//! What people do, from a seed: several deployments, each with a little story of its own, told in between each other.
//!
//! The stories are such that their ends don't depend on when Countersign hears of what: nobody takes back a word that
//! could have released something in the meantime.

use super::chance::Chance;
use std::collections::VecDeque;

/// One thing that somebody does.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// dana deploys to these, in one pipeline.
    Deploy(Vec<&'static str>),
    /// Somebody writes in the merge request.
    Say(Line),
}

/// A comment.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) who: &'static str,
    pub(super) text: String,
    /// It has to be answered.
    pub(super) addressed: bool,
    /// It is somebody's word on a deployment, whatever came first: one entry of the ledger.
    pub(super) counts: bool,
}

/// How a deployment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Released,
    Rejected,
    StillBlocked,
}

/// Everything that happens.
#[derive(Clone, Debug)]
pub(super) struct Journey {
    pub(super) acts: Vec<Act>,
    /// By environment.
    pub(super) ends: Vec<(&'static str, End)>,
}

impl Journey {
    /// Over these environments, of which each is deployed to once.
    pub(super) fn new(chance: &mut Chance, environments: &[&'static str]) -> Self {
        let (mut tracks, mut ends) = (Vec::new(), Vec::new());
        let mut waiting: VecDeque<&'static str> = environments.iter().copied().collect();
        while !waiting.is_empty() {
            let together = 1 + chance.below(2);
            let names: Vec<&'static str> = (0..together).filter_map(|_| waiting.pop_front()).collect();
            let mut lines = Vec::new();
            for name in &names {
                let (end, said) = story(chance, name);
                ends.push((*name, end));
                lines.push(said);
            }
            let mut track = VecDeque::from([Act::Deploy(names)]);
            track.extend(mingled(chance, lines).into_iter().map(Act::Say));
            tracks.push(track);
        }
        Self { acts: mingled(chance, tracks), ends }
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.acts.iter().filter_map(|act| match act {
            Act::Say(line) => Some(line),
            Act::Deploy(_) => None,
        })
    }
}

/// One deployment's story.
fn story(chance: &mut Chance, name: &str) -> (End, VecDeque<Line>) {
    let [first, second] = *chance.pick(&[["alice", "bob"], ["bob", "alice"]]);
    let word = |who, verb: &str| said(who, &format!("/deploy {verb} {name}"));
    let counted = |who, verb: &str| Line { counts: true, ..word(who, verb) };
    let reject = format!("/deploy reject {name} not today");
    let (end, lines) = match chance.below(6) {
        0 | 1 => (End::Released, vec![counted(first, "approve"), counted(second, "approve")]),
        2 => {
            let lines = vec![word(first, "approve"), word(first, "approve"), counted(second, "approve")];
            (End::Released, lines)
        }
        3 => {
            let again = [word(first, "approve"), word(first, "revoke"), word(first, "approve")];
            (End::Released, again.into_iter().chain([word(second, "approve")]).collect())
        }
        4 => {
            let no = Line { counts: true, ..said(second, &reject) };
            (End::Rejected, vec![word(first, "approve"), no])
        }
        _ => (End::StillBlocked, vec![word(first, "approve"), word(first, "revoke")]),
    };
    let mut lines = VecDeque::from(lines);
    if chance.percent(40) {
        let (who, verb) = *chance.pick(&[("mallory", "approve"), ("dana", "approve"), ("bob", "why")]);
        let at = usize::try_from(chance.below(lines.len() as u64)).unwrap();
        lines.insert(at, word(who, verb));
    }
    if chance.percent(15) {
        let small_talk = Line { addressed: false, ..said("carol", "Looks good to me") };
        lines.push_back(small_talk);
    }
    (end, lines)
}

fn said(who: &'static str, text: &str) -> Line {
    Line { who, text: text.to_owned(), addressed: true, counts: false }
}

/// Several courses of events as one; each keeps its own order.
fn mingled<T>(chance: &mut Chance, mut tracks: Vec<VecDeque<T>>) -> Vec<T>
where
    T: Clone,
{
    let mut all = Vec::new();
    loop {
        tracks.retain(|track| !track.is_empty());
        if tracks.is_empty() {
            return all;
        }
        let at = usize::try_from(chance.below(tracks.len() as u64)).unwrap();
        all.extend(tracks[at].pop_front());
    }
}
