//! The stage that the page plays on: the world, the ledger's store, the time, and the trouble that was ordered.

use super::ledger::{self, Chain};
use super::world::{Forge, World};
use crate::ports::clock::Clock;
use crate::ports::store::{Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A job that was started succeeds after this.
const JOB_TAKES: SignedDuration = SignedDuration::from_secs(6);
/// An outage of a forge ends after this.
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
    mishaps: Arc<Mutex<BTreeMap<Forge, Mishaps>>>,
}

/// What goes wrong on one forge.
#[derive(Default)]
struct Mishaps {
    outage_until: Option<Timestamp>,
    /// How many hooks had been sent when the last was ordered to be lost.
    losing_after: Option<usize>,
}

impl Stage {
    /// A stage with this world, and with what the true server keeps of it.
    pub(crate) fn new(world: World, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { world, store, clock, mishaps: Arc::default() }
    }

    /// The ledger of both forges, newest deployment first.
    pub(crate) async fn ledger(&self) -> Result<Vec<Chain>, StoreError> {
        let mut chains = Vec::new();
        for forge in Forge::ALL {
            chains.extend(ledger::read(self.store.as_ref(), forge, self.world.project(forge)).await?);
        }
        chains.sort_by_key(|chain| std::cmp::Reverse(chain.since));
        Ok(chains)
    }

    /// The forge's next hook is lost.
    pub(crate) fn lose_next_hook(&self, forge: Forge) {
        self.mishaps().entry(forge).or_default().losing_after = Some(self.world.on(forge).hooks().sent);
        self.world.on(forge).lose_next_hook();
    }

    /// Whether a hook is still to be lost.
    pub(crate) fn is_losing(&self, forge: Forge) -> bool {
        let after = self.mishaps().get(&forge).and_then(|mishaps| mishaps.losing_after);
        after.is_some_and(|sent| sent == self.world.on(forge).hooks().sent)
    }

    /// The forge answers 500 for [`OUTAGE`].
    pub(crate) fn begin_outage(&self, forge: Forge) {
        let until = self.clock.now() + OUTAGE;
        if self.mishaps().entry(forge).or_default().outage_until.replace(until).is_none() {
            self.world.on(forge).begin_outage();
        }
    }

    /// Whether the forge answers 500 now.
    pub(crate) fn is_out(&self, forge: Forge) -> bool {
        self.mishaps().get(&forge).is_some_and(|mishaps| mishaps.outage_until.is_some())
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
        for forge in Forge::ALL {
            self.world.on(forge).finish_jobs(JOB_TAKES, now);
            if self.outage_is_over(forge, now) {
                let losing = self.is_losing(forge);
                self.world.on(forge).end_trouble();
                if losing {
                    self.world.on(forge).lose_next_hook();
                }
            }
        }
    }

    fn outage_is_over(&self, forge: Forge, now: Timestamp) -> bool {
        let mut mishaps = self.mishaps();
        let until = mishaps.get_mut(&forge).map(|mishaps| &mut mishaps.outage_until);
        until.is_some_and(|until| until.take_if(|until| *until <= now).is_some())
    }

    fn mishaps(&self) -> MutexGuard<'_, BTreeMap<Forge, Mishaps>> {
        self.mishaps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
