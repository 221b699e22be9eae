//! What befalls the instances: kills at named points and at random times, and a forge that is unwell. The twin asks
//! here at every call; whatever happens is noted.

use super::chance::Chance;
use super::instance::Killer;
use countersign::sim::faults::{Action, Seen, Watcher};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where an instance is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// At the call of this number since its start: before the forge acts on it, or after, and before it answers.
    Call { number: u64, acted: bool },
    /// The same, where only what writes is counted.
    Write { number: u64, acted: bool },
    /// At the first write whose path holds this.
    Step { path: &'static str, acted: bool },
    /// Between the answer to a hook and whatever that hook leads to.
    Taken,
    /// At any time: so long after its start, or after it was told to work.
    Time(Duration),
}

/// What the forges are told on a journey (vote, start, cancel, decision, reaction, reply, card, buttons), and the
/// chats (message, edit, line in its thread, answer to one person, form).
const STEPS: [&str; 19] = [
    "/approval",
    "/play",
    "/cancel",
    "/deployment_protection_rule",
    "/award_emoji",
    "/reactions",
    "/discussions",
    "/notes",
    "/comments",
    "/check-runs",
    "/chat.postMessage",
    "/chat.update",
    "/chat.postEphemeral",
    "/actions/",
    "/views.open",
    "/posts",
    "/patch",
    "/commands/",
    "/dialogs/open",
];
/// How many of [`STEPS`] are a forge's.
const AT_FORGES: u64 = 10;

/// How much befalls a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hazards {
    /// So many instances are killed.
    pub(super) kills: u64,
    /// So many of a hundred calls go wrong.
    pub(super) unwell: u64,
    /// A chat's calls are among them.
    pub(super) in_chat: bool,
    /// One of the kills comes here, whichever instance it hits.
    pub(super) named: Option<Point>,
}

/// Counts of what happened, by name.
pub(super) type Counts = BTreeMap<String, u64>;

/// Shared by the twin's tasks and by whoever plays the journey.
#[derive(Clone)]
pub(super) struct Board(Arc<Mutex<State>>);

struct State {
    chance: Chance,
    slots: Vec<Slot>,
    hazards: Hazards,
    /// Writes to a chat that were acted on and not answered, and kills: what followed from them may be said again.
    doubtful: usize,
    counts: Counts,
    notes: Vec<String>,
}

#[derive(Default)]
struct Slot {
    /// The configuration, which names the instance's own tokens and keys.
    config: String,
    killer: Option<Killer>,
    point: Option<Point>,
    calls: u64,
    writes: u64,
    killed: bool,
}

impl Board {
    pub(super) fn new(chance: Chance, places: usize, hazards: Hazards) -> Self {
        let slots = (0..places).map(|_| Slot::default()).collect();
        let (counts, notes) = (Counts::new(), Vec::new());
        let state = State { chance, slots, hazards, doubtful: 0, counts, notes };
        Self(Arc::new(Mutex::new(state)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the forge's twin asks.
    pub(super) fn watcher(&self) -> Watcher {
        let board = self.clone();
        Arc::new(move |seen| {
            let mut state = board.lock();
            state.count("call to a forge");
            state.befalls(seen)
        })
    }

    /// What the chat's twin asks.
    pub(super) fn watcher_of_chat(&self) -> Watcher {
        let board = self.clone();
        Arc::new(move |seen| {
            let mut state = board.lock();
            state.count("call to a chat");
            let action = state.befalls(seen);
            state.doubtful += usize::from(writes(seen) && action.as_ref().is_some_and(leaves_doubt));
            action
        })
    }

    /// How often something may have been said again to one person or in a thread, where nobody can look for it.
    pub(super) fn doubtful(&self) -> usize {
        self.lock().doubtful
    }

    /// An instance has started; where it is killed next, if it is.
    pub(super) fn started(&self, place: usize, config: &str, killer: Killer) -> Option<Point> {
        let mut state = self.lock();
        let point = state.next_point();
        let (killer, config) = (Some(killer), config.to_owned());
        state.slots[place] = Slot { config, killer, point, ..Slot::default() };
        point
    }

    /// Where it is to be killed; `None` once it was, or when all is calm.
    pub(super) fn point(&self, place: usize) -> Option<Point> {
        let state = self.lock();
        state.slots[place].point.filter(|_| !state.slots[place].killed)
    }

    pub(super) fn kill(&self, place: usize, why: &str) {
        self.lock().kill(place, why);
    }

    pub(super) fn is_killed(&self, place: usize) -> bool {
        self.lock().slots[place].killed
    }

    /// It has stopped for another reason; whether it was killed.
    pub(super) fn ended(&self, place: usize) -> bool {
        std::mem::take(&mut self.lock().slots[place]).killed
    }

    /// From now on nothing goes wrong.
    pub(super) fn calm(&self) {
        let mut state = self.lock();
        state.hazards = Hazards::default();
        for slot in &mut state.slots {
            slot.point = None;
        }
    }

    pub(super) fn note(&self, what: impl Into<String>) {
        self.lock().notes.push(what.into());
    }

    pub(super) fn count(&self, what: &str) {
        self.lock().count(what);
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }

    /// What happened, for a run that failed.
    pub(super) fn notes(&self) -> String {
        self.lock().notes.join("\n")
    }
}

impl State {
    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    fn next_point(&mut self) -> Option<Point> {
        if self.hazards.named.is_some() {
            return self.hazards.named;
        }
        self.hazards.kills = self.hazards.kills.checked_sub(1)?;
        let steps = if self.hazards.in_chat { STEPS.len() as u64 } else { AT_FORGES };
        Some(match self.chance.below(10) {
            0 => Point::Taken,
            1 | 2 => Point::Time(Duration::from_micros(200 + self.chance.below(60_000))),
            3 | 4 => Point::Call { number: 1 + self.chance.below(6), acted: self.chance.percent(50) },
            5 | 6 => {
                let at = usize::try_from(self.chance.below(steps)).unwrap_or_default();
                Point::Step { path: STEPS[at], acted: self.chance.percent(60) }
            }
            7 => Point::Call { number: 1 + self.chance.below(30), acted: self.chance.percent(50) },
            _ => Point::Write { number: 1 + self.chance.below(8), acted: self.chance.percent(50) },
        })
    }

    fn kill(&mut self, place: usize, why: &str) {
        let slot = &mut self.slots[place];
        let Some(killer) = slot.killer.take() else { return };
        killer.kill();
        (slot.killed, self.doubtful) = (true, self.doubtful + 1);
        let point = slot.point.take();
        if point == self.hazards.named {
            self.hazards.named = None;
            self.slots.iter_mut().filter(|other| other.point == point).for_each(|other| other.point = None);
        }
        self.notes.push(format!("  instance {place} is killed {why}"));
        self.count(&format!("kill {}", why.split(':').next().unwrap_or(why)));
    }

    fn befalls(&mut self, seen: &Seen<'_>) -> Option<Action> {
        if let Some(place) = self.caller(seen) {
            // The last breath of one that is being dropped.
            if self.slots[place].killed {
                return Some(Action::Hang);
            }
            if let Some(acted) = self.is_due(place, seen) {
                self.strike(place, seen, acted);
                return Some(if acted { Action::ActThenHang } else { Action::Hang });
            }
        } else if let Some(place) = (0..self.slots.len()).find(|place| self.is_at_step(*place, seen)) {
            // Who calls can't be told: perhaps the one who dies, perhaps another, whose call goes well.
            self.strike(place, seen, true);
        }
        let unwell = self.chance.percent(self.hazards.unwell);
        unwell.then(|| self.mishap(seen))
    }

    /// Whose call it is: the one whose configuration alone has its token or key.
    fn caller(&self, seen: &Seen<'_>) -> Option<usize> {
        if self.slots.len() == 1 {
            return Some(0);
        }
        let token = seen.token?;
        let mut holders = (0..self.slots.len()).filter(|place| self.slots[*place].config.contains(token));
        holders.next().filter(|_| holders.next().is_none())
    }

    /// Whether the caller is to be killed at this call, and whether after it was acted on.
    fn is_due(&mut self, place: usize, seen: &Seen<'_>) -> Option<bool> {
        let slot = &mut self.slots[place];
        slot.calls += 1;
        slot.writes += u64::from(writes(seen));
        match slot.point {
            Some(Point::Call { number, acted }) => (number == slot.calls).then_some(acted),
            Some(Point::Write { number, acted }) => (writes(seen) && number == slot.writes).then_some(acted),
            Some(Point::Step { path, acted }) => (writes(seen) && seen.path.contains(path)).then_some(acted),
            Some(Point::Taken | Point::Time(_)) | None => None,
        }
    }

    fn is_at_step(&self, place: usize, seen: &Seen<'_>) -> bool {
        let slot = &self.slots[place];
        matches!(slot.point, Some(Point::Step { path, .. }) if writes(seen) && seen.path.contains(path))
            && !slot.killed
    }

    fn strike(&mut self, place: usize, seen: &Seen<'_>, acted: bool) {
        let kind = if writes(seen) { "write" } else { "read" };
        self.count(&format!("killed at {}", told(seen)));
        let moment = if acted { "after" } else { "before" };
        self.kill(place, &format!("{moment} a {kind}: {} {}", seen.method, seen.path));
    }

    fn mishap(&mut self, seen: &Seen<'_>) -> Action {
        let page = "<html><body>Something is not well</body></html>".to_owned();
        let answer = |status| Action::Answer { status, body: page.clone() };
        let (name, action) = match self.chance.below(100) {
            0..16 => ("answer lost", Action::ActThenDrop),
            16..30 => ("reset", Action::Drop),
            30..42 => ("acted, then 502", Action::ActThenFail(502)),
            42..52 => ("500", answer(500)),
            52..60 => ("502", answer(502)),
            60..66 => ("403 page", answer(403)),
            66..72 => ("404 page", answer(404)),
            72..78 => ("200 page", answer(200)),
            78..86 => ("answer cut", Action::Truncate),
            86..95 => {
                let retry_after = self.chance.percent(70).then(|| 1 + self.chance.below(30));
                ("429", Action::TooManyRequests { retry_after })
            }
            95..99 => ("slow", Action::Delay(Duration::from_millis(self.chance.below(200)))),
            _ => ("timeout", if self.chance.percent(50) { Action::ActThenHang } else { Action::Hang }),
        };
        self.count(&format!("fault {name}"));
        self.notes.push(format!("  {name}: {} {}", seen.method, seen.path));
        action
    }
}

fn writes(seen: &Seen<'_>) -> bool {
    seen.method != "GET" && !seen.path.ends_with("/access_tokens")
}

/// It was carried out, and whoever asked for it can't know.
fn leaves_doubt(action: &Action) -> bool {
    match action {
        Action::ActThenDrop | Action::ActThenFail(_) | Action::Truncate | Action::ActThenHang => true,
        Action::Answer { .. }
        | Action::TooManyRequests { .. }
        | Action::Delay(_)
        | Action::Drop
        | Action::Hang => false,
    }
}

/// `POST …/play`.
fn told(seen: &Seen<'_>) -> String {
    let is_word = |part: &&str| part.starts_with(|c: char| c.is_ascii_alphabetic());
    format!("{} …/{}", seen.method, seen.path.rsplit('/').find(is_word).unwrap_or_default())
}
