//! Audit: the whole ledger, walked chain by chain.

use crate::domain::id::DeploymentId;
use crate::domain::ledger::{self, Broken, Sealed};
use crate::ports::store::{Store, StoreError};

/// Entries that are read at once.
const AT_ONCE: u32 = 2000;

/// What a walk over the ledger found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// How many deployments have a chain.
    pub deployments: u64,
    /// How many entries these have.
    pub entries: u64,
    /// Everything that isn't as it was written, in the order of the walk.
    pub broken: Vec<Broken>,
}

/// The chains of a ledger, one after the other.
pub struct Walk<'a> {
    store: &'a dyn Store,
    read: std::vec::IntoIter<(DeploymentId, Sealed)>,
    /// The last entry that was read.
    last: Option<(DeploymentId, i64)>,
}

impl<'a> Walk<'a> {
    /// Begins at the first chain.
    pub fn new(store: &'a dyn Store) -> Self {
        Self { store, read: Vec::new().into_iter(), last: None }
    }

    /// The next deployment with its chain, oldest entry first; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<(DeploymentId, Vec<Sealed>)>, StoreError> {
        self.read_on().await?;
        let Some((id, opening)) = self.read.next() else { return Ok(None) };
        let mut chain = vec![opening];
        loop {
            self.read_on().await?;
            if self.read.as_slice().first().is_none_or(|(next, _)| *next != id) {
                return Ok(Some((id, chain)));
            }
            chain.extend(self.read.next().map(|(_, entry)| entry));
        }
    }

    /// Sees to it that the next entry is at hand, if there is one.
    async fn read_on(&mut self) -> Result<(), StoreError> {
        if self.read.as_slice().is_empty() {
            let after = self.last.as_ref().map(|(id, seq)| (id, *seq));
            let read = self.store.ledger_after(after, AT_ONCE).await?;
            if let Some((id, entry)) = read.last() {
                self.last = Some((id.clone(), entry.seq));
            }
            self.read = read.into_iter();
        }
        Ok(())
    }
}

/// Checks every entry of every chain. A break doesn't end the walk.
pub async fn verify(store: &dyn Store) -> Result<Audit, StoreError> {
    let (mut audit, mut walk) = (Audit::default(), Walk::new(store));
    while let Some((deployment, chain)) = walk.next().await? {
        audit.deployments += 1;
        audit.entries += chain.len() as u64;
        audit.broken.extend(breaks(&deployment, &chain));
    }
    Ok(audit)
}

/// What is wrong with one chain. Behind a break it goes on with what is stored.
fn breaks<'a>(deployment: &'a DeploymentId, chain: &'a [Sealed]) -> impl Iterator<Item = Broken> + 'a {
    let before = std::iter::once(None).chain(chain.iter().map(Some));
    before.zip(chain).filter_map(move |(previous, entry)| {
        let sound = ledger::verify(deployment, previous, entry);
        sound.and_then(|()| ledger::open(deployment, entry).map(drop)).err()
    })
}
