//! Hearing something: open, verify, place, store, acknowledge, all in one step.
//!
//! A hostile, malformed or undecryptable envelope is counted and put aside, and never holds up the
//! ones behind it. Nothing of it changes a session or a chain.

use rusqlite::{OptionalExtension as _, params};

use super::log::{BROKEN_CHAIN, EQUIVOCATION};
use super::peer::Heard;
use super::send::Hello;
use super::{Batch, PeerKey, PeerRow, Stage};
use crate::agent::error::Error;
use crate::agent::state::Inward;
use crate::entropy::os_rng;
use crate::envelope::EnvelopeHash;
use crate::mailbox::Certificate;
use crate::record::{self, Inbound, Kind, Placement, RecordHash, VerifiedRecord};
use crate::session::{OpenError, Step};

/// Records held beyond a gap, at most, per peer.
const MAX_HELD: u64 = 1024;
/// Bytes of bodies held beyond a gap, at most, per peer.
const MAX_HELD_BYTES: u64 = 16 << 20;
/// Envelopes that were put aside and are remembered, per peer.
const MAX_QUARANTINE: u32 = 256;

/// A peer whose chain is this long is answered, whatever it said: only an answer makes room in it.
const LONG_CHAIN: u32 = 400;

/// How many records are held, and the bytes of their bodies.
pub(super) const HELD: &str =
    "SELECT count(*), coalesce(sum(length(r.body)), 0) FROM inbox i JOIN inbox_record r ON r.n = i.n
     WHERE i.state = 0 AND i.peer = ?";

/// What a batch of envelopes brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Records that joined the chain.
    pub(crate) records: usize,
    /// Envelopes that were put aside.
    pub(crate) rejected: usize,
    /// The pairing was completed by this batch.
    pub(crate) paired: bool,
}

/// Why an envelope had no effect.
enum Reject {
    Unopenable,
    Because(&'static str),
}

impl Batch<'_> {
    /// Takes the envelopes of one mailbox in the relay's order.
    pub(crate) fn receive<'e>(
        &mut self,
        peer: PeerKey,
        envelopes: impl IntoIterator<Item = &'e [u8]>,
    ) -> Result<Arrival, Error> {
        let mut arrival = Arrival::default();
        let mut envelopes = envelopes.into_iter();
        let mut peer = peer;
        while let Some(stray) = self.receive_known(peer, &mut envelopes, &mut arrival)? {
            peer = self.receive_stray(peer, stray, &mut arrival)?;
        }
        Ok(arrival)
    }

    /// Takes envelopes up to the first that the session of `peer` does not open, and gives that.
    fn receive_known<'e>(
        &mut self,
        peer: PeerKey,
        envelopes: &mut impl Iterator<Item = &'e [u8]>,
        arrival: &mut Arrival,
    ) -> Result<Option<&'e [u8]>, Error> {
        self.with_peer(peer, |batch, p| {
            let (was, before) = (p.stage, arrival.records);
            p.heard.get_or_insert_default();
            if was.hears() {
                p.session()?.expire(batch.now);
            }
            let mut stray = None;
            for envelope in envelopes {
                // What a frozen session says is worth nothing.
                let taken = match p.stage.hears() {
                    true => batch.receive_one(p, envelope, arrival)?,
                    false => Err(Reject::Unopenable),
                };
                match taken {
                    Ok(()) => {}
                    Err(Reject::Unopenable) => {
                        stray = Some(envelope);
                        break;
                    }
                    Err(reject) => batch.put_aside(p, envelope, &reject, arrival)?,
                }
            }
            if arrival.records > before {
                batch.advance_proc(p)?;
            }
            arrival.paired |= was == Stage::Pending && p.stage == Stage::Paired;
            Ok(stray)
        })
    }

    /// Takes an envelope that the session of `peer` does not open: of the session that is to replace it, or of a
    /// reset. Gives whose session has the mailbox from then on.
    fn receive_stray(
        &mut self,
        peer: PeerKey,
        envelope: &[u8],
        arrival: &mut Arrival,
    ) -> Result<PeerKey, Error> {
        if let Some(new) = self.pending_reset(peer)? {
            let is_stray = self.receive_known(new, &mut std::iter::once(envelope), arrival)?.is_some();
            if !is_stray {
                let is_over = self.peer(new)?.stage != Stage::Pending;
                return Ok(if is_over { self.successor(new)? } else { peer });
            }
        }
        let reject = match self.take_reset(peer, envelope)? {
            Some(Ok(())) => return Ok(peer),
            Some(Err(why)) => Reject::Because(why),
            None => Reject::Unopenable,
        };
        self.with_peer(peer, |batch, p| batch.put_aside(p, envelope, &reject, arrival))?;
        Ok(peer)
    }

    fn put_aside(
        &mut self,
        p: &mut PeerRow,
        envelope: &[u8],
        reject: &Reject,
        arrival: &mut Arrival,
    ) -> Result<(), Error> {
        arrival.rejected += 1;
        if p.stage.hears() { self.quarantine(p, envelope, reject) } else { Ok(()) }
    }

    fn receive_one(
        &mut self,
        p: &mut PeerRow,
        envelope: &[u8],
        arrival: &mut Arrival,
    ) -> Result<Result<(), Reject>, Error> {
        let opened = match p.session()?.open(envelope, self.now, &mut os_rng()) {
            Ok(opened) => opened,
            // The relay or the sender delivered the same bytes again: nothing to do, nothing lost.
            Err(OpenError::Replayed) => {
                p.owe_repeated_ack(self.now);
                return Ok(Ok(()));
            }
            Err(OpenError::Unopenable) => return Ok(Err(Reject::Unopenable)),
            Err(OpenError::CloneDetected) => {
                // The same key sealed two things: the peer's state was cloned or rolled back.
                p.freeze(self.tx, self.now, 0, "clone", (envelope, &[]))?;
                return Ok(Err(Reject::Because("clone")));
            }
            Err(OpenError::TamperedDuplicate) => return Ok(Err(Reject::Because("tampered"))),
            Err(_) => return Ok(Err(Reject::Because("envelope"))),
        };
        match self.open_signed(p, &opened.payload) {
            Ok(Inbound::Control(control)) => {
                commit(p, opened.step)?;
                self.apply_control(p, &control)?;
                Ok(Ok(()))
            }
            Ok(Inbound::Record(record)) => self.receive_record(p, opened.step, &record, arrival),
            Err(_) => Ok(Err(Reject::Because("record"))),
        }
    }

    fn receive_record(
        &mut self,
        p: &mut PeerRow,
        step: Step,
        record: &VerifiedRecord,
        arrival: &mut Arrival,
    ) -> Result<Result<(), Reject>, Error> {
        let seq = record.header().seq;
        match p.theirs.place(record) {
            Placement::Behind => {
                let known = self.stored(p.key, seq)?;
                commit(p, step)?;
                self.compare(p, record, known)?;
                p.owe_repeated_ack(self.now);
            }
            Placement::Broken => {
                commit(p, step)?;
                let head = p.theirs.head;
                p.freeze(self.tx, self.now, seq, BROKEN_CHAIN, (record.cose(), head.as_bytes()))?;
            }
            Placement::Ahead => {
                if let Some(known) = self.stored(p.key, seq)? {
                    commit(p, step)?;
                    self.compare(p, record, Some(known))?;
                } else {
                    // A peer has at most so many records under way; what lies further off is none of them.
                    if seq > p.theirs.recv.saturating_add(MAX_HELD) || !self.may_hold(p)? {
                        return Ok(Err(Reject::Because("hold limit")));
                    }
                    commit(p, step)?;
                    self.store(p.key, record, Inward::Held)?;
                    if let Some((count, bytes)) = &mut p.held {
                        *count += 1;
                        *bytes += record.body().map_or(0, |(_, body)| body.len() as u64);
                    }
                }
                p.ack_owed = true;
            }
            Placement::Next => {
                commit(p, step)?;
                p.theirs.advance(record);
                self.apply_record_ack(p, &record.header().ack)?;
                let state = self.take_effect(p, record)?;
                self.store(p.key, record, state)?;
                self.adopt(p, record)?;
                arrival.records += 1;
                self.release_held(p, arrival)?;
                p.ack_owed = true;
            }
        }
        Ok(Ok(()))
    }

    /// What a record that joins the chain does, and the state that it is stored in.
    fn take_effect(&mut self, p: &mut PeerRow, record: &VerifiedRecord) -> Result<Inward, Error> {
        let header = record.header();
        let expired = header.exp.is_some_and(|exp| exp < self.now);
        let Some((_, body)) = record.body().filter(|_| !expired) else {
            return Ok(Inward::Expired);
        };
        if header.seq == 1 || header.kind == Kind::Hello {
            return Ok(match (header.seq, &header.kind) {
                (1, Kind::Hello) if Hello::is_compatible(body) => {
                    if p.stage == Stage::Pending {
                        self.complete(p)?;
                    }
                    Inward::Processed
                }
                // A session begins with HELLO and with nothing else.
                _ => Inward::Refused,
            });
        }
        // Before HELLO nothing counts, and what comes with an alarm does not either.
        if !matches!(p.stage, Stage::Paired | Stage::Ended) {
            return Ok(Inward::Refused);
        }
        let is_said = matches!(header.kind, Kind::Msg | Kind::Ask | Kind::Reply);
        if is_said && let Some(state) = self.earlier(p, &header.id)? {
            // It was here under another session: what it does is done, or under way.
            return Ok(state);
        }
        match &header.kind {
            Kind::Msg | Kind::Ask => Ok(Inward::Ready),
            Kind::Reply => {
                let waiting = header.re.map(|re| self.is_awaited(p.key, &re)).transpose()?.unwrap_or(false);
                Ok(if waiting { Inward::Reply } else { Inward::Ready })
            }
            Kind::Cert => Ok(match Certificate::verify(body) {
                Ok(cert)
                    if cert.mailbox() == p.to_cert.mailbox()
                        && cert.sender() == p.to_cert.sender()
                        && cert.epoch() >= p.to_cert.epoch() =>
                {
                    p.to_cert = cert;
                    self.outdate(p.key)?;
                    Inward::Processed
                }
                _ => Inward::Refused,
            }),
            Kind::Rotate => self.take_rotation(p, body),
            Kind::Move => self.take_move(p, body),
            Kind::Hello | Kind::Other(_) => Ok(Inward::Refused),
        }
    }

    /// Records that were held behind the one that just came.
    fn release_held(&mut self, p: &mut PeerRow, arrival: &mut Arrival) -> Result<(), Error> {
        loop {
            let next = p.theirs.recv.saturating_add(1);
            let held = self
                .tx
                .prepare_cached(
                    "SELECT r.cose, r.salt, r.body, i.n FROM inbox i JOIN inbox_record r ON r.n = i.n
                     WHERE i.peer = ? AND i.seq = ? AND i.state = 0",
                )?
                .query_row(params![p.key.0, next], |r| {
                    Ok((
                        r.get::<_, Vec<u8>>(0)?,
                        r.get::<_, Option<Vec<u8>>>(1)?,
                        r.get::<_, Option<Vec<u8>>>(2)?,
                        r.get::<_, i64>(3)?,
                    ))
                })
                .optional()?;
            let Some((cose, salt, body, was)) = held else { return Ok(()) };
            let record = VerifiedRecord::reopen(&cose, salt.as_deref(), body.as_deref(), &p.link, &p.pinned)
                .map_err(|_| Error::corrupt("held record"))?;
            if p.theirs.place(&record) != Placement::Next {
                let head = p.theirs.head;
                return p.freeze(self.tx, self.now, next, BROKEN_CHAIN, (&cose, head.as_bytes()));
            }
            p.theirs.advance(&record);
            self.apply_record_ack(p, &record.header().ack)?;
            let state = self.take_effect(p, &record)?;
            // It joins now, so it comes after what joined before, whenever it arrived.
            let n: i64 = self
                .tx
                .prepare_cached(
                    "UPDATE inbox SET state = ?, n = (SELECT max(n) + 1 FROM inbox) WHERE n = ? RETURNING n",
                )?
                .query_row(params![state as i64, was], |r| r.get(0))?;
            self.tx.prepare_cached("UPDATE inbox_record SET n = ? WHERE n = ?")?.execute([n, was])?;
            p.held = None;
            self.note_reply(p.key, &record, state)?;
            self.adopt(p, &record)?;
            arrival.records += 1;
        }
    }

    fn store(&mut self, peer: PeerKey, record: &VerifiedRecord, state: Inward) -> Result<(), Error> {
        let h = record.header();
        let (salt, body) = match record.body() {
            Some((salt, body)) => (Some(salt.as_bytes().as_slice()), Some(body)),
            None => (None, None),
        };
        self.tx
            .prepare_cached(
                "INSERT INTO inbox (peer, seq, id, kind, ctype, re, ts, arrived, state, prev, hash, attempts)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            )?
            .execute(params![
                peer.0,
                h.seq,
                h.id.as_bytes(),
                h.kind.as_str(),
                h.ctype,
                h.re.as_ref().map(|re| re.as_bytes().as_slice()),
                h.ts.as_millis(),
                self.now.as_millis(),
                state as i64,
                h.prev.as_bytes(),
                record.hash().as_bytes(),
            ])?;
        self.tx
            .prepare_cached("INSERT INTO inbox_record (n, salt, cose, body) VALUES (?, ?, ?, ?)")?
            .execute(params![self.tx.last_insert_rowid(), salt, record.cose(), body])?;
        self.note_reply(peer, record, state)
    }

    /// The first reply completes the ask; later ones are ordinary messages.
    fn note_reply(&mut self, peer: PeerKey, record: &VerifiedRecord, state: Inward) -> Result<(), Error> {
        if state == Inward::Reply
            && let Some(re) = record.header().re
        {
            self.tx.execute(
                "UPDATE ask SET reply = (SELECT n FROM inbox WHERE peer = ?1 AND seq = ?2) WHERE peer = ?1 AND id = ?3",
                params![peer.0, record.header().seq, re.as_bytes()],
            )?;
        }
        Ok(())
    }

    fn is_awaited(&self, peer: PeerKey, re: &record::RecordId) -> Result<bool, Error> {
        Ok(self
            .tx
            .prepare_cached("SELECT 1 FROM ask WHERE peer = ? AND id = ? AND reply IS NULL")?
            .exists(params![peer.0, re.as_bytes()])?)
    }

    fn stored(&self, peer: PeerKey, seq: u64) -> Result<Option<(RecordHash, Vec<u8>)>, Error> {
        Ok(self
            .tx
            .prepare_cached("SELECT i.hash, r.cose FROM inbox i JOIN inbox_record r ON r.n = i.n WHERE i.peer = ? AND i.seq = ?")?
            .query_row(params![peer.0, seq], |r| Ok((RecordHash::from_bytes(r.get(0)?), r.get(1)?)))
            .optional()?)
    }

    /// The same seq again: a duplicate without effect, or two signed histories.
    fn compare(
        &mut self,
        p: &mut PeerRow,
        record: &VerifiedRecord,
        known: Option<(RecordHash, Vec<u8>)>,
    ) -> Result<(), Error> {
        match known {
            Some((hash, cose)) if hash != record.hash() => {
                p.freeze(self.tx, self.now, record.header().seq, EQUIVOCATION, (&cose, record.cose()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn may_hold(&self, p: &mut PeerRow) -> Result<bool, Error> {
        let (count, bytes) = match p.held {
            Some(held) => held,
            None => self.tx.prepare_cached(HELD)?.query_row([p.key.0], |r| Ok((r.get(0)?, r.get(1)?)))?,
        };
        p.held = Some((count, bytes));
        Ok(count < MAX_HELD && bytes < MAX_HELD_BYTES)
    }

    /// Remembers the newest envelopes that were put aside, by hash.
    fn quarantine(&mut self, p: &mut PeerRow, envelope: &[u8], reject: &Reject) -> Result<(), Error> {
        let (reason, unopenable) = match reject {
            Reject::Unopenable => ("unopenable", true),
            Reject::Because(why) => (*why, false),
        };
        let hash = EnvelopeHash::of(envelope);
        self.tx
            .prepare_cached(
                "INSERT INTO quarantine (peer, env_hash, reason, unopenable, at) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![p.key.0, hash.as_bytes(), reason, unopenable, self.now.as_millis()])?;
        self.tx
            .prepare_cached(
                "DELETE FROM quarantine WHERE peer = ?1 AND n <= (SELECT n FROM quarantine WHERE peer = ?1
                    ORDER BY n DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute(params![p.key.0, MAX_QUARANTINE])?;
        Ok(())
    }
}

fn commit(p: &mut PeerRow, step: Step) -> Result<(), Error> {
    p.opened += 1;
    if step.turns() {
        p.heard = Some(Heard { turned: true });
        p.control_says = None;
    }
    if step.number() >= LONG_CHAIN {
        // Not bounded by the second between two answers: this one may be the only one, and a chain that
        // is answered begins anew.
        p.ack_owed = true;
    }
    p.session()?.commit(step).map_err(|_| Error::Internal("a step of the session was stale"))
}
