//! What the relay asks of a store.

use std::future::Future;
use std::sync::Arc;

use futures_core::Stream;
use wire_core::mailbox::{MailboxId, Op, Outcome, ReadSpec, Refusal};
use wire_core::pairing::{Nameplate, Rendezvous};
use wire_core::time::Timestamp;

/// Where envelopes and rendezvous slots are kept.
///
/// Atomic is what one [`Op`] says of one mailbox or place: guard against epoch and quota, dedupe,
/// number, insert; check an acknowledged hash and advance; make if absent; delete. Nothing is atomic
/// across mailboxes.
pub trait Store: Send + Sync + 'static {
    /// Makes a change. `Ok` means that it is durable. Dropping the future cancels nothing that has
    /// begun.
    fn apply(&self, op: Op) -> impl Future<Output = Result<Outcome, StoreError>> + Send;

    /// Reads what is durable.
    fn read(&self, spec: ReadSpec) -> impl Future<Output = Result<Outcome, StoreError>> + Send;

    /// Tells when one of `keys` may have changed. It may tell so without a change, but misses none
    /// that becomes readable after this call: register, read, wait.
    fn watch(&self, keys: Vec<WakeKey>) -> impl Stream<Item = WakeKey> + Send + 'static;

    /// Removes at most about `max` rows that are acknowledged, expired or deleted, and says how many.
    fn sweep(&self, now: Timestamp, max: u32) -> impl Future<Output = Result<u32, StoreError>> + Send;

    /// Nameplates that may not be given out before the given time; asked once, when a relay opens.
    fn occupied(&self) -> Result<Vec<(Nameplate, Timestamp)>, StoreError>;

    /// How the store is at this moment; cheap.
    fn facts(&self) -> Facts;
}

/// Services that share a store: what one makes durable holds for the others from their next request on, a raised epoch
/// among it, and wakes who waits at them.
impl<S: Store> Store for Arc<S> {
    fn apply(&self, op: Op) -> impl Future<Output = Result<Outcome, StoreError>> + Send {
        S::apply(self, op)
    }

    fn read(&self, spec: ReadSpec) -> impl Future<Output = Result<Outcome, StoreError>> + Send {
        S::read(self, spec)
    }

    fn watch(&self, keys: Vec<WakeKey>) -> impl Stream<Item = WakeKey> + Send + 'static {
        S::watch(self, keys)
    }

    fn sweep(&self, now: Timestamp, max: u32) -> impl Future<Output = Result<u32, StoreError>> + Send {
        S::sweep(self, now, max)
    }

    fn occupied(&self) -> Result<Vec<(Nameplate, Timestamp)>, StoreError> {
        S::occupied(self)
    }

    fn facts(&self) -> Facts {
        S::facts(self)
    }
}

/// What can change under a reader.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WakeKey {
    /// A mailbox: posted to, acknowledged, deleted, its epoch raised.
    Mailbox(MailboxId),
    /// A place: a slot was written.
    Place(Rendezvous),
}

impl From<&ReadSpec> for WakeKey {
    fn from(spec: &ReadSpec) -> Self {
        match spec {
            ReadSpec::Mailbox { mailbox, .. } => Self::Mailbox(*mailbox),
            ReadSpec::Slot { place, .. } => Self::Place(place.clone()),
        }
    }
}

/// How a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// It takes changes.
    pub ready: bool,
    /// Why it takes nothing more until it is opened again, once that may help: not while its disk is
    /// full. A relay whose store says so ends.
    pub ended: Option<StoreError>,
}

/// A store that did not do what it was asked. Nothing is acknowledged then; whether it was done is
/// not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no room on the disk. The store takes nothing more until it is opened again, which helps
    /// once there is room.
    #[error("the disk is full")]
    Full,
    /// Too much is asked of it at this moment.
    #[error("the store is busy")]
    Busy,
    /// It failed. It takes nothing more until it is opened again.
    #[error("the store failed")]
    Failed,
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Full,
            StoreError::Busy => Self::Unavailable { retry_after: 1 },
            StoreError::Failed => Self::Unavailable { retry_after: 10 },
        }
    }
}
