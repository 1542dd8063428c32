//! Going round all records, a stretch at a time, to find what there is to sweep.
//!
//! What an acknowledgement leaves is found at once, by the list that the committer keeps; this
//! finds what a restart made it forget, and what only time makes garbage.

use std::ops::Bound;

use fjall::Keyspace;
use wire_core::mailbox::MailboxId;
use wire_core::pairing::{Nameplate, Rendezvous};
use wire_core::time::Timestamp;

use super::Fault;
use super::records::{MailboxRecord, PlaceRecord, RowRecord};
use super::tables::{MAILBOXES, MAILBOXES_END, PLACES, PLACES_END, Tables, mailbox_of, place_of, row_key};

/// Records of each kind in one stretch.
const STRETCH: usize = 2000;

/// Where the round is: the last key that was looked at.
#[derive(Debug, Default)]
pub(super) struct Scan {
    mailbox: Vec<u8>,
    place: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Found {
    pub(super) mailboxes: Vec<MailboxId>,
    pub(super) places: Vec<Rendezvous>,
}

impl Scan {
    pub(super) fn step(&mut self, tables: &Tables, now: Timestamp, tombstone: u64) -> Result<Found, Fault> {
        let mut found = Found { mailboxes: Vec::new(), places: Vec::new() };
        for (key, value) in stretch(&tables.state, &mut self.mailbox, &MAILBOXES, &MAILBOXES_END)? {
            let id = mailbox_of(&key)?;
            if tables.is_due(&id, &MailboxRecord::from_bytes(&value)?, now, tombstone)? {
                found.mailboxes.push(id);
            }
        }
        for (key, value) in stretch(&tables.state, &mut self.place, &PLACES, &PLACES_END)? {
            if !PlaceRecord::from_bytes(&value)?.lives(now) {
                found.places.push(place_of(&key)?);
            }
        }
        Ok(found)
    }
}

impl Tables {
    fn is_due(
        &self,
        id: &MailboxId,
        record: &MailboxRecord,
        now: Timestamp,
        tombstone: u64,
    ) -> Result<bool, Fault> {
        if record.deleted_at.is_some() || record.swept < record.base {
            return Ok(true);
        }
        if record.mark > record.forgotten && now.since(record.marked_at) >= tombstone {
            return Ok(true);
        }
        if record.base == record.head {
            return Ok(false);
        }
        let oldest = self.state.get(row_key(id, record.base + 1))?;
        let oldest = oldest.map(|bytes| RowRecord::from_bytes(&bytes)).transpose()?;
        Ok(oldest.is_some_and(|row| row.until <= now))
    }

    /// Nameplates that may not be given out before the given time.
    pub(super) fn occupied(&self) -> Result<Vec<(Nameplate, Timestamp)>, Fault> {
        let mut occupied = Vec::new();
        for row in self.state.prefix(PLACES) {
            let (key, value) = row.into_inner()?;
            if let Rendezvous::Nameplate(nameplate) = place_of(&key)? {
                occupied.push((nameplate, PlaceRecord::from_bytes(&value)?.free_at()));
            }
        }
        Ok(occupied)
    }
}

type Rows = Vec<(fjall::UserKey, fjall::UserValue)>;

/// The next rows after `last`, from `begin` and below `end`; begins anew after the last of them.
fn stretch(keyspace: &Keyspace, last: &mut Vec<u8>, begin: &[u8], end: &[u8]) -> Result<Rows, Fault> {
    let from = (Bound::Excluded(begin.max(last.as_slice())), Bound::Excluded(end));
    let mut rows = Vec::new();
    for row in keyspace.range::<&[u8], _>(from).take(STRETCH) {
        rows.push(row.into_inner()?);
    }
    *last = match rows.last() {
        Some((key, _)) if rows.len() == STRETCH => key.to_vec(),
        _ => Vec::new(),
    };
    Ok(rows)
}
