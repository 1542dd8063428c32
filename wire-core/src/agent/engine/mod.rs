//! What an agent decides, as synchronous steps inside one transaction of its store.
//!
//! A [`Batch`] is one `BEGIN IMMEDIATE` transaction. It loads each peer it touches once, lets any
//! number of steps change it, seals one acknowledgement for all that they owe it, and writes it back
//! once. A step that fails takes back what it did, in the store and in memory, and nothing else. No step
//! waits for anything and none touches the network; what a step decided is true when the batch has
//! committed, and only then is it told to anyone.

mod acks;
mod arrived;
mod control;
mod inbox;
mod invites;
mod log;
mod moving;
mod outgoing;
mod pairing;
mod peer;
mod query;
mod receive;
mod recovery;
mod relays;
mod replaced;
mod reset;
mod rotation;
mod send;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::{Connection, OptionalExtension as _, params};
use zeroize::Zeroizing;

use super::error::Error;
use super::relay_url::PeerRelayPolicy;
use crate::entropy::os_rng;
use crate::identity::{Identity, IdentityKeyPair, NextKey, StatementChain};
use crate::time::Timestamp;

pub(crate) use inbox::{Handed, InboxItem};
pub(crate) use invites::{InviteRow, InviteStep, SlotRow};
pub(crate) use log::LogFrame;
pub(crate) use moving::NewBox;
pub(crate) use outgoing::{After, Closing, OwnBox, Post, PostTarget};
pub(crate) use pairing::NewPeer;
pub(crate) use peer::{PeerKey, PeerRow, Stage};
pub(crate) use query::{DeliveryRow, PeerView, ResetView};
pub(crate) use receive::Arrival;
pub(crate) use recovery::BackupView;
pub(crate) use relays::KnownRelay;
pub(crate) use send::Outgoing;

/// The agent's own secrets, loaded once per process.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) identity: Identity,
    /// The key before, while a peer has not acknowledged the new one.
    old: Option<IdentityKeyPair>,
    store_key: StoreKey,
    /// Which relays a peer may move to, of those that the owner did not choose; none without one.
    pub(crate) policy: Option<PeerRelayPolicy>,
}

crate::encoding::secret_bytes!(
    /// Keys the list of used codes, so that the list tells a thief nothing.
    StoreKey,
    32
);

impl Engine {
    /// The identity in the store, which has one from its first moment on.
    pub(crate) fn load(conn: &Connection) -> Result<Self, Error> {
        let row = conn
            .query_row("SELECT seed, statements, store_key, old_seed FROM agent", [], |r| {
                Ok((
                    Zeroizing::new(r.get::<_, [u8; 32]>(0)?),
                    r.get::<_, Vec<u8>>(1)?,
                    r.get::<_, [u8; 32]>(2)?,
                    r.get::<_, Option<[u8; 32]>>(3)?.map(Zeroizing::new),
                ))
            })
            .optional()?;
        let (seed, statements, store_key, old) = row.ok_or_else(|| Error::corrupt("it has no identity"))?;
        let chain = StatementChain::verify(&statements).map_err(|_| Error::corrupt("identity"))?;
        let identity = Identity::from_parts(&seed, chain).map_err(|_| Error::corrupt("identity"))?;
        let old = old.map(|seed| IdentityKeyPair::from_seed(&seed));
        Ok(Self { identity, old, store_key: StoreKey::from_bytes(store_key), policy: None })
    }

    /// Makes an identity in a new store, and gives its next key to `keep`, which must have written it to its
    /// file before the transaction commits.
    pub(crate) fn create(
        tx: &Connection,
        now: Timestamp,
        keep: impl FnOnce(&NextKey) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (identity, next) = Identity::generate(&mut os_rng());
        let store_key = StoreKey::random(&mut os_rng());
        keep(&next)?;
        tx.execute(
            "INSERT INTO agent (id, seed, statements, store_key, created) VALUES (1, ?, ?, ?, ?)",
            params![
                identity.key().seed().as_slice(),
                identity.statements().to_bytes(),
                store_key.expose(),
                now.as_millis()
            ],
        )?;
        Ok(())
    }
}

/// One transaction, and the peers that it has touched.
pub(crate) struct Batch<'t> {
    pub(crate) engine: &'t Engine,
    pub(crate) tx: &'t Connection,
    pub(crate) now: Timestamp,
    peers: BTreeMap<PeerKey, PeerRow>,
    /// Peers that the present step touches, as they were before it; none if it was the first.
    before: BTreeMap<PeerKey, Option<PeerRow>>,
    /// Why nothing of this transaction will be committed.
    broken: Option<Error>,
}

impl<'t> Batch<'t> {
    pub(crate) fn new(engine: &'t Engine, tx: &'t Connection, now: Timestamp) -> Self {
        Self { engine, tx, now, peers: BTreeMap::new(), before: BTreeMap::new(), broken: None }
    }

    /// Runs one step: either all of it happens, or none.
    pub(crate) fn step<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if let Some(cause) = &self.broken {
            return Err(cause.again());
        }
        self.before.clear();
        let outcome = self.run("SAVEPOINT step").and_then(|()| f(self)).and_then(|value| {
            self.run("RELEASE step")?;
            Ok(value)
        });
        if let Err(error) = &outcome {
            self.take_back(error);
        }
        outcome
    }

    fn take_back(&mut self, error: &Error) {
        // A full disk makes SQLite end the whole transaction by itself. What came before is gone then,
        // and what came after would be committed statement by statement.
        if self.tx.is_autocommit() || self.tx.execute_batch("ROLLBACK TO step; RELEASE step").is_err() {
            self.broken = Some(error.again());
            return;
        }
        for (key, row) in std::mem::take(&mut self.before) {
            match row {
                Some(row) => self.peers.insert(key, row),
                None => self.peers.remove(&key),
            };
        }
        // What an earlier step did to a peer may have been written by this one, and taken back with it.
        self.peers.values_mut().for_each(PeerRow::write_again);
    }

    /// What follows the last step: acknowledgements that are owed are sealed, changed peers written.
    /// Nothing of the batch may be committed unless this succeeds.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        if let Some(cause) = self.broken.take() {
            return Err(cause);
        }
        let owed: Vec<PeerKey> = self.peers.values().filter(|p| p.heard.is_some()).map(|p| p.key).collect();
        for key in owed {
            self.with_peer(key, Self::seal_owed)?;
        }
        self.flush()?;
        self.forget_old_key()
    }

    /// Whether a step sealed anything. Such a transaction has to be on the disk before others see it.
    pub(crate) fn has_sealed(&self) -> bool {
        self.peers.values().any(|p| p.sealed)
    }

    fn run(&self, sql: &str) -> Result<(), Error> {
        self.tx.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// The peer, loaded at most once.
    pub(crate) fn peer(&mut self, key: PeerKey) -> Result<&PeerRow, Error> {
        match self.peers.entry(key) {
            Entry::Occupied(e) => Ok(e.into_mut()),
            Entry::Vacant(e) => {
                let row = PeerRow::load(self.tx, &self.engine.identity, key)?;
                self.before.entry(key).or_insert(None);
                Ok(e.insert(row))
            }
        }
    }

    /// Lets `f` work on a peer and on the rest of the batch at the same time.
    fn with_peer<T>(
        &mut self,
        key: PeerKey,
        f: impl FnOnce(&mut Self, &mut PeerRow) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.peer(key)?;
        let Some(mut row) = self.peers.remove(&key) else { return Err(Error::corrupt("peer")) };
        self.before.entry(key).or_insert_with(|| Some(row.clone()));
        row.dirty = true;
        let outcome = f(self, &mut row);
        self.peers.insert(key, row);
        outcome
    }

    /// Writes the changed peers, for statements that look at what a [`PeerRow`] holds.
    fn flush(&mut self) -> Result<(), Error> {
        for row in self.peers.values_mut().filter(|row| row.dirty) {
            row.save(self.tx)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
