//! The rows that say how things stand: one for each mailbox, one for each place.
//!
//! Both are deterministic CBOR arrays that begin with a version.

use wire_core::encoding::cbor;
use wire_core::mailbox::{EnvelopeHash, Incarnation, MailboxId, Outcome, Slot, TokenHash};
use wire_core::time::Timestamp;

use super::Fault;

const VERSION: u8 = 1;

/// One mailbox. Rows `base + 1 ..= head` wait; what waits needs no counter, because each row carries
/// the bytes of all rows up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MailboxRecord {
    pub(super) incarnation: Incarnation,
    pub(super) epoch: u32,
    /// The last envelope that was stored.
    pub(super) head: u64,
    /// Bytes of all envelopes up to `head`.
    pub(super) bytes_head: u64,
    /// The last envelope that the owner acknowledged.
    pub(super) acked: u64,
    /// The last envelope that is acknowledged or expired.
    pub(super) base: u64,
    /// Bytes of all envelopes up to `base`.
    pub(super) bytes_base: u64,
    /// Envelopes up to here are removed.
    pub(super) swept: u64,
    /// Envelopes up to here are forgotten altogether: the same bytes would be stored again.
    pub(super) forgotten: u64,
    /// Envelopes up to here were below `base` at `marked_at`; a tombstone's life later they are
    /// forgotten.
    pub(super) mark: u64,
    pub(super) marked_at: Timestamp,
    pub(super) deleted_at: Option<Timestamp>,
}

type MailboxFields = (u8, Incarnation, u32, u64, u64, u64, u64, u64, u64, u64, u64, u64, Option<u64>);

impl MailboxRecord {
    pub(super) fn new(incarnation: Incarnation, epoch: u32, now: Timestamp) -> Self {
        Self {
            incarnation,
            epoch,
            head: 0,
            bytes_head: 0,
            acked: 0,
            base: 0,
            bytes_base: 0,
            swept: 0,
            forgotten: 0,
            mark: 0,
            marked_at: now,
            deleted_at: None,
        }
    }

    pub(super) fn pending(&self) -> u64 {
        self.head.saturating_sub(self.base)
    }

    pub(super) fn pending_bytes(&self) -> u64 {
        self.bytes_head.saturating_sub(self.bytes_base)
    }

    /// Everything up to `seq`, and the `bytes` up to there, waits no more.
    pub(super) fn advance(&mut self, seq: u64, bytes: u64, now: Timestamp) {
        self.base = seq;
        self.bytes_base = bytes;
        if self.mark <= self.forgotten {
            self.mark = seq;
            self.marked_at = now;
        }
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let fields: MailboxFields = (
            VERSION,
            self.incarnation,
            self.epoch,
            self.head,
            self.bytes_head,
            self.acked,
            self.base,
            self.bytes_base,
            self.swept,
            self.forgotten,
            self.mark,
            self.marked_at.as_millis(),
            self.deleted_at.map(Timestamp::as_millis),
        );
        cbor::to_vec(&fields)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let (
            version,
            incarnation,
            epoch,
            head,
            bytes_head,
            acked,
            base,
            bytes_base,
            swept,
            forgotten,
            mark,
            marked_at,
            deleted_at,
        ) = cbor::from_slice::<MailboxFields>(bytes)?;
        if version != VERSION {
            return Err(Fault::Damaged);
        }
        Ok(Self {
            incarnation,
            epoch,
            head,
            bytes_head,
            acked,
            base,
            bytes_base,
            swept,
            forgotten,
            mark,
            marked_at: Timestamp::from_millis(marked_at),
            deleted_at: deleted_at.map(Timestamp::from_millis),
        })
    }
}

/// What is known of one envelope, beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowRecord {
    /// Bytes of all envelopes up to and including this one.
    pub(super) bytes: u64,
    pub(super) until: Timestamp,
    pub(super) hash: EnvelopeHash,
}

impl RowRecord {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        cbor::to_vec(&(self.bytes, self.until.as_millis(), self.hash))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let (bytes, until, hash) = cbor::from_slice(bytes)?;
        Ok(Self { bytes, until: Timestamp::from_millis(until), hash })
    }
}

/// One place where two clients meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlaceRecord {
    pub(super) allocator: TokenHash,
    /// Who claimed it, when, and when the claim lapses unless b1 is written.
    claimer: Option<(TokenHash, u64)>,
    /// Until when it lives.
    pub(super) until: Timestamp,
    linger: Option<u64>,
    quarantine: u64,
    pub(super) contested: bool,
    /// H(bytes) of each written slot, in the order of [`Slot::ALL`].
    written: [Option<EnvelopeHash>; 4],
    /// The one mailbox that each side made by this place.
    mailboxes: [Option<MailboxId>; 2],
}

type PlaceFields = (
    u8,
    TokenHash,
    Option<(TokenHash, u64)>,
    u64,
    Option<u64>,
    u64,
    bool,
    [Option<EnvelopeHash>; 4],
    [Option<MailboxId>; 2],
);

/// One of the two sides of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Allocator,
    Claimer,
}

impl PlaceRecord {
    pub(super) fn new(allocator: TokenHash, until: Timestamp, linger: Option<u64>, quarantine: u64) -> Self {
        Self {
            allocator,
            claimer: None,
            until,
            linger,
            quarantine,
            contested: false,
            written: [None; 4],
            mailboxes: [None; 2],
        }
    }

    pub(super) fn lives(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// When its name may be given out again.
    pub(super) fn free_at(&self) -> Timestamp {
        self.until.plus_millis(self.quarantine)
    }

    pub(super) fn claim(&mut self, token: TokenHash, lapse: u64, now: Timestamp) -> Outcome {
        if !self.lives(now) {
            return Outcome::Absent;
        }
        let free = match &self.claimer {
            None => true,
            Some((claimer, _)) if *claimer == token => true,
            Some((_, lapses)) => self.written(Slot::B1).is_none() && now.as_millis() >= *lapses,
        };
        if !free || token == self.allocator {
            self.contested = true;
            return Outcome::Taken;
        }
        let lapses = now.plus_millis(lapse);
        if self.claimer.is_none_or(|(claimer, _)| claimer != token) {
            self.mailboxes[1] = None;
        }
        self.claimer = Some((token, lapses.as_millis()));
        self.until = self.until.max(lapses);
        Outcome::Claimed { until: self.until }
    }

    /// Notes that `slot` holds bytes with this hash; [`Outcome::Written`] with `true` if they have
    /// to be written.
    pub(super) fn put(
        &mut self,
        token: &TokenHash,
        slot: Slot,
        hash: EnvelopeHash,
        now: Timestamp,
    ) -> (Outcome, bool) {
        let side = self.side(token, now);
        if side.is_none_or(|side| (side == Side::Allocator) != slot.is_allocators()) {
            return (Outcome::Absent, false);
        }
        match self.written(slot) {
            Some(there) if there == hash => return (Outcome::Written, false),
            Some(_) => return (Outcome::Taken, false),
            None => {}
        }
        for (other, written) in Slot::ALL.into_iter().zip(&mut self.written) {
            if other == slot {
                *written = Some(hash);
            }
        }
        if let (Slot::B1, Some(linger)) = (slot, self.linger) {
            self.until = now.plus_millis(linger);
        }
        (Outcome::Written, true)
    }

    pub(super) fn may_read(&self, token: &TokenHash, now: Timestamp) -> bool {
        self.side(token, now).is_some()
    }

    /// Ends it. Whoever was of it may say so again.
    pub(super) fn close(&mut self, token: &TokenHash, now: Timestamp) -> bool {
        let of_it = *token == self.allocator || self.claimer.is_some_and(|(claimer, _)| claimer == *token);
        if of_it {
            self.until = self.until.min(now);
        }
        of_it
    }

    /// Whether the holder of `token` may make `mailbox`, its only one here.
    pub(super) fn grant(&mut self, token: &TokenHash, mailbox: MailboxId, now: Timestamp) -> bool {
        let made = match self.side(token, now) {
            Some(Side::Allocator) => &mut self.mailboxes[0],
            Some(Side::Claimer) => &mut self.mailboxes[1],
            None => return false,
        };
        *made.get_or_insert(mailbox) == mailbox
    }

    /// Nothing is in the slots any more.
    pub(super) fn forget_slots(&mut self) {
        self.written = [None; 4];
    }

    pub(super) fn written(&self, slot: Slot) -> Option<EnvelopeHash> {
        Slot::ALL.into_iter().zip(self.written).find(|(other, _)| *other == slot).and_then(|(_, hash)| hash)
    }

    fn side(&self, token: &TokenHash, now: Timestamp) -> Option<Side> {
        if !self.lives(now) {
            return None;
        }
        if *token == self.allocator {
            return Some(Side::Allocator);
        }
        let (claimer, lapses) = self.claimer?;
        let holds = self.written(Slot::B1).is_some() || now.as_millis() < lapses;
        (claimer == *token && holds).then_some(Side::Claimer)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let fields: PlaceFields = (
            VERSION,
            self.allocator,
            self.claimer,
            self.until.as_millis(),
            self.linger,
            self.quarantine,
            self.contested,
            self.written,
            self.mailboxes,
        );
        cbor::to_vec(&fields)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let (version, allocator, claimer, until, linger, quarantine, contested, written, mailboxes) =
            cbor::from_slice::<PlaceFields>(bytes)?;
        if version != VERSION {
            return Err(Fault::Damaged);
        }
        let until = Timestamp::from_millis(until);
        Ok(Self { allocator, claimer, until, linger, quarantine, contested, written, mailboxes })
    }
}

#[cfg(test)]
mod tests;
