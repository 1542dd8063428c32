//! Being acknowledged: what the peer signed about our chain, and what it still misses of it.

use rusqlite::{OptionalExtension as _, params};

use super::{Batch, PeerRow};
use crate::agent::error::Error;
use crate::agent::state::Delivery;
use crate::envelope::EnvelopeHash;
use crate::record::{Ack, ControlKind, Reason, RecordHash, VerifiedControl};

/// Sealed bytes of a range.
pub(super) const SEALED_BYTES: &str =
    "SELECT coalesce(sum(size), 0) FROM outbox WHERE peer = ? AND seq BETWEEN ? AND ?";
/// Nobody needs the envelopes of a range any more.
pub(super) const DROP_ENVELOPES: &str = "DELETE FROM outbox_envelope
    WHERE n IN (SELECT o.n FROM outbox o WHERE o.peer = ? AND o.seq BETWEEN ? AND ?)";
/// Marks a range as received.
pub(super) const RECEIVED: &str =
    "UPDATE outbox SET state = 2, size = 0 WHERE peer = ? AND seq BETWEEN ? AND ? AND state < 2";
/// Marks a range as processed.
pub(super) const PROCESSED: &str =
    "UPDATE outbox SET state = 3 WHERE peer = ? AND seq BETWEEN ? AND ? AND state = 2";
/// Marks a range as excepted from what was processed.
const NOT_PROCESSED: &str =
    "UPDATE outbox SET state = ? WHERE peer = ? AND seq BETWEEN ? AND ? AND state = 3";
/// What is queued for a peer is given up.
pub(super) const GIVE_UP: &str =
    "UPDATE outbox AS o INDEXED BY outbox_state SET state = 7 WHERE peer = ? AND state = 0";

impl Batch<'_> {
    pub(super) fn apply_control(&mut self, p: &mut PeerRow, verified: &VerifiedControl) -> Result<(), Error> {
        let control = verified.get();
        // The highest cseq wins: an older one has nothing to say.
        if control.cseq <= p.cseq_peer {
            return Ok(());
        }
        p.cseq_peer = control.cseq;
        p.peer_signed = Some(verified.cose().to_vec());
        p.peer_last = p.peer_last.max(control.last);
        if control.kind == ControlKind::Status || p.peer_last > p.theirs.recv {
            p.owe_repeated_ack(self.now);
        }
        self.apply_ack(p, &control.ack)?;
        Self::note_move_heard(p, control.ack.recv, control.last);
        if p.stage.speaks() { self.serve_gaps(p, &control.ack) } else { Ok(()) }
    }

    /// Takes over what a record says, which is never less than what the one before it said.
    pub(super) fn apply_record_ack(&mut self, p: &mut PeerRow, ack: &Ack) -> Result<(), Error> {
        if ack.recv < p.said.0 || ack.proc < p.said.1 {
            let evidence = (ack.head.as_bytes().as_slice(), [].as_slice());
            return p.freeze(self.tx, self.now, ack.recv, "acknowledgement went back", evidence);
        }
        p.said = (ack.recv, ack.proc);
        self.apply_ack(p, ack)
    }

    /// Takes over what the peer signed about our chain.
    fn apply_ack(&mut self, p: &mut PeerRow, ack: &Ack) -> Result<(), Error> {
        let checked = p.checked == Some((ack.recv, ack.head));
        if !(checked || self.is_our_head(p, ack.recv, &ack.head)?) || ack.proc > ack.recv || ack.seen > p.proc
        {
            // The peer acknowledges what we never sent: somebody holds a copy of our keys, or this
            // store was rolled back.
            let evidence = (ack.head.as_bytes().as_slice(), [].as_slice());
            return p.freeze(self.tx, self.now, ack.recv, "foreign acknowledgement", evidence);
        }
        p.checked = Some((ack.recv, ack.head));
        p.peer_seen = p.peer_seen.max(ack.seen);
        let is_news = ack.recv > p.peer_recv || ack.proc > p.peer_proc;
        if ack.recv > p.peer_recv {
            let range = params![p.key.0, p.peer_recv + 1, ack.recv];
            let sealed: u64 = self.tx.prepare_cached(SEALED_BYTES)?.query_row(range, |r| r.get(0))?;
            self.tx.prepare_cached(DROP_ENVELOPES)?.execute(range)?;
            self.tx.prepare_cached(RECEIVED)?.execute(range)?;
            p.unacked = p.unacked.saturating_sub(sealed);
            p.peer_recv = ack.recv;
            Self::note_rotation_heard(p);
        }
        if ack.proc > p.peer_proc {
            self.note_processed(p, ack)?;
        }
        if is_news {
            p.peer_proc = p.peer_proc.max(ack.proc);
            p.status_k = 0;
            p.status_at = p.next_status(self.now);
        }
        Ok(())
    }

    fn note_processed(&self, p: &PeerRow, ack: &Ack) -> Result<(), Error> {
        let first = p.peer_proc + 1;
        self.tx.prepare_cached(PROCESSED)?.execute(params![p.key.0, first, ack.proc])?;
        for except in &ack.except {
            let state = match except.reason {
                Reason::Refused => Delivery::Refused,
                Reason::Expired => Delivery::Expired,
                Reason::Poison => Delivery::Poison,
            };
            let (from, to) = (except.range.from.max(first), except.range.to.min(ack.proc));
            self.tx.prepare_cached(NOT_PROCESSED)?.execute(params![state as i64, p.key.0, from, to])?;
        }
        Ok(())
    }

    /// Posts again what the peer misses: the same bytes, or sealed again where those are of no use,
    /// because the peer cannot open them or because the relay has let go of them.
    fn serve_gaps(&mut self, p: &mut PeerRow, ack: &Ack) -> Result<(), Error> {
        let mut useless: Vec<u64> = Vec::new();
        for range in &ack.missing {
            let range = params![p.key.0, range.from, range.to];
            self.tx
                .prepare_cached(
                    "SELECT seq FROM outbox WHERE peer = ? AND seq BETWEEN ? AND ? AND state = 1 AND let_go = 1",
                )?
                .query_map(range, |r| r.get(0))?
                .try_for_each(|seq| seq.map(|seq| useless.push(seq)))?;
            self.tx
                .prepare_cached(
                    "UPDATE outbox SET state = 0 WHERE peer = ? AND seq BETWEEN ? AND ? AND state = 1",
                )?
                .execute(range)?;
        }
        if !ack.unopenable.is_empty() {
            let mut statement = self.tx.prepare_cached(
                "SELECT seq, env_hash FROM outbox WHERE peer = ? AND state < 2 AND size > 0",
            )?;
            let mut rows = statement.query([p.key.0])?;
            while let Some(row) = rows.next()? {
                let hash = EnvelopeHash::from_bytes(row.get(1)?);
                if ack.unopenable.contains(&hash) {
                    useless.push(row.get(0)?);
                }
            }
        }
        useless.sort_unstable();
        useless.dedup();
        useless.into_iter().try_for_each(|seq| self.reseal(p, seq))
    }

    pub(super) fn is_our_head(&self, p: &PeerRow, seq: u64, head: &RecordHash) -> Result<bool, Error> {
        if seq > p.own.last {
            return Ok(false);
        }
        if seq == 0 {
            return Ok(head.as_bytes() == p.link.session.as_bytes());
        }
        let ours: Option<[u8; 32]> = self
            .tx
            .prepare_cached("SELECT hash FROM outbox WHERE peer = ? AND seq = ?")?
            .query_row(params![p.key.0, seq], |r| r.get(0))
            .optional()?;
        Ok(ours.is_some_and(|ours| ours == *head.as_bytes()))
    }

    /// Sets the time at which silence is asked about, when something went out.
    pub(super) fn expect_ack(&self, p: &mut PeerRow) {
        if p.status_at.is_none() && p.stage.speaks() {
            p.status_at = p.next_status(self.now);
        }
    }
}
