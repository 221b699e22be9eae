//! The instances of a run: started, killed, started again.

use super::balancer::Balancer;
use super::board::{Board, Point};
use super::chance::Chance;
use super::instance::{self, Instance};
use countersign::ports::clock::Clock;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How an instance is made.
#[derive(Clone)]
pub(super) enum Make {
    /// Inside this process, by this clock.
    Inside(Arc<dyn Clock>),
    /// The real program.
    Program,
}

pub(super) struct Fleet {
    places: Vec<Place>,
    make: Make,
    balancer: Balancer,
    board: Board,
    chance: Chance,
}

struct Place {
    text: String,
    file: PathBuf,
    instance: Option<Instance>,
    started: Instant,
    /// It stays down until so many things have happened.
    down_for: u64,
}

impl Fleet {
    /// With a configuration for each instance, and a folder for what they need.
    pub(super) fn new(
        make: Make,
        configs: Vec<String>,
        folder: &std::path::Path,
        (balancer, board, chance): (Balancer, Board, Chance),
    ) -> Self {
        let place = |(index, text): (usize, String)| Place {
            file: folder.join(format!("instance-{index}.toml")),
            text,
            instance: None,
            started: Instant::now(),
            down_for: 0,
        };
        let places: Vec<Place> = configs.into_iter().enumerate().map(place).collect();
        for place in &places {
            std::fs::write(&place.file, &place.text).unwrap();
        }
        Self { places, make, balancer, board, chance }
    }

    /// Buries what was killed and starts what has been down for long enough.
    pub(super) async fn tend(&mut self) {
        for index in 0..self.places.len() {
            if self.board.is_killed(index)
                && let Some(instance) = self.places[index].instance.take()
            {
                instance.bury();
                self.board.ended(index);
                self.balancer.set(index, None);
                let down_for = if self.chance.percent(60) { 0 } else { 1 + self.chance.below(3) };
                self.places[index].down_for = down_for;
            }
            if self.places[index].instance.is_none() && self.places[index].down_for == 0 {
                self.start(index).await;
            }
        }
    }

    /// Something has happened: those that are down come nearer to their start.
    pub(super) fn time_passes(&mut self) {
        for place in &mut self.places {
            place.down_for = place.down_for.saturating_sub(1);
        }
    }

    /// Whoever is down is started now.
    pub(super) async fn all_up(&mut self) {
        self.tend().await;
        self.places.iter_mut().for_each(|place| place.down_for = 0);
        self.tend().await;
    }

    pub(super) fn is_up(&self) -> bool {
        self.places.iter().all(|place| place.instance.is_some())
    }

    async fn start(&mut self, index: usize) {
        let place = &self.places[index];
        let started = match &self.make {
            Make::Inside(clock) => instance::inside(place.text.clone(), Arc::clone(clock)).await,
            Make::Program => instance::program(&place.file).await,
        };
        match started {
            Ok((instance, address)) => {
                let point = self.board.started(index, &place.text, instance.killer());
                self.board.count("start");
                self.board.note(format!("  instance {index} starts; to be killed: {point:?}"));
                self.balancer.set(index, Some(address));
                (self.places[index].instance, self.places[index].started) = (Some(instance), Instant::now());
            }
            Err(why) => {
                // As a supervisor does: again after a while.
                self.board.note(format!("  instance {index} doesn't start: {why}"));
                self.places[index].down_for = 1;
            }
        }
    }

    /// Kills those that are to die between a hook's answer and what it leads to.
    pub(super) fn hooks_were_taken(&self) {
        self.kill_at(|_, point| point == Point::Taken, "between a hook's answer and its work");
    }

    fn kill_at(&self, due: impl Fn(usize, Point) -> bool, why: &str) {
        for index in 0..self.places.len() {
            if self.places[index].instance.is_some()
                && self.board.point(index).is_some_and(|point| due(index, point))
            {
                self.board.kill(index, why);
            }
        }
    }

    /// Lets every instance work until nothing is due or it is dead; how many jobs ran.
    pub(super) async fn settle(&self) -> usize {
        let work = async {
            let all: Vec<_> = self.places.iter().filter_map(|place| place.instance.as_ref()).collect();
            let mut ran = 0;
            let mut working: Vec<_> = all.iter().map(|instance| Box::pin(instance.settle())).collect();
            // All at once: each runs on a thread of its own, whoever is waited for first.
            std::future::poll_fn(|context| {
                working.retain_mut(|one| match one.as_mut().poll(context) {
                    std::task::Poll::Ready(jobs) => {
                        ran += jobs;
                        false
                    }
                    std::task::Poll::Pending => true,
                });
                if working.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
            ran
        };
        let ((), ran) = tokio::join!(self.strike(), work);
        ran
    }

    /// Kills those whose time has come while they work. The real program works all the time: its own counts from its
    /// start.
    async fn strike(&self) {
        if let Make::Program = self.make {
            let is_due = |index: usize, point| match point {
                Point::Time(after) => self.places[index].started.elapsed() >= after * 50,
                Point::Taken | Point::Call { .. } | Point::Write { .. } | Point::Step { .. } => false,
            };
            self.kill_at(is_due, "at a random time");
            return;
        }
        let mut times: Vec<(Duration, usize)> = Vec::new();
        for index in 0..self.places.len() {
            if let Some(Point::Time(after)) = self.board.point(index) {
                times.push((after, index));
            }
        }
        times.sort_unstable();
        let begun = tokio::time::Instant::now();
        for (after, index) in times {
            tokio::time::sleep_until(begun + after).await;
            self.board.kill(index, "at a random time");
        }
    }

    /// Stops them in order; each must end well.
    pub(super) async fn stop(&mut self) -> Result<(), String> {
        for (index, place) in self.places.iter_mut().enumerate() {
            self.balancer.set(index, None);
            if let Some(instance) = place.instance.take() {
                instance.stop().await?;
            }
        }
        Ok(())
    }

    /// The first one's configuration file.
    pub(super) fn config(&self) -> &std::path::Path {
        &self.places[0].file
    }
}
