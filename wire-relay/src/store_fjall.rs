//! The store of one relay on one machine: fjall, an embedded log-structured engine.
//!
//! 1. A change goes to the committer, the one thread that writes; it answers after the fsync that
//!    the change shares with all others of that moment.
//! 2. A read takes a snapshot of what is durable, on a thread that may block.
//! 3. [`Store::sweep`] removes what nobody needs any more, through the committer.

mod collect;
mod committer;
mod mailboxes;
mod opening;
mod places;
mod read;
mod records;
mod room;
mod scan;
mod tables;
mod transaction;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use futures_core::Stream;
use wire_core::encoding::Malformed;
use wire_core::mailbox::{Op, Outcome, ReadSpec};
use wire_core::pairing::Nameplate;
use wire_core::time::Timestamp;

use self::collect::Collect;
use self::committer::{Committer, Done, Work};
use self::room::Room;
use self::scan::Scan;
use self::tables::Tables;
use crate::watch::Hub;
use crate::{Facts, OpenError, Store, StoreError, WakeKey};

/// Mailboxes looked at in one sweep.
const SWEEP_MAILBOXES: usize = 1024;

/// Envelopes and slots in a directory.
#[derive(Debug)]
pub struct FjallStore {
    // Before the tables, so that the thread ends before they are closed.
    committer: Committer,
    tables: Tables,
    hub: Hub,
    scan: Mutex<Scan>,
    tombstone: u64,
    room: Room,
    /// The disk was full, and is not any more.
    room_again: AtomicBool,
}

impl FjallStore {
    /// Opens the store in `path`, or makes one. Acknowledged envelopes and deleted mailboxes are
    /// known again for `tombstone` milliseconds. Where the end of a journal cannot be read, what is
    /// there is kept, every mailbox gets a new incarnation, and the log has a warning.
    pub fn open(path: &Path, tombstone: u64) -> Result<Self, OpenError> {
        Self::open_with(path, tombstone, Room::of(path))
    }

    fn open_with(path: &Path, tombstone: u64, room: Room) -> Result<Self, OpenError> {
        let tables = Tables::open(path)?;
        let hub = Hub::default();
        let committer = Committer::start(tables.clone(), hub.clone(), room.clone())
            .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        let room_again = AtomicBool::new(false);
        Ok(Self { committer, tables, hub, scan: Mutex::default(), tombstone, room, room_again })
    }
}

impl Store for FjallStore {
    async fn apply(&self, op: Op) -> Result<Outcome, StoreError> {
        match self.committer.run(Work::Op(op)).await? {
            Done::Outcome(outcome) => Ok(outcome),
            Done::Removed(_) => Err(StoreError::Failed),
        }
    }

    async fn read(&self, spec: ReadSpec) -> Result<Outcome, StoreError> {
        let tables = self.tables.clone();
        blocking(move || tables.read(&spec)).await
    }

    fn watch(&self, keys: Vec<WakeKey>) -> impl Stream<Item = WakeKey> + Send + 'static {
        self.hub.watch(keys)
    }

    async fn sweep(&self, now: Timestamp, max: u32) -> Result<u32, StoreError> {
        if let Some(error) = self.committer.failed() {
            let room = self.room.clone();
            if error == StoreError::Full && blocking(move || Ok(room.is_there())).await? {
                self.room_again.store(true, Ordering::Relaxed);
            }
            return Err(error);
        }
        let mut mailboxes = self.committer.garbage(SWEEP_MAILBOXES);
        let (tables, tombstone) = (self.tables.clone(), self.tombstone);
        let mut scan = std::mem::take(&mut *self.scan.lock().unwrap_or_else(PoisonError::into_inner));
        let (scan, found) = blocking(move || {
            let found = scan.step(&tables, now, tombstone)?;
            Ok((scan, found))
        })
        .await?;
        *self.scan.lock().unwrap_or_else(PoisonError::into_inner) = scan;
        mailboxes.extend(found.mailboxes);
        if mailboxes.is_empty() && found.places.is_empty() {
            return Ok(0);
        }
        let work = Collect { mailboxes, places: found.places, now, max, tombstone };
        match self.committer.run(Work::Collect(work)).await? {
            Done::Removed(n) => Ok(n),
            Done::Outcome(_) => Err(StoreError::Failed),
        }
    }

    fn occupied(&self) -> Result<Vec<(Nameplate, Timestamp)>, StoreError> {
        self.tables.occupied().map_err(|fault| StoreError::from(&fault))
    }

    fn facts(&self) -> Facts {
        let failed = self.committer.failed();
        let waits = failed == Some(StoreError::Full) && !self.room_again.load(Ordering::Relaxed);
        Facts { ready: failed.is_none(), ended: failed.filter(|_| !waits) }
    }
}

/// What went wrong below.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Engine(#[from] fjall::Error),
    #[error("a record is damaged")]
    Damaged,
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        Self::Damaged
    }
}

impl From<&Fault> for StoreError {
    fn from(fault: &Fault) -> Self {
        let io = match fault {
            Fault::Engine(fjall::Error::Io(io)) => Some(io),
            Fault::Engine(fjall::Error::Storage(fjall::LsmError::Io(io))) => Some(io),
            Fault::Engine(_) | Fault::Damaged => None,
        };
        if io.is_some_and(|io| room::is_full(io.kind())) { Self::Full } else { Self::Failed }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(fault)) => {
            tracing::error!(%fault, "a read failed");
            Err(StoreError::from(&fault))
        }
        Err(_) => Err(StoreError::Failed),
    }
}

#[cfg(test)]
mod tests;
