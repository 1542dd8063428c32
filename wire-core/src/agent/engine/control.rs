//! Acknowledging: what we say of the peer's chain, and when.
//!
//! A control message that says nothing new is the same bytes as before, until the peer turns the
//! ratchet: so neither a relay that delivers old envelopes for ever nor one that drops every answer
//! uses up the sending chain. The newest one is kept for that.

use rusqlite::{OptionalExtension as _, params};

use super::send::seal;
use super::{Batch, PeerRow};
use crate::agent::error::Error;
use crate::agent::state::Inward;
use crate::crypto::kdf::sha256;
use crate::encoding::cbor;
use crate::envelope::EnvelopeHash;
use crate::record::{
    self, Ack, Control, ControlKind, Except, MAX_EXCEPT, MAX_MISSING, MAX_UNOPENABLE, Reason, SeqRange,
};
use crate::session::Lane;
use crate::time::Timestamp;

/// First wait for an acknowledgement before STATUS asks for one; doubles each time.
pub(super) const STATUS_FIRST_MS: u64 = 60_000;
/// The same where all is received, and it is only not known to be processed.
const STATUS_DONE_MS: u64 = 3_600_000;
/// Longest wait between two STATUS.
const STATUS_MAX_MS: u64 = 24 * 3_600_000;
/// What others can make us say is said at most this often.
const PAUSE_MS: u64 = 1_000;

/// First record that the application is not done with, above a seq.
pub(super) const FIRST_OPEN: &str = "SELECT min(seq) FROM inbox WHERE peer = ? AND seq > ? AND state < 3";
/// Records that will not be processed, in a range.
pub(super) const EXCEPTED: &str =
    "SELECT seq, state FROM inbox WHERE peer = ? AND seq > ? AND seq <= ? AND state > 3 ORDER BY seq";
/// Records that are held beyond a gap.
pub(super) const HELD_SEQS: &str = "SELECT seq FROM inbox WHERE state = 0 AND peer = ? ORDER BY seq";

impl Batch<'_> {
    /// What every record says of the peer's chain.
    pub(super) fn plain_ack(&self, p: &PeerRow) -> Result<Ack, Error> {
        let (except, proc) = self.excepts(p)?;
        Ok(Ack {
            recv: p.theirs.recv,
            head: p.theirs.head,
            proc,
            seen: p.peer_proc,
            except,
            missing: Vec::new(),
            unopenable: Vec::new(),
        })
    }

    /// Seals the acknowledgement that is owed, for the driver to post, once for all that came in with
    /// this batch. Where the peer has begun a new chain, its own has room again, which it learns from
    /// ours: at once where something of ours is not received, for its acknowledgements may have been
    /// stuck for that reason.
    pub(super) fn seal_owed(&mut self, p: &mut PeerRow) -> Result<(), Error> {
        let Some(heard) = p.heard.take() else { return Ok(()) };
        if !p.hello || !p.stage.speaks() {
            return Ok(());
        }
        self.seal_waiting(p)?;
        if heard.turned && p.own.last > p.peer_recv {
            if p.may_answer(self.now) {
                return self.seal_control(p, ControlKind::Status);
            }
            let soon = p.acked_at.plus_millis(PAUSE_MS);
            p.status_at = Some(p.status_at.map_or(soon, |at| at.min(soon)));
        }
        if p.ack_owed { self.seal_control(p, ControlKind::Ack) } else { Ok(()) }
    }

    /// Peers of whom nothing was heard for too long are asked.
    pub(crate) fn seal_due_status(&mut self) -> Result<(), Error> {
        self.flush()?;
        let due: Vec<i64> = self
            .tx
            .prepare_cached(
                "SELECT id FROM peer WHERE state <= 1 AND own_last > peer_proc AND status_at <= ?",
            )?
            .query_map([self.now.as_millis()], |r| r.get(0))?
            .collect::<Result<_, _>>()?;
        for id in due {
            self.with_peer(super::PeerKey(id), |batch, p| {
                p.status_k = p.status_k.saturating_add(1);
                p.status_at = p.next_status(batch.now);
                batch.seal_control(p, ControlKind::Status)
            })?;
        }
        Ok(())
    }

    /// The relay is back: whoever owes us an acknowledgement is asked now.
    pub(crate) fn ask_again(&mut self, url: &str) -> Result<(), Error> {
        self.flush()?;
        let waiting: Vec<i64> = self
            .tx
            .prepare_cached(
                "SELECT id FROM peer WHERE to_url = ?2 AND state <= 1 AND own_last > peer_recv AND status_at > ?1",
            )?
            .query_map(params![self.now.as_millis(), url], |r| r.get(0))?
            .collect::<Result<_, _>>()?;
        for id in waiting {
            self.with_peer(super::PeerKey(id), |batch, p| {
                p.status_at = Some(batch.now);
                p.status_k = 0;
                Ok(())
            })?;
        }
        Ok(())
    }

    fn seal_control(&mut self, p: &mut PeerRow, kind: ControlKind) -> Result<(), Error> {
        let mut ack = self.plain_ack(p)?;
        self.add_gaps(p, &mut ack)?;
        let says = digest(kind, &ack, p.own.last);
        if p.control.is_some() && p.control_says == Some(says) {
            p.said_again(self.now);
            p.ack_owed = false;
            return Ok(());
        }
        let control = Control {
            kind,
            ack,
            cseq: p.cseq_own.saturating_add(1),
            last: p.own.last,
            head: p.own.head,
            ts: self.now,
        };
        let signed = control.sign(self.engine.control_key(p), &p.link);
        match seal(p, Lane::Ordinary, &record::control_payload(&signed)) {
            Ok(envelope) => {
                p.cseq_own = control.cseq;
                p.own_signed = Some(signed);
                p.control = Some(envelope);
                p.control_says = Some(says);
                p.said_again(self.now);
                p.ack_owed = false;
            }
            // The chain has no room until the peer has heard something of it. The debt stays, and what
            // was said last is said again.
            Err(_) if p.may_answer(self.now) => {
                p.said_again(self.now);
                if kind == ControlKind::Status {
                    self.repost_oldest(p)?;
                }
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// A record, unlike an acknowledgement, is always answered.
    fn repost_oldest(&self, p: &PeerRow) -> Result<(), Error> {
        self.tx
            .prepare_cached("UPDATE outbox SET state = 0 WHERE peer = ? AND seq = ? AND state = 1")?
            .execute(params![p.key.0, p.peer_recv.saturating_add(1)])?;
        Ok(())
    }

    /// Top of the contiguous run that is processed or excepted.
    pub(super) fn advance_proc(&mut self, p: &mut PeerRow) -> Result<(), Error> {
        let first_open: Option<u64> =
            self.tx.prepare_cached(FIRST_OPEN)?.query_row(params![p.key.0, p.proc], |r| r.get(0))?;
        let top = first_open.map_or(p.theirs.recv, |seq| seq.saturating_sub(1).min(p.theirs.recv));
        if top > p.proc {
            p.proc = top;
            p.ack_owed = true;
        }
        Ok(())
    }

    /// Records that will not be processed, above what the peer has seen, and how far `proc` may go
    /// so that all of them fit.
    fn excepts(&self, p: &PeerRow) -> Result<(Vec<Except>, u64), Error> {
        if p.proc == p.peer_seen {
            return Ok((Vec::new(), p.proc));
        }
        let mut statement = self.tx.prepare_cached(EXCEPTED)?;
        let mut rows = statement.query(params![p.key.0, p.peer_seen, p.proc])?;
        let mut ranges: Vec<Except> = Vec::new();
        while let Some(row) = rows.next()? {
            let seq: u64 = row.get(0)?;
            let state: i64 = row.get(1)?;
            let reason = match state {
                s if s == Inward::Expired as i64 => Reason::Expired,
                s if s == Inward::Poison as i64 => Reason::Poison,
                _ => Reason::Refused,
            };
            let full = ranges.len() == MAX_EXCEPT;
            match ranges.last_mut() {
                Some(last) if last.reason == reason && last.range.to + 1 == seq => last.range.to = seq,
                Some(_) if full => return Ok((ranges, seq - 1)),
                Some(_) | None => ranges.push(Except { range: SeqRange { from: seq, to: seq }, reason }),
            }
        }
        Ok((ranges, p.proc))
    }

    /// What is missing below held records, and the envelopes that could not be opened meanwhile.
    fn add_gaps(&self, p: &PeerRow, ack: &mut Ack) -> Result<(), Error> {
        let mut statement = self.tx.prepare_cached(HELD_SEQS)?;
        let mut rows = statement.query([p.key.0])?;
        let mut next = p.theirs.recv + 1;
        while let Some(row) = rows.next()? {
            let seq: u64 = row.get(0)?;
            if seq > next && ack.missing.len() < MAX_MISSING {
                ack.missing.push(SeqRange { from: next, to: seq - 1 });
            }
            next = seq + 1;
        }
        if p.peer_last >= next && ack.missing.len() < MAX_MISSING {
            ack.missing.push(SeqRange { from: next, to: p.peer_last });
        }
        if !ack.missing.is_empty() {
            let mut newest = self.tx.prepare_cached(
                "SELECT env_hash FROM quarantine WHERE peer = ? AND unopenable = 1 ORDER BY n DESC LIMIT ?",
            )?;
            ack.unopenable = newest
                .query_map(params![p.key.0, MAX_UNOPENABLE], |r| Ok(EnvelopeHash::from_bytes(r.get(0)?)))?
                .collect::<Result<_, _>>()?;
        }
        Ok(())
    }

    /// Whether the HELLO of this session is here and was accepted.
    pub(super) fn has_heard_hello(&self, p: &PeerRow) -> Result<bool, Error> {
        let state: Option<i64> = self
            .tx
            .prepare_cached("SELECT state FROM inbox WHERE peer = ? AND seq = 1 AND kind = 'hello'")?
            .query_row([p.key.0], |r| r.get(0))
            .optional()?;
        Ok(state == Some(Inward::Processed as i64))
    }
}

impl PeerRow {
    /// When silence is asked about next, if there is something to ask about.
    pub(super) fn next_status(&self, now: Timestamp) -> Option<Timestamp> {
        let first = if self.own.last > self.peer_recv { STATUS_FIRST_MS } else { STATUS_DONE_MS };
        (self.own.last > self.peer_proc).then(|| now.plus_millis(wait(first, self.status_k)))
    }

    /// A duplicate or a STATUS is answered, but at most once a second: a relay that delivers old bytes
    /// again and again must not make us answer each.
    pub(super) fn owe_repeated_ack(&mut self, now: Timestamp) {
        if self.may_answer(now) {
            self.ack_owed = true;
        }
    }

    /// An answer that was given at a time yet to come was given by a clock that has been put back since.
    fn may_answer(&self, now: Timestamp) -> bool {
        now < self.acked_at || now.since(self.acked_at) >= PAUSE_MS
    }

    fn said_again(&mut self, now: Timestamp) {
        self.control_due = self.control.is_some();
        self.acked_at = now;
    }
}

/// How long to wait before what was said `times` times again is said once more.
pub(super) fn wait(first_ms: u64, times: u32) -> u64 {
    first_ms.saturating_mul(1 << times.min(12)).min(STATUS_MAX_MS)
}

fn digest(kind: ControlKind, ack: &Ack, last: u64) -> [u8; 32] {
    let kind = [u8::from(kind == ControlKind::Status)];
    sha256(&[&kind, &last.to_be_bytes(), &cbor::to_vec(ack)])
}
