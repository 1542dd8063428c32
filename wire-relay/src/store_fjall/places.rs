//! What is asked of places, inside a group.

use wire_core::mailbox::{EnvelopeHash, Outcome, Slot, TokenHash};
use wire_core::pairing::Rendezvous;
use wire_core::time::Timestamp;

use super::Fault;
use super::records::PlaceRecord;
use super::tables::slot_key;
use super::transaction::{Table, Transaction};
use crate::WakeKey;

impl Transaction<'_> {
    pub(super) fn open_place(
        &mut self,
        candidates: Vec<Rendezvous>,
        token: TokenHash,
        until: Timestamp,
        linger: Option<u64>,
        quarantine: u64,
        now: Timestamp,
    ) -> Result<Outcome, Fault> {
        for place in candidates {
            match self.place(&place)? {
                // An invite keeps its name, so its maker may ask twice.
                Some(record) if record.lives(now) && linger.is_none() && record.allocator == token => {
                    return Ok(Outcome::Opened { place, until: record.until });
                }
                Some(record) if now < record.free_at() => {}
                over => {
                    if let Some(mut over) = over {
                        self.strip(&place, &mut over);
                    }
                    self.set_place(place.clone(), Some(PlaceRecord::new(token, until, linger, quarantine)));
                    self.must_be_durable();
                    return Ok(Outcome::Opened { place, until });
                }
            }
        }
        Ok(Outcome::Taken)
    }

    pub(super) fn claim_place(
        &mut self,
        place: Rendezvous,
        token: TokenHash,
        lapse: u64,
        now: Timestamp,
    ) -> Result<Outcome, Fault> {
        let Some(before) = self.place(&place)? else {
            return Ok(Outcome::Absent);
        };
        let mut record = before.clone();
        let outcome = record.claim(token, lapse, now);
        if record != before {
            // Whoever waits at the place has to hear that somebody else tried it.
            self.wake.insert(WakeKey::Place(place.clone()));
            self.set_place(place, Some(record));
            self.must_be_durable();
        }
        Ok(outcome)
    }

    pub(super) fn put_slot(
        &mut self,
        place: Rendezvous,
        token: TokenHash,
        slot: Slot,
        bytes: Vec<u8>,
        now: Timestamp,
    ) -> Result<Outcome, Fault> {
        let Some(mut record) = self.place(&place)? else {
            return Ok(Outcome::Absent);
        };
        let (outcome, write) = record.put(&token, slot, EnvelopeHash::of(&bytes), now);
        if write {
            self.put(Table::State, &slot_key(&place, slot), bytes);
            self.wake.insert(WakeKey::Place(place.clone()));
            self.set_place(place, Some(record));
            self.must_be_durable();
        }
        Ok(outcome)
    }

    pub(super) fn close_place(
        &mut self,
        place: Rendezvous,
        token: TokenHash,
        now: Timestamp,
    ) -> Result<Outcome, Fault> {
        let Some(mut record) = self.place(&place)? else {
            return Ok(Outcome::Absent);
        };
        if !record.close(&token, now) {
            return Ok(Outcome::Absent);
        }
        self.strip(&place, &mut record);
        self.wake.insert(WakeKey::Place(place.clone()));
        self.set_place(place, Some(record));
        self.must_be_durable();
        Ok(Outcome::Written)
    }

    /// Erases what is in the slots; says whether there was something.
    pub(super) fn strip(&mut self, place: &Rendezvous, record: &mut PlaceRecord) -> bool {
        let written: Vec<Slot> =
            Slot::ALL.into_iter().filter(|slot| record.written(*slot).is_some()).collect();
        record.forget_slots();
        for slot in &written {
            self.remove(Table::State, &slot_key(place, *slot));
        }
        !written.is_empty()
    }
}
