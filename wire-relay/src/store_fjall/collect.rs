//! What nobody needs any more, in bounded steps.
//!
//! 1. Envelopes that nobody fetched in time count as gone.
//! 2. What is acknowledged or gone is removed.
//! 3. A tombstone's life later it is forgotten: until then the same bytes are known again.
//! 4. A deleted mailbox goes the same way, and its record last.
//! 5. The slots of a place that is over are removed; its name when the quarantine ends.

use wire_core::mailbox::MailboxId;
use wire_core::pairing::Rendezvous;
use wire_core::time::Timestamp;

use super::Fault;
use super::records::MailboxRecord;
use super::tables::{envelope_key, row_key, seen_key};
use super::transaction::{Table, Transaction};
use crate::WakeKey;

/// What to look at in one step.
#[derive(Debug)]
pub(super) struct Collect {
    pub(super) mailboxes: Vec<MailboxId>,
    pub(super) places: Vec<Rendezvous>,
    pub(super) now: Timestamp,
    /// Most rows to remove.
    pub(super) max: u32,
    /// How long things are known again.
    pub(super) tombstone: u64,
}

impl Transaction<'_> {
    /// Says how many rows it removed.
    pub(super) fn collect(&mut self, work: Collect) -> Result<u32, Fault> {
        let mut left = work.max;
        for id in &work.mailboxes {
            let Some(before) = self.mailbox(id)? else { continue };
            let after = self.collect_mailbox(id, before, &work, &mut left)?;
            if after != Some(before) {
                self.set_mailbox(*id, after);
            }
            if left == 0 {
                self.garbage.insert(*id);
            }
        }
        for place in work.places {
            let Some(mut record) = self.place(&place)? else { continue };
            if record.lives(work.now) {
                continue;
            }
            if self.strip(&place, &mut record) {
                self.set_place(place.clone(), Some(record.clone()));
                left = left.saturating_sub(1);
            }
            if work.now >= record.free_at() {
                self.set_place(place, None);
                left = left.saturating_sub(1);
            }
        }
        Ok(work.max - left)
    }

    fn collect_mailbox(
        &mut self,
        id: &MailboxId,
        mut record: MailboxRecord,
        work: &Collect,
        left: &mut u32,
    ) -> Result<Option<MailboxRecord>, Fault> {
        let due = |since: Timestamp| work.now.since(since) >= work.tombstone;
        let end = if record.deleted_at.is_some() {
            record.head
        } else {
            self.expire(id, &mut record, work, *left)?
        };
        while record.swept < end && *left > 0 {
            record.swept += 1;
            *left -= 1;
            self.remove(Table::Env, &envelope_key(id, record.swept));
        }
        let forget = match record.deleted_at {
            Some(_) => record.swept,
            None if due(record.marked_at) => record.mark.min(record.swept),
            None => record.forgotten,
        };
        while record.forgotten < forget && *left > 0 {
            record.forgotten += 1;
            *left -= 1;
            self.forget(id, record.forgotten)?;
        }
        if record.forgotten == record.mark && record.base > record.mark {
            record.mark = record.base;
            record.marked_at = work.now;
        }
        let over = record.deleted_at.is_some_and(due) && record.forgotten == record.head;
        Ok((!over).then_some(record))
    }

    /// Moves the base over what expired; says where it is.
    fn expire(
        &mut self,
        id: &MailboxId,
        record: &mut MailboxRecord,
        work: &Collect,
        max: u32,
    ) -> Result<u64, Fault> {
        for _ in 0..max {
            if record.base >= record.head {
                break;
            }
            match self.row(id, record.base + 1)? {
                Some(row) if row.until <= work.now => {
                    record.advance(record.base + 1, row.bytes, work.now);
                    self.wake.insert(WakeKey::Mailbox(*id));
                }
                _ => break,
            }
        }
        Ok(record.base)
    }

    fn forget(&mut self, id: &MailboxId, seq: u64) -> Result<(), Fault> {
        let Some(row) = self.row(id, seq)? else { return Ok(()) };
        // The same bytes may have been stored again under a later number.
        if self.seen(id, &row.hash)? == Some(seq) {
            self.remove(Table::State, &seen_key(id, &row.hash));
        }
        self.remove(Table::State, &row_key(id, seq));
        Ok(())
    }
}
