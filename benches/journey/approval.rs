//! One comment's way: how long until the vote stands and the answer is read, and what it asks of GitLab.

use crate::site::Site;
use crate::world::{Waiting, World, until};
use countersign::sim::gitlab::ApiCall;
use std::time::{Duration, Instant};

/// What approvals take.
#[derive(Default)]
pub(crate) struct Approvals {
    /// The calls of the first approval after a start.
    pub(crate) cold: Vec<ApiCall>,
    /// The calls of the next one.
    pub(crate) warm: Vec<ApiCall>,
    /// From the comment to the bot's vote.
    pub(crate) voted: Vec<Duration>,
    /// From the comment to the started job.
    pub(crate) started: Vec<Duration>,
    /// From the comment to the answer.
    pub(crate) answered: Vec<Duration>,
}

/// Counts the calls of two approvals, then takes the time of so many more.
pub(crate) fn measure(world: &World, site: &Site, rounds: u32) -> anyhow::Result<Approvals> {
    let child = site.serve()?;
    world.hook(child.address);
    world.until_quiet()?;
    let first = world.deploy(1)?;
    drop(child);
    let _child = site.serve()?;
    world.until_quiet()?;
    let cold = calls(world, &first)?;
    let warm = calls(world, &world.deploy(2)?)?;
    let mut approvals = Approvals { cold, warm, ..Approvals::default() };
    world.gitlab.set_auto_deliver(true);
    for round in 0..rounds {
        let waiting = world.deploy(3 + round)?;
        world.gitlab.clear_requests();
        time(world, &waiting, &mut approvals)?;
        world.until_quiet()?;
    }
    Ok(approvals)
}

/// The calls of one approval alone: hooks that tell of its consequences are held back until it is over.
fn calls(world: &World, waiting: &Waiting) -> anyhow::Result<Vec<ApiCall>> {
    world.until_quiet()?;
    world.gitlab.clear_requests();
    world.approve(waiting)?;
    world.deliver();
    until("vote, start and answer are there", || {
        world.is_voted(waiting) && world.is_started(waiting) && world.is_answered(waiting)
    })?;
    world.until_no_calls()?;
    let calls = world.gitlab.requests();
    world.until_quiet()?;
    Ok(calls)
}

/// Hooks arrive as they arise, those of the server's own doing included, as they do in life.
fn time(world: &World, waiting: &Waiting, into: &mut Approvals) -> anyhow::Result<()> {
    let began = Instant::now();
    world.approve(waiting)?;
    let (mut voted, mut started, mut answered) = (None, None, None);
    until("vote, start and answer are there", || {
        let now = || Some(began.elapsed());
        voted = voted.or_else(|| world.is_voted(waiting).then(now).flatten());
        started = started.or_else(|| world.is_started(waiting).then(now).flatten());
        answered = answered.or_else(|| world.is_answered(waiting).then(now).flatten());
        voted.is_some() && started.is_some() && answered.is_some()
    })?;
    into.voted.extend(voted);
    into.started.extend(started);
    into.answered.extend(answered);
    Ok(())
}
