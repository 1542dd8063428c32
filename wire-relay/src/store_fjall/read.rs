//! Reads, each from one snapshot: a page never mixes two states of a mailbox.

use fjall::Readable as _;
use wire_core::mailbox::{Cursor, MailboxId, Outcome, Page, ReadSpec, Slot, TokenHash};
use wire_core::pairing::Rendezvous;
use wire_core::time::Timestamp;

use super::Fault;
use super::records::{MailboxRecord, PlaceRecord};
use super::tables::{Tables, envelope_key, mailbox_key, place_key, seq_of, slot_key};

impl Tables {
    pub(super) fn read(&self, spec: &ReadSpec) -> Result<Outcome, Fault> {
        match spec {
            ReadSpec::Mailbox { mailbox, after, max_envelopes, max_bytes, now } => {
                self.read_page(mailbox, *after, *max_envelopes, *max_bytes, *now)
            }
            ReadSpec::Slot { place, token, slot, now } => self.read_slot(place, token, *slot, *now),
        }
    }

    fn read_page(
        &self,
        mailbox: &MailboxId,
        after: Option<Cursor>,
        max_envelopes: usize,
        max_bytes: usize,
        now: Timestamp,
    ) -> Result<Outcome, Fault> {
        let snapshot = self.db.snapshot();
        let Some(record) = snapshot.get(&self.state, mailbox_key(mailbox))? else {
            return Ok(Outcome::Absent);
        };
        let record = MailboxRecord::from_bytes(&record)?;
        if record.deleted_at.is_some() {
            return Ok(Outcome::Absent);
        }
        let known = after.filter(|cursor| cursor.incarnation == record.incarnation);
        let from = known.map_or(record.base, |cursor| cursor.seq.max(record.base));
        let mut envelopes = Vec::new();
        // Most polls find nothing, and then nothing is opened to find it.
        if from < record.head && max_envelopes > 0 {
            let mut bytes = 0;
            let range = envelope_key(mailbox, from.saturating_add(1))..=envelope_key(mailbox, record.head);
            for row in snapshot.range(&self.env, range) {
                let (key, envelope) = row.into_inner()?;
                bytes += envelope.len();
                if !envelopes.is_empty() && bytes > max_bytes {
                    break;
                }
                envelopes.push((seq_of(&key)?, envelope.to_vec()));
                if envelopes.len() >= max_envelopes {
                    break;
                }
            }
        }
        let page = Page {
            time: now,
            incarnation: record.incarnation,
            acked: record.acked,
            head: record.head,
            envelopes,
        };
        Ok(Outcome::Page { page, epoch: record.epoch })
    }

    fn read_slot(
        &self,
        place: &Rendezvous,
        token: &TokenHash,
        slot: Slot,
        now: Timestamp,
    ) -> Result<Outcome, Fault> {
        let snapshot = self.db.snapshot();
        let Some(record) = snapshot.get(&self.state, place_key(place))? else {
            return Ok(Outcome::Absent);
        };
        let record = PlaceRecord::from_bytes(&record)?;
        if !record.may_read(token, now) {
            return Ok(Outcome::Absent);
        }
        let bytes = snapshot.get(&self.state, slot_key(place, slot))?.map(|bytes| bytes.to_vec());
        Ok(Outcome::Slot { bytes, contested: record.contested })
    }
}
