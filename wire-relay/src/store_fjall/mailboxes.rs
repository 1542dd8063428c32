//! What is asked of mailboxes, inside a group.

use wire_core::mailbox::{Cursor, Entitled, EnvelopeHash, Guard, Incarnation, MailboxId, Outcome, Verdict};
use wire_core::time::Timestamp;

use super::Fault;
use super::records::{MailboxRecord, RowRecord};
use super::tables::{envelope_key, row_key, seen_key};
use super::transaction::{Table, Transaction};
use crate::WakeKey;

impl Transaction<'_> {
    pub(super) fn create(
        &mut self,
        id: MailboxId,
        min_epoch: u32,
        incarnation: Incarnation,
        entitled: &Entitled,
        now: Timestamp,
    ) -> Result<Outcome, Fault> {
        match self.mailbox(&id)? {
            Some(record) if record.deleted_at.is_some() => return Ok(Outcome::Absent),
            Some(_) => return self.raise_epoch(id, min_epoch),
            None => {}
        }
        let may = match entitled {
            Entitled::Yes => true,
            Entitled::No => false,
            Entitled::ByPlace(place, token) => match self.place(place)? {
                Some(mut record) => {
                    let granted = record.grant(token, id, now);
                    if granted {
                        self.set_place(place.clone(), Some(record));
                    }
                    granted
                }
                None => false,
            },
        };
        if !may {
            return Ok(Outcome::NotEntitled);
        }
        self.set_mailbox(id, Some(MailboxRecord::new(incarnation, min_epoch, now)));
        self.must_be_durable();
        Ok(Outcome::Done(incarnation))
    }

    pub(super) fn append(
        &mut self,
        id: MailboxId,
        guard: Guard,
        envelopes: Vec<(EnvelopeHash, Vec<u8>)>,
        until: Timestamp,
    ) -> Result<Outcome, Fault> {
        let Some(mut record) = self.live_mailbox(&id)? else {
            return Ok(Outcome::Absent);
        };
        if guard.epoch < record.epoch {
            return Ok(Outcome::OldEpoch);
        }
        let incarnation = record.incarnation;
        let before = record.head;
        let mut verdicts = Vec::with_capacity(envelopes.len());
        let mut full = false;
        for (hash, envelope) in envelopes {
            let known = self.seen(&id, &hash)?;
            // What expired unread is not known any more: its sender posts it again on purpose.
            let verdict = match known.filter(|seq| *seq <= record.acked || *seq > record.base) {
                Some(seq) if seq <= record.acked => Verdict::AckedBefore,
                Some(_) => Verdict::Same,
                None if full || !fits(&record, guard, envelope.len() as u64) => {
                    full = true;
                    Verdict::Quota
                }
                None => {
                    record.head += 1;
                    record.bytes_head += envelope.len() as u64;
                    let row = RowRecord { bytes: record.bytes_head, until, hash };
                    self.put(Table::State, &row_key(&id, record.head), row.to_bytes());
                    self.put(Table::Env, &envelope_key(&id, record.head), envelope);
                    let seq = record.head.to_be_bytes().to_vec();
                    self.put(Table::State, &seen_key(&id, &hash), seq);
                    Verdict::Stored
                }
            };
            verdicts.push(verdict);
        }
        if record.head > before {
            self.set_mailbox(id, Some(record));
            self.must_be_durable();
            self.wake.insert(WakeKey::Mailbox(id));
        }
        Ok(Outcome::Appended { incarnation, verdicts })
    }

    pub(super) fn ack(
        &mut self,
        id: MailboxId,
        at: Cursor,
        hash: EnvelopeHash,
        now: Timestamp,
    ) -> Result<Outcome, Fault> {
        let Some(mut record) = self.live_mailbox(&id)? else {
            return Ok(Outcome::Absent);
        };
        let incarnation = record.incarnation;
        let stale = Outcome::Stale { incarnation, first: record.base + 1, head: record.head };
        if at.incarnation != incarnation || at.seq > record.head {
            return Ok(stale);
        }
        if at.seq <= record.acked {
            return Ok(Outcome::Done(incarnation));
        }
        if at.seq > record.base {
            match self.row(&id, at.seq)? {
                Some(row) if row.hash == hash => record.advance(at.seq, row.bytes, now),
                _ => return Ok(stale),
            }
        }
        record.acked = at.seq;
        self.set_mailbox(id, Some(record));
        self.must_be_durable();
        self.garbage.insert(id);
        self.wake.insert(WakeKey::Mailbox(id));
        Ok(Outcome::Done(incarnation))
    }

    pub(super) fn raise_epoch(&mut self, id: MailboxId, min_epoch: u32) -> Result<Outcome, Fault> {
        let Some(mut record) = self.live_mailbox(&id)? else {
            return Ok(Outcome::Absent);
        };
        if min_epoch > record.epoch {
            record.epoch = min_epoch;
            self.set_mailbox(id, Some(record));
            self.must_be_durable();
            self.wake.insert(WakeKey::Mailbox(id));
        }
        Ok(Outcome::Done(record.incarnation))
    }

    pub(super) fn delete(&mut self, id: MailboxId, now: Timestamp) -> Result<Outcome, Fault> {
        let Some(mut record) = self.mailbox(&id)? else {
            return Ok(Outcome::Absent);
        };
        if record.deleted_at.is_none() {
            record.deleted_at = Some(now);
            self.set_mailbox(id, Some(record));
            self.must_be_durable();
            self.garbage.insert(id);
            self.wake.insert(WakeKey::Mailbox(id));
        }
        Ok(Outcome::Done(record.incarnation))
    }
}

fn fits(record: &MailboxRecord, guard: Guard, size: u64) -> bool {
    record.pending() < u64::from(guard.max_pending)
        && record.pending_bytes().saturating_add(size) <= guard.max_bytes
}
