//! One group of operations that becomes durable together.
//!
//! 1. Each operation sees the effects of those before it: what they changed is looked up here first,
//!    then in the tables.
//! 2. [`Transaction::commit`] writes everything in one atomic batch, each key once, with at most one
//!    fsync.
//! 3. Only after it the outcomes may be told and the readers woken.

use std::collections::{BTreeMap, BTreeSet};

use fjall::{Keyspace, PersistMode};
use wire_core::mailbox::{EnvelopeHash, MailboxId, Op, Outcome};
use wire_core::pairing::Rendezvous;

use super::Fault;
use super::records::{MailboxRecord, PlaceRecord, RowRecord};
use super::tables::{Tables, mailbox_key, place_key, row_key, seen_key, seq_of};
use crate::WakeKey;

pub(super) struct Transaction<'a> {
    pub(super) tables: &'a Tables,
    /// Values to write, or none to remove.
    writes: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
    mailboxes: BTreeMap<MailboxId, Cached<MailboxRecord>>,
    places: BTreeMap<Rendezvous, Cached<PlaceRecord>>,
    pub(super) wake: BTreeSet<WakeKey>,
    /// Mailboxes that have something to sweep.
    pub(super) garbage: BTreeSet<MailboxId>,
    /// Somebody waits for what is written here.
    durable: bool,
}

/// Tables that are written here without a record of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    /// What is known of envelopes, and the bytes of slots.
    State,
    /// Envelopes.
    Env,
}

struct Cached<T> {
    record: Option<T>,
    dirty: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(tables: &'a Tables) -> Self {
        Self {
            tables,
            writes: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            places: BTreeMap::new(),
            wake: BTreeSet::new(),
            garbage: BTreeSet::new(),
            durable: false,
        }
    }

    pub(super) fn execute(&mut self, op: Op) -> Result<Outcome, Fault> {
        match op {
            Op::Create { mailbox, min_epoch, incarnation, entitled, now } => {
                self.create(mailbox, min_epoch, incarnation, &entitled, now)
            }
            Op::Append { mailbox, guard, envelopes, until } => self.append(mailbox, guard, envelopes, until),
            Op::Ack { mailbox, at, hash, now } => self.ack(mailbox, at, hash, now),
            Op::Epoch { mailbox, min_epoch } => self.raise_epoch(mailbox, min_epoch),
            Op::Delete { mailbox, now } => self.delete(mailbox, now),
            Op::SlotOpen { candidates, token, until, linger, quarantine, now } => {
                self.open_place(candidates, token, until, linger, quarantine, now)
            }
            Op::SlotClaim { place, token, lapse, now } => self.claim_place(place, token, lapse, now),
            Op::SlotPut { place, token, slot, bytes, now } => self.put_slot(place, token, slot, bytes, now),
            Op::SlotClose { place, token, now } => self.close_place(place, token, now),
        }
    }

    pub(super) fn commit(self) -> Result<(BTreeSet<WakeKey>, BTreeSet<MailboxId>), fjall::Error> {
        let Tables { state, .. } = self.tables;
        let mut batch = self.tables.db.batch();
        for ((table, key), value) in self.writes {
            match value {
                Some(value) => batch.insert(self.tables.of(table), key, value),
                None => batch.remove(self.tables.of(table), key),
            }
        }
        for (mailbox, cached) in self.mailboxes.iter().filter(|(_, c)| c.dirty) {
            match &cached.record {
                Some(record) => batch.insert(state, mailbox_key(mailbox), record.to_bytes()),
                None => batch.remove(state, mailbox_key(mailbox)),
            }
        }
        for (place, cached) in self.places.iter().filter(|(_, c)| c.dirty) {
            match &cached.record {
                Some(record) => batch.insert(state, place_key(place), record.to_bytes()),
                None => batch.remove(state, place_key(place)),
            }
        }
        let mode = if self.durable { PersistMode::SyncData } else { PersistMode::Buffer };
        batch.durability(Some(mode)).commit()?;
        Ok((self.wake, self.garbage))
    }

    /// What was written since must be on disk before anybody hears of it.
    pub(super) fn must_be_durable(&mut self) {
        self.durable = true;
    }

    pub(super) fn mailbox(&mut self, id: &MailboxId) -> Result<Option<MailboxRecord>, Fault> {
        if let Some(cached) = self.mailboxes.get(id) {
            return Ok(cached.record);
        }
        let found = self.tables.state.get(mailbox_key(id))?;
        let record = found.map(|bytes| MailboxRecord::from_bytes(&bytes)).transpose()?;
        self.mailboxes.insert(*id, Cached { record, dirty: false });
        Ok(record)
    }

    /// A mailbox that was not deleted.
    pub(super) fn live_mailbox(&mut self, id: &MailboxId) -> Result<Option<MailboxRecord>, Fault> {
        Ok(self.mailbox(id)?.filter(|record| record.deleted_at.is_none()))
    }

    pub(super) fn set_mailbox(&mut self, id: MailboxId, record: Option<MailboxRecord>) {
        self.mailboxes.insert(id, Cached { record, dirty: true });
    }

    pub(super) fn place(&mut self, place: &Rendezvous) -> Result<Option<PlaceRecord>, Fault> {
        if let Some(cached) = self.places.get(place) {
            return Ok(cached.record.clone());
        }
        let found = self.tables.state.get(place_key(place))?;
        let record = found.map(|bytes| PlaceRecord::from_bytes(&bytes)).transpose()?;
        self.places.insert(place.clone(), Cached { record: record.clone(), dirty: false });
        Ok(record)
    }

    pub(super) fn set_place(&mut self, place: Rendezvous, record: Option<PlaceRecord>) {
        self.places.insert(place, Cached { record, dirty: true });
    }

    /// The number under which an envelope was stored.
    pub(super) fn seen(&self, mailbox: &MailboxId, hash: &EnvelopeHash) -> Result<Option<u64>, Fault> {
        self.get(&seen_key(mailbox, hash), seq_of)
    }

    pub(super) fn row(&self, mailbox: &MailboxId, seq: u64) -> Result<Option<RowRecord>, Fault> {
        self.get(&row_key(mailbox, seq), RowRecord::from_bytes)
    }

    pub(super) fn put(&mut self, table: Table, key: &[u8], value: Vec<u8>) {
        self.writes.insert((table, key.to_vec()), Some(value));
    }

    pub(super) fn remove(&mut self, table: Table, key: &[u8]) {
        self.writes.insert((table, key.to_vec()), None);
    }

    fn get<T>(&self, key: &[u8], parse: impl FnOnce(&[u8]) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        if let Some(written) = self.writes.get(&(Table::State, key.to_vec())) {
            return written.as_deref().map(parse).transpose();
        }
        self.tables.state.get(key)?.map(|bytes| parse(&bytes)).transpose()
    }
}

impl Tables {
    fn of(&self, table: Table) -> &Keyspace {
        match table {
            Table::State => &self.state,
            Table::Env => &self.env,
        }
    }
}
