//! What all share: the world, the book, and what is about to go wrong.

use super::book::Book;
use super::plan::{Call, Mishap};
use super::world::World;
use countersign::ports::failure::{Failure, Refusal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

#[derive(Clone)]
pub(super) struct Scene(Arc<(Mutex<Stage>, Notify)>);

pub(super) struct Stage {
    pub(super) world: World,
    pub(super) book: Book,
    pub(super) mishaps: Vec<(Call, Mishap, u8)>,
    /// So many writes fail; whether they are written all the same.
    pub(super) store_fails: (u8, bool),
    /// The process dies in so many moments.
    pub(super) crash: Option<u16>,
}

impl Scene {
    pub(super) fn new(world: World) -> Self {
        let (book, mishaps) = (Book::default(), Vec::new());
        let stage = Stage { world, book, mishaps, store_fails: (0, false), crash: None };
        Self(Arc::new((Mutex::new(stage), Notify::new())))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A moment at which the process may die: then nothing after it ever happens.
    pub(super) async fn moment(&self) {
        let dies = {
            let mut stage = self.lock();
            stage.crash = stage.crash.map(|left| left.saturating_sub(1));
            let dies = stage.crash == Some(0);
            if dies {
                stage.crash = None;
                stage.book.note("  the process dies");
            }
            dies
        };
        if dies {
            self.0.1.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the process has died.
    pub(super) async fn died(&self) {
        self.0.1.notified().await;
    }

    /// A call to the forge: it may go wrong, and the process may die before it or after it.
    pub(super) async fn call<T>(
        &self,
        call: Call,
        act: impl FnOnce(&mut Stage) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        tokio::task::yield_now().await;
        self.moment().await;
        let outcome = {
            let mut stage = self.lock();
            match stage.next_mishap(call) {
                None => act(&mut stage),
                Some(mishap) => stage.go_wrong((call, mishap), act),
            }
        };
        self.moment().await;
        outcome
    }
}

impl Stage {
    fn next_mishap(&mut self, call: Call) -> Option<Mishap> {
        let reads = |at: Call| at == Call::Read && call == Call::Person;
        let index = self.mishaps.iter().position(|(at, ..)| *at == call || reads(*at))?;
        let (_, mishap, left) = &mut self.mishaps[index];
        let mishap = *mishap;
        *left -= 1;
        if *left == 0 {
            self.mishaps.remove(index);
        }
        Some(mishap)
    }

    fn go_wrong<T>(
        &mut self,
        (call, mishap): (Call, Mishap),
        act: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let what = format!("{mishap:?} at {call:?}");
        self.book.note(&format!("  {what}"));
        let unavailable = |retry_after| Failure::Unavailable { what: what.clone(), retry_after };
        let reads = matches!(call, Call::Read | Call::Person);
        match mishap {
            Mishap::Unavailable => Err(unavailable(None)),
            Mishap::LostBefore if reads => Err(unavailable(None)),
            Mishap::LostBefore => Err(Failure::UnknownOutcome { what }),
            Mishap::LostAfter => act(self).and_then(|_| Err(Failure::UnknownOutcome { what })),
            Mishap::Limited => {
                let wait = Duration::from_secs(30);
                self.book.limited(self.world.clock.time(), wait);
                Err(unavailable(Some(wait)))
            }
            Mishap::Refused => {
                self.book.refused(call);
                Err(Failure::Refused(Refusal::NoPermission))
            }
            Mishap::Unreadable => Err(Failure::Unreadable(what)),
        }
    }
}
