//! The stage that the page plays on: the world, the ledger's store, the time, and the trouble that was ordered.

use super::ledger::{self, Chain};
use super::world::World;
use crate::domain::id::{ForgeName, ProjectId};
use crate::ports::clock::Clock;
use crate::ports::store::{Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A job that was started succeeds after this.
const JOB_TAKES: SignedDuration = SignedDuration::from_secs(6);
/// An outage of GitLab ends after this.
pub(crate) const OUTAGE: SignedDuration = SignedDuration::from_secs(15);
/// How often it is looked whether a job or an outage ends.
const TICK: Duration = Duration::from_millis(500);

/// Everything that the page shows and moves. Clones are the same stage.
#[derive(Clone)]
pub(crate) struct Stage {
    /// The simulated world.
    pub(crate) world: World,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    outage_until: Arc<Mutex<Option<Timestamp>>>,
    /// How many hooks had been sent when the last was ordered to be lost.
    losing_after: Arc<Mutex<Option<usize>>>,
}

impl Stage {
    /// A stage with this world, and with what the true server keeps of it.
    pub(crate) fn new(world: World, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { world, store, clock, outage_until: Arc::default(), losing_after: Arc::default() }
    }

    /// The ledger, newest deployment first.
    pub(crate) async fn ledger(&self) -> Result<Vec<Chain>, StoreError> {
        let project = ProjectId(i64::try_from(self.world.project).unwrap_or_default());
        ledger::read(self.store.as_ref(), &ForgeName::new(super::FORGE), project).await
    }

    /// The next hook is lost.
    pub(crate) fn lose_next_hook(&self) {
        *lock(&self.losing_after) = Some(self.world.hooks().sent);
        self.world.lose_next_hook();
    }

    /// Whether a hook is still to be lost.
    pub(crate) fn is_losing(&self) -> bool {
        lock(&self.losing_after).is_some_and(|sent| sent == self.world.hooks().sent)
    }

    /// GitLab answers 500 for [`OUTAGE`].
    pub(crate) fn begin_outage(&self) {
        let until = self.clock.now() + OUTAGE;
        if lock(&self.outage_until).replace(until).is_none() {
            self.world.begin_outage();
        }
    }

    /// Whether GitLab answers 500 now.
    pub(crate) fn is_out(&self) -> bool {
        lock(&self.outage_until).is_some()
    }

    /// Lets time pass until told to stop: jobs succeed, outages end.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(TICK)).await.is_some() {
            self.tick();
        }
    }

    /// Ends what is over by now.
    pub(crate) fn tick(&self) {
        let now = self.clock.now();
        self.world.finish_jobs(JOB_TAKES, now);
        let over = lock(&self.outage_until).take_if(|until| *until <= now).is_some();
        if over {
            let losing = self.is_losing();
            self.world.end_trouble();
            if losing {
                self.world.lose_next_hook();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
