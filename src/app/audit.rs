//! Audit: the whole ledger, walked chain by chain.

use crate::domain::id::DeploymentId;
use crate::domain::ledger::{self, Broken, Sealed};
use crate::ports::store::{Store, StoreError};

/// Chains that are listed at once.
const AT_ONCE: u32 = 500;

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
    listed: std::vec::IntoIter<DeploymentId>,
    last: Option<DeploymentId>,
}

impl<'a> Walk<'a> {
    /// Begins at the first chain.
    pub fn new(store: &'a dyn Store) -> Self {
        Self { store, listed: Vec::new().into_iter(), last: None }
    }

    /// The next deployment with its chain, oldest entry first; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<(DeploymentId, Vec<Sealed>)>, StoreError> {
        if self.listed.as_slice().is_empty() {
            self.listed = self.store.ledger_ids(self.last.as_ref(), AT_ONCE).await?.into_iter();
        }
        let Some(id) = self.listed.next() else { return Ok(None) };
        self.last = Some(id.clone());
        let chain = self.store.ledger(&id).await?;
        Ok(Some((id, chain)))
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
