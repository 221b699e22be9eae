//! One press's way: from Approve in the channel to the message that shows the job running.

use crate::site::Site;
use crate::world::{World, until};
use anyhow::{Context as _, ensure};
use std::time::{Duration, Instant};

/// What presses take.
#[derive(Default)]
pub(crate) struct Presses {
    /// Until Slack was answered.
    pub(crate) acknowledged: Vec<Duration>,
    /// Until the job was started.
    pub(crate) started: Vec<Duration>,
    /// Until the message showed it running.
    pub(crate) shown: Vec<Duration>,
}

/// Presses so many times, each time on a deployment that needs this approval alone.
pub(crate) fn measure(world: &World, site: &Site, rounds: u32) -> anyhow::Result<Presses> {
    let child = site.serve()?;
    world.hook(child.address);
    world.gitlab.set_auto_finish(false);
    world.until_quiet()?;
    let mut presses = Presses::default();
    for round in 0..rounds {
        time(world, round + 1, &mut presses)?;
    }
    Ok(presses)
}

/// Hooks arrive as they arise, those of the server's own doing included, as they do in life.
fn time(world: &World, number: u32, into: &mut Presses) -> anyhow::Result<()> {
    let channel = world.channel.as_ref().context("this world has no channel")?;
    world.gitlab.set_auto_deliver(false);
    let waiting = world.deploy(number)?;
    until("the message stands", || channel.card().is_some())?;
    world.until_quiet()?;
    world.gitlab.set_auto_deliver(true);
    world.gitlab.clear_requests();
    channel.slack.clear_requests();
    let card = channel.card().context("the message is gone")?;
    let began = Instant::now();
    ensure!(channel.approve(&card), "the press was not taken");
    into.acknowledged.push(began.elapsed());
    let (mut started, mut shown) = (None, None);
    until("the job is started and the message shows it", || {
        let now = || Some(began.elapsed());
        started = started.or_else(|| world.is_started(&waiting).then(now).flatten());
        shown = shown.or_else(|| channel.is_edited_to("production: running").then(now).flatten());
        started.is_some() && shown.is_some()
    })?;
    into.started.extend(started);
    into.shown.extend(shown);
    world.gitlab.finish_job(waiting.job, true);
    until("the message shows the end", || channel.is_edited_to("production: deployed"))?;
    world.until_quiet()
}
