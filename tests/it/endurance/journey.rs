//! What people do, from a seed: several deployments, each with a little story of its own, told in between each other.
//!
//! The stories are such that their ends don't depend on when Countersign hears of what: nobody takes back a word that
//! could have released something in the meantime.

use super::chance::Chance;
use countersign::domain::ledger::Word;
use std::collections::VecDeque;

/// One thing that somebody does.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// dana deploys to these, in one pipeline.
    Deploy(Vec<&'static str>),
    /// Somebody writes in the merge request.
    Say(Line),
    /// Somebody acts in the chat.
    Chat(Deed),
}

/// Something done in the chat, and done again until it has had its effect: a person sees whether it had.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) who: &'static str,
    pub(super) environment: &'static str,
    pub(super) how: How,
    /// As [`Line::counts`].
    pub(super) counts: bool,
}

/// How something is done in the chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// By the button of the message, and the form behind it where there is one.
    Press(Word),
    /// By the slash command, with these words.
    Type(String),
}

/// The reason of every rejection.
pub(super) const REASON: &str = "not today";

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
    /// Over these environments, of which each is deployed to once; people are in a chat as well, or not.
    pub(super) fn new(chance: &mut Chance, environments: &[&'static str], in_chat: bool) -> Self {
        let (mut tracks, mut ends) = (Vec::new(), Vec::new());
        let mut waiting: VecDeque<&'static str> = environments.iter().copied().collect();
        while !waiting.is_empty() {
            let together = 1 + chance.below(2);
            let names: Vec<&'static str> = (0..together).filter_map(|_| waiting.pop_front()).collect();
            let mut acts = Vec::new();
            for name in &names {
                let (end, told) = story(chance, name, in_chat);
                ends.push((*name, end));
                acts.push(told);
            }
            let mut track = VecDeque::from([Act::Deploy(names)]);
            track.extend(mingled(chance, acts));
            tracks.push(track);
        }
        Self { acts: mingled(chance, tracks), ends }
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.acts.iter().filter_map(|act| match act {
            Act::Say(line) => Some(line),
            Act::Deploy(_) | Act::Chat(_) => None,
        })
    }

    pub(super) fn deeds(&self) -> impl Iterator<Item = &Deed> {
        self.acts.iter().filter_map(|act| match act {
            Act::Chat(deed) => Some(deed),
            Act::Deploy(_) | Act::Say(_) => None,
        })
    }
}

/// One deployment's story. What is said before it is taken back is said in the merge request, where it has its time.
fn story(chance: &mut Chance, name: &'static str, in_chat: bool) -> (End, VecDeque<Act>) {
    let [first, second] = *chance.pick(&[["alice", "bob"], ["bob", "alice"]]);
    let told = Telling { name, in_chat };
    let kind = chance.below(6);
    let (end, mut acts) = match kind {
        0 | 1 => (
            End::Released,
            vec![told.counted(chance, first, "approve"), told.counted(chance, second, "approve")],
        ),
        2 => {
            let once = told.word(chance, first, "approve");
            (End::Released, vec![once.clone(), once, told.counted(chance, second, "approve")])
        }
        3 => {
            let again = ["approve", "revoke", "approve"].map(|verb| told.written(first, verb));
            (End::Released, again.into_iter().chain([told.word(chance, second, "approve")]).collect())
        }
        4 => {
            let no = told.counted(chance, second, "reject");
            (End::Rejected, vec![told.word(chance, first, "approve"), no])
        }
        _ => (End::StillBlocked, vec![told.written(first, "approve"), told.written(first, "revoke")]),
    };
    if chance.percent(40) {
        let (who, verb) = *chance.pick(&[("mallory", "approve"), ("dana", "approve"), ("bob", "why")]);
        let at = usize::try_from(chance.below(acts.len() as u64)).unwrap();
        acts.insert(at, told.word(chance, who, verb));
    }
    if chance.percent(15) {
        let text = "Looks good to me".to_owned();
        acts.push(Act::Say(Line { who: "carol", text, addressed: false, counts: false }));
    }
    (end, acts.into())
}

/// Of which deployment a story tells, and where.
#[derive(Clone, Copy)]
struct Telling {
    name: &'static str,
    in_chat: bool,
}

impl Telling {
    /// A word that is somebody's only one of its kind on this deployment.
    fn counted(self, chance: &mut Chance, who: &'static str, verb: &str) -> Act {
        match self.word(chance, who, verb) {
            Act::Say(line) => Act::Say(Line { counts: true, ..line }),
            Act::Chat(deed) => Act::Chat(Deed { counts: true, ..deed }),
            deploy @ Act::Deploy(_) => deploy,
        }
    }

    /// Said in the merge request, or done in the chat.
    fn word(self, chance: &mut Chance, who: &'static str, verb: &str) -> Act {
        if !self.in_chat || chance.percent(40) {
            return self.written(who, verb);
        }
        let word = if verb == "reject" { Word::Rejected } else { Word::Approved };
        let how = if verb != "why" && chance.percent(65) {
            How::Press(word)
        } else {
            How::Type(self.command(verb))
        };
        Act::Chat(Deed { who, environment: self.name, how, counts: false })
    }

    fn written(self, who: &'static str, verb: &str) -> Act {
        let text = format!("/deploy {}", self.command(verb));
        Act::Say(Line { who, text, addressed: true, counts: false })
    }

    fn command(self, verb: &str) -> String {
        let reason = if verb == "reject" { format!(" {REASON}") } else { String::new() };
        format!("{verb} {}{reason}", self.name)
    }
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
